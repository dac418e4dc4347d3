"""Days and lengths of time as files write them: the one reading that terms of agreements and rules of origin share."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Any

from pydantic import BeforeValidator

from friendshore.marked import wrong

_SPAN = re.compile(r"([0-9]{1,3})\s*(y|m)")


def day(value: Any) -> Any:
    """A day as YAML reads it, or as text from JSON."""
    if isinstance(value, str):  # JSON has no dates
        try:
            return date.fromisoformat(value)
        except ValueError:
            raise wrong("bad-date", f"{value!r} is not a day", hint="write year-month-day, as in 2027-01-01") from None
    return value


def months(value: Any) -> int:
    """Years or months as a number of months, such as 36 for 3y."""
    match = _SPAN.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise wrong("bad-span", f"{value!r} is not a length of time", hint="write years or months, as in 3y or 18m")
    return int(match[1]) * (12 if match[2] == "y" else 1)


Day = Annotated[date, BeforeValidator(day)]
Months = Annotated[int, BeforeValidator(months)]
