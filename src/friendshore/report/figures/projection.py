"""Where on the page does a place stand? The Equal Earth projection, the countries on its plane, a point for each country.

Points stand where a reader looks for a country; those of the remainders of a continent stand in the sea beside it.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from functools import cache
from importlib.resources import files

import numpy as np
import numpy.typing as npt

from friendshore.report.figures import borders

Array = npt.NDArray[np.float64]
SERIES = (1.340264, -0.081106, 0.000893, 0.003796)
STEP = 3.0  # degrees: long straight edges are bent along the projection at this step


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
def countries() -> dict[str, tuple[tuple[Array, Array], ...]]:
    """Country code -> its rings as x, y, projected, each closed."""
    return {code: tuple(_laid(ring) for ring in rings) for code, rings in borders.rings().items()}


@cache
def areas() -> dict[str, float]:
    """Country code -> what its polygons take of the plane, of which the whole earth takes 4 pi."""
    return {
        code: abs(sum(float(np.dot(x[:-1], y[1:]) - np.dot(x[1:], y[:-1])) for x, y in rings)) / 2.0
        for code, rings in countries().items()
    }


def edge(codes: Iterable[str]) -> list[tuple[Array, Array]]:
    """The outer border of some countries taken as one, projected."""
    return [_laid(line) for line in borders.outer(sorted(codes))]


@cache
def places() -> dict[str, tuple[float, float]]:
    """Country code -> x, y of its point, projected."""
    text = (files("friendshore.report.figures") / "geometry" / "places.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    x, y = equal_earth(np.array([float(r["lon"]) for r in rows]), np.array([float(r["lat"]) for r in rows]))
    return {row["code"]: (float(x[k]), float(y[k])) for k, row in enumerate(rows)}


def _laid(line: Array) -> tuple[Array, Array]:
    """A line projected, with a point at every step of its long edges."""
    step = np.diff(line, axis=0)
    parts = np.maximum(1, np.ceil(np.hypot(step[:, 0], step[:, 1]) / STEP)).astype(int)
    start = np.repeat(np.cumsum(parts) - parts, parts)
    along = ((np.arange(parts.sum()) - start) / np.repeat(parts, parts))[:, None]
    bent = np.repeat(line[:-1], parts, axis=0) + along * np.repeat(step, parts, axis=0)
    lon, lat = np.vstack([bent, line[-1:]]).T
    return equal_earth(lon, lat)
