"""Nothing in the README or the docs is there to be believed: every example runs, and everything a user types has a page.

A `python` block is executed, page by page, one namespace for each page; with `>>>` its results are compared too. In a
`console` block each `$ friendshore ...` is run, and what is printed below it must come out again, line by line; `…` stands
for anything, alone on a line for any number of lines; `$ echo $?` shows an exit status that is not zero. A block with a
`:caption: deal.yaml` is a file that the commands after it on the page can read.
"""

from __future__ import annotations

import doctest
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import typer
from pydantic import BaseModel

from friendshore import cli, instruments
from friendshore.world import network_file

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(p for p in DOCS.rglob("*.md") if "_build" not in p.parts)]

FENCE = re.compile(r"^(`{3,}|:{3,})(\{code-block\} *)?(\w+)?[^\n`]*\n(.*?)^\1[ ]*$", re.MULTILINE | re.DOTALL)
CAPTION = re.compile(r"\A(?::\w[\w-]*:[^\n]*\n)*?:caption: *([^\n]+)\n(?::\w[\w-]*:[^\n]*\n)*\n?")
SHORT = {"make run": "friendshore run plurilateral-2026 --out out"}  # what the Makefile runs once all is installed


@dataclass(frozen=True)
class Block:
    language: str
    text: str
    line: int
    caption: str | None


def blocks(page: Path) -> list[Block]:
    found = []
    text = page.read_text(encoding="utf-8")
    for match in FENCE.finditer(text):
        body, caption = match[4], CAPTION.match(match[4])
        if caption:
            body = body[caption.end() :]
        line = text.count("\n", 0, match.start(4)) + 1
        found.append(Block(match[3] or "", body, line, caption[1].strip() if caption else None))
    return found


def ids(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_every_example_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    if (ROOT / "examples").is_dir():
        (tmp_path / "examples").symlink_to(ROOT / "examples")
    names: dict[str, object] = {"__name__": page.stem}
    for block in blocks(page):
        where = f"{ids(page)}:{block.line}"
        if block.caption:
            (tmp_path / block.caption).write_text(block.text, encoding="utf-8")
        elif block.language == "python" and ">>>" in block.text:
            check_prompt(block, where, names)
        elif block.language == "python":
            exec(compile(block.text, where, "exec"), names)  # noqa: S102 - our own page
        elif block.language == "console":
            check_console(block, where)


def check_prompt(block: Block, where: str, names: dict[str, object]) -> None:
    test = doctest.DocTestParser().get_doctest(block.text, names, where, where, block.line)
    said: list[str] = []
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    failed = doctest.DocTestRunner(optionflags=flags).run(test, out=said.append, clear_globs=False).failed
    assert not failed, "".join(said)
    names.update(test.globs)


def check_console(block: Block, where: str) -> None:
    steps: list[tuple[str, list[str]]] = []
    for line in block.text.splitlines():
        if line.startswith("$ "):
            steps.append((line[2:].strip(), []))
        elif steps:
            steps[-1][1].append(line)
    for place, (command, shown) in enumerate(steps):
        words = shlex.split(SHORT.get(command, command), comments=True)
        if not words or words[0] != "friendshore":
            continue  # `make test`, `cat deal.yaml`, `echo $?`: not ours to test
        following = steps[place + 1] if place + 1 < len(steps) else ("", [])
        expected = int(following[1][0]) if following[0] == "echo $?" else 0
        program = Path(sys.executable).with_name("friendshore")
        plain = {**os.environ, "COLUMNS": "120", "NO_COLOR": "1", "TERM": "dumb"}
        done = subprocess.run(
            [program, *words[1:]], capture_output=True, text=True, env=plain, check=False, stdin=subprocess.DEVNULL
        )
        assert done.returncode == expected, (
            f"{where}: {command} ended with {done.returncode}\n{done.stdout}{done.stderr}"
        )
        printed = done.stdout if expected == 0 else done.stdout + done.stderr
        assert matches(shown, printed.splitlines()), f"{where}: {command} prints something else:\n{printed}"


def matches(shown: list[str], printed: list[str]) -> bool:
    """Whether what a page shows is what was printed, `…` being anything; blank lines and spacing do not count."""
    patterns = []
    for line in (" ".join(each.split()) for each in shown):
        if line == "…":
            patterns.append(r"(?:[^\n]*\n)*?")
        elif line:
            patterns.append(re.escape(line).replace("…", "[^\n]*?") + r"\n")
    text = "".join(f"{' '.join(each.split())}\n" for each in printed if each.strip())
    return not patterns or re.fullmatch("".join(patterns), text) is not None


def test_matching_tells_a_different_output_from_a_shortened_one() -> None:
    printed = ["Prices", "", "  ndpr.oxide   CHN  61 000", "  ndpr.oxide   USA  110 000", "solved in 0.21 s"]
    assert matches(["Prices", "…", "solved in … s"], printed)
    assert matches(["Prices", "ndpr.oxide CHN 61 000", "…"], printed)
    assert not matches(["Prices", "ndpr.oxide CHN 62 000", "…"], printed)
    assert not matches(["Prices", "solved in … s"], printed)


def test_every_local_link_leads_somewhere() -> None:
    broken = []
    for page in PAGES:
        for target in re.findall(r"\]\((?!\w+:)([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            there = (page.parent / target).resolve()
            if not there.exists() and not there.with_suffix(".md").exists():
                broken.append(f"{ids(page)}: {target}")
    assert broken == []


def commands(group: Any, name: str = "friendshore") -> Iterator[str]:
    if not hasattr(group, "commands"):
        yield name
        return
    for word, command in group.commands.items():
        yield from commands(command, f"{name} {word}")


def test_every_command_has_a_place_in_the_docs() -> None:
    page = (DOCS / "commands.md").read_text(encoding="utf-8")
    printed = {f"friendshore {words}" for words in re.findall(r"^```\{command\} (.+)$", page, re.MULTILINE)}
    assert printed == set(commands(typer.main.get_command(cli.app)))


def test_every_kind_of_clause_has_a_place_in_the_docs() -> None:
    page = (DOCS / "clauses.md").read_text(encoding="utf-8")
    printed = set(re.findall(r"^```\{terms\} (\S+)$", page, re.MULTILINE))
    assert {f"{kind.__module__}.{kind.__qualname__}" for kind in instruments.KINDS.values()} <= printed
    assert [key for key in instruments.KINDS if f"`{key}`" not in page] == []


def test_every_key_of_a_network_file_has_a_place_in_the_docs() -> None:
    page = (DOCS / "network-file.md").read_text(encoding="utf-8")
    keys = {
        field.validation_alias if isinstance(field.validation_alias, str) else field.alias or name
        for each in vars(network_file).values()
        if isinstance(each, type) and issubclass(each, BaseModel) and each.__module__ == network_file.__name__
        for name, field in each.model_fields.items()
    }
    assert len(keys) > 20
    assert (
        sorted(key for key in keys if not re.search(rf"`{key}`|^[ -]*{key}:|[{{,] *{key}:", page, re.MULTILINE)) == []
    )
