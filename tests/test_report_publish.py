"""A report appears whole or not at all, with the same bytes each time, and says what it could not do."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import sys
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from report_cases import nothing, small, whole

import friendshore.report.figures
import friendshore.study
from friendshore import cli
from friendshore.errors import InputRefused
from friendshore.report import publish
from friendshore.report.publish import check_installed, check_same, write_report
from friendshore.report.tables import seal, staged, write
from friendshore.report.words import Words

FIGURES = friendshore.report.figures.figures
DRAWN: dict[tuple[str, str | None], list[friendshore.report.figures.Figure]] = {}
FILES = {"brief.pdf", "memo.docx", "workbook.xlsx", "report.html"}


def into(folder: Path, case=None, lang: str = "en", view: str | None = None) -> publish.Published:
    world, deal, found = case or small()
    folder.mkdir()
    return write_report(
        folder, found, Words.of(lang, world), view, world=world, deal=deal, command="friendshore report"
    )


def held(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture
def call(capsys, monkeypatch):
    """The command, whose study is the one that the tests share."""

    def run(*words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as left:
            cli.main(["report", *words])
        printed = capsys.readouterr()
        return int(left.value.code or 0), printed.out, printed.err

    monkeypatch.setattr(friendshore.study, "study", lambda *_, **__: whole()[2])
    monkeypatch.setattr(friendshore.report.figures, "figures", drawn_once)
    return run


def drawn_once(found, words, view, **more):
    """The figures of a study, whose drawings are the same every time: see the first test."""
    if (words.lang, view) not in DRAWN:
        DRAWN[words.lang, view] = FIGURES(found, words, view, **more)
    return DRAWN[words.lang, view]


def test_the_same_inputs_give_the_same_bytes(tmp_path):
    into(tmp_path / "a", lang="it", view="JPN")
    into(tmp_path / "b", lang="it", view="JPN")
    first, second = held(tmp_path / "a"), held(tmp_path / "b")
    assert first.keys() == second.keys()
    assert not [name for name in first if first[name] != second[name]]
    assert first.keys() >= FILES


def test_every_table_stands_as_csv_and_as_parquet_and_every_figure_as_svg_and_png(tmp_path):
    _, _, found = small()
    published = into(tmp_path / "r")
    names = held(tmp_path / "r").keys()
    tables = {*found.TABLES, "findings", *(f"{run}.{name}" for run, o in found.outcomes.items() for name in o.TABLES)}
    assert {f"tables/{name}.{kind}" for name in tables for kind in ("csv", "parquet")} <= names
    figures = {Path(name).stem for name in names if name.startswith("figures/")}
    assert len(figures) >= 3
    assert {f"figures/{name}.{kind}" for name in figures for kind in ("svg", "png")} <= names
    assert {f"tables/figure.{name}.csv" for name in figures} <= names
    for name, rows in published.rows.items():
        assert pl.read_parquet(tmp_path / "r" / "tables" / f"{name}.parquet").height == rows


@pytest.mark.parametrize("lang", ["de", "ja"])
def test_a_report_in_every_language_of_an_agreement_that_does_nothing(tmp_path, lang):
    into(tmp_path / "r", nothing(), lang, "ITA")
    assert held(tmp_path / "r").keys() >= FILES


def test_a_study_of_another_world_or_agreement_is_refused(tmp_path):
    world, deal, found = small()
    check_same(found, world, deal)
    with pytest.raises(InputRefused, match="the outcome is of 'base-2023 0.9'") as refused:
        check_same(replace(found, world_name="base-2023 0.9", deal_id="other"), world, deal)
    assert len(refused.value.problems) == 2
    (tmp_path / "r").mkdir()
    with pytest.raises(InputRefused, match="run it again"):
        write_report(tmp_path / "r", replace(found, world_name="x"), Words.of("en"), world=world, deal=deal)
    assert not held(tmp_path / "r")


def test_what_is_not_installed_is_named_with_the_command(monkeypatch, call, tmp_path):
    real = publish.find_spec
    monkeypatch.setattr(publish, "find_spec", lambda name: None if name in ("typst", "docx") else real(name))
    with pytest.raises(InputRefused, match="a report needs typst, python-docx"):
        check_installed()
    status, out, err = call("one-floor", "--out", str(tmp_path / "r"))
    assert (status, out) == (2, "")
    assert "python -m pip install 'friendshore[report]'" in err
    assert not (tmp_path / "r").exists()


def test_the_manifest_names_every_file_with_its_hash_and_the_command(call, tmp_path):
    place = tmp_path / "r"
    status, out, _ = call("one-floor", "--lang", "it", "--view", "ITA", "--no-stability", "--out", str(place))
    assert status == 0
    assert "Italia" in out
    assert str(place) in out
    manifest = json.loads((place / "manifest.json").read_text(encoding="utf-8"))
    files = held(place)
    files.pop("manifest.json")
    assert {name: said["sha256"] for name, said in manifest["files"].items()} == files
    assert manifest["command"] == "friendshore report one-floor --lang it --view ITA --no-stability --out r"
    assert manifest["digests"].keys() == {"agreement", "scenario", "world", "result"}
    assert manifest["files"]["tables/floors.csv"]["rows"] == whole()[2].floors.height
    assert manifest["command"] in (place / "report.html").read_text(encoding="utf-8")
    assert not list(tmp_path.glob(".r.*"))

    (place / "tables" / "mine.txt").write_text("not yours")
    status, _, err = call("one-floor", "--out", str(place))
    assert status == 2
    assert "tables/mine.txt" in err
    (place / "tables" / "mine.txt").unlink()
    status, out, _ = call("one-floor", "--json", "--out", str(place))
    assert status == 0
    answers = json.loads(out)["reports"]["one-floor"]["answers"]
    assert len(answers) == 6
    assert json.loads((place / "manifest.json").read_text(encoding="utf-8"))["language"] == "en"


def test_several_agreements_have_a_folder_each(call, tmp_path):
    status, _, _ = call("one-floor", "one-floor", "--out", str(tmp_path / "r"))
    assert status == 0
    manifest = json.loads((tmp_path / "r" / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["agreements"].keys() == {"one-floor", "one-floor-2"}
    assert {f"{name}/brief.pdf" for name in manifest["agreements"]} <= manifest["files"].keys()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--lang", "pt"], "no language is called 'pt'"),
        (["--view", "ITL"], "did you mean 'ITA'?"),
        (["--horizon", "7"], "no horizon"),
    ],
)
def test_bad_words_are_refused_before_anything_is_run(call, tmp_path, monkeypatch, words, said):
    monkeypatch.setattr(friendshore.study, "study", lambda *_, **__: pytest.fail("it was run"))
    status, out, err = call("one-floor", *words, "--out", str(tmp_path / "r"))
    assert (status, out) == (2, "")
    assert said in err
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_is_refused_before_anything_is_run(call, tmp_path, monkeypatch):
    monkeypatch.setattr(friendshore.study, "study", lambda *_, **__: pytest.fail("it was run"))
    (tmp_path / "file").write_text("")
    for place, said in (
        (tmp_path / "file" / "r", "name a folder that you may write to"),
        (tmp_path / "file", "there is a file of this name"),
    ):
        status, _, err = call("one-floor", "--out", str(place))
        assert status == 2
        assert said in err
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("")
    status, _, err = call("one-floor", "--out", str(tmp_path / "full"))
    assert status == 2
    assert "mine.txt" in err


@pytest.mark.parametrize("name", ["floors.parquet", "manifest.json"])
def test_a_disk_that_is_full_leaves_no_half_report(call, tmp_path, monkeypatch, name):
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    write, text, parquet = Path.write_bytes, Path.write_text, pl.DataFrame.write_parquet

    def failing(real):
        def run(self, *words, **more):
            if name in (
                getattr(self, "name", ""),
                Path(str(words[0])).name if words and isinstance(words[0], Path) else "",
            ):
                raise full
            return real(self, *words, **more)

        return run

    monkeypatch.setattr(Path, "write_bytes", failing(write))
    monkeypatch.setattr(Path, "write_text", failing(text))
    monkeypatch.setattr(pl.DataFrame, "write_parquet", failing(parquet))
    status, out, err = call("one-floor", "--out", str(tmp_path / "r"))
    assert status == 3
    assert out == ""
    assert "the report could not be written" in err
    assert "no space left on device" in err
    assert not list(tmp_path.iterdir())


def test_a_report_that_fails_leaves_the_earlier_one_as_it_was(call, tmp_path, monkeypatch):
    place = tmp_path / "r"
    assert call("one-floor", "--out", str(place))[0] == 0
    before = held(place)
    monkeypatch.setattr(publish, "document", None)
    import friendshore.report.page

    def broken(*_, **__):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(friendshore.report.page, "write_page", broken)
    assert call("one-floor", "--lang", "it", "--out", str(place))[0] == 3
    assert held(place) == before


def test_folders_made_for_a_report_that_fails_are_gone_with_it(tmp_path):
    with pytest.raises(KeyboardInterrupt), staged(tmp_path / "new" / "deep" / "out"):
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []
    with staged(tmp_path / "new" / "deep" / "out") as stage:
        seal(stage, {}, {})
    assert (tmp_path / "new" / "deep" / "out" / "manifest.json").is_file()


def test_tables_of_one_name_in_two_folders_keep_their_own_rows(tmp_path):
    frames = {"a": pl.DataFrame({"x": [1]}), "b": pl.DataFrame({"x": [1, 2, 3]})}
    with staged(tmp_path / "out") as stage:
        for name, frame in frames.items():
            (stage.path / name).mkdir()
            write(frame, stage.path / name, "levies")
        seal(stage, {}, {f"{name}/levies": frame.height for name, frame in frames.items()})
    files = json.loads((tmp_path / "out" / "manifest.json").read_text(encoding="utf-8"))["files"]
    assert {name: held["rows"] for name, held in files.items() if name.endswith(".csv")} == {
        "a/levies.csv": 1,
        "b/levies.csv": 3,
    }


def test_a_stage_is_gone_when_its_block_ends(tmp_path):
    with staged(tmp_path / "r") as stage:
        (stage.path / "half").write_text("x")
    assert not list(tmp_path.iterdir())


def test_libraries_of_the_extra_are_not_loaded_until_a_report_is_made():
    import subprocess

    code = "import friendshore.cli, friendshore.report.publish, friendshore.report.words, sys; print([m for m in ('typst', 'docx', 'xlsxwriter', 'matplotlib', 'plotly') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
