"""The packaged world keeps its promises, and the check notices when it does not."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from friendshore.errors import InputRefused
from friendshore.instruments.names import unions
from friendshore.law.screen import commitments
from friendshore.world import check, sectors, shares, show
from friendshore.world.tables import World, table_names

RAW = Path(os.environ.get("FRIENDSHORE_DATA", Path(__file__).parents[2] / "shared" / "data"))
needs_raw = pytest.mark.skipif(not (RAW / "raw").is_dir(), reason="the raw data folder is not here")


@pytest.fixture(scope="module")
def world():
    return World.load()


@pytest.fixture(scope="module")
def checks(world):
    return check.check(world)


def test_every_invariant_holds(checks):
    assert not [c for c in checks if not c.ok]


def test_balances_close_to_float_precision(world):
    table = check.balances(world)
    assert table["relative"].max() <= 1e-12
    assert set(table["good"]) == set(world.goods["id"])


def _broken(world, table, column, change):
    frame = getattr(world, table)
    index = 0
    if table == "activities":
        index = frame["id"].to_list().index("cobalt.refine@CHN")
    elif table == "routes":
        index = next(k for k, (e, i) in enumerate(frame.select("exporter", "importer").iter_rows()) if e != i)
    values = frame[column].to_list()
    values[index] = change(values[index])
    return dataclasses.replace(
        world, **{table: frame.with_columns(pl.Series(column, values, dtype=frame[column].dtype))}
    )


@pytest.mark.parametrize(
    ("table", "column", "change", "named"),
    [
        ("routes", "flow_t", lambda v: v + 1e-3, "balance"),
        ("activities", "level_t", lambda v: v * 1.0001, "balance"),
        ("final_use", "use_t", lambda v: -v, "final_use.use_t > 0"),
        ("routes", "source", lambda v: "hearsay", "routes: every source resolves"),
        ("final_use", "reliability", lambda v: "E", "final_use: every row has its reliability"),
        ("routes", "importer", lambda v: "ATL", "every name is known"),
        ("territories", "kept_share", lambda v: 1.5, "kept_share in [0, 1]"),
        ("activities", "margin_usd_t", lambda v: -1.0, "every margin is positive"),
        ("countries", "territory", lambda v: "EUN", "EUN has its members"),
    ],
)  # fmt: skip
def test_a_broken_table_is_noticed(world, table, column, change, named):
    failed = [c.name for c in check.check(_broken(world, table, column, change)) if not c.ok]
    assert any(named in name for name in failed)


def test_an_estimate_without_a_rule_is_noticed(world):
    guess = world.routes.with_columns(
        pl.when(pl.col("reliability") == "D").then(pl.lit("")).otherwise(pl.col("note")).alias("note")
    )
    failed = [c.name for c in check.check(dataclasses.replace(world, routes=guess)) if not c.ok]
    assert failed == ["routes: every estimate has its rule"]


def test_a_use_without_a_supplier_is_noticed(world):
    good, country = world.final_use.select("good", "country").row(0)
    fewer = world.routes.filter(~((pl.col("good") == good) & (pl.col("importer") == country)))
    failed = [c.name for c in check.check(dataclasses.replace(world, routes=fewer)) if not c.ok]
    assert "every base use has a supplier" in failed


def test_a_share_that_strays_is_noticed(world):
    row = world.shares.with_columns(
        pl.when(pl.col("status") == "binds")
        .then(pl.col("published_pct") + 10.0)
        .otherwise(pl.col("published_pct"))
        .alias("published_pct")
    )
    failed = [c.name for c in check.check(dataclasses.replace(world, shares=row)) if not c.ok]
    assert len([n for n in failed if n.startswith("share ")]) == world.shares.filter(pl.col("status") == "binds").height


def test_conflicts_are_few_and_name_their_tonnes(world):
    binding = world.shares.filter(pl.col("status").is_in(["binds", "conflict"]))
    clash = binding.filter(pl.col("status") == "conflict")
    assert clash.height <= shares.CONFLICTS_MAX * binding.height
    assert clash["explanation"].str.contains(r"\d+ t").all()


def test_every_good_is_made_and_used(world):
    assert world.goods.height >= 45
    assert world.goods["mineral"].n_unique() >= 20
    users = set(world.final_use["good"]) | set(world.recipes.filter(pl.col("role") == "input")["good"])
    makers = set(world.recipes.filter(pl.col("role") == "output")["good"])
    assert users == makers == set(world.goods["id"])


def test_both_kinds_of_by_product_are_there(world):
    joint = world.recipes.filter(
        (pl.col("role") == "output") & pl.col("activity").str.starts_with("copper.cobalt.leach")
    )
    assert set(joint["good"]) == {"copper.cathode", "cobalt.hydroxide"}
    assert {a.split("@")[0] for a in world.recoveries["activity"]} >= {
        "gallium.recover", "germanium.recover", "indium.recover",
    }  # fmt: skip


def test_inputs_follow_the_recipes_of_their_country(world):
    # Mountain Pass and Mount Weld have baskets of their own
    light = world.recipes.filter(
        (pl.col("good") == "ndpr.oxide") & pl.col("activity").str.starts_with("rare_earths.separate_light")
    )
    by_place = dict(zip(light["activity"].str.split("@").list.last(), light["coefficient"]))
    assert by_place["USA"] < by_place["CHN"] < by_place["MYS"]


def test_nothing_of_comtrade_is_shipped_by_pair(world):
    rows = world.adjustments.filter((pl.col("table") == "routes") & pl.col("source").str.contains("un.comtrade"))
    assert rows.height > 0
    assert (rows["partner"].fill_null("") == "").all()


def test_a_chain_is_shown_with_its_sources(world):
    rows = show.show(world, "cobalt")
    assert {row["good"] for row in rows} == {"cobalt.hydroxide", "cobalt.metal"}
    assert {"output", "route", "final use", "stock change"} == {row["kind"] for row in rows}
    assert all(row["source"] and row["reliability"] in "ABCD" for row in rows)
    assert rows[0]["where"] == "COD"


def test_an_unknown_mineral_is_answered_with_the_nearest(world):
    with pytest.raises(InputRefused, match="did you mean 'cobalt'"):
        show.show(world, "cobolt")


def bilateral(world):
    """The customs territories of every route that crosses a border, with its duty and the rule that set it."""
    home = dict(world.countries.select("code", "territory").iter_rows())
    rule = pl.col("note").str.extract(r"duty [A-D]: ([^;]*)")
    routes = world.routes.filter(pl.col("exporter") != pl.col("importer")).with_columns(
        rule=rule, of=pl.col("exporter").replace(home), into=pl.col("importer").replace(home)
    )
    return routes.filter(pl.col("of") != pl.col("into"))


def test_no_rule_invents_a_duty_where_trade_is_free(world):
    """Not inside a customs union, nor under a free-trade agreement in force; the cuts of RCEP alone are still phased."""
    guessed = bilateral(world).filter(
        pl.col("rule").str.starts_with("not known")
        & ((pl.col("tariff") > 0) | (pl.col("specific_usd_t").fill_null(0.0) > 0))
    )
    pairs = sorted(set(guessed.select("of", "into").iter_rows()))
    assert len(pairs) > 100
    assert not [(a, b) for a, b in pairs if any({a, b} <= members for members in unions().values())]
    known = commitments.shipped()
    free = {(a, b): treaty.id for a, b in pairs if (treaty := known.free_trade(a, b, date(2024, 12, 31)))}
    assert set(free.items()) <= {(("JPN", "KOR"), "rcep")}


def test_no_rule_invents_an_agreement(world):
    """What is nil by an agreement in force is so by one that the screen knows, or that the plan names with its day."""
    named = {
        frozenset((a, b))
        for row in sectors.rows("parameters_free_trade")
        for a in row["one"].split("+")
        for b in row["other"].split("+")
    }
    known = commitments.shipped()
    pairs = set(
        bilateral(world).filter(pl.col("rule").str.contains("agreement in force")).select("of", "into").iter_rows()
    )
    assert len(pairs) > 300
    assert not [
        (a, b) for a, b in sorted(pairs)
        if frozenset((a, b)) not in named and known.free_trade(a, b, date(2024, 12, 31)) is None
    ]  # fmt: skip


@needs_raw
def test_rebuilding_gives_the_packaged_world_and_twice_the_same(world, tmp_path):
    from friendshore.world.build import build

    report = build(RAW, tmp_path)
    assert report.shares_missed == []
    assert report.failed == []
    assert report.residual <= 1e-9
    assert all(read + refused == rows for read, refused, rows in report.readings.values())
    again = World.load(tmp_path)
    for name in table_names():
        ours, theirs = getattr(world, name), getattr(again, name)
        assert ours.schema == theirs.schema
        for column, kind in ours.schema.items():
            if kind == pl.Float64:
                gap = (ours[column] - theirs[column]).abs().max()
                assert (gap or 0.0) <= 1e-9 * (ours[column].abs().max() or 0.0), (name, column)
                assert ours[column].is_null().equals(theirs[column].is_null()), (name, column)
            else:
                assert ours[column].equals(theirs[column], null_equal=True), (name, column)
    assert set(table_names()) <= {path.stem for path in tmp_path.glob("*.csv")}
    alone = tmp_path / "one thread"
    one = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS", "RAYON_NUM_THREADS"), "1")
    code = "import sys; from pathlib import Path; from friendshore.world.build import build; build(*map(Path, sys.argv[1:]))"
    subprocess.run([sys.executable, "-c", code, str(RAW), str(alone)], check=True, env=os.environ | one)
    for path in alone.iterdir():
        assert path.read_bytes() == (tmp_path / path.name).read_bytes(), path.name


@needs_raw
def test_no_comparison_of_shares_is_dropped(world):
    from friendshore.world import output, readers

    found = shares.comparisons(output.published(RAW, readers.countries(RAW)))
    packaged = set(world.shares.select("stage", "country", "source").iter_rows())
    assert {(c.stage, c.country, shares.SOURCES[c.publisher]) for c in found} == packaged
    assert len(found) == world.shares.height


def test_building_without_the_raw_data_says_so(tmp_path):
    from friendshore.world.build import build

    with pytest.raises(InputRefused, match="no raw data in"):
        build(tmp_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()
