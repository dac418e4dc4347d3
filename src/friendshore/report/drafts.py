"""What negotiators set side by side: two drafts, alternatives in brackets, worked examples. Text from values alone."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from friendshore.agreement.objective import measure_of
from friendshore.report.typography import WIDTH, counted, figure, grid, millions, numeral, paragraph, section

if TYPE_CHECKING:
    from friendshore.agreement.diff import Change
    from friendshore.agreement.worked import Worked
    from friendshore.effects import Effect, Effects
    from friendshore.matrix import Matrix
    from friendshore.why import Trace

PROMISE = (24, 28, 20, 20)  # columns of a clause, a promise and its two grades
TERM = 34  # columns of the words of a change, beside its figures
SHOWN = 40  # alternatives that are printed
MONEY = {"gain_of_parties": "parties", "levy_revenue": "levy", "gain_of_outsiders": "outside"}
GOOD = len(MONEY) + 1  # the column that names a good


def comparison(found: Effects) -> str:
    """Two texts: every changed term, clause and article on the left, what it does when re-cleared on the right."""
    head = (
        f"{found.before[0]} ({found.before[1]}) and {found.after[0]} ({found.after[1]}), terms of {found.as_of}: "
        f"{counted(sum(len(each.changes) for each in found.effects), 'changed term')}. Each change is made alone to the earlier text and the "
        "markets are cleared again. USD million a year, gains +. Imports from outside and own "
        "output, in tonnes, of the good whose imports move most."
    )
    if not found.effects:
        return paragraph(f"{found.before[0]} and {found.after[0]} say the same.") + "\n"
    rows: list[list[str]] = []
    for effect in found.effects:
        rows += _beside(_told(effect.changes), effect)
        rows.append([""] * (GOOD + 3))
    if len(found.effects) > 1:
        only = found.only_together
        rows.append(["all of them together", *_figures(found.together)])
        if any(abs(usd) >= 500.0 for usd in only.values()):
            cells = [millions(only[name], sign=True) for name in MONEY]
            rows.append(["of which only together", *cells, "", "", ""])
    heads = ["changed term", *MONEY.values(), "good", "imports\nt", "output\nt"]
    notes = [f"{_told(e.changes)[0]}: {e.status}." for e in found.effects if e.status]
    table = _grid(heads, rows)
    return "\n\n".join([paragraph(head), table, *(paragraph(note) for note in notes)]) + "\n"


def legal_changes(found: Effects) -> str:
    """What the change of text does to what has been promised already: findings that come, go or are graded anew."""
    if not found.legal:
        return section("Promises already made", "  The same findings under both texts: friendshore screen tells them.")
    rows = [
        [
            each.clause,
            f"{each.name}, {each.article}" if each.article else each.name,
            each.before or "-",
            each.after or "-",
        ]
        for each in found.legal
    ]
    wrapped: list[list[str]] = []
    for row in rows:
        cells = [textwrap.wrap(words, width) for words, width in zip(row, PROMISE, strict=True)]
        deep = max(map(len, cells))
        wrapped += [[lines[n] if n < len(lines) else "" for lines in cells] for n in range(deep)]
    table = grid(["clause", "promise", "before", "after"], wrapped, left=4)
    return section("Promises already made", table)


def changed(changes: Iterable[Change]) -> str:
    """The changed terms alone, a line each."""
    lines = [textwrap.fill(change.words, WIDTH, subsequent_indent="  ") for change in changes]
    return "\n".join(lines or ["The two texts say the same."]) + "\n"


def _told(changes: Sequence[Change]) -> list[str]:
    lines: list[str] = []
    for change in changes:
        where = f"{change.article}, " if change.article else ""
        lines += textwrap.wrap(where + change.words, TERM, subsequent_indent="  ", break_on_hyphens=False)
    return lines


def _figures(effect: Effect) -> list[str]:
    if effect.status:
        return ["-"] * (GOOD + 2)
    money = [millions(effect.usd[name], sign=True) for name in MONEY]
    if not effect.good:
        return [*money, "", "", ""]
    return [*money, effect.good, figure(effect.imports_t, 3, sign=True), figure(effect.output_t, 3, sign=True)]


def _beside(words: Sequence[str], effect: Effect) -> list[list[str]]:
    first, *more = words
    if all(change.words_only for change in effect.changes) and not effect.status:
        return [[first, "words", *[""] * (GOOD + 1)], *([line, *[""] * (GOOD + 2)] for line in more)]
    return [[first, *_figures(effect)], *([line, *[""] * (GOOD + 2)] for line in more)]


def _grid(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A grid whose good stands flush left."""
    width = max((len(row[GOOD]) for row in rows), default=0)
    return grid(heads, [[*row[:GOOD], row[GOOD].ljust(width), *row[GOOD + 1 :]] for row in rows], indent=0)


