"""What an agreement does on a day: its clauses as wedges, duties, promises and claims.

The agreement says what was agreed, the world who trades what; this module puts the two together for one date. Solving,
charging, judging and paying are left to those who read the faces.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from math import log10
from typing import TYPE_CHECKING

from friendshore.agreement.check import Finding
from friendshore.agreement.worked import Worked, work
from friendshore.errors import InputRefused
from friendshore.faces import Claim, Contract, Corridor, Duty, Lane, Offtake, Promise, Tariff, Wedge
from friendshore.instruments import KINDS
from friendshore.instruments.clause import Clause, Setting, in_force
from friendshore.instruments.dates import values
from friendshore.instruments.export_control import ExportControl, without
from friendshore.instruments.names import vocabulary
from friendshore.instruments.offtake import OfftakeAgreement
from friendshore.instruments.price import AnyPrice, CostPlusPrice, Item, price_usd_t, working
from friendshore.instruments.price_floor import PriceFloor
from friendshore.instruments.production_subsidy import ProductionSubsidy
from friendshore.instruments.safeguard import Safeguard
from friendshore.instruments.tariff import ImportTariff
from friendshore.marked import dotted
from friendshore.units import to_float
from friendshore.world import status_quo

if TYPE_CHECKING:
    from friendshore.agreement.document import Agreement
    from friendshore.world.tables import World

NOTHING: Mapping[str, Decimal] = {}
FAR = 5.0  # a price this many times away from the market's is probably in another unit
STEEP = Decimal(2)  # a rate above 200 % is probably meant in per cent


def setting(deal: Agreement, world: World, as_of: date, *, published: Mapping[str, Decimal] = NOTHING) -> Setting:
    """The setting in which the clauses of `deal` are read on a day; `published` are the day's reference prices by good.

    Raises
    ------
    InputRefused   a good, country or substance of the agreement that `world` does not have
    """
    bare = Setting(
        as_of=as_of,
        in_force=deal.in_force,
        words=vocabulary(world),
        parties=deal.parties,
        published_usd_t=published,
        gdp_usd={code: gdp or 0.0 for code, gdp in world.countries.select("code", "gdp_usd").iter_rows()},
    )
    needs = frozenset().union(*(clause.needs for clause in deal.clauses))
    if any(area.blends(bare) for area in deal.trade_area):  # a full preference does not ask what was there before
        needs |= {"duties"}
    bare = replace(
        bare,
        use_t=_use(world) if "use" in needs else {},
        base_duty=_duties(world, as_of) if "duties" in needs else {},
        base_flow_t=_flows(world) if "flows" in needs else {},
        capacity_t=_capacities(world) if "capacity" in needs else {},
    )
    return replace(bare, floors_usd_t=_floors(deal, bare))


def wedges(
    deal: Agreement,
    world: World,
    as_of: date,
    *,
    only: Collection[str] | None = None,
    published: Mapping[str, Decimal] = NOTHING,
) -> tuple[Wedge, ...]:
    """What the agreement, or `only` the clauses named, does to the market on a day, in the order of taking effect."""
    deal = deal.checked(world)
    here = setting(deal, world, as_of, published=published)
    asleep = dormant(deal)
    counted = [c for c in deal.clauses if (only is None or c.id in only) and c.id not in asleep]
    return tuple(wedge for clause in counted for wedge in clause.wedges(here))


def duties(
    deal: Agreement, world: World, as_of: date, *, published: Mapping[str, Decimal] = NOTHING
) -> tuple[Duty, ...]:
    """What consignments owe under the agreement on a day; `published` are the day's reference prices by good."""
    deal = deal.checked(world)
    here, asleep = setting(deal, world, as_of, published=published), dormant(deal)
    return tuple(duty for clause in deal.clauses if clause.id not in asleep for duty in clause.duties(here))


