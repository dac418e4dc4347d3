"""Nothing takes a second to say hello: what a start loads, and how soon every command speaks."""

from __future__ import annotations

import subprocess
import sys

import bench_start
import pytest

MARGIN = 3.0  # a loaded machine may take so many times as long

LOADS_NOTHING = ("polars", "numpy", "scipy", "pydantic", "clarabel", "yaml", "rich")


def modules(code: str) -> set[str]:
    """Modules that a fresh interpreter has loaded after running `code`."""
    run = [sys.executable, "-c", f"{code}\nimport sys; print(*sys.modules, file=sys.__stderr__)"]
    return set(subprocess.run(run, capture_output=True, text=True, check=True).stderr.split())


def leaving(*words: str) -> str:
    """Python that runs a command and goes on after it."""
    return f"from friendshore.cli import main\ntry:\n    main({list(words)!r})\nexcept SystemExit:\n    pass"


def test_the_public_face_loads_no_library():
    assert not {name.split(".")[0] for name in modules("import friendshore")} & {*LOADS_NOTHING, "typer"}


@pytest.mark.parametrize("words", [("--version",), ("--help",), ("world", "--help"), ("run", "--help")])
def test_help_and_version_load_no_table_and_no_solver(words):
    assert not {name.split(".")[0] for name in modules(leaving(*words))} & {"polars", "scipy", "clarabel"}


@pytest.mark.parametrize(
    "words", [("world", "goods"), ("world", "show", "cobalt"), ("world", "check"), ("world", "missing")]
)
def test_looking_at_the_world_loads_no_solver(words):
    assert not {name.split(".")[0] for name in modules(leaving(*words))} & {"scipy", "clarabel"}


def test_import_costs_three_tenths_of_a_second_at_most():
    assert min(bench_start.import_s() for _ in range(3)) <= bench_start.IMPORT_S


@pytest.mark.parametrize("words", bench_start.COMMANDS, ids=lambda words: " ".join(words[:2]))
def test_every_command_speaks_soon(words):
    first, last = min(bench_start.first_and_last(words) for _ in range(2))
    assert first <= last
    assert first <= MARGIN * bench_start.FIRST_OUTPUT_S
