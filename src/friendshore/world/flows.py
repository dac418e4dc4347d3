"""Which contained tonnes go from whom to whom, before the fit?

Trade as declared becomes tonnes of a good (`plan/trade.csv`: content of a gross tonne, value over a price, an observed total
spread over partners); routes that nobody publishes are filled by gravity on what is left of supply and demand, and say so;
then every good's matrix is traced from dispatch to origin. Balancing is `world.reconcile`'s.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from friendshore.world import readers, sectors, trace
from friendshore.world.output import Figure
from friendshore.world.sectors import Row

Array = npt.NDArray[np.float64]
Pair = tuple[str, str]

NEARNESS_KM = 500.0  # added to distances in gravity seeds, so that neighbours do not take everything
ADDED = "+"


@dataclass(frozen=True)
class Trade:
    """The trade files, read once, with what each refused."""

    baci: readers.Reading
    imports: readers.Reading
    exports: readers.Reading
    partners: readers.Reading
    margins: readers.Reading
    totals: readers.Reading

    def readings(self) -> dict[str, readers.Reading]:
        return {name: getattr(self, name) for name in ("baci", "imports", "exports", "partners", "margins", "totals")}


@dataclass
class Declared:
    """Trade of one good as declared: routes by (exporter, importer), and totals where only totals are known."""

    routes: dict[Pair, Figure] = field(default_factory=dict)
    by_exporter: dict[str, float] = field(default_factory=dict)
    by_importer: dict[str, float] = field(default_factory=dict)
    gravity: Row | None = None
    apart: set[str] = field(default_factory=set)  # countries that sell none of what they buy


@dataclass(frozen=True)
class Prior:
    """Routes of one good by origin: what the fit starts from, and what was declared for the same pair (0 where nothing)."""

    flows: Array
    declared: Array
    grade: npt.NDArray[np.object_]
    cut: Array
    figures: dict[Pair, Figure]


def read(raw: Path, known: readers.Countries) -> Trade:
    """Read the trade files that the plan names."""
    codes: dict[str, set[str]] = defaultdict(set)
    for row in sectors.rows("trade"):
        codes[row["method"]] |= set(row["codes"].split("+")) - {""}
    folder, comtrade = raw / "raw/cepii_baci", raw / "raw/un_comtrade"
    reporters = readers.comtrade_codes(comtrade / "comtrade_reporter_codes.csv")
    return Trade(
        readers.baci(folder / "BACI_HS17_V202601_Y2024_30hs6.csv", known, codes["matrix"] | codes["star"]),
        readers.comtrade_imports(
            comtrade / "comtrade_imports_bilateral_hs6_2018_2024_battery_chain.csv", known, "2024", codes["imports"]
        ),
        readers.comtrade_exports(
            comtrade / "comtrade_exports_bilateral_2015_2024_refined_metals.csv",
            known,
            "2024",
            codes["exports"],
            reporters,
        ),
        readers.partner_star(comtrade / "china_2846_rare_earth_compounds_by_partner_2023.csv", known, "X"),
        readers.margins(folder / "BACI_V202601_margins_2024_base_and_minor_metals.csv", known, "2024"),
        readers.reporter_totals(
            comtrade / "comtrade_reporter_world_totals_2023_31codes.csv",
            known,
            {row["code"] for row in sectors.rows("presence")},
        ),
    )


def declared(trade: Trade) -> dict[str, Declared]:
    """Every good's trade in contained tonnes, in publishers' countries (not yet merged into remainders)."""
    goods: dict[str, Declared] = defaultdict(Declared)
    relabels = sectors.rows("relabel")
    for row in sectors.rows("trade"):
        good = goods[row["good"]]
        if row["method"] in ("surplus", "gap"):
            good.gravity = row
        elif row["method"] == "margins":
            good.gravity = row
            _totals(good, trade, row)
        else:
            cells = _cells(trade, row)
            for pair, tonnes in cells.items():
                exporter, importer, why = relabel(row["good"], pair, relabels)
                if exporter != importer and tonnes > 0.0:
                    _add(good.routes, (exporter, importer), tonnes, row, why)
    for row in sectors.rows("routes"):
        figure = Figure(float(row["flow_t"]), row["source"], row["year"], row["reliability"], row["note"])
        goods[row["good"]].routes[row["exporter"], row["importer"]] = figure
    for row in sectors.rows("own_exports"):
        goods[row["good"]].apart.add(row["country"])
    return dict(goods)


def prior(
    good: Declared, places: list[str], supply: Array, need: Array, use: Array, distance: Array, gdp: Array, final: bool
) -> Prior:
    """Routes by origin, own use included, that the fit starts from.

    Parameters
    ----------
    supply, need, use : (N,)    t   output; what activities take; final use where the plan states it
    distance          : (N, N)  km
    gdp               : (N,)    USD
    final             : has the good final users? If not, only countries that process it can buy it.
    """
    index = {code: k for k, code in enumerate(places)}
    cells = np.zeros((len(places), len(places)))
    grade = np.full(cells.shape, "D", dtype=object)
    figures: dict[Pair, Figure] = {}
    for (exporter, importer), figure in good.routes.items():
        i, j = index[exporter], index[importer]
        if not final and (need[j] <= 0.0 or supply[i] <= 0.0):
            continue
        cells[i, j], grade[i, j], figures[exporter, importer] = figure.tonnes, figure.reliability, figure
    reported = cells.copy()
    if good.gravity is not None:
        cells += _gravity(good, index, cells, supply, need, use, distance, gdp, final)
    apart = [index[code] for code in sorted(good.apart) if code in index]
    cells, cut = trace.cap_exports(supply, cells, apart=apart)
    traced = trace.to_origin(supply, cells, apart)
    return Prior(traced.flows, reported, grade, cut, figures)


def _gravity(
    good: Declared,
    index: Mapping[str, int],
    cells: Array,
    supply: Array,
    need: Array,
    use: Array,
    distance: Array,
    gdp: Array,
    final: bool,
) -> Array:
    """Routes nobody publishes: what is left of supply to what is left of demand, nearer pairs first (RAS on 1/distance)."""
    assert good.gravity is not None
    home = float(good.gravity["factor"]) if good.gravity["by"] == "home" else 1.0
    demand = need + use
    if good.by_exporter:
        listed_out = _vector(good.by_exporter, index)
        listed_in = _vector(good.by_importer, index)
        spare = np.where(listed_out > 0.0, 0.0, np.maximum(supply - demand, 0.0))
        unlisted = _share(good.by_exporter.get("rest", 0.0), spare)
        if good.gravity.get("unlisted") == "spare":  # makers outside the list ship what they do not use themselves
            unlisted = np.minimum(unlisted, spare)
        out = listed_out + unlisted
        wanting = np.where(listed_in > 0.0, 0.0, np.maximum(need - supply, 0.0))
        rest = max(good.by_importer.get("rest", 0.0) - wanting.sum(), 0.0)
        into = listed_in + wanting
        if final:
            into += _share(rest, np.where(listed_in > 0.0, 0.0, gdp))
        out = np.minimum(out, supply)
        if not final:
            out = np.where(need > 0.0, out, supply)
            into = np.where(need > 0.0, into, 0.0)
    else:
        own = home * np.minimum(supply, demand)
        out, into = supply - own, demand - own
    out = np.maximum(out - cells.sum(axis=1), 0.0)
    into = np.maximum(into - cells.sum(axis=0), 0.0)
    level = min(out.sum(), into.sum())
    if level <= 0.0:
        return np.zeros_like(cells)
    seed = np.outer(out > 0.0, into > 0.0) / (distance + NEARNESS_KM)
    np.fill_diagonal(seed, 0.0)
    seed[cells > 0.0] = 0.0
    for exporter, importer in good.routes:  # a pair stated at nothing is closed: gravity may not open it
        seed[index[exporter], index[importer]] = 0.0
    return trace.balance(seed, out * level / out.sum(), into * level / into.sum(), rounds=300)


def _vector(totals: Mapping[str, float], index: Mapping[str, int]) -> Array:
    out = np.zeros(len(index))
    for code, tonnes in totals.items():
        if code in index:
            out[index[code]] += tonnes
    return out


def _share(total: float, weight: Array) -> Array:
    return total * weight / weight.sum() if weight.sum() > 0.0 else np.zeros_like(weight)


def _totals(good: Declared, trade: Trade, row: Row) -> None:
    """Totals of the largest traders and what is left of the world ('rest'), value over price."""
    table = trade.margins.table.filter(trade.margins.table["hs6"].is_in(row["codes"].split(ADDED)))
    price = float(row["factor"])
    world = sum(v for r, v in table.select("role", "amount").iter_rows() if r == "world") / price
    for role, target in (("exporter", good.by_exporter), ("importer", good.by_importer)):
        for country, amount in table.filter(table["role"] == role).select("country", "amount").iter_rows():
            target[country] = target.get(country, 0.0) + amount / price
        target["rest"] = max(world - sum(target.values()), 0.0)


def _cells(trade: Trade, row: Row) -> dict[Pair, float]:
    """Tonnes by pair for one line of the trade plan, in publishers' countries."""
    cells: dict[Pair, float] = defaultdict(float)
    for exporter, importer, tonnes, _ in _converted(trade, row):
        cells[exporter, importer] += tonnes
    return dict(cells)


