"""The workbook is alive: every total, share and ratio is a formula, which gives what the study says and moves with its figures."""

from __future__ import annotations

import ast
import io
import re
from functools import cache
from typing import Any

import polars as pl
import pytest
from openpyxl import load_workbook
from report_cases import nothing, small, whole

from friendshore.report.brief import View, brief, by_country, by_good
from friendshore.report.words import LANGUAGES, Words
from friendshore.report.workbook import TOP, write_workbook

FIRST = TOP + 2  # the row of the first figures, as a workbook counts
REFERENCE = re.compile(r"(?:'([^']+)'!)?\$?([A-Z]+)\$?(\d*)(?::\$?([A-Z]+)\$?(\d*))?(?![A-Z(])")


def written(case, lang: str = "en", view: str | None = None, **more) -> bytes:
    world, deal, found = case
    words, seen = Words.of(lang, world), View.of(view, found, world)
    return write_workbook(found, words, seen, brief(found, words, seen, world=world, deal=deal), **more)


class Lazy(ast.NodeTransformer):
    """IF reckons the side that it takes, and no other."""

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.func, ast.Name) and node.func.id == "IF":
            condition, yes, no = node.args
            return ast.IfExp(condition, yes, no)
        return node


class Reckoning:
    """A workbook recalculated from its formulas and figures alone; the values that came with the formulas are not read.

    It knows SUM, SUMIFS, SUMPRODUCT, ABS, IF, the four operations and comparisons, and fails at anything else.
    """

    def __init__(self, document: bytes) -> None:
        self.sheets = {
            s.title: {c.coordinate: c.value for row in s for c in row} for s in load_workbook(io.BytesIO(document))
        }
        self.known: dict[tuple[str, str], Any] = {}
        self.columns: dict[tuple[str, str], list[Any]] = {}

    def put(self, sheet: str, cell: str, value: Any) -> None:
        self.sheets[sheet][cell] = value
        self.known.clear()
        self.columns.clear()

    def formulas(self) -> list[tuple[str, str]]:
        return [(s, c) for s, cells in self.sheets.items() for c, v in cells.items() if str(v).startswith("=")]

    def value(self, sheet: str, cell: str) -> Any:
        if (sheet, cell) not in self.known:
            held = self.sheets[sheet].get(cell)
            self.known[sheet, cell] = self._reckoned(sheet, held[1:]) if str(held).startswith("=") else held
        return self.known[sheet, cell]

    def _reckoned(self, sheet: str, formula: str) -> Any:
        texts: list[str] = []

        def kept(match: re.Match[str]) -> str:
            texts.append(match[1])
            return f"texts[{len(texts) - 1}]"

        def read(match: re.Match[str]) -> str:
            name, column, row, last, end = match.groups()
            return f"cells({name or sheet!r}, {column!r}, {row!r}, {last!r}, {end!r})"

        parts = re.split(r'("[^"]*")', formula)
        python = "".join(
            part if part.startswith('"') else re.sub(r"(?<![<>=])=(?!=)", "==", REFERENCE.sub(read, part))
            for part in parts
        )
        python = re.sub(r'"([^"]*)"', kept, python)
        tree = ast.fix_missing_locations(Lazy().visit(ast.parse(python, mode="eval")))
        known = {"SUM": self._sum, "SUMIFS": self._sumifs, "SUMPRODUCT": self._sum, "ABS": self._abs}
        code, names = compile(tree, formula, "eval"), {**known, "cells": self._cells, "texts": texts}
        return eval(code, {"__builtins__": {}}, names)  # noqa: S307 - a formula of our own workbook

    def _cells(self, sheet: str, column: str, row: str, last: str | None, end: str | None) -> Any:
        if last is None:
            value = self.value(sheet, f"{column}{row}")
            return 0.0 if value is None else value
        assert len(column) == len(last) == 1
        if not row:
            return self._column(sheet, column)
        rows = range(int(row), int(end) + 1)
        letters = [chr(k) for k in range(ord(column), ord(last) + 1)]
        return [self.value(sheet, f"{letter}{k}") for k in rows for letter in letters]

    def _column(self, sheet: str, column: str) -> list[Any]:
        if (sheet, column) not in self.columns:
            last = max(int(re.sub("[A-Z]", "", cell)) for cell in self.sheets[sheet])
            self.columns[sheet, column] = [self.value(sheet, f"{column}{k}") for k in range(1, last + 1)]
        return self.columns[sheet, column]

    @staticmethod
    def _sum(*ranges: Any) -> float:
        held = [v for r in ranges for v in (r if isinstance(r, list) else [r])]
        return sum(v for v in held if isinstance(v, int | float))

    @staticmethod
    def _abs(values: Any) -> Any:
        return [abs(v) for v in values] if isinstance(values, list) else abs(values)

    @staticmethod
    def _sumifs(summed: list[Any], *conditions: Any) -> float:
        def meets(value: Any, wanted: Any) -> bool:
            if wanted in (">0", "<0"):
                return isinstance(value, int | float) and (value > 0 if wanted == ">0" else value < 0)
            return bool(value == wanted)

        chosen = range(len(summed))
        for values, wanted in zip(conditions[::2], conditions[1::2]):
            assert len(values) == len(summed)
            chosen = [k for k in chosen if meets(values[k], wanted)]
        return sum(summed[k] for k in chosen if isinstance(summed[k], int | float))


