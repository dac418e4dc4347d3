"""New plants: capacity that a partnership adds to an activity of the world, from the day it opens.

The plants run along the same cost curve as those that stand, so that at the margins of the base year they make what they
were built to make. What it costs to build them is left out.
"""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar

from pydantic import Field, ValidationInfo, model_validator

from friendshore.faces import Plant, Promise, Wedge
from friendshore.instruments.clause import Clause, Positive, Setting, in_force
from friendshore.instruments.dates import Day
from friendshore.instruments.names import Activities
from friendshore.marked import wrong
from friendshore.units import to_float


class NewPlants(Clause):
    """Plants that are built.

    Promises, from the day they open: the activities named can make `adds_t` tonnes a year more at the margins of the base
    year, shared out by what each of them made then, and follow the market from there as the others do.
    """

    word: ClassVar[str] = "plants"

    activities: Activities = Field(
        description="What is built, such as copper.smelt@COD: activities of the world; a process is all of them."
    )
    adds_t: Positive = Field(description="Tonnes a year that they add together, of the recipe's main output.")
    opens: Day = Field(description="First day of production.")

    @model_validator(mode="after")
    def something_is_built(self, info: ValidationInfo) -> NewPlants:
        if not self.activities:
            raise wrong("empty", "plants of no activity", at=("activities",))
        return self

    def wedges(self, setting: Setting) -> tuple[Wedge, ...]:
        """More capacity, from the day it opens."""
        built = setting.activities(self.activities)
        if setting.as_of < self.opens or not in_force(self, setting) or not built:
            return ()
        return (Plant(clause=self.id, activities=built, adds_t=to_float(self.adds_t)),)

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
        """What is not counted."""
        return (
            f"{self.id}: what the plants cost to build is not counted; it has to be earned out of their makers' gain.",
        )
