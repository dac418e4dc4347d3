"""Links from a page to the code and the tests that it speaks of.

    {function}`friendshore.market.sourcing.source`     {test}`tests/test_market.py::test_tonnes_are_conserved`

A name that is not there is a warning, hence a failed build. Each file cited becomes a page of its own.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxRole

ROOT = Path(__file__).resolve().parent.parent.parent


@cache
def lines(path: Path) -> dict[str, int]:
    """First line of every function, class, method and constant of a file."""
    found: dict[str, int] = {}

    def walk(body: list[ast.stmt], prefix: str) -> None:
        for node in body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                found[prefix + node.name] = node.lineno
                if isinstance(node, ast.ClassDef):
                    walk(node.body, f"{prefix}{node.name}.")
            targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
            for target in targets:
                if isinstance(target, ast.Name):
                    found[prefix + target.id] = node.lineno

    walk(ast.parse(path.read_text(encoding="utf-8")).body, "")
    return found


def locate(target: str) -> tuple[Path, int] | None:
    if "::" in target:
        file, _, name = target.partition("::")
        path = ROOT / file
        return (path, line) if path.is_file() and (line := lines(path).get(name)) else None
    parts = target.split(".")
    for cut in range(len(parts), 0, -1):
        stem = ROOT.joinpath("src", *parts[:cut])
        for path in (stem.with_suffix(".py"), stem / "__init__.py"):
            if path.is_file():
                line = 1 if cut == len(parts) else lines(path).get(".".join(parts[cut:]))
                return (path, line) if line else None
    return None


def page_of(path: Path) -> str:
    return "_code/" + path.relative_to(ROOT).with_suffix("").as_posix().removeprefix("src/")


class Cited(SphinxRole):
    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        short = self.text.startswith("~")
        target = self.text.removeprefix("~")
        text = target.rpartition(".")[2].rpartition("::")[2] if short else target
        there = locate(target)
        shown = nodes.literal(text, text)
        if there is None:
            logging.getLogger(__name__).warning("nothing is called %s", target, location=self.get_location())
            return [shown], []
        path, line = there
        if not hasattr(self.env, "cited_files"):
            self.env.cited_files = set()
        self.env.cited_files.add(path.relative_to(ROOT).as_posix())
        depth = "../" * self.env.docname.count("/")
        link = nodes.reference("", "", shown, refuri=f"{depth}{page_of(path)}.html#line-{line}", internal=True)
        return [link], []


def pages(app: Sphinx) -> Iterator[tuple[str, dict[str, Any], str]]:
    for file in sorted(getattr(app.env, "cited_files", ())):
        text = (ROOT / file).read_text(encoding="utf-8")
        body = app.builder.highlighter.highlight_block(text, "python", lineanchors="line", linenos=False)
        yield page_of(ROOT / file), {"title": file, "body": f"<h1>{file}</h1>{body}"}, "page.html"


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_role("function", Cited())
    app.add_role("test", Cited())
    app.connect("html-collect-pages", pages)
    return {"parallel_read_safe": False, "parallel_write_safe": True}
