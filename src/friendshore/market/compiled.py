"""The equations of `system` as compiled loops: the same numbers, without the cost of many small array calls.

`use` has every later solve take them. They need numba (extra `fast`), which compiles once and keeps the result on disk; a
single clearing does not repay its import, a slider, an ensemble or a server does. What the equations mean stands in `system`,
which remains the reference: the tests hold the two together.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic
from numpy.typing import NDArray

from friendshore.market import equilibrium
from friendshore.market.curves import TAIL, Array, Index, Shape
from friendshore.market.network import Mask, Network, Position
from friendshore.market.policy import Policy
from friendshore.market.system import Point, System

MULTIPLY_FROM = 32  # sources of a full block from which a matrix product beats a loop
ISO_ELASTIC, LINEAR, FIXED, LOGISTIC = (int(shape) for shape in Shape)
ROOT_HALF, ROOT_2_PI = math.sqrt(0.5), math.sqrt(2.0 * math.pi)
CORNER = 1.0 - math.sqrt(0.5)
CIF, RATE, DELIVERED, LEVY, LEVY_SLOPE, BY_CIF = range(6)  # rows of `Swift.watched`
compiled = njit(cache=True, error_model="numpy", fastmath={"reassoc"})  # sums may be taken several terms at a time
LARGE = 4_100_000  # just above 32 MB, where glibc's threshold for giving memory back ends
ROUND = 1.5 * 2.0**52  # adding it leaves a whole number in the last bits
INVERSE_LN_2 = 1.0 / math.log(2.0)
LN_2_HIGH, LN_2_LOW = 6.93145751953125e-1, 1.42860682030941723212e-6  # ln 2 in two pieces, the first of few digits
NONE = np.zeros(0)
SMALLEST, LARGEST = 1e-250, 1e250  # sums of exponentials outside are taken again from the best origin


def use(wanted: bool = True) -> None:
    """Have `market.equilibrium.solve` take these loops from now on, or the plain arrays again."""
    equilibrium.take(Compiled if wanted else System)
    np.empty(LARGE)  # come and gone, it has the allocator keep freed pages: fresh ones cost more than what they hold


class Routes(NamedTuple):
    """What no unknown moves, by route; markets own the routes from `start[j]` to `start[j + 1]`.

    A route's score is `base - steep p`, p the seller's price: ln w0 - theta (d - d0) with d = (p (1 + x) + fixed) (1 + t) + duty;
    a levy takes `max(0, gap - closing p)` of it, looked at where any route of the market is under a floor (`levied`).
    Where every source of a good serves market j (`full`), they follow each other from `lead[j]`. All positions are unsigned:
    a loop that need not ask whether an index counts from the end runs several elements at a time.
    """

    source: Position
    market: Position
    start: Position
    lead: Position
    full: Mask
    base: Array
    steep: Array  # theta (1 + x) (1 + t)
    levied: Mask
    gap: Array
    closing: Array
    offtake: Array
    theta: Array
    index0: Array
    dead: Mask
    dead_index: Array


class Watched(NamedTuple):
    """The routes that a limit or a scattered floor acts on, in their order: what their delivered price is made of.

    Market j has those from `start[j]` to `start[j + 1]`.
    """

    route: Position
    source: Position
    start: Position
    on_cif: Mask
    attraction: Array
    exported: Array
    fixed_cif: Array
    tariff: Array
    specific: Array
    left_out: Array
    reference: Array  # -inf where no floor stands
    phase: Array
    spread: Array


@dataclass
class Swift(Point):
    """A point that knows delivered prices of watched routes only, until `Compiled.landed` fills in the others.

    `watched` has them by row: cif, 1 + tariff, delivered, levy, its slope, and dd/dcif.
    """

    watched: Array  # (6, W)


class Recipes(NamedTuple):
    """What no unknown moves, by tranche: `outs[t] : outs[t + 1]` are its outputs, `ins` its inputs, `curve` its supply."""

    outs: Position
    out_source: Position
    out_coef: Array
    subsidy: Array
    strike: Array
    upside: Array
    spread: Array
    ins: Position
    in_market: Position
    in_coef: Array
    cost: Array
    halted: Mask
    shape: Any
    curve: Array  # (7, T) level, margin, eps, a, b, low, high
    demand_shape: Any
    demand: Array  # (5, M) level, index, eta, a, b
    last: Array  # index at which users cut off from every supplier stand
    choke: Array
    fixed_use: Array
    offtake_in: Array
    released: Array  # stock sold less take-or-pay tonnes owed, by source


class Limits(NamedTuple):
    """The limited groups: memberships by group, and recovery bounds by tranche."""

    counts: tuple[int, int, int]  # quotas and corridors, recoveries, tariff-rate quotas
    starts: Position
    routes: Position
    watched: Position  # where each of them stands among the watched
    overlap: bool  # whether any route is under two limits
    tonnes: Array
    size: Array
    taking: Position
    taking_start: Position
    giving: Position
    giving_start: Position
    content: Array


class Compiled(System):
    """`System` with its equations and derivatives in compiled loops."""

    def __init__(self, network: Network, policy: Policy) -> None:
        super().__init__(network, policy)
        n, p = network, policy
        self.routes = Routes(
            *n.positions, *n.leads, self.base, self.steep, self.levied, self.gap, self.closing, p.offtake,
            n.theta, n.index0, self.dead, np.where(np.isfinite(n.demand.last), n.demand.last, n.index0),
        )  # fmt: skip
        (routes, sources, start, members, overlap), on_cif, terms = _watching(
            _at(self.member_route), _at(self.floored[self.floor_spread > 0.0]), *n.positions, p.open, n.attraction, p.export_tax,
            p.export_specific, p.freight, n.premium, p.tariff, n.fob_valued, p.specific, p.reference, p.gap_on_cif, p.phase,
            p.dispersion,
        )  # fmt: skip
        self.watched = Watched(routes, sources, start, on_cif, *terms)
        tranches = p.tranche_activity.size
        ends = np.arange(tranches + 1)  # recipe rows stand in the order of their tranches
        t, d = p.tranches, n.demand
        c = t.curve
        self.recipes = Recipes(
            _at(np.searchsorted(p.out_tranche, ends)), _at(p.out_source), p.out_coef, p.subsidy, p.strike, p.upside,
            p.strike_dispersion, _at(np.searchsorted(p.in_tranche, ends)), _at(p.in_market), p.in_coef,
            self.running_cost, self.halted, c.shape, np.array([c.level, c.margin, c.eps, c.a, c.b, t.low, t.high]),
            d.shape, np.array([d.level, d.index, d.eta, d.a, d.b]), d.last, d.choke, self.fixed_use, self.offtake_in,
            n.stock_release - self.offtake_out,
        )  # fmt: skip
        sizes = [routes.size for routes in self.group_routes]
        taking, giving = [x[0] for x in self.recovery_terms], [x[1] for x in self.recovery_terms]
        self.limited = Limits(
            (self.n_quota + self.n_corridor, self.n_recovery, self.n_rate),
            _starts(sizes), _at(self.member_route), members, overlap, self.group_limit, self.extra_size,
            _flat(taking), _starts([x.size for x in taking]), _flat(giving), _starts([x.size for x in giving]),
            np.array([x[2] for x in self.recovery_terms], dtype=float),
        )  # fmt: skip
        big = [block.full and block.shape[1] >= MULTIPLY_FROM for block in n.blocks]
        self.multiplied = [block for block, wide in zip(n.blocks, big, strict=True) if wide]
        whole = np.zeros(self.markets, dtype=np.intp) - 1
        for b, block in enumerate(self.multiplied):
            whole[block.markets] = b
        self.whole = whole
        self.matrix: NDArray[np.floating[Any]] = np.empty((0, 0))
        self.move = self._keep()
        self.parts: tuple[NDArray[np.floating[Any]], ...] = ()

    def _pairs(self) -> None:
        """The loops walk the recipes themselves."""

    def evaluate(self, x: Array) -> Point:
        share = self.take()
        (price, excess), by_market, (margin, level, level_slope), receipt_slope, limits, watched = _evaluate(
            x, self.sources, share, self.routes, self.watched, self.recipes, self.limited, _at(self.unserved_at), self.ramp
        )  # fmt: skip
        index, wanted, wanted_slope, unserved, spot, spot_raw = by_market
        return Swift(
            price, NONE, NONE, NONE, NONE, NONE, index, share, wanted, wanted_slope, unserved, spot, spot_raw, margin, receipt_slope,
            level, level_slope, excess, limits, watched,
        )  # fmt: skip

    def landed(self, point: Point) -> Point:
        n, p = self.network, self.policy
        cif, rate, delivered = self.take(), self.take(), self.take()
        assert isinstance(point, Swift)
        levy, slope = _land_all(
            cif, rate, delivered, point.price, n.positions[0], p.export_tax, p.export_specific, p.freight, n.premium, p.tariff,
            n.fob_valued, p.specific, _at(self.floored), self.floor_reference, self.floor_on_cif, self.floor_phase,
            self.watched.route, point.watched,
        )  # fmt: skip
        return replace(point, cif=cif, rate=rate, delivered=delivered, levy=levy, levy_slope=slope)

    def release(self, point: Point) -> None:
        self.network.spare.append(point.share)

    def close(self) -> None:
        self.network.spare.extend(self.own)
        self.own.clear()

    def take(self) -> Array:
        spare = self.network.spare
        return spare.pop() if spare else np.empty(self.network.route_source.size)

    def _keep(self) -> Array:
        """The same, given back when the system closes."""
        self.own.append(self.take())
        return self.own[-1]

    def _land(self) -> None:
        n, p = self.network, self.policy
        self.own: list[Array] = []
        self.base, self.steep, self.gap, self.closing = self._keep(), self._keep(), self._keep(), self._keep()
        self.floored, self.levied = _landing(
            p.open, n.attraction, n.theta, n.positions[2], p.export_tax, p.export_specific, p.freight, n.premium, p.tariff,
            n.fob_valued, p.specific, p.reference, p.gap_on_cif, p.phase, p.dispersion, self.base, self.steep, self.gap, self.closing,
        )  # fmt: skip

    def residual(self, x: Array, point: Point, smooth: float = 0.0) -> tuple[Array, Array, Array, Mask]:
        low, high, scale = self.bounds(point)
        rows, by_z, by_f, on_floor = _residual(
            x, point.excess, self.size, self.floor, low, high, scale, point.limits, smooth
        )
        return rows, by_z, by_f, on_floor

    def jacobian(
        self, point: Point, by_z: Array, by_f: Array, on_floor: Mask, *, single: bool = False
    ) -> NDArray[np.floating[Any]]:
        total, kind = self.sources + self.extras, np.float32 if single else np.float64
        if self.matrix.shape[0] != total or self.matrix.dtype != kind:
            self.matrix = np.empty((total, total), dtype=kind)
        out = self.matrix
        out.fill(0.0)
        if not self.parts or self.parts[0].dtype != kind:
            self.parts = (np.empty(point.share.size, dtype=kind), np.empty(point.share.size, dtype=kind))
        assert isinstance(point, Swift)
        shared, pull = self.parts
        weight, positive, theta_spot, own, bend, diagonal = _moves(
            self.move, shared, pull, point.price, point.share, point.spot, point.spot_raw, point.wanted_slope, point.receipt_slope,
            point.level_slope, self.size, self.routes, self.watched, point.watched, self.recipes, self.whole,
        )  # fmt: skip
        for block in self.multiplied:
            np.matmul(block.dense(shared).T, block.dense(pull), out=out[block.sources, block.sources])
        _assemble(
            out, point.share, self.move, weight, diagonal, positive, point.level_slope, bend, self.size, self.routes, self.recipes,
            self.whole,
        )  # fmt: skip
        if self.extras:
            _extras(
                out, by_z, by_f, point.price, point.share, self.move, theta_spot, own, positive, point.level_slope,
                bend, self.size, self.routes, self.watched, point.watched, self.recipes, self.limited, _at(self.unserved_at),
            )  # fmt: skip
        if on_floor.any():
            rows = np.flatnonzero(on_floor)
            out[rows] = 0.0
            out[rows, rows] = 1.0
        return out


def _starts(sizes: list[int]) -> Position:
    return _at(np.concatenate([[0], np.cumsum(sizes)]))


def _flat(parts: list[Index]) -> Position:
    return _at(np.concatenate([np.zeros(0, dtype=np.intp), *parts]))


def _at(rows: Any) -> Position:
    return np.asarray(rows).astype(np.uintp)


@compiled
def _landing(
    opened: Mask, attraction: Array, theta: Array, start: Position, export_tax: Array, export_specific: Array, freight: Array,
    premium: Array, tariff: Array, fob_valued: Array, specific: Array, reference: Array, on_cif: Mask, phase: Array, spread: Array,
    base: Array, steep: Array, gap: Array, closing: Array,
) -> Any:  # fmt: skip
    """Every route's score as a line in the seller's price; the routes under a floor, and the markets that have any."""
    under, levied = 0, np.zeros(theta.size, dtype=np.bool_)
    for j in range(theta.size):
        for i in range(start[j], start[j + 1]):
            rate, cif = 1.0 + tariff[i], export_specific[i] + freight[i] + premium[i]
            fixed = cif * rate + specific[i] - tariff[i] * (fob_valued[i] * freight[i])
            base[i] = attraction[i] - theta[j] * fixed if opened[i] else -np.inf
            steep[i] = theta[j] * (1.0 + export_tax[i]) * rate
            if reference[i] > -np.inf:
                under += 1
                levied[j] = True
        if levied[j]:
            for i in range(start[j], start[j + 1]):
                if reference[i] > -np.inf and spread[i] == 0.0 and opened[i]:
                    rate, cif = 1.0 + tariff[i], export_specific[i] + freight[i] + premium[i]
                    fixed = cif if on_cif[i] else cif * rate + specific[i] - tariff[i] * (fob_valued[i] * freight[i])
                    gap[i] = theta[j] * phase[i] * (reference[i] - fixed)
                    closing[i] = theta[j] * phase[i] * (1.0 + export_tax[i]) if on_cif[i] else phase[i] * steep[i]
                else:
                    gap[i], closing[i] = -1.0, 0.0
    floored = np.empty(under, dtype=np.intp)
    under = 0
    for j in range(theta.size):
        if levied[j]:
            for i in range(start[j], start[j + 1]):
                if reference[i] > -np.inf:
                    floored[under] = i
                    under += 1
    return floored, levied


@compiled
def _watching(
    member: Position, scattered: Position, source: Position, market: Position, start: Position, opened: Mask, attraction: Array,
    export_tax: Array, export_specific: Array, freight: Array, premium: Array, tariff: Array, fob_valued: Array, specific: Array,
    reference: Array, on_cif: Mask, phase: Array, spread: Array,
) -> Any:  # fmt: skip
    """The routes that something acts on, once each and in their order, with what they pay; where every member stands."""
    place, size, overlap = np.zeros(opened.size, dtype=np.uintp), 0, False
    for i in member:
        overlap |= place[i] == 1
        place[i] = 1
    for i in scattered:
        place[i] = 1
    starts = np.zeros(start.size, dtype=np.uintp)
    for j in range(start.size - 1):
        for i in range(start[j], start[j + 1]):
            if place[i] == 1:
                place[i] = size
                size += 1
            else:
                place[i] = opened.size
        starts[j + 1] = size
    routes, sources = np.empty(size, dtype=np.uintp), np.empty(size, dtype=np.uintp)
    valued, terms = np.empty(size, dtype=np.bool_), np.empty((9, size))
    for i in range(opened.size):
        if place[i] < opened.size:
            k = place[i]
            routes[k], sources[k], valued[k] = i, source[i], on_cif[i]
            terms[0, k] = attraction[i] if opened[i] else -np.inf
            terms[1, k] = 1.0 + export_tax[i]
            terms[2, k] = export_specific[i] + freight[i] + premium[i]
            terms[3, k], terms[4, k], terms[5, k] = tariff[i], specific[i], fob_valued[i] * freight[i]
            terms[6, k], terms[7, k], terms[8, k] = reference[i], phase[i], spread[i]
    at = np.empty(member.size, dtype=np.uintp)
    for k in range(member.size):
        at[k] = place[member[k]]
    return (routes, sources, starts, at, overlap), valued, terms


@compiled
def _land_all(
    cif: Array, rate: Array, delivered: Array, price: Array, source: Position, export_tax: Array, export_specific: Array,
    freight: Array, premium: Array, tariff: Array, fob_valued: Array, specific: Array, floored: Position, reference: Array,
    on_cif: Mask, phase: Array, watched: Position, w: Array,
) -> Any:  # fmt: skip
    """Delivered prices of all routes, and the levies; those of the watched as they are known."""
    for i in range(cif.size):
        c = price[source[i]] * (1.0 + export_tax[i]) + (export_specific[i] + freight[i] + premium[i])
        cif[i], rate[i] = c, 1.0 + tariff[i]
        delivered[i] = c + tariff[i] * (c - fob_valued[i] * freight[i]) + specific[i]
    levy, slope = np.zeros(floored.size), np.zeros(floored.size)
    for f in range(floored.size):
        i = floored[f]
        short = reference[f] - (cif[i] if on_cif[f] else delivered[i])
        if short > 0.0:
            levy[f], slope[f] = phase[f] * short, -phase[f]
            delivered[i] += levy[f]
    f = 0
    for k in range(watched.size):
        i = watched[k]
        cif[i], rate[i], delivered[i] = w[CIF, k], w[RATE, k], w[DELIVERED, k]
        while f < floored.size and floored[f] < i:
            f += 1
        if f < floored.size and floored[f] == i:
            levy[f], slope[f] = w[LEVY, k], w[LEVY_SLOPE, k]
    return levy, slope


# -- equations --------------------------------------------------------------------------------------------------------


@compiled
def _gap(reference: float, base: float, spread: float) -> tuple[float, float]:
    short = reference - base
    if spread > 0.0 and math.isfinite(reference):
        k = short / spread
        phi = 0.5 * math.erfc(-k * ROOT_HALF)
        return short * phi + spread * math.exp(-0.5 * k * k) / ROOT_2_PI, -phi
    return (short, -1.0) if short > 0.0 else (0.0, 0.0)


@compiled
def _supply(shape: int, curve: Array, t: int, margin: float) -> tuple[float, float]:
    level, base, eps, a, b = curve[0, t], curve[1, t], curve[2, t], curve[3, t], curve[4, t]
    value, slope = level, 0.0
    if shape == ISO_ELASTIC:
        switch = TAIL * base
        at = max(margin, switch)
        below = min(margin - switch, 0.0) / switch
        value = level * math.exp(eps * (math.log(at / base) + max(below, -700.0 / eps)))
        slope = value * eps / at
    elif shape == LINEAR:
        y = a + b * margin
        value, slope = (y, b) if y > 0.0 else (0.0, 0.0)
    elif shape == LOGISTIC:
        share = 0.5 * (1.0 + math.tanh(0.5 * (margin - a) / b))
        value, slope = level * share, level * share * (1.0 - share) / b
    low, high = curve[5, t], curve[6, t]
    inside = low < value < high
    return min(max(value, low), high) - low, slope if inside else 0.0


@compiled
def _demand(shape: int, curve: Array, j: int, index: float) -> tuple[float, float]:
    level, base, eta, a, b = curve[0, j], curve[1, j], curve[2, j], curve[3, j], curve[4, j]
    if shape == ISO_ELASTIC:
        switch = TAIL * base
        at = max(index, switch)
        below = min(index - switch, 0.0) / switch
        value = level * math.exp(-eta * math.log(at / base) + min(-eta * below, 50.0))
        return value, -value * eta / at
    if shape == LINEAR:
        y = a - b * index
        return (y, -b) if y > 0.0 else (0.0, 0.0)
    return level, 0.0


def _spelt(_: Any, bits: Any) -> Any:
    """The number that 64 bits spell."""
    return types.float64(bits), lambda _, builder, __, given: builder.bitcast(given[0], ir.DoubleType())


def _spelling(_: Any, number: Any) -> Any:
    """The 64 bits that spell a number."""
    return types.int64(number), lambda _, builder, __, given: builder.bitcast(given[0], ir.IntType(64))


_as_float: Any = intrinsic(_spelt)
_as_bits: Any = intrinsic(_spelling)


@njit(cache=True, error_model="numpy", fastmath={"contract"})
def _exp(x: float) -> float:
    """The exponential to the last digit or two, in steps that run for several routes at a time; nothing below exp(-700).

    x = k ln 2 + r with |r| <= ln 2 / 2; exp r by its Taylor series, whose fourteenth term is below 1e-17; 2^k by its exponent.
    No term may change its place here: adding `ROUND` and taking it away again is what rounds.
    """
    at = min(max(x, -700.0), 700.0)
    shifted = at * INVERSE_LN_2 + ROUND
    k = shifted - ROUND
    r = (at - k * LN_2_HIGH) - k * LN_2_LOW
    y = 1.0 / 6227020800.0
    y = y * r + 1.0 / 479001600.0
    y = y * r + 1.0 / 39916800.0
    y = y * r + 1.0 / 3628800.0
    y = y * r + 1.0 / 362880.0
    y = y * r + 1.0 / 40320.0
    y = y * r + 1.0 / 5040.0
    y = y * r + 1.0 / 720.0
    y = y * r + 1.0 / 120.0
    y = y * r + 1.0 / 24.0
    y = y * r + 1.0 / 6.0
    y = y * r + 0.5
    y = y * r + 1.0
    y = y * r + 1.0
    power = _as_float((_as_bits(shifted) + 1023) << 52)
    return y * power if x >= -700.0 else 0.0


@compiled
def _watch(price: Array, z: Array, r: Routes, w: Watched, lim: Limits) -> Any:
    """What the watched routes pay: delivered = cif + t (cif - left out) + duty + levy."""
    first, bounds, rates = lim.counts
    size = w.route.size
    out = np.empty((6, size))
    cif, rate, delivered, levy, levy_slope, by_cif = (
        out[CIF],
        out[RATE],
        out[DELIVERED],
        out[LEVY],
        out[LEVY_SLOPE],
        out[BY_CIF],
    )
    for k in range(size):
        cif[k] = price[w.source[k]] * w.exported[k] + w.fixed_cif[k]
        rate[k] = 1.0 + w.tariff[k]
    for e in range(first):
        if z[e] != 0.0:
            for k in range(lim.starts[e], lim.starts[e + 1]):
                cif[lim.watched[k]] += z[e]
    for e in range(rates):
        for k in range(lim.starts[first + e], lim.starts[first + e + 1]):
            rate[lim.watched[k]] = 1.0 + z[first + bounds + e]
    for k in range(size):
        before = cif[k] + (rate[k] - 1.0) * (cif[k] - w.left_out[k]) + w.specific[k]
        short = w.reference[k] - (cif[k] if w.on_cif[k] else before)
        amount, slope = (short, -1.0) if short > 0.0 else (0.0, 0.0)
        if w.spread[k] > 0.0:
            amount, slope = _gap(short, 0.0, w.spread[k])
        levy[k], levy_slope[k] = w.phase[k] * amount, w.phase[k] * slope
        delivered[k] = before + levy[k]
        by_cif[k] = rate[k] + levy_slope[k] * (1.0 if w.on_cif[k] else rate[k])
    return out


@compiled
def _line(row: Array, base: Array, steep: Array, price: Array) -> None:
    """Scores of one market whose sources follow each other: lines in their prices."""
    for k in range(row.size):
        row[k] = base[k] - steep[k] * price[k]


@compiled
def _levied_line(row: Array, base: Array, steep: Array, gap: Array, closing: Array, price: Array) -> None:
    """The same where some pay a levy."""
    for k in range(row.size):
        row[k] = base[k] - steep[k] * price[k] - max(0.0, gap[k] - closing[k] * price[k])


@compiled
def _scores(
    at: int, end: int, lead: int, full: bool, levied: bool, theta: float, share: Array, price: Array, source: Position, base: Array,
    steep: Array, gap: Array, closing: Array, first: int, last: int, watched: Position, attraction: Array, delivered: Array,
) -> None:  # fmt: skip
    """Scores, ln w0 - theta (d - d0), of one market's routes, into their places in `share`."""
    if full and levied:
        sellers = price[lead : lead + (end - at)]
        _levied_line(share[at:end], base[at:end], steep[at:end], gap[at:end], closing[at:end], sellers)
    elif full:
        _line(share[at:end], base[at:end], steep[at:end], price[lead : lead + (end - at)])
    else:
        for i in range(at, end):
            p = price[source[i]]
            share[i] = base[i] - steep[i] * p
            if levied:
                share[i] -= max(0.0, gap[i] - closing[i] * p)
    for k in range(first, last):
        share[watched[k]] = attraction[k] - theta * delivered[k]


