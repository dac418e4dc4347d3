"""What one clause cannot know about another: names used twice, floors that collide, borders that are not a party's own.

Works on a draft, the parts of a document that could be read, so that every problem is found at once. Findings carry the
path of the value; the file's line is added where the document is read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from itertools import combinations

from friendshore.errors import Severity, did_you_mean
from friendshore.instruments import KINDS
from friendshore.instruments.clause import Clause, Party
from friendshore.instruments.dates import values
from friendshore.instruments.names import Vocabulary, members, union_names, union_of, unions
from friendshore.instruments.price import CostPlusPrice
from friendshore.instruments.price_floor import PriceFloor
from friendshore.instruments.reserve import PublicReserve
from friendshore.instruments.safeguard import Safeguard
from friendshore.instruments.tariff import ImportTariff
from friendshore.instruments.tariff_quota import ImportQuota
from friendshore.instruments.trade_area import TradeArea
from friendshore.marked import KeyPath, dotted

OUTER_BORDER = (TradeArea, PriceFloor, ImportTariff, ImportQuota)  # what only a whole customs union can do

SOME = 4  # names that a message lists before it counts


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A problem with the path of the value that has it."""

    code: str
    message: str
    path: KeyPath
    hint: str = ""
    severity: Severity = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """The parts of a document that could be read, each with its path."""

    in_force: date | None
    parties: tuple[tuple[KeyPath, Party], ...]
    clauses: tuple[tuple[KeyPath, Clause], ...]
    sources: frozenset[str]
    named: frozenset[str] = frozenset()  # ids of all clauses as written, those that could not be read too


def findings(draft: Draft, words: Vocabulary | None = None) -> list[Finding]:
    """Everything that is wrong between the parts of a draft."""
    return [
        *_names_used_twice(draft),
        *_parties(draft, words),
        *_clause_parties(draft),
        *_borders(draft),
        *_dates(draft),
        *_sources(draft),
        *_inputs_at_floors(draft),
        *_two_floors(draft),
        *_safeguards(draft),
    ]


def _names_used_twice(draft: Draft) -> Iterator[Finding]:
    first: dict[str, KeyPath] = {}
    for path, clause in draft.clauses:
        if clause.id in first:
            message = f"{clause.id!r} names {dotted(first[clause.id])} already"
            yield Finding(code="duplicate-id", message=message, path=(*path, "id"))
        first.setdefault(clause.id, path)


def _parties(draft: Draft, words: Vocabulary | None) -> Iterator[Finding]:
    first: dict[str, KeyPath] = {}
    for path, party in draft.parties:
        if party.code in first:
            message = f"{party.code} is {dotted(first[party.code])} already"
            yield Finding(code="duplicate-party", message=message, path=path)
        first.setdefault(party.code, path)
    for path, party in draft.parties:
        union = union_of(party.code)
        if union in first:
            message = f"{party.code} is bound as a member of {union}, {dotted(first[union])}"
            yield Finding(
                code="duplicate-party", message=message, path=path, hint=f"leave out one of {union}, {party.code}"
            )
        if words is not None:
            if party.code in words.remainders:
                message = f"{party.code} is what is left of a region in this world, not a country"
                yield Finding(code="not-a-country", message=message, path=path)
            elif missing := sorted(members(party.code) - set(words.countries)):
                some = ", ".join(missing[:SOME]) + (f" and {len(missing) - SOME} more" if len(missing) > SOME else "")
                message = f"no figures of its own for {some} in this world"
                hint = "its trade is inside a regional remainder, which the clauses do not reach"
                yield Finding(code="no-figures", message=message, path=path, hint=hint, severity="warning")


def _clause_parties(draft: Draft) -> Iterator[Finding]:
    codes = {party.code for _, party in draft.parties}
    for path, clause in draft.clauses:
        for number, party in enumerate(clause.parties or ()):
            if party.code not in codes:
                union = union_of(party.code)
                hint = (
                    f"{party.code} is bound as a member of {union}"
                    if union in codes
                    else did_you_mean(party.code, codes)
                )
                message = f"{party.code} is not a party to the agreement"
                yield Finding(code="not-a-party", message=message, path=(*path, "parties", number), hint=hint)
        for code in getattr(clause, "exempt_at", ()):
            if code not in codes:
                message = f"{code} is not a party to the agreement, so nothing is exempt at its border"
                yield Finding(
                    code="not-a-party", message=message, path=(*path, "exempt_at", code), hint=did_you_mean(code, codes)
                )


