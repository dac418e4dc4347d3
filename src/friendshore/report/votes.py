"""How an agreement decides, printed: who can block, how much each vote counts, what is due when."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from friendshore.report.typography import counted, figure, grid, listed, paragraph, percent, section

if TYPE_CHECKING:
    from friendshore.agreement.governance import Deadline, Power


def votes(title: str, powers: Sequence[Power], deadlines: Sequence[Deadline]) -> str:
    """The page of `friendshore agreement votes`."""
    blocks = [_power(power) for power in powers]
    if not powers:
        said = "No decision rule is stated in terms: what is described in words is not evaluated."
        blocks.append(paragraph(said))
    if deadlines:
        rows = [[each.due.isoformat(), each.procedure, each.step, each.who, each.if_missed] for each in deadlines]
        head = ["day", "procedure", "due", "who acts", "if it is missed"]
        blocks.append(section("What is due when", grid(head, rows, left=len(head))))
    return "\n\n".join([title, *blocks]) + "\n"


def document(powers: Sequence[Power], deadlines: Sequence[Deadline]) -> dict[str, Any]:
    """The same as plain JSON values; indices as exact fractions and as numbers."""
    return {
        "rules": [
            {
                "decides": power.decides,
                "rule": power.rule,
                "counts": list(power.counts),
                "coalitions": power.coalitions,
                "carried": power.carried,
                "voters": [
                    {
                        "code": voter.code,
                        "votes": list(voter.votes),
                        "blocks": voter.blocks,
                        "idle": voter.idle,
                        "banzhaf": float(voter.banzhaf),
                        "banzhaf_share": float(voter.banzhaf_share),
                        "banzhaf_share_exact": str(voter.banzhaf_share),
                        "shapley_shubik": float(voter.shapley),
                        "shapley_shubik_exact": str(voter.shapley),
                    }
                    for voter in power.voters
                ],
                "blocking": [list(group) for group in power.blocking],
                "blocking_left_out": power.blocking_left_out,
            }
            for power in powers
        ],
        "deadlines": [
            {
                "procedure": each.procedure,
                "step": each.step,
                "who": each.who,
                "opened": each.opened.isoformat(),
                "due": each.due.isoformat(),
                "if_missed": each.if_missed,
            }
            for each in deadlines
        ],
    }


def _power(power: Power) -> str:
    rows = [
        [
            voter.code,
            "blocks" if voter.blocks else ("counts for nothing" if voter.idle else ""),
            *(
                figure(held / 1e9 if each == "gdp" else held)
                for each, held in zip(power.counts, voter.votes, strict=True)
            ),
            percent(float(voter.banzhaf_share)),
            percent(float(voter.shapley)),
        ]
        for voter in power.voters
    ]
    titles = ["GDP\nUSD billion" if each == "gdp" else each for each in power.counts]
    head = ["party", "alone", *titles, "Banzhaf\n%", "Shapley-Shubik\n%"]
    share = percent(power.carried / power.coalitions)
    said = f"Carried by {power.rule}: {power.carried} of {power.coalitions} coalitions carry ({share} %)."
    groups = [" with ".join(group) for group in power.blocking]
    more = f", and {counted(power.blocking_left_out, 'larger group')} more" if power.blocking_left_out else ""
    stops = f"Blocked by any of: {listed(groups)}{more}." if groups else "Nobody can block."
    return section(power.decides, paragraph(said, indent=2), grid(head, rows, left=2), paragraph(stops, indent=2))
