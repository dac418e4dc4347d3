"""On whom does each party hang? For every product the largest outsider's share in what a party uses, before and after."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from friendshore.report.figures import projection, screen
from friendshore.report.figures.figure import Figure
from friendshore.report.figures.map_gains import LETTER, Box
from friendshore.report.figures.palette import BANDS, INK, LAND, SOFT, of_share

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

    from friendshore.report.figures.subject import Subject

LIMIT = 0.65  # of one outsider, at one stage: the benchmark of the EU's Critical Raw Materials Act for 2030
STAGE = "refined"
SIZE = 15.0  # pixels of a mark on the screen
Row = dict[str, Any]


def draw(subject: Subject) -> Figure | None:
    """The map of dependence; nothing where no party uses what a chain ends in."""
    words = subject.words
    rows = _rows(subject)
    if not rows:
        return None
    mineral = subject.minerals[subject.chosen]
    if all(row["mineral"] != mineral for row in rows):
        mineral = rows[0]["mineral"]
    shown = _largest(subject, [row for row in rows if row["mineral"] == mineral])
    schema = {
        "mineral": pl.String, "good": pl.String, "stage": pl.String, "country": pl.String, "supplier": pl.String,
        "before": pl.Float64, "after": pl.Float64,
    }  # fmt: skip
    heads = {name: words.say(f"column.{name}") for name in ("mineral", "good", "stage", "country", "supplier")}
    told = [{**row, "before": 100.0 * row["before"], "after": 100.0 * row["after"]} for row in rows]
    return Figure(
        name="map_dependence",
        title=_title(subject, shown),
        subtitle=words.say(
            "figure.dependence.subtitle",
            good=words.good(shown[0]["good"]),
            stage=words.stage(shown[0]["stage"]),
            limit=words.percent(LIMIT, places=0),
        ),
        caption=subject.caption(),
        table=pl.DataFrame(told, schema=schema, orient="row"),
        columns=heads | {"before": words.say("column.share_before"), "after": words.say("column.share_after")},
        spec=_screen(subject, rows, mineral),
        paint=lambda canvas: _paper(canvas, subject, shown),
        height=6.6,
        lang=words.lang,
        notes=(words.say("figure.dependence.note"), words.say("figure.map.outline")),
        mineral=mineral,
        equations=("dependence",),
    )


def _rows(subject: Subject) -> list[Row]:
    """The largest outsider of the status quo for every end of a chain, party by party, where its mineral is refined."""
    outside = ~pl.col("origin").is_in(sorted(subject.at.parties)) & (pl.col("origin") != "")
    kept = subject.study.dependence.filter(outside & (pl.col("stage") == STAGE))
    keys = ["good", "country", "stage", "origin"]
    summed = kept.group_by(keys).agg(pl.col("before", "after").sum()).sort([*keys])
    top = (
        summed.sort(["before", "origin"], descending=[True, False])
        .group_by("good", "country", "stage", maintain_order=True)
        .first()
    )
    rows = [
        {
            "mineral": subject.minerals[good],
            "good": good,
            "stage": stage,
            "country": country,
            "supplier": origin,
            "before": b,
            "after": a,
        }
        for good, country, stage, origin, b, a in top.sort("good", "country").iter_rows()
        if max(a, b) > 0.0005
    ]
    return sorted(rows, key=lambda row: (row["mineral"], row["good"], -row["before"], row["country"]))


def _largest(subject: Subject, rows: list[Row]) -> list[Row]:
    """The rows of the one end of a mineral's chain that most parties use."""
    goods = sorted({row["good"] for row in rows}, key=lambda good: (-sum(row["good"] == good for row in rows), good))
    return [row for row in rows if row["good"] == goods[0]]


def _title(subject: Subject, rows: list[Row]) -> str:
    words = subject.words
    return words.say(
        "figure.dependence.title", good=words.good(rows[0]["good"]), all=len(rows), limit=words.percent(LIMIT, places=0),
        before=sum(row["before"] > LIMIT for row in rows), after=sum(row["after"] > LIMIT for row in rows),
    )  # fmt: skip


