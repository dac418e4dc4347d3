"""Broken downloads, typed for the purpose: each ends in named refusals and right totals, never in a silent loss."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from friendshore.errors import InputRefused
from friendshore.world.imports import baci, comtrade, pink_sheet, usgs, wits
from friendshore.world.imports.rows import Import

HERE = Path(__file__).parent / "imports"


def every(product: str) -> bool:
    return True


READERS: dict[str, Callable[[Path], Import]] = {
    "baci/BACI_HS17_Y2024_V202601.csv": lambda path: baci.read(path, every),
    "comtrade_new.csv": lambda path: comtrade.read(path, every),
    "comtrade_classic.csv": lambda path: comtrade.read(path, every),
    "comtrade_new.json": lambda path: comtrade.read(path, every),
    "comtrade_classic.json": lambda path: comtrade.read(path, every),
    "wits_by_hs6product.csv": lambda path: wits.read(path, every),
    "usgs_world_data.csv": usgs.read,
    "usgs_data_release.csv": usgs.read,
}

HEADING = "t,i,j,k,v,q"
SOUND = ["2024,152,156,740311,9200.5,1000", "2024,180,156,740311,4550,500", "2024,516,842,740311,930.25,100"]
TOTAL = 14_680_750.0


@dataclass(frozen=True)
class Case:
    """A broken file: its bytes, the rows that must be read, refusals by line, and the value of rows not refused, USD."""

    data: bytes
    read: int
    refused: dict[int, str]
    amount: float = TOTAL
    remark: str = ""


def text(*lines: str, end: str = "\n") -> bytes:
    return (end.join(lines) + end).encode()


def semicolons(line: str) -> str:
    return line.replace(",", ";").replace(".", ",")


CASES = {
    "as it should be": Case(text(HEADING, *SOUND), 3, {}),
    "a mark of byte order": Case(b"\xef\xbb\xbf" + text(HEADING, *SOUND), 3, {}),
    "UTF-16 out of a spreadsheet": Case(text(HEADING, *SOUND).decode().encode("utf-16"), 3, {}, remark="UTF-16"),
    "line breaks of Windows": Case(text(HEADING, *SOUND, end="\r\n"), 3, {}),
    "tabulators": Case(text(HEADING, *SOUND).replace(b",", b"\t"), 3, {}),
    "decimal commas between semicolons": Case(
        text(*(semicolons(line) for line in (HEADING, *SOUND))), 3, {}, remark="decimal commas"
    ),
    "thousands apart by commas": Case(text(HEADING, '2024,152,156,740311,"9,200.5","1,000"', *SOUND[1:]), 3, {}),
    "thousands apart by thin spaces": Case(
        text(HEADING, "2024,152,156,740311,9\u202f200.5,1\u202f000", *SOUND[1:]), 3, {}
    ),
    "a number that other numbers settle": Case(
        text(HEADING, *SOUND, '2024,152,36,740311,"9,200",1'), 4, {}, TOTAL + 9_200_000.0
    ),
    "a number that reads two ways": Case(
        text(HEADING, SOUND[1], '2024,152,36,740311,"9,200",1'),
        1,
        {3: "reads two ways, as thousands or as decimals"},
        4_550_000.0,
    ),
    "lines above the heading": Case(
        text("Gaulier and Zignago", "", HEADING, *SOUND), 3, {}, remark="2 lines above the heading"
    ),
    "two headings": Case(
        text(HEADING, "year,exporter,importer,product,thousand USD,tonnes", *SOUND), 3, {2: "a second heading"}
    ),
    "two files, one after the other": Case(text(HEADING, *SOUND[:2], HEADING, SOUND[2]), 3, {4: "a second heading"}),
    "a cell too many": Case(
        text(HEADING, *SOUND, "0,2024,152,36,740311,50,5"),
        3,
        {5: "7 cells where the heading has 6: shifted or cut short"},
    ),
    "a cell too few": Case(
        text(HEADING, *SOUND, "2024,152,740311,50,5"), 3, {5: "5 cells where the heading has 6: shifted or cut short"}
    ),
    "shifted by one within the row": Case(text(HEADING, *SOUND, "152,36,740311,50,5,2024"), 3, {5: "not a year"}),
    "a note below": Case(
        text(HEADING, *SOUND, "Source: CEPII"), 3, {5: "1 cells where the heading has 6: shifted or cut short"}
    ),
    "an open quotation mark": Case(
        text(HEADING, SOUND[0], '2024,180,156,740311,"4550,500', SOUND[2]),
        2,
        {3: "a quotation mark is left open"},
        TOTAL - 4_550_000.0,
    ),
    "the world as a partner": Case(
        text(HEADING, *SOUND, "2024,152,0,740311,14680,1600"), 3, {5: "a world total: it stands beside its parts"}
    ),
    "a union as a partner": Case(
        text(HEADING, *SOUND, "2024,152,97,740311,50,5"), 3, {5: "a group of countries: it stands beside its members"}
    ),
    "the same row twice": Case(text(HEADING, *SOUND, SOUND[1]), 3, {5: "the same row stands on line 3"}),
    "the same trade with another value": Case(
        text(HEADING, *SOUND, "2024,180,156,740311,4551,500"),
        3,
        {5: "the same trade with another value stands on line 3"},
    ),
    "trade with itself": Case(
        text(HEADING, *SOUND, "2024,156,156,740311,5,1"), 3, {5: "trade of a country with itself"}
    ),
    "a code of nobody": Case(text(HEADING, *SOUND, "2024,152,993,740311,10,1"), 4, {}, TOTAL + 10_000.0),
    "no country at all": Case(
        text(HEADING, *SOUND, "2024,152,,740311,10,1"),
        3,
        {5: "no country; a program that takes NA for nothing makes this of Namibia"},
    ),
    "a value below zero": Case(text(HEADING, *SOUND, "2024,152,36,740311,-10,1"), 3, {5: "negative or not finite"}),
    "no value": Case(text(HEADING, *SOUND, "2024,152,36,740311,NA,1"), 3, {5: "no value"}),
    "a weight that is none": Case(text(HEADING, *SOUND, "2024,152,36,740311,10,about 1"), 3, {5: "not a number"}),
    "a national line": Case(
        text(HEADING, *SOUND, "2024,152,36,74031100,10,1"),
        3,
        {5: "not an HS code of six digits: national lines are not read"},
    ),
    "a year of nobody": Case(text(HEADING, *SOUND, "24,152,36,740311,10,1"), 3, {5: "not a year"}),
    "noughts of a broken disk": Case(text(HEADING, *SOUND[:2], "2024,516,842,740311,930\x00.25,100"), 3, {}),
    "no line break at the end": Case(text(HEADING, *SOUND).rstrip(b"\n"), 3, {}, remark="no line break at the end"),
    "cut within the last row": Case(
        text(HEADING, *SOUND)[:-12], 2, {4: "4 cells where the heading has 6: shifted or cut short"}, TOTAL - 930_250.0
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_broken_table_is_read_as_far_as_it_is_sound_and_the_rest_is_named(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    (tmp_path / "table.csv").write_bytes(case.data)
    one = baci.read(tmp_path / "table.csv", every)
    assert {row.line: row.reason for row in one.refused} == case.refused
    assert one.table.height == case.read
    assert one.read_amount == pytest.approx(case.amount, rel=1e-12)
    assert one.adds_up()
    assert one.lost_to_unknown == 0.0
    assert not case.remark or any(case.remark in remark for remark in one.remarks)


def test_two_encodings_in_one_file(tmp_path: Path) -> None:
    lines = (HERE / "comtrade_classic.csv").read_text().splitlines()
    accented = lines[2].replace("New Caledonia", "Nouvelle-Calédonie")
    (tmp_path / "c.csv").write_bytes(
        "\n".join(lines[:2]).encode() + b"\n" + accented.encode("latin-1") + b"\n" + (lines[3] + "é\n").encode()
    )
    one = comtrade.read(tmp_path / "c.csv", every)
    assert one.table.height == 2
    assert any("Windows-1252" in remark for remark in one.remarks)


def test_kilograms_among_tonnes_are_read_by_value_alone(tmp_path: Path) -> None:
    rows = [f"2024,152,{code},740311,{9.2 * t:g},{t}" for code, t in (("156", 1000), ("842", 400), ("392", 300))]
    (tmp_path / "t.csv").write_text("\n".join([HEADING, *rows, "2024,152,410,740311,1840,200000"]) + "\n")
    one = baci.read(tmp_path / "t.csv", every)
    assert one.table.filter(pl.col("importer") == "KOR")["tonnes"].to_list() == [None]
    assert [(row.line, row.amount) for row in one.doubted] == [(5, 1_840_000.0)]
    assert one.table["tonnes"].sum() == 1700.0
    assert one.adds_up()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is empty"), (b"   \n", "is empty"), (b"nothing to see", "no heading"), (b"t,i,j,k,v\n2024,4,8,740311,5\n", "q missing"),
        (b"\x1f\x8b\x08\x00broken", "damaged"), (b"PK\x03\x04broken", "damaged"), (b"PAR1broken", "damaged"),
    ],
)  # fmt: skip
def test_what_is_no_table_is_refused_whole(data: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_bytes(data)
    with pytest.raises(InputRefused, match=said):
        baci.read(tmp_path / "x.csv", every)


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputRefused, match="cannot be read"):
        baci.read(tmp_path / "none.csv", every)
    with pytest.raises(InputRefused, match="is a folder"):
        baci.read(tmp_path, every)


def packed(kind: str) -> bytes:
    plain = text(HEADING, *(f"2024,152,{code},740311,{code}.5,{code}" for code in range(4, 400, 4)))
    buffer = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("BACI_HS17_Y2024_V202601.csv", plain)
    else:
        pl.read_csv(io.BytesIO(plain)).write_parquet(buffer)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["zip", "parquet"])
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(share=st.floats(0.0, 0.999))
def test_an_archive_cut_anywhere_is_refused(kind: str, tmp_path: Path, share: float) -> None:
    data = packed(kind)
    (tmp_path / f"x.{kind}").write_bytes(data[: int(share * len(data))])
    with pytest.raises(InputRefused):
        baci.read(tmp_path / f"x.{kind}", every)


# --- whatever else may happen to a file -----------------------------------------------------------------------------

INSERTED = [
    b",",
    b";",
    b'"',
    b"\n",
    b"\xef\xbb\xbf",
    b"\x00",
    b"NA",
    b"1.234,5",
    b"\xe9",
    b"1e400",
    b"-5",
    b"9" * 400,
    b"\t",
    b"\r",
    b"{",
    b"]",
]
damage = st.one_of(
    st.tuples(st.just("put"), st.floats(0, 1), st.sampled_from(INSERTED)),
    st.tuples(st.just("take"), st.floats(0, 1), st.integers(1, 40)),
    st.tuples(st.just("byte"), st.floats(0, 1), st.integers(0, 255)),
    st.tuples(st.just("twice"), st.floats(0, 1), st.just(0)),
    st.tuples(st.just("cut"), st.floats(0.1, 1), st.just(0)),
)


def damaged(data: bytes, kind: str, share: float, what: object) -> bytes:
    at = int(share * len(data))
    if kind == "put":
        assert isinstance(what, bytes)
        return data[:at] + what + data[at:]
    if kind == "cut":
        return data[:at]
    if kind == "twice":
        lines = data.split(b"\n")
        at = int(share * (len(lines) - 1))
        return b"\n".join([*lines[: at + 1], *lines[at:]])
    assert isinstance(what, int)
    return data[:at] + (b"" if kind == "take" else bytes([what])) + data[at + (what if kind == "take" else 1) :]


@pytest.mark.parametrize("name", READERS)
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(damages=st.lists(damage, min_size=1, max_size=8))
def test_whatever_happens_to_a_file_its_books_balance_or_it_is_refused(
    name: str, tmp_path: Path, damages: list[tuple[str, float, object]]
) -> None:
    data = (HERE / name).read_bytes()
    for kind, share, what in damages:
        data = damaged(data, kind, share, what)
    path = tmp_path / f"x{Path(name).suffix}"
    path.write_bytes(data)
    try:
        one = READERS[name](path)
    except InputRefused as refused:
        assert all(problem.message for problem in refused.problems)
        return
    assert one.adds_up()
    assert all(row.reason and row.line > 0 for row in one.refused)
    assert one.lost_to_unknown == 0.0


@settings(max_examples=150, deadline=None)
@given(
    values=st.lists(st.integers(0, 10**9), min_size=1, max_size=30),
    broken=st.sets(st.integers(0, 29)),
    unknown=st.sets(st.integers(0, 29)),
)
def test_rows_in_are_rows_read_and_rows_refused_in_number_and_in_value(
    tmp_path_factory: pytest.TempPathFactory, values: list[int], broken: set[int], unknown: set[int]
) -> None:
    """Value in thousandths; a broken row has a year that is none, so that its value can be read; an unknown one a code of nobody."""
    lines = []
    for k, value in enumerate(values):
        partner = 10_000 + k if k in unknown else (842, 251, 579, 699, 757, 490)[k % 6]
        lines.append(
            f"{'24' if k in broken else 2024},{36 if k % 2 else 124},{partner},{740000 + k},{value / 1000:.3f},{value}"
        )
    path = tmp_path_factory.mktemp("books") / "t.csv"
    path.write_text("\n".join([HEADING, *lines]) + "\n")
    one = baci.read(path, every)
    bad = {k for k in broken if k < len(values)}
    assert one.rows == len(values)
    assert {row.line for row in one.refused} == {k + 2 for k in bad}
    assert one.refused_amount == pytest.approx(sum(values[k] for k in bad), rel=1e-12)
    assert one.read_amount == pytest.approx(sum(values) - sum(values[k] for k in bad), rel=1e-12)
    kept = {k for k in unknown if k < len(values)} - bad
    assert one.unknown_amount == pytest.approx(sum(values[k] for k in kept), rel=1e-12)
    assert set(one.unknown) == {str(10_000 + k) for k in kept}


def test_typed_columns_say_what_their_text_would(tmp_path: Path) -> None:
    """Parquet that a spreadsheet or a data frame wrote: codes as floats, the nought gone, nothing for Namibia's NA."""
    frame = pl.DataFrame(
        {
            "t": [2024, 2024, 2024], "i": [516.0, 152.0, None], "j": [842.0, 251.0, 156.0], "k": [740311, 10121, 740311],
            "v": [1.5, 2.0, 4.0], "q": [0.5, None, 1.0],
        }
    )  # fmt: skip
    frame.write_parquet(tmp_path / "typed.parquet")
    one = baci.read(tmp_path / "typed.parquet", every)
    found = set(one.table.select("exporter", "importer", "hs6", "tonnes", "amount").iter_rows())
    assert found == {("NAM", "USA", "740311", 0.5, 1500.0), ("CHL", "FRA", "010121", None, 2000.0)}
    assert [(row.line, row.amount) for row in one.refused] == [(3, 4000.0)]
    assert "Namibia" in one.refused[0].reason


def test_a_workbook_cut_anywhere_is_refused(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    page = book.active
    page.title = "Monthly Prices"
    for row in (
        [None, "Copper", "Tin"],
        [None, "($/mt)", "($/mt)"],
        ["2024M01", 9000.0, 30000.0],
        ["2024M02", "dear", -5.0],
    ):
        page.append(row)
    book.save(tmp_path / "whole.xlsx")
    data = (tmp_path / "whole.xlsx").read_bytes()
    whole = pink_sheet.read(tmp_path / "whole.xlsx")
    assert [(row.column, row.reason) for row in whole.refused] == [
        ("Copper", "not a number"),
        ("Tin", "not a price above zero"),
    ]
    for share in range(1, 40):
        (tmp_path / "cut.xlsx").write_bytes(data[: len(data) * share // 40])
        with pytest.raises(InputRefused):
            pink_sheet.read(tmp_path / "cut.xlsx")
