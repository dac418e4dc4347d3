"""An agreement file is read strictly, and does on a day what it says for that day."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from treaty_world import treaty_world

from friendshore.agreement import schedule
from friendshore.agreement.document import SCHEMA, Agreement, presets, read, schema
from friendshore.agreement.scenario import Scenario, shock_wedges
from friendshore.errors import InputRefused
from friendshore.faces import Ban, Contract, PriceGap, Quota
from friendshore.instruments.names import unions
from friendshore.marked import noted, read_marked
from friendshore.world.tables import PACKAGED, World

HERE = Path(__file__).parent / "agreements"
GOOD = sorted(path for path in (HERE / "good").iterdir())
BAD = sorted(path for path in (HERE / "bad").iterdir() if path.suffix != ".txt")
SCENARIOS = HERE / "scenarios"
WORLD = treaty_world()

needs_world = pytest.mark.skipif(not (PACKAGED / "goods.csv").exists(), reason="the built world is not packaged yet")


def agreement(text: str, world: World | None = WORLD) -> Agreement:
    return read(read_marked(text, name="deal.yaml"), world)


def refusal(text: str, world: World | None = WORLD) -> InputRefused:
    with pytest.raises(InputRefused) as caught:
        agreement(text, world)
    return caught.value


def one_floor(**terms: Any) -> str:
    base = {
        "id": "floor",
        "good": "ndpr.oxide",
        "reference_price": "110 USD per kg of ndpr_oxide",
        "levy_on": "cif",
        "illustrative": True,
        "rule": "for the test",
    }
    header = {"title": "T", "in_force": date(2027, 1, 1), "parties": ["USA", "JPN"]}
    return yaml.safe_dump({**header, "floors": [{**base, **terms}]})


# -- files ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.name)
def test_a_good_file_is_read(path: Path) -> None:
    deal = Agreement.load(path, WORLD)
    assert {problem.severity for problem in deal.warnings} <= {"warning"}
    assert schedule.wedges(deal, WORLD, deal.run_date)


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.name)
def test_a_bad_file_is_refused_with_every_problem_at_its_line(path: Path) -> None:
    with pytest.raises(InputRefused) as caught:
        read(noted(path, name=path.name), WORLD)
    expected = path.with_suffix(".txt").read_text(encoding="utf-8")
    assert str(caught.value) + "\n" == expected


def test_every_bad_file_has_its_message_and_every_message_its_file() -> None:
    assert {path.stem for path in BAD} == {path.stem for path in (HERE / "bad").glob("*.txt")}


def test_one_mistake_does_not_hide_another() -> None:
    codes = {problem.code for problem in refusal((HERE / "bad" / "unknown_words.yaml").read_text()).problems}
    assert codes >= {
        "unknown-key",
        "unknown-country",
        "unknown-good",
        "unknown-substance",
        "unknown-value",
        "missing",
    }


def test_an_agreement_over_five_megabytes_is_refused_before_it_is_parsed(tmp_path: Path) -> None:
    path = tmp_path / "large.yaml"
    path.write_text("a: [" + "x" * 5_000_001, encoding="utf-8")
    with pytest.raises(InputRefused, match="too-large"):
        Agreement.load(path)


def test_an_unknown_name_is_neither_preset_nor_file() -> None:
    with pytest.raises(InputRefused, match="did you mean 'plurilateral-2026'"):
        Agreement.load("plurilateral-2062")
    with pytest.raises(InputRefused, match="no such file"):
        Agreement.load("nowhere.yaml")


def test_without_a_world_goods_are_taken_on_trust_and_checked_where_they_are_used() -> None:
    text = one_floor(good="ndpr.oxid")
    deal = agreement(text, None)
    with pytest.raises(InputRefused, match=r"deal.yaml:2:9  floors\[0\].good: no good is called 'ndpr.oxid'"):
        schedule.wedges(deal, WORLD, date(2030, 1, 1))
    assert "NOR" in str(refusal(text.replace("- USA", "- 'NO'"), None))


def test_a_stage_stands_for_its_one_form() -> None:
    (wedge,) = schedule.wedges(agreement(one_floor(good="ndpr.refined"), None), WORLD, date(2030, 1, 1))
    assert isinstance(wedge, PriceGap)
    assert wedge.lane.good == "ndpr.oxide"


def test_a_union_whose_members_are_all_listed_is_whole() -> None:
    members = ", ".join(sorted(unions()["SACU"]))
    text = one_floor().replace("- USA\n- JPN", f"[{members}]").replace("parties:\n[", "parties: [")
    assert agreement(text, None).floors
    lone = refusal(text.replace(", ZAF", ""), None)
    assert {problem.code for problem in lone.problems} == {"customs-union"}
    assert len(lone.problems) == 4


def test_a_member_of_a_union_may_subsidise_alone() -> None:
    text = """
