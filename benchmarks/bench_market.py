"""How fast markets clear: generated networks beside SciPy's root finders, then the real chains. One thread.

The compiled loops (extra `fast`) stand first, the plain arrays below them. The peers get the compiled residual and, where they
take one, the compiled Jacobian, in the same unknowns, from the same start, and stop at the same residual. Shortage is a set of
unknowns that our solver has to find; the peers are given the right set. `cold` and `warm` are whole solves, with the
equations set up, contradictions looked for and the answer laid out; `search` is the way from prepared equations to prices,
and it is searches that the ratio compares: the peers have theirs prepared too.

    python benchmarks/bench_market.py            all tables
    python benchmarks/bench_market.py --quick    small networks, no SciPy: a minute less
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
from bench_hard_cases import Late, faults, machine, within
from random_markets import ALL_KINDS, chain, policies
from scipy.optimize import NoConvergence, root
from threadpoolctl import threadpool_limits

from friendshore import faces
from friendshore.agreement import schedule
from friendshore.agreement.document import Agreement
from friendshore.market import compiled, equilibrium
from friendshore.market.components import split
from friendshore.market.curves import Array
from friendshore.market.equilibrium import solve
from friendshore.market.network import Network
from friendshore.market.newton import ACCEPTED
from friendshore.market.policy import Policy, impose
from friendshore.market.solution import Solution
from friendshore.market.system import System
from friendshore.run import clear, compile_world, measures
from friendshore.world.tables import World

SEED = 7
AS_OF = date(2026, 3, 1)
PEER_LIMIT_S = 10.0
REPEATS = 15  # of which the best counts: a machine that others share is slow now and then
# Which methods of scipy.optimize.root take a Jacobian, and how each is told to go on to our residual.
PEERS: dict[str, tuple[bool, dict[str, float]]] = {
    "hybr": (True, {"xtol": 1e-14, "maxfev": 20_000}),
    "lm": (True, {"xtol": 1e-14, "ftol": 1e-14, "gtol": 1e-14, "maxiter": 20_000}),
    "krylov": (False, {"fatol": ACCEPTED, "maxiter": 2_000}),
    "df-sane": (False, {"fatol": ACCEPTED, "ftol": 0.0, "maxfev": 20_000}),
    "broyden1": (False, {"fatol": ACCEPTED, "maxiter": 2_000}),
}


@dataclass(frozen=True)
class Timed:
    """The same work done several times."""

    best_s: float
    median_s: float


def timed(work: Callable[[], object], repeats: int = REPEATS) -> Timed:
    seconds = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
    return Timed(min(seconds), float(np.median(seconds)))


def raised(wedges: Sequence[faces.Wedge], by: float) -> list[faces.Wedge]:
    """The slider: every floor moved by `by`."""
    return [
        replace(w, reference_usd_t=w.reference_usd_t * (1.0 + by)) if isinstance(w, faces.PriceGap) else w
        for w in wedges
    ]


# -- generated networks -----------------------------------------------------------------------------------------------


def generated(countries: int, number: int) -> tuple[Network, list[faces.Wedge]]:
    """Three stages, every pair of countries trading, one measure of each kind and floors on two stages."""
    rng = np.random.default_rng([SEED, countries, number])
    network = chain(rng, countries, 3, tight=0.2)
    wedges = policies(rng, network, (*ALL_KINDS, "floor"), low=0.9, high=1.3)
    return network, wedges


def ours(network: Network, policy: Policy) -> tuple[float, float, str]:
    """Seconds of one search from prepared equations, residual and status."""
    system = compiled.Compiled(network, policy)
    x = system.start()
    began = time.perf_counter()
    x, point, _, _ = equilibrium._search(system, x, 200)
    took = time.perf_counter() - began
    left = float(np.abs(system.residual(x, point)[0]).max())
    system.close()
    return took, left, "solved"


def peer(method: str, network: Network, policy: Policy, solved: Solution) -> tuple[float, float, str]:
    """Seconds of one search by a SciPy method, residual and status."""
    system = compiled.Compiled(network, policy)
    short = (solved.unserved > 0.0) & ~system.dead
    system.unserved_at = np.flatnonzero(short).astype(np.intp)
    takes_jacobian, options = PEERS[method]

    def residual(x: Array) -> Array:
        point = system.evaluate(x)
        rows = system.residual(x, point)[0]
        system.release(point)
        return rows

    def jacobian(x: Array) -> Array:
        point = system.evaluate(x)
        _, by_z, by_f, on_floor = system.residual(x, point)
        matrix = system.jacobian(point, by_z, by_f, on_floor)
        system.release(point)
        return matrix

    began = time.perf_counter()
    try:
        with within(PEER_LIMIT_S), np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # their complaints about slow progress are in the status
            jac = jacobian if takes_jacobian else None
            found = root(residual, system.start(), jac=jac, method=method, options=options)
            took = time.perf_counter() - began
    except (Late, SystemError):  # the alarm may ring inside a compiled loop
        return PEER_LIMIT_S, np.inf, f"no answer in {PEER_LIMIT_S:.0f} s"
    except (NoConvergence, ValueError, FloatingPointError, np.linalg.LinAlgError) as failed:
        return time.perf_counter() - began, np.inf, f"failed: {type(failed).__name__}"
    with np.errstate(all="ignore"):
        left = float(np.abs(residual(found.x)).max())
    system.close()
    return took, left, "solved" if left <= ACCEPTED else f"stopped at {left:.0e}"


def race(
    network: Network, policy: Policy, solved: Solution, methods: Sequence[str]
) -> dict[str, tuple[float, float, str]]:
    """The best search of each, ours first; in turns, so that a slow moment of the machine falls on all of them.

    Whoever has taken a second in all has had his turns.
    """
    found: dict[str, tuple[float, float, str]] = {}
    spent = dict.fromkeys(("ours", *methods), 0.0)
    for _ in range(REPEATS):
        for name, already in spent.items():
            if already < 1.0:
                run = ours(network, policy) if name == "ours" else peer(name, network, policy, solved)
                spent[name] += run[0]
                if name not in found or run[0] < found[name][0]:
                    found[name] = run
    return found


def networks(countries: int, count: int, with_peers: bool) -> None:
    print(f"{countries} countries, three stages, every kind of measure; milliseconds, median of {count} networks")
    print(f"{'method':>10} {'unknowns':>8} {'cold':>9} {'warm':>9} {'search':>9} {'steps':>6} {'ratio':>7}  status")
    cold, warm, plain, plain_warm, steps, sizes_of, searches = [], [], [], [], [], [], []
    theirs: dict[str, list[tuple[float, float, str]]] = {method: [] for method in PEERS}
    for number in range(count):
        network, wedges = generated(countries, number)
        policy, moved = impose(network, wedges), impose(network, raised(wedges, 0.02))
        solved = solve(network, policy)
        broken = faults(network, policy, solved)
        if broken:
            raise SystemExit(f"{countries} x 3, network {number}: {'; '.join(broken)}")
        for wanted, from_base, from_near in ((False, plain, plain_warm), (True, cold, warm)):
            compiled.use(wanted)
            from_base.append(timed(lambda n=network, p=policy: solve(n, p)).best_s)
            from_near.append(timed(lambda n=network, p=moved, s=solved: solve(n, p, start=s.state)).best_s)
        steps.append(solved.steps)
        sizes_of.append(System(network, policy).start().size)
        best = race(network, policy, solved, tuple(PEERS) if with_peers else ())
        searches.append(best.pop("ours")[0])
        for method, run in best.items():
            theirs[method].append(run)
    whole = float(np.median(cold))
    print(
        f"{'ours':>10} {int(np.median(sizes_of)):8d} {1e3 * whole:9.1f} {1e3 * float(np.median(warm)):9.1f} "
        f"{1e3 * float(np.median(searches)):9.1f} {int(np.median(steps)):6d} {'1':>7}  solved {count} of {count}; slowest {1e3 * max(cold):.1f}"
    )
    print(f"{'plain':>10} {'':8} {1e3 * float(np.median(plain)):9.1f} {1e3 * float(np.median(plain_warm)):9.1f}")
    for method, runs in theirs.items():
        if not runs:
            continue
        done = [(r[0], c) for r, c in zip(runs, searches, strict=True) if r[2] == "solved"]
        seconds = float(np.median([r[0] for r in runs]))
        ratio = f"{float(np.median([t / c for t, c in done])):.1f}" if done else "-"
        others = sorted({r[2] for r in runs if r[2] != "solved"})
        status = f"solved {len(done)} of {count}" + (
            f"; else {others[0]}" + " and the like" * (len(others) > 1) if others else ""
        )
        given = "with our Jacobian" if PEERS[method][0] else "takes no Jacobian"
        print(f"{method:>10} {'':8} {'':9} {'':9} {1e3 * seconds:9.1f} {'':6} {ratio:>7}  {status}; {given}")
    print("ratio: search of the method over ours on the networks it solved, to a largest residual of 1e-10\n")


# -- the real chains --------------------------------------------------------------------------------------------------


def chains(n: Network) -> dict[str, Network]:
    """One market for each set of goods that recipes and hosts join, as the solver cuts them."""
    alone = {}
    for part in split(n, impose(n, [])):
        goods = np.unique(part.network.source_good)
        names = tuple(n.goods[g] for g in goods)
        minerals = list(dict.fromkeys(name.split(".")[0] for name in names))
        more = f" and {len(minerals) - 3} more" if len(minerals) > 3 else ""
        alone[", ".join(minerals[:3]) + more] = replace(
            part.network,
            goods=names,
            source_good=np.searchsorted(goods, part.network.source_good),
            market_good=np.searchsorted(goods, part.network.market_good),
        )
    return alone


def real() -> None:
    began = time.perf_counter()
    world = World.load()
    loaded = time.perf_counter() - began
    deal = Agreement.load("plurilateral-2026")
    network = compile_world(world)
    before, _ = measures(world, None, AS_OF)
    after = [*before, *schedule.wedges(deal, world, AS_OF)]
    base, _ = measures(world, None, None)
    print(
        f"The built world: {len(network.goods)} goods, {len(network.countries)} countries, {network.route_source.size} routes"
    )
    print(f"{'chain':>44} {'unknowns':>8} {'base':>8} {'status quo':>10} {'agreement':>10} {'slider':>8}  milliseconds")
    compiled.use()
    for name, alone in {**chains(network), "all together": network}.items():
        row, solved = [], None
        for wedges in (base, before, after):
            policy = impose(alone, wedges)
            solved = solve(alone, policy)
            row.append(timed(lambda n=alone, p=policy: solve(n, p)).best_s)
        moved, start = impose(alone, raised(after, 0.02)), solved.state
        row.append(timed(lambda n=alone, p=moved, x=start: solve(n, p, start=x)).best_s)
        size = System(alone, moved).start().size
        print(f"{name:>44} {size:8d} {1e3 * row[0]:8.1f} {1e3 * row[1]:10.1f} {1e3 * row[2]:10.1f} {1e3 * row[3]:8.1f}")
    print(
        "base, status quo and agreement cold, from base prices; slider: every floor up by 2 %, warm from the agreement"
    )
    laid_out = timed(lambda: compile_world(world)).best_s
    whole = timed(lambda: clear(world, as_of=AS_OF), 3).best_s
    agreed = timed(lambda: clear(world, deal, as_of=AS_OF), 3).best_s
    print(
        f"World.load {1e3 * loaded:.0f} ms with its imports, compile_world {1e3 * laid_out:.0f} ms; run.clear from tables to tables: "
        f"status quo {1e3 * whole:.0f} ms, agreement {1e3 * agreed:.0f} ms\n"
    )


def main() -> None:
    read = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    read.add_argument("--quick", action="store_true")
    asked = read.parse_args()
    print(machine())
    with threadpool_limits(1):
        with_peers = not asked.quick
        networks(60, 2 if asked.quick else 5, with_peers)
        if with_peers:
            networks(200, 3, with_peers)
        real()


if __name__ == "__main__":
    main()
