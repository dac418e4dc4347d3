"""How far an amount moves over the readings that were solved: the range holds the figure, is what solving again gives, and is told."""

from __future__ import annotations

from dataclasses import replace

import polars as pl
import pytest
from cleared_world import DAY
from report_cases import small, whole

from friendshore.headline import CODE, places
from friendshore.report.brief import View, brief, range_of, reading
from friendshore.report.figures import figures
from friendshore.report.figures.subject import Subject
from friendshore.report.figures.waterfall import Step, ends
from friendshore.report.page import page
from friendshore.report.words import LANGUAGES, Words
from friendshore.run import DEFAULT, clear_network, compare, compile_world, measures


def told(lang: str = "en", view: str | None = None):
    world, deal, found = small()
    return brief(found, Words.of(lang, world), View.of(view, found, world), world=world, deal=deal)


def test_every_range_holds_its_figure():
    _, _, found = small()
    for table, value in ((found.bands, "usd"), (found.lines, "usd"), (found.price_ranges, "usd_t")):
        assert table.height > 0
        room = 1e-9 * table[value].abs().max()
        assert (table["low"] <= table[value] + room).all()
        assert (table["high"] >= table[value] - room).all()


def test_ranges_are_told_of_the_amounts_of_the_study():
    world, _, found = small()
    held = {(of, who): usd for of, who, usd in found.bands.select("of", "who", "usd").iter_rows()}
    plain = found.reactions.filter(pl.col("reaction") == "none").row(0, named=True)
    assert held["side", "parties"] == pytest.approx(plain["parties_usd"])
    assert held["side", "world"] == pytest.approx(plain["world_usd"])
    assert held["side", "levy"] == pytest.approx(plain["levy_usd"])
    by_country = found.pays.group_by("country").agg(pl.col("usd").sum())
    for country, usd in by_country.iter_rows():
        assert held["holder", country] == pytest.approx(usd, abs=1e-6)
    for group, usd in found.groups.iter_rows():
        assert held["group", group] == pytest.approx(usd)
    at = places(world, frozenset(found.parties))
    inside = sum(held["holder", code] for code in at.inside if ("holder", code) in held)
    assert held["side", "parties"] == pytest.approx(inside)


@pytest.mark.parametrize("end", ["low", "high"])
def test_the_end_of_a_range_is_what_its_reading_gives_when_solved_again(end):
    world, deal, found = small()
    row = found.bands.filter((pl.col("of") == "side") & (pl.col("who") == "parties")).row(0, named=True)
    name = row[f"{end}_in"]
    assert name.startswith("elasticities.")
    scales = {f"{s:g}.{e:g}": (s, e) for s in (0.5, 1.0, 2.0) for e in (0.5, 1.0, 2.0)}
    sigma, eps = scales[name.removeprefix("elasticities.")]
    assume = replace(DEFAULT, sigma_scale=sigma, eps_scale=eps)
    network = compile_world(world, assume)
    before, after = (
        clear_network(world, network, measures(world, one, DAY, assume)[0], assume=assume, as_of=DAY)
        for one in (None, deal)
    )
    inside = places(world, frozenset(found.parties)).inside
    change = compare(before, after).by_country().filter(pl.col("country").is_in(sorted(inside)))["usd"].sum()
    assert row[end] == pytest.approx(change, rel=1e-6)
    assert (row["low"], row["high"]) != (row["usd"], row["usd"])


def test_lines_add_to_accounts():
    _, _, found = small()
    lines = found.lines.group_by("country").agg(pl.col("usd").sum())
    accounts = dict(found.pays.group_by("country").agg(pl.col("usd").sum()).iter_rows())
    for country, usd in lines.iter_rows():
        assert usd == pytest.approx(accounts[country], abs=10.0)  # lines under a dollar are left out


def test_where_the_grid_was_not_solved_no_range_is_known_and_that_is_said():
    world, deal, found = whole()
    assert found.readings == 1
    assert found.bands["low"].null_count() == found.bands.height
    assert range_of(found, "side", "parties") is None
    words = Words.of("en", world)
    subject = Subject(found, words, "ITA", world, deal)
    assert subject.range_text("side", "parties") == words.say("range.unknown")
    drawn = {f.name: f for f in figures(found, words, "ITA", world=world, deal=deal)}
    for name in ("who_pays", "map_gains", "view_account", "reactions", "price_ladder"):
        assert words.say("range.none") in drawn[name].notes
    answers = brief(found, words, View.of("ITA", found, world), world=world, deal=deal)
    unknown = next(part for part in answers.parts if part.key == "unknown")
    assert words.say("unknown.no_range") in unknown.sentences


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_brief_gives_the_range_of_its_headline_and_what_it_means(lang):
    _, _, found = small()
    words = Words.of(lang)
    low, high, *_ = range_of(found, "side", "parties")
    answers = told(lang)
    assert words.say("finding.range", n=found.readings, low=low, high=high) in answers.finding
    unknown = next(part for part in answers.parts if part.key == "unknown")
    assert words.say("unknown.range", n=found.readings) in unknown.sentences
    groups = next(part for part in answers.parts if part.key == "pays").tables[0]
    assert any(words.millions(low, sign=True) in cell for cell in groups.rows[-1])


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_reading_has_a_name(lang):
    words = Words.of(lang)
    names = ["licences.taxes", "latent.on", "latent.off"]
    names += [f"elasticities.{s:g}.{e:g}" for s in (0.5, 1.0, 2.0) for e in (0.5, 1.0, 2.0)]
    assert len({reading(words, name) for name in names}) == len(names)


def test_headline_numbers_on_the_page_carry_their_range():
    world, deal, found = small()
    words = Words.of("en", world)
    subject = Subject(found, words, None, world, deal)
    drawn = figures(found, words, None, world=world, deal=deal)
    text = page(subject, drawn, told())
    numbers = text.split('<section id="numbers"')[1].split("</section>")[0]
    assert numbers.count('class="value"') == numbers.count('class="range"') == 4
    low, high, *_ = range_of(found, "side", "parties")
    assert words.say("range.known", low=low, high=high) in numbers


def test_a_whisker_spans_the_range_from_where_its_step_begins():
    steps = [Step("users", -4e6, -5e6, -1e6), Step("makers", 1e6), Step("treasury", 2e6, 1e6, 2e6)]
    drawn = ends(steps, Step("sum", -1e6, -3e6, 0.0))
    assert [one[1:] for one in drawn] == [(0.0, -5.0, -1.0), (-4.0, -3.0, -3.0), (-3.0, -2.0, -1.0), (0.0, -3.0, 0.0)]


def test_firms_stand_on_neither_side():
    _, _, found = small()
    held = {(of, who): usd for of, who, usd in found.bands.select("of", "who", "usd").iter_rows()}
    firms = sum(usd for (of, who), usd in held.items() if of == "holder" and len(who) > CODE)
    assert held.get(("side", "firms"), 0.0) == pytest.approx(firms, abs=1e-6)
