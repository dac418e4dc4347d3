"""What a small change of any term does to one outcome: every derivative from one linear solve.

At a solution the equations F(x, t) = 0 tie prices and rents x to the terms t. With lambda from one transposed solve,

    (dF/dx)' lambda = dJ/dx,      dJ/dt = partial J/partial t - lambda' partial F/partial t,

the outcome J is differentiated by every parameter and policy term at once. Both partials come from one backward sweep
through the equations of `equilibrium`, by hand; only the parameters of supply and demand curves are differenced, each in
its own curve, never by solving again. Which bounds hold is taken as it stands: at a kink the derivative is one-sided.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

import numpy as np
from scipy.linalg import lapack, qr, solve_triangular
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components

from friendshore.errors import MarketError
from friendshore.market.accounts import ITEMS
from friendshore.market.curves import (
    Array,
    Demand,
    Index,
    Supply,
    demand,
    demand_potential,
    slice_supply,
    supply,
    tranche_surplus,
)
from friendshore.market.network import Mask, Network
from friendshore.market.policy import Policy
from friendshore.market.solution import Solution, market_name
from friendshore.market.system import ROOT_2_PI, Point, System, gap, receipt

HELD = 1e-9  # a rent, or tonnes unserved, above this part of its scale counts as binding
RANK = 1e-13  # of the largest pivot: one below it leaves an unknown undetermined
STEP = 1e-6  # relative step by which a curve's own parameter is differenced
CURVE = ("level", "margin", "eps", "a", "b")
USE = ("level", "index", "eta", "a", "b")


@dataclass
class Reading:
    """How a scalar outcome reads a solution: its partial derivative by each solved quantity, and by terms it names itself.

    Arrays are aligned with those of `Solution`; `direct` with `Sensitivity.network` and `Sensitivity.policy`.
    """

    price: Array
    index: Array
    cif: Array
    levy: Array
    delivered: Array
    flow: Array
    margin: Array
    level: Array
    wanted: Array
    unserved: Array
    discarded: Array
    bought_stock: Array
    quota_rent: Array
    corridor_rent: Array
    rate: Array
    direct: dict[str, Array] = field(default_factory=dict)

    def add(self, name: str, size: int) -> Array:
        """The direct partial by the term `name`, zero until something is added to it."""
        return self.direct.setdefault(name, np.zeros(size))


@dataclass(frozen=True)
class Sensitivity:
    """Derivative of one outcome by every number that the market was given, in the outcome's unit per unit of the term.

    `policy` is aligned with the arrays of `Policy`: by route (R,) tariff, specific, export_tax, export_specific, freight,
    reference, phase, exporter_share, dispersion, offtake; by market (M,) purchases; by tranche output (O,) subsidy, strike,
    upside, strike_dispersion; by tranche (T,) tranche_low, tranche_high; by tranche input (P,) in_coef and output (O,)
    out_coef; by group quota_tonnes, corridor_tonnes, rate_quota_tonnes, rate_in, rate_out.

    `network` is aligned with those of `Network`: (R,) premium, log_share, delivered0; (M,) theta, index0, stock_build,
    demand.level, .index, .eta, .a, .b, .choke; (I,) source_floor, stock_release; (K,) fixed_cost, support, capacity,
    supply.level, .margin, .eps, .a, .b; (recoveries,) recovery_content. Each is taken with all others held, so nothing is
    calibrated anew.
    """

    policy: dict[str, Array]
    network: dict[str, Array]


# -- outcomes ---------------------------------------------------------------------------------------------------------


def reading(network: Network, policy: Policy) -> Reading:
    """An outcome that reads nothing yet; add to the quantities it reads."""
    i, m, r = network.source_good.size, network.market_good.size, network.route_source.size
    t = policy.tranche_activity.size
    return Reading(
        price=np.zeros(i), index=np.zeros(m), cif=np.zeros(r), levy=np.zeros(r), delivered=np.zeros(r), flow=np.zeros(r),
        margin=np.zeros(t), level=np.zeros(t), wanted=np.zeros(m), unserved=np.zeros(m), discarded=np.zeros(i),
        bought_stock=np.zeros(m), quota_rent=np.zeros(len(policy.quotas)), corridor_rent=np.zeros(len(policy.corridors)),
        rate=np.zeros(len(policy.rate_quotas)),
    )  # fmt: skip


def buyers_index(network: Network, policy: Policy, market: int) -> Reading:
    """V of one market, USD/t."""
    read = reading(network, policy)
    read.index[market] = 1.0
    return read


def shipped(network: Network, policy: Policy, routes: Index) -> Reading:
    """Tonnes a year over `routes` together."""
    read = reading(network, policy)
    read.flow[routes] = 1.0
    return read


def levy_revenue(network: Network, policy: Policy, solved: Solution, routes: Index | None = None) -> Reading:
    """Sum of levy x tonnes over `routes`, all of them by default; the exporter's part of an undertaking included. USD."""
    read = reading(network, policy)
    chosen = np.arange(network.route_source.size) if routes is None else routes
    read.levy[chosen], read.flow[chosen] = solved.flow[chosen], solved.levy[chosen]
    return read


