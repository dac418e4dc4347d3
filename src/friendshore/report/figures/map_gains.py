"""Where in the world does the agreement bring money and where does it cost money? Every country in the colour of its sum."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from friendshore.headline import CODE
from friendshore.report.figures import projection, world_map
from friendshore.report.figures.figure import Figure
from friendshore.report.figures.palette import EVEN, LESS, MORE, STEPS_USD, of_change
from friendshore.report.figures.world_map import Land

if TYPE_CHECKING:
    from friendshore.report.figures.subject import Subject

NAMED = 8  # countries with their name beside them
SMALL = 5e3  # USD: below it a country stands still
Row = tuple[str, str, str, bool, float, float | None, float | None]


def draw(subject: Subject) -> Figure:
    """The map of gains and losses."""
    words, gains = subject.words, subject.gains
    spots, members = projection.places(), subject.at.union
    rows: list[Row] = [
        (
            code,
            words.country(code),
            members.get(code, ""),
            code in subject.at.parties,
            usd,
            *subject.range_of("holder", code),
        )
        for code, usd in sorted(gains.items(), key=lambda pair: (-pair[1], pair[0]))
        if len(code) <= CODE and code in spots
    ]
    schema = {
        "country": pl.String, "name": pl.String, "union": pl.String, "party": pl.Boolean, "usd": pl.Float64, "low": pl.Float64,
        "high": pl.Float64,
    }  # fmt: skip
    up, down = sum(row[4] >= SMALL for row in rows), sum(row[4] <= -SMALL for row in rows)
    lands = _lands(subject, rows)
    return Figure(
        name="map_gains",
        title=_title(subject, rows, up, down),
        subtitle=words.say("figure.map_gains.subtitle"),
        caption=subject.caption(),
        table=pl.DataFrame(rows, schema=schema, orient="row"),
        columns={
            "country": words.say("column.code"), "name": words.say("column.country"), "union": words.say("column.union"),
            "party": words.say("column.party"), "usd": words.say("column.change_usd"), "low": words.say("column.low"),
            "high": words.say("column.high"),
        },
        spec=world_map.on_screen(subject, [("", lands)], _key(subject)),
        paint=lambda canvas: world_map.on_paper(canvas, subject, lands, _key(subject), words.say("axis.usd_million")),
        height=7.1,
        lang=words.lang,
        notes=(*_unions(subject), *subject.range_note(), words.say("figure.map.borders")),
        equations=("gain",),
    )  # fmt: skip


def _title(subject: Subject, rows: list[Row], up: int, down: int) -> str:
    words = subject.words
    inside = sum(usd for code, usd in subject.gains.items() if code in subject.at.inside)
    most = max((row for row in rows if not row[3]), key=lambda row: abs(row[4]))
    key = "gain" if inside >= 0 else "lose"
    other = "gains" if most[4] >= 0 else "loses"
    said = words.say(f"figure.map_gains.title.{key}", usd=words.usd(abs(inside)))
    more = words.say(f"figure.map_gains.title.{other}", who=words.place(most[0]), usd=words.usd(abs(most[4])))
    return words.say("figure.map_gains.title", parties=said, most=more, up=up, down=down)


def _lands(subject: Subject, rows: list[Row]) -> list[Land]:
    words, largest = subject.words, sorted(rows, key=lambda row: -abs(row[4]))[:NAMED]
    named = {row[0] for row in largest} | ({subject.view} if subject.view else set())
    europe = projection.places()
    return [
        Land(
            code, of_change(usd), hover="<br>".join(_hover(subject, row)), weight=abs(usd), hatched=usd <= -STEPS_USD[0],
            label=f"{name} {words.millions(usd, True)}"
            if code in named or (abs(usd) >= STEPS_USD[0] and world_map.within(europe[code], world_map.EUROPE)) else "",
            shown=code in named,
        )
        for row in rows for code, name, _, _, usd, *_ in [row]
    ]  # fmt: skip


def _hover(subject: Subject, row: Row) -> list[str]:
    """The country's sum with its range, and that of the union that it is in."""
    words = subject.words
    code, name, union, _, usd, *_ = row
    said = [f"<b>{name}</b>", words.usd(usd, True), subject.range_text("holder", code)]
    if union:
        said.append(
            words.say("figure.map_gains.union", who=words.country(union), usd=words.usd(_whole(subject, union), True))
        )
    return [text for text in said if text]


def _whole(subject: Subject, union: str) -> float:
    """A customs union as one: its members and its common budget."""
    return sum(usd for code, usd in subject.gains.items() if code == union or subject.at.union.get(code) == union)


def _unions(subject: Subject) -> list[str]:
    """What customs unions of parties gain as one, and what of it stands in a budget that has no place on a map."""
    words, unions = subject.words, subject.at.union
    return [
        words.say(
            "figure.map_gains.budget", who=words.place(union), usd=words.usd(_whole(subject, union), True),
            budget=words.usd(subject.gains.get(union, 0.0), True),
        )
        for union in sorted({unions[code] for code in subject.at.parties if code in unions})
    ]  # fmt: skip


def _key(subject: Subject) -> list[tuple[str, str, bool]]:
    """Colour, figure at its left edge, hatched."""
    write = subject.words.number
    steps = [write(step / 1e6) for step in STEPS_USD]
    less = [
        (colour, f"\u2212{step}" if step else "", True)
        for colour, step in zip(reversed(LESS), ["", *reversed(steps[1:])])
    ]
    more = [(colour, step, False) for colour, step in zip(MORE, steps)]
    return [*less, (EVEN, f"\u2212{steps[0]}", False), *more]
