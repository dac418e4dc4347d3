"""New plants: capacity that a partnership adds to an activity of the world, from the day it opens, and what it costs to build.

The plants run along the same cost curve as those that stand, so that at the margins of the base year they make what they
were built to make. Their cost is an equal sum each year of their life, owed whether they run or not.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag, ValidationInfo, model_validator

from friendshore.faces import Plant, Promise, Wedge
from friendshore.instruments.clause import Clause, NotNegative, Positive, Setting, in_force
from friendshore.instruments.dates import Day, Term
from friendshore.instruments.funding import Payers, payers
from friendshore.instruments.names import Activities
from friendshore.marked import wrong
from friendshore.units import to_float

LIFE = Decimal(20)  # years, where the text has none
RATE = Decimal("0.08")  # discount rate, where the text has none

# `makers`: those who run the plants; or treasuries, as of a subsidy
Builders = Annotated[
    Annotated[Literal["makers", "own", "by_gdp", "equal"], Tag("rule")]
    | Annotated[
        Payers,
        BeforeValidator(lambda value: value if not isinstance(value, dict) or "shares" in value else {"shares": value}),
        Tag("shares"),
    ],
    Discriminator(lambda value: "rule" if isinstance(value, str) else "shares"),
]


@dataclass(frozen=True)
class Published:
    """What a plant of a process has cost to build, USD for a tonne a year, and who says so."""

    process: str
    usd_t: Decimal
    year: int
    project: str
    url: str


@cache
def published() -> dict[str, Published]:
    """Building costs from the public record, by process."""
    lines = (Path(__file__).parent / "building_costs.csv").read_text(encoding="utf-8").splitlines()
    return {
        row["process"]: Published(row["process"], Decimal(row["usd_t"]), int(row["year"]), row["project"], row["url"])
        for row in csv.DictReader(lines)
    }


class BuildingCost(Term):
    """What plants cost to build, spread over their life in equal yearly sums."""

    usd_t: Positive = Field(description="USD to build capacity of one tonne a year.")
    life_years: Positive = Field(LIFE, description="Years over which it is paid off.")
    discount_rate: NotNegative = Field(RATE, le=1, description="Yearly rate, a fraction: 0.08 is 8 %.")
    funding: Builders = Field(
        "makers",
        description="Who pays: makers, or treasuries: own (where the plants stand), by_gdp, equal, or shares that add to one.",
    )

    @property
    def usd_t_year(self) -> Decimal:
        """What a tonne of capacity costs a year, in all years alike.

        annuity = r / (1 - (1 + r)^-n),   1 / n where r = 0

        >>> str(round(BuildingCost(usd_t=1000, life_years=20, discount_rate=0).usd_t_year, 2))
        '50.00'
        """
        if not self.discount_rate:
            return self.usd_t / self.life_years
        return self.usd_t * self.discount_rate / (1 - (1 + self.discount_rate) ** -self.life_years)


class NewPlants(Clause):
    """Plants that are built.

    Promises, from the day they open: the activities named can make `adds_t` tonnes a year more at the margins of the base
    year, shared out by what each of them made then, and follow the market from there as the others do. What they cost to
    build is owed each year in equal sums, by those who run them or by the treasuries named. Where the text has no `cost`,
    that of a plant in the public record stands for it; of a process without one, none is counted, and that is said.
    """

    word: ClassVar[str] = "plants"

    activities: Activities = Field(
        description="What is built, such as copper.smelt@COD: activities of the world; a process is all of them."
    )
    adds_t: Positive = Field(description="Tonnes a year that they add together, of the recipe's main output.")
    opens: Day = Field(description="First day of production.")
    cost: BuildingCost | None = Field(
        None, description="What they cost to build; that of a plant in the public record if absent, where there is one."
    )

    @model_validator(mode="after")
    def something_is_built(self, info: ValidationInfo) -> NewPlants:
        if not self.activities:
            raise wrong("empty", "plants of no activity", at=("activities",))
        return self

    @property
    def built_at(self) -> BuildingCost | None:
        """What is counted: the text's own cost, or that of the plant in the public record."""
        if self.cost is not None:
            return self.cost
        record = self._record
        return None if record is None else BuildingCost(usd_t=record.usd_t)

    @property
    def _record(self) -> Published | None:
        processes = {name.partition("@")[0] for name in self.activities}
        return published().get(next(iter(processes))) if len(processes) == 1 else None

    def wedges(self, setting: Setting) -> tuple[Wedge, ...]:
        """More capacity, from the day it opens, with its cost."""
        built = setting.activities(self.activities)
        if setting.as_of < self.opens or not in_force(self, setting) or not built:
            return ()
        cost = self.built_at
        public = cost is not None and cost.funding != "makers"
        shares = payers(cost.funding, self, "", setting) if cost is not None and public else ()
        return (
            Plant(
                clause=self.id,
                activities=built,
                adds_t=to_float(self.adds_t),
                usd_t=to_float(cost.usd_t_year) if cost is not None else 0.0,
                public=public,
                payers=tuple((country, to_float(share)) for country, share in shares),
            ),
        )

    def promises(self, setting: Setting) -> tuple[Promise, ...]:
        """Public investment in production."""
        if setting.as_of < self.opens or not in_force(self, setting):
            return ()
        return (
            Promise(
                clause=self.id,
                touches="public_investment",
                goods=(),
                bound=setting.insiders(),
                affected=frozenset(),
                facts=(("activities", ", ".join(sorted(self.activities))), ("adds_t", str(Decimal(str(self.adds_t))))),
            ),
        )

    def assumptions(self) -> tuple[str, ...]:
        """What is taken for the cost where the text has none."""
        if self.cost is not None:
            return ()
        if (record := self._record) is None:
            said = (
                f"{self.id}: what the plants cost to build is not counted, for nobody is known to have published it; it has "
                "to be earned out of their makers' gain."
            )
        else:
            said = (
                f"{self.id}: building a tonne a year of {record.process} is taken to cost {record.usd_t:,} USD "
                f"({record.project}, {record.year}), paid off by its makers over {LIFE} years at {RATE:%}."
            )
        return (said,)
