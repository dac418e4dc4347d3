"""Which balanced world is nearest to the reports, weighing each by how far it can be trusted?

Weighted least squares under linear balances and lower bounds: Clarabel finds which bounds hold, then one sparse linear solve
on what is left makes the balances exact. What the figures and weights are is left to `world.build`.
"""

from __future__ import annotations

from dataclasses import dataclass

import clarabel
import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.sparse.linalg import splu

from friendshore.errors import WorldError

Array = npt.NDArray[np.float64]

FEASIBILITY = 1e-9
AT_BOUND = 1e-7  # of a variable's scale: closer than this, the bound holds


@dataclass(frozen=True)
class Target:
    """A soft linear statement: sum_k weight_k x_k = value, within `error` (the unit of x)."""

    index: Array
    weight: Array
    value: float
    error: float


@dataclass(frozen=True)
class Fit:
    """`values` of every variable, `bound` true where it rests on its lower bound, `residual` the worst balance left over."""

    values: Array
    bound: npt.NDArray[np.bool_]
    residual: float
    steps: int


def least_squares(
    prior: Array,
    error: Array,
    balances: sparse.csr_matrix,
    right: Array,
    lower: Array | None = None,
    targets: tuple[Target, ...] = (),
    scale: Array | None = None,
) -> Fit:
    """The point nearest to `prior` that satisfies the balances.

    min_x  1/2 sum_k ((x_k - prior_k) / error_k)^2 + 1/2 sum_t ((w_t.x - v_t) / e_t)^2   s.t.  B x = b,  x >= lower

    Parameters
    ----------
    prior, error : (K,)    t   error > 0
    balances     : (M, K)      B; each row is divided by its own largest coefficient-scale before solving
    right        : (M,)    t   b
    lower        : (K,)    t   -inf where unbounded; none where absent
    targets      : soft linear statements
    scale        : (K,)    t   size of the market that a variable belongs to (1 where absent)

    Raises
    ------
    WorldError   the solver finds no point that satisfies the balances

    Without bounds and targets: x = prior - W B' (B W B')^-1 (B prior - b), W = diag(error^2).
    """
    count = len(prior)
    low = np.full(count, -np.inf) if lower is None else lower
    size = np.ones(count) if scale is None else scale
    row_size = np.maximum(_row_scale(balances, size), 1e-300)
    solution, steps = _interior(prior, error, balances, right, low, targets, row_size)
    bound = np.isfinite(low) & (solution - low <= AT_BOUND * size)
    for _ in range(60):
        values = _exact(prior, error, balances, right, low, targets, bound)
        worse = ~bound & np.isfinite(low) & (values < low - 1e-12 * size)
        if not worse.any():
            break
        bound |= worse
    else:
        raise WorldError.because("unbalanced", "the bounds of the fit could not be settled", path="world.reconcile")
    values = np.where(bound, low, values)
    residual = float(np.max(np.abs(balances @ values - right) / row_size, initial=0.0))
    if residual > FEASIBILITY:
        raise WorldError.because(
            "unbalanced", f"balances stay open by {residual:.1e} of their market", path="world.reconcile"
        )
    return Fit(values, bound, residual, steps)


def _row_scale(balances: sparse.csr_matrix, size: Array) -> Array:
    return _largest(sparse.csr_matrix(balances @ sparse.diags(size)))


def _largest(matrix: sparse.csr_matrix) -> Array:
    """Largest absolute entry of each row."""
    out: Array = np.zeros(matrix.shape[0])
    np.maximum.at(out, np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr)), np.abs(matrix.data))
    return out