@compiled
def _weigh(row: Array) -> float:
    """The exponentials of a row in its place, and their sum."""
    total = 0.0
    for k in range(row.size):
        row[k] = _exp(row[k])
    for k in range(row.size):
        total += row[k]
    return total


@compiled
def _scale(row: Array, by: float) -> None:
    for k in range(row.size):
        row[k] *= by


@compiled
def _sourced(index: Array, share: Array, price: Array, r: Routes, w: Watched, delivered: Array) -> None:
    """Shares of every route and the cost index of every market; measured from the best origin where they would overflow."""
    for j in range(r.theta.size):
        at, end = r.start[j], r.start[j + 1]
        _scores(
            at, end, r.lead[j], r.full[j], r.levied[j], r.theta[j], share, price, r.source, r.base, r.steep, r.gap, r.closing,
            w.start[j], w.start[j + 1], w.route, w.attraction, delivered,
        )  # fmt: skip
        best = total = 0.0
        total = _weigh(share[at:end])
        if not SMALLEST < total < LARGEST and not r.dead[j]:
            _scores(
                at, end, r.lead[j], r.full[j], r.levied[j], r.theta[j], share, price, r.source, r.base, r.steep, r.gap, r.closing,
                w.start[j], w.start[j + 1], w.route, w.attraction, delivered,
            )  # fmt: skip
            best, total = -np.inf, 0.0
            for i in range(at, end):
                best = max(best, share[i])
            for i in range(at, end):
                share[i] = math.exp(share[i] - best) if best > -np.inf else 0.0
                total += share[i]
        if total > 0.0:
            index[j] = r.index0[j] - (best + math.log(total)) / r.theta[j]
            _scale(share[at:end], 1.0 / total)
        else:
            index[j] = np.inf
        if r.dead[j]:
            index[j] = r.dead_index[j]


