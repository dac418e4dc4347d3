"""What a line owes as a page: every option, the working in three columns, what to look at; and the notice for a trader.

Everything is rendered from the amounts and codes of an assessment. Computing them is left to `border`.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from friendshore.border.assess import Fault, Totals
from friendshore.border.line import Assessed, Option, Step, money, plain
from friendshore.border.reasons import REASONS
from friendshore.report.notice import ANSWERS
from friendshore.report.signals import beside, signals_document
from friendshore.report.typography import WIDTH, counted, grid, paragraph

DATA, REST, VALUE = 36, 36, 20  # how wide the three columns of a working are, within a page


def explanation(found: Assessed, signals: Sequence[Mapping[str, Any]] = ()) -> str:
    """The whole of an assessment: options, working, reasons, warnings; or what is missing, without a total; then signals."""
    entry = found.entry
    day = found.terms.kind.day
    entered = "" if entry.day == day else f"entered {entry.day}, "
    head = f"Line {entry.line_id}: {entry.hs} from {entry.origin} into {entry.importer}, {entered}law of {day}"
    parts = [head]
    asked = [beside(signals)] if signals else []
    if found.refusal:
        return "\n\n".join([*parts, *_missing(found), *asked]) + "\n"
    if len(found.options) > 1:
        rows = [[option.name, _standing(option), option.condition, money(option.total_c)] for option in found.options]
        parts.append("OPTIONS, cheapest first\n" + grid(["option", "to this line", "condition", "total"], rows, left=3))
    parts.append("WORKING\n" + _working(found.steps))
    for option in found.options:
        if not option.charged:
            head = f"INSTEAD, FROM THE BASE DUTY ON: {option.name} ({_standing(option)}), condition: {option.condition}"
            parts.append(paragraph(head) + "\n" + _working(option.steps))
    said = [*found.reasons, *found.warnings]
    parts.append("REASONS\n" + "\n".join(paragraph(_sentence(code), indent=2, bullet=f"{code}  ") for code in said))
    return "\n\n".join([*parts, *asked]) + "\n"


def notice(found: Assessed | tuple[Fault, ...], line_id: str = "") -> str:
    """A notice for the trader: what was decided or what is missing, and for each problem what to do and who can."""
    if isinstance(found, tuple):
        lines = [
            f"NOTICE: line {line_id} was not assessed",
            "",
            *(_mending(fault.code, f"{fault.field}: {_came(fault)}") for fault in found),
            "",
            ANSWERS,
        ]
        return "\n".join(lines) + "\n"
    title = "was not assessed" if found.refusal else f"owes {money((found.amounts or {})['total_c'])}"
    lines = [f"NOTICE: line {found.entry.line_id} {title}", ""]
    if found.refusal:
        lines += [_mending(found.refusal, found.about), *(f"\n{other}" for other in _missing(found)[2:])]
    else:
        lines += [_working(found.steps), "", *(_because(code) for code in found.reasons), *_cheaper(found)]
    for code in found.warnings:
        lines += ["", _mending(code, "")]
    return "\n".join([*lines, "", ANSWERS]) + "\n"


def faulty(found: tuple[Fault, ...], line_id: str) -> str:
    """What is wrong with the fields of a line."""
    return "\n".join([f"Line {line_id} cannot be read:", *_faulty(found)]) + "\n"


def _standing(option: Option) -> str:
    """Whether a way is open to the line, or is the one that is charged."""
    return "charged" if option.charged else "open" if option.open else "not open"


def totals(found: Totals, out: str, refused: str) -> str:
    """What a file came to, in = assessed + refused, in number and in value."""
    rows = [["lines", f"{found.lines:,}", f"{found.assessed:,}", f"{found.refused:,}"]]
    for currency in sorted(found.value_in):
        values = (found.value_in, found.value_assessed, found.value_refused)
        rows.append([f"value, {currency}", *(f"{held.get(currency, Decimal(0)):,.2f}" for held in values)])
    parts = ["IN = ASSESSED + REFUSED\n" + grid(["", "in", "assessed", "refused"], rows)]
    if found.unread:
        parts.append(f"{counted(found.unread, 'line')} of them without a price that can be read.")
    names = {"base_duty_usd": "base duty", "duty_on_top_usd": "duty on top"}
    owed = [
        [names.get(name, name.removesuffix("_usd").replace("_", " ")), f"{usd:,.2f}"]
        for name, usd in found.owed_usd.items()
        if usd or name == "total_usd"
    ]
    parts.append("OWED\n" + grid(["", "USD"], owed))
    if found.by_article:
        rows = [[clause, article or "-", f"{n:,}", f"{usd:,.2f}"] for clause, article, n, usd in found.by_article]
        parts.append("LEVY BY CLAUSE\n" + grid(["clause", "article", "lines", "USD"], rows, left=2))
    if found.codes:
        rows = [[code, REASONS[code].text, f"{n:,}", REASONS[code].who] for code, n in found.codes]
        parts.append("REFUSED, BY PROBLEM\n" + grid(["code", "problem", "lines", "who can mend it"], rows, left=2))
    parts.append(f"Assessed lines stand in {out}, refused ones in {refused}.")
    return "\n\n".join(parts) + "\n"


def document(found: Assessed, signals: Sequence[Mapping[str, Any]] = ()) -> dict[str, Any]:
    """An assessment for a machine: amounts as text, so that no cent is lost."""
    amounts = (found.amounts or {}) | (found.beside or {})
    stated = amounts.get("stated_g")
    return {
        "line": found.entry.line_id,
        "as_of": found.terms.kind.day.isoformat(),
        "refusal": found.refusal or None,
        "missing": _problem(found.refusal) if found.refusal else None,
        "about": found.about or None,
        "amounts_usd": {
            name.removesuffix("_c"): f"{Decimal(c) / 100:.2f}" if c is not None else None
            for name, c in amounts.items()
            if name.endswith("_c")
        },
        "contained_t": f"{Decimal(stated) / 10**6:f}" if stated is not None else None,
        "levy_range_usd": [f"{Decimal(c) / 100:.2f}" for c in found.levy_range_c] if found.levy_range_c else None,
        "options": [
            {
                "name": each.name,
                "base_duty_usd": f"{Decimal(each.duty_c) / 100:.2f}",
                "total_usd": f"{Decimal(each.total_c) / 100:.2f}",
                "condition": each.condition,
                "open": each.open,
                "charged": each.charged,
                "steps": [_step(step) for step in each.steps],
            }
            for each in found.options
        ],
        "steps": [_step(step) for step in found.steps],
        "reasons": list(found.reasons),
        "warnings": list(found.warnings),
        "to_do": [_problem(code) for code in found.warnings],
        "sources": found.terms.sources,
        "clause": found.terms.clause or None,
        "article": found.terms.article or None,
        "signals": signals_document(signals),
    }


def faults_document(found: tuple[Fault, ...], line_id: str) -> dict[str, Any]:
    """What is wrong with the fields of a line, for a machine."""
    return {
        "line": line_id,
        "faults": [{"field": each.field, "value": each.value} | _problem(each.code) for each in found],
    }


def _problem(code: str) -> dict[str, str]:
    """A code in words: what it says, what to do and who can."""
    reason = REASONS[code]
    return {"code": code, "problem": reason.text, "fix": reason.fix, "who": reason.who}


def _step(step: Step) -> dict[str, str]:
    return {
        "layer": step.layer,
        "data": step.data,
        "calculation": step.calculation,
        "value": step.value,
        "code": step.code,
        "article": step.article,
    }


def totals_document(found: Totals) -> dict[str, Any]:
    """What a file came to, for a machine."""
    return {
        "lines": {
            "in": found.lines,
            "assessed": found.assessed,
            "refused": found.refused,
            "price_unread": found.unread,
        },
        "value": {
            currency: {
                "in": str(found.value_in[currency]),
                "assessed": str(found.value_assessed.get(currency, Decimal(0))),
                "refused": str(found.value_refused.get(currency, Decimal(0))),
            }
            for currency in sorted(found.value_in)
        },
        "owed": {name: str(usd) for name, usd in found.owed_usd.items()},
        "by_clause": [
            {"clause": c, "article": a, "lines": n, "levy_usd": str(usd)} for c, a, n, usd in found.by_article
        ],
        "refused": [{"code": code, "lines": n} for code, n in found.codes],
        "seconds": round(found.seconds, 3),
    }


def _working(steps: Iterable[Step]) -> str:
    """Steps as three columns, each below what it is about with its reason and article."""
    lines = [_three("data", "calculation", "value"), "  " + "-" * (WIDTH - 2)]
    for step in steps:
        where = f"  [{', '.join(filter(None, (step.code, step.article)))}]" if step.code or step.article else ""
        lines += [paragraph(step.layer + where, indent=2), _three(step.data, step.calculation, step.value)]
    return "\n".join(lines)


def _three(data: str, calculation: str, value: str) -> str:
    """Three columns of a page, each wrapped within its own."""
    cells = [textwrap.wrap(text, width, break_on_hyphens=False) for text, width in ((data, DATA), (calculation, REST))]
    deep = max(1, *map(len, cells))
    rows = zip(*(cell + [""] * (deep - len(cell)) for cell in cells), [value] + [""] * (deep - 1), strict=True)
    return "\n".join(f"    {one:<{DATA}}  {two:<{REST}}  {last:>{VALUE}}".rstrip() for one, two, last in rows)


def _missing(found: Assessed) -> list[str]:
    reason = found.missing
    assert reason is not None
    about = f" ({found.about})" if found.about else ""
    parts = [
        paragraph(f"NO TOTAL: {reason.text}{about}.  [{found.refusal}]"),
        paragraph(f"Who can supply it: {reason.who}. What: {reason.fix}."),
    ]
    if found.levy_range_c is not None:
        low, high = found.levy_range_c
        parts.append(
            paragraph(
                f"The contents known for {found.terms.good} imply a levy between USD {plain(low)} and USD {plain(high)}; "
                "without the assay none is charged."
            )
        )
    if found.steps:
        parts.append("WORKING SO FAR\n" + _working(found.steps))
    return parts


def _faulty(found: tuple[Fault, ...]) -> list[str]:
    lines = []
    for fault in found:
        reason = REASONS[fault.code]
        lines.append(
            paragraph(
                f"{fault.field}: {_came(fault)}: {reason.text}; expected: {reason.fix} ({reason.who}).",
                bullet=f"{fault.code}  ",
            )
        )
    return lines


def _came(fault: Fault) -> str:
    """What came in a field."""
    return repr(fault.value) if fault.value else "nothing"


def _mending(code: str, came: str) -> str:
    """A problem, what came, what to do and who can."""
    reason = REASONS[code]
    about = f" ({came})" if came else ""
    said = f"{reason.text[0].upper()}{reason.text[1:]}{about}."
    return f"{paragraph(said, bullet=f'{code}  ')}\n{paragraph(f'To do: {reason.fix} ({reason.who}).', indent=5)}"


def _cheaper(found: Assessed) -> list[str]:
    """The ways in which the line would owe less, with what they ask for."""
    owed = (found.amounts or {})["total_c"]
    less = [option for option in found.options if option.total_c < owed]
    said = [f"With {each.condition} it would owe {money(each.total_c)}: {each.name}." for each in less]
    return ["", *map(paragraph, said)] if said else []


def _because(code: str) -> str:
    reason = REASONS[code]
    return paragraph(f"{reason.text[0].upper()}{reason.text[1:]}.", bullet=f"{code}  ")


def _sentence(code: str) -> str:
    reason = REASONS[code]
    fix = f" To do: {reason.fix} ({reason.who})." if reason.fix else ""
    return f"{reason.text[0].upper()}{reason.text[1:]}.{fix}"
