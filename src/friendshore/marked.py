"""A user's YAML or JSON, read strictly, with the line and column of every value.

Answers "what did they write, and where?". It refuses what YAML would silently bend: a key written twice, tabs, `NO`
as a falsehood, numbers that are not finite, a second document, references that hide a term. What the words mean is
left to the models; `validate` turns their complaints into problems at the user's own line.
"""

from __future__ import annotations

import json
import math
import re
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Any, TypeVar

import yaml

from friendshore.errors import InputRefused, Place, Problem, did_you_mean

if TYPE_CHECKING:
    from pydantic import BaseModel
    from pydantic_core import ErrorDetails, PydanticCustomError

KeyPath = tuple[str | int, ...]
ModelT = TypeVar("ModelT", bound="BaseModel")

MAX_BYTES = 5_000_000
MAX_DEPTH = 50
MAX_PROBLEMS = 50  # of one kind: a file indented with tabs throughout is one mistake, not four thousand

_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_NUMBER = re.compile(r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_OUTSIDE_TEXT = re.compile(r'"(?:[^"\\\n]|\\.)*"|[^"]+')  # JSON: a quoted text, or what stands between two
_SURROGATES = re.compile(r"(?<!\\)((?:\\\\)*)\\u(d[89ab][0-9a-f]{2})\\u(d[c-f][0-9a-f]{2})", re.IGNORECASE)
_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
_NO_KEY = "did not find expected key"  # the parser's words
_NOT_FINITE = re.compile(r"[-+]?\.?(inf|Inf|INF|Infinity)|\.?(nan|NaN|NAN)")
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Asked:
    """Metadata of a field: the code and the question for when its key is missing. The question may use its siblings.

    `per: Annotated[Mass, Asked("no-unit", "{value} {currency} per what mass?")]`
    """

    code: str
    question: str


@dataclass(frozen=True)
class Marked:
    """A document as plain dicts, lists and scalars, and where in the file each of them stands."""

    name: str
    value: Any
    lines: tuple[str, ...] = field(repr=False)
    values: Mapping[KeyPath, tuple[int, int, int]] = field(repr=False)
    keys: Mapping[KeyPath, tuple[int, int, int]] = field(repr=False)
    problems: tuple[Problem, ...] = ()

    def place(self, path: KeyPath = ()) -> Place:
        """Where the value at `path` stands; where there is none, its nearest parent."""
        return self._place(self.values, path)

    def key_place(self, path: KeyPath) -> Place:
        """Where the key that holds the value at `path` stands; for a list item, the item."""
        return self._place(self.keys, path) if path in self.keys else self.place(path)

    def get(self, path: KeyPath) -> Any:
        """The value at `path`; None where there is none."""
        value = self.value
        for step in path:
            try:
                value = value[step]
            except (KeyError, IndexError, TypeError):
                return None
        return value

    def _place(self, marks: Mapping[KeyPath, tuple[int, int, int]], path: KeyPath) -> Place:
        while path and path not in marks:
            path, marks = path[:-1], self.values
        line, column, width = marks.get(path, (0, 0, 1))
        return Place(self.name, line + 1, column + 1, self.lines[line] if line < len(self.lines) else "", width)


def read_marked(source: Path | str | bytes, *, name: str | None = None, max_bytes: int = MAX_BYTES) -> Marked:
    """Read YAML or JSON strictly, keeping places.

    Parameters
    ----------
    source : a `Path` is a file to open; `str` and `bytes` are the text itself
    name : what to call the file in messages; the path by default
    max_bytes : a larger file is refused before it is parsed

    Returns
    -------
    Marked   strings, ints, floats (finite), `true`/`false`, null and dates; every key a string

    Raises
    ------
    InputRefused   missing, too large, not UTF-8 (byte and line named), empty, cut off, tabs in the indentation, a
        key twice, a key that is no text, a number that is not finite, an impossible date, a reference or tag, more
        than one document. All of them at once, as far as the file can be read.

    `NO`, `yes`, `on` stay text, so that Norway survives; a number with a leading zero stays text too, so that an HS
    code does.

    >>> read_marked("parties: [NO, SWE]", name="deal.yaml").value
    {'parties': ['NO', 'SWE']}
    """
    marked = noted(source, name=name, max_bytes=max_bytes)
    if marked.problems:
        raise InputRefused(marked.problems)
    return marked


def noted(source: Path | str | bytes, *, name: str | None = None, max_bytes: int = MAX_BYTES) -> Marked:
    """The same, but what is wrong with single keys and values is noted in `problems` rather than raised.

    Whoever goes on to read the values can so refuse everything at once. A value that cannot be had is None, and of a key
    that stands twice the first value holds.

    Raises
    ------
    InputRefused   a file that cannot be read to its end
    """
    if name is None:
        name = str(source) if isinstance(source, Path) else "text"
    text = _decode(_bytes(source, name, max_bytes), name)
    lines = tuple(_BREAK.split(text))
    if not text.strip():
        raise InputRefused.because("empty", "the file is empty", place=Place(name, 1, 1))
    if text.lstrip()[0] in "{[":
        # JSON allows tabs between values; the YAML scanner does not. One for one, so that columns stay.
        text = _OUTSIDE_TEXT.sub(
            lambda part: _paired(part[0]) if part[0][0] == '"' else part[0].replace("\t", " "), text
        )
    elif tabs := _tabs(name, lines):
        raise InputRefused(tabs)
    return _Reading(name, lines).read(text)


def validate(
    model: type[ModelT], marked: Marked, *, path: KeyPath = (), context: Mapping[str, object] | None = None
) -> ModelT:
    """The value at `path` as a `model`, or a refusal with every complaint at its line.

    Raises
    ------
    InputRefused   with what came, what was expected, and the nearest valid key or word
    """
    from pydantic import ValidationError

    try:
        return model.model_validate(marked.get(path), context=dict(context or {}))
    except ValidationError as error:
        raise InputRefused(explain(model, marked, error.errors(), path=path)) from None


def explain(
    model: type[BaseModel], marked: Marked, errors: list[ErrorDetails], *, path: KeyPath = ()
) -> tuple[Problem, ...]:
    """Pydantic's complaints about the value at `path`, as problems in the order of the file.

    A value that could not be had was complained of when the file was read: that it is nothing now is no second mistake.
    """
    gone = {problem.path for problem in marked.problems}
    found = ((_problem(model, marked, error, path), error["input"]) for error in errors)
    problems = [problem for problem, came in found if came is not None or problem.path not in gone]
    meant = {problem.hint for problem in problems if problem.code == "unknown-key"}
    return in_file_order(
        problem  # a misspelt key is one mistake: not also a missing one
        for problem in problems
        if not (problem.code == "missing" and f"did you mean {problem.message.split(' is missing')[0]}?" in meant)
    )


def in_file_order(problems: typing.Iterable[Problem]) -> tuple[Problem, ...]:
    """Problems sorted by line and column, each once."""
    return tuple(
        sorted(
            dict.fromkeys(problems),
            key=lambda p: (p.place.line, p.place.column, p.path, p.code) if p.place else (0, 0, p.path, p.code),
        )
    )


def wrong(code: str, message: str, *, hint: str = "", at: KeyPath = ()) -> PydanticCustomError:
    """What a model's validator raises: a stable code, a message, a hint, and the place below the model (`at`)."""
    from pydantic_core import PydanticCustomError

    return PydanticCustomError(code, "{message}", {"message": message, "hint": hint, "at": at})


def dotted(path: KeyPath) -> str:
    """A path as people write it.

    >>> dotted(("floors", 0, "good"))
    'floors[0].good'
    """
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else (f".{step}" if text else step)
    return text


# -- from bytes to marked values ------------------------------------------------------------------------------------


def _bytes(source: Path | str | bytes, name: str, max_bytes: int) -> bytes:
    if isinstance(source, str):
        source = source.encode("utf-8", "surrogatepass")
    if isinstance(source, Path):
        try:
            with source.open("rb") as file:
                source = file.read(max_bytes + 1)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise InputRefused.because("unreadable", f"{name} cannot be read: {reason}") from None
    if len(source) > max_bytes:
        raise InputRefused.because(
            "too-large",
            f"larger than {max_bytes / 1e6:g} MB; it was not parsed",
            place=Place(name, 1, 1),
            hint="data belong in tables of their own",
        )
    return source


def _decode(raw: bytes, name: str) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = raw[: error.start]
        line, start = before.count(b"\n") + 1, before.rfind(b"\n") + 1
        hint = "save the file as UTF-8"
        if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
            hint = "this looks like UTF-16: save the file as UTF-8"
        text = raw[start:].split(b"\n", 1)[0].decode("utf-8", "replace")
        text = re.sub(r"[\x00-\x1f]", "?", text)
        column = len(before[start:].decode("utf-8", "replace")) + 1
        raise InputRefused.because(
            "encoding",
            f"byte {error.start + 1} (0x{raw[error.start]:02x}) is not UTF-8",
            place=Place(name, line, column, text),
            hint=hint,
        ) from None


def _paired(quoted: str) -> str:
    """JSON writes a character beyond the first plane as two escapes, YAML as one."""

    def one(match: re.Match[str]) -> str:
        high, low = int(match[2], 16), int(match[3], 16)
        return f"{match[1]}\\U{0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00):08x}"

    return _SURROGATES.sub(one, quoted)


def _indent(line: str, marks: str = "") -> int:
    """How many characters stand before the text of a line; `marks` count as blanks."""
    return len(line) - len(line.lstrip(" \t" + marks))


def _tabs(name: str, lines: tuple[str, ...]) -> list[Problem]:
    found = [
        Problem("tab", "a tab in the indentation", Place(name, number, line.index("\t") + 1, line), hint="use spaces")
        for number, line in enumerate(lines, start=1)
        if "\t" in line[: len(line) - len(line.lstrip())] and line.strip()
    ]
    return found[:MAX_PROBLEMS]


@dataclass
class _Reading:
    """One pass over the parser's events. Problems are collected; only an unreadable file stops it."""

    name: str
    lines: tuple[str, ...]
    problems: list[Problem] = field(default_factory=list)
    values: dict[KeyPath, tuple[int, int, int]] = field(default_factory=dict)
    keys: dict[KeyPath, tuple[int, int, int]] = field(default_factory=dict)

    def read(self, text: str) -> Marked:
        try:
            events = iter(yaml.parse(text, Loader=_LOADER))
            value = self._document(events)
        except yaml.MarkedYAMLError as error:
            value = None
            self.problems.append(self._unreadable(error))
        except yaml.reader.ReaderError as error:
            value = None
            self.problems.append(self._bad_character(text, error))
        problems = in_file_order(self.problems)[:MAX_PROBLEMS]
        if value is None:
            raise InputRefused(problems)
        return Marked(self.name, value, self.lines, self.values, self.keys, problems)

    def _document(self, events: Iterator[yaml.Event]) -> Any:
        value: Any = None
        documents = 0
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents == 2:
                    self._add("two-documents", "a second document begins here", event, (), "one file, one document")
                    break
            elif isinstance(event, yaml.NodeEvent):
                value = self._node(event, events, ())
        if value is None and not self.problems:
            self.problems.append(Problem("empty", "the file holds no values", Place(self.name, 1, 1)))
        return value

    def _node(self, event: yaml.Event, events: Iterator[yaml.Event], path: KeyPath, *, slot: bool = True) -> Any:
        if slot:
            self.values[path] = self._span(event)
        if isinstance(event, yaml.AliasEvent):
            self._add("reference", f"*{event.anchor} refers to another place", event, path, "write the value out here")
            return None
        if (anchor := getattr(event, "anchor", None)) is not None:
            self._add("reference", f"&{anchor} marks a value for reuse", event, path, "write values out instead")
        if len(path) > MAX_DEPTH:
            raise InputRefused.because("too-deep", f"nested more than {MAX_DEPTH} deep", place=self._at(event))
        tag = getattr(event, "tag", None)
        if tag is not None and tag != "!":
            self._add("tag", f"the tag {tag} is not read", event, path, "leave it out")
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event, path)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(events, path)
        return self._mapping(events, path)

    def _sequence(self, events: Iterator[yaml.Event], path: KeyPath) -> list[Any]:
        items: list[Any] = []
        for event in events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            items.append(self._node(event, events, (*path, len(items))))
        return items

    def _mapping(self, events: Iterator[yaml.Event], path: KeyPath) -> dict[str, Any]:
        items: dict[str, Any] = {}
        for event in events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            key = self._node(event, events, path, slot=False)
            here = (*path, key) if isinstance(key, str) else path
            if not isinstance(key, str):
                shown = self._source(event) or "null"
                self._add("key-not-text", f"the key {shown} is not text", event, path, f'write it as "{shown}"')
            elif key in items:
                first = self.keys[here][0] + 1
                self._add("duplicate-key", f"{key!r} stands here twice", event, here, f"first on line {first}")
            else:
                self.keys[here] = self._span(event)
            value = self._node(next(events), events, here, slot=here not in self.values)
            if isinstance(key, str):
                items.setdefault(key, value)
        return items

    def _scalar(self, event: yaml.ScalarEvent, path: KeyPath) -> Any:
        text: str = event.value
        if not event.implicit[0]:
            if any("\ud800" <= character <= "\udfff" for character in text):
                self._add("bad-character", "half of an escaped character", event, path)
            return text
        if text in ("", "~", "null", "Null", "NULL"):
            return None
        if text in ("true", "false"):
            return text == "true"
        if _NOT_FINITE.fullmatch(text):
            self._add("non-finite", f"{text} is not a finite number", event, path)
            return None
        if _INTEGER.fullmatch(text) and len(text) < 400:
            return int(text)
        if _NUMBER.fullmatch(text):
            if not math.isfinite(number := float(text)):
                self._add("non-finite", f"{text[:20]} is too large for a number", event, path)
                return None
            return number
        if _DATE.fullmatch(text):
            try:
                return date.fromisoformat(text)
            except ValueError:
                self._add("bad-date", f"there is no day {text}", event, path, "write year-month-day")
                return None
        return text

    def _span(self, event: yaml.Event) -> tuple[int, int, int]:
        start, end = event.start_mark, event.end_mark
        if start is None or end is None:  # the type stubs allow it, the parsers do not do it
            return 0, 0, 1
        if isinstance(event, yaml.ScalarEvent) and start.line == end.line:
            return start.line, start.column, max(1, end.column - start.column)
        return start.line, start.column, 1

    def _source(self, event: yaml.Event) -> str:
        line, column, width = self._span(event)
        return self.lines[line][column : column + width].strip()

    def _at(self, event: yaml.Event) -> Place:
        line, column, width = self._span(event)
        return Place(self.name, line + 1, column + 1, self.lines[line] if line < len(self.lines) else "", width)

    def _add(self, code: str, message: str, event: yaml.Event, path: KeyPath, hint: str = "") -> None:
        self.problems.append(Problem(code, message, self._at(event), dotted(path), hint))

    def _unreadable(self, error: yaml.MarkedYAMLError) -> Problem:
        mark = error.problem_mark or error.context_mark
        last = max((number for number, line in enumerate(self.lines) if line.strip()), default=0)
        opened = error.context_mark.line + 1 if error.context_mark else None
        since = f", inside what began on line {opened}" if opened else ""
        if mark is None or mark.line > last or (mark.line == last and mark.column >= len(self.lines[last].rstrip())):
            place = Place(self.name, last + 1, max(1, len(self.lines[last].rstrip())), self.lines[last])
            return Problem("truncated", f"the file breaks off{since}", place, hint="is the end of the file missing?")
        text = self.lines[mark.line]
        message, hint = self._in_words(error.problem or error.context or "", mark.line, mark.column, since)
        return Problem("syntax", message, Place(self.name, mark.line + 1, mark.column + 1, text), hint=hint)

    def _in_words(self, problem: str, line: int, column: int, since: str) -> tuple[str, str]:
        """What a parser complains of at a place, in words of the file: what is wrong, and what to do."""
        text, here = self.lines[line], _indent(self.lines[line])
        above = next((number for number in range(line - 1, -1, -1) if self.lines[number].strip()), None)
        quotes = "put the whole text in quotes"
        if problem.startswith("mapping values") and re.search(r":\s", text[:column]):
            return "a second colon in one value", quotes
        if problem.startswith("mapping values") and above is not None and ":" not in self.lines[above]:
            return f"line {above + 1} above has no colon", "write it as key: value"
        first = not text[:column].strip(" -") and problem.startswith(("did not find expected '-'", _NO_KEY))
        if above is not None and (first or problem.startswith("mapping values")):  # the latter is said at the colon
            if _indent(self.lines[above]) == here:
                return ("a list item among keys" if text[here] == "-" else "a key among list items"), ""
            other = _indent(self.lines[above], "" if text[here] == "-" else "- ")
            blanks = f"{here} blank{'' if here == 1 else 's'}"
            return (
                f"indented by {blanks}, which fits nothing above{since}",
                f"what stands on line {above + 1} by {other}",
            )
        if problem.startswith(_NO_KEY):
            return "something is left over after the value", quotes
        if problem.startswith("did not find expected ','"):
            return f"a comma or a closing {problem[-2]} is missing{since}", ""
        if problem.startswith("found character that cannot start"):
            return f"a value cannot begin with {text[column]}", quotes
        if problem.startswith("block sequence entries"):
            return "a list item needs a line of its own", "begin it below, indented"
        return f"not readable as YAML: {problem}{since}", ""

    def _bad_character(self, text: str, error: yaml.reader.ReaderError) -> Problem:
        found = re.search(r"[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", text)
        position = found.start() if found else 0
        line = text.count("\n", 0, position)
        column = position - (text.rfind("\n", 0, position) + 1)
        shown = f"U+{ord(text[position]):04X}" if found else str(error.reason)
        place = Place(self.name, line + 1, column + 1, re.sub(r"[\x00-\x1f]", "?", self.lines[line]))
        return Problem("bad-character", f"the control character {shown} does not belong in a text file", place)


