"""Safeguard: what happens when the cleared market shows what the parties agreed not to bear.

The clause states a condition on an outcome and an action. Testing it, and clearing the market again with the action, are
left to the run: once, and a cycle is reported.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from friendshore.errors import did_you_mean
from friendshore.faces import Promise
from friendshore.instruments.clause import Clause, Number, Setting, in_force
from friendshore.instruments.dates import Months, Term
from friendshore.instruments.names import ALL, Countries, Goods, Names
from friendshore.marked import shown, wrong

Measure = Literal[
    "price_rise", "downstream_price_rise", "price_usd_t", "import_rise", "output_fall", "days_short", "supplier_share"
]
MEASURES: dict[str, str] = {
    "price_rise": "rise of the buyers' cost index of a good against the status quo: 0.5 is half as much again",
    "downstream_price_rise": "the same, the largest over the goods at stage product",
    "price_usd_t": "the buyers' cost index of a good, USD per contained tonne",
    "import_rise": "rise of imports from outside the countries named against the status quo",
    "output_fall": "fall of the countries' own output against the status quo",
    "days_short": "days of final use that go unserved",
    "supplier_share": "share of the largest supplier outside the countries in what they use",
}
_WORDS = re.compile(
    r"(?P<measure>\w+)(?:\s+of\s+(?P<goods>[\w.]+(?:\s*,\s*[\w.]+)*))?(?:\s+in\s+(?P<countries>\w+(?:\s*,\s*\w+)*))?"
    r"\s*(?P<sign>[<>])\s*(?P<limit>-?[0-9.]+(?:[eE][+-]?[0-9]+)?)"
)
VERBS = ("suspend", "release", "apply")
SYNTAX = "write MEASURE [of GOOD] [in COUNTRY] > NUMBER, as in price_rise of ndpr.oxide in parties > 0.5"


class Trigger(Term):
    """A condition on a cleared outcome, `MEASURE [of GOOD] [in COUNTRY] > NUMBER`; or its parts."""

    measure: Measure = Field(description=f"One of {', '.join(MEASURES)}.")
    goods: Goods = Field((ALL,), description="Of which goods: the largest value of any of them counts.")
    countries: Countries = Field(("parties",), description="In which countries, taken together.")
    above: Number | None = Field(None, description="Met when the measure is above this.")
    below: Number | None = Field(None, description="Met when it is below this.")

    @model_validator(mode="after")
    def one_limit(self) -> Self:
        if (self.above is None) == (self.below is None):
            raise wrong("trigger", "a trigger says either above or below")
        if self.measure == "downstream_price_rise" and self.goods != (ALL,):
            raise wrong("unused-term", "downstream_price_rise looks at all products", at=("goods",))
        return self

    def met(self, value: float) -> bool:
        """Whether a value meets the condition."""
        return value > self.above if self.above is not None else value < self.below if self.below is not None else False

    def words(self) -> str:
        """The condition in a few words."""
        of = "" if self.goods == (ALL,) else f" of {', '.join(self.goods)}"
        limit = f"> {self.above}" if self.above is not None else f"< {self.below}"
        return f"{self.measure}{of} in {', '.join(self.countries)} {limit}"


def _trigger(value: Any) -> Any:
    if isinstance(value, str):
        if (match := _WORDS.fullmatch(value.strip())) is None:
            raise wrong("trigger", f"{shown(value)} is not a condition", hint=SYNTAX)
        value = {
            "measure": match["measure"],
            "above" if match["sign"] == ">" else "below": float(match["limit"]),
            **({"goods": [word.strip() for word in match["goods"].split(",")]} if match["goods"] else {}),
            **({"countries": [word.strip() for word in match["countries"].split(",")]} if match["countries"] else {}),
        }
    if isinstance(value, Mapping) and (measure := value.get("measure")) is not None and measure not in MEASURES:
        hint = did_you_mean(str(measure), MEASURES) or f"one of {', '.join(MEASURES)}"
        raise wrong("unknown-outcome", f"no outcome is called {shown(measure)}", hint=hint)
    return value


class Action(Term):
    """What is done: clauses are suspended, reserves released, clauses applied that otherwise do not hold.

    In words: `suspend floors`, `release reserve.vault`, `apply tariff.relief`.
    """

    suspend: Names = Field((), description="Ids of clauses, or kinds of clause such as floors.")
    release: Names = Field((), description="Ids of reserves.")
    apply: Names = Field((), description="Ids of clauses that hold only while the safeguard is acted on.")

    @model_validator(mode="after")
    def something_is_done(self) -> Self:
        if not self.suspend and not self.release and not self.apply:
            raise wrong("missing", "an action suspends clauses, releases reserves or applies clauses")
        if both := sorted(set(self.suspend) & set(self.apply)):
            raise wrong("action", f"{both[0]} is both suspended and applied", at=("apply",))
        return self


def _action(value: Any) -> Any:
    if isinstance(value, str):
        verb, _, names = value.strip().partition(" ")
        if verb not in VERBS or not names.strip():
            hint = "write suspend CLAUSE, release RESERVE or apply CLAUSE"
            raise wrong("action", f"{shown(value)} is not an action", hint=hint)
        return {verb: [name.strip() for name in names.split(",")]}
    return value


class Safeguard(Clause):
    """A way out when the agreement costs more than was agreed.

    Promises: the trigger is tested on the market as cleared under the agreement, against the status quo on the same day.
    Where it is met, the action holds for `for` from that day, and the market is cleared again once with it. A clause that a
    safeguard applies holds at no other time. If the trigger
    is then no longer met, the action would lapse and the trigger be met again: that cycle is reported, not followed.
    """

    word: ClassVar[str] = "safeguard"

    when: Annotated[Trigger, BeforeValidator(_trigger, json_schema_input_type=Trigger | str)] = Field(
        description="The condition, such as downstream_price_rise > 0.5."
    )
    then: Annotated[Action, BeforeValidator(_action, json_schema_input_type=Action | str)] = Field(
        description="What is done, such as suspend floors."
    )
    lasts: Months = Field(
        alias="for", description="How long the action holds, such as 6m; the market's year has it whole."
    )

    def applies(self, setting: Setting) -> bool:
        """Whether the safeguard is in force on the day."""
        return bool(setting.bound(self)) and in_force(self, setting)

    def promises(self, setting: Setting) -> tuple[Promise, ...]:
        """A promise to suspend."""
        if not self.applies(setting):
            return ()
        inside = frozenset().union(*(party.members for party in setting.bound(self)))
        return (
            Promise(
                clause=self.id,
                touches="safeguard",
                goods=setting.goods(self.when.goods),
                bound=inside,
                affected=setting.countries - inside,
                facts=(("when", self.when.words()), ("months", str(self.lasts))),
            ),
        )

    def assumptions(self) -> tuple[str, ...]:
        """What a year makes of an action that is shorter."""
        if self.lasts >= 12:
            return ()
        return (f"{self.id}: an action of {self.lasts} months is cleared as if it held for the whole year.",)
