"""Where each stage of what a country uses was done: worlds small enough to follow by hand, and what must hold on any."""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from datetime import date

import numpy as np
import polars as pl
import pytest

from friendshore.errors import InputRefused, WorldError
from friendshore.run import clear
from friendshore.world import network, sectors
from friendshore.world.dependence import SCRAP, _secondary, among, compared, dependence
from friendshore.world.tables import World

HEAD = """
countries: [A, B, C, D, E]
goods:
  m.ore: {sigma: 5, supply_elasticity: 1, demand_elasticity: 0.5, stage: ore}
  m.metal: {sigma: 5, supply_elasticity: 1, demand_elasticity: 0.5, stage: refined}
  m.magnet: {sigma: 5, supply_elasticity: 1, demand_elasticity: 0.5, stage: product}
"""
# A and C mine, B and C smelt, D makes magnets for itself and E. One tonne of each makes one of the next.
STRAIGHT = (
    HEAD
    + """
processes:
  smelt: {inputs: {m.ore: 1}, outputs: {m.metal: 1}, in: [B, C]}
  make: {inputs: {m.metal: 1}, outputs: {m.magnet: 1}, in: [D]}
flows:
  m.ore: {A: {B: 30, C: 10}, C: {C: 20}}
  m.metal: {B: {B: 10, D: 20}, C: {D: 30}}
  m.magnet: {D: {D: 30, E: 20}}
prices:
  m.ore: {A: 100, C: 100}
  m.metal: {B: 300, C: 300}
  m.magnet: {D: 900}
"""
)


def world(text):
    return network.read_text(text)


def shares(found, country, stage):
    """(origin, kind, via) -> share."""
    rows = found.filter((pl.col("country") == country) & (pl.col("stage") == stage))
    return {(row["origin"], row["kind"], row["via"]): row["share"] for row in rows.iter_rows(named=True)}


def adds_to_one(found):
    sums = found.group_by("good", "country", "stage").agg(pl.col("share").sum())["share"]
    assert found["share"].min() > 0.0
    assert (sums - 1.0).abs().max() <= 1e-12


# -- by hand ------------------------------------------------------------------------------------------------------------


def test_ore_is_followed_through_two_recipes_and_three_borders():
    found = dependence(world(STRAIGHT), "m.magnet")
    assert shares(found, "E", "product") == {("D", "made", "m.magnet"): 1.0}
    refined = {("B", "made", "m.metal"): 0.4, ("C", "made", "m.metal"): 0.6}
    assert shares(found, "E", "refined") == pytest.approx(refined, abs=1e-15)
    # B smelts ore of A alone, C a third of A's and two thirds of its own: 0.4 + 0.6 / 3 and 0.6 x 2 / 3
    ore = {("A", "made", "m.ore"): 0.6, ("C", "made", "m.ore"): 0.4}
    assert shares(found, "E", "ore") == pytest.approx(ore, abs=1e-15)
    assert shares(found, "D", "ore") == pytest.approx(ore, abs=1e-15)
    assert found.filter(pl.col("country") == "E")["used_t"].unique().to_list() == [20.0]


def test_every_tonne_that_is_mined_is_found_again():
    made = defaultdict(float)
    for good in ("m.metal", "m.magnet"):
        for row in dependence(world(STRAIGHT), good).filter(pl.col("stage") == "ore").iter_rows(named=True):
            if (good, row["country"]) != ("m.metal", "D"):  # made into the magnets that are counted themselves
                made[row["origin"]] += row["used_t"] * row["share"]
    assert made == pytest.approx({"A": 40.0, "C": 20.0}, abs=1e-12)


