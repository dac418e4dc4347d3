"""The commands `assess` and `explain`: what customs entries owe, and why."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from friendshore.cli.case import scenario_of, world_of
from friendshore.cli.groups import Command, app
from friendshore.cli.options import AsJson, parsed_day, parsed_rounding
from friendshore.cli.tell import Progress, emit, say
from friendshore.errors import InputRefused, Problem

Schedules = Annotated[
    list[Path] | None,
    typer.Option("--tariff", metavar="FILE", help="Measures of your own (CSV), in place of the shipped ones."),
]
ExchangeRates = Annotated[
    Path | None, typer.Option("--rates", metavar="FILE", help="Exchange rates: CSV with currency, day, usd, source.")
]
References = Annotated[
    Path | None,
    typer.Option(
        "--reference",
        metavar="DIR",
        help="Published reference prices (`reference publish --out`), for clauses that take the published one.",
    ),
]
States = Annotated[
    Path | None,
    typer.Option(
        "--state",
        metavar="FILE",
        help="Decisions that act on safeguards or suspend clauses: CSV with clause, state, from, until, decision.",
    ),
]
QuotaUse = Annotated[
    Path | None,
    typer.Option(
        "--quota-used",
        metavar="FILE",
        help="What came in under quotas before these entries: CSV with clause, territory, year, tonnes, part, source.",
    ),
]
NoticePage = Annotated[
    Path | None, typer.Option("--notice-page", metavar="FILE", help="Write the notice as a page to print, .html.")
]
TestValues = Annotated[
    Path | None,
    typer.Option("--values", metavar="FILE", help="Test values for prices between related parties: CSV, see the docs."),
]
Layout = Annotated[
    str,
    typer.Option("--layout", metavar="NAME", help="national, entry_summary or wco; found by the columns if absent."),
]
Halves = Annotated[
    str,
    typer.Option(
        "--rounding", metavar="half_even|half_up", parser=parsed_rounding, help="Where a half of a cent goes."
    ),
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
            "--as-of",
            metavar="DATE",
            parser=parsed_day,
            help="Law of this day for every line; of its own day if absent.",
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
    page_to: NoticePage = None,
    tariff: Schedules = None,
    rates: ExchangeRates = None,
    values: TestValues = None,
    reference: References = None,
    state: States = None,
    quota_used: QuotaUse = None,
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
    if one is None and (notice or page_to is not None):
        raise typer.BadParameter(
            "a notice is of one line: with --one, or `explain ENTRIES --line N`", param_hint="--notice"
        )
    if one is not None and layout:
        raise typer.BadParameter(
            "only a file has a layout; --one takes the fields by their own names", param_hint="--layout"
        )
    with Progress() as progress:
        if file is not None:
            _needs_extra()
            _set_apart(file, out, refused)
        progress("reading schedules and agreement")
        beside = {"reference": reference, "states": state, "values": values, "quota_used": quota_used}
        rules = law_of(agreement, as_of, tariff, rates, **beside)
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
        return _one_line(found, "1", notice=notice, as_json=as_json, page_to=page_to)
    emit(page.totals_document(summed)) if as_json else say(page.totals(summed, str(out), str(refused)).rstrip("\n"))
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
        typer.Option(
            "--as-of", metavar="DATE", parser=parsed_day, help="Law of this day; of the line's own day if absent."
        ),
    ] = None,
    notice: Annotated[bool, typer.Option("--notice", help="The notice for the trader.")] = False,
    page_to: NoticePage = None,
    signals: Annotated[
        bool, typer.Option("--signals/--no-signals", help="Signals of the line too; they read the lines of its good.")
    ] = True,
    tariff: Schedules = None,
    rates: ExchangeRates = None,
    values: TestValues = None,
    reference: References = None,
    state: States = None,
    quota_used: QuotaUse = None,
    layout: Layout = "",
    rounding: Halves = "half_even",
    as_json: AsJson = False,
) -> None:
    """$ friendshore explain entries.csv --line US-01 --agreement plurilateral-2026

    Show every lawful option of one line, the cheapest first, and its working as data, calculation and value, with article,
    reasons and warnings. Where a fact is missing, it is named with who can supply it, and no total is shown.

    Exit status 3 without a total.
    """
    with Progress() as progress:
        _needs_extra()
        progress("reading schedules and agreement")
        beside = {"reference": reference, "states": state, "values": values, "quota_used": quota_used}
        rules = law_of(agreement, as_of, tariff, rates, **beside)
        from friendshore.border.found import find

        progress(f"reading {file}")
        found = find(file, line, rules, rounding=cast(Any, rounding), layout=layout)
        asks = signals and not notice and not isinstance(found, tuple)
        asked = _signals_of(file, line, rules, layout, reference) if asks else []
    return _one_line(found, line, notice=notice, as_json=as_json, signals=asked, page_to=page_to)


def _set_apart(file: Path, out: Path, refused: Path) -> None:
    """Refuse outputs that would write over the entries or over each other, or that cannot be written."""
    problems = []
    held = {"ENTRIES": file.resolve()}
    for option, path in (("--out", out), ("--refused", refused)):
        same = next((name for name, other in held.items() if other == path.resolve()), "")
        if same:
            problems.append(Problem("output-twice", f"'{path}' is {same} too", None, option, "a file of its own"))
        elif path.is_dir():
            problems.append(Problem("output-folder", f"'{path}' is a folder", None, option, "a file in it"))
        held[option] = path.resolve()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            said = f"'{path.parent}' cannot be made: {error.strerror}"
            problems.append(Problem("not-written", said, None, option, "a folder to write to"))
    if problems:
        raise InputRefused(problems)


def _signals_of(file: Path, line: str, rules: Any, layout: str, ladder: Path | None) -> list[dict[str, Any]]:
    """The signals of one line, from the lines of its good in the file."""
    from friendshore.border.signals import known
    from friendshore.border.signals.lines import signalled
    from friendshore.world.tables import World

    found = signalled(file, rules, known.known(World.load(), ladder), layout=layout, line=line)
    return list(found.signals.iter_rows(named=True))


def _needs_extra() -> None:
    """Refuse where the libraries of the border are not here."""
    from importlib.util import find_spec

    if find_spec("ibis") is None or find_spec("duckdb") is None:
        hint = 'pip install "friendshore[border]"'
        raise InputRefused.because(
            "no-extra", "entries are assessed with DuckDB and Ibis, which are not here", hint=hint
        )


def law_of(
    agreement: str | None,
    as_of: date | None,
    tariffs: list[Path] | None,
    rates: Path | None,
    *,
    reference: Path | None = None,
    states: Path | None = None,
    values: Path | None = None,
    quota_used: Path | None = None,
) -> Any:
    """What says how much a line owes: schedules, and the agreement where one is named."""
    _needs_extra()
    from friendshore import customs
    from friendshore.world.tables import World

    world = world_of(agreement) if agreement else World.load()
    deal = scenario_of(agreement, world).agreement if agreement else None
    more = {"reference": reference, "states": states, "values": values, "quota_used": quota_used}
    for name, file in more.items():
        if file is not None and deal is None:
            hint = "name it with --agreement"
            raise InputRefused.because(
                "no-agreement",
                "only an agreement has clauses to read it",
                path=f"--{name.replace('states', 'state').replace('_', '-')}",
                hint=hint,
            )
    return customs.law(world, deal, as_of=as_of, tariffs=tariffs or (), rates=rates, **more)


def _fields(text: str) -> dict[str, str]:
    """`name=value` words as a mapping."""
    try:
        words = [word.partition("=") for word in shlex.split(text)]
    except ValueError:
        raise InputRefused.because(
            "no-field", "a quote is opened and not closed", path="--one", hint="close it"
        ) from None
    names = [name for name, _, _ in words]
    problems = [
        Problem("no-field", f"{name!r} is no field", None, "--one", "write name=value, values with blanks in quotes")
        for name, sign, _ in words
        if not sign
    ]
    twice = sorted({name for name in names if names.count(name) > 1})
    problems += [Problem("field-twice", f"{name!r} is given twice", None, "--one", "once") for name in twice]
    if problems:
        raise InputRefused(problems)
    return {name: value for name, _, value in words}


def _one_line(
    found: Any,
    line: str,
    *,
    notice: bool,
    as_json: bool,
    signals: Sequence[dict[str, Any]] = (),
    page_to: Path | None = None,
) -> None:
    """A line's page, notice or document; exit status 3 where there is no total."""
    from friendshore.report import border as page

    faulty = isinstance(found, tuple)
    if page_to is not None:
        from friendshore.report.notice import notice_page

        if page_to.suffix.lower() != ".html":
            raise InputRefused.because("output-format", f"'{page_to}' should end in .html", path="--notice-page")
        try:
            page_to.parent.mkdir(parents=True, exist_ok=True)
            page_to.write_text(notice_page(found, line), encoding="utf-8")
        except OSError as error:
            message = f"'{page_to}' cannot be written: {error.strerror}"
            raise InputRefused.because(
                "not-written", message, path="--notice-page", hint="a path to write to"
            ) from None
    if as_json:
        emit(page.faults_document(found, line) if faulty else page.document(found, signals))
    elif notice:
        say(page.notice(found, line).rstrip("\n"))
    else:
        say((page.faulty(found, line) if faulty else page.explanation(found, signals)).rstrip("\n"))
    if faulty or found.refusal:
        raise typer.Exit(3)