@cache
def italian() -> bytes:
    return written(whole(), "en", "ITA")


def rows_of(reckoning: Reckoning, sheet: str) -> list[list[Any]]:
    cells = reckoning.sheets[sheet]
    rows = []
    for k in range(FIRST, FIRST + 1000):
        row = [reckoning.value(sheet, f"{chr(ord('A') + j)}{k}") for j in range(12)]
        if all(v is None for v in row):
            break
        rows.append(row)
    assert len(cells) > 0
    return rows


@pytest.mark.parametrize("case", [whole, small, nothing])
def test_every_formula_gives_the_value_that_was_written_beside_it(case):
    document = written(case(), view=None if case is small else "ITA")
    reckoning = Reckoning(document)
    shown = load_workbook(io.BytesIO(document), data_only=True)
    formulas = reckoning.formulas()
    assert len(formulas) > 20
    for sheet, cell in formulas:
        value, written_value = reckoning.value(sheet, cell), shown[sheet][cell].value
        assert value == pytest.approx(written_value, rel=1e-9, abs=1e-3), f"{sheet}!{cell}"


def test_totals_shares_and_ratios_are_formulas():
    reckoning = Reckoning(italian())
    by_sheet = {name: [c for s, c in reckoning.formulas() if s == name] for name in reckoning.sheets}
    for sheet, columns in {
        "Who pays": "DEFGHIJ", "Our account": "D", "Groups": "E", "Floors": "HIJ", "Levies": "GH", "Answers": "E", "Suppliers": "F",
    }.items():  # fmt: skip
        cells = reckoning.sheets[sheet]
        for column in columns:
            figures = [
                c for c in cells if re.fullmatch(rf"{column}\d+", c) and int(c[1:]) >= FIRST and cells[c] is not None
            ]
            assert figures
            assert not [c for c in figures if c not in by_sheet[sheet]], f"{sheet}, column {column}"


def test_the_countries_add_to_what_the_study_says():
    world, _, found = whole()
    reckoning = Reckoning(italian())
    totals = by_country(found)
    rows = rows_of(reckoning, "Who pays")
    assert {row[0]: pytest.approx(row[8], abs=1e-3) for row in rows[:-1]} == {c: totals[c] for c in totals}
    assert rows[-1][8] == pytest.approx(sum(totals.values()), abs=1e-2)
    (plain,) = (row for row in found.reactions.iter_rows(named=True) if row["reaction"] == "none")
    inside = sum(row[8] for row in rows[:-1] if row[2] == "Parties")
    assert inside == pytest.approx(plain["parties_usd"], abs=1e-2)
    assert {row[0] for row in rows if row[2] == "Parties"} == {*found.parties, "EUN"}
    gains = [row[9] for row in rows[:-1] if row[8] > 0]
    assert sum(gains) == pytest.approx(1.0)
    assert sum(row[9] for row in rows[:-1] if row[8] < 0) == pytest.approx(-1.0)
    assert world.countries.height > 100


