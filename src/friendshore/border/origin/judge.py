"""Does a product qualify under a rule of origin? Yes, no, or it cannot be said, with the lines and facts that decide.

Three values throughout: what is not known never counts as fine or as failing. A test holds if it would hold with every
open fact answered the hard way, fails if it would fail with every one answered kindly, and is open between. Which change
would qualify the product is left to `change`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Literal

from friendshore.border.origin.bill import Bill, Done, Maker, Material, every_line
from friendshore.origin_rules.rule import (
    LEVELS,
    STAGES,
    Conflict,
    Content,
    Entities,
    LastTransformation,
    Materials,
    Rule,
    Stage,
    Stages,
    TariffShift,
    Test,
    ValueContent,
    Where,
    months_after,
    needs_parties,
)

NOUGHT, ONE = Decimal(0), Decimal(1)
PRODUCT = "product"  # what a finding calls the product where it is not a line that fails

Answer = bool | None  # None: it cannot be said


@dataclass(frozen=True)
class Missing:
    """A fact that is not known: what, about which line, and who can supply it."""

    what: str
    line: str
    who: str


@dataclass(frozen=True)
class Excess:
    """How much must go from some lines for a test to hold: value, or kilograms; at least so much, or more than that."""

    amount: Decimal
    lines: tuple[str, ...]
    by: Literal["value", "mass"] = "value"
    more: bool = False


@dataclass(frozen=True)
class Finding:
    """What one test says, why, on which figures; for a joint, what its parts say."""

    test: str
    answer: Answer
    says: str
    lines: tuple[str, ...] = ()
    missing: tuple[Missing, ...] = ()
    excess: Excess | None = None
    parts: tuple[Finding, ...] = ()

    def leaves(self) -> tuple[Finding, ...]:
        """The findings without the joints."""
        return tuple(leaf for part in self.parts for leaf in part.leaves()) if self.parts else (self,)


@dataclass(frozen=True)
class Status:
    """Whether a material counts as the area's own, and why."""

    own: Answer
    why: str
    missing: tuple[Missing, ...] = ()


@dataclass(frozen=True)
class Verdict:
    """What a rule says of a bill of materials on a day.

    `answer` is true where the product qualifies, false where it does not, none where it cannot be said. `asked` is false
    where the rule asks nothing of it: not in force, or about other products.
    """

    rule: Rule
    bill: Bill
    day: date
    answer: Answer
    asked: bool
    says: str
    finding: Finding | None = None
    status: Mapping[str, Status] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def failing(self) -> tuple[str, ...]:
        """The lines that stand in the way."""
        if self.finding is None or self.answer is not False:
            return ()
        lines = [line for leaf in self.finding.leaves() if leaf.answer is False for line in leaf.lines]
        return tuple(dict.fromkeys(lines))

    @property
    def missing(self) -> tuple[Missing, ...]:
        """The facts without which it cannot be said."""
        if self.finding is None or self.answer is not None:
            return ()
        facts = [fact for leaf in self.finding.leaves() if leaf.answer is None for fact in leaf.missing]
        return tuple(dict.fromkeys(facts))


@dataclass(frozen=True)
class Area:
    """Whose materials count: the parties and the customs unions that countries belong to (country -> union)."""

    parties: frozenset[str] = frozenset()
    unions: Mapping[str, str] = field(default_factory=dict)

    def territory(self, country: str) -> str:
        """The customs territory of a country."""
        return self.unions.get(country, country)


@dataclass(frozen=True)
class _Case:
    """What every test reads."""

    bill: Bill
    rule: Rule
    parties: frozenset[str]
    unions: Mapping[str, str]
    day: date
    lines: tuple[Material, ...]
    status: Mapping[str, Status]