def _borders(draft: Draft) -> Iterator[Finding]:
    """A customs union has one outer border: a member has no duty of its own to give or to set."""
    binding = [(path, clause) for path, clause in draft.clauses if isinstance(clause, OUTER_BORDER)]
    codes = frozenset(party.code for _, party in draft.parties)
    for path, party in draft.parties:
        bound = [f"to {clause.id!r} ({dotted(at)})" for at, clause in binding if _binds(clause, party.code)]
        if bound and (finding := _alone(party.code, codes, path, bound[0])) is not None:
            yield finding
    for path, clause in draft.clauses:
        if isinstance(clause, ImportTariff | ImportQuota):
            for number, code in enumerate(clause.importers or ()):
                at = (*path, "importers", number)
                if (finding := _alone(code, frozenset(clause.importers or ()), at, "to a tariff")) is not None:
                    yield finding


def _binds(clause: Clause, code: str) -> bool:
    return clause.parties is None or any(party.code == code for party in clause.parties)


def _alone(code: str, codes: frozenset[str], path: KeyPath, what: str) -> Finding | None:
    union = union_of(code)
    if union is None or union in codes or unions()[union] <= codes:
        return None
    message = f"{code} cannot be bound {what} alone: its outer border is that of the {union_names()[union]}"
    return Finding(
        code="customs-union", message=message, path=path, hint=f"list {union}, which stands for all its members"
    )


def _dates(draft: Draft) -> Iterator[Finding]:
    if draft.in_force is None:
        return
    for path, party in draft.parties:
        if party.enters_into_force is not None and party.enters_into_force < draft.in_force:
            message = f"bound from {party.enters_into_force}, before the agreement is in force, {draft.in_force}"
            yield Finding(code="dates-backwards", message=message, path=(*path, "enters_into_force"))
        if party.enters_into_force is None and party.ends is not None and party.ends < draft.in_force:
            message = f"ends {party.ends}, before the agreement is in force, {draft.in_force}"
            yield Finding(code="dates-backwards", message=message, path=(*path, "ends"))
    for path, clause in draft.clauses:
        if clause.enters_into_force is None and clause.ends is not None and clause.ends < draft.in_force:
            message = f"ends {clause.ends}, before the agreement is in force, {draft.in_force}"
            yield Finding(code="dates-backwards", message=message, path=(*path, "ends"))


def _sources(draft: Draft) -> Iterator[Finding]:
    for path, used in _used_sources(draft):
        if used not in draft.sources:
            hint = did_you_mean(used, draft.sources) or "list it under sources"
            yield Finding(code="unknown-source", message=f"no source is called {used!r}", path=path, hint=hint)
    for path, clause in draft.clauses:
        if not clause.source and not clause.illustrative:
            hint = "add source: [...], or illustrative: true with a rule"
            message = f"{clause.id} has no source"
            yield Finding(code="unsourced", message=message, path=path, hint=hint, severity="warning")


def _used_sources(draft: Draft) -> Iterator[tuple[KeyPath, str]]:
    for path, party in draft.parties:
        yield from (((*path, "source", number), used) for number, used in enumerate(party.source))
    for path, clause in draft.clauses:
        yield from (((*path, "source", number), used) for number, used in enumerate(clause.source))
        for place, item in enumerate(clause.default_content if isinstance(clause, PriceFloor) else ()):
            at = (*path, "default_content", place, "source")
            yield from (((*at, number), used) for number, used in enumerate(item.source))
        for at, price in _cost_plus_prices(path, clause):
            for index, cost in enumerate(price.costs):
                yield from (((*at, "costs", index, "source", number), used) for number, used in enumerate(cost.source))
                if cost.rate is not None and cost.rate.source:
                    yield (*at, "costs", index, "rate", "source"), cost.rate.source
            if price.capital is not None:
                yield from (
                    ((*at, "capital", "source", number), used) for number, used in enumerate(price.capital.source)
                )
                if price.capital.rate is not None and price.capital.rate.source:
                    yield (*at, "capital", "rate", "source"), price.capital.rate.source
            if price.rate is not None and price.rate.source:
                yield (*at, "rate", "source"), price.rate.source


def _cost_plus_prices(path: KeyPath, clause: Clause) -> Iterator[tuple[KeyPath, CostPlusPrice]]:
    for key in ("reference_price", "price_at_adoption", "specific", "amount", "strike", "premium", "compliance_cost"):
        term = getattr(clause, key, None)
        for number, price in enumerate(values(term)):
            if isinstance(price, CostPlusPrice):
                yield ((*path, key, number, "value") if isinstance(term, tuple) else (*path, key)), price


