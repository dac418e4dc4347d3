"""Damaged files of entries: what is broken is refused line by line, by code, field, value, expected and fix; the rest is assessed.

The corpus is a row for each way in which such files come broken; behind it stand damages drawn at random.
"""

from __future__ import annotations

import csv
import io
import json
from decimal import Decimal
from functools import cache
from pathlib import Path

import pytest

pytest.importorskip("ibis", reason="the extra `border` is not installed")
pytest.importorskip("duckdb", reason="the extra `border` is not installed")

import polars as pl
from border_cases import law
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_border_entries import GOOD, balanced, run, written

from friendshore.border.assess import assess_file
from friendshore.border.reasons import REASONS
from friendshore.errors import InputRefused

RUN_BY_A_SPREADSHEET = ("=", "+", "-", "@", "\t", "\r", "\n")

# what it is -> field, what came, the code that refuses it
CORPUS: dict[str, tuple[str, str, str]] = {
    # days
    "no such day": ("date", "2030-02-29", "R04"),
    "a leap day of another year": ("date", "2030-02-30", "R04"),
    "day and month turned": ("date", "31/01/2030", "R04"),
    "a spreadsheet's serial number": ("date", "47488", "R04"),
    "a day without noughts": ("date", "2030-1-5", "R04"),
    "a day with its time": ("date", "2030-01-05T00:00:00Z", "R04"),
    "a proof of no day": ("proof_date", "2030-04-31", "R04"),
    # masses and amounts
    "a negative mass": ("net_mass_kg", "-1000", "R07"),
    "no mass at all": ("net_mass_kg", "0", "R07"),
    "nought with decimals": ("net_mass_kg", "0.000", "R07"),
    "scientific mass": ("net_mass_kg", "1E+03", "R07"),
    "thousands by comma": ("net_mass_kg", "1,000", "R07"),
    "thousands by blank": ("net_mass_kg", "1 000", "R07"),
    "thousands by narrow blank": ("net_mass_kg", "1\u202f000", "R07"),
    "thousands by apostrophe": ("net_mass_kg", "1'000", "R07"),
    "comma for the point": ("net_mass_kg", "1000,5", "R07"),
    "a unit with the mass": ("net_mass_kg", "1000 kg", "R07"),
    "not a number": ("net_mass_kg", "NaN", "R07"),
    "infinite": ("net_mass_kg", "inf", "R07"),
    "digits of another script": ("net_mass_kg", "١٠٠٠", "R07"),
    "full-width digits": ("net_mass_kg", "１０００", "R07"),
    "hexadecimal": ("net_mass_kg", "0x3E8", "R07"),
    "a scientific price": ("price", "2.0e4", "R08"),
    "a price with its sign": ("price", "$20000", "R08"),
    "a price in thousands": ("price", "20,000.00", "R08"),
    "a continental price": ("price", "20.000,00", "R08"),
    "a negative price": ("price", "-20000.00", "R08"),
    "a price of nothing": ("price", "0", "R08"),
    "a price in brackets": ("price", "(20000.00)", "R08"),
    "more than two decimals": ("price", "20000.005", "R08"),
    "more digits than there are": ("price", "9" * 40, "R08"),
    "negative freight": ("freight", "-500", "R11"),
    "freight in words": ("freight", "prepaid", "R11"),
    "insurance in per cent": ("insurance", "0.3%", "R12"),
    # contents
    "an assay in per cent without its sign": ("assay", "88.5", "R13"),
    "more than all of it": ("assay", "100.01%", "R13"),
    "less than none": ("assay", "-0.2", "R13"),
    "an assay in grams per tonne": ("assay", "5g/t", "R13"),
    "nothing but water": ("moisture", "1", "R14"),
    "moisture in per cent without its sign": ("moisture", "12", "R14"),
    # countries
    "ISO numeric": ("origin", "156", "R05"),
    "ISO numeric without its nought": ("origin", "36", "R05"),
    "ISO alpha-2": ("origin", "CN", "R05"),
    "Comtrade's code for the United States": ("importer", "842", "R05"),
    "Comtrade's code for France": ("origin", "251", "R05"),
    "Comtrade's Romania": ("origin", "ROM", "R05"),
    "the world": ("origin", "WLD", "R05"),
    "a name": ("origin", "China", "R05"),
    "lower case": ("importer", "aaa", "R05"),
    "a country that is none": ("origin", "ZZZ", "R05"),
    "dispatched by alpha-2": ("exporter", "MX", "R05"),
    # codes
    "a lost leading nought": ("hs", "28418", "R06"),
    "a heading": ("hs", "2841", "R06"),
    "eleven digits": ("hs", "28418000123", "R06"),
    "letters": ("hs", "2841.80.0O", "R06"),
    "an exponent from a spreadsheet": ("hs", "2.8418E+09", "R06"),
    "no such line in the schedule of the day": ("hs", "85481012", "N02"),
    "a line of an earlier edition": ("hs", "28418012", "N02"),
    # words
    "a currency's sign": ("currency", "€", "R09"),
    "a currency's name": ("currency", "dollar", "R09"),
    "a currency that no rate is at hand for": ("currency", "XAU", "N08"),
    "a term that is none": ("delivery", "C.I.F.", "R10"),
    "a term with its place": ("delivery", "FOB Shanghai", "R10"),
    "perhaps": ("related", "maybe", "R15"),
    "a proof of another kind": ("proof", "EUR.1", "R18"),
    "no such good": ("good", "tungsten.apt2", "N11"),
    # what a spreadsheet would run
    "a command": ("line_id", "=cmd|' /C calc'!A0", "R16"),
    "a sum": ("line_id", "+1+1", "R16"),
    "an at": ("line_id", "@SUM(1)", "R16"),
    "a minus": ("line_id", "-1+cmd", "R16"),
    "behind a tabulator": ("line_id", "\t=1+1", "R16"),
    "in a country": ("origin", "=HYPERLINK(1)", "R05"),
    "in a currency": ("currency", "=1+1", "R09"),
    "in a good": ("good", "=1+1", "R16"),
    "in a lot": ("lot", "=1+1", "R16"),
    "in a price": ("price", "=20000+1", "R08"),
    # size
    "a field too long": ("assay_of", "w" * 101, "R17"),
    "a field of a megabyte": ("good", "x" * 1_000_000, "R17"),
    "no id": ("line_id", "", "R02"),
    "blanks for an id": ("line_id", "   ", "R02"),
}  # fmt: skip


