"""What somebody types on the first day: wrong names, files of the wrong kind, a full disk, an interruption, two drafts alike."""

from __future__ import annotations

import errno
import json
import sys
from pathlib import Path

import pytest

from friendshore import cli
from friendshore.errors import NotWritten, nearest
from friendshore.report.tables import write_whole
from friendshore.world.imports.places import country_hint
from friendshore.world.tables import World

DRAFT = """
id: draft
title: A floor on gallium
in_force: 2027-01-01
parties: [USA, EUN, JPN]
floors:
  - good: gallium.metal
    reference_price: {price} USD per kg of gallium
    levy_on: landed_duty_paid
    illustrative: true
    rule: a level for a test
"""
OWN = """
source: Our own survey
year: 2025
figures:
  - {figure: price, good: gallium.metal, country: CHN, value: 210 USD per kg of gallium, reliability: B}
"""


# -- names ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("UK", "did you mean 'GBR'?"),
        ("EU", "did you mean 'EUN'?"),
        ("ROM", "did you mean 'ROU'?"),
        ("GER", "did you mean 'DEU'?"),
        ("it", "did you mean 'ITA'?"),
        ("Italia", "did you mean 'ITA'?"),
        ("Germnay", "did you mean 'DEU'?"),
        ("Turkey", "did you mean 'TUR'?"),
        ("XK", "it is counted in 'XEU', Rest of Europe"),
        ("Liechtenstein", "it is counted in 'XEU', Rest of Europe"),
        ("CHI", ""),  # Chile, China or Switzerland
        ("Atlantis", ""),
    ],
)
def test_the_country_that_was_meant_is_named_and_never_another(word: str, said: str) -> None:
    world = World.load()
    assert country_hint(word, {*world.countries["code"], *world.territories["code"]}) == said


