"""What each instrument does of it, as a table: who pays for which part of the agreement."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from friendshore.report.typography import WIDTH, counted, figure, grid, listed, millions, paragraph, section

if TYPE_CHECKING:
    from friendshore.report.account import Names
    from friendshore.shares import Shares

CELL = 8  # columns of a figure
STILL = 500.0  # USD below which a row is left out
LEFT = "residual"  # what a path leaves of a figure
HEADLINES = {  # measure: what it is called in the table
    "gain_of_parties": "the parties",
    "gain_of_users": "  their users",
    "gain_of_producers": "  their producers",
    "gain_of_treasuries": "  their treasuries",
    "rents_of_parties": "  rents that they own",
    "levy_revenue": "levies taken in",
    "rents_outside": "rents that outsiders own",
    "gain_of_outsiders": "everybody else",
    "gain_of_firms": "parent firms",
    "gain_of_world": "the world",
}


def sharing(shares: Shares, names: Names, parties: Sequence[str]) -> str:
    """The shares as a section of an account: headline figures, the parties, the groups, by instrument.

    Parameters
    ----------
    shares : every figure shared out
    names : of countries and customs unions
    parties : codes of the countries bound
    """
    rows = list(HEADLINES.items())
    places = sorted(names.inside(parties), key=lambda place: (shares.total.get(f"gain.{place}", 0.0), place))
    rows += [(f"gain.{place}", names.of(place)) for place in places]
    rows += [(name, name.removeprefix("group.")) for name in shares.total if name.startswith("group.")]
    shown = [row for row in rows if _moves(shares, row[0])]
    if not shown:
        return section("What each instrument does", "  Nothing: no figure moves by as much as a thousand dollars.")
    columns = [*shares.parts, *([LEFT] if shares.method == "path" else []), "all"]
    tables = []
    for some in _abreast(columns, max(len(words) for _, words in shown)):
        body = []
        for name, words in shown:
            held = {**shares.of(name), LEFT: shares.residuals[name], "all": shares.total[name]}
            body.append([words, *(millions(held[column], sign=True) for column in some)])
        tables.append(grid(["USD million a year", *some], body))
    short = _short(shares)
    return section(
        "What each instrument does",
        paragraph(_how(shares), indent=2),
        "\n\n".join(tables),
        paragraph(short, indent=2) if short else "",
    )


def _abreast(parts: Sequence[str], label: int) -> list[list[str]]:
    """The parts in runs that fit beside one another on a page, behind labels of a width."""
    runs: list[list[str]] = [[]]
    left = WIDTH - label
    for part in parts:
        wide = max(len(part), CELL) + 2
        if runs[-1] and wide > left:
            runs.append([])
            left = WIDTH - label
        runs[-1].append(part)
        left -= wide
    return runs


def _moves(shares: Shares, name: str) -> bool:
    return max((abs(value) for value in (shares.total.get(name, 0.0), *shares.of(name).values())), default=0.0) >= STILL


def _how(shares: Shares) -> str:
    what = "clause" if shares.by == "clause" else "kind of instrument"
    many = counted(len(shares.parts), what, "clauses" if shares.by == "clause" else "kinds of instrument")
    if len(shares.parts) == 1:
        return f"There is one {what} alone, so the whole change is its own."
    if shares.method == "shapley":
        text = (
            f"What a {what} adds, averaged over every order in which the {many} may be agreed (Shapley value): exact, "
            f"from {2 ** len(shares.parts):,} combinations."
        )
    else:
        text = (
            f"What a {what} adds along the path on which the {many} grow together from nothing to the whole (Aumann and "
            f"Shapley): an integral over {shares.nodes} points."
        )
        left = max((abs(shares.residuals[name]) for name in HEADLINES), default=0.0)
        text += f" The largest residual of a headline figure is USD {figure(left / 1e6, 2)} million."
    how = f"to {shares.residual:.0e} of it" if shares.residual else "exactly"
    return text + f" The shares add to the whole change {how}."


def _short(shares: Shares) -> str:
    """The parts that do nothing by themselves or together."""
    idle = [part for part in shares.parts if all(abs(shares.of(name).get(part, 0.0)) < STILL for name in HEADLINES)]
    return f"{listed(idle)}: in force, and {'moves' if len(idle) == 1 else 'move'} no headline figure." if idle else ""


def shares_account(shares: Shares, names: Names, parties: Sequence[str], heading: str) -> str:
    """The same as a page of its own."""
    held = [f"  {part}: {', '.join(clauses)}" for part, clauses in shares.parts.items() if clauses != (part,)]
    return "\n\n".join(filter(None, [paragraph(heading), "\n".join(held), sharing(shares, names, parties)])) + "\n"