def balance(
    network: Network,
    policy: Policy,
    solved: Solution,
    holders: Iterable[str] | None = None,
    items: Iterable[str] = ITEMS,
) -> Reading:
    """The sum of `accounts.account` lines of some holders (all of them: the world total) and items, USD."""
    n, p, s = network, policy, solved
    read = reading(n, p)
    counted = None if holders is None else set(holders)
    chosen = set(items)
    routes, outputs = n.route_source.size, p.out_source.size

    def weigh(name: str) -> float:
        return 1.0 if counted is None or name in counted else 0.0

    own = np.array([weigh(c) for c in n.countries])
    collects = n.kept_share * own + (1.0 - n.kept_share) * np.array([weigh(b) for b in n.budget])
    exporter, importer = own[n.source_country[n.route_source]], own[n.market_country[n.route_market]]
    treasury = collects[n.market_country[n.route_market]]
    producer = own[n.activity_country[p.tranche_activity]]
    seller, buyer = own[n.source_country], own[n.market_country]

    if "users" in chosen:
        free = s.index <= n.demand.choke * (1.0 + 1e-12)
        read.index -= np.where(free, s.wanted, 0.0) * buyer
        read.add("demand.choke", buyer.size)[:] -= np.where(free, 0.0, s.wanted) * buyer
        for name in USE:
            by = _by_use(n.demand, name, lambda curve: demand_potential(curve, s.index))
            read.add(f"demand.{name}", buyer.size)[:] -= buyer * by
    if "producers" in chosen:
        runs = producer * ~System(n, p).halted
        read.margin += runs * s.level
        t = p.tranches

        def surplus(curve: Supply, low: Array, high: Array) -> Array:
            return tranche_surplus(slice_supply(curve, low, high), s.margin)

        for name in CURVE:
            by = _by_curve(t.curve, name, lambda curve: surplus(curve, t.low, t.high))
            read.add(f"tranche.{name}", runs.size)[:] += runs * by
        wide = np.where(np.isfinite(t.high), np.maximum(t.high, 1e-12), 1.0) * STEP
        by_high = (surplus(t.curve, t.low, t.high + wide) - surplus(t.curve, t.low, t.high - wide)) / (2.0 * wide)
        read.add("tranche_high", runs.size)[:] += runs * np.where(np.isfinite(t.high), by_high, 0.0)
        wide = np.maximum(t.low, 1e-12) * STEP
        by_low = (surplus(t.curve, t.low + wide, t.high) - surplus(t.curve, t.low - wide, t.high)) / (2.0 * wide)
        read.add("tranche_low", runs.size)[:] += runs * np.where(t.low > 0.0, by_low, 0.0)
    if "duty" in chosen:
        valued = s.cif - n.fob_valued * p.freight
        read.flow += treasury * (s.tariff * valued + p.specific)
        read.cif += treasury * s.tariff * s.flow
        read.add("freight", routes)[:] -= treasury * s.tariff * n.fob_valued * s.flow
        read.add("specific", routes)[:] += treasury * s.flow
        under_quota = np.zeros(routes, dtype=bool)
        for e, group in enumerate(p.rate_quotas):
            under_quota[group.routes] = True
            read.rate[e] += float((treasury * valued * s.flow)[group.routes].sum())
        read.add("tariff", routes)[:] += np.where(under_quota, 0.0, treasury * valued * s.flow)
    for e, group in enumerate(p.rate_quotas):
        # Rent is duty forgone on the tonnes inside: what the treasury does not take, the owner of the licences keeps.
        r = group.routes
        valued, flow = (s.cif - n.fob_valued * p.freight)[r], s.flow[r]
        weight = weigh(group.owner) * ("trq_rent" in chosen) - treasury[r] * ("duty" in chosen)
        traded = float(flow.sum())
        inside = min(1.0, group.tonnes / traded) if traded > 0 else 1.0
        above = s.rate[e] - group.rate_in
        worth = float((weight * above * valued * flow).sum())
        read.rate[e] += float((weight * valued * flow).sum()) * inside
        read.add("rate_in", len(p.rate_quotas))[e] -= float((weight * valued * flow).sum()) * inside
        read.cif[r] += weight * above * flow * inside
        read.add("freight", routes)[r] -= weight * above * flow * inside * n.fob_valued[r]
        read.flow[r] += weight * above * valued * inside
        if inside < 1.0:
            read.flow[r] -= worth * inside / traded
            read.add("rate_quota_tonnes", len(p.rate_quotas))[e] += worth / traded
    if "levy" in chosen:
        kept = (1.0 - p.exporter_share) * treasury
        read.levy += kept * s.flow
        read.flow += kept * s.levy
        read.add("exporter_share", routes)[:] -= treasury * s.levy * s.flow
    if "undertaking_rent" in chosen:
        read.levy += p.exporter_share * exporter * s.flow
        read.flow += p.exporter_share * exporter * s.levy
        read.add("exporter_share", routes)[:] += exporter * s.levy * s.flow
    if "export_tax" in chosen:
        at = s.price[n.route_source]
        read.flow += exporter * (at * p.export_tax + p.export_specific)
        read.price += np.bincount(n.route_source, weights=exporter * p.export_tax * s.flow, minlength=read.price.size)
        read.add("export_tax", routes)[:] += exporter * at * s.flow
        read.add("export_specific", routes)[:] += exporter * s.flow
    for item, groups, rents, at in (
        ("quota_rent", p.quotas, s.quota_rent, read.quota_rent),
        ("corridor_rent", p.corridors, s.corridor_rent, read.corridor_rent),
    ):
        for e, limited in enumerate(groups):
            if item in chosen:
                at[e] += weigh(limited.owner) * float(s.flow[limited.routes].sum())
                read.flow[limited.routes] += weigh(limited.owner) * rents[e]
    made = p.out_coef * s.level[p.out_tranche]
    if "contract" in chosen:
        price = s.price[p.out_source]
        received, slope = receipt(price, p.strike, p.upside, p.strike_dispersion)
        weight = np.zeros(outputs)
        for rows, payers, _clause in p.contract_terms:
            weight[rows] += _charged(rows, payers, n, p, weigh)
        np.add.at(read.level, p.out_tranche, -weight * (received - price) * p.out_coef)
        np.add.at(read.price, p.out_source, -weight * (slope - 1.0) * made)
        read.add("out_coef", outputs)[:] -= weight * (received - price) * s.level[p.out_tranche]
        for name, by in _by_contract(price, p).items():
            read.add(name, outputs)[:] -= weight * by * made
    paid = [terms for terms in p.subsidy_terms if ("users" if terms[3] in p.paid_by_users else "subsidy") in chosen]
    if paid:
        for rows, usd_t, payers, _clause in paid:
            weight = _charged(rows, payers, n, p, weigh)
            np.add.at(read.level, p.out_tranche[rows], -weight * usd_t * p.out_coef[rows])
            read.add("out_coef", outputs)[rows] -= weight * usd_t * s.level[p.out_tranche[rows]]
        weight, count = np.zeros(outputs), np.zeros(outputs)
        for rows, _usd_t, payers, _clause in paid:
            weight[rows] += _charged(rows, payers, n, p, weigh)
        for rows, *_rest in p.subsidy_terms:
            count[rows] += 1.0
        # Where several subsidies meet, a dollar more is shared by those who pay them already; where none stands, by nobody.
        read.add("subsidy", outputs)[:] -= np.where(count > 0, weight / np.maximum(count, 1.0), 0.0) * made
    if "base_support" in chosen:
        names = [n.support_holder[k] or n.countries[n.activity_country[k]] for k in p.tranche_activity]
        weight = np.array([weigh(name) for name in names])
        read.level -= weight * n.support[p.tranche_activity]
        np.subtract.at(read.add("support", len(n.activities)), p.tranche_activity, weight * s.level)
    if "offtake" in chosen:
        read.index += np.bincount(n.route_market, weights=importer * p.offtake, minlength=read.index.size)
        read.delivered -= importer * p.offtake
        read.add("offtake", routes)[:] += importer * (s.index[n.route_market] - s.delivered)
        for one in p.priced:
            gains, at_gate = float(exporter[one.route] - importer[one.route]), int(n.route_source[one.route])
            at_market = float(s.price[at_gate])
            read.price[at_gate] += gains * (one.slope(at_market) - 1.0) * one.tonnes
            read.add("offtake", routes)[one.route] += gains * (one.paid(at_market) - at_market)
    if "stock" in chosen:
        read.price += seller * n.stock_release
        read.add("stock_release", read.price.size)[:] += seller * s.price
        read.index -= buyer * (s.stock_build + s.bought_stock)
        read.bought_stock -= buyer * s.index
        read.add("stock_build", read.index.size)[:] -= buyer * s.index * (s.stock_build == n.stock_build)
    if "reserve" in chosen:
        for j, tonnes, owner, _clause in p.reserve_holder:
            if s.reserve_bought[j] == p.purchases[j] or tonnes < 0.0:
                read.index[j] -= weigh(owner) * tonnes
        for j in np.unique(np.array([row[0] for row in p.reserve_holder], dtype=np.intp)):
            owners = [owner for at_, _t, owner, _c in p.reserve_holder if at_ == j]
            read.add("purchases", read.index.size)[j] -= float(np.mean([weigh(o) for o in owners])) * s.index[j]
    if "discard" in chosen:
        read.price -= seller * s.discarded
        read.discarded -= seller * s.price
    return read


