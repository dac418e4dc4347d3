"""What would the exporters' answer do? The agreement unanswered, with its levy harvested as an export tax, and with a ban."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from friendshore.report.figures import screen, waterfall
from friendshore.report.figures.figure import Figure
from friendshore.report.figures.palette import INK, RULE, of_sign
from friendshore.report.figures.waterfall import Step
from friendshore.report.figures.who_pays import numbered

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

    from friendshore.report.figures.subject import Subject

SIDES = {
    "parties_usd": "parties",
    "outsiders_usd": "outside",
    "firms_usd": "firms",
    "world_usd": "world",
}  # column -> side


def draw(subject: Subject) -> Figure | None:
    """The reactions side by side."""
    words = subject.words
    rows = list(subject.study.reactions.iter_rows(named=True))
    if not rows:
        return None
    table = subject.study.reactions.select("reaction", *SIDES, "levy_usd", "export_tax_usd", "unserved_t")
    heads = {"reaction": words.say("column.reaction"), "unserved_t": words.say("column.unserved_t")}
    heads |= {side: words.say(f"figure.reactions.{side}") for side in (*SIDES, "levy_usd", "export_tax_usd")}
    target = next((note for note in subject.study.notes if "'ban'" in note), "")
    who = target.partition("'ban' ")[2][:3]
    known = who in subject.gains
    return Figure(
        name="reactions",
        title=_title(subject, rows),
        subtitle=words.say("figure.reactions.subtitle"),
        caption=subject.caption(),
        table=table,
        columns=heads,
        spec=_screen(subject, rows),
        paint=lambda canvas: _paper(canvas, subject, rows),
        height=2.6,
        lang=words.lang,
        notes=(
            *((words.say("figure.reactions.ban", who=words.place(who)),) if known else ()),
            *((words.say("figure.reactions.range"),) if subject.ranges else ()),
            *subject.range_note(),
        ),
        equations=("gain", "levy"),
    )


def _title(subject: Subject, rows: list[dict[str, Any]]) -> str:
    words = subject.words
    plain = float(rows[0]["parties_usd"])
    others = [row for row in rows if row["reaction"] != "none"]
    if not others:
        return words.say("figure.reactions.title.none", usd=words.usd(plain, True))
    values = {str(row["reaction"]): words.usd(float(row["parties_usd"]), True) for row in rows}
    key = "both" if len(others) == 2 else str(others[0]["reaction"])
    return words.say(f"figure.reactions.title.{key}", **values)


def _names(subject: Subject, rows: list[dict[str, Any]]) -> list[str]:
    return [subject.words.say(f"figure.reaction.{row['reaction']}") for row in rows]


def _steps(subject: Subject, rows: list[dict[str, Any]], side: str) -> list[Step]:
    """What a side has under each answer; the range is known of the agreement without one."""
    names = _names(subject, rows)
    known = subject.range_of("side", SIDES[side])
    return [
        Step(name, float(row[side]), *(known if row["reaction"] == "none" else (None, None)))
        for name, row in zip(names, rows, strict=True)
    ]


def _screen(subject: Subject, rows: list[dict[str, Any]]) -> dict[str, object]:
    words, names = subject.words, _names(subject, rows)
    traces = []
    for k, side in enumerate(SIDES):
        values, steps = [float(row[side]) for row in rows], _steps(subject, rows, side)
        at = {"xaxis": f"x{k + 1}" if k else "x", "yaxis": f"y{k + 1}" if k else "y"}
        bars = screen.bars(
            names, [value / 1e6 for value in values], colours=[of_sign(v) for v in values],
            labels=[""] * len(rows), hover=[
                waterfall.hover(subject, step, words.say(f"figure.reactions.{side}")) for step in steps
            ], **at,
        )  # fmt: skip
        ends = [(step, 0.0, *waterfall.reach(step)) for step in steps]
        figures = screen.beside(
            names, [waterfall.tip(step) for step in steps], [words.millions(v, True) for v in values], **at
        )
        traces += [bars, *waterfall.whiskers(ends, **at), figures]
    reached = [
        v
        for side in SIDES
        for step in _steps(subject, rows, side)
        for v in (0.0, step.usd / 1e6, *waterfall.reach(step))
    ]
    low, high = min(reached), max(reached)
    pad = 0.22 * (high - low)
    axes: dict[str, object] = {}
    notes = []
    for k, side in enumerate(SIDES):
        top = 1.0 - k / len(SIDES)
        bottom = top - 1.0 / len(SIDES) + 0.075
        mark = str(k + 1) if k else ""
        axes[f"yaxis{mark}"] = screen.axis(autorange="reversed", domain=[bottom, top - 0.045], anchor=f"x{mark}")
        axes[f"xaxis{mark}"] = screen.axis(
            range=[low - pad, high + pad], anchor=f"y{mark}", showticklabels=k == len(SIDES) - 1
        )
        notes.append({
            "text": f"<b>{words.say(f'figure.reactions.{side}')}</b>", "xref": "paper", "yref": "paper", "x": 0, "y": top - 0.04,
            "xanchor": "left", "yanchor": "bottom", "showarrow": False,
        })  # fmt: skip
    axes[f"xaxis{len(SIDES)}"]["title"] = {"text": words.say("axis.usd_million"), "standoff": 8}  # type: ignore[index]
    return {"data": traces, "layout": screen.layout(words.lang, 560, annotations=notes, **axes)}


def _paper(canvas: Canvas, subject: Subject, rows: list[dict[str, Any]]) -> None:
    words, names = subject.words, _names(subject, rows)
    every = canvas.subplots(1, len(SIDES), sharey=True, sharex=True)
    for axes, side in zip(every, SIDES):
        values = [float(row[side]) / 1e6 for row in rows]
        axes.barh(range(len(rows)), values, color=[of_sign(v) for v in values], height=0.6)
        for k, (value, step) in enumerate(zip(values, _steps(subject, rows, side), strict=True)):
            if step.low is not None:
                waterfall.whisker(axes, k, *waterfall.reach(step))
            axes.annotate(
                words.millions(value * 1e6, True), (waterfall.tip(step), k), xytext=(3 if value >= 0 else -3, 0), textcoords="offset points",
                va="center", ha="left" if value >= 0 else "right", size=8,
            )  # fmt: skip
        axes.set_title(words.say(f"figure.reactions.{side}"), size=8.5)
        axes.axvline(0.0, color=INK, linewidth=0.8)
        axes.grid(axis="x", color=RULE, linewidth=0.4)
        axes.set_axisbelow(True)
        axes.tick_params(length=0)
        axes.set_xlabel(words.say("axis.usd_million"), size=7.5)
        axes.margins(x=0.45)
        numbered(axes, subject)
    every[0].set_yticks(range(len(rows)), names)
    every[0].invert_yaxis()
