"""The supply risk of a good as the European Commission counts it, on a cleared outcome, and what is recycled at home.

    SR = (HHI_GS IR / 2 + HHI_EU (1 - IR / 2)) (1 - EOL) SI,      HHI = sum over countries of S^2 WGI t

S a country's share of the world's output (GS) or of what the buyers take (EU), WGI governance from 0 (best) to 10, t the
terms of trade of the country for the good, IR net imports over use, EOL recycling, SI substitution. Source: European
Commission (2017), methodology for the list of critical raw materials.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from friendshore.world.dependence import SECONDARY

if TYPE_CHECKING:
    from friendshore.outcome import Outcome
    from friendshore.world.tables import World

HERE = Path(__file__).parent
MEMBER_T = 0.8  # terms of trade with a country of one's own union
STAGES = {
    "ore": "ore",
    "intermediate": "refined",
    "refined": "refined",
}  # stage of a good -> stage that the terms are published for
SCHEMA = {
    "good": pl.String, "stage": pl.String, "risk": pl.Float64, "world_hhi": pl.Float64, "sourcing_hhi": pl.Float64,
    "import_reliance": pl.Float64, "recycled": pl.Float64, "unrated": pl.Float64,
}  # fmt: skip


@dataclass(frozen=True)
class Terms:
    """Governance by country, 0 (best) to 10, and terms of trade by mineral, stage and country where they are not one."""

    governance: Mapping[str, float]
    trade: Mapping[tuple[str, str, str], float]


@cache
def terms() -> Terms:
    """The figures that ship: governance of 2022, trade terms of 2016-2020."""
    text, number = pl.String, pl.Float64
    rated = pl.read_csv(
        HERE / "governance.csv",
        schema={"country": text, "mean": number, "year": text, "source": text, "reliability": text},
    )
    names = ("mineral", "stage", "country", "t", "year", "source", "reliability")
    traded = pl.read_csv(HERE / "trade_terms.csv", schema={name: number if name == "t" else text for name in names})
    return Terms(
        {country: 2.0 * (2.5 - mean) for country, mean in rated.select("country", "mean").iter_rows()},
        {(m, s, c): t for m, s, c, t in traded.select("mineral", "stage", "country", "t").iter_rows()},
    )


def supply_risk(world: World, outcome: Outcome, members: frozenset[str], given: Terms | None = None) -> pl.DataFrame:
    """Supply risk of every good that is mined or processed, seen from a union.

    Parameters
    ----------
    world : stages, minerals, recipes
    outcome : output and flows of a cleared scenario
    members : countries of the union
    given : governance and terms of trade; those that ship if None

    Returns
    -------
    good, stage, risk, world_hhi, sourcing_hhi, import_reliance (0-1), recycled (0-1), unrated (0-1): the part of the world's
    output of countries that no publisher rates; they count as the mean of the rated ones. Recycling is the union's own
    secondary output over its use, new scrap included; substitution counts as none (SI = 1), so that the risk is an upper
    bound. A good that the union neither makes nor takes has no row.
    """
    given = given or terms()
    scrap = recycled(world, outcome, members)
    made = _by(outcome.output, "country")
    taken = _by(outcome.flows.filter(pl.col("importer").is_in(members)), "exporter")
    sent = _sums(
        outcome.flows.filter(pl.col("exporter").is_in(members) & ~pl.col("importer").is_in(members)).group_by("good")
    )
    rows = []
    for good, mineral, stage in world.goods.select("id", "mineral", "stage").sort("id").iter_rows():
        if (
            stage not in STAGES
            or not sum(taken.get(good, {}).values()) > 0.0
            or not sum(made.get(good, {}).values()) > 0.0
        ):
            continue
        own = sum(t for country, t in made[good].items() if country in members)
        bought = sum(t for country, t in taken[good].items() if country not in members) - sent.get(good, 0.0)
        reliance = min(1.0, max(0.0, bought / (own + bought))) if own + bought > 0.0 else 0.0
        key = (mineral, STAGES[stage])
        wide, unrated = _hhi(made[good], key, members, given)
        narrow, _ = _hhi(taken[good], key, members, given)
        back = scrap.get(good, 0.0)
        risk = (wide * reliance / 2.0 + narrow * (1.0 - reliance / 2.0)) * (1.0 - back)
        rows.append((good, stage, risk, wide, narrow, reliance, back, unrated))
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def recycled(world: World, outcome: Outcome, members: frozenset[str]) -> dict[str, float]:
    """Good -> what the union's recycling makes of it over what it takes, no more than one; goods without any have nought."""
    kind = {a: p or "" for a, p in world.activities.select("id", "process").iter_rows()}
    home = dict(world.activities.select("id", "country").iter_rows())
    level = dict(outcome.activities.select("activity", "t").iter_rows())
    made: dict[str, float] = {}
    for activity, good, tonnes in (
        world.recipes.filter(pl.col("role") == "output").select("activity", "good", "coefficient").iter_rows()
    ):
        if home.get(activity) in members and SECONDARY.intersection(kind[activity].replace("_", ".").split(".")):
            made[good] = made.get(good, 0.0) + tonnes * level.get(activity, 0.0)
    taken = _sums(outcome.flows.filter(pl.col("importer").is_in(members)).group_by("good"))
    return {good: min(1.0, made.get(good, 0.0) / t) for good, t in sorted(taken.items()) if t > 0.0}


def _hhi(
    tonnes: Mapping[str, float], key: tuple[str, str], members: frozenset[str], given: Terms
) -> tuple[float, float]:
    """Sum of squared shares, each with its country's governance and terms of trade; and the part that is not rated."""
    whole = sum(tonnes.values())
    rated = {country: t for country, t in tonnes.items() if country in given.governance}
    known = sum(rated.values())
    mean = sum(t * given.governance[country] for country, t in rated.items()) / known if known > 0.0 else 0.0
    found = 0.0
    for country in sorted(tonnes):
        t = MEMBER_T if country in members else given.trade.get((*key, country), 1.0)
        found += (tonnes[country] / whole) ** 2 * given.governance.get(country, mean) * t
    return found, 1.0 - known / whole


def _by(rows: pl.DataFrame, column: str) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    for good, country, t in rows.group_by("good", column).agg(pl.col("t").sum()).sort("good", column).iter_rows():
        found.setdefault(good, {})[country] = float(t)
    return found


def _sums(groups: pl.dataframe.group_by.GroupBy) -> dict[str, float]:
    return {good: float(t) for good, t in groups.agg(pl.col("t").sum()).sort("good").iter_rows()}
