"""What is made of the minerals: bills of materials that add, users by industry that add, every figure with its source."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from friendshore.agreement.document import Agreement
from friendshore.downstream.products import content, contents
from friendshore.downstream.tables import BILLS, RANGE, end_uses, read_bills, shipped_bills, sources
from friendshore.downstream.users import UNKNOWN, users_by_industry, uses_known
from friendshore.errors import InputRefused
from friendshore.report.account import Names
from friendshore.report.side_by_side import side_by_side as tables
from friendshore.side_by_side import Case, Sides, side_by_side
from friendshore.world.tables import PACKAGED, World

pytestmark = pytest.mark.skipif(not (PACKAGED / "VERSION").exists(), reason="the built world is not here")
NAMES = ("plurilateral-2026", "alliance-duties")


@pytest.fixture(scope="module")
def world() -> World:
    return World.load()


@pytest.fixture(scope="module")
def found(world: World) -> Sides:
    deals = [Agreement.load(name, world) for name in NAMES]
    return side_by_side(world, [Case(deal.id, deal, deal.run_date) for deal in deals], by_instrument=False)


def test_every_row_names_a_good_of_the_world_and_a_source_that_there_is(world: World) -> None:
    goods, said = set(world.goods["id"]), set(sources()["id"])
    bills = shipped_bills()
    assert set(bills.filter(pl.col("measure") == "kg")["part"]) <= goods
    assert set(bills.filter(pl.col("measure") == "units")["part"]) <= set(bills["product"])
    assert set(end_uses()["good"]) <= goods
    assert {*bills["source"], *end_uses()["source"]} <= said
    estimates = bills.filter(pl.col("source") == "estimate")
    assert (estimates["note"].fill_null("").str.len_chars() > 10).all(), "an estimate gives its rule"
    assert set(estimates["reliability"]) <= {"C", "D"}


def test_shares_of_a_use_never_pass_the_whole(world: World) -> None:
    whole = end_uses().group_by("good").agg(pl.col("share").sum())
    assert whole.filter(pl.col("share") > 1.0005).is_empty()


def test_the_products_of_the_issue_are_there() -> None:
    names = " ".join(shipped_bills()["product"].unique())
    for wanted in (
        "motor",
        "cell NMC 811",
        "cell LFP",
        "pack NMC 811",
        "pack LFP",
        "car",
        "wind turbine",
        "radar",
        "chip",
        "fighter",
    ):
        assert wanted in names
    assert set(shipped_bills()["area"]) == {"energy transition", "defence", "advanced technology"}


def test_a_product_costs_its_parts_and_their_parts(found: Sides) -> None:
    bills = shipped_bills()
    car = content("battery car, nickel-rich", bills)
    assert car["lithium.hydroxide"] == pytest.approx(60 * 0.0998)
    assert car["ndfeb.magnet"] == pytest.approx(1.5)
    costs = {
        (product, place): (old, new)
        for product, place, old, new in found.sides[0]
        .products.select("product", "place", "before_usd", "after_usd")
        .iter_rows()
    }
    for place in ("the parties", "EUN", "JPN"):
        for side in (0, 1):
            pack, motor = (
                costs["battery pack NMC 811", place][side],
                costs["permanent-magnet motor of a car", place][side],
            )
            assert costs["battery car, nickel-rich", place][side] == pytest.approx(60 * pack + motor)


def test_a_floor_on_the_oxide_makes_motors_dearer_and_leaves_cells_alone(found: Sides) -> None:
    rows = {
        r["product"]: r for r in found.sides[0].products.filter(pl.col("place") == "the parties").iter_rows(named=True)
    }
    motor, cell = rows["permanent-magnet motor of a car"], rows["battery cell LFP"]
    assert motor["after_usd"] / motor["before_usd"] > 1.1
    assert cell["after_usd"] / cell["before_usd"] == pytest.approx(1.0, abs=1e-3)


def test_where_a_good_is_not_bought_a_product_has_no_cost(found: Sides) -> None:
    row = (
        found.sides[0]
        .products.filter((pl.col("place") == "MEX") & (pl.col("product").str.starts_with("chip")))
        .row(0, named=True)
    )
    assert (row["before_usd"], row["after_usd"], row["missing"]) == (None, None, "gallium.metal")


def test_users_by_industry_add_to_all_users(found: Sides) -> None:
    for side in found.sides:
        assert side.users["parties"].sum() == pytest.approx(side.headline["gain_of_users"], abs=1.0)
        assert side.users["outside"].sum() == pytest.approx(side.groups["final users, outside"], abs=1.0)
    table = users_by_industry({"graphite.anode": (6.0, 1.0), "zinc.metal": (4.0, 0.0)})
    held = dict(table.select("industry", "parties").iter_rows())
    assert (held["batteries"], held[UNKNOWN]) == (6.0, 4.0)


def test_of_every_good_it_is_said_how_far_its_use_is_published(found: Sides) -> None:
    for side in found.sides:
        goods = dict(side.uses.select("good", "known").iter_rows())
        assert goods["germanium.metal"] == "not known"
        assert goods["ndfeb.magnet"] == "part"
        assert goods["gallium.metal"] == "all"
        row = side.users.filter(pl.col("industry") == UNKNOWN).row(0, named=True)
        assert side.uses["parties_not_known"].sum() == pytest.approx(row["parties"], abs=1.0)
        assert side.uses["outside_not_known"].sum() == pytest.approx(row["outside"], abs=1.0)
        assert side.uses["parties"].sum() == pytest.approx(side.headline["gain_of_users"], abs=1.0)
    page = tables(found, Names())
    assert "It is not known of dysprosium.oxide, germanium.metal" in page.replace("\n", " ")
    assert uses_known({"germanium.metal": (2.0, 1.0)}).row(0) == (
        "germanium.metal", 0.0, "not known", "", 2.0, 1.0, 2.0, 1.0,
    )  # fmt: skip


def test_foreign_sellers_are_the_groups_of_outsiders_that_sell(found: Sides) -> None:
    sell = ("miners", "refiners", "makers of products", "recyclers", "hosts of by-products", "licence and rent owners",
            "offtake contracts")  # fmt: skip
    for side in found.sides:
        groups = sum(side.groups.get(f"{name}, outside", 0.0) for name in sell)
        assert sum(side.sellers.values()) == pytest.approx(groups, abs=1.0)


def test_bills_of_ones_own_are_read_strictly_at_their_lines(world: World, tmp_path: Path) -> None:
    head = ",".join(name for name in BILLS if name not in RANGE)
    good = tmp_path / "bills.csv"
    good.write_text(f"{head}\nsolder,kg,advanced technology,electronics,tin.metal,0.96,kg,2024,own,B,\n")
    table = read_bills(good, world.goods["id"])
    assert content("solder", table) == {"tin.metal": 0.96}
    bad = tmp_path / "bad.csv"
    bad.write_text(f"{head}\nsolder,kg,x,y,tin.metall,0.96,kg,2024,own,B,\nsolder,kg,x,y,tin.metal,-1,units,2024,,B,\n")
    with pytest.raises(InputRefused) as refused:
        read_bills(bad, world.goods["id"])
    said = [(problem.code, problem.place.line if problem.place else 0) for problem in refused.value.problems]
    assert ("unknown-good", 2) in said
    assert {("wrong-number", 3), ("no-source", 3), ("wrong-measure", 3)} <= set(said)
    ring = tmp_path / "ring.csv"
    ring.write_text(f"{head}\na,kg,x,y,b,1,units,2024,own,B,\nb,kg,x,y,a,1,units,2024,own,B,\n")
    with pytest.raises(InputRefused, match="part of itself"):
        read_bills(ring, world.goods["id"])


def test_a_range_in_bills_of_ones_own_holds_the_amount(world: World, tmp_path: Path) -> None:
    head, row = ",".join(BILLS), "motor,motor,x,y,ndfeb.magnet,{},kg,1.2,3.5,2024,own,B,\n"
    file = tmp_path / "bills.csv"
    file.write_text(f"{head}\n{row.format(2)}car,car,x,y,motor,2,units,,,2024,own,C,two axles\n")
    held = contents("car", read_bills(file, world.goods["id"]))
    assert [(one.kg, one.low, one.high, one.reliability) for one in held] == [(4.0, 2.4, 7.0, "C")]
    file.write_text(f"{head}\n{row.format(1)}")
    with pytest.raises(InputRefused, match=r"1 does not lie between 1\.2 and 3\.5"):
        read_bills(file, world.goods["id"])


def test_contents_with_their_sources_weigh_what_the_cost_counts() -> None:
    bills = shipped_bills()
    for product in bills["product"].unique(maintain_order=True):
        found = contents(product, bills)
        assert {one.good: one.kg for one in found} == pytest.approx(content(product, bills))
        assert all(one.sources for one in found)
    jet = {one.good: one for one in contents("fighter aircraft", bills)}
    assert jet["gallium.metal"].reliability == "D", "the radar inside it is an estimate"


def test_own_bills_take_the_place_of_ours(world: World) -> None:
    deal = Agreement.load("one-floor", world)
    bills = pl.DataFrame(
        [("wafer", "wafer", "x", "y", "gallium.metal", 2.0, "kg", None, None, "2024", "own", "B", "")],
        schema=BILLS,
        orient="row",
    )
    side = side_by_side(world, [Case("a", deal, deal.run_date)], by_instrument=False, bills=bills).sides[0]
    assert set(side.products["product"]) == {"wafer"}
