"""A number taken apart: the parts add to it, and each has its equation, its clause and its sources."""

from __future__ import annotations

import pytest

from friendshore.agreement.document import Agreement
from friendshore.errors import InputRefused
from friendshore.headline import bound, difference, places, position
from friendshore.report.drafts import traced
from friendshore.run import clear_network, compile_world, measures
from friendshore.why import Trace, why
from friendshore.world.tables import PACKAGED, World

pytestmark = pytest.mark.skipif(not (PACKAGED / "VERSION").exists(), reason="the built world is not here")
ROUTE = "ndpr.oxide.CHN.DEU"


@pytest.fixture(scope="module")
def world() -> World:
    return World.load()


@pytest.fixture(scope="module")
def deal(world: World) -> Agreement:
    return Agreement.load("plurilateral-2026", world)


def sum_of(found: Trace) -> float:
    return sum(part.value for part in found.parts)


def test_the_parts_of_a_delivered_price_add_to_it(world: World, deal: Agreement) -> None:
    found = why(world, deal, f"delivered.{ROUTE}")
    assert sum_of(found) == pytest.approx(found.value, rel=1e-12)
    assert found.value == pytest.approx(110_000.0, rel=1e-6)  # the floor binds: what is delivered costs the reference
    symbols = {part.symbol: part for part in found.parts}
    assert symbols["levy"].clause == "floor.ndpr"
    assert symbols["p"].source
    assert "MP Materials" in " ".join(found.notes)
    assert "[mathematics, section 3]" in traced(found)


def test_a_levy_is_the_gap_that_its_clause_states(world: World, deal: Agreement) -> None:
    found = why(world, deal, f"levy.{ROUTE}")
    assert sum_of(found) == pytest.approx(found.value, rel=1e-9)
    free = why(world, deal, "levy.ndpr.oxide.USA.JPN")
    assert free.value == 0.0
    assert free.notes == ("No floor of the agreement reaches this route.",)


@pytest.mark.parametrize(
    "number", ["gain.ITA", "gain.EUN", "levy_revenue", "cost_to_parties", "group.final users, parties"]
)
def test_the_lines_of_an_account_add_to_the_gain(number: str, world: World, deal: Agreement) -> None:
    found = why(world, deal, number)
    network, day = compile_world(world), deal.run_date
    before = clear_network(world, network, measures(world, None, day)[0], as_of=day)
    after = clear_network(world, network, measures(world, deal, day)[0], as_of=day, start=before.state)
    at = places(world, bound(deal, world, day))
    assert found.value == difference(position(before, at), position(after, at))[number]
    assert sum_of(found) == pytest.approx(found.value, abs=1e-3)


def test_a_number_that_is_not_there_is_refused_with_the_nearest(world: World, deal: Agreement) -> None:
    with pytest.raises(InputRefused, match="did you mean 'gain.ITA'"):
        why(world, deal, "gain.ITL")
    with pytest.raises(InputRefused, match="sells no ndpr.oxide"):
        why(world, deal, "delivered.ndpr.oxide.CHN.MLT")
    with pytest.raises(InputRefused, match="names no good"):
        why(world, deal, "levy.ndpr.oxide")
