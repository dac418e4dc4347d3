"""Why there can be no answer: the set of constraints that no flows satisfy.

Checked before a solve, from tonnes alone, so that an impossible experiment is refused with its reason and not after two
hundred steps. Everything that can end in a shortage at the choke price, or in output discarded, has an answer and passes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from friendshore.errors import MarketError
from friendshore.market.curves import Array, Index, Shape, sum_by
from friendshore.market.network import Network
from friendshore.market.policy import Policy, owed, reached

SLACK = 1e-9


@dataclass(frozen=True)
class Infeasible:
    """Constraints that contradict each other: `need_t` tonnes must move where at most `room_t` can."""

    kind: str
    constraints: tuple[str, ...]
    need_t: float
    room_t: float

    def __str__(self) -> str:
        return f"{' and '.join(self.constraints)}: {self.need_t:.6g} t must move where at most {self.room_t:.6g} t can"


def infeasible(network: Network, policy: Policy) -> tuple[Infeasible, ...]:
    """Every contradiction found, in a fixed order; empty where none is."""
    n, p = network, policy
    found = []
    for kind, groups in (("quota", p.quotas), ("corridor", p.corridors)):
        for group in groups:
            tonnes = float(p.offtake[group.routes].sum())
            if tonnes > group.tonnes * (1.0 + SLACK):
                names = (f"{kind} {group.clause!r}", "take-or-pay tonnes on its routes")
                found.append(Infeasible(f"{kind}_below_offtake", names, tonnes, group.tonnes))
    owed_by = owed(p, n.route_source, n.source_good.size)
    reachable = reached(n, p)
    largest = n.capacity.copy()
    largest[n.in_activity[~reachable[n.in_market]]] = 0.0  # an activity cut off from an input stands still
    with np.errstate(invalid="ignore"):
        most = sum_by(n.out_source, n.out_coef * largest[n.out_activity], n.source_good.size)
    for i in np.flatnonzero(owed_by > most * (1.0 + SLACK)):
        name = f"{n.goods[n.source_good[i]]} in {n.countries[n.source_country[i]]}"
        constraints = (f"capacity of {name}", "take-or-pay tonnes it owes")
        found.append(Infeasible("capacity_below_offtake", constraints, float(owed_by[i]), float(most[i])))
    arrives = np.full(n.market_good.size, np.inf)
    ends = np.append(n.market_start, n.route_source.size)
    for j in np.flatnonzero(p.purchases > 0.0):
        own = slice(ends[j], ends[j + 1])
        arrives[j] = float((most + n.stock_release)[n.route_source[own]][p.open[own]].sum())
    for j in np.flatnonzero(p.purchases > arrives * (1.0 + SLACK)):
        if reachable[j] and n.sourcing != "ces":  # whose purchases are no tonnes
            name = f"{n.goods[n.market_good[j]]} in {n.countries[n.market_country[j]]}"
            constraints = (f"purchases of the reserve, {name}", "the capacity of everyone who may sell there")
            found.append(Infeasible("reserve_above_supply", constraints, float(p.purchases[j]), float(arrives[j])))
    endless = ~np.isfinite(n.demand.last) & (n.demand.level > 0)
    for j in np.flatnonzero(~reachable & endless):
        name = f"{n.goods[n.market_good[j]]} in {n.countries[n.market_country[j]]}"
        constraints = (f"every route of {name} closed", "a use without a choke price (give it one: `choke`)")
        found.append(Infeasible("closed_without_choke", constraints, float(n.demand.level[j]), 0.0))
    return tuple(found)


def refuse_infeasible(network: Network, policy: Policy) -> None:
    """Raise the contradictions that `infeasible` finds, all of them in the message."""
    refuse(infeasible(network, policy))


def refuse(found: tuple[Infeasible, ...]) -> None:
    """Raise what was found, if anything was.

    Raises
    ------
    MarketError   with `certificate` the tuple of contradictions
    """
    if found:
        raise MarketError("no flows satisfy the terms: " + "; ".join(map(str, found)), certificate=found)


def relief(network: Network, policy: Policy) -> tuple[Infeasible, ...]:
    """The fewest tonnes by which terms must give way before any flows satisfy them; empty where none must.

    min sum u + v + w   over flows, levels, final use, waste, stock and relief, with
    flow + u >= take-or-pay;  purchases - v bought;  what a use without a choke price cannot do without, less w;
    levels within capacity, quotas, corridors, recovery bounds;  made + released = sent + wasted,  received = used + stocked.

    Looked at where no prices were reached: a linear programme (HiGHS) over tonnes alone, which knows nothing of prices.
    Under CES sourcing tonnes do not add up, so they prove nothing.
    """
    if network.sourcing == "ces":
        return ()
    from scipy.optimize import linprog
    from scipy.sparse import csr_array

    n, p = network, policy
    routes, acts = n.route_source.size, len(n.activities)
    sources, markets = n.source_good.size, n.market_good.size
    counts = (routes, acts, markets, sources, markets, routes, markets, markets)
    ends = np.cumsum(counts)
    flow, level, final, waste, stock, late, unbought, unfed = np.split(np.arange(ends[-1]), ends[:-1])
    scale = float(n.source_size.max(initial=1.0))
    reachable = reached(n, p)
    endless = ~np.isfinite(n.demand.last) & (n.demand.level > 0)
    bought = np.where(reachable, p.purchases + n.stock_build, np.minimum(p.purchases, 0.0))
    low, high = np.zeros(ends[-1]), np.full(ends[-1], np.inf)
    high[flow] = np.where(p.open, np.inf, 0.0)
    high[level] = n.capacity
    high[level[n.in_activity[~reachable[n.in_market]]]] = 0.0
    rigid = n.demand.shape == Shape.FIXED
    high[final] = np.where(rigid, n.demand.level, np.where(n.demand.level > 0, 1e3 * n.demand.level, np.inf))
    high[late], high[unbought] = p.offtake, np.maximum(bought, 0.0)
    high[unfed] = least = np.where(endless & reachable, np.where(rigid, 1.0, 1e-3) * n.demand.level, 0.0)

    entries: list[tuple[Index, Index, Array]] = []

    def put(rows: Index, columns: Index, values: Array | float) -> None:
        entries.append((rows, columns, np.broadcast_to(np.asarray(values, dtype=float), rows.shape)))

    def matrix(rows: int) -> Any:  # the checker's linprog takes no sparse matrix
        r, c, v = (np.concatenate(part) for part in zip(*entries, strict=True))
        entries.clear()
        return csr_array((v, (r, c)), shape=(rows, int(ends[-1])))

    at, to = np.arange(sources), sources + np.arange(markets)
    put(n.out_source, level[n.out_activity], n.out_coef)
    put(n.route_source, flow, -1.0)
    put(at, waste, -1.0)
    put(sources + n.route_market, flow, 1.0)
    put(to, final, -1.0)
    put(sources + n.in_market, level[n.in_activity], -n.in_coef)
    put(to, stock, -1.0)
    put(to, unbought, 1.0)
    equal = matrix(sources + markets)
    groups = (*p.quotas, *p.corridors)
    limits = [group.tonnes for group in groups]
    for e, group in enumerate(groups):
        put(np.full(group.routes.size, e), flow[group.routes], 1.0)
    first = len(limits)
    bounds = np.arange(n.recovery_activity.size)
    put(first + bounds, level[n.recovery_activity], 1.0)
    put(first + bounds, level[n.recovery_host], -n.recovery_content)
    promised = first + bounds.size + np.arange(routes)
    put(promised, flow, -1.0)
    put(promised, late, -1.0)
    fed = first + bounds.size + routes + np.arange(markets)
    put(fed, final, -1.0)
    put(fed, unfed, -1.0)
    upper = matrix(first + bounds.size + routes + markets)
    right = np.concatenate([np.array(limits, dtype=float), np.zeros(bounds.size), -p.offtake, -least])
    cost = np.zeros(ends[-1])
    cost[late] = cost[unbought] = cost[unfed] = 1.0
    found = linprog(
        cost,
        A_ub=upper,
        b_ub=right / scale,
        A_eq=equal,
        b_eq=np.concatenate([-n.stock_release, bought]) / scale,
        bounds=list(zip(low / scale, high / scale, strict=True)),
        method="highs",
    )
    if found.status != 0 or found.fun is None or found.x is None or found.fun <= SLACK:
        return ()
    given = np.asarray(found.x) * scale
    names: list[str] = []
    for r in np.flatnonzero(given[late] > SLACK * scale):
        good = n.goods[n.route_good[r]]
        seller, buyer = (
            n.countries[n.source_country[n.route_source[r]]],
            n.countries[n.market_country[n.route_market[r]]],
        )
        names.append(f"take-or-pay of {good} from {seller} to {buyer} ({given[late][r]:.6g} t too many)")
    for what, tonnes in (("purchases of the reserve", given[unbought]), ("a use without a choke price", given[unfed])):
        for j in np.flatnonzero(tonnes > SLACK * scale):
            place = f"{n.goods[n.market_good[j]]} in {n.countries[n.market_country[j]]}"
            names.append(f"{what}, {place} ({tonnes[j]:.6g} t too many)")
    need = float(p.offtake.sum() + np.maximum(bought, 0.0).sum() + least.sum())
    return (Infeasible("terms_beyond_supply", tuple(names), need, need - float(found.fun) * scale),)
