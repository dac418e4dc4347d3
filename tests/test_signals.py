"""Signals: each question on a case that can be reckoned by hand, few of them on normal trade, none of them a denial."""

from __future__ import annotations

import csv
import io
import os
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl
import pytest

pytest.importorskip("ibis", reason="the extra `border` is not installed")
pytest.importorskip("duckdb", reason="the extra `border` is not installed")

import normal_trade
from hypothesis import given
from hypothesis import strategies as st

from friendshore import customs
from friendshore.agreement.document import Agreement
from friendshore.border.signals import known, lanes, lines, parts, trade
from friendshore.border.signals.known import Known
from friendshore.border.terms import Law
from friendshore.errors import InputRefused
from friendshore.instruments.names import iso_names
from friendshore.report import signals as page
from friendshore.world.tables import World

EXAMPLES = Path(__file__).parent.parent / "examples" / "border"
DATA = Path(os.environ.get("FRIENDSHORE_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
LINE = {
    "line_id": "A", "date": "2024-06-04", "importer": "USA", "origin": "CHN", "hs": "2825.80.00", "net_mass_kg": "20000",
    "price": "360000.00", "currency": "USD", "delivery": "FOB", "freight": "2100.00", "insurance": "420.00",
    "good": "antimony.oxide", "assay": "0.99", "assay_of": "sb2o3", "moisture": "", "related": "N", "proof": "",
    "exporter": "CHN",
}  # fmt: skip


@cache
def world() -> World:
    return World.load()


@cache
def base() -> Known:
    return known.known(world())


@cache
def law() -> Law:
    return customs.law(world(), Agreement.load("plurilateral-2026"), as_of=date(2030, 1, 1))


def asked(rows: list[dict[str, str]], folder: Path, held: Known | None = None, **more: Any) -> lines.Found:
    file = folder / "entries.csv"
    with file.open("w", encoding="utf-8", newline="") as text:
        out = csv.DictWriter(text, list(LINE))
        out.writeheader()
        out.writerows(rows)
    return lines.signalled(file, law(), held or base(), **more)


def points(found: lines.Found, line: str = "A") -> dict[str, float]:
    rows = found.signals.filter(pl.col("line_id") == line)
    return {row["code"]: row["points"] / 100 for row in rows.iter_rows(named=True)}


def measured(rows: str, held: Known | None = None, law: Law | None = None, *, values: bool = False) -> pl.DataFrame:
    frame = pl.read_csv(io.StringIO(rows), infer_schema=False)
    file = Path(frame_file(frame))
    read = trade.read(file, held or base(), frozenset(iso_names()))
    assert not read.refused.height, read.refused
    return lanes.pointed(lanes.measured(read.monthly, held or base(), law, values=values).found)


def frame_file(frame: pl.DataFrame) -> str:
    import tempfile

    file = tempfile.NamedTemporaryFile(suffix=".parquet", delete=False)  # noqa: SIM115 - removed by the caller's fixture
    FILES.append(file.name)
    file.close()
    frame.write_parquet(file.name)
    return file.name


FILES: list[str] = []


@pytest.fixture(autouse=True)
def _no_file_is_left() -> Any:
    yield
    for name in FILES:
        Path(name).unlink(missing_ok=True)
    FILES.clear()


# -- the score ---------------------------------------------------------------------------------------------------------


@given(st.sampled_from(sorted(parts.parts())), st.integers(-100_000, 100_000))
def test_a_part_of_a_score_is_reckoned_by_hand(code: str, measure: int) -> None:
    part = parts.parts()[code]
    share = (Decimal(measure) - part.start) / (part.full - part.start)
    by_hand = int(max(Decimal(0), min(Decimal(1), share)) * 100)
    assert part.strength(measure) == by_hand
    assert part.points(measure) == part.weight * by_hand


def test_every_question_has_weight_reason_and_source() -> None:
    sources = {row["id"] for row in parts.rows("sources.csv")}
    for part in parts.parts().values():
        assert part.weight > 0
        assert part.full > part.start
        assert part.reason
        assert part.question.endswith("?")
        assert set(part.source.split("+")) <= sources
        assert part.code in page.WORDS
    for setting in parts.settings().values():
        assert setting.what
        assert setting.reason
    for row in parts.rows("grades.csv"):
        assert 0 < float(row["low"]) < float(row["high"])
        assert set(row["source"].split("+")) <= sources
    goods = set(world().goods["id"])
    assert {row["good"] for row in parts.rows("grades.csv")} <= goods


def test_the_band_of_prices_holds_most_goods_with_two_prices() -> None:
    """The reason that parts.csv gives for S01 is what the world's tables say."""
    apart = 1 - pl.col("price_inside_usd_t") / pl.col("price_outside_usd_t")
    two = world().goods.select(apart=apart).filter(pl.col("apart") != 0)
    start = parts.parts()["S01"].start / parts.UNIT
    assert (two.filter(pl.col("apart") < start).height, two.height) == (17, 22)
    assert "17 of the 22" in parts.parts()["S01"].reason


# -- lines -------------------------------------------------------------------------------------------------------------


def test_a_line_at_the_market_asks_nothing(tmp_path: Path) -> None:
    # 20 t x 99 % x 0.8354 = 16.54 t of antimony; 23,880 USD/t beside the 22,000 inside China and the 23,650 that its metal costs
    found = asked([LINE | {"price": "395000.00"}], tmp_path)
    assert (found.lines, found.set_aside, found.listed) == (1, 0, 0)
    assert points(found) == {}
    assert found.asked["S01"] == 1


def test_under_valuation_in_points(tmp_path: Path) -> None:
    # 180,000 / 16.54 t = 10,883 USD/t against 22,000: 50.53 % below; (0.5053 - 0.30) / 0.40 = 51 %; 25 x 0.51
    found = asked([LINE | {"price": "180000.00"}], tmp_path)
    assert points(found)["S01"] == 12.75


def test_over_valuation_in_points(tmp_path: Path) -> None:
    # 727,760 / 16.54 t = 44,000 USD/t, twice the price: (1.00 - 0.50) / 1.50 = 33 %; 20 x 0.33
    found = asked([LINE | {"price": "727900.00"}], tmp_path)
    assert points(found) == {"S02": 6.6}


def test_a_good_altered_past_the_clause_is_held_against_its_input(tmp_path: Path) -> None:
    # the floor on the metal is 25,000 x 1.0101 tonnes; the oxide at 12,000 USD/t costs less than its own metal
    from friendshore.border.signals.clauses import covered_inputs

    day = date(2030, 1, 1)
    lane = pl.DataFrame({"good": ["antimony.oxide"], "exporter": ["CHN"], "importer": ["USA"], "day": [day]})
    cost = covered_inputs(lane, base(), law())["input_usd_t"][0]
    found = asked([LINE | {"price": f"{16.54 * cost * 0.75:.2f}"}], tmp_path)
    assert points(found)["S07"] == pytest.approx(10.0, abs=0.2)
    inside = pl.DataFrame({"good": ["antimony.oxide"], "exporter": ["JPN"], "importer": ["USA"], "day": [day]})
    assert covered_inputs(inside, base(), law()).height == 0


def test_a_grade_that_no_compound_has_is_full_and_a_low_one_is_asked_about(tmp_path: Path) -> None:
    # 60 % trioxide is 50.1 % antimony, known from 80 %: (0.80 - 0.5012) / 0.80 = 0.3735, beyond 0.25
    assert points(asked([LINE | {"assay": "0.60"}], tmp_path))["S09"] == 25.0
    assert "S09" not in points(asked([LINE | {"assay": "0.97"}], tmp_path))


def test_moisture_that_is_not_in_such_goods(tmp_path: Path) -> None:
    # 12 % in an oxide, known up to 2 %: (0.10 - 0.05) / 0.45 = 11 % of 10
    assert points(asked([LINE | {"moisture": "12%"}], tmp_path))["S10"] == 1.1


def test_another_good_at_the_price_of_the_covered_one(tmp_path: Path) -> None:
    other = LINE | {"hs": "8110.10.00", "good": "other", "assay": "", "assay_of": "", "price": "400000.00"}
    assert points(asked([other], tmp_path)) == {"S11": 15.0}
    assert points(asked([other | {"price": "90000.00"}], tmp_path)) == {}


def test_related_parties_outside_the_band(tmp_path: Path) -> None:
    assert points(asked([LINE | {"price": "180000.00", "related": "Y"}], tmp_path))["S12"] == 10.0
    assert "S12" not in points(asked([LINE | {"related": "Y"}], tmp_path))


def test_a_new_country_of_dispatch_and_a_jump_of_price(tmp_path: Path) -> None:
    months = [LINE | {"line_id": f"M{k}", "date": f"2024-{k:02d}-04", "price": "363000.00"} for k in range(1, 10)]
    late = LINE | {"line_id": "A", "date": "2024-10-04", "exporter": "MEX", "price": "181500.00"}
    held = points(asked([*months, late], tmp_path))
    assert held["S13"] == 10.0
    assert held["S14"] == 10.0  # half the usual price: twice, less one, is the full measure
    again = [LINE | {"line_id": f"M{k}", "date": f"2024-{k:02d}-04", "exporter": "MEX"} for k in range(1, 10)]
    assert "S13" not in points(asked([*again, late], tmp_path))


def test_exports_beyond_what_can_be_made_are_asked_about_on_each_line(tmp_path: Path) -> None:
    # Italy's oxide capacity is 175 t of antimony a year; four months of 165 t each are 8.5 times as much
    rows = [
        LINE
        | {
            "line_id": f"I{k}",
            "origin": "ITA",
            "exporter": "ITA",
            "date": f"2024-0{k}-04",
            "net_mass_kg": "200000",
            "price": "4064000.00",
        }
        for k in range(1, 5)
    ]
    found = asked(rows, tmp_path)
    assert points(found, "I4")["S03"] == 30.0
    assert "S03" not in points(found, "I1")  # a month says nothing
    assert found.listed == 2


def test_trade_given_is_what_lanes_are_held_against(tmp_path: Path) -> None:
    read = trade.read(EXAMPLES / "antimony-trade.csv", base(), frozenset(iso_names()))
    row = LINE | {"date": "2025-02-04", "origin": "MEX"}
    own = asked([row], tmp_path)
    assert own.asked["S05"] == 0
    monthly = read.monthly.with_columns(exporter=pl.col("exporter").str.replace("MEX+THA", "MEX", literal=True))
    found = asked([row], tmp_path, trade=monthly)
    held = points(found)
    assert (held["S05"], held["S06"]) == (25.0, 15.0)
    assert held["S03"] > 0  # for the tonnes of both, Mexico alone has not the smelters


def test_faulty_lines_are_counted_and_asked_nothing(tmp_path: Path) -> None:
    rows = [
        LINE,
        LINE | {"line_id": "=B"},
        LINE | {"line_id": "C", "origin": "=1"},
        LINE | {"line_id": "D", "price": "1e5"},
    ]
    found = asked(rows, tmp_path)
    assert (found.lines, found.set_aside, found.sound) == (4, 3, 1)


def test_a_line_alone_scores_as_in_its_file(tmp_path: Path) -> None:
    rows = [
        LINE | {"line_id": f"I{k}", "origin": "ITA", "date": f"2024-0{k}-04", "net_mass_kg": "200000"}
        for k in range(1, 5)
    ]
    other = LINE | {
        "line_id": "Z",
        "hs": "811010",
        "good": "antimony.metal",
        "assay_of": "antimony",
        "price": "9000.00",
    }
    whole = asked([*rows, other], tmp_path)
    alone = asked([*rows, other], tmp_path, line="I4")
    assert points(alone, "I4") == points(whole, "I4")
    assert set(alone.signals["line_id"]) == {"I4"}


def test_a_ladder_of_published_prices_takes_the_place_of_the_base_year(tmp_path: Path) -> None:
    ladder = tmp_path / "prices.csv"
    ladder.write_text(
        "good,day,usd_t,source\nantimony.oxide,2030-01-01,40000,desk\nantimony.oxide,2030-02-01,50000,desk\n",
        encoding="utf-8",
    )
    held = known.known(world(), ladder)
    rows = [LINE | {"line_id": day, "date": day} for day in ("2029-12-31", "2030-01-15", "2030-02-15", "2030-09-01")]
    found = asked(rows, tmp_path, held)
    assert found.asked["S01"] == 2  # none before the first, none long after the last
    # 21,765 USD/t: 45.58 % below 40,000 and 56.46 % below 50,000
    assert [points(found, day)["S01"] for day in ("2030-01-15", "2030-02-15")] == [9.5, 16.5]


def test_faulty_prices_are_refused_at_their_lines(tmp_path: Path) -> None:
    ladder = tmp_path / "prices.csv"
    rows = [
        "antimony.oxid,2030-01-01,1,desk,",
        "antimony.oxide,2030-02-30,x,desk,China",
        "antimony.oxide,2030-03-01,1e4,desk,",
        "antimony.oxide,2030-03-01,5,desk,",
    ]
    ladder.write_text("\n".join(["good,day,usd_t,source,origin", *rows]), encoding="utf-8")
    with pytest.raises(InputRefused) as caught:
        known.known(world(), ladder)
    told = [(each.place.line if each.place else 0, each.path) for each in caught.value.problems]
    assert told == [(2, "good"), (3, "origin"), (3, "day"), (3, "usd_t"), (4, "usd_t"), (5, "day")]
    assert caught.value.problems[0].hint == "did you mean 'antimony.oxide'?"
    ladder.write_bytes("good,day,usd_t,source\n".encode("utf-16"))
    with pytest.raises(InputRefused, match="UTF-16"):
        known.known(world(), ladder)
    with pytest.raises(InputRefused, match="there is no such file"):
        known.known(world(), tmp_path / "none.csv")


# -- lanes -------------------------------------------------------------------------------------------------------------


def test_antimony_oxide_through_thailand_and_mexico_is_found_on_the_published_figures() -> None:
    """3,834 t came from the two in December 2024 to April 2025, as much as in the three years before; China's trade fell."""
    read = trade.read(EXAMPLES / "antimony-trade.csv", base(), frozenset(iso_names()))
    assert (read.rows, read.refused.height, read.spread) == (6, 0, 6)
    found = lanes.pointed(lanes.measured(read.monthly, base(), None, values=False).found)
    scores = page.lane_signals(found)
    listed = scores.filter(pl.col("score") >= parts.threshold())
    assert set(listed["exporter"]) == {"MEX+THA"}
    assert sorted(set(listed["month"]))[0] == date(2025, 1, 1)
    february = found.filter(
        pl.col("exporter") == "MEX+THA", pl.col("month") == date(2025, 2, 1), pl.col("code") == "S05"
    ).row(0, named=True)
    # three of five months of 3,834 t against three of thirty-six months of 3,834 t: 36 / 5 = 7.2 times
    assert february["measure"] == 62_000
    assert february["observed"] == pytest.approx(3834 * 0.80 * 3 / 5)
    assert february["against"] == pytest.approx(3834 * 0.80 * 3 / 36)


@pytest.mark.skipif(not DATA.exists(), reason="the publishers' tables are not at hand")
def test_the_antimony_figures_are_the_publishers() -> None:
    with (EXAMPLES / "antimony-trade.csv").open(encoding="utf-8", newline="") as text:
        rows = list(csv.DictReader(text))
    comtrade = DATA / "raw" / "un_comtrade" / "us_bilateral_china_mexico_vietnam_mineral_hs6_2015_2025.csv"
    with comtrade.open(encoding="utf-8-sig", newline="") as text:
        reported = {
            row["period"]: (float(row["net_wgt"]), float(row["primary_value"]))
            for row in csv.DictReader(text)
            if (row["reporter_iso"], row["partner_iso"], row["flow_code"], row["cmd_code"])
            == ("USA", "CHN", "M", "282580")
        }
    china = {
        row["from"][:4]: (float(row["net_mass_kg"]), float(row["value_usd"])) for row in rows if row["partner"] == "CHN"
    }
    assert sorted(china) == ["2022", "2023", "2024", "2025"]
    assert china == {year: reported[year] for year in china}
    with (DATA / "facts" / "controlled_exports_observed_2019_2026.csv").open(encoding="utf-8-sig", newline="") as text:
        (told,) = [
            line for line in csv.reader(text) if line[:5] == ["import", "USA", "THA+MEX", "antimony oxide", "282580"]
        ]
    routed = {row["from"]: row for row in rows if row["partner"] == "MEX+THA"}
    assert told[5:9] == ["2024-12/2025-04", "period", "3834", "t"]
    assert (routed["2024-12"]["to"], routed["2024-12"]["net_mass_kg"]) == ("2025-04", "3834000")


def test_two_reports_of_one_trade_that_do_not_meet() -> None:
    rows = ["month,reporter,flow,partner,good,net_mass_kg,value_usd"]
    for month in range(1, 13):
        rows += [
            f"2024-{month:02d},JPN,import,CHN,antimony.metal,100000,",
            f"2024-{month:02d},CHN,export,JPN,antimony.metal,25000,",
        ]
    found = measured("\n".join(rows))
    gap = found.filter(pl.col("code") == "S04", pl.col("month") == date(2024, 6, 1)).row(0, named=True)
    assert gap["measure"] == 7_500  # 75 of 100 t are in one report only
    assert gap["points"] == 15 * 90
    one_sided = measured("\n".join(row for row in rows if "export" not in row))
    assert (
        one_sided.filter(pl.col("code") == "S04")["measure"].null_count()
        == one_sided.filter(pl.col("code") == "S04").height
    )


def test_trade_that_moves_to_the_next_stage_when_a_clause_comes() -> None:
    rows = ["month,reporter,flow,partner,good,net_mass_kg,value_usd"]
    for month in range(24):
        name = f"{2029 + month // 12}-{month % 12 + 1:02d}"
        metal, oxide = (100_000, 10_000) if month < 15 else (20_000, 120_000)
        rows += [f"{name},USA,import,CHN,antimony.metal,{metal},", f"{name},USA,import,CHN,antimony.oxide,{oxide},"]
    found = measured("\n".join(rows), law=law())
    moved = found.filter(pl.col("code") == "S08", pl.col("points") > 0)
    assert set(moved["good"]) == {"antimony.oxide"}
    assert moved["strength"].max() == 100
    assert measured("\n".join(rows)).filter(pl.col("code") == "S08").height == 0  # no clause, no question


def test_a_country_that_makes_none_cannot_export_it() -> None:
    rows = ["month,reporter,flow,partner,good,net_mass_kg,value_usd"]
    rows += [f"2024-{month:02d},USA,import,PRT,antimony.oxide,300000," for month in range(1, 7)]
    found = measured("\n".join(rows))
    assert found.filter(pl.col("code") == "S03")["strength"].max() == 100
    assert found.filter(pl.col("code") == "S03", pl.col("month") == date(2024, 2, 1))["measure"][0] is None


def test_rows_of_a_trade_table_are_refused_by_name(tmp_path: Path) -> None:
    good = "2025-01,USA,import,CHN,282580,1000,2000"
    bad = {
        "2025-13,USA,import,CHN,282580,1000,2000": ("T01", "month"),
        "2025-02,842,import,CHN,282580,1000,2000": ("R05", "reporter"),
        "2025-02,USA,import,CN,282580,1000,2000": ("R05", "partner"),
        "2025-02,USA,M,CHN,282580,1000,2000": ("T02", "flow"),
        "2025-02,USA,import,CHN,82580,1000,2000": ("R06", "hs"),
        "2025-02,USA,import,CHN,282580,1e3,2000": ("R07", "net_mass_kg"),
        "2025-02,USA,import,CHN,282580,1000,2 000": ("R08", "value_usd"),
        "2025-02,USA,import,USA,282580,1000,2000": ("T04", "partner"),
        "2025-03,USA,import,CHN,282580,1000,2000": ("T03", "month"),
    }
    file = tmp_path / "trade.csv"
    rows = [good, "2025-01,USA,import,WLD,282580,1000,2000", "2025-01,USA,import,CHN,010121,5,5", *bad, list(bad)[-1]]
    file.write_text("\n".join(["month,reporter,flow,partner,hs,net_mass_kg,value_usd", *rows]) + "\n", encoding="utf-8")
    read = trade.read(file, base(), frozenset(iso_names()))
    assert (read.rows, read.totals, read.other, read.monthly.height) == (len(rows), 1, 1, 1)
    told = [(row["code"], row["field"]) for row in read.refused.iter_rows(named=True)]
    assert told == [*bad.values(), ("T03", "month")]
    assert read.rows == read.monthly.height + read.refused.height + read.totals + read.other


# -- false alarms ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "line", "message"),
    [
        (b"", 1, "empty"),
        ("month,reporter\n".encode("utf-16"), 1, "not UTF-8"),
        (b"month,reporter,flow,partner,good,net_mass_kg\n2025-01,USA,import,CHN,tin.metal,1,2\n", 2, "7 cells under 6"),
        (b'month,reporter,flow,partner,good,net_mass_kg\n"2025-01,USA,import,CHN,tin.metal,1\n', 2, "not closed"),
    ],
)
def test_a_torn_file_is_refused_at_its_line(tmp_path: Path, raw: bytes, line: int, message: str) -> None:
    file = tmp_path / "trade.csv"
    file.write_bytes(raw)

    def taken() -> trade.Trade:
        assert trade.is_trade(trade.columns_of(file))
        return trade.read(file, base(), frozenset(iso_names()))

    with pytest.raises(InputRefused, match=message) as caught:
        taken()
    assert [each.place.line for each in caught.value.problems if each.place] == [line]


def test_the_docs_tell_the_questions_as_they_are() -> None:
    text = (EXAMPLES.parent.parent / "docs" / "signals.md").read_text(encoding="utf-8")
    for row in parts.rows("parts.csv"):
        cells = (
            row["code"],
            row["question"],
            row["on"].replace("+", ", "),
            row["weight"],
            row["start"],
            row["full"],
            row["measure"],
            row["reason"],
        )
        assert f"| {' | '.join(cells)} |" in text
    for row in parts.rows("settings.csv"):
        assert f"| `{row['name']}` | {row['value']} | {row['what']} | {row['reason']} |" in text


def test_normal_trade_raises_few_signals(tmp_path: Path) -> None:
    """The base year's own flows as shipments, with a tenth of scatter in prices: below one in fifty is listed."""
    file = tmp_path / "normal.parquet"
    normal_trade.entries(world(), base(), 8_000, seed=1).write_parquet(file)
    found = lines.signalled(file, law(), base())
    assert (found.lines, found.set_aside) == (8_000, 0)
    print(f"{found.listed} of {found.lines} normal lines listed, {100 * found.listed / found.lines:.2f} %")  # noqa: T201
    assert found.listed <= 0.02 * found.lines
    for code in ("S01", "S02", "S03", "S09", "S10", "S14"):
        assert found.raised[code] <= 0.03 * max(found.asked[code], 1), code


def test_normal_months_raise_few_signals(tmp_path: Path) -> None:
    file = tmp_path / "normal.csv"
    normal_trade.months(world(), base(), (2023, 2024), seed=2).write_csv(file)
    read = trade.read(file, base(), frozenset(iso_names()))
    found = lanes.pointed(lanes.measured(read.monthly, base(), law(), values=True).found)
    scores = found.group_by("good", "exporter", "importer", "month").agg(score=pl.col("points").sum())
    listed = int((scores["score"] >= parts.threshold()).sum())
    print(f"{listed} of {scores.height} normal lanes and months listed, {100 * listed / scores.height:.2f} %")  # noqa: T201
    assert listed <= 0.02 * scores.height


# -- what is printed ---------------------------------------------------------------------------------------------------


def test_a_page_adds_up_and_says_that_it_asks(tmp_path: Path) -> None:
    rows = [LINE | {"price": "130000.00", "assay": "0.70", "related": "Y"}]
    found = asked(rows, tmp_path)
    text = page.entries(found, base().prices_from)
    assert " ".join(text.split()).count(parts.QUESTION) == 2
    assert "denied" in text
    score = found.signals["score"][0] / 100
    assert score == sum(points(found).values())
    assert f"{score:.2f} points" in text
    document = page.document(found, "x")
    assert document["signals"][0]["score"] == score
    out = tmp_path / "out.csv"
    page.write(page.table(found.signals), out)
    assert len(out.read_text(encoding="utf-8").splitlines()) == 1 + found.signals.height


def test_a_folder_of_publications_is_a_ladder_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from friendshore.border import publication

    document = {
        "rule": {"delivery": "cif"}, "date": "2030-01-20", "in_force_from": "2030-02-01", "in_force_until": "2030-03-31",
        "goods": [{"good": "antimony.oxide", "price": "40000.00", "usd_t": "40000.00"}, {"good": "gallium.metal", "price": None}],
    }  # fmt: skip
    monkeypatch.setattr(publication, "load", lambda folder: publication.Ladder((document,)))
    held = known.known(world(), tmp_path)
    assert held.on_cif
    assert held.prices.rows() == [
        ("antimony.oxide", "", date(2030, 2, 1), date(2030, 3, 31), 40000.0, "published 2030-01-20")
    ]
    found = asked(
        [LINE | {"date": "2030-02-10", "price": "120000.00", "freight": "44000.00", "insurance": "1400.00"}],
        tmp_path,
        held,
    )
    # 165,400 cif for 16.54 t: 10,000 USD/t, a quarter of the published price: all of 25 points
    assert points(found)["S01"] == 25.0
    assert found.signals.filter(pl.col("code") == "S01")["observed"][0] == pytest.approx(10_000, rel=1e-3)


def test_a_later_publication_ends_a_price_even_where_it_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from friendshore.border import publication

    def document(day: str, since: str, until: str, **usd_t: str | None) -> dict[str, object]:
        goods = [
            {"good": good, "price": usd, "usd_t": usd, "per": "t", "of": good, "delivery": "cif", "rung": "index"}
            for good, usd in usd_t.items()
        ]
        about = {"date": day, "digest": day, "in_force_from": since, "in_force_until": until}
        return {"rule": {"delivery": "cif"}, **about, "goods": goods}

    ladder = publication.Ladder((
        document("2030-01-01", "2030-01-15", "2030-06-30", tin="100", zinc="10", lead="1"),
        document("2030-03-01", "2030-03-15", "2030-06-30", tin="110", zinc=None),
    ))  # fmt: skip
    monkeypatch.setattr(publication, "load", lambda folder: ladder)
    prices = known.known(world(), tmp_path).prices
    for day in (date(2030, 1, 15), date(2030, 3, 14), date(2030, 3, 15), date(2030, 6, 30), date(2030, 7, 1)):
        held = prices.filter(pl.lit(day).is_between(pl.col("since"), pl.col("until")))
        assert dict(held.select("good", "usd_t").iter_rows()) == {
            good: float(each.usd_t) for good, each in ladder.on(day).items()
        }


def test_the_command_prints_one_document_and_writes_every_signal(tmp_path: Path) -> None:
    import json

    from typer.testing import CliRunner

    from friendshore.cli import app

    out = tmp_path / "signals.parquet"
    done = CliRunner().invoke(app, ["signals", str(EXAMPLES / "antimony-trade.csv"), "--json", "--out", str(out)])
    assert done.exit_code == 0, done.output
    document = json.loads(done.stdout)
    assert document["note"] == parts.QUESTION
    assert document["lanes"]["listed"] == 5
    assert pl.read_parquet(out).height == len(document["signals"])
    faulty = CliRunner().invoke(app, ["signals", str(EXAMPLES / "asked.csv"), "--json"])
    assert faulty.exit_code == 3
    assert json.loads(faulty.stdout)["lines"] == {"read": 5, "set_aside": 1, "asked": 4, "listed": 1}
