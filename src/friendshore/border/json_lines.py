"""JSON lines of entries as a table of texts: each line is read by itself, numbers keep the digits that they came with.

A line that is no object, or in which a field is not one value, is set aside alone. What the fields hold is left to `entries`.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

Torn = tuple[int, str, str]  # row, what is wrong, how the line begins
AT_ONCE = 50_000  # lines that are kept in memory


class _Number(str):
    """A number by its own digits."""

    __slots__ = ()


def parts(file: Path, folder: Path, names: Collection[str], codes: Collection[str]) -> tuple[list[Path], list[Torn]]:
    """Write the fields that are known as Parquet files of texts, in order, and say which lines could not be read.

    Parameters
    ----------
    file : one object a line
    folder : where to write
    names : the fields that are read; others are let be
    codes : those of them in which a number is none, since a leading nought may be lost
    """
    import polars as pl

    torn: list[Torn] = []
    files: list[Path] = []
    for some in _some(file, names, codes, torn):
        held = dict.fromkeys(name for row in some for name in row)
        texts = {name: [row.get(name) for row in some] for name in held}
        files.append(folder / f"entries-{len(files):06}.parquet")
        pl.DataFrame(texts, schema=dict.fromkeys(held, pl.String)).write_parquet(files[-1])
    return files, torn


def _some(
    file: Path, names: Collection[str], codes: Collection[str], torn: list[Torn]
) -> Iterator[list[dict[str, str | None]]]:
    """Lines as fields, so many at once; `torn` takes those that cannot be read."""
    some: list[dict[str, str | None]] = []
    row = 0
    with file.open("rb") as lines:
        for number, raw in enumerate(lines, start=1):
            line = raw.removeprefix(b"\xef\xbb\xbf") if number == 1 else raw
            if not line.strip():
                continue
            row += 1
            try:
                some.append(_fields(line.decode("utf-8"), names, codes))
            except (ValueError, RecursionError) as error:
                text = line[:240].decode("utf-8", "replace")[:60].strip()
                torn.append((row, f"line {number} of the file: {_said(error)}", text))
            if len(some) == AT_ONCE:
                yield some
                some = []
    if some:
        yield some


def _fields(text: str, names: Collection[str], codes: Collection[str]) -> dict[str, str | None]:
    """The known fields of a line as texts."""
    held = _DECODER.decode(text)
    if not isinstance(held, dict):
        raise ValueError("one object is expected")
    found: dict[str, str | None] = {
        name: value if isinstance(value, str) else _cell(name, value) for name, value in held.items() if name in names
    }
    if "\\u" in text:
        "".join(filter(None, found.values())).encode()  # half of a sign is none
    for name in codes:
        if isinstance(held.get(name), _Number):
            found[name] = f"{held[name]} (a number)"
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object in which no name comes twice."""
    held = dict(pairs)
    if len(held) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{twice!r} stands twice")
    return held


_DECODER = json.JSONDecoder(parse_int=_Number, parse_float=_Number, parse_constant=_Number, object_pairs_hook=_once)


def _cell(name: str, value: object) -> str | None:
    """A value that is no text as one."""
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    raise ValueError(f"{name!r} holds an object or a list, one value is expected")


def _said(error: Exception) -> str:
    """What is wrong with a line, in a few words."""
    if isinstance(error, json.JSONDecodeError):
        return f"no JSON, {error.msg} at sign {error.colno}"
    if isinstance(error, UnicodeDecodeError):
        return f"byte {error.start + 1} is not UTF-8"
    if isinstance(error, UnicodeEncodeError):
        return "half of a sign in UTF-16"
    return "too deep" if isinstance(error, RecursionError) else str(error)
