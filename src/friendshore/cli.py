"""The command line: the same verbs as in Python, a page for a person, one JSON document for a machine.

Results go to standard output, progress and refusals to standard error; the exit status is 0 for a full answer, 1 for a
fault of our own, 2 for input that was refused, 3 for no answer or a part of one. Libraries load with the command that
needs them.
"""

from __future__ import annotations

import json
import math
import os
import shlex
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import date
from inspect import cleandoc
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, Self, cast

import typer
from typer.core import TyperCommand, TyperGroup

from friendshore.errors import FriendshoreError, InputRefused, render

if TYPE_CHECKING:
    from friendshore.agreement.scenario import Scenario
    from friendshore.faces import Wedge
    from friendshore.report.account import Names
    from friendshore.report.publish import Published
    from friendshore.report.tables import Stage, Written
    from friendshore.report.words import Words
    from friendshore.run import Assumptions
    from friendshore.shares import Shares
    from friendshore.study import Study
    from friendshore.world.own_files import Files
    from friendshore.world.tables import World

PATIENCE_S = 0.6  # whatever takes longer says what it is doing
PLAINER = {"\u202f": " ", "→": ">", "σ": "sigma", "ε": "epsilon", "·": ";", "…": "..."}
DEBUG = "FRIENDSHORE_DEBUG"
RAW_DATA = "FRIENDSHORE_DATA"


class _Exemplified:
    """Help that opens with the example, which is the first paragraph of the docstring."""

    help: str | None

    def format_usage(self, ctx: Any, formatter: Any) -> None:
        for line in self._split()[0].splitlines():
            formatter.write(f"{line}\n")
        formatter.write_paragraph()
        super().format_usage(ctx, formatter)  # type: ignore[misc]

    def format_help_text(self, ctx: Any, formatter: Any) -> None:
        held, self.help = self.help, self._split()[1]
        try:
            super().format_help_text(ctx, formatter)  # type: ignore[misc]
        finally:
            self.help = held

    def _split(self) -> tuple[str, str]:
        example, _, text = cleandoc(self.help or "").partition("\n\n")
        return example, text


class Command(_Exemplified, TyperCommand):
    """A command whose help opens with an example."""


class Group(_Exemplified, TyperGroup):
    """The same for a group of commands."""


app = typer.Typer(
    cls=Group, rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False, no_args_is_help=True
)
world_app = typer.Typer(cls=Group, rich_markup_mode=None, no_args_is_help=True)
agreement_app = typer.Typer(cls=Group, rich_markup_mode=None, no_args_is_help=True)
app.add_typer(world_app, name="world", short_help="The base year: build, check, show, list.")
formula_app = typer.Typer(cls=Group, rich_markup_mode=None, no_args_is_help=True)
app.add_typer(formula_app, name="formula", short_help="Published formulas: GSIM, SMART, balancing, tracing.")
app.add_typer(
    agreement_app, name="agreement", short_help="Agreement files: check, text, test, diff, options, shares, list."
)


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and leave with its exit status.

    Raises
    ------
    SystemExit   0 a full answer · 1 our own fault · 2 input refused · 3 no answer or a partial one
    """
    words = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in words[:1] or os.environ.get(DEBUG, "0") not in ("", "0")
    try:
        app(args=words, prog_name="friendshore")
    except FriendshoreError as refused:
        _say(str(refused), err=True)
        sys.exit(refused.exit_status)
    except MemoryError:
        _say("friendshore: out of memory", err=True)
        sys.exit(1)
    except Exception as fault:  # noqa: BLE001 - the last line of defence: whatever it is, it is ours
        if debug:
            import traceback

            traceback.print_exc()
        _say(_our_fault(fault, words), err=True)
        sys.exit(1)
    sys.exit(0)


# -- commands ---------------------------------------------------------------------------------------------------------------


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no day; write year-month-day, such as 2030-01-01") from None


def _years(text: str) -> int:
    if text not in ("1", "5", "15"):
        raise typer.BadParameter(f"{text!r} is no horizon; elasticities are given for 1, 5 and 15 years")
    return int(text)


def _buyers(text: str) -> str:
    if text not in ("logit", "ces"):
        raise typer.BadParameter(f"{text!r} is no way of buying; write logit (tonnes add up) or ces (they do not)")
    return text


def _rounding(text: str) -> str:
    if text not in ("half_even", "half_up"):
        raise typer.BadParameter(f"{text!r} is no rounding; write half_even or half_up")
    return text


def _parts(text: str) -> str:
    if text not in ("instrument", "clause"):
        raise typer.BadParameter(f"{text!r} is nothing to share out among; write instrument or clause")
    return text


def _version(wanted: bool) -> None:
    if wanted:
        _say(f"friendshore {_release()}")
        raise typer.Exit


def _release() -> str:
    from importlib.metadata import version

    return version("friendshore")


AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]
OutFolder = Annotated[
    Path | None,
    typer.Option("--out", metavar="DIR", help="Folder for every table, as Parquet and CSV; replaced whole."),
]
WorldFolder = Annotated[
    Path | None,
    typer.Option("--world", metavar="DIR", help="A folder that `world build` wrote; the world that ships if absent."),
]
Years = Annotated[
    int | None,
    typer.Option(
        "--horizon", metavar="1|5|15", parser=_years, help="Years to adjust; 5, or the scenario's, if absent."
    ),
]


def _download(option: str, text: str) -> Any:
    """An option for a user's download; it may be given several times."""
    return typer.Option(option, metavar="FILE", help=text)


OwnFigures = Annotated[
    Path | None,
    typer.Option("--parameters", metavar="FILE", help="Your own elasticities and prices, YAML or CSV."),
]
AsOf = Annotated[
    date | None,
    typer.Option(
        "--as-of", metavar="DATE", parser=_day, help="Day whose terms are run; the agreement's own if absent."
    ),
]
Terms = Annotated[
    str, typer.Argument(metavar="AGREEMENT|SCENARIO", help="A preset's name, an agreement file or a scenario file.")
]


@app.callback()
def friendshore(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="The version, and nothing else.")
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help=f"Show where a fault of ours happened; {DEBUG}=1 does the same.")
    ] = False,
) -> None:
    """$ friendshore run plurilateral-2026 --out out

    What a critical-minerals trade agreement does, to whom, and who pays.

    Exit status: 0 a full answer, 1 a fault of ours, 2 input refused and nothing run, 3 no answer or a part of one.
    """


