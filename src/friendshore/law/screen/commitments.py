"""Who has promised what: members of the WTO by date, bound and applied rates, trade agreements, power to act at home.

Tables hold what is long and alike, one small file each holds an agreement whose promises were read, and who may act for a
party. What is not here is not known, and the screen says which finding hangs on it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cache, cached_property
from pathlib import Path
from typing import Literal, TypeVar, get_args

from pydantic import Field

from friendshore.errors import InputRefused, Problem, did_you_mean
from friendshore.law.screen.obligations import Promised, Touch
from friendshore.law.screen.text import (
    DATA,
    Confidence,
    Many,
    Text,
    as_day,
    as_number,
    cell_problem,
    read_folder,
    read_rows,
)

MEMBERS = ("code", "name", "since", "until", "source")
TREATIES = ("id", "name", "kind", "since", "notified_under", "parties", "source")
RATES = (
    "territory", "hs6", "value_band", "applied_low_pct", "applied_high_pct", "bound_low_pct", "bound_high_pct",
    "bound_specific", "binding", "year", "source", "reliability", "note",
)  # fmt: skip
LINES = ("importer", "hs6", "free", "in_part", "source")
CURRENCIES = ("currency", "usd", "year", "source", "note")
SOURCES = ("id", "publisher", "title", "year", "url", "licence")
PROVISIONS = ("row", "promised", "holds", "article", "confidence", "source")
TABLES = (
    "members.csv",
    "agreements.csv",
    "provisions.csv",
    "rates.csv",
    "currencies.csv",
    "preferences.csv",
    "sources.csv",
)
FOLDERS = ("agreements", "powers")
HS6 = re.compile(r"[0-9]{6}")
KINDS = ("free_trade_area", "customs_union", "partial_scope", "other")
PARTY = re.compile(r"([A-Z]{3})(?:@([0-9]{4}-[0-9]{2}-[0-9]{2}))?")
BINDINGS = ("schedule", "conventional", "estimate", "")
BAND = re.compile(r"(up to|above) ([0-9.]+) ([A-Z]{3})/kg")
SPECIFIC = re.compile(r"(?:the higher of ([0-9.]+) % and )?([0-9.]+) ([A-Z]{3})/kg")
EUROPEAN_UNION = "EUN"

K = TypeVar("K")
V = TypeVar("V")
Holds = Literal["yes", "no", "in part", "not read"]


class Pledge(Text):
    """What an agreement promises on one point."""

    holds: Holds = Field(description="yes, no, in part, or not read.")
    article: str = Field("", description="Where it stands.")
    confidence: Confidence = Field(description="How far it was checked.")
    note: str = ""


class TreatyText(Text):
    """An agreement between states whose promises on goods have been read."""

    id: str
    name: str
    row: str | None = Field(
        None, description="Its id in agreements.csv, from which parties and date are taken if absent."
    )
    kind: Literal["free_trade_area", "customs_union", "partial_scope", "other"] = "free_trade_area"
    since: date | None = Field(None, description="First day in force.")
    until: date | None = Field(None, description="Last day in force.")
    parties: Many[str] = Field((), description="Codes, with @date where one joined later.")
    not_between: Many[str] = Field((), description="Pairs such as GBR-CAN between which it is not in force.")
    minerals: Many[str] = Field((), description="The minerals it covers; all goods if absent.")
    one_border: bool = Field(
        False, description="A customs union whose members have one outer tariff and none of their own."
    )
    promises: Mapping[Promised, Pledge] = Field(default_factory=dict)
    confidence: Confidence
    source: Many[str] = ()
    note: str = ""


class Power(Text):
    """Who may do what for a party, under which law, and how long it takes."""

    id: str
    party: str = Field(description="Code of the party, or EUN.")
    level: Literal["party", "member_state"] = Field(
        "party", description="The party itself, or a state inside its union."
    )
    acts: Many[Touch] = Field(description="The kinds of act it speaks about.")
    may: Literal["yes", "with consent", "no"] = Field(description="Whether this level may act.")
    by: str = Field(description="Who decides.")
    statute: str = Field(description="Under which law.")
    lead_time: str = Field("", description="How long it takes.")
    note: str = ""
    confidence: Confidence
    source: Many[str] = ()


@dataclass(frozen=True, slots=True)
class Treaty:
    """An agreement in force between states, and what it promises on goods.

    `promises` lacks what was not read; a free trade area or customs union of the WTO's list then counts as promising zero
    duty by its kind (GATT XXIV:8), which its reliability says.
    """

    id: str
    name: str
    kind: str
    since: date
    until: date | None
    parties: Mapping[str, date | None]
    not_between: frozenset[frozenset[str]]
    minerals: frozenset[str]
    promises: Mapping[str, Pledge]
    source: str
    one_border: bool = False
    row: str | None = None  # its id in the list, where its text was read

    def binds(self, one: str, other: str, day: date) -> bool:
        """Whether it is in force between two states on a day."""
        if day < self.since or (self.until is not None and day > self.until) or one == other:
            return False
        if one not in self.parties or other not in self.parties or frozenset((one, other)) in self.not_between:
            return False
        return all((start := self.parties[code]) is None or start <= day for code in (one, other))

    def pledge(self, promised: str) -> Pledge | None:
        """What it promises on a point; None where nothing is known."""
        if promised in self.promises:
            return self.promises[promised]
        if promised == "zero_duty" and self.kind in ("free_trade_area", "customs_union"):
            note = "by its kind: duties on substantially all the trade; the schedule was not read"
            return Pledge(holds="yes", article="GATT XXIV:8", confidence="M", note=note)
        return None

    def covers(self, mineral: str) -> bool:
        """Whether it speaks about a mineral."""
        return not self.minerals or mineral in self.minerals

    @property
    def opens_markets(self) -> bool:
        """Whether it is a free trade area or customs union."""
        return self.kind in ("free_trade_area", "customs_union")


@dataclass(frozen=True, slots=True)
class Rate:
    """Applied and bound duty of a territory on a six-digit code: per cent ad valorem, lowest and highest national line."""

    territory: str
    hs6: str
    band: str
    applied_low_pct: float | None
    applied_high_pct: float | None
    bound_low_pct: float | None
    bound_high_pct: float | None
    bound_specific: str
    binding: str
    year: str
    source: str
    reliability: str
    note: str


@dataclass(frozen=True, slots=True)
class Binding:
    """The bound rate of a good at a customs value, as it stands: per cent, from the strictest to the loosest code."""

    low_pct: float
    high_pct: float
    applied_pct: float | None
    basis: str
    text: str
    source: str


@dataclass(frozen=True)
class Commitments:
    """Everything that has been promised or decided, as far as it is at hand."""

    members: Mapping[str, tuple[date, date | None]]
    treaties: tuple[Treaty, ...]
    rates: Mapping[tuple[str, str], tuple[Rate, ...]]
    powers: tuple[Power, ...]
    currencies: Mapping[str, float]
    sources: Mapping[str, str]
    lines: Mapping[tuple[str, str], tuple[frozenset[str], frozenset[str]]] = field(default_factory=dict)
    listed: Mapping[str, Treaty] = field(default_factory=dict, repr=False)  # the rows of the list, read or not
    _between: dict[tuple[str, str, date], tuple[Treaty, ...]] = field(default_factory=dict, repr=False, compare=False)

    def is_member(self, code: str, day: date) -> bool:
        """Whether a state, territory or union is a member of the WTO on a day."""
        if code not in self.members:
            return False
        since, until = self.members[code]
        return since <= day and (until is None or day <= until)

    @cached_property
    def unions(self) -> tuple[Treaty, ...]:
        """The customs unions with one outer border; the European Union is told by its territory.

        Others that were notified as customs unions have no tariff that all their members apply, as far as known.
        """
        return tuple(treaty for treaty in self.treaties if treaty.one_border)

    @cached_property
    def _of(self) -> Mapping[str, tuple[Treaty, ...]]:
        found: dict[str, list[Treaty]] = {}
        for treaty in self.treaties:
            for code in treaty.parties:
                found.setdefault(code, []).append(treaty)
        return {code: tuple(treaties) for code, treaties in found.items()}

    def between(self, one: str, other: str, day: date) -> tuple[Treaty, ...]:
        """The agreements in force between two territories on a day (EUN for the European Union)."""
        key = (one, other, day)
        if key not in self._between:
            self._between[key] = tuple(treaty for treaty in self._of.get(one, ()) if treaty.binds(one, other, day))
        return self._between[key]

    def free_trade(self, one: str, other: str, day: date) -> Treaty | None:
        """A free trade area or customs union in force between two territories on a day."""
        return next((treaty for treaty in self.between(one, other, day) if treaty.opens_markets), None)

    def line(self, importer: str, partner: str, codes: Collection[str]) -> Holds | None:
        """What an importer's schedule promises a partner on goods of these codes; None where its lines were not read.

        yes: zero duty on every line of every code; no: on none; in part: between the two, or a reduced duty.
        """
        read = [self.lines[importer, code] for code in codes if (importer, code) in self.lines]
        if not read or len(read) < len(codes):
            return None
        if all(partner in free for free, _ in read):
            return "yes"
        return "in part" if any(partner in free | reduced for free, reduced in read) else "no"

    def binding(self, territory: str, codes: Collection[str], value_usd_kg: float | None = None) -> Binding | None:
        """The bound rate on goods of these codes; None where it is not known for one of them.

        A binding per kilogram is set against the customs value (USD per kg), a binding that depends on the value is read at
        that value; without a value both are not known.
        """
        lows: list[float] = []
        highs: list[float] = []
        applied: list[float] = []
        bases, texts, sources = set(), [], set()
        for code in codes:
            rows = [rate for rate in self.rates.get((territory, code), ()) if self._in_band(rate.band, value_usd_kg)]
            if not rows or not any(row.binding for row in rows):
                return None
            for row in rows:
                specific = self._specific_pct(row.bound_specific, value_usd_kg)
                if row.bound_specific and specific is None:
                    return None
                known = [x for x in (row.bound_low_pct, row.bound_high_pct, specific) if x is not None]
                if not known:
                    return None
                lows.append(min(known))
                highs.append(max(known))
                if row.applied_high_pct is not None:
                    applied.append(row.applied_high_pct)
                bases.add(row.binding)
                sources.add(row.source)
                texts.append(_rate_words(row))
        basis = next(word for word in ("estimate", "conventional", "schedule") if word in bases)
        return Binding(
            low_pct=min(lows),
            high_pct=max(highs),
            applied_pct=max(applied) if applied else None,
            basis=basis,
            text="; ".join(texts),
            source="+".join(sorted(sources)),
        )

    def _in_band(self, band: str, value_usd_kg: float | None) -> bool:
        if not band:
            return True
        match = BAND.fullmatch(band)
        assert match is not None, band
        if value_usd_kg is None:
            return False
        limit = float(match[2]) * self.currencies[match[3]]
        return value_usd_kg <= limit if match[1] == "up to" else value_usd_kg > limit

    def _specific_pct(self, text: str, value_usd_kg: float | None) -> float | None:
        """Bindings per kilogram as per cent of a value: the loosest of the national lines; None where one cannot be read."""
        found: list[float] = []
        for part in text.split(" | "):
            match = SPECIFIC.fullmatch(part)
            if match is None or not value_usd_kg or match[3] not in self.currencies:
                return None
            per_kg = 100.0 * float(match[2]) * self.currencies[match[3]] / value_usd_kg
            found.append(max(per_kg, float(match[1] or 0.0)))
        return max(found)

    def power(self, party: str, act: str) -> tuple[Power, ...]:
        """Who may do an act for a party, the party's own level first."""
        return tuple(power for power in self.powers if power.party == party and act in power.acts)


