"""Refuses pages that would load something from outside: the documentation is read where there is no network."""

from __future__ import annotations

import re
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.util import logging

LOADS = re.compile(r"""<(?:script|img|iframe|link|source)\b[^>]*?\b(?:src|href)\s*=\s*["'](?:https?:)?//[^"']+""")
IMPORTS = re.compile(r"""(?:@import|url\()\s*["']?(?:https?:)?//[^"')]+""")


def check(app: Sphinx, failed: Exception | None) -> None:
    if failed is not None or app.builder.format != "html":
        return
    for kind, pattern in (("*.html", LOADS), ("*.css", IMPORTS)):
        for page in Path(app.outdir).rglob(kind):
            for found in pattern.findall(page.read_text(encoding="utf-8")):
                logging.getLogger(__name__).warning("%s loads from outside: %s", page.name, found)


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("build-finished", check)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
