"""The commands `screen` and `repair`: where an agreement meets what is promised, and what would mend it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from friendshore.cli.case import case_of, names_of
from friendshore.cli.groups import Command, app
from friendshore.cli.options import AsJson, AsOf, OwnFigures, Terms, WorldFolder, Years, download
from friendshore.cli.tell import Progress, emit, say
from friendshore.errors import InputRefused, render

if TYPE_CHECKING:
    from friendshore.law.screen.law import Law


OwnRates = Annotated[
    list[Path] | None,
    download("--rates", "Your own bound and applied rates: a download of the WTO, WITS or the US HTS."),
]
OwnLaw = Annotated[
    Path | None,
    typer.Option(
        "--promises",
        metavar="DIR",
        help="Your own obligations, agreements, disputes, powers or tables, beside what ships.",
    ),
]


def law_of(rates: list[Path] | None, folder: Path | None) -> Law:
    """The law that ships with a user's own beside it; an account of each download is told."""
    from friendshore.law.screen.law import with_own
    from friendshore.law.screen.tariffs import read_tariffs

    files = [read_tariffs(path) for path in rates or ()]
    for file in files:
        say("\n".join(filter(None, [file.words(), render(file.refused)])), err=True)
    return with_own(folder, files)


@app.command(cls=Command, short_help="Where an agreement meets what is promised already.")
def screen(
    agreement: Annotated[
        str | None,
        typer.Argument(
            metavar="AGREEMENT|CASE",
            help="A preset's name, an agreement, a scenario or a case file; plurilateral-2026 if absent.",
        ),
    ] = None,
    case_file: Annotated[
        Path | None, typer.Option("--case", metavar="FILE", help="A measure stated by hand, in place of an agreement.")
    ] = None,
    party: Annotated[
        str | None, typer.Option("--party", metavar="CODE", help="Only what binds this country or customs union.")
    ] = None,
    as_of: AsOf = None,
    horizon: Years = None,
    parameters: OwnFigures = None,
    folder: WorldFolder = None,
    rates: OwnRates = None,
    promises: OwnLaw = None,
    note: Annotated[
        Path | None, typer.Option("--note", metavar="FILE", help="Write a footnoted note too, as .html or .docx.")
    ] = None,
    as_json: AsJson = False,
    facts: Annotated[bool, typer.Option("--facts/--no-facts", help="Print the facts of each finding.")] = True,
) -> None:
    """$ friendshore screen plurilateral-2026 --party EUN

    Hold every clause against the rules of the WTO, free trade agreements and customs unions: where it meets an obligation, on
    what facts of the cleared market, with both arguments, leading disputes and what would repair it. A screen, no legal advice.

    A case file (--case FILE, or in the place of the agreement) states a measure by hand, with the findings that it expects.
    Exit status 3 if one does not come out.
    """
    from friendshore.law.examine import examine, examine_case
    from friendshore.report.legal import screening
    from friendshore.report.legal_note import check_form, write_note

    if note is not None:
        check_form(note)
    if case_file is not None and agreement is not None:
        raise InputRefused.because("two-texts", f"a case and {agreement} too: screen one at a time", path="--case")
    held = law_of(rates, promises)
    source = str(case_file) if case_file is not None else agreement or "plurilateral-2026"
    judged = examine_case(source, party, as_of=as_of, held=held)
    for option, value in (("--horizon", horizon), ("--parameters", parameters), ("--world", folder)):
        if judged is not None and value is not None:
            raise InputRefused.because("unused", f"a case clears no market: it has no use for {option}", path=option)
    if case_file is not None and judged is None:
        hint = "a case has the keys case and measures; docs/law.md shows one"
        raise InputRefused.because("no-case", f"{case_file} is no case file", path="--case", hint=hint)
    if judged is not None:
        found, failures = judged
        emit(found.document()) if as_json else say(screening(found, str, held.obligations, facts=facts).rstrip("\n"))
        if note is not None:
            write_note(found, str, note)
        if failures:
            say("\n".join(failures), err=True)
            raise typer.Exit(3)
        return
    with Progress() as progress:
        progress("reading the world and the agreement")
        case = case_of(source, as_of, horizon, folder, parameters)
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
        names = names_of(case.world).country

    def named(code: str) -> str:
        return names.get(code, code)

    emit(found.document()) if as_json else say(screening(found, named, held.obligations, facts=facts).rstrip("\n"))
    if note is not None:
        write_note(found, named, note)
    return


@app.command(cls=Command, short_help="What would repair a legal finding, and what it costs in effect.")
def repair(
    agreement: Terms = "plurilateral-2026",
    party: Annotated[
        str | None,
        typer.Option("--party", metavar="CODE", help="Repair only what binds this country or customs union."),
    ] = None,
    as_of: AsOf = None,
    horizon: Years = None,
    parameters: OwnFigures = None,
    folder: WorldFolder = None,
    rates: OwnRates = None,
    promises: OwnLaw = None,
    write: Annotated[
        str | None,
        typer.Option("--write", metavar="PACKAGE", help="Print one package as a scenario file instead of the table."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """$ friendshore repair plurilateral-2026

    Amend the agreement in each way that its legal findings propose, read, clear and screen every amendment, and print the
    frontier between legal exposure and effect. With --write NAME one of them is printed as a scenario file, which `run`,
    `screen`, `compare` and `repair` read.
    """
    with Progress() as progress:
        progress("reading the world and the agreement")
        from friendshore.law.repair import repair as repaired
        from friendshore.law.repair import repaired_text

        case = case_of(agreement, as_of, horizon, folder, parameters)
        held = law_of(rates, promises)
        how: dict[str, Any] = {
            "as_of": case.day,
            "party": party,
            "assume": case.assume,
            "shocks": case.shocks,
            "held": held,
        }
        if write is not None:
            text = repaired_text(case.world, agreement, case.scenario.agreement, write, **how)
            return say(text.rstrip("\n"))
        found = repaired(case.world, agreement, case.scenario.agreement, **how, progress=progress)
        names = names_of(case.world)
    if as_json:
        return emit(found.document())
    from friendshore.report.legal import frontier

    return say(frontier(found, lambda code: names.country.get(code, code)).rstrip("\n"))
