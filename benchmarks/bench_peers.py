"""How fast the same market clears in generic solvers: CasADi with IPOPT, CVXPY with Clarabel, SciPy's root finders. One thread.

Two families of generated networks, three stages each. `every measure`: floors, quotas, bans, contracts and the rest, as in
`bench_market`. `additive measures`: duties and taxes per tonne, quotas, bans, subsidies, corridors and reserves; only there is
the market the optimum of a convex programme, which CVXPY needs. The peers' models are built beforehand and only their
solvers are timed; our seconds hold the setting up as well, with the compiled loops (extra `fast`) and with plain arrays. Every answer is compared with ours, flow by flow.

    python benchmarks/bench_peers.py                         60 countries, five networks of each family
    python benchmarks/bench_peers.py --countries 8 --networks 1

Needs the extra `bench`.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from bench_hard_cases import faults, machine
from bench_market import PEERS, SEED, generated, peer, timed
from random_markets import chain, policies
from scipy.sparse import csc_array, csc_matrix
from threadpoolctl import threadpool_limits

from friendshore import faces
from friendshore.market import compiled
from friendshore.market.curves import TAIL, Array, Index, sum_by
from friendshore.market.equilibrium import solve
from friendshore.market.network import Network
from friendshore.market.policy import Policy, impose
from friendshore.market.solution import Solution

ADDITIVE = ("tariff", "export_tax", "quota", "ban", "subsidy", "corridor", "reserve")
SAME = 1e-3  # of its market's size: flows that differ by less are the same answer
SCALE = 0.1  # of base spending: the unit of money in which Clarabel fails least, tried from 1e-4 to 1
IPOPT = {
    "ipopt.print_level": 0, "print_time": False, "ipopt.sb": "yes", "ipopt.tol": 1e-8, "ipopt.max_iter": 1000,
    "ipopt.max_wall_time": 60.0, "show_eval_warnings": False,
}  # fmt: skip
CLARABEL = {"tol_gap_abs": 1e-8, "tol_gap_rel": 1e-8, "tol_feas": 1e-8}


@dataclass(frozen=True)
class Run:
    """One peer on one network."""

    seconds: float
    off: float  # largest difference of a flow from ours, over its market's size
    status: str

    @property
    def solved(self) -> bool:
        return self.off <= SAME


# -- networks whose market is the optimum of a programme ------------------------------------------------------------------


def additive(countries: int, number: int) -> tuple[Network, list[faces.Wedge]]:
    """A network of the same seed with every duty and tax per tonne."""
    rng = np.random.default_rng([SEED, countries, number, 1])
    n = chain(rng, countries, 3, tight=0.2)
    duty = n.tariff0 * (n.source_price[n.route_source] + n.freight)
    n = replace(n, tariff0=np.zeros_like(duty), specific0=duty)
    price = {good: float(n.index0[n.market_good == g].mean()) for g, good in enumerate(n.goods)}

    def per_tonne(wedge: faces.Wedge) -> faces.Wedge:
        if isinstance(wedge, faces.Tariff | faces.ExportTax):
            return replace(wedge, rate=0.0, specific_usd_t=wedge.rate * price[wedge.lane.good], adds=True)
        return wedge

    return n, [per_tonne(wedge) for wedge in policies(rng, n, ADDITIVE)]


@dataclass(frozen=True)
class Programme:
    """The market as one convex programme over flows, in units of base quantities; prices are its multipliers.

    min  sum_r q_r (c_r - d0_r) + sum_j V0_j S_j + sum_r q_r ln(q_r / (w0_r S_j)) / theta_j + sum_k cost(Y_k) - sum_j utility(C_j)
    s.t. made = sent for every source;  bought = S = C - U + inputs + reserves for every market;  quotas, corridors, capacities

    cost is the area under supply, utility the area under demand; what is unserved (U) is paid for at the choke price.
    """

    n: Network
    p: Policy
    routes: Index  # open ones
    market: Index
    size: Array  # (M,) t
    cost: Array  # (routes,) USD/t   c - d0
    base: Array  # (routes,) t   base flows, the unit of flows
    scale: float  # USD by which the objective is divided

    @classmethod
    def of(cls, n: Network, p: Policy) -> Programme:
        routes = np.flatnonzero(p.open)
        fixed = n.premium + p.freight + p.export_specific + p.specific - n.delivered0
        size = sum_by(n.route_market, n.flow0, n.market_good.size)
        return cls(
            n, p, routes, n.route_market[routes], size, fixed[routes],
            np.exp(n.log_share[routes]) * size[n.route_market[routes]],
            SCALE * float((size * n.index0).sum()),
        )  # fmt: skip

    @property
    def running(self) -> Array:
        """USD a year at base level of what an activity pays per tonne beside its inputs, less subsidies."""
        n, p = self.n, self.p
        per_t = (n.fixed_cost - n.support)[p.tranche_activity]
        per_t = per_t - sum_by(p.out_tranche, p.out_coef * p.subsidy, p.tranche_activity.size)
        return per_t * self.level

    @property
    def level(self) -> Array:
        return self.n.supply.level[self.p.tranche_activity]

    def balances(self) -> tuple[csc_array, csc_array, csc_array, csc_array, Array, Array]:
        """Matrices of sources by levels and by flows, of markets by flows and by levels; what comes from and goes into stock."""
        n, p = self.n, self.p
        i, m, t, r = n.source_good.size, n.market_good.size, self.level.size, self.routes.size
        at = np.arange(r)
        made = csc_array((p.out_coef * self.level[p.out_tranche], (p.out_source, p.out_tranche)), shape=(i, t))
        sent = csc_array((self.base, (n.route_source[self.routes], at)), shape=(i, r))
        bought = csc_array((self.base, (self.market, at)), shape=(m, r))
        used = csc_array((p.in_coef * self.level[p.in_tranche], (p.in_market, p.in_tranche)), shape=(m, t))
        return made, sent, bought, used, n.stock_release, p.purchases + n.stock_build

    def limits(self) -> list[tuple[Index, float]]:
        """Positions of the routes that are limited together, and their tonnes."""
        found = []
        for group in (*self.p.quotas, *self.p.corridors):
            at = np.flatnonzero(np.isin(self.routes, group.routes))
            found.append((at, group.tonnes))
        return found

    def flows(self, w: Array) -> Array:
        """Tonnes by route."""
        out = np.zeros(self.n.route_source.size)
        out[self.routes] = w * self.base
        return out


def off(n: Network, ours: Solution, flow: Array) -> float:
    size = sum_by(n.route_market, n.flow0, n.market_good.size)
    found = np.abs(flow - ours.flow) / size[n.route_market]
    return float(found.max()) if np.isfinite(found).all() else np.inf


# -- CVXPY with Clarabel --------------------------------------------------------------------------------------------------


def by_cvxpy(n: Network, p: Policy, ours: Solution) -> Run:
    """The programme in cones: relative entropies, and powers for costs and utilities."""
    import cvxpy as cp

    model = Programme.of(n, p)
    d, s = n.demand, n.supply.take(p.tranche_activity)
    m, t, r = n.market_good.size, model.level.size, model.routes.size
    w, bought_share = cp.Variable(r, nonneg=True), cp.Variable(m, nonneg=True)
    level, worth, demand_, good_for, unserved = (
        cp.Variable(t, nonneg=True), cp.Variable(t), cp.Variable(m, nonneg=True), cp.Variable(m), cp.Variable(m, nonneg=True),
    )  # fmt: skip
    made, sent, bought, used, released, stocked = model.balances()
    # worth >= y^(1 + 1/eps) and good_for >= c^(1 - 1/eta), a negative power; both as power cones of dimension three.
    cones = [
        cp.PowCone3D(worth, np.ones(t), level, s.eps / (1.0 + s.eps)),
        cp.PowCone3D(good_for, demand_, np.ones(m), d.eta),
    ]
    base_cost, base_use = s.level * s.margin * s.eps / (1.0 + s.eps), d.level * d.index * d.eta / (1.0 - d.eta)
    spread = cp.rel_entr(w, bought_share[model.market])
    objective = (
        (model.base * model.cost) @ w
        + (n.index0 * model.size) @ bought_share
        + (model.base / n.theta[model.market]) @ spread
        + base_cost @ worth
        + model.running @ level
        + base_use @ good_for
        + (np.where(np.isfinite(d.choke), d.choke, 0.0) * d.level) @ unserved
    )
    constraints: list[Any] = [
        *cones,
        (made @ level + released - sent @ w) / n.source_size == 0,
        (bought @ w) / model.size == bought_share,
        (cp.multiply(d.level, demand_ - unserved) + used @ level + stocked) / model.size == bought_share,
    ]
    full, served = np.flatnonzero(np.isfinite(p.tranches.high)), np.flatnonzero(~np.isfinite(d.choke))
    constraints += [level[full] <= (p.tranches.high / s.level)[full]] if full.size else []
    constraints += [unserved[served] == 0] if served.size else []
    constraints += [cp.sum(cp.multiply(model.base[at], w[at])) / tonnes <= 1.0 for at, tonnes in model.limits()]
    problem = cp.Problem(cp.Minimize(objective / model.scale), constraints)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it may be inaccurate is in the status, and how far off in the table
            problem.solve(solver=cp.CLARABEL, **CLARABEL)
    except cp.SolverError as failed:
        return Run(np.inf, np.inf, f"failed: {failed}"[:60])
    if w.value is None:
        return Run(np.inf, np.inf, str(problem.status))
    stats = problem.solver_stats
    return Run(
        float(stats.solve_time),
        off(n, ours, model.flows(np.asarray(w.value))),
        f"{problem.status}, {stats.num_iters} steps",
    )


# -- CasADi with IPOPT ------------------------------------------------------------------------------------------------------


def by_ipopt_programme(n: Network, p: Policy, ours: Solution) -> Run:
    """The programme as it stands, smooth, with exact second derivatives."""
    import casadi as ca

    model = Programme.of(n, p)
    d, s = n.demand, n.supply.take(p.tranche_activity)
    m, t, r = n.market_good.size, model.level.size, model.routes.size
    x = ca.SX.sym("x", r + m + t + m + m)
    w, bought_share, level, demand_, unserved = ca.vertsplit(x, np.cumsum([0, r, m, t, m, m]).tolist())
    made, sent, bought, used, released, stocked = model.balances()
    base_cost, base_use = s.level * s.margin * s.eps / (1.0 + s.eps), d.level * d.index * d.eta / (1.0 - d.eta)
    spread = w * ca.log(w / bought_share[model.market.tolist()])
    objective = (
        ca.dot(model.base * model.cost, w)
        + ca.dot(n.index0 * model.size, bought_share)
        + ca.dot(model.base / n.theta[model.market], spread)
        + ca.dot(base_cost, level ** (1.0 + 1.0 / s.eps))
        + ca.dot(model.running, level)
        + ca.dot(base_use, demand_ ** (1.0 - 1.0 / d.eta))
        + ca.dot(np.where(np.isfinite(d.choke), d.choke, 0.0) * d.level, unserved)
    )
    limits = model.limits()
    rows = [
        (_times(ca, made, level) + released - _times(ca, sent, w)) / n.source_size,
        _times(ca, bought, w) / model.size - bought_share,
        (d.level * (demand_ - unserved) + _times(ca, used, level) + stocked) / model.size - bought_share,
        *(ca.dot(model.base[at], w[at.tolist()]) / tonnes for at, tonnes in limits),
    ]
    tiny = 1e-12
    high = np.concatenate(
        [
            np.full(r + m, np.inf),
            p.tranches.high / s.level,
            np.full(m, np.inf),
            np.where(np.isfinite(d.choke), np.inf, tiny),
        ]
    )
    low = np.concatenate([np.full(r + m + t + m, tiny), np.zeros(m)])
    equal = n.source_good.size + 2 * m
    start = np.concatenate([np.ones(r + m + t + m), np.zeros(m)])
    bounds = {"lbx": low, "ubx": high, "lbg": np.r_[np.zeros(equal), np.full(len(limits), -np.inf)], "ubg": np.r_[np.zeros(equal), np.ones(len(limits))]}  # fmt: skip
    solver = ca.nlpsol("programme", "ipopt", {"x": x, "f": objective / model.scale, "g": ca.vertcat(*rows)}, IPOPT)
    seconds, found, status = _search(solver, start, bounds)
    return Run(seconds, off(n, ours, model.flows(found[:r])), status)


def by_ipopt_equations(n: Network, p: Policy, ours: Solution) -> Run:
    """Prices, cost indices and rents such that every equation holds; complementarities by Fischer and Burmeister's function.

    The cost index of each market is an unknown of its own, sum_i w0 exp(-theta (d - d0 - V + V0)) = 1, so that second
    derivatives stay sparse. The right set of short markets is given, as it is to SciPy's methods.
    """
    import casadi as ca

    i, m, t = n.source_good.size, n.market_good.size, p.tranche_activity.size
    rs, rm = n.route_source, n.route_market
    short = np.flatnonzero((ours.unserved > 0.0) & (sum_by(rm, p.open, m) > 0)).astype(np.intp)
    groups, rates = (*p.quotas, *p.corridors), p.rate_quotas
    recoveries, extras = n.recovery_activity.size, len(groups) + n.recovery_activity.size + len(rates) + short.size
    unit = n.typical_price
    x = ca.SX.sym("x", i + m + extras)
    y, v, z = ca.vertsplit(x, [0, i, i + m, i + m + extras])
    price, index = ca.exp(y), n.index0 * v
    rent, tariff = ca.SX.zeros(rs.size), ca.SX(p.tariff)
    for e, group in enumerate(groups):
        rent[group.routes.tolist()] += unit * z[e]
    for e, group in enumerate(rates):
        tariff[group.routes.tolist()] = z[len(groups) + recoveries + e]
    cif = price[rs.tolist()] * (1.0 + p.export_tax) + p.export_specific + p.freight + n.premium + rent
    pre = cif + tariff * (cif - n.fob_valued * p.freight) + p.specific
    base = ca.if_else(ca.DM(p.gap_on_cif.astype(float)), cif, pre)
    floored = np.isfinite(p.reference).astype(float)
    levy = floored * p.phase * ca.fmax(0.0, np.where(floored > 0, p.reference, 0.0) - base)
    market = rm.tolist()
    score = n.log_share - n.theta[rm] * (pre + levy - n.delivered0 - (index - n.index0)[market])
    share = p.open.astype(float) * ca.exp(score)
    by_market = csc_array((np.ones(rs.size), (rm, np.arange(rs.size))), shape=(m, rs.size))
    by_source = csc_array((np.ones(rs.size), (rs, np.arange(rs.size))), shape=(i, rs.size))

    at = price[p.out_source.tolist()]
    covered = np.isfinite(p.strike)
    strike = np.where(covered, p.strike, 0.0)
    receipts = ca.if_else(ca.DM(covered.astype(float)), strike + p.upside * ca.fmax(0.0, at - strike), at)
    out = csc_array((p.out_coef, (p.out_tranche, np.arange(p.out_coef.size))), shape=(t, p.out_coef.size))
    taken = csc_array((p.in_coef, (p.in_tranche, p.in_market)), shape=(t, m))
    margin = (
        _times(ca, out, receipts + p.subsidy)
        - _times(ca, taken, index)
        + (n.support - n.fixed_cost)[p.tranche_activity]
    )
    for e, (k, host) in enumerate(zip(n.recovery_activity, n.recovery_host)):
        margin[np.flatnonzero(p.tranche_activity == k).tolist()] -= unit * z[len(groups) + e]
        margin[np.flatnonzero(p.tranche_activity == host).tolist()] += n.recovery_content[e] * unit * z[len(groups) + e]
    s = p.tranches.curve
    level = _power(ca, s.level, s.margin, s.eps, margin)
    level = ca.fmin(ca.fmax(level, p.tranches.low), p.tranches.high) - p.tranches.low
    d = n.demand
    wanted = _power(ca, d.level, d.index, -d.eta, ca.fmin(index, d.choke))
    unserved = ca.SX.zeros(m)
    unserved[short.tolist()] = z[extras - short.size :] * d.level[short]
    raw = wanted - unserved + _times(ca, taken.T, level) + p.purchases + n.stock_build
    spot = ca.fmax(0.0, raw - sum_by(rm, p.offtake, m))
    flow = share * spot[market] + p.offtake
    made = _times(ca, csc_array((p.out_coef, (p.out_source, p.out_tranche)), shape=(i, t)), level)
    excess = (made + n.stock_release - _times(ca, by_source, flow)) / n.source_size
    above = y - np.log(n.source_floor)

    def either(a: Any, b: Any) -> Any:
        return a + b - ca.sqrt(a * a + b * b + 1e-24)

    rows = [ca.fmin(excess, above), _times(ca, by_market, share) - 1.0]
    for e, group in enumerate(groups):
        used = ca.sum1(flow[group.routes.tolist()])
        rows.append(either(z[e], 1.0 - used / group.tonnes))
    for e, (k, host) in enumerate(zip(n.recovery_activity, n.recovery_host)):
        own = ca.sum1(level[np.flatnonzero(p.tranche_activity == k).tolist()])
        most = n.recovery_content[e] * ca.sum1(level[np.flatnonzero(p.tranche_activity == host).tolist()])
        rows.append(either(z[len(groups) + e], (most - own) / max(float(n.supply.level[k]), 1e-12)))
    for e, group in enumerate(rates):
        rate, slack = z[len(groups) + recoveries + e], 1.0 - ca.sum1(flow[group.routes.tolist()]) / group.tonnes
        rows.append(either(rate - group.rate_in, -either(group.rate_out - rate, -slack)))
    for e, j in enumerate(short):
        rows.append(either(z[extras - short.size + e], (d.choke[j] - index[int(j)]) / d.choke[j]))
    low = np.concatenate([np.log(n.source_floor), np.full(m, 1e-3), np.zeros(extras)])
    low[i + m + len(groups) + recoveries : i + m + extras - short.size] = [group.rate_in for group in rates]
    start = np.concatenate([np.log(n.source_price), np.ones(m), np.maximum(low[i + m :], 0.0)])
    solver = ca.nlpsol("equations", "ipopt", {"x": x, "f": 0, "g": ca.vertcat(*rows)}, IPOPT)
    seconds, found, status = _search(solver, start, {"lbx": low, "ubx": np.inf, "lbg": 0.0, "ubg": 0.0})
    tonnes = np.asarray(ca.Function("flow", [x], [flow])(found)).ravel()
    return Run(seconds, off(n, ours, tonnes), status)


def _power(ca: Any, level: Array, base: Array, power: Array, at: Any) -> Any:
    """An iso-elastic curve with its exponential tail, as `market.curves` has it."""
    switch = TAIL * base
    below = ca.fmin(at - switch, 0.0) / switch
    return level * ca.exp(power * (ca.log(ca.fmax(at, switch) / base) + below))


def _times(ca: Any, matrix: csc_array, vector: Any) -> Any:
    return ca.mtimes(ca.DM(csc_matrix(matrix)), vector)


def _search(solver: Any, start: Array, bounds: dict[str, Any]) -> tuple[float, Array, str]:
    """Seconds of the best of up to three searches, where it ended, and how."""
    best, first = np.inf, time.perf_counter()
    for _ in range(3):
        began = time.perf_counter()
        found = solver(x0=start, **bounds)
        best = min(best, time.perf_counter() - began)
        if time.perf_counter() - first > 2.0:
            break
    stats = solver.stats()
    return best, np.asarray(found["x"]).ravel(), f"{stats['return_status']}, {stats['iter_count']} steps"


# -- tables -----------------------------------------------------------------------------------------------------------------

Peer = Callable[[Network, Policy, Solution], Run]
FAMILIES: dict[str, tuple[Callable[[int, int], tuple[Network, list[faces.Wedge]]], dict[str, Peer]]] = {
    "every measure": (generated, {"CasADi, IPOPT (equations)": by_ipopt_equations}),
    "additive measures": (
        additive,
        {
            "CasADi, IPOPT (equations)": by_ipopt_equations,
            "CasADi, IPOPT (programme)": by_ipopt_programme,
            "CVXPY, Clarabel": by_cvxpy,
        },
    ),
}


def by_scipy(method: str) -> Peer:
    """One of SciPy's root finders, with our residual and Jacobian."""

    def run(n: Network, p: Policy, ours: Solution) -> Run:
        seconds, left, status = peer(method, n, p, ours)
        return Run(seconds, 0.0 if status == "solved" else max(left, 2.0 * SAME), status)

    return run


