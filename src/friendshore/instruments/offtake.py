"""Offtake: tonnes that a buyer has promised to take from a seller, at a price that a formula gives.

Take-or-pay tonnes flow whatever the market says; what the formula adds to the market price is money between the two.
Delivery by lot, make-up and shortfall are left to the ledger.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, ValidationInfo, model_validator

from friendshore.faces import Claim, Offtake, Promise, Wedge
from friendshore.instruments.clause import Clause, Need, Setting, Share, TimedNumber, in_force
from friendshore.instruments.dates import Term, after, on
from friendshore.instruments.funding import shares
from friendshore.instruments.names import CountryCode, GoodId, unions
from friendshore.instruments.price import TimedPrice, check_basis, on_the_day
from friendshore.marked import wrong
from friendshore.units import to_float

Formula = Literal["market", "fixed", "floor", "cap", "collar"]
FORMULAS: dict[str, tuple[str, ...]] = {
    "market": (),
    "fixed": ("price",),
    "floor": ("floor",),
    "cap": ("cap",),
    "collar": ("floor", "cap"),
}
NONE, WHOLE = Decimal(0), Decimal(1)


class PriceFormula(Term):
    """What the buyer pays at the seller's gate: max(floor, min(p, cap) + upside * max(0, p - cap)), p the market price."""

    formula: Formula = Field(description="market, fixed, floor, cap or collar (a floor and a cap).")
    price: TimedPrice | None = Field(None, description="The price, where it is fixed.")
    floor: TimedPrice | None = Field(None, description="The least that is paid.")
    cap: TimedPrice | None = Field(None, description="Where the price stops following the market.")
    upside: Share | None = Field(
        None, description="Part of the market price above the cap that the seller still gets; none if absent."
    )

    @model_validator(mode="after")
    def the_formula_has_its_terms(self) -> Self:
        needed = FORMULAS[self.formula]
        for key in ("price", "floor", "cap"):
            given = getattr(self, key) is not None
            if key in needed and not given:
                raise wrong("missing", f"formula {self.formula} needs {key}")
            if given and key not in needed:
                raise wrong("unused-term", f"{key} has no meaning under formula {self.formula}", at=(key,))
        if self.upside is not None and self.cap is None:
            raise wrong("unused-term", "upside is the part above a cap", at=("upside",))
        return self

    def bounds(self, good: str, setting: Setting) -> tuple[Decimal | None, Decimal | None]:
        """Floor and cap on the day, USD per contained tonne; a fixed price is both."""
        if self.formula == "fixed":
            fixed = on_the_day(self.price, good, setting) if self.price is not None else None
            return fixed, fixed
        floor = on_the_day(self.floor, good, setting) if self.floor is not None else None
        cap = on_the_day(self.cap, good, setting) if self.cap is not None else None
        return floor, cap


