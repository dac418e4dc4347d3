"""What an instrument looks like from each side: to the market, the lawyer, the customs officer, the auditor.

The faces are plain frozen values. `market`, `law`, `border` and `ledger` read them without knowing which instrument
wrote them; a network file writes the same `Wedge` values as an agreement does. Country sets are always explicit ISO
codes: "non-parties" is resolved where the clause is read, not here. Money per tonne is USD per contained tonne.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Literal

LevyBase = Literal["landed_duty_paid", "cif"]
Sourcing = Literal["logit", "homogeneous", "ces"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """The routes a measure touches: one good, from any of `exporters` to any of `importers`."""

    good: str
    exporters: frozenset[str]
    importers: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tariff:
    """Import duty: `rate` on the customs value (cif, or cif less freight where the territory values at fob) plus
    `specific_usd_t`. With `adds` the terms come on top of what is there, otherwise they replace it (a preference is a
    replacing tariff of zero), of which `phase` is taken: phase * these terms + (1 - phase) * those there before."""

    clause: str
    lane: Lane
    rate: float = 0.0
    specific_usd_t: float = 0.0
    adds: bool = False
    phase: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportTax:
    """Tax that the exporter's state takes at the border: `rate` on the fob price plus `specific_usd_t`. `adds` and `phase`
    are a tariff's."""

    clause: str
    lane: Lane
    rate: float = 0.0
    specific_usd_t: float = 0.0
    adds: bool = False
    phase: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceGap:
    """A price at the border: levy = phase * max(0, reference - base), base being landed duty paid or cif.

    `exporter_share` is phi, the part of the gap the seller keeps: 0 an adjustable levy, 1 a minimum import price,
    between the two a price undertaking. `dispersion` is the relative standard deviation of consignment prices around
    their annual mean; above zero the gap is its normal expectation.
    """

    clause: str
    lane: Lane
    reference_usd_t: float
    levy_on: LevyBase
    phase: float = 1.0
    exporter_share: float = 0.0
    dispersion: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """At most `tonnes` a year over the lane together; `owner` (a country code) takes the rent. Zero tonnes is a ban.

    `at_home`: what the exporters of the lane sell at home counts too.
    """

    clause: str
    lane: Lane
    tonnes: float
    owner: str
    at_home: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Ban:
    """No trade on the lane."""

    clause: str
    lane: Lane


@dataclass(frozen=True, slots=True, kw_only=True)
class TariffQuota:
    """`rate_in` on the first `tonnes` of the lane, `rate_out` beyond; `owner` takes the rent of in-quota licences."""

    clause: str
    lane: Lane
    tonnes: float
    rate_in: float
    rate_out: float
    owner: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Subsidy:
    """`usd_t` on every tonne of `good` made by the named countries, paid by `payers` in the given shares.

    Shares that add to less than one leave a part that nobody pays: with a negative `usd_t`, a cost of production that the
    measure brings. `paid_by_users`: it is users, not treasuries, who pay. `activities` narrows the producers to some
    activities (empty: all of them). `budget_usd` limits what the clause pays in a year over all its wedges: where it binds,
    the rate is cut until the money suffices.
    """

    clause: str
    good: str
    producers: frozenset[str]
    usd_t: float
    payers: tuple[tuple[str, float], ...] = ()
    paid_by_users: bool = False
    activities: frozenset[str] = frozenset()
    budget_usd: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """Contract for difference on `good` made by the named countries.

    One-way: receipt = max(p, strike). Two-way: strike + (1 - claw_back) * max(0, p - strike). `cap_t` limits the
    covered tonnes per producing country: the cheapest tonnes are covered first, the rest earn p. `payers` carry the
    difference in the given shares (empty: each producer's own treasury).

    `activities` narrows the producers to some activities (empty: all of them). `budget_usd` limits what the clause pays
    in a year over all its wedges; where it binds, either the covered tonnes or the strike are cut until the money
    suffices, as `budget_cuts` says.
    """

    clause: str
    good: str
    producers: frozenset[str]
    strike_usd_t: float
    two_way: bool = False
    claw_back: float = 1.0
    cap_t: float | None = None
    payers: tuple[tuple[str, float], ...] = ()
    dispersion: float = 0.0
    activities: frozenset[str] = frozenset()
    budget_usd: float | None = None
    budget_cuts: Literal["volume", "strike"] = "volume"


