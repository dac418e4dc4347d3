"""Each measure on the smallest market that shows what it promises."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from bench_hard_cases import faults
from market_cases import lane, one_good
from random_markets import chain

from friendshore import faces
from friendshore.market.accounts import account
from friendshore.market.curves import slice_supply, tranche_supply
from friendshore.market.equilibrium import solve
from friendshore.market.network import Network
from friendshore.market.policy import impose
from friendshore.market.solution import Solution

METAL = "metal.refined"


def trio(**terms) -> Network:
    """A sells to all, B to itself and C, C to itself."""
    return one_good([[30.0, 25.0, 20.0], [0.0, 40.0, 10.0], [0.0, 0.0, 15.0]], [100.0, 104.0, 110.0], **terms)


def under(n: Network, *wedges: faces.Wedge) -> Solution:
    """The market solved, every equilibrium condition checked."""
    p = impose(n, wedges)
    solved = solve(n, p)
    assert faults(n, p, solved) == []
    return solved


def line(n: Network, s: Solution, wedges: list[faces.Wedge], country: str, item: str) -> float:
    return account(n, impose(n, wedges), s).lines.get((country, item, METAL), 0.0)


# -- tariff quota -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("tonnes", "regime"), [(200.0, "inside"), (27.0, "at"), (4.0, "beyond")])
def test_a_tariff_quota_has_three_regimes(tonnes, regime):
    n = trio()
    into_c = lane("AB", "C")
    quota = faces.TariffQuota(clause="trq", lane=into_c, tonnes=tonnes, rate_in=0.02, rate_out=0.3, owner="C")
    solved = under(n, quota)
    (rate,), traded = solved.rate, float(solved.flow[impose(n, [quota]).rate_quotas[0].routes].sum())
    as_tariff = under(n, faces.Tariff(clause="tariff", lane=into_c, rate=float(rate)))
    assert np.allclose(as_tariff.flow, solved.flow, atol=1e-9)
    rent = line(n, solved, [quota], "C", "trq_rent")
    match regime:
        case "inside":
            assert rate == pytest.approx(0.02, abs=1e-10)
            assert traded < tonnes
            assert rent == pytest.approx(0.0, abs=1e-9)
        case "at":
            assert 0.02 < rate < 0.3
            assert traded == pytest.approx(tonnes, rel=1e-9)
            # On every tonne the rent is the rate in force less the rate inside.
            routes = impose(n, [quota]).rate_quotas[0].routes
            assert rent == pytest.approx(float(((rate - 0.02) * solved.cif * solved.flow)[routes].sum()), rel=1e-9)
        case "beyond":
            assert rate == pytest.approx(0.3, abs=1e-10)
            assert traded > tonnes
            routes = impose(n, [quota]).rate_quotas[0].routes
            duty = line(n, solved, [quota], "C", "duty")
            value = float((solved.cif * solved.flow)[routes].sum())
            # tau_in on the quota, tau_out beyond; the rest of a full duty is the licence holders' rent.
            assert duty == pytest.approx(value * (0.02 * tonnes + 0.3 * (traded - tonnes)) / traded, rel=1e-9)
            assert rent == pytest.approx(value * 0.28 * tonnes / traded, rel=1e-9)


# -- contracts --------------------------------------------------------------------------------------------------------


def strike(usd_t: float, cap: float | None = None, two_way: bool = False, claw_back: float = 1.0) -> faces.Contract:
    return faces.Contract(
        clause="contract",
        good=METAL,
        producers=frozenset("B"),
        strike_usd_t=usd_t,
        two_way=two_way,
        claw_back=claw_back,
        cap_t=cap,
    )


def test_a_capped_contract_covers_the_cheapest_tonnes_first():
    n = trio()
    p = impose(n, [strike(150.0, cap=30.0)])
    covered, rest = np.flatnonzero(p.tranche_activity == 1)
    assert (p.tranches.low[covered], p.tranches.high[covered], p.tranches.low[rest]) == (0.0, 30.0, 30.0)
    for margin in (5.0, 20.0, 41.6, 60.0):
        whole, _ = tranche_supply(impose(n, []).tranches, np.full(3, margin))
        parts, _ = tranche_supply(p.tranches, np.full(4, margin))
        assert parts[covered] + parts[rest] == pytest.approx(whole[1], rel=1e-12)
        assert parts[rest] == 0.0 or parts[covered] == 30.0, "no dearer tonne is made before the covered ones are full"


def test_a_contract_capped_below_output_moves_money_and_no_metal():
    """The last tonne earns the market price, so only the covered tonnes' owners notice."""
    n = trio()
    base, capped = under(n), under(n, strike(150.0, cap=30.0))
    assert np.allclose(capped.flow, base.flow, rtol=0.0, atol=1e-9)
    assert np.allclose(capped.price, base.price, rtol=1e-10)
    paid = line(n, capped, [strike(150.0, cap=30.0)], "B", "contract")
    assert paid == pytest.approx(-30.0 * (150.0 - base.price[1]), rel=1e-9)
    gained = line(n, capped, [strike(150.0, cap=30.0)], "B", "producers") - line(n, base, [], "B", "producers")
    assert gained == pytest.approx(-paid, rel=1e-9)


