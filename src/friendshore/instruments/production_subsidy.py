"""Production subsidy: so much per tonne, or a contract for difference up to a strike price.

One-way, the producer keeps what the market pays above the strike; two-way, part of it is clawed back. Who pays the
difference is stated. Settlement of single tonnes is left to the ledger.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, ValidationInfo, model_validator

from friendshore.faces import Claim, Contract, Promise, Subsidy, Wedge
from friendshore.instruments.clause import Need, PhasedClause, Setting, Share, TimedNumber
from friendshore.instruments.dates import on
from friendshore.instruments.funding import Funding, Shares, payers
from friendshore.instruments.names import Activities, Countries, GoodId
from friendshore.instruments.price import TimedPrice, check_basis, on_the_day
from friendshore.marked import wrong
from friendshore.units import to_float

Kind = Literal["per_tonne", "one_way", "two_way"]
ONE = Decimal(1)


class ProductionSubsidy(PhasedClause):
    """Support for producers of one good.

    Promises, by kind. `per_tonne`: `amount` on every tonne made. `one_way`: the receipt per tonne is the greater of the
    market price and the strike. `two_way`: the strike, plus the part of what the market pays above it that is not
    clawed back. `cap_t` limits the tonnes a year in each producing country; the rest earn the market price. The
    difference is paid by the treasuries that `funding` names: each producer's own, or all parties in proportion.
    What the payers pay in a year never exceeds `budget_usd`: where it binds, fewer tonnes are covered (`budget_cuts:
    volume`) or every tonne gets less (`strike`), until the two are equal. Payment depends neither on export nor on the
    origin of the inputs.
    """

    word: ClassVar[str] = "subsidy"

    good: GoodId = Field(description="The good whose making is supported.")
    producers: Countries = Field(("parties",), description="Where: parties, or codes.")
    activities: Activities = Field(
        (), description="Which activities or processes there are eligible; all that make the good if absent."
    )
    kind: Kind = Field(description="per_tonne, or a contract for difference: one_way or two_way.")
    amount: TimedPrice | None = Field(None, description="Subsidy per mass, for per_tonne.")
    strike: TimedPrice | None = Field(None, description="Guaranteed price, for a contract.")
    claw_back: Share | None = Field(
        None, description="Part of the price above the strike that is paid back, for two_way: 1 is all of it."
    )
    cap_t: TimedNumber | None = Field(None, description="Covered tonnes a year per country; no limit if absent.")
    funding: Funding = Field(description="Who pays: own, by_gdp, by_use, equal, or shares that add to one.")
    budget_usd: TimedNumber | None = Field(
        None, description="The most that all payers together pay in a year, net of what flows back; no limit if absent."
    )
    budget_cuts: Literal["volume", "strike"] | None = Field(
        None,
        description="What is cut where the budget binds: covered tonnes (volume) or the guaranteed price (strike).",
    )
    dispersion: Annotated[float, Field(ge=0, le=2)] = Field(
        0.0, description="Relative standard deviation of settled prices around their yearly mean."
    )

    @model_validator(mode="after")
    def the_kind_has_its_terms(self) -> Self:
        contract = self.kind != "per_tonne"
        needed = {"amount": not contract, "strike": contract, "claw_back": self.kind == "two_way"}
        for key, wanted in needed.items():
            given = getattr(self, key) is not None
            if wanted and not given:
                raise wrong(
                    "missing", f"kind {self.kind} needs {key}", hint=str(type(self).model_fields[key].description)
                )
            if given and not wanted:
                raise wrong("unused-term", f"{key} has no meaning for kind {self.kind}", at=(key,))
        for key, given in (("cap_t", self.cap_t is not None), ("dispersion", bool(self.dispersion))):
            if given and not contract:
                raise wrong("unused-term", f"{key} has no meaning for kind per_tonne", at=(key,))
        if self.budget_cuts is not None and (self.budget_usd is None or not contract):
            raise wrong("unused-term", "budget_cuts is for a contract that has a budget", at=("budget_cuts",))
        if self.phase_in and contract:
            raise wrong("unused-term", "a strike price is not phased in", hint="date it instead", at=("phase_in",))
        return self

    @model_validator(mode="after")
    def prices_are_for_the_good(self, info: ValidationInfo) -> Self:
        check_basis(self.amount, (self.good,), info, ("amount",))
        check_basis(self.strike, (self.good,), info, ("strike",))
        return self

    @property
    def needs(self) -> frozenset[Need]:
        """Base use, where it is the funding key."""
        return frozenset({"use"}) if self.funding == "by_use" else frozenset()

    def wedges(self, setting: Setting) -> tuple[Wedge, ...]:
        """A subsidy per tonne, or a contract."""
        found: list[Wedge] = []
        eligible = setting.activities(self.activities)
        if self.activities and not eligible:
            return ()
        budget = on(self.budget_usd, setting.as_of) if self.budget_usd is not None else None
        limit = None if budget is None else to_float(budget)
        for good, producers, usd_t, who_pays in self._terms(setting):
            shares = tuple((country, to_float(share)) for country, share in who_pays)
            if self.kind == "per_tonne":
                found.append(
                    Subsidy(
                        clause=self.id,
                        good=good,
                        producers=producers,
                        usd_t=to_float(usd_t),
                        payers=shares,
                        activities=eligible,
                        budget_usd=limit,
                    )
                )
                continue
            cap = on(self.cap_t, setting.as_of) if self.cap_t is not None else None
            found.append(
                Contract(
                    clause=self.id,
                    good=good,
                    producers=producers,
                    strike_usd_t=to_float(usd_t),
                    two_way=self.kind == "two_way",
                    claw_back=to_float(self.claw_back if self.claw_back is not None else ONE),
                    cap_t=None if cap is None else to_float(cap),
                    payers=shares,
                    dispersion=self.dispersion,
                    activities=eligible,
                    budget_usd=limit,
                    budget_cuts=self.budget_cuts or "volume",
                )
            )
        return tuple(found)

    def promises(self, setting: Setting) -> tuple[Promise, ...]:
        """A subsidy to producers."""
        return tuple(
            Promise(
                clause=self.id,
                touches="producer_subsidy",
                goods=(good,),
                bound=producers,
                affected=setting.countries - producers,
                facts=(("kind", self.kind), ("usd_t", str(usd_t)), ("funding", self._funding_word())),
            )
            for good, producers, usd_t, _ in self._terms(setting)
        )

    def claims(self, setting: Setting) -> tuple[Claim, ...]:
        """What each metered tonne makes the payers owe, or the producer pay back."""
        found: list[Claim] = []
        for good, producers, usd_t, who_pays in self._terms(setting):
            terms = [("kind", self.kind), ("usd_t", str(usd_t))]
            if self.claw_back is not None:
                terms.append(("claw_back", str(self.claw_back)))
            if self.cap_t is not None and (cap := on(self.cap_t, setting.as_of)) is not None:
                terms.append(("cap_t", str(cap)))
            if self.budget_usd is not None and (budget := on(self.budget_usd, setting.as_of)) is not None:
                terms.append(("budget_usd", str(budget)))
            found.append(Claim(clause=self.id, good=good, payers=who_pays, payees=producers, terms=tuple(terms)))
        return tuple(found)

    def _terms(self, setting: Setting) -> list[tuple[str, frozenset[str], Decimal, Shares]]:
        """Good, producers, money per tonne on the day, payers with shares (none: each producer's own treasury)."""
        good = setting.good(self.good)
        price = self.amount if self.kind == "per_tonne" else self.strike
        if price is None or (usd_t := on_the_day(price, good, setting)) is None:
            return []
        by_phase: dict[Decimal, frozenset[str]] = {}
        for party in setting.imposed(self, self.producers):
            by_phase[party.phase] = by_phase.get(party.phase, frozenset()) | party.members
        who_pays = payers(self.funding, self, good, setting)
        return [(good, producers, usd_t * phase, who_pays) for phase, producers in by_phase.items()]

    def _funding_word(self) -> str:
        return self.funding if isinstance(self.funding, str) else "shares"
