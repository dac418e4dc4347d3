"""Governance: how the parties decide, and what that makes of them. Who can block, whose vote counts how much, what is due when.

Power is counted exactly, over every coalition; deadlines are counted in days from the day on which a procedure is opened.
What is only described in words is kept and shown, and nothing is computed from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from math import factorial, lcm
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

import numpy as np
from pydantic import Discriminator, Field, Tag, model_validator

from friendshore.agreement import schedule
from friendshore.errors import InputRefused, did_you_mean
from friendshore.instruments.clause import NotNegative, Share
from friendshore.instruments.dates import Day, Many, Months, Term, after
from friendshore.instruments.names import CountryCode
from friendshore.marked import wrong

if TYPE_CHECKING:
    from friendshore.agreement.document import Agreement
    from friendshore.world.tables import World

VOTERS = 20  # coalitions double with each: a million at twenty
SHOWN = 12  # blocking coalitions that are named
MISSED = {
    "approved": "it counts as approved",
    "refused": "it counts as refused",
    "next_step": "the next step may be asked for",
    "lapses": "the procedure ends without a result",
    "stands": "the measure stands as it is",
    "suspends": "the party that asked may suspend what it granted",
    "withdrawn": "the measure counts as withdrawn",
}
Missed = Literal["approved", "refused", "next_step", "lapses", "stands", "suspends", "withdrawn"]
PROCEDURES = ("review", "accession", "withdrawal", "disputes")


class Count(Term):
    """One way to count votes, and what it takes."""

    votes: Annotated[
        Annotated[Literal["equal", "gdp"], Tag("rule")] | Annotated[dict[CountryCode, NotNegative], Tag("stated")],
        Discriminator(lambda value: "rule" if isinstance(value, str) else "stated"),
    ] = Field("equal", description="equal (one each), gdp (gross domestic product), or the votes of each party.")
    more_than: Share | None = Field(
        None, description="Carried with more than this part of the votes: 0.5 is a majority."
    )
    at_least: Share | None = Field(None, description="Carried with at least this part of the votes.")

    @model_validator(mode="after")
    def one_threshold(self) -> Self:
        if self.more_than is not None and self.at_least is not None:
            raise wrong("unused-term", "votes are carried with more_than or with at_least, not both", at=("at_least",))
        return self


class Decisions(Count):
    """A decision rule."""

    rule: Literal["unanimity", "consensus", "majority", "double_majority"] = Field(
        description="unanimity, consensus (nobody objects), majority (of one count) or double_majority (of two)."
    )
    second: Count | None = Field(None, description="The second count of a double majority.")
    vetoes: Many[CountryCode] = Field((), description="Parties without which nothing is carried.")
    text: str = Field("", description="The rule in words.")

    @model_validator(mode="after")
    def the_rule_has_its_terms(self) -> Self:
        given = [key for key in ("votes", "more_than", "at_least", "second") if key in self.model_fields_set]
        if self.rule in ("unanimity", "consensus") and given:
            raise wrong("unused-term", f"{given[0]} has no meaning under {self.rule}", at=(given[0],))
        if (self.rule == "double_majority") != (self.second is not None):
            raise wrong("missing", "a double majority has a second count, and only a double majority")
        return self


class Step(Term):
    """Something that is due within some days, and what follows if it is missed."""

    name: str = Field(description="What is due.", min_length=1)
    days: int = Field(description="Within how many days.", ge=1, le=3660)
    after: str = Field("", description="The step from whose deadline they count; from the opening if absent.")
    who: str = Field("", description="Who has to act.")
    if_missed: Missed = Field(description=f"What follows if it is missed: {', '.join(MISSED)}.")


class Procedure(Term):
    """Review, accession, withdrawal or dispute: its rule and its timetable."""

    text: str = Field("", description="The procedure in words.")
    decisions: Decisions | None = Field(None, description="Its own decision rule, where it is not the agreement's.")
    every: Months | None = Field(None, description="How often it is opened, such as 1y; on request if absent.")
    first: Day | None = Field(None, description="When it is first opened; a period after entry into force if absent.")
    notice: Months | None = Field(None, description="Notice that has to be given, such as 6m.")
    steps: Many[Step] = Field((), description="What is due when, counted in days.")

    @model_validator(mode="after")
    def steps_follow_one_another(self) -> Self:
        before: list[str] = []
        for number, step in enumerate(self.steps):
            if step.name in before:
                raise wrong("duplicate-id", f"{step.name!r} is a step already", at=("steps", number, "name"))
            if step.after and step.after not in before:
                hint = did_you_mean(step.after, before) or "steps count from an earlier one, or from the opening"
                raise wrong(
                    "unknown-step", f"no earlier step is called {step.after!r}", hint=hint, at=("steps", number)
                )
            before.append(step.name)
        if self.first is not None and self.every is None:
            raise wrong("unused-term", "a first day is for what is opened every so often", at=("first",))
        return self


def _kind(value: Any) -> str:
    return "words" if isinstance(value, str) else "terms"


WordsOrDecisions = Annotated[Annotated[str, Tag("words")] | Annotated[Decisions, Tag("terms")], Discriminator(_kind)]
WordsOrProcedure = Annotated[Annotated[str, Tag("words")] | Annotated[Procedure, Tag("terms")], Discriminator(_kind)]


class Governance(Term):
    """How the agreement is run. A part in words is kept and shown; a part in terms is evaluated.

    Promises, where stated in terms: `friendshore agreement votes` says who can block, how much each vote counts, and on
    which day each deadline falls.
    """

    decisions: WordsOrDecisions = Field("", description="How the parties decide: words, or a rule.")
    union_votes: Literal["one", "members"] = Field(
        "one", description="Whether a customs union has one vote, or each of its members."
    )
    review: WordsOrProcedure = Field("", description="When and how terms are reviewed: words, or a procedure.")
    accession: WordsOrProcedure = Field("", description="How others join: words, or a procedure.")
    withdrawal: WordsOrProcedure = Field("", description="How a party leaves: words, or a procedure.")
    disputes: WordsOrProcedure = Field("", description="How disputes are settled: words, or a procedure.")

    def rules(self) -> dict[str, Decisions]:
        """Every decision rule that is stated in terms, by what it decides."""
        found = {"decisions": self.decisions} if isinstance(self.decisions, Decisions) else {}
        for name, procedure in self.procedures().items():
            if procedure.decisions is not None:
                found[name] = procedure.decisions
        return found

    def procedures(self) -> dict[str, Procedure]:
        """Every procedure that is stated in terms."""
        held = {name: getattr(self, name) for name in PROCEDURES}
        return {name: procedure for name, procedure in held.items() if isinstance(procedure, Procedure)}


@dataclass(frozen=True, slots=True)
class Voter:
    """What one party's vote is worth under a rule.

    banzhaf : part of the coalitions of the others that it turns from losing to winning, the normalised index beside it
    shapley : Shapley-Shubik, the part of all orders of joining in which it is the one that tips the vote
    """

    code: str
    votes: tuple[float, ...]
    blocks: bool
    banzhaf: Fraction
    banzhaf_share: Fraction
    shapley: Fraction

    @property
    def idle(self) -> bool:
        """Whether its vote never matters."""
        return not self.banzhaf


@dataclass(frozen=True, slots=True)
class Power:
    """A rule, its voters and the smallest groups that stop a decision."""

    decides: str
    rule: str
    counts: tuple[str, ...]  # what each count adds up: `votes`, one each or as stated, or `gdp`, USD
    voters: tuple[Voter, ...]
    carried: int  # winning coalitions
    coalitions: int  # all of them
    blocking: tuple[tuple[str, ...], ...]  # the smallest: no member can be left out
    blocking_left_out: int


@dataclass(frozen=True, slots=True)
class Deadline:
    """Something due on a day."""

    procedure: str
    step: str
    who: str
    opened: date
    due: date
    if_missed: str


def power(deal: Agreement, world: World, as_of: date) -> tuple[Power, ...]:
    """Every decision rule of an agreement evaluated for the parties bound on a day.

    Raises
    ------
    InputRefused   more than twenty voters, votes for who has none, a gross domestic product that is not known
    """
    deal = deal.checked(world)
    terms = deal.governance
    here = schedule.setting(deal, world, as_of)
    voters: list[str] = []
    for party in deal.parties:
        if here.members(party.code) and here.members(party.code) <= here.insiders():
            voters += sorted(here.members(party.code)) if terms.union_votes == "members" else [party.code]
    gdp = {code: sum(here.gdp_usd.get(each, 0.0) for each in here.members(code)) for code in voters}
    return tuple(count(name, rule, tuple(voters), gdp) for name, rule in terms.rules().items())


def count(decides: str, rule: Decisions, voters: Sequence[str], gdp: Mapping[str, float]) -> Power:
    """The power of every voter under a rule, exactly, over all coalitions.

    Parameters
    ----------
    decides : what is decided
    voters : codes of those who vote, at most twenty
    gdp : gross domestic product of each, USD

    Raises
    ------
    InputRefused   more than twenty voters, votes for who has none, a gross domestic product that is not known

    Source: Banzhaf (1965); Shapley and Shubik (1954).
    """
    many = len(voters)
    path = "governance.decisions" if decides == "decisions" else f"governance.{decides}.decisions"
    if not 0 < many <= VOTERS:
        hint = "let a customs union have one vote: union_votes: one" if many > VOTERS else ""
        message = f"{many} voters, where power is counted for one to {VOTERS}"
        raise InputRefused.because("too-many-voters", message, path=path, hint=hint)
    counts = _counts(rule)
    votes = [_votes(each, voters, gdp, path) for each in counts]
    carries = np.ones(2**many, dtype=bool)
    for each, held in zip(counts, votes, strict=True):
        carries &= _sums(held) >= _needed(each, sum(held))
    members = _members(many)
    for code in rule.vetoes:
        if code in voters:
            carries &= (members >> voters.index(code)) & 1 == 1
    swings = [_swings(carries, voter, many) for voter in range(many)]
    total = sum(sum(each) for each in swings)
    everyone = 2**many - 1
    found = tuple(
        Voter(
            code=code,
            votes=tuple(float(Fraction(held[i], scale)) for held, scale in zip(votes, _scales(counts), strict=True)),
            blocks=not carries[everyone ^ (1 << i)],
            banzhaf=Fraction(sum(swings[i]), 2 ** (many - 1)),
            banzhaf_share=Fraction(sum(swings[i]), total) if total else Fraction(0),
            shapley=sum(
                (
                    Fraction(factorial(size) * factorial(many - 1 - size), factorial(many)) * number
                    for size, number in enumerate(swings[i])
                ),
                Fraction(0),
            ),
        )
        for i, code in enumerate(voters)
    )
    blocking = _smallest(~carries[::-1], many)  # a group blocks where the others alone do not carry
    named = [tuple(voters[i] for i in range(many) if group >> i & 1) for group in blocking]
    return Power(
        decides=decides,
        rule=words(rule),
        counts=tuple("gdp" if each.votes == "gdp" else "votes" for each in counts),
        voters=found,
        carried=int(carries.sum()),
        coalitions=2**many,
        blocking=tuple(named[:SHOWN]),
        blocking_left_out=max(0, len(named) - SHOWN),
    )


def words(rule: Decisions) -> str:
    """A rule in a sentence."""
    if rule.rule == "unanimity":
        said = "all parties"
    elif rule.rule == "consensus":
        said = "consensus: no party objects"
    else:
        said = " and ".join(_words(each) for each in _counts(rule))
    return said + (f", with {', '.join(rule.vetoes)}" if rule.vetoes else "")


def calendar(deal: Agreement, opened: date, *, reviews: int = 3) -> tuple[Deadline, ...]:
    """What falls due when: every procedure opened on a day, and the next times that a regular one opens by itself.

    Days count from the opening, or from the deadline of an earlier step; a notice ends so many months after it.
    """
    found: list[Deadline] = []
    for name, procedure in deal.governance.procedures().items():
        days = [opened]
        if procedure.every is not None:
            first = procedure.first or after(deal.in_force, procedure.every)
            days, number = [], 0
            while len(days) < reviews:
                day = after(first, number * procedure.every)
                number += 1
                if day >= opened:
                    days.append(day)
        for day in days:
            found += _due(name, procedure, day)
    return tuple(sorted(found, key=lambda each: (each.due, each.procedure)))


def _due(name: str, procedure: Procedure, opened: date) -> Iterable[Deadline]:
    if procedure.every is not None:
        yield Deadline(name, "opens", "", opened, opened, "")
    if procedure.notice is not None:
        yield Deadline(name, "notice ends", "", opened, after(opened, procedure.notice), "it takes effect")
    due: dict[str, date] = {"": opened}
    for step in procedure.steps:
        due[step.name] = due[step.after] + timedelta(days=step.days)
        yield Deadline(name, step.name, step.who, opened, due[step.name], MISSED[step.if_missed])


def _counts(rule: Decisions) -> list[Count]:
    if rule.rule in ("unanimity", "consensus"):
        return [Count.model_validate({"at_least": 1})]
    return [rule, *([rule.second] if rule.second is not None else [])]


def _words(count: Count) -> str:
    of = {"equal": "the parties", "gdp": "their gross domestic product"}.get(str(count.votes), "the votes")
    if count.at_least is not None:
        return f"at least {100 * float(count.at_least):g} % of {of}"
    return f"more than {100 * float(_more_than(count)):g} % of {of}"


def _more_than(count: Count) -> Fraction:
    return Fraction(1, 2) if count.more_than is None else Fraction(count.more_than)


def _scales(counts: Iterable[Count]) -> list[int]:
    """Whole votes per vote: a stated vote may have decimals."""
    stated = [each.votes.values() if isinstance(each.votes, dict) else () for each in counts]
    return [lcm(*(Fraction(votes).denominator for votes in held)) for held in stated]


def _votes(count: Count, voters: Sequence[str], gdp: Mapping[str, float], path: str) -> list[int]:
    """Votes as whole numbers, so that a tie is a tie."""
    if count.votes == "equal":
        return [1] * len(voters)
    if count.votes == "gdp":
        if unknown := [code for code in voters if not gdp.get(code)]:
            message = f"the gross domestic product of {', '.join(unknown)} is not known in this world"
            raise InputRefused.because("no-gdp", message, path=path, hint="state the votes of each party")
        return [round(gdp[code]) for code in voters]
    assert isinstance(count.votes, dict)
    if strangers := [code for code in count.votes if code not in voters]:
        hint = did_you_mean(strangers[0], voters) or f"those who vote are {', '.join(voters)}"
        raise InputRefused.because("votes", f"{', '.join(strangers)} has votes and does not vote", path=path, hint=hint)
    if without := [code for code in voters if code not in count.votes]:
        raise InputRefused.because("votes", f"how many votes have {', '.join(without)}?", path=path)
    (scale,) = _scales([count])
    return [int(Fraction(count.votes[code]) * scale) for code in voters]


def _needed(count: Count, total: int) -> int:
    """The whole votes that carry."""
    if count.at_least is not None:
        exact = Fraction(count.at_least) * total
        return -(-exact.numerator // exact.denominator)
    exact = _more_than(count) * total
    return exact.numerator // exact.denominator + 1


def _sums(votes: Sequence[int]) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Votes of every coalition; bit i of its number says whether voter i is in it."""
    sums = np.zeros(1, dtype=np.int64)
    for each in votes:
        sums = np.concatenate([sums, sums + each])
    return sums


def _members(many: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    return np.arange(2**many, dtype=np.int64)


def _swings(carries: np.ndarray[Any, np.dtype[np.bool_]], voter: int, many: int) -> list[int]:
    """Coalitions of the others that a voter turns from losing to winning, by how many the others are."""
    sizes = _sums([1] * many).reshape(2 ** (many - 1 - voter), 2, 2**voter)[:, 0, :]
    split = carries.reshape(2 ** (many - 1 - voter), 2, 2**voter)
    turned = sizes[split[:, 1, :] & ~split[:, 0, :]]
    return [int(number) for number in np.bincount(turned, minlength=many)]


def _smallest(holds: np.ndarray[Any, np.dtype[np.bool_]], many: int) -> list[int]:
    """Groups that hold while none does that lacks one of their members, smallest first, then in order of the voters."""
    least = holds.copy()
    for voter in range(many):
        split = holds.reshape(2 ** (many - 1 - voter), 2, 2**voter)
        without = np.zeros_like(split)
        without[:, 1, :] = split[:, 0, :]
        least &= ~without.reshape(-1)
    groups = [int(group) for group in np.flatnonzero(least) if group]
    return sorted(groups, key=lambda group: (group.bit_count(), [-(group >> i & 1) for i in range(many)]))
