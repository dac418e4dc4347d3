"""Where do the tables of a run end up? In one folder that appears whole or not at all, each as Parquet and as CSV.

`appearing` gives a folder to write into that takes its name at the end; `write` fills it and seals it with a manifest:
every file with its SHA-256. What the tables hold is decided by those who made them.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from friendshore.errors import FriendshoreError, InputRefused

if TYPE_CHECKING:
    import polars as pl

    from friendshore.outcome import Outcome

MANIFEST = "manifest.json"
ACCOUNT = "account.txt"


class NotWritten(FriendshoreError):
    """The answer is there, its tables could not be written."""

    exit_status = 3


@dataclass(frozen=True)
class Written:
    """A folder of tables: how many tables, in how many files."""

    folder: Path
    tables: int
    files: int


@contextmanager
def appearing(folder: Path) -> Iterator[Path]:
    """A new folder to write into, beside `folder`, which takes its place when the block ends and vanishes if it fails.

    A folder of tables that was written before is replaced; any other folder with something in it is left alone.

    Raises
    ------
    InputRefused   `folder` cannot be made or replaced; found out before the block runs
    NotWritten     the finished folder could not take its place
    """
    folder = folder.resolve()
    _check_replaceable(folder)
    stage = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        stage.mkdir()
    except OSError as error:
        raise _refused(
            folder, "not-writable", error.strerror or str(error), "name a folder that you may write to"
        ) from None
    try:
        yield stage
        _put(stage, folder)
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def outcome_tables(scenario: str, outcome: Outcome) -> dict[str, pl.DataFrame]:
    """The tables of an outcome, each named for its scenario: `before.prices`."""
    return {f"{scenario}.{name}": getattr(outcome, name) for name in outcome.TABLES}


def write(stage: Path, tables: Mapping[str, pl.DataFrame], about: Mapping[str, Any], *, account: str = "") -> int:
    """Every table as Parquet and as CSV, the account as text, and the manifest. Returns how many files there are.

    Parameters
    ----------
    stage : an empty folder, from `appearing`
    tables : by name; the files are <name>.parquet and <name>.csv
    about : what the manifest says first: the command, the versions of the world and of the agreement

    Raises
    ------
    NotWritten   a disk that is full or goes away
    """
    try:
        for name, table in tables.items():
            table.write_parquet(stage / f"{name}.parquet")
            table.write_csv(stage / f"{name}.csv")
        if account:
            (stage / ACCOUNT).write_text(account, encoding="utf-8")
        files = {
            path.name: {
                "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
                "bytes": path.stat().st_size,
                **({"rows": tables[path.stem].height} if path.stem in tables else {}),
            }
            for path in sorted(stage.iterdir())
        }
        manifest = json.dumps({**about, "files": files}, indent=1, allow_nan=False)
        (stage / MANIFEST).write_text(manifest + "\n", encoding="utf-8")
    except OSError as error:
        raise NotWritten(f"the tables could not be written: {error.strerror or error}") from error
    return len(files) + 1


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
    except OSError as error:
        raise _refused(folder, "not-readable", error.strerror or str(error), "name another folder") from None
    except (ValueError, KeyError, TypeError):
        known = set()
    strangers = sorted(held - known - {MANIFEST}) or sorted(held if not known else ())
    if strangers:
        some = ", ".join(strangers[:3]) + (" ..." if len(strangers) > 3 else "")
        raise _refused(folder, "not-empty", f"it holds files that are no tables of ours: {some}", "name another folder")


def _put(stage: Path, folder: Path) -> None:
    """`stage` becomes `folder`; what stood there before is gone only once it has."""
    before = stage.with_suffix(".before")
    try:
        if folder.exists():
            folder.rename(before)
        try:
            stage.rename(folder)
        except OSError:
            if before.exists():
                before.rename(folder)
            raise
    except OSError as error:
        raise NotWritten(f"the tables could not be put into '{folder}': {error.strerror or error}") from error
    shutil.rmtree(before, ignore_errors=True)


def _refused(folder: Path, code: str, message: str, hint: str) -> InputRefused:
    return InputRefused.because(code, f"'{folder}': {message}", path="--out", hint=hint)
