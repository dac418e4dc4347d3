"""Which goods count as made here, and which may not come from there? Rules of origin as typed data with their sources.

A rule is a tree of tests (`all`, `any`, and one test a leaf), the countries it is about, what proves a material's origin,
and its days. Judging goods by it is left to `border.origin` (one bill of materials) and `border.lots` (millions of lots).
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from friendshore.errors import InputRefused, Problem, did_you_mean
from friendshore.marked import Marked, noted, validate, wrong
from friendshore.spans import Day, Months
from friendshore.units import decimal

HERE = Path(__file__).parent
DATA = HERE / "data"
CONFLICTS = HERE / "conflicts"

Stage = Literal["mined", "separated", "refined", "melted", "produced", "recycled"]
STAGES: tuple[Stage, ...] = ("mined", "separated", "refined", "melted", "produced", "recycled")
LEVELS = {"chapter": 2, "heading": 4, "subheading": 6}
Cumulation = Literal["none", "bilateral", "diagonal", "full"]
Method = Literal["build_down", "build_up", "net_cost"]
Kind = Literal["preference", "restriction", "export_control"]
CONFIDENCE = {
    "H": "read in the text or in an official record",
    "M": "read in one good secondary source",
    "L": "read in a weak source",
    "K": "general knowledge, to be checked against the text before use",
}
T = TypeVar("T")

_HS = re.compile(r"[0-9]{2,10}")
_CODE = re.compile(r"[A-Z]{3}")


class Text(BaseModel):
    """A frozen record that refuses unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, populate_by_name=True)


