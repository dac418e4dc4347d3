"""Which balanced world is nearest to a user's files and to the world that ships, for the goods that the files touch?

Replaced figures weigh as the build weighs such figures; all others start from the values that they have, so that a file which
says what the world says moves nothing but what its own figures leave open. The fit itself is `world.balanced`'s.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from friendshore.world import balanced, flows, output, own_routes, reconcile, sectors, shares, trace
from friendshore.world.balanced import Draft, Key
from friendshore.world.chain import DROPPED_BELOW, USE_AT_LEAST, Chain, kept_routes
from friendshore.world.imports.rows import Import
from friendshore.world.output import Figure
from friendshore.world.own_output import series
from friendshore.world.own_trade import Declared, places_of, source_id
from friendshore.world.reconcile import Target
from friendshore.world.sectors import Row
from friendshore.world.tables import COLUMNS, World

Array = npt.NDArray[np.float64]
Pair = tuple[str, str]
Published = Mapping[tuple[str, str], tuple[float, float | None]]  # (stage, country) -> percent, tonnes

KEPT_GRADES = {"A": "A", "B": "B", "C": "C", "D": "C"}  # a figure that was fitted before moves less than a raw estimate
SHARE_ERROR = {"usgs.mcs2026": 0.008, "iea.2025": 0.008, "bgs.wms": 0.01}  # of plan/errors.csv, in shares
HOLD = 0.1  # a share that strays is held this much tighter
FITS = 9  # at most: each holds strays tighter and lets nobody stock and draw at once
WITHIN = 0.99  # of what a host's stream holds: where a recovery beyond it is held
STRAYED = 2.5  # points


def component(world: World, seeds: set[str]) -> frozenset[str]:
    """The goods that hang together with `seeds` through recipes, or as a recovery and its host."""
    by_activity: dict[str, list[str]] = defaultdict(list)
    for activity, good in world.recipes.select("activity", "good").iter_rows():
        by_activity[activity].append(good)
    for activity, host in world.recoveries.select("activity", "host").iter_rows():
        by_activity[f"{activity} {host}"] = by_activity.get(activity, []) + by_activity.get(host, [])
    linked: dict[str, set[str]] = defaultdict(set)
    for goods in by_activity.values():
        for good in goods:
            linked[good] |= set(goods)
    found, todo = set(seeds), list(seeds)
    while todo:
        for good in linked[todo.pop()] - found:
            found.add(good)
            todo.append(good)
    return frozenset(found)


@dataclass
class _State:
    """What is known of the touched goods before the fit."""

    goods: list[str]
    places: list[str]
    index: dict[str, int]
    recipes: dict[tuple[str, str], list[Row]]
    level: dict[tuple[str, str], Figure]
    stocks: dict[tuple[str, str], float]
    use: dict[tuple[str, str], dict[str, Any]]
    routes: dict[str, dict[Pair, dict[str, Any]]]
    final: dict[str, bool]
    world: dict[str, float]

    def supply(self, good: str) -> Array:
        return self._sum(good, "output")

    def need(self, good: str) -> Array:
        return self._sum(good, "input")

    def _sum(self, good: str, role: str) -> Array:
        out = np.zeros(len(self.places))
        for key, figure in self.level.items():
            for row in self.recipes[key]:
                if row["good"] == good and row["role"] == role:
                    out[self.index[key[1]]] += figure.tonnes * float(row["coefficient"])
        return out

    def chain(self) -> Chain:
        nothing: Any = {}
        return Chain(
            self.goods,
            self.places,
            self.level,
            self.recipes,
            nothing,
            nothing,
            self.world,
            self.final,
            nothing,
            np.zeros((0, 0)),
        )


def _state(world: World, touched: frozenset[str], levels: Mapping[tuple[str, str], Figure]) -> _State:
    recipes: dict[tuple[str, str], list[Row]] = defaultdict(list)
    lines: dict[str, list[Row]] = defaultdict(list)
    for row in world.recipes.iter_rows(named=True):
        if row["good"] in touched:
            lines[row["activity"]].append({**row, "coefficient": repr(row["coefficient"])})
    level: dict[tuple[str, str], Figure] = {}
    for row in world.activities.iter_rows(named=True):
        if row["id"] in lines:
            key = row["process"], row["country"]
            recipes[key] = lines[row["id"]]
            level[key] = Figure(row["level_t"], row["source"], row["year"], row["reliability"], row["note"] or "")
    own = set(world.countries["code"])
    for key, figure in levels.items():
        if key not in level and key[1] in own:
            made = output.recipe(*key)
            if made and {row["good"] for row in made} <= touched:
                recipes[key] = made
        if key in recipes:
            level[key] = figure
    where = sorted(own)
    goods = [good for good in world.goods["id"] if good in touched]
    routes: dict[str, dict[Pair, dict[str, Any]]] = {good: {} for good in goods}
    for row in world.routes.iter_rows(named=True):
        if row["good"] in touched:
            routes[row["good"]][row["exporter"], row["importer"]] = row
    use = {
        (row["good"], row["country"]): row for row in world.final_use.iter_rows(named=True) if row["good"] in touched
    }
    stocks = {(g, c): t for g, c, t in world.stocks.select("good", "country", "change_t").iter_rows() if g in touched}
    state = _State(
        goods, where, {code: k for k, code in enumerate(where)}, dict(recipes), level, stocks, use, routes,
        {good: any(g == good for g, _ in use) for good in goods}, {},
    )  # fmt: skip
    for good in goods:
        state.world[good] = float(state.supply(good).sum())
    return state


def rebalanced(
    world: World,
    declared: Mapping[str, Declared],
    levels: Mapping[tuple[str, str], Figure],
    touched: frozenset[str],
    output_of: Sequence[Import],
) -> tuple[dict[str, pl.DataFrame], reconcile.Fit]:
    """The tables of tonnes with the touched goods fitted anew, and how the fit ended."""
    state = _state(world, touched, levels)
    priors = {good: _prior(state, good, one) for good, one in declared.items() if good in state.routes}
    chain, published = state.chain(), _published(world, output_of)
    errors = {row["id"]: SHARE_ERROR.get(row["source"], 0.015) for row in _binding(world, published)}
    without: set[Key] = set()
    caps: dict[tuple[str, str], float] = {}
    for _ in range(FITS):
        draft = _draft(state, priors, without, caps)
        values, fit = balanced.settle(chain, draft, _targets(world, state, draft, published, errors))
        strays, twofold, over = _strayed(world, state, values, published), _twofold(values), _over_host(world, values)
        if not strays and not twofold and not over:
            break
        without |= twofold
        caps |= over
        for name in strays:
            errors[name] *= HOLD
    return own_routes.tables_of(world, state.recipes, state.level, touched, values, priors, declared), fit


def _prior(state: _State, good: str, one: Declared) -> flows.Prior:
    """Routes by origin that the fit starts from: the file's dispatch traced to origin, and the shipped routes elsewhere.

    Shipped routes are by origin already, so they leave their maker's output first and pass through nobody. What the file
    has a country dispatch beyond its own is of the origins that it buys from, or those that the buyer bought from.
    """
    supply, need = state.supply(good), state.need(good)
    for (g, country), tonnes in state.stocks.items():
        if g == good and tonnes < 0.0:
            supply[state.index[country]] -= tonnes
    filled = any(row["good"] == good and row["method"] == "gap" for row in sectors.rows("trade"))
    shipped, kept = np.zeros((len(supply), len(supply))), np.zeros((len(supply), len(supply)))
    grades = np.full(shipped.shape, "D", dtype=object)
    for (exporter, importer), row in state.routes[good].items():
        i, j = state.index[exporter], state.index[importer]
        shipped[i, j] = row["flow_t"]
        unseen = filled and (row["note"] or "").startswith(
            "Gravity"
        )  # feed that no code shows, in the files or elsewhere
        by_hand = (exporter, importer) in one.by_hand
        if i != j and not by_hand and (unseen or not one.speaks_of(exporter, importer)):
            kept[i, j], grades[i, j] = row["flow_t"], KEPT_GRADES[row["reliability"]]
    apart = {row["country"] for row in sectors.rows("own_exports") if row["good"] == good}
    told = flows.Declared(routes=one.by_hand | one.routes, apart=apart)
    nothing, rest = np.zeros((0, 0)), np.maximum(supply - kept.sum(axis=1), 0.0)
    use = np.zeros(len(state.places))
    found = flows.prior(told, state.places, rest, need, use, nothing, np.zeros(0), state.final[good])
    traced = found.flows + kept
    if kept.any():
        traced += _beyond(found.declared, rest, shipped)
    hungry = (need > 0.0) & (traced.sum(axis=0) <= 0.0)
    traced[:, hungry] = shipped[:, hungry]  # a buyer to whom the file sends nothing keeps its suppliers
    return flows.Prior(traced, found.declared, np.where(kept > 0.0, grades, found.grade), found.cut, found.figures)


def _beyond(dispatched: Array, supply: Array, shipped: Array) -> Array:
    """What countries dispatch beyond their own and what they received, by the origins of what they, or the buyers, bought."""
    within, _ = trace.cap_exports(supply, dispatched)
    over = dispatched - within
    out = np.zeros_like(over)
    abroad = shipped - np.diag(np.diag(shipped))
    for i, j in zip(*np.nonzero(over > 0.0), strict=True):
        origins = abroad[:, i] if abroad[:, i].sum() > 0.0 else abroad[:, j]
        origins = np.where(np.arange(len(supply)) == j, 0.0, origins)
        if origins.sum() > 0.0:
            out[:, j] += over[i, j] * origins / origins.sum()
    return out


def _twofold(values: Mapping[Key, float]) -> set[Key]:
    """The smaller side of every country that would both stock a good and draw it."""
    both = [key[1:] for key in values if key[0] == "draw" and ("build", *key[1:]) in values]
    return {min(("build", *key), ("draw", *key), key=lambda side: values[side]) for key in both}


def _over_host(world: World, values: Mapping[Key, float]) -> dict[tuple[str, str], float]:
    """Recoveries above what their host's stream holds, and the level that stays a little within it."""
    held = dict(world.activities.select("id", "level_t").iter_rows())
    now = {f"{key[1]}@{key[2]}": value for key, value in values.items() if key[0] == "level"}
    out = {}
    for activity, host, content in world.recoveries.select("activity", "host", "content_recovery").iter_rows():
        bound = content * now.get(host, held.get(host, 0.0))
        if now.get(activity, 0.0) > bound:
            process, _, country = activity.partition("@")
            out[process, country] = WITHIN * bound
    return out


