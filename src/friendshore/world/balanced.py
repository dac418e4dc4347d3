"""The nearest balanced world: what varies, how far each figure may move, and the last digit of every balance.

Variables are levels of activities, routes, final use, and stock changes of goods without final users; each has a prior and
an error by its reliability (`plan/errors.csv`). The numbers are found by `world.reconcile`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy import sparse

from friendshore.world import reconcile, sectors, shares
from friendshore.world.chain import DROPPED_BELOW, USE_AT_LEAST, Chain, kept_routes
from friendshore.world.output import hosts

Array = npt.NDArray[np.float64]
Key = tuple[str, ...]

STOCK_AT_LEAST = 1e-6  # of world output: a smaller stock change is the rounding of its balance
DIGITS = 9


@dataclass
class Draft:
    """Variables of the fit in the making: prior, error, lower bound and market size, by key."""

    keys: list[Key] = field(default_factory=list)
    prior: list[float] = field(default_factory=list)
    error: list[float] = field(default_factory=list)
    lower: list[float] = field(default_factory=list)
    scale: list[float] = field(default_factory=list)
    index: dict[Key, int] = field(default_factory=dict)

    def add(self, key: Key, prior: float, error: float, scale: float, lower: float = 0.0) -> None:
        self.index[key] = len(self.keys)
        self.keys.append(key)
        self.prior.append(prior)
        self.error.append(error)
        self.lower.append(lower)
        self.scale.append(scale)


def solve(chain: Chain, found: list[shares.Comparison]) -> tuple[dict[Key, float], reconcile.Fit]:
    """Tonnes of every level, route, use and stock change in the nearest balanced world, and how the fit ended.

    Keys: ('level', process, country), ('flow', good, exporter, importer), ('use' | 'build' | 'draw', good, country).
    """
    draft = _draft_of(chain)
    return settle(chain, draft, _targets_of(chain, draft, found))


def settle(chain: Chain, draft: Draft, targets: tuple[reconcile.Target, ...]) -> tuple[dict[Key, float], reconcile.Fit]:
    """The same for a draft of priors: tonnes that balance to the last digit, and how the fit ended.

    Of `chain` only goods, recipes and world output are used.
    """
    rows, right = _balances(chain, draft)
    fit = _fit(draft, rows, right, targets)
    values = {key: float(value) for key, value in zip(draft.keys, fit.values, strict=True)}
    return _exact(chain, _net_stocks(chain, values)), fit


def _draft_of(chain: Chain) -> Draft:
    errors = {(row["item"], row["reliability"]): float(row["relative_error"]) for row in sectors.rows("errors")}
    named = {(row["good"], row["country"]): row for row in sectors.rows("stocks")}
    draft = Draft()
    handled: dict[tuple[str, str], float] = defaultdict(float)
    for (process, country), figure in chain.levels.items():
        if process in hosts():
            continue
        sizes = [chain.world[row["good"]] / float(row["coefficient"]) for row in chain.recipes[process, country]]
        draft.add(
            ("level", process, country), figure.tonnes, errors["level", figure.reliability] * figure.tonnes, min(sizes)
        )
        for row in chain.recipes[process, country]:
            handled[row["good"], country] += figure.tonnes * float(row["coefficient"])
    for good in chain.goods:
        world, prior = chain.world[good], chain.priors[good]
        keep = kept_routes(chain, good)
        for i, j in zip(*np.nonzero(keep), strict=True):
            tonnes, grade = float(prior.flows[i, j]), "C" if i == j else str(prior.grade[i, j])
            spread = errors["flow", grade] * max(tonnes, DROPPED_BELOW * world)
            draft.add(("flow", good, chain.places[i], chain.places[j]), tonnes, spread, world)
    buyers = {(k[1], k[3]) for k in draft.keys if k[0] == "flow"}
    sellers = {(k[1], k[2]) for k in draft.keys if k[0] == "flow"}
    for (good, country), figure in chain.use.items():
        if (good, country) in buyers:
            world = chain.world[good]
            need = sum(
                chain.levels[p, c].tonnes * float(r["coefficient"])
                for (p, c) in chain.levels if c == country
                for r in chain.recipes[p, c] if r["role"] == "input" and r["good"] == good
            )  # fmt: skip
            floor = max(USE_AT_LEAST * need, 1e-6 * world)
            spread = errors["use", "D"] * max(figure.tonnes, DROPPED_BELOW * world, 0.02 * need)
            draft.add(("use", good, country), max(figure.tonnes, floor), spread, world, floor)
    for good in chain.goods:
        if chain.final[good]:
            continue
        for country in chain.places:
            size = handled.get((good, country), 0.0)
            if size <= 0.0:
                continue
            stated = named.get((good, country))
            build = float(stated["change_t"]) if stated else 0.0
            spread = float(stated["error_t"]) if stated else errors["stock", "D"] * size
            if (good, country) in buyers:
                draft.add(("build", good, country), build, spread, chain.world[good])
            if (good, country) in sellers and not stated:
                draft.add(("draw", good, country), 0.0, spread, chain.world[good])
    return draft


def _balances(chain: Chain, draft: Draft) -> tuple[sparse.csr_matrix, Array]:
    """Two rows for every good and place: output + drawn = sent;   received = processed + used + stocked."""
    rows: list[int] = []
    columns: list[int] = []
    data: list[float] = []
    row_of: dict[tuple[str, str, str], int] = {}

    def put(side: str, good: str, country: str, key: Key, value: float) -> None:
        rows.append(row_of.setdefault((side, good, country), len(row_of)))
        columns.append(draft.index[key])
        data.append(value)

    for key in draft.keys:
        if key[0] == "level":
            for row in chain.recipes[key[1], key[2]]:
                made = row["role"] == "output"
                put(
                    "supply" if made else "demand",
                    row["good"],
                    key[2],
                    key,
                    float(row["coefficient"]) * (1.0 if made else -1.0),
                )
        elif key[0] == "flow":
            put("supply", key[1], key[2], key, -1.0)
            put("demand", key[1], key[3], key, 1.0)
        elif key[0] == "draw":
            put("supply", key[1], key[2], key, 1.0)
        else:
            put("demand", key[1], key[2], key, -1.0)
    matrix = sparse.csr_matrix((data, (rows, columns)), shape=(len(row_of), len(draft.keys)))
    return matrix, np.zeros(len(row_of))


def _targets_of(chain: Chain, draft: Draft, found: list[shares.Comparison]) -> tuple[reconcile.Target, ...]:
    """A published share s of country c: sum of c's output - s x world output = 0, within its error in points."""
    points = {
        row["reliability"]: float(row["relative_error"]) for row in sectors.rows("errors") if row["item"] == "share"
    }
    grade = {"usgs": "A", "iea": "A", "bgs": "B", "ec": "C"}
    out: list[reconcile.Target] = []
    for item in found:
        if not item.binds or item.conflict:
            continue
        share, world = item.published_pct / 100.0, 0.0
        weights: dict[int, float] = defaultdict(float)
        for part in item.ours.split("+"):
            good, _, process = part.partition("@")
            for key in draft.keys:
                if key[0] == "level" and (not process or key[1] == process):
                    for row in chain.recipes[key[1], key[2]]:
                        if row["role"] == "output" and row["good"] == good:
                            coefficient = float(row["coefficient"])
                            weights[draft.index[key]] += coefficient * (
                                (1.0 if key[2] == item.country else 0.0) - share
                            )
                            world += coefficient * draft.prior[draft.index[key]]
        index = np.array(sorted(weights))
        out.append(
            reconcile.Target(index, np.array([weights[k] for k in index]), 0.0, points[grade[item.publisher]] * world)
        )
    return tuple(out)