def dormant(deal: Agreement) -> frozenset[str]:
    """The clauses that hold only while a safeguard is acted on."""
    return frozenset(name for guard in deal.safeguards for name in guard.then.apply)


def promises(deal: Agreement, world: World, as_of: date) -> tuple[Promise, ...]:
    """What the agreement does on a day that a treaty may speak about."""
    deal = deal.checked(world)
    here = setting(deal, world, as_of)
    return tuple(promise for clause in deal.clauses for promise in clause.promises(here))


def claims(deal: Agreement, world: World, as_of: date) -> tuple[Claim, ...]:
    """What the agreement makes one holder owe another on a day."""
    deal = deal.checked(world)
    here, asleep = setting(deal, world, as_of), dormant(deal)
    return tuple(claim for clause in deal.clauses if clause.id not in asleep for claim in clause.claims(here))


def lifted(deal: Agreement, world: World, as_of: date, *, only: Collection[str] | None = None) -> tuple[Lane, ...]:
    """The lanes on which the parties have given up export controls against each other."""
    deal = deal.checked(world)
    here = setting(deal, world, as_of)
    controls = [clause for clause in deal.clauses if isinstance(clause, ExportControl)]
    return tuple(lane for clause in controls if only is None or clause.id in only for lane in clause.lifts(here))


