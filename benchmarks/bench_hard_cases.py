"""Ten thousand markets that are hard on a solver: does each get an answer, and is each refusal right?

Every case is drawn from SEED and its own number: sigma scaled by 0.5-10, floors at 0.8-3 times the index, quotas on levied
routes, activities at capacity, bans, recovery bounds, and every other kind of measure. A solved case is checked against the
equilibrium conditions, written out here again from prices and tonnes alone; a refusal against a linear programme.

    python benchmarks/bench_hard_cases.py                     all of them
    python benchmarks/bench_hard_cases.py --start 400 --cases 50
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from types import FrameType

import numpy as np
import scipy
from random_markets import ALL_KINDS, chain, policies
from scipy.optimize import linprog
from scipy.sparse import csr_array
from scipy.stats import norm

from friendshore import faces
from friendshore.errors import MarketError
from friendshore.market.accounts import account
from friendshore.market.curves import Array, Shape, demand, tranche_supply
from friendshore.market.equilibrium import solve
from friendshore.market.network import Network
from friendshore.market.policy import Policy, impose
from friendshore.market.solution import Solution

SEED = 20260
CASES = 10_000
LIMIT_S = 20.0  # longest time that one case may take
SOLVED = 0.995  # share of cases that must be solved


@dataclass(frozen=True)
class Result:
    """What became of one case."""

    number: int
    outcome: str  # "solved", "refused", "unsolved", "slow", "wrong"
    method: str
    seconds: float
    steps: int
    remark: str = ""


def hard_case(number: int) -> tuple[Network, list[faces.Wedge]]:
    """Case `number` of the committed seed."""
    rng = np.random.default_rng([SEED, number])
    by_product = rng.random()
    network = chain(
        rng,
        countries=int(rng.integers(3, 16)),
        stages=int(rng.integers(1, 4)),
        density=float(rng.uniform(0.3, 1.0)),
        sigma_scale=float(np.exp(rng.uniform(np.log(0.5), np.log(10.0)))),
        tight=float(rng.choice([0.0, 0.3, 0.8])),
        recovery=bool(by_product < 0.3),
        joint=bool(0.3 <= by_product < 0.5),
        choke=float(rng.uniform(1.5, 8.0)),
    )
    # One case in five carries everything; the others floors, a quota on a levied route and half of the rest.
    always = ("floor", "quota")
    others = [kind for kind in ALL_KINDS if kind not in always]
    chosen = others if rng.random() < 0.2 else [kind for kind in others if rng.random() < 0.5]
    kinds = (*always, *chosen, *(("floor",) if rng.random() < 0.5 else ()))
    return network, policies(rng, network, kinds, low=0.8, high=3.0)


# -- the conditions, once more ----------------------------------------------------------------------------------------


def faults(n: Network, p: Policy, s: Solution) -> list[str]:
    """Every equilibrium condition that `s` breaks, by more than 1e-8 of the market's size or price."""
    found = []

    def near(
        what: str, left: Array | float, right: Array | float, scale: Array | float, tolerance: float = 1e-8
    ) -> None:
        off = np.abs(np.asarray(left) - np.asarray(right)) / scale
        if (off.size and not np.nanmax(off, initial=0.0) <= tolerance) or not np.isfinite(off).all():
            found.append(f"{what}: off by {float(np.max(off)):.2e}")

    def meets(what: str, first: Array | float, second: Array | float) -> None:
        """0 <= first, 0 <= second, one of them zero."""
        first, second = np.asarray(first), np.asarray(second)
        worst = np.max(np.abs(np.minimum(first, second)), initial=0.0)
        if worst > 1e-8:
            found.append(f"{what}: neither side vanishes ({worst:.2e})")

    rs, rm, routes = n.route_source, n.route_market, n.route_source.size
    rent = np.zeros(routes)
    for group, rho in [*zip(p.quotas, s.quota_rent), *zip(p.corridors, s.corridor_rent)]:
        rent[group.routes] += rho
    cif = s.price[rs] * (1.0 + p.export_tax) + p.export_specific + rent + p.freight + n.premium
    near("cif", s.cif, cif, cif)
    tariff = p.tariff.copy()
    for rate_group, rate in zip(p.rate_quotas, s.rate):
        tariff[rate_group.routes] = rate
    pre = cif + tariff * (cif - n.fob_valued * p.freight) + p.specific
    levy = p.phase * _mean_gap(p.reference - np.where(p.gap_on_cif, cif, pre), p.dispersion)
    near("levy", s.levy, levy, np.abs(pre))
    near("delivered", s.delivered, pre + levy, np.abs(pre))

    score = np.where(p.open, n.log_share - n.theta[rm] * (s.delivered - n.delivered0), -np.inf)
    best = np.full(n.market_good.size, -np.inf)
    np.maximum.at(best, rm, score)
    alive = np.isfinite(best)
    with np.errstate(invalid="ignore"):
        weight = np.where(alive[rm], np.exp(score - best[rm]), 0.0)
    total = np.bincount(rm, weights=weight, minlength=best.size)
    near(
        "index",
        s.index[alive],
        (n.index0 - (best + np.log(np.where(alive, total, 1.0))) / n.theta)[alive],
        np.abs(n.index0[alive]),
    )
    share = weight / np.where(alive, total, 1.0)[rm]
    near("shares", s.share, share, 1.0)

    covered = np.isfinite(p.strike)
    strike, at = np.where(covered, p.strike, 0.0), s.price[p.out_source]
    receipts = np.where(
        covered, strike + p.upside * _mean_gap(at - strike, np.where(covered, p.strike_dispersion, 0.0)), at
    )
    tranches = p.tranche_activity.size
    margin = np.bincount(p.out_tranche, weights=p.out_coef * (receipts + p.subsidy), minlength=tranches)
    margin = margin - np.bincount(p.in_tranche, weights=p.in_coef * s.index[p.in_market], minlength=tranches)
    margin = margin + (n.support - n.fixed_cost)[p.tranche_activity]
    level_of = np.zeros(len(n.activities))
    np.add.at(level_of, p.tranche_activity, s.level)
    for a, h, content, mu in zip(n.recovery_activity, n.recovery_host, n.recovery_content, s.recovery_charge):
        margin = margin - mu * (p.tranche_activity == a) + content * mu * (p.tranche_activity == h)
        meets("recovery", mu / n.supply.margin[a], (content * level_of[h] - level_of[a]) / n.supply.level[a])
    near("margin", s.margin, margin, np.maximum(np.abs(margin), n.supply.margin[p.tranche_activity]))
    level, _ = tranche_supply(p.tranches, margin)
    halted = np.zeros(tranches, dtype=bool)
    halted[p.in_tranche[~alive[p.in_market]]] = True
    level = np.where(halted, 0.0, level)
    near("levels", s.level, level, np.maximum(n.supply.level[p.tranche_activity], 1e-12))
    if (level_of > n.capacity * (1 + 1e-12)).any():
        found.append("capacity: exceeded")

    wanted, _ = demand(n.demand, s.index)
    size_m = np.bincount(rm, weights=n.flow0, minlength=best.size)
    near("final demand", s.wanted, wanted, np.maximum(n.demand.level, 1e-12))
    used = np.bincount(p.in_market, weights=p.in_coef * s.level[p.in_tranche], minlength=best.size)
    arrives = np.bincount(rm, weights=s.flow, minlength=best.size)
    takes = s.wanted - s.unserved + used + s.reserve_bought + s.stock_build + s.bought_stock
    near("tonnes in a market", arrives[alive], takes[alive], np.maximum(size_m, 1e-12)[alive])
    made = np.bincount(p.out_source, weights=p.out_coef * s.level[p.out_tranche], minlength=n.source_good.size)
    leaves = np.bincount(rs, weights=s.flow, minlength=n.source_good.size)
    near("tonnes of a source", made + n.stock_release, leaves + s.discarded, n.source_size)
    meets("discarding", s.discarded / n.source_size, s.price / n.source_floor - 1.0)
    near("flows", s.flow, p.offtake + s.share * s.spot[rm], np.maximum(size_m[rm], 1e-12))
    if (s.flow < 0).any() or (s.flow[~p.open] > 0).any():
        found.append("flows: negative, or on a closed route")
    choke = n.demand.choke
    limited = alive & np.isfinite(choke) & (s.wanted > 0)
    u, c, v = s.unserved[limited] / s.wanted[limited], 1.0, s.index[limited] / choke[limited]
    # U = 0 below the choke price, U = C above it: at any other U the market stands at the choke price.
    short, spare = np.maximum(0.0, 1.0 - v), np.maximum(0.0, v - 1.0)
    near("unserved below the choke price", np.minimum(u, short), 0.0, 1.0)
    near("served above the choke price", np.minimum(c - u, spare), 0.0, 1.0)

    for group, rho in [*zip(p.quotas, s.quota_rent), *zip(p.corridors, s.corridor_rent)]:
        meets(group.clause, rho / np.mean(n.delivered0[group.routes]), 1.0 - s.flow[group.routes].sum() / group.tonnes)
    for rate_group, rate in zip(p.rate_quotas, s.rate):
        spare = 1.0 - s.flow[rate_group.routes].sum() / rate_group.tonnes
        width = rate_group.rate_out - rate_group.rate_in
        inside, outside = (rate - rate_group.rate_in) / width, (rate_group.rate_out - rate) / width
        meets("tariff quota, inside", inside, max(spare, 0.0))
        meets("tariff quota, outside", outside, max(-spare, 0.0))
    counted = account(n, p, s)
    gross = sum(abs(v) for v in counted.lines.values())
    near("accounts", counted.total, counted.resources.total, max(gross, 1.0), 1e-9)
    return found


