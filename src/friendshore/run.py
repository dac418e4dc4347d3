"""The one joint: a world and an agreement become arrays here, and nowhere else.

`compile_world` turns the tables of a world into a market network and calibrates it so that the base year is reproduced;
`clear` adds the measures in force and an agreement's clauses, solves, and reads the answer back into tables.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from friendshore.errors import InputRefused, Problem, WorldError
from friendshore.faces import Plant, Sourcing, Wedge
from friendshore.market import ces
from friendshore.market.accounts import Accounts, account
from friendshore.market.budget import settle
from friendshore.market.curves import (
    Array,
    Demand,
    Index,
    Shape,
    Supply,
    capacity_rent,
    sum_by,
    supply,
    tranche_surplus,
)
from friendshore.market.equilibrium import solve
from friendshore.market.homogeneous import solve_homogeneous
from friendshore.market.network import Built, Network
from friendshore.market.policy import Policy, impose
from friendshore.market.solution import Solution
from friendshore.outcome import Outcome
from friendshore.world import status_quo
from friendshore.world.tables import World

if TYPE_CHECKING:
    from friendshore.agreement.document import Agreement

Horizon = Literal[1, 5, 15]
LicenceForm = Literal["quota", "export_tax"]

BALANCE = 1e-6  # relative imbalance of a world's tables that is refused rather than closed
FLOOR = 1e-4  # of the base price: below it joint output in glut is discarded
SHAPES = {"iso_elastic": Shape.ISO_ELASTIC, "linear": Shape.LINEAR, "fixed": Shape.FIXED, "logistic": Shape.LOGISTIC}


@dataclass(frozen=True)
class Assumptions:
    """What a scenario assumes beside its terms: the horizon that picks sigma and epsilon, and scales on them.

    `sourcing` is the world's own where it is None. Under "ces" tonnes do not add up: `Outcome.gained` says by how much.
    """

    horizon: Horizon = 5
    sigma_scale: float = 1.0
    eps_scale: float = 1.0
    latent: bool = False
    licences_as: LicenceForm = "quota"
    sourcing: Sourcing | None = None


DEFAULT = Assumptions()


def clear(
    world: World,
    deal: Agreement | None = None,
    *,
    as_of: date | None = None,
    assume: Assumptions = DEFAULT,
    extra: Iterable[Wedge] = (),
    name: str | None = None,
    start: Array | None = None,
    sourcing: Sourcing | None = None,
) -> Outcome:
    """Clear `world` under the measures in force at `as_of`, an agreement and any `extra` wedges.

    Parameters
    ----------
    world : the base year, built or read from a network file
    deal : an agreement; None for the world as it stands
    as_of : date that picks the terms in force; None clears the base year with no measure since. With a deal, its run date.
    assume : horizon and scales
    extra : further wedges, applied last (a reaction, a shock)
    start : `settings["state"]` of a neighbouring outcome, to start warm
    sourcing : how buyers choose between origins, in place of what `assume` says

    Returns
    -------
    Outcome   accounts as changes against the base year

    Raises
    ------
    InputRefused   tables or terms that cannot be used;  MarketError   no market-clearing prices
    """
    if sourcing is not None:
        assume = replace(assume, sourcing=sourcing)
    network = compile_world(world, assume)
    wedges, as_of = measures(world, deal, as_of, assume)
    extra = tuple(extra)
    outcome = clear_network(
        world, network, [*wedges, *extra], assume=assume, as_of=as_of, name=name or _name(deal, as_of), start=start
    )
    if deal is None or not deal.safeguards or as_of is None:
        return outcome
    quo = clear_network(world, network, [*measures(world, None, as_of, assume)[0], *extra], assume=assume, as_of=as_of)
    return guard(world, network, deal, quo, outcome, as_of=as_of, assume=assume, extra=extra)[0]


def measures(
    world: World,
    deal: Agreement | None,
    as_of: date | None,
    assume: Assumptions = DEFAULT,
    *,
    only: Collection[str] | None = None,
) -> tuple[list[Wedge], date | None]:
    """Every wedge in force, in order: base licences, measures since the base year, the network file's own, the agreement's.

    `only` names the clauses of the agreement that count, all of them if None.
    """
    if deal is not None and as_of is None:
        as_of = deal.run_date
    wedges: list[Wedge] = list(status_quo.base_wedges(world, as_=assume.licences_as))
    if as_of is not None:
        wedges += status_quo.wedges(world, as_of)
    wedges += world.wedges
    if deal is not None and as_of is not None:
        from friendshore.agreement import schedule

        kept = schedule.lift(wedges, deal, world, as_of, only=only)
        wedges = [*kept, *schedule.wedges(deal, world, as_of, only=only)]
    return wedges, as_of


def clear_network(
    world: World,
    network: Network,
    wedges: Iterable[Wedge],
    *,
    assume: Assumptions = DEFAULT,
    as_of: date | None = None,
    name: str = "outcome",
    start: Array | None = None,
) -> Outcome:
    """Solve a compiled network under `wedges` and read the answer back into tables."""
    began = time.perf_counter()
    zero = None if network.absolute else base_accounts(world, network, assume)
    wedges, base = list(wedges), network
    network = widened(network, wedges, mass_unit_t=world.mass_unit_t)
    policies = [wedge for wedge in wedges if not isinstance(wedge, Plant)]
    settled = settle(network, policies, lambda policy, near: _solve(network, policy, near), start=start)
    policy, solved = settled.policy, settled.solved
    counted = account(network, policy, solved)
    settings: dict[str, Any] = {
        "as_of": as_of.isoformat() if as_of else None,
        "horizon": assume.horizon,
        "sigma_scale": assume.sigma_scale,
        "eps_scale": assume.eps_scale,
        "latent": assume.latent,
        "licences_as": assume.licences_as,
        "sourcing": network.sourcing,
    }
    if settled.budgets:
        settings["budgets"] = [each.document(world.money_unit_usd) for each in settled.budgets]
    outcome = read_back(world, network, policy, solved, counted, zero, name, settings, base=base)
    return _timed(outcome, time.perf_counter() - began)


def widened(network: Network, wedges: Iterable[Wedge], *, mass_unit_t: float = 1.0) -> Network:
    """The network with the plants that are built: supply curves stretched, capacities with the tonnes added.

    level' = level (1 + adds / sum of levels),  the margin at which a plant runs at its level unchanged

    What was built is noted with its cost, for the accounts.

    Raises
    ------
    InputRefused   plants of an activity that nobody runs in the base year, whose curve is not known
    """
    grown = np.ones(len(network.activities))
    built: list[Built] = []
    at = {name: k for k, name in enumerate(network.activities)}
    level = network.supply.level if network.absolute else supply(network.supply, network.supply.margin)[0]
    for wedge in wedges:
        if not isinstance(wedge, Plant):
            continue
        rows = np.array(sorted(at[name] for name in wedge.activities if name in at), dtype=np.intp)
        whole = float(level[rows].sum()) if rows.size else 0.0
        if not whole > 0.0:
            what = ", ".join(sorted(wedge.activities)) or "nothing"
            message = f"{wedge.clause} adds plants to {what}, which made nothing in the base year"
            hint = "name an activity that runs: `friendshore world show` lists them"
            raise InputRefused.because("no-plant", message, hint=hint)
        grown[rows] += wedge.adds_t / mass_unit_t / whole
        for k in map(int, rows):
            tonnes = wedge.adds_t / mass_unit_t * float(level[k]) / whole
            if wedge.usd_t and tonnes:
                built.append(Built(k, tonnes, wedge.usd_t, wedge.public, wedge.payers))
    if (grown == 1.0).all():
        return network
    curve = network.supply
    linear = curve.shape == Shape.LINEAR
    wider = replace(
        curve,
        level=curve.level * grown,
        a=np.where(linear, curve.a * grown, curve.a),
        b=np.where(linear, curve.b * grown, curve.b),
    )
    return replace(network, supply=wider, capacity=network.capacity + level * (grown - 1.0), built=tuple(built))


def _solve(network: Network, policy: Policy, start: Array | None = None) -> Solution:
    if network.sourcing == "homogeneous":
        return solve_homogeneous(network, policy)
    return solve(network, policy, start=start)


def guard(
    world: World,
    network: Network,
    deal: Agreement,
    before: Outcome,
    after: Outcome,
    *,
    as_of: date,
    assume: Assumptions = DEFAULT,
    extra: Iterable[Wedge] = (),
) -> tuple[Outcome, Agreement, tuple[Wedge, ...]]:
    """Test the safeguards of an agreement on its cleared market, and clear it once more with the actions of those met.

    Parameters
    ----------
    before, after : the status quo and the agreement on the same day
    extra : wedges that both were cleared with besides

    Returns
    -------
    outcome : `after`, or the market cleared again; `settings["safeguards"]` says what was tested and found
    deal : the agreement as it then stands, with what was suspended
    sold : what reserves release besides
    """
    from friendshore.agreement import safeguards

    guards = safeguards.in_force(deal, world, as_of)
    if not guards:
        return after, deal, ()
    tested = safeguards.test(guards, deal, world, as_of, before, after)
    held, outcome = deal, after
    sold: tuple[Wedge, ...] = ()
    if any(each.met for each in tested):
        held, sold = safeguards.acted(deal, world, as_of, tested)
        wedges = [*measures(world, held, as_of, assume)[0], *sold, *extra]
        outcome = clear_network(world, network, wedges, assume=assume, as_of=as_of, name=after.name, start=after.state)
        again = {each.clause: each for each in safeguards.test(guards, deal, world, as_of, before, outcome)}
        tested = tuple(
            replace(each, value_after=again[each.clause].value, met_after=again[each.clause].met) for each in tested
        )
    said = [each.document() for each in tested]
    return replace(outcome, settings={**outcome.settings, "safeguards": said}), held, sold


def base_accounts(world: World, network: Network, assume: Assumptions) -> Accounts:
    """The accounts of the base year itself: what every change is measured from."""
    key = id(network)
    held = _BASE.get(key)
    if held is not None and held[0] is network:
        return held[1]
    policy = impose(network, status_quo.base_wedges(world, as_=assume.licences_as))
    solved = _solve(network, policy)
    counted = account(network, policy, solved)
    _BASE.clear()
    _BASE[key] = (network, counted)
    return counted


_BASE: dict[int, tuple[Network, Accounts]] = {}  # the last network's base, so that a run solves it once


def compare(before: Outcome, after: Outcome) -> Comparison:
    """Two outcomes side by side: every change by country, by group of items, by good."""
    return Comparison(before, after)


@dataclass(frozen=True)
class Comparison:
    """`after` less `before`, in USD and tonnes."""

    before: Outcome
    after: Outcome

    def by_country(self, code: str | None = None) -> pl.DataFrame:
        """Change of every account line, USD; of one country if `code` is given."""
        joined = self.before.accounts.join(
            self.after.accounts, on=["country", "item"], how="full", suffix="_after", coalesce=True
        )
        table = joined.select(
            "country", "item", usd=pl.col("usd_after").fill_null(0.0) - pl.col("usd").fill_null(0.0)
        ).sort("country", "item")
        return table if code is None else table.filter(pl.col("country") == code)

    def total(self) -> float:
        """World total of the change, USD."""
        return self.after.world_total_usd - self.before.world_total_usd

    def prices(self) -> pl.DataFrame:
        """Buyer's cost index before and after by good and country, USD/t."""
        keys = ["good", "country"]
        after = self.after.indices.select(*keys, after_usd_t="usd_t")
        return self.before.indices.select(*keys, before_usd_t="usd_t").join(after, on=keys).sort(keys)


