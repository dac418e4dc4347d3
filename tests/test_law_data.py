"""The data files of the screen: what ships is sound, and what is not is refused with line and column."""

from __future__ import annotations

import csv
import os
import shutil
from pathlib import Path

import pytest

from friendshore.errors import InputRefused
from friendshore.law.screen import commitments
from friendshore.law.screen.obligations import read_disputes, read_obligations
from friendshore.law.screen.text import CONFIDENCE, DATA

DATA_RAW = (
    Path(os.environ.get("FRIENDSHORE_DATA", Path(__file__).resolve().parent.parent.parent / "shared" / "data")) / "raw"
)

RULE = """id: a.rule
name: A rule
article: A treaty 1
says: Nothing much.
trigger:
  - touches: import_duty
test: Is there a duty?
grades:
  - grade: exposed to challenge
    because: There is one.
argument_for: There is one.
confidence: K
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(DATA, tmp_path / "data")
    return tmp_path / "data"


def refused_rule(tmp_path: Path, text: str) -> str:
    (tmp_path / "a.rule.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(InputRefused) as refused:
        read_obligations(tmp_path, {})
    return str(refused.value)


def refused_table(folder: Path, name: str, old: str, new: str) -> str:
    path = folder / name
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(InputRefused) as refused:
        commitments.load(folder)
    return str(refused.value)


def test_what_ships_can_be_read_and_amended_without_code(folder):
    (folder / "obligations" / "a.rule.yaml").write_text(RULE, encoding="utf-8")
    held = read_obligations(folder / "obligations", read_disputes(folder / "disputes"))
    assert held["a.rule"].grades[0].grade == "exposed to challenge"
    assert len(held) >= 26


@pytest.mark.parametrize(
    ("old", "new", "place", "said"),
    [
        ("touches: import_duty", "touches: import_dutty", "a.rule.yaml:6:14", "did you mean 'import_duty'?"),
        ("grade: exposed to challenge", "grade: exposed", "a.rule.yaml:9:12", "breach likely"),
        ("confidence: K", "confidence: Q", "a.rule.yaml:12:13", "expected H, M, L or K"),
        ("argument_for:", "argument_fro:", "a.rule.yaml:11:1", "did you mean 'argument_for'?"),
        ("name: A rule", "name: A rule\nname: Another", "a.rule.yaml:3:1", "stands here twice"),
        ("    because:", "\tbecause:", "a.rule.yaml:10:1", "a tab in the indentation"),
        ("  - grade:", "  - when: {aves: some}\n    grade:", "a.rule.yaml:9:", "no fact is called 'aves'"),
        ("  - grade:", "  - when: {ave_pct: {over: 3}}\n    grade:", "a.rule.yaml:9:", "over"),
        (
            "  - grade:",
            "  - when: {origins: some}\n    grade:",
            "a.rule.yaml:9:3",
            "the last of grades has a condition",
        ),
        ("says: Nothing much.\n", "", "a.rule.yaml:1:1", "'says' is missing"),
    ],
)
def test_a_bad_obligation_is_refused_at_its_line(tmp_path, old, new, place, said):
    message = refused_rule(tmp_path, RULE.replace(old, new, 1))
    assert place in message
    assert said in message


def test_an_obligation_that_names_an_unknown_dispute_or_defence_is_refused(tmp_path):
    message = refused_rule(tmp_path, RULE + "disputes: ds9999\ndefences: gatt.21\n")
    assert "'ds9999', which has no file" in message
    assert "'gatt.21', which has no file" in message
    assert "2 problems" in message


def test_a_file_that_is_not_named_for_its_id_is_refused(tmp_path):
    assert "call the file b.rule.yaml" in refused_rule(tmp_path, RULE.replace("id: a.rule", "id: b.rule"))


@pytest.mark.parametrize(
    ("name", "old", "new", "said"),
    [
        ("rates.csv", "CHN,250490,,3,3", "CHN,250490,,3 %,3", "rates.csv:"),
        ("rates.csv", "territory,hs6", "territory,hs", "the columns are territory, hs"),
        ("members.csv", "AFG,Afghanistan,2016-07-29", "AFG,Afghanistan,29 July 2016", "members.csv:2:17"),
        (
            "members.csv",
            "AFG,Afghanistan,2016-07-29,,wto.members",
            "AFG,Afghanistan",
            "2 cells where there are 5 columns",
        ),
        ("agreements.csv", "2007-11-01,XXIV,JPN THA", "2007-11-01,XXIV,JPN Thailand", "agreements.csv:2:"),
        ("agreements.csv", "free_trade_area", "free_trade", "free_trade_area or customs_union"),
        ("currencies.csv", "0.006607", "a lot", "US dollars per unit, not 'a lot'"),
        ("rates.csv", "up to 670 JPY/kg", "to 670 yen", "up to 670 JPY/kg"),
        ("agreements/usmca.yaml", "row: rta.1087", "row: rta.99999", "no row 'rta.99999'"),
        ("agreements/rcep.yaml", "KOR@2022-02-01", "KOR@soon", "KOR@soon"),
        ("agreements/usmca.yaml", 'holds: "yes"', "holds: perhaps", "usmca.yaml:5:"),
        ("powers/us-border.yaml", "may: with consent", "may: perhaps", "us-border.yaml:4:6"),
    ],
)
def test_a_bad_table_or_file_is_refused_with_its_place(folder, name, old, new, said):
    assert said in refused_table(folder, name, old, new)


def test_all_problems_come_at_once(folder):
    path = folder / "members.csv"
    path.write_text(path.read_text(encoding="utf-8").replace("2016-07-29", "x", 1), encoding="utf-8")
    message = refused_table(folder, "powers/us-border.yaml", "may: with consent", "may: perhaps")
    assert "members.csv:2" in message
    assert "us-border.yaml:4" in message


def test_a_new_agreement_is_a_new_file(folder):
    (folder / "agreements" / "eu-indonesia.yaml").write_text(
        "id: eu-indonesia\nname: EU-Indonesia CEPA\nkind: free_trade_area\nparties: [EUN, IDN]\nsince: 2027-01-01\n"
        'promises:\n  zero_duty: {holds: "yes", confidence: K}\nconfidence: K\n',
        encoding="utf-8",
    )
    from datetime import date

    held = commitments.load(folder)
    assert held.free_trade("EUN", "IDN", date(2026, 12, 31)) is None
    assert held.free_trade("EUN", "IDN", date(2027, 1, 1)).id == "eu-indonesia"


def test_every_source_of_the_tables_is_listed():
    held = commitments.shipped()
    named = {part for rates in held.rates.values() for rate in rates for part in rate.source.split("+")}
    named |= {part for treaty in held.treaties for part in treaty.source.split("+") if not part.startswith("http")}
    assert named <= set(held.sources)


def test_every_entry_says_how_far_it_was_checked():
    held = read_obligations(DATA / "obligations", read_disputes(DATA / "disputes"))
    assert all(one.confidence in CONFIDENCE and one.source for one in held.values())
    assert all(power.confidence in CONFIDENCE for power in commitments.shipped().powers)


def test_rates_are_per_cent_and_bound_rates_are_not_below_applied_ones():
    for rates in commitments.shipped().rates.values():
        for rate in rates:
            known = [x for x in (rate.applied_low_pct, rate.applied_high_pct, rate.bound_high_pct) if x is not None]
            assert all(0.0 <= x <= 100.0 for x in known), rate
            if rate.binding in ("schedule", "conventional") and not rate.bound_specific and not rate.band:
                assert (
                    rate.applied_high_pct is None
                    or rate.bound_high_pct is None
                    or (rate.applied_high_pct <= rate.bound_high_pct + 1e-9)
                ), rate


TOTA = DATA_RAW / "tota_agreements" / "derived_tota_export_provisions.csv"


@pytest.mark.skipif(not TOTA.is_file(), reason="the search of the treaty texts is not at hand")
def test_the_provisions_that_ship_are_those_of_the_texts_that_were_searched():
    """Every row stands on an article of the same agreement, and the price clauses marked H name a price requirement."""
    with TOTA.open(encoding="utf-8", newline="") as file:
        read = list(csv.DictReader(file))
    words = {"no_export_duties": "export duty", "no_price_requirements": "import/export price requirement"}
    with (DATA / "provisions.csv").open(encoding="utf-8", newline="") as file:
        held = list(csv.DictReader(file))
    assert len(held) > 100
    for row in held:
        there = [
            one
            for one in read
            if f"rta.{one['wto_rta_id']}" == row["row"] and one["provision"] == words[row["promised"]]
        ]
        assert there, row
        if row["promised"] == "no_price_requirements" and row["confidence"] == "H":
            assert any("price requirement" in one["excerpt"].lower() for one in there), row
        if row["promised"] == "no_export_duties":
            assert any(one["stance"].startswith("prohibits") and one["match_quality"] == "high" for one in there), row


def test_a_promise_found_in_a_text_holds_between_its_parties_and_carries_its_mark():
    from datetime import date

    held = commitments.shipped()
    (treaty,) = (one for one in held.between("CAN", "KOR", date(2026, 1, 1)) if one.id == "rta.168")
    assert treaty.pledge("no_price_requirements").confidence in "HM"
    korus = next(one for one in held.between("USA", "KOR", date(2026, 1, 1)) if one.id == "korus")
    assert korus.pledge("no_price_requirements").confidence == "M"
    assert "general knowledge" in korus.pledge("no_price_requirements").note
    usmca = next(one for one in held.between("USA", "MEX", date(2026, 8, 1)) if one.id == "usmca")
    assert usmca.pledge("no_price_requirements").confidence == "K", "its text was not at hand"
