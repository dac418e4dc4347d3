"""Zinc with germanium and indium, tin, tantalum, vanadium, the platinum group, niobium and bismuth: what the plan promises and the build keeps."""

from __future__ import annotations

import csv
import os
from collections import defaultdict
from pathlib import Path

import polars as pl
import pytest

from friendshore.faces import Ban, Lane, Quota
from friendshore.run import Assumptions, clear
from friendshore.world import check, output, readers, sectors
from friendshore.world.build import build
from friendshore.world.tables import World

RAW = Path(os.environ.get("FRIENDSHORE_DATA", Path(__file__).parents[2] / "shared" / "data"))
needs_raw = pytest.mark.skipif(not (RAW / "raw").is_dir(), reason="the raw data folder is not here")

OURS, SIX, COMMON = sectors.ROOT / "base_and_precious", sectors.ROOT / "six_chains", sectors.ROOT / sectors.COMMON
USGS = RAW / "raw/usgs/MCS2026_Commodities_Data.csv"
MINED = {  # our good -> USGS commodity, series, tonnes in its unit
    "zinc.concentrate": ("Zinc", "Mine production", 1000.0),
    "tin.concentrate": ("Tin", "Mine production", 1.0),
    "tantalum.concentrate": ("Tantalum", "Mine production", 1.0),
    "vanadium.slag": ("Vanadium", "Mine production", 1.0),
    "platinum.matte": ("Platinum", "Mine production: Platinum", 1e-3),
    "palladium.matte": ("Palladium", "Mine production: Palladium", 1e-3),
    "niobium.concentrate": ("Niobium (Columbium)", "Mine production", 1.0),
}


# --- the plan, without the raw data ---------------------------------------------------------------------------------


def test_a_host_is_bare_alone_and_modelled_where_a_sector_gives_it_goods():
    with sectors.using((SIX, COMMON)):
        assert "zinc.smelt" in output.hosts()
    with sectors.using((SIX, OURS, COMMON)):
        assert "zinc.smelt" not in output.hosts()
        assert output.main_goods()["zinc.smelt"] == "zinc.metal"
        assert {row["role"] for row in output.recipe("zinc.smelt", "JPN")} == {"input", "output"}


def test_the_order_of_the_sectors_does_not_make_a_host():
    with sectors.using((OURS, SIX, COMMON)):
        assert "zinc.smelt" not in output.hosts()


def test_no_recipe_makes_more_metal_than_it_takes():
    with sectors.using((OURS, COMMON)):
        mineral = {row["id"]: row["mineral"] for row in sectors.rows("goods")}
        pairs = {(row["process"], row["country"]) for row in sectors.rows("levels")}
        pairs |= {(row["process"], row["country"]) for row in sectors.rows("recipes")}
        fed = 0
        for process, country in sorted(pairs):
            made, taken = defaultdict(float), defaultdict(float)
            for row in output.recipe(process, country):
                side = made if row["role"] == "output" else taken
                side[mineral[row["good"]]] += float(row["coefficient"])
            if taken:
                fed += 1
                assert set(made) == set(taken), (process, country)
                assert all(made[m] <= taken[m] <= 1.5 * made[m] for m in made), (process, country)
    assert fed > 60  # smelters, refiners and alloy makers, country by country


def test_every_level_has_a_recipe_and_every_recovery_its_host():
    with sectors.using((OURS, COMMON)):
        levels = {(row["process"], row["country"]) for row in sectors.rows("levels") if float(row["level_t"]) > 0.0}
        assert {process for process, country in levels if not output.recipe(process, country)} == output.hosts()
        assert output.hosts() == {"nickel.mine_sulphide"}  # bare here, modelled where the battery metals are in force
        for row in sectors.rows("recoveries"):
            process, country = row["host"].split("@")
            assert (process, country) in levels


def test_every_source_is_declared_and_none_twice():
    with sectors.using((SIX, OURS, COMMON)):
        tonnes = [row["id"] for row in sectors.rows("sources")]
        assert len(tonnes) == len(set(tonnes))
        known = set(tonnes) | {row["id"] for row in sectors.rows("parameters_sources")}
    with sectors.using((OURS,)):
        for path in sorted(OURS.glob("*.csv")):
            rows = sectors.rows(path.stem)
            if "source" in rows[0]:
                cited = {part for row in rows for part in row["source"].split("+")}
                assert cited <= known, path.name
                assert all(row["note"] for row in rows if row["reliability"] == "D"), path.name


# --- the build ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    report = build(RAW, folder, plan=(SIX, OURS, COMMON))
    return report, World.load(folder)


@pytest.fixture(scope="module")
def base(built):
    return clear(built[1])


def _made(world: World, good: str, process: str = "") -> dict[str, float]:
    rows = world.recipes.filter((pl.col("good") == good) & (pl.col("role") == "output")).join(
        world.activities, left_on="activity", right_on="id"
    )
    total: dict[str, float] = defaultdict(float)
    for name, country, level, coefficient in rows.select("process", "country", "level_t", "coefficient").iter_rows():
        if process in ("", name):
            total[country] += level * coefficient
    return dict(total)


def _usgs(commodity: str, detail: str, unit: float) -> dict[str, float]:
    table = readers.usgs(USGS, readers.countries(RAW)).table
    rows = table.filter((pl.col("commodity") == commodity) & (pl.col("detail") == detail))
    return {c: v * unit for c, v in rows.select("country", "amount").iter_rows() if v > 0.0}


@needs_raw
def test_it_builds_and_no_invariant_fails(built):
    report, world = built
    assert report.failed == []
    assert report.shares_missed == []
    assert not [c for c in check.check(world) if not c.ok]