def judge(bill: Bill, rule: Rule, area: Area, day: date) -> Verdict:
    """What a rule says of a product on a day.

    Parameters
    ----------
    bill : the product and its materials
    rule : a rule of origin
    area : the parties, where the rule does not name them itself
    day : the day whose terms are applied, and on which proofs must be valid

    Raises
    ------
    InputRefused   a preference without parties
    """
    parties = frozenset(rule.parties) or area.parties
    needs_parties(rule, parties)
    notes = tuple(filter(None, (rule.doubtful(day), rule.note)))
    if silent := rule.silent(day):
        return Verdict(rule, bill, day, True, False, f"the rule asks nothing: {silent}", notes=notes)
    if rule.covers is not None and not rule.covers.hold(bill.hs, bill.minerals):
        return _not_covered(bill, rule, day, notes)
    term = rule.on(day)
    assert term is not None, "a rule that is not silent has a term"
    case = _case(bill, rule, parties, area.unions, day)
    finding = _test(term.test, case)
    if rule.kind == "preference" and bill.made_in not in parties:
        outside = Finding("made in the area", False, f"last produced in {bill.made_in}, which is no party", (PRODUCT,))
        finding = Finding("all", _every((outside, finding)), "all of these", parts=(outside, finding))
    said = _SAID[rule.kind][finding.answer]
    notes = (*((term.note,) if term.note else ()), *notes)
    return Verdict(rule, bill, day, finding.answer, True, said, finding, case.status, notes)


def caught(verdicts: Iterable[Verdict], known: Iterable[Conflict]) -> tuple[Conflict, ...]:
    """The conflicts between laws that a product stands in: what each law says of it is what the conflict asks."""
    said = {one.rule.id: one.answer for one in verdicts if one.asked}
    wanted = {"qualifies": True, "does not": False}
    return tuple(
        one for one in known if all(side.rule in said and said[side.rule] is wanted[side.verdict] for side in one.holds)
    )


_SAID: Mapping[str, Mapping[Answer, str]] = {
    "preference": {True: "originates", False: "does not originate", None: "cannot be said"},
    "restriction": {True: "may be supplied", False: "may not be supplied", None: "cannot be said"},
    "export_control": {True: "needs no licence", False: "needs a licence", None: "cannot be said"},
}


def _not_covered(bill: Bill, rule: Rule, day: date, notes: tuple[str, ...]) -> Verdict:
    held = ", ".join(rule.covers.hs) if rule.covers else ""
    says = f"the rule speaks about {held or 'other goods'}, not about {bill.hs}"
    if rule.kind != "preference":
        return Verdict(rule, bill, day, True, False, says, notes=notes)
    fact = Missing(f"the rule for heading {bill.hs[:4]}", PRODUCT, "the agreement's origin annex")
    finding = Finding("covers", None, says, missing=(fact,))
    return Verdict(rule, bill, day, None, True, says, finding, notes=notes)


# -- whose materials ------------------------------------------------------------------------------------------------


def _case(bill: Bill, rule: Rule, parties: frozenset[str], unions: Mapping[str, str], day: date) -> _Case:
    case = _Case(bill, rule, parties, unions, day, bill.materials, {})
    status = {line.id: _status(line, case) for line in every_line(bill.materials)}
    case = replace(case, status=status)
    if rule.cumulation == "full":
        return replace(case, lines=tuple(part for line in bill.materials for part in _worked(line, case)))
    return case


def _counted(case: _Case) -> frozenset[str] | None:
    """The countries whose materials count as the area's own; None where the country of import must be known."""
    bill, rule = case.bill, case.rule
    here = {code for code in case.parties | {bill.made_in} if _same(code, bill.made_in, case)}
    if rule.cumulation == "none":
        return frozenset(here)
    if rule.cumulation == "bilateral":
        if bill.importer is None:
            return None
        return frozenset(here | {code for code in case.parties if _same(code, bill.importer, case)})
    return case.parties | frozenset(rule.cumulates_with)


def _same(one: str, other: str, case: _Case) -> bool:
    return case.unions.get(one, one) == case.unions.get(other, other)


def _status(line: Material, case: _Case) -> Status:
    """Whether a material is the area's own on the day: its origin, and the proof of it."""
    counted = _counted(case)
    supplier = line.maker.name if line.maker else "its supplier"
    if line.origin is None:
        return Status(None, "origin not known", (Missing("its country of origin", line.id, supplier),))
    everywhere = case.parties | frozenset(case.rule.cumulates_with) | {case.bill.made_in}
    if line.origin not in (counted if counted is not None else everywhere):
        why = "" if line.origin not in everywhere else f", which {case.rule.cumulation} cumulation does not count"
        return Status(False, f"from {line.origin}{why}")
    if counted is None and not _same(line.origin, case.bill.made_in, case):
        fact = Missing("the country of import, which bilateral cumulation asks for", PRODUCT, "the importer")
        return Status(None, f"from {line.origin}, a party", (fact,))
    return _proven(line, case, supplier)


