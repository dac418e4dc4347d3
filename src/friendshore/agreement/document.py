"""The agreement as one document: title, parties, sources, clauses by kind, worked examples.

Answers "what was agreed?". Reading refuses what it does not understand, with line and column, all problems at once.
What the clauses do on a day is asked of `schedule`; patches and shocks are left to `scenario`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import BeforeValidator, Field, PrivateAttr, ValidationError, model_validator

from friendshore.agreement import check, options, schedule
from friendshore.agreement.governance import Governance
from friendshore.agreement.objective import Objective
from friendshore.agreement.options import Alternative, Options, combinations, text_of
from friendshore.agreement.patch import Patch, Patched, below, patched
from friendshore.errors import InputRefused, Problem, did_you_mean
from friendshore.instruments import KINDS, Clause
from friendshore.instruments.clause import NotNegative, Party, PartyOrCode, Positive
from friendshore.instruments.corridor import FreightCorridor
from friendshore.instruments.dates import Day, Many, Term, many
from friendshore.instruments.export_control import ExportControl
from friendshore.instruments.names import CountryCode, GoodId, vocabulary
from friendshore.instruments.offtake import OfftakeAgreement
from friendshore.instruments.plant import NewPlants
from friendshore.instruments.price import WrittenPrice
from friendshore.instruments.price_floor import PriceFloor
from friendshore.instruments.production_subsidy import ProductionSubsidy
from friendshore.instruments.reserve import PublicReserve
from friendshore.instruments.safeguard import Safeguard
from friendshore.instruments.standard import StandardsMarket
from friendshore.instruments.tariff import ImportTariff
from friendshore.instruments.tariff_quota import ImportQuota
from friendshore.instruments.trade_area import TradeArea
from friendshore.marked import (
    KeyPath,
    Marked,
    as_json,
    dotted,
    explain,
    in_file_order,
    noted,
    read_marked,
    validate,
    wrong,
)

if TYPE_CHECKING:
    from friendshore.world.tables import World

PRESETS = Path(__file__).parent / "presets"
SCENARIOS = Path(__file__).parent / "scenarios"
NESTED = 5  # files that build on one another
SCHEMA = Path(__file__).parent / "agreement.schema.json"


def _as_text(value: Any) -> Any:
    return str(value) if isinstance(value, int | float | date) and not isinstance(value, bool) else value


Text = Annotated[str, BeforeValidator(_as_text, json_schema_input_type=str | float)]  # 0.7 and 2026 need no quotes


def _one_or_many(value: Any) -> Any:
    return (value,) if isinstance(value, Mapping) else many(value)


def _titled(value: Any) -> Any:
    return {"title": value} if isinstance(value, str) else value


class Source(Term):
    """Where a term or a figure comes from."""

    title: str = Field(description="What it is.")
    publisher: str = Field("", description="Who published it.")
    date: Text = Field("", description="When: a day, month or year.")
    url: str = Field("", description="Where it can be read.")
    note: str = Field("", description="How far to trust it.")


class Example(Term):
    """A worked example: one consignment, and the levy that the floors must make it owe."""

    name: str = Field(description="What it shows.", min_length=1)
    day: Day = Field(description="Day of import.")
    good: GoodId = Field(description="What is imported.")
    exporter: CountryCode = Field(description="Where it originates.")
    importer: CountryCode = Field(description="Where it is imported.")
    price: WrittenPrice = Field(description="Its price, on the basis that the floor's levy_on names.")
    mass_t: Positive = Field(description="Contained tonnes.")
    levy_usd: NotNegative = Field(description="The levy that it must owe, in US dollars to the cent.")


class Agreement(Term):
    """An agreement: who is bound, from when, to what.

    Clauses stand under the name of their kind. Every clause names its source, or says that its level is
    illustrative and by which rule it was derived.
    """

    id: str = Field("", description="A short name, such as plurilateral-2026; from the title if absent.")
    title: str = Field(description="The agreement's title.", min_length=1)
    version: Text = Field("1", description="Version of the text.")
    note: str = Field("", description="What a reader should know first.")
    in_force: Day = Field(description="First day of the agreement.")
    run_at: Day | None = Field(None, description="Day whose terms are run where none is asked for; in_force if absent.")
    parties: Many[PartyOrCode] = Field(description="Countries and customs unions that are bound.")
    sources: dict[str, Annotated[Source, BeforeValidator(_titled, json_schema_input_type=str | Source)]] = Field(
        default_factory=dict, description="Sources by id."
    )
    trade_area: Annotated[
        tuple[TradeArea, ...], BeforeValidator(_one_or_many, json_schema_input_type=TradeArea | list[TradeArea])
    ] = Field((), description="Preferences among the parties.")
    tariffs: Many[ImportTariff] = Field((), description="Import duties.")
    tariff_quotas: Many[ImportQuota] = Field((), description="Duties that rise beyond a quantity.")
    floors: Many[PriceFloor] = Field((), description="Price floors.")
    export_controls: Annotated[
        tuple[ExportControl, ...],
        BeforeValidator(_one_or_many, json_schema_input_type=ExportControl | list[ExportControl]),
    ] = Field((), description="Controls on exports, and their absence.")
    subsidies: Many[ProductionSubsidy] = Field((), description="Support for producers.")
    standards: Many[StandardsMarket] = Field((), description="Markets for goods that meet a standard.")
    offtakes: Many[OfftakeAgreement] = Field((), description="Purchases that are promised for years.")
    reserve: Annotated[
        tuple[PublicReserve, ...],
        BeforeValidator(_one_or_many, json_schema_input_type=PublicReserve | list[PublicReserve]),
    ] = Field((), description="Public stocks.")
    corridors: Many[FreightCorridor] = Field((), description="Routes that save freight.")
    plants: Many[NewPlants] = Field((), description="Capacity that is built.")
    safeguards: Many[Safeguard] = Field((), description="What happens when the cleared market shows too much.")
    governance: Governance = Field(
        default_factory=Governance, description="How it is run: in words, or in terms that are evaluated."
    )
    tests: Many[Example] = Field((), description="Worked examples, checked whenever the agreement is read.")
    options: Options = Field(
        default_factory=dict, description="Bracketed alternatives: a term or a clause, and the values it may take."
    )
    objective: Objective | None = Field(None, description="What the alternatives are ranked by.")

    _marked: Marked | None = PrivateAttr(None)
    _warnings: tuple[Problem, ...] = PrivateAttr(())
    _checked: dict[tuple[str, str, int], Agreement] = PrivateAttr(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def without_an_id_its_title_names_it(cls, value: Any) -> Any:
        if not isinstance(value, Mapping) or value.get("id", "") != "" or not isinstance(value.get("title"), str):
            return value
        return {**value, "id": re.sub(r"[^a-z0-9]+", "-", value["title"].lower()).strip("-")}

    @model_validator(mode="after")
    def it_runs_once_it_is_in_force(self) -> Self:
        if self.run_at is not None and self.run_at < self.in_force:
            message = f"{self.run_at} is before the agreement enters into force, {self.in_force}"
            raise wrong("dates-backwards", message, at=("run_at",))
        return self

    @model_validator(mode="after")
    def those_who_vote_are_parties(self) -> Self:
        codes = [party.code for party in self.parties]
        for name, rule in self.governance.rules().items():
            at = ("governance", name) if name == "decisions" else ("governance", name, "decisions")
            counts = {"votes": rule.votes, "second": rule.second.votes if rule.second is not None else "equal"}
            named = [(key, code) for key, votes in counts.items() if isinstance(votes, dict) for code in votes]
            for key, code in [*named, *(("vetoes", code) for code in rule.vetoes)]:
                if self.governance.union_votes == "one" and code not in codes:
                    hint = did_you_mean(code, codes) or f"the parties are {', '.join(codes)}"
                    raise wrong("not-a-party", f"{code} does not vote: it is no party", hint=hint, at=(*at, key))
        return self

    @property
    def clauses(self) -> tuple[Clause, ...]:
        """Every clause, in the order in which they take effect, which is that of `KINDS`."""
        return tuple(clause for kind in KINDS for clause in getattr(self, kind))

    @property
    def run_date(self) -> date:
        """The day whose terms are run where none is asked for."""
        return self.run_at or self.in_force

    @property
    def illustrative(self) -> tuple[str, ...]:
        """Ids of the clauses whose level was invented for illustration."""
        return tuple(clause.id for clause in self.clauses if clause.illustrative)

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """What looked odd when the agreement was read."""
        return self._warnings

    @property
    def digest(self) -> str:
        """Twelve hexadecimal digits that name this text: the same terms give the same digits, however laid out."""
        return digest(self.model_dump(by_alias=True, exclude_defaults=True))

    def alternatives(self, world: World) -> tuple[Alternative, ...]:
        """Every combination of the options, each read as strictly as the text itself; the text alone without options.

        Raises
        ------
        InputRefused   every problem of an alternative that is no sound agreement
        """
        if self._marked is None or not self.options:
            return (Alternative((), self.checked(world)),)
        found: list[Alternative] = []
        problems: dict[Problem, None] = {}
        for choices in combinations(self.options):
            try:
                found.append(Alternative(choices, read(text_of(self._marked, self.options, choices), world)))
            except InputRefused as refused:
                problems |= dict.fromkeys(refused.problems)
        if problems:
            raise InputRefused(in_file_order(problems))
        return tuple(found)

    def altered(self, **terms: object) -> Agreement:
        """The same agreement with some of its own terms replaced, taken as they are: nothing is checked again."""
        made = self.model_copy(update=terms)
        made._marked, made._checked = None, {}
        return made

    def checked(self, world: World) -> Agreement:
        """The same agreement with its names looked up in `world`: aliases resolved, unknown words refused at their line.

        An agreement that was not read from a file is taken as it is.
        """
        key = (world.name, world.version, id(world.goods))
        if self._marked is None:
            return self
        if key not in self._checked:
            self._checked[key] = read(self._marked, world)
        return self._checked[key]

    def written(self, kind: str, name: str) -> Mapping[str, Any] | None:
        """A clause as the file has it, before it was read; None where the agreement was not read from a file."""
        held = self._marked.get((kind,)) if self._marked is not None else None
        clauses = getattr(self, kind)
        number = next((number for number, clause in enumerate(clauses) if clause.id == name), None)
        item = held[number] if isinstance(held, list) and number is not None else held
        return item if isinstance(item, Mapping) else None

    def unread(self, **terms: object) -> Agreement:
        """The same agreement with some terms replaced, as if it had not come from a file: its names are resolved."""
        copy = self.model_copy(update=terms)
        copy._marked, copy._checked = None, {}
        return copy

    @classmethod
    def load(cls, source: str | Path, world: World | None = None) -> Agreement:
        """A preset by its name, or an agreement from a file.

        Parameters
        ----------
        source : a preset's name, or the path of a YAML or JSON file
        world : where its goods, countries and substances are looked up; without one only ISO codes are checked

        Raises
        ------
        InputRefused   every problem of the file, at its line
        """
        path = find(source)
        marked = noted(path)
        if is_scenario(marked.value):
            if marked.problems:
                raise InputRefused(marked.problems)
            if more := sorted({"shocks", "assumptions", "as_of"} & marked.value.keys()):
                message = f"a scenario with {' and '.join(more)}, where an agreement alone was asked for"
                raise InputRefused.because("scenario", message, place=marked.key_place((more[0],)))
            marked = unfolded(marked, path.parent)
        return read(marked, world)


def presets() -> dict[str, Path]:
    """The agreements that ship, by name."""
    return {path.stem: path for path in sorted(PRESETS.glob("*.yaml"))}


def scenarios() -> dict[str, Path]:
    """The scenarios that ship, shocks from the record, by name."""
    return {path.stem: path for path in sorted(SCENARIOS.glob("*.yaml"))}


def shipped() -> dict[str, Path]:
    """Everything that ships, by name: agreements first, then scenarios."""
    return {**presets(), **scenarios()}


def find(source: str | Path) -> Path:
    """The file that a shipped name or a path stands for.

    Raises
    ------
    InputRefused   neither a preset nor a file
    """
    if isinstance(source, Path):
        return source
    if source in (there := shipped()):
        return there[source]
    path = Path(source)
    if path.exists() or path.suffix in (".yaml", ".yml", ".json"):
        return path
    hint = "\n".join(filter(None, [did_you_mean(source, there), "friendshore agreement list names what ships."]))
    raise InputRefused.because("unknown-agreement", f"no preset and no file is called {source!r}", hint=hint)


def read(marked: Marked, world: World | None = None) -> Agreement:
    """An agreement from a marked document.

    Raises
    ------
    InputRefused   every problem at its line, in the order of the file
    """
    words = vocabulary(world) if world is not None else None
    context = {"vocabulary": words}
    if not isinstance(marked.value, Mapping):
        raise InputRefused.because("wrong-type", "an agreement is a mapping of keys to values", place=marked.place())
    changed = isinstance(marked, Patched) and marked.changed
    problems = [placed(marked, finding) for finding in check.findings(_draft(marked.value, context), words)]
    deal = None
    try:
        deal = Agreement.model_validate(marked.value, context=context)
    except ValidationError as error:
        problems += explain(Agreement, marked, error.errors())
    if deal is not None and world is not None and not any(problem.severity == "error" for problem in problems):
        found = (placed(marked, finding) for finding in schedule.findings(deal, world))
        problems += [_of_the_text_before(problem) if changed else problem for problem in found]
    brackets = options.findings(marked.value, Agreement.model_fields)
    problems += [placed(marked, finding) for finding in brackets]
    spoilt = {problem.path for problem in marked.problems if problem.code != "duplicate-key"}
    problems = [*marked.problems, *(problem for problem in problems if problem.path not in spoilt)]
    problems = list(in_file_order(problems))
    if deal is None or any(problem.severity == "error" for problem in problems):
        raise InputRefused(problems)
    deal._marked, deal._warnings = marked, tuple(problems)
    if world is not None:
        deal._checked[world.name, world.version, id(world.goods)] = deal
    return deal


def is_scenario(value: object) -> bool:
    """Whether a document builds on an agreement rather than being one."""
    return isinstance(value, Mapping) and "agreement" in value and "parties" not in value


def unfolded(marked: Marked, folder: Path, *, depth: int = 0) -> Marked:
    """The agreement that a scenario file builds on, its patches made; values keep the place they were written at.

    Raises
    ------
    InputRefused   an agreement that is not found, a patch that cannot be made, files that build on each other
    """
    base = marked.get(("agreement",))
    if isinstance(base, str):
        if depth > NESTED:
            message = f"more than {NESTED} files build on each other"
            raise InputRefused.because("circular", message, place=marked.place(("agreement",)), path="agreement")
        path = presets().get(base) or folder / base
        if not path.exists():
            hint = "\n".join(filter(None, [did_you_mean(base, presets()), f"The presets are {', '.join(presets())}."]))
            message = f"no preset and no file beside this one is called {base!r}"
            place = marked.place(("agreement",))
            raise InputRefused.because("unknown-agreement", message, place=place, path="agreement", hint=hint)
        text = read_marked(path)
        text = unfolded(text, path.parent, depth=depth + 1) if is_scenario(text.value) else text
    else:
        text = below(marked, ("agreement",))
    changes: list[Patch] = []
    problems: list[Problem] = []
    items = marked.get(("patches",))
    for number in range(len(items) if isinstance(items, list) else 0):
        try:
            changes.append(validate(Patch, marked, path=("patches", number)))
        except InputRefused as refused:
            problems += refused.problems
    if problems:
        raise InputRefused(problems)
    return patched(text, marked, ("patches",), tuple(changes), own=options.OWN)


def digest(value: object) -> str:
    """Twelve hexadecimal digits that name a plain value."""
    return hashlib.sha256(as_json(value).encode()).hexdigest()[:12]


def schema() -> dict[str, Any]:
    """The JSON Schema of an agreement file, for editors. `agreement.schema.json` holds the same."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Agreement.model_json_schema(by_alias=True, mode="validation"),
    }


