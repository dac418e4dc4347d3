"""A verdict on origin as a page: the tests, the lines, what is missing, the cheapest change; and the list of rules.

Everything is rendered from a verdict. Judging is left to `border.origin`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from friendshore.border.origin.bill import Material
from friendshore.border.origin.change import PAIRS_MAX, Change, offered
from friendshore.border.origin.judge import PRODUCT, Answer, Finding, Status, Verdict, money
from friendshore.origin_rules.rule import CONFIDENCE, Conflict, Rule, sources
from friendshore.report.typography import grid, paragraph

WORD: Mapping[Answer, str] = {True: "holds", False: "fails", None: "open"}
COUNTS: Mapping[Answer, str] = {True: "own", False: "foreign", None: "open"}
OTHERS = 5  # so many further changes are shown


def page(verdict: Verdict, changes: Sequence[Change], clause: str = "", article: str = "") -> str:
    """The verdict as a person reads it."""
    bill, rule = verdict.bill, verdict.rule
    by = f"{rule.id}{f', clause {clause}' if clause else ''}{f' ({article})' if article else ''}"
    head = (
        f"{bill.product}, {bill.hs}, made in {bill.made_in}: {verdict.says.upper() if verdict.asked else verdict.says}"
    )
    own = f" Levels as the clause states them; {rule.cumulation} cumulation." if clause else ""
    parts = [paragraph(head) + "\n" + paragraph(f"Rule {by}, on {verdict.day}. {rule.says}{own}")]
    if verdict.finding is not None:
        parts.append("TESTS\n" + "\n".join(_tree(verdict.finding)))
    if verdict.status and rule.kind == "preference":
        rows = [_row(line, verdict.status[line.id]) for line in bill.materials]
        parts.append("LINES\n" + grid(["line", "HS", "origin", "counts", "because", bill.currency], rows, left=5))
    if verdict.failing:
        parts.append(paragraph(f"In the way: {', '.join(_named(line) for line in verdict.failing)}."))
    if verdict.missing:
        rows = [[_named(fact.line), fact.what, fact.who] for fact in verdict.missing]
        parts.append("MISSING\n" + grid(["line", "fact", "who can supply it"], rows, left=3))
    if verdict.answer is False or changes:
        parts.append(_changes(changes, verdict))
    parts.append(_notes(verdict))
    return "\n\n".join(parts) + "\n"


def _row(line: Material, status: Status) -> list[str]:
    return [line.id, line.hs, line.origin or "?", COUNTS[status.own], status.why, money(line.value)]


def conflicts_page(product: str, met: Sequence[Conflict]) -> str:
    """The laws that the product cannot serve at once; nothing where there are none."""
    if not met:
        return ""
    lines = []
    for one in met:
        lines.append(paragraph(f"{one.id}: {one.name}. {one.because}", indent=2))
        lines.append(paragraph(f"Ways out: {'; '.join(one.ways_out)}.", indent=4))
    return f"TWO LAWS, on {product}\n" + "\n".join(lines) + "\n"


def _named(line: str) -> str:
    return "the product" if line == PRODUCT else line


def _tree(finding: Finding, depth: int = 0) -> Iterable[str]:
    indent = 2 + 2 * depth
    yield paragraph(f"{WORD[finding.answer]}  {finding.test}: {finding.says}", indent=indent)
    for part in finding.parts:
        yield from _tree(part, depth + 1)


def _changes(changes: Sequence[Change], verdict: Verdict) -> str:
    currency = verdict.bill.currency
    if not changes:
        count = offered(verdict)
        more = f"; of {count} the {PAIRS_MAX} cheapest were tried two by two" if count > PAIRS_MAX else ""
        said = f"No change that the bill offers, alone or with a second one, would qualify it{more}."
        return "CHANGE\n" + paragraph(said, indent=2)
    first, *others = changes
    lines = [paragraph(f"{first.says}. Cost: {_cost(first, currency)}.", indent=2)]
    if others:
        lines.append("  Others, in order of cost:")
        lines += [paragraph(f"{each.says}. Cost: {_cost(each, currency)}.", indent=4) for each in others[:OTHERS]]
        if len(others) > OTHERS:
            lines.append(f"    and {len(others) - OTHERS} more, in the document (--json)")
    title = "CHEAPEST CHANGE" if len(first.ways) == 1 else "NO SINGLE CHANGE; THE CHEAPEST TWO TOGETHER"
    return title + "\n" + "\n".join(lines)


def _cost(change: Change, currency: str) -> str:
    return "nobody stated it" if change.cost is None else f"{money(change.cost)} {currency} for one unit"


def _notes(verdict: Verdict) -> str:
    rule = verdict.rule
    lines = [f"Law: {rule.law}."]
    if rule.not_examined:
        lines.append(f"Not examined: {'; '.join(rule.not_examined)}.")
    lines += [f"{note[0].upper()}{note[1:]}" + ("" if note.endswith(".") else ".") for note in verdict.notes]
    if rule.illustrative:
        lines.append("The rule's level was chosen for illustration.")
    if verdict.bill.illustrative:
        lines.append("The bill's figures were chosen for illustration.")
    lines.append(f"How far it was checked: {CONFIDENCE[rule.confidence]}. Sources: {', '.join(rule.source)}.")
    return "NOTES\n" + "\n".join(paragraph(line, indent=2) for line in lines)


def document(verdict: Verdict, changes: Sequence[Change], clause: str = "", article: str = "") -> dict[str, Any]:
    """The verdict for a machine; amounts as text."""
    return {
        "product": verdict.bill.product,
        "hs": verdict.bill.hs,
        "rule": verdict.rule.id,
        "clause": clause or None,
        "article": article or None,
        "as_of": verdict.day.isoformat(),
        "qualifies": verdict.answer,
        "asked": verdict.asked,
        "says": verdict.says,
        "tests": None if verdict.finding is None else _finding(verdict.finding),
        "lines": [
            {"id": line, "counts": COUNTS[status.own], "because": status.why} for line, status in verdict.status.items()
        ],
        "failing": list(verdict.failing),
        "missing": [{"line": fact.line, "fact": fact.what, "who": fact.who} for fact in verdict.missing],
        "changes": [
            {
                "ways": list(each.ways),
                "says": each.says,
                "lines": list(each.lines),
                "cost": None if each.cost is None else str(each.cost),
                "currency": verdict.bill.currency,
            }
            for each in changes
        ],
        "not_examined": list(verdict.rule.not_examined),
        "notes": list(verdict.notes),
        "confidence": verdict.rule.confidence,
        "sources": [dict(sources()[name]) if name in sources() else {"id": name} for name in verdict.rule.source],
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "test": finding.test,
        "holds": finding.answer,
        "says": finding.says,
        "lines": list(finding.lines),
        "parts": [_finding(part) for part in finding.parts],
    }


def rules_page(rules: Iterable[Rule]) -> str:
    """The rules that ship, each with what it asks and where that was read."""
    parts = []
    for rule in rules:
        tests = ", ".join(sorted(rule.words()))
        lines = [f"{rule.id}  {rule.name}"]
        lines.append(paragraph(rule.says, indent=2))
        lines.append(paragraph(f"{rule.kind.replace('_', ' ')}; tests {tests}; {_days(rule)}", indent=2))
        lines.append(paragraph(f"{rule.law}", indent=2))
        more = "; a level chosen for illustration" if rule.illustrative else ""
        lines.append(
            paragraph(
                f"read {rule.confidence}: {CONFIDENCE[rule.confidence]}{more}; {', '.join(rule.source)}", indent=2
            )
        )
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"


def _days(rule: Rule) -> str:
    said = [f"from {term.starts or 'the beginning'} to {term.until or 'further notice'}" for term in rule.terms]
    said += [f"suspended {pause.starts} to {pause.until}" for pause in rule.suspended]
    return ", ".join(said) or "on every day"


def rules_document(rules: Iterable[Rule]) -> dict[str, Any]:
    """The rules that ship, whole, with their sources."""
    held = list(rules)
    names = sorted({name for rule in held for name in rule.source})
    return {
        "rules": [
            rule.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_defaults=True) for rule in held
        ],
        "sources": [dict(sources()[name]) for name in names],
    }
