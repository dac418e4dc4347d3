"""Money and room that run out: what a policy comes to once its market is solved.

A budget that binds cuts the support until what is paid is what there is; a corridor that overflows leaves the last tonne on
the old road. Both are known only from the answer, so the market is solved again, with every other term as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from friendshore import faces
from friendshore.errors import MarketError
from friendshore.market.curves import Array
from friendshore.market.network import Network
from friendshore.market.policy import Lanes, Policy, impose
from friendshore.market.solution import Solution
from friendshore.market.system import receipt

EXACT = 1e-10  # of the budget: how near spending comes to a budget that binds
SWEEPS = 30
STEPS = 60

Solve = Callable[[Policy, Array | None], Solution]
Budgeted = faces.Contract | faces.Subsidy | faces.Reserve


@dataclass(frozen=True)
class Budget:
    """One clause's budget and what became of it, in the network's money.

    `factor` is what is left of the covered tonnes (`cuts` volume), of the strike, of the rate or of the purchases.
    """

    clause: str
    cuts: str
    budget: float
    spent: float
    factor: float
    binds: bool

    def document(self, money: float = 1.0) -> dict[str, Any]:
        """Plain values, in USD."""
        return {
            "clause": self.clause,
            "cuts": self.cuts,
            "budget_usd": self.budget * money,
            "spent_usd": self.spent * money,
            "factor": self.factor,
            "binds": self.binds,
        }


@dataclass(frozen=True)
class Settled:
    """A market in which no budget is overspent and no corridor carries more than it can."""

    policy: Policy
    solved: Solution
    budgets: tuple[Budget, ...]


def settle(network: Network, wedges: Iterable[faces.Wedge], solve: Solve, *, start: Array | None = None) -> Settled:
    """Solve a market whose budgets and corridors may run out.

    For every clause with a budget B the factor f is the largest in [0, 1] with spending(f) <= B; where it is below one,
    spending = B to 1e-10 of it. Several budgets are met one after the other until all are.

    Parameters
    ----------
    network, wedges : the market and its measures, in order
    solve : clears a policy, from a state to start at
    start : state of a neighbour

    Raises
    ------
    MarketError   a market without an answer, or budgets that cannot be met together
    """
    wedges = list(wedges)
    attempt = _Attempt(network, wedges, solve, start)
    clauses = attempt.clauses
    if not clauses:
        policy, solved = attempt.at({})
        return Settled(policy, solved, ())
    factors = {name: 0.0 if budget <= 0.0 else 1.0 for name, (budget, _) in clauses.items()}
    policy, solved = attempt.at(factors)
    for _ in range(SWEEPS):
        off = {
            name: _off(budget, spent(policy, solved, network, name))
            for name, (budget, _) in clauses.items()
            if factors[name] > 0.0
        }
        unmet = [name for name, by in off.items() if by > EXACT or (by < -EXACT and factors[name] < 1.0)]
        if not unmet:
            break
        for name in unmet:
            factors[name], policy, solved = _meet(attempt, factors, name)
    else:
        raise MarketError(f"the budgets of {', '.join(clauses)} cannot be met together")
    made = tuple(
        Budget(name, cuts, budget, spent(policy, solved, network, name), factors[name], factors[name] < 1.0)
        for name, (budget, cuts) in clauses.items()
    )
    return Settled(policy, solved, made)


def spent(policy: Policy, solved: Solution, network: Network, clause: str) -> float:
    """What the payers of a clause pay in a year, net of what flows back; a reserve's purchases at the market's price."""
    received, _ = receipt(solved.price[policy.out_source], policy.strike, policy.upside, policy.strike_dispersion)
    made = policy.out_coef * solved.level[policy.out_tranche]
    difference = (received - solved.price[policy.out_source]) * made
    total = 0.0
    for rows, _payers, name in policy.contract_terms:
        total += float(difference[rows].sum()) if name == clause else 0.0
    for rows, usd_t, _payers, name in policy.subsidy_terms:
        total += usd_t * float(made[rows].sum()) if name == clause else 0.0
    for market, tonnes, _owner, name in policy.reserve_holder:
        total += float(solved.index[market]) * tonnes if name == clause and tonnes > 0.0 else 0.0
    return total


def _off(budget: float, paid: float) -> float:
    return paid / budget - 1.0


def _meet(attempt: _Attempt, factors: dict[str, float], name: str) -> tuple[float, Policy, Solution]:
    """The factor of one clause at which it spends its budget, the others as they are.

    Illinois' false position between nothing, which spends nothing, and everything.
    """
    budget = attempt.clauses[name][0]

    def off(factor: float) -> tuple[float, Policy, Solution]:
        policy, solved = attempt.at({**factors, name: factor})
        return _off(budget, spent(policy, solved, attempt.network, name)), policy, solved

    low, high, at_low = 0.0, 1.0, -1.0
    at_high, policy, solved = off(high)
    if at_high <= 0.0:
        return 1.0, policy, solved
    attempt.cover(name, policy, solved)
    side = 0
    for _ in range(STEPS):
        middle = high - at_high * (high - low) / (at_high - at_low)
        if not low < middle < high:
            middle = 0.5 * (low + high)
        here, policy, solved = off(middle)
        if abs(here) <= EXACT or high - low <= 1e-15:
            return middle, policy, solved
        if here > 0.0:
            high, at_high = middle, here
            at_low = at_low * 0.5 if side > 0 else at_low
            side = 1
        else:
            low, at_low = middle, here
            at_high = at_high * 0.5 if side < 0 else at_high
            side = -1
    raise MarketError(f"no cut of {name} makes it spend its budget")


class _Attempt:
    """The market of one experiment, solved at cuts of its support."""

    def __init__(self, network: Network, wedges: Sequence[faces.Wedge], solve: Solve, start: Array | None) -> None:
        self.network, self.wedges, self.solve, self.state = network, wedges, solve, start
        self.full: frozenset[int] = frozenset()
        self.covered: dict[int, list[tuple[str, float]]] = {}
        self.clauses: dict[str, tuple[float, str]] = {}
        for wedge in wedges:
            match wedge:
                case faces.Contract(budget_usd=float() | int() as budget):
                    self.clauses[wedge.clause] = (float(budget), wedge.budget_cuts)
                case faces.Subsidy(budget_usd=float() | int() as budget):
                    self.clauses[wedge.clause] = (float(budget), "rate")
                case faces.Reserve(budget_usd=float() | int() as budget):
                    self.clauses[wedge.clause] = (float(budget), "purchases")

    def at(self, factors: dict[str, float]) -> tuple[Policy, Solution]:
        """The market with the support of each clause cut to its factor, and every corridor as full as it is."""
        places = [(place, cut) for place, wedge in enumerate(self.wedges) for cut in self._cut(place, wedge, factors)]
        cut = [wedge for _, wedge in places]
        seen = {self.full}
        while True:
            full = frozenset(at for at, (place, _) in enumerate(places) if place in self.full)
            policy = impose(self.network, cut, full=full)
            solved = self.solve(policy, self.state)
            self.state = solved.state
            self.full, before = self._filled(policy, solved, places, full), self.full
            if self.full == before:
                return policy, solved
            if self.full in seen:
                raise MarketError("a corridor is neither full nor not: two of them fill each other in turn")
            seen.add(self.full)

    def _filled(
        self, policy: Policy, solved: Solution, places: list[tuple[int, faces.Wedge]], full: frozenset[int]
    ) -> frozenset[int]:
        """Corridors with a way around that overflow, by their place among the wedges as given."""
        found: set[int] = set()
        limited, over = iter(zip(policy.corridors, solved.corridor_rent, strict=True)), iter(policy.overflows)
        for at, (place, wedge) in enumerate(places):
            if not isinstance(wedge, faces.Corridor) or wedge.capacity_t is None:
                continue
            if at in full:
                group = next(over)
                if float(solved.flow[group.routes].sum()) >= group.tonnes:
                    found.add(place)
                continue
            if not _reaches(self.network, wedge):
                continue
            _, rent = next(limited)
            if wedge.bypass and rent > wedge.freight_saving_usd_t:
                found.add(place)
        return frozenset(found)

    def cover(self, name: str, policy: Policy, solved: Solution) -> None:
        """Note the tonnes that a clause's contracts cover when it is not cut: what a smaller volume is a part of."""
        made = policy.out_coef * solved.level[policy.out_tranche]
        for place, wedge in enumerate(self.wedges):
            if not isinstance(wedge, faces.Contract) or wedge.clause != name:
                continue
            tonnes: dict[str, float] = {}
            for rows, _payers, clause in policy.contract_terms:
                if clause != name:
                    continue
                for row in map(int, rows):
                    source = int(policy.out_source[row])
                    country = self.network.countries[self.network.source_country[source]]
                    good = self.network.goods[self.network.source_good[source]]
                    activity = self.network.activities[int(policy.tranche_activity[policy.out_tranche[row]])]
                    named = not wedge.activities or activity in wedge.activities
                    if good == wedge.good and country in wedge.producers and named:
                        tonnes[activity] = tonnes.get(activity, 0.0) + float(made[row])
            self.covered[place] = sorted(tonnes.items())

    def _cut(self, place: int, wedge: faces.Wedge, factors: dict[str, float]) -> list[faces.Wedge]:
        """What is left of a wedge at the factor of its clause."""
        factor = factors.get(wedge.clause, 1.0)
        if not isinstance(wedge, Budgeted) or wedge.budget_usd is None or factor >= 1.0:
            return [wedge]
        if factor <= 0.0:
            return []
        match wedge:
            case faces.Subsidy():
                return [replace(wedge, usd_t=wedge.usd_t * factor)]
            case faces.Reserve():
                return [replace(wedge, tonnes=wedge.tonnes * factor) if wedge.tonnes > 0.0 else wedge]
            case faces.Contract(budget_cuts="strike"):
                return [replace(wedge, strike_usd_t=wedge.strike_usd_t * factor)]
            case _:
                return [
                    replace(wedge, activities=frozenset({activity}), cap_t=tonnes * factor)
                    for activity, tonnes in self.covered[place]
                    if tonnes > 0.0
                ]


def _reaches(network: Network, corridor: faces.Corridor) -> bool:
    """Whether a corridor has a route in the network: only then does the policy hold it."""
    lanes = Lanes(network)
    return any(lanes.find(lane).size for lane in corridor.lanes)
