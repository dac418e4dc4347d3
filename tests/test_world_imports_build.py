"""A user's own world: what the files cover is theirs and balances, what they do not cover stays to the last digit."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from friendshore.cli import app
from friendshore.errors import InputRefused
from friendshore.report import own_data as own_data_report
from friendshore.world import flows, own_data, own_files, own_output, own_trade, sectors
from friendshore.world.check import balances, check
from friendshore.world.moved import PARTS, moved
from friendshore.world.own_files import Files
from friendshore.world.sectors import Row
from friendshore.world.tables import World, table_names

RAW = Path(os.environ.get("FRIENDSHORE_DATA", Path(__file__).resolve().parents[2] / "shared/data")) / "raw"
real = pytest.mark.skipif(not RAW.is_dir(), reason="no raw data beside the repository")


@pytest.fixture(scope="module")
def world() -> World:
    return World.load()


def simple_rules(world: World) -> Iterator[tuple[str, Row]]:
    """Goods of one code that is theirs alone and whose gross weight tells their tonnes."""
    found = own_trade.rules(world)
    relabelled = {row["good"] for row in sectors.rows("relabel")}
    codes = [code for lines in found.values() for row in lines for code in row["codes"].split("+")]
    for good, lines in found.items():
        row = lines[0]
        plain = len(lines) == 1 and row["method"] == "matrix" and row["by"] == "weight" and row["exporters"] == "*"
        if plain and "+" not in row["codes"] and codes.count(row["codes"]) == 1 and good not in relabelled:
            yield good, row


def trade_of(world: World, good: str) -> dict[tuple[str, str], float]:
    rows = world.routes.filter((pl.col("good") == good) & (pl.col("exporter") != pl.col("importer")))
    return {(e, i): t for e, i, t in rows.select("exporter", "importer", "flow_t").iter_rows() if t > 0.0}


@dataclass(frozen=True)
class Moved:
    """A good whose largest exporter sends half of what its largest buyer took to its second."""

    good: str
    code: str
    exporter: str
    first: str
    second: str
    trade: dict[tuple[str, str], float]
    lines: list[str]


def redirected(world: World) -> Moved:
    for good, row in simple_rules(world):
        trade = trade_of(world, good)
        sold: dict[str, float] = {}
        for (exporter, _), tonnes in trade.items():
            sold[exporter] = sold.get(exporter, 0.0) + tonnes
        if not sold:
            continue
        exporter = max(sold, key=lambda code: sold[code])
        buyers = sorted((pair for pair in trade if pair[0] == exporter), key=lambda pair: -trade[pair])
        if len(buyers) < 2:
            continue
        first, second = buyers[0], buyers[1]
        new = dict(trade)
        new[first] -= trade[first] / 2
        new[second] += trade[first] / 2
        price = dict(world.goods.select("id", "price_outside_usd_t").iter_rows())[good]
        factor = float(row["factor"])
        lines = [
            f"2024,{e},{i},{row['codes']},{t * price / 1e3:.6f},{t / factor:.9f}" for (e, i), t in sorted(new.items())
        ]
        return Moved(good, row["codes"], exporter, first[1], second[1], trade, lines)
    raise AssertionError("no good to try it on")


def written(folder: Path, lines: list[str]) -> Path:
    path = folder / "BACI_HS17_Y2024_V209901.csv"
    path.write_text("t,i,j,k,v,q\n" + "\n".join(lines) + "\n", encoding="utf-8")
    return path


@dataclass(frozen=True)
class Built:
    case: Moved
    folder: Path
    file: Path
    world: World
    report: own_data.Report


@pytest.fixture(scope="module")
def built(world: World, tmp_path_factory: pytest.TempPathFactory) -> Built:
    case, folder = redirected(world), tmp_path_factory.mktemp("own")
    file = written(folder, case.lines)
    report = own_files.build(Files(baci=(file,)), folder / "world", world)
    return Built(case, folder / "world", file, World.load(folder / "world"), report)


def test_trade_goes_where_the_file_says(built: Built, world: World) -> None:
    before, after = built.case.trade, trade_of(built.world, built.case.good)
    one, other = (built.case.exporter, built.case.first), (built.case.exporter, built.case.second)
    shifted = before[one] / 2
    assert before[one] - after[one] == pytest.approx(shifted, rel=0.35)
    assert after[other] - before[other] == pytest.approx(shifted, rel=0.35)


def test_every_invariant_holds(built: Built) -> None:
    assert built.report.failed == ()
    assert [item.name for item in check(built.world) if not item.ok] == []
    assert balances(built.world)["relative"].max() <= 1e-12  # type: ignore[operator]


def test_what_the_file_does_not_reach_stays_to_the_last_digit(built: Built, world: World) -> None:
    untouched = set(world.goods["id"]) - set(built.report.balanced_goods)
    assert built.case.good in built.report.balanced_goods
    assert untouched, "everything hangs together"
    for name, key in (
        ("routes", "good"),
        ("final_use", "good"),
        ("stocks", "good"),
        ("prices", "good"),
        ("licences", "good"),
        ("goods", "id"),
    ):
        one, other = (getattr(each, name).filter(pl.col(key).is_in(sorted(untouched))) for each in (world, built.world))
        assert one.equals(other), name
    for name in ("countries", "territories", "substances"):
        assert getattr(world, name).equals(getattr(built.world, name)), name


def test_every_replaced_figure_names_the_file_and_is_listed_before_and_after(built: Built, world: World) -> None:
    source = "own.baci-hs17-y2024-v209901"
    assert source in set(built.world.sources["id"])
    now, was = trade_of(built.world, built.case.good), built.case.trade
    told = {tuple(line.split(",")[1:3]) for line in built.case.lines}
    rows = built.world.routes.filter((pl.col("good") == built.case.good) & (pl.col("flow_t") > 0))
    cited = {(e, i): s for e, i, s in rows.select("exporter", "importer", "source").iter_rows()}
    assert all(source in cited[pair] for pair in now if pair in told)
    listed = {
        (e, i): (b, a, r, s)
        for e, i, b, a, r, s in built.world.adjustments.filter(
            (pl.col("good") == built.case.good) & (pl.col("table") == "routes") & (pl.col("partner") != "")
        ).select("country", "partner", "before_t", "after_t", "rule", "source").iter_rows()
    }  # fmt: skip
    for pair in set(now) | set(was):
        if abs(now.get(pair, 0.0) - was.get(pair, 0.0)) > 1e-6 * sum(was.values()):
            before, after, rule, cites = listed[pair]
            assert (before, after) == (was.get(pair, 0.0), now.get(pair, 0.0))
            assert source in cites
            assert "the user's file" in rule


def test_the_same_files_give_the_same_bytes(built: Built, world: World, tmp_path: Path) -> None:
    own_files.build(Files(baci=(built.file,)), tmp_path / "again", world)
    for name in (*(f"{table}.csv" for table in table_names()), "VERSION"):
        assert (tmp_path / "again" / name).read_bytes() == (built.folder / name).read_bytes(), name


def test_weights_in_kilograms_are_refused_as_such(built: Built, world: World, tmp_path: Path) -> None:
    kilograms = []
    for line in built.case.lines:
        *head, q = line.split(",")
        kilograms.append(",".join([*head, f"{float(q) * 1000:.6f}"]))
    with pytest.raises(InputRefused, match="kilograms where tonnes belong"):
        own_files.build(Files(baci=(written(tmp_path, kilograms),)), tmp_path / "world", world)
    assert not (tmp_path / "world").exists()


def test_a_good_is_left_alone_where_the_file_has_only_some_of_its_codes(world: World, tmp_path: Path) -> None:
    several = {
        good: sorted({c for row in lines for c in row["codes"].split("+")})
        for good, lines in own_trade.rules(world).items()
    }
    single = {codes[0] for codes in several.values() if len(codes) == 1}
    good, codes = next((g, c) for g, c in several.items() if len(c) > 1 and not set(c) & single)
    own = codes[0]
    partial = {g for g, c in several.items() if own in c and len(c) > 1}
    file = written(tmp_path, [f"2024,CHN,JPN,{own},1000,100"])
    with pytest.raises(InputRefused) as refused:
        own_files.build(Files(baci=(file,)), tmp_path / "world", world)
    assert good in partial
    assert "lacks" in str(refused.value)


def test_an_extract_does_not_pass_for_everybody_s_trade(built: Built, world: World, tmp_path: Path) -> None:
    file = written(tmp_path, built.case.lines[:1])
    with pytest.raises(InputRefused, match=r"a part of\s+the trade, not all of it"):
        own_files.build(Files(baci=(file,)), tmp_path / "world", world)


def test_reports_of_one_importer_replace_its_purchases_only(built: Built, world: World, tmp_path: Path) -> None:
    case = built.case
    bought = {pair: t for pair, t in case.trade.items() if pair[1] == case.first}
    price = dict(world.goods.select("id", "price_outside_usd_t").iter_rows())[case.good]
    heading = "period,reporterISO,partnerISO,flowCode,cmdCode,netWgt,primaryValue"
    rows = [
        f"2024,{i},{e},M,{case.code},{1e3 * t * (0.5 if e == case.exporter else 1)},{t * price}"
        for (e, i), t in bought.items()
    ]
    file = tmp_path / "imports.csv"
    file.write_text("\n".join([heading, *rows]) + "\n")
    report = own_files.build(Files(comtrade=(file,)), tmp_path / "world", world)
    after = trade_of(World.load(tmp_path / "world"), case.good)
    pair = case.exporter, case.first
    assert after[pair] < 0.8 * case.trade[pair]
    others = [p for p in case.trade if p[1] != case.first and case.trade[p] > 0.01 * sum(case.trade.values())]
    others = [p for p in others if p[0] != case.exporter]  # whose tonnes, made all the same, go elsewhere
    assert {p: after[p] for p in others} == pytest.approx({p: case.trade[p] for p in others}, rel=0.25)
    assert report.failed == ()
    abroad = (pl.col("good") == case.good) & (pl.col("exporter") != pl.col("importer")) & (pl.col("flow_t") > 0)
    routes = World.load(tmp_path / "world").routes.filter(abroad)
    mine = pl.col("source").str.contains("own.imports", literal=True)
    assert routes.filter(pl.col("importer") == case.first).select(mine.any()).item()
    assert not routes.filter(pl.col("importer") != case.first).select(mine.any()).item()


def test_a_reporter_with_a_scrap_of_its_trade_keeps_what_it_had(built: Built, world: World, tmp_path: Path) -> None:
    case = built.case
    price = dict(world.goods.select("id", "price_outside_usd_t").iter_rows())[case.good]
    rows = []
    for (e, i), t in case.trade.items():
        if i in (case.first, case.second):
            told = t * (0.01 if i == case.second else 1.0)
            rows.append(f"2024,{i},{e},M,{case.code},{1e3 * told},{told * price}")
    file = tmp_path / "two.csv"
    file.write_text("\n".join(["period,reporterISO,partnerISO,flowCode,cmdCode,netWgt,primaryValue", *rows]) + "\n")
    after, report = own_data.with_data(world, own_files.read(Files(comtrade=(file,)), world))
    assert set(report.goods[0].silent) == {case.second}
    pair = case.exporter, case.second
    assert trade_of(after, case.good)[pair] == pytest.approx(case.trade[pair], rel=0.1)


def test_areas_nobody_specifies_are_spread_over_the_same_trader_s_partners() -> None:
    cells = [
        ("CHL", "CHN", 60.0, 6.0),
        ("CHL", "JPN", 30.0, 3.0),
        ("PER", "CHN", 10.0, 1.0),
        ("CHL", "XNS", 9.0, 0.9),
        ("XNS", "CHN", 7.0, 0.7),
        ("XNS", "XNS", 1.0, 0.1),
    ]
    known, usd = own_trade.specified(cells)
    assert usd == pytest.approx(1.7)
    assert sum(known.values()) == pytest.approx(117.0)
    assert known["CHL", "JPN"] == pytest.approx(30.0 + 9.0 / 3 + 1.0 * 0.3)
    assert known["PER", "CHN"] == pytest.approx(10.0 + 1.0 + 0.1)


def test_output_of_the_user_s_moves_the_level(world: World, tmp_path: Path) -> None:
    rests_on = own_output.reported(world)
    by_hand = {(row["process"], row["country"]) for row in sectors.rows("levels")}
    row, country = next(
        (row, country)
        for row in sectors.rows("production") if row["publisher"] == "usgs" and not row["less"]
        for (process, country), tonnes in sorted(rests_on.items(), key=lambda item: -item[1])
        if process == row["process"] and (process, country) not in by_hand and not country.startswith("X") and tonnes
    )  # fmt: skip
    unit = own_output.plan_unit(float(row["scale"]))
    name = {1e-3: "kilograms", 1.0: "metric tons", 1e3: "thousand metric tons"}[unit]
    told = {
        c: t / float(row["scale"]) for (p, c), t in rests_on.items() if p == row["process"] and not c.startswith("X")
    }
    told[country] *= 0.9
    lines = [
        f'MCS,World Mine Production,{row["commodity"]},{c},Production,"{row["detail"]}",{name},2024,"{v:,.3f}",,,'
        for c, v in told.items()
    ]
    heading = "MCS chapter,Section,Commodity,Country,Statistics,Statistics_detail,Unit,Year,Value,Notes,Is critical mineral 2025,Other notes"
    file = tmp_path / "MCS2099.csv"
    file.write_text("\n".join([heading, *lines]) + "\n")
    report = own_files.build(Files(usgs=(file,)), tmp_path / "world", world)
    after = World.load(tmp_path / "world")
    was, now = (
        dict(w.activities.select("id", "level_t").iter_rows())[f"{row['process']}@{country}"] for w in (world, after)
    )
    assert report.levels == 1
    assert 0.85 < now / was < 0.99
    assert report.failed == ()
    source = dict(after.activities.select("id", "source").iter_rows())[f"{row['process']}@{country}"]
    assert source.startswith("own.mcs2099")


USGS_WIDE = """SOURCE,COMMODITY,COUNTRY,TYPE,UNIT_MEAS,PROD_EST_ 2024
MCS2025,Antimony,China,"Mine production, contained antimony",@,60000
MCS2025,Antimony,Tajikistan,"Mine production, contained antimony",@,17000
MCS2025,Antimony,Burma,"Mine production, contained antimony",@,W
"""


def test_countries_of_whom_a_table_of_output_says_nothing_keep_theirs(world: World, tmp_path: Path) -> None:
    file = tmp_path / "mine.csv"
    file.write_text(USGS_WIDE.replace("@", "metric tons"))
    after, report = own_data.with_data(world, own_files.read(Files(usgs=(file,)), world))
    was, now = (
        {country: t for name, country, t in w.activities.select("process", "country", "level_t").iter_rows() if name == "antimony.mine"}
        for w in (world, after)
    )  # fmt: skip
    assert now["CHN"] == pytest.approx(60_000.0, rel=0.1)
    assert now["TJK"] == pytest.approx(17_000.0, rel=0.1)
    for country in set(was) - {"CHN", "TJK"}:  # Russia is not in the table, Burma's figure is withheld
        assert now[country] == pytest.approx(was[country], rel=0.1), country
    assert report.failed == ()


def test_output_in_another_unit_than_it_says_is_refused_as_such(world: World, tmp_path: Path) -> None:
    for unit in ("thousand metric tons", "kilograms"):
        file = tmp_path / "mine.csv"
        file.write_text(USGS_WIDE.replace("@", unit))
        with pytest.raises(InputRefused) as refused:
            own_data.with_data(world, own_files.read(Files(usgs=(file,)), world))
        assert [problem.code for problem in refused.value.problems] == ["wrong-unit"]


def test_prices_of_the_pink_sheet_move_every_good_that_rests_on_them(world: World, tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    plan = [row for row in sectors.rows("pink_sheet") if row["good"] in set(world.goods["id"])]
    held = dict(world.goods.select("id", "price_outside_usd_t").iter_rows())
    own = next(row for row in plan if not row["like"])
    book = openpyxl.Workbook()
    page = book.active
    page.title = "Monthly Prices"
    price = 1.1 * held[own["good"]] / float(own["factor"])
    for row in (
        [None, own["series"], "Gold"],
        [None, "($/mt)", "($/troy oz)"],
        *([f"2024M{m:02d}", price, 2000.0] for m in range(1, 13)),
    ):
        page.append(row)
    book.save(tmp_path / "cmo.xlsx")
    report = own_files.build(Files(pink_sheet=(tmp_path / "cmo.xlsx",)), tmp_path / "world", world)
    now = dict(World.load(tmp_path / "world").goods.select("id", "price_outside_usd_t").iter_rows())
    moved_with = {row["good"] for row in plan if row["series"] == own["series"]}
    assert {good for good, _, _ in report.prices} == moved_with
    assert {good: now[good] / held[good] for good in moved_with} == pytest.approx(dict.fromkeys(moved_with, 1.1))
    assert all(now[good] == held[good] for good in set(held) - moved_with)
    assert report.failed == ()


def test_every_good_of_the_pink_sheet_s_plan_is_one_of_a_sector_s() -> None:
    goods = {row["id"] for row in sectors.rows("goods")}
    assert {row["good"] for row in sectors.rows("pink_sheet")} <= goods
    likes = {row["like"] for row in sectors.rows("pink_sheet") if row["like"]}
    assert likes <= {row["good"] for row in sectors.rows("pink_sheet") if not row["like"]}


def test_every_heading_of_the_plan_has_its_codes() -> None:
    headings = {code for row in sectors.rows("trade") for code in row["codes"].split("+") if len(code) == 4}
    assert headings <= {row["heading"] for row in sectors.rows("headings")}
    assert all(
        code.startswith(row["heading"]) for row in sectors.rows("headings") for code in row["codes"].split(flows.ADDED)
    )


# --- folders, differences, commands -----------------------------------------------------------------------------------


def test_a_world_survives_its_folder(built: Built) -> None:
    again = World.load(built.folder)
    assert (again.name, again.version) == (built.report.name, built.report.version)
    assert all(getattr(again, name).equals(getattr(built.world, name)) for name in table_names())


def test_a_folder_with_other_things_is_not_written_to(built: Built, world: World, tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("keep me")
    with pytest.raises(InputRefused, match=r"holds other things: letter\.txt"):
        own_files.build(Files(baci=(built.file,)), tmp_path, world)
    assert [p.name for p in tmp_path.iterdir()] == ["letter.txt"]


def test_a_folder_that_is_no_world_is_refused_in_words(built: Built, tmp_path: Path) -> None:
    with pytest.raises(InputRefused, match="is no world: it lacks VERSION"):
        World.load(tmp_path)
    with pytest.raises(InputRefused, match="is no folder"):
        World.load(tmp_path / "none")
    for file in built.folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "prices.csv").write_text("good,country,price_usd_t\nx,y,dear\n")
    with pytest.raises(InputRefused, match=r"prices\.csv is no table of a world"):
        World.load(tmp_path)


def test_a_world_does_not_differ_from_itself(world: World) -> None:
    found = moved(world, world)
    assert found.same
    assert found.changes == ()


def test_differences_are_complete_and_turn_round(built: Built, world: World) -> None:
    there, back = moved(world, built.world), moved(built.world, world)
    assert {(c.part, c.key): c.by for c in there.changes} == {(c.part, c.key): -c.by for c in back.changes}
    for part, (table, _, figure, unit) in PARTS.items():
        if unit == "t":
            totals = [float(getattr(each, table)[figure].sum()) for each in (world, built.world)]
            by = sum(change.by for change in there.changes if change.part == part)
            assert by == pytest.approx(totals[1] - totals[0], abs=1e-9 * max(map(abs, totals)))
        sizes = [abs(change.by) for change in there.changes if change.part == part]
        assert sizes == sorted(sizes, reverse=True)
    assert {one.good for one in there.sums} <= set(built.report.balanced_goods)


def test_a_file_of_another_year_than_the_world_s_is_said_to_be_one(built: Built) -> None:
    assert "in the world base-2024, as it is" not in own_data_report.built(built.report, "x")
    older = replace(built.report.imports[0], table=built.report.imports[0].table.with_columns(year=pl.lit("2023")))
    page = own_data_report.built(replace(built.report, imports=(older,)), "x")
    assert f"{older.file}: trade of 2023 in the world base-2024, as it is." in page


def test_several_years_need_a_choice(built: Built, world: World, tmp_path: Path) -> None:
    file = written(tmp_path, [*built.case.lines, *(line.replace("2024,", "2023,", 1) for line in built.case.lines)])
    with pytest.raises(InputRefused, match="holds 2023, 2024"):
        own_files.read(Files(baci=(file,)), world)
    assert own_files.read(Files(baci=(file,), year="2024"), world)[0].table.height == len(built.case.lines)


def test_the_commands_build_compare_and_use_a_world(built: Built, tmp_path: Path) -> None:
    runner = CliRunner()
    out = tmp_path / "world"
    done = runner.invoke(app, ["world", "build", "--baci", str(built.file), "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert "share of value lost to unknown codes 0 %" in " ".join(done.output.split())
    assert "Every invariant of world check holds" in done.output
    told = runner.invoke(app, ["world", "build", "--baci", str(built.file), "--out", str(out), "--json"])
    document = json.loads(told.stdout)
    assert document["files"][0]["adds_up"] is True
    assert document["files"][0]["rows"] == len(built.case.lines)
    page = runner.invoke(app, ["world", "diff", "-", str(out)])
    assert page.exit_code == 0
    assert f"{built.case.good} {built.case.exporter} > {built.case.first}" in page.output
    assert json.loads(runner.invoke(app, ["world", "diff", "-", str(out), "--json"]).stdout)["changes"]
    assert runner.invoke(app, ["world", "diff", "-", "-"]).output.endswith("Nothing moved.\n")
    for words in (["world", "check"], ["world", "show", built.case.good], ["world", "goods"], ["world", "countries"]):
        assert runner.invoke(app, [*words, "--world", str(out)]).exit_code == 0, words


def test_a_build_needs_a_folder_and_never_touches_what_ships(built: Built) -> None:
    with pytest.raises(InputRefused, match="where should the world be written"):
        CliRunner().invoke(app, ["world", "build", "--baci", str(built.file)], catch_exceptions=False)


# --- the real files -----------------------------------------------------------------------------------------------------


@real
def test_the_file_that_the_world_was_built_from_hardly_moves_it(world: World) -> None:
    files = Files(baci=(RAW / "cepii_baci/BACI_HS17_V202601_Y2024_30hs6.csv",))
    _, report = own_data.with_data(world, own_files.read(files, world))
    assert report.failed == ()
    assert report.goods
    for one in report.goods:
        if one.before_t:
            assert one.moved_t <= 0.02 * one.before_t, one


@real
def test_the_tables_that_the_world_was_built_from_move_nothing(world: World) -> None:
    files = Files(usgs=(RAW / "usgs/MCS2026_Commodities_Data.csv",))
    after, report = own_data.with_data(world, own_files.read(files, world))
    assert report.levels == 0
    assert moved(world, after).same