def _fit(
    draft: Draft, balances: sparse.csr_matrix, right: Array, targets: tuple[reconcile.Target, ...]
) -> reconcile.Fit:
    return reconcile.least_squares(
        np.array(draft.prior),
        np.array(draft.error),
        balances,
        right,
        np.array(draft.lower),
        targets,
        np.array(draft.scale),
    )


def _net_stocks(chain: Chain, values: dict[Key, float]) -> dict[Key, float]:
    """A country that both stocks and draws the same good does the difference; its own route carries the rest."""
    out = dict(values)
    for key, drawn in values.items():
        if key[0] == "draw":
            stocked, own = out.get(("build", *key[1:]), 0.0), out.get(("flow", key[1], key[2], key[2]), 0.0)
            both = min(drawn, stocked, own)
            if both > 0.0:
                out[key] -= both
                out["build", key[1], key[2]] -= both
                out["flow", key[1], key[2], key[2]] -= both
    least = {"build": STOCK_AT_LEAST, "draw": STOCK_AT_LEAST}
    out = {key: value for key, value in out.items() if value > least.get(key[0], 0.0) * chain.world.get(key[1], 0.0)}
    wanted = {(key[1], key[2]) for key in out if key[0] in ("use", "build")}
    for key in out:
        if key[0] == "level":
            wanted |= {(row["good"], key[2]) for row in chain.recipes[key[1], key[2]] if row["role"] == "input"}
    return {key: value for key, value in out.items() if key[0] != "flow" or (key[1], key[3]) in wanted}


