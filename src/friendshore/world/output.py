"""How much does each process make in each country, before the fit?

Levels come from the publishers' tables through `plan/production.csv` (which series feeds which process) and from
`plan/levels.csv` (figures set by hand, each with source or rule), and carry source, year, reliability and note. Weighing
them against trade is `world.build`'s.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from friendshore.world import readers, sectors
from friendshore.world.sectors import Row


@dataclass(frozen=True)
class Figure:
    """Tonnes with where they come from."""

    tonnes: float
    source: str
    year: str
    reliability: str
    note: str


@dataclass(frozen=True)
class Published:
    """The publishers' tables of output, read once. `path` is the USGS file, needed again for 'Other countries'."""

    usgs: readers.Reading
    bgs: readers.Reading
    iea: readers.Reading
    ec: readers.Reading
    path: Path

    def series(self, publisher: str, commodity: str, detail: str) -> dict[str, float]:
        """Amounts by country of one series in its own unit; aggregates are left out."""
        table = {"usgs": self.usgs, "bgs": self.bgs, "iea": self.iea, "ec": self.ec}[publisher].table
        if publisher == "usgs":
            rows = table.filter((table["commodity"] == commodity) & (table["detail"] == detail))
        elif publisher == "bgs":
            rows = table.filter(table["commodity"] == commodity)
            rows = rows.filter(rows["sub"] == detail) if detail else rows  # one metal or alloy of a group
        elif publisher == "iea":
            rows = table.filter(
                (table["mineral"] == commodity) & (table["stage"] == detail) & ~table["country"].is_in(["ROW", "WLD"])
            )
        else:
            rows = table.filter((table["material"] == commodity) & (table["stage"] == detail))
        total: dict[str, float] = defaultdict(float)
        for country, amount in rows.select("country", "amount").iter_rows():
            total[country] += amount
        return {c: v for c, v in total.items() if v > 0.0}

    def other(self, commodity: str, detail: str) -> float:
        """Tonnage that USGS prints for 'Other countries'."""
        return readers.usgs_other(self.usgs, self.path, commodity, detail)


def published(raw: Path, known: readers.Countries) -> Published:
    """Read the four publishers of output once."""
    path = raw / "raw/usgs/MCS2026_Commodities_Data.csv"
    return Published(
        readers.usgs(path, known),
        readers.bgs(raw / "raw/bgs/BGS_world_mineral_production_1990_2023.csv", known),
        readers.iea(raw / "raw/iea/iea_supply_by_country_2024_2040.csv", known),
        readers.ec_shares(raw / "raw/ec_crm/fact_GlobalSupplyShares_and_t.csv", known),
        path,
    )


def levels(tables: Published) -> dict[tuple[str, str], Figure]:
    """Level of every (process, country), t: hand-set figures override the series of `plan/production.csv`.

    USGS's 'Other countries' are spread over the countries that BGS lists for 2023 and USGS does not, in proportion; `closed`
    names those whose mines have closed since. `less` subtracts the levels of other processes that the same series counts
    (cathode made by leaching, from mine output).
    """
    by_hand = {(row["process"], row["country"]): figure(row, float(row["level_t"])) for row in sectors.rows("levels")}
    found: dict[tuple[str, str], Figure] = {}
    for row in sectors.rows("production"):
        series = {
            c: v * float(row["scale"])
            for c, v in tables.series(row["publisher"], row["commodity"], row["detail"]).items()
        }
        figures = {country: figure(row, tonnes) for country, tonnes in series.items()}
        if row["others"]:
            figures |= _others(row, tables, set(series) | _reported_zero(tables, row))
        less = row["less"].split("+") if row["less"] else []
        for country, stated in figures.items():
            tonnes = stated.tonnes - sum(by_hand[p, country].tonnes for p in less if (p, country) in by_hand)
            if tonnes > 0.0:
                found[row["process"], country] = replace(stated, tonnes=tonnes)
    found |= by_hand
    return {key: stated for key, stated in found.items() if stated.tonnes > 0.0}


def hosts() -> frozenset[str]:
    """Processes whose goods no sector in force models: they only bound a recovery.

    A sector may name another's process without its good, to recover from it; where the other is in force too, its row
    with a main good stands, and the levels and recipes are those of the modelled process.
    """
    return frozenset(row["process"] for row in sectors.rows("processes")) - frozenset(main_goods())


def main_goods() -> dict[str, str]:
    """The good in whose tonnes a process's level is counted (its feed for a separator)."""
    return {row["process"]: row["main"].removeprefix("input:") for row in sectors.rows("processes") if row["main"]}


def recipe(process: str, country: str) -> list[Row]:
    """The recipe of a process in a country: its own outputs where it has any, and its own input of a good where it has one.

    All that it does not state itself is the general recipe's.
    """
    rows = _recipes(sectors.in_force()).get(process, [])
    own = [row for row in rows if row["country"] == country]
    makes = any(row["role"] == "output" for row in own)
    takes = {row["good"] for row in own if row["role"] == "input"}
    general = [row for row in rows if row["country"] == "*"]
    return own + [row for row in general if (row["good"] not in takes if row["role"] == "input" else not makes)]


@cache
def _recipes(folders: tuple[Path, ...]) -> dict[str, list[Row]]:
    out: dict[str, list[Row]] = defaultdict(list)
    for row in sectors.rows("recipes"):
        out[row["process"]].append(row)
    return dict(out)


def figure(row: Row, tonnes: float) -> Figure:
    """Tonnes with the provenance columns of a plan row."""
    return Figure(tonnes, row["source"], row["year"], row["reliability"], row["note"])


def _reported_zero(tables: Published, row: Row) -> set[str]:
    table = tables.usgs.table
    rows = table.filter((table["commodity"] == row["commodity"]) & (table["detail"] == row["detail"]))
    return set(rows["country"].to_list())


def _others(row: Row, tables: Published, listed: set[str]) -> dict[str, Figure]:
    total = tables.other(row["commodity"], row["detail"]) * float(row["scale"])
    unlisted = {
        c: v
        for c, v in tables.series("bgs", row["others"], "").items()
        if c not in listed and c not in row["closed"].split("+")
    }
    world = sum(unlisted.values())
    note = "Share of USGS 'Other countries' in proportion to BGS output of 2023"
    return {
        c: Figure(total * v / world, f"{row['source']}+bgs.wms", "2023-2024", "B", note) for c, v in unlisted.items()
    }
