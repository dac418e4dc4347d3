"""Bracketed alternatives: what a term may come out at, and every combination of them.

    options: {floor.ndpr.price: [80, 95, 110], support.mp: [with, without]}

An alternative is the text with one value chosen for each option; it is read as strictly as any other. What the
alternatives do, and which is best, is left to those who run them.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator

from friendshore.agreement.check import Finding
from friendshore.agreement.patch import Patch, Patched, clause_id, patched
from friendshore.errors import did_you_mean
from friendshore.instruments import KINDS
from friendshore.instruments.dates import many
from friendshore.marked import KeyPath, Marked, dotted, shown, wrong

if TYPE_CHECKING:
    from friendshore.agreement.document import Agreement

MOST = 1000  # combinations that are run
KEPT = ("with", "without")  # a clause as it stands, or left out
PRICES = ("reference_price", "strike", "amount", "price", "specific")  # the term that `price` stands for, first found
OWN = ("options", "objective")  # keys that an alternative no longer has
_FIRST_NUMBER = re.compile(r"\s*[0-9][0-9_,.]*")


def _values(value: Any) -> Any:
    value = many(value)
    if isinstance(value, tuple) and not value:
        raise wrong("empty", "an option without a value")
    return value


Options = dict[str, Annotated[tuple[Any, ...], BeforeValidator(_values)]]


@dataclass(frozen=True, slots=True)
class Choice:
    """One option at one of its values: the number of the value, from nought, and the value in words."""

    option: str
    number: int
    words: str


@dataclass(frozen=True, slots=True)
class Alternative:
    """One combination of choices, and the agreement that it makes."""

    choices: tuple[Choice, ...]
    agreement: Agreement

    @property
    def words(self) -> str:
        """The choices in a line."""
        return ", ".join(f"{choice.option} {choice.words}" for choice in self.choices)


def count(options: Mapping[str, Sequence[Any]]) -> int:
    """How many combinations there are.

    >>> count({"floor.ndpr.price": (80, 95, 110), "support.mp": ("with", "without")})
    6
    """
    return math.prod(len(values) for values in options.values())


def combinations(options: Mapping[str, Sequence[Any]]) -> Iterator[tuple[Choice, ...]]:
    """Every combination, the last option changing first."""
    columns = [
        [Choice(option, number, in_words(value)) for number, value in enumerate(values)]
        for option, values in options.items()
    ]
    yield from itertools.product(*columns)


def in_words(value: Any) -> str:
    """A value as it stands in a table."""
    if isinstance(value, list | tuple):
        return "+".join(in_words(item) for item in value)
    if isinstance(value, Mapping):
        return " ".join(f"{key} {in_words(item)}" for key, item in value.items())
    if isinstance(value, bool) or value is None or isinstance(value, date):
        return shown(value) if value is None or isinstance(value, bool) else value.isoformat()
    return f"{value:g}" if isinstance(value, float) else str(value)


def findings(text: Mapping[str, Any], terms: Iterable[str]) -> list[Finding]:
    """What is wrong with a text's options: an unknown clause or term, a value twice, more combinations than are run.

    Parameters
    ----------
    text : the plain text of an agreement; options that are no lists are left to its model
    terms : names of an agreement's own terms
    """
    held = text.get("options")
    options = {k: v for k, v in held.items() if isinstance(v, list) and v} if isinstance(held, Mapping) else {}
    parts = [*_ids(text), *codes_of(text)]
    found: list[Finding] = []
    for option, values in options.items():
        found += [*_unknown(option, values, parts, list(terms)), *_twice(option, values)]
    if (every := count(options)) > MOST:
        several = {option: values for option, values in options.items() if len(values) > 1}
        sizes = " x ".join(f"{len(values)} ({option})" for option, values in several.items())
        message = f"{sizes} are {every:,} combinations; at most {MOST:,} are run"
        hint = "run some of them at a time"
        found += [Finding(code="too-many", message=message, path=("options", name), hint=hint) for name in several]
    return found


def _unknown(option: str, values: list[Any], parts: list[str], terms: list[str]) -> Iterator[Finding]:
    path: KeyPath = ("options", option)
    target = _target(option, parts)
    if target is None and re.split(r"[.\[]", option)[0] not in terms:
        hint = did_you_mean(option, [*parts, *(f"{name}.price" for name in parts), *terms])
        message = f"no clause, party or term of the agreement is called {option!r}"
        yield Finding(code="unknown-option", message=message, path=path, hint=hint)
    if target is not None and not target[1]:
        for number, value in enumerate(values):
            if value not in KEPT:
                message = f"{option} is there or is not: {' or '.join(KEPT)}, not {shown(value)}"
                hint = f"a term of it is written {option}.price or {option}.phase_in"
                yield Finding(code="unknown-value", message=message, path=(*path, number), hint=hint)


def _twice(option: str, values: list[Any]) -> Iterator[Finding]:
    first: dict[str, int] = {}
    for number, value in enumerate(values):
        words = in_words(value)
        if words in first:
            message = f"{words} is {dotted(('options', option, first[words]))} already"
            yield Finding(code="duplicate-value", message=message, path=("options", option, number))
        first.setdefault(words, number)


def text_of(marked: Marked, options: Mapping[str, Sequence[Any]], choices: Iterable[Choice]) -> Marked:
    """The text with the choices made, each value at the place where it was written.

    Raises
    ------
    InputRefused   a term that is not there
    """
    ids = _ids(marked.value)
    patches: list[Patch] = []
    written: list[dict[str, Any]] = []
    homes: dict[KeyPath, tuple[Marked, KeyPath]] = {(): (marked, ("options",))}
    for choice in choices:
        value = options[choice.option][choice.number]
        change = _change(marked.value, ids, choice.option, value)
        if change is None:
            continue
        number = len(patches)
        homes[number,] = (marked, ("options", choice.option, choice.number))
        patches.append(Patch(**change))
        written.append(change)
    changes = Patched(marked.name, written, (), {}, {}, homes=homes)
    made = patched(marked, changes, (), tuple(patches))
    return replace(made, value={key: value for key, value in made.value.items() if key not in OWN})


def _change(
    text: Mapping[str, Any], ids: Mapping[str, Mapping[str, Any]], option: str, value: Any
) -> dict[str, Any] | None:
    """A choice as a patch; None where it leaves the text as it is."""
    target = _target(option, [*ids, *codes_of(text)])
    if target is None:
        return {"set": option, "to": value}
    clause, term = target
    if not term:
        return {"drop": clause} if value == "without" else None
    if term == "price":
        term = next((key for key in PRICES if key in ids[clause]), "price")
    if term in PRICES and isinstance(value, int | float) and not isinstance(value, bool):
        return {"change": clause, "term": term, "to": repriced(ids[clause].get(term), value)}
    return {"change": clause, "term": term, "to": value}


def repriced(price: Any, value: float) -> Any:
    """A written price with another number in the same unit; a number alone where it states no number to replace.

    >>> repriced("110 USD per kg of ndpr_oxide", 95)
    '95 USD per kg of ndpr_oxide'
    """
    if isinstance(price, str) and _FIRST_NUMBER.match(price):
        return _FIRST_NUMBER.sub(str(value), price, count=1)
    if isinstance(price, Mapping) and "value" in price:
        return {**price, "value": value}
    if isinstance(price, Mapping) and price.get("method") == "cost_plus":  # its unit is known, its sum is replaced
        unit = {key: price[key] for key in ("currency", "rate", "per", "of") if key in price}
        return {"method": "fixed", "value": value, **unit}
    return value


def _target(option: str, ids: Iterable[str]) -> tuple[str, str] | None:
    """The clause and the term of it that an option names; the longest id that fits."""
    fitting = [name for name in ids if option == name or option.startswith(f"{name}.")]
    if not fitting:
        return None
    clause = max(fitting, key=len)
    return clause, option[len(clause) + 1 :]


def codes_of(text: Mapping[str, Any]) -> list[str]:
    """The parties of a plain text, as they are written."""
    held = text.get("parties")
    codes = (
        [party.get("code") if isinstance(party, Mapping) else party for party in held] if isinstance(held, list) else []
    )
    return [code for code in codes if isinstance(code, str)]


def _ids(text: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The clauses of a plain text by their ids."""
    found: dict[str, Mapping[str, Any]] = {}
    for kind in KINDS:
        held = text.get(kind)
        for item in held if isinstance(held, list) else [held]:
            if isinstance(item, Mapping) and (name := clause_id(kind, item)) is not None:
                found[name] = item
    return found
