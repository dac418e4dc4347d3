"""Where do countries end? Polygons of Natural Earth at 1:110 million, read out of the `pyogrio` package, which carries them.

Natural Earth is in the public domain and draws who holds the ground. Where the General Assembly and the Union speak of one
territory in two hands it stands here as one: Crimea with Ukraine (resolution 68/262), the north of Cyprus with Cyprus,
Somaliland with Somalia. Antarctica is left out, places under some thousand square kilometres are not in it; `projection` puts the
rest on a plane.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterable
from functools import cache
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

from friendshore.errors import InputRefused

Array = npt.NDArray[np.float64]
Ring = Array  # (n, 2) longitude and latitude in degrees, closed
INSIDE = Path("tests/fixtures/naturalearth_lowres/naturalearth_lowres")  # of the package
NAMED = {
    "France": "FRA",
    "Norway": "NOR",
    "Kosovo": "XKX",
    "N. Cyprus": "CYP",
    "Somaliland": "SOM",
}  # bear no code there
LEFT_OUT = "ATA"
CRIMEA = (34.2, 45.2)  # longitude and latitude of a point of it
HEADER, RECORD = 100, 8  # bytes before the first shape, and before each


@cache
def rings() -> dict[str, tuple[Ring, ...]]:
    """Country code -> its rings, outer ones clockwise, holes against the clock.

    Raises
    ------
    InputRefused   the package that carries the polygons is not installed, or no longer carries them
    """
    stem = _stem()
    held: dict[str, list[Ring]] = {}
    for code, shape in zip(_codes(stem.with_suffix(".dbf")), _shapes(stem.with_suffix(".shp")), strict=True):
        held.setdefault(code, []).extend(shape)
    held.pop(LEFT_OUT, None)
    moved = [ring for ring in held["RUS"] if _holds(ring, CRIMEA)]
    held["UKR"] += moved
    held["RUS"] = [ring for ring in held["RUS"] if not _holds(ring, CRIMEA)]
    return {code: tuple(held[code]) for code in sorted(held)}


def outer(codes: Iterable[str]) -> list[Ring]:
    """The edge of some countries taken as one: every stretch of border that only one of them has, as lines."""
    edges: Counter[tuple[tuple[float, float], tuple[float, float]]] = Counter()
    lines = [[(float(a), float(b)) for a, b in ring] for code in codes for ring in rings().get(code, ())]
    for line in lines:
        edges.update((min(pair), max(pair)) for pair in pairwise(line))
    found: list[Ring] = []
    for line in lines:
        run: list[tuple[float, float]] = []
        for pair in pairwise(line):
            if edges[min(pair), max(pair)] == 1:
                run = [*run, pair[1]] if run else [*pair]
            elif run:
                found.append(np.array(run))
                run = []
        if run:
            found.append(np.array(run))
    return found


def _stem() -> Path:
    found = find_spec("pyogrio")
    stem = Path(found.origin).parent / INSIDE if found and found.origin else None
    if stem is None or not stem.with_suffix(".shp").is_file() or not stem.with_suffix(".dbf").is_file():
        hint = "pip install 'friendshore[report]' brings pyogrio, whose wheel carries Natural Earth's"
        raise InputRefused.because("no-borders", "the maps need borders of countries", path="report", hint=hint)
    return stem


def _codes(path: Path) -> list[str]:
    """The code of every shape, from the dBASE table beside the shapes."""
    raw = path.read_bytes()
    count, head, width = struct.unpack("<IHH", raw[4:12])
    places, at, offset = {}, 32, 1
    while raw[at] != 0x0D:  # 32 bytes for each column, closed by a carriage return
        name, length = raw[at : at + 11].split(b"\0")[0].decode("ascii"), raw[at + 16]
        places[name] = slice(offset, offset + length)
        offset, at = offset + length, at + 32
    codes = []
    for k in range(count):
        row = raw[head + k * width : head + (k + 1) * width]
        name, code = (row[places[key]].decode("latin-1").strip() for key in ("name", "iso_a3"))
        codes.append(NAMED.get(name, code))
    return codes


def _shapes(path: Path) -> list[list[Ring]]:
    """The rings of every shape: ESRI Shapefile Technical Description (1998), polygons."""
    raw, at, found = path.read_bytes(), HEADER, []
    while at < len(raw):
        words = struct.unpack(">i", raw[at + 4 : at + 8])[0]
        body = at + RECORD
        parts, points = struct.unpack("<ii", raw[body + 36 : body + 44])
        starts = np.frombuffer(raw, "<i4", parts, body + 44)
        plane = np.frombuffer(raw, "<f8", 2 * points, body + 44 + 4 * parts).reshape(-1, 2)
        found.append(list(np.split(plane, starts[1:])))
        at = body + 2 * words
    return found


def _holds(ring: Ring, point: tuple[float, float]) -> bool:
    """Whether a ring goes round a point: an odd number of its edges stand to the east of it."""
    x, y = point
    (x0, y0), (x1, y1) = ring[:-1].T, ring[1:].T
    crossed = (y0 > y) != (y1 > y)
    with np.errstate(divide="ignore", invalid="ignore"):
        at = x0 + (y - y0) * (x1 - x0) / (y1 - y0)
    return bool(np.count_nonzero(crossed & (at > x)) % 2)