def coverage(trade: Trade) -> dict[str, tuple[float, float]]:
    """USD of each code that some line of the plan turned into tonnes, and USD of the code in the file.

    The rest is another metal of a basket code, or lies outside the unit values of every good that the code carries.
    """
    used: dict[str, float] = defaultdict(float)
    total: dict[str, float] = {}
    for row in sectors.rows("trade"):
        if row["method"] in ("matrix", "imports", "exports", "star"):
            key = f"{row['publisher']} {row['codes']}"
            used[key] += sum(usd for _, _, _, usd in _converted(trade, row))
            total[key] = float(_table(trade, row)["amount"].sum())
    return {key: (used[key], total[key]) for key in total}


def _table(trade: Trade, row: Row) -> pl.DataFrame:
    by_publisher = {"baci": trade.baci, "comtrade": trade.imports if row["method"] == "imports" else trade.exports}
    table = by_publisher[row["publisher"]].table
    return table.filter(table["hs6"].is_in(row["codes"].split(ADDED)))


def _converted(trade: Trade, row: Row) -> list[tuple[str, str, float, float]]:
    """Exporter, importer, contained tonnes and USD of every row of trade that a line of the plan takes."""
    if row["method"] == "partners":
        factor = float(row["factor"])
        stars = trade.partners.table.select("partner", "tonnes", "amount").iter_rows()
        return [(row["exporters"], partner, tonnes * factor, usd) for partner, tonnes, usd in stars if tonnes]
    return convert(_table(trade, row), row)