def _many(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(value)
    return value if isinstance(value, tuple) else (value,)


def _number(value: Any) -> Any:
    return decimal(value) if isinstance(value, int | float | Decimal) and not isinstance(value, bool) else value


def _hs(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    plain = value.replace(".", "").replace(" ", "")
    if not _HS.fullmatch(plain):
        raise wrong("bad-hs", f"{value!r} is no code of the nomenclature", hint="two to ten digits, dots allowed")
    return plain


def _code(value: Any) -> Any:
    if isinstance(value, str) and not _CODE.fullmatch(value):
        raise wrong("bad-country", f"{value!r} is no country code", hint="three capital letters, ISO 3166 alpha-3")
    return value


Many = Annotated[tuple[T, ...], BeforeValidator(_many)]
Number = Annotated[Decimal, BeforeValidator(_number)]
Share = Annotated[Number, Field(ge=0, le=1)]
Prefix = Annotated[str, BeforeValidator(_hs)]
Country = Annotated[str, BeforeValidator(_code)]


class Materials(Text):
    """Which materials a test looks at: by code of the nomenclature or by mineral; either is enough."""

    hs: Many[Prefix] = Field((), description="Codes or their beginnings, such as 2846.")
    minerals: Many[str] = Field((), description="Minerals that the material holds, as the bill names them.")

    @model_validator(mode="after")
    def names_something(self) -> Self:
        if not (self.hs or self.minerals):
            raise wrong("empty", "name codes (hs) or minerals")
        return self

    def hold(self, hs: str, minerals: tuple[str, ...]) -> bool:
        """Whether a material is one of them."""
        return hs.startswith(self.hs) or bool(set(minerals) & set(self.minerals))


class Where(Text):
    """Where a stage may be carried out: in some countries only, or anywhere but in some. `parties` is the rule's area."""

    only_in: Many[str] | None = Field(None, alias="in", description="Codes, or parties.")
    not_in: Many[Country] | None = Field(None, description="Codes.")

    @model_validator(mode="after")
    def one_of_both(self) -> Self:
        if (self.only_in is None) == (self.not_in is None):
            raise wrong("one-of", "write either in or not_in")
        return self

    def allows(self, country: str, parties: frozenset[str]) -> bool:
        """Whether the stage may be carried out there."""
        if self.not_in is not None:
            return country not in self.not_in
        return country in self.allowed(parties)

    def allowed(self, parties: frozenset[str]) -> frozenset[str]:
        """The countries named, the parties put in for their word."""
        named = frozenset(self.only_in or ())
        return (named - {"parties"}) | (parties if "parties" in named else frozenset())


class WhollyObtained(Text):
    """Mined or recycled in the area, and made of nothing but what was."""


class TariffShift(Text):
    """Materials from outside stand under another code than the product."""

    level: Literal["chapter", "heading", "subheading"] = Field(description="How far apart the codes must be.")
    except_from: Many[Prefix] = Field((), description="Codes from which a change does not count.")
    tolerance: Share = Field(
        Decimal(0), description="De minimis: share of the price that materials without the change may have."
    )


class ValueContent(Text):
    """The area's part of the value.

    build_down: (price - foreign materials) / price. build_up: (materials of the area [+ own costs]) / price.
    net_cost: (net cost - foreign materials) / net cost.
    """

    method: Method = Field(description="build_down, build_up or net_cost.")
    at_least: Share = Field(description="Least share.")
    own_costs: bool = Field(False, description="Whether build_up counts labour, overheads and profit.")


class Stages(Text):
    """Each of the stages was carried out where it may be."""

    names: Many[Stage] = Field(description="mined, separated, refined, melted, produced.")
    where: Where
    of: Materials | None = Field(None, description="The materials looked at; all if absent.")
    spares_recycled_in: Many[str] = Field(
        (), description="What is recycled there (codes, or parties) needs no earlier history."
    )


class LastTransformation(Text):
    """The last of these stages was carried out where it may be."""

    stages: Many[Stage] = Field(description="In the order of working, the last one that happened decides.")
    where: Where


class Content(Text):
    """Less than a share comes from some countries, or from anywhere but some."""

    countries: Many[Country] = Field((), description="Whose content is counted.")
    outside: Many[str] = Field((), description="Content from everywhere but these is counted: codes, or parties.")
    below: Share = Field(description="The share must be smaller than this.")
    by: Literal["value", "mass"] = "value"
    share_of: Literal["product", "materials"] = Field(
        "product", description="Of the whole product, or of the materials counted."
    )
    of: Materials | None = Field(None, description="The materials counted; all if absent.")

    @model_validator(mode="after")
    def one_of_both(self) -> Self:
        if bool(self.countries) == bool(self.outside):
            raise wrong("one-of", "write either countries or outside")
        return self

    def counts(self, country: str, parties: frozenset[str]) -> bool:
        """Whether content from a country is counted."""
        if self.countries:
            return country in self.countries
        named = frozenset(self.outside)
        return country not in (named - {"parties"}) | (parties if "parties" in named else frozenset())


class Entities(Text):
    """Nobody who made it is controlled from some countries, or listed.

    A maker counts as theirs if it is seated there, or if owners from there hold the share or more together.
    """

    concern: Many[Country] = Field(description="Countries whose control bars.")
    share: Share = Field(description="Ownership from which on it counts as control.")
    seat_bars: bool = Field(True, description="Whether a seat in one of them bars too.")
    listed: Many[str] = Field((), description="Makers barred by name.")
    of: Materials | None = Field(None, description="The materials looked at; all if absent.")


class Test(Text):
    """One test, or several joined by `all` or `any`. Exactly one key."""

    every: Many[Test] | None = Field(None, alias="all", description="All of them must hold.")
    either: Many[Test] | None = Field(None, alias="any", description="One of them must hold.")
    wholly_obtained: WhollyObtained | None = None
    tariff_shift: TariffShift | None = None
    value_content: ValueContent | None = None
    stages: Stages | None = None
    last_transformation: LastTransformation | None = None
    content: Content | None = None
    entities: Entities | None = None

    @model_validator(mode="after")
    def exactly_one(self) -> Self:
        held = [name for name in type(self).model_fields if getattr(self, name) is not None]
        if len(held) != 1:
            names = ", ".join(field.alias or name for name, field in type(self).model_fields.items())
            raise wrong("one-of", f"a test has exactly one key, not {len(held)}", hint=f"one of {names}")
        return self

    @property
    def word(self) -> str:
        """Which test it is."""
        return next(
            field.alias or name for name, field in type(self).model_fields.items() if getattr(self, name) is not None
        )

    def leaves(self) -> Iterator[Test]:
        """The tests without the joints."""
        parts = self.every or self.either
        if parts is None:
            yield self
        for part in parts or ():
            yield from part.leaves()


class Proof(Text):
    """What shows that a material is of the area."""

    kinds: Many[str] = Field(description="Documents that count, such as supplier_declaration.")
    valid: Months = Field(description="How long a document counts, such as 12m.")


class Term(Text):
    """The test from one day to another."""

    starts: Day | None = Field(None, alias="from", description="First day; always if absent.")
    until: Day | None = Field(None, description="Last day; open-ended if absent.")
    test: Test
    note: str = ""

    def holds(self, day: date) -> bool:
        """Whether it applies on a day."""
        return (self.starts is None or self.starts <= day) and (self.until is None or day <= self.until)


class Pause(Text):
    """A time during which the rule does not apply."""

    starts: Day = Field(alias="from")
    until: Day
    because: str
    source: Many[str] = ()


class Doubt(Text):
    """From when on it is not known whether the rule applies as written."""

    starts: Day = Field(alias="from")
    says: str


class Rule(Text):
    """A rule of origin: whom it is about, what must hold, on which days, where it was read."""

    id: str = Field(description="Short name, the same as the file's.")
    name: str
    kind: Kind = Field("preference", description="preference, restriction or export_control.")
    law: str = Field(description="Where it stands.")
    says: str = Field(description="What it asks, in our words.")
    covers: Materials | None = Field(None, description="The products that it speaks about; all if absent.")
    parties: Many[Country] = Field((), description="The area, where the rule itself names it.")
    cumulation: Cumulation = "none"
    cumulates_with: Many[Country] = Field((), description="Others whose materials count, with diagonal or full.")
    proof: Proof | None = Field(None, description="What proves a material's origin; its declaration if absent.")
    test: Test | None = Field(None, description="What must hold, on every day.")
    terms: Many[Term] = Field((), description="What must hold, where it changes with the day.")
    suspended: Many[Pause] = ()
    doubt: Doubt | None = None
    illustrative: bool = Field(False, description="True where a level was chosen for illustration.")
    not_examined: Many[str] = Field((), description="What the law asks besides and this rule does not look at.")
    confidence: Literal["H", "M", "L", "K"]
    source: Many[str]
    note: str = ""

    @model_validator(mode="after")
    def a_test_or_terms(self) -> Self:
        if (self.test is None) == (not self.terms):
            raise wrong("one-of", "write either test or terms")
        for before, after in zip(self.terms, self.terms[1:], strict=False):
            if before.until is None or after.starts is None or after.starts <= before.until:
                raise wrong("overlap", "terms follow one another without sharing a day", at=("terms",))
        return self

    def on(self, day: date) -> Term | None:
        """What must hold on a day; none where the rule does not apply then."""
        if any(pause.starts <= day <= pause.until for pause in self.suspended):
            return None
        if self.test is not None:
            return Term(test=self.test)
        return next((term for term in self.terms if term.holds(day)), None)

    def doubtful(self, day: date) -> str:
        """What is not known about the rule on a day; nothing where all is."""
        return self.doubt.says if self.doubt is not None and day >= self.doubt.starts else ""

    def words(self) -> frozenset[str]:
        """The kinds of test it has on any day."""
        tests = [term.test for term in self.terms] + ([self.test] if self.test is not None else [])
        return frozenset(leaf.word for test in tests for leaf in test.leaves())

    def silent(self, day: date) -> str:
        """Why the rule asks nothing on a day; nothing where it asks something."""
        for pause in self.suspended:
            if pause.starts <= day <= pause.until:
                return f"suspended from {pause.starts} to {pause.until}: {pause.because}"
        if self.on(day) is None:
            days = ", ".join(f"{term.starts or 'ever'} to {term.until or 'open'}" for term in self.terms)
            return f"asks nothing on {day}; it holds {days}"
        return ""


def with_terms(
    rule: Rule,
    *,
    value_content: Decimal | None = None,
    method: Method | None = None,
    tolerance: Decimal | None = None,
    cumulation: Cumulation | None = None,
    parties: frozenset[str] | None = None,
) -> Rule:
    """The rule with an agreement's own levels in it.

    Raises
    ------
    InputRefused   a level for a test that the rule does not have
    """
    asked = {"value_content": value_content is not None or method is not None, "tariff_shift": tolerance is not None}
    for word, wanted in asked.items():
        if wanted and word not in rule.words():
            raise InputRefused.because("no-such-test", f"the rule {rule.id} has no test called {word}")
    changes: dict[str, Any] = {}
    if cumulation is not None:
        changes["cumulation"] = cumulation
    if parties is not None:
        changes["parties"] = tuple(sorted(parties))
    if any(asked.values()):
        if rule.test is not None:
            changes["test"] = _levelled(rule.test, value_content, method, tolerance)
        changes["terms"] = tuple(
            term.model_copy(update={"test": _levelled(term.test, value_content, method, tolerance)})
            for term in rule.terms
        )
    return rule.model_copy(update=changes)


def _levelled(test: Test, value: Decimal | None, method: Method | None, tolerance: Decimal | None) -> Test:
    if test.every is not None or test.either is not None:
        parts = tuple(_levelled(part, value, method, tolerance) for part in test.every or test.either or ())
        return test.model_copy(update={"every" if test.every is not None else "either": parts})
    if test.value_content is not None:
        levels = {"at_least": value, "method": method}
        return test.model_copy(update={"value_content": test.value_content.model_copy(update=_given(levels))})
    if test.tariff_shift is not None:
        levels = {"tolerance": tolerance}
        return test.model_copy(update={"tariff_shift": test.tariff_shift.model_copy(update=_given(levels))})
    return test


def _given(levels: Mapping[str, Any]) -> dict[str, Any]:
    return {name: level for name, level in levels.items() if level is not None}


def read_rule(path: Path) -> Rule:
    """A rule from a file of the user's own.

    Raises
    ------
    InputRefused   with every problem at its line
    """
    marked = noted(path)
    if marked.problems:
        raise InputRefused(marked.problems)
    return validate(Rule, marked)


M = TypeVar("M", bound="Rule | Conflict")


def _shipped(folder: Path, kind: type[M], faults: Callable[[M, Marked], Iterator[Problem]]) -> Mapping[str, M]:
    """Every file of a folder by its id. Every problem of every file is raised at once."""
    found: dict[str, M] = {}
    problems: list[Problem] = []
    for path in sorted(folder.glob("*.yaml")):
        marked = noted(path, name=path.name)
        try:
            if marked.problems:
                raise InputRefused(marked.problems)
            one = validate(kind, marked)
        except InputRefused as refused:
            problems += refused.problems
            continue
        problems += [*_named_right(one, path, marked), *faults(one, marked)]
        found[one.id] = one
    if problems:
        raise InputRefused(problems)
    return found


@cache
def shipped_rules() -> Mapping[str, Rule]:
    """The rules that ship, by id. Every problem of every file is raised at once."""
    return _shipped(DATA, Rule, lambda _, __: iter(()))


def _named_right(one: Rule | Conflict, path: Path, marked: Marked) -> Iterator[Problem]:
    known = set(sources())
    if one.id != path.stem:
        place = marked.place(("id",))
        yield Problem("wrong-name", f"{one.id!r} stands in {path.name}", place, "id", f"call it {one.id}.yaml")
    paused = one.suspended if isinstance(one, Rule) else ()
    for name in sorted({*one.source, *(each for pause in paused for each in pause.source)} - known):
        place = marked.place(("source",))
        yield Problem("unknown-source", f"no source is called {name!r}", place, "source", did_you_mean(name, known))


class Side(Text):
    """What one law says of the goods: that they pass it, or that they do not."""

    rule: str = Field(description="Id of a shipped rule.")
    verdict: Literal["qualifies", "does not"]


class Conflict(Text):
    """Two laws that one lot cannot serve, or one whose answer another law forbids."""

    id: str = Field(description="Short name, the same as the file's.")
    name: str
    holds: Many[Side] = Field(description="What the laws say; all of it makes the conflict.")
    because: str = Field(description="Why both cannot be served.")
    ways_out: Many[str]
    confidence: Literal["H", "M", "L", "K"]
    source: Many[str]


@cache
def shipped_conflicts() -> Mapping[str, Conflict]:
    """The conflicts between laws that ship, by id."""
    return _shipped(CONFLICTS, Conflict, _sides_known)


def _sides_known(one: Conflict, marked: Marked) -> Iterator[Problem]:
    for k, side in enumerate(one.holds):
        if side.rule not in rule_names():
            place = marked.place(("holds", k, "rule"))
            hint = did_you_mean(side.rule, rule_names())
            yield Problem("unknown-rule", f"no rule is called {side.rule!r}", place, "holds", hint)


@cache
def sources() -> Mapping[str, Mapping[str, str]]:
    """Where the shipped rules were read, by id: publisher, title, year, url, licence."""
    with (HERE / "sources.csv").open(encoding="utf-8", newline="") as file:
        return {row["id"]: row for row in csv.DictReader(file)}


@cache
def rule_names() -> tuple[str, ...]:
    """The ids of the shipped rules, without reading them."""
    return tuple(sorted(path.stem for path in DATA.glob("*.yaml")))


def find_rule(words: str) -> Rule:
    """A rule by its id, or from a file.

    Raises
    ------
    InputRefused   `unknown-rule` with the nearest id
    """
    if words in rule_names():
        return shipped_rules()[words]
    path = Path(words)
    if path.suffix in (".yaml", ".yml", ".json") or path.exists():
        return read_rule(path)
    near = did_you_mean(words, rule_names())
    more = "The rules that ship are listed by: friendshore origin rules"
    raise InputRefused.because("unknown-rule", f"no rule is called {words!r}", hint=f"{near}\n{more}".strip())


def needs_parties(rule: Rule, parties: frozenset[str]) -> None:
    """Refuse a preference that is read for nobody.

    Raises
    ------
    InputRefused   `no-parties`
    """
    if rule.kind == "preference" and not (rule.parties or parties):
        hint = f"name them, or an agreement: --rule {rule.id} --parties USA,JPN"
        raise InputRefused.because("no-parties", f"the rule {rule.id} asks whose materials count", hint=hint)


def months_after(day: date, months: int) -> date:
    """The last day of a span that begins on a day.

    >>> months_after(date(2026, 1, 31), 1), months_after(date(2026, 3, 1), 12)
    (datetime.date(2026, 2, 28), datetime.date(2027, 2, 28))
    """
    year, month = divmod(day.month - 1 + months, 12)
    year, month = day.year + year, month + 1
    for back in range(4):
        try:
            return date(year, month, day.day - back) - timedelta(days=0 if back else 1)  # a month too short ends it
        except ValueError:
            continue
    raise AssertionError("a month has at least 28 days")