@needs_raw
@pytest.mark.parametrize("good", sorted(MINED))
def test_mines_stand_where_usgs_has_them(built, good):
    """Every country that USGS lists, read from its file, within 1 % where it has a hundredth of the world: the fit
    lets a reported level move by 3 % at one standard error, and ore that the smelters explain has no cause to."""
    ours, theirs = _made(built[1], good), _usgs(*MINED[good])
    assert len(theirs) >= 4
    for country, tonnes in theirs.items():
        if tonnes >= 0.01 * sum(theirs.values()):
            assert ours[country] == pytest.approx(tonnes, rel=0.01), country


@needs_raw
def test_primary_indium_is_what_usgs_counts_and_reclaimed_metal_stands_beside_it(built):
    world, theirs = built[1], _usgs("Indium", "Refinery production", 1.0)
    ours = defaultdict(float)
    for process in ("indium.recover", "indium.residue"):
        for country, tonnes in _made(world, "indium.metal", process).items():
            ours[country] += tonnes
    for country, tonnes in theirs.items():
        if country in ours:
            assert ours[country] == pytest.approx(tonnes, rel=0.03), country
    assert sum(ours.values()) == pytest.approx(sum(theirs.values()), rel=0.01)
    assert sum(_made(world, "indium.metal").values()) > 1.3 * sum(theirs.values())


@needs_raw
def test_palladium_comes_with_platinum_in_the_proportion_of_each_country(built):
    world = built[1]
    platinum, palladium = _usgs(*MINED["platinum.matte"]), _usgs(*MINED["palladium.matte"])
    ratio = {
        activity.split("@")[1]: coefficient
        for activity, coefficient in world.recipes.filter(
            pl.col("activity").str.starts_with("pgm.mine@") & (pl.col("good") == "palladium.matte")
        )
        .select("activity", "coefficient")
        .iter_rows()
    }
    assert set(platinum) == set(palladium) <= set(ratio)
    for country in platinum:
        assert ratio[country] == pytest.approx(palladium[country] / platinum[country], abs=5e-4)


@needs_raw
def test_scrap_in_the_united_states_follows_from_the_balance_that_usgs_prints(built):
    """Secondary metal = apparent consumption - mine output - imports + exports."""
    figures = {}
    with USGS.open(encoding="cp1252") as lines:
        for row in csv.DictReader(lines):
            if row["Country"] == "United States" and row["Year"] == "2024" and row["Commodity"] == "Palladium":
                figures[row["Statistics"]] = row["Value"]
    kilograms = {k: float(figures[k].replace(",", "")) for k in ("Consumption", "Production", "Import", "Export")}
    scrap = (kilograms["Consumption"] - kilograms["Production"] - kilograms["Import"] + kilograms["Export"]) / 1e3
    assert _made(built[1], "palladium.metal", "pgm.recycle")["USA"] == pytest.approx(scrap, rel=0.01)


@needs_raw
def test_the_base_is_replicated(base):
    worst = (base.flows["t"] - base.flows["base_t"]).abs()
    assert (worst / base.flows["base_t"].max()).max() <= 1e-10
    by_good = base.flows.group_by("good").agg((pl.col("t") - pl.col("base_t")).abs().max() / pl.col("base_t").max())
    assert by_good["t"].max() <= 1e-10


def _level(outcome, activity: str) -> float:
    return outcome.activities.filter(pl.col("activity") == activity)["t"].item()


@needs_raw
def test_a_smelter_short_of_ore_recovers_as_much_indium_as_its_zinc_holds(built, base):
    """With two fifths of the concentrate Korean smelters smelt less zinc, and the bound of the recovery holds."""
    world = built[1]
    lane = Lane(
        good="zinc.concentrate", exporters=frozenset(world.countries["code"]) - {"KOR"}, importers=frozenset({"KOR"})
    )
    bought = world.routes.filter(
        (pl.col("good") == lane.good) & (pl.col("importer") == "KOR") & (pl.col("exporter") != "KOR")
    )["flow_t"].sum()
    quota = Quota(clause="test", lane=lane, tonnes=0.4 * bought, owner="KOR")
    after = clear(world, extra=[quota], assume=Assumptions(horizon=1))
    content = world.recoveries.filter(pl.col("activity") == "indium.recover@KOR")["content_recovery"].item()
    host = _level(after, "zinc.smelt@KOR")
    assert host == pytest.approx(0.4 * _level(base, "zinc.smelt@KOR"), rel=1e-3)
    assert _level(after, "indium.recover@KOR") == pytest.approx(content * host, rel=1e-6)
    assert _level(after, "indium.recover@KOR") < 0.5 * _level(base, "indium.recover@KOR")
    price = after.indices.filter((pl.col("good") == "indium.metal") & (pl.col("country") == "KOR"))
    assert price["usd_t"].item() > price["base_usd_t"].item()


@needs_raw
def test_a_ban_on_palladium_ore_takes_platinum_with_it(built, base):
    """Zimbabwe's mines make both: without a buyer for one, they make less of the other, and South Africa refines less."""
    world = built[1]
    everyone = frozenset(world.countries["code"])
    bans = [
        Ban(clause=good, lane=Lane(good=good, exporters=frozenset({"ZWE"}), importers=everyone - {"ZWE"}))
        for good in ("platinum.matte", "palladium.matte")
    ]
    after = clear(world, extra=bans, assume=Assumptions(horizon=5))
    assert _level(after, "pgm.mine@ZWE") < 0.5 * _level(base, "pgm.mine@ZWE")
    for good in ("platinum.metal", "palladium.metal"):
        before, now = (
            o.output.filter((pl.col("good") == good) & (pl.col("country") == "ZAF"))["t"].item() for o in (base, after)
        )
        assert now < 0.95 * before
