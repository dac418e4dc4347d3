"""The rows of a world after a user's files: levels, routes, use and stocks with the file as their source.

A route that the world knew keeps its freight, duties and premium; a new one borrows freight from other goods between the
same places and duties from its importer's other suppliers, and says so. Finding the tonnes is `world.own_data`'s.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from statistics import median
from typing import Any, Protocol

import polars as pl

from friendshore.world import flows, sectors
from friendshore.world.balanced import Key
from friendshore.world.output import Figure
from friendshore.world.sectors import Row
from friendshore.world.tables import COLUMNS, World, table_names

Pair = tuple[str, str]

MOVED = 1e-9  # of a good's world output: a figure that moves less is not listed
TERMS = ("freight_usd_t", "tariff", "specific_usd_t", "export_tax", "export_tax_usd_t", "premium_usd_t")
TRANSIT = "Through third countries: traced to origin by proportional mixing (Kastner and others 2011); fitted"
FREIGHT_MARK = "; freight by"
HOME_MARK = "; at home"


class Declared(Protocol):
    """A good's trade as the files have it."""

    routes: dict[Pair, Figure]
    source: set[str]

    def speaks_of(self, exporter: str, importer: str) -> bool:
        """Whether the files cover a pair."""
        ...


def tables_of(
    world: World,
    recipes: Mapping[tuple[str, str], list[Row]],
    levels: Mapping[tuple[str, str], Figure],
    touched: frozenset[str],
    values: Mapping[Key, float],
    priors: Mapping[str, flows.Prior],
    declared: Mapping[str, Declared],
) -> dict[str, pl.DataFrame]:
    """Every table of `world`, the touched goods' rows from `values`; prices and margins are still the old ones."""
    tables = {name: getattr(world, name) for name in table_names()}
    ids = {f"{p}@{c}": (p, c) for p, c in recipes}
    tables["activities"] = _activities(world, ids, levels, values)
    alive = set(tables["activities"]["id"])
    tables["recipes"] = _recipes(world, ids, recipes, alive)
    tables["recoveries"] = world.recoveries.filter(pl.col("activity").is_in(sorted(alive)))
    tables["routes"] = _routes(world, touched, values, priors, declared)
    tables["final_use"] = _final_use(world, touched, values, declared)
    tables["stocks"] = _stocks(world, touched, values)
    tables["adjustments"] = _adjustments(world, tables, touched, declared, levels)
    return tables


def _activities(
    world: World,
    ids: Mapping[str, tuple[str, str]],
    levels: Mapping[tuple[str, str], Figure],
    values: Mapping[Key, float],
) -> pl.DataFrame:
    rows, of_levels = [], _level_sources()
    for row in world.activities.iter_rows(named=True):
        key = ids.get(row["id"])
        if key is None:
            rows.append(row)
            continue
        level, figure = values.get(("level", *key), 0.0), levels[key]
        if level <= 0.0:
            continue
        if row["capacity_t"] is not None:
            scaled = "level x" in (row["note"] or "")
            grown = row["capacity_t"] * level / row["level_t"]
            row["capacity_t"] = round(grown, 3) if scaled else max(row["capacity_t"], round(level, 3) + 0.001)
        if figure.source != row["source"]:
            rest = [part for part in row["source"].split("+") if part not in of_levels]
            note = "; ".join(filter(None, (figure.note, _from(row["note"], "cost "))))
            row |= {
                "source": "+".join([figure.source, *rest]),
                "year": figure.year,
                "reliability": figure.reliability,
                "note": note,
            }
        rows.append(row | {"level_t": level})
    known = set(world.activities["id"])
    for name, key in ids.items():
        level = values.get(("level", *key), 0.0)
        if name not in known and level > 0.0:
            figure = levels[key]
            rows.append(
                dict.fromkeys(COLUMNS["activities"])
                | {"id": name, "process": key[0], "country": key[1], "level_t": level, "kind": "iso_elastic"}
                | {"source": figure.source, "year": figure.year, "reliability": figure.reliability, "note": figure.note}
            )  # fmt: skip
    return pl.DataFrame(sorted(rows, key=lambda row: str(row["id"])), schema=COLUMNS["activities"])