def _charged(
    rows: Index, payers: tuple[tuple[str, float], ...], n: Network, p: Policy, weigh: Callable[[str], float]
) -> Array:
    """Share of a producer's payment, by tranche output, that the counted holders bear."""
    if payers:
        return np.full(rows.size, sum(share * weigh(payer) for payer, share in payers))
    return np.array([weigh(n.countries[c]) for c in n.source_country[p.out_source[rows]]], dtype=float)


# -- the derivative ---------------------------------------------------------------------------------------------------


def sensitivities(
    network: Network, policy: Policy, solved: Solution, outcome: Reading, *, hold_undetermined: bool = False
) -> Sensitivity:
    """Derivative of `outcome` by every parameter and policy term, from one transposed linear solve.

    dJ/dt = partial J/partial t - lambda' partial F/partial t,   (dF/dx)' lambda = partial J/partial x

    F keeps the bounds that hold at the solution: a binding quota stands at its tonnes, a slack one pays no rent; a market
    short of metal stands at its choke price; joint output in glut at its lowest price. Logit sourcing only.

    Parameters
    ----------
    network, policy, solved : a cleared market
    outcome : what is differentiated: `buyers_index`, `shipped`, `levy_revenue`, `balance`, or a `reading` filled by hand
    hold_undetermined : where unknowns are undetermined, such as which of several markets without metal gets the tonnes that
        there are, hold as many as need be where they stand; a term that would move them has NaN as its derivative

    Returns
    -------
    Sensitivity   by every array of the network and the policy

    Raises
    ------
    MarketError   the market is homogeneous or CES, or a price is undetermined there, so that no derivative exists

    Source: the implicit function theorem in its adjoint form; Giles and Pierce (2000).
    """
    if network.sourcing != "logit":
        raise MarketError(f"sensitivities need logit sourcing, and this market is {network.sourcing}")
    system, x, point, held = _at(network, policy, solved)
    by_f = held.astype(float)
    matrix = system.jacobian(point, 1.0 - by_f, by_f, _discards(system, x))
    by_x, _ = _backward(system, x, point, outcome, np.zeros(x.size), held)
    lu, pivot, info = lapack.dgetrf(matrix)
    scale = np.abs(np.diag(lu))
    free: list[Array] = []
    if info != 0 or scale.min(initial=1.0) <= 1e-14 * scale.max(initial=1.0):
        row = int(np.argmin(scale)) if info == 0 else int(info) - 1
        where = market_name(network, row) if row < system.sources else "a limited group"
        if not hold_undetermined:
            raise MarketError(f"no derivative exists: the price of {where} is undetermined at this solution")
        costate, free = _held(np.asarray(matrix, dtype=np.float64), by_x)
    else:
        costate, _ = lapack.dgetrs(lu, pivot, by_x, trans=1)
    _, terms = _backward(system, x, point, outcome, -costate, held)
    for direction in free:
        _, moved = _backward(system, x, point, reading(network, policy), direction, held)
        for name, by_term in moved.items():
            terms[name] = np.where(by_term != 0.0, np.nan, terms[name])
    return _sorted(network, policy, terms)


