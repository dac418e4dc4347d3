"""Exchange rates: USD for one unit of a currency by day, each with its source, from a CSV file. Converting is left to its users."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path

from friendshore.errors import InputRefused, Place, Problem

COLUMNS = ("currency", "day", "usd")
Rates = Mapping[str, tuple[tuple[date, Decimal], ...]]
_RATE = re.compile(r"[0-9]{1,9}(\.[0-9]{1,12})?")


def read(source: Path | bytes, *, name: str = "") -> dict[str, tuple[tuple[date, Decimal], ...]]:
    """Exchange rates by currency, in order of days, from `currency`, `day`, `usd` and `source`.

    Raises
    ------
    InputRefused   missing columns, a day or an amount that is none, two rates of one currency on one day
    """
    name = name or (str(source) if isinstance(source, Path) else "rates.csv")
    try:
        text = (source if isinstance(source, bytes) else source.read_bytes()).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputRefused.because(
            "unreadable", f"{name} cannot be read: {error}", hint="a CSV file in UTF-8"
        ) from None
    rows = csv.DictReader(io.StringIO(text, newline=""))
    if missing := [column for column in COLUMNS if column not in (rows.fieldnames or ())]:
        hint = "currency,day,usd,source"
        raise InputRefused.because("rates-columns", f"{Path(name).name} lacks {', '.join(missing)}", hint=hint)
    found: dict[str, dict[date, Decimal]] = {}
    problems: list[Problem] = []
    for row in rows:
        place = Place(name, rows.line_num, 1)
        currency, usd = (row["currency"] or "").strip(), (row["usd"] or "").strip()
        try:
            day = date.fromisoformat((row["day"] or "").strip())
        except ValueError:
            problems.append(Problem("rates-row", f"{row['day']!r} is no day", place, "day", "such as 2030-01-15"))
            continue
        if not _RATE.fullmatch(usd) or not Decimal(usd):
            problems.append(Problem("rates-row", f"{usd!r} is no rate", place, "usd", "a number above nought"))
        elif day in found.setdefault(currency, {}):
            problems.append(Problem("rates-row", f"{currency} has a rate on {day} already", place, "day"))
        else:
            found[currency][day] = Decimal(usd)
    if problems:
        raise InputRefused(problems)
    return {currency: tuple(sorted(held.items())) for currency, held in found.items()}
