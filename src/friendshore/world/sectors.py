"""Which figures does a build rest on? Folders of small tables, one folder per sector, read as one plan.

A sector is data alone: a folder that holds whichever tables it needs (`goods.csv`, `processes.csv`, `production.csv` …).
`rows` joins a table over the sectors in force, the common tables last, so that a rule for everything comes after a
sector's own. What a table means is its reader's.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path

from friendshore.errors import InputRefused, Problem, nearest

ROOT = Path(__file__).parent / "plan"
SHIPPED = ("six_chains", "light_metals", "base_and_precious", "battery")
COMMON = "common"
Row = dict[str, str]


def shipped(names: Sequence[str] = SHIPPED) -> tuple[Path, ...]:
    """Folders of the sectors that ship, and the common tables behind them.

    Raises
    ------
    InputRefused   a name that is no sector, with the nearest one
    """
    wrong = [name for name in names if name not in SHIPPED]
    if wrong:
        raise InputRefused(tuple(_unknown(name) for name in wrong))
    return (*(ROOT / name for name in names), ROOT / COMMON)


_in_force: ContextVar[tuple[Path, ...] | None] = ContextVar("sectors", default=None)


@contextmanager
def using(folders: Sequence[Path]) -> Iterator[None]:
    """Read the plan from these folders inside the block."""
    before = _in_force.set(tuple(folders))
    try:
        yield
    finally:
        _in_force.reset(before)


def in_force() -> tuple[Path, ...]:
    """The folders that the plan is read from."""
    return _in_force.get() or shipped()


def rows(table: str) -> tuple[Row, ...]:
    """A plan table as rows of text, sector by sector; empty where no sector has it."""
    return _joined(table, in_force())


def keyed(table: str, key: str) -> dict[str, Row]:
    """The rows of a plan table by one column.

    Raises
    ------
    InputRefused   two rows with one key
    """
    out: dict[str, Row] = {}
    twice = []
    for row in rows(table):
        if row[key] in out:
            twice.append(row[key])
        out[row[key]] = row
    if twice:
        raise InputRefused(
            tuple(
                Problem("plan-twice", f"{table}: {name!r} stands in two rows", None, f"{table}.csv") for name in twice
            )
        )
    return out


@cache
def _joined(table: str, folders: tuple[Path, ...]) -> tuple[Row, ...]:
    return tuple(row for folder in folders for row in _read(folder / f"{table}.csv"))


def _read(path: Path) -> list[Row]:
    if not path.exists():
        return []
    with path.open(encoding="utf-8-sig", newline="") as lines:
        return list(csv.DictReader(lines))


def _unknown(name: str) -> Problem:
    close = nearest(name, SHIPPED)
    hint = f"did you mean '{close}'?" if close else f"one of {', '.join(SHIPPED)}"
    return Problem("unknown-sector", f"no sector {name!r} ships", None, "sectors", hint)
