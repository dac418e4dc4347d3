"""Who makes and who uses what in a network file, and whether the base year adds up.

Answers with rows of the tables: activities with their curves, recipes, final use as the residual of the balance. In a
world of curves alone there is no base to balance and each curve stands for itself. Reading the blocks is
`world.network_blocks`, joining the rows to a `World` is `world.network`.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from pydantic import BaseModel

from friendshore.errors import did_you_mean
from friendshore.marked import KeyPath, shown
from friendshore.world import network_file as words
from friendshore.world.network_blocks import Entry, Reader
from friendshore.world.network_curves import Curve

Row = dict[str, object]
Market = tuple[str, str]
Route = tuple[str, str, str]
TermT = TypeVar("TermT", words.SupplyTerms, words.DemandTerms)

CLOSE = 1e-9  # a residual below this part of its market is rounding of the figures as typed
AGREES = 1e-6  # a curve passes through its base point to this relative difference


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One process in one country, in tonnes and USD per tonne."""

    process: str
    country: str
    path: KeyPath
    inputs: Mapping[str, float]
    outputs: Mapping[str, float]
    curve: Curve
    level_t: float | None = None
    capacity_t: float | None = None
    fixed_cost_usd_t: float = 0.0
    credit_usd_t: float = 0.0
    base_support_usd_t: float = 0.0
    support_holder: str | None = None
    recovered_from: words.Recovery | None = None
    everywhere: bool = False  # stated for `all`, not for this country

    @property
    def id(self) -> str:
        return f"{self.process}@{self.country}"


@dataclass(frozen=True, slots=True)
class Use:
    """Final demand as one country states it."""

    good: str
    country: str
    path: KeyPath
    curve: Curve
    choke_usd_t: float | None = None
    everywhere: bool = False


@dataclass
class Base:
    """Base flows in tonnes with the prices and duties that stand between producer and buyer; empty where there are none."""

    flows: dict[Route, float] = field(default_factory=dict)
    flow_paths: dict[Route, KeyPath] = field(default_factory=dict)
    prices: dict[Market, float] = field(default_factory=dict)
    freight: dict[Route, float] = field(default_factory=dict)
    closed: set[Route] = field(default_factory=set)
    duties: dict[Route, tuple[float, float]] = field(default_factory=dict)
    export_taxes: dict[Route, tuple[float, float]] = field(default_factory=dict)
    rents: dict[Route, float] = field(default_factory=dict)
    at_fob: frozenset[str] = frozenset()
    stock_change_t: dict[Market, float] = field(default_factory=dict)
    stock_paths: dict[Market, KeyPath] = field(default_factory=dict)
    licences: list[Row] = field(default_factory=list)

    def delivered_usd_t(self, route: Route) -> float:
        """d0 = pre-levy price of the base: cif (1 + tariff) less the tariff on freight where the territory values at fob."""
        good, exporter, importer = route
        tax, tax_usd_t = self.export_taxes.get(route, (0.0, 0.0))
        rate, specific = self.duties.get(route, (0.0, 0.0))
        freight = self.freight.get(route, 0.0)
        cif = self.prices[good, exporter] * (1.0 + tax) + tax_usd_t + self.rents.get(route, 0.0) + freight
        valued = cif - freight if importer in self.at_fob else cif
        return cif + rate * valued + specific

    def sales(self) -> dict[Market, float]:
        return _sum((good, exporter, tonnes) for (good, exporter, _), tonnes in self.flows.items())

    def output(self) -> dict[Market, float]:
        """What a country sells less what comes out of its stocks."""
        sold = self.sales()
        return {market: tonnes + min(self.stock_change_t.get(market, 0.0), 0.0) for market, tonnes in sold.items()}

    def arrivals(self) -> dict[Market, float]:
        return _sum((good, importer, tonnes) for (good, _, importer), tonnes in self.flows.items())

    def index_usd_t(self) -> dict[Market, float]:
        """V0, the mean delivered price of each market, by base tonnes."""
        arrivals = self.arrivals()
        worth = _sum((r[0], r[2], tonnes * self.delivered_usd_t(r)) for r, tonnes in self.flows.items())
        return {market: worth[market] / tonnes for market, tonnes in arrivals.items()}


# -- from terms to runs and uses ----------------------------------------------------------------------------------------


