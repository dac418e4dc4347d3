"""The command `lots`: a book of lots and conversions, checked, traced and judged."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated

import typer

from friendshore.cli.case import scenario_of, world_of
from friendshore.cli.groups import Command, app
from friendshore.cli.options import AsJson, OriginRules, OriginTerms, OutFolder, PartyCodes, parsed_day
from friendshore.cli.tell import Progress, out_folder, publish, release


@app.command(cls=Command, short_help="Lots traced through smelters, blends and scrap: what is wrong, whose they are.")
def lots(
    lots: Annotated[Path, typer.Argument(metavar="LOTS", help="Lots: .csv or .parquet.")],
    conversions: Annotated[
        Path,
        typer.Argument(metavar="CONVERSIONS", help="What went into which conversion and came out: .csv or .parquet."),
    ],
    rule: OriginRules = None,
    agreement: OriginTerms = None,
    parties: PartyCodes = "",
    recipes: Annotated[
        Path | None,
        typer.Option("--recipes", metavar="FILE", help="Bounds of yields: process, stages, yield_min, yield_max."),
    ] = None,
    as_of: Annotated[
        date | None,
        typer.Option("--as-of", metavar="DATE", parser=parsed_day, help="Day whose law is applied; today if absent."),
    ] = None,
    out: OutFolder = None,
    as_json: AsJson = False,
) -> None:
    """$ friendshore lots examples/origin/lots.csv examples/origin/conversions.csv --rule dfars_225_7018 --out out

    Trace every lot to the ground or the scrap it came from, by mass balance; report lots that gave more than they held,
    yields that no recipe allows, certificates used twice and circles; say which lots meet a rule, and which are caught
    between two laws.

    Exit status 3 where something is wrong with the lots.
    """
    from friendshore.customs.lots import examine, tables
    from friendshore.customs.origin import chosen_rule, named_rules
    from friendshore.origin_rules.rule import needs_parties
    from friendshore.report import lots as report

    with out_folder(out) as stage:
        with Progress() as progress:
            codes = [code for code in parties.replace(" ", "").split(",") if code]
            world = deal = None
            day = as_of or datetime.now(tz=UTC).date()
            if agreement is not None:
                progress("reading the agreement")
                world = world_of(agreement)
                deal = scenario_of(agreement, world).agreement
                day = as_of or deal.run_date
            named = [chosen_rule(name, codes, world, deal, day) for name in rule or ()]
            if not rule and world is not None and deal is not None:
                named = list(named_rules(world, deal, day))
            for one in named:
                needs_parties(one.rule, one.area.parties)
            found = examine(lots, conversions, day=day, recipes=recipes, rules=named, said=progress)
        publish(
            stage,
            lambda: tables(found),
            {"command": "lots", "version": release(), "as_of": day.isoformat()},
            text=lambda written: report.page(found, str(out) if written else ""),
            document=(lambda: report.document(found)) if as_json else None,
        )
    if not found.whole:
        raise typer.Exit(3)
