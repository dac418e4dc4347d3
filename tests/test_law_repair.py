"""Repairs: each is a patch that is read, cleared and screened again; the frontier says what it takes away and what it costs."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
from cleared_world import DAY
from test_law_screen import FLOOR, MARK, world

from friendshore.agreement.document import Agreement, read
from friendshore.agreement.scenario import Scenario
from friendshore.law.examine import examine
from friendshore.law.repair import Frontier, Repaired, amended, repair, scenario_text
from friendshore.marked import noted, read_marked
from friendshore.world.tables import World

TEXT = f"title: A deal\nin_force: 2027-01-01\nrun_at: 2030-01-01\nparties: [USA, JPN, AUS]\ntrade_area: {{id: a, goods: all, preference: duty_free, {MARK}}}\n{FLOOR}\n"


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("deal") / "deal.yaml"
    path.write_text(TEXT, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def found(source: Path) -> Frontier:
    return repair(world(), source, read(noted(source), world()), as_of=DAY)


def package(found: Frontier, name: str) -> Repaired:
    return next(one for one in found.packages if one.id == name)


def raised(one: Repaired, obligation: str) -> set[str]:
    assert one.screening is not None
    return {
        code for each in one.screening.findings if each.obligation == obligation and each.raised for code in each.bound
    }


def test_every_package_is_read_cleared_and_screened(found):
    assert [one.refused for one in found.packages] == [""] * len(found.packages)
    assert {"as_drafted", "exempt_partners", "cap_at_binding", "subsidy_instead", "undertaking", "extend_to_all"} <= {
        one.id for one in found.packages
    }
    assert all(one.effect is not None for one in found.packages)


def test_each_repair_takes_away_the_finding_that_it_is_for(found):
    draft = package(found, "as_drafted")
    assert raised(draft, "fta.zero-duty")
    assert raised(package(found, "exempt_partners"), "fta.zero-duty") == set()
    assert {"JPN", "USA"} <= raised(draft, "gatt.2.bound")
    assert raised(package(found, "cap_at_binding"), "gatt.2.bound") == set()
    assert raised(package(found, "subsidy_instead"), "gatt.2.bound") == set()
    assert raised(package(found, "subsidy_instead"), "scm.5") == {"AUS", "JPN", "USA"}
    assert "JPN" in raised(draft, "origin")
    assert raised(package(found, "extend_to_all"), "origin") == set()
    assert raised(package(found, "waiver"), "fta.zero-duty"), "a waiver covers nothing that a trade agreement promises"


def test_a_cap_fills_the_headroom_and_no_more(found):
    capped = package(found, "cap_at_binding")
    duties = {patch["value"]["importers"]: patch["value"] for patch in capped.patches if patch.get("add") == "tariffs"}
    assert duties["JPN"]["rate"] == pytest.approx(0.033)
    assert "USA" not in duties, "what stands for its binding leaves no headroom"
    assert "CHN" not in duties["JPN"]["exporters"], "a partner in free trade keeps its zero duty"


def test_support_in_place_of_a_floor_keeps_output_and_lowers_the_price(found):
    draft, paid = package(found, "as_drafted").effect, package(found, "subsidy_instead").effect
    assert paid.output_pct >= 0.9 * draft.output_pct > 0
    assert paid.price_pct < draft.price_pct
    assert paid.treasury_usd < draft.treasury_usd


def test_effect_kept_is_one_for_the_draft_and_nought_without_the_floors(found):
    assert package(found, "as_drafted").kept_pct == pytest.approx(100.0)
    assert package(found, "drop_floors").kept_pct == pytest.approx(0.0)


def test_nothing_on_the_frontier_is_beaten_in_both(found):
    able = [one for one in found.packages if not one.assumed]
    on = [one for one in able if one.frontier]
    assert on
    for one in on:
        for other in able:
            better = other.exposure <= one.exposure and other.effect.output_pct >= one.effect.output_pct
            strictly = other.exposure < one.exposure or other.effect.output_pct > one.effect.output_pct + 1e-9
            assert not (better and strictly), (one.id, other.id)


def test_acts_outside_the_text_change_no_market_and_stay_off_the_frontier(found):
    for one in found.packages:
        if one.assumed:
            assert one.patches == ()
            assert one.effect == package(found, "as_drafted").effect
            assert not one.frontier


def test_a_package_can_be_kept_as_a_scenario_file_with_the_same_findings(found, source):
    kept = package(found, "subsidy_instead")
    path = source.parent / "kept.yaml"
    path.write_text(scenario_text(source, kept.patches), encoding="utf-8")
    again = Scenario.load(path, world())
    seen = examine(world(), again.agreement, as_of=DAY)
    assert [one.document() for one in seen.screening.findings] == [one.document() for one in kept.screening.findings]
    assert read_marked(path).value["patches"][-1] == {"set": "tests", "to": []}


def test_only_what_binds_a_party_is_repaired(source):
    found = repair(world(), source, read(noted(source), world()), as_of=DAY, party="JPN")
    capped = package(found, "cap_at_binding")
    (narrowed,) = (patch for patch in capped.patches if patch.get("term") == "parties")
    assert narrowed["to"] == ["AUS", "USA"]
    assert raised(capped, "gatt.2.bound") == set()


def test_where_nothing_is_raised_there_is_nothing_to_repair(tmp_path):
    found = repair(world(), "no-agreement", Agreement.load("no-agreement", world()))
    assert found.goods == ()
    assert all(one.exposure == 0 for one in found.packages)


# -- the reference design, on the world that ships --------------------------------------------------------------------------


@cache
def shipped() -> World:
    return World.load()


def test_the_design_for_the_union_comes_out_of_repairs_of_the_reference_design():
    """Partners exempt, the Union without a floor and paying the gap: what the shipped design says, made mechanically."""
    name = "plurilateral-2026"
    deal = Agreement.load(name, shipped())
    union = repair(shipped(), name, deal, party="EUN")
    paid = package(union, "subsidy_instead")
    ours = amended(name, paid.patches, shipped())
    theirs = Scenario.load("eu-compatible", shipped()).agreement
    parties = {floor.id: {party.code for party in floor.parties or ()} for floor in theirs.floors}
    assert {floor.id: {party.code for party in floor.parties or ()} for floor in ours.floors} == parties
    assert all("EUN" not in codes for codes in parties.values())
    strikes = {clause.good: clause.strike for clause in ours.subsidies if "EUN" in clause.producers}
    for clause in theirs.subsidies:
        if "EUN" in clause.producers:
            assert strikes[clause.good] == clause.strike
    assert raised(package(union, "as_drafted"), "gatt.2.bound") == {"EUN"}
    assert raised(paid, "gatt.2.bound") == set()
    assert raised(paid, "fta.zero-duty") == set()
