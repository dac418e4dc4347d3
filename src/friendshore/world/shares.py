"""Do our shares of world output agree with the published ones, and which published ones bind?

One printed ladder per stage (`plan/ladder.csv`): USGS for 2024, then IEA 2024, BGS 2023, European Commission 2016-2020. The
first that has figures binds for its three largest producers, within three percentage points; the others stand beside it
as `other vintage`. Where published tonnes contradict each other (`plan/conflicts.csv`) the row is a `conflict` and says so.
All comparisons are made from the publishers' files; ours are computed from the tables.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from friendshore.world import sectors
from friendshore.world.output import Published
from friendshore.world.sectors import Row

TOLERANCE_POINTS = 3.0
LARGEST = 3
CONFLICTS_MAX = 0.1  # of the binding comparisons
TO_TONNES = {"kilograms": 1e-3, "thousand metric tons": 1e3, "metric tons": 1.0, "thousand metric dry tons": 1e3}
SOURCES = {"usgs": "usgs.mcs2026", "iea": "iea.2025", "bgs": "bgs.wms", "ec": "ec.crm2023"}
VINTAGE = {"usgs": "2024", "iea": "2024", "bgs": "2023", "ec": "2016-2020"}


@dataclass(frozen=True)
class Comparison:
    """One published share: of whom, of what, how much, and whether it binds."""

    stage: str
    ours: str
    country: str
    publisher: str
    published_pct: float
    published_t: float | None
    binds: bool
    conflict: str


def comparisons(tables: Published) -> list[Comparison]:
    """Every comparison the publishers' files allow, in the order of the ladder."""
    conflicts = {(row["stage"], row["country"]): row["explanation"] for row in sectors.rows("conflicts")}
    stages: dict[str, list[Row]] = defaultdict(list)
    for row in sectors.rows("ladder"):
        stages[row["stage"]].append(row)
    out: list[Comparison] = []
    for stage, rungs in stages.items():
        binding: list[str] = []
        for rung in rungs:
            shares, tonnes = _published(tables, rung)
            if not shares:
                continue
            first = not binding
            largest = sorted(shares, key=lambda c: (-shares[c], c))[:LARGEST]
            binding = binding or largest
            for country in dict.fromkeys(largest + [c for c in binding if c in shares]):
                clash = conflicts.get((stage, country), "") if first else ""
                out.append(
                    Comparison(
                        stage,
                        rung["ours"],
                        country,
                        rung["publisher"],
                        shares[country],
                        tonnes.get(country),
                        first,
                        clash,
                    )
                )
    return out


def _published(tables: Published, rung: Row) -> tuple[dict[str, float], dict[str, float]]:
    """Shares in percent, and tonnes where the publisher prints them."""
    publisher, commodity, detail = rung["publisher"], rung["commodity"], rung["detail"]
    series = tables.series(publisher, commodity, detail)
    if publisher == "ec":
        return series, {}
    world, unit = sum(series.values()), 1.0
    if publisher == "usgs":
        world += tables.other(commodity, detail)
        table = tables.usgs.table
        rows = table.filter((table["commodity"] == commodity) & (table["detail"] == detail))
        unit = TO_TONNES[rows["unit"][0]] if rows.height else 1.0
    elif publisher == "iea":
        table = tables.iea.table
        rows = table.filter((table["mineral"] == commodity) & (table["stage"] == detail) & (table["country"] == "WLD"))
        world, unit = (float(rows["amount"][0]) if rows.height else world), 1e3
    return {c: 100.0 * v / world for c, v in series.items()}, {c: v * unit for c, v in series.items()}


def ours(rule: str, activities: pl.DataFrame, recipes: pl.DataFrame) -> dict[str, float]:
    """Our tonnes by country for a rule such as 'copper.concentrate+copper.cathode@copper.leach'."""
    made = recipes.filter(pl.col("role") == "output").join(
        activities.select("id", "process", "country", "level_t"), left_on="activity", right_on="id"
    )
    total: dict[str, float] = defaultdict(float)
    for part in rule.split("+"):
        good, _, process = part.partition("@")
        rows = made.filter((pl.col("good") == good) & ((pl.col("process") == process) if process else pl.lit(True)))
        for country, level, coefficient in rows.select("country", "level_t", "coefficient").iter_rows():
            total[country] += level * coefficient
    return dict(total)


def table(found: list[Comparison], activities: pl.DataFrame, recipes: pl.DataFrame) -> list[dict[str, object]]:
    """Rows of `world.shares`: ours beside the published, with status and, for a conflict, its explanation in tonnes."""
    rows: list[dict[str, object]] = []
    for item in found:
        tonnes = ours(item.ours, activities, recipes)
        world = sum(tonnes.values())
        ours_t = tonnes.get(item.country, 0.0)
        ours_pct = 100.0 * ours_t / world
        status = "other vintage" if not item.binds else "conflict" if item.conflict else "binds"
        rows.append(
            {
                "good": item.ours, "country": item.country, "stage": item.stage, "published_pct": item.published_pct,
                "published_t": item.published_t, "ours_pct": ours_pct, "ours_t": ours_t, "status": status,
                "explanation": item.conflict or f"{item.publisher.upper()} for {VINTAGE[item.publisher]}",
                "source": SOURCES[item.publisher],
            }
        )  # fmt: skip
    return rows


def agrees(row: Mapping[str, object]) -> bool:
    """A binding share is within three points; the other rows cannot fail."""
    return (
        row["status"] != "binds"
        or abs(float(str(row["ours_pct"])) - float(str(row["published_pct"]))) <= TOLERANCE_POINTS
    )
