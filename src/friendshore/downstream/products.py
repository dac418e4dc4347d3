"""What the minerals in a product cost, by country: a motor, a battery cell and pack, a car, a turbine, a radar, an aircraft.

    cost_j = sum over parts of kg / 1000 x price of the good in j,  a part that is a product counting with its own parts

The price is what buyers there pay on average, delivered, USD per contained tonne. Minerals alone are counted: labour,
energy and other materials are not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import polars as pl

from friendshore.downstream.tables import shipped_bills

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
    there takes any has no price: it is named under `missing`, and the product has no cost there
    """
    bills = shipped_bills() if bills is None else bills
    prices = [
        {place: _paid(outcome, frozenset(inside)) for place, inside in places.items()} for outcome in (before, after)
    ]
    rows = []
    heads = bills.select("product", "unit", "area", "industry").unique(
        subset="product", keep="first", maintain_order=True
    )
    for product, unit, area, industry in heads.iter_rows():
        contents = content(product, bills)
        for place in places:
            old, new = (each[place] for each in prices)
            missing = sorted(good for good in contents if good not in old or good not in new)
            cost = (
                [sum(kg / KG * paid[good] for good, kg in contents.items()) for paid in (old, new)]
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


def _paid(outcome: Outcome, inside: frozenset[str]) -> dict[str, float]:
    """Good -> what buyers inside pay for a tonne on average, delivered."""
    taken = outcome.flows.filter(pl.col("importer").is_in(inside) & (pl.col("t") > 0))
    mean = taken.group_by("good").agg(usd_t=(pl.col("t") * pl.col("delivered_usd_t")).sum() / pl.col("t").sum())
    return dict(mean.sort("good").iter_rows())
