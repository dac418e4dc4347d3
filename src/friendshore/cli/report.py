"""The command `report`: a folder for a ministry."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from friendshore.cli.case import Case, case_of, digests_of
from friendshore.cli.groups import Command, app
from friendshore.cli.options import AsJson, AsOf, OwnFigures, WorldFolder, Years
from friendshore.cli.tell import Progress, emit, release, say
from friendshore.errors import NotWritten

if TYPE_CHECKING:
    from friendshore.report.publish import Published
    from friendshore.report.words import Words


@app.command("report", cls=Command, short_help="A folder for a ministry: brief, memo, workbook, page, figures, tables.")
def report_command(
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Folder for the report; an earlier report is replaced whole.")
    ],
    agreements: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[AGREEMENT|SCENARIO ...]", help="Presets' names or files; plurilateral-2026 if absent."
        ),
    ] = None,
    lang: Annotated[
        str, typer.Option("--lang", metavar="en|it|fr|de|es|ja", help="The language of the report.")
    ] = "en",
    view: Annotated[
        str | None,
        typer.Option("--view", metavar="COUNTRY", help="Whose eyes it is written for; the parties together if absent."),
    ] = None,
    as_of: AsOf = None,
    horizon: Years = None,
    parameters: OwnFigures = None,
    folder: WorldFolder = None,
    as_json: AsJson = False,
    stability: Annotated[
        bool, typer.Option("--stability/--no-stability", help="Solve nine pairs of elasticities for rank stability.")
    ] = True,
) -> None:
    """$ friendshore report plurilateral-2026 --lang it --view ITA --out report

    Write what an agreement does for those who decide on it: a brief of two pages, a memo, a workbook with live formulas, a
    page that opens from disk, every figure and every table, and a manifest with the command that reproduces them.

    Several agreements have a folder each, named for them.
    """
    from friendshore.report.publish import TABLES, check_installed
    from friendshore.report.words import Words

    check_installed()
    Words.of(lang)
    chosen = agreements or ["plurilateral-2026"]
    flags = [
        *(["--lang", lang] if lang != "en" else []),
        *(["--view", view] if view else []),
        *(["--as-of", as_of.isoformat()] if as_of else []),
        *(["--horizon", str(horizon)] if horizon else []),
        *(["--parameters", str(parameters)] if parameters else []),
        *(["--world", str(folder)] if folder else []),
        *([] if stability else ["--no-stability"]),
    ]
    from friendshore.report.tables import reason, seal, staged

    with staged(out) as stage, Progress() as progress:
        made: dict[str, Published] = {}
        about: dict[str, dict[str, Any]] = {}
        rows: dict[str, int] = {}
        try:
            for words, name in zip(chosen, _folders_of(chosen), strict=True):
                case = case_of(words, as_of, horizon, folder, parameters)
                place = stage.path / name if len(chosen) > 1 else stage.path
                place.mkdir(exist_ok=True)
                command = shlex.join(["friendshore", "report", words, *flags, "--out", out.name])
                made[name], about[name] = _report(
                    case, place, Words.of(lang, case.world), view, stability, command, progress
                )
                rows |= {
                    (place / TABLES / table).relative_to(stage.path).as_posix(): height
                    for table, height in made[name].rows.items()
                }
            alone = {"agreements": about} if len(chosen) > 1 else next(iter(about.values()))
            command = shlex.join(["friendshore", "report", *chosen, *flags, "--out", out.name])
            seal(stage, {"command": command, "friendshore": release(), **alone}, rows)
        except OSError as error:
            raise NotWritten(f"the report could not be written to '{stage.folder}': {reason(error)}") from error
    if as_json:
        from friendshore.report.publish import document

        return emit({"folder": str(stage.folder), "reports": {name: document(each) for name, each in made.items()}})
    said = [f"{each.brief.title}\n{each.brief.finding}\n" for each in made.values()]
    return say("\n".join([*said, f"The report is in {stage.folder}"]))


def _folders_of(chosen: Sequence[str]) -> list[str]:
    """A folder's name for each agreement: its own, without path and ending, and a number where two are called alike."""
    names: list[str] = []
    for words in chosen:
        stem = Path(words).stem
        alike = sum(name == stem or name.startswith(f"{stem}-") for name in names)
        names.append(f"{stem}-{alike + 1}" if alike else stem)
    return names


def _report(
    case: Case,
    place: Path,
    words: Words,
    view: str | None,
    stability: bool,
    command: str,
    progress: Callable[[str], None],
) -> tuple[Published, dict[str, Any]]:
    """One agreement's report in its folder, and what the manifest says of it."""
    from friendshore.report.brief import checked_view
    from friendshore.report.publish import write_report
    from friendshore.study import study

    checked_view(view, case.world)
    found = study(
        case.world,
        case.scenario.agreement,
        as_of=case.day,
        assume=case.assume,
        shocks=case.shocks,
        progress=progress,
        stability=stability,
    )
    digests = digests_of(case.scenario, case.world, found)
    published = write_report(
        place,
        found,
        words,
        view,
        world=case.world,
        deal=case.scenario.agreement,
        assume=case.assume,
        shocks=case.shocks,
        digests=digests,
        command=command,
        progress=progress,
    )
    about = {
        "agreement": case.scenario.name,
        "as_of": case.day.isoformat(),
        "horizon": case.assume.horizon,
        "language": words.lang,
        "view": view or "parties",
        "digests": digests,
        "world": found.world_name,
    }
    return published, about
