"""Repairs: each is a patch that is read, cleared and screened again; the frontier says what it takes away and what it costs."""

from __future__ import annotations

from functools import cache
from itertools import combinations, permutations
from pathlib import Path
from typing import Any, get_args

import pytest
from cleared_world import DAY, output, price, quo, tonnes
from hypothesis import given
from hypothesis import strategies as st
from test_law_screen import AREA, BAN, CORRIDOR, FLOOR, MARK, OFFTAKE, QUOTA, STANDARD, SUBSIDY, floor, world

from friendshore.agreement.document import Agreement, read
from friendshore.agreement.scenario import Scenario
from friendshore.law import amend
from friendshore.law.amend import Draft
from friendshore.law.examine import Examined, examine
from friendshore.law.repair import Frontier, Repaired, amended, composed, proposed, repair, repaired_text, scenario_text
from friendshore.law.screen import law
from friendshore.law.screen.judge import GRADES
from friendshore.law.screen.obligations import RepairName
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
    assert package(found, "drop_measures").kept_pct == pytest.approx(0.0)


def test_nothing_on_the_frontier_is_beaten_in_both(found):
    able = [one for one in found.packages if not one.granted]
    on = [one for one in able if one.frontier]
    assert on
    for one in on:
        for other in able:
            better = other.exposure <= one.exposure and other.effect.output_pct >= one.effect.output_pct
            strictly = other.exposure < one.exposure or other.effect.output_pct > one.effect.output_pct + 1e-9
            assert not (better and strictly), (one.id, other.id)


def test_what_others_would_have_to_give_changes_no_market_and_stays_off_the_frontier(found):
    granted = [one for one in found.packages if one.granted]
    assert {one.id for one in granted} == {"waiver", "renegotiate"}
    for one in granted:
        assert one.patches, "the text says what it waits for"
        assert one.effect.output_pct == pytest.approx(package(found, "as_drafted").effect.output_pct)
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


STEPS = (("contract_instead", "EUN"), ("attach_to_agreement", "EUN"), ("exempt_partners", None))
WORDS = {"title", "source", "note", "rule", "illustrative"}  # of a clause that repairs write in words of their own


def terms(deal: Agreement) -> dict[str, object]:
    """Every clause without its words, by id."""
    return {clause.id: clause.model_dump(exclude=WORDS, exclude_defaults=True) for clause in deal.clauses}


@cache
def stepped() -> Agreement:
    """The reference design after the named repairs, each made on what the one before left."""
    source: Any = "plurilateral-2026"
    patches: list[dict[str, Any]] = []
    for name, party in STEPS:
        deal = amended(source, patches, shipped())
        seen = examine(shipped(), deal, party=party)
        held = law.shipped()
        made = amend.REPAIRS[name](Draft(deal, seen, shipped(), held.commitments, held.obligations))
        assert made, name
        patches += made
    return amended(source, patches, shipped())


def test_the_design_for_the_union_is_the_reference_design_after_three_named_repairs():
    theirs = Scenario.load("eu-compatible", shipped()).agreement
    assert terms(stepped()) == terms(theirs)


def test_the_design_for_the_union_has_the_findings_of_the_repaired_reference_and_breaks_nothing_there():
    def found_on(deal: Agreement) -> list[tuple[object, ...]]:
        return [
            (one.clause, one.obligation, one.grade, one.bound, one.because)
            for one in examine(shipped(), deal, party="EUN").screening.findings
        ]

    ours, theirs = found_on(stepped()), found_on(Scenario.load("eu-compatible", shipped()).agreement)
    assert ours == theirs
    assert not [one for one in theirs if one[2] == "breach likely"]
    draft = found_on(Agreement.load("plurilateral-2026", shipped()))
    assert {one[1] for one in draft if one[2] == "breach likely"} == {"gatt.1", "gatt.2.bound", "gatt.24"}


def test_the_same_repairs_are_written_out_one_after_the_other(tmp_path):
    first = repaired_text(
        shipped(), "plurilateral-2026", Agreement.load("plurilateral-2026", shipped()), "contract_instead", party="EUN"
    )
    path = tmp_path / "first.yaml"
    path.write_text(first, encoding="utf-8")
    second = repaired_text(shipped(), path, Agreement.load(path, shipped()), "attach_to_agreement", party="EUN")
    (tmp_path / "second.yaml").write_text(second, encoding="utf-8")
    deal = Agreement.load(tmp_path / "second.yaml", shipped())
    assert {area.id for area in deal.trade_area} == {area.id for area in stepped().trade_area}
    assert "gap.ndpr" in {clause.id for clause in deal.clauses}


@pytest.mark.parametrize(
    "name",
    ["eu-compatible", "plurilateral-2026-derivatives", "plurilateral-2026-options", "with-brazil", "eleven-accede", "alliance-duties"],
)  # fmt: skip
def test_every_package_of_a_shipped_draft_is_a_sound_text(name):
    """Ids that are taken, prices worked out from other floors, alternatives, members of customs unions: all can be read."""
    deal = Agreement.load(name, shipped())
    held = law.shipped()
    draft = Draft(deal, examine(shipped(), deal), shipped(), held.commitments, held.obligations)
    made = proposed(draft)
    assert len(made) >= 8
    for _, patches in made:
        amended(name, patches, shipped(), options=bool(deal.options))


