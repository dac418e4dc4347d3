"""A user's own elasticities and prices: read from a file, checked against a world, and put in the place of its figures.

Answers "what if this figure is wrong?". The changed world balances as before and is calibrated anew: tonnes, costs and
freight stay, margins and base rents follow the prices. Which figures are defaults is `world.missing`'s.
"""

from __future__ import annotations

import csv
import hashlib
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import polars as pl
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from friendshore.errors import InputRefused, Place, Problem, did_you_mean
from friendshore.marked import KeyPath, Marked, as_json, dotted, explain, in_file_order, noted
from friendshore.units import MASSES, decimal, price_words, to_float, usd_per_contained_tonne
from friendshore.world import parameters
from friendshore.world.tables import World, table_names

HORIZONS = (1, 5, 15)
BY_HORIZON = ("sigma", "eps", "eps_price")
Row = dict[str, Any]
SUPPLY = ("eps", "eps_price")
SELECTORS = ("good", "country", "process", "activity")  # from the widest to the narrowest
REPLACED = {
    "table": pl.String, "key": pl.String, "column": pl.String, "before": pl.Float64, "after": pl.Float64,
    "source": pl.String, "where": pl.String,
}  # fmt: skip
MARKS = (",", ";", "\t")  # what may stand between the cells of a table
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")


class Given(BaseModel):
    """One figure of the user's own."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    figure: Literal["sigma", "eta", "choke", "eps", "eps_price", "price"] = Field(
        description="sigma: substitution between origins; eta: demand; choke: multiple of the base price at which use stops; "
        "eps: supply in the margin, as the tables have it; eps_price: supply in the price, as the literature has it; price."
    )
    good: str | None = Field(None, description="Id of a good; for eps, the activities that mainly make it.")
    country: str | None = Field(None, description="Code of a country.")
    process: str | None = Field(None, description="For eps: every activity that runs this process.")
    activity: str | None = Field(None, description="For eps: one activity, process@country.")
    horizon: Literal[1, 5, 15] | None = Field(None, description="Years, for sigma and eps; all three if absent.")
    value: float | int | str = Field(description="A number; for a price, words: 61 USD per kg of cobalt.metal.")
    source: str | None = Field(None, description="Who says so; that of the file if absent.")
    year: int | str | None = Field(None, description="Year of the figure; that of the file if absent.")
    reliability: Literal["A", "B", "C", "D"] | None = Field(None, description="Class of the figure; D if absent.")
    note: str = Field("", description="How it was found.")


class Figures(BaseModel):
    """A file of own figures: YAML or JSON with a list `figures`, or CSV with one figure a row."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    source: str | None = Field(None, description="Who says so, for every figure that names nobody.")
    year: int | str | None = Field(None, description="Year of every figure that names none.")
    figures: list[Given] = Field(description="The figures.", min_length=1)


@dataclass(frozen=True, slots=True)
class Own:
    """A figure that is sound for a world: USD per contained tonne where it is a price, plain otherwise."""

    figure: str
    selectors: Mapping[str, str]
    horizons: tuple[int, ...]
    value: float
    source: str
    year: str
    reliability: str
    note: str
    where: str

    @property
    def breadth(self) -> tuple[int, int]:
        """What sorts the wide before the narrow: so that the narrow one is put in last and holds."""
        narrow = max((SELECTORS.index(key) for key in self.selectors), default=-1)
        return (-len(self.horizons), 10 * narrow + len(self.selectors))


def read(path: Path, world: World) -> tuple[Own, ...]:
    """The figures of a file, each checked against `world`.

    Parameters
    ----------
    path : YAML or JSON by `Figures`, or CSV whose columns are the keys of `Given`

    Raises
    ------
    InputRefused   every unknown name with the nearest, every figure that cannot stand, every fault of the file: all at once
    """
    marked, found = _csv(path) if path.suffix.casefold() in (".csv", ".tsv") else (noted(path), [])
    problems = [*found, *marked.problems]
    try:
        sound = dict(enumerate(Figures.model_validate(marked.value).figures))
    except ValidationError as error:
        problems += explain(Figures, marked, error.errors())
        sound = dict(_sound(marked))
    figures = []
    names = _Names.of(world)
    seen: dict[tuple[object, ...], Place] = {}
    for number, given in sound.items():
        at: KeyPath = ("figures", number)
        own, wrong = _own(given, names, marked, at)
        problems += wrong
        if own is None:
            continue
        key = (own.figure.removesuffix("_price"), tuple(sorted(own.selectors.items())), given.horizon)
        if key in seen:
            message = f"{own.figure} of {', '.join(own.selectors.values())} stands here twice"
            hint = f"first on line {seen[key].line}"
            problems.append(Problem("duplicate-figure", message, marked.place(at), dotted(at), hint))
        seen.setdefault(key, marked.place(at))
        figures.append(own)
    if problems:
        raise InputRefused(in_file_order(problems))
    return tuple(figures)


