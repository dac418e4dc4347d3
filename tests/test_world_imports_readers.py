"""Downloads in the publishers' layouts: small files typed for the purpose, and the real ones where they are at hand."""

from __future__ import annotations

import gzip
import json
import os
import zipfile
from collections import Counter
from pathlib import Path

import polars as pl
import pytest

from friendshore.errors import InputRefused
from friendshore.world.imports import baci, comtrade, pink_sheet, places, usgs, wits
from friendshore.world.imports.numbers import Numbers
from friendshore.world.imports.rows import Import, Unreadable

HERE = Path(__file__).parent / "imports"
RAW = Path(os.environ.get("FRIENDSHORE_DATA", Path(__file__).resolve().parents[2] / "shared/data")) / "raw"
real = pytest.mark.skipif(not RAW.is_dir(), reason="no raw data beside the repository")


def every(product: str) -> bool:
    return True


def cells(one: Import, *columns: str) -> set[tuple[object, ...]]:
    return set(one.table.select(columns).iter_rows())


def reasons(one: Import) -> dict[int, str]:
    return {row.line: row.reason for row in one.refused}


# --- countries ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "code"),
    [
        ("842", "USA"), ("840", "USA"), ("251", "FRA"), ("579", "NOR"), ("699", "IND"), ("757", "CHE"), ("490", "TWN"), ("S19", "TWN"),
        ("516", "NAM"), ("Namibia", "NAM"), ("Congo, Dem. Rep.", "COD"), ("Congo, Rep.", "COG"), ("Korea, Rep.", "KOR"),
        ("Cote d'Ivoire", "CIV"), ("Burma", "MMR"), ("Türkiye", "TUR"), ("Turkey", "TUR"), ("004", "AFG"), ("4", "AFG"),
        ("568", "XEU"), ("577", "XAF"), ("899", "XNS"), ("837", "XNS"), ("0", "WLD"), ("World", "WLD"), ("97", "GRP"),
        ("European Union", "GRP"), ("993", None), ("", None),
    ],
)  # fmt: skip
def test_a_code_or_a_name_means_one_country(word: str, code: str | None) -> None:
    assert places.listed().find(word) == code


def test_na_is_namibia_in_a_column_of_two_letters_and_nothing_in_any_other() -> None:
    assert places.listed().find2("NA") == "NAM"
    assert places.listed().find("NA") is None


def test_every_country_belongs_to_a_remainder() -> None:
    listed = places.listed()
    assert {listed.remainder[code] for code in listed.alpha2.values()} == {"XAF", "XAM", "XAS", "XEU", "XOC"}
    assert len(listed.alpha2) >= 240


# --- numbers --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shown", "text", "value"),
    [
        ([], "1234.5", 1234.5), ([], "1,234.5", 1234.5), ([], "1.234,5", 1234.5), ([], "12,5", 12.5), ([], "1 234,5", 1234.5),
        ([], "1\u202f234", 1234.0), ([], "1,234,567", 1234567.0), ([], "0,123", 0.123), ([], "1e3", 1000.0),
        (["7,25"], "1,234", 1.234), (["1,234.5"], "1,234", 1234.0), (["7,25"], "1.234", 1234.0),
        ([], "", None), ([], "NA", None), ([], " NA ", None), ([], "..", None),
    ],
)  # fmt: skip
def test_a_number_reads_as_its_file_writes_numbers(shown: list[str], text: str, value: float | None) -> None:
    assert Numbers.of([*shown, text]).read(text, "v") == value


@pytest.mark.parametrize(
    ("shown", "text", "reason"),
    [
        ([], "1,234", "reads two ways"), (["7,25", "7.25"], "1.234", "reads two ways"), ([], "-5", "negative"), ([], "1e400", "not finite"),
        ([], "12,34,567", "not a number"), ([], "abc", "not a number"), ([], "1 23", "not a number"), ([], "nan5", "not a number"),
    ],
)  # fmt: skip
def test_a_text_that_is_no_number_or_two_is_refused(shown: list[str], text: str, reason: str) -> None:
    with pytest.raises(Unreadable, match=reason):
        Numbers.of([*shown, text]).read(text, "v")


# --- BACI -----------------------------------------------------------------------------------------------------------


