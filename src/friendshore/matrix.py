"""Which of the bracketed alternatives is best, by the objective that the text states?

Every alternative is cleared against the status quo of its day, warm from there, and ranked: those that keep
every limit first. What an alternative is, and what may be asked of it, is the agreement's to say.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from friendshore.agreement.objective import DEFAULT as CHEAPEST
from friendshore.agreement.objective import Objective, measure_of
from friendshore.errors import MarketError
from friendshore.headline import bound, difference, inside_prices, places, position, supply
from friendshore.run import DEFAULT, Assumptions, clear_network, compile_world, guard, measures

if TYPE_CHECKING:
    from datetime import date

    from friendshore.agreement.document import Agreement
    from friendshore.agreement.options import Alternative
    from friendshore.faces import Wedge
    from friendshore.outcome import Outcome
    from friendshore.world.tables import World

TIES = {
    "points": 1,
    "USD": 0,
    "USD/t": 2,
    "t": 3,
    "%": 4,
}  # decimals beyond which two alternatives stand level, in the text's order
BESIDE = ("gain_of_parties", "gain_of_users", "gain_of_treasuries", "levy_revenue", "gain_of_outsiders")


@dataclass(frozen=True)
class Tried:
    """One alternative that was run: its figures, or why there is no answer.

    rank     from one, among those with an answer
    keeps    whether it keeps every limit
    figures  measure -> value, in the measure's unit
    """

    alternative: Alternative
    rank: int | None
    keeps: bool
    figures: dict[str, float]
    status: str


@dataclass(frozen=True)
class Matrix:
    """The alternatives, best first, and what each single bracket moves.

    tried     every alternative, by rank; those without an answer last
    brackets  option, value, mean, best        of the aim over the alternatives that take the value and have an answer
    measures  the measures shown: the aim, those with limits, and the headline figures
    """

    deal_id: str
    digest: str
    objective: Objective
    measures: tuple[str, ...]
    tried: tuple[Tried, ...]
    brackets: pl.DataFrame
    seconds: float

    @property
    def unanswered(self) -> tuple[Tried, ...]:
        """The alternatives without an answer."""
        return tuple(each for each in self.tried if each.rank is None)

    def document(self) -> dict[str, Any]:
        """The matrix as plain JSON values."""
        return {
            "agreement": self.deal_id,
            "digest": self.digest,
            "objective": self.objective.model_dump(mode="json", exclude_defaults=True),
            "measures": {name: measure_of(name)[0].unit for name in self.measures},
            "alternatives": [
                {
                    "rank": each.rank,
                    "choices": {choice.option: choice.words for choice in each.alternative.choices},
                    "digest": each.alternative.agreement.digest,
                    "keeps_limits": each.keeps,
                    "figures": each.figures,
                    "status": each.status,
                }
                for each in self.tried
            ],
            "brackets": self.brackets.to_dicts(),
            "seconds": self.seconds,
        }


def matrix(
    world: World,
    deal: Agreement,
    *,
    as_of: date | None = None,
    assume: Assumptions = DEFAULT,
    shocks: Iterable[Wedge] = (),
    objective: Objective | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> Matrix:
    """Run every alternative of an agreement and rank them.

    Parameters
    ----------
    world, deal : the base year, and an agreement with `options`
    as_of : day whose terms are run; each alternative's own run date if None
    assume, shocks : as `study`
    objective : what to rank by; the agreement's own, or least cost to the parties, if None

    Raises
    ------
    InputRefused   an alternative that is no sound agreement;  MarketError   a status quo without an answer
    """
    began = time.perf_counter()
    shocks = tuple(shocks)
    objective = objective or deal.objective or CHEAPEST
    names = tuple(dict.fromkeys((objective.aim, *objective.subject_to, *BESIDE)))
    network = compile_world(world, assume)
    status_quo: dict[date, Outcome] = {}
    rows: list[tuple[Alternative, dict[str, float] | None, str]] = []
    known: dict[tuple[str, date], tuple[dict[str, float] | None, str]] = {}
    alternatives = deal.alternatives(world)
    for number, alternative in enumerate(alternatives, start=1):
        progress(f"alternative {number} of {len(alternatives)}")
        text = alternative.agreement
        day = as_of or text.run_date
        if (text.digest, day) in known:  # a term of a clause that is left out makes no difference
            rows.append((alternative, *known[text.digest, day]))
            continue
        if day not in status_quo:
            quo = [*measures(world, None, day, assume)[0], *shocks]
            status_quo[day] = clear_network(world, network, quo, assume=assume, as_of=day)
        before = status_quo[day]
        wedges = [*measures(world, text, day, assume)[0], *shocks]
        figures: dict[str, float] | None = None
        try:
            after = clear_network(world, network, wedges, assume=assume, as_of=day, start=before.state)
            after, _, _ = guard(world, network, text, before, after, as_of=day, assume=assume, extra=shocks)
        except MarketError as stuck:
            status = str(stuck)
        else:
            at = places(world, bound(text, world, day))
            every = difference(position(before, at), position(after, at)) | supply(after, at) | inside_prices(after, at)
            figures, status = {name: every.get(name, 0.0) for name in names}, after.status
        known[text.digest, day] = figures, status
        rows.append((alternative, figures, status))
    tried = _ranked(rows, objective)
    return Matrix(
        deal_id=deal.id,
        digest=deal.digest,
        objective=objective,
        measures=names,
        tried=tried,
        brackets=_brackets(tried, objective),
        seconds=time.perf_counter() - began,
    )


def _ranked(
    rows: Iterable[tuple[Alternative, dict[str, float] | None, str]], objective: Objective
) -> tuple[Tried, ...]:
    """Those that keep every limit, best first, then the others, best first, then those without an answer."""
    sign = 1.0 if objective.minimise else -1.0
    held = [
        (
            figures is None,
            figures is None or not all(limit.keeps(figures[name]) for name, limit in objective.subject_to.items()),
            sign * round((figures or {}).get(objective.aim, 0.0), TIES[measure_of(objective.aim)[0].unit]),
            number,
            alternative,
            figures,
            status,
        )
        for number, (alternative, figures, status) in enumerate(rows)
    ]
    held.sort(key=lambda row: row[:4])
    return tuple(
        Tried(alternative, None if silent else rank, not breaks, figures or {}, status)
        for rank, (silent, breaks, _, _, alternative, figures, status) in enumerate(held, start=1)
    )


def _brackets(tried: Iterable[Tried], objective: Objective) -> pl.DataFrame:
    """What each value of each option does to the aim: its mean and its best over the alternatives that take it."""
    sums: dict[tuple[str, str], list[float]] = {}
    for each in tried:
        for choice in each.alternative.choices:
            held = sums.setdefault((choice.option, choice.words), [])
            if each.rank is not None:
                held.append(each.figures[objective.aim])
    best = min if objective.minimise else max
    rows = [
        (option, value, sum(held) / len(held) if held else None, best(held) if held else None)
        for (option, value), held in sums.items()
    ]
    schema = {"option": pl.String, "value": pl.String, "mean": pl.Float64, "best": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row").sort("option", "value")
