"""Where buyers buy: the cost index of every market and the shares of its origins.

Shares are in tonnes and add to one, so no metal is made or lost; the index is their potential (its derivative by a
delivered price is the share), so that surplus is consistent with behaviour.
"""

from __future__ import annotations

import numpy as np

from friendshore.market.curves import Array, Index


def source(score: Array, theta: Array, start: Index, market: Index) -> tuple[Array, Array]:
    """Cost index of every market measured from its base, and the share of every route.

    V_j - V0_j = -(1/theta_j) ln sum_i w0_ij exp(-theta_j (d_ij - d0_ij)),     w_ij = dV_j / dd_ij

    Parameters
    ----------
    score : (R,)  -       ln w0 - theta (d - d0) of each route; -inf where it is closed
    theta : (M,)  t/USD   sigma over the mean base price
    start : (M,)          first route of each market (routes are sorted by market)
    market : (R,)         market of each route

    Returns
    -------
    index : (M,)  USD/t   V - V0; +inf where every route is closed
    share : (R,)  -       w, adding to one over a market's routes (zero where every route is closed)

    Source: McFadden (1978), the log-sum of the multinomial logit.

    >>> half = np.log(np.full(2, 0.5))
    >>> move = -0.1 * np.array([0.0, 20.0])
    >>> _, share = source(half + move, np.array([0.1]), np.array([0]), np.array([0, 0]))
    >>> share.round(3)
    array([0.881, 0.119])
    """
    best = np.maximum.reduceat(score, start)
    closed = np.isneginf(best)
    best = np.where(closed, 0.0, best)  # measured from the best origin, exp cannot overflow
    weight = np.exp(score - best[market])
    total = np.add.reduceat(weight, start)
    total = np.where(closed, 1.0, total)
    index = np.where(closed, np.inf, -(best + np.log(total)) / theta)
    return index, weight / total[market]
