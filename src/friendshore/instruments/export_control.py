"""Export control: what a country forbids, rations or taxes at its own border, and what the parties give up.

Under `prohibited_between_parties` the parties lift the controls they hold against each other; the other modes impose one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, ValidationInfo, model_validator

from friendshore.faces import Ban, ExportTax, Lane, Promise, Quota, Wedge
from friendshore.instruments.clause import PhasedClause, Setting, TimedNumber, borders, lane
from friendshore.instruments.dates import on
from friendshore.instruments.names import ALL, Countries, CountryCode, Goods, unions
from friendshore.instruments.price import TimedPrice, check_basis, on_the_day
from friendshore.marked import wrong
from friendshore.units import to_float

Mode = Literal["prohibited_between_parties", "licence", "quota", "ban", "export_tax"]
TERMS = {"licence": ("tonnes",), "quota": ("tonnes",), "export_tax": ("rate", "specific")}
NONE = Decimal(0)


class ExportControl(PhasedClause):
    """A control on exports, or the promise among parties to have none.

    Promises, by mode. `prohibited_between_parties`: no party taxes, rations or forbids exports of the goods named to
    another party; what it holds against others stays. `licence` and `quota`: at most `tonnes` a year leave, counted over
    all the exporters and importers named together, and `owner` has the rent of the licences; where `home_tonnes` is stated,
    the exporters themselves take at most so much of what they make. `ban`: nothing leaves.
    `export_tax`: the exporter's state takes rate * fob price + the specific tax, on top of what it takes already.
    """

    word: ClassVar[str] = "export_control"

    mode: Mode = Field(description="What is done: prohibited_between_parties, licence, quota, ban or export_tax.")
    goods: Goods = Field((ALL,), description="`all`, one good or a list.")
    exporters: Countries | None = Field(None, description="Who controls: codes. Not for prohibited_between_parties.")
    importers: Countries = Field(("everyone",), description="To whom: everyone, parties, non_parties, or codes.")
    tonnes: TimedNumber | None = Field(None, description="Contained tonnes a year, for a licence or quota.")
    owner: CountryCode | None = Field(None, description="Who has the rent of the licences; the exporter if absent.")
    home_tonnes: TimedNumber | None = Field(
        None,
        description="The most that the exporters use of their own, contained tonnes a year, for a licence or quota.",
    )
    rate: TimedNumber | None = Field(None, description="Export tax on the fob price: 0.1 is ten per cent.")
    specific: TimedPrice | None = Field(None, description="Export tax per mass.")

    @model_validator(mode="before")
    @classmethod
    def in_few_words(cls, value: Any) -> Any:
        """`{between_parties: prohibited}` says all that the mode needs."""
        if isinstance(value, Mapping) and value.get("between_parties") == "prohibited" and "mode" not in value:
            rest = {key: item for key, item in value.items() if key != "between_parties"}
            return {**rest, "mode": "prohibited_between_parties"}
        return value

    @model_validator(mode="after")
    def the_mode_has_its_terms(self) -> Self:
        needed = TERMS.get(self.mode, ())
        given = [key for key in ("tonnes", "rate", "specific") if getattr(self, key) is not None]
        for key in given:
            if key not in needed:
                raise wrong("unused-term", f"{key} has no meaning under mode {self.mode}", at=(key,))
        if needed and not given:
            raise wrong("missing", f"mode {self.mode} needs {' or '.join(needed)}")
        for key in ("owner", "home_tonnes"):
            if getattr(self, key) is not None and "tonnes" not in needed:
                raise wrong("unused-term", f"{key} has no meaning under mode {self.mode}", at=(key,))
        if self.phase_in and self.mode != "export_tax":
            raise wrong("unused-term", f"mode {self.mode} is not phased in", at=("phase_in",))
        return self

    @model_validator(mode="after")
    def who_controls_is_stated(self) -> Self:
        if self.mode == "prohibited_between_parties":
            for key in ("exporters", "importers"):
                if key in self.model_fields_set:
                    raise wrong("unused-term", f"{key} are the parties under mode {self.mode}", at=(key,))
        elif self.exporters is None:
            raise wrong("missing", f"mode {self.mode} needs exporters", hint="such as exporters: CHN")
        elif "tonnes" in TERMS.get(self.mode, ()) and self.owner is None:
            if len(self.exporters) > 1 or self.exporters[0] in ("parties", "non_parties", "everyone", *unions()):
                raise wrong("missing", "a quota over several exporters needs an owner of its rent")
            if ALL in self.goods:
                raise wrong("wrong-basis", "a quota in tonnes names its good, not all", at=("goods",))
        return self

    @model_validator(mode="after")
    def the_specific_tax_is_for_the_goods(self, info: ValidationInfo) -> Self:
        if self.specific is not None and ALL in self.goods:
            raise wrong("wrong-basis", "a specific tax names its goods, not all", at=("goods",))
        check_basis(self.specific, self.goods, info, ("specific",))
        return self

    def wedges(self, setting: Setting) -> tuple[Wedge, ...]:
        """The control on each lane; between parties, an export tax of nought in place of the one there."""
        if self.mode == "prohibited_between_parties":
            return tuple(ExportTax(clause=self.id, lane=where) for where in self.lifts(setting))
        found: list[Wedge] = []
        for good, exporters, importers, phase in self._lanes(setting):
            where = lane(good, exporters, importers)
            if self.mode == "ban":
                found.append(Ban(clause=self.id, lane=where))
            elif self.mode in ("licence", "quota"):
                if self.tonnes is not None and (tonnes := on(self.tonnes, setting.as_of)) is not None:
                    owner = self.owner or min(exporters)
                    found.append(Quota(clause=self.id, lane=where, tonnes=to_float(tonnes), owner=owner))
                if self.home_tonnes is not None and (kept := on(self.home_tonnes, setting.as_of)) is not None:
                    owner = self.owner or min(exporters)
                    home = lane(good, exporters, exporters)
                    found.append(Quota(clause=self.id, lane=home, tonnes=to_float(kept), owner=owner, at_home=True))
            else:
                rate = on(self.rate, setting.as_of) if self.rate is not None else NONE
                per_tonne = on_the_day(self.specific, good, setting) if self.specific is not None else NONE
                if rate is not None and per_tonne is not None:
                    tax = {"rate": to_float(rate * phase), "specific_usd_t": to_float(per_tonne * phase)}
                    found.append(ExportTax(clause=self.id, lane=where, adds=True, **tax))
        return tuple(found)

    def lifts(self, setting: Setting) -> tuple[Lane, ...]:
        """The lanes on which the parties give up the controls they held against each other."""
        if self.mode != "prohibited_between_parties":
            return ()
        bound = setting.bound(self)
        inside = frozenset().union(*(party.members for party in bound))
        return tuple(
            lane(good, inside - party.members, party.members)
            for good in setting.goods(self.goods)
            for party in bound
            if party.members and inside - party.members
        )

    def promises(self, setting: Setting) -> tuple[Promise, ...]:
        """A restriction of exports, or the promise to have none."""
        if self.mode == "prohibited_between_parties":
            lanes = [(where.good, where.exporters, where.importers) for where in self.lifts(setting)]
            touches = "export_freedom"
        else:
            lanes = [(good, exporters, importers) for good, exporters, importers, _ in self._lanes(setting)]
            touches = "export_restriction"
        return tuple(
            Promise(
                clause=self.id,
                touches=touches,
                goods=(good,),
                bound=exporters,
                affected=importers,
                facts=(("mode", self.mode), *self._tonnes(setting)),
            )
            for good, exporters, importers in lanes
        )

    def _tonnes(self, setting: Setting) -> tuple[tuple[str, str], ...]:
        """The quantities of the day, by the names of their terms."""
        held = {"tonnes": self.tonnes, "home_tonnes": self.home_tonnes}
        found = {name: on(term, setting.as_of) for name, term in held.items() if term is not None}
        return tuple((name, str(tonnes)) for name, tonnes in found.items() if tonnes is not None)

    def _lanes(self, setting: Setting) -> list[tuple[str, frozenset[str], frozenset[str], Decimal]]:
        """Good, exporters, importers and phase, trade inside one exporter's territory left out.

        A quota counts all its lanes together, so its exporters stay together, and only what crosses no outer border of
        theirs is left out.
        """
        targets = setting.select(self.importers)
        controllers = setting.imposed(self, self.exporters)
        found: list[tuple[str, frozenset[str], frozenset[str], Decimal]] = []
        for good in setting.goods(self.goods):
            if self.mode in ("licence", "quota"):
                exporters = frozenset().union(*(party.members for party in controllers))
                if exporters and targets - exporters:
                    found.append((good, exporters, targets - exporters, Decimal(1)))
                continue
            found.extend(
                (good, party.members, outside, party.phase) for outside, party in borders(targets, controllers)
            )
        return found


def without(wedges: Iterable[Wedge], lifted: Iterable[Lane], setting: Setting) -> tuple[Wedge, ...]:
    """Controls of the status quo, less what parties have lifted against each other.

    A ban or an export tax loses the lifted pairs. A quota loses them with the tonnes that they took in the base year, so
    that the rest is neither loosened nor tightened; a quota of which nothing is left goes. A wedge that is no export
    control stays as it is.
    """
    lanes = tuple(lifted)
    found: list[Wedge] = []
    for wedge in wedges:
        if not isinstance(wedge, Quota | Ban | ExportTax) or not any(_meets(wedge.lane, one) for one in lanes):
            found.append(wedge)
            continue
        kept, gone = _cut(wedge.lane, lanes)
        if isinstance(wedge, Quota):
            if len(kept) > 1:  # one cap over an irregular set of routes: the cap stays on the routes it can name
                kept = [max(kept, key=lambda part: _flow(part, setting))]
            freed = sum(setting.base_flow_t.get((wedge.lane.good, *pair), 0.0) for pair in gone)
            found.extend(replace(wedge, lane=part, tonnes=max(0.0, wedge.tonnes - freed)) for part in kept)
        else:
            found.extend(replace(wedge, lane=part) for part in kept)
    return tuple(found)


def _meets(one: Lane, other: Lane) -> bool:
    return one.good == other.good and bool(one.exporters & other.exporters) and bool(one.importers & other.importers)


def _flow(part: Lane, setting: Setting) -> float:
    return sum(
        setting.base_flow_t.get((part.good, exporter, importer), 0.0)
        for exporter in part.exporters
        for importer in part.importers
    )


def _cut(where: Lane, lifted: tuple[Lane, ...]) -> tuple[list[Lane], set[tuple[str, str]]]:
    """What is left of a lane, and the pairs that were lifted from it."""
    gone = {
        (exporter, importer)
        for one in lifted
        if one.good == where.good
        for exporter in where.exporters & one.exporters
        for importer in where.importers & one.importers
    }
    by_importers: dict[frozenset[str], set[str]] = {}
    for exporter in where.exporters:
        left = frozenset(importer for importer in where.importers if (exporter, importer) not in gone)
        if left:
            by_importers.setdefault(left, set()).add(exporter)
    return [lane(where.good, frozenset(who), left) for left, who in by_importers.items()], gone
