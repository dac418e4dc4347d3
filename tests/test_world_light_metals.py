"""Aluminium, magnesium, silicon and titanium: metal is conserved, the alumina that hosts gallium is made, shares are met."""

from __future__ import annotations

import csv
import dataclasses
import os
from collections import defaultdict
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from friendshore import run
from friendshore.faces import Ban, Lane, Tariff
from friendshore.world import build, check, flows, output, parameters, places, readers, sectors
from friendshore.world.output import Figure
from friendshore.world.tables import World

RAW = Path(os.environ.get("FRIENDSHORE_DATA", Path(__file__).parents[2] / "shared" / "data"))
needs_raw = pytest.mark.skipif(not (RAW / "raw").is_dir(), reason="the raw data folder is not here")
ALONE = (sectors.ROOT / "light_metals", sectors.ROOT / "common")
GOODS = {
    "aluminium.bauxite", "aluminium.alumina", "aluminium.metal", "magnesium.metal", "silicon.metal",
    "titanium.concentrate", "titanium.sponge",
}  # fmt: skip


# --- the plan, without the raw data ---------------------------------------------------------------------------------


def test_every_process_makes_its_main_good_and_every_good_has_a_maker():
    with sectors.using(ALONE):
        made = {(p, r["good"]) for p in output.main_goods() for r in output.recipe(p, "CHN") if r["role"] == "output"}
        assert made == set(output.main_goods().items())
        assert {good for _, good in made} == GOODS


@pytest.mark.parametrize(
    ("process", "country", "feed", "oxide", "metal"),
    [
        ("aluminium.smelt", "CHN", "aluminium.alumina", "Al2O3", "Al"),
        ("aluminium.smelt", "NOR", "aluminium.alumina", "Al2O3", "Al"),
        ("titanium.kroll", "JPN", "titanium.concentrate", "TiO2", "Ti"),
    ],
)
def test_no_tonne_of_metal_comes_from_less_than_a_tonne_in_its_oxide(process, country, feed, oxide, metal):
    atoms = {"Al2O3": 2.0, "TiO2": 1.0}[oxide]
    with sectors.using(ALONE):
        taken = {r["good"]: float(r["coefficient"]) for r in output.recipe(process, country) if r["role"] == "input"}
        content = atoms * parameters.formula_weight(metal) / parameters.formula_weight(oxide)
    assert set(taken) == {feed}
    assert 1.0 <= taken[feed] * content <= 1.15


def test_ore_differs_by_country_and_is_taken_once():
    with sectors.using(ALONE):
        ore = {
            country: [r for r in output.recipe("alumina.bayer", country) if r["good"] == "aluminium.bauxite"]
            for country in ("CHN", "AUS", "RUS", "IRN")
        }
    assert {len(rows) for rows in ore.values()} == {1}
    taken = {country: float(rows[0]["coefficient"]) for country, rows in ore.items()}
    assert taken["RUS"] < taken["CHN"] < taken["IRN"] < taken["AUS"]


def test_the_host_of_gallium_is_modelled_where_this_sector_is_in_force():
    with sectors.using((sectors.ROOT / "six_chains", sectors.ROOT / "common")):
        assert "alumina.bayer" in output.hosts()
    with sectors.using((sectors.ROOT / "six_chains", *ALONE)):
        assert "alumina.bayer" not in output.hosts()
        assert output.main_goods()["alumina.bayer"] == "aluminium.alumina"


def test_gravity_leaves_a_pair_closed_that_is_stated_at_nothing():
    barred = Figure(0.0, "estimate", "2024", "D", "barred")
    rule = {"by": "home", "factor": "1"}
    supply, use = np.array([10.0, 0.0, 0.0]), np.array([0.0, 4.0, 6.0])
    near = np.array([[0.0, 100.0, 9000.0], [100.0, 0.0, 9000.0], [9000.0, 9000.0, 0.0]])
    open_ = flows.Declared(gravity=rule)
    closed = flows.Declared(routes={("AAA", "BBB"): barred}, gravity=rule)
    to = [
        flows.prior(good, ["AAA", "BBB", "CCC"], supply, np.zeros(3), use, near, np.ones(3), True).flows[0]
        for good in (open_, closed)
    ]
    assert to[0][1] == pytest.approx(4.0)
    assert to[1][1] == 0.0
    assert to[1][2] > 0.0


