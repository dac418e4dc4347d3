"""What stands between producer and buyer in the base year of a network file: flows, prices, freight, duties, licences.

Each block is read on its own; whether the quantities add up is `world.network_base`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product

from friendshore.marked import KeyPath
from friendshore.world import network_file as words
from friendshore.world.network_base import Base, Route
from friendshore.world.network_blocks import Entry, Reader


def read_base(reader: Reader, countries: Mapping[str, words.CountryTerms]) -> Base:
    """Base flows, prices, duties, licences and stock changes, in tonnes and USD; no flows in a world of curves."""
    base = Base(at_fob=frozenset(code for code, terms in countries.items() if terms.duty_base == "fob"))
    for entry in reader.by_lane(("flows",), "quantity"):
        tonnes = reader.number(entry.value, entry.path)
        if tonnes:
            route = (entry.good, entry.country, entry.importer)
            base.flows[route], base.flow_paths[route] = tonnes * reader.tonnes, entry.path
    before = len(reader.problems)
    for entry in reader.by_country(("prices",)):
        price = _price(reader, entry)
        if price is not None:
            base.prices[entry.good, entry.country] = price * reader.usd_t
    if base.flows:
        refused = len(reader.problems) > before  # a price that is there but wrong is not missing too
        for good, exporter in dict.fromkeys(route[:2] for route in base.flows):
            if (good, exporter) not in base.prices and not refused:
                where = next(path for route, path in base.flow_paths.items() if route[:2] == (good, exporter))
                reader.refuse("no-price", where, f"{exporter} sells {good} in the base, but `prices` has none for it")
    elif base.prices and not reader.problems:
        reader.refuse(
            "no-flows", ("prices",), "base prices without base flows", "state `flows`, or curves without `prices`"
        )
    base.duties = _duties(reader, "duties")
    base.export_taxes = _duties(reader, "export_taxes")
    _licences(reader, base)
    for stock, path in reader.rows(words.StockTerms, ("stocks",)):
        kept, where_kept = reader.good(stock.good, (*path, "good")), reader.country(stock.country, (*path, "country"))
        if kept is None or where_kept is None:
            continue
        if (kept, where_kept) in base.stock_paths:
            reader.refuse("twice", path, f"the stock of {kept} in {where_kept} stands here twice")
        base.stock_change_t[kept, where_kept] = stock.change * reader.tonnes
        base.stock_paths[kept, where_kept] = path
    return base


def _licences(reader: Reader, base: Base) -> None:
    """Base licences: as many tonnes as flow, at a rent that the base price outside already contains."""
    for number, (terms, path) in enumerate(reader.rows(words.LicenceTerms, ("licences",))):
        good, (exporters, importers) = reader.good(terms.good, (*path, "good")), reader.sides(terms, path)
        if good is None or not exporters or not importers:
            continue
        if len(exporters) > 1:
            reader.refuse("no-owner", (*path, "from"), "a licence has one exporter", "write one for each")
            continue
        owner = exporters[0] if terms.owner == "exporter" else reader.country(terms.owner, (*path, "owner"))
        routes = [(good, exporters[0], importer) for importer in importers if importer != exporters[0]]
        routes = [route for route in routes if route in base.flows]
        if not routes:
            reader.refuse("no-route", path, f"nothing flows in the base on what this licence allows of {good}")
        base.rents |= dict.fromkeys(routes, terms.rent * reader.usd_t)
        base.licences.append(
            {
                "id": f"licence.{good}.{exporters[0]}.{number + 1}",
                "good": good,
                "exporter": exporters[0],
                "importers": "+".join(route[2] for route in routes),
                "quota_t": sum(base.flows[route] for route in routes),
                "rent_usd_t": terms.rent * reader.usd_t,
                "owner": owner,
            }
        )


def _price(reader: Reader, entry: Entry) -> float | None:
    if isinstance(entry.value, dict):
        row = reader.terms(words.PriceRow, entry.path)
        return None if row is None else row.price
    price = reader.number(entry.value, entry.path)
    if price == 0.0:
        reader.refuse("negative", entry.path, "must be greater than 0, not 0")
        return None
    return price


def _duties(reader: Reader, block: str) -> dict[Route, tuple[float, float]]:
    found: dict[Route, tuple[float, float]] = {}
    for terms, path in reader.rows(words.DutyTerms, (block,)):
        goods = reader.some_goods(terms.good, (*path, "good"))
        exporters, importers = reader.sides(terms, path)
        for route in product(goods, exporters, importers):
            if route[1] == route[2]:
                continue
            if route in found:
                good, exporter, importer = route
                reader.refuse(
                    "twice",
                    path,
                    f"{good} from {exporter} to {importer} already has its terms above",
                    "one row for each lane",
                )
                break
            found[route] = (terms.rate, terms.specific * reader.usd_t)
    return found


def read_freight(reader: Reader, path: KeyPath) -> tuple[dict[Route, float], set[Route]]:
    """Freight of every lane that has any, USD/t, and the lanes that are `closed`. Domestic lanes cost nothing unless stated.

    From the general to the particular: a number for all; `default`; a number for a good; `default` within a good; a
    number for an exporter; a lane.
    """
    block = reader.marked.get(path)
    freight: dict[Route, float] = {}
    closed: set[Route] = set()
    lanes: object = block
    if isinstance(block, dict):
        lanes = dict(_general(reader, block, path, freight))
    elif block is not None and not isinstance(block, list):
        _spread(reader, block, path, freight, reader.goods, reader.countries)
        lanes = None
    for entry in reader.by_lane(path, "cost", block=lanes) if lanes else ():
        route = (entry.good, entry.country, entry.importer)
        if entry.value == "closed":
            closed.add(route)
        elif (cost := reader.number(entry.value, entry.path)) is not None:
            freight[route] = cost * reader.usd_t
    return freight, closed


def _general(
    reader: Reader, block: Mapping[str, object], path: KeyPath, freight: dict[Route, float]
) -> Iterator[tuple[str, object]]:
    """Writes what holds for many lanes into `freight`; yields what is left to say lane by lane, good by good."""
    if "default" in block:
        _spread(reader, block["default"], (*path, "default"), freight, reader.goods, reader.countries)
    for name, inner in block.items():
        here = (*path, name)
        if name == "default" or (good := reader.good_key(name, here)) is None:
            continue
        if isinstance(inner, list):
            yield good, inner
        elif not isinstance(inner, dict):
            _spread(reader, inner, here, freight, (good,), reader.countries)
        else:
            if "default" in inner:
                _spread(reader, inner["default"], (*here, "default"), freight, (good,), reader.countries)
            for code, value in inner.items():
                if code == "default" or isinstance(value, dict):
                    continue
                if (exporter := reader.country_key(code, (*here, code))) is not None:
                    _spread(reader, value, (*here, code), freight, (good,), (exporter,))
            yield good, {code: value for code, value in inner.items() if isinstance(value, dict)}


def _spread(
    reader: Reader,
    value: object,
    at: KeyPath,
    freight: dict[Route, float],
    goods: tuple[str, ...],
    exporters: tuple[str, ...],
) -> None:
    """One number for every lane of some goods and exporters that crosses a border."""
    cost = reader.number(value, at)
    for good, exporter, importer in product(goods, exporters, reader.countries):
        if cost is not None and exporter != importer:
            freight[good, exporter, importer] = cost * reader.usd_t


def read_latent(reader: Reader, base: Base) -> dict[Route, float]:
    """Prior shares of links that do not trade in the base but could."""
    shares: dict[Route, float] = {}
    sellers = {route[:2] for route in base.flows}
    buyers = {(good, importer) for good, _, importer in base.flows}
    for terms, path in reader.rows(words.LatentTerms, ("latent",)):
        good, (exporters, importers) = reader.good(terms.good, (*path, "good")), reader.sides(terms, path)
        if good is None:
            continue
        for route in product((good,), exporters, importers):
            if route[1] == route[2]:
                continue
            lane = f"{good} from {route[1]} to {route[2]}"
            if route in base.flows:
                reader.refuse("not-latent", path, f"{lane} trades in the base")
            elif route[:2] not in sellers:
                reader.refuse("no-producer", (*path, "from"), f"{route[1]} sells no {good} in the base")
            elif (good, route[2]) not in buyers:
                reader.refuse("no-market", (*path, "to"), f"{route[2]} buys no {good} in the base")
            else:
                shares[route] = terms.share
    return shares
