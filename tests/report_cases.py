"""What reports are tested on: a floor in the whole world, and one in a world of three parties and an outsider."""

from __future__ import annotations

from functools import cache

from cleared_world import DAY, deal
from cleared_world import world as small_world

from friendshore.agreement.document import Agreement
from friendshore.study import Study, study
from friendshore.world.tables import World

FLOOR = """
floors:
  - id: floor.oxide
    title: Oxide
    good: oxide
    reference_price: {method: fixed, value: 90, currency: USD, per: kg, of: oxide}
    levy_on: landed_duty_paid
    illustrative: true
    rule: a level for a test
"""


@cache
def whole() -> tuple[World, Agreement, Study]:
    """One floor in the world that ships."""
    world = World.load()
    agreement = Agreement.load("one-floor", world)
    return world, agreement, study(world, agreement, stability=False)


@cache
def nothing() -> tuple[World, Agreement, Study]:
    """No agreement at all."""
    world = World.load()
    agreement = Agreement.load("no-agreement", world)
    return world, agreement, study(world, agreement, stability=False)


@cache
def small() -> tuple[World, Agreement, Study]:
    """One floor among three parties and an outsider, with the elasticities tried."""
    agreement = deal(FLOOR)
    return small_world(), agreement, study(small_world(), agreement, as_of=DAY)