def test_a_maker_outside_the_list_of_exporters_feeds_its_own_plants_first():
    """AAA is listed; BBB is not, and makes 10 and needs 8: of an unlisted rest of 6 it may ship 2."""
    supply, need = np.array([20.0, 10.0, 0.0]), np.array([0.0, 8.0, 12.0])
    near = np.full((3, 3), 1000.0)
    shipped = []
    for rule in ("", "spare"):
        totals = {"AAA": 6.0, "rest": 6.0}
        good = flows.Declared({}, totals, {"CCC": 12.0, "rest": 0.0}, {"by": "value", "factor": "1", "unlisted": rule})
        routes = flows.prior(good, ["AAA", "BBB", "CCC"], supply, need, np.zeros(3), near, np.ones(3), True).flows
        shipped.append(routes[1][2])
    assert shipped[0] > 2.0 + 1e-9
    assert shipped[1] == pytest.approx(2.0)


def test_the_largest_countries_stand_alone_where_too_many_pass(tmp_path):
    codes = [f"A{first}{second}" for first in "ABCDEFGHIJ" for second in "ABCDEFGHIJKLMNO"]
    known = readers.Countries({c: c for c in (*codes, *places.EU)}, {}, {}, dict.fromkeys((*codes, *places.EU), "XAF"))
    (tmp_path / "processes.csv").write_text("process,title,main,note\nore.mine,Mining,ore,\n")
    (tmp_path / "recipes.csv").write_text(
        "process,country,good,role,coefficient,source,year,reliability,note\nore.mine,*,ore,output,1,definition,2024,A,\n"
    )
    made = {("ore.mine", code): Figure(1000.0 + k, "estimate", "2024", "D", "typed") for k, code in enumerate(codes)}
    nothing = readers.Reading(pl.DataFrame(), (), 0, 0.0)
    with sectors.using([tmp_path]):
        where = places.kept(known, ["ore"], made, {}, {}, nothing, {})
    alone = {code for code, place in where.items() if code == place} - set(places.REGIONS)
    assert len(alone) + len(places.REGIONS) == places.PLACES_MAX
    assert set(places.EU) <= alone
    largest = codes[-(places.PLACES_MAX - len(places.REGIONS) - len(places.EU)) :]
    assert alone == set(places.EU) | set(largest)


# --- the built sector ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("light_metals")
    report = build.build(RAW, folder, plan=(sectors.ROOT / "six_chains", *ALONE))
    assert report.failed == []
    assert report.shares_missed == []
    return World.load(folder)


def _usgs(commodity, detail, country=None):
    """Figures of 2024 from the publisher's file, by country."""
    found = defaultdict(float)
    with (RAW / "raw/usgs/MCS2026_Commodities_Data.csv").open(encoding="cp1252", newline="") as lines:
        for row in csv.DictReader(lines):
            if (row["Commodity"], row["Statistics_detail"], row["Year"]) == (commodity, detail, "2024"):
                text = row["Value"].strip().replace(",", "")
                found[row["Country"]] += float(text) if text.replace(".", "").isdigit() else 0.0
    return found if country is None else found[country]


def _level(world, process, country):
    rows = world.activities.filter(pl.col("id") == f"{process}@{country}")["level_t"]
    return float(rows[0]) if rows.len() else 0.0


@needs_raw
def test_every_invariant_holds(world):
    assert not [item for item in check.check(world) if not item.ok]


@needs_raw
@pytest.mark.parametrize(
    ("commodity", "detail", "processes", "country", "code"),
    [
        ("Bauxite", "Bauxite, mine production", ["aluminium.mine"], "Guinea", "GIN"),
        ("Alumina", "Alumina, refinery production", ["alumina.bayer"], "China", "CHN"),
        ("Aluminum", "Smelter production", ["aluminium.smelt"], "India", "IND"),
        ("Magnesium Metal", "Smelter production", ["magnesium.pidgeon", "magnesium.electrolysis"], "Russia", "RUS"),
        ("Silicon", "Silicon metal", ["silicon.smelt"], "China", "CHN"),
        ("Titanium Mineral Concentrates", "Mine production: Ilmenite", ["titanium.ilmenite"], "Mozambique", "MOZ"),
        ("Titanium Mineral Concentrates", "Mine production: Rutile", ["titanium.rutile"], "Sierra Leone", "SLE"),
        ("Titanium Sponge Metal", "Titanium sponge metal production", ["titanium.kroll"], "Japan", "JPN"),
    ],
)
def test_shares_of_the_publisher_are_met(world, commodity, detail, processes, country, code):
    published = _usgs(commodity, detail)
    made = world.activities.filter(pl.col("process").is_in(processes))
    ours = made.filter(pl.col("country") == code)["level_t"].sum() / made["level_t"].sum()
    assert 100.0 * abs(ours - published[country] / sum(published.values())) <= 3.0