def read_supply(reader: Reader, entries: list[Entry], goods: Mapping[str, words.GoodTerms]) -> list[Run]:
    """Suppliers that buy none of the goods, one for each entry."""
    runs: list[Run] = []
    for entry in entries:
        terms = _terms(reader, entry, words.SupplyTerms, words.SupplyRow)
        if terms is None:
            continue
        _no_stray_terms(reader, terms, entry.path)
        curve = reader.curve(terms.model_dump(), entry.path, rises=True, letter="p")
        if curve is None:
            continue
        if curve.elasticity is None:
            curve = replace(curve, elasticity=goods[entry.good].supply_elasticity)
        runs.append(
            Run(
                process=f"supply.{entry.good}",
                country=entry.country,
                path=entry.path,
                inputs={},
                outputs={entry.good: 1.0},
                curve=curve,
                level_t=_times(terms.level, reader.tonnes),
                capacity_t=_times(terms.capacity, reader.tonnes),
                fixed_cost_usd_t=terms.fixed_cost * reader.usd_t,
                everywhere=entry.path[-1] == "all",
            )
        )
    return runs


def read_demand(reader: Reader, entries: list[Entry], goods: Mapping[str, words.GoodTerms]) -> list[Use]:
    """Final demand, one for each entry."""
    uses: list[Use] = []
    for entry in entries:
        terms = _terms(reader, entry, words.DemandTerms, words.DemandRow)
        if terms is None:
            continue
        _no_stray_terms(reader, terms, entry.path)
        curve = reader.curve(terms.model_dump(), entry.path, rises=False, letter="p")
        if curve is None:
            continue
        if curve.elasticity is None:
            curve = replace(curve, elasticity=goods[entry.good].demand_elasticity)
        choke = _times(terms.choke if terms.choke is not None else goods[entry.good].choke, reader.usd_t)
        uses.append(Use(entry.good, entry.country, entry.path, curve, choke, entry.path[-1] == "all"))
    return uses


def _terms(reader: Reader, entry: Entry, model: type[TermT], row: type[BaseModel]) -> TermT | None:
    """The terms of one entry: a line of algebra, a mapping, or a row that also names good and country."""
    if isinstance(entry.value, str):
        return model(curve=entry.value)
    if isinstance(entry.value, dict):
        if "good" in entry.value and isinstance(entry.path[-1], int):
            found = reader.terms(row, entry.path)
            return None if found is None else model(**found.model_dump(exclude={"good", "country"}))
        return reader.terms(model, entry.path)
    reader.refuse(
        "wrong-type", entry.path, f"expected a curve, not {shown(entry.value)}", "such as 'q = 20 + 20 p' or 'q = 350'"
    )
    return None


_CURVE_TERMS = {"iso_elastic": ("quantity", "price", "elasticity"), "fixed": ("quantity",), "linear": ("elasticity",)}
_CURVE_TERMS["logistic"] = ("midpoint", "spread")


def _no_stray_terms(reader: Reader, terms: words.SupplyTerms | words.DemandTerms, path: KeyPath) -> None:
    """Refuses a term that the curve beside it would silently leave unused."""
    named = "iso_elastic" if terms.curve is None else terms.curve
    if not isinstance(named, str) or not (named in _CURVE_TERMS or "=" in named):
        return
    takes = _CURVE_TERMS.get(named, ())
    for name in ("quantity", "price", "elasticity", "midpoint", "spread"):
        if name not in takes and getattr(terms, name, None) is not None:
            what = "a line of algebra" if "=" in named else f"the curve {named}"
            hint = f"{what} takes {' and '.join(takes)}" if takes else "it is the whole curve: leave the term out"
            reader.refuse("stray-term", (*path, name), f"{name!r} says nothing beside {what}", hint, key=True)


