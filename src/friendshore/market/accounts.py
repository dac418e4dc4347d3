"""Who gains and who pays: surplus and money by country, and a second count of the same total from resources alone.

Every line is a level under one policy; a change is the difference of two. The world sum of the lines equals utility less
production cost, freight, link premium, friction and the worth of what goes unserved: `resources` counts that side from
tonnes, without reading any of the money lines.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from friendshore.market.curves import (
    Array,
    Index,
    Shape,
    capacity_rent,
    demand_potential,
    margin_at,
    sum_by,
    supply_potential,
    tranche_surplus,
)
from friendshore.market.network import Network
from friendshore.market.policy import Policy
from friendshore.market.solution import Solution
from friendshore.market.system import receipt

ITEMS = (
    "users",
    "producers",
    "duty",
    "levy",
    "export_tax",
    "quota_rent",
    "corridor_rent",
    "trq_rent",
    "undertaking_rent",
    "contract",
    "subsidy",
    "base_support",
    "investment",
    "public_investment",
    "offtake",
    "reserve",
    "stock",
    "discard",
)


@dataclass(frozen=True)
class Resources:
    """The resource side, USD a year: what final users value less what it takes to serve them."""

    utility: float
    production_cost: float
    freight: float
    link_premium: float
    switching: float  # KL / theta, never negative
    origin_premium: float  # sum (w - w0) d0
    unserved: float
    investment: float  # what capacity built since the base year costs a year

    @property
    def total(self) -> float:
        spent = self.production_cost + self.freight + self.link_premium + self.unserved + self.investment
        return self.utility - spent - self.switching - self.origin_premium


@dataclass(frozen=True)
class Accounts:
    """Lines (country, item, good) -> USD a year, the capacity rent inside producers' surplus, and the resource side."""

    lines: dict[tuple[str, str, str], float]
    capacity_rent: dict[str, float]
    resources: Resources

    @property
    def total(self) -> float:
        return sum(self.lines.values())


