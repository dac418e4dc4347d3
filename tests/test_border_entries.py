"""Files of entries: what is good is assessed, what is not is set aside by name, and nothing is lost between the two."""

from __future__ import annotations

import csv
import io
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("ibis", reason="the extra `border` is not installed")
pytest.importorskip("duckdb", reason="the extra `border` is not installed")

import polars as pl
from border_cases import law

from friendshore.border.assess import Fault, Totals, assess_file, read_one
from friendshore.border.found import find
from friendshore.border.line import Assessed, assess_line
from friendshore.errors import InputRefused

GOOD = {
    "line_id": "A1", "date": "2030-01-05", "importer": "AAA", "origin": "CCC", "hs": "2841.80.00",
    "net_mass_kg": "1000", "price": "20000.00", "currency": "USD", "delivery": "FOB", "freight": "500",
    "insurance": "20.5", "good": "tungsten.apt", "assay": "0.885", "assay_of": "wo3", "moisture": "",
    "related": "N", "proof": "", "proof_date": "",
}  # fmt: skip

# field -> what came -> the code it is refused by
FAULTS: list[tuple[str, str, str]] = [
    ("line_id", "", "R02"),
    ("line_id", "=cmd|' /C calc'!A0", "R16"),
    ("date", "2030-02-30", "R04"),
    ("date", "05/01/2030", "R04"),
    ("date", "", "R04"),
    ("importer", "842", "R05"),
    ("importer", "usa", "R05"),
    ("origin", "", "R05"),
    ("origin", "ROM", "R05"),
    ("hs", "84180", "R06"),
    ("hs", "28418000xx", "R06"),
    ("net_mass_kg", "0", "R07"),
    ("net_mass_kg", "-5", "R07"),
    ("net_mass_kg", "1,000", "R07"),
    ("net_mass_kg", "1e3", "R07"),
    ("net_mass_kg", "1000.0001", "R07"),
    ("net_mass_kg", "99999999999", "R07"),
    ("price", "20.000,00", "R08"),
    ("price", "2E4", "R08"),
    ("price", "0.00", "R08"),
    ("price", "12.345", "R08"),
    ("price", "9" * 14, "R08"),
    ("currency", "usd", "R09"),
    ("currency", "US$", "R09"),
    ("delivery", "FREE", "R10"),
    ("freight", "free", "R11"),
    ("freight", "-1", "R11"),
    ("insurance", "1.234", "R12"),
    ("assay", "88.5", "R13"),
    ("assay", "1.01", "R13"),
    ("assay", "0", "R13"),
    ("moisture", "100%", "R14"),
    ("related", "perhaps", "R15"),
    ("proof", "a letter", "R18"),
    ("proof_date", "2030-13-01", "R04"),
    ("good", "+1+1", "R16"),
    ("good", "x" * 101, "R17"),
    ("origin", "C" * 101, "R17"),
]


def written(rows: list[dict[str, str]], file: Path) -> Path:
    with file.open("w", encoding="utf-8", newline="") as text:
        out = csv.DictWriter(text, list(GOOD))
        out.writeheader()
        out.writerows(rows)
    return file


def run(file: Path, **options: Any) -> tuple[Totals, list[dict[str, str]], list[dict[str, str]]]:
    out, refused = file.with_name("assessed.csv"), file.with_name("refused.csv")
    totals = assess_file(file, law(), out, refused, **options)
    read = [list(csv.DictReader(io.StringIO(each.read_text(encoding="utf-8")))) for each in (out, refused)]
    return totals, read[0], read[1]


def balanced(totals: Totals) -> bool:
    sums = {
        currency: totals.value_assessed.get(currency, Decimal(0)) + totals.value_refused.get(currency, Decimal(0))
        for currency in totals.value_in
    }
    return totals.lines == totals.assessed + totals.refused and sums == totals.value_in


