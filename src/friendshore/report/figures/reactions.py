"""What would the exporters' answer do? The agreement unanswered, with its levy harvested as an export tax, and with a ban."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from friendshore.report.figures import screen
from friendshore.report.figures.figure import Figure
from friendshore.report.figures.palette import INK, RULE, of_sign
from friendshore.report.figures.who_pays import numbered

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

    from friendshore.report.figures.subject import Subject

SIDES = ("parties_usd", "outsiders_usd", "firms_usd", "world_usd")


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
        notes=(words.say("figure.reactions.ban", who=words.place(who)),) if known else (),
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


def _screen(subject: Subject, rows: list[dict[str, Any]]) -> dict[str, object]:
    words, names = subject.words, _names(subject, rows)
    traces = []
    for k, side in enumerate(SIDES):
        values = [float(row[side]) for row in rows]
        bars = screen.bars(
            names, [value / 1e6 for value in values], colours=[of_sign(v) for v in values],
            labels=[words.millions(v, True) for v in values],
            hover=[f"<b>{n}</b><br>{words.say(f'figure.reactions.{side}')}<br>{words.usd(v, True)}" for n, v in zip(names, values)],
            xaxis=f"x{k + 1}" if k else "x", yaxis=f"y{k + 1}" if k else "y",
        )  # fmt: skip
        traces.append(bars)
    low = min(min(float(row[side]) for side in SIDES) for row in rows) / 1e6
    high = max(max(float(row[side]) for side in SIDES) for row in rows) / 1e6
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
        for k, value in enumerate(values):
            axes.annotate(
                words.millions(value * 1e6, True), (value, k), xytext=(3 if value >= 0 else -3, 0), textcoords="offset points",
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
