"""Observations of prices as they come: CSV, Parquet or JSON lines, each field checked, every problem at its line.

An observation is a sale, a quotation, a cost: money per mass of a substance, on a term of delivery, on a day, by somebody.
Nothing is guessed, trimmed or rounded on the way. Which of them count is left to `reference`.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from friendshore.border.reference_rule import SOURCES, Words
from friendshore.border.terms import DELIVERY, FORMULA
from friendshore.errors import InputRefused, Place, Problem, did_you_mean
from friendshore.units import MASSES

MAX_BYTES = 200_000_000
LENGTH_MAX = 200  # characters of a field
SHOWN = 60  # characters of a faulty value that are shown
PROBLEMS_MAX = 200  # that are told; the rest are counted
DIGITS_MAX = 18

REQUIRED = ("id", "day", "good", "source", "reporter", "price", "currency", "per", "of", "delivery")
OPTIONAL = (
    "freight", "insurance", "volume", "volume_unit", "origin", "related", "grade", "place", "reported", "note",
)  # fmt: skip
FIELDS = (*REQUIRED, *OPTIONAL)
_AMOUNT = re.compile(r"(0|[1-9][0-9]*)(\.[0-9]+)?")
_CELL = re.compile(r'(?:^|(?<=,))(?:"(?:[^"]|"")*"|[^,]*)')
_CURRENCY = re.compile(r"[A-Z]{3}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One price as it was reported. `text` holds the fields as they came, `line` where; amounts are in `currency` per `per` of `of`."""

    id: str
    day: date
    good: str
    source: str
    reporter: str
    price: Decimal
    currency: str
    per: str
    of: str
    delivery: str
    freight: Decimal | None = None
    insurance: Decimal | None = None
    volume: Decimal | None = None
    volume_unit: str = "t"
    origin: str = ""
    related: bool = False
    grade: str = ""
    place: str = ""
    reported: date | None = None
    note: str = ""
    line: int = 0
    text: Mapping[str, str]


def read_all(files: Iterable[tuple[str, Path | bytes]], words: Words) -> list[Observation]:
    """The observations of several files, in their order; an id stands in one of them.

    Parameters
    ----------
    files : name to call it by, and the file or its bytes
    words : goods, substances and countries

    Raises
    ------
    InputRefused   every problem of every file
    """
    found: list[Observation] = []
    problems: list[Problem] = []
    first: dict[str, tuple[int, str, int]] = {}
    for number, (name, source) in enumerate(files):
        try:
            held = read(source, words, name=name)
        except InputRefused as refused:
            problems += refused.problems
            continue
        for each in held:
            file, there, line = first.setdefault(each.id, (number, name, each.line))
            if file != number:
                message = f"{_short(each.id)} is the id of line {line} of {there} already"
                problems.append(Problem("duplicate-id", message, Place(name, each.line, 1), "id", "ids are unique"))
        found += held
    if problems:
        raise InputRefused(_counted(problems, "the files"))
    return found


def read(source: Path | bytes, words: Words, *, name: str = "") -> tuple[Observation, ...]:
    """The observations of a file, in its order.

    Parameters
    ----------
    source : a CSV, Parquet or JSON lines file by its ending, or its bytes with a `name` that has the ending
    words : goods, substances and countries

    Raises
    ------
    InputRefused   every problem of the file at its line: columns that are missing or unknown, encodings, ids that come
        twice, days and amounts that are none, goods, substances, units, currencies and countries that do not exist
    """
    name = name or (str(source) if isinstance(source, Path) else "observations.csv")
    raw = source if isinstance(source, bytes) else _bytes(source)
    suffix = Path(name).suffix.lower()
    if suffix not in _READERS:
        hint = ".csv, .parquet or .jsonl"
        raise InputRefused.because("unknown-format", f"{name} is no file of observations", hint=hint)
    problems: list[Problem] = []
    found: list[Observation] = []
    first: dict[str, int] = {}
    for cells, place, columns in _READERS[suffix](raw, name, problems):
        wrong = list(_wrong(cells, words))
        key = cells["id"]
        if key and (before := first.setdefault(key, place.line)) != place.line:
            wrong.append(("duplicate-id", "id", f"{_short(key)} is the id of line {before} already", "ids are unique"))
        for code, field, message, hint in wrong:
            column, width = columns.get(field, (1, 1))
            there = replace(place, column=column, width=width)
            problems.append(Problem(code, message, there, field, hint))
        if not wrong:
            found.append(_observation(cells, place.line))
    if problems:
        raise InputRefused(_counted(problems, name))
    if not found:
        raise InputRefused.because("empty", f"{name} holds no observation")
    return tuple(found)


def _counted(problems: list[Problem], name: str) -> list[Problem]:
    if len(problems) <= PROBLEMS_MAX:
        return problems
    more = len(problems) - PROBLEMS_MAX
    return [*problems[:PROBLEMS_MAX], Problem("more", f"{name}: {more:,} problems more")]


