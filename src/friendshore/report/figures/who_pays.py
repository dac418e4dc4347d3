"""Who pays, who is paid? Every group's change, one after the other, until the world's total stands; and the countries behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from friendshore.headline import CODE
from friendshore.report.figures import screen
from friendshore.report.figures.figure import Figure, style
from friendshore.report.figures.palette import INK, RULE, SOFT, of_country, of_sign

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

    from friendshore.report.figures.subject import Subject

ENDS = 7  # countries at each end that are drawn
Step = tuple[str, str, float]  # side, label, USD


def draw(subject: Subject) -> Figure | None:
    """The waterfall by group, and the countries that gain and lose most."""
    words = subject.words
    steps, lands = _steps(subject), _countries(subject)
    if not steps:
        return None
    rows = [("group", side, label, usd) for side, label, usd in steps]
    rows += [("country", "in" if inside else "out", name, usd) for _, name, inside, usd in lands]
    schema = {"kind": pl.String, "side": pl.String, "who": pl.String, "usd": pl.Float64}
    told = {"group": words.say("figure.who_pays.groups"), "country": words.say("figure.who_pays.countries")}
    sides = {
        "in": words.say("figure.side.parties"),
        "out": words.say("figure.side.outside"),
        "firm": words.say("figure.side.firms"),
    }
    table = pl.DataFrame([(told[k], sides[s], w, u) for k, s, w, u in rows], schema=schema, orient="row")
    return Figure(
        name="who_pays",
        title=_title(subject, steps),
        subtitle=words.say("figure.who_pays.subtitle"),
        caption=subject.caption(),
        table=table,
        columns={
            "kind": words.say("column.kind"), "side": words.say("column.side"), "who": words.say("column.who"),
            "usd": words.say("column.change_usd"),
        },
        spec=_screen(subject, steps, lands),
        paint=lambda canvas: _paper(canvas, subject, steps, lands),
        height=4.6,
        lang=words.lang,
        notes=(words.say("figure.who_pays.note"),),
        equations=("gain", "users", "producers", "levy"),
    )  # fmt: skip


def _steps(subject: Subject) -> list[Step]:
    """Groups of the parties, then of those outside, losers first; nothing under a ten-thousandth of the largest."""
    words = subject.words
    held = [(group, float(usd)) for group, usd in subject.study.groups.iter_rows()]
    least = 1e-4 * max((abs(usd) for _, usd in held), default=0.0)
    steps: list[Step] = []
    for side, suffix in (("in", ", parties"), ("out", ", outside"), ("firm", "")):
        own = [(g.removesuffix(suffix), u) for g, u in held if (g.endswith(suffix) if suffix else ", " not in g)]
        steps += [(side, words.group(g), u) for g, u in sorted(own, key=lambda pair: pair[1]) if abs(u) > least]
    return steps


def _countries(subject: Subject) -> list[tuple[str, str, bool, float]]:
    held = [(c, subject.name(c), c in subject.at.inside, u) for c, u in subject.gains.items() if len(c) <= CODE]
    held.sort(key=lambda row: -row[3])
    kept = [row for row in held if row[3] > 0][:ENDS] + [row for row in held if row[3] < 0][-ENDS:]
    if subject.view and subject.view in subject.gains and all(row[0] != subject.view for row in kept):
        kept += [row for row in held if row[0] == subject.view]
    return sorted(kept, key=lambda row: -row[3])


def _title(subject: Subject, steps: list[Step]) -> str:
    words = subject.words
    pays, gets = min(steps, key=lambda s: s[2]), max(steps, key=lambda s: s[2])
    side = {"in": "figure.of.parties", "out": "figure.of.outside", "firm": "figure.of.firms"}
    return words.say(
        "figure.who_pays.title",
        payer=words.say(side[pays[0]], who=pays[1]), paid=words.usd(-pays[2]),
        winner=words.say(side[gets[0]], who=gets[1]), won=words.usd(gets[2]),
    )  # fmt: skip


def _labels(subject: Subject, steps: list[Step]) -> list[str]:
    side = {"in": "figure.short.parties", "out": "figure.short.outside", "firm": "figure.short.firms"}
    return [subject.words.say(side[s], who=label) for s, label, _ in steps]


def _screen(subject: Subject, steps: list[Step], lands: list[tuple[str, str, bool, float]]) -> dict[str, object]:
    words = subject.words
    names = _labels(subject, steps)
    total = sum(usd for _, _, usd in steps)
    every = [*[usd for _, _, usd in steps], total]
    fall = {
        "type": "waterfall", "orientation": "h", "y": [*names, words.say("figure.world_total")],
        "x": [round(usd / 1e6, 4) for usd in every], "measure": ["relative"] * len(steps) + ["total"],
        "text": [words.millions(usd, True) for usd in every], "textposition": "outside", "cliponaxis": False,
        "increasing": {"marker": {"color": of_sign(1)}}, "decreasing": {"marker": {"color": of_sign(-1)}},
        "totals": {"marker": {"color": INK}}, "connector": {"line": {"color": SOFT, "width": 0.7}},
        "customdata": [f"<b>{n}</b><br>{words.usd(u, True)}" for n, u in zip([*names, words.say("figure.world_total")], every)],
        "hovertemplate": "%{customdata}<extra></extra>", "xaxis": "x", "yaxis": "y",
    }  # fmt: skip
    side = screen.bars(
        [name for _, name, _, _ in lands], [usd / 1e6 for *_, usd in lands],
        colours=[of_country(code) for code, *_ in lands], labels=[words.millions(usd, True) for *_, usd in lands],
        hover=[f"<b>{name}</b><br>{words.usd(usd, True)}" for _, name, _, usd in lands],
        xaxis="x2", yaxis="y2", ids=[code for code, *_ in lands], meta={"by": "country"},
    )  # fmt: skip
    unit = {"text": words.say("axis.usd_million"), "standoff": 8}
    return {
        "data": [fall, side],
        "layout": screen.layout(
            words.lang, 920,
            yaxis={"autorange": "reversed", "domain": [0.56, 1.0]}, xaxis={"title": unit, "anchor": "y", "zeroline": True, "range": screen.span([u / 1e6 for *_, u in steps])},
            yaxis2=screen.axis(autorange="reversed", domain=[0.0, 0.42], anchor="x2"),
            xaxis2=screen.axis(title=unit, anchor="y2", zeroline=True),
        ),
    }  # fmt: skip


def _paper(canvas: Canvas, subject: Subject, steps: list[Step], lands: list[tuple[str, str, bool, float]]) -> None:
    words = subject.words
    left, right = canvas.subplots(1, 2, width_ratios=(1.5, 1.0))
    names, at = _labels(subject, steps), 0.0
    span = max(abs(usd) for *_, usd in steps) / 1e6
    for k, (_, _, usd) in enumerate(steps):
        left.barh(k, usd / 1e6, left=at, color=of_sign(usd), height=0.7)
        end = at + usd / 1e6
        left.annotate(
            words.millions(usd, True),
            (max(at, end), k),
            xytext=(3, 0),
            textcoords="offset points",
            va="center",
            size=7.5,
        )
        left.plot([end, end], [k - 0.35, k + 1.35], color=SOFT, linewidth=0.6)
        at = end
    left.barh(len(steps), at, color=INK, height=0.7)
    left.annotate(
        words.millions(at * 1e6, True),
        (max(0.0, at), len(steps)),
        xytext=(3, 0),
        textcoords="offset points",
        va="center",
        size=7.5,
        weight=style(words.lang)["axes.titleweight"],
    )
    left.set_yticks(range(len(steps) + 1), [*names, words.say("figure.world_total")])
    left.margins(x=0.02 + 0.1 * min(1.0, span))
    left.set_title(words.say("figure.who_pays.groups"))
    right.barh(
        range(len(lands)), [usd / 1e6 for *_, usd in lands], color=[of_country(code) for code, *_ in lands], height=0.7
    )
    for k, (*_, usd) in enumerate(lands):
        side = 3 if usd >= 0 else -3
        right.annotate(
            words.millions(usd, True), (usd / 1e6, k), xytext=(side, 0), textcoords="offset points", va="center",
            ha="left" if usd >= 0 else "right", size=7.5,
        )  # fmt: skip
    right.set_yticks(range(len(lands)), [name for _, name, _, _ in lands])
    right.set_title(words.say("figure.who_pays.countries"))
    right.margins(x=0.28)
    for axes in (left, right):
        axes.invert_yaxis()
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
