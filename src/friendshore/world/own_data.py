"""What does the world look like with a user's own downloads in it?

Trade, output and prices that the files cover take the place of the shipped figures; what hangs together with them is balanced
anew, everything else stays as it was to the last digit. What the files say is `own_trade`'s and `own_output`'s, the balance
`own_balance`'s; here they come together, are calibrated, checked, reported and written.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl

from friendshore.errors import InputRefused
from friendshore.world import check, own_figures, parameters
from friendshore.world.imports.rows import Import
from friendshore.world.own_balance import component, rebalanced, shares_of
from friendshore.world.own_output import goods_of, levels_of, prices_of
from friendshore.world.own_trade import Declared, declare, places_of, sources, taken, trade_of
from friendshore.world.tables import World, table_names


@dataclass(frozen=True)
class Good:
    """What the files do to one good: USD and tonnes reported, USD that became tonnes, tonnes traded before and after.

    `silent` are reporters that the files tell a small part of, and that keep their shipped trade: tonnes told and held.
    """

    good: str
    source: str
    codes: str
    reported_usd: float
    used_usd: float
    reported_t: float
    before_t: float
    after_t: float
    moved_t: float
    routes: int
    silent: dict[str, tuple[float, float]]


@dataclass(frozen=True)
class Report:
    """What a build from a user's files did. `kept` names goods that a file covers only in part, and why they stand."""

    name: str
    version: str
    imports: tuple[Import, ...]
    goods: tuple[Good, ...]
    kept: dict[str, str]
    spread_usd: float
    balanced_goods: tuple[str, ...]
    prices: tuple[tuple[str, float, float], ...]
    levels: int
    steps: int
    residual_t: float
    failed: tuple[str, ...]
    remarks: tuple[str, ...] = ()


def with_data(world: World, imports: Sequence[Import]) -> tuple[World, Report]:
    """`world` with the imports' trade, output and prices in place of its own, balanced and calibrated anew.

    Raises
    ------
    InputRefused   nothing in the files concerns the world
    WorldError     no balanced world was found
    """
    trade = [one for one in imports if one.unit == "USD"]
    output_of = [one for one in imports if one.unit == "t"]
    quoted = [one for one in imports if one.unit == "USD/t"]
    place = places_of(world)
    declared, kept = declare(world, trade, place)
    levels = levels_of(world, output_of, place)
    if not declared and not quoted and not output_of:
        hint = "\n".join(f"{good}: {why}" for good, why in list(kept.items())[:8])
        raise InputRefused.because("nothing-to-replace", "no figure of the world is covered by the files", hint=hint)
    before = {name: getattr(world, name) for name in table_names()}
    tables, fit, touched = dict(before), None, frozenset[str]()
    if declared or levels:
        touched = component(world, set(declared) | goods_of(world, levels))
        tables, fit = rebalanced(world, declared, levels, touched, output_of)
        tables["sources"] = sources(world, [*trade, *output_of])
        tables = parameters.resettled(before, tables, touched)
        tables["shares"] = shares_of(world, tables, output_of)
    named = "+".join(part for one in imports for part in (one.digest, *taken(one)))
    digest = hashlib.sha256(named.encode()).hexdigest()[:8]
    after = replace(world, version=f"{world.version}+data.{digest}", extras={}, **_typed(tables))
    prices = prices_of(world, quoted)
    if prices:
        version = after.version
        after = replace(own_figures.with_parameters(after, prices), version=version, extras={})
    failed = tuple(item.name for item in check.check(after) if not item.ok)
    held = {row["id"]: row["price_outside_usd_t"] for row in world.goods.iter_rows(named=True)}
    return after, Report(
        after.name, after.version, tuple(imports), tuple(_good(world, after, name, one) for name, one in declared.items()),
        kept, sum(one.spread_usd for one in declared.values()), tuple(g for g in world.goods["id"] if g in touched),
        tuple((own.selectors["good"], held[own.selectors["good"]], own.value) for own in prices), len(levels),
        fit.steps if fit else 0, fit.residual if fit else 0.0, failed,
    )  # fmt: skip


def _good(before: World, after: World, good: str, one: Declared) -> Good:
    was, now = trade_of(before, good), trade_of(after, good)
    moved = sum(abs(now.get(pair, 0.0) - was.get(pair, 0.0)) for pair in set(was) | set(now)) / 2.0
    return Good(
        good, "+".join(sorted(one.source)), "+".join(sorted(one.codes)), one.reported_usd, one.used_usd,
        sum(figure.tonnes for figure in one.routes.values()), sum(was.values()), sum(now.values()), moved, len(one.routes), one.silent,
    )  # fmt: skip


def _typed(tables: dict[str, pl.DataFrame]) -> dict[str, Any]:
    return {name: tables[name] for name in table_names()}


def writable(out: Path) -> None:
    """Refuse a folder that is not ours to write.

    Raises
    ------
    InputRefused   `out` is a file, or a folder with something in it that is no table of a world
    """
    if out.exists() and not out.is_dir():
        raise InputRefused.because("not-a-folder", f"'{out}' is a file", path="--out", hint="name a new folder")
    strangers = sorted(p.name for p in out.iterdir() if p.name not in _FILES) if out.is_dir() else []
    if strangers:
        hint = "name a new folder, or one that holds a world"
        listed = ", ".join(strangers[:4])
        raise InputRefused.because("not-empty", f"'{out}' holds other things: {listed}", path="--out", hint=hint)


_FILES = frozenset((*(f"{name}.csv" for name in table_names()), "VERSION"))


def save(world: World, out: Path) -> None:
    """Write a world's tables into a folder: all of them, or none where one cannot be written.

    Raises
    ------
    InputRefused   a folder that `writable` refuses, or that the system does
    """
    writable(out)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=out.parent, prefix=".world-") as folder:
            for name in table_names():
                getattr(world, name).write_csv(Path(folder) / f"{name}.csv")
            (Path(folder) / "VERSION").write_text(f"{world.name} {world.version}\n", encoding="utf-8")
            out.mkdir(exist_ok=True)
            for file in sorted(_FILES):
                shutil.move(Path(folder) / file, out / file)
    except OSError as error:
        raise InputRefused.because(
            "not-written", f"'{out}' cannot be written: {error.strerror}", path="--out"
        ) from None
