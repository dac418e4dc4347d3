"""The weighted least-squares fit: closed form, bounds, soft statements."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from friendshore.world.reconcile import Target, least_squares


def test_one_balance_has_the_closed_form():
    prior, error = np.array([100.0, 30.0, 40.0, 80.0]), np.array([5.0, 6.0, 4.0, 10.0])
    fit = least_squares(prior, error, sparse.csr_matrix([[1.0, 1.0, -1.0, -1.0]]), np.zeros(1))
    expected = [98.58757062146893, 27.966101694915253, 40.90395480225989, 85.64971751412429]
    assert fit.values == pytest.approx(expected, abs=1e-9)


@given(st.integers(0, 10_000))
def test_balances_close_and_flows_stay_positive(seed):
    rng = np.random.default_rng(seed)
    prior = rng.uniform(0.0, 50.0, 12)
    rows = sparse.csr_matrix(rng.choice([-1.0, 0.0, 1.0], (3, 12)) + np.eye(3, 12) * 2.0)
    fit = least_squares(prior, rng.uniform(0.5, 5.0, 12), rows, np.zeros(3), np.zeros(12))
    assert np.abs(rows @ fit.values).max() <= 1e-9
    assert fit.values.min() >= -1e-9


def test_no_nearer_point_satisfies_the_balances():
    rng = np.random.default_rng(7)
    prior, error = rng.uniform(1.0, 9.0, 8), rng.uniform(0.5, 3.0, 8)
    rows = sparse.csr_matrix(rng.choice([-1.0, 1.0], (2, 8)))
    fit = least_squares(prior, error, rows, np.zeros(2), np.zeros(8))
    best = (((fit.values - prior) / error) ** 2).sum()
    inside = np.eye(8) - np.linalg.pinv(rows.toarray()) @ rows.toarray()
    for _ in range(200):
        other = fit.values + 0.05 * inside @ rng.normal(size=8)
        if other.min() >= 0.0:
            assert (((other - prior) / error) ** 2).sum() >= best - 1e-9


def test_a_statement_with_a_small_error_is_met():
    # two makers, one user of 100; the first is said to hold 80 per cent
    prior, error = np.array([50.0, 50.0, 100.0]), np.array([20.0, 20.0, 1e-3])
    share = Target(np.array([0, 1]), np.array([0.2, -0.8]), 0.0, 1e-6)
    fit = least_squares(prior, error, sparse.csr_matrix([[1.0, 1.0, -1.0]]), np.zeros(1), np.zeros(3), (share,))
    assert fit.values[0] / fit.values[:2].sum() == pytest.approx(0.8, abs=1e-6)
