"""Shares traced through smelters, blends and scrap by mass balance: every output of a conversion is the same mixture.

Nodes are lots and conversions. A conversion's mixture is the mean of its inputs by what they hold; a lot's is that of the
conversions that give it. In topological order this is one sweep over a sparse matrix, level by level. What stands on a
circle has no order and is not traced.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from friendshore.border.lots.tables import Book, Floats, Ints

if TYPE_CHECKING:
    from scipy.sparse import csr_array

BLOCK = 8  # countries at a time: eight columns of all nodes are in memory together
UNKNOWN = "?"  # what has no stated origin

Reset = Callable[[Ints, Floats], None]


@dataclass(frozen=True)
class Graph:
    """The order and the weights of lots and conversions.

    Parameters
    ----------
    order : (M,) nodes that can be traced, level by level; node n < N is lot n, node N + c is conversion c
    bounds : (L + 1,) where each level begins in `order`
    weights : (M, M) sparse; row k is what node order[k] takes from which node, both numbered by `order`; rows add to one
        but for what comes from unknown lots
    at : (N + C,) where a node stands in `order`, -1 where it is not traced
    circular : (N,) lots that stand on a circle
    """

    order: Ints
    bounds: Ints
    weights: csr_array
    at: Ints
    circular: NDArray[np.bool_]

    @property
    def depth(self) -> int:
        """The number of levels."""
        return len(self.bounds) - 1


def graph_of(book: Book) -> Graph:
    """The graph of a book, in topological order (Kahn 1962), level by level."""
    from scipy.sparse import csr_array

    lots, nodes = len(book.lot), len(book.lot) + len(book.conversion)
    child, parent, weight = _edges(book)
    forward = csr_array((np.ones(len(child), np.int8), (parent, child)), shape=(nodes, nodes))
    # an edge that stands twice (a lot taken in two rows) is one edge here
    waiting = np.bincount(forward.indices, minlength=nodes)
    levels = list(_levels(forward.indptr.astype(np.int64), forward.indices.astype(np.int64), waiting))
    order = np.concatenate(levels) if levels else np.zeros(0, np.int64)
    at = np.full(nodes, -1)
    at[order] = np.arange(len(order))
    held = (at[child] >= 0) & (at[parent] >= 0)
    weights = csr_array((weight[held], (at[child[held]], at[parent[held]])), shape=(len(order), len(order)))
    bounds = np.cumsum([0, *(len(level) for level in levels)])
    return Graph(order, bounds, weights, at, _circular(child, parent, at, lots, nodes))


def _edges(book: Book) -> tuple[Ints, Ints, Floats]:
    """Child, parent and weight of every edge: conversion from lot by what it takes in, lot from conversion by mass."""
    lots = len(book.lot)
    known = book.in_lot >= 0
    taken = book.in_g * np.where(known, book.content[book.in_lot], 1.0)
    whole = np.bincount(book.in_of, weights=taken, minlength=len(book.conversion))
    share = taken / whole[book.in_of]
    given = book.out_lot >= 0
    out_lot, out_of, out_g = book.out_lot[given], book.out_of[given], book.out_g[given].astype(float)
    total = np.bincount(out_lot, weights=out_g, minlength=lots)
    child = np.concatenate([lots + book.in_of[known], out_lot])
    parent = np.concatenate([book.in_lot[known], lots + out_of])
    return child, parent, np.concatenate([share[known], out_g / total[out_lot]])


def _levels(start: Ints, targets: Ints, waiting: Ints) -> Iterator[Ints]:
    """Nodes whose parents are all done, level after level."""
    waiting = waiting.copy()
    front = np.flatnonzero(waiting == 0)
    while len(front):
        yield front
        reached = targets[ranges(start[front], start[front + 1])]
        if len(reached) * 4 > len(waiting):
            waiting -= np.bincount(reached, minlength=len(waiting))
            seen = np.zeros(len(waiting), dtype=bool)
            seen[reached] = True
            front = np.flatnonzero(seen & (waiting == 0))
        else:
            nodes, times = np.unique(reached, return_counts=True)
            waiting[nodes] -= times
            front = nodes[waiting[nodes] == 0]


def ranges(first: Ints, last: Ints) -> Ints:
    """The numbers of several ranges, one after another.

    >>> ranges(np.array([0, 5]), np.array([2, 8])).tolist()
    [0, 1, 5, 6, 7]
    """
    length = last - first
    ends = np.cumsum(length)
    return np.repeat(last - ends, length) + np.arange(ends[-1] if len(ends) else 0)


def _circular(child: Ints, parent: Ints, at: Ints, lots: int, nodes: int) -> NDArray[np.bool_]:
    """Lots of strongly connected parts of more than one node, among those that have no order."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    found = np.zeros(lots, dtype=bool)
    left = np.flatnonzero(at < 0)
    if not len(left):
        return found
    number = np.full(nodes, -1)
    number[left] = np.arange(len(left))
    inside = (number[child] >= 0) & (number[parent] >= 0)
    pairs = (np.ones(inside.sum(), np.int8), (number[parent[inside]], number[child[inside]]))
    count, part = connected_components(csr_array(pairs, shape=(len(left), len(left))), connection="strong")
    large = np.bincount(part, minlength=count) > 1
    round_ = left[large[part]]
    found[round_[round_ < lots]] = True
    return found


