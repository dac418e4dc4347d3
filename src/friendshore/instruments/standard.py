"""Standards-based market: certified goods earn a premium from the buyers who ask for it, or are the only ones let in.

Buyers pay what certification is worth to them, so they buy where they bought before; the producers get the premium. What
certification is worth in itself is not counted as a gain. Who certifies, and how, is left to the text.
"""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar, Literal, Self

from pydantic import Field, ValidationInfo, model_validator

from friendshore.faces import Ban, Claim, Promise, Subsidy, Wedge
from friendshore.instruments.clause import Need, PhasedClause, Setting, Share, borders, lane
from friendshore.instruments.funding import Shares, shares
from friendshore.instruments.names import Activities, Countries, GoodId
from friendshore.instruments.price import TimedPrice, check_basis, on_the_day
from friendshore.marked import wrong
from friendshore.units import decimal, to_float

NONE, WHOLE = Decimal(0), Decimal(1)


class StandardsMarket(PhasedClause):
    """A market for goods that meet a standard.

    Promises, by access. `premium`: on each certified tonne that the buyers take they pay `premium` on top of the price, and
    the producer gets it, less what compliance costs per tonne that is certified. `required`: besides, the buyers let in
    goods from certified countries only. Spread over all that a certified country makes, the premium is
    phase * (premium * part of its output that the buyers took in the base year - compliance cost) * certified share.
    """

    word: ClassVar[str] = "standard"

    good: GoodId = Field(description="One mineral at one stage.")
    standard: str = Field(description="Which standard, in words.", min_length=1)
    certified: Countries = Field(description="Countries whose producers are certified: parties or codes.")
    activities: Activities = Field((), description="Which activities or processes there are; all if absent.")
    buyers: Countries = Field(("parties",), description="Whose users ask for the standard.")
    access: Literal["premium", "required"] = Field("premium", description="What a good without certificate meets.")
    premium: TimedPrice | None = Field(None, description="What buyers pay on top, per mass.")
    compliance_cost: TimedPrice | None = Field(None, description="What certification costs the producer, per mass.")
    certified_share: Share | None = Field(
        None, description="Part of the certified countries' output that is certified; all of it if absent."
    )

    @model_validator(mode="after")
    def a_premium_market_has_a_premium(self) -> Self:
        if self.access == "premium" and self.premium is None:
            raise wrong("missing", "access premium needs a premium", hint="such as premium: 5 USD per kg of ndpr_oxide")
        if self.phase_in and self.access == "required":
            raise wrong("unused-term", "access is required or not, and not phased in", at=("phase_in",))
        return self

    @model_validator(mode="after")
    def prices_are_for_the_good(self, info: ValidationInfo) -> Self:
        check_basis(self.premium, (self.good,), info, ("premium",))
        check_basis(self.compliance_cost, (self.good,), info, ("compliance_cost",))
        return self

    @property
    def needs(self) -> frozenset[Need]:
        """Base flows, of which the buyers' part of output is counted."""
        return frozenset({"flows"})

    def wedges(self, setting: Setting) -> tuple[Wedge, ...]:
        """The premium on output, paid by the buyers; a ban on what is not certified where access requires it."""
        good = setting.good(self.good)
        eligible = setting.activities(self.activities)
        found: list[Wedge] = []
        if not (self.activities and not eligible):
            for producer, usd_t, who_pays in self._premia(setting):
                found.append(
                    Subsidy(
                        clause=self.id,
                        good=good,
                        producers=frozenset({producer}),
                        usd_t=to_float(usd_t),
                        payers=tuple((country, to_float(share)) for country, share in who_pays),
                        paid_by_users=True,
                        activities=eligible,
                    )
                )
            for producer in sorted(setting.select(self.certified)) if (cost := self._cost(setting)) else ():
                found.append(
                    Subsidy(
                        clause=self.id,
                        good=good,
                        producers=frozenset({producer}),
                        usd_t=-to_float(cost),
                        payers=((producer, 0.0),),  # a cost of production, which nobody gets
                        paid_by_users=True,
                        activities=eligible,
                    )
                )
        found += [Ban(clause=self.id, lane=lane(good, shut, importers)) for shut, importers in self._shut(setting)]
        return tuple(found)

    def promises(self, setting: Setting) -> tuple[Promise, ...]:
        """A technical requirement, or a premium that buyers are asked for."""
        bound = setting.bound(self)
        if not bound:
            return ()
        certified, buyers = setting.select(self.certified), setting.select(self.buyers)
        return (
            Promise(
                clause=self.id,
                touches="technical_requirement" if self.access == "required" else "standards_premium",
                goods=(setting.good(self.good),),
                bound=buyers,
                affected=setting.countries - certified - buyers,
                facts=(("standard", self.standard), ("access", self.access)),
            ),
        )

    def claims(self, setting: Setting) -> tuple[Claim, ...]:
        """What buyers owe a certified producer per tonne."""
        good = setting.good(self.good)
        return tuple(
            Claim(
                clause=self.id,
                good=good,
                payers=who_pays,
                payees=frozenset({producer}),
                terms=(("usd_t_of_output", str(usd_t)),),
            )
            for producer, usd_t, who_pays in self._premia(setting)
        )

    def assumptions(self) -> tuple[str, ...]:
        """How much is certified, and where it goes."""
        said = [f"{self.id}: the buyers take the same part of certified output as in the base year."]
        if self.certified_share is None:
            said.append(f"{self.id}: all that the certified countries make is certified.")
        return tuple(said)

    def _premia(self, setting: Setting) -> list[tuple[str, Decimal, Shares]]:
        """Certified country, premium per tonne of its output, and the buyers who pay it."""
        good = setting.good(self.good)
        bound = setting.bound(self)
        price = on_the_day(self.premium, good, setting) if self.premium is not None else None
        if not bound or not price:
            return []
        factor = min(party.phase for party in bound) * self._certified
        buyers = setting.select(self.buyers)
        found: list[tuple[str, Decimal, Shares]] = []
        for producer in sorted(setting.select(self.certified)):
            sold = {to: t for (what, by, to), t in setting.base_flow_t.items() if what == good and by == producer}
            taken = {to: sold[to] for to in sorted(sold) if to in buyers and sold[to] > 0}
            if taken and (usd_t := price * factor * decimal(sum(taken.values()) / sum(sold.values()))):
                found.append((producer, usd_t, shares(taken)))
        return found

    def _cost(self, setting: Setting) -> Decimal:
        cost = on_the_day(self.compliance_cost, setting.good(self.good), setting) if self.compliance_cost else None
        bound = setting.bound(self)
        return NONE if cost is None or not bound else cost * self._certified * min(party.phase for party in bound)

    @property
    def _certified(self) -> Decimal:
        return WHOLE if self.certified_share is None else self.certified_share

    def _shut(self, setting: Setting) -> list[tuple[frozenset[str], frozenset[str]]]:
        """Origins that are not let in, and by whom."""
        if self.access != "required":
            return []
        certified, buyers = setting.select(self.certified), setting.select(self.buyers)
        outside = setting.countries - certified
        return [
            (shut, party.members & buyers)
            for shut, party in borders(outside, setting.bound(self))
            if party.members & buyers
        ]
