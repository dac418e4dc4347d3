"""Tariff: an import duty at the parties' borders, in per cent of the customs value, per tonne, or both.

Preferences among the parties are a trade area; a duty that follows a reference price is a price floor.
"""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar, Self

from pydantic import Field, ValidationInfo, model_validator

from friendshore.faces import Duty, Promise, Tariff, Wedge
from friendshore.instruments.clause import Bound, PhasedClause, Setting, TimedNumber, borders, lane
from friendshore.instruments.dates import on
from friendshore.instruments.names import ALL, Countries, Goods
from friendshore.instruments.price import TimedPrice, check_basis, on_the_day
from friendshore.marked import wrong
from friendshore.units import to_float

NONE = Decimal(0)


class ImportTariff(PhasedClause):
    """A duty on imports.

    Promises: the importers named charge rate * customs value + specific duty on the goods named from the exporters
    named; on top of the duty in force where `adds` is true, in its place where it is false. During a phase-in, the
    terms grow in proportion; a duty that replaces has none. Trade at home or inside a customs union never pays.
    """

    word: ClassVar[str] = "tariff"

    goods: Goods = Field(description="`all`, one good or a list.")
    exporters: Countries = Field(("non_parties",), description="Whose goods: non_parties, everyone, parties, or codes.")
    importers: Countries | None = Field(
        None, description="Whose border, where it is not the parties' that the clause binds: codes."
    )
    rate: TimedNumber = Field(NONE, description="Ad valorem rate as a fraction: 0.25 is 25 per cent.")
    specific: TimedPrice | None = Field(None, description="Duty per mass, such as 5 USD per kg of ndpr_oxide.")
    adds: bool = Field(True, description="On top of the duty in force (true) or in its place (false).")

    @model_validator(mode="after")
    def a_duty_is_stated(self) -> Self:
        if "rate" not in self.model_fields_set and self.specific is None:
            raise wrong("missing", "a tariff needs a rate, a specific duty, or both")
        if not self.adds and self.phase_in:
            raise wrong("unused-term", "a duty that replaces another is not phased in", at=("phase_in",))
        return self

    @model_validator(mode="after")
    def the_specific_duty_is_for_the_goods(self, info: ValidationInfo) -> Self:
        if self.specific is not None and ALL in self.goods:
            raise wrong("wrong-basis", "a specific duty names its goods, not all", at=("goods",))
        check_basis(self.specific, self.goods, info, ("specific",))
        return self

    def wedges(self, setting: Setting) -> tuple[Wedge, ...]:
        """A tariff on each lane."""
        return tuple(
            Tariff(
                clause=self.id,
                lane=lane(good, exporters, party.members),
                rate=to_float(rate),
                specific_usd_t=to_float(specific),
                adds=self.adds,
            )
            for good, exporters, party, rate, specific in self._terms(setting)
        )

    def duties(self, setting: Setting) -> tuple[Duty, ...]:
        """The duty that a consignment owes under the clause."""
        return tuple(
            Duty(
                clause=self.id,
                article=self.article,
                good=good,
                exporters=exporters,
                importers=party.members,
                rate=rate,
                specific_usd_t=specific,
                as_of=setting.as_of,
                replaces=not self.adds,
            )
            for good, exporters, party, rate, specific in self._terms(setting)
        )

    def promises(self, setting: Setting) -> tuple[Promise, ...]:
        """An import duty."""
        return tuple(
            Promise(
                clause=self.id,
                touches="import_duty",
                goods=(good,),
                bound=party.members,
                affected=exporters,
                facts=(("rate", str(rate)), ("specific_usd_t", str(specific)), ("adds", str(self.adds).lower())),
            )
            for good, exporters, party, rate, specific in self._terms(setting)
        )

    def _terms(self, setting: Setting) -> list[tuple[str, frozenset[str], Bound, Decimal, Decimal]]:
        found: list[tuple[str, frozenset[str], Bound, Decimal, Decimal]] = []
        if (rate := on(self.rate, setting.as_of)) is None:
            return found
        for good in setting.goods(self.goods):
            per_tonne = on_the_day(self.specific, good, setting) if self.specific is not None else NONE
            if per_tonne is None:
                continue
            for exporters, party in borders(setting.select(self.exporters), setting.imposed(self, self.importers)):
                found.append((good, exporters, party, rate * party.phase, per_tonne * party.phase))
        return found