def row(**more: str) -> dict[str, str]:
    return GOOD | {"exporter": "", "lot": ""} | more


def wide(rows: list[dict[str, str]], file: Path) -> Path:
    with file.open("w", encoding="utf-8", newline="") as text:
        out = csv.DictWriter(text, list(row()))
        out.writeheader()
        out.writerows(rows)
    return file


def cells(file: Path) -> list[str]:
    return [cell for line in csv.reader(io.StringIO(file.read_text(encoding="utf-8"), newline="")) for cell in line]


def inert(cell: str) -> bool:
    """Whether a spreadsheet shows a cell rather than running it; a plain negative number is shown."""
    return not cell.startswith(RUN_BY_A_SPREADSHEET) or cell[1:].replace(".", "").replace(",", "").isdigit()


def test_every_damage_of_the_corpus_is_told_and_every_good_line_assessed(tmp_path: Path) -> None:
    rows = []
    for number, (field, value, _) in enumerate(CORPUS.values()):
        rows += [row(line_id=f"good{number}"), row(**({"line_id": f"bad{number}"} | {field: value}))]
    totals, assessed, refused = run(wide(rows, tmp_path / "entries.csv"))
    assert balanced(totals)
    assert {each["line_id"] for each in assessed} == {f"good{number}" for number in range(len(CORPUS))}
    assert len({each["total_usd"] for each in assessed}) == 1
    told: dict[int, list[dict[str, str]]] = {}
    for each in refused:
        told.setdefault(int(each["row"]), []).append(each)
    missed = []
    for number, (name, (field, value, code)) in enumerate(CORPUS.items()):
        found = [each for each in told.get(2 * number + 2, []) if each["code"] == code]
        if not found:
            missed.append((name, told.get(2 * number + 2)))
            continue
        one = found[0]
        assert one["problem"] == REASONS[code].text
        assert one["fix"], name
        assert one["who"], name
        assert field in (one["field"], *one["about"].split()) or code.startswith("N"), (name, one)
        if one["value"]:  # what came, inert where a spreadsheet would run it
            assert one["value"].lstrip("'").strip() == value.strip()[:60], (name, one)
    assert missed == []


