"""An agreement agreed in part: the wedges that stand when each of its clauses is in force to some degree.

At nought of every clause they are the status quo's, at the whole of every one the agreement's own, and between the two the
market moves without a jump. What is made of the way is left to `shares`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

from friendshore import faces
from friendshore.agreement import schedule
from friendshore.instruments.export_control import ExportControl
from friendshore.run import DEFAULT, Assumptions, measures

if TYPE_CHECKING:
    from datetime import date

    from friendshore.agreement.document import Agreement
    from friendshore.outcome import Outcome
    from friendshore.world.tables import World

NEVER = ()


@dataclass(frozen=True)
class Standing:
    """A wedge and what it hangs on: the clause that brings it, or the clauses that take it away."""

    wedge: faces.Wedge
    brings: str = ""  # nobody: it stands in the status quo
    lifts: str = ""


@dataclass(frozen=True)
class Way:
    """Everything that stands somewhere on the way from the status quo to an agreement.

    standings  every wedge, in order of taking effect
    pauses     clause -> the safeguards that suspend it under the whole agreement
    before     the status quo, where all measures are still nought;  after     the agreement, where they are whole
    """

    standings: tuple[Standing, ...]
    pauses: Mapping[str, tuple[str, ...]]
    before: Outcome
    after: Outcome
    fob_valued: frozenset[str] = field(default_factory=frozenset)
    freight_usd_t: Mapping[tuple[str, str, str], float] = field(default_factory=dict)

    def wedges(self, degree: Mapping[str, float]) -> list[faces.Wedge]:
        """The wedges that stand where each clause is in force to a degree between nought and one."""
        found: list[faces.Wedge] = []
        for each in self.standings:
            agreed = 1.0 if not each.brings else self._agreed(each.brings, degree)
            if each.lifts:
                agreed *= 1.0 - self._agreed(each.lifts, degree)
            if agreed >= 1.0:
                found.append(each.wedge)
            elif agreed > 0.0:
                found += self._part(each, agreed, degree)
        return found

    def _agreed(self, clause: str, degree: Mapping[str, float]) -> float:
        held = degree.get(clause, 0.0)
        for guard in self.pauses.get(clause, NEVER):
            held *= 1.0 - degree.get(guard, 0.0)
        return held

    def _gone(self, each: Standing, degree: Mapping[str, float]) -> float:
        """How far a wedge has been taken away again: nought where its neutral point is the status quo's, one the agreement's."""
        if each.lifts:
            return self._agreed(each.lifts, degree)
        left = 1.0
        for guard in self.pauses.get(each.brings, NEVER):
            left *= 1.0 - degree.get(guard, 0.0)
        return 1.0 - left

    def _part(self, each: Standing, s: float, degree: Mapping[str, float]) -> Sequence[faces.Wedge]:
        """A wedge at strength `s` between nought and one."""
        wedge = each.wedge
        match wedge:
            case faces.Tariff() | faces.ExportTax() | faces.PriceGap():
                return (replace(wedge, phase=s * wedge.phase),)
            case faces.Subsidy():
                return (replace(wedge, usd_t=s * wedge.usd_t),)
            case faces.Offtake():
                return (replace(wedge, tonnes=s * wedge.tonnes),)
            case faces.Reserve():
                return (replace(wedge, tonnes=s * wedge.tonnes),)
            case faces.Plant():
                return (replace(wedge, adds_t=s * wedge.adds_t),)
            case faces.Quota():
                return (replace(wedge, tonnes=self._slack(wedge.lane, wedge.tonnes, s)),)
            case faces.Ban():
                return self._rationed(wedge, s)
            case faces.Corridor():
                capacity = wedge.capacity_t
                if capacity is not None and not wedge.bypass:
                    capacity = (
                        max(capacity, sum(self._shipped(lane) for lane in wedge.lanes)) * (1.0 - s) + s * capacity
                    )
                return (replace(wedge, freight_saving_usd_t=s * wedge.freight_saving_usd_t, capacity_t=capacity),)
            case faces.TariffQuota():
                return self._tariff_quota(wedge, s, self._gone(each, degree))
            case faces.Contract():
                return self._contracts(wedge, s, self._gone(each, degree))

    def _slack(self, lane: faces.Lane, tonnes: float, s: float) -> float:
        """A limit between its own tonnes and the most that is shipped at either end, where it does not bite."""
        return s * tonnes + (1.0 - s) * max(tonnes, self._shipped(lane))

    def _rationed(self, wedge: faces.Ban, s: float) -> Sequence[faces.Wedge]:
        """A ban as a quota of each exporter that has not yet fallen to nought; none where nothing was shipped anyway."""
        found: list[faces.Wedge] = []
        for exporter in sorted(wedge.lane.exporters):
            lane = replace(wedge.lane, exporters=frozenset({exporter}))
            tonnes = self._slack(lane, 0.0, s)
            if tonnes > 0.0:
                found.append(faces.Quota(clause=wedge.clause, lane=lane, tonnes=tonnes, owner=exporter))
            else:
                found.append(replace(wedge, lane=lane))
        return found

    def _tariff_quota(self, wedge: faces.TariffQuota, s: float, gone: float) -> Sequence[faces.Wedge]:
        """Both rates on their way from the mean duty at the end; what single origins pay beside the mean as a specific duty.

        At nought every origin so owes what it owed there, tonne by tonne.
        """
        rows = {
            (i, j): [(1.0 - gone) * x + gone * y for x, y in zip(first, second, strict=True)]
            for (i, j), (first, second) in self._duties(wedge.lane).items()
        }
        tonnes = sum(row[0] for row in rows.values())
        mean = sum(t * rate for t, rate, _ in rows.values()) / tonnes if tonnes > 0.0 else wedge.rate_in
        rates = {name: (1.0 - s) * mean + s * getattr(wedge, name) for name in ("rate_in", "rate_out")}
        found: list[faces.Wedge] = [replace(wedge, **rates)]
        for (exporter, importer), (_, rate, value) in sorted(rows.items()):
            beside = (1.0 - s) * (rate - mean) * value
            if beside:
                lane = faces.Lane(
                    good=wedge.lane.good, exporters=frozenset({exporter}), importers=frozenset({importer})
                )
                found.append(faces.Tariff(clause=wedge.clause, lane=lane, specific_usd_t=beside, adds=True))
        return found

    def _contracts(self, wedge: faces.Contract, s: float, gone: float) -> Sequence[faces.Wedge]:
        """The strike on its way from the price at which the contract pays nothing, in each producing country."""
        found: list[faces.Wedge] = []
        for country in sorted(wedge.producers):
            key = (wedge.good, country)
            if key not in self._prices[0]:
                continue
            idle = (1.0 - gone) * self._prices[0][key] + gone * self._prices[1].get(key, 0.0)
            strike = wedge.strike_usd_t
            if wedge.two_way or strike > idle:
                strike = (1.0 - s) * idle + s * strike
            own = frozenset({country})
            found.append(replace(wedge, producers=own, strike_usd_t=strike, dispersion=s * wedge.dispersion))
        return found

    def _shipped(self, lane: faces.Lane) -> float:
        """The most that a lane carries at either end of the way, tonnes a year across borders."""
        return max(
            sum(
                tonnes
                for (i, j), tonnes in held.get(lane.good, {}).items()
                if i in lane.exporters and j in lane.importers
            )
            for held in self._flows
        )

    def _duties(self, lane: faces.Lane) -> dict[tuple[str, str], tuple[tuple[float, ...], tuple[float, ...]]]:
        """Tonnes, rate and customs value of every pair on a lane, at either end."""
        ends = []
        for outcome in (self.before, self.after):
            rows = {}
            for good, i, j, t, cif, rate in outcome.flows.select(
                "good", "exporter", "importer", "t", "cif_usd_t", "tariff"
            ).iter_rows():
                if good == lane.good and i in lane.exporters and j in lane.importers and i != j:
                    freight = self.freight_usd_t.get((good, i, j), 0.0) if j in self.fob_valued else 0.0
                    rows[i, j] = (t, rate, cif - freight)
            ends.append(rows)
        return {pair: (ends[0][pair], ends[1][pair]) for pair in sorted(ends[0].keys() & ends[1].keys())}

    @cached_property
    def _flows(self) -> tuple[dict[str, dict[tuple[str, str], float]], ...]:
        found = []
        for outcome in (self.before, self.after):
            held: dict[str, dict[tuple[str, str], float]] = {}
            for good, i, j, t in outcome.flows.select("good", "exporter", "importer", "t").iter_rows():
                if i != j and t > 0.0:
                    held.setdefault(good, {})[i, j] = t
            found.append(held)
        return tuple(found)

    @cached_property
    def _prices(self) -> tuple[dict[tuple[str, str], float], ...]:
        return tuple(
            {
                (good, country): usd_t
                for good, country, usd_t in outcome.prices.select("good", "country", "usd_t").iter_rows()
            }
            for outcome in (self.before, self.after)
        )


def way(
    world: World,
    deal: Agreement,
    before: Outcome,
    after: Outcome,
    *,
    as_of: date,
    assume: Assumptions = DEFAULT,
    shocks: Iterable[faces.Wedge] = (),
) -> Way:
    """The way from the status quo to an agreement, its safeguards tested as the whole agreement leaves the market.

    A duty moves from the one before it; a levy, a subsidy, a saving or a purchase grows from nought; a limit comes down from
    the most that is shipped at either end; a strike starts from the price at which it pays nothing.

    Parameters
    ----------
    before, after : the cleared status quo and agreement, after any safeguard that acts
    shocks : wedges of what others do meanwhile, which stand all the way
    """
    deal = deal.checked(world)
    quo = list(measures(world, None, as_of, assume)[0])
    standings = [Standing(wedge) for wedge in quo]
    controls = [clause.id for clause in deal.clauses if isinstance(clause, ExportControl)]
    for number, clause in enumerate(controls, start=1):
        kept = list(schedule.lift(quo, deal, world, as_of, only=set(controls[:number])))
        standings = _lifted(standings, kept, clause)
    standings += [Standing(wedge, wedge.clause) for wedge in schedule.wedges(deal, world, as_of)]
    pauses, sold = _suspended(world, deal, after, as_of)
    standings += [Standing(wedge, guard) for guard, wedge in sold]
    standings += [Standing(wedge) for wedge in shocks]
    home = dict(world.countries.select("code", "territory").iter_rows())
    base = dict(world.territories.select("code", "duty_base").iter_rows())
    return Way(
        standings=tuple(standings),
        pauses=pauses,
        before=before,
        after=after,
        fob_valued=frozenset(code for code, territory in home.items() if base.get(territory) == "fob"),
        freight_usd_t={
            (good, i, j): usd_t or 0.0
            for good, i, j, usd_t in world.routes.select("good", "exporter", "importer", "freight_usd_t").iter_rows()
        },
    )


def _lifted(standings: Sequence[Standing], kept: Sequence[faces.Wedge], clause: str) -> list[Standing]:
    """What stands of the status quo once one more clause has lifted its part: wedges that go, and what is left of them."""
    left = list(kept)
    found: list[Standing] = []
    for each in standings:
        if each.lifts:
            found.append(each)
        elif each.wedge in left:
            left.remove(each.wedge)
            found.append(each)
        else:
            found.append(replace(each, lifts=clause))
    return [*found, *(Standing(wedge, clause) for wedge in left)]


def _suspended(
    world: World, deal: Agreement, after: Outcome, as_of: date
) -> tuple[dict[str, tuple[str, ...]], list[tuple[str, faces.Wedge]]]:
    """Clause -> the safeguards that suspend it, and what those that act sell from reserves or apply, as the outcome says."""
    here = schedule.setting(deal, world, as_of)
    pauses: dict[str, tuple[str, ...]] = {}
    sold: dict[str, list[tuple[str, faces.Wedge]]] = {}
    reserves = {clause.id: clause for clause in deal.reserve}
    for said in after.settings.get("safeguards", ()):
        if not said["met"]:
            continue
        for name in (*said["suspends"], *said["releases"]):
            pauses[name] = (*pauses.get(name, ()), said["clause"])
        for name in said["releases"]:  # of two that release one reserve the first does
            sold.setdefault(name, [(said["clause"], wedge) for wedge in reserves[name].released(here)])
        for name in said["applies"]:
            clause = next(each for each in deal.clauses if each.id == name)
            sold.setdefault(name, [(said["clause"], wedge) for wedge in clause.wedges(here)])
    return pauses, [each for rows in sold.values() for each in rows]
