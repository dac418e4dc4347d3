"""Two texts set against each other: changed terms in words, and what each does when the markets are cleared again."""

from __future__ import annotations

from pathlib import Path

import pytest
from treaty_world import treaty_world

from friendshore.agreement.diff import diff
from friendshore.agreement.document import Agreement, presets
from friendshore.agreement.wording import in_words
from friendshore.effects import MONEY, effects
from friendshore.report.drafts import changed, comparison
from friendshore.world.tables import PACKAGED, World

WORLD = treaty_world()
needs_world = pytest.mark.skipif(not (PACKAGED / "VERSION").exists(), reason="the built world is not here")

BEFORE = """
title: A draft
in_force: 2027-01-01
parties: [USA, EU, {code: JPN, phase_in: 5y}]
floors:
  - id: floor.ndpr
    article: Art. 6(2)
    good: ndpr.oxide
    reference_price: 110 USD per kg of ndpr_oxide
    levy_on: landed_duty_paid
    phase_in: 3y
    illustrative: true
    rule: a round number
  - id: floor.gallium
    good: gallium.metal
    reference_price: 300 USD per kg of gallium
    levy_on: cif
    illustrative: true
    rule: a round number
"""
AFTER = (
    BEFORE.replace("110 USD", "95 USD")
    .replace("phase_in: 3y", "phase_in: 18m")
    .replace("{code: JPN, phase_in: 5y}", "JPN")
    .replace("parties: [USA, ", "parties: [")
    .replace("gallium", "tungsten", 1)
    .replace("good: gallium.metal", "good: tungsten.apt")
    .replace("300 USD per kg of gallium", "40000 USD per t of wo3")
)


def deals(tmp_path: Path, *texts: str, world: World = WORLD) -> list[Agreement]:
    made = []
    for number, text in enumerate(texts):
        path = tmp_path / f"{number}.yaml"
        path.write_text(text, encoding="utf-8")
        made.append(Agreement.load(path, world))
    return made


def test_every_changed_term_is_told_in_words_with_its_article(tmp_path: Path) -> None:
    before, after = deals(tmp_path, BEFORE, AFTER)
    assert [change.words for change in diff(before, after)] == [
        "party USA dropped: the United States",
        "party JPN, phase_in dropped: 5 years",
        "floor.gallium dropped: good gallium.metal, reference price 300 USD per kg of gallium, levy on cif",
        "floor.ndpr, phase_in: 3 years becomes 18 months",
        "floor.ndpr, reference_price: 110 USD per kg of ndpr_oxide becomes 95 USD per kg of ndpr_oxide",
        "floor.tungsten added: good tungsten.apt, reference price 40,000 USD per t of wo3, levy on cif",
    ]
    assert [change.article for change in diff(before, after) if change.part == "floor.ndpr"] == ["Art. 6(2)"] * 2


def test_a_text_differs_from_itself_in_nothing_and_backwards_mirrors_forwards(tmp_path: Path) -> None:
    before, after = deals(tmp_path, BEFORE, AFTER)
    assert diff(before, before) == ()
    forwards = {(c.part, c.term): (c.before, c.after) for c in diff(before, after)}
    backwards = {(c.part, c.term): (c.after, c.before) for c in diff(after, before)}
    assert forwards == backwards
    assert changed(diff(before, before)) == "The two texts say the same.\n"


def test_a_component_of_a_price_changes_by_itself() -> None:
    text = (presets()["plurilateral-2026"]).read_text(encoding="utf-8")
    before, after = text, text.replace("value: 175", "value: 200")
    one, other = (Agreement.model_validate(_plain(each)) for each in (before, after))
    (change,) = diff(one, other)
    assert change.term == "reference_price.costs[operating cost of a new recovery unit].value"
    assert (change.before, change.after) == ("175", "200")


def _plain(text: str) -> object:
    from friendshore.marked import read_marked

    return read_marked(text, name="text").value


def test_words_alone_move_no_market(tmp_path: Path) -> None:
    before, after = deals(tmp_path, BEFORE, BEFORE.replace("A draft", "Another draft").replace("Art. 6(2)", "Art. 7"))
    assert [change.words_only for change in diff(before, after)] == [True, True, True]  # id, title, article
    assert in_words(18, span=True) == "18 months"


@needs_world
def test_effects_of_changes_made_alone_add_up_with_what_they_do_only_together(tmp_path: Path) -> None:
    world = World.load()
    scenario = """
scenario: milder
agreement: one-subsidy
patches:
  - {change: contract.ndpr, term: strike, to: 90 USD per kg of ndpr_oxide}
  - {change: contract.ndpr, term: claw_back, to: 0.5}
  - {set: title, to: Another title}
"""
    path = tmp_path / "s.yaml"
    path.write_text(scenario, encoding="utf-8")
    before, after = Agreement.load("one-subsidy", world), Agreement.load(path, world)
    found = effects(world, before, after)
    by_term = {effect.changes[0].term: effect for effect in found.effects}
    assert by_term["strike"].usd["gain_of_treasuries"] > 1e6  # a lower strike costs the treasuries less
    assert all(by_term["title"].usd[name] == 0.0 for name in MONEY)
    for name in MONEY:
        parts = sum(effect.usd.get(name, 0.0) for effect in found.effects) + found.only_together[name]
        assert parts == pytest.approx(found.together.usd[name], abs=1e-3)
    page = comparison(found)
    assert "contract.ndpr, strike" in " ".join(page.split())
    assert max(map(len, page.splitlines())) <= 100


@needs_world
def test_the_effect_of_a_clause_is_that_of_the_text_without_it() -> None:
    world = World.load()
    before, after = Agreement.load("no-agreement", world), Agreement.load("one-floor", world)
    found = effects(world, before, after)
    clause = next(effect for effect in found.effects if effect.changes[0].part.startswith("floor."))
    assert clause.usd["levy_revenue"] == pytest.approx(
        0.0, abs=1.0
    )  # nobody is bound yet: the floor alone does nothing
    assert found.together.usd["levy_revenue"] > 1e6
    assert found.only_together["levy_revenue"] == pytest.approx(found.together.usd["levy_revenue"], abs=1.0)
