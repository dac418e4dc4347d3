"""What do all drawings for the screen share? Type, margins, separators, and the plane of the world.

A drawing is plain JSON for Plotly; what stands on hover is written here, in the reader's language, not by the browser.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from friendshore.report.figures.palette import INK, PAPER, RULE

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
    return {"data": list(traces), "layout": held}


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


def beside(names: Sequence[str], ends: Sequence[float], texts: Sequence[str], **more: Any) -> dict[str, Any]:
    """A figure beside the end of each bar, on the side to which it points: clear of whatever is drawn on the bar."""
    return {
        "type": "scatter", "mode": "text", "hoverinfo": "skip", "showlegend": False, "cliponaxis": False, "y": list(names),
        "x": [round(end, 5) for end in ends], "text": [f" {text} " for text in texts],
        "textposition": ["middle right" if end >= 0 else "middle left" for end in ends], **more,
    }  # fmt: skip
