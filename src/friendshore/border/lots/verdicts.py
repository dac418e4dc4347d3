"""Which rule each lot meets, for all lots at once: the tests of `origin_rules` as columns carried along the graph.

Three values as on a bill: yes, no, open. Codes and value are asked of each conversion in turn, its inputs being the area's
own where the same rule said so of them. Proofs and net costs are not told of lots.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from friendshore.border.lots.checks import yields
from friendshore.border.lots.graph import Graph, ranges, sweep
from friendshore.border.lots.tables import Book, Floats, Ints
from friendshore.origin_rules.rule import (
    LEVELS,
    STAGES,
    Conflict,
    Content,
    Entities,
    LastTransformation,
    Materials,
    Rule,
    Stages,
    TariffShift,
    Test,
    ValueContent,
    WhollyObtained,
)

if TYPE_CHECKING:
    import polars as pl

Verdicts = NDArray[np.int8]
YES, OPEN, NO, NOT_ASKED = 1, 0, -1, 2
WORDS: Mapping[int, str] = {YES: "qualifies", OPEN: "cannot be said", NO: "does not", NOT_ASKED: "not asked"}
TRACE = 1e-9  # a share below this is rounding


@dataclass(frozen=True)
class _Case:
    """What every test reads: the book, its graph, the parties."""

    book: Book
    graph: Graph
    parties: frozenset[str]
    lots: int
    lot_at: Ints  # (N,) where each lot stands in the order
    root_at: Ints  # where the traced roots stand
    roots: Ints  # which lots they are
    turn_at: Ints  # where the traced conversions stand
    turns: Ints  # which conversions they are


def verdicts(book: Book, graph: Graph, rule: Rule, parties: frozenset[str], day: date) -> Verdicts:
    """(N,) what a rule says of each lot on a day: 1 yes, 0 open, -1 no, 2 not asked.

    Not asked are all lots on a day on which the rule is silent, and lots of goods that it does not speak about; lots that
    are not traced are open.
    """
    lots = len(book.lot)
    found = np.full(lots, NOT_ASKED, dtype=np.int8)
    term = rule.on(day)
    if term is None:
        return found
    asked = np.ones(lots, dtype=bool) if rule.covers is None else _matching(book, rule.covers)
    case = _case(book, graph, frozenset(rule.parties) or parties)
    answer = _in_turn(term.test, case) if rule.words() & {"tariff_shift", "value_content"} else _test(term.test, case)
    answer[graph.at[:lots] < 0] = OPEN
    found[asked] = answer[asked]
    return found


def conflicts(found: Mapping[str, Verdicts], known: Iterable[Conflict]) -> dict[str, NDArray[np.bool_]]:
    """(N,) by conflict: the lots on which the laws that it names say what it asks."""
    wanted = {"qualifies": YES, "does not": NO}
    return {
        one.id: np.logical_and.reduce([found[side.rule] == wanted[side.verdict] for side in one.holds])
        for one in known
        if all(side.rule in found for side in one.holds)
    }


def _case(book: Book, graph: Graph, parties: frozenset[str]) -> _Case:
    lots = len(book.lot)
    roots = np.flatnonzero(~book.made & (graph.at[:lots] >= 0))
    turns = np.flatnonzero(graph.at[lots:] >= 0)
    return _Case(
        book=book, graph=graph, parties=parties, lots=lots, lot_at=graph.at[:lots], roots=roots,
        root_at=graph.at[roots], turns=turns, turn_at=graph.at[lots + turns],
    )  # fmt: skip


def _matching(book: Book, materials: Materials) -> NDArray[np.bool_]:
    """(N,) lots under the codes, or whose good names one of the minerals."""
    held = book.column("hs")
    found = np.zeros(len(book.lot), dtype=bool)
    if held is not None:
        for code in materials.hs:
            found |= held.str.starts_with(code).fill_null(value=False).to_numpy()
    for mineral in materials.minerals:
        found |= book.lots["good"].str.contains(mineral, literal=True).to_numpy()
    return found


# -- the tests ------------------------------------------------------------------------------------------------------


def _test(test: Test, case: _Case) -> Verdicts:
    if test.every is not None:
        return np.asarray(np.minimum.reduce([_test(part, case) for part in test.every]), dtype=np.int8)
    if test.either is not None:
        return np.asarray(np.maximum.reduce([_test(part, case) for part in test.either]), dtype=np.int8)
    return _TESTS[test.word](getattr(test, test.word), case)


def _allowed(case: _Case, allows: Callable[[str], bool]) -> NDArray[np.bool_]:
    """Whether each country of the book is allowed; one more for no country."""
    return np.array([*(allows(code) for code in case.book.countries), False])


def _doing(case: _Case, stages: Iterable[str] = STAGES) -> NDArray[np.bool_]:
    """Which traced conversions carry out one of the stages."""
    wanted, recipes = set(stages), case.book.recipes
    does = np.array(
        [*(name in recipes and bool(wanted & set(recipes[name].stages)) for name in case.book.processes), False]
    )
    return does[case.book.process[case.turns]]


def _judged(bad: Floats, told: Floats, case: _Case) -> Verdicts:
    """No where any part is bad, open where not all is told, yes otherwise."""
    found = np.full(case.lots, YES, dtype=np.int8)
    at = case.lot_at
    found[told[at] < 1.0 - TRACE] = OPEN
    found[bad[at] > TRACE] = NO
    return found


def _swept(case: _Case, own: Floats, rows: Ints, values: Floats, kinds: NDArray[np.bool_]) -> Floats:
    """A sweep in which some nodes set some columns themselves.

    own : (M, K) what roots have; rows : (R,) nodes that set columns; values : (R, K); kinds : (R, K) which they set
    """
    place = np.full(len(case.graph.order), -1)
    place[rows] = np.arange(len(rows))

    def reset(level: Ints, held: Floats) -> None:
        here = place[level]
        setting = np.flatnonzero(here >= 0)
        if len(setting):
            row, source = level[setting], here[setting]
            held[row] = np.where(kinds[source], values[source], held[row])

    return sweep(case.graph, own, reset)


def _stages(test: Stages, case: _Case) -> Verdicts:
    """Each stage was told and done where it may be: what was done wrongly stays wrong, what was told is told.

    Columns: the part with each stage done wrongly, the part of which each is told, the part last worked wrongly.
    """
    book, names, count = case.book, test.names, len(test.names)
    allowed = _allowed(case, lambda code: test.where.allows(code, case.parties))
    looked = np.ones(case.lots, dtype=bool) if test.of is None else _matching(book, test.of)
    origin, recycled, looked = book.origin[case.roots], book.recycled[case.roots], looked[case.roots]
    free = _spared(test, case)[origin] & recycled & (origin >= 0)
    wrong = (origin >= 0) & ~allowed[origin] & looked & ~free
    own = np.zeros((len(case.graph.order), 2 * count + 1))
    for k, name in enumerate(names):
        begins = (origin >= 0) & (recycled if name == "recycled" else ~recycled & (name in ("mined", "produced")))
        own[case.root_at, k] = (begins & wrong & (name != "produced")).astype(float)
        own[case.root_at, count + k] = (begins | free | ~looked).astype(float)
    own[case.root_at, 2 * count] = wrong.astype(float)
    rows = np.flatnonzero(_doing(case))
    bad = ~allowed[book.place[case.turns[rows]]]
    values, kinds = np.zeros((len(rows), 2 * count + 1)), np.zeros((len(rows), 2 * count + 1), dtype=bool)
    values[:, count : 2 * count] = 1.0
    for k, name in enumerate(names):
        does = _doing(case, [name])[rows]
        values[:, k], kinds[:, k] = (does & bad).astype(float), does & bad
        kinds[:, count + k] = does | (name == "produced")
    values[:, 2 * count], kinds[:, 2 * count] = bad.astype(float), True
    held = _swept(case, own, case.turn_at[rows], values, kinds)
    last = held[:, 2 * count] if "produced" in names else np.zeros(len(held))
    return _judged(np.maximum(held[:, :count].max(axis=1), last), held[:, count : 2 * count].min(axis=1), case)


def _spared(test: Stages, case: _Case) -> NDArray[np.bool_]:
    """The countries whose scrap needs no earlier history."""
    named = frozenset(test.spares_recycled_in)
    area = (named - {"parties"}) | (case.parties if "parties" in named else frozenset())
    return _allowed(case, lambda code: code in area)


def _last_transformation(test: LastTransformation, case: _Case) -> Verdicts:
    """All of it had the last of the stages done where it may be."""
    allowed = _allowed(case, lambda code: test.where.allows(code, case.parties))
    book = case.book
    own = np.zeros((len(case.graph.order), 2))  # bad, told
    origin, recycled = book.origin[case.roots], book.recycled[case.roots]
    counted = np.where(recycled, "recycled" in test.stages, "mined" in test.stages) & (origin >= 0)
    own[case.root_at, 0] = (counted & ~allowed[origin]).astype(float)
    own[case.root_at, 1] = counted.astype(float)
    doing = np.flatnonzero(_doing(case, test.stages))
    values = np.column_stack([(~allowed[book.place[case.turns[doing]]]).astype(float), np.ones(len(doing))])
    held = _swept(case, own, case.turn_at[doing], values, np.ones((len(doing), 2), dtype=bool))
    return _judged(held[:, 0], held[:, 1], case)


def _wholly_obtained(_: WhollyObtained, case: _Case) -> Verdicts:
    """All of it comes from the area's ground or scrap, and every conversion was in the area."""
    inside = _allowed(case, lambda code: code in case.parties)
    own = np.zeros((len(case.graph.order), 2))
    origin = case.book.origin[case.roots]
    own[case.root_at, 0] = ((origin >= 0) & ~inside[origin]).astype(float)
    own[case.root_at, 1] = (origin >= 0).astype(float)
    outside = np.flatnonzero(~inside[case.book.place[case.turns]])
    values = np.column_stack([np.ones(len(outside)), np.zeros(len(outside))])
    kinds = np.column_stack([np.ones(len(outside), bool), np.zeros(len(outside), bool)])
    held = _swept(case, own, case.turn_at[outside], values, kinds)
    return _judged(held[:, 0], held[:, 1], case)


