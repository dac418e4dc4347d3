"""What do all drawings for the screen share? Type, margins, separators, and the world's outline as a trace.

A drawing is plain JSON for Plotly; what stands on hover is written here, in the reader's language, not by the browser.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from friendshore.report.figures import projection
from friendshore.report.figures.palette import INK, LAND, PAPER, RULE

FONT = "system-ui, -apple-system, 'Segoe UI', 'Noto Sans', 'Hiragino Sans', 'Noto Sans JP', sans-serif"
AXIS: Mapping[str, Any] = {
    "automargin": True, "zerolinecolor": "#767676", "zerolinewidth": 1.2, "gridcolor": "#ececec", "linecolor": RULE,
    "ticks": "", "title": {"standoff": 8},
}  # fmt: skip


def layout(lang: str, height: int, **more: Any) -> dict[str, Any]:
    """The layout of a drawing, `more` on top."""
    point = {"en": ".,", "ja": ".,"}.get(lang, ",\u202f")
    base: dict[str, Any] = {
        "font": {"family": FONT, "size": 13, "color": INK},
        "paper_bgcolor": PAPER, "plot_bgcolor": PAPER, "height": height, "separators": point,
        "margin": {"l": 8, "r": 12, "t": 26, "b": 40}, "showlegend": False, "hovermode": "closest",
        "hoverlabel": {"align": "left", "bgcolor": "#ffffff", "bordercolor": INK, "font": {"color": INK, "family": FONT}},
        "xaxis": dict(AXIS), "yaxis": dict(AXIS),
    }  # fmt: skip
    for key, value in more.items():
        base[key] = {**base[key], **value} if isinstance(value, dict) and isinstance(base.get(key), dict) else value
    return base


def axis(**more: Any) -> dict[str, Any]:
    """An axis."""
    return {**AXIS, **more}


def outline() -> dict[str, Any]:
    """The land, as one filled trace."""
    xs: list[float | None] = []
    ys: list[float | None] = []
    for x, y in projection.land():
        xs += [*np.round(x, 4).tolist(), None]
        ys += [*np.round(y, 4).tolist(), None]
    return {
        "type": "scatter", "mode": "lines", "x": xs, "y": ys, "fill": "toself", "fillcolor": LAND,
        "line": {"width": 0.5, "color": "#cfccc4"}, "hoverinfo": "skip",
    }  # fmt: skip


def world(lang: str, traces: Iterable[Mapping[str, Any]], height: int = 440) -> dict[str, Any]:
    """Traces of projected points upon the world."""
    bare = {"visible": False, "fixedrange": False}
    held = layout(
        lang,
        height,
        margin={"l": 0, "r": 0, "t": 0, "b": 0},
        xaxis=bare | {"range": [-2.72, 2.72]},
        yaxis=bare | {"range": [-1.06, 1.33], "scaleanchor": "x", "scaleratio": 1},
        dragmode="pan",
    )
    return {"data": [outline(), *traces], "layout": held}


def bars(
    names: Sequence[str], values: Sequence[float], *, colours: Sequence[str], labels: Sequence[str], hover: Sequence[str],
    **more: Any,
) -> dict[str, Any]:  # fmt: skip
    """Horizontal bars, the first on top, each with its figure."""
    return {
        "type": "bar", "orientation": "h", "y": list(names), "x": [round(v, 6) for v in values],
        "marker": {"color": list(colours)}, "text": list(labels), "textposition": "outside", "cliponaxis": False,
        "customdata": list(hover), "hovertemplate": "%{customdata}<extra></extra>", **more,
    }  # fmt: skip


def span(steps: Sequence[float]) -> list[float]:
    """The axis of a waterfall, with room for the figures beside its steps."""
    ends = [0.0, *np.cumsum(steps).tolist()]
    pad = 0.14 * (max(ends) - min(ends))
    return [min(ends) - pad, max(ends) + pad]
