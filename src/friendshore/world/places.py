"""Which countries stand alone, which are merged into their region, and how far apart are they?

A country stands alone where it has a thousandth of some good's output, trade or use, and always as a member of the EU; the
others make up five regional remainders. Where more countries pass than a world may hold, the largest stand alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from itertools import product
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from friendshore.world import flows, output, readers
from friendshore.world.output import Figure

Array = npt.NDArray[np.float64]

KEPT_FROM = 0.001  # of a good's world output, trade or use: countries above it stand alone
PLACES_MAX = 120
UNLISTED_KM = 9000.0  # about the mean distance between two countries
EU = (
    "AUT", "BEL", "BGR", "CYP", "CZE", "DEU", "DNK", "ESP", "EST", "FIN", "FRA", "GRC", "HRV", "HUN", "IRL", "ITA", "LTU",
    "LUX", "LVA", "MLT", "NLD", "POL", "PRT", "ROU", "SVK", "SVN", "SWE",
)  # fmt: skip
REGIONS = {
    "XAF": "Rest of Africa", "XAM": "Rest of the Americas", "XAS": "Rest of Asia", "XEU": "Rest of Europe", "XOC": "Rest of Oceania",
}  # fmt: skip


def kept(
    known: readers.Countries,
    goods: list[str],
    levels: Mapping[tuple[str, str], Figure],
    declared: Mapping[str, flows.Declared],
    hand: Mapping[tuple[str, str], Figure],
    presence: readers.Reading,
    income: Mapping[str, float],
) -> dict[str, str]:
    """Country -> itself where it has a thousandth of some good's output, trade or use (EU members always), else its remainder.

    Of more than `PLACES_MAX` places those with the largest such share stand alone.
    """
    weight: dict[str, float] = dict.fromkeys(EU, 1.0)
    totals: dict[tuple[str, str], float] = defaultdict(float)
    for (process, country), figure in levels.items():
        for row in output.recipe(process, country):
            if row["role"] == "output":
                totals[row["good"], country] += figure.tonnes * float(row["coefficient"])
        if process in output.hosts():
            weight[country] = max(
                weight.get(country, 0.0), 1.0 if any(c == country and p.endswith("recover") for p, c in levels) else 0.0
            )
    _weigh(weight, totals)
    for good in goods:
        one = declared.get(good)
        if one is None:
            continue
        out: dict[tuple[str, str], float] = defaultdict(float)
        into: dict[tuple[str, str], float] = defaultdict(float)
        for (exporter, importer), figure in one.routes.items():
            out[good, exporter] += figure.tonnes
            into[good, importer] += figure.tonnes
        for code, tonnes in one.by_exporter.items():
            out[good, code] += tonnes
        unlisted = {c: v for c, v in income.items() if c in known.by_code and c not in one.by_importer}
        for code, tonnes in one.by_importer.items():
            if code != "rest":
                into[good, code] += tonnes
        for code, dollars in unlisted.items():  # the rest of the importers is spread by GDP
            into[good, code] += one.by_importer.get("rest", 0.0) * dollars / sum(unlisted.values())
        for side in (out, into):
            _weigh(weight, side)
    _weigh(weight, {key: figure.tonnes for key, figure in hand.items()})
    for flow in ("M", "X") if presence.table.height else ():  # no sector in force asks for a code
        rows = presence.table.filter(pl.col("flow") == flow)
        _weigh(weight, {(hs6, c): usd for hs6, c, usd in rows.select("hs6", "country", "amount").iter_rows()})
    codes = set(known.region) | set(weight)
    large = sorted(
        (c for c, w in weight.items() if w >= KEPT_FROM and c in known.by_code), key=lambda c: (-weight[c], c)
    )
    kept = set(large[: PLACES_MAX - len(REGIONS)])
    return {c: c if c in kept else known.region.get(c, c) for c in sorted(codes) if c in known.by_code or c in REGIONS}


def _weigh(weight: dict[str, float], totals: Mapping[tuple[str, str], float]) -> None:
    """Raise each country's weight to its largest share of any good in `totals`."""
    by_good: dict[str, float] = defaultdict(float)
    for (good, _), tonnes in totals.items():
        by_good[good] += tonnes
    for (good, country), tonnes in totals.items():
        if tonnes > 0.0:
            weight[country] = max(weight.get(country, 0.0), tonnes / by_good[good])


def geography(raw: Path, known: readers.Countries, places: list[str], place: Mapping[str, str]) -> tuple[Array, Array]:
    """Distances (km) and GDP (USD) between places; a remainder is the mean (the sum) of its countries.

    A place that CEPII does not list stands at `UNLISTED_KM` from all others.
    """
    km = readers.distances(raw / "raw/cepii_geodist/dist_cepii_subset.csv")
    income = readers.gdp(raw / "raw/worldbank_gdp/gdp_current_usd_2015_latest.csv")
    members: dict[str, list[str]] = defaultdict(list)
    for code, where in sorted(place.items()):
        members[where].append(code)
    distance = np.full((len(places), len(places)), UNLISTED_KM)
    for i, p in enumerate(places):
        for j, q in enumerate(places):
            between = [km[pair] for pair in product(members[p], members[q]) if pair in km]
            if between:
                distance[i, j] = float(np.mean(between))
    gdp = np.array([sum(income.get(c, 0.0) for c, w in place.items() if w == p) for p in places])
    return distance, np.maximum(gdp, 1.0)