def with_parameters(world: World, figures: Path | Iterable[Own]) -> World:
    """`world` with the user's own figures in place of its own, balanced as before and calibrated anew.

    sigma, eta, choke, eps     put in; the narrower selector holds: good, country, process, activity
    price of a good            every gate price, the inside price and the base rents move in its proportion
    price of a good in a place that gate price; where the place licenses its exports the price outside stays and the
                               rent takes up the difference, rent = rent - (p - p before) (1 + export tax)

    Costs stay as they are; margins follow (`parameters.repriced`). Tonnes do not move. The version of the world names
    the figures by their digest, and `replaced` lists them.

    Raises
    ------
    InputRefused   a file that `read` refuses, a price that leaves a licence without rent, a world that has no base
    """
    if world.absolute:
        hint = "a network file states its own elasticities and prices"
        raise InputRefused.because("no-base", f"{world.name} has no base year to calibrate on", hint=hint)
    figures = read(figures, world) if isinstance(figures, Path) else tuple(figures)
    if not figures:
        return world
    draft = _Draft({name: getattr(world, name) for name in table_names()})
    ordered = sorted(figures, key=lambda own: own.breadth)
    for own in ordered:
        if own.figure == "price":
            draft.price(own)
    draft.calibrate({name: getattr(world, name) for name in table_names()})
    for own in ordered:
        if own.figure in SUPPLY:
            draft.supply(own)
        elif own.figure != "price":
            draft.demand(own)
    named = as_json([[o.figure, dict(o.selectors), o.horizons, repr(o.value), o.source] for o in figures])
    digest = hashlib.sha256(named.encode()).hexdigest()[:8]
    changed: dict[str, Any] = dict(draft.tables)
    return replace(
        world,
        **changed,
        version=f"{world.version}+own.{digest}",
        extras=world.extras | {"own_figures": draft.list(), "own_clipped": tuple(draft.clipped)},
    )


def replaced(world: World) -> pl.DataFrame:
    """What `with_parameters` put in: table, key, column, before, after, source, where in the user's file."""
    held = world.extras.get("own_figures")
    return held if isinstance(held, pl.DataFrame) else pl.DataFrame(schema=REPLACED)


def clipped(world: World) -> tuple[str, ...]:
    """Activities whose margin the user's prices brought below a tenth of revenue, and which were raised to it."""
    held = world.extras.get("own_clipped", ())
    return held if isinstance(held, tuple) else ()


def sentence(world: World, file: str = "") -> str:
    """What was replaced, in a sentence or two; nothing where nothing was."""
    rows = replaced(world)
    if rows.is_empty():
        return ""
    by = rows.group_by("column", maintain_order=True).len().sort("column")
    parts = ", ".join(f"{name} {count}" for name, count in by.iter_rows())
    said = f"Figures of the user's own{f' ({file})' if file else ''} stand in {'one place' if rows.height == 1 else f'{rows.height} places'}: {parts}."
    low = clipped(world)
    if low:
        shown = ", ".join(low[:6]) + (f" and {len(low) - 6} more" if len(low) > 6 else "")
        many = "one margin was" if len(low) == 1 else f"{len(low)} margins were"
        said += f" At these prices {many} raised to a tenth of revenue: {shown}."
    return said


# -- putting in -------------------------------------------------------------------------------------------------------


