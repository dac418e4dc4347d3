"""A network file as a World: a small self-contained world that a person types, as textbooks print it.

Answers `read(path)`: countries, goods, base flows or curves, freight, duties and policies in the tables that a built
world has, in tonnes and USD per tonne, or every reason why not. The page for those who write one is docs/network-file.md.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, cast, get_args

import polars as pl

from friendshore.errors import InputRefused, did_you_mean
from friendshore.faces import Reserve, Sourcing
from friendshore.marked import KeyPath, Marked, as_json, in_file_order, read_marked, shown
from friendshore.world import network_base as making
from friendshore.world import network_file as words
from friendshore.world.network_base import Base, Route, Row, Run
from friendshore.world.network_blocks import RESERVED, Entry, Reader
from friendshore.world.network_policies import Stated, check_offtakes, check_producers, read_policies
from friendshore.world.network_trade import read_base, read_freight, read_latent
from friendshore.world.tables import COLUMNS, World, table_names

SCHEMA = Path(__file__).with_name("network.schema.json")

TONNES = {"t": 1.0, "kt": 1e3, "Mt": 1e6, "kg": 1e-3, "lb": 0.45359237e-3, "unit": 1.0}
MONEY = {"USD": 1.0, "kUSD": 1e3, "MUSD": 1e6}
_PRICE = re.compile(rf"({'|'.join(MONEY)})\s*(?:per|/)\s*({'|'.join(TONNES)})")
_NAME = re.compile(r"[^\W_][\w.\-]*")


def read(path: Path | str, experiment: str | None = None) -> World:
    """The world that a network file states.

    Parameters
    ----------
    path : a YAML or JSON file
    experiment : one of the file's `experiments`; by default its own policies and curves

    Returns
    -------
    World   in tonnes and USD per tonne whatever the file's units (`unit` counts as a tonne); `wedges` are the policies,
            `absolute` is true where the file has curves and no base flows

    Raises
    ------
    InputRefused   every problem of the file with line and column, or an experiment that it does not have
    """
    path = Path(path)
    return _world(read_marked(path), path.stem, experiment)


def read_text(text: str, *, name: str = "network.yaml", experiment: str | None = None) -> World:
    """The same from text; `name` is what messages call it."""
    return _world(read_marked(text, name=name), Path(name).stem, experiment)


def experiments(path: Path | str) -> dict[str, str]:
    """The experiments of a network file, by name, with their titles; the file must be sound."""
    marked = read_marked(Path(path))
    _world(marked, Path(path).stem, None)
    named = marked.get(("experiments",)) or {}
    return {name: str(item.get("title") or "") if isinstance(item, dict) else "" for name, item in named.items()}


def _world(marked: Marked, name: str, experiment: str | None) -> World:
    reader = Reader(marked)
    reader.terms(words.NetworkFile, ())
    if not isinstance(marked.value, dict):
        raise InputRefused(reader.problems)
    units = _units(reader)
    countries = _named(reader, ("countries",), words.CountryTerms)
    goods = _named(reader, ("goods",), words.GoodTerms)
    reader.countries, reader.goods = tuple(countries), tuple(goods)
    if not countries or not goods:
        raise InputRefused(in_file_order(reader.problems))
    chosen = _experiment(reader, experiment)
    base = read_base(reader, countries)
    supply = making.read_supply(reader, _laid_over(reader, "supply", chosen), goods)
    demand = making.read_demand(reader, _laid_over(reader, "demand", chosen), goods)
    runs = supply + making.read_processes(reader, goods)
    base.freight, base.closed = read_freight(reader, ("freight",))
    latent = read_latent(reader, base)
    if chosen and marked.get((*chosen, "freight")) is not None and not base.flows:
        base.freight, base.closed = read_freight(reader, (*chosen, "freight"))
    _check_every_experiment(reader, goods, chosen)
    _check_base_is_one(reader, base)
    sourcing = _sourcing(reader, base, goods, chosen)
    sound = not reader.problems
    policies = _policies(reader, base, chosen)
    check_offtakes(reader, policies)
    world = None
    if sound:
        before = len(reader.problems)
        settled, use = _settle(reader, base, runs, demand, goods)
        routes = _routes(reader, base, settled, use, policies, latent)
        if len(reader.problems) == before:  # a policy that is wrong elsewhere does not hide one without a producer
            check_producers(reader, policies, _capacities(settled), {_route_of(row) for row in routes})
        tables = _tables(reader, countries, goods, base, settled, use, routes, units)
        world = World(
            name=name,
            version=sha256(as_json([marked.value, experiment]).encode()).hexdigest()[:12],
            **tables,
            wedges=tuple(stated.wedge for stated in policies),
            sourcing=sourcing,
            absolute=not base.flows,
            extras={"title": marked.get(("title",)), "experiment": experiment, "units": units},
        )
    if world is None or reader.problems:
        raise InputRefused(in_file_order(reader.problems))
    return world


# -- units, names, experiments ------------------------------------------------------------------------------------------


def _units(reader: Reader) -> dict[str, str]:
    """Sets the reader's factors; returns the units as written."""
    terms = words.Units()
    if reader.marked.get(("units",)) is not None:
        terms = reader.terms(words.Units, ("units",)) or terms
    price = terms.price or ("USD per unit" if terms.mass == "unit" else "USD per t")
    found = _PRICE.fullmatch(price.strip())
    if found is None:
        hint = "such as 'USD per t', 'USD per kg', 'kUSD per unit'"
        reader.refuse("unknown-unit", ("units", "price"), f"{price!r} is no price unit", hint)
        return {"mass": terms.mass, "price": price}
    if (found[2] == "unit") is not (terms.mass == "unit"):
        message = f"prices are {price}, quantities in {terms.mass}"
        reader.refuse(
            "unit-mix", ("units", "price"), message, "an abstract good has both per unit, a real one both in mass"
        )
    reader.tonnes, reader.usd_t = TONNES[terms.mass], MONEY[found[1]] / TONNES[found[2]]
    return {"mass": terms.mass, "price": price}