NONE = Commitments({}, (), {}, (), {}, {})  # nothing promised, nothing known


def _rate_words(row: Rate) -> str:
    def span(low: float | None, high: float | None) -> str:
        if low is None or high is None:
            return ""
        return f"{low:g} %" if low == high else f"{low:g} to {high:g} %"

    parts = [span(row.bound_low_pct, row.bound_high_pct), row.bound_specific]
    bound = " or ".join(part for part in parts if part)
    band = f" where the value is {row.band}" if row.band else ""
    return f"{row.hs6[:4]}.{row.hs6[4:]} bound {bound}{band} ({row.binding}, {row.year})"


def load(folder: Path) -> Commitments:
    """The commitments of a folder.

    Raises
    ------
    InputRefused   a table that is not there, and every problem of its files, with line and column
    """
    missing = [
        Problem("missing", f"{folder} has no {name}", path=str(folder))
        for name in TABLES
        if not (folder / name).is_file()
    ]
    if missing:
        raise InputRefused(missing)
    return beside(NONE, folder)


def beside(base: Commitments, folder: Path) -> Commitments:
    """Commitments with those of a folder beside them: a row or a file takes the place of the one with the same key.

    Tables that the folder does not have stay as they are.

    Raises
    ------
    InputRefused   every problem of the folder's files, with line and column
    """
    problems: list[Problem] = []
    tables = {name: folder / name for name in TABLES if (folder / name).is_file()}

    def rows(name: str, read: Callable[[Path, list[Problem]], dict[K, V]]) -> dict[K, V]:
        try:
            return read(tables[name], problems) if name in tables else {}
        except InputRefused as refused:  # a header or a row of another length
            problems.extend(refused.problems)
            return {}

    members = rows("members.csv", _members)
    listed = rows("agreements.csv", _listed)
    rates = rows("rates.csv", _rates)
    currencies = rows("currencies.csv", _currencies)
    lines = rows("preferences.csv", _lines)
    named = rows("sources.csv", _sources)
    provisions = rows("provisions.csv", _provisions)
    read = {key: {name: pledge for name, (pledge, _) in held.items()} for key, held in provisions.items()}
    sources_read = {key: [source for _, source in held.values()] for key, held in provisions.items()}
    texts: Mapping[str, TreatyText] = {}
    powers: Mapping[str, Power] = {}
    for kind in FOLDERS:
        try:
            if kind == "agreements":
                texts = read_folder(folder / kind, TreatyText, key=lambda one: one.id)
            else:
                powers = read_folder(folder / kind, Power, key=lambda one: one.id)
        except InputRefused as refused:
            problems += refused.problems
    everything = {**base.listed, **listed}
    for key, pledges in read.items():
        if key not in everything:
            message = f"provisions.csv names {key!r}, which agreements.csv does not have"
            problems.append(Problem("unknown-row", message, path="row", hint=did_you_mean(key, everything)))
            continue
        row = everything[key]
        where = "+".join(dict.fromkeys([row.source, *sources_read[key]]))
        everything[key] = replace(row, promises={**row.promises, **pledges}, source=where)
    listed = {key: everything[key] for key in (*listed, *read) if key in everything}
    taken = {treaty.row for treaty in base.treaties}
    known = {treaty.id: treaty for treaty in base.treaties} | {k: t for k, t in listed.items() if k not in taken}
    treaties = list(_treaties(texts.values(), known, everything, problems))
    if problems:
        raise InputRefused(problems)
    return Commitments(
        {**base.members, **members},
        tuple(treaties),
        {**base.rates, **rates},
        tuple({**{power.id: power for power in base.powers}, **powers}.values()),
        {**base.currencies, **currencies},
        {**base.sources, **named},
        {**base.lines, **lines},
        everything,
    )