def _entities(test: Entities, case: _Case) -> Verdicts:
    """No part of it was made by somebody who is barred; a maker who is not told of leaves it open."""
    bad, told = _makers(test, case.book)
    if test.of is not None:
        looked = _matching(case.book, test.of)
        bad, told = bad & looked, told | ~looked
    traced = np.flatnonzero(case.lot_at >= 0)
    own = np.zeros((len(case.graph.order), 2))
    roots = np.zeros(case.lots, dtype=bool)
    roots[case.roots] = True
    own[case.root_at, 1] = 1.0
    setting = traced[(bad | ~told | roots)[traced]]
    values = np.column_stack([bad[setting].astype(float), told[setting].astype(float)])
    kinds = np.column_stack([bad[setting], ~told[setting]])
    held = _swept(case, own, case.lot_at[setting], values, kinds)
    return _judged(held[:, 0], held[:, 1], case)


def _makers(test: Entities, book: Book) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """(N,) whether the lot's maker is barred, and whether enough is told to say so: what no owner is told of might be theirs."""

    def held(name: str) -> pl.Series | None:
        return book.column(name)

    count, limit = len(book.lot), float(test.share)
    bad, told = np.zeros(count, dtype=bool), np.zeros(count, dtype=bool)
    if (share := held("held_share")) is not None:
        part, owner = share.fill_null(0.0).to_numpy(), held("held_from")
        theirs = np.zeros(count, dtype=bool)
        if owner is not None:
            theirs = owner.is_in(list(test.concern)).fill_null(value=False).to_numpy()
        bad |= theirs & (part >= limit)
        rest = np.where(part > 0, np.where(theirs, part, 0.0) + 1.0 - part, 0.0)  # what might be theirs
        told = share.is_not_null().to_numpy() & (rest < limit)
    seat = held("maker_country")
    if test.seat_bars:
        told &= seat is not None and seat.is_not_null().to_numpy()
        if seat is not None:
            bad |= seat.is_in(list(test.concern)).fill_null(value=False).to_numpy()
    if (maker := held("maker")) is not None and test.listed:
        bad |= maker.is_in(list(test.listed)).fill_null(value=False).to_numpy()
    return bad, told | bad


