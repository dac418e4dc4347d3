"""What did commodities cost, by the World Bank's Pink Sheet?

The workbook has a sheet of months or one of years; the series' names stand in heading rows, some of them merged, above a row
of units. Prices per mass become USD per tonne of what the series is quoted for; others are left aside.
"""

from __future__ import annotations

import hashlib
import io
import re
import warnings
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from friendshore.errors import InputRefused
from friendshore.world.imports import rows, tables
from friendshore.world.imports.numbers import Numbers
from friendshore.world.imports.rows import Account, Import, Unreadable

LIKE = "the World Bank's Pink Sheet workbook (CMO-Historical-Data-Monthly.xlsx or -Annual.xlsx)"
SHEETS = ("Monthly Prices", "Annual Prices (Nominal)")
TONNES = {"mt": 1.0, "kg": 1e-3, "troyoz": 0.0000311034768, "toz": 0.0000311034768, "dmtu": 0.01, "lb": 0.00045359237}
SCHEMA = {"series": pl.String, "unit": pl.String, "year": pl.String, "months": pl.Int64, "amount": pl.Float64}
BASE_YEAR = "2024"
UNIT = re.compile(r"\(?\s*(\$|¢|cents?)\s*/\s*([A-Za-z .]+?)\s*\)?")
HEADING_WITHIN = 20


def read(path: Path, year: str | None = None) -> Import:
    """Prices of one year, the mean of its months: series, unit, year, months, amount in USD per tonne.

    Raises
    ------
    InputRefused   no file, no workbook or a damaged one, no sheet of prices, or not that year; or openpyxl is not installed
    """
    data, _ = tables.payload(path, LIKE)
    name, grid = _sheet(data, path.name)
    heading = _heading(grid)
    if heading is None:
        raise InputRefused.because(
            "no-heading",
            f"'{path.name}', sheet '{name}': no row of units under names",
            path=path.name,
            hint=f"expected {LIKE}",
        )
    series, units, first = heading
    found: dict[str, list[Sequence[Any]]] = {}
    for line in grid[first:]:
        match = re.fullmatch(
            r"((?:19|20)\d\d)(?:M(?:0[1-9]|1[0-2]))?", str(line[0]).strip().removesuffix(".0") if line else ""
        )
        if match:
            found.setdefault(match[1], []).append(line)
    when = year or (BASE_YEAR if BASE_YEAR in found else max(found, default=""))
    if when not in found:
        hint = f"it has {min(found)} to {max(found)}" if found else f"expected {LIKE}"
        raise InputRefused.because(
            "no-year", f"'{path.name}' has no prices of {when or 'any year'}", path=path.name, hint=hint
        )
    book = Account(path.name, remarks=[f"sheet '{name}'"])
    monthly = name == SHEETS[0]
    if monthly and len(found[when]) < 12:
        book.remarks.append(f"{when} has {len(found[when])} months")
    for column in sorted(series):
        book.rows += 1
        amount = 0.0
        try:
            per = _tonnes(units.get(column, ""))
            if per is None:
                book.leave(f"not a price per mass: {units.get(column, '') or 'no unit'}", 0.0)
                continue
            told = [_price(line[column] if column < len(line) else None, series[column]) for line in found[when]]
            known = [price for price in told if price is not None]
            if not known:
                raise Unreadable(series[column], "", f"no price in {when}")
            amount = sum(known) / len(known) / per
            book.amount += amount
            book.keep((series[column], units[column], when, len(known) if monthly else 12, amount))
        except Unreadable as why:
            book.refuse(first + 1, why.column, why.value, why.reason, amount)
    return book.closed("worldbank.pinksheet", hashlib.sha256(data).hexdigest()[:12], "USD/t", SCHEMA, [when])


def _sheet(data: bytes, file: str) -> tuple[str, list[Sequence[Any]]]:
    """The sheet of prices as rows of cells, merged cells filled with what they show."""
    try:
        import openpyxl
    except ImportError:
        hint = "pip install 'friendshore[xlsx]'"
        raise InputRefused.because("no-openpyxl", "reading a workbook needs openpyxl", path=file, hint=hint) from None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # openpyxl warns of styles and extensions, which hold no figures
            book = openpyxl.load_workbook(io.BytesIO(data), data_only=True)
    except (zipfile.BadZipFile, KeyError, ValueError, OSError, EOFError, SyntaxError) as error:
        hint = "the download ended early or was changed: fetch it again"
        raise InputRefused.because(
            "damaged", f"'{file}' is no workbook or a damaged one: {error}", path=file, hint=hint
        ) from None
    for name in SHEETS:
        for title in book.sheetnames:
            if title.strip().casefold() == name.casefold():
                sheet = book[title]
                grid = [list(row) for row in sheet.iter_rows(values_only=True)]
                for area in sheet.merged_cells.ranges:
                    shown = sheet.cell(area.min_row, area.min_col).value
                    for row in range(area.min_row - 1, min(area.max_row, len(grid))):
                        for column in range(area.min_col - 1, min(area.max_col, len(grid[row]))):
                            grid[row][column] = shown
                return name, list(grid)
    hint = (
        f"expected a sheet called {' or '.join(repr(name) for name in SHEETS)}; it has {', '.join(book.sheetnames[:6])}"
    )
    raise InputRefused.because("no-sheet", f"'{file}' has no sheet of prices", path=file, hint=hint)


def _heading(grid: Sequence[Sequence[Any]]) -> tuple[dict[int, str], dict[int, str], int] | None:
    """Names and units by column, and the first row under them. A name is the nearest text above its unit."""
    for index, line in enumerate(grid[:HEADING_WITHIN]):
        units = {
            column: str(text).strip()
            for column, text in enumerate(line)
            if isinstance(text, str) and UNIT.fullmatch(text.strip())
        }
        if len(units) < 2:
            continue
        names = {}
        for column in units:
            above = [grid[k][column] for k in range(index - 1, -1, -1) if column < len(grid[k])]
            text = next((str(cell) for cell in above if cell is not None and str(cell).strip()), "")
            names[column] = re.sub(r"[\s*]+$", "", " ".join(text.split()))
        return {c: n for c, n in names.items() if n}, units, index + 1
    return None


def _tonnes(unit: str) -> float | None:
    """Tonnes in the mass that a unit such as '($/mt)' names; None where it names none or is not in dollars."""
    match = UNIT.fullmatch(unit)
    if match is None or match[1] != "$":
        return None
    return TONNES.get(re.sub(r"[^a-z]", "", match[2].casefold()))


def _price(value: object, series: str) -> float | None:
    """A cell's price; None where it is empty or says so.

    Raises
    ------
    Unreadable   a text that is no price
    """
    if value is None or (isinstance(value, str) and value.strip() in rows.MISSING):
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise Unreadable(series, str(value), "not a price")
    price = Numbers(".", True).read(value, series) if isinstance(value, str) else float(value)
    if price is not None and not 0.0 < price < float("inf"):
        raise Unreadable(series, str(value), "not a price above zero")
    return price
