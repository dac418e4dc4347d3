"""Notes of a run are said in six languages from one catalogue; what it does not have stays English and is marked."""

from __future__ import annotations

import re
from dataclasses import replace
from importlib.resources import files

import pytest
from report_cases import nothing, small, whole

from friendshore.agreement import safeguards
from friendshore.agreement.document import Agreement
from friendshore.errors import MarketError
from friendshore.report.figures.subject import Subject
from friendshore.report.page import _noted
from friendshore.report.words import LANGUAGES, Words
from friendshore.report.words.notes import SLOT, said
from friendshore.world.tables import World

OTHERS = [lang for lang in LANGUAGES if lang != "en"]


def presets() -> list[Agreement]:
    world = World.load()
    folder = files("friendshore.agreement") / "presets"
    names = sorted(path.name.removesuffix(".yaml") for path in folder.iterdir() if path.name.endswith(".yaml"))
    return [Agreement.load(name, world).checked(world) for name in names]


@pytest.fixture(scope="module")
def notes() -> list[str]:
    """What studies noted, and what every preset assumes."""
    held = [note for case in (whole, nothing, small) for note in case()[2].notes]
    assumed = [f"Assumed: {text}" for deal in presets() for clause in deal.clauses for text in clause.assumptions()]
    assert len(assumed) > 10
    return [*held, *assumed]


@pytest.mark.parametrize("lang", OTHERS)
def test_every_note_of_the_runs_and_presets_has_words_in_every_language(lang, notes):
    words = Words.of(lang, World.load())
    left = [note for note, one in zip(notes, said(words, notes), strict=True) if not one.translated]
    assert not left


def test_in_english_a_note_is_what_was_noted(notes):
    assert [one.text for one in said(Words.of("en"), notes)] == notes


def test_a_note_that_no_catalogue_has_stays_english_and_is_marked_on_the_page(monkeypatch):
    world, deal, found = small()
    strange = "A sentence that nobody foresaw."
    assert said(Words.of("de"), [strange])[0] == (strange, False)
    subject = Subject(replace(found, notes=(*found.notes, strange)), Words.of("de", world), None, world, deal)
    text = "".join(_noted(subject))
    assert f'<li lang="en">{strange}</li>' in text
    assert text.count('lang="en"') == 1


def test_numbers_money_and_names_are_written_as_the_language_writes_them():
    note = "Export licences stand here as quotas. Read as taxes of the same height, the parties change by USD -1,240 million, outsiders by -27 million."
    text = said(Words.of("it"), [note])[0].text
    assert "−1,24 miliardi di USD" in text
    assert "−27 milioni di USD" in text
    ban = "In the reaction 'ban' CHN sells none of the floored goods to the parties."
    assert "la Cina" in said(Words.of("it"), [ban])[0].text
    assert "中国" in said(Words.of("ja"), [ban])[0].text


@pytest.mark.parametrize("lang", OTHERS)
def test_a_reason_within_a_note_is_said_too(lang):
    stuck = MarketError(
        "no market-clearing prices were reached",
        market="gallium.metal in JPN",
        excess_t=3.2,
        steps=500,
        residual_t=0.01,
    )
    note = f"The reaction 'ban' has no answer: {stuck}."
    one = said(Words.of(lang), [note])[0]
    assert one.translated
    assert "gallium.metal in JPN" in one.text
    assert "no market-clearing" not in one.text
    unknown = said(Words.of(lang), ["The reaction 'ban' has no answer: something new."])[0]
    assert not unknown.translated


@pytest.mark.parametrize("lang", OTHERS)
def test_findings_of_safeguards_are_said(lang):
    met = [(None, False, None), (1.0, False, None), (1.0, False, True), (1.0, True, True), (1.0, True, False)]
    tested = [safeguards.Tested(clause="guard", when="price > 2", value=v, met=m, met_after=a) for v, m, a in met]
    notes = [f"Safeguard {one.clause} ({one.when}): {one.finding}" for one in tested]
    assert all(one.translated for one in said(Words.of(lang), notes))
    assert len({one.text for one in said(Words.of(lang), notes)}) == len(notes)


@pytest.mark.parametrize("lang", OTHERS)
def test_every_catalogue_fills_every_slot(lang):
    ours, theirs = Words.of("en").texts, Words.of(lang).texts
    for key in (key for key in ours if key.startswith("note.")):
        assert {name for name, _ in SLOT.findall(ours[key])} == {name for name, _ in SLOT.findall(theirs[key])}, key
        assert not re.search(r"\{\w*\}", theirs[key])
