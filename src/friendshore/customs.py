"""The law at the border for one agreement and one world: schedules, clauses, names and rates put together for `border`.

`border` knows no agreement and `agreement` no border; this module hands the one's duties to the other.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from datetime import date
from decimal import Decimal, InvalidOperation
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from friendshore.agreement import schedule
from friendshore.border import tariff
from friendshore.border.terms import Law
from friendshore.errors import InputRefused, Place, Problem
from friendshore.faces import Duty, PriceGap
from friendshore.instruments.names import iso_names, unions, vocabulary

if TYPE_CHECKING:
    from friendshore.agreement.document import Agreement
    from friendshore.world.tables import World


def law(
    world: World,
    deal: Agreement | None = None,
    *,
    as_of: date | None = None,
    tariffs: Iterable[Path] = (),
    rates: Path | None = None,
) -> Law:
    """What says how much a line owes.

    Parameters
    ----------
    world : goods, codes, contents, duty bases
    deal : the agreement; none for the schedules alone
    as_of : the day whose law applies to every line; each line's own day if absent
    tariffs : the user's own measures, in place of the shipped ones of the same territories
    rates : CSV of exchange rates with currency, day and usd
    """
    words = vocabulary(world)
    bound = deal.checked(world) if deal is not None else None

    @cache
    def duties(day: date) -> tuple[Duty, ...]:
        return schedule.duties(bound, world, day) if bound is not None else ()

    @cache
    def floors(day: date) -> tuple[PriceGap, ...]:
        if bound is None:
            return ()
        return tuple(each for each in schedule.wedges(bound, world, day) if isinstance(each, PriceGap))

    @cache
    def parties(day: date) -> frozenset[str]:
        return schedule.setting(bound, world, day).insiders() if bound is not None else frozenset()

    territories = world.territories.select("code", "duty_base")
    return Law(
        tariff=tariff.load(tariffs),
        iso=frozenset(iso_names()),
        countries=frozenset(words.countries) - words.remainders,
        remainders=words.remainders,
        duties=duties,
        floors=floors,
        parties=parties,
        unions={member: union for union in sorted(unions()) for member in unions()[union]},
        fob=frozenset(code for code, base in territories.iter_rows() if base == "fob"),
        codes=_codes(world),
        goods=frozenset(words.goods),
        substances=dict(words.substances),
        gross=frozenset(good for good, stage in words.goods.items() if stage == "product"),
        rates=_rates(rates) if rates is not None else {},
        as_of=as_of,
    )


def _codes(world: World) -> dict[str, tuple[str, ...]]:
    """HS6 -> the goods that trade under it."""
    found: dict[str, list[str]] = {}
    for good, codes in world.goods.select("id", "hs6").iter_rows():
        for code in (codes or "").split("+"):
            if code:
                found.setdefault(code, []).append(good)
    return {code: tuple(sorted(goods)) for code, goods in found.items()}


def _rates(file: Path) -> dict[str, tuple[tuple[date, Decimal], ...]]:
    """Exchange rates by currency, in order of days.

    Raises
    ------
    InputRefused   missing columns, or a day or an amount that is none
    """
    found: dict[str, list[tuple[date, Decimal]]] = {}
    problems: list[Problem] = []
    with file.open(encoding="utf-8-sig", newline="") as text:
        rows = csv.DictReader(text)
        if missing := [name for name in ("currency", "day", "usd") if name not in (rows.fieldnames or ())]:
            raise InputRefused.because(
                "rates-columns", f"{file.name} lacks {', '.join(missing)}", hint="currency,day,usd,source"
            )
        for number, row in enumerate(rows, start=2):
            try:
                usd = Decimal(row["usd"])
                if not usd > 0:
                    raise ValueError(f"{row['usd']} is no rate")
                found.setdefault(row["currency"], []).append((date.fromisoformat(row["day"]), usd))
            except (ValueError, InvalidOperation, TypeError):
                problems.append(Problem("rates-row", "no day or no number above nought", Place(str(file), number, 1)))
    if problems:
        raise InputRefused(problems)
    return {currency: tuple(sorted(held)) for currency, held in found.items()}
