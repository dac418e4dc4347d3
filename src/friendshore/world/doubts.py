"""What must be said of a world though no check fails: clipped margins, estimates, figures of unclear licence.

`doubts` lists them from the tables alone. Which licences are clear is data: `plan/common/licence_terms.csv`, by the wording
in the sources table; a wording that stands nowhere there is unclear. What fails is `world.check`'s.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatch

import polars as pl

from friendshore.world import sectors
from friendshore.world.tables import COLUMNS, PROVENANCE, World, table_names

KEYS = ("id", "good", "activity", "country", "exporter", "importer", "host", "code", "substance")
OWN = "Friendshore"  # publisher of estimates, definitions and judgements: no source from outside


@dataclass(frozen=True)
class Doubt:
    """Rows of one table that share a reason to be doubted."""

    kind: str
    table: str
    reason: str
    count: int
    items: tuple[str, ...]


def doubts(world: World) -> list[Doubt]:
    """Clipped margins, then estimates, then figures that rest on one source of unclear licence; by table and reason."""
    return [*clipped(world), *estimates(world), *unclear(world)]


def clipped(world: World) -> list[Doubt]:
    """Activities whose margin was raised to a tenth of revenue, so that their fixed cost is a residual; by sign of it."""
    rows = world.activities.filter(pl.col("clipped").fill_null(value=False)).sort("id")
    below = pl.col("fixed_cost_usd_t") < 0.0
    reasons = {
        "fixed cost is the residual": rows.filter(~below),
        "fixed cost is the residual, below zero: something earned is not modelled": rows.filter(below),
    }
    return [
        Doubt("clipped margin", "activities", reason, part.height, tuple(part["id"]))
        for reason, part in reasons.items()
        if part.height
    ]


def estimates(world: World) -> list[Doubt]:
    """Rows of reliability D, or with no source but an estimate, table by table."""
    found = []
    for name in _graded():
        frame: pl.DataFrame = getattr(world, name)
        guess = (pl.col("reliability") == "D") | (pl.col("source") == "estimate")
        items = _items(frame.filter(guess))
        if items:
            found.append(Doubt("estimate", name, f"of {frame.height} rows", len(items), items))
    return found


def unclear(world: World) -> list[Doubt]:
    """Rows whose one source from outside has an unclear licence, by table and source."""
    ours = set(world.sources.filter(pl.col("publisher") == OWN)["id"])
    doubtful = {name: text or "" for name, text in world.sources.select("id", "licence").iter_rows() if not clear(text)}
    groups: dict[tuple[str, str], list[str]] = {}
    for name in _graded():
        frame: pl.DataFrame = getattr(world, name)
        for item, cited in zip(_items(frame), frame["source"].fill_null("")):
            outside = [source for source in cited.split("+") if source and source not in ours]
            if len(outside) == 1 and outside[0] in doubtful:
                groups.setdefault((name, outside[0]), []).append(item)
    return [
        Doubt(
            "unclear licence",
            name,
            f"{source}: {doubtful[source] or 'no licence is written'}",
            len(items),
            tuple(items),
        )
        for (name, source), items in groups.items()
    ]


def clear(licence: str | None) -> bool:
    """Whether a licence allows what is done with the figures, by the first pattern of the plan that fits its wording.

    >>> clear("Public domain"), clear("CC BY (check)"), clear("a wording never met")
    (True, False, False)
    """
    text = (licence or "").casefold().strip()
    rule = next((row for row in sectors.rows("licence_terms") if fits(text, row["pattern"])), None)
    return rule is not None and rule["clear"] == "yes"


def fits(text: str, pattern: str) -> bool:
    """Whether a licence's wording, in lower case, is meant by a pattern of the plan."""
    return text == pattern or fnmatch(text, pattern)


def _graded() -> list[str]:
    return [name for name in table_names() if set(PROVENANCE) <= set(COLUMNS[name])]


def _items(frame: pl.DataFrame) -> tuple[str, ...]:
    if "id" in frame.columns:
        return tuple(frame["id"])
    keys = [name for name in KEYS if name in frame.columns]
    return tuple(" ".join(str(part) for part in row) for row in frame.select(keys).iter_rows())
