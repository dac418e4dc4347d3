"""An experiment as arrays over a network: which route pays what, which tonnes are limited, who is paid to produce.

`impose` reads wedges, in order, on top of the base duties that the network carries. It knows no instrument; a network
file and an agreement arrive here as the same values.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from friendshore import faces
from friendshore.errors import InputRefused
from friendshore.market.curves import Array, Index, Tranches, slice_supply, sum_by
from friendshore.market.network import Mask, Network


@dataclass(frozen=True)
class Group:
    """Routes limited together: a quota, a tariff-rate quota or a corridor."""

    clause: str
    routes: Index
    tonnes: float
    owner: str


@dataclass(frozen=True)
class RateGroup(Group):
    """Routes under a tariff-rate quota, with the rate on tonnes within it and beyond."""

    rate_in: float
    rate_out: float


@dataclass(frozen=True)
class Overflow(Group):
    """Routes that fill a corridor and go the old way beyond it: every tonne pays the old freight, `tonnes` of it save."""

    saving_usd_t: float


@dataclass(frozen=True)
class Priced:
    """Take-or-pay tonnes on one route at max(floor, min(p, cap) + upside * max(0, p - cap)), p the seller's price."""

    clause: str
    route: int
    tonnes: float
    floor: float
    cap: float
    upside: float

    def paid(self, price: float) -> float:
        """USD/t that the buyer pays at the seller's gate."""
        return max(self.floor, min(price, self.cap) + self.upside * max(0.0, price - self.cap))

    def slope(self, price: float) -> float:
        """How much more a dollar on the market price makes the buyer pay."""
        if self.paid(price) <= self.floor:
            return 0.0
        return 1.0 if price < self.cap else self.upside


@dataclass(frozen=True)
class Policy:
    """All (R,) arrays are by route, (T,) by supply tranche, (O,) by tranche output, (M,) by market; USD/t and tonnes."""

    open: Mask
    freight: Array
    tariff: Array
    specific: Array
    export_tax: Array
    export_specific: Array
    reference: Array  # -inf where no floor stands
    gap_on_cif: Mask
    phase: Array
    exporter_share: Array
    dispersion: Array  # standard deviation, USD/t
    floor_clause: tuple[str, ...]
    floor_index: Index  # (R,) row of floor_clause, -1 where none

    offtake: Array
    quotas: tuple[Group, ...]
    rate_quotas: tuple[RateGroup, ...]
    corridors: tuple[Group, ...]
    overflows: tuple[Overflow, ...]
    priced: tuple[Priced, ...]
    purchases: Array  # (M,) reserve net purchases
    reserve_holder: tuple[tuple[int, float, str, str], ...]  # market, tonnes, owner, clause

    tranche_activity: Index
    tranches: Tranches
    out_tranche: Index
    out_source: Index
    out_coef: Array
    subsidy: Array
    strike: Array  # -inf where no contract
    upside: Array  # share of the price above the strike that stays with the producer
    strike_dispersion: Array
    in_tranche: Index
    in_market: Index
    in_coef: Array
    subsidy_terms: tuple[tuple[Index, float, tuple[tuple[str, float], ...], str], ...]
    contract_terms: tuple[tuple[Index, tuple[tuple[str, float], ...], str], ...]
    paid_by_users: frozenset[str]  # clauses whose subsidies users pay

    @cached_property
    def closed(self) -> Index:
        """Routes that are not open."""
        return np.flatnonzero(~self.open)

    @cached_property
    def promised(self) -> Index:
        """Routes with take-or-pay tonnes."""
        return np.flatnonzero(self.offtake)