def convert(table: pl.DataFrame, row: Row) -> list[tuple[str, str, float, float]]:
    """The same for a table of declared trade: exporter, importer, tonnes gross (null where unknown), amount in USD."""
    factor = float(row["factor"])
    low, high = float(row["low_usd_t"] or 0.0), float(row["high_usd_t"] or "inf")
    rows = list(table.select("exporter", "importer", "tonnes", "amount").iter_rows())
    weighed = [(t, usd) for _, _, t, usd in rows if t and low <= usd / t < high]
    mean = sum(usd for _, usd in weighed) / sum(t for t, _ in weighed) if weighed else float("inf")
    out: list[tuple[str, str, float, float]] = []
    for exporter, importer, tonnes, usd in rows:
        if not named(row["exporters"], exporter) or (importer in row["without"].split(ADDED)):
            continue
        if row["by"] == "value" or row["method"] == "star":
            out.append((exporter, importer, usd / factor, usd))
        elif tonnes and low <= usd / tonnes < high:
            out.append((exporter, importer, tonnes * factor, usd))
        elif tonnes and row["dross_usd_t"]:
            out.append((exporter, importer, usd / float(row["dross_usd_t"]), usd))
        elif not tonnes and high == float("inf"):  # no weight: value over the mean unit value of the rows that have one
            out.append((exporter, importer, usd / mean * factor, usd))
    if row["method"] == "star":
        world = sum(usd for _, _, _, usd in out)
        return [(e, i, float(row["total_t"]) * usd / world, usd) for e, i, _, usd in out]
    return out


def named(rule: str, code: str) -> bool:
    """Whether a rule for exporters takes a country: '*' all, 'CHN+COD' these, '!CHN' all but these."""
    if rule == "*":
        return True
    return code not in rule[1:].split(ADDED) if rule.startswith("!") else code in rule.split(ADDED)


def relabel(good: str, pair: Pair, rules: Sequence[Row]) -> tuple[str, str, str]:
    """Exporter and importer behind a recorded pair (transit ports and storage), and why they are put there."""
    exporter, importer = pair
    why = ""
    for rule in rules:
        if rule["good"] == good and rule["exporter"] in ("*", exporter) and rule["importer"] in ("*", importer):
            exporter, importer = rule["to_exporter"] or exporter, rule["to_importer"] or importer
            why = rule["note"]
    return exporter, importer, why


def _add(routes: dict[Pair, Figure], pair: Pair, tonnes: float, row: Row, why: str) -> None:
    before = routes.get(pair)
    note = f"{row['note']}; {why}" if why else row["note"]
    if before is None:
        routes[pair] = Figure(tonnes, row["source"], row["year"], row["reliability"], note)
        return
    larger = note if tonnes > before.tonnes else before.note
    source = ADDED.join(sorted(set(before.source.split(ADDED)) | set(row["source"].split(ADDED))))
    routes[pair] = Figure(
        before.tonnes + tonnes, source, row["year"], max(before.reliability, row["reliability"]), larger
    )


def merged(routes: Mapping[Pair, Figure], place: Mapping[str, str]) -> dict[Pair, Figure]:
    """Routes with countries that are not kept merged into their region's remainder; trade inside a remainder is left out."""
    out: dict[Pair, Figure] = {}
    for (exporter, importer), figure in routes.items():
        pair = place.get(exporter, exporter), place.get(importer, importer)
        if pair[0] == pair[1]:
            continue
        before = out.get(pair)
        tonnes = figure.tonnes + (before.tonnes if before else 0.0)
        out[pair] = Figure(tonnes, figure.source, figure.year, figure.reliability, figure.note)
    return out
