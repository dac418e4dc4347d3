"""Several agreements on one scale: who pays and who gains under each, by country, group, good and instrument.

Each is set against the status quo of its own day and circumstances; all are cleared on one world. What one agreement does in
full is `study`'s.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from friendshore.agreement import schedule
from friendshore.agreement.objective import MEASURES
from friendshore.downstream.products import product_costs
from friendshore.downstream.users import users_by_industry, uses_known
from friendshore.errors import FriendshoreError
from friendshore.faces import PriceGap, Tariff
from friendshore.headline import (
    CODE,
    MAKERS,
    RENTS,
    TREASURY,
    Places,
    bound,
    difference,
    inside_prices,
    places,
    position,
    supply,
)
from friendshore.protection import bypass, effective_protection
from friendshore.run import DEFAULT, Assumptions, clear_network, compile_world, guard, measures
from friendshore.security.cover import days_of_cover
from friendshore.security.risk import recycled, supply_risk
from friendshore.shares import shares

if TYPE_CHECKING:
    from datetime import date

    from friendshore.agreement.document import Agreement
    from friendshore.faces import Wedge
    from friendshore.outcome import Outcome
    from friendshore.shares import Shares
    from friendshore.world.tables import World

DUTIES = ("duty", "levy")
SELL = (*MAKERS, *RENTS, "offtake")  # items of those who sell, where they stand outside
UNION = "EUN"
Line = tuple[str, str, str, float]  # country, item, good, USD a year
PARTIES = "the parties"
STAGES = ("ore", "intermediate", "refined", "product", "scrap")
OUTSIDER_PCT = 65.0  # of what is taken: no one outsider should sell more, as Article 5 has it
RECYCLED = ("metals of which a quarter is recycled at home", 0.25)
# Regulation (EU) 2024/1252, Article 5: 10 % extracted, 40 % processed and 25 % recycled at home, no more than 65 % from one
# third country.
BENCHMARKS: tuple[tuple[str, tuple[str, ...], str, Callable[[float], bool]], ...] = (
    ("ores of which a tenth is its own", ("ore",), "import_reliance", lambda outside: outside <= 90.0),
    ("metals of which two fifths are its own", ("refined",), "import_reliance", lambda outside: outside <= 60.0),
    ("goods with no outsider above 65 %", STAGES, "largest_supplier", lambda share: share <= OUTSIDER_PCT),
)


@dataclass(frozen=True)
class Case:
    """An agreement and the circumstances in which it is run."""

    name: str
    deal: Agreement
    as_of: date
    assume: Assumptions = DEFAULT
    shocks: tuple[Wedge, ...] = ()


@dataclass(frozen=True)
class Benchmark:
    """One of the European Union's benchmarks of 2030: how many goods it is asked of, and how many reach it."""

    wanted: str
    goods: int
    before: int
    after: int