def _mean_gap(over: Array, spread: Array) -> Array:
    """E max(0, over + spread z), z standard normal."""
    out, wide = np.maximum(0.0, over), (spread > 0.0) & np.isfinite(over)
    k = over[wide] / spread[wide]
    out[wide] = over[wide] * norm.cdf(k) + spread[wide] * norm.pdf(k)
    return out


# -- the second opinion on a refusal ----------------------------------------------------------------------------------


def feasible(n: Network, p: Policy) -> bool:
    """Whether any tonnes at all satisfy the terms: a linear programme over flows, levels, final use and waste (HiGHS).

    flows >= take-or-pay, on open routes; levels within capacity; quotas, corridors, recovery bounds; final use between
    nothing and what is wanted (at least a thousandth, where no choke price ends a use).
    """
    routes, acts = n.route_source.size, len(n.activities)
    sources, markets = n.source_good.size, n.market_good.size
    flow, level, final, waste, stock = np.split(
        np.arange(routes + acts + 2 * markets + sources), np.cumsum([routes, acts, markets, sources])
    )
    size = float(n.source_size.max())
    reachable = np.bincount(n.route_market, weights=p.open.astype(float), minlength=markets) > 0
    most, _ = demand(n.demand, np.minimum(n.index0 * 1e-3, n.demand.choke))
    least = np.where(np.isfinite(n.demand.choke) | (n.demand.level == 0.0), 0.0, 1e-3 * n.demand.level)
    low = np.concatenate([p.offtake, np.zeros(acts), least, np.zeros(sources + markets)])
    high = np.full(low.size, np.inf)
    high[flow] = np.where(p.open, np.inf, 0.0)
    high[level] = n.capacity
    high[final] = np.maximum(most, n.demand.level)
    fixed = n.supply.shape == Shape.FIXED
    halted = np.zeros(acts, dtype=bool)
    halted[n.in_activity[~reachable[n.in_market]]] = True
    low[level[fixed & ~halted]] = high[level[fixed & ~halted]] = n.supply.level[fixed & ~halted]
    high[level[halted]] = 0.0
    held = np.where(reachable, p.purchases + n.stock_build, np.minimum(p.purchases, 0.0))

    row: list[Array] = []
    column: list[Array] = []
    value: list[Array] = []

    def put(rows: Array, columns: Array, values: Array | float) -> None:
        row.append(np.asarray(rows))
        column.append(np.asarray(columns))
        value.append(np.broadcast_to(np.asarray(values, dtype=float), np.asarray(rows).shape))

    # made + release = leaves + wasted;  arrives = final + used + held + put into stock
    put(n.out_source, level[n.out_activity], n.out_coef)
    put(n.route_source, flow, -1.0)
    put(np.arange(sources), waste, -1.0)
    put(sources + n.route_market, flow, 1.0)
    put(sources + np.arange(markets), final, -1.0)
    put(sources + n.in_market, level[n.in_activity], -n.in_coef)
    put(sources + np.arange(markets), stock, -1.0)
    equal = csr_array(
        (np.concatenate(value), (np.concatenate(row), np.concatenate(column))), shape=(sources + markets, low.size)
    )
    right = np.concatenate([-n.stock_release, held])
    row, column, value = [], [], []
    limits = []
    for e, group in enumerate([*p.quotas, *p.corridors]):
        put(np.full(group.routes.size, e), flow[group.routes], 1.0)
        limits.append(group.tonnes)
    first = len(limits)
    for e, (a, h, content) in enumerate(zip(n.recovery_activity, n.recovery_host, n.recovery_content)):
        put(np.array([first + e, first + e]), level[[a, h]], np.array([1.0, -content]))
        limits.append(0.0)
    upper = None
    if limits:
        upper = csr_array(
            (np.concatenate(value), (np.concatenate(row), np.concatenate(column))), shape=(len(limits), low.size)
        )
    found = linprog(
        np.zeros(low.size), A_ub=upper, b_ub=np.array(limits) / size if limits else None, A_eq=equal, b_eq=right / size,
        bounds=np.column_stack([low, high]) / size, method="highs",
    )  # fmt: skip
    if found.status not in (0, 2):
        raise RuntimeError(f"the linear programme ended without an answer: {found.message}")
    return found.status == 0