def _proven(line: Material, case: _Case, supplier: str) -> Status:
    asked, proof = case.rule.proof, line.proof
    if asked is None:
        return Status(True, f"from {line.origin}, as declared")
    kinds = " or ".join(asked.kinds).replace("_", " ")
    if proof is None:
        return Status(
            None, f"from {line.origin}, not proven", (Missing(f"proof of origin: {kinds}", line.id, supplier),)
        )
    if proof.kind not in asked.kinds:
        why = f"from {line.origin}; {proof.kind.replace('_', ' ')} is no proof here"
        return Status(None, why, (Missing(f"proof of origin: {kinds}", line.id, supplier),))
    last = months_after(proof.date, asked.valid)
    if not proof.date <= case.day <= last:
        when = f"dated {proof.date}, after {case.day}" if proof.date > case.day else f"ran out on {last}"
        fact = Missing(f"a valid proof of origin; that of {proof.date} counts to {last}", line.id, supplier)
        return Status(None, f"from {line.origin}; the proof {when}", (fact,))
    return Status(True, f"from {line.origin}, {proof.kind.replace('_', ' ')} of {proof.date}")


def _worked(line: Material, case: _Case) -> Iterable[Material]:
    """Under full cumulation a foreign material that was worked in the area counts as its own materials only."""
    worked_here = bool(line.stages) and (line.stages or ())[-1].country in case.parties
    if case.status[line.id].own is True or line.made_of is None or not worked_here:
        return (line,)
    return tuple(part for inner in line.made_of for part in _worked(inner, case))


# -- the tests ------------------------------------------------------------------------------------------------------


def _test(test: Test, case: _Case) -> Finding:
    if test.every is not None:
        parts = tuple(_test(part, case) for part in test.every)
        return Finding("all", _every(parts), "all of these", parts=parts)
    if test.either is not None:
        parts = tuple(_test(part, case) for part in test.either)
        return Finding("any", _either(parts), "one of these", parts=parts)
    leaf = getattr(test, test.word)
    return _TESTS[test.word](leaf, case)


def _every(parts: Iterable[Finding]) -> Answer:
    answers = [part.answer for part in parts]
    return False if False in answers else (None if None in answers else True)


def _either(parts: Iterable[Finding]) -> Answer:
    answers = [part.answer for part in parts]
    return True if True in answers else (None if None in answers else False)


def _wholly_obtained(_: object, case: _Case) -> Finding:
    """Every line is the area's own and was mined or recycled there; so was the product where it has no lines."""
    failing: list[str] = []
    missing: list[Missing] = []
    for line in case.lines:
        status = case.status[line.id]
        if status.own is False:
            failing.append(line.id)
            continue
        missing += status.missing
        answer, facts = _from_the_ground(line.stages, line.id, line.maker, case)
        failing += [line.id] if answer is False else []
        missing += facts
    if case.bill.stages is not None or not case.lines:
        done = case.bill.stages
        if case.lines and done is not None:
            outside = [each for each in done if each.country not in case.parties]
            failing += [PRODUCT] if outside else []
        else:
            answer, facts = _from_the_ground(done, PRODUCT, case.bill.maker, case)
            failing += [PRODUCT] if answer is False else []
            missing += facts
    if failing:
        return Finding(
            "wholly_obtained", False, f"not from the area's own ground: {', '.join(failing)}", tuple(failing)
        )
    if missing:
        return Finding("wholly_obtained", None, "not known of every line", missing=tuple(missing))
    return Finding("wholly_obtained", True, "all of it was mined or recycled in the area")


def _from_the_ground(
    stages: tuple[Done, ...] | None, line: str, maker: Maker | None, case: _Case
) -> tuple[Answer, list[Missing]]:
    who = maker.name if maker else "its supplier"
    if stages is None:
        return None, [Missing("where it was mined or recycled", line, who)]
    if any(done.country not in case.parties for done in stages):
        return False, []
    if not any(done.stage in ("mined", "recycled") for done in stages):
        return None, [Missing("where it was mined or recycled", line, who)]
    return True, []