def impose(network: Network, wedges: Iterable[faces.Wedge], *, full: frozenset[int] = frozenset()) -> Policy:
    """The arrays of `wedges` on `network`.

    A replacing tariff or export tax takes the place of the base term, an adding one comes on top. Where two price gaps
    name one route, the higher reference holds. A quota of zero tonnes closes its routes. `full` are the places in `wedges`
    of corridors with a way around that are known to overflow: what decides there is the old freight.
    """
    wedges = list(wedges)
    lanes = Lanes(network)
    routes = network.route_source.size
    open_, freight = np.ones(routes, dtype=bool), network.freight.copy()
    tariff, specific = network.tariff0.copy(), network.specific0.copy()
    export_tax, export_specific = network.export_tax0.copy(), network.export_specific0.copy()
    reference, gap_on_cif, phase = np.full(routes, -np.inf), np.zeros(routes, dtype=bool), np.ones(routes)
    exporter_share, dispersion = np.zeros(routes), np.zeros(routes)
    floor_clause: list[str] = []
    floor_index = np.full(routes, -1, dtype=np.intp)
    offtake, purchases = np.zeros(routes), np.zeros(network.market_good.size)
    quotas: list[Group] = []
    rate_quotas: list[RateGroup] = []
    corridors: list[Group] = []
    overflows: list[Overflow] = []
    priced: list[Priced] = []
    reserves: list[tuple[int, float, str, str]] = []
    for place, wedge in enumerate(wedges):
        match wedge:
            case faces.Tariff():
                r = lanes.find(wedge.lane)
                left = 1.0 if wedge.adds else 1.0 - wedge.phase
                tariff[r] = wedge.phase * wedge.rate + left * tariff[r]
                specific[r] = wedge.phase * wedge.specific_usd_t + left * specific[r]
            case faces.ExportTax():
                r = lanes.find(wedge.lane)
                left = 1.0 if wedge.adds else 1.0 - wedge.phase
                export_tax[r] = wedge.phase * wedge.rate + left * export_tax[r]
                export_specific[r] = wedge.phase * wedge.specific_usd_t + left * export_specific[r]
            case faces.PriceGap():
                r = lanes.find(wedge.lane)
                r = r[reference[r] < wedge.reference_usd_t]
                reference[r], phase[r] = wedge.reference_usd_t, wedge.phase
                gap_on_cif[r] = wedge.levy_on == "cif"
                exporter_share[r] = wedge.exporter_share
                dispersion[r] = wedge.dispersion * wedge.reference_usd_t
                if wedge.clause not in floor_clause:
                    floor_clause.append(wedge.clause)
                floor_index[r] = floor_clause.index(wedge.clause)
            case faces.Ban():
                open_[lanes.find(wedge.lane)] = False
            case faces.Quota():
                r = lanes.find(wedge.lane, domestic=wedge.at_home)
                if wedge.tonnes <= 0.0:
                    open_[r] = False
                elif r.size:
                    quotas.append(Group(wedge.clause, r, wedge.tonnes, wedge.owner))
            case faces.TariffQuota():
                r = lanes.find(wedge.lane)
                tariff[r] = wedge.rate_in
                if wedge.tonnes <= 0.0:
                    tariff[r] = wedge.rate_out
                elif r.size and wedge.rate_out > wedge.rate_in:
                    # One rate a route: a later quota takes its routes from an earlier one.
                    rate_quotas = [replace(g, routes=np.setdiff1d(g.routes, r)) for g in rate_quotas]
                    rate_quotas = [g for g in rate_quotas if g.routes.size]
                    group = RateGroup(wedge.clause, r, wedge.tonnes, wedge.owner, wedge.rate_in, wedge.rate_out)
                    rate_quotas.append(group)
            case faces.Corridor():
                r = (
                    np.unique(np.concatenate([lanes.find(lane) for lane in wedge.lanes]))
                    if wedge.lanes
                    else np.zeros(0, np.intp)
                )
                saving = wedge.freight_saving_usd_t
                if place in full and wedge.capacity_t is not None:
                    overflows.append(Overflow(wedge.clause, r, wedge.capacity_t, wedge.owner, saving))
                    continue
                freight[r] = np.maximum(freight[r] - saving, 0.0)
                if wedge.capacity_t is not None and r.size:
                    corridors.append(Group(wedge.clause, r, wedge.capacity_t, wedge.owner))
            case faces.Offtake():
                lane = faces.Lane(
                    good=wedge.good, exporters=frozenset({wedge.exporter}), importers=frozenset({wedge.importer})
                )
                r = lanes.find(lane, domestic=True)
                offtake[r] += wedge.tonnes
                if wedge.floor_usd_t is not None or wedge.cap_usd_t is not None:
                    low = -np.inf if wedge.floor_usd_t is None else wedge.floor_usd_t
                    high = np.inf if wedge.cap_usd_t is None else wedge.cap_usd_t
                    priced += [Priced(wedge.clause, int(one), wedge.tonnes, low, high, wedge.upside) for one in r]
            case faces.Reserve():
                market = lanes.market(wedge.good, wedge.country)
                if market >= 0:
                    purchases[market] += wedge.tonnes
                    reserves.append((market, wedge.tonnes, wedge.owner, wedge.clause))
            case faces.Subsidy() | faces.Contract():
                pass  # producers' measures need the tranches, below

    contracts = [w for w in wedges if isinstance(w, faces.Contract)]
    subsidies = [w for w in wedges if isinstance(w, faces.Subsidy)]
    produce = _producers(network, contracts, subsidies)
    return Policy(
        open=open_,
        freight=freight,
        tariff=tariff,
        specific=specific,
        export_tax=export_tax,
        export_specific=export_specific,
        reference=reference,
        gap_on_cif=gap_on_cif,
        phase=phase,
        exporter_share=exporter_share,
        dispersion=dispersion,
        floor_clause=tuple(floor_clause),
        floor_index=floor_index,
        offtake=np.where(open_, offtake, 0.0),  # a ban ends the shipments of a contract too
        quotas=tuple(_live(group, open_) for group in quotas if open_[group.routes].any()),
        rate_quotas=tuple(rate_quotas),
        corridors=tuple(corridors),
        overflows=tuple(overflows),
        priced=tuple(one for one in priced if open_[one.route]),
        purchases=purchases,
        reserve_holder=tuple(reserves),
        **produce,
    )


