"""A network file becomes the world that it states, whichever way it is typed, or is refused with every reason at its line."""

from __future__ import annotations

import json
import random
from pathlib import Path

import polars as pl
import pytest
import yaml
from jsonschema import Draft202012Validator
from polars.testing import assert_frame_equal

from friendshore import faces
from friendshore.errors import InputRefused
from friendshore.marked import MAX_BYTES
from friendshore.world import network, network_file
from friendshore.world.network_curves import Line, Power, read_formula
from friendshore.world.tables import COLUMNS, World, table_names

HERE = Path(__file__).parent
GOOD = sorted((HERE / "networks" / "good").glob("*.*"))
BAD = sorted((HERE / "networks" / "bad").glob("*.yaml"))
EXAMPLES = sorted((HERE.parent / "examples" / "networks").glob("*.yaml"))
TINY = HERE.parent / "examples" / "networks" / "tiny.yaml"
EVERYTHING = HERE / "networks" / "good" / "everything.yaml"
RUNS = [(path, name) for path in [*EXAMPLES, *GOOD] for name in [None, *network.experiments(path)]]


def name_of(value: object) -> str:
    return value.stem if isinstance(value, Path) else str(value or "its own policies")


# -- refusals -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", BAD, ids=name_of)
def test_a_refusal_names_every_problem_at_its_place(path, monkeypatch):
    monkeypatch.chdir(path.parent)
    with pytest.raises(InputRefused) as refusal:
        network.read(path.name)
    assert str(refusal.value) + "\n" == path.with_suffix(".txt").read_text(encoding="utf-8")


def test_every_bad_file_has_its_message_and_every_message_its_file():
    messages = {path.stem for path in BAD[0].parent.glob("*.txt")}
    assert messages == {path.stem for path in BAD}


def test_a_large_file_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "large.yaml"
    path.write_text("# " + "x" * MAX_BYTES, encoding="utf-8")
    with pytest.raises(InputRefused, match="larger than 5 MB"):
        network.read(path)


def test_an_unknown_experiment_is_refused_with_the_nearest_name():
    with pytest.raises(InputRefused, match="did you mean 'floor'"):
        network.read(TINY, "flor")


def test_a_mangled_file_is_read_or_refused_and_never_worse():
    """Values swapped for others, keys taken out or put in: the answer is a world or a list of problems."""
    rng = random.Random(20261)
    odd = [
        "null",
        "-1",
        "0",
        "1e30",
        '"x"',
        '"all"',
        "[]",
        "{}",
        "[1]",
        '{"a": 1}',
        "true",
        '"q = 1"',
        '"p = q"',
        '["HOME"]',
    ]
    whole = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in (EVERYTHING, TINY, GOOD[0])]
    refused = 0
    for _ in range(300):
        mangled = json.loads(json.dumps(rng.choice(whole)))
        here, key = mangled, rng.choice(list(mangled))
        while isinstance(here[key], dict | list) and here[key] and rng.random() < 0.8:
            here = here[key]
            key = rng.choice(list(here)) if isinstance(here, dict) else rng.randrange(len(here))
        here[key] = json.loads(rng.choice(odd))
        try:
            network.read_text(json.dumps(mangled))
        except InputRefused:
            refused += 1
    assert 100 < refused < 300


# -- what is read -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("path", "experiment"), RUNS, ids=name_of)
def test_a_world_has_the_columns_of_a_built_one(path, experiment):
    world = network.read(path, experiment)
    for table in table_names():
        assert getattr(world, table).schema == pl.Schema(COLUMNS[table]), table


def test_units_do_not_change_the_world():
    """The tiny world in kt and USD/t, and in rows of JSON, in t and USD/kg, is one world."""
    nested = network.read(TINY, "floor")
    rows = network.read(HERE / "networks" / "good" / "rows.json", "floor")
    for table in ("activities", "recipes", "prices", "routes", "final_use"):
        keys = [name for name, kind in COLUMNS[table].items() if kind == pl.String]
        same = [frame.sort(keys) for frame in (getattr(nested, table), getattr(rows, table))]
        assert_frame_equal(*same, rel_tol=1e-12, abs_tol=0.0)
    (floor,) = nested.wedges
    (as_rows,) = rows.wedges
    assert floor == as_rows
    assert floor.reference_usd_t == pytest.approx(21500.0)