def _content(test: Content, case: _Case) -> Verdicts:
    """The share of each lot that comes from the countries counted, by mass, or by value where lots have one."""
    counted = _allowed(case, lambda code: test.counts(code, case.parties))
    if test.by == "mass" or test.share_of == "materials":
        return _content_by_mass(test, case, counted)
    return _content_by_value(test, case, counted)


def _content_by_mass(test: Content, case: _Case, counted: NDArray[np.bool_]) -> Verdicts:
    looked = np.ones(case.lots, dtype=bool) if test.of is None else _matching(case.book, test.of)
    origin = case.book.origin[case.roots]
    own = np.zeros((len(case.graph.order), 2))  # counted for sure, and perhaps
    own[case.root_at, 0] = ((origin >= 0) & counted[origin] & looked[case.roots]).astype(float)
    own[case.root_at, 1] = ((origin < 0) & looked[case.roots]).astype(float)
    held = sweep(case.graph, own)
    return _below(held[case.lot_at, 0], held[case.lot_at, 1], float(test.below))


def _below(surely: Floats, perhaps: Floats, limit: float) -> Verdicts:
    found = np.full(len(surely), YES, dtype=np.int8)
    found[surely + perhaps >= limit] = OPEN
    found[surely >= limit] = NO
    return found


def _content_by_value(test: Content, case: _Case, counted: NDArray[np.bool_]) -> Verdicts:
    """Value of materials counted, in every lot that they went into, over the lot's own value.

    A lot under the codes that was last worked in a country counted brings its whole value; others what came in with
    their inputs. Per gram traced, a conversion's mixture grows dearer as its yield falls.
    """
    book, graph = case.book, case.graph
    per_gram = _worth(book) / book.held_g
    looked = np.ones(case.lots, dtype=bool) if test.of is None else _matching(book, test.of)
    factor = np.ones(len(graph.order))
    factor[case.turn_at] = _dearer(book)[case.turns]
    own = np.zeros((len(graph.order), 4))  # part last worked there, part not told, USD a gram from there, part unpriced
    origin = book.origin[case.roots]
    own[case.root_at, 0] = ((origin >= 0) & counted[origin]).astype(float)
    own[case.root_at, 1] = (origin < 0).astype(float)
    works, there = np.zeros(len(graph.order), dtype=bool), np.zeros(len(graph.order))
    works[case.turn_at] = _doing(case)
    there[case.turn_at] = counted[book.place[case.turns]]
    lot_of = np.full(len(graph.order), -1)
    lot_of[case.lot_at[case.lot_at >= 0]] = np.flatnonzero(case.lot_at >= 0)

    def reset(level: Ints, held: Floats) -> None:
        worked = level[works[level]]
        held[worked, 0], held[worked, 1] = there[worked], 0.0
        held[level, 2] *= factor[level]
        mine = level[lot_of[level] >= 0]
        mine = mine[looked[lot_of[mine]]]
        price = per_gram[lot_of[mine]]
        theirs, open_, unpriced = held[mine, 0], held[mine, 1], np.isnan(price)
        held[mine, 2] = held[mine, 2] * (1.0 - theirs) + np.where(unpriced, 0.0, price) * theirs
        held[mine, 3] = np.minimum(1.0, held[mine, 3] * (1.0 - theirs) + np.where(unpriced, theirs, 0.0) + open_)

    held = sweep(graph, own, reset)[case.lot_at]
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(held[:, 2] > 0, held[:, 2] / per_gram, 0.0)  # not a number where the lot has no value
    found = np.full(case.lots, YES, dtype=np.int8)
    found[(held[:, 3] > TRACE) | np.isnan(share)] = OPEN
    found[np.nan_to_num(share, nan=0.0) >= float(test.below)] = NO
    return found