@needs_raw
def test_secondary_metal_of_the_united_states_is_the_published_one(world):
    scrap = [f"Production: Secondary (from {kind} scrap)" for kind in ("old", "new")]
    aluminium = 1e3 * sum(_usgs("Aluminum", detail, "United States") for detail in scrap)
    magnesium = 1e3 * _usgs("Magnesium Metal", "Production: Secondary (new and old scrap)", "United States")
    assert _level(world, "aluminium.recycle", "USA") == pytest.approx(aluminium, rel=0.01)
    assert _level(world, "magnesium.recycle", "USA") == pytest.approx(magnesium, rel=0.01)


@needs_raw
def test_capacities_of_smelters_are_the_published_ones_and_not_those_of_remelters(world):
    capacity = dict(world.activities.select("id", "capacity_t").iter_rows())
    published = 1e3 * _usgs("Aluminum", "Yearend capacity", "China")
    assert capacity["aluminium.smelt@CHN"] == published
    assert capacity["aluminium.recycle@CHN"] != published


@needs_raw
def test_no_margin_is_clipped_and_no_cost_is_negative(world):
    made = world.recipes.filter((pl.col("role") == "output") & pl.col("good").is_in(GOODS))["activity"].to_list()
    ours = world.activities.filter(pl.col("id").is_in(made))
    assert ours.filter(pl.col("clipped")).is_empty()
    assert ours["fixed_cost_usd_t"].min() > 0.0


@needs_raw
def test_what_bauxite_does_not_place_is_small_and_mostly_named(world):
    stocks = world.stocks.filter(pl.col("good") == "aluminium.bauxite")
    named = stocks.filter(~pl.col("note").str.starts_with("What the fit could not place"))["change_t"].abs().sum()
    mined = world.activities.filter(pl.col("process") == "aluminium.mine")["level_t"].sum()
    assert stocks["change_t"].abs().sum() < 0.07 * mined
    assert named > 0.85 * stocks["change_t"].abs().sum()


@needs_raw
def test_the_american_duty_of_1962_falls_on_partners_of_other_agreements_too(world):
    into = world.routes.filter(
        (pl.col("good") == "aluminium.metal") & (pl.col("importer") == "USA") & ~pl.col("latent")
    )
    duty = dict(into.select("exporter", "tariff").iter_rows())
    assert duty["BHR"] == duty["ARE"] == duty["NOR"] == 0.10
    assert duty["CAN"] == duty["AUS"] == duty["ARG"] == 0.0
    assert duty.get("RUS", 2.0) > 1.0


@needs_raw
@pytest.mark.parametrize("horizon", [1, 5, 15])
def test_the_base_comes_back(world, horizon):
    cleared = run.clear(world, assume=run.Assumptions(horizon=horizon))
    world_t = dict(cleared.flows.group_by("good").agg(pl.col("base_t").sum()).iter_rows())
    gaps = [abs(t - base) / world_t[good] for good, t, base in cleared.flows.select("good", "t", "base_t").iter_rows()]
    assert max(gaps) <= 1e-10


def _index(outcome, good, country):
    row = outcome.indices.filter((pl.col("good") == good) & (pl.col("country") == country))
    return float(row["usd_t"][0] / row["base_usd_t"][0])


@needs_raw
def test_a_duty_raises_the_buyer_s_price_by_less_than_itself_and_lowers_the_seller_s(world):
    others = frozenset(world.countries["code"]) - {"USA"}
    lane = Lane(good="aluminium.metal", exporters=others, importers=frozenset({"USA"}))
    taxed = run.clear(world, extra=[Tariff(clause="duty", lane=lane, rate=0.20, adds=True)])
    assert 1.05 < _index(taxed, "aluminium.metal", "USA") < 1.20
    assert _index(taxed, "aluminium.metal", "CAN") < 1.0


@needs_raw
def test_gallium_falls_with_the_alumina_that_hosts_it(world):
    level = dict(world.activities.select("id", "level_t").iter_rows())
    tight = level["gallium.recover@CHN"] / level["alumina.bayer@CHN"]
    bound = world.recoveries.with_columns(
        pl.when(pl.col("activity") == "gallium.recover@CHN").then(tight).otherwise(pl.col("content_recovery"))
        .alias("content_recovery")
    )  # fmt: skip
    everyone = frozenset(world.countries["code"])
    lane = Lane(good="aluminium.bauxite", exporters=everyone - {"CHN"}, importers=frozenset({"CHN"}))
    cut = run.clear(dataclasses.replace(world, recoveries=bound), extra=[Ban(clause="no ore", lane=lane)])
    made = {a: (t, base) for a, t, base in cut.activities.select("activity", "t", "base_t").iter_rows()}
    alumina, gallium = (made[name][0] / made[name][1] for name in ("alumina.bayer@CHN", "gallium.recover@CHN"))
    assert alumina < 0.7
    assert gallium == pytest.approx(alumina, rel=1e-6)