# -- compiling ------------------------------------------------------------------------------------------------------------


def compile_world(world: World, assume: Assumptions = DEFAULT) -> Network:
    """The arrays of a world, calibrated: d0 from prices, freight, duties and base rents; theta = sigma / V0; margins.

    V0_j = sum_i w0_ij d0_ij,  w0 from base flows;  margin = outputs x price - inputs x V0 - fixed cost + credits + support

    Raises
    ------
    WorldError   a use without supplier, a producer without price, a margin that is not positive, a balance that is open
    """
    goods, countries = world.goods["id"].to_list(), world.countries["code"].to_list()
    good_at, country_at = {g: i for i, g in enumerate(goods)}, {c: i for i, c in enumerate(countries)}
    problems: list[Problem] = []

    routes = (
        world.routes
        if world.absolute
        else world.routes.filter((pl.col("flow_t") > 0) | (pl.col("latent") & assume.latent))
    )
    routes = routes.with_columns(
        g=pl.col("good").replace_strict(good_at, return_dtype=pl.Int64),
        i=pl.col("exporter").replace_strict(country_at, return_dtype=pl.Int64),
        j=pl.col("importer").replace_strict(country_at, return_dtype=pl.Int64),
    ).sort("g", "j", "i")
    rg, ri, rj = (routes[c].to_numpy().astype(np.intp) for c in ("g", "i", "j"))
    wide = len(countries)
    outputs = world.recipes.filter(pl.col("role") == "output")
    owner = dict(zip(world.activities["id"], world.activities["country"], strict=True))
    made = {good_at[g] * wide + country_at[owner[a]] for a, g in zip(outputs["activity"], outputs["good"], strict=True)}
    source_key = np.array(sorted(made | set((rg * wide + ri).tolist())), dtype=np.intp)
    market_key = np.unique(rg * wide + rj)
    source_good, source_country = source_key // wide, source_key % wide
    market_good, market_country = market_key // wide, market_key % wide
    route_source = np.searchsorted(source_key, rg * wide + ri).astype(np.intp)
    route_market = np.searchsorted(market_key, rg * wide + rj).astype(np.intp)
    sources, markets = source_key.size, market_key.size

    price = np.full(sources, np.nan)
    for g, c, p in world.prices.select("good", "country", "price_usd_t").iter_rows():
        at = int(np.searchsorted(source_key, good_at[g] * wide + country_at[c]))
        if at < sources and source_key[at] == good_at[g] * wide + country_at[c]:
            price[at] = np.nan if p is None else p
    if not world.absolute:
        for s in np.flatnonzero(np.isnan(price)):
            name = f"{goods[source_good[s]]} in {countries[source_country[s]]}"
            problems.append(Problem("no-price", f"{name} is produced or sold but has no base price", path="prices"))
    price = np.nan_to_num(price, nan=0.0)

    territory = dict(zip(world.countries["code"], world.countries["territory"], strict=True))
    duty_base = dict(zip(world.territories["code"], world.territories["duty_base"], strict=True))
    kept = dict(zip(world.territories["code"], world.territories["kept_share"], strict=True))
    budget = dict(zip(world.territories["code"], world.territories["budget"], strict=True))
    at_fob = np.array([1.0 if duty_base.get(territory[c], "cif") == "fob" else 0.0 for c in countries])

    flow = _column(routes, "flow_t")
    freight, premium = _column(routes, "freight_usd_t"), _column(routes, "premium_usd_t")
    tariff, specific = _column(routes, "tariff"), _column(routes, "specific_usd_t")
    export_tax, export_specific = _column(routes, "export_tax"), _column(routes, "export_tax_usd_t")
    rent = _base_rents(world, routes, good_at)
    fob_valued = at_fob[rj] if rj.size else np.zeros(0)
    cif = price[route_source] * (1.0 + export_tax) + export_specific + freight + premium + rent
    landed = cif + tariff * (cif - fob_valued * freight) + specific
    total = sum_by(route_market, flow, markets)

    if world.absolute:
        delivered0 = np.zeros(flow.size)
        prior = _column(routes, "prior_share")
        log_share = np.log(np.where(prior > 0, prior, 1.0))
        index0 = np.zeros(markets)
        theta = _column(world.goods, "theta")[market_good]
        theta = np.where(theta > 0, theta, 1.0)
    else:
        latent = routes["latent"].fill_null(False).to_numpy()
        share = flow / np.where(total > 0, total, 1.0)[route_market]
        prior = np.where(latent, _column(routes, "prior_share"), 0.0)
        taken = sum_by(route_market, prior, markets)
        for j in np.flatnonzero(total <= 0):
            name = f"{goods[market_good[j]]} in {countries[market_country[j]]}"
            problems.append(Problem("no-supplier", f"{name} has latent links but no base supplier", path="routes"))
        index0 = sum_by(route_market, share * landed, markets)
        share = np.where(latent, prior, share * (1.0 - taken[route_market]))
        delivered0 = np.where(latent, index0[route_market], landed)
        with np.errstate(divide="ignore"):
            log_share = np.log(share)
        sigma = _column(world.goods, f"sigma_{assume.horizon}")[market_good] * assume.sigma_scale
        stated = _column(world.goods, "theta")[market_good] * assume.sigma_scale
        with np.errstate(divide="ignore", invalid="ignore"):
            theta = np.where(stated > 0, stated, sigma / index0)

    activities = world.activities.sort("id")
    ids = activities["id"].to_list()
    activity_at = {a: k for k, a in enumerate(ids)}
    activity_country = np.array([country_at[c] for c in activities["country"]], dtype=np.intp)
    recipes = world.recipes.filter(pl.col("activity").is_in(ids))
    out_rows = recipes.filter(pl.col("role") == "output").sort("activity", "good")
    in_rows = recipes.filter(pl.col("role") == "input").sort("activity", "good")

    def place(rows: pl.DataFrame, keys: Index, what: str) -> tuple[Index, Index, Array]:
        k = np.array([activity_at[a] for a in rows["activity"]], dtype=np.intp)
        g = np.array([good_at[x] for x in rows["good"]], dtype=np.intp)
        wanted = g * wide + activity_country[k] if k.size else g
        at = np.minimum(np.searchsorted(keys, wanted), max(keys.size - 1, 0)).astype(np.intp)
        for bad in np.flatnonzero(keys[at] != wanted) if k.size else ():
            message = (
                f"{ids[k[bad]]} uses {goods[g[bad]]}, and nobody sells it to {countries[activity_country[k[bad]]]}"
            )
            problems.append(Problem(f"no-{what}", message, path="recipes"))
        return k, at, rows["coefficient"].to_numpy().astype(float)

    out_activity, out_source, out_coef = place(out_rows, source_key, "source")
    in_activity, in_market, in_coef = place(in_rows, market_key, "supplier")

    count = len(ids)
    level, capacity = (
        _column(activities, "level_t"),
        activities["capacity_t"].fill_null(np.inf).to_numpy().astype(float),
    )
    fixed_cost = _column(activities, "fixed_cost_usd_t") - _column(activities, "credit_usd_t")
    support = _column(activities, "base_support_usd_t")
    margin = sum_by(out_activity, out_coef * price[out_source], count).astype(float)
    margin -= sum_by(in_activity, in_coef * index0[in_market], count)
    margin += support - fixed_cost
    if world.absolute:  # no base prices: an iso-elastic curve states the margin that it passes through
        margin = _column(activities, "margin_usd_t")
    shape = np.array([SHAPES[k] for k in activities["kind"]], dtype=np.int8)
    eps = _column(activities, f"eps_{assume.horizon}") * assume.eps_scale
    shape = np.where((shape == Shape.ISO_ELASTIC) & (eps <= 0), Shape.FIXED, shape).astype(np.int8)
    a, b = _column(activities, "curve_a"), _column(activities, "curve_b")
    shape = np.where((shape == Shape.LINEAR) & (b == 0), Shape.FIXED, shape).astype(np.int8)
    level = np.where((shape == Shape.FIXED) & (level == 0), a, level)
    ran, level = level, np.where(shape == Shape.LOGISTIC, np.where(np.isfinite(capacity), capacity, level), level)
    if not world.absolute:
        for k in np.flatnonzero((shape == Shape.ISO_ELASTIC) & (margin <= 0) & (level > 0)):
            problems.append(
                Problem(
                    "no-margin",
                    f"{ids[k]} has a base margin of {margin[k]:.6g} USD/t: state its base support",
                    path="activities",
                )
            )
        shape, a, b = _through_base(shape, ran, margin, a, b, capacity)
    for k in np.flatnonzero(capacity < level * (1.0 - 1e-9)):
        problems.append(
            Problem(
                "over-capacity",
                f"{ids[k]} runs at {level[k]:.6g} t, above its capacity {capacity[k]:.6g} t",
                path="activities",
            )
        )

    final, demand_problems = _final_demand(world, goods, good_at, country_at, wide, market_key, index0)
    problems += demand_problems
    # What goes into stock is bought in the market; what comes out of stock is sold beside the country's own output.
    stock, release = np.zeros(markets), np.zeros(sources)
    for g, c, t in world.stocks.select("good", "country", "change_t").iter_rows():
        keys, change = (market_key, stock) if t > 0 else (source_key, release)
        key = good_at[g] * wide + country_at[c]
        at = int(np.searchsorted(keys, key))
        if at < keys.size and keys[at] == key:
            change[at] += abs(t)
        elif t:
            side = "no market" if t > 0 else "no seller"
            problems.append(
                Problem("no-market", f"a stock change of {g} in {c}, which has {side} of it", path="stocks")
            )
    if not world.absolute:
        arrive = total
        use = final.level + stock + sum_by(in_market, in_coef * ran[in_activity], markets)
        off = arrive - use
        for j in np.flatnonzero(np.abs(off) > BALANCE * np.maximum(arrive, use)):
            name = f"{goods[market_good[j]]} in {countries[market_country[j]]}"
            problems.append(
                Problem("open-balance", f"{name}: {arrive[j]:.9g} t arrive, {use[j]:.9g} t are used", path="routes")
            )
        stock = stock + off  # nine stored digits leave a rest in the tenth, of either sign
        left = sum_by(route_source, flow, sources)
        makes = sum_by(out_source, out_coef * ran[out_activity], sources) + release
        for s in np.flatnonzero(np.abs(left - makes) > BALANCE * np.maximum(left, makes)):
            name = f"{goods[source_good[s]]} in {countries[source_country[s]]}"
            problems.append(
                Problem("open-balance", f"{name}: {makes[s]:.9g} t are made, {left[s]:.9g} t leave", path="routes")
            )
        size = np.maximum(left, makes)
    else:
        size = np.full(sources, 1.0)
    if problems:
        raise WorldError(problems)

    recovery_rows = world.recoveries.filter(pl.col("activity").is_in(ids) & pl.col("host").is_in(ids)).sort("activity")
    homes = [territory[c] for c in countries]
    return Network(
        goods=tuple(goods),
        countries=tuple(countries),
        sourcing=_sourcing(world, assume),
        source_good=source_good,
        source_country=source_country,
        source_price=price,
        source_size=np.where(size > 0, size, max(float(size.max(initial=1.0)), 1.0) * 1e-6),
        source_floor=FLOOR * price,
        market_good=market_good,
        market_country=market_country,
        theta=theta,
        index0=index0,
        demand=final,
        route_source=route_source,
        route_market=route_market,
        log_share=log_share,
        delivered0=delivered0,
        freight=freight,
        premium=premium,
        fob_valued=fob_valued,
        tariff0=tariff,
        specific0=specific,
        export_tax0=export_tax,
        export_specific0=export_specific,
        flow0=flow,
        activities=tuple(ids),
        activity_country=activity_country,
        supply=Supply(
            shape, level, np.where(margin > 0, margin, 1.0), np.maximum(eps, 1e-12), a, np.where(b == 0, 1.0, b)
        ),
        capacity=np.maximum(capacity, level),
        fixed_cost=fixed_cost,
        support=support,
        support_holder=tuple(h or "" for h in activities["support_holder"]),
        out_activity=out_activity,
        out_source=out_source,
        out_coef=out_coef,
        in_activity=in_activity,
        in_market=in_market,
        in_coef=in_coef,
        recovery_activity=np.array([activity_at[x] for x in recovery_rows["activity"]], dtype=np.intp),
        recovery_host=np.array([activity_at[x] for x in recovery_rows["host"]], dtype=np.intp),
        recovery_content=_column(recovery_rows, "content_recovery"),
        stock_build=stock,
        stock_release=release,
        absolute=world.absolute,
        kept_share=np.array([float(kept.get(t, 1.0) if kept.get(t) is not None else 1.0) for t in homes]),
        budget=tuple(budget.get(t) or t for t in homes),
    )


