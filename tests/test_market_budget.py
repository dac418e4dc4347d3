"""Budgets and corridors that run out, on random chains: nothing is overspent, nothing overflows, the accounts close."""

from __future__ import annotations

import numpy as np
import pytest
from bench_hard_cases import faults
from random_markets import chain

from friendshore import faces
from friendshore.market.accounts import account
from friendshore.market.budget import Settled, settle, spent
from friendshore.market.equilibrium import solve
from friendshore.market.network import Network
from friendshore.market.policy import Policy
from friendshore.market.solution import Solution


def cleared(n: Network, wedges: list[faces.Wedge]) -> Settled:
    """The settled market, every equilibrium condition and the double count checked."""

    def by(policy: Policy, start: np.ndarray | None) -> Solution:
        return solve(n, policy, start=start)

    found = settle(n, wedges, by)
    assert faults(n, found.policy, found.solved) == []
    counted = account(n, found.policy, found.solved)
    worth = float((found.solved.flow * found.solved.delivered).sum())
    assert abs(counted.total - counted.resources.total) <= 1e-9 * worth
    return found


def support(n: Network, rng: np.random.Generator, cuts: str, budget: dict[str, float]) -> list[faces.Wedge]:
    """A contract on the last good, a subsidy on the first and a reserve, each with a budget."""
    first, last = n.goods[0], n.goods[-1]
    price = {g: float(n.source_price[n.source_good == n.goods.index(g)].mean()) for g in (first, last)}
    some = frozenset(str(c) for c in rng.choice(n.countries, 3, replace=False))
    market = int(np.flatnonzero(n.market_good == n.goods.index(last))[0])
    where = n.countries[n.market_country[market]]
    return [
        faces.Contract(
            clause="contract", good=last, producers=some, strike_usd_t=1.4 * price[last], two_way=bool(rng.random() < 0.5),
            claw_back=0.5, budget_usd=budget.get("contract", np.inf), budget_cuts="strike" if cuts == "strike" else "volume",
        ),
        faces.Subsidy(
            clause="subsidy", good=first, producers=frozenset(n.countries), usd_t=0.2 * price[first],
            budget_usd=budget.get("subsidy", np.inf),
        ),
        faces.Reserve(
            clause="reserve", good=last, country=where, tonnes=0.2 * float(n.demand.level[market]), owner=where,
            budget_usd=budget.get("reserve", np.inf),
        ),
    ]  # fmt: skip


@pytest.mark.parametrize("cuts", ["volume", "strike"])
@pytest.mark.parametrize("seed", range(6))
def test_several_budgets_are_spent_exactly_where_they_bind_and_never_exceeded(seed: int, cuts: str) -> None:
    rng = np.random.default_rng([3, seed])
    n = chain(rng, countries=5, stages=2, joint=seed % 3 == 0)
    state = rng.bit_generator.state
    free = cleared(n, support(n, rng, cuts, {}))
    spends = {each.clause: each.spent for each in free.budgets}
    part = dict(zip(spends, (0.5, 0.8, 2.0), strict=True))  # the last suffices
    budget = {name: part[name] * abs(usd) for name, usd in spends.items()}
    rng.bit_generator.state = state
    found = cleared(n, support(n, rng, cuts, budget))
    for each in found.budgets:
        assert each.spent <= budget[each.clause] * (1 + 1e-9), each.clause
        assert each.spent == spent(found.policy, found.solved, n, each.clause)
        assert each.binds == (each.factor < 1.0)
        if each.binds:
            assert each.spent == pytest.approx(budget[each.clause], rel=1e-9)
    assert [each.clause for each in found.budgets if each.clause == "reserve" and each.binds] == []
    assert any(each.binds for each in found.budgets)


@pytest.mark.parametrize("seed", range(10))
def test_a_corridor_with_a_way_around_is_never_worth_more_than_it_saves(seed: int) -> None:
    """Its rent is nought while there is room, up to the saving when it is full, and the saving when it overflows."""
    rng = np.random.default_rng([5, seed])
    n = chain(rng, countries=5, stages=2)
    wedges: list[faces.Wedge] = []
    free = solve(n, cleared(n, []).policy)
    for number, good in enumerate(n.goods[:2]):
        sells, buys = (frozenset(str(c) for c in rng.choice(n.countries, 2, replace=False)) for _ in range(2))
        lane = faces.Lane(good=good, exporters=sells, importers=buys - sells)
        if not lane.importers:
            continue
        r = np.flatnonzero(
            (n.route_good == n.goods.index(good))
            & np.isin(n.source_country[n.route_source], [n.countries.index(c) for c in lane.exporters])
            & np.isin(n.market_country[n.route_market], [n.countries.index(c) for c in lane.importers])
        )
        saving = 0.5 * float(n.freight[r].min(initial=100.0))
        room = float(free.flow[r].sum()) * float(rng.uniform(0.9, 1.1))
        wedges.append(
            faces.Corridor(
                clause=f"rail.{number}",
                lanes=(lane,),
                freight_saving_usd_t=saving,
                capacity_t=room,
                owner=n.countries[0],
                bypass=True,
            )
        )
    found = cleared(n, wedges)
    s = found.solved
    savings = {w.clause: w.freight_saving_usd_t for w in wedges if isinstance(w, faces.Corridor)}
    for group, rent in zip(found.policy.corridors, s.corridor_rent, strict=True):
        used = float(s.flow[group.routes].sum())
        assert -1e-9 <= rent <= savings[group.clause]
        assert used <= group.tonnes * (1 + 1e-9)
        assert rent == pytest.approx(0.0, abs=1e-6) or used == pytest.approx(group.tonnes, rel=1e-8)
    for over in found.policy.overflows:
        assert float(s.flow[over.routes].sum()) >= over.tonnes
        assert (found.policy.freight[over.routes] == n.freight[over.routes]).all()
    assert len(found.policy.corridors) + len(found.policy.overflows) == len(wedges)


def test_a_corridor_without_a_way_around_carries_no_more_than_it_can() -> None:
    rng = np.random.default_rng(11)
    n = chain(rng, countries=4, stages=1)
    lane = faces.Lane(good=n.goods[0], exporters=frozenset(n.countries[:2]), importers=frozenset(n.countries[2:]))
    shut = faces.Corridor(clause="rail", lanes=(lane,), freight_saving_usd_t=1.0, capacity_t=0.1, owner=n.countries[0])
    found = cleared(n, [shut])
    assert found.policy.overflows == ()
    assert float(found.solved.flow[found.policy.corridors[0].routes].sum()) <= 0.1 * (1 + 1e-9)


def test_a_budget_of_nothing_is_no_support_at_all() -> None:
    rng = np.random.default_rng(2)
    n = chain(rng, countries=4, stages=1)
    state = rng.bit_generator.state
    plain = cleared(n, [])
    rng.bit_generator.state = state
    none = cleared(n, support(n, rng, "volume", dict.fromkeys(("contract", "subsidy", "reserve"), 0.0)))
    assert np.allclose(none.solved.flow, plain.solved.flow, rtol=1e-9)
    assert [each.spent for each in none.budgets] == [0.0, 0.0, 0.0]
