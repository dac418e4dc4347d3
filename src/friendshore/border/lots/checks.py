"""What is wrong with a book of lots: more out than in, yields from nowhere, certificates used twice, circles.

Masses are whole grams, so that a lot that is used up to the last gram is no finding. Each finding names what it is about;
none stops the others from being found.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from friendshore.border.lots.graph import Graph
from friendshore.border.lots.tables import GRAMS, Book, Floats, Ints

if TYPE_CHECKING:
    import polars as pl

CHECKS: Mapping[str, tuple[str, str]] = {  # code -> what is wrong, and who can mend it
    "overdrawn": ("more was taken or shipped out of the lot than it holds", "its holder"),
    "from_nowhere": ("the lot is heavier than what its conversions gave", "its maker"),
    "yield_high": ("the conversion gave more than its recipe can", "its operator"),
    "yield_low": ("the conversion gave less than its recipe should", "its operator"),
    "no_recipe": ("nobody stated what the process may give", "whoever keeps the recipes"),
    "unknown_lot": ("a conversion names a lot that is in no table", "its operator"),
    "no_input": ("the conversion gives something and takes nothing in", "its operator"),
    "circle": ("the lot is made of itself", "its maker"),
    "not_traced": ("the lot stands behind a circle", "whoever mends the circle"),
    "certificate_twice": ("the certificate covers another lot too", "its issuer"),
    "two_beginnings": ("the lot has an origin of its own and comes out of a conversion", "its maker"),
    "no_origin": ("the lot comes out of no conversion and names no origin", "its supplier"),
}  # fmt: skip


@dataclass(frozen=True)
class Balance:
    """Where what is traced went, in grams: came in + overdrawn = left in lots + shipped + lost in conversions.

    `overdrawn_g` is what left lots that did not hold it; a conversion that gave more than it took makes `lost_g` smaller.
    """

    came_in_g: float
    overdrawn_g: float
    in_lots_g: float
    shipped_g: float
    lost_g: float


def findings(book: Book, graph: Graph) -> pl.DataFrame:
    """Every finding: code, what it is about (a lot or a conversion), its id, how much (t or a ratio), against what.

    Sorted by code, then by id.
    """
    import polars as pl

    parts = [
        pl.DataFrame(
            {
                "check": [code] * len(ids),
                "about": [about] * len(ids),
                "id": ids,
                "found": np.asarray(found, dtype=float),
                "limit": np.asarray(limit, dtype=float),
            },
            schema={"check": pl.String, "about": pl.String, "id": pl.String, "found": pl.Float64, "limit": pl.Float64},
        )
        for code, about, ids, found, limit in _each(book, graph)
    ]
    return pl.concat(parts).sort("check", "id", "found")


_Found = tuple[str, str, Any, Any, Any]  # check, about what, ids, found, limit


def _each(book: Book, graph: Graph) -> Iterator[_Found]:
    yield from _lots(book, graph)
    yield from _yields(book)
    yield from _certificates(book)
    for ids, index in ((book.in_id, book.in_lot), (book.out_id, book.out_lot)):
        unknown = ids.filter(index < 0).unique()
        yield "unknown_lot", "lot", unknown, np.full(len(unknown), np.nan), np.full(len(unknown), np.nan)


def used_g(book: Book) -> Ints:
    """(N,) grams of each lot that conversions took in."""
    known = book.in_lot >= 0
    return np.bincount(book.in_lot[known], weights=book.in_g[known], minlength=len(book.lot)).astype(np.int64)


def given_g(book: Book) -> Ints:
    """(N,) grams of each lot that conversions gave."""
    known = book.out_lot >= 0
    return np.bincount(book.out_lot[known], weights=book.out_g[known], minlength=len(book.lot)).astype(np.int64)


def _lots(book: Book, graph: Graph) -> Iterator[_Found]:
    out = used_g(book) + book.shipped_g
    for code, wrong, found, limit in (
        ("overdrawn", out > book.mass_g, out, book.mass_g),
        ("from_nowhere", book.made & (book.mass_g > given_g(book)), book.mass_g, given_g(book)),
    ):
        yield code, "lot", book.lot.filter(wrong), found[wrong] / GRAMS, limit[wrong] / GRAMS
    untraced = graph.at[: len(book.lot)] < 0
    for code, marked in (
        ("circle", graph.circular),
        ("not_traced", untraced & ~graph.circular),
        ("two_beginnings", book.made & (book.origin >= 0)),
        ("no_origin", ~book.made & (book.origin < 0)),
    ):
        ids = book.lot.filter(marked)
        yield code, "lot", ids, book.mass_g[marked] / GRAMS, np.full(len(ids), np.nan)


def yields(book: Book) -> tuple[Floats, Floats, Floats]:
    """(C,) each: grams of what is traced that went in and came out, and the grams that rounding may hide."""
    count = len(book.conversion)
    came = book.in_g * np.where(book.in_lot >= 0, book.content[book.in_lot], 1.0)
    gave = book.out_g * np.where(book.out_lot >= 0, book.content[book.out_lot], 1.0)
    rows = np.bincount(book.in_of, minlength=count) + np.bincount(book.out_of, minlength=count)
    into = np.bincount(book.in_of, weights=came, minlength=count)
    out = np.bincount(book.out_of, weights=gave, minlength=count)
    return into.astype(float), out.astype(float), rows.astype(float)


def _yields(book: Book) -> Iterator[_Found]:
    into, out, slack = yields(book)
    least = np.array([book.recipes[name].yield_min if name in book.recipes else np.nan for name in book.processes])
    most = np.array([book.recipes[name].yield_max if name in book.recipes else np.nan for name in book.processes])
    low, high = _of(least, book.process), _of(most, book.process)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = out / into
    none = np.full(len(into), np.nan)
    for code, wrong, limit in (
        ("yield_high", (into > 0) & (out > into * np.where(np.isnan(high), 1.0, high) + slack), high),
        ("yield_low", (into > 0) & (out < into * low - slack), low),
        ("no_recipe", np.isnan(low), none),
        ("no_input", into <= 0, none),
    ):
        yield code, "conversion", book.conversion.filter(wrong), ratio[wrong], limit[wrong]


def _of(values: Floats, index: Ints) -> Floats:
    return values[index] if len(values) else np.full(len(index), np.nan)


def _certificates(book: Book) -> Iterator[_Found]:
    held = book.column("certificate")
    if held is None:
        return
    wrong: NDArray[np.bool_] = (held.is_duplicated() & held.is_not_null()).to_numpy()
    ids = book.lot.filter(wrong)
    yield "certificate_twice", "lot", ids, book.mass_g[wrong] / GRAMS, np.full(len(ids), np.nan)


def balance(book: Book) -> Balance:
    """Where what is traced went, to the rounding of a float."""
    left = (book.mass_g - used_g(book) - book.shipped_g) * book.content
    came = float(book.held_g[~book.made].sum())
    shipped = float((book.shipped_g * book.content).sum())
    over, in_lots = float(-left[left < 0].sum()), float(left[left > 0].sum())
    return Balance(came, over, in_lots, shipped, came + over - in_lots - shipped)