def test_parties_that_a_customs_union_keeps_from_a_clause_are_named():
    (said,) = examine(shipped(), Agreement.load("with-brazil", shipped())).screening.unions
    assert said.startswith("Brazil has no outer border of its own (Southern Common Market): area, floor.gallium")
    assert examine(shipped(), Agreement.load("plurilateral-2026", shipped())).screening.unions == ()


# -- each repair, on a draft that asks for it -------------------------------------------------------------------------------

HOME_QUOTA = f"export_controls: [{{id: q, mode: quota, goods: oxide, exporters: CHN, tonnes: 21, owner: CHN, {MARK}}}]"
PREMIUM = STANDARD.replace("standard: S", "standard: S, access: required")
ASKED = {  # repair: clauses, the obligation whose finding it is for, the territory
    "exempt_partners": (FLOOR, "fta.zero-duty", "JPN"),
    "cap_at_binding": (f"{AREA}\n{FLOOR}", "gatt.2.bound", "JPN"),
    "subsidy_instead": (FLOOR, "gatt.2.bound", "JPN"),
    "contract_instead": (FLOOR, "gatt.2.bound", "USA"),
    "undertaking": (FLOOR, "gatt.2.bound", "JPN"),
    "extend_to_all": (FLOOR, "gatt.1", "JPN"),
    "attach_to_agreement": (AREA, "gatt.24", "USA"),
    "tax_instead": (QUOTA, "gatt.11.export-price", "AUS"),
    "limit_at_home": (HOME_QUOTA, "gatt.11.export-price", "CHN"),
    "temporary": (BAN, "gatt.11.export-ban", "AUS"),
    "open_standard": (STANDARD, "tbt.2", "JPN"),
    "voluntary_standard": (PREMIUM, "gatt.11.imports", "JPN"),
    "open_to_all": (CORRIDOR, "gatt.5", "AUS"),
    "publish_method": (FLOOR, "gatt.10", "JPN"),
    "by_statute": (OFFTAKE, "competition", "JPN"),
    "renegotiate": (FLOOR, "gatt.2.bound", "JPN"),
    "waiver": (FLOOR, "gatt.1", "JPN"),
    "drop_clause": (SUBSIDY, "scm.5", "USA"),
}
IN_THE_UNION = {"act_as_union", "notify"}  # no union in the small world: put to the world that ships, below


def test_every_repair_that_an_obligation_may_name_is_made_and_tried():
    assert set(amend.REPAIRS) == set(get_args(RepairName)) == set(ASKED) | IN_THE_UNION
    named = {name for one in law.shipped().obligations.values() for name in one.repairs}
    assert named == set(amend.REPAIRS)


def draft_of(text: str) -> tuple[Draft, Agreement]:
    deal = read(noted(text.encode(), name="deal.yaml"), world())
    held = law.shipped()
    return Draft(deal, examine(world(), deal, as_of=DAY), world(), held.commitments, held.obligations), deal


def text_of(clauses: str) -> str:
    return f"title: A deal\nin_force: 2027-01-01\nrun_at: 2030-01-01\nparties: [USA, JPN, AUS]\n{clauses}\n"


def worst(seen: Examined, obligation: str, who: str) -> int:
    """Place of the worst grade in the order of grades; beyond the last where nothing is found."""
    found = (one for one in seen.screening.findings if one.obligation == obligation and who in one.bound)
    return min((GRADES.index(one.grade) for one in found), default=len(GRADES))


@pytest.mark.parametrize("repair_name", ASKED)
def test_a_repair_betters_the_finding_that_asks_for_it(repair_name, tmp_path):
    clauses, obligation, who = ASKED[repair_name]
    path = tmp_path / "deal.yaml"
    path.write_text(text_of(clauses), encoding="utf-8")
    draft, _ = draft_of(text_of(clauses))
    before = worst(draft.seen, obligation, who)
    assert GRADES[before] in ("breach likely", "needs justification", "exposed to challenge")
    patches = amend.REPAIRS[repair_name](draft)
    after = worst(examine(world(), amended(path, patches, world()), as_of=DAY), obligation, who)
    assert after > before


def test_an_export_tax_at_the_rent_lets_out_what_the_quota_let_out(tmp_path):
    """rate = rent / price at home: the same tonnes leave, and the state takes what the licences earned."""
    clauses = f"export_controls: [{{id: q, mode: quota, goods: oxide, exporters: USA, tonnes: 8, owner: USA, {MARK}}}]"
    path = tmp_path / "deal.yaml"
    path.write_text(text_of(clauses), encoding="utf-8")
    draft, _ = draft_of(text_of(clauses))
    patches = amend.tax_instead(draft)
    taxed = examine(world(), amended(path, patches, world()), as_of=DAY).after
    before, after = (tonnes(each, "oxide", "USA", "JPN") for each in (draft.seen.after, taxed))
    assert before == pytest.approx(8.0, rel=1e-6)
    assert after == pytest.approx(before, rel=1e-4)
    (rate,) = (patch["value"]["rate"] for patch in patches if "value" in patch)
    rents = draft.seen.after.rents
    assert rate == pytest.approx(rents["rent"][0] / price(draft.seen.after, "oxide", "USA"), rel=1e-4)