@dataclass(frozen=True, slots=True, kw_only=True)
class Offtake:
    """Take-or-pay tonnes from one origin to one importer.

    The buyer pays the seller max(floor, min(p, cap) + upside * max(0, p - cap)) at the seller's gate, p being the market
    price there, and freight and duties on top; without floor and cap, the delivered price of the route.
    """

    clause: str
    good: str
    exporter: str
    importer: str
    tonnes: float
    floor_usd_t: float | None = None
    cap_usd_t: float | None = None
    upside: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Corridor:
    """A route with its own freight: `freight_saving_usd_t` off, at most `capacity_t` over all lanes; `owner` takes
    the congestion rent.

    With `bypass` the old way stays open: tonnes beyond the capacity pay the old freight, so that the rent of a tonne is
    never more than the saving. Without, nothing passes beyond the capacity.
    """

    clause: str
    lanes: tuple[Lane, ...]
    freight_saving_usd_t: float
    capacity_t: float | None
    owner: str
    bypass: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Reserve:
    """Net purchases (+) or sales (-) of a public reserve in one market, tonnes a year, at the market's cost index.

    `budget_usd` limits what the clause spends in a year over all its wedges: where it binds, all purchases of the clause
    are cut in proportion.
    """

    clause: str
    good: str
    country: str
    tonnes: float
    owner: str
    budget_usd: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plant:
    """Capacity that is added to activities: `adds_t` tonnes of level a year together, shared out by base level.

    No policy on a market but another network: `run` widens the supply curves before the market is cleared. `usd_t` is what a
    tonne of that capacity costs a year, whether it runs or not. Its makers pay; with `public`, treasuries: those of `payers`
    in the given shares (empty: of the country where it stands).
    """

    clause: str
    activities: frozenset[str]
    adds_t: float
    usd_t: float = 0.0
    public: bool = False
    payers: tuple[tuple[str, float], ...] = ()


Wedge = (
    Tariff
    | ExportTax
    | PriceGap
    | Quota
    | Ban
    | TariffQuota
    | Subsidy
    | Contract
    | Offtake
    | Corridor
    | Reserve
    | Plant
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """What a clause does that a treaty may speak about: `touches` names the kind of act (`import_duty`,
    `price_requirement`, `export_restriction`, `producer_subsidy`, `preference`, ...), on which goods, between whom."""

    clause: str
    touches: str
    goods: tuple[str, ...]
    bound: frozenset[str]
    affected: frozenset[str]
    facts: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Content:
    """Tonnes of a good's unit in a tonne of dry goods, which a text sets for a tariff line and the lines below it."""

    line: str
    share: Decimal
    article: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Duty:
    """What one consignment owes under a clause. Exact decimals; the rule, its article and its dates travel with it.

    amount per tonne = phase * max(0, reference - base), `base` being landed duty paid or cif, both per contained tonne,
    plus rate * customs value + specific. With `replaces` the rate and the specific duty take the place of those in force,
    for `share` of the trade on the lane (the part that qualifies and claims), otherwise they come on top. Under a tariff
    quota the rate holds for the first `quota_t` tonnes of a year, `rate_beyond` for the rest. `left` is the part of the duty
    in force before that a preference leaves: the border takes it of the line's own duty, of which `rate` and the specific
    duty are the world's average. `default_content` is what the
    clause takes a tonne of dry goods to hold where no assay is declared, by tariff line and with the article that says so;
    where it names no line, the contained mass stays unknown.
    `origin_rule` is the rule of origin that a consignment must meet to be one of the lane's.
    """

    clause: str
    article: str
    good: str
    exporters: frozenset[str]
    importers: frozenset[str]
    reference_usd_t: Decimal | None = None
    levy_on: LevyBase | None = None
    phase: Decimal = Decimal(1)
    rate: Decimal | None = None
    specific_usd_t: Decimal | None = None
    as_of: date | None = None
    replaces: bool = False
    share: Decimal = Decimal(1)
    quota_t: Decimal | None = None
    rate_beyond: Decimal | None = None
    left: Decimal | None = None
    default_content: tuple[Content, ...] = ()
    origin_rule: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a clause makes one holder owe another per metered tonne (contracts, offtakes, reserve)."""

    clause: str
    good: str
    payers: tuple[tuple[str, Decimal], ...]
    payees: frozenset[str]
    terms: tuple[tuple[str, str], ...] = field(default=())