def table(family: str, countries: int, count: int, methods: Sequence[str]) -> None:
    draw, modelled = FAMILIES[family]
    peers: dict[str, Peer] = {f"SciPy root, {method}": by_scipy(method) for method in methods} | modelled
    ours: list[float] = []
    plain: list[float] = []
    theirs: dict[str, list[Run]] = {name: [] for name in peers}
    for number in range(count):
        network, wedges = draw(countries, number)
        policy = impose(network, wedges)
        solved = solve(network, policy)
        broken = faults(network, policy, solved)
        if broken:
            raise SystemExit(f"{countries} x 3, {family}, network {number}: {'; '.join(broken)}")
        for wanted, seconds in ((False, plain), (True, ours)):
            compiled.use(wanted)
            solve(network, policy)  # what is compiled is compiled now
            seconds.append(timed(lambda n=network, p=policy: solve(n, p)).best_s)
        for name, run in peers.items():
            theirs[name].append(run(network, policy, solved))
    median = float(np.median(ours))
    print(f"{countries} countries, three stages, {family}; milliseconds, median of {count} networks")
    print(f"{'method':>28} {'ms':>10} {'ratio':>8} {'largest difference':>19}  status")
    print(f"{'ours':>28} {1e3 * median:10.2f} {'1':>8} {'':>19}  solved {count} of {count}")
    slower = float(np.median(np.array(plain) / np.array(ours)))
    print(f"{'ours, plain arrays':>28} {1e3 * float(np.median(plain)):10.2f} {slower:8.1f}")
    for name, runs in theirs.items():
        done = [(run.seconds / own, run) for run, own in zip(runs, ours, strict=True) if run.solved]
        if not done:
            best = min(runs, key=lambda run: run.off)
            reached = "" if name.startswith("SciPy") or not np.isfinite(best.off) else f"{best.off:.1e}"
            took = f"{1e3 * best.seconds:.2f}" if np.isfinite(best.seconds) else "-"
            print(f"{name:>28} {took:>10} {'-':>8} {reached:>19}  none solved: {best.status}")
            continue
        seconds = float(np.median([run.seconds for _, run in done]))
        ratio = float(np.median([each for each, _ in done]))
        worst = "" if name.startswith("SciPy") else f"{max(run.off for _, run in done):.1e}"
        said = f"solved {len(done)} of {count}; {done[0][1].status}"
        print(f"{name:>28} {1e3 * seconds:10.2f} {ratio:8.1f} {worst:>19}  {said}")
    if family == "every measure":
        print(
            f"{'CVXPY, Clarabel':>28} {'-':>10} {'-':>8} {'-':>19}  a floor or an ad valorem duty is no convex programme"
        )
    print()


def main() -> None:
    read = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    read.add_argument("--countries", type=int, default=60)
    read.add_argument("--networks", type=int, default=5)
    read.add_argument("--scipy", default=",".join(m for m in ("hybr", "lm", "krylov") if m in PEERS), metavar="METHODS")
    asked = read.parse_args()
    try:
        import casadi
        import cvxpy
    except ImportError as missing:
        raise SystemExit(
            f"{missing}: the peers come with the extra `bench` (pip install 'friendshore[bench]')"
        ) from None
    print(machine(), f"CasADi {casadi.__version__}, CVXPY {cvxpy.__version__}", sep="\n")
    with threadpool_limits(1):
        for family in FAMILIES:
            table(family, asked.countries, asked.networks, [m for m in asked.scipy.split(",") if m])


if __name__ == "__main__":
    main()