def _inputs_at_floors(draft: Draft) -> Iterator[Finding]:
    floors = {clause.id for _, clause in draft.clauses if isinstance(clause, PriceFloor)}
    needs: dict[str, set[str]] = {}
    for path, clause in draft.clauses:
        for at, price in _cost_plus_prices(path, clause):
            for number, cost in enumerate(price.costs):
                if cost.floor is None:
                    continue
                where = (*at, "costs", number, "floor")
                if cost.floor not in floors:
                    hint = did_you_mean(cost.floor, floors)
                    yield Finding(
                        code="unknown-floor", message=f"no floor is called {cost.floor!r}", path=where, hint=hint
                    )
                    continue
                if isinstance(clause, PriceFloor):
                    needs.setdefault(clause.id, set()).add(cost.floor)
                    if _reaches(needs, cost.floor, clause.id):
                        message = f"{clause.id} and {cost.floor} are each computed from the other"
                        yield Finding(code="circular", message=message, path=where)


def _reaches(needs: dict[str, set[str]], start: str, goal: str) -> bool:
    seen: set[str] = set()
    ahead = [start]
    while ahead:
        here = ahead.pop()
        if here == goal:
            return True
        if here not in seen:
            seen.add(here)
            ahead.extend(needs.get(here, ()))
    return False


def _two_floors(draft: Draft) -> Iterator[Finding]:
    floors = [(path, clause) for path, clause in draft.clauses if isinstance(clause, PriceFloor)]
    for (path, one), (other_path, other) in combinations(floors, 2):
        if one.good != other.good or not _at_once(one, other, draft.in_force):
            continue
        if (shared := _shared_border(one, other, draft)) is not None:
            message = f"a second floor on {other.good} {shared} at the same time as {one.id} ({dotted(path)})"
            hint = "give the two different dates or different parties"
            yield Finding(code="two-floors", message=message, path=other_path, hint=hint)


def _safeguards(draft: Draft) -> Iterator[Finding]:
    """What a safeguard suspends, releases or applies must be there."""
    ids = {clause.id: clause for _, clause in draft.clauses}
    kinds = {kind for kind, model in KINDS.items() if any(isinstance(clause, model) for clause in ids.values())}
    for path, clause in draft.clauses:
        if not isinstance(clause, Safeguard):
            continue
        for name in clause.then.suspend:
            if name not in {*ids, *kinds, *draft.named}:
                hint = did_you_mean(name, [*ids, *KINDS]) or f"one of {', '.join([*kinds, *ids])}"
                message = f"no clause and no kind of clause is called {name!r}"
                yield Finding(code="unknown-clause", message=message, path=(*path, "then"), hint=hint)
            elif isinstance(ids.get(name), Safeguard) or name == "safeguards":
                message = f"{name} is a safeguard, which has nothing to suspend"
                yield Finding(code="unknown-clause", message=message, path=(*path, "then"))
        for name in clause.then.apply:
            if name not in {*ids, *draft.named}:
                hint = did_you_mean(name, ids) or "name one clause by its id"
                message = f"no clause is called {name!r}"
                yield Finding(code="unknown-clause", message=message, path=(*path, "then"), hint=hint)
            elif isinstance(ids.get(name), Safeguard):
                message = f"{name} is a safeguard, which cannot be applied by another"
                yield Finding(code="unknown-clause", message=message, path=(*path, "then"))
        for name in clause.then.release:
            if name not in ids and name in draft.named:
                continue  # it could not be read, which is said there
            if not isinstance(reserve := ids.get(name), PublicReserve):
                reserves = [each for each, held in ids.items() if isinstance(held, PublicReserve)]
                hint = did_you_mean(name, reserves) or "list it under reserve"
                message = f"no reserve is called {name!r}"
                yield Finding(code="unknown-clause", message=message, path=(*path, "then"), hint=hint)
            elif reserve.release_days is None:
                message = f"{name} does not say how much it releases"
                hint = "add release_days to it"
                yield Finding(code="missing", message=message, path=(*path, "then"), hint=hint)


def _at_once(one: Clause, other: Clause, in_force: date | None) -> bool:
    def span(clause: Clause) -> tuple[date, date]:
        return clause.enters_into_force or in_force or date.min, clause.ends or date.max

    (first, last), (other_first, other_last) = span(one), span(other)
    return first <= other_last and other_first <= last


def _shared_border(one: Clause, other: Clause, draft: Draft) -> str | None:
    """The border at which both floors would be charged, in words; None where there is none."""
    every = [party.code for _, party in draft.parties]
    codes = [
        [party.code for party in clause.parties] if clause.parties is not None else every for clause in (one, other)
    ]
    shared = [code for code in codes[0] if code in codes[1]]
    if one.parties is None and other.parties is None:
        return "for all parties"
    return f"for {', '.join(shared)}" if shared else None