def _bytes(file: Path) -> bytes:
    try:
        if file.stat().st_size > MAX_BYTES:
            message = f"{file} is larger than {MAX_BYTES // 10**6} MB"
            raise InputRefused.because("too-large", message, hint="split it; a publication is of one day")
        return file.read_bytes()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise InputRefused.because("unreadable", f"{file} cannot be read: {reason}") from None


Row = tuple[dict[str, str], Place, Mapping[str, tuple[int, int]]]  # fields, line, column and width of each


def _decoded(raw: bytes, name: str) -> str:
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        message, hint = f"byte {error.start} is not UTF-8", "save the file as UTF-8"
        raise InputRefused.because("encoding", message, place=Place(name, line, 1), hint=hint) from None
    if not text.strip():
        raise InputRefused.because("empty", f"{name} is empty", place=Place(name, 1, 1))
    return text


def _csv(raw: bytes, name: str, problems: list[Problem]) -> Iterator[Row]:
    text = _decoded(raw, name)
    lines = text.splitlines()
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        head = [cell.strip() for cell in next(rows)]
        _check_head(head, Place(name, 1, 1, lines[0]))
        before = rows.line_num
        for row in rows:
            place = Place(name, before + 1, 1, lines[before] if before < len(lines) else "")
            before = rows.line_num
            if not row:
                continue
            if len(row) != len(head):
                message = f"{len(row)} cells under {len(head)} columns"
                problems.append(Problem("ragged", message, place, hint="quote a cell that holds a comma"))
                continue
            yield _cells(dict(zip(head, row, strict=True))), place, dict(zip(head, _spans(place.text), strict=False))
    except csv.Error as error:
        problems.append(Problem("broken-row", str(error), Place(name, rows.line_num, 1)))


def _spans(line: str) -> Iterator[tuple[int, int]]:
    """Column and width of each cell of a line of CSV.

    >>> list(_spans('a,"b,c",,d'))
    [(1, 1), (3, 5), (9, 1), (10, 1)]
    """
    for cell in _CELL.finditer(line):
        yield cell.start() + 1, max(1, len(cell[0]))


def _json_lines(raw: bytes, name: str, problems: list[Problem]) -> Iterator[Row]:
    for number, line in enumerate(_decoded(raw, name).splitlines(), start=1):
        if not line.strip():
            continue
        place = Place(name, number, 1, line)
        try:
            # amounts stay as they are written: no float comes near them
            row = json.loads(line, parse_float=str, parse_int=str, object_pairs_hook=_once)
        except ValueError as error:
            problems.append(Problem("broken-row", f"not a line of JSON: {error}", place))
            continue
        if not isinstance(row, dict):
            problems.append(Problem("broken-row", "a line is one object with fields", place))
            continue
        if wrong := _head(list(row)):
            problems += [Problem(code, message, place, hint=hint) for code, message, hint in wrong]
            continue
        if odd := [key for key, value in row.items() if not isinstance(value, str | bool) and value is not None]:
            problems.append(Problem("wrong-type", f"{odd[0]} is no text and no number", place, odd[0]))
            continue
        yield _cells({key: _plain(value) for key, value in row.items()}), place, {}


def _parquet(raw: bytes, name: str, problems: list[Problem]) -> Iterator[Row]:
    import polars as pl

    try:
        table = pl.read_parquet(io.BytesIO(raw))
    except Exception as error:  # noqa: BLE001 - whatever polars finds wrong in a file is wrong with the file
        raise InputRefused.because("unreadable", f"{name} is no whole Parquet file: {error}") from None
    _check_head(table.columns, Place(name, 1, 1))
    for column, kind in table.schema.items():
        if kind.is_float():
            message = f"{column} is held as floats, in which amounts have lost their digits"
            problems.append(Problem("floats", message, Place(name, 1, 1), column, "write decimals or text"))
    if problems:
        return
    for number, row in enumerate(table.iter_rows(named=True), start=1):
        yield _cells({key: _plain(value) for key, value in row.items()}), Place(name, number, 1), {}


_READERS = {".csv": _csv, ".jsonl": _json_lines, ".ndjson": _json_lines, ".parquet": _parquet}


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, _ in pairs}) != len(pairs):
        raise ValueError("a field stands twice")
    return dict(pairs)


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "Y" if value else "N"
    if isinstance(value, Decimal):
        return f"{value:f}"
    return "" if value is None else value.isoformat() if isinstance(value, date) else str(value)


def _cells(row: Mapping[str, str]) -> dict[str, str]:
    return {field: row.get(field, "").strip() for field in FIELDS}


def _head(head: list[str]) -> list[tuple[str, str, str]]:
    found = []
    for column in head:
        if column not in FIELDS:
            hint = did_you_mean(column, FIELDS) or f"the columns are {', '.join(FIELDS)}"
            found.append(("unknown-field", f"no field is called {_short(column)!r}", hint))
    if twice := sorted({column for column in head if head.count(column) > 1}):
        found.append(("duplicate-field", f"{', '.join(twice)} twice", "each column once"))
    if missing := [field for field in REQUIRED if field not in head]:
        found.append(("missing-field", f"without {', '.join(missing)}", f"needed are {', '.join(REQUIRED)}"))
    return found