class OfftakeAgreement(Clause):
    """A purchase of stated tonnes for some years.

    Promises: in each year of its term the buyer takes, or pays for, `take_or_pay` * `tonnes`, at the price that the
    formula gives at the seller's gate, freight and duties on top. What the buyer cannot use becomes its stock. The seller's
    other tonnes earn the market price, so a floor in the formula is money to the seller and moves no metal within the year.
    """

    word: ClassVar[str] = "offtake"

    good: GoodId = Field(description="What is bought.")
    project: str = Field("", description="Mine or plant that it comes from, in words.")
    seller: CountryCode = Field(description="Country where it is made; not a union.")
    buyer: CountryCode = Field(
        description="Country or union that takes it; a union's tonnes go where it buys from the seller already."
    )
    tonnes: TimedNumber = Field(description="Contained tonnes a year.")
    take_or_pay: Annotated[Share, Field(gt=0)] = Field(
        WHOLE, description="Part of the tonnes that is paid for even where it is not taken; the rest is an option."
    )
    price: PriceFormula = Field(description="What is paid, at the seller's gate.")
    years: int | None = Field(None, description="For how many years; until `ends` if absent.", ge=1, le=60)

    @model_validator(mode="after")
    def a_plant_stands_in_a_country(self) -> Self:
        if self.seller in unions():
            message = f"{self.seller} is a customs union; a plant stands in one of its countries"
            raise wrong("customs-union", message, at=("seller",))
        return self

    @model_validator(mode="after")
    def one_end(self) -> Self:
        if self.years is not None and self.ends is not None:
            raise wrong("unused-term", "an offtake has a term in years or a last day, not both", at=("years",))
        return self

    @model_validator(mode="after")
    def prices_are_for_the_good(self, info: ValidationInfo) -> Self:
        for key in ("price", "floor", "cap"):
            check_basis(getattr(self.price, key), (self.good,), info, ("price", key))
        return self

    @property
    def needs(self) -> frozenset[Need]:
        """Base flows, where a union's tonnes go by them; capacity, which the tonnes must not exceed."""
        return frozenset({"flows", "capacity"})

    def wedges(self, setting: Setting) -> tuple[Wedge, ...]:
        """Take-or-pay tonnes on the route, one wedge for each buying country."""
        good, seller = setting.good(self.good), setting.members(self.seller)
        if not seller or not (parts := self._buyers(setting)):
            return ()
        floor, cap = self.price.bounds(good, setting)
        return tuple(
            Offtake(
                clause=self.id,
                good=good,
                exporter=min(seller),
                importer=buyer,
                tonnes=to_float(tonnes),
                floor_usd_t=None if floor is None else to_float(floor),
                cap_usd_t=None if cap is None else to_float(cap),
                upside=to_float(self.price.upside or NONE),
            )
            for buyer, tonnes in parts
        )

    def promises(self, setting: Setting) -> tuple[Promise, ...]:
        """A purchase that is promised, and its price."""
        parts = self._buyers(setting)
        if not parts:
            return ()
        return (
            Promise(
                clause=self.id,
                touches="purchase_commitment",
                goods=(setting.good(self.good),),
                bound=frozenset(buyer for buyer, _ in parts),
                affected=setting.members(self.seller),
                facts=(("tonnes", str(self._tonnes(setting))), ("formula", self.price.formula)),
            ),
        )

    def claims(self, setting: Setting) -> tuple[Claim, ...]:
        """What each delivered tonne makes the buyers owe the seller."""
        parts, total = self._buyers(setting), self._tonnes(setting)
        if not parts or not total:
            return ()
        good = setting.good(self.good)
        floor, cap = self.price.bounds(good, setting)
        terms = [
            ("formula", self.price.formula),
            ("tonnes", str(on(self.tonnes, setting.as_of))),
            ("take_or_pay", str(self.take_or_pay)),
        ]
        terms += [(key, str(price)) for key, price in (("floor_usd_t", floor), ("cap_usd_t", cap)) if price is not None]
        if self.price.upside is not None:
            terms.append(("upside", str(self.price.upside)))
        payers = shares({buyer: to_float(tonnes) for buyer, tonnes in parts})
        return (
            Claim(clause=self.id, good=good, payers=payers, payees=setting.members(self.seller), terms=tuple(terms)),
        )

    def assumptions(self) -> tuple[str, ...]:
        """Whether what is optional is taken."""
        if self.take_or_pay == WHOLE:
            return ()
        return (f"{self.id}: of the tonnes beyond take-or-pay none is counted as taken under the contract.",)

    def holds(self, setting: Setting) -> bool:
        """Whether the day is within the term of the contract, for parties or others that it names."""
        start = self.enters_into_force or setting.in_force
        if self.years is not None and setting.as_of >= after(start, 12 * self.years):
            return False
        return in_force(self, setting)

    def _tonnes(self, setting: Setting) -> Decimal:
        tonnes = on(self.tonnes, setting.as_of) if self.holds(setting) else None
        return NONE if tonnes is None else tonnes * self.take_or_pay

    def _buyers(self, setting: Setting) -> list[tuple[str, Decimal]]:
        """The buying countries and their tonnes: a union's by what its members bought of the seller, else alike."""
        tonnes, good = self._tonnes(setting), setting.good(self.good)
        seller = min(setting.members(self.seller), default="")
        members = setting.members(self.buyer)
        if not tonnes or not members:
            return []
        bought = {buyer: setting.base_flow_t.get((good, seller, buyer), 0.0) for buyer in members}
        return [(buyer, tonnes * share) for buyer, share in shares(bought) if share]