title: T
in_force: 2027-01-01
parties: [DEU]
subsidies:
  - {good: ndpr.oxide, kind: per_tonne, amount: 1 USD per kg of ndpr_oxide, funding: own, illustrative: true, rule: r}
"""
    assert agreement(text).subsidies


# -- what it does on a day ------------------------------------------------------------------------------------------


def test_faces_follow_the_day() -> None:
    deal = agreement(one_floor(phase_in="2y"))
    phases = [
        [wedge.phase for wedge in schedule.wedges(deal, WORLD, day) if isinstance(wedge, PriceGap)]
        for day in (date(2026, 12, 31), date(2027, 1, 1), date(2028, 1, 1), date(2029, 1, 1))
    ]
    assert phases == [[], [0.0], [0.499316], [1.0]]


def test_every_face_comes_from_every_clause() -> None:
    deal = Agreement.load(HERE / "good" / "every_instrument.yaml", WORLD)
    day = deal.run_date
    assert {wedge.clause for wedge in schedule.wedges(deal, WORLD, day)} == {clause.id for clause in deal.clauses}
    assert {promise.clause for promise in schedule.promises(deal, WORLD, day)} == {clause.id for clause in deal.clauses}
    assert {duty.clause for duty in schedule.duties(deal, WORLD, day)} == {
        "area",
        "duty",
        "floor.ndpr",
        "floor.gallium",
    }
    assert {claim.clause for claim in schedule.claims(deal, WORLD, day)} == {"contract", "grant"}
    assert {duty.article for duty in schedule.duties(deal, WORLD, day) if duty.clause == "floor.ndpr"} == {"Art. 6(2)"}


def test_a_preference_starts_from_the_duties_of_the_world() -> None:
    text = """
title: T
in_force: 2027-01-01
parties: [USA, JPN]
trade_area: {goods: ndpr.oxide, preference: duty_free, phase_in: 2y, illustrative: true, rule: r}
"""
    duties = schedule.duties(agreement(text), WORLD, date(2028, 1, 1))
    (to_japan,) = [duty for duty in duties if "JPN" in duty.importers]
    left = 1 - Decimal("0.499316")
    assert (to_japan.rate, to_japan.specific_usd_t) == (Decimal("0.04") * left, 100 * left)


def test_controls_of_the_status_quo_are_lifted_between_parties() -> None:
    text = """
title: T
in_force: 2027-01-01
parties: [CHN, JPN]
export_controls: {between_parties: prohibited, source: [x]}
sources: {x: A text}
"""
    lane = schedule.lifted(agreement(text), WORLD, date(2027, 1, 1))[0]
    assert (lane.exporters, lane.importers) == ({"JPN"}, {"CHN"})
    full = Quota(
        clause="base",
        lane=schedule.Lane(good="ndpr.oxide", exporters=frozenset({"CHN"}), importers=frozenset({"JPN", "DEU"})),
        tonnes=90.0,
        owner="CHN",
    )
    (left,) = schedule.lift([full], agreement(text), WORLD, date(2027, 1, 1))
    assert isinstance(left, Quota)
    assert (left.lane.importers, left.tonnes) == ({"DEU"}, 30.0)
    assert schedule.lift([full], agreement(text), WORLD, date(2026, 12, 31)) == (full,)


def test_floors_that_build_on_one_another_are_added_up_in_order() -> None:
    text = """
