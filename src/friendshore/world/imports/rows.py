"""Which rows of a download were read, which were not, and does that add up, in number and in value?

`Account` keeps the books of a file while it is read, `Import` is the file read. Where its table lies is `tables`', what a text
is as a number `numbers`', and what a column means each publisher's own module's.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import polars as pl

ASTRAY = 300.0  # times the usual value of a tonne: kilograms stand for tonnes, or tonnes for kilograms
MATTERS = 0.01  # of the product's weight or value
MISSING = frozenset(("", "NA", "N/A", "n/a", "nan", "NaN", "null", "NULL", "None", "-", "..", "…", "*"))  # no figure
NOWHERE = "XNS"  # the place of areas not specified, and of codes of no known country


@dataclass(frozen=True, slots=True)
class Refused:
    """A row that was not used: where it stands, what came, why not, and what it was worth (0 where that is unreadable)."""

    file: str
    line: int
    column: str
    value: str
    reason: str
    amount: float = 0.0


class Unreadable(Exception):
    """Raised for one row to refuse it: column, value and reason."""

    def __init__(self, column: str, value: str, reason: str) -> None:
        super().__init__(reason)
        self.column, self.value, self.reason = column, value, reason


@dataclass(frozen=True)
class Import:
    """One download, read: `table` holds the rows understood, in our codes and units.

    rows = table rows + rows left aside + rows refused, and the same in `unit` (USD or tonnes); `aside` are sound rows of
    something else (another product, another year), summed by reason; `unknown` are codes of no known country, whose rows are
    in the table under the place 'XNS', summed by code; `doubted` are rows read without the weight that they state.
    """

    publisher: str
    file: str
    digest: str
    unit: str
    table: pl.DataFrame
    rows: int
    amount: float
    refused: tuple[Refused, ...]
    aside: dict[str, tuple[int, float]]
    unknown: dict[str, tuple[int, float]]
    doubted: tuple[Refused, ...] = ()
    remarks: tuple[str, ...] = ()
    years: tuple[str, ...] = ()
    products: int = 0

    @property
    def read_amount(self) -> float:
        return float(self.table["amount"].sum()) if self.table.height else 0.0

    @property
    def refused_amount(self) -> float:
        return sum(row.amount for row in self.refused)

    @property
    def unvalued(self) -> int:
        """Refused rows that state no value that can be read: they stand in the number of rows alone."""
        return sum(not row.amount for row in self.refused)

    @property
    def aside_rows(self) -> int:
        return sum(count for count, _ in self.aside.values())

    @property
    def aside_amount(self) -> float:
        return sum(amount for _, amount in self.aside.values())

    @property
    def unknown_amount(self) -> float:
        return sum(amount for _, amount in self.unknown.values())

    @property
    def lost_to_unknown(self) -> float:
        """Share of the file's value in rows refused because their country is unknown. Such rows are kept, so it is 0."""
        lost = sum(row.amount for row in self.refused if "unknown country" in row.reason)
        return lost / self.amount if self.amount else 0.0

    def adds_up(self) -> bool:
        """Rows in = read + left aside + refused, in number, and in value to 1e-9 of the file."""
        told = self.read_amount + self.aside_amount + self.refused_amount
        same = abs(told - self.amount) <= 1e-9 * max(1.0, abs(self.amount))
        return self.table.height + self.aside_rows + len(self.refused) == self.rows and same


