"""A CSV file of entries made so that each line can only cost itself: an open quotation mark must not swallow those behind it.

A sound file is left as it is. Of any other a copy is read: torn lines stand in it as rows that are set aside, blank lines are
left out, line ends are alike. What the cells hold is left to `entries`.
"""

from __future__ import annotations

import csv
import io
import re
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

from friendshore.border.torn_file import DOUBLE

BLOCK = 16_000_000  # bytes that are looked at together
JOINED_MAX = 50  # lines that one row may stand on
SET_ASIDE = b"?\n"  # one cell where more are expected, which no reader takes for a row
BOM: Final = b"\xef\xbb\xbf"
_CELL = rb'(?:"[^"]*(?:""[^"]*)*"|[^",\r\n][^,\r\n]*|)'
_SOUND = re.compile(rb"%s(?:,%s)*\r?\n?" % (_CELL, _CELL))

Torn = tuple[int, str, str]  # row, what is wrong, how the line begins


def sound(file: Path) -> bool:
    """Whether every line of a file is a row by itself: no quotation mark astray, no blank line, line ends alike."""
    ends, returns, lone = 0, 0, False
    for block in _blocks(file):
        here, with_return = block.count(b"\n"), block.count(b"\r\n")
        ends, returns = ends + here, returns + with_return
        lone = lone or block.count(b"\r") > with_return
        blank = block.startswith((b"\n", b"\r\n")) or b"\n\n" in block or b"\n\r\n" in block
        if blank or (b'"' in block and _astray(block)):
            return False
    return not ends or (not lone and returns in (0, ends))


def mend(file: Path, copy: Path, words: frozenset[int], width: int) -> list[Torn]:
    """Write a copy of a file in which no line reaches into the next, and say which were torn.

    Parameters
    ----------
    file, copy : from where, to where
    words : places of the columns that hold one line at most
    width : how many columns there are
    """
    torn: list[Torn] = []
    with file.open("rb") as source, copy.open("wb") as out:
        out.write(source.readline().rstrip(b"\r\n") + b"\n")
        for row, (text, said) in enumerate(_rows(source, words, width), start=1):
            if said:
                torn.append((row, said, text.decode("utf-8", "replace")[:60].strip()))
            out.write(SET_ASIDE if said else text.rstrip(b"\r\n") + b"\n")
    return torn


def _blocks(file: Path) -> Iterator[bytes]:
    """A file in parts that end with a line, without its byte-order mark."""
    with file.open("rb") as raw:
        while block := raw.read(BLOCK):
            yield (block + raw.readline()).removeprefix(BOM)


def _astray(block: bytes) -> bool:
    """Whether any quotation mark of some lines stands where none opens or closes a cell, or a line has an odd number."""
    import numpy as np

    signs = np.frombuffer(b"\n" + block + b"\n", np.uint8)
    marks, ends = np.flatnonzero(signs == ord('"')), np.flatnonzero(signs == ord("\n"))
    if (np.searchsorted(marks, ends) % 2).any():  # so that every second mark closes a cell
        return True
    fine = np.zeros((2, 256), bool)
    fine[0, list(b',\n"')] = fine[1, list(b',\r\n"')] = True
    return not (fine[0, signs[marks[::2] - 1]].all() and fine[1, signs[marks[1::2] + 1]].all())


def _rows(source: BinaryIO, words: frozenset[int], width: int) -> Iterator[tuple[bytes, str]]:
    """The rows of a file, each with what is wrong with it; a row on several lines is one if they make it whole."""
    number, waiting = 1, deque[bytes]()
    while line := waiting.popleft() if waiting else source.readline():
        number += 1
        if not line.strip(b"\r\n"):
            continue
        if _SOUND.fullmatch(line):
            yield line, ""
        elif lines := _joined(line, source, waiting, words, width):
            number += lines
            yield line + b"".join(waiting.popleft() for _ in range(lines)), ""
        else:
            what = (
                f"a quotation mark is not closed or stands astray; {DOUBLE}" if b'"' in line else "a line end within it"
            )
            yield line, f"line {number} of the file: {what}"


def _joined(line: bytes, source: BinaryIO, waiting: deque[bytes], words: frozenset[int], width: int) -> int:
    """How many of the next lines make a row of one that is open, nought if they cannot; those read are left `waiting`."""
    for place in range(JOINED_MAX):
        if place == len(waiting):
            waiting.append(source.readline())
        if not waiting[place]:
            waiting.pop()
            return 0
        line += waiting[place]
        if _SOUND.fullmatch(line):
            return place + 1 if _one_row(line, words, width) else 0
    return 0


def _one_row(text: bytes, words: frozenset[int], width: int) -> bool:
    """Whether several lines are one row: as many cells as columns, and line ends only where a text may have them."""
    rows = list(csv.reader(io.StringIO(text.decode("utf-8", "replace"), newline="")))
    return len(rows) == 1 and len(rows[0]) == width and not any("\n" in rows[0][place].strip() for place in words)
