"""Files that are no entries: what they are is said in the words of those who made them, with what to do, before anything is read."""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path

import pytest
from border_cases import law
from test_border_entries import GOOD, written

from friendshore.border.assess import assess_file
from friendshore.border.entries import LAYOUTS
from friendshore.border.found import find
from friendshore.border.recognised import recognise
from friendshore.cli import border
from friendshore.errors import InputRefused


def good(folder: Path) -> str:
    return written([GOOD], folder / "entries.csv").read_text(encoding="utf-8")


def refusal(file: Path, layout: str = "") -> str:
    with pytest.raises(InputRefused) as told:
        recognise(file, layout)
    return str(told.value)


def test_what_comes_in_another_dress_is_told_by_it(tmp_path: Path) -> None:
    text = good(tmp_path)
    for name, raw, said, fix in (
        ("entries.csv.gz", gzip.compress(text.encode()), "is packed (gzip)", "unpack it"),
        ("entries.csv", gzip.compress(text.encode()), "is packed (gzip)", "unpack it"),
        ("entries.xlsx", b"PK\x03\x04...", "workbook", "save the sheet as CSV UTF-8"),
        ("entries.csv", b"PK\x03\x04...", "workbook", "save the sheet as CSV UTF-8"),
        ("entries.csv", text.encode("utf-16"), "is UTF-16", "save it as CSV UTF-8"),
        ("entries.csv", text.encode("utf-32"), "is UTF-32", "save it as CSV UTF-8"),
        ("entries.csv", text.encode("utf-16-le"), "bytes of nought", "save it as UTF-8"),
        ("entries.csv", b"PAR1", "is Parquet", "call it .parquet"),
        ("entries.txt", text.encode(), "of no format", ".csv"),
        ("entries", text.encode(), "of no format", ".csv"),
        ("entries.csv", b"", "is empty", "a head with the columns' names"),
        ("entries.csv", b" \r\n\r\n", "is empty", "a head with the columns' names"),
        ("entries.csv", text.replace(",", ";").encode(), "apart by semicolons", "commas are expected"),
        ("entries.csv", text.replace(",", "\t").encode(), "apart by tabulators", "commas are expected"),
        ("entries.json", json.dumps([GOOD], indent=1).encode(), "is an array", "one object a line"),
        ("entries.jsonl", json.dumps([GOOD]).encode(), "is an array", "one object a line"),
    ):
        file = tmp_path / name
        file.write_bytes(raw)
        told = refusal(file)
        assert said in told, (name, told)
        assert fix in told, (name, told)
        assert "entries" in told


def test_no_file_and_a_folder_are_told_apart(tmp_path: Path) -> None:
    assert "is no file" in refusal(tmp_path / "none.csv")
    assert "is a folder" in refusal(tmp_path)
    assert "is no file" in refusal(Path(r"C:\Users\me\entries.csv"))


def test_columns_that_are_almost_right_are_told_one_by_one(tmp_path: Path) -> None:
    file = tmp_path / "entries.csv"
    text = good(tmp_path).replace("line_id,date,", "Line_ID, date,dat,", 1).replace("net_mass_kg", "net_mas_kg", 1)
    file.write_text(text, encoding="utf-8")
    told = refusal(file)
    assert "'Line_ID' should be written 'line_id'" in told
    assert "' date' should be written 'date'" in told
    assert "did you mean 'net_mas_kg'?" in told
    assert "3 problems" in told
    assert f"{file}:1:1" in told
    file.write_text("line_id,date\n", encoding="utf-8")
    assert "no column is called 'importer'" in refusal(file)  # and not of a layout that asks for fewer
    file.write_text("HTS Number,Entry Line\n", encoding="utf-8")
    assert "no column is called 'Entered Value'" in refusal(file)  # of the nearest layout
    assert "price of the line" in refusal(file)


def test_whoever_opens_a_file_is_told_what_it_is(tmp_path: Path) -> None:
    file = tmp_path / "entries.csv"
    file.write_text(good(tmp_path).replace(",", ";"), encoding="utf-8")
    for reading in (
        lambda: assess_file(file, law(), tmp_path / "out.csv", tmp_path / "refused.csv"),
        lambda: find(file, "A1", law()),
    ):
        with pytest.raises(InputRefused, match="apart by semicolons"):
            reading()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_what_can_be_entries_is_let_through(layout: str, tmp_path: Path) -> None:
    for name, encoding in (("entries.csv", "utf-8"), ("entries.CSV", "utf-8-sig"), ("latin.csv", "latin-1")):
        file = tmp_path / name
        with file.open("w", encoding=encoding, newline="") as text:
            csv.writer(text).writerow(LAYOUTS[layout].values())
        recognise(file)
        recognise(file, layout)
    (tmp_path / "lines.jsonl").write_text(json.dumps(GOOD), encoding="utf-8")
    recognise(tmp_path / "lines.jsonl")
    (tmp_path / "table.parquet").write_bytes(b"PAR1")
    recognise(tmp_path / "table.parquet")


def test_what_is_written_never_takes_the_place_of_what_was_read(tmp_path: Path) -> None:
    file, other = written([GOOD], tmp_path / "entries.csv"), tmp_path / "other.csv"
    (tmp_path / "folder.csv").mkdir()
    nowhere = file / "below" / "out.csv"
    for out, refused, said in (
        (file, other, "is ENTRIES too"),
        (other, tmp_path / "folder.csv" / ".." / "entries.csv", "is ENTRIES too"),
        (other, other, "is --out too"),
        (tmp_path / "folder.csv", other, "is a folder"),
        (other, nowhere, "cannot be made"),
    ):
        with pytest.raises(InputRefused) as told:
            border._set_apart(file, out, refused)
        assert said in str(told.value), (out, refused)
    border._set_apart(file, other, tmp_path / "new" / "refused.csv")