@compiled
def _raise(row: NDArray[np.floating[Any]], values: Array, weight: float) -> None:
    for k in range(row.size):
        row[k] += weight * values[k]


@compiled
def _add(
    out: NDArray[np.floating[Any]], values: Array, weight: float, source: Position, at: int, end: int, lead: int, full: bool
) -> None:  # fmt: skip
    """Add one market's route values, weighted, to a vector by source."""
    if full:
        _raise(out[lead : lead + (end - at)], values[at:end], weight)
    else:
        for i in range(at, end):
            out[source[i]] += weight * values[i]


@compiled
def _collect(
    out: Array, weight: Array, values: Array, source: Position, start: Position, lead: Position, full: Mask
) -> None:  # fmt: skip
    """Add route values, weighted by market, to several vectors by source, (E, I); `weight` is (E, M)."""
    for j in range(lead.size):
        at, end = start[j], start[j + 1]
        for e in range(out.shape[0]):
            if weight[e, j] == 0.0:
                continue
            if full[j]:
                row, part, by = out[e, lead[j] : lead[j] + (end - at)], values[at:end], weight[e, j]
                for k in range(row.size):
                    row[k] += by * part[k]
            else:
                for i in range(at, end):
                    out[e, source[i]] += weight[e, j] * values[i]


