"""The notice for the trader as a page to print: what a line owes, or what is wrong with it and how each thing is mended.

A single HTML file without scripts, pictures or fonts from elsewhere, that fits on A4 or Letter. The words are those of the codes.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from html import escape
from typing import TYPE_CHECKING

from friendshore.border.line import money, plain
from friendshore.border.reasons import REASONS

if TYPE_CHECKING:
    from friendshore.border.assess import Fault
    from friendshore.border.line import Assessed, Option, Step

ANSWERS = "Answer to customs with the line's id. Nothing is owed or refunded on this notice alone."
STYLE = """
@page { size: A4; margin: 18mm 16mm; }
body { font: 10.5pt/1.4 Georgia, 'Times New Roman', serif; color: #111; max-width: 178mm; margin: 10mm auto; padding: 0 4mm; }
h1 { font-size: 16pt; margin: 0 0 2mm; } h2 { font-size: 11.5pt; margin: 5mm 0 1.5mm; border-bottom: 0.4pt solid #111; }
p { margin: 1mm 0 2mm; } dl { display: grid; grid-template-columns: max-content 1fr; gap: 0.5mm 6mm; margin: 2mm 0; }
dt { color: #444; } dd { margin: 0; overflow-wrap: anywhere; }
table { width: 100%; border-collapse: collapse; font-size: 9.5pt; } tr { break-inside: avoid; }
th, td { text-align: left; vertical-align: top; padding: 1mm 2mm 1mm 0; border-bottom: 0.2pt solid #999; overflow-wrap: break-word; }
td.amount, th.amount { text-align: right; white-space: nowrap; } tr.total td { font-weight: bold; border-bottom: 0.8pt solid #111; }
.code, .who { white-space: nowrap; } p.last { margin-top: 4mm; break-before: avoid; } .do { font-weight: bold; } small { color: #444; }
@media print { body { margin: 0; padding: 0; max-width: none; } }
"""


def notice_page(found: Assessed | tuple[Fault, ...], line_id: str = "") -> str:
    """The notice as an HTML document; every text that came from outside is escaped."""
    if isinstance(found, tuple):
        rows = [
            (fault.code, REASONS[fault.code].text, f"{fault.field}: {fault.value or '(nothing)'}", REASONS[fault.code].fix, REASONS[fault.code].who)
            for fault in found
        ]  # fmt: skip
        return _page(f"Line {line_id} was not assessed", _problems("What has to be mended", "what came", rows))
    entry, parts = found.entry, [_facts(found)]
    if found.refusal:
        reason = REASONS[found.refusal]
        rows = [(found.refusal, reason.text, found.about, reason.fix, reason.who)]
        parts.append(_problems("What is missing", "about", rows))
        if found.levy_range_c is not None:
            low, high = (plain(cents) for cents in found.levy_range_c)
            parts.append(
                f"<p>The contents known for {escape(found.terms.good)} imply a levy between USD {low} and USD {high}; "
                "without the assay none is charged.</p>"
            )
        title = f"Line {entry.line_id} was not assessed: no total"
    else:
        title = f"Line {entry.line_id} owes {money((found.amounts or {})['total_c'])}"
    if found.steps:
        parts.append(_working(found.steps, whole=not found.refusal))
    if len(found.options) > 1:
        parts.append(_options(found.options))
    if found.reasons:
        said = "".join(f"<li>{escape(_sentence(code))} <small>[{code}]</small></li>" for code in found.reasons)
        parts.append(f"<h2>Why</h2><ul>{said}</ul>")
    if found.warnings:
        rows = [(code, REASONS[code].text, "", REASONS[code].fix, REASONS[code].who) for code in found.warnings]
        parts.append(_problems("What to look at", "", rows))
    return _page(title, "".join(parts))


def _page(title: str, body: str) -> str:
    head = f"<!doctype html>\n<html lang='en'><head><meta charset='utf-8'><title>{escape(title)}</title><style>{STYLE}</style></head>"
    return f"{head}\n<body><p>Notice to the trader</p><h1>{escape(title)}</h1>{body}<p class='last'><b>{ANSWERS}</b></p></body></html>\n"


def _facts(found: Assessed) -> str:
    entry = found.entry
    facts = [
        ("tariff line", entry.hs),
        ("goods", entry.good or "-"),
        ("from, into", f"{entry.origin}, {entry.importer}"),
        ("day of entry", f"{entry.day}; law of {found.terms.kind.day}"),
        ("price as declared", f"{money(entry.price_c, entry.currency)} {entry.delivery}"),
        ("net mass", f"{(Decimal(entry.net_g) / 1000).normalize():,f} kg"),
    ]
    return "<dl>" + "".join(f"<dt>{name}</dt><dd>{escape(value)}</dd>" for name, value in facts) + "</dl>"


def _problems(title: str, came: str, rows: Iterable[tuple[str, str, str, str, str]]) -> str:
    shown = []
    for code, text, about, fix, who in rows:
        cells = [f"<td class='code'>{code}</td>", f"<td>{escape(text)}</td>"]
        cells += [f"<td>{escape(about)}</td>"] if came else []
        shown.append(f"<tr>{''.join(cells)}<td class='do'>{escape(fix)}</td><td class='who'>{escape(who)}</td></tr>")
    about_head = f"<th>{came}</th>" if came else ""
    head = f"<tr><th class='code'>code</th><th>problem</th>{about_head}<th>what to do</th><th class='who'>who can</th></tr>"
    return f"<h2>{title}</h2><table>{head}{''.join(shown)}</table>"


def _options(options: Iterable[Option]) -> str:
    """Every lawful way to enter the line, the cheapest first."""
    rows = []
    for option in options:
        standing = "charged" if option.charged else "open" if option.open else "not open as declared"
        cells = "".join(f"<td>{escape(text)}</td>" for text in (option.name, option.condition, standing))
        last = " class='total'" if option.charged else ""
        rows.append(f"<tr{last}>{cells}<td class='amount'>{money(option.total_c)}</td></tr>")
    head = "<tr><th>way</th><th>condition</th><th>to this line</th><th class='amount'>it would owe</th></tr>"
    return f"<h2>Lawful ways to enter it, the cheapest first</h2><table>{head}{''.join(rows)}</table>"


def _working(steps: Iterable[Step], *, whole: bool) -> str:
    rows = []
    for step in steps:
        where = ", ".join(filter(None, (step.code, step.article)))
        about = f"<br><small>{escape(where)}</small>" if where else ""
        last = " class='total'" if step.layer == "total" else ""
        rows.append(
            f"<tr{last}><td>{escape(step.layer)}{about}</td><td>{escape(step.data)}</td><td>{escape(step.calculation)}</td>"
            f"<td class='amount'>{escape(step.value)}</td></tr>"
        )
    title = "How it was reckoned" if whole else "Reckoned so far"
    head = "<tr><th></th><th>data</th><th>calculation</th><th class='amount'>value</th></tr>"
    return f"<h2>{title}</h2><table>{head}{''.join(rows)}</table>"


def _sentence(code: str) -> str:
    text = REASONS[code].text
    return f"{text[0].upper()}{text[1:]}."
