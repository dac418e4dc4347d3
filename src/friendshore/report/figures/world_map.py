"""How is something of every country drawn on a map? One colour for each country within its borders, on paper and on the screen.

Equal Earth, so that areas are true. A country that is too small to be seen is a circle of its colour; the edge of the country
that the report speaks to and of its customs union stand out. What the colour means is the business of the map that asks.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from friendshore.report.figures import projection, screen
from friendshore.report.figures.palette import INK, LAND, SOFT

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

    from friendshore.report.figures.subject import Subject

Box = tuple[float, float, float, float]  # x0, x1, y0, y1 of the plane
WORLD: Box = (-2.72, 2.72, -1.06, 1.33)
EUROPE: Box = (-0.25, 0.68, 0.7, 1.2)
SEEN = 9e-4  # of the plane: a smaller country is drawn as a circle on the map of the world
BORDER = "#8f8b82"
LETTER = 7.0  # points
SCREEN_POINT = 7.0  # pixels: radius of a circle


@dataclass(frozen=True)
class Land:
    """What a map says of a country.

    hover : on the screen;  label : beside it, none if empty;  weight : whose label goes first
    hatched : on paper, so that two colours that print alike stay apart
    shown : whether the label stands on the screen too
    """

    code: str
    colour: str
    hover: str
    label: str = ""
    weight: float = 0.0
    hatched: bool = False
    shown: bool = True


Key = Sequence[tuple[str, str, bool]]  # colour, text below its left edge, hatched


def small(code: str) -> bool:
    """Whether a country is a circle on the map of the world."""
    return projection.areas().get(code, 0.0) < SEEN


def edges(subject: Subject) -> dict[str, list[tuple[np.ndarray, np.ndarray]]]:
    """The outer borders that stand out: of the view, and of the union that it is or is in; of unions of parties without one."""
    shapes, unions = projection.countries(), subject.at.union
    view = subject.view
    if view is None:
        shown = {unions[code] for code in subject.at.parties if code in unions}
    else:
        shown = {unions.get(view, view)} & set(unions.values())
    made = {}
    for union in sorted(shown):
        made[union] = projection.edge(code for code, held in unions.items() if held == union and code in shapes)
    if view is not None and view in shapes:
        made[view] = projection.edge([view])
    return made


# -- the screen ---------------------------------------------------------------------------------------------------------


def on_screen(
    subject: Subject, sets: Iterable[tuple[str, Sequence[Land]]], key: Key, first: str = ""
) -> dict[str, Any]:
    """The drawing for the screen: one set of lands for each mineral, or one of no mineral."""
    traces: list[dict[str, Any]] = [_ground()]
    for mineral, lands in sets:
        traces += _set(lands, {"mineral": mineral} if mineral else {}, mineral == first)
    for code, lines in edges(subject).items():
        xs, ys = _joined(lines)
        traces.append({
            "type": "scatter", "mode": "lines", "x": xs, "y": ys, "hoverinfo": "skip",
            "line": {"color": INK, "width": 1.5 if code == subject.view else 0.9},
        })  # fmt: skip
    held = screen.world(subject.words.lang, traces)
    held["layout"] |= _legend(key)
    return held


def _ground() -> dict[str, Any]:
    """All countries, without a colour, as one trace."""
    xs, ys = _joined(ring for rings in projection.countries().values() for ring in rings)
    return {
        "type": "scatter", "mode": "lines", "x": xs, "y": ys, "fill": "toself", "fillcolor": LAND, "hoverinfo": "skip",
        "line": {"width": 0.4, "color": BORDER},
    }  # fmt: skip


def _set(lands: Sequence[Land], more: dict[str, str], visible: bool) -> list[dict[str, Any]]:
    shapes, spots = projection.countries(), projection.places()
    traces: list[dict[str, Any]] = [
        {
            "type": "scatter", "mode": "lines", "fill": "toself", "fillcolor": land.colour, "hoveron": "fills",
            "line": {"width": 0.4, "color": BORDER}, "text": land.hover, "hoverinfo": "text", "visible": visible,
            "meta": {"by": "country", "code": land.code, "shape": land.code, **more},
        }
        for land in lands if land.code in shapes
    ]  # fmt: skip
    dots = [land for land in lands if small(land.code) and land.code in spots]
    if dots:
        traces.append({
            "type": "scatter", "mode": "markers", "x": [round(spots[d.code][0], 4) for d in dots],
            "y": [round(spots[d.code][1], 4) for d in dots], "ids": [d.code for d in dots], "visible": visible,
            "meta": {"by": "country", **more}, "customdata": [d.hover for d in dots],
            "hovertemplate": "%{customdata}<extra></extra>",
            "marker": {"size": SCREEN_POINT, "color": [d.colour for d in dots], "line": {"width": 0.8, "color": SOFT}},
        })  # fmt: skip
    named = _apart([land for land in lands if land.label and land.shown and land.code in spots])
    if named:
        traces.append({
            "type": "scatter", "mode": "text", "x": [round(spots[d.code][0], 4) for d in named], "visible": visible,
            "y": [round(spots[d.code][1], 4) for d in named], "text": [d.label for d in named], "hoverinfo": "skip",
            "textposition": "middle center", "textfont": {"size": 12, "color": INK, "shadow": HALO}, "meta": dict(more),
        })  # fmt: skip
    return traces


HALO = ", ".join(f"{x}px {y}px 2px #fff" for x in (-1, 0, 1) for y in (-1, 0, 1))


def _apart(lands: Sequence[Land]) -> list[Land]:
    """Of some labels those that do not stand in one another's way, the weightier first."""
    spots, kept = projection.places(), list[Land]()
    for land in sorted(lands, key=lambda land: (-land.weight, land.code)):
        x, y = spots[land.code]
        wide = 0.0195 * len(land.label)
        if all(
            abs(spots[k.code][1] - y) > 0.075 or abs(spots[k.code][0] - x) > wide + 0.0195 * len(k.label) for k in kept
        ):
            kept.append(land)
    return kept