def test_every_fault_is_named_and_the_good_lines_go_on(tmp_path: Path) -> None:
    rows = []
    for number, (field, value, _) in enumerate(FAULTS):
        rows += [GOOD | {"line_id": f"good{number}"}, GOOD | {"line_id": f"bad{number}"} | {field: value}]
    totals, assessed, refused = run(written(rows, tmp_path / "entries.csv"))
    assert (totals.lines, totals.assessed, totals.refused) == (2 * len(FAULTS), len(FAULTS), len(FAULTS))
    assert balanced(totals)
    assert len({row["total_usd"] for row in assessed}) == 1
    told: dict[int, list[dict[str, str]]] = {}
    for row in refused:
        told.setdefault(int(row["row"]), []).append(row)
    for number, (field, value, code) in enumerate(FAULTS):
        row = next((each for each in told[2 * number + 2] if each["code"] == code), None)
        assert row is not None, (field, value, told[2 * number + 2])
        assert field in (row["field"], row["about"].split(" ")[0]), (field, value, row)
        assert row["fix"]
        assert row["who"]
        if row["value"]:
            assert row["value"].removeprefix("'") == value[:60]  # an apostrophe where a spreadsheet would run it


def test_a_line_tells_all_its_faults_at_once(tmp_path: Path) -> None:
    bad = GOOD | {"date": "2030-02-30", "price": "1e3", "importer": "us", "delivery": "?"}
    _, _, refused = run(written([bad], tmp_path / "entries.csv"))
    assert [(row["code"], row["field"]) for row in refused] == [
        ("R04", "date"), ("R08", "price"), ("R05", "importer"), ("R10", "delivery"),
    ]  # fmt: skip


def test_an_id_that_came_twice_refuses_both_lines(tmp_path: Path) -> None:
    rows = [GOOD, GOOD, GOOD | {"line_id": "A2"}]
    totals, assessed, refused = run(written(rows, tmp_path / "entries.csv"))
    assert [row["line_id"] for row in assessed] == ["A2"]
    assert [row["code"] for row in refused] == ["R03", "R03"]
    assert balanced(totals)


def test_rows_that_no_reader_can_take_are_counted(tmp_path: Path) -> None:
    file = written([GOOD | {"line_id": f"L{k}"} for k in range(4)], tmp_path / "entries.csv")
    lines = file.read_bytes().splitlines(keepends=True)
    lines[2] = lines[2].replace(b"CCC", b"C\xff\xfeC")  # no UTF-8
    lines[3] = lines[3].replace(b"\r\n", b",one more\r\n")  # a column too many
    file.write_bytes(b"".join(lines))
    totals, assessed, refused = run(file)
    assert {row["line_id"] for row in assessed} == {"L0", "L3"}
    assert [(row["row"], row["code"]) for row in refused] == [("2", "R01"), ("3", "R01")]
    assert (totals.lines, totals.unread) == (4, 2)
    assert totals.lines == totals.assessed + totals.refused


def test_a_field_of_ten_megabytes_refuses_its_line_alone(tmp_path: Path) -> None:
    rows = [GOOD, GOOD | {"line_id": "A2", "good": "x" * 10_000_000}]
    totals, assessed, refused = run(written(rows, tmp_path / "entries.csv"))
    assert [row["line_id"] for row in assessed] == ["A1"]
    assert [row["code"] for row in refused] == ["R17"]
    assert max(map(len, refused[0].values())) < 200
    assert balanced(totals)


def test_csv_parquet_and_json_lines_are_assessed_alike(tmp_path: Path) -> None:
    rows = [GOOD | {"line_id": f"L{k}", "price": f"{20000 + 7 * k}.13", "origin": "CDE"[k % 3] * 3} for k in range(12)]
    asked = written(rows, tmp_path / "entries.csv")
    _, wanted, _ = run(asked)
    texts = tmp_path / "texts" / "entries.parquet"
    typed = tmp_path / "typed" / "entries.parquet"
    lines = tmp_path / "json" / "entries.jsonl"
    for file in (texts, typed, lines):
        file.parent.mkdir()
    frame = pl.DataFrame(rows)
    frame.write_parquet(texts)
    frame.with_columns(
        pl.col("date").str.to_date(),
        *(pl.col(name).cast(pl.Decimal(18, 2)) for name in ("price", "freight", "insurance")),
        pl.col("net_mass_kg").cast(pl.Int64),
        pl.col("assay").cast(pl.Decimal(9, 6)),
    ).write_parquet(typed)
    lines.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    for file in (texts, typed, lines):
        totals, assessed, refused = run(file)
        assert not refused
        assert balanced(totals)
        assert sorted(assessed, key=lambda row: row["line_id"]) == sorted(wanted, key=lambda row: row["line_id"])


