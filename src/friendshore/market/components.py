"""Markets that no recipe, recovery bound, quota or corridor joins are solved apart.

Gallium does not answer to copper: a step that is hard in one chain need not hold back the others, and six small matrices
take a fraction of the time of one large. `split` cuts the arrays by connected goods, `join` puts the answers back together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from friendshore.market.curves import Array, Demand, Index, Tranches
from friendshore.market.network import Mask, Network
from friendshore.market.policy import Group, Policy, RateGroup

AnyGroup = TypeVar("AnyGroup", Group, RateGroup)


@dataclass(frozen=True)
class Part:
    """One connected set of goods, and where its rows stand in the whole."""

    network: Network
    policy: Policy
    sources: Index
    markets: Index
    routes: Index
    tranches: Index
    quotas: Index
    corridors: Index
    recoveries: Index
    rates: Index


def component_of_goods(network: Network, policy: Policy) -> Index:
    """The number of the component that every good, then every activity, belongs to, (goods + activities,)."""
    label = network.linked
    groups = (*policy.quotas, *policy.corridors, *policy.rate_quotas)
    for group in groups:
        named = np.flatnonzero(np.bincount(label[network.route_good[group.routes]]))
        if named.size > 1:
            label = np.where(np.isin(label, named[1:]), named[0], label)
    return label


def split(network: Network, policy: Policy) -> tuple[Part, ...]:
    """The connected parts of a market, in the order of their first good; activities that touch no good go with the first."""
    n, p = network, policy
    goods = len(n.goods)
    if (n.linked[:goods] == n.linked[0]).all():
        return (_whole(n, p),)
    label = component_of_goods(n, p)
    of_good, of_activity = label[:goods], label[goods:]
    traded = np.isin(np.arange(goods), np.concatenate([n.source_good, n.market_good]))
    order = list(dict.fromkeys(int(x) for x in of_good[traded]))
    if len(order) <= 1:
        return (_whole(n, p),)
    of_activity = np.where(np.isin(of_activity, order), of_activity, order[0])
    return tuple(_part(n, p, of_good == one, of_activity == one) for one in order)


def _whole(n: Network, p: Policy) -> Part:
    rows = (n.source_good.size, n.market_good.size, n.route_source.size, p.tranche_activity.size)
    groups = (len(p.quotas), len(p.corridors), n.recovery_activity.size, len(p.rate_quotas))
    return Part(n, p, *(np.arange(size) for size in (*rows, *groups)))


def _part(n: Network, p: Policy, goods: Mask, activities: Mask) -> Part:
    sources, markets = np.flatnonzero(goods[n.source_good]), np.flatnonzero(goods[n.market_good])
    routes = np.flatnonzero(goods[n.route_good])
    acts = np.flatnonzero(activities)
    source_at, market_at = _positions(sources, n.source_good.size), _positions(markets, n.market_good.size)
    route_at, act_at = _positions(routes, n.route_source.size), _positions(acts, len(n.activities))
    outs, ins = np.flatnonzero(activities[n.out_activity]), np.flatnonzero(activities[n.in_activity])
    recoveries = np.flatnonzero(activities[n.recovery_activity])
    by_source = ("source_good", "source_country", "source_price", "source_size", "source_floor", "stock_release")
    by_market = ("market_good", "market_country", "theta", "index0", "stock_build")
    by_route = (
        "log_share", "delivered0", "freight", "premium", "fob_valued", "tariff0", "specific0", "export_tax0",
        "export_specific0", "flow0",
    )  # fmt: skip
    network = replace(
        n,
        **{name: getattr(n, name)[sources] for name in by_source},
        **{name: getattr(n, name)[markets] for name in by_market},
        **{name: getattr(n, name)[routes] for name in by_route},
        route_source=source_at[n.route_source[routes]],
        route_market=market_at[n.route_market[routes]],
        demand=Demand(*(getattr(n.demand, name)[markets] for name in n.demand.__dataclass_fields__)),
        activities=tuple(n.activities[k] for k in acts),
        activity_country=n.activity_country[acts],
        supply=n.supply.take(acts),
        capacity=n.capacity[acts],
        fixed_cost=n.fixed_cost[acts],
        support=n.support[acts],
        support_holder=tuple(n.support_holder[k] for k in acts),
        out_activity=act_at[n.out_activity[outs]],
        out_source=source_at[n.out_source[outs]],
        out_coef=n.out_coef[outs],
        in_activity=act_at[n.in_activity[ins]],
        in_market=market_at[n.in_market[ins]],
        in_coef=n.in_coef[ins],
        recovery_activity=act_at[n.recovery_activity[recoveries]],
        recovery_host=act_at[n.recovery_host[recoveries]],
        recovery_content=n.recovery_content[recoveries],
    )
    tranches = np.flatnonzero(activities[p.tranche_activity])
    tranche_at = _positions(tranches, p.tranche_activity.size)
    p_outs, p_ins = np.flatnonzero(tranche_at[p.out_tranche] >= 0), np.flatnonzero(tranche_at[p.in_tranche] >= 0)
    quotas, corridors = _own(p.quotas, route_at), _own(p.corridors, route_at)
    rates = _own(p.rate_quotas, route_at)
    t = p.tranches
    policy = replace(
        p,
        **{
            name: getattr(p, name)[routes]
            for name in (
                "open", "freight", "tariff", "specific", "export_tax", "export_specific", "reference", "gap_on_cif", "phase",
                "exporter_share", "dispersion", "floor_index", "offtake",
            )
        },
        quotas=tuple(_moved(p.quotas[e], route_at) for e in quotas),
        corridors=tuple(_moved(p.corridors[e], route_at) for e in corridors),
        rate_quotas=tuple(_moved(p.rate_quotas[e], route_at) for e in rates),
        purchases=p.purchases[markets],
        reserve_holder=(),
        tranche_activity=act_at[p.tranche_activity[tranches]],
        tranches=Tranches(
            t.curve.take(tranches), *(getattr(t, name)[tranches] for name in t.__dataclass_fields__ if name != "curve")
        ),
        out_tranche=tranche_at[p.out_tranche[p_outs]],
        out_source=source_at[p.out_source[p_outs]],
        **{name: getattr(p, name)[p_outs] for name in ("out_coef", "subsidy", "strike", "upside", "strike_dispersion")},
        in_tranche=tranche_at[p.in_tranche[p_ins]],
        in_market=market_at[p.in_market[p_ins]],
        in_coef=p.in_coef[p_ins],
        subsidy_terms=(),
        contract_terms=(),
    )  # fmt: skip
    return Part(network, policy, sources, markets, routes, tranches, quotas, corridors, recoveries, rates)


def _positions(rows: Index, size: int) -> Index:
    """Where each row of the whole stands in the part; -1 where it does not."""
    at = np.full(size, -1, dtype=np.intp)
    at[rows] = np.arange(rows.size)
    return at


def _own(groups: Sequence[Group], route_at: Index) -> Index:
    return np.array([e for e, group in enumerate(groups) if (route_at[group.routes] >= 0).all()], dtype=np.intp)


def _moved(group: AnyGroup, route_at: Index) -> AnyGroup:
    return replace(group, routes=route_at[group.routes])


def part_state(
    whole: Array, part: Part, *, sources: int, quotas: int, corridors: int, recoveries: int, markets: int
) -> Array:
    """The piece of a `Solution.state` of the whole that belongs to a part."""
    rates = whole.size - sources - quotas - corridors - recoveries - markets
    counts = (sources, quotas, corridors, recoveries, rates, markets)
    rows = (part.sources, part.quotas, part.corridors, part.recoveries, part.rates, part.markets)
    starts = np.cumsum((0, *counts[:-1]))
    return np.concatenate([whole[first + own] for first, own in zip(starts, rows, strict=True)])
