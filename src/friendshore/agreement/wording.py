"""A term in words: prices with their unit, lengths of time, lists of countries and goods, dates as treaties write them.

One place for it, so that a term reads alike in the text, in a comparison of two texts and in a table.
"""

from __future__ import annotations

import typing
from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from pydantic import BaseModel, BeforeValidator

from friendshore import spans
from friendshore.instruments.dates import Dated
from friendshore.instruments.names import iso_names, union_names
from friendshore.instruments.price import Capital, Cost, CostPlusPrice, FixedPrice, PublishedPrice

MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
LONG = {  # names that the list of codes abbreviates, and those that sentences give an article
    "USA": "the United States", "GBR": "the United Kingdom", "EUN": "the European Union", "ARE": "the Emirates",
    "PHL": "the Philippines", "COD": "Congo (Kinshasa)", "COG": "Congo (Brazzaville)", "COK": "the Cook Islands",
}  # fmt: skip
COUNTRY_GROUPS = {
    "parties": "the Parties",
    "non_parties": "countries that are not Parties",
    "everyone": "every country",
}
YEAR = 12


def field_in_words(model: BaseModel, key: str) -> str:
    """One field of a clause or another term, in words."""
    field = type(model).model_fields[key]
    return in_words(getattr(model, key), span=_is_span(field.annotation, field.metadata))


def in_words(value: Any, *, span: bool = False) -> str:
    """A value in words; `span` where a number is a length of time in months.

    >>> in_words(36, span=True), in_words(date(2027, 1, 1)), in_words(Decimal("0.30"))
    ('3 years', '1 January 2027', '0.3')
    """
    if value is None:
        return "not stated"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, date):
        return day(value)
    if isinstance(value, int | float | Decimal):
        return months(int(value)) if span else number(value)
    if isinstance(value, str):
        return value.replace("_", " ") if value in COUNTRY_GROUPS else value
    if isinstance(value, FixedPrice):
        return f"{number(value.value)} {value.currency} per {value.per} of {value.of}"
    if isinstance(value, CostPlusPrice):
        return _cost_plus(value)
    if isinstance(value, PublishedPrice):
        stated = f"{number(value.value)} {value.currency} per {value.per} of {value.of}"
        return f"the one published for the day, and {stated} where none is"
    if isinstance(value, Cost | Capital):
        return _cost(value)
    if isinstance(value, Dated):
        return f"{in_words(value.value)} from {day(value.starts)}" + (f" to {day(value.until)}" if value.until else "")
    if isinstance(value, BaseModel):
        return _fields(value)
    if isinstance(value, Mapping):
        return listed(f"{key} {in_words(item)}" for key, item in value.items())
    if isinstance(value, Iterable):
        return listed(in_words(item) for item in value)
    return str(value)


def number(value: float | Decimal) -> str:
    """A number without a trail of noughts, thousands apart by commas.

    >>> number(Decimal("14674.00")), number(12e9), number(0.5)
    ('14,674', '12,000,000,000', '0.5')
    """
    exact = value if isinstance(value, Decimal) else Decimal(repr(value))
    text = f"{exact:,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def months(count: int) -> str:
    """A length of time.

    >>> months(18), months(60), months(0)
    ('18 months', '5 years', 'none')
    """
    if not count:
        return "none"
    size, unit = (count // YEAR, "year") if count % YEAR == 0 else (count, "month")
    return f"{size} {unit}{'' if size == 1 else 's'}"


def day(when: date) -> str:
    """A day as treaties write it."""
    return f"{when.day} {MONTHS[when.month - 1]} {when.year}"


def listed(words: Iterable[str]) -> str:
    """Words as a sentence lists them."""
    held = [word for word in words if word]
    return f"{', '.join(held[:-1])} and {held[-1]}" if len(held) > 1 else "".join(held) or "none"


def country(code: str) -> str:
    """A country's or a customs union's name; a group of countries in words; a regional remainder by its code."""
    if code in COUNTRY_GROUPS:
        return COUNTRY_GROUPS[code]
    return LONG.get(code) or union_names().get(code) or iso_names().get(code) or code


def countries(codes: Iterable[str] | None) -> str:
    """Several of them."""
    return listed(country(code) for code in codes or ())


def _cost_plus(price: CostPlusPrice) -> str:
    parts = [in_words(cost) for cost in price.costs]
    if price.capital is not None:
        parts.append(in_words(price.capital))
    text = f"a price in {price.currency} per {price.per} of {price.of} made up of {'; '.join(parts)}"
    return text + (f"; and {number(price.margin * 100)} per cent of the sum" if price.margin else "")


def _cost(part: Cost | Capital) -> str:
    unit = " ".join(
        word
        for word in (part.currency or "", f"per {part.per}" if part.per else "", f"of {part.of}" if part.of else "")
        if word
    )
    times = f", times {number(part.quantity)}" if part.quantity != 1 else ""
    if isinstance(part, Capital):
        value = f"{number(part.value)} {unit}".strip()
        return (
            f"capital of {value}{times} paid back over {part.years} years at {number(part.return_rate * 100)} per cent"
        )
    what = f"the reference price of {part.floor}" if part.value is None else f"{number(part.value)} {unit}".strip()
    return f"{'less ' if part.credit else ''}{part.name} ({what}{times})"


def _fields(model: BaseModel) -> str:
    """The fields that say something, by name; a term of one field as its value."""
    given = [key for key in type(model).model_fields if getattr(model, key) not in (None, "", (), {})]
    given = [key for key in given if key not in ("source", "note") and key in model.model_fields_set]
    if given[:1] == ["code"]:
        rest = [f"{_words(key)} {field_in_words(model, key)}" for key in given[1:]]
        return str(model.__dict__["code"]) + (f" ({', '.join(rest)})" if rest else "")
    if len(given) == 1:
        return field_in_words(model, given[0])
    return ", ".join(f"{_words(key)} {field_in_words(model, key)}" for key in given)


def _words(key: str) -> str:
    return {"starts": "from"}.get(key, key.replace("_", " "))


def _is_span(annotation: Any, metadata: Iterable[Any] = ()) -> bool:
    """Whether a field is a length of time."""
    if any(isinstance(entry, BeforeValidator) and entry.func is spans.months for entry in metadata):
        return True
    if hasattr(annotation, "__metadata__"):
        return _is_span(annotation.__origin__, annotation.__metadata__)
    return any(_is_span(part) for part in typing.get_args(annotation))