def _held(matrix: Array, by_x: Array) -> tuple[Array, list[Array]]:
    """The costate with unknowns held that the equations leave open, and the combinations of equations that then say nothing.

    Chains that nothing joins are taken apart. Q R = matrix P with pivots in falling order: what lies beyond the rank stands
    last, and is held.
    """
    costate, free = np.zeros(by_x.size), []
    count, part = connected_components(csr_matrix(matrix != 0.0), directed=False)
    for k in range(count):
        at = np.flatnonzero(part == k)
        q, r, order = qr(matrix[np.ix_(at, at)], pivoting=True)
        size = np.abs(np.diag(r))
        rank = int((size > RANK * size.max(initial=0.0)).sum())
        costate[at] = q[:, :rank] @ solve_triangular(r[:rank, :rank], by_x[at][order][:rank], trans="T")
        for row in range(rank, at.size):
            direction = np.zeros(by_x.size)
            direction[at] = np.where(np.abs(q[:, row]) > HELD, q[:, row], 0.0)
            free.append(direction)
    return costate, free


def _at(network: Network, policy: Policy, solved: Solution) -> tuple[System, Array, Point, Mask]:
    """The equations at a solution, and which extra unknowns stand against their limit."""
    system = System(network, policy)
    # A market short of metal stands at its choke price; one that is cut off altogether, above it, goes without all it wants.
    system.unserved_at = np.flatnonzero((solved.unserved > HELD * solved.wanted) & ~system.dead).astype(np.intp)
    at_choke = solved.index[system.unserved_at] <= network.demand.choke[system.unserved_at] * (1.0 + 1e-9)
    rents = np.concatenate([solved.quota_rent, solved.corridor_rent, solved.recovery_charge, solved.rate])
    x = np.concatenate([np.log(solved.price), rents, solved.unserved[system.unserved_at]])
    point = system.evaluate(x)
    width = system.extra_scale * HELD
    above_low = rents > system.extra_low + width
    below_high = rents < system.extra_high - width
    held = np.concatenate([above_low & below_high, at_choke])
    return system, x, point, held