def test_codes_that_came_as_numbers_are_refused_for_a_nought_may_be_lost(tmp_path: Path) -> None:
    file = tmp_path / "entries.parquet"
    pl.DataFrame([GOOD]).with_columns(pl.col("hs").str.replace_all(r"\.", "").cast(pl.Int64)).write_parquet(file)
    totals, _, refused = run(file)
    assert [(row["code"], row["field"], row["value"]) for row in refused] == [("R06", "hs", "28418000")]
    assert totals.assessed == 0
    assert find(file, "A1", law()) == (Fault("R06", "hs", "28418000"),)
    lines = tmp_path / "entries.jsonl"
    lines.write_text(json.dumps(GOOD | {"hs": 28418000}) + "\n" + json.dumps(GOOD | {"line_id": "B"}), encoding="utf-8")
    _, assessed, refused = run(lines)
    assert [row["line_id"] for row in assessed] == ["B"]
    assert [(row["code"], row["about"]) for row in refused] == [("R06", "hs '28418000 (a number)'")]


def test_a_fact_that_a_line_lacks_is_told_with_its_field_and_what_it_is_about(tmp_path: Path) -> None:
    ore = {"importer": "BBB", "hs": "26110060", "good": "tungsten.concentrate", "assay": "", "assay_of": ""}
    lacking = {
        "N05": (ore, "assay", "no assay of tungsten.concentrate"),
        "N06": ({"importer": "BBB", "freight": ""}, "freight", "the price is FOB"),
        "N07": ({"importer": "BBB", "insurance": "", "delivery": "cfr"}, "insurance", "the price is CFR"),
        "N10": ({"delivery": "DDP"}, "delivery", "delivered duty paid"),
        "N12": ({"delivery": "CIF", "freight": "20000.00"}, "price", "the value that is left is not above nought"),
        "N02": ({"hs": "85481012"}, "hs", ""),  # its own words, and not those of another
        "R05": ({"origin": "ZZZ"}, "origin", "origin 'ZZZ'"),
    }
    rows = [GOOD | {"line_id": code} | more for code, (more, _, _) in lacking.items()]
    file = written(rows, tmp_path / "entries.csv")
    _, assessed, refused = run(file)
    assert assessed == []
    for row in refused:
        _, field, about = lacking[row["line_id"]]
        assert (row["code"], row["field"]) == (row["line_id"], field)
        assert row["about"]
        assert row["about"].startswith(about)
        one = find(file, row["line_id"], law())
        assert isinstance(one, Assessed)
        assert (one.refusal, one.about[: len(row["about"])]) == (row["code"], row["about"])


def test_a_day_is_a_day_as_a_stamp_of_midnight_and_none_with_a_time_or_a_zone(tmp_path: Path) -> None:
    frame = pl.DataFrame([GOOD | {"line_id": name} for name in ("A", "B")])
    stamps = pl.Series("date", ["2030-01-05 00:00:00", "2030-01-05 13:30:00"]).str.to_datetime()
    _, wanted, _ = run(written([GOOD | {"line_id": "A"}], tmp_path / "entries.csv"))
    for unit in ("ms", "us", "ns"):
        file = tmp_path / unit / "entries.parquet"
        file.parent.mkdir()
        frame.with_columns(stamps.dt.cast_time_unit(unit)).write_parquet(file)
        _, assessed, refused = run(file)
        assert assessed == wanted
        told = [(row["line_id"], row["code"], row["field"], row["value"]) for row in refused]
        assert told == [("B", "R04", "date", "2030-01-05 13:30:00")]
    zoned = tmp_path / "entries.parquet"
    frame.with_columns(stamps.dt.replace_time_zone("UTC")).write_parquet(zoned)
    assert [row["code"] for row in run(zoned)[2]] == ["R04", "R04"]