def _draft(value: Mapping[str, Any], context: Mapping[str, object]) -> check.Draft:
    """Whatever of the document can be read, so that one mistake does not hide another."""

    def parts(key: str) -> Iterator[tuple[KeyPath, Any]]:
        held = value.get(key)
        if isinstance(held, list):
            yield from (((key, number), item) for number, item in enumerate(held))
        elif isinstance(held, Mapping):
            yield (key,), held

    clauses: list[tuple[KeyPath, Clause]] = []
    for key, kind in KINDS.items():
        for path, item in parts(key):
            try:
                clauses.append((path, kind.model_validate(item, context=context)))
            except ValidationError:
                continue
    parties: list[tuple[KeyPath, Party]] = []
    for path, item in parts("parties"):
        try:
            parties.append(
                (path, Party.model_validate({"code": item} if isinstance(item, str) else item, context=context))
            )
        except ValidationError:
            continue
    sources = value.get("sources")
    in_force = value.get("in_force")
    return check.Draft(
        in_force=in_force if isinstance(in_force, date) else None,
        parties=tuple(parties),
        clauses=tuple(clauses),
        sources=frozenset(sources) if isinstance(sources, Mapping) else frozenset(),
        named=frozenset(
            item["id"]
            for key in KINDS
            for _, item in parts(key)
            if isinstance(item, Mapping) and isinstance(item.get("id"), str)
        ),
    )


def placed(marked: Marked, finding: check.Finding) -> Problem:
    """A finding with its line."""
    place = marked.place(finding.path)
    return Problem(finding.code, finding.message, place, dotted(finding.path), finding.hint, finding.severity)


def _of_the_text_before(problem: Problem) -> Problem:
    """A worked example that a change moves is no mistake: it was written for the text before."""
    if problem.code != "example-fails":
        return problem
    return replace(problem, severity="warning", hint="as it was written, before the patches")
