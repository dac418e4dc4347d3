"""How the documentation is made: Markdown in, pages out that need nothing from outside."""

from __future__ import annotations

import sys
from importlib.metadata import version as installed
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "Friendshore"
author = "The Friendshore authors"
copyright = "The Friendshore authors, Apache License 2.0"  # noqa: A001 - the name that Sphinx reads
release = version = installed("friendshore")

extensions = ["myst_parser", "mathml", "cited", "reference", "offline"]
myst_enable_extensions = ["dollarmath", "deflist", "colon_fence", "fieldlist"]
myst_heading_anchors = 3
exclude_patterns = ["_build", "_ext", "_static"]
nitpicky = True
html_theme = "alabaster"
html_static_path = ["_static"]
html_css_files = ["pages.css"]
html_math_renderer = "mathml"
html_title = "Friendshore"
html_show_sourcelink = False
html_theme_options = {
    "description": "What a critical-minerals trade agreement does, to whom, and whether it may.",
    "page_width": "1100px",
    "fixed_sidebar": True,
    "font_family": "Georgia, serif",
}