def _legend(key: Key) -> dict[str, Any]:
    """The key as a row of fields below the map."""
    wide = min(0.09, 0.96 / len(key))
    fields = [
        {"type": "rect", "xref": "paper", "yref": "paper", "x0": wide * k + 0.02, "x1": wide * (k + 1) + 0.02, "y0": -0.03, "y1": -0.005,
         "fillcolor": colour, "line": {"width": 0.5, "color": "#ffffff"}}
        for k, (colour, _, _) in enumerate(key)
    ]  # fmt: skip
    texts = [
        {"xref": "paper", "yref": "paper", "x": wide * k + 0.02, "y": -0.035, "text": text, "showarrow": False, "xanchor": "center",
         "yanchor": "top", "font": {"size": 11, "color": SOFT}}
        for k, (_, text, _) in enumerate(key) if text
    ]  # fmt: skip
    return {"shapes": fields, "annotations": texts, "margin": {"l": 0, "r": 0, "t": 0, "b": 44}}


def drawn_shapes() -> dict[str, list[list[float | None]]]:
    """Country code -> x and y of its polygons, as the page holds them once for all its maps."""
    return {code: [*_joined(rings)] for code, rings in projection.countries().items()}


def _joined(lines: Iterable[tuple[np.ndarray, np.ndarray]]) -> tuple[list[float | None], list[float | None]]:
    xs: list[float | None] = []
    ys: list[float | None] = []
    for x, y in lines:
        xs += [*np.round(x, 3).tolist(), None]
        ys += [*np.round(y, 3).tolist(), None]
    return xs, ys


# -- paper --------------------------------------------------------------------------------------------------------------


def on_paper(canvas: Canvas, subject: Subject, lands: Sequence[Land], key: Key, said: str) -> None:
    """The world above, Europe larger below it, and the key with what it says."""
    grid = canvas.add_gridspec(2, 1, height_ratios=(3.75, 3.1))
    whole, near = canvas.add_subplot(grid[0]), canvas.add_subplot(grid[1])
    _map(whole, subject, lands, WORLD)
    _map(near, subject, lands, EUROPE)
    near.set_title(subject.words.say("figure.map.europe"))
    _fields(whole, key, said)