def _named(reader: Reader, path: KeyPath, model: type[words.TermT]) -> dict[str, words.TermT]:
    """Countries or goods: a list of names, or a mapping from name to terms."""
    if path[-1] not in reader.marked.value:
        return {}
    block = reader.marked.get(path)
    found: dict[str, words.TermT] = {}
    if not isinstance(block, list | dict) or not block:
        reader.refuse("wrong-type", path, f"expected a list of names, not {shown(block)}")
        return {}
    for number, item in enumerate(block):
        here = (*path, item) if isinstance(block, dict) else (*path, number)
        key = isinstance(block, dict)
        if not isinstance(item, str) or not _NAME.fullmatch(item):
            reader.refuse(
                "name",
                here,
                f"{shown(item)} cannot be a name here",
                "letters, digits, . _ -; begin with a letter",
                key=key,
            )
        elif item in RESERVED:
            reader.refuse(
                "name", here, f"{item!r} has a meaning of its own in this file", "choose another name", key=key
            )
        elif item in found:
            reader.refuse("twice", here, f"{item!r} stands here twice")
        elif isinstance(block, dict) and block[item] is not None:
            terms = reader.terms(model, here)
            found[item] = model() if terms is None else terms
        else:
            found[item] = model()
    return found


def _experiment(reader: Reader, experiment: str | None) -> KeyPath:
    """Path of the chosen experiment, () for none."""
    block = reader.marked.get(("experiments",))
    if block is not None and not isinstance(block, dict):
        reader.refuse("wrong-type", ("experiments",), f"expected experiments by name, not {shown(block)}")
        block = None
    if experiment is None:
        return ()
    if not block or experiment not in block:
        names = list(block or ())
        hint = did_you_mean(experiment, names) or (f"the file has {', '.join(names)}" if names else "the file has none")
        raise InputRefused.because(
            "unknown-experiment",
            f"no experiment is called {experiment!r}",
            place=reader.marked.key_place(("experiments",)),
            path="experiments",
            hint=hint,
        )
    return ("experiments", experiment)


