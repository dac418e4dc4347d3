"""The balanced world as rows of its tables: every figure with source, year, reliability and the rule of an estimate.

Tonnes come from `world.balanced`; columns that hold no tonnes are left empty for `world.parameters`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import polars as pl

from friendshore.world import flows, readers, sectors
from friendshore.world.balanced import DIGITS, Key
from friendshore.world.chain import DROPPED_BELOW, Chain
from friendshore.world.output import hosts, main_goods
from friendshore.world.places import EU, REGIONS
from friendshore.world.tables import COLUMNS, empty, table_names

LATENT_FROM = 0.005  # of world output and of world use: makers and users between which a latent route is listed
LATENT_SHARE = 0.01  # of a market, over all makers


def tables_of(
    chain: Chain, values: Mapping[Key, float], known: readers.Countries, raw: Path
) -> dict[str, pl.DataFrame]:
    """Every table that holds tonnes, or says where they come from; the others empty."""
    out = {name: empty(name) for name in table_names()}
    out["goods"] = frame("goods", [dict(row) for row in sectors.rows("goods")])
    out["countries"] = frame("countries", _countries(chain, known, raw))
    out["activities"] = frame("activities", _activities(chain, values))
    ids = set(out["activities"]["id"].to_list())
    out["recipes"] = frame(
        "recipes",
        [
            {"activity": f"{p}@{c}", **{k: row[k] for k in ("good", "role", "source", "year", "reliability", "note")}, "coefficient": float(row["coefficient"])}
            for (p, c), rows in chain.recipes.items() for row in rows if f"{p}@{c}" in ids
        ],
    )  # fmt: skip
    out["recoveries"] = frame(
        "recoveries",
        [
            {**row, "content_recovery": float(row["content_recovery"])}
            for row in sectors.rows("recoveries")
            if row["activity"] in ids
        ],
    )
    out["routes"] = frame("routes", _routes(chain, values))
    out["final_use"] = frame("final_use", _final_use(chain, values))
    out["stocks"] = frame("stocks", _stocks(values))
    out["adjustments"] = frame("adjustments", _adjustments(chain, values))
    out["sources"] = frame("sources", [dict(row) for row in sectors.rows("sources")])
    return out


def frame(name: str, rows: list[dict[str, object]]) -> pl.DataFrame:
    """Rows as a table of the columns that `world.tables` fixes; what a row does not say is null."""
    full = [{column: row.get(column) for column in COLUMNS[name]} for row in rows]
    return pl.DataFrame(full, schema=COLUMNS[name])


def _countries(chain: Chain, known: readers.Countries, raw: Path) -> list[dict[str, object]]:
    place = chain.place
    income = readers.gdp(raw / "raw/worldbank_gdp/gdp_current_usd_2015_latest.csv")
    rows: list[dict[str, object]] = []
    for code in chain.places:
        rest = code in REGIONS
        members = [c for c, where in place.items() if where == code]
        region = code if rest else known.region[code]
        rows.append(
            {
                "code": code, "name": REGIONS[code] if rest else known.by_code[code], "territory": "EUN" if code in EU else code,
                "region": REGIONS[region].removeprefix("Rest of ").removeprefix("the "), "remainder": rest, "gdp_usd": sum(income.get(c, 0.0) for c in members) or None,
                "source": "worldbank.gdp", "year": "2023", "reliability": "B" if rest else "A",
                "note": "All countries of the region below a thousandth of every good" if rest else "",
            }
        )  # fmt: skip
    return rows


def _activities(chain: Chain, values: Mapping[Key, float]) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for (process, country), figure in chain.levels.items():
        level = figure.tonnes if process in hosts() else values.get(("level", process, country), 0.0)
        if level > 0.0:
            rows.append(
                {
                    "id": f"{process}@{country}", "process": process, "country": country, "level_t": level,
                    "kind": "fixed" if process in hosts() else "iso_elastic", "source": figure.source, "year": figure.year,
                    "reliability": figure.reliability, "note": figure.note,
                }
            )  # fmt: skip
    return sorted(rows, key=lambda row: str(row["id"]))


def _routes(chain: Chain, values: Mapping[Key, float]) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    methods = {row["good"]: row for row in sectors.rows("trade") if row["method"] in ("surplus", "gap", "margins")}
    for key in sorted(k for k in values if k[0] == "flow"):
        _, good, exporter, importer = key
        figure = chain.priors[good].figures.get((exporter, importer))
        if exporter == importer:
            source, year, grade, note = "estimate", "2024", "C", "Own use: output less exports, by origin"
        elif figure is not None:
            source, year, grade, note = (
                figure.source,
                figure.year,
                figure.reliability,
                f"{figure.note}; traced to origin and fitted",
            )
        elif good in methods:
            row = methods[good]
            source, year, grade, note = (
                row["source"],
                row["year"],
                "D",
                "Gravity on what is left of supply and demand (1 over distance), balanced by RAS; fitted",
            )
        else:
            source, year, grade, note = (
                "estimate",
                "2024",
                "D",
                "Through third countries: traced to origin by proportional mixing (Kastner and others 2011); fitted",
            )
        rows.append(
            {
                "good": good,
                "exporter": exporter,
                "importer": importer,
                "flow_t": values[key],
                "latent": False,
                "source": source,
                "year": year,
                "reliability": grade,
                "note": note,
            }
        )
    return rows + _latent(chain, values)


def _latent(chain: Chain, values: Mapping[Key, float]) -> list[dict[str, object]]:
    """Pairs of a maker and a user, each with half a percent of the world, that do not trade.

    prior_share_ij = LATENT_SHARE x s_i / (km_ij + 500) / sum_k s_k / (km_kj + 500), over all makers k, s = output
    """
    rows: list[dict[str, object]] = []
    note = "Latent: a hundredth of the market over all makers, by output over distance"
    for good in chain.goods:
        made, used = np.zeros(len(chain.places)), np.zeros(len(chain.places))
        trading = np.zeros((len(chain.places), len(chain.places)), dtype=bool)
        index = {code: k for k, code in enumerate(chain.places)}
        for key, value in values.items():
            if key[0] == "flow" and key[1] == good:
                made[index[key[2]]] += value
                used[index[key[3]]] += value
                trading[index[key[2]], index[key[3]]] = True
        pull = made[:, None] / (chain.distance + flows.NEARNESS_KM)
        share = LATENT_SHARE * pull / pull.sum(axis=0)
        large = np.outer(made >= LATENT_FROM * made.sum(), used >= LATENT_FROM * used.sum()) & ~trading
        np.fill_diagonal(large, False)
        for i, j in zip(*np.nonzero(large), strict=True):
            rows.append(
                {
                    "good": good, "exporter": chain.places[i], "importer": chain.places[j], "flow_t": 0.0, "latent": True,
                    "prior_share": float(f"{share[i, j]:.{DIGITS}g}"), "source": "estimate", "year": "2024",
                    "reliability": "D", "note": note,
                }
            )  # fmt: skip
    return rows


def _final_use(chain: Chain, values: Mapping[Key, float]) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for key in sorted(k for k in values if k[0] == "use"):
        figure = chain.use[key[1], key[2]]
        rows.append(
            {
                "good": key[1],
                "country": key[2],
                "use_t": values[key],
                "kind": "iso_elastic",
                "source": figure.source,
                "year": figure.year,
                "reliability": figure.reliability,
                "note": figure.note,
            }
        )
    return rows


def _stocks(values: Mapping[Key, float]) -> list[dict[str, object]]:
    named = {(row["good"], row["country"]): row for row in sectors.rows("stocks")}
    rows: list[dict[str, object]] = []
    for key in sorted(k for k in values if k[0] in ("build", "draw")):
        _, good, country = key
        row = named.get((good, country))
        note = row["note"] if row else "What the fit could not place: stock change that no publisher reports"
        rows.append(
            {
                "good": good, "country": country, "change_t": values[key] if key[0] == "build" else -values[key],
                "source": row["source"] if row else "estimate", "year": "2024", "reliability": "D", "note": note,
            }
        )  # fmt: skip
    return rows


def _adjustments(chain: Chain, values: Mapping[Key, float]) -> list[dict[str, object]]:
    """Every figure before and after; routes from sources that may not be passed on row by row stand as exporters' totals."""
    rows: list[dict[str, object]] = []

    def put(
        table: str, good: str, country: str, partner: str, before: float, after: float, rule: str, source: str
    ) -> None:
        rows.append(
            {
                "table": table,
                "good": good,
                "country": country,
                "partner": partner,
                "before_t": before,
                "after_t": after,
                "rule": rule,
                "source": source,
            }
        )

    for (process, country), figure in sorted(chain.levels.items()):
        if process not in hosts():
            after = values.get(("level", process, country), 0.0)
            rule = f"level of {process}: fitted" if after > 0.0 else f"level of {process}: no feed reaches it, left out"
            put("activities", main_goods()[process], country, "", figure.tonnes, after, rule, figure.source)
    for good in chain.goods:
        closed: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
        for (exporter, importer), figure in sorted(chain.priors[good].figures.items()):
            after = values.get(("flow", good, exporter, importer), 0.0)
            if "un.comtrade" in figure.source:
                closed[exporter][0] += figure.tonnes
                closed[exporter][1] += after
            else:
                put("routes", good, exporter, importer, figure.tonnes, after, "traced to origin, fitted", figure.source)
        for exporter, (before, after) in sorted(closed.items()):
            put(
                "routes", good, exporter, "", before, after, "exporter's total: traced to origin, fitted", "un.comtrade"
            )
        for k, tonnes in enumerate(chain.priors[good].cut):
            if tonnes > DROPPED_BELOW * chain.world[good]:
                put(
                    "routes",
                    good,
                    chain.places[k],
                    "",
                    float(tonnes),
                    0.0,
                    "exports beyond output and imports, cut before tracing",
                    "estimate",
                )
    for (good, country), figure in sorted(chain.use.items()):
        if figure.source != "estimate" or "Residual" not in figure.note:
            put(
                "final_use",
                good,
                country,
                "",
                figure.tonnes,
                values.get(("use", good, country), 0.0),
                "fitted, then the residual of its balance",
                figure.source,
            )
    stated = {(row["good"], row["country"]): row for row in sectors.rows("stocks")}
    moved = {(key[1], key[2]) for key in values if key[0] in ("build", "draw")}
    for good, country in sorted(moved | set(stated)):
        after = values.get(("build", good, country), 0.0) - values.get(("draw", good, country), 0.0)
        row = stated.get((good, country))
        before, source = (float(row["change_t"]), row["source"]) if row else (0.0, "estimate")
        put("stocks", good, country, "", before, after, "fitted" if row else "slack of the balance", source)
    return rows