def _tariff_shift(test: TariffShift, case: _Case) -> Finding:
    """Every foreign material stands under another code, but for a tolerated share of the price."""
    digits, price = LEVELS[test.level], case.bill.price
    surely, perhaps = NOUGHT, NOUGHT
    failing: list[str] = []
    missing: list[Missing] = []
    for line in case.lines:
        status = case.status[line.id]
        if status.own is True or _shifts(line.hs, case.bill.hs, digits, test.except_from):
            continue
        if status.own is False:
            surely += line.value
            failing.append(line.id)
        else:
            perhaps += line.value
            missing += status.missing
    limit = test.tolerance * price
    bare = bool(failing) and not limit  # nothing is tolerated, not even what was given for nothing
    said = f"foreign materials without a change of {test.level}: {money(surely)} of {money(price)}"
    if limit:
        said += f", {percent(surely / price)} (tolerated: {percent(test.tolerance)})"
    if surely > limit or bare:
        return Finding("tariff_shift", False, said, tuple(failing), excess=Excess(surely - limit, tuple(failing)))
    if missing and (surely + perhaps > limit or not limit):
        return Finding(
            "tariff_shift", None, f"{said}, and {money(perhaps)} whose origin is open", missing=tuple(missing)
        )
    return Finding("tariff_shift", True, said)


def _shifts(of: str, to: str, digits: int, except_from: tuple[str, ...]) -> bool:
    return of[:digits] != to[:digits] and not (except_from and of.startswith(except_from))


def _value_content(test: ValueContent, case: _Case) -> Finding:
    """The area's share of the value, in the least and in the best case of what is open."""
    name = test.method.replace("_", "-")
    base = case.bill.net_cost if test.method == "net_cost" else case.bill.price
    if base is None:
        fact = Missing("the net cost", PRODUCT, case.bill.maker.name if case.bill.maker else "the producer")
        return Finding("value_content", None, "net cost not known", missing=(fact,))
    own, foreign, open_ = NOUGHT, NOUGHT, NOUGHT
    lines: list[tuple[Decimal, str]] = []
    missing: list[Missing] = []
    for line in case.lines:
        status = case.status[line.id]
        if status.own is True:
            own += line.value
        elif status.own is False:
            foreign += line.value
            lines.append((line.value, line.id))
        else:
            open_ += line.value
            missing += status.missing
    failing = tuple(line for _, line in sorted(lines, key=lambda each: (-each[0], each[1])))
    if test.method == "build_up":
        if test.own_costs and case.bill.own_costs is None:
            fact = Missing("labour, overheads and profit", PRODUCT, "the producer")
            return Finding("value_content", None, "own costs not known", missing=(fact,))
        added = (case.bill.own_costs or NOUGHT) if test.own_costs else NOUGHT
        least, best = (own + added) / base, (own + added + open_) / base
        said = f"{name}: {money(own + added)} of the area / {money(base)} = {percent(least)}, at least {percent(test.at_least)}"
    else:
        least, best = (base - foreign - open_) / base, (base - foreign) / base
        said = f"{name}: ({money(base)} - {money(foreign)}) / {money(base)} = {percent(best)}, at least {percent(test.at_least)}"
    if least >= test.at_least:
        return Finding("value_content", True, said)
    short = (test.at_least - least) * base  # enough whatever comes out of what is open
    if best < test.at_least:
        return Finding("value_content", False, said, failing, excess=Excess(short, failing))
    return Finding(
        "value_content", None, f"{said}; {percent(least)} to {percent(best)} with what is open", missing=tuple(missing)
    )


def _stages(test: Stages, case: _Case) -> Finding:
    """Each stage of each material, in its own history or in what followed, was done where it may be."""
    failing: list[str] = []
    missing: list[Missing] = []
    bad: list[str] = []
    bill = case.bill
    product = (*(bill.stages or ()), Done(stage="produced", country=bill.made_in))
    for done in product:
        if done.stage in test.names and not test.where.allows(done.country, case.parties):
            failing.append(PRODUCT)
            bad.append(f"{PRODUCT} {done.stage} in {done.country}")
    told_of_product = {done.stage for done in product} | set(bill.without)
    chains = [each for line in bill.materials if _looked_at(line, test.of) for each in _chains(line, (), case, test)]
    for line, history, skipped in chains:
        for done in history:
            if done.stage in test.names and not test.where.allows(done.country, case.parties):
                failing.append(line.id)
                bad.append(f"{line.id} {done.stage} in {done.country}")
        told = {done.stage for done in history} | skipped | told_of_product
        who = line.maker.name if line.maker else "its supplier"
        missing += [Missing(f"where it was {name}", line.id, who) for name in test.names if name not in told]
    if not bill.materials:
        who = bill.maker.name if bill.maker else "the producer"
        missing += [Missing(f"where it was {name}", PRODUCT, who) for name in test.names if name not in told_of_product]
    if failing:
        return Finding("stages", False, "; ".join(dict.fromkeys(bad)), tuple(dict.fromkeys(failing)))
    names = ", ".join(test.names)
    if missing:
        return Finding("stages", None, f"not told of every line: {names}", missing=tuple(missing))
    return Finding("stages", True, f"{names}: each where it may be")


