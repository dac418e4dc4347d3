"""The words a clause may use: goods, countries, customs unions, the substances a price is quoted for.

Which goods, countries and substances exist is asked of the world, when there is one; without a world only the ISO codes
and the customs unions are known. Codes are ISO 3166 alpha-3; a customs union has a code of its own (`EUN`, also `EU`).
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, BeforeValidator, WithJsonSchema
from pydantic_core.core_schema import ValidationInfo

from friendshore.errors import did_you_mean
from friendshore.instruments.dates import many
from friendshore.marked import wrong
from friendshore.units import decimal

if TYPE_CHECKING:
    from friendshore.world.tables import World

HERE = Path(__file__).parent

ALIASES = {"EU": "EUN", "EUE": "EUN"}
GROUPS = ("everyone", "parties", "non_parties")  # country words that are resolved on the day
ALL = "all"

NO_COUNTRIES: Mapping[str, str] = {}


@dataclass(frozen=True, kw_only=True)
class Vocabulary:
    """What a world knows by name.

    Parameters
    ----------
    goods : good id -> its stage
    countries : code -> name, regional remainders included
    remainders : the codes that stand for the rest of a region
    substances : (substance, good) -> tonnes of the good's unit per tonne of substance
    activities : activity id -> its process
    """

    goods: Mapping[str, str]
    countries: Mapping[str, str]
    remainders: frozenset[str] = frozenset()
    substances: Mapping[tuple[str, str], Decimal] = field(default_factory=dict)
    activities: Mapping[str, str] = field(default_factory=dict)


def vocabulary(world: World) -> Vocabulary:
    """The names that `world` knows."""
    goods, countries, substances = world.goods, world.countries, world.substances
    remainder = countries["remainder"].fill_null(value=False)
    return Vocabulary(
        goods=dict(zip(goods["id"], goods["stage"].fill_null(""), strict=True)),
        countries=dict(zip(countries["code"], countries["name"].fill_null(""), strict=True)),
        remainders=frozenset(countries.filter(remainder)["code"]),
        substances={
            (substance, good): decimal(content)
            for substance, good, content in substances.select("substance", "good", "content").iter_rows()
        },
        activities={
            activity: process or "" for activity, process in world.activities.select("id", "process").iter_rows()
        },
    )


@cache
def unions() -> Mapping[str, frozenset[str]]:
    """The customs unions and their members; each has one outer border. The file names its sources."""
    found: dict[str, set[str]] = {}
    with (HERE / "customs_unions.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            found.setdefault(row["union"], set()).add(row["member"])
    return {union: frozenset(members) for union, members in found.items()}


@cache
def union_names() -> Mapping[str, str]:
    """What the customs unions are called."""
    with (HERE / "customs_unions.csv").open(encoding="utf-8", newline="") as file:
        return {row["union"]: row["name"] for row in csv.DictReader(file)}


@cache
def iso_names() -> Mapping[str, str]:
    """Every ISO 3166 alpha-3 code and the country's short name."""
    with (HERE / "countries.csv").open(encoding="utf-8", newline="") as file:
        return {row["alpha3"]: row["name"] for row in csv.DictReader(file)}


def members(code: str) -> frozenset[str]:
    """The countries that a code stands for: a union's members, or the country itself."""
    return unions().get(code, frozenset({code}))


def union_of(country: str) -> str | None:
    """The customs union that a country belongs to."""
    return next((union for union, countries in unions().items() if country in countries), None)


def good_id(name: str, goods: Mapping[str, str]) -> str:
    """A good's id from an id or from `mineral.stage`, where exactly one form of the mineral is at that stage.

    Raises
    ------
    PydanticCustomError   `unknown-good` with the nearest id, `ambiguous-good` with the list

    >>> good_id("gallium.refined", {"gallium.metal": "refined"})
    'gallium.metal'
    """
    if name in goods:
        return name
    mineral, _, stage = name.partition(".")
    forms = sorted(good for good, its in goods.items() if good.split(".")[0] == mineral and its == stage)
    if len(forms) == 1:
        return forms[0]
    if forms:
        raise wrong("ambiguous-good", f"{name!r} could be any of {len(forms)} goods", hint=f"one of {', '.join(forms)}")
    more = f"The world has {len(goods)} goods; list them with: friendshore world goods"
    hint = f"{did_you_mean(name, goods)}\n{more}"
    raise wrong("unknown-good", f"no good is called {name!r}", hint=hint)


def country_code(name: str, countries: Mapping[str, str] = NO_COUNTRIES) -> str:
    """A country's or a customs union's code, aliases replaced.

    Raises
    ------
    PydanticCustomError   `unknown-country` with the code that was probably meant

    >>> country_code("EU")
    'EUN'
    """
    code = ALIASES.get(name, name)
    if code in unions() or code in countries or code in iso_names():
        return code
    from friendshore.world.imports.places import country_hint  # heavy, and for a refusal alone

    hint = f"{country_hint(name, {*iso_names(), *unions(), *countries})}\nCountries go by their three-letter ISO code; list them with: friendshore world countries"
    raise wrong("unknown-country", f"no country has the code {name!r}", hint=hint)


def known(info: ValidationInfo) -> Vocabulary | None:
    """The vocabulary that a validation was given, if any."""
    context = info.context
    return context.get("vocabulary") if isinstance(context, Mapping) else None


def _good(name: str, info: ValidationInfo) -> str:
    words = known(info)
    return good_id(name, words.goods) if words else name


def _goods(name: str, info: ValidationInfo) -> str:
    return name if name == ALL else _good(name, info)


def _country(name: str, info: ValidationInfo) -> str:
    words = known(info)
    return country_code(name, words.countries if words else NO_COUNTRIES)


def _countries(name: str, info: ValidationInfo) -> str:
    return name if name in GROUPS else _country(name, info)


def _substance(name: str, info: ValidationInfo) -> str:
    words = known(info)
    if words is None:
        return name
    substances = {substance for substance, _ in words.substances}
    if name not in substances and name not in words.goods:
        hint = did_you_mean(name, [*substances, *words.goods]) or f"one of {', '.join(sorted(substances))}"
        raise wrong("unknown-substance", f"no substance is called {name!r}", hint=hint)
    return name


def _activity(name: str, info: ValidationInfo) -> str:
    words = known(info)
    if words is None or name in words.activities or name in words.activities.values():
        return name
    hint = did_you_mean(name, [*words.activities, *words.activities.values()])
    raise wrong("unknown-activity", f"no activity and no process is called {name!r}", hint=hint)


def _one_or_many(value: Any) -> Any:
    return (value,) if isinstance(value, str) else many(value)


_LIST = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]}

GoodId = Annotated[str, AfterValidator(_good)]
CountryCode = Annotated[str, AfterValidator(_country)]
Substance = Annotated[str, AfterValidator(_substance)]
# one word or a list of them
Names = Annotated[tuple[str, ...], BeforeValidator(_one_or_many), WithJsonSchema(_LIST)]
# `all`, one good, or a list of goods
Goods = Annotated[
    tuple[Annotated[str, AfterValidator(_goods)], ...], BeforeValidator(_one_or_many), WithJsonSchema(_LIST)
]
# one activity or process, or a list of them
Activities = Annotated[
    tuple[Annotated[str, AfterValidator(_activity)], ...], BeforeValidator(_one_or_many), WithJsonSchema(_LIST)
]
# `everyone`, `parties`, `non_parties`, one country or union, or a list of them
Countries = Annotated[
    tuple[Annotated[str, AfterValidator(_countries)], ...], BeforeValidator(_one_or_many), WithJsonSchema(_LIST)
]