@app.command(cls=Command, short_help="What an agreement does, against the status quo.")
def run(
    agreement: Terms = "plurilateral-2026",
    as_of: Annotated[
        date | None,
        typer.Option(
            "--as-of", metavar="DATE", parser=_day, help="Day whose terms are run; the agreement's own if absent."
        ),
    ] = None,
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
            parser=_buyers,
            help="How buyers choose between origins; logit if absent. Under ces tonnes do not add up.",
        ),
    ] = None,
    decompose: Annotated[
        str | None,
        typer.Option(
            "--decompose",
            metavar="instrument|clause",
            parser=_parts,
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
    with _folder(out) as stage, _Progress() as progress:
        progress("reading the world and the agreement")
        world = _world_of(agreement, folder)
        scenario = _scenario(agreement, world)
        for figures in (scenario.parameters, parameters):
            world = _with_own(world, figures)
        day = as_of or scenario.as_of
        from friendshore.agreement.scenario import shock_wedges
        from friendshore.study import study

        shocks = shock_wedges(scenario, world, day)
        found = study(
            world,
            scenario.agreement,
            as_of=day,
            assume=_assumptions(scenario, horizon, sourcing),
            shocks=shocks,
            progress=progress,
            stability=stability,
        )
        parted, unparted = _decomposed(found, scenario, world, decompose, sourcing, shocks, progress)
        digests = _digests(scenario, world, found)
        progress("writing the account")
        names = _names(world)
        flags = [
            "--as-of",
            day.isoformat(),
            "--horizon",
            str(found.horizon),
            *(["--sourcing", sourcing] if sourcing else []),
            *(["--parameters", str(parameters)] if parameters else []),
            *(["--world", str(folder)] if folder else []),
            *([] if stability else ["--no-stability"]),
            *(["--decompose", decompose] if decompose else []),
        ]
        about = {
            "command": shlex.join(["friendshore", "run", agreement, *flags]),
            "agreement": scenario.name,
            "digest": scenario.digest,
            "digests": digests,
            "world": found.world_name,
            "friendshore": _release(),
        }
        _publish(
            stage,
            lambda: _study_tables(found) | _replaced_tables(world) | ({"shares": parted.table} if parted else {}),
            about,
            text=lambda written: _account(
                found, names, written, _circumstances(scenario, world, unparted), world, digests, parted
            ),
            document=(lambda: _study_document(found, world, digests, parted)) if as_json else None,
        )


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
    from friendshore.report.publish import check_installed
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
    from friendshore.report.tables import NotWritten, reason, seal, staged

    with staged(out) as stage, _Progress() as progress:
        made: dict[str, Published] = {}
        about: dict[str, dict[str, Any]] = {}
        rows: dict[str, int] = {}
        try:
            for words, name in zip(chosen, _folders_of(chosen), strict=True):
                case = _case(words, as_of, horizon, folder, parameters)
                place = stage.path / name if len(chosen) > 1 else stage.path
                place.mkdir(exist_ok=True)
                command = shlex.join(["friendshore", "report", words, *flags, "--out", out.name])
                made[name], about[name] = _report(
                    case, place, Words.of(lang, case.world), view, stability, command, progress
                )
                rows |= made[name].rows
            alone = {"agreements": about} if len(chosen) > 1 else next(iter(about.values()))
            command = shlex.join(["friendshore", "report", *chosen, *flags, "--out", out.name])
            seal(stage, {"command": command, "friendshore": _release(), **alone}, rows)
        except OSError as error:
            raise NotWritten(f"the report could not be written to '{stage.folder}': {reason(error)}") from error
    if as_json:
        from friendshore.report.publish import document

        return _emit({"folder": str(stage.folder), "reports": {name: document(each) for name, each in made.items()}})
    said = [f"{each.brief.title}\n{each.brief.finding}\n" for each in made.values()]
    return _say("\n".join([*said, f"The report is in {stage.folder}"]))


@app.command(cls=Command, short_help="Several agreements side by side: who pays under each.")
def compare(
    agreements: Annotated[
        list[str],
        typer.Argument(metavar="A B [C ...]", help="Two or more agreements or scenarios, files or shipped names."),
    ],
    as_of: AsOf = None,
    horizon: Years = None,
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
    with _Progress() as progress:
        progress("reading the world and the agreements")
        from friendshore.side_by_side import Case, side_by_side
        from friendshore.world.digest import digest

        cases = [_case(words, as_of, horizon) for words in agreements]
        if len({digest(case.world) for case in cases}) > 1:
            hint = "a scenario names a world or figures of its own: run them one by one"
            raise InputRefused.because("two-worlds", "these agreements are run on different worlds", hint=hint)
        from friendshore.downstream.tables import read_bills

        own = None if bills is None else read_bills(bills, cases[0].world.goods["id"])
        found = side_by_side(
            cases[0].world,
            [
                Case(
                    words if case.scenario.name != case.scenario.agreement.id else case.scenario.name,
                    case.scenario.agreement,
                    case.day,
                    case.assume,
                    case.shocks,
                )
                for words, case in zip(agreements, cases, strict=True)
            ],
            by_instrument=instruments,
            bills=own,
            progress=progress,
        )
    if as_json:
        return _emit(found.document())
    from friendshore.report.side_by_side import side_by_side as tables

    return _say(tables(found, _names(cases[0].world)).rstrip("\n"))


@app.command("why", cls=Command, short_help="Where a number comes from: equation, parts, clause, sources.")
def why_command(
    agreement: Terms,
    number: Annotated[
        str,
        typer.Argument(
            metavar="NUMBER", help="gain.ITA, gain_of_parties, levy_revenue, delivered.ndpr.oxide.CHN.DEU ..."
        ),
    ],
    as_of: AsOf = None,
    horizon: Years = None,
    as_json: AsJson = False,
) -> None:
    """$ friendshore why plurilateral-2026 delivered.ndpr.oxide.CHN.DEU

    Take a number of an outcome apart: the equation that it follows, the parts that add to it, the clause with its article,
    and the sources of what was read from the world.
    """
    with _Progress() as progress:
        progress("reading the world and the agreement")
        from friendshore.report.drafts import traced
        from friendshore.why import why

        case = _case(agreement, as_of, horizon)
        progress("clearing")
        found = why(case.world, case.scenario.agreement, number, as_of=case.day, assume=case.assume, shocks=case.shocks)
    return _emit(found.document()) if as_json else _say(traced(found).rstrip("\n"))


@app.command(cls=Command, short_help="Solve a network file.")
def clear(
    network: Annotated[
        Path, typer.Argument(metavar="NETWORK", help="A network file, YAML or JSON, or the folder of a built world.")
    ],
    experiment: Annotated[
        str | None,
        typer.Option("--experiment", metavar="NAME", help="One of the file's experiments; its own policies if absent."),
    ] = None,
    out: OutFolder = None,
    as_json: AsJson = False,
) -> None:
    """$ friendshore clear examples/networks/two-country-tariff.yaml

    Solve a network file and print its prices, flows and accounts.

    Latent links that the file states are on. The folder of a built world is cleared as it is: its base year, replicated.
    """
    with _folder(out) as stage, _Progress() as progress:
        progress(f"reading {network}")
        from friendshore.run import Assumptions
        from friendshore.run import clear as solve
        from friendshore.world import network as files
        from friendshore.world.tables import World

        built = network.is_dir() and experiment is None
        world = World.load(network) if built else files.read(network, experiment)
        latent = not built and bool(world.routes["latent"].any())
        progress("clearing")
        outcome = solve(world, assume=Assumptions(latent=latent), name=experiment or world.name)
        title = str(world.extras.get("title") or world.name) + (f": {experiment}" if experiment else "")
        from friendshore.report.cleared import cleared

        chosen = ["--experiment", experiment] if experiment is not None else []
        _publish(
            stage,
            lambda: {name: getattr(outcome, name) for name in outcome.TABLES},
            {
                "command": shlex.join(["friendshore", "clear", str(network), *chosen]),
                "world": outcome.world,
                "friendshore": _release(),
            },
            text=lambda written: cleared(outcome, title=title, written=written),
            document=outcome.document if as_json else None,
        )


@world_app.callback()
def world_group() -> None:
    """$ friendshore world show cobalt

    The base year: every figure with its source.
    """


@world_app.command("goods", cls=Command, short_help="The goods, by mineral and stage.")
def world_goods(folder: WorldFolder = None, as_json: AsJson = False) -> None:
    """$ friendshore world goods

    List the goods: an id for each mineral in one form, and the stage it stands at.
    """
    with _Progress() as progress:
        progress("reading the world")
        from friendshore.report.typography import grid
        from friendshore.world.tables import World

        goods = World.load(folder).goods
    if as_json:
        return _emit(goods.select("id", "mineral", "stage").to_dicts())
    return _say(
        grid(
            ["id", "mineral", "stage", "name"],
            goods.select("id", "mineral", "stage", "name").iter_rows(),
            left=4,
            indent=0,
        )
    )


@world_app.command("countries", cls=Command, short_help="The countries and remainders, with their codes.")
def world_countries(folder: WorldFolder = None, as_json: AsJson = False) -> None:
    """$ friendshore world countries

    List the countries, and the regional remainders that hold everybody else.
    """
    with _Progress() as progress:
        progress("reading the world")
        from friendshore.report.typography import grid
        from friendshore.world.tables import World

        countries = World.load(folder).countries
    if as_json:
        return _emit(countries.select("code", "name").to_dicts())
    return _say(
        grid(
            ["code", "name", "territory", "region"],
            countries.select("code", "name", "territory", "region").iter_rows(),
            left=4,
            indent=0,
        )
    )


@world_app.command("show", cls=Command, short_help="A mineral's chain, with sources.")
def world_show(
    mineral: Annotated[
        str, typer.Argument(metavar="MINERAL", help="A mineral, such as cobalt, or the id of one good.")
    ],
    folder: WorldFolder = None,
    as_json: AsJson = False,
) -> None:
    """$ friendshore world show cobalt

    Print a mineral's chain stage by stage: output, routes, use and stocks, each figure with its source and reliability.
    """
    with _Progress() as progress:
        progress("reading the world")
        from friendshore.report.listing import chain
        from friendshore.world.show import show
        from friendshore.world.tables import World

        rows = show(World.load(folder), mineral)
    return _emit(rows) if as_json else _say(chain(rows).rstrip("\n"))


@world_app.command("dependence", cls=Command, short_help="Where each stage of what a country uses was done.")
def world_dependence(
    good: Annotated[str, typer.Argument(metavar="GOOD", help="The id of a good, such as ndfeb.magnet.")],
    country: Annotated[
        str | None, typer.Option("--country", metavar="CODE", help="One country in full; all of them if absent.")
    ] = None,
    folder: WorldFolder = None,
    as_json: AsJson = False,
) -> None:
    """$ friendshore world dependence ndfeb.magnet --country ITA

    Whose ore is in whose magnet: what countries use of a good, followed back through routes and recipes to where it was
    mined, refined and made.
    """
    with _Progress() as progress:
        progress("reading the world")
        from friendshore.report.dependence import of_all, of_country
        from friendshore.world.dependence import among, dependence
        from friendshore.world.tables import World

        found = dependence(World.load(folder), good)
        if country is not None:
            found = among(found, country)
    if as_json:
        return _emit(found.to_dicts())
    return _say((of_all(found) if country is None else of_country(found, country)).rstrip("\n"))


@world_app.command("check", cls=Command, short_help="Every invariant of the world, with both numbers.")
def world_check(
    folder: WorldFolder = None,
    everything: Annotated[bool, typer.Option("--all", help="Name every estimate, not only their number.")] = False,
    as_json: AsJson = False,
) -> None:
    """$ friendshore world check

    Check every invariant of the world's tables: balances, signs, names, provenance, and our shares beside the published.
    Then list what is to be doubted though nothing fails: clipped margins, estimates, figures of unclear licence.

    Exit status 3 if one of them fails.
    """
    from dataclasses import asdict

    with _Progress() as progress:
        progress("checking")
        from friendshore.report import listing
        from friendshore.world.check import check
        from friendshore.world.doubts import doubts
        from friendshore.world.tables import World

        world = World.load(folder)
        found, doubted = check(world), doubts(world)
    if as_json:
        _emit({"checks": [asdict(item) for item in found], "doubts": [asdict(item) for item in doubted]})
    else:
        _say(listing.checks(found, listing.doubts(doubted, everything=everything)).rstrip("\n"))
    if not all(item.ok for item in found):
        raise typer.Exit(3)


@world_app.command("missing", cls=Command, short_help="Every default in use, by its rule.")
def world_missing(
    folder: WorldFolder = None,
    parameters: OwnFigures = None,
    everything: Annotated[bool, typer.Option("--all", help="Print every rule of every kind.")] = False,
    as_json: AsJson = False,
) -> None:
    """$ friendshore world missing

    List every figure that a rule or an assumption stands in for: elasticities, margins and costs, capacities, freight,
    duties, contents, choke multiples, tonnes; by kind and rule, counted, with what would replace it.

    With --parameters it lists what is left to default once your own figures are in.
    """
    from dataclasses import asdict

    with _Progress() as progress:
        progress("looking for defaults")
        from friendshore.report.listing import RULES, defaults
        from friendshore.world.missing import missing
        from friendshore.world.tables import World

        found = missing(_with_own(World.load(folder), parameters))
    if as_json:
        return _emit([asdict(group) for group in found])
    return _say(defaults(found, rules=None if everything else RULES).rstrip("\n"))


@world_app.command("build", cls=Command, short_help="Rebuild the world from raw data.")
def world_build(
    raw: Annotated[
        Path | None,
        typer.Argument(
            metavar="RAW",
            envvar=RAW_DATA,
            show_envvar=True,
            help="The folder of raw data, with the publishers' files.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Folder for the tables; if absent those that ship are replaced."),
    ] = None,
    sector: Annotated[
        list[Path] | None,
        typer.Option("--sector", metavar="DIR", help="A sector of your own, beside those that ship; may be repeated."),
    ] = None,
    baci: Annotated[list[Path] | None, _download("--baci", "A year of CEPII BACI: t,i,j,k,v,q.")] = None,
    comtrade: Annotated[list[Path] | None, _download("--comtrade", "A UN Comtrade download, CSV or JSON.")] = None,
    wits: Annotated[list[Path] | None, _download("--wits", "A WITS export by HS6 product.")] = None,
    usgs: Annotated[list[Path] | None, _download("--usgs", "World data of the USGS commodity summaries.")] = None,
    pink_sheet: Annotated[list[Path] | None, _download("--pink-sheet", "The World Bank's Pink Sheet, xlsx.")] = None,
    year: Annotated[
        str | None, typer.Option("--year", metavar="YEAR", help="Year to take from files that hold several.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """$ friendshore world build --baci BACI_HS17_Y2024_V202601.csv --out world

    Make a world of your own: take the world that ships, put what your downloads cover in the place of its figures, and
    balance it anew. No other data are needed. With RAW instead, rebuild every table from a folder of publishers' files.

    Exit status 3 if the tables are written but miss an invariant.
    """
    from dataclasses import asdict

    from friendshore.world.own_files import Files

    held = {"baci": baci, "comtrade": comtrade, "wits": wits, "usgs": usgs, "pink_sheet": pink_sheet}
    files = Files(year=year, **{name: tuple(paths or ()) for name, paths in held.items()})
    if files and sector:
        hint = "build it from RAW, with the publishers' files, or leave the downloads out"
        raise InputRefused.because("two-ways", "a sector is not built from downloads", path="--sector", hint=hint)
    if files:
        _build_own(files, out, as_json)
        return
    if raw is None:
        hint = f"name a download (--baci FILE ...), or the folder: friendshore world build RAW, or set {RAW_DATA}"
        raise InputRefused.because("no-raw-data", "no folder of raw data was named", path="RAW", hint=hint)
    with _Progress() as progress:
        progress(f"building the world from {raw}")
        from friendshore.world.build import build
        from friendshore.world.tables import PACKAGED

        if sector and out is None:
            hint = "name another folder with --out: what ships holds the shipped sectors alone"
            raise InputRefused.because(
                "no-folder", "a sector of your own needs a folder of its own", path="--out", hint=hint
            )
        target = out or PACKAGED
        report = build(raw, target, _plan(sector))
    if as_json:
        _emit(asdict(report))
    else:
        _say(
            f"{report.countries} countries, {report.activities} activities, {report.routes} routes in {report.seconds:.1f} s "
            f"({report.steps} steps, residual {report.residual:.2g} t)\n"
            f"{report.shares_bound} shares bind, {report.conflicts} of them conflicts; {len(report.shares_missed)} missed; "
            f"{len(report.failed)} invariants fail\n"
            f"written to {target}"
        )
        for line in (*report.shares_missed, *report.failed):
            _say(f"  {line}")
    if report.failed or report.shares_missed:
        raise typer.Exit(3)


def _plan(sector: list[Path] | None) -> tuple[Path, ...] | None:
    if not sector:
        return None
    from friendshore.world.plan_tables import beside_those_that_ship

    return beside_those_that_ship(sector)


def _build_own(files: Files, out: Path | None, as_json: bool) -> None:
    """A world of the user's own, from downloads."""
    from friendshore.report.own_data import built, built_document
    from friendshore.world import own_files
    from friendshore.world.tables import World

    if out is None:
        hint = "name a folder: --out DIR; the world that ships stays as it is"
        raise InputRefused.because("no-folder", "where should the world be written?", path="--out", hint=hint)
    with _Progress() as progress:
        progress("reading the files")
        report = own_files.build(files, out, World.load())
    _emit(built_document(report)) if as_json else _say(built(report, str(out)))
    if report.failed:
        raise typer.Exit(3)


@world_app.command("diff", cls=Command, short_help="What moved between two worlds.")
def world_diff(
    before: Annotated[Path, typer.Argument(metavar="A", help="A world's folder; '-' is the world that ships.")],
    after: Annotated[Path, typer.Argument(metavar="B", help="The other world's folder, or '-'.")],
    as_json: AsJson = False,
) -> None:
    """$ friendshore world diff - world

    List what moved between two worlds: goods, countries, flows, levels, use, stocks and prices, with tonnes and per cent,
    the largest first, and sums by good.
    """
    from friendshore.report.own_data import moved as page
    from friendshore.world.moved import moved
    from friendshore.world.tables import World

    with _Progress() as progress:
        progress("comparing")
        found = moved(*(World.load(None if str(folder) == "-" else folder) for folder in (before, after)))
    return _emit(found.document()) if as_json else _say(page(found))


Schedules = Annotated[
    list[Path] | None,
    typer.Option("--tariff", metavar="FILE", help="Measures of your own (CSV), in place of the shipped ones."),
]
ExchangeRates = Annotated[
    Path | None, typer.Option("--rates", metavar="FILE", help="Exchange rates: CSV with currency, day, usd, source.")
]
Layout = Annotated[
    str,
    typer.Option("--layout", metavar="NAME", help="national, entry_summary or wco; found by the columns if absent."),
]
Halves = Annotated[
    str,
    typer.Option("--rounding", metavar="half_even|half_up", parser=_rounding, help="Where a half of a cent goes."),
]
Charged = Annotated[
    str | None,
    typer.Option("--agreement", "-A", metavar="AGREEMENT", help="A preset or file; the schedules alone if absent."),
]


@app.command(cls=Command, short_help="What customs entries owe: a file of them, or one.")
def assess(
    file: Annotated[
        Path | None, typer.Argument(metavar="ENTRIES", help="Entries: .csv, .parquet or .jsonl; none with --one.")
    ] = None,
    agreement: Charged = None,
    as_of: Annotated[
        date | None,
        typer.Option(
            "--as-of", metavar="DATE", parser=_day, help="Law of this day for every line; of its own day if absent."
        ),
    ] = None,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="Assessed lines, .csv or .parquet.")] = Path(
        "assessed.csv"
    ),
    refused: Annotated[
        Path, typer.Option("--refused", metavar="FILE", help="Refused lines and why, .csv or .parquet.")
    ] = Path("refused.csv"),
    one: Annotated[
        str | None,
        typer.Option("--one", metavar="FIELDS", help='One line: "importer=USA origin=CHN hs=8505110070 ...".'),
    ] = None,
    notice: Annotated[bool, typer.Option("--notice", help="With --one: the notice for the trader.")] = False,
    tariff: Schedules = None,
    rates: ExchangeRates = None,
    layout: Layout = "",
    rounding: Halves = "half_even",
    as_json: AsJson = False,
) -> None:
    """$ friendshore assess entries.csv --agreement plurilateral-2026 --out assessed.csv --refused refused.csv

    Say what each entry owes: customs value, base duty with its options, additional duties, levy; with reasons and warnings
    as codes. What cannot be assessed is written apart, with what is missing and who can supply it. In = assessed + refused.

    Exit status 3 if a line was refused.
    """
    from friendshore.report import border as page

    if (file is None) == (one is None):
        raise typer.BadParameter("give a file of entries, or one line with --one", param_hint="ENTRIES")
    with _Progress() as progress:
        progress("reading schedules and agreement")
        rules = _law(agreement, as_of, tariff, rates)
        from friendshore.border import assess as border
        from friendshore.border.line import assess_line

        if one is not None:
            entry = border.read_one(_fields(one))
            found = entry if isinstance(entry, tuple) else assess_line(entry, rules, cast(Any, rounding))
        else:
            assert file is not None
            summed = border.assess_file(
                file,
                rules,
                out,
                refused,
                rounding=cast(Any, rounding),
                layout=layout,
                said=progress,
            )
    if one is not None:
        return _one_line(found, "1", notice=notice, as_json=as_json)
    _emit(page.totals_document(summed)) if as_json else _say(page.totals(summed, str(out), str(refused)).rstrip("\n"))
    if not summed.whole:
        raise typer.Exit(3)
    return None


@app.command(cls=Command, short_help="Why one entry owes what it owes: options, working, reasons.")
def explain(
    file: Annotated[Path, typer.Argument(metavar="ENTRIES", help="Entries: .csv, .parquet or .jsonl.")],
    line: Annotated[str, typer.Option("--line", metavar="N", help="The line's id, or its number in the file.")],
    agreement: Charged = None,
    as_of: Annotated[
        date | None,
        typer.Option("--as-of", metavar="DATE", parser=_day, help="Law of this day; of the line's own day if absent."),
    ] = None,
    notice: Annotated[bool, typer.Option("--notice", help="The notice for the trader.")] = False,
    tariff: Schedules = None,
    rates: ExchangeRates = None,
    layout: Layout = "",
    rounding: Halves = "half_even",
    as_json: AsJson = False,
) -> None:
    """$ friendshore explain entries.csv --line US-01 --agreement plurilateral-2026

    Show every lawful option of one line, the cheapest first, and its working as data, calculation and value, with article,
    reasons and warnings. Where a fact is missing, it is named with who can supply it, and no total is shown.

    Exit status 3 without a total.
    """
    with _Progress() as progress:
        progress("reading schedules and agreement")
        rules = _law(agreement, as_of, tariff, rates)
        from friendshore.border.assess import find

        progress(f"reading {file}")
        found = find(file, line, rules, rounding=cast(Any, rounding), layout=layout)
    return _one_line(found, line, notice=notice, as_json=as_json)


def _law(agreement: str | None, as_of: date | None, tariffs: list[Path] | None, rates: Path | None) -> Any:
    """What says how much a line owes: schedules, and the agreement where one is named."""
    from importlib.util import find_spec

    if find_spec("ibis") is None or find_spec("duckdb") is None:
        hint = 'pip install "friendshore[border]"'
        raise InputRefused.because(
            "no-extra", "entries are assessed with DuckDB and Ibis, which are not here", hint=hint
        )
    from friendshore import customs
    from friendshore.world.tables import World

    world = _world_of(agreement) if agreement else World.load()
    deal = _scenario(agreement, world).agreement if agreement else None
    return customs.law(world, deal, as_of=as_of, tariffs=tariffs or (), rates=rates)


def _fields(text: str) -> dict[str, str]:
    """`name=value` words as a mapping."""
    words = [word.partition("=") for word in shlex.split(text)]
    if wrong := [name for name, sign, _ in words if not sign]:
        raise InputRefused.because("no-field", f"{wrong[0]!r} is no field", path="--one", hint="write name=value")
    return {name: value for name, _, value in words}


def _one_line(found: Any, line: str, *, notice: bool, as_json: bool) -> None:
    """A line's page, notice or document; exit status 3 where there is no total."""
    from friendshore.report import border as page

    faulty = isinstance(found, tuple)
    if as_json:
        faults = [{"code": each.code, "field": each.field, "value": each.value} for each in found] if faulty else []
        _emit({"line": line, "faults": faults} if faulty else page.document(found))
    elif notice:
        _say(page.notice(found, line).rstrip("\n"))
    else:
        _say((page.faulty(found, line) if faulty else page.explanation(found)).rstrip("\n"))
    if faulty or found.refusal:
        raise typer.Exit(3)


@agreement_app.callback()
def agreement_group() -> None:
    """$ friendshore agreement check deal.yaml

    Agreement files: whether they are sound, what they say, what changed between two, what is open and what it would do,
    which ones ship, and a schema for editors.
    """


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
        _download("--rates", "Your own bound and applied rates: a download of the WTO, WITS or the US HTS."),
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
        _emit(found.document()) if as_json else _say(screening(found, str, shipped_obligations()).rstrip("\n"))
        if failures:
            _say("\n".join(failures), err=True)
            raise typer.Exit(3)
        return None
    with _Progress() as progress:
        progress("reading the world and the agreement")
        case = _case(agreement, as_of, horizon)
        held = None
        if rates:
            from friendshore.law.screen.commitments import shipped
            from friendshore.law.screen.tariffs import read_tariffs, with_rates

            files = [read_tariffs(path) for path in rates]
            for file in files:
                _say("\n".join(filter(None, [file.words(), render(file.refused)])), err=True)
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
        names = _names(case.world)
        if note is not None:
            write_note(found, lambda code: names.country.get(code, code), note)
    if as_json:
        return _emit(found.document())
    return _say(
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
    with _Progress() as progress:
        progress("reading the world and the agreement")
        from friendshore.law.repair import repair as repaired
        from friendshore.law.repair import scenario_text
        from friendshore.report.legal import frontier

        case = _case(agreement, as_of, horizon)
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
        names = _names(case.world)
    if write is not None:
        packages = {package.id: package for package in found.packages}
        if write not in packages:
            hint = "the packages are " + ", ".join(packages)
            raise InputRefused.because("unknown-package", f"no package is called {write!r}", path="--write", hint=hint)
        return _say(scenario_text(agreement, packages[write].patches).rstrip("\n"))
    if as_json:
        return _emit(found.document())
    return _say(frontier(found, lambda code: names.country.get(code, code)).rstrip("\n"))


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
    with _Progress() as progress:
        progress(f"reading {agreement}")
        from friendshore.agreement.schedule import levels
        from friendshore.report.listing import terms, terms_document
        from friendshore.world.tables import World

        world = World.load(folder)
        scenario = _scenario(agreement, world)
        found = levels(scenario.agreement, world, scenario.as_of)
    if as_json:
        return _emit(terms_document(scenario, found))
    return _say(terms(scenario, found))


@agreement_app.command("list", cls=Command, short_help="The agreements and scenarios that ship.")
def agreement_list(as_json: AsJson = False) -> None:
    """$ friendshore agreement list

    List what ships, a line each: the reference design and its variants from the public record, single instruments for
    teaching, no agreement at all; then scenarios with shocks from the record.
    """
    with _Progress() as progress:
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
        return _emit(rows)
    tables = [
        grid(
            [what, "title"],
            [[str(row["id"]), str(row["title"])] for row in rows if row["kind"] == what],
            left=2,
            indent=0,
        )
        for what in ("agreement", "scenario")
    ]
    return _say("\n\n".join(tables))


@agreement_app.command("test", cls=Command, short_help="The worked examples of a file, each with its working.")
def agreement_test(agreement: Terms, as_json: AsJson = False) -> None:
    """$ friendshore agreement test plurilateral-2026

    Charge the worked examples of an agreement by its own duties, in exact decimals, and show data, calculation and value.

    Exit status 3 if one does not come out as written.
    """
    from friendshore.agreement.schedule import examples
    from friendshore.report.drafts import worked, worked_document

    world = _world_of(agreement)
    scenario = _scenario(agreement, world)
    found = examples(scenario.agreement, world)
    if as_json:
        _emit({"id": scenario.agreement.id, "digest": scenario.agreement.digest, "examples": worked_document(found)})
    else:
        _say(worked(scenario.agreement.id, found).rstrip("\n"))
    if not all(each.holds for each in found):
        raise typer.Exit(3)


@agreement_app.command("text", cls=Command, short_help="A file as the prose of a treaty, in Markdown.")
def agreement_text(agreement: Terms) -> None:
    """$ friendshore agreement text plurilateral-2026 > agreement.md

    Render an agreement as prose, article by article, with links between articles and to sources. Nothing is left out, and
    what is illustrative is marked.
    """
    from friendshore.agreement.text import text

    world = _world_of(agreement)
    deal = _scenario(agreement, world).agreement
    return _say(text(deal, goods=dict(world.goods.select("id", "name").iter_rows())).rstrip("\n"))


@agreement_app.command("diff", cls=Command, short_help="What changed between two texts, and what each change does.")
def agreement_diff(
    before: Terms,
    after: Terms,
    as_of: AsOf = None,
    horizon: Years = None,
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

        world = _world_of(after)
        changes = diff(_scenario(before, world).agreement, _scenario(after, world).agreement)
        return (
            _emit([{**asdict(each), "words": each.words} for each in changes])
            if as_json
            else _say(changed(changes).rstrip("\n"))
        )
    with _Progress() as progress:
        progress("reading the world and the texts")
        from friendshore.effects import effects

        case = _case(after, as_of, horizon)
        earlier = _scenario(before, case.world).agreement
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
        return _emit(found.document() | {"horizon": case.assume.horizon})
    return _say(f"{comparison(found).rstrip()}\n\n{legal_changes(found)}\n\n{_horizon(case).capitalize()}.")


@agreement_app.command("options", cls=Command, short_help="The alternatives in brackets, run and ranked.")
def agreement_options(
    agreement: Terms,
    as_of: AsOf = None,
    horizon: Years = None,
    as_json: AsJson = False,
) -> None:
    """$ friendshore agreement options plurilateral-2026-options

    Run every combination of an agreement's bracketed alternatives and rank them by its objective: least cost to the
    parties where it states none.

    Exit status 3 if an alternative has no answer.
    """
    with _Progress() as progress:
        progress("reading the world and the agreement")
        from friendshore.matrix import matrix
        from friendshore.report.drafts import ranking

        case = _case(agreement, as_of, horizon)
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
        _emit(found.document() | {"horizon": case.assume.horizon})
    else:
        _say(f"{ranking(found).rstrip()}\n\n{_horizon(case).capitalize()}.")
    if found.unanswered:
        raise typer.Exit(3)


@agreement_app.command("shares", cls=Command, short_help="What each instrument does of it: who pays for which.")
def agreement_shares(
    agreement: Terms,
    by: Annotated[
        str, typer.Option("--by", metavar="instrument|clause", parser=_parts, help="What it is shared out among.")
    ] = "instrument",
    as_of: AsOf = None,
    horizon: Years = None,
    as_json: AsJson = False,
) -> None:
    """$ friendshore agreement shares plurilateral-2026 --by clause

    Share out what an agreement changes among its instruments, so that the shares add up: every headline figure, every
    party, every group. Exact up to eight parts, by orders drawn at random above, with standard errors.
    """
    with _Progress() as progress:
        progress("reading the world and the agreement")
        from friendshore.report.sharing import shares_account
        from friendshore.shares import shares

        case = _case(agreement, as_of, horizon)
        found = shares(
            case.world,
            case.scenario.agreement,
            as_of=case.day,
            assume=case.assume,
            shocks=case.shocks,
            by=cast(Any, by),
            progress=progress,
        )
    if as_json:
        return _emit(found.document() | {"horizon": case.assume.horizon})
    deal = case.scenario.agreement
    heading = (
        f"{deal.title} ({deal.digest}), terms of {case.day}, {_horizon(case)}, against the status quo of that day."
    )
    return _say(shares_account(found, _names(case.world), found.parties, heading).rstrip("\n"))


@agreement_app.command("votes", cls=Command, short_help="Who can block, how much each vote counts, what is due when.")
def agreement_votes(
    agreement: Terms,
    as_of: Annotated[
        date | None,
        typer.Option("--as-of", metavar="DATE", parser=_day, help="Day of the vote; the agreement's own if absent."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """$ friendshore agreement votes deal.yaml --as-of 2028-01-01

    Evaluate the governance of an agreement for the parties bound on a day: every decision rule with the power of each
    vote (Banzhaf, Shapley-Shubik) and who can block, and the deadlines of each procedure opened on that day.
    """
    from friendshore.agreement.governance import calendar, power
    from friendshore.report.votes import document, votes

    world = _world_of(agreement)
    scenario = _scenario(agreement, world)
    deal, day = scenario.agreement, as_of or scenario.as_of
    powers, deadlines = power(deal, world, day), calendar(deal, day)
    if as_json:
        return _emit({"id": deal.id, "as_of": day.isoformat(), **document(powers, deadlines)})
    return _say(votes(f"{deal.title}, on {day.isoformat()}", powers, deadlines).rstrip("\n"))


@agreement_app.command("schema", cls=Command, short_help="The JSON Schema of an agreement file.")
def agreement_schema() -> None:
    """$ friendshore agreement schema > agreement.schema.json

    Print the JSON Schema of an agreement file, for an editor to check and complete as you write.
    """
    from friendshore.agreement.document import schema

    _say(json.dumps(schema(), indent=2))


@formula_app.callback()
def formula_group() -> None:
    """$ friendshore formula gsim examples/formulas/gsim.yaml

    Published formulas on small files of figures. They solve no market.
    """


FormulaFile = Annotated[Path, typer.Argument(metavar="FILE", help="A file of the formula, YAML or JSON.")]


@formula_app.command("gsim", cls=Command, short_help="GSIM's linear form of a change of tariffs.")
def formula_gsim(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Tables by region, or a network file with base flows.")],
    experiment: Annotated[
        str | None, typer.Option("--experiment", metavar="NAME", help="One of the network file's experiments.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """$ friendshore formula gsim examples/formulas/gsim.yaml

    What a change of ad valorem tariffs does to prices, trade and welfare of one industry, by GSIM's linear form.
    """
    from friendshore.formula import gsim

    return _tell(gsim(file, experiment), as_json)


@formula_app.command("smart", cls=Command, short_help="SMART's trade creation and diversion.")
def formula_smart(file: FormulaFile, as_json: AsJson = False) -> None:
    """$ friendshore formula smart examples/formulas/smart.yaml

    Trade created and diverted where one supplier's tariff is cut, foreign prices standing still.
    """
    from friendshore.formula import smart

    return _tell(smart(file), as_json)


@formula_app.command("ras", cls=Command, short_help="A table fitted to its margins, cells bounded.")
def formula_ras(file: FormulaFile, as_json: AsJson = False) -> None:
    """$ friendshore formula ras examples/formulas/ras.yaml

    Fit a table to totals of rows and columns, nearest in shape, no cell above its bound.
    """
    from friendshore.formula import ras

    return _tell(ras(file), as_json)


@formula_app.command("balance", cls=Command, short_help="Figures fitted to identities, weighed by their errors.")
def formula_balance(file: FormulaFile, as_json: AsJson = False) -> None:
    """$ friendshore formula balance examples/formulas/balance.yaml

    The figures nearest to those reported that satisfy identities, each weighed by its standard error.
    """
    from friendshore.formula import balance

    return _tell(balance(file), as_json)


@formula_app.command("trace", cls=Command, short_help="Dispatch replaced by origin.")
def formula_trace(file: FormulaFile, as_json: AsJson = False) -> None:
    """$ friendshore formula trace examples/formulas/trace.yaml

    Who made what a country uses, when some of it came through third countries.
    """
    from friendshore.formula import trace

    return _tell(trace(file), as_json)


# -- from words to values ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Case:
    """Everything that is run: a world, the text, the day, the assumptions and the shocks."""

    world: World
    scenario: Scenario
    day: date
    assume: Assumptions
    shocks: tuple[Wedge, ...]


def _world_of(words: str, folder: Path | None = None) -> World:
    """The world of a folder, else the one that a scenario names, else the one that ships."""
    from friendshore.agreement.scenario import stated_world
    from friendshore.world.tables import World

    return World.load(folder) if folder is not None else stated_world(words) or World.load()


def _case(
    words: str, as_of: date | None, horizon: int | None, folder: Path | None = None, figures: Path | None = None
) -> _Case:
    from friendshore.agreement.scenario import shock_wedges

    world = _world_of(words, folder)
    scenario = _scenario(words, world)
    for own in (scenario.parameters, figures):
        world = _with_own(world, own)
    day = as_of or scenario.as_of
    return _Case(world, scenario, day, _assumptions(scenario, horizon, None), shock_wedges(scenario, world, day))


def _folders_of(chosen: Sequence[str]) -> list[str]:
    """A folder's name for each agreement: its own, without path and ending, and a number where two are called alike."""
    names: list[str] = []
    for words in chosen:
        stem = Path(words).stem
        alike = sum(name == stem or name.startswith(f"{stem}-") for name in names)
        names.append(f"{stem}-{alike + 1}" if alike else stem)
    return names


def _report(
    case: _Case,
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
    digests = _digests(case.scenario, case.world, found)
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


def _horizon(case: _Case) -> str:
    """The years that a case gives markets to adjust, as every page says them."""
    from friendshore.report.typography import counted

    return f"horizon {counted(case.assume.horizon, 'year')}"


def _scenario(words: str, world: World) -> Scenario:
    """The scenario that a preset's name or a file stands for; what is odd about it goes to standard error."""
    from friendshore.agreement.scenario import Scenario

    scenario = Scenario.load(words, world)
    if scenario.agreement.warnings:
        _say(render(scenario.agreement.warnings), err=True)
    return scenario


def _assumptions(scenario: Scenario, horizon: int | None, sourcing: str | None) -> Assumptions:
    from friendshore.run import Assumptions

    asked = {"horizon": horizon, "sourcing": sourcing}
    return Assumptions(**scenario.assume.model_dump() | {key: said for key, said in asked.items() if said is not None})


def _names(world: World) -> Names:
    from friendshore.report.account import Names

    unions = dict(world.territories.select("code", "name").iter_rows())
    return Names(
        country=unions | dict(world.countries.select("code", "name").iter_rows()),
        union={c: t for c, t in world.countries.select("code", "territory").iter_rows() if c != t},
    )


def _account(
    found: Study,
    names: Names,
    written: Written | None,
    scenario: str,
    world: World,
    digests: Mapping[str, str],
    parted: Shares | None,
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
    )


def _circumstances(scenario: Scenario, world: World, more: str) -> str:
    """A scenario and the user's own figures in sentences; nothing where a plain agreement is run on the world as it is."""
    from friendshore.world.own_figures import sentence

    return " ".join(filter(None, (_patched(scenario), sentence(world), more)))


def _digests(scenario: Scenario, world: World, found: Study) -> dict[str, str]:
    """Twelve digits for the text, the scenario, the figures of the world, and every figure of the status quo and the run."""
    from friendshore.agreement.document import digest
    from friendshore.world.digest import digest as figures

    return {
        "agreement": scenario.agreement.digest,
        "scenario": scenario.digest,
        "world": figures(world),
        "result": digest([found.outcomes[name].digest for name in ("before", "agreement")]),
    }


def _decomposed(
    found: Study,
    scenario: Scenario,
    world: World,
    by: str | None,
    sourcing: str | None,
    shocks: tuple[Wedge, ...],
    progress: Callable[[str], None],
) -> tuple[Shares | None, str]:
    """What each part of an agreement does of it, where that was asked for; or why there is no saying."""
    if by is None:
        return None, ""
    from friendshore.shares import shares

    try:
        return shares(
            world,
            scenario.agreement,
            as_of=found.as_of,
            assume=_assumptions(scenario, found.horizon, sourcing),
            shocks=shocks,
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


def _study_document(found: Study, world: World, digests: Mapping[str, str], parted: Shares | None) -> dict[str, Any]:
    outcomes = {name: each.document() for name, each in found.outcomes.items()}
    own = {name: table.to_dicts() for name, table in _replaced_tables(world).items()}
    shared = {"shares": parted.document()} if parted else {}
    return {"outcomes": outcomes, "study": found.document(), "digests": dict(digests), **shared, **own}


def _replaced_tables(world: World) -> dict[str, Any]:
    """The figures that the user's own took the place of, as a table; none where there are none."""
    from friendshore.world.own_figures import replaced

    own = replaced(world)
    return {} if own.is_empty() else {"own_figures": own}


def _with_own(world: World, figures: Path | None) -> World:
    if figures is None:
        return world
    from friendshore.world.own_figures import with_parameters

    return with_parameters(world, figures)


def _study_tables(found: Study) -> dict[str, Any]:
    from friendshore.report.tables import outcome_tables

    tables: dict[str, Any] = {}
    for scenario, outcome in found.outcomes.items():
        tables |= outcome_tables(scenario, outcome)
    return tables | {name: getattr(found, name) for name in found.TABLES}


# -- what goes out ----------------------------------------------------------------------------------------------------------


def _folder(out: Path | None) -> AbstractContextManager[Stage | None]:
    """A folder that takes the name `out` once it is filled; refused now if that will not do."""
    if out is None:
        return nullcontext()
    from friendshore.report.tables import staged

    return staged(out)


def _publish(
    stage: Stage | None,
    tables: Callable[[], dict[str, Any]],
    about: Mapping[str, Any],
    *,
    text: Callable[[Written | None], str],
    document: Callable[[], Any] | None,
) -> None:
    """Put the tables into their folder, then print the text, or the document where one is asked for.

    Raises
    ------
    NotWritten   the answer was printed, but its tables could not be put into the folder
    """
    failed: FriendshoreError | None = None
    written: Written | None = None
    if stage is not None:
        from friendshore.report.tables import NotWritten, promised, put

        made = tables()
        written = promised(stage, made)
        try:
            put(stage, made, about, account=text(written))
        except NotWritten as error:
            failed, written = error, None
    if document is not None:
        _emit(document())
    else:
        _say(text(written).rstrip("\n"))
    if failed is not None:
        raise failed


def _emit(document: Any) -> None:
    """One JSON document; what is not a finite number is null."""
    _say(json.dumps(_plain(document), allow_nan=False))


def _plain(value: Any) -> Any:
    """JSON values only.

    >>> _plain({"usd_t": float("inf"), "on": date(2030, 1, 1), "codes": ("USA", 1)})
    {'usd_t': None, 'on': '2030-01-01', 'codes': ['USA', 1]}
    """
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, str | int):
        return value
    return value.isoformat() if isinstance(value, date) else str(value)


def _tell(document: Mapping[str, Any], as_json: bool) -> None:
    """A formula's document as text, or as it is."""
    from friendshore.report.formula import told

    return _emit(document) if as_json else _say(told(document).rstrip("\n"))


def _say(text: str, *, err: bool = False) -> None:
    """Print; in an encoding without thin spaces and Greek, plainer; to a reader who has left, nothing."""
    stream = sys.stderr if err else sys.stdout
    try:
        try:
            print(text, file=stream, flush=True)
        except UnicodeEncodeError:
            plain = text.translate({ord(mark): word for mark, word in PLAINER.items()})
            encoding = stream.encoding or "ascii"
            print(plain.encode(encoding, "replace").decode(encoding), file=stream, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _our_fault(fault: BaseException, words: Sequence[str]) -> str:
    last = fault.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    where = f" ({Path(last.tb_frame.f_code.co_filename).name}:{last.tb_lineno})" if last is not None else ""
    again = shlex.join(["friendshore", "--debug", *(word for word in words if word != "--debug")])
    return (
        f"A fault of ours, not of your input: {type(fault).__name__}: {fault}{where}\n"
        f"Please report it with your files and what this prints: {again}"
    )


class _Progress:
    """Says on standard error what is being done, once it has taken more than a moment."""

    def __enter__(self) -> Self:
        self._began = time.perf_counter()
        self._text, self._late, self._lock = "", False, threading.Lock()
        self._timer = threading.Timer(PATIENCE_S, self._speak)
        self._timer.daemon = True
        self._timer.start()
        return self

    def __call__(self, text: str) -> None:
        with self._lock:
            self._text = text
            if self._late:
                self._print()

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        with self._lock:
            self._text = ""

    def _speak(self) -> None:
        with self._lock:
            self._late = True
            self._print()

    def _print(self) -> None:
        if self._text:
            _say(f"{time.perf_counter() - self._began:5.1f} s  {self._text} ...", err=True)


if __name__ == "__main__":
    main()
