"""Shares of an agreement's instruments: that they add up, and what must hold of them."""

from __future__ import annotations

import itertools
import math

import polars as pl
import pytest

from friendshore.agreement.document import Agreement
from friendshore.errors import InputRefused
from friendshore.headline import bound, difference, places, position
from friendshore.report.account import Names
from friendshore.report.sharing import sharing
from friendshore.run import clear_network, compile_world, measures
from friendshore.shares import Shares, _exact, parts_of, shares
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
    assert found.method == "exact"
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


def test_shares_drawn_from_orders_add_up_and_lie_near_the_exact_ones(
    world: World, design: Agreement, found: Shares
) -> None:
    drawn = shares(world, design, exact=2, pairs=8, seed=7)
    assert drawn.method == "sampled"
    assert drawn.orders == 16
    assert drawn.residual <= 1e-9
    errors = dict(
        drawn.table.filter(pl.col("figure") == "gain_of_parties").select("part", "standard_error").iter_rows()
    )
    for part, value in found.of("gain_of_parties").items():
        near = abs(drawn.of("gain_of_parties")[part] - value)
        assert near <= 6.0 * errors[part] + 0.01 * abs(found.total["gain_of_parties"])
    again = shares(world, design, exact=2, pairs=8, seed=7)
    assert again.table.equals(drawn.table)


def test_a_clause_that_does_nothing_has_no_share(world: World, design: Agreement) -> None:
    by_clause = shares(world, design.altered(floors=design.floors[2:5]), by="clause")
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
