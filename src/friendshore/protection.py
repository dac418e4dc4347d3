"""Whom a measure at the border protects: value added by stage, and what passes it by in goods made from the one it is on.

Reads cleared outcomes only. Which measures an agreement has is told by those who ask.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from friendshore.outcome import Outcome
    from friendshore.world.tables import World

BYPASS = {
    "good": pl.String, "direct_before_t": pl.Float64, "direct_after_t": pl.Float64, "inside_before_t": pl.Float64,
    "inside_after_t": pl.Float64, "passed_by": pl.Float64,
}  # fmt: skip


def effective_protection(world: World, parties: frozenset[str], before: Outcome, after: Outcome) -> pl.DataFrame:
    """Effective protection of the parties' own processors, by good: change of value added per tonne over what it was.

    value added = outputs x price - inputs x cost index, both at the country's own prices, weighted by base output.
    """
    stage = dict(zip(world.goods["id"], world.goods["stage"], strict=True))
    country = dict(zip(world.activities["id"], world.activities["country"], strict=True))
    level = dict(zip(world.activities["id"], world.activities["level_t"], strict=True))
    recipes: dict[str, dict[str, list[tuple[str, float]]]] = {}
    for activity, good, role, coefficient in world.recipes.select(
        "activity", "good", "role", "coefficient"
    ).iter_rows():
        recipes.setdefault(activity, {"output": [], "input": []})[role].append((good, coefficient))
    price = [
        {(g, c): v for g, c, v in o.prices.select("good", "country", "usd_t").iter_rows()} for o in (before, after)
    ]
    index = [
        {(g, c): v for g, c, v in o.indices.select("good", "country", "usd_t").iter_rows()} for o in (before, after)
    ]
    sums: dict[str, list[float]] = {}
    for activity in sorted(recipes):
        where = country.get(activity, "")
        outputs = recipes[activity]["output"]
        if where not in parties or not outputs or not level.get(activity):
            continue
        main = max(outputs, key=lambda o: o[1] * price[0].get((o[0], where), 0.0))[0]
        worth = [sum(a * p.get((g, where), 0.0) for g, a in outputs) for p in price]
        cost = [sum(a * v.get((g, where), 0.0) for g, a in recipes[activity]["input"]) for v in index]
        row = sums.setdefault(main, [0.0, 0.0, 0.0, 0.0])
        for i, value in enumerate((*worth, *cost)):
            row[i] += level[activity] * value
    rows = []
    for good, (worth0, worth1, cost0, cost1) in sorted(sums.items()):
        added = worth0 - cost0
        if abs(worth1 / worth0 - 1.0) < 1e-4 and (cost0 == 0 or abs(cost1 / cost0 - 1.0) < 1e-4):
            continue
        rows.append(
            (
                good,
                stage.get(good, ""),
                100.0 * (worth1 / worth0 - 1.0),
                100.0 * (cost1 / cost0 - 1.0) if cost0 > 0 else None,
                100.0 * ((worth1 - cost1) / added - 1.0) if added > 0 else None,
            )
        )
    schema = {
        "good": pl.String,
        "stage": pl.String,
        "price_change_pct": pl.Float64,
        "input_cost_change_pct": pl.Float64,
        "effective_protection_pct": pl.Float64,
    }
    return pl.DataFrame(rows, schema=schema, orient="row")


def bypass(
    world: World, parties: frozenset[str], goods: Iterable[str], before: Outcome, after: Outcome
) -> pl.DataFrame:
    """What of a good comes in from outside by itself and inside goods made from it, before and after a measure.

    Parameters
    ----------
    goods : those on which the measure is

    Returns
    -------
    good, direct_before_t, direct_after_t, inside_before_t, inside_after_t, passed_by      tonnes of the good a year; passed_by
    is the part of the fall of direct imports that comes back inside other goods, null where direct imports do not fall
    """
    parts = _contents(world)
    bought = [
        {
            good: float(t)
            for good, t in outcome.flows.filter(pl.col("importer").is_in(parties) & ~pl.col("exporter").is_in(parties))
            .group_by("good")
            .agg(pl.col("t").sum())
            .iter_rows()
        }
        for outcome in (before, after)
    ]
    covered = sorted(set(goods))
    rows = []
    for good in covered:
        inside = {made: share for made in parts if (share := _content(good, made, parts)) > 0.0 and made != good}
        direct = [each.get(good, 0.0) for each in bought]
        hidden = [sum(share * each.get(made, 0.0) for made, share in inside.items()) for each in bought]
        fall = direct[0] - direct[1]
        passed = (hidden[1] - hidden[0]) / fall if fall > 1e-6 * max(direct[0], 1e-9) else None
        rows.append((good, *direct, *hidden, passed))
    return pl.DataFrame(rows, schema=BYPASS, orient="row")


def _contents(world: World) -> dict[str, dict[str, float]]:
    """Good -> tonnes of each input in a tonne of it, the mean of the plants whose main output it is, by their level."""
    level = {a: t or 0.0 for a, t in world.activities.select("id", "level_t").iter_rows()}
    price = dict(world.goods.select("id", "price_outside_usd_t").iter_rows())
    recipes: dict[str, dict[str, dict[str, float]]] = {}
    for activity, good, role, tonnes in world.recipes.select("activity", "good", "role", "coefficient").iter_rows():
        recipes.setdefault(activity, {"output": {}, "input": {}})[role][good] = tonnes
    sums: dict[str, dict[str, float]] = {}
    made: dict[str, float] = {}
    for activity in sorted(recipes):
        outputs = recipes[activity]["output"]
        if not outputs or not level.get(activity):
            continue
        worth = {good: tonnes * (price.get(good) or 0.0) for good, tonnes in outputs.items()}
        main = max(sorted(worth), key=lambda good: worth[good])
        made[main] = made.get(main, 0.0) + level[activity] * outputs[main]
        held = sums.setdefault(main, {})
        for good, tonnes in recipes[activity]["input"].items():
            held[good] = held.get(good, 0.0) + level[activity] * tonnes
    return {good: {part: t / made[good] for part, t in held.items()} for good, held in sums.items() if made[good] > 0.0}


def _content(good: str, made: str, parts: dict[str, dict[str, float]], above: tuple[str, ...] = ()) -> float:
    """Tonnes of a good in a tonne of another, at whatever remove; a good that is made from itself counts once."""
    if made == good:
        return 1.0
    if made in above:
        return 0.0
    return sum(t * _content(good, part, parts, (*above, made)) for part, t in parts.get(made, {}).items())
