"""Whose ore is in whose magnet? What a country uses, followed back through routes and recipes to where each stage was done.

Every tonne that arrives in a market is followed upstream: to who sold it, to the recipe that made it, to the inputs of that
recipe and to who sold those, until it entered the chain. Sellers and recipes mix what they take in by tonnes. Whether the
routes are those of the base year or of a cleared scenario is the caller's choice; totals and prices are left to others.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.sparse import csc_matrix
from scipy.sparse.linalg import splu

from friendshore.errors import InputRefused, WorldError, nearest
from friendshore.world.imports.places import country_hint, listed
from friendshore.world.show import STAGES
from friendshore.world.tables import World

if TYPE_CHECKING:
    from friendshore.outcome import Outcome

Array = npt.NDArray[np.float64]
Node = tuple[str, str]  # a good and the country that makes it
Share = dict[Node, float]
Quantities = dict[str, float]
Label = tuple[str, str, str]  # origin, kind, via

SCRAP = "scrap"  # the stage of goods that are scrap
SECONDARY = frozenset({"recycle", "reclaim", "scrap"})  # words in the names of processes that take scrap from outside
ONE = 1e-9  # how far shares may be from adding to one before they are scaled to it

COLUMNS = {
    "good": pl.String, "country": pl.String, "used_t": pl.Float64, "stage": pl.String, "origin": pl.String,
    "kind": pl.String, "via": pl.String, "share": pl.Float64,
}  # fmt: skip


@dataclass(frozen=True)
class Upstream:
    """Where one good made in one country came from: shares that add to one over `inputs` and `entries`."""

    inputs: Share  # the same for what its recipes took in, by who made it
    entries: Mapping[str, float]  # kind -> share that entered the chain here: enters, secondary, stock


def dependence(world: World, good: str, outcome: Outcome | None = None) -> pl.DataFrame:
    """Shares of origin of what every country uses of a good, stage by stage.

    Parameters
    ----------
    world : recipes, stages, stocks
    good : id of the good that is used
    outcome : a cleared scenario whose flows and activity levels count; the base year if None

    Returns
    -------
    frame   good, country, used_t, stage, origin, kind, via, share; shares of a country and stage add to one

    The stage of a tonne is where it last had the form of that stage on its way (`kind` made, `via` the good). Where it had
    none: the process that skipped it (within), where the chain begins without it (enters), scrap taken in (secondary) or a
    release from stock (stock). Output of a mineral takes the inputs of that mineral, or all inputs where it has none of its
    own; a by-product that is recovered takes those of its host.

    Raises
    ------
    InputRefused   no such good;  WorldError   a chain that begins nowhere

    Source: the proportional mixing of Kastner, Kastner and Nonhebel (2011), carried through recipes.
    """
    ids = world.goods["id"].to_list()
    if good not in ids:
        close = nearest(good, ids)
        hint = f"did you mean '{close}'?" if close else "list them with: friendshore world goods"
        raise InputRefused.because("unknown-good", f"no good is called '{good}'", path="good", hint=hint)
    return _followed(world, outcome, (good,), None)


def among(
    table: pl.DataFrame, country: str, unions: Mapping[str, Collection[str]] = MappingProxyType({})
) -> pl.DataFrame:
    """The rows of one country, or of a customs union: those of its members as one, weighted by what each takes in.

    `unions` are the members of each customs union.

    Raises
    ------
    InputRefused   the country buys none of the good
    """
    buyers = table["country"].unique().sort().to_list()
    members = unions.get(country, ())
    if country not in buyers and set(members).isdisjoint(buyers):
        named = country in listed().name or country in unions or country in set(table["origin"])
        message = f"'{country}' buys none of it" if named else f"no country has the code '{country}'"
        hint = country_hint(country, {*buyers, *unions}) or f"{len(buyers)} countries buy it: {', '.join(buyers)}"
        raise InputRefused.because("unknown-country", message, path="--country", hint=hint)
    return _as_one(table, country, members) if members else table.filter(pl.col("country") == country)


def _as_one(table: pl.DataFrame, union: str, members: Collection[str]) -> pl.DataFrame:
    """The rows of a union's members as one buyer's, largest origins first within a stage."""
    inside = table.filter(pl.col("country").is_in(list(members)))
    used = float(inside.unique(["good", "country"])["used_t"].sum())
    order = {stage: place for place, stage in enumerate(dict.fromkeys(table["stage"]))}
    return (
        inside.group_by("good", "stage", "origin", "kind", "via")
        .agg(((pl.col("used_t") * pl.col("share")).sum() / used).alias("share"))
        .with_columns(country=pl.lit(union), used_t=pl.lit(used))
        .select(table.columns)
        .sort(pl.col("stage").replace_strict(order), -pl.col("share"), "origin", "kind", "via")
    )


def compared(
    world: World, before: Outcome, after: Outcome, countries: Collection[str], goods: Iterable[str] | None = None
) -> pl.DataFrame:
    """Dependence of some countries before and after: good, country, stage, origin, kind, via, before, after.

    `goods` are those that no recipe uses if None: the ends of the chains. A share that is not there is nought.
    """
    if goods is None:
        used = set(world.recipes.filter(pl.col("role") == "input")["good"])
        goods = [good for good in world.goods["id"] if good not in used]
    keys = ["good", "country", "stage", "origin", "kind", "via"]
    old, new = (_followed(world, each, tuple(goods), countries).select(*keys, "share") for each in (before, after))
    both = old.rename({"share": "before"}).join(new.rename({"share": "after"}), on=keys, how="full", coalesce=True)
    return both.with_columns(pl.col("before", "after").fill_null(0.0)).sort(keys)


def _followed(
    world: World, outcome: Outcome | None, goods: Iterable[str], countries: Collection[str] | None
) -> pl.DataFrame:
    """Rows of `dependence` for some goods, and some countries unless None."""
    bought, used_t = _bought(world, outcome)
    upstream = _Chains(world, outcome, bought)
    rows: list[tuple[object, ...]] = []
    for good in goods:
        markets = sorted(c for made, c in bought if made == good and (countries is None or c in countries))
        chains = upstream.of({node for country in markets for node in bought[good, country]})
        rank, label = _ranks(world, good, chains)
        for at in sorted({r for r in rank.values() if 0 <= r <= rank[good]}):
            stage = next(label[g] for g in sorted(rank) if rank[g] == at)
            origins = _absorbed(chains, rank, at)
            for country in markets:
                shares: defaultdict[Label, float] = defaultdict(float)
                for node, part in bought[good, country].items():
                    for name, of in origins[node].items():
                        shares[name] += part * of
                total = sum(shares.values())
                order = sorted(shares, key=lambda name: (-shares[name], name))
                rows += [(good, country, used_t[good, country], stage, *name, shares[name] / total) for name in order]
    return pl.DataFrame(rows, schema=COLUMNS, orient="row").sort("good", "country", maintain_order=True)


# -- who bought from whom, and what was made of what ----------------------------------------------------------------------


def _bought(world: World, outcome: Outcome | None) -> tuple[dict[Node, Share], dict[Node, float]]:
    """For every market the shares of who made what arrived, and the tonnes that did."""
    table = world.routes.select("good", "exporter", "importer", t="flow_t") if outcome is None else outcome.flows
    arrived: defaultdict[Node, Share] = defaultdict(dict)
    for good, exporter, importer, t in table.select("good", "exporter", "importer", "t").iter_rows():
        if t > 0.0:
            arrived[good, importer][good, exporter] = arrived[good, importer].get((good, exporter), 0.0) + t
    total = {market: sum(held.values()) for market, held in arrived.items()}
    return {market: {n: t / total[market] for n, t in held.items()} for market, held in arrived.items()}, total


class _Chains:
    """What every good made anywhere was made of, looked up once and followed as far as it is asked for."""

    def __init__(self, world: World, outcome: Outcome | None, bought: dict[Node, Share]) -> None:
        self.bought = bought
        self.mineral = dict(zip(world.goods["id"], world.goods["mineral"], strict=True))
        self.stage = dict(zip(world.goods["id"], world.goods["stage"], strict=True))
        self.process = dict(zip(world.activities["id"], world.activities["process"], strict=True))
        self.host = dict(zip(world.recoveries["activity"], world.recoveries["host"], strict=True))
        ran = (
            world.activities.select("id", "level_t") if outcome is None else outcome.activities.select("activity", "t")
        )
        level = dict(ran.iter_rows())
        place = dict(zip(world.activities["id"], world.activities["country"], strict=True))
        self.inputs: defaultdict[str, Quantities] = defaultdict(dict)
        self.makers: defaultdict[Node, list[tuple[str, float]]] = defaultdict(list)
        for activity, good, role, per in world.recipes.select("activity", "good", "role", "coefficient").iter_rows():
            if role == "input":
                self.inputs[activity][good] = per
            elif level.get(activity, 0.0) > 0.0:
                self.makers[good, place[activity]].append((activity, per * level[activity]))
        stocks = world.stocks.select("good", "country", "change_t").iter_rows()
        self.released = {(good, country): -t for good, country, t in stocks if t < 0.0}
        self.known: dict[Node, Upstream] = {}

    def of(self, nodes: Iterable[Node]) -> dict[Node, Upstream]:
        """These nodes and all that is upstream of them."""
        found: dict[Node, Upstream] = {}
        waiting = list(nodes)
        while waiting:
            node = waiting.pop()
            if node not in found:
                if node not in self.known:
                    self.known[node] = self._made_of(node)
                found[node] = self.known[node]
                waiting += found[node].inputs
        return found

    def _made_of(self, node: Node) -> Upstream:
        good, country = node
        taken: defaultdict[Node, float] = defaultdict(float)
        entries: defaultdict[str, float] = defaultdict(float)
        if node in self.released:
            entries["stock"] += self.released[node]
        for activity, tonnes in self.makers[node]:
            recipe = self.inputs[activity] or self.inputs[self.host.get(activity, "")]
            carried = {h: a for h, a in _carried(recipe, self.mineral, good).items() if (h, country) in self.bought}
            if self.stage[good] == SCRAP or not carried:
                scrap = self.stage[good] == SCRAP or _secondary(self.process[activity])
                entries["secondary" if scrap else "enters"] += tonnes
                continue
            whole = sum(carried.values())
            for h, a in carried.items():
                for seller, part in self.bought[h, country].items():
                    taken[seller] += tonnes * a / whole * part
        if not taken and not entries:
            entries["enters"] = 1.0  # sold, though nothing says who made it
        total = sum(taken.values()) + sum(entries.values())
        return Upstream({n: t / total for n, t in taken.items()}, {k: t / total for k, t in entries.items()})


def _carried(inputs: Mapping[str, float], mineral: Mapping[str, str | None], made: str) -> dict[str, float]:
    """The inputs that an output is made of: those of its own mineral, or all where none is."""
    own = {good: per for good, per in inputs.items() if per > 0.0 and mineral[good] == mineral[made]}
    return own or {good: per for good, per in inputs.items() if per > 0.0}


def _secondary(process: str | None) -> bool:
    """Whether a process takes scrap from outside the chains, by its name.

    >>> _secondary("copper.smelt_scrap"), _secondary("copper.smelt")
    (True, False)
    """
    return bool(SECONDARY.intersection((process or "").replace("_", ".").split(".")))


# -- stages -----------------------------------------------------------------------------------------------------------------


def _ranks(world: World, good: str, chains: Mapping[Node, Upstream]) -> tuple[dict[str, int], dict[str, str]]:
    """The place of every good in the order of stages, -1 for scrap, and the name of its stage.

    Where a good upstream states none of the known stages, every good is a stage of its own, in the order of recipes.
    """
    stage = dict(zip(world.goods["id"], world.goods["stage"], strict=True))
    involved = {good, *(made for made, _ in chains)}
    if all(stage[g] in (*STAGES, SCRAP) for g in involved):
        return {g: -1 if stage[g] == SCRAP else STAGES.index(stage[g]) for g in involved}, {
            g: stage[g] for g in involved
        }
    behind: defaultdict[str, set[str]] = defaultdict(set)
    for (made, _), upstream in chains.items():
        behind[made] |= {h for h, _ in upstream.inputs} - {made}
    depth = dict.fromkeys(involved, 0)
    for _ in involved:  # the longest way from the good; a circle ends with the number of goods
        for made in involved:
            for h in behind[made]:
                depth[h] = max(depth[h], min(depth[made] + 1, len(involved)))
    order = sorted(involved, key=lambda g: (-depth[g], g))
    order = [g for g in order if g != good] + [good]
    return {g: -1 if stage[g] == SCRAP else k for k, g in enumerate(order)}, {g: g for g in involved}


def _absorbed(chains: Mapping[Node, Upstream], rank: Mapping[str, int], at: int) -> dict[Node, dict[Label, float]]:
    """For every node the shares of where its material last had the form of the stage with rank `at`.

    X = B + T X over the nodes that do not have that form themselves: B what ends at a node, T what goes on upstream.
    """
    nodes = sorted(chains)
    number = {node: k for k, node in enumerate(nodes)}
    labels: dict[Label, int] = {}
    stays = {(k, k): 1.0 for k in range(len(nodes))}  # I - T
    ends = []
    for k, node in enumerate(nodes):
        (good, country), upstream = node, chains[node]
        end: defaultdict[Label, float] = defaultdict(float)
        if rank[good] == at:
            end[country, "made", good] = 1.0
        else:
            for kind, part in upstream.entries.items():
                end[country, kind, good] += part
            for before, part in upstream.inputs.items():
                if 0 <= rank[before[0]] < at < rank[good]:
                    end[country, "within", good] += part
                else:
                    cell = (k, number[before])
                    stays[cell] = stays.get(cell, 0.0) - part
        ends.append(end)
        for name in end:
            labels.setdefault(name, len(labels))
    right = np.zeros((len(nodes), len(labels)))
    for k, end in enumerate(ends):
        for name, part in end.items():
            right[k, labels[name]] = part
    rows, columns = (np.array(at) for at in zip(*stays, strict=True)) if stays else (np.zeros(0, int),) * 2
    try:
        shares = splu(csc_matrix((list(stays.values()), (rows, columns)), shape=(len(nodes),) * 2)).solve(right)
    except RuntimeError:  # singular
        shares = np.zeros_like(right)
    off = np.abs(shares.sum(axis=1) - 1.0)
    if off.max(initial=0.0) > ONE:
        good, country = nodes[int(np.argmax(off))]
        raise WorldError.because(
            "no-origin", f"{good} of {country} goes in a circle that nothing enters", path="recipes"
        )
    names = list(labels)
    return {
        node: {names[c]: float(shares[k, c]) for c in np.flatnonzero(shares[k] > 0.0)} for k, node in enumerate(nodes)
    }