# -- from pydantic's complaints to problems -------------------------------------------------------------------------

_EXPECTED = {
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "decimal_type": "a number",
    "decimal_parsing": "a number",
    "is_instance_of": "a number",
    "string_type": "text",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "date_type": "a date such as 2027-01-01",
    "date_parsing": "a date such as 2027-01-01",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "a mapping of keys to values",
    "mapping_type": "a mapping of keys to values",
    "model_type": "a mapping of keys to values",
    "model_attributes_type": "a mapping of keys to values",
    "frozen_set_type": "a list",
    "set_type": "a list",
}
_SAID = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"} | {
    "true": "true, without quotes",
    "false": "false, without quotes",
}
_LIMITS = {
    "greater_than": ("gt", "greater than"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "less than"),
    "less_than_equal": ("le", "at most"),
}


def _problem(model: type[BaseModel], marked: Marked, error: ErrorDetails, base: KeyPath) -> Problem:
    kind, context = error["type"], dict(error.get("ctx") or {})
    ours = "message" in context  # raised by `wrong`
    path = _real_path(marked, (*base, *error["loc"]), missing=kind == "missing" and not ours, start=len(base))
    place = marked.place(path)
    name = dotted(path)
    came = shown(error["input"])
    if ours:
        at = (*path, *context.get("at", ()))
        return Problem(kind, str(context["message"]), marked.place(at), dotted(at), str(context.get("hint", "")))
    if kind == "extra_forbidden":
        valid = sorted(_keys_at(model, error["loc"][:-1]))
        beside = marked.get(path[:-1])
        free = [key for key in valid if not isinstance(beside, Mapping) or key not in beside]
        hint = did_you_mean(str(path[-1]), free) or "\n".join(["", *wrap("The keys here are " + ", ".join(valid), 100)])
        place = marked.key_place(path)
        return Problem("unknown-key", f"there is no key {str(path[-1])!r} here", place, name, hint)
    if kind == "missing":
        key, parent = str(path[-1]), path[:-1]
        description = _description(model, error["loc"])
        if (asked := _asked(model, error["loc"])) is not None:
            question = re.sub(r"(per )?\0 ", "", asked.question.format_map(_Siblings(error["input"])))
            return Problem(asked.code, question, marked.place(parent), dotted(parent), description)
        return Problem("missing", f"{key!r} is missing", marked.place(parent), dotted(parent), description)
    if kind == "value_error":
        return Problem("invalid", str(error["msg"]).removeprefix("Value error, "), place, name)
    if kind in ("literal_error", "enum", "union_tag_invalid"):
        words = re.findall(r"'([^']*)'", str(context.get("expected", "") or context.get("expected_tags", "")))
        tag = str(context.get("discriminator", "")).strip("'")
        if tag:
            path = (*path, tag)
            place, name, came = marked.place(path), dotted(path), repr(context.get("tag"))
        word = context.get("tag") if tag else error["input"]
        near = did_you_mean(word, words) if isinstance(word, str) else ""
        return Problem("unknown-value", f"expected {_either(words)}, not {came}", place, name, near)
    if kind == "union_tag_not_found":
        tag = str(context.get("discriminator", "")).strip("'")
        return Problem("missing", f"{tag!r} is missing", place, name, _description(model, (*error["loc"], tag)))
    if kind in _LIMITS:
        limit, words_ = _LIMITS[kind]
        code = "negative" if limit in ("gt", "ge") and context.get(limit) == 0 else "out-of-range"
        return Problem(code, f"must be {words_} {context[limit]:g}, not {came}", place, name)
    if kind == "finite_number":
        return Problem("non-finite", f"{came} is not a finite number", place, name)
    if kind in _EXPECTED:
        return Problem("wrong-type", f"expected {_EXPECTED[kind]}, not {came}", place, name, _rewrite(kind, error))
    return Problem("invalid", _sentence(str(error["msg"])) + f", not {came}", place, name)