def account(network: Network, policy: Policy, solved: Solution) -> Accounts:
    """Every line of one solved market, in levels.

    Users' surplus is the area under final demand up to the choke price; producers' the integral of supply over the margin,
    capacity rent inside it. Duty and levy go to the importer's treasury: the kept share to the country, the rest to the
    budget of its customs union. A contract's difference is paid by its funders, or by the producer's own treasury.
    """
    n, p, s = network, policy, solved
    lines: defaultdict[tuple[str, str, str], float] = defaultdict(float)
    countries, goods = n.countries, n.goods
    exporter, importer = n.source_country[n.route_source], n.market_country[n.route_market]
    route_good = n.route_good

    def by_route(item: str, value: Array, country: np.ndarray) -> None:
        sums: defaultdict[tuple[int, int], float] = defaultdict(float)
        for r in np.flatnonzero(value):
            sums[int(country[r]), int(route_good[r])] += float(value[r])
        for (c, g), usd in sums.items():
            lines[countries[c], item, goods[g]] += usd

    def by_route_of(holder: str, item: str, routes: Index, value: Array) -> None:
        for r, usd in zip(map(int, routes), value, strict=True):
            lines[holder, item, goods[route_good[r]]] += float(usd)

    def to_treasury(item: str, value: Array) -> None:
        sums: defaultdict[tuple[int, int], float] = defaultdict(float)
        for r in np.flatnonzero(value):
            sums[int(importer[r]), int(route_good[r])] += float(value[r])
        for (c, g), usd in sums.items():
            kept = float(n.kept_share[c])
            lines[countries[c], item, goods[g]] += kept * usd
            if kept < 1.0:
                lines[n.budget[c], item, goods[g]] += (1.0 - kept) * usd

    beyond = np.maximum(s.index - n.demand.choke, 0.0) * (s.wanted - s.unserved)
    surplus = -demand_potential(n.demand, s.index) - beyond
    for j in map(int, np.flatnonzero(surplus)):
        lines[countries[n.market_country[j]], "users", goods[n.market_good[j]]] += float(surplus[j])

    gained = tranche_surplus(p.tranches, s.margin)
    halted = _halted(n, p, s)
    gained = np.where(halted, 0.0, gained)
    rents = np.where(halted, 0.0, capacity_rent(p.tranches, s.margin))
    main_good = _main_good(n, p)
    capacity: defaultdict[str, float] = defaultdict(float)
    for t, k in enumerate(p.tranche_activity):
        country = countries[n.activity_country[k]]
        lines[country, "producers", main_good[t]] += float(gained[t])
        capacity[country] += float(rents[t])

    valued = s.cif - n.fob_valued * p.freight
    duty = (s.tariff * valued + p.specific) * s.flow
    for group, rate in zip(p.rate_quotas, s.rate, strict=True):
        r = group.routes
        traded = float(s.flow[r].sum())
        inside = min(1.0, group.tonnes / traded) if traded > 0 else 1.0
        rent = (rate - group.rate_in) * valued[r] * s.flow[r] * inside
        duty[r] -= rent
        if rent.sum() != 0.0:
            lines[group.owner, "trq_rent", goods[route_good[r[0]]]] += float(rent.sum())
    to_treasury("duty", duty)
    to_treasury("levy", (1.0 - p.exporter_share) * s.levy * s.flow)
    by_route("undertaking_rent", p.exporter_share * s.levy * s.flow, exporter)
    by_route("export_tax", (s.price[n.route_source] * p.export_tax + p.export_specific) * s.flow, exporter)
    for groups, rent_of, item in (
        (p.quotas, s.quota_rent, "quota_rent"),
        (p.corridors, s.corridor_rent, "corridor_rent"),
    ):
        for limited, rho in zip(groups, rent_of, strict=True):
            if rho > 0.0:
                for g in np.unique(route_good[limited.routes]):
                    routes = limited.routes[route_good[limited.routes] == g]
                    lines[limited.owner, item, goods[g]] += float(rho * s.flow[routes].sum())
    for over in p.overflows:
        carried = s.flow[over.routes] * (over.tonnes / max(float(s.flow[over.routes].sum()), over.tonnes))
        by_route_of(over.owner, "corridor_rent", over.routes, over.saving_usd_t * carried)

    received, _ = receipt(s.price[p.out_source], p.strike, p.upside, p.strike_dispersion)
    made = p.out_coef * s.level[p.out_tranche]
    difference = (received - s.price[p.out_source]) * made
    for rows, payers, _clause in p.contract_terms:
        for o in rows:
            _charge(lines, payers, n, int(p.out_source[o]), "contract", float(difference[o]))
    for rows, usd_t, payers, clause in p.subsidy_terms:
        item = "users" if clause in p.paid_by_users else "subsidy"
        for o in rows:
            _charge(lines, payers, n, int(p.out_source[o]), item, usd_t * float(made[o]))
    support = n.support[p.tranche_activity] * s.level
    for t in map(int, np.flatnonzero(support)):
        k = int(p.tranche_activity[t])
        holder = n.support_holder[k] or countries[n.activity_country[k]]
        lines[holder, "base_support", main_good[t]] -= float(support[t])

    for one in n.built:
        own = countries[n.activity_country[one.activity]]
        good = main_good[int(np.searchsorted(p.tranche_activity, one.activity))]
        item = "public_investment" if one.public else "investment"
        for payer, share in one.payers or ((own, 1.0),):
            lines[payer, item, good] -= share * one.usd_t * one.tonnes

    by_route("offtake", p.offtake * (s.index[n.route_market] - s.delivered), importer)
    for each in p.priced:  # what the formula adds to the market price goes from buyer to seller
        price = float(s.price[n.route_source[each.route]])
        more = (each.paid(price) - price) * each.tonnes
        lines[countries[importer[each.route]], "offtake", goods[route_good[each.route]]] -= more
        lines[countries[exporter[each.route]], "offtake", goods[route_good[each.route]]] += more
    released = s.price * n.stock_release
    for i in map(int, np.flatnonzero(released)):
        lines[countries[n.source_country[i]], "stock", goods[n.source_good[i]]] += float(released[i])
    stock = -s.index * (s.stock_build + s.bought_stock)
    for j in map(int, np.flatnonzero(stock)):
        lines[countries[n.market_country[j]], "stock", goods[n.market_good[j]]] += float(stock[j])
    for j, tonnes, owner, _clause in p.reserve_holder:
        if s.reserve_bought[j] == p.purchases[j] or tonnes < 0.0:  # what could not be bought is not paid
            lines[owner, "reserve", goods[n.market_good[j]]] -= float(s.index[j] * tonnes)
    wasted = s.price * s.discarded
    for i in map(int, np.flatnonzero(wasted)):
        lines[countries[n.source_country[i]], "discard", goods[n.source_good[i]]] -= float(wasted[i])
    return Accounts(dict(lines), dict(capacity), resources(network, policy, solved))


