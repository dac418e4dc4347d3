"""Dates in a treaty: when a term holds, how far it is phased in, and what it was worth on a day.

A dated value is a list of periods that follow one another without a gap or an overlap. Days count inclusively: `until`
is the last day on which a value holds.
"""

from __future__ import annotations

import calendar
import itertools
from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from friendshore import spans
from friendshore.marked import wrong

T = TypeVar("T")

PHASE_STEP = Decimal("0.000001")


class Term(BaseModel):
    """A frozen piece of an agreement that refuses keys it does not know."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


def many(value: Any) -> Any:
    """YAML lists are kept as tuples, so that a frozen term is frozen all through."""
    return tuple(value) if isinstance(value, list) else value


Day = Annotated[spans.Day, WithJsonSchema({"type": "string", "format": "date"})]
Months = Annotated[spans.Months, WithJsonSchema({"type": "string", "pattern": "^[0-9]{1,3}\\s*(y|m)$"})]
Many = Annotated[tuple[T, ...], BeforeValidator(many)]


class Dated(Term, Generic[T]):
    """A value from one day to another. A list of them leaves no day out and names none twice."""

    starts: Day = Field(alias="from", description="First day on which the value holds.")
    until: Day | None = Field(None, description="Last day on which it holds; open-ended if absent.")
    value: T

    def holds(self, day: date) -> bool:
        """Whether the value holds on a day."""
        return self.starts <= day and (self.until is None or day <= self.until)


def shape(value: Any) -> str:
    """Whether a term is written as one value (`single`) or as a list of periods (`dated`): a union's discriminator."""
    return "dated" if isinstance(value, list | tuple) else "single"


def consecutive(value: Any) -> Any:
    """Refuse periods with a gap or an overlap between them, naming both; what is not dated passes."""
    if not isinstance(value, tuple):
        return value
    if not value:
        raise wrong("empty", "a dated value without a date")
    for number, period in enumerate(value):
        if period.until is not None and period.until < period.starts:
            raise wrong("dates-backwards", f"ends {period.until}, before it begins {period.starts}", at=(number,))
    for number, (one, other) in enumerate(itertools.pairwise(value), start=1):
        if one.until is None:
            raise wrong(
                "overlap",
                f"the value from {one.starts}, at [{number - 1}], has no end, so it overlaps the one from {other.starts}",
                hint=f"end it with until: {other.starts - timedelta(days=1)}",
                at=(number,),
            )
        if other.starts <= one.until:
            raise wrong(
                "overlap",
                f"the value from {one.starts} until {one.until}, at [{number - 1}], overlaps the one from {other.starts}",
                at=(number,),
            )
        if other.starts > one.until + timedelta(days=1):
            gap = f"{one.until + timedelta(days=1)} to {other.starts - timedelta(days=1)}"
            raise wrong(
                "gap",
                f"nothing holds from {gap}, between the value from {one.starts}, at [{number - 1}], and the one from {other.starts}",
                at=(number,),
            )
    return value


def on(term: T | tuple[Dated[T], ...], day: date) -> T | None:
    """What a term is worth on a day; None where it holds no value then."""
    if not isinstance(term, tuple):
        return term
    return next((period.value for period in term if period.holds(day)), None)


def values(term: T | tuple[Dated[T], ...]) -> Sequence[T]:
    """Every value that a term takes, in order of time."""
    return [period.value for period in term] if isinstance(term, tuple) else [term]


def after(day: date, months: int) -> date:
    """The day some months later; the last of a shorter month stands in for a missing day.

    >>> after(date(2027, 1, 31), 1)
    datetime.date(2027, 2, 28)
    """
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def phase(day: date, start: date, months: int) -> Decimal:
    """How much of a term holds: from 0 on its first day linearly to 1 when it is phased in.

    phase = days since the start / days of the phase-in, between 0 and 1, to six digits

    >>> phase(date(2028, 7, 1), date(2027, 1, 1), 36)
    Decimal('0.499088')
    """
    if day < start:
        return Decimal(0)
    end = after(start, months)
    if day >= end:
        return Decimal(1)
    return (Decimal((day - start).days) / Decimal((end - start).days)).quantize(PHASE_STEP)
