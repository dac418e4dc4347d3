"""The commands `screen` and `repair`: where an agreement meets what is promised, and what would mend it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from friendshore.cli.case import case_of, names_of
from friendshore.cli.groups import Command, app
from friendshore.cli.options import AsJson, AsOf, Terms, Years, download
from friendshore.cli.tell import Progress, emit, say
from friendshore.errors import InputRefused, render


@app.command(cls=Command, short_help="Where an agreement meets what is promised already.")
def screen(
    agreement: Annotated[
        str, typer.Argument(metavar="AGREEMENT|CASE", help="A preset's name, an agreement, a scenario or a case file.")
    ] = "plurilateral-2026",
    party: Annotated[
        str | None, typer.Option("--party", metavar="CODE", help="Only what binds this country or customs union.")
    ] = None,
    as_of: AsOf = None,
    horizon: Years = None,
    rates: Annotated[
        list[Path] | None,
        download("--rates", "Your own bound and applied rates: a download of the WTO, WITS or the US HTS."),
    ] = None,
    note: Annotated[
        Path | None, typer.Option("--note", metavar="FILE", help="Write a footnoted note too, as .html or .docx.")
    ] = None,
    as_json: AsJson = False,
    facts: Annotated[bool, typer.Option("--facts/--no-facts", help="Print the facts of each finding.")] = True,
) -> None:
    """$ friendshore screen plurilateral-2026 --party EUN

    Hold every clause against the rules of the WTO, free trade agreements and customs unions: where it meets an obligation, on
    what facts of the cleared market, with both arguments, leading disputes and what would repair it. A screen, no legal advice.

    A case file states a measure by hand, with the findings that it expects. Exit status 3 if one does not come out.
    """
    from friendshore.law.examine import examine, examine_case
    from friendshore.law.screen.obligations import shipped_obligations
    from friendshore.report.legal import screening
    from friendshore.report.legal_note import check_form, write_note

    if note is not None:
        check_form(note)
    if (judged := examine_case(agreement, party)) is not None:
        found, failures = judged
        if note is not None:
            write_note(found, str, note)
        emit(found.document()) if as_json else say(screening(found, str, shipped_obligations()).rstrip("\n"))
        if failures:
            say("\n".join(failures), err=True)
            raise typer.Exit(3)
        return None
    with Progress() as progress:
        progress("reading the world and the agreement")
        case = case_of(agreement, as_of, horizon)
        held = None
        if rates:
            from friendshore.law.screen.commitments import shipped
            from friendshore.law.screen.tariffs import read_tariffs, with_rates

            files = [read_tariffs(path) for path in rates]
            for file in files:
                say("\n".join(filter(None, [file.words(), render(file.refused)])), err=True)
            held = with_rates(shipped(), files)
        progress("clearing the status quo and the agreement")
        found = examine(
            case.world,
            case.scenario.agreement,
            as_of=case.day,
            party=party,
            assume=case.assume,
            shocks=case.shocks,
            held=held,
        ).screening
        names = names_of(case.world)
        if note is not None:
            write_note(found, lambda code: names.country.get(code, code), note)
    if as_json:
        return emit(found.document())
    return say(
        screening(found, lambda code: names.country.get(code, code), shipped_obligations(), facts=facts).rstrip("\n")
    )


@app.command(cls=Command, short_help="What would repair a legal finding, and what it costs in effect.")
def repair(
    agreement: Terms = "plurilateral-2026",
    party: Annotated[
        str | None,
        typer.Option("--party", metavar="CODE", help="Repair only what binds this country or customs union."),
    ] = None,
    as_of: AsOf = None,
    horizon: Years = None,
    write: Annotated[
        str | None,
        typer.Option("--write", metavar="PACKAGE", help="Print one package as a scenario file instead of the table."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """$ friendshore repair plurilateral-2026

    Amend the agreement in each way that its legal findings propose, read, clear and screen every amendment, and print the
    frontier between legal exposure and effect.
    """
    with Progress() as progress:
        progress("reading the world and the agreement")
        from friendshore.law.repair import repair as repaired
        from friendshore.law.repair import scenario_text
        from friendshore.report.legal import frontier

        case = case_of(agreement, as_of, horizon)
        found = repaired(
            case.world,
            agreement,
            case.scenario.agreement,
            as_of=case.day,
            party=party,
            assume=case.assume,
            shocks=case.shocks,
            progress=progress,
        )
        names = names_of(case.world)
    if write is not None:
        packages = {package.id: package for package in found.packages}
        if write not in packages:
            hint = "the packages are " + ", ".join(packages)
            raise InputRefused.because("unknown-package", f"no package is called {write!r}", path="--write", hint=hint)
        return say(scenario_text(agreement, packages[write].patches).rstrip("\n"))
    if as_json:
        return emit(found.document())
    return say(frontier(found, lambda code: names.country.get(code, code)).rstrip("\n"))
