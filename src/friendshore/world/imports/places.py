"""Which country does a publisher's code or name mean, or a person's?

One list of countries with every code and spelling that the publishers use (842, 251, 579, 699, 757 and 490 are the United
States, France, Norway, India, Switzerland and Taiwan in UN Comtrade), the five regional remainders, and a place for areas that
nobody specifies. A word that is not listed is nobody's country: it is kept there too, and named in the report.
"""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path

from friendshore.world.imports.rows import MISSING, Unreadable
from friendshore.world.imports.rows import NOWHERE as NOWHERE

LIST = Path(__file__).parent / "places.csv"
TOTAL, GROUP = "WLD", "GRP"  # all countries; some
CODE_LENGTH = 3
SHORT = {  # how people call some countries and the European Union in short; no publisher's tables do
    "eu": "EUN", "eue": "EUN", "eu27": "EUN", "eur": "EUN", "european union": "EUN", "britain": "GBR", "england": "GBR", "drc": "COD",
    "ksa": "SAU", "prc": "CHN", "uae": "ARE",
}  # fmt: skip
SEVERAL = frozenset(("XAF", "XAM", "XAS", "XEU", "XOC", NOWHERE))  # several countries: what they trade inside is trade


@dataclass(frozen=True)
class Places:
    """Words of the publishers -> our code; names, and the remainder that each country belongs to."""

    words: dict[str, str]
    alpha2: dict[str, str]
    name: dict[str, str]
    remainder: dict[str, str]

    def find(self, word: str) -> str | None:
        """ISO alpha-3, a remainder, 'XNS', 'WLD' for the world, 'GRP' for a group of countries; None where unknown.

        >>> places = listed()
        >>> [places.find(word) for word in ("842", "S19", "Korea, Rep.", "008", "0", "Atlantis")]
        ['USA', 'TWN', 'KOR', 'ALB', 'WLD', None]
        """
        word = word.strip()
        found = self.words.get(word)
        if found is None:
            found = self.words.get(word.removesuffix(".0").lstrip("0") or "0") if word[:1].isdigit() else None
        return found if found is not None else self.words.get(plain(word))

    def find2(self, word: str) -> str | None:
        """The same for a column of alpha-2 codes, in which `NA` is Namibia and nothing else."""
        return self.alpha2.get(word.strip().upper()) or self.find(word)


def plain(name: str) -> str:
    """A name without case, accents, articles and marks.

    >>> plain("Côte d’Ivoire"), plain("The Gambia")
    ('cote d ivoire', 'gambia')
    """
    text = unicodedata.normalize("NFKD", name)
    text = "".join(c for c in text if not unicodedata.combining(c)).casefold().replace("&", " and ")
    return re.sub(r"[^a-z0-9]+", " ", text).strip().removeprefix("the ")


@cache
def listed() -> Places:
    """The list. Source: ISO 3166 and UN M49; UN Comtrade and CEPII for the codes that differ."""
    words: dict[str, str] = {}
    alpha2, names, remainder = {}, {}, {}
    with LIST.open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            code = row["code"]
            for word in (code, row["numeric"], row["name"], *row["also"].split("|")):
                if word:
                    words.setdefault(word, code)
                    words.setdefault(plain(word), code)
            if row["alpha2"]:
                alpha2[row["alpha2"]] = code
            names[code], remainder[code] = row["name"], row["remainder"] or code
    return Places(words, alpha2, names, remainder)


def country_hint(word: str, codes: Iterable[str]) -> str:
    """What to say of a word that is no code of `codes`: the one that was meant, or the remainder that counts the country.

    >>> country_hint("UK", ["GBR", "UKR"]), country_hint("Kosovo", ["SRB", "XEU"]), country_hint("Atlantis", ["ATG"])
    ("did you mean 'GBR'?", "it is counted in 'XEU', Rest of Europe", '')
    """
    known, places = set(codes), listed()
    if word in known:
        return ""
    code = SHORT.get(plain(word)) or places.find2(word) or _nearly(word, known)
    if code in known and code not in SEVERAL:
        return f"did you mean {code!r}?"
    remainder = places.remainder.get(code or "")
    return f"it is counted in {remainder!r}, {places.name[remainder]}" if remainder in known else ""


def _nearly(word: str, known: Set[str]) -> str | None:
    """The country whose name alone begins so, else that of the nearest name; the nearest code that differs by one letter."""
    names = {plain(name): code for code, name in listed().name.items() if code in known - SEVERAL}
    for start in (plain(word), plain(word)[: CODE_LENGTH + 1]):
        begun = {code for name, code in names.items() if start and name.startswith(start)}
        if len(begun) == 1:
            return begun.pop()
    if len(word) > CODE_LENGTH:
        by_code = get_close_matches(word.upper(), sorted(known), n=1, cutoff=0.85)
        by_name = [names[name] for name in get_close_matches(plain(word), names, n=1, cutoff=0.75)]
        return next(iter(by_code + by_name), None)
    code = word.upper()
    near = [each for each in known if _one_letter_off(code, each)]
    nearest = [each for each in near if each[:2] == code[:2]] or near
    return nearest[0] if len(nearest) == 1 else None


def _one_letter_off(word: str, code: str) -> bool:
    """Whether two codes begin alike and differ in one letter, or in the order of two."""
    if len(word) != len(code) or word[:1] != code[:1]:
        return False
    return sum(one != other for one, other in zip(word, code, strict=True)) == 1 or sorted(word) == sorted(code)


def two_letters(shown: Iterable[str]) -> bool:
    """Whether a file writes countries as ISO alpha-2, by the words that it shows: more than half of them are such codes.

    >>> two_letters(["CN", "NA", "US"]), two_letters(["156", "516", "NA"])
    (True, False)
    """
    words = [word.strip().upper() for word in shown]
    return 2 * sum(word in listed().alpha2 for word in words) > len(words)


def finder(codes: Mapping[str, str], *, alpha2: bool = False) -> Callable[[str, str], str]:
    """A reader of country words for one file: `find(word, column)` gives a code, 'XNS' for a word of no known country.

    `codes` are those that the file brings along, number -> ISO alpha-3 or name; they are asked first. With `alpha2` the file's
    countries are ISO alpha-2, and `NA` is Namibia.

    Raises (when called)
    ------
    Unreadable   a total or a group, which stand beside their parts, or no word at all
    """
    words = listed()
    cached: dict[str, str | None] = {}

    def find(word: str, column: str) -> str:
        if word not in cached:
            text = word.strip()
            named = codes.get(text.lstrip("0") or "0")
            cached[word] = (words.find(named) if named else None) or (words.find2 if alpha2 else words.find)(text)
        found = cached[word]
        if found == TOTAL:
            raise Unreadable(column, word.strip(), "a world total: it stands beside its parts")
        if found == GROUP:
            raise Unreadable(column, word.strip(), "a group of countries: it stands beside its members")
        if found is None and word.strip() in MISSING:
            raise Unreadable(
                column, word.strip(), "no country; a program that takes NA for nothing makes this of Namibia"
            )
        return found or NOWHERE

    return find