def test_scrap_and_stock_are_origins_of_their_own():
    text = STRAIGHT.replace(
        "in: [B, C]}", "in: {B: , C: {level: 20}}}\n  m.recycle: {outputs: {m.metal: 1}, in: {C: {level: 6}}}"
    )
    text = text.replace("m.ore: {A: {B: 30, C: 10}, C: {C: 20}}", "m.ore: {A: {B: 30, C: 10}, C: {C: 10}}")
    found = dependence(world(text + "stocks:\n  - {good: m.metal, country: C, change: -4}\n"), "m.magnet")
    adds_to_one(found)
    # C sells 30 t of metal: 20 smelted, 6 of scrap, 4 out of stock; D's metal is 0.4 of B and 0.6 of C
    expected = {
        ("A", "made", "m.ore"): 0.4 + 0.6 * (20 / 30) * 0.5,
        ("C", "made", "m.ore"): 0.6 * (20 / 30) * 0.5,
        ("C", "secondary", "m.metal"): 0.6 * 6 / 30,
        ("C", "stock", "m.metal"): 0.6 * 4 / 30,
    }
    assert shares(found, "E", "ore") == pytest.approx(expected, abs=1e-15)
    assert shares(found, "E", "refined") == pytest.approx(
        {("B", "made", "m.metal"): 0.4, ("C", "made", "m.metal"): 0.6}, abs=1e-15
    )


def test_a_mine_and_smelter_in_one_is_where_the_chain_begins():
    text = STRAIGHT.replace("in: [B, C]}", "in: [B]}\n  leach: {outputs: {m.metal: 1}, in: [C]}")
    found = dependence(world(text), "m.magnet")
    assert shares(found, "E", "ore") == pytest.approx(
        {("A", "made", "m.ore"): 0.4, ("C", "enters", "m.metal"): 0.6}, abs=1e-15
    )


def test_a_stage_inside_a_process_belongs_to_its_country():
    text = STRAIGHT.replace("in: [D]}", "in: [D]}\n  whole: {inputs: {m.ore: 1}, outputs: {m.magnet: 1}, in: [A]}")
    text = text.replace("C: {C: 20}}\n", "C: {C: 20, A: 60}}\n").replace("E: 20}}", "E: 20}, A: {E: 60}}")
    found = dependence(world(text.replace("m.magnet: {D: 900}", "m.magnet: {D: 900, A: 900}")), "m.magnet")
    # three quarters of E's magnets are made by A from ore of C, and no metal is ever sold on that way
    assert shares(found, "E", "refined") == pytest.approx(
        {("A", "within", "m.magnet"): 0.75, ("C", "made", "m.metal"): 0.15, ("B", "made", "m.metal"): 0.1}, abs=1e-15
    )
    assert shares(found, "E", "ore") == pytest.approx(
        {("C", "made", "m.ore"): 0.75 + 0.25 * 0.4, ("A", "made", "m.ore"): 0.25 * 0.6}, abs=1e-15
    )


def test_joint_output_has_the_origin_of_the_feed_and_several_feeds_mix_by_recipe():
    text = """
countries: [A, B, C]
goods:
  r.light: {sigma: 5, supply_elasticity: 1, demand_elasticity: 0.5, stage: ore, mineral: earths}
  r.ionic: {sigma: 5, supply_elasticity: 1, demand_elasticity: 0.5, stage: ore, mineral: earths}
  r.ndpr: {sigma: 5, supply_elasticity: 1, demand_elasticity: 0.5, stage: refined, mineral: earths}
  r.dy: {sigma: 5, supply_elasticity: 1, demand_elasticity: 0.5, stage: refined, mineral: earths}
  k.flux: {sigma: 5, supply_elasticity: 1, demand_elasticity: 0.5, stage: refined, mineral: flux}
  r.magnet: {sigma: 5, supply_elasticity: 1, demand_elasticity: 0.5, stage: product, mineral: earths}
processes:
  light: {inputs: {r.light: 10}, outputs: {r.ndpr: 2}, in: [A]}
  ionic: {inputs: {r.ionic: 10}, outputs: {r.ndpr: 1, r.dy: 1}, in: [B]}
  make: {inputs: {r.ndpr: 0.3, r.dy: 0.1, k.flux: 5}, outputs: {r.magnet: 1}, in: [C]}
flows:
  r.light: {A: {A: 100}}
  r.ionic: {B: {B: 100}}
  r.ndpr: {A: {C: 20}, B: {C: 10}}
  r.dy: {B: {C: 10}}
  k.flux: {A: {C: 500}}
  r.magnet: {C: {A: 100}}
prices:
  r.light: {A: 1}
  r.ionic: {B: 1}
  r.ndpr: {A: 100, B: 100}
  r.dy: {B: 100}
  k.flux: {A: 1}
  r.magnet: {C: 200}
"""
    found = dependence(world(text), "r.magnet")
    # 0.3 of 0.4 t are NdPr, two thirds of A's and a third of B's; 0.1 of 0.4 t are B's dysprosium; flux is no rare earth
    assert shares(found, "A", "refined") == pytest.approx(
        {("A", "made", "r.ndpr"): 0.5, ("B", "made", "r.ndpr"): 0.25, ("B", "made", "r.dy"): 0.25}, abs=1e-15
    )
    assert shares(found, "A", "ore") == pytest.approx(
        {("A", "made", "r.light"): 0.5, ("B", "made", "r.ionic"): 0.5}, abs=1e-15
    )


