"""What does the agreement add to a car, a motor, a turbine? Kilograms in each times the change of what buyers pay.

What a product holds is `downstream`'s, figure by figure with its source; the price is that of the goods' buyers in the view.
Wages, energy and what a maker does instead are left out.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import polars as pl

from friendshore.downstream.products import KG, contents
from friendshore.downstream.tables import shipped_bills, sources
from friendshore.mean_price import price_paid
from friendshore.report.figures import screen
from friendshore.report.figures.figure import Figure
from friendshore.report.figures.palette import INK, RULE, of_sign
from friendshore.report.figures.who_pays import numbered

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

    from friendshore.report.figures.subject import Subject

DRAWN = {  # the products that are drawn, and the words for each
    "battery car, nickel-rich": "car_nmc811",
    "battery car, iron phosphate": "car_lfp",
    "permanent-magnet motor of a car": "motor",
    "wind turbine, direct drive": "turbine_direct",
    "wind turbine, medium speed": "turbine_medium",
    "wind turbine, high speed": "turbine_high",
    "chip wafer of gallium arsenide, 150 mm": "chip",
    "radar array of a fighter": "radar",
    "fighter aircraft": "fighter",
}
ESTIMATE = "D"  # reliability from which on a figure is an estimate
NAMED = 3  # parts of the change that a label names
Row = dict[str, Any]


def draw(subject: Subject) -> Figure | None:
    """Change of the cost of minerals per product; nothing where none of the goods is bought."""
    words = subject.words
    rows = _rows(subject)
    if not rows:
        return None
    sums = _sums(rows)
    known: dict[str, type[pl.DataType]] = {"product": pl.String, "good": pl.String}
    known |= dict.fromkeys(("kg", "kg_low", "kg_high"), pl.Float64)
    priced: dict[str, type[pl.DataType]] = dict.fromkeys(
        ("before_usd", "after_usd", "change_usd", "low_usd", "high_usd"), pl.Float64
    )
    said: dict[str, type[pl.DataType]] = dict.fromkeys(("year", "reliability", "source", "note"), pl.String)
    table = pl.DataFrame(
        [{**row, "product": words.say(f"product.{row['product']}")} for row in rows], schema=known | priced | said
    )
    guessed = any(row["reliability"] >= ESTIMATE for row in rows)
    return Figure(
        name="product_cost",
        title=_title(subject, sums),
        subtitle=words.say("figure.product.subtitle", who=_who(subject)),
        caption=subject.caption(),
        table=table,
        columns={name: words.say(f"column.{name}") for name in (*known, *priced, *said) if name != "change_usd"}
        | {"change_usd": words.say("column.change_per_unit")},
        spec=_screen(subject, sums),
        paint=lambda canvas: _paper(canvas, subject, sums),
        height=0.8 + 0.42 * len(sums),
        lang=words.lang,
        notes=(words.say("figure.product.note"), *((words.say("figure.product.estimate"),) if guessed else ())),
        equations=("product", "delivered"),
    )


def _who(subject: Subject) -> str:
    return subject.words.place(subject.view) if subject.view else subject.words.say("figure.product.parties")


def _rows(subject: Subject) -> list[Row]:
    """Every good in every product, priced where the view buys it and else where the parties do."""
    own = [price_paid(run, subject.viewed) for run in (subject.before, subject.after)]
    all_ = [price_paid(run, subject.at.parties) for run in (subject.before, subject.after)]
    bills, said = shipped_bills(), dict(sources().select("id", "publisher").iter_rows())
    rows = []
    for product, name in DRAWN.items():
        for part in contents(product, bills):
            before, after = (mine.get(part.good, theirs.get(part.good)) for mine, theirs in zip(own, all_, strict=True))
            if before is None or after is None:
                continue
            rise = (after - before) / KG
            rows.append({
                "product": name, "good": part.good, "kg": part.kg, "kg_low": part.low, "kg_high": part.high,
                "before_usd": part.kg * before / KG, "after_usd": part.kg * after / KG, "change_usd": part.kg * rise,
                "low_usd": None if part.low is None else part.low * rise,
                "high_usd": None if part.high is None else part.high * rise,
                "year": part.year, "reliability": part.reliability,
                "source": "; ".join(said[source] for source in part.sources), "note": part.note,
            })  # fmt: skip
    return rows


def _sums(rows: list[Row]) -> list[Row]:
    """Product by product: the change, its range, the cost before, and the goods behind it."""
    found: dict[str, Row] = {}
    parts: dict[str, list[tuple[str, float]]] = defaultdict(list)
    for row in rows:
        held = found.setdefault(
            row["product"], {"product": row["product"], "change": 0.0, "low": 0.0, "high": 0.0, "before": 0.0}
        )
        change = row["change_usd"]
        held["change"] += change
        held["low"] += change if row["low_usd"] is None else row["low_usd"]
        held["high"] += change if row["high_usd"] is None else row["high_usd"]
        held["before"] += row["before_usd"]
        parts[row["product"]].append((row["good"], change))
    return [{**held, "parts": sorted(parts[name], key=lambda p: -abs(p[1]))} for name, held in found.items()]


def _title(subject: Subject, sums: list[Row]) -> str:
    words, at = subject.words, {row["product"]: row for row in sums}
    car, turbine = at.get("car_nmc811"), at.get("turbine_direct")
    if car is None or turbine is None:
        row = max(sums, key=lambda row: abs(row["change"]))
        return words.say(
            "figure.product.title.one", product=words.say(f"product.{row['product']}"), usd=_usd(subject, row["change"])
        )
    return words.say(
        "figure.product.title", car=_usd(subject, car["change"]), share=words.percent(car["change"] / car["before"], True),
        turbine=_usd(subject, turbine["change"]),
    )  # fmt: skip


def _usd(subject: Subject, usd: float) -> str:
    return subject.words.say("figure.product.usd", x=subject.words.number(usd, 3, sign=True, places=2))


def _label(subject: Subject, row: Row) -> str:
    named = ", ".join(
        f"{subject.words.good(good)} {subject.words.number(usd, 2, sign=True, places=2)}"
        for good, usd in row["parts"][:NAMED]
        if abs(usd) >= 0.005
    )
    share = subject.words.percent(row["change"] / row["before"], True)
    return (
        f"{_usd(subject, row['change'])} ({share}): {named}" if named else f"{_usd(subject, row['change'])} ({share})"
    )


def _names(subject: Subject, rows: list[Row]) -> list[str]:
    return [subject.words.say(f"product.{row['product']}") for row in rows]


def _screen(subject: Subject, rows: list[Row]) -> dict[str, Any]:
    words, names = subject.words, _names(subject, rows)
    bars = screen.bars(
        names, [row["change"] for row in rows], colours=[of_sign(-row["change"]) for row in rows],
        labels=[f"  {_usd(subject, row['change'])}" for row in rows],
        hover=[f"<b>{name}</b><br>{_label(subject, row).replace(': ', '<br>', 1)}" for name, row in zip(names, rows)],
        textposition=[_where(row, rows) for row in rows],
        insidetextfont={"color": "#ffffff"},
        error_x={
            "type": "data", "symmetric": False, "color": INK, "thickness": 1.2,
            "array": [max(0.0, max(row["low"], row["high"]) - row["change"]) for row in rows],
            "arrayminus": [max(0.0, row["change"] - min(row["low"], row["high"])) for row in rows],
        },
    )  # fmt: skip
    unit = {"text": words.say("axis.usd_unit"), "standoff": 8}
    held = screen.layout(words.lang, 130 + 44 * len(rows), yaxis={"autorange": "reversed"}, xaxis={"title": unit})
    return {"data": [bars], "layout": held}


def _paper(canvas: Canvas, subject: Subject, rows: list[Row]) -> None:
    words, axes = subject.words, canvas.subplots()
    changes = [row["change"] for row in rows]
    axes.barh(range(len(rows)), changes, color=[of_sign(-c) for c in changes], height=0.5)
    for k, row in enumerate(rows):
        low, high = sorted((row["low"], row["high"]))
        if high - low > 1e-9:
            axes.plot([low, high], [k, k], color=INK, linewidth=1.2, marker="|", markersize=7)
        far = max(0.0, row["change"], high)
        axes.annotate(_label(subject, row), (far, k), xytext=(6, 0), textcoords="offset points", va="center", size=7.3)
    most = (
        max([abs(c) for c in changes] + [abs(row["high"]) for row in rows], default=1.0) or 1.0
    )  # where no cost moves
    axes.set_xlim(min(0.0, *changes) * 1.05, most * 1.75)
    axes.set_yticks(range(len(rows)), _names(subject, rows))
    axes.invert_yaxis()
    axes.axvline(0.0, color=INK, linewidth=0.8)
    axes.set_xlabel(words.say("axis.usd_unit"))
    axes.grid(axis="x", color=RULE, linewidth=0.4)
    axes.set_axisbelow(True)
    axes.tick_params(length=0)
    numbered(axes, subject)


def _where(row: Row, rows: list[Row]) -> str:
    """Inside a long bar whose range would cross its figure, else behind it."""
    most = max(abs(each["change"]) for each in rows)
    return "inside" if row["low"] != row["high"] and abs(row["change"]) > 0.3 * most else "outside"
