"""Readers: each publisher's traps, and no row or dollar lost."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from friendshore.errors import InputRefused
from friendshore.world import readers

RAW = Path(os.environ.get("FRIENDSHORE_DATA", Path(__file__).parents[2] / "shared" / "data"))
needs_raw = pytest.mark.skipif(not (RAW / "raw").is_dir(), reason="the raw data folder is not here")


@pytest.fixture
def known():
    codes = {
        "CHN": "China",
        "USA": "United States",
        "NAM": "Namibia",
        "COD": "Congo - Kinshasa",
        "COG": "Congo",
        "NOR": "Norway",
        "TWN": "Taiwan",
    }
    return readers.Countries(codes, {"CN": "CHN", "NA": "NAM", "US": "USA"}, {}, dict.fromkeys(codes, "XAS"))


def _file(folder, text, name="file.csv", encoding="utf-8"):
    path = folder / name
    path.write_text(text, encoding=encoding)
    return path


def test_baci_reads_taiwan_and_keeps_a_missing_weight_missing(tmp_path, known):
    text = "year,exporter,importer,hs6,material,value_kusd,qty_t\n2024,CHN,S19,740311,copper,10,2\n2024,CHN,USA,740311,copper,5,\n"
    found = readers.baci(_file(tmp_path, text), known)
    assert found.table["importer"].to_list() == ["TWN", "USA"]
    assert found.table["tonnes"].to_list() == [2.0, None]
    assert found.adds_up()


def test_comtrade_refuses_aggregates_world_rows_and_unknown_places_by_line(tmp_path, known):
    head = "period,reporterISO,partnerISO,cmdCode,netWgt,qty,qtyUnitCode,primaryValue\n"
    rows = [
        "2024,CHN,COD,810520,1000,,8,50",  # kept
        "2024,EUR,COD,810520,1000,,8,60",  # the EU total beside its members
        "2024,R4 ,COD,810520,1000,,8,70",  # the ASEAN total
        "2024,CHN,W00,810520,1000,,8,80",  # the world
        "2024,CHN,CHN,810520,1000,,8,90",  # re-import
        "2024,CHN,_X,810520,1000,,8,100",  # not specified
        "2024,CHN,ATL,810520,1000,,8,110",  # no such place
        "2023,CHN,COD,810520,1000,,8,120",  # another year
        "2024,CHN,F19,810520,,3000,8,130",  # other Africa, weight in qty
        "2024,CHN,NOR,810520,1000,,8,-5",  # negative
    ]
    found = readers.comtrade_imports(_file(tmp_path, head + "\n".join(rows) + "\n"), known, "2024", ["810520"])
    assert found.table["exporter"].to_list() == ["COD", "XAF"]
    assert found.table["tonnes"].to_list() == [1.0, 3.0]
    reasons = {(r.line, r.reason) for r in found.refused}
    assert {
        (3, "aggregate of countries"),
        (4, "aggregate of countries"),
        (5, "world total"),
        (6, "re-import"),
    } <= reasons
    assert {
        (7, "area not specified"),
        (8, "unknown country"),
        (9, "another year"),
        (11, "negative or not finite"),
    } <= reasons
    assert found.rows == 10
    assert found.adds_up()


def test_usgs_withheld_is_not_zero_and_a_dash_is(tmp_path, known):
    head = "Commodity,Section,Country,Statistics_detail,Unit,Year,Value\n"
    world = "World Mine Production"
    rows = [
        f'Zinc,{world},China,Mine production,metric tons,2024,"1,200"', f"Zinc,{world},United States,Mine production,metric tons,2024,W",
        f"Zinc,{world},Norway,Mine production,metric tons,2024,\u2014", f"Zinc,{world},Other countries,Mine production,metric tons,2024,300",
        f"Zinc,{world},World total,Mine production,metric tons,2024,1500",
    ]  # fmt: skip
    path = _file(tmp_path, head + "\n".join(rows) + "\n", encoding="cp1252")
    named = readers.Countries(
        known.by_code, known.by_alpha2, {name: code for code, name in known.by_code.items()}, known.region
    )
    found = readers.usgs(path, named)
    assert dict(found.table.select("country", "amount").iter_rows()) == {"CHN": 1200.0, "NOR": 0.0}
    assert [r.reason for r in found.refused] == ["withheld", "aggregate of countries", "world total"]
    assert readers.usgs_other(found, path, "Zinc", "Mine production") == 300.0
    assert found.adds_up()


def test_bgs_tells_the_two_congos_apart(tmp_path, known):
    head = "commodity,sub_commodity,country,iso3,year,quantity,precision_flag\n"
    rows = [
        "copper,,Congo,COD,2023,8,",
        'copper,,"Congo, Democratic Republic",COD,2023,2210,',
        "copper,,China,CHN,2023,,Figures not available",
    ]
    named = readers.Countries(known.by_code, known.by_alpha2, {"China": "CHN"}, known.region)
    found = readers.bgs(_file(tmp_path, head + "\n".join(rows) + "\n"), named)
    assert dict(found.table.select("country", "amount").iter_rows()) == {"COG": 8.0, "COD": 2210.0}
    assert found.refused[0].reason == "not available"


def test_na_is_namibia(known):
    assert known.alpha2("NA", "iso2") == "NAM"


def test_a_share_below_precision_is_not_zero(tmp_path, known):
    text = "Material,Stage,Country,Share,t\nZinc,P,CHN,45.0%,1\nZinc,P,NOR,<0.1%,1\n"
    found = readers.ec_shares(_file(tmp_path, text), known)
    assert found.table["amount"].to_list() == [45.0]
    assert found.refused[0].reason == "below precision"


def test_a_file_of_another_layout_is_refused_with_every_missing_column(tmp_path, known):
    with pytest.raises(InputRefused) as refusal:
        readers.baci(_file(tmp_path, "t,i,j,k,v,q\n2024,156,842,740311,1,2\n"), known)
    assert {p.path for p in refusal.value.problems} == {"exporter", "importer", "hs6", "value_kusd", "qty_t"}


@needs_raw
def test_every_row_and_dollar_of_the_raw_files_is_read_or_refused():
    listed = readers.countries(RAW)
    trade, comtrade = RAW / "raw/cepii_baci", RAW / "raw/un_comtrade"
    found = [
        readers.baci(trade / "BACI_HS17_V202601_Y2024_30hs6.csv", listed),
        readers.reporter_totals(comtrade / "comtrade_reporter_world_totals_2023_31codes.csv", listed, ["260300"]),
        readers.partner_star(comtrade / "china_2846_rare_earth_compounds_by_partner_2023.csv", listed, "X"),
        readers.margins(trade / "BACI_V202601_margins_2024_base_and_minor_metals.csv", listed, "2024"),
        readers.usgs(RAW / "raw/usgs/MCS2026_Commodities_Data.csv", listed),
        readers.bgs(RAW / "raw/bgs/BGS_world_mineral_production_1990_2023.csv", listed),
        readers.iea(RAW / "raw/iea/iea_supply_by_country_2024_2040.csv", listed),
        readers.ec_shares(RAW / "raw/ec_crm/fact_GlobalSupplyShares_and_t.csv", listed),
    ]
    assert all(reading.adds_up() for reading in found)
    assert found[0].rows == 21723
    for reading in found:
        assert not [r for r in reading.refused if r.reason == "unknown country"]