def test_noughts_behind_the_point_are_a_columns_own_and_no_fault(tmp_path: Path) -> None:
    _, wanted, _ = run(written([GOOD], tmp_path / "entries.csv"))
    frame = pl.DataFrame([GOOD])
    wide = [pl.col(name).cast(pl.Decimal(38, 10)) for name in ("net_mass_kg", "price", "freight", "insurance", "assay")]
    file = tmp_path / "wide.parquet"
    frame.with_columns(wide).write_parquet(file)
    assert run(file)[1] == wanted
    frame.with_columns(wide).with_columns(pl.lit("0.8850000001").cast(pl.Decimal(38, 10)).alias("assay")).write_parquet(
        file
    )
    assert [(row["code"], row["field"]) for row in run(file)[2]] == [("R13", "assay")]


def test_a_quotation_mark_that_is_not_closed_costs_its_own_line_alone(tmp_path: Path) -> None:
    """Whether the file ends, another mark comes, or the swallowed lines would even make a row."""
    rows = [GOOD | {"line_id": f"L{k}", "lot": f"lot{k}"} for k in range(8)]
    head, *lines = [",".join(rows[0]), *(",".join(row.values()) for row in rows)]
    opened = {
        "to the end": {2: lines[2].replace("CCC", '"CCC')},
        "to another quoted cell": {2: lines[2].replace("CCC", '"CCC'), 5: lines[5].replace("CCC", '"CCC"')},
        "to a row": {2: lines[2].replace("lot2", '"lot2'), 5: lines[5].replace("lot5", 'lot5"')},
        "behind a mark in a cell": {2: lines[2].replace("USD,FOB", 'U"SD,"FOB')},
        "twice": {2: lines[2].replace("CCC", '"CCC'), 3: lines[3].replace("CCC", '"CCC')},
    }
    for name, torn in opened.items():
        file = tmp_path / name / "entries.csv"
        file.parent.mkdir()
        file.write_text(
            "\n".join([head, *(torn.get(k, line) for k, line in enumerate(lines))]) + "\n", encoding="utf-8"
        )
        totals, assessed, refused = run(file)
        lost = {int(row["row"]) - 1 for row in refused}
        assert totals.lines == len(lines), name
        assert lost <= set(torn), name
        assert 2 in lost, name
        assert {row["line_id"] for row in assessed} == {f"L{k}" for k in range(8) if k not in lost}, name
        assert refused[0]["code"] == "R01", name
        assert "line 4 of the file" in refused[0]["about"], name
        assert refused[0]["value"].startswith("L2,"), name
        assert isinstance(find(file, "7", law()), Assessed), name


def test_blank_lines_and_line_ends_of_two_kinds_move_no_row(tmp_path: Path) -> None:
    lines = [",".join(GOOD), *(",".join((GOOD | {"line_id": f"L{k}"}).values()) for k in range(4))]
    lines[3] += ",one more"
    file = tmp_path / "entries.csv"
    for ends in (
        ("\n", "\r\n", "\n", "\r\n", "\n"),
        ("\n\n", "\n", "\n\n\n", "\n", "\n\n"),
        ("\r\n", "\r\n\r\n", "\r\n", "\r\n", ""),
    ):
        file.write_bytes("".join(line + end for line, end in zip(lines, ends, strict=True)).encode())
        totals, assessed, refused = run(file)
        assert (totals.lines, [row["row"] for row in refused]) == (4, ["3"]), ends
        assert {row["line_id"] for row in assessed} == {"L0", "L1", "L3"}, ends
        found = find(file, "4", law())
        assert isinstance(found, Assessed)
        assert found.entry.line_id == "L3", ends


def test_a_text_on_several_lines_stays_one_cell(tmp_path: Path) -> None:
    rows = [GOOD | {"line_id": f"L{k}", "note": f'two\nlines, "{k}"\n' if k % 2 else "one"} for k in range(4)]
    rows[1]["good"] += "\n"  # as a spreadsheet leaves it
    file = tmp_path / "entries.csv"
    with file.open("w", encoding="utf-8", newline="") as text:
        out = csv.DictWriter(text, list(rows[0]))
        out.writeheader()
        out.writerows(rows)
    totals, assessed, refused = run(file)
    assert (totals.lines, len(assessed), refused) == (4, 4, [])


