"""Each command in process: what goes to which stream, the shape of its JSON, its exit status, the files it leaves."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import polars as pl
import pytest
import typer
import yaml

from friendshore import cli
from friendshore.cli import tell
from friendshore.cli.world import RAW_DATA
from friendshore.law.screen.obligations import GRADES
from friendshore.outcome import Outcome
from friendshore.report import tables
from friendshore.study import Study
from friendshore.world.check import Check

HERE = Path(__file__).parent
NETWORKS = HERE.parent / "examples" / "networks"
TARIFF = str(NETWORKS / "two-country-tariff.yaml")
KEYS = {
    "prices": {"good", "country", "usd_t"},
    "flows": {"good", "exporter", "importer", "t", "delivered_usd_t", "levy_usd_t"},
    "output": {"good", "country", "t"},
    "accounts": {"country", "item", "usd"},
}


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch):
    for name in (cli.DEBUG, RAW_DATA):
        monkeypatch.delenv(name, raising=False)


def document(text: str):
    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    return json.loads(text, parse_constant=refuse)


def has_shape_of_an_outcome(found: dict) -> None:
    assert found.keys() >= {"status", "steps", "residual_t", "seconds", "world_total_usd", "resource_total_usd", *KEYS}
    for table, keys in KEYS.items():
        assert found[table]
        assert all(row.keys() >= keys for row in found[table])
    size = sum(abs(row["usd"]) for row in found["accounts"])
    assert abs(found["world_total_usd"] - found["resource_total_usd"]) <= 1e-9 * size + 1e-6


# -- run ------------------------------------------------------------------------------------------------------------------


def test_run_gives_every_outcome_in_one_document(call):
    status, out, _ = call("run", "one-floor", "--json", "--no-stability")
    assert status == 0
    found = document(out)
    assert found.keys() == {"outcomes", "study", "digests", "legal"}
    assert found["legal"]["grades"].keys() == set(GRADES)
    assert list(found["outcomes"]) == ["base", "before", "agreement", "harvest", "ban"]
    for outcome in found["outcomes"].values():
        has_shape_of_an_outcome(outcome)
    assert found["study"]["deal_id"] == "one-floor"
    assert found["study"]["floors"]
    assert found["outcomes"]["agreement"]["settings"]["as_of"] == found["study"]["as_of"] == "2027-01-01"


def test_run_takes_date_and_horizon(call):
    status, out, _ = call("run", "no-agreement", "--as-of", "2028-02-03", "--horizon", "1", "--no-stability", "--json")
    assert status == 0
    study = document(out)["study"]
    assert (study["as_of"], study["horizon"], study["draws"]) == ("2028-02-03", 1, 1)


def test_run_writes_the_tables_it_names(call, tmp_path):
    folder = tmp_path / "deep" / "out"
    status, out, err = call("run", "one-floor", "--no-stability", "--out", str(folder))
    assert status == 0
    assert out.startswith("Against the status quo of 2027-01-01")
    assert str(folder) in out
    assert "Against the status quo" not in err
    names = {f"{run}.{table}" for run in ("base", "before", "agreement", "harvest", "ban") for table in Outcome.TABLES}
    names |= set(Study.TABLES)
    there = {path.name for path in folder.iterdir()}
    assert there == {f"{name}.{kind}" for name in names for kind in ("csv", "parquet")} | {
        "account.txt",
        "manifest.json",
    }
    assert f"{len(names)} tables, {len(there)} files" in out
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["files"].keys() == there - {"manifest.json"}
    assert manifest["command"].startswith("friendshore run one-floor --as-of 2027-01-01")
    for name, sealed in manifest["files"].items():
        assert sealed["sha256"] == hashlib.sha256((folder / name).read_bytes()).hexdigest()
    for name in names:
        parquet = pl.read_parquet(folder / f"{name}.parquet")
        csv = pl.read_csv(folder / f"{name}.csv", schema=parquet.schema)
        assert csv.height == parquet.height == manifest["files"][f"{name}.csv"]["rows"]
        assert csv.columns == parquet.columns
    assert (folder / "account.txt").read_text(encoding="utf-8").strip() == out.strip()
    assert [path.name for path in folder.parent.iterdir()] == ["out"]


def test_run_takes_a_scenario_file(call, tmp_path):
    scenario = tmp_path / "later.yaml"
    scenario.write_text(
        "scenario: later\nagreement: one-floor\nas_of: 2029-01-01\nassumptions: {horizon: 15, eps_scale: 1.5}\n",
        encoding="utf-8",
    )
    status, out, _ = call("run", str(scenario), "--no-stability", "--json")
    assert status == 0
    found = document(out)
    assert found["study"]["as_of"] == "2029-01-01"
    settings = found["outcomes"]["agreement"]["settings"]
    assert (settings["horizon"], settings["eps_scale"]) == (15, 1.5)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("run", "plurilateral-2062"), "plurilateral-2026"),
        (("run", str(HERE / "agreements" / "bad" / "prices.yaml")), "nothing was run"),
        (("clear", "nowhere.yaml"), "nowhere.yaml"),
        (("clear", str(HERE / "networks" / "bad" / "unknown-good.yaml")), "nothing was run"),
        (("clear", TARIFF, "--experiment", "optimall"), "no experiment is called 'optimall'"),
        (("agreement", "check", str(HERE / "agreements" / "bad" / "terms.yaml")), "terms.yaml:5:33"),
        (("world", "show", "cobald"), "did you mean 'cobalt'?"),
        (("world", "build"), "no folder of raw data"),
        (("world", "build", "nowhere"), "nowhere"),
    ],
    ids=lambda value: " ".join(Path(word).name for word in value) if isinstance(value, tuple) else "",
)
def test_input_is_refused_on_standard_error_alone(call, words, said):
    status, out, err = call(*words)
    assert (status, out) == (2, "")
    assert said in err


@pytest.mark.parametrize(
    "words",
    [
        ("run", "--as-of", "yesterday"),
        ("run", "--horizon", "7"),
        ("run", "--nonsense"),
        ("clear",),
        ("world", "shew", "cobalt"),
        ("world", "goods", "extra"),
    ],
    ids=" ".join,
)
def test_wrong_usage_is_status_two(call, words):
    status, out, err = call(*words)
    assert (status, out) == (2, "")
    assert err.startswith(("Usage: ", "$ friendshore"))


# -- the folder of tables -------------------------------------------------------------------------------------------------


def test_a_folder_that_will_not_do_is_refused_before_anything_is_run(call, tmp_path, monkeypatch):
    monkeypatch.setattr("friendshore.run.clear", lambda *_, **__: pytest.fail("it was run"))
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("mine", encoding="utf-8")
    for folder, said in (("file", "there is a file of this name"), ("mine", "thesis.txt"), ("file/below", "--out")):
        status, out, err = call("clear", TARIFF, "--out", str(tmp_path / folder))
        assert (status, out) == (2, "")
        assert said in err
        assert "nothing was run" in err
    monkeypatch.chdir(tmp_path / "mine")
    assert call("clear", TARIFF, "--out", ".")[0] == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "mine"]
    assert (tmp_path / "mine" / "thesis.txt").read_text(encoding="utf-8") == "mine"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may write anywhere")
def test_a_folder_without_permission_is_refused(call, tmp_path):
    tmp_path.chmod(0o500)
    try:
        status, out, err = call("clear", TARIFF, "--out", str(tmp_path / "out"))
    finally:
        tmp_path.chmod(0o700)
    assert (status, out) == (2, "")
    assert "permission denied" in err


def test_tables_of_an_earlier_run_are_replaced_whole(call, tmp_path):
    folder = tmp_path / "out"
    assert call("clear", TARIFF, "--out", str(folder))[0] == 0
    first = {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix == ".csv"}
    assert call("clear", str(NETWORKS / "chain.yaml"), "--out", str(folder))[0] == 0
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix == ".csv"} != first
    (folder / "notes.txt").write_text("mine", encoding="utf-8")
    status, _, err = call("clear", TARIFF, "--out", str(folder))
    assert status == 2
    assert "notes.txt" in err
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


CUT_OFF = """
goods:
  ore: {sigma: 6, supply_elasticity: 0.8, demand_elasticity: 0.5}
  metal: {sigma: 10, supply_elasticity: 1.2, demand_elasticity: 0.5}
