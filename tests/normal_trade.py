"""Trade with nothing to ask about: the base year's flows as shipments, with the scatter of prices, grades and months that trade has."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl

from friendshore.border.signals.known import Known
from friendshore.world.tables import World

CONTAINER_T = 20.0


def lanes(world: World) -> pl.DataFrame:
    """International flows of goods that countries, not remainders, sell and buy; with the price at the seller's gate."""
    rest = world.countries.filter(pl.col("remainder"))["code"].to_list()
    goods = world.goods.select(good="id", hs=pl.col("hs6").str.split("+").list.first())
    outside = (
        ~pl.col("exporter").is_in(rest) & ~pl.col("importer").is_in(rest) & (pl.col("exporter") != pl.col("importer"))
    )
    prices = world.prices.select("good", exporter="country", price="price_usd_t")
    return (
        world.routes.filter(outside, pl.col("flow_t") > 1.0)
        .select("good", "exporter", "importer", "flow_t")
        .join(goods, on="good")
        .join(prices, on=["good", "exporter"])
        .sort("good", "exporter", "importer")
    )


def entries(world: World, known: Known, number: int, seed: int) -> pl.DataFrame:
    """So many lines of the base year: prices within a tenth of the gate's, one standard deviation; assays in the known range."""
    dice = np.random.default_rng(seed)
    held = lanes(world).join(known.grades, on="good").join(_substance(world), on="good")
    weight = np.sqrt(held["flow_t"].to_numpy())
    chosen = np.sort(dice.choice(held.height, size=number, p=weight / weight.sum()))
    rows = held[chosen.tolist()]
    count = np.bincount(chosen, minlength=held.height)[chosen]
    part = dice.gamma(4.0, 0.25, number)
    tonnes = np.maximum(rows["flow_t"].to_numpy() / count * part / 1.3, 0.001)
    low, high = rows["low"].to_numpy(), np.minimum(rows["high"].to_numpy(), 1.0)
    pure = low + (high - low) * dice.beta(4.0, 2.0, number)
    price = rows["price"].to_numpy() * np.exp(dice.normal(0.0, 0.1, number))
    days = dice.integers(0, 366, number)
    net_kg = np.maximum(np.round(tonnes / pure * 1000, 3), 0.001)
    return pl.DataFrame(
        {
            "line_id": [f"N{k:07d}" for k in range(number)],
            "date": [date(2024, 1, 1) + timedelta(days=int(day)) for day in days],
            "importer": rows["importer"], "origin": rows["exporter"], "hs": rows["hs"] + "00",
            "net_mass_kg": pl.Series(net_kg).cast(pl.Decimal(18, 3)),
            "price": pl.Series(np.maximum(np.round(net_kg / 1000 * pure * price, 2), 0.01)).cast(pl.Decimal(18, 2)),
            "currency": ["USD"] * number, "delivery": ["FOB"] * number, "good": rows["good"],
            "assay": pl.Series(np.minimum(np.round(pure / rows["content"].to_numpy(), 6), 1.0)).cast(pl.Decimal(9, 6)),
            "assay_of": rows["substance"], "exporter": rows["exporter"],
        }
    ).sort("date", "line_id")  # fmt: skip


def months(world: World, known: Known, years: tuple[int, ...], seed: int) -> pl.DataFrame:
    """The base year's lanes month by month, in containers, as both ends report them: a tenth apart, one standard deviation."""
    dice = np.random.default_rng(seed)
    held = lanes(world).join(known.grades, on="good")
    frames = []
    for month in [date(year, month, 1) for year in years for month in range(1, 13)]:
        gross = held["flow_t"].to_numpy() / 12 / held["low"].to_numpy()
        ships = dice.poisson(np.maximum(gross / CONTAINER_T, 0.0))
        came = np.where(gross > 50 * CONTAINER_T, gross * dice.gamma(16.0, 1 / 16.0, held.height), ships * CONTAINER_T)
        for side, noise in (("import", 0.0), ("export", 0.1)):
            told = came * np.exp(dice.normal(0.0, noise, held.height)) if noise else came
            frames.append(
                held.select(
                    month=pl.lit(month.isoformat()[:7]),
                    reporter="importer" if side == "import" else "exporter",
                    flow=pl.lit(side),
                    partner="exporter" if side == "import" else "importer",
                    good="good",
                    net_mass_kg=pl.Series(np.round(told * 1000, 0)),
                    value_usd=pl.Series(np.round(told * held["low"].to_numpy() * held["price"].to_numpy() * 1.1, 0)),
                )
            )
    return pl.concat(frames).filter(pl.col("net_mass_kg") > 0)


def _substance(world: World) -> pl.DataFrame:
    """One substance that each good is assayed for: that of the highest content up to one."""
    held = world.substances.filter(pl.col("content") <= 1.0).sort("good", "content", "substance")
    return held.group_by("good", maintain_order=True).agg(pl.col("substance").last(), pl.col("content").last())
