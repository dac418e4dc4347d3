"""The findings of a screening as a note with footnotes, in HTML and as a Word document, for a ministry's own file.

The note says the findings, the footnotes where each figure and text comes from. Both forms are made from the same blocks, stand
alone and are the same on every machine.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from html import escape
from io import BytesIO
from pathlib import Path

from friendshore.errors import InputRefused
from friendshore.law.screen.judge import Finding, Screening
from friendshore.law.screen.law import shipped
from friendshore.law.screen.obligations import GRADES
from friendshore.law.screen.text import CONFIDENCE
from friendshore.report.legal import REPAIRS
from friendshore.report.tables import write_whole
from friendshore.report.typography import counted, figure, listed, millions

FORMS = (".html", ".docx")
EPOCH = (1980, 1, 1, 0, 0, 0)  # the date of every part, so that the same findings make the same bytes

STYLE = """
body{font:16px/1.5 Georgia,serif;max-width:44em;margin:2em auto;padding:0 1em;color:#1a1a1a}
h1{font-size:1.5em}h2{font-size:1.15em;margin-top:2em}h3{font-size:1em;margin:1.5em 0 .2em}p{margin:.4em 0}
sup a{text-decoration:none}ol.notes{font-size:.85em;border-top:1px solid #888;padding-top:1em;margin-top:3em}
"""


@dataclass(frozen=True, slots=True)
class Block:
    """A heading (level 1 to 3) or a paragraph (level 0), with the footnotes at its end."""

    text: str
    level: int = 0
    notes: tuple[str, ...] = ()


def blocks(found: Screening, names: Callable[[str], str]) -> Iterator[Block]:
    """The note: what was screened, every finding under its obligation, what was not examined."""
    who = f", what binds {names(found.party)}" if found.party else ""
    yield Block(f"Legal screen: {found.title}", 1)
    counts = ", ".join(f"{found.count(grade)} {grade}" for grade in GRADES if found.count(grade))
    said = f": {counts}" if counts else ""
    yield Block(f"At {found.day.isoformat()}{who}. {counted(len(found.findings), 'finding').capitalize()}{said}.")
    yield Block("This is a screen and no legal advice.")
    for name in dict.fromkeys(one.obligation for one in found.findings):
        yield from _obligation([one for one in found.findings if one.obligation == name], names)
    yield from _levies(found, names)
    yield from _powers(found, names)
    if found.unions:
        yield Block("Kept from it by a customs union", 2)
        for sentence in found.unions:
            yield Block(f"{sentence}.")
    if found.untouched:
        yield Block("Looked at, and met by no clause", 2)
        yield Block("; ".join(rule_names(found.untouched)) + ".")
    if found.sources:
        yield Block("Sources", 2)
        for key, title in found.sources:
            yield Block(f"{key}: {title}.")
    yield Block("Not examined", 2)
    for sentence in (*found.outside, *found.not_examined):
        yield Block(sentence)


def _levies(found: Screening, names: Callable[[str], str]) -> Iterator[Block]:
    """What each origin pays where the agreement adds to it, against the bound rate."""
    added = [row for row in found.levies if row.ave_pct > row.duty_before_pct + 1e-6]
    if added:
        yield Block("Duty and levy against the bound rate", 2)
    for row in added:
        bound = "the bound rate is not known"
        if row.bound_high_pct is not None and row.over_points is not None:
            bound = f"{row.bound_high_pct:.1f} % bound ({row.binding}), {abs(row.over_points):.1f} points "
            bound += "above it" if row.over_points > 0 else "below it"
        yield Block(
            f"{row.clause}, {names(row.territory)}, {row.good} from {names(row.exporter)}: {row.ave_pct:.1f} % of customs value "
            f"after {row.duty_before_pct:.1f} % before; {bound}; levy {millions(row.levy_usd)} m USD a year.",
            0,
            (f"Cleared market at {found.day.isoformat()}; trade of the base year {figure(row.base_t, 3)} t.",),
        )


def _powers(found: Screening, names: Callable[[str], str]) -> Iterator[Block]:
    """Who may act, under which law, and how long it takes."""
    powers = dict.fromkeys(power for finding in found.findings for power in finding.powers)
    if powers:
        yield Block("Who may act", 2)
    for power in powers:
        level = "a member state alone" if power.level == "member_state" else "the party"
        acts = listed(sorted({one.act.replace("_", " ") for one in found.findings if power in one.powers}))
        lead = f" Lead time: {power.lead_time}." if power.lead_time else ""
        note = f" {power.note}" if power.note else ""
        yield Block(
            f"{names(power.party)}, {level}: {power.may} ({acts}). {power.by}; {power.statute}.{lead}{note}",
            0,
            (f"{CONFIDENCE[power.confidence]}: {listed(power.source)}.",),
        )


def rule_names(ids: Iterable[str]) -> list[str]:
    """What obligations are called; an id that does not ship stands for itself."""
    held = shipped().obligations
    return list(dict.fromkeys(held[key].name if key in held else key for key in ids))


def _obligation(found: list[Finding], names: Callable[[str], str]) -> Iterator[Block]:
    first = found[0]
    text = f"{CONFIDENCE[first.confidence]}: {listed(first.source)}. {first.note}".strip()
    yield Block(f"{first.article}: {first.name}", 2, (f"Text of the obligation, {text}",))
    for one in found:
        bound = listed(names(code) for code in one.bound)
        article = f", {one.clause_article}" if one.clause_article else ""
        level = " The level is illustrative." if one.illustrative else ""
        yield Block(f"{one.clause}{article}: {one.grade}", 3)
        yield Block(f"Binds {bound}. {one.because}{level}")
        for code in one.bound:
            facts = [fact for fact in one.facts if fact.who == code]
            if facts:
                sources = dict.fromkeys(part for fact in facts for part in fact.source.split("; ") if part)
                said = "; ".join(fact.text for fact in facts)
                yield Block(f"{names(code)}: {said}.", 0, ("; ".join(sources),) if sources else ())
    yield Block(f"For a conflict: {first.argument_for}")
    if first.argument_against:
        yield Block(f"Against it: {first.argument_against}")
    for each in dict.fromkeys(each for one in found for each in one.defences):
        yield Block(f"{each.article[:1].upper()}{each.article[1:]}, {each.name}: {each.standing}. {each.because}")
    for dispute in first.disputes:
        where = f"{dispute.status}, {dispute.year}; {CONFIDENCE[dispute.confidence]}: {listed(dispute.source)}"
        yield Block(f"{dispute.title}. {dispute.outcome}", 0, (where,))
    if first.changes:
        yield Block("What would change it: " + " ".join(first.changes))
    if first.repairs:
        yield Block("Repairs: " + "; ".join(REPAIRS[name] for name in first.repairs) + ".")


def check_form(path: Path) -> None:
    """Whether a note can be written under this name, asked before anything is run.

    Raises
    ------
    InputRefused   an ending that is neither .html nor .docx, or a folder that is not there
    """
    if path.suffix not in FORMS:
        hint = f"end it in {' or '.join(FORMS)}"
        raise InputRefused.because("unknown-form", f"no note is written as {path.name!r}", path="--note", hint=hint)
    if not path.parent.is_dir():
        message = f"{path} cannot be written: there is no folder {str(path.parent)!r}"
        raise InputRefused.because("unwritable", message, path="--note")


def write_note(found: Screening, names: Callable[[str], str], path: Path) -> None:
    """Write the note in the form that the file's ending names.

    Raises
    ------
    InputRefused   an ending that is neither .html nor .docx, or a folder that is not there
    NotWritten   a disk that is full, a folder that may not be written to
    """
    check_form(path)
    made = list(blocks(found, names))
    content = html(made).encode() if path.suffix == ".html" else docx(made)
    write_whole(path, content)


def html(made: list[Block]) -> str:
    """A page that stands alone, its footnotes linked both ways."""
    lines, notes = [], []
    for block in made:
        marks = ""
        for note in block.notes:
            notes.append(note)
            number = len(notes)
            marks += f'<sup><a id="r{number}" href="#n{number}">{number}</a></sup>'
        tag = f"h{block.level}" if block.level else "p"
        lines.append(f"<{tag}>{escape(block.text)}{marks}</{tag}>")
    foot = "".join(
        f'<li id="n{number}">{escape(note)} <a href="#r{number}" aria-label="back">↩</a></li>'
        for number, note in enumerate(notes, start=1)
    )
    title = escape(made[0].text)
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style></head><body>\n'
        + "\n".join(lines)
        + (f'\n<ol class="notes">{foot}</ol>' if notes else "")
        + "\n</body></html>\n"
    )


# -- a Word document, which is a zip of a few XML parts ----------------------------------------------------------------------

WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
KIND = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
TYPES = (
    f'{HEAD}<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Default Extension="xml" ContentType="application/xml"/>'
    + "".join(
        f'<Override PartName="/word/{part}.xml" '
        f'ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.{kind}+xml"/>'
        for part, kind in (("document", "document.main"), ("footnotes", "footnotes"), ("styles", "styles"))
    )
    + "</Types>"
)
ROOT = (
    f'{HEAD}<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    f'<Relationship Id="r1" Type="{KIND}/officeDocument" Target="word/document.xml"/></Relationships>'
)
PARTS = (
    f'{HEAD}<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    f'<Relationship Id="r1" Type="{KIND}/footnotes" Target="footnotes.xml"/>'
    f'<Relationship Id="r2" Type="{KIND}/styles" Target="styles.xml"/></Relationships>'
)
STYLES = (
    f'{HEAD}<w:styles xmlns:w="{WORD}">'
    '<w:docDefaults><w:rPrDefault><w:rPr><w:rFonts w:ascii="Georgia" w:hAnsi="Georgia" w:cs="Georgia"/><w:sz w:val="21"/>'
    '<w:lang w:val="en-GB"/></w:rPr></w:rPrDefault></w:docDefaults>'
    '<w:style w:type="paragraph" w:default="1" w:styleId="Normal"><w:name w:val="Normal"/>'
    '<w:pPr><w:spacing w:after="100" w:line="264" w:lineRule="auto"/></w:pPr></w:style>'
    + "".join(
        f'<w:style w:type="paragraph" w:styleId="Heading{level}"><w:name w:val="heading {level}"/><w:basedOn w:val="Normal"/>'
        f'<w:pPr><w:keepNext/><w:spacing w:before="{before}" w:after="80"/><w:outlineLvl w:val="{level - 1}"/></w:pPr>'
        f'<w:rPr><w:b/><w:sz w:val="{size}"/></w:rPr></w:style>'
        for level, size, before in ((1, 32, 0), (2, 26, 360), (3, 22, 200))
    )
    + '<w:style w:type="paragraph" w:styleId="FootnoteText"><w:name w:val="footnote text"/><w:basedOn w:val="Normal"/>'
    '<w:pPr><w:spacing w:after="20" w:line="240" w:lineRule="auto"/></w:pPr><w:rPr><w:sz w:val="17"/></w:rPr></w:style>'
    + '<w:style w:type="character" w:styleId="FootnoteReference"><w:name w:val="footnote reference"/>'
    '<w:rPr><w:vertAlign w:val="superscript"/></w:rPr></w:style></w:styles>'
)


PAGE = (
    '<w:sectPr><w:pgSz w:w="11906" w:h="16838"/><w:pgMar w:top="1418" w:right="1418" w:bottom="1418" w:left="1418" '
    'w:header="709" w:footer="709" w:gutter="0"/></w:sectPr>'
)


def docx(made: list[Block]) -> bytes:
    """The same as a Word document with real footnotes."""
    body, notes = [], []
    for block in made:
        runs = _run(block.text)
        for note in block.notes:
            notes.append(note)
            runs += _reference(f'<w:footnoteReference w:id="{len(notes)}"/>')
        style = f'<w:pPr><w:pStyle w:val="Heading{block.level}"/></w:pPr>' if block.level else ""
        body.append(f"<w:p>{style}{runs}</w:p>")
    foot = "".join(
        f'<w:footnote w:id="{number}"><w:p><w:pPr><w:pStyle w:val="FootnoteText"/></w:pPr>'
        f"{_reference('<w:footnoteRef/>')}{_run(' ' + note)}</w:p></w:footnote>"
        for number, note in enumerate(notes, start=1)
    )
    parts = {
        "[Content_Types].xml": TYPES,
        "_rels/.rels": ROOT,
        "word/document.xml": f'{HEAD}<w:document xmlns:w="{WORD}"><w:body>{"".join(body)}{PAGE}</w:body></w:document>',
        "word/_rels/document.xml.rels": PARTS,
        "word/footnotes.xml": f'{HEAD}<w:footnotes xmlns:w="{WORD}">{foot}</w:footnotes>',
        "word/styles.xml": STYLES,
    }
    held = BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(zipfile.ZipInfo(name, EPOCH), content.encode())
    return held.getvalue()


def _run(text: str) -> str:
    return f'<w:r><w:t xml:space="preserve">{escape(text, quote=False)}</w:t></w:r>'


def _reference(mark: str) -> str:
    return f'<w:r><w:rPr><w:rStyle w:val="FootnoteReference"/></w:rPr>{mark}</w:r>'
