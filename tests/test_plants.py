"""Capacity that is built: another supply curve, the same base year, accounts that close."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import polars as pl
import pytest
from pydantic import ValidationError

from friendshore.agreement.document import Agreement
from friendshore.errors import InputRefused
from friendshore.faces import Plant
from friendshore.headline import bound, difference, places, position
from friendshore.instruments.plant import BuildingCost, NewPlants, published
from friendshore.market.curves import supply
from friendshore.run import clear_network, compile_world, measures, widened
from friendshore.world.tables import PACKAGED, World

pytestmark = pytest.mark.skipif(not (PACKAGED / "VERSION").exists(), reason="the built world is not here")
SMELTER = Plant(clause="p", activities=frozenset({"copper.smelt@COD"}), adds_t=500_000.0)
DAY = date(2030, 1, 1)


@pytest.fixture(scope="module")
def world() -> World:
    return World.load()


def test_plants_make_what_they_were_built_to_make_at_the_margins_of_the_base_year(world: World) -> None:
    network = compile_world(world)
    wider = widened(network, [SMELTER])
    k = network.activities.index("copper.smelt@COD")
    before, after = (supply(each.supply, each.supply.margin)[0] for each in (network, wider))
    assert after[k] - before[k] == pytest.approx(500_000.0)
    assert wider.capacity[k] - network.capacity[k] == pytest.approx(500_000.0)
    assert np.delete(after, k) == pytest.approx(np.delete(before, k))


def test_accounts_close_with_new_plants_and_the_base_year_stays(world: World) -> None:
    network = compile_world(world)
    quo = measures(world, None, DAY)[0]
    plain = clear_network(world, network, quo, as_of=DAY)
    built = clear_network(world, network, [*quo, SMELTER], as_of=DAY)
    assert built.world_total_usd == pytest.approx(built.resource_total_usd, abs=1.0)
    assert built.world_total_usd > plain.world_total_usd, "more capacity, its cost left out, is no loss to the world"
    names = pl.col("activity") == "copper.smelt@COD"
    one, other = (each.activities.filter(names).row(0, named=True) for each in (plain, built))
    assert other["t"] > one["t"] + 50_000
    assert other["base_t"] == one["base_t"]
    assert built.output["base_t"].to_list() == plain.output["base_t"].to_list()


COST = {"usd_t": 1538, "life_years": 33, "discount_rate": 0.08}


def _with(cost: dict[str, object] | None) -> NewPlants:
    terms = {"id": "p", "activities": "copper.smelt@COD", "adds_t": 500000, "opens": "2026-01-01"}
    return NewPlants.model_validate(terms | ({} if cost is None else {"cost": cost}))


def test_building_costs_are_an_annuity() -> None:
    """1538 USD over 33 years at 8 %: factor 0.08 / (1 - 1.08^-33) = 0.0868516, worked by hand."""
    yearly = _with(COST).cost.usd_t_year
    assert float(yearly) == pytest.approx(1538 * 0.0868516, rel=1e-5)
    assert float(BuildingCost(usd_t=1000, life_years=20, discount_rate=0).usd_t_year) == 50.0
    owed = sum(float(yearly) / 1.08**year for year in range(1, 34))
    assert owed == pytest.approx(1538.0, rel=1e-9), "the present value of what is paid is what it cost"


@pytest.mark.parametrize("funding", ["makers", "own", "by_gdp", {"USA": 0.25, "EUN": 0.75}])
def test_what_plants_cost_stands_in_the_accounts_under_who_pays(world: World, funding: object) -> None:
    deal = Agreement.load("african-refining", world)
    plain = deal.altered(plants=(deal.plants[0].model_copy(update={"cost": None}),))
    cost = BuildingCost.model_validate(COST | {"funding": funding})
    paid = deal.altered(plants=(deal.plants[0].model_copy(update={"cost": cost}),))
    network = compile_world(world)
    free = [replace(w, usd_t=0.0) if isinstance(w, Plant) else w for w in measures(world, plain, DAY)[0]]
    without = clear_network(world, network, free, as_of=DAY)
    outcome = clear_network(world, network, measures(world, paid, DAY)[0], as_of=DAY)
    yearly = 500_000 * float(cost.usd_t_year)
    assert outcome.world_total_usd == pytest.approx(outcome.resource_total_usd, abs=1.0)
    assert outcome.resource_parts_usd["investment"] == pytest.approx(yearly)
    assert outcome.world_total_usd == pytest.approx(without.world_total_usd - yearly, abs=1.0)
    assert outcome.flows["t"].to_list() == without.flows["t"].to_list(), "what is sunk moves no metal"
    item = "investment" if funding == "makers" else "public_investment"
    lines = dict(outcome.accounts.filter(pl.col("item") == item).select("country", "usd").iter_rows())
    assert sum(lines.values()) == pytest.approx(-yearly)
    if isinstance(funding, dict):
        assert lines["USA"] == pytest.approx(-0.25 * yearly, rel=1e-5)
        assert set(lines) - {"USA"} <= set(world.countries.filter(pl.col("territory") == "EUN")["code"])
    else:
        assert set(lines) == {"COD"} or funding == "by_gdp"
    at = places(world, bound(paid, world, DAY))
    moved = difference(position(without, at), position(outcome, at))
    whose = "gain_of_producers" if funding == "makers" else "gain_of_treasuries"
    assert moved[whose] == pytest.approx(-yearly, abs=1.0)
    assert moved["gain_of_parties"] == pytest.approx(-yearly, abs=1.0)


def test_a_cost_left_out_is_that_of_the_public_record_and_said() -> None:
    assert float(_with(None).built_at.usd_t) == 1538
    assert "taken to cost 1,538 USD" in _with(None).assumptions()[0]
    assert _with(COST).assumptions() == ()
    unknown = NewPlants.model_validate(
        {"id": "p", "activities": "antimony.smelt@USA", "adds_t": 1, "opens": "2026-01-01"}
    )
    assert unknown.built_at is None
    assert "not counted" in unknown.assumptions()[0]


def test_published_building_costs_have_a_source_and_a_process_of_the_world(world: World) -> None:
    for process, cost in published().items():
        assert process in set(world.activities["process"])
        assert cost.url.startswith("https://")
        assert cost.usd_t > 0


def test_shares_of_the_cost_that_do_not_add_to_one_are_refused() -> None:
    with pytest.raises(ValidationError, match=r"add to 0\.9"):
        BuildingCost.model_validate(COST | {"funding": {"USA": 0.4, "EUN": 0.5}})


def test_refining_moves_to_congo_only_with_a_plant_to_take_the_ore(world: World) -> None:
    deal = Agreement.load("african-refining", world)
    network = compile_world(world)

    def smelted(*clauses: str) -> float:
        outcome = clear_network(world, network, measures(world, deal, DAY, only=set(clauses))[0], as_of=DAY)
        return float(outcome.activities.filter(pl.col("activity") == "copper.smelt@COD")["t"][0])

    alone, both = smelted("ore.copper"), smelted("ore.copper", "smelter.kamoa")
    assert alone < 240_000, "what stood in 2024 cannot take the ore"
    assert both > 400_000


def test_plants_of_an_activity_that_nobody_runs_are_refused(world: World) -> None:
    nobody = Plant(clause="p", activities=frozenset(), adds_t=1.0)
    with pytest.raises(InputRefused, match="made nothing in the base year"):
        widened(compile_world(world), [nobody])


def test_a_plant_that_is_not_open_yet_changes_nothing(world: World) -> None:
    deal = Agreement.load("african-refining", world)
    clause = deal.plants[0].model_copy(update={"opens": date(2031, 1, 1)})
    held = deal.altered(plants=(clause,))
    assert not any(isinstance(wedge, Plant) for wedge in measures(world, held, DAY)[0])
    assert any(isinstance(wedge, Plant) for wedge in measures(world, deal, DAY)[0])
