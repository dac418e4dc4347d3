"""How markets clear: prices at which everything made is bought, shipped, rationed or, in glut, discarded.

Unknowns are the log price of every source, and one number per limited group: the rent of a quota or a corridor, the
charge of a recovery bound, the applied rate of a tariff-rate quota, the tonnes a market goes without. A damped
semismooth Newton method with the analytic Jacobian solves them together: Fischer-Burmeister for rents, exact max and min
elsewhere. The homogeneous limit lives in `homogeneous`; surpluses in `accounts`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal

import numpy as np
from scipy.linalg import lapack
from scipy.special import expit, ndtr
from threadpoolctl import ThreadpoolController

from friendshore.errors import MarketError
from friendshore.market.certificate import refuse_infeasible
from friendshore.market.components import Part, part_state, split
from friendshore.market.curves import Array, Index, demand, sum_by, tranche_supply
from friendshore.market.network import Mask, Network
from friendshore.market.policy import Policy
from friendshore.market.sourcing import source

TOLERANCE = 1e-12  # of each market's size; what Newton aims for
ACCEPTED = 1e-10  # what counts as solved when rounding stops it short of that
SHRINK = (1.0, 0.5, 0.25, 0.125, 0.0625, 0.03125, 0.015625)
SINGLE_FROM = 256  # rows from which single-precision factors pay
KEEP_BELOW = 1e-3  # residual below which a Jacobian that still works is kept
KEEP_RATE = 0.05  # and how far it must bring the residual down in a step
STEP_LIMIT = 1.0  # largest move of a log price in a clipped step
LARGEST_FALL = -1.0 + 1e-6  # largest relative fall of a price in one step; the floor stands above it
LARGEST_RISE = 1e3  # and largest relative rise
RAMPS = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5)  # relative widths of the slope at the choke price
CEILING = 20.0  # log of the largest multiple of its base that a price is tried at
Style = Literal["price", "log", "clip"]
ROOT_2_PI = float(np.sqrt(2.0 * np.pi))


@dataclass(frozen=True)
class Solution:
    """A cleared market. (I,) sources, (M,) markets, (R,) routes, (T,) supply tranches; USD/t and tonnes."""

    price: Array
    index: Array
    share: Array
    flow: Array
    cif: Array
    before_levy: Array
    levy: Array
    delivered: Array
    wanted: Array  # final demand at min(V, choke)
    reserve_bought: Array  # net purchases of reserves that took place
    stock_build: Array
    unserved: Array
    spot: Array
    bought_stock: Array  # offtake beyond what the market can use
    margin: Array
    level: Array  # by tranche
    discarded: Array  # by source
    quota_rent: Array
    corridor_rent: Array
    rate: Array  # applied rate of each tariff-rate quota
    recovery_charge: Array
    tariff: Array  # (R,) rate in force, tariff-rate quotas included
    residual_t: float
    steps: int
    seconds: float
    status: str
    method: str
    undetermined: tuple[tuple[int, float, float], ...] = ()  # source, lowest and highest price that changes nothing
    state: Array = field(default_factory=lambda: np.zeros(0))


# Which fields of a solution run over which rows.
BY_ROWS: dict[str, tuple[str, ...]] = {
    "sources": ("price", "discarded"),
    "markets": ("index", "wanted", "reserve_bought", "stock_build", "unserved", "spot", "bought_stock"),
    "routes": ("share", "flow", "cif", "before_levy", "levy", "delivered", "tariff"),
    "tranches": ("margin", "level"),
    "quotas": ("quota_rent",),
    "corridors": ("corridor_rent",),
    "recoveries": ("recovery_charge",),
    "rates": ("rate",),
}


def gap(reference: Array, base: Array, spread: Array) -> tuple[Array, Array]:
    """max(0, reference - base), or its expectation where consignment prices scatter by `spread` USD/t; and its slope in base.

    E max(0, R - b - s z) = (R - b) Phi(k) + s phi(k),  k = (R - b) / s,  z standard normal.

    >>> gap(np.array([110.0]), np.array([100.0]), np.array([0.0]))
    (array([10.]), array([-1.]))
    """
    short = reference - base
    binding = short > 0.0
    levy, slope = np.where(binding, short, 0.0), np.where(binding, -1.0, 0.0)
    if spread.any():
        wide = (spread > 0.0) & np.isfinite(reference)
        k = short[wide] / spread[wide]
        levy[wide] = short[wide] * ndtr(k) + spread[wide] * np.exp(-0.5 * k * k) / ROOT_2_PI
        slope[wide] = -ndtr(k)
    return levy, slope


def receipt(price: Array, strike: Array, upside: Array, spread: Array) -> tuple[Array, Array]:
    """What a producer receives per tonne, and its slope in the price.

    No contract p; one-way max(p, strike); two-way strike + (1 - u) max(0, p - strike) with `upside` = 1 - u.
    """
    covered = np.isfinite(strike)
    strike = np.where(covered, strike, 0.0)
    over, over_slope = gap(price, strike, np.where(covered, spread, 0.0))
    return np.where(covered, strike + upside * over, price), np.where(covered, -upside * over_slope, 1.0)


@dataclass
class Point:
    """What the equations say at one guess; `shipped` adds what only a solution needs."""

    price: Array
    cif: Array
    rate: Array  # (R,) 1 + tariff
    delivered: Array
    levy: Array  # (F,) on the routes under a floor
    levy_slope: Array  # (F,) by cif or by landed duty paid, whichever the clause names
    index: Array
    share: Array
    wanted: Array
    wanted_slope: Array
    unserved: Array
    spot: Array
    spot_raw: Array
    margin: Array
    receipt_slope: Array
    level: Array
    level_slope: Array
    excess: Array  # (I,) supply less flows
    limits: Array  # (E,) slack F of each extra unknown, scaled


class System:
    """The equations of one network under one policy, with their Jacobian."""

    def __init__(self, network: Network, policy: Policy) -> None:
        self.network, self.policy = network, policy
        n = network
        self.sources, self.markets = n.source_good.size, n.market_good.size
        # Everything about a route that no unknown moves, worked out once: delivered = (p (1 + x) + fixed) (1 + t) + duty.
        self.theta_route = n.theta[n.route_market]
        self.attraction = np.where(policy.open, n.log_share + self.theta_route * n.delivered0, -np.inf)
        self.exported = 1.0 + policy.export_tax if policy.export_tax.any() else None
        self.fixed_cif = policy.export_specific + policy.freight + n.premium
        self.rate = 1.0 + policy.tariff
        self.left_out = n.fob_valued * policy.freight  # freight outside the customs value
        self.fixed_duty = policy.specific - policy.tariff * self.left_out
        self.floored = np.flatnonzero(np.isfinite(policy.reference)).astype(np.intp)
        self.floor_reference = policy.reference[self.floored]
        self.floor_on_cif = policy.gap_on_cif[self.floored]
        self.floor_phase, self.floor_spread = policy.phase[self.floored], policy.dispersion[self.floored]
        self.full = all(block.full for block in n.blocks)
        self.with_offtake = bool(policy.offtake.any())
        self.offtake_in = sum_by(n.route_market, policy.offtake, self.markets)
        reachable = sum_by(n.route_market, policy.open.astype(float), self.markets) > 0
        self.dead = ~reachable
        # Where nothing can be bought a reserve can still sell; nobody can build a stock.
        self.purchases = np.where(self.dead, np.minimum(policy.purchases, 0.0), policy.purchases)
        self.stock_build = np.where(self.dead, 0.0, n.stock_build)
        self.fixed_use = self.purchases + self.stock_build
        halted = np.zeros(policy.tranche_activity.size, dtype=bool)
        halted[policy.in_tranche[self.dead[policy.in_market]]] = True
        self.halted = halted
        self.contracted = bool(np.isfinite(policy.strike).any())
        self.one_per_output = np.ones(policy.out_source.size)
        self.running_cost = (n.fixed_cost - n.support)[policy.tranche_activity]
        self.offtake_out = sum_by(n.route_source, policy.offtake, self.sources)
        self.size = np.maximum(n.source_size, 1e-300)
        leaves = sum_by(n.route_source, policy.open.astype(float), self.sources)
        self.stranded = leaves == 0  # nobody may buy: what is made goes to waste
        self.floor = np.log(np.maximum(n.source_floor, 1e-300))
        self.ceiling = np.log(np.where(n.source_price > 0, n.source_price, price_scale(n))) + CEILING
        self._extras()
        self._pairs()

    # -- layout -------------------------------------------------------------------------------------------------------

    def _extras(self) -> None:
        n, p = self.network, self.policy
        self.n_quota, self.n_corridor = len(p.quotas), len(p.corridors)
        self.n_recovery, self.n_rate = n.recovery_activity.size, len(p.rate_quotas)
        groups = [*p.quotas, *p.corridors]
        mean_price = [float(np.mean(n.delivered0[g.routes])) for g in groups]
        self.group_routes = [g.routes for g in groups] + [g.routes for g in p.rate_quotas]
        self.group_limit = np.array([g.tonnes for g in groups] + [g.tonnes for g in p.rate_quotas], dtype=float)
        content = n.recovery_content
        recovery_scale = [float(n.supply.margin[k]) if n.supply.margin[k] > 0 else 1.0 for k in n.recovery_activity]
        recovery_size = [float(max(n.supply.level[a], 1e-12)) for a in n.recovery_activity]
        self.fixed_extras = self.n_quota + self.n_corridor + self.n_recovery + self.n_rate
        spread = [g.rate_out - g.rate_in for g in p.rate_quotas]
        self.extra_scale = np.array(
            [max(v, 1e-12) for v in mean_price] + recovery_scale + [max(s, 1e-12) for s in spread], dtype=float
        )
        size = [max(g.tonnes, 1e-12) for g in groups]
        self.extra_size = np.array(size + recovery_size + [max(g.tonnes, 1e-12) for g in p.rate_quotas], dtype=float)
        low = [0.0] * (self.n_quota + self.n_corridor + self.n_recovery) + [g.rate_in for g in p.rate_quotas]
        high = [np.inf] * (self.n_quota + self.n_corridor + self.n_recovery) + [g.rate_out for g in p.rate_quotas]
        self.extra_low, self.extra_high = np.array(low, dtype=float), np.array(high, dtype=float)
        # Every (extra, route) membership in two flat arrays, and the pairs of memberships that share a route.
        first = self.n_quota + self.n_corridor
        numbers = [*range(first), *(first + self.n_recovery + e for e in range(self.n_rate))]
        sizes = [routes.size for routes in self.group_routes]
        self.member_extra = np.repeat(np.array(numbers, dtype=np.intp), sizes)
        self.member_route = np.concatenate([np.zeros(0, dtype=np.intp), *self.group_routes])
        self.member_is_rate = self.member_extra >= first + self.n_recovery
        order = np.argsort(self.member_route, kind="stable")
        self.sharing = _pairs_with_equal(self.member_route[order], order)
        # A recovery bound acts on every tranche of its activities.
        self.recovery_terms: list[tuple[Index, Index, float]] = []
        for a, h, content_h in zip(n.recovery_activity, n.recovery_host, content, strict=True):
            taking = np.flatnonzero(p.tranche_activity == a).astype(np.intp)
            giving = np.flatnonzero(p.tranche_activity == h).astype(np.intp)
            self.recovery_terms.append((taking, giving, float(content_h)))
        # Shortage is an unknown of the markets in `unserved_at`; where `ramp` is set, demand falls to nothing within that
        # relative width of the choke price instead.
        self.ramp = 0.0
        self.unserved_at: Index = np.zeros(0, dtype=np.intp)

    def _pairs(self) -> None:
        """Recipe couplings between goods, as index lists that the Jacobian only has to weight."""
        p, n = self.policy, self.network
        order_in = np.argsort(p.in_tranche, kind="stable")
        order_out = np.argsort(p.out_tranche, kind="stable")
        tranche_in, tranche_out = p.in_tranche[order_in], p.out_tranche[order_out]

        def pairs(left: Index, right: Index, order_l: Index, order_r: Index) -> tuple[Index, Index]:
            start, stop = np.searchsorted(right, left, "left"), np.searchsorted(right, left, "right")
            count = stop - start
            row = np.repeat(order_l, count)
            offset = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
            return row.astype(np.intp), order_r[np.repeat(start, count) + offset].astype(np.intp)

        self.in_in = pairs(tranche_in, tranche_in, order_in, order_in)
        self.out_in = pairs(tranche_out, tranche_in, order_out, order_in)
        self.out_out = pairs(tranche_out, tranche_out, order_out, order_out)
        block_of_market = np.full(self.markets, -1)
        for b, block in enumerate(n.blocks):
            block_of_market[block.markets] = b
        self.block_of_market = block_of_market
        left, right = p.in_market[self.in_in[0]], p.in_market[self.in_in[1]]
        self.coupled = []
        for b in range(len(n.blocks)):
            for c in range(len(n.blocks)):
                rows = np.flatnonzero((block_of_market[left] == b) & (block_of_market[right] == c))
                if rows.size:
                    i = left[rows] - n.blocks[b].markets.start
                    j = right[rows] - n.blocks[c].markets.start
                    self.coupled.append((b, c, rows, i, j, np.unique(i).size == i.size))
        market = p.in_market[self.out_in[1]]
        made = p.out_source[self.out_in[0]]
        self.fed = []
        for c in range(len(n.blocks)):
            rows = np.flatnonzero(block_of_market[market] == c)
            if rows.size:
                j = market[rows] - n.blocks[c].markets.start
                self.fed.append((c, rows, made[rows], j, np.unique(made[rows]).size == rows.size))

    @property
    def extras(self) -> int:
        return self.fixed_extras + self.unserved_at.size

    def start(self) -> Array:
        """Base prices, rents of zero, in-quota rates, nobody unserved."""
        known = self.network.source_price
        y = np.log(np.where(known > 0, known, price_scale(self.network)))
        y[self.stranded] = self.floor[self.stranded]
        z = np.concatenate([self.extra_low, np.zeros(self.unserved_at.size)])
        return np.concatenate([y, z])

    # -- equations ----------------------------------------------------------------------------------------------------

    def evaluate(self, x: Array) -> Point:
        n, p = self.network, self.policy
        price = np.exp(x[: self.sources])
        z = x[self.sources :]
        cif = price[n.route_source]
        if self.exported is not None:
            cif *= self.exported
        cif += self.fixed_cif
        first = self.n_quota + self.n_corridor
        for e in range(first):
            cif[self.group_routes[e]] += z[e]
        delivered = cif * self.rate
        delivered += self.fixed_duty
        rate = self.rate
        if self.n_rate:
            rate = rate.copy()
            for e, group in enumerate(p.rate_quotas):
                applied, r = z[first + self.n_recovery + e], group.routes
                rate[r] = 1.0 + applied
                delivered[r] += (applied - p.tariff[r]) * (cif[r] - self.left_out[r])
        levy = levy_slope = np.zeros(0)
        if self.floored.size:
            base = np.where(self.floor_on_cif, cif[self.floored], delivered[self.floored])
            levy, levy_slope = gap(self.floor_reference, base, self.floor_spread)
            levy, levy_slope = self.floor_phase * levy, self.floor_phase * levy_slope
            delivered[self.floored] += levy
        score = self.theta_route * delivered
        np.subtract(self.attraction, score, out=score)
        index, share = source(score, n.theta, n.market_start, n.route_market)
        index += n.index0
        if self.dead.any():
            index[self.dead] = np.where(np.isfinite(n.demand.choke), n.demand.choke, n.index0)[self.dead]

        received = price[p.out_source]
        if self.contracted:
            receipts, receipt_slope = receipt(received, p.strike, p.upside, p.strike_dispersion)
        else:
            receipts, receipt_slope = received, self.one_per_output
        tranches = p.tranche_activity.size
        margin = sum_by(p.out_tranche, p.out_coef * (receipts + p.subsidy), tranches)
        margin = margin - sum_by(p.in_tranche, p.in_coef * index[p.in_market], tranches)
        margin -= self.running_cost
        for e, (taking, giving, content) in enumerate(self.recovery_terms):
            margin[taking] -= z[first + e]
            margin[giving] += content * z[first + e]
        level, level_slope = tranche_supply(p.tranches, margin)
        if self.halted.any():
            level[self.halted] = 0.0
            level_slope[self.halted] = 0.0

        wanted, wanted_slope = demand(n.demand, index)
        used = sum_by(p.in_market, p.in_coef * level[p.in_tranche], self.markets)
        unserved, ramp_slope = self._unserved(index, wanted, z)
        spot_raw = used + wanted - unserved + self.fixed_use - self.offtake_in
        spot_raw[self.dead] = 0.0
        spot = np.maximum(spot_raw, 0.0)
        made = sum_by(p.out_source, p.out_coef * level[p.out_tranche], self.sources)
        excess = made + n.stock_release - self._collect(share, spot) - self.offtake_out
        point = Point(
            price, cif, rate, delivered, levy, levy_slope, index, share, wanted, wanted_slope - ramp_slope, unserved, spot, spot_raw,
            margin, receipt_slope, level, level_slope, excess, np.zeros(0),
        )  # fmt: skip
        point.limits = self._limits(z, point)
        return point

    def _unserved(self, index: Array, wanted: Array, z: Array) -> tuple[Array, Array]:
        """Tonnes that final users go without, and their slope in the index."""
        slope = np.zeros(self.markets)
        if self.unserved_at.size:
            unserved = np.zeros(self.markets)
            unserved[self.unserved_at] = z[self.fixed_extras :]
            return unserved, slope
        if self.ramp == 0.0:
            return np.zeros(self.markets), slope
        choke = self.network.demand.choke
        limit = np.where(np.isfinite(choke), choke, 1.0)
        over = np.where(np.isfinite(choke) & ~self.dead, (index - limit) / (self.ramp * limit), -700.0)
        share = expit(over)
        return wanted * share, wanted * share * (1.0 - share) / (self.ramp * limit)

    def _collect(self, share: Array, weight: Array) -> Array:
        """Sum of share x weight over the markets of every source, (I,)."""
        n = self.network
        if not self.full:
            return sum_by(n.route_source, share * weight[n.route_market], self.sources)
        out = np.zeros(self.sources)
        for block in n.blocks:
            out[block.sources] = weight[block.markets] @ block.dense(share)
        return out

    def _flow(self, point: Point, routes: Index) -> Array:
        return point.share[routes] * point.spot[self.network.route_market[routes]] + self.policy.offtake[routes]

    def _by_cif(self, point: Point) -> Array:
        """dd/dcif: one plus the duty, less what a binding levy gives back."""
        by_cif = point.rate
        if self.floored.size:
            by_cif = by_cif.copy()
            at = by_cif[self.floored]
            by_cif[self.floored] = at + point.levy_slope * np.where(self.floor_on_cif, 1.0, at)
        return by_cif

    def _by_rate(self, point: Point, routes: Index) -> Array:
        """dd/dt on some routes: the customs value, less what a binding levy on the landed price gives back."""
        by_rate = point.cif[routes] - self.left_out[routes]
        if self.floored.size:
            at = np.minimum(np.searchsorted(self.floored, routes), self.floored.size - 1)
            under = (self.floored[at] == routes) & ~self.floor_on_cif[at]
            by_rate = by_rate * np.where(under, 1.0 + point.levy_slope[at], 1.0)
        return by_rate

    def _limits(self, z: Array, point: Point) -> Array:
        out = np.empty(self.extras)
        first = self.n_quota + self.n_corridor
        for e in range(first):
            out[e] = self.group_limit[e] - self._flow(point, self.group_routes[e]).sum()
        for e, (taking, giving, content) in enumerate(self.recovery_terms):
            out[first + e] = content * point.level[giving].sum() - point.level[taking].sum()
        for e in range(self.n_rate):
            flow = self._flow(point, self.group_routes[first + e])
            out[first + self.n_recovery + e] = self.group_limit[first + e] - flow.sum()
        out[: self.fixed_extras] /= self.extra_size
        if self.unserved_at.size:
            choke = self.network.demand.choke[self.unserved_at]
            out[self.fixed_extras :] = (choke - point.index[self.unserved_at]) / choke
        return out

    def bounds(self, point: Point) -> tuple[Array, Array, Array]:
        """Lower and upper bound of every extra unknown, and its scale."""
        if not self.unserved_at.size:
            return self.extra_low, self.extra_high, self.extra_scale
        top = np.maximum(point.wanted[self.unserved_at], 1e-300)
        return (
            np.concatenate([self.extra_low, np.zeros(top.size)]),
            np.concatenate([self.extra_high, top]),
            np.concatenate([self.extra_scale, top]),
        )

    def residual(self, x: Array, point: Point, smooth: float = 0.0) -> tuple[Array, Array, Array, Mask]:
        """Scaled residual of every equation, the two partials of each complementarity, and which prices sit on their floor."""
        y, z = x[: self.sources], x[self.sources :]
        scaled = point.excess / self.size
        above = y - self.floor
        on_floor = scaled > above
        rows = np.where(on_floor, above, scaled)
        low, high, scale = self.bounds(point)
        phi, by_z, by_f = complementarity((z - low) / scale, (high - z) / scale, point.limits, smooth)
        return np.concatenate([rows, phi]), by_z / scale, by_f, on_floor

    # -- derivatives --------------------------------------------------------------------------------------------------

    def jacobian(self, point: Point, by_z: Array, by_f: Array, on_floor: Mask) -> Array:
        """Derivative of `residual` by (log prices, extras), (N, N)."""
        n, p = self.network, self.policy
        total = self.sources + self.extras
        out = np.zeros((total, total))
        by_cif = self._by_cif(point)
        by_price = by_cif * point.price[n.route_source]  # dd/dlog p
        if self.exported is not None:
            by_price *= self.exported
        positive = (point.spot_raw > 0.0) & ~self.dead
        theta_spot = np.where(positive, n.theta * point.spot, 0.0)
        own = np.where(positive, point.wanted_slope, 0.0)
        weight_in = np.where(positive[p.in_market], p.in_coef, 0.0)
        slope_in = point.level_slope[p.in_tranche] * p.in_coef
        out_by = p.out_coef * point.receipt_slope * point.price[p.out_source]
        slope_out = point.level_slope[p.out_tranche]

        move = point.share * by_price
        diagonal = self._collect(move, theta_spot)
        shares = [block.dense(point.share) for block in n.blocks]
        moves = [block.dense(move) for block in n.blocks]
        pull: list[list[tuple[int, Array]]] = [[] for _ in n.blocks]
        for b, block in enumerate(n.blocks):
            weight = -(theta_spot + own)[block.markets]
            pull[b].append((b, weight[:, None] * moves[b]))
        for b, c, rows, i, j, unique in self.coupled:
            left, right = self.in_in[0][rows], self.in_in[1][rows]
            value = (weight_in[left] * slope_in[right])[:, None] * moves[c][j]
            if b == c and unique:
                pull[b][0][1][i] += value
            elif unique:
                block_pull = np.zeros((n.blocks[b].shape[0], n.blocks[c].shape[1]))
                block_pull[i] = value
                pull[b].append((c, block_pull))
            else:
                block_pull = np.zeros((n.blocks[b].shape[0], n.blocks[c].shape[1]))
                np.add.at(block_pull, i, value)
                pull[b].append((c, block_pull))
        for b, block in enumerate(n.blocks):
            for c, matrix in pull[b]:
                out[block.sources, n.blocks[c].sources] += shares[b].T @ matrix
        for c, rows, made, j, unique in self.fed:
            o, i = self.out_in[0][rows], self.out_in[1][rows]
            value = (p.out_coef[o] * slope_in[i])[:, None] * moves[c][j]
            span = n.blocks[c].sources
            if unique:
                out[made, span] -= value
            else:
                np.subtract.at(out[:, span], made, value)
            back = (weight_in[i] * slope_out[o] * out_by[o])[:, None] * shares[c][j]
            if unique:
                out[span, made] -= back.T
            else:
                np.subtract.at(out[span, :].T, made, back)
        left, right = self.out_out
        np.add.at(out, (p.out_source[left], p.out_source[right]), p.out_coef[left] * slope_out[left] * out_by[right])
        index = np.arange(self.sources)
        out[index, index] += diagonal
        out[: self.sources, : self.sources] /= self.size[:, None]
        if self.extras:
            self._extra_jacobian(out, point, by_z, by_f, by_cif, by_price, theta_spot, own, weight_in, out_by, positive)
        if on_floor.any():
            out[: self.sources][on_floor] = 0.0
            rows = np.flatnonzero(on_floor)
            out[rows, rows] = 1.0
        return out

    def _extra_jacobian(
        self, out: Array, point: Point, by_z: Array, by_f: Array, by_cif: Array, by_price: Array, theta_spot: Array,
        own: Array, weight_in: Array, out_by: Array, positive: Mask,
    ) -> None:  # fmt: skip
        n, p = self.network, self.policy
        extras, first = self.extras, self.n_quota + self.n_corridor
        # Columns: what each extra does to delivered prices, margins and unserved tonnes.
        r, col = self.member_route, self.member_extra
        market = n.route_market[r]
        switching = theta_spot[market] * point.share[r]
        move = by_cif[r]
        if self.n_rate:
            move[self.member_is_rate] = self._by_rate(point, r[self.member_is_rate])
        index_by = _sums((market, col), point.share[r] * move, (self.markets, extras))
        margin_by = np.zeros((p.tranche_activity.size, extras))
        np.subtract.at(margin_by, p.in_tranche, p.in_coef[:, None] * index_by[p.in_market])
        for e, (taking, giving, content) in enumerate(self.recovery_terms):
            margin_by[taking, first + e] -= 1.0
            margin_by[giving, first + e] += content
        level_by = point.level_slope[:, None] * margin_by
        spot_by = own[:, None] * index_by
        np.add.at(spot_by, p.in_market, weight_in[:, None] * level_by[p.in_tranche])
        spot_by[~positive] = 0.0
        for e, j in enumerate(self.unserved_at):
            if positive[j]:
                spot_by[j, self.fixed_extras + e] -= 1.0
        excess_by = np.zeros((self.sources, extras))
        np.add.at(excess_by, p.out_source, p.out_coef[:, None] * level_by[p.out_tranche])
        pulled = spot_by + theta_spot[:, None] * index_by
        for block in n.blocks:
            excess_by[block.sources] -= block.dense(point.share).T @ pulled[block.markets]
        excess_by += _sums((n.route_source[r], col), switching * move, excess_by.shape)
        out[: self.sources, self.sources :] = excess_by / self.size[:, None]

        # Rows: how each extra's slack answers to prices (adjoint) and to the other extras.
        size = self.extra_size[col]
        by_spot = _sums((col, market), -point.share[r] / size, (extras, self.markets))  # slack by spot tonnes
        by_index = _sums((col, market), -switching / size, (extras, self.markets))
        by_level = np.zeros((extras, p.tranche_activity.size))
        direct = _sums((col, n.route_source[r]), switching * by_price[r] / size, (extras, self.sources))
        one, other = self.sharing
        cross = _sums((col[one], col[other]), switching[one] * move[other] / size[one], (extras, extras))
        for e, (taking, giving, content) in enumerate(self.recovery_terms):
            by_level[first + e, taking] -= 1.0 / self.extra_size[first + e]
            by_level[first + e, giving] += content / self.extra_size[first + e]
        for e, j in enumerate(self.unserved_at):
            by_index[self.fixed_extras + e, j] -= 1.0 / n.demand.choke[j]
        cross += by_spot @ spot_by + by_index @ index_by + by_level @ level_by
        # Chain spot and level back to the index and to receipts.
        level_weight = by_level.copy()
        np.add.at(level_weight.T, p.in_tranche, weight_in[:, None] * by_spot.T[p.in_market])
        level_weight *= point.level_slope
        index_weight = by_index + by_spot * own
        np.subtract.at(index_weight.T, p.in_market, p.in_coef[:, None] * level_weight.T[p.in_tranche])
        prices = direct
        np.add.at(prices.T, p.out_source, out_by[:, None] * level_weight.T[p.out_tranche])
        for block in n.blocks:
            prices[:, block.sources] += index_weight[:, block.markets] @ block.dense(point.share * by_price)
        out[self.sources :, : self.sources] = by_f[:, None] * prices
        out[self.sources :, self.sources :] = by_f[:, None] * cross
        diagonal = np.arange(self.sources, self.sources + extras)
        out[diagonal, diagonal] += by_z


def _pairs_with_equal(ordered: Index, entry: Index) -> tuple[Index, Index]:
    """All pairs of entries (both orders, and each with itself) whose sorted keys are equal."""
    start, stop = np.searchsorted(ordered, ordered, "left"), np.searchsorted(ordered, ordered, "right")
    count = stop - start
    left = np.repeat(np.arange(ordered.size), count)
    offset = np.arange(int(count.sum())) - np.repeat(np.cumsum(count) - count, count)
    return entry[left].astype(np.intp), entry[np.repeat(start, count) + offset].astype(np.intp)


def complementarity(low: Array, high: Array, slack: Array, smooth: float) -> tuple[Array, Array, Array]:
    """Fischer-Burmeister residual of: z at its lower bound and slack >= 0, or between and slack = 0, or upper and slack <= 0.

    Returns the residual and its partial derivatives by z and by slack. `low` = z - lower, `high` = upper - z (inf where none).

    Source: Fischer (1992); Billups (1995) for two bounds.
    """
    with np.errstate(invalid="ignore"):
        finite = np.isfinite(high)
        top = np.where(finite, high, 1.0)
        inner, inner_high, inner_slack = _fischer(top, -slack, smooth)
        second = np.where(finite, -inner, slack)
        second_z = np.where(finite, inner_high, 0.0)
        second_slack = np.where(finite, inner_slack, 1.0)
    outer, by_low, by_second = _fischer(low, second, smooth)
    # phi = a + b - sqrt(a^2 + b^2) is negated nowhere: it is zero where both are non-negative and one of them vanishes.
    return outer, by_low + by_second * second_z, by_second * second_slack


def _fischer(a: Array, b: Array, smooth: float) -> tuple[Array, Array, Array]:
    root = np.hypot(np.hypot(a, b), smooth)
    safe = np.where(root > 0.0, root, 1.0)
    corner = 1.0 - np.sqrt(0.5)  # an element of the generalised gradient where both vanish
    by_a = np.where(root > 0.0, 1.0 - a / safe, corner)
    by_b = np.where(root > 0.0, 1.0 - b / safe, corner)
    # a + b - root loses all digits when one side is large; the conjugate form does not.
    stable = np.where(
        a + b > 0.0, (2.0 * a * b - smooth * smooth) / np.where(a + b + root > 0.0, a + b + root, 1.0), a + b - root
    )
    return stable, by_a, by_b


def _sums(at: tuple[Index, Index], values: Array, shape: tuple[int, int]) -> Array:
    """A matrix of sums of `values` by cell."""
    return sum_by(at[0] * shape[1] + at[1], values, shape[0] * shape[1]).reshape(shape)


@dataclass(frozen=True)
class Factors:
    """The LU factors of a Jacobian, in double or in single precision."""

    lu: Array
    pivot: Index
    single: bool

    def solve(self, right: Array) -> Array | None:
        """Solution of the system; None where it is not finite."""
        solver = lapack.sgetrs if self.single else lapack.dgetrs
        step, info = solver(self.lu, self.pivot, right, trans=1)
        return step.astype(float) if info == 0 and np.isfinite(step).all() else None


def factor(matrix: Array, *, single: bool = False) -> Factors | None:
    """LU factors, in place; None where the matrix is singular to working precision.

    A row-major matrix is the column-major transpose, which LAPACK factors without a copy and solves transposed. In single
    precision the factors take half the time; a Newton step from them is as good until the last digits, and the residual
    is always computed in double.
    """
    if single:
        lu, pivot, info = lapack.sgetrf(np.asarray(matrix.T, dtype=np.float32), overwrite_a=True)
    else:
        lu, pivot, info = lapack.dgetrf(matrix.T, overwrite_a=True)
    return Factors(lu, pivot, single) if info == 0 else None


def factor_solve(matrix: Array, right: Array) -> Array | None:
    """One solve, the factors thrown away; None where the matrix is singular."""
    factors = factor(matrix)
    return factors.solve(right) if factors is not None else None


def solve(network: Network, policy: Policy, *, start: Array | None = None, steps: int = 200) -> Solution:
    """Clear the market.

    Parameters
    ----------
    network, policy : the arrays of one experiment
    start : `Solution.state` of a solved neighbour, to start warm; the base otherwise
    steps : Newton steps before giving up

    Returns
    -------
    Solution   residual below 1e-10 of every market's size

    Raises
    ------
    MarketError   no answer was reached; the worst market is named, with its excess in tonnes
    """
    began = time.perf_counter()
    refuse_infeasible(network, policy)
    parts = split(network, policy)
    with _one_thread():
        if len(parts) == 1:
            return _solve_part(network, policy, start, steps, began)
        sizes = {
            "sources": network.source_good.size,
            "quotas": len(policy.quotas),
            "corridors": len(policy.corridors),
            "recoveries": network.recovery_activity.size,
            "markets": network.market_good.size,
        }
        fits = start is not None and start.size == sum(sizes.values()) + len(policy.rate_quotas)
        solved = [
            _solve_part(
                part.network,
                part.policy,
                part_state(start, part, **sizes) if fits and start is not None else None,
                steps,
            )
            for part in parts
        ]
    return _joined(network, policy, parts, solved, time.perf_counter() - began)


def _solve_part(
    network: Network, policy: Policy, start: Array | None, steps: int, began: float | None = None
) -> Solution:
    began = time.perf_counter() if began is None else began
    system = System(network, policy)
    x = system.start()
    if start is not None and start.size == x.size + system.markets:
        x, short = start[: x.size].copy(), start[x.size :]
        system.unserved_at = np.flatnonzero((short > 0.0) & ~system.dead).astype(np.intp)
        x = np.concatenate([x, short[system.unserved_at]])
    x, point, taken, method = _search(system, x, steps)
    return _solution(system, x, point, taken, time.perf_counter() - began, method)


def _joined(
    network: Network, policy: Policy, parts: Sequence[Part], solved: Sequence[Solution], seconds: float
) -> Solution:
    """The answers of the parts as one; steps are those of the longest, the method that of the hardest."""
    n, p = network, policy
    sizes = {
        "sources": n.source_good.size,
        "markets": n.market_good.size,
        "routes": n.route_source.size,
        "tranches": p.tranche_activity.size,
        "quotas": len(p.quotas),
        "corridors": len(p.corridors),
        "recoveries": n.recovery_activity.size,
        "rates": len(p.rate_quotas),
    }
    whole: dict[str, Array] = {}
    for rows, names in BY_ROWS.items():
        for name in names:
            out = np.zeros(sizes[rows])
            for part, one in zip(parts, solved, strict=True):
                out[getattr(part, rows)] = getattr(one, name)
            whole[name] = out
    undetermined = tuple(
        (int(part.sources[i]), low, high)
        for part, one in zip(parts, solved, strict=True)
        for i, low, high in one.undetermined
    )
    steps = max(one.steps for one in solved)
    methods = [one.method for one in solved if one.method != "Newton"]
    in_state = ("sources", "quotas", "corridors", "recoveries", "rates", "markets")
    state = np.zeros(sum(sizes[name] for name in in_state))
    for part, one in zip(parts, solved, strict=True):
        first = taken = 0
        for name in in_state:
            rows_here = getattr(part, name)
            state[first + rows_here] = one.state[taken : taken + rows_here.size]
            first, taken = first + sizes[name], taken + rows_here.size
    return Solution(
        **whole,
        residual_t=max(one.residual_t for one in solved),
        steps=steps,
        seconds=seconds,
        status=_status(n, whole["unserved"], whole["discarded"], undetermined, steps, methods),
        method="; ".join(dict.fromkeys(methods)) or "Newton",
        undetermined=undetermined,
        state=state,
    )


@cache
def _thread_pools() -> ThreadpoolController:
    return ThreadpoolController()


def _one_thread() -> Any:
    """Matrices of a few hundred rows: threads of the linear algebra library would wait for each other longer than they work."""
    return _thread_pools().limit(limits=1, user_api="blas")


def _search(system: System, x: Array, steps: int) -> tuple[Array, Point, int, str]:
    """Newton with shortages as complementarities; where that stalls, by a ramp, with quotas tightened step by step.

    Which of a hundred nearly equal markets goes short is a combinatorial question that complementarity alone answers
    slowly; along a ramp that narrows the answer is smooth, and the last step from it to the choke price is exact.
    """
    first = x[: system.sources + system.fixed_extras]
    warm = system.unserved_at.size > 0
    x, point, norm, taken = _newton(system, x, 60, smooth=0.0, pull=0.0, patience=10)
    if norm <= ACCEPTED:
        return x, point, taken, "Newton"
    system.unserved_at = np.zeros(0, dtype=np.intp)
    if warm:  # the neighbour ended on the ramp; so may this one, a few steps away
        system.ramp = RAMPS[-1]
        x, point, norm, more = _newton(system, first, 20, smooth=0.0, pull=0.0)
        taken += more
        if norm <= ACCEPTED:
            return x, point, taken, f"Newton, choke prices held within {10 * system.ramp:.0e}"
        system.ramp = 0.0
    x, point, norm, more = _newton(system, system.start(), 60, smooth=0.0, pull=0.0, patience=10, style="log")
    taken += more
    if norm <= ACCEPTED:
        return x, point, taken, "Newton after log steps"
    if np.isfinite(system.network.demand.choke).any():
        for tighten in (False, True):
            found, more, narrow = _along_ramp(system, first, tighten)
            taken += more
            if found is not None:
                y, point = found
                exact, more = _exact_shortage(system, y, point)
                taken += more
                if exact is None:
                    return y, point, taken, f"Newton, choke prices held within {10 * narrow:.0e}"
                return *exact, taken, "Newton after a shortage ramp"
    system.ramp, system.unserved_at = 0.0, np.zeros(0, dtype=np.intp)
    x, point, norm, more, method = _climb(system, first, steps)
    return x, point, taken + more, method


def _along_ramp(system: System, x: Array, tighten: bool) -> tuple[tuple[Array, Point] | None, int, float]:
    """Follow the narrowing ramp, from a wide one; `tighten` first closes every quota by steps from its base flow.

    Returns the point at the narrowest ramp reached (None if that is wider than 1e-4), the steps, and the width.
    """
    system.unserved_at = np.zeros(0, dtype=np.intp)
    taken, narrow = 0, 1.0
    found: tuple[Array, Point] | None = None
    if tighten:
        system.ramp, tight = RAMPS[0], system.group_limit
        base = np.array([float(system.network.flow0[routes].sum()) for routes in system.group_routes])
        for part in (0.75, 0.5, 0.25):
            system.group_limit = np.where(base > tight, tight ** (1.0 - part) * np.maximum(base, 1e-300) ** part, tight)
            x, _, _, more = _newton(system, x, 40, smooth=0.0, pull=0.0, goal=1e-4)
            taken += more
        system.group_limit = tight
    for system.ramp in RAMPS:
        last = system.ramp == RAMPS[-1]
        y, point, norm, more = _newton(system, x, 40, smooth=0.0, pull=0.0, goal=TOLERANCE if last else 1e-7)
        taken += more
        if norm > (ACCEPTED if last else 1e-6):
            break
        x, found, narrow = y, (y, point), system.ramp
    if narrow > 1e-4:
        return None, taken, narrow
    if narrow > RAMPS[-1] and found is not None:
        system.ramp = narrow
        y, point, norm, more = _newton(system, x, 40, smooth=0.0, pull=0.0)
        taken += more
        found = (y, point) if norm <= ACCEPTED else None
    system.ramp = narrow
    return found, taken, narrow


def _exact_shortage(system: System, x: Array, point: Point) -> tuple[tuple[Array, Point] | None, int]:
    """The complementarity itself, from the end of the ramp; None where it does not settle in a few steps."""
    ramp, system.ramp = system.ramp, 0.0
    near = (point.index > system.network.demand.choke * (1.0 - 10.0 * ramp)) & (point.wanted > 0.0) & ~system.dead
    system.unserved_at = np.flatnonzero(near).astype(np.intp)
    y, solved, norm, taken = _newton(system, np.concatenate([x, point.unserved[near]]), 30, smooth=0.0, pull=0.0)
    if norm <= ACCEPTED:
        return (y, solved), taken
    system.ramp, system.unserved_at = ramp, np.zeros(0, dtype=np.intp)
    return None, taken


def _resize(system: System, x: Array) -> Array:
    whole = system.start()
    shared = min(whole.size, x.size)
    whole[:shared] = x[:shared]
    return whole


def _climb(system: System, x: Array, steps: int) -> tuple[Array, Point, float, int, str]:
    """Other ways up where plain Newton stalls: other steps, smoothed rents, and damped prices."""
    cold, taken = x, 0
    plans: tuple[tuple[str, Style, tuple[float, ...]], ...] = (
        ("log steps", "log", ()),
        ("clipped steps", "clip", ()),
        ("smoothing", "log", (0.0,)),
        ("clipped smoothing", "clip", (0.0,)),
        ("price damping", "log", (1.0, 1e-1, 1e-2, 1e-3)),
        ("clipped price damping", "clip", (1.0, 1e-1, 1e-2, 1e-3)),
    )
    for name, style, pulls in plans:
        y = _resize(system, cold if pulls else x)
        for smooth in (1e-1, 1e-2, 1e-3, 1e-4, 1e-6):
            for pull in pulls:
                goal = max(smooth * 1e-3, 1e-9)
                y, point, norm, more = _newton(system, y, 40, smooth=smooth, pull=pull, goal=goal, style=style)
                taken += more
        for last in (style, "clip" if style == "log" else "log"):
            y, point, norm, more = _newton(system, y, steps, smooth=0.0, pull=0.0, style=last)
            taken += more
            if norm <= ACCEPTED:
                return y, point, norm, taken, f"Newton after {name}"
        x = y
    for style in ("log", "clip"):
        y, point, norm, more = _newton(system, x, 4 * steps, smooth=0.0, pull=1.0, style=style)
        taken += more
        if norm <= ACCEPTED:
            return y, point, norm, taken, "damped path"
    raise _unsolved(system, point, taken)


def _newton(
    system: System,
    x: Array,
    steps: int,
    *,
    smooth: float,
    pull: float,
    goal: float = TOLERANCE,
    style: Style = "price",
    patience: int = 0,
) -> tuple[Array, Point, float, int]:
    """Newton with backtracking. `pull` adds itself to the diagonal and shrinks with success (pseudo-transient steps)."""
    sources = system.sources
    point = system.evaluate(x)
    x, point = _admit(system, x, point)
    rows, by_z, by_f, on_floor = system.residual(x, point, smooth)
    norm = float(np.abs(rows).max(initial=0.0))
    stalled = 0
    damping = pull
    factors, single = None, True
    for step in range(steps):
        if norm <= goal:
            return x, point, norm, step
        if factors is None:
            matrix = system.jacobian(point, by_z, by_f, on_floor)
            if damping:
                diagonal = np.arange(sources)
                matrix[diagonal, diagonal] += damping
            factors = factor(matrix, single=single and rows.size >= SINGLE_FROM)
        last_size = rows.size
        direction = factors.solve(-rows) if factors is not None else None
        if direction is None:
            matrix = system.jacobian(point, by_z, by_f, on_floor)
            diagonal = np.arange(matrix.shape[0])
            matrix[diagonal, diagonal] += max(1e-9, damping)
            direction = factor_solve(matrix, -rows)
            if direction is None:
                return x, point, norm, step
        merit = float(rows @ rows)
        best: tuple[float, Array, Point, Array, Array, Array, Mask] | None = None
        for trial, scale in _trials(system, x, direction, style):
            np.clip(trial[:sources], system.floor, system.ceiling, out=trial[:sources])
            with np.errstate(
                over="ignore", invalid="ignore"
            ):  # a bold trial may overflow: it is then not finite, not taken
                trial_point = system.evaluate(trial)
                parts = system.residual(trial, trial_point, smooth)
                trial_rows = parts[0]
                trial_merit = float(trial_rows @ trial_rows)
            if np.isfinite(trial_merit) and (best is None or trial_merit < best[0]):
                best = (trial_merit, trial, trial_point, *parts)
            if trial_merit <= (1.0 - 1e-3 * scale) * merit:
                break
        if best is None:
            return x, point, norm, step
        if best[0] > 0.5 * merit:
            single = False
        if best[0] >= merit * (1.0 - 1e-9):
            stalled += 1
            if norm <= ACCEPTED:
                return x, point, norm, step  # rounding, not the method, ends the descent
            if stalled > 8:
                return x, point, norm, step
            damping = max(damping * 4.0, 1e-6) if pull else damping
        else:
            stalled = max(stalled - 1, 0)
            damping = damping * 0.5 if scale == 1.0 else damping
        _, x, point, rows, by_z, by_f, on_floor = best
        if patience and system.unserved_at.size > 3 and step >= patience:
            return x, point, float(np.abs(rows).max(initial=0.0)), step + 1
        admitted, point = _admit(system, x, point)
        if admitted.size != x.size:
            x = admitted
            rows, by_z, by_f, on_floor = system.residual(x, point, smooth)
        last, norm = norm, float(np.abs(rows).max(initial=0.0))
        # Close to the answer the old Jacobian serves another step: each costs a fifth of a new one.
        if damping or norm > min(KEEP_RATE * last, KEEP_BELOW) or rows.size != last_size:
            factors, single = None, True
    return x, point, norm, steps


def _trials(system: System, x: Array, direction: Array, style: Style) -> Iterator[tuple[Array, float]]:
    """Points to try along a Newton direction, boldest first, each with its share of the step.

    The unknown is the log of a price, for scale. Style `price` takes the step in the price itself, p (1 + delta): rents are
    added to prices, and a price that must fall to nothing while a rent takes its place does so in one step and not in ten.
    `log` shortens the whole step until no price moves by more than a factor of e, `clip` limits price by price. All but
    `clip` try the full clipped step too, so that one price without a slope does not hold back the others.
    """
    sources = system.sources
    longest = float(np.abs(direction[:sources]).max(initial=0.0))
    clipped = np.clip(direction[:sources], -STEP_LIMIT, STEP_LIMIT)
    shorten = min(1.0, STEP_LIMIT / longest) if style == "log" and longest > 0.0 else 1.0
    for n_try, scale in enumerate(SHRINK):
        if (style == "price" and n_try == 1) or (style == "log" and n_try == 0 and shorten < 1.0):
            trial = x + direction
            trial[:sources] = x[:sources] + clipped
            yield trial, 1.0
        trial = x + scale * shorten * direction
        if style == "price":
            trial[:sources] = x[:sources] + np.log1p(np.clip(scale * direction[:sources], LARGEST_FALL, LARGEST_RISE))
        elif style == "clip":
            trial[:sources] = x[:sources] + scale * clipped
        yield trial, scale


def _admit(system: System, x: Array, point: Point) -> tuple[Array, Point]:
    """Give every market whose index passed its choke price an unknown for the tonnes it goes without."""
    if system.ramp:
        return x, point
    choke = system.network.demand.choke
    short = (point.index > choke) & ~system.dead & (point.wanted > 0.0)
    short[system.unserved_at] = False
    new = np.flatnonzero(short).astype(np.intp)
    if not new.size:
        return x, point
    system.unserved_at = np.concatenate([system.unserved_at, new])
    x = np.concatenate([x, np.zeros(new.size)])
    return x, system.evaluate(x)


def price_scale(network: Network) -> float:
    """A typical price of the network, USD/t: where to begin when there is no base."""
    known = np.concatenate([network.source_price, network.index0])
    known = known[np.isfinite(known) & (known > 0)]
    if known.size:
        return float(np.median(known))
    curve = network.demand
    linear = (curve.a > 0) & (curve.b > 0)
    if linear.any():
        return float(np.median(curve.a[linear] / curve.b[linear])) / 2.0
    freight = network.freight[network.freight > 0]
    return float(freight.mean()) if freight.size else 1.0


def market_name(network: Network, source: int) -> str:
    """A source as a message names it: `gallium.metal in CHN`."""
    return f"{network.goods[network.source_good[source]]} in {network.countries[network.source_country[source]]}"


def _unsolved(system: System, point: Point, taken: int) -> MarketError:
    worst = int(np.argmax(np.abs(point.excess) / system.size))
    return MarketError(
        "no market-clearing prices were reached",
        market=market_name(system.network, worst),
        excess_t=float(point.excess[worst]),
        steps=taken,
        residual_t=float(np.abs(point.excess).max()),
    )


def _solution(system: System, x: Array, point: Point, taken: int, seconds: float, method: str) -> Solution:
    n = system.network
    z = x[system.sources :]
    first = system.n_quota + system.n_corridor
    levy = np.zeros(n.route_source.size)
    levy[system.floored] = point.levy
    unserved = np.where(
        system.dead, np.maximum(point.wanted + system.fixed_use, 0.0), np.clip(point.unserved, 0.0, point.wanted)
    )
    on_floor = np.log(np.maximum(point.price, 1e-300)) <= system.floor + 1e-9
    discarded = np.where(on_floor, np.maximum(point.excess, 0.0), 0.0)
    residual = np.abs(point.excess - discarded).max(initial=0.0)
    rents = np.maximum(z[:first], 0.0)
    undetermined = _undetermined(system, point)
    return Solution(
        price=point.price,
        index=point.index,
        share=point.share,
        flow=system._flow(point, np.arange(n.route_source.size)),
        cif=point.cif,
        before_levy=point.delivered - levy,
        levy=levy,
        delivered=point.delivered,
        wanted=point.wanted,
        reserve_bought=system.purchases,
        stock_build=system.stock_build,
        unserved=unserved,
        spot=point.spot,
        bought_stock=np.where(
            system.dead, np.maximum(-point.wanted - system.fixed_use, 0.0), np.maximum(-point.spot_raw, 0.0)
        ),
        margin=point.margin,
        level=point.level,
        discarded=discarded,
        quota_rent=rents[: system.n_quota],
        corridor_rent=rents[system.n_quota :],
        rate=np.array(z[first + system.n_recovery : system.fixed_extras]),
        recovery_charge=np.maximum(z[first : first + system.n_recovery], 0.0),
        tariff=point.rate - 1.0,
        residual_t=float(residual),
        steps=taken,
        seconds=seconds,
        status=_status(n, unserved, discarded, undetermined, taken, [method]),
        method=method,
        undetermined=undetermined,
        state=np.concatenate([x[: system.sources + system.fixed_extras], np.where(system.dead, 0.0, unserved)]),
    )


def _undetermined(system: System, point: Point) -> tuple[tuple[int, float, float], ...]:
    """Producers whose price changes nothing within an interval: at capacity, selling only where the levy fills the gap.

    Lower end: the price at which supply would leave its capacity. Upper end: the price at which the first levy vanishes.
    """
    n, p = system.network, system.policy
    if not system.floored.size:
        return ()
    by_price = system._by_cif(point)
    flow = system._flow(point, np.arange(n.route_source.size))
    busy = flow > 0.0
    moves = sum_by(n.route_source, busy * np.abs(by_price), system.sources)
    bends = sum_by(p.out_source, p.out_coef * point.level_slope[p.out_tranche] * point.receipt_slope, system.sources)
    sold = sum_by(n.route_source, flow, system.sources) > 1e-9 * system.size
    found = []
    for i in np.flatnonzero((moves == 0.0) & (bends == 0.0) & sold):
        routes = np.flatnonzero((n.route_source == i) & busy)
        under = np.searchsorted(system.floored, routes)
        base = np.where(p.gap_on_cif[routes], point.cif[routes], point.delivered[routes] - point.levy[under])
        steep = (1.0 + p.export_tax[routes]) * np.where(p.gap_on_cif[routes], 1.0, point.rate[routes])
        room = (p.reference[routes] - base) / np.maximum(steep, 1e-12)
        high = float(point.price[i] + room.min(initial=np.inf))
        low = float(n.source_floor[i])
        for o in np.flatnonzero(p.out_source == i):
            t = p.out_tranche[o]
            spare = point.margin[t] - p.tranches.margin_high[t]
            if np.isfinite(spare) and spare >= 0.0:
                low = max(low, float(point.price[i] - spare / p.out_coef[o]))
        found.append((int(i), low, high))
    return tuple(found)


def _status(
    network: Network,
    unserved: Array,
    discarded: Array,
    undetermined: tuple[tuple[int, float, float], ...],
    steps: int,
    methods: Sequence[str],
) -> str:
    parts = [f"solved in {steps} steps"]
    if unserved.sum() > 0:
        worst = int(np.argmax(unserved))
        good, country = network.goods[network.market_good[worst]], network.countries[network.market_country[worst]]
        markets = int((unserved > 0).sum())
        parts.append(
            f"{unserved.sum():.6g} t unserved in {markets} market{'s' * (markets > 1)}, most of it {good} in {country}"
        )
    if discarded.sum() > 0:
        worst = int(np.argmax(discarded))
        parts.append(f"{discarded.sum():.6g} t discarded in glut, most of it {market_name(network, worst)}")
    if undetermined:
        source_, low, high = undetermined[0]
        more = f" and {len(undetermined) - 1} more" if len(undetermined) > 1 else ""
        parts.append(
            f"the price of {market_name(network, source_)}{more} is indeterminate between {low:.6g} and {high:.6g} USD/t"
        )
    parts += [method.removeprefix("Newton, ") for method in dict.fromkeys(methods) if "choke prices" in method]
    return "; ".join(parts)