def _draft(
    state: _State,
    priors: Mapping[str, flows.Prior],
    without: Container[Key] = (),
    caps: Mapping[tuple[str, str], float] | None = None,
) -> Draft:
    """Priors and errors: a replaced figure as the build weighs it, any other at the value that it has.

    Stock changes in `without` are left out; levels in `caps` are held there.
    """
    held = caps or {}
    error = {(row["item"], row["reliability"]): float(row["relative_error"]) for row in sectors.rows("errors")}
    named = {(row["good"], row["country"]): row for row in sectors.rows("stocks")}
    draft = Draft()
    handled: dict[tuple[str, str], float] = defaultdict(float)
    for key, figure in state.level.items():
        sizes = [state.world[row["good"]] / float(row["coefficient"]) for row in state.recipes[key]]
        tonnes = min(figure.tonnes, held.get(key, figure.tonnes))
        spread = error["level", figure.reliability] * tonnes if key not in held else (1.0 - WITHIN) / 10.0 * tonnes
        draft.add(("level", *key), tonnes, spread, min(sizes))
        for row in state.recipes[key]:
            handled[row["good"], key[1]] += figure.tonnes * float(row["coefficient"])
    for good in state.goods:
        for pair, tonnes, grade in _flows(state, good, priors.get(good)):
            spread = error["flow", grade] * max(tonnes, DROPPED_BELOW * state.world[good])
            draft.add(("flow", good, *pair), tonnes, spread, state.world[good])
    buyers = {(k[1], k[3]) for k in draft.keys if k[0] == "flow"}
    sellers = {(k[1], k[2]) for k in draft.keys if k[0] == "flow"}
    for good in state.goods:
        need = state.need(good)
        for country, tonnes in _uses(state, good, need, priors.get(good)).items():
            if (good, country) in buyers:
                mine, world = float(need[state.index[country]]), state.world[good]
                floor = max(USE_AT_LEAST * mine, 1e-6 * world)
                if (good, country) in state.use:
                    floor = min(floor, state.use[good, country]["use_t"])
                spread = error["use", "D"] * max(tonnes, DROPPED_BELOW * world, 0.02 * mine)
                draft.add(("use", good, country), max(tonnes, floor), spread, world, floor)
        for country in state.places:
            size, change = handled.get((good, country), 0.0), state.stocks.get((good, country), 0.0)
            stated = named.get((good, country))
            if (state.final[good] or size <= 0.0) and change == 0.0:
                continue
            spread = float(stated["error_t"]) if stated else error["stock", "D"] * max(size, abs(change))
            if (good, country) in buyers and ("build", good, country) not in without:
                draft.add(("build", good, country), max(change, 0.0), spread, state.world[good])
            if (good, country) in sellers and not stated and ("draw", good, country) not in without:
                draft.add(("draw", good, country), max(-change, 0.0), spread, state.world[good])
    return draft