def test_a_contract_capped_above_output_raises_output_up_to_the_cap():
    n = trio()
    base, capped, whole = under(n), under(n, strike(150.0, cap=55.0)), under(n, strike(150.0))
    made = [
        np.bincount(np.array([0, 1, 1, 2])[: s.level.size] if s.level.size == 4 else np.arange(3), s.level)[1]
        for s in (base, capped, whole)
    ]
    assert made[0] < made[1] <= 55.0 + 1e-9
    assert made[1] <= made[2]
    assert capped.price[1] < base.price[1]


@pytest.mark.parametrize("claw_back", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("level", [0.9, 1.1])
def test_a_two_way_contract_pays_below_its_strike_and_takes_above(claw_back, level):
    n = trio()
    contract = strike(104.0 * level, two_way=True, claw_back=claw_back)
    solved = under(n, contract)
    p, made = solved.price[1], solved.level[1]
    received = contract.strike_usd_t + (1.0 - claw_back) * max(0.0, p - contract.strike_usd_t)
    assert line(n, solved, [contract], "B", "contract") == pytest.approx(-(received - p) * made, rel=1e-9, abs=1e-9)
    if claw_back == 0.0:
        one_way = under(n, strike(104.0 * level))
        assert np.allclose(one_way.flow, solved.flow, atol=1e-9)


# -- shortage ---------------------------------------------------------------------------------------------------------


def test_a_country_cut_off_goes_without_at_its_choke_price():
    n = trio(choke=3.0)
    solved = under(
        n,
        faces.Ban(clause="ban", lane=lane("AB", "C")),
        faces.Subsidy(clause="s", good=METAL, producers=frozenset("C"), usd_t=0.0),
    )
    assert solved.flow[(n.route_market == 2) & (n.route_source != 2)].sum() == 0.0
    # C's own mine is still there; where it is the only one, full, the market stands at the choke price.
    n = replace(n, capacity=np.array([200.0, 200.0, 15.0]))
    solved = under(n, faces.Ban(clause="ban", lane=lane("AB", "C")))
    assert solved.index[2] == pytest.approx(n.demand.choke[2], rel=1e-10)
    assert solved.unserved[2] == pytest.approx(solved.wanted[2] - 15.0, rel=1e-9)
    assert not solved.unserved[:2].any()


def test_a_country_with_no_supplier_at_all_buys_nothing():
    n = one_good([[30.0, 25.0], [0.0, 0.0]], [100.0, 104.0], choke=3.0)
    solved = under(n, faces.Ban(clause="ban", lane=lane("A", "B")))
    assert solved.flow[n.route_market == 1].sum() == 0.0
    assert solved.unserved[1] == pytest.approx(25.0 * 3.0**-0.3, rel=1e-12)


def test_an_activity_cut_off_from_an_input_stands_still():
    n = chain(np.random.default_rng(2), countries=4, stages=2)
    everyone = frozenset(n.countries)
    foreign = faces.Ban(
        clause="ban", lane=faces.Lane(good=n.goods[0], exporters=everyone, importers=frozenset({"C001"}))
    )
    own = int(
        np.flatnonzero(
            (n.source_country[n.route_source] == 1) & (n.market_country[n.route_market] == 1) & (n.route_good == 0)
        )[0]
    )
    p = impose(n, [foreign])
    p = replace(p, open=np.where(np.arange(p.open.size) == own, False, p.open))
    solved = solve(n, p)
    assert faults(n, p, solved) == []
    refinery = n.activities.index("stage1@C001")
    assert solved.level[refinery] == 0.0
    assert solved.flow[n.route_source == int(n.out_source[refinery])].sum() == pytest.approx(0.0, abs=1e-9)


# -- by-products ------------------------------------------------------------------------------------------------------


def test_a_recovery_meets_its_bound_only_when_it_is_worth_it():
    n = chain(np.random.default_rng(4), countries=5, stages=1, recovery=True)
    makers = frozenset(n.countries[c] for c in n.activity_country[n.recovery_activity])
    bound, taken, charge = [], [], []
    for usd_t in (0.0, 500.0, 5000.0, 50000.0):
        solved = under(n, faces.Subsidy(clause="subsidy", good="by.product", producers=makers, usd_t=usd_t))
        bound.append(n.recovery_content * solved.level[n.recovery_host])
        taken.append(solved.level[n.recovery_activity])
        charge.append(solved.recovery_charge)
    assert (charge[0] <= 1e-6).all()
    assert (taken[0] <= bound[0] * (1 + 1e-9)).all()
    assert (charge[-1] > 0.0).all()
    assert np.allclose(taken[-1], bound[-1], rtol=1e-8)
    # What the bound is worth is paid to the host, which runs harder for it.
    assert (bound[-1] > bound[0]).all()
    assert all((after >= before - 1e-9).all() for before, after in pairwise(taken))


def test_joint_output_that_nobody_buys_is_discarded_at_its_lowest_price():
    n = chain(np.random.default_rng(5), countries=4, stages=1, joint=True)
    everyone = frozenset(n.countries)
    # The host good is subsidised so that its companion comes in glut.
    push = faces.Subsidy(clause="push", good=n.goods[0], producers=everyone, usd_t=20000.0)
    base, solved = (
        under(n),
        under(
            n, push, faces.Ban(clause="ban", lane=faces.Lane(good="by.product", exporters=everyone, importers=everyone))
        ),
    )
    assert not base.discarded.any()
    thrown = solved.discarded > 0.0
    assert thrown.any()
    assert np.allclose(solved.price[thrown], n.source_floor[thrown], rtol=1e-9)


# -- the rest ---------------------------------------------------------------------------------------------------------


def test_an_undertaking_gives_the_exporter_its_share_of_the_gap():
    n = trio()
    floor = faces.PriceGap(
        clause="floor", lane=lane("A", "BC"), reference_usd_t=125.0, levy_on="landed_duty_paid", exporter_share=0.3
    )
    levied, shared = under(n, replace(floor, exporter_share=0.0)), under(n, floor)
    assert np.allclose(shared.flow, levied.flow, atol=1e-9)
    gap = float((shared.levy * shared.flow).sum())
    assert line(n, shared, [floor], "A", "undertaking_rent") == pytest.approx(0.3 * gap, rel=1e-9)
    treasuries = sum(line(n, shared, [floor], c, "levy") for c in "BC")
    assert treasuries == pytest.approx(0.7 * gap, rel=1e-9)


def test_a_floor_on_the_landed_price_holds_and_its_levy_never_exceeds_the_gap():
    n = trio()
    floor = faces.PriceGap(clause="floor", lane=lane("A", "BC"), reference_usd_t=125.0, levy_on="landed_duty_paid")
    solved = under(n, floor, faces.Tariff(clause="t", lane=lane("A", "B"), rate=0.4))
    touched = impose(n, [floor]).floor_index >= 0
    assert (solved.delivered[touched] >= 125.0 * (1.0 - 1e-12)).all()
    assert np.allclose(solved.levy[touched], np.maximum(0.0, 125.0 - solved.before_levy[touched]), atol=1e-9)
    assert not solved.levy[~touched].any()


def test_dispersed_consignments_make_a_floor_bite_before_its_mean():
    n = trio()
    floor = faces.PriceGap(
        clause="floor", lane=lane("A", "B"), reference_usd_t=109.0, levy_on="landed_duty_paid", dispersion=0.05
    )
    idle, felt = under(n, replace(floor, dispersion=0.0)), under(n, floor)
    assert not idle.levy.any()
    assert felt.levy.max() > 0.0


def test_offtake_beyond_need_becomes_the_buyers_stock():
    n = trio()
    deal = faces.Offtake(clause="offtake", good=METAL, exporter="A", importer="C", tonnes=90.0)
    solved = under(n, deal)
    assert solved.bought_stock[2] == pytest.approx(90.0 - solved.wanted[2], rel=1e-9)
    assert solved.spot[2] == 0.0


def test_a_reserve_buys_and_sells_its_tonnes():
    n = trio()
    for tonnes in (8.0, -8.0):
        reserve = faces.Reserve(clause="reserve", good=METAL, country="C", tonnes=tonnes, owner="B")
        solved = under(n, reserve)
        arrived = solved.flow[n.route_market == 2].sum()
        assert arrived == pytest.approx(solved.wanted[2] + tonnes, rel=1e-9)
        assert line(n, solved, [reserve], "B", "reserve") == pytest.approx(-tonnes * solved.index[2], rel=1e-9)


def test_a_full_corridor_earns_a_rent_and_an_empty_one_saves_freight():
    n = trio()
    terms = {"clause": "rail", "lanes": (lane("A", "C"),), "freight_saving_usd_t": 6.0, "owner": "A"}
    wide = under(n, faces.Corridor(capacity_t=100.0, **terms))
    narrow = under(n, faces.Corridor(capacity_t=12.0, **terms))
    route = int(np.flatnonzero((n.route_source == 0) & (n.route_market == 2))[0])
    assert wide.corridor_rent[0] == pytest.approx(0.0, abs=1e-9)
    assert wide.flow[route] > n.flow0[route]
    assert narrow.corridor_rent[0] > 0.0
    assert narrow.flow[route] == pytest.approx(12.0, rel=1e-9)


def test_slices_of_a_curve_cut_at_capacity_keep_its_rent():
    """Capacity rent is inside producers' surplus: what the last tonne earns above the margin at which the mine is full."""
    n = trio(spare=1.0)
    p = impose(n, [faces.Subsidy(clause="s", good=METAL, producers=frozenset("ABC"), usd_t=50.0)])
    solved = solve(n, p)
    assert np.allclose(solved.level, n.capacity, rtol=1e-9)
    counted = account(n, p, solved)
    cut = slice_supply(n.supply, np.zeros(3), n.capacity)
    rent = (solved.margin - cut.margin_high) * n.capacity
    assert [counted.capacity_rent[c] for c in "ABC"] == pytest.approx(list(rent), rel=1e-9)
    assert all(counted.lines[c, "producers", METAL] >= counted.capacity_rent[c] for c in "ABC")
