"""From a user's files to a user's world: which files, which reader, which folder.

Reading is `world.imports`', putting in is `world.own_data`'s.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from friendshore.errors import InputRefused, Problem
from friendshore.world import own_data, own_trade
from friendshore.world.imports import baci, comtrade, pink_sheet, usgs, wits
from friendshore.world.imports.rows import Import
from friendshore.world.tables import World


@dataclass(frozen=True)
class Files:
    """A user's downloads by publisher; of trade, a later one takes the cells that it covers from an earlier one's."""

    baci: tuple[Path, ...] = ()
    comtrade: tuple[Path, ...] = ()
    wits: tuple[Path, ...] = ()
    usgs: tuple[Path, ...] = ()
    pink_sheet: tuple[Path, ...] = ()
    year: str | None = None

    def __bool__(self) -> bool:
        return any((self.baci, self.comtrade, self.wits, self.usgs, self.pink_sheet))


def read(files: Files, world: World) -> tuple[Import, ...]:
    """Every file, in the order BACI, WITS, Comtrade, USGS, Pink Sheet.

    Raises
    ------
    InputRefused   the problems of all files at once; one of several years without `year`
    """
    wanted = own_trade.wanted(world)
    readers: list[tuple[tuple[Path, ...], Callable[[Path], Import]]] = [
        (files.baci, lambda path: baci.read(path, wanted, files.year)),
        (files.wits, lambda path: wits.read(path, wanted, files.year)),
        (files.comtrade, lambda path: comtrade.read(path, wanted, files.year)),
        (files.usgs, lambda path: usgs.read(path, files.year)),
        (files.pink_sheet, lambda path: pink_sheet.read(path, files.year)),
    ]
    found: list[Import] = []
    problems: list[Problem] = []
    for paths, reader in readers:
        for path in paths:
            try:
                one = reader(path)
            except InputRefused as refused:
                problems += refused.problems
                continue
            problems += _unusable(one, files.year)
            found.append(one)
    if problems:
        raise InputRefused(problems)
    return tuple(found)


def _unusable(one: Import, year: str | None) -> list[Problem]:
    """A file with which nothing can be begun: no row of it is of use, or it holds several years and none was chosen."""
    if one.unit == "USD" and one.table.height and year is None and one.table["year"].n_unique() > 1:
        years = ", ".join(sorted(one.table["year"].unique()))
        return [Problem("which-year", f"'{one.file}' holds {years}", None, one.file, "choose one with --year")]
    if one.table.height:
        return []
    first = next((f"line {row.line}: {row.reason} ({row.value!r})" for row in one.refused), "")
    aside = ", ".join(f"{count} of {reason}" for reason, (count, _) in one.aside.items())
    message = f"none of the {one.rows} rows of '{one.file}' is of use: {len(one.refused)} refused, {one.aside_rows} left aside"
    return [Problem("nothing-read", message, None, one.file, "\n".join(filter(None, (first, aside))))]


def build(files: Files, out: Path, world: World) -> own_data.Report:
    """Read the files, put them into `world` and write the result into the folder `out`.

    Raises
    ------
    InputRefused   a file that cannot be used, or a folder that is not ours to write; nothing is written
    """
    own_data.writable(out)
    after, report = own_data.with_data(world, read(files, world))
    own_data.save(after, out)
    return report
