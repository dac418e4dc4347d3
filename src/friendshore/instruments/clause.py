"""What every clause has: an id, its article and source, its dates, whom it binds; and the setting in which it is read.

A clause is terms only. What it does is asked of it for a `Setting`: a day, a world's names and figures, the parties.
The faces (`wedges`, `promises`, `duties`, `claims`) are left to the instruments, one file each.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, WithJsonSchema, model_validator

from friendshore.errors import InputRefused
from friendshore.faces import Claim, Duty, Lane, Promise, Wedge
from friendshore.instruments.dates import Dated, Day, Many, Months, Term, consecutive, phase, shape
from friendshore.instruments.names import ALL, GROUPS, CountryCode, Vocabulary, good_id, members, union_of
from friendshore.marked import wrong
from friendshore.units import decimal

ONE = Decimal(1)

Need = Literal["use", "flows", "duties", "capacity"]
Stated = Literal[
    "published",
    "notified",
    "investigation",
    "emergency",
    "military",
    "waiver",
    "renegotiated",
    "open_to_all",
    "by_statute",
]  # what only the text or the record can say; the legal screen asks for it


def _number(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return value
    return decimal(value)


Number = Annotated[Decimal, BeforeValidator(_number), WithJsonSchema({"type": "number"})]
Positive = Annotated[Number, Field(gt=0), WithJsonSchema({"type": "number", "exclusiveMinimum": 0})]
NotNegative = Annotated[Number, Field(ge=0), WithJsonSchema({"type": "number", "minimum": 0})]
Share = Annotated[Number, Field(ge=0, le=1), WithJsonSchema({"type": "number", "minimum": 0, "maximum": 1})]


# A number that may change from one day to another.
TimedNumber = Annotated[
    Annotated[NotNegative, Tag("single")] | Annotated[Many[Dated[NotNegative]], Tag("dated")],
    Discriminator(shape),
    AfterValidator(consecutive),
]


class Suspension(Term):
    """A time during which a clause does not apply."""

    starts: Day = Field(alias="from", description="First day of the suspension.")
    until: Day | None = Field(None, description="Last day of it; until further notice if absent.")
    reason: str = Field("", description="Why, in a sentence.")

    @model_validator(mode="after")
    def ends_after_it_starts(self) -> Self:
        _forwards(self.starts, self.until, "until", "begins")
        return self


class Party(Term):
    """A country or customs union bound by the agreement, or by one clause of it, with dates of its own.

    Written as a bare code (`JPN`) where it has none.
    """

    code: CountryCode = Field(description="Three-letter ISO code, or a customs union: EUN (also EU), GCC, MERCOSUR ...")
    enters_into_force: Day | None = Field(
        None, description="First day on which it is bound; the agreement's if absent."
    )
    ends: Day | None = Field(None, description="Last day on which it is bound (withdrawal); open-ended if absent.")
    phase_in: Months | None = Field(None, description="Its own phase-in, such as 5y; the clause's if absent.")
    source: Many[str] = Field((), description="Ids of sources.")
    note: str = Field("", description="Why it is here, in words.")

    @model_validator(mode="after")
    def ends_after_it_starts(self) -> Self:
        _forwards(self.enters_into_force, self.ends, "ends", "enters into force")
        return self


def _bare_code(value: Any) -> Any:
    return {"code": value} if isinstance(value, str) else value


PartyOrCode = Annotated[Party, BeforeValidator(_bare_code, json_schema_input_type=str | Party)]


class Clause(Term):
    """One term of the agreement: what it is called, where it stands in the text, where it comes from, when it holds."""

    word: ClassVar[str] = "clause"  # what a clause of the kind is called where it has no id of its own

    id: str = Field(
        "", description="A short name, such as floor.ndpr, that no other clause has; from kind and good if absent."
    )
    title: str = Field("", description="What the clause is called.")
    article: str = Field("", description="Where it stands in the text of the agreement, such as Art. 6(2).")
    source: Many[str] = Field((), description="Ids of the sources of its terms.")
    illustrative: bool = Field(False, description="True where a level was invented for illustration.")
    rule: str = Field("", description="How an illustrative level was derived.")
    note: str = Field("", description="Anything a reader should know.")
    stated: Mapping[Stated, bool] = Field(
        default_factory=dict,
        description="Facts that the legal screen takes from the text: published, notified, investigation, emergency, "
        "military, waiver, renegotiated, open_to_all or by_statute; true or false.",
    )
    enters_into_force: Day | None = Field(None, description="First day in force; the agreement's if absent.")
    ends: Day | None = Field(None, description="Last day in force; open-ended if absent.")
    suspensions: Many[Suspension] = Field((), description="Times during which the clause does not apply.")
    parties: Many[PartyOrCode] | None = Field(
        None, description="The parties that this clause binds, with dates of their own; all parties if absent."
    )

    @model_validator(mode="after")
    def ends_after_it_starts(self) -> Self:
        _forwards(self.enters_into_force, self.ends, "ends", "enters into force")
        return self

    @model_validator(mode="before")
    @classmethod
    def without_an_id_its_good_names_it(cls, value: Any) -> Any:
        return {**value, "id": cls.id_of(value)} if isinstance(value, Mapping) else value

    @classmethod
    def id_of(cls, text: Mapping[str, Any]) -> Any:
        """The id of a clause as it is written: its own, or the one that its kind and good give it."""
        if text.get("id", "") != "":
            return text["id"]
        goods = text.get("good", text.get("goods"))
        return f"{cls.word}.{goods}" if isinstance(goods, str) and goods != ALL else cls.word

    @model_validator(mode="after")
    def an_invented_level_states_its_rule(self) -> Self:
        if self.illustrative and not self.rule:
            raise wrong("no-rule", "an illustrative level states how it was derived", hint="add rule: ...")
        return self

    @property
    def months(self) -> int:
        """Length of the phase-in; none unless the instrument has one."""
        return 0

    @property
    def needs(self) -> frozenset[Need]:
        """Which of the world's figures a setting must hold for the clause, beyond names and output."""
        return frozenset()

    def wedges(self, setting: Setting) -> tuple[Wedge, ...]:
        """What the clause does to the market on the day of the setting."""
        return ()

    def promises(self, setting: Setting) -> tuple[Promise, ...]:
        """What the clause does that a treaty may speak about."""
        return ()

    def duties(self, setting: Setting) -> tuple[Duty, ...]:
        """What a consignment owes under the clause."""
        return ()

    def claims(self, setting: Setting) -> tuple[Claim, ...]:
        """What the clause makes one holder owe another."""
        return ()

    def assumptions(self) -> tuple[str, ...]:
        """What the clause is taken to say where its text says nothing, one sentence each."""
        return ()