def _check_every_experiment(reader: Reader, goods: Mapping[str, words.GoodTerms], chosen: KeyPath) -> None:
    """Notes what is wrong in the experiments that were not asked for: a file is sound as a whole."""
    block = reader.marked.get(("experiments",))
    for name, item in block.items() if isinstance(block, dict) else ():
        path: KeyPath = ("experiments", name)
        if isinstance(item, dict):
            reader.terms(words.Experiment, path)
        elif item is not None and not isinstance(item, list):
            reader.refuse("wrong-type", path, f"expected policies or an experiment, not {shown(item)}")
        if path == chosen or not isinstance(item, dict):
            continue
        making.read_supply(reader, reader.by_country((*path, "supply")), goods)
        making.read_demand(reader, reader.by_country((*path, "demand")), goods)
        if "freight" in item:
            read_freight(reader, (*path, "freight"))


def _check_base_is_one(reader: Reader, base: Base) -> None:
    """Base flows were paid for at the base freight: an experiment that changed it would change what is measured from."""
    block = reader.marked.get(("experiments",))
    for name, item in block.items() if base.flows and isinstance(block, dict) else ():
        if isinstance(item, dict) and item.get("freight") is not None:
            path: KeyPath = ("experiments", name, "freight")
            reader.refuse(
                "base-freight",
                path,
                "freight belongs to the base flows",
                "a `corridor` states what is saved on it",
                key=True,
            )


def _laid_over(reader: Reader, block: str, chosen: KeyPath) -> list[Entry]:
    """A block by country, with the entries of the chosen experiment in place of the file's own."""
    entries = {(entry.good, entry.country): entry for entry in reader.by_country((block,))}
    if chosen:
        entries |= {(entry.good, entry.country): entry for entry in reader.by_country((*chosen, block))}
    return list(entries.values())


def _policies(reader: Reader, base: Base, chosen: KeyPath) -> list[Stated]:
    """The policies of the run. Those of every other experiment are read too, for their problems."""
    block = reader.marked.get(("experiments",))
    lists: dict[KeyPath, KeyPath] = {(): ("policies",)}
    for name, item in block.items() if isinstance(block, dict) else ():
        path: KeyPath = ("experiments", name)
        if isinstance(item, list):
            lists[path] = path
        elif isinstance(item, dict) and item.get("policies") is not None:
            lists[path] = (*path, "policies")
    stated = {owner: read_policies(reader, path, base.duties) for owner, path in lists.items()}
    return stated.get(chosen, stated[()])


def _sourcing(reader: Reader, base: Base, goods: Mapping[str, words.GoodTerms], chosen: KeyPath) -> Sourcing:
    path: KeyPath = ("sourcing",)
    if chosen and reader.marked.get((*chosen, "sourcing")) is not None:
        path = (*chosen, "sourcing")
    stated = reader.marked.get(path)
    sharp = all(terms.theta is not None for terms in goods.values())
    sourcing: Sourcing = "logit" if base.flows or sharp else "homogeneous"
    if stated in get_args(Sourcing):
        sourcing = cast(Sourcing, stated)
    if sourcing == "homogeneous" and base.flows:
        hint = "leave out `flows` and state curves, or leave out `sourcing`"
        reader.refuse(
            "homogeneous-base", path, "base flows need logit sourcing; identical goods need curves alone", hint
        )
    if sourcing == "ces":
        _check_ces(reader, base, goods, path)
    if sourcing == "logit" or (sourcing == "ces" and base.flows):
        for good, terms in goods.items():
            if terms.theta is None and (terms.sigma is None or not base.flows):
                what = "sigma" if base.flows else "theta"
                hint = (
                    "how readily do buyers switch origin?"
                    if base.flows
                    else "without a base there is no price to measure sigma from"
                )
                reader.refuse("missing", ("goods", good), f"{what!r} of {good} is missing", hint)
    return sourcing


