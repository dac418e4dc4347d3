"""The law at the border for one agreement and one world: schedules, clauses, names and rates put together for `border`.

`border` knows no agreement and `agreement` no border; this module hands the one's duties to the other.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from friendshore.agreement import safeguards, schedule
from friendshore.border import declared_price, publication, quota_use, state, tariff
from friendshore.border import rates as exchange
from friendshore.border.declared_price import PriceTest
from friendshore.border.publication import Ladder
from friendshore.border.terms import Law
from friendshore.errors import InputRefused
from friendshore.faces import Content, Duty, PriceGap
from friendshore.instruments.names import iso_names, unions, vocabulary
from friendshore.instruments.price import PublishedPrice, stated
from friendshore.instruments.price_floor import PriceFloor
from friendshore.units import decimal

if TYPE_CHECKING:
    from friendshore.agreement.document import Agreement
    from friendshore.world.tables import World

UNPUBLISHED = "no price published for the day is at hand: the clause's own holds"
ELEMENT = re.compile(r"t [A-Z][a-z]?")  # the unit of a good that is counted by an element it holds


def law(
    world: World,
    deal: Agreement | None = None,
    *,
    as_of: date | None = None,
    tariffs: Iterable[Path] = (),
    rates: Path | None = None,
    states: Path | None = None,
    values: Path | None = None,
    reference: Path | None = None,
    quota_used: Path | None = None,
) -> Law:
    """What says how much a line owes.

    Parameters
    ----------
    world : goods, codes, contents, duty bases
    deal : the agreement; none for the schedules alone
    as_of : the day whose law applies to every line; each line's own day if absent
    tariffs : the user's own measures, in place of the shipped ones of the same territories
    rates : CSV of exchange rates with currency, day and usd
    values : CSV of test values for prices between related parties
    states : CSV of decisions by which safeguards are acted on and clauses suspended; none taken if absent
    quota_used : CSV of what came in under the agreement's quotas before the entries; nothing known of it if absent
    reference : folder of published reference prices, which clauses of method `published` take

    Raises
    ------
    InputRefused   a file that cannot be read; prices published on another basis than the border's
    """
    words = vocabulary(world)
    bound = deal.checked(world) if deal is not None else None
    guards = _guards(bound) if bound is not None else {}
    decided = state.read(states, guards, [each.id for each in bound.clauses] if bound else ()) if states else ()

    articles = {clause.id: clause.article or "" for clause in bound.clauses} if bound is not None else {}
    ladder = published_ladder(reference) if reference is not None else Ladder(())

    @cache
    def prices(day: date) -> dict[str, Decimal]:
        return {good: each.usd_t for good, each in ladder.on(day).items()}

    @cache
    def published(day: date) -> dict[str, str]:
        return _published(bound, world, ladder, day) if bound is not None else {}

    @cache
    def unpublished(day: date) -> frozenset[str]:
        return frozenset(clause for clause, words in published(day).items() if words == UNPUBLISHED)

    @cache
    def agreed(day: date) -> tuple[Duty, ...]:
        if bound is None:
            return ()
        also = state.applied(decided, guards, day)
        held = schedule.duties(safeguards.awake(bound, also), world, day, published=prices(day))
        return tuple(_cited(duty, also[duty.clause]) if duty.clause in also else duty for duty in held)

    @cache
    def gaps(day: date) -> tuple[PriceGap, ...]:
        if bound is None:
            return ()
        awake = safeguards.awake(bound, state.applied(decided, guards, day))
        held = schedule.wedges(awake, world, day, published=prices(day))
        return tuple(each for each in held if isinstance(each, PriceGap))

    @cache
    def off(day: date) -> dict[str, str]:
        return state.paused(decided, guards, day)

    @cache
    def duties(day: date) -> tuple[Duty, ...]:
        return tuple(duty for duty in agreed(day) if duty.clause not in off(day))

    @cache
    def paused(day: date) -> tuple[tuple[Duty, str], ...]:
        if not off(day):
            return ()
        least = [_as_duty(gap, articles[gap.clause]) for gap in gaps(day) if gap.exporter_share == 1.0]
        return tuple((duty, off(day)[duty.clause]) for duty in (*agreed(day), *least) if duty.clause in off(day))

    @cache
    def floors(day: date) -> tuple[PriceGap, ...]:
        return tuple(gap for gap in gaps(day) if gap.clause not in off(day))

    @cache
    def parties(day: date) -> frozenset[str]:
        return schedule.setting(bound, world, day).insiders() if bound is not None else frozenset()

    territories = world.territories.select("code", "duty_base")
    return Law(
        tariff=tariff.load(tariffs),
        iso=frozenset(iso_names()),
        countries=frozenset(words.countries) - words.remainders,
        remainders=words.remainders,
        duties=duties,
        floors=floors,
        paused=paused,
        published=published,
        unpublished=unpublished,
        articles=articles,
        contents=_contents(bound, world) if bound is not None else {},
        parties=parties,
        unions={member: union for union in sorted(unions()) for member in unions()[union]},
        fob=frozenset(code for code, base in territories.iter_rows() if base == "fob"),
        codes=_codes(world),
        goods=frozenset(words.goods),
        substances=dict(words.substances),
        gross=shipped_as_measured(world),
        rates=exchange.read(rates) if rates is not None else {},
        price_tests=_price_tests(bound, world) if bound is not None else {},
        values=declared_price.read(values) if values is not None else (),
        quota_used=quota_use.read(quota_used, _quotas(bound)) if quota_used is not None else {},
        as_of=as_of,
    )


def _quotas(deal: Agreement | None) -> list[str]:
    """Ids of an agreement's tariff-rate quotas."""
    return [clause.id for clause in deal.tariff_quotas] if deal is not None else []


