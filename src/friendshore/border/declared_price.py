"""What a declared price must be before it is held against a reference price: of the same grade, and between strangers.

A clause may say which grade its reference price is quoted for and what a point of assay is worth, and how close to a test value
a price between related parties must come. Both change what is compared and nothing else: the customs value stays as declared.

    reference of the line = reference - USD per point x (grade quoted for - grade of the goods), not below nought
    related parties       : the declared price is taken if it is within the stated share of a test value (Valuation Agreement,
                            article 1.2(b)); else the next method's value (articles 2, 3, 5, 6); else no levy can be told

Charging is left to `line` and `columns`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path

from friendshore.border.scaled import CENTS_MAX, NANO
from friendshore.border.side_file import rows
from friendshore.errors import InputRefused, Problem, did_you_mean

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
    for cells, place in rows(file, COLUMNS, COLUMNS, option="--values"):
        wrong = list(_wrong(cells))
        problems += [Problem("values-row", message, place, column, hint) for column, message, hint in wrong]
        if not wrong:
            found.append(
                Value(
                    good=cells["good"], origin=cells["origin"], importer=cells["importer"], starts=date.fromisoformat(cells["from"]),
                    ends=date.fromisoformat(cells["to"]), method=cells["method"], usd_t=Decimal(cells["usd_t"]), source=cells["source"],
                )
            )  # fmt: skip
    if problems:
        raise InputRefused(problems)
    return tuple(found)


def _wrong(cells: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """What is wrong with the cells of a test value: column, message, what to do."""
    if not cells["good"]:
        yield "good", "no good is named", "a good's id, such as antimony.metal"
    for column in ("origin", "importer"):
        if cells[column] and not re.fullmatch(r"[A-Z]{3}", cells[column]):
            yield column, f"{cells[column]!r} is no country", "three letters, such as CHN; nothing for any"
    days = {}
    for column in ("from", "to"):
        try:
            days[column] = date.fromisoformat(cells[column] if len(cells[column]) == 10 else "")
        except ValueError:
            yield column, f"{cells[column]!r} is no day", "such as 2030-01-31"
    if len(days) == 2 and days["to"] < days["from"]:
        yield "to", f"ends {days['to']}, before it begins {days['from']}", "a last day that is not before the first"
    if cells["method"] not in METHODS:
        hint = did_you_mean(cells["method"], METHODS) or f"one of {', '.join(METHODS)}"
        yield "method", f"{cells['method']!r} is no method", hint
    if not re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,2})?", cells["usd_t"]) or not Decimal(cells["usd_t"]):
        yield "usd_t", f"{cells['usd_t']!r} is no amount", "above nought, at most two decimals, such as 58000.00"
    if not cells["source"]:
        yield "source", "no source is named", "who sold or computed it, and where that stands"


def _cents(usd: Decimal) -> int:
    return int((usd * 100).to_integral_value(ROUND_HALF_EVEN))


def _nano(share: Decimal) -> int:
    return int((share * NANO).to_integral_value(ROUND_HALF_EVEN))
