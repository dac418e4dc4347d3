"""Does the order of winners and losers hold under other elasticities? Each country's rank, from its best to its worst."""

from __future__ import annotations

from typing import TYPE_CHECKING

from friendshore.report.figures import screen
from friendshore.report.figures.figure import Figure
from friendshore.report.figures.palette import INK, RULE, SOFT, of_country
from friendshore.report.figures.who_pays import numbered

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

    from friendshore.report.figures.subject import Subject

ENDS = 9
Row = tuple[str, str, float, int, int, int]  # code, name, USD, rank, best, worst


def draw(subject: Subject) -> Figure | None:
    """Ranks over the grid of elasticities; nothing where the grid was not solved."""
    study, words = subject.study, subject.words
    if study.kendall_tau_min is None or study.draws < 2:
        return None
    table = study.stability
    rows = [
        (code, subject.name(code), float(usd), int(rank), int(low), int(high))
        for code, usd, rank, low, high in table.select("country", "usd", "rank", "rank_min", "rank_max").iter_rows()
    ]
    shown = [*rows[:ENDS], *rows[-ENDS:]] if len(rows) > 2 * ENDS else rows
    if subject.view and all(row[0] != subject.view for row in shown):
        shown = sorted([*shown, *(row for row in rows if row[0] == subject.view)], key=lambda row: row[3])
    firm = sum(low == high for *_, low, high in shown)
    return Figure(
        name="stability",
        title=words.say("figure.stability.title", tau=words.fixed(study.kendall_tau_min, 2), draws=study.draws, firm=firm, shown=len(shown)),
        subtitle=words.say("figure.stability.subtitle", draws=study.draws),
        caption=subject.caption(),
        table=table,
        columns={
            "country": words.say("column.country"), "usd": words.say("column.change_usd"), "rank": words.say("column.rank"),
            "rank_min": words.say("column.rank_min"), "rank_max": words.say("column.rank_max"),
        },
        spec=_screen(subject, shown),
        paint=lambda canvas: _paper(canvas, subject, shown),
        height=0.7 + 0.2 * len(shown),
        lang=words.lang,
        notes=(words.say("figure.stability.note"),),
        equations=("sourcing", "gain"),
    )  # fmt: skip


def _names(subject: Subject, rows: list[Row]) -> list[str]:
    return [f"{row[1]} ({subject.words.millions(row[2], True)})" for row in rows]


def _screen(subject: Subject, rows: list[Row]) -> dict[str, object]:
    words, names = subject.words, _names(subject, rows)
    hover = [
        f"<b>{row[1]}</b><br>{words.usd(row[2], True)}<br>{words.say('figure.stability.hover', rank=row[3], low=row[4], high=row[5])}"
        for row in rows
    ]
    lines: dict[str, object] = {
        "type": "scatter", "mode": "lines", "hoverinfo": "skip", "line": {"width": 5, "color": "#b9b9b9"},
        "x": [v for row in rows for v in (row[4], row[5], None)], "y": [v for n in names for v in (n, n, None)],
    }  # fmt: skip
    dots = {
        "type": "scatter", "mode": "markers", "x": [row[3] for row in rows], "y": names, "customdata": hover,
        "hovertemplate": "%{customdata}<extra></extra>", "ids": [row[0] for row in rows], "meta": {"by": "country"},
        "marker": {"size": 12, "color": [of_country(row[0]) for row in rows], "line": {"color": "#ffffff", "width": 1}},
    }  # fmt: skip
    held = screen.layout(
        words.lang, 110 + 26 * len(rows), yaxis={"autorange": "reversed", "type": "category"},
        xaxis={"title": {"text": words.say("axis.rank"), "standoff": 8}, "rangemode": "tozero"},
    )  # fmt: skip
    return {"data": [lines, dots], "layout": held}


def _paper(canvas: Canvas, subject: Subject, rows: list[Row]) -> None:
    axes = canvas.subplots()
    for k, (code, _, _, rank, low, high) in enumerate(rows):
        axes.plot([low, high], [k, k], color="#b9b9b9", linewidth=5, solid_capstyle="round", zorder=2)
        axes.scatter([rank], [k], s=42, color=of_country(code), zorder=3, edgecolors="white", linewidths=0.8)
        if high > low:
            axes.annotate(
                f"{low}–{high}", (high, k), xytext=(7, 0), textcoords="offset points", va="center", size=7, color=SOFT
            )
    axes.set_yticks(range(len(rows)), _names(subject, rows))
    axes.invert_yaxis()
    axes.set_xlabel(subject.words.say("axis.rank"))
    axes.set_xlim(left=0)
    axes.grid(axis="x", color=RULE, linewidth=0.4)
    axes.tick_params(length=0)
    axes.spines["left"].set_color(INK)
    numbered(axes, subject)
