"""The equations of `system` as compiled loops: the same numbers, without the cost of many small array calls.

`use` has every later solve take them. They need numba (extra `fast`), which compiles once and keeps the result on disk; a
single clearing does not repay its import, a slider, an ensemble or a server does. What the equations mean stands in `system`,
which remains the reference: the tests hold the two together.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numba import njit
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
compiled = njit(cache=True, error_model="numpy", fastmath={"reassoc"})  # sums may be taken several terms at a time
LARGE = 4_100_000  # just above 32 MB, where glibc's threshold for giving memory back ends
SMALLEST, LARGEST = 1e-250, 1e250  # sums of exponentials outside are taken again from the best origin


def use(wanted: bool = True) -> None:
    """Have `market.equilibrium.solve` take these loops from now on, or the plain arrays again."""
    equilibrium.take(Compiled if wanted else System)
    np.empty(LARGE)  # come and gone, it has the allocator keep freed pages: fresh ones cost more than what they hold


class Routes(NamedTuple):
    """What no unknown moves, by route; markets own the routes from `start[j]` to `start[j + 1]`.

    Where every source of a good serves market j (`full`), they follow each other from `lead[j]`. All positions are unsigned:
    a loop that need not ask whether an index counts from the end runs several elements at a time.
    """

    source: Position
    market: Position
    start: Position
    lead: Position
    full: Mask
    attraction: Array
    fixed_cif: Array
    exported: Array  # empty where no export tax stands
    rate: Array
    fixed_duty: Array
    tariff: Array
    left_out: Array
    offtake: Array
    floored: Position
    reference: Array
    on_cif: Mask
    phase: Array
    spread: Array
    scattered: bool
    theta: Array
    index0: Array
    dead: Mask
    dead_index: Array


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
    under: Mask  # of a floor, whose row is `floor`
    floor: Position
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
        lead, full = np.zeros(self.markets, dtype=np.intp), np.zeros(self.markets, dtype=bool)
        for block in n.blocks:
            lead[block.markets], full[block.markets] = block.sources.start, block.full
        self.routes = Routes(
            *n.positions, _at(lead), full, self.attraction, self.fixed_cif,
            np.zeros(0) if self.exported is None else self.exported,
            self.rate, self.fixed_duty, p.tariff, self.left_out, p.offtake,
            _at(self.floored), self.floor_reference, self.floor_on_cif, self.floor_phase, self.floor_spread,
            bool(self.floor_spread.any()), n.theta, n.index0, self.dead, np.where(np.isfinite(n.demand.last), n.demand.last, n.index0),
        )  # fmt: skip
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
        floor, under = np.zeros(self.member_route.size, dtype=np.intp), np.zeros(self.member_route.size, dtype=bool)
        if self.floored.size:
            floor = np.minimum(np.searchsorted(self.floored, self.member_route), self.floored.size - 1)
            under = self.floored[floor] == self.member_route
        taking, giving = [x[0] for x in self.recovery_terms], [x[1] for x in self.recovery_terms]
        self.limited = Limits(
            (self.n_quota + self.n_corridor, self.n_recovery, self.n_rate),
            _starts(sizes), _at(self.member_route), under, _at(floor), self.group_limit, self.extra_size,
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
        self.by_cif, self.move, self.pull = self._keep(), self._keep(), self._keep()

    def _pairs(self) -> None:
        """The loops walk the recipes themselves."""

    def evaluate(self, x: Array) -> Point:
        cif, delivered, score = self.take(), self.take(), self.take()
        price, rate, levy, levy_slope = _offers(x, self.sources, cif, delivered, score, self.routes, self.limited)
        with np.errstate(over="ignore"):
            np.exp(score, out=score)
        (
            index,
            wanted,
            wanted_slope,
            unserved,
            spot,
            spot_raw,
            margin,
            receipt_slope,
            level,
            level_slope,
            excess,
            limits,
        ) = _answer(
            x, price, delivered, score, self.routes, self.recipes, self.limited, _at(self.unserved_at), self.ramp
        )
        return Point(
            price, cif, rate, delivered, levy, levy_slope, index, score, wanted, wanted_slope, unserved, spot, spot_raw, margin,
            receipt_slope, level, level_slope, excess, limits,
        )  # fmt: skip

    def release(self, point: Point) -> None:
        self.network.spare.extend((point.cif, point.delivered, point.share))

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
        self.attraction, self.fixed_cif, self.rate = self._keep(), self._keep(), self._keep()
        self.left_out, self.fixed_duty = self._keep(), self._keep()
        taxed, floored = _landing(
            p.open, n.attraction, p.export_tax, p.export_specific, p.freight, n.premium, p.tariff, n.fob_valued, p.specific,
            p.reference, self.attraction, self.fixed_cif, self.rate, self.left_out, self.fixed_duty,
        )  # fmt: skip
        self.exported = 1.0 + p.export_tax if taxed else None
        self.floored = floored

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
        by_cif, move, pull = self.by_cif, self.move, self.pull
        positive, theta_spot, own, bend = _moves(
            by_cif, move, pull,
            point.price, point.rate, point.levy_slope, point.share, point.spot, point.spot_raw, point.wanted_slope,
            point.receipt_slope, point.level_slope, self.routes, self.recipes, self.whole,
        )  # fmt: skip
        for block in self.multiplied:
            share = block.dense(point.share).astype(kind, copy=False)
            pulled = block.dense(pull).astype(kind, copy=False)
            np.matmul(share.T, pulled, out=out[block.sources, block.sources])
        _assemble(
            out, point.share, move, pull, theta_spot, own, positive, point.level_slope, bend, self.size, self.routes, self.recipes,
            self.whole,
        )  # fmt: skip
        if self.extras:
            _extras(
                out, by_z, by_f, point.price, point.share, by_cif, move, point.cif, point.levy_slope, theta_spot, own, positive,
                point.level_slope, bend, self.size, self.routes, self.recipes, self.limited, _at(self.unserved_at),
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
    opened: Mask, attracted: Array, export_tax: Array, export_specific: Array, freight: Array, premium: Array, tariff: Array,
    fob_valued: Array, specific: Array, reference: Array, attraction: Array, fixed_cif: Array, rate: Array, left_out: Array,
    fixed_duty: Array,
) -> Any:  # fmt: skip
    """`System._land` in one pass; whether any export is taxed, and the routes under a floor."""
    taxed, under = False, 0
    for i in range(opened.size):
        attraction[i] = attracted[i] if opened[i] else -np.inf
        fixed_cif[i] = export_specific[i] + freight[i] + premium[i]
        rate[i] = 1.0 + tariff[i]
        left_out[i] = fob_valued[i] * freight[i]
        fixed_duty[i] = specific[i] - tariff[i] * left_out[i]
        taxed |= export_tax[i] != 0.0
        under += math.isfinite(reference[i])
    floored = np.empty(under, dtype=np.intp)
    under = 0
    for i in range(opened.size):
        if math.isfinite(reference[i]):
            floored[under] = i
            under += 1
    return taxed, floored


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


@compiled
def _offers(x: Array, sources: int, cif: Array, delivered: Array, score: Array, r: Routes, lim: Limits) -> Any:
    """Delivered price of every route, and the score of every origin: ln w0 - theta (d - d0)."""
    price = np.exp(x[:sources])
    z = x[sources:]
    first, bounds, rates = lim.counts
    rate = r.rate
    for j in range(r.theta.size):
        at, lead, theta = r.start[j], r.lead[j], r.theta[j]
        if r.full[j] and not r.exported.size:
            for k in range(r.start[j + 1] - at):
                c = price[lead + k] + r.fixed_cif[at + k]
                cif[at + k] = c
                delivered[at + k] = c * rate[at + k] + r.fixed_duty[at + k]
        else:
            for i in range(at, r.start[j + 1]):
                tax = r.exported[i] if r.exported.size else 1.0
                cif[i] = price[r.source[i]] * tax + r.fixed_cif[i]
                delivered[i] = cif[i] * rate[i] + r.fixed_duty[i]
        for i in range(at, r.start[j + 1]):  # apart: the machine takes several routes at a time where arrays are few
            score[i] = r.attraction[i] - theta * delivered[i]
    for e in range(first):
        for k in range(lim.starts[e], lim.starts[e + 1]):
            i = lim.routes[k]
            cif[i] += z[e]
            delivered[i] += z[e] * rate[i]
    if rates:
        rate = rate.copy()
        for e in range(rates):
            applied = z[first + bounds + e]
            for k in range(lim.starts[first + e], lim.starts[first + e + 1]):
                i = lim.routes[k]
                rate[i] = 1.0 + applied
                delivered[i] += (applied - r.tariff[i]) * (cif[i] - r.left_out[i])
    levy, slope = np.empty(r.floored.size), np.empty(r.floored.size)
    for k in range(r.floored.size):
        i = r.floored[k]
        short = r.reference[k] - (cif[i] if r.on_cif[k] else delivered[i])
        levy[k] = r.phase[k] * short if short > 0.0 else 0.0
        slope[k] = -r.phase[k] if short > 0.0 else 0.0
        if r.scattered and r.spread[k] > 0.0:
            gap, by = _gap(short, 0.0, r.spread[k])
            levy[k], slope[k] = r.phase[k] * gap, r.phase[k] * by
        delivered[i] += levy[k]
        score[i] = r.attraction[i] - r.theta[r.market[i]] * delivered[i]
    for k in range(lim.routes.size):
        i = lim.routes[k]
        score[i] = r.attraction[i] - r.theta[r.market[i]] * delivered[i]
    return price, rate, levy, slope


@compiled
def _from_best(
    share: Array, delivered: Array, attraction: Array, theta: float, at: int, end: int
) -> tuple[float, float]:
    """The exponentials of one market measured from its best origin, where they would overflow or vanish; best and sum."""
    best, total = -np.inf, 0.0
    for i in range(at, end):
        best = max(best, attraction[i] - theta * delivered[i])
    for i in range(at, end):
        share[i] = math.exp(attraction[i] - theta * delivered[i] - best) if best > -np.inf else 0.0
        total += share[i]
    return best, total


@compiled
def _add(out: Array, values: Array, weight: float, source: Position, at: int, end: int, lead: int, full: bool) -> None:
    """Add one market's route values, weighted, to a vector by source."""
    if full:
        for k in range(end - at):
            out[lead + k] += weight * values[at + k]
    else:
        for i in range(at, end):
            out[source[i]] += weight * values[i]


