"""Who made the tonnes that a country uses, when some of them came through third countries?

Trade statistics record the last country of dispatch. `to_origin` replaces dispatch by origin, assuming that a country's
exports and its use mix own output and imports in proportion. Reports that no mixing can produce (more exported than made
and bought, or goods that nobody made) are first cut by `cap_exports`, which says what it cut. Which reports to trust is left
to `world.build`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
ENDLESS = 1e100  # times the total: no cell of a table that has an answer gets there


@dataclass(frozen=True)
class Traced:
    """`flows[q, i]` tonnes made in q and used in i (the diagonal is own use), with throughput and use of every country."""

    flows: Array
    throughput: Array
    use: Array


def to_origin(production: Array, trade: Array, apart: Sequence[int] = ()) -> Traced:
    """Tonnes by origin and place of use.

    x_i = production_i + sum_k trade_ki,   R = (I - Z^T)^-1 diag(production) with Z_ki = trade_ki / x_k,
    flows_qi = R_iq (x_i - exports_i) / x_i

    Parameters
    ----------
    production : (N,)    t   what each country makes
    trade      : (N, N)  t   what k dispatched to i; the diagonal is ignored
    apart      : places that sell none of what they buy: all that they dispatch is their own

    Returns
    -------
    Traced; rows of `flows` add to production, columns to use.

    Raises
    ------
    ValueError   a country exports more than it makes and buys, or goods go round that nobody made

    Source: Kastner, Kastner and Nonhebel (2011), Ecological Economics 70, 1032-1040.
    """
    trade = trade.copy()
    np.fill_diagonal(trade, 0.0)
    if len(apart):
        return _apart(production, trade, apart)
    throughput = production + trade.sum(axis=0)
    exports = trade.sum(axis=1)
    if (exports > throughput * (1.0 + 1e-9) + 1e-9).any():
        raise ValueError(
            f"exports exceed supply in {np.flatnonzero(exports > throughput * (1.0 + 1e-9) + 1e-9).tolist()}"
        )
    if unmade(production, trade).any():
        raise ValueError(f"nobody made what is sent on by {np.flatnonzero(unmade(production, trade)).tolist()}")
    share = np.divide(trade, throughput[:, None], out=np.zeros_like(trade), where=throughput[:, None] > 0.0)
    origin = np.linalg.solve(np.eye(len(production)) - share.T, np.diag(production))
    use = np.maximum(throughput - exports, 0.0)
    kept = np.divide(use, throughput, out=np.zeros_like(use), where=throughput > 0.0)
    flows = np.maximum((origin * kept[:, None]).T, 0.0)
    return Traced(flows, throughput, use)


def _apart(production: Array, trade: Array, apart: Sequence[int]) -> Traced:
    """Each place of `apart` as two: a maker that buys nothing, and a user that gets its imports and what it did not sell."""
    count, two = len(production), len(production) + len(apart)
    wide = np.zeros((two, two))
    wide[:count, :count] = trade
    for user, k in enumerate(apart, count):
        wide[:count, user] = trade[:, k]
        wide[:, k] = 0.0
        wide[k, user] = max(production[k] - trade[k].sum(), 0.0)
    found = to_origin(np.concatenate([production, np.zeros(len(apart))]), wide)
    flows, use = found.flows[:count, :count].copy(), found.use[:count].copy()
    for user, k in enumerate(apart, count):
        flows[:, k] += found.flows[:count, user]
        use[k] += found.use[user]
    return Traced(flows, production + trade.sum(axis=0), use)


def cap_exports(production: Array, trade: Array, keep: float = 0.0, apart: Sequence[int] = ()) -> tuple[Array, Array]:
    """Trade cut so that no country sends on more than it made and bought, and what was cut from each.

    `keep` is the share of own output and imports that stays at the least; what nobody made (`unmade`) is cut too. Cutting one country's exports lowers another's
    imports, so the cut is repeated until it no longer changes anything (every pass only lowers flows, so it ends).

    Parameters
    ----------
    production : (N,)    t
    trade      : (N, N)  t   the diagonal is ignored
    apart      : places that sell none of what they buy
    keep       : -       in [0, 1)

    Returns
    -------
    trade : (N, N) t ;  cut : (N,) t
    """
    before = trade.copy()
    np.fill_diagonal(before, 0.0)
    after = before.copy()
    for _ in range(500):
        bought = after.sum(axis=0)
        bought[list(apart)] = 0.0
        supply = (production + bought) * (1.0 - keep)
        exports = after.sum(axis=1)
        over = exports > supply * (1.0 + 1e-12)
        if not over.any():
            break
        factor = np.where(over, np.divide(supply, exports, out=np.ones_like(supply), where=exports > 0.0), 1.0)
        after *= factor[:, None]
    after[unmade(production, after)] = 0.0
    return after, before.sum(axis=1) - after.sum(axis=1)


def unmade(production: Array, trade: Array) -> npt.NDArray[np.bool_]:
    """Who sends on what nobody made: countries that neither make a good nor buy it, directly or not, of one who does.

    Parameters
    ----------
    production : (N,)    t
    trade      : (N, N)  t   the diagonal is ignored

    Returns
    -------
    (N,) bool; what they send each other has no origin
    """
    sends = trade > 0.0
    np.fill_diagonal(sends, False)
    reached = production > 0.0
    while (more := reached | sends[reached].any(axis=0)).sum() > reached.sum():
        reached = more
    return np.asarray(~reached & sends.any(axis=1))


def balance(seed: Array, rows: Array, columns: Array, upper: Array | None = None, rounds: int = 5000) -> Array:
    """The matrix with given margins nearest in shape to `seed`, cells bounded from above (biproportional, bounded).

    x_ij = min(upper_ij, r_i s_j seed_ij) with r, s such that both margins hold.

    Parameters
    ----------
    seed    : (I, J)  >= 0; a zero stays zero
    rows    : (I,)    t
    columns : (J,)    t   same sum as rows
    upper   : (I, J)  t   bounds; none where absent

    Returns
    -------
    (I, J) t. Columns hold exactly, rows to 1e-12 of the total where zeros and bounds allow it.
    """
    shape = seed.astype(float).copy()
    bound = np.full_like(shape, np.inf) if upper is None else upper
    total = max(float(rows.sum()), 1e-300)
    for _ in range(rounds):
        shape *= _factor(shape, rows, bound)[:, None]
        shape *= _factor(shape.T, columns, bound.T)[None, :]
        met = np.abs(np.minimum(shape, bound).sum(axis=1) - rows).max() <= 1e-12 * total
        if met or shape.max(initial=0.0) > ENDLESS * total:  # a row of bounds too low for its total grows for ever
            break
    answer: Array = np.minimum(shape, bound)
    return answer


def _factor(shape: Array, totals: Array, bound: Array) -> Array:
    """For each row the factor f with sum_j min(bound, f shape) = total; 1 where nothing is free."""
    capped = np.zeros(shape.shape, dtype=bool)
    factor = np.ones(len(totals))
    for _ in range(shape.shape[1] + 1):
        held = np.where(capped, bound, 0.0).sum(axis=1)
        free = np.where(capped, 0.0, shape).sum(axis=1)
        factor = np.divide(np.maximum(totals - held, 0.0), free, out=np.ones_like(free), where=free > 0.0)
        over = ~capped & (shape * factor[:, None] > bound)
        if not over.any():
            break
        capped |= over
    return factor
