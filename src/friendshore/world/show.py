"""What does a mineral's chain look like, and where does each figure come from?

`show` lists a chain stage by stage (activities, routes, final use, stock changes), largest first, each row with tonnes,
share, source, year, reliability and note. Printing is the command line's.
"""

from __future__ import annotations

import polars as pl

from friendshore.errors import InputRefused, did_you_mean
from friendshore.world.tables import World

STAGES = ("ore", "intermediate", "refined", "product")
FEW = 3


def minerals(world: World) -> list[str]:
    """The minerals of the world, in the order of its goods."""
    return list(dict.fromkeys(world.goods["mineral"].to_list()))


def show(world: World, mineral: str) -> list[dict[str, object]]:
    """A mineral's chain as rows: stage, good, what, where, partner, tonnes, percent of world output, provenance.

    Parameters
    ----------
    mineral : as `minerals` lists it, or as ids write it ('rare earths', 'rare_earths'); a good's id shows that good alone

    Raises
    ------
    InputRefused   no such mineral, with the nearest one
    """
    spoken = mineral.casefold().replace("_", " ").replace("-", " ")
    named = pl.col("mineral").str.to_lowercase().str.replace_all("_", " ").str.replace_all("-", " ") == spoken
    goods = world.goods.filter(named | (pl.col("id") == mineral))
    if goods.is_empty():
        hint = _meant(world, mineral, spoken) or f"The world has: {', '.join(minerals(world))}"
        raise InputRefused.because("unknown-mineral", f"no mineral is called '{mineral}'", hint=hint)
    order = {stage: k for k, stage in enumerate(STAGES)}
    rows: list[dict[str, object]] = []
    for good in sorted(goods.iter_rows(named=True), key=lambda g: order.get(g["stage"], len(order))):
        rows.extend(_good(world, good["id"], good["stage"]))
    return rows


def _meant(world: World, mineral: str, spoken: str) -> str:
    """The goods whose names hold the word, where they are few; else the nearest mineral or id."""
    held = world.goods.filter(pl.col("name").str.to_lowercase().str.contains(spoken, literal=True))["id"].to_list()
    if spoken and 1 <= len(held) <= FEW:
        return f"did you mean {' or '.join(repr(good) for good in held)}?"
    return did_you_mean(mineral, [*minerals(world), *world.goods["id"]])


def _good(world: World, good: str, stage: str) -> list[dict[str, object]]:
    made = (
        world.recipes.filter((pl.col("good") == good) & (pl.col("role") == "output"))
        .select("activity", "coefficient")
        .join(world.activities, left_on="activity", right_on="id")
        .with_columns((pl.col("level_t") * pl.col("coefficient")).alias("tonnes"))
    )
    world_t = float(made["tonnes"].sum())
    parts = (
        ("output", made.select(what="process", where="country", partner=pl.lit(""), **_provenance("tonnes"))),
        ("route", _routes(world, good)),
        ("final use", world.final_use.filter(pl.col("good") == good).select(what=pl.lit(""), where="country", partner=pl.lit(""), **_provenance("use_t"))),
        ("stock change", world.stocks.filter(pl.col("good") == good).select(what=pl.lit(""), where="country", partner=pl.lit(""), **_provenance("change_t"))),
    )  # fmt: skip
    rows: list[dict[str, object]] = []
    for kind, table in parts:
        for row in table.sort([pl.col("tonnes").abs(), "where", "partner"], descending=[True, False, False]).iter_rows(
            named=True
        ):
            share = 100.0 * row["tonnes"] / world_t if world_t else None
            rows.append({"stage": stage, "good": good, "kind": kind, **row, "percent": share})
    return rows


def _routes(world: World, good: str) -> pl.DataFrame:
    rows = world.routes.filter(
        (pl.col("good") == good) & (pl.col("exporter") != pl.col("importer")) & ~pl.col("latent")
    )
    return rows.select(what=pl.lit(""), where="exporter", partner="importer", **_provenance("flow_t"))


def _provenance(tonnes: str) -> dict[str, pl.Expr]:
    return {"tonnes": pl.col(tonnes)} | {name: pl.col(name) for name in ("source", "year", "reliability", "note")}