def read_processes(reader: Reader, goods: Mapping[str, words.GoodTerms]) -> list[Run]:
    """Every process in every country that runs it."""
    block = reader.marked.get(("processes",))
    if block is None:
        return []
    if not isinstance(block, dict):
        reader.refuse("wrong-type", ("processes",), f"expected processes with their terms, not {shown(block)}")
        return []
    runs: list[Run] = []
    for name in block:
        path: KeyPath = ("processes", name)
        if "@" in name or "+" in name or name.startswith("supply."):
            reader.refuse(
                "name", path, f"{name!r} cannot be the name of a process", "leave out @, + and 'supply.'", key=True
            )
        terms = reader.terms(words.ProcessTerms, path)
        if terms is None:
            continue
        for country, own, here in _countries_of(reader, terms.run_in, (*path, "in")):
            run = _run(reader, name, country, terms, own, path, here, goods)
            if run is not None:
                runs.append(run)
    _check_hosts(reader, runs)
    return runs


def _countries_of(reader: Reader, value: object, path: KeyPath) -> list[tuple[str, words.RunTerms | None, KeyPath]]:
    if not isinstance(value, dict):
        return [(code, None, path) for code in reader.some_countries(value, path)]
    found: list[tuple[str, words.RunTerms | None, KeyPath]] = []
    for code, own in value.items():
        here = (*path, code)
        if (country := reader.country_key(code, here)) is None:
            continue
        if own is None:
            found.append((country, None, here))
        elif (terms := reader.terms(words.RunTerms, here)) is not None:
            found.append((country, terms, here))
    return found


def _run(
    reader: Reader,
    name: str,
    country: str,
    terms: words.ProcessTerms,
    own: words.RunTerms | None,
    path: KeyPath,
    here: KeyPath,
    goods: Mapping[str, words.GoodTerms],
) -> Run | None:
    """The terms of the process with those of the country laid over them."""
    given = {key: getattr(terms, key) for key in words.RunTerms.model_fields}
    if own is not None:
        given |= {key: getattr(own, key) for key in own.model_fields_set}
    inputs, outputs = (_recipe(reader, given[side], side, own, path, here) for side in ("inputs", "outputs"))
    if inputs is None or outputs is None:
        return None
    curve_path = here if own is not None and "curve" in own.model_fields_set else path
    curve = reader.curve({**given, "price": given["margin"]}, curve_path, rises=True, letter="m")
    if curve is None:
        return None
    if curve.elasticity is None and outputs:
        curve = replace(curve, elasticity=goods[next(iter(outputs))].supply_elasticity)
    holder = (
        None if given["support_holder"] is None else reader.country(given["support_holder"], (*path, "support_holder"))
    )
    return Run(
        process=name,
        country=country,
        path=here,
        inputs=inputs,
        outputs=outputs,
        curve=curve,
        level_t=_times(given["level"], reader.tonnes),
        capacity_t=_times(given["capacity"], reader.tonnes),
        fixed_cost_usd_t=(given["fixed_cost"] or 0.0) * reader.usd_t,
        credit_usd_t=(given["credit"] or 0.0) * reader.usd_t,
        base_support_usd_t=(given["base_support"] or 0.0) * reader.usd_t,
        support_holder=holder,
        recovered_from=given["recovered_from"],
    )


def _recipe(
    reader: Reader,
    given: Mapping[str, float] | None,
    side: str,
    own: words.RunTerms | None,
    path: KeyPath,
    here: KeyPath,
) -> dict[str, float] | None:
    at = (*here, side) if own is not None and side in own.model_fields_set else (*path, side)
    known = {good: coefficient for good, coefficient in (given or {}).items() if reader.good_key(good, (*at, good))}
    return known if len(known) == len(given or {}) else None


def _check_hosts(reader: Reader, runs: list[Run]) -> None:
    present = {run.id for run in runs}
    for run in runs:
        recovery = run.recovered_from
        if recovery is None or f"{recovery.host}@{run.country}" in present:
            continue
        names = sorted({other.process for other in runs if other.country == run.country and other is not run})
        own = (*run.path, "recovered_from")
        at = own if reader.marked.get(own) is not None else ("processes", run.process, "recovered_from")
        hint = did_you_mean(recovery.host, names) or "the host is a process that runs in the same country"
        reader.refuse("no-host", at, f"no process {recovery.host!r} runs in {run.country}", hint)


# -- a world of curves --------------------------------------------------------------------------------------------------