@compiled
def _evaluate(
    x: Array,
    sources: int,
    share: Array,
    r: Routes,
    w: Watched,
    a: Recipes,
    lim: Limits,
    short: Position,
    ramp: float,
) -> Any:
    """What buyers and producers do at one guess of prices and rents."""
    by_source, z = np.empty((2, sources)), x[sources:]
    price, excess = by_source[0], by_source[1]
    for i in range(sources):
        price[i], excess[i] = math.exp(x[i]), a.released[i]
    markets, tranches = r.theta.size, a.cost.size
    first, bounds, rates = lim.counts
    fixed = first + bounds + rates
    watched = _watch(price, z, r, w, lim)
    by_market, by_tranche = np.empty((6, markets)), np.empty((3, tranches))
    index, wanted, wanted_slope = by_market[0], by_market[1], by_market[2]
    unserved, spot, spot_raw = by_market[3], by_market[4], by_market[5]
    margin, level, level_slope = by_tranche[0], by_tranche[1], by_tranche[2]
    _sourced(index, share, price, r, w, watched[DELIVERED])

    receipt_slope = np.ones(a.out_source.size)
    for t in range(tranches):
        m = -a.cost[t]
        for o in range(a.outs[t], a.outs[t + 1]):
            p = received = price[a.out_source[o]]
            if math.isfinite(a.strike[o]):
                over, by = _gap(p, a.strike[o], a.spread[o])
                received = a.strike[o] + a.upside[o] * over
                receipt_slope[o] = -a.upside[o] * by
            m += a.out_coef[o] * (received + a.subsidy[o])
        for i in range(a.ins[t], a.ins[t + 1]):
            m -= a.in_coef[i] * index[a.in_market[i]]
        margin[t] = m
    for e in range(bounds):
        for k in range(lim.taking_start[e], lim.taking_start[e + 1]):
            margin[lim.taking[k]] -= z[first + e]
        for k in range(lim.giving_start[e], lim.giving_start[e + 1]):
            margin[lim.giving[k]] += lim.content[e] * z[first + e]
    used = np.zeros(markets)
    for t in range(tranches):
        if a.halted[t]:
            level[t] = level_slope[t] = 0.0
            continue
        level[t], level_slope[t] = _supply(a.shape[t], a.curve, t, margin[t])
        for o in range(a.outs[t], a.outs[t + 1]):
            excess[a.out_source[o]] += a.out_coef[o] * level[t]
        for i in range(a.ins[t], a.ins[t + 1]):
            used[a.in_market[i]] += a.in_coef[i] * level[t]

    unserved[:] = 0.0
    for k in range(short.size):
        unserved[short[k]] = z[fixed + k]
    for j in range(markets):
        choke = a.choke[j]
        wanted[j], wanted_slope[j] = _demand(a.demand_shape[j], a.demand, j, min(index[j], choke))
        if index[j] >= choke:
            wanted_slope[j] = 0.0
        if ramp > 0.0 and short.size == 0 and math.isfinite(choke) and not r.dead[j]:
            over = (index[j] - choke) / (ramp * choke)
            part = 1.0 / (1.0 + math.exp(-over)) if over > -700.0 else 0.0
            unserved[j] = wanted[j] * part
            wanted_slope[j] -= wanted[j] * part * (1.0 - part) / (ramp * choke)
        raw = 0.0 if r.dead[j] else used[j] + wanted[j] - unserved[j] + a.fixed_use[j] - a.offtake_in[j]
        spot_raw[j], spot[j] = raw, max(raw, 0.0)
        if spot[j] != 0.0:
            _add(excess, share, -spot[j], r.source, r.start[j], r.start[j + 1], r.lead[j], r.full[j])

    limits = np.empty(fixed + short.size)
    for e in range(first + rates):
        flow = 0.0
        for k in range(lim.starts[e], lim.starts[e + 1]):
            i = lim.routes[k]
            flow += share[i] * spot[r.market[i]] + r.offtake[i]
        at = e if e < first else e + bounds
        limits[at] = (lim.tonnes[e] - flow) / lim.size[at]
    for e in range(bounds):
        taken = given = 0.0
        for k in range(lim.taking_start[e], lim.taking_start[e + 1]):
            taken += level[lim.taking[k]]
        for k in range(lim.giving_start[e], lim.giving_start[e + 1]):
            given += level[lim.giving[k]]
        limits[first + e] = (lim.content[e] * given - taken) / lim.size[first + e]
    for k in range(short.size):
        limits[fixed + k] = (a.choke[short[k]] - index[short[k]]) / a.choke[short[k]]
    return by_source, by_market, by_tranche, receipt_slope, limits, watched


