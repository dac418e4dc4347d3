"""Tariff-rate quota: a low duty on the first tonnes of a year, a higher one beyond.

Each importing territory has a quota of its own; parts of it may be kept for single origins. Which consignment came first
is left to the border.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar, Self

from pydantic import Field, model_validator

from friendshore.faces import Duty, Promise, TariffQuota, Wedge
from friendshore.instruments.clause import Clause, NotNegative, Setting, TimedNumber, lane
from friendshore.instruments.dates import Many, Term, on, values
from friendshore.instruments.names import Countries, CountryCode, GoodId
from friendshore.marked import wrong
from friendshore.units import to_float


class Allocation(Term):
    """Tonnes of the quota that are kept for some origins."""

    exporters: Countries = Field(description="Whose goods: codes, parties or non_parties.")
    tonnes: NotNegative = Field(description="Contained tonnes a year out of the quota, for these origins together.")


class ImportQuota(Clause):
    """A duty that depends on how much has come in already.

    Promises: goods from the exporters named owe `rate_in` * customs value for the first `tonnes` of a year that enter a
    territory, `rate_out` * customs value beyond; both in place of the ad valorem duty in force. While the quota is not
    full the market pays `rate_in`; once it is, what the market pays above `rate_in` on tonnes within the quota is the rent
    of those who hold its licences, and `owner` names them. Origins with an allocation share theirs, all others the rest.
    """

    word: ClassVar[str] = "tariff_quota"

    good: GoodId = Field(description="One mineral at one stage.")
    exporters: Countries = Field(("everyone",), description="Whose goods: everyone, non_parties, parties, or codes.")
    importers: Countries | None = Field(None, description="Whose border, where it is not the parties': codes.")
    tonnes: TimedNumber = Field(description="Contained tonnes a year into each importing territory.")
    rate_in: TimedNumber = Field(description="Ad valorem rate within the quota: 0.02 is two per cent.")
    rate_out: TimedNumber = Field(description="Ad valorem rate beyond it; not below rate_in.")
    owner: CountryCode | None = Field(
        None, description="Who has the rent of the licences; the importing country or union if absent."
    )
    allocation: Many[Allocation] = Field((), description="Tonnes kept for single origins; the rest is open to all.")

    @model_validator(mode="after")
    def the_rate_beyond_is_the_higher(self) -> Self:
        if max(values(self.rate_in)) > min(values(self.rate_out)):
            message = (
                f"{min(values(self.rate_out))} beyond the quota is less than {max(values(self.rate_in))} within it"
            )
            raise wrong("rates", message, hint="a preference without a limit is a tariff", at=("rate_out",))
        return self

    @model_validator(mode="after")
    def the_parts_are_within_the_quota(self) -> Self:
        kept = sum((part.tonnes for part in self.allocation), Decimal(0))
        if kept > (least := min(values(self.tonnes))):
            message = f"{kept} tonnes are kept for single origins, {least} are in the quota"
            raise wrong("allocation", message, at=("allocation",))
        return self

    @model_validator(mode="after")
    def an_origin_has_one_part(self) -> Self:
        seen: set[str] = set()
        for number, part in enumerate(self.allocation):
            for code in part.exporters:
                if code in seen:
                    raise wrong("allocation", f"{code} has a part of the quota already", at=("allocation", number))
                seen.add(code)
        return self

    def wedges(self, setting: Setting) -> tuple[Wedge, ...]:
        """A tariff quota for each territory and each group of origins that share tonnes."""
        return tuple(
            TariffQuota(
                clause=self.id,
                lane=lane(part.good, part.exporters, part.importers),
                tonnes=to_float(part.tonnes),
                rate_in=to_float(part.rate_in),
                rate_out=to_float(part.rate_out),
                owner=part.owner,
            )
            for part in self._parts(setting)
        )

    def duties(self, setting: Setting) -> tuple[Duty, ...]:
        """The rate within the quota, with its tonnes and the rate beyond."""
        return tuple(
            Duty(
                clause=self.id,
                article=self.article,
                good=part.good,
                exporters=part.exporters,
                importers=part.importers,
                rate=part.rate_in,
                rate_beyond=part.rate_out,
                quota_t=part.tonnes,
                replaces=True,
                as_of=setting.as_of,
            )
            for part in self._parts(setting)
        )

    def promises(self, setting: Setting) -> tuple[Promise, ...]:
        """A duty that rises with quantity."""
        return tuple(
            Promise(
                clause=self.id,
                touches="tariff_quota",
                goods=(part.good,),
                bound=part.importers,
                affected=part.exporters,
                facts=(
                    ("tonnes", str(part.tonnes)),
                    ("rate_in", str(part.rate_in)),
                    ("rate_out", str(part.rate_out)),
                    ("owner", part.owner),
                ),
            )
            for part in self._parts(setting)
        )

    def _parts(self, setting: Setting) -> list[_Part]:
        """What every face is made from: tonnes by territory and group of origins."""
        day = setting.as_of
        terms = [on(term, day) for term in (self.tonnes, self.rate_in, self.rate_out)]
        tonnes, rate_in, rate_out = terms
        if tonnes is None or rate_in is None or rate_out is None:
            return []
        good, everyone = setting.good(self.good), setting.select(self.exporters)
        found: list[_Part] = []
        for party in setting.imposed(self, self.importers):
            open_to = everyone - party.members
            left = tonnes
            parts: list[tuple[frozenset[str], Decimal]] = []
            for part in self.allocation:
                origins = setting.select(part.exporters) & open_to
                left -= part.tonnes
                open_to -= origins
                parts.append((origins, part.tonnes))
            parts.append((open_to, left))
            owner = self.owner or party.code
            found += [
                _Part(good, origins, party.members, share, rate_in, rate_out, owner)
                for origins, share in parts
                if origins and party.members
            ]
        return found


@dataclass(frozen=True, slots=True)
class _Part:
    good: str
    exporters: frozenset[str]
    importers: frozenset[str]
    tonnes: Decimal
    rate_in: Decimal
    rate_out: Decimal
    owner: str
