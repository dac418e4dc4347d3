"""What goes out: pages and documents on standard output, progress and refusals on standard error, tables in a folder."""

from __future__ import annotations

import json
import math
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TextIO
from unicodedata import combining, normalize

from friendshore.errors import NotWritten

if TYPE_CHECKING:
    from friendshore.report.tables import Stage, Written


PATIENCE_S = 0.6  # whatever takes longer says what it is doing
PLAINER = {
    "\u202f": " ", "→": ">", "σ": "sigma", "ε": "epsilon", "·": ";", "…": "...", "’": "'", "‘": "'", "“": '"', "”": '"',
    "−": "-", "–": "-", "—": "-", "×": "x",
}  # fmt: skip


def release() -> str:
    """The version of the package."""
    from importlib.metadata import version

    return version("friendshore")


def out_folder(out: Path | None) -> AbstractContextManager[Stage | None]:
    """A folder that takes the name `out` once it is filled; refused now if that will not do."""
    if out is None:
        return nullcontext()
    from friendshore.report.tables import staged

    return staged(out)


def publish(
    stage: Stage | None,
    tables: Callable[[], dict[str, Any]],
    about: Mapping[str, Any],
    *,
    text: Callable[[Written | None], str],
    document: Callable[[], Any] | None,
) -> None:
    """Put the tables into their folder, then print the text, or the document where one is asked for.

    Raises
    ------
    NotWritten   the answer was printed, but its tables could not be put into the folder
    """
    failed: NotWritten | None = None
    written: Written | None = None
    if stage is not None:
        from friendshore.report.tables import promised, put

        made = tables()
        written = promised(stage, made)
        try:
            put(stage, made, about, account=text(written))
        except NotWritten as error:
            failed, written = error, None
    if document is not None:
        emit(document())
    else:
        say(text(written).rstrip("\n"))
    if failed is not None:
        raise failed


def emit(document: Any) -> None:
    """One JSON document; what is not a finite number is null."""
    say(json.dumps(_plain(document), allow_nan=False))


def _plain(value: Any) -> Any:
    """JSON values only.

    >>> _plain({"usd_t": float("inf"), "on": date(2030, 1, 1), "codes": ("USA", 1)})
    {'usd_t': None, 'on': '2030-01-01', 'codes': ['USA', 1]}
    """
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, str | int):
        return value
    return value.isoformat() if isinstance(value, date) else str(value)


def say(text: str, *, err: bool = False) -> None:
    """Print; in an encoding without thin spaces and Greek, plainer; to a reader who has left, nothing.

    Raises
    ------
    NotWritten   standard output goes to a file that cannot take it
    """
    stream = sys.stderr if err else sys.stdout
    try:
        try:
            print(text, file=stream, flush=True)
        except UnicodeEncodeError:
            print(_plainer(text, stream.encoding or "ascii"), file=stream, flush=True)
    except BrokenPipeError:
        _leave(stream)
    except OSError as error:
        _leave(stream)
        if not err:
            raise NotWritten(f"standard output cannot be written: {(error.strerror or str(error)).lower()}") from None


def _leave(stream: TextIO) -> None:
    """Let what is still held for a stream go nowhere, so that leaving raises nothing."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _plainer(text: str, encoding: str) -> str:
    """The text in letters that an encoding has.

    >>> _plainer("Côte d’Ivoire: 12\u202f340 t → Türkiye", "ascii")
    "Cote d'Ivoire: 12 340 t > Turkiye"
    """

    def plain(mark: str) -> str:
        try:
            mark.encode(encoding)
        except UnicodeEncodeError:
            spelt = PLAINER.get(mark) or "".join(c for c in normalize("NFKD", mark) if not combining(c))
            return spelt.encode(encoding, "replace").decode(encoding)
        return mark

    return "".join(map(plain, text))


class Progress:
    """Says on standard error what is being done, once it has taken more than a moment."""

    def __enter__(self) -> Self:
        self._began = time.perf_counter()
        self._text, self._late, self._lock = "", False, threading.Lock()
        self._timer = threading.Timer(PATIENCE_S, self._speak)
        self._timer.daemon = True
        self._timer.start()
        return self

    def __call__(self, text: str) -> None:
        with self._lock:
            self._text = text
            if self._late:
                self._print()

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        with self._lock:
            self._text = ""

    def _speak(self) -> None:
        with self._lock:
            self._late = True
            self._print()

    def _print(self) -> None:
        if self._text:
            say(f"{time.perf_counter() - self._began:5.1f} s  {self._text} ...", err=True)