def _chains(
    line: Material, after: tuple[Done, ...], case: _Case, test: Stages
) -> Iterable[tuple[Material, tuple[Done, ...], set[Stage]]]:
    """A material's history with what followed, down to the last materials told of, and the stages it never had."""
    history = line.stages or ()
    spared = Where(only_in=test.spares_recycled_in) if test.spares_recycled_in else None
    recycled = [k for k, done in enumerate(history) if done.stage == "recycled"]
    if spared is not None and recycled and spared.allows(history[recycled[-1]].country, case.parties):
        return [(line, (*history[recycled[-1] :], *after), set(STAGES))]
    chain = (*history, *after)
    if line.made_of:
        return [each for part in line.made_of for each in _chains(part, chain, case, test)]
    return [(line, chain, set(line.without))]


def _looked_at(line: Material, of: Materials | None) -> bool:
    return of is None or of.hold(line.hs, line.minerals)


def _last_transformation(test: LastTransformation, case: _Case) -> Finding:
    """Where the last of the stages was done: on the product, or else on its dearest material."""
    names = test.stages
    done = [each for each in case.bill.stages or () if each.stage in names]
    who, line = case.bill.maker.name if case.bill.maker else "the producer", PRODUCT
    if not done and case.bill.stages is not None and case.bill.materials:
        dearest = max(case.bill.materials, key=lambda each: (each.value, each.id))
        line, who = dearest.id, dearest.maker.name if dearest.maker else "its supplier"
        done = [each for each in dearest.stages or () if each.stage in names]
    if not done:
        fact = Missing(f"which of {', '.join(names)} was done last, and where", line, who)
        return Finding("last_transformation", None, "not told", missing=(fact,))
    last = done[-1]
    said = f"last {last.stage} in {last.country}"
    if test.where.allows(last.country, case.parties):
        return Finding("last_transformation", True, said)
    return Finding("last_transformation", False, said, (line,))


def _content(test: Content, case: _Case) -> Finding:
    """The share that comes from the countries counted, in the least and the worst case of what is open."""
    counted, open_, looked = NOUGHT, NOUGHT, NOUGHT
    missing: list[Missing] = []
    failing: list[str] = []
    for line in case.bill.materials:
        surely, perhaps, facts, size = _held(line, test, case)
        counted, open_, looked = counted + surely, open_ + perhaps, looked + size
        missing += facts
        failing += [line.id] if surely else []
    whole = looked if test.share_of == "materials" else (case.bill.price if test.by == "value" else case.bill.mass_kg)
    where = " or ".join(test.countries) or f"outside {', '.join(test.outside)}"
    if whole is None or any(_size(line, test.by) is None for line in case.bill.materials):
        fact = Missing("masses of the product and its lines", PRODUCT, "the producer")
        return Finding("content", None, "masses not known", missing=(fact,))
    if not whole:
        return Finding("content", True, f"nothing from {where} is counted")
    said = f"from {where}: {_sized(counted, test.by)} of {_sized(whole, test.by)}, {percent(counted / whole)}; must be below {percent(test.below)}"
    if counted / whole >= test.below:
        return Finding(
            "content",
            False,
            said,
            tuple(failing),
            excess=Excess(counted - test.below * whole, tuple(failing), test.by, more=True),
        )
    if (counted + open_) / whole >= test.below:
        return Finding("content", None, f"{said}; {_sized(open_, test.by)} more is open", missing=tuple(missing))
    return Finding("content", True, said)


def _sized(amount: Decimal, by: str) -> str:
    return money(amount) if by == "value" else f"{amount.normalize():,f} kg"


def _size(line: Material, by: str) -> Decimal | None:
    return line.value if by == "value" else line.mass_kg


