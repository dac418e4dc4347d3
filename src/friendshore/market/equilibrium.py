"""How markets clear: prices at which everything made is bought, shipped, rationed or, in glut, discarded.

`solve` cuts a market into the parts that nothing joins, finds each part's prices by Newton's method, and by longer ways
where that stalls, and says what it found in a sentence. The equations are `system`'s, the steps `newton`'s; the homogeneous
limit lives in `homogeneous`, surpluses in `accounts`.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from threadpoolctl import ThreadpoolController

from friendshore.errors import MarketError
from friendshore.market.certificate import refuse, refuse_infeasible, relief
from friendshore.market.ces import Armington
from friendshore.market.components import Part, part_state, split
from friendshore.market.curves import Array, sum_by
from friendshore.market.network import Network
from friendshore.market.newton import ACCEPTED, TOLERANCE, Style, newton
from friendshore.market.policy import Policy
from friendshore.market.solution import BY_ROWS, Solution, market_name
from friendshore.market.system import Point, System

_kind: type[System] = System  # the plain arrays, or `compiled`'s loops
RAMPS = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5)  # relative widths of the slope at the choke price


def solve(network: Network, policy: Policy, *, start: Array | None = None, steps: int = 200) -> Solution:
    """Clear the market.

    Parameters
    ----------
    network, policy : the arrays of one experiment
    start : `Solution.state` of a solved neighbour, to start warm; the base otherwise
    steps : Newton steps before giving up

    Returns
    -------
    Solution   residual below 1e-10 of every market's size

    Raises
    ------
    MarketError   no answer was reached; the worst market is named, with its excess in tonnes
    """
    began = time.perf_counter()
    refuse_infeasible(network, policy)
    parts = split(network, policy)
    with _one_thread():
        if len(parts) == 1:
            return _solve_part(network, policy, start, steps, began)
        sizes = {
            "sources": network.source_good.size,
            "quotas": len(policy.quotas),
            "corridors": len(policy.corridors),
            "recoveries": network.recovery_activity.size,
            "markets": network.market_good.size,
        }
        fits = start is not None and start.size == sum(sizes.values()) + len(policy.rate_quotas)
        solved = [
            _solve_part(
                part.network,
                part.policy,
                part_state(start, part, **sizes) if fits and start is not None else None,
                steps,
            )
            for part in parts
        ]
    return _joined(network, policy, parts, solved, time.perf_counter() - began)


def take(kind: type[System]) -> None:
    """Solve with these equations from now on: `System`, or a kind of it that says the same faster."""
    global _kind
    _kind = kind


def _solve_part(
    network: Network, policy: Policy, start: Array | None, steps: int, began: float | None = None
) -> Solution:
    began = time.perf_counter() if began is None else began
    system = (Armington if network.sourcing == "ces" else _kind)(network, policy)
    x = system.start()
    if start is not None and start.size == x.size + system.markets:
        x, short = start[: x.size].copy(), start[x.size :]
        system.unserved_at = np.flatnonzero((short > 0.0) & ~system.dead).astype(np.intp)
        x = np.concatenate([x, short[system.unserved_at]])
    x, point, taken, method = _search(system, x, steps)
    solution = _solution(system, x, point, taken, time.perf_counter() - began, method)
    system.close()
    return solution


def _joined(
    network: Network, policy: Policy, parts: Sequence[Part], solved: Sequence[Solution], seconds: float
) -> Solution:
    """The answers of the parts as one; steps are those of the longest, the method that of the hardest."""
    n, p = network, policy
    sizes = {
        "sources": n.source_good.size,
        "markets": n.market_good.size,
        "routes": n.route_source.size,
        "tranches": p.tranche_activity.size,
        "quotas": len(p.quotas),
        "corridors": len(p.corridors),
        "recoveries": n.recovery_activity.size,
        "rates": len(p.rate_quotas),
    }
    whole: dict[str, Array] = {}
    for rows, names in BY_ROWS.items():
        for name in names:
            out = np.zeros(sizes[rows])
            for part, one in zip(parts, solved, strict=True):
                out[getattr(part, rows)] = getattr(one, name)
            whole[name] = out
    undetermined = tuple(
        (int(part.sources[i]), low, high)
        for part, one in zip(parts, solved, strict=True)
        for i, low, high in one.undetermined
    )
    steps = max(one.steps for one in solved)
    methods = [one.method for one in solved if one.method != "Newton"]
    in_state = ("sources", "quotas", "corridors", "recoveries", "rates", "markets")
    state = np.zeros(sum(sizes[name] for name in in_state))
    for part, one in zip(parts, solved, strict=True):
        first = taken = 0
        for name in in_state:
            rows_here = getattr(part, name)
            state[first + rows_here] = one.state[taken : taken + rows_here.size]
            first, taken = first + sizes[name], taken + rows_here.size
    return Solution(
        **whole,
        residual_t=max(one.residual_t for one in solved),
        steps=steps,
        seconds=seconds,
        status=_status(n, whole["unserved"], whole["discarded"], undetermined, steps, methods),
        method="; ".join(dict.fromkeys(methods)) or "Newton",
        undetermined=undetermined,
        state=state,
    )


@cache
def _thread_pools() -> ThreadpoolController:
    return ThreadpoolController()


def _one_thread() -> Any:
    """Matrices of a few hundred rows: threads of the linear algebra library would wait for each other longer than they work."""
    return _thread_pools().limit(limits=1, user_api="blas")


def _search(system: System, x: Array, steps: int) -> tuple[Array, Point, int, str]:
    """Newton with shortages as complementarities; where that stalls, by a ramp, with quotas tightened step by step.

    Which of a hundred nearly equal markets goes short is a combinatorial question that complementarity alone answers
    slowly; along a ramp that narrows the answer is smooth, and the last step from it to the choke price is exact.
    """
    first = x[: system.sources + system.fixed_extras]
    short = system.unserved_at.size > 0
    x, point, norm, taken = newton(system, x, 60, smooth=0.0, pull=0.0, patience=10)
    if norm <= ACCEPTED:
        return x, point, taken, "Newton"
    system.unserved_at = np.zeros(0, dtype=np.intp)
    if short:  # the neighbour ended on the ramp; so may this one, a few steps away
        system.ramp = RAMPS[-1]
        x, point, norm, more = newton(system, first, 20, smooth=0.0, pull=0.0)
        taken += more
        if norm <= ACCEPTED:
            return x, point, taken, f"Newton, choke prices held within {10 * system.ramp:.0e}"
        system.ramp = 0.0
    near, first = first, system.start()
    if not np.array_equal(near, first):  # where a neighbour leads astray, the base does not
        x, point, norm, more = newton(system, first, 60, smooth=0.0, pull=0.0, patience=10)
        taken += more
        if norm <= ACCEPTED:
            return x, point, taken, "Newton"
        system.unserved_at = np.zeros(0, dtype=np.intp)
    x, point, norm, more = newton(system, first, 60, smooth=0.0, pull=0.0, patience=10, style="log")
    taken += more
    if norm <= ACCEPTED:
        return x, point, taken, "Newton after log steps"
    if np.isfinite(system.network.demand.choke).any():
        for tighten in (False, True):
            found, more, narrow = _along_ramp(system, first, tighten)
            taken += more
            if found is not None:
                y, point = found
                exact, more = _exact_shortage(system, y, point)
                taken += more
                if exact is None:
                    return y, point, taken, f"Newton, choke prices held within {10 * narrow:.0e}"
                return *exact, taken, "Newton after a shortage ramp"
    # Before the long ways: is there anything to reach?
    refuse(relief(system.network, system.policy))
    system.ramp, system.unserved_at = 0.0, np.zeros(0, dtype=np.intp)
    x, point, norm, more, method = _climb(system, first, steps)
    return x, point, taken + more, method


def _along_ramp(system: System, x: Array, tighten: bool) -> tuple[tuple[Array, Point] | None, int, float]:
    """Follow the narrowing ramp, from a wide one; `tighten` first closes every quota by steps from its base flow.

    Returns the point at the narrowest ramp reached (None if that is wider than 1e-4), the steps, and the width.
    """
    system.unserved_at = np.zeros(0, dtype=np.intp)
    taken, narrow = 0, 1.0
    found: tuple[Array, Point] | None = None
    if tighten:
        system.ramp, tight = RAMPS[0], system.group_limit
        base = np.array([float(system.network.flow0[routes].sum()) for routes in system.group_routes])
        for part in (0.75, 0.5, 0.25):
            system.group_limit = np.where(base > tight, tight ** (1.0 - part) * np.maximum(base, 1e-300) ** part, tight)
            x, _, _, more = newton(system, x, 40, smooth=0.0, pull=0.0, goal=1e-4)
            taken += more
        system.group_limit = tight
    for system.ramp in RAMPS:
        last = system.ramp == RAMPS[-1]
        y, point, norm, more = newton(system, x, 40, smooth=0.0, pull=0.0, goal=TOLERANCE if last else 1e-7)
        taken += more
        if norm > (ACCEPTED if last else 1e-6):
            break
        x, found, narrow = y, (y, point), system.ramp
    if narrow > 1e-4:
        return None, taken, narrow
    if narrow > RAMPS[-1] and found is not None:
        system.ramp = narrow
        y, point, norm, more = newton(system, x, 40, smooth=0.0, pull=0.0)
        taken += more
        found = (y, point) if norm <= ACCEPTED else None
    system.ramp = narrow
    return found, taken, narrow


def _exact_shortage(system: System, x: Array, point: Point) -> tuple[tuple[Array, Point] | None, int]:
    """The complementarity itself, from the end of the ramp; None where it does not settle in a few steps."""
    ramp, system.ramp = system.ramp, 0.0
    near = (point.index > system.network.demand.choke * (1.0 - 10.0 * ramp)) & (point.wanted > 0.0) & ~system.dead
    system.unserved_at = np.flatnonzero(near).astype(np.intp)
    y, solved, norm, taken = newton(system, np.concatenate([x, point.unserved[near]]), 30, smooth=0.0, pull=0.0)
    if norm <= ACCEPTED:
        return (y, solved), taken
    system.ramp, system.unserved_at = ramp, np.zeros(0, dtype=np.intp)
    return None, taken


def _resize(system: System, x: Array) -> Array:
    whole = system.start()
    shared = min(whole.size, x.size)
    whole[:shared] = x[:shared]
    return whole


def _climb(system: System, x: Array, steps: int) -> tuple[Array, Point, float, int, str]:
    """Other ways up where plain Newton stalls: other steps, smoothed rents, and damped prices."""
    cold, taken = x, 0
    plans: tuple[tuple[str, Style, tuple[float, ...]], ...] = (
        ("smoothing", "log", (0.0,)),
        ("clipped smoothing", "clip", (0.0,)),
        ("price damping", "log", (1.0, 1e-1, 1e-2, 1e-3)),
        ("clipped price damping", "clip", (1.0, 1e-1, 1e-2, 1e-3)),
        ("log steps", "log", ()),
        ("clipped steps", "clip", ()),
    )
    for name, style, pulls in plans:
        y, near = _resize(system, cold), True
        for smooth in (1e-1, 1e-2, 1e-3, 1e-4, 1e-6):
            for pull in pulls:
                goal = max(smooth * 1e-3, 1e-9)
                y, point, norm, more = newton(system, y, 40, smooth=smooth, pull=pull, goal=goal, style=style)
                taken, near = taken + more, norm <= 1e-3
            if not near:
                break  # a smoothed market that was not solved leads nowhere
        for last in (style, "clip" if style == "log" else "log"):
            y, point, norm, more = newton(system, y, steps if near else 20, smooth=0.0, pull=0.0, style=last)
            taken += more
            if norm <= ACCEPTED:
                return y, point, norm, taken, f"Newton after {name}"
        x = y
    for style in ("log", "clip"):
        y, point, norm, more = newton(system, x, 4 * steps, smooth=0.0, pull=1.0, style=style)
        taken += more
        if norm <= ACCEPTED:
            return y, point, norm, taken, "damped path"
    raise _unsolved(system, point, taken)


def _unsolved(system: System, point: Point, taken: int) -> MarketError:
    worst = int(np.argmax(np.abs(point.excess) / system.size))
    return MarketError(
        "no market-clearing prices were reached",
        market=market_name(system.network, worst),
        excess_t=float(point.excess[worst]),
        steps=taken,
        residual_t=float(np.abs(point.excess).max()),
    )


def _solution(system: System, x: Array, point: Point, taken: int, seconds: float, method: str) -> Solution:
    n, point = system.network, system.landed(point)
    z = x[system.sources :]
    first = system.n_quota + system.n_corridor
    levy = system.take()
    levy.fill(0.0)
    levy[system.floored] = point.levy
    unserved = np.where(
        system.dead, np.maximum(point.wanted + system.fixed_use, 0.0), np.clip(point.unserved, 0.0, point.wanted)
    )
    on_floor = np.log(np.maximum(point.price, 1e-300)) <= system.floor + 1e-9
    discarded = np.where(on_floor, np.maximum(point.excess, 0.0), 0.0)
    residual = np.abs(point.excess - discarded).max(initial=0.0)
    rents = np.maximum(z[:first], 0.0)
    flow = system.flows(point)
    undetermined = _undetermined(system, point, flow)
    return Solution(
        price=point.price,
        index=point.index,
        share=point.share,
        flow=flow,
        cif=point.cif,
        before_levy=np.subtract(point.delivered, levy, out=system.take()),
        levy=levy,
        delivered=point.delivered,
        wanted=point.wanted,
        reserve_bought=system.purchases,
        stock_build=system.stock_build,
        unserved=unserved,
        spot=point.spot,
        bought_stock=np.where(
            system.dead, np.maximum(-point.wanted - system.fixed_use, 0.0), np.maximum(-point.spot_raw, 0.0)
        ),
        margin=point.margin,
        level=point.level,
        discarded=discarded,
        quota_rent=rents[: system.n_quota],
        corridor_rent=rents[system.n_quota :],
        rate=np.array(z[first + system.n_recovery : system.fixed_extras]),
        recovery_charge=np.maximum(z[first : first + system.n_recovery], 0.0),
        tariff=np.subtract(point.rate, 1.0, out=system.take()),
        residual_t=float(residual),
        steps=taken,
        seconds=seconds,
        status=_status(n, unserved, discarded, undetermined, taken, [method]),
        method=method,
        undetermined=undetermined,
        state=np.concatenate([x[: system.sources + system.fixed_extras], np.where(system.dead, 0.0, unserved)]),
    )


def _undetermined(system: System, point: Point, flow: Array) -> tuple[tuple[int, float, float], ...]:
    """Producers whose price changes nothing within an interval: at capacity, selling only where the levy fills the gap.

    Lower end: the price at which supply would leave its capacity. Upper end: the price at which the first levy vanishes.
    """
    n, p = system.network, system.policy
    if not system.floored.size:
        return ()
    bends = sum_by(p.out_source, p.out_coef * point.level_slope[p.out_tranche] * point.receipt_slope, system.sources)
    made = sum_by(p.out_source, p.out_coef * point.level[p.out_tranche], system.sources)
    sold = made + n.stock_release - point.excess
    stuck = (bends == 0.0) & (sold > 1e-9 * system.size)
    if not stuck.any():
        return ()
    near = np.flatnonzero(stuck[n.route_source[system.floored]])
    rate = point.rate[system.floored[near]]
    flat = rate + point.levy_slope[near] * np.where(system.floor_on_cif[near], 1.0, rate) == 0.0
    filled = system.floored[near[flat]]
    held = sum_by(n.route_source[filled], flow[filled], system.sources)
    found = []
    for i in np.flatnonzero(stuck & (held >= sold * (1.0 - 1e-6))):
        routes = np.flatnonzero((n.route_source == i) & (flow > 0.0))
        if not np.isin(routes, filled).all():
            continue
        under = np.searchsorted(system.floored, routes)
        base = np.where(p.gap_on_cif[routes], point.cif[routes], point.delivered[routes] - point.levy[under])
        steep = (1.0 + p.export_tax[routes]) * np.where(p.gap_on_cif[routes], 1.0, point.rate[routes])
        room = (p.reference[routes] - base) / np.maximum(steep, 1e-12)
        high = float(point.price[i] + room.min(initial=np.inf))
        low = float(n.source_floor[i])
        for o in np.flatnonzero(p.out_source == i):
            t = p.out_tranche[o]
            spare = point.margin[t] - p.tranches.margin_high[t]
            if np.isfinite(spare) and spare >= 0.0:
                low = max(low, float(point.price[i] - spare / p.out_coef[o]))
        found.append((int(i), low, high))
    return tuple(found)


def _status(
    network: Network,
    unserved: Array,
    discarded: Array,
    undetermined: tuple[tuple[int, float, float], ...],
    steps: int,
    methods: Sequence[str],
) -> str:
    parts = [f"solved in {steps} steps"]
    if unserved.sum() > 0:
        worst = int(np.argmax(unserved))
        good, country = network.goods[network.market_good[worst]], network.countries[network.market_country[worst]]
        markets = int((unserved > 0).sum())
        parts.append(
            f"{unserved.sum():.6g} t unserved in {markets} market{'s' * (markets > 1)}, most of it {good} in {country}"
        )
    if discarded.sum() > 0:
        worst = int(np.argmax(discarded))
        parts.append(f"{discarded.sum():.6g} t discarded in glut, most of it {market_name(network, worst)}")
    if undetermined:
        source_, low, high = undetermined[0]
        more = f" and {len(undetermined) - 1} more" if len(undetermined) > 1 else ""
        parts.append(
            f"the price of {market_name(network, source_)}{more} is indeterminate between {low:.6g} and {high:.6g} USD/t"
        )
    parts += [method.removeprefix("Newton, ") for method in dict.fromkeys(methods) if "choke prices" in method]
    return "; ".join(parts)
