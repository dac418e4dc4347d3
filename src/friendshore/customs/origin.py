"""The rule of origin that an agreement names, with its own levels and its parties on a day, handed to `border.origin`.

One definition: the trade area's `origin` term says what a proof of origin proves at the border, and by it a bill of
materials is judged.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from friendshore.agreement import schedule
from friendshore.border.origin.judge import Area
from friendshore.errors import InputRefused, Problem
from friendshore.instruments.names import country_code, iso_names, members, unions
from friendshore.instruments.trade_area import TradeArea
from friendshore.origin_rules.rule import Rule, find_rule, with_terms

if TYPE_CHECKING:
    from friendshore.agreement.document import Agreement
    from friendshore.world.tables import World


@dataclass(frozen=True)
class Named:
    """A rule with the area that it is read for, and the clause that names it (none: it was chosen by hand)."""

    rule: Rule
    area: Area
    clause: str = ""
    article: str = ""


def countries() -> frozenset[str]:
    """The codes that a bill may name."""
    return frozenset(iso_names())


def area_of(codes: Iterable[str]) -> Area:
    """The area of some parties; a customs union stands for its members.

    Raises
    ------
    InputRefused   a code that no country has

    >>> sorted(area_of(["JPN", "EU"]).parties)[:3]
    ['AUT', 'BEL', 'BGR']
    """
    from pydantic_core import PydanticCustomError

    found: set[str] = set()
    problems: list[Problem] = []
    for word in codes:
        try:
            found |= members(country_code(word))
        except PydanticCustomError as error:
            context = error.context or {}
            problems.append(Problem(error.type, str(context.get("message")), None, "parties", str(context.get("hint"))))
    if problems:
        raise InputRefused(problems)
    return Area(frozenset(found), {member: union for union in sorted(unions()) for member in unions()[union]})


def named_rules(world: World, deal: Agreement, day: date) -> tuple[Named, ...]:
    """The rules that the agreement's trade areas name on a day, with the parties that are bound then.

    Raises
    ------
    InputRefused   an agreement whose trade areas name none, or bind nobody on the day
    """
    bound = deal.checked(world)
    here = schedule.setting(bound, world, day)
    found = []
    for clause in bound.clauses:
        if not isinstance(clause, TradeArea) or clause.origin is None:
            continue
        parties = [party.code for party in here.bound(clause)]
        if not parties:
            continue
        term = clause.origin
        rule = with_terms(
            find_rule(term.rule),
            value_content=term.value_content,
            method=term.method,
            tolerance=term.tolerance,
            cumulation=term.cumulation,
        )
        area = area_of(parties)
        found.append(Named(rule.model_copy(update={"parties": ()}), area, clause.id, clause.article))
    if not found:
        hint = "give a rule too: friendshore origin BOM --agreement A --rule value_content"
        raise InputRefused.because("no-rule", f"no trade area in force on {day} names a rule of origin", hint=hint)
    return tuple(found)


def chosen_rule(
    words: str,
    parties: Iterable[str],
    world: World | None = None,
    deal: Agreement | None = None,
    day: date | None = None,
) -> Named:
    """A rule chosen by hand, for parties named by hand, by the rule itself or by an agreement."""
    rule = find_rule(words)
    codes = list(parties)
    if not codes and deal is not None and world is not None and day is not None:
        codes = sorted(schedule.setting(deal.checked(world), world, day).insiders())
    area = area_of(codes)
    return Named(rule.model_copy(update={"parties": ()}) if codes else rule, area)
