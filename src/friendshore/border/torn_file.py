"""Where a large CSV file is torn: the first line that is not UTF-8, has too few or too many cells, or leaves a quote open.

Large files are read at once by a library that says only that something is wrong; here the line is looked for afterwards.
Small files are read line by line by `side_file`.
"""

from __future__ import annotations

import csv
from pathlib import Path

from friendshore.errors import Place, Problem

DOUBLE = "double a mark inside a cell"


def not_utf8(path: Path, *, whole: bool) -> Problem | None:
    """The first byte of a file, or of its first line, that is no text in UTF-8; in UTF-16 every other byte is nought."""
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                column = line.decode("utf-8").find("\0")
            except UnicodeDecodeError as error:
                column = error.start
            if column >= 0:
                message = f"byte {column + 1} of the line is not UTF-8"
                return Problem("encoding", message, Place(str(path), number, 1), hint="save the file as UTF-8")
            if not whole:
                return None
    return None


def broken(path: Path) -> Problem | None:
    """The first line that cannot be read as CSV: not UTF-8, a quotation mark astray, too few or too many cells."""
    if wrong := not_utf8(path, whole=True):
        return wrong
    with path.open(encoding="utf-8-sig", newline="") as text:
        rows, number = csv.reader(text, strict=True), 1
        try:
            columns = len(next(rows, []))
            for row in rows:
                number = rows.line_num
                if row and len(row) != columns:
                    message = f"{len(row)} cells under {columns} columns"
                    hint = "quote a cell that holds a comma"
                    return Problem("ragged", message, Place(str(path), number, 1), hint=hint)
        except csv.Error as error:
            place = Place(str(path), rows.line_num, 1)
            return _astray(path) or Problem("broken-row", str(error), place, hint=DOUBLE)
    return _astray(path)


def _astray(path: Path) -> Problem | None:
    """The first line with a quotation mark that has no partner."""
    with path.open(encoding="utf-8-sig") as text:
        number = next((number for number, line in enumerate(text, start=1) if line.count('"') % 2), None)
    if number is None:
        return None
    return Problem("broken-row", "a quotation mark is not closed", Place(str(path), number, 1), hint=DOUBLE)