def _flows(state: _State, good: str, prior: flows.Prior | None) -> list[tuple[Pair, float, str]]:
    if prior is None:
        made = {code for code, t in zip(state.places, state.supply(good), strict=True) if t > 0.0}
        found = [
            (pair, row["flow_t"], "C" if pair[0] == pair[1] else KEPT_GRADES[row["reliability"]])
            for pair, row in sorted(state.routes[good].items()) if row["flow_t"] > 0.0
        ]  # fmt: skip
        fresh = sorted(made - {pair[0] for pair, _, _ in found})
        bought: dict[str, float] = defaultdict(float)
        for (_, importer), tonnes, _ in found:
            bought[importer] += tonnes
        total = sum(bought.values())
        supply = dict(zip(state.places, state.supply(good), strict=True))
        for exporter in fresh:  # a new maker sells to everybody by what each buys
            found += [((exporter, j), supply[exporter] * t / total, "D") for j, t in sorted(bought.items())]
        return found
    lone = replace(state.chain(), priors={good: prior})
    keep = kept_routes(lone, good)
    for j in np.flatnonzero((state.need(good) > 0.0) & ~keep.any(axis=0)):  # small as they are, a process rests on them
        keep[int(np.argmax(prior.flows[:, j])), j] = True
    return [
        ((state.places[i], state.places[j]), float(prior.flows[i, j]), "C" if i == j else str(prior.grade[i, j]))
        for i, j in zip(*np.nonzero(keep), strict=True)
    ]


