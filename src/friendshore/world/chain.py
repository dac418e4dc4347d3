"""Everything that is known of the chains before the fit, on the countries that stand alone.

Levels, recipes, routes by origin and final use, joined good by good; the fit itself is `world.balanced`'s.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from friendshore.world import flows, output, readers, sectors
from friendshore.world.output import Figure
from friendshore.world.places import geography, kept

Array = npt.NDArray[np.float64]

DROPPED_BELOW = 2e-5  # of a good's world output: routes below it are left out before the fit
USE_AT_LEAST = 1e-3  # of what a country processes: smallest final use of a good that has final users


@dataclass(frozen=True)
class Chain:
    """Everything known before the fit, on the kept places."""

    goods: list[str]
    places: list[str]
    levels: dict[tuple[str, str], Figure]
    recipes: dict[tuple[str, str], list[sectors.Row]]
    priors: dict[str, flows.Prior]
    use: dict[tuple[str, str], Figure]
    world: dict[str, float]
    final: dict[str, bool]
    place: dict[str, str]
    distance: Array


def assemble(raw: Path, known: readers.Countries, published: output.Published, trade: flows.Trade) -> Chain:
    """Join the published levels and the trade as declared, good by good in the order of `plan/goods.csv`."""
    goods = [row["id"] for row in sectors.rows("goods")]
    final = {good: good not in {row["good"] for row in sectors.rows("wholly_intermediate")} for good in goods}
    levels = output.levels(published)
    declared = flows.declared(trade)
    hand = {(row["good"], row["country"]): output.figure(row, float(row["use_t"])) for row in sectors.rows("final_use")}
    income = readers.gdp(raw / "raw/worldbank_gdp/gdp_current_usd_2015_latest.csv")
    place = kept(known, goods, levels, declared, hand, trade.totals, income)
    levels = _merge_levels(levels, place)
    places = sorted(set(place.values()))
    recipes = {key: output.recipe(*key) for key in levels}
    distance, gdp = geography(raw, known, places, place)
    index = {code: k for k, code in enumerate(places)}
    priors: dict[str, flows.Prior] = {}
    use: dict[tuple[str, str], Figure] = {}
    world: dict[str, float] = {}
    for good in goods:
        supply, need = np.zeros(len(places)), np.zeros(len(places))
        for (process, country), figure in levels.items():
            for row in recipes[process, country]:
                if row["good"] == good:
                    target = supply if row["role"] == "output" else need
                    target[index[country]] += figure.tonnes * float(row["coefficient"])
        stated = np.array([hand[good, c].tonnes if (good, c) in hand else 0.0 for c in places])
        one = declared.get(good, flows.Declared())
        one.routes = flows.merged(one.routes, place)
        one.by_exporter = _merge_totals(one.by_exporter, place)
        one.by_importer = _merge_totals(one.by_importer, place)
        priors[good] = flows.prior(one, places, supply, need, stated, distance, gdp, final[good])
        world[good] = float(supply.sum())
        if final[good]:
            arriving = priors[good].flows.sum(axis=0)
            for country, k in index.items():
                if (good, country) in hand:
                    use[good, country] = hand[good, country]
                elif arriving[k] > 0.0:
                    rest = max(arriving[k] - need[k], USE_AT_LEAST * need[k])
                    use[good, country] = Figure(
                        rest, "estimate", "2024", "D", "Residual: supply and trade by origin less what is processed"
                    )
    return Chain(goods, places, levels, recipes, priors, use, world, final, place, distance)


def kept_routes(chain: Chain, good: str) -> npt.NDArray[np.bool_]:
    """Routes above the threshold, and each seller's largest route whatever its size; in a wholly intermediate good, own use
    only where the country processes or stocks it."""
    prior = chain.priors[good].flows
    keep = prior > DROPPED_BELOW * chain.world[good]
    for i in range(len(chain.places)):
        if prior[i].sum() > 0.0 and not keep[i].any():
            keep[i, int(np.argmax(prior[i]))] = True
    return keep


def _merge_levels(levels: Mapping[tuple[str, str], Figure], place: Mapping[str, str]) -> dict[tuple[str, str], Figure]:
    out: dict[tuple[str, str], Figure] = {}
    bounded = {row["activity"].split("@")[1] for row in sectors.rows("recoveries")}
    for (process, country), figure in levels.items():
        if process in output.hosts() and country not in bounded:
            continue
        key = process, place[country]
        before = out.get(key)
        out[key] = (
            figure
            if before is None
            else Figure(before.tonnes + figure.tonnes, figure.source, figure.year, "C", figure.note)
        )
    used = {(row["host"].split("@")[0], row["host"].split("@")[1]) for row in sectors.rows("recoveries")}
    return {key: figure for key, figure in out.items() if key[0] not in output.hosts() or key in used}


def _merge_totals(totals: Mapping[str, float], place: Mapping[str, str]) -> dict[str, float]:
    out: dict[str, float] = defaultdict(float)
    for code, tonnes in totals.items():
        out[place.get(code, code)] += tonnes
    return dict(out)


def dropped(chain: Chain) -> dict[str, float]:
    """Tonnes of the routes that were left out before the fit, by good."""
    return {g: float(np.where(kept_routes(chain, g), 0.0, chain.priors[g].flows).sum()) for g in chain.goods}