def test_a_recovered_by_product_comes_with_the_feed_of_its_host():
    text = """
countries: [A, B, C]
goods:
  al.bauxite: {sigma: 5, supply_elasticity: 1, demand_elasticity: 0.5, stage: ore}
  al.alumina: {sigma: 5, supply_elasticity: 1, demand_elasticity: 0.5, stage: intermediate}
  ga.metal: {sigma: 5, supply_elasticity: 1, demand_elasticity: 0.5, stage: refined}
processes:
  bayer: {inputs: {al.bauxite: 2}, outputs: {al.alumina: 1}, in: [B]}
  recover: {outputs: {ga.metal: 1}, recovered_from: {host: bayer, yields: 0.001}, in: [B]}
flows:
  al.bauxite: {A: {B: 150}, B: {B: 50}}
  al.alumina: {B: {B: 100}}
  ga.metal: {B: {C: 0.05}}
prices:
  al.bauxite: {A: 40, B: 40}
  al.alumina: {B: 400}
  ga.metal: {B: 300000}
"""
    found = dependence(world(text), "ga.metal")
    assert shares(found, "C", "ore") == pytest.approx(
        {("A", "made", "al.bauxite"): 0.75, ("B", "made", "al.bauxite"): 0.25}, abs=1e-15
    )


CIRCLE = STRAIGHT.replace(
    "  m.magnet: {sigma",
    "  m.swarf: {sigma: 5, supply_elasticity: 1, demand_elasticity: 0.5, stage: product}\n  m.magnet: {sigma",
)
CIRCLE = CIRCLE.replace(
    "make: {inputs: {m.metal: 1}, outputs: {m.magnet: 1}",
    "make: {inputs: {m.metal: 1.2}, outputs: {m.magnet: 1, m.swarf: 0.2}",
)
CIRCLE = CIRCLE.replace("in: [D]}", "in: [D]}\n  return: {inputs: {m.swarf: 1}, outputs: {m.metal: 1}, in: [D]}")
CIRCLE = CIRCLE.replace("C: {D: 30}}", "C: {D: 30}, D: {D: 10}}").replace(
    "m.magnet: {D: {D: 30, E: 20}}", "m.magnet: {D: {D: 30, E: 20}}\n  m.swarf: {D: {D: 10}}"
)
CIRCLE = CIRCLE.replace("m.magnet: {D: 900}", "m.magnet: {D: 900}\n  m.swarf: {D: 30}").replace(
    "C: 300}", "C: 300, D: 300}"
)


