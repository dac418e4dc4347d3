"""The notice for the trader: every problem with its fix and who can mend it, as text and as a page to print."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path

import pytest
from border_cases import OUTSIDE, law

from friendshore.border.assess import Fault
from friendshore.border.line import Assessed, Entry, assess_line, money
from friendshore.border.reasons import REASONS
from friendshore.cli import border
from friendshore.errors import InputRefused
from friendshore.faces import Duty
from friendshore.report.border import document, explanation, faults_document, notice
from friendshore.report.notice import ANSWERS, notice_page

ENTRY = Entry(
    line_id="A<1>", day=date(2030, 1, 5), importer="AAA", origin="CCC", hs="28418000", net_g=1_000_000, price_c=2_000_000,
    freight_c=50_000, insurance_c=2_050, good="tungsten.apt", assay_n=885_000_000, assay_of="wo3",
)  # fmt: skip
FAULTS = (Fault("R04", "date", "2030-02-30"), Fault("R08", "price", "<script>=1</script>"))


class Words(HTMLParser):
    """The tags and words of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.words = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        assert not {name for name, _ in attrs} & {"src", "href", "onclick"}

    def handle_data(self, data: str) -> None:
        self.words += f" {data}"


def read(page: str) -> Words:
    words = Words()
    words.feed(page)
    return words


def found(**more: object) -> Assessed:
    return assess_line(Entry(**({name: getattr(ENTRY, name) for name in Entry.__slots__} | more)), law())  # type: ignore[arg-type]


def test_every_problem_has_its_fix_and_who_can_mend_it() -> None:
    for text in (notice(FAULTS, "A1"), read(notice_page(FAULTS, "A1")).words):
        flat = " ".join(text.split())
        for fault in FAULTS:
            reason = REASONS[fault.code]
            for part in (fault.code, fault.field, fault.value, reason.fix, reason.who):
                assert part in flat, part
        assert ANSWERS in flat


def test_a_line_that_lacks_a_fact_has_no_total_and_says_what_is_missing() -> None:
    one = found(assay_n=None, assay_of="", importer="BBB")
    assert one.refusal == "N05"
    for text in (notice(one), read(notice_page(one)).words):
        flat = " ".join(text.split())
        assert REASONS["N05"].fix in flat
        assert REASONS["N05"].who in flat
        assert "imply a levy between" in flat
        assert not re.search(r"owes USD", flat)


def test_an_assessed_line_shows_its_working_reasons_and_warnings() -> None:
    one = found(delivery="EXW")
    assert one.amounts is not None
    assert "W6" in one.warnings
    for text in (notice(one), read(notice_page(one)).words):
        flat = " ".join(text.split())
        assert f"owes USD {one.amounts['total_c'] / 100:,.2f}" in flat
        for step in one.steps:
            assert set(step.calculation.split()) <= set(flat.split())  # columns of a text are wrapped each by itself
        for code in one.reasons:
            assert REASONS[code].text[1:] in flat
        for code in one.warnings:
            assert REASONS[code].fix in flat


def test_a_page_runs_nothing_and_fetches_nothing() -> None:
    words = read(notice_page(FAULTS, "<b>"))
    assert "script" not in words.tags
    assert not {"img", "link", "iframe"} & set(words.tags)
    assert "<script>=1</script>" in words.words
    assert "A<1>" in read(notice_page(found())).words


# -- options ------------------------------------------------------------------------------------------------------------


def party(**more: object) -> Assessed:
    """Antimony of the party BBB into AAA, which has a preference for it; and a floor that spares parties, on top."""
    floor = Duty(
        clause="floor.antimony", article="Art. 6", good="antimony.metal", exporters=OUTSIDE, importers=frozenset({"AAA"}),
        reference_usd_t=Decimal(25000), levy_on="cif",
    )  # fmt: skip
    here = law()
    held = (*here.duties(ENTRY.day), floor)
    line = {
        "origin": "BBB", "hs": "81101000", "good": "antimony.metal", "assay_n": 10**9, "assay_of": "antimony", "proof": "none",
    }  # fmt: skip
    entry = Entry(**({name: getattr(ENTRY, name) for name in Entry.__slots__} | line | more))  # type: ignore[arg-type]
    return assess_line(entry, replace(here, duties=lambda day: held))


