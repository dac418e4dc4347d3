"""What signals are held against: published prices, capacities, contents, what is made of what, which clause reaches what.

Taken from the world's tables and, for prices, from the user's ladder. Comparing is left to `lines` and `lanes`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from friendshore.border import publication
from friendshore.border.side_file import rows
from friendshore.border.signals import parts
from friendshore.border.terms import OTHER
from friendshore.errors import InputRefused, Problem, did_you_mean

if TYPE_CHECKING:
    from friendshore.world.tables import World

PRICES = {
    "good": pl.String,
    "origin": pl.String,
    "since": pl.Date,
    "until": pl.Date,
    "usd_t": pl.Float64,
    "price_source": pl.String,
}
LADDER = ("good", "day", "usd_t", "source")
SHOWN = 60  # characters of a faulty value that are shown
_CODE = re.compile(r"[A-Z]{3}")
_PRICE = re.compile(r"[0-9]{1,12}([.][0-9]{1,6})?")


@dataclass(frozen=True, kw_only=True)
class Known:
    """Tables that a second look is taken with.

    Parameters
    ----------
    prices : good, origin (empty: any), since, until, usd_t (USD per contained tonne, fob), price_source
    capacity : good, country, capacity_t (contained tonnes a year), margin (fraction), reliability
    world_capacity : good, world_t
    grades : good, low, high, moisture_most; fractions of the dry mass that are the good's own unit
    inputs : made, input, coefficient (tonnes of the input in a tonne of what is made)
    codes : HS6 -> the goods that trade under it
    on_cif : whether the prices hold at the port of import rather than of export
    countries : those whose capacity is known, nothing being known for others
    """

    prices: pl.DataFrame
    capacity: pl.DataFrame
    world_capacity: pl.DataFrame
    grades: pl.DataFrame
    inputs: pl.DataFrame
    codes: Mapping[str, tuple[str, ...]]
    countries: frozenset[str]
    prices_from: str
    on_cif: bool = False

    def taken(self, hs: str, good: str) -> str:
        """The good that a line is taken for: the declared one if it trades under the code, or the only one that does."""
        under = self.codes.get(hs[:6], ())
        if good == OTHER or good in under or (good and not hs and any(good in held for held in self.codes.values())):
            return good
        return under[0] if not good and len(under) == 1 else ""


def known(world: World, ladder: Path | None = None, iso: Collection[str] = ()) -> Known:
    """What is known from a world, and from a ladder of published prices where one is given.

    Without a ladder the world's own prices serve, for its base year alone. `ladder` is a CSV file (fob), or a folder of
    publications. `iso` are the countries that there are; any three letters where none are given.

    Raises
    ------
    InputRefused   a ladder without its columns, or with a day or price that is none
    """
    capacity = _capacity(world)
    grades = pl.DataFrame(parts.rows("grades.csv")).select(
        "good", *(pl.col(name).cast(pl.Float64) for name in ("low", "high", "moisture_most"))
    )
    inputs = world.recipes.filter(pl.col("role") == "input").select("activity", input="good", coefficient="coefficient")
    made = world.recipes.filter(pl.col("role") == "output").select("activity", made="good")
    prices, on_cif = _base_prices(world), False
    if ladder is not None:
        prices, on_cif = (
            _publications(ladder) if ladder.is_dir() else (_ladder(ladder, world.goods["id"].to_list(), iso), False)
        )
    return Known(
        on_cif=on_cif,
        prices=prices,
        capacity=capacity,
        world_capacity=capacity.group_by("good").agg(world_t=pl.col("capacity_t").sum()).sort("good"),
        grades=grades,
        inputs=made.join(inputs, on="activity").group_by("made", "input").agg(pl.col("coefficient").mean()).sort("made", "input"),
        codes=_codes(world),
        countries=frozenset(world.countries.filter(~pl.col("remainder"))["code"]),
        prices_from=ladder.name if ladder is not None else f"world {world.name}",
    )  # fmt: skip


def _capacity(world: World) -> pl.DataFrame:
    """What a country can make of a good in a year; the least reliable of its figures gives the margin."""
    margins = {grade: parts.setting(f"margin_{grade}") for grade in "ABCD"}
    activities = world.activities.select("id", "country", "level_t", "capacity_t", "reliability")
    can = pl.coalesce("capacity_t", "level_t") * pl.col("coefficient")
    return (
        world.recipes.filter(pl.col("role") == "output")
        .select("activity", "good", "coefficient")
        .join(activities, left_on="activity", right_on="id")
        .group_by("good", "country")
        .agg(capacity_t=can.sum(), reliability=pl.col("reliability").max())
        .with_columns(
            margin=pl.col("reliability").replace_strict(margins, default=margins["D"], return_dtype=pl.Float64)
        )
        .sort("good", "country")
    )


def _base_prices(world: World) -> pl.DataFrame:
    """Prices at the producers' gates, and the price outside for other origins, good for the base year."""
    gate = world.prices.select("good", origin="country", usd_t="price_usd_t", price_source="source", year="year")
    outside = world.goods.select(
        good="id", origin=pl.lit(""), usd_t="price_outside_usd_t", price_source="source", year="year"
    )
    year = pl.col("year").str.slice(-4).cast(pl.Int32, strict=False).max()
    return (
        pl.concat([gate, outside])
        .with_columns(since=pl.date(year, 1, 1), until=pl.date(year, 12, 31))
        .select(*PRICES)
        .sort("good", "origin")
    )