def _level_sources() -> set[str]:
    """Sources that a level's tonnes can rest on, as the plan names them."""
    tables = ("production", "levels")
    return {part for table in tables for row in sectors.rows(table) for part in row["source"].split(flows.ADDED)}


def _from(note: str | None, mark: str) -> str:
    """A note from a mark on; nothing where it lacks it."""
    text = note or ""
    return text[text.find(mark) :] if mark in text else ""


def _recipes(
    world: World, ids: Mapping[str, tuple[str, str]], recipes: Mapping[tuple[str, str], list[Row]], alive: set[str]
) -> pl.DataFrame:
    known = set(world.recipes["activity"])
    rows = [row for row in world.recipes.iter_rows(named=True) if row["activity"] in alive]
    for name, key in ids.items():
        if name in alive and name not in known:
            fields = ("good", "role", "source", "year", "reliability", "note")
            rows += [
                {"activity": name, "coefficient": float(row["coefficient"])} | {k: row[k] for k in fields}
                for row in recipes[key]
            ]
    return pl.DataFrame(rows, schema=COLUMNS["recipes"])


def _routes(
    world: World,
    touched: frozenset[str],
    values: Mapping[Key, float],
    priors: Mapping[str, flows.Prior],
    declared: Mapping[str, Declared],
) -> pl.DataFrame:
    held = {(r["good"], r["exporter"], r["importer"]): r for r in world.routes.iter_rows(named=True)}
    moved = {(k[1], k[2], k[3]): v for k, v in values.items() if k[0] == "flow"}
    makers = {(good, exporter) for good, exporter, _ in moved}
    terms, sources = _Borrowed.of(world), _flow_sources()
    trading = set(moved) | {key for key, row in held.items() if key[0] not in touched and not row["latent"]}
    rows = []
    for key in sorted(trading):
        if key not in moved:
            rows.append(held[key])
            continue
        row = dict(held[key]) if key in held else terms.route(*key)
        row |= {"flow_t": moved[key], "latent": False, "prior_share": None}
        rows.append(row | _signed(key, row, priors, declared, sources))
    for key, row in held.items():  # latent routes come last, in the order of the world
        if row["latent"] and key not in trading and (key[0] not in touched or key[:2] in makers):
            rows.append(row)
    return pl.DataFrame(rows, schema=COLUMNS["routes"])


def _signed(
    key: tuple[str, str, str],
    row: Mapping[str, Any],
    priors: Mapping[str, flows.Prior],
    declared: Mapping[str, Declared],
    of_flows: set[str],
) -> dict[str, Any]:
    """Provenance of a route's tonnes: the file's figure, what was traced through third countries, or what stood before."""
    good, exporter, importer = key
    if good not in priors:
        return {}
    figure, sources = declared[good].routes.get((exporter, importer)), sorted(declared[good].source)
    rest = [part for part in row["source"].split("+") if part not in of_flows and not part.startswith("own.")]
    if exporter == importer:
        note = "Own use: output less exports, by origin" + (
            _from(row["note"], HOME_MARK) or HOME_MARK + ": no freight, no duty"
        )
        return {"source": "+".join(["estimate", *sources, *rest]), "reliability": "C", "note": note}
    terms = _from(row["note"], FREIGHT_MARK)
    if figure is not None:
        note = f"{figure.note}; traced to origin and fitted{terms}"
        return {
            "source": "+".join([figure.source, *rest]),
            "year": figure.year,
            "reliability": figure.reliability,
            "note": note,
        }
    if not declared[good].speaks_of(exporter, importer):
        return {}
    return {"source": "+".join(["estimate", *sources, *rest]), "reliability": "D", "note": f"{TRANSIT}{terms}"}


def _flow_sources() -> set[str]:
    """Sources that a route's tonnes can rest on, as the plan names them."""
    tables = ("trade", "routes")
    return {part for table in tables for row in sectors.rows(table) for part in row["source"].split(flows.ADDED)} | {
        "estimate"
    }


