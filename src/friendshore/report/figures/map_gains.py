"""Where in the world does the agreement bring money and where does it cost money? A circle on every country, its area the sum."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from friendshore.headline import CODE
from friendshore.report.figures import projection, screen
from friendshore.report.figures.figure import Figure
from friendshore.report.figures.palette import GAIN, INK, LAND, LOSS, SOFT, of_sign

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

    from friendshore.report.figures.subject import Subject

EUROPE = (-0.25, 0.62, 0.76, 1.16)  # x0, x1, y0, y1 of the part that is shown larger
LARGEST = 46.0  # pixels: radius of the largest circle
NAMED = 8  # circles with their name beside them
LETTER = 7.0  # points
Box = tuple[float, float, float, float]
SMALL = 5e3  # USD: below it a country stands still


def draw(subject: Subject) -> Figure:
    """The map of gains and losses."""
    words, gains = subject.words, subject.gains
    spots = projection.places()
    members = dict(subject.at.union)
    rows = [
        (code, words.country(code), members.get(code, ""), code in subject.at.parties, usd)
        for code, usd in sorted(gains.items(), key=lambda pair: (-pair[1], pair[0]))
        if len(code) <= CODE and code in spots
    ]
    schema = {"country": pl.String, "name": pl.String, "union": pl.String, "party": pl.Boolean, "usd": pl.Float64}
    table = pl.DataFrame(rows, schema=schema, orient="row")
    drawn = [row for row in rows if abs(row[4]) >= SMALL]
    up, down = sum(row[4] > 0 for row in drawn), sum(row[4] < 0 for row in drawn)
    budget = {code: usd for code, usd in gains.items() if code in subject.at.budgets and code not in spots}
    notes = [words.say("figure.map.outline")]
    notes += [
        words.say("figure.map_gains.budget", who=words.country(code), usd=words.usd(usd, True))
        for code, usd in sorted(budget.items())
    ]
    return Figure(
        name="map_gains",
        title=_title(subject, rows, up, down),
        subtitle=words.say("figure.map_gains.subtitle"),
        caption=subject.caption(),
        table=table,
        columns={
            "country": words.say("column.code"), "name": words.say("column.country"), "union": words.say("column.union"),
            "party": words.say("column.party"), "usd": words.say("column.change_usd"),
        },
        spec=_screen(subject, drawn),
        paint=lambda canvas: _paper(canvas, subject, drawn),
        height=6.6,
        lang=words.lang,
        notes=tuple(notes),
        equations=("gain",),
    )  # fmt: skip


Row = tuple[str, str, str, bool, float]


def _title(subject: Subject, rows: list[Row], up: int, down: int) -> str:
    words = subject.words
    inside = sum(usd for code, usd in subject.gains.items() if code in subject.at.inside)
    outside = [row for row in rows if not row[3]]
    most = max(outside, key=lambda row: abs(row[4]))
    key = "gain" if inside >= 0 else "lose"
    other = "gains" if most[4] >= 0 else "loses"
    said = words.say(f"figure.map_gains.title.{key}", usd=words.usd(abs(inside)))
    more = words.say(f"figure.map_gains.title.{other}", who=words.place(most[0]), usd=words.usd(abs(most[4])))
    return words.say("figure.map_gains.title", parties=said, most=more, up=up, down=down)


def _radius(usd: float, largest: float) -> float:
    return LARGEST * math.sqrt(abs(usd) / largest)


def _named(subject: Subject, rows: list[Row]) -> set[str]:
    most = sorted(rows, key=lambda row: -abs(row[4]))[:NAMED]
    return {row[0] for row in most} | ({subject.view} if subject.view else set())


def _apart(codes: set[str], rows: list[Row]) -> set[str]:
    """Of some circles those whose names do not stand in one another's way, the larger first."""
    spots, kept = projection.places(), list[str]()
    for code in (row[0] for row in sorted(rows, key=lambda row: -abs(row[4])) if row[0] in codes):
        x, y = spots[code]
        if all(abs(spots[other][1] - y) > 0.09 or abs(spots[other][0] - x) > 0.75 for other in kept):
            kept.append(code)
    return set(kept)


def _screen(subject: Subject, rows: list[Row]) -> dict[str, object]:
    words, spots = subject.words, projection.places()
    largest = max((abs(row[4]) for row in rows), default=1.0)
    order = sorted(rows, key=lambda row: -abs(row[4]))
    named = _apart(_named(subject, rows), rows)
    trace = {
        "type": "scatter", "mode": "markers+text",
        "x": [round(spots[row[0]][0], 4) for row in order], "y": [round(spots[row[0]][1], 4) for row in order],
        "text": [f"{row[1]} {words.millions(row[4], True)}" if row[0] in named else "" for row in order],
        "textposition": "middle right", "textfont": {"size": 12, "color": INK},
        "marker": {
            "size": [round(2 * max(2.0, _radius(row[4], largest)), 1) for row in order],
            "color": [of_sign(row[4]) for row in order], "opacity": 0.78,
            "line": {"color": [INK if row[0] in subject.viewed and subject.view else "#ffffff" for row in order],
                     "width": [2.5 if row[0] in subject.viewed and subject.view else 0.8 for row in order]},
        },
        "customdata": [f"<b>{row[1]}</b><br>{words.usd(row[4], True)}" for row in order],
        "ids": [row[0] for row in order], "meta": {"by": "country"},
        "hovertemplate": "%{customdata}<extra></extra>",
    }  # fmt: skip
    return screen.world(words.lang, [trace])