def settle_curves(reader: Reader, runs: list[Run]) -> list[tuple[Run, Row]]:
    """Each run with its row of `activities`, where no base year says how much is made."""
    settled: list[tuple[Run, Row]] = []
    for run in runs:
        curve = _steady(run.curve)
        level = curve.level if curve.level is not None else run.level_t
        if curve.kind == "linear" and curve.a is None:
            reader.refuse(
                "no-base", run.path, "without base flows a linear curve is a line of algebra", "such as 'q = 20 + 20 p'"
            )
            continue
        if curve.kind in ("fixed", "iso_elastic") and level is None:
            reader.refuse(
                "missing", run.path, "'quantity' is missing", "without base flows a curve states its own quantity"
            )
            continue
        if curve.kind == "iso_elastic" and not _has_price_and_elasticity(
            reader, curve, run.path, "margin" if run.inputs else "price"
        ):
            continue
        if curve.kind == "logistic" and curve.a is None:
            reader.refuse("missing", run.path, "'midpoint' is missing", "the price at which half the capacity runs")
            continue
        settled.append((run, _activity(run, curve, level, curve.price)))
    return settled


def use_curves(reader: Reader, uses: list[Use]) -> list[Row]:
    """Rows of `final_use` where there is no base: `curve_a` holds the price of an iso-elastic curve's own point."""
    rows: list[Row] = []
    for use in uses:
        curve = _steady(use.curve)
        row: Row = {"good": use.good, "country": use.country, "kind": curve.kind, "choke_usd_t": use.choke_usd_t}
        if curve.kind == "linear":
            if curve.a is None:
                reader.refuse(
                    "no-base",
                    use.path,
                    "without base flows a linear curve is a line of algebra",
                    "such as 'q = 100 - 20 p'",
                )
                continue
            row |= {"curve_a": curve.a, "curve_b": curve.b}
        elif curve.level is None:
            reader.refuse(
                "missing", use.path, "'quantity' is missing", "without base flows a curve states its own quantity"
            )
            continue
        elif curve.kind == "iso_elastic":
            if not _has_price_and_elasticity(reader, curve, use.path, "price"):
                continue
            row |= {"use_t": curve.level, "eta": curve.elasticity, "curve_a": curve.price}
        else:
            row |= {"use_t": curve.level}
        rows.append(row)
    return rows


def _has_price_and_elasticity(reader: Reader, curve: Curve, path: KeyPath, word: str) -> bool:
    if curve.price is None:
        reader.refuse(
            "missing", path, f"{word!r} is missing", "an iso-elastic curve passes through its quantity at this price"
        )
    if curve.elasticity is None:
        reader.refuse("missing", path, "'elasticity' is missing", "or state it once for the good")
    return curve.price is not None and curve.elasticity is not None


# -- a base year --------------------------------------------------------------------------------------------------------


def settle_base(
    reader: Reader, base: Base, runs: list[Run], goods: Mapping[str, words.GoodTerms]
) -> list[tuple[Run, Row]]:
    """Each run with its row of `activities`, its level found from base flows and its margin from base prices.

    A country that sells a good which no process makes there has a supplier of its own, with the good's
    `supply_elasticity`, whether or not the file lists it.
    """
    sales, index = base.output(), base.index_usd_t()
    _check_stocks(reader, base)
    runs = _with_own_suppliers(runs, sales, goods)
    makers = runs
    runs = _with_levels(reader, sales, makers)
    known = {run.id for run in runs}
    unclear = {(good, run.country) for run in makers if run.id not in known for good in run.outputs}
    made = _sum((good, run.country, (run.level_t or 0.0) * part) for run in runs for good, part in run.outputs.items())
    for market, tonnes in sales.items():
        surplus = made.get(market, 0.0) - tonnes
        if abs(surplus) > CLOSE * abs(tonnes) and market not in unclear and tonnes >= 0.0:
            good, country = market
            came, sold = made.get(market, 0.0) / reader.tonnes, tonnes / reader.tonnes
            message = f"{country} makes {came:g} of {good} and sells {sold:g} in the base"
            reader.refuse("unbalanced", _place_of_sales(base, market), message)
    settled: list[tuple[Run, Row]] = []
    for run in runs:
        unpriced = [good for good in run.inputs if (good, run.country) not in index]
        for good in unpriced:
            reader.refuse(
                "no-supplier", run.path, f"{run.id} uses {good} in the base, but none arrives in {run.country}"
            )
        if run.level_t is None or unpriced or any((good, run.country) not in base.prices for good in run.outputs):
            continue
        row = _at_base(reader, base, index, run)
        if row is not None:
            settled.append((run, row))
    _check_recoveries(reader, runs)
    return settled


