"""What is a figure? One finding as its title, a drawing for paper, a drawing for the screen, and the table behind both.

Paper is Matplotlib, the screen a Plotly description that the page draws; neither is loaded before it is asked for.
"""

from __future__ import annotations

import io
import re
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from friendshore.errors import InputRefused
from friendshore.report.figures.palette import INK, PAPER, RULE, SOFT

if TYPE_CHECKING:
    import polars as pl
    from matplotlib.figure import Figure as Canvas

WIDTH = 9.0  # inches
DOTS = 144  # to the inch, of a PNG
LATIN = "DejaVu Sans"
WIDE = "ja"  # languages whose letters are as wide as they are high, and break anywhere
EM = 0.56  # mean width of a letter over its height; bold ones are a tenth wider


@dataclass(frozen=True)
class Figure:
    """A figure.

    Parameters
    ----------
    name : stem of its files
    title : the finding, a sentence
    subtitle : what is shown, with units
    notes : what must be said beside it: uncertainty, estimates, what is left out
    caption : source, world and outcome
    table : what is drawn, all of it;  columns : heading of each column, with its unit
    spec : data and layout of the drawing for the screen
    paint : draws on a blank canvas;  height : inches that the drawing takes
    mineral : where rows and traces belong to a mineral each: the one that is shown first
    """

    name: str
    title: str
    subtitle: str
    caption: str
    table: pl.DataFrame
    columns: Mapping[str, str]
    spec: Mapping[str, Any]
    paint: Callable[[Canvas], None]
    height: float = 4.0
    lang: str = "en"
    notes: tuple[str, ...] = ()
    mineral: str = ""
    equations: tuple[str, ...] = field(default=())  # keys of `page.equation.<key>`

    @cached_property
    def around(self) -> tuple[list[str], list[str], list[str], float, float]:
        """Lines of title, subtitle and foot; inches that they take above the drawing and below it."""
        top = _wrapped(self.title, 13.0, self.lang, bold=True)
        under = _wrapped(self.subtitle, 9.0, self.lang)
        foot = _wrapped(" ".join([*self.notes, self.caption]), 7.0, self.lang)
        return top, under, foot, 0.12 + 0.25 * len(top) + 0.17 * len(under), 0.08 + 0.135 * len(foot)

    @cached_property
    def static(self) -> Canvas:
        """The drawing for paper, with its title and caption, laid out once."""
        from matplotlib.figure import Figure as Canvas

        top, under, foot, above, below = self.around
        tall = self.height + above + below
        canvas = Canvas(figsize=(WIDTH, tall), facecolor=PAPER)
        canvas.set_layout_engine("constrained", rect=(0.005, below / tall, 0.99, self.height / tall))
        self.paint(canvas)
        canvas.text(0.012, 1.0 - 0.1 / tall, "\n".join(top), size=13, weight=_weight(self.lang), color=INK, va="top")
        lower = 1.0 - (0.12 + 0.25 * len(top)) / tall
        canvas.text(0.012, lower, "\n".join(under), size=9, color=SOFT, va="top")
        canvas.text(0.012, 0.05 / tall, "\n".join(foot), size=7, color=SOFT, va="bottom", linespacing=1.25)
        _laid_out(canvas)
        canvas.set_layout_engine(None)  # laid out: saving draws it once, not twice
        return canvas

    def svg(self) -> bytes:
        """The drawing for paper as SVG: outlines of letters, so that no font is needed to read it."""
        return self._drawn("svg", metadata={"Title": self.title, "Date": None, "Creator": "Friendshore"})

    def png(self, dots: int = DOTS) -> bytes:
        """The drawing for paper as PNG, with so many dots to the inch."""
        return self._drawn("png", metadata={"Title": self.title, "Software": "Friendshore"}, dpi=dots)

    @cached_property
    def _kept(self) -> dict[tuple[str, int], bytes]:
        """What was drawn already: of a kind, with so many dots."""
        return {}

    def _drawn(self, kind: str, dpi: int = DOTS, **how: Any) -> bytes:
        import matplotlib as mpl

        if (kind, dpi) not in self._kept:
            held = io.BytesIO()
            if kind == "png":
                how["dpi"] = dpi
            with mpl.rc_context(style(self.lang)):  # type: ignore[arg-type]
                self.static.savefig(held, format=kind, **how)
            self._kept[kind, dpi] = _numbered(held.getvalue()) if kind == "svg" else held.getvalue()
        return self._kept[kind, dpi]


