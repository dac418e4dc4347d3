"""Exact products in whole numbers: the same cent on every engine, rounded once, by a rule that is written out.

Amounts are cents, masses grams, rates billionths. `products` builds column expressions for any engine that Ibis speaks,
`product` is the same on exact fractions for a single line. What is multiplied by what is left to the rule.

The operator `/` never stands in a rule. `//` does, as a first guess alone: Ibis writes it as the floor of a float, which is
off by one where the dividend has more than 53 bits, and the remainder, in whole numbers, sets it right. DuckDB's own
division of whole numbers needs no guess, and takes a fifth of the time.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from ibis.expr.types import Table

Rounding = Literal["half_up", "half_even"]
ROUNDINGS: tuple[Rounding, ...] = ("half_even", "half_up")

NANO = 10**9  # the denominator of rates, phases and contents
INT64 = 2**63 - 1
CENTS_MAX = 9 * 10**12  # 90 thousand million dollars on one line; more is refused
GRAMS_MAX = 9 * 10**12  # nine million tonnes on one line


def rounded(exact: Fraction, rounding: Rounding) -> int:
    """A non-negative amount to a whole number.

    >>> [rounded(Fraction(n, 2), "half_even") for n in (1, 3, 5)], [rounded(Fraction(n, 2), "half_up") for n in (1, 3, 5)]
    ([0, 2, 2], [1, 2, 3])
    """
    whole, left = divmod(exact.numerator, exact.denominator)
    twice = 2 * left
    up = twice >= exact.denominator if rounding == "half_up" else _even_up(twice, exact.denominator, whole)
    return whole + up


def product(amount: int, num: int, den: int, rounding: Rounding) -> int:
    """Amount * num / den, rounded once. All three are whole and not negative.

    >>> product(12_345, 37_000_000, NANO, "half_even")
    457
    """
    return rounded(Fraction(amount * num, den), rounding)


def fits(num: int, den: int) -> bool:
    """Whether `products` can multiply by num / den without leaving 64 bits."""
    return den > 0 and num >= 0 and (2 * num + 1) * den <= INT64


def fits_at_once(most: int, num: int, den: int) -> bool:
    """Whether amounts up to `most` can be multiplied by num before they are divided by den."""
    return 2 * most * num + den <= INT64


@dataclass(frozen=True, slots=True)
class Engine:
    """How an engine keeps what has been computed, and divides.

    One query of all parts would repeat an amount wherever it is used, on engines that open inner queries.

    Parameters
    ----------
    stage : keeps a part of the rule
    piece : keeps a step within a part
    some : of lines whose amounts count only where a flag holds, those for which it does, or more
    quotient : whole part of a / d, for a not negative and d above nought
    """

    stage: Callable[[Table], Table]
    piece: Callable[[Table], Table]
    some: Callable[[Table, Any], Table]
    quotient: Callable[[Any, Any], Any]


def guessed(a: Any, d: Any) -> Any:
    """Whole part of a / d on any engine: the floor of a float, set right by what it leaves."""
    guess = (a // d).cast("int64")
    left = a - guess * d
    return guess + one(left >= d) - one(left < 0)


def _engines_own(a: Any, d: Any) -> Any:
    """The engine's own division of whole numbers; its name and types are given where it is used."""


def divided_whole(a: Any, d: Any) -> Any:
    """Whole part of a / d as DuckDB divides whole numbers."""
    import ibis

    own = ibis.udf.scalar.builtin(_engines_own, name="divide", signature=(("int64", "int64"), "int64"))
    return own(a, d)


def products(
    table: Table,
    wanted: Mapping[str, tuple[Any, Any, Any]],
    rounding: Rounding,
    engine: Engine,
    at_once: Container[str] = (),
) -> Table:
    """Add a column for each amount * num / den, rounded once: the twin of `product` on columns.

    a n / d to the nearest = floor((2 a n + d) / 2 d),    a half on an odd whole number going down again if halves go to the even;
    where a n may leave 64 bits,    a = q d + r,    a n / d = q n + r n / d

    Parameters
    ----------
    table : the lines
    wanted : new column -> amount, num, den; int64 columns or numbers, none negative, num and den such that they `fits`
    rounding : halves up, or to the even neighbour
    engine : where it runs
    at_once : those of the new columns whose amount, num and den `fits_at_once`

    Returns
    -------
    table : with the new columns, and without the helpers
    """
    if not wanted:
        return table
    parts: dict[str, Any] = {}
    for name, (a, n, d) in wanted.items():
        parts |= {f"{name}__o": a, f"{name}__n": n, f"{name}__d": d}
    computed = {name: part for name, part in parts.items() if not isinstance(part, int)}
    table = table.mutate(**computed)

    def part(name: str) -> Any:
        return parts[name] if isinstance(parts[name], int) else table[name]

    long = [name for name in wanted if name not in at_once]
    if long:
        first = {f"{name}__q": engine.quotient(part(f"{name}__o"), part(f"{name}__d")) for name in long}
        table = engine.piece(table.mutate(**first))
    left = {name: part(f"{name}__o") for name in wanted}
    left |= {name: left[name] - table[f"{name}__q"] * part(f"{name}__d") for name in long}
    twice = {f"{name}__t": left[name] * (part(f"{name}__n") * 2) + part(f"{name}__d") for name in wanted}
    table = engine.piece(table.mutate(**twice))
    nearest = {f"{name}__w": engine.quotient(table[f"{name}__t"], part(f"{name}__d") * 2) for name in wanted}
    table = engine.piece(table.mutate(**nearest))
    kept = [column for column in table.columns if "__" not in column]
    columns: dict[str, Any] = {}
    for name in wanted:
        whole = last = table[f"{name}__w"]
        if name in long:
            whole = table[f"{name}__q"] * part(f"{name}__n") + last
        if rounding == "half_even":
            half = last * (part(f"{name}__d") * 2) == table[f"{name}__t"]
            whole = (half & _odd(whole)).ifelse(whole - 1, whole)
        columns[name] = whole
    return engine.piece(table.select(*kept, **columns))


def one_more(whole: Any, left: Any, den: int, rounding: Rounding) -> Any:
    """1 where `whole` and left / den round up, 0 elsewhere."""
    twice = left * 2
    return one(twice >= den if rounding == "half_up" else (twice > den) | ((twice == den) & _odd(whole)))


def one(flag: Any) -> Any:
    """1 where a condition holds, 0 where not; chosen, since no engine casts a flag to 64 bits as quickly, or at all."""
    import ibis

    return flag.ifelse(ibis.literal(1, "int64"), ibis.literal(0, "int64"))


def _odd(whole: Any) -> Any:
    """Whether whole numbers are odd, by their last bit: no engine need divide."""
    return (whole & 1) == 1


def _even_up(twice: int, den: int, whole: int) -> bool:
    return twice > den or (twice == den and whole % 2 == 1)
