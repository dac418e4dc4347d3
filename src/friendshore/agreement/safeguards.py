"""Safeguards: is the trigger met on a cleared market, and what does the agreement become when it is?

Measures are read from two outcomes, the status quo and the agreement, on the same day. Clearing the market again is left to
the run.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from friendshore.agreement import schedule
from friendshore.faces import Wedge
from friendshore.instruments import KINDS
from friendshore.instruments.clause import Clause, Setting, Suspension
from friendshore.instruments.safeguard import Safeguard, Trigger
from friendshore.mean_price import price_paid
from friendshore.outcome import Outcome

if TYPE_CHECKING:
    import polars as pl

    from friendshore.agreement.document import Agreement
    from friendshore.world.tables import World


@dataclass(frozen=True, slots=True, kw_only=True)
class Tested:
    """A trigger and what the market said: under the agreement, and with the actions of all that were met."""

    clause: str
    when: str
    value: float | None
    met: bool
    suspends: tuple[str, ...] = ()
    releases: tuple[str, ...] = ()
    applies: tuple[str, ...] = ()
    value_after: float | None = None
    met_after: bool | None = None

    @property
    def finding(self) -> str:
        """What happened, in a sentence."""
        if self.value is None:
            return "Not tested: the market has no such figure."
        if not self.met:
            late = self.met_after is True
            return "Met only because of another safeguard's action; it was not acted on." if late else "Not met."
        if self.met_after:
            return "Met; the action holds."
        return "Met, and with the action no longer: it would lapse and be met again, a cycle that is not followed."

    @property
    def cycle(self) -> bool:
        """Whether the action takes its own reason away."""
        return self.met and self.met_after is False

    def document(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "clause": self.clause,
            "when": self.when,
            "value": self.value,
            "met": self.met,
            "suspends": list(self.suspends),
            "releases": list(self.releases),
            "applies": list(self.applies),
            "value_after": self.value_after,
            "met_after": self.met_after,
            "cycle": self.cycle,
            "finding": self.finding,
        }


def in_force(deal: Agreement, world: World, as_of: date) -> tuple[Safeguard, ...]:
    """The safeguards of an agreement that can be invoked on a day."""
    if not deal.safeguards:
        return ()
    deal = deal.checked(world)
    here = schedule.setting(deal, world, as_of)
    return tuple(clause for clause in deal.safeguards if clause.applies(here))


def test(
    guards: Iterable[Safeguard], deal: Agreement, world: World, as_of: date, before: Outcome, after: Outcome
) -> tuple[Tested, ...]:
    """Every trigger on the market as cleared: `before` is the status quo on the day, `after` the agreement."""
    here = schedule.setting(deal.checked(world), world, as_of)
    found = []
    for guard in guards:
        value = measure(guard.when, here, before, after)
        found.append(
            Tested(
                clause=guard.id,
                when=guard.when.words(),
                value=value,
                met=value is not None and guard.when.met(value),
                suspends=suspended_by(guard, deal),
                releases=tuple(guard.then.release),
                applies=tuple(guard.then.apply),
            )
        )
    return tuple(found)


def suspended_by(guard: Safeguard, deal: Agreement) -> tuple[str, ...]:
    """Ids of the clauses that a safeguard suspends; a kind stands for all its clauses."""
    found: list[str] = []
    for name in guard.then.suspend:
        found += [clause.id for clause in getattr(deal, name)] if name in KINDS else [name]
    return tuple(dict.fromkeys(found))


def acted(deal: Agreement, world: World, as_of: date, tested: Iterable[Tested]) -> tuple[Agreement, tuple[Wedge, ...]]:
    """The agreement with what the met triggers suspend and apply, and what the released reserves sell."""
    deal = deal.checked(world)
    met = [each for each in tested if each.met]
    released = {name for each in met for name in each.releases}
    here = schedule.setting(deal, world, as_of)
    sold = tuple(wedge for clause in deal.reserve if clause.id in released for wedge in clause.released(here))
    paused = {name for each in met for name in each.suspends} | released  # a reserve that sells does not buy
    return awake(suspended(deal, paused, as_of), {name for each in met for name in each.applies}), sold


def awake(deal: Agreement, names: Iterable[str]) -> Agreement:
    """The same agreement with some clauses in force that otherwise hold only while a safeguard is acted on."""
    held = frozenset(names)
    if not held:
        return deal

    def without(guard: Safeguard) -> Safeguard:
        left = tuple(name for name in guard.then.apply if name not in held)
        return guard.model_copy(update={"then": guard.then.model_copy(update={"apply": left})})

    return deal.unread(safeguards=tuple(without(guard) for guard in deal.safeguards))


def suspended(deal: Agreement, names: Iterable[str], as_of: date) -> Agreement:
    """The same agreement with some clauses suspended on a day; their prices still stand for costs that build on them."""
    paused = frozenset(names)
    pause = Suspension.model_validate({"from": as_of, "until": as_of, "reason": "a safeguard"})

    def on(clause: Clause) -> Clause:
        more = {"suspensions": (*clause.suspensions, pause)}
        return clause.model_copy(update=more) if clause.id in paused else clause

    kinds = {kind: tuple(on(clause) for clause in getattr(deal, kind)) for kind in KINDS}
    return deal.unread(**kinds)


def measure(trigger: Trigger, here: Setting, before: Outcome, after: Outcome) -> float | None:
    """The figure that a trigger speaks of; of several goods the one nearest to its limit. None where there is none."""
    import polars as pl

    countries = sorted(here.select(trigger.countries))
    if trigger.measure == "downstream_price_rise":
        goods = [good for good, stage in here.words.goods.items() if stage == "product"]
    else:
        goods = list(here.goods(trigger.goods))
    inside = pl.col("country").is_in(countries)
    found: list[float] = []
    for good in goods:
        at = pl.col("good") == good
        match trigger.measure:
            case "price_rise" | "downstream_price_rise":
                first, second = (price_paid(outcome, countries).get(good) for outcome in (before, after))
                value = second / first - 1.0 if first and second else None
            case "price_usd_t":
                value = price_paid(after, countries).get(good)
            case "import_rise":
                first, second = (_imports(outcome, good, countries) for outcome in (before, after))
                value = second / first - 1.0 if first and second is not None else None
            case "output_fall":
                first, second = (float(o.output.filter(at & inside)["t"].sum()) for o in (before, after))
                value = 1.0 - second / first if first else None
            case "days_short":
                rows = after.use.filter(at & inside)
                short = float(rows["unserved_t"].sum())
                wanted = float(rows["t"].sum()) + short
                value = 365.0 * short / wanted if wanted else None
            case "supplier_share":
                value = _largest_share(after, good, countries)
        if value is not None:
            found.append(value)
    if not found:
        return None
    return max(found) if trigger.above is not None else min(found)


def _from_outside(outcome: Outcome, good: str, countries: list[str]) -> pl.DataFrame:
    import polars as pl

    here = pl.col("importer").is_in(countries) & ~pl.col("exporter").is_in(countries)
    return outcome.flows.filter((pl.col("good") == good) & here)


def _imports(outcome: Outcome, good: str, countries: list[str]) -> float | None:
    rows = _from_outside(outcome, good, countries)
    return float(rows["t"].sum()) if rows.height else None


def _largest_share(outcome: Outcome, good: str, countries: list[str]) -> float | None:
    """The largest outside supplier's part of all that arrives, own output included."""
    import polars as pl

    arrived = outcome.flows.filter((pl.col("good") == good) & pl.col("importer").is_in(countries))
    total = float(arrived["t"].sum())
    by = _from_outside(outcome, good, countries).group_by("exporter").agg(pl.col("t").sum()).sort("exporter")
    if not total:
        return None
    return float(by["t"].max() or 0.0) / total if by.height else 0.0  # type: ignore[arg-type]
