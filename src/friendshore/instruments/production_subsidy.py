"""Production subsidy: so much per tonne, or a contract for difference up to a strike price.

One-way, the producer keeps what the market pays above the strike; two-way, part of it is clawed back. Who pays the
difference is stated. Settlement of single tonnes is left to the ledger.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator, Discriminator, Field, Tag, ValidationInfo, model_validator

from friendshore.faces import Claim, Contract, Promise, Subsidy, Wedge
from friendshore.instruments.clause import PhasedClause, Positive, Setting, Share, TimedNumber
from friendshore.instruments.dates import Term, on
from friendshore.instruments.names import Countries, CountryCode, GoodId
from friendshore.instruments.price import TimedPrice, check_basis, on_the_day
from friendshore.marked import wrong
from friendshore.units import to_float

Kind = Literal["per_tonne", "one_way", "two_way"]
ONE = Decimal(1)
STEP = Decimal("0.000001")


class Payers(Term):
    """Stated shares of who pays."""

    shares: dict[CountryCode, Positive] = Field(description="Country or customs union to its share; they add to one.")

    @model_validator(mode="after")
    def shares_add_to_one(self) -> Self:
        if (total := sum(self.shares.values())) != ONE:
            raise wrong("shares", f"the shares add to {total}, not to 1", at=("shares",))
        return self


def _funding(value: Any) -> Any:
    if isinstance(value, Mapping) and "shares" not in value:
        return {"shares": value}
    return value


Funding = Annotated[
    Annotated[Literal["own", "by_gdp", "by_use"], Tag("rule")]
    | Annotated[Payers, BeforeValidator(_funding), Tag("shares")],
    Discriminator(lambda value: "rule" if isinstance(value, str) else "shares"),
]


class ProductionSubsidy(PhasedClause):
    """Support for producers of one good.

    Promises, by kind. `per_tonne`: `amount` on every tonne made. `one_way`: the receipt per tonne is the greater of the
    market price and the strike. `two_way`: the strike, plus the part of what the market pays above it that is not
    clawed back. `cap_t` limits the tonnes a year in each producing country; the rest earn the market price. The
    difference is paid by the treasuries that `funding` names: each producer's own, or all parties in proportion.
    Payment depends neither on export nor on the origin of the inputs.
    """

    word: ClassVar[str] = "subsidy"

    good: GoodId = Field(description="The good whose making is supported.")
    producers: Countries = Field(("parties",), description="Where: parties, or codes.")
    kind: Kind = Field(description="per_tonne, or a contract for difference: one_way or two_way.")
    amount: TimedPrice | None = Field(None, description="Subsidy per mass, for per_tonne.")
    strike: TimedPrice | None = Field(None, description="Guaranteed price, for a contract.")
    claw_back: Share | None = Field(
        None, description="Part of the price above the strike that is paid back, for two_way: 1 is all of it."
    )
    cap_t: TimedNumber | None = Field(None, description="Covered tonnes a year per country; no limit if absent.")
    funding: Funding = Field(description="Who pays: own, by_gdp, by_use, or shares by country that add to one.")
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
        if self.phase_in and contract:
            raise wrong("unused-term", "a strike price is not phased in", hint="date it instead", at=("phase_in",))
        return self

    @model_validator(mode="after")
    def prices_are_for_the_good(self, info: ValidationInfo) -> Self:
        check_basis(self.amount, (self.good,), info, ("amount",))
        check_basis(self.strike, (self.good,), info, ("strike",))
        return self

    def wedges(self, setting: Setting) -> tuple[Wedge, ...]:
        """A subsidy per tonne, or a contract."""
        found: list[Wedge] = []
        for good, producers, usd_t, payers in self._terms(setting):
            shares = tuple((country, to_float(share)) for country, share in payers)
            if self.kind == "per_tonne":
                found.append(
                    Subsidy(clause=self.id, good=good, producers=producers, usd_t=to_float(usd_t), payers=shares)
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
        for good, producers, usd_t, payers in self._terms(setting):
            terms = [("kind", self.kind), ("usd_t", str(usd_t))]
            if self.claw_back is not None:
                terms.append(("claw_back", str(self.claw_back)))
            if self.cap_t is not None and (cap := on(self.cap_t, setting.as_of)) is not None:
                terms.append(("cap_t", str(cap)))
            found.append(Claim(clause=self.id, good=good, payers=payers, payees=producers, terms=tuple(terms)))
        return tuple(found)

    def _terms(self, setting: Setting) -> list[tuple[str, frozenset[str], Decimal, tuple[tuple[str, Decimal], ...]]]:
        """Good, producers, money per tonne on the day, payers with shares (none: each producer's own treasury)."""
        good = setting.good(self.good)
        price = self.amount if self.kind == "per_tonne" else self.strike
        if price is None or (usd_t := on_the_day(price, good, setting)) is None:
            return []
        by_phase: dict[Decimal, frozenset[str]] = {}
        for party in setting.imposed(self, self.producers):
            by_phase[party.phase] = by_phase.get(party.phase, frozenset()) | party.members
        payers = self._payers(setting, good)
        return [(good, producers, usd_t * phase, payers) for phase, producers in by_phase.items()]

    def _payers(self, setting: Setting, good: str) -> tuple[tuple[str, Decimal], ...]:
        if self.funding == "own":
            return ()
        if isinstance(self.funding, Payers):
            weights: dict[str, Decimal] = {}
            for code, share in self.funding.shares.items():
                within = setting.members(code)
                for country, part in _shares({country: setting.gdp_usd.get(country, 0.0) for country in within}):
                    weights[country] = weights.get(country, Decimal(0)) + share * part
            return tuple(sorted(weights.items()))
        inside = frozenset().union(*(party.members for party in setting.bound(self)))
        if self.funding == "by_gdp":
            return _shares({country: setting.gdp_usd.get(country, 0.0) for country in inside})
        return _shares({country: setting.use_t.get((good, country), 0.0) for country in inside})

    def _funding_word(self) -> str:
        return self.funding if isinstance(self.funding, str) else "shares"


def _shares(weights: Mapping[str, float]) -> tuple[tuple[str, Decimal], ...]:
    """Weights as shares to six digits that add to one exactly; equal where all weights are nought.

    The last country in order of code takes what rounding leaves.
    """
    countries = sorted(country for country, weight in weights.items() if weight > 0) or sorted(weights)
    if not countries:
        return ()
    total = sum(weights[country] for country in countries)
    shares = [
        Decimal(repr(weights[country] / total if total else 1 / len(countries))).quantize(STEP) for country in countries
    ]
    shares[-1] = ONE - sum(shares[:-1], Decimal(0))
    return tuple(zip(countries, shares, strict=True))
