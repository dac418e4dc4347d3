"""Where in a file is the table, and what are its rows?

CSV of any common delimiter and encoding, plain or compressed, Parquet, or keyed records; the heading may stand under other
lines. No row is lost on the way: blank lines alone are no rows.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import polars as pl

from friendshore.errors import InputRefused, Place, Problem, nearest
from friendshore.world.imports.numbers import Numbers
from friendshore.world.imports.rows import MISSING, Unreadable

HEADING_WITHIN = 30  # lines: further down a heading is not looked for
DELIMITERS = (",", ";", "\t", "|")

Columns = Mapping[str, tuple[str, ...]]  # our name -> the publishers' names for it
Layouts = Mapping[str, tuple[Columns, tuple[str, ...]]]  # layout -> columns, and those that it cannot do without


@dataclass(frozen=True)
class Table:
    """The table of a file: heading as it stands, cells of each record with its line, and how numbers are written."""

    file: str
    digest: str
    heading: tuple[str, ...]
    heading_line: int
    place: Mapping[str, int]  # our column -> index of the cell
    records: Iterable[tuple[int, Sequence[str]]]
    numbers: Numbers
    remarks: list[str]

    @property
    def plain(self) -> bool:
        """Whether `float` reads the file's numbers: no cell can hold a comma."""
        return self.numbers == Numbers(".", True)

    def name(self, column: str) -> str:
        """What the file calls a column."""
        return self.heading[self.place[column]] if column in self.place else column


def opened(path: Path, layouts: Layouts, numeric: Sequence[str], like: str) -> tuple[str, Table]:
    """Find one of the layouts' tables in a file.

    Parameters
    ----------
    layouts : name -> (columns, those that it cannot do without); the first that fits is taken
    numeric : our columns that hold numbers
    like    : what the file should be, for the message

    Returns
    -------
    name of the layout, the table

    Raises
    ------
    InputRefused   no such file, damaged, or no layout fits; with the nearest heading found
    """
    data, member = payload(path, like)
    name = path.name if member is None else f"{path.name}/{member}"
    digest = hashlib.sha256(data).hexdigest()[:12]
    if data[:4] == b"PAR1" or path.suffix == ".parquet":
        return _of_frame(data, name, digest, layouts, like)
    return _of_text(data, name, digest, layouts, numeric, like)


def of_records(
    rows: Sequence[Mapping[str, Any]],
    file: str,
    digest: str,
    layouts: Layouts,
    like: str,
) -> tuple[str, Table]:
    """The same for records that are already keyed, such as JSON's; the 'line' is the record's number."""
    heading = tuple(dict.fromkeys(key for row in rows for key in row))
    layout, place = _fit(heading, layouts)
    if layout is None:
        raise InputRefused([_no_heading(file, 1, ",".join(heading), layouts, heading, like)])

    def records() -> Iterator[tuple[int, Sequence[str]]]:
        for number, row in enumerate(rows, start=1):
            yield number, [_text(row.get(key)) for key in heading]

    return layout, Table(file, digest, heading, 0, place, records(), Numbers(".", True), [])


def payload(path: Path, like: str) -> tuple[bytes, str | None]:
    """The bytes of a file, taken out of its archive where it is one, and the member's name.

    Raises
    ------
    InputRefused   the file is missing, or its archive is cut short or damaged
    """
    try:
        if path.is_dir():
            raise InputRefused.because(
                "not-a-file", f"'{path}' is a folder", path=str(path), hint=f"name the file: {like}"
            )
        data = path.read_bytes()
    except OSError as error:
        raise InputRefused.because("no-file", f"'{path}' cannot be read: {error.strerror}", path=str(path)) from None
    if not data.strip():
        raise InputRefused.because("empty-file", f"'{path.name}' is empty", path=path.name, hint=f"expected {like}")
    try:
        if data[:2] == b"\x1f\x8b":
            return gzip.decompress(data), None
        if data[:4] == b"PK\x03\x04" and path.suffix != ".xlsx":
            return _member(data, path, like)
        if path.suffix == ".zip":
            raise zipfile.BadZipFile("it does not begin as a zip file")
    except (EOFError, OSError, zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError) as error:
        hint = "the download ended early or was changed: fetch it again"
        raise InputRefused.because("damaged", f"'{path.name}' is damaged: {error}", path=path.name, hint=hint) from None
    return data, None