def _live(group: Group, open_: Mask) -> Group:
    return replace(group, routes=group.routes[open_[group.routes]])


class Lanes:
    """Finds the routes and markets that a lane names."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.good = {name: i for i, name in enumerate(network.goods)}
        self.country = {code: i for i, code in enumerate(network.countries)}
        self.exporter = network.source_country[network.route_source]
        self.importer = network.market_country[network.route_market]
        self.markets = network.market_index()

    def find(self, lane: faces.Lane, *, domestic: bool = False) -> Index:
        """Routes of the lane that cross a border (`domestic`: or not), in route order; countries that the world merged
        into a remainder match nothing."""
        if lane.good not in self.good:
            return np.zeros(0, dtype=np.intp)
        span = np.flatnonzero(self.network.route_good == self.good[lane.good])
        sells, buys = self._among(lane.exporters), self._among(lane.importers)
        crosses = self.exporter[span] != self.importer[span]
        found: Index = span[sells[self.exporter[span]] & buys[self.importer[span]] & (crosses | domestic)]
        return found

    def market(self, good: str, country: str) -> int:
        return self.markets.get((good, country), -1)

    def _among(self, codes: frozenset[str]) -> Mask:
        found = np.zeros(len(self.network.countries), dtype=bool)
        found[[self.country[code] for code in codes if code in self.country]] = True
        return found


def _producers(
    network: Network, contracts: Sequence[faces.Contract], subsidies: Sequence[faces.Subsidy]
) -> dict[str, Any]:
    """Tranches of every activity, and what each tranche's output earns beyond the market price.

    A contract capped in tonnes of its good covers the cheapest tonnes of the activities that make the good in a country,
    shared over them by base output; one activity under two capped contracts is refused, since their merit order is open.
    """
    goods, countries = network.goods, network.countries
    output_name = [(goods[network.source_good[s]], countries[network.source_country[s]]) for s in network.out_source]

    def makes(row: int, of: faces.Contract | faces.Subsidy) -> bool:
        """Whether a recipe row is output that a measure supports."""
        good, country = output_name[row]
        named = not of.activities or network.activities[network.out_activity[row]] in of.activities
        return good == of.good and country in of.producers and named

    base = network.supply.level[network.out_activity] * network.out_coef
    cap: dict[int, float] = {}
    for contract in contracts:
        rows = [o for o in range(len(output_name)) if makes(o, contract)]
        if contract.cap_t is None:
            continue
        for country in {output_name[o][1] for o in rows}:
            own = [o for o in rows if output_name[o][1] == country]
            total = sum(base[o] for o in own)
            for o in own:
                k = int(network.out_activity[o])
                if k in cap:
                    message = (
                        f"{network.activities[k]} stands under two capped contracts: which tonnes come first is open"
                    )
                    raise InputRefused.because("two-caps", message, path=contract.clause)
                share = base[o] / total if total > 0 else 1.0 / len(own)
                cap[k] = contract.cap_t * share / network.out_coef[o]

    parent: list[int] = []
    low: list[float] = []
    high: list[float] = []
    for k in range(network.capacity.size):
        limit = float(network.capacity[k])
        if k in cap and cap[k] < limit:
            parent += [k, k]
            low += [0.0, cap[k]]
            high += [cap[k], limit]
        else:
            parent.append(k)
            low.append(0.0)
            high.append(limit)
    tranche_activity = np.array(parent, dtype=np.intp)
    tranches = slice_supply(network.supply.take(tranche_activity), np.array(low), np.array(high))

    # Repeat recipe rows for each tranche of their activity.
    out_rows = _expand(network.out_activity, tranche_activity)
    in_rows = _expand(network.in_activity, tranche_activity)
    out_row, out_tranche = out_rows
    in_row, in_tranche = in_rows
    subsidy = np.zeros(out_row.size)
    strike, upside = np.full(out_row.size, -np.inf), np.ones(out_row.size)
    strike_dispersion = np.zeros(out_row.size)
    subsidy_terms = []
    for s in subsidies:
        hit = np.array([i for i, o in enumerate(out_row) if makes(int(o), s)], dtype=np.intp)
        subsidy[hit] += s.usd_t
        subsidy_terms.append((hit, s.usd_t, s.payers, s.clause))
    contract_terms: list[tuple[Index, tuple[tuple[str, float], ...], str]] = []
    first_of = np.searchsorted(
        tranche_activity, tranche_activity
    )  # where an activity has two slices, the first is covered
    covered = (np.arange(tranche_activity.size) == first_of)[out_tranche]
    for contract in contracts:
        hit = np.array(
            [i for i, o in enumerate(out_row) if makes(int(o), contract) and (contract.cap_t is None or covered[i])],
            dtype=np.intp,
        )
        strike[hit] = contract.strike_usd_t
        upside[hit] = 1.0 - contract.claw_back if contract.two_way else 1.0
        strike_dispersion[hit] = contract.dispersion * contract.strike_usd_t
        # One contract a tonne: a later one takes the place of an earlier one on the same output.
        contract_terms = [(np.setdiff1d(rows, hit), payers, clause) for rows, payers, clause in contract_terms]
        contract_terms.append((hit, contract.payers, contract.clause))
    return {
        "tranche_activity": tranche_activity,
        "tranches": tranches,
        "out_tranche": out_tranche,
        "out_source": network.out_source[out_row],
        "out_coef": network.out_coef[out_row],
        "subsidy": subsidy,
        "strike": strike,
        "upside": upside,
        "strike_dispersion": strike_dispersion,
        "in_tranche": in_tranche,
        "in_market": network.in_market[in_row],
        "in_coef": network.in_coef[in_row],
        "subsidy_terms": tuple(subsidy_terms),
        "contract_terms": tuple(contract_terms),
        "paid_by_users": frozenset(s.clause for s in subsidies if s.paid_by_users),
    }


def reached(network: Network, policy: Policy) -> Mask:
    """Markets that some open route serves, (M,)."""
    served = network.routes_in
    left: Mask = served > np.bincount(network.route_market[policy.closed], minlength=served.size)
    return left


def sellable(network: Network, policy: Policy) -> Mask:
    """Sources from which some route is open, (I,)."""
    leave = network.route_source[policy.closed]
    left: Mask = network.routes_out > np.bincount(leave, minlength=network.routes_out.size)
    return left


def owed(policy: Policy, rows: Index, size: int) -> Array:
    """Take-or-pay tonnes summed by source or by market, whichever `rows` gives of each route."""
    under = policy.promised
    return sum_by(rows[under], policy.offtake[under], size)


def _expand(rows_of: Index, tranche_activity: Index) -> tuple[Index, Index]:
    """(recipe row, tranche) pairs: each row of an activity once for each of its tranches."""
    order = np.argsort(rows_of, kind="stable").astype(np.intp)
    ordered = rows_of[order]
    start = np.searchsorted(ordered, tranche_activity, side="left")
    stop = np.searchsorted(ordered, tranche_activity, side="right")
    pairs = [(order[r], t) for t in range(tranche_activity.size) for r in range(start[t], stop[t])]
    if not pairs:
        return np.zeros(0, dtype=np.intp), np.zeros(0, dtype=np.intp)
    row, tranche = zip(*pairs, strict=True)
    return np.array(row, dtype=np.intp), np.array(tranche, dtype=np.intp)
