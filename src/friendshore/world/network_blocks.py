"""The blocks of a network file as flat entries: one good, one country or one lane, one value, and where it stands.

Three ways of writing a block (nested by good, a matrix in the order of `countries`, a list of rows) become one here,
and every name is resolved or refused with the nearest one. Problems are collected, never raised, so that all are told
at once. What the entries mean together is left to `world.network`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import TypeVar

from pydantic import BaseModel

from friendshore.errors import InputRefused, Problem, did_you_mean
from friendshore.marked import KeyPath, Marked, dotted, shown, validate
from friendshore.world.network_curves import Curve, Line, Power, read_formula

TermT = TypeVar("TermT", bound=BaseModel)

SETS = ("all", "others")
RESERVED = frozenset({*SETS, "default", "exporter", "importer", "closed"})


@dataclass(frozen=True, slots=True)
class Entry:
    """One value of a block. `importer` is empty in a block by country."""

    good: str
    country: str
    value: object
    path: KeyPath
    importer: str = ""


@dataclass
class Reader:
    """A marked file, the names it may use, its units in tonnes and USD, and the problems found so far."""

    marked: Marked
    countries: tuple[str, ...] = ()
    goods: tuple[str, ...] = ()
    tonnes: float = 1.0
    usd_t: float = 1.0
    problems: list[Problem] = field(default_factory=list)

    def refuse(self, code: str, path: KeyPath, message: str, hint: str = "", *, key: bool = False) -> None:
        place = self.marked.key_place(path) if key else self.marked.place(path)
        self.problems.append(Problem(code, message, place, dotted(path), hint))

    def terms(self, model: type[TermT], path: KeyPath) -> TermT | None:
        """The terms at `path`, or None with the problems noted."""
        try:
            return validate(model, self.marked, path=path)
        except InputRefused as refusal:
            self.problems.extend(refusal.problems)
            return None

    # -- single values ----------------------------------------------------------------------------------------------

    def number(self, value: object, path: KeyPath, *, least: float | None = 0.0) -> float | None:
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.refuse("wrong-type", path, f"expected a number, not {shown(value)}")
            return None
        if not math.isfinite(value):
            self.refuse("non-finite", path, f"{value} is not a finite number")
            return None
        if least is not None and value < least:
            self.refuse("negative", path, f"must be at least {least:g}, not {shown(value)}")
            return None
        return float(value)

    def good(self, value: object, path: KeyPath) -> str | None:
        if isinstance(value, str) and value in self.goods:
            return value
        if not isinstance(value, str):
            self.refuse("wrong-type", path, f"expected a good, not {shown(value)}")
        else:
            hint = did_you_mean(value, self.goods) or f"the file has {_listed(self.goods)}"
            self.refuse("unknown-good", path, f"no good is called {value!r}", hint)
        return None

    def some_goods(self, value: object, path: KeyPath) -> tuple[str, ...]:
        if value == "all":
            return self.goods
        if isinstance(value, list):
            found = (self.good(item, (*path, number)) for number, item in enumerate(value))
            return tuple(good for good in found if good is not None)
        one = self.good(value, path)
        return () if one is None else (one,)

    def country(self, value: object, path: KeyPath) -> str | None:
        if isinstance(value, str) and value in self.countries:
            return value
        if not isinstance(value, str):
            self.refuse("wrong-type", path, f"expected a country, not {shown(value)}")
        elif value in RESERVED:
            self.refuse("unknown-country", path, f"{value!r} names no single country here")
        else:
            hint = did_you_mean(value, self.countries) or f"the file has {_listed(self.countries)}"
            self.refuse("unknown-country", path, f"no country is called {value!r}", hint)
        return None

    def some_countries(self, value: object, path: KeyPath) -> tuple[str, ...]:
        """The countries that a code, a list of codes or 'all' names."""
        if value == "all":
            return self.countries
        if isinstance(value, list):
            if not value:
                self.refuse("empty-list", path, "names no country")
            found = (self.country(item, (*path, number)) for number, item in enumerate(value))
            return tuple(dict.fromkeys(code for code in found if code is not None))
        one = self.country(value, path)
        return () if one is None else (one,)

    def sides(self, term: BaseModel, path: KeyPath) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Exporters and importers of a term with `from` and `to`; 'others' is everyone not on the other side."""
        exporters, importers = getattr(term, "exporters"), getattr(term, "importers")  # noqa: B009  two models, one shape
        source, target = (*path, "from"), (*path, "to")
        if exporters == "others" and importers == "others":
            self.refuse(
                "unknown-country", target, "'others' on both sides names nobody", "name the countries of one side"
            )
            return (), ()
        if exporters == "others":
            second = self.some_countries(importers, target)
            return self._not_empty(tuple(code for code in self.countries if code not in second), second, source)
        first = self.some_countries(exporters, source)
        if importers == "others":
            return self._not_empty(first, tuple(code for code in self.countries if code not in first), target)
        second = self.some_countries(importers, target)
        if len(first) == 1 and first == second:
            self.refuse(
                "domestic", target, f"{first[0]} to itself crosses no border", "domestic sales pay nothing there"
            )
            return (), ()
        return first, second

    def _not_empty(
        self, exporters: tuple[str, ...], importers: tuple[str, ...], others: KeyPath
    ) -> tuple[tuple[str, ...], tuple[str, ...]]:
        if (exporters and not importers) or (importers and not exporters):
            hint = "write 'all' on both sides: a measure at the border never touches domestic sales"
            self.refuse("unknown-country", others, "'others' names nobody: every country is on the other side", hint)
        return exporters, importers

    # -- whole blocks -----------------------------------------------------------------------------------------------

    def rows(self, model: type[TermT], path: KeyPath) -> list[tuple[TermT, KeyPath]]:
        """A list of terms of one kind."""
        value = self.marked.get(path)
        if value is None:
            return []
        if not isinstance(value, list):
            self.refuse("wrong-type", path, f"expected a list, not {shown(value)}")
            return []
        found = ((self.terms(model, (*path, number)), (*path, number)) for number in range(len(value)))
        return [(terms, at) for terms, at in found if terms is not None]

    def by_country(self, path: KeyPath) -> list[Entry]:
        """A block {good: {country: value}}, {good: [values in the order of `countries`]} or a list of rows.

        Under a good, `all` states the value of every country that has none of its own. A country that stands here
        twice is refused.
        """
        block = self.marked.get(path)
        if block is None:
            return []
        entries = list(self._by_country(block, path))
        seen: dict[tuple[str, str], Entry] = {}
        for entry in entries:
            first = seen.setdefault((entry.good, entry.country), entry)
            if first is not entry:
                self.refuse(
                    "twice", entry.path, f"{entry.good} of {entry.country} stands here twice", self._first(first)
                )
        return list(seen.values())

    def _by_country(self, block: object, path: KeyPath) -> Iterator[Entry]:
        if isinstance(block, list):
            for number, row in enumerate(block):
                yield from self._country_row(row, (*path, number))
            return
        if not isinstance(block, dict):
            self.refuse("wrong-type", path, f"expected goods, each with its countries, not {shown(block)}")
            return
        for name, inner in block.items():
            here = (*path, name)
            if (good := self._key(name, here, good=True)) is None:
                continue
            if isinstance(inner, dict):
                named = {code for code in inner if code != "all"}
                for code, value in inner.items():
                    if code == "all":
                        yield from (
                            Entry(good, each, value, (*here, code)) for each in self.countries if each not in named
                        )
                    elif (country := self._key(code, (*here, code))) is not None:
                        yield Entry(good, country, value, (*here, code))
            elif isinstance(inner, list) and len(inner) == len(self.countries):
                for number, (country, value) in enumerate(zip(self.countries, inner, strict=True)):
                    if value is not None:
                        yield Entry(good, country, value, (*here, number))
            elif isinstance(inner, list):
                self.refuse("wrong-length", here, f"{len(inner)} values for {len(self.countries)} countries")
            else:
                self.refuse("wrong-type", here, f"expected countries with their values, not {shown(inner)}")

    def _country_row(self, row: object, path: KeyPath) -> Iterator[Entry]:
        if not self._has(row, path, "good", "country"):
            return
        assert isinstance(row, dict)
        good, country = self.good(row["good"], (*path, "good")), self.country(row["country"], (*path, "country"))
        if good is not None and country is not None:
            yield Entry(good, country, row, path)

    def by_lane(self, path: KeyPath, quantity: str, *, block: object = None) -> list[Entry]:
        """A block {good: {exporter: {importer: value}}}, {good: matrix} or rows with good, from, to and `quantity`.

        A matrix has a row for each exporter and a column for each importer, both in the order of `countries`. A lane
        that stands here twice is refused. `block` is what stands at `path`, or the part of it that is meant.
        """
        block = self.marked.get(path) if block is None else block
        seen: dict[tuple[str, str, str], Entry] = {}
        for entry in self._by_lane(block, path, quantity) if block is not None else ():
            first = seen.setdefault((entry.good, entry.country, entry.importer), entry)
            if first is not entry:
                lane = f"{entry.good} from {entry.country} to {entry.importer}"
                self.refuse("twice", entry.path, f"{lane} stands here twice", self._first(first))
        return list(seen.values())

    def _by_lane(self, block: object, path: KeyPath, quantity: str) -> Iterator[Entry]:
        if isinstance(block, list):
            for number, row in enumerate(block):
                yield from self._lane_row(row, (*path, number), quantity)
            return
        if not isinstance(block, dict):
            self.refuse("wrong-type", path, f"expected goods, each with its lanes, not {shown(block)}")
            return
        for name, inner in block.items():
            here = (*path, name)
            if (good := self._key(name, here, good=True)) is None:
                continue
            if isinstance(inner, list):
                yield from self._matrix(good, inner, here)
            elif isinstance(inner, dict):
                for code, lanes in inner.items():
                    if (exporter := self._key(code, (*here, code))) is not None:
                        yield from self._from(good, exporter, lanes, (*here, code))
            else:
                self.refuse("wrong-type", here, f"expected exporters with their sales, not {shown(inner)}")

    def _from(self, good: str, exporter: str, lanes: object, path: KeyPath) -> Iterator[Entry]:
        if not isinstance(lanes, dict):
            self.refuse("wrong-type", path, f"expected importers with their values, not {shown(lanes)}")
            return
        for code, value in lanes.items():
            if (importer := self._key(code, (*path, code))) is not None:
                yield Entry(good, exporter, value, (*path, code), importer)

    def _matrix(self, good: str, rows: list[object], path: KeyPath) -> Iterator[Entry]:
        size = len(self.countries)
        if len(rows) != size:
            self.refuse("wrong-length", path, f"{len(rows)} rows for {size} countries", "one row for each exporter")
            return
        for i, row in enumerate(rows):
            if not isinstance(row, list) or len(row) != size:
                came = f"{len(row)} values" if isinstance(row, list) else shown(row)
                self.refuse("wrong-length", (*path, i), f"{came} for {size} countries", "one value for each importer")
                continue
            for j, value in enumerate(row):
                yield Entry(good, self.countries[i], value, (*path, i, j), self.countries[j])

    def _lane_row(self, row: object, path: KeyPath, quantity: str) -> Iterator[Entry]:
        if not self._has(row, path, "good", "from", "to", quantity):
            return
        assert isinstance(row, dict)
        for key in row:
            if key not in ("good", "from", "to", quantity):
                hint = did_you_mean(key, ("good", "from", "to", quantity)) or f"one of good, from, to, {quantity}"
                self.refuse("unknown-key", (*path, key), f"there is no key {key!r} here", hint, key=True)
        goods = self.some_goods(row["good"], (*path, "good"))
        exporters = self.some_countries(row["from"], (*path, "from"))
        importers = self.some_countries(row["to"], (*path, "to"))
        many = len(exporters) > 1 or len(importers) > 1
        for good, exporter, importer in product(goods, exporters, importers):
            if not (many and exporter == importer):
                yield Entry(good, exporter, row[quantity], (*path, quantity), importer)

    def _has(self, row: object, path: KeyPath, *keys: str) -> bool:
        if not isinstance(row, Mapping):
            self.refuse("wrong-type", path, f"expected a mapping of keys to values, not {shown(row)}")
            return False
        for key in keys:
            if key not in row:
                self.refuse("missing", path, f"{key!r} is missing")
        return all(key in row for key in keys)

    def country_key(self, name: str, path: KeyPath) -> str | None:
        """A country that stands as a key."""
        return self._key(name, path)

    def good_key(self, name: str, path: KeyPath) -> str | None:
        """A good that stands as a key."""
        return self._key(name, path, good=True)

    def _key(self, name: str, path: KeyPath, *, good: bool = False) -> str | None:
        """A good or country that stands as a key."""
        known, word = (self.goods, "good") if good else (self.countries, "country")
        if name in known:
            return name
        hint = did_you_mean(name, known) or f"the file has {_listed(known)}"
        self.refuse(f"unknown-{word}", path, f"no {word} is called {name!r}", hint, key=True)
        return None

    def _first(self, entry: Entry) -> str:
        return f"first on line {self.marked.place(entry.path).line}"

    # -- curves -----------------------------------------------------------------------------------------------------

    def curve(self, terms: Mapping[str, object], path: KeyPath, *, rises: bool, letter: str) -> Curve | None:
        """The curve that `curve` and its companions state, in tonnes and USD/t.

        Parameters
        ----------
        terms : curve, quantity, price (or margin), elasticity, midpoint, spread, capacity; absent ones are None
        rises : a supply curve; a demand curve falls
        letter : 'p' for a price, 'm' for the margin of a process
        """
        named = terms.get("curve")
        at = (*path, "curve") if self.marked.get((*path, "curve")) is not None else path
        if named is None or named == "iso_elastic":
            return self._iso_elastic(terms)
        if not isinstance(named, str):
            self.refuse("wrong-type", at, f"expected a curve, not {shown(named)}", "such as 'q = 20 + 20 p'")
            return None
        if named in ("fixed", "linear", "logistic"):
            return self._named(named, terms, at, rises=rises)
        if "=" not in named:
            near = did_you_mean(named, ("iso_elastic", "linear", "fixed", "logistic")) or "such as 'q = 20 + 20 p'"
            self.refuse("unknown-curve", at, f"{named!r} is no curve", near)
            return None
        try:
            formula = read_formula(named)
        except ValueError as error:
            self.refuse("unreadable-curve", at, str(error))
            return None
        return self._formula(formula, at, rises=rises, letter=letter)

    def _iso_elastic(self, terms: Mapping[str, object]) -> Curve:
        quantity, price = _float(terms.get("quantity")), _float(terms.get("price"))
        return Curve(
            "iso_elastic",
            level=None if quantity is None else quantity * self.tonnes,
            price=None if price is None else price * self.usd_t,
            elasticity=_float(terms.get("elasticity")),
        )

    def _named(self, kind: str, terms: Mapping[str, object], at: KeyPath, *, rises: bool) -> Curve | None:
        quantity = _float(terms.get("quantity"))
        if kind == "fixed":
            return Curve(kind, level=None if quantity is None else quantity * self.tonnes)
        if kind == "linear":
            return Curve(kind, elasticity=_float(terms.get("elasticity")))
        if not rises:
            self.refuse(
                "unknown-curve", at, "a logistic curve is a supply curve", "for demand: linear, iso_elastic or fixed"
            )
            return None
        spread, midpoint = _float(terms.get("spread")), _float(terms.get("midpoint"))
        if spread is None or terms.get("capacity") is None:
            self.refuse("missing", at, "a logistic curve states its capacity and its spread")
            return None
        return Curve(kind, a=None if midpoint is None else midpoint * self.usd_t, b=spread * self.usd_t)

    def _formula(self, formula: Line | Power, at: KeyPath, *, rises: bool, letter: str) -> Curve | None:
        if isinstance(formula, Power):
            if formula.argument != letter:
                self._wrong_letter(formula.argument, letter, at)
                return None
            elasticity = formula.exponent if rises else -formula.exponent
            if elasticity < 0.0:
                self._wrong_way(at, rises=rises)
                return None
            return Curve(
                "iso_elastic",
                level=formula.quantity * self.tonnes,
                price=formula.price * self.usd_t,
                elasticity=elasticity,
            )
        if formula.slope == 0.0:
            if formula.intercept < 0.0:
                self.refuse("negative", at, "a fixed quantity is not negative")
                return None
            return Curve("fixed", level=formula.intercept * self.tonnes)
        if formula.argument != letter:
            self._wrong_letter(formula.argument, letter, at)
            return None
        if (formula.slope > 0.0) is not rises:
            self._wrong_way(at, rises=rises)
            return None
        slope = formula.slope * self.tonnes / self.usd_t
        return Curve("linear", a=formula.intercept * self.tonnes, b=slope if rises else -slope)

    def _wrong_letter(self, came: str, wanted: str, at: KeyPath) -> None:
        why = (
            "a process answers its margin, m"
            if wanted == "m"
            else "only a process has a margin; this curve has a price, p"
        )
        self.refuse("wrong-letter", at, f"the curve is written in {came}", why)

    def _wrong_way(self, at: KeyPath, *, rises: bool) -> None:
        if rises:
            self.refuse("falling-supply", at, "a supply curve does not fall as the price rises", "is the sign right?")
        else:
            self.refuse("rising-demand", at, "a demand curve does not rise with the price", "is the sign right?")


def _float(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _listed(words: Iterable[str], most: int = 8) -> str:
    words = list(words)
    return ", ".join(words[:most]) + (f" and {len(words) - most} more" if len(words) > most else "")
