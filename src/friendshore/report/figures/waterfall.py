"""How does a sum come about? Steps that fall and rise until the total stands, each with the range that is known of it.

Drawn once for every figure that adds up: for the screen as traces, for paper on axes. A whisker spans the least and the most of a
step itself, from where the step begins.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from friendshore.report.figures.figure import style
from friendshore.report.figures.palette import INK, SOFT, of_sign

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from friendshore.report.figures.subject import Subject

MILLION = 1e6
CAP = 0.16  # of a step's own height: half of a whisker's end on paper


@dataclass(frozen=True)
class Step:
    """A step: its name, its size, and the least and the most of it where that is known, USD."""

    name: str
    usd: float
    low: float | None = None
    high: float | None = None


def ends(steps: Sequence[Step], total: Step | None) -> list[tuple[Step, float, float, float]]:
    """Every step with where it begins, where its whisker begins and where it ends, USD million; the total begins at nothing.

    >>> ends([Step("a", -3e6), Step("b", 1e6, 0.5e6, 2e6)], Step("all", -2e6))[1][1:]
    (-3.0, -2.5, -1.0)
    """
    begun = [0.0, *accumulate(step.usd for step in steps)][: len(steps)]
    made = [*zip(steps, begun, strict=True), *([(total, 0.0)] if total else [])]
    return [
        (
            step, start / MILLION, (start + (step.usd if step.low is None else step.low)) / MILLION,
            (start + (step.usd if step.high is None else step.high)) / MILLION,
        )
        for step, start in made
    ]  # fmt: skip


def reach(step: Step) -> tuple[float, float]:
    """The whisker of a bar that begins at nothing, USD million; its end twice where no range is known."""
    low, high = (step.usd if end is None else end for end in (step.low, step.high))
    return low / MILLION, high / MILLION


def tip(step: Step) -> float:
    """Where the figure of such a bar stands: beyond its whisker, on its own side, USD million."""
    return max(step.usd / MILLION, *reach(step)) if step.usd >= 0 else min(step.usd / MILLION, *reach(step))


def span(drawn: Sequence[tuple[Step, float, float, float]], room: float = 0.16) -> list[float]:
    """The axis with room for the figures beside the steps."""
    reached = [0.0, *(v for step, start, low, high in drawn for v in (start, start + step.usd / MILLION, low, high))]
    pad = room * ((max(reached) - min(reached)) or 1.0)
    return [min(reached) - 0.3 * pad, max(reached) + pad]


def on_screen(subject: Subject, steps: Sequence[Step], total: Step, **axes: str) -> list[dict[str, Any]]:
    """The steps with their total, their whiskers, and their figures."""
    words = subject.words
    every, drawn = [*steps, total], ends(steps, total)
    names = [step.name for step in every]
    fall = {
        "type": "waterfall", "orientation": "h", "y": names, "x": [round(step.usd / MILLION, 5) for step in every],
        "measure": ["relative"] * len(steps) + ["total"], "increasing": {"marker": {"color": of_sign(1)}},
        "decreasing": {"marker": {"color": of_sign(-1)}}, "totals": {"marker": {"color": INK}},
        "connector": {"line": {"color": SOFT, "width": 0.7}},
        "customdata": [hover(subject, step) for step in every], "hovertemplate": "%{customdata}<extra></extra>", **axes,
    }  # fmt: skip
    figures = {
        "type": "scatter", "mode": "text", "y": names, "x": [round(_right(*one), 5) for one in drawn], "hoverinfo": "skip",
        "text": [f" {words.millions(step.usd, True)}" for step in every], "textposition": "middle right",
        "cliponaxis": False, **axes,
    }  # fmt: skip
    return [fall, *whiskers(drawn, **axes), figures]


def whiskers(drawn: Sequence[tuple[Step, float, float, float]], **axes: str) -> list[dict[str, Any]]:
    """The ranges as thin lines, light around so that they stand out from any bar; none where a range is not known."""
    known = [(step.name, low, high) for step, _, low, high in drawn if step.low is not None]
    return [
        {
            "type": "scatter", "mode": "lines+markers", "hoverinfo": "skip", "line": {"color": colour, "width": width},
            "marker": {"symbol": "line-ns", "size": 7 + width, "line": {"width": width, "color": colour}},
            "x": [v for _, low, high in known for v in (round(low, 5), round(high, 5), None)],
            "y": [v for name, _, _ in known for v in (name, name, None)], **axes,
        }
        for colour, width in (("#ffffff", 3.6), ("#000000", 1.3))
    ]  # fmt: skip


def hover(subject: Subject, step: Step, under: str = "") -> str:
    """What stands on hover: the figure, under a second line if there is one, and its range, or that this is not known."""
    words = subject.words
    said = words.say("range.unknown")
    if step.low is not None and step.high is not None:
        said = words.say("range.known", low=step.low, high=step.high)
    return "<br>".join(filter(None, (f"<b>{step.name}</b>", under, words.usd(step.usd, True), said)))


def on_paper(axes: Axes, subject: Subject, steps: Sequence[Step], total: Step) -> None:
    """The same on axes, the first step on top."""
    words, drawn = subject.words, ends(steps, total)
    for k, one in enumerate(drawn):
        step, start, low, high = one
        last = k == len(steps)
        axes.barh(k, step.usd / MILLION, left=start, color=INK if last else of_sign(step.usd), height=0.7)
        if not last:
            end = start + step.usd / MILLION
            axes.plot([end, end], [k - 0.35, k + 1.35], color=SOFT, linewidth=0.6)
        if step.low is not None:
            whisker(axes, k, low, high)
        axes.annotate(
            words.millions(step.usd, True), (_right(*one), k), xytext=(4, 0), textcoords="offset points", va="center",
            size=7.5, weight=style(words.lang)["axes.titleweight"] if last else "normal",
        )  # fmt: skip
    axes.set_yticks(range(len(drawn)), [step.name for step, *_ in drawn])
    axes.invert_yaxis()
    axes.set_xlim(*span(drawn))


def whisker(axes: Axes, at: float, low: float, high: float) -> None:
    """A range on paper: a line with two ends, light around so that it stands out from the bar."""
    for colour, width in (("white", 2.4), ("black", 0.9)):
        axes.plot([low, high], [at, at], color=colour, linewidth=width, zorder=3, solid_capstyle="butt")
        for x in (low, high):
            axes.plot([x, x], [at - CAP, at + CAP], color=colour, linewidth=width, zorder=3)


def _right(step: Step, start: float, low: float, high: float) -> float:
    """Where the figure of a step stands: right of the bar and of its whisker."""
    return max(start, start + step.usd / MILLION, low, high)
