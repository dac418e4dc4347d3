"""Another sector is data alone: a mineral that does not exist is built, checked, shown and cleared from a folder of tables."""

from __future__ import annotations

import csv
import os
import re
import shutil
from pathlib import Path

import polars as pl
import pytest

from friendshore import run
from friendshore.errors import InputRefused
from friendshore.faces import Lane, Tariff
from friendshore.world import build, check, doubts, missing, plan_tables, sectors, show
from friendshore.world.places import EU
from friendshore.world.tables import World

TOY = Path(__file__).parent / "toy_sector"
PAGE = Path(__file__).parent.parent / "docs" / "another-sector.md"
RAW = Path(os.environ.get("FRIENDSHORE_DATA", Path(__file__).parents[2] / "shared" / "data"))
needs_raw = pytest.mark.skipif(not (RAW / "raw").is_dir(), reason="the raw data folder is not here")

# code: region of the UN (Continent of the file of codes), for the countries of the toy and every EU member
ELSEWHERE = {"AUS": ("9", "OC"), "CHL": ("19", "SA"), "CHN": ("142", "AS"), "JPN": ("142", "AS"), "USA": ("19", "NA")}
HEADERS = {
    "cepii_baci/BACI_HS17_V202601_Y2024_30hs6.csv": "year,exporter,importer,hs6,material,value_kusd,qty_t",
    "cepii_baci/BACI_V202601_margins_2024_base_and_minor_metals.csv": "year,hs6,role,iso2,value_usd,qty_t",
    "un_comtrade/comtrade_imports_bilateral_hs6_2018_2024_battery_chain.csv": "period,reporterCode,reporterISO,partnerCode,"
    "partnerISO,classificationCode,cmdCode,netWgt,isNetWgtEstimated,qty,isQtyEstimated,qtyUnitCode,primaryValue,isAggregate",
    "un_comtrade/comtrade_exports_bilateral_2015_2024_refined_metals.csv": "period,reporterCode,partnerCode,flowCode,"
    "classificationCode,cmdCode,netWgt,isNetWgtEstimated,qty,isQtyEstimated,qtyUnitCode,primaryValue,isAggregate",
    "un_comtrade/comtrade_reporter_codes.csv": "code,iso3,name,is_group",
    "un_comtrade/china_2846_rare_earth_compounds_by_partner_2023.csv": "year,reporterCode,reporterISO,flowCode,hs4,partnerCode,"
    "partnerISO,netWgt_kg,isNetWgtEstimated,value_usd",
    "un_comtrade/comtrade_reporter_world_totals_2023_31codes.csv": "refYear,reporterCode,reporterISO,flowCode,cmdCode,primaryValue",
    "usgs/MCS2026_Commodities_Data.csv": "Section,Commodity,Country,Statistics,Statistics_detail,Unit,Year,Value",
    "bgs/BGS_world_mineral_production_1990_2023.csv": "commodity,sub_commodity,country,iso3,year,quantity,units,precision_flag",
    "iea/iea_supply_by_country_2024_2040.csv": "mineral,stage,country,year,kt",
    "ec_crm/fact_GlobalSupplyShares_and_t.csv": "Material,Stage,Country,Share,t",
    "wto_rta/derived_rta_dyads_in_force_2026-02.csv": "iso3_a,iso3_b,strongest_type,first_entry_into_force",
}


