"""Exchange rates: USD for one unit of a currency by day, each with its source, from a CSV file. Converting is left to its users."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

from friendshore.border.side_file import rows
from friendshore.errors import InputRefused, Problem

COLUMNS = ("currency", "day", "usd", "source")
_RATE = re.compile(r"[0-9]{1,9}(\.[0-9]{1,12})?")
_CURRENCY = re.compile(r"[A-Z]{3}")


class Rate(NamedTuple):
    """USD for one unit of a currency, as it was published on a day."""

    day: date
    usd: Decimal
    source: str = ""

    def words(self, currency: str) -> str:
        """The rate with its day and source; nothing for the dollar itself.

        >>> Rate(date(2030, 2, 1), Decimal("1.10"), "central bank").words("EUR")
        '1.1 USD per EUR of 2030-02-01 (central bank)'
        """
        if self == DOLLAR:
            return ""
        said = f"{self.usd.normalize():f} USD per {currency} of {self.day}"
        return f"{said} ({self.source})" if self.source else said


DOLLAR = Rate(date.min, Decimal(1))
Rates = Mapping[str, tuple[Rate, ...]]


def read(source: Path | bytes, *, name: str = "") -> dict[str, tuple[Rate, ...]]:
    """Exchange rates by currency, in order of days, from `currency`, `day`, `usd` and `source`.

    Raises
    ------
    InputRefused   missing columns, a currency, a day or an amount that is none, two rates of one currency on one day
    """
    found: dict[str, dict[date, Rate]] = {}
    problems: list[Problem] = []
    for cells, place in rows(source, COLUMNS, COLUMNS[:3], name=name, option="--rates"):
        currency, usd, day = cells["currency"], cells["usd"], _day(cells["day"])
        wrong = len(problems)
        if not _CURRENCY.fullmatch(currency):
            problems.append(Problem("rates-row", f"{currency!r} is no currency", place, "currency", "such as EUR"))
        if day is None:
            problems.append(Problem("rates-row", f"{cells['day']!r} is no day", place, "day", "such as 2030-01-15"))
        if not _RATE.fullmatch(usd) or not Decimal(usd):
            hint = "a number above nought with a point, such as 1.0837"
            problems.append(Problem("rates-row", f"{usd!r} is no rate", place, "usd", hint))
        elif currency == "USD" and Decimal(usd) != 1:
            problems.append(Problem("rates-row", f"a dollar is {usd} USD", place, "usd", "1, or leave the row out"))
        elif day is not None and day in found.get(currency, {}):
            message = f"{currency} has a rate on {day} already"
            problems.append(Problem("rates-row", message, place, "day", "one rate a day"))
        if day is not None and len(problems) == wrong:
            found.setdefault(currency, {})[day] = Rate(day, Decimal(usd), cells["source"])
    if problems:
        raise InputRefused(problems)
    return {currency: tuple(rate for _, rate in sorted(held.items())) for currency, held in found.items()}


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if len(text) == 10 else None
    except ValueError:
        return None
