"""The six answers say what the study says, whoever looks; on paper they keep to two pages, with the same bytes each time."""

from __future__ import annotations

import io
import json
import re
import zipfile
from dataclasses import replace
from datetime import date

import polars as pl
import pytest
from report_cases import nothing, small, whole

from friendshore.agreement.document import Agreement
from friendshore.errors import InputRefused
from friendshore.law.examine import examine
from friendshore.report import pdf
from friendshore.report.brief import Brief, View, brief, by_country, checked_view
from friendshore.report.memo import write_memo
from friendshore.report.words import LANGUAGES, Words
from friendshore.run import compare

KEYS = ["proposed", "ours", "pays", "answers", "breaks", "unknown"]


def made(case, lang: str = "en", view: str | None = None, **more) -> Brief:
    world, deal, found = case
    return brief(found, Words.of(lang, world), View.of(view, found, world), world=world, deal=deal, **more)


def part(answers: Brief, key: str):
    return next(each for each in answers.parts if each.key == key)


def said(answers: Brief, key: str) -> str:
    return " ".join(part(answers, key).sentences)


def amounts(text: str) -> list[float]:
    """The amounts of money of an English text, USD."""
    sizes = {"": 1.0, " thousand": 1e3, " million": 1e6, " billion": 1e9}
    found = re.findall(r"USD ([+−]?[\d\u202f.]+)( thousand| million| billion)?", text)
    return [float(x.replace("−", "-").replace("\u202f", "")) * sizes[size] for x, size in found]


def near(shown: float, real: float) -> bool:
    """To three significant digits."""
    return shown == pytest.approx(real, rel=6e-3, abs=0.6)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_six_questions_in_their_order_each_with_an_answer(lang):
    for case in (whole(), nothing(), small()):
        answers = made(case, lang)
        assert [each.key for each in answers.parts] == KEYS
        assert all(each.sentences and all(each.sentences) for each in answers.parts)
        assert len({each.question for each in answers.parts}) == 6


def test_the_finding_is_the_study_s():
    _, _, found = whole()
    (plain,) = (row for row in found.reactions.iter_rows(named=True) if row["reaction"] == "none")
    shown = amounts(made(whole()).finding)
    for real, value in zip((plain["parties_usd"], plain["outsiders_usd"], plain["world_usd"]), shown):
        assert near(value, real)
    assert near(shown[3], float(found.levies["levy_usd"].sum()))


def test_italy_is_spoken_of_inside_the_union():
    world, _, found = whole()
    text = said(made(whole(), view="ITA"), "ours")
    totals = by_country(found)
    union = {c for c, t in world.countries.select("code", "territory").iter_rows() if t == "EUN"} | {"EUN"}
    shown = amounts(text)
    assert near(shown[0], totals["ITA"])
    assert near(shown[5], sum(totals.get(c, 0.0) for c in union))
    assert near(shown[6], totals["EUN"])
    assert "Italy keeps 25 %" in text
    assert "the common budget of the European Union" in text
    assert "Italy inside the European Union" in made(whole(), view="ITA").facts


def test_the_parts_of_an_account_add_to_it():
    for view in ("ITA", "USA", "CHN"):
        whole_, users, producers, treasury, rents = amounts(said(made(whole(), view=view), "ours"))[:5]
        largest = max(abs(users), abs(producers), abs(treasury), abs(rents))
        assert abs(users + producers + treasury + rents - whole_) < 0.02 * largest


def test_a_union_is_a_view_and_so_is_everyone():
    world, _, found = whole()
    totals = by_country(found)
    union = View.of("EU", found, world)
    assert union.code == "EUN"
    assert union.accounts == union.buyers | {"EUN"}
    assert len(union.buyers) == 27
    shown = amounts(said(made(whole(), view="EUN"), "ours"))
    assert near(shown[0], sum(totals.get(c, 0.0) for c in union.accounts))
    parties = View.of(None, found, world)
    (plain,) = (row for row in found.reactions.iter_rows(named=True) if row["reaction"] == "none")
    assert sum(totals.get(c, 0.0) for c in parties.accounts) == pytest.approx(plain["parties_usd"], abs=1e-6)


def test_a_view_that_there_is_not_is_refused_with_the_nearest():
    world, _, found = whole()
    for wrong, meant in (("ITL", "ITA"), ("italy", "ITA"), ("USSA", "USA")):
        with pytest.raises(InputRefused, match=f"no country {wrong!r}") as refused:
            View.of(wrong, found, world)
        assert f"did you mean {meant!r}?" in str(refused.value)
    assert checked_view(None, world) is None
    assert checked_view("EU", world) == "EUN"


