"""The commands of `agreement`: files checked, tested, rendered, compared and shared out."""

from __future__ import annotations

import json
from datetime import date
from typing import Annotated, Any, cast

import typer

from friendshore.cli.case import case_of, horizon_of, names_of, scenario_of, world_of
from friendshore.cli.groups import Command, agreement_app
from friendshore.cli.options import AsJson, AsOf, OwnFigures, Terms, WorldFolder, Years, parsed_day, parsed_parts
from friendshore.cli.tell import Progress, emit, say


@agreement_app.callback()
def agreement_group() -> None:
    """$ friendshore agreement check deal.yaml

    Agreement files: whether they are sound, what they say, what changed between two, what is open and what it would do,
    which ones ship, and a schema for editors.
    """


@agreement_app.command("check", cls=Command, short_help="Whether a file is sound, with every problem at its line.")
def agreement_check(
    agreement: Annotated[
        str, typer.Argument(metavar="FILE", help="An agreement file, a scenario file or a preset's name.")
    ],
    folder: WorldFolder = None,
    as_json: AsJson = False,
) -> None:
    """$ friendshore agreement check deal.yaml

    Read an agreement or a scenario as strictly as `run` does and list its clauses and price levels, or every problem with
    file, line and column. Nothing is run.
    """
    with Progress() as progress:
        progress(f"reading {agreement}")
        from friendshore.agreement.schedule import levels
        from friendshore.report.listing import terms, terms_document

        world = world_of(agreement, folder)
        scenario = scenario_of(agreement, world)
        found = levels(scenario.agreement, world, scenario.as_of)
    if as_json:
        return emit(terms_document(scenario, found))
    return say(terms(scenario, found))


@agreement_app.command("list", cls=Command, short_help="The agreements and scenarios that ship.")
def agreement_list(as_json: AsJson = False) -> None:
    """$ friendshore agreement list

    List what ships, a line each: the reference design and its variants from the public record, single instruments for
    teaching, no agreement at all; then scenarios with shocks from the record.
    """
    with Progress() as progress:
        progress("reading the presets")
        from friendshore.agreement.document import presets, shipped
        from friendshore.agreement.scenario import Scenario
        from friendshore.report.typography import grid

        rows = []
        for name in shipped():
            scenario = Scenario.load(name)
            deal, kind = scenario.agreement, "agreement" if name in presets() else "scenario"
            title = deal.title if scenario.name == deal.id else scenario.name
            rows.append(
                {
                    "id": name,
                    "kind": kind,
                    "title": title,
                    "in_force": deal.in_force.isoformat(),
                    "clauses": len(deal.clauses),
                }
            )
    if as_json:
        return emit(rows)
    tables = [
        grid(
            [what, "title"],
            [[str(row["id"]), str(row["title"])] for row in rows if row["kind"] == what],
            left=2,
            indent=0,
        )
        for what in ("agreement", "scenario")
    ]
    return say("\n\n".join(tables))


@agreement_app.command("test", cls=Command, short_help="The worked examples of a file, each with its working.")
def agreement_test(agreement: Terms, folder: WorldFolder = None, as_json: AsJson = False) -> None:
    """$ friendshore agreement test plurilateral-2026

    Charge the worked examples of an agreement by its own duties, in exact decimals, and show data, calculation and value.

    Exit status 3 if one does not come out as written.
    """
    from friendshore.agreement.schedule import examples
    from friendshore.report.drafts import worked, worked_document

    world = world_of(agreement, folder)
    scenario = scenario_of(agreement, world)
    found = examples(scenario.agreement, world)
    if as_json:
        emit({"id": scenario.agreement.id, "digest": scenario.agreement.digest, "examples": worked_document(found)})
    else:
        say(worked(scenario.agreement.id, found).rstrip("\n"))
    if not all(each.holds for each in found):
        raise typer.Exit(3)


@agreement_app.command("text", cls=Command, short_help="A file as the prose of a treaty, in Markdown.")
def agreement_text(agreement: Terms, folder: WorldFolder = None) -> None:
    """$ friendshore agreement text plurilateral-2026 > agreement.md

    Render an agreement as prose, article by article, with links between articles and to sources. Nothing is left out, and
    what is illustrative is marked.
    """
    from friendshore.agreement.text import text

    world = world_of(agreement, folder)
    deal = scenario_of(agreement, world).agreement
    return say(text(deal, goods=dict(world.goods.select("id", "name").iter_rows())).rstrip("\n"))


@agreement_app.command("diff", cls=Command, short_help="What changed between two texts, and what each change does.")
def agreement_diff(
    before: Terms,
    after: Terms,
    as_of: AsOf = None,
    horizon: Years = None,
    parameters: OwnFigures = None,
    folder: WorldFolder = None,
    as_json: AsJson = False,
    words: Annotated[bool, typer.Option("--words", help="The changed terms alone; nothing is run.")] = False,
) -> None:
    """$ friendshore agreement diff plurilateral-2026 plurilateral-2026-derivatives

    Set two texts against each other: every changed term in words, clause and article, beside what it does alone in tonnes
    and money when the markets are cleared again; then all of them together; and where what the texts meet in promises already
    made differs.

    Shocks and assumptions are those of the later text, where it is a scenario.
    """
    from friendshore.agreement.diff import diff
    from friendshore.report.drafts import changed, comparison, legal_changes

    if words:
        from dataclasses import asdict

        world = world_of(after, folder)
        changes = diff(scenario_of(before, world).agreement, scenario_of(after, world).agreement)
        return (
            emit([{**asdict(each), "words": each.words} for each in changes])
            if as_json
            else say(changed(changes).rstrip("\n"))
        )
    with Progress() as progress:
        progress("reading the world and the texts")
        from friendshore.effects import effects

        case = case_of(after, as_of, horizon, folder, parameters)
        earlier = scenario_of(before, case.world).agreement
        found = effects(
            case.world,
            earlier,
            case.scenario.agreement,
            as_of=case.day,
            assume=case.assume,
            shocks=case.shocks,
            legal=True,
            progress=progress,
        )
    if as_json:
        return emit(found.document() | {"horizon": case.assume.horizon})
    return say(f"{comparison(found).rstrip()}\n\n{legal_changes(found)}\n\n{horizon_of(case).capitalize()}.")