def _member(data: bytes, path: Path, like: str) -> tuple[bytes, str]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        names = [n for n in archive.namelist() if n.lower().endswith((".csv", ".txt", ".json", ".parquet"))]
        tables = [n for n in names if not re.search(r"(country|product)_codes|readme", n, re.IGNORECASE)]
        if len(tables) != 1:
            hint = "unpack it and name one" if tables else f"expected {like}"
            listed = ", ".join(tables[:6]) or "none"
            raise InputRefused.because(
                "which-table", f"'{path.name}' holds {len(tables)} tables: {listed}", path=path.name, hint=hint
            )
        return archive.read(tables[0]), tables[0]


def _of_frame(data: bytes, file: str, digest: str, layouts: Layouts, like: str) -> tuple[str, Table]:
    try:
        frame = pl.read_parquet(io.BytesIO(data))
    except (pl.exceptions.PolarsError, OSError) as error:
        hint = "the download ended early or was changed: fetch it again"
        first = str(error).splitlines()[0]
        raise InputRefused.because("damaged", f"'{file}' is damaged: {first}", path=file, hint=hint) from None
    heading = tuple(frame.columns)
    layout, place = _fit(heading, layouts)
    if layout is None:
        raise InputRefused([_no_heading(file, 1, ",".join(heading), layouts, heading, like)])
    records = ((number, [_text(cell) for cell in row]) for number, row in enumerate(frame.iter_rows(), start=1))
    return layout, Table(file, digest, heading, 0, place, records, Numbers(".", True), [])


def _text(cell: object) -> str:
    """A typed cell as the text that a CSV would hold; whole floats without their point."""
    if cell is None:
        return ""
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 1e15:
        return str(int(cell))
    return str(cell)


def _of_text(
    data: bytes,
    file: str,
    digest: str,
    layouts: Layouts,
    numeric: Sequence[str],
    like: str,
) -> tuple[str, Table]:
    remarks: list[str] = []
    lines = _Lines(data, remarks)
    found = _heading(lines, layouts)
    if found is None:
        best = lines.first(1)
        raise InputRefused(
            [
                _no_heading(
                    file,
                    1,
                    best[0] if best else "",
                    layouts,
                    _cells(best[0], _delimiter(best[0])) if best else [],
                    like,
                )
            ]
        )
    layout, place, heading, line, delimiter = found
    if not data.endswith((b"\n", b"\r", b"\x00")):
        remarks.append("no line break at the end: the last row may be cut short")
    if line > 1:
        remarks.append(f"{line - 1} line{'s' if line > 2 else ''} above the heading")
    records: Iterable[tuple[int, Sequence[str]]] = _records(lines, line, delimiter, len(heading))
    numbers = Numbers(".", True)
    if delimiter != "," or b'"' in data:
        held = list(records)
        records = held
        columns = [place[name] for name in numeric if name in place]
        numbers = Numbers.of(cells[k] for _, cells in held for k in columns if k < len(cells))
        if numbers.decimal == ",":
            remarks.append("decimal commas")
        elif numbers.decimal == "?":
            remarks.append("decimal commas and decimal points in one file")
    return layout, Table(file, digest, heading, line, place, records, numbers, remarks)


class _Lines:
    """The lines of a text, each decoded as UTF-8 or, failing that, as Windows-1252; marks of byte order taken off."""

    def __init__(self, data: bytes, remarks: list[str]) -> None:
        head = data[:4096]
        if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
            data = data.decode("utf-16", "replace").encode()
            remarks.append("UTF-16")
        elif head.count(0) > len(head) // 4:
            data = data.decode("utf-16-le", "replace").encode()
            remarks.append("UTF-16")
        if b"\r" in data:
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        self.data, self.remarks, self.other = data.removeprefix(b"\xef\xbb\xbf"), remarks, 0

    def first(self, count: int) -> list[str]:
        return [_decoded(line).removesuffix("\n") for line in islice(io.BytesIO(self.data), count)]

    def after(self, line: int) -> Iterator[str]:
        for raw in islice(io.BytesIO(self.data), line, None):
            try:
                yield raw.decode("utf-8").removesuffix("\n")
            except UnicodeDecodeError:
                self.other += 1
                if self.other == 1:
                    self.remarks.append("not all of it is UTF-8: those lines were read as Windows-1252")
                yield _decoded(raw).removesuffix("\n")


