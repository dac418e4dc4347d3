"""What a refusal looks like: where, what came, what was expected, the nearest valid word, all problems at once.

    FriendshoreError
    ├── InputRefused      what the user gave cannot be used; nothing was run             (exit status 2)
    │   └── WorldError    a table of the world fails one of its invariants
    ├── MarketError       a market has no answer, or none was reached                    (exit status 3)
    └── NotWritten        the answer is there, what should hold it could not be written  (exit status 3)

Reading files with their line numbers is left to `marked`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from textwrap import wrap
from typing import Literal

Severity = Literal["error", "warning"]

LINE_MAX = 100  # a longer source line is cut around the caret
HINT_MAX = 110  # a longer line of a hint is broken
KEPT = "\x00"  # a blank at which a line is not broken
CODE_COLUMN = 76  # the codes line up here where the messages are short enough


@dataclass(frozen=True, slots=True)
class Place:
    """A value in a user's file: `line` and `column` count from one, `text` is the whole source line, `width` the
    number of characters of it that the value covers."""

    file: str
    line: int
    column: int
    text: str = ""
    width: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong. `code` is stable (`unknown-good`), `path` names the value (`floors[0].good`), `hint` is what to
    do: its first line stands behind the carets, further lines below."""

    code: str
    message: str
    place: Place | None = None
    path: str = ""
    hint: str = ""
    severity: Severity = "error"


class FriendshoreError(Exception):
    """Anything this package refuses or fails at on purpose. `exit_status` is what the command line returns."""

    exit_status = 1


class InputRefused(FriendshoreError):
    """Input that cannot be used, with every problem that was found in it. Nothing was run."""

    exit_status = 2

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: tuple[Problem, ...] = tuple(problems)
        assert self.problems, "a refusal without a problem"
        super().__init__(render(self.problems) + "\n" + closing(self.problems))

    @classmethod
    def because(
        cls, code: str, message: str, *, place: Place | None = None, path: str = "", hint: str = ""
    ) -> InputRefused:
        """A refusal for a single problem.

        >>> print(InputRefused.because("unknown-good", "no good is called 'ndpr.oxid'", path="good"))
        good: no good is called 'ndpr.oxid'                                            [unknown-good]
        1 problem, nothing was run.
        """
        return cls([Problem(code, message, place, path, hint)])


class WorldError(InputRefused):
    """A table of the world that fails an invariant; the problems name table, row and value."""


class NotWritten(FriendshoreError):
    """The answer is there; a file, a folder or standard output could not take it."""

    exit_status = 3


class MarketError(FriendshoreError):
    """A market without an answer, with the worst one named: never a half-solved outcome.

    Parameters
    ----------
    message : what happened, in a sentence
    market : the worst market, good and country
    excess_t : its excess supply (+) or demand (-) in tonnes
    steps, residual_t : how far the solver came
    certificate : a proof that no answer exists (an infeasible set of constraints, a price interval), where there is one
    """

    exit_status = 3

    def __init__(
        self,
        message: str,
        *,
        market: str = "",
        excess_t: float | None = None,
        steps: int | None = None,
        residual_t: float | None = None,
        certificate: object = None,
    ) -> None:
        self.message, self.market, self.excess_t = message, market, excess_t
        self.steps, self.residual_t, self.certificate = steps, residual_t, certificate
        facts = []
        if market:
            facts.append(f"worst market {market}" + ("" if excess_t is None else f", excess {excess_t:+.6g} t"))
        if steps is not None:
            facts.append(f"{steps} steps")
        if residual_t is not None:
            facts.append(f"residual {residual_t:.3g} t")
        super().__init__(message + (f" ({'; '.join(facts)})" if facts else ""))


