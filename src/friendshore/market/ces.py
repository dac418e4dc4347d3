"""Markets with CES sourcing: Armington's buyers, who compare origins by ratios of prices and not by differences.

The equations of `system` with another way of buying; prices, measures, curves, limits and the search for an answer are the
same. Money adds up, tonnes do not: what arrives in a market is not what is used there as soon as relative prices move.
`gained` says by how much, and whoever prints a result of this mode prints that too.

Source: Armington (1969), A theory of demand for products distinguished by place of production.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from scipy.sparse import csr_array, diags_array

from friendshore.errors import MarketError
from friendshore.market.curves import Array, Index, demand, sum_by, tranche_supply
from friendshore.market.network import Mask, Network
from friendshore.market.policy import Policy
from friendshore.market.solution import Solution
from friendshore.market.sourcing import armington
from friendshore.market.system import Point, System, gap, receipt

LEAST = 1e-9  # of a base delivered price: no ratio is taken below it
ABOVE_ONE = 1e-6  # sigma must exceed one by this much


def gained(network: Network, solved: Solution) -> tuple[Array, Array, Array]:
    """Tonnes used and arrived in every market, and used less arrived: metal from nowhere, or lost where negative.

    used_j = S_j + sum_i O_ij,   arrived_j = sum_i q_ij;   equal for logit and homogeneous sourcing

    Returns
    -------
    used, arrived, gained   (M,) t each
    """
    arrived = sum_by(network.route_market, solved.flow, network.market_good.size)
    bought = solved.share * solved.spot[network.route_market]  # without take-or-pay, which is tonnes as it is
    used = arrived - sum_by(network.route_market, bought, network.market_good.size) + solved.spot
    return used, arrived, used - arrived


class Armington(System):
    """The equations of one network under one policy, buyers being CES."""

    def __init__(self, network: Network, policy: Policy) -> None:
        _refuse(network)
        super().__init__(network, policy)
        n = network
        self.sigma = n.theta * n.index0
        self.log_value = n.log_share + np.log(n.delivered0 / n.index0[n.route_market])

    def evaluate(self, x: Array) -> Point:
        """What the equations say at one guess of (log prices, extras)."""
        n, p = self.network, self.policy
        price, z = np.exp(x[: self.sources]), x[self.sources :]
        first = self.n_quota + self.n_corridor
        cif = price[n.route_source] * (1.0 + p.export_tax) + p.export_specific + p.freight + n.premium
        for e in range(first):
            cif[self.group_routes[e]] += z[e]
        tariff = p.tariff.copy()
        for e in range(self.n_rate):
            tariff[self.group_routes[first + e]] = z[first + self.n_recovery + e]
        delivered = cif + tariff * (cif - self.left_out) + p.specific
        base = np.where(self.floor_on_cif, cif[self.floored], delivered[self.floored])
        levy, levy_slope = gap(self.floor_reference, base, self.floor_spread)
        levy, levy_slope = self.floor_phase * levy, self.floor_phase * levy_slope
        delivered[self.floored] += levy
        ratio = np.where(p.open, np.maximum(delivered / n.delivered0, LEAST), np.inf)
        relative, share = armington(ratio, self.log_value, n.log_share, self.sigma, n.market_start, n.route_market)
        index = n.index0 * relative
        index[self.dead] = np.where(np.isfinite(n.demand.last), n.demand.last, n.index0)[self.dead]

        receipts, receipt_slope = receipt(price[p.out_source], p.strike, p.upside, p.strike_dispersion)
        tranches = p.tranche_activity.size
        margin = sum_by(p.out_tranche, p.out_coef * (receipts + p.subsidy), tranches)
        margin -= sum_by(p.in_tranche, p.in_coef * index[p.in_market], tranches)
        margin += n.support[p.tranche_activity] - n.fixed_cost[p.tranche_activity]
        for e, (taking, giving, content) in enumerate(self.recovery_terms):
            margin[taking] -= z[first + e]
            margin[giving] += content * z[first + e]
        level, level_slope = tranche_supply(p.tranches, margin)
        level, level_slope = np.where(self.halted, 0.0, level), np.where(self.halted, 0.0, level_slope)

        wanted, wanted_slope = demand(n.demand, index)
        used = sum_by(p.in_market, p.in_coef * level[p.in_tranche], self.markets)
        unserved, ramp_slope = self._unserved(index, wanted, z)
        spot_raw = np.where(self.dead, 0.0, used + wanted - unserved + self.fixed_use - self.offtake_in)
        spot = np.maximum(spot_raw, 0.0)
        made = sum_by(p.out_source, p.out_coef * level[p.out_tranche], self.sources)
        sent = sum_by(n.route_source, share * spot[n.route_market], self.sources)
        point = Point(
            price=price, cif=cif, rate=1.0 + tariff, delivered=delivered, levy=levy, levy_slope=levy_slope, index=index,
            share=share, wanted=wanted, wanted_slope=wanted_slope - ramp_slope, unserved=unserved, spot=spot,
            spot_raw=spot_raw, margin=margin, receipt_slope=receipt_slope, level=level, level_slope=level_slope,
            excess=made + n.stock_release - sent - self.offtake_out, limits=np.zeros(0),
        )  # fmt: skip
        point.limits = self._limits(z, point)
        return point

    def jacobian(self, point: Point, by_z: Array, by_f: Array, on_floor: Mask, *, single: bool = False) -> Array:
        """Derivative of `residual` by (log prices, extras), (N, N): the chain rule, a sparse matrix for each link.

        dq_ij = w_ij dS_j + S_j dw_ij,   dw_ij = sigma_j w_ij (dV_j / V_j - dd_ij / d_ij)
        """
        n, p = self.network, self.policy
        total, extras, tranches = self.sources + self.extras, self.extras, p.tranche_activity.size
        routes, first = n.route_source.size, self.n_quota + self.n_corridor
        r, market = np.arange(routes), n.route_market

        by_cif = self._by_cif(point)
        by_price = by_cif * (1.0 + p.export_tax) * point.price[n.route_source]
        member, of = self.member_route, self.sources + self.member_extra
        move = by_cif[member]
        move[self.member_is_rate] = self._by_rate(point, member[self.member_is_rate])
        d_delivered = _matrix([(r, n.route_source, by_price), (member, of, move)], (routes, total))
        d_index = _matrix([(market, r, point.share)], (self.markets, routes)) @ d_delivered

        taken = _matrix([(p.in_tranche, p.in_market, p.in_coef)], (tranches, self.markets))
        out_by = p.out_coef * point.receipt_slope * point.price[p.out_source]
        charges: list[tuple[Index, Index, Array]] = [(p.out_tranche, p.out_source, out_by)]
        for e, (taking, giving, content) in enumerate(self.recovery_terms):
            column = self.sources + first + e
            charges.append((taking, np.full(taking.size, column), np.full(taking.size, -1.0)))
            charges.append((giving, np.full(giving.size, column), np.full(giving.size, content)))
        d_margin = _matrix(charges, (tranches, total)) - taken @ d_index
        d_level = diags_array(point.level_slope) @ d_margin
        short = self.unserved_at
        unserved = _matrix(
            [(short, total - short.size + np.arange(short.size), np.ones(short.size))], (self.markets, total)
        )
        positive = ((point.spot_raw > 0.0) & ~self.dead).astype(float)
        d_spot = diags_array(positive) @ (diags_array(point.wanted_slope) @ d_index + taken.T @ d_level - unserved)

        # Flows: what follows the market as a whole, and what leaves a route for its own price.
        drawn = self.sigma * point.spot * positive
        d_pull = d_spot + diags_array(drawn / point.index) @ d_index
        away = drawn[market] * point.share / np.maximum(point.delivered, LEAST * n.delivered0)
        made = _matrix([(p.out_source, p.out_tranche, p.out_coef)], (self.sources, tranches)) @ d_level
        by_source = _matrix([(n.route_source, market, point.share)], (self.sources, self.markets))
        d_excess = (
            made - by_source @ d_pull + _matrix([(n.route_source, r, away)], (self.sources, routes)) @ d_delivered
        )

        out = np.zeros((total, total))
        out[: self.sources] = d_excess.toarray() / self.size[:, None]
        if extras:
            size = self.extra_size[self.member_extra]
            by_extra = _matrix(
                [(self.member_extra, market[member], point.share[member] / size)], (extras, self.markets)
            )
            own = _matrix([(self.member_extra, member, away[member] / size)], (extras, routes))
            slack = (own @ d_delivered - by_extra @ d_pull).toarray()
            for e, (taking, giving, content) in enumerate(self.recovery_terms):
                change = content * d_level[giving].sum(axis=0) - d_level[taking].sum(axis=0)
                slack[first + e] = change / self.extra_size[first + e]
            slack[self.fixed_extras :] = -d_index[short].toarray() / n.demand.choke[short][:, None]
            out[self.sources :] = by_f[:, None] * slack
            diagonal = np.arange(self.sources, total)
            out[diagonal, diagonal] += by_z
        rows = np.flatnonzero(on_floor)
        out[rows] = 0.0
        out[rows, rows] = 1.0
        return out


def _matrix(entries: Iterable[tuple[Index, Index, Array]], shape: tuple[int, int]) -> Any:
    """A sparse matrix of sums of entries (rows, columns, values)."""
    rows, columns, values = (np.concatenate(part) for part in zip(*entries, strict=True))
    return csr_array((values, (rows, columns)), shape=shape)


def _refuse(n: Network) -> None:
    """Markets that CES cannot describe.

    Raises
    ------
    MarketError   no base prices to compare with; an elasticity of one or less, with which no origin can be done without
    """
    if n.absolute:
        raise MarketError("CES sourcing compares prices with those of a base, and this world has curves alone")
    low = np.flatnonzero(n.theta * n.index0 <= 1.0 + ABOVE_ONE)
    if low.size:
        j = int(low[0])
        name = f"{n.goods[n.market_good[j]]} in {n.countries[n.market_country[j]]}"
        raise MarketError(
            f"CES sourcing needs an elasticity of substitution above 1, and {name} has {n.theta[j] * n.index0[j]:.4g}: "
            "with one or less a buyer cannot do without any of its origins"
        )
