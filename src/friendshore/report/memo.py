"""The brief as a memo that a ministry edits: a Word document with the same answers and tables, larger and without figures.

The same brief gives the same bytes: the day inside is that of the terms.
"""

from __future__ import annotations

import io
import zipfile
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from friendshore.report.brief import Brief, Table
    from friendshore.report.words import Words

FONT = {"ja": "Yu Gothic"}  # a memo is edited with the fonts of the machine it is opened on
LATIN = "Calibri"
ZIPPED = (1980, 1, 1, 0, 0, 0)  # the earliest moment that an archive can hold
PAPER_CM, MARGIN_CM = 21.0, 2.2
TEXT_CM, FIGURE_CM = 4.6, 2.0  # of the columns of a table, before they fill the width


def write_memo(
    brief: Brief,
    words: Words,
    day: date,
    figures: Sequence[tuple[str, bytes, str]] = (),
    notes: Sequence[str] = (),
) -> bytes:
    """The document.

    Parameters
    ----------
    brief : what it says
    day : the day that the file says it was made on
    figures : (question, PNG, text that stands for it), each below its answer
    notes : sentences of the run, as they were written, at the end
    """
    from docx import Document
    from docx.shared import Cm, Pt, RGBColor

    paper = Document()
    page = paper.sections[0]
    page.page_width, page.page_height = Cm(PAPER_CM), Cm(29.7)
    page.left_margin = page.right_margin = page.top_margin = page.bottom_margin = Cm(MARGIN_CM)
    _languages(paper, words.lang)
    normal = paper.styles["Normal"]
    normal.font.name, normal.font.size = LATIN, Pt(10.5)
    normal.paragraph_format.space_after = Pt(5)
    for level, size in (("Title", 20), ("Heading 1", 13)):
        style = paper.styles[level]
        style.font.name, style.font.size, style.font.color.rgb = LATIN, Pt(size), RGBColor(0x0B, 0x4F, 0x6C)
    paper.add_heading(brief.title, level=0)
    _quiet(paper.add_paragraph(), brief.facts)
    paper.add_paragraph().add_run(brief.finding).bold = True
    for part in brief.parts:
        paper.add_heading(part.question, level=1)
        for sentence in part.sentences:
            paper.add_paragraph(sentence, style="List Bullet" if part.listed else None)
        for table in part.tables:
            _table(paper, table)
        for key, png, alt in figures:
            if key == part.key:
                shown = paper.add_picture(io.BytesIO(png), width=Cm(PAPER_CM - 2 * MARGIN_CM))
                shown._inline.docPr.set("descr", alt)
    if notes:
        paper.add_heading(words.say("sheet.notes.title"), level=1)
        _quiet(paper.add_paragraph(), words.say("sheet.notes.note"))
        for note in notes:
            paper.add_paragraph(note, style="List Bullet")
    _quiet(page.footer.paragraphs[0], brief.footer)
    about = paper.core_properties
    about.title, about.author, about.language = brief.title, "Friendshore", words.lang
    about.comments, about.last_modified_by, about.revision = "", "Friendshore", 1
    about.created = about.modified = datetime(day.year, day.month, day.day)  # noqa: DTZ001 - a day, no moment
    held = io.BytesIO()
    paper.save(held)
    return _timeless(held.getvalue())


def _table(paper: Any, table: Table) -> None:
    from docx.enum.table import WD_TABLE_ALIGNMENT
    from docx.enum.text import WD_ALIGN_PARAGRAPH
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn
    from docx.shared import Cm, Pt

    made = paper.add_table(rows=1 + len(table.rows), cols=len(table.headings), style="Light List Accent 1")
    made.alignment = WD_TABLE_ALIGNMENT.CENTER
    for r, row in enumerate((table.headings, *table.rows)):
        for k, text in enumerate(row):
            paragraph = made.cell(r, k).paragraphs[0]
            run = paragraph.add_run(text)
            run.font.size, run.bold = Pt(8 if r == 0 else 9), r == 0
            paragraph.paragraph_format.space_after = Pt(1)
            if k not in table.text:
                paragraph.alignment = WD_ALIGN_PARAGRAPH.RIGHT
    widths = [TEXT_CM if k in table.text else FIGURE_CM for k in range(len(table.headings))]
    scale = (PAPER_CM - 2 * MARGIN_CM) / sum(widths)
    made.autofit = False
    for k, width in enumerate(widths):
        made.columns[k].width = Cm(width * scale)
        for cell in made.columns[k].cells:
            cell.width = Cm(width * scale)
    for row in made.rows:
        row._tr.get_or_add_trPr().append(OxmlElement("w:cantSplit"))
    repeated = OxmlElement("w:tblHeader")  # the headings again on the next page, and named as such to a screen reader
    repeated.set(qn("w:val"), "true")
    made.rows[0]._tr.get_or_add_trPr().append(repeated)
    _quiet(paper.add_paragraph(), table.note)


def _quiet(paragraph: Any, text: str) -> None:
    from docx.shared import Pt, RGBColor

    run = paragraph.add_run(text)
    run.font.size, run.font.color.rgb = Pt(8.5), RGBColor(0x55, 0x55, 0x55)


def _languages(paper: Any, lang: str) -> None:
    """What language the text is in, and which font stands for letters that the Latin one lacks."""
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn

    properties = paper.styles.element.find(qn("w:docDefaults")).find(qn("w:rPrDefault")).find(qn("w:rPr"))
    spoken = properties.find(qn("w:lang"))
    if spoken is None:
        spoken = OxmlElement("w:lang")
        properties.append(spoken)
    spoken.set(qn("w:eastAsia" if lang == "ja" else "w:val"), lang)
    if lang in FONT:
        fonts = paper.styles["Normal"].element.get_or_add_rPr().get_or_add_rFonts()
        fonts.set(qn("w:eastAsia"), FONT[lang])


def _timeless(document: bytes) -> bytes:
    """The same archive without the moment at which it was packed."""
    held = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(document)) as old, zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            entry = zipfile.ZipInfo(name, ZIPPED)
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o600 << 16
            new.writestr(entry, old.read(name))
    return held.getvalue()
