"""Days of cover: what a public reserve holds of a good, in days of its holder's use under the cleared outcome.

Use is all that arrives, plants' feed and final use alike, less what the reserve itself buys. The pace of the year is taken
for the years since the reserve began, as no other year is cleared.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import polars as pl

from friendshore.agreement import schedule
from friendshore.faces import Reserve

if TYPE_CHECKING:
    from friendshore.agreement.document import Agreement
    from friendshore.outcome import Outcome
    from friendshore.world.tables import World

YEAR = 365.0
SCHEMA = {
    "clause": pl.String, "good": pl.String, "holder": pl.String, "bought_t": pl.Float64, "days_a_year": pl.Float64,
    "held_days": pl.Float64, "target_days": pl.Float64,
}  # fmt: skip


def days_of_cover(world: World, deal: Agreement, after: Outcome, as_of: date) -> pl.DataFrame:
    """What each reserve buys in the year and holds on the day.

    Returns
    -------
    clause, good, holder, bought_t (a year, sales negative), days_a_year, held_days, target_days
    """
    left = {each["clause"]: float(each["factor"]) for each in after.settings.get("budgets", ())}
    bought: dict[tuple[str, str], float] = {}
    holders: dict[tuple[str, str], set[str]] = {}
    for wedge in schedule.wedges(deal, world, as_of):
        if isinstance(wedge, Reserve):
            key = (wedge.clause, wedge.good)
            bought[key] = bought.get(key, 0.0) + wedge.tonnes * left.get(wedge.clause, 1.0)
            holders.setdefault(key, set()).add(wedge.country)
    clauses = {clause.id: clause for clause in deal.reserve}
    rows = []
    for (name, good), tonnes in sorted(bought.items()):
        clause = clauses[name]
        arrived = after.flows.filter((pl.col("good") == good) & pl.col("importer").is_in(holders[name, good]))
        used = float(arrived["t"].sum()) - tonnes
        pace = YEAR * tonnes / used if used > 0.0 else float("inf")
        began = clause.enters_into_force or deal.in_force
        years = min(max((as_of - began).days / YEAR, 0.0), float(clause.build_years)) if tonnes > 0.0 else 0.0
        held = float(clause.held_days) + pace * years
        rows.append(
            (name, good, clause.holder, tonnes, pace, min(held, float(clause.target_days)), float(clause.target_days))
        )
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")