# -- running ----------------------------------------------------------------------------------------------------------


def machine() -> str:
    """What the seconds depend on, in a line."""
    today = datetime.now(UTC).date().isoformat()
    versions = f"Python {platform.python_version()}, NumPy {np.__version__}, SciPy {scipy.__version__}"
    return f"{today}, {os.cpu_count()} cores ({platform.machine()}), one thread, {versions}"


class Late(Exception):
    """A case took longer than it may."""


@contextmanager
def within(seconds: float) -> Iterator[None]:
    def late(_signal: int, _frame: FrameType | None) -> None:
        raise Late

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)


def attempt(number: int, limit_s: float = LIMIT_S) -> Result:
    """Solve case `number` and check what comes back."""
    network, wedges = hard_case(number)
    policy = impose(network, wedges)
    began = time.perf_counter()
    try:
        with within(limit_s), np.errstate(over="ignore", invalid="ignore"):  # a trial step may, and is thrown away
            solved = solve(network, policy)
    except Late:
        return Result(number, "slow", "", time.perf_counter() - began, 0)
    except MarketError as refusal:
        took = time.perf_counter() - began
        possible = feasible(network, policy)
        if refusal.certificate:
            kinds = "+".join(sorted({c.kind for c in refusal.certificate}))
            return Result(
                number,
                "wrong" if possible else "refused",
                kinds,
                took,
                0,
                "the programme finds tonnes" if possible else "",
            )
        remark = str(refusal) if possible else f"infeasible by the linear programme, but no certificate: {refusal}"
        return Result(number, "unsolved", "", took, 0, remark)
    broken = faults(network, policy, solved)
    return Result(
        number, "wrong" if broken else "solved", solved.method, solved.seconds, solved.steps, "; ".join(broken)
    )


