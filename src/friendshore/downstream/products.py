"""What the minerals in a product cost, by country: a motor, a battery cell and pack, a car, a turbine, a radar, an aircraft.

    cost_j = sum over parts of kg / 1000 x price of the good in j,  a part that is a product counting with its own parts

The price is what buyers there pay on average (`mean_price.price_paid`), USD per contained tonne: a product gets dearer where
prices rise, never because others buy. Minerals alone are counted: labour, energy and other materials are not.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from friendshore.downstream.tables import shipped_bills
from friendshore.mean_price import bought, weighted_mean

if TYPE_CHECKING:
    from friendshore.outcome import Outcome

KG = 1000.0  # in a tonne
SCHEMA = {
    "product": pl.String, "unit": pl.String, "area": pl.String, "industry": pl.String, "place": pl.String,
    "before_usd": pl.Float64, "after_usd": pl.Float64, "missing": pl.String,
}  # fmt: skip


def product_costs(
    before: Outcome, after: Outcome, places: Mapping[str, Iterable[str]], bills: pl.DataFrame | None = None
) -> pl.DataFrame:
    """Cost of the minerals in every product, in every place, before and after.

    Parameters
    ----------
    before, after : cleared outcomes of one world
    places : name of a place -> its countries, such as a customs union and its members
    bills : as `tables.BILLS`; those that ship if None

    Returns
    -------
    product, unit, area, industry, place, before_usd, after_usd, missing      USD per unit of product; a good of which nobody
    there took any in the base year has no price: it is named under `missing`, and the product has no cost there
    """
    bills = shipped_bills() if bills is None else bills
    tables = [bought(outcome) for outcome in (before, after)]
    prices = [{place: weighted_mean(table, inside) for place, inside in places.items()} for table in tables]
    rows = []
    heads = bills.select("product", "unit", "area", "industry").unique(
        subset="product", keep="first", maintain_order=True
    )
    for product, unit, area, industry in heads.iter_rows():
        held = content(product, bills)
        for place in places:
            old, new = (each[place] for each in prices)
            missing = sorted(good for good in held if good not in old or good not in new)
            cost = (
                [sum(kg / KG * paid[good] for good, kg in held.items()) for paid in (old, new)]
                if not missing
                else [None] * 2
            )
            rows.append((product, unit, area, industry, place, *cost, ", ".join(missing)))
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def content(product: str, bills: pl.DataFrame) -> dict[str, float]:
    """Kilograms of every good in one unit of a product, its parts' parts included."""
    found: dict[str, float] = {}
    for part, amount, measure in (
        bills.filter(pl.col("product") == product).select("part", "amount", "measure").iter_rows()
    ):
        inside = {part: 1.0} if measure == "kg" else content(part, bills)
        for good, kg in inside.items():
            found[good] = found.get(good, 0.0) + amount * kg
    return found


@dataclass(frozen=True)
class Content:
    """What one unit of a product holds of a good, kilograms, parts' parts included, with the range and who says so.

    reliability   the worst of the figures it is computed from, `D` for our own estimate
    """

    good: str
    kg: float
    low: float | None
    high: float | None
    year: str
    sources: tuple[str, ...]
    reliability: str
    note: str


def contents(product: str, bills: pl.DataFrame) -> tuple[Content, ...]:
    """Every good in a product with its range and sources, as `content` counts it; a part's part has a range where either has."""
    found: dict[str, Content] = {}
    columns = ("part", "amount", "measure", "low", "high", "year", "source", "reliability", "note")
    for part, amount, measure, low, high, year, source, reliability, note in (
        bills.filter(pl.col("product") == product).select(columns).iter_rows()
    ):
        own = Content(part, 1.0, None, None, year, (source,), reliability, note or "")
        for inside in (own,) if measure == "kg" else contents(part, bills):
            made = Content(
                good=inside.good,
                kg=amount * inside.kg,
                low=_end(low, inside.low, amount, inside.kg, operator.mul),
                high=_end(high, inside.high, amount, inside.kg, operator.mul),
                year=max(year or "", inside.year or ""),
                sources=tuple(dict.fromkeys((*inside.sources, source))),
                reliability=max(reliability, inside.reliability),
                note=_said(inside.note, note or ""),
            )
            found[inside.good] = made if inside.good not in found else _joined(found[inside.good], made)
    return tuple(found.values())


def _joined(one: Content, other: Content) -> Content:
    """The same good in two parts of a product."""
    return Content(
        good=one.good,
        kg=one.kg + other.kg,
        low=_end(one.low, other.low, one.kg, other.kg, operator.add),
        high=_end(one.high, other.high, one.kg, other.kg, operator.add),
        year=max(one.year, other.year),
        sources=tuple(dict.fromkeys((*one.sources, *other.sources))),
        reliability=max(one.reliability, other.reliability),
        note=_said(one.note, other.note),
    )


def _end(
    mine: float | None, theirs: float | None, my: float, their: float, join: Callable[[float, float], float]
) -> float | None:
    """An end of a range made of two, the middle standing for one that has none; none where neither has."""
    if mine is None and theirs is None:
        return None
    return join(my if mine is None else mine, their if theirs is None else theirs)


def _said(*notes: str) -> str:
    return "; ".join(dict.fromkeys(note for note in notes if note))