@compiled
def _fischer(a: float, b: float, smooth: float) -> tuple[float, float, float]:
    root = math.hypot(math.hypot(a, b), smooth)
    if root == 0.0:
        return a + b, CORNER, CORNER
    if a + b > 0.0:
        return (2.0 * a * b - smooth * smooth) / (a + b + root), 1.0 - a / root, 1.0 - b / root
    return a + b - root, 1.0 - a / root, 1.0 - b / root


@compiled
def _residual(
    x: Array,
    excess: Array,
    size: Array,
    floor: Array,
    low: Array,
    high: Array,
    scale: Array,
    slack: Array,
    smooth: float,
) -> Any:
    sources, extras = excess.size, slack.size
    rows = np.empty(sources + extras)
    on_floor = np.empty(sources, dtype=np.bool_)
    for i in range(sources):
        scaled, above = excess[i] / size[i], x[i] - floor[i]
        on_floor[i] = scaled > above
        rows[i] = above if on_floor[i] else scaled
    by_z, by_f = np.empty(extras), np.empty(extras)
    for e in range(extras):
        z, second, second_z, second_slack = x[sources + e], slack[e], 0.0, 1.0
        if math.isfinite(high[e]):
            inner, inner_high, inner_slack = _fischer((high[e] - z) / scale[e], -slack[e], smooth)
            second, second_z, second_slack = -inner, inner_high, inner_slack
        outer, by_low, by_second = _fischer((z - low[e]) / scale[e], second, smooth)
        rows[sources + e] = outer
        by_z[e] = (by_low + by_second * second_z) / scale[e]
        by_f[e] = by_second * second_slack
    return rows, by_z, by_f, on_floor


