"""Everything that a report consists of, into one folder: brief, memo, workbook, page, figures, tables.

Same inputs, same bytes: nothing here knows the hour. That the folder appears whole or not at all is the care of `tables`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from friendshore.errors import InputRefused, Problem
from friendshore.report.brief import Brief, View, brief
from friendshore.report.tables import outcome_tables, write
from friendshore.report.words.notes import said
from friendshore.run import DEFAULT, Assumptions

if TYPE_CHECKING:
    from friendshore.agreement.document import Agreement
    from friendshore.faces import Wedge
    from friendshore.law.screen.judge import Screening
    from friendshore.report.figures import Figure
    from friendshore.report.words import Words
    from friendshore.study import Study
    from friendshore.world.tables import World

INSTALL = "python -m pip install 'friendshore[report]'"
EXTRA = {
    "typst": "typst", "docx": "python-docx", "xlsxwriter": "xlsxwriter", "matplotlib": "matplotlib", "plotly": "plotly",
    "matplotlib_fontja": "matplotlib-fontja", "pyogrio": "pyogrio",
}  # fmt: skip
BRIEF, MEMO, WORKBOOK, PAGE, TABLES, FIGURES = (
    "brief.pdf", "memo.docx", "workbook.xlsx", "report.html", "tables", "figures",
)  # fmt: skip
SHOWN = {"pays": "who_pays", "answers": "reactions"}  # question -> the figure that stands below it


@dataclass(frozen=True)
class Published:
    """What stands in the folder, and how many rows each table has."""

    brief: Brief
    rows: Mapping[str, int]


def check_installed() -> None:
    """Refuse early where the libraries of the `report` extra are not installed.

    Raises
    ------
    InputRefused   naming every package, and the command that installs them
    """
    missing = [package for module, package in EXTRA.items() if find_spec(module) is None]
    if missing:
        message = f"a report needs {', '.join(missing)}"
        raise InputRefused([Problem("not-installed", message, hint=f"install with: {INSTALL}")])


def check_same(study: Study, world: World, deal: Agreement) -> None:
    """Refuse a study that was made of another world or another agreement than those given beside it.

    Raises
    ------
    InputRefused   naming both
    """
    problems = []
    here = f"{world.name} {world.version}"
    for what, theirs, ours in (("world", study.world_name, here), ("agreement", study.deal_id, deal.id)):
        if theirs != ours:
            message = f"the outcome is of {theirs!r}, what is given is {ours!r}"
            problems.append(Problem("other-version", message, path=what, hint="run it again with what is given here"))
    if problems:
        raise InputRefused(problems)


def write_report(
    folder: Path,
    study: Study,
    words: Words,
    view: str | None = None,
    *,
    world: World,
    deal: Agreement,
    assume: Assumptions = DEFAULT,
    shocks: tuple[Wedge, ...] = (),
    digests: Mapping[str, str] | None = None,
    command: str = "",
    progress: Callable[[str], None] = lambda _: None,
) -> Published:
    """Write a report into an existing folder.

    Parameters
    ----------
    folder : where the files go
    study, world, deal, assume, shocks : the runs and what they were run with
    words : the language
    view : code of the country or customs union that it speaks to; the parties together if None
    digests : what names the agreement, the world and the result
    command : what reproduces it

    Raises
    ------
    InputRefused   a library that is not installed, a view that the world does not have, a study of something else
    NoFont, BriefTooLong   text that cannot be set
    OSError   a file that cannot be written
    """
    from friendshore.report.figures import figures
    from friendshore.report.memo import write_memo
    from friendshore.report.page import write_page
    from friendshore.report.pdf import write_brief
    from friendshore.report.workbook import write_workbook

    check_installed()
    check_same(study, world, deal)
    seen = View.of(view, study, world)
    progress("the legal screen")
    screening = _screened(study, world, deal, assume, shocks, seen)
    answers = brief(study, words, seen, world=world, deal=deal, screening=screening, digests=digests)
    progress("drawing the figures")
    drawn = figures(study, words, seen.code or None, world=world, deal=deal, assume=assume, shocks=shocks)
    pictures = {each.name: (each.svg(), each.png()) for each in drawn}
    (folder / FIGURES).mkdir()
    for name, (svg, png) in pictures.items():
        (folder / FIGURES / f"{name}.svg").write_bytes(svg)
        (folder / FIGURES / f"{name}.png").write_bytes(png)
    by_name = {each.name: each for each in drawn}
    shown = [(part, by_name[name]) for part, name in SHOWN.items() if name in by_name]
    progress("setting the brief, the memo and the workbook")
    small = [(part, replace(each, notes=_short(study, words)).svg(), each.title) for part, each in shown]
    pdf = write_brief(answers, words.lang, study.as_of, small)
    (folder / BRIEF).write_bytes(pdf)
    memo = write_memo(
        answers,
        words,
        study.as_of,
        [(part, each.png(), each.title) for part, each in shown],
        [note.text for note in said(words, study.notes)],
    )
    (folder / MEMO).write_bytes(memo)
    book = write_workbook(
        study,
        words,
        seen,
        answers,
        None if screening is None else findings(screening),
        {each.name: (each.title, each.table) for each in drawn},
    )
    (folder / WORKBOOK).write_bytes(book)
    progress("writing the page and the tables")
    write_page(
        study, folder, words, seen.code or None,
        world=world, deal=deal, assume=assume, shocks=shocks, figures=drawn, answers=answers, command=command,
    )  # fmt: skip
    return Published(answers, _write_tables(folder, study, drawn, screening))


def _short(study: Study, words: Words) -> tuple[str, ...]:
    """What stands below a figure of the brief, whose text says the rest."""
    return (words.say("range.short", n=study.readings),) if study.readings > 1 else ()


def findings(screening: Screening) -> pl.DataFrame:
    """The findings of a legal screen as a table."""
    rows = [
        {
            "article": one.article,
            "obligation": one.name,
            "clause": one.clause,
            "grade": one.grade,
            "bound": " ".join(one.bound),
            "because": one.because,
            "argument_for": one.argument_for,
            "argument_against": one.argument_against,
            "repairs": " ".join(one.repairs),
        }
        for one in screening.findings
    ]
    names = (
        "article",
        "obligation",
        "clause",
        "grade",
        "bound",
        "because",
        "argument_for",
        "argument_against",
        "repairs",
    )
    return pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String))


def _screened(
    study: Study, world: World, deal: Agreement, assume: Assumptions, shocks: tuple[Wedge, ...], view: View
) -> Screening | None:
    """The legal screen of what binds the view, where the view is bound; else of all that is bound."""
    from friendshore.law.examine import examine

    bound = view.code if view.buyers & set(study.parties) and view.code else None
    return examine(
        world,
        deal,
        as_of=study.as_of,
        party=bound,
        assume=assume,
        shocks=shocks,
        before=study.outcomes["before"],
    ).screening


def _write_tables(folder: Path, study: Study, drawn: list[Figure], screening: Screening | None) -> dict[str, int]:
    tables: dict[str, pl.DataFrame] = {}
    for run, outcome in study.outcomes.items():
        tables |= outcome_tables(run, outcome)
    tables |= {name: getattr(study, name) for name in study.TABLES}
    tables |= {f"figure.{each.name}": each.table for each in drawn}
    if screening is not None:
        tables["findings"] = findings(screening)
    (folder / TABLES).mkdir()
    for name, table in tables.items():
        write(table, folder / TABLES, name)
    return {name: table.height for name, table in tables.items()}


def document(published: Published) -> dict[str, Any]:
    """What was published, as plain JSON values."""
    made = published.brief
    return {
        "title": made.title,
        "finding": made.finding,
        "facts": made.facts,
        "answers": [{"question": part.question, "sentences": list(part.sentences)} for part in made.parts],
        "tables": dict(published.rows),
    }
