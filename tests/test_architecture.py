"""What must hold of the code as a whole: which way imports point, what an import costs, what the wheel carries."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

import friendshore

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "friendshore"
MODULES = sorted(PACKAGE.rglob("*.py"))
HEAVY = ("numpy", "scipy", "polars", "pydantic", "yaml", "typer", "rich", "clarabel")


def python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_arrows_point_down() -> None:
    lint = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([lint, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_import_takes_at_most_three_tenths_of_a_second() -> None:
    clock = "import time; start = time.perf_counter(); import friendshore; print(time.perf_counter() - start)"
    assert min(float(python(clock)) for _ in range(3)) <= 0.3


def test_command_line_answers_within_a_second() -> None:
    program = Path(sys.executable).with_name("friendshore")

    def seconds() -> float:
        began = time.perf_counter()
        subprocess.run([program, "--help"], capture_output=True, check=True)
        return time.perf_counter() - began

    assert min(seconds() for _ in range(3)) <= 1.0


def test_import_loads_no_heavy_library() -> None:
    loaded = python("import sys, friendshore; print(*sys.modules)").split()
    assert not set(HEAVY) & set(loaded)


def test_every_public_name_leads_to_its_module() -> None:
    for name in (*friendshore.__all__, "__version__"):
        assert getattr(friendshore, name) is not None
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = friendshore.no_such_name


def test_public_names_are_the_same_to_readers_editors_and_python() -> None:
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    for_editors = {
        a.name: node.module for node in imports if str(node.module).startswith("friendshore.") for a in node.names
    }
    assert for_editors == friendshore._HOME
    assert sorted(for_editors) == sorted(friendshore.__all__)


def test_no_module_goes_through_the_public_face() -> None:
    public = set(friendshore.__all__)
    through = []
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.ImportFrom)
                and node.module == "friendshore"
                and public & {a.name for a in node.names}
            ):
                through.append(f"{path.relative_to(ROOT)}:{node.lineno}")
            if isinstance(node, ast.Import) and any(a.name == "friendshore" for a in node.names):
                through.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert through == []


def test_every_module_has_a_noun_for_a_name() -> None:
    drawers = {"utils", "util", "common", "helpers", "helper", "misc"}
    assert [str(p.relative_to(ROOT)) for p in MODULES if {p.stem, p.parent.name} & drawers] == []


def test_every_folder_says_what_it_is_for() -> None:
    for folder in sorted({p.parent for p in MODULES}):
        opening = ast.get_docstring(ast.parse((folder / "__init__.py").read_text(encoding="utf-8")))
        assert opening, f"{folder.relative_to(ROOT)}/__init__.py opens with no sentence"


# One machine's folders, an index to install from, and notes to oneself have no place in what everybody reads.
UNFIT = re.compile(
    r"(?<![\w.:/])/(?:home|root|mnt|opt|srv|work|workspace|Users)/\w"
    r"|(?i:--(?:extra-)?index-url)"
    r"|\b(?:TO" + "DO|FIX" + "ME|X" + r"XX)\b"
    r"|^(?:<{7}|>{7}) "
)
READ = ("src", "tests", "docs", "examples", "benchmarks", "requirements", ".ci")


def test_what_is_written_suits_every_reader_and_machine() -> None:
    found = []
    files = [p for p in ROOT.iterdir() if p.is_file()] + [
        p for top in READ for p in (ROOT / top).rglob("*") if p.is_file()
    ]
    for path in files:
        if "_build" in path.parts or "__pycache__" in path.parts or path.suffix in {".pyc", ".png", ".parquet"}:
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), start=1):
            if UNFIT.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}")
    assert found == []


def test_wheel_carries_every_table_preset_and_schema(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, capture_output=True, check=True)
    (wheel,) = tmp_path.glob("friendshore-*.whl")
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("friendshore/")}
    here = {p for p in PACKAGE.rglob("*") if p.is_file() and "__pycache__" not in p.parts}
    assert packed == {p.relative_to(PACKAGE.parent).as_posix() for p in here}
    assert any(name.endswith(".csv") for name in packed)
