"""Corridor: a new way to the sea or over land that saves freight on the goods that take it, up to what it can carry.

What does not fit takes the old way at the old freight. Building it and its own accounts are left out; only the saving is
counted.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from friendshore.faces import Corridor, Promise, Wedge
from friendshore.instruments.clause import Clause, NotNegative, Positive, Setting, TimedNumber, in_force, lane
from friendshore.instruments.dates import Day, Many, Term, on
from friendshore.instruments.names import ALL, Countries, CountryCode, Goods
from friendshore.marked import wrong
from friendshore.units import to_float

Content = Annotated[Positive, Field(le=1)]


class CorridorRoute(Term):
    """Goods that may take the corridor, from where to where, and how much of it they may fill."""

    goods: Goods = Field(description="One good or a list, all with the same content.")
    exporters: Countries = Field(description="Where they come from: codes.")
    importers: Countries = Field(("everyone",), description="Where they go: everyone, parties, non_parties, or codes.")
    content: Content = Field(description="Contained tonnes in a tonne that is carried: 0.3 for thirty per cent.")
    saving_usd_t: NotNegative = Field(description="Freight saved on each tonne carried, US dollars.")
    capacity_t: TimedNumber | None = Field(
        None, description="Tonnes carried a year at most, for these goods together; no limit if absent."
    )

    @model_validator(mode="after")
    def goods_are_named(self) -> Self:
        if ALL in self.goods:
            raise wrong("wrong-basis", "a corridor names its goods, whose content it states, not all", at=("goods",))
        return self


class FreightCorridor(Clause):
    """A route that carries cheaper.

    Promises, from the day it opens: a tonne carried saves `saving_usd_t` of freight, up to `capacity_t` tonnes a year on
    each of its routes; further tonnes go the old way at the old freight. Where it is full, the saving is the rent of those
    who hold its slots, and `owner` names where they are.
    """

    word: ClassVar[str] = "corridor"

    name: str = Field(description="What it is called, such as Lobito.", min_length=1)
    routes: Many[CorridorRoute] = Field(description="What it carries from where to where.")
    opens: Day = Field(description="First day of service.")
    owner: CountryCode = Field(description="Country whose firms hold the slots and have their rent.")

    @model_validator(mode="after")
    def it_goes_somewhere(self) -> Self:
        if not self.routes:
            raise wrong("empty", "a corridor without a route", at=("routes",))
        return self

    def wedges(self, setting: Setting) -> tuple[Wedge, ...]:
        """Less freight on the lanes of each route, up to its capacity."""
        found: list[Wedge] = []
        for route, lanes in self._open(setting):
            capacity = on(route.capacity_t, setting.as_of) if route.capacity_t is not None else None
            if route.capacity_t is not None and not capacity:
                continue
            found.append(
                Corridor(
                    clause=self.id,
                    lanes=tuple(lane(good, exporters, importers) for good, exporters, importers in lanes),
                    freight_saving_usd_t=to_float(route.saving_usd_t / route.content),
                    capacity_t=None if capacity is None else to_float(capacity * route.content),
                    owner=self.owner,
                    bypass=True,
                )
            )
        return tuple(found)

    def promises(self, setting: Setting) -> tuple[Promise, ...]:
        """Transit that is made cheaper for some."""
        return tuple(
            Promise(
                clause=self.id,
                touches="transit",
                goods=tuple(good for good, _, _ in lanes),
                bound=frozenset().union(*(exporters for _, exporters, _ in lanes)),
                affected=frozenset().union(*(importers for _, _, importers in lanes)),
                facts=(("saving_usd_t", str(route.saving_usd_t)), ("name", self.name)),
            )
            for route, lanes in self._open(setting)
        )

    def _open(self, setting: Setting) -> list[tuple[CorridorRoute, list[tuple[str, frozenset[str], frozenset[str]]]]]:
        """The routes in service on the day, with their lanes."""
        if setting.as_of < self.opens or not in_force(self, setting):
            return []
        found = []
        for route in self.routes:
            exporters, importers = setting.select(route.exporters), setting.select(route.importers)
            lanes = [(good, exporters, importers) for good in setting.goods(route.goods)]
            if exporters and importers:
                found.append((route, lanes))
        return found

    def assumptions(self) -> tuple[str, ...]:
        """What is taken of tonnes that do not fit."""
        return (f"{self.id}: the saving is the same to every destination, and what does not fit goes the old way.",)
