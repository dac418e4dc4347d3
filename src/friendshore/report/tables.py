"""Where do the tables of a run end up? In one folder that appears whole or not at all, each as Parquet and as CSV.

`staged` finds out, before anything is run, whether the folder can be had; `put` fills it and seals it with a manifest:
every file with its SHA-256. What the tables hold is decided by those who made them.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from friendshore.errors import InputRefused
from friendshore.errors import NotWritten as NotWritten

if TYPE_CHECKING:
    import polars as pl

    from friendshore.outcome import Outcome

MANIFEST = "manifest.json"
ACCOUNT = "account.txt"


@dataclass(frozen=True)
class Written:
    """A folder of tables: how many tables, in how many files."""

    folder: Path
    tables: int
    files: int


@dataclass(frozen=True)
class Stage:
    """A folder being filled at `path`, which takes the name `folder` when it is whole."""

    path: Path
    folder: Path


@contextmanager
def staged(folder: Path) -> Iterator[Stage]:
    """A new folder to fill, beside `folder`; gone when the block ends, with parents made for it, unless `put` named it.

    A folder of tables that was written before will be replaced; any other folder with something in it is left alone.

    Raises
    ------
    InputRefused   `folder` cannot be made or replaced; found out before the block runs
    """
    folder = folder.resolve()
    _check_replaceable(folder)
    stage = Stage(folder.with_name(f".{folder.name}.{os.getpid()}.part"), folder)
    missing = [parent for parent in folder.parents if not parent.exists()]
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        stage.path.mkdir()
    except OSError as error:
        hint = "name a folder that you may write to"
        raise _refused(folder, "not-writable", reason(error), hint) from None
    try:
        yield stage
    finally:
        shutil.rmtree(stage.path, ignore_errors=True)
        with suppress(OSError):  # the first that holds something stays, and so do those above it
            for parent in missing:
                parent.rmdir()


def outcome_tables(scenario: str, outcome: Outcome) -> dict[str, pl.DataFrame]:
    """The tables of an outcome, each named for its scenario: `before.prices`."""
    return {f"{scenario}.{name}": getattr(outcome, name) for name in outcome.TABLES}


def write(table: pl.DataFrame, folder: Path, name: str) -> None:
    """A table as Parquet and as CSV.

    Raises
    ------
    OSError   a disk that is full (which Polars, writing by itself, calls an error of computing)
    """
    held = BytesIO()
    table.write_parquet(held)
    (folder / f"{name}.parquet").write_bytes(held.getvalue())
    table.write_csv(folder / f"{name}.csv")


def write_whole(path: Path, content: bytes) -> None:
    """One file, whole or not at all: an earlier one stays until the new one has taken its name.

    Raises
    ------
    NotWritten   a disk that is full, a folder that may not be written to; nothing is left behind
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_bytes(content)
        part.replace(path)
    except OSError as error:
        raise NotWritten(f"'{path}' could not be written: {reason(error)}") from error
    finally:
        part.unlink(missing_ok=True)


def promised(stage: Stage, tables: Mapping[str, pl.DataFrame]) -> Written:
    """What `put` will have written: two files for each table, the account and the manifest."""
    return Written(stage.folder, len(tables), 2 * len(tables) + 2)


def put(stage: Stage, tables: Mapping[str, pl.DataFrame], about: Mapping[str, Any], *, account: str) -> None:
    """Every table as Parquet and as CSV, the account as text and the manifest; then the folder takes its name.

    Parameters
    ----------
    stage : an empty folder, from `staged`
    tables : by name; the files are <name>.parquet and <name>.csv
    about : what the manifest says first: the command, the versions of the world and of the agreement
    account : what was printed

    Raises
    ------
    NotWritten   a disk that is full, a folder that was taken meanwhile; nothing is left behind
    """
    try:
        for name, table in tables.items():
            write(table, stage.path, name)
        (stage.path / ACCOUNT).write_text(account, encoding="utf-8")
        seal(stage, about, {name: table.height for name, table in tables.items()})
    except OSError as error:
        raise NotWritten(f"the tables could not be written to '{stage.folder}': {reason(error)}") from error


def seal(stage: Stage, about: Mapping[str, Any], rows: Mapping[str, int]) -> None:
    """The manifest of a filled stage, every file with its SHA-256; then the folder takes its name.

    Parameters
    ----------
    about : what the manifest says first
    rows : of the tables, by the path of their files in the stage, without ending

    Raises
    ------
    OSError   a disk that is full, a folder that was taken meanwhile
    """
    paths = sorted(path for path in stage.path.rglob("*") if path.is_file())
    named = {path: path.relative_to(stage.path).as_posix() for path in paths}
    files = {name: _sealed(path, rows.get(name.removesuffix(path.suffix))) for path, name in named.items()}
    manifest = json.dumps({**about, "files": files}, indent=1, allow_nan=False, ensure_ascii=False)
    (stage.path / MANIFEST).write_text(manifest + "\n", encoding="utf-8")
    _rename(stage)


def _sealed(path: Path, rows: int | None) -> dict[str, str | int]:
    held = path.read_bytes()
    counted = {} if rows is None or path.suffix not in (".csv", ".parquet") else {"rows": rows}
    return {"sha256": hashlib.sha256(held).hexdigest(), "bytes": len(held), **counted}


def _rename(stage: Stage) -> None:
    """The stage becomes the folder; what stood there before is gone only once it has."""
    before = stage.path.with_suffix(".before")
    if stage.folder.exists():
        stage.folder.rename(before)
    try:
        stage.path.rename(stage.folder)
    except OSError:
        if before.exists():
            before.rename(stage.folder)
        raise
    shutil.rmtree(before, ignore_errors=True)


def _check_replaceable(folder: Path) -> None:
    if not folder.exists():
        return
    if not folder.is_dir():
        raise _refused(folder, "not-a-folder", "there is a file of this name", "name a folder")
    if folder == Path.cwd() or folder.is_mount():
        raise _refused(folder, "not-replaceable", "this folder cannot be replaced", "name a folder inside it")
    try:
        held = {path.name for path in folder.iterdir()}
        known = set(json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["files"]) if MANIFEST in held else set()
        for inside in sorted({name.partition("/")[0] for name in known if "/" in name} & held):
            below = (path for path in (folder / inside).rglob("*") if not path.is_dir())
            held = (held - {inside}) | {path.relative_to(folder).as_posix() for path in below}
    except OSError as error:
        raise _refused(folder, "not-readable", reason(error), "name another folder") from None
    except (ValueError, KeyError, TypeError):
        known = set()
    strangers = sorted(held - known - {MANIFEST}) or sorted(held if not known else ())
    if strangers:
        some = ", ".join(strangers[:3]) + (" ..." if len(strangers) > 3 else "")
        raise _refused(folder, "not-empty", f"it holds files that are no tables of ours: {some}", "name another folder")


def reason(error: OSError) -> str:
    """What the system says of a failed write."""
    return (error.strerror or str(error)).lower()


def _refused(folder: Path, code: str, message: str, hint: str) -> InputRefused:
    return InputRefused.because(code, f"'{folder}': {message}", path="--out", hint=hint)
