"""Supply and demand curves: value, slope and closed-form potential, many at a time.

Each potential is the exact integral of its curve, so every surplus in the accounts is a difference of two closed forms
and never a numerical area. Supply is a function of the margin (receipts less inputs), demand of the buyer's cost index.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Index = NDArray[np.intp]


def sum_by(rows: Index, values: NDArray[Any], size: int) -> Array:
    """Sum of `values` by row, (size,); zero where no value falls.

    >>> sum_by(np.array([0, 2, 2]), np.array([1.0, 2.0, 3.0]), 4)
    array([1., 0., 5., 0.])
    """
    return np.bincount(rows, weights=values, minlength=size).astype(np.float64, copy=False)


class Shape(IntEnum):
    """How one curve bends."""

    ISO_ELASTIC = 0
    LINEAR = 1
    FIXED = 2
    LOGISTIC = 3


# Below this fraction of its base the iso-elastic curve continues as an exponential of equal value and slope: a margin may
# turn negative (a by-product carried by its host, a mine in a price war) and a power of a negative number has no meaning.
TAIL = 0.1


@dataclass(frozen=True)
class Supply:
    """Supply curves Y(m) of K activities, before any capacity or contract tranche.

    iso-elastic  Y = level (m / margin)^eps         m >= 0.1 margin;  below, level 0.1^eps exp(eps (m - s) / s),  s = 0.1 margin
    linear       Y = max(0, a + b m)
    fixed        Y = level
    logistic     Y = level / (1 + exp(-(m - a) / b))

    All arrays are (K,): `level` in tonnes a year, `margin` and `a` (logistic), `b` (logistic) in USD/t, eps without unit.
    """

    shape: NDArray[np.int8]
    level: Array
    margin: Array
    eps: Array
    a: Array
    b: Array

    @cached_property
    def plain(self) -> bool:
        """Whether every curve is iso-elastic."""
        return bool((self.shape == Shape.ISO_ELASTIC).all())

    def take(self, rows: Index) -> Supply:
        return Supply(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))


def supply(curve: Supply, margin: Array) -> tuple[Array, Array]:
    """Tonnes and their slope in the margin, both (K,)."""
    if curve.plain:
        return _iso_elastic_supply(curve.level, curve.margin, curve.eps, margin)
    value = curve.level.copy()
    slope = np.zeros_like(value)
    k = np.flatnonzero(curve.shape == Shape.ISO_ELASTIC)
    if k.size:
        value[k], slope[k] = _iso_elastic_supply(curve.level[k], curve.margin[k], curve.eps[k], margin[k])
    k = np.flatnonzero(curve.shape == Shape.LINEAR)
    if k.size:
        y = curve.a[k] + curve.b[k] * margin[k]
        value[k] = np.maximum(y, 0.0)
        slope[k] = np.where(y > 0, curve.b[k], 0.0)
    k = np.flatnonzero(curve.shape == Shape.LOGISTIC)
    if k.size:
        z = (margin[k] - curve.a[k]) / curve.b[k]
        share = 0.5 * (1.0 + np.tanh(0.5 * z))
        value[k] = curve.level[k] * share
        slope[k] = curve.level[k] * share * (1.0 - share) / curve.b[k]
    return value, slope


def _iso_elastic_supply(level: Array, base: Array, eps: Array, margin: Array) -> tuple[Array, Array]:
    switch = TAIL * base
    at = np.maximum(margin, switch)
    below = np.minimum(margin - switch, 0.0) / switch
    y = level * np.exp(eps * (np.log(at / base) + np.maximum(below, -700.0 / eps)))
    return y, y * eps / at


def supply_potential(curve: Supply, margin: Array) -> Array:
    """Integral of supply over the margin, from where the curve vanishes (fixed: from a margin of zero). USD, (K,)."""
    total = curve.level * margin
    k = np.flatnonzero(curve.shape == Shape.ISO_ELASTIC)
    if k.size:
        base, eps, m = curve.margin[k], curve.eps[k], margin[k]
        switch = TAIL * base
        y, _ = supply(curve.take(k), m)
        at_switch = curve.level[k] * TAIL**eps
        total[k] = np.where(
            m >= switch,
            at_switch * switch / eps + (m * y - switch * at_switch) / (1.0 + eps),
            y * switch / eps,
        )
    k = np.flatnonzero(curve.shape == Shape.LINEAR)
    if k.size:
        y = np.maximum(curve.a[k] + curve.b[k] * margin[k], 0.0)
        total[k] = y * y / (2.0 * curve.b[k])
    k = np.flatnonzero(curve.shape == Shape.LOGISTIC)
    if k.size:
        z = (margin[k] - curve.a[k]) / curve.b[k]
        total[k] = curve.level[k] * curve.b[k] * np.logaddexp(0.0, z)
    return total


def margin_at(curve: Supply, tonnes: Array) -> Array:
    """The margin at which the curve yields `tonnes`; +inf where it never does, -inf for zero tonnes. USD/t, (K,)."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        at_switch = curve.level * TAIL**curve.eps
        ratio = tonnes / curve.level
        iso = np.where(
            tonnes >= at_switch,
            curve.margin * ratio ** (1.0 / curve.eps),
            TAIL * curve.margin * (1.0 + np.log(tonnes / at_switch) / curve.eps),
        )
        linear = (tonnes - curve.a) / curve.b
        fixed = np.where(tonnes > curve.level, np.inf, -np.inf)
        logistic = curve.a - curve.b * np.log(curve.level / tonnes - 1.0)
    logistic = np.where(tonnes >= curve.level, np.inf, logistic)
    linear = np.where(tonnes <= 0.0, -curve.a / np.where(curve.b == 0, 1.0, curve.b), linear)
    out = np.select(
        [curve.shape == Shape.ISO_ELASTIC, curve.shape == Shape.LINEAR, curve.shape == Shape.FIXED],
        [iso, linear, fixed],
        logistic,
    )
    return np.where((tonnes <= 0.0) & (curve.shape != Shape.LINEAR), -np.inf, out)


