"""Funding key: who pays for a measure, and in which shares.

Shares add to one exactly, to six digits. A customs union's share is split over its members by gross domestic product.
Paying is left to the ledger, the effect on each treasury to the market's accounts.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_FLOOR, Decimal
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from friendshore.instruments.clause import Clause, Positive, Setting
from friendshore.instruments.dates import Term
from friendshore.instruments.names import CountryCode
from friendshore.marked import wrong

ONE = Decimal(1)
STEP = Decimal("0.000001")

Shares = tuple[tuple[str, Decimal], ...]


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


# `own`: each producer's treasury; `by_gdp`, `by_use`: the parties in proportion; `equal`: the parties alike; or shares
Funding = Annotated[
    Annotated[Literal["own", "by_gdp", "by_use", "equal"], Tag("rule")]
    | Annotated[Payers, BeforeValidator(_funding, json_schema_input_type=Payers | dict[str, float]), Tag("shares")],
    Discriminator(lambda value: "rule" if isinstance(value, str) else "shares"),
]


def payers(funding: str | Payers, clause: Clause, good: str, setting: Setting) -> Shares:
    """Who pays for `clause` on the day, with shares that add to one; none where each producer's own treasury does.

    by_gdp: gross domestic product of the parties bound; by_use: tonnes of `good` that arrive in each in the base year;
    equal: one share for each party, a union being one.
    """
    if funding == "own":
        return ()
    bound = setting.bound(clause)
    if isinstance(funding, Payers):
        return _by_members(funding.shares, setting)
    if funding == "equal":
        return _by_members(dict(shares({party.code: 1.0 for party in bound})), setting)
    inside = frozenset().union(*(party.members for party in bound))
    if funding == "by_gdp":
        return shares({country: setting.gdp_usd.get(country, 0.0) for country in inside})
    return shares({country: setting.use_t.get((good, country), 0.0) for country in inside})


def _by_members(stated: Mapping[str, Decimal], setting: Setting) -> Shares:
    """Shares of countries and unions as shares of countries."""
    weights: dict[str, Decimal] = {}
    for code, share in stated.items():
        within = setting.members(code)
        for country, part in shares({country: setting.gdp_usd.get(country, 0.0) for country in within}):
            weights[country] = weights.get(country, Decimal(0)) + share * part
    return tuple(sorted(weights.items()))


def shares(weights: Mapping[str, float]) -> Shares:
    """Weights as shares to six digits that add to one exactly; equal where all weights are nought.

    Largest remainders: each share is cut to six digits, and the millionths left go to those that lost most by it, in
    order of code where they lost the same.

    >>> shares({"A": 1.0, "B": 1.0, "C": 1.0})
    (('A', Decimal('0.333334')), ('B', Decimal('0.333333')), ('C', Decimal('0.333333')))
    """
    countries = sorted(country for country, weight in weights.items() if weight > 0) or sorted(weights)
    if not countries:
        return ()
    exact = {country: Decimal(repr(weights[country])) for country in countries}
    total = sum(exact.values())
    if not total:
        exact, total = dict.fromkeys(countries, ONE), Decimal(len(countries))
    cut = {country: (value / total).quantize(STEP, rounding=ROUND_FLOOR) for country, value in exact.items()}
    left = int((ONE - sum(cut.values())) / STEP)
    lost = sorted(countries, key=lambda country: (cut[country] - exact[country] / total, country))
    for country in lost[:left]:
        cut[country] += STEP
    return tuple(cut.items())
