"""What there is, as lists: a mineral's chain with its sources, the checks with both numbers, an agreement's clauses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from friendshore.instruments import KINDS
from friendshore.report.typography import counted, figure, grid, section
from friendshore.units import to_float

if TYPE_CHECKING:
    from friendshore.agreement.scenario import Scenario
    from friendshore.agreement.schedule import Level
    from friendshore.instruments import Clause
    from friendshore.world.check import Check

ROWS = 15  # rows of a block that are printed


def chain(rows: Iterable[Mapping[str, Any]]) -> str:
    """A mineral's chain, stage by stage, largest first, each row with its source and reliability."""
    blocks = []
    for (stage, good, kind), block in groupby(rows, key=lambda row: (row["stage"], row["good"], row["kind"])):
        held = list(block)
        lines = [
            [
                row["where"] + (f" > {row['partner']}" if row["partner"] else ""),
                row["what"] or "",
                figure(row["tonnes"]),
                figure(row["percent"], 3),
                row["reliability"] or "",
                row["year"] or "",
                row["source"] or "",
            ]
            for row in held[:ROWS]
        ]
        for line in lines:  # words after the figures stand flush left
            line[4:] = [f"{line[4]}  {line[5]:<9}  {line[6]}"]
        width = max(len(line[4]) for line in lines)
        for line in lines:
            line[4] = line[4].ljust(width)
        rest = held[ROWS:]
        more = (
            f"  ... and {counted(len(rest), 'more row')}, {figure(sum(row['tonnes'] for row in rest))} t: --json gives all"
            if rest
            else ""
        )
        head = ["where", "process" if kind == "output" else "", "t", "% of output", "year and source".ljust(width)]
        blocks.append(section(f"{good} ({stage}): {kind}", grid(head, lines, left=2), more))
    return "\n\n".join(blocks) + "\n"


def checks(found: Iterable[Check]) -> str:
    """Every check with what was found and what was required or published; what fails is marked and counted."""
    held = list(found)
    rows = [
        ["" if item.ok else "FAILS", item.name, _cell(item.ours), _cell(item.published), item.source] for item in held
    ]
    width = max((len(row[4]) for row in rows), default=0)
    for row in rows:
        row[4] = row[4].ljust(width)
    failed = sum(not item.ok for item in held)
    verdict = (
        f"{counted(failed, 'check')} of {len(held)} {'fails' if failed == 1 else 'fail'}."
        if failed
        else f"All {len(held)} checks hold."
    )
    return (
        grid(["", "what must hold", "ours", "published or required", "source".ljust(width)], rows, left=2, indent=0)
        + f"\n\n{verdict}\n"
    )


def terms(scenario: Scenario, levels: Sequence[Level]) -> str:
    """A sound agreement: its parties, its clauses, and the price levels in force on the day."""
    deal = scenario.agreement
    parties, clauses = counted(len(deal.parties), "party", "parties"), counted(len(deal.clauses), "clause")
    head = f"{deal.title}\n{scenario.name}, {scenario.digest}: sound. {parties.capitalize()}, {clauses}, terms of {scenario.as_of}."
    rows = [[clause.id, _kind(clause), clause.title, _invented(clause.illustrative)] for clause in deal.clauses]
    prices = [
        [level.clause, level.good, figure(to_float(level.usd_t), 6), _invented(level.illustrative)] for level in levels
    ]
    return "\n\n".join(
        [
            head,
            grid(["clause", "kind", "title", "level"], rows, left=4),
            *([grid(["price", "good", "USD/t", ""], prices, left=2)] if prices else []),
        ]
    )


def terms_document(scenario: Scenario, levels: Sequence[Level]) -> dict[str, Any]:
    """The same as plain JSON values."""
    deal = scenario.agreement
    return {
        "id": deal.id,
        "title": deal.title,
        "scenario": scenario.name,
        "digest": scenario.digest,
        "as_of": scenario.as_of.isoformat(),
        "parties": [party.code for party in deal.parties],
        "clauses": [
            {"id": clause.id, "kind": _kind(clause), "title": clause.title, "illustrative": clause.illustrative}
            for clause in deal.clauses
        ],
        "levels": [
            {
                "clause": level.clause,
                "good": level.good,
                "usd_t": to_float(level.usd_t),
                "illustrative": level.illustrative,
            }
            for level in levels
        ],
        "warnings": [problem.message for problem in deal.warnings],
    }


def _kind(clause: Clause) -> str:
    return next(key for key, kind in KINDS.items() if isinstance(clause, kind))


def _invented(illustrative: bool) -> str:
    return "illustrative" if illustrative else ""


def _cell(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.1e}" if value and abs(value) < 1e-6 else figure(value)