def typed_raw(folder: Path) -> Path:
    """A raw data folder in the publishers' layouts in which nobody publishes anything, every country 9,000 km from every other."""
    places = dict.fromkeys(EU, ("150", "EU")) | ELSEWHERE
    for name, header in HEADERS.items():
        _write(folder / "raw" / name, [header.split(",")])
    head = [
        "ISO3166-1-Alpha-3", "ISO3166-1-Alpha-2", "CLDR display name", "UNTERM English Short", "Region Code", "Continent",
        "Least Developed Countries (LDC)",
    ]  # fmt: skip
    _write(
        folder / "raw/countries/country-codes.csv",
        [
            head,
            *([code, code[:2], f"Land of {code}", code, region, where, ""] for code, (region, where) in places.items()),
        ],
    )
    pairs = [(a, b) for a in places for b in places if a != b]
    _write(
        folder / "raw/cerdi_seadistance/CERDI-seadistance.csv",
        [["iso1", "iso2", "seadistance"], *([a, b, 9000] for a, b in pairs)],
    )
    _write(
        folder / "raw/cepii_geodist/dist_cepii_subset.csv",
        [["iso_o", "iso_d", "contig", "dist"], *([a, b, 0, 9000] for a, b in pairs)],
    )
    _write(
        folder / "raw/worldbank_gdp/gdp_current_usd_2015_latest.csv",
        [["Country Name", "Country Code", "Year", "Value"], *([code, code, 2024, 1e12] for code in places)],
    )
    return folder