def _exact(chain: Chain, values: dict[Key, float]) -> dict[Key, float]:
    """Nine significant digits everywhere but in one item of each balance, which is derived from the others.

    Sellers: the largest route. Buyers: final use, or the level of the one activity that processes the good, or the stock.
    Goods are taken upstream first, so that a derived level is settled before its outputs are sold.
    """
    out = {key: float(f"{value:.{DIGITS}g}") for key, value in values.items()}
    by_seller: dict[tuple[str, str], list[Key]] = defaultdict(list)
    by_buyer: dict[tuple[str, str], list[Key]] = defaultdict(list)
    for key in out:
        if key[0] == "flow":
            by_seller[key[1], key[2]].append(key)
            by_buyer[key[1], key[3]].append(key)
    takers: dict[tuple[str, str], list[tuple[Key, float]]] = defaultdict(list)
    makers: dict[tuple[str, str], list[tuple[Key, float]]] = defaultdict(list)
    for key in out:
        if key[0] == "level":
            for row in chain.recipes[key[1], key[2]]:
                side = makers if row["role"] == "output" else takers
                side[row["good"], key[2]].append((key, float(row["coefficient"])))
    for good in _upstream_first(chain):
        for (g, country), routes in by_seller.items():
            if g == good:
                supply = sum(out[k] * c for k, c in makers[good, country]) + out.get(("draw", good, country), 0.0)
                largest = max(routes, key=lambda k: (out[k], k))
                out[largest] = supply - sum(out[k] for k in routes if k != largest)
        for (g, country), routes in by_buyer.items():
            if g == good:
                received = sum(out[k] for k in routes)
                taken = sum(out[k] * c for k, c in takers[good, country])
                stocked = out.get(("build", good, country), 0.0)
                if ("use", good, country) in out:
                    out["use", good, country] = received - taken - stocked
                elif takers[good, country]:
                    key, coefficient = max(takers[good, country], key=lambda t: (out[t[0]], t[0]))
                    rest = sum(out[k] * c for k, c in takers[good, country] if k != key)
                    out[key] = (received - stocked - rest) / coefficient
                else:
                    out["build", good, country] = received
    return out


def _upstream_first(chain: Chain) -> list[str]:
    feeds: dict[str, set[str]] = {good: set() for good in chain.goods}
    for rows in chain.recipes.values():
        made = [row["good"] for row in rows if row["role"] == "output"]
        for row in rows:
            if row["role"] == "input":
                for good in made:
                    feeds[good].add(row["good"])
    order: list[str] = []
    while len(order) < len(chain.goods):
        ready = [good for good in chain.goods if good not in order and feeds[good] <= set(order)]
        assert ready, "the recipes run in a circle"
        order += ready
    return order


def slack(values: Mapping[Key, float]) -> dict[str, float]:
    """Tonnes of stock change, put in and taken out together, by good."""
    total: dict[str, float] = defaultdict(float)
    for key, value in values.items():
        if key[0] in ("build", "draw"):
            total[key[1]] += value
    return dict(total)