def test_a_json_line_that_cannot_be_read_costs_itself_alone(tmp_path: Path) -> None:
    rows = [json.dumps(GOOD | {"line_id": f"L{k}"}) for k in range(12)]
    broken = {
        1: (rows[1][:-5], "no JSON"),
        2: (rows[2].replace('"20000.00"', '{"value": 20000, "unit": "USD"}'), "'price' holds an object or a list"),
        3: (rows[3].replace('"L3"', '["L3"]'), "'line_id' holds an object or a list"),
        4: ("[1, 2]", "one object is expected"),
        5: (rows[5].replace('"freight"', '"price"'), "'price' stands twice"),
        6: (rows[6].replace('"L6"', '"L\\ud800"'), "half of a sign"),
        7: ("[" * 100_000, "too deep"),
    }
    lines = [broken.get(k, (row, ""))[0].encode() for k, row in enumerate(rows)]
    lines[8] = lines[8].replace(b"CCC", b"C\xffC")
    file = tmp_path / "entries.jsonl"
    file.write_bytes(b"\xef\xbb\xbf" + b"\n".join(lines) + b"\n\n")
    totals, assessed, refused = run(file)
    assert [int(row["row"]) for row in refused] == list(range(2, 10))
    assert {row["code"] for row in refused} == {"R01"}
    for row in refused[:-1]:
        number = int(row["row"]) - 1
        assert f"line {number + 1} of the file: {broken[number][1]}" in row["about"]
    assert "is not UTF-8" in refused[-1]["about"]
    assert {row["line_id"] for row in assessed} == {"L0", "L9", "L10", "L11"}
    assert totals.lines == 12
    assert isinstance(find(file, "10", law()), Assessed)


def test_numbers_in_json_keep_their_own_digits(tmp_path: Path) -> None:
    """What a float would round or spell anew is refused as it is in a text."""
    numbers = {"A": "20000.00", "B": "20000.0000000000001", "C": "2e4", "D": "20000", "E": "NaN", "F": "true"}
    lines = [json.dumps(GOOD | {"line_id": name}).replace('"20000.00"', number) for name, number in numbers.items()]
    file = tmp_path / "entries.jsonl"
    file.write_text("\n".join(lines), encoding="utf-8")
    _, assessed, refused = run(file)
    assert {row["line_id"]: row["price"] for row in assessed} == {"A": "20000.00", "D": "20000.00"}
    assert [(row["line_id"], row["code"], row["value"]) for row in refused] == [
        (name, "R08", numbers[name]) for name in "BCEF"
    ]


def test_a_truncated_parquet_file_is_refused_whole(tmp_path: Path) -> None:
    file = tmp_path / "entries.parquet"
    pl.DataFrame([GOOD] * 100).write_parquet(file)
    file.write_bytes(file.read_bytes()[:-40])
    with pytest.raises(InputRefused, match="entries-unreadable"):
        run(file)
    assert not (tmp_path / "assessed.csv").exists()


def test_columns_of_no_layout_are_refused_with_what_is_missing(tmp_path: Path) -> None:
    file = tmp_path / "entries.csv"
    file.write_text("line_id,date\nA,2030-01-01\n", encoding="utf-8")
    with pytest.raises(InputRefused, match="no column is called 'importer'"):
        run(file)
    pl.DataFrame({"line_id": ["A"], "date": ["2030-01-01"]}).write_parquet(tmp_path / "entries.parquet")
    with pytest.raises(InputRefused, match="the layout national needs: importer"):
        run(tmp_path / "entries.parquet")