# -- derivatives ------------------------------------------------------------------------------------------------------


@compiled
def _moves(
    move: Array, shared: NDArray[np.floating[Any]], pull: NDArray[np.floating[Any]], price: Array, share: Array, spot: Array,
    spot_raw: Array, wanted_slope: Array, receipt_slope: Array, level_slope: Array, size: Array, r: Routes, w: Watched,
    landed: Array, a: Recipes, whole: Index,
) -> Any:  # fmt: skip
    """Route by route: what a price moves, and how strongly its market pulls; recipes within a full block included.

    `shared` and `pull`, for full blocks, are the factors of its product, in the digits asked for; `shared` per unit of the
    source's size.
    """
    markets = r.theta.size
    positive = np.empty(markets, dtype=np.bool_)
    theta_spot, own, weight = np.zeros(markets), np.zeros(markets), np.empty(markets)
    for j in range(markets):
        positive[j] = spot_raw[j] > 0.0 and not r.dead[j]
        if positive[j]:
            theta_spot[j], own[j] = r.theta[j] * spot[j], wanted_slope[j]
        weight[j] = -(theta_spot[j] + own[j])
    apart = 0  # pairs of inputs in one full block that are not the same market
    for t in range(level_slope.size):
        for one in range(a.ins[t], a.ins[t + 1]):
            left = a.in_market[one]
            for other in range(a.ins[t], a.ins[t + 1]):
                if whole[left] >= 0 and positive[left] and whole[a.in_market[other]] == whole[left]:
                    if a.in_market[other] == left:
                        weight[left] += a.in_coef[one] * level_slope[t] * a.in_coef[other]
                    else:
                        apart += 1
    smaller, diagonal = 1.0 / size, np.zeros(size.size)
    for j in range(markets):
        at, lead, count = r.start[j], r.lead[j], r.start[j + 1] - r.start[j]
        apiece = 1.0 / r.theta[j]
        if not r.full[j]:
            for i in range(at, at + count):
                p = price[r.source[i]]
                held = r.closing[i] if r.levied[j] and r.gap[i] > r.closing[i] * p else 0.0
                move[i] = p * apiece * (r.steep[i] - held) * share[i]
        else:
            row, parts, steep, sellers = (
                move[at : at + count],
                share[at : at + count],
                r.steep[at : at + count],
                price[lead : lead + count],
            )
            if r.levied[j]:
                gap, closing = r.gap[at : at + count], r.closing[at : at + count]
                for k in range(row.size):
                    held = closing[k] if gap[k] > closing[k] * sellers[k] else 0.0
                    row[k] = sellers[k] * apiece * (steep[k] - held) * parts[k]
            else:
                for k in range(row.size):
                    row[k] = sellers[k] * apiece * steep[k] * parts[k]
        for k in range(w.start[j], w.start[j + 1]):
            move[w.route[k]] = price[w.source[k]] * w.exported[k] * landed[BY_CIF, k] * share[w.route[k]]
        if whole[j] >= 0:
            mine, pulled, inverse, own_diagonal = (
                shared[at : at + count],
                pull[at : at + count],
                smaller[lead : lead + count],
                diagonal[lead : lead + count],
            )
            moved, parted, heavy, switched = move[at : at + count], share[at : at + count], weight[j], theta_spot[j]
            for k in range(mine.size):
                mine[k] = parted[k] * inverse[k]
                pulled[k] = heavy * moved[k]
            for k in range(mine.size):
                own_diagonal[k] += switched * moved[k]
        else:
            _add(diagonal, move, theta_spot[j], r.source, at, at + count, lead, r.full[j])
    if apart:
        for t in range(level_slope.size):
            for one in range(a.ins[t], a.ins[t + 1]):
                left = a.in_market[one]
                for other in range(a.ins[t], a.ins[t + 1]):
                    right = a.in_market[other]
                    if left != right and whole[left] >= 0 and positive[left] and whole[right] == whole[left]:
                        value = a.in_coef[one] * level_slope[t] * a.in_coef[other]
                        at, of = r.start[left], r.start[right]
                        for k in range(r.start[right + 1] - of):
                            pull[at + k] += value * move[of + k]
    bend = np.empty(a.out_source.size)  # dY/dlog p of each output, per unit of slope
    for o in range(bend.size):
        bend[o] = a.out_coef[o] * receipt_slope[o] * price[a.out_source[o]]
    return weight, positive, theta_spot, own, bend, diagonal