def test_the_answers_from_outside_are_those_of_the_reactions():
    _, _, found = whole()
    rows = {row["reaction"]: row for row in found.reactions.iter_rows(named=True)}
    answers = made(whole(), view="ITA")
    text, table = said(answers, "answers"), part(answers, "answers").tables[0]
    shown = amounts(text)
    assert near(shown[0], rows["harvest"]["export_tax_usd"] - rows["none"]["export_tax_usd"])
    assert near(shown[1], rows["harvest"]["parties_usd"])
    assert near(shown[2], rows["ban"]["parties_usd"])
    assert near(shown[3], rows["none"]["parties_usd"])
    assert len(table.rows) == len(rows)
    for row, key in zip(table.rows, ("none", "harvest", "ban")):
        change = compare(found.outcomes["before"], found.outcomes["agreement" if key == "none" else key]).by_country()
        italy = float(change.filter(change["country"] == "ITA")["usd"].sum())
        shown_usd = float(row[1].replace("−", "-").replace("\u202f", "")) * 1e6
        assert shown_usd == pytest.approx(italy, rel=6e-3, abs=500.0)  # in a column of millions, to a thousand


def test_prices_that_a_harvest_moves_are_not_said_to_stay():
    world, deal, found = small()
    assert "delivered prices stay" in said(made(small()), "answers")
    raised = found.outcomes["harvest"].indices
    harvest = replace(found.outcomes["harvest"], indices=raised.with_columns(raised["usd_t"] * 1.01))
    moved = replace(found, outcomes={**found.outcomes, "harvest": harvest})
    assert "delivered prices stay" not in said(made((world, deal, moved)), "answers")


def test_without_a_floor_there_is_no_levy_and_nothing_to_answer():
    answers = made(nothing(), view="ITA")
    assert "no account moves" in said(answers, "ours")
    assert "Nobody" in said(answers, "pays")
    assert "nothing to tax away" in said(answers, "answers")
    assert "no price level" in said(answers, "proposed")


def test_a_floor_that_waits_for_its_phase_in_is_not_said_to_stand_below_the_prices():
    world, deal, found = whole()
    waits = found.floors.with_columns(pl.lit(value=False).alias("binds"), pl.lit(value=False).alias("holds"))
    unlevied = replace(found, floors=waits, levies=found.levies.clear())
    text = made((world, deal, unlevied)).finding
    assert "buyers inside pay less than a reference price" in text
    assert "below the prices of the day" not in text
    above = replace(unlevied, floors=waits.with_columns(pl.lit(value=True).alias("holds")))
    assert "below the prices of the day" in made((world, deal, above)).finding


def test_one_floor_alone_is_not_one_of_one():
    assert "The floor on gallium charges a levy; it takes in USD" in made(whole()).finding


def test_the_budget_of_a_union_is_not_called_the_union():
    world, deal, found = whole()
    budget = by_country(found)["EUN"]
    union = View.of("EUN", found, world)
    assert abs(budget - sum(by_country(found).get(c, 0.0) for c in union.accounts)) > 1e4
    text = said(made((world, deal, found)), "pays")
    assert "the common budget of the European Union (USD +" in text
    assert "are European Union" not in text


def test_illustrative_levels_are_called_so_and_marked():
    answers = made(small())
    assert "illustrative" in said(answers, "proposed")
    assert all(row[0].endswith(" *") for row in part(answers, "proposed").tables[0].rows)
    assert "invented" in said(answers, "unknown")


def test_what_was_not_examined_is_not_called_compatible():
    assert said(made(whole()), "breaks").startswith("Not examined.")


def test_the_legal_screen_is_counted_and_its_gravest_findings_named():
    world, deal, found = whole()
    screening = examine(world, deal, before=found.outcomes["before"]).screening
    answers = made(whole(), screening=screening)
    text, rows = said(answers, "breaks"), part(answers, "breaks").tables[0].rows
    assert f"{len(screening.findings)} findings" in text
    for grade in {one.grade for one in screening.findings}:
        assert f"{grade} {sum(one.grade == grade for one in screening.findings)}" in text
    raised = {one.article for one in screening.findings if one.raised}
    assert rows
    assert {row[0] for row in rows} <= raised
    assert "no legal advice" in text


def test_rank_stability_that_was_not_run_is_said_to_be_open():
    assert "remains open" in said(made(whole()), "unknown")
    assert "Kendall tau" in said(made(small()), "unknown")


# -- on paper -------------------------------------------------------------------------------------------------------------


def on_paper(answers: Brief, lang: str = "en", figures=()) -> bytes:
    return pdf.write_brief(answers, lang, date(2030, 1, 1), figures)


def pictures(document: bytes) -> int:
    """How many pages a PDF has: its objects of that type."""
    assert document.startswith(b"%PDF")
    return len(re.findall(rb"/Type\s*/Page\b(?!s)", _unpacked(document)))


