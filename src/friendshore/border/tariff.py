"""Which rates stand for a national tariff line on a day: MFN, preferences, suspensions, additional duties, and their sources.

The tariff is a table of dated measures in one schema, shipped for the lines of critical minerals and extended by the user.
Reading publishers' files is left to `published`, charging to the rule.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from pathlib import Path

from friendshore.border.expression import Expression, parse
from friendshore.errors import InputRefused, Place, Problem

SHIPPED = Path(__file__).parent / "data"
COLUMNS = ("territory", "line", "kind", "name", "origins", "rate", "inherits", "starts", "ends", "source", "note")
KINDS = ("mfn", "column2", "preference", "suspension", "section_301", "section_232", "section_122", "gap")


@dataclass(frozen=True, slots=True)
class Measure:
    """One dated rate on one tariff line.

    Parameters
    ----------
    territory : who charges it: a country, or a customs union by its code
    line : digits of the national line, or of a heading that it holds for
    kind : one of `KINDS`; a `gap` is a duty that we know of and do not have
    name : what the schedule calls it: a list, a programme, an annex
    origins : whose goods; empty for everyone's
    rate : as written; `inherits` names the line that it was taken from
    """

    territory: str
    line: str
    kind: str
    name: str
    origins: frozenset[str]
    rate: str
    inherits: str
    starts: date | None
    ends: date | None
    source: str
    note: str = ""

    @property
    def expression(self) -> Expression | None:
        """The rate read, None where it cannot be."""
        return _parsed(self.rate)

    def holds(self, day: date, origin: str) -> bool:
        """Whether it applies to goods of an origin on a day."""
        begun = self.starts is None or self.starts <= day
        return begun and (self.ends is None or day <= self.ends) and (not self.origins or origin in self.origins)


@dataclass(frozen=True)
class Tariff:
    """The measures of every territory, found by the digits of a line."""

    measures: Mapping[tuple[str, str], tuple[Measure, ...]]
    territories: frozenset[str]
    depths: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    def on(self, territory: str, line: str) -> tuple[Measure, ...]:
        """The measures of a line: its own, and those of the shorter codes that it falls under."""
        found: list[Measure] = []
        for digits in self.depths.get(territory, ()):
            if digits <= len(line):
                found.extend(self.measures.get((territory, line[:digits]), ()))
        return tuple(found)

    def below(self, territory: str, line: str) -> tuple[Measure, ...]:
        """The MFN measures of the longer lines under a code."""
        return tuple(
            measure
            for (where, digits), measures in self.measures.items()
            if where == territory and digits.startswith(line) and len(digits) > len(line)
            for measure in measures
            if measure.kind == "mfn"
        )


def gather(measures: Iterable[Measure]) -> Tariff:
    """A tariff of measures."""
    found: dict[tuple[str, str], list[Measure]] = {}
    depths: dict[str, set[int]] = {}
    for measure in measures:
        found.setdefault((measure.territory, measure.line), []).append(measure)
        depths.setdefault(measure.territory, set()).add(len(measure.line))
    return Tariff(
        measures={key: tuple(held) for key, held in found.items()},
        territories=frozenset(where for where, _ in found),
        depths={where: tuple(sorted(held, reverse=True)) for where, held in depths.items()},
    )


def load(files: Iterable[Path] = ()) -> Tariff:
    """The shipped tariff, with the territories that users' files state in place of the shipped ones.

    Raises
    ------
    InputRefused   a file that is not in our schema, with every problem at its line
    """
    own = [measure for file in files for measure in read(file)]
    replaced = {measure.territory for measure in own}
    return gather([*(each for each in _shipped() if each.territory not in replaced), *own])


def read(file: Path) -> list[Measure]:
    """The measures of a CSV file in our schema (`COLUMNS`).

    Raises
    ------
    InputRefused   missing columns, dates that do not exist, rates that cannot be read
    """
    problems: list[Problem] = []
    found: list[Measure] = []
    with file.open(encoding="utf-8-sig", newline="") as text:
        rows = csv.DictReader(text)
        missing = [column for column in COLUMNS[:6] if column not in (rows.fieldnames or ())]
        if missing:
            hint = f"the columns are {', '.join(COLUMNS)}"
            raise InputRefused.because("tariff-columns", f"{file.name} lacks {', '.join(missing)}", hint=hint)
        for number, row in enumerate(rows, start=2):
            try:
                found.append(_measure(row))
            except ValueError as error:
                problems.append(Problem("tariff-row", str(error), Place(str(file), number, 1)))
    if problems:
        raise InputRefused(problems)
    return found


def write(measures: Iterable[Measure], file: Path) -> None:
    """Measures as a CSV file in our schema."""
    with file.open("w", encoding="utf-8", newline="") as text:
        rows = csv.writer(text, lineterminator="\n")
        rows.writerow(COLUMNS)
        for each in measures:
            origins = "+".join(sorted(each.origins))
            days = [day.isoformat() if day else "" for day in (each.starts, each.ends)]
            rows.writerow(
                [
                    each.territory,
                    each.line,
                    each.kind,
                    each.name,
                    origins,
                    each.rate,
                    each.inherits,
                    *days,
                    each.source,
                    each.note,
                ]
            )


@cache
def _shipped() -> tuple[Measure, ...]:
    return tuple(measure for file in sorted(SHIPPED.glob("tariff_*.csv")) for measure in read(file))


@cache
def _parsed(rate: str) -> Expression | None:
    return parse(rate)


def _measure(row: Mapping[str, str | None]) -> Measure:
    cells = {key: (row.get(key) or "").strip() for key in COLUMNS}
    if cells["kind"] not in KINDS:
        raise ValueError(f"{cells['kind']!r} is no kind of measure; one of {', '.join(KINDS)}")
    if not cells["line"].isdigit() and (cells["line"] or cells["kind"] != "gap"):
        raise ValueError(f"{cells['line']!r} is no tariff line; digits alone, such as 28469080")
    return Measure(
        territory=cells["territory"],
        line=cells["line"],
        kind=cells["kind"],
        name=cells["name"],
        origins=frozenset(filter(None, cells["origins"].split("+"))),
        rate=cells["rate"],
        inherits=cells["inherits"],
        starts=date.fromisoformat(cells["starts"]) if cells["starts"] else None,
        ends=date.fromisoformat(cells["ends"]) if cells["ends"] else None,
        source=cells["source"],
        note=cells["note"],
    )