def _interior(
    prior: Array,
    error: Array,
    balances: sparse.csr_matrix,
    right: Array,
    low: Array,
    targets: tuple[Target, ...],
    row_size: Array,
) -> tuple[Array, int]:
    """Clarabel on z = (x - prior) / error, with one auxiliary variable for each soft statement."""
    count, soft = len(prior), len(targets)
    by_row = sparse.diags(1.0 / row_size)
    equality = sparse.hstack([by_row @ balances @ sparse.diags(error), sparse.csr_matrix((len(right), soft))])
    rhs = (right - balances @ prior) / row_size
    blocks, values = [equality], [rhs]
    cones: list[object] = [clarabel.ZeroConeT(len(right))]
    if soft:
        weights, gap = _soft(prior, targets, count)
        rows = sparse.diags([1.0 / t.error for t in targets]) @ weights @ sparse.diags(error)
        blocks.append(sparse.hstack([rows, -sparse.eye(soft)]))
        values.append(gap / np.array([t.error for t in targets]))
        cones.append(clarabel.ZeroConeT(soft))
    bounded = np.flatnonzero(np.isfinite(low))
    if len(bounded):
        pick = sparse.csr_matrix(
            (-np.ones(len(bounded)), (np.arange(len(bounded)), bounded)), shape=(len(bounded), count + soft)
        )
        blocks.append(pick)
        values.append((prior[bounded] - low[bounded]) / error[bounded])
        cones.append(clarabel.NonnegativeConeT(len(bounded)))
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    settings.max_iter = 300
    settings.tol_gap_abs = settings.tol_gap_rel = settings.tol_feas = 1e-9
    solver = clarabel.DefaultSolver(
        sparse.eye(count + soft, format="csc"),
        np.zeros(count + soft),
        sparse.vstack(blocks).tocsc(),
        np.concatenate(values),
        cones,
        settings,
    )
    answer = solver.solve()
    if str(answer.status) not in ("Solved", "AlmostSolved"):
        raise WorldError.because("unbalanced", f"the fit ended as {answer.status}", path="world.reconcile")
    return prior + error * np.asarray(answer.x[:count]), int(answer.iterations)


def _soft(prior: Array, targets: tuple[Target, ...], count: int) -> tuple[sparse.csr_matrix, Array]:
    rows = np.concatenate([np.full(len(t.index), k) for k, t in enumerate(targets)])
    columns = np.concatenate([t.index for t in targets]).astype(int)
    weights = sparse.csr_matrix(
        (np.concatenate([t.weight for t in targets]), (rows, columns)), shape=(len(targets), count)
    )
    return weights, np.array([t.value for t in targets]) - weights @ prior


def _exact(
    prior: Array,
    error: Array,
    balances: sparse.csr_matrix,
    right: Array,
    low: Array,
    targets: tuple[Target, ...],
    bound: npt.NDArray[np.bool_],
) -> Array:
    """The same minimum with the resting variables held: one symmetric linear system in z and multipliers."""
    free = np.flatnonzero(~bound)
    held = np.where(bound, low, 0.0)
    held[~np.isfinite(held)] = 0.0
    start, spread = prior[free], error[free]
    chosen = balances[:, free]
    used = np.flatnonzero(np.diff(chosen.indptr) > 0)
    scaled = chosen[used] @ sparse.diags(spread)
    largest = _largest(sparse.csr_matrix(scaled))
    part = sparse.diags(1.0 / largest) @ scaled
    need = (right[used] - (balances @ held)[used] - balances[used][:, free] @ start) / largest
    blocks, needs, soft = [part], [need], len(targets)
    diagonal = [np.full(len(used), 0.0)]
    if soft:
        weights, _ = _soft(prior, targets, len(prior))
        errors = np.array([t.error for t in targets])
        gap = np.array([t.value for t in targets]) - weights @ held - weights[:, free] @ start
        blocks.append(sparse.diags(1.0 / errors) @ weights[:, free] @ sparse.diags(spread))
        needs.append(gap / errors)
        diagonal.append(np.full(soft, -1.0))
    rows = sparse.vstack(blocks)
    system = sparse.bmat([[sparse.eye(len(free)), rows.T], [rows, sparse.diags(np.concatenate(diagonal))]]).tocsc()
    # a hair of regularisation lets redundant balances (a market with one buyer and one seller) through
    system = system + sparse.diags(np.concatenate([np.zeros(len(free)), np.full(rows.shape[0], -1e-13)]))
    factor = splu(system.tocsc())
    target = np.concatenate([np.zeros(len(free)), *needs])
    z = factor.solve(target)
    for _ in range(3):
        z += factor.solve(target - system @ z)
    values = held.copy()
    values[free] = start + spread * z[: len(free)]
    return values