def _dearer(book: Book) -> Floats:
    """(C,) how much dearer a gram is behind a conversion than before it, from its losses alone."""
    into, out, _ = yields(book)
    return np.divide(into, out, out=np.zeros(len(into)), where=out > 0)


# -- codes and value, conversion by conversion ------------------------------------------------------------------------


@dataclass(frozen=True)
class _Outputs:
    """The outputs of one level (R rows of the conversions table) and, in pairs, what went into each (Q pairs).

    lot : (R,) the lot given; price : (R,) its value, in proportion to the row; into : (Q,) which output, of : (Q,) which
    lot went in (-1 unknown); value : (Q,) USD of it in that output
    """

    lot: Ints
    price: Floats
    into: Ints
    of: Ints
    value: Floats

    def summed(self, which: NDArray[np.bool_]) -> Floats:
        """(R,) the value of some of the pairs."""
        return np.bincount(self.into[which], weights=self.value[which], minlength=len(self.lot)).astype(float)


def _in_turn(test: Test, case: _Case) -> Verdicts:
    """What a rule on codes and value says of each lot, level by level, what it said of the inputs being known by then.

    A root is the area's own if it comes from there. What is only blended or moved is own if all that went in is.
    """
    book, graph = case.book, case.graph
    inside = _allowed(case, lambda code: code in case.parties)
    found = np.full(case.lots, OPEN, dtype=np.int8)
    origin = book.origin[case.roots]
    found[case.roots] = np.where(origin < 0, OPEN, np.where(inside[origin], YES, NO))
    still = {id(leaf): _test(leaf, case) for leaf in test.leaves() if leaf.word in _TESTS}
    stage = np.zeros(len(book.conversion), dtype=bool)
    stage[case.turns] = _doing(case)
    inputs = np.argsort(book.in_of, kind="stable")
    starts = np.searchsorted(book.in_of[inputs], np.arange(len(book.conversion) + 1))
    outputs = np.flatnonzero(book.out_lot >= 0)
    outputs = outputs[graph.at[book.out_lot[outputs]] >= 0]
    level = np.searchsorted(graph.bounds, graph.at[book.out_lot[outputs]], side="right") - 1
    order = np.argsort(level, kind="stable")
    parts = np.split(outputs[order], np.flatnonzero(np.diff(level[order])) + 1) if len(outputs) else []
    worth, given = _worth(book), _given(book)
    for rows in parts:
        pairs = _outputs(book, rows, inputs, starts, worth, given)
        answer = _level(test, case, pairs, found, still)
        worked = stage[book.out_of[rows]]
        answer[~inside[book.place[book.out_of[rows]]] & worked] = NO
        kept = _all_own(pairs, found)
        answer = np.where(worked, answer, kept).astype(np.int8)
        lots = book.out_lot[rows]
        found[lots] = YES
        np.minimum.at(found, lots, answer)
    return found