def _check_stocks(reader: Reader, base: Base) -> None:
    """What goes into stock has to arrive, what comes out of it has to be sold."""
    sales, arrivals = base.sales(), base.arrivals()
    for market, change in base.stock_change_t.items():
        good, country = market
        if change > 0.0 and market not in arrivals:
            message = f"{country} puts {good} into stock in the base, but none arrives there"
            reader.refuse("no-supplier", base.stock_paths[market], message)
        elif -change > sales.get(market, 0.0) * (1.0 + CLOSE):
            out, sold = -change / reader.tonnes, sales.get(market, 0.0) / reader.tonnes
            message = f"{country} takes {out:g} of {good} out of stock in the base and sells {sold:g}"
            reader.refuse("unbalanced", (*base.stock_paths[market], "change"), message)


def _check_recoveries(reader: Reader, runs: list[Run]) -> None:
    levels = {run.id: run.level_t for run in runs}
    for run in runs:
        if run.recovered_from is None or run.level_t is None:
            continue
        host = levels.get(f"{run.recovered_from.host}@{run.country}")
        if host is not None and run.level_t > host * run.recovered_from.yields * (1.0 + CLOSE):
            most, came = host * run.recovered_from.yields / reader.tonnes, run.level_t / reader.tonnes
            reader.refuse(
                "above-host", run.path, f"{run.id} recovers {came:g} in the base, its host yields {most:g} at most"
            )


def _with_own_suppliers(
    runs: list[Run], sales: Mapping[Market, float], goods: Mapping[str, words.GoodTerms]
) -> list[Run]:
    """The runs that the base has room for, and a supplier for what nobody listed makes."""
    runs = [
        run for run in runs if not (run.everywhere and all((good, run.country) not in sales for good in run.outputs))
    ]
    makers = {(good, run.country) for run in runs for good in run.outputs}
    own = [
        Run(
            process=f"supply.{good}",
            country=country,
            path=("goods", good),
            inputs={},
            outputs={good: 1.0},
            curve=Curve("iso_elastic", elasticity=goods[good].supply_elasticity),
        )
        for (good, country), tonnes in sales.items()
        if (good, country) not in makers and tonnes > 0.0
    ]
    return runs + own


def _with_levels(reader: Reader, sales: Mapping[Market, float], runs: list[Run]) -> list[Run]:
    """Levels from base flows: what a country sells of a run's good, less what the others there are stated to make."""
    found: list[Run] = []
    for run in runs:
        if run.level_t is not None or (not run.outputs and run.curve.level is not None):
            found.append(replace(run, level_t=run.level_t if run.level_t is not None else run.curve.level))
            continue
        good = next((each for each in run.outputs if (each, run.country) in sales), None)
        if good is None:
            what = f"sells no {' or '.join(run.outputs)}" if run.outputs else "makes none of the goods"
            reader.refuse("no-level", run.path, f"{run.id} {what} in the base", "state its level, or leave it out")
            continue
        others = [each for each in runs if each is not run and each.country == run.country and good in each.outputs]
        if any(each.level_t is None for each in others):
            both = " and ".join(sorted(each.process for each in [run, *others] if each.level_t is None))
            reader.refuse(
                "no-level", run.path, f"{both} make {good} in {run.country}: how much each?", "state all levels but one"
            )
            continue
        rest = sales[good, run.country] - sum((each.level_t or 0.0) * each.outputs[good] for each in others)
        if rest < 0.0:
            reader.refuse(
                "no-level", run.path, f"the others already make more {good} than {run.country} sells in the base"
            )
            continue
        found.append(replace(run, level_t=rest / run.outputs[good]))
    return found


