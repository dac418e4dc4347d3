"""Alternatives in brackets: what they are, what is refused, and how they rank."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from treaty_world import treaty_world

from friendshore.agreement.document import Agreement
from friendshore.agreement.objective import MEASURES, Objective
from friendshore.agreement.options import MOST, combinations, count, repriced
from friendshore.errors import InputRefused
from friendshore.matrix import matrix
from friendshore.report.drafts import ranking
from friendshore.world.tables import PACKAGED, World

WORLD = treaty_world()
needs_world = pytest.mark.skipif(not (PACKAGED / "VERSION").exists(), reason="the built world is not here")

TEXT = """
title: A draft
in_force: 2027-01-01
parties: [USA, EU, JPN]
floors:
  - good: ndpr.oxide
    reference_price: 110 USD per kg of ndpr_oxide
    levy_on: landed_duty_paid
    illustrative: true
    rule: a round number
tariffs:
  - {id: duty, goods: gallium.metal, exporters: CHN, rate: 0.1, illustrative: true, rule: a round number}
options:
  floor.ndpr.oxide.price: [80, 95, 110]
  duty: [with, without]
  JPN: [with, without]
"""


def load(tmp_path: Path, text: str, world: World = WORLD) -> Agreement:
    path = tmp_path / "draft.yaml"
    path.write_text(text, encoding="utf-8")
    return Agreement.load(path, world)


def test_an_alternative_is_the_text_with_one_value_chosen_for_each_option(tmp_path: Path) -> None:
    deal = load(tmp_path, TEXT)
    found = deal.alternatives(WORLD)
    assert len(found) == count(deal.options) == 12
    assert found[0].words == "floor.ndpr.oxide.price 80, duty with, JPN with"
    last = found[-1].agreement
    written = TEXT.split("options:", maxsplit=1)[0].replace("USA, EU, JPN", "USA, EU").split("tariffs:", maxsplit=1)[0]
    assert last.digest == load(tmp_path, written).digest
    assert [str(a.agreement.floors[0].reference_price.value) for a in found[::4]] == ["80", "95", "110"]  # type: ignore[union-attr]
    assert len({a.agreement.digest for a in found}) == 12


def test_a_number_takes_the_unit_of_the_price_that_it_replaces() -> None:
    assert repriced("110 USD per kg of ndpr_oxide", 95.5) == "95.5 USD per kg of ndpr_oxide"
    price = {"method": "fixed", "value": 110, "currency": "USD", "per": "kg", "of": "ndpr_oxide"}
    assert repriced(price, 95) == price | {"value": 95}
    built = {"method": "cost_plus", "currency": "USD", "per": "kg", "of": "gallium", "costs": [], "margin": 0.1}
    assert repriced(built, 350) == {"method": "fixed", "value": 350, "currency": "USD", "per": "kg", "of": "gallium"}


@pytest.mark.parametrize(
    ("was", "becomes", "said"),
    [
        ("floor.ndpr.oxide.price:", "floor.ndpr.oxid.price:", "did you mean 'floor.ndpr.oxide.price'?"),
        ("duty: [with, without]", "duty: [with, never]", "there or is not"),
        ("[80, 95, 110]", "[80, 95, 80]", "80 is options.floor.ndpr.oxide.price[0] already"),
        ("[80, 95, 110]", "[]", "an option without a value"),
        ("options:", "objective: {minimise: cost_to_partys}\noptions:", "did you mean 'cost_to_parties'?"),
        ("options:", "objective: {maximise: gain}\noptions:", "write gain.ITA"),
        ("options:", "objective: {}\noptions:", "either minimises or maximises"),
    ],
)
def test_options_that_make_no_sense_are_refused_at_their_place(
    tmp_path: Path, was: str, becomes: str, said: str
) -> None:
    with pytest.raises(InputRefused) as refused:
        load(tmp_path, TEXT.replace(was, becomes))
    assert said in str(refused.value)
    assert all(problem.place is not None and problem.place.line > 1 for problem in refused.value.problems)


def test_options_that_multiply_beyond_the_limit_name_each_of_the_places(tmp_path: Path) -> None:
    many = ", ".join(str(10 + n) for n in range(300))
    with pytest.raises(InputRefused) as refused:
        load(tmp_path, TEXT.replace("80, 95, 110", many))
    problems = [problem for problem in refused.value.problems if problem.severity == "error"]
    assert {problem.code for problem in problems} == {"too-many"}
    assert [problem.path for problem in problems] == ["options.floor.ndpr.oxide.price", "options.duty", "options.JPN"]
    assert "300 (floor.ndpr.oxide.price) x 2 (duty) x 2 (JPN) are 1,200 combinations" in problems[0].message
    assert MOST == 1000


def test_an_alternative_that_is_no_sound_agreement_is_refused_where_its_value_stands(tmp_path: Path) -> None:
    deal = load(tmp_path, TEXT.replace("80, 95", "80, -3"))
    with pytest.raises(InputRefused) as refused:
        deal.alternatives(WORLD)
    (problem,) = [problem for problem in refused.value.problems if problem.severity == "error"]
    assert problem.code == "negative"
    assert problem.place is not None
    assert problem.place.text.strip().startswith("floor.ndpr.oxide.price")


def test_a_scenario_brings_brackets_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(TEXT, encoding="utf-8")
    text = "scenario: x\nagreement: base.yaml\noptions: {duty.rate: [0.1, 0.2]}\nobjective: {maximise: gain.JPN}\n"
    deal = load(tmp_path, text)
    assert [a.words for a in deal.alternatives(WORLD)] == ["duty.rate 0.1", "duty.rate 0.2"]
    assert deal.objective == Objective(maximise="gain.JPN")


def test_the_last_option_changes_first() -> None:
    words = [tuple(choice.words for choice in row) for row in combinations({"a": (1, 2), "b": ("x", "y")})]
    assert words == [("1", "x"), ("1", "y"), ("2", "x"), ("2", "y")]


def test_every_measure_has_its_place_in_the_docs() -> None:
    page = (Path(__file__).resolve().parent.parent / "docs" / "agreements.md").read_text(encoding="utf-8")
    assert [name for name, measure in MEASURES.items() if f"`{name}{'.' if measure.of else '`'}" not in page] == []


@needs_world
def test_alternatives_rank_by_the_objective_those_within_the_limits_first(tmp_path: Path) -> None:
    world = World.load()
    text = (
        TEXT.split("options:", maxsplit=1)[0]
        + """
options:
  floor.ndpr.oxide.price: [60, 80, 110]
  floor.ndpr.oxide: [with, without]
objective:
  minimise: cost_to_parties
  subject_to: {levy_revenue: {at_least: 1000000}}
"""
    )
    deal = load(tmp_path, text, world)
    found = matrix(world, deal)
    assert [each.rank for each in found.tried] == [1, 2, 3, 4, 5, 6]
    keeps = [each.keeps for each in found.tried]
    assert keeps == sorted(keeps, reverse=True)
    assert 0 < sum(keeps) < 6
    for group in (True, False):
        costs = [each.figures["cost_to_parties"] for each in found.tried if each.keeps is group]
        assert all(one <= other + 1.0 for one, other in itertools.pairwise(costs))
    without = [each for each in found.tried if each.alternative.choices[1].words == "without"]
    assert (
        len({each.figures["cost_to_parties"] for each in without}) == 1
    )  # a price that is left out makes no difference
    assert found.document()["objective"]["minimise"] == "cost_to_parties"
    page = ranking(found)
    assert "What each bracket moves".upper() in page
    again = matrix(world, deal)
    assert [each.figures for each in again.tried] == [each.figures for each in found.tried]
