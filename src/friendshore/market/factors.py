"""The factors of a Jacobian: what a Newton step divides by.

Dense LU by LAPACK; where the goods of a chain lie in stages, each joined by recipes to the stage before and after it alone,
the blocks between are zero and elimination goes stage by stage, at about half the work.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import blas, lapack

from friendshore.market.curves import Array, Index

Matrix = NDArray[np.floating[Any]]


class Divisor(Protocol):
    """Whatever solves J s = r."""

    def solve(self, right: Array) -> Array | None:
        """Solution of the system; None where it is not finite."""


@dataclass(frozen=True)
class Factors:
    """The LU factors of a matrix, in double or in single precision."""

    lu: Matrix
    pivot: Index
    single: bool

    def solve(self, right: Array) -> Array | None:
        """Solution of the system; None where it is not finite."""
        step = self.divide(right)
        return step.astype(float) if step is not None and np.isfinite(step).all() else None

    def divide(self, right: Matrix) -> Matrix | None:
        """The same for one column or several, in the precision of the factors, finite or not."""
        solver = lapack.sgetrs if self.single else lapack.dgetrs
        step, info = solver(self.lu, self.pivot, right, trans=1)
        return step if info == 0 else None


@dataclass(frozen=True)
class StageFactors:
    """A block-tridiagonal matrix with a border, eliminated stage by stage, in single precision.

    [[T, B], [C, D]]: T has the stages, `spans`, on its diagonal and blocks between neighbours; the border holds the limits.
    """

    spans: tuple[slice, ...]
    diagonal: tuple[Factors, ...]  # of each stage, what went before eliminated
    above: tuple[Matrix, ...]  # T_k^-1 times the block to the right
    below: tuple[Matrix, ...]  # the block to the left
    border: Matrix  # T^-1 B
    left: Matrix  # C
    corner: Factors | None  # of D - C T^-1 B

    def solve(self, right: Array) -> Array | None:
        """Solution of the system; None where it is not finite."""
        single = right.astype(np.float32)
        size = self.spans[-1].stop
        out = _swept(single[:size], self.spans, self.diagonal, self.above, self.below)
        if out is None:
            return None
        if self.corner is not None:
            rest = self.corner.divide(single[size:] - self.left @ out)
            if rest is None:
                return None
            out = np.concatenate([out - self.border @ rest, rest])
        return out.astype(float) if np.isfinite(out).all() else None


def factor(matrix: Matrix, *, single: bool = False) -> Factors | None:
    """LU factors, in place; None where the matrix is singular to working precision.

    A row-major matrix is the column-major transpose, which LAPACK factors without a copy and solves transposed. In single
    precision the factors take half the time; a Newton step from them is as good until the last digits, and the residual
    is always computed in double.
    """
    if single:
        lu, pivot, info = lapack.sgetrf(np.asarray(matrix.T, dtype=np.float32), overwrite_a=True)
    else:
        lu, pivot, info = lapack.dgetrf(np.asarray(matrix.T, dtype=np.float64), overwrite_a=True)
    return Factors(lu, pivot, single) if info == 0 else None


def factor_solve(matrix: Matrix, right: Array) -> Array | None:
    """One solve, the factors thrown away; None where the matrix is singular."""
    factors = factor(matrix)
    return factors.solve(right) if factors is not None else None


def factor_stages(matrix: Matrix, spans: Sequence[slice]) -> StageFactors | None:
    """Factors of a matrix that is zero between stages that are not neighbours; None where a stage is singular.

    Pivots are sought within a stage only. D'_k = D_k - L_k W_(k-1),  W_k = D'_k^-1 U_k.

    Source: Golub and Van Loan (2013), Matrix Computations, section 4.5.1.
    """
    size = spans[-1].stop
    diagonal: list[Factors] = []
    above: list[Matrix] = []
    below: list[Matrix] = []
    for k, span in enumerate(spans):
        block = np.array(matrix[span, span], dtype=np.float32)
        if k:
            below.append(np.array(matrix[span, spans[k - 1]], dtype=np.float32))
            block -= below[-1] @ above[-1]
        factors = factor(block, single=True)
        if factors is None:
            return None
        diagonal.append(factors)
        if k + 1 < len(spans):
            above.append(_divided(factors, np.array(matrix[span, spans[k + 1]], dtype=np.float32)))
    stages = tuple(spans), tuple(diagonal), tuple(above), tuple(below)
    left = np.array(matrix[size:, :size], dtype=np.float32)
    if not left.size:
        return StageFactors(*stages, left.T, left, None)
    border = _swept(np.array(matrix[:size, size:], dtype=np.float32, order="F"), *stages)
    if border is None:
        return None
    corner = factor(matrix[size:, size:] - left @ border, single=True)
    return StageFactors(*stages, border, left, corner) if corner is not None else None


def _divided(factors: Factors, block: Matrix) -> Matrix:
    """D^-1 X for a row-major X, from the factors P L U of D': its transpose is X' U^-1 L^-1 P', and needs no copy."""
    turned = blas.strsm(1.0, factors.lu, block.T, side=1, overwrite_b=True)
    turned = blas.strsm(1.0, factors.lu, turned, side=1, lower=True, diag=True, overwrite_b=True)
    order = list(range(len(block)))
    for i, j in enumerate(factors.pivot.tolist()):
        order[i], order[j] = order[j], order[i]
    out = np.empty_like(block)
    out[order] = turned.T
    return out


def _swept(
    right: Matrix,
    spans: Sequence[slice],
    diagonal: Sequence[Factors],
    above: Sequence[Matrix],
    below: Sequence[Matrix],
) -> Matrix | None:
    """T^-1 times one column or several: forward through the stages, and back."""
    parts: list[Matrix] = []
    for k, span in enumerate(spans):
        part = diagonal[k].divide(right[span] if k == 0 else right[span] - below[k - 1] @ parts[-1])
        if part is None:
            return None
        parts.append(part)
    for k in range(len(spans) - 2, -1, -1):
        parts[k] = parts[k] - above[k] @ parts[k + 1]
    return np.concatenate(parts)
