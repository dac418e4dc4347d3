"""What does a good cost on average, and how is the average weighted?

A change of a mean price is a change of price alone only where the weights stand still: `price_paid` and `price_received`
weigh every country by what it took or made in the base year, in every outcome. `unit_value` is what was spent over what
was taken; it moves with what is taken where, and from whom, too. Everyone who prints a mean price takes it from here.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

    from friendshore.outcome import Outcome


def price_paid(outcome: Outcome, buyers: Iterable[str]) -> dict[str, float]:
    """Good -> what some buyers pay on average at their gate, duty and levy included, USD per tonne of the good's unit.

    mean = sum_j b_j V_j / sum_j b_j,      V_j cost index of buyer j, b_j tonnes that j took in the base year

    In the base year it is the unit value, for there V_j is what j spends over what j takes. In any other outcome it differs
    from that year's for the prices alone, whatever the date, the agreement or the elasticities. A good that none of the
    buyers took in the base year has no price.
    """
    return weighted_mean(bought(outcome), buyers)


def price_received(outcome: Outcome, makers: Iterable[str]) -> dict[str, float]:
    """Good -> what some makers receive on average at their gate, USD per tonne, weighted by output of the base year.

    A good that none of them made in the base year has no price.
    """
    made = outcome.output.select("good", "country", weight_t="base_t")
    asked = outcome.prices.select("good", "country", "usd_t")
    return weighted_mean(asked.join(made, on=["good", "country"], maintain_order="left"), makers)


def unit_value(outcome: Outcome, buyers: Iterable[str]) -> dict[str, float]:
    """Good -> what some buyers spend on it over the tonnes they take in this very outcome, USD per tonne, from all sources.

    No measure of a change of price: where the dearest buyer stops buying, or a cheap source sells more, it falls though no
    price does. It is what can be taken apart by source.
    """
    routes = outcome.flows.select("good", country="importer", usd_t="delivered_usd_t", weight_t="t")
    return weighted_mean(routes, buyers)


def bought(outcome: Outcome) -> pl.DataFrame:
    """Cost index of every buyer and the tonnes of the base year that it counts by: good, country, usd_t, weight_t."""
    import polars as pl

    taken = outcome.flows.group_by("good", country="importer").agg(weight_t=pl.col("base_t").sum())
    return (
        outcome.indices.select("good", "country", "usd_t").join(taken, on=["good", "country"]).sort("good", "country")
    )


def weighted_mean(priced: pl.DataFrame, countries: Iterable[str]) -> dict[str, float]:
    """Good -> mean of `usd_t` over some countries, weighted by `weight_t`; goods of no weight are left out."""
    import polars as pl

    held = priced.filter(pl.col("country").is_in(sorted(set(countries))) & (pl.col("weight_t") > 0))
    mean = (pl.col("weight_t") * pl.col("usd_t")).sum() / pl.col("weight_t").sum()
    return dict(held.sort("good", maintain_order=True).group_by("good", maintain_order=True).agg(mean).iter_rows())