def lift(
    controls: Iterable[Wedge], deal: Agreement, world: World, as_of: date, *, only: Collection[str] | None = None
) -> tuple[Wedge, ...]:
    """Wedges of the status quo, less the export controls that the parties have given up against each other."""
    deal = deal.checked(world)
    if not (lanes := lifted(deal, world, as_of, only=only)):
        return tuple(controls)
    return without(controls, lanes, replace(setting(deal, world, as_of), base_flow_t=_flows(world)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """A reference price or strike on a day, and how it came about. USD per contained tonne."""

    clause: str
    good: str
    usd_t: Decimal
    illustrative: bool
    working: tuple[Item, ...]


def levels(deal: Agreement, world: World, as_of: date) -> tuple[Level, ...]:
    """Every reference price and strike in force on a day, with its working."""
    deal = deal.checked(world)
    here = setting(deal, world, as_of)
    found: list[Level] = []
    for clause in deal.clauses:
        for price, good in _prices(clause, here):
            found.append(
                Level(
                    clause=clause.id,
                    good=good,
                    usd_t=price_usd_t(price, good, here),
                    illustrative=clause.illustrative,
                    working=working(price, good, here),
                )
            )
    return tuple(found)


def findings(deal: Agreement, world: World) -> list[Finding]:
    """What looks wrong once the terms meet the world's figures: odd prices, clauses without effect, failed examples."""
    here = setting(deal, world, deal.run_date)
    market = {good: price for good, price in world.goods.select("id", "price_outside_usd_t").iter_rows() if price}
    paths = {id(clause): path for path, clause in _paths(deal)}
    found: list[Finding] = []
    for clause in deal.clauses:
        path = paths[id(clause)]
        for price, good in _prices(clause, here):
            usd_t = to_float(price_usd_t(price, good, here))
            times = usd_t / market[good] if good in market else 1.0
            if times > FAR or times < 1 / FAR:
                message = f"{usd_t:,.0f} USD per tonne of {good} is {_times(times)} times its price in the base year"
                found.append(Finding(code="implausible", message=message, path=path, severity="warning"))
        if isinstance(clause, ImportTariff | ExportControl) and clause.rate is not None:
            for rate in values(clause.rate):
                if rate > STEEP:
                    message, hint = f"a rate of {rate} is {rate * 100:g} per cent", "a rate is a fraction: 0.25 is 25 %"
                    found.append(Finding(code="implausible", message=message, path=path, hint=hint, severity="warning"))
        if in_force(clause, here) and not clause.wedges(here) and not isinstance(clause, Safeguard):
            message = f"{clause.id} reaches nobody on {here.as_of}"
            found.append(Finding(code="no-effect", message=message, path=path, severity="warning"))
    found += [
        *_beyond_capacity(deal, world, here),
        *_without_a_route(deal, world, here),
        *_other_lines(deal, world, here),
    ]
    return [*found, *_two_caps(deal, world, here), *_failed_examples(deal, world)]


def _times(ratio: float) -> str:
    """Three digits, however large or small.

    >>> _times(2.0e6), _times(0.0123456), _times(12.34)
    ('2,000,000', '0.0123', '12.3')
    """
    return f"{float(f'{ratio:.2e}'):,.{max(0, 2 - int(log10(ratio) // 1))}f}"


def _two_caps(deal: Agreement, world: World, here: Setting) -> Iterator[Finding]:
    """Capped contracts on one activity at one time: which of its tonnes each would cover is not ours to say."""
    capped = [clause for clause in deal.subsidies if clause.cap_t is not None]
    if len(capped) < 2:
        return
    paths = {id(clause): path for path, clause in _paths(deal)}
    makes: dict[str, set[str]] = {}
    for activity, good in world.recipes.filter(role="output").select("activity", "good").iter_rows():
        makes.setdefault(good, set()).add(activity)
    home = dict(world.activities.select("id", "country").iter_rows())
    told: set[tuple[str, str]] = set()
    for day in sorted({clause.enters_into_force or deal.in_force for clause in capped} | {here.as_of}):
        first: dict[str, ProductionSubsidy] = {}
        for clause in capped:
            for wedge in clause.wedges(replace(here, as_of=day)):
                if not isinstance(wedge, Contract) or wedge.cap_t is None:
                    continue
                for activity in sorted(makes.get(wedge.good, ())):
                    eligible = not wedge.activities or activity in wedge.activities
                    if not eligible or home[activity] not in wedge.producers:
                        continue
                    other = first.setdefault(activity, clause)
                    if other is clause or (other.id, clause.id) in told:
                        continue
                    told.add((other.id, clause.id))
                    message = (
                        f"{activity} stands under a capped contract already, {other.id} ({dotted(paths[id(other)])})"
                    )
                    hint = "which tonnes come first is open: name other activities or producers, or other dates"
                    yield Finding(code="two-caps", message=message, path=(*paths[id(clause)], "cap_t"), hint=hint)


def _beyond_capacity(deal: Agreement, world: World, here: Setting) -> Iterator[Finding]:
    """Offtakes that together exceed what the seller's country can make, on any first day of one of them."""
    paths = {id(clause): path for path, clause in _paths(deal)}
    days = sorted({clause.enters_into_force or deal.in_force for clause in deal.offtakes} | {here.as_of})
    told: set[tuple[str, str]] = set()
    made = {good for good, _ in here.capacity_t}
    for day in days:
        on_day = replace(here, as_of=day)
        taken: dict[tuple[str, str], float] = {}
        by: dict[tuple[str, str], list[OfftakeAgreement]] = {}
        for clause in deal.offtakes:
            for wedge in clause.wedges(on_day):
                if isinstance(wedge, Offtake):
                    key = (wedge.good, wedge.exporter)
                    taken[key] = taken.get(key, 0.0) + wedge.tonnes
                    by.setdefault(key, []).append(clause)
        for key, tonnes in taken.items():
            if key[0] not in made:  # a world without producers knows no capacity
                continue
            most = here.capacity_t.get(key, 0.0)
            if tonnes <= most * (1 + 1e-9) or key in told:
                continue
            told.add(key)
            good, seller = key
            sold = list({id(clause): clause for clause in by[key]}.values())
            others = "".join(f", with {clause.id} ({dotted(paths[id(clause)])})" for clause in sold[:-1])
            message = f"{tonnes:,.6g} t of {good} from {seller} a year{others}, which can make {most:,.6g} t"
            hint = f"the capacity is that of the world: friendshore world show {good.split('.')[0]}"
            yield Finding(code="above-capacity", message=message, path=(*paths[id(sold[-1])], "tonnes"), hint=hint)


def _without_a_route(deal: Agreement, world: World, here: Setting) -> Iterator[Finding]:
    """Offtakes and corridors on routes that the world does not have, and savings above the freight there."""
    if not deal.offtakes and not deal.corridors:
        return
    paths = {id(clause): path for path, clause in _paths(deal)}
    freight = {
        (good, exporter, importer): usd_t or 0.0
        for good, exporter, importer, usd_t in world.routes.select(
            "good", "exporter", "importer", "freight_usd_t"
        ).iter_rows()
    }
    for clause in (*deal.offtakes, *deal.corridors):
        for wedge in clause.wedges(here):
            if isinstance(wedge, Offtake) and (wedge.good, wedge.exporter, wedge.importer) not in freight:
                message = (
                    f"{wedge.exporter} sells no {wedge.good} to {wedge.importer} in this world: nothing is shipped"
                )
                yield Finding(code="no-route", message=message, path=paths[id(clause)], severity="warning")
            if isinstance(wedge, Corridor):
                there = [
                    freight[key]
                    for lane in wedge.lanes
                    for key in freight
                    if key[0] == lane.good
                    and key[1] in lane.exporters
                    and key[2] in lane.importers
                    and key[1] != key[2]
                ]
                if not there:
                    message = f"{clause.id} lies on no route of this world"
                    yield Finding(code="no-route", message=message, path=paths[id(clause)], severity="warning")
                elif min(there) < wedge.freight_saving_usd_t:
                    message = (
                        f"{clause.id} saves {wedge.freight_saving_usd_t:,.6g} USD per contained tonne, more than the "
                        f"freight of {min(there):,.6g} on one of its routes: freight there becomes nought"
                    )
                    yield Finding(code="implausible", message=message, path=paths[id(clause)], severity="warning")


def _other_lines(deal: Agreement, world: World, here: Setting) -> Iterator[Finding]:
    """Default contents for tariff lines under which the clause's good does not trade."""
    codes = dict(world.goods.select("id", "hs6").iter_rows())
    paths = {id(clause): path for path, clause in _paths(deal)}
    for clause in deal.floors:
        under = (codes.get(here.good(clause.good)) or "").split("+")
        for number, item in enumerate(clause.default_content):
            if under != [""] and item.line[:6] not in under:
                message = f"{clause.good} does not trade under {item.hs}"
                path = (*paths[id(clause)], "default_content", number, "hs")
                yield Finding(code="wrong-line", message=message, path=path, hint=f"one of {', '.join(under)}")


def assumptions(deal: Agreement) -> tuple[str, ...]:
    """What the agreement is taken to say where its text says nothing, one sentence each."""
    return tuple(said for clause in deal.clauses for said in clause.assumptions())


def examples(deal: Agreement, world: World) -> tuple[Worked, ...]:
    """Every worked example of the agreement, charged on its own day."""
    deal = deal.checked(world)
    return tuple(work(example, deal.floors, setting(deal, world, example.day)) for example in deal.tests)


def _failed_examples(deal: Agreement, world: World) -> Iterator[Finding]:
    for number, example in enumerate(deal.tests):
        done = work(example, deal.floors, setting(deal, world, example.day))
        if not done.holds:
            message = f"{example.name}: the levy is {done.owed_usd}, not {example.levy_usd}"
            yield Finding(code="example-fails", message=message, path=("tests", number, "levy_usd"))


def _paths(deal: Agreement) -> Iterator[tuple[tuple[str | int, ...], Clause]]:
    for key in KINDS:
        for number, clause in enumerate(getattr(deal, key)):
            yield (key, number), clause


def _prices(clause: Clause, here: Setting) -> Iterator[tuple[AnyPrice, str]]:
    if isinstance(clause, PriceFloor):
        term, good = clause.reference_price, clause.good
    elif isinstance(clause, ProductionSubsidy) and clause.strike is not None:
        term, good = clause.strike, clause.good
    else:
        return
    if not in_force(clause, here):
        return
    for price in term if isinstance(term, tuple) else ():
        if price.holds(here.as_of):
            yield price.value, here.good(good)
    if not isinstance(term, tuple):
        yield term, here.good(good)


def _floors(deal: Agreement, here: Setting) -> dict[str, Decimal]:
    """The reference price of every floor on the day; those that build on another come after it."""
    found: dict[str, Decimal] = {}
    waiting = list(deal.floors)
    while waiting:
        ready = [floor for floor in waiting if _inputs(floor) <= found.keys() | _priceless(deal, found, waiting)]
        if not ready:
            names = ", ".join(floor.id for floor in waiting)
            raise InputRefused.because("circular", f"the floors {names} are computed from each other")
        for floor in ready:
            waiting.remove(floor)
            if (usd_t := floor.reference_usd_t(replace(here, floors_usd_t=found))) is not None:
                found[floor.id] = usd_t
    return found


def _priceless(deal: Agreement, found: dict[str, Decimal], waiting: list[PriceFloor]) -> set[str]:
    """Floors already asked that hold no price on the day."""
    return {floor.id for floor in deal.floors} - found.keys() - {floor.id for floor in waiting}


def _inputs(floor: PriceFloor) -> set[str]:
    term = floor.reference_price
    return {
        cost.floor
        for price in ([period.value for period in term] if isinstance(term, tuple) else [term])
        if isinstance(price, CostPlusPrice)
        for cost in price.costs
        if cost.floor is not None
    }


def _use(world: World) -> dict[tuple[str, str], float]:
    """Tonnes of each good that arrive in each country in the base year, its own included."""
    found: dict[tuple[str, str], float] = {}
    for good, importer, flow in world.routes.select("good", "importer", "flow_t").iter_rows():
        found[good, importer] = found.get((good, importer), 0.0) + (flow or 0.0)
    return found


def _flows(world: World) -> dict[tuple[str, str, str], float]:
    columns = world.routes.select("good", "exporter", "importer", "flow_t")
    return {(good, exporter, importer): flow or 0.0 for good, exporter, importer, flow in columns.iter_rows()}


def _duties(world: World, as_of: date) -> dict[tuple[str, str, str], tuple[float, float]]:
    """Rate and USD per tonne of every route on a day: the base year's, and the measures since, in their order."""
    columns = world.routes.select("good", "exporter", "importer", "tariff", "specific_usd_t")
    found = {
        (good, exporter, importer): (rate or 0.0, specific or 0.0)
        for good, exporter, importer, rate, specific in columns.iter_rows()
    }
    since = [wedge for wedge in (*status_quo.wedges(world, as_of), *world.wedges) if isinstance(wedge, Tariff)]
    for wedge in since:
        for exporter in wedge.lane.exporters:
            for importer in wedge.lane.importers - {exporter}:
                key = (wedge.lane.good, exporter, importer)
                if key in found:
                    rate, specific = found[key] if wedge.adds else (0.0, 0.0)
                    found[key] = (rate + wedge.rate, specific + wedge.specific_usd_t)
    return found


def _capacities(world: World) -> dict[tuple[str, str], float]:
    """Tonnes of each good that each country can make in a year; none where a capacity is not known."""
    outputs = world.recipes.filter(world.recipes["role"] == "output")
    country = dict(zip(world.activities["id"], world.activities["country"], strict=True))
    capacity = dict(zip(world.activities["id"], world.activities["capacity_t"], strict=True))
    found: dict[tuple[str, str], float] = {}
    for activity, good, coefficient in outputs.select("activity", "good", "coefficient").iter_rows():
        if activity in country:
            most = capacity[activity]
            made = coefficient * (float("inf") if most is None else most)
            found[good, country[activity]] = found.get((good, country[activity]), 0.0) + made
    return found