class PhasedClause(Clause):
    """A clause that may take effect by and by."""

    phase_in: Months = Field(0, description="Length of the linear phase-in from its first day, such as 3y or 18m.")

    @property
    def months(self) -> int:
        """Length of the phase-in."""
        return self.phase_in


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """A party on which a clause is in force, the countries it stands for, and how far the clause is phased in."""

    code: str
    members: frozenset[str]
    phase: Decimal


@dataclass(frozen=True, kw_only=True)
class Setting:
    """The day and the world in which clauses are read.

    Parameters
    ----------
    as_of : the day
    in_force : the agreement's first day; a clause or party without a date of its own begins then
    words : goods, countries and substances of the world
    parties : the agreement's parties, with their own dates
    gdp_usd : country -> gross domestic product, for funding by GDP
    use_t : (good, country) -> tonnes taken in the base year, for funding by use
    base_duty : (good, exporter, importer) -> ad valorem rate and USD per tonne before the agreement
    base_flow_t : (good, exporter, importer) -> tonnes of the base year
    floors_usd_t : clause id -> reference price of a floor, for costs that build on it
    capacity_t : (good, country) -> tonnes that can be made in a year
    published_usd_t : good -> reference price that is published for the day
    """

    as_of: date
    in_force: date
    words: Vocabulary
    parties: tuple[Party, ...]
    gdp_usd: Mapping[str, float] = field(default_factory=dict)
    use_t: Mapping[tuple[str, str], float] = field(default_factory=dict)
    base_duty: Mapping[tuple[str, str, str], tuple[float, float]] = field(default_factory=dict)
    base_flow_t: Mapping[tuple[str, str, str], float] = field(default_factory=dict)
    floors_usd_t: Mapping[str, Decimal] = field(default_factory=dict)
    capacity_t: Mapping[tuple[str, str], float] = field(default_factory=dict)
    published_usd_t: Mapping[str, Decimal] = field(default_factory=dict)

    @property
    def countries(self) -> frozenset[str]:
        """Every country and remainder of the world."""
        return frozenset(self.words.countries)

    def members(self, code: str) -> frozenset[str]:
        """The countries of this world that a code stands for."""
        return members(code) & self.countries

    def good(self, name: str) -> str:
        """The id of a good of this world, or a refusal."""
        try:
            return good_id(name, self.words.goods)
        except ValueError as error:  # outside a file there is no place to name
            raise InputRefused.because("unknown-good", str(error)) from None

    def goods(self, names: Iterable[str]) -> tuple[str, ...]:
        """The ids that a selector of goods stands for, in the world's order where it says `all`."""
        found: dict[str, None] = {}
        for name in names:
            found.update(dict.fromkeys(self.words.goods if name == ALL else [self.good(name)]))
        return tuple(found)

    def activities(self, names: Iterable[str]) -> frozenset[str]:
        """The activities that names of activities or processes stand for."""
        wanted = frozenset(names)
        return frozenset(
            activity for activity, process in self.words.activities.items() if wanted & {activity, process}
        )

    def content(self, substance: str, good: str) -> Decimal:
        """Tonnes of the good's unit per tonne of a substance; a good's own id stands for its own unit.

        Raises
        ------
        InputRefused   where the world does not know how much of the good the substance holds
        """
        if substance == good:
            return ONE
        if (content := self.words.substances.get((substance, good))) is None:
            raise InputRefused.because("wrong-basis", f"{substance!r} is not a substance that {good} is priced by")
        return content

    def insiders(self) -> frozenset[str]:
        """The countries bound by the agreement on the day."""
        return frozenset().union(*(self.members(party.code) for party in self.parties if self._bound(party)))

    def bound(self, clause: Clause) -> tuple[Bound, ...]:
        """The parties on which a clause is in force on the day, each with its phase.

        A clause holds for a party from the later of their two first days to the earlier of their last, suspensions
        taken out. A clause that lists parties may give each a first day and a phase-in of its own.
        """
        if not in_force(clause, self):
            return ()
        found: list[Bound] = []
        own = {party.code: party for party in clause.parties or ()}
        for party in self.parties:
            if (clause.parties is not None and party.code not in own) or not self._bound(party):
                continue
            terms = own.get(party.code)
            start = max(party.enters_into_force or self.in_force, clause.enters_into_force or self.in_force)
            months = clause.months if party.phase_in is None or not clause.months else party.phase_in
            if terms is not None:
                if terms.ends is not None and terms.ends < self.as_of:
                    continue
                start = terms.enters_into_force or start
                months = terms.phase_in if terms.phase_in is not None else months
            if self.as_of >= start:
                found.append(
                    Bound(code=party.code, members=self.members(party.code), phase=phase(self.as_of, start, months))
                )
        return tuple(found)

    def imposed(self, clause: Clause, countries: Iterable[str] | None) -> tuple[Bound, ...]:
        """Who imposes a measure: the countries that the clause names, or else the parties it binds.

        Named countries need not be parties: what others do can be written down too, with the clause's own dates.
        """
        bound = self.bound(clause)
        if countries is None:
            return bound
        found: dict[frozenset[str], Bound] = {}
        for word in countries:
            if word == "parties":
                found.update({party.members: party for party in bound})
                continue
            grouped = sorted({union_of(country) or country for country in self.select([word])})
            for code in grouped if word in GROUPS else [word]:
                if (one := self._one(clause, code, bound)) is not None:
                    found.setdefault(one.members, one)
        return tuple(found.values())

    def _one(self, clause: Clause, code: str, bound: tuple[Bound, ...]) -> Bound | None:
        """A country that a clause names: as the party that it is (or belongs to), or by the clause's own dates."""
        mine = self.members(code)
        if not mine:
            return None
        if any(mine <= self.members(party.code) for party in self.parties):
            party = next((each for each in bound if mine <= each.members), None)
            return None if party is None else Bound(code=code, members=mine, phase=party.phase)
        start = clause.enters_into_force or self.in_force
        if not in_force(clause, self) or self.as_of < start:
            return None
        return Bound(code=code, members=mine, phase=phase(self.as_of, start, clause.months))

    def select(self, selector: Iterable[str]) -> frozenset[str]:
        """The countries that a selector (`everyone`, `parties`, `non_parties`, codes) stands for on the day."""
        found: frozenset[str] = frozenset()
        for word in selector:
            if word == "everyone":
                found |= self.countries
            elif word == "parties":
                found |= self.insiders()
            elif word == "non_parties":
                found |= self.countries - self.insiders()
            else:
                found |= self.members(word)
        return found

    def _bound(self, party: Party) -> bool:
        start = party.enters_into_force or self.in_force
        return start <= self.as_of and (party.ends is None or self.as_of <= party.ends)


