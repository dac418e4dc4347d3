"""Changes to a document before it is read: a reform is a patch on an agreement.

Works on the text's plain values and keeps, for each of them, the file and line it came from, so that a problem in a
patched agreement is shown where it was written: in the agreement or in the patch.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from pydantic import Field, model_validator

from friendshore.errors import InputRefused, Place, did_you_mean
from friendshore.instruments import KINDS
from friendshore.instruments.dates import Term
from friendshore.instruments.names import ALIASES
from friendshore.marked import KeyPath, Marked, dotted, wrong

LEVELS = ("reference_price", "strike", "price", "amount", "premium")  # terms of a clause that are or hold a level
GROUNDS = ("illustrative", "rule", "source")  # terms that say what a level rests on
_STEP = re.compile(r"([^.\[\]]+)|\[([0-9]+)\]")


class Patch(Term):
    """One change: of a clause's term, of one of the agreement's own terms, or of what it holds.

    `{change: floor.ndpr, term: reference_price.value, to: 95}` · `{set: in_force, to: 2028-01-01}` ·
    `{drop: floor.antimony}` (a clause or a party) · `{add: floors, value: {...}}` (a clause or a party)
    """

    change: str | None = Field(None, description="Id of the clause that is changed.")
    term: str | None = Field(None, description="Which of its terms, such as reference_price.value.")
    set: str | None = Field(None, description="Which of the agreement's own terms is set, such as in_force.")
    drop: str | None = Field(None, description="Id of the clause, or code of the party, that goes.")
    add: str | None = Field(None, description="The list that something is added to: parties or a kind of clause.")
    to: Any = Field(None, description="The new value of the term.")
    value: Any = Field(None, description="What is added.")
    why: str = Field("", description="Why, in words.")

    @model_validator(mode="after")
    def one_change(self) -> Self:
        given = [key for key in ("change", "set", "drop", "add") if getattr(self, key) is not None]
        if len(given) != 1:
            raise wrong("patch", "a patch says exactly one of change, set, drop and add")
        needs = {"change": ("term", "to"), "set": ("to",), "drop": (), "add": ("value",)}[given[0]]
        for key in ("term", "to", "value"):
            if (key in needs) != (key in self.model_fields_set):
                without = "needs" if key in needs else "has no use for"
                raise wrong("patch", f"{given[0]} {without} {key}", at=() if key in needs else (key,))
        return self


@dataclass
class _Node:
    """A value, and the document and path it was written at."""

    held: Any
    home: tuple[Marked, KeyPath]


@dataclass(frozen=True)
class Patched(Marked):
    """A document put together from several files."""

    homes: Mapping[KeyPath, tuple[Marked, KeyPath]] = field(repr=False, default_factory=dict)
    changed: bool = False

    def place(self, path: KeyPath = ()) -> Place:
        """Where the value at `path` was written, in whichever file; where there is none, its nearest parent."""
        while path and path not in self.homes:
            path = path[:-1]
        home, where = self.homes[path]
        return home.place(where)

    def key_place(self, path: KeyPath) -> Place:
        """Where the key that holds the value at `path` was written."""
        if path not in self.homes:
            return self.place(path)
        home, where = self.homes[path]
        return home.key_place(where)


def patched(
    base: Marked, patches: Marked, where: KeyPath, changes: tuple[Patch, ...], *, own: tuple[str, ...] = ()
) -> Marked:
    """`base` with `changes` made, in order. `where` is the path of the list of patches in `patches`.

    Keys named in `own` that `patches` holds take the place of those of `base`.

    Raises
    ------
    InputRefused   a clause, party or term that is not there, with the nearest that is
    """
    root = _node(base, ())
    for number, change in enumerate(changes):
        at = (*where, number)
        if change.change is not None and change.term is not None:
            found = _clause(root, change.change)
            if found is None:
                raise _missing(patches, (*at, "change"), "clause", change.change, _ids(root))
            holder, index = found
            _put(holder[index], change.term, _node(patches, (*at, "to")), patches, (*at, "term"))
            if not any(other.change == change.change and other.term in GROUNDS for other in changes):
                _ungrounded(holder[index], change, (patches, at))
        elif change.set is not None:
            _put(root, change.set, _node(patches, (*at, "to")), patches, (*at, "set"))
        elif change.drop is not None:
            found = _clause(root, change.drop) or _party(root, change.drop)
            if found is None:
                raise _missing(patches, (*at, "drop"), "clause or party", change.drop, [*_ids(root), *_codes(root)])
            holder, index = found
            del holder[index]
        elif change.add is not None:
            _add(root, change.add, _node(patches, (*at, "value")), patches, (*at, "add"))
    for key in own:
        if isinstance(patches.value, Mapping) and key in patches.value and isinstance(root.held, dict):
            root.held[key] = _node(patches, (key,))
    homes: dict[KeyPath, tuple[Marked, KeyPath]] = {}
    value = _flat(root, (), homes)
    changed = bool(changes) or (isinstance(base, Patched) and base.changed)
    return Patched(base.name, value, (), {}, {}, homes=homes, changed=changed)


def below(marked: Marked, path: KeyPath) -> Marked:
    """The part of a document below `path`, as a document that keeps its places."""
    homes: dict[KeyPath, tuple[Marked, KeyPath]] = {}
    value = _flat(_node(marked, path), (), homes)
    return Patched(marked.name, value, (), {}, {}, homes=homes)


def _node(marked: Marked, path: KeyPath) -> _Node:
    value = marked.get(path)
    if isinstance(value, Mapping):
        value = {key: _node(marked, (*path, key)) for key in value}
    elif isinstance(value, list):
        value = [_node(marked, (*path, number)) for number in range(len(value))]
    return _Node(value, (marked, path))


def _flat(node: _Node, path: KeyPath, homes: dict[KeyPath, tuple[Marked, KeyPath]]) -> Any:
    homes[path] = node.home
    if isinstance(node.held, dict):
        return {key: _flat(item, (*path, key), homes) for key, item in node.held.items()}
    if isinstance(node.held, list):
        return [_flat(item, (*path, number), homes) for number, item in enumerate(node.held)]
    return node.held


def _clauses(root: _Node) -> Iterator[tuple[str, Any, Any, _Node]]:
    """The kind, the holder and the index of every clause of a document, and the clause."""
    for kind in KINDS:
        held = root.held.get(kind) if isinstance(root.held, dict) else None
        if held is not None and isinstance(held.held, list):
            yield from ((kind, held.held, number, clause) for number, clause in enumerate(held.held))
        elif held is not None and isinstance(held.held, dict):
            yield kind, root.held, kind, held


def clause_id(kind: str, clause: Mapping[str, Any]) -> str | None:
    """The id of a clause as it is written: its own, or the one that its kind and good give it."""
    named = KINDS[kind].id_of(clause)
    return named if isinstance(named, str) else None


def _id(kind: str, clause: _Node) -> str | None:
    if not isinstance(clause.held, dict):
        return None
    return clause_id(kind, {key: clause.held[key].held for key in ("id", "good", "goods") if key in clause.held})


def _ids(root: _Node) -> list[str]:
    return [name for kind, _, _, clause in _clauses(root) if (name := _id(kind, clause)) is not None]


def _clause(root: _Node, name: str) -> tuple[Any, Any] | None:
    found = (place for kind, *place, clause in _clauses(root) if _id(kind, clause) == name)
    return next(((holder, index) for holder, index in found), None)


def _parties(root: _Node) -> list[_Node]:
    held = root.held.get("parties") if isinstance(root.held, dict) else None
    return held.held if held is not None and isinstance(held.held, list) else []


def _code(party: _Node) -> str:
    named = party.held.get("code") if isinstance(party.held, dict) else party
    code = named.held if named is not None else ""
    return ALIASES.get(code, code) if isinstance(code, str) else ""


def _codes(root: _Node) -> list[str]:
    return [_code(party) for party in _parties(root)]


def _party(root: _Node, name: str) -> tuple[Any, Any] | None:
    codes = _codes(root)
    code = ALIASES.get(name, name)
    return (_parties(root), codes.index(code)) if code in codes else None


def _put(node: _Node, term: str, new: _Node, patches: Marked, at: KeyPath) -> None:
    steps: list[str | int] = [int(index) if index else name for name, index in _STEP.findall(term)]
    for number, step in enumerate(steps):
        held, last = node.held, number == len(steps) - 1
        there = (isinstance(held, dict) and step in held) or (
            isinstance(held, list) and isinstance(step, int) and step < len(held)
        )
        if not there and not (last and isinstance(held, dict) and isinstance(step, str)):
            reached = dotted(tuple(steps[:number])) or "it"
            words = list(held) if isinstance(held, dict) else []
            message = f"{reached} has no {step!r}" if isinstance(held, dict) else f"{reached} has no parts"
            hint = did_you_mean(str(step), words)
            raise InputRefused.because("unknown-term", message, place=patches.place(at), path=dotted(at), hint=hint)
        if last:
            held[step] = new
        else:
            node = held[step]


def _ungrounded(clause: _Node, change: Patch, home: tuple[Marked, KeyPath]) -> None:
    """A level that a patch sets stands on the patch alone: neither the source nor the rule of the old one holds for it."""
    if change.term is None or change.term.split(".")[0] not in LEVELS or not isinstance(clause.held, dict):
        return
    invented = clause.held.get("illustrative")
    if invented is None or invented.held is not True:
        if "source" not in clause.held:
            return
        del clause.held["source"]
        clause.held["illustrative"] = _Node(True, home)
        clause.held["rule"] = _Node(change.why or "set by a patch", home)
    elif change.why:
        clause.held["rule"] = _Node(change.why, home)


def _add(root: _Node, kind: str, new: _Node, patches: Marked, at: KeyPath) -> None:
    lists = ["parties", "tests", *KINDS]
    if kind not in lists or not isinstance(root.held, dict):
        raise _missing(patches, at, "list", kind, lists)
    held = root.held.setdefault(kind, _Node([], new.home))
    if isinstance(held.held, dict):  # a kind that holds one clause, written without a list
        held = root.held[kind] = _Node([held], held.home)
    if not isinstance(held.held, list):
        raise InputRefused.because("wrong-type", f"{kind} is no list", place=held.home[0].place(held.home[1]))
    held.held.append(new)


def _missing(patches: Marked, at: KeyPath, what: str, word: str, words: list[str]) -> InputRefused:
    hint = did_you_mean(word, words) or f"one of {', '.join(words)}"
    message = f"there is no {what} {word!r}"
    return InputRefused.because(
        "unknown-" + what.split()[0], message, place=patches.place(at), path=dotted(at), hint=hint
    )