def _sourcing(world: World, assume: Assumptions) -> Sourcing:
    """What the assumptions ask for, or the world's own; a world of one kind cannot be read as one of another.

    Raises
    ------
    InputRefused   identical goods asked of a world with base flows, or buyers with habits of a world without
    """
    asked = assume.sourcing or world.sourcing
    if asked == world.sourcing or not (world.absolute or asked == "homogeneous"):
        return asked
    what = "has curves alone, and buyers with habits" if world.absolute else "has base flows, and identical goods"
    needs = "need base flows" if world.absolute else "need curves alone"
    raise InputRefused.because(
        "sourcing", f"{world.name} {what} {needs}", path="sourcing", hint=f"leave it at {world.sourcing!r}"
    )


def _column(frame: pl.DataFrame, name: str) -> Array:
    return frame[name].fill_null(0.0).to_numpy().astype(float)


def _through_base(
    shape: NDArray[np.int8], level: Array, margin: Array, a: Array, b: Array, capacity: Array
) -> tuple[NDArray[np.int8], Array, Array]:
    """Linear and logistic curves of a calibrated world pass through their base point; only their slope is given."""
    linear = (shape == Shape.LINEAR) & (level > 0)
    a = np.where(linear, level - b * margin, a)
    logistic = (shape == Shape.LOGISTIC) & (level > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        middle = margin + b * np.log(np.where(np.isfinite(capacity), capacity, 2 * level) / level - 1.0)
    return shape, np.where(logistic & np.isfinite(middle), middle, a), b


def _base_rents(world: World, routes: pl.DataFrame, good_at: dict[str, int]) -> Array:
    """Base licence rent of every route, USD/t."""
    rent = np.zeros(routes.height)
    if world.licences.height == 0:
        return rent
    goods, exporters, importers = (routes[c].to_list() for c in ("good", "exporter", "importer"))
    for good, exporter, group, usd_t in world.licences.select(
        "good", "exporter", "importers", "rent_usd_t"
    ).iter_rows():
        members = set(group.split("+"))
        for r in range(routes.height):
            if goods[r] == good and exporters[r] == exporter and importers[r] in members:
                rent[r] += usd_t
    return rent


def _final_demand(
    world: World,
    goods: list[str],
    good_at: dict[str, int],
    country_at: dict[str, int],
    wide: int,
    market_key: Index,
    index0: Array,
) -> tuple[Demand, list[Problem]]:
    markets = market_key.size
    shape, level = np.full(markets, Shape.FIXED, dtype=np.int8), np.zeros(markets)
    eta, a, b = np.zeros(markets), np.zeros(markets), np.ones(markets)
    choke = np.full(markets, np.inf)
    multiple = dict(zip(world.goods["id"], world.goods["choke_multiple"], strict=True))
    default_eta = dict(zip(world.goods["id"], world.goods["eta"], strict=True))
    through = index0.copy()  # the index at which an iso-elastic curve passes through its level
    problems = []
    rows = world.final_use.select("good", "country", "use_t", "kind", "eta", "choke_usd_t", "curve_a", "curve_b")
    for g, c, use, kind, row_eta, row_choke, row_a, row_b in rows.iter_rows():
        key = good_at[g] * wide + country_at[c]
        j = int(np.searchsorted(market_key, key))
        if j >= markets or market_key[j] != key:
            if use or row_a:
                problems.append(
                    Problem("no-supplier", f"{g} is used in {c}, and nobody sells it there", path="final_use")
                )
            continue
        level[j] = use or 0.0
        shape[j] = SHAPES[kind or "iso_elastic"]
        eta[j] = abs(row_eta if row_eta is not None else (default_eta[g] or 0.0))
        if shape[j] == Shape.ISO_ELASTIC and eta[j] == 0.0:
            shape[j] = Shape.FIXED
        a[j], b[j] = row_a or 0.0, row_b or 0.0
        if world.absolute and shape[j] == Shape.ISO_ELASTIC:
            through[j] = row_a or 1.0
        if shape[j] == Shape.LINEAR and not world.absolute and level[j] > 0 and row_a is None:
            a[j] = level[j] + b[j] * index0[j]
        if shape[j] == Shape.LINEAR and b[j] == 0.0:
            shape[j], level[j], b[j] = Shape.FIXED, a[j], 1.0
        if row_choke is not None:
            choke[j] = row_choke
        elif multiple[g] is not None and index0[j] > 0:
            choke[j] = multiple[g] * index0[j]
    b = np.where(b == 0.0, 1.0, b)
    return Demand(shape, level, np.where(through > 0, through, 1.0), eta, a, b, choke), problems


# -- reading back ---------------------------------------------------------------------------------------------------------


def read_back(
    world: World,
    network: Network,
    policy: Policy,
    solved: Solution,
    counted: Accounts,
    zero: Accounts | None,
    name: str,
    settings: dict[str, Any],
    *,
    base: Network | None = None,
) -> Outcome:
    """Tables of a solved market, in tonnes and USD; `base` the network of the base year, where plants were built since."""
    n, p, s = network, policy, solved
    mass, money = world.mass_unit_t, world.money_unit_usd
    per_t = money / mass
    goods, countries = np.array(n.goods, dtype=object), np.array(n.countries, dtype=object)
    producer = {"good": goods[n.source_good], "country": countries[n.source_country]}
    user = {"good": goods[n.market_good], "country": countries[n.market_country]}
    stood = (base or n).supply
    base_level = stood.level if n.absolute else supply(stood, stood.margin)[0]
    base_made = sum_by(n.out_source, n.out_coef * base_level[n.out_activity], n.source_good.size)
    made = sum_by(p.out_source, p.out_coef * s.level[p.out_tranche], n.source_good.size)
    served = s.wanted - s.unserved
    duty = s.before_levy - s.cif
    keys = ["good", "country"]
    lines = counted.lines if zero is None else _less(counted.lines, zero.lines)
    by_good = [(c, i, g, v * money) for (c, i, g), v in lines.items()]
    accounts: dict[tuple[str, str], float] = {}
    for c, i, _g, v in by_good:
        accounts[c, i] = accounts.get((c, i), 0.0) + v
    parts = {field: getattr(counted.resources, field) for field in counted.resources.__dataclass_fields__}
    if zero is not None:
        parts = {field: value - getattr(zero.resources, field) for field, value in parts.items()}
    resource_total = counted.resources.total - (zero.resources.total if zero is not None else 0.0)
    world_total = counted.total - (zero.total if zero is not None else 0.0)
    level = sum_by(p.tranche_activity, s.level, len(n.activities))
    surplus = sum_by(p.tranche_activity, tranche_surplus(p.tranches, s.margin), len(n.activities))
    full = sum_by(p.tranche_activity, capacity_rent(p.tranches, s.margin), len(n.activities))
    first_tranche = np.searchsorted(p.tranche_activity, np.arange(len(n.activities)))
    days = np.where(s.wanted > 0, 365.0 * s.unserved / np.where(s.wanted > 0, s.wanted, 1.0), 0.0)
    return Outcome(
        name=name,
        world=f"{world.name} {world.version}",
        status=s.status,
        method=s.method,
        steps=s.steps,
        residual_t=s.residual_t * mass,
        seconds=s.seconds,
        absolute=n.absolute,
        prices=pl.DataFrame(
            {**producer, "usd_t": s.price * per_t, "base_usd_t": n.source_price * per_t}, schema_overrides=_TEXTS
        ).sort(keys),
        indices=pl.DataFrame(
            {**user, "usd_t": s.index * per_t, "base_usd_t": n.index0 * per_t}, schema_overrides=_TEXTS
        ).sort(keys),
        flows=pl.DataFrame(
            {
                "good": goods[n.route_good],
                "exporter": countries[n.source_country[n.route_source]],
                "importer": countries[n.market_country[n.route_market]],
                "t": s.flow * mass,
                "base_t": n.flow0 * mass,
                "cif_usd_t": s.cif * per_t,
                "tariff": s.tariff,
                "duty_usd_t": duty * per_t,
                "levy_usd_t": s.levy * per_t,
                "delivered_usd_t": s.delivered * per_t,
                "open": p.open,
            },
            schema_overrides=_TEXTS,
        ).sort("good", "exporter", "importer"),
        output=pl.DataFrame({**producer, "t": made * mass, "base_t": base_made * mass}, schema_overrides=_TEXTS).sort(
            keys
        ),
        use=pl.DataFrame(
            {
                **user,
                "t": served * mass,
                "base_t": n.demand.level * mass,
                "unserved_t": s.unserved * mass,
                "days_short": days,
            },
            schema_overrides=_TEXTS,
        ).sort(keys),
        activities=pl.DataFrame(
            {
                "activity": list(n.activities),
                "country": countries[n.activity_country],
                "t": level * mass,
                "base_t": base_level * mass,
                "capacity_t": n.capacity * mass,
                "margin_usd_t": s.margin[first_tranche] * per_t,
                "base_margin_usd_t": n.supply.margin * per_t,
                "surplus_usd": surplus * money,
                "capacity_rent_usd": full * money,
            },
            schema_overrides=_TEXTS,
        ).sort("activity"),
        accounts=pl.DataFrame(
            [(c, i, v) for (c, i), v in accounts.items()],
            schema={"country": pl.String, "item": pl.String, "usd": pl.Float64},
            orient="row",
        ).sort("country", "item"),
        by_good=pl.DataFrame(
            by_good,
            schema={"country": pl.String, "item": pl.String, "good": pl.String, "usd": pl.Float64},
            orient="row",
        ).sort("country", "item", "good"),
        rents=_rents(network, policy, solved, mass, per_t),
        gained=_gained(network, solved, user, mass),
        world_total_usd=world_total * money,
        resource_total_usd=resource_total * money,
        resource_parts_usd={field: float(value) * money for field, value in parts.items()},
        undetermined=tuple(
            (str(goods[n.source_good[i]]), str(countries[n.source_country[i]]), low * per_t, high * per_t)
            for i, low, high in s.undetermined
        ),
        settings=settings,
        state=s.state,
    )


_TEXTS = dict.fromkeys(("good", "country", "exporter", "importer", "activity"), pl.String)


def _less(
    after: dict[tuple[str, str, str], float], before: dict[tuple[str, str, str], float]
) -> dict[tuple[str, str, str], float]:
    return {key: after.get(key, 0.0) - before.get(key, 0.0) for key in sorted({*after, *before})}


def _rents(network: Network, policy: Policy, solved: Solution, mass: float, per_t: float) -> pl.DataFrame:
    rows: list[tuple[str, str, float, float, float, str]] = []
    for kind, groups, rents in (
        ("quota", policy.quotas, solved.quota_rent),
        ("corridor", policy.corridors, solved.corridor_rent),
    ):
        for group, rho in zip(groups, rents, strict=True):
            used = float(solved.flow[group.routes].sum()) * mass
            rows.append((group.clause, kind, float(rho) * per_t, used, group.tonnes * mass, group.owner))
    for over in policy.overflows:
        carried = min(over.tonnes, float(solved.flow[over.routes].sum())) * mass
        rows.append((over.clause, "corridor", over.saving_usd_t * per_t, carried, over.tonnes * mass, over.owner))
    for rate_group, rate in zip(policy.rate_quotas, solved.rate, strict=True):
        used = float(solved.flow[rate_group.routes].sum()) * mass
        rows.append(
            (rate_group.clause, "tariff_quota_rate", float(rate), used, rate_group.tonnes * mass, rate_group.owner)
        )
    for e, k in enumerate(network.recovery_activity):
        host = network.recovery_host[e]
        taken = float(solved.level[policy.tranche_activity == k].sum()) * mass
        bound = float(network.recovery_content[e] * solved.level[policy.tranche_activity == host].sum()) * mass
        rows.append(
            (
                network.activities[k],
                "recovery",
                float(solved.recovery_charge[e]) * per_t,
                taken,
                bound,
                network.activities[host],
            )
        )
    schema = {
        "clause": pl.String,
        "kind": pl.String,
        "rent": pl.Float64,
        "tonnes": pl.Float64,
        "limit_t": pl.Float64,
        "owner": pl.String,
    }
    return pl.DataFrame(rows, schema=schema, orient="row").sort("kind", "clause")


def _gained(network: Network, solved: Solution, user: dict[str, Any], mass: float) -> pl.DataFrame:
    """What CES sourcing makes of tonnes: a row for every market, none for the ways of buying that keep them."""
    used, arrived, gain = (mass * t for t in ces.gained(network, solved))
    share = np.divide(gain, used, out=np.zeros_like(gain), where=used > 0.0)
    columns = {**user, "used_t": used, "arrived_t": arrived, "gained_t": gain, "share_of_use": share}
    table = pl.DataFrame(columns, schema_overrides=_TEXTS).sort("good", "country")
    return table if network.sourcing == "ces" else table.clear()


def _timed(outcome: Outcome, seconds: float) -> Outcome:
    return replace(outcome, settings={**outcome.settings, "wall_seconds": seconds})


def _name(deal: Agreement | None, as_of: date | None) -> str:
    if deal is not None:
        return deal.id
    return f"status quo at {as_of.isoformat()}" if as_of else "base year"
