"""What a report says and how, in one language: sentences by key, and how numbers, units, dates and names are written.

Sentences stand in one YAML file for each language and part of the report (`it.yaml`, `it_names.yaml`, `it_figures.yaml`);
they are filled with numbers, never composed of them. Which sentence is said is decided by those who know the numbers.
"""

from __future__ import annotations

import math
import string
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from friendshore.errors import InputRefused, did_you_mean

if TYPE_CHECKING:
    from friendshore.world.tables import World

LANGUAGES = ("en", "it", "fr", "de", "es", "ja")
MINUS = "\u2212"
DECLINED = 3  # the part of a country's text that says it after "of", where article and name together would be wrong
NONE = "–"  # where there is no number
FOLDER = Path(__file__).parent
Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class Words:
    """A language: its texts, and names of what a world has beyond those that ship.

    In a text `{usd:usd}` is a value named `usd`, written as money; the forms are the names in `FORMS`. A text that is said
    of a counted thing may stand twice, as `key.one` and `key.other`: the value `n` picks.
    """

    lang: str
    texts: Mapping[str, str]
    own: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, lang: str, world: World | None = None) -> Words:
        """The words of a language; with a world, names of its goods and countries that no language file has.

        Raises
        ------
        InputRefused   a language that there is not
        """
        if lang not in LANGUAGES:
            hint = did_you_mean(lang, LANGUAGES) or f"there are {', '.join(LANGUAGES)}"
            raise InputRefused.because("unknown-language", f"no language is called {lang!r}", path="--lang", hint=hint)
        words = cls(lang, texts_of(lang))
        return words if world is None else words.knowing(world)

    def knowing(self, world: World) -> Words:
        """The same words, with the names that a world gives to what they do not know."""
        own = {f"country.{code}": name for code, name in world.territories.select("code", "name").iter_rows()}
        own |= {f"country.{code}": name for code, name in world.countries.select("code", "name").iter_rows()}
        own |= {f"good.{good}": name for good, name in world.goods.select("id", "name").iter_rows() if name}
        return replace(self, own=own)

    def has(self, key: str) -> bool:
        """Whether there is a text of that key."""
        return key in self.texts

    def say(self, key: str, **values: Any) -> str:
        """A text with its values.

        Raises
        ------
        KeyError   a key that no text has, a value that the text wants and did not get
        """
        if "n" in values and f"{key}.one" in self.texts:
            key = f"{key}.{'one' if values['n'] == 1 else 'other'}"
        return _Filled(self).vformat(self.texts[key], (), values)

    # -- numbers --------------------------------------------------------------------------------------------------------

    def number(self, value: float | None, digits: int = 3, sign: bool = False, places: int = 12) -> str:
        r"""A number to so many significant digits; whole thousands apart.

        >>> words = Words.of("it")
        >>> words.number(1234567.0), words.number(41.26, sign=True), words.number(-0.5), words.number(None)
        ('1\u202f230\u202f000', '+41,3', '−0,5', '–')
        """
        if value is None or not math.isfinite(value):
            return NONE
        if round(value, places) == 0.0:
            return "0"
        rounded = float(f"{value:.{digits - 1}e}")
        shown = min(places, max(0, digits - 1 - math.floor(math.log10(abs(rounded)))))
        text = f"{abs(rounded):,.{shown}f}"
        if "." in text:
            text = text.rstrip("0").rstrip(".")
        mark = MINUS if rounded < 0 else "+" if sign else ""
        return mark + self._pointed(text)

    def fixed(self, value: float | None, places: int = 1, sign: bool = False) -> str:
        """A number to so many places after the point, as columns want it."""
        if value is None or not math.isfinite(value):
            return NONE
        rounded = round(value, places) + 0.0
        mark = MINUS if rounded < 0 else "+" if sign and rounded > 0 else ""
        return mark + self._pointed(f"{abs(rounded):,.{places}f}")

    def usd(self, value: float | None, sign: bool = False, digits: int = 3) -> str:
        """Money, in the size that a reader of the language counts in.

        >>> Words.of("en").usd(-273_900_000.0), Words.of("ja").usd(273_900_000.0)
        ('USD −274 million', '2.74億ドル')
        """
        return self._sized("money", value, sign, digits)

    def millions(self, value: float | None, sign: bool = False) -> str:
        """USD in millions, for a column whose heading says so; to a thousand at the finest."""
        return self.number(None if value is None else value / 1e6, 3, sign, places=3)

    def mass(self, value: float | None, sign: bool = False) -> str:
        """Tonnes."""
        return self.texts["form.mass"].format(x=self.number(value, sign=sign))

    def price(self, usd_t: float | None) -> str:
        """A price, given in USD per tonne, said in USD per kilogram."""
        return self.texts["form.price"].format(x=self.number(None if usd_t is None else usd_t / 1000.0, 4))

    def percent(self, share: float | None, sign: bool = False, places: int = 1) -> str:
        """A share of one, in per cent to a tenth."""
        text = self.fixed(None if share is None else 100.0 * share, places, sign)
        return text if text == NONE else self.texts["form.percent"].format(x=text)

    def day(self, when: date) -> str:
        """A day as the language writes it.

        >>> Words.of("fr").day(date(2030, 1, 1)), Words.of("de").day(date(2030, 5, 2))
        ('1er janvier 2030', '2. Mai 2030')
        """
        first = "form.day.first" if when.day == 1 else "form.day"
        month = self.texts["form.months"].split()[when.month - 1]
        return self.texts[first].format(day=when.day, month=month, year=when.year)

    # -- names ----------------------------------------------------------------------------------------------------------

    def country(self, code: str) -> str:
        """A country or customs union as a table names it; a holder of an account that is neither, as it is."""
        return self._place(code)[2]

    def place(self, code: str) -> str:
        """The same with the article that a sentence gives it.

        >>> Words.of("it").place("ITA"), Words.of("it").of_place("CHN"), Words.of("en").place("USA")
        ('l’Italia', 'della Cina', 'the United States')
        """
        return "".join(self._place(code)[:2])

    def of_place(self, code: str) -> str:
        """Of a country: the preposition and the article as one."""
        if len(parts := self.texts.get(f"country.{code}", "").split("|")) > DECLINED:
            return parts[DECLINED]
        article, name, _ = self._place(code)
        if not article and name[:1] in "AEIOUÉÎÖ" and self.has("form.of.vowel"):
            return self.texts["form.of.vowel"].format(x=name)
        return self.texts[f"form.of.{article.strip() or 'plain'}"].format(x=name)

    def good(self, good: str) -> str:
        """A good by its name."""
        return self.texts.get(f"good.{good}") or self.own.get(f"good.{good}") or good

    def stage(self, stage: str) -> str:
        """A stage of the chain."""
        return self.texts.get(f"stage.{stage}", stage)

    def item(self, item: str) -> str:
        """A line of the accounts."""
        return self.texts.get(f"item.{item}", item.replace("_", " "))

    def group(self, group: str) -> str:
        """A group of the accounts, without its side."""
        return self.texts.get(f"group.{group}", group)

    def listed(self, words: Iterable[str]) -> str:
        """Words as a sentence lists them."""
        held = list(words)
        if len(held) < 2:
            return "".join(held)
        return self.texts["form.comma"].join(held[:-1]) + self.texts["form.and"] + held[-1]

    def _place(self, code: str) -> tuple[str, str, str]:
        """The article, the name behind it, and the name where it stands alone; a fourth part is what `of_place` says."""
        text = self.texts.get(f"country.{code}")
        if text is None:
            firm = " (parent company)"
            name = self.own.get(f"country.{code}", code)
            name = self.texts["form.firm"].format(x=name.removesuffix(firm)) if name.endswith(firm) else name
            return "", name, name
        parts = text.split("|")
        return (parts[0], parts[1], parts[1:DECLINED][-1]) if len(parts) > 1 else ("", text, text)

    def _pointed(self, text: str) -> str:
        whole, point, rest = text.partition(".")
        return whole.replace(",", self.texts["form.group"]) + (self.texts["form.point"] + rest if point else "")

    def _sized(self, kind: str, value: float | None, sign: bool, digits: int) -> str:
        if value is None or not math.isfinite(value):
            return NONE
        rounded = float(f"{value:.{digits - 1}e}")
        for size, text in _sizes(self.texts[f"form.{kind}"]):
            if abs(rounded) >= size or size <= 1.0:
                one, _, many = text.partition("|")
                shown = value / size if size else value
                whole = self.number(shown, digits, sign) if size > 1.0 else self.number(round(shown), digits, sign)
                return (many or one if whole.lstrip("+" + MINUS) != "1" else one).format(x=whole)
        raise AssertionError(kind)


