"""The account says what the tables say: the finding first, every sum shown, nothing wider than the page."""

from __future__ import annotations

import re
from dataclasses import replace

import polars as pl
import pytest

from friendshore.agreement.document import Agreement
from friendshore.report import account as pages
from friendshore.report.cleared import cleared
from friendshore.report.typography import THIN, WIDTH, figure, grid, millions, percent
from friendshore.run import clear
from friendshore.study import Study, study
from friendshore.world import network
from friendshore.world.tables import World

UNION = pages.Names(
    country={"CHN": "China", "USA": "US", "EUN": "European Union", "DEU": "Germany"},
    union=dict.fromkeys(("BEL", "DEU", "ESP", "FRA", "IRL", "ITA", "NLD", "SVK", "SWE"), "EUN"),
)


@pytest.fixture(scope="module")
def floor() -> Study:
    world = World.load()
    return study(world, Agreement.load("one-floor", world), stability=True)


@pytest.fixture(scope="module")
def nothing() -> Study:
    world = World.load()
    return study(world, Agreement.load("no-agreement", world), stability=False)


def sections(text: str) -> dict[str, str]:
    found = re.split(r"^([A-Z][A-Z ,]{5,})$", text, flags=re.MULTILINE)
    return dict(zip(found[1::2], found[2::2]))


def number(cell: str) -> float:
    return 0.0 if cell == "-" else float(cell.replace(THIN, ""))


def row(text: str, label: str) -> list[str]:
    (line,) = (line for line in text.splitlines() if line.strip().startswith(label))
    return re.split(r" {2,}", line.strip())


def test_nothing_is_wider_than_the_page(floor, nothing):
    for each in (floor, nothing):
        for names in (None, UNION):
            assert max(map(len, pages.account(each, names=names).splitlines())) <= WIDTH


def test_the_finding_comes_first_and_says_how_many_levels_are_illustrative(floor, nothing):
    opening = pages.account(floor).split("\n\n")[0]
    assert opening.startswith("Against the status quo of 2027-01-01, the parties to one-floor ")
    assert "The price level is illustrative" in opening
    assert "so none is illustrative" in " ".join(pages.account(nothing).split("\n\n")[0].split())
    several = pages.account(replace(floor, levels=6, illustrative=4)).split("\n\n")[0]
    assert "4 of the 6 price levels are illustrative" in " ".join(several.split())


def test_the_signs_of_the_finding_are_those_of_the_tables(floor):
    opening = " ".join(pages.account(floor).split("\n\n")[0].split(" "))
    plain = floor.reactions.filter(pl.col("reaction") == "none").row(0, named=True)
    word = "gain" if plain["parties_usd"] > 0 else "lose"
    amount = millions(abs(plain["parties_usd"])).replace(THIN, " ")
    assert f"one-floor {word} USD {amount} million" in " ".join(opening.replace(THIN, " ").split())


def test_what_countries_gain_and_lose_adds_up_to_all(floor):
    part = sections(pages.account(floor))["WHO PAYS, BY COUNTRY"]
    body = part[part.index("---") :].splitlines()[1:]
    *lines, everybody = [re.split(r" {2,}", line.strip()) for line in body if line.strip()]
    countries = [cells for cells in lines if cells[0] not in ("the parties", "outside")]
    assert everybody[0] == "all"
    assert len(countries) > 5
    assert sum(number(cells[-2]) for cells in countries) == pytest.approx(number(everybody[-2]), abs=0.05)
    assert number(everybody[-2]) == pytest.approx(floor.pays["usd"].sum() / 1e6, abs=0.01)
    assert number(everybody[-1]) == pytest.approx(floor.pays_2024["usd"].sum() / 1e6, rel=1e-2)