def test_what_goes_round_comes_from_where_it_first_came_in():
    found = dependence(world(CIRCLE), "m.magnet")
    adds_to_one(found)
    # a sixth of D's metal is its own swarf, made of the same metal: origins of ore are those without it
    assert shares(found, "E", "ore") == pytest.approx(
        {("A", "made", "m.ore"): 0.6, ("C", "made", "m.ore"): 0.4}, abs=1e-14
    )
    refined = {("B", "made", "m.metal"): 20 / 60, ("C", "made", "m.metal"): 30 / 60, ("D", "made", "m.metal"): 10 / 60}
    assert shares(found, "E", "refined") == pytest.approx(refined, abs=1e-14)


def test_a_circle_that_nothing_enters_is_refused():
    text = CIRCLE.replace("m.metal: {B: {B: 10, D: 20}, C: {D: 30}, D: {D: 10}}", "m.metal: {B: {B: 10}, D: {D: 10}}")
    text = text.replace(
        "inputs: {m.metal: 1.2}, outputs: {m.magnet: 1, m.swarf: 0.2}",
        "inputs: {m.metal: 1}, outputs: {m.magnet: 1, m.swarf: 1}",
    )
    text = text.replace(
        "in: [D]}\n  return",
        "in: [D]}\n  make_alone: {inputs: {m.metal: 1}, outputs: {m.magnet: 1}, in: [B]}\n  return",
    )
    text = text.replace("m.magnet: {D: {D: 30, E: 20}}", "m.magnet: {D: {E: 10}, B: {E: 10}}").replace(
        "in: [B, C]}", "in: [B]}"
    )
    text = text.replace("C: 300, D: 300}", "D: 300}").replace("{D: 900}", "{D: 900, B: 900}")
    with pytest.raises(WorldError, match="goes in a circle that nothing enters"):
        dependence(world(text), "m.magnet")


def test_goods_without_stages_are_stages_of_their_own():
    plain = STRAIGHT
    for stage in ("ore", "refined", "product"):
        plain = plain.replace(f", stage: {stage}", "")
    found = dependence(world(plain), "m.magnet")
    assert found["stage"].unique(maintain_order=True).to_list() == ["m.ore", "m.metal", "m.magnet"]
    assert shares(found, "E", "m.ore") == pytest.approx(
        {("A", "made", "m.ore"): 0.6, ("C", "made", "m.ore"): 0.4}, abs=1e-15
    )


def test_a_good_of_the_scrap_stage_is_secondary_wherever_it_goes():
    text = STRAIGHT.replace(
        "  m.magnet: {sigma",
        f"  m.waste: {{sigma: 5, supply_elasticity: 1, demand_elasticity: 0.5, stage: {SCRAP}}}\n  m.magnet: {{sigma",
    )
    text = text.replace("in: [B, C]}", "in: [B]}\n  melt: {inputs: {m.waste: 1}, outputs: {m.metal: 1}, in: [C]}")
    text = text.replace("m.magnet: {D: {D: 30, E: 20}}", "m.magnet: {D: {D: 30, E: 20}}\n  m.waste: {E: {C: 30}}")
    found = dependence(world(text.replace("m.magnet: {D: 900}", "m.magnet: {D: 900}\n  m.waste: {E: 50}")), "m.magnet")
    assert shares(found, "E", "ore") == pytest.approx(
        {("A", "made", "m.ore"): 0.4, ("E", "secondary", "m.waste"): 0.6}, abs=1e-15
    )
    assert "scrap" not in found["stage"].to_list()


# -- on any world -------------------------------------------------------------------------------------------------------


