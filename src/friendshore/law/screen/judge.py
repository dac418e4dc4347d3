"""Where do measures meet obligations, on what facts, and how surely?

Every obligation is held against every measure: does it bind the territory, does the act trigger it, what grade do the facts
give. A finding carries both arguments, the exceptions that may be pleaded and how far they go, and the leading disputes.
It is a screen, never a verdict: what it has not looked at is said beside what it has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from friendshore.law.screen.commitments import Commitments, Pledge, Power, Treaty
from friendshore.law.screen.facts import Fact, Hit, Partner, Value
from friendshore.law.screen.measures import EXPORTS, TINY, Levied, Measure, Row
from friendshore.law.screen.obligations import GRADES, RAISED, Dispute, Grade, Obligation, Standing, meets
from friendshore.law.screen.text import CONFIDENCE


@dataclass(frozen=True, slots=True)
class Defence:
    """An exception that may be pleaded, and how far it goes on these facts."""

    id: str
    article: str
    name: str
    standing: Standing
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Where a clause meets an obligation, for the territories on which the grade and the reason are the same."""

    clause: str
    clause_article: str
    clause_title: str
    act: str
    goods: tuple[str, ...]
    obligation: str
    name: str
    article: str
    bound: tuple[str, ...]
    grade: Grade
    because: str
    test: str
    facts: tuple[Fact, ...]
    argument_for: str
    argument_against: str
    defences: tuple[Defence, ...]
    disputes: tuple[Dispute, ...]
    changes: tuple[str, ...]
    repairs: tuple[str, ...]
    powers: tuple[Power, ...]
    confidence: str
    source: tuple[str, ...]
    note: str
    illustrative: bool
    partners: tuple[Partner, ...] = ()

    @property
    def raised(self) -> bool:
        """Whether it says that something may be wrong."""
        return self.grade in RAISED

    def document(self) -> dict[str, Any]:
        """The finding as plain JSON values."""
        return {
            "clause": self.clause,
            "clause_article": self.clause_article,
            "clause_title": self.clause_title,
            "act": self.act,
            "goods": list(self.goods),
            "obligation": self.obligation,
            "name": self.name,
            "article": self.article,
            "bound": list(self.bound),
            "grade": self.grade,
            "because": self.because,
            "test": self.test,
            "facts": [fact.document() for fact in self.facts],
            "argument_for": self.argument_for,
            "argument_against": self.argument_against,
            "defences": [
                {
                    "id": one.id,
                    "article": one.article,
                    "name": one.name,
                    "standing": one.standing,
                    "because": one.because,
                }
                for one in self.defences
            ],
            "disputes": [
                {
                    "id": one.id,
                    "title": one.title,
                    "outcome": one.outcome,
                    "year": one.year,
                    "status": one.status,
                    "confidence": one.confidence,
                    "source": list(one.source),
                }
                for one in self.disputes
            ],
            "changes": list(self.changes),
            "repairs": list(self.repairs),
            "powers": [
                {
                    "party": one.party,
                    "level": one.level,
                    "may": one.may,
                    "by": one.by,
                    "statute": one.statute,
                    "lead_time": one.lead_time,
                    "confidence": one.confidence,
                }
                for one in self.powers
            ],
            "confidence": self.confidence,
            "confidence_means": CONFIDENCE[self.confidence],
            "source": list(self.source),
            "note": self.note,
            "partners": [one.document() for one in self.partners],
            "illustrative": self.illustrative,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Screening:
    """The findings on one day, what was looked at without a finding, and what was not looked at."""

    title: str
    day: date
    party: str | None
    findings: tuple[Finding, ...]
    untouched: tuple[str, ...]
    outside: tuple[str, ...]
    not_examined: tuple[str, ...]
    levies: tuple[Levied, ...] = ()
    hits: tuple[Hit, ...] = ()
    powers: tuple[Power, ...] = ()  # of the party whose view it is, whether or not the agreement uses them
    sources: tuple[tuple[str, str], ...] = ()
    unions: tuple[str, ...] = ()  # parties that a customs union keeps from a clause

    def count(self, grade: Grade) -> int:
        """How many findings have a grade."""
        return sum(finding.grade == grade for finding in self.findings)

    def document(self) -> dict[str, Any]:
        """The screening as plain JSON values."""
        return {
            "title": self.title,
            "as_of": self.day.isoformat(),
            "party": self.party,
            "findings": [finding.document() for finding in self.findings],
            "grades": {grade: self.count(grade) for grade in GRADES},
            "sources": dict(self.sources),
            "levies": [row.document() for row in self.levies],
            "hits": [row.document() for row in self.hits],
            "may_do": [
                {
                    "party": one.party,
                    "level": one.level,
                    "acts": list(one.acts),
                    "may": one.may,
                    "by": one.by,
                    "statute": one.statute,
                    "lead_time": one.lead_time,
                    "note": one.note,
                    "confidence": one.confidence,
                }
                for one in self.powers
            ],
            "untouched": list(self.untouched),
            "outside": list(self.outside),
            "unions": list(self.unions),
            "not_examined": list(self.not_examined),
            "not_legal_advice": True,
        }


@dataclass(frozen=True, kw_only=True)
class Bench:
    """What the screen judges with: the obligations and disputes, the commitments, the day, the names and homes of countries."""

    obligations: Mapping[str, Obligation]
    disputes: Mapping[str, Dispute]
    commitments: Commitments
    day: date
    name: Callable[[str], str] = str
    home: Callable[[str], str] = str
    mineral: Callable[[str], str] = str
    codes: Callable[[str], tuple[str, ...]] = lambda good: ()


def judge(
    measures: Iterable[Measure], bench: Bench, *, party: str | None = None
) -> tuple[tuple[Finding, ...], tuple[str, ...]]:
    """Hold every obligation against every measure.

    Parameters
    ----------
    measures : acts with their facts, as `measures.measures` or a case file makes them
    party : only the territory of this country or union; all of them if None

    Returns
    -------
    findings   the worst grade first, then in the order of clauses
    untouched  ids of the obligations that no measure triggers
    """
    found: list[Finding] = []
    touched: set[str] = set()
    for measure in measures:
        for obligation in bench.obligations.values():
            if obligation.kind == "cover" or not _triggers(obligation, measure):
                continue
            touched.add(obligation.id)
            if party is not None and measure.territory != party:
                continue
            if (finding := _finding(obligation, measure, bench)) is not None:
                found.append(finding)
    rules = [key for key, one in bench.obligations.items() if one.kind == "obligation"]
    return _ordered(_merged(found)), tuple(key for key in rules if key not in touched)


def sources_of(found: Iterable[Finding], commitments: Commitments) -> tuple[tuple[str, str], ...]:
    """The sources that facts name by an id, with publisher and title, in the order of the table."""
    named = {
        part for one in found for fact in one.facts for word in fact.source.split("; ") for part in word.split("+")
    }
    return tuple((key, title) for key, title in commitments.sources.items() if key in named)


def _triggers(obligation: Obligation, measure: Measure) -> bool:
    values = measure.values
    return any(measure.touches in one.touches and meets(one.when, values) for one in obligation.trigger)


def _finding(obligation: Obligation, measure: Measure, bench: Bench) -> Finding | None:
    """The finding of one obligation on one measure; None where it does not bind the territory."""
    if not _binds(obligation, measure.territory, bench):
        return None
    values: dict[str, Value] = measure.values
    facts = {fact.name: fact for fact in measure.facts}
    partners: tuple[Partner, ...] = ()
    if obligation.promised is not None or obligation.agreement is not None:
        partners = _partners(obligation, measure, bench)
        if not partners and "partners_hit" not in values:
            return None
        for fact in _partner_facts(measure.territory, partners, bench) if partners else ():
            values.setdefault(fact.name, fact.value)
            facts.setdefault(fact.name, fact)
    grading = next(case for case in obligation.grades if meets(case.when, values))
    shown = [facts[name] for name in obligation.facts if name in facts and facts[name].text]
    return Finding(
        clause=measure.clause,
        clause_article=measure.article,
        clause_title=measure.title,
        act=measure.touches,
        goods=measure.goods,
        obligation=obligation.id,
        name=obligation.name,
        article=obligation.article,
        bound=(measure.territory,),
        grade=grading.grade,
        because=grading.because,
        test=obligation.test,
        facts=tuple(shown),
        argument_for=obligation.argument_for,
        argument_against=obligation.argument_against,
        defences=tuple(_defence(bench.obligations[name], values) for name in obligation.defences),
        disputes=tuple(bench.disputes[name] for name in obligation.disputes),
        changes=obligation.changes,
        repairs=obligation.repairs,
        powers=bench.commitments.power(measure.territory, measure.touches),
        confidence=obligation.confidence,
        source=obligation.source,
        note=obligation.note,
        illustrative=measure.illustrative,
        partners=partners,
    )


def _binds(obligation: Obligation, territory: str, bench: Bench) -> bool:
    return any(
        word == "everyone"
        or word == territory
        or (word == "wto_members" and bench.commitments.is_member(territory, bench.day))
        for word in obligation.binds
    )


def _defence(cover: Obligation, values: Mapping[str, Value]) -> Defence:
    case = next(case for case in cover.stands if meets(case.when, values))
    return Defence(cover.id, cover.article, cover.name, case.standing, case.because)


def _partners(obligation: Obligation, measure: Measure, bench: Bench) -> tuple[Partner, ...]:
    """With whom an agreement is in force that promises what the obligation names, and the trade the measure burdens: those
    who pay more first, then those who trade, by value."""
    who, held = measure.territory, bench.commitments
    minerals = {bench.mineral(good) for good in measure.goods}
    reached: dict[str, tuple[Treaty, Pledge | None]] = {}
    for code in sorted({bench.home(country) for country in measure.burdened}):
        for treaty in held.between(who, code, bench.day):
            if obligation.agreement is not None and treaty.id != obligation.agreement:
                continue
            pledge = treaty.pledge(obligation.promised) if obligation.promised is not None else None
            if obligation.promised is not None and (pledge is None or pledge.holds not in ("yes", "in part")):
                continue
            if obligation.promised == "zero_duty" and _excluded(who, code, measure, bench):
                continue
            if any(treaty.covers(mineral) for mineral in minerals):
                reached.setdefault(code, (treaty, pledge))  # agreements that were read stand first
    usd: dict[str, float] = dict.fromkeys(reached, 0.0)
    tonnes: dict[str, float] = dict.fromkeys(reached, 0.0)
    traded: set[str] = set(reached) if measure.stated else set()
    levied: set[str] = set()
    for row in measure.rows:
        other = bench.home(_other_end(measure, row))
        if other in reached and reached[other][0].covers(bench.mineral(row.good)):
            usd[other] += row.before_t * row.value_usd_t
            tonnes[other] += row.before_t
            traded |= {other} if row.base_t > TINY else set()
            levied |= {other} if row.duty_after_pct > row.duty_before_pct + 1e-6 and row.base_t > TINY else set()
    found = [
        Partner(
            territory=who,
            code=code,
            agreement=treaty.id,
            name=treaty.name,
            article=pledge.article if pledge is not None else "",
            since=_since(treaty, who, code).isoformat(),
            holds=pledge.holds if pledge is not None else "",
            confidence=pledge.confidence if pledge is not None else "",
            note=pledge.note if pledge is not None else "",
            trades=code in traded,
            levied=code in levied,
            usd=usd[code],
            t=tonnes[code],
        )
        for code, (treaty, pledge) in reached.items()
    ]
    return tuple(sorted(found, key=lambda one: (not one.levied, not one.trades, -one.usd, one.code)))


def _partner_facts(who: str, partners: tuple[Partner, ...], bench: Bench) -> tuple[Fact, ...]:
    named = "; ".join(_partner(one, bench) for one in partners[:8])
    more = f"; and {len(partners) - 8} more without trade" if len(partners) > 8 else ""
    if sum(one.trades for one in partners) > 8:
        more = f"; and {len(partners) - 8} more"
    traded, levied = sum(one.trades for one in partners), sum(one.levied for one in partners)
    usd = sum(one.usd for one in partners)
    return (
        Fact(
            "partners_hit",
            who,
            float(len(partners)),
            f"{len(partners)} partners: {named}{more}",
            "agreements",
            tuple(sorted(one.code for one in partners)),
        ),
        Fact("partners_trading", who, float(traded), f"{traded} of them trade the goods", "world"),
        Fact("partners_levied", who, float(levied), f"{levied} of them pay more in the cleared market", "market"),
        Fact("partners_usd", who, usd, f"trade with them {_money(usd)} a year", "market"),
    )


def _excluded(who: str, partner: str, measure: Measure, bench: Bench) -> bool:
    """Whether the schedule of the territory, where it was read, leaves all goods of the measure out for a partner."""
    read = [bench.commitments.line(who, partner, bench.codes(good)) for good in measure.goods]
    return bool(read) and all(line == "no" for line in read)


def _other_end(measure: Measure, row: Row) -> str:
    return row.importer if measure.touches in EXPORTS else row.exporter


def _since(treaty: Treaty, *territories: str) -> date:
    """The day from which an agreement holds between its parties."""
    return max([treaty.since, *(start for who in territories if (start := treaty.parties.get(who)) is not None)])


def _partner(one: Partner, bench: Bench) -> str:
    article = f", {one.article}" if one.article else ""
    mark = f" [{one.confidence}]" if one.confidence else ""
    trade = f", {_money(one.usd)}" if one.usd > 0 else ""
    return (
        f"{bench.name(one.code)} ({one.name}{article}{mark}, in force since {one.since}{trade}"
        f"{', levied' if one.levied else ''})"
    )


def _money(usd: float) -> str:
    return f"{usd / 1e6:,.1f} m USD" if usd >= 1e5 else f"{usd / 1e3:,.1f} k USD"


def _merged(found: Iterable[Finding]) -> list[Finding]:
    """One finding where clause, obligation, act, grade and reason are the same; the facts keep their territory."""
    merged: dict[tuple[str, str, str, str, str, tuple[Defence, ...]], Finding] = {}
    for one in found:
        key = (one.clause, one.obligation, one.act, one.grade, one.because, one.defences)
        if key not in merged:
            merged[key] = one
            continue
        held = merged[key]
        merged[key] = replace(
            held,
            bound=tuple(dict.fromkeys((*held.bound, *one.bound))),
            goods=tuple(dict.fromkeys((*held.goods, *one.goods))),
            facts=(*held.facts, *one.facts),
            powers=tuple(dict.fromkeys((*held.powers, *one.powers))),
            partners=(*held.partners, *one.partners),
        )
    return list(merged.values())


def _ordered(found: list[Finding]) -> tuple[Finding, ...]:
    order = {grade: number for number, grade in enumerate(GRADES)}
    return tuple(sorted(found, key=lambda one: order[one.grade]))
