"""GSIM, SMART, bounded RAS, weighted least squares and tracing: published figures, through Python, files and commands."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from friendshore import formula
from friendshore.errors import InputRefused
from friendshore.market.formulas import gsim, gsim_of, smart
from friendshore.market.policy import impose
from friendshore.run import compile_world
from friendshore.world import network

EXAMPLES = Path(__file__).parent.parent / "examples"
FILES = EXAMPLES / "formulas"
FOUR_REGIONS = EXAMPLES / "networks" / "four-regions.yaml"

REGIONS = ("US", "JP", "EU", "RW")
TRADE = np.array([[0, 50, 200, 300], [500, 0, 150, 200], [300, 100, 200, 200], [50, 100, 110, 20.0]])
POWER = np.array([[1, 1.21, 1.41, 1.22], [1.37, 1, 1.31, 1.23], [1.32, 1.36, 1, 1.18], [1.57, 1.41, 1.25, 1.15]])
FREE = POWER.copy()
FREE[0, 2] = FREE[2, 0] = 1.0
ELASTICITIES = {"import_demand": -1.25, "export_supply": 1.5, "substitution": 5.0}

# Solved apart from the same published equations; the first line is printed by the source to four digits.
EXPECTED = {
    "world_price": [0.07918131342789829, -0.031620942079123186, 0.04804929662302418, -0.018371709850974336],
    "composite_price": [-0.09028696469218941, 0.0258807784122422, -0.0800165480549904, 0.03687565285833267],
    "producer_surplus": [46.135965548762975, -26.240374731298026, 39.82467824199976, -5.0731996164746525],
    "consumer_surplus": [110.59519673825899, -8.876051750561716, 68.55885367381683, -32.858942262681076],
    "tariff_revenue": [-138.51724242856793, 0.6219206031626978, -93.83918589012168, -2.8699143729930765],
    "quantity": [
        [-0.7195644037655693, -0.29885364809358306, 0.7877706332945921, -0.2576228689207438],
        [-0.16555312623046195, 0.2551576294415243, -0.11211879839015848, 0.2963884086143635],
        [0.6482168923800132, -0.14319356406921252, -0.5104699919008953, -0.10196278489637334],
        [-0.2317992873712062, 0.18891146830078004, -0.1783649595309027, 0.23014224747361922],
    ],
    "trade": [
        [0.0, 37.83320204777732, 385.86573202933664, 240.347858213084],
        [404.03043875298306, 0.0, 128.97083423408918, 251.07907716670445],
        [518.2237664223178, 89.7975382519342, 102.61031613282601, 188.23745432613106],
        [37.704377601453295, 116.70691317666622, 88.7194219892426, 24.150848620552168],
    ],
}
NET = [18.213919858454034, -34.49450587869704, 14.544346025694907, -40.80205625214881]


def command(monkeypatch, capsys, *words):
    cli = pytest.importorskip("friendshore.cli")
    monkeypatch.setattr(sys, "argv", ["friendshore", *map(str, words)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return ended.value.code, capsys.readouterr()


# -- GSIM ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", EXPECTED)
def test_gsim_gives_the_figures_of_the_published_example(name):
    found = gsim(TRADE, POWER, FREE, **ELASTICITIES)
    assert getattr(found, name) == pytest.approx(np.array(EXPECTED[name]), rel=1e-10)


def test_gsim_gives_the_four_printed_prices():
    assert gsim(TRADE, POWER, FREE, **ELASTICITIES).world_price == pytest.approx(
        [0.0792, -0.0316, 0.0480, -0.0184], abs=5e-5
    )


def test_a_gsim_file_says_the_same_as_python_and_the_command(monkeypatch, capsys):
    code, said = command(monkeypatch, capsys, "formula", "gsim", FILES / "gsim.yaml", "--json")
    assert not code
    document = json.loads(said.out)
    assert document == formula.gsim(FILES / "gsim.yaml")
    good = document["goods"][0]
    assert [good["world_price_change"][r] for r in REGIONS] == pytest.approx(EXPECTED["world_price"], rel=1e-10)
    assert [good["net_welfare"][r] for r in REGIONS] == pytest.approx(NET, rel=1e-8)
    assert good["trade_after"]["EU"]["US"] == pytest.approx(518.2237664223178, rel=1e-10)
    code, said = command(monkeypatch, capsys, "formula", "gsim", FILES / "gsim.yaml")
    assert not code
    assert "+7.918" in said.out
    assert "518.2" in said.out


def test_a_network_file_is_read_as_the_same_example(monkeypatch, capsys):
    code, said = command(
        monkeypatch, capsys, "formula", "gsim", FOUR_REGIONS, "--experiment", "free trade US-EU", "--json"
    )
    assert not code
    good = json.loads(said.out)["goods"][0]
    assert [good["world_price_change"][r] for r in REGIONS] == pytest.approx(EXPECTED["world_price"], rel=1e-10)
    welfare = good["net_welfare"]
    assert [welfare["US"], welfare["JP"], welfare["EU"], welfare["RW"] + welfare["RWB"]] == pytest.approx(NET, rel=1e-8)


def test_gsim_is_the_tangent_of_the_exact_ces_equilibrium():
    from friendshore.run import clear

    text = FOUR_REGIONS.read_text(encoding="utf-8")
    for cut in (1e-3, 1e-4):
        rates = f"{{kind: tariff, good: widgets, from: US, to: EU, rate: {0.41 - cut}}}"
        world = network.read_text(text.split("experiments:")[0] + f"policies: [{rates}]\n")
        n = compile_world(world)
        exporters, _, linear = gsim_of(n, impose(n, world.wedges), "widgets")
        exact = dict(zip(*(clear(world).prices[c].to_list() for c in ("country", "usd_t")), strict=True))
        assert linear.world_price == pytest.approx([exact[c] - 1.0 for c in exporters], abs=2.0 * cut**2)
        assert np.abs(linear.world_price).max() > 0.05 * cut


def test_no_change_of_tariffs_changes_nothing():
    still = gsim(TRADE, POWER, POWER, **ELASTICITIES)
    assert np.abs(still.world_price).max() == 0.0
    assert still.trade == pytest.approx(TRADE)


def test_regions_in_another_order_give_the_same_answer():
    order = np.array([2, 0, 3, 1])
    table = np.ix_(order, order)
    plain, mixed = (
        gsim(TRADE, POWER, FREE, **ELASTICITIES),
        gsim(TRADE[table], POWER[table], FREE[table], **ELASTICITIES),
    )
    assert mixed.world_price == pytest.approx(plain.world_price[order], rel=1e-12)
    assert mixed.trade == pytest.approx(plain.trade[table], rel=1e-12)


def test_elasticities_may_differ_by_region():
    by_region = {"import_demand": [-1.25] * 4, "export_supply": [1.5] * 4, "substitution": [5.0] * 4}
    assert gsim(TRADE, POWER, FREE, **by_region).world_price == pytest.approx(EXPECTED["world_price"], rel=1e-12)
    stiff = gsim(TRADE, POWER, FREE, **{**by_region, "export_supply": [1e9, 1.5, 1.5, 1.5]})
    assert abs(stiff.world_price[0]) < 1e-8


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"import_demand": 1.25}, "import_demand must be below zero, not 1.25"),
        ({"export_supply": 0.0}, "export_supply must be above zero, not 0"),
        ({"substitution": [5.0, 5.0]}, "substitution has 2 values for 4 regions"),
    ],
)
def test_elasticities_of_the_wrong_sign_or_number_are_refused(change, said):
    with pytest.raises(InputRefused, match=said):
        gsim(TRADE, POWER, FREE, **{**ELASTICITIES, **change})


def test_a_region_without_trade_is_refused():
    with pytest.raises(InputRefused, match="exporter 2 has no trade"):
        gsim(TRADE * np.array([[1], [0], [1], [1]]), POWER, FREE, **ELASTICITIES)


@pytest.mark.parametrize(
    ("replaced", "by", "said"),
    [
        ("sourcing: ces", "sourcing: ces\nfreight: 0.1", "this world has freight"),
        ("{kind: preference, good: widgets, from: EU, to: US}", "{kind: ban, good: widgets, from: EU, to: US}", "every other measure"),
        ("{kind: preference, good: widgets, from: EU, to: US}", "{kind: tariff, good: widgets, from: EU, to: US, specific: 1}", "every other"),
        ("demand_elasticity: 1.25", "demand_elasticity: 0", "demand with an elasticity above zero"),
        ("supply_elasticity: 1.5", "supply_elasticity: 0", "suppliers of one good with an elasticity"),
    ],
)  # fmt: skip
def test_what_gsim_has_no_place_for_is_refused(tmp_path, replaced, by, said):
    text = FOUR_REGIONS.read_text(encoding="utf-8")
    assert replaced in text
    file = tmp_path / "other.yaml"
    file.write_text(text.replace(replaced, by), encoding="utf-8")
    with pytest.raises(InputRefused, match=said):
        formula.gsim(file, "free trade US-EU")


# -- SMART --------------------------------------------------------------------------------------------------------------

SMART = {
    "trade_creation": 13.636363636363635,
    "trade_diversion": 9.890109890109896,
    "beneficiary_import_change": 23.52647352647353,
    "others_import_change": -9.890109890109896,
    "tariff_revenue_before": 40.0,
    "tariff_revenue_after": 29.01098901098901,
    "revenue_change": -10.989010989010989,
}


def test_smart_gives_the_figures_of_its_formula(monkeypatch, capsys):
    found = smart(100.0, 300.0, 0.1, 0.0, import_demand=-1.5, substitution=1.5)
    code, said = command(monkeypatch, capsys, "formula", "smart", FILES / "smart.yaml", "--json")
    assert not code
    document = json.loads(said.out)
    for name, want in SMART.items():
        assert float(getattr(found, name)) == pytest.approx(want, rel=1e-12)
        assert document[name] == pytest.approx(want, rel=1e-12)


@given(
    b=st.floats(0, 1e6), o=st.floats(0, 1e6), t0=st.floats(0, 3), cut=st.floats(0, 1), em=st.floats(-5, 0), es=st.floats(0, 10)
)  # fmt: skip
def test_diversion_takes_no_more_than_there_is(b, o, t0, cut, em, es):
    found = smart(b, o, t0, t0 * cut, import_demand=em, substitution=es)
    assert 0.0 <= found.trade_diversion <= min(o, b * es + 1e-9) * (1.0 + 1e-12)
    assert found.trade_creation >= 0.0
    total = found.beneficiary_import_change + found.others_import_change
    assert total == pytest.approx(float(found.trade_creation), abs=1e-9 * max(b, o, 1.0))


def test_smart_takes_many_lines_at_once():
    lines = smart(np.array([100.0, 0.0]), np.array([300.0, 0.0]), 0.1, 0.0, import_demand=-1.5, substitution=1.5)
    assert lines.trade_diversion == pytest.approx([SMART["trade_diversion"], 0.0])


# -- bounded RAS, least squares, tracing --------------------------------------------------------------------------------


def test_a_capped_table_is_the_printed_one(monkeypatch, capsys):
    code, said = command(monkeypatch, capsys, "formula", "ras", FILES / "ras.yaml", "--json")
    assert not code
    document = json.loads(said.out)
    assert np.array(document["table"]) == pytest.approx(np.array([[8.0, 12.0], [7.0, 13.0]]), abs=1e-6)
    assert document["at_their_bound"] == [[1, 2]]


def test_without_a_cap_the_odds_ratio_stays(tmp_path):
    file = tmp_path / "free.yaml"
    file.write_text((FILES / "ras.yaml").read_text(encoding="utf-8").split("upper_bound")[0], encoding="utf-8")
    table = np.array(formula.ras(file)["table"])
    assert table.sum(axis=1) == pytest.approx([20.0, 20.0], abs=1e-6)
    assert table.sum(axis=0) == pytest.approx([15.0, 25.0], abs=1e-6)
    assert table[0, 0] * table[1, 1] / (table[0, 1] * table[1, 0]) == pytest.approx(2.0 / 3.0, abs=1e-6)


def test_margins_that_a_cap_does_not_admit_are_refused(tmp_path):
    file = tmp_path / "tight.yaml"
    text = (FILES / "ras.yaml").read_text(encoding="utf-8")
    file.write_text(
        text.replace("col: 2, value: 12}", "col: 2, value: 4}\n  - {row: 1, col: 1, value: 5}"), encoding="utf-8"
    )
    with pytest.raises(InputRefused, match="do not admit it: 11 are left over"):
        formula.ras(file)


def test_the_nearest_balance_is_the_closed_form(monkeypatch, capsys):
    code, said = command(monkeypatch, capsys, "formula", "balance", FILES / "balance.yaml", "--json")
    assert not code
    found = {name: row["balanced"] for name, row in json.loads(said.out)["figures"].items()}
    expected = {
        "production": 98.58757062146893,
        "imports": 27.966101694915253,
        "exports": 40.90395480225989,
        "apparent_use": 85.64971751412429,
    }
    assert found == pytest.approx(expected, abs=1e-9)


def test_dispatch_is_replaced_by_origin(monkeypatch, capsys):
    code, said = command(monkeypatch, capsys, "formula", "trace", FILES / "trace.yaml", "--json")
    assert not code
    document = json.loads(said.out)
    assert document["throughput"] == pytest.approx({"A": 100.0, "B": 60.0, "C": 60.0}, abs=1e-9)
    assert document["consumption"] == pytest.approx({"A": 30.0, "B": 30.0, "C": 60.0}, abs=1e-9)
    traced = {(row["origin"], row["use"]): row["quantity"] for row in document["traced"]}
    assert traced == pytest.approx({("A", "A"): 30.0, ("A", "B"): 30.0, ("A", "C"): 40.0, ("C", "C"): 20.0}, abs=1e-9)


@pytest.mark.parametrize("name", formula.FORMULAS)
def test_every_formula_prints_a_page(name, monkeypatch, capsys):
    code, said = command(monkeypatch, capsys, "formula", name, FILES / f"{name}.yaml")
    assert not code
    assert len(said.out.splitlines()) > 4
    assert max(map(len, said.out.splitlines())) <= 100


# -- refusals, each at its place ----------------------------------------------------------------------------------------

BAD = [
    ("gsim", "tariff_power_final:", "tariff_power_finale:", "gsim.yaml:14:1", "did you mean 'tariff_power_final'?"),
    ("gsim", "- [1, 1.21, 1, 1.22]", "- [1, 0.21, 1, 1.22]", "gsim.yaml:15:9", "one plus the rate: 1.21 for 21 %"),
    ("gsim", "- [500, 0, 150, 200]", "- [500, 0, 150]", "gsim.yaml:6:5", "3 columns for 4 regions"),
    ("gsim", "- [500, 0, 150, 200]", "- [500, 0, -150, 200]", "gsim.yaml:6:14", "must be at least 0, not -150"),
    ("gsim", "elasticity: -1.25", "elasticity: 1.25", "gsim.yaml:19:27", "must be less than 0, not 1.25"),
    ("smart", "tariff_initial: 0.1", "tariff_initial: 15", "smart.yaml:4:17", "write 0.15 for 15 %"),
    ("smart", "beneficiary: 0\n", "beneficiary: 0.2\n", "smart.yaml:5:27", "this one rises"),
    ("smart", "imports_others: 300\n", "", "smart.yaml:1:1", "'imports_others' is missing"),
    ("ras", "col_totals: [15, 25]", "col_totals: [15, 26]", "ras.yaml:7:13", "the totals of columns add to 41, those of rows to 40"),
    ("ras", "row: 1, col: 2", "row: 3, col: 2", "ras.yaml:9:5", "there is no cell (3, 2) in a table of 2 x 2"),
    ("balance", "apparent_use\n", "aparent_use\n", "balance.yaml:8:5", "did you mean 'apparent_use'?"),
    ("balance", "imports = exports", "imports exports", "balance.yaml:8:5", "write one '=' between two sums"),
    ("trace", "[A, B, 60]", "[A, D, 60]", "trace.yaml:4:5", "'D' has no production here"),
    ("trace", "[A, B, 60]", "[A, B, 600]", "trace.yaml:2:17", "A sends on 510 more than it makes and buys"),
    ("trace", "[A, B, 60]", "[A, B]", "trace.yaml:4:5", "expected from, to and quantity"),
    ("trace", "A: 100, B: 0, C: 20}\nflows:\n  - [A, B, 60]\n  - [A, C, 10]", "A: 0, B: 0, C: 0}\nflows:\n  - [C, B, 30]", "trace.yaml:2:23", "B sends on what nobody made"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "replaced", "by", "place", "said"), BAD)
def test_a_bad_file_is_refused_at_its_place(name, replaced, by, place, said, tmp_path, monkeypatch, capsys):
    text = (FILES / f"{name}.yaml").read_text(encoding="utf-8")
    assert replaced in text
    (tmp_path / f"{name}.yaml").write_text(text.replace(replaced, by), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    code, told = command(monkeypatch, capsys, "formula", name, f"{name}.yaml")
    assert code == 2
    assert told.out == ""
    assert f"{place}  " in told.err
    assert said in told.err
