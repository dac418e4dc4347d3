"""Small files beside the entries (rates, measures, test values, decisions): every way in which they come wrong is told with its place."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from friendshore.border import declared_price, rates, state, tariff
from friendshore.border.side_file import rows
from friendshore.errors import InputRefused

READERS: dict[str, tuple[Callable[[Path], object], str]] = {
    "rates": (rates.read, "currency,day,usd,source\nEUR,2030-01-15,1.1,bank\n"),
    "tariff": (tariff.read, "territory,line,kind,name,origins,rate\nUSA,8110,mfn,general,,5%\n"),
    "values": (
        declared_price.read,
        f"{','.join(declared_price.COLUMNS)}\nantimony.metal,CHN,,2027-01-01,2027-12-31,identical,20000,invoice\n",
    ),
    "states": (lambda file: state.read(file, {}, ["floor"]), "clause,state,from\nfloor,suspended,2030-01-01\n"),
}


def refusal(read: Callable[[Path], object], file: Path) -> str:
    with pytest.raises(InputRefused) as told:
        read(file)
    return str(told.value)


@pytest.mark.parametrize("name", READERS)
def test_what_is_no_such_file_is_refused_with_what_it_is(name: str, tmp_path: Path) -> None:
    read, good = READERS[name]
    file = tmp_path / "side.csv"
    assert "there is no such file" in refusal(read, file)
    assert "it is a folder" in refusal(read, tmp_path)
    for raw, said in (
        (good.encode("utf-16"), "it is UTF-16"),
        (good.replace("2030", "20\u00e930").replace("5%", "5\u00e9").replace("2027", "20\u00e927").encode("latin-1"), "is none of UTF-8"),
        (good.replace(",", ";").encode(), "by semicolons"),
        (good.replace(",", "\t").encode(), "by tabulators"),
        (b"", "the file is empty"),
        (b"a,b\n1,2\n", "the file lacks"),
        (good.replace("\n", ",\n", 1).encode(), "no column is called ''"),
        (good.replace("\n", ',"\n', 1).encode(), ""),
        ((good + "one,cell\n").encode(), "2 cells, where the head names"),
    ):  # fmt: skip
        file.write_bytes(raw)
        text = refusal(read, file)
        assert said in text, raw
        assert "side.csv" in text, raw
    file.write_bytes(b"\xef\xbb\xbf" + good.replace("\n", "\r\n").encode() + b"\r\n")
    assert len(read(file)) == 1  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "row", "said"),
    [
        ("rates", "EURO,2030-01-15,1.1,bank", "currency: 'EURO' is no currency"),
        ("rates", "EUR,15.01.2030,1.1,bank", "day: '15.01.2030' is no day"),
        ("rates", "EUR,20300115,1.1,bank", "day: '20300115' is no day"),
        ("rates", 'EUR,2030-01-15,"1,1",bank', "usd: '1,1' is no rate"),
        ("rates", "USD,2030-01-15,1.1,bank", "usd: a dollar is 1.1 USD"),
        ("tariff", "usa,8110,mfn,general,,5%", "territory: 'usa' is no territory"),
        ("tariff", "USA,81.10,mfn,general,,5%", "line: '81.10' is no tariff line"),
        ("tariff", "USA,8110,mnf,general,,5%", "did you mean 'mfn'?"),
        ("tariff", "USA,8110,section_301,list,China,25%", "origins: 'China' is no origin"),
        ("values", "antimony.metal,China,,2027-01-01,2027-12-31,identical,20000,x", "origin: 'China' is no country"),
        ("values", "antimony.metal,CHN,,2027-02-30,2027-12-31,identical,20000,x", "from: '2027-02-30' is no day"),
        ("values", "antimony.metal,CHN,,2027-01-01,2027-12-31,identicl,20000,x", "did you mean 'identical'?"),
        ("values", "antimony.metal,CHN,,2027-01-01,2027-12-31,identical,2e4,x", "usd_t: '2e4' is no amount"),
        ("values", "antimony.metal,CHN,,2027-01-01,2027-12-31,identical,20000,", "source: no source is named"),
        ("states", "flor,suspended,2030-01-01", "did you mean 'floor'?"),
    ],
)
def test_a_cell_is_refused_with_line_column_what_came_and_what_was_expected(
    name: str, row: str, said: str, tmp_path: Path
) -> None:
    read, good = READERS[name]
    file = tmp_path / "side.csv"
    file.write_text(good.splitlines()[0] + "\n" + row + "\n", encoding="utf-8")
    text = refusal(read, file)
    assert said in text
    assert f"{file}:2:1" in text
    assert "1 problem" in text


def test_measures_that_end_before_they_start_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "own.csv"
    head = "territory,line,kind,name,origins,rate,starts,ends\n"
    file.write_text(head + "USA,8110,mfn,x,,5%,2027-02-01,2027-01-01\n", encoding="utf-8")
    assert "ends 2027-01-01, before it starts 2027-02-01" in refusal(tariff.read, file)


def test_all_problems_of_a_file_are_told_at_once(tmp_path: Path) -> None:
    file = tmp_path / "rates.csv"
    file.write_text("currency,day,usd\nEURO,x,-1\nEUR,2030-01-01,1\nEUR,2030-01-01,2\n", encoding="utf-8")
    text = refusal(rates.read, file)
    assert "4 problems" in text
    assert "EUR has a rate on 2030-01-01 already" in text


def test_cells_come_with_their_line_behind_quoted_line_breaks() -> None:
    found = list(rows(b'a,b\n"x\ny",1\n\n , \nz,2\n', ("a", "b", "c"), ("a",)))
    assert [(cells, place.line) for cells, place in found] == [
        ({"a": "x\ny", "b": "1", "c": ""}, 3), ({"a": "z", "b": "2", "c": ""}, 6),
    ]  # fmt: skip


def test_a_rate_keeps_its_day_and_source() -> None:
    held = rates.read(b"currency,day,usd,source\nEUR,2030-01-15,1.10,bank\n")
    assert held == {"EUR": (rates.Rate(date(2030, 1, 15), Decimal("1.10"), "bank"),)}
    assert held["EUR"][0].words("EUR") == "1.1 USD per EUR of 2030-01-15 (bank)"
    assert rates.DOLLAR.words("USD") == ""
