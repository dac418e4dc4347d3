"""Masses and prices: from what a contract says (`110 USD per kg of ndpr_oxide`) to USD per contained tonne.

Decimals come in and go out, so that what the border charges can be checked by hand; `to_float` is the one place where
money becomes a float for the market. Which substances exist and how much of a good they hold is data of the world.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal

# Tonnes per unit of mass.
#   lb    international avoirdupois pound, 0.453 592 37 kg exactly (agreement of 1959)
#   oz_t  troy ounce, 31.103 476 8 g exactly (480 grains of 64.798 91 mg)
#   mtu   metric tonne unit: one per cent of a tonne, 10 kg, of the substance named (tungsten and manganese ores)
#   dmtu  the same, of dry material
#   stu   short ton unit: one per cent of a short ton of 2,000 lb, so 20 lb
TONNES_PER: dict[str, Decimal] = {
    "t": Decimal(1),
    "kg": Decimal("0.001"),
    "g": Decimal("0.000001"),
    "lb": Decimal("0.00045359237"),
    "oz_t": Decimal("0.0000311034768"),
    "mtu": Decimal("0.01"),
    "dmtu": Decimal("0.01"),
    "stu": Decimal("0.0090718474"),
}
MASSES = tuple(TONNES_PER)

CENT = Decimal("0.01")

_PRICE = re.compile(
    r"\s*(?P<value>[-+]?[0-9][0-9.]*(?:[eE][-+]?[0-9]+)?)?\s*(?P<currency>[A-Za-z]{3})?"
    r"\s*(?:(?:/|per\b)\s*(?P<per>[A-Za-z_]+))?\s*(?:(?:of\b)\s*(?P<of>[\w.]+))?\s*"
)


@dataclass(frozen=True, slots=True)
class PriceWords:
    """The parts of a price as written; None where a part was left out."""

    value: Decimal | None
    currency: str | None
    per: str | None
    of: str | None


def decimal(number: int | float | Decimal) -> Decimal:
    """A number as the decimal a person would write for it.

    >>> decimal(0.1), decimal(110)
    (Decimal('0.1'), Decimal('110'))
    """
    return number if isinstance(number, Decimal) else Decimal(repr(number))


def to_float(amount: Decimal) -> float:
    """Money and rates as the market computes with them. The only crossing from Decimal to float64."""
    return float(amount)


def to_cent(amount: Decimal) -> Decimal:
    """An amount of money to the cent, halves to the even neighbour."""
    return amount.quantize(CENT, rounding=ROUND_HALF_EVEN)


def tonnes(mass: Decimal, unit: str) -> Decimal:
    """A mass in tonnes.

    >>> tonnes(Decimal(2), "mtu")
    Decimal('0.02')

    Raises
    ------
    KeyError   a unit that `MASSES` does not list
    """
    return mass * TONNES_PER[unit]


def usd_per_contained_tonne(
    value: Decimal, *, per: str, content: Decimal = Decimal(1), usd_per_currency: Decimal = Decimal(1)
) -> Decimal:
    """A quoted price in USD per contained tonne of a good.

    price = value * usd_per_currency / tonnes(per) / content

    Parameters
    ----------
    value : money per mass of the substance that the price is quoted for
    per : the mass, one of `MASSES`
    content : tonnes of the good's own unit in one tonne of the substance (0.793 t W in a tonne of WO3), > 0
    usd_per_currency : the dated rate, 1 for USD

    >>> usd_per_contained_tonne(Decimal(110), per="kg")
    Decimal('1.10E+5')
    >>> usd_per_contained_tonne(Decimal(252), per="mtu", content=Decimal("0.793")).quantize(Decimal(1))
    Decimal('31778')
    """
    return value * usd_per_currency / TONNES_PER[per] / content


def annuity(rate: Decimal, years: int) -> Decimal:
    """The yearly charge that pays one unit of capital back with interest.

    annuity = rate / (1 - (1 + rate)^-years),   1 / years where the rate is zero

    >>> annuity(Decimal("0.1"), 15).quantize(Decimal("0.0001"))
    Decimal('0.1315')
    """
    if rate == 0:
        return Decimal(1) / years
    return rate / (1 - (1 + rate) ** -years)


def price_words(text: str) -> PriceWords | None:
    """Take `110 USD per kg of ndpr_oxide` apart; None where the text is no price at all.

    Parts that were left out are None: who asks decides what must be there.

    >>> price_words("110 USD/kg")
    PriceWords(value=Decimal('110'), currency='USD', per='kg', of=None)
    """
    match = _PRICE.fullmatch(text)
    if match is None or match["value"] is None or match["value"].count(".") > 1:
        return None
    currency = match["currency"].upper() if match["currency"] else None
    return PriceWords(Decimal(match["value"]), currency, match["per"], match["of"])
