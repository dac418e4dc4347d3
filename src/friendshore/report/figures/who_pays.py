"""Who pays, who is paid? Every group's change, one after the other, until the world's total stands; and the countries behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from friendshore.headline import CODE
from friendshore.report.figures import screen, waterfall
from friendshore.report.figures.figure import Figure
from friendshore.report.figures.palette import INK, RULE, of_country
from friendshore.report.figures.waterfall import Step

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

    from friendshore.report.figures.subject import Subject

ENDS = 7  # countries at each end that are drawn
SIDES = {"in": ", parties", "out": ", outside", "firm": ""}  # side -> what the study's groups of it end in
Group = tuple[str, str, Step]  # side, label, step
Country = tuple[str, bool, Step]  # code, whether inside, step


def draw(subject: Subject) -> Figure | None:
    """The waterfall by group, and the countries that gain and lose most."""
    words = subject.words
    groups, lands = _groups(subject), _countries(subject)
    if not groups:
        return None
    rows = [("group", side, label, step) for side, label, step in groups]
    rows += [("country", "in" if inside else "out", step.name, step) for _, inside, step in lands]
    schema = {
        "kind": pl.String, "side": pl.String, "who": pl.String, "usd": pl.Float64, "low": pl.Float64, "high": pl.Float64,
    }  # fmt: skip
    told = {"group": words.say("figure.who_pays.groups"), "country": words.say("figure.who_pays.countries")}
    sides = {
        "in": words.say("figure.side.parties"),
        "out": words.say("figure.side.outside"),
        "firm": words.say("figure.side.firms"),
    }
    table = pl.DataFrame(
        [(told[k], sides[s], w, t.usd, t.low, t.high) for k, s, w, t in rows], schema=schema, orient="row"
    )
    return Figure(
        name="who_pays",
        title=_title(subject, groups),
        subtitle=words.say("figure.who_pays.subtitle"),
        caption=subject.caption(),
        table=table,
        columns={
            "kind": words.say("column.kind"), "side": words.say("column.side"), "who": words.say("column.who"),
            "usd": words.say("column.change_usd"), "low": words.say("column.low"), "high": words.say("column.high"),
        },
        spec=_screen(subject, groups, lands),
        paint=lambda canvas: _paper(canvas, subject, groups, lands),
        height=4.6,
        lang=words.lang,
        notes=(*subject.range_note(), words.say("figure.who_pays.note")),
        equations=("gain", "users", "producers", "levy"),
    )  # fmt: skip


def _groups(subject: Subject) -> list[Group]:
    """Groups of the parties, then of those outside, losers first; nothing under a ten-thousandth of the largest."""
    words = subject.words
    held = [(group, float(usd)) for group, usd in subject.study.groups.iter_rows()]
    least = 1e-4 * max((abs(usd) for _, usd in held), default=0.0)
    short = {"in": "figure.short.parties", "out": "figure.short.outside", "firm": "figure.short.firms"}
    made: list[Group] = []
    for side, suffix in SIDES.items():
        own = [(g, u) for g, u in held if (g.endswith(suffix) if suffix else ", " not in g) and abs(u) > least]
        for group, usd in sorted(own, key=lambda pair: pair[1]):
            label = words.group(group.removesuffix(suffix))
            name = words.say(short[side], who=label)
            made.append((side, label, Step(name, usd, *subject.range_of("group", group))))
    return made


def _countries(subject: Subject) -> list[Country]:
    held = [(c, c in subject.at.inside, u) for c, u in subject.gains.items() if len(c) <= CODE]
    held.sort(key=lambda row: -row[2])
    kept = [row for row in held if row[2] > 0][:ENDS] + [row for row in held if row[2] < 0][-ENDS:]
    if subject.view and subject.view in subject.gains and all(row[0] != subject.view for row in kept):
        kept += [row for row in held if row[0] == subject.view]
    return [
        (code, inside, Step(subject.name(code), usd, *subject.range_of("holder", code)))
        for code, inside, usd in sorted(kept, key=lambda row: -row[2])
    ]


def _title(subject: Subject, groups: list[Group]) -> str:
    words = subject.words
    pays, gets = min(groups, key=lambda g: g[2].usd), max(groups, key=lambda g: g[2].usd)
    side = {"in": "figure.of.parties", "out": "figure.of.outside", "firm": "figure.of.firms"}
    return words.say(
        "figure.who_pays.title",
        payer=words.say(side[pays[0]], who=pays[1]), paid=words.usd(-pays[2].usd),
        winner=words.say(side[gets[0]], who=gets[1]), won=words.usd(gets[2].usd),
    )  # fmt: skip


def _world(subject: Subject, groups: list[Group]) -> Step:
    total = sum(step.usd for *_, step in groups)
    return Step(subject.words.say("figure.world_total"), total, *subject.range_of("side", "world"))


def _screen(subject: Subject, groups: list[Group], lands: list[Country]) -> dict[str, object]:
    words, total = subject.words, _world(subject, groups)
    steps, bars = [step for *_, step in groups], [(step, 0.0, *waterfall.reach(step)) for *_, step in lands]
    side = screen.bars(
        [step.name for *_, step in lands], [step.usd / 1e6 for *_, step in lands],
        colours=[of_country(code) for code, *_ in lands], labels=[""] * len(lands),
        hover=[waterfall.hover(subject, step) for *_, step in lands],
        xaxis="x2", yaxis="y2", ids=[code for code, *_ in lands], meta={"by": "country"},
    )  # fmt: skip
    figures = screen.beside(
        [step.name for *_, step in lands], [waterfall.tip(step) for *_, step in lands],
        [words.millions(step.usd, True) for *_, step in lands], xaxis="x2", yaxis="y2",
    )  # fmt: skip
    unit = {"text": words.say("axis.usd_million"), "standoff": 8}
    return {
        "data": [
            *waterfall.on_screen(subject, steps, total, xaxis="x", yaxis="y"), side,
            *waterfall.whiskers(bars, xaxis="x2", yaxis="y2"), figures,
        ],
        "layout": screen.layout(
            words.lang, 960,
            yaxis={"autorange": "reversed", "domain": [0.55, 1.0]},
            xaxis={"title": unit, "anchor": "y", "zeroline": True, "range": waterfall.span(waterfall.ends(steps, total))},
            yaxis2=screen.axis(autorange="reversed", domain=[0.0, 0.44], anchor="x2"),
            xaxis2=screen.axis(title=unit, anchor="y2", zeroline=True),
        ),
    }  # fmt: skip


def _both(lands: list[Country], room: float) -> list[float]:
    """The axis of the countries, with room for figures at both ends."""
    reached = [0.0, *(v for *_, step in lands for v in (step.usd / 1e6, *waterfall.reach(step)))]
    pad = room * ((max(reached) - min(reached)) or 1.0)
    return [min(reached) - pad, max(reached) + pad]


def _paper(canvas: Canvas, subject: Subject, groups: list[Group], lands: list[Country]) -> None:
    words = subject.words
    left, right = canvas.subplots(1, 2, width_ratios=(1.5, 1.0))
    waterfall.on_paper(left, subject, [step for *_, step in groups], _world(subject, groups))
    left.set_title(words.say("figure.who_pays.groups"))
    for k, (code, _, step) in enumerate(lands):
        right.barh(k, step.usd / 1e6, color=of_country(code), height=0.7)
        if step.low is not None:
            waterfall.whisker(right, k, *waterfall.reach(step))
        up = step.usd >= 0
        right.annotate(
            words.millions(step.usd, True), (waterfall.tip(step), k), xytext=(4 if up else -4, 0), textcoords="offset points",
            va="center", ha="left" if up else "right", size=7.5,
        )  # fmt: skip
    right.set_yticks(range(len(lands)), [step.name for *_, step in lands])
    right.invert_yaxis()
    right.set_title(words.say("figure.who_pays.countries"))
    right.set_xlim(*_both(lands, 0.3))
    for axes in (left, right):
        axes.axvline(0.0, color=INK, linewidth=0.8)
        axes.set_xlabel(words.say("axis.usd_million"))
        axes.tick_params(length=0)
        axes.grid(axis="x", color=RULE, linewidth=0.4)
        axes.set_axisbelow(True)
        axes.spines["left"].set_visible(False)
        numbered(axes, subject)


def numbered(axes: object, subject: Subject) -> None:
    """Ticks of the horizontal axis as the language writes numbers."""
    from matplotlib.ticker import FuncFormatter

    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: subject.words.number(value)))  # type: ignore[attr-defined]
