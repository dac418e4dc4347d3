"""Why there can be no answer: the set of constraints that no flows satisfy.

Checked before a solve, from tonnes alone, so that an impossible experiment is refused with its reason and not after two
hundred steps. Everything that can end in a shortage at the choke price, or in output discarded, has an answer and passes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from friendshore.errors import MarketError
from friendshore.market.curves import sum_by
from friendshore.market.network import Network
from friendshore.market.policy import Policy

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
            owed = float(p.offtake[group.routes].sum())
            if owed > group.tonnes * (1.0 + SLACK):
                names = (f"{kind} {group.clause!r}", "take-or-pay tonnes on its routes")
                found.append(Infeasible(f"{kind}_below_offtake", names, owed, group.tonnes))
    owed_by = sum_by(n.route_source, p.offtake, n.source_good.size)
    reachable = sum_by(n.route_market, p.open.astype(float), n.market_good.size) > 0
    largest = n.capacity.copy()
    largest[n.in_activity[~reachable[n.in_market]]] = 0.0  # an activity cut off from an input stands still
    with np.errstate(invalid="ignore"):
        most = sum_by(n.out_source, n.out_coef * largest[n.out_activity], n.source_good.size)
    for i in np.flatnonzero(owed_by > most * (1.0 + SLACK)):
        name = f"{n.goods[n.source_good[i]]} in {n.countries[n.source_country[i]]}"
        constraints = (f"capacity of {name}", "take-or-pay tonnes it owes")
        found.append(Infeasible("capacity_below_offtake", constraints, float(owed_by[i]), float(most[i])))
    arrives = np.zeros(n.market_good.size)
    np.add.at(arrives, n.route_market[p.open], (most + n.stock_release)[n.route_source[p.open]])
    for j in np.flatnonzero(p.purchases > arrives * (1.0 + SLACK)):
        if reachable[j]:
            name = f"{n.goods[n.market_good[j]]} in {n.countries[n.market_country[j]]}"
            constraints = (f"purchases of the reserve, {name}", "the capacity of everyone who may sell there")
            found.append(Infeasible("reserve_above_supply", constraints, float(p.purchases[j]), float(arrives[j])))
    endless = ~np.isfinite(n.demand.choke) & ((n.demand.level > 0) | (n.demand.a > 0)) & ~n.absolute
    for j in np.flatnonzero(~reachable & endless):
        name = f"{n.goods[n.market_good[j]]} in {n.countries[n.market_country[j]]}"
        constraints = (f"every route of {name} closed", "a use without a choke price")
        found.append(Infeasible("closed_without_choke", constraints, float(n.demand.level[j]), 0.0))
    return tuple(found)


def refuse_infeasible(network: Network, policy: Policy) -> None:
    """Raise the first contradiction, all of them in the message.

    Raises
    ------
    MarketError   with `certificate` the tuple of contradictions
    """
    found = infeasible(network, policy)
    if found:
        raise MarketError("no flows satisfy the terms: " + "; ".join(map(str, found)), certificate=found)
