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
from datetime import date
from inspect import cleandoc
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, Self

import typer
from typer.core import TyperCommand, TyperGroup

from friendshore.errors import FriendshoreError, InputRefused, render

if TYPE_CHECKING:
    from friendshore.agreement.scenario import Scenario
    from friendshore.report.account import Names
    from friendshore.report.tables import Stage, Written
    from friendshore.run import Assumptions
    from friendshore.study import Study
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
app.add_typer(agreement_app, name="agreement", short_help="Agreement files: check, list, schema.")


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
    horizon: Annotated[
        int | None,
        typer.Option(
            "--horizon", metavar="1|5|15", parser=_years, help="Years to adjust; 5, or the scenario's, if absent."
        ),
    ] = None,
    out: OutFolder = None,
    as_json: AsJson = False,
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
        from friendshore.world.tables import World

        world = World.load()
        scenario = _scenario(agreement, world)
        day = as_of or scenario.as_of
        from friendshore.agreement.scenario import shock_wedges
        from friendshore.study import study

        shocks = shock_wedges(scenario, world, day)
        found = study(
            world,
            scenario.agreement,
            as_of=day,
            assume=_assumptions(scenario, horizon),
            shocks=shocks,
            progress=progress,
            stability=stability,
        )
        progress("writing the account")
        names = _names(world)
        flags = [
            "--as-of",
            day.isoformat(),
            "--horizon",
            str(found.horizon),
            *([] if stability else ["--no-stability"]),
        ]
        about = {
            "command": shlex.join(["friendshore", "run", agreement, *flags]),
            "agreement": scenario.name,
            "digest": scenario.digest,
            "world": found.world_name,
            "friendshore": _release(),
        }
        _publish(
            stage,
            lambda: _study_tables(found),
            about,
            text=lambda written: _account(found, names, written, _circumstances(scenario)),
            document=(lambda: _study_document(found)) if as_json else None,
        )


@app.command(cls=Command, short_help="Solve a network file.")
def clear(
    network: Annotated[Path, typer.Argument(metavar="NETWORK", help="A network file, YAML or JSON.")],
    experiment: Annotated[
        str | None,
        typer.Option("--experiment", metavar="NAME", help="One of the file's experiments; its own policies if absent."),
    ] = None,
    out: OutFolder = None,
    as_json: AsJson = False,
) -> None:
    """$ friendshore clear examples/networks/two-country-tariff.yaml

    Solve a network file and print its prices, flows and accounts.

    Latent links that the file states are on.
    """
    with _folder(out) as stage, _Progress() as progress:
        progress(f"reading {network}")
        from friendshore.run import Assumptions
        from friendshore.run import clear as solve
        from friendshore.world import network as files

        world = files.read(network, experiment)
        progress("clearing")
        outcome = solve(
            world, assume=Assumptions(latent=bool(world.routes["latent"].any())), name=experiment or world.name
        )
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
def world_goods(as_json: AsJson = False) -> None:
    """$ friendshore world goods

    List the goods: an id for each mineral in one form, and the stage it stands at.
    """
    from friendshore.report.typography import grid
    from friendshore.world.tables import World

    goods = World.load().goods
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
def world_countries(as_json: AsJson = False) -> None:
    """$ friendshore world countries

    List the countries, and the regional remainders that hold everybody else.
    """
    from friendshore.report.typography import grid
    from friendshore.world.tables import World

    countries = World.load().countries
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
    as_json: AsJson = False,
) -> None:
    """$ friendshore world show cobalt

    Print a mineral's chain stage by stage: output, routes, use and stocks, each figure with its source and reliability.
    """
    from friendshore.report.listing import chain
    from friendshore.world.show import show
    from friendshore.world.tables import World

    rows = show(World.load(), mineral)
    return _emit(rows) if as_json else _say(chain(rows).rstrip("\n"))


@world_app.command("check", cls=Command, short_help="Every invariant of the world, with both numbers.")
def world_check(as_json: AsJson = False) -> None:
    """$ friendshore world check

    Check every invariant of the world's tables: balances, signs, names, provenance, and our shares beside the published.

    Exit status 3 if one of them fails.
    """
    from dataclasses import asdict

    from friendshore.report.listing import checks
    from friendshore.world.check import check
    from friendshore.world.tables import World

    with _Progress() as progress:
        progress("checking")
        found = check(World.load())
    if as_json:
        _emit([asdict(item) for item in found])
    else:
        _say(checks(found).rstrip("\n"))
    if not all(item.ok for item in found):
        raise typer.Exit(3)


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
    as_json: AsJson = False,
) -> None:
    """$ friendshore world build ../shared/data --out world

    Rebuild every table of the world from the publishers' files. The same files give the same bytes.

    Exit status 3 if the tables are written but miss an invariant.
    """
    from dataclasses import asdict

    if raw is None:
        hint = f"name it: friendshore world build RAW, or set {RAW_DATA}"
        raise InputRefused.because("no-raw-data", "no folder of raw data was named", path="RAW", hint=hint)
    with _Progress() as progress:
        progress(f"building the world from {raw}")
        from friendshore.world.build import build
        from friendshore.world.tables import PACKAGED

        target = out or PACKAGED
        report = build(raw, target)
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


