"""What is in it for the country that the report speaks to? Its account, line by line, until the total stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from friendshore.report.figures import screen
from friendshore.report.figures.figure import Figure, style
from friendshore.report.figures.palette import INK, RULE, SOFT, of_sign
from friendshore.report.figures.who_pays import numbered

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

    from friendshore.report.figures.subject import Subject

SHOWN = 10  # lines that are drawn before the rest is summed
Step = tuple[str, float]


def draw(subject: Subject) -> Figure | None:
    """The account of the view; nothing where the report speaks to all parties."""
    if subject.view is None:
        return None
    words = subject.words
    table = (
        subject.changes.filter(pl.col("country").is_in(sorted(subject.viewed)))
        .group_by("item", "good").agg(pl.col("usd").sum()).filter(pl.col("usd").abs() >= 1.0)
        .sort([pl.col("usd").abs(), "item", "good"], descending=[True, False, False])
    )  # fmt: skip
    steps = _steps(subject, table)
    total = float(table["usd"].sum())
    key = "gain" if total >= 0 else "lose"
    return Figure(
        name="view_account",
        title=words.say(
            f"figure.view.title.{key}", who=words.place(subject.view), usd=words.usd(abs(total)),
            users=words.usd(_sum(table, "users"), True), producers=words.usd(_sum(table, "producers"), True),
        ),
        subtitle=words.say("figure.view.subtitle"),
        caption=subject.caption(table["good"][:SHOWN]),
        table=table.with_columns(country=pl.lit(subject.view)).select("country", "item", "good", "usd"),
        columns={
            "country": words.say("column.country"), "item": words.say("column.item"), "good": words.say("column.good"),
            "usd": words.say("column.change_usd"),
        },
        spec=_screen(subject, steps, total),
        paint=lambda canvas: _paper(canvas, subject, steps, total),
        height=0.8 + 0.26 * (len(steps) + 1),
        lang=words.lang,
        notes=_notes(subject),
        equations=("gain", "users", "producers"),
    )  # fmt: skip


def _sum(table: pl.DataFrame, item: str) -> float:
    return float(table.filter(pl.col("item") == item)["usd"].sum())


def _notes(subject: Subject) -> tuple[str, ...]:
    """A member of a customs union keeps a part of its duties; the union's budget takes the rest."""
    words, view = subject.words, subject.view
    union = subject.at.union.get(view or "", "")
    if not union:
        return ()
    kept = dict(subject.world.territories.select("code", "kept_share").iter_rows()).get(union)
    return (
        words.say(
            "figure.view.union",
            who=words.place(view or ""),
            union=words.place(union),
            share=words.percent(kept, places=0),
        ),
    )


def _steps(subject: Subject, table: pl.DataFrame) -> list[Step]:
    words = subject.words
    rows = [
        (", ".join(filter(None, (words.item(item), subject.good(good) if good else ""))), float(usd))
        for item, good, usd in table.iter_rows()
    ]
    shown = sorted(rows[:SHOWN], key=lambda row: row[1])
    rest = sum(usd for _, usd in rows[SHOWN:])
    return [*shown, (words.say("page.rest", n=len(rows) - SHOWN), rest)] if len(rows) > SHOWN else shown


def _screen(subject: Subject, steps: list[Step], total: float) -> dict[str, object]:
    words = subject.words
    names, values = [*[n for n, _ in steps], words.say("figure.sum")], [*[v for _, v in steps], total]
    fall = {
        "type": "waterfall", "orientation": "h", "y": names, "x": [round(v / 1e6, 5) for v in values],
        "measure": ["relative"] * len(steps) + ["total"], "text": [words.millions(v, True) for v in values],
        "textposition": "outside", "cliponaxis": False, "increasing": {"marker": {"color": of_sign(1)}},
        "decreasing": {"marker": {"color": of_sign(-1)}}, "totals": {"marker": {"color": INK}},
        "connector": {"line": {"color": SOFT, "width": 0.7}},
        "customdata": [f"<b>{n}</b><br>{words.usd(v, True)}" for n, v in zip(names, values)],
        "hovertemplate": "%{customdata}<extra></extra>",
    }  # fmt: skip
    unit = {"text": words.say("axis.usd_million"), "standoff": 8}
    held = screen.layout(
        words.lang,
        110 + 34 * len(names),
        yaxis={"autorange": "reversed"},
        xaxis={"title": unit, "range": screen.span([v / 1e6 for _, v in steps])},
    )
    return {"data": [fall], "layout": held}


def _paper(canvas: Canvas, subject: Subject, steps: list[Step], total: float) -> None:
    words, axes, at = subject.words, canvas.subplots(), 0.0
    for k, (_, usd) in enumerate(steps):
        axes.barh(k, usd / 1e6, left=at, color=of_sign(usd), height=0.7)
        end = at + usd / 1e6
        axes.annotate(
            words.millions(usd, True),
            (max(at, end), k),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            size=7.5,
        )
        axes.plot([end, end], [k - 0.35, k + 1.35], color=SOFT, linewidth=0.6)
        at = end
    axes.barh(len(steps), total / 1e6, color=INK, height=0.7)
    axes.annotate(
        words.millions(total, True), (max(0.0, total / 1e6), len(steps)), xytext=(4, 0), textcoords="offset points", va="center",
        size=7.5, weight=style(words.lang)["axes.titleweight"],
    )  # fmt: skip
    axes.set_yticks(range(len(steps) + 1), [*[n for n, _ in steps], words.say("figure.sum")])
    axes.invert_yaxis()
    axes.margins(x=0.1)
    axes.axvline(0.0, color=INK, linewidth=0.8)
    axes.set_xlabel(words.say("axis.usd_million"))
    axes.grid(axis="x", color=RULE, linewidth=0.4)
    axes.set_axisbelow(True)
    axes.tick_params(length=0)
    numbered(axes, subject)
