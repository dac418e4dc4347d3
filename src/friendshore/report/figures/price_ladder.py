"""What does a good cost inside and outside, stage by stage, before and after, and where is the reference price?"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import polars as pl

from friendshore.mean_price import price_paid, price_received
from friendshore.report.figures import screen
from friendshore.report.figures.figure import Figure
from friendshore.report.figures.palette import AFTER, BEFORE, GAIN, INK, LOSS, RULE, SOFT
from friendshore.report.figures.who_pays import numbered

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

    from friendshore.report.figures.subject import Subject
    from friendshore.report.words import Words

MARKS = {  # column -> Plotly symbol, Matplotlib marker, colour, filled
    "inside_before": ("circle-open", "o", BEFORE, False),
    "inside_after": ("circle", "o", AFTER, True),
    "outside_before": ("square-open", "s", LOSS, False),
    "outside_after": ("square", "s", LOSS, True),
    "reference": ("line-ns-open", "|", GAIN, True),
}
ENDS = {
    "inside_low": ("inside", 0),
    "inside_high": ("inside", 1),
    "outside_low": ("outside", 0),
    "outside_high": ("outside", 1),
}
SHIFT = 0.17  # of a row: buyers inside stand that much above it, makers outside below
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
    schema = {"mineral": pl.String, "good": pl.String, "stage": pl.String, **dict.fromkeys((*MARKS, *ENDS), pl.Float64)}
    table = pl.DataFrame(rows, schema=schema, orient="row")
    heads = {name: words.say(f"column.{name}") for name in ("mineral", "good", "stage")}
    return Figure(
        name="price_ladder",
        title=_title(subject, rows),
        subtitle=words.say("figure.ladder.subtitle"),
        caption=subject.caption([row["good"] for row in drawn]),
        table=table,
        columns=heads | {name: words.say(f"figure.ladder.{name}") for name in (*MARKS, *ENDS)},
        spec=_screen(subject, rows),
        paint=lambda canvas: _paper(canvas, subject, drawn),
        height=1.1 + 0.33 * len(drawn),
        lang=words.lang,
        notes=(words.say("figure.ladder.note"), *subject.range_note()),
        mineral=chosen,
        equations=("delivered", "sourcing", "levy"),
    )


def _rows(subject: Subject) -> list[Row]:
    study = subject.study
    outside = set(subject.before.output["country"]) - subject.at.parties
    inside = [price_paid(run, subject.at.parties) for run in (subject.before, subject.after)]
    abroad = [price_received(run, outside) for run in (subject.before, subject.after)]
    reference = dict(study.floors.group_by("good").agg(pl.col("reference_usd_t").max()).iter_rows())
    rows = []
    for mineral in sorted(set(subject.minerals.values())):
        for good in subject.mineral_goods(mineral):
            values = [*(one.get(good) for one in inside), *(one.get(good) for one in abroad), reference.get(good)]
            if values[0] is None and values[2] is None:
                continue
            held = {name: None if v is None else v / 1000.0 for name, v in zip(MARKS, values, strict=True)}
            ends = {side: subject.price_ranges.get((good, side)) for side in ("inside", "outside")}
            known = {
                name: None if (pair := ends[side]) is None else pair[k] / 1000.0 for name, (side, k) in ENDS.items()
            }
            rows.append({"mineral": mineral, "good": good, "stage": subject.at.stage.get(good, ""), **held, **known})
    return rows


def _title(subject: Subject, rows: list[Row]) -> str:
    words = subject.words
    row = next((row for row in rows if row["good"] == subject.chosen), rows[0])
    named = {name: words.price(None if row[name] is None else 1000.0 * row[name]) for name in MARKS}
    key = "floor" if row["reference"] is not None else "plain"
    return words.say(f"figure.ladder.title.{key}", good=words.good(row["good"]), **named)


def _place(k: int, name: str) -> float:
    """Where the mark of a row stands."""
    return k + {"inside": -SHIFT, "outside": SHIFT}.get(name.partition("_")[0], 0.0)


def _changed(row: Row) -> float | None:
    """Relative change of what buyers inside pay; none where it is none."""
    change = (row["inside_after"] or math.nan) / (row["inside_before"] or math.nan) - 1.0
    return change if math.isfinite(change) and abs(change) >= 5e-4 else None


def _far(row: Row) -> float:
    """The rightmost of what is drawn of a row."""
    return max(float(v) for name in (*MARKS, *ENDS) if (v := row[name]) is not None)


def _reach(rows: list[Row]) -> list[float]:
    """The logarithmic axis, with room for the changes beside the rows."""
    every = [math.log10(v) for row in rows for name in (*MARKS, *ENDS) if (v := row[name])]
    span = max(max(every) - min(every), 0.3)
    return [min(every) - 0.06 * span, max(every) + 0.18 * span]


def _screen(subject: Subject, rows: list[Row]) -> dict[str, Any]:
    words = subject.words
    chosen, traces, heights = subject.minerals[subject.chosen], [], {}
    axes: dict[str, dict[str, dict[str, Any]]] = {}
    for mineral in sorted({row["mineral"] for row in rows}):
        own = [row for row in rows if row["mineral"] == mineral]
        about = {"meta": {"by": "good", "mineral": mineral}, "visible": mineral == chosen}
        heights[mineral] = 170 + 48 * len(own)
        ticks = [subject.good(row["good"]) for row in own]
        axes[mineral] = {
            "yaxis": {"tickvals": list(range(len(own))), "ticktext": ticks, "range": [len(own) - 0.4, -0.6]},
            "xaxis": {"range": _reach(own)},
        }
        traces += [{**trace, **about} for trace in (_spans(own), *_marks(subject, own), _changes(words, own))]
    page = screen.layout(
        words.lang, heights[chosen], showlegend=True,
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0}, margin={"t": 70},
        xaxis={"type": "log", "title": {"text": words.say("axis.usd_kg_log"), "standoff": 8}, **axes[chosen]["xaxis"]},
        yaxis={**axes[chosen]["yaxis"], "zeroline": False},
    )  # fmt: skip
    return {"data": traces, "layout": page, "heights": heights, "axes": axes}


def _spans(rows: list[Row]) -> dict[str, Any]:
    """The ranges of the prices under the agreement, as thin lines."""
    ends = [
        (row[f"{side}_low"], row[f"{side}_high"], _place(k, side))
        for k, row in enumerate(rows) for side in ("inside", "outside") if row[f"{side}_low"] is not None
    ]  # fmt: skip
    return {
        "type": "scatter", "mode": "lines", "hoverinfo": "skip", "showlegend": False, "line": {"color": SOFT, "width": 1.4},
        "x": [v if v is None else round(v, 6) for low, high, _ in ends for v in (low, high, None)],
        "y": [v for _, _, at in ends for v in (at, at, None)],
    }  # fmt: skip


def _marks(subject: Subject, rows: list[Row]) -> list[dict[str, Any]]:
    words, made = subject.words, []
    for name, (symbol, _, colour, _) in MARKS.items():
        held = [(k, row) for k, row in enumerate(rows) if row[name] is not None]
        label = words.say(f"figure.ladder.{name}")
        made.append({
            "type": "scatter", "mode": "markers", "name": label, "showlegend": True,
            "x": [round(row[name], 6) for _, row in held], "y": [_place(k, name) for k, _ in held],
            "marker": {"symbol": symbol, "size": 26 if name == "reference" else 11, "color": colour,
                       "line": {"width": 3 if name == "reference" else 2, "color": colour}},
            "customdata": [_hover(subject, row, name, label) for _, row in held],
            "hovertemplate": "%{customdata}<extra></extra>",
        })  # fmt: skip
    return made


def _hover(subject: Subject, row: Row, name: str, label: str) -> str:
    words = subject.words
    said = [f"<b>{subject.good(row['good'])}</b>", f"{label}: {words.price(1000.0 * row[name])}"]
    side, _, when = name.partition("_")
    if when == "after":
        low, high = row[f"{side}_low"], row[f"{side}_high"]
        known = low is not None and high is not None
        ends = {"low": 1000.0 * low, "high": 1000.0 * high} if known else {}
        said.append(words.say("range.price", **ends) if known else words.say("range.unknown"))
    return "<br>".join(said)


def _changes(words: Words, rows: list[Row]) -> dict[str, Any]:
    """What buyers inside pay more or less, beside their row."""
    told = [(k, row, change) for k, row in enumerate(rows) if (change := _changed(row)) is not None]
    return {
        "type": "scatter", "mode": "text", "hoverinfo": "skip", "showlegend": False, "cliponaxis": False,
        "x": [round(_far(row), 6) for _, row, _ in told], "y": [_place(k, "inside") for k, *_ in told],
        "text": [f"\u2002{words.percent(change, True)}" for *_, change in told], "textposition": "middle right",
    }  # fmt: skip


def _paper(canvas: Canvas, subject: Subject, rows: list[Row]) -> None:
    words, axes = subject.words, canvas.subplots()
    for name, (_, mark, colour, filled) in MARKS.items():
        at = [k for k, row in enumerate(rows) if row[name] is not None]
        axes.scatter(
            [rows[k][name] for k in at], [_place(k, name) for k in at], marker=mark, s=190 if name == "reference" else 30,
            zorder=4 if filled else 3, linewidths=2.6 if name == "reference" else 1.3, label=words.say(f"figure.ladder.{name}"),
            **_fill(name, colour, filled),
        )  # fmt: skip
    for k, row in enumerate(rows):
        for side in ("inside", "outside"):
            if row[f"{side}_low"] is not None:
                y = _place(k, side)
                axes.plot([row[f"{side}_low"], row[f"{side}_high"]], [y, y], color=SOFT, linewidth=0.9, zorder=2)
        if (change := _changed(row)) is not None:
            axes.annotate(
                words.percent(change, True), (_far(row), _place(k, "inside")), xytext=(8, 0), textcoords="offset points",
                va="center", size=7.5,
            )  # fmt: skip
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
