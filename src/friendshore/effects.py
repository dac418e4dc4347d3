"""What does each changed term of an agreement do, in tonnes and in money?

Every change is made alone to the earlier text and the markets are cleared again; then all of them together. What the
changes do only together is the difference, and stands in a line of its own. Finding the changes is `agreement.diff`'s.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from friendshore.agreement.diff import Change, diff
from friendshore.errors import FriendshoreError, MarketError
from friendshore.headline import Places, bound, difference, inside_prices, places, position, supply
from friendshore.instruments import KINDS
from friendshore.instruments.names import vocabulary
from friendshore.law.examine import screen
from friendshore.run import DEFAULT, Assumptions, clear_network, compile_world, guard, measures

if TYPE_CHECKING:
    from datetime import date

    from friendshore.agreement.document import Agreement
    from friendshore.faces import Wedge
    from friendshore.outcome import Outcome
    from friendshore.world.tables import World

MONEY = (
    "gain_of_parties", "gain_of_users", "gain_of_producers", "gain_of_treasuries", "levy_revenue", "gain_of_outsiders",
    "gain_of_world",
)  # fmt: skip


@dataclass(frozen=True)
class Effect:
    """What changes do when the markets are cleared again.

    changes  the changed terms that were made together
    usd      measure -> change, USD a year
    good     the good whose imports from outside move most, by value;  imports_t, output_t   its change, tonnes a year
    status   empty, or why there is no figure
    """

    changes: tuple[Change, ...]
    usd: dict[str, float]
    good: str
    imports_t: float
    output_t: float
    status: str = ""


@dataclass(frozen=True)
class Ground:
    """What a clause meets in what has been promised already, in each of two texts; no grade where it meets it in one only.

    clause, obligation  which of them;  name, article  of the obligation;  before, after  grades
    """

    clause: str
    obligation: str
    name: str
    article: str
    before: str
    after: str


@dataclass(frozen=True)
class Effects:
    """Two texts set against each other.

    before, after  id and digest of the texts
    parties        countries bound by either: whose gain is counted as the parties'
    effects        one for each change, or for those of one clause that only make sense together
    together       all of them
    """

    before: tuple[str, str]
    after: tuple[str, str]
    as_of: date
    parties: tuple[str, ...]
    effects: tuple[Effect, ...]
    together: Effect
    seconds: float
    legal: tuple[Ground, ...] = ()

    @property
    def only_together(self) -> dict[str, float]:
        """What no change does alone: the whole less the sum of the effects, USD a year."""
        return {
            name: whole - sum(e.usd.get(name, 0.0) for e in self.effects) for name, whole in self.together.usd.items()
        }

    def document(self) -> dict[str, Any]:
        """The comparison as plain JSON values."""
        return {
            "before": {"id": self.before[0], "digest": self.before[1]},
            "after": {"id": self.after[0], "digest": self.after[1]},
            "as_of": self.as_of.isoformat(),
            "parties": list(self.parties),
            "changes": [_plain(effect) for effect in self.effects],
            "together": _plain(self.together),
            "only_together_usd": self.only_together,
            "legal": [asdict(ground) for ground in self.legal],
            "seconds": self.seconds,
        }


def effects(
    world: World,
    before: Agreement,
    after: Agreement,
    *,
    as_of: date | None = None,
    assume: Assumptions = DEFAULT,
    shocks: Iterable[Wedge] = (),
    legal: bool = False,
    progress: Callable[[str], None] = lambda _: None,
) -> Effects:
    """Set two texts against each other: each changed term, and what it does.

    Parameters
    ----------
    world : the base year
    before, after : the earlier and the later text
    as_of : day whose terms are run, in both; the later text's run date if None
    assume, shocks : as `study`
    legal : whether to screen both texts too, and say where what they meet in promises already made differs

    Raises
    ------
    MarketError   a text without an answer;  InputRefused   terms that cannot be read
    """
    began = time.perf_counter()
    before, after = before.checked(world), after.checked(world)
    as_of = as_of or after.run_date
    shocks = tuple(shocks)
    network = compile_world(world, assume)
    at = places(world, bound(before, world, as_of) | bound(after, world, as_of))

    def cleared(deal: Agreement, start: Any) -> Outcome:
        wedges = [*measures(world, deal, as_of, assume)[0], *shocks]
        outcome = clear_network(world, network, wedges, assume=assume, as_of=as_of, start=start)
        if not deal.safeguards:
            return outcome
        quo = [*measures(world, None, as_of, assume)[0], *shocks]
        plain = clear_network(world, network, quo, assume=assume, as_of=as_of)
        return guard(world, network, deal, plain, outcome, as_of=as_of, assume=assume, extra=shocks)[0]

    progress("clearing the earlier and the later text")
    first = cleared(before, None)
    second = cleared(after, first.state)
    changes = diff(before, after)
    found: list[Effect] = []
    made = _steps(world, before, after, changes)
    for number, (held, deal) in enumerate(made, start=1):
        progress(f"change {number} of {len(made)}")
        if deal is None:
            found.append(Effect(held, dict.fromkeys(MONEY, 0.0), "", 0.0, 0.0))
            continue
        try:
            found.append(_effect(held, first, cleared(deal, first.state), at))
        except MarketError as stuck:
            found.append(Effect(held, {}, "", 0.0, 0.0, f"alone it has no answer: {stuck}"))
        except FriendshoreError as refused:
            found.append(
                Effect(held, {}, "", 0.0, 0.0, f"alone it makes no sense: {str(refused).splitlines()[0].strip()}")
            )
    if legal:
        progress("screening both texts")
    return Effects(
        before=(before.id, before.digest),
        after=(after.id, after.digest),
        as_of=as_of,
        parties=tuple(sorted(at.parties)),
        effects=tuple(found),
        together=_effect(changes, first, second, at),
        legal=grounds(world, before, after, as_of) if legal else (),
        seconds=time.perf_counter() - began,
    )


def _effect(changes: Sequence[Change], first: Outcome, second: Outcome, at: Places) -> Effect:
    money = difference(position(first, at), position(second, at))
    moved = difference(supply(first, at), supply(second, at))
    price = inside_prices(first, at)
    goods = sorted(name.partition(".")[2] for name in moved if name.startswith("imports."))

    def weight(good: str) -> float:
        return abs(moved[f"imports.{good}"]) * price.get(f"price_inside.{good}", 0.0)

    good = max(goods, key=weight, default="")
    if not good or weight(good) < 1.0:  # a dollar's worth: nothing moves
        return Effect(tuple(changes), {name: money[name] for name in MONEY}, "", 0.0, 0.0)
    return Effect(
        changes=tuple(changes),
        usd={name: money[name] for name in MONEY},
        good=good,
        imports_t=moved[f"imports.{good}"],
        output_t=moved.get(f"output.{good}", 0.0),
    )


def _steps(
    world: World, before: Agreement, after: Agreement, changes: Sequence[Change]
) -> list[tuple[tuple[Change, ...], Agreement | None]]:
    """The changes to be made alone, and the earlier text with each; None in place of a text no market would notice."""
    found: list[tuple[tuple[Change, ...], Agreement | None]] = []
    by_part: dict[tuple[str, str], list[Change]] = {}
    for change in changes:
        by_part.setdefault((change.kind, change.part), []).append(change)
    for (kind, part), held in by_part.items():
        by_field: dict[str, list[Change]] = {}
        for change in held:
            by_field.setdefault(change.field, []).append(change)
        alone: list[tuple[tuple[Change, ...], Agreement | None]] = []
        for key, some in by_field.items():
            if key and some[0].words_only:
                alone.append((tuple(some), None))
            elif (deal := _one(world, before, after, kind, part, key)) is not None:
                alone.append((tuple(some), deal))
            else:  # the terms of this clause only make sense together
                alone = [(tuple(held), _one(world, before, after, kind, part, ""))]
                break
        found += alone
    return found


def grounds(world: World, before: Agreement, after: Agreement, as_of: date) -> tuple[Ground, ...]:
    """Legal findings that one of two texts has and the other has not, or that are graded differently.

    Raises
    ------
    InputRefused, MarketError   as `law.examine.screen`
    """
    held: list[dict[tuple[str, str], tuple[str, str, str]]] = []
    for text in (before, after):
        found: dict[tuple[str, str], tuple[str, str, str]] = {}
        for one in screen(world, text, as_of=as_of).findings:
            key = (one.clause, one.obligation)
            grades = sorted({str(one.grade), *found.get(key, ("", "", ""))[2].split(", ")} - {""})
            found[key] = (one.name, one.article, ", ".join(grades))
        held.append(found)
    old, new = held
    rows = []
    for key in sorted({*old, *new}):
        first, second = old.get(key, ("", "", "")), new.get(key, ("", "", ""))
        if first[2] != second[2]:
            name, article, _ = new.get(key, first)
            rows.append(Ground(*key, name, article, first[2], second[2]))
    return tuple(rows)


def _one(world: World, before: Agreement, after: Agreement, kind: str, part: str, key: str) -> Agreement | None:
    """The earlier text with one change; None where a clause cannot be read with this term alone."""
    if kind == "agreement":
        return before.altered(**{key: getattr(after, key)})
    if kind == "parties":
        code = part.partition(" ")[2]
        new = {party.code: party for party in after.parties}
        return before.altered(parties=_replaced(before.parties, code, new.get(code), "code"))
    new_clauses = {clause.id: clause for clause in getattr(after, kind)}
    clause = new_clauses.get(part)
    if key:
        one, other = before.written(kind, part), after.written(kind, part)
        if one is None or other is None:
            return None
        text = {name: value for name, value in one.items() if name != key}
        text |= {key: other[key]} if key in other else {}
        try:
            clause = KINDS[kind].model_validate(text, context={"vocabulary": vocabulary(world)})
        except ValidationError:
            return None
    return before.altered(**{kind: _replaced(getattr(before, kind), part, clause, "id")})


def _replaced(held: Sequence[Any], name: str, new: Any, key: str) -> tuple[Any, ...]:
    """The items with one replaced, added at the end where there was none, or left out where there is none now."""
    there = any(getattr(item, key) == name for item in held)
    made = [new if getattr(item, key) == name else item for item in held] + ([] if there else [new])
    return tuple(item for item in made if item is not None)


def _plain(effect: Effect) -> dict[str, Any]:
    return {
        "changes": [
            {
                "part": change.part,
                "kind": change.kind,
                "article": change.article,
                "what": change.what,
                "term": change.term,
                "before": change.before,
                "after": change.after,
                "words": change.words,
            }
            for change in effect.changes
        ],
        "usd": effect.usd,
        "good": effect.good,
        "imports_t": effect.imports_t,
        "output_t": effect.output_t,
        "status": effect.status,
    }
