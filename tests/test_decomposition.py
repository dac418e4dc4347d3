"""Shares of an agreement's instruments: that they add up, and what must hold of them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from friendshore.agreement.document import Agreement
from friendshore.errors import InputRefused
from friendshore.headline import bound, difference, places, position
from friendshore.partway import way
from friendshore.report.account import Names
from friendshore.report.sharing import sharing
from friendshore.run import clear_network, compile_world, guard, measures
from friendshore.shares import STEP, Shares, _exact, _path, parts_of, shares
from friendshore.world.tables import PACKAGED, World

pytestmark = pytest.mark.skipif(not (PACKAGED / "VERSION").exists(), reason="the built world is not here")


@pytest.fixture(scope="module")
def world() -> World:
    return World.load()


@pytest.fixture(scope="module")
def design(world: World) -> Agreement:
    return Agreement.load("plurilateral-2026", world)


@pytest.fixture(scope="module")
def found(world: World, design: Agreement) -> Shares:
    return shares(world, design)


def test_the_shapley_value_of_a_glove_game() -> None:
    """Three players, 0 holds a left glove, 1 and 2 a right one each; a pair is worth 1: two thirds and a sixth each."""

    def worth(mask: int) -> dict[str, float]:
        return {"pairs": float(bool(mask & 1) and bool(mask & 6))}

    assert _exact(worth, 3)["pairs"].tolist() == pytest.approx([2 / 3, 1 / 6, 1 / 6], abs=1e-15)


def test_shares_add_to_the_whole_change_of_every_figure(found: Shares) -> None:
    assert found.method == "shapley"
    assert found.residual <= 1e-9
    sums = found.table.group_by("figure").agg(pl.col("value").sum(), largest=pl.col("value").abs().max())
    assert sums.height == len(found.total) > 100
    for figure, value, largest in sums.iter_rows():
        assert value == pytest.approx(found.total[figure], abs=1e-9 * max(largest, 1.0))


def test_the_whole_change_is_that_of_the_agreement_against_the_status_quo(
    world: World, design: Agreement, found: Shares
) -> None:
    network, day = compile_world(world), design.run_date
    before, after = (clear_network(world, network, measures(world, deal, day)[0], as_of=day) for deal in (None, design))
    at = places(world, bound(design, world, day))
    whole = difference(position(before, at), position(after, at))
    for figure in ("gain_of_parties", "levy_revenue", "gain.EUN", "group.final users, parties"):
        assert found.total[figure] == pytest.approx(whole[figure], rel=1e-6, abs=1.0)


def test_countries_and_groups_add_to_the_same_total(found: Shares) -> None:
    for part in found.parts:
        held = {name: found.of(name)[part] for name in found.total}
        groups = sum(value for name, value in held.items() if name.startswith("group."))
        assert groups == pytest.approx(held["gain_of_world"], abs=1e-3)
        sides = held["gain_of_parties"] + held["gain_of_outsiders"] + held["gain_of_firms"]
        assert sides == pytest.approx(held["gain_of_world"], abs=1e-3)
        assert held["cost_to_parties"] == pytest.approx(-held["gain_of_parties"], abs=1e-6)


def test_an_exact_share_is_the_mean_over_every_order(world: World, design: Agreement, found: Shares) -> None:
    network, day = compile_world(world), design.run_date
    at = places(world, bound(design, world, day))
    names = list(found.parts)
    held: dict[frozenset[str], float] = {}

    def worth(some: frozenset[str]) -> float:
        if some not in held:
            only = {clause for name in some for clause in found.parts[name]}
            wedges = measures(world, design, day, only=only)[0]
            held[some] = position(clear_network(world, network, wedges, as_of=day), at)["gain_of_parties"]
        return held[some]

    sums = dict.fromkeys(names, 0.0)
    for order in itertools.permutations(names):
        for k, name in enumerate(order):
            sums[name] += worth(frozenset(order[: k + 1])) - worth(frozenset(order[:k]))
    for name in names:
        mean = sums[name] / math.factorial(len(names))
        assert found.of("gain_of_parties")[name] == pytest.approx(mean, rel=1e-6, abs=1.0)


def test_a_path_shares_a_linear_change_as_shapley_does() -> None:
    weights = np.array([3.0, -1.0, 0.5])

    def linear(degrees: Sequence[float]) -> dict[str, float]:
        return {"gain_of_world": float(weights @ np.array(degrees))}

    along, nodes = _path(linear, 3)
    exact = _exact(lambda mask: linear([float(mask >> k & 1) for k in range(3)]), 3)
    assert along["gain_of_world"] == pytest.approx(weights, abs=1e-9)
    assert exact["gain_of_world"] == pytest.approx(weights, abs=1e-12)
    assert nodes == 3


def test_a_path_shares_out_by_what_each_adds_on_it() -> None:
    """F = a^2 b: two thirds to a, one third to b, for dF/da = 2 t^2 and dF/db = t^2; Shapley's is a half each."""
    shared, _ = _path(lambda t: {"gain_of_world": 1e6 * t[0] ** 2 * t[1]}, 2)
    assert shared["gain_of_world"] == pytest.approx([2e6 / 3, 1e6 / 3], rel=2 * STEP), "exact but for the step's length"


