"""Reserve: a public stock that is built up to so many days of cover, held, or released, within a budget.

The market of one year sees the year's purchases or sales. Stock over time, financing and title to lots are left to the
path and the ledger.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, Discriminator, Field, Tag, model_validator

from friendshore.faces import Claim, Promise, Reserve, Wedge
from friendshore.instruments.clause import Clause, Need, NotNegative, Positive, Setting, in_force
from friendshore.instruments.dates import Dated, Many, consecutive, shape
from friendshore.instruments.names import CountryCode, Goods
from friendshore.marked import wrong
from friendshore.units import decimal, to_float

Action = Literal["build", "hold", "release"]
TimedAction = Annotated[
    Annotated[Action, Tag("single")] | Annotated[Many[Dated[Action]], Tag("dated")],
    Discriminator(shape),
    AfterValidator(consecutive),
]
YEAR = Decimal(365)


class PublicReserve(Clause):
    """A reserve of some goods for one country or union.

    Promises. While it is built: every year 1/`build_years` of what is missing from `target_days` of the holder's use is
    bought on its market, for no more than budget / build_years; where the money does not suffice, all purchases are cut
    alike. While it is held: nothing. While it is released: `release_days` of use are sold in the year, never more than is
    held. Purchases and sales are at the market's price. Days are of the base year's use.
    """

    word: ClassVar[str] = "reserve"

    goods: Goods = Field(description="`all`, one good or a list.")
    holder: CountryCode = Field(description="Country or union on whose market it buys and sells.")
    budget_usd: Positive = Field(description="All that may be spent on the stock, US dollars.")
    loan_usd: NotNegative | None = Field(None, description="Part of the budget that is borrowed.")
    equity_usd: NotNegative | None = Field(None, description="Part of the budget that its owners put in.")
    loan_rate: NotNegative | None = Field(None, description="Interest on the loan, yearly: 0.05 is five per cent.")
    loan_years: int | None = Field(None, description="Term of the loan in years.", ge=1, le=60)
    target_days: Positive = Field(description="Days of the holder's use that the stock is to cover.")
    held_days: NotNegative = Field(Decimal(0), description="Days that are held when the year begins.")
    build_years: int = Field(description="Over how many years the stock is built.", ge=1, le=60)
    action: TimedAction = Field("build", description="What it does on a day: build, hold or release.")
    release_days: Positive | None = Field(None, description="Days of use that are sold in a year of release.")

    @model_validator(mode="after")
    def loan_and_equity_are_the_budget(self) -> Self:
        if (self.loan_usd is None) != (self.equity_usd is None):
            missing = "loan_usd" if self.loan_usd is None else "equity_usd"
            raise wrong("missing", f"a financed reserve states loan and equity; {missing} is not there")
        if self.loan_usd is not None and self.equity_usd is not None:
            if (total := self.loan_usd + self.equity_usd) != self.budget_usd:
                message = f"loan and equity add to {total:,.0f} US dollars, the budget is {self.budget_usd:,.0f}"
                raise wrong("shares", message, at=("budget_usd",))
        elif self.loan_rate is not None or self.loan_years is not None:
            raise wrong("unused-term", "the terms of a loan without a loan", at=("loan_rate",))
        return self

    @model_validator(mode="after")
    def a_release_says_how_much(self) -> Self:
        actions = [self.action] if isinstance(self.action, str) else [period.value for period in self.action]
        if "release" in actions and self.release_days is None:
            raise wrong("missing", "a reserve that releases says how much: release_days")
        if self.held_days > self.target_days:
            raise wrong("more-than-target", f"{self.held_days} days are held, the target is {self.target_days}")
        return self

    @property
    def needs(self) -> frozenset[Need]:
        """Base use, of which days are counted."""
        return frozenset({"use"})

    def wedges(self, setting: Setting) -> tuple[Wedge, ...]:
        """The year's purchases (+) or sales (-) on every market of the holder."""
        action = self._action(setting)
        if not in_force(self, setting) or action in (None, "hold"):
            return ()
        budget = to_float(self.budget_usd / self.build_years) if action == "build" else None
        return tuple(
            Reserve(clause=self.id, good=good, country=country, tonnes=tonnes, owner=country, budget_usd=budget)
            for good, country, tonnes in self.tonnes(setting, str(action))
        )

    def released(self, setting: Setting) -> tuple[Wedge, ...]:
        """What the reserve sells if it is told to release, whatever its own action on the day."""
        if not in_force(self, setting):
            return ()
        return tuple(
            Reserve(clause=self.id, good=good, country=country, tonnes=tonnes, owner=country)
            for good, country, tonnes in self.tonnes(setting, "release")
        )

    def tonnes(self, setting: Setting, action: str) -> list[tuple[str, str, float]]:
        """Good, country and tonnes a year, sales negative."""
        if action == "build":
            days = (self.target_days - self.held_days) / self.build_years
        else:
            days = -min(self.release_days or Decimal(0), self.held_days)
        found: list[tuple[str, str, float]] = []
        for good in setting.goods(self.goods):
            for country in sorted(setting.members(self.holder)):
                use = decimal(setting.use_t.get((good, country), 0.0))
                if tonnes := to_float(use * days / YEAR):
                    found.append((good, country, tonnes))
        return found

    def promises(self, setting: Setting) -> tuple[Promise, ...]:
        """State trading: purchases or sales of a public stock."""
        if not (wedges := self.wedges(setting)):
            return ()
        goods = tuple(dict.fromkeys(wedge.good for wedge in wedges if isinstance(wedge, Reserve)))
        holder = setting.members(self.holder)
        return (
            Promise(
                clause=self.id,
                touches="public_stock",
                goods=goods,
                bound=holder,
                affected=setting.countries - holder,
                facts=(("action", str(self._action(setting))), ("target_days", str(self.target_days))),
            ),
        )

    def _action(self, setting: Setting) -> str | None:
        if isinstance(self.action, str):
            return self.action
        return next((period.value for period in self.action if period.holds(setting.as_of)), None)

    def claims(self, setting: Setting) -> tuple[Claim, ...]:
        """The year's interest on the loan, owed by the holder."""
        if self.loan_usd is None or self.loan_rate is None or not in_force(self, setting):
            return ()
        interest = self.loan_usd * self.loan_rate
        terms = [("loan_usd", str(self.loan_usd)), ("loan_rate", str(self.loan_rate)), ("interest_usd", str(interest))]
        if self.loan_years is not None:
            terms.append(("loan_years", str(self.loan_years)))
        payers = ((self.holder, Decimal(1)),)
        return (Claim(clause=self.id, good="", payers=payers, payees=frozenset(), terms=tuple(terms)),)

    def assumptions(self) -> tuple[str, ...]:
        """What is taken as held where the text is silent."""
        if "held_days" in self.model_fields_set:
            return ()
        return (f"{self.id}: nothing is held when the year begins.",)