@dataclass
class Account:
    """The books of one file while it is read."""

    file: str
    rows: int = 0
    amount: float = 0.0
    kept: list[tuple[Any, ...]] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    aside: dict[str, list[float]] = field(default_factory=lambda: defaultdict(lambda: [0, 0.0]))
    unknown: dict[str, list[float]] = field(default_factory=lambda: defaultdict(lambda: [0, 0.0]))
    doubted: list[Refused] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def keep(self, row: tuple[Any, ...], line: int = 0) -> None:
        self.kept.append(row)
        self.lines.append(line)

    def weigh(self, product: int, weight: int, amount: int) -> None:
        """Take out the weight of rows that stand in another unit than the others of their product; their value stays.

        The arguments are places in the row. A weight is doubted where the value of a tonne is `ASTRAY` times the
        product's median (by value) or a fraction of it, and the row is large enough to matter.
        """
        by: dict[str, list[int]] = defaultdict(list)
        for index, row in enumerate(self.kept):
            if row[weight]:
                by[row[product]].append(index)
        for indices in by.values():
            values = sorted((self.kept[k][amount] / self.kept[k][weight], self.kept[k][amount]) for k in indices)
            usd, tonnes = sum(v for _, v in values), sum(self.kept[k][weight] for k in indices)
            passed, median = 0.0, 0.0
            for unit, value in values:
                passed += value
                median = unit
                if passed >= usd / 2.0:
                    break
            for k in indices:
                row = self.kept[k]
                ratio = row[amount] / row[weight] / median if median else 1.0
                heavy = ratio <= 1.0 / ASTRAY and row[weight] >= MATTERS * tonnes
                light = ratio >= ASTRAY and row[amount] >= MATTERS * usd
                if heavy or light:
                    self.kept[k] = (*row[:weight], None, *row[weight + 1 :])
                    reason = f"weight left out: {row[amount] / row[weight]:.3g} USD/t where {median:.3g} is usual"
                    self.doubted.append(
                        Refused(self.file, self.lines[k], "", f"{row[weight]:.6g} t", reason, row[amount])
                    )

    def refuse(self, line: int, column: str, value: str, reason: str, amount: float = 0.0) -> None:
        self.refused.append(Refused(self.file, line, column, value[:80], reason, amount))

    def leave(self, reason: str, amount: float) -> None:
        entry = self.aside[reason]
        entry[0] += 1
        entry[1] += amount

    def nowhere(self, words: Iterable[tuple[str, str]], amount: float) -> None:
        """Write down the value that is kept under no known country, by the first word of the file that means none."""
        for word, found in words:
            if found == NOWHERE:
                entry = self.unknown[word.strip()]
                entry[0] += 1
                entry[1] += amount
                return

    def closed(
        self,
        publisher: str,
        digest: str,
        unit: str,
        schema: Mapping[str, Any],
        years: Iterable[str] = (),
        products: int = 0,
    ) -> Import:
        """The finished reading; its books balance or the fault is ours."""
        table = pl.DataFrame(self.kept, schema=dict(schema), orient="row")
        done = Import(
            publisher, self.file, digest, unit, table, self.rows, self.amount, tuple(self.refused),
            {reason: (int(n), v) for reason, (n, v) in self.aside.items()},
            {code: (int(n), v) for code, (n, v) in sorted(self.unknown.items())},
            tuple(self.doubted), tuple(self.remarks), tuple(sorted(set(years))), products,
        )  # fmt: skip
        assert done.adds_up(), f"{self.file}: {table.height} + {done.aside_rows} + {len(done.refused)} != {self.rows}"
        return done


@cache
def year_of(text: str, column: str) -> str:
    """A year, also of a period such as 202401.

    Raises
    ------
    Unreadable   no year between 1900 and 2100
    """
    text = text.removesuffix(".0")
    if re.fullmatch(r"(19|20)\d\d(0[1-9]|1[0-2])?", text):
        return text[:4]
    raise Unreadable(column, text, "not a year")


def product_of(text: str, column: str) -> str:
    """An HS code of two to six digits; the nought that a spreadsheet takes off the front is put back.

    Raises
    ------
    Unreadable   no code of the HS
    """
    text = text.strip("'\" ").removesuffix(".0").replace(".", "")
    if not text.isascii() or not text.isdigit():
        raise Unreadable(column, text, "not an HS code")
    if len(text) % 2:
        text = "0" + text
    if len(text) > 6 or len(text) < 2:
        raise Unreadable(column, text, "not an HS code of six digits: national lines are not read")
    return text