def test_every_party_is_named_and_the_two_sides_add_up_to_the_finding(floor):
    part = sections(pages.account(floor, names=UNION))["WHO PAYS, BY COUNTRY"].split("\n\n  European")[0]
    plain = floor.reactions.filter(pl.col("reaction") == "none").row(0, named=True)
    for place in UNION.inside(floor.parties):
        assert f"({place})" in part or f"\n  {place} " in part
    assert row(part, "the parties")[-2] == millions(plain["parties_usd"], sign=True)
    assert row(part, "outside")[-2] == millions(plain["outsiders_usd"], sign=True)


def test_groups_add_up_to_the_finding_with_firms_on_neither_side(floor):
    part = sections(pages.account(floor))["WHO PAYS, BY GROUP"]
    plain = floor.reactions.filter(pl.col("reaction") == "none").row(0, named=True)
    sides = ["parties_usd", "outsiders_usd", *(["firms_usd"] if abs(plain["firms_usd"]) >= 500.0 else []), "world_usd"]
    assert row(part, "all ")[1:] == [millions(plain[key], sign=True) for key in sides]


def test_parties_outsiders_and_firms_make_up_the_world_in_every_reaction(floor, nothing):
    for each in (floor, nothing):
        for held in each.reactions.iter_rows(named=True):
            sides = held["parties_usd"] + held["outsiders_usd"] + held["firms_usd"]
            assert sides == pytest.approx(held["world_usd"], abs=1.0)
    firms = floor.pays.filter(pl.col("country").str.len_chars() > 3)
    plain = floor.reactions.filter(pl.col("reaction") == "none").row(0, named=True)
    assert plain["firms_usd"] == pytest.approx(float(firms["usd"].sum()), abs=1e-6)


def test_a_licence_that_is_worth_more_is_named_with_its_rent(floor):
    rents = floor.outcomes["agreement"].rents
    dearer = pl.when(pl.col("clause") == rents["clause"][0]).then(pl.col("rent") + 1e7).otherwise(pl.col("rent"))
    after = replace(floor.outcomes["agreement"], rents=rents.with_columns(rent=dearer))
    text = pages.account(replace(floor, outcomes={**floor.outcomes, "agreement": after}))
    assert rents["clause"][0].removeprefix("status_quo.") in sections(text)["WHOSE LICENCES ARE WORTH MORE"]


def test_members_of_a_customs_union_stand_one_by_one_with_its_budget(floor):
    part = sections(pages.account(floor, names=UNION))["WHO PAYS, BY COUNTRY"]
    assert "European Union, by country" in part
    for label in ("Germany (DEU)", "FRA", "the common budget (EUN)"):
        assert label in part
    budget = sum(usd for country, usd in floor.pays.select("country", "usd").iter_rows() if country == "EUN")
    assert millions(budget, sign=True) in row(part, "the common budget (EUN)")


def test_a_floor_shows_both_sides_of_the_border_and_whether_it_holds(floor):
    part = sections(pages.account(floor, names=UNION))["WHAT THE FLOORS DO TO PRICES"]
    cells = row(part, "gallium.metal *")
    held, parties = floor.floors["holds"].sum(), floor.floors.height
    assert cells[-1] == f"{held} of {parties}"
    assert number(cells[1]) == pytest.approx(floor.floors["reference_usd_t"][0] / 1000, rel=1e-3)
    before, after = floor.outside.select("before_usd_t", "after_usd_t").row(0)
    assert cells[6:9] == [figure(before / 1000), figure(after / 1000), percent(after / before - 1, sign=True)]
    usa = floor.floors.filter(pl.col("party") == "USA").row(0, named=True)
    assert f"{usa['inside_ratio_before']:.2f}→{usa['inside_ratio_after']:.2f}" in part


def test_the_mean_inside_price_lies_between_the_parties_own(floor):
    inside = {run: prices["gallium.metal"] for run, prices in pages._inside(floor).items()}
    assert floor.floors["after_usd_t"].min() <= inside["agreement"] <= floor.floors["after_usd_t"].max()
    assert floor.floors["before_usd_t"].min() <= inside["before"] <= floor.floors["before_usd_t"].max()


