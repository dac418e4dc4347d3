"""A small CSV file that stands beside the entries (rates, measures, test values, decisions): its rows, each with its place.

What makes a file unreadable, or one of another shape, is said here once: no such file, a folder, another encoding, another
separator, columns that lack or that nobody asked for. What the cells must hold is left to those who read them.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from friendshore.errors import InputRefused, Place, Problem, did_you_mean

BYTES_MAX = 200_000_000
SEPARATORS = {";": "semicolons", "\t": "tabulators", "|": "bars"}
Row = tuple[dict[str, str], Place]


def rows(
    source: Path | bytes, columns: Sequence[str], needed: Sequence[str], *, name: str = "", option: str = ""
) -> Iterator[Row]:
    """The rows of a CSV file in UTF-8, cells without the blanks around them; a row of blanks is none.

    Parameters
    ----------
    source : the file, or its bytes
    columns : all that it may have
    needed : those without which it says nothing
    name : what messages call it, where only its bytes are at hand
    option : the option of the command line that named it

    Raises
    ------
    InputRefused   a file that cannot be read as such a table
    """
    name = name or (str(source) if isinstance(source, Path) else "table.csv")
    lines = _text(source, name, option).splitlines(keepends=True)
    table = csv.reader(lines, strict=True)
    try:
        head = [cell.strip() for cell in next(table, [])]
        _head(head, columns, needed, Place(name, 1, 1, lines[0].rstrip("\r\n") if lines else ""), option)
        for cells in table:
            text = lines[table.line_num - 1].rstrip("\r\n")
            place = Place(name, table.line_num, 1, text, max(1, min(len(text), 60)))
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != len(head):
                message = f"{len(cells)} cells, where the head names {len(head)} columns"
                raise InputRefused(
                    [Problem("row-length", message, place, option, "a comma within a cell asks for quotes")]
                )
            held = dict(zip(head, (cell.strip() for cell in cells), strict=True))
            yield {column: held.get(column, "") for column in columns}, place
    except csv.Error as error:
        place = Place(name, table.line_num, 1)
        raise InputRefused.because(
            "unreadable", str(error), place=place, path=option, hint="CSV, quotes closed"
        ) from None


def _text(source: Path | bytes, name: str, option: str) -> str:
    """The text of a file."""
    if isinstance(source, Path):
        if not source.is_file():
            said = "it is a folder" if source.is_dir() else "there is no such file"
            hint = "the path of a CSV file"
            raise InputRefused.because("no-file", f"'{source}' cannot be read: {said}", path=option, hint=hint)
        if source.stat().st_size > BYTES_MAX:
            raise InputRefused.because("too-large", f"{name} has more than {BYTES_MAX:,} bytes", path=option)
        try:
            source = source.read_bytes()
        except OSError as error:
            raise InputRefused.because("unreadable", f"{name} cannot be read: {error.strerror}", path=option) from None
    try:
        return source.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = source.count(b"\n", 0, error.start) + 1
        utf16 = source[:2] in (b"\xff\xfe", b"\xfe\xff")
        said = "it is UTF-16" if utf16 else f"byte {source[error.start]:#04x} is none of UTF-8"
        hint = "save it as CSV UTF-8"
        raise InputRefused.because("encoding", said, place=Place(name, line, 1), path=option, hint=hint) from None


def _head(head: list[str], columns: Sequence[str], needed: Sequence[str], place: Place, option: str) -> None:
    """Refuse a head that is not the table's."""
    missing = [column for column in needed if column not in head]
    hint = f"the columns are {', '.join(columns)}"
    if missing:
        sign = next((sign for sign in SEPARATORS if sign in place.text), "")
        if len(head) < 2 and sign:
            said = f"the columns stand apart by {SEPARATORS[sign]}"
            raise InputRefused(
                [Problem("separator", said, place, option, "commas are expected, and points in numbers")]
            )
        said = f"the file lacks {', '.join(missing)}" if place.text else "the file is empty"
        raise InputRefused([Problem("missing-field", said, place, option, hint)])
    if strange := [column for column in head if column not in columns]:
        said = f"no column is called {strange[0]!r}"
        raise InputRefused([Problem("unknown-field", said, place, option, did_you_mean(strange[0], columns) or hint)])
    if len(set(head)) < len(head):
        twice = next(column for column in head if head.count(column) > 1)
        raise InputRefused([Problem("column-twice", f"two columns are called {twice!r}", place, option)])
