"""Trade area: goods that originate in one party enter another free of duty.

The preference replaces the duty that was there; during a phase-in it is lowered in proportion. Proof of origin is left
to the border.
"""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar, Literal

from pydantic import Field

from friendshore.faces import Duty, Promise, Tariff, Wedge
from friendshore.instruments.clause import Bound, PhasedClause, Setting, lane
from friendshore.instruments.names import ALL, Goods
from friendshore.units import decimal, to_float

NONE, FULL = Decimal(0), Decimal(1)


class TradeArea(PhasedClause):
    """Duty-free trade among the parties.

    Promises, once phased in: no customs duty on the goods named when they originate in a party and are imported into
    another. During the phase-in: duty = (1 - phase) * the duty in force before, the later of the two parties counting.
    Duties on goods from elsewhere, and duties inside a customs union, stay as they are.
    """

    word: ClassVar[str] = "trade_area"

    goods: Goods = Field((ALL,), description="`all`, or the goods that are freed.")
    preference: Literal["duty_free"] = Field(description="What the parties grant each other.")

    def wedges(self, setting: Setting) -> tuple[Wedge, ...]:
        """A replacing tariff on every good between every two parties."""
        return tuple(
            Tariff(
                clause=self.id,
                lane=lane(good, exporters, importers),
                rate=to_float(rate),
                specific_usd_t=to_float(specific),
            )
            for good, exporters, importers, rate, specific in self._rates(setting)
        )

    def duties(self, setting: Setting) -> tuple[Duty, ...]:
        """The preferential rate that a consignment of a party's origin owes."""
        return tuple(
            Duty(
                clause=self.id,
                article=self.article,
                good=good,
                exporters=exporters,
                importers=importers,
                rate=rate,
                specific_usd_t=specific,
                as_of=setting.as_of,
            )
            for good, exporters, importers, rate, specific in self._rates(setting)
        )

    def promises(self, setting: Setting) -> tuple[Promise, ...]:
        """A preference among the parties, which everybody else does not get."""
        bound = setting.bound(self)
        inside = frozenset().union(*(party.members for party in bound))
        if len(bound) < 2:
            return ()
        return (
            Promise(
                clause=self.id,
                touches="preference",
                goods=setting.goods(self.goods),
                bound=inside,
                affected=setting.countries - inside,
                facts=(("preference", self.preference), ("phase", str(min(party.phase for party in bound)))),
            ),
        )

    def _rates(self, setting: Setting) -> list[tuple[str, frozenset[str], frozenset[str], Decimal, Decimal]]:
        """Good, exporters, importers, rate and specific duty; lanes with the same duty are joined."""
        found: list[tuple[str, frozenset[str], frozenset[str], Decimal, Decimal]] = []
        bound = setting.bound(self)
        for importer in bound:
            others = [party for party in bound if party.code != importer.code and party.members]
            whole = frozenset().union(*(party.members for party in others if _full(party, importer)))
            partial = [party for party in others if not _full(party, importer)]
            for good in setting.goods(self.goods):
                if whole and importer.members:
                    found.append((good, whole, importer.members, NONE, NONE))
                duties: dict[tuple[Decimal, Decimal], set[tuple[str, str]]] = {}
                for exporter in partial:
                    for pair, duty in _remaining(setting, good, exporter, importer).items():
                        duties.setdefault(duty, set()).add(pair)
                for (rate, specific), pairs in duties.items():
                    for exporters, importers in _rectangles(pairs):
                        found.append((good, exporters, importers, rate, specific))
        return found


def _full(exporter: Bound, importer: Bound) -> bool:
    return min(exporter.phase, importer.phase) == FULL


def _remaining(
    setting: Setting, good: str, exporter: Bound, importer: Bound
) -> dict[tuple[str, str], tuple[Decimal, Decimal]]:
    """What is left of the duty between two parties, by pair of countries."""
    left = FULL - min(exporter.phase, importer.phase)
    found: dict[tuple[str, str], tuple[Decimal, Decimal]] = {}
    for origin in exporter.members:
        for target in importer.members:
            rate, specific = setting.base_duty.get((good, origin, target), (0.0, 0.0))
            found[origin, target] = (decimal(rate) * left, decimal(specific) * left)
    return found


def _rectangles(pairs: set[tuple[str, str]]) -> list[tuple[frozenset[str], frozenset[str]]]:
    """A set of (exporter, importer) pairs as sets of exporters times sets of importers."""
    by_exporter: dict[str, set[str]] = {}
    for exporter, importer in pairs:
        by_exporter.setdefault(exporter, set()).add(importer)
    joined: dict[frozenset[str], set[str]] = {}
    for exporter, importers in by_exporter.items():
        joined.setdefault(frozenset(importers), set()).add(exporter)
    return [
        (frozenset(exporters), importers)
        for importers, exporters in sorted(joined.items(), key=lambda item: sorted(item[1]))
    ]
