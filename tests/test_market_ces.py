"""CES sourcing: base reproduced, money adds up, tonnes do not and are reported, and the published example in levels."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from bench_hard_cases import hard_case
from market_cases import lane, one_good
from random_markets import ALL_KINDS, chain, policies

from friendshore import faces
from friendshore.errors import InputRefused, MarketError
from friendshore.market.accounts import account
from friendshore.market.ces import Armington, gained
from friendshore.market.equilibrium import solve
from friendshore.market.policy import impose
from friendshore.market.sensitivity import buyers_index, sensitivities
from friendshore.market.sourcing import armington
from friendshore.run import Assumptions, clear
from friendshore.world import network
from friendshore.world.tables import World

FOUR_REGIONS = Path(__file__).parent.parent / "examples" / "networks" / "four-regions.yaml"
TWO_COUNTRIES = FOUR_REGIONS.with_name("two-country-tariff.yaml")


def drawn(seed, measures=(*ALL_KINDS, "floor")):
    rng = np.random.default_rng([41, seed])
    n = chain(rng, 6, 3, recovery=seed % 2 == 0, joint=seed % 3 == 0, sigma_scale=1.0)
    return replace(n, sourcing="ces"), policies(rng, n, measures, low=0.9, high=1.3), rng


# -- the published example ----------------------------------------------------------------------------------------------


def test_the_four_region_example_solves_its_own_equations():
    """u = (1 + x) T1 / T0, P = (sum theta u^(1-5))^(1/(1-5)), sum_v M u^-5 P^(5-1.25) = R (1 + x)^1.5, typed afresh."""
    trade = np.array([[0, 50, 200, 300], [500, 0, 150, 200], [300, 100, 200, 200], [50, 100, 110, 20.0]])
    t0 = np.array([[1, 1.21, 1.41, 1.22], [1.37, 1, 1.31, 1.23], [1.32, 1.36, 1, 1.18], [1.57, 1.41, 1.25, 1.15]])
    t1 = t0.copy()
    t1[0, 2] = t1[2, 0] = 1.0
    prices = clear(network.read(FOUR_REGIONS, "free trade US-EU")).prices
    x = np.array([prices.filter(pl.col("country") == c)["usd_t"].item() - 1.0 for c in ("US", "JP", "EU", "RW")])
    spent = trade * t0
    u = (1.0 + x[:, None]) * t1 / t0
    composite = (spent / spent.sum(axis=0) * u**-4.0).sum(axis=0) ** -0.25
    sold = (trade * u**-5.0 * composite**3.75).sum(axis=1)
    assert sold == pytest.approx(trade.sum(axis=1) * (1.0 + x) ** 1.5, rel=1e-11)
    assert x == pytest.approx(
        [0.1264599283435739, -0.032290406974397, 0.07932931392367237, -0.017326398735166504], rel=1e-8
    )


def test_logit_buyers_and_ces_buyers_are_not_the_same():
    habits = clear(network.read(FOUR_REGIONS, "free trade US-EU, in tonnes"))
    ratios = clear(network.read(FOUR_REGIONS, "free trade US-EU"))
    assert habits.settings["sourcing"] == "logit"
    assert ratios.settings["sourcing"] == "ces"
    assert (habits.prices["usd_t"] - ratios.prices["usd_t"]).abs().max() > 1e-3
    assert habits.gained.height == 0


def test_a_world_of_one_kind_can_be_asked_for_as_the_other():
    as_stated = clear(network.read(FOUR_REGIONS, "free trade US-EU"))
    in_tonnes = network.read(FOUR_REGIONS, "free trade US-EU, in tonnes")
    asked = clear(in_tonnes, sourcing="ces")
    assumed = clear(in_tonnes, assume=Assumptions(sourcing="ces"))
    assert asked.prices["usd_t"].to_list() == as_stated.prices["usd_t"].to_list() == assumed.prices["usd_t"].to_list()


# -- the index and its shares -------------------------------------------------------------------------------------------


def test_the_index_is_the_potential_of_its_shares_and_pays_for_them_all():
    rng = np.random.default_rng(3)
    start, market = np.array([0, 3]), np.array([0, 0, 0, 1, 1])
    d0, d, sigma = rng.uniform(50, 200, 5), rng.uniform(50, 200, 5), np.array([1.5, 8.0])
    w0 = np.array([0.2, 0.5, 0.3, 0.9, 0.1])
    v0 = np.bincount(market, weights=w0 * d0)

    def index(delivered):
        log_value = np.log(w0 * d0 / v0[market])
        relative, share = armington(delivered / d0, log_value, np.log(w0), sigma, start, market)
        return v0 * relative, share

    v, w = index(d)
    assert np.bincount(market, weights=w * d) == pytest.approx(v, rel=1e-14)
    for i in range(5):
        step = np.zeros(5)
        step[i] = 1e-4
        rise = (index(d + step)[0] - index(d - step)[0])[market[i]] / 2e-4
        assert rise == pytest.approx(w[i], rel=1e-8)
    assert index(d0)[0] == pytest.approx(v0, rel=1e-14)
    assert index(d0)[1] == pytest.approx(w0, rel=1e-14)


def test_small_changes_from_equal_prices_are_those_of_logit():
    n = one_good([[30.0, 40.0], [20.0, 60.0]], [100.0, 100.0], freight=0.0)
    duty = [faces.Tariff(clause="t", lane=lane("A", "B"), specific_usd_t=1e-4)]
    moved = [solve(m, impose(m, duty)).price - n.source_price for m in (n, replace(n, sourcing="ces"))]
    assert moved[0] == pytest.approx(moved[1], rel=1e-5)
    assert np.abs(moved[0]).max() > 1e-6


def test_a_closed_origin_is_done_without():
    n = replace(one_good([[30.0, 40.0], [20.0, 60.0]], [100.0, 100.0], choke=20.0), sourcing="ces")
    solved = solve(n, impose(n, [faces.Ban(clause="b", lane=lane("A", "B"))]))
    closed = (n.source_country[n.route_source] == 0) & (n.market_country[n.route_market] == 1)
    assert solved.flow[closed] == 0.0
    assert solved.index[1] > n.index0[1]


# -- the equations ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(8))
def test_the_jacobian_is_the_difference_of_the_residual(seed):
    n, wedges, rng = drawn(seed)
    system = Armington(n, impose(n, wedges))
    x = system.start()
    x[: system.sources] += rng.normal(0.0, 0.05, system.sources)
    x[system.sources :] = np.clip(
        system.extra_low + rng.uniform(0.01, 0.1, system.extras) * system.extra_scale, None, system.extra_high
    )
    point = system.evaluate(x)
    _, by_z, by_f, on_floor = system.residual(x, point)
    scale = np.concatenate([np.ones(system.sources), system.extra_scale])
    step = 1e-6 * scale
    numeric = np.empty((x.size, x.size))
    for k in range(x.size):
        ends = [
            system.residual(y, system.evaluate(y))[0] for y in (x + np.eye(x.size)[k] * s * step[k] for s in (1, -1))
        ]
        numeric[:, k] = (ends[0] - ends[1]) / (2.0 * step[k])
    assert (system.jacobian(point, by_z, by_f, on_floor) - numeric) * scale == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("seed", range(8))
def test_the_base_year_is_reproduced(seed):
    n, _, _ = drawn(seed)
    solved = solve(n, impose(n, []))
    assert solved.flow == pytest.approx(n.flow0, abs=1e-10 * n.flow0.max())
    assert solved.price == pytest.approx(n.source_price, rel=1e-10)
    assert gained(n, solved)[2] == pytest.approx(0.0, abs=1e-10 * n.flow0.max())


@pytest.mark.parametrize("seed", range(20))
def test_money_adds_up_under_every_kind_of_measure(seed):
    n, wedges, _ = drawn(seed)
    policy = impose(n, wedges)
    counted = account(n, policy, solve(n, policy))
    size = sum(abs(usd) for usd in counted.lines.values())
    assert counted.total == pytest.approx(counted.resources.total, abs=1e-11 * size)
    assert counted.resources.switching == 0.0


@pytest.mark.parametrize("number", range(30))
def test_markets_that_are_hard_on_a_solver_are_solved(number):
    n, wedges = hard_case(number)
    n = replace(n, sourcing="ces")
    policy = impose(n, wedges)
    solved = solve(n, policy)
    counted = account(n, policy, solved)
    assert np.abs(solved.residual_t) <= 1e-9 * n.source_size.max()
    assert counted.total == pytest.approx(counted.resources.total, abs=1e-9 * sum(map(abs, counted.lines.values())))


@pytest.mark.parametrize("seed", range(8))
def test_what_is_reported_is_all_that_is_missing(seed):
    """made + released - waste + gained = final use + recipes + stock + reserve, good by good."""
    n, wedges, _ = drawn(seed)
    policy = impose(n, wedges)
    solved = solve(n, policy)
    goods = len(n.goods)
    made = np.bincount(
        n.source_good[policy.out_source], weights=policy.out_coef * solved.level[policy.out_tranche], minlength=goods
    )
    made += np.bincount(n.source_good, weights=n.stock_release - solved.discarded, minlength=goods)
    put = solved.wanted - solved.unserved + solved.reserve_bought + solved.stock_build + solved.bought_stock
    used = np.bincount(n.market_good, weights=put, minlength=goods)
    used += np.bincount(
        n.market_good[policy.in_market], weights=policy.in_coef * solved.level[policy.in_tranche], minlength=goods
    )
    gain = np.bincount(n.market_good, weights=gained(n, solved)[2], minlength=goods)
    assert made + gain == pytest.approx(used, rel=1e-9)
    assert np.abs(gain).max() > 1e-4 * used.max()


# -- the warning --------------------------------------------------------------------------------------------------------


def test_the_outcome_says_how_many_tonnes_came_from_nowhere():
    outcome = clear(network.read(FOUR_REGIONS, "free trade US-EU"))
    arrived = outcome.flows.group_by("good", country="importer").agg(t=pl.col("t").sum())
    rows = outcome.gained.join(arrived, on=["good", "country"]).join(
        outcome.use, on=["good", "country"], suffix="_final"
    )
    assert rows.height == 4
    assert rows["arrived_t"].to_list() == pytest.approx(rows["t"].to_list(), rel=1e-12)
    assert rows["used_t"].to_list() == pytest.approx(rows["t_final"].to_list(), rel=1e-12)
    assert (rows["used_t"] - rows["arrived_t"]).to_list() == pytest.approx(rows["gained_t"].to_list(), abs=1e-12)
    assert rows["share_of_use"].to_list() == pytest.approx((rows["gained_t"] / rows["used_t"]).to_list())
    assert rows["gained_t"].abs().max() > 20.0


def test_the_printed_account_warns_and_names_the_largest(monkeypatch, capsys):
    cli = pytest.importorskip("friendshore.cli")
    for words, warned in (
        (["--experiment", "free trade US-EU"], True),
        (["--experiment", "free trade US-EU, in tonnes"], False),
    ):
        monkeypatch.setattr(sys, "argv", ["friendshore", "clear", str(FOUR_REGIONS), *words])
        with pytest.raises(SystemExit):
            cli.main()
        said = " ".join(capsys.readouterr().out.split())
        assert ("WARNING: TONNES THAT DO NOT ADD UP" in said) is warned
        assert ("widgets US 995 966.9 -28.12 -2.91" in said.replace("\u202f", " ")) is warned


def test_the_document_holds_the_same_rows(monkeypatch, capsys):
    cli = pytest.importorskip("friendshore.cli")
    monkeypatch.setattr(
        sys, "argv", ["friendshore", "clear", str(FOUR_REGIONS), "--experiment", "free trade US-EU", "--json"]
    )
    with pytest.raises(SystemExit):
        cli.main()
    said = json.loads(capsys.readouterr().out)
    assert [row["country"] for row in said["gained"]] == ["EU", "JP", "RWB", "US"]
    missing = sum(row["t"] for row in said["use"]) - sum(row["t"] for row in said["flows"])
    assert sum(row["gained_t"] for row in said["gained"]) == pytest.approx(missing, rel=1e-9)
    assert missing < -10.0


# -- the built world ----------------------------------------------------------------------------------------------------


def test_the_built_world_clears_with_ces_buyers():
    world = World.load()
    base, today = (clear(world, as_of=day, sourcing="ces") for day in (None, date(2026, 3, 1)))
    assert (base.flows["t"] - base.flows["base_t"]).abs().max() <= 1e-10 * base.flows["base_t"].max()
    assert base.gained["gained_t"].abs().sum() <= 1e-10 * base.gained["used_t"].sum()
    assert today.gained["gained_t"].abs().sum() > 1.0
    size = today.accounts["usd"].abs().sum()
    assert today.world_total_usd == pytest.approx(today.resource_total_usd, abs=1e-9 * size)


def test_a_run_with_ces_buyers_warns_and_says_how_it_was_run(monkeypatch, capsys):
    cli = pytest.importorskip("friendshore.cli")
    for words in (["--json"], []):
        monkeypatch.setattr(
            sys, "argv", ["friendshore", "run", "one-floor", "--sourcing", "ces", "--no-stability", *words]
        )
        with pytest.raises(SystemExit) as ended:
            cli.main()
        assert not ended.value.code
        said = capsys.readouterr().out
        if words:
            outcomes = json.loads(said)["outcomes"]
            assert {each["settings"]["sourcing"] for each in outcomes.values()} == {"ces"}
            assert all(each["gained"] for each in outcomes.values())
        else:
            assert said.index("WARNING: TONNES THAT DO NOT ADD UP") < said.index("WHAT THE FLOORS DO TO PRICES")


def test_no_other_way_of_buying_can_be_asked_for(monkeypatch, capsys):
    cli = pytest.importorskip("friendshore.cli")
    monkeypatch.setattr(sys, "argv", ["friendshore", "run", "--sourcing", "homogeneous"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    assert "write logit" in " ".join(capsys.readouterr().err.split())


# -- refusals -----------------------------------------------------------------------------------------------------------


def test_an_elasticity_of_one_or_less_is_refused_by_name():
    n = replace(one_good([[30.0, 40.0], [20.0, 60.0]], [100.0, 100.0], sigma=0.9), sourcing="ces")
    with pytest.raises(MarketError, match=r"above 1, and metal\.refined in A has 0\.9"):
        solve(n, impose(n, []))


def test_a_world_of_curves_has_no_base_to_compare_with():
    with pytest.raises(InputRefused, match="need base flows"):
        clear(network.read(TWO_COUNTRIES, "tariff 1/3"), sourcing="ces")


def test_identical_goods_need_curves():
    with pytest.raises(InputRefused, match="need curves alone"):
        clear(network.read(FOUR_REGIONS), sourcing="homogeneous")


def test_sensitivities_are_for_logit():
    n, wedges, _ = drawn(0)
    policy = impose(n, wedges)
    with pytest.raises(MarketError, match="need logit sourcing"):
        sensitivities(n, policy, solve(n, policy), buyers_index(n, policy, 0))
