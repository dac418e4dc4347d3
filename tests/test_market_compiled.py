"""The compiled loops say what the plain arrays say: equations, residuals, derivatives, answers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace

import numpy as np
import pytest
from bench_hard_cases import hard_case
from random_markets import ALL_KINDS, chain, policies

from friendshore.errors import MarketError
from friendshore.market import equilibrium
from friendshore.market.network import Network
from friendshore.market.policy import Policy, impose
from friendshore.market.system import System

pytest.importorskip("numba", reason="the extra 'fast' is not installed")
compiled = pytest.importorskip("friendshore.market.compiled")


def close(ours: np.ndarray, theirs: np.ndarray, digits: float = 1e-11) -> bool:
    """Equal to `digits` of the largest finite entry."""
    scale = float(np.abs(theirs[np.isfinite(theirs)]).max(initial=1e-300))
    return ours.shape == theirs.shape and np.allclose(ours, theirs, rtol=digits, atol=digits * scale, equal_nan=True)


def markets() -> Iterator[tuple[str, Network, Policy]]:
    for number in range(24):
        network, wedges = hard_case(number)
        yield f"hard case {number}", network, impose(network, wedges)
    for number in range(2):
        rng = np.random.default_rng([31, number])
        network = chain(rng, countries=40, stages=2, tight=0.2, recovery=number % 2 == 0, joint=number > 1)
        policy = impose(network, policies(rng, network, (*ALL_KINDS, "floor"), low=0.9, high=1.3))
        yield f"wide {number}", network, policy
        scattered = np.where(rng.random(policy.dispersion.size) < 0.3, 50.0, 0.0)
        yield f"wide {number}, prices scattered", network, replace(policy, dispersion=scattered)


def points(system: System, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Random prices and rents; the same along a ramp; the same with some markets short."""
    x = system.start()
    x[: system.sources] += rng.normal(0.0, 0.2, system.sources)
    room = np.where(np.isfinite(system.extra_high), system.extra_high - system.extra_low, system.extra_scale)
    x[system.sources :] = system.extra_low + rng.uniform(0.0, 0.5, room.size) * room
    yield x
    system.ramp = 0.05
    yield x
    system.ramp = 0.0
    may = np.isfinite(system.network.demand.choke) & ~system.dead
    system.unserved_at = np.flatnonzero(may & (rng.random(system.markets) < 0.2)).astype(np.intp)
    yield np.concatenate([x, 0.1 * system.network.demand.level[system.unserved_at]])


def test_equations_residuals_and_derivatives_are_the_same():
    rng = np.random.default_rng(8)
    for name, network, policy in markets():
        plain, fast = System(network, policy), compiled.Compiled(network, policy)
        for x in points(plain, rng):
            fast.ramp, fast.unserved_at = plain.ramp, plain.unserved_at
            with np.errstate(all="ignore"):
                one, other = plain.evaluate(x), fast.landed(fast.evaluate(x))
            for each in fields(one):
                assert close(getattr(other, each.name), getattr(one, each.name)), (name, each.name)
            for smooth in (0.0, 1e-2):
                parts, again = plain.residual(x, one, smooth), fast.residual(x, one, smooth)
                assert all(close(b * 1.0, a * 1.0, 1e-10) for a, b in zip(parts, again, strict=True)), name
            matrix = plain.jacobian(one, *parts[1:])
            assert close(fast.jacobian(other, *parts[1:]), matrix), name
            assert close(fast.jacobian(other, *parts[1:], single=True).astype(float), matrix, 1e-4), (
                name
            )  # a step needs no more


def test_a_score_that_would_overflow_is_measured_from_the_best_origin():
    network, wedges = hard_case(0)
    policy = impose(replace(network, theta=network.theta * 1e4), wedges)
    plain = System(replace(network, theta=network.theta * 1e4), policy)
    fast = compiled.Compiled(plain.network, policy)
    x = plain.start()
    x[: plain.sources] += np.linspace(-0.5, 0.5, plain.sources)
    one, other = plain.evaluate(x), fast.evaluate(x)
    assert close(other.share, one.share)
    assert close(other.index, one.index)


def test_answers_are_the_same_and_so_are_refusals():
    try:
        for name, network, policy in markets():
            found = []
            for wanted in (False, True):
                compiled.use(wanted)
                try:
                    found.append(equilibrium.solve(network, policy))
                except MarketError as refused:
                    found.append(str(refused))
            plain, fast = found
            if isinstance(plain, str) or isinstance(fast, str):
                assert plain == fast, name
            elif "choke prices held" not in plain.status + fast.status:
                moving = plain.flow > 1e-9 * plain.flow.max()
                assert np.allclose(fast.flow[moving], plain.flow[moving], rtol=1e-6, atol=1e-8 * plain.flow.max()), name
    finally:
        compiled.use(False)


def test_an_answer_keeps_its_arrays_when_the_next_market_is_solved():
    network, wedges = hard_case(3)
    try:
        compiled.use()
        first = equilibrium.solve(network, impose(network, wedges))
        kept = {name: getattr(first, name).copy() for name in ("flow", "share", "cif", "delivered", "levy", "tariff")}
        for scale in (0.9, 1.1, 1.3):
            moved = replace(network, supply=replace(network.supply, margin=network.supply.margin * scale))
            moved.__dict__["spare"] = network.spare
            equilibrium.solve(moved, impose(moved, wedges))
        assert all(np.array_equal(getattr(first, name), value) for name, value in kept.items())
    finally:
        compiled.use(False)
