"""The few figures that everyone asks of an outcome: who stands where, in USD a year, and on whom supply hangs.

`position` reads one outcome, so that the difference of two positions is what an agreement does. Which positions are set
against one another, and what is made of the difference, is left to those who compare, rank and share out.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import polars as pl

from friendshore.agreement import schedule
from friendshore.agreement.objective import MEASURES
from friendshore.mean_price import price_paid

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from friendshore.agreement.document import Agreement
    from friendshore.outcome import Outcome
    from friendshore.world.tables import World

STAGE_GROUP = {
    "ore": "miners",
    "intermediate": "refiners",
    "refined": "refiners",
    "product": "makers of products",
    "scrap": "recyclers",
}
TREASURY = ("duty", "levy", "export_tax", "contract", "subsidy", "base_support", "public_investment")
MAKERS = ("producers", "investment")  # what makers earn, and what their new plants cost them
RENTS = ("quota_rent", "corridor_rent", "trq_rent", "undertaking_rent")
STORES = {"reserve": "public reserves", "offtake": "offtake contracts"}  # whatever else is kept is stock
CODE = 3  # letters of a country's code; whoever has more is a firm


@dataclass(frozen=True)
class Places:
    """Whose accounts are counted where.

    Parameters
    ----------
    parties : countries bound by the agreement
    budgets : common budgets of customs unions whose members are parties
    union : country -> its customs union, where it is in one
    stage : good -> its stage
    """

    parties: frozenset[str]
    budgets: frozenset[str]
    union: Mapping[str, str] = field(default_factory=dict)
    stage: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def inside(self) -> frozenset[str]:
        """Every account of the parties."""
        return self.parties | self.budgets


def places(world: World, parties: frozenset[str]) -> Places:
    """The places of a world, seen from the parties."""
    home = dict(world.countries.select("code", "territory").iter_rows())
    held = {home[code] for code in parties if code in home}
    return Places(
        parties=parties,
        budgets=frozenset(b for t, b in world.territories.select("code", "budget").iter_rows() if t in held and b),
        union={code: territory for code, territory in home.items() if code != territory},
        stage=dict(zip(world.goods["id"], world.goods["stage"].fill_null(""), strict=True)),
    )


def bound(deal: Agreement, world: World, as_of: date) -> frozenset[str]:
    """The countries of `world` that an agreement binds on a day."""
    return schedule.setting(deal, world, as_of).insiders() & set(world.countries["code"])


def group_of(country: str, item: str, good: str, at: Places) -> str:
    """The group that an account line belongs to: users, miners, refiners ..., and on which side of the border.

    The common budget of a customs union whose members are parties is inside.
    """
    if item == "base_support" and len(country) > CODE:
        return "parent firms"
    if item == "users":
        name = "final users"
    elif item in MAKERS:
        name = STAGE_GROUP.get(at.stage.get(good, ""), "hosts of by-products")
    elif item in TREASURY:
        name = "treasuries"
    elif item in RENTS:
        name = "licence and rent owners"
    else:
        name = STORES.get(item, "stocks")
    return f"{name}, {'parties' if country in at.inside else 'outside'}"


def position(outcome: Outcome, at: Places) -> dict[str, float]:
    """Where everyone stands in an outcome: the headline measures, then every group and every country, by name.

    Money in USD a year against the base year, so that the difference of two positions is in USD a year. Keys are the
    names of `agreement.objective.MEASURES`; `group.<name>`; `gain.<code>`, a customs union under its own code and its
    members under theirs.
    """
    found = dict.fromkeys((name for name, measure in MEASURES.items() if measure.additive and not measure.of), 0.0)
    groups: dict[str, float] = {}
    gains: dict[str, float] = {}
    for country, item, good, usd in outcome.by_good.iter_rows():
        inside = country in at.inside
        found["gain_of_parties"] += usd if inside else 0.0
        found["gain_of_firms" if len(country) > CODE else "gain_of_outsiders"] += 0.0 if inside else usd
        found["gain_of_world"] += usd
        found["levy_revenue"] += usd if item == "levy" else 0.0
        if item in RENTS:
            found["rents_outside" if not inside else "rents_of_parties"] += usd
        if inside:
            found["gain_of_users"] += usd if item == "users" else 0.0
            found["gain_of_producers"] += usd if item in MAKERS else 0.0
            found["gain_of_treasuries"] += usd if item in TREASURY else 0.0
        group = group_of(country, item, good, at)
        groups[group] = groups.get(group, 0.0) + usd
        gains[country] = gains.get(country, 0.0) + usd
        if (union := at.union.get(country)) is not None:
            gains[union] = gains.get(union, 0.0) + usd
    found["cost_to_parties"] = -found["gain_of_parties"]
    found["unserved"] = float(outcome.use["unserved_t"].sum())
    named = {f"group.{name}": usd for name, usd in groups.items()}
    return found | dict(sorted(named.items())) | {f"gain.{code}": usd for code, usd in sorted(gains.items())}


def difference(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    """`after` less `before`, name by name; what one of them does not name counts nought there."""
    return {name: after.get(name, 0.0) - before.get(name, 0.0) for name in {**before, **after}}


def supply(outcome: Outcome, at: Places) -> dict[str, float]:
    """On whom the parties' supply hangs in an outcome, by good.

    `largest_supplier.<good>` the largest outsider's share of what the parties take, in per cent; `import_reliance.<good>` the
    share of all outsiders; `concentration.<good>` the Herfindahl-Hirschman index of its origins, 10,000 where there is one;
    `imports.<good>` tonnes that they buy from outside; `output.<good>` tonnes that they make.
    """
    taken = outcome.flows.filter(pl.col("importer").is_in(at.parties))
    total = dict(taken.group_by("good").agg(pl.col("t").sum()).iter_rows())
    sold: dict[str, dict[str, float]] = {good: {} for good in total}
    for good, exporter, t in taken.group_by("good", "exporter").agg(pl.col("t").sum()).sort("exporter").iter_rows():
        sold[good][exporter] = float(t)
    found: dict[str, float] = {}
    for good in sorted(total):
        share = {code: 100.0 * t / total[good] for code, t in sold[good].items()} if total[good] > 0 else {}
        outside = {code: held for code, held in share.items() if code not in at.parties}
        found[f"largest_supplier.{good}"] = max(outside.values(), default=0.0)
        found[f"import_reliance.{good}"] = sum(outside.values())
        found[f"concentration.{good}"] = sum(held**2 for held in share.values())
        found[f"imports.{good}"] = sum(t for code, t in sold[good].items() if code not in at.parties)
    made = outcome.output.filter(pl.col("country").is_in(at.parties)).group_by("good").agg(pl.col("t").sum())
    found |= {f"output.{good}": float(t) for good, t in made.sort("good").iter_rows()}
    return found


def inside_prices(outcome: Outcome, at: Places) -> dict[str, float]:
    """`price_inside.<good>`: what the parties' buyers pay on average (`price_paid`), USD per tonne of the good's unit."""
    return {f"price_inside.{good}": usd_t for good, usd_t in price_paid(outcome, at.parties).items()}
