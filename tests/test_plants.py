"""Capacity that is built: another supply curve, the same base year, accounts that close."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
import pytest

from friendshore.agreement.document import Agreement
from friendshore.errors import InputRefused
from friendshore.faces import Plant
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
