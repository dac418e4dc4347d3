"""The rule by which reference prices are made, as data: the rungs of the ladder in order and what each asks for.

A rule is a YAML file; one ships. Which observations there are and what they come to is left to `reference`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from friendshore.errors import InputRefused, Problem, did_you_mean
from friendshore.marked import KeyPath, dotted, read_marked, validate, wrong
from friendshore.units import decimal

SHIPPED = Path(__file__).parent / "data" / "reference_rule.yaml"
SOURCES = ("transaction", "index", "cost_plus", "should_cost")
Source = Literal["transaction", "index", "cost_plus", "should_cost"]


def _number(value: Any) -> Any:
    return decimal(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _many(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


Number = Annotated[Decimal, BeforeValidator(_number)]
Step = Annotated[Number, Field(ge=1e-6, le=1_000_000)]
NotNegative = Annotated[Number, Field(ge=0)]
Days = Annotated[int, Field(ge=0, le=3660)]
Names = Annotated[tuple[str, ...], BeforeValidator(_many)]


class Term(BaseModel):
    """A frozen piece of a rule that refuses keys it does not know."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


class Rung(Term):
    """One rung of the ladder: which observations it takes, how many it needs, how it makes one price of them."""

    source: Source = Field(description="transaction, index, cost_plus or should_cost.")
    days: Days = Field(description="Age of the oldest observation that counts, in days before the date of publication.")
    observations: int = Field(1, ge=1, description="Fewest observations that will do.")
    reporters: int = Field(1, ge=1, description="Fewest different reporters among them.")
    volume_t: NotNegative | None = Field(None, description="Least volume of them together, contained tonnes.")
    volume_share: Annotated[Number, Field(ge=0, le=1)] | None = Field(
        None, description="The same as a share of what the world trades and uses of the good in a year."
    )
    least_t: NotNegative = Field(Decimal(0), description="Least volume of one observation, contained tonnes.")
    largest_share: Annotated[Number, Field(gt=0, le=1)] = Field(
        Decimal(1), description="Largest share of the volume that one reporter may have."
    )
    trim: Annotated[Number, Field(ge=0, lt=0.5)] = Field(
        Decimal(0), description="Share of the observations set aside at each end, by price; rounded down."
    )
    weigh: Literal["volume", "equal"] = Field("equal", description="Whether the median is weighed by volume.")
    unrelated: bool = Field(False, description="Whether sales between related parties are left out.")
    market_economies: bool = Field(False, description="Whether goods of other economies are left out.")

    @model_validator(mode="after")
    def one_least_volume(self) -> Self:
        if self.volume_t is not None and self.volume_share is not None:
            raise wrong("two-volumes", "a rung has a least volume in tonnes or as a share, not both", at=("volume_t",))
        return self


class ForGood(Term):
    """What is particular to one good: the unit of its price, its grades, its volumes."""

    good: str = Field(description="The good's id.")
    per: Literal["t", "kg", "g", "lb", "oz_t", "mtu", "dmtu", "stu"] = Field("t", description="Mass of its price.")
    of: str = Field("", description="Substance that is weighed; the good's own unit if absent.")
    round_to: Step | None = Field(None, description="Step of its price; the rule's if absent.")
    grades: Names = Field((), description="Grades that count; all of them if absent.")
    volume_t: NotNegative | None = Field(None, description="Least volume of transactions, in place of the rung's.")
    observations: int | None = Field(None, ge=1, description="Fewest transactions, in place of the rung's.")


class NotMarket(Term):
    """Countries whose prices are not taken for those of a market."""

    countries: Names = Field(description="ISO 3166 alpha-3.")
    source: str = Field(description="Who says so.", min_length=1)
    note: str = Field("", description="How it was chosen.")