@dataclass
class _Draft:
    """The tables of a world in the making, and what was replaced in them."""

    tables: dict[str, pl.DataFrame]
    changes: list[tuple[str, str, str, float | None, float, str, str]] = field(default_factory=list)
    clipped: list[str] = field(default_factory=list)

    def price(self, own: Own) -> None:
        good, country = own.selectors["good"], own.selectors.get("country")
        if country is None:
            held = dict(self.tables["goods"].select("id", "price_outside_usd_t").iter_rows())[good]
            ratio = own.value / held
            scaled = {"price_outside_usd_t": lambda row: own.value, "price_inside_usd_t": _times(ratio)}
            self._put("goods", own, {"id": {good}}, scaled)
            self._put("prices", own, {"good": {good}}, {"price_usd_t": _times(ratio)})
            self._put("licences", own, {"good": {good}}, {"rent_usd_t": _times(ratio)})
            return
        before = self.tables["prices"].filter((pl.col("good") == good) & (pl.col("country") == country))["price_usd_t"][
            0
        ]
        self._put("prices", own, {"good": {good}, "country": {country}}, {"price_usd_t": lambda row: own.value})
        rents = self.tables["licences"].filter((pl.col("good") == good) & (pl.col("exporter") == country))["rent_usd_t"]
        if rents.is_empty():
            return
        taxed = 1.0 + self._export_tax(good, country)
        risen, least = (own.value - before) * taxed, min(rents.to_list())
        if least - risen <= 0.0:
            hint = f"below {before + least / taxed:,.0f} USD/t, or give the good's price outside as well"
            message = f"{own.where}: at {own.value:,.0f} USD/t {good} from {country} is dearer than the price outside"
            raise InputRefused.because("negative-rent", message, path="price", hint=hint)
        self._put("goods", own, {"id": {good}}, {"price_inside_usd_t": lambda row: own.value})
        licences = {"good": {good}, "exporter": {country}}
        self._put("licences", own, licences, {"rent_usd_t": lambda row: row["rent_usd_t"] - risen})

    def calibrate(self, before: Mapping[str, pl.DataFrame]) -> None:
        if not any(table == "prices" for table, *_ in self.changes):
            return
        marked = set(self.tables["activities"].filter(pl.col("clipped").fill_null(value=False))["id"])
        old = set(self.tables["activities"]["note"].to_list())
        self.tables["activities"] = parameters.repriced(before, self.tables)
        now = self.tables["activities"].filter(pl.col("clipped").fill_null(value=False))
        fresh = now.filter(~pl.col("id").is_in(marked) | ~pl.col("note").is_in(old))
        self.clipped = sorted(fresh["id"])

    def supply(self, own: Own) -> None:
        shares = parameters.margin_shares(self.tables) if own.figure == "eps_price" else {}

        def new(row: Row) -> float:
            return own.value * shares.get(row["id"], 1.0)

        chosen = {"id": _activities(self.tables, own.selectors)}
        self._put("activities", own, chosen, {f"eps_{horizon}": new for horizon in own.horizons})

    def demand(self, own: Own) -> None:
        names = {"choke": ["choke_multiple"], "eta": ["eta"]}
        columns = names.get(own.figure, [f"sigma_{horizon}" for horizon in own.horizons])
        table = "final_use" if "country" in own.selectors else "goods"
        where = {("id" if table == "goods" else key): {word} for key, word in own.selectors.items()}
        self._put(table, own, where, {column: lambda row: own.value for column in columns})
        if table == "goods" and own.figure == "eta":  # a country's own figure gives way to one for the good
            self._put("final_use", own, {"good": {own.selectors["good"]}}, {"eta": lambda row: own.value}, stated=True)

    def list(self) -> pl.DataFrame:
        return pl.DataFrame(self.changes, schema=REPLACED, orient="row")

    def _export_tax(self, good: str, exporter: str) -> float:
        """Mean ad valorem export tax of a good's sales abroad."""
        sold = self.tables["routes"].filter((pl.col("good") == good) & (pl.col("exporter") == exporter))
        sold = sold.filter(pl.col("importer") != exporter)
        total = math.fsum(sold["flow_t"])
        taxed = math.fsum(t * (x or 0.0) for t, x in sold.select("flow_t", "export_tax").iter_rows())
        return taxed / total if total > 0.0 else 0.0

    def _put(
        self,
        table: str,
        own: Own,
        where: Mapping[str, set[str]],
        new: Mapping[str, Callable[[Row], float]],
        *,
        stated: bool = False,
    ) -> None:
        """Replace columns where the keys match (where they hold something, if `stated`); such a row names the user's source."""
        frame = self.tables[table]
        keys = ["id"] if "id" in frame.columns else ["good", "country"]
        rows = []
        for row in frame.iter_rows(named=True):
            if all(row[key] in words for key, words in where.items()):
                for column, value in new.items():
                    if stated and row[column] is None:
                        continue
                    before, after = row[column], value(row)
                    key = " ".join(row[name] for name in keys)
                    self.changes.append((table, key, column, before, after, own.source, own.where))
                    row |= {column: after} | _signature(row, own, column, before, wholly=table == "prices")
            rows.append(row)
        self.tables[table] = pl.DataFrame(rows, schema=frame.schema)
        self._cite(own)

    def _cite(self, own: Own) -> None:
        known = self.tables["sources"]
        if source_id(own.source) in set(known["id"]):
            return
        row = {"id": source_id(own.source), "publisher": "the user", "title": own.source, "year": own.year}
        row |= {name: "" for name in known.columns if name not in row} | {"licence": "the user's own"}
        self.tables["sources"] = pl.concat([known, pl.DataFrame([row], schema=known.schema)])


