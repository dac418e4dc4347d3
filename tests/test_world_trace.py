"""Tracing to origin and balancing, on the published and hand-sized cases."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from friendshore.world import trace


def _flows(size, entries):
    out = np.zeros((size, size))
    for i, j, tonnes in entries:
        out[i, j] = tonnes
    return out


def test_a_port_of_transit_is_replaced_by_the_origin():
    # A makes 100, sends 60 to B and 10 to C; B makes nothing and passes 30 on to C; C makes 20 (Kastner and others 2011)
    found = trace.to_origin(np.array([100.0, 0.0, 20.0]), _flows(3, [(0, 1, 60.0), (0, 2, 10.0), (1, 2, 30.0)]))
    assert found.throughput == pytest.approx([100.0, 60.0, 60.0], abs=1e-9)
    assert found.use == pytest.approx([30.0, 30.0, 60.0], abs=1e-9)
    assert found.flows == pytest.approx(np.array([[30.0, 30.0, 40.0], [0.0, 0.0, 0.0], [0.0, 0.0, 20.0]]), abs=1e-9)


def test_exports_beyond_supply_are_refused_untraced_and_cut_when_asked():
    made, trade = np.array([10.0, 0.0]), _flows(2, [(0, 1, 4.0), (1, 0, 9.0)])
    with pytest.raises(ValueError, match="exceed supply in \\[1\\]"):
        trace.to_origin(made, trade)
    kept, cut = trace.cap_exports(made, trade)
    assert kept[1, 0] == pytest.approx(4.0)
    assert cut == pytest.approx([0.0, 5.0])
    trace.to_origin(made, kept)


def test_goods_that_go_round_without_a_maker_have_no_origin_and_are_cut():
    made, trade = np.array([10.0, 0.0, 0.0]), _flows(3, [(1, 2, 4.0), (2, 1, 4.0)])
    with pytest.raises(ValueError, match="nobody made what is sent on by \\[1, 2\\]"):
        trace.to_origin(made, trade)
    kept, cut = trace.cap_exports(made, trade)
    assert cut == pytest.approx([0.0, 4.0, 4.0])
    assert trace.to_origin(made, kept).flows == pytest.approx(np.diag([10.0, 0.0, 0.0]))


@given(st.integers(0, 10_000))
def test_tracing_keeps_every_tonne_made(seed):
    rng = np.random.default_rng(seed)
    size = int(rng.integers(2, 9))
    made = rng.uniform(0.0, 10.0, size) * (rng.random(size) < 0.7)
    kept, _ = trace.cap_exports(made, rng.uniform(0.0, 4.0, (size, size)) * (rng.random((size, size)) < 0.5))
    found = trace.to_origin(made, kept)
    assert found.flows.sum(axis=1) == pytest.approx(made, abs=1e-8 * max(1.0, made.sum()))
    assert found.flows.sum(axis=0) == pytest.approx(found.use, abs=1e-8 * max(1.0, made.sum()))


def test_balancing_keeps_both_margins_and_the_odds_ratio():
    found = trace.balance(np.array([[2.0, 6.0], [4.0, 8.0]]), np.array([20.0, 20.0]), np.array([15.0, 25.0]))
    assert found.sum(axis=1) == pytest.approx([20.0, 20.0], abs=1e-6)
    assert found.sum(axis=0) == pytest.approx([15.0, 25.0], abs=1e-6)
    assert found[0, 0] * found[1, 1] / (found[0, 1] * found[1, 0]) == pytest.approx(2.0 / 3.0, abs=1e-6)


def test_a_capped_cell_stays_at_its_cap():
    # the printed example of the R package RASbound 0.0.1
    upper = np.array([[np.inf, 12.0], [np.inf, np.inf]])
    found = trace.balance(np.array([[2.0, 6.0], [4.0, 8.0]]), np.array([20.0, 20.0]), np.array([15.0, 25.0]), upper)
    assert found == pytest.approx(np.array([[8.0, 12.0], [7.0, 13.0]]), abs=1e-6)
