"""What does a text mean as a number, or can that not be told?

Thousands stand apart by commas, points, spaces or apostrophes, decimals behind a point or a comma. A text that could be either
is read as the file's other numbers show, and refused where they do not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from friendshore.world.imports.rows import MISSING, Unreadable

_GROUPED = re.compile(r"-?\d{1,3}(?:([ ,.'\u00a0\u202f\u2009])\d{3})(?:\1\d{3})*(?:[.,]\d+)?")
_SPACES = str.maketrans("", "", " '\u00a0\u202f\u2009")


@dataclass(frozen=True)
class Numbers:
    """How a file writes numbers: which mark stands before the decimals, as far as the file itself shows it.

    A text that reads two ways (`1,234`) is a number only where some other cell of the file settles it.
    """

    decimal: str = "."  # '.' ',' or '?' where the file shows both
    settled: bool = False

    @classmethod
    def of(cls, cells: Iterable[str]) -> Numbers:
        """What the cells of the numeric columns show."""
        point = comma = False
        for text in cells:
            text = text.translate(_SPACES)
            if "," not in text and "." not in text:
                continue
            found = _decimal_mark(text)
            point |= found == "."
            comma |= found == ","
            if point and comma:
                return cls("?", False)
        return cls("," if comma else ".", point or comma)

    def read(self, text: str, column: str) -> float | None:
        """The number, None where the cell says that there is none.

        Raises
        ------
        Unreadable   no number, one below zero, or one that reads two ways
        """
        text = text.strip()
        if text in MISSING:
            return None
        plain = text
        if any(mark in text for mark in " '\u00a0\u202f\u2009"):
            if not _GROUPED.fullmatch(text):
                raise Unreadable(column, text, "not a number")
            plain = text.translate(_SPACES)
        if "," in plain or (self.decimal != "." and "." in plain):
            plain = self._pointed(plain, text, column)
        try:
            value = float(plain)
        except ValueError:
            raise Unreadable(column, text, "not a number") from None
        if not 0.0 <= value < float("inf") or "_" in plain:
            raise Unreadable(column, text, "negative or not finite")
        return value

    def _pointed(self, plain: str, text: str, column: str) -> str:
        mark = _decimal_mark(plain)
        if mark is None and self.settled:
            mark = self.decimal
        if mark is None:
            raise Unreadable(column, text, "reads two ways, as thousands or as decimals")
        if mark == "?":
            raise Unreadable(column, text, "not a number")
        other = "." if mark == "," else ","
        whole, _, rest = plain.partition(mark)
        if other in whole and not re.fullmatch(rf"-?\d{{1,3}}(?:\{other}\d{{3}})+", whole):
            raise Unreadable(column, text, "not a number")
        return whole.replace(other, "") + ("." + rest if rest else "")


def _decimal_mark(text: str) -> str | None:
    """'.' or ',' where the text shows which mark stands before its decimals; None where it could be either; '?' neither.

    >>> [_decimal_mark(t) for t in ("1,234.5", "1.234,5", "12,5", "1,234", "1,234,567", "0,123")]
    ['.', ',', ',', None, '.', ',']
    """
    points, commas = text.count("."), text.count(",")
    if points and commas:
        if points > 1 and commas > 1:
            return "?"
        return "." if text.rfind(".") > text.rfind(",") else ","
    mark, other = (",", ".") if commas else (".", ",")
    if points + commas > 1:
        return other
    whole, _, rest = text.lstrip("-").partition(mark)
    thousands = len(rest) == 3 and 1 <= len(whole) <= 3 and not whole.startswith("0")
    return None if thousands else mark