def test_the_layouts_of_filers_and_of_the_wco_are_the_same_line(tmp_path: Path) -> None:
    from friendshore.border.entries import CONSTANTS, LAYOUTS

    one = GOOD | {"importer": "AAA"}
    _, wanted, _ = run(written([one], tmp_path / "entries.csv"))
    names = LAYOUTS["wco"]
    file = tmp_path / "wco" / "entries.csv"
    file.parent.mkdir()
    with file.open("w", encoding="utf-8", newline="") as text:
        out = csv.writer(text)
        out.writerow([names[name] for name in GOOD])
        out.writerow([one[name] for name in GOOD])
    assert run(file)[1] == wanted
    for day in ("20300105", "2030-01-05T00:00:00"):  # in this layout alone
        file.write_text(file.read_text(encoding="utf-8").replace("2030-01-05", day), encoding="utf-8")
        assert run(file)[1] == wanted
        file.write_text(file.read_text(encoding="utf-8").replace(day, "2030-01-05"), encoding="utf-8")
        _, _, refused = run(written([one | {"date": day}], tmp_path / "entries.csv"))
        assert [(row["code"], row["value"]) for row in refused] == [("R04", day)]
    for day in ("20301305", "2030-0105", "2030-01-05T13:00:00", "2030-01-05T00:00:00Z"):
        file.write_text(file.read_text(encoding="utf-8").replace("2030-01-05", day), encoding="utf-8")
        assert [(row["code"], row["value"]) for row in run(file)[2]] == [("R04", day)]
        file.write_text(file.read_text(encoding="utf-8").replace(day, "2030-01-05"), encoding="utf-8")
    said = CONSTANTS["entry_summary"]
    assert set(LAYOUTS["entry_summary"]) | set(said) == set(LAYOUTS["national"])


def test_a_line_is_explained_as_it_was_assessed(tmp_path: Path) -> None:
    rows = [GOOD | {"line_id": f"L{k}", "price": f"{9000 + 777 * k}.01"} for k in range(5)]
    file = written([*rows, GOOD | {"line_id": "bad", "price": "?"}], tmp_path / "entries.csv")
    _, assessed, _ = run(file)
    for row in assessed:
        one = find(file, row["line_id"], law())
        assert isinstance(one, Assessed)
        assert one.amounts is not None
        assert Decimal(row["total_usd"]) * 100 == one.amounts["total_c"]
        assert row["reasons"].split() == list(one.reasons)
    assert find(file, "bad", law()) == (Fault("R08", "price", "?"),)
    with pytest.raises(InputRefused, match="no line 'L9'"):
        find(file, "L9", law())


def test_a_line_from_the_command_line_is_read_as_a_file_is() -> None:
    given = {name: value for name, value in GOOD.items() if value}
    entry = read_one(given)
    assert not isinstance(entry, tuple)
    found = assess_line(entry, law())
    assert found.amounts is not None
    assert read_one(given | {"price": "2e4"}) == (Fault("R08", "price", "2e4"),)
    with pytest.raises(InputRefused, match="did you mean 'origin'"):
        read_one(given | {"orign": "CCC"})


def test_a_quota_is_filled_in_order_and_straddled_once(tmp_path: Path) -> None:
    ore = GOOD | {
        "importer": "BBB",
        "hs": "26110060",
        "good": "tungsten.concentrate",
        "assay": "0.5",
        "assay_of": "tungsten",
    }
    rows = [ore | {"line_id": f"Q{k}", "date": f"2030-01-{k + 1:02d}", "net_mass_kg": "40000"} for k in range(4)]
    totals, assessed, _ = run(written(rows, tmp_path / "entries.csv"))
    by_id = {row["line_id"]: row for row in assessed}
    assert [by_id[f"Q{k}"]["reasons"].split()[0] for k in range(4)] == ["D5", "D5", "D6", "D7"]
    # 20 t a line of 55.5 t: the third has 15.5 of its 20 t within, 77.5 % of 20,520.50 USD; 40 t at 8.80 yen a kg beside
    assert by_id["Q2"]["base_duty_usd"] == str(Decimal("159.03") + Decimal("784.91") + Decimal("2303.14"))
    assert balanced(totals)


