"""An agreement before the screen: its promises, two cleared markets and the commitments, brought together.

Clears the status quo and the agreement on the same day, asks the schedule what the clauses promise and how they phase in,
and hands all of it to the screen. Judging is left to `law.screen`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from friendshore.agreement import schedule
from friendshore.errors import InputRefused
from friendshore.faces import Promise, Wedge
from friendshore.instruments.clause import Clause, Setting
from friendshore.instruments.names import union_names, union_of
from friendshore.law.screen.case import is_case, judge_case, read_case
from friendshore.law.screen.commitments import Power
from friendshore.law.screen.judge import Bench, Finding, Screening, judge, sources_of
from friendshore.law.screen.law import Law, shipped
from friendshore.law.screen.measures import Market, hits, levies, measures
from friendshore.law.screen.text import DATA
from friendshore.marked import noted, read_marked
from friendshore.outcome import Outcome
from friendshore.run import DEFAULT, Assumptions, clear_network, compile_world, guard
from friendshore.run import measures as in_force
from friendshore.world.imports.places import country_hint
from friendshore.world.tables import World

if TYPE_CHECKING:
    from friendshore.agreement.document import Agreement
    from friendshore.market.network import Network

BORDER = ("trade_area", "floor", "tariff", "tariff_quota")  # kinds of clause that take an outer border
GRID = 31  # days between two looks at the phase-in


@dataclass(frozen=True)
class Examined:
    """A screening and the two markets it rests on."""

    screening: Screening
    before: Outcome | None
    after: Outcome | None
    parties: frozenset[str]


def examine(
    world: World,
    deal: Agreement,
    *,
    as_of: date | None = None,
    party: str | None = None,
    assume: Assumptions = DEFAULT,
    shocks: Iterable[Wedge] = (),
    before: Outcome | None = None,
    network: Network | None = None,
    after: Outcome | None = None,
    held: Law | None = None,
) -> Examined:
    """Screen an agreement on a day.

    Parameters
    ----------
    as_of : the day whose terms are screened; the agreement's run date if None
    party : a country or customs union: only what binds it, a member of the European Union with its union
    shocks : what others do meanwhile
    before, after, network : the status quo and the agreement where they were cleared already, and the compiled world
    held : the law in the place of what ships, such as with one's own rates

    Raises
    ------
    InputRefused   terms or a party that the world does not have;  MarketError   no market-clearing prices
    """
    day = as_of or deal.run_date
    deal = deal.checked(world)
    promised = schedule.promises(deal, world, day)
    here = schedule.setting(deal, world, day)
    parties = here.insiders()
    if not promised:
        return Examined(_screening(deal, day, party, None, bench(day, law=held), None), None, None, parties)
    shocks = tuple(shocks)
    acted = deal
    if before is None or after is None or deal.safeguards:
        network = network or compile_world(world, assume)
        if before is None:
            quo = [*in_force(world, None, day, assume)[0], *shocks]
            before = clear_network(world, network, quo, assume=assume, as_of=day, name=f"status quo at {day}")
        full = [*in_force(world, deal, day, assume)[0], *shocks]
        after = clear_network(world, network, full, assume=assume, as_of=day, name=deal.id, start=before.state)
        after, acted, _ = guard(world, network, deal, before, after, as_of=day, assume=assume, extra=shocks)
    if acted is not deal:  # a safeguard has acted: what it suspended promises nothing any more
        promised = schedule.promises(acted, world, day)
    market = Market(
        world=world,
        before=before,
        after=after,
        day=day,
        commitments=(held or shipped()).commitments,
        parties=parties,
        course=_course(deal, world, promised, here),
        titles={clause.id: (clause.article, clause.title, clause.illustrative) for clause in deal.clauses},
        stated={clause.id: _stated(clause) for clause in deal.clauses},
    )
    judges = bench(day, market, law=held)
    home = _home(party, market) if party is not None else None
    acts = measures(promised, market)
    found = judge(acts, judges, party=home)
    charged = tuple(row for row in levies(acts, promised, market) if home in (None, row.territory))
    burdened = tuple(row for row in hits(acts, market) if home in (None, row.territory))
    screened = replace(
        _screening(deal, day, party, found, judges, market, promised),
        levies=charged,
        hits=burdened,
        powers=_powers(party, home, judges),
        unions=tuple(_inside_unions(deal, market)),
    )
    return Examined(screened, before, after, parties)


def screen(world: World, deal: Agreement, *, as_of: date | None = None, party: str | None = None) -> Screening:
    """Where an agreement meets what has been promised already: findings with a grade, facts and both arguments.

    Parameters
    ----------
    as_of : the day whose terms are screened; the agreement's run date if None
    party : a country or customs union: only what binds it, a member of the European Union with its union

    Raises
    ------
    InputRefused, MarketError   as `examine`
    """
    return examine(world, deal, as_of=as_of, party=party).screening


def examine_case(
    source: str, party: str | None = None, *, as_of: date | None = None, held: Law | None = None
) -> tuple[Screening, tuple[str, ...]] | None:
    """The screening of a case file and the expectations that it fails; None where `source` is no case file.

    Parameters
    ----------
    party : only what this country does, or the customs union that it belongs to
    as_of : the day whose memberships and agreements hold, in place of the case's own

    Raises
    ------
    InputRefused   every problem of a case file, at its line; a party that does nothing in it
    """
    path = Path(source)
    if path.suffix not in (".yaml", ".yml", ".json") or not path.is_file():
        return None
    marked = noted(path)
    if not is_case(marked.value):
        return None
    if marked.problems:
        raise InputRefused(marked.problems)
    case = read_case(marked)
    if as_of is not None:
        case = read_case(replace(marked, value={**marked.value, "day": as_of}))
    actors = sorted({measure.by for measure in case.measures})
    home = party if party in (None, *actors) else {"EU": "EUN"}.get(str(party)) or union_of(str(party))
    if party is not None and home not in actors:
        hint = country_hint(party, actors) or f"those who act are {', '.join(actors)}"
        raise InputRefused.because(
            "unknown-country", f"{party} does nothing in {case.case!r}", path="--party", hint=hint
        )
    judged = judge_case(case, bench(case.day, law=held), party=home)
    screening = Screening(
        title=case.case,
        day=case.day,
        party=party,
        findings=judged.findings,
        untouched=judged.untouched,
        outside=(),
        not_examined=_not_examined(),
    )
    return screening, judged.failures


def bench(day: date, market: Market | None = None, *, law: Law | None = None) -> Bench:
    """What the screen judges with on a day: the law that ships, or another."""
    held = law or shipped()
    bare = Bench(
        obligations=held.obligations,
        disputes=held.disputes,
        commitments=held.commitments,
        day=day,
    )
    if market is None:
        return bare
    return replace(
        bare,
        commitments=market.commitments,
        name=market.name,
        home=market.home,
        mineral=lambda good: market.minerals.get(good, good),
        codes=lambda good: market.codes.get(good, ()),
    )


def _stated(clause: Clause) -> dict[str, str]:
    """What the text of a clause states for the screen, and whether it ends."""
    said = {str(name): "yes" if holds else "no" for name, holds in clause.stated.items()}
    return {**said, "permanent": "yes" if clause.ends is None else "no"}


def _home(party: str, market: Market) -> str:
    """The territory that a code names: itself, or the customs union that a country belongs to.

    Raises
    ------
    InputRefused   a code that the world does not have
    """
    code = {"EU": "EUN"}.get(party, party)
    if code in market.territory:
        return market.home(code)
    if code not in market.names:
        known = {*market.territory, *market.territory.values()}
        more = "Countries go by their three-letter ISO code; list them with: friendshore world countries"
        raise InputRefused.because(
            "unknown-country",
            f"no country or union is called {party!r}",
            path="--party",
            hint=f"{country_hint(code, known)}\n{more}".strip(),
        )
    return code


def _inside_unions(deal: Agreement, market: Market) -> Iterable[str]:
    """Parties that have no outer border of their own, and the clauses of the agreement that therefore cannot bind them."""
    codes = {party.code for party in deal.parties}
    border = [
        clause for clause in deal.clauses if type(clause).word in BORDER and getattr(clause, "importers", None) is None
    ]
    for party in deal.parties:
        union = union_of(party.code)
        if union is None or union in codes or not border:
            continue
        left = [
            one.id for one in border if one.parties is None or party.code not in {each.code for each in one.parties}
        ]
        yield (
            f"{market.name(party.code)} has no outer border of its own ({union_names()[union]}): {', '.join(left) or 'nothing'} "
            "cannot bind it unless the whole union is a party"
        )


def _powers(party: str | None, home: str | None, judges: Bench) -> tuple[Power, ...]:
    """What a party may do, and first what a member state may do inside its union."""
    if party is None or home is None:
        return ()
    inside = party not in (home, "EU")
    held = [power for power in judges.commitments.powers if power.party == home]
    return tuple(sorted((p for p in held if inside or p.level == "party"), key=lambda p: p.level != "member_state"))


def _course(
    deal: Agreement, world: World, promised: Iterable[Promise], setting: Setting
) -> Callable[[str, str], Sequence[tuple[date, float]]]:
    """How far a clause is phased in in a territory, looked at once a month until the day of the screening."""
    territory = dict(world.countries.select("code", "territory").iter_rows())
    until = setting.as_of
    named = {promise.clause for promise in promised if "phase" in dict(promise.facts)}
    phased = [clause for clause in deal.clauses if clause.id in named]

    @cache
    def course() -> dict[tuple[str, str], list[tuple[date, float]]]:
        found: dict[tuple[str, str], list[tuple[date, float]]] = {}
        day, days = deal.in_force, []
        while day < until:
            days.append(day)
            day += timedelta(days=GRID)
        for day in [*days, until]:
            here = replace(setting, as_of=day)
            for promise in (promise for clause in phased for promise in clause.promises(here)):
                phase = float(dict(promise.facts).get("phase", "1"))
                for home in {territory.get(country) or country for country in promise.bound}:
                    seen = found.setdefault((promise.clause, home), [])
                    if not seen or seen[-1][0] != day:
                        seen.append((day, phase))
        return found

    return lambda clause, home: course().get((clause, home), ())


def _screening(
    deal: Agreement,
    day: date,
    party: str | None,
    found: tuple[tuple[Finding, ...], tuple[str, ...]] | None,
    judges: Bench,
    market: Market | None,
    promised: Iterable[Promise] = (),
) -> Screening:
    rules = tuple(key for key, one in judges.obligations.items() if one.kind == "obligation")
    findings, untouched = found if found is not None else ((), rules)
    strangers: tuple[str, ...] = ()
    if market is not None:
        strangers = tuple(
            f"{market.name(home)} is not a member of the WTO: its obligations there were not applied to it"
            for home in sorted({market.home(code) for code in market.parties})
            if not judges.commitments.is_member(home, day)
        )
    return Screening(
        title=deal.title,
        day=day,
        party=party,
        findings=findings,
        sources=sources_of(findings, judges.commitments),
        untouched=untouched,
        outside=strangers,
        not_examined=(*_unspoken(promised, judges), *_not_examined()),
    )


def _unspoken(promised: Iterable[Promise], judges: Bench) -> Iterable[str]:
    """Acts that no obligation speaks about: they are not examined, which is not the same as lawful."""
    spoken = {touch for one in judges.obligations.values() for trigger in one.trigger for touch in trigger.touches}
    silent = dict.fromkeys((one.clause, one.touches) for one in promised if one.touches not in spoken)
    for clause, touches in silent:
        yield f"What {clause} does ({touches.replace('_', ' ')}) is an act that no obligation of the screen speaks about."


@cache
def _not_examined() -> tuple[str, ...]:
    marked = read_marked(DATA / "not_examined.yaml", name="not_examined.yaml")
    return tuple(str(sentence) for sentence in marked.get(("not_examined",)))