def test_the_account_of_the_view_adds_to_its_gain():
    _, _, found = whole()
    rows = rows_of(Reckoning(italian()), "Our account")
    assert rows[-1][2] == pytest.approx(sum(by_good(found, frozenset({"ITA"})).values()), abs=20.0)  # cents left out
    assert sum(row[3] for row in rows[:-1]) == pytest.approx(1.0)


def test_the_levy_is_tonnes_times_rate_and_adds_up():
    _, _, found = whole()
    rows = rows_of(Reckoning(italian()), "Levies")
    assert rows[-1][6] == pytest.approx(float(found.levies["levy_usd"].sum()))
    assert rows[-1][4] == pytest.approx(float(found.levies["t"].sum()))
    assert rows[-1][5] == pytest.approx(rows[-1][6] / rows[-1][4])
    assert rows[-1][7] == pytest.approx(1.0)


def test_a_figure_that_is_changed_moves_every_total_that_rests_on_it():
    reckoning = Reckoning(italian())
    data = reckoning.sheets["Data"]
    cell = next(f"C{k}" for k in range(FIRST, 2000) if data[f"A{k}"] == "ITA" and data[f"B{k}"] == "users")
    before = {row[0]: row[3:9] for row in rows_of(reckoning, "Who pays")}
    reckoning.put("Data", cell, data[cell] + 1e6)
    after = {row[0]: row[3:9] for row in rows_of(reckoning, "Who pays")}
    for name in before:
        moved = [b - a for a, b in zip(before[name], after[name])]
        expected = [1e6, 0, 0, 0, 0, 1e6] if name in ("ITA", "All") else [0] * 6
        assert moved == pytest.approx(expected, abs=1e-3), name


def test_a_floor_that_is_raised_no_longer_holds():
    reckoning = Reckoning(italian())
    held = [row[9] for row in rows_of(reckoning, "Floors")[:-1]]
    assert 1 in held
    row = FIRST + held.index(1)
    reckoning.put("Floors", f"E{row}", reckoning.sheets["Floors"][f"E{row}"] * 10)
    assert reckoning.value("Floors", f"J{row}") == 0


@pytest.mark.parametrize("lang", LANGUAGES)
def test_sheets_have_names_that_a_workbook_takes(lang):
    for case, view in ((whole, "ITA"), (small, None)):
        document = written(case(), lang, view)
        names = load_workbook(io.BytesIO(document)).sheetnames
        assert len(set(names)) == len(names) >= 11
        assert all(len(name) <= 31 and not set(name) & set("[]:*?/\\") for name in names)


def test_formulas_hold_in_every_language():
    for lang in ("it", "ja"):
        document = written(whole(), lang, "ITA")
        reckoning, shown = Reckoning(document), load_workbook(io.BytesIO(document), data_only=True)
        for sheet, cell in reckoning.formulas():
            assert reckoning.value(sheet, cell) == pytest.approx(shown[sheet][cell].value, rel=1e-9, abs=1e-3)


def test_missing_is_an_empty_cell_and_nought_is_nought():
    table = pl.DataFrame({"good": ["a", "b", "c"], "usd": [0.0, None, float("nan")]})
    book = load_workbook(io.BytesIO(written(small(), figures={"gaps": ("Gaps", table)})))
    values = [book["fig. gaps"][f"B{k}"].value for k in range(FIRST, FIRST + 3)]
    assert values == [0, None, None]


def test_the_same_study_gives_the_same_bytes():
    assert written(small(), "it") == written(small(), "it")
    assert italian() == written(whole(), "en", "ITA")