def style(lang: str) -> dict[str, Any]:
    """Matplotlib's settings for a language.

    Raises
    ------
    InputRefused   no font here has the letters of the language
    """
    return {
        "font.family": [LATIN, japanese()] if lang == WIDE else [LATIN],
        "font.size": 8.5, "text.color": INK, "axes.labelcolor": INK, "axes.edgecolor": RULE, "xtick.color": INK,
        "ytick.color": INK, "axes.spines.top": False, "axes.spines.right": False, "axes.titlesize": 9.5,
        "axes.titleweight": _weight(lang), "axes.titlelocation": "left", "axes.grid": False, "svg.fonttype": "path",
        "svg.hashsalt": "friendshore", "hatch.linewidth": 0.45, "hatch.color": "#ffffff", "figure.dpi": 100,
    }  # fmt: skip


def _weight(lang: str) -> str:
    """Of titles; the font with Japanese letters has one weight."""
    return "normal" if lang == WIDE else "bold"


def japanese() -> str:
    """The name of a font with Japanese letters, made known to Matplotlib.

    Raises
    ------
    InputRefused   there is none
    """
    from importlib.util import find_spec
    from pathlib import Path

    from matplotlib import font_manager

    known = {font.name for font in font_manager.fontManager.ttflist}
    for name in (
        "IPAexGothic",
        "Noto Sans CJK JP",
        "Noto Sans JP",
        "TakaoPGothic",
        "Hiragino Sans",
        "Yu Gothic",
        "MS Gothic",
    ):
        if name in known:
            return name
    found = find_spec("matplotlib_fontja")
    path = Path(found.origin).parent / "fonts" / "ipaexg.ttf" if found and found.origin else None
    if path is None or not path.is_file():
        hint = "pip install 'friendshore[report]' brings one"
        raise InputRefused.because("no-font", "no font here has Japanese letters", path="--lang ja", hint=hint)
    font_manager.fontManager.addfont(path)
    return "IPAexGothic"


def _wrapped(text: str, size: float, lang: str, *, bold: bool = False) -> list[str]:
    """Lines of a text that fill the width at a size in points."""
    room = int(WIDTH * 0.97 * 72.0 / size / (1.0 if lang == WIDE else EM * (1.13 if bold else 1.0)))
    if lang == WIDE:
        return [text[k : k + room] for k in range(0, len(text), room)]
    return textwrap.wrap(text, room, break_long_words=False, break_on_hyphens=False)


def _numbered(svg: bytes) -> bytes:
    """The drawing with its clips named in their order: Matplotlib names them after places, down to the rounding of a layout."""
    found = dict.fromkeys(re.findall(rb'<clipPath id="(p[0-9a-f]+)"', svg))
    for number, name in enumerate(found, 1):
        svg = svg.replace(name, b"clip%d" % number)
    return re.sub(rb' d="[^"]+"', _shorter, svg)


def _shorter(path: re.Match[bytes]) -> bytes:
    """A path with its coordinates to a hundredth of a point: more cannot be seen, and borders are long."""
    return re.sub(rb"(\.\d\d)\d+", rb"\1", path[0])


def _laid_out(canvas: Canvas) -> None:
    """Run the layout once, without the drawing that Matplotlib does around it."""
    engine = canvas.get_layout_engine()
    assert engine is not None, "a canvas without a layout"
    engine.execute(canvas)
