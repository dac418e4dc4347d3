"""Where does the levy bind? Route by route, what is charged, on how many tonnes; and the floors that charge nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from friendshore.report.figures import screen
from friendshore.report.figures.figure import Figure
from friendshore.report.figures.palette import INK, RULE, of_country
from friendshore.report.figures.who_pays import numbered

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

    from friendshore.report.figures.subject import Subject

ROUTES = 12
Route = tuple[str, str, str, str, float, float, float]  # label, good, exporter, importer, t, USD/t, USD


def draw(subject: Subject) -> Figure | None:
    """The levied routes; nothing where the agreement has no floor in force."""
    study, words = subject.study, subject.words
    if study.floors.height == 0:
        return None
    routes = _routes(subject)
    bind = study.floors.group_by("clause", "good").agg(pl.col("binds").any(), pl.col("holds").all()).sort("clause")
    idle = [words.good(good) for _, good, binds, holds in bind.iter_rows() if holds and not binds]
    waiting = [words.good(good) for _, good, binds, holds in bind.iter_rows() if not holds and not binds]
    table = study.levies.select("good", "exporter", "importer", "t", "levy_usd_t", "levy_usd", "clause")
    total = words.usd(float(study.levies["levy_usd"].sum()))
    notes = [words.say("figure.levy.range", usd=total, range=subject.range_text("side", "levy")), *subject.range_note()]
    notes += [words.say("figure.levy.idle", goods=words.listed(idle))] if idle else []
    notes += [words.say("figure.levy.waiting", goods=words.listed(waiting))] if waiting else []
    return Figure(
        name="levy_binds",
        title=_title(subject, routes),
        subtitle=words.say("figure.levy.subtitle"),
        caption=subject.caption([route[1] for route in routes]),
        table=table,
        columns={
            "good": words.say("column.good"), "exporter": words.say("column.exporter"), "importer": words.say("column.importer"),
            "t": words.say("column.tonnes"), "levy_usd_t": words.say("column.levy_usd_t"),
            "levy_usd": words.say("column.levy_usd"), "clause": words.say("column.clause"),
        },
        spec=_screen(subject, routes),
        paint=lambda canvas: _paper(canvas, subject, routes),
        height=0.9 + 0.27 * max(2, len(routes)),
        lang=words.lang,
        notes=tuple(notes),
        equations=("levy",),
    )  # fmt: skip


def _routes(subject: Subject) -> list[Route]:
    rows = list(subject.study.levies.select("good", "exporter", "importer", "t", "levy_usd_t", "levy_usd").iter_rows())
    say = subject.words.say
    named = [
        (
            say("figure.levy.route", good=subject.good(g), exporter=subject.name(i), importer=subject.name(j)),
            g,
            i,
            j,
            t,
            u,
            usd,
        )
        for g, i, j, t, u, usd in rows[:ROUTES]
    ]
    rest = rows[ROUTES:]
    if rest:
        tonnes, usd = sum(row[3] for row in rest), sum(row[5] for row in rest)
        named.append((say("figure.levy.rest", n=len(rest)), "", "", "", tonnes, usd / tonnes if tonnes else 0.0, usd))
    return named


def _title(subject: Subject, routes: list[Route]) -> str:
    words, levies = subject.words, subject.study.levies
    if levies.height == 0:
        return words.say(
            "figure.levy.title.none" if all(subject.study.floors["holds"]) else "figure.levy.title.waiting"
        )
    total = float(levies["levy_usd"].sum())
    by = (
        levies.group_by("good", "exporter")
        .agg(pl.col("levy_usd").sum())
        .sort(["levy_usd", "exporter"], descending=[True, False])
    )
    good, exporter, usd = by.row(0)
    return words.say(
        "figure.levy.title", n=levies.height, usd=words.usd(total), share=words.percent(usd / total, places=0),
        good=words.good(good), exporter=words.of_place(exporter),
    )  # fmt: skip


def _beside(subject: Subject, route: Route) -> str:
    """The same without its currency, beside a bar whose axis names it."""
    words = subject.words
    return words.say(
        "figure.levy.beside", usd=words.millions(route[6]), t=words.number(route[4]), rate=words.number(route[5] / 1e3)
    )


def _said(subject: Subject, route: Route) -> str:
    words = subject.words
    return words.say(
        "figure.levy.label", usd=words.millions(route[6]), t=words.number(route[4]), rate=words.number(route[5] / 1e3)
    )


def _screen(subject: Subject, routes: list[Route]) -> dict[str, object]:
    words = subject.words
    bars = screen.bars(
        [route[0] for route in routes], [route[6] / 1e6 for route in routes],
        colours=[of_country(route[2]) for route in routes], labels=[_beside(subject, route) for route in routes],
        hover=[f"<b>{route[0]}</b><br>{_said(subject, route)}" for route in routes],
        meta={"by": "route"}, ids=[f"{route[2]} {route[3]}" for route in routes],
    )  # fmt: skip
    unit = {"text": words.say("axis.usd_million"), "standoff": 8}
    return {
        "data": [bars],
        "layout": screen.layout(
            words.lang, 90 + 32 * max(3, len(routes)), yaxis={"autorange": "reversed"}, xaxis={"title": unit}
        ),
    }


def _paper(canvas: Canvas, subject: Subject, routes: list[Route]) -> None:
    axes = canvas.subplots()
    axes.barh(range(len(routes)), [r[6] / 1e6 for r in routes], color=[of_country(r[2]) for r in routes], height=0.7)
    for k, route in enumerate(routes):
        axes.annotate(
            _said(subject, route), (route[6] / 1e6, k), xytext=(4, 0), textcoords="offset points", va="center", size=7.5
        )
    axes.set_yticks(range(len(routes)), [route[0] for route in routes])
    axes.invert_yaxis()
    axes.set_xlim(right=1.45 * max([r[6] / 1e6 for r in routes], default=1.0))
    axes.axvline(0.0, color=INK, linewidth=0.8)
    axes.set_xlabel(subject.words.say("axis.usd_million"))
    axes.tick_params(length=0)
    axes.grid(axis="x", color=RULE, linewidth=0.4)
    axes.set_axisbelow(True)
    numbered(axes, subject)
