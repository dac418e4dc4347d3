"""What do a user's files say of output and prices, as the plan reads the publishers' series?

Levels of processes out of tables of output, prices of goods out of series of prices. Putting them in is `world.own_data`'s.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import polars as pl

from friendshore.errors import InputRefused, Problem
from friendshore.world import flows, own_figures, sectors
from friendshore.world.imports.rows import ASTRAY, Import
from friendshore.world.output import Figure
from friendshore.world.own_trade import source_id, taken
from friendshore.world.sectors import Row
from friendshore.world.tables import World

SAME = 1e-6  # of a figure: nearer than this to the shipped one, it is that one


def levels_of(world: World, imports: Sequence[Import], place: Mapping[str, str]) -> dict[tuple[str, str], Figure]:
    """Levels of processes by country out of the files' tables of output, as the plan reads the publisher's series.

    A figure that the world rests on already is none of them: it was weighed against the others when the world was built.

    Raises
    ------
    InputRefused   a series in another unit than it says: its makers' output is `ASTRAY` times what the world has, or less
    """
    made = world.activities.filter(pl.col("id").is_in(world.recipes["activity"].implode()))
    runs, own = set(made["process"]), set(world.countries["code"])
    rests_on = reported(world)
    by_hand = {(row["process"], row["country"]): float(row["level_t"]) for row in sectors.rows("levels")}
    found: dict[tuple[str, str], Figure] = {}
    problems: list[Problem] = []
    for one in imports:
        for row in sectors.rows("production"):
            if row["publisher"] != "usgs" or row["process"] not in runs:
                continue
            scale = float(row["scale"]) / plan_unit(float(row["scale"]))
            less = row["less"].split(flows.ADDED) if row["less"] else []
            total: dict[str, float] = defaultdict(float)
            for country, tonnes in series(one, row).select("country", "amount").iter_rows():
                if place[country] in own:
                    total[place[country]] += tonnes * scale
            problems += _off_by_units(one, row, total, rests_on)
            for country, tonnes in total.items():
                key = row["process"], country
                left = tonnes - sum(by_hand.get((process, country), 0.0) for process in less)
                if left <= 0.0 or key in by_hand or abs(left - rests_on.get(key, 0.0)) <= SAME * left:
                    continue
                found[key] = Figure(left, source_id(one), "+".join(taken(one)), "A", row["note"])
    if problems:
        raise InputRefused(problems)
    return found


def _off_by_units(
    one: Import, row: Row, told: Mapping[str, float], rests_on: Mapping[tuple[str, str], float]
) -> list[Problem]:
    """A series whose makers together are far from what the world has of them: kilograms, tonnes and kilotonnes mixed up."""
    both = [country for country in told if told[country] > 0.0 and rests_on.get((row["process"], country), 0.0) > 0.0]
    now, was = (sum(t[c] for c in both) for t in (told, {c: rests_on[row["process"], c] for c in both}))
    if not both or 1.0 / ASTRAY < now / was < ASTRAY:
        return []
    series = ", ".join(filter(None, (row["commodity"], row["detail"])))
    message = f"{series}: {now:,.4g} t in {', '.join(both[:4])}, where the world has {was:,.4g} t"
    hint = "its column of units looks wrong by a thousand: kilograms, metric tons or thousand metric tons"
    return [Problem("wrong-unit", message, None, one.file, hint)]


def reported(world: World) -> dict[tuple[str, str], float]:
    """What the publishers reported for each level before the world was balanced, by process and country."""
    rows = world.adjustments.filter(pl.col("table") == "activities").select("rule", "country", "before_t").iter_rows()
    return {(rule.removeprefix("level of ").split(":")[0], country): before for rule, country, before in rows}


def series(one: Import, row: Row) -> pl.DataFrame:
    """The file's rows of a series of the plan; a detail may go on behind a comma ('Mine production, cobalt content')."""
    detail, commodity = pl.col("detail").str.to_lowercase(), row["commodity"].casefold()
    named = (detail == row["detail"].casefold()) | detail.str.starts_with(row["detail"].casefold() + ",")
    return one.table.filter((pl.col("commodity").str.to_lowercase() == commodity) & named)


def plan_unit(scale: float) -> float:
    """The unit, in tonnes, that a series' factor stands on: the smallest of kg, t and kt that is not below it."""
    return next((unit for unit in (1e-3, 1.0, 1e3) if scale <= unit * (1.0 + 1e-9)), 1e3)


def goods_of(world: World, levels: Mapping[tuple[str, str], Figure]) -> set[str]:
    """The goods that processes with levels of the files make or use."""
    processes = {process for process, _ in levels}
    ids = world.activities.filter(pl.col("process").is_in(sorted(processes)))["id"].to_list()
    return set(world.recipes.filter(pl.col("activity").is_in(ids))["good"])


def prices_of(world: World, imports: Sequence[Import]) -> list[own_figures.Own]:
    """Prices of goods that the plan reads out of a series (`plan/*/pink_sheet.csv`), in USD per contained tonne.

    A good without a series of its own (`like`) moves in the proportion of the good that has one.
    """
    out: dict[str, own_figures.Own] = {}
    held = dict(world.goods.select("id", "price_outside_usd_t").iter_rows())
    for one in imports:
        series = {row["series"].casefold(): row for row in one.table.iter_rows(named=True)}
        for row in sectors.rows("pink_sheet"):
            told, good, like = series.get(row["series"].casefold()), row["good"], row["like"]
            if told is None or good not in held or (like and like not in out):
                continue
            price = held[good] * out[like].value / held[like] if like else told["amount"] * float(row["factor"])
            note = f"{row['series']}, mean of {told['months']} months; {row['note']}"
            source = source_id(one).removeprefix("own.")
            out[good] = own_figures.Own(
                "price", {"good": good}, (), price, source, told["year"], row["reliability"], note, one.file
            )
    return list(out.values())