def resources(network: Network, policy: Policy, solved: Solution) -> Resources:
    """Utility of final users less production cost, freight, link premium and friction, from tonnes alone.

    cost of a slice = [q m(q) - F(m(q))] from its lower to its upper tonne,  m(q) the inverse of supply, F its potential
    friction of a market = S (KL(w, w0) / theta - sum (w - w0) d0)
    """
    n, p, s = network, policy, solved
    at = np.minimum(s.index, n.demand.choke)
    utility = float((at * s.wanted - demand_potential(n.demand, s.index)).sum())
    unserved = float((np.where(s.unserved > 0, at, 0.0) * s.unserved).sum())

    curve, low, high = p.tranches.curve, p.tranches.low, p.tranches.low + s.level
    cost = np.zeros(low.size)
    for tonnes, sign in ((high, 1.0), (low, -1.0)):
        m = margin_at(curve, tonnes)
        finite = np.isfinite(m) & (tonnes > 0.0)
        m = np.where(finite, m, 0.0)
        cost += sign * np.where(finite, tonnes * m - supply_potential(curve, m), 0.0)
    cost = np.where(curve.shape == Shape.FIXED, 0.0, cost)
    cost += n.fixed_cost[p.tranche_activity] * s.level
    made = p.out_coef * s.level[p.out_tranche]
    brought = sum(
        -usd_t * _unpaid(payers) * float(made[rows].sum()) for rows, usd_t, payers, _clause in p.subsidy_terms
    )

    w0 = np.exp(n.log_share)
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = np.where(s.share > 0.0, s.share * (np.log(s.share) - n.log_share), 0.0)
    markets = n.market_good.size
    switching = sum_by(n.route_market, spread, markets) / n.theta
    premium = sum_by(n.route_market, (s.share - w0) * n.delivered0, markets)
    logit = n.sourcing == "logit"
    return Resources(
        utility=utility,
        production_cost=float(cost.sum()) + brought,
        freight=float((p.freight * s.flow).sum()) - _saved(p, s),
        link_premium=float((n.premium * s.flow).sum()),
        switching=float((switching * s.spot).sum()) if logit else 0.0,
        origin_premium=float(-(premium * s.spot).sum()) if logit else 0.0,
        unserved=unserved,
        investment=sum(one.usd_t * one.tonnes for one in n.built),
    )


def _unpaid(payers: tuple[tuple[str, float], ...]) -> float:
    """Part of a subsidy that nobody pays: where it is negative, a cost that the measure brings to producers."""
    rest = 1.0 - sum(share for _, share in payers) if payers else 0.0
    return rest if rest > 1e-9 else 0.0


def _saved(policy: Policy, solved: Solution) -> float:
    """Freight that full corridors save, which no route's own freight shows."""
    return sum(over.saving_usd_t * min(over.tonnes, float(solved.flow[over.routes].sum())) for over in policy.overflows)


def _charge(
    lines: defaultdict[tuple[str, str, str], float],
    payers: tuple[tuple[str, float], ...],
    network: Network,
    source: int,
    item: str,
    usd: float,
) -> None:
    good = network.goods[network.source_good[source]]
    own = network.countries[network.source_country[source]]
    for payer, share in payers or ((own, 1.0),):
        lines[payer, item, good] -= share * usd


def _halted(network: Network, policy: Policy, solved: Solution) -> np.ndarray:
    """Tranches stopped because an input cannot be bought at all."""
    open_ = sum_by(network.route_market, policy.open, network.market_good.size) > 0
    halted = np.zeros(policy.tranche_activity.size, dtype=bool)
    halted[policy.in_tranche[~open_[policy.in_market]]] = True
    return halted


def _main_good(network: Network, policy: Policy) -> list[str]:
    """The good a tranche is counted under: its largest output by base value, or the host itself."""
    name = [network.activities[k].split("@")[0] for k in policy.tranche_activity]
    best = np.full(policy.tranche_activity.size, -1.0)
    for o, t in enumerate(policy.out_tranche):
        worth = policy.out_coef[o] * max(float(network.source_price[policy.out_source[o]]), 0.0)
        if worth > best[t]:
            best[t] = worth
            name[t] = network.goods[network.source_good[policy.out_source[o]]]
    return name