def _check_ces(reader: Reader, base: Base, goods: Mapping[str, words.GoodTerms], path: KeyPath) -> None:
    """Notes what CES sourcing cannot work with."""
    if not base.flows:
        reader.refuse("ces-base", path, "CES sourcing needs base flows", "it compares prices with those of a base")
    for good, terms in goods.items():
        if terms.theta is not None:
            hint = "`sigma`, an elasticity, in place of `theta`"
            reader.refuse("ces-theta", ("goods", good, "theta"), "CES sourcing compares ratios of prices", hint)
        if terms.sigma is not None and terms.sigma <= 1.0:
            hint = "with one or less no buyer can do without any of its origins"
            reader.refuse("ces-sigma", ("goods", good, "sigma"), f"must be above 1 for CES, not {terms.sigma:g}", hint)


# -- what the figures say together --------------------------------------------------------------------------------------


def _settle(
    reader: Reader, base: Base, runs: list[Run], demand: list[making.Use], goods: Mapping[str, words.GoodTerms]
) -> tuple[list[tuple[Run, Row]], list[Row]]:
    if base.flows:
        settled = making.settle_base(reader, base, runs, goods)
        return settled, making.use_base(reader, base, settled, demand, goods)
    if not runs or not demand:
        missing = "supply" if not runs else "demand"
        reader.refuse(
            "no-flows", (), f"neither `flows` nor `{missing}`", "a world has base flows, or curves of supply and demand"
        )
        return [], []
    return making.settle_curves(reader, runs), making.use_curves(reader, demand)


def _routes(
    reader: Reader,
    base: Base,
    settled: list[tuple[Run, Row]],
    use: list[Row],
    policies: list[Stated],
    latent: dict[Route, float],
) -> list[Row]:
    """Rows of `routes`: base flows and latent links, or in a world of curves every open lane from maker to user."""
    if base.flows:
        trading = [_route_row(base, route, tonnes, None) for route, tonnes in base.flows.items()]
        return trading + [_route_row(base, route, 0.0, share) for route, share in latent.items()]
    makers = dict.fromkeys((good, run.country) for run, _ in settled for good in run.outputs)
    users = dict.fromkeys((str(row["good"]), str(row["country"])) for row in use)
    users |= dict.fromkeys((good, run.country) for run, _ in settled for good in run.inputs)
    reserves = [stated.wedge for stated in policies if isinstance(stated.wedge, Reserve)]
    users |= dict.fromkeys((reserve.good, reserve.country) for reserve in reserves)
    rows: list[Row] = []
    for good, importer in users:
        routes = [(good, exporter, importer) for made, exporter in makers if made == good]
        routes = [route for route in routes if route not in base.closed]
        if not routes:
            where = _place_of_use(reader, good, importer)
            reader.refuse("no-supplier", where, f"{importer} uses {good}, but no supplier can reach it")
        rows += [_route_row(base, route, 0.0, 1.0 / len(routes)) for route in routes]
    return rows


def _place_of_use(reader: Reader, good: str, importer: str) -> KeyPath:
    return ("demand", good, importer) if reader.marked.get(("demand", good)) is not None else ("demand",)


def _route_row(base: Base, route: Route, tonnes: float, share: float | None) -> Row:
    good, exporter, importer = route
    rate, specific = base.duties.get(route, (0.0, 0.0))
    tax, tax_usd_t = base.export_taxes.get(route, (0.0, 0.0))
    return {
        "good": good,
        "exporter": exporter,
        "importer": importer,
        "flow_t": tonnes,
        "latent": share is not None,
        "prior_share": share,
        "freight_usd_t": base.freight.get(route, 0.0),
        "tariff": rate,
        "specific_usd_t": specific,
        "export_tax": tax,
        "export_tax_usd_t": tax_usd_t,
        "premium_usd_t": 0.0,
    }


