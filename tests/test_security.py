"""Supply risk by the Commission's formula, recycling, bypass and days of cover, each by hand on a case that can be."""

from __future__ import annotations

import polars as pl
import pytest

from friendshore.agreement.document import Agreement
from friendshore.outcome import Outcome
from friendshore.protection import bypass
from friendshore.run import clear
from friendshore.security.cover import days_of_cover
from friendshore.security.risk import MEMBER_T, Terms, recycled, supply_risk, terms
from friendshore.world.tables import PACKAGED, World

pytestmark = pytest.mark.skipif(not (PACKAGED / "VERSION").exists(), reason="the built world is not here")
# European Commission (2023), Study on the critical raw materials for the EU: supply risk by material.
PUBLISHED = {
    "aluminium.metal": 1.1, "antimony.metal": 1.8, "bismuth.metal": 1.9, "cobalt.hydroxide": 2.8, "copper.cathode": 0.1,
    "gallium.metal": 3.9, "germanium.metal": 1.8, "indium.metal": 0.6, "lithium.carbonate": 1.9, "magnesium.metal": 4.1,
    "manganese.alloy": 1.2, "graphite.flake": 1.8, "nickel.class1": 0.5, "niobium.ferroniobium": 4.4, "silicon.metal": 1.3,
    "tantalum.metal": 1.3, "tin.metal": 0.9, "titanium.sponge": 1.6, "tungsten.apt": 1.2, "vanadium.oxide": 2.3,
    "zinc.metal": 0.2,
}  # fmt: skip


@pytest.fixture(scope="module")
def world() -> World:
    return World.load()


@pytest.fixture(scope="module")
def base(world: World) -> Outcome:
    return clear(world)


@pytest.fixture(scope="module")
def union(world: World) -> frozenset[str]:
    return frozenset(world.countries.filter(pl.col("territory") == "EUN")["code"])


def test_the_supply_risk_is_the_formula_by_hand(world: World, base: Outcome, union: frozenset[str]) -> None:
    row = supply_risk(world, base, union).filter(pl.col("good") == "magnesium.metal").row(0, named=True)
    given = terms()

    def hhi(rows: pl.DataFrame, column: str) -> float:
        total = rows["t"].sum()
        return sum(
            (t / total) ** 2
            * given.governance[c]
            * (MEMBER_T if c in union else given.trade.get(("magnesium", "refined", c), 1.0))
            for c, t in rows.group_by(column).agg(pl.col("t").sum()).iter_rows()
        )

    world_hhi = hhi(base.output.filter(pl.col("good") == "magnesium.metal"), "country")
    sourcing = hhi(
        base.flows.filter((pl.col("good") == "magnesium.metal") & pl.col("importer").is_in(union)), "exporter"
    )
    reliance, back = row["import_reliance"], row["recycled"]
    expected = (world_hhi * reliance / 2 + sourcing * (1 - reliance / 2)) * (1 - back)
    assert row["risk"] == pytest.approx(expected)
    assert row["unrated"] == 0.0


def test_governance_runs_from_nought_for_the_best_to_ten(world: World) -> None:
    rated = terms().governance
    assert 0.0 <= min(rated.values()) < rated["DEU"] < rated["CHN"] < rated["COD"] <= 10.0
    missing = {code for code in world.countries["code"] if code not in rated}
    assert missing == {"NCL", "XAF", "XAM", "XAS", "XEU", "XOC"}, "no publisher rates these"


def test_a_country_that_is_not_rated_counts_as_the_mean_and_is_said(
    world: World, base: Outcome, union: frozenset[str]
) -> None:
    known = terms()
    blind = Terms({c: v for c, v in known.governance.items() if c != "CHN"}, known.trade)
    one, other = (
        supply_risk(world, base, union, given).filter(pl.col("good") == "gallium.metal").row(0, named=True)
        for given in (known, blind)
    )
    made = base.output.filter(pl.col("good") == "gallium.metal")
    china = made.filter(pl.col("country") == "CHN")["t"].sum() / made["t"].sum()
    assert one["unrated"] == 0.0
    assert other["unrated"] == pytest.approx(china)
    assert other["risk"] != pytest.approx(one["risk"])


def test_the_base_year_ranks_minerals_as_the_commission_does(
    world: World, base: Outcome, union: frozenset[str]
) -> None:
    ours = dict(supply_risk(world, base, union).select("good", "risk").iter_rows())
    both = [(published, ours[good]) for good, published in PUBLISHED.items() if good in ours]
    assert len(both) >= 18
    ranks = pl.DataFrame(both, schema=["theirs", "ours"], orient="row").select(pl.all().rank())
    # Theirs is of 2016 to 2020, with substitution and end-of-life recycling; 0.55 is what chance reaches once in a hundred.
    assert ranks.select(pl.corr("theirs", "ours")).item() > 0.55


def test_recycling_is_secondary_output_over_what_is_taken(world: World, base: Outcome, union: frozenset[str]) -> None:
    made = base.activities.filter(
        pl.col("activity").str.starts_with("zinc.recycle@") & pl.col("activity").str.slice(-3).is_in(union)
    )["t"].sum()
    taken = base.flows.filter((pl.col("good") == "zinc.metal") & pl.col("importer").is_in(union))["t"].sum()
    assert recycled(world, base, union)["zinc.metal"] == pytest.approx(made / taken)


def test_what_comes_in_inside_other_goods_is_counted_by_recipes(world: World) -> None:
    deal = Agreement.load("plurilateral-2026", world)
    before, after = clear(world, as_of=deal.run_date), clear(world, deal)
    parties = frozenset(world.countries.filter(pl.col("territory") == "EUN")["code"]) | {"USA", "JPN", "MEX", "AUS"}
    row = bypass(world, parties, ["ndpr.oxide"], before, after).row(0, named=True)
    assert row["direct_after_t"] < 0.9 * row["direct_before_t"], "the levy bites on the oxide"
    assert row["inside_after_t"] > row["inside_before_t"], "and more comes in as magnets"
    assert row["passed_by"] == pytest.approx(
        (row["inside_after_t"] - row["inside_before_t"]) / (row["direct_before_t"] - row["direct_after_t"])
    )
    magnets = after.flows.filter(
        (pl.col("good") == "ndfeb.magnet") & pl.col("importer").is_in(parties) & ~pl.col("exporter").is_in(parties)
    )["t"].sum()
    assert 0.2 < row["inside_after_t"] / magnets < 0.5, "about a third of a magnet is the oxide"


def test_days_of_cover_are_purchases_over_use(world: World) -> None:
    deal = Agreement.load("vault-and-offtakes", world)
    day = deal.run_date.replace(year=deal.run_date.year + 1)
    after = clear(world, deal, as_of=day)
    rows = days_of_cover(world, deal, after, day)
    assert rows.height == 8
    for row in rows.iter_rows(named=True):
        assert 0.0 <= row["held_days"] <= row["target_days"] == 60.0
        assert row["held_days"] == pytest.approx(min(60.0, row["days_a_year"]), rel=1e-6)
        arrived = after.flows.filter((pl.col("good") == row["good"]) & (pl.col("importer") == "USA"))["t"].sum()
        assert row["days_a_year"] == pytest.approx(365 * row["bought_t"] / (arrived - row["bought_t"]))