def _lines(path: Path, problems: list[Problem]) -> dict[tuple[str, str], tuple[frozenset[str], frozenset[str]]]:
    found: dict[tuple[str, str], tuple[frozenset[str], frozenset[str]]] = {}
    for line, row in read_rows(path, LINES):
        for column in ("free", "in_part"):
            if any(PARTY.fullmatch(word) is None for word in row[column].split()):
                problems.append(cell_problem(path, line, row, column, "codes of countries, such as CHL KOR"))
        if not HS6.fullmatch(row["hs6"]):
            problems.append(cell_problem(path, line, row, "hs6", "six digits"))
        found[row["importer"], row["hs6"]] = frozenset(row["free"].split()), frozenset(row["in_part"].split())
    return found


def _provisions(path: Path, problems: list[Problem]) -> dict[str, dict[str, tuple[Pledge, str]]]:
    """Row of the list -> what a search of the text found it to promise, and the source of each."""
    found: dict[str, dict[str, tuple[Pledge, str]]] = {}
    for line, row in read_rows(path, PROVISIONS):
        wanted = {"promised": get_args(Promised), "holds": get_args(Holds), "confidence": get_args(Confidence)}
        bad = [column for column, words in wanted.items() if row[column] not in words]
        for column in bad:
            problems.append(cell_problem(path, line, row, column, " or ".join(wanted[column])))
        if not bad:
            pledge = Pledge.model_validate({key: row[key] for key in ("holds", "article", "confidence")})
            found.setdefault(row["row"], {})[row["promised"]] = pledge, row["source"]
    return found


