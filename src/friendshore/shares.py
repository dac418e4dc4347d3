"""Which instrument does how much of it: every headline figure shared out among an agreement's instruments.

Up to `EXACT` parts the Shapley value, exactly: what a part adds, averaged over every order in which the parts may be agreed.
Above, an integral along the path on which all parts grow together (Aumann and Shapley), with the residual that the
integration leaves. What stands where a part is agreed in part is `partway`'s to say.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from friendshore.agreement import safeguards, schedule
from friendshore.agreement.objective import MEASURES
from friendshore.errors import InputRefused
from friendshore.headline import bound, places, position
from friendshore.instruments import KINDS
from friendshore.instruments.safeguard import Safeguard
from friendshore.partway import way
from friendshore.run import DEFAULT, Assumptions, clear_network, compile_world, guard, measures

if TYPE_CHECKING:
    from datetime import date

    from friendshore.agreement.document import Agreement
    from friendshore.faces import Wedge
    from friendshore.outcome import Outcome
    from friendshore.partway import Way
    from friendshore.world.tables import World

Array = NDArray[np.float64]
By = Literal["instrument", "clause"]

EXACT = 5  # parts up to which every one of 2^n combinations is cleared
LIMIT = 8  # parts beyond which nobody may ask for that
SCHEMA = {"figure": pl.String, "part": pl.String, "value": pl.Float64}
NODES = 3  # Gauss-Legendre nodes of a stretch of the path
STRETCHES = 16  # into which the path is cut at most
NEAR = 1e-3  # of a figure: the residual at which a path is fine enough
STEP = 2e-4  # across a node, for a derivative
STILL = 1e3  # USD or tonnes below which a figure's residual does not cut the path finer


@dataclass(frozen=True)
class Shares:
    """Every figure of a change, shared out among the parts of an agreement.

    parties    countries bound
    parts      part -> ids of its clauses
    table      figure, part, value       USD (tonnes for `unserved`)
    total      figure -> the whole change
    residuals  figure -> what the shares lack of the whole; rounding alone where they are exact
    method     `shapley`, from every combination, or `path`
    clears     markets cleared;  nodes   of the path at which derivatives were taken, none where exact
    residual   the largest residual of any figure, relative to the figure or its largest share
    """

    by: By
    parties: tuple[str, ...]
    parts: dict[str, tuple[str, ...]]
    table: pl.DataFrame
    total: dict[str, float]
    residuals: dict[str, float]
    method: Literal["shapley", "path"]
    clears: int
    nodes: int
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
            "nodes": self.nodes,
            "residual": self.residual,
            "total": self.total,
            "shares": self.table.to_dicts(),
            "residuals": self.residuals,
        }


@dataclass(frozen=True)
class Stretch:
    """A stretch of the path with what every part adds on it, by figure, and what these miss of the change along it."""

    low: float
    high: float
    adds: dict[str, Array]
    missing: dict[str, float]


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
    stretches: int = STRETCHES,
    progress: Callable[[str], None] = lambda _: None,
) -> Shares:
    """Share out what an agreement changes among its instruments, or its clauses.

    share_k = sum over S without k of |S|! (n - |S| - 1)! / n! (F(S + k) - F(S)),  F(S) a figure where only S is agreed
    share_k = integral from 0 to 1 of dF/dt_k (t, ..., t) dt,                       F(t) where part k is agreed to t_k

    The first up to `exact` parts, the second above. Its path is cut into stretches, each by Gauss-Legendre, the worst of
    them in two until the shares add to every headline figure, or there are `stretches` of them.

    Parameters
    ----------
    world, deal : the base year and the agreement
    as_of : day whose terms are run; the agreement's run date if None
    assume, shocks : as `study`
    by : parts are kinds of instrument, or single clauses; those that do nothing on the day are none
    ends : status quo and agreement, if they have been cleared already, its safeguards tested
    exact : number of parts up to which every combination is cleared, at most eight
    stretches : of the path, at most

    Raises
    ------
    InputRefused   an agreement that does nothing on the day;  MarketError   a combination without an answer

    Source: Shapley (1953); Aumann and Shapley (1974), Values of Non-Atomic Games.
    """
    deal = deal.checked(world)
    as_of = as_of or deal.run_date
    shocks = tuple(shocks)
    parts = parts_of(deal, world, as_of, by)
    if not parts:
        raise InputRefused.because("no-effect", f"no clause of {deal.id} does anything on {as_of}")
    if exact > LIMIT:
        message = f"every combination of up to {exact} parts: that may be 2^{exact} markets"
        raise InputRefused.because("too-many-parts", message, path="exact", hint=f"at most {LIMIT}")
    game = _Game(world, deal, as_of, assume, shocks, parts, ends)
    count = len(parts)
    progress(f"sharing out among {count} parts")
    if count <= exact:
        value, nodes = _exact(game.worth, count), 0
        found = _table(by, game, value, "shapley", nodes)
    else:
        value, nodes = _path(game.partly, count, stretches, progress)
        found = _table(by, game, value, "path", nodes)
    return found


class _Game:
    """The figures of an agreement of which some parts are agreed, or all to some degree; what was cleared is remembered."""

    def __init__(
        self,
        world: World,
        deal: Agreement,
        as_of: date,
        assume: Assumptions,
        shocks: tuple[Wedge, ...],
        parts: dict[str, tuple[str, ...]],
        ends: tuple[Outcome, Outcome] | None,
    ) -> None:
        self.world, self.deal, self.as_of, self.assume, self.shocks, self.parts = (
            world,
            deal,
            as_of,
            assume,
            shocks,
            parts,
        )
        self.network = compile_world(world, assume)
        self.at = places(world, bound(deal, world, as_of))
        self.cleared = 0
        self.whole = (1 << len(parts)) - 1
        self.before = ends[0] if ends else self._clear(measures(world, None, as_of, assume)[0], None)
        self.held = {0: position(self.before, self.at)}
        self.states: dict[int, Any] = {0: self.before.state}
        self.after = ends[1] if ends else self._agreed(self.whole)
        self.held[self.whole], self.states[self.whole] = position(self.after, self.at), self.after.state

    def worth(self, mask: int) -> dict[str, float]:
        """Figures where the parts of `mask` are agreed, safeguards acting on what these leave of the market."""
        if mask not in self.held:
            outcome = self._agreed(mask)
            self.held[mask], self.states[mask] = position(outcome, self.at), outcome.state
        return self.held[mask]

    def partly(self, degrees: Sequence[float]) -> dict[str, float]:
        """Figures where every part is agreed to its degree, safeguards acting as they do under the whole agreement."""
        if set(degrees) in ({0.0}, {1.0}):
            return self.held[self.whole if degrees[0] else 0]
        degree = {clause: d for d, held in zip(degrees, self.parts.values(), strict=True) for clause in held}
        outcome = self._clear(self._way.wedges(degree), self._near(sum(degrees) / len(degrees)), shocked=True)
        self._along[sum(degrees) / len(degrees)] = outcome.state
        return position(outcome, self.at)

    @cached_property
    def _way(self) -> Way:
        return way(
            self.world, self.deal, self.before, self.after, as_of=self.as_of, assume=self.assume, shocks=self.shocks
        )

    @cached_property
    def _along(self) -> dict[float, Any]:
        return {0.0: self.before.state, 1.0: self.after.state}

    def _near(self, degree: float) -> Any:
        return self._along[min(self._along, key=lambda other: (abs(other - degree), other))]

    def _agreed(self, mask: int) -> Outcome:
        only = {clause for k, held in enumerate(self.parts.values()) if mask >> k & 1 for clause in held}
        near = min(self.states, key=lambda other: ((other ^ mask).bit_count(), other))
        wedges = measures(self.world, self.deal, self.as_of, self.assume, only=only)[0]
        outcome = self._clear(wedges, self.states[near])
        if any(clause.id in only for clause in self.deal.safeguards):
            part = _part(self.deal, only)
            outcome = guard(
                self.world, self.network, part, self.before, outcome,
                as_of=self.as_of, assume=self.assume, extra=self.shocks,
            )[0]  # fmt: skip
        return outcome

    def _clear(self, wedges: Iterable[Wedge], start: Any, *, shocked: bool = False) -> Outcome:
        self.cleared += 1
        every = [*wedges, *(() if shocked else self.shocks)]
        return clear_network(self.world, self.network, every, assume=self.assume, as_of=self.as_of, start=start)


def parts_of(deal: Agreement, world: World, as_of: date, by: By) -> dict[str, tuple[str, ...]]:
    """What an agreement is shared out among: its kinds of instrument or its clauses, those that act on the day."""
    deal = deal.checked(world)
    acting = {wedge.clause for wedge in schedule.wedges(deal, world, as_of)}
    acting |= {clause.id for clause in safeguards.in_force(deal, world, as_of)}
    found: dict[str, tuple[str, ...]] = {}
    for clause in deal.clauses:
        if clause.id in acting:
            name = clause.id if by == "clause" else kind_of(clause)
            applied = clause.then.apply if isinstance(clause, Safeguard) else ()  # what it applies is a part of it
            found[name] = (*found.get(name, ()), clause.id, *applied)
    return found


def _part(deal: Agreement, only: set[str]) -> Agreement:
    """An agreement of some of its clauses."""
    return deal.altered(**{kind: tuple(each for each in getattr(deal, kind) if each.id in only) for kind in KINDS})


def kind_of(clause: object) -> str:
    """What kind of instrument a clause is, in words: `floors`, `trade area`."""
    return next(key for key, kind in KINDS.items() if type(clause) is kind).replace("_", " ")


def _exact(worth: Callable[[int], Mapping[str, float]], count: int) -> dict[str, Array]:
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


def _path(
    worth: Callable[[Sequence[float]], Mapping[str, float]],
    count: int,
    stretches: int = STRETCHES,
    progress: Callable[[str], None] = lambda _: None,
) -> tuple[dict[str, Array], int]:
    """What every part adds along the path on which all grow together, and the nodes at which that was asked.

    The stretch whose shares miss most of its own change in a headline figure is cut in two, until all add up to `NEAR`.
    """
    done = [_stretch(worth, count, 0.0, 1.0)]
    while len(done) < stretches:
        total = _missing(done)
        scale = {name: _scale(name, done) for name in total}
        worst = max((name for name in total if name in MEASURES), key=lambda name: abs(total[name]) / scale[name])
        if abs(total[worst]) <= NEAR * scale[worst]:
            break
        one = max(done, key=lambda each: (abs(each.missing[worst]), -each.low))
        progress(f"the path in {len(done) + 1} stretches")
        middle = (one.low + one.high) / 2.0
        done.remove(one)
        done += [_stretch(worth, count, one.low, middle), _stretch(worth, count, middle, one.high)]
    names = sorted({name for each in done for name in each.adds})
    added = {name: sum((each.adds.get(name, np.zeros(count)) for each in done), np.zeros(count)) for name in names}
    return added, NODES * len(done)


def _stretch(worth: Callable[[Sequence[float]], Mapping[str, float]], count: int, low: float, high: float) -> Stretch:
    """One stretch of the path by Gauss-Legendre, the derivatives from differences across a node, one part stepping at a time."""
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    adds: dict[str, Array] = {}
    for node, weight in zip(nodes, weights, strict=True):
        t = low + (high - low) * (float(node) + 1.0) / 2.0
        start = t - STEP / 2.0
        less = worth([start] * count)
        for k in range(count):
            more = worth([start + (STEP if each == k else 0.0) for each in range(count)])
            for name in {**less, **more}:
                slope = (more.get(name, 0.0) - less.get(name, 0.0)) / STEP
                adds.setdefault(name, np.zeros(count))[k] += float(weight) * (high - low) / 2.0 * slope
    first, last = worth([low] * count), worth([high] * count)
    missing = {
        name: last.get(name, 0.0) - first.get(name, 0.0) - float(adds.get(name, np.zeros(count)).sum())
        for name in {**first, **last, **adds}
    }
    return Stretch(low, high, adds, missing)


def _missing(done: Iterable[Stretch]) -> dict[str, float]:
    sums: dict[str, float] = {}
    for each in done:
        for name, value in each.missing.items():
            sums[name] = sums.get(name, 0.0) + value
    return sums


def _scale(name: str, done: Sequence[Stretch]) -> float:
    """What a residual is measured by: the whole change or the largest share, whichever is larger, at least `STILL`."""
    held = [each.adds[name] for each in done if name in each.adds]
    shares = sum(held, np.zeros(held[0].size)) if held else np.zeros(1)
    whole = float(shares.sum()) + sum(each.missing.get(name, 0.0) for each in done)
    return max(abs(whole), float(np.abs(shares).max()), STILL)


def _table(by: By, game: _Game, value: Mapping[str, Array], method: Literal["shapley", "path"], nodes: int) -> Shares:
    before, after = game.held[0], game.held[game.whole]
    total = {name: after.get(name, 0.0) - before.get(name, 0.0) for name in sorted({**before, **after, **value})}
    rows, residuals, worst = [], {}, 0.0
    for name, whole in total.items():
        held = value.get(name, np.zeros(len(game.parts)))
        residuals[name] = whole - float(held.sum())
        worst = max(worst, abs(residuals[name]) / max(abs(whole), float(np.abs(held).max()), STILL))
        rows += [(name, part, float(held[k])) for k, part in enumerate(game.parts)]
    return Shares(
        by=by,
        parties=tuple(sorted(game.at.parties)),
        parts=game.parts,
        table=pl.DataFrame(rows, schema=SCHEMA, orient="row"),
        total=total,
        residuals=residuals,
        method=method,
        clears=game.cleared,
        nodes=nodes,
        residual=worst,
    )