@compiled
def _assemble(
    out: NDArray[np.floating[Any]], share: Array, move: Array, weight: Array, diagonal: Array, positive: Mask, level_slope: Array,
    bend: Array, size: Array, r: Routes, a: Recipes, whole: Index,
) -> None:  # fmt: skip
    """The price rows and columns of the Jacobian, by size of the source; full blocks already hold their products."""
    smaller = 1.0 / size
    for j in range(weight.size):
        if whole[j] < 0:
            for i in range(r.start[j], r.start[j + 1]):
                if share[i] != 0.0:
                    value = share[i] * weight[j] * smaller[r.source[i]]
                    for k in range(r.start[j], r.start[j + 1]):
                        out[r.source[i], r.source[k]] += value * move[k]
    for i in range(size.size):
        out[i, i] += diagonal[i] * smaller[i]
    most = np.uintp(0)
    for t in range(level_slope.size):
        most += (a.ins[t + 1] - a.ins[t]) * (a.outs[t + 1] - a.outs[t])
    kept = 0  # what inputs answer to the prices of outputs, in full blocks: written row by row afterwards
    market, column, held = np.empty(most, dtype=np.uintp), np.empty(most, dtype=np.uintp), np.empty(most)
    for t in range(level_slope.size):
        slope = level_slope[t]
        if slope == 0.0:
            continue
        for one in range(a.ins[t], a.ins[t + 1]):
            left = a.in_market[one]
            used = a.in_coef[one] * slope
            if positive[left]:
                for other in range(a.ins[t], a.ins[t + 1]):
                    right = a.in_market[other]
                    if whole[left] >= 0 and whole[left] == whole[right]:
                        continue
                    value = used * a.in_coef[other]
                    for i in range(r.start[left], r.start[left + 1]):
                        if share[i] != 0.0:
                            scaled = value * share[i] * smaller[r.source[i]]
                            for k in range(r.start[right], r.start[right + 1]):
                                out[r.source[i], r.source[k]] += scaled * move[k]
            for o in range(a.outs[t], a.outs[t + 1]):
                made = a.out_source[o]
                value = a.out_coef[o] * used * smaller[made]
                back = used * bend[o] if positive[left] else 0.0
                _add(out[made], move, -value, r.source, r.start[left], r.start[left + 1], r.lead[left], r.full[left])
                if back != 0.0 and r.full[left]:
                    market[kept], column[kept], held[kept] = left, made, back
                    kept += 1
                elif back != 0.0:
                    for k in range(r.start[left], r.start[left + 1]):
                        out[r.source[k], made] -= back * share[k] * smaller[r.source[k]]
        for o in range(a.outs[t], a.outs[t + 1]):
            for other in range(a.outs[t], a.outs[t + 1]):
                value = a.out_coef[o] * slope * smaller[a.out_source[o]]
                out[a.out_source[o], a.out_source[other]] += value * bend[other]
    first = 0
    while first < kept:
        lead, last = r.lead[market[first]], first
        while last < kept and r.lead[market[last]] == lead:
            last += 1
        for k in range(r.start[market[first] + 1] - r.start[market[first]]):
            for q in range(first, last):
                out[lead + k, column[q]] -= held[q] * share[r.start[market[q]] + k] * smaller[lead + k]
        first = last