def random_text(seed, names):
    """Ore, metal and magnets of five countries at random, lossless; two of them melt scrap beside."""
    rng = np.random.default_rng(seed)
    ore = rng.uniform(0, 10, (5, 5)) * (rng.random((5, 5)) < 0.6) + np.eye(5)
    metal = rng.dirichlet(np.ones(5), size=5) * ore.sum(axis=0)[:, None] * 0.9
    scrap = np.array([0, 3.0, 0, 2.0, 0])
    metal += rng.dirichlet(np.ones(5), size=5) * scrap[:, None]
    magnet = rng.dirichlet(np.ones(5), size=5) * metal.sum(axis=0)[:, None] * 0.8

    def block(table):
        return "".join(
            f"    {names[i]}: {{{', '.join(f'{names[j]}: {v:.12g}' for j, v in enumerate(row))}}}\n"
            for i, row in enumerate(table)
        )

    prices = "".join(
        f"  {good}: {{{', '.join(f'{n}: {p}' for n in names)}}}\n"
        for good, p in (("m.ore", 100), ("m.metal", 300), ("m.magnet", 900))
    )
    everyone = f"[{', '.join(names)}]"
    made = (metal.sum(axis=1) - scrap).tolist()
    smelters = ", ".join(f"{n}: {{level: {made[k]:.12g}}}" for k, n in enumerate(names))
    return (
        HEAD.replace("[A, B, C, D, E]", everyone)
        + "processes:\n"
        + f"  smelt: {{inputs: {{m.ore: 1}}, outputs: {{m.metal: 1}}, in: {{{smelters}}}}}\n"
        + f"  recycle: {{outputs: {{m.metal: 1}}, in: {{{names[1]}: {{level: 3}}, {names[3]}: {{level: 2}}}}}}\n"
        + f"  make: {{inputs: {{m.metal: 1}}, outputs: {{m.magnet: 1}}, in: {everyone}}}\n"
        + f"flows:\n  m.ore:\n{block(ore)}  m.metal:\n{block(metal)}  m.magnet:\n{block(magnet)}prices:\n{prices}"
    ), ore, metal, magnet, scrap  # fmt: skip


@pytest.mark.parametrize("seed", range(6))
def test_shares_are_those_of_the_matrices(seed):
    """S(magnet) S(metal) [smelted S(ore) + scrap], S the shares of sellers in what a country buys, column by column."""
    text, ore, metal, magnet, scrap = random_text(seed, "ABCDE")
    found = dependence(world(text), "m.magnet")
    adds_to_one(found)
    by_ore, by_metal, by_magnet = (table / table.sum(axis=0) for table in (ore, metal, magnet))
    melted = scrap / metal.sum(axis=1)
    refined = by_metal @ by_magnet
    mined = by_ore @ ((1.0 - melted)[:, None] * refined)
    for j, country in enumerate("ABCDE"):
        rows = shares(found, country, "ore")
        for i, origin in enumerate("ABCDE"):
            assert rows.get((origin, "made", "m.ore"), 0.0) == pytest.approx(mined[i, j], abs=1e-10)
            assert rows.get((origin, "secondary", "m.metal"), 0.0) == pytest.approx(
                melted[i] * refined[i, j], abs=1e-10
            )
            assert shares(found, country, "refined")[origin, "made", "m.metal"] == pytest.approx(
                refined[i, j], abs=1e-10
            )


@pytest.mark.parametrize("seed", range(3))
def test_other_names_and_another_order_change_nothing(seed):
    plain = dependence(world(random_text(seed, "ABCDE")[0]), "m.magnet")
    other = dependence(world(random_text(seed, "VZXWY")[0]), "m.magnet")
    renamed = dict(zip("ABCDE", "VZXWY", strict=True))
    keys = ["country", "stage", "origin", "kind", "via"]
    both = plain.with_columns(pl.col("country", "origin").replace(renamed)).join(other, on=keys, how="full")
    assert both.height == plain.height == other.height
    assert (both["share"] - both["share_right"]).abs().max() <= 1e-12


def test_every_good_of_the_shipped_world_adds_to_one():
    shipped = World.load()
    for good in shipped.goods["id"]:
        found = dependence(shipped, good)
        adds_to_one(found)
        own = found.filter((pl.col("kind") == "made") & (pl.col("via") == good))
        bought = shipped.routes.filter((pl.col("good") == good) & (pl.col("flow_t") > 0.0))
        part = bought.with_columns(part=pl.col("flow_t") / pl.col("flow_t").sum().over("importer"))
        both = own.join(part, left_on=["country", "origin"], right_on=["importer", "exporter"], how="full")
        assert both.height == part.height
        assert (both["share"] - both["part"]).abs().max() <= 1e-12


