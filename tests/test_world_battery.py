"""Battery metals: recipes make no metal, cobalt comes with nickel, published levels are met, the base replicates."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from friendshore.faces import Ban, Lane
from friendshore.world import check, output, parameters, readers, sectors, trace
from friendshore.world.tables import World

RAW = Path(os.environ.get("FRIENDSHORE_DATA", Path(__file__).parents[2] / "shared" / "data"))
needs_raw = pytest.mark.skipif(not (RAW / "raw").is_dir(), reason="the raw data folder is not here")

SIX, BATTERY, COMMON = (sectors.ROOT / name for name in ("six_chains", "battery", "common"))
TOGETHER = (SIX, BATTERY, COMMON)
MINERALS = ("lithium", "nickel", "graphite", "manganese")


def _mineral(good: str) -> str:
    return good.split(".")[0]


def _recipes() -> list[tuple[str, str, list[sectors.Row]]]:
    """Every process of the sector with every country that its plan names, and the recipe that holds there."""
    with sectors.using(TOGETHER):
        processes = [row["process"] for row in sectors.rows("processes") if _mineral(row["process"]) in MINERALS]
        named = {(row["process"], row["country"]) for row in sectors.rows("levels") if float(row["level_t"]) > 0.0}
        named |= {(process, "*") for process in processes}
        return [(p, c, output.recipe(p, c)) for p, c in sorted(named) if p in processes]


# --- the plan itself -------------------------------------------------------------------------------------------------


def test_the_sector_is_read_after_the_one_whose_cobalt_it_takes_over():
    assert sectors.SHIPPED.index("six_chains") < sectors.SHIPPED.index("battery")


def test_no_recipe_makes_metal():
    for process, country, rows in _recipes():
        taken = sum(float(r["coefficient"]) for r in rows if r["role"] == "input")
        made = sum(
            float(r["coefficient"]) for r in rows if r["role"] == "output" and _mineral(r["good"]) == _mineral(process)
        )
        if taken > 0.0:
            assert 0.5 <= made / taken <= 1.0, (process, country)


def test_a_level_is_counted_in_its_own_product():
    with sectors.using(TOGETHER):
        main = output.main_goods()
    for process, country, rows in _recipes():
        if not rows:  # a process whose recipes are all by country
            assert process in ("nickel.hpal", "nickel.refine_laterite")
            continue
        own = [float(r["coefficient"]) for r in rows if r["role"] == "output" and r["good"] == main[process]]
        assert own == [1.0], (process, country)


def test_leaching_of_laterite_gives_cobalt_wherever_it_is_run():
    with sectors.using(TOGETHER):
        run = [(r["process"], r["country"]) for r in sectors.rows("levels") if float(r["level_t"]) > 0.0]
        leached = [key for key in run if key[0] in ("nickel.hpal", "nickel.refine_laterite")]
        assert len(leached) >= 8
        for key in leached:
            cobalt = [float(r["coefficient"]) for r in output.recipe(*key) if r["good"] == "cobalt.hydroxide"]
            assert len(cobalt) == 1, key
            assert 0.03 < cobalt[0] < 0.2, key


def test_a_place_apart_sells_its_own_alone():
    # 0 makes 50 and ships 40 to 1; 1 makes 30, sells 20 to 2 and refines what it bought
    made = np.array([50.0, 30.0, 0.0])
    trade = np.zeros((3, 3))
    trade[0, 1], trade[1, 2] = 40.0, 20.0
    mixed = trace.to_origin(made, trade)
    assert mixed.flows[0, 2] == pytest.approx(20.0 * 40.0 / 70.0)
    found = trace.to_origin(made, trade, apart=[1])
    assert found.flows[0, 2] == 0.0
    assert found.flows.sum(axis=1) == pytest.approx(made)
    assert found.flows[1, 2] == pytest.approx(20.0)
    assert found.flows[1, 1] == pytest.approx(10.0)
    assert found.flows[0, 1] == pytest.approx(40.0)
    assert found.use == pytest.approx([10.0, 50.0, 20.0])


def test_a_place_apart_cannot_ship_more_than_it_makes():
    made = np.array([50.0, 30.0, 0.0])
    trade = np.zeros((3, 3))
    trade[0, 1], trade[1, 2] = 40.0, 60.0
    through, _ = trace.cap_exports(made, trade)
    assert through[1, 2] == pytest.approx(60.0)
    kept, cut = trace.cap_exports(made, trade, apart=[1])
    assert kept[1, 2] == pytest.approx(30.0)
    assert cut == pytest.approx([0.0, 30.0, 0.0])


def test_a_country_with_a_price_of_its_own_has_that_one(tmp_path):
    head = "id,price_inside_usd_t,price_outside_usd_t,price_basis,source,year,reliability,reliability_inside,note\n"
    (tmp_path / "parameters_goods.csv").write_text(f"{head}toy.ore,100,100,fob,s,2024,B,B,\n", encoding="utf-8")
    (tmp_path / "parameters_prices.csv").write_text(
        "good,country,price_usd_t,source,year,reliability,note\ntoy.ore,IDN,40,t,2023,D,may not leave\n",
        encoding="utf-8",
    )
    made = [(f"toy.mine@{c}", c) for c in ("IDN", "PHL")]
    tables = {
        "activities": pl.DataFrame(made, schema=["id", "country"], orient="row"),
        "recipes": pl.DataFrame(
            [(a, "toy.ore", "output", 1.0) for a, _ in made],
            schema=["activity", "good", "role", "coefficient"],
            orient="row",
        ),
        "routes": pl.DataFrame(
            schema=dict.fromkeys(("good", "exporter"), pl.String)
            | dict.fromkeys(("flow_t", "freight_usd_t", "premium_usd_t", "export_tax_usd_t", "export_tax"), pl.Float64)
        ),
    }
    with sectors.using((tmp_path,)):
        priced = parameters._prices(tables)
    assert priced.select("country", "price_usd_t", "source", "reliability").rows() == [
        ("IDN", 40.0, "t", "D"),
        ("PHL", 100.0, "s", "B"),
    ]


# --- the plan and the publishers -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def published():
    return output.published(RAW, readers.countries(RAW))


def _cobalt_of_nickel(levels) -> dict[str, float]:
    total: dict[str, float] = {}
    for (process, country), figure in levels.items():
        if process.startswith("nickel."):
            for row in output.recipe(process, country):
                if row["good"] == "cobalt.hydroxide":
                    total[country] = total.get(country, 0.0) + figure.tonnes * float(row["coefficient"])
    return total


@needs_raw
def test_cobalt_moves_from_a_process_of_its_own_to_its_nickel(published):
    with sectors.using((SIX, COMMON)):
        alone = {c: f.tonnes for (p, c), f in output.levels(published).items() if p == "cobalt.nickel"}
    with sectors.using(TOGETHER):
        levels = output.levels(published)
        joint = _cobalt_of_nickel(levels)
    assert alone
    assert not [key for key in levels if key[0] == "cobalt.nickel"]
    assert set(joint) == set(alone)
    assert sum(joint.values()) == pytest.approx(sum(alone.values()), rel=0.02)
    usgs = published.series("usgs", "Cobalt", "Mine production")
    for country in ("IDN", "RUS", "AUS", "CAN", "CUB", "PHL", "PNG", "MDG", "TUR", "CHN", "USA"):
        assert joint[country] == pytest.approx(usgs[country], rel=0.02), country


@needs_raw
@pytest.mark.parametrize(
    ("commodity", "mineral", "scale"), [("Nickel", "nickel.mine", 1.0), ("Lithium", "lithium", 1.0)]
)
def test_mine_output_starts_from_the_published_figures(published, commodity, mineral, scale):
    stated = published.series("usgs", commodity, "Mine production")
    iea = published.series("iea", commodity, "mining")
    with sectors.using(TOGETHER):
        levels = output.levels(published)
    for country, tonnes in stated.items():
        ours = sum(
            f.tonnes
            for (p, c), f in levels.items()
            if c == country and p.startswith(mineral) and (".mine" in p or p.endswith(".brine"))
        )
        if ours > 0.0:  # between the two publishers, or within a fiftieth of the one
            low, high = sorted((tonnes, 1e3 * iea.get(country, tonnes / 1e3)))
            assert 0.97 * low <= ours <= 1.03 * high, (country, ours, low, high)


# --- the built world -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    from friendshore.world.build import build

    out = tmp_path_factory.mktemp("battery")
    report = build(RAW, out, plan=TOGETHER)
    return World.load(out), report


def _output(world, good):
    made = world.recipes.filter((pl.col("role") == "output") & (pl.col("good") == good)).join(
        world.activities.select("id", "country", "level_t"), left_on="activity", right_on="id"
    )
    by_country = made.group_by("country").agg((pl.col("level_t") * pl.col("coefficient")).sum().alias("t"))
    return dict(by_country.iter_rows())


@needs_raw
def test_the_sector_builds_and_keeps_every_invariant(built):
    world, report = built
    assert report.failed == []
    assert report.shares_missed == []
    assert not [c for c in check.check(world) if not c.ok]
    bound = world.shares.filter((pl.col("status") == "binds") & pl.col("stage").str.contains("|".join(MINERALS)))
    assert bound["stage"].n_unique() >= 8
    assert bound.height >= 23


@needs_raw
def test_stock_changes_stay_small(built):
    world, report = built
    for good, tonnes in report.slack_t.items():
        if _mineral(good) in MINERALS:
            assert tonnes <= 0.07 * sum(_output(world, good).values()), good


@needs_raw
def test_few_margins_are_clipped(built):
    world, _ = built
    ours = world.activities.filter(pl.col("process").str.contains("^(" + "|".join(MINERALS) + ")"))
    clipped = ours.filter(pl.col("clipped"))
    assert 0 < clipped.height <= 0.04 * ours.height
    assert clipped["note"].str.contains("clipped").all()


@needs_raw
def test_ore_that_may_not_leave_stays_and_is_cheap(built):
    world, _ = built
    laterite = world.routes.filter((pl.col("good") == "nickel.laterite") & (pl.col("exporter") == "IDN"))
    traded = laterite.filter(pl.col("flow_t") > 0.0)
    assert traded["importer"].to_list() == ["IDN"]
    prices = dict(world.prices.filter(pl.col("good") == "nickel.laterite").select("country", "price_usd_t").iter_rows())
    with sectors.using(TOGETHER):
        stated = {(r["good"], r["country"]): float(r["price_usd_t"]) for r in sectors.rows("parameters_prices")}
    assert prices["IDN"] == stated["nickel.laterite", "IDN"] < prices["PHL"]


@needs_raw
def test_matte_that_finland_buys_is_not_sold_on(built):
    world, _ = built
    matte = world.routes.filter((pl.col("good") == "nickel.matte") & (pl.col("flow_t") > 0.0))
    buyers = matte.filter(pl.col("exporter") == "RUS")["importer"].to_list()
    assert "FIN" in buyers
    assert "NOR" not in buyers
    assert matte.filter((pl.col("exporter") == "FIN") & (pl.col("importer") == "NOR")).height == 1


@needs_raw
def test_the_base_replicates(built):
    from friendshore import run

    world, _ = built
    flows = run.clear(world).flows
    assert float(((flows["t"] - flows["base_t"]).abs() / flows["base_t"]).max()) <= 1e-10


@needs_raw
def test_dearer_cobalt_hardly_raises_nickel_and_cheapens_its_hydroxide(built):
    from friendshore import run

    world, _ = built
    abroad = frozenset(world.countries["code"]) - {"COD"}
    lane = Lane(good="cobalt.hydroxide", exporters=frozenset({"COD"}), importers=abroad)
    after = run.clear(world, extra=[Ban(clause="shock", lane=lane)], assume=run.Assumptions(horizon=1))
    price = after.prices.filter(pl.col("country") == "IDN")
    ratio = {g: p / b for g, p, b in price.select("good", "usd_t", "base_usd_t").iter_rows()}
    made = after.output.filter((pl.col("country") == "IDN") & (pl.col("good") == "nickel.mhp"))
    more = made["t"].sum() / made["base_t"].sum()
    assert ratio["cobalt.hydroxide"] > 2.0
    assert 1.0 < more < 1.3
    assert ratio["nickel.mhp"] < 1.0


@needs_raw
def test_a_ban_on_chinese_anode_splits_the_price(built):
    from friendshore import run

    world, _ = built
    abroad = frozenset(world.countries["code"]) - {"CHN"}
    lane = Lane(good="graphite.anode", exporters=frozenset({"CHN"}), importers=abroad)
    after = run.clear(world, extra=[Ban(clause="shock", lane=lane)], assume=run.Assumptions(horizon=1))
    index = after.indices.filter(pl.col("good") == "graphite.anode")
    ratio = {c: p / b for c, p, b in index.select("country", "usd_t", "base_usd_t").iter_rows()}
    assert ratio["CHN"] < 1.0 < 2.0 < ratio["USA"]
    assert after.use.filter(pl.col("good") == "graphite.anode")["unserved_t"].sum() > 0.0
