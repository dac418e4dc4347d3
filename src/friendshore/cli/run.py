"""The command `run`: what an agreement does, against the status quo."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from friendshore.cli.case import Case, case_of, digests_of, names_of
from friendshore.cli.groups import Command, app
from friendshore.cli.options import (
    AsJson,
    AsOf,
    OutFolder,
    OwnFigures,
    Terms,
    WorldFolder,
    Years,
    parsed_buyers,
    parsed_parts,
)
from friendshore.cli.tell import Progress, out_folder, publish, release
from friendshore.errors import FriendshoreError

if TYPE_CHECKING:
    from friendshore.agreement.scenario import Scenario
    from friendshore.law.screen.judge import Screening
    from friendshore.report.account import Names
    from friendshore.report.tables import Written
    from friendshore.shares import Shares
    from friendshore.study import Study
    from friendshore.world.tables import World


@app.command(cls=Command, short_help="What an agreement does, against the status quo.")
def run(
    agreement: Terms = "plurilateral-2026",
    as_of: AsOf = None,
    horizon: Years = None,
    parameters: OwnFigures = None,
    folder: WorldFolder = None,
    out: OutFolder = None,
    as_json: AsJson = False,
    sourcing: Annotated[
        str | None,
        typer.Option(
            "--sourcing",
            metavar="logit|ces",
            parser=parsed_buyers,
            help="How buyers choose between origins; logit if absent. Under ces tonnes do not add up.",
        ),
    ] = None,
    decompose: Annotated[
        str | None,
        typer.Option(
            "--decompose",
            metavar="instrument|clause",
            parser=parsed_parts,
            help="Share out what it does among its instruments or clauses.",
        ),
    ] = None,
    stability: Annotated[
        bool, typer.Option("--stability/--no-stability", help="Solve nine pairs of elasticities for rank stability.")
    ] = True,
) -> None:
    """$ friendshore run plurilateral-2026 --as-of 2030-01-01 --out out

    Say what an agreement does: clear the markets of 2024, of the status quo at the date, under the agreement and under
    two reactions of the exporters, and print who pays.

    Without an agreement it runs the preset plurilateral-2026.
    """
    with out_folder(out) as stage, Progress() as progress:
        progress("reading the world and the agreement")
        case = case_of(agreement, as_of, horizon, folder, parameters, sourcing)
        world, scenario, day = case.world, case.scenario, case.day
        from friendshore.study import study

        found = study(
            world,
            scenario.agreement,
            as_of=day,
            assume=case.assume,
            shocks=case.shocks,
            progress=progress,
            stability=stability,
        )
        parted, unparted = _decomposed(found, case, decompose, progress)
        digests = digests_of(scenario, world, found)
        progress("the legal screen")
        screened = _screened(found, case)
        progress("writing the account")
        names = names_of(world)
        given = [
            *("--as-of", day.isoformat(), "--horizon", str(found.horizon)),
            *(["--parameters", str(parameters)] if parameters else []),
            *(["--world", str(folder)] if folder else []),
        ]
        flags = [
            *given,
            *(["--sourcing", sourcing] if sourcing else []),
            *([] if stability else ["--no-stability"]),
            *(["--decompose", decompose] if decompose else []),
        ]
        about = {
            "command": shlex.join(["friendshore", "run", agreement, *flags]),
            "agreement": scenario.name,
            "digest": scenario.digest,
            "digests": digests,
            "world": found.world_name,
            "friendshore": release(),
        }
        publish(
            stage,
            lambda: _study_tables(found) | _replaced_tables(world) | ({"shares": parted.table} if parted else {}),
            about,
            text=lambda written: _account(
                found,
                names,
                written,
                _circumstances(scenario, world, unparted),
                world,
                digests,
                parted,
                _legal(screened, names, agreement, given),
            ),
            document=(lambda: _study_document(found, world, digests, parted, screened)) if as_json else None,
        )


def _account(
    found: Study,
    names: Names,
    written: Written | None,
    scenario: str,
    world: World,
    digests: Mapping[str, str],
    parted: Shares | None,
    legal: str,
) -> str:
    from friendshore.report.account import account
    from friendshore.world.observed import quotations

    return account(
        found,
        names=names,
        written=written,
        scenario=scenario,
        shares=parted,
        quotations=quotations(world),
        digests=digests,
        legal=legal,
    )


def _screened(found: Study, case: Case) -> Screening:
    """The legal screen on the two markets that were cleared for the account."""
    from friendshore.law.examine import examine

    return examine(
        case.world,
        case.scenario.agreement,
        as_of=case.day,
        assume=case.assume,
        shocks=case.shocks,
        before=found.outcomes["before"],
        after=found.outcomes["agreement"],
    ).screening


def _legal(screened: Screening, names: Names, agreement: str, flags: list[str]) -> str:
    from friendshore.report.legal import in_short

    command = shlex.join(["friendshore", "screen", agreement, *flags])
    return in_short(screened, lambda code: names.country.get(code, code), command)


def _circumstances(scenario: Scenario, world: World, more: str) -> str:
    """A scenario and the user's own figures in sentences; nothing where a plain agreement is run on the world as it is."""
    from friendshore.world.own_figures import sentence

    return " ".join(filter(None, (_patched(scenario), sentence(world), more)))


def _decomposed(found: Study, case: Case, by: str | None, progress: Callable[[str], None]) -> tuple[Shares | None, str]:
    """What each part of an agreement does of it, where that was asked for; or why there is no saying."""
    if by is None:
        return None, ""
    from friendshore.shares import shares

    try:
        return shares(
            case.world,
            case.scenario.agreement,
            as_of=case.day,
            assume=case.assume,
            shocks=case.shocks,
            by=cast(Any, by),
            ends=(found.outcomes["before"], found.outcomes["agreement"]),
            progress=progress,
        ), ""
    except FriendshoreError as stuck:
        return None, f"It cannot be shared out: {str(stuck).splitlines()[0]}."


def _patched(scenario: Scenario) -> str:
    if scenario.name == scenario.agreement.id:
        return ""
    shocks = [clause.id for clause in scenario.shocks.clauses]
    meanwhile = f"; in the status quo too: {', '.join(shocks)}" if shocks else ""
    return f"{scenario.name} ({scenario.digest}): {scenario.agreement.id} as patched{meanwhile}."


def _study_document(
    found: Study, world: World, digests: Mapping[str, str], parted: Shares | None, screened: Screening
) -> dict[str, Any]:
    from friendshore.report.legal import in_figures

    outcomes = {name: each.document() for name, each in found.outcomes.items()}
    own = {name: table.to_dicts() for name, table in _replaced_tables(world).items()}
    shared = {"shares": parted.document()} if parted else {}
    legal = in_figures(screened)
    return {"outcomes": outcomes, "study": found.document(), "digests": dict(digests), "legal": legal, **shared, **own}


def _replaced_tables(world: World) -> dict[str, Any]:
    """The figures that the user's own took the place of, as a table; none where there are none."""
    from friendshore.world.own_figures import replaced

    own = replaced(world)
    return {} if own.is_empty() else {"own_figures": own}


def _study_tables(found: Study) -> dict[str, Any]:
    from friendshore.report.tables import outcome_tables

    tables: dict[str, Any] = {}
    for scenario, outcome in found.outcomes.items():
        tables |= outcome_tables(scenario, outcome)
    return tables | {name: getattr(found, name) for name in found.TABLES}