def test_the_residual_of_a_path_falls_with_its_stretches() -> None:
    """A levy that begins to bite half way: the kink at 0.4321 is found."""

    def kinked(t: Sequence[float]) -> dict[str, float]:
        return {"levy_revenue": 1e9 * max(0.0, (t[0] + t[1]) / 2 - 0.4321) ** 1.5 + 1e8 * t[1]}

    whole = kinked([1.0, 1.0])["levy_revenue"] - kinked([0.0, 0.0])["levy_revenue"]
    left = [
        abs(whole - float(_path(kinked, 2, stretches)[0]["levy_revenue"].sum())) / whole for stretches in (1, 2, 4, 16)
    ]
    assert left == sorted(left, reverse=True)
    assert left[0] > 1e-3 >= left[-1]


@pytest.fixture(scope="module")
def along(world: World, design: Agreement) -> Shares:
    return shares(world, design, exact=0)


def test_a_path_adds_up_but_for_a_residual_that_it_states(found: Shares, along: Shares) -> None:
    assert along.method == "path"
    assert along.nodes >= 3
    for figure, whole in along.total.items():
        assert sum(along.of(figure).values()) + along.residuals[figure] == pytest.approx(whole, abs=1e-3)
        assert whole == pytest.approx(found.total[figure], rel=1e-6, abs=1.0)
    for figure in ("gain_of_parties", "gain_of_users", "levy_revenue", "gain_of_world"):
        assert abs(along.residuals[figure]) <= 1.01e-3 * max(
            abs(along.total[figure]), *map(abs, along.of(figure).values())
        )
    document = along.document()
    assert document["residuals"]["gain_of_parties"] == along.residuals["gain_of_parties"]
    page = sharing(along, Names(), along.parties)
    assert "residual" in page
    assert max(map(len, page.splitlines())) <= 100


APART = """
id: apart
title: Duties in two chains that nothing joins
in_force: 2027-01-01
run_at: 2030-01-01
parties: [USA, EUN, JPN]
tariffs:
  - {id: antimony, goods: antimony.metal, rate: 0.1, adds: true, exporters: non_parties, illustrative: true, rule: made up}
  - {id: titanium, goods: titanium.sponge, rate: 0.1, adds: true, exporters: non_parties, illustrative: true, rule: made up}
"""


def test_parts_that_never_meet_have_the_same_share_along_a_path(world: World, tmp_path: Path) -> None:
    (tmp_path / "apart.yaml").write_text(APART)
    apart = Agreement.load(str(tmp_path / "apart.yaml"), world)
    shapley, path = (shares(world, apart, by="clause", exact=exact) for exact in (5, 0))
    assert (shapley.method, path.method) == ("shapley", "path")
    for figure in ("gain_of_parties", "gain_of_treasuries", "gain.JPN"):
        first, second = shapley.of(figure), path.of(figure)
        assert min(map(abs, first.values())) > 1e4
        for part, value in first.items():
            assert second[part] == pytest.approx(value, abs=2e-3 * max(map(abs, first.values())))


def test_more_than_eight_parts_are_never_combined(world: World, design: Agreement) -> None:
    with pytest.raises(InputRefused, match="may be 2\\^9 markets"):
        shares(world, design, exact=9)


