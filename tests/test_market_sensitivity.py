"""Derivatives from one adjoint solve against central differences of the whole market solved again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from bench_hard_cases import faults
from market_cases import levied_at_capacity
from random_markets import chain, policies

from friendshore import faces
from friendshore.errors import MarketError
from friendshore.market.accounts import account
from friendshore.market.curves import slice_supply
from friendshore.market.equilibrium import solve
from friendshore.market.network import Network
from friendshore.market.policy import Policy, impose
from friendshore.market.sensitivity import Reading, balance, buyers_index, levy_revenue, sensitivities, shipped
from friendshore.market.solution import Solution

Case = tuple[Network, Policy]
ROUTE_TERMS = (
    "tariff", "specific", "export_tax", "export_specific", "freight", "reference", "phase", "exporter_share", "dispersion", "offtake",
)  # fmt: skip
OUTPUT_TERMS = ("strike", "upside", "subsidy", "strike_dispersion", "out_coef")
NETWORK_TERMS = (
    "premium", "log_share", "delivered0", "theta", "index0", "stock_release", "fixed_cost", "support", "recovery_content",
    "demand.level", "demand.index", "demand.eta", "demand.choke", "supply.level", "supply.margin", "supply.eps", "capacity",
)  # fmt: skip
GROUP_TERMS = ("quota_tonnes", "corridor_tonnes", "rate_quota_tonnes", "rate_in", "rate_out")


def everything(seed: int) -> Case:
    """A market under every kind of measure, some consignments scattered, where nothing stands exactly at a kink."""
    rng = np.random.default_rng([7, seed])
    n = chain(
        rng,
        countries=6,
        stages=2,
        tight=0.3,
        recovery=seed % 2 == 0,
        joint=seed % 3 == 0,
        choke=2.0 if seed % 4 else 1.25,
    )
    wedges = policies(rng, n, low=0.9, high=1.4)
    wedges = [
        replace(w, dispersion=0.05) if isinstance(w, faces.PriceGap) and w.clause == "floor" else w for w in wedges
    ]
    wedges = [
        replace(w, dispersion=0.04) if isinstance(w, faces.Contract) and w.clause == "two_way" else w for w in wedges
    ]
    wedges = [_priced(w, n, seed) if isinstance(w, faces.Offtake) else w for w in wedges]
    makers = frozenset(n.countries[:2])
    premium = {"producers": makers, "usd_t": 40.0, "payers": ((n.countries[2], 1.0),), "paid_by_users": True}
    return n, impose(n, [*wedges, faces.Subsidy(clause="premium", good=n.goods[0], **premium)])


def _priced(deal: faces.Offtake, n: Network, seed: int) -> faces.Offtake:
    """The offtake at a price formula, on another side of its kinks with each seed."""
    at = float(n.source_price[n.source_good == n.goods.index(deal.good)].mean())
    side = (
        {"floor_usd_t": 3.0 * at},
        {"cap_usd_t": 0.2 * at, "upside": 0.4},
        {"floor_usd_t": 0.1 * at, "cap_usd_t": 9.0 * at},
    )
    return replace(deal, **side[seed % 3])


def outcomes(n: Network, p: Policy, s: Solution) -> dict[str, Reading]:
    """The index of the largest market, its dearest levied route, all levies, one country's account and the world's."""
    return {
        "index": buyers_index(n, p, int(np.argmax(s.spot))),
        "flow": shipped(n, p, np.array([int(np.argmax(s.levy * s.flow))])),
        "levy": levy_revenue(n, p, s),
        "country": balance(n, p, s, [n.countries[0]]),
        "users": balance(n, p, s, [n.countries[2]], ("users",)),  # who pay the premium
        "world": balance(n, p, s),
    }


def taken(case: Case, at: Solution, s: Solution) -> dict[str, float]:
    """The same outcomes of solution `s`, of the market and route that were chosen in `at`."""
    lines = account(*case, s).lines
    return {
        "index": float(s.index[int(np.argmax(at.spot))]),
        "flow": float(s.flow[int(np.argmax(at.levy * at.flow))]),
        "levy": float((s.levy * s.flow).sum()),
        "country": sum(usd for (holder, _, _), usd in lines.items() if holder == case[0].countries[0]),
        "users": sum(
            usd for (holder, item, _), usd in lines.items() if (holder, item) == (case[0].countries[2], "users")
        ),
        "world": sum(lines.values()),
    }


def moved(case: Case, name: str, at: int, by: float) -> Case:
    """The case with one number changed."""
    n, p = case
    if name in ROUTE_TERMS or name == "purchases":
        array = getattr(p, name).copy()
        array[at] += by
        p = replace(p, **{name: array})
        if name == "purchases":  # the reserve that buys there already buys the tonne more
            reserves = [(j, t + by if j == at else t, owner, clause) for j, t, owner, clause in p.reserve_holder]
            p = replace(p, reserve_holder=tuple(reserves))
        if name == "offtake":  # and an offtake with a formula ships it at its price
            p = replace(p, priced=tuple(replace(x, tonnes=x.tonnes + by) if x.route == at else x for x in p.priced))
        return n, p
    if name in OUTPUT_TERMS or name == "in_coef":
        array = getattr(p, name).copy()
        array[at] += by
        p = replace(p, **{name: array})
        if name == "subsidy":  # those who pay it already pay the dollar more, alike
            there = [(payers, clause) for rows, _usd, payers, clause in p.subsidy_terms if at in rows]
            more = [(np.array([at]), by / len(there), payers, clause) for payers, clause in there]
            p = replace(p, subsidy_terms=(*p.subsidy_terms, *more))
        return n, p
    if name in GROUP_TERMS:
        kind = {"quota_tonnes": "quotas", "corridor_tonnes": "corridors"}.get(name, "rate_quotas")
        term = name if name.startswith(("rate_i", "rate_o")) else "tonnes"
        groups = list(getattr(p, kind))
        groups[at] = replace(groups[at], **{term: getattr(groups[at], term) + by})
        return n, replace(p, **{kind: tuple(groups)})
    if "." in name:
        curve, part = name.split(".")
        array = getattr(getattr(n, curve), part).copy()
        array[at] += by
        n = replace(n, **{curve: replace(getattr(n, curve), **{part: array})})
    else:
        array = getattr(n, name).copy()
        array[at] += by
        n = replace(n, **{name: array})
    if name == "capacity" or name.startswith("supply."):
        last = p.tranches.high == case[0].capacity[p.tranche_activity]
        high = np.where(last, n.capacity[p.tranche_activity], p.tranches.high)
        p = replace(p, tranches=slice_supply(n.supply.take(p.tranche_activity), p.tranches.low, high))
    return n, p


def largest(by: np.ndarray, value: np.ndarray) -> np.ndarray:
    """The two largest effects among finite terms."""
    rows = np.flatnonzero(np.isfinite(value))
    effect = np.abs(by[rows] * np.where(value[rows] != 0, value[rows], 1.0))
    return rows[np.argsort(-effect)[:2]]


def held(case: Case, name: str) -> np.ndarray:
    n, p = case
    if name in ROUTE_TERMS or name in OUTPUT_TERMS or name in ("purchases", "in_coef"):
        return getattr(p, name)
    if name in GROUP_TERMS:
        kind = {"quota_tonnes": "quotas", "corridor_tonnes": "corridors"}.get(name, "rate_quotas")
        term = name if name.startswith(("rate_i", "rate_o")) else "tonnes"
        return np.array([getattr(group, term) for group in getattr(p, kind)])
    if "." in name:
        curve, part = name.split(".")
        return getattr(getattr(n, curve), part)
    return getattr(n, name)


@pytest.mark.parametrize("seed", range(3))
def test_adjoint_derivatives_are_those_of_the_market_solved_again(seed):
    case = everything(seed)
    solved = solve(*case)
    assert not faults(*case, solved)
    readings = outcomes(*case, solved)
    found = {outcome: sensitivities(*case, solved, read) for outcome, read in readings.items()}
    terms = {outcome: {**by.policy, **by.network} for outcome, by in found.items()}
    here = taken(case, solved, solved)
    wrong, checked = [], 0
    for name in (*ROUTE_TERMS, *OUTPUT_TERMS, *GROUP_TERMS, *NETWORK_TERMS, "purchases", "in_coef"):
        value = held(case, name)
        if name in ("dispersion", "strike_dispersion", "exporter_share", "offtake"):
            value = np.where(value > 0.0, value, np.inf)  # where there is none it cannot fall
        for at in sorted({int(row) for outcome in terms for row in largest(terms[outcome][name], value)}):
            size = abs(value[at]) if value[at] else {"tariff": 0.1, "export_tax": 0.1}.get(name, 10.0)
            off = dict.fromkeys(readings, np.inf)
            for step in (1e-4, 1e-5):  # the better counts: a long step bends, a short one drowns in rounding
                ends = [moved(case, name, at, sign * step * size) for sign in (1.0, -1.0)]
                up, down = (taken(end, solved, solve(*end, start=solved.state)) for end in ends)
                for outcome in readings:
                    by = terms[outcome][name][at]
                    rise = (up[outcome] - down[outcome]) / (2.0 * step * size)
                    least = 1e-3 * abs(here[outcome]) / size  # an elasticity that differences can still see
                    off[outcome] = min(off[outcome], abs(rise - by) / max(abs(by), abs(rise), least))
            checked += len(off)
            wrong += [
                f"{outcome} by {name}[{at}]: {terms[outcome][name][at]:.9g}, off by {error:.1e}"
                for outcome, error in off.items()
                if error > 1e-5
            ]
    assert checked > 150
    assert not wrong, "\n".join(wrong)


def test_a_shortage_and_a_glut_have_derivatives_too():
    """A ban that starves one market and strands a joint product: the active set is part of the equations."""
    rng = np.random.default_rng(5)
    n = chain(rng, countries=4, stages=1, joint=True, choke=1.2)
    everyone = frozenset(n.countries)
    wedges = [
        faces.Ban(clause="ban", lane=faces.Lane(good="by.product", exporters=everyone, importers=everyone)),
        faces.Tariff(
            clause="duty",
            lane=faces.Lane(good="chain.stage0", exporters=everyone, importers=frozenset({"C001"})),
            rate=0.9,
        ),
        faces.Quota(
            clause="quota",
            lane=faces.Lane(good="chain.stage0", exporters=everyone, importers=frozenset({"C002"})),
            tonnes=0.2 * float(n.flow0[n.route_market == 2].sum()),
            owner="C001",
        ),
    ]
    case = n, impose(n, wedges)
    solved = solve(*case)
    assert not faults(*case, solved)
    short = (solved.unserved > 1e-6) & (solved.unserved < solved.wanted * (1 - 1e-6))
    assert short.any()
    assert solved.discarded.any()
    found = sensitivities(*case, solved, balance(*case, solved))
    for name, at in (
        ("demand.choke", int(np.flatnonzero(short)[0])),
        ("quota_tonnes", 0),
        ("source_floor", int(np.argmax(solved.discarded))),
        ("fixed_cost", 0),
        ("freight", int(np.argmax(solved.flow))),
    ):
        value = held(case, name)[at]
        step = 1e-4 * (value or 100.0)
        up, down = ((*end, solve(*end)) for end in (moved(case, name, at, step), moved(case, name, at, -step)))
        rise = (account(*up).total - account(*down).total) / (2.0 * step)
        by = {**found.policy, **found.network}[name][at]
        assert by == pytest.approx(rise, rel=1e-5, abs=1e-6 * abs(account(*case, solved).total) / (value or 100.0)), (
            name
        )


def test_a_price_without_determinate_level_has_no_derivative():
    n, wedges = levied_at_capacity()
    p = impose(n, wedges)
    solved = solve(n, p)
    assert solved.undetermined
    with pytest.raises(MarketError, match="undetermined"):
        sensitivities(n, p, solved, buyers_index(n, p, 0))


def test_welfare_by_a_small_duty_is_its_triangle():
    """From free trade a small duty costs the world nothing to first order, and what it costs the payer another receives."""
    n = chain(np.random.default_rng(3), countries=5, stages=1, choke=None)
    n = replace(n, tariff0=np.zeros_like(n.tariff0))
    p = impose(n, [])
    solved = solve(n, p)
    world = sensitivities(n, p, solved, balance(n, p, solved)).policy["specific"]
    users = sensitivities(n, p, solved, balance(n, p, solved, items=["users"])).policy["specific"]
    assert np.abs(world).max() <= 1e-8 * np.abs(users).max()