def test_partners_who_were_promised_free_exports_stand_outside_an_export_tax():
    draft, _ = draft_of(text_of(QUOTA.replace("importers: [CHN, JPN]", "importers: [CHN, JPN, USA]")))
    (made,) = (patch["value"] for patch in amend.tax_instead(draft) if "value" in patch)
    assert made["importers"] == ["CHN"], "Japan and the United States were promised that there would be none"


def test_a_protocol_that_bars_export_taxes_leaves_no_tax_to_propose():
    draft, _ = draft_of(text_of(HOME_QUOTA))
    assert amend.tax_instead(draft) == ()


def test_use_at_home_is_cut_in_the_proportion_of_exports():
    draft, _ = draft_of(text_of(HOME_QUOTA))
    (patch,) = amend.limit_at_home(draft)
    assert patch["term"] == "home_tonnes"
    assert patch["to"] / 500.0 == pytest.approx(21.0 / 42.0, rel=1e-6), "base year: 500 at home, 42 abroad"


def test_a_ban_becomes_licences_for_what_is_made_shared_as_in_the_base_year():
    draft, _ = draft_of(text_of(BAN.replace("exporters: AUS, importers: CHN", "exporters: CHN, importers: everyone")))
    made = [patch["value"] for patch in amend.limit_at_home(draft) if "value" in patch]
    (licence,) = made
    part = output(draft.seen.after, "oxide", "CHN") / output(quo(), "oxide", "CHN")
    assert licence["mode"] == "licence"
    assert licence["tonnes"] == pytest.approx(42.0 * part, abs=1e-3)
    assert licence["home_tonnes"] == pytest.approx(500.0 * part, abs=1e-3)


def test_a_two_way_contract_is_written_where_producers_earn_less_than_the_strike():
    draft, _ = draft_of(text_of(floor(price=63_500)))
    (made,) = (patch["value"] for patch in amend.contract_instead(draft) if "value" in patch)
    assert made["kind"] == "two_way"
    assert made["producers"] == ["AUS"], "the United States sell at 64,000, Japan makes none"


def test_repairs_made_together_put_one_thing_in_the_place_of_a_clause():
    draft, _ = draft_of(text_of(BAN.replace("exporters: AUS, importers: CHN", "exporters: USA, importers: everyone")))
    taxed, licensed = amend.tax_instead(draft), amend.limit_at_home(draft)
    assert taxed
    assert licensed
    assert composed(taxed, licensed) == taxed
    assert composed(licensed, taxed) == licensed
    assert composed((), licensed, ({"change": "other", "term": "ends", "to": DAY},))[:-1] == licensed


@given(st.sets(st.tuples(st.sampled_from("abcdef"), st.sampled_from("abcdef")).filter(lambda pair: pair[0] < pair[1])))
def test_areas_are_the_largest_groups_in_which_every_pair_has_an_agreement(drawn):
    pairs = drawn | {(other, one) for one, other in drawn}
    whole = [
        set(group)
        for size in range(2, 7)
        for group in combinations("abcdef", size)
        if all(pair in pairs for pair in permutations(group, 2))
    ]
    largest = [group for group in whole if not any(group < other for other in whole)]
    assert sorted(map(sorted, largest)) == [list(group) for group in amend.cliques("abcdef", pairs)]


# -- a union, on the world that ships ---------------------------------------------------------------------------------------

ALONE = f"""title: A ban of one member
in_force: 2027-01-01
parties: [EUN, USA]
export_controls: [{{id: ore, mode: ban, goods: copper.cathode, exporters: DEU, importers: CHN, {MARK}}}]
"""
AID = f"""title: Aid
in_force: 2027-01-01
parties: [EUN, USA]
subsidies: [{{id: aid, good: ndpr.oxide, producers: EUN, kind: per_tonne, amount: 5 USD per kg of ndpr_oxide, funding: own, {MARK}}}]
"""


@pytest.mark.parametrize(
    ("text", "name", "obligation", "grade"),
    [
        (ALONE, "act_as_union", "union.outer-border", "breach likely"),
        (AID, "notify", "eu.state-aid", "needs justification"),
    ],
)
def test_a_repair_inside_the_union(text, name, obligation, grade, tmp_path):
    path = tmp_path / "deal.yaml"
    path.write_text(text, encoding="utf-8")
    deal = Agreement.load(path, shipped())
    held = law.shipped()
    seen = examine(shipped(), deal, party="EUN")
    assert GRADES[worst(seen, obligation, "EUN")] == grade
    patches = amend.REPAIRS[name](Draft(deal, seen, shipped(), held.commitments, held.obligations))
    after = examine(shipped(), amended(path, patches, shipped()), party="EUN")
    assert worst(after, obligation, "EUN") > GRADES.index(grade)