@dataclass(frozen=True)
class Tranches:
    """Slices of supply curves: the tonnes of curve `parent` that lie between `low` and `high` in its merit order.

    An activity without a contract is one slice from zero to its capacity. A volume cap makes two: the covered tonnes,
    from zero to the cap, and the rest. With equal margins the slices add to the whole curve exactly, so a contract that
    pays nothing changes nothing.
    """

    curve: Supply
    low: Array
    high: Array
    margin_low: Array
    margin_high: Array
    potential_low: Array
    potential_high: Array


def slice_supply(curve: Supply, low: Array, high: Array) -> Tranches:
    """Cut (T,) curves at `low` and `high` tonnes."""
    margin_low, margin_high = margin_at(curve, low), margin_at(curve, high)
    finite_low = np.where(np.isfinite(margin_low), margin_low, 0.0)
    finite_high = np.where(np.isfinite(margin_high), margin_high, 0.0)
    # From a minus-infinite margin the area below the curve is zero by construction.
    potential_low = np.where(np.isfinite(margin_low), supply_potential(curve, finite_low), 0.0)
    return Tranches(curve, low, high, margin_low, margin_high, potential_low, supply_potential(curve, finite_high))


def tranche_supply(tranches: Tranches, margin: Array) -> tuple[Array, Array]:
    """Tonnes and slope of every tranche at its own margin, (T,)."""
    value, slope = supply(tranches.curve, margin)
    inside = (value > tranches.low) & (value < tranches.high)
    return np.clip(value, tranches.low, tranches.high) - tranches.low, np.where(inside, slope, 0.0)


def tranche_surplus(tranches: Tranches, margin: Array) -> Array:
    """Producer surplus of every tranche: the integral of its supply over the margin, capacity rent inside it. USD, (T,)."""
    t = tranches
    m = np.clip(margin, t.margin_low, t.margin_high)
    m = np.where(np.isfinite(m), m, margin)
    low = np.where(np.isfinite(t.margin_low), t.margin_low, 0.0)
    body = supply_potential(t.curve, m) - t.potential_low - t.low * (m - low)
    body = np.where(margin <= t.margin_low, 0.0, body)
    # A fixed curve has no merit order to climb: its slice earns the margin on every tonne, at a loss too.
    flat = t.curve.shape == Shape.FIXED
    width = np.clip(t.curve.level, t.low, t.high) - t.low
    return np.where(flat, width * margin, body + capacity_rent(t, margin))