countries: [A, B]
processes: {smelt: {outputs: {metal: 1}, in: {A: {inputs: {ore: 1}}}}}
flows:
  ore: [[0, 0], [50, 10]]
  metal: [[30, 20], [0, 0]]
prices: {ore: {B: 100}, metal: {A: 200}}
policies:
  - {kind: ban, good: ore, from: B, to: A}
  - {kind: offtake, good: metal, from: A, to: B, quantity: 5}
"""


def test_a_market_without_an_answer_is_status_three_and_leaves_no_folder(call, tmp_path):
    (tmp_path / "cut.yaml").write_text(CUT_OFF, encoding="utf-8")
    status, out, err = call("clear", str(tmp_path / "cut.yaml"), "--out", str(tmp_path / "out"))
    assert (status, out) == (3, "")
    assert "metal in A" in err
    assert "5 t must move where at most 0 t can" in err
    assert [path.name for path in tmp_path.iterdir()] == ["cut.yaml"]


def test_a_disk_that_fails_costs_the_tables_and_not_the_answer(call, tmp_path, monkeypatch):
    def full(_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tables, "_rename", full)
    status, out, err = call("clear", TARIFF, "--out", str(tmp_path / "out"))
    assert status == 3
    assert "PRICES" in out
    assert "Every table" not in out
    assert "no space left on device" in err
    assert list(tmp_path.iterdir()) == []


# -- clear ----------------------------------------------------------------------------------------------------------------


def test_clear_gives_one_outcome(call):
    status, out, err = call("clear", TARIFF, "--experiment", "tariff 1/3", "--json")
    assert (status, err) == (0, "")
    found = document(out)
    has_shape_of_an_outcome(found)
    assert found["name"] == "tariff 1/3"
    assert found["accounts_are"] == "levels"


@pytest.mark.parametrize("name", sorted(path.stem for path in NETWORKS.glob("*.yaml")))
def test_clear_prints_every_example(call, name):
    status, out, _ = call("clear", str(NETWORKS / f"{name}.yaml"))
    assert status == 0
    for part in ("PRICES", "FLOWS", "OUTPUT AND USE", "ACCOUNTS"):
        assert f"\n{part}\n" in out


def test_clear_turns_latent_links_on_where_the_file_states_them(call, tmp_path):
    text = yaml.safe_load((NETWORKS / "chain.yaml").read_text(encoding="utf-8"))
    assert document(call("clear", str(NETWORKS / "chain.yaml"), "--json")[1])["settings"]["latent"] is False
    file = tmp_path / "latent.yaml"
    text["flows"]["metal"] = [[16, 0, 0], [12, 6, 2], [34, 0, 41]]
    text["latent"] = [{"good": "metal", "from": "C", "to": "B", "share": 0.05}]
    file.write_text(yaml.safe_dump(text), encoding="utf-8")
    status, out, err = call("clear", str(file), "--json")
    assert status == 0, err
    assert document(out)["settings"]["latent"] is True


# -- world, agreement -----------------------------------------------------------------------------------------------------


def test_lists_of_the_world_are_plain_documents(call):
    goods = document(call("world", "goods", "--json")[1])
    assert all(row.keys() == {"id", "mineral", "stage", "unit", "name", "hs6"} for row in goods)
    assert {"ndpr.oxide", "gallium.metal"} <= {row["id"] for row in goods}
    countries = document(call("world", "countries", "--json")[1])
    assert all(row.keys() == {"code", "name", "territory", "region"} for row in countries)
    assert {"CHN", "ITA"} <= {row["code"] for row in countries}
    for command in ("goods", "countries"):
        status, out, err = call("world", command)
        assert (status, err) == (0, "")
        assert len(out.splitlines()) > 10


def test_a_chain_is_shown_with_its_sources(call):
    rows = document(call("world", "show", "gallium", "--json")[1])
    assert all(row["source"] for row in rows)
    status, out, _ = call("world", "show", "gallium")
    assert status == 0
    assert "GALLIUM.METAL (REFINED): OUTPUT" in out
    assert "usgs.mcs2026" in out


def test_a_check_gives_both_numbers_and_a_true_status(call, monkeypatch):
    status, out, _ = call("world", "check", "--json")
    found = document(out)
    rows = found["checks"]
    assert all(row.keys() == {"name", "ok", "ours", "published", "source"} for row in rows)
    assert all(len(doubt["items"]) == doubt["count"] for doubt in found["doubts"])
    assert status == (0 if all(row["ok"] for row in rows) else 3)
    broken = [Check("sound", True, 1.0, 1.0, "here"), Check("share of gallium", False, 51.0, 98.9, "usgs.mcs2026")]
    monkeypatch.setattr("friendshore.world.check.check", lambda _: broken)
    status, out, _ = call("world", "check")
    assert status == 3
    assert "FAILS  share of gallium" in out
    assert out.endswith("one check of 2 fails.\n")
    assert call("world", "check", "--json")[0] == 3


def test_a_sound_agreement_is_listed_with_its_levels(call):
    status, out, _ = call("agreement", "check", "plurilateral-2026", "--json")
    assert status == 0
    found = document(out)
    assert {"USA", "EUN"} <= set(found["parties"])
    ndpr = next(level for level in found["levels"] if level["clause"] == "floor.ndpr")
    assert (ndpr["usd_t"], ndpr["illustrative"]) == (110_000.0, False)
    text = call("agreement", "check", "plurilateral-2026")[1]
    assert "sound" in text
    assert "floor.ndpr" in text


def test_presets_are_listed_and_each_is_sound(call):
    listed = [row["id"] for row in document(call("agreement", "list", "--json")[1])]
    assert "plurilateral-2026" in listed
    for name in listed:
        assert call("agreement", "check", name, "--json")[0] == 0
        assert name in call("agreement", "list")[1]


def test_the_schema_is_one_that_shipped_files_meet(call):
    import jsonschema

    from friendshore.agreement.document import is_scenario, presets

    schema = document(call("agreement", "schema")[1])
    held = [json.loads(json.dumps(yaml.safe_load(path.read_text("utf-8")), default=str)) for path in presets().values()]
    agreements = [text for text in held if not is_scenario(text)]
    assert len(agreements) > 5
    for text in agreements:
        jsonschema.validate(text, schema)


# -- help, streams, faults ------------------------------------------------------------------------------------------------


def every_command(group=None, words=()):
    group = group or typer.main.get_command(cli.app)
    yield words
    for name, command in getattr(group, "commands", {}).items():
        yield from every_command(command, (*words, name))


@pytest.mark.parametrize("words", list(every_command()), ids=lambda words: " ".join(words) or "friendshore")
def test_help_opens_with_an_example(call, words):
    status, out, err = call(*words, "--help")
    assert (status, err) == (0, "")
    assert f"{out.splitlines()[0]} ".startswith(" ".join(["$ friendshore", *words, ""]))
    assert out.count("$ friendshore") == 1
    assert "Usage: friendshore" in out


def test_version(call):
    assert call("--version")[1].startswith("friendshore 0.")


def test_progress_is_told_only_where_it_takes_long(call, monkeypatch):
    monkeypatch.setattr(tell, "PATIENCE_S", 1000.0)
    assert call("clear", TARIFF)[2] == ""
    monkeypatch.setattr(tell, "PATIENCE_S", 0.0)
    _, out, err = call("clear", TARIFF)
    assert "clearing ..." in err
    assert "clearing ..." not in out


def test_a_fault_of_ours_is_named_and_traced_only_when_asked(call, monkeypatch):
    def faulty(*_: object) -> None:
        raise ZeroDivisionError("a number by nothing")

    monkeypatch.setattr("friendshore.world.show.show", faulty)
    status, out, err = call("world", "show", "cobalt")
    assert (status, out) == (1, "")
    assert "A fault of ours, not of your input: ZeroDivisionError: a number by nothing (test_cli.py:" in err
    assert "friendshore --debug world show cobalt" in err
    assert "Traceback" not in err
    assert "Traceback" in call("--debug", "world", "show", "cobalt")[2]
    monkeypatch.setenv(cli.DEBUG, "1")
    assert "Traceback" in call("world", "show", "cobalt")[2]


def test_a_terminal_without_thin_spaces_gets_plain_ones(capfd, monkeypatch):
    import io
    import sys

    held = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(held, encoding="ascii"))
    tell.say("12\u202f340 t, σ 0.50→0.98")
    assert held.getvalue() == b"12 340 t, sigma 0.50>0.98\n"