def _unpacked(document: bytes) -> bytes:
    """Every stream of a PDF, inflated: pages are objects in them."""
    import zlib

    found = [document]
    for match in re.finditer(rb"stream\r?\n(.*?)endstream", document, re.DOTALL):
        try:
            found.append(zlib.decompressobj().decompress(match[1]))
        except zlib.error:
            continue
    return b"\n".join(found)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_brief_has_two_pages_in_every_language(lang):
    world, deal, found = whole()
    screening = examine(world, deal, before=found.outcomes["before"]).screening
    for view in ("ITA", None):
        assert pictures(on_paper(made(whole(), lang, view, screening=screening), lang)) == 2


def test_long_titles_make_smaller_letters_and_then_are_refused():
    answers = made(whole())
    first = replace(answers.parts[0], sentences=("A clause of many words. " * 60,))
    assert pictures(on_paper(replace(answers, parts=(first, *answers.parts[1:])))) == 2
    first = replace(answers.parts[0], sentences=("A clause of many words. " * 2000,))
    with pytest.raises(pdf.BriefTooLong, match="does not fit on 2 pages"):
        on_paper(replace(answers, parts=(first, *answers.parts[1:])))


def test_the_same_brief_gives_the_same_bytes():
    answers = made(whole(), "it", "ITA")
    assert on_paper(answers, "it") == on_paper(answers, "it")
    assert on_paper(answers, "it") != on_paper(made(whole(), "it", "FRA"), "it")


def test_a_figure_stands_where_there_is_room_and_is_said_in_words():
    drawing = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 200 60"><rect width="200" height="60"/></svg>'
    answers = made(whole())
    plain, drawn = on_paper(answers), on_paper(answers, figures=[("answers", drawing, "A black bar")])
    assert pictures(drawn) == 2
    assert plain != drawn
    assert b"A black bar" in _unpacked(drawn) or "A black bar".encode("utf-16-be") in _unpacked(drawn)
    tall = drawing.replace(b"200 60", b"200 900")
    assert on_paper(answers, figures=[("answers", tall, "A black bar")]) == plain


def test_a_letter_that_no_font_has_is_refused_and_named():
    answers = replace(made(whole()), title="Agreement \u1234")
    with pytest.raises(pdf.NoFont, match=r"U\+1234") as refused:
        on_paper(answers)
    assert "Agreement" in str(refused.value)


def test_a_font_that_is_missing_is_named_with_the_command_that_installs_it(monkeypatch):
    real = pdf.find_spec
    monkeypatch.setattr(pdf, "find_spec", lambda name: None if name == "matplotlib_fontja" else real(name))
    with pytest.raises(pdf.NoFont, match="ipaexg.ttf") as refused:
        pdf.font_files()
    assert "friendshore[report]" in str(refused.value)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_letter_of_every_text_has_a_font(lang):
    pdf.check_letters(text for text in Words.of(lang).texts.values())


# -- as a memo ------------------------------------------------------------------------------------------------------------


def test_the_memo_holds_every_sentence_and_cell():
    from docx import Document

    for lang, view in (("en", None), ("it", "ITA"), ("ja", "JPN")):
        answers = made(whole(), lang, view)
        memo = Document(io.BytesIO(write_memo(answers, Words.of(lang), date(2030, 1, 1), notes=["A note."])))
        texts = {paragraph.text for paragraph in memo.paragraphs}
        texts |= {cell.text for table in memo.tables for row in table.rows for cell in row.cells}
        texts |= {paragraph.text for paragraph in memo.sections[0].footer.paragraphs}
        assert set(filter(None, answers.texts())) <= texts
        assert "A note." in texts
        assert memo.core_properties.created.date() == date(2030, 1, 1)


def test_the_same_memo_gives_the_same_bytes_whatever_the_hour(monkeypatch):
    import time

    answers, words = made(whole()), Words.of("en")
    first = write_memo(answers, words, date(2030, 1, 1))
    real = time.localtime
    monkeypatch.setattr(time, "localtime", lambda *_: real(2_000_000_000))
    assert write_memo(answers, words, date(2030, 1, 1)) == first
    assert {entry.date_time for entry in zipfile.ZipFile(io.BytesIO(first)).infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_the_brief_is_plain_text_that_json_can_hold():
    assert json.dumps(list(made(whole(), "ja").texts()), ensure_ascii=False)


def test_of_new_plants_only_those_of_the_agreement_are_said_to_be_in_it():
    world, deal, found = whole()
    words = Words.of("en", world)
    builds = Agreement.load("african-refining", world)
    for agreement, key in ((deal, "unknown.dates"), (builds, "unknown.dates_plants")):
        answers = brief(found, words, View.of(None, found, world), world=world, deal=agreement)
        unknown = next(part for part in answers.parts if part.key == "unknown")
        assert unknown.sentences[0] == words.say(key, day=found.as_of)
