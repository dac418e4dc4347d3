"""A damped semismooth Newton method on the equations of `system`: steps, and when to stop."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np

from friendshore.market.curves import Array
from friendshore.market.factors import Divisor, factor, factor_solve, factor_stages
from friendshore.market.network import Mask
from friendshore.market.system import Point, System

TOLERANCE = 1e-12  # of each market's size; what Newton aims for
ACCEPTED = 1e-10  # what counts as solved when rounding stops it short of that
SHRINK = (1.0, 0.5, 0.25, 0.125, 0.0625, 0.03125, 0.015625)
SINGLE_FROM = 96  # rows from which single-precision factors pay
STAGED_FROM = 256  # and elimination stage by stage
KEEP_BELOW = 0.1  # residual below which a Jacobian that still works is kept
KEEP_RATE = 0.3  # and how far it must bring the residual down in a step
STEP_LIMIT = 1.0  # largest move of a log price in a clipped step
LARGEST_FALL = -1.0 + 1e-6  # largest relative fall of a price in one step; the floor stands above it
LARGEST_RISE = 1e3  # and largest relative rise
Style = Literal["price", "log", "clip"]


def newton(
    system: System,
    x: Array,
    steps: int,
    *,
    smooth: float,
    pull: float,
    goal: float = TOLERANCE,
    style: Style = "price",
    patience: int = 0,
) -> tuple[Array, Point, float, int]:
    """Damped Newton from `x`, the matrix kept while it still works.

    Parameters
    ----------
    system, x : the equations and where to begin
    steps : steps at most
    smooth : smoothing of the complementarities, 0 for exact
    pull : added to the diagonal of the price rows, shrinking with success (pseudo-transient steps)
    goal : scaled residual to reach
    style : how a step is tried, see `_trials`
    patience : steps after which to give up while more than three markets are short; 0 for never

    Returns
    -------
    x, point, norm, steps   where it stopped, what the equations say there, the largest scaled residual, steps taken
    """
    # A bold trial may overflow: it is then not finite, and not taken.
    with np.errstate(over="ignore", invalid="ignore"):
        return _newton(system, x, steps, smooth, pull, goal, style, patience)


def _newton(
    system: System, x: Array, steps: int, smooth: float, pull: float, goal: float, style: Style, patience: int
) -> tuple[Array, Point, float, int]:
    sources = system.sources
    point = system.evaluate(x)
    x, point = _admit(system, x, point)
    low, high = _room(system)
    rows, by_z, by_f, on_floor = system.residual(x, point, smooth)
    norm = float(np.abs(rows).max(initial=0.0))
    stalled = 0
    damping = pull
    factors: Divisor | None = None
    single, secant = True, Secant()
    for step in range(steps):
        if norm <= goal:
            return x, point, norm, step
        if factors is None:
            coarse = single and rows.size >= SINGLE_FROM
            matrix = system.jacobian(point, by_z, by_f, on_floor, single=coarse)
            if damping:
                diagonal = np.arange(sources)
                matrix[diagonal, diagonal] += damping
            staged = coarse and rows.size >= STAGED_FROM and len(system.network.stages) > 1
            factors = factor_stages(matrix, system.network.stages) if staged else factor(matrix, single=coarse)
            secant = Secant()
        last_size = rows.size
        direction = factors.solve(-rows) if factors is not None else None
        if direction is not None:
            direction = secant.corrected(direction)
        if direction is None:
            matrix = system.jacobian(point, by_z, by_f, on_floor)
            diagonal = np.arange(matrix.shape[0])
            matrix[diagonal, diagonal] += max(1e-9, damping)
            direction = factor_solve(matrix, -rows)
            if direction is None:
                return x, point, norm, step
        merit = float(rows @ rows)
        best: tuple[float, Array, Point, Array, Array, Array, Mask] | None = None
        for trial, scale in _trials(system, x, direction, style):
            trial = np.minimum(np.maximum(trial, low, out=trial), high, out=trial)
            trial_point = system.evaluate(trial)
            parts = system.residual(trial, trial_point, smooth)
            trial_rows = parts[0]
            trial_merit = float(trial_rows @ trial_rows)
            dropped: Point | None = trial_point
            if np.isfinite(trial_merit) and (best is None or trial_merit < best[0]):
                dropped = best[2] if best is not None else None
                best = (trial_merit, trial, trial_point, *parts)
            if dropped is not None:
                system.release(dropped)
            if trial_merit <= (1.0 - 1e-3 * scale) * merit:
                break
        if best is None:
            return x, point, norm, step
        if best[0] > 0.5 * merit:
            single = False
        if best[0] >= merit * (1.0 - 1e-9):
            stalled += 1
            if norm <= ACCEPTED:
                return x, point, norm, step  # rounding, not the method, ends the descent
            if stalled > 8:
                return x, point, norm, step
            damping = max(damping * 4.0, 1e-6) if pull else damping
        else:
            stalled = max(stalled - 1, 0)
            damping = damping * 0.5 if scale == 1.0 else damping
        secant.taken(best[1] - x)
        system.release(point)
        _, x, point, rows, by_z, by_f, on_floor = best
        if patience and system.unserved_at.size > 3 and step >= patience:
            return x, point, float(np.abs(rows).max(initial=0.0)), step + 1
        admitted, point = _admit(system, x, point)
        if admitted.size != x.size:
            x = admitted
            low, high = _room(system)
            rows, by_z, by_f, on_floor = system.residual(x, point, smooth)
        last, norm = norm, float(np.abs(rows).max(initial=0.0))
        # Close to the answer the old Jacobian serves another step: each costs a fifth of a new one.
        if damping or norm > min(KEEP_RATE * last, KEEP_BELOW) or rows.size != last_size:
            factors, single = None, True
    return x, point, norm, steps


def _room(system: System) -> tuple[Array, Array]:
    """How far each unknown may go; a rent below nothing would let prices, and with them demand, run away."""
    short = system.unserved_at.size
    return (
        np.concatenate([system.floor, system.extra_low, np.zeros(short)]),
        np.concatenate([system.ceiling, system.extra_high, np.full(short, np.inf)]),
    )


class Secant:
    """What the steps since the last factors have taught of the Jacobian: Broyden's updates, one vector pair each.

    B <- B + F+ s' / s's, where B s = -F held before the step s; then H+ v = H v - w (s'Hv) / (s's + s'w), w = H F+.

    Source: Broyden (1965); Kelley (1995), section 7.3, for the form without matrices.
    """

    def __init__(self) -> None:
        self.pairs: list[tuple[Array, Array, float]] = []
        self.last: Array | None = None

    def taken(self, step: Array) -> None:
        self.last = step

    def corrected(self, direction: Array) -> Array:
        """The quasi-Newton direction, given that of the old factors."""
        if self.last is None or self.last.size != direction.size:
            return direction
        for step, turn, length in self.pairs:
            direction = direction - turn * (float(step @ direction) / length)
        step, turn = self.last, -direction
        length = float(step @ step + step @ turn)
        if length <= 0.0:
            return direction
        self.pairs.append((step, turn, length))
        return direction - turn * (float(step @ direction) / length)


def _trials(system: System, x: Array, direction: Array, style: Style) -> Iterator[tuple[Array, float]]:
    """Points to try along a Newton direction, boldest first, each with its share of the step.

    The unknown is the log of a price, for scale. Style `price` takes the step in the price itself, p (1 + delta): rents are
    added to prices, and a price that must fall to nothing while a rent takes its place does so in one step and not in ten.
    `log` shortens the whole step until no price moves by more than a factor of e, `clip` limits price by price. All but
    `clip` try the full clipped step too, so that one price without a slope does not hold back the others.
    """
    sources = system.sources
    clipped = np.maximum(np.minimum(direction[:sources], STEP_LIMIT), -STEP_LIMIT)
    longest = float(np.abs(direction[:sources]).max(initial=0.0)) if style == "log" else 0.0
    shorten = min(1.0, STEP_LIMIT / longest) if longest > 0.0 else 1.0
    for n_try, scale in enumerate(SHRINK):
        if (style == "price" and n_try == 1) or (style == "log" and n_try == 0 and shorten < 1.0):
            trial = x + direction
            trial[:sources] = x[:sources] + clipped
            yield trial, 1.0
        trial = x + scale * shorten * direction
        if style == "price":
            step = np.minimum(np.maximum(scale * direction[:sources], LARGEST_FALL), LARGEST_RISE)
            trial[:sources] = x[:sources] + np.log1p(step)
        elif style == "clip":
            trial[:sources] = x[:sources] + scale * clipped
        yield trial, scale


def _admit(system: System, x: Array, point: Point) -> tuple[Array, Point]:
    """Give every market whose index passed its choke price an unknown for the tonnes it goes without."""
    if system.ramp:
        return x, point
    choke = system.network.demand.choke
    short = point.index > choke
    if not short.any():
        return x, point
    short &= ~system.dead & (point.wanted > 0.0)
    short[system.unserved_at] = False
    new = np.flatnonzero(short).astype(np.intp)
    if not new.size:
        return x, point
    system.unserved_at = np.concatenate([system.unserved_at, new])
    x = np.concatenate([x, np.zeros(new.size)])
    system.release(point)
    return x, system.evaluate(x)
