"""Several agreements on one scale: accounts that add up, and the same numbers from every door."""

from __future__ import annotations

import json
from datetime import date

import polars as pl
import pytest

from friendshore.agreement.document import Agreement
from friendshore.effects import grounds
from friendshore.report.account import Names
from friendshore.report.side_by_side import side_by_side as tables
from friendshore.run import clear
from friendshore.side_by_side import Case, Sides, side_by_side
from friendshore.study import study
from friendshore.world.tables import PACKAGED, World

pytestmark = pytest.mark.skipif(not (PACKAGED / "VERSION").exists(), reason="the built world is not here")
PAIR = ("plurilateral-2026", "subsidies-only")


@pytest.fixture(scope="module")
def world() -> World:
    return World.load()


@pytest.fixture(scope="module")
def found(world: World) -> Sides:
    deals = [Agreement.load(name, world) for name in PAIR]
    return side_by_side(world, [Case(deal.id, deal, deal.run_date) for deal in deals])


def test_countries_groups_goods_and_instruments_add_to_the_same_total(found: Sides) -> None:
    for side in found.sides:
        own = side.countries.filter(~pl.col("country").is_in(side.countries["union"].unique().to_list()))
        union = side.countries.filter(pl.col("country") == "EUN")
        outside_union = own.filter(pl.col("union") != "EUN")["usd"].sum() + union["usd"].sum()
        whole = side.headline["gain_of_world"]
        for total in (outside_union, sum(side.groups.values()), side.goods["usd"].sum()):
            assert total == pytest.approx(whole, abs=1.0)
        assert side.goods["parties"].sum() == pytest.approx(side.headline["gain_of_parties"], abs=1.0)
        assert side.shares is not None
        assert sum(side.shares.of("gain_of_parties").values()) == pytest.approx(
            side.headline["gain_of_parties"], abs=1.0
        )


def test_a_union_is_its_members_and_its_budget(found: Sides) -> None:
    rows = found.sides[0].countries
    union = rows.filter(pl.col("country") == "EUN").row(0, named=True)
    members = rows.filter(pl.col("union") == "EUN")
    assert members.height == 27
    budget = union["usd"] - members["usd"].sum()
    assert budget == pytest.approx(
        union["passed_on"], rel=1e-6
    )  # the budget gets what members pass on, and nothing else
    assert members["kept"].sum() == pytest.approx(union["kept"], abs=1e-3)
    assert union["kept"] == pytest.approx(0.25 / 0.75 * union["passed_on"], rel=1e-6)


def test_the_figures_are_those_of_a_study(world: World, found: Sides) -> None:
    deal = Agreement.load(PAIR[0], world)
    full = study(world, deal, stability=False)
    plain = full.reactions.filter(pl.col("reaction") == "none").row(0, named=True)
    assert found.sides[0].headline["gain_of_parties"] == pytest.approx(plain["parties_usd"], abs=1.0)
    assert found.sides[0].headline["gain_of_outsiders"] == pytest.approx(plain["outsiders_usd"], abs=1.0)
    assert found.sides[0].headline["gain_of_firms"] == pytest.approx(plain["firms_usd"], abs=1.0)
    assert found.sides[0].groups.keys() == set(full.groups["group"])
    for group, usd in full.groups.iter_rows():
        assert found.sides[0].groups[group] == pytest.approx(usd, abs=1.0)


def test_dependence_is_counted_from_the_flows(world: World, found: Sides) -> None:
    side = found.sides[0]
    for good in ("ndpr.oxide", "cobalt.metal"):
        (largest, _), (reliance, _), (concentration, _) = (
            side.supply[f"{measure}.{good}"] for measure in ("largest_supplier", "import_reliance", "concentration")
        )
        assert 0.0 < largest <= reliance < 100.0
        assert largest**2 <= concentration <= 10_000.0
    flows = world.routes.filter((pl.col("good") == "cobalt.metal") & pl.col("importer").is_in(side.parties))
    own = flows.filter(pl.col("exporter").is_in(side.parties))["flow_t"].sum() / flows["flow_t"].sum()
    assert side.supply["import_reliance.cobalt.metal"][0] == pytest.approx(
        100.0 * (1.0 - own), abs=15.0
    )  # 2024 to 2030
    assert [each.wanted for each in side.benchmarks] == [
        "ores of which a tenth is its own",
        "metals of which two fifths are its own",
        "goods with no outsider above 65 %",
        "metals of which a quarter is recycled at home",
    ]
    assert all(0 <= each.after <= each.goods > 5 for each in side.benchmarks)


def test_dependence_has_every_stage_and_marks_who_stands_above_the_limit(world: World, found: Sides) -> None:
    side = found.sides[0]
    rows = {row["good"]: row for row in side.dependence.iter_rows(named=True)}
    assert set(side.dependence["stage"]) >= {"ore", "intermediate", "refined", "product"}
    assert rows.keys() == {name.partition(".")[2] for name in side.supply if name.startswith("import_reliance.")}
    gallium = rows["gallium.metal"]
    assert (gallium["largest_outsider_after"], gallium["over_limit_after"]) == ("CHN", True)
    before = clear(world, as_of=date(2030, 1, 1))
    taken = before.flows.filter((pl.col("good") == "ndpr.oxide") & pl.col("importer").is_in(side.parties))
    share = taken.group_by("exporter").agg(pl.col("t").sum() / taken["t"].sum())
    outside = share.filter(~pl.col("exporter").is_in(side.parties)).sort("t", descending=True)
    row = rows["ndpr.oxide"]
    assert row["concentration_before"] == pytest.approx((100 * share["t"]).pow(2).sum(), rel=1e-6)
    assert row["import_reliance_pct_before"] == pytest.approx(100 * outside["t"].sum(), rel=1e-6)
    assert row["largest_outsider_before"] == outside["exporter"][0]
    assert row["largest_share_pct_before"] == pytest.approx(100 * outside["t"][0], rel=1e-6)
    page = tables(found, Names())
    assert "89.5→89.5! CHN" in page, "an outsider above the limit is named even where nothing moves"


