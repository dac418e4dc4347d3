"""Which instrument does how much of it: every headline figure shared out among an agreement's instruments.

The Shapley value: what a part adds, averaged over every order in which the parts may be agreed. Exact up to `EXACT`
parts, by orders drawn at random above, with the standard error that the drawing leaves. Either way the shares add up.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import polars as pl

from friendshore.agreement import safeguards, schedule
from friendshore.errors import InputRefused
from friendshore.headline import bound, places, position
from friendshore.instruments import KINDS
from friendshore.run import DEFAULT, Assumptions, clear_network, compile_world, guard, measures

if TYPE_CHECKING:
    from datetime import date

    from friendshore.agreement.document import Agreement
    from friendshore.faces import Wedge
    from friendshore.outcome import Outcome
    from friendshore.world.tables import World

By = Literal["instrument", "clause"]

EXACT = 8  # parts for which every one of 2^n combinations is cleared
PAIRS = 64  # pairs of an order and its reverse, where combinations are too many
SEED = 1
SCHEMA = {"figure": pl.String, "part": pl.String, "value": pl.Float64, "standard_error": pl.Float64}


@dataclass(frozen=True)
class Shares:
    """Every figure of a change, shared out among the parts of an agreement.

    parties   countries bound
    parts     part -> ids of its clauses
    table     figure, part, value, standard_error       USD (tonnes for `unserved`); an exact share has no error
    total     figure -> the whole change
    method    `exact`, or `sampled` where orders were drawn
    clears    markets cleared;  orders   orders drawn, none where exact
    residual  the largest difference, over all figures, between a total and its shares, relative to the largest share
    """

    by: By
    parties: tuple[str, ...]
    parts: dict[str, tuple[str, ...]]
    table: pl.DataFrame
    total: dict[str, float]
    method: Literal["exact", "sampled"]
    clears: int
    orders: int
    residual: float

    def of(self, figure: str) -> dict[str, float]:
        """The shares of one figure, by part."""
        rows = self.table.filter(pl.col("figure") == figure)
        return dict(rows.select("part", "value").iter_rows())

    def document(self) -> dict[str, Any]:
        """The shares as plain JSON values."""
        return {
            "by": self.by,
            "parties": list(self.parties),
            "parts": {part: list(held) for part, held in self.parts.items()},
            "method": self.method,
            "clears": self.clears,
            "orders": self.orders,
            "residual": self.residual,
            "total": self.total,
            "shares": self.table.to_dicts(),
        }


def shares(
    world: World,
    deal: Agreement,
    *,
    as_of: date | None = None,
    assume: Assumptions = DEFAULT,
    shocks: Iterable[Wedge] = (),
    by: By = "instrument",
    ends: tuple[Outcome, Outcome] | None = None,
    exact: int = EXACT,
    pairs: int = PAIRS,
    seed: int = SEED,
    progress: Callable[[str], None] = lambda _: None,
) -> Shares:
    """Share out what an agreement changes among its instruments, or its clauses.

    share_k = sum over S without k of |S|! (n - |S| - 1)! / n! (F(S + k) - F(S)),  F(S) a figure where only S is agreed

    Parameters
    ----------
    world, deal : the base year and the agreement
    as_of : day whose terms are run; the agreement's run date if None
    assume, shocks : as `study`
    by : parts are kinds of instrument, or single clauses; those that do nothing on the day are none
    ends : status quo and agreement, if they have been cleared already
    exact : number of parts up to which every combination is cleared
    pairs : orders drawn above that, each with its reverse
    seed : of the drawing

    Raises
    ------
    InputRefused   an agreement that does nothing on the day;  MarketError   a combination without an answer

    Source: Shapley (1953); sampling with reversed orders as in Mitchell et al. (2022).
    """
    deal = deal.checked(world)
    as_of = as_of or deal.run_date
    shocks = tuple(shocks)
    parts = parts_of(deal, world, as_of, by)
    if not parts:
        raise InputRefused.because("no-effect", f"no clause of {deal.id} does anything on {as_of}")
    network = compile_world(world, assume)
    at = places(world, bound(deal, world, as_of))
    names = list(parts)
    whole = (1 << len(names)) - 1
    held: dict[int, dict[str, float]] = {}
    states: dict[int, Any] = {}
    quo: Outcome | None = None
    if ends is not None:
        quo = ends[0]
        for mask, outcome in zip((0, whole), ends, strict=True):
            held[mask], states[mask] = position(outcome, at), outcome.state
    cleared = 0

    def worth(mask: int) -> dict[str, float]:
        nonlocal cleared, quo
        if mask not in held:
            only = {clause for k, name in enumerate(names) if mask >> k & 1 for clause in parts[name]}
            wedges = [*measures(world, deal, as_of, assume, only=only)[0], *shocks]
            near = min(states, key=lambda other: ((other ^ mask).bit_count(), other), default=None)
            start = None if near is None else states[near]
            outcome = clear_network(world, network, wedges, assume=assume, as_of=as_of, start=start)
            if quo is None:  # the first that is cleared has no part
                quo = outcome
            if any(clause.id in only for clause in deal.safeguards):
                part = _part(deal, only)
                outcome = guard(world, network, part, quo, outcome, as_of=as_of, assume=assume, extra=shocks)[0]
            held[mask], states[mask] = position(outcome, at), outcome.state
            cleared += 1
            if cleared % 16 == 0:
                progress(f"sharing out: {cleared} combinations cleared")
        return held[mask]

    progress(f"sharing out among {len(names)} parts")
    worth(0), worth(whole)
    if len(names) <= exact:
        value, error, orders = _exact(worth, len(names)), None, 0
    else:
        value, error = _sampled(worth, len(names), pairs, np.random.default_rng(seed))
        orders = 2 * pairs
    return _table(by, at.parties, parts, value, error, held[0], held[whole], cleared, orders)


def parts_of(deal: Agreement, world: World, as_of: date, by: By) -> dict[str, tuple[str, ...]]:
    """What an agreement is shared out among: its kinds of instrument or its clauses, those that act on the day."""
    deal = deal.checked(world)
    acting = {wedge.clause for wedge in schedule.wedges(deal, world, as_of)}
    acting |= {clause.id for clause in safeguards.in_force(deal, world, as_of)}
    found: dict[str, tuple[str, ...]] = {}
    for clause in deal.clauses:
        if clause.id in acting:
            name = clause.id if by == "clause" else kind_of(clause)
            found[name] = (*found.get(name, ()), clause.id)
    return found


def _part(deal: Agreement, only: set[str]) -> Agreement:
    """An agreement of some of its clauses."""
    return deal.altered(**{kind: tuple(each for each in getattr(deal, kind) if each.id in only) for kind in KINDS})


def kind_of(clause: object) -> str:
    """What kind of instrument a clause is, in words: `floors`, `trade area`."""
    return next(key for key, kind in KINDS.items() if type(clause) is kind).replace("_", " ")


def _exact(worth: Callable[[int], Mapping[str, float]], count: int) -> dict[str, np.ndarray[Any, Any]]:
    """Shapley values from every combination, neighbours of one another in turn so that each starts warm."""
    table = {gray: worth(gray) for gray in (mask ^ (mask >> 1) for mask in range(1 << count))}
    weight = [math.factorial(s) * math.factorial(count - s - 1) / math.factorial(count) for s in range(count)]
    figures = sorted({name for row in table.values() for name in row})
    value = {}
    for name in figures:
        worths = np.array([table[mask].get(name, 0.0) for mask in range(1 << count)])
        share = np.zeros(count)
        for k in range(count):
            for mask in range(1 << count):
                if not mask >> k & 1:
                    share[k] += weight[mask.bit_count()] * (worths[mask | 1 << k] - worths[mask])
        value[name] = share
    return value


def _sampled(
    worth: Callable[[int], Mapping[str, float]], count: int, pairs: int, draw: np.random.Generator
) -> tuple[dict[str, np.ndarray[Any, Any]], dict[str, np.ndarray[Any, Any]]]:
    """Shapley values from orders drawn at random, each with its reverse, and their standard errors."""
    adds: list[dict[str, np.ndarray[Any, Any]]] = []
    for _ in range(pairs):
        order = [int(k) for k in draw.permutation(count)]
        pair: dict[str, np.ndarray[Any, Any]] = {}
        for walk in (order, order[::-1]):
            mask = 0
            for k in walk:
                first, second = worth(mask), worth(mask | 1 << k)
                for name in {**first, **second}:
                    row = pair.setdefault(name, np.zeros(count))
                    row[k] += (second.get(name, 0.0) - first.get(name, 0.0)) / 2.0
                mask |= 1 << k
        adds.append(pair)
    value, error = {}, {}
    for name in sorted({name for pair in adds for name in pair}):
        rows = np.array([pair.get(name, np.zeros(count)) for pair in adds])
        value[name] = rows.mean(axis=0)
        error[name] = rows.std(axis=0, ddof=1) / math.sqrt(len(adds)) if len(adds) > 1 else np.full(count, np.inf)
    return value, error


def _table(
    by: By,
    parties: frozenset[str],
    parts: dict[str, tuple[str, ...]],
    value: Mapping[str, np.ndarray[Any, Any]],
    error: Mapping[str, np.ndarray[Any, Any]] | None,
    before: Mapping[str, float],
    after: Mapping[str, float],
    clears: int,
    orders: int,
) -> Shares:
    total = {name: after.get(name, 0.0) - before.get(name, 0.0) for name in sorted({**before, **after, **value})}
    rows, residual = [], 0.0
    for name, whole in total.items():
        held = value.get(name, np.zeros(len(parts)))
        residual = max(residual, abs(float(held.sum()) - whole) / max(abs(whole), float(np.abs(held).max()), 1.0))
        for k, part in enumerate(parts):
            rows.append((name, part, float(held[k]), 0.0 if error is None else float(error[name][k])))
    return Shares(
        by=by,
        parties=tuple(sorted(parties)),
        parts=parts,
        table=pl.DataFrame(rows, schema=SCHEMA, orient="row"),
        total=total,
        method="exact" if error is None else "sampled",
        clears=clears,
        orders=orders,
        residual=residual,
    )
