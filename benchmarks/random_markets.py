"""Markets from a seed: chains of stages with a consistent base year, and policies that are hard on a solver.

Used by the property tests and the benchmarks. Every draw comes from the generator passed in, so a seed names a case.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from friendshore import faces
from friendshore.market.curves import Demand, Supply
from friendshore.market.network import Network

ALL_KINDS = (
    "floor", "cif_floor", "undertaking", "quota", "ban", "tariff_quota", "export_tax", "tariff", "subsidy", "one_way", "two_way",
    "offtake", "corridor", "reserve",
)  # fmt: skip


def chain(
    rng: np.random.Generator,
    countries: int = 6,
    stages: int = 2,
    *,
    density: float = 1.0,
    sigma_scale: float = 1.0,
    tight: float = 0.0,
    recovery: bool = False,
    joint: bool = False,
    choke: float | None = 6.0,
) -> Network:
    """A chain of `stages` goods over `countries`, calibrated so that its base clears exactly.

    `density` is the share of links that trade, `tight` the share of activities already at their capacity. With `joint` the
    first stage yields a by-product as well; with `recovery` a by-product good is recovered within a bound set by stage one.
    """
    names = tuple(f"C{i:03d}" for i in range(countries))
    goods = [f"chain.stage{g}" for g in range(stages)]
    sigma = rng.uniform(2.0, 10.0, stages) * sigma_scale
    distance = rng.uniform(0.01, 0.1, (countries, countries)) * (1.0 - np.eye(countries))
    price = np.zeros((stages, countries))
    freight, tariff = np.zeros((stages, countries, countries)), np.zeros((stages, countries, countries))
    flow = np.zeros((stages, countries, countries))  # [stage, importer, exporter]
    final = np.zeros((stages, countries))
    recipe = np.ones((stages, countries))
    index0 = np.zeros((stages, countries))
    recipe[1:] = rng.uniform(1.02, 1.3, (stages - 1, countries))
    # Quantities from the last stage down, prices from the first stage up.
    output = np.zeros((stages, countries))
    for g in reversed(range(stages)):
        use = np.zeros(countries) if g == stages - 1 else recipe[g + 1] * output[g + 1]
        final[g] = rng.lognormal(3.0, 1.0, countries) * (1.0 if g == stages - 1 else 0.1)
        need = use + final[g]
        links = rng.random((countries, countries)) < density
        links[:, rng.integers(countries)] = True
        weight = rng.lognormal(0.0, 1.0, countries)[None, :] * rng.lognormal(0.0, 0.7, (countries, countries)) * links
        share = weight / weight.sum(axis=1, keepdims=True)
        flow[g] = share * need[:, None]
        output[g] = flow[g].sum(axis=0)
    for g in range(stages):
        unit = 1000.0 if g == 0 else float(np.mean(price[g - 1]) * 2.0)
        freight[g] = distance * unit
        tariff[g] = rng.choice([0.0, 0.03, 0.05, 0.1], (countries, countries)) * (1.0 - np.eye(countries))
        cost = recipe[g] * index0[g - 1] if g else np.zeros(countries)
        price[g] = np.maximum(unit * rng.uniform(0.85, 1.2, countries), cost * rng.uniform(1.12, 1.5, countries))
        landed = (price[g][None, :] + freight[g]) * (1.0 + tariff[g])
        total = flow[g].sum(axis=1)
        index0[g] = (flow[g] * landed).sum(axis=1) / total

    source = [(g, i) for g in range(stages) for i in range(countries) if output[g, i] > 0]
    market = [(g, j) for g in range(stages) for j in range(countries)]
    source_at = {key: n for n, key in enumerate(source)}
    market_at = {key: n for n, key in enumerate(market)}
    rows = [
        (source_at[g, i], market_at[g, j], g, i, j) for g, j in market for i in range(countries) if flow[g, j, i] > 0
    ]
    rs, rm, rg, ri, rj = (np.array(column, dtype=np.intp) for column in zip(*rows, strict=True))
    sg, sc = (np.array(column, dtype=np.intp) for column in zip(*source, strict=True))
    mg, mc = (np.array(column, dtype=np.intp) for column in zip(*market, strict=True))
    p0, v0 = price[sg, sc], index0[mg, mc]
    f, t, x = freight[rg, rj, ri], tariff[rg, rj, ri], flow[rg, rj, ri]
    landed = (p0[rs] + f) * (1.0 + t)
    total = np.bincount(rm, weights=x, minlength=len(market))
    level = output[sg, sc]
    inputs = [(k, market_at[g - 1, c], recipe[g, c]) for k, (g, c) in enumerate(source) if g > 0]
    ia, im, ic = (np.array(column) for column in zip(*inputs, strict=True)) if inputs else ([], [], [])
    in_activity, in_market, in_coef = (
        np.array(ia, dtype=np.intp),
        np.array(im, dtype=np.intp),
        np.array(ic, dtype=float),
    )
    margin = p0 - np.bincount(in_activity, weights=in_coef * v0[in_market], minlength=len(source))
    eps = rng.uniform(0.1, 2.0, len(source))
    capacity = np.where(rng.random(len(source)) < tight, 1.0, rng.uniform(1.05, 2.0, len(source))) * level
    activities = [f"stage{g}@{names[c]}" for g, c in source]
    out_activity, out_source, out_coef = np.arange(len(source)), np.arange(len(source)), np.ones(len(source))
    recovery_activity = recovery_host = np.zeros(0, dtype=np.intp)
    recovery_content = np.zeros(0)
    zero, one = np.zeros(len(rows)), np.zeros(countries) + 1.0
    eta = rng.uniform(0.05, 0.8, len(market))
    demand = Demand(
        np.zeros(len(market), dtype=np.int8), final[mg, mc], v0, eta, np.zeros(len(market)), np.ones(len(market)),
        np.full(len(market), np.inf) if choke is None else choke * v0,
    )  # fmt: skip
    network = Network(
        goods=tuple(goods), countries=names, sourcing="logit",
        source_good=sg, source_country=sc, source_price=p0, source_size=level, source_floor=1e-4 * p0,
        market_good=mg, market_country=mc, theta=sigma[mg] / v0, index0=v0, demand=demand,
        route_source=rs, route_market=rm, log_share=np.log(x / total[rm]), delivered0=landed, freight=f, premium=zero,
        fob_valued=zero, tariff0=t, specific0=zero, export_tax0=zero, export_specific0=zero, flow0=x,
        activities=tuple(activities), activity_country=sc,
        supply=Supply(np.zeros(len(source), dtype=np.int8), level, margin, eps, np.zeros(len(source)), np.ones(len(source))),
        capacity=capacity, fixed_cost=np.zeros(len(source)), support=np.zeros(len(source)), support_holder=("",) * len(source),
        out_activity=out_activity, out_source=out_source, out_coef=out_coef,
        in_activity=in_activity, in_market=in_market, in_coef=in_coef,
        recovery_activity=recovery_activity, recovery_host=recovery_host, recovery_content=recovery_content,
        stock_build=np.zeros(len(market)), stock_release=np.zeros(len(source)), absolute=False, kept_share=one, budget=names,
    )  # fmt: skip
    if joint or recovery:
        network = _by_product(rng, network, countries, joint, recovery)
    return network


def _by_product(rng: np.random.Generator, n: Network, countries: int, joint: bool, recovery: bool) -> Network:
    """Add one good made beside stage zero: in fixed proportion (joint) or recovered within a bound (recovery), or both."""
    g = len(n.goods)
    hosts = np.flatnonzero(n.source_good == 0)
    made = rng.choice(hosts, size=max(2, hosts.size // 3), replace=False) if hosts.size > 2 else hosts
    made = np.sort(made)
    content = rng.uniform(0.01, 0.05, made.size)
    out = content * n.supply.level[made]
    country = n.source_country[made]
    price = rng.uniform(3000.0, 9000.0) * rng.uniform(0.95, 1.05, made.size)
    share = rng.dirichlet(np.ones(countries), size=made.size)  # where each producer sells
    flow = out[:, None] * share
    markets = np.arange(countries)
    first_source, first_market = n.source_good.size, n.market_good.size
    rows = [(first_source + s, first_market + j, s, j) for j in markets for s in range(made.size)]
    rs, rm, s_, j_ = (np.array(c, dtype=np.intp) for c in zip(*rows, strict=True))
    x = flow[s_, j_]
    total = np.bincount(j_, weights=x, minlength=countries)
    f = 0.02 * price[s_] * (country[s_] != j_)
    landed = price[s_] + f
    v0 = np.bincount(j_, weights=x * landed, minlength=countries) / total
    cat = np.concatenate
    zero = np.zeros(rs.size)
    supply, acts = n.supply, n.activities
    activity_country, capacity = n.activity_country, n.capacity
    out_activity, out_source, out_coef = n.out_activity, n.out_source, n.out_coef
    ra = rh = np.zeros(0, dtype=np.intp)
    rc = np.zeros(0)
    margin = supply.margin.copy()
    if joint and not recovery:
        out_activity = cat([out_activity, made])
        out_source = cat([out_source, first_source + np.arange(made.size)])
        out_coef = cat([out_coef, content])
        margin[made] += content * price
        supply = replace(supply, margin=margin)
    else:
        k = len(acts) + np.arange(made.size)
        acts = (*acts, *(f"recover@{n.countries[c]}" for c in country))
        activity_country = cat([activity_country, country])
        spare = rng.uniform(1.0, 1.5, made.size)
        ra, rh, rc = k.astype(np.intp), made.astype(np.intp), content * spare
        out_activity = cat([out_activity, k])
        out_source = cat([out_source, first_source + np.arange(made.size)])
        out_coef = cat([out_coef, np.ones(made.size)])
        supply = Supply(
            cat([supply.shape, np.zeros(made.size, dtype=np.int8)]), cat([supply.level, out]), cat([margin, price * 0.6]),
            cat([supply.eps, rng.uniform(0.3, 1.0, made.size)]), cat([supply.a, np.zeros(made.size)]), cat([supply.b, np.ones(made.size)]),
        )  # fmt: skip
        capacity = cat([capacity, np.full(made.size, np.inf)])
    fixed = np.zeros(len(acts))
    if ra.size:
        fixed[ra] = 0.4 * price
    demand = Demand(
        cat([n.demand.shape, np.zeros(countries, dtype=np.int8)]), cat([n.demand.level, total]), cat([n.demand.index, v0]),
        cat([n.demand.eta, rng.uniform(0.05, 0.4, countries)]), cat([n.demand.a, np.zeros(countries)]), cat([n.demand.b, np.ones(countries)]),
        cat([n.demand.choke, 8.0 * v0]),
    )  # fmt: skip
    return replace(
        n, goods=(*n.goods, "by.product"),
        source_good=cat([n.source_good, np.full(made.size, g)]), source_country=cat([n.source_country, country]),
        source_price=cat([n.source_price, price]), source_size=cat([n.source_size, out]),
        source_floor=cat([n.source_floor, 1e-4 * price]),
        market_good=cat([n.market_good, np.full(countries, g)]), market_country=cat([n.market_country, markets]),
        theta=cat([n.theta, 4.0 / v0]), index0=cat([n.index0, v0]), demand=demand,
        route_source=cat([n.route_source, rs]), route_market=cat([n.route_market, rm]),
        log_share=cat([n.log_share, np.log(x / total[j_])]), delivered0=cat([n.delivered0, landed]), freight=cat([n.freight, f]),
        premium=cat([n.premium, zero]), fob_valued=cat([n.fob_valued, zero]), tariff0=cat([n.tariff0, zero]),
        specific0=cat([n.specific0, zero]), export_tax0=cat([n.export_tax0, zero]), export_specific0=cat([n.export_specific0, zero]),
        flow0=cat([n.flow0, x]), activities=acts, activity_country=activity_country, supply=supply, capacity=capacity,
        fixed_cost=fixed, support=np.zeros(len(acts)), support_holder=("",) * len(acts),
        out_activity=out_activity, out_source=out_source, out_coef=out_coef,
        recovery_activity=ra, recovery_host=rh, recovery_content=rc, stock_build=cat([n.stock_build, np.zeros(countries)]),
        stock_release=cat([n.stock_release, np.zeros(made.size)]),
    )  # fmt: skip


def policies(
    rng: np.random.Generator, n: Network, kinds: tuple[str, ...] = ALL_KINDS, low: float = 0.8, high: float = 3.0
) -> list[faces.Wedge]:
    """One measure of each kind at random places; floors at `low` to `high` times the base index."""
    everyone = frozenset(n.countries)
    wedges: list[faces.Wedge] = []
    half = max(1, len(n.countries) // 2)

    def some(count: int) -> frozenset[str]:
        return frozenset(str(c) for c in rng.choice(n.countries, size=min(count, len(n.countries)), replace=False))

    def good() -> int:
        return int(rng.integers(len(n.goods)))

    def lane(g: int, importers: frozenset[str] | None = None) -> faces.Lane:
        bloc = importers or some(half)
        return faces.Lane(good=n.goods[g], exporters=everyone - bloc, importers=bloc)

    def mean_index(g: int) -> float:
        return float(np.mean(n.index0[n.market_good == g]))

    def tonnes(of: faces.Lane) -> float:
        from friendshore.market.policy import Lanes

        return float(n.flow0[Lanes(n).find(of)].sum())

    for kind in map(str, kinds):
        g = good()
        where = lane(g)
        match kind:
            case "floor" | "cif_floor" | "undertaking":
                wedges.append(
                    faces.PriceGap(
                        clause=kind,
                        lane=where,
                        reference_usd_t=mean_index(g) * rng.uniform(low, high),
                        levy_on="cif" if kind == "cif_floor" else "landed_duty_paid",
                        phase=float(rng.choice([1.0, 1.0, 0.6])),
                        exporter_share=float(rng.uniform(0.1, 1.0)) if kind == "undertaking" else 0.0,
                    )
                )
            case "quota":
                # On a lane that a floor already names, where there is one: the hard combination.
                floors = [w.lane for w in wedges if isinstance(w, faces.PriceGap)]
                where = floors[0] if floors and rng.random() < 0.7 else where
                if tonnes(where) > 0:
                    one = sorted(where.exporters)[0]
                    wedges.append(
                        faces.Quota(clause=kind, lane=where, tonnes=tonnes(where) * rng.uniform(0.2, 1.2), owner=one)
                    )
            case "ban":
                wedges.append(
                    faces.Ban(clause=kind, lane=faces.Lane(good=n.goods[g], exporters=some(2), importers=some(half)))
                )
            case "tariff_quota":
                if tonnes(where) > 0:
                    wedges.append(
                        faces.TariffQuota(
                            clause=kind,
                            lane=where,
                            tonnes=tonnes(where) * rng.uniform(0.3, 1.1),
                            rate_in=float(rng.uniform(0.0, 0.05)),
                            rate_out=float(rng.uniform(0.1, 0.8)),
                            owner=sorted(where.importers)[0],
                        )
                    )
            case "export_tax":
                lane_out = faces.Lane(good=n.goods[g], exporters=some(2), importers=everyone)
                wedges.append(faces.ExportTax(clause=kind, lane=lane_out, rate=float(rng.uniform(0.0, 0.4))))
            case "tariff":
                wedges.append(faces.Tariff(clause=kind, lane=where, rate=float(rng.uniform(0.0, 0.4)), adds=True))
            case "subsidy":
                wedges.append(
                    faces.Subsidy(
                        clause=kind, good=n.goods[g], producers=some(2), usd_t=mean_index(g) * rng.uniform(0.0, 0.3)
                    )
                )
            case "one_way" | "two_way":
                wedges.append(
                    faces.Contract(
                        clause=kind,
                        good=n.goods[g],
                        producers=some(2),
                        strike_usd_t=mean_index(g) * rng.uniform(0.8, 1.5),
                        two_way=kind == "two_way",
                        claw_back=float(rng.uniform(0.3, 1.0)),
                    )
                )
            case "offtake":
                r = int(rng.integers(n.flow0.size))
                route_good = n.goods[n.route_good[r]]
                exporter = n.countries[n.source_country[n.route_source[r]]]
                importer = n.countries[n.market_country[n.route_market[r]]]
                wedges.append(
                    faces.Offtake(
                        clause=kind,
                        good=route_good,
                        exporter=exporter,
                        importer=importer,
                        tonnes=float(n.flow0[r] * rng.uniform(0.2, 0.9)),
                    )
                )
            case "corridor":
                lane_in = faces.Lane(good=n.goods[g], exporters=some(2), importers=some(half))
                wedges.append(
                    faces.Corridor(
                        clause=kind,
                        lanes=(lane_in,),
                        freight_saving_usd_t=mean_index(g) * 0.02,
                        capacity_t=max(tonnes(lane_in), 1e-3) * rng.uniform(0.7, 1.5),
                        owner=sorted(lane_in.exporters)[0],
                    )
                )
            case "reserve":
                j = int(rng.integers(n.market_good.size))
                size = float(n.demand.level[j])
                wedges.append(
                    faces.Reserve(
                        clause=kind,
                        good=n.goods[n.market_good[j]],
                        country=n.countries[n.market_country[j]],
                        tonnes=size * float(rng.uniform(-0.3, 0.3)),
                        owner=n.countries[n.market_country[j]],
                    )
                )
    return wedges