def _check_head(head: Iterable[str], place: Place) -> None:
    if wrong := _head(list(head)):
        raise InputRefused([Problem(code, message, place, hint=hint) for code, message, hint in wrong])


def _wrong(cells: Mapping[str, str], words: Words) -> Iterator[tuple[str, str, str, str]]:
    """What is wrong with one row: code, field, message, hint."""
    for field, value in cells.items():
        if field in REQUIRED and not value:
            yield "missing", field, f"no {field}", "every observation has one"
        if len(value) > LENGTH_MAX:
            yield "too-long", field, f"{len(value):,} characters", f"at most {LENGTH_MAX}"
        elif value[:1] in FORMULA or not value.isprintable():
            yield "formula", field, f"{_short(value)!r} is no plain text", "a text begins with a letter or a digit"
    yield from _wrong_words(cells, words)
    yield from _wrong_numbers(cells)
    days: dict[str, date] = {}
    for field in ("day", "reported"):
        if not (value := cells[field]):
            continue
        try:
            if len(value) != 10:
                raise ValueError(value)
            days[field] = date.fromisoformat(value)
        except ValueError:
            yield "bad-date", field, f"{_short(value)!r} is not a day", "year-month-day, as in 2030-01-15"
    if len(days) == 2 and days["reported"] < days["day"]:
        yield "dates-backwards", "reported", f"reported {days['reported']}, before its day {days['day']}", ""


def _wrong_words(cells: Mapping[str, str], words: Words) -> Iterator[tuple[str, str, str, str]]:
    good, substance = cells["good"], cells["of"]
    choices: tuple[tuple[str, str, Collection[str]], ...] = (
        ("good", "unknown-good", words.goods),
        ("source", "unknown-value", SOURCES),
        ("per", "unknown-unit", MASSES),
        ("volume_unit", "unknown-unit", MASSES),
        ("delivery", "unknown-value", [term for term in DELIVERY if term != "DDP"]),
        ("origin", "unknown-country", words.countries),
        ("related", "unknown-value", ("Y", "N")),
    )
    for field, code, known in choices:
        if cells[field] and cells[field] not in known:
            some = f"one of {', '.join(known)}" if len(known) < 12 else ""
            hint = did_you_mean(cells[field], known) or some or "ISO 3166, three letters"
            yield code, field, f"{_short(cells[field])!r} is no {field.replace('_', ' ')}", hint
    if good in words.goods and substance and words.content(substance, good) is None:
        valid = words.substances(good)
        hint = did_you_mean(substance, valid) or f"one of {', '.join(valid)}"
        yield "wrong-basis", "of", f"{good} is not priced by {_short(substance)!r}", hint
    if cells["currency"] and not _CURRENCY.fullmatch(cells["currency"]):
        yield "no-currency", "currency", f"{_short(cells['currency'])!r} is no currency", "three letters, such as USD"
    if cells["source"] == "transaction" and not cells["origin"]:
        yield "missing", "origin", "a sale without the goods' origin", "ISO 3166, three letters"
    if cells["source"] == "transaction" and not cells["related"]:
        yield "missing", "related", "a sale that does not say whether the parties are related", "Y or N"


def _wrong_numbers(cells: Mapping[str, str]) -> Iterator[tuple[str, str, str, str]]:
    for field in ("price", "freight", "insurance", "volume"):
        if not (value := cells[field]):
            continue
        if not _AMOUNT.fullmatch(value) or len(value) > DIGITS_MAX:
            hint = "digits with a point, no thousands separators, no exponent, such as 61000.50"
            yield "no-number", field, f"{_short(value)!r} is no amount", hint
        elif field in ("price", "volume") and not Decimal(value):
            yield "nought", field, f"{field} of nought", "above nought"


def _observation(cells: Mapping[str, str], line: int) -> Observation:
    same = ("id", "good", "source", "reporter", "currency", "per", "of", "delivery", "origin", "grade", "place", "note")
    words: dict[str, Any] = {field: cells[field] for field in same}
    amounts: dict[str, Any] = {
        field: Decimal(cells[field]) if cells[field] else None for field in ("freight", "insurance", "volume")
    }
    return Observation(
        day=date.fromisoformat(cells["day"]),
        price=Decimal(cells["price"]),
        volume_unit=cells["volume_unit"] or "t",
        related=cells["related"] == "Y",
        reported=date.fromisoformat(cells["reported"]) if cells["reported"] else None,
        line=line,
        text=dict(cells),
        **words,
        **amounts,
    )


def _short(value: str) -> str:
    return value if len(value) <= SHOWN else f"{value[:SHOWN]}..."
