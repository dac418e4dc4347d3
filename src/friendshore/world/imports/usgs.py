"""What does a USGS world table say: who made how many tonnes of what?

Both layouts of the Mineral Commodity Summaries' data release are read: one row for each figure (Commodity, Country,
Statistics_detail, Unit, Year, Value), and one row for each country with a column for each year (PROD_2023, PROD_EST_ 2024).
`W` is withheld, `NA` not available, a dash is zero: three different things, and none of them is lost.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl

from friendshore.errors import InputRefused
from friendshore.world.imports import places, tables
from friendshore.world.imports.rows import Account, Import, Unreadable
from friendshore.world.imports.tables import Table

LIKE = "the world data of the USGS Mineral Commodity Summaries, as its data release has them"
LONG = {
    "commodity": ("Commodity",), "country": ("Country",), "section": ("Section",), "detail": ("Statistics_detail",),
    "unit": ("Unit",), "year": ("Year",), "value": ("Value",), "statistics": ("Statistics",),
}  # fmt: skip
WIDE = {
    "commodity": ("COMMODITY",),
    "country": ("COUNTRY",),
    "detail": ("TYPE",),
    "unit": ("UNIT_MEAS",),
    "source": ("SOURCE",),
}
LAYOUTS = {
    "USGS data release": (LONG, ("commodity", "country", "section", "detail", "unit", "year", "value")),
    "USGS world data": (WIDE, ("commodity", "country", "detail", "unit")),
}
SCHEMA = {"commodity": pl.String, "detail": pl.String, "country": pl.String, "year": pl.String, "amount": pl.Float64}
TONNES = {
    "kilograms": 1e-3, "metric tons": 1.0, "thousand metric tons": 1e3, "million metric tons": 1e6, "thousand metric dry tons": 1e3,
    "metric dry tons": 1.0, "thousand kilograms": 1.0,
}  # fmt: skip
BASE_YEAR = "2024"
ZERO = frozenset(("—", "–", "-", "\x97"))


def read(path: Path, year: str | None = None) -> Import:
    """World output of one year: commodity, detail, country, year, amount in tonnes.

    The year is the base year where the file has it, its newest otherwise; an estimate (`e`) counts as the figure.

    Raises
    ------
    InputRefused   no file, damaged, not in a layout, or without the year asked for
    """
    layout, table = tables.opened(path, LAYOUTS, (), LIKE)
    held = list(table.records)
    found = sorted(set(_years(layout, table, held)))
    when = year or (BASE_YEAR if BASE_YEAR in found else (found[-1] if found else ""))
    if when not in found:
        hint = f"it has {', '.join(found) or 'none'}"
        raise InputRefused.because(
            "no-year", f"'{table.file}' has no output of {when or 'any year'}", path=table.file, hint=hint
        )
    book = Account(table.file, remarks=table.remarks)
    find = places.finder({})
    seen: dict[tuple[str, str, str], int] = {}
    for line, cells in held:
        book.rows += 1
        amount = 0.0
        try:
            tables.whole(table, cells)
            commodity, detail = tables.cell(table, cells, "commodity"), tables.cell(table, cells, "detail")
            if commodity.casefold() == "commodity":
                raise Unreadable(table.name("commodity"), commodity, "a second heading")
            text = _value(layout, table, cells, when)
            if text is None:
                book.leave(f"not world output of {when}", 0.0)
                continue
            unit = tables.cell(table, cells, "unit").casefold()
            factor = TONNES.get(unit)
            if factor is None:
                book.leave(f"in {unit or 'no unit'}", 0.0)
                continue
            amount = _number(text) * factor
            book.amount += amount
            word = " ".join(tables.cell(table, cells, "country").split())
            plain = re.sub(r"\s*(\(.*\)|\d+)$", "", word)  # 'Peru (andalusite)', 'Other countries (rounded)'
            if tables.normal(plain) == "othercountries":
                raise Unreadable(
                    f"other countries of {commodity}: {detail}",
                    word,
                    "other countries together: it stands beside those listed",
                )
            if word.casefold().startswith("world"):
                raise Unreadable(table.name("country"), word, "a world total: it stands beside its parts")
            country = find(word if places.listed().find(word) else plain, table.name("country"))
            if (commodity, detail, country) in seen and country != places.NOWHERE:
                raise Unreadable(
                    "",
                    f"{commodity}, {detail}, {word}",
                    f"the same figure stands on line {seen[commodity, detail, country]}",
                )
            seen[commodity, detail, country] = line
            book.nowhere([(word, country)], amount)
            book.keep((commodity, detail, country, when, amount))
        except Unreadable as why:
            book.refuse(line, why.column, why.value, why.reason, amount)
    return book.closed("usgs.mcs", table.digest, "t", SCHEMA, [when])


def _years(layout: str, table: Table, held: Sequence[tuple[int, Sequence[str]]]) -> Iterator[str]:
    """Years of output in the file."""
    if layout == "USGS world data":
        yield from (match[1] for name in table.heading if (match := _PRODUCED.fullmatch(name.strip())))
        return
    for _, cells in held:
        if _is_output(table, cells) and re.fullmatch(r"(19|20)\d\d", tables.cell(table, cells, "year")):
            yield tables.cell(table, cells, "year")


_PRODUCED = re.compile(r"PROD_(?:EST_?)?\s*((?:19|20)\d\d)")


def _is_output(table: Table, cells: Sequence[str]) -> bool:
    told = tables.cell(table, cells, "statistics") or tables.cell(table, cells, "detail")
    return (
        tables.cell(table, cells, "section").startswith("World")
        and "production" in told.casefold()
        and "capacity" not in told.casefold()
    )


def _value(layout: str, table: Table, cells: Sequence[str], when: str) -> str | None:
    """The figure of the year as it stands; None where the row is about something else."""
    if layout == "USGS world data":
        if "capacity" in tables.cell(table, cells, "detail").casefold():
            return None
        for index, name in enumerate(table.heading):
            match = _PRODUCED.fullmatch(name.strip())
            if match and match[1] == when:
                return cells[index].strip()
        return None
    if not _is_output(table, cells) or tables.cell(table, cells, "year") != when:
        return None
    return tables.cell(table, cells, "value")


def _number(text: str) -> float:
    """A figure of a world table; thousands stand behind commas, an `e` marks an estimate.

    Raises
    ------
    Unreadable   withheld, not available, or no number
    """
    if text in ZERO:
        return 0.0
    plain = re.sub(r"^e\s*|\s*e$", "", text.strip())
    if plain == "W":
        raise Unreadable("Value", text, "withheld by the publisher")
    if plain.upper() in ("NA", "", "XX", "LARGE", "MODERATE", "SMALL"):
        raise Unreadable("Value", text, "not available")
    if re.fullmatch(r"-?(\d{1,3}(,\d{3})+|\d+)(\.\d+)?", plain) is None:
        raise Unreadable("Value", text, "not a number")
    if plain.startswith("-"):
        raise Unreadable("Value", text, "negative or not finite")
    return float(plain.replace(",", ""))
