"""How figures stand on a page of a hundred columns: significant digits, thin separators, columns that line up.

Everything here returns text; printing is the command line's.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Sequence

WIDTH = 100  # columns of a page
THIN = "\u202f"  # narrow no-break space between thousands


def figure(value: float | None, digits: int = 4, *, sign: bool = False, places: int = 12) -> str:
    """A number to so many significant digits, thousands apart; a dash where there is none.

    `places` is the most there are after the point.

    >>> [figure(x).replace(THIN, " ") for x in (1234567.0, 41.2, 0.00123456, 0.0)]
    ['1 235 000', '41.2', '0.001235', '0']
    >>> figure(None), figure(3.0, sign=True)
    ('-', '+3')
    """
    if value is None or not math.isfinite(value):
        return "-"
    if round(value, places) == 0.0:
        return "0"
    rounded = float(f"{value:.{digits - 1}e}")
    shown = min(places, max(0, digits - 1 - math.floor(math.log10(abs(rounded)))))
    text = f"{rounded:{'+' if sign else ''},.{shown}f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return text.replace(",", THIN)


def millions(usd: float | None, *, sign: bool = False, digits: int = 3) -> str:
    """USD in millions, to a thousand dollars at the finest.

    >>> millions(1_234_567.0), millions(-2.5e9, sign=True).replace(THIN, " "), millions(2_100.0)
    ('1.23', '-2 500', '0.002')
    """
    if usd is None or not math.isfinite(usd):
        return "-"
    return figure(usd / 1e6, digits, sign=sign, places=3)


def percent(part: float | None, *, sign: bool = False) -> str:
    """A share in per cent to a tenth, without the sign for it: that stands in the heading.

    >>> percent(0.4567), percent(0.02, sign=True), percent(-0.0001)
    ('45.7', '+2.0', '0.0')
    """
    if part is None or not math.isfinite(part):
        return "-"
    tenths = round(100.0 * part, 1) + 0.0
    return f"{tenths:+.1f}" if sign and tenths else f"{abs(tenths) if tenths == 0 else tenths:.1f}"


def counted(number: int, one: str, many: str = "") -> str:
    """A number and its noun: digits from ten up, a word below.

    >>> counted(1, "floor"), counted(12, "floor"), counted(0, "country", "countries")
    ('one floor', '12 floors', 'no countries')
    """
    return f"{numeral(number) if number else 'no'} {one if number == 1 else many or one + 's'}"


def numeral(number: int) -> str:
    """A small number as a word: none, one ... nine, 10."""
    words = ("none", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
    return words[number] if number < len(words) else str(number)


def listed(words: Iterable[str]) -> str:
    """Words as a sentence lists them.

    >>> listed(["gallium", "germanium", "antimony"])
    'gallium, germanium and antimony'
    """
    held = list(words)
    return held[0] if len(held) == 1 else f"{', '.join(held[:-1])} and {held[-1]}" if held else "none"


def grid(headings: Sequence[str], rows: Iterable[Sequence[str]], *, left: int = 1, indent: int = 2) -> str:
    """Rows under headings, the first `left` columns flush left, figures flush right; a heading may have two lines."""
    body = [list(row) for row in rows]
    heads = [heading.split("\n") for heading in headings]
    deep = max(map(len, heads))
    tops = [
        [head[line - deep + len(head)] if line >= deep - len(head) else "" for head in heads] for line in range(deep)
    ]
    widths = [max(len(row[k]) for row in [*tops, *body]) for k in range(len(headings))]
    ruled = [*tops, ["-" * width for width in widths], *body]
    return "\n".join(
        (
            " " * indent
            + "  ".join(
                cell.ljust(width) if k < left else cell.rjust(width)
                for k, (cell, width) in enumerate(zip(row, widths, strict=True))
            )
        ).rstrip()
        for row in ruled
    )


def paragraph(text: str, *, indent: int = 0, bullet: str = "") -> str:
    """A paragraph within the page."""
    margin = " " * indent
    hanging = " " * (indent + len(bullet))
    return textwrap.fill(
        " ".join(text.split(" ")),
        WIDTH,
        initial_indent=margin + bullet,
        subsequent_indent=hanging,
        break_on_hyphens=False,
    )


def section(title: str, *parts: str) -> str:
    """A titled part of the page; empty parts are left out."""
    return "\n".join([title.upper(), *filter(None, parts)])
