"""A number taken apart: the parts add to it, and each has its equation, its clause and its sources."""

from __future__ import annotations

import json

import pytest

from friendshore.agreement.document import Agreement
from friendshore.downstream.tables import sources as bill_sources
from friendshore.errors import InputRefused
from friendshore.headline import bound, difference, inside_prices, places, position, supply
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


KINDS = [  # a number of each kind, and the clause that is behind each
    ("delivered.ndpr.oxide.CHN.DEU", "USD/t", "floor.ndpr"),
    ("flow.ndpr.oxide.CHN.JPN", "t", "floor.ndpr"),
    ("gain_of_users", "USD", "floor.ndpr"),
    ("group.refiners, parties", "USD", "floor.ndpr"),
    ("account.JPN.levy.ndpr.oxide", "USD", "floor.ndpr"),
    ("account.EUN.levy.ndpr.oxide", "USD", "floor.ndpr"),
    ("account.USA.contract.ndpr.oxide", "USD", "support.mp"),
    ("account.DEU.users.ndfeb.magnet", "USD", "floor.ndpr"),
    ("import_reliance.ndpr.oxide", "%", "floor.ndpr"),
    ("largest_supplier.ndpr.oxide", "%", "floor.ndpr"),
    ("concentration.ndpr.oxide", "", "floor.ndpr"),
    ("imports.ndpr.oxide", "t", "floor.ndpr"),
    ("price_inside.ndfeb.magnet", "USD/t", "floor.ndpr"),
    ("unit_value.ndfeb.magnet", "USD/t", "floor.ndpr"),
    ("product.fighter aircraft.USA", "USD/aircraft", "floor.ndpr"),
]


@pytest.mark.parametrize(("number", "unit", "clause"), KINDS)
def test_a_number_of_every_kind_has_its_equation_its_clause_and_its_sources(
    number: str, unit: str, clause: str, world: World, deal: Agreement
) -> None:
    found = why(world, deal, number)
    assert found.unit == unit
    assert found.equation
    assert sum_of(found) == pytest.approx(found.value, rel=1e-9, abs=1e-3)
    assert clause in {told["id"] for told in found.clauses}
    assert all(told["sources"] or told["illustrative"] for told in found.clauses)
    assert found.sources, "who says so is named in full"
    assert {row["id"] for row in found.sources} <= {*world.sources["id"], *bill_sources()["id"]}
    page = traced(found)
    assert found.sources[0]["publisher"] in page.replace("\n", " ")
    assert json.loads(json.dumps(found.document()))["value"] == found.value


def test_the_levies_of_the_union_are_what_its_members_pass_on(world: World, deal: Agreement) -> None:
    found = why(world, deal, "account.EUN.levy.ndpr.oxide")
    assert {part.name.split(" to ")[1] for part in found.parts if " to " in part.name} >= {"DEU"}
    assert all(part.symbol.startswith("0.75 x levy") for part in found.parts if " to " in part.name)


def test_the_supply_risk_is_its_two_terms(world: World, deal: Agreement) -> None:
    found = why(world, deal, "supply_risk.ndpr.oxide")
    assert sum_of(found) == pytest.approx(found.value, rel=1e-12)
    assert found.value > 1.0
    assert "governance" in " ".join(found.notes).lower()


def test_measures_of_supply_are_those_that_agreements_are_ranked_by(world: World, deal: Agreement) -> None:
    network, day = compile_world(world), deal.run_date
    before = clear_network(world, network, measures(world, None, day)[0], as_of=day)
    after = clear_network(world, network, measures(world, deal, day)[0], as_of=day, start=before.state)
    at = places(world, bound(deal, world, day))
    figures = supply(after, at) | inside_prices(after, at)
    for number in ("output.ndpr.oxide", "concentration.cobalt.metal", "price_inside.gallium.metal"):
        assert why(world, deal, number).value == figures[number]


@pytest.mark.parametrize(
    ("number", "said"),
    [
        ("account.JPN.levi.ndpr.oxide", "did you mean 'JPN.levy.ndpr.oxide'"),
        ("product.fighter aircrafts.USA", "did you mean 'fighter aircraft'"),
        ("product.radar array of a fighter.MLT", "took no gallium.metal"),
        ("import_reliance.ndpr.oxyde", "did you mean 'import_reliance.ndpr.oxide'"),
        ("supply_risk.ndfeb.magnet", "no supply risk is counted"),
    ],
)
def test_what_is_not_counted_is_refused_with_the_nearest(number: str, said: str, world: World, deal: Agreement) -> None:
    with pytest.raises(InputRefused, match=said):
        why(world, deal, number)