def _held(line: Material, test: Content, case: _Case) -> tuple[Decimal, Decimal, list[Missing], Decimal]:
    """What a line surely and perhaps holds of the countries counted, the facts that are open, and what was looked at.

    A line from elsewhere holds what its own materials do; where those are not told but its whole history is, and none of it
    was there, nothing.
    """
    size = _size(line, test.by) or NOUGHT
    who = line.maker.name if line.maker else "its supplier"
    looked = _looked_at(line, test.of)
    if line.origin is None:
        if not looked:
            return NOUGHT, NOUGHT, [], NOUGHT
        return NOUGHT, size, [Missing("its country of origin", line.id, who)], size
    if looked and test.counts(line.origin, case.parties):
        return size, NOUGHT, [], size
    if line.made_of is not None:
        inner = [_held(part, test, case) for part in line.made_of]
        surely, perhaps = sum((each[0] for each in inner), NOUGHT), sum((each[1] for each in inner), NOUGHT)
        return surely, perhaps, [fact for each in inner for fact in each[2]], size if looked else NOUGHT
    if not looked or test.outside:
        return NOUGHT, NOUGHT, [], size if looked else NOUGHT
    if untold := _untold(line):
        where = "where each stage was done" if line.stages is None else f"where it was {' and '.join(untold)}"
        return NOUGHT, size, [Missing(f"what it is made of, or {where}", line.id, who)], size
    if any(test.counts(done.country, case.parties) for done in line.stages or ()):
        return NOUGHT, size, [Missing("what its materials from there cost", line.id, who)], size
    return NOUGHT, NOUGHT, [], size


def _untold(line: Material) -> tuple[str, ...]:
    """The stages of a material's history that nobody told: its beginning, and whatever lies between that and its last stage.

    What was recycled began there.
    """
    done = [each.stage for each in line.stages or ()]
    if "recycled" in done:
        return ()
    last = max((STAGES.index(stage) for stage in done), default=0)
    return tuple(stage for stage in STAGES[: last + 1] if stage not in done and stage not in line.without)


def _entities(test: Entities, case: _Case) -> Finding:
    """No maker of the product or of a material looked at is controlled from the countries, or listed."""
    failing: list[str] = []
    missing: list[Missing] = []
    bad: list[str] = []
    makers = [(PRODUCT, case.bill.maker)]
    makers += [(line.id, line.maker) for line in every_line(case.bill.materials) if _looked_at(line, test.of)]
    for line, maker in makers:
        answer, said = _barred(maker, test)
        if answer is True:
            failing.append(line)
            bad.append(f"{line}: {said}")
        elif answer is None:
            missing.append(Missing(said, line, maker.name if maker else "its supplier"))
    if failing:
        return Finding("entities", False, "; ".join(bad), tuple(failing))
    if missing:
        return Finding("entities", None, "not known of every maker", missing=tuple(missing))
    return Finding(
        "entities", True, f"no maker is held from {', '.join(test.concern)} to {percent(test.share)} or more"
    )


def _barred(maker: Maker | None, test: Entities) -> tuple[Answer, str]:
    if maker is None:
        return None, "who made it"
    if maker.name in test.listed:
        return True, f"{maker.name} is listed"
    if test.seat_bars and maker.country in test.concern:
        return True, f"{maker.name} is seated in {maker.country}"
    owners = maker.owners or ()
    held = sum((owner.share for owner in owners if owner.country in test.concern), NOUGHT)
    if held >= test.share:
        return True, f"{percent(held)} of {maker.name} is held from {', '.join(test.concern)}"
    if test.seat_bars and maker.country is None:
        return None, f"where {maker.name} is seated"
    told = sum((owner.share for owner in owners), NOUGHT)
    if maker.owners is None or (owners and held + ONE - told >= test.share):
        return None, f"who holds {maker.name}" + (f"; {percent(ONE - told)} is not told" if owners else "")
    return False, ""


_TESTS: Mapping[str, Callable[..., Finding]] = {
    "wholly_obtained": _wholly_obtained,
    "tariff_shift": _tariff_shift,
    "value_content": _value_content,
    "stages": _stages,
    "last_transformation": _last_transformation,
    "content": _content,
    "entities": _entities,
}


def money(value: Decimal) -> str:
    """An amount with its cents, and further places where it has them.

    >>> money(Decimal("100.0")), money(Decimal("2.005")), money(Decimal(1234))
    ('100.00', '2.005', '1,234.00')
    """
    text = f"{value.normalize():,f}"
    whole, _, part = text.partition(".")
    return f"{whole}.{part.ljust(2, '0')}"


def percent(share: Decimal) -> str:
    """A share in per cent, two places at most.

    >>> percent(Decimal("0.4")), percent(Decimal("0.12345"))
    ('40 %', '12.35 %')
    """
    text = str((share * 100).quantize(Decimal("0.01"), ROUND_HALF_UP))
    return f"{text.rstrip('0').rstrip('.')} %"
