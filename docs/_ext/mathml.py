"""Formulas as MathML, which browsers draw themselves: no script to load, nothing from outside, and they can be copied."""

from __future__ import annotations

from docutils import nodes
from docutils.utils.math import latex2mathml
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.writers.html5 import HTML5Translator


def inline(self: HTML5Translator, node: nodes.math) -> None:
    self.body.append(converted(node, as_block=False))
    raise nodes.SkipNode


def block(self: HTML5Translator, node: nodes.math_block) -> None:
    number = f'<span class="eqno">({node["number"]})</span>' if node.get("number") else ""
    self.body.append(f'<div class="math"{identity(node)}>{number}{converted(node, as_block=True)}</div>')
    raise nodes.SkipNode


def identity(node: nodes.Element) -> str:
    return f' id="{node["ids"][0]}"' if node.get("ids") else ""


def converted(node: nodes.Element, *, as_block: bool) -> str:
    text = node.astext()
    if as_block and "\\\\" in text and "\\begin" not in text:
        text = f"\\begin{{aligned}}{text}\\end{{aligned}}"
    try:
        return str(latex2mathml.tex2mathml(text, as_block=as_block))
    except Exception as wrong:  # noqa: BLE001 - docutils raises its own MathError, IndexError and ValueError alike
        logging.getLogger(__name__).warning("formula not understood: %s: %s", text, wrong, location=node)
        return f"<code>{text}</code>"


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_html_math_renderer("mathml", (inline, None), (block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