@compiled
def _extras(
    out: NDArray[np.floating[Any]], by_z: Array, by_f: Array, price: Array, share: Array, move: Array,
    theta_spot: Array, own: Array, positive: Mask, level_slope: Array, bend: Array, size: Array, r: Routes, w: Watched,
    landed: Array, a: Recipes, lim: Limits, short: Position,
) -> None:  # fmt: skip
    """The rows and columns of rents, charges, applied rates and shortages, one unknown after the other."""
    sources, markets, tranches = size.size, theta_spot.size, level_slope.size
    first, bounds, rates = lim.counts
    fixed = first + bounds + rates
    extras = fixed + short.size
    members = lim.routes.size
    by_route = np.empty(members)  # dd/dz of every membership
    for k in range(members):
        by_route[k] = landed[BY_CIF, lim.watched[k]]
    for k in range(lim.starts[first], members):
        at = lim.watched[k]
        by_route[k] = landed[CIF, at] - w.left_out[at]
        if not w.on_cif[at]:
            by_route[k] *= 1.0 + landed[LEVY_SLOPE, at]

    # Columns: what each unknown does to indices, levels, spot tonnes, and by them to every excess.
    index_by, level_by, spot_by = np.zeros((extras, markets)), np.zeros((extras, tranches)), np.zeros((extras, markets))
    all_excess, pulled = np.zeros((extras, sources)), np.empty((extras, markets))
    for e in range(extras):
        excess = all_excess[e]
        group = e if e < first else e - bounds
        grouped = e < first or first + bounds <= e < fixed
        if grouped:
            for k in range(lim.starts[group], lim.starts[group + 1]):
                i = lim.routes[k]
                index_by[e, r.market[i]] += share[i] * by_route[k]
                excess[r.source[i]] += theta_spot[r.market[i]] * share[i] * by_route[k]
        for t in range(tranches):
            for i in range(a.ins[t], a.ins[t + 1]):
                level_by[e, t] -= a.in_coef[i] * index_by[e, a.in_market[i]]
        if first <= e < first + bounds:
            for k in range(lim.taking_start[e - first], lim.taking_start[e - first + 1]):
                level_by[e, lim.taking[k]] -= 1.0
            for k in range(lim.giving_start[e - first], lim.giving_start[e - first + 1]):
                level_by[e, lim.giving[k]] += lim.content[e - first]
        for j in range(markets):
            spot_by[e, j] = own[j] * index_by[e, j]
        for t in range(tranches):
            level_by[e, t] *= level_slope[t]
            if level_by[e, t] != 0.0:
                for i in range(a.ins[t], a.ins[t + 1]):
                    spot_by[e, a.in_market[i]] += a.in_coef[i] * level_by[e, t]
                for o in range(a.outs[t], a.outs[t + 1]):
                    excess[a.out_source[o]] += a.out_coef[o] * level_by[e, t]
        if e >= fixed:
            spot_by[e, short[e - fixed]] -= 1.0
        for j in range(markets):
            if not positive[j]:
                spot_by[e, j] = 0.0
            pulled[e, j] = -(spot_by[e, j] + theta_spot[j] * index_by[e, j])
    _collect(all_excess, pulled, share, r.source, r.start, r.lead, r.full)
    for e in range(extras):
        for s in range(sources):
            out[s, sources + e] = all_excess[e, s] / size[s]

    # Rows: how each slack answers to prices, by the adjoint, and to the other unknowns.
    by_spot, by_level = np.empty(markets), np.empty(tranches)
    answers = all_excess  # by price, of every slack
    answers[:, :] = 0.0
    all_index = pulled
    switching = np.zeros(w.route.size)  # of the routes of this group, what one unit of delivered price moves away
    for e in range(extras):
        by_index = all_index[e]
        by_spot[:] = 0.0
        by_index[:] = 0.0
        by_level[:] = 0.0
        row = sources + e
        group = e if e < first else e - bounds
        grouped = e < first or first + bounds <= e < fixed
        if grouped:
            for k in range(lim.starts[group], lim.starts[group + 1]):
                i, at = lim.routes[k], lim.watched[k]
                j = r.market[i]
                part = share[i] / lim.size[e]
                moved = by_f[e] * theta_spot[j] * part
                by_spot[j] -= part
                by_index[j] -= theta_spot[j] * part
                out[row, r.source[i]] += moved * (landed[BY_CIF, at] * price[r.source[i]] * w.exported[at])
                out[row, row] += moved * by_route[k]
                if lim.overlap:
                    switching[at] = moved
            if lim.overlap:
                for other in range(first + rates):
                    column = sources + (other if other < first else other + bounds)
                    for k in range(lim.starts[other], lim.starts[other + 1]):
                        if other != group and switching[lim.watched[k]] != 0.0:
                            out[row, column] += switching[lim.watched[k]] * by_route[k]
                for k in range(lim.starts[group], lim.starts[group + 1]):
                    switching[lim.watched[k]] = 0.0
        elif e < first + bounds:
            for k in range(lim.taking_start[e - first], lim.taking_start[e - first + 1]):
                by_level[lim.taking[k]] -= 1.0 / lim.size[e]
            for k in range(lim.giving_start[e - first], lim.giving_start[e - first + 1]):
                by_level[lim.giving[k]] += lim.content[e - first] / lim.size[e]
        else:
            by_index[short[e - fixed]] -= 1.0 / a.choke[short[e - fixed]]
        for other in range(extras):
            total = 0.0
            for j in range(markets):
                total += by_spot[j] * spot_by[other, j] + by_index[j] * index_by[other, j]
            for t in range(tranches):
                total += by_level[t] * level_by[other, t]
            out[row, sources + other] += by_f[e] * total
        for t in range(tranches):
            weight = by_level[t]
            for i in range(a.ins[t], a.ins[t + 1]):
                if positive[a.in_market[i]]:
                    weight += a.in_coef[i] * by_spot[a.in_market[i]]
            by_level[t] = weight * level_slope[t]
        for j in range(markets):
            by_index[j] += by_spot[j] * own[j]
        for t in range(tranches):
            if by_level[t] != 0.0:
                for i in range(a.ins[t], a.ins[t + 1]):
                    by_index[a.in_market[i]] -= a.in_coef[i] * by_level[t]
                for o in range(a.outs[t], a.outs[t + 1]):
                    out[row, a.out_source[o]] += by_f[e] * bend[o] * by_level[t]
        out[row, row] += by_z[e]
    _collect(answers, all_index, move, r.source, r.start, r.lead, r.full)
    for e in range(extras):
        for s in range(sources):
            out[sources + e, s] += by_f[e] * answers[e, s]