def nearest(word: str, words: Iterable[str]) -> str | None:
    """The word of `words` that `word` was probably meant to be, or None. Letter case is ignored.

    A word that is the first part of one alone, up to the point, means that one.

    >>> nearest("ndpr.oxid", ["ndpr.oxide", "gallium.metal"]), nearest("NdPr", ["ndpr.oxide", "gallium.metal"])
    ('ndpr.oxide', 'ndpr.oxide')
    >>> nearest("levy-on", ["levy_on", "form"])
    'levy_on'
    """
    plain = {_plain(candidate): candidate for candidate in sorted(words, reverse=True)}
    begun = [candidate for candidate in plain if candidate.startswith(f"{_plain(word)}.")]
    close = begun if len(begun) == 1 else get_close_matches(_plain(word), list(plain), n=1, cutoff=0.6)
    return plain[close[0]] if close else None


def did_you_mean(word: str, words: Iterable[str]) -> str:
    """`did you mean 'X'?`, or nothing where no word is near."""
    close = nearest(word, words)
    return f"did you mean {close!r}?" if close else ""


def render(problems: Iterable[Problem]) -> str:
    """The problems as a person reads them, in the order given, with source lines and carets."""
    problems = list(problems)
    places = [str(problem.place) if problem.place else "" for problem in problems]
    indent = max(map(len, places), default=0)
    heads = [_head(problem, place, indent) for problem, place in zip(problems, places, strict=True)]
    column = max([CODE_COLUMN, *(len(head) for head in heads if len(head) <= CODE_COLUMN + 24)])
    lines: list[str] = []
    for problem, head in zip(problems, heads, strict=True):
        mark = problem.code + (", warning" if problem.severity == "warning" else "")
        lines.append(f"{head.ljust(column)}   [{mark}]")
        lines.extend(_detail(problem))
    return "\n".join(lines)


def closing(problems: Iterable[Problem]) -> str:
    """The last line of a refusal."""
    count = len(list(problems))
    return f"{count} problem{'' if count == 1 else 's'}, nothing was run."


def _plain(word: str) -> str:
    return word.casefold().replace("-", "_").replace(" ", "_")


def _head(problem: Problem, place: str, indent: int) -> str:
    subject = f"{problem.path}: " if problem.path else ""
    return (place.ljust(indent) + "  " if indent else "") + subject + problem.message


def _detail(problem: Problem) -> list[str]:
    hint, *more = [part for line in problem.hint.splitlines() for part in _broken(line)] or [""]
    if problem.place is not None and len(problem.hint.partition("\n")[0]) > HINT_MAX:
        hint, more = "", [hint, *more]  # too long to stand behind the carets
    if problem.place is None or not problem.place.text.strip():
        return [f"    {line}" for line in [hint, *more] if line]
    text, start = _cut(problem.place)
    number = f"{problem.place.line:>6} | "
    width = max(1, min(problem.place.width, len(text) - start))
    carets = " " * (len(number) + start) + "^" * width + (f" {hint}" if hint else "")
    return [number + text, carets, *(f"    {line}" for line in more)]


def _broken(line: str) -> list[str]:
    """A line of a hint in lines that fit a page; a name is never broken, nor what stands in quotation marks."""
    whole = re.sub(r"(?<!\w)'[^']+'(?!\w)", lambda quoted: quoted.group().replace(" ", KEPT), line)
    lines = wrap(whole, HINT_MAX, break_long_words=False, break_on_hyphens=False) or [""]
    return [each.replace(KEPT, " ") for each in lines]


def _cut(place: Place) -> tuple[str, int]:
    """The source line, or the part of it around the value, and where in it the value begins."""
    text, start = place.text.rstrip().replace("\t", " "), place.column - 1
    if len(text) <= LINE_MAX:
        return text, min(start, len(text))
    first = max(0, min(start - 20, len(text) - LINE_MAX))
    cut = text[first : first + LINE_MAX]
    left, right = ("..." if first else ""), ("..." if first + LINE_MAX < len(text) else "")
    return left + cut + right, start - first + len(left)
