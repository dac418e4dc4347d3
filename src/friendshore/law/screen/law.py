"""All that the screen judges by: obligations, disputes and commitments, those that ship and one's own beside them.

A folder of one's own holds what it adds or replaces: `obligations/`, `disputes/`, `agreements/` and `powers/` with one small
file each, and any of the tables. A file takes the place of the one that ships under the same id, a row that of the same key.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from friendshore.errors import InputRefused, Problem, did_you_mean
from friendshore.law.screen import commitments, obligations
from friendshore.law.screen.commitments import Commitments
from friendshore.law.screen.obligations import Dispute, Obligation
from friendshore.law.screen.tariffs import TariffFile, with_rates
from friendshore.law.screen.text import read_folder

FOLDERS = ("obligations", "disputes", *commitments.FOLDERS)


@dataclass(frozen=True)
class Law:
    """What the screen judges by."""

    obligations: Mapping[str, Obligation]
    disputes: Mapping[str, Dispute]
    commitments: Commitments


@cache
def shipped() -> Law:
    """The law that ships."""
    return Law(obligations.shipped_obligations(), obligations.shipped_disputes(), commitments.shipped())


def with_own(folder: Path | None = None, rates: Iterable[TariffFile] = ()) -> Law:
    """The law that ships, with a folder of one's own and one's own rates.

    Raises
    ------
    InputRefused   no folder, one that holds nothing or what the screen does not read, and every problem of its files
    """
    held = shipped() if folder is None else _beside(shipped(), folder)
    files = tuple(rates)
    return replace(held, commitments=with_rates(held.commitments, files)) if files else held


def _beside(base: Law, folder: Path) -> Law:
    _check(folder)
    problems: list[Problem] = []
    found = base
    for read in (_disputes, _obligations, _commitments):
        try:
            found = read(found, folder)
        except InputRefused as refused:
            problems += refused.problems
    if problems:
        raise InputRefused(problems)
    return found


def _disputes(base: Law, folder: Path) -> Law:
    return replace(base, disputes={**base.disputes, **obligations.read_disputes(folder / "disputes")})


def _obligations(base: Law, folder: Path) -> Law:
    own = read_folder(folder / "obligations", Obligation, key=lambda one: one.id)
    return replace(base, obligations=obligations.joined({**base.obligations, **own}, base.disputes))


def _commitments(base: Law, folder: Path) -> Law:
    return replace(base, commitments=commitments.beside(base.commitments, folder))


def _check(folder: Path) -> None:
    """A folder holds something that the screen reads, and nothing else."""
    if not folder.is_dir():
        message = f"{folder} is no folder"
        raise InputRefused.because("no-folder", message, path="--promises", hint="docs/law.md says what it may hold")
    names = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
    known = (*FOLDERS, *commitments.TABLES)
    problems = [
        Problem("unknown-name", f"{folder.name}/{name} is nothing that the screen reads", path="--promises", hint=hint)
        for name in names
        if name not in known and Path(name).suffix != ".md"
        for hint in [did_you_mean(name, known) or "it reads " + ", ".join(known)]
    ]
    problems += [
        Problem(
            "unknown-name", f"{kind}/{path.name} is no .yaml file", path="--promises", hint=f"call it {path.stem}.yaml"
        )
        for kind in FOLDERS
        if (folder / kind).is_dir()
        for path in sorted((folder / kind).iterdir())
        if path.suffix != ".yaml" and not path.name.startswith(".")
    ]
    if not names:
        problems.append(Problem("empty", f"{folder} is empty", path="--promises", hint="it reads " + ", ".join(known)))
    if problems:
        raise InputRefused(problems)
