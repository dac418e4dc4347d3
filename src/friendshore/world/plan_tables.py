"""Which tables and columns may a sector's folder hold, and is a folder one that can be built?

A sector is data alone, so its folder is read as strictly as an agreement: a table or column that nothing reads is refused
with the nearest that is read. What the figures mean is on the page on adding a sector; joining folders is `world.sectors`'s.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from friendshore.errors import InputRefused, Place, Problem, did_you_mean
from friendshore.world import sectors

ORIGIN = ("source", "year", "reliability", "note")

# table -> its columns; those in OPTIONAL may be left out
TABLES: dict[str, tuple[str, ...]] = {
    "goods": ("id", "mineral", "form", "stage", "name", "unit", "hs6", *ORIGIN),
    "processes": ("process", "title", "main", "note"),
    "recipes": ("process", "country", "good", "role", "coefficient", *ORIGIN),
    "production": ("process", "publisher", "commodity", "detail", "scale", "others", "closed", "less", *ORIGIN),
    "levels": ("process", "country", "level_t", *ORIGIN),
    "recoveries": ("activity", "host", "content_recovery", *ORIGIN),
    "trade": (
        "good", "method", "codes", "exporters", "by", "factor", "low_usd_t", "high_usd_t", "total_t", "without",
        "dross_usd_t", "publisher", "unlisted", *ORIGIN,
    ),
    "own_exports": ("good", "country", *ORIGIN),
    "relabel": ("good", "exporter", "importer", "to_exporter", "to_importer", *ORIGIN),
    "routes": ("good", "exporter", "importer", "flow_t", *ORIGIN),
    "final_use": ("good", "country", "use_t", *ORIGIN),
    "wholly_intermediate": ("good", *ORIGIN),
    "stocks": ("good", "country", "change_t", "error_t", *ORIGIN),
    "presence": ("good", "code", "note"),
    "ladder": ("stage", "ours", "publisher", "commodity", "detail", "note"),
    "conflicts": ("stage", "country", "explanation"),
    "errors": ("item", "reliability", "relative_error", "note"),
    "sources": ("id", "publisher", "title", "year", "url", "licence"),
    "headings": ("heading", "edition", "codes"),
    "pink_sheet": ("series", "good", "factor", "like", "reliability", "note"),
    "licence_terms": ("pattern", "clear", "note"),
    "parameters_goods": (
        "id", "price_inside_usd_t", "price_outside_usd_t", "price_basis", "sigma_1", "sigma_long", "eps_1", "eps_long",
        "eta", "choke_multiple", "freight_mode", "content", "source", "year", "reliability", "reliability_inside", "note",
    ),
    "parameters_substances": ("substance", "good", "formula", "element", "note"),
    "parameters_atomic_weights": ("element", "weight"),
    "parameters_costs": (
        "good", "input", "process", "country", "rule", "value", "credit_usd_t", "eps_like", "holder", *ORIGIN,
    ),
    "parameters_capacity": ("good", "country", "process", "stage", "capacity_t", "factor", *ORIGIN),
    "parameters_freight": ("parameter", "value", "unit", *ORIGIN),
    "parameters_land_legs": ("country", "port_km", "by", "sea_as", "border", *ORIGIN),
    "parameters_tariffs": ("importer", "good", "lines", "rate", "specific_usd_t", *ORIGIN),
    "parameters_free_trade": ("one", "other", "since", "title", *ORIGIN),
    "parameters_duty_extra": ("importer", "exporter", "good", "lines", "rate", "specific_usd_t", "title", *ORIGIN),
    "parameters_export_taxes": ("exporter", "good", "rate", "specific_usd_t", *ORIGIN),
    "parameters_premiums": ("good", "exporter", "premium_usd_t", *ORIGIN),
    "parameters_licences": ("id", "good", "exporter", "owner", *ORIGIN),
    "parameters_measures": (
        "id", "title", "kind", "good", "exporters", "importers", "rate", "specific_usd_t", "tonnes", "ratio", "owner",
        "starts", "ends", *ORIGIN,
    ),
    "parameters_sources": ("id", "publisher", "title", "year", "url", "licence"),
    "parameters_territories": ("code", "name", "duty_base", "kept_share", "budget", *ORIGIN),
    "parameters_prices": ("good", "country", "price_usd_t", *ORIGIN),
    "parameters_observed": ("good", "place", "date", "usd_t", "quoted", "url", "note"),
}  # fmt: skip
OPTIONAL = {("parameters_capacity", "process"), ("trade", "unlisted")}
NEEDED = ("goods", "processes", "recipes", "parameters_goods")  # without them a folder adds no good


def beside_those_that_ship(folders: Sequence[Path]) -> tuple[Path, ...]:
    """The shipped sectors, the given ones after them, the common tables last.

    Raises
    ------
    InputRefused   a folder that is not there or lacks a table, a table or column that nothing reads: all at once
    """
    problems = [problem for folder in folders for problem in problems_of(folder)]
    if problems:
        raise InputRefused(problems)
    *shipped, common = sectors.shipped()
    return (*shipped, *folders, common)


def problems_of(folder: Path) -> Iterator[Problem]:
    """What keeps a folder from being a sector; nothing where it is one."""
    if not folder.is_dir():
        yield Problem("no-sector", f"there is no folder '{folder}'", path="sector")
        return
    for name in NEEDED:
        if not (folder / f"{name}.csv").is_file():
            yield Problem("no-table", f"{folder}: no {name}.csv", path="sector", hint="a sector needs it to add a good")
    for path in sorted(folder.glob("*.csv")):
        if path.stem not in TABLES:
            hint = did_you_mean(path.stem, TABLES)
            yield Problem(
                "unknown-table", f"{path}: no table of a plan is called {path.stem!r}", path="sector", hint=hint
            )
        else:
            yield from _columns(path)


def _columns(path: Path) -> Iterator[Problem]:
    text = path.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    header = next(csv.reader(text[:1]), [])
    known = TABLES[path.stem]
    place = Place(str(path), 1, 1, text[0] if text else "", 1)
    for column in header:
        if column not in known:
            at = Place(str(path), 1, max(place.text.find(column), 0) + 1, place.text, max(len(column), 1))
            yield Problem("unknown-column", f"no column is called {column!r}", at, "", did_you_mean(column, known))
    for column in known:
        if column not in header and (path.stem, column) not in OPTIONAL:
            yield Problem("missing-column", f"no column {column!r}", place, "", "it may be empty, but it must stand")
    for number, row in enumerate(csv.reader(text[1:]), start=2):
        if len(row) not in (0, len(header)) and '"' not in "".join(text[number - 1 : number]):
            at = Place(str(path), number, 1, text[number - 1], len(text[number - 1]) or 1)
            yield Problem("ragged-row", f"{len(row)} cells under {len(header)} columns", at)