def ranking(found: Matrix) -> str:
    """The alternatives, best first, and what each bracket moves."""
    options = list(dict.fromkeys(choice.option for each in found.tried for choice in each.alternative.choices))
    answered = [each for each in found.tried if each.rank is not None]
    kept = sum(each.keeps for each in answered)
    head = f"{found.deal_id} ({found.digest}): {counted(len(found.tried), 'alternative')}, ranked by {found.objective.words}."
    if found.objective.subject_to:
        head += f" {numeral(kept).capitalize()} of {len(answered)} {'keeps' if kept == 1 else 'keep'} every limit; the others are marked !."
    heads = ["", *options, *(_column(name) for name in found.measures)]
    rows = []
    for each in answered[:SHOWN]:
        chosen = {choice.option: choice.words for choice in each.alternative.choices}
        cells = [_value(name, each.figures[name]) for name in found.measures]
        rows.append([f"{each.rank}{'' if each.keeps else ' !'}", *(chosen[option] for option in options), *cells])
    parts = [paragraph(head), grid(heads, rows, left=1 + len(options), indent=0)]
    if len(answered) > SHOWN:
        parts.append(f"... and {len(answered) - SHOWN} more: --json gives all")
    if unanswered := found.unanswered:
        lines = [f"  {each.alternative.words}: {each.status}" for each in unanswered]
        parts.append(section("Without an answer", *lines))
    if len(options) > 1 or len(answered) > 1:
        unit = _column(found.objective.aim)
        body = [
            [
                row["option"],
                row["value"],
                _value(found.objective.aim, row["mean"]),
                _value(found.objective.aim, row["best"]),
            ]
            for row in found.brackets.iter_rows(named=True)
        ]
        table = grid(["option", "value", f"mean of\n{unit}", "best"], body, left=2)
        parts.append(section("What each bracket moves", table))
    return "\n\n".join(parts) + "\n"


def _column(name: str) -> str:
    unit = measure_of(name)[0].unit
    return f"{name.replace('_', ' ')}\n{'USD million' if unit == 'USD' else unit}"


def _value(name: str, value: float | None) -> str:
    measure = measure_of(name)[0]
    if value is None:
        return "-"
    if measure.unit == "USD":
        return millions(value, sign=True, digits=4)
    return figure(value, 4, places=3)


def worked(name: str, found: Sequence[Worked]) -> str:
    """Worked examples, each with data, calculation and value, and whether it comes out as written."""
    if not found:
        return f"{name} has no worked examples.\n"
    parts = []
    for each in found:
        rows = [
            [
                charge.clause + (f", {charge.article}" if charge.article else ""),
                charge.data,
                charge.calculation,
                f"{charge.usd:,.2f}",
            ]
            for charge in each.charges
        ]
        lines = [f"{'holds' if each.holds else 'FAILS'}  {each.name}"]
        if not rows:
            lines.append("       no floor reaches it")
        for clause, data, calculation, usd in rows:
            lines += [f"       {clause}: {data}", f"         {calculation} = {usd} USD"]
        wanted = "" if each.holds else f", expected {each.expected_usd:,.2f} USD"
        lines.append(f"       owes {each.owed_usd:,.2f} USD{wanted}")
        parts.append("\n".join(lines))
    failed = sum(not each.holds for each in found)
    verdict = (
        f"{counted(failed, 'example')} of {len(found)} {'fails' if failed == 1 else 'fail'}."
        if failed
        else f"All {numeral(len(found))} hold."
    )
    if len(found) == 1 and not failed:
        verdict = "It holds."
    return "\n\n".join([*parts, verdict]) + "\n"


def worked_document(found: Sequence[Worked]) -> list[Mapping[str, Any]]:
    """The same as plain JSON values; money as text, so that no cent is lost."""
    return [
        {
            "name": each.name,
            "holds": each.holds,
            "owed_usd": str(each.owed_usd),
            "expected_usd": str(each.expected_usd),
            "charges": [
                {
                    "clause": c.clause,
                    "article": c.article,
                    "data": c.data,
                    "calculation": c.calculation,
                    "usd": str(c.usd),
                }
                for c in each.charges
            ],
        }
        for each in found
    ]


def traced(found: Trace) -> str:
    """A number taken apart: its equation, its parts, and the clause and sources behind them."""
    money = found.unit == "USD"
    unit = "USD million" if money else found.unit

    def shown(value: float) -> str:
        return millions(value, sign=True, digits=4) if money else figure(value, 6, places=3)

    page = f"mathematics, section {found.section}" if found.section.isdigit() else found.section
    head = f"{found.number} = {shown(found.value)}{' ' if unit else ''}{unit}.  {found.equation}   [{page}]"
    rows = [[part.name, shown(part.value), part.symbol] for part in found.parts]
    width = max((len(row[2]) for row in rows), default=0)
    total = ["all", shown(sum(part.value for part in found.parts)), "".ljust(width)]
    table = grid(["", unit, "".ljust(width)], [[*row[:2], row[2].ljust(width)] for row in rows] + [total], indent=0)
    read = [f"{part.name}: {part.source}" for part in found.parts if part.source]
    told = [] if any(note.startswith("Clause ") for note in found.notes) else [_clause(each) for each in found.clauses]
    sources = [
        f"{row['id']}: {row['publisher']}, {row['title']}{', ' + row['url'] if row['url'] else ''}"
        for row in found.sources
    ]
    notes = [*found.notes, *told, *dict.fromkeys(read), *(["Sources."] if sources else []), *sources]
    return "\n\n".join([head, table, *(["\n".join(paragraph(note) for note in notes)] if notes else [])]) + "\n"


def _clause(told: dict[str, Any]) -> str:
    """A clause with its article, its sources and whether its level was invented."""
    named = f"Clause {told['id']}{', ' + told['article'] if told['article'] else ''}{', ' + told['title'] if told['title'] else ''}"
    titles = "; ".join(source["title"] for source in told["sources"]) or "no source"
    return f"{named}: {titles}{'. Illustrative: ' + told['rule'] if told['illustrative'] else ''}."
