"""The file read aloud, its worked examples, and the digits that name it."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

import pytest
from treaty_world import treaty_world

from friendshore.agreement import schedule
from friendshore.agreement.document import Agreement, presets
from friendshore.agreement.scenario import Scenario, stated_world
from friendshore.agreement.text import SENTENCES, text
from friendshore.agreement.wording import in_words
from friendshore.errors import InputRefused
from friendshore.instruments import KINDS
from friendshore.report.drafts import worked
from friendshore.world.digest import digest
from friendshore.world.tables import PACKAGED, World

WORLD = treaty_world()
needs_world = pytest.mark.skipif(not (PACKAGED / "VERSION").exists(), reason="the built world is not here")
DEAL = """
title: A draft
in_force: 2027-01-01
parties: [USA, EU, JPN]
floors:
  - id: floor.ndpr
    article: Art. 6(2)
    good: ndpr.oxide
    reference_price: 110 USD per kg of ndpr_oxide
    levy_on: landed_duty_paid
    phase_in: 3y
    illustrative: true
    rule: a round number
tests:
  - {name: half-way, day: 2028-07-02, good: ndpr.oxide, exporter: CHN, importer: DEU, price: 61 USD per kg of ndpr_oxide, mass_t: 2, levy_usd: LEVY}
"""


def load(tmp_path: Path, words: str, world: World = WORLD) -> Agreement:
    path = tmp_path / "deal.yaml"
    path.write_text(words, encoding="utf-8")
    return Agreement.load(path, world)


# -- the text ---------------------------------------------------------------------------------------------------------


def test_every_kind_of_clause_has_sentences_of_its_own() -> None:
    assert set(SENTENCES) == set(KINDS)


@needs_world
@pytest.mark.parametrize("name", presets())
def test_nothing_of_a_clause_is_left_out_of_its_article(name: str) -> None:
    world = World.load()
    deal = Agreement.load(name, world)
    page = text(deal, goods=dict(world.goods.select("id", "name").iter_rows()))
    assert page == text(deal, goods=dict(world.goods.select("id", "name").iter_rows()))
    for clause in deal.clauses:
        article = page.split(f'<a id="{clause.id}"></a>')[1].split("<a id=")[0]
        assert clause.title in article
        assert " ".join(clause.note.split()) in article
        assert clause.illustrative == ("Illustrative:" in article)
        for source in clause.source:
            assert f"(#source-{source})" in article
        for key in ("reference_price", "strike", "amount", "premium"):
            price = getattr(clause, key, None)
            if price is not None:
                assert in_words(price) in re.sub(r"\[[^]]*\]\(#([^)]*)\)", r"\1", article)  # a link back to its id


@needs_world
def test_governance_in_terms_reads_as_prose_with_its_deadlines() -> None:
    page = text(Agreement.load("plurilateral-2026-council", World.load()))
    said = page.split("## Governance")[1].split("<a id=")[0]
    assert "carried by more than 50 % of the parties and at least 65 % of their gross domestic product." in said
    assert "a customs union has one vote" in said
    assert "Notice of 6 months is given." in said
    for days, what in ((30, "the next step may be asked for"), (60, "it counts as approved"), (180, "may suspend")):
        assert re.search(rf"Within {days} days of its opening: [^;]*; if that is missed, [^.]*{what}", said)
    assert "double_majority" not in said, "terms are told in words"


@needs_world
@pytest.mark.parametrize("name", presets())
def test_every_link_leads_to_a_place(name: str) -> None:
    page = text(Agreement.load(name, World.load()))
    places = re.findall(r'<a id="([^"]+)"></a>', page)
    assert len(places) == len(set(places))
    assert set(re.findall(r"\]\(#([^)]+)\)", page)) <= set(places)


def test_a_floor_reads_as_a_treaty_would_say_it(tmp_path: Path) -> None:
    page = text(load(tmp_path, DEAL.replace("LEVY", "49000")))
    assert "## Art. 6(2). Price floor" in page
    assert "1. The reference price of `ndpr.oxide` is 110 USD per kg of ndpr_oxide." in page
    assert "the Party shall charge the difference as a levy, which moves with the price." in page
    assert "3. It is phased in evenly over 3 years from its first day." in page
    assert "*Illustrative: a round number.*" in page


# -- worked examples --------------------------------------------------------------------------------------------------


def test_a_worked_example_is_charged_to_the_cent_and_shows_its_working(tmp_path: Path) -> None:
    deal = load(tmp_path, DEAL.replace("LEVY", "49000"))
    (found,) = schedule.examples(deal, WORLD)
    assert found.holds
    assert found.owed_usd == Decimal("49000.00")
    (charge,) = found.charges
    assert (charge.clause, charge.article) == ("floor.ndpr", "Art. 6(2)")
    assert charge.calculation == "2 t x 0.5 x max(0, 110,000 - 61,000)"
    assert "holds  half-way" in worked("deal", (found,))


def test_an_example_that_is_off_by_a_cent_is_refused_with_both_amounts(tmp_path: Path) -> None:
    with pytest.raises(InputRefused, match=re.escape("the levy is 49000.00, not 49000.01")):
        load(tmp_path, DEAL.replace("LEVY", "49000.01"))


# -- digits -------------------------------------------------------------------------------------------------------------


def test_digits_do_not_depend_on_layout_order_or_comments(tmp_path: Path) -> None:
    plain = load(tmp_path, DEAL.replace("LEVY", "49000"))
    shuffled = """
