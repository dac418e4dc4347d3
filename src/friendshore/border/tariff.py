"""Which rates stand for a national tariff line on a day: MFN, preferences, suspensions, additional duties, and their sources.

The tariff is a table of dated measures in one schema, shipped for the lines of critical minerals and extended by the user.
Reading publishers' files is left to `published`, charging to the rule.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cache, cached_property
from pathlib import Path

from friendshore.border.expression import Expression, parse
from friendshore.border.side_file import rows
from friendshore.errors import InputRefused, Problem, did_you_mean

SHIPPED = Path(__file__).parent / "data"
COLUMNS = ("territory", "line", "kind", "name", "origins", "rate", "inherits", "starts", "ends", "source", "note")
KINDS = ("mfn", "column2", "preference", "suspension", "section_301", "section_232", "section_122", "gap")
_CODE, _LINE = re.compile(r"[A-Z]{3}"), re.compile(r"[0-9]{4,10}")


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

    def in_force(self, day: date) -> bool:
        """Whether it is in force on a day, from its first to its last."""
        return (self.starts is None or self.starts <= day) and (self.ends is None or day <= self.ends)

    def holds(self, day: date, origin: str) -> bool:
        """Whether it applies to goods of an origin on a day."""
        return self.in_force(day) and (not self.origins or origin in self.origins)


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

    def below(self, territory: str, line: str) -> tuple[str, ...]:
        """The longer lines under a code that have a rate of their own, in order."""
        return tuple(each for each in self._lines.get(territory, ()) if each.startswith(line) and len(each) > len(line))

    def near(self, territory: str, line: str, number: int = 6) -> tuple[str, ...]:
        """Lines that are written most like a code which the schedule does not have: of its subheading, else of its heading; the nearest, in order."""
        for digits in range(min(6, len(line) - 1), 3, -1):
            same = [each for each in self._lines.get(territory, ()) if each.startswith(line[:digits])]
            if same:
                apart = {each: abs(int(each.ljust(10, "0")) - int(line.ljust(10, "0"))) for each in same}
                return tuple(sorted(sorted(same, key=lambda each: (apart[each], each))[:number]))
        return ()

    @cached_property
    def _lines(self) -> dict[str, tuple[str, ...]]:
        """The lines of every territory that have an MFN rate, in order."""
        found: dict[str, list[str]] = {}
        for (territory, line), measures in self.measures.items():
            if any(each.kind == "mfn" for each in measures):
                found.setdefault(territory, []).append(line)
        return {territory: tuple(sorted(lines)) for territory, lines in found.items()}


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
    for cells, place in rows(file, COLUMNS, COLUMNS[:6], option="--tariff"):
        wrong = list(_wrong(cells))
        problems += [Problem("tariff-row", message, place, column, hint) for column, message, hint in wrong]
        if not wrong:
            found.append(_measure(cells))
    if problems:
        raise InputRefused(problems)
    return found


def write(measures: Iterable[Measure], file: Path) -> None:
    """Measures as a CSV file in our schema."""
    with file.open("w", encoding="utf-8", newline="") as text:
        out = csv.writer(text, lineterminator="\n")
        out.writerow(COLUMNS)
        for each in measures:
            origins = "+".join(sorted(each.origins))
            days = [day.isoformat() if day else "" for day in (each.starts, each.ends)]
            out.writerow(
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


def _wrong(cells: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """What is wrong with the cells of a measure: column, message, what to do. A rate that cannot be read is for its use to refuse."""
    if not _CODE.fullmatch(cells["territory"]):
        yield "territory", f"{cells['territory']!r} is no territory", "three letters, such as USA, or EUN for the Union"
    if cells["kind"] not in KINDS:
        hint = did_you_mean(cells["kind"], KINDS) or f"one of {', '.join(KINDS)}"
        yield "kind", f"{cells['kind']!r} is no kind of measure", hint
    if not _LINE.fullmatch(cells["line"]) and (cells["line"] or cells["kind"] != "gap"):
        yield "line", f"{cells['line']!r} is no tariff line", "four to ten digits alone, such as 28469080"
    if strange := [each for each in cells["origins"].split("+") if each and not _CODE.fullmatch(each)]:
        yield (
            "origins",
            f"{strange[0]!r} is no origin",
            "codes of three letters joined by +, such as CHN+RUS; nothing for all",
        )
    days = {}
    for column in ("starts", "ends"):
        try:
            days[column] = _day(cells[column])
        except ValueError:
            yield column, f"{cells[column]!r} is no day", "such as 2027-03-14; nothing where it is open"
    if (first := days.get("starts")) and (last := days.get("ends")) and last < first:
        yield "ends", f"ends {last}, before it starts {first}", "a last day that is not before the first"


def _day(text: str) -> date | None:
    """A day, none where there is nothing."""
    if text and len(text) != 10:
        raise ValueError(text)
    return date.fromisoformat(text) if text else None


def _measure(cells: Mapping[str, str]) -> Measure:
    same = ("territory", "line", "kind", "name", "rate", "inherits", "source", "note")
    return Measure(
        origins=frozenset(filter(None, cells["origins"].split("+"))),
        starts=_day(cells["starts"]),
        ends=_day(cells["ends"]),
        **{name: cells[name] for name in same},
    )