def source_id(source: str) -> str:
    """The id under which a user's source stands in the sources table.

    >>> source_id("Ministry's survey, 2025")
    'own.ministry-s-survey-2025'
    """
    return "own." + (re.sub(r"[^a-z0-9]+", "-", source.casefold()).strip("-") or "figures")


def _signature(row: Mapping[str, Any], own: Own, column: str, before: float | None, *, wholly: bool) -> dict[str, str]:
    was = "" if before is None else f" (was {before:g})"
    says = f"{column} {own.reliability} ({own.year}): {own.source}{was}" + (f", {own.note}" if own.note else "")
    if wholly:
        return {"source": source_id(own.source), "year": own.year, "reliability": own.reliability, "note": says}
    sources = dict.fromkeys([*(row["source"] or "").split("+"), source_id(own.source)])
    return {
        "source": "+".join(filter(None, sources)),
        "reliability": max(row["reliability"] or "A", own.reliability),
        "note": "; ".join(filter(None, (row["note"], says))),
    }


def _times(ratio: float) -> Callable[[Row], float]:
    """The figure of a row's own price or rent, times a ratio."""
    return lambda row: (
        ratio * next(row[name] for name in ("price_usd_t", "rent_usd_t", "price_inside_usd_t") if name in row)
    )


def _activities(tables: Mapping[str, pl.DataFrame], selectors: Mapping[str, str]) -> set[str]:
    """Activities that answer to a price and that every selector names."""
    made = tables["recipes"].filter(pl.col("role") == "output")
    rows = tables["activities"].filter((pl.col("kind") != "fixed") & pl.col("id").is_in(made["activity"].to_list()))
    for key, value in selectors.items():
        if key == "good":
            rows = rows.filter(pl.col("id").is_in(made.filter(pl.col("good") == value)["activity"].to_list()))
        else:
            rows = rows.filter(pl.col("id" if key == "activity" else key) == value)
    return set(rows["id"])


# -- reading ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Names:
    """What a world knows by name, and where it has figures."""

    known: Mapping[str, frozenset[str]]
    spelled: Mapping[str, str]
    priced: frozenset[tuple[str, str]]
    used: frozenset[tuple[str, str]]
    content: Mapping[tuple[str, str], Decimal]
    tables: Mapping[str, pl.DataFrame]

    @classmethod
    def of(cls, world: World) -> _Names:
        known = {
            "good": frozenset(world.goods["id"]),
            "country": frozenset(world.countries["code"]),
            "process": frozenset(world.activities["process"]),
            "activity": frozenset(world.activities["id"]),
        }
        content = world.substances.select("substance", "good", "content").iter_rows()
        return cls(
            known,
            {str(name).casefold(): code for code, name in world.countries.select("code", "name").iter_rows()},
            frozenset(world.prices.select("good", "country").iter_rows()),
            frozenset(world.final_use.select("good", "country").iter_rows()),
            {(substance, good): decimal(share) for substance, good, share in content},
            {name: getattr(world, name) for name in ("recipes", "activities")},
        )

    def hint(self, kind: str, word: str) -> str:
        meant = self.spelled.get(word.casefold()) if kind == "country" else None
        near = f"did you mean {meant!r}?" if meant else did_you_mean(word, self.known[kind])
        listed = {"good": "friendshore world goods", "country": "friendshore world countries"}.get(kind)
        return near or (f"list them with: {listed}" if listed else "")


def _sound(marked: Marked) -> Iterator[tuple[int, Given]]:
    """The figures of a file with faults that have none themselves, so that theirs come at once with the others."""
    records = marked.get(("figures",))
    for number, record in enumerate(records if isinstance(records, list) else ()):
        with suppress(ValidationError):
            yield number, Given.model_validate(record)