def _sources(path: Path, problems: list[Problem]) -> dict[str, str]:
    found: dict[str, str] = {}
    for line, row in read_rows(path, SOURCES):
        if not row["id"] or not row["title"]:
            problems.append(cell_problem(path, line, row, "id" if not row["id"] else "title", "a text"))
        if row["id"] in found:
            problems.append(cell_problem(path, line, row, "id", "an id that no other source has"))
        found[row["id"]] = f"{row['publisher']}, {row['title']}"
    return found


def _members(path: Path, problems: list[Problem]) -> dict[str, tuple[date, date | None]]:
    found: dict[str, tuple[date, date | None]] = {}
    for line, row in read_rows(path, MEMBERS):
        try:
            since, until = as_day(row["since"]), as_day(row["until"])
        except ValueError:
            problems.append(cell_problem(path, line, row, "since", "a day such as 1995-01-01"))
            continue
        if since is None:
            problems.append(cell_problem(path, line, row, "since", "a day such as 1995-01-01"))
            continue
        if row["code"] in found:
            problems.append(cell_problem(path, line, row, "code", "a code that stands once"))
        found[row["code"]] = (since, until)
    return found


def _listed(path: Path, problems: list[Problem]) -> dict[str, Treaty]:
    found: dict[str, Treaty] = {}
    for line, row in read_rows(path, TREATIES):
        try:
            since = as_day(row["since"])
            parties = dict(_party(word) for word in row["parties"].split())
        except ValueError as error:
            column = "parties" if "party" in str(error) else "since"
            problems.append(cell_problem(path, line, row, column, "a day, or codes such as CHL@2012-04-18"))
            continue
        if since is None or row["kind"] not in KINDS:
            column = "since" if since is None else "kind"
            problems.append(cell_problem(path, line, row, column, "a day" if since is None else " or ".join(KINDS)))
            continue
        found[row["id"]] = Treaty(
            row["id"], row["name"], row["kind"], since, None, parties, frozenset(), frozenset(), {}, row["source"]
        )
    return found


