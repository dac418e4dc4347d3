"""On whom does each party hang? For every product the largest outsider's share in what a party uses, before and after."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from friendshore.report.figures import world_map
from friendshore.report.figures.figure import Figure
from friendshore.report.figures.palette import BANDS, of_share
from friendshore.report.figures.world_map import Key, Land

if TYPE_CHECKING:
    from friendshore.report.figures.subject import Subject

LIMIT = 0.65  # of one outsider, at one stage: the benchmark of the EU's Critical Raw Materials Act for 2030
STAGE = "refined"
Row = dict[str, Any]


def draw(subject: Subject) -> Figure | None:
    """The map of dependence; nothing where no party uses what a chain ends in."""
    words = subject.words
    rows = _rows(subject)
    if not rows:
        return None
    mineral = subject.minerals[subject.chosen]
    if all(row["mineral"] != mineral for row in rows):
        mineral = rows[0]["mineral"]
    shown = _largest(subject, [row for row in rows if row["mineral"] == mineral])
    schema = {
        "mineral": pl.String, "good": pl.String, "stage": pl.String, "country": pl.String, "supplier": pl.String,
        "before": pl.Float64, "after": pl.Float64,
    }  # fmt: skip
    heads = {name: words.say(f"column.{name}") for name in ("mineral", "good", "stage", "country", "supplier")}
    told = [{**row, "before": 100.0 * row["before"], "after": 100.0 * row["after"]} for row in rows]
    return Figure(
        name="map_dependence",
        title=_title(subject, shown),
        subtitle=words.say(
            "figure.dependence.subtitle",
            good=words.good(shown[0]["good"]),
            stage=words.stage(shown[0]["stage"]),
            limit=words.percent(LIMIT, places=0),
        ),
        caption=subject.caption(),
        table=pl.DataFrame(told, schema=schema, orient="row"),
        columns=heads | {"before": words.say("column.share_before"), "after": words.say("column.share_after")},
        spec=world_map.on_screen(subject, _sets(subject, rows), _key(subject), mineral),
        paint=lambda canvas: world_map.on_paper(
            canvas, subject, _lands(subject, shown), _key(subject), words.say("figure.dependence.key")
        ),
        height=7.1,
        lang=words.lang,
        notes=(words.say("figure.dependence.note"), words.say("figure.map.borders")),
        mineral=mineral,
        equations=("dependence",),
    )


def _rows(subject: Subject) -> list[Row]:
    """The largest outsider of the status quo for every end of a chain, party by party, where its mineral is refined."""
    outside = ~pl.col("origin").is_in(sorted(subject.at.parties)) & (pl.col("origin") != "")
    kept = subject.study.dependence.filter(outside & (pl.col("stage") == STAGE))
    keys = ["good", "country", "stage", "origin"]
    summed = kept.group_by(keys).agg(pl.col("before", "after").sum()).sort([*keys])
    top = (
        summed.sort(["before", "origin"], descending=[True, False])
        .group_by("good", "country", "stage", maintain_order=True)
        .first()
    )
    rows = [
        {
            "mineral": subject.minerals[good],
            "good": good,
            "stage": stage,
            "country": country,
            "supplier": origin,
            "before": b,
            "after": a,
        }
        for good, country, stage, origin, b, a in top.sort("good", "country").iter_rows()
        if max(a, b) > 0.0005
    ]
    return sorted(rows, key=lambda row: (row["mineral"], row["good"], -row["before"], row["country"]))


def _largest(subject: Subject, rows: list[Row]) -> list[Row]:
    """The rows of the one end of a mineral's chain that most parties use."""
    goods = sorted({row["good"] for row in rows}, key=lambda good: (-sum(row["good"] == good for row in rows), good))
    return [row for row in rows if row["good"] == goods[0]]


def _title(subject: Subject, rows: list[Row]) -> str:
    words = subject.words
    return words.say(
        "figure.dependence.title", good=words.good(rows[0]["good"]), all=len(rows), limit=words.percent(LIMIT, places=0),
        before=sum(row["before"] > LIMIT for row in rows), after=sum(row["after"] > LIMIT for row in rows),
    )  # fmt: skip


def _sets(subject: Subject, rows: list[Row]) -> list[tuple[str, list[Land]]]:
    """The lands of every mineral."""
    minerals = sorted({row["mineral"] for row in rows})
    return [(m, _lands(subject, _largest(subject, [row for row in rows if row["mineral"] == m]))) for m in minerals]


def _lands(subject: Subject, rows: list[Row]) -> list[Land]:
    words = subject.words
    return [
        Land(
            row["country"], of_share(row["after"]), weight=abs(row["after"] - row["before"]), shown=False,
            hover="<br>".join((f"<b>{subject.name(row['country'])}</b>", words.say(
                "figure.dependence.hover", good=words.good(row["good"]), supplier=subject.name(row["supplier"]),
                before=words.percent(row["before"]), after=words.percent(row["after"]),
            ))),
            label=words.say(
                "figure.dependence.label", country=subject.name(row["country"]), before=words.number(100 * row["before"], 2),
                after=words.number(100 * row["after"], 2),
            ),
        )
        for row in rows
    ]  # fmt: skip


def _key(subject: Subject) -> Key:
    """Shares from none to the whole, in steps."""
    return [(colour, subject.words.percent(k / len(BANDS), places=0), False) for k, colour in enumerate(BANDS)]
