"""A price with its basis: so much money per mass of a named substance, given or computed from costs.

`110 USD per kg of ndpr_oxide` is a price; `110` is not, nor is `110 USD per kg`. A cost-plus price is added up here from
components that each name their source, so that the number can be followed and is never typed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, model_validator
from pydantic_core.core_schema import ValidationInfo

from friendshore.errors import InputRefused, did_you_mean
from friendshore.instruments.clause import NotNegative, Positive, Setting
from friendshore.instruments.dates import Dated, Day, Many, Term, consecutive, shape
from friendshore.instruments.names import Substance, known
from friendshore.marked import Asked, KeyPath, shown, wrong
from friendshore.units import annuity, price_words, to_cent, usd_per_contained_tonne

Mass = Literal["t", "kg", "g", "lb", "oz_t", "mtu", "dmtu", "stu"]
METHODS = ("fixed", "cost_plus", "published")
ONE = Decimal(1)


class DatedRate(Term):
    """An exchange rate: dollars for one unit of the currency, on a day, by whom."""

    usd: Positive = Field(description="US dollars for one unit of the currency.")
    day: Day = Field(description="Day or first day of the period of the rate.")
    source: str = Field("", description="Id of a source.")


class Quoted(Term):
    """What a price is quoted in."""

    currency: Annotated[str, Asked("no-currency", "{value} of which currency?")] = Field(
        description="Currency, such as USD; another than USD needs a dated rate."
    )
    rate: DatedRate | None = Field(None, description="The exchange rate, where the currency is not USD.")
    per: Annotated[Mass, Asked("no-unit", "{value} {currency} per what mass?")] = Field(
        description="Mass that the price is for: t, kg, g, lb, oz_t (troy), mtu, dmtu (10 kg) or stu (20 lb)."
    )
    of: Annotated[Substance, Asked("no-basis", "{value} {currency} per {per} of what?")] = Field(
        description="Substance that is weighed, such as ndpr_oxide; a good's own id stands for its contained tonne."
    )

    @model_validator(mode="after")
    def another_currency_has_a_rate(self) -> Self:
        _has_rate(self)
        return self

    def usd_t(self, value: Decimal, good: str, setting: Setting) -> Decimal:
        """`value` of this quotation in USD per contained tonne of a good."""
        return usd_per_contained_tonne(
            value,
            per=self.per,
            content=setting.content(self.of, good),
            usd_per_currency=self.rate.usd if self.rate else ONE,
        )


class FixedPrice(Quoted):
    """A price that the text states."""

    method: Literal["fixed"] = "fixed"
    value: Positive = Field(description="How much money.")


class PublishedPrice(Quoted):
    """The reference price that is published for the good on the day; a stated one for days on which none is."""

    method: Literal["published"]
    value: Positive = Field(
        description="What holds on a day for which none is published, and what a run takes that is given no publication."
    )


class Cost(Term):
    """One component of a cost-plus price: a sum of money, or an input at its own reference price."""

    name: str = Field(description="What is paid for.", min_length=1)
    value: NotNegative | None = Field(None, description="Money, in the unit of the price unless it has one of its own.")
    floor: str | None = Field(None, description="Id of the floor whose reference price the input is taken at.")
    quantity: Positive = Field(
        ONE, description="Times this; for an input, contained tonnes of it per contained tonne of the good."
    )
    credit: bool = Field(False, description="True where it is earned rather than paid, such as by-product revenue.")
    currency: str | None = Field(None, description="Currency, where it is not the price's.")
    rate: DatedRate | None = Field(None, description="Its exchange rate.")
    per: Mass | None = Field(None, description="Mass, where it is not the price's.")
    of: Substance | None = Field(None, description="Substance, where it is not the price's.")
    source: Many[str] = Field((), description="Ids of sources.")
    year: int | None = Field(None, description="Year of the figure.")
    note: str = Field("", description="What a reader should know, such as how good the figure is.")

    @model_validator(mode="after")
    def another_currency_has_a_rate(self) -> Self:
        _has_rate(self)
        return self

    @model_validator(mode="after")
    def money_or_a_floor(self) -> Self:
        if (self.value is None) == (self.floor is None):
            raise wrong("no-value", "a cost has either a value or the floor of an input")
        return self


class Capital(Term):
    """What was invested per unit of yearly output, and what it must earn."""

    value: Positive = Field(
        description="Money per yearly unit of output, in the unit of the price unless it has its own."
    )
    return_rate: NotNegative = Field(description="Real return that the capital must earn, 0.1 for ten per cent.")
    years: int = Field(description="Over how many years it is paid back.", ge=1, le=60)
    currency: str | None = Field(None, description="Currency, where it is not the price's.")
    rate: DatedRate | None = Field(None, description="Its exchange rate.")
    per: Mass | None = Field(None, description="Mass, where it is not the price's.")
    of: Substance | None = Field(None, description="Substance, where it is not the price's.")
    quantity: Positive = Field(ONE, description="Times this.")
    source: Many[str] = Field((), description="Ids of sources.")
    note: str = Field("", description="What a reader should know.")

    @model_validator(mode="after")
    def another_currency_has_a_rate(self) -> Self:
        _has_rate(self)
        return self


class CostPlusPrice(Quoted):
    """A price added up from costs.

    price = (own costs - credits + capital charge) * (1 + margin) + inputs at their floors
    capital charge = capital * return / (1 - (1 + return)^-years)
    """

    method: Literal["cost_plus"]
    costs: Many[Cost] = Field(description="The components, each with its source.", min_length=1)
    capital: Capital | None = Field(None, description="Capital per yearly unit and its return.")
    margin: NotNegative = Field(Decimal(0), description="On top of own costs and capital charge, 0.1 for ten per cent.")


def _has_rate(part: Quoted | Cost | Capital) -> None:
    if part.currency not in (None, "USD") and part.rate is None:
        raise wrong(
            "no-rate",
            f"{part.currency} without an exchange rate",
            hint="add rate: {usd: ..., day: ..., source: ...}, or give the price in USD",
            at=("currency",),
        )


def _written(value: Any) -> Any:
    """`110 USD per kg of ndpr_oxide`, or a bare number, as the parts of a fixed price."""
    if isinstance(value, str):
        if (words := price_words(value)) is None:
            raise wrong("no-price", f"{shown(value)} is not a price", hint="such as 110 USD per kg of ndpr_oxide")
        parts = {"value": words.value, "currency": words.currency, "per": words.per, "of": words.of}
        return {key: part for key, part in parts.items() if part is not None}
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        return {"value": value}
    if isinstance(value, Mapping) and (method := value.get("method", "fixed")) not in METHODS:
        hint = did_you_mean(method, METHODS) if isinstance(method, str) else ""
        message = f"expected {', '.join(METHODS[:-1])} or {METHODS[-1]}, not {shown(method)}"
        raise wrong("unknown-value", message, hint=hint, at=("method",))
    return value


def _method(value: Any) -> str:
    method = value.get("method", "fixed") if isinstance(value, Mapping) else getattr(value, "method", "fixed")
    return str(method)


AnyPrice = FixedPrice | CostPlusPrice | PublishedPrice
Price = Annotated[
    Annotated[FixedPrice, Tag("fixed")]
    | Annotated[CostPlusPrice, Tag("cost_plus")]
    | Annotated[PublishedPrice, Tag("published")],
    Discriminator(_method),
]
WrittenPrice = Annotated[
    Price, BeforeValidator(_written, json_schema_input_type=FixedPrice | CostPlusPrice | PublishedPrice | str)
]
TimedPrice = Annotated[
    Annotated[WrittenPrice, Tag("single")] | Annotated[Many[Dated[WrittenPrice]], Tag("dated")],
    Discriminator(shape),
    AfterValidator(consecutive),
]


@dataclass(frozen=True, slots=True)
class Item:
    """One line of the working of a price, in USD per contained tonne."""

    name: str
    usd_t: Decimal
    source: tuple[str, ...] = ()


def working(price: AnyPrice, good: str, setting: Setting) -> tuple[Item, ...]:
    """The lines that a price is added up from; their sum is the price before rounding.

    Raises
    ------
    InputRefused   a substance that is not priced for the good, or an input whose floor has no price on the day
    """
    if isinstance(price, PublishedPrice) and (usd_t := setting.published_usd_t.get(good)) is not None:
        return (Item("published", usd_t),)
    if not isinstance(price, CostPlusPrice):
        return (Item("stated", price.usd_t(price.value, good, setting)),)
    own: list[Item] = []
    inputs: list[Item] = []
    for cost in price.costs:
        if cost.floor is not None:
            if (at := setting.floors_usd_t.get(cost.floor)) is None:
                raise InputRefused.because("no-floor", f"the floor {cost.floor!r} has no price on {setting.as_of}")
            inputs.append(Item(cost.name, _signed(cost, at * cost.quantity), cost.source))
        elif cost.value is not None:
            quoted = _quotation(price, cost).usd_t(cost.value, good, setting)
            own.append(Item(cost.name, _signed(cost, quoted * cost.quantity), cost.source))
    if price.capital is not None:
        charge = price.capital.value * annuity(price.capital.return_rate, price.capital.years)
        usd_t = _quotation(price, price.capital).usd_t(charge, good, setting) * price.capital.quantity
        own.append(Item("capital charge", usd_t, price.capital.source))
    if price.margin:
        own.append(Item("margin", sum((item.usd_t for item in own), Decimal(0)) * price.margin))
    return (*own, *inputs)


def price_usd_t(price: AnyPrice, good: str, setting: Setting) -> Decimal:
    """A price in USD per contained tonne of a good, to the cent."""
    return to_cent(sum((item.usd_t for item in working(price, good, setting)), Decimal(0)))


def stated(price: TimedPrice, day: date) -> AnyPrice | None:
    """A price, dated or not, as the text states it for a day."""
    if isinstance(price, tuple):
        return next((period.value for period in price if period.holds(day)), None)
    return price


def on_the_day(price: TimedPrice, good: str, setting: Setting) -> Decimal | None:
    """What a price, dated or not, is worth on the day of the setting, in USD per contained tonne to the cent."""
    current = stated(price, setting.as_of)
    return None if current is None else price_usd_t(current, good, setting)


def check_basis(price: object, goods: tuple[str, ...], info: ValidationInfo, at: KeyPath) -> None:
    """Refuse a price quoted for a substance that a good is not priced by, where the world is known."""
    words = known(info)
    if words is None or price is None:
        return
    if isinstance(price, tuple):
        for number, period in enumerate(price):
            check_basis(period.value, goods, info, (*at, number, "value"))
        return
    assert isinstance(price, Quoted)
    parts: list[tuple[str | None, KeyPath]] = [(price.of, (*at, "of"))]
    if isinstance(price, CostPlusPrice):
        parts += [(cost.of, (*at, "costs", number, "of")) for number, cost in enumerate(price.costs)]
        parts += [(price.capital.of, (*at, "capital", "of"))] if price.capital else []
    for good in goods:
        valid = sorted({*(substance for substance, its in words.substances if its == good), good})
        for substance, path in parts:
            if substance is not None and substance not in valid:
                message = f"{good} is not priced by {substance!r}"
                raise wrong("wrong-basis", message, hint=f"one of {', '.join(valid)}", at=path)


def _signed(cost: Cost, usd_t: Decimal) -> Decimal:
    return -usd_t if cost.credit else usd_t


def _quotation(price: CostPlusPrice, part: Cost | Capital) -> Quoted:
    """The unit of a component: its own where it states one, the price's where it does not."""
    return Quoted.model_construct(
        currency=part.currency or price.currency,
        rate=part.rate if part.currency else (part.rate or price.rate),
        per=part.per or price.per,
        of=part.of or price.of,
    )
