"""What does a UN Comtrade download say: who reported what trade with whom, in USD and tonnes?

Columns of today's download and of the classic one, as CSV or JSON. The same trade often stands in a file several times: as a
total and by second partner, customs procedure and mode of transport, by year and by month, under two HS editions, under a
heading and its codes, under two codes of one country. Of each, one is read and the others are refused by name.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from friendshore.errors import InputRefused
from friendshore.world.imports import places, rows, tables
from friendshore.world.imports.rows import Account, Import, Unreadable
from friendshore.world.imports.tables import Table

LIKE = "a UN Comtrade download with reporters, partners, flows, commodity codes and values, as CSV or JSON"
COLUMNS = {
    "year": ("refYear", "Year", "yr", "ref_year"), "period": ("period",),
    "edition": ("classificationCode", "Classification", "pfCode", "classification_code"),
    "reporter": ("reporterCode", "Reporter Code", "rtCode", "reporter_code"),
    "reporter_iso": ("reporterISO", "Reporter ISO", "rt3ISO", "reporter_iso"),
    "reporter_name": ("reporterDesc", "Reporter", "rtTitle", "reporter_desc"),
    "partner": ("partnerCode", "Partner Code", "ptCode", "partner_code"),
    "partner_iso": ("partnerISO", "Partner ISO", "pt3ISO", "partner_iso"),
    "partner_name": ("partnerDesc", "Partner", "ptTitle", "partner_desc"),
    "partner2": ("partner2Code", "2nd Partner Code", "ptCode2", "partner2_code"),
    "flow": ("flowCode", "Trade Flow Code", "rgCode", "flow_code"), "flow_name": ("flowDesc", "Trade Flow", "TradeFlow", "rgDesc"),
    "product": ("cmdCode", "Commodity Code", "cmd_code"),
    "customs": ("customsCode", "Customs Proc. Code", "cstCode", "customs_code"),
    "transport": ("motCode", "Mode of Transport Code", "mot_code"),
    "unit": ("qtyUnitCode", "Qty Unit Code", "qtCode", "qty_unit_code"), "unit_name": ("qtyUnitAbbr", "Qty Unit", "qtDesc"),
    "quantity": ("qty", "TradeQuantity"), "weight": ("netWgt", "Netweight (kg)", "NetWeight", "net_wgt"),
    "value": ("primaryValue", "Trade Value (US$)", "TradeValue", "primary_value"),
}  # fmt: skip
LAYOUTS = {
    "UN Comtrade": (COLUMNS, ("reporter", "partner", "flow", "product", "value")),
    "UN Comtrade with ISO codes": (COLUMNS, ("reporter_iso", "partner_iso", "flow", "product", "value")),
    "UN Comtrade with names": (COLUMNS, ("reporter_name", "partner_name", "flow_name", "product", "value")),
    "UN Comtrade by importers": (COLUMNS, ("reporter", "partner", "product", "value", "period")),
}  # fmt: skip
NUMERIC = ("value", "weight", "quantity")
SCHEMA = {
    "year": pl.String, "exporter": pl.String, "importer": pl.String, "hs6": pl.String, "tonnes": pl.Float64,
    "amount": pl.Float64, "side": pl.String,
}  # fmt: skip
FLOWS = {
    "m": "importer", "1": "importer", "import": "importer", "imports": "importer",
    "x": "exporter", "2": "exporter", "export": "exporter", "exports": "exporter",
}  # fmt: skip
PARTS = {
    "rx": "re-exports", "3": "re-exports", "reexport": "re-exports", "reexports": "re-exports", "rm": "re-imports", "4": "re-imports",
    "reimport": "re-imports", "reimports": "re-imports", "dx": "domestic exports", "fm": "foreign imports",
    "mip": "imports for processing", "mop": "imports after processing", "xip": "exports after processing", "xop": "exports for processing",
}  # fmt: skip
KILOGRAM = frozenset(("8", "kg", "weight in kilograms", "kilograms"))
TONNES_PER_KG = 1e-3
EDITIONS = {"H6": 6, "H5": 5, "H4": 4, "H3": 3, "H2": 2, "H1": 1, "H0": 0}
TOTALS = {
    "partner2": frozenset(("", "0", "W00", "WLD", "NULL", "None")),
    "customs": frozenset(("", "C00", "0")),
    "transport": frozenset(("", "0")),
}


@dataclass(frozen=True, slots=True)
class _Row:
    """A sound row, before the same trade told twice is taken out."""

    line: int
    year: str
    month: bool
    exporter: str
    importer: str
    side: str
    product: str
    edition: str
    code: tuple[str, str]
    parts: tuple[str, str, str]  # second partner, customs procedure, transport; '' where the row is the total
    period: str
    tonnes: float | None
    amount: float

    @property
    def pattern(self) -> tuple[bool, ...]:
        return tuple(part == "" for part in self.parts)

    @property
    def trade(self) -> tuple[str, ...]:
        return (self.year, self.exporter, self.importer, self.side, self.product)


def read(path: Path, wanted: Callable[[str], bool], year: str | None = None) -> Import:
    """The rows of the wanted products: year, exporter, importer, hs6, tonnes (null where unknown), amount in USD, side.

    `side` says who reported: the importer (USD cif) or the exporter (fob). Months are added up to years.

    Raises
    ------
    InputRefused   no file, damaged, cut short, or not in a layout of UN Comtrade
    """
    layout, table = _table(path)
    book = Account(table.file, remarks=table.remarks)
    find = places.finder({})
    sound: list[_Row] = []
    years: set[str] = set()
    products: set[str] = set()
    for line, cells in table.records:
        book.rows += 1
        amount = 0.0
        try:
            amount = tables.stated_value(table, cells)
            book.amount += amount
            period = tables.cell(table, cells, "period").removesuffix(".0")
            when = rows.year_of(
                tables.cell(table, cells, "year") or period, table.name("year" if "year" in table.place else "period")
            )
            product = rows.product_of(tables.cell(table, cells, "product"), table.name("product"))
            products.add(product)
            if not wanted(product):
                book.leave("another product", amount)
                continue
            years.add(when)
            if year is not None and when != year:
                book.leave(f"another year than {year}", amount)
                continue
            sound.append(_row(table, cells, line, product, when, period, amount, find, layout))
        except Unreadable as why:
            book.refuse(line, why.column, why.value, why.reason, amount)
    for row in _told_once(sound, book):
        book.keep((row.year, row.exporter, row.importer, row.product, row.tonnes, row.amount, row.side), row.line)
        book.nowhere(zip(row.code, (row.exporter, row.importer), strict=True), row.amount)
    book.weigh(3, 4, 5)
    return book.closed("un.comtrade", table.digest, "USD", SCHEMA, years, len(products))


def _row(
    table: Table, cells: Sequence[str], line: int, product: str, when: str, period: str, amount: float,
    find: Callable[[str, str], str], layout: str,
) -> _Row:  # fmt: skip
    side = _side(table, cells, layout)
    reporter, partner = (_country(table, cells, who, find) for who in ("reporter", "partner"))
    if reporter[0] == partner[0] and reporter[0] not in places.SEVERAL:
        raise Unreadable(
            table.name("partner"), partner[1], "a country's trade with itself: re-imports, part of its imports"
        )
    exporter, importer = (partner, reporter) if side == "importer" else (reporter, partner)
    parts = tuple(
        "" if (text := tables.cell(table, cells, name).removesuffix(".0")) in TOTALS[name] else text
        for name in ("partner2", "customs", "transport")
    )
    edition = tables.cell(table, cells, "edition")
    return _Row(
        line, when, len(period) == 6, exporter[0], importer[0], side, product, edition, (exporter[1], importer[1]),
        (parts[0], parts[1], parts[2]), period, _tonnes(table, cells), amount,
    )  # fmt: skip


def _side(table: Table, cells: Sequence[str], layout: str) -> str:
    """Who reports: the importer or the exporter. A file without flows that only importers report is one of imports."""
    if "flow" not in table.place and "flow_name" not in table.place:
        assert layout == "UN Comtrade by importers"
        return "importer"
    column = "flow" if "flow" in table.place else "flow_name"
    word = tables.cell(table, cells, column)
    plain = tables.normal(word.removesuffix(".0"))
    if plain in PARTS:
        raise Unreadable(table.name(column), word, f"{PARTS[plain]}: part of the flow that stands beside them")
    if plain not in FLOWS:
        raise Unreadable(table.name(column), word, "not a flow: M or X")
    return FLOWS[plain]


def _country(table: Table, cells: Sequence[str], who: str, find: Callable[[str, str], str]) -> tuple[str, str]:
    """A country by its number, failing that by its ISO code, failing that by its name, and the word that the file has."""
    first = ""
    for column in (who, f"{who}_iso", f"{who}_name"):
        word = tables.cell(table, cells, column)
        if not word or (word in rows.MISSING and column != f"{who}_name"):
            continue
        first = first or word
        found = find(word, table.name(column))
        if found != places.NOWHERE or places.listed().find(word) == places.NOWHERE:
            return found, word
    return find(first, table.name(who)), first


def _tonnes(table: Table, cells: Sequence[str]) -> float | None:
    """Net weight in tonnes, or the quantity where that is in kilograms; none where neither is above zero."""
    kilograms = table.numbers.read(tables.cell(table, cells, "weight"), table.name("weight"))
    unit = (tables.cell(table, cells, "unit").removesuffix(".0"), tables.cell(table, cells, "unit_name").casefold())
    if not kilograms and KILOGRAM & set(unit):
        kilograms = table.numbers.read(tables.cell(table, cells, "quantity"), table.name("quantity"))
    return kilograms * TONNES_PER_KG if kilograms else None


def _told_once(sound: Sequence[_Row], book: Account) -> list[_Row]:
    """Of trade that stands in the file several times, one telling; the others are refused."""

    def refuse(row: _Row, column: str, value: str, reason: str) -> None:
        book.refuse(row.line, column, value, reason, row.amount)

    kept: list[_Row] = []
    for group in _grouped(sound, lambda row: row.trade).values():
        best = max((EDITIONS.get(row.edition, 9) for row in group), default=9)
        one = []
        for row in group:
            if EDITIONS.get(row.edition, 9) == best:
                one.append(row)
            else:
                refuse(
                    row, "classificationCode", row.edition, "the same trade under a newer HS edition stands beside it"
                )
        if any(row.month for row in one) and not all(row.month for row in one):
            for row in [row for row in one if row.month]:
                refuse(row, "period", row.period, "a month: the year's total stands beside it")
            one = [row for row in one if not row.month]
        for period in _grouped(one, lambda row: (row.period,)).values():
            kept += _one_breakdown(period, refuse)
    headings = {
        (row.year, row.exporter, row.importer, row.side, row.product[:4]) for row in kept if len(row.product) == 6
    }
    out = []
    for row in kept:
        if len(row.product) == 4 and (*row.trade[:4], row.product) in headings:
            refuse(row, "cmdCode", row.product, "a heading's total: its codes stand beside it")
        else:
            out.append(row)
    return sorted(out, key=lambda row: row.line)


def _one_breakdown(group: list[_Row], refuse: Callable[[_Row, str, str, str], None]) -> list[_Row]:
    """The total where one stands, otherwise the parts of one breakdown that adds up to most; no row twice."""
    patterns = _grouped(group, lambda row: row.pattern)
    chosen = max(patterns, key=lambda pattern: (sum(pattern), sum(row.amount for row in patterns[pattern])))
    names = ("second partner", "customs procedure", "mode of transport")
    for pattern, others in patterns.items():
        if pattern != chosen:
            by = ", ".join(name for name, total in zip(names, pattern, strict=True) if not total) or "nothing"
            for row in others:
                refuse(
                    row,
                    by,
                    " ".join(filter(None, row.parts)),
                    f"by {by}: the same trade stands beside it as a total or otherwise split",
                )
    out: list[_Row] = []
    seen: dict[tuple[Any, ...], _Row] = {}
    for row in patterns[chosen]:
        key = (row.parts, row.code)
        before = seen.get(key)
        twin = before or next(
            (
                other
                for other in out
                if other.parts == row.parts and other.amount == row.amount and other.code != row.code
            ),
            None,
        )
        if before is not None:
            same = "the same row" if before.amount == row.amount else "the same trade with another value"
            refuse(row, "", " ".join(row.trade), f"{same} stands on line {before.line}")
        elif twin is not None:
            words = " and ".join(" > ".join(one.code) for one in (twin, row))
            refuse(row, "", words, f"one country under two codes: the same trade stands on line {twin.line}")
        else:
            seen[key] = row
            out.append(row)
    return out


def _grouped(found: Sequence[_Row], key: Callable[[_Row], tuple[Any, ...]]) -> dict[tuple[Any, ...], list[_Row]]:
    out: dict[tuple[Any, ...], list[_Row]] = defaultdict(list)
    for row in found:
        out[key(row)].append(row)
    return out


def _table(path: Path) -> tuple[str, Table]:
    data, member = tables.payload(path, LIKE)
    name = path.name if member is None else f"{path.name}/{member}"
    start = data.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    if start not in (b"{", b"["):
        return tables.opened(path, LAYOUTS, NUMERIC, LIKE)
    try:
        document = json.loads(data.decode("utf-8-sig", "strict"))
    except (ValueError, RecursionError) as error:
        hint = "the download ended early or was changed: fetch it again"
        raise InputRefused.because("damaged", f"'{name}' is no JSON: {error}", path=name, hint=hint) from None
    records, stated = _records(document)
    if not records:
        said = str(document.get("error") or document.get("validation") or "") if isinstance(document, dict) else ""
        raise InputRefused.because(
            "no-rows", f"'{name}' holds no rows of trade", path=name, hint=said[:200] or f"expected {LIKE}"
        )
    layout, table = tables.of_records(records, name, hashlib.sha256(data).hexdigest()[:12], LAYOUTS, LIKE)
    if stated is not None and stated != len(records):
        hint = "the service cuts answers off at a limit: ask for fewer at a time"
        message = f"'{name}' says that it has {stated} rows and holds {len(records)}"
        raise InputRefused.because("cut-short", message, path=name, hint=hint)
    return layout, table


def _records(document: object) -> tuple[list[dict[str, Any]], int | None]:
    """Rows of today's answer (`data`, `count`) or the classic one (`dataset`, `validation.count.value`)."""
    stated: object = None
    held: object = document
    if isinstance(document, dict):
        held = document.get("data", document.get("dataset"))
        stated = document.get("count")
        check = document.get("validation")
        if stated is None and isinstance(check, dict):
            count = check.get("count")
            stated = count.get("value") if isinstance(count, dict) else None
    found = [row for row in held if isinstance(row, dict)] if isinstance(held, list) else []
    return found, stated if isinstance(stated, int) and not isinstance(stated, bool) else None