def _price_tests(deal: Agreement, world: World) -> dict[str, PriceTest]:
    """How each floor compares prices: the grade it is quoted for in the good's own unit, and what it asks of related parties."""
    setting = schedule.setting(deal, world, deal.in_force)
    found: dict[str, PriceTest] = {}
    for clause in deal.clauses:
        if not isinstance(clause, PriceFloor) or (clause.grade is None and clause.related_parties is None):
            continue
        grade, related, good = clause.grade, clause.related_parties, setting.good(clause.good)
        content = setting.content(grade.of, good) if grade else None
        found[clause.id] = PriceTest(
            grade=grade.assay * content if grade and content else None,
            usd_t_point=grade.per_point(content) if grade and content else Decimal(0),
            within=related.within if related else None,
            grade_article=grade.article if grade else "",
            related_article=related.article if related else "",
        )
    return found


def _guards(deal: Agreement) -> dict[str, state.Guard]:
    """The agreement's safeguards, as the border needs them."""
    return {
        guard.id: state.Guard(
            pauses=frozenset(safeguards.suspended_by(guard, deal)),
            applies=frozenset(guard.then.apply),
            months=guard.lasts,
            first=guard.enters_into_force or deal.in_force,
            last=guard.ends,
        )
        for guard in deal.safeguards
    }


def shipped_as_measured(world: World) -> frozenset[str]:
    """Products counted in tonnes of themselves, such as magnets; those counted in tonnes of an element need an assay."""
    goods = world.goods.select("id", "stage", "unit").iter_rows()
    return frozenset(good for good, stage, unit in goods if stage == "product" and not ELEMENT.fullmatch(unit or ""))


def _contents(deal: Agreement, world: World) -> dict[str, tuple[Content, ...]]:
    """What minimum import prices, which make no duty, take goods without an assay to hold."""
    here = schedule.setting(deal, world, deal.in_force)
    floors = (floor for floor in deal.floors if floor.default_content and floor.form == "minimum_import_price")
    return {floor.id: floor.contents(here) for floor in floors}


def _cited(duty: Duty, decision: str) -> Duty:
    """A duty with the decision by which it holds beside its article."""
    return replace(duty, article="; ".join(filter(None, (duty.article, decision))))


def _as_duty(gap: PriceGap, article: str) -> Duty:
    """A minimum import price as the duty that it would be: which goods it reaches, and at what price."""
    return Duty(
        clause=gap.clause, article=article, good=gap.lane.good, exporters=gap.lane.exporters, importers=gap.lane.importers,
        reference_usd_t=decimal(gap.reference_usd_t),
    )  # fmt: skip


def published_ladder(folder: Path) -> Ladder:
    """The publications of a folder, refused where they are no prices at the port of import."""
    ladder = publication.load(folder)
    if "fob" in ladder.deliveries:
        hint = "publish with a rule whose delivery is cif"
        message = f"{folder.name}: prices fob, where the levy compares with cif or the landed price"
        raise InputRefused.because("wrong-basis", message, path="--reference", hint=hint)
    return ladder


def _published(deal: Agreement, world: World, ladder: Ladder, day: date) -> dict[str, str]:
    """Clause -> where its reference price was published, for the clauses that take a published one."""
    here, prices = schedule.setting(deal, world, day), ladder.on(day)
    found: dict[str, str] = {}
    for clause in deal.floors:
        if isinstance(stated(clause.reference_price, day), PublishedPrice):
            held = prices.get(here.good(clause.good))
            found[clause.id] = held.words if held else UNPUBLISHED
    return found


def _codes(world: World) -> dict[str, tuple[str, ...]]:
    """HS6 -> the goods that trade under it."""
    found: dict[str, list[str]] = {}
    for good, codes in world.goods.select("id", "hs6").iter_rows():
        for code in (codes or "").split("+"):
            if code:
                found.setdefault(code, []).append(good)
    return {code: tuple(sorted(goods)) for code, goods in found.items()}
