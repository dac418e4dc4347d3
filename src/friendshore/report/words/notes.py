"""What did the run note, in the reader's language? Notes are English sentences; here each is found in a catalogue and said anew.

The catalogue of a language is `<lang>_notes.yaml`. The English one holds the sentences with their slots, `{name:kind}`; a sentence
that fits is said by the text of the same key, its slots rewritten as the language writes numbers, money and names. A sentence that
no key has stays English, and whoever shows it can tell.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from friendshore.report.words import Words, texts_of

if TYPE_CHECKING:
    from collections.abc import Mapping

NUMBER = r"[-+]?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?"
KINDS: Mapping[str, str] = {  # what a slot of each kind looks like in English
    "number": NUMBER, "usd": NUMBER, "musd": NUMBER, "good": r"[a-z][\w.]*", "country": "[A-Z]{3}", "place": "[A-Z]{3}",
    "id": r"[\w.\-]+", "text": r".+?", "note": r".+?",
}  # fmt: skip
SLOT = re.compile(r"\{(\w+):(\w+)\}")


class Said(NamedTuple):
    """A note in a language, and whether it is in that language."""

    text: str
    translated: bool


def said(words: Words, notes: Iterable[str]) -> list[Said]:
    """Every note in the language of the words, or as it was where the catalogue has none like it.

    >>> said(Words.of("it"), ["Profits are counted where the plant stands, not where its owner lives."])[0].translated
    True
    """
    return [_said(words, note) for note in notes]


def _said(words: Words, note: str) -> Said:
    if words.lang == "en":
        return Said(note, True)
    for key, pattern in _patterns():
        if found := pattern.fullmatch(note):
            text = words.texts[key]
            inner = [_said(words, found[name]).translated for name, kind in SLOT.findall(text) if kind == "note"]
            for name, kind in SLOT.findall(text):
                text = text.replace(f"{{{name}:{kind}}}", _written(words, kind, found[name]))
            return Said(text, all(inner))
    return Said(note, False)


def _written(words: Words, kind: str, text: str) -> str:
    write: Mapping[str, Callable[[str], str]] = {
        "number": lambda t: words.number(_number(t), 6, sign=t[:1] == "+"),
        "usd": lambda t: words.usd(_number(t)),
        "musd": lambda t: words.usd(1e6 * _number(t), sign=True),
        "good": words.good,
        "country": words.country,
        "place": words.place,
        "note": lambda t: _said(words, t).text,
    }
    return write.get(kind, str)(text)


def _number(text: str) -> float:
    return float(text.replace(",", ""))


@cache
def _patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    """Key, and what its English sentence looks like; longer sentences first, for they say more."""
    made = []
    for key, text in sorted(texts_of("en").items(), key=lambda pair: (-len(pair[1]), pair[0])):
        if not key.startswith("note."):
            continue
        pattern, at = "", 0
        for slot in SLOT.finditer(text):
            pattern += re.escape(text[at : slot.start()]) + f"(?P<{slot[1]}>{KINDS[slot[2]]})"
            at = slot.end()
        made.append((key, re.compile(pattern + re.escape(text[at:]), re.DOTALL)))
    return tuple(made)