def _own(given: Given, names: _Names, marked: Marked, at: KeyPath) -> tuple[Own | None, list[Problem]]:
    problems: list[Problem] = []

    def wrong(code: str, message: str, key: str = "", hint: str = "") -> None:
        path = (*at, key) if key else at
        problems.append(Problem(code, message, marked.place(path), dotted(path), hint))

    selectors = {key: word for key in SELECTORS if (word := getattr(given, key)) is not None}
    for key, word in selectors.items():
        if word not in names.known[key]:
            wrong(f"unknown-{key}", f"no {key} is called {word!r}", key, names.hint(key, word))
    for key in [key for key in selectors if key not in _allowed(given.figure)]:
        wrong("no-use", f"{given.figure} has no use for {key}", key, f"it goes by {', '.join(_allowed(given.figure))}")
    if given.figure in SUPPLY and not selectors:
        wrong("missing", f"{given.figure} of which activity?", "figure", f"one or more of {', '.join(SELECTORS)}")
    elif given.figure not in SUPPLY and "good" not in selectors:
        wrong("missing", f"{given.figure} of which good?", "figure")
    if given.horizon is not None and given.figure not in BY_HORIZON:
        wrong("no-use", f"{given.figure} is the same at every horizon", "horizon", "leave it out")
    source, year = given.source or marked.get(("source",)), given.year or marked.get(("year",))
    if not str(source or "").strip():
        wrong("no-source", f"{given.figure}: who says so?", "", "give a source, here or for the whole file")
    nameless = any(problem.code.startswith("unknown") for problem in problems)
    if not problems:
        _place(given, selectors, names, wrong)
    value = None
    if given.figure != "price" or not nameless:
        found = _usd_t(given, names) if given.figure == "price" else _plain(given)
        if isinstance(found, float):
            value = found
        else:
            wrong(*found)
    if problems or value is None:
        return None, problems
    place = marked.place(at)
    own = Own(
        given.figure, selectors, (given.horizon,) if given.horizon else HORIZONS, value, str(source), str(year or "n.d."),
        given.reliability or "D", given.note or "as given by the user", f"{place.file}:{place.line}",
    )  # fmt: skip
    return own, []


def _allowed(figure: str) -> tuple[str, ...]:
    if figure in SUPPLY:
        return SELECTORS
    return ("good", "country") if figure in ("price", "eta") else ("good",)


def _place(given: Given, selectors: Mapping[str, str], names: _Names, wrong: Callable[..., None]) -> None:
    """Whether the world has the figure that is to be replaced."""
    pair = (selectors.get("good", ""), selectors.get("country", ""))
    if given.figure in SUPPLY and not _activities(names.tables, selectors):
        hint = "its level is given and answers to no price" if "activity" in selectors else ""
        wrong("nothing-there", f"no activity that answers to a price is {' and '.join(selectors.values())}", "", hint)
    elif given.figure == "price" and pair[1] and pair not in names.priced:
        makers = sorted(country for good, country in names.priced if good == pair[0])
        wrong("nothing-there", f"{pair[1]} sells no {pair[0]}", "country", f"sellers: {', '.join(makers)}")
    elif given.figure == "eta" and pair[1] and pair not in names.used:
        wrong("nothing-there", f"{pair[1]} has no final use of {pair[0]}", "country")


def _plain(given: Given) -> float | tuple[str, str, str, str]:
    least = {"sigma": 0.0, "choke": 1.0}.get(given.figure)
    if isinstance(given.value, str):
        return ("no-number", f"{given.figure} is a number, not {given.value!r}", "value", "such as 2.5")
    value = float(given.value)
    if not math.isfinite(value) or value < 0.0 or (least is not None and value <= least):
        bound = "at least 0" if least is None else f"above {least:g}"
        return ("out-of-range", f"{given.figure} is {bound}, not {value:g}", "value", "")
    return value


_GROUPED = re.compile(r"\d{1,3}([,'’\s]\d{3})+\b")  # 30,000 or 30 000