@dataclass(frozen=True)
class Side:
    """One agreement against the status quo of its day. Money in USD a year, gains +; tonnes a year.

    headline   measure -> change
    countries  country, users, producers, treasury, other, usd, kept, passed_on      the last two are of duty and levy: what
               the country keeps of what it collects, and what it passes on to a common budget
    groups     group -> change
    goods      good, parties, outside, usd
    supply     largest_supplier.<good>, imports.<good>, output.<good> under the agreement
    dependence stage, good, and before and after: import_reliance_pct, concentration (HHI), largest outsider and its share
    prices     price_inside.<good>, before and after      weighted alike in both
    benchmarks what is wanted of the European Union, goods, before, after      goods of the stage that reach it
    sellers    foreign sellers as one: what outsiders' makers, licence owners and offtake contracts gain, by good
    users      industry, area, parties, outside      final users' gain by what the good is used for
    uses       good, published, known, source, parties, outside, parties_not_known, outside_not_known
    products   product, unit, area, industry, place, before_usd, after_usd, missing      cost of the minerals in a product
    risk       good, stage, before, after      supply risk of the European Union, as the Commission counts it
    protection good, stage, price_change_pct, input_cost_change_pct, effective_protection_pct      of the parties' processors
    bypass     good, direct and inside other goods, before and after, tonnes; passed_by      goods under a duty or levy
    cover      clause, good, holder, bought_t, days_a_year, held_days, target_days      of public reserves
    shares     by kind of instrument; None where that was not asked for or cannot be, `unshared` says why
    """

    name: str
    digest: str
    as_of: str
    parties: tuple[str, ...]
    illustrative: int
    clauses: int
    headline: dict[str, float]
    countries: pl.DataFrame
    groups: dict[str, float]
    goods: pl.DataFrame
    supply: dict[str, tuple[float, float]]
    dependence: pl.DataFrame
    prices: dict[str, tuple[float, float]]
    benchmarks: tuple[Benchmark, ...]
    sellers: dict[str, float]
    users: pl.DataFrame
    uses: pl.DataFrame
    products: pl.DataFrame
    risk: pl.DataFrame
    protection: pl.DataFrame
    bypass: pl.DataFrame
    cover: pl.DataFrame
    shares: Shares | None
    unshared: str


@dataclass(frozen=True)
class Sides:
    """The agreements side by side, in the order in which they were named."""

    sides: tuple[Side, ...]
    seconds: float
    seconds_after_solving: float

    def document(self) -> dict[str, Any]:
        """The comparison as plain JSON values."""
        return {
            "measures": {
                name: measure.unit for name, measure in MEASURES.items() if measure.additive and not measure.of
            },
            "agreements": [
                {
                    "id": side.name,
                    "digest": side.digest,
                    "as_of": side.as_of,
                    "parties": list(side.parties),
                    "clauses": side.clauses,
                    "illustrative": side.illustrative,
                    "headline": side.headline,
                    "by_country": side.countries.to_dicts(),
                    "by_group": side.groups,
                    "by_good": side.goods.to_dicts(),
                    "foreign_sellers": {"usd": sum(side.sellers.values()), "by_good": side.sellers},
                    "users_by_industry": side.users.to_dicts(),
                    "uses_known": side.uses.to_dicts(),
                    "products": side.products.to_dicts(),
                    "eu_supply_risk": side.risk.to_dicts(),
                    "effective_protection": side.protection.to_dicts(),
                    "bypass": side.bypass.to_dicts(),
                    "days_of_cover": side.cover.to_dicts(),
                    "by_instrument": None if side.shares is None else side.shares.document(),
                    "unshared": side.unshared,
                    "eu_benchmarks": [
                        {"wanted": b.wanted, "goods": b.goods, "before": b.before, "after": b.after}
                        for b in side.benchmarks
                    ],
                    "dependence": side.dependence.to_dicts(),
                    "supply": {name: {"before": a, "after": b} for name, (a, b) in side.supply.items()},
                    "prices_inside_usd_t": {name: {"before": a, "after": b} for name, (a, b) in side.prices.items()},
                }
                for side in self.sides
            ],
            "seconds": self.seconds,
            "seconds_after_solving": self.seconds_after_solving,
        }


