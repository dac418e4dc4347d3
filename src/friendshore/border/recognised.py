"""What a file of entries looks like from outside, before a line of it is read: what it is, and why it cannot be one.

Told in the words of those who made it: packed, a workbook, UTF-16, semicolons, an array in place of lines, columns that are
called almost as they should be. Reading it is left to `entries`.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from friendshore.border.entries import CONSTANTS, FIELDS, HEADER_MAX, LAYOUTS
from friendshore.border.side_file import SEPARATORS
from friendshore.errors import InputRefused, Place, Problem, did_you_mean

READ = (".csv", ".parquet", ".jsonl", ".ndjson", ".json")
KINDS = {
    b"\x1f\x8b": ("is packed (gzip)", "unpack it first"),
    b"PK\x03\x04": ("is a workbook or an archive (zip)", "save the sheet as CSV UTF-8"),
    b"\xd0\xcf\x11\xe0": ("is a workbook of an old kind", "save the sheet as CSV UTF-8"),
    b"%PDF": ("is a PDF", "ask for the data as CSV, Parquet or JSON lines"),
    b"PAR1": ("is Parquet", "call it .parquet"),
    b"\xff\xfe\x00\x00": ("is UTF-32", "save it as CSV UTF-8"),
    b"\xff\xfe": ("is UTF-16", "save it as CSV UTF-8"),
    b"\xfe\xff": ("is UTF-16", "save it as CSV UTF-8"),
    b"\x00\x00\xfe\xff": ("is UTF-32", "save it as CSV UTF-8"),
}


def recognise(file: Path, layout: str = "") -> None:
    """Refuse what cannot be a file of entries; say nothing of one that can.

    Raises
    ------
    InputRefused   no file, another kind of file than its name says, nothing in it, or columns of no layout
    """
    if not file.is_file():
        said = "is a folder" if file.is_dir() else "is no file"
        hint = f"a file that ends in {', '.join(READ)}"
        raise InputRefused.because("no-file", f"'{file}' {said}", path="ENTRIES", hint=hint)
    with file.open("rb") as raw:
        begins = raw.read(HEADER_MAX)
    kind = file.suffix.lower()
    for mark, (said, hint) in KINDS.items():
        if begins.startswith(mark) and not (mark == b"PAR1" and kind == ".parquet"):
            raise InputRefused.because("entries-format", f"{file.name} {said}", path="ENTRIES", hint=hint)
    if kind not in READ:
        hint = f"entries come in files that end in {', '.join(READ)}"
        raise InputRefused.because(
            "entries-format", f"{file.name} is of no format that is read here", path="ENTRIES", hint=hint
        )
    if not begins.strip():
        hint = "a head with the columns' names, then a line for each entry"
        raise InputRefused.because("entries-empty", f"{file.name} is empty", path="ENTRIES", hint=hint)
    if kind != ".parquet" and b"\0" in begins[:1000]:
        said = f"{file.name} holds bytes of nought: UTF-16 without a mark, or no text"
        raise InputRefused.because("entries-format", said, path="ENTRIES", hint="save it as UTF-8")
    if kind == ".csv":
        _recognise_head(file, begins, layout)
    elif kind != ".parquet" and begins.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"[":
        hint = "one object a line, as in JSON lines, without brackets or commas around them"
        raise InputRefused.because("entries-format", f"{file.name} is an array", path="ENTRIES", hint=hint)


def _recognise_head(file: Path, begins: bytes, layout: str) -> None:
    """The head of a CSV file: its separator, and names that are almost those of a layout."""
    lines = begins.decode("utf-8-sig", "replace").splitlines()
    place = Place(str(file), 1, 1, lines[0])
    names = next(csv.reader(lines[:1]), [])
    if len(names) < 2 and (sign := next((sign for sign in SEPARATORS if sign in lines[0]), "")):
        said = f"the columns stand apart by {SEPARATORS[sign]}"
        hint = "commas are expected between columns, and points in numbers"
        raise InputRefused([Problem("entries-separator", said, place, "ENTRIES", hint)])
    layouts = [layout] if layout in LAYOUTS else list(LAYOUTS)
    missing = {each: list(_missing(each, names)) for each in layouts}
    if not all(missing.values()):
        return
    nearest = min(missing, key=lambda each: (-_alike(each, names), len(missing[each]), each))
    strange = [name for name in names if name not in LAYOUTS[nearest].values()]
    problems = []
    for name in missing[nearest]:
        same = next((each for each in strange if each.strip().casefold() == name.casefold()), "")
        close = f"{same!r} should be written {name!r}" if same else did_you_mean(name, strange)
        hint = close or f"{nearest} has it for: {_about(nearest, name)}"
        problems.append(Problem("entries-columns", f"no column is called {name!r}", place, "ENTRIES", hint))
    raise InputRefused(problems)


def _alike(layout: str, names: list[str]) -> int:
    """How many columns of a head are those of a layout, but for blanks and capitals."""
    theirs = {name.casefold() for name in LAYOUTS[layout].values()}
    return sum(name.strip().casefold() in theirs for name in names)


def _missing(layout: str, names: list[str]) -> Iterator[str]:
    """What a layout needs and a head lacks."""
    for field in FIELDS:
        if field.required and field.name not in CONSTANTS[layout]:
            name = LAYOUTS[layout].get(field.name, field.name)
            if name not in names:
                yield name


def _about(layout: str, name: str) -> str:
    """What a column of a layout holds."""
    ours = {theirs: field for field, theirs in LAYOUTS[layout].items()}
    return next(field.text for field in FIELDS if field.name == ours.get(name, name))