def test_the_first_part_of_one_id_alone_means_that_one() -> None:
    goods = ["ndpr.oxide", "cobalt.metal", "cobalt.hydroxide", "indium.metal"]
    assert nearest("NdPr", goods) == "ndpr.oxide"
    assert nearest("ndp.oxide", goods) == "ndpr.oxide"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("world", "dependence", "ndfeb.magnet", "--country", "UK"), "did you mean 'GBR'?"),
        (("world", "dependence", "ndfeb.magnet", "--country", "LIE"), "'LIE' buys none of it"),
        (("world", "dependence", "ndfeb"), "did you mean 'ndfeb.magnet'?"),
        (("world", "show", "neodymium"), "did you mean 'ndpr.oxide' or 'ndfeb.magnet'?"),
        (("screen", "one-floor", "--party", "UK"), "did you mean 'GBR'?"),
        (("why", "one-floor", "gain.UK"), "did you mean 'gain.GBR'?"),
        (("why", "one-floor", "gain"), "write whose: gain.ITA"),
        (("clear", "one-floor"), "friendshore run one-floor"),
        (("compare", "one-floor", "one-floor"), "'one-floor' is named twice"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_wrong_name_is_refused_with_the_right_one(call, words, said):
    status, out, err = call(*words)
    assert (status, out) == (2, "")
    assert said in err


@pytest.mark.parametrize("wrong", ["UK", "ROM"])
def test_a_party_by_another_name_is_refused_at_its_place(call, tmp_path, wrong):
    file = tmp_path / "draft.yaml"
    file.write_text(DRAFT.format(price=500).replace("JPN", wrong), encoding="utf-8")
    status, _, err = call("agreement", "check", str(file))
    assert status == 2
    assert f"draft.yaml:5:{DRAFT.splitlines()[4].index('JPN') + 1}" in err
    assert f"did you mean '{ {'UK': 'GBR', 'ROM': 'ROU'}[wrong] }'?" in err


def test_a_customs_union_depends_as_its_members_do_together(call):
    whole = json.loads(call("world", "dependence", "ndfeb.magnet", "--country", "EU", "--json")[1])
    every = json.loads(call("world", "dependence", "ndfeb.magnet", "--json")[1])
    world = World.load()
    members = set(world.countries.filter(world.countries["territory"] == "EUN")["code"])
    used = {row["country"]: row["used_t"] for row in every if row["country"] in members}
    assert {row["country"] for row in whole} == {"EUN"}
    assert whole[0]["used_t"] == pytest.approx(sum(used.values()), rel=1e-12)
    for stage in ("ore", "refined", "product"):
        assert sum(row["share"] for row in whole if row["stage"] == stage) == pytest.approx(1.0, abs=1e-9)
    ours = sum(row["share"] for row in whole if (row["stage"], row["origin"]) == ("product", "CHN"))
    theirs = sum(
        row["used_t"] * row["share"]
        for row in every
        if (row["stage"], row["origin"]) == ("product", "CHN") and row["country"] in members
    )
    assert ours * whole[0]["used_t"] == pytest.approx(theirs, rel=1e-9)


# -- files of the wrong kind ----------------------------------------------------------------------------------------------


def test_an_agreement_given_to_clear_is_told_which_command_runs_it(call, tmp_path):
    file = tmp_path / "my draft.yaml"
    file.write_text(DRAFT.format(price=500), encoding="utf-8")
    status, out, err = call("clear", str(file))
    assert (status, out) == (2, "")
    assert f"'{file}'" in err  # whole, to be copied
    assert f"friendshore run '{file}'" in " ".join(err.split())
    file.write_text("7", encoding="utf-8")
    assert call("clear", str(file))[0] == 2


def test_a_scenario_is_checked_on_the_world_that_it_names(call, tmp_path):
    file = tmp_path / "scenario.yaml"
    file.write_text("scenario: mine\nworld: nowhere\nagreement: one-floor\n", encoding="utf-8")
    status, _, err = call("agreement", "check", str(file))
    assert status == 2
    assert "'nowhere'" in err


def test_two_drafts_with_one_id_are_set_side_by_side_under_their_files(call, tmp_path):
    files = [tmp_path / "march.yaml", tmp_path / "april.yaml"]
    for file, price in zip(files, (450, 600), strict=True):
        file.write_text(DRAFT.format(price=price), encoding="utf-8")
    status, out, err = call("compare", *map(str, files), "--no-instruments", "--json")
    assert status == 0, err
    found = json.loads(out)
    assert [each["id"] for each in found["agreements"]] == list(map(str, files))
    assert list(found["legal"]) == list(map(str, files))


# -- figures of one's own -------------------------------------------------------------------------------------------------


def test_own_figures_give_the_same_number_by_every_command(call, tmp_path):
    own = tmp_path / "own.yaml"
    own.write_text(OWN, encoding="utf-8")
    how = ("--parameters", str(own))
    run = call("run", "one-floor", "--no-stability", *how, "--json")[1]
    (plain,) = (row for row in json.loads(run)["study"]["reactions"] if row["reaction"] == "none")
    why = json.loads(call("why", "one-floor", "gain_of_parties", *how, "--json")[1])
    assert why["value"] == pytest.approx(plain["parties_usd"], abs=1e-3)
    plainly = json.loads(call("why", "one-floor", "gain_of_parties", "--json")[1])
    assert abs(plainly["value"] - why["value"]) > 1e3
    text = "".join(call("run", "one-floor", "--no-stability", *how)[1].split())  # a long path breaks the line
    assert f"friendshorescreenone-floor--as-of2027-01-01--horizon5--parameters{own}" in text


def test_lists_hold_in_json_what_they_show_as_text(call):
    for command in ("goods", "countries"):
        heads = call("world", command)[1].splitlines()[0].split()
        rows = json.loads(call("world", command, "--json")[1])
        assert all(row.keys() >= set(heads) for row in rows)
    assert all(row["unit"].startswith("t ") for row in json.loads(call("world", "goods", "--json")[1]))


# -- what is not finished -------------------------------------------------------------------------------------------------


def full(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_file_that_does_not_fit_leaves_the_earlier_one(tmp_path, monkeypatch):
    file = tmp_path / "note.html"
    write_whole(file, b"before")
    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(NotWritten, match="no space left on device"):
        write_whole(file, b"after")
    assert file.read_text() == "before"
    assert [path.name for path in tmp_path.iterdir()] == ["note.html"]


def test_a_note_that_cannot_be_written_costs_the_note_and_not_the_findings(call, tmp_path, monkeypatch):
    monkeypatch.setattr(Path, "replace", full)
    status, out, err = call("screen", "one-floor", "--note", str(tmp_path / "note.html"))
    assert status == 3
    assert "AT A GLANCE" in out
    assert "could not be written: no space left on device" in err
    assert "nothing was run" not in err
    assert list(tmp_path.iterdir()) == []


def test_tables_that_do_not_fit_are_no_fault_of_ours(call, tmp_path, monkeypatch):
    monkeypatch.setattr(Path, "write_bytes", full)
    network = Path(__file__).parent.parent / "examples" / "networks" / "two-country-tariff.yaml"
    status, out, err = call("clear", str(network), "--out", str(tmp_path / "out"))
    assert status == 3
    assert "PRICES" in out
    assert "no space left on device" in err
    assert "fault of ours" not in err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_standard_output_that_is_full_is_no_fault_of_ours(monkeypatch, capsys):
    with open("/dev/full", "w", encoding="utf-8") as stream:  # noqa: PTH123 - a device, as a shell opens it
        monkeypatch.setattr(sys, "stdout", stream)
        with pytest.raises(SystemExit) as left:
            cli.main(["agreement", "list"])
        monkeypatch.undo()
    assert left.value.code == 3
    assert "standard output cannot be written: no space left on device" in capsys.readouterr().err


def test_an_interruption_is_said_and_has_a_status_of_its_own(call, monkeypatch, tmp_path):
    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("friendshore.study.study", stopped)
    status, out, err = call("run", "one-floor", "--out", str(tmp_path / "out"))
    assert (status, out) == (130, "")
    assert err.endswith("friendshore: interrupted\n")
    assert list(tmp_path.iterdir()) == []


def test_help_has_a_short_form(call):
    assert call("-h") == call("--help")
    assert call("world", "show", "-h")[0] == 0
