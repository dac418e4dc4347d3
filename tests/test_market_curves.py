"""Curves against numerical integration and differences: every shape, on both sides of its switch, and every slice of it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad

from friendshore.market.curves import (
    Demand,
    Shape,
    Supply,
    capacity_rent,
    demand,
    demand_potential,
    margin_at,
    slice_supply,
    supply,
    supply_potential,
    tranche_supply,
    tranche_surplus,
)

SUPPLY_SHAPES = (Shape.ISO_ELASTIC, Shape.LINEAR, Shape.FIXED, Shape.LOGISTIC)
MARGINS = (
    -900.0,
    -40.0,
    15.0,
    33.0,
    180.0,
    400.0,
    2500.0,
)  # the iso-elastic curve switches at 30, the linear starts at -50
INDICES = (4.0, 9.0, 25.0, 90.0, 139.0, 200.0)


def supplier(shape: Shape, eps: float = 0.7) -> Supply:
    a, b = {Shape.LINEAR: (20.0, 0.4), Shape.LOGISTIC: (250.0, 90.0)}.get(shape, (0.0, 1.0))
    one = np.ones(1)
    return Supply(np.array([shape], dtype=np.int8), 80.0 * one, 300.0 * one, eps * one, a * one, b * one)


def user(shape: Shape, eta: float = 0.4, choke: float = 140.0) -> Demand:
    one = np.ones(1)
    return Demand(
        np.array([shape], dtype=np.int8), 60.0 * one, 100.0 * one, eta * one, 90.0 * one, 0.5 * one, choke * one
    )


def at(value: float) -> np.ndarray:
    return np.array([value])


def difference(value, x: float, step: float) -> float:
    return float((value(at(x + step)) - value(at(x - step)))[0] / (2.0 * step))


@pytest.mark.parametrize("shape", SUPPLY_SHAPES)
@pytest.mark.parametrize("margin", MARGINS)
@pytest.mark.parametrize("eps", [0.05, 1.0, 2.5])
def test_slope_of_supply_is_its_difference(shape, margin, eps):
    curve = supplier(shape, eps)
    _, slope = supply(curve, at(margin))
    assert slope[0] == pytest.approx(difference(lambda m: supply(curve, m)[0], margin, 1e-4), rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("shape", SUPPLY_SHAPES)
@pytest.mark.parametrize(("low", "high"), [(-900.0, -40.0), (-40.0, 15.0), (15.0, 33.0), (33.0, 400.0), (10.0, 2500.0)])
@pytest.mark.parametrize("eps", [0.05, 1.0, 2.5])
def test_potential_of_supply_is_its_area(shape, low, high, eps):
    curve = supplier(shape, eps)
    area, _ = quad(
        lambda m: supply(curve, at(m))[0][0],
        low,
        high,
        points=[p for p in (-50.0, 30.0) if low < p < high],
        epsabs=1e-10,
    )
    rise = supply_potential(curve, at(high)) - supply_potential(curve, at(low))
    assert rise[0] == pytest.approx(area, rel=1e-9, abs=1e-8)


@pytest.mark.parametrize("shape", [Shape.ISO_ELASTIC, Shape.LINEAR, Shape.LOGISTIC])
@pytest.mark.parametrize("margin", [-20.0, 15.0, 33.0, 180.0, 400.0])
def test_margin_at_undoes_supply(shape, margin):
    curve = supplier(shape)
    tonnes, _ = supply(curve, at(margin))
    assert margin_at(curve, tonnes)[0] == pytest.approx(margin, rel=1e-9)


@pytest.mark.parametrize("shape", SUPPLY_SHAPES)
@pytest.mark.parametrize("margin", MARGINS)
@pytest.mark.parametrize("cut", [5.0, 47.0, 79.0])
def test_slices_at_one_margin_add_to_the_whole_curve(shape, margin, cut):
    curve, zero, capacity = supplier(shape), at(0.0), at(100.0)
    whole, first, rest = (
        slice_supply(curve, zero, capacity),
        slice_supply(curve, zero, at(cut)),
        slice_supply(curve, at(cut), capacity),
    )
    m = at(margin)
    assert (tranche_supply(first, m)[0] + tranche_supply(rest, m)[0])[0] == pytest.approx(
        tranche_supply(whole, m)[0][0], abs=1e-12
    )
    together = tranche_surplus(first, m) + tranche_surplus(rest, m)
    assert together[0] == pytest.approx(tranche_surplus(whole, m)[0], rel=1e-12, abs=1e-9)


@pytest.mark.parametrize("shape", SUPPLY_SHAPES)
@pytest.mark.parametrize(("low", "high"), [(-40.0, 15.0), (15.0, 180.0), (180.0, 900.0)])
@pytest.mark.parametrize(("floor", "capacity"), [(0.0, 100.0), (0.0, 62.0), (20.0, 62.0)])
def test_surplus_of_a_slice_is_its_area_capacity_rent_inside(shape, low, high, floor, capacity):
    cut = slice_supply(supplier(shape), at(floor), at(capacity))
    corners = [float(m[0]) for m in (cut.margin_low, cut.margin_high) if np.isfinite(m[0]) and low < m[0] < high] + [
        30.0,
        -50.0,
    ]
    area, _ = quad(
        lambda m: tranche_supply(cut, at(m))[0][0],
        low,
        high,
        points=[c for c in corners if low < c < high],
        epsabs=1e-10,
        limit=200,
    )
    assert (tranche_surplus(cut, at(high)) - tranche_surplus(cut, at(low)))[0] == pytest.approx(
        area, rel=1e-9, abs=1e-8
    )
    assert capacity_rent(cut, at(high))[0] >= 0.0
    if shape != Shape.FIXED:
        assert capacity_rent(cut, at(high))[0] <= tranche_surplus(cut, at(high))[0] + 1e-9


@pytest.mark.parametrize("shape", [Shape.ISO_ELASTIC, Shape.LINEAR, Shape.FIXED])
@pytest.mark.parametrize("index", INDICES)
@pytest.mark.parametrize("eta", [0.05, 1.0, 1.7])
def test_slope_of_demand_is_its_difference(shape, index, eta):
    curve = user(shape, eta)
    _, slope = demand(curve, at(index))
    assert slope[0] == pytest.approx(difference(lambda v: demand(curve, v)[0], index, 1e-5), rel=1e-6, abs=1e-8)


@pytest.mark.parametrize("shape", [Shape.ISO_ELASTIC, Shape.LINEAR, Shape.FIXED])
@pytest.mark.parametrize(("low", "high"), [(4.0, 9.0), (4.0, 25.0), (25.0, 139.0), (90.0, 140.0)])
@pytest.mark.parametrize("eta", [0.05, 1.0, 1.7])
def test_potential_of_demand_is_its_area(shape, low, high, eta):
    curve = user(shape, eta)
    area, _ = quad(
        lambda v: demand(curve, at(v))[0][0], low, high, points=[10.0] if low < 10.0 < high else None, epsabs=1e-10
    )
    rise = demand_potential(curve, at(high)) - demand_potential(curve, at(low))
    assert rise[0] == pytest.approx(area, rel=1e-9)


def test_nobody_buys_beyond_the_choke_price():
    curve = user(Shape.ISO_ELASTIC)
    assert demand(curve, at(200.0))[0] == demand(curve, at(140.0))[0]
    assert demand_potential(curve, at(200.0)) == demand_potential(curve, at(140.0))
