"""The market as arrays: who can make what, who can buy it from whom, and what the base year looked like.

A `Network` is frozen and knows no policy beyond the duties and taxes of its base. `run` builds it from a world;
`policy.impose` adds an experiment. Four kinds of row: sources (a good made in a country, with a price), markets (a good
used in a country, with a cost index), routes (source to market) and activities (recipes that join markets to sources).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from friendshore.market.curves import Array, Demand, Index, Supply

Mask = NDArray[np.bool_]
Position = NDArray[np.uintp]


@dataclass(frozen=True)
class Built:
    """Capacity of an activity that was built since the base year, tonnes, and what each of them costs a year, USD.

    Its makers pay, or with `public` treasuries: the payers' in their shares, or that of the activity's country if there
    are none.
    """

    activity: int
    tonnes: float
    usd_t: float
    public: bool
    payers: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Network:
    """I sources, M markets, R routes (sorted by market, then source), K activities; masses in t, prices in USD/t.

    `log_share` is ln w0 and `delivered0` d0, so that V = V0 and w = w0 in the base; a latent route has a prior share. In
    homogeneous sourcing neither is used. `theta` is sigma over the mean base price of the market.
    """

    goods: tuple[str, ...]
    countries: tuple[str, ...]
    sourcing: Literal["logit", "homogeneous", "ces"]

    source_good: Index
    source_country: Index
    source_price: Array  # base price; the starting point where there is no base
    source_size: Array  # tonnes by which residuals are scaled
    source_floor: Array  # price below which joint output in glut is discarded

    market_good: Index
    market_country: Index
    theta: Array
    index0: Array  # V0
    demand: Demand

    route_source: Index
    route_market: Index
    log_share: Array
    delivered0: Array
    freight: Array
    premium: Array
    fob_valued: Array  # h: 1.0 where the importer's customs value leaves freight out
    tariff0: Array
    specific0: Array
    export_tax0: Array
    export_specific0: Array
    flow0: Array

    activities: tuple[str, ...]
    activity_country: Index
    supply: Supply
    capacity: Array
    fixed_cost: Array  # USD per tonne of level; by-product credits enter with a minus
    support: Array  # base support, USD per tonne of level
    support_holder: tuple[str, ...]

    out_activity: Index
    out_source: Index
    out_coef: Array
    in_activity: Index
    in_market: Index
    in_coef: Array

    recovery_activity: Index
    recovery_host: Index
    recovery_content: Array  # tonnes recoverable per tonne of host level

    stock_build: Array  # (M,) tonnes bought into stock, constant
    stock_release: Array  # (I,) tonnes sold out of stock, constant
    absolute: bool  # accounts are levels, not changes against a base

    # A customs union keeps a share of the duty with the importing country and passes the rest to its budget.
    kept_share: Array  # (countries,)
    budget: tuple[str, ...]  # (countries,) account that takes the rest

    built: tuple[Built, ...] = ()

    @cached_property
    def market_start(self) -> Index:
        """First route of each market; every market has at least one."""
        return np.searchsorted(self.route_market, np.arange(self.market_good.size)).astype(np.intp)

    @cached_property
    def route_good(self) -> Index:
        return self.market_good[self.route_market]

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        """One dense (markets x sources) block per good that is traded."""
        made = []
        for g in range(len(self.goods)):
            sources, markets = np.flatnonzero(self.source_good == g), np.flatnonzero(self.market_good == g)
            if sources.size == 0 or markets.size == 0:
                continue
            routes = np.flatnonzero(self.route_good == g)
            column = np.zeros(self.source_good.size, dtype=np.intp)
            column[sources] = np.arange(sources.size)
            row = np.zeros(self.market_good.size, dtype=np.intp)
            row[markets] = np.arange(markets.size)
            r, c = row[self.route_market[routes]], column[self.route_source[routes]]
            made.append(Block(g, _span(sources), _span(markets), _span(routes), r, c, r * sources.size + c))
        return tuple(made)

    @cached_property
    def spare(self) -> list[Array]:
        """Arrays by route that nobody looks at: fresh pages cost more than what is written to them."""
        return []

    @cached_property
    def positions(self) -> tuple[Position, Position, Position]:
        """Source and market of each route, and where each market's routes begin and the last ends, all unsigned."""
        starts = np.append(self.market_start, self.route_source.size)
        return self.route_source.astype(np.uintp), self.route_market.astype(np.uintp), starts.astype(np.uintp)

    @cached_property
    def leads(self) -> tuple[Position, Mask]:
        """For each market, the first source of its good, and whether every source of it serves the market."""
        lead, full = np.zeros(self.market_good.size, dtype=np.uintp), np.zeros(self.market_good.size, dtype=bool)
        for block in self.blocks:
            lead[block.markets], full[block.markets] = block.sources.start, block.full
        return lead, full

    @cached_property
    def start_price(self) -> Array:
        """Base price of each source; a typical price of the network where there is none."""
        known = self.source_price > 0.0
        return self.source_price if known.all() else np.where(known, self.source_price, self.typical_price)

    @cached_property
    def typical_price(self) -> float:
        """Where to begin when there is no base, USD/t."""
        known = np.concatenate([self.source_price, self.index0])
        known = known[np.isfinite(known) & (known > 0)]
        if known.size:
            return float(np.median(known))
        curve = self.demand
        linear = (curve.a > 0) & (curve.b > 0)
        if linear.any():
            return float(np.median(curve.a[linear] / curve.b[linear])) / 2.0
        freight = self.freight[self.freight > 0]
        return float(freight.mean()) if freight.size else 1.0

    @cached_property
    def attraction(self) -> Array:
        """Score of each route at a delivered price of zero, ln w0 + theta d0."""
        return self.log_share + self.theta[self.route_market] * self.delivered0

    @cached_property
    def routes_in(self) -> Index:
        """How many routes lead to each market."""
        return np.diff(self.market_start, append=self.route_source.size).astype(np.intp)

    @cached_property
    def routes_out(self) -> Index:
        """How many routes leave each source."""
        return np.bincount(self.route_source, minlength=self.source_good.size)

    @cached_property
    def stages(self) -> tuple[slice, ...]:
        """Sources in runs such that recipes join each run to the one before and the one after alone; one run if none are found.

        Goods are taken by their distance, in recipes, from the one with the fewest neighbours.
        """
        goods, whole = len(self.goods), (slice(0, self.source_good.size),)
        near: list[set[int]] = [set() for _ in range(goods)]
        for k in range(len(self.activities)):
            made, used = self.out_source[self.out_activity == k], self.in_market[self.in_activity == k]
            together = {*map(int, self.source_good[made]), *map(int, self.market_good[used])}
            for good in together:
                near[good] |= together
        distance = np.full(goods, -1)
        ring = {min(range(goods), key=lambda good: len(near[good]))}
        step = 0
        while ring:
            distance[list(ring)] = step
            ring = {other for good in ring for other in near[good] if distance[other] < 0}
            step += 1
        of_source = distance[self.source_good]
        if (of_source < 0).any() or (np.diff(of_source) < 0).any():
            return whole
        ends = np.searchsorted(of_source, np.arange(step + 1))
        return tuple(slice(int(a), int(b)) for a, b in pairwise(ends) if b > a)

    @cached_property
    def linked(self) -> Index:
        """The number of the component that every good, then every activity, belongs to by recipes and recovery bounds."""
        goods, activities = len(self.goods), len(self.activities)
        left = [self.out_activity + goods, self.in_activity + goods, self.recovery_activity + goods]
        right = [self.source_good[self.out_source], self.market_good[self.in_market], self.recovery_host + goods]
        rows, columns = np.concatenate(left), np.concatenate(right)
        graph = coo_array((np.ones(rows.size), (rows, columns)), shape=(goods + activities,) * 2)
        return connected_components(graph, directed=False)[1].astype(np.intp)

    def source_index(self) -> dict[tuple[str, str], int]:
        return {
            (self.goods[g], self.countries[c]): i
            for i, (g, c) in enumerate(zip(self.source_good, self.source_country, strict=True))
        }

    def market_index(self) -> dict[tuple[str, str], int]:
        return {
            (self.goods[g], self.countries[c]): i
            for i, (g, c) in enumerate(zip(self.market_good, self.market_country, strict=True))
        }


@dataclass(frozen=True)
class Block:
    """Where one good sits in the flat arrays. Spans are slices: sources, markets and routes are sorted by good."""

    good: int
    sources: slice
    markets: slice
    routes: slice
    row: Index  # of each route, within the block
    column: Index
    cell: Index

    @property
    def full(self) -> bool:
        """Whether every source serves every market."""
        rows, columns = self.shape
        return bool(self.routes.stop - self.routes.start == rows * columns)

    @property
    def shape(self) -> tuple[int, int]:
        return self.markets.stop - self.markets.start, self.sources.stop - self.sources.start

    def dense(self, values: NDArray[np.floating[Any]]) -> NDArray[Any]:
        """Route values of this good as a (markets, sources) matrix, zero where there is no route."""
        rows, columns = self.shape
        part = values[self.routes]
        if part.size == rows * columns:
            return part.reshape(rows, columns)
        out = np.zeros(rows * columns)
        out[self.cell] = part
        return out.reshape(rows, columns)


def _span(rows: Index) -> slice:
    if rows.size and rows[-1] - rows[0] + 1 != rows.size:
        raise AssertionError("sources, markets and routes must be sorted by good")
    return slice(int(rows[0]), int(rows[-1]) + 1) if rows.size else slice(0, 0)
