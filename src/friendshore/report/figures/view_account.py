"""What is in it for the country that the report speaks to? Its account, line by line, until the total stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from friendshore.headline import MAKERS
from friendshore.report.figures import screen, waterfall
from friendshore.report.figures.figure import Figure
from friendshore.report.figures.palette import INK, RULE
from friendshore.report.figures.waterfall import Step
from friendshore.report.figures.who_pays import numbered

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

    from friendshore.report.figures.subject import Subject

SHOWN = 10  # lines that are drawn before the rest is summed


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
    table = table.join(_ranges(subject), on=["item", "good"], how="left", maintain_order="left")
    steps = _steps(subject, table)
    total = _total(subject, float(table["usd"].sum()))
    key = "gain" if total.usd >= 0 else "lose"
    return Figure(
        name="view_account",
        title=words.say(
            f"figure.view.title.{key}", who=words.place(subject.view), usd=words.usd(abs(total.usd)),
            users=words.usd(_sum(table, ("users",)), True), producers=words.usd(_sum(table, MAKERS), True),
        ),
        subtitle=words.say("figure.view.subtitle"),
        caption=subject.caption(table["good"][:SHOWN]),
        table=table.with_columns(country=pl.lit(subject.view)).select("country", "item", "good", "usd", "low", "high"),
        columns={
            "country": words.say("column.country"), "item": words.say("column.item"), "good": words.say("column.good"),
            "usd": words.say("column.change_usd"), "low": words.say("column.low"), "high": words.say("column.high"),
        },
        spec=_screen(subject, steps, total),
        paint=lambda canvas: _paper(canvas, subject, steps, total),
        height=0.8 + 0.26 * (len(steps) + 1),
        lang=words.lang,
        notes=(*_notes(subject), *subject.range_note()),
        equations=("gain", "users", "producers"),
    )  # fmt: skip


def _sum(table: pl.DataFrame, items: tuple[str, ...]) -> float:
    return float(table.filter(pl.col("item").is_in(items))["usd"].sum())


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


def _ranges(subject: Subject) -> pl.DataFrame:
    """item, good, low, high of the view's account; nulls for a union, whose members' ranges do not add."""
    keys = ["item", "good"]
    if len(subject.viewed) == 1:
        return subject.study.lines.filter(pl.col("country") == subject.view).select(*keys, "low", "high")
    return pl.DataFrame(schema={"item": pl.String, "good": pl.String, "low": pl.Float64, "high": pl.Float64})


def _total(subject: Subject, usd: float) -> Step:
    of = "holder" if len(subject.viewed) == 1 else "union"
    return Step(subject.words.say("figure.sum"), usd, *subject.range_of(of, subject.view or ""))


def _steps(subject: Subject, table: pl.DataFrame) -> list[Step]:
    words = subject.words
    rows = [
        Step(", ".join(filter(None, (words.item(item), subject.good(good) if good else ""))), float(usd), low, high)
        for item, good, usd, low, high in table.iter_rows()
    ]
    shown = sorted(rows[:SHOWN], key=lambda step: step.usd)
    rest = sum(step.usd for step in rows[SHOWN:])
    return [*shown, Step(words.say("page.rest", n=len(rows) - SHOWN), rest)] if len(rows) > SHOWN else shown


def _screen(subject: Subject, steps: list[Step], total: Step) -> dict[str, object]:
    words = subject.words
    unit = {"text": words.say("axis.usd_million"), "standoff": 8}
    held = screen.layout(
        words.lang,
        110 + 34 * (len(steps) + 1),
        yaxis={"autorange": "reversed"},
        xaxis={"title": unit, "range": waterfall.span(waterfall.ends(steps, total))},
    )
    return {"data": waterfall.on_screen(subject, steps, total), "layout": held}


def _paper(canvas: Canvas, subject: Subject, steps: list[Step], total: Step) -> None:
    axes = canvas.subplots()
    waterfall.on_paper(axes, subject, steps, total)
    axes.axvline(0.0, color=INK, linewidth=0.8)
    axes.set_xlabel(subject.words.say("axis.usd_million"))
    axes.grid(axis="x", color=RULE, linewidth=0.4)
    axes.set_axisbelow(True)
    axes.tick_params(length=0)
    numbered(axes, subject)