def main() -> None:
    read = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    read.add_argument("--cases", type=int, default=CASES)
    read.add_argument("--start", type=int, default=0)
    read.add_argument("--limit", type=float, default=LIMIT_S, help="seconds that one case may take")
    read.add_argument("--json", action="store_true", help="one JSON document instead of the table")
    asked = read.parse_args()
    results = [attempt(number, asked.limit) for number in range(asked.start, asked.start + asked.cases)]
    outcomes = Counter(r.outcome for r in results)
    methods = Counter(r.method for r in results if r.outcome == "solved")
    refused = Counter(r.method for r in results if r.outcome == "refused")
    seconds = np.array([r.seconds for r in results])
    steps = np.array([r.steps for r in results if r.outcome == "solved"] or [0])
    bad = [r for r in results if r.outcome in ("unsolved", "slow", "wrong")]
    # A refusal that the linear programme confirms is a right answer, but it is not a solved case.
    share = outcomes["solved"] / len(results)
    if asked.json:
        document = {
            "seed": SEED, "start": asked.start, "cases": len(results), "outcomes": dict(outcomes), "solved_share": share,
            "methods": dict(methods), "refusals": dict(refused), "seconds": float(seconds.sum()),
            "slowest_s": float(seconds.max()), "bad": [vars(r) for r in bad],
        }  # fmt: skip
        print(json.dumps(document, indent=1))
    else:
        print(machine())
        print(f"hard cases {asked.start}-{asked.start + len(results) - 1} of seed {SEED}")
        print(f"  solved      {outcomes['solved']:6d}   {100 * share:.2f} % (at least {100 * SOLVED:.1f} % are asked)")
        for name, count in methods.most_common():
            print(f"    {name:36s} {count:6d}   {100 * count / len(results):.2f} %")
        print(f"  refused     {outcomes['refused']:6d}   each certificate confirmed by a linear programme")
        for name, count in refused.most_common():
            print(f"    {name:36s} {count:6d}")
        print(f"  no answer   {outcomes['unsolved']:6d}")
        print(f"  over {asked.limit:.0f} s   {outcomes['slow']:6d}")
        print(f"  wrong       {outcomes['wrong']:6d}   a condition broken, or a certificate not confirmed")
        print(f"  steps: median {np.median(steps):.0f}, 99 % {np.quantile(steps, 0.99):.0f}, most {steps.max():.0f}")
        print(
            f"  seconds: median {np.median(seconds):.4f}, 99 % {np.quantile(seconds, 0.99):.3f}, most {seconds.max():.2f}"
        )
        slowest = sorted(results, key=lambda r: -r.seconds)[:3]
        print("  slowest: " + ", ".join(f"case {r.number} {r.seconds:.1f} s" for r in slowest))
        for r in bad:
            print(f"  case {r.number}: {r.outcome} after {r.seconds:.1f} s. {r.method} {r.remark}")
    raise SystemExit(0 if share >= SOLVED and not outcomes["wrong"] else 1)


if __name__ == "__main__":
    main()
