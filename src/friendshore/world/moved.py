"""What moved between two worlds: which figures, by how much, and what do the changes add up to?

`moved` compares table by table, row by row, and lists the largest changes first; sums go by good. Printing is left to the
report.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from friendshore.world.tables import World

LEAST = 1e-9  # of the larger of two figures: a smaller change is rounding
PARTS = {
    "levels": ("activities", ("process", "country"), "level_t", "t"),
    "flows": ("routes", ("good", "exporter", "importer"), "flow_t", "t"),
    "use": ("final_use", ("good", "country"), "use_t", "t"),
    "stocks": ("stocks", ("good", "country"), "change_t", "t"),
    "prices": ("prices", ("good", "country"), "price_usd_t", "USD/t"),
}  # what is compared: table, key, figure, unit
LISTED = {"goods": ("goods", "id"), "countries": ("countries", "code")}


@dataclass(frozen=True)
class Change:
    """One figure in both worlds; None where a world has no such row."""

    part: str
    key: tuple[str, ...]
    before: float | None
    after: float | None
    unit: str

    @property
    def by(self) -> float:
        return (self.after or 0.0) - (self.before or 0.0)

    @property
    def percent(self) -> float | None:
        """Change in percent of before; None where there was nothing."""
        return 100.0 * self.by / abs(self.before) if self.before else None


@dataclass(frozen=True)
class Sum:
    """All of one part and good: totals before and after, and tonnes that moved from one row to another or in or out."""

    part: str
    good: str
    before: float
    after: float
    moved: float
    rows: int


@dataclass(frozen=True)
class Moved:
    """What differs between two worlds: names that one lacks, figures, sums by part and good, all largest first."""

    before: str
    after: str
    gone: dict[str, tuple[str, ...]]
    new: dict[str, tuple[str, ...]]
    changes: tuple[Change, ...]
    sums: tuple[Sum, ...]

    @property
    def same(self) -> bool:
        return not self.changes and not any(self.gone.values()) and not any(self.new.values())

    def document(self) -> dict[str, Any]:
        """Plain values, for a machine."""
        return {
            "before": self.before, "after": self.after, "gone": self.gone, "new": self.new,
            "sums": [{**vars(one), "by": one.after - one.before} for one in self.sums],
            "changes": [
                {"part": c.part, "key": list(c.key), "before": c.before, "after": c.after, "by": c.by, "percent": c.percent, "unit": c.unit}
                for c in self.changes
            ],
        }  # fmt: skip


def moved(before: World, after: World) -> Moved:
    """Compare two worlds.

    Returns
    -------
    changes : by part in the order of `PARTS`, then the largest first, in the part's unit
    sums    : moved = half of what rows gained and lost together, for flows what changed hands
    """
    gone, new = {}, {}
    for name, (table, key) in LISTED.items():
        one, other = set(getattr(before, table)[key]), set(getattr(after, table)[key])
        gone[name], new[name] = tuple(sorted(one - other)), tuple(sorted(other - one))
    changes: list[Change] = []
    sums: list[Sum] = []
    for part, (_, _, _, unit) in PARTS.items():
        was, now = _figures(before, part), _figures(after, part)
        found = [
            Change(part, key, was.get(key), now.get(key), unit)
            for key in set(was) | set(now)
            if _differs(was.get(key), now.get(key))
        ]
        changes += sorted(found, key=lambda change: (-abs(change.by), change.key))
        if unit == "t":
            sums += _sums(part, was, now, found, _main_goods(before) | _main_goods(after))
    return Moved(
        f"{before.name} {before.version}", f"{after.name} {after.version}", gone, new, tuple(changes), tuple(sums)
    )


def _figures(world: World, part: str) -> dict[tuple[str, ...], float]:
    table, key, figure, _ = PARTS[part]
    frame: pl.DataFrame = getattr(world, table)
    rows = frame.filter(pl.col(figure).is_not_null()).select(*key, figure).iter_rows()
    return {tuple(row[:-1]): row[-1] for row in rows if part != "flows" or row[-1] > 0.0}


def _differs(was: float | None, now: float | None) -> bool:
    if was is None or now is None:
        return True
    return abs(now - was) > LEAST * max(abs(was), abs(now))


def _main_goods(world: World) -> dict[str, str]:
    """The good that a process makes first."""
    made = world.recipes.filter(pl.col("role") == "output").select("activity", "good").iter_rows()
    out: dict[str, str] = {}
    for activity, good in made:
        out.setdefault(activity.split("@")[0], good)
    return out


def _sums(
    part: str,
    was: Mapping[tuple[str, ...], float],
    now: Mapping[tuple[str, ...], float],
    found: list[Change],
    main: Mapping[str, str],
) -> list[Sum]:
    def good(key: tuple[str, ...]) -> str:
        return main.get(key[0], key[0]) if part == "levels" else key[0]

    total: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0, 0.0, 0.0])
    for column, figures in enumerate((was, now)):
        by_good: dict[str, list[float]] = defaultdict(list)
        for key, value in figures.items():
            by_good[good(key)].append(value)
        for name, values in by_good.items():
            total[name][column] = math.fsum(values)
    for change in found:
        entry = total[good(change.key)]
        entry[2] += abs(change.by) / 2.0
        entry[3] += 1
    out = [Sum(part, name, b, a, m, int(n)) for name, (b, a, m, n) in total.items() if n]
    return sorted(out, key=lambda one: (-one.moved, one.good))