def _at_base(reader: Reader, base: Base, index: Mapping[Market, float], run: Run) -> Row | None:
    """The curve of a run through its base level and base margin."""
    level = run.level_t or 0.0
    if run.capacity_t is not None and level > run.capacity_t * (1.0 + CLOSE):
        at = (*run.path, "capacity") if reader.marked.get((*run.path, "capacity")) is not None else run.path
        above = f"a capacity of {run.capacity_t / reader.tonnes:g} is below the base level of {level / reader.tonnes:g}"
        reader.refuse("capacity-below-base", at, above)
        return None
    receipts = sum(part * base.prices[good, run.country] for good, part in run.outputs.items())
    inputs = sum(part * index[good, run.country] for good, part in run.inputs.items())
    margin = receipts + run.credit_usd_t + run.base_support_usd_t - inputs - run.fixed_cost_usd_t
    curve = _steady(run.curve)
    if curve.kind == "fixed":
        if not _agrees(reader, run.path, curve.level, level):
            return None
        return _activity(run, curve, level, margin)
    if margin <= 0.0 and curve.kind != "logistic":
        message = f"{run.id} earns nothing in the base: outputs and credits less inputs and cost are {margin / reader.usd_t:g}"
        reader.refuse("no-margin", run.path, message, "what pays for it? state credit or base_support")
        return None
    if curve.kind == "logistic":
        return _logistic(reader, run, curve, level, margin)
    if curve.kind == "linear" and curve.a is not None and curve.b is not None:
        if not _agrees(reader, run.path, curve.a + curve.b * margin, level):
            return None
        return _activity(run, curve, level, margin)
    if curve.elasticity is None:
        word = "supply_elasticity" if not run.inputs else "elasticity"
        reader.refuse("missing", run.path, f"{word!r} is missing: how does {run.id} answer its price?", "such as 0.5")
        return None
    if curve.level is not None and curve.price is not None:
        stated = curve.level * (margin / curve.price) ** curve.elasticity
        if not _agrees(reader, run.path, stated, level):
            return None
    if curve.kind == "linear":
        curve = replace(curve, a=level * (1.0 - curve.elasticity), b=curve.elasticity * level / margin)
    return _activity(run, curve, level, margin)


def _logistic(reader: Reader, run: Run, curve: Curve, level: float, margin: float) -> Row | None:
    assert curve.b is not None
    capacity = run.capacity_t or 0.0
    if not 0.0 < level < capacity:
        reader.refuse("off-base", run.path, "a logistic curve runs below its capacity and above zero in the base")
        return None
    if curve.a is None:
        return _activity(run, replace(curve, a=margin + curve.b * math.log(capacity / level - 1.0)), level, margin)
    stated = capacity / (1.0 + math.exp(-(margin - curve.a) / curve.b))
    return _activity(run, curve, level, margin) if _agrees(reader, run.path, stated, level) else None


def _agrees(reader: Reader, path: KeyPath, stated: float | None, base: float) -> bool:
    """True where a curve that was written out passes through the base point."""
    if stated is None or abs(stated - base) <= AGREES * max(abs(base), abs(stated)):
        return True
    came, here = stated / reader.tonnes, base / reader.tonnes
    hint = "leave the quantity to the base flows, or state an elasticity alone"
    reader.refuse("off-base", path, f"the curve gives {came:g} at base prices, the base year has {here:g}", hint)
    return False


def use_base(
    reader: Reader, base: Base, settled: list[tuple[Run, Row]], uses: list[Use], goods: Mapping[str, words.GoodTerms]
) -> list[Row]:
    """Rows of `final_use`: what arrives in the base less what processes use and what goes into stock."""
    arrivals, index = base.arrivals(), base.index_usd_t()
    taken = _sum(
        (good, run.country, (run.level_t or 0.0) * part) for run, _ in settled for good, part in run.inputs.items()
    )
    stated = {(use.good, use.country): use for use in uses}
    for market, use in stated.items():
        if market not in arrivals and not use.everywhere:
            reader.refuse("no-supplier", use.path, f"{use.country} uses {use.good} in the base, but none arrives there")
    rows: list[Row] = []
    for market, tonnes in arrivals.items():
        good, country = market
        wanted = taken.get(market, 0.0) + max(base.stock_change_t.get(market, 0.0), 0.0)
        rest = tonnes - wanted
        if rest < -CLOSE * tonnes:
            _short(reader, settled, market, wanted, tonnes)
        elif rest > CLOSE * tonnes:
            own = stated.get(market) or _unlisted_use(reader, good, country, goods[good])
            row = _use_at_base(reader, own, rest, index[market])
            if row is not None:
                rows.append(row)
    return rows