QUOTA = """
id: every-kind
title: Limits, duties and contracts of every kind
in_force: 2027-01-01
run_at: 2030-01-01
parties: [USA, EUN, JPN]
tariff_quotas:
  - {id: trq, good: cobalt.metal, exporters: [everyone], tonnes: 900, rate_in: 0, rate_out: 0.3, illustrative: true, rule: made up}
export_controls:
  - {id: ban, mode: ban, goods: antimony.metal, exporters: CHN, importers: parties, illustrative: true, rule: made up}
  - {id: cap, mode: quota, goods: nickel.class1, exporters: RUS, importers: [EUN], tonnes: 20000, illustrative: true, rule: made up}
subsidies:
  - {id: one, kind: two_way, claw_back: 0.7, good: gallium.metal, strike: 2000 USD per kg of gallium, funding: by_gdp, illustrative: true, rule: made up}
"""


@pytest.mark.parametrize(
    "name", ["plurilateral-2026", "plurilateral-2026-safeguards", "african-refining", "members-restrict", "standards-market",
             "vault-and-offtakes", "alliance-duties", "lobito", "one-subsidy", "every-kind"]
)  # fmt: skip
def test_a_market_moves_without_a_jump_at_either_end_of_the_way(world: World, name: str, tmp_path: Path) -> None:
    if name == "every-kind":
        (tmp_path / "every-kind.yaml").write_text(QUOTA)
        deal = Agreement.load(str(tmp_path / "every-kind.yaml"), world)
    else:
        deal = Agreement.load(name, world)
    day, network = deal.run_date, compile_world(world)
    at = places(world, bound(deal, world, day))
    before, after = (clear_network(world, network, measures(world, one, day)[0], as_of=day) for one in (None, deal))
    after = guard(world, network, deal, before, after, as_of=day)[0]
    along = way(world, deal, before, after, as_of=day)
    assert along.wedges({}) == measures(world, None, day)[0]
    ids = {clause.id: 1.0 for clause in deal.clauses}
    if not deal.safeguards:
        assert sorted(map(repr, along.wedges(ids))) == sorted(map(repr, measures(world, deal, day)[0]))
    whole = difference(position(before, at), position(after, at))
    scale = max(abs(usd) for usd in whole.values())
    assert scale > 1e4
    for degree, end in ((1e-5, before), (1.0 - 1e-5, after)):
        wedges = along.wedges(dict.fromkeys(ids, degree))
        near = clear_network(world, network, wedges, as_of=day, start=end.state)
        moved = difference(position(end, at), position(near, at))
        assert max(abs(usd) for usd in moved.values()) <= 2e-3 * scale


def test_a_clause_that_does_nothing_has_no_share(world: World, design: Agreement) -> None:
    by_clause = shares(world, design.altered(floors=design.floors[2:5]), by="clause", exact=6)
    assert set(by_clause.parts) == {"area", "floor.antimony", "floor.tungsten", "floor.ndpr", "controls", "support.mp"}
    idle = by_clause.of("gain_of_parties")["floor.antimony"]  # its reference stands below the price of the day
    assert abs(idle) <= 1.0
    assert "controls" in sharing(by_clause, Names(), by_clause.parties)


def test_an_agreement_without_effect_has_nothing_to_share_out(world: World) -> None:
    with pytest.raises(InputRefused, match="does anything"):
        shares(world, Agreement.load("no-agreement", world))


def test_parts_are_kinds_of_instrument_or_clauses(world: World, design: Agreement) -> None:
    day = design.run_date
    assert list(parts_of(design, world, day, "instrument")) == ["trade area", "floors", "export controls", "subsidies"]
    assert len(parts_of(design, world, day, "clause")) == 8
    page = sharing(shares(world, design), Names(), ("USA", "JPN"))
    assert max(map(len, page.splitlines())) <= 100


def test_a_safeguard_that_acts_is_a_part_of_its_own(world: World) -> None:
    deal = Agreement.load("plurilateral-2026-safeguards", world)
    found = shares(world, deal.altered(safeguards=deal.safeguards[:1]))
    assert list(found.parts)[-1] == "safeguards"
    assert found.residual <= 1e-9
    assert found.total["levy_revenue"] == pytest.approx(0.0, abs=1.0)  # the floor is suspended
    assert found.of("levy_revenue")["safeguards"] < -1e6 < 1e6 < found.of("levy_revenue")["floors"]