@compiled
def _add_row(
    out: NDArray[np.floating[Any]],
    row: int,
    values: Array,
    weight: float,
    source: Position,
    at: int,
    end: int,
    lead: int,
    full: bool,
) -> None:
    """The same into a row of a matrix."""
    if full:
        for k in range(end - at):
            out[row, lead + k] += weight * values[at + k]
    else:
        for i in range(at, end):
            out[row, source[i]] += weight * values[i]


@compiled
def _answer(
    x: Array,
    price: Array,
    delivered: Array,
    share: Array,
    r: Routes,
    a: Recipes,
    lim: Limits,
    short: Position,
    ramp: float,
) -> Any:
    """What buyers and producers do at those offers; `share` holds exp(score) and becomes the shares."""
    sources, markets, tranches = price.size, r.theta.size, a.cost.size
    z = x[sources:]
    first, bounds, rates = lim.counts
    fixed = first + bounds + rates
    index = np.empty(markets)
    for j in range(markets):
        best = total = 0.0
        for i in range(r.start[j], r.start[j + 1]):
            total += share[i]
        if not SMALLEST < total < LARGEST and not r.dead[j]:
            best, total = _from_best(share, delivered, r.attraction, r.theta[j], r.start[j], r.start[j + 1])
        if total > 0.0:
            index[j] = r.index0[j] - (best + math.log(total)) / r.theta[j]
            scale = 1.0 / total
            for i in range(r.start[j], r.start[j + 1]):
                share[i] *= scale
        else:
            index[j] = r.dead_index[j] if r.dead[j] else np.inf
        if r.dead[j]:
            index[j] = r.dead_index[j]

    margin, level, level_slope = np.empty(tranches), np.empty(tranches), np.empty(tranches)
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
    excess, used = a.released.copy(), np.zeros(markets)
    for t in range(tranches):
        if a.halted[t]:
            level[t] = level_slope[t] = 0.0
            continue
        level[t], level_slope[t] = _supply(a.shape[t], a.curve, t, margin[t])
        for o in range(a.outs[t], a.outs[t + 1]):
            excess[a.out_source[o]] += a.out_coef[o] * level[t]
        for i in range(a.ins[t], a.ins[t + 1]):
            used[a.in_market[i]] += a.in_coef[i] * level[t]

    wanted, wanted_slope, unserved = np.empty(markets), np.empty(markets), np.zeros(markets)
    for k in range(short.size):
        unserved[short[k]] = z[fixed + k]
    spot, spot_raw = np.empty(markets), np.empty(markets)
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
    return (
        index, wanted, wanted_slope, unserved, spot, spot_raw, margin, receipt_slope, level, level_slope, excess, limits,
    )  # fmt: skip


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
    by_cif: Array, move: Array, pull: Array, price: Array, rate: Array, levy_slope: Array, share: Array, spot: Array, spot_raw: Array, wanted_slope: Array,
    receipt_slope: Array, level_slope: Array, r: Routes, a: Recipes, whole: Index,
) -> Any:  # fmt: skip
    """Route by route: what a price moves, and how strongly its market pulls; recipes within a full block included."""
    markets = r.theta.size
    positive = np.empty(markets, dtype=np.bool_)
    theta_spot, own = np.zeros(markets), np.zeros(markets)
    for j in range(markets):
        positive[j] = spot_raw[j] > 0.0 and not r.dead[j]
        if positive[j]:
            theta_spot[j], own[j] = r.theta[j] * spot[j], wanted_slope[j]
    by_cif[:] = rate
    for k in range(r.floored.size):
        i = r.floored[k]
        by_cif[i] += levy_slope[k] * (1.0 if r.on_cif[k] else rate[i])
    for j in range(markets):
        at, lead, weight = r.start[j], r.lead[j], -(theta_spot[j] + own[j])
        if r.full[j] and not r.exported.size:
            for k in range(r.start[j + 1] - at):
                moved = price[lead + k] * share[at + k] * by_cif[at + k]
                move[at + k] = moved
                pull[at + k] = weight * moved
        else:
            for i in range(at, r.start[j + 1]):
                tax = r.exported[i] if r.exported.size else 1.0
                move[i] = price[r.source[i]] * tax * share[i] * by_cif[i]
                pull[i] = weight * move[i]
    for t in range(level_slope.size):
        if level_slope[t] == 0.0:
            continue
        for one in range(a.ins[t], a.ins[t + 1]):
            left = a.in_market[one]
            if whole[left] < 0 or not positive[left]:
                continue
            for other in range(a.ins[t], a.ins[t + 1]):
                right = a.in_market[other]
                if whole[right] != whole[left]:
                    continue
                value = a.in_coef[one] * level_slope[t] * a.in_coef[other]
                at, of = r.start[left], r.start[right]
                for k in range(r.start[right + 1] - of):
                    pull[at + k] += value * move[of + k]
    bend = np.empty(a.out_source.size)  # dY/dlog p of each output, per unit of slope
    for o in range(bend.size):
        bend[o] = a.out_coef[o] * receipt_slope[o] * price[a.out_source[o]]
    return positive, theta_spot, own, bend


