"""The world as a few small tables: what is, in the base year, with a source for every figure.

`World` only holds and names them. Building is `world.build`, checking `world.check`, reading a textbook network
`world.network`. Columns are fixed here so that a missing or misnamed one is an error at load, not a wrong number later.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import Any, cast

import polars as pl

from friendshore.errors import InputRefused, Problem, WorldError
from friendshore.faces import Sourcing, Wedge

PACKAGED = Path(__file__).parent / "data"

TEXT, NUMBER, FLAG = pl.String, pl.Float64, pl.Boolean

# Every table carries `source` (ids of the sources table, joined by '+'), `year`, `reliability` (A reported for the
# year, B reported one-sided / older / converted, C margins or shares only, D estimate) and `note` (the rule of an estimate).
PROVENANCE = {"source": TEXT, "year": TEXT, "reliability": TEXT, "note": TEXT}

COLUMNS: dict[str, dict[str, pl.DataType | type[pl.DataType]]] = {
    # id 'mineral.form'; theta (per USD/t) only where a network file states it instead of sigma; price in USD per contained tonne of `unit`; sigma, eta by horizon (1, 5, 15 years)
    "goods": {
        "id": TEXT, "mineral": TEXT, "form": TEXT, "stage": TEXT, "name": TEXT, "unit": TEXT, "hs6": TEXT,
        "price_inside_usd_t": NUMBER, "price_outside_usd_t": NUMBER,
        "sigma_1": NUMBER, "sigma_5": NUMBER, "sigma_15": NUMBER,
        "theta": NUMBER, "eta": NUMBER, "choke_multiple": NUMBER, **PROVENANCE,
    },
    # substance a price may be quoted for -> good and tonnes of the good's unit per tonne of substance
    "substances": {"substance": TEXT, "good": TEXT, "content": NUMBER, **PROVENANCE},
    # every country kept, and the regional remainders (code starts with 'X', remainder true)
    "countries": {"code": TEXT, "name": TEXT, "territory": TEXT, "region": TEXT, "remainder": FLAG, "gdp_usd": NUMBER, **PROVENANCE},
    # customs territories: a single country is its own; EUN has 27 members. duty_base cif|fob; kept_share stays with the country
    "territories": {"code": TEXT, "name": TEXT, "duty_base": TEXT, "kept_share": NUMBER, "budget": TEXT, **PROVENANCE},
    # one process in one country. level_t: base run in tonnes of the recipe's main output (or main input where per_input).
    # kind: 'iso_elastic' Y = level (m/margin)^eps | 'linear' Y = curve_a + curve_b m | 'fixed' Y = level
    #     | 'logistic' Y = capacity / (1 + exp(-(m - curve_a) / curve_b)).
    # margin_usd_t is the base margin (outputs + base_support + credits - inputs - fixed_cost), > 0, the argument of supply.
    "activities": {
        "id": TEXT, "process": TEXT, "country": TEXT, "level_t": NUMBER, "capacity_t": NUMBER, "kind": TEXT,
        "eps_1": NUMBER, "eps_5": NUMBER, "eps_15": NUMBER,
        "margin_usd_t": NUMBER, "fixed_cost_usd_t": NUMBER, "base_support_usd_t": NUMBER, "support_holder": TEXT,
        "credit_usd_t": NUMBER, "curve_a": NUMBER, "curve_b": NUMBER, "clipped": FLAG, **PROVENANCE,
    },
    # coefficient tonnes per tonne of level; role 'output' | 'input'. A country-specific recipe is a row set per activity id.
    "recipes": {"activity": TEXT, "good": TEXT, "role": TEXT, "coefficient": NUMBER, **PROVENANCE},
    # recovery bounded by host: level of `activity` <= content_recovery * level of `host`
    "recoveries": {"activity": TEXT, "host": TEXT, "content_recovery": NUMBER, **PROVENANCE},
    # base price at the producer's gate of every producing (good, country)
    "prices": {"good": TEXT, "country": TEXT, "price_usd_t": NUMBER, **PROVENANCE},
    # all routes that trade (domestic ones included) and latent ones (flow 0, latent true, prior_share > 0)
    "routes": {
        "good": TEXT, "exporter": TEXT, "importer": TEXT, "flow_t": NUMBER, "latent": FLAG, "prior_share": NUMBER,
        "freight_usd_t": NUMBER, "tariff": NUMBER, "specific_usd_t": NUMBER, "export_tax": NUMBER,
        "export_tax_usd_t": NUMBER, "premium_usd_t": NUMBER, **PROVENANCE,
    },
    # final use (residual of the balance where nothing is published). kind: 'iso_elastic' D = use (V/V0)^-eta
    #     | 'linear' D = curve_a - curve_b V | 'fixed' D = use. Without a base, V0 of an iso-elastic curve stands in curve_a. choke_usd_t: the value of a tonne unserved; null = good's multiple x V0
    "final_use": {"good": TEXT, "country": TEXT, "use_t": NUMBER, "kind": TEXT, "eta": NUMBER, "choke_usd_t": NUMBER, "curve_a": NUMBER, "curve_b": NUMBER, **PROVENANCE},
    # stock change: + into stock (demand), - out of stock (supply); constant in every scenario
    "stocks": {"good": TEXT, "country": TEXT, "change_t": NUMBER, **PROVENANCE},
    # base licences that hold inside and outside prices apart: group of importers, tonnes = base flow, rent = outside - inside
    "licences": {"id": TEXT, "good": TEXT, "exporter": TEXT, "importers": TEXT, "quota_t": NUMBER, "rent_usd_t": NUMBER, "owner": TEXT, **PROVENANCE},
    # dated measures since the base year (the status quo): kind tariff|export_tax|quota|ban|licence, terms as text fields
    "measures": {
        "id": TEXT, "title": TEXT, "kind": TEXT, "good": TEXT, "exporters": TEXT, "importers": TEXT,
        "rate": NUMBER, "specific_usd_t": NUMBER, "tonnes": NUMBER, "owner": TEXT, "starts": TEXT, "ends": TEXT, **PROVENANCE,
    },
    # every reported figure before and after the reconciliation, named
    "adjustments": {"table": TEXT, "good": TEXT, "country": TEXT, "partner": TEXT, "before_t": NUMBER, "after_t": NUMBER, "rule": TEXT, "source": TEXT},
    # our shares against published ones: status 'binds' | 'other vintage' | 'conflict'
    "shares": {
        "good": TEXT, "country": TEXT, "stage": TEXT, "published_pct": NUMBER, "published_t": NUMBER, "ours_pct": NUMBER,
        "ours_t": NUMBER, "status": TEXT, "explanation": TEXT, "source": TEXT,
    },
    "sources": {"id": TEXT, "publisher": TEXT, "title": TEXT, "year": TEXT, "url": TEXT, "licence": TEXT},
}  # fmt: skip


@dataclass(frozen=True)
class World:
    """Tables of the base year. `mass_unit_t` and `money_unit_usd` convert a network file's own units (1 for built worlds).

    `wedges` are policies that a network file states for its experiment; a built world has none. `absolute` is true where
    there is no base to measure from (curves only), so that accounts are levels rather than changes.
    """

    name: str
    version: str
    goods: pl.DataFrame
    substances: pl.DataFrame
    countries: pl.DataFrame
    territories: pl.DataFrame
    activities: pl.DataFrame
    recipes: pl.DataFrame
    recoveries: pl.DataFrame
    prices: pl.DataFrame
    routes: pl.DataFrame
    final_use: pl.DataFrame
    stocks: pl.DataFrame
    licences: pl.DataFrame
    measures: pl.DataFrame
    adjustments: pl.DataFrame
    shares: pl.DataFrame
    sources: pl.DataFrame
    wedges: tuple[Wedge, ...] = ()
    sourcing: Sourcing = "logit"
    absolute: bool = False
    mass_unit_t: float = 1.0
    money_unit_usd: float = 1.0
    extras: dict[str, object] = field(default_factory=dict)

    @classmethod
    def load(cls, folder: Path | None = None) -> World:
        """The built world that ships with the package, or one built into `folder`.

        Raises
        ------
        InputRefused   `folder` holds no world, or a table of it is not one of ours
        """
        return _packaged() if folder is None else _read(folder)


def empty(table: str) -> pl.DataFrame:
    """A table of the right columns and no rows."""
    return pl.DataFrame(schema=COLUMNS[table])


def table_names() -> tuple[str, ...]:
    """The tables of a world, in the order of `World`'s fields."""
    return tuple(f.name for f in fields(World) if f.name in COLUMNS)