def _write(path: Path, rows: list[list[object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as out:
        csv.writer(out).writerows(rows)


def toy(raw: Path, out: Path) -> World:
    report = build.build(raw, out, [TOY, sectors.ROOT / sectors.COMMON])
    assert report.failed == []
    return World.load(out)


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> World:
    return toy(typed_raw(tmp_path_factory.mktemp("raw")), tmp_path_factory.mktemp("world"))


def test_the_goods_of_the_folder_are_the_goods_of_the_world(world):
    assert world.goods["id"].to_list() == ["moonstone.ore", "moonstone.metal"]
    assert dict(world.activities.select("id", "level_t").iter_rows()) == pytest.approx(
        {"moonstone.mine@AUS": 400, "moonstone.mine@CHL": 600, "moonstone.smelt@CHN": 500, "moonstone.smelt@DEU": 300}
    )


def test_every_invariant_holds_and_every_invented_figure_is_an_estimate(world):
    assert [item.name for item in check.check(world) if not item.ok] == []
    assert {doubt.table for doubt in doubts.estimates(world)} >= {"goods", "activities", "final_use", "prices"}
    assert "moonstone.smelt@DEU" in [item for doubt in doubts.clipped(world) for item in doubt.items]
    assert "moonstone.mine@CHL" in [item for group in missing.missing(world) for item in group.items]


def test_the_base_is_reproduced_and_a_duty_moves_it(world):
    base = run.clear(world)
    assert float(((base.flows["t"] - base.flows["base_t"]).abs() / base.flows["base_t"]).max()) < 1e-9
    lane = Lane(good="moonstone.metal", exporters=frozenset({"CHN"}), importers=frozenset({"USA"}))
    duty = run.clear(world, extra=[Tariff(clause="test", lane=lane, rate=0.5, adds=True)])
    shipped = dict(zip(zip(duty.flows["good"], duty.flows["exporter"], duty.flows["importer"]), duty.flows["t"]))
    before = dict(zip(zip(base.flows["good"], base.flows["exporter"], base.flows["importer"]), base.flows["t"]))
    assert shipped["moonstone.metal", "CHN", "USA"] < before["moonstone.metal", "CHN", "USA"]
    assert shipped["moonstone.metal", "DEU", "USA"] > before["moonstone.metal", "DEU", "USA"]


def test_the_chain_is_shown_with_its_source(world):
    rows = show.show(world, "moonstone")
    assert {row["good"] for row in rows} == {"moonstone.ore", "moonstone.metal"}
    assert "toy.invented" in {part for row in rows for part in str(row["source"]).split("+")}


def test_the_same_folder_gives_the_same_bytes(world, tmp_path):
    raw = typed_raw(tmp_path / "raw")
    toy(raw, tmp_path / "first")
    toy(raw, tmp_path / "second")
    for path in (tmp_path / "first").iterdir():
        assert path.read_bytes() == (tmp_path / "second" / path.name).read_bytes(), path.name


@needs_raw
def test_the_publishers_files_build_the_same_sector(tmp_path):
    built = toy(RAW, tmp_path / "world")
    assert built.goods["id"].to_list() == ["moonstone.ore", "moonstone.metal"]
    assert run.clear(built).status.startswith("solved")


# -- the folder itself --------------------------------------------------------------------------------------------------


def problems(folder: Path) -> list[tuple[str, str]]:
    with pytest.raises(InputRefused) as caught:
        plan_tables.beside_those_that_ship([folder])
    return [(problem.code, problem.hint) for problem in caught.value.problems]


def test_a_sound_folder_stands_between_the_shipped_sectors_and_the_common_tables():
    assert plan_tables.beside_those_that_ship([TOY]) == (*sectors.shipped()[:-1], TOY, sectors.ROOT / sectors.COMMON)


def test_every_fault_of_a_folder_comes_at_once(tmp_path):
    folder = tmp_path / "toy"
    shutil.copytree(TOY, folder)
    (folder / "recipes.csv").unlink()
    (folder / "level.csv").write_text("process\n", encoding="utf-8")
    text = (folder / "goods.csv").read_text(encoding="utf-8")
    (folder / "goods.csv").write_text(text.replace("hs6", "hs_6"), encoding="utf-8")
    found = problems(folder)
    assert [code for code, _ in found] == ["no-table", "unknown-column", "missing-column", "unknown-table"]
    assert "did you mean 'hs6'?" in found[1]
    assert "did you mean 'levels'?" in found[3]
    assert problems(tmp_path / "nowhere") == [("no-sector", "")]


@pytest.mark.parametrize("name", [*sectors.SHIPPED, sectors.COMMON])
def test_every_shipped_folder_holds_known_tables_and_columns(name):
    found = [problem for problem in plan_tables.problems_of(sectors.ROOT / name) if problem.code != "no-table"]
    assert [f"{problem.place or ''} {problem.message}" for problem in found] == []


def test_a_sector_of_ones_own_needs_a_folder_of_its_own(capsys, tmp_path):
    from friendshore.cli import main

    with pytest.raises(SystemExit) as left:
        main(["world", "build", str(typed_raw(tmp_path)), "--sector", str(TOY)])
    assert left.value.code == 2
    assert "--out" in capsys.readouterr().err


def test_build_takes_a_sector_beside_those_that_ship(monkeypatch, tmp_path):
    from friendshore.cli import main

    asked = []

    def noted(raw: Path, out: Path, plan: tuple[Path, ...] | None, **_: object) -> None:
        asked.append(plan)
        raise InputRefused.because("enough", "seen")

    monkeypatch.setattr("friendshore.world.build.build", noted)
    with pytest.raises(SystemExit):
        main(["world", "build", str(tmp_path), "--sector", str(TOY), "--out", str(tmp_path / "out")])
    assert asked == [plan_tables.beside_those_that_ship([TOY])]


def test_every_table_and_column_of_a_plan_has_its_line_on_the_page():
    text = PAGE.read_text(encoding="utf-8")
    parts = re.split(r"^### `(\w+)`", text, flags=re.MULTILINE)
    told = {name: set(re.findall(r"`(\w+)`", body)) for name, body in zip(parts[1::2], parts[2::2], strict=True)}
    assert set(told) == set(plan_tables.TABLES)
    for table, columns in plan_tables.TABLES.items():
        plain = set(columns) - set(plan_tables.ORIGIN)
        assert plain <= told[table], f"{table}: {sorted(plain - told[table])}"


def test_every_table_that_the_build_reads_is_one_that_a_folder_may_hold():
    read = set()
    for path in Path(build.__file__).parent.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        read |= set(re.findall(r"""sectors\.(?:rows|keyed)\("(\w+)\"""", text))
        read |= {f"parameters_{name}" for name in re.findall(r"""_plan(?:_rows)?\("(\w+)\"""", text)}
    assert len(read) > 25
    assert read - set(plan_tables.TABLES) == set()


def test_the_toy_names_no_mineral_that_ships(world):
    shipped = World.load()
    assert not set(world.goods["mineral"]) & set(shipped.goods["mineral"])
    assert isinstance(world.goods, pl.DataFrame)
