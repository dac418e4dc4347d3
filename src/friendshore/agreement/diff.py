"""What changed between two texts, term by term, in words.

Clauses are matched by their ids, parties by their codes, costs by their names. What a change does in tonnes and money is
left to those who clear markets.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from friendshore.agreement.wording import country, field_in_words, in_words
from friendshore.instruments import KINDS
from friendshore.instruments.clause import Clause
from friendshore.instruments.dates import Term
from friendshore.instruments.price import CostPlusPrice, Quoted

if TYPE_CHECKING:
    from friendshore.agreement.document import Agreement

What = Literal["added", "dropped", "changed"]

WORDS_ONLY = ("id", "title", "version", "note", "article", "source", "illustrative", "rule", "governance", "tests")
APART = ("sources", "options", "objective", "run_at")  # the apparatus of a file rather than terms of an agreement
NAMES = ("id", "code", "name", "starts", "option")  # what tells the items of a list apart


@dataclass(frozen=True, slots=True)
class Change:
    """One changed term.

    part     id of the clause, `party CODE`, or `agreement`
    kind     the key under which such clauses stand; `parties`; `agreement`
    article  where the clause stands in the later text, or stood in the earlier one
    term     the field that changed, dotted; empty where the whole part was added or dropped
    before, after   the term in words; empty where there is none
    """

    part: str
    kind: str
    article: str
    what: What
    term: str
    before: str
    after: str

    @property
    def field(self) -> str:
        """The clause's own field that holds the term."""
        return self.term.split(".")[0].split("[")[0]

    @property
    def words_only(self) -> bool:
        """Whether the change is one of words, which no market notices."""
        return self.field in WORDS_ONLY

    @property
    def words(self) -> str:
        """The change in a sentence."""
        if not self.term:
            return f"{self.part} {self.what}: {self.after or self.before}"
        if self.what == "added":
            return f"{self.part}, {self.term} added: {self.after}"
        if self.what == "dropped":
            return f"{self.part}, {self.term} dropped: {self.before}"
        return f"{self.part}, {self.term}: {self.before} becomes {self.after}"


def diff(before: Agreement, after: Agreement) -> tuple[Change, ...]:
    """Every changed term: the agreement's own first, then parties, then clauses in the order of the later text."""
    return tuple(_own(before, after)) + tuple(_parties(before, after)) + tuple(_clauses(before, after))


def _own(before: Agreement, after: Agreement) -> Iterator[Change]:
    apart = {*APART, "parties", *KINDS}
    for key in type(after).model_fields:
        if key in apart:
            continue
        for term, old, new in _terms(before, after, key):
            yield _change("agreement", "agreement", "", term, old, new)


def _parties(before: Agreement, after: Agreement) -> Iterator[Change]:
    old = {party.code: party for party in before.parties}
    new = {party.code: party for party in after.parties}
    for code in [*(code for code in old if code not in new), *new]:
        part = f"party {code}"
        if code not in new:
            yield Change(part, "parties", "", "dropped", "", country(code), "")
        elif code not in old:
            yield Change(part, "parties", "", "added", "", "", country(code))
        else:
            for key in type(new[code]).model_fields:
                for term, first, second in _terms(old[code], new[code], key):
                    yield _change(part, "parties", "", term, first, second)


def _clauses(before: Agreement, after: Agreement) -> Iterator[Change]:
    for kind in KINDS:
        old: dict[str, Clause] = {clause.id: clause for clause in getattr(before, kind)}
        new: dict[str, Clause] = {clause.id: clause for clause in getattr(after, kind)}
        for name in [*(name for name in old if name not in new), *new]:
            clause = new.get(name) or old[name]
            if name not in new or name not in old:
                what: What = "added" if name in new else "dropped"
                said = summary(clause)
                yield Change(
                    name, kind, clause.article, what, "", "" if name in new else said, said if name in new else ""
                )
                continue
            for key in type(clause).model_fields:
                for term, first, second in _terms(old[name], new[name], key):
                    yield _change(name, kind, clause.article, term, first, second)


def summary(clause: Clause) -> str:
    """A clause in a line: what it is called, or the terms that it states."""
    if clause.title:
        return clause.title
    plain = {"id", "title", "article", "source", "illustrative", "rule", "note"}
    stated = [key for key in type(clause).model_fields if key in clause.model_fields_set and key not in plain]
    return ", ".join(f"{key.replace('_', ' ')} {field_in_words(clause, key)}" for key in stated)


def _change(part: str, kind: str, article: str, term: str, old: str, new: str) -> Change:
    what: What = "added" if not old else "dropped" if not new else "changed"
    return Change(part, kind, article, what, term, old, new)


def _terms(one: Term, other: Term, key: str) -> Iterator[tuple[str, str, str]]:
    """Where a field differs: the term's dotted name, and what it says in each, empty where it says nothing."""
    first, second = getattr(one, key), getattr(other, key)
    if first == second:
        return
    yield from _values(_name(type(other), key), first, second, _stated(one, key), _stated(other, key))


def _stated(model: Term, key: str) -> str:
    value = getattr(model, key)
    return (
        "" if value is None or (not isinstance(value, bool) and value in ("", (), {})) else field_in_words(model, key)
    )


def _values(name: str, first: Any, second: Any, old: str, new: str) -> Iterator[tuple[str, str, str]]:
    whole = isinstance(first, Quoted) and not isinstance(first, CostPlusPrice)  # a price is read as one
    if isinstance(first, Term) and type(first) is type(second) and not whole:
        for key in type(second).model_fields:
            for term, one, other in _terms(first, second, key):
                yield f"{name}.{term}", one, other
        return
    if isinstance(first, tuple) and isinstance(second, tuple) and (by := _told_apart(first, second)) is not None:
        olds, news = ({getattr(item, by): item for item in held} for held in (first, second))
        for item in [*(item for item in olds if item not in news), *news]:
            at = f"{name}[{item}]"
            if item not in news:
                yield at, in_words(olds[item]), ""
            elif item not in olds:
                yield at, "", in_words(news[item])
            elif olds[item] != news[item]:
                yield from _values(at, olds[item], news[item], in_words(olds[item]), in_words(news[item]))
        return
    yield name, old, new


def _told_apart(first: Sequence[Any], second: Sequence[Any]) -> str | None:
    """The field by which the items of two lists can be matched, if there is one."""
    items = [*first, *second]
    if not items or not all(isinstance(item, Term) for item in items):
        return None
    for key in NAMES:
        names = [[getattr(item, key, None) for item in held] for held in (first, second)]
        if all(None not in held and len(set(held)) == len(held) for held in names):
            return key
    return None


def _name(model: type[Term], key: str) -> str:
    return model.model_fields[key].alias or key