def _usd_t(given: Given, names: _Names) -> float | tuple[str, str, str, str]:
    """A price in words, in USD per contained tonne; or what is wrong with it."""
    good, example = given.good or "", f"such as 61 USD per kg of {given.good}"
    words = price_words(given.value) if isinstance(given.value, str) else None
    if words is None and (grouped := _GROUPED.match(str(given.value))):
        plain = re.sub(r"\D", "", grouped[0])
        return ("wrong-type", f"{grouped[0]} is no number: thousands are not set apart", "value", f"write {plain}")
    if words is None or words.value is None or words.currency is None:
        return ("no-unit", f"{given.value} of which currency, per what mass of what?", "value", example)
    if words.currency != "USD":
        hint = "convert it with a dated rate and name the rate in the note"
        return ("no-rate", f"prices are in USD, not {words.currency}", "value", hint)
    if words.per is None or words.per not in MASSES:
        message = f"{words.value} USD per what mass?" if words.per is None else f"{words.per!r} is no mass"
        return ("no-unit", message, "value", did_you_mean(words.per or "", MASSES) or f"one of {', '.join(MASSES)}")
    if words.of is None:
        return ("no-basis", f"{words.value} USD per {words.per} of what?", "value", example)
    content = Decimal(1) if words.of == good else names.content.get((words.of, good))
    if content is None:
        may = [good, *sorted(substance for substance, its in names.content if its == good)]
        message = f"{words.of!r} is no substance that {good} is priced in"
        return ("unknown-substance", message, "value", did_you_mean(words.of, may) or f"one of {', '.join(may)}")
    if words.value <= 0:
        return ("out-of-range", f"a price is above 0, not {words.value}", "value", "")
    return to_float(usd_per_contained_tonne(words.value, per=words.per, content=content))


def _csv(path: Path) -> tuple[Marked, list[Problem]]:
    """A table of figures as the document that YAML would give, with the place of every cell."""
    name = str(path)
    try:
        lines = path.read_bytes().decode("utf-8-sig").splitlines()
    except OSError as error:
        raise InputRefused.because("unreadable", f"{name} cannot be read: {(error.strerror or '').lower()}") from None
    except UnicodeDecodeError as error:
        message = f"byte {error.start + 1} is not UTF-8"
        raise InputRefused.because(
            "encoding", message, place=Place(name, 1, 1), hint="save the file as UTF-8"
        ) from None
    first = next((k for k, line in enumerate(lines) if line.strip()), None)
    if first is None:
        raise InputRefused.because("empty", "the file is empty", place=Place(name, 1, 1))
    mark = max(MARKS, key=lines[first].count)
    header, problems = _cells(lines[first], mark), []
    keys = list(Given.model_fields)
    for column, start in header:
        place = Place(name, first + 1, start + 1, lines[first], max(len(column), 1))
        if column not in keys:
            hint = did_you_mean(column, keys) or f"one of {', '.join(keys)}"
            problems.append(Problem("unknown-column", f"no column is called {column!r}", place, "", hint))
        elif [name for name, _ in header].count(column) > 1 and (column, start) != next(
            h for h in header if h[0] == column
        ):
            problems.append(Problem("duplicate-column", f"the column {column!r} stands twice", place))
    records: list[dict[str, Any]] = []
    values: dict[KeyPath, tuple[int, int, int]] = {(): (first, 0, 1), ("figures",): (first, 0, 1)}
    for number, line in enumerate(lines[first + 1 :], start=first + 1):
        if not line.strip():
            continue
        if line.count('"') % 2:
            place = Place(name, number + 1, line.index('"') + 1, line)
            problems.append(Problem("open-quote", "a quotation that does not end on its line", place))
            continue
        cells, at = _cells(line, mark), len(records)
        if any(cell for cell, _ in cells[len(header) :]):
            place = Place(name, number + 1, cells[len(header)][1] + 1, line)
            message = f"{len(cells)} cells under {len(header)} columns"
            problems.append(Problem("too-many-cells", message, place, "", "quote a text that holds a comma"))
        values["figures", at] = (number, 0, max(len(line), 1))
        record = {}
        for (column, _), (cell, start) in zip(header, cells):
            if cell and column in keys and column not in record:
                record[column] = _scalar(column, cell)
                values["figures", at, column] = (number, start, max(len(cell), 1))
        records.append(record)
    return Marked(name, {"figures": records}, tuple(lines), values, values), problems


def _scalar(column: str, cell: str) -> str | int | float:
    if column not in ("value", "horizon") or not _NUMBER.fullmatch(cell):
        return cell
    return int(cell) if cell.isdigit() else float(cell)


def _cells(line: str, mark: str = ",") -> list[tuple[str, int]]:
    """The cells of a line between marks, and where each begins.

    >>> _cells('sigma,"a, b",5')
    [('sigma', 0), ('a, b', 7), ('5', 13)]
    """
    found, start = [], 0
    for cell in next(csv.reader([line], delimiter=mark), []):
        at = max(line.find(cell, start) if cell else start, start)
        found.append((cell.strip(), at))
        end = line.find(mark, at + len(cell))
        start = end + 1 if end >= 0 else len(line)
    return found