def shown(value: object) -> str:
    """A value as it can stand in a message.

    >>> shown({"a": 1}), shown("NO"), shown(None)
    ('a mapping', "'NO'", 'nothing')
    """
    if value is None:
        return "nothing"
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list" if value else "an empty list"
    if isinstance(value, bool):
        return "true" if value else "false"
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else text[:56] + " ..."


def _rewrite(kind: str, error: ErrorDetails) -> str:
    """How to write what was probably meant."""
    value = error["input"]
    if value is None:
        return "is what follows indented too little?"
    if _EXPECTED[kind] == "a list":
        return "begin each item with a dash" if isinstance(value, Mapping) else f"write [{value}]"
    if kind in ("float_type", "decimal_type", "int_type", "is_instance_of") and isinstance(value, str):
        plain = re.sub(r"[_, ' ]", "", value)
        if _NUMBER.fullmatch(plain):
            return f"write {plain}, without quotes or separators"
        if plain.endswith("%") and _NUMBER.fullmatch(plain[:-1]):
            return f"a share is a fraction: write {float(plain[:-1]) / 100:g}"
    if kind in ("bool_type", "bool_parsing") and str(value).casefold() in _SAID:
        return f"write {_SAID[str(value).casefold()]}"
    if kind == "string_type" and isinstance(value, int | float | date) and not isinstance(value, bool):
        return f'put it in quotes: "{value}"'
    return ""


