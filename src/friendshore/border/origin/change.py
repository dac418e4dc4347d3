"""What would make a product qualify, and what is the cheapest of it? Each change is made and judged; none is guessed.

Five kinds: another material at a stated price, a stage done elsewhere at a stated cost, foreign value replaced by value of
the area, a proof that was missing, a fact that was not told. A change whose cost nobody stated comes after those with one.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import ROUND_DOWN, ROUND_UP, Decimal
from typing import Literal

from friendshore.border.origin.bill import Bill, Done, Evidence, Material, Move, Offer
from friendshore.border.origin.judge import PRODUCT, Area, Excess, Verdict, judge, money
from friendshore.origin_rules.rule import STAGES, Stage

Way = Literal["substitute", "move", "replace_value", "prove"]
Edit = Callable[[Bill], Bill]

PAIRS_MAX = 60  # so many single changes, the cheapest, are tried two by two
WORKING: tuple[Stage, ...] = ("recycled", *(stage for stage in STAGES if stage != "recycled"))  # the order of working
STEPS = {"value": Decimal("0.01"), "mass": Decimal("0.000001")}  # an amount is bought by the cent or by the milligram
CENT = Decimal("0.01")
SHIFTED = "bought in the area instead"


@dataclass(frozen=True)
class Change:
    """One change, or two together, that qualifies the product.

    `cost` is for one unit of the product, in the bill's currency; none where nobody stated it.
    """

    ways: tuple[Way, ...]
    says: str
    lines: tuple[str, ...]
    cost: Decimal | None
    verdict: Verdict


@dataclass(frozen=True)
class _Step:
    """A change to be tried."""

    way: Way
    says: str
    line: str
    cost: Decimal | None
    edit: Edit
    stage: Stage | None = None  # that is moved


def changes(verdict: Verdict, area: Area) -> tuple[Change, ...]:
    """The single changes that would qualify the product, the cheapest first, those whose cost nobody stated last.

    Where no single change with a stated cost does, pairs of two with a stated cost are tried too. Nothing for a product that
    qualifies. Of what the bill offers, every change is tried by judging the changed bill.
    """
    if verdict.answer is True:
        return ()
    steps = list(_steps(verdict))
    single = [found for step in steps if (found := _tried((step,), verdict, area)) is not None]
    if any(found.cost is not None for found in single):
        return _ranked(single)
    priced = sorted((step for step in steps if step.cost is not None), key=lambda step: (step.cost, step.says))[
        :PAIRS_MAX
    ]
    both = (_tried(pair, verdict, area) for pair in itertools.combinations(priced, 2) if _apart(*pair))
    return _ranked([*single, *(found for found in both if found is not None)])


def offered(verdict: Verdict) -> int:
    """How many single changes with a stated cost there are to be tried."""
    return sum(step.cost is not None for step in _steps(verdict))


def _apart(one: _Step, other: _Step) -> bool:
    """Whether two changes can be made together: to different lines, or two stages of one line moved."""
    return one.line != other.line or (one.way == other.way == "move" and one.stage != other.stage)


def _ranked(found: list[Change]) -> tuple[Change, ...]:
    return tuple(sorted(found, key=lambda one: (one.cost is None, one.cost or Decimal(0), one.says)))


def _tried(steps: tuple[_Step, ...], verdict: Verdict, area: Area) -> Change | None:
    bill = verdict.bill
    for step in steps:
        bill = step.edit(bill)
    if sum((line.value for line in bill.materials), Decimal(0)) > bill.price:
        return None  # dearer than what it is sold for: the price would have to rise, which the bill does not say
    after = judge(bill, verdict.rule, area, verdict.day)
    if after.answer is not True:
        return None
    costs = [step.cost for step in steps]
    total = None if None in costs else sum((cost for cost in costs if cost is not None), Decimal(0))
    return Change(
        ways=tuple(step.way for step in steps),
        says="; and ".join(step.says for step in steps),
        lines=tuple(step.line for step in steps),
        cost=total,
        verdict=after,
    )


def _steps(verdict: Verdict) -> Iterator[_Step]:
    bill = verdict.bill
    for offer in bill.offers:
        yield _substitute(offer, bill)
    for move in bill.moves:
        yield _move(move, verdict)
    yield from _proofs(verdict)
    if verdict.finding is not None:
        for leaf in verdict.finding.leaves():
            if leaf.excess is not None and leaf.excess.lines:
                yield _replaced(leaf.excess, verdict)


def _line(bill: Bill, name: str) -> Material:
    return next(line for line in bill.materials if line.id == name)


def _with_line(bill: Bill, name: str, line: Material) -> Bill:
    return bill.model_copy(update={"materials": tuple(line if each.id == name else each for each in bill.materials)})


def _substitute(offer: Offer, bill: Bill) -> _Step:
    old, new = _line(bill, offer.replaces), offer.with_
    cost = new.value - old.value + (offer.cost or Decimal(0))
    says = f"{old.id}: take {new.what or new.id} from {new.origin or 'an origin not told'} at {money(new.value)} for {money(old.value)}"
    renamed = new.model_copy(update={"id": old.id})
    return _Step("substitute", says, old.id, cost, lambda held: _with_line(held, old.id, renamed))


def _move(move: Move, verdict: Verdict) -> _Step:
    def moved(stages: tuple[Done, ...] | None) -> tuple[Done, ...]:
        done, held = Done(stage=move.stage, country=move.to), stages or ()
        if any(each.stage == move.stage for each in held):
            return tuple(done if each.stage == move.stage else each for each in held)
        after = [k for k, each in enumerate(held) if WORKING.index(each.stage) > WORKING.index(move.stage)]
        place = min(after, default=len(held))
        return (*held[:place], done, *held[place:])

    def edit(held: Bill) -> Bill:
        if move.of:
            line = _line(held, move.of)
            return _with_line(held, move.of, _worked_there(line, moved(line.stages), move, verdict))
        update: dict[str, object] = {"stages": moved(held.stages)}
        if move.stage == "produced":
            update["made_in"] = move.to
        return held.model_copy(update=update)

    says = f"{move.of or PRODUCT}: have it {move.stage} in {move.to}"
    return _Step("move", says, move.of or PRODUCT, move.cost, edit, move.stage)


def _worked_there(line: Material, stages: tuple[Done, ...], move: Move, verdict: Verdict) -> Material:
    """The line with its stage elsewhere: if that is its last one, it is of that country, and whoever does it declares so."""
    update: dict[str, object] = {"stages": stages}
    if stages[-1].stage == move.stage:
        asked = verdict.rule.proof
        update["origin"] = move.to
        update["proof"] = Evidence(kind=asked.kinds[0], date=verdict.day) if asked is not None else None
    return line.model_copy(update=update)


def _proofs(verdict: Verdict) -> Iterator[_Step]:
    """A valid proof for each line of the area that has none."""
    asked = verdict.rule.proof
    if asked is None:
        return
    for line in verdict.bill.materials:
        status = verdict.status[line.id]
        if status.own is not None or line.origin is None:
            continue
        kind = asked.kinds[0]
        proof = Evidence(kind=kind, date=verdict.day)
        proven = line.model_copy(update={"proof": proof})
        yield _Step(
            "prove",
            f"{line.id}: get a {kind.replace('_', ' ')} from {line.maker.name if line.maker else 'its supplier'}",
            line.id,
            line.proof_cost,
            lambda held, line=line, proven=proven: _with_line(held, line.id, proven),  # type: ignore[misc]
        )


def _replaced(excess: Excess, verdict: Verdict) -> _Step:
    """So much of the foreign materials bought in the area instead, from the first failing line on.

    By value the cost is the same whichever line it comes from; by mass the lines that are cheapest by the kilogram go first.
    """
    bill, step = verdict.bill, STEPS[excess.by]
    left = excess.amount.quantize(step, ROUND_DOWN if excess.more else ROUND_UP) + (step if excess.more else 0)
    lines = [_line(bill, name) for name in excess.lines]
    if excess.by == "mass":
        lines.sort(key=lambda line: (line.value / line.mass_kg if line.mass_kg else line.value, line.id))
    parts: dict[str, Material] = {}
    for line in lines:
        size = line.value if excess.by == "value" else line.mass_kg
        if size and left > 0:
            taken = min(left, size)
            left -= taken
            parts[line.id] = _part(line, taken, excess.by)
    value = sum((part.value for part in parts.values()), Decimal(0))
    cost = None if bill.premium is None else (value * bill.premium).quantize(CENT, ROUND_UP)
    says = f"{', '.join(parts)}: buy {money(value.quantize(CENT, ROUND_UP))} {bill.currency} of foreign materials in {bill.made_in} instead"

    def edit(held: Bill) -> Bill:
        found: list[Material] = []
        for line in held.materials:
            if (part := parts.get(line.id)) is None:
                found.append(line)
                continue
            mass = None if line.mass_kg is None or part.mass_kg is None else line.mass_kg - part.mass_kg
            rest = line.model_copy(update={"value": line.value - part.value, "mass_kg": mass})
            found += [rest] if rest.value or rest.mass_kg else []
            found.append(_of_the_area(part, held, verdict))
        return held.model_copy(update={"materials": tuple(found)})

    return _Step("replace_value", says, excess.lines[0], cost, edit)


def _part(line: Material, taken: Decimal, by: Literal["value", "mass"]) -> Material:
    """So much of a line, by value or by mass, with its mass or value in proportion."""
    if by == "value":
        mass = None if line.mass_kg is None else line.mass_kg * taken / line.value
        return line.model_copy(update={"value": taken, "mass_kg": mass})
    assert line.mass_kg is not None
    return line.model_copy(update={"value": line.value * taken / line.mass_kg, "mass_kg": taken})


def _of_the_area(part: Material, bill: Bill, verdict: Verdict) -> Material:
    """The same material of the country of production, its whole history there and proven."""
    asked = verdict.rule.proof
    return part.model_copy(
        update={
            "id": f"{part.id}, {SHIFTED}",
            "origin": bill.made_in,
            "stages": (Done(stage="mined", country=bill.made_in),),
            "without": STAGES,
            "maker": bill.maker,
            "made_of": (),
            "proof": Evidence(kind=asked.kinds[0], date=verdict.day) if asked is not None else None,
        }
    )
