"""The legal screen over typed agreements, on a market small enough to do by hand: three parties, China outside."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from functools import cache

import polars as pl
import pytest
from cleared_world import DAY, deal, quo
from cleared_world import world as three

from friendshore.errors import InputRefused
from friendshore.law.examine import bench, examine
from friendshore.law.screen import commitments
from friendshore.law.screen.judge import Finding
from friendshore.law.screen.obligations import GRADES, shipped_obligations
from friendshore.world.tables import World

MARK = "illustrative: true, rule: a test"
CODES = {"oxide": "284690", "magnet": "850511"}


@cache
def world() -> World:
    """The world of three parties with customs codes, so that bound rates can be looked up."""
    held = three()
    return replace(held, goods=held.goods.with_columns(hs6=pl.col("id").replace_strict(CODES, return_dtype=pl.String)))


@cache
def found(clauses: str, parties: str = "[USA, JPN, AUS]", party: str | None = None) -> tuple[Finding, ...]:
    return examine(world(), deal(clauses, parties), as_of=DAY, before=quo(), party=party).screening.findings


def grades(obligation: str, clauses: str, parties: str = "[USA, JPN, AUS]") -> dict[str, str]:
    """Territory -> grade, the worst where there are several."""
    held: dict[str, str] = {}
    for one in reversed(found(clauses, parties)):
        if one.obligation == obligation:
            held |= dict.fromkeys(one.bound, one.grade)
    return held


def facts(obligation: str, clauses: str, who: str, parties: str = "[USA, JPN, AUS]") -> dict[str, object]:
    return {
        fact.name: fact.value
        for one in found(clauses, parties)
        if one.obligation == obligation
        for fact in one.facts
        if fact.who == who
    }


def floor(more: str = "", price: int = 90_000) -> str:
    return f"floors: [{{id: f, good: oxide, reference_price: {price} USD per t of oxide, levy_on: cif, {more}{MARK}}}]"


def tariff(more: str) -> str:
    return f"tariffs: [{{id: t, goods: oxide, {more}, {MARK}}}]"


FLOOR = floor()
MINIMUM = floor("form: minimum_import_price, ")
UNDERTAKING = floor("form: undertaking, exporter_share: 0.9, ")
ALIKE = floor("applies_to: everyone, ")
TARIFF = tariff("exporters: everyone, rate: 0.01")
SUBSIDY = f"subsidies: [{{id: s, good: oxide, producers: [USA], kind: one_way, strike: 70000 USD per t of oxide, funding: own, {MARK}}}]"
AREA = f"trade_area: {{id: a, goods: all, preference: duty_free, {MARK}}}"
QUOTA = f"export_controls: [{{id: q, mode: quota, goods: oxide, exporters: AUS, importers: [CHN, JPN], tonnes: 30, owner: AUS, {MARK}}}]"
BAN = f"export_controls: [{{id: b, mode: ban, goods: oxide, exporters: AUS, importers: CHN, {MARK}}}]"
TAX = f"export_controls: [{{id: x, mode: export_tax, goods: oxide, exporters: %s, importers: [USA, JPN], rate: 0.1, {MARK}}}]"
TRQ = f"tariff_quotas: [{{id: q, good: magnet, exporters: %s, importers: USA, tonnes: 60, rate_in: 0, rate_out: 0.2, {MARK}}}]"
STANDARD = f"standards: [{{id: n, good: oxide, standard: S, certified: AUS, buyers: [JPN], premium: 900 USD per t of oxide, {MARK}}}]"
OFFTAKE = f"offtakes: [{{id: o, good: oxide, seller: AUS, buyer: JPN, tonnes: 20, price: {{formula: floor, floor: 70000 USD per t of oxide}}, {MARK}}}]"
RESERVE = f"reserve: {{id: r, goods: oxide, holder: JPN, budget_usd: 1e9, target_days: 146, build_years: 2%s, {MARK}}}"
CORRIDOR = (
    "corridors: [{id: c, name: Rail, opens: 2029-01-01, owner: AUS, "
    f"routes: [{{goods: oxide, exporters: AUS, importers: JPN, content: 0.5, saving_usd_t: 50}}], {MARK}}}]"
)
FREE = f"export_controls: [{{id: e, mode: prohibited_between_parties, goods: all, {MARK}}}]"

# obligation: a clause that triggers it, the territory and grade there, and a clause that does not
TOUCHED = {
    "gatt.1": (FLOOR, "JPN", "breach likely", SUBSIDY),
    "gatt.2.bound": (FLOOR, "JPN", "breach likely", SUBSIDY),
    "gatt.2.other": (FLOOR, "JPN", "exposed to challenge", TARIFF),
    "gatt.11.imports": (MINIMUM, "JPN", "breach likely", FLOOR),
    "gatt.11.export-price": (QUOTA, "AUS", "breach likely", BAN),
    "gatt.11.export-ban": (BAN, "AUS", "breach likely", QUOTA),
    "agriculture.4-2": (FLOOR, "JPN", "no conflict found", TARIFF),
    "cva.value": (FLOOR, "JPN", "no conflict found", TARIFF),
    "gatt.3": (SUBSIDY, "USA", "no conflict found", FLOOR),
    "scm.3": (SUBSIDY, "USA", "no conflict found", FLOOR),
    "scm.5": (SUBSIDY, "USA", "exposed to challenge", FLOOR),
    "scm.v": (SUBSIDY, "USA", "exposed to challenge", OFFTAKE),
    "remedies.exclusive": (FLOOR, "JPN", "exposed to challenge", ALIKE),
    "ad.8": (UNDERTAKING, "JPN", "needs justification", FLOOR),
    "safeguards": (UNDERTAKING, "JPN", "exposed to challenge", FLOOR),
    "gatt.10": (FLOOR, "JPN", "needs justification", TARIFF),
    "licensing": (TRQ % "CHN", "USA", "needs justification", FLOOR),
    "origin": (FLOOR, "JPN", "exposed to challenge", ALIKE),
    "tbt.2": (STANDARD, "JPN", "exposed to challenge", FLOOR),
    "gatt.24": (AREA, "JPN", "breach likely", FLOOR),
    "competition": (OFFTAKE, "JPN", "exposed to challenge", FLOOR),
    "gatt.5": (CORRIDOR, "AUS", "exposed to challenge", FLOOR),
    "gatt.17": (RESERVE % "", "JPN", "exposed to challenge", OFFTAKE),
    "accession.china": (TAX % "CHN", "CHN", "breach likely", TAX % "AUS"),
    "gatt.13": (TRQ % "CHN", "USA", "breach likely", FLOOR),
    "fta.zero-duty": (FLOOR, "JPN", "breach likely", SUBSIDY),
    "fta.price-requirements": (floor("parties: [AUS], applies_to: everyone, "), "AUS", "exposed to challenge", TARIFF),
    "fta.export-duties": (TAX % "AUS", "AUS", "breach likely", QUOTA),
}
BY_HAND = {  # what no instrument does yet, or no party of this small world: stated as cases in test_law_cases
    "fta.export-pricing",
    "us-japan.minerals",
    "union.outer-border",
    "eu.state-aid",
}


def test_every_obligation_is_put_to_an_agreement_or_to_a_case():
    rules = {name for name, one in shipped_obligations().items() if one.kind == "obligation"}
    assert rules == set(TOUCHED) | BY_HAND
    assert len(shipped_obligations()) >= 25


@pytest.mark.parametrize("obligation", TOUCHED)
def test_an_obligation_is_triggered_by_what_it_speaks_about(obligation):
    clauses, who, grade, _ = TOUCHED[obligation]
    assert grades(obligation, clauses)[who] == grade


@pytest.mark.parametrize("obligation", TOUCHED)
def test_an_obligation_is_not_triggered_by_what_it_does_not_speak_about(obligation):
    *_, other = TOUCHED[obligation]
    assert found(other), "the clause meets something else"
    assert grades(obligation, other) == {}


def test_no_agreement_raises_nothing():
    from friendshore.agreement.document import Agreement

    seen = examine(world(), Agreement.load("no-agreement", world()))
    assert seen.screening.findings == ()
    assert set(seen.screening.untouched) == set(TOUCHED) | BY_HAND
    assert seen.screening.not_examined
    assert json.dumps(seen.screening.document()["findings"]) == "[]"


def test_the_levy_against_the_binding_is_the_gap_over_the_customs_value():
    held = facts("gatt.2.bound", FLOOR, "JPN")
    flows = examine(world(), deal(FLOOR), as_of=DAY, before=quo()).after.flows
    row = flows.filter((pl.col("good") == "oxide") & (pl.col("exporter") == "CHN") & (pl.col("importer") == "JPN"))
    ave = 100.0 * float(((row["duty_usd_t"] + row["levy_usd_t"]) / row["cif_usd_t"])[0])
    assert held["ave_pct"] == pytest.approx(ave)
    assert held["over_points"] == pytest.approx(ave - 3.3)
    assert held["fits_above_usd_t"] == pytest.approx(90_000 / 1.033)
    assert held["over_share_pct"] == pytest.approx(100.0)


def test_customs_value_leaves_out_freight_where_the_territory_values_at_fob():
    held = facts("gatt.2.bound", FLOOR, "USA")
    flows = examine(world(), deal(FLOOR), as_of=DAY, before=quo()).after.flows
    row = flows.filter((pl.col("good") == "oxide") & (pl.col("exporter") == "CHN") & (pl.col("importer") == "USA"))
    value = float(row["cif_usd_t"][0]) - 300.0
    assert held["ave_pct"] == pytest.approx(100.0 * float((row["duty_usd_t"] + row["levy_usd_t"])[0]) / value)


def test_a_duty_inside_the_binding_raises_nothing_and_says_its_headroom():
    inside = tariff("exporters: CHN, importers: JPN, rate: 0.03")
    assert grades("gatt.2.bound", inside) == {"JPN": "no conflict found"}
    assert grades("gatt.2.bound", tariff("exporters: CHN, importers: JPN, rate: 0.034")) == {"JPN": "breach likely"}
    assert facts("gatt.2.bound", inside, "JPN")["headroom_pct"] == pytest.approx(3.3)


def test_a_binding_that_is_not_known_is_not_examined_and_never_compatible():
    assert grades("gatt.2.bound", FLOOR)["AUS"] == "not examined"
    assert commitments.shipped().binding("AUS", ["284690"]) is None


def test_the_date_at_which_the_phased_levy_passes_the_binding():
    phased = floor("phase_in: 3y, ")
    crossed = date.fromisoformat(str(facts("gatt.2.bound", phased, "JPN")["crosses_on"]))
    before = quo().flows
    row = before.filter((pl.col("good") == "oxide") & (pl.col("exporter") == "CHN") & (pl.col("importer") == "JPN"))
    gap_pct = 100.0 * (90_000 / float(row["cif_usd_t"][0]) - 1.0)
    share = 3.3 / gap_pct
    expected = date(2027, 1, 1).toordinal() + share * 3 * 365.25
    assert abs(crossed.toordinal() - expected) <= 2


def test_exempting_a_partner_takes_its_finding_away():
    assert "partners_hit" in facts("fta.zero-duty", FLOOR, "JPN")
    spared = floor("exempt: [CHN], ")
    assert "JPN" in grades("fta.zero-duty", FLOOR)
    assert "JPN" not in grades("fta.zero-duty", spared)


def test_a_party_sees_its_own_findings_alone():
    only = examine(world(), deal(FLOOR), as_of=DAY, before=quo(), party="JPN").screening
    assert only.findings
    assert {code for one in only.findings for code in one.bound} == {"JPN"}


def test_a_party_that_the_world_does_not_have_is_refused():
    with pytest.raises(InputRefused, match="JPN"):
        examine(world(), deal(FLOOR), as_of=DAY, before=quo(), party="JPP")


def test_every_finding_shows_both_sides_its_disputes_and_its_source():
    for clauses in (FLOOR, MINIMUM, SUBSIDY, AREA, QUOTA, STANDARD):
        for one in found(clauses):
            assert one.grade in GRADES
            assert one.because
            assert one.test
            assert one.argument_for
            assert one.confidence in "HMLK"
            assert one.source
            if one.raised:
                assert one.changes, one.obligation
                assert one.repairs, one.obligation
            for each in one.disputes:
                assert each.status in (
                    "adopted",
                    "not adopted",
                    "appealed into the void",
                    "settled",
                    "under appeal",
                    "pending",
                )


def test_freeing_exports_is_no_advantage_where_nothing_is_restricted():
    assert set(grades("gatt.1", FREE).values()) == {"no conflict found"}, "nobody in this world restricts exports"


def test_the_worst_grade_stands_first():
    order = [GRADES.index(one.grade) for one in found(FLOOR)]
    assert order == sorted(order)


def test_the_same_screening_comes_out_twice():
    one, other = (
        json.dumps(examine(world(), deal(FLOOR), as_of=DAY, before=quo()).screening.document()) for _ in range(2)
    )
    assert one == other


def test_a_member_by_its_day():
    held = commitments.shipped()
    assert not held.is_member("CHN", date(2001, 12, 10))
    assert held.is_member("CHN", date(2001, 12, 11))
    assert not held.is_member("UZB", date(2026, 1, 1))
    assert held.is_member("EUN", date(2026, 1, 1))


def test_an_agreement_binds_a_pair_from_the_later_of_their_days():
    held = commitments.shipped()
    assert held.free_trade("JPN", "IDN", date(2008, 7, 1)) is not None
    assert [one.id for one in held.between("JPN", "IDN", date(2022, 6, 1)) if one.id == "rcep"] == []
    assert [one.id for one in held.between("JPN", "IDN", date(2023, 6, 1)) if one.id == "rcep"] == ["rcep"]
    assert held.free_trade("USA", "CHN", date(2026, 1, 1)) is None
    assert held.free_trade("USA", "JPN", date(2026, 1, 1)) is None
    assert [one.id for one in held.between("GBR", "CAN", date(2026, 1, 1)) if one.id == "cptpp"] == []


@pytest.mark.parametrize(
    ("value", "pct"), [(2.0, 3.0), (4.42, 3.0), (4.44, 0.0)], ids=["below 670 yen", "just below", "above"]
)
def test_a_binding_that_depends_on_the_value_is_read_at_the_value(value, pct):
    binding = commitments.shipped().binding("JPN", ["810411"], value)
    assert binding is not None
    assert binding.high_pct == pct


def test_a_binding_in_yen_per_kilogram_is_set_against_the_value():
    binding = commitments.shipped().binding("JPN", ["811010"], 10.0)
    assert binding is not None
    assert binding.high_pct == pytest.approx(100 * 8.80 * 0.006607 / 10.0)
    assert commitments.shipped().binding("JPN", ["811010"]) is None


def test_the_bench_holds_what_ships():
    held = bench(DAY)
    assert len(held.obligations) >= 25
    assert all(name in held.disputes for one in held.obligations.values() for name in one.disputes)


def test_the_lines_of_a_schedule_that_was_read_say_who_was_promised_what():
    held = commitments.shipped()
    assert held.line("JPN", "CHN", ["284690"]) == "yes"
    assert held.line("JPN", "KOR", ["284180"]) == "in part"
    assert held.line("JPN", "USA", ["284690"]) == "no"
    assert held.line("AUS", "CHN", ["284690"]) is None
    assert held.line("JPN", "CHN", ["284690", "999999"]) is None


def test_designs_stand_in_the_order_of_their_exposure():
    """Offtakes, untied support and premia are exposed at most; a floor breaks promises; a minimum price restricts besides."""

    def worst(clauses: str) -> str:
        return GRADES[min(GRADES.index(one.grade) for one in found(clauses) if one.raised)]

    def broken(clauses: str) -> set[str]:
        return {one.obligation for one in found(clauses) if one.grade == "breach likely"}

    assert worst(OFFTAKE) == worst(SUBSIDY) == worst(STANDARD) == "exposed to challenge"
    assert worst(FLOOR) == worst(MINIMUM) == "breach likely"
    assert broken(FLOOR) == {"gatt.1", "gatt.2.bound", "fta.zero-duty"}
    assert broken(MINIMUM) == {"gatt.1", "gatt.11.imports"}, "no duty, so no binding; but a restriction"


def test_a_union_acts_as_one_at_its_border():
    held = commitments.shipped()
    assert {one.id for one in held.unions} >= {"mercosur", "gcc", "sacu", "eaeu"}
    assert "rta.127" not in {one.id for one in held.unions}, "the Andean Community has no tariff that all apply"


def test_an_act_that_no_obligation_speaks_about_is_said_to_be_unexamined():
    clauses = (
        f"{FLOOR}\nsafeguards: [{{id: way-out, when: price_rise of oxide > 9, then: suspend floors, for: 6m, {MARK}}}]"
    )
    said = examine(world(), deal(clauses), as_of=DAY, before=quo()).screening.not_examined
    assert "What way-out does (safeguard) is an act that no obligation of the screen speaks about." in said
    assert not [one for one in examine(world(), deal(FLOOR), as_of=DAY).screening.not_examined if "act that no" in one]


def test_every_act_of_an_instrument_is_known_to_the_screen():
    """The words that instruments use for what they do are those of the data files, or said to be unexamined."""
    import re
    from pathlib import Path
    from typing import get_args

    from friendshore import instruments
    from friendshore.law.screen.obligations import Touch

    text = "".join(path.read_text(encoding="utf-8") for path in Path(instruments.__file__).parent.glob("*.py"))
    used = set(re.findall(r'touches\s*=\s*"([a-z_]+)"', text))
    assert {"transit", "tariff_quota", "producer_subsidy"} <= used
    assert used <= set(get_args(Touch))


def test_the_levy_by_origin_and_along_the_phase_in():
    phased = floor("phase_in: 4y, ")
    seen = examine(world(), deal(phased), as_of=DAY, before=quo()).screening
    rows = {(row.territory, row.exporter): row for row in seen.levies}
    row = rows["JPN", "CHN"]
    gap = 100.0 * (90_000 / (row.before_usd / row.before_t) - 1.0)
    assert [day.year for day, _ in row.path] == [2027, 2028, 2029, 2030]
    assert row.path[0][1] == pytest.approx(0.0)
    assert row.path[-1][1] == pytest.approx(0.75 * gap, rel=2e-3)
    assert row.over_points == pytest.approx(row.ave_pct - 3.3)
    assert row.headroom_points == pytest.approx(3.3)
    assert rows["USA", "CHN"].levy_usd > 0
    assert json.loads(json.dumps(seen.document()))["levies"][0].keys() >= {
        "clause",
        "good",
        "exporter",
        "ave_pct",
        "path",
    }


def test_a_bound_rate_that_is_not_known_is_shown_as_not_known():
    seen = examine(world(), deal(floor(), "[USA, AUS]"), as_of=DAY, before=quo()).screening
    assert {row.over_points for row in seen.levies if row.territory == "AUS"} <= {None}
