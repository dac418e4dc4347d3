"""What does the agreement do to those who make things of the goods? Price of what they sell, cost of what they buy, value added."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from friendshore.report.figures import screen
from friendshore.report.figures.figure import Figure
from friendshore.report.figures.palette import INK, RULE, SOFT, of_sign
from friendshore.report.figures.who_pays import numbered

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

    from friendshore.report.figures.subject import Subject

SHOWN = 12
LEAST = 0.05  # per cent: below it protection is none
Row = tuple[str, str, float, float | None, float]  # good, name, price, inputs, protection


def draw(subject: Subject) -> Figure | None:
    """Effective protection by good."""
    words = subject.words
    table = subject.study.protection
    held = [
        (good, subject.good(good), float(p), None if c is None else float(c), float(e))
        for good, _, p, c, e in table.iter_rows()
        if e is not None and abs(e) >= LEAST
    ]
    if not held:
        return None
    rows = sorted(sorted(held, key=lambda row: -abs(row[4]))[:SHOWN], key=lambda row: -row[4])
    up, down = max(rows, key=lambda row: row[4]), min(rows, key=lambda row: row[4])
    key = "both" if up[4] > 0 > down[4] else "up" if up[4] > 0 else "down"
    return Figure(
        name="protection",
        title=words.say(
            f"figure.protection.title.{key}", up=words.good(up[0]), gain=words.percent(up[4] / 100), down=words.good(down[0]),
            loss=words.percent(abs(down[4]) / 100),
        ),
        subtitle=words.say("figure.protection.subtitle"),
        caption=subject.caption([row[0] for row in rows]),
        table=table.sort(pl.col("effective_protection_pct").abs(), descending=True, nulls_last=True),
        columns={
            "good": words.say("column.good"), "stage": words.say("column.stage"), "price_change_pct": words.say("column.price_change"),
            "input_cost_change_pct": words.say("column.input_change"), "effective_protection_pct": words.say("column.protection"),
        },
        spec=_screen(subject, rows),
        paint=lambda canvas: _paper(canvas, subject, rows),
        height=0.9 + 0.28 * len(rows),
        lang=words.lang,
        notes=(words.say("figure.protection.note"),),
        equations=("protection",),
    )  # fmt: skip


def _screen(subject: Subject, rows: list[Row]) -> dict[str, object]:
    words = subject.words
    names = [row[1] for row in rows]
    hover = [
        f"<b>{name}</b><br>"
        + words.say(
            "figure.protection.hover", price=words.percent(price / 100, True),
            inputs=words.percent(None if cost is None else cost / 100, True), value=words.percent(value / 100, True),
        )
        for _, name, price, cost, value in rows
    ]  # fmt: skip
    bars = screen.bars(
        names, [row[4] for row in rows], colours=[of_sign(row[4]) for row in rows],
        labels=[""] * len(rows), hover=hover, ids=[row[0] for row in rows], meta={"by": "good"},
    )  # fmt: skip
    figures = screen.beside(
        names, [_end(row) for row in rows], [f" {words.percent(row[4] / 100, True)} " for row in rows]
    )
    marks = {
        "type": "scatter", "mode": "markers", "x": [row[2] for row in rows], "y": names, "hoverinfo": "skip",
        "marker": {"symbol": "diamond-open", "size": 10, "color": INK, "line": {"width": 2}}, "name": words.say("column.price_change"),
    }  # fmt: skip
    held = screen.layout(
        words.lang, 120 + 32 * len(rows), yaxis={"autorange": "reversed"},
        xaxis={"title": {"text": words.say("figure.protection.axis"), "standoff": 8}},
    )  # fmt: skip
    return {"data": [bars, marks, figures], "layout": held}


def _end(row: Row) -> float:
    """Where the figure of a row stands: beyond its bar and its mark, on the side of the bar."""
    return max(row[4], row[2]) if row[4] >= 0 else min(row[4], row[2])


def _paper(canvas: Canvas, subject: Subject, rows: list[Row]) -> None:
    words, axes = subject.words, canvas.subplots()
    axes.barh(range(len(rows)), [row[4] for row in rows], color=[of_sign(row[4]) for row in rows], height=0.66)
    axes.scatter(
        [row[2] for row in rows], range(len(rows)), marker="D", facecolors="none", edgecolors=INK, s=26, zorder=4
    )
    for k, row in enumerate(rows):
        axes.annotate(
            words.percent(row[4] / 100, True), (_end(row), k), xytext=(7 if row[4] >= 0 else -7, 0), textcoords="offset points",
            va="center", ha="left" if row[4] >= 0 else "right", size=7.5,
        )  # fmt: skip
    axes.set_yticks(range(len(rows)), [row[1] for row in rows])
    axes.invert_yaxis()
    axes.margins(x=0.12)
    axes.axvline(0.0, color=INK, linewidth=0.8)
    axes.set_xlabel(words.say("figure.protection.axis"), color=SOFT)
    axes.grid(axis="x", color=RULE, linewidth=0.4)
    axes.set_axisbelow(True)
    axes.tick_params(length=0)
    numbered(axes, subject)