def test_a_way_that_asks_for_a_proof_is_worked_out_as_if_it_had_been_presented() -> None:
    """Origin that is proven lowers the duty and spares the levy too: the option is what the line then would owe."""
    without, proven = party(), party(proof="agreement")
    assert without.amounts is not None
    assert proven.amounts is not None
    assert without.amounts["levy_c"] > 0 == proven.amounts["levy_c"]
    assert "W11" in without.warnings
    assert "W11" not in proven.warnings
    cheapest, taken = without.options
    assert (cheapest.open, cheapest.charged, taken.open, taken.charged) == (False, False, True, True)
    assert (cheapest.total_c, taken.total_c) == (proven.amounts["total_c"], without.amounts["total_c"])
    assert cheapest.steps == proven.options[0].steps
    assert proven.options[0].charged
    assert (proven.terms.clause, proven.terms.article) == ("floor.antimony", "Art. 6")  # what spares it is named
    assert f"it would owe {money(cheapest.total_c)}" in notice(without)
    assert money(cheapest.total_c) in read(notice_page(without)).words
    assert "it would owe" not in notice(proven)


def test_origin_alone_is_an_option_where_it_spares_the_levy_and_lowers_no_duty() -> None:
    apt = replace(law(), duties=lambda day: tuple(each for each in law().duties(day) if each.clause == "floor.apt"))
    entry = replace(ENTRY, origin="BBB", proof="none")
    without, proven = assess_line(entry, apt), assess_line(replace(entry, proof="agreement"), apt)
    assert without.amounts is not None
    assert proven.amounts is not None
    best = next(option for option in without.options if option.name == "origin in a party, proven")
    assert best.total_c == proven.amounts["total_c"] < without.amounts["total_c"]
    assert not best.open


def test_every_option_has_its_own_working_down_to_its_total() -> None:
    for one in (party(), party(proof="agreement"), found(), found(origin="DDD")):
        assert one.amounts is not None
        for option in one.options:
            assert option.steps[0].layer == "base duty"
            assert option.steps[-1].value == money(option.total_c)
        taken = next(option for option in one.options if option.charged)
        assert taken.total_c == one.amounts["total_c"]
        assert one.steps[-len(taken.steps) :] == taken.steps
        assert [option.total_c for option in one.options] == sorted(option.total_c for option in one.options)


def test_a_proof_under_the_agreement_of_no_party_is_not_counted_and_said_so() -> None:
    one, other = found(origin="DDD", proof="agreement"), found(origin="DDD", proof="none")
    assert "W14" in one.warnings
    assert one.amounts == other.amounts


def test_a_price_delivered_at_place_is_marked() -> None:
    assert "W12" in found(delivery="DAP").warnings
    assert "W12" not in found(delivery="CIF").warnings


def test_data_calculation_and_value_stand_in_three_columns() -> None:
    page = explanation(party())
    assert max(map(len, page.splitlines())) <= 100
    heads = [line for line in page.splitlines() if line.split() == ["data", "calculation", "value"]]
    assert len(heads) == 2  # what is charged, and the other way
    where = [heads[0].index(word) for word in ("data", "calculation", "value")]
    duty = page.splitlines()[page.splitlines().index("  base duty  [D1, test]") + 1]
    assert duty[where[0] :].startswith("mfn: 17.6¢/kg + 3.8%")
    assert duty[where[1] :].startswith("3.8% x 20,000.00")
    assert duty.rstrip().endswith(next(step.value for step in party().steps if step.layer == "base duty"))


def test_a_machine_is_told_every_problem_in_words() -> None:
    said = faults_document(FAULTS, "A1")["faults"]
    assert [(each["code"], each["field"], each["value"]) for each in said] == [
        (fault.code, fault.field, fault.value) for fault in FAULTS
    ]
    assert all(each["problem"] and each["fix"] and each["who"] for each in said)
    missing = document(found(assay_n=None, assay_of="", importer="BBB"))
    assert missing["missing"]["fix"] == REASONS["N05"].fix
    assert "apt or tungsten or wo3" in missing["about"]
    one = document(party())
    assert [option["charged"] for option in one["options"]] == [False, True]
    assert [option["steps"][-1]["layer"] for option in one["options"]] == ["total", "total"]
    assert {each["code"] for each in one["to_do"]} == set(one["warnings"])


# -- from the command line ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('hs="2841', "a quote is opened and not closed"),
        ("hs=1 importer=USA hs=2", "'hs' is given twice"),
        ("hs", "'hs' is no field"),
    ],
)
def test_fields_of_a_line_that_are_none_are_refused_with_what_to_do(text: str, said: str) -> None:
    with pytest.raises(InputRefused) as told:
        border._fields(text)
    assert said in str(told.value)
    assert "--one" in str(told.value)


def test_a_notice_that_cannot_be_written_is_a_refusal(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(InputRefused, match="cannot be written"):
        border._one_line(found(), "1", notice=True, as_json=False, page_to=tmp_path / "file" / "page.html")
