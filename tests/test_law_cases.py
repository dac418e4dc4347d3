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


DISPUTES = {  # as the reports are known: the case, the dispute's file, what decided it
    "EEC, minimum import prices 1978": ("eec-minimum-import-prices-1978", "gatt-eec-mip", "gatt.11.imports"),
    "Japan, semi-conductors 1988": ("japan-semiconductors-1988", "gatt-japan-semiconductors", "gatt.11.export-price"),
    "Argentina, textiles DS56": ("argentina-textiles-1998", "ds56", "gatt.2.bound"),
    "Colombia, textiles DS461": ("colombia-textiles-2016", "ds461", "gatt.2.bound"),
    "Chile, price band DS207": ("chile-price-band-2002", "ds207", "agriculture.4-2"),
    "Colombia, ports of entry DS366": ("colombia-ports-2009", "ds366", "cva.value"),
    "United States, steel DS544": ("us-steel-2022", "ds544", "gatt.1"),
    "Indonesia, nickel DS592": ("indonesia-nickel-2022", "ds592", "gatt.11.export-ban"),
    "China, raw materials DS394": ("china-raw-materials-2012", "ds394", "accession.china"),
    "China, rare earths DS431": ("china-rare-earths-2014", "ds431", "gatt.11.export-price"),
    "Canada, feed-in tariff DS412": ("canada-fit-2013", "ds412", "gatt.3"),
    "United States, cotton DS267": ("us-cotton-2005", "ds267", "scm.5"),
}


@pytest.mark.parametrize("name", DISPUTES)
def test_each_dispute_raises_what_decided_it_and_cites_it(name):
    stem, dispute, obligation = DISPUTES[name]
    case = read_case(read_marked(CASES / "bad" / f"{stem}.yaml"))
    assert case.dispute == dispute
    found = [one for one in judge_case(case, bench(case.day)).findings if one.obligation == obligation and one.raised]
    assert found
    for one in found:
        cited = {each.id: each for each in one.disputes}
        assert cited[dispute].outcome
        assert cited[dispute].status in ("adopted", "appealed into the void", "under appeal")


def test_good_cases_stand_beside_the_bad_ones():
    good, bad = (sorted((CASES / kind).glob("*.yaml")) for kind in ("good", "bad"))
    assert len(good) >= 18
    assert len(bad) >= 20
    for path in good:
        case = read_case(read_marked(path))
        assert case.expects_not or all(one.grade != "breach likely" for one in case.expects)


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
