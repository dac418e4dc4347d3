"""What have prices been since the base year? Single quotations with place, day and page, to hold ours against.

They change nothing in the world: a figure of ours that stands far from them is seen to. Table `parameters_observed` of the
plan; what our price in the same place is, `report.observed` asks an outcome.
"""

from __future__ import annotations

from dataclasses import dataclass

from friendshore.world import sectors
from friendshore.world.tables import World

WORLD = "world"  # the place of a quotation that is a mean over all


@dataclass(frozen=True)
class Quotation:
    """A price that was quoted: USD per contained tonne of a good in a country, a customs territory or the world."""

    good: str
    place: str
    date: str
    usd_t: float
    quoted: str
    url: str
    note: str


def quotations(world: World) -> list[Quotation]:
    """The quotations for goods of `world`, by good, place and day."""
    goods = set(world.goods["id"])
    found = [
        Quotation(**{**row, "usd_t": float(row["usd_t"])})  # type: ignore[arg-type]
        for row in sectors.rows("parameters_observed")
        if row["good"] in goods
    ]
    return sorted(found, key=lambda each: (each.good, each.place, each.date))