@compiled
def _assemble(
    out: NDArray[np.floating[Any]], share: Array, move: Array, pull: Array, theta_spot: Array, own: Array, positive: Mask,
    level_slope: Array, bend: Array, size: Array, r: Routes, a: Recipes, whole: Index,
) -> None:  # fmt: skip
    """The price rows and columns of the Jacobian; full blocks already hold their products."""
    diagonal = np.zeros(size.size)
    for j in range(theta_spot.size):
        _add(diagonal, move, theta_spot[j], r.source, r.start[j], r.start[j + 1], r.lead[j], r.full[j])
        if whole[j] < 0:
            for i in range(r.start[j], r.start[j + 1]):
                if share[i] != 0.0:
                    for k in range(r.start[j], r.start[j + 1]):
                        out[r.source[i], r.source[k]] += share[i] * pull[k]
    for i in range(size.size):
        out[i, i] += diagonal[i]
    most = np.uintp(0)
    for t in range(level_slope.size):
        most += (a.ins[t + 1] - a.ins[t]) * (a.outs[t + 1] - a.outs[t])
    kept = 0  # what inputs answer to the prices of outputs, in full blocks: written row by row afterwards
    market, column, weight = np.empty(most, dtype=np.uintp), np.empty(most, dtype=np.uintp), np.empty(most)
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
                            for k in range(r.start[right], r.start[right + 1]):
                                out[r.source[i], r.source[k]] += value * share[i] * move[k]
            for o in range(a.outs[t], a.outs[t + 1]):
                made = a.out_source[o]
                value = a.out_coef[o] * used
                back = used * bend[o] if positive[left] else 0.0
                _add_row(
                    out, made, move, -value, r.source, r.start[left], r.start[left + 1], r.lead[left], r.full[left]
                )
                if back != 0.0 and r.full[left]:
                    market[kept], column[kept], weight[kept] = left, made, back
                    kept += 1
                elif back != 0.0:
                    for k in range(r.start[left], r.start[left + 1]):
                        out[r.source[k], made] -= back * share[k]
        for o in range(a.outs[t], a.outs[t + 1]):
            for other in range(a.outs[t], a.outs[t + 1]):
                out[a.out_source[o], a.out_source[other]] += a.out_coef[o] * slope * bend[other]
    first = 0
    while first < kept:
        lead, last = r.lead[market[first]], first
        while last < kept and r.lead[market[last]] == lead:
            last += 1
        for k in range(r.start[market[first] + 1] - r.start[market[first]]):
            for q in range(first, last):
                out[lead + k, column[q]] -= weight[q] * share[r.start[market[q]] + k]
        first = last
    for i in range(size.size):
        scale = 1.0 / size[i]
        for k in range(size.size):
            out[i, k] *= scale


