"""A measure stated by hand: what a lawyer writes to ask the screen about something that is in no agreement file.

A case says who does what to whom, with the facts as they are known, and may say which findings it expects. Past disputes are
replayed as cases. Numbers are taken as written; who has a free trade agreement with whom is looked up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from pydantic import Field, model_validator

from friendshore.errors import did_you_mean
from friendshore.law.screen.commitments import EUROPEAN_UNION, Commitments
from friendshore.law.screen.facts import FACTS, Fact
from friendshore.law.screen.judge import Bench, Finding, judge
from friendshore.law.screen.measures import Measure
from friendshore.law.screen.obligations import Grade, Touch
from friendshore.law.screen.text import Many, Text
from friendshore.marked import Marked, validate, wrong

WTO_BEGINS = date(1995, 1, 1)


class MeasureText(Text):
    """One act of one country or customs union."""

    clause: str = Field(description="What the measure is called.")
    article: str = Field("", description="Where it stands.")
    act: Touch = Field(description="The kind of act.")
    by: str = Field(description="Code of the country or customs union that acts.")
    goods: Many[str] = Field(description="What it falls on, in words.")
    burdens: Many[str] = Field(
        (), description="Codes of those burdened; all WTO members that are not spared if absent."
    )
    spares: Many[str] = Field((), description="Codes of those whose like goods escape.")
    facts: Mapping[str, str | float] = Field(
        default_factory=dict, description="Facts by name, as obligations ask for them."
    )

    @model_validator(mode="after")
    def the_facts_have_names(self) -> MeasureText:
        for name in self.facts:
            if name not in FACTS and not name.startswith("term."):
                hint = did_you_mean(name, FACTS) or "one of " + ", ".join(FACTS)
                raise wrong("unknown-fact", f"no fact is called {name!r}", hint=hint, at=("facts", name))
        return self


class Expected(Text):
    """A finding that a case must raise."""

    obligation: str
    grade: Grade
    by: str | None = Field(None, description="On whom, where several act.")


class Case(Text):
    """Measures, and what the screen should say about them."""

    case: str = Field(description="What the case is called.")
    dispute: str | None = Field(None, description="Id of the dispute that decided it.")
    day: date = Field(date(2026, 1, 1), description="The day whose memberships and agreements hold.")
    note: str = ""
    measures: Many[MeasureText]
    expects: Many[Expected] = ()
    expects_not: Many[str] = Field((), description="Obligations that must not be raised.")

    @model_validator(mode="after")
    def its_day_is_one_of_the_wto(self) -> Case:
        if self.day < WTO_BEGINS:
            hint = "put a measure of before to the obligations of a later day, and say so in a note"
            raise wrong("too-early", f"the WTO begins on {WTO_BEGINS}", hint=hint, at=("day",))
        return self


@dataclass(frozen=True)
class Judged:
    """The findings of a case, and in which expectations it fails."""

    case: Case
    findings: tuple[Finding, ...]
    untouched: tuple[str, ...]
    failures: tuple[str, ...]


def is_case(value: object) -> bool:
    """Whether a document states measures by hand."""
    return isinstance(value, Mapping) and "measures" in value and "case" in value


def read_case(marked: Marked) -> Case:
    """A case, or a refusal with every problem at its line."""
    return validate(Case, marked)


def judge_case(case: Case, bench: Bench, *, party: str | None = None) -> Judged:
    """Hold the obligations against the measures of a case."""
    stated = [_measure(text, bench.commitments, case.day) for text in case.measures]
    found, untouched = judge(stated, bench, party=party)
    failures: list[str] = []
    for expected in case.expects:
        grades: list[Grade] = [
            one.grade
            for one in found
            if one.obligation == expected.obligation and (expected.by is None or expected.by in one.bound)
        ]
        if expected.grade not in grades:
            said = ", ".join(grades) or "nothing"
            failures.append(f"{expected.obligation}: expected {expected.grade!r}, found {said}")
    for name in case.expects_not:
        if any(one.obligation == name and one.raised for one in found):
            failures.append(f"{name}: raised, though it should not be")
    return Judged(case, found, untouched, tuple(failures))


def _measure(text: MeasureText, held: Commitments, day: date) -> Measure:
    others = {code for code in held.members if held.is_member(code, day)} - {text.by, EUROPEAN_UNION}
    spared = frozenset(text.spares)
    burdened = frozenset(text.burdens) or frozenset(others - spared)
    return Measure(
        clause=text.clause,
        article=text.article,
        title="",
        touches=text.act,
        territory=text.by,
        members=frozenset({text.by}),
        lanes=tuple((good, burdened) for good in text.goods),
        facts=_facts(text, held, day, spared, burdened),
        favoured=spared,
        burdened=burdened,
        stated=True,
    )


def _facts(
    text: MeasureText, held: Commitments, day: date, spared: frozenset[str], burdened: frozenset[str]
) -> tuple[Fact, ...]:
    who = text.by
    members = {code for code in burdened if held.is_member(code, day)}
    favoured = {code for code in spared if held.is_member(code, day)}
    without = {code for code in favoured if held.free_trade(who, code, day) is None}
    derived: dict[str, tuple[str | float, str]] = {
        "origins": ("some" if favoured and members else "all", f"{len(favoured)} spared, {len(members)} burdened"),
        "burdened_members": (float(len(members)), ""),
        "burdened_sellers": (float(len(members)), ""),
        "spared_members": (float(len(favoured)), ""),
        "spared_without_agreement": (
            float(len(without)),
            "no free trade agreement in force with " + ", ".join(sorted(without)) if without else "",
        ),
    }
    given = dict(text.facts)
    ave, bound = given.get("ave_pct"), given.get("binding_pct")
    if isinstance(bound, int | float):
        derived["binding_known"] = ("yes", "")
        derived["binding"] = ("schedule", f"bound rate {bound:g} %")
        if isinstance(ave, int | float):
            derived["over_points"] = (float(ave - bound), f"{ave:g} % against {bound:g} % bound")
    facts = [Fact(name, who, value, said, "derived") for name, (value, said) in derived.items() if name not in given]
    facts += [Fact(name, who, value, _stated(name, value), "as stated") for name, value in given.items()]
    return tuple(facts)


def _stated(name: str, value: str | float) -> str:
    word = name.removeprefix("term.").replace("_", " ")
    unit = FACTS[name][0] if name in FACTS else ""
    return f"{word}: {value:g} {unit}".strip() if isinstance(value, int | float) else f"{word}: {value}"
