"""Bills of materials and end uses as tables with a source for every row, ours or a reader's own.

Reads and checks them. What a product costs is `products`'; who gains among the users is `users`'.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import polars as pl

from friendshore.errors import InputRefused, Place, Problem, did_you_mean

HERE = Path(__file__).parent
TEXT, NUMBER = pl.String, pl.Float64
# One row for each part of a product: kilograms of a good, contained as the world counts it, or units of another product.
# `low` and `high` are the range of the amount, where one is known.
BILLS = {
    "product": TEXT, "unit": TEXT, "area": TEXT, "industry": TEXT, "part": TEXT, "amount": NUMBER, "measure": TEXT,
    "low": NUMBER, "high": NUMBER, "year": TEXT, "source": TEXT, "reliability": TEXT, "note": TEXT,
}  # fmt: skip
RANGE = ("low", "high")
# Shares of a good's final use by industry; what they lack of one is not published.
END_USES = {
    "good": TEXT, "industry": TEXT, "area": TEXT, "share": NUMBER, "year": TEXT, "source": TEXT, "reliability": TEXT,
    "note": TEXT,
}  # fmt: skip
MEASURES = ("kg", "units")


@cache
def end_uses() -> pl.DataFrame:
    """The end uses that ship: good, industry, area, share of final use."""
    return pl.read_csv(HERE / "end_uses.csv", schema=END_USES)


@cache
def shipped_bills() -> pl.DataFrame:
    """The bills of materials that ship."""
    return pl.read_csv(HERE / "bills.csv", schema=BILLS)


@cache
def sources() -> pl.DataFrame:
    """Whom the two tables quote."""
    names = ("id", "publisher", "title", "year", "url", "licence")
    return pl.read_csv(HERE / "sources.csv", schema=dict.fromkeys(names, TEXT))


def read_bills(file: Path, goods: Iterable[str]) -> pl.DataFrame:
    """Bills of materials of a reader's own, in the columns of those that ship.

    Parameters
    ----------
    file : CSV with the columns of `BILLS`, those of the range left out or empty where it is not known
    goods : ids of the goods of the world

    Raises
    ------
    InputRefused   every unknown part, amount that is no number, circle of parts, row without a source, at its line
    """
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as stuck:
        raise InputRefused.because("unreadable", f"'{file}' cannot be read: {stuck}", path="--bills") from None
    lines = csv.DictReader(text.splitlines())
    if lacking := [name for name in BILLS if name not in (*RANGE, *(lines.fieldnames or ()))]:
        wanted = f"the columns are {', '.join(BILLS)}"
        raise InputRefused.because("no-column", f"{file.name} lacks {', '.join(lacking)}", path="--bills", hint=wanted)
    found = list(enumerate(lines, start=2))
    known = {*goods, *(row["product"] for _, row in found)}
    problems: list[Problem] = []
    rows: list[tuple[object, ...]] = []
    for line, row in found:
        place = Place(str(file), line, 1)
        if row["part"] not in known:
            hint = did_you_mean(row["part"] or "", known)
            problems.append(
                Problem("unknown-good", f"no good or product is called {row['part']!r}", place, "part", hint)
            )
        if (row["measure"] == "kg") != (row["part"] in set(goods)) or row["measure"] not in MEASURES:
            said = f"{row['measure']!r}: goods are counted in kg, products in units"
            problems.append(Problem("wrong-measure", said, place, "measure"))
        if not row["source"]:
            problems.append(
                Problem("no-source", "a row without a source", place, "source", "say who says so, or estimate")
            )
        amount = _amount(row["amount"])
        if amount is None:
            problems.append(Problem("wrong-number", f"{row['amount']!r} is no amount above nought", place, "amount"))
        ends = {name: _amount(row.get(name)) if row.get(name) else None for name in RANGE}
        for name in RANGE:
            if row.get(name) and ends[name] is None:
                problems.append(Problem("wrong-number", f"{row[name]!r} is no amount above nought", place, name))
        if amount is not None and not (ends["low"] or amount) <= amount <= (ends["high"] or amount):
            said = f"{amount:g} does not lie between {row.get('low')} and {row.get('high')}"
            problems.append(Problem("wrong-range", said, place, "amount"))
        held = {**row, **ends, "amount": amount}
        rows.append(tuple(held[name] for name in BILLS))
    if problems:
        raise InputRefused(problems)
    table = pl.DataFrame(rows, schema=BILLS, orient="row")
    if (round_ := _circle(table)) is not None:
        raise InputRefused.because("circle", f"{round_} is a part of itself", path="--bills")
    return table


def _amount(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if 0.0 < value < float("inf") else None


def _circle(bills: pl.DataFrame) -> str | None:
    """A product that is a part of itself, at whatever remove."""
    parts: dict[str, set[str]] = {}
    for product, part in bills.select("product", "part").iter_rows():
        parts.setdefault(product, set()).add(part)
    for product in parts:
        seen: set[str] = set()
        ahead = set(parts[product])
        while ahead:
            if product in ahead:
                return product
            seen |= ahead
            ahead = {inner for part in ahead for inner in parts.get(part, ())} - seen
    return None
