"""What stands at a date without any new agreement: base licences and the dated measures since the base year, as wedges.

Answers "what holds on that day". Where the measures come from is the tables' business; what they do, the market's.
"""

from __future__ import annotations

from datetime import date
from typing import Literal

from friendshore.errors import Problem, WorldError
from friendshore.faces import Ban, ExportTax, Lane, Quota, Tariff, Wedge
from friendshore.world.tables import World

# The list of measures was closed on this day. A later date finds the measures as they stood then: what the world will do
# to them is not known, so a suspension stays a suspension and a quota published to 2027 stays the quota.
KNOWN_TO = date(2026, 11, 22)

KINDS = ("tariff", "export_tax", "quota", "licence", "ban", "listed")


def wedges(world: World, as_of: date | None) -> tuple[Wedge, ...]:
    """The measures in force on `as_of`, in the table's order; none where `as_of` is None (the base year as it was).

    A measure holds from `starts` to `ends`, both days included, and without an end until it is replaced: one published
    to a date lapses then. After `KNOWN_TO` the state of that day is carried on: nobody can know a renewal or a revival.
    As-of picks terms only: tonnes of a quota stay as the table has them.
    Duties and export taxes come on top of the base; kind 'listed' is known but changes nothing.

    Raises
    ------
    WorldError   a measure of an unknown kind, or a quota without tonnes.
    """
    if as_of is None:
        return ()
    as_of = min(as_of, KNOWN_TO)
    made: list[Wedge] = []
    problems: list[Problem] = []
    for row in world.measures.iter_rows(named=True):
        if not holds(row["starts"], row["ends"], as_of) or row["kind"] == "listed":
            continue
        clause = f"status_quo.{row['id']}"
        exporters, importers = _codes(row["exporters"]), _codes(row["importers"])
        lane = Lane(good=row["good"], exporters=exporters, importers=importers)
        rate, specific = row["rate"] or 0.0, row["specific_usd_t"] or 0.0
        if row["kind"] == "tariff":
            made.append(Tariff(clause=clause, lane=lane, rate=rate, specific_usd_t=specific, adds=True))
        elif row["kind"] == "export_tax":
            made.append(ExportTax(clause=clause, lane=lane, rate=rate, specific_usd_t=specific, adds=True))
        elif row["kind"] == "ban":
            made.append(Ban(clause=clause, lane=lane))
        elif row["kind"] in ("quota", "licence") and row["tonnes"] is not None:
            made.append(Quota(clause=clause, lane=lane, tonnes=row["tonnes"], owner=row["owner"]))
        else:
            what = "no tonnes" if row["kind"] in KINDS else f"unknown kind {row['kind']!r}"
            problems.append(Problem("measure", f"{row['id']}: {what}", path="measures"))
    if problems:
        raise WorldError(problems)
    return tuple(made)


def base_wedges(world: World, as_: Literal["quota", "export_tax"] = "quota") -> tuple[Wedge, ...]:
    """The licences that hold inside and outside prices apart in the base year.

    As a quota the exporting state allots the base tonnes and hands over its rent when a floor closes the gap; as the
    export tax that yields the same rent it does not. Both leave the base as it is.
    """
    made: list[Wedge] = []
    for row in world.licences.iter_rows(named=True):
        lane = Lane(good=row["good"], exporters=frozenset({row["exporter"]}), importers=_codes(row["importers"]))
        if as_ == "quota":
            made.append(Quota(clause=row["id"], lane=lane, tonnes=row["quota_t"], owner=row["owner"]))
        else:
            made.append(ExportTax(clause=row["id"], lane=lane, specific_usd_t=row["rent_usd_t"], adds=True))
    return tuple(made)


def holds(starts: str, ends: str | None, as_of: date) -> bool:
    """Whether a span of days written in ISO form covers a day, its first and last day included.

    >>> holds("2025-02-22", "2025-10-15", date(2025, 10, 15)), holds("2025-02-22", "2025-10-15", date(2025, 10, 16))
    (True, False)
    """
    return date.fromisoformat(starts) <= as_of and (not ends or as_of <= date.fromisoformat(ends))


def _codes(text: str) -> frozenset[str]:
    return frozenset(filter(None, text.split("+")))