@agreement_app.command("options", cls=Command, short_help="The alternatives in brackets, run and ranked.")
def agreement_options(
    agreement: Terms,
    as_of: AsOf = None,
    horizon: Years = None,
    parameters: OwnFigures = None,
    folder: WorldFolder = None,
    as_json: AsJson = False,
) -> None:
    """$ friendshore agreement options plurilateral-2026-options

    Run every combination of an agreement's bracketed alternatives and rank them by its objective: least cost to the
    parties where it states none.

    Exit status 3 if an alternative has no answer.
    """
    with Progress() as progress:
        progress("reading the world and the agreement")
        from friendshore.matrix import matrix
        from friendshore.report.drafts import ranking

        case = case_of(agreement, as_of, horizon, folder, parameters)
        stated = as_of or (case.scenario.as_of if case.scenario.dated else None)
        found = matrix(
            case.world,
            case.scenario.agreement,
            as_of=stated,
            assume=case.assume,
            shocks=case.shocks,
            progress=progress,
        )
    if as_json:
        emit(found.document() | {"horizon": case.assume.horizon})
    else:
        say(f"{ranking(found).rstrip()}\n\n{horizon_of(case).capitalize()}.")
    if found.unanswered:
        raise typer.Exit(3)


@agreement_app.command("shares", cls=Command, short_help="What each instrument does of it: who pays for which.")
def agreement_shares(
    agreement: Terms,
    by: Annotated[
        str, typer.Option("--by", metavar="instrument|clause", parser=parsed_parts, help="What it is shared out among.")
    ] = "instrument",
    exact: Annotated[
        int,
        typer.Option("--exact", metavar="N", min=0, max=8, help="Parts up to which every combination is cleared."),
    ] = 5,
    as_of: AsOf = None,
    horizon: Years = None,
    parameters: OwnFigures = None,
    folder: WorldFolder = None,
    as_json: AsJson = False,
) -> None:
    """$ friendshore agreement shares plurilateral-2026 --by clause

    Share out what an agreement changes among its instruments, so that the shares add up: every headline figure, every
    party, every group. Exact (Shapley) up to five parts; above, an integral along the path on which all grow together, with
    what it leaves unshared.
    """
    with Progress() as progress:
        progress("reading the world and the agreement")
        from friendshore.report.sharing import shares_account
        from friendshore.shares import shares

        case = case_of(agreement, as_of, horizon, folder, parameters)
        found = shares(
            case.world,
            case.scenario.agreement,
            as_of=case.day,
            assume=case.assume,
            shocks=case.shocks,
            by=cast(Any, by),
            exact=exact,
            progress=progress,
        )
    if as_json:
        return emit(found.document() | {"horizon": case.assume.horizon})
    deal = case.scenario.agreement
    heading = (
        f"{deal.title} ({deal.digest}), terms of {case.day}, {horizon_of(case)}, against the status quo of that day."
    )
    return say(shares_account(found, names_of(case.world), found.parties, heading).rstrip("\n"))


@agreement_app.command("votes", cls=Command, short_help="Who can block, how much each vote counts, what is due when.")
def agreement_votes(
    agreement: Terms,
    as_of: Annotated[
        date | None,
        typer.Option(
            "--as-of", metavar="DATE", parser=parsed_day, help="Day of the vote; the agreement's own if absent."
        ),
    ] = None,
    folder: WorldFolder = None,
    as_json: AsJson = False,
) -> None:
    """$ friendshore agreement votes deal.yaml --as-of 2028-01-01

    Evaluate the governance of an agreement for the parties bound on a day: every decision rule with the power of each
    vote (Banzhaf, Shapley-Shubik) and who can block, and the deadlines of each procedure opened on that day.
    """
    from friendshore.agreement.governance import calendar, power
    from friendshore.report.votes import document, votes

    world = world_of(agreement, folder)
    scenario = scenario_of(agreement, world)
    deal, day = scenario.agreement, as_of or scenario.as_of
    powers, deadlines = power(deal, world, day), calendar(deal, day)
    if as_json:
        return emit({"id": deal.id, "as_of": day.isoformat(), **document(powers, deadlines)})
    return say(votes(f"{deal.title}, on {day.isoformat()}", powers, deadlines).rstrip("\n"))


@agreement_app.command("schema", cls=Command, short_help="The JSON Schema of an agreement file.")
def agreement_schema() -> None:
    """$ friendshore agreement schema > agreement.schema.json

    Print the JSON Schema of an agreement file, for an editor to check and complete as you write.
    """
    from friendshore.agreement.document import schema

    say(json.dumps(schema(), indent=2))
