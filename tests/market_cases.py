"""Small markets for the tests of `friendshore.market`, and ways to write the same market differently."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any

import numpy as np

from friendshore import faces
from friendshore.market.curves import Array, Demand, Index, Supply
from friendshore.market.equilibrium import solve
from friendshore.market.network import Network
from friendshore.market.policy import impose


def one_good(
    flow: Sequence[Sequence[float]],
    price: Sequence[float],
    *,
    sigma: float = 5.0,
    eps: float = 0.5,
    eta: float = 0.3,
    freight: float = 10.0,
    spare: Sequence[float] | float = 2.0,
    choke: float = np.inf,
    margin_share: float = 0.4,
) -> Network:
    """A market of one good, metal.refined, from its base flows [exporter][importer]; zero flows keep their routes.

    Countries are A, B, C, ...; `spare` is capacity over base output, `choke` the choke price over the base index,
    `margin_share` the part of the price that is margin.
    """
    x = np.array(flow, dtype=float)
    count = len(price)
    names = tuple("ABCDEFGHIJ"[:count])
    sells, buys = np.flatnonzero(x.sum(axis=1) > 0), np.flatnonzero(x.sum(axis=0) > 0)
    rows = [(s, m, i, j) for m, j in enumerate(buys) for s, i in enumerate(sells)]
    rs, rm, ri, rj = (np.array(column, dtype=np.intp) for column in zip(*rows, strict=True))
    p0 = np.array(price, dtype=float)[sells]
    f = np.where(ri == rj, 0.0, freight)
    q, landed = x[ri, rj], p0[rs] + f
    total = x.sum(axis=0)[buys]
    index0 = np.bincount(rm, weights=q * landed) / total
    made = x.sum(axis=1)[sells]
    k, m, r = sells.size, buys.size, len(rows)
    with np.errstate(divide="ignore"):
        log_share = np.log(q / total[rm])
    zero, one = np.zeros, np.ones
    return Network(
        goods=("metal.refined",), countries=names, sourcing="logit",
        source_good=np.zeros(k, dtype=np.intp), source_country=sells, source_price=p0, source_size=made, source_floor=1e-4 * p0,
        market_good=np.zeros(m, dtype=np.intp), market_country=buys, theta=sigma / index0, index0=index0,
        demand=Demand(np.zeros(m, dtype=np.int8), total, index0, np.full(m, eta), zero(m), one(m), choke * index0),
        route_source=rs, route_market=rm, log_share=log_share, delivered0=landed, freight=f, premium=zero(r), fob_valued=zero(r),
        tariff0=zero(r), specific0=zero(r), export_tax0=zero(r), export_specific0=zero(r), flow0=q,
        activities=tuple(f"refine@{names[i]}" for i in sells), activity_country=sells,
        supply=Supply(np.zeros(k, dtype=np.int8), made, margin_share * p0, np.full(k, eps), zero(k), one(k)),
        capacity=made * spare, fixed_cost=(1.0 - margin_share) * p0, support=zero(k), support_holder=("",) * k,
        out_activity=np.arange(k), out_source=np.arange(k), out_coef=one(k),
        in_activity=np.zeros(0, dtype=np.intp), in_market=np.zeros(0, dtype=np.intp), in_coef=zero(0),
        recovery_activity=np.zeros(0, dtype=np.intp), recovery_host=np.zeros(0, dtype=np.intp), recovery_content=zero(0),
        stock_build=zero(m), stock_release=zero(k), absolute=False, kept_share=one(count), budget=names,
    )  # fmt: skip


def lane(exporters: str, importers: str, good: str = "metal.refined") -> faces.Lane:
    """Routes between one-letter countries."""
    return faces.Lane(good=good, exporters=frozenset(exporters), importers=frozenset(importers))


def route_lane(n: Network, route: int) -> faces.Lane:
    """The lane of one route alone."""
    return faces.Lane(
        good=n.goods[n.route_good[route]],
        exporters=frozenset({n.countries[n.source_country[n.route_source[route]]]}),
        importers=frozenset({n.countries[n.market_country[n.route_market[route]]]}),
    )


def crosses(n: Network) -> Index:
    """Routes over a border."""
    return np.flatnonzero(n.source_country[n.route_source] != n.market_country[n.route_market])


def levied_at_capacity() -> tuple[Network, list[faces.Wedge]]:
    """A can make just what B buys from it at the reference price, and sells nowhere else: over a range its price changes nothing.

    B takes the same share of A's metal at any price that the levy lifts to 112, and a subsidy keeps A at its capacity.
    """
    n = one_good([[0.0, 40.0], [0.0, 60.0]], [100.0, 100.0])
    floor = faces.PriceGap(clause="floor", lane=lane("A", "B"), reference_usd_t=112.0, levy_on="landed_duty_paid")
    sold = float(solve(n, impose(n, [floor])).flow[0])
    subsidy = faces.Subsidy(clause="subsidy", good="metal.refined", producers=frozenset("A"), usd_t=30.0)
    return replace(n, capacity=np.array([sold, 200.0])), [floor, subsidy]


def rescale(
    n: Network, wedges: Sequence[faces.Wedge], tonnes: float, money: float
) -> tuple[Network, list[faces.Wedge]]:
    """The same market with every tonne counted as `tonnes` units and every dollar as `money`."""
    per = money / tonnes
    mass = {"flow0", "capacity", "source_size", "stock_build", "stock_release"}
    price = {
        "source_price", "source_floor", "index0", "delivered0", "freight", "premium", "specific0", "export_specific0",
        "fixed_cost", "support",
    }  # fmt: skip
    supply = replace(
        n.supply,
        level=n.supply.level * tonnes,
        margin=n.supply.margin * per,
        a=n.supply.a * tonnes,
        b=n.supply.b * tonnes / per,
    )
    demand = replace(
        n.demand, level=n.demand.level * tonnes, index=n.demand.index * per, a=n.demand.a * tonnes, b=n.demand.b * tonnes / per,
        choke=n.demand.choke * per,
    )  # fmt: skip
    scaled = {name: getattr(n, name) * tonnes for name in mass} | {name: getattr(n, name) * per for name in price}
    network = replace(n, supply=supply, demand=demand, theta=n.theta / per, **scaled)
    return network, [_rescaled(w, tonnes, per) for w in wedges]


def _rescaled(wedge: faces.Wedge, tonnes: float, per: float) -> faces.Wedge:
    changed: dict[str, Any] = {}
    for one in fields(wedge):
        value = getattr(wedge, one.name)
        if one.name in ("tonnes", "capacity_t", "cap_t") and value is not None:
            changed[one.name] = value * tonnes
        elif one.name.endswith("usd_t") and value is not None:
            changed[one.name] = value * per
    return replace(wedge, **changed)


def relabel(n: Network, countries: Index, goods: Index) -> Network:
    """The same market with its countries and goods listed in another order (new place -> old place)."""
    country_at, good_at = np.argsort(countries), np.argsort(goods)  # old -> new
    sg, sc = good_at[n.source_good], country_at[n.source_country]
    mg, mc = good_at[n.market_good], country_at[n.market_country]
    sources, markets = np.lexsort((sc, sg)), np.lexsort((mc, mg))
    source_at, market_at = np.argsort(sources), np.argsort(markets)
    rs, rm = source_at[n.route_source], market_at[n.route_market]
    routes = np.lexsort((rs, rm))

    def take(values: Any, order: Index) -> Any:
        if is_dataclass(values):
            return replace(values, **{one.name: getattr(values, one.name)[order] for one in fields(values)})  # type: ignore[type-var]
        return values[order]

    by_source = ("source_price", "source_size", "source_floor", "stock_release")
    by_market = ("theta", "index0", "demand", "stock_build")
    by_route = (
        "log_share", "delivered0", "freight", "premium", "fob_valued", "tariff0", "specific0", "export_tax0", "export_specific0",
        "flow0",
    )  # fmt: skip
    return replace(
        n,
        countries=tuple(n.countries[c] for c in countries),
        goods=tuple(n.goods[g] for g in goods),
        source_good=sg[sources], source_country=sc[sources], market_good=mg[markets], market_country=mc[markets],
        route_source=rs[routes], route_market=rm[routes],
        activity_country=country_at[n.activity_country],
        out_source=source_at[n.out_source], in_market=market_at[n.in_market],
        kept_share=n.kept_share[countries], budget=tuple(n.budget[c] for c in countries),
        **{name: take(getattr(n, name), sources) for name in by_source},
        **{name: take(getattr(n, name), markets) for name in by_market},
        **{name: take(getattr(n, name), routes) for name in by_route},
    )  # fmt: skip


def halved(n: Network, source: int) -> Network:
    """The same market with the country of one source without inputs split in two: half of its mines now lie in a twin."""
    twin = len(n.countries)
    made = np.flatnonzero(n.out_source == source)
    if made.size != 1 or (n.in_activity == n.out_activity[made[0]]).any() or n.source_good[source] != n.source_good[-1]:
        raise ValueError("only a source of the last good, with one activity and no inputs")
    k = int(n.out_activity[made[0]])

    def halve(values: Array, at: int) -> Array:
        out = np.append(values, values[at])
        out[at] *= 0.5
        out[-1] *= 0.5
        return out

    def repeat(values: Any, at: int) -> Any:
        return np.append(values, values[at])

    own = np.flatnonzero(n.route_source == source)
    order = np.lexsort(
        (
            np.append(n.route_source, np.full(own.size, n.source_good.size)),
            np.append(n.route_market, n.route_market[own]),
        )
    )

    def routes(values: Array) -> Array:
        return np.append(values, values[own])[order]

    log_share, flow0 = n.log_share.copy(), n.flow0.copy()
    log_share[own] -= np.log(2.0)
    flow0[own] *= 0.5
    supply = Supply(
        repeat(n.supply.shape, k), halve(n.supply.level, k), repeat(n.supply.margin, k), repeat(n.supply.eps, k),
        repeat(n.supply.a, k), repeat(n.supply.b, k),
    )  # fmt: skip
    by_route = (
        "delivered0",
        "freight",
        "premium",
        "fob_valued",
        "tariff0",
        "specific0",
        "export_tax0",
        "export_specific0",
    )
    return replace(
        n, countries=(*n.countries, "TWIN"), kept_share=np.append(n.kept_share, 1.0), budget=(*n.budget, "TWIN"),
        source_good=repeat(n.source_good, source), source_country=np.append(n.source_country, twin),
        source_price=repeat(n.source_price, source), source_size=halve(n.source_size, source),
        source_floor=repeat(n.source_floor, source), stock_release=halve(n.stock_release, source),
        route_source=np.append(n.route_source, np.full(own.size, n.source_good.size))[order], route_market=routes(n.route_market),
        log_share=routes(log_share), flow0=routes(flow0), activities=(*n.activities, "mine@TWIN"),
        activity_country=np.append(n.activity_country, twin), supply=supply, capacity=halve(n.capacity, k),
        fixed_cost=repeat(n.fixed_cost, k), support=repeat(n.support, k), support_holder=(*n.support_holder, ""),
        out_activity=np.append(n.out_activity, len(n.activities)), out_source=np.append(n.out_source, n.source_good.size),
        out_coef=repeat(n.out_coef, int(made[0])),
        **{name: routes(getattr(n, name)) for name in by_route},
    )  # fmt: skip