@compiled
def _extras(
    out: NDArray[np.floating[Any]], by_z: Array, by_f: Array, price: Array, share: Array, by_cif: Array, move: Array, cif: Array,
    levy_slope: Array, theta_spot: Array, own: Array, positive: Mask, level_slope: Array, bend: Array, size: Array, r: Routes,
    a: Recipes, lim: Limits, short: Position,
) -> None:  # fmt: skip
    """The rows and columns of rents, charges, applied rates and shortages, one unknown after the other."""
    sources, markets, tranches = size.size, theta_spot.size, level_slope.size
    first, bounds, rates = lim.counts
    fixed = first + bounds + rates
    extras = fixed + short.size
    members = lim.routes.size
    by_route = np.empty(members)  # dd/dz of every membership
    for k in range(members):
        by_route[k] = by_cif[lim.routes[k]]
    for k in range(lim.starts[first], members):
        i = lim.routes[k]
        by_route[k] = cif[i] - r.left_out[i]
        if lim.under[k] and not r.on_cif[lim.floor[k]]:
            by_route[k] *= 1.0 + levy_slope[lim.floor[k]]

    # Columns: what each unknown does to indices, levels, spot tonnes, and by them to every excess.
    index_by, level_by, spot_by = np.zeros((extras, markets)), np.zeros((extras, tranches)), np.zeros((extras, markets))
    excess = np.empty(sources)
    for e in range(extras):
        excess[:] = 0.0
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
            pulled = spot_by[e, j] + theta_spot[j] * index_by[e, j]
            if pulled != 0.0:
                _add(excess, share, -pulled, r.source, r.start[j], r.start[j + 1], r.lead[j], r.full[j])
        for s in range(sources):
            out[s, sources + e] = excess[s] / size[s]

    # Rows: how each slack answers to prices, by the adjoint, and to the other unknowns.
    by_spot, by_index, by_level = np.empty(markets), np.empty(markets), np.empty(tranches)
    switching = np.zeros(r.source.size)  # of the routes of this group, what one unit of delivered price moves away
    for e in range(extras):
        by_spot[:] = 0.0
        by_index[:] = 0.0
        by_level[:] = 0.0
        row = sources + e
        group = e if e < first else e - bounds
        grouped = e < first or first + bounds <= e < fixed
        if grouped:
            for k in range(lim.starts[group], lim.starts[group + 1]):
                i = lim.routes[k]
                j = r.market[i]
                moved = theta_spot[j] * share[i] / lim.size[e]
                by_spot[j] -= share[i] / lim.size[e]
                by_index[j] -= moved
                switching[i] = moved
                tax = r.exported[i] if r.exported.size else 1.0
                out[row, r.source[i]] += by_f[e] * moved * by_cif[i] * price[r.source[i]] * tax
            for other in range(first + rates):
                column = sources + (other if other < first else other + bounds)
                for k in range(lim.starts[other], lim.starts[other + 1]):
                    if switching[lim.routes[k]] != 0.0:
                        out[row, column] += by_f[e] * switching[lim.routes[k]] * by_route[k]
            for k in range(lim.starts[group], lim.starts[group + 1]):
                switching[lim.routes[k]] = 0.0
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
        for j in range(markets):
            if by_index[j] != 0.0:
                _add_row(
                    out, row, move, by_f[e] * by_index[j], r.source, r.start[j], r.start[j + 1], r.lead[j], r.full[j]
                )
        out[row, row] += by_z[e]
