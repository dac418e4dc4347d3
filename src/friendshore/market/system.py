"""The equations of a market at one guess of its prices, and their derivatives.

Unknowns are the log price of every source, and one number per limited group: the rent of a quota or a corridor, the charge of
a recovery bound, the applied rate of a tariff-rate quota, the tonnes a market goes without. `newton` moves them,
`equilibrium` decides where to begin and what to try.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, ndtr

from friendshore.market.curves import Array, Index, demand, sum_by, tranche_supply
from friendshore.market.network import Mask, Network
from friendshore.market.policy import Policy, owed, reached, sellable
from friendshore.market.sourcing import source

CEILING = 20.0  # log of the largest multiple of its base that a price is tried at
ROOT_2_PI = float(np.sqrt(2.0 * np.pi))


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
    """What the equations say at one guess; `System.landed` sees to it that the prices of routes are there."""

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
        self._land()
        self.floor_reference = policy.reference[self.floored]
        self.floor_on_cif = policy.gap_on_cif[self.floored]
        self.floor_phase, self.floor_spread = policy.phase[self.floored], policy.dispersion[self.floored]
        self.full = all(block.full for block in n.blocks)
        self.offtake_in = owed(policy, n.route_market, self.markets)
        self.offtake_out = owed(policy, n.route_source, self.sources)
        self.dead = ~reached(n, policy)
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
        self.size = np.maximum(n.source_size, 1e-300)
        self.stranded = ~sellable(n, policy)  # nobody may buy: what is made goes to waste
        self.floor = np.log(np.maximum(n.source_floor, 1e-300))
        self.ceiling = np.log(n.start_price) + CEILING
        self._extras()
        self._pairs()

    def _land(self) -> None:
        """Everything about a route that no unknown moves, worked out once: delivered = (p (1 + x) + fixed) (1 + t) + duty."""
        n, p = self.network, self.policy
        self.attraction = n.attraction if not p.closed.size else np.where(p.open, n.attraction, -np.inf)
        self.exported = 1.0 + p.export_tax if p.export_tax.any() else None
        self.fixed_cif = p.export_specific + p.freight + n.premium
        self.rate = 1.0 + p.tariff
        self.left_out = n.fob_valued * p.freight  # freight outside the customs value
        self.fixed_duty = p.specific - p.tariff * self.left_out
        self.floored = np.flatnonzero(np.isfinite(p.reference)).astype(np.intp)

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
        """What joins unknowns, as index lists that the Jacobian only has to weight: recipes, and routes under two limits."""
        p, n = self.policy, self.network
        order = np.argsort(self.member_route, kind="stable")
        self.sharing = _pairs_with_equal(self.member_route[order], order)
        self.theta_route = n.theta[n.route_market]
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
        y = np.log(self.network.start_price)
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
            index[self.dead] = np.where(np.isfinite(n.demand.last), n.demand.last, n.index0)[self.dead]

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

    def landed(self, point: Point) -> Point:
        """The point with the delivered price of every route; whoever does not need them to find it leaves them out."""
        return point

    def take(self) -> Array:
        """An array by route, its contents of no meaning."""
        return np.empty(self.network.route_source.size)

    def release(self, point: Point) -> None:
        """Say that nobody looks at this point again: whoever keeps its large arrays may use them anew."""

    def close(self) -> None:
        """Say that nothing more is asked of this system."""

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

    def flows(self, point: Point) -> Array:
        """Tonnes on every route, (R,)."""
        flow = np.take(point.spot, self.network.route_market, out=self.take(), mode="clip")
        flow *= point.share
        flow += self.policy.offtake
        return flow

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

    def jacobian(
        self, point: Point, by_z: Array, by_f: Array, on_floor: Mask, *, single: bool = False
    ) -> NDArray[np.floating[Any]]:
        """Derivative of `residual` by (log prices, extras), (N, N); where `single` digits do, a quicker kind may give those."""
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