def test_tables_fit_the_page_and_name_every_agreement(found: Sides) -> None:
    page = tables(found, Names())
    assert max(map(len, page.splitlines()[2:])) <= 100
    assert all(page.count(name) >= 7 for name in PAIR)


def test_comparing_takes_less_than_a_second_after_the_solves(found: Sides) -> None:
    assert found.seconds_after_solving < 1.0


def test_the_command_line_gives_what_python_gives(call, found: Sides) -> None:
    status, out, _ = call("compare", *PAIR, "--json")
    assert status == 0
    document = json.loads(out)
    assert [each["headline"] for each in document["agreements"]] == [side.headline for side in found.sides]
    assert document["agreements"][0]["by_country"] == found.sides[0].countries.to_dicts()


def test_one_agreement_alone_is_refused(call) -> None:
    status, out, err = call("compare", "plurilateral-2026")
    assert (status, out) == (2, "")
    assert "nothing to be compared with" in err


# -- the other commands -------------------------------------------------------------------------------------------------


def test_a_run_names_what_was_run_and_what_came_out_and_a_second_run_gives_the_same(call, tmp_path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text("scenario: lower\nagreement: one-floor\nassumptions: {horizon: 1}\n", encoding="utf-8")
    words = ("run", str(path), "--no-stability", "--json")
    one, other = (json.loads(call(*words)[1]) for _ in range(2))
    assert one["digests"] == other["digests"]
    assert all(len(digits) == 12 for digits in one["digests"].values())
    assert one["outcomes"]["agreement"]["prices"] == other["outcomes"]["agreement"]["prices"]
    page = call("run", str(path), "--no-stability")[1]
    assert one["digests"]["result"] in page
    assert one["digests"]["world"] in page


def test_a_run_shares_out_what_it_does_where_asked(call, tmp_path) -> None:
    words = ("run", "one-trade-area", "--no-stability", "--decompose", "instrument")
    status, page, _ = call(*words)
    assert status == 0
    assert "WHAT EACH INSTRUMENT DOES" in page
    document = json.loads(call(*words, "--json")[1])
    assert document["shares"]["residual"] <= 1e-9
    assert call(*words, "--out", str(tmp_path / "out"))[0] == 0
    assert (tmp_path / "out" / "shares.csv").exists()


def test_a_diff_and_shares_are_one_document_each(call) -> None:
    status, out, _ = call("agreement", "diff", "no-agreement", "one-tariff", "--json")
    assert status == 0
    found = json.loads(out)
    assert {change["part"] for effect in found["changes"] for change in effect["changes"]} >= {
        "duty.antimony",
        "party USA",
    }
    whole = found["together"]["usd"]["gain_of_parties"]
    parts = sum(effect["usd"]["gain_of_parties"] for effect in found["changes"])
    assert parts + found["only_together_usd"]["gain_of_parties"] == pytest.approx(whole, abs=1e-3)
    status, out, _ = call("agreement", "shares", "one-tariff", "--by", "clause", "--json")
    assert (status, json.loads(out)["parts"]) == (0, {"duty.antimony": ["duty.antimony"]})
    assert call("agreement", "shares", "one-tariff", "--by", "party")[0] == 2


def test_options_are_ranked_in_one_document(call, tmp_path) -> None:
    path = tmp_path / "o.yaml"
    path.write_text(
        "scenario: o\nagreement: one-tariff\noptions: {duty.antimony.rate: [0.1, 0.25]}\n", encoding="utf-8"
    )
    status, out, _ = call("agreement", "options", str(path), "--json")
    assert status == 0
    found = json.loads(out)
    assert [each["rank"] for each in found["alternatives"]] == [1, 2]
    costs = [each["figures"]["cost_to_parties"] for each in found["alternatives"]]
    assert costs == sorted(costs)


def test_examples_and_text_print_alone(call) -> None:
    status, out, err = call("agreement", "test", "plurilateral-2026")
    assert (status, err) == (0, "")
    assert out.endswith("All three hold.\n")
    found = json.loads(call("agreement", "test", "plurilateral-2026", "--json")[1])
    assert [each["owed_usd"] for each in found["examples"]] == ["98000.00", "49000.00", "0.00"]
    assert call("agreement", "text", "one-floor")[1].startswith("# A price floor on gallium")


def test_two_drafts_are_told_apart_by_the_promises_they_meet(world: World) -> None:
    one, other = (Agreement.load(name, world) for name in ("plurilateral-2026", "eu-compatible"))
    met = {
        (each.clause, each.obligation): (each.before, each.after) for each in grounds(world, one, other, one.run_date)
    }
    assert met["gap.ndpr", "scm.5"][0] == "", "the earlier text pays no producer in the Union"
    assert met["gap.ndpr", "scm.5"][1] != ""
    assert grounds(world, one, one, one.run_date) == ()
