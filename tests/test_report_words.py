"""Six languages say the same: every text in each of them, with the same values, and numbers as its readers write them."""

from __future__ import annotations

import re
import string
from datetime import date
from pathlib import Path

import pytest
from report_cases import small, whole

from friendshore.errors import InputRefused
from friendshore.market.accounts import ITEMS
from friendshore.report.words import FOLDER, LANGUAGES, Words
from friendshore.study import Study
from friendshore.world.tables import World

OTHERS = [lang for lang in LANGUAGES if lang != "en"]
GRAMMAR = re.compile(r"form\.of\.")  # prepositions with articles, as many as a language has


def values_of(text: str) -> set[str]:
    """The values that a text wants and how they are written."""
    return {f"{name}:{form}" for _, name, form, _ in string.Formatter().parse(text) if name is not None}


def names_of(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def keys(lang: str) -> set[str]:
    return {key for key in Words.of(lang).texts if not GRAMMAR.match(key)}


@pytest.mark.parametrize("lang", OTHERS)
def test_every_text_stands_in_every_language(lang):
    assert keys(lang) == keys("en")


@pytest.mark.parametrize("lang", OTHERS)
def test_a_text_wants_the_same_values_in_every_language(lang):
    ours, theirs = Words.of("en").texts, Words.of(lang).texts
    named = [key for key in keys("en") if not key.startswith(("form.", "good.", "country."))]
    differ = {key: (ours[key], theirs[key]) for key in named if names_of(ours[key]) != names_of(theirs[key])}
    assert not differ


@pytest.mark.parametrize("lang", OTHERS)
def test_no_sentence_is_left_in_english(lang):
    ours, theirs = Words.of("en").texts, Words.of(lang).texts
    sentences = [key for key, text in ours.items() if len(text.split()) > 5 and not key.startswith("form.")]
    assert len(sentences) > 60
    assert not [key for key in sentences if theirs[key] == ours[key]]


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_file_for_every_language_and_no_other(lang):
    assert (FOLDER / f"{lang}.yaml").is_file()
    assert {path.stem.partition("_")[0] for path in FOLDER.glob("*.yaml")} == set(LANGUAGES)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_good_country_and_account_of_the_world_has_a_name(lang):
    words, world = Words.of(lang), World.load()
    assert not [good for good in world.goods["id"] if not words.has(f"good.{good}")]
    assert not [code for code in (*world.countries["code"], "EUN") if not words.has(f"country.{code}")]
    assert not [item for item in ITEMS if not words.has(f"item.{item}")]
    assert not [s for s in world.goods["stage"].unique() if not words.has(f"stage.{s}")]


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_article_of_a_country_has_its_preposition(lang):
    words = Words.of(lang)
    for key in words.texts:
        if key.startswith("country."):
            said = words.of_place(key.removeprefix("country."))
            assert words.country(key.removeprefix("country."))[-3:] in said


def test_numbers_as_readers_write_them():
    said = {lang: Words.of(lang).number(-1_234_567.8, 9) for lang in ("en", "it", "ja")}
    assert said == {"en": "−1\u202f234\u202f567.8", "it": "−1\u202f234\u202f567,8", "ja": "−1,234,567.8"}
    assert Words.of("en").number(float("nan")) == Words.of("en").number(None) == "–"
    assert Words.of("it").fixed(-0.04) == "0,0"


@pytest.mark.parametrize(
    ("lang", "usd", "said"),
    [
        ("en", -7_804_497.0, "USD −7.8 million"), ("en", 999_999.0, "USD 1 million"), ("en", 12.4, "USD 12"),
        ("it", 1_000_000.0, "1 milione di USD"), ("it", 1_200_000.0, "1,2 milioni di USD"), ("it", 0.0, "0 USD"),
        ("fr", 2e9, "2 milliards d’USD"), ("de", -340_000.0, "−340 Tsd. USD"), ("es", 3e9, "3 mil millones de USD"),
        ("ja", -273_900_000.0, "−2.74億ドル"), ("ja", 78_000.0, "7.8万ドル"),
    ],
)  # fmt: skip
def test_money_in_the_size_that_a_language_counts_in(lang, usd, said):
    assert Words.of(lang).usd(usd) == said


def test_money_with_a_sign():
    assert [Words.of("en").usd(v, sign=True) for v in (5e6, -5e6, 0.0)] == ["USD +5 million", "USD −5 million", "USD 0"]


def test_days_as_a_language_writes_them():
    said = [Words.of(lang).day(date(2030, 1, 1)) for lang in LANGUAGES]
    assert said == [
        "1 January 2030", "1º gennaio 2030", "1er janvier 2030", "1. Januar 2030", "1 de enero de 2030", "2030年1月1日",
    ]  # fmt: skip


def test_german_declines_the_names_that_it_has_to():
    words = Words.of("de")
    assert words.of_place("EUN") == "der Europäischen Union"
    assert words.of_place("GBR") == "des Vereinigten Königreichs"
    assert words.of_place("USA") == "der Vereinigten Staaten"
    assert words.of_place("CHE") == "der Schweiz"
    assert words.country("XEU") == "übriges Europa"
    assert words.country("EUN") == "Europäische Union"


def test_countries_with_their_articles():
    assert [Words.of("it").of_place(c) for c in ("ITA", "CHN", "USA", "CUB", "ZMB", "PHL", "NLD", "JPN")] == [
        "dell’Italia", "della Cina", "degli Stati Uniti", "di Cuba", "dello Zambia", "delle Filippine", "dei Paesi Bassi",
        "del Giappone",
    ]  # fmt: skip
    assert [Words.of("fr").of_place(c) for c in ("CHN", "USA", "JPN", "ITA", "ISR")] == [
        "de la Chine", "des États-Unis", "du Japon", "de l’Italie", "d’Israël",
    ]  # fmt: skip
    assert [Words.of("de").of_place(c) for c in ("CHN", "USA")] == ["von China", "der Vereinigten Staaten"]
    assert Words.of("de").country("USA") == "Vereinigte Staaten"


def test_a_text_counts():
    words = Words.of("en")
    one, many = (words.say("finding.levy", n=n, all=5, usd=1e6, goods=["gallium"]) for n in (1, 2))
    assert "one charges a levy" in one
    assert "2 charge a levy" in many


def test_names_that_only_the_world_knows():
    world, _, _ = small()
    assert Words.of("it").good("oxide") == "oxide"
    assert Words.of("it", world).country("CHN") == "Cina"
    assert Words.of("en").country("Lynas Rare Earths Ltd (parent company)") == "Lynas Rare Earths Ltd, parent firm"


def test_a_value_that_is_missing_is_no_empty_place():
    with pytest.raises(KeyError):
        Words.of("en").say("finding.view", place="ITA")
    with pytest.raises(KeyError):
        Words.of("en").say("finding.nobody")


def test_a_language_that_there_is_not_is_refused_with_those_there_are():
    with pytest.raises(InputRefused, match="no language is called 'pt'") as refused:
        Words.of("pt")
    assert "en, it, fr, de, es, ja" in str(refused.value)


def test_the_groups_of_a_study_have_names():
    world, _, found = whole()
    assert isinstance(found, Study)
    for lang in LANGUAGES:
        words = Words.of(lang, world)
        assert not [g for g in found.groups["group"] if not words.has(f"group.{g.partition(', ')[0]}")]


def test_no_text_names_a_file_of_the_package():
    for path in sorted(Path(FOLDER).glob("*.yaml")):
        assert ".py" not in path.read_text(encoding="utf-8").replace(".pyl", "")
