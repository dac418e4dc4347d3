"""The command `measures export`: an agreement's measures for a tariff database."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated, cast

import typer

from friendshore.cli.border import References
from friendshore.cli.case import scenario_of, world_of
from friendshore.cli.groups import Command, measures_app
from friendshore.cli.options import AsJson, Terms, parsed_day
from friendshore.cli.tell import Progress, emit, say


@measures_app.callback()
def measures_group() -> None:
    """$ friendshore measures export plurilateral-2026 --as-of 2030-01-01 --out measures

    An agreement's measures as tariff databases take them.
    """


def _stages(text: str) -> str:
    if text not in ("day", "month", "quarter", "year"):
        raise typer.BadParameter(f"{text!r} is no stage; write day, month, quarter or year")
    return text


@measures_app.command("export", cls=Command, short_help="An agreement's measures, dated, in TARIC's layout.")
def measures_export(
    agreement: Terms,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the tables; replaced whole.")],
    as_of: Annotated[
        date | None,
        typer.Option("--as-of", metavar="DATE", parser=parsed_day, help="The measures in force on one day."),
    ] = None,
    first: Annotated[
        date | None,
        typer.Option("--from", metavar="DATE", parser=parsed_day, help="First day covered; the agreement's if absent."),
    ] = None,
    last: Annotated[
        date | None,
        typer.Option("--to", metavar="DATE", parser=parsed_day, help="Last day covered; open-ended if absent."),
    ] = None,
    stages: Annotated[
        str,
        typer.Option(
            "--stages",
            metavar="day|month|quarter|year",
            parser=_stages,
            help="Step in which terms that move by the day are written.",
        ),
    ] = "year",
    reference: References = None,
    as_json: AsJson = False,
) -> None:
    """$ friendshore measures export plurilateral-2026 --as-of 2030-01-01 --out measures

    Write every clause that charges, rations or forbids at a border as dated measures: one row for each territory, HS code,
    good, origin group and time, with components and conditions in tables of their own, in the layout of TARIC. Clauses that
    are no border measure are listed with the reason.
    """
    if as_of is not None and (first is not None or last is not None):
        raise typer.BadParameter("one day, or from a day to a day", param_hint="--as-of")
    from friendshore.border import measures as layout
    from friendshore.customs import measures
    from friendshore.report import measures as pages
    from friendshore.report.tables import ACCOUNT, seal, staged

    with Progress() as progress:
        progress("reading the agreement")
        world = world_of(agreement)
        deal = scenario_of(agreement, world).agreement
        with staged(out) as stage:
            progress("asking its terms")
            found = measures.export(
                world,
                deal,
                as_of=as_of,
                first=first,
                last=last,
                stages=cast(measures.Stages, stages),
                reference=reference,
            )
            layout.write(found.tables, stage.path)
            text = pages.page(found, str(out))
            (stage.path / ACCOUNT).write_text(text, encoding="utf-8")
            about = {"command": "measures export", "agreement": deal.id, "text": deal.digest, "edition": layout.EDITION}
            seal(stage, about, {name: len(rows) for name, rows in found.tables.items()})
    if as_json:
        emit({
            "agreement": deal.id, "from": found.first, "to": found.last, "staged": found.staged,
            "measures": pages.summary(found), "not_border_measures": found.tables["not_border_measures"],
            "tables": {name: len(rows) for name, rows in found.tables.items()}, "written_to": str(out),
        })  # fmt: skip
    else:
        say(text.rstrip("\n"))
