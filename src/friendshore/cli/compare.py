"""The command `compare`: agreements side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from friendshore.cli.case import Case as Loaded
from friendshore.cli.case import case_of, names_of
from friendshore.cli.groups import Command, app
from friendshore.cli.options import AsJson, AsOf, OwnFigures, WorldFolder, Years
from friendshore.cli.tell import Progress, emit, say
from friendshore.errors import InputRefused


@app.command(cls=Command, short_help="Several agreements side by side: who pays under each.")
def compare(
    agreements: Annotated[
        list[str],
        typer.Argument(metavar="A B [C ...]", help="Two or more agreements or scenarios, files or shipped names."),
    ],
    as_of: AsOf = None,
    horizon: Years = None,
    parameters: OwnFigures = None,
    folder: WorldFolder = None,
    as_json: AsJson = False,
    instruments: Annotated[
        bool, typer.Option("--instruments/--no-instruments", help="Share each out among its instruments.")
    ] = True,
    bills: Annotated[
        Path | None, typer.Option("--bills", metavar="FILE", help="Your own bills of materials, in place of ours.")
    ] = None,
) -> None:
    """$ friendshore compare plurilateral-2026 subsidies-only alliance-duties

    Set agreements side by side on one world: who pays and who gains by country, the European Union as one and by member, by
    group and industry, by good and by instrument; on whom supply hangs; what passes a measure by; what a product costs.
    """
    if len(agreements) < 2:
        hint = "name another: friendshore agreement list shows what ships"
        raise InputRefused.because(
            "one-agreement", "one agreement has nothing to be compared with", path="B", hint=hint
        )
    if twice := next((words for words in agreements if agreements.count(words) > 1), None):
        raise InputRefused.because("twice", f"{twice!r} is named twice", path="A B [C ...]", hint="name each one once")
    with Progress() as progress:
        progress("reading the world and the agreements")
        from friendshore.side_by_side import Case, side_by_side
        from friendshore.world.digest import digest

        cases = [case_of(words, as_of, horizon, folder, parameters) for words in agreements]
        if len({digest(case.world) for case in cases}) > 1:
            hint = "a scenario names a world or figures of its own: run them one by one"
            raise InputRefused.because("two-worlds", "these agreements are run on different worlds", hint=hint)
        from friendshore.downstream.tables import read_bills

        own = None if bills is None else read_bills(bills, cases[0].world.goods["id"])
        found = side_by_side(
            cases[0].world,
            [
                Case(name, case.scenario.agreement, case.day, case.assume, case.shocks)
                for name, case in zip(_names(agreements, cases), cases, strict=True)
            ],
            by_instrument=instruments,
            bills=own,
            progress=progress,
        )
        progress("the legal screens")
        from friendshore.law.examine import examine
        from friendshore.report.legal import abreast, in_figures

        screened = [
            examine(
                case.world, case.scenario.agreement, as_of=case.day, assume=case.assume, shocks=case.shocks
            ).screening
            for case in cases
        ]
    ids = [side.name for side in found.sides]
    if as_json:
        legal = {name: in_figures(each) for name, each in zip(ids, screened, strict=True)}
        return emit({**found.document(), "legal": legal})
    from friendshore.report.side_by_side import side_by_side as tables

    text = tables(found, names_of(cases[0].world)).rstrip("\n")
    return say(f"{text}\n\n{abreast(list(zip(ids, screened, strict=True)))}")


def _names(agreements: Sequence[str], cases: Sequence[Loaded]) -> list[str]:
    """What heads each column: a plain agreement's id, but the words of the command for scenarios and for ids that two share."""
    ids = [case.scenario.agreement.id for case in cases]
    return [
        case.scenario.name if case.scenario.name == own and ids.count(own) == 1 else words
        for words, own, case in zip(agreements, ids, cases, strict=True)
    ]