def test_a_price_per_kilogram_is_a_thousand_per_tonne():
    text = TINY.read_text(encoding="utf-8").replace("USD per t", "USD per kg")
    before, after = network.read(TINY), network.read_text(text)
    assert after.prices["price_usd_t"].to_list() == [1000.0 * price for price in before.prices["price_usd_t"]]
    assert after.routes["freight_usd_t"].to_list() == [1000.0 * cost for cost in before.routes["freight_usd_t"]]


def test_final_use_is_what_no_process_takes():
    world = network.read(TINY)
    use = {(row["good"], row["country"]): row["use_t"] for row in world.final_use.iter_rows(named=True)}
    assert use == pytest.approx({("metal", "MINE"): 14e3, ("metal", "HOME"): 36e3, ("metal", "BIG"): 45e3})


def test_a_margin_is_what_outputs_earn_less_what_inputs_cost():
    world = network.read(TINY)
    row = world.activities.row(by_predicate=pl.col("id") == "smelt@HOME", named=True)
    ore = (15 * (8000 + 400) + 5 * (8300 + 400)) / 20
    assert row["margin_usd_t"] == pytest.approx(20000 - ore)
    assert row["level_t"] == pytest.approx(20e3)


def test_norway_is_a_country():
    assert "NO" in network.read(HERE / "networks" / "good" / "curves.yaml").countries["code"].to_list()


def test_a_world_without_flows_is_absolute_and_homogeneous():
    world = network.read(EXAMPLES[0].with_name("two-country-tariff.yaml"))
    assert world.absolute
    assert world.sourcing == "homogeneous"
    row = world.activities.row(by_predicate=pl.col("country") == "HOME", named=True)
    assert (row["kind"], row["curve_a"], row["curve_b"]) == ("linear", 20.0, 20.0)


def test_an_experiment_replaces_curves_country_by_country():
    world = network.read(EXAMPLES[0].with_name("two-country-tariff.yaml"), "shock, floor")
    supply = dict(zip(world.activities["country"], world.activities["curve_a"], strict=True))
    assert supply == {"HOME": 20.0, "FOREIGN": 50.0}


def test_freight_goes_from_the_general_to_the_particular():
    world = network.read(EVERYTHING)
    freight = {
        (row["good"], row["exporter"], row["importer"]): row["freight_usd_t"]
        for row in world.routes.iter_rows(named=True)
    }
    assert freight["ore", "BIG", "HOME"] == 350.0
    assert freight["ore", "MINE", "BIG"] == 400.0
    assert freight["ore", "BIG", "BIG"] == 0.0
    assert freight["metal", "BIG", "HOME"] == 300.0


def test_others_are_all_countries_not_on_the_other_side():
    (wedge,) = network.read(EVERYTHING, "floor").wedges
    assert wedge.lane.exporters == {"MINE", "BIG"}
    assert wedge.lane.importers == {"HOME"}


def test_a_schedule_takes_off_the_duties_that_it_does_not_list():
    world = network.read(EVERYTHING, "schedule")
    rates = {
        (wedge.lane.good, exporter, importer): (wedge.rate, wedge.specific_usd_t)
        for wedge in world.wedges
        for exporter in wedge.lane.exporters
        for importer in wedge.lane.importers
    }
    assert rates["metal", "BIG", "HOME"] == (0.04, 0.0)
    assert rates["metal", "BIG", "MINE"] == (0.0, 0.0)
    assert rates["ore", "MINE", "HOME"] == (0.0, 0.0)


def test_every_wedge_can_be_written():
    kinds = {type(wedge) for name in network.experiments(EVERYTHING) for wedge in network.read(EVERYTHING, name).wedges}
    assert kinds == set(faces.Wedge.__args__) - {faces.Plant}  # a network states its capacities itself
    assert set(network_file.KINDS) == {
        item["kind"]
        for run in yaml.safe_load(EVERYTHING.read_text(encoding="utf-8"))["experiments"].values()
        for item in (run if isinstance(run, list) else run["policies"])
    }


def test_terms_arrive_as_they_were_written():
    def only(experiment: str) -> faces.Wedge:
        (wedge,) = network.read(EVERYTHING, experiment).wedges
        return wedge

    assert only("quota") == faces.Quota(
        clause="quota.metal",
        lane=faces.Lane(good="metal", exporters=frozenset({"BIG"}), importers=frozenset({"HOME", "MINE"})),
        tonnes=22e3,
        owner="BIG",
    )
    assert only("two-way contract") == faces.Contract(
        clause="contract.metal", good="metal", producers=frozenset({"HOME"}), strike_usd_t=21500.0, two_way=True,
        claw_back=0.5, cap_t=12e3,
    )  # fmt: skip
    assert only("undertaking").exporter_share == 0.4
    assert only("minimum price").exporter_share == 1.0
    assert only("release") == faces.Reserve(
        clause="reserve.metal", good="metal", country="HOME", tonnes=-2e3, owner="BIG"
    )
    assert only("subsidy").payers == (("HOME", 0.5), ("MINE", 0.5))


