"""What the base world holds, as lists: a mineral's chain with its sources, and the checks with both numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import TYPE_CHECKING, Any

from friendshore.report.typography import counted, figure, grid, section

if TYPE_CHECKING:
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
        more = f"  ... and {counted(len(rest), 'more row')}, {figure(sum(row['tonnes'] for row in rest))} t: --json gives all" if rest else ""
        head = ["where", "process" if kind == "output" else "", "t", "% of output", "year and source".ljust(width)]
        blocks.append(section(f"{good} ({stage}): {kind}", grid(head, lines, left=2), more))
    return "\n\n".join(blocks) + "\n"


def checks(found: Iterable[Check]) -> str:
    """Every check with what was found and what was required or published; what fails is marked and counted."""
    held = list(found)
    rows = [["" if item.ok else "FAILS", item.name, _cell(item.ours), _cell(item.published), item.source] for item in held]
    width = max((len(row[4]) for row in rows), default=0)
    for row in rows:
        row[4] = row[4].ljust(width)
    failed = sum(not item.ok for item in held)
    verdict = f"{counted(failed, 'check')} of {len(held)} {'fails' if failed == 1 else 'fail'}." if failed else f"All {len(held)} checks hold."
    return grid(["", "what must hold", "ours", "published or required", "source".ljust(width)], rows, left=2, indent=0) + f"\n\n{verdict}\n"


def _cell(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.1e}" if value and abs(value) < 1e-6 else figure(value)
