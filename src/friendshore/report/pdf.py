"""The brief as two pages of PDF, set by Typst from `brief.typ`; the same brief gives the same bytes.

No font is taken from the machine: Latin letters come with Typst, everything else with the wheels of the `report` extra. A
letter that no font has is refused, never printed as an empty box.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from friendshore.errors import FriendshoreError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from friendshore.report.brief import Brief

    Figure = tuple[str, bytes, str]  # the answer it stands below, the drawing as SVG, what it says in words
    Placed = tuple[str, bytes, str, float]  # the same, and its height in mm; nought while it is open

PAGES = 2
READABLE = 0.6  # of its full size: a figure that is smaller cannot be read
INSTEAD = ("pays",)  # answers whose table a figure stands for
SIZES = (9.6, 9.2, 8.8, 8.4, 8.0, 7.6, 7.2)  # points, the largest that fits
TEMPLATE = Path(__file__).with_name("brief.typ")
FAMILIES = ("Libertinus Serif", "DejaVu Sans", "IPAexGothic")  # each stands in for letters that those before lack
JAPANESE = ("IPAexGothic", "DejaVu Sans")
BREAK = "answers"  # the question that opens the second page
INSTALL = "python -m pip install 'friendshore[report]'"


class NoFont(FriendshoreError):
    """Text that cannot be set, because no font has its letters."""

    exit_status = 3


class BriefTooLong(FriendshoreError):
    """Text that does not fit on the pages."""

    exit_status = 3


def write_brief(brief: Brief, lang: str, day: date, figures: Sequence[Figure] = ()) -> bytes:
    """The pages.

    Parameters
    ----------
    brief : what they say
    lang : its language, for hyphens and for readers that speak
    day : the day that the file says it was made on: that of the terms, so that the same inputs give the same bytes
    figures : (question, SVG, text that stands for it): shown below the answer where there is room

    Raises
    ------
    NoFont, BriefTooLong   a letter that no font has, more text than the pages hold
    """
    check_letters(brief.texts())
    for size in SIZES:
        if _found(_setting(brief, lang, size, ()), "pages") == [PAGES]:
            break
    else:
        raise BriefTooLong(
            f"the brief does not fit on {PAGES} pages at {SIZES[-1]} points; shorten the titles of the clauses"
        )
    shown = [each for figure in figures if (each := _placed(brief, lang, size, figure)) is not None]
    return _set(_setting(brief, lang, size, shown), day)


def _placed(brief: Brief, lang: str, size: float, figure: Figure) -> Placed | None:
    """A figure and the height in mm that it takes of what its page has left; None where that is too little to read it."""
    key, svg, alt = figure
    setting = _setting(brief, lang, size, [(key, svg, alt, 0.0)])
    if _found(setting, "pages") != [PAGES] or not (rooms := _found(setting, "room")):
        return None
    width, height = rooms[0]
    tall = min(height, width * _aspect(svg))
    return (key, svg, alt, tall) if tall >= READABLE * width * _aspect(svg) else None


def _aspect(svg: bytes) -> float:
    """Height over width of a drawing."""
    box = re.search(rb'viewBox="\S+ \S+ (\S+) (\S+)"', svg)
    assert box is not None, "a drawing without a viewBox"
    return float(box[2]) / float(box[1])


def check_letters(texts: Iterable[str]) -> None:
    """Refuse text with letters that none of the fonts has.

    Raises
    ------
    NoFont   the letter, and the text that it stands in
    """
    known = _letters()
    for text in texts:
        for letter in text:
            if ord(letter) not in known and not letter.isspace():
                raise NoFont(
                    f"no font of the report has the letter {letter!r} (U+{ord(letter):04X}), which stands in: {text[:80]}\n"
                    "    write that text in letters that Latin, Greek, Cyrillic or Japanese fonts have"
                )


def font_files() -> tuple[Path, ...]:
    """The font files that come with the wheels.

    Raises
    ------
    NoFont   a wheel without its font
    """
    found = []
    for package, inside in (
        ("matplotlib", "mpl-data/fonts/ttf/DejaVuSans.ttf"),
        ("matplotlib", "mpl-data/fonts/ttf/DejaVuSans-Bold.ttf"),
        ("matplotlib_fontja", "fonts/ipaexg.ttf"),
    ):
        spec = find_spec(package)
        path = Path(spec.origin).parent / inside if spec and spec.origin else None
        if path is None or not path.is_file():
            raise NoFont(f"the font {Path(inside).name} of {package} is not there; install it with: {INSTALL}")
        found.append(path)
    return tuple(found)


def _setting(brief: Brief, lang: str, size: float, figures: Sequence[Placed]) -> dict[str, Any]:
    """What Typst is given: the template, its text, the fonts and nothing of the machine."""
    drawn = {key for key, *_ in figures}
    document = {
        "title": brief.title,
        "finding": brief.finding,
        "facts": brief.facts,
        "footer": brief.footer,
        "lang": lang,
        "size": size,
        "space": "" if lang == "ja" else " ",
        "fonts": JAPANESE if lang == "ja" else FAMILIES,
        "parts": [
            {
                "question": part.question,
                "sentences": part.sentences,
                "listed": part.listed,
                "break_before": part.key == BREAK,
                "tables": [
                    {"headings": t.headings, "rows": t.rows, "note": t.note, "text": t.text}
                    for t in part.tables
                    if part.key not in drawn or part.key not in INSTEAD
                ],
                "figures": [
                    {"svg": svg.decode(), "alt": alt, "height_mm": height}
                    for key, svg, alt, height in figures
                    if key == part.key
                ],
            }
            for part in brief.parts
        ],
    }
    return {
        "input": TEMPLATE.read_bytes(),
        "sys_inputs": {"brief": json.dumps(document, ensure_ascii=False)},
        "font_paths": [str(path) for path in sorted({path.parent for path in font_files()})],
        "ignore_system_fonts": True,
    }


def _found(setting: dict[str, Any], label: str) -> list[Any]:
    """What the set pages say of themselves."""
    import typst

    return list(json.loads(typst.query(selector=f"<{label}>", field="value", **setting)))


def _set(setting: dict[str, Any], day: date) -> bytes:
    import typst

    at = datetime(day.year, day.month, day.day, tzinfo=UTC)
    made: Any = typst.compile(**setting, format="pdf", pdf_standards=["ua-1"], timestamp=at)
    return bytes(made)


@cache
def _letters() -> frozenset[int]:
    from fontTools.ttLib import TTFont

    held: set[int] = set()
    for path in font_files():
        with TTFont(path, lazy=True) as font:
            held |= set(font.getBestCmap())
    return frozenset(held)
