"""Where on the page does a place stand? The Equal Earth projection, a coarse outline of the land, a point for each country.

The outline is drawn by hand to a degree or so and shows no borders: it says where one is, not whose land it is. Points stand
where a reader looks for a country; those of the remainders of a continent stand in the sea beside it.
"""

from __future__ import annotations

import csv
from functools import cache
from importlib.resources import files
from itertools import pairwise

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
SERIES = (1.340264, -0.081106, 0.000893, 0.003796)
STEP = 3.0  # degrees: straight edges of the outline are bent along the projection at this step


def equal_earth(lon: Array, lat: Array) -> tuple[Array, Array]:
    """x, y on the unit sphere's Equal Earth plane, of longitude and latitude in degrees; areas are true.

    sin t = sqrt(3)/2 sin lat,   x = 2 sqrt(3) lon cos t / (3 (9 a4 t^8 + 7 a3 t^6 + 3 a2 t^2 + a1)),
    y = a4 t^9 + a3 t^7 + a2 t^3 + a1 t

    Source: Savric, Patterson and Jenny (2018).
    """
    a1, a2, a3, a4 = SERIES
    t = np.arcsin(np.sqrt(3.0) / 2.0 * np.sin(np.radians(lat)))
    slope = 9.0 * a4 * t**8 + 7.0 * a3 * t**6 + 3.0 * a2 * t**2 + a1
    x = 2.0 * np.sqrt(3.0) * np.radians(lon) * np.cos(t) / (3.0 * slope)
    return x, a4 * t**9 + a3 * t**7 + a2 * t**3 + a1 * t


@cache
def land() -> tuple[tuple[Array, Array], ...]:
    """Outlines of the land, projected, each closed."""
    pieces: dict[str, list[tuple[float, float]]] = {}
    for row in _rows("land.csv"):
        pieces.setdefault(row["piece"], []).append((float(row["lon"]), float(row["lat"])))
    return tuple(equal_earth(*_bent([*points, points[0]])) for points in pieces.values())


@cache
def places() -> dict[str, tuple[float, float]]:
    """Country code -> x, y of its point, projected."""
    rows = _rows("places.csv")
    x, y = equal_earth(np.array([float(r["lon"]) for r in rows]), np.array([float(r["lat"]) for r in rows]))
    return {row["code"]: (float(x[k]), float(y[k])) for k, row in enumerate(rows)}


def _rows(name: str) -> list[dict[str, str]]:
    text = (files("friendshore.report.figures") / "geometry" / name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


def _bent(points: list[tuple[float, float]]) -> tuple[Array, Array]:
    lon, lat = [], []
    for (a, b), (c, d) in pairwise(points):
        parts = max(1, int(np.ceil(np.hypot(c - a, d - b) / STEP)))
        lon.append(np.linspace(a, c, parts, endpoint=False))
        lat.append(np.linspace(b, d, parts, endpoint=False))
    return np.concatenate([*lon, [points[-1][0]]]), np.concatenate([*lat, [points[-1][1]]])