@pytest.mark.parametrize(
    ("text", "curve"),
    [
        ("q = 20 + 20 p", Line(20.0, 20.0, "p")),
        ("Q = 100-20P", Line(100.0, -20.0, "p")),
        ("p = 42 - 2 q", Line(21.0, -0.5, "p")),
        ("P = 10 + 1/2 Q", Line(-20.0, 2.0, "p")),
        ("Qd = 60 - p/4", Line(60.0, -0.25, "p")),
        ("q = 20p + 20", Line(20.0, 20.0, "p")),
        ("q = 350", Line(350.0, 0.0, "p")),
        ("q = 2 + 0.25 m", Line(2.0, 0.25, "m")),
        ("q = 1e3 * (p / 20) ^ -1.5", Power(1000.0, 20.0, -1.5, "p")),
        ("q = 325 (0.225/p)**1.5", Power(325.0, 0.225, -1.5, "p")),
        ("q = 20 + 20 x", None),
        ("q = p + m", None),
        ("p = 5", None),
        ("q = 1/0 p", None),
        ("20 + p", None),
        ("q = 3 4 p", None),
        ("q =", None),
    ],
)
def test_a_line_of_algebra_is_read_or_refused(text, curve):
    if curve is None:
        with pytest.raises(ValueError):
            read_formula(text)
    else:
        assert read_formula(text) == curve


# -- what it clears to --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("path", "experiment"), RUNS, ids=name_of)
def test_every_file_clears_and_its_accounts_close(path, experiment):
    from friendshore.run import clear

    outcome = clear(network.read(path, experiment))
    size = outcome.accounts["usd"].abs().sum() + sum(abs(part) for part in outcome.resource_parts_usd.values())
    assert outcome.residual_t <= 1e-9 * outcome.output["t"].sum()
    assert outcome.world_total_usd == pytest.approx(outcome.resource_total_usd, abs=1e-9 * size)


@pytest.mark.parametrize("path", [TINY, EVERYTHING], ids=name_of)
def test_the_base_year_is_reproduced(path):
    from friendshore.run import clear

    flows = clear(network.read(path)).flows
    assert (flows["t"] - flows["base_t"]).abs().max() <= 1e-10 * flows["base_t"].max()


def test_a_schedule_of_the_base_duties_changes_nothing():
    from friendshore.run import clear

    text = TINY.read_text(encoding="utf-8")
    duties = "duties: [{good: metal, from: BIG, to: HOME, rate: 0.03}]"
    flows = clear(network.read_text(text + f"policies:\n  - {{kind: tariff_schedule, {duties}}}\n")).flows
    assert (flows["t"] - flows["base_t"]).abs().max() <= 1e-10 * flows["base_t"].max()


# -- the schema ---------------------------------------------------------------------------------------------------------


def test_the_schema_that_ships_is_the_schema_of_the_models():
    assert json.loads(network.SCHEMA.read_text(encoding="utf-8")) == network_file.schema()


@pytest.mark.parametrize("path", [*EXAMPLES, *GOOD], ids=name_of)
def test_the_schema_accepts_every_good_file(path):
    from friendshore.marked import read_marked

    validator = Draft202012Validator(network_file.schema())
    assert [error.message for error in validator.iter_errors(read_marked(path).value)] == []


@pytest.mark.parametrize("name", ["unknown-key", "unknown-policy", "floor-without-reference", "floor-without-levy-on"])
def test_the_schema_sees_what_an_editor_can_see(name):
    value = yaml.safe_load((HERE / "networks" / "bad" / f"{name}.yaml").read_text(encoding="utf-8"))
    assert not Draft202012Validator(network_file.schema()).is_valid(value)


def test_a_world_names_what_it_was_read_from():
    world = network.read(TINY, "floor")
    assert isinstance(world, World)
    assert world.name == "tiny"
    assert world.extras["experiment"] == "floor"
    assert world.version != network.read(TINY).version
