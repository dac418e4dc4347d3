"""A rate of duty as schedules write it: `3.7%`, `37.5¢/kg on tungsten content`, `12.8¢/kg on molybdenum content + 1.8%`.

What cannot be read is refused, never taken for nothing. Which line a rate belongs to is left to the tariff.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from friendshore.units import TONNES_PER

NOUGHT = Decimal(0)
Choice = Literal["sum", "lower", "higher"]

_NUMBER = r"(?P<value>[0-9][0-9,]*(?:\.[0-9]+)?)"
_AD_VALOREM = re.compile(rf"{_NUMBER}\s*%(?:\s+on the value of the (?P<of>[\w ]+?) content)?")
_SPECIFIC = re.compile(
    rf"(?:(?P<sign>[$€£¥])\s*)?{_NUMBER}\s*(?P<currency>¢|円|yen|USD|EUR|GBP|JPY)?\s*(?:/|per)\s*"
    r"(?P<per>kg|t|tonne|g|lb|mtu|dmtu|stu|100 ?kg|1000 kg)(?:\s+on (?:the )?(?P<of>[\w ]+?) content)?"
)
_CHOICE = re.compile(
    r"(?P<one>.+?)(?: or |又は)(?P<other>.+?)(?:,? whichever is (?:the )?|のうちいずれか)(?P<which>lower|higher|低い税率|高い税率)"
)
_CURRENCY = {"$": "USD", "€": "EUR", "£": "GBP", "¥": "JPY", "円": "JPY", "yen": "JPY", "¢": "USD", None: ""}
_TONNES = {**TONNES_PER, "tonne": Decimal(1), "100 kg": Decimal("0.1"), "100kg": Decimal("0.1"), "1000 kg": Decimal(1)}


@dataclass(frozen=True, slots=True)
class Specific:
    """Money per mass: `amount` of `currency` per tonne, of the goods or of what they hold (`of`)."""

    amount_t: Decimal
    currency: str
    of: str = ""


@dataclass(frozen=True, slots=True)
class Expression:
    """A rate read: ad valorem as a fraction, specific parts, and how the parts go together.

    `on_value_of` names the content on whose value alone the ad valorem rate is charged.
    """

    text: str
    ad_valorem: Decimal = NOUGHT
    specific: tuple[Specific, ...] = ()
    choice: Choice = "sum"
    on_value_of: str = ""

    @property
    def free(self) -> bool:
        """Whether it charges nothing."""
        return not self.ad_valorem and not self.specific


def parse(text: str) -> Expression | None:
    """Read a rate; None where it is no rate that we can charge.

    >>> parse("3.7%").ad_valorem, parse("Free").free
    (Decimal('0.037'), True)
    >>> parse("12.8¢/kg on molybdenum content + 1.8%").specific
    (Specific(amount_t=Decimal('128'), currency='USD', of='molybdenum'),)
    >>> parse("The rate applicable to the article") is None
    True
    """
    plain = " ".join(text.replace("\u3000", " ").strip().lstrip("◎").split())
    if plain.casefold() in ("free", "無税"):
        return Expression(text)
    if match := _CHOICE.fullmatch(plain):
        one, other = _parts(match["one"]), _parts(match["other"])
        if one is None or other is None or one.specific or other.ad_valorem:
            return None
        which: Choice = "lower" if match["which"] in ("lower", "低い税率") else "higher"
        return Expression(text, one.ad_valorem, other.specific, which)
    found = _parts(plain)
    return None if found is None else Expression(text, found.ad_valorem, found.specific, "sum", found.on_value_of)


def _parts(text: str) -> Expression | None:
    rate, of, specific, rates = NOUGHT, "", [], 0
    for part in (each.strip() for each in text.split("+")):
        if match := _AD_VALOREM.fullmatch(part):
            rate, of, rates = _decimal(match["value"]) / 100, match["of"] or "", rates + 1
        elif (match := _SPECIFIC.fullmatch(part)) and (match["sign"] or match["currency"]):
            value = _decimal(match["value"])
            if match["currency"] == "¢":
                value /= 100
            currency = _CURRENCY.get(match["sign"] or match["currency"], match["currency"] or "")
            specific.append(Specific(value / _TONNES[match["per"]], currency, match["of"] or ""))
        else:
            return None
    return Expression(text, rate, tuple(specific), "sum", of) if rates <= 1 else None


def _decimal(text: str) -> Decimal:
    return Decimal(text.replace(",", ""))