title: T
in_force: 2027-01-01
parties: [USA]
floors:
  - good: tungsten.powder
    levy_on: cif
    illustrative: true
    rule: r
    reference_price:
      method: cost_plus
      currency: USD
      per: t
      of: tungsten
      costs: [{name: APT, floor: floor.tungsten.apt, quantity: 1.02}, {name: conversion, value: 9000}]
  - {good: tungsten.apt, reference_price: 40 USD per kg of tungsten, levy_on: cif, illustrative: true, rule: r}
"""
    levels = {level.good: level.usd_t for level in schedule.levels(agreement(text), WORLD, date(2030, 1, 1))}
    assert levels == {"tungsten.powder": Decimal(49800), "tungsten.apt": Decimal(40000)}


def test_a_wrong_worked_example_is_refused_and_a_right_one_passes() -> None:
    test = """
tests:
  - {name: n, day: 2030-01-01, good: ndpr.oxide, exporter: CHN, importer: USA, price: 61 USD per kg of ndpr_oxide,
     mass_t: 2, levy_usd: LEVY}
"""
    assert agreement(one_floor() + test.replace("LEVY", "98000")).tests
    assert [problem.code for problem in refusal(one_floor() + test.replace("LEVY", "97999.99")).problems] == [
        "example-fails"
    ]


def test_odd_terms_are_warned_about_and_read() -> None:
    deal = agreement(one_floor(reference_price="110 USD per g of ndpr_oxide"))
    assert [warning.code for warning in deal.warnings] == ["implausible"]
    assert agreement(one_floor()).warnings == ()


def test_the_digest_names_the_terms_not_their_layout() -> None:
    flow = json.dumps(yaml.safe_load(one_floor()), default=str)
    assert agreement(flow).digest == agreement(one_floor()).digest
    assert agreement(one_floor(phase_in="1y")).digest != agreement(one_floor()).digest


# -- scenarios ------------------------------------------------------------------------------------------------------


def test_a_scenario_is_an_agreement_with_patches_shocks_and_assumptions() -> None:
    scenario = Scenario.load(SCENARIOS / "lower_floor.yaml", WORLD)
    deal = scenario.agreement
    assert (scenario.name, deal.title, scenario.as_of) == (
        "A lower floor while China bans gallium",
        "One floor",
        date(2031, 1, 1),
    )
    assert [party.code for party in deal.parties] == ["USA", "EUN"]
    assert [clause.id for clause in deal.clauses] == ["duty", "floor.ndpr"]
    (level,) = schedule.levels(deal, WORLD, scenario.as_of)
    assert level.usd_t == 95_000
    assert scenario.assume.model_dump() == {
        "horizon": 1,
        "sigma_scale": 2.0,
        "eps_scale": 1.0,
        "latent": False,
        "licences_as": "export_tax",
    }
    (ban,) = shock_wedges(scenario, WORLD)
    assert isinstance(ban, Ban)
    assert (ban.lane.exporters, ban.lane.importers) == ({"CHN"}, {"USA", "DEU", "FRA"})


def test_a_plain_agreement_is_a_scenario_in_which_nothing_is_changed() -> None:
    scenario = Scenario.load(SCENARIOS / "base.yaml", WORLD)
    assert scenario.agreement.digest == Agreement.load(SCENARIOS / "base.yaml", WORLD).digest == scenario.digest
    assert scenario.shocks.clauses == ()
    assert scenario.as_of == date(2030, 1, 1)


def test_a_patched_agreement_is_the_agreement_written_out(tmp_path: Path) -> None:
    written = yaml.safe_load((SCENARIOS / "base.yaml").read_text(encoding="utf-8"))
    written["floors"][0]["reference_price"]["value"] = 95
    patch = {"change": "floor.ndpr", "term": "reference_price.value", "to": 95}
    path = tmp_path / "patched.yaml"
    path.write_text(
        yaml.safe_dump({"scenario": "S", "agreement": str(SCENARIOS / "base.yaml"), "patches": [patch]}),
        encoding="utf-8",
    )
    assert Scenario.load(path, WORLD).agreement.digest == agreement(yaml.safe_dump(written)).digest


def test_a_patch_may_move_a_worked_example_of_the_text_before(tmp_path) -> None:
    path = tmp_path / "lower.yaml"
    change = "{change: floor.ndpr, term: reference_price, to: 95 USD per kg of ndpr_oxide}"
    path.write_text(f"scenario: Lower\nagreement: plurilateral-2026\npatches: [{change}]\n", encoding="utf-8")
    world = World.load()
    moved = [problem for problem in Scenario.load(path, world).agreement.warnings if problem.code == "example-fails"]
    assert [problem.message.split(": ")[-1] for problem in moved] == [
        "the levy is 68000.00, not 98000",
        "the levy is 34000.00, not 49000",
    ]


def test_a_problem_in_a_patched_agreement_is_shown_where_it_was_written() -> None:
    with pytest.raises(InputRefused) as caught:
        Scenario.load(SCENARIOS / "bad_patch.yaml", WORLD)
    places = [(Path(p.place.file).name, p.place.line, p.path) for p in caught.value.problems if p.place]
    assert places == [
        ("bad_patch.yaml", 4, "floors[0].reference_price.value"),
        ("bad_patch.yaml", 5, "floors[0].levy_on"),
    ]


def test_a_patch_on_a_clause_that_is_not_there_names_the_nearest() -> None:
    with pytest.raises(InputRefused, match="did you mean 'floor.ndpr'"):
        Scenario.load(SCENARIOS / "lost_clause.yaml", WORLD)


def test_files_that_build_on_each_other_are_refused() -> None:
    with pytest.raises(InputRefused, match="build on each other"):
        Scenario.load(SCENARIOS / "circle.yaml", WORLD)


def test_a_bad_scenario_is_refused_with_every_problem() -> None:
    with pytest.raises(InputRefused) as caught:
        Scenario.load(SCENARIOS / "bad_scenario.yaml", WORLD)
    assert [(p.path, p.code) for p in caught.value.problems] == [
        ("patches[0].to", "patch"),
        ("patches[1]", "patch"),
        ("shocks.floors", "unknown-key"),
        ("shocks.tariffs[0].goods", "unknown-good"),
        ("assumptions.horizon", "unknown-value"),
        ("assumptions.sigma_scale", "negative"),
        ("as-of", "unknown-key"),
    ]


def test_an_agreement_alone_drops_no_shock_in_silence() -> None:
    with pytest.raises(InputRefused, match="assumptions"):
        Agreement.load(SCENARIOS / "lower_floor.yaml", WORLD)


# -- presets and schema ---------------------------------------------------------------------------------------------


@needs_world
@pytest.mark.parametrize("name", presets())
def test_a_preset_is_read_against_the_built_world_without_a_warning(name: str) -> None:
    deal = Agreement.load(name, World.load())
    assert deal.id == name
    assert {problem.code for problem in deal.warnings} <= {
        "no-figures"
    }  # parties too small to have figures of their own
    assert [clause.id for clause in deal.clauses if not clause.source and not clause.illustrative] == []


@needs_world
def test_the_reference_design_has_every_invented_level_marked_and_computed() -> None:
    world = World.load()
    deal = Agreement.load("plurilateral-2026", world)
    levels = {level.clause: level for level in schedule.levels(deal, world, deal.run_date)}
    fact = levels["floor.ndpr"]
    assert (fact.usd_t, fact.illustrative) == (110_000, False)
    invented = [level for level in levels.values() if level.illustrative]
    assert {level.good for level in invented} == {"gallium.metal", "germanium.metal", "antimony.metal", "tungsten.apt"}
    assert [level.clause for level in invented if len(level.working) < 3] == []
    assert {party.code for party in deal.parties} == {"USA", "EUN", "JPN", "MEX", "AUS"}


@needs_world
def test_a_floor_of_the_reference_design_can_be_followed_by_hand() -> None:
    world = World.load()
    deal = Agreement.load("plurilateral-2026", world)
    gallium = next(level for level in schedule.levels(deal, world, deal.run_date) if level.good == "gallium.metal")
    charge = 1333 * 0.1 / (1 - 1.1**-15)  # an annuity at ten per cent over fifteen years
    assert float(gallium.usd_t) == pytest.approx((175 + charge) * 1.1 * 1000, abs=0.01)


@needs_world
def test_the_same_contract_stands_in_the_design_and_in_force_since_2025() -> None:
    world = World.load()
    deal = Agreement.load("plurilateral-2026", world)
    (contract,) = [wedge for wedge in schedule.wedges(deal, world, deal.run_date) if isinstance(wedge, Contract)]
    assert (contract.strike_usd_t, contract.two_way, contract.claw_back) == (110_000.0, True, 0.3)
    assert contract.producers == {"USA"}
    assert not [w for w in schedule.wedges(deal, world, date(2035, 10, 1)) if isinstance(w, Contract)]


@needs_world
def test_the_derivatives_preset_adds_floors_to_the_reference_design_and_changes_none() -> None:
    world = World.load()
    base, more = Agreement.load("plurilateral-2026", world), Agreement.load("plurilateral-2026-derivatives", world)
    assert more.floors[: len(base.floors)] == base.floors
    assert {floor.good for floor in more.floors} - {floor.good for floor in base.floors} == {
        "antimony.oxide",
        "tungsten.powder",
        "ndfeb.magnet",
    }


@needs_world
def test_no_agreement_does_nothing_on_any_day() -> None:
    world = World.load()
    deal = Agreement.load("no-agreement", world)
    assert [schedule.wedges(deal, world, date(year, 1, 1)) for year in (2024, 2027, 2030)] == [(), (), ()]


@needs_world
def test_the_union_of_the_world_is_the_union_of_the_treaties() -> None:
    countries = World.load().countries
    assert set(countries.filter(countries["territory"] == "EUN")["code"]) == unions()["EUN"]


def test_the_shipped_schema_is_current() -> None:
    shipped = SCHEMA.read_text(encoding="utf-8")
    assert shipped == json.dumps(schema(), indent=1) + "\n", "write json.dumps(schema(), indent=1) to it"


@pytest.mark.parametrize("path", [*GOOD, *presets().values()], ids=lambda path: path.name)
def test_the_schema_accepts_what_is_read(path: Path) -> None:
    value = json.loads(json.dumps(yaml.safe_load(path.read_text(encoding="utf-8").replace("\t", " ")), default=str))
    if "scenario" not in value:
        jsonschema.validate(value, schema())


@pytest.mark.parametrize("name", ["unknown_words", "prices", "negative", "shape", "indentation"])
def test_the_schema_refuses_what_is_refused(name: str) -> None:
    value = json.loads(
        json.dumps(yaml.safe_load((HERE / "bad" / f"{name}.yaml").read_text(encoding="utf-8")), default=str)
    )
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(value, schema())


def test_presets_and_schema_are_part_of_the_package() -> None:
    spec = find_spec("friendshore.agreement")
    assert spec is not None
    assert spec.origin is not None
    assert SCHEMA.is_relative_to(Path(spec.origin).parent)
    assert all(path.is_relative_to(Path(spec.origin).parent) for path in presets().values())
