"""Whatever is a default or a doubt is named: nothing that rests on a rule passes for a figure with a source."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import polars as pl
import pytest

from friendshore.world import check, doubts, missing, own_figures
from friendshore.world.tables import World


@pytest.fixture(scope="module")
def world() -> World:
    return World.load()


@pytest.fixture(scope="module")
def groups(world) -> list[missing.Default]:
    return missing.missing(world)


def items(groups: list[missing.Default], what: str) -> list[str]:
    return [item for group in groups if group.what == what for item in group.items]


def test_each_default_is_counted_once_with_its_rule_and_what_replaces_it(groups):
    for group in groups:
        assert group.count == len(group.items) > 0
        assert group.rule
        assert group.replace_by
    assert len({(g.what, g.rule, g.replace_by) for g in groups}) == len(groups)


def test_every_elasticity_and_choke_multiple_is_a_default(world, groups):
    made = world.goods.height
    assert len(items(groups, "substitution between origins, sigma")) == 3 * made
    assert len(items(groups, "answer of demand, eta")) == made
    assert len(items(groups, "multiple of the price at which use stops")) == made
    answering = world.activities.filter(pl.col("kind") != "fixed")
    assert items(groups, "answer of supply, eps") == answering["id"].to_list()


def test_every_freight_and_every_row_of_reliability_d_is_a_default(world, groups):
    abroad = world.routes.filter(pl.col("exporter") != pl.col("importer"))
    assert len(items(groups, "freight")) == abroad.height
    assert set(items(groups, "output of an activity")) >= set(
        world.activities.filter(pl.col("reliability") == "D")["id"]
    )
    final = world.final_use.filter(pl.col("reliability") == "D")
    assert len(items(groups, "final use")) >= final.height


def test_an_activity_names_its_cost_and_its_capacity_or_has_a_source_for_them(world, groups):
    defaulted = set(items(groups, "conversion cost or margin"))
    for row in world.activities.filter(pl.col("kind") != "fixed").iter_rows(named=True):
        parts = {part: grade for part, grade, _ in missing.graded(row["note"])}
        assert "cost" in parts, row["id"]
        assert (row["id"] in defaulted) == (parts["cost"] == "D"), row["id"]


def test_the_duty_nobody_knows_is_a_default_and_a_schedule_is_not(world, groups):
    duties = set(items(groups, "import duty"))
    for row in world.routes.iter_rows(named=True):
        grade = {part: its for part, its, _ in missing.graded(row["note"])}.get("duty")
        assert (f"{row['good']} {row['exporter']} {row['importer']}" in duties) == (grade == "D")


def test_a_figure_of_the_users_own_is_no_default(world, tmp_path):
    good = str(world.goods["id"][0])
    path = tmp_path / "own.yaml"
    path.write_text(f"source: me\nfigures: [{{figure: sigma, good: {good}, horizon: 5, value: 3}}]\n", encoding="utf-8")
    left = missing.missing(own_figures.with_parameters(world, path))
    before = items(missing.missing(world), "substitution between origins, sigma")
    after = items(left, "substitution between origins, sigma")
    assert (before.count(good), after.count(good)) == (3, 2)


def test_missing_prints_counts_and_gives_every_item_as_json(groups, capsys):
    from friendshore.cli import main

    def said(*words: str) -> str:
        with pytest.raises(SystemExit) as left:
            main(["world", "missing", *words])
        assert not left.value.code
        return capsys.readouterr().out

    assert json.loads(said("--json")) == [json.loads(json.dumps(dataclasses.asdict(group))) for group in groups]
    page = said()
    assert f"{sum(group.count for group in groups):,} figures are defaults".replace(",", "\u202f") in page
    assert len(said("--all").splitlines()) > len(page.splitlines())


# -- doubts ------------------------------------------------------------------------------------------------------------


def test_every_clipped_margin_is_named(world):
    named = {item for doubt in doubts.clipped(world) for item in doubt.items}
    assert named == set(world.activities.filter(pl.col("clipped"))["id"])


def test_estimates_are_counted_table_by_table(world):
    counted = {doubt.table: doubt.count for doubt in doubts.estimates(world)}
    for table in ("activities", "routes", "final_use", "stocks"):
        frame = getattr(world, table)
        guessed = frame.filter((pl.col("reliability") == "D") | (pl.col("source") == "estimate"))
        assert counted.get(table, 0) == guessed.height


def test_a_licence_that_nobody_has_read_is_unclear(world):
    odd = world.sources.with_columns(licence=pl.lit("all rights reserved"))
    found = doubts.unclear(dataclasses.replace(world, sources=odd))
    assert sum(doubt.count for doubt in found) > sum(doubt.count for doubt in doubts.unclear(world)) > 0
    free = world.sources.with_columns(licence=pl.lit("Public domain"))
    assert doubts.unclear(dataclasses.replace(world, sources=free)) == []


def test_two_sources_are_not_one(world):
    row = world.final_use.row(0, named=True) | {"source": "bgs.wms", "reliability": "B"}
    one = pl.DataFrame([row], schema=world.final_use.schema)
    both = pl.DataFrame([row | {"source": "bgs.wms+usgs.mcs2026"}], schema=world.final_use.schema)

    def doubtful(table: pl.DataFrame) -> list[str]:
        return [d.table for d in doubts.unclear(dataclasses.replace(world, final_use=table)) if d.table == "final_use"]

    assert (doubtful(one), doubtful(both)) == (["final_use"], [])


def test_every_wording_of_a_licence_has_its_rule(world):
    from friendshore.world import sectors

    patterns = [row["pattern"] for row in sectors.rows("licence_terms")]
    without = {
        licence for licence in world.sources["licence"] if not any(doubts.fits(licence.casefold(), p) for p in patterns)
    }
    assert without == set()


# -- checks computed from the shares -----------------------------------------------------------------------------------


def named(found: list[check.Check], start: str) -> check.Check:
    return next(item for item in found if item.name.startswith(start))


def test_a_whole_world_must_stand_sixty_comparisons(world):
    row = world.goods.row(0, named=True)
    many = pl.DataFrame([row] * check.WHOLE_WORLD, schema=world.goods.schema)
    few = world.shares.filter(pl.col("status") == "binds").head(3)
    wide = dataclasses.replace(world, goods=many, shares=few)
    (item,) = check._width(wide)
    assert (item.ok, item.ours, item.published) == (False, 3, check.SHARES_BIND)
    (item,) = check._width(dataclasses.replace(world, goods=world.goods.head(2), shares=few))
    assert item.ok


def test_a_share_on_an_unclear_licence_gives_way_to_usgs_within_three_points(world):
    row = world.shares.row(0, named=True)
    pair = [
        row | {"status": "binds", "source": "bgs.wms", "published_pct": 50.0},
        row | {"status": "other vintage", "source": "usgs.mcs2026", "published_pct": 52.0},
    ]

    def preferred(rows: list[dict]) -> bool:
        (item,) = check._preferred(dataclasses.replace(world, shares=pl.DataFrame(rows, schema=world.shares.schema)))
        return item.ok

    assert not preferred(pair)
    assert preferred([pair[0], pair[1] | {"published_pct": 54.0}])
    assert named(check.check(world), "USGS or IEA bind").ok


def test_a_mineral_is_shown_by_its_name_or_its_ids_spelling(world):
    from friendshore.world.show import minerals, show

    for mineral in minerals(world):
        assert show(world, mineral.replace(" ", "_")) == show(world, mineral)


def test_the_page_of_checks_names_clipped_margins_and_counts_estimates(world):
    from friendshore.report import listing

    found = doubts.doubts(world)
    page, everything = listing.doubts(found), listing.doubts(found, everything=True)
    for item in (item for doubt in found if doubt.kind == "clipped margin" for item in doubt.items):
        assert item in page
    estimate = next(doubt for doubt in found if doubt.kind == "estimate")
    assert estimate.items[0] not in page
    assert estimate.items[0] in everything


def test_plan_of_licences_lies_beside_the_common_tables():
    from friendshore.world import sectors

    assert (Path(sectors.ROOT) / sectors.COMMON / "licence_terms.csv").is_file()
