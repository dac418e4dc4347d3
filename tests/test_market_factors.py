"""Elimination stage by stage divides as the whole matrix does."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from random_markets import ALL_KINDS, chain, policies

from friendshore.market.equilibrium import solve
from friendshore.market.factors import factor, factor_stages
from friendshore.market.newton import STAGED_FROM
from friendshore.market.policy import impose
from friendshore.market.system import System


def staged(rng: np.random.Generator, sizes: tuple[int, ...], border: int) -> tuple[np.ndarray, list[slice]]:
    """A matrix with blocks on and beside its diagonal, and a full border."""
    ends = np.cumsum((0, *sizes))
    spans = [slice(int(a), int(b)) for a, b in pairwise(ends)]
    total = int(ends[-1])
    matrix = rng.normal(size=(total + border, total + border))
    for a, one in enumerate(spans):
        for b, other in enumerate(spans):
            if abs(a - b) > 1:
                matrix[one, other] = 0.0
    matrix[np.arange(total), np.arange(total)] += 4.0 * np.sqrt(total)
    return matrix, spans


@pytest.mark.parametrize("sizes", [(40, 40, 40), (10, 70), (5, 20, 60, 30)])
@pytest.mark.parametrize("border", [0, 1, 7])
def test_stages_divide_as_the_whole_matrix_does(sizes, border):
    rng = np.random.default_rng([len(sizes), border])
    matrix, spans = staged(rng, sizes, border)
    right = rng.normal(size=len(matrix))
    whole, parts = factor(matrix.copy()), factor_stages(matrix, spans)
    assert whole is not None
    assert parts is not None
    assert np.allclose(parts.solve(right), whole.solve(right), rtol=0.0, atol=1e-5)  # single precision


def test_a_singular_stage_or_corner_has_no_factors():
    matrix, spans = staged(np.random.default_rng(1), (4, 4), 1)
    lost = matrix.copy()
    lost[0] = 0.0
    assert factor_stages(lost, spans) is None
    lost = matrix.copy()
    lost[-1] = 0.0
    assert factor_stages(lost, spans) is None


def wide() -> tuple[object, list[object]]:
    rng = np.random.default_rng([5, 100])
    network = chain(rng, 100, 3, tight=0.2)
    return network, policies(rng, network, (*ALL_KINDS, "floor"), low=0.9, high=1.3)


def test_goods_of_a_chain_lie_in_stages_and_the_jacobian_is_zero_between_those_that_are_no_neighbours():
    network, wedges = wide()
    assert [span.stop - span.start for span in network.stages] == [100, 100, 100]
    system = System(network, impose(network, wedges))
    x = system.start()
    point = system.evaluate(x)
    _, by_z, by_f, on_floor = system.residual(x, point)
    matrix = system.jacobian(point, by_z, by_f, on_floor)
    first, middle, last = network.stages
    assert not matrix[first, last].any()
    assert not matrix[last, first].any()
    assert matrix[first, middle].any()


def test_a_market_solved_by_stages_has_the_same_answer(monkeypatch):
    network, wedges = wide()
    policy = impose(network, wedges)
    staged_answer = solve(network, policy)
    assert staged_answer.state.size >= STAGED_FROM
    monkeypatch.setattr("friendshore.market.newton.STAGED_FROM", 10**9)
    whole = solve(network, policy)
    assert np.allclose(staged_answer.price, whole.price, rtol=1e-9)
    assert np.allclose(staged_answer.flow, whole.flow, rtol=1e-7, atol=1e-9 * whole.flow.max())
