"""What must hold in every market: balance, accounts, units, names, and which measures are one and the same.

Markets are drawn from seeds by `random_markets`; each failure names its seed.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from bench_hard_cases import attempt, faults, hard_case
from hypothesis import given, settings
from hypothesis import strategies as st
from market_cases import crosses, halved, lane, one_good, relabel, rescale, route_lane
from random_markets import ALL_KINDS, chain, policies

from friendshore import faces
from friendshore.errors import MarketError
from friendshore.market.accounts import account
from friendshore.market.equilibrium import solve
from friendshore.market.network import Network
from friendshore.market.policy import impose
from friendshore.market.solution import Solution

SEEDS = range(6)
SAMPLE = 200  # of the ten thousand hard cases; `make bench` runs them all


def world(seed: int, **terms) -> tuple[Network, np.random.Generator]:
    rng = np.random.default_rng([11, seed])
    kind = {"recovery": seed % 3 == 0, "joint": seed % 3 == 1, "tight": 0.3, "density": 0.7, "countries": 6} | terms
    return chain(rng, **kind), rng


def close(left: Solution, right: Solution, tolerance: float = 1e-9) -> bool:
    """Whether two solutions have the same prices and flows."""
    size = np.maximum(left.flow.max(), right.flow.max())
    return bool(
        np.allclose(left.price, right.price, rtol=tolerance, atol=0.0)
        and np.allclose(left.flow, right.flow, rtol=0.0, atol=tolerance * size)
    )


def gross(lines: dict) -> float:
    return sum(abs(usd) for usd in lines.values())


# -- the base year ----------------------------------------------------------------------------------------------------


@given(
    seed=st.integers(0, 10**6),
    countries=st.integers(2, 9),
    stages=st.integers(1, 3),
    density=st.floats(0.2, 1.0),
    by_product=st.sampled_from(["none", "joint", "recovery"]),
)
@settings(max_examples=60)
def test_the_base_year_is_reproduced(seed, countries, stages, density, by_product):
    n = chain(
        np.random.default_rng(seed), countries, stages, density=density, tight=0.5, joint=by_product == "joint",
        recovery=by_product == "recovery",
    )  # fmt: skip
    solved = solve(n, impose(n, []))
    assert np.abs(solved.flow - n.flow0).max() <= 1e-10 * n.flow0.max()
    assert np.abs(solved.price / n.source_price - 1.0).max() <= 1e-10
    assert np.abs(solved.level - n.supply.level).max() <= 1e-10 * n.supply.level.max()
    assert not solved.unserved.any()
    assert not solved.discarded.any()


# -- every condition, every kind of measure ---------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_tonnes_are_conserved_and_accounts_close_under(kind):
    for seed in range(4):
        n, rng = world(seed)
        p = impose(n, policies(rng, n, (kind, "floor")))
        try:
            solved = solve(n, p)
        except MarketError as refusal:
            assert refusal.certificate, f"seed {seed}: {refusal}"
            continue
        made = np.bincount(p.out_source, weights=p.out_coef * solved.level[p.out_tranche], minlength=n.source_good.size)
        left = np.bincount(n.route_source, weights=solved.flow, minlength=n.source_good.size) + solved.discarded
        assert np.abs(made + n.stock_release - left).max() <= 1e-9 * n.source_size.max(), f"seed {seed}"
        counted = account(n, p, solved)
        assert abs(counted.total - counted.resources.total) <= 1e-9 * gross(counted.lines), f"seed {seed}"
        assert counted.resources.switching >= 0.0
        assert faults(n, p, solved) == [], f"seed {seed}"


def test_a_sample_of_the_hard_cases_is_solved_and_every_answer_right():
    results = [attempt(number) for number in range(SAMPLE)]
    bad = [(r.number, r.outcome, r.remark) for r in results if r.outcome not in ("solved", "refused")]
    assert not bad
    assert sum(r.outcome == "solved" for r in results) >= 0.995 * SAMPLE


@pytest.mark.parametrize(
    ("what", "spoil"),
    [
        ("tonnes of a source", lambda s: {"flow": s.flow * (1.0 + 1e-6)}),
        ("cif", lambda s: {"price": s.price * (1.0 + 1e-6)}),
        ("levy", lambda s: {"levy": s.levy + 1.0}),
        ("levels", lambda s: {"level": s.level * (1.0 - 1e-6)}),
        ("quota", lambda s: {"quota_rent": s.quota_rent + 1.0}),
        ("unserved below the choke price", lambda s: {"unserved": s.unserved + 0.01 * s.wanted}),
        ("discarding", lambda s: {"discarded": s.discarded + 1e-3 * s.flow.max()}),
    ],
)
def test_the_checks_see_a_wrong_answer(what, spoil):
    n, wedges = hard_case(1)
    p = impose(n, wedges)
    solved = solve(n, p)
    assert faults(n, p, solved) == []
    assert any(found.startswith(what) for found in faults(n, p, replace(solved, **spoil(solved))))


# -- the same market written differently ------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("tonnes", "money"), [(1000.0, 1.0), (1.0, 0.01), (1e-3, 7.3)])
def test_units_do_not_matter(seed, tonnes, money):
    n, rng = world(seed)
    wedges = policies(rng, n)
    other_n, other_wedges = rescale(n, wedges, tonnes, money)
    p, other_p = impose(n, wedges), impose(other_n, other_wedges)
    here, there = solve(n, p), solve(other_n, other_p)
    assert np.allclose(there.price, here.price * money / tonnes, rtol=1e-8)
    assert np.allclose(there.flow, here.flow * tonnes, rtol=0.0, atol=1e-8 * tonnes * here.flow.max())
    assert np.allclose(there.share, here.share, atol=1e-8)
    ours, theirs = account(n, p, here), account(other_n, other_p, there)
    assert theirs.total == pytest.approx(money * ours.total, abs=1e-8 * money * gross(ours.lines))


@pytest.mark.parametrize("seed", SEEDS)
def test_names_and_order_do_not_matter(seed):
    n, rng = world(seed)
    wedges = policies(rng, n)
    other = relabel(n, rng.permutation(len(n.countries)), rng.permutation(len(n.goods)))
    here, there = solve(n, impose(n, wedges)), solve(other, impose(other, wedges))
    at = other.source_index()
    order = [at[key] for key in n.source_index()]
    assert np.allclose(there.price[order], here.price, rtol=1e-9)

    def routes(n: Network, s: Solution) -> dict[tuple[str, str, str], float]:
        sells, buys = n.source_country[n.route_source], n.market_country[n.route_market]
        return {
            (n.goods[g], n.countries[i], n.countries[j]): float(x)
            for g, i, j, x in zip(n.route_good, sells, buys, s.flow, strict=True)
        }

    ours, theirs = routes(n, here), routes(other, there)
    assert ours.keys() == theirs.keys()
    assert max(abs(ours[key] - theirs[key]) for key in ours) <= 1e-9 * here.flow.max()


@pytest.mark.parametrize("seed", SEEDS)
def test_an_origin_split_in_two_changes_nothing(seed):
    n, rng = world(seed, stages=1, recovery=False, joint=False, density=1.0)
    twin_of = n.countries[0]
    source = int(np.flatnonzero(n.source_country == 0)[-1])
    other = halved(n, source)
    bloc = frozenset(n.countries[3:])
    sellers = frozenset(n.countries[:3])
    top = float(n.index0.mean())
    wedges = [
        faces.PriceGap(
            clause="floor",
            lane=lane(sellers, bloc, n.goods[0]),
            reference_usd_t=top * rng.uniform(1.0, 1.3),
            levy_on="cif",
        ),
        faces.Quota(
            clause="quota",
            lane=lane(sellers, bloc, n.goods[0]),
            tonnes=0.6 * float(n.flow0[crosses(n)].sum()),
            owner=twin_of,
        ),
        faces.Subsidy(clause="subsidy", good=n.goods[0], producers=frozenset({twin_of}), usd_t=0.1 * top),
    ]
    both = [
        replace(w, lane=replace(w.lane, exporters=w.lane.exporters | {"TWIN"}))
        if isinstance(w, faces.PriceGap | faces.Quota)
        else replace(w, producers=w.producers | {"TWIN"})
        for w in wedges
    ]
    here, there = solve(n, impose(n, wedges)), solve(other, impose(other, both))
    old = np.arange(n.source_good.size)
    assert np.allclose(there.price[old], here.price, rtol=1e-9)
    assert there.price[-1] == pytest.approx(there.price[source], rel=1e-9)
    assert np.allclose(there.index, here.index, rtol=1e-9)
    joined = np.where(other.route_source == old.size, source, other.route_source)
    flows = np.zeros((old.size, n.market_good.size))
    np.add.at(flows, (joined, other.route_market), there.flow)
    np.subtract.at(flows, (n.route_source, n.route_market), here.flow)
    assert np.abs(flows).max() <= 1e-9 * here.flow.max()


# -- measures that are one and the same -------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("levy_on", ["landed_duty_paid", "cif"])
def test_a_levy_is_the_specific_duty_of_its_size(seed, levy_on):
    n, rng = world(seed)
    others = policies(rng, n, ("quota", "two_way", "tariff"))
    floors = [
        w
        for _ in range(2)
        for w in policies(rng, n, ("floor" if levy_on == "landed_duty_paid" else "cif_floor",), low=1.1, high=1.5)
    ]
    p = impose(n, [*others, *floors])
    levied = solve(n, p)
    assert levied.levy.any()
    duties = [
        faces.Tariff(clause="duty", lane=route_lane(n, r), specific_usd_t=float(levied.levy[r]), adds=True)
        for r in np.flatnonzero(levied.levy)
    ]
    q = impose(n, [*others, *duties])
    taxed = solve(n, q)
    assert close(levied, taxed)
    assert np.allclose(taxed.delivered, levied.delivered, rtol=1e-9)
    ours, theirs = account(n, p, levied), account(n, q, taxed)
    assert theirs.total == pytest.approx(ours.total, abs=1e-9 * gross(ours.lines))
    assert sum_of(ours, "duty") + sum_of(ours, "levy") == pytest.approx(sum_of(theirs, "duty"), rel=1e-8)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_quota_is_the_export_tax_that_yields_its_rent(seed):
    n, rng = world(seed)
    good = n.goods[0]
    exporter, importers = n.countries[0], frozenset(n.countries[2:])
    fenced = lane({exporter}, importers, good)
    tonnes = float(n.flow0[[r for r in crosses(n) if same(route_lane(n, r), fenced)]].sum())
    if tonnes == 0.0:
        exporter = n.countries[int(n.source_country[0])]
        importers = frozenset(n.countries) - {exporter}
        fenced = lane({exporter}, importers, good)
        tonnes = float(n.flow0[[r for r in crosses(n) if same(route_lane(n, r), fenced)]].sum())
    others = policies(rng, n, ("two_way", "tariff"))
    p = impose(n, [*others, faces.Quota(clause="quota", lane=fenced, tonnes=0.6 * tonnes, owner=exporter)])
    limited = solve(n, p)
    (rent,) = limited.quota_rent
    assert rent > 0.0
    q = impose(n, [*others, faces.ExportTax(clause="tax", lane=fenced, specific_usd_t=float(rent), adds=True)])
    taxed = solve(n, q)
    assert close(limited, taxed)
    ours, theirs = account(n, p, limited), account(n, q, taxed)
    assert sum_of(ours, "quota_rent") == pytest.approx(
        sum_of(theirs, "export_tax") - sum_of(ours, "export_tax"), rel=1e-8
    )
    for country in n.countries:
        assert of_country(ours, country) == pytest.approx(of_country(theirs, country), abs=1e-8 * gross(ours.lines))


def same(one: faces.Lane, many: faces.Lane) -> bool:
    return one.good == many.good and one.exporters <= many.exporters and one.importers <= many.importers


def sum_of(counted, item: str) -> float:
    return sum(usd for (_, name, _), usd in counted.lines.items() if name == item)


def of_country(counted, country: str) -> float:
    return sum(usd for (holder, _, _), usd in counted.lines.items() if holder == country)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("duties", [False, True])
def test_harvest_moves_the_levy_to_the_exporter_and_nothing_else(seed, duties):
    n, rng = world(seed)
    if not duties:
        landed = n.source_price[n.route_source] + n.freight
        n = replace(n, tariff0=np.zeros_like(n.tariff0), delivered0=landed)
        share = np.bincount(n.route_market, weights=np.exp(n.log_share) * landed, minlength=n.index0.size)
        n = replace(n, index0=share)
    floors = [replace(w, phase=1.0) for _ in range(2) for w in policies(rng, n, ("floor",), low=1.0, high=1.4)]
    p = impose(n, floors)
    levied = solve(n, p)
    paid = np.flatnonzero(levied.levy * levied.flow)
    assert paid.size
    # Duty on the customs value applies to the tax as well, so the tax that fills the gap is smaller than the gap.
    tax = levied.levy / (1.0 + levied.tariff)
    taxes = [
        faces.ExportTax(clause="harvest", lane=route_lane(n, r), specific_usd_t=float(tax[r]), adds=True)
        for r in np.flatnonzero(levied.levy)
    ]
    q = impose(n, [*floors, *taxes])
    harvested = solve(n, q)
    assert close(levied, harvested)
    assert np.allclose(harvested.delivered, levied.delivered, rtol=1e-9)
    assert np.abs(harvested.levy).max() <= 1e-7 * levied.delivered.max()
    before, after = account(n, p, levied), account(n, q, harvested)
    assert after.total == pytest.approx(before.total, abs=1e-9 * gross(before.lines))
    moved = float((levied.levy * levied.flow).sum())
    to_exporters, to_duty = float((tax * levied.flow).sum()), float((tax * levied.tariff * levied.flow).sum())
    assert sum_of(after, "export_tax") - sum_of(before, "export_tax") == pytest.approx(to_exporters, rel=1e-7)
    assert sum_of(after, "duty") - sum_of(before, "duty") == pytest.approx(to_duty, rel=1e-7, abs=1e-7 * moved)
    assert sum_of(before, "levy") == pytest.approx(to_exporters + to_duty, rel=1e-9)
    if not duties:
        assert to_exporters == pytest.approx(moved, rel=1e-12)
    for country in n.countries:
        at = n.countries.index(country)
        sells, buys = n.source_country[n.route_source] == at, n.market_country[n.route_market] == at
        change = (tax * levied.flow)[sells].sum() - (tax * levied.flow)[buys].sum()
        assert of_country(after, country) - of_country(before, country) == pytest.approx(
            change, abs=1e-8 * gross(before.lines)
        )


# -- measures that do nothing -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_a_floor_that_does_not_bind_changes_nothing(seed):
    n, rng = world(seed)
    others = policies(rng, n, ("quota", "tariff", "export_tax", "one_way"))
    without = solve(n, impose(n, others))
    idle = []
    for g, good in enumerate(n.goods):
        least = float(without.cif[n.route_good == g].min())
        everyone = frozenset(n.countries)
        for levy_on in ("cif", "landed_duty_paid"):
            idle.append(
                faces.PriceGap(
                    clause=levy_on, lane=lane(everyone, everyone, good), reference_usd_t=0.999 * least, levy_on=levy_on
                )
            )
    p = impose(n, [*others, *idle])
    solved = solve(n, p)
    assert close(without, solved, 1e-11)
    assert not solved.levy.any()


@pytest.mark.parametrize("cap_share", [None, 0.3, 0.99, 5.0])
@pytest.mark.parametrize("seed", SEEDS)
def test_a_contract_that_does_not_bind_changes_nothing(seed, cap_share):
    n, rng = world(seed)
    others = policies(rng, n, ("floor", "quota", "tariff"))
    p = impose(n, others)
    without = solve(n, p)
    good = n.goods[-1]
    rows = n.source_good == len(n.goods) - 1
    idle = faces.Contract(
        clause="contract", good=good, producers=frozenset(n.countries), strike_usd_t=0.99 * float(without.price[rows].min()),
        cap_t=None if cap_share is None else cap_share * float(n.source_size[rows].min()),
    )  # fmt: skip
    q = impose(n, [*others, idle])
    solved = solve(n, q)
    if cap_share is not None and cap_share < 1.0:
        assert q.tranche_activity.size > p.tranche_activity.size
    assert close(without, solved, 1e-10)
    level = np.bincount(q.tranche_activity, weights=solved.level)
    assert np.allclose(level, without.level, rtol=0.0, atol=1e-10 * level.max())
    assert account(n, q, solved).total == pytest.approx(account(n, p, without).total, rel=1e-9)
    assert sum_of(account(n, q, solved), "contract") == 0.0


@pytest.mark.parametrize("kind", [k for k in ALL_KINDS if k != "offtake"])
def test_a_zero_flow_stays_zero_under(kind):
    n = one_good([[30.0, 0.0, 20.0], [10.0, 40.0, 0.0], [0.0, 5.0, 25.0]], [100.0, 110.0, 95.0], choke=3.0)
    never = n.flow0 == 0.0
    assert never.sum() == 3
    for seed in range(5):
        p = impose(n, policies(np.random.default_rng(seed), n, (kind, "floor")))
        solved = solve(n, p)
        assert not solved.flow[never].any()
        assert faults(n, p, solved) == []