def _uses(state: _State, good: str, need: Array, prior: flows.Prior | None) -> dict[str, float]:
    """Final use before the fit: what arrives and is not processed, or, where nothing is replaced, what it was."""
    if not state.final[good]:
        return {}
    if prior is None:
        return {country: row["use_t"] for (g, country), row in state.use.items() if g == good}
    stated = {row["country"]: float(row["use_t"]) for row in sectors.rows("final_use") if row["good"] == good}
    arriving = prior.flows.sum(axis=0)
    out = {}
    for country, k in state.index.items():
        if country in stated:
            out[country] = stated[country]
        elif arriving[k] > 0.0:
            out[country] = max(float(arriving[k] - need[k]), USE_AT_LEAST * float(need[k]))
    return out


def _published(world: World, imports: Sequence[Import]) -> dict[tuple[str, str], tuple[float, float | None]]:
    """Published shares that bind, by (stage, country): percent and tonnes; the file's own where it has the series."""
    found = {
        (row["stage"], row["country"]): (row["published_pct"], row["published_t"])
        for row in world.shares.filter(pl.col("status") == "binds").iter_rows(named=True)
    }
    place = places_of(world)
    for one in imports:
        for rung in sectors.rows("ladder"):
            if rung["publisher"] != "usgs":
                continue
            made: dict[str, float] = defaultdict(float)
            for country, tonnes in series(one, rung).select("country", "amount").iter_rows():
                made[country] += tonnes
            other = _other(one, rung["commodity"], rung["detail"])
            silent = {} if other or not made else _silent(world, rung, {place[country] for country in made})
            total = sum(made.values()) + other + sum(silent.values())
            for (stage, country), (_, tonnes) in list(found.items()):
                told = made.get(country, silent.get(country))
                if stage == rung["stage"] and total > 0.0 and told is not None:
                    found[stage, country] = 100.0 * told / total, (told if tonnes is not None else None)
    return found


def _silent(world: World, rung: Row, told: Container[str]) -> dict[str, float]:
    """What the world has of a series, in the publisher's tonnes, where a file says nothing: no figure is no nought."""
    made = shares.ours(rung["ours"], world.activities, world.recipes)
    both = world.shares.filter((pl.col("stage") == rung["stage"]) & (pl.col("status") == "binds")).drop_nulls(
        "published_t"
    )
    ours, published = float(both["ours_t"].sum()), float(both["published_t"].sum())
    scale = published / ours if ours > 0.0 and published > 0.0 else 1.0
    return {country: tonnes * scale for country, tonnes in made.items() if country not in told}


