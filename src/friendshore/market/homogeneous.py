"""The homogeneous limit: a tonne is a tonne wherever it comes from, and each market pays its cheapest delivered price.

Takayama and Judge's equilibrium, flows >= 0 complementary to delivered price >= market price, by a proximal method: each
round lets a flow answer the price gap around its last value, q = max(0, q' + beta (P - d)), solves the smooth-enough
system by semismooth Newton, and stops when no flow moves. A fixed point satisfies the complementarity exactly, with
degenerate flows too. Prices are held near their last values in the same way, so that fixed quantities, which answer no
price, leave a system that can be solved. Prices and totals are unique, flows are not.

Source: Takayama and Judge (1971); Rockafellar (1976) for the proximal point method.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from friendshore.errors import MarketError
from friendshore.market.certificate import refuse, refuse_infeasible, relief
from friendshore.market.curves import Array, demand, sum_by, tranche_supply
from friendshore.market.factors import factor_solve
from friendshore.market.network import Mask, Network
from friendshore.market.policy import Policy
from friendshore.market.solution import Solution, market_name
from friendshore.market.system import System, complementarity, gap, receipt

ROUNDS = 400
STIFFNESS = 50.0  # beta in units of (market size / price scale)
HOLD = 0.01  # pull of prices towards their last values, in the same units


def solve_homogeneous(network: Network, policy: Policy, *, steps: int = 100) -> Solution:
    """Clear a network of homogeneous goods. Arguments, result and errors as `equilibrium.solve`."""
    began = time.perf_counter()
    refuse_infeasible(network, policy)
    system = _Homogeneous(network, policy)
    x = system.start()
    taken = 0
    for _ in range(ROUNDS):
        # A bold trial may overflow: it is then not taken, and what never becomes a number is refused below.
        with np.errstate(over="ignore", invalid="ignore"):
            x, norm, more = _newton(system, x, steps)
            moved = system.remember(x)
        taken += more
        if norm <= 1e-11 and moved <= 1e-13:
            break
    else:
        if not (norm <= 1e-9 and moved <= 1e-10):  # written so that not a number is no answer either
            refuse(relief(network, policy))
            with np.errstate(over="ignore", invalid="ignore"):
                excess = np.nan_to_num(system.evaluate(x)["excess"])
            worst = int(np.argmax(np.abs(excess)))
            raise MarketError(
                "no market-clearing prices were reached",
                market=market_name(network, worst),
                excess_t=float(excess[worst]),
                steps=taken,
                residual_t=float(np.abs(excess).max()),
            )
    return system.solution(x, taken, time.perf_counter() - began)


class _Homogeneous:
    """Equations in source prices, market prices and the extra unknowns of `system.System`."""

    def __init__(self, network: Network, policy: Policy) -> None:
        self.n, self.p = network, policy
        self.base = System(network, policy)
        self.sources, self.markets = network.source_good.size, network.market_good.size
        self.scale = network.typical_price
        self.size = _tonne_scale(network)
        self.beta = STIFFNESS * self.size / self.scale
        self.hold = HOLD * self.size / self.scale
        self.anchor = np.where(policy.open, np.nan_to_num(network.flow0), 0.0)
        self.limited = np.isfinite(network.demand.choke) & (network.demand.level + network.demand.a > 0)
        self.base.unserved_at = np.flatnonzero(self.limited & ~self.base.dead).astype(np.intp)

    def start(self) -> Array:
        p = np.where(self.n.source_price > 0, self.n.source_price, self.scale)
        # No market begins below its dearest offer: where nothing arrives, a fixed demand has no slope to follow.
        offer = (p[self.n.route_source] * (1.0 + self.p.export_tax) + self.p.export_specific + self.p.freight) * (
            1.0 + self.p.tariff
        ) + self.p.specific
        v = np.where(self.n.index0 > 0, self.n.index0, self.scale)
        np.maximum.at(v, self.n.route_market, np.where(self.p.open, offer + 0.01 * self.scale, 0.0))
        self.near = np.concatenate([p, v])
        extras = np.concatenate([self.base.extra_low, np.zeros(self.base.unserved_at.size)])
        return np.concatenate([p, v, extras])

    def remember(self, x: Array) -> float:
        at = self.evaluate(x)
        flow = np.where(at["idle"][self.n.route_market], 0.0, at["spot_flow"])  # who needs nothing buys nothing
        prices = x[: self.sources + self.markets].copy()
        moved = float(np.abs(flow - self.anchor).max(initial=0.0)) / self.size
        moved = max(moved, float(np.abs(prices - self.near).max(initial=0.0)) / self.scale)
        self.anchor, self.near = flow, prices
        return moved

    def evaluate(self, x: Array) -> dict[str, Any]:
        n, p, b = self.n, self.p, self.base
        price, asked = x[: self.sources], x[self.sources : self.sources + self.markets]
        paid = np.where(b.dead & np.isfinite(n.demand.last), n.demand.last, asked)
        z = x[self.sources + self.markets :]
        rent = np.zeros(n.route_source.size)
        for e in range(b.n_quota + b.n_corridor):
            np.add.at(rent, b.group_routes[e], z[e])
        cif = price[n.route_source] * (1.0 + p.export_tax) + p.export_specific + p.freight + n.premium + rent
        tariff = p.tariff.copy()
        first = b.n_quota + b.n_corridor + b.n_recovery
        for e, group in enumerate(p.rate_quotas):
            tariff[group.routes] = z[first + e]
        valued = cif - n.fob_valued * p.freight
        pre = cif + tariff * valued + p.specific
        levy, slope = gap(p.reference, np.where(p.gap_on_cif, cif, pre), p.dispersion)
        levy, slope = p.phase * levy, p.phase * slope
        by_cif = 1.0 + tariff
        by_rate = valued * np.where(p.gap_on_cif, 1.0, 1.0 + slope)
        by_cif = by_cif + slope * np.where(p.gap_on_cif, 1.0, by_cif)
        delivered = pre + levy
        wish = self.anchor + self.beta * (paid[n.route_market] - delivered)
        active = p.open & (wish > 0.0)
        spot_flow = np.where(active, wish, 0.0)
        flow = spot_flow + p.offtake

        receipts, receipt_slope = receipt(price[p.out_source], p.strike, p.upside, p.strike_dispersion)
        tranches = p.tranche_activity.size
        margin = sum_by(p.out_tranche, p.out_coef * (receipts + p.subsidy), tranches)
        margin -= sum_by(p.in_tranche, p.in_coef * paid[p.in_market], tranches)
        margin += n.support[p.tranche_activity] - n.fixed_cost[p.tranche_activity]
        for e, (taking, giving, content) in enumerate(b.recovery_terms):
            margin[taking] -= z[b.n_quota + b.n_corridor + e]
            margin[giving] += content * z[b.n_quota + b.n_corridor + e]
        level, level_slope = tranche_supply(p.tranches, margin)
        level, level_slope = np.where(b.halted, 0.0, level), np.where(b.halted, 0.0, level_slope)
        wanted, wanted_slope = demand(n.demand, paid)
        unserved = np.where(b.dead, np.maximum(wanted + b.fixed_use, 0.0), 0.0)
        unserved[b.unserved_at] = z[b.fixed_extras :]
        used = sum_by(p.in_market, p.in_coef * level[p.in_tranche], self.markets)
        raw = wanted - unserved + used + b.fixed_use - b.offtake_in
        spot = np.maximum(raw, 0.0)
        # Offtake beyond need fills a stock; the market's price is then the cheapest offer, which nobody takes up.
        offers = np.where(p.open, delivered, np.inf)
        cheapest = np.minimum.reduceat(offers, n.market_start)
        idle = (raw < 0.0) & ~b.dead
        arrived = sum_by(n.route_market, spot_flow, self.markets)
        made = sum_by(p.out_source, p.out_coef * level[p.out_tranche], self.sources)
        excess = made + n.stock_release - sum_by(n.route_source, flow, self.sources)
        excess = excess + self.hold * (price - self.near[: self.sources])
        short = arrived - spot + self.hold * (paid - self.near[self.sources :])
        limits = self._limits(flow, level, paid)
        return {
            "price": price, "paid": paid, "z": z, "cif": cif, "pre": pre, "levy": levy, "delivered": delivered,
            "by_cif": by_cif, "by_rate": by_rate, "active": active, "spot_flow": spot_flow, "flow": flow,
            "margin": margin, "receipt_slope": receipt_slope, "level": level, "level_slope": level_slope,
            "wanted": wanted, "wanted_slope": wanted_slope, "unserved": unserved, "raw": raw, "spot": spot,
            "excess": excess, "gap": short, "limits": limits, "tariff": tariff, "idle": idle, "cheapest": cheapest, "asked": asked,
        }  # fmt: skip

    def _limits(self, flow: Array, level: Array, paid: Array) -> Array:
        """Scaled slack of every extra unknown, in the order of `system.System`."""
        b, first = self.base, self.base.n_quota + self.base.n_corridor
        used = [flow[routes].sum() for routes in b.group_routes]
        slack = [limit - total for limit, total in zip(b.group_limit, used, strict=True)]
        recovery = [content * level[giving].sum() - level[taking].sum() for taking, giving, content in b.recovery_terms]
        fixed = np.array([*slack[:first], *recovery, *slack[first:]], dtype=float) / b.extra_size
        choke = self.n.demand.choke[b.unserved_at]
        return np.concatenate([fixed, (choke - paid[b.unserved_at]) / choke])

    def residual(self, at: dict[str, Any]) -> tuple[Array, Array, Array, Mask, Mask]:
        b = self.base
        scaled = at["excess"] / self.size
        above = (at["price"] - self.n.source_floor) / self.scale
        on_floor = scaled > above
        rows = np.where(on_floor, above, scaled)
        short = at["gap"] / self.size
        # Nothing wanted from the spot market leaves its price to the cheapest offer.
        free = at["paid"] / self.scale
        dry = (short > free) & ~at["idle"] & ~b.dead
        market_rows = np.where(dry, free, short)
        market_rows = np.where(
            at["idle"], (at["paid"] - np.where(at["idle"], at["cheapest"], 0.0)) / self.scale, market_rows
        )
        market_rows = np.where(b.dead, (at["asked"] - at["paid"]) / self.scale, market_rows)
        top = np.maximum(at["wanted"][b.unserved_at], 1e-300)
        low = np.concatenate([b.extra_low, np.zeros(top.size)])
        high = np.concatenate([b.extra_high, top])
        scale = np.concatenate([b.extra_scale, np.maximum(top, 1e-9 * self.size)])
        phi, by_z, by_f = complementarity((at["z"] - low) / scale, (high - at["z"]) / scale, at["limits"], 0.0)
        return np.concatenate([rows, market_rows, phi]), by_z / scale, by_f, on_floor, dry

    def jacobian(self, at: dict[str, Any], by_z: Array, by_f: Array, on_floor: Mask, dry: Mask) -> Array:
        n, p, b = self.n, self.p, self.base
        i, m, e = self.sources, self.markets, b.extras
        routes = n.route_source.size
        # Delivered price, margin and flows by every unknown, densely: these networks are small.
        delivered = np.zeros((routes, i + m + e))
        r = np.arange(routes)
        delivered[r, n.route_source] = at["by_cif"] * (1.0 + p.export_tax)
        first = b.n_quota + b.n_corridor
        for g in range(first):
            delivered[b.group_routes[g], i + m + g] += at["by_cif"][b.group_routes[g]]
        for g in range(b.n_rate):
            rows = b.group_routes[first + g]
            delivered[rows, i + m + first + b.n_recovery + g] += at["by_rate"][rows]
        paid = np.zeros((m, i + m + e))
        paid[np.arange(m), i + np.arange(m)] = 1.0
        flow = self.beta * (paid[n.route_market] - delivered) * at["active"][:, None]
        margin = np.zeros((p.tranche_activity.size, i + m + e))
        np.add.at(margin, (p.out_tranche, p.out_source), p.out_coef * at["receipt_slope"])
        np.subtract.at(margin, (p.in_tranche, i + p.in_market), p.in_coef)
        for g, (taking, giving, content) in enumerate(b.recovery_terms):
            margin[taking, i + m + first + g] -= 1.0
            margin[giving, i + m + first + g] += content
        level = at["level_slope"][:, None] * margin
        spot = at["wanted_slope"][:, None] * paid
        np.add.at(spot, p.in_market, p.in_coef[:, None] * level[p.in_tranche])
        for g, j in enumerate(b.unserved_at):
            spot[j, i + m + b.fixed_extras + g] -= 1.0
        spot[at["raw"] <= 0.0] = 0.0
        excess = np.zeros((i, i + m + e))
        np.add.at(excess, p.out_source, p.out_coef[:, None] * level[p.out_tranche])
        np.subtract.at(excess, n.route_source, flow)
        gap_rows = -spot
        np.add.at(gap_rows, n.route_market, flow)
        out = np.zeros((i + m + e, i + m + e))
        out[:i], out[i : i + m] = excess / self.size, gap_rows / self.size
        prices = np.arange(i + m)
        out[prices, prices] += self.hold / self.size
        floor = np.flatnonzero(on_floor)
        out[floor] = 0.0
        out[floor, floor] = 1.0 / self.scale
        rows = i + np.flatnonzero(dry)
        out[rows] = 0.0
        out[rows, rows] = 1.0 / self.scale
        cut_off = i + np.flatnonzero(b.dead)
        out[cut_off] = 0.0
        out[cut_off, cut_off] = 1.0 / self.scale
        for j in np.flatnonzero(at["idle"]):
            own = np.flatnonzero((n.route_market == j) & p.open)
            out[i + j] = -delivered[own[np.argmin(at["delivered"][own])]] / self.scale
            out[i + j, i + j] += 1.0 / self.scale
        slack = np.zeros((e, i + m + e))
        for g in range(first):
            slack[g] = -flow[b.group_routes[g]].sum(axis=0) / b.extra_size[g]
        for g, (taking, giving, content) in enumerate(b.recovery_terms):
            slack[first + g] = (content * level[giving].sum(axis=0) - level[taking].sum(axis=0)) / b.extra_size[
                first + g
            ]
        for g in range(b.n_rate):
            k = first + b.n_recovery + g
            slack[k] = -flow[b.group_routes[first + g]].sum(axis=0) / b.extra_size[k]
        for g, j in enumerate(b.unserved_at):
            slack[b.fixed_extras + g, i + j] = -1.0 / n.demand.choke[j]
        out[i + m :] = by_f[:, None] * slack
        diagonal = np.arange(i + m, i + m + e)
        out[diagonal, diagonal] += by_z
        return out

    def solution(self, x: Array, taken: int, seconds: float) -> Solution:
        n, b = self.n, self.base
        at = self.evaluate(x)
        spot_flow = self._without_cross_hauling(at)
        total = sum_by(n.route_market, spot_flow, self.markets)
        # At a price of nothing more may be on its way than anybody uses; the rest stays where it was made, unsold.
        wasted = total > at["spot"] * (1.0 + 1e-9) + 1e-9 * self.size
        keep = np.where(wasted, at["spot"] / np.where(total > 0, total, 1.0), 1.0)
        unsold = sum_by(n.route_source, spot_flow * (1.0 - keep[n.route_market]), self.sources)
        spot_flow = spot_flow * keep[n.route_market]
        total = total * keep
        share = spot_flow / np.where(total > 0, total, 1.0)[n.route_market]
        on_floor = at["price"] <= n.source_floor + 1e-9 * self.scale
        left = at["excess"] + unsold
        discarded = np.where(on_floor, np.maximum(left, 0.0), 0.0)
        z, first = at["z"], b.n_quota + b.n_corridor
        unserved = np.clip(at["unserved"], 0.0, at["wanted"])
        index = at["paid"]
        short = f"; {unserved.sum():.6g} t unserved" if unserved.sum() > 1e-12 * self.size else ""
        glut = f"; {discarded.sum():.6g} t unsold at the lowest price" if discarded.sum() > 1e-9 * self.size else ""
        return Solution(
            price=at["price"], index=index, share=share, flow=spot_flow + self.p.offtake, cif=at["cif"], before_levy=at["pre"],
            levy=at["levy"], delivered=at["delivered"], wanted=at["wanted"], reserve_bought=b.purchases,
            stock_build=b.stock_build, unserved=unserved, spot=at["spot"],
            bought_stock=np.maximum(-at["raw"], 0.0), margin=at["margin"], level=at["level"], discarded=discarded,
            quota_rent=np.maximum(z[: b.n_quota], 0.0), corridor_rent=np.maximum(z[b.n_quota : first], 0.0),
            rate=np.array(z[first + b.n_recovery : b.fixed_extras]),
            recovery_charge=np.maximum(z[first : first + b.n_recovery], 0.0), tariff=at["tariff"],
            residual_t=float(np.abs(left - discarded).max(initial=0.0)), steps=taken, seconds=seconds,
            status=f"solved in {taken} steps, homogeneous goods (prices and totals are unique, flows need not be){short}{glut}",
            method="proximal semismooth Newton",
        )  # fmt: skip

    def _without_cross_hauling(self, at: dict[str, Any]) -> Array:
        """Spot flows with what two countries send each other kept at home instead, where that costs nobody anything.

        Goods that move free both ways leave the flows between two countries open up to a common amount; trade is what
        remains when it is taken off.
        """
        n, flow = self.n, at["spot_flow"].copy()
        sells, buys = n.source_country[n.route_source], n.market_country[n.route_market]
        route = {
            lane: r for r, lane in enumerate(zip(n.route_good.tolist(), sells.tolist(), buys.tolist(), strict=True))
        }
        for (good, i, j), out in route.items():
            back, here, there = route.get((good, j, i)), route.get((good, i, i)), route.get((good, j, j))
            if (
                i >= j
                or back is None
                or here is None
                or there is None
                or not (self.p.open[here] and self.p.open[there])
            ):
                continue
            both = min(flow[out], flow[back])
            saved = at["delivered"][[out, back]].sum() - at["delivered"][[here, there]].sum()
            if both > 0.0 and abs(saved) <= 1e-9 * self.scale:
                flow[[out, back]] -= both
                flow[[here, there]] += both
        held: Array = flow
        return held


def _newton(system: _Homogeneous, x: Array, steps: int) -> tuple[Array, float, int]:
    at = system.evaluate(x)
    found: tuple[Any, ...] = system.residual(at)
    rows, parts = found[0], found[1:]
    norm = float(np.abs(rows).max(initial=0.0))
    for step in range(steps):
        if norm <= 1e-14:
            return x, norm, step
        matrix = system.jacobian(at, *parts)
        direction = factor_solve(matrix, -rows)
        if direction is None:
            matrix = system.jacobian(at, *parts)
            diagonal = np.arange(matrix.shape[0])
            matrix[diagonal, diagonal] += 1e-8 / np.where(diagonal < system.sources + system.markets, system.scale, 1.0)
            direction = factor_solve(matrix, -rows)
            if direction is None:
                return x, norm, step
        merit, best, scale = float(rows @ rows), None, 1.0
        for _ in range(20):
            trial = x + scale * direction
            np.maximum(trial[: system.sources], system.n.source_floor, out=trial[: system.sources])
            trial_at = system.evaluate(trial)
            found = system.residual(trial_at)
            value = float(found[0] @ found[0])
            if np.isfinite(value) and (best is None or value < best[0]):
                best = (value, trial, trial_at, found[0], found[1:])
            if value <= (1.0 - 1e-3 * scale) * merit:
                break
            scale *= 0.5
        if best is None or best[0] >= merit * (1.0 - 1e-12):
            if norm <= 1e-10:
                return x, norm, step
            if best is None:
                return x, norm, step
        _, x, at, rows, parts = best
        norm = float(np.abs(rows).max(initial=0.0))
    return x, norm, steps


def _tonne_scale(network: Network) -> float:
    size = np.concatenate([network.demand.level, network.demand.a, network.supply.level])
    finite = network.capacity[np.isfinite(network.capacity)]
    size = np.concatenate([size, finite])
    size = size[np.isfinite(size) & (size > 0)]
    return float(size.max()) if size.size else 1.0