def _screen(subject: Subject, rows: list[Row], first: str) -> dict[str, Any]:
    words, spots = subject.words, projection.places()
    traces = []
    for mineral in sorted({row["mineral"] for row in rows}):
        own = [
            row for row in _largest(subject, [r for r in rows if r["mineral"] == mineral]) if row["country"] in spots
        ]
        traces.append({
            "type": "scatter", "mode": "markers", "x": [round(spots[row["country"]][0], 4) for row in own],
            "y": [round(spots[row["country"]][1], 4) for row in own], "ids": [row["country"] for row in own],
            "meta": {"by": "country", "mineral": mineral}, "visible": mineral == first,
            "marker": {"size": SIZE, "color": [of_share(row["after"]) for row in own], "line": {"width": 1.2, "color": INK}},
            "customdata": [
                "<br>".join((f"<b>{subject.name(row['country'])}</b>", words.say(
                    "figure.dependence.hover", good=words.good(row["good"]), supplier=subject.name(row["supplier"]),
                    before=words.percent(row["before"]), after=words.percent(row["after"]),
                ))) for row in own
            ],
            "hovertemplate": "%{customdata}<extra></extra>",
        })  # fmt: skip
    return screen.world(words.lang, traces)


def _paper(canvas: Canvas, subject: Subject, rows: list[Row]) -> None:
    from friendshore.report.figures.map_gains import EUROPE, outlined

    grid = canvas.add_gridspec(2, 1, height_ratios=(3.75, 2.55))
    whole, near = canvas.add_subplot(grid[0]), canvas.add_subplot(grid[1])
    outlined(whole, (-2.72, 2.72, -1.06, 1.33))
    outlined(near, EUROPE)
    near.set_title(subject.words.say("figure.map.europe"))
    _marks(whole, subject, rows, None)
    _marks(near, subject, rows, EUROPE)
    _bands(whole, subject)


def _marks(axes: Axes, subject: Subject, rows: list[Row], box: Box | None) -> None:
    from friendshore.report.figures.map_gains import EUROPE, free

    spots, words = projection.places(), subject.words
    taken: list[Box] = []
    for row in sorted(rows, key=lambda row: -abs(row["after"] - row["before"])):
        if row["country"] not in spots:
            continue
        x, y = spots[row["country"]]
        inside = EUROPE[0] < x < EUROPE[1] and EUROPE[2] < y < EUROPE[3]
        if box is not None and not inside:
            continue
        small = box is None and inside
        axes.scatter(
            [x], [y], s=22 if small else 62, color=of_share(row["after"]), edgecolors=INK, linewidths=0.7, zorder=3
        )
        if small:
            continue
        label = words.say(
            "figure.dependence.label", country=subject.name(row["country"]), before=words.number(100 * row["before"], 2), after=words.number(100 * row["after"], 2)
        )  # fmt: skip
        at = free(taken, x, y, 9.0, len(label), (EUROPE[1] - EUROPE[0]) / 5.6 if box else 5.44 / 8.6, box is not None)
        if at is not None:
            axes.annotate(label, (x, y), xytext=at, textcoords="offset points", size=LETTER, va="center", zorder=4)


def _bands(axes: Axes, subject: Subject) -> None:
    words = subject.words
    axes.text(-2.6, -0.62, words.say("figure.dependence.key"), size=7, color=SOFT)
    for k, colour in enumerate(BANDS):
        axes.fill(
            [-2.6 + 0.2 * k, -2.4 + 0.2 * k, -2.4 + 0.2 * k, -2.6 + 0.2 * k],
            [-0.78, -0.78, -0.68, -0.68],
            color=colour,
            linewidth=0,
        )
    for k in (0, len(BANDS)):
        axes.text(-2.6 + 0.2 * k, -0.88, words.percent(k / len(BANDS), places=0), size=7, color=SOFT, ha="center")
    axes.scatter([], [], color=LAND)