def _discards(system: System, x: Array) -> Mask:
    on_floor: Mask = x[: system.sources] <= system.floor + 1e-9
    return on_floor


def _backward(
    system: System, x: Array, point: Point, outcome: Reading, seed: Array, held: Mask
) -> tuple[Array, dict[str, Array]]:
    """Derivative of J + seed' F by x, and by every term: one sweep through `System.evaluate` from its last line to its first.

    F is the active set: supply less flows over market size (or the log price at its floor), and for every extra unknown its
    scaled slack where `held`, else its distance from the bound on which it stands.
    """
    n, p = system.network, system.policy
    rs, rm, routes = n.route_source, n.route_market, n.route_source.size
    sources, markets = system.sources, system.markets
    z = x[sources:]
    terms = {name: value.copy() for name, value in outcome.direct.items()}
    first, rate_first = system.n_quota + system.n_corridor, system.n_quota + system.n_corridor + system.n_recovery
    by_z = np.zeros(system.extras)
    by_z[: system.n_quota] += outcome.quota_rent
    by_z[system.n_quota : first] += outcome.corridor_rent
    by_z[rate_first : system.fixed_extras] += outcome.rate

    def put(name: str, value: Array) -> None:
        terms[name] = terms[name] + value if name in terms else value

    # Rows: market balances, or the floor of a good in glut; limits that hold, or bounds.
    on_floor = _discards(system, x)
    by_excess = np.where(on_floor, 0.0, seed[:sources] / system.size)
    by_excess += np.where(on_floor & (point.excess > 0.0), outcome.discarded, 0.0)
    by_y = np.where(on_floor, seed[:sources], 0.0)
    put("source_floor", -by_y / np.exp(system.floor))
    limit = np.where(held, seed[sources:], 0.0)
    by_z += np.where(held, 0.0, seed[sources:])
    limit[: system.fixed_extras] /= system.extra_size
    by_flow = outcome.flow - by_excess[rs]
    by_level = outcome.level.copy()
    by_index = outcome.index.copy()
    by_choke = np.zeros(markets)
    for e, routes_of in enumerate(system.group_routes):
        by_flow[routes_of] -= limit[e if e < first else e + system.n_recovery]
    put("quota_tonnes", limit[: system.n_quota].copy())
    put("corridor_tonnes", limit[system.n_quota : first].copy())
    put("rate_quota_tonnes", limit[rate_first : system.fixed_extras].copy())
    content_by = np.zeros(system.n_recovery)
    for e, (taking, giving, content) in enumerate(system.recovery_terms):
        by_level[taking] -= limit[first + e]
        by_level[giving] += content * limit[first + e]
        content_by[e] += limit[first + e] * float(point.level[giving].sum())
    free_rate = ~held[rate_first : system.fixed_extras]
    at_out = z[rate_first : system.fixed_extras] >= system.extra_high[rate_first : system.fixed_extras] * (1.0 - 1e-9)
    bound = -np.where(free_rate, seed[sources:][rate_first : system.fixed_extras], 0.0)
    put("rate_in", np.where(at_out, 0.0, bound))
    put("rate_out", np.where(at_out, bound, 0.0))
    short = system.unserved_at
    choke = np.where(np.isfinite(n.demand.choke), n.demand.choke, 1.0)
    by_index[short] -= limit[system.fixed_extras :] / choke[short]
    by_choke[short] += limit[system.fixed_extras :] * point.index[short] / choke[short] ** 2

    # excess = made + release - flows;  flow = O + w spot
    by_out = by_excess[p.out_source] * point.level[p.out_tranche]
    np.add.at(by_level, p.out_tranche, p.out_coef * by_excess[p.out_source])
    put("stock_release", by_excess)
    by_share = by_flow * point.spot[rm]
    by_spot = np.bincount(rm, weights=by_flow * point.share, minlength=markets)
    positive = (point.spot_raw > 0.0) & ~system.dead
    by_raw = np.where(positive, by_spot, 0.0) - np.where(~system.dead & ~positive, outcome.bought_stock, 0.0)
    put("offtake", by_flow - by_raw[rm])
    put("purchases", by_raw)
    put("stock_build", by_raw)

    # spot = used + wanted - unserved + held - O
    by_in = by_raw[p.in_market] * point.level[p.in_tranche]
    np.add.at(by_level, p.in_tranche, p.in_coef * by_raw[p.in_market])
    by_wanted = outcome.wanted + by_raw
    by_unserved = outcome.unserved - by_raw
    by_z[system.fixed_extras :] += by_unserved[short]
    by_wanted = by_wanted + np.where(system.dead, by_unserved, 0.0)
    without = ~held[system.fixed_extras :]
    by_wanted[short[without]] -= seed[sources:][system.fixed_extras :][without]
    by_index += point.wanted_slope * by_wanted
    beyond = point.index >= n.demand.choke
    _, at_choke = demand(replace(n.demand, choke=np.full(markets, np.inf)), np.where(beyond, choke, point.index))
    by_choke += np.where(beyond, at_choke * by_wanted, 0.0)
    for name in USE:
        put(f"demand.{name}", by_wanted * _by_use(n.demand, name, lambda curve: demand(curve, point.index)[0]))

    # level = supply(margin), cut to its slice
    t = p.tranches
    by_level = np.where(system.halted, 0.0, by_level)
    raw_level, _ = supply(t.curve, point.margin)
    inside, full = (raw_level > t.low) & (raw_level < t.high), raw_level >= t.high
    for name in CURVE:
        by = _by_curve(t.curve, name, lambda curve: supply(curve, point.margin)[0])
        put(f"tranche.{name}", np.where(inside, by_level * by, 0.0))
    put("tranche_high", np.where(full, by_level, 0.0))
    put("tranche_low", np.where(inside | full, -by_level, 0.0))
    by_margin = outcome.margin + point.level_slope * by_level

    # margin = outputs x receipts - inputs x V - fixed cost + support
    price = point.price[p.out_source]
    receipts, _ = receipt(price, p.strike, p.upside, p.strike_dispersion)
    by_receipt = p.out_coef * by_margin[p.out_tranche]
    put("out_coef", by_out + by_margin[p.out_tranche] * (receipts + p.subsidy))
    put("subsidy", by_receipt)
    for name, by in _by_contract(price, p).items():
        put(name, by_receipt * by)
    by_price = outcome.price + np.bincount(p.out_source, weights=by_receipt * point.receipt_slope, minlength=sources)
    put("in_coef", by_in - by_margin[p.in_tranche] * point.index[p.in_market])
    np.subtract.at(by_index, p.in_market, p.in_coef * by_margin[p.in_tranche])
    running = np.bincount(p.tranche_activity, weights=by_margin, minlength=len(n.activities)).astype(float)
    put("fixed_cost", -running)
    put("support", running)
    for e, (taking, giving, content) in enumerate(system.recovery_terms):
        by_z[first + e] += content * float(by_margin[giving].sum()) - float(by_margin[taking].sum())
        content_by[e] += z[first + e] * float(by_margin[giving].sum())
    put("recovery_content", content_by)

    # V = V0 - (1/theta) ln sum w0 exp(-theta (d - d0)),  w its derivative by d
    by_choke += np.where(system.dead, by_index, 0.0)
    by_index = np.where(system.dead, 0.0, by_index)
    moved = point.delivered - n.delivered0
    mean_share = np.bincount(rm, weights=point.share * by_share, minlength=markets)
    by_score = point.share * (by_share - mean_share[rm])
    carried = point.share * by_index[rm]
    by_theta = -by_index * (point.index - n.index0) + np.bincount(rm, weights=carried * moved, minlength=markets)
    put("theta", by_theta / n.theta - np.bincount(rm, weights=by_score * moved, minlength=markets))
    put("index0", by_index)
    put("log_share", by_score - carried / n.theta[rm])
    put("delivered0", n.theta[rm] * by_score - carried)
    by_delivered = outcome.delivered + carried - n.theta[rm] * by_score

    # d = pre + levy;  levy = phase max(0, R - base)
    rate = point.rate - 1.0
    before = point.cif * point.rate + p.specific - rate * system.left_out
    base = np.where(p.gap_on_cif, point.cif, before)
    short_of, slope = gap(p.reference, base, p.dispersion)
    by_levy = outcome.levy + by_delivered
    put("phase", by_levy * short_of)
    by_base = by_levy * p.phase * slope
    put("reference", -by_base)
    wide = (p.dispersion > 0.0) & np.isfinite(p.reference)
    k = np.where(wide, (p.reference - base) / np.where(wide, p.dispersion, 1.0), np.inf)
    put("dispersion", by_levy * p.phase * np.exp(-0.5 * k * k) / ROOT_2_PI)

    # pre = cif + t (cif - h f) + s;  cif = p (1 + x) + xs + rents + f + e
    by_pre = by_delivered + np.where(p.gap_on_cif, 0.0, by_base)
    by_rate = by_pre * (point.cif - system.left_out)
    by_cif = outcome.cif + by_pre * point.rate + np.where(p.gap_on_cif, by_base, 0.0)
    put("specific", by_pre)
    put("freight", by_cif - by_pre * rate * n.fob_valued)
    under_quota = np.zeros(routes, dtype=bool)
    for e in range(system.n_rate):
        r = system.group_routes[first + e]
        under_quota[r] = True
        by_z[rate_first + e] += float(by_rate[r].sum())
    put("tariff", np.where(under_quota, 0.0, by_rate))
    put("premium", by_cif)
    put("export_specific", by_cif)
    put("export_tax", by_cif * point.price[rs])
    put("exporter_share", np.zeros(routes))
    for e in range(first):
        by_z[e] += float(by_cif[system.group_routes[e]].sum())
    by_price = by_price + np.bincount(rs, weights=by_cif * (1.0 + p.export_tax), minlength=sources)
    put("demand.choke", by_choke)
    return np.concatenate([by_y + by_price * point.price, by_z]), terms