def test_no_cell_that_is_written_would_be_run(tmp_path: Path) -> None:
    rows = [
        row(**({"line_id": f"F{number}"} | {field: f"{sign}1+cmd|'/C calc'!A0"}))
        for number, (field, sign) in enumerate((field, sign) for field in row() for sign in RUN_BY_A_SPREADSHEET)
    ]
    totals, _, _ = run(wide([*rows, row(line_id="good")], tmp_path / "entries.csv"))
    assert totals.lines == len(rows) + 1
    for file in ("assessed.csv", "refused.csv"):
        running = [cell for cell in cells(tmp_path / file) if not inert(cell)]
        assert running == [], file


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "latin-1", "cp932", "utf-8-sig"])
def test_a_file_in_another_encoding_is_never_half_read(encoding: str, tmp_path: Path) -> None:
    """A byte-order mark is taken off; other encodings are refused whole, or their lines that are not UTF-8 one by one."""
    file = written([GOOD | {"line_id": "A"}, GOOD | {"line_id": "Zürich"}], tmp_path / "entries.csv")
    text = file.read_text(encoding="utf-8")
    file.write_bytes(text.encode(encoding, "replace"))
    if encoding in ("utf-16", "utf-32"):
        with pytest.raises(InputRefused):
            run(file)
        assert not (tmp_path / "assessed.csv").exists()
        return
    totals, assessed, refused = run(file)
    assert balanced(totals)
    assert totals.lines == 2
    assert "A" in {each["line_id"] for each in assessed}
    if encoding == "latin-1":
        assert [each["code"] for each in refused] == ["R01"]


def test_files_that_are_no_entries_at_all_are_refused_whole(tmp_path: Path) -> None:
    header = ",".join(GOOD)
    broken: dict[str, bytes] = {
        "empty.csv": b"",
        "other.csv": b"a,b\n1,2\n",
        "twice.csv": f"{header},price\n".encode(),
        "nothing.parquet": b"",
        "letter.parquet": b"PAR1 and no more",
        "lines.jsonl": b'{"line_id": "A", ',
        "table.xlsx": b"PK\x03\x04",
    }
    for name, raw in broken.items():
        file = tmp_path / name
        file.write_bytes(raw)
        with pytest.raises(InputRefused):
            run(file)
        assert not (tmp_path / "assessed.csv").exists(), name