def _map(axes: Axes, subject: Subject, lands: Sequence[Land], box: Box) -> None:
    from matplotlib.collections import PolyCollection
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    europe = box is EUROPE
    shapes, spots = projection.countries(), projection.places()
    drawn = {land.code for land in lands}
    ground = [
        np.column_stack(r) for code, rings in shapes.items() if code not in drawn for r in rings if _meets(r, box)
    ]
    axes.add_collection(PolyCollection(ground, facecolors=LAND, edgecolors=BORDER, linewidths=0.3), autolim=False)
    for land in lands:
        rings = [ring for ring in shapes.get(land.code, ()) if _meets(ring, box)]
        if not rings:
            continue
        path = Path.make_compound_path(*(Path(np.column_stack(ring), closed=True) for ring in rings))
        axes.add_patch(
            PathPatch(
                path, facecolor=land.colour, edgecolor=BORDER, linewidth=0.3, hatch=HATCH if land.hatched else None
            )
        )
    for code, lines in edges(subject).items():
        for x, y in lines:
            axes.plot(x, y, color=INK, linewidth=1.1 if code == subject.view else 0.7, zorder=2.5)
    scale = (
        6.0 / (EUROPE[1] - EUROPE[0]) if europe else 8.6 / (WORLD[1] - WORLD[0])
    )  # inches of paper for one of the plane
    zoom = (8.6 / (WORLD[1] - WORLD[0]) / scale) ** 2
    dots = [
        d
        for d in lands
        if d.code in spots and projection.areas().get(d.code, 0.0) < SEEN * zoom and within(spots[d.code], box)
    ]
    axes.scatter(
        [spots[d.code][0] for d in dots], [spots[d.code][1] for d in dots], s=16 if not europe else 40, zorder=3,
        c=[d.colour for d in dots], edgecolors=SOFT, linewidths=0.5,
    )  # fmt: skip
    _labels(axes, lands, box, 1.0 / scale)
    axes.set(xlim=box[:2], ylim=box[2:], aspect="equal", xticks=[], yticks=[])
    for side in axes.spines.values():
        side.set_visible(False)


HATCH = "/////"


def _meets(ring: tuple[np.ndarray, np.ndarray], box: Box) -> bool:
    """Whether a ring's own box and a part of the plane have a point in common."""
    x, y = ring
    return bool(x.max() > box[0] and x.min() < box[1] and y.max() > box[2] and y.min() < box[3])


def _labels(axes: Axes, lands: Sequence[Land], box: Box, inch: float) -> None:
    from matplotlib.patheffects import withStroke

    spots, taken = projection.places(), list[Box]()
    europe = box is EUROPE
    for land in sorted(lands, key=lambda land: (-land.weight, land.code)):
        if not land.label or land.code not in spots or not within(spots[land.code], box):
            continue
        if not europe and within(spots[land.code], EUROPE):
            continue  # stands on the larger map
        x, y = spots[land.code]
        at = _free(taken, x, y, len(land.label), inch, box)
        if at is not None:
            axes.annotate(
                land.label, (x, y), xytext=at, textcoords="offset points", size=LETTER, va="center", zorder=4,
                path_effects=[withStroke(linewidth=1.6, foreground="white")],
            )  # fmt: skip


def within(spot: tuple[float, float], box: Box) -> bool:
    """Whether a place stands on a part of the plane."""
    return box[0] < spot[0] < box[1] and box[2] < spot[1] < box[3]


def _free(taken: list[Box], x: float, y: float, letters: int, inch: float, box: Box) -> tuple[float, float] | None:
    """Where a label finds room, in points from its place: on it, below or above; none if nowhere.

    `inch` is the width of the plane that an inch of paper shows.
    """
    point = inch / 72.0
    wide, high = 0.56 * LETTER * letters, 1.25 * LETTER
    for dx, dy in ((-wide / 2, 0.0), (-wide / 2, -high), (-wide / 2, high)):
        left, low = x + dx * point, y + (dy - high / 2) * point
        mine = (left, left + wide * point, low, low + high * point)
        apart = all(mine[1] < b[0] or b[1] < mine[0] or mine[3] < b[2] or b[3] < mine[2] for b in taken)
        if apart and box[0] < mine[0] and mine[1] < box[1] and box[2] < mine[2] and mine[3] < box[3]:
            taken.append(mine)
            return dx, dy
    return None


def _fields(axes: Axes, key: Key, said: str) -> None:
    left, wide = -2.66, min(0.17, 1.6 / len(key))
    axes.text(left, -0.7, said, size=7, color=SOFT, va="bottom")
    for k, (colour, text, hatched) in enumerate(key):
        x = left + wide * k
        axes.fill([x, x + wide, x + wide, x], [-0.8, -0.8, -0.7, -0.7], facecolor=colour, edgecolor=BORDER, linewidth=0.4,
                  hatch=HATCH if hatched else None)  # fmt: skip
        if text:
            axes.text(x, -0.89, text, size=6.5, color=SOFT, ha="center")
