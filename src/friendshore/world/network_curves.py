"""What one curve of a network file says, and the same curve in tonnes and USD.

A curve is a line of algebra as textbooks print it (`q = 20 + 20 p`, `p = 42 - 2 q`, `q = 325 (p / 0.2)^-1.5`) or a name
with its terms. Which country and good it belongs to is `world.network_blocks`; what the market does with it `market.curves`.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

EXAMPLES = "'q = 20 + 20 p', 'p = 9 + q', 'q = 350' or 'q = 100 (p / 20)^0.8'"

_NUMBER = r"\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?"
_AMOUNT = rf"(?:{_NUMBER})(?:\s*/\s*(?:{_NUMBER}))?"
_HEAD = re.compile(r"^\s*([pqPQ])[sdSD]?\s*=\s*(.+?)\s*$")
_TERM = re.compile(rf"\s*([+-]?)\s*({_AMOUNT})?\s*\*?\s*(?:([pqmPQM])(?:\s*/\s*({_NUMBER}))?)?\s*")
_POWER = re.compile(
    rf"^({_AMOUNT})?\s*\*?\s*\(\s*(?:([pmPM])\s*/\s*({_NUMBER})|({_NUMBER})\s*/\s*([pmPM]))\s*\)\s*(?:\^|\*\*)\s*\(?\s*([+-]?\s*(?:{_NUMBER}))\s*\)?$"
)


@dataclass(frozen=True, slots=True)
class Line:
    """q = intercept + slope x, x being the price 'p' or, for a process, the margin 'm'."""

    intercept: float
    slope: float
    argument: str


@dataclass(frozen=True, slots=True)
class Power:
    """q = quantity (x / price)^exponent, x being the price 'p' or the margin 'm'."""

    quantity: float
    price: float
    exponent: float
    argument: str


def read_formula(text: str) -> Line | Power:
    """The curve that a line of algebra states, solved for the quantity.

    `q = a + b p` and its inverse `p = a + b q` (an upper-case letter, `Qs`, `Qd`, a `*` and fractions such as `1/2 q` are
    read too), `q = a` for a fixed quantity, `q = a (p / b)^e` for an iso-elastic curve; `m` for the margin of a process.

    Raises
    ------
    ValueError   what could not be read, in words for the person who typed it

    >>> read_formula("p = 9 + 2 q")
    Line(intercept=-4.5, slope=0.5, argument='p')
    >>> read_formula("q = 325 (0.225 / p)^1.5")
    Power(quantity=325.0, price=0.225, exponent=-1.5, argument='p')
    """
    head = _HEAD.match(text)
    if head is None:
        raise ValueError(f"a curve begins with 'q =' or 'p =', not '{text}'")
    left, body = head[1].lower(), head[2]
    for number in re.findall(_NUMBER, body):
        if math.isinf(float(number)):
            raise ValueError(f"{number} is too large for a number")
    if power := _POWER.match(body):
        return _power(left, power)
    constant, factors = _sum(body)
    if left == "q":
        if len(factors) > 1 or "q" in factors:
            raise ValueError("the right side of 'q =' has one other letter, p (or m, the margin of a process)")
        argument, slope = next(iter(factors.items()), ("p", 0.0))
        return Line(constant, slope, argument)
    if set(factors) - {"q"}:
        raise ValueError("the right side of 'p =' has one other letter, q")
    slope = factors.get("q", 0.0)
    if slope == 0.0:
        raise ValueError("a flat curve leaves the quantity open; write a steep one, such as q = -5e6 + 1e6 p")
    return Line(-constant / slope, 1.0 / slope, "p")


def _amount(text: str) -> float:
    over, _, under = text.partition("/")
    if not under:
        return float(over)
    return float(over) / _divisor(under)


def _divisor(text: str | None) -> float:
    if text is not None and float(text) == 0.0:
        raise ValueError("nothing is divided by zero")
    return 1.0 if text is None else float(text)


def _power(left: str, found: re.Match[str]) -> Power:
    if left != "q":
        raise ValueError("an iso-elastic curve is written for the quantity: q = 100 (p / 20)^0.8")
    exponent = float(found[6].replace(" ", ""))
    upside_down = found[4] is not None
    price = float(found[4] if upside_down else found[3])
    if price == 0.0:
        raise ValueError("an iso-elastic curve passes through a price above zero")
    letter = (found[5] if upside_down else found[2]).lower()
    return Power(_amount(found[1]) if found[1] else 1.0, price, -exponent if upside_down else exponent, letter)


def _sum(body: str) -> tuple[float, dict[str, float]]:
    constant, factors, at = 0.0, dict[str, float](), 0
    while at < len(body):
        found = _TERM.match(body, at)
        if found is None or found.end() == at or (found[2] is None and found[3] is None) or (at > 0 and not found[1]):
            raise ValueError(f"cannot read '{body[at:].strip()}'; a curve looks like {EXAMPLES}")
        value = (-1.0 if found[1] == "-" else 1.0) * (_amount(found[2]) if found[2] else 1.0)
        if found[3] is None:
            constant += value
        else:
            letter = found[3].lower()
            value /= _divisor(found[4])
            factors[letter] = factors.get(letter, 0.0) + value
        at = found.end()
    return constant, factors


@dataclass(frozen=True, slots=True)
class Curve:
    """One supply or demand curve in tonnes and USD per tonne, as the tables hold it.

    `level` is the quantity of a fixed or iso-elastic curve and `price` the price (margin) at which the latter passes
    through it; both are None where the base year supplies them. `a`, `b` mean what `world.tables` says for each kind.
    """

    kind: str
    level: float | None = None
    price: float | None = None
    elasticity: float | None = None
    a: float | None = None
    b: float | None = None
