"""An agreement's clauses as dated measures of tariff databases: for each territory, good, origins and time what is charged.

Terms are asked of the agreement on the days on which they can change. The layout of the tables is left to `border.measures`.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel

from friendshore.agreement import safeguards, schedule
from friendshore.border import measures
from friendshore.border.measures import Act, Condition, Dated, Rule, Words
from friendshore.border.publication import Ladder
from friendshore.customs import published_ladder, shipped_as_measured
from friendshore.errors import InputRefused
from friendshore.faces import Ban, Duty, ExportTax, PriceGap, Quota, Wedge
from friendshore.instruments import KINDS
from friendshore.instruments import names as names_of
from friendshore.instruments.clause import Clause
from friendshore.instruments.dates import after
from friendshore.instruments.export_control import ExportControl
from friendshore.instruments.names import iso_names, members, unions, vocabulary
from friendshore.instruments.price_floor import PriceFloor
from friendshore.units import decimal

if TYPE_CHECKING:
    from friendshore.agreement.document import Agreement
    from friendshore.world.tables import World

Stages = Literal["day", "month", "quarter", "year"]
MONTHS = {"month": 1, "quarter": 3, "year": 12}
ONE_DAY = timedelta(days=1)
ONE, NOUGHT = Decimal(1), Decimal(0)
REASONS = {
    "subsidies": "paid to producers inside; nothing is owed at a border",
    "standards": "a price that buyers pay for goods of a standard; nothing is owed at a border",
    "offtakes": "a purchase between a buyer and a seller; nothing is owed at a border",
    "reserve": "what a public stock buys and sells; nothing is owed at a border",
    "corridors": "a way that saves freight; nothing is owed at a border",
    "plants": "capacity that is built; nothing is owed at a border",
    "safeguards": "suspends or applies other clauses by a decision of the day, entered as the end or beginning of theirs",
}


@dataclass(frozen=True, slots=True)
class Exported:
    """The tables, and what was asked: the days, and how moving terms were staged."""

    tables: measures.Tables
    first: date
    last: date | None
    staged: int


def export(
    world: World,
    deal: Agreement,
    *,
    as_of: date | None = None,
    first: date | None = None,
    last: date | None = None,
    stages: Stages = "year",
    reference: Path | None = None,
) -> Exported:
    """Every measure of an agreement.

    Parameters
    ----------
    as_of : the measures in force on one day, with its terms; those whose terms move are valid on that day alone
    first, last : the days to be covered; from the first day of any term, open-ended, if absent
    stages : the step in which terms that move by the day are written, each with the terms of its first day
    reference : folder of published reference prices, which clauses of method `published` take

    Raises
    ------
    InputRefused   days that run backwards
    """
    deal = deal.checked(world)
    ladder = published_ladder(reference) if reference is not None else Ladder(())
    asked = _Asked(deal, world, ladder)
    turns = sorted({*_turns(deal, world), *(day for day in ladder.turns if day > deal.in_force)})
    start, end = as_of or first or _begins(deal), as_of or last
    if end is not None and end < start:
        hint = "" if first else f"{deal.id} begins on {start}; or name a first day with --from"
        raise InputRefused.because("dates-backwards", f"ends {end}, before it begins {start}", path="--to", hint=hint)
    periods = list(_periods(asked, turns, start, end, stages)) if as_of is None else _on_a_day(asked, turns, as_of)
    found = _joined(periods)
    codes = dict(world.goods.select("id", "hs6").iter_rows())
    names = dict(world.goods.select("id", "name").iter_rows())
    words = Words(
        codes={good: tuple(sorted(filter(None, (held or "").split("+")))) for good, held in codes.items()},
        goods={good: name or good for good, name in names.items()},
        gross=asked.gross,
        alpha2=_alpha2(),
        countries=iso_names(),
    )
    shown = {each.rule.clause for each in found}
    act = Act(
        id=deal.id, title=deal.title, version=deal.version, digest=deal.digest, in_force=deal.in_force,
        notes={clause.id: tuple(_notes(clause, deal)) for clause in deal.clauses},
        others=tuple(_others(deal, shown, start, end)),
    )  # fmt: skip
    return Exported(measures.tables(found, words, act), start, end, sum(1 for each in found if each.stage))


# -- days ------------------------------------------------------------------------------------------------------------


def _begins(deal: Agreement) -> date:
    """The first day of any clause that a border knows."""
    kinds = (kind for kind in KINDS if kind not in REASONS)
    clauses = (clause for kind in kinds for clause in getattr(deal, kind))
    return min((clause.enters_into_force or deal.in_force for clause in clauses), default=deal.in_force)


def _turns(deal: Agreement, world: World) -> list[date]:
    """The days on which terms can change: those written anywhere, the days after a last one, and the ends of phase-ins."""
    found = {deal.in_force, *_written(deal.parties), *_written(deal.clauses)}
    starts = {deal.in_force}
    starts |= {party.enters_into_force for party in deal.parties if party.enters_into_force}
    starts |= {clause.enters_into_force for clause in deal.clauses if clause.enters_into_force}
    spans = {clause.months for clause in deal.clauses} | {party.phase_in or 0 for party in deal.parties}
    for clause in deal.clauses:
        starts |= {party.enters_into_force for party in clause.parties or () if party.enters_into_force}
        spans |= {party.phase_in or 0 for party in clause.parties or ()}
    found |= {after(day, months) for day in starts for months in spans if months}
    if deal.trade_area:  # what a preference leaves of the duty before it moves with that duty
        for column, more in (("starts", 0), ("ends", 1)):
            days = world.measures[column].drop_nulls().to_list()
            found |= {date.fromisoformat(day) + more * ONE_DAY for day in days if day and day > str(deal.in_force)}
    return sorted(found)


def _written(value: Any, key: str = "") -> Iterator[date]:
    """Every date in a term; the day after where it is a last one."""
    if isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _written(getattr(value, name), name)
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _written(item, key)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _written(item, key)
    elif isinstance(value, date):
        yield value + ONE_DAY if key in ("ends", "until") else value


def _periods(asked: _Asked, turns: list[date], first: date, last: date | None, stages: Stages) -> Iterator[Dated]:
    """Rules from turn to turn; where terms move between two turns, in stages."""
    days = sorted({first, *(day for day in turns if day > first and (last is None or day <= last))})
    for place, day in enumerate(days):
        ends = days[place + 1] - ONE_DAY if place + 1 < len(days) else last
        at_end = day if ends is None else ends
        if asked.rules(day) == asked.rules(at_end):
            yield from (Dated(rule=rule, starts=day, ends=ends) for rule in asked.rules(day))
            continue
        steady = asked.rules(day) & asked.rules(at_end)
        yield from (Dated(rule=rule, starts=day, ends=ends) for rule in steady)
        for begins, stops in _staged(day, at_end, stages):
            text = "" if begins == stops else f"moves by the day to {stops}; terms of {begins}"
            moving = asked.rules(begins) - steady
            yield from (Dated(rule=rule, starts=begins, ends=stops, stage=text) for rule in moving)


def _staged(first: date, last: date, stages: Stages) -> Iterator[tuple[date, date]]:
    day, number = first, 0
    while day <= last:
        number += 1
        following = day + ONE_DAY if stages == "day" else after(first, number * MONTHS[stages])
        yield day, min(following - ONE_DAY, last)
        day = following


def _on_a_day(asked: _Asked, turns: list[date], day: date) -> list[Dated]:
    """The rules of a day; each valid while its terms stand, or on the day alone where they move."""
    before = max((turn for turn in turns if turn <= day), default=day)
    following = min((turn for turn in turns if turn > day), default=None)
    ends = following - ONE_DAY if following is not None else None
    still = asked.rules(before) & (asked.rules(ends) if ends is not None else asked.rules(day))
    return [
        Dated(rule=rule, starts=before, ends=ends)
        if rule in still
        else Dated(rule=rule, starts=day, ends=day, stage=f"moves by the day; terms of {day}")
        for rule in asked.rules(day)
    ]


def _joined(periods: Iterable[Dated]) -> list[Dated]:
    """Periods of one rule that follow one another, as one."""
    by_rule: dict[tuple[Rule, str], list[Dated]] = {}
    for each in periods:
        by_rule.setdefault((each.rule, each.stage), []).append(each)
    found: list[Dated] = []
    for held in by_rule.values():
        held.sort(key=lambda each: each.starts)
        last = held[0]
        for each in held[1:]:
            if last.ends is not None and each.starts == last.ends + ONE_DAY:
                last = replace(last, ends=each.ends)
            else:
                found.append(last)
                last = each
        found.append(last)
    return found


# -- rules -----------------------------------------------------------------------------------------------------------


class _Asked:
    """What the agreement charges on a day, as rules; each day is asked once."""

    def __init__(self, deal: Agreement, world: World, ladder: Ladder) -> None:
        self.deal, self.world, self.ladder = deal, world, ladder
        words = vocabulary(world)
        self.own = frozenset(words.countries) - words.remainders
        self.remainders, self.iso = words.remainders, frozenset(iso_names())
        self.union = {member: union for union in sorted(unions()) for member in unions()[union]}
        self.gross = shipped_as_measured(world)
        self.rules = cache(self._rules)

    def _rules(self, day: date) -> frozenset[Rule]:
        prices = {good: held.usd_t for good, held in self.ladder.on(day).items()}
        here = schedule.setting(self.deal, self.world, day, published=prices)
        inside = here.insiders()
        found: list[Rule] = []
        asleep = schedule.dormant(self.deal)
        for clause in (each for each in self.deal.clauses if each.id not in asleep):
            for duty in clause.duties(here):
                found += self._duty(duty, inside)
            for wedge in clause.wedges(here) if isinstance(clause, PriceFloor | ExportControl) else ():
                if isinstance(wedge, PriceGap) and wedge.exporter_share == 1.0:
                    found += self._least(wedge)
                elif isinstance(clause, ExportControl):
                    found += self._control(wedge)
        return frozenset(_once(found))

    def _duty(self, duty: Duty, inside: frozenset[str]) -> Iterator[Rule]:
        for territory, origins in self._borders(duty.importers, duty.exporters):
            same: dict[str, Any] = {
                "territory": territory, "movement": "import", "good": duty.good, "origins": origins,
                "clause": duty.clause, "article": duty.article,
            }  # fmt: skip
            if duty.reference_usd_t is not None:
                on_cif = duty.levy_on == "cif"
                text, conditions = measures.levy(duty.reference_usd_t, on_cif)
                same |= {"type": "652", "expression": text, "factor": duty.phase}
                yield Rule(**same, conditions=conditions)
                unproven = self._origins(inside - duty.exporters, territory) - origins
                if unproven:  # a party's goods without proof are charged as goods from outside
                    spared = measures.proven(action="07", otherwise="27")
                    yield Rule(**(same | {"origins": unproven}), conditions=(*spared, *conditions))
                continue
            text, parts = measures.duty(duty.rate or NOUGHT, duty.specific_usd_t or NOUGHT)
            if duty.quota_t is not None:
                kind = "143" if origins <= inside else "122"
                yield Rule(**same, type=kind, expression=text, components=parts, quota_t=duty.quota_t)
                text, parts = measures.duty(duty.rate_beyond or NOUGHT, NOUGHT)
                yield Rule(**same, type="103", expression=text, components=parts)
            elif not duty.replaces:
                yield Rule(**same, type="695", expression=text, components=parts)
            elif duty.left:
                proof = measures.proven(action="27", otherwise="07")
                yield Rule(**same, type="142", expression="MFN", factor=duty.left, conditions=proof)
            elif origins <= inside:
                proof = measures.proven(action="27", otherwise="07")
                yield Rule(**same, type="142", expression=text, components=parts, conditions=proof)
            else:
                yield Rule(**same, type="103", expression=text, components=parts)

    def _least(self, gap: PriceGap) -> Iterator[Rule]:
        reference = decimal(gap.reference_usd_t)
        for territory, origins in self._borders(gap.lane.importers, gap.lane.exporters):
            yield Rule(
                territory=territory, movement="import", type="475", good=gap.lane.good, origins=origins,
                clause=gap.clause, article=self._article(gap.clause), factor=decimal(gap.phase),
                conditions=measures.least(reference, gap.levy_on == "cif"),
            )  # fmt: skip

    def _control(self, wedge: Wedge) -> Iterator[Rule]:
        if not isinstance(wedge, Ban | Quota | ExportTax):
            return
        if isinstance(wedge, ExportTax) and not wedge.adds:  # a promise to have none
            return
        lane = wedge.lane
        for territory, targets in self._borders(lane.exporters, lane.importers):
            same: dict[str, Any] = {
                "territory": territory, "movement": "export", "good": lane.good, "origins": targets,
                "clause": wedge.clause, "article": self._article(wedge.clause),
            }  # fmt: skip
            if isinstance(wedge, ExportTax):
                text, parts = measures.duty(decimal(wedge.rate), decimal(wedge.specific_usd_t))
                yield Rule(**same, type="XED", expression=text, components=parts)
            elif isinstance(wedge, Ban) or not wedge.tonnes:
                yield Rule(**same, type="278")
            else:
                licensed = (
                    Condition(code="B", certificate=measures.LICENCE, action="25"),
                    Condition(code="B", action="05"),
                )
                yield Rule(**same, type="476", conditions=licensed, quota_t=decimal(wedge.tonnes))

    def _borders(self, here: frozenset[str], abroad: frozenset[str]) -> Iterator[tuple[str, frozenset[str]]]:
        """Each territory of some countries, and the countries that others stand for, beyond its border."""
        for territory in sorted({self.union.get(code, code) for code in here & self.own}):
            if others := self._origins(abroad, territory):
                yield territory, others

    def _origins(self, codes: frozenset[str], territory: str) -> frozenset[str]:
        """Countries as a declaration names them: those of the world, and all others where the rest of it is meant."""
        found = codes & self.own
        if self.remainders and self.remainders <= codes:
            found |= self.iso - self.own
        return (found & self.iso) - members(territory)

    def _article(self, clause: str) -> str:
        return next(each.article for each in self.deal.clauses if each.id == clause)


def _once(rules: Iterable[Rule]) -> list[Rule]:
    """Rules alike but for their origins, as one: lanes of one clause that the agreement keeps apart. Quotas stay apart."""
    found: dict[Rule, set[str]] = {}
    quotas = []
    for rule in rules:
        if rule.quota_t is not None:
            quotas.append(rule)
            continue
        found.setdefault(replace(rule, origins=frozenset()), set()).update(rule.origins)
    return [*quotas, *(replace(rule, origins=frozenset(origins)) for rule, origins in found.items())]


def _notes(clause: Clause, deal: Agreement) -> Iterator[str]:
    """What a database should tell beside the measure."""
    if clause.title:
        yield clause.title
    if clause.illustrative:
        yield f"Illustrative level: {clause.rule}"
    if clause.note:
        yield clause.note
    for item in getattr(clause, "default_content", ()):
        part = f"{item.content.normalize():f} of {item.of}"
        yield f"Without an assay, goods of {item.hs} are taken to hold {part} ({item.article})."
    for guard in deal.safeguards:
        if clause.id in safeguards.suspended_by(guard, deal):
            yield f"May be suspended for {guard.lasts} months by {guard.id}: {guard.when.words()}."
    if clause.source:
        yield f"Sources: {'; '.join(deal.sources[key].title for key in clause.source if key in deal.sources)}"


def _others(deal: Agreement, shown: set[str], first: date, last: date | None) -> Iterator[tuple[str, str, str, str]]:
    """The clauses that are no measure of a tariff database, each with its reason."""
    for kind in KINDS:
        for clause in getattr(deal, kind):
            if clause.id not in shown:
                yield clause.id, kind, clause.article, _reason(kind, clause, deal, first, last)


def _reason(kind: str, clause: Clause, deal: Agreement, first: date, last: date | None) -> str:
    if clause.id in schedule.dormant(deal):
        guards = ", ".join(guard.id for guard in deal.safeguards if clause.id in guard.then.apply)
        return f"holds only while {guards} is acted on, by a decision of the day"
    if kind in REASONS:
        return REASONS[kind]
    if isinstance(clause, ExportControl) and clause.mode == "prohibited_between_parties":
        return "a promise to have no export measure against another party: what there is, is ended; nothing is entered"
    when = f"on {first}" if first == last else f"from {first}" + (f" to {last}" if last else "")
    return f"reaches nobody {when}"


@cache
def _alpha2() -> dict[str, str]:
    with (Path(names_of.__file__).parent / "countries.csv").open(encoding="utf-8", newline="") as file:
        return {row["alpha3"]: row["alpha2"] for row in csv.DictReader(file)}
