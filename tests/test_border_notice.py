"""The notice for the trader: every problem with its fix and who can mend it, as text and as a page to print."""

from __future__ import annotations

import re
from datetime import date
from html.parser import HTMLParser

from border_cases import law

from friendshore.border.assess import Fault
from friendshore.border.line import Assessed, Entry, assess_line
from friendshore.border.reasons import REASONS
from friendshore.report.border import notice
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
            assert " ".join(step.calculation.split()) in flat
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