def capacity_rent(tranches: Tranches, margin: Array) -> Array:
    """The part of the surplus earned above the margin at which the tranche is full: an 'of which'. USD, (T,)."""
    full = np.isfinite(tranches.margin_high) & np.isfinite(tranches.high)
    above = np.where(full, np.maximum(margin - np.where(full, tranches.margin_high, 0.0), 0.0), 0.0)
    width: Array = np.where(full, tranches.high, 0.0) - np.where(full, tranches.low, 0.0)
    return above * width


@dataclass(frozen=True)
class Demand:
    """Final demand C(V) of M markets.

    iso-elastic  C = level (V / index)^-eta         V >= 0.1 index;  below, C_s exp(-eta (V - s) / s),  s = 0.1 index
    linear       C = max(0, a - b V)
    fixed        C = level

    Arrays are (M,); `level` tonnes a year, `index` USD/t. Beyond `choke` (USD/t, inf where none) nobody buys more dearly:
    the tonnes are unserved.
    """

    shape: NDArray[np.int8]
    level: Array
    index: Array
    eta: Array
    a: Array
    b: Array
    choke: Array

    @cached_property
    def plain(self) -> bool:
        """Whether every curve is iso-elastic."""
        return bool((self.shape == Shape.ISO_ELASTIC).all())

    @cached_property
    def last(self) -> Array:
        """The price beyond which nobody buys: the choke price, or where a linear curve meets zero; inf where neither."""
        meets = np.where(self.shape == Shape.LINEAR, self.a / self.b, np.inf)
        return np.minimum(self.choke, meets)


def demand(curve: Demand, index: Array) -> tuple[Array, Array]:
    """Tonnes wanted at min(V, choke), and the slope in V (zero beyond the choke), both (M,)."""
    v = np.minimum(index, curve.choke)
    if curve.plain:
        value, slope = _iso_elastic_demand(curve.level, curve.index, curve.eta, v)
        return value, np.where(index >= curve.choke, 0.0, slope)
    value = curve.level.copy()
    slope = np.zeros_like(value)
    k = np.flatnonzero(curve.shape == Shape.ISO_ELASTIC)
    if k.size:
        value[k], slope[k] = _iso_elastic_demand(curve.level[k], curve.index[k], curve.eta[k], v[k])
    k = np.flatnonzero(curve.shape == Shape.LINEAR)
    if k.size:
        c = curve.a[k] - curve.b[k] * v[k]
        value[k] = np.maximum(c, 0.0)
        slope[k] = np.where(c > 0, -curve.b[k], 0.0)
    return value, np.where(index >= curve.choke, 0.0, slope)


def _iso_elastic_demand(level: Array, base: Array, eta: Array, v: Array) -> tuple[Array, Array]:
    switch = TAIL * base
    at = np.maximum(v, switch)
    below = np.minimum(v - switch, 0.0) / switch
    c = level * np.exp(np.minimum(-eta * below, 50.0) - eta * np.log(at / base))
    return c, -eta * c / at


def demand_potential(curve: Demand, index: Array) -> Array:
    """An antiderivative of demand in V, evaluated at min(V, choke): user surplus falls by its rise. USD, (M,)."""
    v = np.minimum(index, curve.choke)
    total = curve.level * v
    k = np.flatnonzero(curve.shape == Shape.ISO_ELASTIC)
    if k.size:
        base, eta = curve.index[k], curve.eta[k]
        switch = TAIL * base
        above = v[k] >= switch
        at = np.where(above, v[k], switch)
        level = curve.level[k]
        unit = np.abs(1.0 - eta) < 1e-12
        power = np.where(unit, 0.0, 1.0 - eta)
        relative = at / base
        body = level * base * np.where(unit, np.log(relative), (relative**power - 1.0) / np.where(unit, 1.0, power))
        at_switch = level * TAIL**-eta
        tail = np.where(above, 0.0, np.minimum(-eta * (v[k] - switch) / switch, 50.0))
        total[k] = np.where(above, body, body - at_switch * switch / eta * np.expm1(tail))
    k = np.flatnonzero(curve.shape == Shape.LINEAR)
    if k.size:
        c = np.maximum(curve.a[k] - curve.b[k] * v[k], 0.0)
        total[k] = -c * c / (2.0 * curve.b[k])
    return total
