"""A world small enough to do by hand: six countries, three goods, for reading agreements; no activities, nothing clears."""

from __future__ import annotations

import polars as pl

from friendshore.world.tables import COLUMNS, World, empty, table_names

COUNTRIES = {  # code: name, territory, GDP in USD
    "USA": ("United States", "USA", 300.0),
    "DEU": ("Germany", "EUN", 60.0),
    "FRA": ("France", "EUN", 40.0),
    "JPN": ("Japan", "JPN", 100.0),
    "CHN": ("China", "CHN", 200.0),
    "XAS": ("Rest of Asia", "XAS", None),
}
GOODS = {  # id: stage, price outside in USD per tonne
    "gallium.metal": ("refined", 400_000.0),
    "ndpr.oxide": ("refined", 55_000.0),
    "tungsten.apt": ("refined", 42_000.0),
    "tungsten.powder": ("product", 54_000.0),
}
SUBSTANCES = {
    ("gallium", "gallium.metal"): 1.0,
    ("ndpr_oxide", "ndpr.oxide"): 1.0,
    ("ndpr_metal", "ndpr.oxide"): 1.18,
    ("wo3", "tungsten.apt"): 0.793,
    ("tungsten", "tungsten.apt"): 1.0,
    ("tungsten", "tungsten.powder"): 1.0,
}
ROUTES = [  # good, exporter, importer, tonnes, tariff, USD per tonne
    ("ndpr.oxide", "CHN", "JPN", 60.0, 0.0, 0.0),
    ("ndpr.oxide", "CHN", "DEU", 30.0, 0.05, 0.0),
    ("ndpr.oxide", "USA", "JPN", 10.0, 0.04, 100.0),
    ("ndpr.oxide", "USA", "DEU", 5.0, 0.05, 0.0),
    ("ndpr.oxide", "USA", "FRA", 5.0, 0.05, 0.0),
    ("gallium.metal", "CHN", "USA", 2.0, 0.03, 0.0),
    ("gallium.metal", "CHN", "FRA", 1.0, 0.0, 0.0),
]


def rows(table: str, records: list[dict[str, object]]) -> pl.DataFrame:
    return pl.DataFrame(
        [{column: record.get(column) for column in COLUMNS[table]} for record in records], COLUMNS[table]
    )


def treaty_world() -> World:
    tables = {name: empty(name) for name in table_names()}
    tables["goods"] = rows(
        "goods",
        [
            {"id": good, "mineral": good.split(".")[0], "stage": stage, "price_outside_usd_t": price}
            for good, (stage, price) in GOODS.items()
        ],
    )
    tables["countries"] = rows(
        "countries",
        [
            {"code": code, "name": name, "territory": territory, "remainder": code.startswith("X"), "gdp_usd": gdp}
            for code, (name, territory, gdp) in COUNTRIES.items()
        ],
    )
    tables["substances"] = rows(
        "substances",
        [{"substance": name, "good": good, "content": content} for (name, good), content in SUBSTANCES.items()],
    )
    columns = ("good", "exporter", "importer", "flow_t", "tariff", "specific_usd_t")
    tables["routes"] = rows("routes", [dict(zip(columns, route, strict=True)) for route in ROUTES])
    return World(name="treaty", version="1", **tables)