def in_force(clause: Clause, setting: Setting) -> bool:
    """Whether a clause applies to anybody on the day: begun, not ended, not suspended."""
    day = setting.as_of
    starts = [clause.enters_into_force or setting.in_force]
    starts += [party.enters_into_force for party in clause.parties or () if party.enters_into_force]
    if day < min(starts) or (clause.ends is not None and day > clause.ends):
        return False
    return not any(pause.starts <= day and (pause.until is None or day <= pause.until) for pause in clause.suspensions)


def borders(exporters: frozenset[str], bound: Iterable[Bound]) -> list[tuple[frozenset[str], Bound]]:
    """The outer borders at which parties meet `exporters`: parties alike in phase and exporters are joined.

    Trade inside a party, between the members of a union or at home, crosses none.
    """
    found: dict[tuple[frozenset[str], Decimal], Bound] = {}
    for party in bound:
        outside = exporters - party.members
        if not outside or not party.members:
            continue
        key = (outside, party.phase)
        joined = found.get(key)
        found[key] = (
            party
            if joined is None
            else Bound(code=f"{joined.code}+{party.code}", members=joined.members | party.members, phase=party.phase)
        )
    return [(outside, party) for (outside, _), party in found.items()]


def lane(good: str, exporters: frozenset[str], importers: frozenset[str]) -> Lane:
    """A lane, for short."""
    return Lane(good=good, exporters=exporters, importers=importers)


def _forwards(first: date | None, last: date | None, key: str, begins: str) -> None:
    if first is not None and last is not None and last < first:
        raise wrong("dates-backwards", f"ends {last}, before it {begins} {first}", at=(key,))


LevyOn = Literal["landed_duty_paid", "cif"]