def side_by_side(
    world: World,
    cases: Sequence[Case],
    *,
    by_instrument: bool = True,
    bills: pl.DataFrame | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> Sides:
    """Clear every agreement and the status quo of its day, and count who pays under each.

    Parameters
    ----------
    world : the base year that all are run on
    cases : agreements with their days, assumptions and shocks
    by_instrument : whether to share out each agreement among its kinds of instrument too
    bills : bills of materials of the products whose cost is counted; those that ship if None

    Raises
    ------
    InputRefused, MarketError   as `run.clear`
    """
    began = time.perf_counter()
    pairs: list[tuple[Outcome, Outcome, Shares | None, str]] = []
    networks: dict[Assumptions, Any] = {}
    for case in cases:
        progress(f"clearing {case.name}")
        if case.assume not in networks:
            networks[case.assume] = compile_world(world, case.assume)
        network = networks[case.assume]
        quo = [*measures(world, None, case.as_of, case.assume)[0], *case.shocks]
        before = clear_network(world, network, quo, assume=case.assume, as_of=case.as_of)
        full = [*measures(world, case.deal, case.as_of, case.assume)[0], *case.shocks]
        after = clear_network(world, network, full, assume=case.assume, as_of=case.as_of, start=before.state)
        after = guard(
            world, network, case.deal, before, after, as_of=case.as_of, assume=case.assume, extra=case.shocks
        )[0]
        shared, why = None, ""
        if by_instrument:
            try:
                shared = shares(
                    world, case.deal, as_of=case.as_of, assume=case.assume, shocks=case.shocks, ends=(before, after)
                )
            except FriendshoreError as stuck:
                why = str(stuck).splitlines()[0]
        pairs.append((before, after, shared, why))
    solved = time.perf_counter()
    progress("counting who pays")
    sides = tuple(_side(world, case, *pair, bills) for case, pair in zip(cases, pairs, strict=True))
    ended = time.perf_counter()
    return Sides(sides, ended - began, ended - solved)


def _side(
    world: World,
    case: Case,
    before: Outcome,
    after: Outcome,
    shared: Shares | None,
    why: str,
    bills: pl.DataFrame | None,
) -> Side:
    at = places(world, bound(case.deal, world, case.as_of))
    moved = difference(position(before, at), position(after, at))
    lines = _changes(before, after)
    used = _users(at, lines)
    return Side(
        name=case.name,
        digest=case.deal.digest,
        as_of=case.as_of.isoformat(),
        parties=tuple(sorted(at.parties)),
        illustrative=len(case.deal.illustrative),
        clauses=len(case.deal.clauses),
        headline={name: usd for name, usd in moved.items() if name in MEASURES},
        countries=_countries(world, at, lines),
        groups={name.removeprefix("group."): usd for name, usd in moved.items() if name.startswith("group.")},
        goods=_goods(at, lines),
        supply=_pairs(supply(before, at), supply(after, at)),
        dependence=_dependence(at, before, after),
        prices=_pairs(inside_prices(before, at), inside_prices(after, at)),
        benchmarks=_benchmarks(world, before, after),
        sellers=_sellers(at, lines),
        users=users_by_industry(used),
        uses=uses_known(used),
        products=product_costs(before, after, _buyers(at), bills),
        risk=_risk(world, before, after),
        protection=effective_protection(world, at.parties, before, after),
        bypass=bypass(world, at.parties, _covered(case, world, at), before, after),
        cover=days_of_cover(world, case.deal, after, case.as_of),
        shares=shared,
        unshared=why,
    )


def _benchmarks(world: World, before: Outcome, after: Outcome) -> tuple[Benchmark, ...]:
    """The benchmarks of Regulation (EU) 2024/1252, by good: own extraction, processing and recycling, the largest outsider.

    Own supply is what members take from members; recycling is their plants' secondary output over what they take, new scrap
    included.
    """
    members = _members(world)
    at = places(world, members)
    pair = [supply(outcome, at) for outcome in (before, after)]
    goods = sorted(name.partition(".")[2] for name in pair[0] if name.startswith("import_reliance."))
    found = []
    for wanted, stages, measure, keeps in BENCHMARKS:
        asked = [good for good in goods if at.stage.get(good) in stages]
        counts = [sum(keeps(each.get(f"{measure}.{good}", 0.0)) for good in asked) for each in pair]
        found.append(Benchmark(wanted, len(asked), counts[0], counts[1]))
    wanted, quarter = RECYCLED
    metals = [good for good in goods if at.stage.get(good) == "refined"]
    back = [recycled(world, outcome, members) for outcome in (before, after)]
    reached = [sum(each.get(good, 0.0) >= quarter for good in metals) for each in back]
    return (*found, Benchmark(wanted, len(metals), reached[0], reached[1]))


def _dependence(at: Places, before: Outcome, after: Outcome) -> pl.DataFrame:
    """On whom the parties hang at every stage, before and after; `over_limit` marks an outsider above 65 % of what they take.

    reliance = outsiders' share of the tonnes taken;  HHI = sum over origins of (share in per cent)^2, 10,000 where there is one
    """
    sides = [(supply(outcome, at), _largest(at, outcome)) for outcome in (before, after)]
    goods = sorted({name.partition(".")[2] for name in sides[0][0] if name.startswith("import_reliance.")})
    order = {stage: number for number, stage in enumerate(STAGES)}
    rows = []
    for good in sorted(goods, key=lambda good: (order.get(at.stage.get(good, ""), len(order)), good)):
        row: dict[str, object] = {"stage": at.stage.get(good, ""), "good": good}
        for when, (figures, largest) in zip(("before", "after"), sides, strict=True):
            share = figures.get(f"largest_supplier.{good}", 0.0)
            row |= {
                f"import_reliance_pct_{when}": figures.get(f"import_reliance.{good}", 0.0),
                f"concentration_{when}": figures.get(f"concentration.{good}", 0.0),
                f"largest_outsider_{when}": largest.get(good, ""),
                f"largest_share_pct_{when}": share,
                f"over_limit_{when}": share > OUTSIDER_PCT,
            }
        rows.append(row)
    columns = {
        "import_reliance_pct": pl.Float64,
        "concentration": pl.Float64,
        "largest_outsider": pl.String,
        "largest_share_pct": pl.Float64,
        "over_limit": pl.Boolean,
    }
    schema: dict[str, type[pl.DataType]] = {"stage": pl.String, "good": pl.String}
    schema |= {f"{name}_{when}": kind for when in ("before", "after") for name, kind in columns.items()}
    return pl.DataFrame(rows, schema=schema)


def _largest(at: Places, outcome: Outcome) -> dict[str, str]:
    """Good -> the outsider that sells the parties most of it."""
    sold = (
        outcome.flows.filter(pl.col("importer").is_in(at.parties) & ~pl.col("exporter").is_in(at.parties))
        .group_by("good", "exporter")
        .agg(pl.col("t").sum())
        .filter(pl.col("t") > 0)
        .sort(["t", "exporter"], descending=[True, False])
        .unique(subset="good", keep="first", maintain_order=True)
    )
    return dict(sold.select("good", "exporter").iter_rows())


def _members(world: World) -> frozenset[str]:
    return frozenset(world.countries.filter(pl.col("territory") == UNION)["code"])


def _buyers(at: Places) -> dict[str, tuple[str, ...]]:
    """Whose prices a product is counted at: the parties together, customs unions as one, then every party."""
    unions: dict[str, list[str]] = {}
    for code in sorted(at.parties):
        if (union := at.union.get(code)) is not None:
            unions.setdefault(union, []).append(code)
    together = {PARTIES: tuple(sorted(at.parties))} | {union: tuple(inside) for union, inside in sorted(unions.items())}
    return together | {code: (code,) for code in sorted(at.parties)}


def _sellers(at: Places, lines: Iterable[Line]) -> dict[str, float]:
    """Good -> what outsiders who make it, own licences for it or sell it under offtake contracts gain; no parent firms."""
    sums: dict[str, float] = {}
    for country, item, good, usd in lines:
        if country not in at.inside and len(country) <= CODE and item in SELL:
            sums[good] = sums.get(good, 0.0) + usd
    return dict(sorted(sums.items()))


def _users(at: Places, lines: Iterable[Line]) -> dict[str, tuple[float, float]]:
    sums: dict[str, list[float]] = {}
    for country, item, good, usd in lines:
        if item == "users":
            sums.setdefault(good, [0.0, 0.0])[0 if country in at.inside else 1] += usd
    return {good: (inside, outside) for good, (inside, outside) in sums.items()}


def _risk(world: World, before: Outcome, after: Outcome) -> pl.DataFrame:
    """Supply risk of the European Union before and after, with the part of output that no publisher rates."""
    first, second = (supply_risk(world, outcome, _members(world)) for outcome in (before, after))
    columns = ["good", "stage", "risk", "import_reliance", "recycled", "unrated"]
    joined = first.select(columns).join(second.select("good", after="risk"), on="good", how="full", coalesce=True)
    return joined.rename({"risk": "before"}).select("good", "stage", "before", "after", *columns[3:]).sort("good")


def _covered(case: Case, world: World, at: Places) -> frozenset[str]:
    """Goods on which the agreement puts a levy or a duty at the parties' border against outsiders."""
    return frozenset(
        wedge.lane.good
        for wedge in schedule.wedges(case.deal, world, case.as_of)
        if isinstance(wedge, PriceGap)
        or (isinstance(wedge, Tariff) and wedge.adds and not wedge.lane.exporters <= at.parties)
    )


def _pairs(first: dict[str, float], second: dict[str, float]) -> dict[str, tuple[float, float]]:
    return {name: (first.get(name, 0.0), second.get(name, 0.0)) for name in sorted({**first, **second})}


def _changes(before: Outcome, after: Outcome) -> list[Line]:
    """Every account line that either outcome has, with its change."""
    old = {(c, i, g): v for c, i, g, v in before.by_good.iter_rows()}
    new = {(c, i, g): v for c, i, g, v in after.by_good.iter_rows()}
    return [(*key, new.get(key, 0.0) - old.get(key, 0.0)) for key in sorted({*old, *new})]


def _countries(world: World, at: Places, lines: Iterable[Line]) -> pl.DataFrame:
    """Accounts by country; a customs union of parties as one, its members and its common budget below it."""
    home = dict(world.countries.select("code", "territory").iter_rows())
    kept = dict(world.territories.select("code", "kept_share").iter_rows())
    rows: dict[str, dict[str, float]] = {}
    for country, item, _, usd in lines:
        column = (
            "users"
            if item == "users"
            else "producers"
            if item in MAKERS
            else "treasury"
            if item in TREASURY
            else "other"
        )
        for code in [country, *([at.union[country]] if country in at.union else [])]:
            row = rows.setdefault(
                code, dict.fromkeys(("users", "producers", "treasury", "other", "kept", "passed_on"), 0.0)
            )
            row[column] += usd
        if item in DUTIES and country in home:
            share = kept.get(home[country])
            share = 1.0 if share is None else float(share)
            for code in [country, *([at.union[country]] if country in at.union else [])]:
                rows[code]["kept"] += usd
                rows[code]["passed_on"] += usd * (1.0 - share) / share if share > 0.0 else 0.0
    table = [
        {
            "country": code,
            "union": at.union.get(code, ""),
            "party": code in at.inside,
            **row,
            "usd": sum(row[name] for name in ("users", "producers", "treasury", "other")),
        }
        for code, row in sorted(rows.items())
    ]
    names = ("users", "producers", "treasury", "other", "kept", "passed_on", "usd")
    schema = {"country": pl.String, "union": pl.String, "party": pl.Boolean, **dict.fromkeys(names, pl.Float64)}
    return pl.DataFrame(table, schema=schema)


def _goods(at: Places, lines: Iterable[Line]) -> pl.DataFrame:
    sums: dict[str, list[float]] = {}
    for country, _, good, usd in lines:
        sums.setdefault(good, [0.0, 0.0])[0 if country in at.inside else 1] += usd
    rows = [(good, inside, outside, inside + outside) for good, (inside, outside) in sorted(sums.items())]
    schema = {"good": pl.String, "parties": pl.Float64, "outside": pl.Float64, "usd": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row")
