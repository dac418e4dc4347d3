"""What does a good cost inside and outside, stage by stage, before and after, and where is the reference price?"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import polars as pl

from friendshore.report.figures import screen
from friendshore.report.figures.figure import Figure
from friendshore.report.figures.palette import AFTER, BEFORE, GAIN, INK, LOSS, RULE, SOFT
from friendshore.report.figures.who_pays import numbered

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

    from friendshore.report.figures.subject import Subject

MARKS = {  # column -> Plotly symbol, Matplotlib marker, colour, filled
    "inside_before": ("circle-open", "o", BEFORE, False),
    "inside_after": ("circle", "o", AFTER, True),
    "outside_before": ("square-open", "s", LOSS, False),
    "outside_after": ("square", "s", LOSS, True),
    "reference": ("line-ns-open", "|", GAIN, True),
}
Row = dict[str, Any]


def draw(subject: Subject) -> Figure | None:
    """The ladder; nothing where no mineral is traded."""
    words = subject.words
    rows = _rows(subject)
    floored = {subject.minerals[good] for good in subject.study.floors["good"]}
    if not rows:
        return None
    chosen = subject.minerals[subject.chosen]
    drawn = [row for row in rows if row["mineral"] in (floored or {chosen})]
    drawn.sort(key=lambda row: (row["mineral"] != chosen, row["mineral"]))
    schema = {"mineral": pl.String, "good": pl.String, "stage": pl.String, **dict.fromkeys(MARKS, pl.Float64)}
    table = pl.DataFrame(rows, schema=schema, orient="row")
    heads = {name: words.say(f"column.{name}") for name in ("mineral", "good", "stage")}
    return Figure(
        name="price_ladder",
        title=_title(subject, rows),
        subtitle=words.say("figure.ladder.subtitle"),
        caption=subject.caption([row["good"] for row in drawn]),
        table=table,
        columns=heads | {mark: words.say(f"figure.ladder.{mark}") for mark in MARKS},
        spec=_screen(subject, rows),
        paint=lambda canvas: _paper(canvas, subject, drawn),
        height=1.1 + 0.27 * len(drawn),
        lang=words.lang,
        notes=(words.say("figure.ladder.note"),),
        mineral=chosen,
        equations=("delivered", "sourcing", "levy"),
    )


def _rows(subject: Subject) -> list[Row]:
    study = subject.study
    outside = set(subject.before.output["country"]) - subject.at.parties
    inside = [subject.paid(run, subject.at.parties) for run in (subject.before, subject.after)]
    abroad = [subject.sold(run, outside) for run in (subject.before, subject.after)]
    reference = dict(study.floors.group_by("good").agg(pl.col("reference_usd_t").max()).iter_rows())
    rows = []
    for mineral in sorted(set(subject.minerals.values())):
        for good in subject.mineral_goods(mineral):
            values = [*(one.get(good) for one in inside), *(one.get(good) for one in abroad), reference.get(good)]
            if values[0] is None and values[2] is None:
                continue
            held = {name: None if v is None else v / 1000.0 for name, v in zip(MARKS, values, strict=True)}
            rows.append({"mineral": mineral, "good": good, "stage": subject.at.stage.get(good, ""), **held})
    return rows


def _title(subject: Subject, rows: list[Row]) -> str:
    words = subject.words
    row = next((row for row in rows if row["good"] == subject.chosen), rows[0])
    named = {name: words.price(None if row[name] is None else 1000.0 * row[name]) for name in MARKS}
    key = "floor" if row["reference"] is not None else "plain"
    return words.say(f"figure.ladder.title.{key}", good=words.good(row["good"]), **named)


def _screen(subject: Subject, rows: list[Row]) -> dict[str, Any]:
    words = subject.words
    minerals = sorted({row["mineral"] for row in rows})
    traces, heights = [], {}
    for mineral in minerals:
        own = [row for row in rows if row["mineral"] == mineral]
        heights[mineral] = 170 + 42 * len(own)
        for name, (symbol, _, colour, _) in MARKS.items():
            held = [row for row in own if row[name] is not None]
            label = words.say(f"figure.ladder.{name}")
            traces.append({
                "type": "scatter", "mode": "markers", "name": label, "showlegend": True,
                "x": [round(row[name], 6) for row in held], "y": [subject.good(row["good"]) for row in held],
                "marker": {"symbol": symbol, "size": 22 if name == "reference" else 12, "color": colour,
                           "line": {"width": 3 if name == "reference" else 2, "color": colour}},
                "customdata": [f"<b>{subject.good(row['good'])}</b><br>{label}: {words.price(1000.0 * row[name])}" for row in held],
                "hovertemplate": "%{customdata}<extra></extra>", "meta": {"by": "good", "mineral": mineral},
                "visible": mineral == subject.minerals[subject.chosen],
            })  # fmt: skip
    page = screen.layout(
        words.lang, heights[subject.minerals[subject.chosen]], showlegend=True,
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0}, margin={"t": 70},
        xaxis={"type": "log", "title": {"text": words.say("axis.usd_kg_log"), "standoff": 8}},
        yaxis={"autorange": "reversed", "type": "category", "categoryarray": _order(subject, rows)},
    )  # fmt: skip
    return {"data": traces, "layout": page, "heights": heights}


def _paper(canvas: Canvas, subject: Subject, rows: list[Row]) -> None:
    words, axes = subject.words, canvas.subplots()
    for name, (_, mark, colour, filled) in MARKS.items():
        at = [k for k, row in enumerate(rows) if row[name] is not None]
        axes.scatter(
            [rows[k][name] for k in at], at, marker=mark, s=170 if name == "reference" else 38, zorder=4 if filled else 3,
            linewidths=2.6 if name == "reference" else 1.3, label=words.say(f"figure.ladder.{name}"),
            **_fill(name, colour, filled),
        )  # fmt: skip
    for k, row in enumerate(rows):
        if row["inside_before"] and row["inside_after"]:
            axes.plot([row["inside_before"], row["inside_after"]], [k, k], color=SOFT, linewidth=0.9, zorder=2)
        change = (row["inside_after"] or math.nan) / (row["inside_before"] or math.nan) - 1.0
        if math.isfinite(change) and abs(change) >= 5e-4:
            far = max(v for name in MARKS if (v := row[name]) is not None)
            axes.annotate(
                words.percent(change, True), (far, k), xytext=(9, 0), textcoords="offset points", va="center", size=7.5
            )
    axes.set_xscale("log")
    axes.set_yticks(range(len(rows)), [subject.good(row["good"]) for row in rows])
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xlabel(words.say("axis.usd_kg_log"))
    axes.grid(axis="both", color=RULE, linewidth=0.4)
    axes.set_axisbelow(True)
    axes.tick_params(length=0)
    axes.spines["left"].set_color(INK)
    numbered(axes, subject)
    axes.legend(
        loc="lower left",
        bbox_to_anchor=(-0.2, 1.0),
        ncols=5,
        frameon=False,
        fontsize=7.2,
        handletextpad=0.2,
        columnspacing=0.9,
    )


def _fill(name: str, colour: str, filled: bool) -> dict[str, Any]:
    """A stroke takes one colour, a mark two."""
    return (
        {"color": colour}
        if name == "reference"
        else {"facecolors": colour if filled else "white", "edgecolors": colour}
    )


def _order(subject: Subject, rows: list[Row]) -> list[str]:
    return [subject.good(row["good"]) for row in rows]