def _ladder(file: Path, goods: Collection[str], iso: Collection[str]) -> pl.DataFrame:
    """Published prices: each holds until the next of its good and origin, or so many days."""
    problems: list[Problem] = []
    held: dict[tuple[str, str], list[tuple[date, float, str]]] = {}
    seen: set[tuple[str, str, str]] = set()
    for cells, place in rows(file, (*LADDER, "origin"), LADDER, option="--prices"):
        wrong = list(_wrong(cells, goods, iso))
        if (key := (cells["good"], cells["origin"], cells["day"])) in seen:
            wrong.append(
                (
                    "day",
                    f"{' '.join(filter(None, key))} has a price above already",
                    "one price of a good, origin and day",
                )
            )
        seen.add(key)
        problems += [Problem("prices-row", message, place, name, hint) for name, message, hint in wrong]
        if not wrong:
            since = date.fromisoformat(cells["day"])
            held.setdefault((cells["good"], cells["origin"]), []).append(
                (since, float(cells["usd_t"]), cells["source"])
            )
    if problems:
        raise InputRefused(problems)
    spans = []
    for (good, origin), found in sorted(held.items()):
        found.sort()
        for number, (since, usd, source) in enumerate(found, start=1):
            until = since + timedelta(days=parts.months("price_days"))
            if number < len(found):
                until = min(until, found[number][0] - timedelta(days=1))
            spans.append((good, origin, since, until, usd, source))
    return pl.DataFrame(spans, schema=PRICES, orient="row")


def _wrong(cells: Mapping[str, str], goods: Collection[str], iso: Collection[str]) -> Iterator[tuple[str, str, str]]:
    """What is wrong with a published price: field, message, hint."""
    good, origin = cells["good"], cells["origin"]
    if good not in goods:
        hint = did_you_mean(good, goods) or "friendshore world goods lists them"
        yield "good", f"no good is called {good[:SHOWN]!r}", hint
    if origin and (origin not in iso if iso else not _CODE.fullmatch(origin)):
        hint = did_you_mean(origin, iso) or "ISO 3166, three letters"
        yield "origin", f"{origin[:SHOWN]!r} is no country", hint
    try:
        date.fromisoformat(cells["day"])
    except ValueError:
        yield "day", f"{cells['day'][:SHOWN]!r} is no day", "year-month-day, such as 2025-01-15"
    if not _PRICE.fullmatch(cells["usd_t"]) or not float(cells["usd_t"]):
        yield (
            "usd_t",
            f"{cells['usd_t'][:SHOWN]!r} is no price",
            "USD per contained tonne above nought, such as 22000.50",
        )


def _publications(folder: Path) -> tuple[pl.DataFrame, bool]:
    """The prices of a folder of publications, from the first to the last day of each, and whether they are cif."""
    ladder = publication.load(folder)
    if len(ladder.deliveries) > 1:
        message = f"{folder.name}: some prices fob, some cif"
        raise InputRefused.because("wrong-basis", message, path="--prices", hint="publish with one rule")
    spans: list[tuple[str, str, date, date, float, str]] = []
    last: dict[str, int] = {}  # good -> its price so far; the next publication that speaks of it ends it, price or none
    for each in ladder.publications:
        since, until = (date.fromisoformat(each[key]) for key in ("in_force_from", "in_force_until"))
        for item in each["goods"]:
            if (place := last.pop(item["good"], None)) is not None:
                good, origin, began, ends, usd, source = spans[place]
                spans[place] = (good, origin, began, min(ends, since - timedelta(days=1)), usd, source)
            if item["price"] is not None:
                last[item["good"]] = len(spans)
                spans.append((item["good"], "", since, until, float(item["usd_t"]), f"published {each['date']}"))
    return pl.DataFrame(spans, schema=PRICES, orient="row"), "cif" in ladder.deliveries


def _codes(world: World) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for good, codes in world.goods.select("id", "hs6").iter_rows():
        for code in filter(None, (codes or "").split("+")):
            found.setdefault(code, []).append(good)
    return {code: tuple(sorted(goods)) for code, goods in found.items()}


def priced(table: pl.DataFrame, prices: pl.DataFrame, *, day: str) -> pl.DataFrame:
    """Add `usd_t` and `price_source`: the price published for a good and origin, or for any origin, that holds on a day.

    Where several hold, the latest is taken. `table` has good, origin and the column named by `day`.
    """
    keys = table.select("good", "origin", pl.col(day).alias("on_day")).unique()
    own = _holding(keys, prices, ["good", "origin"])
    any_origin = _holding(keys, prices.filter(pl.col("origin") == "").drop("origin"), ["good"])
    found = (
        keys.join(own, on=["good", "origin", "on_day"], how="left", nulls_equal=True)
        .join(any_origin, on=["good", "origin", "on_day"], how="left", nulls_equal=True, suffix="_any")
        .with_columns(
            usd_t=pl.coalesce("usd_t", "usd_t_any"), price_source=pl.coalesce("price_source", "price_source_any")
        )
        .drop("usd_t_any", "price_source_any")
    )
    return table.join(found, left_on=["good", "origin", day], right_on=["good", "origin", "on_day"], how="left", nulls_equal=True)  # fmt: skip


def _holding(keys: pl.DataFrame, prices: pl.DataFrame, by: list[str]) -> pl.DataFrame:
    held = keys.join(prices, on=by).filter(pl.col("on_day").is_between(pl.col("since"), pl.col("until")))
    return (
        held.sort("since")
        .group_by("good", "origin", "on_day")
        .agg(pl.col("usd_t").last(), pl.col("price_source").last())
    )