def _sentence(text: str) -> str:
    return text[:1].lower() + text[1:]


def _either(words: list[str]) -> str:
    if len(words) <= 1:
        return "".join(words) or "another value"
    return ", ".join(words[:-1]) + " or " + words[-1]


def _real_path(marked: Marked, loc: KeyPath, *, missing: bool, start: int) -> KeyPath:
    """A pydantic location without the steps (union tags, validators) that are not in the file."""
    path: KeyPath = loc[:start]
    value = marked.get(path)
    rest = loc[start:]
    for number, step in enumerate(rest):
        inside = (isinstance(value, dict) and step in value) or (
            isinstance(value, list) and isinstance(step, int) and step < len(value)
        )
        if inside:
            value = value[step]
            path = (*path, step)
        elif missing and number == len(rest) - 1:
            path = (*path, step)
    return path


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """Every model that a type may hold directly or as an item."""
    from pydantic import BaseModel

    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
        return
    for part in typing.get_args(annotation):
        yield from _models(part)


def _at(model: type[BaseModel], loc: tuple[int | str, ...]) -> list[type[BaseModel]]:
    """The models that may stand at a pydantic location."""
    here: list[type[BaseModel]] = [model]
    for step in loc:
        if not isinstance(step, str):
            continue
        fields = {
            alias: info
            for each in here
            for key, info in each.model_fields.items()
            for alias in (key, info.alias)
            if alias is not None
        }
        if step in fields:
            here = list(_models(fields[step].annotation))
        else:  # a union tag: keep the members that carry it
            here = [each for each in here if _carries(each, step)] or here
    return here


