"""What there is, as lists: a mineral's chain with its sources, the checks with both numbers, an agreement's clauses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from friendshore.agreement.schedule import assumptions
from friendshore.instruments import KINDS
from friendshore.report.typography import counted, figure, grid, paragraph, section
from friendshore.units import to_float

if TYPE_CHECKING:
    from friendshore.agreement.scenario import Scenario
    from friendshore.agreement.schedule import Level
    from friendshore.instruments import Clause
    from friendshore.world.check import Check
    from friendshore.world.doubts import Doubt
    from friendshore.world.missing import Default

ROWS = 15  # rows of a block that are printed
PLURAL = {
    "clipped margin": "Margins clipped",
    "estimate": "Estimates",
    "unclear licence": "Figures on one source of unclear licence",
}
RULES = 4  # rules of a kind of default that are printed
WIDE = 76  # letters of a rule that are printed


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


def checks(found: Iterable[Check], doubted: str = "") -> str:
    """Every check with what was found and what was required or published; what fails is marked and counted.

    `doubted` (what `doubts` prints) stands before the verdict.
    """
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
        + (f"\n\n{doubted}" if doubted else "")
        + f"\n\n{verdict}\n"
    )


def doubts(found: Iterable[Doubt], *, everything: bool = False) -> str:
    """What is to be doubted though nothing fails: every clipped margin by name, the rest counted by table, or named too."""
    blocks = []
    for kind, block in groupby(found, key=lambda doubt: doubt.kind):
        held = list(block)
        parts = [
            f"  {doubt.table}, {doubt.reason}: {figure(doubt.count, 9)}"
            + (f"\n{paragraph(', '.join(doubt.items), indent=4)}" if everything or kind == "clipped margin" else "")
            for doubt in held
        ]
        total = sum(doubt.count for doubt in held)
        more = [] if everything or kind == "clipped margin" else ["  --all names them, --json too"]
        blocks.append(section(f"{PLURAL[kind]}: {figure(total, 9)}", *parts, *more))
    return "\n\n".join(blocks)


def defaults(found: Iterable[Default], *, rules: int | None = RULES) -> str:
    """Every default in use, kind by kind: how many figures, by which rules, and what would replace them."""
    blocks, total = [], 0
    for what, block in groupby(found, key=lambda group: group.what):
        held = list(block)
        count = sum(group.count for group in held)
        total += count
        shown = held[:rules]
        rows = [[figure(group.count, 9), *_folded(group)] for group in shown]
        width = max(len(row[1]) for row in rows)
        lines = [f"  {row[0].rjust(7)}  {row[1].ljust(width)}  {row[2]}".rstrip() for row in rows]
        rest = held[len(shown) :]
        if rest:
            left = sum(group.count for group in rest)
            lines.append(
                f"  {figure(left, 9).rjust(7)}  by {counted(len(rest), 'more rule')}: --all gives them, --json the items too"
            )
        by = sorted({group.replace_by for group in held})
        lines.append(f"           replaced by: {'; '.join(by)}")
        blocks.append(section(f"{what}: {figure(count, 9)}", *lines))
    return (
        "\n\n".join(
            [*blocks, f"{figure(total, 9)} figures are defaults: a rule or an assumption stands in for a source."]
        )
        + "\n"
    )


def _folded(group: Default) -> tuple[str, str]:
    """A rule on one line, and the item it stands for where that is one."""
    rule = group.rule if len(group.rule) <= WIDE else group.rule[: WIDE - 1] + "…"
    return rule, group.items[0] if group.count == 1 else ""


def terms(scenario: Scenario, levels: Sequence[Level]) -> str:
    """A sound agreement: its parties, its clauses, and the price levels in force on the day."""
    deal = scenario.agreement
    parties, clauses = counted(len(deal.parties), "party", "parties"), counted(len(deal.clauses), "clause")
    head = f"{deal.title}\n{scenario.name}, {scenario.digest}: sound. {parties.capitalize()}, {clauses}, terms of {scenario.as_of}."
    rows = [[clause.id, _kind(clause), clause.title, _invented(clause.illustrative)] for clause in deal.clauses]
    assumed = [paragraph(said, indent=2) for said in assumptions(deal)]
    prices = [
        [level.clause, level.good, figure(to_float(level.usd_t), 6), _invented(level.illustrative)] for level in levels
    ]
    return "\n\n".join(
        [
            head,
            grid(["clause", "kind", "title", "level"], rows, left=4),
            *([grid(["price", "good", "USD/t", ""], prices, left=2)] if prices else []),
            *([section("Assumed where the text is silent", *assumed)] if assumed else []),
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
        "assumptions": list(assumptions(deal)),
        "warnings": [problem.message for problem in deal.warnings],
    }


def _kind(clause: Clause) -> str:
    return next(key for key, kind in KINDS.items() if isinstance(clause, kind))


def _invented(illustrative: bool) -> str:
    return "illustrative" if illustrative else ""


def _cell(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.1e}" if value and abs(value) < 1e-6 else figure(value)