def _spec(spec: str) -> tuple[str, bool, int | None]:
    name = spec.rstrip("0123456789")
    digits = int(spec[len(name) :]) if name != spec else None
    return name.removesuffix("+"), name.endswith("+"), digits


class _Filled(string.Formatter):
    """Fills a text; behind the colon stands how its value is written: `usd`, `usd+` with a sign, `number4`."""

    def __init__(self, words: Words) -> None:
        self.words = words

    def format_field(self, value: Any, format_spec: str) -> str:
        name, sign, digits = _spec(format_spec)
        words = self.words
        if isinstance(value, str) and not name:
            return value
        match name:
            case "number" | "":
                return str(value) if isinstance(value, int) and not name else words.number(value, digits or 3, sign)
            case "usd":
                return words.usd(value, sign, digits or 3)
            case "percent":
                return words.percent(value, sign, 1 if digits is None else digits)
            case "mass":
                return words.mass(value, sign)
            case "price":
                return words.price(value)
            case "day":
                return words.day(value)
            case "country":
                return words.country(value)
            case "place":
                return words.place(value)
            case "of":
                return words.of_place(value)
            case "good":
                return words.good(value)
            case "list":
                return words.listed(value)
        return str(super().format_field(value, format_spec))


def _sizes(text: str) -> Sequence[tuple[float, str]]:
    pairs = (line.partition(":") for line in text.strip().splitlines())
    return [(float(size), rest.strip()) for size, _, rest in pairs]


@cache
def texts_of(lang: str) -> Mapping[str, str]:
    """Every text of a language, from its files; a key that two files have is our mistake."""
    texts: dict[str, str] = {}
    for path in sorted([FOLDER / f"{lang}.yaml", *FOLDER.glob(f"{lang}_*.yaml")]):
        held = yaml.load(path.read_text(encoding="utf-8"), Loader) or {}  # noqa: S506 - a safe loader
        twice = sorted(texts.keys() & held.keys())
        assert not twice, f"{path.name}: said elsewhere too: {', '.join(twice)}"
        texts |= {str(key): str(text) for key, text in held.items()}
    return texts
