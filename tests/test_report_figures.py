"""Every figure states a finding that its own table bears out, keeps a country's colour, and draws on paper and on the screen."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from report_cases import nothing, small, whole

from friendshore.downstream.products import content
from friendshore.downstream.tables import shipped_bills
from friendshore.errors import InputRefused
from friendshore.faces import PriceGap
from friendshore.headline import CODE
from friendshore.mean_price import price_paid
from friendshore.report.figures import borders, figures, palette, projection
from friendshore.report.figures import figure as paper
from friendshore.report.figures.map_dependence import LIMIT
from friendshore.report.figures.product_cost import DRAWN
from friendshore.report.figures.subject import Subject
from friendshore.report.figures.tornado import STEP, _moves
from friendshore.report.words import LANGUAGES, Words
from friendshore.run import clear_network, compile_world, measures

ALWAYS = {
    "map_gains",
    "who_pays",
    "map_dependence",
    "sankey",
    "product_cost",
    "protection",
    "reactions",
    "price_ladder",
}


def drawn(case=whole, lang: str = "en", view: str | None = "ITA"):
    world, deal, found = case()
    return {f.name: f for f in figures(found, Words.of(lang, world), view, world=world, deal=deal)}


def subject(case=whole, view: str | None = None) -> Subject:
    world, deal, found = case()
    return Subject(found, Words.of("en", world), view, world, deal)


@pytest.fixture(scope="module")
def held():
    return drawn()


def test_a_floor_in_the_world_has_every_figure(held):
    assert set(held) == {*ALWAYS, "levy_binds", "view_account", "tornado"}  # stability: the grid was not solved


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_language_has_a_title_of_its_own_and_no_hole(lang):
    for figure in drawn(lang=lang).values():
        for text in (figure.title, figure.subtitle, figure.caption, *figure.notes, *figure.columns.values()):
            assert text
            assert "{" not in text
            assert "nan" not in text.split()
        assert figure.lang == lang


def test_all_languages_say_the_same_keys_of_the_same_values():
    said = {lang: Words.of(lang).texts for lang in LANGUAGES}
    mine = {k for k in said["en"] if k.split(".")[0] in ("figure", "page", "column", "axis", "product", "mineral")}
    for lang in LANGUAGES:
        for key in mine:
            wanted = set(re.findall(r"\{(\w+)", said["en"][key]))
            assert set(re.findall(r"\{(\w+)", said[lang][key])) == wanted, (lang, key)


def test_columns_of_every_table_have_headings(held):
    for figure in held.values():
        assert set(figure.table.columns) == set(figure.columns), figure.name
        assert figure.table.height > 0


def test_the_map_adds_to_what_the_countries_gain(held):
    about = subject()
    on_map = dict(held["map_gains"].table.select("country", "usd").iter_rows())
    left = {c: usd for c, usd in about.gains.items() if c not in on_map}
    assert all(len(c) > CODE or c in about.at.budgets for c in left)  # firms and common budgets have no place
    assert sum(on_map.values()) + sum(left.values()) == pytest.approx(sum(about.changes["usd"]), abs=1.0)
    shapes = {trace["meta"]["code"] for trace in held["map_gains"].spec["data"] if "code" in trace.get("meta", {})}
    dots = {code for trace in held["map_gains"].spec["data"] for code in trace.get("ids", ())}
    assert shapes | dots == set(on_map)
    assert dots >= set(on_map) - set(projection.countries())


def test_the_groups_add_to_the_world(held):
    table = held["who_pays"].table
    groups = table.filter(pl.col("kind") == "By group")["usd"].sum()
    assert groups == pytest.approx(sum(subject().changes["usd"]), rel=2e-3, abs=1e3)


def test_the_levy_of_the_routes_is_the_levy_of_the_study(held):
    _, _, found = whole()
    bars = held["levy_binds"].spec["data"][0]
    assert sum(bars["x"]) == pytest.approx(found.levies["levy_usd"].sum() / 1e6, abs=1e-4)


def test_the_account_of_the_view_adds_to_its_gain(held):
    about = subject(view="ITA")
    steps = held["view_account"].spec["data"][0]
    assert sum(steps["x"][:-1]) == pytest.approx(steps["x"][-1], abs=1e-3)
    assert steps["x"][-1] == pytest.approx(about.gains["ITA"] / 1e6, abs=1e-3)


def test_shares_of_dependence_are_those_of_the_study(held):
    _, _, found = whole()
    row = held["map_dependence"].table.filter(pl.col("mineral") == held["map_dependence"].mineral).row(0, named=True)
    mine = found.dependence.filter(
        (pl.col("good") == row["good"]) & (pl.col("country") == row["country"]) & (pl.col("stage") == row["stage"])
    ).filter(pl.col("origin") == row["supplier"])
    assert row["before"] == pytest.approx(100.0 * mine["before"].sum())
    assert 0.0 < LIMIT < 1.0


def test_what_a_product_costs_is_kilograms_times_price(held):
    about = subject(view="ITA")
    price = price_paid(about.after, about.viewed)
    magnets = (
        held["product_cost"]
        .table.filter((pl.col("good") == "ndfeb.magnet") & (pl.col("product") == "Wind turbine, direct drive, per MW"))
        .row(0, named=True)
    )
    assert magnets["after_usd"] == pytest.approx(650.0 * price["ndfeb.magnet"] / 1000.0)


def test_the_products_drawn_are_those_of_the_bills(held):
    bills = shipped_bills()
    assert set(DRAWN) <= set(bills["product"])
    table = held["product_cost"].table
    motor = table.filter(pl.col("product") == "Traction motor, 1.5 kg of magnet").row(0, named=True)
    assert motor["kg"] == content("permanent-magnet motor of a car", bills)["ndfeb.magnet"]
    assert (motor["kg_low"], motor["kg_high"]) == (1.0, 2.0)
    for row in table.iter_rows(named=True):
        assert row["source"]
        assert row["reliability"] < "D" or row["note"], "an estimate gives its rule"


def test_the_slope_by_a_reference_price_is_what_solving_again_gives():
    about = subject()
    step, moves = 1e-3, _moves(about)
    network = compile_world(about.world, about.assume)
    full = measures(about.world, about.deal, about.study.as_of, about.assume)[0]

    def gain(factor: float) -> float:
        moved = [replace(w, reference_usd_t=factor * w.reference_usd_t) if isinstance(w, PriceGap) else w for w in full]
        found = clear_network(
            about.world, network, moved, assume=about.assume, as_of=about.study.as_of, start=about.after.state
        )
        return float(found.accounts.filter(pl.col("country").is_in(sorted(about.at.inside)))["usd"].sum())

    slope = (gain(1.0 + step) - gain(1.0 - step)) / (2.0 * step)
    clause = next(name for kind, name in moves if kind == "reference")
    assert moves["reference", clause] == pytest.approx(STEP * slope, rel=2e-3)


def test_the_slope_by_demand_is_what_solving_both_sides_again_gives():
    about = subject()
    good = about.chosen
    moves, step = _moves(about), 1e-3
    network = compile_world(about.world, about.assume)
    touched = np.array([network.goods[g] == good for g in network.market_good])
    sides = [measures(about.world, deal, about.study.as_of, about.assume)[0] for deal in (None, about.deal)]

    def gain(factor: float) -> float:
        level = np.where(touched, factor, 1.0) * network.demand.level
        moved = replace(network, demand=replace(network.demand, level=level))
        pair = [
            clear_network(about.world, moved, side, assume=about.assume, as_of=about.study.as_of, start=start)
            for side, start in zip(sides, (about.before.state, about.after.state), strict=True)
        ]
        inside = pl.col("country").is_in(sorted(about.at.inside))
        before, after = (float(one.accounts.filter(inside)["usd"].sum()) for one in pair)
        return after - before

    slope = (gain(1.0 + step) - gain(1.0 - step)) / (2.0 * step)
    assert moves["demand", good] == pytest.approx(STEP * slope, rel=5e-3, abs=2e3)


@pytest.mark.parametrize("case", [small, nothing])
def test_a_small_world_and_no_agreement_are_drawn_too(case):
    for figure in drawn(case, view=None).values():
        assert figure.svg().startswith(b"<?xml")
        assert figure.png().startswith(b"\x89PNG")


def test_a_study_with_the_grid_shows_how_firm_the_ranks_are():
    figure = drawn(small, view=None)["stability"]
    assert set(figure.table.columns) >= {"rank", "rank_min", "rank_max"}


@pytest.mark.parametrize("lang", ["it", "ja"])
def test_figures_are_drawn_with_letters_that_the_font_has(lang):
    figure = drawn(lang=lang)["reactions"]  # a missing glyph is a warning, and warnings are errors
    assert len(figure.png()) > 10_000


def test_the_same_study_draws_the_same_bytes(held):
    again = drawn()["reactions"]
    assert again.svg() == held["reactions"].svg()
    assert again.png() == held["reactions"].png()


def test_a_drawing_for_the_screen_is_plain_json(held):
    for figure in held.values():
        json.dumps(figure.spec, allow_nan=False)


def test_no_font_with_japanese_letters_is_refused_by_name(monkeypatch):
    from matplotlib import font_manager

    monkeypatch.setattr(font_manager.fontManager, "ttflist", [])
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(InputRefused, match="no font here has Japanese letters"):
        paper.japanese()


def test_a_country_has_one_colour_and_named_countries_have_one_each():
    assert len(set(palette.NAMED.values())) == len(palette.NAMED)
    assert {palette.GAIN, palette.LOSS}.isdisjoint(palette.NAMED.values())
    assert palette.of_country("XYZ") == palette.of_country("XYZ")


def test_gain_and_loss_differ_for_eyes_that_do_not_tell_red_from_green():
    # Vienot, Brettel and Mollon (1999): what a deuteranope and a protanope see of a colour, in linear RGB.
    seen = {
        "deutan": np.array([[0.29275, 0.70725, 0.0], [0.29275, 0.70725, 0.0], [-0.02234, 0.02234, 1.0]]),
        "protan": np.array([[0.11238, 0.88762, 0.0], [0.11238, 0.88762, 0.0], [0.00401, -0.00401, 1.0]]),
    }
    linear = [np.array([int(c[k : k + 2], 16) / 255.0 for k in (1, 3, 5)]) ** 2.2 for c in (palette.GAIN, palette.LOSS)]
    for matrix in seen.values():
        one, other = (np.clip(matrix @ colour, 0.0, 1.0) ** (1 / 2.2) for colour in linear)
        assert np.linalg.norm(one - other) > 0.35


def test_the_projection_keeps_areas():
    def area(lon: float, lat: float) -> float:
        side = 1e-3
        x, y = projection.equal_earth(np.array([lon, lon + side, lon]), np.array([lat, lat, lat + side]))
        jacobian = abs((x[1] - x[0]) * (y[2] - y[0]) - (x[2] - x[0]) * (y[1] - y[0]))
        return jacobian / (np.radians(side) ** 2 * np.cos(np.radians(lat)))

    places = [(0.0, 0.0), (12.0, 43.0), (104.0, 38.0), (134.0, -25.0), (-98.0, 65.0)]
    assert [area(*place) for place in places] == pytest.approx([1.0] * len(places), rel=1e-3)


def test_every_country_of_the_world_has_a_place_on_the_map():
    assert set(subject().world.countries["code"]) <= set(projection.places())


def test_borders_enclose_the_points_of_their_countries_and_speak_of_one_crimea():
    from matplotlib.path import Path

    shapes = borders.rings()

    def owners(lon: float, lat: float) -> set[str]:
        return {code for code, rings in shapes.items() if any(Path(ring).contains_point((lon, lat)) for ring in rings)}

    cities = {"ITA": (12.5, 42.0), "MMR": (96.1, 21.9), "COD": (23.0, -4.0), "XKX": (20.9, 42.6), "CYP": (33.6, 35.3)}
    for code, place in cities.items():
        assert owners(*place) == {code}
    assert owners(*borders.CRIMEA) == {"UKR"}
    assert "ATA" not in shapes


def test_the_areas_of_the_map_are_those_of_the_earth():
    earth = 510.07e6  # square kilometres on 4 pi of the plane
    areas = {code: earth * share / (4.0 * np.pi) for code, share in projection.areas().items()}
    published = {"AUS": 7.69e6, "BRA": 8.51e6, "COD": 2.34e6, "ITA": 0.301e6}  # land and inland water
    for code, area in published.items():
        assert areas[code] == pytest.approx(area, rel=0.06), (
            code
        )  # the outline is coarse, lakes and islands are left out


def test_the_edge_of_a_union_leaves_out_its_inner_borders():
    whole = sum(len(line) - 1 for line in borders.outer(["ITA", "FRA"]))
    apart = sum(len(line) - 1 for code in ("ITA", "FRA") for line in borders.outer([code]))
    shared = apart - whole
    assert shared > 0
    assert shared % 2 == 0  # every inner stretch is drawn by both


def test_without_the_package_that_carries_the_borders_it_is_refused(monkeypatch):
    borders.rings.cache_clear()
    monkeypatch.setattr("friendshore.report.figures.borders.find_spec", lambda _: None)
    with pytest.raises(InputRefused, match="pyogrio"):
        borders.rings()
    borders.rings.cache_clear()


def test_colours_of_the_map_grow_darker_with_the_money():
    def light(colour: str) -> float:
        return sum(weight * int(colour[k : k + 2], 16) for weight, k in ((0.2126, 1), (0.7152, 3), (0.0722, 5)))

    for sign in (1.0, -1.0):
        shades = [light(palette.of_change(sign * step)) for step in (0.0, *(3.0 * s for s in palette.STEPS_USD))]
        assert shades == sorted(shades, reverse=True)
        assert len(set(shades)) == len(shades)