def test_the_cleared_base_year_says_what_the_tables_say():
    shipped = World.load()
    tables, cleared = dependence(shipped, "ndfeb.magnet"), dependence(shipped, "ndfeb.magnet", clear(shipped))
    keys = ["country", "stage", "origin", "kind", "via"]
    both = tables.join(cleared, on=keys, how="left")
    assert (both["share"] - both["share_right"].fill_null(0.0)).abs().max() <= 1e-6


def test_before_and_after_stand_side_by_side():
    text = STRAIGHT + "experiments:\n  ban:\n    - {kind: ban, good: m.ore, from: A, to: C}\n"
    before, after = clear(network.read_text(text)), clear(network.read_text(text, experiment="ban"))
    table = compared(network.read_text(text), before, after, ["E"])
    assert table["good"].unique().to_list() == ["m.magnet"]
    sums = table.group_by("country", "stage").agg(pl.col("before", "after").sum())
    assert sums.select((pl.col("before", "after") - 1.0).abs().max()).row(0) == pytest.approx((0.0, 0.0), abs=1e-12)
    row = table.filter((pl.col("stage") == "ore") & (pl.col("origin") == "A")).row(0, named=True)
    assert row["before"] == pytest.approx(0.6, abs=1e-9)
    metal = table.filter((pl.col("stage") == "refined") & (pl.col("origin") == "B"))["after"].item()
    assert row["after"] == pytest.approx(metal, abs=1e-9)  # C has no more ore of A: what is left of it came through B


def test_processes_that_take_scrap_are_known_by_their_names():
    noted = [row["process"] for row in sectors.rows("processes") if "Secondary supply" in (row["note"] or "")]
    assert len(noted) > 5
    assert [name for name in noted if not _secondary(name)] == []
    assert not any(map(_secondary, ("copper.smelt", "cobalt.refine", "gallium.recover", None)))


# -- the command --------------------------------------------------------------------------------------------------------


def command(monkeypatch, capsys, *words):
    cli = pytest.importorskip("friendshore.cli")
    monkeypatch.setattr(sys, "argv", ["friendshore", "world", "dependence", *words])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return ended.value.code, capsys.readouterr()


def test_the_command_prints_a_country_and_all_of_them(monkeypatch, capsys):
    code, said = command(monkeypatch, capsys, "ndfeb.magnet", "--country", "ITA")
    assert not code
    assert "ndfeb.magnet in ITA" in said.out
    assert [line for line in ("ORE", "REFINED", "PRODUCT") if line in said.out.splitlines()] == [
        "ORE",
        "REFINED",
        "PRODUCT",
    ]
    code, said = command(monkeypatch, capsys, "ndfeb.magnet")
    assert not code
    assert "NDFEB.MAGNET: WHERE EACH STAGE WAS DONE" in said.out
    code, said = command(monkeypatch, capsys, "ndfeb.magnet", "--country", "ITA", "--json")
    rows = json.loads(said.out)
    assert {row["country"] for row in rows} == {"ITA"}
    assert sum(row["share"] for row in rows if row["stage"] == "ore") == pytest.approx(1.0, abs=1e-12)


def test_an_unknown_good_or_country_is_refused_with_the_nearest(monkeypatch, capsys):
    with pytest.raises(InputRefused, match=r"did you mean 'm\.magnet'"):
        dependence(world(STRAIGHT), "m.magnets")
    with pytest.raises(InputRefused, match="'B' buys none of it"):
        among(dependence(world(STRAIGHT), "m.magnet"), "B")
    code, said = command(monkeypatch, capsys, "ndfeb.magnet", "--country", "IT")
    assert code == 2
    assert "did you mean 'ITA'?" in said.err


def test_a_scenario_of_today_still_adds_to_one():
    shipped = World.load()
    today = clear(shipped, as_of=date(2026, 3, 1))
    adds_to_one(dependence(shipped, "cobalt.metal", today))