# the same text, another hand
tests:
- mass_t: 2.0
  levy_usd: 49000
  price: {value: 61, currency: USD, per: kg, of: ndpr_oxide}
  importer: DEU
  exporter: CHN
  good: ndpr.oxide
  day: 2028-07-02
  name: half-way
floors: [{rule: a round number, illustrative: true, phase_in: 36m, levy_on: landed_duty_paid,
          reference_price: "110 USD per kg of ndpr_oxide", good: ndpr.oxide, article: Art. 6(2), id: floor.ndpr}]
parties: [USA, EUN, JPN]
in_force: 2027-01-01
title: A draft
"""
    assert load(tmp_path, shuffled).digest == plain.digest
    assert load(tmp_path, shuffled.replace("36m", "35m").replace("49000", "50426.29")).digest != plain.digest


@needs_world
def test_the_digits_of_a_world_change_with_a_figure_and_not_with_the_order_of_rows() -> None:
    from dataclasses import replace

    world = World.load()
    assert digest(replace(world, prices=world.prices.reverse(), name="another")) == digest(world)
    other = world.prices.with_columns(price_usd_t=world.prices["price_usd_t"] * (1 + 1e-12))
    assert digest(replace(world, prices=other)) != digest(world)


@needs_world
def test_a_scenario_refuses_a_world_that_is_not_its_own(tmp_path: Path) -> None:
    world = World.load()
    path = tmp_path / "s.yaml"
    words = "scenario: x\nagreement: one-floor\nworld: {digest: DIGITS}\n"
    path.write_text(words.replace("DIGITS", f'"{digest(world)}"'), encoding="utf-8")
    assert Scenario.load(path, world).agreement.id == "one-floor"
    path.write_text(words.replace("DIGITS", "abcdefabcdef"), encoding="utf-8")
    with pytest.raises(InputRefused, match=f"{digest(world)}, not abcdefabcdef"):
        Scenario.load(path, world)


@needs_world
def test_a_scenario_names_the_world_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text("scenario: x\nagreement: one-floor\nworld: mine\n", encoding="utf-8")
    with pytest.raises(InputRefused, match="no folder of tables and no network file"):
        stated_world(path)
    (tmp_path / "mine").symlink_to(PACKAGED)
    found = stated_world(path)
    assert found is not None
    assert digest(found) == digest(World.load())
    path.write_text("scenario: x\nagreement: one-floor\n", encoding="utf-8")
    assert stated_world(path) is None


def test_a_word_that_is_also_the_id_of_a_clause_is_a_link_only_where_it_is_one(tmp_path: Path) -> None:
    file = tmp_path / "short.yaml"
    file.write_text(
        "title: S\nin_force: 2027-01-01\nparties: [USA, EUN]\n"
        "floors: [{id: short, good: ndpr.oxide, reference_price: 110 USD per kg of ndpr_oxide, levy_on: cif, "
        "illustrative: true, rule: the good is in short supply}]\n"
        "safeguards: [{id: s, when: days_short of ndpr.oxide > 3, then: suspend short, for: 6m, illustrative: true, rule: x}]\n"
    )
    said = text(Agreement.load(file))
    assert "days short of ndpr.oxide" in said
    assert "in short supply" in said
    assert "[Article 3](#short) is suspended" in said
    assert "\x00" not in said
