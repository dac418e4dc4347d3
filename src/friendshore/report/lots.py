"""A book of lots as a page: where what came in went, what is wrong, whose it is, which law each lot meets or fails.

Everything is rendered from what was examined. Examining is left to `customs.lots` and `border.lots`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from friendshore.border.lots.checks import CHECKS
from friendshore.border.lots.tables import GRAMS
from friendshore.border.lots.verdicts import NO, NOT_ASKED, OPEN, YES
from friendshore.customs.lots import Examined
from friendshore.origin_rules.rule import shipped_conflicts, shipped_rules
from friendshore.report.typography import figure, grid, paragraph, percent

EXAMPLES = 3  # of each kind of finding


def page(found: Examined, out: str = "") -> str:
    """What was found, as a person reads it."""
    book = found.book
    head = (
        f"{len(book.lot):,} lots, {len(book.conversion):,} conversions, {found.graph.depth} levels deep; "
        f"law of {found.day}"
    )
    parts = [head, _balance(found), _origins(found), _findings(found)]
    if found.verdicts:
        parts.append(_verdicts(found))
        parts.append(_conflicts(found))
    parts.append(_notes(found, out))
    return "\n\n".join(filter(None, parts)) + "\n"


def _tonnes(grams: float) -> str:
    return figure(grams / GRAMS, 6)


def _balance(found: Examined) -> str:
    b = found.balance
    rows = [
        ["came in", _tonnes(b.came_in_g)],
        *([["+ taken out of lots that did not hold it", _tonnes(b.overdrawn_g)]] if b.overdrawn_g else []),
        ["= left in lots", _tonnes(b.in_lots_g)],
        ["+ shipped", _tonnes(b.shipped_g)],
        ["+ lost in conversions", _tonnes(b.lost_g)],
    ]
    return "MASS BALANCE, of what is traced\n" + grid(["", "t"], rows)


def _shipped(found: Examined) -> dict[str, float]:
    """Grams of each origin in what was shipped."""
    grams = found.book.shipped_g * found.book.content
    totals = found.origins.shares.T @ grams
    held = dict(zip(found.origins.countries, np.asarray(totals).tolist(), strict=True))
    untraced = float(grams[~found.origins.traced].sum())
    if untraced:
        held["not traced"] = untraced
    return {name: value for name, value in held.items() if value}


def _origins(found: Examined) -> str:
    held = _shipped(found)
    total = sum(held.values())
    if not total:
        return ""
    rows = [
        [name, _tonnes(value), percent(value / total)]
        for name, value in sorted(held.items(), key=lambda each: (-each[1], each[0]))
    ]
    return "ORIGIN OF WHAT WAS SHIPPED\n" + grid(["", "t", "%"], rows)


def _findings(found: Examined) -> str:
    if found.checked.is_empty():
        return "CHECKS\n  Nothing is wrong."
    lines = []
    for code, (says, who) in CHECKS.items():
        of = found.checked.filter(found.checked["check"] == code)
        if of.height:
            some = ", ".join(of["id"].head(EXAMPLES))
            lines.append(paragraph(f"{code}, {of.height:,}: {says}, such as {some}. To be mended by {who}.", indent=2))
    return "CHECKS\n" + "\n".join(lines)


def _verdicts(found: Examined) -> str:
    rows = []
    for rule, answer in found.verdicts.items():
        count = {code: int((answer == code).sum()) for code in (YES, NO, OPEN, NOT_ASKED)}
        rows.append([rule, *(f"{count[code]:,}" for code in (YES, NO, OPEN, NOT_ASKED))])
    return "LOTS BY RULE\n" + grid(["rule", "qualify", "do not", "cannot be said", "not asked"], rows)


def _conflicts(found: Examined) -> str:
    lines = []
    for name, hit in found.conflicts.items():
        if not hit.any():
            continue
        known = shipped_conflicts()[name]
        some = ", ".join(found.book.lot.filter(hit).head(EXAMPLES))
        times = int(hit.sum())
        lines.append(
            paragraph(f"{name}: {known.name}. {times:,} lot{'' if times == 1 else 's'}, such as {some}.", indent=2)
        )
        lines.append(paragraph(known.because, indent=4))
        lines.append(paragraph(f"Ways out: {'; '.join(known.ways_out)}.", indent=4))
    return "TWO LAWS\n" + ("\n".join(lines) if lines else "  No lot is caught between two of the laws judged.")


def _notes(found: Examined, out: str) -> str:
    lines = ["Every output of a conversion is taken for the same mixture of its inputs (mass balance)."]
    if found.verdicts:
        lines.append(
            "Proofs and net costs are not told of lots and are not asked; a bill of materials is: friendshore origin."
        )
    for name in found.verdicts:
        rule = next((one.rule for one in found.rules if one.rule.id == name), None) or shipped_rules()[name]
        for said in (rule.silent(found.day), rule.doubtful(found.day)):
            if said:
                lines.append(f"{name}: {said}")
    if out:
        lines.append(f"Every lot, share, finding and conflict stands in {out}.")
    return "NOTES\n" + "\n".join(paragraph(line, indent=2) for line in lines)


def document(found: Examined) -> dict[str, Any]:
    """What was found, for a machine; masses in tonnes of what is traced."""
    b = found.balance
    return {
        "as_of": found.day.isoformat(),
        "lots": len(found.book.lot),
        "conversions": len(found.book.conversion),
        "levels": found.graph.depth,
        "traced": int(found.origins.traced.sum()),
        "balance_t": {
            "came_in": b.came_in_g / GRAMS,
            "overdrawn": b.overdrawn_g / GRAMS,
            "in_lots": b.in_lots_g / GRAMS,
            "shipped": b.shipped_g / GRAMS,
            "lost": b.lost_g / GRAMS,
        },
        "shipped_by_origin_t": {name: value / GRAMS for name, value in _shipped(found).items()},
        "findings": found.checked.to_dicts(),
        "verdicts": {
            rule: {
                word: int((answer == code).sum())
                for word, code in (("qualify", YES), ("do_not", NO), ("cannot_be_said", OPEN), ("not_asked", NOT_ASKED))
            }
            for rule, answer in found.verdicts.items()
        },
        "conflicts": {name: found.book.lot.filter(hit).to_list() for name, hit in found.conflicts.items()},
    }
