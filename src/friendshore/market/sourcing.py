"""Where buyers buy: the cost index of every market and the shares of its origins.

The index is the potential of the shares (its derivative by a delivered price is the share), so that surplus is consistent
with behaviour. `source`, the logit, has shares in tonnes that add to one, so no metal is made or lost. `armington`, the
CES, has not: what it buys adds up in money and not in tonnes.
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


def armington(
    ratio: Array, log_value: Array, log_share: Array, sigma: Array, start: Index, market: Index
) -> tuple[Array, Array]:
    """Cost index of every market over its base, and the tonnes from every route per tonne of the composite.

    P_j = (sum_i s0_ij r_ij^(1 - sigma_j))^(1 / (1 - sigma_j)),   w_ij = w0_ij (r_ij / P_j)^(-sigma_j) = dV_j / dd_ij

    with r = d / d0, V = V0 P and s0 = w0 d0 / V0. Then sum_i w_ij d_ij = V_j exactly, while sum_i w_ij, one in the base,
    is anything elsewhere: CES quantities are no tonnes.

    Parameters
    ----------
    ratio : (R,)      -   r; inf where the route is closed
    log_value : (R,)  -   ln s0, adding to one over a market's routes as s0
    log_share : (R,)  -   ln w0
    sigma : (M,)      -   above 1
    start : (M,)          first route of each market (routes are sorted by market)
    market : (R,)         market of each route

    Returns
    -------
    index : (M,)  -   P; +inf where every route is closed
    share : (R,)  -   w; zero where the route is closed

    Source: Armington (1969); Arrow, Chenery, Minhas and Solow (1961) for the CES.

    >>> half = np.log(np.full(2, 0.5))
    >>> index, share = armington(np.array([1.0, 2.0]), half, half, np.array([2.0]), np.array([0]), np.array([0, 0]))
    >>> index.round(3), share.round(3), share.sum().round(3)
    (array([1.333]), array([0.889, 0.222]), np.float64(1.111))
    """
    log_ratio = np.log(ratio)
    score = log_value + (1.0 - sigma[market]) * log_ratio
    best = np.maximum.reduceat(score, start)
    closed = np.isneginf(best)
    best = np.where(closed, 0.0, best)
    total = np.where(closed, 1.0, np.add.reduceat(np.exp(score - best[market]), start))
    log_index = np.where(closed, np.inf, (best + np.log(total)) / (1.0 - sigma))
    gone = np.isinf(log_ratio)
    share = np.exp(
        log_share + sigma[market] * (np.where(closed, 0.0, log_index)[market] - np.where(gone, 0.0, log_ratio))
    )
    return np.exp(log_index), np.where(gone, 0.0, share)
