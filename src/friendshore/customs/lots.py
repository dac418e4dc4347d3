"""A book of lots examined: traced, checked, judged by rules, held against the conflicts between laws that are known."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from friendshore.border.lots.checks import Balance, balance, findings, used_g
from friendshore.border.lots.graph import Graph, Origins, graph_of, origins
from friendshore.border.lots.tables import GRAMS, Book, read_book
from friendshore.border.lots.verdicts import WORDS, Verdicts, conflicts, verdicts
from friendshore.customs.origin import Named, countries
from friendshore.origin_rules.rule import Conflict, shipped_conflicts, shipped_rules

if TYPE_CHECKING:
    import polars as pl

NO_VERDICTS: Mapping[str, Verdicts] = {}


@dataclass(frozen=True)
class Examined:
    """What was found of every lot.

    `verdicts` by rule, (N,) each; `conflicts` by id, (N,) whether the lot stands in it; `checked` the findings.
    """

    book: Book
    graph: Graph
    origins: Origins
    checked: pl.DataFrame
    balance: Balance
    day: date
    rules: tuple[Named, ...]
    verdicts: Mapping[str, Verdicts]
    conflicts: Mapping[str, NDArray[np.bool_]]

    @property
    def whole(self) -> bool:
        """Whether every lot is traced and nothing was found wrong."""
        return self.checked.is_empty()


def examine(
    lots: Path,
    conversions: Path,
    *,
    day: date,
    recipes: Path | None = None,
    rules: Iterable[Named] = (),
    said: Callable[[str], None] = lambda text: None,
) -> Examined:
    """Read, check, trace and judge.

    Parameters
    ----------
    day : the day whose law is applied
    rules : with the parties that each is read for; conflicts are sought between them and the shipped rules that name
        their own countries

    Raises
    ------
    InputRefused   tables that cannot be read
    """
    said("reading lots and conversions")
    book = read_book(lots, conversions, recipes, countries=countries())
    said("putting lots in order")
    graph = graph_of(book)
    said("checking masses, yields and certificates")
    checked = findings(book, graph)
    said("tracing origins")
    traced = origins(book, graph)
    named = tuple(rules)
    found: dict[str, Verdicts] = {}
    for one in named:
        said(f"judging by {one.rule.id}")
        found[one.rule.id] = verdicts(book, graph, one.rule, one.area.parties, day)
    known = [one for one in shipped_conflicts().values() if {side.rule for side in one.holds} & set(found)]
    for name in _others(known, found):
        said(f"judging by {name}")
        rule = shipped_rules()[name]
        found[name] = verdicts(book, graph, rule, frozenset(), day)
    met = conflicts(found, known)
    return Examined(book, graph, traced, checked, balance(book), day, named, found, met)


def _others(known: Iterable[Conflict], found: Mapping[str, Verdicts]) -> list[str]:
    """Rules that a conflict names beside those judged, where they need no parties from outside."""
    names = {side.rule for one in known for side in one.holds} - set(found)
    return sorted(name for name in names if shipped_rules()[name].kind != "preference" or shipped_rules()[name].parties)


def tables(found: Examined) -> dict[str, pl.DataFrame]:
    """Everything as tables: lots with their verdicts, origin shares, findings, conflicts."""
    import polars as pl

    book = found.book
    frame = book.lots.select("lot", "good").with_columns(
        pl.Series("mass_t", book.mass_g / GRAMS),
        pl.Series("used_t", used_g(book) / GRAMS),
        pl.Series("shipped_t", book.shipped_g / GRAMS),
        pl.Series("traced", found.origins.traced),
        *(
            pl.Series(rule, answer).replace_strict(WORDS, return_dtype=pl.String)
            for rule, answer in found.verdicts.items()
        ),
    )
    coo = found.origins.shares.tocoo()
    shares = pl.DataFrame(
        {
            "lot": book.lot.gather(coo.coords[0]),
            "origin": pl.Series(found.origins.countries).gather(coo.coords[1]),
            "share": coo.data,
        }
    ).sort("lot", "origin")
    met = [
        pl.DataFrame(
            {"conflict": [name] * int(hit.sum()), "lot": book.lot.filter(hit)},
            schema={"conflict": pl.String, "lot": pl.String},
        )
        for name, hit in found.conflicts.items()
    ]
    clash = pl.concat(met) if met else pl.DataFrame(schema={"conflict": pl.String, "lot": pl.String})
    return {
        "lots": frame.sort("lot"),
        "origins": shares,
        "findings": found.checked,
        "conflicts": clash.sort("conflict", "lot"),
    }
