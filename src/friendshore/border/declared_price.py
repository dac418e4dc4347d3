"""What a declared price must be before it is held against a reference price: of the same grade, and between strangers.

A clause may say which grade its reference price is quoted for and what a point of assay is worth, and how close to a test value
a price between related parties must come. Both change what is compared and nothing else: the customs value stays as declared.

    reference of the line = reference - USD per point x (grade quoted for - grade of the goods), not below nought
    related parties       : the declared price is taken if it is within the stated share of a test value (Valuation Agreement,
                            article 1.2(b)); else the next method's value (articles 2, 3, 5, 6); else no levy can be told

Charging is left to `line` and `columns`.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from pathlib import Path

from friendshore.border.scaled import CENTS_MAX, NANO
from friendshore.errors import InputRefused, Place, Problem

POINT = NANO // 100  # a percentage point in billionths
WITHIN = 10_000  # the unit of how close a price must come to a test value
COLUMNS = ("good", "origin", "importer", "from", "to", "method", "usd_t", "source")
# Which method a value stands for: its article, and which of the three tests of article 1.2(b) it may serve.
METHODS = {
    "identical": ("Article 2, identical goods", "sale"),
    "similar": ("Article 3, similar goods", "sale"),
    "deductive": ("Article 5, deductive value", "deductive"),
    "computed": ("Article 6, computed value", "computed"),
}
TESTS = ("sale", "deductive", "computed")


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceTest:
    """How a clause compares prices.

    Parameters
    ----------
    grade : part of the dry mass that is the good's own unit, for which the reference price is quoted; none where it is not said
    usd_t_point : USD per contained tonne that a percentage point of it is worth
    within : how far from a test value a price between related parties may lie, as a share; none where the clause takes any
    article, source : where that stands
    """

    grade: Decimal | None = None
    usd_t_point: Decimal = Decimal(0)
    within: Decimal | None = None
    grade_article: str = ""
    related_article: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """What goods were sold for, or are computed to be worth, apart from the entry: cif, USD per contained tonne.

    `origin` and `importer` are empty where the value holds for any.
    """

    good: str
    origin: str
    importer: str
    starts: date
    ends: date
    method: str
    usd_t: Decimal
    source: str

    def holds(self, good: str, origin: str, importer: str, day: date) -> bool:
        """Whether it may be set beside goods of an origin that enter on a day."""
        same = self.good == good and self.origin in ("", origin) and self.importer in ("", importer)
        return same and self.starts <= day <= self.ends


@dataclass(frozen=True, slots=True, kw_only=True)
class Tested:
    """A price test as whole numbers: cents per contained tonne, billionths, ten-thousandths; none where it is not made.

    `sale`, `deductive` and `computed` are the test values, `next_value` the value of the first method that has one.
    """

    grade: int | None = None
    grade_point: int = 0
    within: int | None = None
    sale: int | None = None
    deductive: int | None = None
    computed: int | None = None
    next_value: int | None = None
    next_text: str = ""
    grade_article: str = ""
    related_article: str = ""

    @property
    def values(self) -> tuple[int, ...]:
        """The test values that there are."""
        return tuple(value for value in (self.sale, self.deductive, self.computed) if value is not None)


UNTESTED = Tested()


def tested(
    test: PriceTest | None, values: Iterable[Value], good: str, origin: str, importer: str, day: date, *, related: bool
) -> Tested:
    """The price test of one kind of line. Of several values of a method the one that began last counts."""
    if test is None:
        return UNTESTED
    point = _cents(test.usd_t_point)
    grade = None if test.grade is None or not point else _nano(test.grade)
    found = Tested(grade=grade, grade_point=point if grade is not None else 0, grade_article=test.grade_article)
    if not related or test.within is None:
        return found
    latest: dict[str, Value] = {}
    for value in sorted(values, key=lambda each: each.starts):
        if value.holds(good, origin, importer, day):
            latest[value.method] = value
    tests: dict[str, int] = {}
    for method in METHODS:
        if method in latest:
            tests.setdefault(METHODS[method][1], _cents(latest[method].usd_t))
    first = next((latest[method] for method in METHODS if method in latest), None)
    said = f"{METHODS[first.method][0]}: {first.usd_t:f} USD/t, {first.source}" if first else ""
    return Tested(
        grade=found.grade, grade_point=found.grade_point, within=int((test.within * WITHIN).to_integral_value(ROUND_HALF_EVEN)),
        sale=tests.get("sale"), deductive=tests.get("deductive"), computed=tests.get("computed"),
        next_value=_cents(first.usd_t) if first else None, next_text=said,
        grade_article=test.grade_article, related_article=test.related_article,
    )  # fmt: skip


def close(price_c: int, value_c: int, within: int) -> bool:
    """Whether a price lies within the share of a test value, above or below.

    >>> close(105_00, 100_00, 500), close(105_01, 100_00, 500), close(95_00, 100_00, 500)
    (True, False, True)
    """
    return value_c <= CENTS_MAX and abs(price_c - value_c) * WITHIN <= value_c * within


def read(file: Path) -> tuple[Value, ...]:
    """Test values from a CSV file.

    Raises
    ------
    InputRefused   missing columns, or rows with a day, a method or an amount that is none: all of them
    """
    problems: list[Problem] = []
    found: list[Value] = []
    with file.open(encoding="utf-8-sig", newline="") as text:
        rows = csv.DictReader(text)
        if missing := [name for name in COLUMNS if name not in (rows.fieldnames or ())]:
            hint = f"the columns are {', '.join(COLUMNS)}"
            raise InputRefused.because("values-columns", f"{file.name} lacks {', '.join(missing)}", hint=hint)
        for number, row in enumerate(rows, start=2):
            cells = {name: (row[name] or "").strip() for name in COLUMNS}
            place = Place(str(file), number, 1)
            try:
                value = Value(
                    good=cells["good"], origin=cells["origin"], importer=cells["importer"], starts=date.fromisoformat(cells["from"]),
                    ends=date.fromisoformat(cells["to"]), method=cells["method"], usd_t=Decimal(cells["usd_t"]), source=cells["source"],
                )  # fmt: skip
            except (ValueError, InvalidOperation):
                problems.append(Problem("values-row", "no day, or no amount", place, hint="2030-01-31; 58000.00"))
                continue
            if value.method not in METHODS:
                message = f"{value.method!r} is no method"
                problems.append(Problem("values-row", message, place, hint=f"one of {', '.join(METHODS)}"))
            elif not (value.usd_t.is_finite() and value.usd_t > 0) or value.ends < value.starts or not value.source:
                message = "an amount above nought, an end that is not before the start, and a source are needed"
                problems.append(Problem("values-row", message, place))
            else:
                found.append(value)
    if problems:
        raise InputRefused(problems)
    return tuple(found)


def _cents(usd: Decimal) -> int:
    return int((usd * 100).to_integral_value(ROUND_HALF_EVEN))


def _nano(share: Decimal) -> int:
    return int((share * NANO).to_integral_value(ROUND_HALF_EVEN))
