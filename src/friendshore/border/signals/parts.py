"""The parts of a score: which questions are put, how a measure becomes points, and why each weighs what it weighs.

    strength = whole per cents of (measure - start) / (full - start), between 0 and 100
    points   = weight x strength / 100,    score = the sum of the points

Measures have four decimals and everything after them is whole numbers, so that a score can be added up by hand. Weights,
ends, threshold and their reasons are data beside this file. Taking the measures is left to `lines` and `lanes`.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
UNIT = 10_000  # measures are whole numbers of ten-thousandths
QUESTION = "A signal is a question, not a finding: nothing is denied, charged or refunded because of it."


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One question. `start` and `full` are ten-thousandths of its measure, `weight` the points at full strength.

    `on` says whether it is put to a line of an entry, to a lane of trade, or to both; `needs` what it cannot be put without.
    """

    code: str
    name: str
    on: tuple[str, ...]
    weight: int
    start: int
    full: int
    measure: str
    question: str
    needs: str
    reason: str
    source: str

    def strength(self, measure: int) -> int:
        """Whole per cents, for a measure in ten-thousandths.

        >>> part = parts()["S01"]
        >>> part.start, part.full, part.strength(5_000), part.points(5_000)
        (3000, 7000, 50, 1250)
        """
        return max(0, min(100, (measure - self.start) * 100 // (self.full - self.start)))

    def points(self, measure: int) -> int:
        """Hundredths of points."""
        return self.weight * self.strength(measure)


@dataclass(frozen=True, slots=True)
class Setting:
    """A number that the questions use, and why it is what it is."""

    name: str
    value: float
    what: str
    reason: str


@cache
def parts() -> Mapping[str, Part]:
    """Every question by its code."""
    return {
        row["code"]: Part(
            code=row["code"], name=row["name"], on=tuple(row["on"].split("+")), weight=int(row["weight"]),
            start=ten_thousandths(float(row["start"])), full=ten_thousandths(float(row["full"])), measure=row["measure"],
            question=row["question"], needs=row["needs"], reason=row["reason"], source=row["source"],
        )
        for row in rows("parts.csv")
    }  # fmt: skip


@cache
def settings() -> Mapping[str, Setting]:
    """Threshold, windows, margins by name."""
    return {
        row["name"]: Setting(row["name"], float(row["value"]), row["what"], row["reason"])
        for row in rows("settings.csv")
    }


def setting(name: str) -> float:
    """The value of a setting."""
    return settings()[name].value


def months(name: str) -> int:
    """A setting that counts months or days."""
    return int(settings()[name].value)


def threshold() -> int:
    """Hundredths of points from which a subject is listed."""
    return round(setting("threshold") * 100)


def ten_thousandths(value: float) -> int:
    """A measure as a whole number."""
    return round(value * UNIT)


def strength(measure: Any, part: Part, least: Any, most: Any) -> Any:
    """`Part.strength` on a column: `least` and `most` are the engine's own functions of two values."""
    return most(least((measure - part.start) * 100 // (part.full - part.start), 100), 0)


def rows(name: str) -> list[dict[str, str]]:
    """The rows of a table beside this file."""
    with (HERE / name).open(encoding="utf-8", newline="") as text:
        return list(csv.DictReader(text))