def test_baci_in_its_own_layout() -> None:
    one = baci.read(HERE / "baci/BACI_HS17_Y2024_V202601.csv", every)
    assert (one.rows, one.table.height, one.refused, one.adds_up()) == (13, 13, (), True)
    found = cells(one, "exporter", "importer", "hs6", "tonnes", "amount")
    assert ("CHL", "CHN", "740311", 1000.0, 9_200_500.0) in found
    assert ("CHL", "USA", "740311", 200.0, 1_840_000.0) in found  # 842
    assert ("CHN", "TWN", "850511", None, 1_070_000.0) in found  # 490; a quantity of NA is none
    assert ("NAM", "CHN", "740311", 100.0, 920_000.0) in found  # whose alpha-2 is NA
    assert ("JPN", "USA", "850511", None, 700_000.0) in found  # a weight of zero is not reported
    assert ("AUS", "USA", "010121", 5.0, 55_000.0) in found  # the nought that a spreadsheet took


def test_baci_with_countries_in_two_letters_has_namibia(tmp_path: Path) -> None:
    rows = ["t,i,j,k,v,q", "2024,CL,CN,740311,9200,1000", "2024,NA,CN,740311,920,100", "2024,CD,NA,740311,9,NA"]
    (tmp_path / "t.csv").write_text("\n".join(rows) + "\n")
    one = baci.read(tmp_path / "t.csv", every)
    assert cells(one, "exporter", "importer", "tonnes") == {
        ("CHL", "CHN", 1000.0),
        ("NAM", "CHN", 100.0),
        ("COD", "NAM", None),
    }
    assert (one.unknown, one.refused) == ({}, ())


def test_one_country_under_two_codes_of_baci_is_counted_once(tmp_path: Path) -> None:
    rows = [
        "t,i,j,k,v,q",
        "2024,152,842,740311,9200,1000",
        "2024,152,840,740311,9200,1000",
        "2024,152,156,740311,9200,1000",
    ]
    (tmp_path / "t.csv").write_text("\n".join(rows) + "\n")
    one = baci.read(tmp_path / "t.csv", every)
    assert reasons(one) == {3: "one country under two codes: the same trade stands on line 2"}
    assert one.read_amount == one.refused_amount * 2 == 18_400_000.0


def test_codes_of_nobody_are_kept_in_value_and_named() -> None:
    one = baci.read(HERE / "baci/BACI_HS17_Y2024_V202601.csv", every)
    assert one.unknown == {"899": (1, 40_000.0), "993": (1, 10_000.0)}
    assert one.lost_to_unknown == 0.0
    nowhere = one.table.filter(pl.col("importer") == "XNS")
    assert nowhere["amount"].sum() == 50_000.0


def test_sound_rows_of_other_products_and_years_are_summed_not_lost() -> None:
    one = baci.read(HERE / "baci/BACI_HS17_Y2024_V202601.csv", lambda product: product == "740311", "2024")
    assert one.aside == {"another product": (8, 7_595_000.0)}
    assert one.table.height == 5
    two = baci.read(HERE / "baci/BACI_HS17_Y2024_V202601.csv", lambda product: product == "740311", "2023")
    assert two.aside["another year than 2023"][0] == 5


def test_a_product_that_the_release_does_not_list_is_of_another_edition(tmp_path: Path) -> None:
    for file in (HERE / "baci").iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    table = tmp_path / "BACI_HS17_Y2024_V202601.csv"
    table.write_text(table.read_text() + "2024,152,156,811299,100,1\n")
    one = baci.read(table, every)
    assert "another HS edition" in reasons(one)[15]
    assert one.refused_amount == 100_000.0