def _worth(book: Book) -> Floats:
    """(N,) USD of each lot, not a number where it is not told."""
    value = book.column("value_usd")
    return np.full(len(book.lot), np.nan) if value is None else value.cast(float).fill_null(np.nan).to_numpy()


def _given(book: Book) -> Floats:
    """(C,) grams of what is traced that each conversion gave."""
    return yields(book)[1]


def _outputs(book: Book, rows: Ints, inputs: Ints, starts: Ints, worth: Floats, given: Floats) -> _Outputs:
    of, lot = book.out_of[rows], book.out_lot[rows]
    taken = inputs[ranges(starts[of], starts[of + 1])]
    into = np.repeat(np.arange(len(rows)), starts[of + 1] - starts[of])
    share = book.out_g[rows] * book.content[lot] / given[of]
    went = book.in_lot[taken]
    known = went >= 0
    value = np.full(len(taken), np.nan)
    value[known] = worth[went[known]] * book.in_g[taken[known]] / book.mass_g[went[known]] * share[into[known]]
    return _Outputs(lot, worth[lot] * book.out_g[rows] / book.mass_g[lot], into, went, value)


def _own(pairs: _Outputs, found: Verdicts) -> Verdicts:
    """(Q,) whether what went in is the area's own; open where the lot is unknown."""
    return np.where(pairs.of >= 0, found[pairs.of], OPEN).astype(np.int8)