def _by_contract(price: Array, p: Policy) -> dict[str, Array]:
    """Partials of a receipt by strike, by the seller's share of the upside and by dispersion."""
    covered = np.isfinite(p.strike)
    strike = np.where(covered, p.strike, 0.0)
    spread = np.where(covered, p.strike_dispersion, 0.0)
    over, slope = gap(price, strike, spread)
    k = np.where(spread > 0.0, (price - strike) / np.where(spread > 0.0, spread, 1.0), np.inf)
    return {
        "strike": np.where(covered, 1.0 + p.upside * slope, 0.0),
        "upside": np.where(covered, over, 0.0),
        "strike_dispersion": np.where(covered, p.upside * np.exp(-0.5 * k * k) / ROOT_2_PI, 0.0),
    }


def _by_curve(curve: Supply, name: str, value: Callable[[Supply], Array]) -> Array:
    """Central difference of `value` by one parameter of every supply curve, each curve its own."""
    held: Array = getattr(curve, name)
    wide: Array = STEP * np.where(held != 0.0, np.abs(held), 1.0)
    above, below = {name: held + wide}, {name: held - wide}
    rise: Array = np.subtract(value(replace(curve, **above)), value(replace(curve, **below)))  # type: ignore[arg-type]
    return rise / (2.0 * wide)