def test_parquet_cut_off_anywhere_is_refused_whole(tmp_path: Path) -> None:
    file = tmp_path / "whole.parquet"
    pl.DataFrame([GOOD | {"line_id": f"L{k}"} for k in range(200)]).write_parquet(file)
    raw = file.read_bytes()
    for kept in (0, 3, 4, len(raw) // 2, len(raw) - 9, len(raw) - 1):
        cut = tmp_path / "cut.parquet"
        cut.write_bytes(raw[:kept])
        with pytest.raises(InputRefused):
            run(cut)


def test_a_header_alone_is_a_file_of_no_lines(tmp_path: Path) -> None:
    totals, assessed, refused = run(written([], tmp_path / "entries.csv"))
    assert (totals.lines, assessed, refused) == (0, [], [])


# -- drawn damage ------------------------------------------------------------------------------------------------------

DAMAGES = st.one_of(
    st.tuples(st.just("cell"), st.sampled_from(list(GOOD)), st.text(max_size=12)),
    st.tuples(
        st.just("cell"),
        st.sampled_from(list(GOOD)),
        st.sampled_from([each[1] for each in CORPUS.values() if len(each[1]) < 200]),
    ),
    st.tuples(st.just("bytes"), st.integers(0, 400), st.binary(min_size=1, max_size=6)),
    st.tuples(st.just("bytes"), st.integers(0, 400), st.sampled_from([b"", b'"', b'""', b'",', b"\n", b'"\r\n'])),
    st.tuples(st.just("drop"), st.integers(0, 20), st.just("")),
    st.tuples(st.just("double"), st.just(0), st.just("")),
)
LINES = 40


@cache
def whole_total() -> str:
    """What an undamaged line owes."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        _, assessed, _ = run(written([GOOD], Path(folder) / "entries.csv"))
    return assessed[0]["total_usd"]


def damaged(damages: dict[int, tuple[str, object, object]]) -> tuple[bytes, set[str], int]:
    """A file of good lines with some of them damaged; the ids of those that were left alone, and the rows there are at least."""
    out: list[bytes] = [(",".join(GOOD) + "\r\n").encode()]
    alone = set()
    for number in range(LINES):
        fields = GOOD | {"line_id": f"L{number:03d}"}
        kind, where, what = damages.get(number, ("", 0, ""))
        if kind == "cell":
            fields[str(where)] = str(what).encode("utf-8", "replace").decode()
        text = io.StringIO()
        csv.writer(text, quoting=csv.QUOTE_ALL).writerow(fields.values())
        raw = text.getvalue().encode()
        if kind == "bytes":
            assert isinstance(where, int)
            assert isinstance(what, bytes)
            spot = where % (len(raw) - 2)
            raw = raw[:spot] + what + raw[spot + 1 :]
        if kind == "drop":
            raw = b",".join(raw.split(b",")[: -1 - int(str(where)) % 5]) + b"\r\n"
        out += [raw, raw] if kind == "double" else [raw]
        if not kind:
            alone.add(f"L{number:03d}")
    return b"".join(out), alone, LINES


@settings(max_examples=3, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.integers(0, LINES - 1), DAMAGES, min_size=8, max_size=30))
def test_whatever_is_damaged_nothing_is_lost(tmp_path: Path, damages: dict[int, tuple[str, object, object]]) -> None:
    """In = assessed + refused, in number and in value; lines that were left alone owe what they owed, whatever stands before them."""
    raw, alone, _ = damaged(damages)
    file = tmp_path / "entries.csv"
    file.write_bytes(raw)
    totals, assessed, refused = run(file)
    assert balanced(totals)
    assert totals.lines == len(assessed) + len({each["row"] for each in refused})
    held = {each["line_id"]: each["total_usd"] for each in assessed}
    for name in alone:
        assert held[name] == whole_total(), name
    for file_ in ("assessed.csv", "refused.csv"):
        assert all(inert(cell) for cell in cells(tmp_path / file_))


@settings(max_examples=3, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(
        st.integers(0, LINES - 1),
        st.tuples(st.sampled_from(list(GOOD)), st.one_of(st.text(max_size=12), st.none())),
        max_size=12,
    )
)
def test_parquet_and_json_lines_are_refused_and_assessed_alike(
    tmp_path: Path, damages: dict[int, tuple[str, str | None]]
) -> None:
    rows: list[dict[str, str | None]] = []
    for number in range(LINES):
        field, value = damages.get(number, ("line_id", f"L{number:03d}"))
        clean = None if value is None else value.encode("utf-8", "replace").decode().replace("\x00", "?")
        rows.append(dict(GOOD | {"line_id": f"L{number:03d}"}) | {field: clean})
    parquet, lines = tmp_path / "a" / "entries.parquet", tmp_path / "b" / "entries.jsonl"
    parquet.parent.mkdir(exist_ok=True)
    lines.parent.mkdir(exist_ok=True)
    pl.DataFrame(rows, schema=dict.fromkeys(GOOD, pl.String)).write_parquet(parquet)
    lines.write_text("".join(json.dumps(each) + "\n" for each in rows), encoding="utf-8")
    found = [run(file) for file in (parquet, lines)]
    for totals, assessed, refused in found:
        assert balanced(totals)
        assert totals.lines == LINES == len(assessed) + len({each["row"] for each in refused})
    told = [sorted((each["row"], each["code"], each["field"]) for each in refused) for _, _, refused in found]
    assert told[0] == told[1]
    sums = [sum((Decimal(each["total_usd"]) for each in assessed), Decimal(0)) for _, assessed, _ in found]
    assert sums[0] == sums[1]


def test_refused_lines_as_parquet_keep_what_came(tmp_path: Path) -> None:
    file = written([GOOD | {"line_id": "=1+1"}], tmp_path / "entries.csv")
    assess_file(file, law(), tmp_path / "out.parquet", tmp_path / "refused.parquet")
    assert pl.read_parquet(tmp_path / "refused.parquet")["value"].to_list() == ["=1+1"]