class _Borrowed:
    """Terms for routes that the world does not know: freight of a gross tonne by pair and mode, duties by importer and good."""

    def __init__(
        self,
        freight: dict[tuple[str, str, str], float],
        duty: dict[tuple[str, str], dict[str, Any]],
        taxes: dict[Pair, dict[str, Any]],
    ) -> None:
        plan = {row["id"]: row for row in sectors.rows("parameters_goods")}
        self.mode = {good: row["freight_mode"] for good, row in plan.items()}
        self.content = {good: float(row["content"]) for good, row in plan.items()}
        self.freight, self.duty, self.taxes = freight, duty, taxes
        by_place: dict[tuple[str, str], list[float]] = defaultdict(list)
        for (mode, exporter, importer), usd in freight.items():
            by_place[mode, exporter].append(usd)
            by_place[mode, importer].append(usd)
        self.typical = {key: median(found) for key, found in by_place.items()}
        self.usual = {
            mode: median([v for (m, _, _), v in freight.items() if m == mode]) for mode in {m for m, _, _ in freight}
        }

    @classmethod
    def of(cls, world: World) -> _Borrowed:
        plan = {row["id"]: row for row in sectors.rows("parameters_goods")}
        freight: dict[tuple[str, str, str], float] = {}
        rates: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
        taxes: dict[Pair, dict[str, Any]] = {}
        for row in world.routes.iter_rows(named=True):
            if row["exporter"] != row["importer"] and row["good"] in plan:
                own = plan[row["good"]]
                freight[own["freight_mode"], row["exporter"], row["importer"]] = row["freight_usd_t"] * float(
                    own["content"]
                )
                rates[row["good"], row["importer"]].append(row)
                taxes[row["good"], row["exporter"]] = row
        middle = {
            key: sorted(found, key=lambda r: (r["tariff"] or 0.0, r["exporter"]))[len(found) // 2]
            for key, found in rates.items()
        }
        return cls(freight, middle, taxes)

    def route(self, good: str, exporter: str, importer: str) -> dict[str, Any]:
        """A route's terms, borrowed, graded D and with their rule."""
        row: dict[str, Any] = dict.fromkeys(COLUMNS["routes"]) | dict.fromkeys(TERMS, 0.0)
        row |= {
            "good": good,
            "exporter": exporter,
            "importer": importer,
            "source": "estimate",
            "year": "2024",
            "reliability": "D",
        }
        if exporter == importer:
            return row | {"note": "Own use: output less exports, by origin; at home: no freight, no duty"}
        mode, content = self.mode[good], self.content[good]
        gross = self.freight.get((mode, exporter, importer), self.freight.get((mode, importer, exporter)))
        rule = "as of other goods between the two"
        if gross is None:
            known = [self.typical[mode, place] for place in (exporter, importer) if (mode, place) in self.typical]
            gross = sum(known) / len(known) if known else self.usual[mode]
            rule = "median of the two places' other routes"
        row["freight_usd_t"] = round(gross / content, 2)
        duty, tax = self.duty.get((good, importer)), self.taxes.get((good, exporter))
        if duty is not None:
            row |= {"tariff": duty["tariff"], "specific_usd_t": duty["specific_usd_t"]}
        if tax is not None:
            row |= {name: tax[name] for name in ("export_tax", "export_tax_usd_t", "premium_usd_t")}
        duty_rule = f"as of {duty['exporter']}, the middle of the importer's suppliers" if duty else "none known"
        return row | {"note": f"{TRANSIT}; freight by estimate, D: {rule}; duty D: {duty_rule}"}


def _final_use(
    world: World, touched: frozenset[str], values: Mapping[Key, float], declared: Mapping[str, Declared]
) -> pl.DataFrame:
    held = {(r["good"], r["country"]): r for r in world.final_use.iter_rows(named=True)}
    rows = [row for (good, _), row in held.items() if good not in touched]
    for key, tonnes in values.items():
        if key[0] != "use":
            continue
        row = held.get((key[1], key[2])) or dict.fromkeys(COLUMNS["final_use"]) | {
            "good": key[1], "country": key[2], "kind": "iso_elastic", "source": "estimate", "year": "2024", "reliability": "D",
            "note": "Residual: supply and trade by origin less what is processed",
        }  # fmt: skip
        row = dict(row) | {"use_t": tonnes}
        if key[1] in declared:
            parts = [*row["source"].split("+"), *sorted(declared[key[1]].source)]
            row["source"] = "+".join(dict.fromkeys(parts))
        rows.append(row)
    return pl.DataFrame(sorted(rows, key=lambda row: (row["good"], row["country"])), schema=COLUMNS["final_use"])


def _stocks(world: World, touched: frozenset[str], values: Mapping[Key, float]) -> pl.DataFrame:
    held = {(r["good"], r["country"]): r for r in world.stocks.iter_rows(named=True)}
    rows = [row for (good, _), row in held.items() if good not in touched]
    for kind, good, country, *_ in sorted(k for k in values if k[0] in ("build", "draw")):
        change = values[kind, good, country] * (1.0 if kind == "build" else -1.0)
        row = held.get((good, country)) or {
            "good": good, "country": country, "source": "estimate", "year": "2024", "reliability": "D",
            "note": "What the fit could not place: stock change that no publisher reports",
        }  # fmt: skip
        rows.append(dict(row) | {"change_t": change})
    return pl.DataFrame(rows, schema=COLUMNS["stocks"])


def _adjustments(
    world: World,
    tables: Mapping[str, pl.DataFrame],
    touched: frozenset[str],
    declared: Mapping[str, Declared],
    levels: Mapping[tuple[str, str], Figure],
) -> pl.DataFrame:
    """What the build listed for untouched goods, and every figure of the touched ones that moved: as shipped, as now."""
    rows = list(world.adjustments.filter(~pl.col("good").is_in(sorted(touched))).iter_rows(named=True))
    size = dict.fromkeys(touched, 0.0)
    for good, flow in world.routes.select("good", "flow_t").iter_rows():
        if good in size:
            size[good] += flow
    main = {key[0]: row["good"] for key in levels for row in _made(world, f"{key[0]}@{key[1]}")}
    before, after = _figures(world, main), _figures(tables, main)
    for key in sorted(set(before) | set(after)):
        table, good, country, partner = key[:4]
        was, now = before.get(key, 0.0), after.get(key, 0.0)
        if good not in touched or abs(now - was) <= MOVED * size[good]:
            continue
        one = declared.get(good)
        figure = one.routes.get((country, partner)) if one is not None and table == "routes" else None
        if table == "activities":
            stated = levels.get((key[4], country))
            mine = stated is not None and stated.source.startswith("own.")
            rule = f"level of {key[4]}: " + (
                f"the user's file has {stated.tonnes:.9g} t, fitted" if mine and stated else "fitted anew"
            )
            source = stated.source if mine and stated else "estimate"
        elif figure is not None:
            rule, source = (
                f"replaced by the user's file, which has {figure.tonnes:.9g} t; traced to origin, fitted",
                figure.source,
            )
        elif one is not None:
            rule, source = (
                "follows the user's file: residual, or traced through third countries",
                "+".join(sorted(one.source)),
            )
        else:
            rule, source = "balanced anew with the goods that the user's files replaced", "estimate"
        rows.append(
            {
                "table": table,
                "good": good,
                "country": country,
                "partner": partner,
                "before_t": was,
                "after_t": now,
                "rule": rule,
                "source": source,
            }
        )
    return pl.DataFrame(rows, schema=COLUMNS["adjustments"])


def _made(world: World, activity: str) -> list[dict[str, Any]]:
    rows = world.recipes.filter((pl.col("activity") == activity) & (pl.col("role") == "output"))
    return list(rows.iter_rows(named=True))[:1]


def _figures(tables: World | Mapping[str, pl.DataFrame], main: Mapping[str, str]) -> dict[tuple[str, ...], float]:
    """Every tonnage by table, good, country, partner and, for levels, process."""

    def table(name: str) -> pl.DataFrame:
        found = tables[name] if isinstance(tables, Mapping) else getattr(tables, name)
        assert isinstance(found, pl.DataFrame)
        return found

    out: dict[tuple[str, ...], float] = {}
    for process, country, level in table("activities").select("process", "country", "level_t").iter_rows():
        if process in main:
            out["activities", main[process], country, "", process] = level
    for good, exporter, importer, flow in table("routes").select("good", "exporter", "importer", "flow_t").iter_rows():
        if flow > 0.0:
            out["routes", good, exporter, importer, ""] = flow
    for good, country, use in table("final_use").select("good", "country", "use_t").iter_rows():
        out["final_use", good, country, "", ""] = use
    for good, country, change in table("stocks").select("good", "country", "change_t").iter_rows():
        out["stocks", good, country, "", ""] = change
    return out
