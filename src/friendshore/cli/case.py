"""Everything that is run, from the words of a command: world, text, day, assumptions and shocks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from friendshore.cli.tell import say
from friendshore.errors import render

if TYPE_CHECKING:
    from friendshore.agreement.scenario import Scenario
    from friendshore.faces import Wedge
    from friendshore.report.account import Names
    from friendshore.run import Assumptions
    from friendshore.study import Study
    from friendshore.world.tables import World


@dataclass(frozen=True)
class Case:
    """Everything that is run: a world, the text, the day, the assumptions and the shocks."""

    world: World
    scenario: Scenario
    day: date
    assume: Assumptions
    shocks: tuple[Wedge, ...]


def world_of(words: str, folder: Path | None = None) -> World:
    """The world of a folder, else the one that a scenario names, else the one that ships."""
    from friendshore.agreement.scenario import stated_world
    from friendshore.world.tables import World

    return World.load(folder) if folder is not None else stated_world(words) or World.load()


def case_of(
    words: str,
    as_of: date | None,
    horizon: int | None,
    folder: Path | None = None,
    figures: Path | None = None,
    sourcing: str | None = None,
) -> Case:
    """World, text, day, assumptions and shocks of an agreement or a scenario, with the user's own figures in their place."""
    from friendshore.agreement.scenario import shock_wedges

    world = world_of(words, folder)
    scenario = scenario_of(words, world)
    for own in (scenario.parameters, figures):
        world = with_own(world, own)
    day = as_of or scenario.as_of
    return Case(world, scenario, day, assumptions_of(scenario, horizon, sourcing), shock_wedges(scenario, world, day))


def horizon_of(case: Case) -> str:
    """The years that a case gives markets to adjust, as every page says them."""
    from friendshore.report.typography import counted

    return f"horizon {counted(case.assume.horizon, 'year')}"


def scenario_of(words: str, world: World) -> Scenario:
    """The scenario that a preset's name or a file stands for; what is odd about it goes to standard error."""
    from friendshore.agreement.scenario import Scenario

    scenario = Scenario.load(words, world)
    if scenario.agreement.warnings:
        say(render(scenario.agreement.warnings), err=True)
    return scenario


def assumptions_of(scenario: Scenario, horizon: int | None, sourcing: str | None) -> Assumptions:
    """The assumptions of a scenario, with those that the command states in their place."""
    from friendshore.run import Assumptions

    asked = {"horizon": horizon, "sourcing": sourcing}
    return Assumptions(**scenario.assume.model_dump() | {key: said for key, said in asked.items() if said is not None})


def names_of(world: World) -> Names:
    """The names of countries and customs unions, and which union a country belongs to."""
    from friendshore.report.account import Names

    unions = dict(world.territories.select("code", "name").iter_rows())
    return Names(
        country=unions | dict(world.countries.select("code", "name").iter_rows()),
        union={c: t for c, t in world.countries.select("code", "territory").iter_rows() if c != t},
    )


def digests_of(scenario: Scenario, world: World, found: Study) -> dict[str, str]:
    """Twelve digits for the text, the scenario, the figures of the world, and every figure of the status quo and the run."""
    from friendshore.world.digest import digest as figures

    return {
        "agreement": scenario.agreement.digest,
        "scenario": scenario.digest,
        "world": figures(world),
        "result": found.digest,
    }


def with_own(world: World, figures: Path | None) -> World:
    """The world with the elasticities and prices of a user's file; itself without one."""
    if figures is None:
        return world
    from friendshore.world.own_figures import with_parameters

    return with_parameters(world, figures)