def _party(word: str) -> tuple[str, date | None]:
    match = PARTY.fullmatch(word)
    if match is None:
        raise ValueError(f"no party is written {word!r}")
    return match[1], date.fromisoformat(match[2]) if match[2] else None


def _rates(path: Path, problems: list[Problem]) -> dict[tuple[str, str], tuple[Rate, ...]]:
    found: dict[tuple[str, str], list[Rate]] = {}
    for line, row in read_rows(path, RATES):
        numbers: list[float | None] = []
        for column in RATES[3:7]:
            try:
                numbers.append(as_number(row[column]))
            except ValueError:
                problems.append(cell_problem(path, line, row, column, "a number, per cent"))
        for column, ok in (("hs6", HS6.fullmatch(row["hs6"])), ("binding", row["binding"] in BINDINGS)):
            if not ok:
                expected = "six digits" if column == "hs6" else "schedule, conventional, estimate or nothing"
                problems.append(cell_problem(path, line, row, column, expected))
        if row["value_band"] and not BAND.fullmatch(row["value_band"]):
            problems.append(cell_problem(path, line, row, "value_band", "words such as 'up to 670 JPY/kg'"))
        elif len(numbers) == 4:
            rate = Rate(
                row["territory"],
                row["hs6"],
                row["value_band"],
                numbers[0],
                numbers[1],
                numbers[2],
                numbers[3],
                *(row[column] for column in RATES[7:]),
            )
            found.setdefault((rate.territory, rate.hs6), []).append(rate)
    return {key: tuple(rates) for key, rates in found.items()}


def _currencies(path: Path, problems: list[Problem]) -> dict[str, float]:
    found: dict[str, float] = {}
    for line, row in read_rows(path, CURRENCIES):
        try:
            found[row["currency"]] = float(row["usd"])
        except ValueError:
            problems.append(cell_problem(path, line, row, "usd", "US dollars per unit"))
    return found


def _treaties(
    texts: Collection[TreatyText], known: dict[str, Treaty], listed: Mapping[str, Treaty], problems: list[Problem]
) -> Iterator[Treaty]:
    """The agreements whose texts were read, then the others that are known."""
    for text in texts:
        known.pop(text.id, None)  # a text of one's own takes the place of the one that ships
        row = listed.get(text.row) if text.row is not None else None
        known.pop(text.row or "", None)
        if text.row is not None and row is None:
            problems.append(
                Problem("unknown-row", f"{text.id}.yaml: no row {text.row!r} in agreements.csv", path="row")
            )
            continue
        try:
            parties = dict(_party(word) for word in text.parties) if text.parties else dict(row.parties if row else {})
        except ValueError as error:
            problems.append(Problem("unknown-party", f"{text.id}.yaml: {error}", path="parties"))
            continue
        since = text.since or (row.since if row else None)
        if since is None or len(parties) < 2:
            problems.append(Problem("missing", f"{text.id}.yaml states no parties or no first day", path=text.id))
            continue
        pairs = frozenset(frozenset(pair.split("-")) for pair in text.not_between)
        kind = row.kind if row is not None and "kind" not in text.model_fields_set else text.kind
        source = "+".join([*text.source, *([row.source] if row else [])])
        yield Treaty(
            text.id,
            text.name,
            kind,
            since,
            text.until,
            parties,
            pairs,
            frozenset(text.minerals),
            {**(row.promises if row is not None else {}), **{str(key): each for key, each in text.promises.items()}},
            source,
            text.one_border,
            text.row,
        )
    yield from known.values()


@cache
def shipped() -> Commitments:
    """The commitments that ship."""
    return load(DATA)