def test_the_release_s_own_codes_are_asked_first(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("t,i,j,k,v,q\n2024,999,156,740311,1,1\n")
    assert baci.read(tmp_path / "t.csv", every).unknown == {"999": (1, 1000.0)}
    (tmp_path / "country_codes_V209901.csv").write_text(
        "country_code,country_name,country_iso2,country_iso3\n999,Namibia,NA,NAM\n"
    )
    assert cells(baci.read(tmp_path / "t.csv", every), "exporter") == {("NAM",)}


def test_archives_and_parquet_hold_the_same_table(tmp_path: Path) -> None:
    plain = HERE / "baci/BACI_HS17_Y2024_V202601.csv"
    packed, zipped, columns = tmp_path / "b.csv.gz", tmp_path / "b.zip", tmp_path / "b.parquet"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    with zipfile.ZipFile(zipped, "w") as archive:
        for file in sorted((HERE / "baci").iterdir()):
            archive.write(file, file.name)
    pl.read_csv(plain, null_values=["NA"]).with_columns(
        pl.col("q").str.strip_chars().cast(pl.Float64, strict=False)
    ).write_parquet(columns)
    table = baci.read(plain, every).table
    for path in (packed, zipped, columns):
        assert baci.read(path, every).table.equals(table), path.name


# --- Comtrade -------------------------------------------------------------------------------------------------------


def test_comtrade_tells_every_trade_once() -> None:
    one = comtrade.read(HERE / "comtrade_new.csv", every)
    assert (one.rows, one.table.height, len(one.refused), one.adds_up()) == (15, 7, 8, True)
    assert cells(one, "exporter", "importer", "tonnes", "amount", "side") == {
        ("CHL", "USA", 200.0, 1_850_000.0, "importer"), ("FRA", "USA", 10.0, 95_000.0, "importer"),
        ("TWN", "USA", None, 5_000.0, "importer"), ("USA", "CHE", 1.0, 9_500.0, "exporter"),
        ("NAM", "FRA", 3.0, 27_600.0, "importer"), ("XNS", "FRA", 0.07, 650.0, "importer"), ("USA", "FRA", 0.02, 190.0, "importer"),
    }  # fmt: skip
    said = reasons(one)
    assert "world total" in said[2]
    assert "second partner" in said[4]
    assert "customs procedure" in said[5]
    assert "re-imports" in said[8]
    assert "re-exports" in said[10]
    assert "group of countries" in said[11]
    assert "newer HS edition" in said[12]
    assert "two codes" in said[16]


def test_parts_are_added_where_no_total_stands(tmp_path: Path) -> None:
    lines = (HERE / "comtrade_new.csv").read_text().splitlines()
    sea, air = (
        lines[4].replace("C01,Import for home use,0,2100", "C00,TOTAL,0,2100"),
        lines[4].replace("C01,Import for home use,0,2100", "C00,TOTAL,0,1000").replace("1390000", "10000"),
    )
    (tmp_path / "c.csv").write_text("\n".join([lines[0], sea, air]) + "\n")
    one = comtrade.read(tmp_path / "c.csv", every)
    assert (one.table.height, one.refused, one.read_amount) == (2, (), 1_400_000.0)


def test_months_are_added_and_give_way_to_their_year(tmp_path: Path) -> None:
    lines = (HERE / "comtrade_new.csv").read_text().splitlines()
    months = [
        lines[2].replace("20240101,2024,52,2024", f"202401{m:02d},2024,{m},2024{m:02d}").replace("C,A,", "C,M,")
        for m in (1, 2)
    ]
    (tmp_path / "m.csv").write_text("\n".join([lines[0], *months]) + "\n")
    assert comtrade.read(tmp_path / "m.csv", every).read_amount == 2 * 1_850_000.0
    (tmp_path / "y.csv").write_text("\n".join([lines[0], *months, lines[2]]) + "\n")
    one = comtrade.read(tmp_path / "y.csv", every)
    assert one.read_amount == 1_850_000.0
    assert all("year's total" in row.reason for row in one.refused)


def test_a_heading_gives_way_to_its_codes(tmp_path: Path) -> None:
    lines = (HERE / "comtrade_new.csv").read_text().splitlines()
    (tmp_path / "h.csv").write_text(
        "\n".join([lines[0], lines[2], lines[2].replace("740311", "7403").replace("1850000", "1900000")]) + "\n"
    )
    one = comtrade.read(tmp_path / "h.csv", every)
    assert one.read_amount == 1_850_000.0
    assert [row.reason for row in one.refused] == ["a heading's total: its codes stand beside it"]


def test_comtrade_s_classic_layout() -> None:
    one = comtrade.read(HERE / "comtrade_classic.csv", every)
    assert cells(one, "year", "exporter", "importer", "tonnes", "amount") == {
        ("2019", "NCL", "IND", 4.0, 8000.0), ("2019", "PHL", "IND", 1.2, 2400.0),  # the second has its weight as quantity
    }  # fmt: skip
    assert set(reasons(one)) == {2, 5}


@pytest.mark.parametrize("name", ["comtrade_new.json", "comtrade_classic.json"])
def test_comtrade_s_json(name: str) -> None:
    one = comtrade.read(HERE / name, every)
    assert one.adds_up()
    assert [row.reason for row in one.refused] == ["a world total: it stands beside its parts"]
    expected = {("TJK", "DEU", 0.02), ("NAM", "DEU", 0.01)} if "new" in name else {("NOR", "CHN", 0.9)}
    assert cells(one, "exporter", "importer", "tonnes") == expected


def test_an_answer_shorter_than_it_says_is_refused(tmp_path: Path) -> None:
    document = json.loads((HERE / "comtrade_new.json").read_text())
    document["data"].pop()
    (tmp_path / "short.json").write_text(json.dumps(document))
    with pytest.raises(InputRefused, match="says that it has 3 rows and holds 2"):
        comtrade.read(tmp_path / "short.json", every)


# --- WITS, USGS, Pink Sheet -----------------------------------------------------------------------------------------


def test_wits_by_product() -> None:
    one = wits.read(HERE / "wits_by_hs6product.csv", every)
    assert one.adds_up()
    assert cells(one, "exporter", "importer", "tonnes", "amount", "side") == {
        ("TJK", "CHN", 38.0, 800_250.0, "importer"), ("COD", "CHN", 19.0, 400_000.0, "importer"),
        ("TWN", "CHN", 0.5, 10_500.0, "importer"), ("KOR", "CHN", None, 0.0, "importer"), ("CHN", "XNS", 0.2, 5_000.0, "exporter"),
    }  # fmt: skip
    assert {line: reason.split(":")[0] for line, reason in reasons(one).items()} == {
        2: "a world total",
        5: "a group of countries",
    }


def test_usgs_world_data_keeps_withheld_missing_and_zero_apart() -> None:
    one = usgs.read(HERE / "usgs_world_data.csv")
    assert one.years == ("2024",)
    assert cells(one, "commodity", "country", "amount") == {
        ("Antimony", "TJK", 17000.0),
        ("Antimony", "BOL", 3700.0),
        ("Gallium", "JPN", 3.0),
    }
    said = Counter(row.reason.split(":")[0] for row in one.refused)
    assert said == {
        "withheld by the publisher": 1,
        "not available": 1,
        "other countries together": 1,
        "a world total": 1,
    }
    assert one.aside == {"in million carats": (1, 0.0)}
    assert usgs.read(HERE / "usgs_world_data.csv", "2023").table["amount"].sum() == 17600.0 + 4200.0 + 500.0 + 3.0


def test_usgs_data_release_in_its_own_encoding() -> None:
    one = usgs.read(HERE / "usgs_data_release.csv")
    assert cells(one, "country", "detail", "amount") == {
        ("CHL", "Mine production", 5.3e6), ("PAN", "Mine production", 0.0), ("COD", "Mine production", 3.3e6),
    }  # fmt: skip
    assert usgs.read(HERE / "usgs_data_release.csv", "2025").table["amount"].to_list() == [5.31e6]
    with pytest.raises(InputRefused, match="no output of 2030"):
        usgs.read(HERE / "usgs_data_release.csv", "2030")


def workbook(path: Path, sheet: str, grid: list[list[object]], merged: tuple[str, ...] = ()) -> Path:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.active.title = "AFOSHEET"
    page = book.create_sheet(sheet)
    for row in grid:
        page.append(row)
    for area in merged:
        page.merge_cells(area)
    book.save(path)
    return path


def months(year: int, prices: list[object]) -> list[list[object]]:
    return [[f"{year}M{month:02d}", price, 2.0, 1000.0, 50.0] for month, price in enumerate(prices, start=1)]


HEAD: list[list[object]] = [
    ["World Bank Commodity Price Data (The Pink Sheet)"],
    ["monthly prices in nominal US dollars"],
    [None, "Copper ", "Rubber, RSS3 **", "Platinum", "Crude oil, Brent"],
    [None, "($/mt)", "($/kg)", "($/troy oz)", "($/bbl)"],
]


def test_pink_sheet_of_months_gives_the_mean_of_the_year(tmp_path: Path) -> None:
    grid = [*HEAD, *months(2023, [8000.0] * 12), *months(2024, [9000.0, 9300.0, "…", *[9150.0] * 9])]
    one = pink_sheet.read(workbook(tmp_path / "monthly.xlsx", "Monthly Prices", grid))
    found = {row["series"]: row for row in one.table.iter_rows(named=True)}
    assert (found["Copper"]["amount"], found["Copper"]["months"], found["Copper"]["year"]) == (9150.0, 11, "2024")
    assert found["Rubber, RSS3"]["amount"] == 2000.0
    assert found["Platinum"]["amount"] == pytest.approx(1000.0 / 31.1034768e-6)
    assert one.aside == {"not a price per mass: ($/bbl)": (1, 0.0)}
    assert one.adds_up()
    assert (
        pink_sheet.read(tmp_path / "monthly.xlsx", "2023").table.filter(pl.col("series") == "Copper")["amount"].item()
        == 8000.0
    )


def test_pink_sheet_of_years_with_merged_headings(tmp_path: Path) -> None:
    grid: list[list[object]] = [
        ["World Bank Commodity Price Data (The Pink Sheet)"], [None, "Metals", None, "Energy"],
        [None, "Copper", "Tin", "Natural gas", None], [None, "($/mt)", "($/mt)", "($/mmbtu)", "($/kg)"],
        [2023, 8490.0, 25938.0, 2.5, 0.3], [2024, 9142.0, 30066.0, 2.2, 0.4],
    ]  # fmt: skip
    path = workbook(tmp_path / "annual.xlsx", "Annual Prices (Nominal)", grid, ("B2:C2", "D2:E2", "D3:E3"))
    one = pink_sheet.read(path)
    assert cells(one, "series", "amount", "months") == {
        ("Copper", 9142.0, 12),
        ("Tin", 30066.0, 12),
        ("Natural gas", 400.0, 12),
    }


def test_a_workbook_without_prices_or_cut_short_is_refused(tmp_path: Path) -> None:
    path = workbook(tmp_path / "other.xlsx", "Sheet of something", HEAD)
    with pytest.raises(InputRefused, match="no sheet of prices"):
        pink_sheet.read(path)
    cut = tmp_path / "cut.xlsx"
    cut.write_bytes(path.read_bytes()[:1500])
    with pytest.raises(InputRefused, match="damaged"):
        pink_sheet.read(cut)
    with pytest.raises(InputRefused, match="no prices of 1950"):
        pink_sheet.read(workbook(tmp_path / "m.xlsx", "Monthly Prices", [*HEAD, *months(2024, [1.0])]), "1950")


# --- the real files -------------------------------------------------------------------------------------------------


@real
def test_the_real_baci_file_is_read_whole() -> None:
    one = baci.read(RAW / "cepii_baci/BACI_HS17_V202601_Y2024_30hs6.csv", every)
    assert (one.rows, one.table.height, one.refused, one.unknown, one.adds_up()) == (21723, 21723, (), {}, True)
    assert one.amount == pytest.approx(297_628_363_051.0, rel=1e-12)


@real
def test_the_real_comtrade_imports_add_up() -> None:
    path = RAW / "un_comtrade/comtrade_imports_bilateral_hs6_2018_2024_battery_chain.csv"
    one = comtrade.read(path, lambda product: product.startswith("8105"), "2024")
    assert one.rows == 173_730
    assert one.adds_up()
    assert one.lost_to_unknown == 0.0
    assert {row.reason.split(":")[0] for row in one.refused} == {
        "a group of countries",
        "a country's trade with itself",
    }


@real
def test_world_rows_of_the_real_nickel_file_equal_what_stands_beside_them() -> None:
    one = comtrade.read(RAW / "un_comtrade/UN_nickel_trade_260400_750110_2000_2024.csv", every, "2013")
    totals = sum(row.amount for row in one.refused if "world total" in row.reason)
    selves = sum(row.amount for row in one.refused if "itself" in row.reason)
    assert one.read_amount + selves == pytest.approx(totals, rel=1e-6)


@real
def test_the_real_usgs_and_pink_sheet_give_known_figures() -> None:
    one = usgs.read(RAW / "usgs/MCS2026_Commodities_Data.csv")
    cobalt = one.table.filter((pl.col("commodity") == "Cobalt") & (pl.col("country") == "COD"))
    assert cobalt["amount"].to_list() == [226_000.0]
    wide = usgs.read(RAW / "usgs/MCS2025_World_Data.csv")
    assert wide.table.filter((pl.col("commodity") == "Cobalt") & (pl.col("country") == "COD"))["amount"].to_list() == [
        220_000.0
    ]
    pytest.importorskip("openpyxl")
    sheet = pink_sheet.read(RAW / "worldbank_pinksheet/CMO-Historical-Data-Monthly_2026-06.xlsx")
    found = dict(sheet.table.select("series", "amount").iter_rows())
    assert found["Copper"] == pytest.approx(9142.14, abs=0.01)
    assert found["Nickel"] == pytest.approx(16_814.0, abs=0.1)
