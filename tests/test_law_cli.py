"""`screen` and `repair` on the command line: the page, the JSON, the exit status, what is left behind."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from friendshore.law.screen.obligations import GRADES

CASE = """
case: A duty that spares some
measures:
  - {clause: duty, act: import_duty, by: JPN, goods: cobalt, burdens: CHN, spares: USA}
expects:
  - {obligation: gatt.1, grade: %s}
"""


@pytest.fixture
def case(tmp_path: Path):
    def made(grade: str) -> str:
        path = tmp_path / "case.yaml"
        path.write_text(CASE % grade, encoding="utf-8")
        return str(path)

    return made


def test_a_screening_as_json_has_every_finding(call):
    status, out, _ = call("screen", "one-subsidy", "--json")
    found = json.loads(out)
    assert status == 0
    assert found["findings"]
    for one in found["findings"]:
        assert one.keys() >= {"clause", "obligation", "article", "grade", "bound", "facts", "argument_for", "disputes"}
        assert one["grade"] in GRADES
    assert found["not_legal_advice"] is True
    assert found["not_examined"]


def test_no_agreement_raises_nothing_on_the_page_and_as_json(call):
    status, out, _ = call("screen", "no-agreement")
    assert status == 0
    assert "nothing is raised" in out
    assert json.loads(call("screen", "no-agreement", "--json")[1])["findings"] == []


def test_a_member_of_a_union_sees_what_only_the_union_can_do(call):
    status, out, _ = call("screen", "one-tariff", "--party", "ITA", "--no-facts")
    said = " ".join(out.split())
    assert status == 0
    assert "what binds Italy" in said
    assert "European Union, a member state alone: no (import duty)" in said
    assert "United States, the party" not in said


def test_a_case_that_comes_out_as_expected_is_a_full_answer(call, case):
    status, out, err = call("screen", case("breach likely"))
    assert (status, err) == (0, "")
    assert "MOST-FAVOURED-NATION TREATMENT" in out


def test_a_case_that_comes_out_otherwise_is_named_and_ends_with_three(call, case):
    status, out, err = call("screen", case("no conflict found"))
    assert status == 3
    assert "gatt.1: expected 'no conflict found', found breach likely" in err
    assert out, "what is good is written"


def test_a_case_that_cannot_be_read_ends_with_two_and_says_where(call, case):
    status, out, err = call("screen", case("no conflict fond"))
    assert (status, out) == (2, "")
    assert "case.yaml:6:" in err
    assert "did you mean 'no conflict found'?" in err


def test_a_party_that_is_not_there_ends_with_two(call):
    status, _, err = call("screen", "one-tariff", "--party", "ITL")
    assert status == 2
    assert "'ITL'" in err


def test_a_note_is_written_beside_the_page(call, case, tmp_path):
    note = tmp_path / "note.html"
    status, _, _ = call("screen", case("breach likely"), "--note", str(note))
    assert status == 0
    assert "most-favoured" in note.read_text(encoding="utf-8").lower()


def test_repairs_print_a_frontier_and_one_can_be_written_out(call, tmp_path):
    status, out, _ = call("repair", "one-floor", "--json")
    found = json.loads(out)
    assert status == 0
    assert {one["id"] for one in found["packages"]} >= {"as_drafted", "exempt_partners", "subsidy_instead"}
    assert any(one["frontier"] for one in found["packages"])
    status, out, _ = call("repair", "one-floor", "--write", "extend_to_all")
    kept = yaml.safe_load(out)
    assert status == 0
    assert kept["agreement"] == "one-floor"
    assert {"change": "floor.gallium", "term": "applies_to", "to": "everyone"} in kept["patches"]
    (tmp_path / "kept.yaml").write_text(out, encoding="utf-8")
    again = json.loads(call("screen", str(tmp_path / "kept.yaml"), "--json")[1])
    assert not [one for one in again["findings"] if one["obligation"] == "origin"]


def test_a_package_that_is_not_there_ends_with_two(call):
    status, _, err = call("repair", "one-floor", "--write", "magic")
    assert status == 2
    assert "the packages here are exempt_partners" in err


def test_the_account_of_a_run_says_in_short_what_the_screen_finds(call):
    status, out, _ = call("run", "one-floor", "--no-stability")
    said = " ".join(out.split())
    assert status == 0
    assert "PROMISES MADE ALREADY" in out
    found = json.loads(call("screen", "one-floor", "--as-of", "2027-01-01", "--json")[1])
    counts = ", ".join(f"{number} {grade}" for grade, number in found["grades"].items() if number)
    assert f"of the legal screen: {counts}." in said
    assert (
        "A screen and no legal advice; all of it: friendshore screen one-floor --as-of 2027-01-01 --horizon 5" in said
    )
    legal = json.loads(call("run", "one-floor", "--no-stability", "--json")[1])["legal"]
    assert legal["grades"] == found["grades"]
    assert {(one["clause"], one["obligation"]) for one in legal["worst"]} == {
        (one["clause"], one["obligation"]) for one in found["findings"] if one["grade"] == found["findings"][0]["grade"]
    }


def test_agreements_side_by_side_come_with_their_findings(call):
    words = ("compare", "one-floor", "one-subsidy", "--no-instruments")
    _, out, _ = call(*words)
    legal = json.loads(call(*words, "--json")[1])["legal"]
    assert "FINDINGS OF THE LEGAL SCREEN" in out
    for name in ("one-floor", "one-subsidy"):
        row = next(
            line.split()
            for line in out[out.index("FINDINGS OF THE LEGAL") :].splitlines()
            if line.split()[:1] == [name]
        )
        assert [int(cell) for cell in row[1:6]] == list(legal[name]["grades"].values())


def test_a_case_is_seen_by_a_party_and_on_another_day(call, tmp_path):
    path = tmp_path / "case.yaml"
    path.write_text(CASE.replace("by: JPN", "by: EUN") % "breach likely", encoding="utf-8")
    for party in ("ITA", "EU", "EUN"):
        found = json.loads(call("screen", "--case", str(path), "--party", party, "--json")[1])["findings"]
        assert found, party
    status, _, err = call("screen", "--case", str(path), "--party", "JPN")
    assert status == 2
    assert "those who act are EUN" in err
    found = json.loads(call("screen", "--case", str(path), "--as-of", "1999-01-01", "--json")[1])
    assert found["as_of"] == "1999-01-01"
    assert not [
        one for one in found["findings"] if one["obligation"] == "gatt.1" and one["grade"] == "breach likely"
    ], "China was no member of the WTO"
    assert call("screen", "--case", str(path), "--as-of", "1990-01-01")[0] == 2


def test_a_case_and_an_agreement_are_not_screened_at_once(call, case):
    status, _, err = call("screen", "one-floor", "--case", case("breach likely"))
    assert status == 2
    assert "one at a time" in err
    status, _, err = call("screen", "--case", case("breach likely"), "--horizon", "5")
    assert status == 2
    assert "no use for --horizon" in err
