"""What did 2024 look like, in tonnes that balance?

`build` reads the raw data folder, joins levels and routes (`world.chain`), finds the nearest balanced world
(`world.balanced`), lists it with its provenance (`world.listed`), compares shares (`world.shares`) and writes the tables.
Prices, freight, duties and everything else that is not a tonne come from `world.parameters`, called at the end.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import polars as pl

from friendshore.errors import InputRefused
from friendshore.world import balanced, chain, check, flows, listed, output, parameters, readers, sectors, shares
from friendshore.world.tables import PACKAGED, World, table_names

NAME, VERSION = "base-2024", "0.1"


@dataclass(frozen=True)
class Report:
    """What a build did: sizes, seconds, worst residual before rounding, and what had to give.

    `slack_t` stock changes by good, `dropped_t` routes below the threshold, `cut_t` exports beyond supply (all in tonnes);
    `readings` rows read, refused and in the file; `used_usd` USD of each trade code that became tonnes (twice where two
    goods share the rows of a basket) and in the file; `failed` the invariants of `world.check` that the tables miss.
    """

    countries: int
    activities: int
    routes: int
    seconds: float
    steps: int
    residual: float
    slack_t: dict[str, float]
    dropped_t: dict[str, float]
    cut_t: dict[str, float]
    readings: dict[str, tuple[int, int, int]]
    used_usd: dict[str, tuple[float, float]]
    shares_bound: int
    shares_missed: list[str]
    conflicts: int
    failed: list[str]


def build(raw: Path, out: Path = PACKAGED, plan: Sequence[Path] | None = None) -> Report:
    """Rebuild every table of the world from the raw data folder into `out`.

    The same folder gives the same bytes. Returns the report of the build.

    Parameters
    ----------
    raw  : the raw data folder, holding the publishers' files under `raw/` and gathered figures under `facts/`
    plan : folders of the sectors to build, as `world.sectors` reads them; all that ship where none is given

    Raises
    ------
    InputRefused   a raw file is not in its publisher's layout
    WorldError     no balanced world was found
    """
    started = time.perf_counter()
    if not (raw / "raw").is_dir():
        hint = "it holds the publishers' files under raw/: see the page on figures"
        raise InputRefused.because("no-raw-data", f"no raw data in '{raw}'", path=str(raw), hint=hint)
    with sectors.using(sectors.shipped() if plan is None else plan):
        return _build(raw, out, started)


def _build(raw: Path, out: Path, started: float) -> Report:
    known = readers.countries(raw)
    published = output.published(raw, known)
    trade = flows.read(raw, known)
    known_chain = chain.assemble(raw, known, published, trade)
    found = shares.comparisons(published)
    values, fit = balanced.solve(known_chain, found)
    tables = listed.tables_of(known_chain, values, known, raw)
    compared = shares.table(found, tables["activities"], tables["recipes"])
    tables["shares"] = listed.frame("shares", compared)
    tables = parameters.complete(tables, raw)
    _write(tables, out)
    return Report(
        countries=tables["countries"].height, activities=tables["activities"].height, routes=tables["routes"].height,
        seconds=time.perf_counter() - started, steps=fit.steps, residual=fit.residual,
        slack_t=balanced.slack(values), dropped_t=chain.dropped(known_chain),
        cut_t={g: float(p.cut.sum()) for g, p in known_chain.priors.items() if p.cut.sum() > 0.0},
        used_usd=flows.coverage(trade),
        readings={name: (r.table.height, len(r.refused), r.rows) for name, r in _readings(published, trade).items()},
        shares_bound=sum(row["status"] in ("binds", "conflict") for row in compared),
        shares_missed=[f"{r['stage']} {r['country']} {r['published_pct']:.1f} ours {r['ours_pct']:.1f}" for r in compared if not shares.agrees(r)],
        failed=[item.name for item in check.check(World(name=NAME, version=VERSION, **cast("dict[str, Any]", tables))) if not item.ok],
        conflicts=sum(row["status"] == "conflict" for row in compared),
    )  # fmt: skip


def _readings(published: output.Published, trade: flows.Trade) -> dict[str, readers.Reading]:
    return {"usgs": published.usgs, "bgs": published.bgs, "iea": published.iea, "ec": published.ec} | trade.readings()


def _write(tables: Mapping[str, pl.DataFrame], out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    for name in table_names():
        tables[name].write_csv(out / f"{name}.csv")
    (out / "VERSION").write_text(f"{NAME} {VERSION}\n", encoding="utf-8")
