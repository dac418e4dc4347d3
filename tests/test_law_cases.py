"""Past disputes and lawful designs, stated as a lawyer would state them, put to the screen."""

from __future__ import annotations

from pathlib import Path

import pytest

from friendshore.errors import InputRefused
from friendshore.law.examine import bench, examine_case
from friendshore.law.screen.case import judge_case, read_case
from friendshore.law.screen.obligations import RAISED, shipped_disputes
from friendshore.marked import read_marked

CASES = Path(__file__).parent / "law_cases"
FILES = sorted(CASES.glob("*/*.yaml"))

CASE = """
case: a duty
measures:
  - {clause: duty, act: import_duty, by: JPN, goods: cobalt, burdens: CHN, spares: USA}
expects:
  - {obligation: gatt.1, grade: breach likely}
"""


def case_of(text: str):
    return read_case(read_marked(text, name="case.yaml"))


def judged(text: str):
    case = case_of(text)
    return judge_case(case, bench(case.day))


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_the_screen_finds_what_the_case_expects(path):
    case = read_case(read_marked(path))
    assert case.expects or case.expects_not
    assert judge_case(case, bench(case.day)).failures == ()


@pytest.mark.parametrize("path", sorted((CASES / "bad").glob("*.yaml")), ids=lambda path: path.stem)
def test_a_dispute_that_was_lost_raises_the_obligation_that_decided_it(path):
    case = read_case(read_marked(path))
    if case.dispute is None:
        assert [one for one in case.expects if one.grade in RAISED]
        return
    held = bench(case.day)
    raised = {one.obligation for one in judge_case(case, held).findings if one.raised}
    deciding = {name for name, one in held.obligations.items() if case.dispute in one.disputes}
    assert case.dispute in shipped_disputes()
    assert raised & deciding


def test_an_expectation_that_fails_is_named():
    found = judged(CASE.replace("breach likely", "no conflict found"))
    assert found.failures == ("gatt.1: expected 'no conflict found', found breach likely",)


def test_what_must_not_be_raised_is_named():
    found = judged(CASE + "expects_not: [gatt.1]\n")
    assert found.failures == ("gatt.1: raised, though it should not be",)


def test_a_finding_on_another_country_does_not_count():
    found = judged(CASE.replace("grade: breach likely", "grade: breach likely, by: USA"))
    assert "found nothing" in found.failures[0]


def test_a_plea_stands_differently_in_an_emergency():
    def standing(facts: str) -> str:
        finding = next(
            one
            for one in judged(CASE.replace("spares: USA", f"spares: USA, facts: {facts}")).findings
            if one.obligation == "gatt.1"
        )
        return next(each.standing for each in finding.defences if each.id == "gatt.21")

    assert standing('{emergency: "yes"}') == "arguable"
    assert standing('{emergency: "no"}') == "weak"


def test_a_state_outside_the_wto_is_not_bound_by_it():
    assert not [one for one in judged(CASE.replace("JPN", "UZB")).findings if one.obligation == "gatt.1"]
    assert [one for one in judged(CASE).findings if one.obligation == "gatt.1"]


def test_a_bad_case_is_refused_with_line_and_column():
    with pytest.raises(InputRefused) as refused:
        case_of(CASE.replace("act: import_duty", "act: import_dutty"))
    said = str(refused.value)
    assert "case.yaml:4:25" in said
    assert "did you mean 'import_duty'?" in said
    with pytest.raises(InputRefused, match=r"case.yaml:4:.*no fact is called 'avepct'"):
        case_of(CASE.replace("goods: cobalt", "goods: cobalt, facts: {avepct: 3}"))


def test_a_case_file_is_told_from_an_agreement(tmp_path):
    path = tmp_path / "case.yaml"
    path.write_text(CASE, encoding="utf-8")
    screening, failures = examine_case(str(path))
    assert failures == ()
    assert screening.title == "a duty"
    (tmp_path / "deal.yaml").write_text("title: x\nparties: []\n", encoding="utf-8")
    assert examine_case(str(tmp_path / "deal.yaml")) is None
    assert examine_case("plurilateral-2026") is None


def test_a_day_before_the_wto_is_refused_rather_than_found_harmless():
    with pytest.raises(InputRefused, match="the WTO begins on 1995-01-01"):
        case_of(CASE + "day: 1978-10-18\n")
