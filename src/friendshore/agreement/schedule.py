"""What an agreement does on a day: its clauses as wedges, duties, promises and claims.

The agreement says what was agreed, the world who trades what; this module puts the two together for one date. Solving,
charging, judging and paying are left to those who read the faces.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

from friendshore.agreement.check import Finding
from friendshore.errors import InputRefused
from friendshore.faces import Claim, Duty, Lane, Promise, Wedge
from friendshore.instruments.clause import Clause, Setting, in_force
from friendshore.instruments.dates import values
from friendshore.instruments.export_control import ExportControl, without
from friendshore.instruments.names import vocabulary
from friendshore.instruments.price import CostPlusPrice, FixedPrice, Item, price_usd_t, working
from friendshore.instruments.price_floor import PriceFloor
from friendshore.instruments.production_subsidy import ProductionSubsidy
from friendshore.instruments.tariff import ImportTariff
from friendshore.units import to_cent, to_float

if TYPE_CHECKING:
    from friendshore.agreement.document import Agreement
    from friendshore.world.tables import World

FAR = 5.0  # a price this many times away from the market's is probably in another unit
STEEP = Decimal(2)  # a rate above 200 % is probably meant in per cent


def setting(deal: Agreement, world: World, as_of: date) -> Setting:
    """The setting in which the clauses of `deal` are read on a day.

    Raises
    ------
    InputRefused   a good, country or substance of the agreement that `world` does not have
    """
    bare = Setting(
        as_of=as_of,
        in_force=deal.in_force,
        words=vocabulary(world),
        parties=deal.parties,
        gdp_usd={code: gdp or 0.0 for code, gdp in world.countries.select("code", "gdp_usd").iter_rows()},
        use_t=_use(world) if any(_by_use(clause) for clause in deal.clauses) else {},
    )
    if any(party.phase < 1 for area in deal.trade_area for party in bare.bound(area)):
        bare = replace(bare, base_duty=_duties(world))  # a full preference does not ask what was there before
    return replace(bare, floors_usd_t=_floors(deal, bare))


def wedges(deal: Agreement, world: World, as_of: date) -> tuple[Wedge, ...]:
    """What the agreement does to the market on a day, in the order in which it takes effect."""
    deal = deal.checked(world)
    here = setting(deal, world, as_of)
    return tuple(wedge for clause in deal.clauses for wedge in clause.wedges(here))


def duties(deal: Agreement, world: World, as_of: date) -> tuple[Duty, ...]:
    """What consignments owe under the agreement on a day."""
    deal = deal.checked(world)
    here = setting(deal, world, as_of)
    return tuple(duty for clause in deal.clauses for duty in clause.duties(here))


def promises(deal: Agreement, world: World, as_of: date) -> tuple[Promise, ...]:
    """What the agreement does on a day that a treaty may speak about."""
    deal = deal.checked(world)
    here = setting(deal, world, as_of)
    return tuple(promise for clause in deal.clauses for promise in clause.promises(here))


def claims(deal: Agreement, world: World, as_of: date) -> tuple[Claim, ...]:
    """What the agreement makes one holder owe another on a day."""
    deal = deal.checked(world)
    here = setting(deal, world, as_of)
    return tuple(claim for clause in deal.clauses for claim in clause.claims(here))


def lifted(deal: Agreement, world: World, as_of: date) -> tuple[Lane, ...]:
    """The lanes on which the parties have given up export controls against each other."""
    deal = deal.checked(world)
    here = setting(deal, world, as_of)
    return tuple(lane for clause in deal.clauses if isinstance(clause, ExportControl) for lane in clause.lifts(here))


def lift(controls: Iterable[Wedge], deal: Agreement, world: World, as_of: date) -> tuple[Wedge, ...]:
    """Wedges of the status quo, less the export controls that the parties have given up against each other."""
    deal = deal.checked(world)
    if not (lanes := lifted(deal, world, as_of)):
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
                message = f"{usd_t:,.0f} USD per tonne of {good} is {times:.3g} times its price in the base year"
                found.append(Finding(code="implausible", message=message, path=path, severity="warning"))
        if isinstance(clause, ImportTariff | ExportControl) and clause.rate is not None:
            for rate in values(clause.rate):
                if rate > STEEP:
                    message, hint = f"a rate of {rate} is {rate * 100:g} per cent", "a rate is a fraction: 0.25 is 25 %"
                    found.append(Finding(code="implausible", message=message, path=path, hint=hint, severity="warning"))
        if in_force(clause, here) and not clause.wedges(here):
            message = f"{clause.id} reaches nobody on {here.as_of}"
            found.append(Finding(code="no-effect", message=message, path=path, severity="warning"))
    return [*found, *_failed_examples(deal, world)]


def _failed_examples(deal: Agreement, world: World) -> Iterator[Finding]:
    for number, example in enumerate(deal.tests):
        here = setting(deal, world, example.day)
        price = price_usd_t(example.price, here.good(example.good), here)
        per_tonne = Decimal(0)
        exporters, importers = here.members(example.exporter), here.members(example.importer)
        for clause in deal.floors:
            for duty in clause.duties(here):
                if duty.good == here.good(example.good) and exporters <= duty.exporters and importers <= duty.importers:
                    gap = (
                        max(Decimal(0), duty.reference_usd_t - price)
                        if duty.reference_usd_t is not None
                        else Decimal(0)
                    )
                    per_tonne += duty.phase * gap + (duty.specific_usd_t or Decimal(0))
        owed = to_cent(per_tonne * example.mass_t)
        if owed != example.levy_usd:
            message = f"{example.name}: the levy is {owed}, not {example.levy_usd}"
            yield Finding(code="example-fails", message=message, path=("tests", number, "levy_usd"))


def _paths(deal: Agreement) -> Iterator[tuple[tuple[str | int, ...], Clause]]:
    for key in ("trade_area", "tariffs", "floors", "export_controls", "subsidies"):
        for number, clause in enumerate(getattr(deal, key)):
            yield (key, number), clause


def _prices(clause: Clause, here: Setting) -> Iterator[tuple[FixedPrice | CostPlusPrice, str]]:
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


def _by_use(clause: Clause) -> bool:
    return isinstance(clause, ProductionSubsidy) and clause.funding == "by_use"


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


def _duties(world: World) -> dict[tuple[str, str, str], tuple[float, float]]:
    columns = world.routes.select("good", "exporter", "importer", "tariff", "specific_usd_t")
    return {
        (good, exporter, importer): (rate or 0.0, specific or 0.0)
        for good, exporter, importer, rate, specific in columns.iter_rows()
    }