def test_a_line_under_a_quota_is_explained_as_it_was_assessed_in_its_file(tmp_path: Path) -> None:
    """The quota is filled by the lines before it alone: by day, then row; not by lines that are refused or of another good."""
    ore = GOOD | {
        "importer": "BBB",
        "hs": "26110060",
        "good": "tungsten.concentrate",
        "assay": "0.5",
        "assay_of": "tungsten",
    }
    rows = [ore | {"line_id": f"Q{k}", "date": f"2030-01-{9 - k:02d}", "net_mass_kg": "40000"} for k in range(4)]
    rows += [ore | {"line_id": "none", "assay": "", "assay_of": ""}, ore | {"line_id": "bad", "price": "1e3"}]
    rows += [ore | {"line_id": "again"}, GOOD | {"line_id": "again"}, GOOD | {"line_id": "other"}]
    file = written(rows, tmp_path / "entries.csv")
    _, assessed, refused = run(file)
    assert {row["line_id"] for row in refused} == {"none", "bad", "again"}
    for row in assessed:
        one = find(file, row["line_id"], law())
        assert isinstance(one, Assessed)
        assert one.amounts is not None
        assert Decimal(row["total_usd"]) * 100 == one.amounts["total_c"], row["line_id"]
        assert row["reasons"].split() == list(one.reasons)
    assert find(file, "again", law()) == (Fault("R03", "line_id", "again"),)
    assert find(file, "7", law()) == (Fault("R03", "line_id", "again"),)


def test_a_row_is_found_by_its_number_behind_rows_that_no_reader_could_take(tmp_path: Path) -> None:
    file = written([GOOD | {"line_id": f"L{k}x"} for k in range(6)], tmp_path / "entries.csv")
    lines = file.read_bytes().splitlines(keepends=True)
    lines[2] = lines[2].replace(b"\r\n", b",one more\r\n")
    lines[4] = lines[4].replace(b"CCC", b"C\xff\xfeC")
    file.write_bytes(b"".join(lines))
    for number, name in ((1, "L0x"), (3, "L2x"), (5, "L4x"), (6, "L5x")):
        found = find(file, str(number), law())
        assert isinstance(found, Assessed)
        assert found.entry.line_id == name
    for number in ("2", "4", "7"):
        with pytest.raises(InputRefused, match="no line"):
            find(file, number, law())


# One number in many types of column: (type in DuckDB, the numbers a file of that type can hold and one of texts can too).
TYPED = (
    ("DECIMAL(9,2)", ("0.00", "0.01", "-0.01", "1000.00", "9999999.99")),
    ("DECIMAL(18,0)", ("0", "1", "-1", "1000", "90000000000", "90000000001", "999999999999999999")),
    ("DECIMAL(18,2)", ("0.01", "90000000000.00", "90000000000.01", "9999999999999999.99", "-9999999999999999.99")),
    ("DECIMAL(18,4)", ("0.01", "1000.5", "1000.0001")),
    ("DECIMAL(38,2)", ("20000.00", "90000000000.01", "999999999999999999999999999999999999.99")),
    ("SMALLINT", ("0", "-1", "1000")),
    ("BIGINT", ("1", "90000000000", "90000000001", "9223372036854775807", "-9223372036854775808")),
    ("UBIGINT", ("1000", "18446744073709551615")),
    ("HUGEINT", ("1000", "170141183460469231731687303715884105727")),
)


@pytest.mark.parametrize(("kind", "numbers"), TYPED)
def test_a_number_is_the_same_as_a_number_and_as_a_text(kind: str, numbers: tuple[str, ...], tmp_path: Path) -> None:
    """In a Parquet column of any type, whose bounds the file's own statistics may tell, and in a text."""
    import duckdb

    fields = ("net_mass_kg", "price", "freight", "insurance")
    whole = GOOD | {"price": "20000", "insurance": "20"}
    rows = [
        whole | {"line_id": f"{field}{place}", field: number}
        for field in fields
        for place, number in enumerate(numbers)
    ]
    plain, typed = written(rows, tmp_path / "plain.csv"), tmp_path / "typed.parquet"
    typing = ", ".join(f"{field}::{kind} AS {field}" for field in fields)
    duckdb.execute(
        f"COPY (SELECT * REPLACE ({typing}) FROM read_csv('{plain}', all_varchar = true)) TO '{typed}' (FORMAT parquet)"  # noqa: S608
    )
    (first, done, left), (second, same, rest) = run(plain), run(typed)
    assert done
    assert done == same
    told = [[(row["row"], row["line_id"], row["code"], row["field"]) for row in each] for each in (left, rest)]
    assert told[0] == told[1]
    assert (first.value_in, first.owed_usd, first.codes) == (second.value_in, second.owed_usd, second.codes)