def _by_use(curve: Demand, name: str, value: Callable[[Demand], Array]) -> Array:
    """The same for demand curves."""
    held: Array = getattr(curve, name)
    wide: Array = STEP * np.where(held != 0.0, np.abs(held), 1.0)
    above, below = {name: held + wide}, {name: held - wide}
    rise: Array = np.subtract(value(replace(curve, **above)), value(replace(curve, **below)))  # type: ignore[arg-type]
    return rise / (2.0 * wide)


def _sorted(n: Network, p: Policy, terms: dict[str, Array]) -> Sensitivity:
    """Policy terms and network parameters apart; what belongs to an activity summed over its tranches."""
    last = p.tranches.high == n.capacity[p.tranche_activity]
    of_tranche = {f"supply.{name}": terms.pop(f"tranche.{name}") for name in CURVE}
    of_tranche["capacity"] = np.where(last, terms["tranche_high"], 0.0)
    by_activity = {
        name: np.bincount(p.tranche_activity, weights=value, minlength=len(n.activities)).astype(float)
        for name, value in of_tranche.items()
    }
    of_network = {
        "premium", "log_share", "delivered0", "theta", "index0", "stock_build", "source_floor", "stock_release", "fixed_cost",
        "support", "recovery_content", "demand.choke", *(f"demand.{name}" for name in USE),
    }  # fmt: skip
    return Sensitivity(
        policy={name: value for name, value in terms.items() if name not in of_network},
        network={**{name: value for name, value in terms.items() if name in of_network}, **by_activity},
    )