def _carries(model: type[BaseModel], tag: str) -> bool:
    if model.__name__ == tag:
        return True
    return any(tag in typing.get_args(info.annotation) for info in model.model_fields.values())


def _keys_at(model: type[BaseModel], loc: tuple[int | str, ...]) -> set[str]:
    return {info.alias or key for each in _at(model, loc) for key, info in each.model_fields.items()}


def _description(model: type[BaseModel], loc: tuple[int | str, ...]) -> str:
    for each in _at(model, loc[:-1]):
        for key, info in each.model_fields.items():
            if loc[-1] in (key, info.alias) and info.description:
                return info.description
    return ""


def _asked(model: type[BaseModel], loc: tuple[int | str, ...]) -> Asked | None:
    for each in _at(model, loc[:-1]):
        for key, info in each.model_fields.items():
            if loc[-1] in (key, info.alias):
                return next((entry for entry in info.metadata if isinstance(entry, Asked)), None)
    return None


class _Siblings(dict[str, object]):
    """The keys beside a missing one, as a question may quote them; a sibling that is missing too is left out."""

    def __init__(self, value: object) -> None:
        super().__init__(value if isinstance(value, Mapping) else {})

    def __missing__(self, key: str) -> str:
        return "\0"


def as_json(value: object) -> str:
    """A plain value in one canonical spelling, for content hashes: sorted keys, no blanks, dates as ISO text.

    An exact number is spelt without a trail of noughts, however it was written.

    >>> as_json({"b": Decimal("2.0"), "a": date(2027, 1, 1)})
    '{"a":"2027-01-01","b":"2"}'
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=_spelt)


def _spelt(value: object) -> str:
    return f"{value.normalize():f}" if isinstance(value, Decimal) else str(value)
