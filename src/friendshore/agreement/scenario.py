"""A scenario: an agreement, changes to it, shocks to the world and what is assumed, in one file anybody can run.

Answers "under which circumstances?". The digest names text and circumstances together; the world's version is added by
whoever runs it. A plain agreement is the scenario without shocks in which nothing is changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError

from friendshore.agreement import check, schedule
from friendshore.agreement.document import Agreement, digest, find, is_scenario, placed, read, unfolded
from friendshore.agreement.objective import Objective
from friendshore.agreement.options import Options
from friendshore.agreement.patch import Patch
from friendshore.errors import InputRefused, Problem
from friendshore.faces import Wedge
from friendshore.instruments.clause import Clause
from friendshore.instruments.dates import Day, Many, Term
from friendshore.instruments.export_control import ExportControl
from friendshore.instruments.names import vocabulary
from friendshore.instruments.production_subsidy import ProductionSubsidy
from friendshore.instruments.tariff import ImportTariff
from friendshore.marked import KeyPath, Marked, dotted, explain, in_file_order, noted
from friendshore.world import own_figures
from friendshore.world.digest import digest as world_digest

if TYPE_CHECKING:
    from friendshore.world.tables import World


class Assume(Term):
    """What a scenario assumes beside its terms."""

    horizon: Literal[1, 5, 15] = Field(5, description="Years to adjust: picks the elasticities.")
    sigma_scale: Annotated[float, Field(gt=0, le=100)] = Field(1.0, description="Times every substitution elasticity.")
    eps_scale: Annotated[float, Field(gt=0, le=100)] = Field(1.0, description="Times every supply elasticity.")
    latent: bool = Field(False, description="Whether pairs that do not trade today may.")
    licences_as: Literal["quota", "export_tax"] = Field("quota", description="What export licences of the base are.")


class Shocks(Term):
    """What others do meanwhile, written as clauses. They hit the status quo and the agreement alike."""

    tariffs: Many[ImportTariff] = Field((), description="Import duties.")
    export_controls: Many[ExportControl] = Field((), description="Controls on exports.")
    subsidies: Many[ProductionSubsidy] = Field((), description="Support for producers.")

    @property
    def clauses(self) -> tuple[Clause, ...]:
        """Every shock."""
        return (*self.tariffs, *self.export_controls, *self.subsidies)


class WorldText(Term):
    """The world that a scenario is run on."""

    source: str = Field("built", description="built, a folder of tables or a network file beside this one.")
    digest: str = Field("", description="The twelve digits that its figures must have; any world if absent.")


def _world(value: Any) -> Any:
    return {"source": value} if isinstance(value, str) else value


class ScenarioText(Term):
    """A scenario file."""

    scenario: str = Field(description="What the scenario is called.", min_length=1)
    note: str = Field("", description="What a reader should know first.")
    agreement: str | dict[str, Any] = Field(description="A preset's name, a file beside this one, or the text itself.")
    world: Annotated[WorldText, BeforeValidator(_world, json_schema_input_type=str | WorldText)] = Field(
        default_factory=WorldText, description="The world it is run on, and the digest of its figures."
    )
    patches: Many[Patch] = Field((), description="Changes to the agreement, made in order.")
    shocks: Shocks = Field(default_factory=Shocks, description="What others do meanwhile.")
    assumptions: Assume = Field(default_factory=Assume, description="Horizon and scales of the elasticities.")
    as_of: Day | None = Field(None, description="Day whose terms are run; the agreement's if absent.")
    parameters: str | None = Field(None, description="A file beside this one with your own elasticities and prices.")
    options: Options = Field(default_factory=dict, description="Bracketed alternatives, in place of the agreement's.")
    objective: Objective | None = Field(None, description="What they are ranked by.")


@dataclass(frozen=True)
class Scenario:
    """An agreement and the circumstances in which it is run."""

    name: str
    agreement: Agreement
    shocks: Shocks
    assume: Assume
    as_of: date
    digest: str
    parameters: Path | None = None
    dated: bool = False  # whether the file states the day, or the agreement's own is taken

    @classmethod
    def load(cls, source: str | Path, world: World | None = None) -> Scenario:
        """A preset's name, an agreement file or a scenario file, as a scenario.

        Raises
        ------
        InputRefused   every problem of the file, and of the agreement it builds on, at its line
        """
        path = find(source)
        marked = noted(path)
        if not is_scenario(marked.value):
            deal = read(marked, world)
            return cls(deal.id, deal, Shocks(), Assume(), deal.run_date, deal.digest)
        context = {"vocabulary": vocabulary(world) if world is not None else None}
        problems: list[Problem] = list(marked.problems)
        text: ScenarioText | None = None
        try:
            text = ScenarioText.model_validate(marked.value, context=context)
        except ValidationError as error:
            problems += explain(ScenarioText, marked, error.errors())
        figures = path.parent / text.parameters if text is not None and text.parameters else None
        if figures is not None:
            problems += _figures(figures, marked, world)
        try:
            deal = read(unfolded(marked, path.parent), world)
        except InputRefused as refused:
            raise InputRefused(in_file_order([*problems, *refused.problems])) from None
        if text is not None:
            problems += [placed(marked, finding) for finding in [*_findings(text, deal), *_another_world(text, world)]]
        if text is None or any(problem.severity == "error" for problem in problems):
            raise InputRefused(in_file_order(problems))
        terms = text.model_dump(by_alias=True, exclude_defaults=True, include={"shocks", "assumptions", "as_of"})
        if figures is not None:
            terms["parameters"] = sha256(figures.read_bytes()).hexdigest()
        named = digest({**terms, "agreement": deal.digest})
        return cls(
            text.scenario,
            deal,
            text.shocks,
            text.assumptions,
            text.as_of or deal.run_date,
            named,
            figures,
            text.as_of is not None,
        )


def stated_world(source: str | Path) -> World | None:
    """The world that a scenario file names; None where it names none, or where it is no scenario.

    Raises
    ------
    InputRefused   no folder and no file beside the scenario has that name
    """
    path = find(source)
    marked = noted(path)
    named = marked.get(("world", "source")) or marked.get(("world",)) if is_scenario(marked.value) else None
    if not isinstance(named, str) or named == "built":
        return None
    from friendshore.world import network
    from friendshore.world.tables import World

    where = path.parent / named
    if where.is_dir():
        return World.load(where)
    if where.is_file():
        return network.read(where)
    message = f"no folder of tables and no network file beside this one is called {named!r}"
    raise InputRefused.because("unknown-world", message, place=marked.place(("world",)), path="world")


def _another_world(text: ScenarioText, world: World | None) -> list[check.Finding]:
    """A world that is not the one whose digits the scenario states."""
    if world is None or not text.world.digest or text.world.digest == (there := world_digest(world)):
        return []
    message = f"the figures of this world have the digest {there}, not {text.world.digest}: the results will be others"
    hint = "run it with the world it was written for, or leave the digest out"
    return [check.Finding(code="another-world", message=message, path=("world", "digest"), hint=hint)]


def shock_wedges(scenario: Scenario, world: World, as_of: date | None = None) -> tuple[Wedge, ...]:
    """What the shocks do to the market on a day (the scenario's if none is given), agreement or no agreement."""
    here = schedule.setting(scenario.agreement, world, as_of or scenario.as_of)
    return tuple(wedge for clause in scenario.shocks.clauses for wedge in clause.wedges(here))


def _figures(file: Path, marked: Marked, world: World | None) -> list[Problem]:
    """What is wrong with a scenario's own figures, each problem at its line in their file."""
    if not file.is_file():
        at: KeyPath = ("parameters",)
        return [Problem("unreadable", f"there is no file {file.name!r} beside this one", marked.place(at), dotted(at))]
    try:
        if world is not None:
            own_figures.read(file, world)
    except InputRefused as refused:
        return list(refused.problems)
    return []


def _findings(text: ScenarioText, deal: Agreement) -> list[check.Finding]:
    found: list[check.Finding] = []
    names = {clause.id for clause in deal.clauses}
    kinds: Mapping[str, tuple[Clause, ...]] = {
        "tariffs": text.shocks.tariffs,
        "export_controls": text.shocks.export_controls,
        "subsidies": text.shocks.subsidies,
    }
    for kind, clauses in kinds.items():
        for number, clause in enumerate(clauses):
            path: KeyPath = ("shocks", kind, number)
            if clause.id in names:
                message = f"{clause.id!r} names a clause already"
                found.append(check.Finding(code="duplicate-id", message=message, path=(*path, "id")))
            names.add(clause.id)
    if text.as_of is not None and text.as_of < deal.in_force:
        message = f"{text.as_of} is before the agreement enters into force, {deal.in_force}"
        hint = "none of its clauses holds yet"
        found.append(check.Finding(code="early", message=message, path=("as_of",), hint=hint, severity="warning"))
    return found