class Rule(Term):
    """How reference prices are made. Money is USD; prices stand on one basis of delivery."""

    id: str = Field(description="A short name.", min_length=1)
    title: str = Field("", description="What it is.")
    note: str = Field("", description="What a reader should know first.")
    delivery: Literal["cif", "fob"] = Field("cif", description="Where the price holds: with the way to the port of import, or without.")  # fmt: skip
    round_to: Step = Field(Decimal("0.01"), description="Step of a price, in USD for its mass; halves to the even step.")  # fmt: skip
    rungs: Annotated[tuple[Rung, ...], BeforeValidator(_many)] = Field(min_length=1, description="In order: the first that holds gives the price.")  # fmt: skip
    goods: Annotated[tuple[ForGood, ...], BeforeValidator(_many)] = Field((), description="What is particular to a good.")  # fmt: skip
    not_market_economies: NotMarket | None = Field(None, description="Whose goods a rung of market economies leaves out.")  # fmt: skip
    rate_days: Days = Field(31, description="Age of the oldest exchange rate that may be used.")
    carry_days: Days = Field(0, description="How old the last price may be that stands where no rung holds; 0 for none.")  # fmt: skip
    notice_days: Days = Field(0, description="Days from publication to the first day of force.")
    holds_days: Days = Field(366, description="Days in force at most; a later publication replaces it before.")
    dispute_days: Days = Field(0, description="Days from publication in which an observation may be disputed.")

    @model_validator(mode="after")
    def a_source_has_one_rung(self) -> Self:
        seen: set[str] = set()
        for number, rung in enumerate(self.rungs):
            if rung.source in seen:
                raise wrong("two-rungs", f"{rung.source} has a rung already", at=("rungs", number, "source"))
            seen.add(rung.source)
        return self

    @model_validator(mode="after")
    def a_good_stands_once(self) -> Self:
        seen: set[str] = set()
        for number, item in enumerate(self.goods):
            if item.good in seen:
                raise wrong("duplicate-good", f"{item.good} stands here twice", at=("goods", number, "good"))
            seen.add(item.good)
        return self

    @model_validator(mode="after")
    def who_is_no_market_is_stated(self) -> Self:
        asking = [rung.source for rung in self.rungs if rung.market_economies]
        if asking and self.not_market_economies is None:
            hint = "add not_market_economies: {countries: [...], source: ...}"
            raise wrong("missing", f"the rung of {asking[0]} asks for market economies; which are none?", hint=hint)
        return self

    @cached_property
    def _by_good(self) -> dict[str, ForGood]:
        return {item.good: item for item in self.goods}

    def of(self, good: str) -> ForGood:
        """What is particular to a good; the contained tonne where the rule says nothing."""
        return self._by_good.get(good) or ForGood(good=good)

    def rung(self, source: str, good: str) -> Rung | None:
        """A rung as it holds for a good."""
        held = next((rung for rung in self.rungs if rung.source == source), None)
        if held is None or source != "transaction":
            return held
        own = self.of(good)
        more: dict[str, Any] = {}
        if own.volume_t is not None:
            more |= {"volume_t": own.volume_t, "volume_share": None}
        if own.observations is not None:
            more |= {"observations": own.observations}
        return held.model_copy(update=more) if more else held

    def step(self, good: str) -> Decimal:
        """The step of a good's price."""
        return self.of(good).round_to or self.round_to


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What a rule and observations may speak of.

    Parameters
    ----------
    goods : ids of the world's goods
    contents : (substance, good) -> tonnes of the good's unit per tonne of substance
    countries : ISO codes
    """

    goods: Collection[str]
    contents: Mapping[tuple[str, str], Decimal]
    countries: Collection[str]

    def content(self, substance: str, good: str) -> Decimal | None:
        """Tonnes of the good's unit per tonne of a substance, none where it is not known; a good's own id is its unit."""
        return Decimal(1) if substance == good else self.contents.get((substance, good))

    def substances(self, good: str) -> list[str]:
        """What a good may be priced by."""
        return sorted({substance for substance, of in self.contents if of == good} | {good})


def read(source: Path | bytes, words: Words, *, name: str | None = None) -> Rule:
    """A rule from its file.

    Parameters
    ----------
    source : a YAML file, or its bytes with a `name`
    words : goods, substances and countries

    Raises
    ------
    InputRefused   every problem at its line: keys, values, goods, substances and countries that do not exist
    """
    marked = read_marked(source, name=name)
    rule = validate(Rule, marked)
    if problems := [
        Problem(code, message, marked.place(path), dotted(path), hint)
        for path, code, message, hint in _unknown(rule, words)
    ]:
        raise InputRefused(problems)
    return rule


def _unknown(rule: Rule, words: Words) -> Iterator[tuple[KeyPath, str, str, str]]:
    """What a rule speaks of and does not exist: where, code, message, hint."""
    for number, item in enumerate(rule.goods):
        if item.good not in words.goods:
            hint = did_you_mean(item.good, words.goods) or "friendshore world goods lists them"
            yield ("goods", number, "good"), "unknown-good", f"no good is called {item.good!r}", hint
        elif item.of and words.content(item.of, item.good) is None:
            known = words.substances(item.good)
            hint = did_you_mean(item.of, known) or f"one of {', '.join(known)}"
            yield ("goods", number, "of"), "wrong-basis", f"{item.good} is not priced by {item.of!r}", hint
    for number, code in enumerate(rule.not_market_economies.countries if rule.not_market_economies else ()):
        if code not in words.countries:
            hint = did_you_mean(code, words.countries) or "ISO 3166, three letters"
            yield ("not_market_economies", "countries", number), "unknown-country", f"{code!r} is no country", hint


def day_after(day: date, days: int) -> date:
    """A day some days later."""
    return date.fromordinal(day.toordinal() + days)