@cache
def _packaged() -> World:
    return _read(PACKAGED)


def _read(folder: Path) -> World:
    missing = [
        file for file in ("VERSION", *(f"{name}.csv" for name in table_names())) if not (folder / file).is_file()
    ]
    if missing:
        shown = ", ".join(missing[:3]) + (f" and {len(missing) - 3} more" if len(missing) > 3 else "")
        what = f"is no world: it lacks {shown}" if folder.is_dir() else "is no folder"
        hint = "a world is what `friendshore world build --out DIR` writes"
        raise InputRefused.because("no-world", f"'{folder}' {what}", path="--world", hint=hint)
    tables, problems = {}, []
    for name in table_names():
        try:
            tables[name] = pl.read_csv(folder / f"{name}.csv", schema=COLUMNS[name])
        except (pl.exceptions.PolarsError, UnicodeDecodeError) as error:
            said = str(error).strip().splitlines()[0]
            problems.append(Problem("no-world", f"{folder / name}.csv is no table of a world: {said}", path=name))
    words = (folder / "VERSION").read_text(encoding="utf-8", errors="replace").split()
    if len(words) != 2:
        problems.append(Problem("no-world", f"'{folder / 'VERSION'}' should hold a name and a version", path="VERSION"))
    if problems:
        raise WorldError(problems)
    return World(name=words[0], version=words[1], **cast(Any, tables))
