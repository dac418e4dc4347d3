"""What has been promised, as data: each obligation and each dispute a small file that a trade lawyer can read and amend.

An obligation says whom it binds, which acts of a clause trigger it, how the facts grade what it finds, and the argument on
both sides. A new obligation is a new file; the facts that its conditions may name are listed in `facts.FACTS`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from friendshore.errors import InputRefused, Problem, did_you_mean
from friendshore.law.screen.facts import FACTS, Value
from friendshore.law.screen.text import DATA, Confidence, Many, Text, read_folder
from friendshore.marked import wrong

Grade = Literal["breach likely", "needs justification", "exposed to challenge", "no conflict found", "not examined"]
GRADES: tuple[Grade, ...] = (
    "breach likely",
    "needs justification",
    "exposed to challenge",
    "no conflict found",
    "not examined",
)  # the worst first; what was not examined stands outside the order
RAISED: frozenset[Grade] = frozenset(GRADES[:3])

Touch = Literal[
    "import_duty",
    "price_requirement",
    "price_undertaking",
    "tariff_quota",
    "import_restriction",
    "other_charge",
    "customs_value",
    "origin_rule",
    "technical_requirement",
    "standards_premium",
    "preference",
    "export_restriction",
    "export_freedom",
    "export_price",
    "producer_subsidy",
    "user_subsidy",
    "local_content",
    "purchase_commitment",
    "public_stock",
    "public_investment",
    "transit",
    "safeguard",
    "coordination",
]
Promised = Literal["zero_duty", "no_price_requirements", "no_export_duties", "no_export_pricing"]
Standing = Literal["closed", "weak", "arguable", "open"]
RepairName = Literal[
    "exempt_partners",
    "cap_at_binding",
    "subsidy_instead",
    "contract_instead",
    "undertaking",
    "extend_to_all",
    "drop_clause",
    "attach_to_agreement",
    "waiver",
    "renegotiate",
    "publish_method",
    "voluntary_standard",
    "open_standard",
    "open_to_all",
    "act_as_union",
    "notify",
    "by_statute",
    "temporary",
    "limit_at_home",
    "tax_instead",
]
Status = Literal["adopted", "not adopted", "appealed into the void", "settled", "under appeal", "pending"]


class Range(Text):
    """A condition on a number."""

    above: float | None = Field(None, description="The fact must be greater.")
    below: float | None = Field(None, description="The fact must be smaller.")

    @model_validator(mode="after")
    def says_something(self) -> Range:
        if self.above is None and self.below is None:
            raise wrong("empty-range", "a range says above, below or both")
        return self


Condition = Annotated[str | Many[str] | Range, Field(union_mode="left_to_right")]
Conditions = Mapping[str, Condition]


class Conditioned(Text):
    """Something that holds where the facts are so; without conditions it always does."""

    when: Conditions = Field(default_factory=dict, description="Facts and what they must be.")

    @model_validator(mode="after")
    def the_facts_are_known_by_name(self) -> Conditioned:
        for name in self.when:
            if name not in FACTS and not name.startswith("term."):
                hint = did_you_mean(name, FACTS) or "one of " + ", ".join(FACTS)
                raise wrong("unknown-fact", f"no fact is called {name!r}", hint=hint, at=("when", name))
        return self


class Trigger(Conditioned):
    """The acts of a clause that an obligation speaks about."""

    touches: Many[Touch] = Field(description="Kinds of act, as the promises of instruments name them.")


class Grading(Conditioned):
    """The grade where the facts are so, and why. The first of a list that holds is taken."""

    grade: Grade = Field(description="What the screen then says.")
    because: str = Field(description="The reason in one sentence.")


class Stands(Conditioned):
    """How far a defence goes where the facts are so."""

    standing: Standing = Field(description="closed, weak, arguable or open.")
    because: str = Field(description="The reason in one sentence.")


class Obligation(Text):
    """A rule that a measure may meet, or (`kind: cover`) an exception that may be pleaded."""

    id: str = Field(description="Short name, the same as the file's.")
    kind: Literal["obligation", "cover"] = "obligation"
    name: str = Field(description="What it is called.")
    article: str = Field(description="Treaty and article.")
    says: str = Field(description="What it asks, in our words.")
    binds: Many[str] = Field(
        ("wto_members",), description="wto_members, everyone, or codes of countries and customs unions."
    )
    promised: Promised | None = Field(
        None, description="What a trade agreement must promise for it to bind, between its parties only."
    )
    agreement: str | None = Field(None, description="The one agreement that it stands in.")
    trigger: Many[Trigger] = Field((), description="Which acts it speaks about.")
    test: str = Field("", description="What decides, in words.")
    facts: Many[str] = Field((), description="The facts that a finding shows, in order.")
    grades: Many[Grading] = Field((), description="Grades by the facts; the last has no condition.")
    argument_for: str = Field("", description="The argument that there is a conflict.")
    argument_against: str = Field("", description="The argument that there is none.")
    defences: Many[str] = Field((), description="Ids of the exceptions that may be pleaded.")
    stands: Many[Stands] = Field((), description="How far it goes as an exception; the last has no condition.")
    disputes: Many[str] = Field((), description="Ids of leading disputes.")
    changes: Many[str] = Field((), description="What would change the grade.")
    repairs: Many[RepairName] = Field((), description="Amendments that would take it away.")
    confidence: Confidence = Field(description="How far the reading of the text is checked: H, M, L or K.")
    source: Many[str] = Field((), description="Where it was read.")
    note: str = ""

    @model_validator(mode="after")
    def it_is_complete(self) -> Obligation:
        if self.kind == "obligation" and not (self.trigger and self.grades and self.argument_for):
            raise wrong("incomplete", "an obligation has trigger, grades and argument_for")
        if self.kind == "cover" and not self.stands:
            raise wrong("incomplete", "a cover says where it stands")
        for key, cases in (("grades", self.grades), ("stands", self.stands)):
            if cases and cases[-1].when:
                hint = "the last case holds where no other does: give it no condition"
                raise wrong("no-default", f"the last of {key} has a condition", hint=hint, at=(key,))
        return self


class Dispute(Text):
    """A dispute that has been decided, and what its decision is worth."""

    id: str
    title: str = Field(description="Its short title with its number.")
    measure: str = Field(description="The measure, in our words.")
    outcome: str = Field(description="What was found.")
    year: int = Field(description="Year of the report.")
    status: Status = Field(description="Whether the report binds.")
    confidence: Confidence
    source: Many[str] = ()


def meets(conditions: Conditions, facts: Mapping[str, Value]) -> bool:
    """Whether the facts are as the conditions ask. A fact that is not known meets none.

    >>> meets({"ave_pct": Range(above=5.0)}, {"ave_pct": 7.0})
    True
    """
    for name, asked in conditions.items():
        value = facts.get(name)
        if value is None:
            return False
        if isinstance(asked, Range):
            if not isinstance(value, int | float):
                return False
            if (asked.above is not None and value <= asked.above) or (asked.below is not None and value >= asked.below):
                return False
        elif str(value) not in ((asked,) if isinstance(asked, str) else asked):
            return False
    return True


def read_disputes(folder: Path) -> dict[str, Dispute]:
    """The disputes of a folder."""
    return read_folder(folder, Dispute, key=lambda one: one.id)


def read_obligations(folder: Path, disputes: Mapping[str, Dispute]) -> dict[str, Obligation]:
    """The obligations of a folder, the disputes and defences they name looked up.

    Raises
    ------
    InputRefused   a dispute or a defence that has no file
    """
    return joined(read_folder(folder, Obligation, key=lambda one: one.id), disputes)


def joined(found: Mapping[str, Obligation], disputes: Mapping[str, Dispute]) -> dict[str, Obligation]:
    """Obligations whose disputes and defences are all there.

    Raises
    ------
    InputRefused   a dispute or a defence that has no file
    """
    problems: list[Problem] = []
    defences = {one.id for one in found.values() if one.stands}
    for one in found.values():
        for key, named, known in (("disputes", one.disputes, set(disputes)), ("defences", one.defences, defences)):
            for word in named:
                if word not in known:
                    message = f"{one.id}.yaml names {word!r}, which has no file"
                    problems.append(Problem("unknown-name", message, path=key, hint=did_you_mean(word, known)))
    if problems:
        raise InputRefused(problems)
    return dict(found)


@cache
def shipped_disputes() -> Mapping[str, Dispute]:
    """The disputes that ship."""
    return read_disputes(DATA / "disputes")


@cache
def shipped_obligations() -> Mapping[str, Obligation]:
    """The obligations that ship."""
    return read_obligations(DATA / "obligations", shipped_disputes())