def sweep(graph: Graph, start: Floats, reset: Reset | None = None) -> Floats:
    """Values carried along the graph: X[level] = weights @ X + start, level after level.

    Parameters
    ----------
    start : (M, K) by `order`; what a node has of its own, nought where it takes all from its parents. Changed in place.
    reset : told the rows of a level, by `order`, and the values so far; it may write the rows

    Returns
    -------
    (M, K) the values, by `order`
    """
    from scipy.sparse import csr_array

    values, w = start, graph.weights
    for first, last in zip(graph.bounds[:-1].tolist(), graph.bounds[1:].tolist(), strict=True):
        if first:
            a, b = w.indptr[first], w.indptr[last]
            part = csr_array(
                (w.data[a:b], w.indices[a:b], w.indptr[first : last + 1] - a), shape=(last - first, w.shape[1])
            )
            values[first:last] += part @ values
        if reset is not None:
            reset(np.arange(first, last), values)
    return values


@dataclass(frozen=True)
class Origins:
    """What each lot holds of which origin.

    Parameters
    ----------
    countries : (K,) origins; the last is `?`, what has no stated origin
    shares : (N, K) sparse; rows add to one for every lot that is traced, rows of others are empty
    traced : (N,)
    """

    countries: tuple[str, ...]
    shares: csr_array
    traced: NDArray[np.bool_]


def origins(book: Book, graph: Graph) -> Origins:
    """The share of each origin in what each lot holds."""
    from scipy.sparse import coo_array

    lots = len(book.lot)
    own = np.where(book.made, -1, book.origin)
    names = [*np.unique(own[own >= 0]).tolist()]
    rows, columns, found = [], [], []
    at = graph.at[:lots]
    traced = at >= 0
    known = np.zeros(len(graph.order))
    for first in range(0, len(names), BLOCK):
        block = names[first : first + BLOCK]
        start = np.zeros((len(graph.order), len(block)))
        for k, code in enumerate(block):
            roots = np.flatnonzero((own == code) & traced)
            start[at[roots], k] = 1.0
        values = sweep(graph, start)
        known += values.sum(axis=1)
        held = values[at[traced]]
        lot, column = np.nonzero(held)
        rows.append(np.flatnonzero(traced)[lot])
        columns.append(column + first)
        found.append(held[lot, column])
    rest = 1.0 - known[at[traced]]
    open_ = np.flatnonzero(rest > 1e-12)
    rows.append(np.flatnonzero(traced)[open_])
    columns.append(np.full(len(open_), len(names)))
    found.append(rest[open_])
    shape = (lots, len(names) + 1)
    shares = coo_array((np.concatenate(found), (np.concatenate(rows), np.concatenate(columns))), shape=shape).tocsr()
    return Origins((*(book.countries[code] for code in names), UNKNOWN), shares, traced)