def _other(one: Import, commodity: str, detail: str) -> float:
    """What the file puts under other countries; it stands in the world total."""
    mark = f"other countries of {commodity}: {detail}".casefold()
    return sum(
        r.amount for r in one.refused if r.column.casefold() == mark or r.column.casefold().startswith(mark + ",")
    )


def _binding(world: World, published: Published) -> list[dict[str, Any]]:
    rows = world.shares.filter(pl.col("status") == "binds").iter_rows(named=True)
    return [
        {"id": f"{row['stage']} {row['country']}", **row, "now_pct": published[row["stage"], row["country"]][0]}
        for row in rows
    ]


def _targets(
    world: World,
    state: _State,
    draft: Draft,
    published: Published,
    errors: Mapping[str, float],
) -> tuple[Target, ...]:
    """Published shares, each held where the world has it today, or at the file's own figure where that changed.

    sum_k (c's output - s x world output) = what stands today
    """
    today = {(row["process"], row["country"]): row["level_t"] for row in world.activities.iter_rows(named=True)}
    out = []
    for row in _binding(world, published):
        share, value, total = row["now_pct"] / 100.0, 0.0, 0.0
        weights: dict[int, float] = defaultdict(float)
        for key, coefficient in _makers(state, row["good"]):
            weight = coefficient * ((1.0 if key[1] == row["country"] else 0.0) - share)
            weights[draft.index["level", *key]] += weight
            value += weight * today.get(key, 0.0)
            total += coefficient * state.level[key].tonnes
        if not weights:
            continue
        anchored = row["now_pct"] == row["published_pct"]
        index = np.array(sorted(weights))
        limit = STRAYED / 100.0 * total
        held = min(max(value, -limit), limit) if anchored else 0.0
        out.append(Target(index, np.array([weights[k] for k in index]), held, errors[row["id"]] * total))
    return tuple(out)


def _makers(state: _State, rule: str) -> list[tuple[tuple[str, str], float]]:
    """Activities, with tonnes per level, that a rule such as 'copper.concentrate+copper.cathode@copper.leach' counts."""
    out = []
    for part in rule.split(flows.ADDED):
        good, _, process = part.partition("@")
        for key, lines in state.recipes.items():
            if not process or key[0] == process:
                out += [(key, float(r["coefficient"])) for r in lines if r["role"] == "output" and r["good"] == good]
    return out


def _strayed(
    world: World,
    state: _State,
    values: Mapping[Key, float],
    published: Published,
) -> list[str]:
    """Binding shares that the fit left further from the published one than `STRAYED`."""
    strays = []
    for row in _binding(world, published):
        made: dict[str, float] = defaultdict(float)
        for key, coefficient in _makers(state, row["good"]):
            made[key[1]] += coefficient * values.get(("level", *key), 0.0)
        total = sum(made.values())
        if total and abs(100.0 * made[row["country"]] / total - row["now_pct"]) > STRAYED:
            strays.append(row["id"])
    return strays


def shares_of(world: World, tables: Mapping[str, pl.DataFrame], imports: Sequence[Import]) -> pl.DataFrame:
    """The comparisons with the shares of `tables`, and the published ones of `world` or, where they bring it, of the files."""
    published = _published(world, imports)
    made = {rule: shares.ours(rule, tables["activities"], tables["recipes"]) for rule in set(world.shares["good"])}
    rows = []
    for row in world.shares.iter_rows(named=True):
        tonnes = made[row["good"]].get(row["country"], 0.0)
        row |= {"ours_t": tonnes, "ours_pct": 100.0 * tonnes / sum(made[row["good"]].values())}
        told = published.get((row["stage"], row["country"]))
        if row["status"] == "binds" and told is not None and told[0] != row["published_pct"]:
            one = imports[-1]
            row |= {"published_pct": told[0], "published_t": told[1], "source": source_id(one)}
            row["explanation"] = f"The user's file for {'+'.join(one.years)}"
        rows.append(row)
    return pl.DataFrame(rows, schema=COLUMNS["shares"])
