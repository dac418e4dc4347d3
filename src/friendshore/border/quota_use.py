"""How much of a quota came in before the entries at hand: tonnes that customs has booked, from a CSV file.

Filling the quota with the entries themselves is left to the rule.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path

from friendshore.border.side_file import rows
from friendshore.errors import InputRefused, Problem, did_you_mean

COLUMNS = ("clause", "territory", "year", "tonnes", "part", "source")
_TONNES = re.compile(r"[0-9]{1,9}(\.[0-9]{1,6})?")
_YEAR = re.compile(r"[1-9][0-9]{3}")
_PART = re.compile(r"[1-9][0-9]?")
_CODE = re.compile(r"[A-Z]{3}")


def name_of(clause: str, territory: str, part: int | str, year: int | str) -> str:
    """What lines that fill the same tonnes share: clause, territory, the part kept for their origins, year.

    >>> name_of("quota.apt", "USA", "", 2030), name_of("quota.apt", "JPN", 2, 2030)
    ('quota.apt USA 2030', 'quota.apt JPN part 2 2030')
    """
    return f"{clause} {territory}{f' part {part}' if part else ''} {year}"


def read(file: Path, quotas: Iterable[str]) -> dict[str, int]:
    """Grams of each quota that are used, by `name_of`.

    Parameters
    ----------
    file : a row for each quota, territory and year: contained tonnes that entered before the first of the entries;
        `part` is the number of a part that is kept for some origins, as `explain` names it
    quotas : ids of the agreement's quotas

    Raises
    ------
    InputRefused   unknown quotas, codes, years and tonnes that are none, a quota that comes twice; all at once
    """
    known = sorted(quotas)
    found: dict[str, int] = {}
    problems: list[Problem] = []
    for cells, place in rows(file, COLUMNS, COLUMNS[:4], option="--quota-used"):
        name = name_of(cells["clause"], cells["territory"], cells["part"], cells["year"])
        hint = did_you_mean(cells["clause"], known) or f"the quotas are {', '.join(known) or 'none'}"
        checks = (
            ("clause", cells["clause"] in known, f"no quota is called {cells['clause']!r}", hint),
            ("territory", _CODE.fullmatch(cells["territory"]), f"{cells['territory']!r} is no territory", "such as USA or EUN"),
            ("year", _YEAR.fullmatch(cells["year"]), f"{cells['year']!r} is no year", "such as 2030"),
            ("tonnes", _TONNES.fullmatch(cells["tonnes"]), f"{cells['tonnes']!r} is no mass", "tonnes with a point, such as 12.5; 0 is one"),
            ("part", not cells["part"] or _PART.fullmatch(cells["part"]), f"{cells['part']!r} is no part", "its number, or nothing"),
            ("clause", name not in found, f"{name} stands above already", "one row for each"),
        )  # fmt: skip
        wrong = [Problem("quota-row", said, place, column, hint) for column, fine, said, hint in checks if not fine]
        problems += wrong
        if not wrong:
            found[name] = int(Decimal(cells["tonnes"]) * 10**6)
    if problems:
        raise InputRefused(problems)
    return found
