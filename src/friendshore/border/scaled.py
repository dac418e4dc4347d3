"""Exact products in whole numbers: the same cent on every engine, rounded once, by a rule that is written out.

Amounts are cents, masses grams, rates billionths. `products` builds column expressions for any engine that Ibis speaks,
`product` is the same on exact fractions for a single line. What is multiplied by what is left to the rule.

The operator `/` never stands in a rule. `//` does, as a first guess alone: Ibis writes it as the floor of a float, which is
off by one where the dividend has more than 53 bits, and the remainder, in whole numbers, sets it right.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from ibis.expr.types import IntegerColumn, Table

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
    return den > 0 and num >= 0 and num * den <= INT64


def products(
    table: Table,
    wanted: Mapping[str, tuple[Any, Any, Any]],
    rounding: Rounding,
    keep: Callable[[Table], Table] = lambda table: table,
) -> Table:
    """Add a column for each amount * num / den, rounded once: the twin of `product` on columns.

    a = q den + r,   a n / d = q n + r n / d,   so that nothing is ever larger than the result or than num * den

    Parameters
    ----------
    table : the lines
    wanted : new column -> amount, num, den; int64 columns or numbers, none negative, num * den within 64 bits
    rounding : halves up, or to the even neighbour
    keep : keeps what has been computed, on engines that would compute it again

    Returns
    -------
    table : with the new columns, and without the helpers
    """
    if not wanted:
        return table
    parts: dict[str, Any] = {}
    for name, (a, n, d) in wanted.items():
        parts |= {f"{name}__o": a, f"{name}__n": n, f"{name}__d": d}
    table = table.mutate(**{name: part for name, part in parts.items() if not isinstance(part, int)})

    def part(name: str) -> Any:
        return parts[name] if isinstance(parts[name], int) else table[name]

    table = keep(divided(table, {f"{name}__a": (part(f"{name}__o"), part(f"{name}__d")) for name in wanted}))
    second = {f"{name}__b": (table[f"{name}__a_r"] * part(f"{name}__n"), part(f"{name}__d")) for name in wanted}
    table = keep(divided(table, second))
    columns: dict[str, Any] = {}
    for name in wanted:
        whole = table[f"{name}__a_q"] * part(f"{name}__n") + table[f"{name}__b_q"]
        columns[name] = whole + one_more(whole, table[f"{name}__b_r"], part(f"{name}__d"), rounding)
    kept = [column for column in table.columns if "__" not in column]
    return keep(table.select(*kept, **columns))


def one_more(whole: Any, left: Any, den: Any, rounding: Rounding) -> IntegerColumn:
    """1 where `whole` and left / den round up, 0 elsewhere."""
    twice: Any = left * 2
    if rounding == "half_up":
        up = twice >= den
    else:
        up = (twice > den) | ((twice == den) & (whole % 2 == 1))
    return _one(up)


def divided(table: Table, wanted: Mapping[str, tuple[Any, Any]]) -> Table:
    """Whole quotient (`_q`) and remainder (`_r`) of each pair, exact whatever the engine's own `//` gave."""
    columns: dict[str, Any] = {}
    for name, (a, d) in wanted.items():
        guess = (a // d).cast("int64")
        left = a - guess * d
        off = _one(left >= d) - _one(left < 0)
        columns[f"{name}_q"] = guess + off
        columns[f"{name}_r"] = left - off * d
    return table.mutate(**columns)


def _one(flag: Any) -> Any:
    """1 where a condition holds, 0 where not; by way of 32 bits, which is what PostgreSQL makes of a boolean."""
    return flag.cast("int32").cast("int64")


def _even_up(twice: int, den: int, whole: int) -> bool:
    return twice > den or (twice == den and whole % 2 == 1)