def _unlisted_use(reader: Reader, good: str, country: str, terms: words.GoodTerms) -> Use:
    curve = Curve("iso_elastic", elasticity=terms.demand_elasticity)
    return Use(good, country, ("goods", good), curve, _times(terms.choke, reader.usd_t))


def _short(reader: Reader, settled: list[tuple[Run, Row]], market: Market, wanted: float, arriving: float) -> None:
    good, country = market
    users = [run for run, _ in settled if run.country == country and good in run.inputs]
    names = " and ".join(run.process for run in users) or "stocks"
    message = f"{names} in {country} use{'s' if len(users) == 1 else ''} {wanted / reader.tonnes:g} of {good} in the base, but {arriving / reader.tonnes:g} arrive"
    reader.refuse(
        "short-of-input", users[0].path if users else ("stocks",), message, "check recipe, level and base flows"
    )


def _use_at_base(reader: Reader, use: Use, tonnes: float, index: float) -> Row | None:
    curve = _steady(use.curve)
    if use.choke_usd_t is not None and use.choke_usd_t < index * (1.0 - CLOSE):
        own = (*use.path, "choke")
        at = own if reader.marked.get(own) is not None else ("goods", use.good, "choke")
        choke, paid = use.choke_usd_t / reader.usd_t, index / reader.usd_t
        message = f"{use.country} pays {paid:g} for {use.good} in the base, more than its choke price of {choke:g}"
        reader.refuse("choke-below-base", at, message)
        return None
    row: Row = {
        "good": use.good,
        "country": use.country,
        "use_t": tonnes,
        "kind": curve.kind,
        "choke_usd_t": use.choke_usd_t,
    }
    if curve.kind == "linear" and curve.a is not None and curve.b is not None:
        agrees = _agrees(reader, use.path, curve.a - curve.b * index, tonnes)
        return row | {"curve_a": curve.a, "curve_b": curve.b} if agrees else None
    if curve.kind == "fixed":
        return row if _agrees(reader, use.path, curve.level, tonnes) else None
    if curve.elasticity is None:
        message = f"'demand_elasticity' is missing: how does demand for {use.good} in {use.country} answer its price?"
        reader.refuse("missing", use.path, message, "such as 0.5")
        return None
    if curve.level is not None and curve.price is not None:
        if not _agrees(reader, use.path, curve.level * (index / curve.price) ** -curve.elasticity, tonnes):
            return None
    elif not _agrees(reader, use.path, curve.level, tonnes):
        return None
    if curve.kind == "linear":
        return row | {"curve_a": tonnes * (1.0 + curve.elasticity), "curve_b": curve.elasticity * tonnes / index}
    return row | {"eta": curve.elasticity}


# -- small parts --------------------------------------------------------------------------------------------------------


def _activity(run: Run, curve: Curve, level: float | None, margin: float | None) -> Row:
    return {
        "id": run.id,
        "process": run.process,
        "country": run.country,
        "level_t": level,
        "capacity_t": run.capacity_t,
        "kind": curve.kind,
        "eps_1": curve.elasticity,
        "eps_5": curve.elasticity,
        "eps_15": curve.elasticity,
        "margin_usd_t": margin,
        "fixed_cost_usd_t": run.fixed_cost_usd_t,
        "base_support_usd_t": run.base_support_usd_t,
        "support_holder": run.support_holder or (run.country if run.base_support_usd_t else None),
        "credit_usd_t": run.credit_usd_t,
        "curve_a": curve.a,
        "curve_b": curve.b,
        "clipped": False,
    }


def _steady(curve: Curve) -> Curve:
    """An elasticity of zero is a fixed quantity."""
    rigid = curve.elasticity == 0.0 and (curve.kind == "iso_elastic" or (curve.kind == "linear" and curve.a is None))
    return replace(curve, kind="fixed", elasticity=None) if rigid else curve


def _place_of_sales(base: Base, market: Market) -> KeyPath:
    return next(path for route, path in base.flow_paths.items() if route[:2] == market)


def _sum(items: Iterable[tuple[str, str, float]]) -> dict[Market, float]:
    total: dict[Market, float] = defaultdict(float)
    for good, country, amount in items:
        total[good, country] += amount
    return dict(total)


def _times(value: float | None, factor: float) -> float | None:
    return None if value is None else value * factor