@agreement_app.callback()
def agreement_group() -> None:
    """$ friendshore agreement check deal.yaml

    Agreement files: whether they are sound, which ones ship, and a schema for editors.
    """


@agreement_app.command("check", cls=Command, short_help="Whether a file is sound, with every problem at its line.")
def agreement_check(
    agreement: Annotated[
        str, typer.Argument(metavar="FILE", help="An agreement file, a scenario file or a preset's name.")
    ],
    as_json: AsJson = False,
) -> None:
    """$ friendshore agreement check deal.yaml

    Read an agreement or a scenario as strictly as `run` does and list its clauses and price levels, or every problem with
    file, line and column. Nothing is run.
    """
    from friendshore.agreement.schedule import levels
    from friendshore.report.listing import terms, terms_document
    from friendshore.world.tables import World

    world = World.load()
    scenario = _scenario(agreement, world)
    found = levels(scenario.agreement, world, scenario.as_of)
    if as_json:
        return _emit(terms_document(scenario, found))
    return _say(terms(scenario, found))


@agreement_app.command("list", cls=Command, short_help="The agreements that ship.")
def agreement_list(as_json: AsJson = False) -> None:
    """$ friendshore agreement list

    List the presets: the reference design, its variants, single instruments for teaching, and no agreement at all.
    """
    from friendshore.agreement.document import Agreement, presets
    from friendshore.report.typography import grid

    rows = []
    for name in presets():
        deal = Agreement.load(name)
        rows.append(
            {"id": name, "title": deal.title, "in_force": deal.in_force.isoformat(), "clauses": len(deal.clauses)}
        )
    if as_json:
        return _emit(rows)
    return _say(
        grid(
            ["preset", "title", "in force", "clauses"],
            [[str(v) for v in row.values()] for row in rows],
            left=3,
            indent=0,
        )
    )


@agreement_app.command("schema", cls=Command, short_help="The JSON Schema of an agreement file.")
def agreement_schema() -> None:
    """$ friendshore agreement schema > agreement.schema.json

    Print the JSON Schema of an agreement file, for an editor to check and complete as you write.
    """
    from friendshore.agreement.document import schema

    _say(json.dumps(schema(), indent=2))


# -- from words to values ---------------------------------------------------------------------------------------------------


def _scenario(words: str, world: World) -> Scenario:
    """The scenario that a preset's name or a file stands for; what is odd about it goes to standard error."""
    from friendshore.agreement.scenario import Scenario

    scenario = Scenario.load(words, world)
    if scenario.agreement.warnings:
        _say(render(scenario.agreement.warnings), err=True)
    return scenario


def _assumptions(scenario: Scenario, horizon: int | None) -> Assumptions:
    from friendshore.run import Assumptions

    stated = scenario.assume.model_dump()
    return Assumptions(**({**stated, "horizon": horizon} if horizon is not None else stated))


def _names(world: World) -> Names:
    from friendshore.report.account import Names

    unions = dict(world.territories.select("code", "name").iter_rows())
    return Names(
        country=unions | dict(world.countries.select("code", "name").iter_rows()),
        union={c: t for c, t in world.countries.select("code", "territory").iter_rows() if c != t},
    )


def _account(found: Study, names: Names, written: Written | None, scenario: str) -> str:
    from friendshore.report.account import account

    return account(found, names=names, written=written, scenario=scenario)


def _circumstances(scenario: Scenario) -> str:
    """A scenario in a sentence; nothing where a plain agreement is run."""
    if scenario.name == scenario.agreement.id:
        return ""
    shocks = [clause.id for clause in scenario.shocks.clauses]
    meanwhile = f"; in the status quo too: {', '.join(shocks)}" if shocks else ""
    return f"{scenario.name} ({scenario.digest}): {scenario.agreement.id} as patched{meanwhile}."


def _study_document(found: Study) -> dict[str, Any]:
    return {"outcomes": {name: each.document() for name, each in found.outcomes.items()}, "study": found.document()}


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