def _all_own(pairs: _Outputs, found: Verdicts) -> Verdicts:
    least = np.full(len(pairs.lot), YES, dtype=np.int8)
    np.minimum.at(least, pairs.into, _own(pairs, found))
    return least


def _level(test: Test, case: _Case, pairs: _Outputs, found: Verdicts, still: Mapping[int, Verdicts]) -> Verdicts:
    if test.every is not None:
        parts = [_level(part, case, pairs, found, still) for part in test.every]
        return np.asarray(np.minimum.reduce(parts), dtype=np.int8)
    if test.either is not None:
        parts = [_level(part, case, pairs, found, still) for part in test.either]
        return np.asarray(np.maximum.reduce(parts), dtype=np.int8)
    if test.tariff_shift is not None:
        return _shift(test.tariff_shift, case, pairs, found)
    if test.value_content is not None:
        return _value(test.value_content, pairs, found)
    return still[id(test)][pairs.lot]


def _value(test: ValueContent, pairs: _Outputs, found: Verdicts) -> Verdicts:
    """The area's share of the price, in the least and in the best case; open where a value is not told."""
    own = _own(pairs, found)
    foreign, open_, mine = pairs.summed(own == NO), pairs.summed(own == OPEN), pairs.summed(own == YES)
    if test.method == "net_cost" or test.own_costs:
        return np.zeros(len(pairs.lot), dtype=np.int8)
    if test.method == "build_up":
        least, best = mine / pairs.price, (mine + open_) / pairs.price
    else:
        least, best = 1 - (foreign + open_) / pairs.price, 1 - foreign / pairs.price
    limit = float(test.at_least)
    answer = np.full(len(pairs.lot), OPEN, dtype=np.int8)
    answer[least >= limit - TRACE] = YES
    answer[best < limit - TRACE] = NO
    return answer


def _shift(test: TariffShift, case: _Case, pairs: _Outputs, found: Verdicts) -> Verdicts:
    """What went in from outside under the product's own code, but for what is tolerated."""
    codes = case.book.column("hs")
    if codes is None:
        return np.zeros(len(pairs.lot), dtype=np.int8)
    heading = codes.str.slice(0, LEVELS[test.level]).cast(int, strict=False).fill_null(-1).to_numpy()
    barred = np.zeros(case.lots, dtype=bool)
    for code in test.except_from:
        barred |= codes.str.starts_with(code).fill_null(value=False).to_numpy()
    own = _own(pairs, found)
    to, of = heading[pairs.lot[pairs.into]], np.where(pairs.of >= 0, heading[pairs.of], -1)
    untold = (to < 0) | (of < 0)
    stays = untold | (to == of) | (barred[pairs.of] & (pairs.of >= 0))
    sure, perhaps = stays & ~untold & (own == NO), stays & (own != YES) & (untold | (own == OPEN))
    count = len(pairs.lot)
    some, more = np.bincount(pairs.into[sure], minlength=count), np.bincount(pairs.into[perhaps], minlength=count)
    answer = np.where(some > 0, NO, np.where(more > 0, OPEN, YES)).astype(np.int8)
    if test.tolerance:
        share, open_ = pairs.summed(sure) / pairs.price, pairs.summed(sure | perhaps) / pairs.price
        limit = float(test.tolerance) + TRACE
        answer[(some > 0) & ~(share > limit)] = OPEN  # not a number where a value is not told
        answer[open_ <= limit] = YES
    return answer


_TESTS: Mapping[str, Callable[..., Verdicts]] = {
    "stages": _stages,
    "last_transformation": _last_transformation,
    "content": _content,
    "wholly_obtained": _wholly_obtained,
    "entities": _entities,
}
