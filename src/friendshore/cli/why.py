"""The command `why`: where a number comes from."""

from __future__ import annotations

from typing import Annotated

import typer

from friendshore.cli.case import case_of
from friendshore.cli.groups import Command, app
from friendshore.cli.options import AsJson, AsOf, OwnFigures, Terms, WorldFolder, Years
from friendshore.cli.tell import Progress, emit, say


@app.command("why", cls=Command, short_help="Where a number comes from: equation, parts, clause, sources.")
def why_command(
    agreement: Terms,
    number: Annotated[
        str,
        typer.Argument(
            metavar="NUMBER",
            help="gain.ITA, levy_revenue, account.JPN.levy.ndpr.oxide, delivered.ndpr.oxide.CHN.DEU ...",
        ),
    ],
    as_of: AsOf = None,
    horizon: Years = None,
    parameters: OwnFigures = None,
    folder: WorldFolder = None,
    as_json: AsJson = False,
) -> None:
    """$ friendshore why plurilateral-2026 delivered.ndpr.oxide.CHN.DEU

    Take a number of an outcome apart: the equation that it follows, the parts that add to it, the clause with its article,
    and the sources of what was read from the world.
    """
    with Progress() as progress:
        progress("reading the world and the agreement")
        from friendshore.report.drafts import traced
        from friendshore.why import why

        case = case_of(agreement, as_of, horizon, folder, parameters)
        progress("clearing")
        found = why(case.world, case.scenario.agreement, number, as_of=case.day, assume=case.assume, shocks=case.shocks)
    return emit(found.document()) if as_json else say(traced(found).rstrip("\n"))