def _route_of(row: Row) -> Route:
    return str(row["good"]), str(row["exporter"]), str(row["importer"])


def _capacities(settled: list[tuple[Run, Row]]) -> dict[tuple[str, str], float]:
    """(good, country) -> tonnes that its producers can make at most; inf where nothing limits them."""
    total: dict[tuple[str, str], float] = {}
    for run, row in settled:
        limit = run.capacity_t
        if row["kind"] == "fixed":
            level = cast(float, row["level_t"])
            limit = level if limit is None else min(level, limit)
        for good, part in run.outputs.items():
            most = float("inf") if limit is None else limit * part
            total[good, run.country] = total.get((good, run.country), 0.0) + most
    return total


# -- rows become tables -------------------------------------------------------------------------------------------------


def _tables(
    reader: Reader,
    countries: Mapping[str, words.CountryTerms],
    goods: Mapping[str, words.GoodTerms],
    base: Base,
    settled: list[tuple[Run, Row]],
    use: list[Row],
    routes: list[Row],
    units: Mapping[str, str],
) -> dict[str, Any]:
    marked = reader.marked
    made = dict.fromkeys((good, run.country) for run, _ in settled for good in run.outputs)
    sold = made | dict.fromkeys(route[:2] for route in base.flows)  # from stock, where nobody makes it
    rows: dict[str, list[Row]] = {
        "goods": [_good_row(good, terms, units, reader.usd_t) for good, terms in goods.items()],
        "countries": [
            {"code": code, "name": terms.name or code, "territory": code, "remainder": False}
            for code, terms in countries.items()
        ],
        "territories": [
            {"code": code, "name": terms.name or code, "duty_base": terms.duty_base, "kept_share": 1.0, "budget": code}
            for code, terms in countries.items()
        ],
        "activities": [row for _, row in settled],
        "recipes": [
            {"activity": run.id, "good": good, "role": role, "coefficient": part}
            for run, _ in settled
            for role, side in (("output", run.outputs), ("input", run.inputs))
            for good, part in side.items()
        ],
        "recoveries": [
            {
                "activity": run.id,
                "host": f"{run.recovered_from.host}@{run.country}",
                "content_recovery": run.recovered_from.yields,
            }
            for run, _ in settled
            if run.recovered_from is not None
        ],
        "prices": [
            {"good": good, "country": country, "price_usd_t": base.prices[good, country]}
            for good, country in sold
            if (good, country) in base.prices
        ],
        "routes": routes,
        "final_use": use,
        "stocks": [
            {"good": good, "country": country, "change_t": change}
            for (good, country), change in base.stock_change_t.items()
        ],
        "licences": base.licences,
        "sources": [{"id": "file", "title": str(marked.get(("source",)) or marked.get(("title",)) or marked.name)}],
    }
    return {table: _frame(table, rows.get(table, [])) for table in table_names()}


def _good_row(good: str, terms: words.GoodTerms, units: Mapping[str, str], usd_t: float) -> Row:
    mineral, _, form = good.partition(".")
    return {
        "id": good,
        "mineral": terms.mineral or mineral,
        "form": form or None,
        "stage": terms.stage,
        "name": terms.name or good,
        "unit": "unit" if units["mass"] == "unit" else "t",
        "sigma_1": terms.sigma,
        "sigma_5": terms.sigma,
        "sigma_15": terms.sigma,
        "theta": None if terms.theta is None else terms.theta / usd_t,
        "eta": terms.demand_elasticity,
        "choke_multiple": terms.choke_multiple,
    }


def _frame(table: str, rows: list[Row]) -> pl.DataFrame:
    columns = COLUMNS[table]
    stamped = [{"source": "file", "reliability": "A", **row} for row in rows] if "reliability" in columns else rows
    return pl.DataFrame([{name: row.get(name) for name in columns} for row in stamped], schema=columns)