def test_levied_routes_add_up(floor):
    part = sections(pages.account(floor))["WHERE THE LEVY BINDS"]
    assert row(part, "all")[-1] == millions(floor.levies["levy_usd"].sum())
    assert row(part, "all")[1] == figure(floor.levies["t"].sum(), 3)


def test_a_floor_that_waits_for_its_phase_in_is_not_said_to_stand_below_the_prices(floor):
    waits = floor.floors.with_columns(pl.lit(value=False).alias("binds"), pl.lit(value=False).alias("holds"))
    unlevied = replace(floor, floors=waits, levies=floor.levies.clear())
    text = " ".join(pages.account(unlevied, names=UNION).split())
    assert "floor.gallium takes nothing on the day, though buyers inside pay less than its reference" in text
    assert "below the prices of the day" not in text
    assert "every landed price stands above its reference" not in text


def test_reactions_stand_side_by_side(floor):
    part = sections(pages.account(floor))["IF EXPORTERS REACT"]
    for reaction in ("none", "harvest", "ban"):
        held = floor.reactions.filter(pl.col("reaction") == reaction).row(0, named=True)
        assert row(part, reaction + " ")[1] == millions(held["parties_usd"], sign=True)
    assert "goes to exporting states instead of the parties' treasuries" in " ".join(part.split())


def test_rank_stability_is_one_statement(floor, nothing):
    part = sections(pages.account(floor))["RANK STABILITY"]
    assert f"Kendall tau of at least {floor.kendall_tau_min:.2f}" in " ".join(part.split())
    assert "Not run" in sections(pages.account(nothing))["RANK STABILITY"]


def test_every_limit_is_printed(floor):
    part = " ".join(sections(pages.account(floor))["LIMITS"].split())
    for note in floor.notes:
        assert " ".join(note.split()) in part


def test_an_agreement_that_does_nothing_says_so(nothing):
    text = " ".join(pages.account(nothing).split())
    assert "moves nobody's account by a thousand dollars" in text
    assert "WHAT THE FLOORS DO" not in text
    assert "no account moves by as much as a thousand dollars" in text


def test_a_scenario_is_named_before_its_figures(floor):
    text = pages.account(floor, scenario="A ban (0123): one-floor as patched; in the status quo too: ban.")
    assert text.index("one-floor as patched") < text.index("WHAT THE FLOORS DO")
    assert "SCENARIO" not in pages.account(floor)


def test_the_same_study_gives_the_same_words(floor):
    assert pages.account(floor) == pages.account(floor)


def test_a_network_shows_levels_or_changes(tmp_path):
    curves = tmp_path / "wheat.yaml"
    curves.write_text(
        "units: {mass: unit}\ncountries: [HOME, FOREIGN]\ngoods: [wheat]\n"
        "supply: {wheat: {HOME: q = 20 + 20 p, FOREIGN: q = 40 + 20 p}}\n"
        "demand: {wheat: {HOME: q = 100 - 20 p, FOREIGN: q = 80 - 20 p}}\n",
        encoding="utf-8",
    )
    text = cleared(clear(network.read(curves)), title="Wheat")
    assert text.startswith("Wheat\nSolved in ")
    assert row(text, "all")[-1] == "370"
    assert "base" not in text


def test_a_grid_lines_up_under_headings_of_two_lines():
    lines = grid(["good", "price\nUSD/t"], [["ore", "9"], ["metal", "22 000"]]).splitlines()
    assert lines == ["          price", "  good    USD/t", "  -----  ------", "  ore         9", "  metal  22 000"]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "-"),
        (float("nan"), "-"),
        (float("inf"), "-"),
        (0.0, "0"),
        (0.99995, "1"),
        (999_950.0, f"1{THIN}000{THIN}000"),
        (-1e-9, "-0.000000001"),
    ],
)
def test_figures_round_to_four_digits(value, shown):
    assert figure(value) == shown
