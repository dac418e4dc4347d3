"""Prices of the status quo beside those that were quoted: how far a reader may trust a level in money.

A quotation is a day's, an outcome's price a year's mean at rest. Which quotations there are is `world.observed`'s.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from friendshore.mean_price import price_received, unit_value
from friendshore.report.typography import counted, figure, grid, listed, paragraph, section
from friendshore.world.observed import WORLD

if TYPE_CHECKING:
    import polars as pl

    from friendshore.outcome import Outcome
    from friendshore.world.observed import Quotation

SHORT = 1e-6  # of what is used: less than that unserved is the solver's rounding
FAR = 4.0 / 3.0  # times the quotation, or its inverse: further off it is named


def beside(outcome: Outcome, quotations: Iterable[Quotation], union: Mapping[str, str]) -> str:
    """A section with every quotation and our price in the same place; nothing where there is no quotation.

    Parameters
    ----------
    union : country -> its customs union, where it is in one
    """
    rows, far = [], []
    for quoted in quotations:
        ours = price(outcome, quoted.good, quoted.place, union)
        if ours is None:
            continue
        ratio = ours / quoted.usd_t
        short = _unserved(outcome, quoted.good, quoted.place, union)
        off = "" if 1.0 / FAR <= ratio <= FAR else "far off"
        rows.append(
            [
                quoted.good,
                quoted.place,
                quoted.date,
                f"{off}{', ' if off and short else ''}{'users unserved' if short else ''}",
                figure(quoted.usd_t / 1000.0),
                figure(ours / 1000.0),
                f"{ratio:.2f}",
            ]
        )
        if off:
            far.append(f"{quoted.good} in {quoted.place} ({ratio:.2f})")
    if not rows:
        return ""
    said = (
        f"Levels of money are to be read with care for {listed(dict.fromkeys(far))}: the number is ours over quoted."
        if far
        else "None is more than a third above its quotation or a quarter below it."
    )
    return section(
        "Prices of the status quo beside quotations",
        paragraph(
            "A quotation is a price of one day after (or, marked by its date, before) the base year; ours is where the markets of "
            "2024 settle under the measures of the date: what buyers there pay for a tonne they take then, or makers get where it is not bought.",
            indent=2,
        ),
        grid(["good", "place", "quoted on", "", "quoted\nUSD/kg", "status quo\nUSD/kg", "ratio"], rows, left=4),
        paragraph(said, indent=2),
        paragraph(choked(outcome), indent=2),
    )


def choked(outcome: Outcome) -> str:
    """Where users go unserved because the price stands where use stops, in a sentence."""
    short = outcome.use.filter(outcome.use["unserved_t"] > SHORT * outcome.use["t"])
    times = {
        (g, c): p / b
        for g, c, p, b in outcome.indices.select("good", "country", "usd_t", "base_usd_t").iter_rows()
        if b
    }
    held: dict[str, list[float]] = {}
    for good, country in short.select("good", "country").sort("good", "country").iter_rows():
        held.setdefault(good, []).append(times.get((good, country), 1.0))
    if not held:
        return "Nobody goes unserved in the status quo."
    named = [
        f"{good} in {counted(len(ratios), 'country', 'countries')} ({max(ratios):.1f})" for good, ratios in held.items()
    ]
    return (
        f"At the price where use stops, users go unserved of {listed(named)}: the number is that price over its base."
    )


def price(outcome: Outcome, good: str, place: str, union: Mapping[str, str]) -> float | None:
    """Unit value of what a place takes; where it takes none, what its makers receive on average. USD/t.

    A level beside a quotation: what is paid for the tonnes of the very outcome, as a quotation is.
    """
    known = {*outcome.flows["importer"], *outcome.prices["country"]}
    here = [code for code in known if place in (WORLD, code, union.get(code))]
    return unit_value(outcome, here).get(good, price_received(outcome, here).get(good))


def _unserved(outcome: Outcome, good: str, place: str, union: Mapping[str, str]) -> bool:
    use = _in(outcome.use.filter(outcome.use["good"] == good), "country", place, union)
    return any(tonnes > 0.0 for tonnes in use["unserved_t"])


def _in(table: pl.DataFrame, column: str, place: str, union: Mapping[str, str]) -> pl.DataFrame:
    inside = [place in (WORLD, code, union.get(code)) for code in table[column]]
    return table.filter(inside) if inside else table