def _decoded(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("cp1252", "replace")


def normal(name: str) -> str:
    """A column's name without case, spaces and marks: 'Trade Value (US$)' and 'TradeValueUS' are one."""
    return re.sub(r"[^a-z0-9]", "", name.casefold().replace("\ufeff", ""))


def _fit(cells: Sequence[str], layouts: Layouts) -> tuple[str | None, dict[str, int]]:
    names: dict[str, int] = {}
    for index, cell in enumerate(cells):
        names.setdefault(normal(cell), index)
    for layout, (columns, needs) in layouts.items():
        place = {
            ours: names[normal(theirs)]
            for ours, several in columns.items()
            for theirs in reversed(several)
            if normal(theirs) in names
        }
        if all(name in place for name in needs):
            return layout, place
    return None, {}


def _heading(lines: _Lines, layouts: Layouts) -> tuple[str, dict[str, int], tuple[str, ...], int, str] | None:
    for number, line in enumerate(lines.first(HEADING_WITHIN), start=1):
        for delimiter in DELIMITERS:
            if delimiter in line:
                cells = _cells(line, delimiter)
                layout, place = _fit(cells, layouts)
                if layout is not None:
                    while cells and not cells[-1].strip():
                        cells.pop()
                    return layout, place, tuple(cell.strip() for cell in cells), number, delimiter
    return None


def _delimiter(line: str) -> str:
    return max(DELIMITERS, key=line.count)


def _cells(line: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([line.replace("\0", "")], delimiter=delimiter), [])
    except csv.Error:
        return [line]


def _records(lines: _Lines, heading_line: int, delimiter: str, width: int) -> Iterator[tuple[int, Sequence[str]]]:
    """Cells line by line. A quotation mark left open swallows no line: no record of these tables spans two."""
    for number, line in enumerate(lines.after(heading_line), start=heading_line + 1):
        if not line or line.isspace():
            continue
        if '"' not in line and "\0" not in line:
            cells = line.split(delimiter)
        elif line.count('"') % 2:
            cells = [line]
        else:
            cells = _cells(line, delimiter)
        if len(cells) > width and not any(cell.strip() for cell in cells[width:]):
            cells = cells[:width]
        if not cells[0].strip() and len(cells) > 1 and not any(cell.strip() for cell in cells):
            continue
        yield number, cells


def _no_heading(
    file: str,
    line: int,
    text: str,
    layouts: Layouts,
    cells: Sequence[str],
    like: str,
) -> Problem:
    """Which heading was expected and how near the file comes to it."""
    known = {normal(cell) for cell in cells}
    best, missing = "", None
    for layout, (columns, needs) in layouts.items():
        lacks = [columns[name][0] for name in needs if not any(normal(theirs) in known for theirs in columns[name])]
        if missing is None or len(lacks) < len(missing):
            best, missing = layout, lacks
    assert missing is not None
    close = [
        f"'{near}' may be '{name}'" for name in missing if (near := nearest(name, cells)) is not None and len(name) > 2
    ]
    hint = f"expected {like}" + ("\n" + "; ".join(close) if close else "")
    return Problem(
        "no-heading",
        f"no heading of the layout {best}: {', '.join(missing)} missing",
        Place(file, line, 1, text[:200]),
        "",
        hint,
    )


def cell(table: Table, cells: Sequence[str], column: str) -> str:
    """One cell, stripped; empty where the table has no such column."""
    index = table.place.get(column)
    return cells[index].strip() if index is not None and index < len(cells) else ""


def whole(table: Table, cells: Sequence[str]) -> None:
    """Refuse a row that has not as many cells as the heading: its cells may stand under the wrong names.

    Raises
    ------
    Unreadable   too many or too few cells, or an open quotation mark
    """
    if len(cells) == len(table.heading):
        return
    text = " ".join(cells)
    if len(cells) == 1 and text.count('"') % 2:
        raise Unreadable("", text, "a quotation mark is left open")
    raise Unreadable("", text, f"{len(cells)} cells where the heading has {len(table.heading)}: shifted or cut short")


def is_heading(table: Table, cells: Sequence[str], numeric: Sequence[str]) -> bool:
    """A heading, or a row of units under it, inside the table: no numeric column holds a digit, and some text stands there."""
    told = [cell(table, cells, name) for name in numeric]
    return not any(any(c.isdigit() for c in text) for text in told) and any(text not in MISSING for text in told)


def stated_value(table: Table, cells: Sequence[str]) -> float:
    """What a row of trade says it was worth, in the unit of the file.

    Raises
    ------
    Unreadable   a row cut short, a second heading, or no number
    """
    whole(table, cells)
    if is_heading(table, cells, ("value",)):
        raise Unreadable(table.heading[0], cells[0], "a second heading")
    text = cell(table, cells, "value")
    told = table.numbers.read(text, table.name("value"))
    if told is None:
        raise Unreadable(table.name("value"), text, "no value")
    return told
