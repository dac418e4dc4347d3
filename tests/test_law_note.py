"""The note that a ministry keeps: the same findings in HTML and as a Word document, every figure with its footnote."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
import zipfile
from html import unescape
from io import BytesIO
from pathlib import Path

import pytest
from cleared_world import DAY, deal, quo
from test_law_screen import FLOOR, world

from friendshore.errors import InputRefused
from friendshore.law.examine import examine
from friendshore.law.screen.judge import Screening
from friendshore.report.legal_note import blocks, docx, html, write_note

NAMES = {"JPN": "Japan", "USA": "United States", "AUS": "Australia", "CHN": "China"}
W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"


@pytest.fixture(scope="module")
def found() -> Screening:
    return examine(world(), deal(FLOOR), as_of=DAY, before=quo()).screening


def named(code: str) -> str:
    return NAMES.get(code, code)


def test_every_finding_is_in_the_note_with_its_footnotes(found):
    made = list(blocks(found, named))
    text = "\n".join(block.text for block in made)
    for one in found.findings:
        assert one.because in text
        assert one.argument_for in text
        assert all(fact.text in text for fact in one.facts)
    notes = [note for block in made for note in block.notes]
    assert len(notes) >= len({one.obligation for one in found.findings})
    assert all(notes)
    assert "no legal advice" in text


def test_html_and_word_say_the_same(found):
    made = list(blocks(found, named))
    page = html(made)
    with zipfile.ZipFile(BytesIO(docx(made))) as archive:
        assert archive.testzip() is None
        document, footnotes = (ET.fromstring(archive.read(f"word/{part}.xml")) for part in ("document", "footnotes"))
    said = ["".join(each.text or "" for each in p.iter(f"{W}t")) for p in document.iter(f"{W}p")]
    assert said == [block.text for block in made]
    shown = re.findall(r"<(?:h[1-3]|p)>(.*?)</(?:h[1-3]|p)>", page)
    assert [unescape(re.sub(r"<sup>.*?</sup>", "", each)) for each in shown] == said
    notes = [note for block in made for note in block.notes]
    assert ["".join(t.text or "" for t in each.iter(f"{W}t")).strip() for each in footnotes] == notes
    references = [each.get(f"{W}id") for each in document.iter(f"{W}footnoteReference")]
    assert references == [str(number) for number in range(1, len(notes) + 1)]
    assert page.count('<li id="n') == len(notes)


def test_the_same_findings_make_the_same_bytes(found):
    made = list(blocks(found, named))
    assert docx(made) == docx(list(blocks(found, named)))
    assert html(made) == html(list(blocks(found, named)))


def test_a_page_needs_nothing_from_elsewhere(found):
    page = html(list(blocks(found, named)))
    assert "<script" not in page
    assert "src=" not in page
    assert "@import" not in page
    assert all(link.startswith("#") for link in re.findall(r'href="([^"]*)"', page))


def test_the_ending_names_the_form(found, tmp_path: Path):
    write_note(found, named, tmp_path / "note.html")
    write_note(found, named, tmp_path / "note.docx")
    assert (tmp_path / "note.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert zipfile.is_zipfile(tmp_path / "note.docx")
    with pytest.raises(InputRefused, match=r"end it in .html or .docx"):
        write_note(found, named, tmp_path / "note.pdf")
    with pytest.raises(InputRefused, match="cannot be written"):
        write_note(found, named, tmp_path / "nowhere" / "note.html")