def _paper(canvas: Canvas, subject: Subject, rows: list[Row]) -> None:
    grid = canvas.add_gridspec(2, 1, height_ratios=(3.75, 2.55))
    largest = max((abs(row[4]) for row in rows), default=1.0)
    whole, near = canvas.add_subplot(grid[0]), canvas.add_subplot(grid[1])
    outlined(whole, (-2.72, 2.72, -1.06, 1.33))
    _circles(whole, subject, rows, largest, europe=False)
    outlined(near, EUROPE)
    _circles(near, subject, rows, largest, europe=True)
    near.set_title(subject.words.say("figure.map.europe"))
    _key(whole, subject)


def outlined(axes: Axes, box: Box) -> None:
    """The land on axes that show the part `box` of the plane."""
    from matplotlib.collections import PolyCollection

    pieces = [np.column_stack(piece) for piece in projection.land()]
    axes.add_collection(PolyCollection(pieces, facecolors=LAND, edgecolors="#cfccc4", linewidths=0.4), autolim=False)
    axes.set(xlim=box[:2], ylim=box[2:], aspect="equal", xticks=[], yticks=[])
    for side in axes.spines.values():
        side.set_visible(False)


def _circles(axes: Axes, subject: Subject, rows: list[Row], largest: float, *, europe: bool) -> None:
    spots, words = projection.places(), subject.words
    named = _named(subject, rows)
    point = ((EUROPE[1] - EUROPE[0]) / 5.6 if europe else 5.44 / 8.6) / 72.0
    taken = [
        _around(*spots[row[0]], 0.45 * _radius(row[4], largest) * point) for row in rows if _radius(row[4], largest) > 6
    ]
    drawn = [row for row in sorted(rows, key=lambda row: -abs(row[4])) if not europe or _within(spots[row[0]])]
    ringed = [subject.view is not None and row[0] in subject.viewed for row in drawn]
    axes.scatter(
        [spots[row[0]][0] for row in drawn], [spots[row[0]][1] for row in drawn], alpha=0.78, zorder=3,
        s=[max(3.2, _radius(row[4], largest)) ** 2 for row in drawn], c=[of_sign(row[4]) for row in drawn],
        linewidths=[1.6 if ring else 0.4 for ring in ringed], edgecolors=[INK if ring else "white" for ring in ringed],
    )  # fmt: skip
    for code, name, _, _, usd in drawn:
        if (europe and abs(usd) > 1e5) or (not europe and not _within(spots[code]) and code in named):
            x, y = spots[code]
            label = f"{name} {words.millions(usd, True)}"
            at = free(taken, x, y, max(3.2, _radius(usd, largest)), len(label), 72.0 * point, europe)
            if at is not None:
                axes.annotate(label, (x, y), xytext=at, textcoords="offset points", size=LETTER, va="center", zorder=4)


def _within(spot: tuple[float, float]) -> bool:
    return EUROPE[0] < spot[0] < EUROPE[1] and EUROPE[2] < spot[1] < EUROPE[3]


def _around(x: float, y: float, half: float) -> Box:
    return x - half, x + half, y - half, y + half


def free(
    taken: list[Box], x: float, y: float, side: float, letters: int, inch: float, europe: bool
) -> tuple[float, float] | None:
    """Where the label of a circle finds room, in points from its middle: right, left, below or above; none if nowhere.

    `inch` is the width of the plane that an inch of paper shows.
    """
    point = inch / 72.0
    wide, high = 0.56 * LETTER * letters, 1.25 * LETTER
    for dx, dy in (
        (side / 2 + 2, 0.0),
        (-side / 2 - 2 - wide, 0.0),
        (-wide / 2, -side / 2 - 5),
        (-wide / 2, side / 2 + 5),
    ):
        left, low = x + dx * point, y + (dy - high / 2) * point
        box = (left, left + wide * point, low, low + high * point)
        apart = all(box[1] < b[0] or b[1] < box[0] or box[3] < b[2] or b[3] < box[2] for b in taken)
        if apart and (not europe or (EUROPE[0] < box[0] and box[1] < EUROPE[1])):
            taken.append(box)
            return dx, dy
    return None


def _key(axes: Axes, subject: Subject) -> None:
    words = subject.words
    axes.scatter([-2.55], [-0.62], s=60, color=GAIN, alpha=0.78)
    axes.text(-2.45, -0.62, words.say("figure.gain"), va="center", size=7.5, color=SOFT)
    axes.scatter([-2.55], [-0.8], s=60, color=LOSS, alpha=0.78)
    axes.text(-2.45, -0.8, words.say("figure.loss"), va="center", size=7.5, color=SOFT)
    axes.text(-2.6, -0.98, words.say("figure.map_gains.key"), va="center", size=7, color=SOFT)
