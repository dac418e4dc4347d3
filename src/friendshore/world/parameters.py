"""Everything in the world that is not a tonne: prices, elasticities, freight, duties, margins, licences, measures.

`complete` takes the tables of tonnes and fills in what a calibrated base needs; `delivered`, `buyer_index` and
`base_margins` are the base-year identities, written once. Tonnes, goods and countries are `world.build`'s.
"""

from __future__ import annotations

import csv
import math
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cache
from itertools import product
from pathlib import Path
from statistics import median

import polars as pl

from friendshore.errors import Problem, WorldError
from friendshore.world import sectors
from friendshore.world.sectors import Row
from friendshore.world.tables import COLUMNS

Pair = tuple[str, str]

MARGIN_FLOOR = 0.10  # of revenue: below it a small change of price would move supply without bound
# Absent from the distance files, reckoned as a neighbour.
PROXY = {"S19": "TWN", "MNE": "SRB", "XKX": "SRB", "SSD": "SDN", "TLS": "IDN", "MAC": "HKG"}
KNOWN_SCHEDULES = ("USA", "JPN", "EUN", "GBR", "CHN")
LDC_PREFERENCE = ("EUN", "GBR", "CHN", "JPN")  # nil for least developed countries
BASE_YEAR = 2024


def complete(tables: dict[str, pl.DataFrame], raw: Path) -> dict[str, pl.DataFrame]:
    """The tables of tonnes with every other column filled, and the tables that hold no tonnes added.

    Parameters
    ----------
    tables : goods, countries, activities, recipes, routes at least, with their tonnes; other tables pass through
    raw    : the raw data folder (holding `raw/` and `facts/`): distances, agreements and country groups are read there

    Returns
    -------
    A new dictionary with goods, substances, territories, routes, prices, licences, activities, measures and sources
    complete in the columns of `world.tables.COLUMNS`.

    Raises
    ------
    WorldError   a good without a price, a route without a distance, an input that no route supplies.
    """
    done = {name: _columns(frame, name) for name, frame in tables.items()}
    done["goods"] = _goods(done["goods"])
    done["substances"] = substances()
    done["territories"] = _territories(done["countries"])
    geography = _Geography.read(raw, done["countries"])
    done["routes"] = _routes(done, geography)
    done["prices"] = _prices(done)
    done["licences"] = _licences(done)
    done["activities"] = _activities(done)
    done["measures"] = _measures(done)
    done["sources"] = _sources(done)
    return done


def resettled(
    before: Mapping[str, pl.DataFrame], after: Mapping[str, pl.DataFrame], goods: frozenset[str]
) -> dict[str, pl.DataFrame]:
    """Tables whose tonnes moved for some goods, calibrated anew for those: gate prices, base licences, margins, measures.

    Prices outside and inside, freight and duties stay; so do costs, and margins follow (`repriced`). An activity that is
    new gets its cost, elasticity and capacity by the plan's rules.

    Raises
    ------
    WorldError   a new output without a price, an input that nobody supplies
    """
    done = dict(after)
    for name, make in (("prices", _prices), ("licences", _licences), ("measures", _measures)):
        fresh = make(done).filter(pl.col("good").is_in(sorted(goods)))
        kept = after[name].filter(~pl.col("good").is_in(sorted(goods)))
        order = {key: k for k, key in enumerate(before[name].rows_by_key(_KEYS[name], unique=True))}
        rows = [*kept.iter_rows(named=True), *fresh.iter_rows(named=True)]
        rows.sort(key=lambda row, order=order, name=name: (order.get(_key(row, name), len(order)), _key(row, name)))  # type: ignore[misc]
        done[name] = _frame(rows, name)
    known = before["activities"]["id"].implode()
    old = done | {
        "activities": done["activities"].filter(pl.col("id").is_in(known)),
        "recipes": done["recipes"].filter(pl.col("activity").is_in(known)),
    }
    settled = repriced(before, old)
    new = done | {
        "activities": done["activities"].filter(~pl.col("id").is_in(known)),
        "recipes": done["recipes"].filter(~pl.col("activity").is_in(known)),
    }
    if new["activities"].height:
        settled = pl.concat([settled, _activities(new)]).sort("id")
    done["activities"] = settled
    return done


_KEYS = {"prices": ["good", "country"], "licences": ["id"], "measures": ["id", "good"]}


def _key(row: Mapping[str, object], name: str) -> object:
    names = _KEYS[name]
    return tuple(str(row[part]) for part in names) if len(names) > 1 else str(row[names[0]])


# --- base-year identities -------------------------------------------------------------------------------------------


def delivered(tables: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """Price at the buyer's gate of every route in the base year, in USD per tonne.

    cif = p (1 + x) + xs + rho + f + e,     d0 = cif + tau (cif - h f) + s

    p base price, x and xs export tax, rho rent of the base licence on the route, f freight, e link premium, tau and s
    duty, h = 1 where the importer's territory values at fob and 0 at cif.

    Returns
    -------
    good, exporter, importer, flow_t, rent_usd_t, cif_usd_t, delivered_usd_t; one row per route, in the routes' order.
    """
    base = tables["territories"].select(territory="code", duty_base="duty_base")
    fob = tables["countries"].select(importer="code", territory="territory").join(base, on="territory", how="left")
    rents = (
        tables["licences"]
        .select("good", "exporter", pl.col("importers").str.split("+").alias("importer"), "rent_usd_t")
        .explode("importer")
        .group_by("good", "exporter", "importer")
        .agg(pl.col("rent_usd_t").sum())
    )
    tau, s = pl.col("tariff").fill_null(0.0), pl.col("specific_usd_t").fill_null(0.0)
    x, xs = pl.col("export_tax").fill_null(0.0), pl.col("export_tax_usd_t").fill_null(0.0)
    f, e = pl.col("freight_usd_t").fill_null(0.0), pl.col("premium_usd_t").fill_null(0.0)
    return (
        tables["routes"]
        .join(
            tables["prices"].select("good", "price_usd_t", exporter="country"),
            on=["good", "exporter"],
            how="left",
            maintain_order="left",
        )
        .join(rents, on=["good", "exporter", "importer"], how="left", maintain_order="left")
        .join(fob, on="importer", how="left", maintain_order="left")
        .with_columns(pl.col("rent_usd_t").fill_null(0.0))
        .with_columns(cif_usd_t=pl.col("price_usd_t") * (1 + x) + xs + pl.col("rent_usd_t") + f + e)
        .with_columns(
            delivered_usd_t=pl.col("cif_usd_t")
            + tau * (pl.col("cif_usd_t") - pl.when(pl.col("duty_base") == "fob").then(f).otherwise(0.0))
            + s
        )
        .select("good", "exporter", "importer", "flow_t", "rent_usd_t", "cif_usd_t", "delivered_usd_t")
    )


def buyer_index(routes_delivered: pl.DataFrame) -> pl.DataFrame:
    """Base cost index of every market: V0_jg = sum_i w0_ijg d0_ijg over the routes that trade, USD per tonne.

    Returns
    -------
    good, country, index_usd_t
    """
    return (
        routes_delivered.filter(pl.col("flow_t") > 0)
        .group_by("good", "importer", maintain_order=True)
        .agg(((pl.col("flow_t") * pl.col("delivered_usd_t")).sum() / pl.col("flow_t").sum()).alias("index_usd_t"))
        .rename({"importer": "country"})
    )


def base_margins(tables: Mapping[str, pl.DataFrame]) -> dict[str, float]:
    """Base margin of every activity, from recipes at base prices, USD per tonne of its level.

    margin = sum_out o p - sum_in a V0 - fixed_cost + base_support + credit

    Returns
    -------
    {activity id: margin}
    """
    gross = _gross(tables)
    return {
        row["id"]: gross[row["id"]].revenue
        - gross[row["id"]].inputs
        - (row["fixed_cost_usd_t"] or 0.0)
        + (row["base_support_usd_t"] or 0.0)
        + (row["credit_usd_t"] or 0.0)
        for row in tables["activities"].iter_rows(named=True)
    }


def repriced(before: Mapping[str, pl.DataFrame], after: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """The activities at other base prices: costs stay, margins follow, and what falls below the floor is clipped anew.

    margin = sum_out o p - sum_in a V0 - fixed_cost + base_support + credit, at least 10 % of revenue: where it would be
    less, the fixed cost is what is left over and the row is marked `clipped`. A row clipped before stays marked, its
    cost being what that left over. eps moves with margin / revenue, so that a price moves supply as it did.

    Parameters
    ----------
    before, after : the same tables but for `prices` and `licences`

    Returns
    -------
    `activities` of `after` with margin_usd_t, fixed_cost_usd_t, clipped, note and the eps columns as they must be then

    Raises
    ------
    WorldError   an output without a price, an input that nobody supplies
    """
    old, new = _gross(before), _gross(after)
    rows = []
    for row in after["activities"].iter_rows(named=True):
        was, now = old[row["id"]], new[row["id"]]
        if now.main_output is None or (was.revenue == now.revenue and was.inputs == now.inputs):
            rows.append(row)
            continue
        kept = (row["base_support_usd_t"] or 0.0) + (row["credit_usd_t"] or 0.0)
        surplus = now.revenue - now.inputs + kept
        cost, floor = row["fixed_cost_usd_t"] or 0.0, MARGIN_FLOOR * now.revenue
        clipped, note = bool(row["clipped"]), row["note"]
        if surplus - cost < floor:
            note = _joined(
                note, f"margin clipped to 10 % of revenue at other prices, a cost of {cost:g} would leave less"
            )
            cost, clipped = math.floor((surplus - floor) * 100) / 100, True
        margin = surplus - cost
        scale = (margin / now.revenue) / (row["margin_usd_t"] / was.revenue)
        eps = {name: None if row[name] is None else row[name] * scale for name in ("eps_1", "eps_5", "eps_15")}
        changed = {"fixed_cost_usd_t": cost, "margin_usd_t": margin, "clipped": clipped, "note": note}
        rows.append(row | changed | eps)
    return _frame(rows, "activities")


def margin_shares(tables: Mapping[str, pl.DataFrame]) -> dict[str, float]:
    """Margin over revenue at base prices, by activity id: what turns an elasticity in price into one in the margin."""
    gross = _gross(tables)
    margins = tables["activities"].select("id", "margin_usd_t").iter_rows()
    return {name: margin / gross[name].revenue for name, margin in margins if gross[name].revenue > 0.0}


@dataclass(frozen=True, slots=True)
class _Gross:
    """Revenue and input cost of an activity per tonne of its level, and what it mainly makes and is made from."""

    revenue: float
    inputs: float
    main_output: str | None
    main_input: str | None
    coefficient: float  # of the main output


def _gross(tables: Mapping[str, pl.DataFrame]) -> dict[str, _Gross]:
    price = _keyed(tables["prices"], "price_usd_t")
    index = _keyed(buyer_index(delivered(tables)), "index_usd_t")
    out: dict[str, list[tuple[float, str, float]]] = defaultdict(list)
    into: dict[str, list[tuple[float, str]]] = defaultdict(list)
    country = _home(tables["activities"])
    problems = []
    for row in tables["recipes"].iter_rows(named=True):
        place = (row["good"], country.get(row["activity"], ""))
        known = price if row["role"] == "output" else index
        if place not in known:
            what = "base price" if row["role"] == "output" else "supplier in the base year"
            problems.append(_problem("recipe-unpriced", f"{row['activity']}: {row['good']} has no {what}", "recipes"))
        elif row["role"] == "output":
            out[row["activity"]].append((row["coefficient"] * known[place], row["good"], row["coefficient"]))
        else:
            into[row["activity"]].append((row["coefficient"] * known[place], row["good"]))
    if problems:
        raise WorldError(tuple(problems))
    gross = {}
    for activity in country:
        made, used = out[activity], into[activity]
        main = max(made, default=(0.0, None, 0.0))
        gross[activity] = _Gross(
            revenue=math.fsum(value for value, _, _ in made),
            inputs=math.fsum(value for value, _ in used),
            main_output=main[1],
            main_input=max(used, default=(0.0, None))[1],
            coefficient=main[2],
        )
    return gross


# --- goods, substances, territories ---------------------------------------------------------------------------------


def _goods(goods: pl.DataFrame) -> pl.DataFrame:
    """Prices, elasticities and choke multiples.

    The five-year value is the geometric mean of one year and the long run, for substitution and for supply alike,
    because the literature at hand gives those two only.
    """
    plan = _plan("goods", key="id")
    _refuse_missing("goods", (g for g in goods["id"] if g not in plan), "no price in the plan")
    rows = []
    for row in goods.iter_rows(named=True):
        own = plan[row["id"]]
        one, long = float(own["sigma_1"]), float(own["sigma_long"])
        row |= {
            "price_inside_usd_t": float(own["price_inside_usd_t"]),
            "price_outside_usd_t": float(own["price_outside_usd_t"]),
            "sigma_1": one,
            "sigma_5": round(math.sqrt(one * long), 4),
            "sigma_15": long,
            "eta": float(own["eta"]),
            "choke_multiple": float(own["choke_multiple"]),
        }
        rows.append(_signed(row, own, "price"))
    return _frame(rows, "goods")


def substances() -> pl.DataFrame:
    """What a price may be quoted for, and the tonnes of the good's unit in a tonne of it, from IUPAC atomic weights.

    >>> content = {(s, g): c for s, g, c in substances().select("substance", "good", "content").iter_rows()}
    >>> round(content["sb2o3", "antimony.oxide"], 4), round(content["wo3", "tungsten.apt"], 4)
    (0.8354, 0.793)
    """
    oxide_per_metal = {
        "ndpr_metal": ("Nd2O3", "Nd", 2.0, "Pr6O11", "Pr", 6.0),
        "dysprosium": ("Dy2O3", "Dy", 2.0),
        "terbium": ("Tb4O7", "Tb", 4.0),
    }
    rows = []
    for own in _plan_rows("substances"):
        content, rule = 1.0, "one for one"
        if own["formula"]:
            content = formula_weight(own["element"]) * _count(own["formula"], own["element"])
            content /= formula_weight(own["formula"])
            rule = f"mass share of {own['element']} in {own['formula']}"
        elif own["substance"] in oxide_per_metal:
            first, element, atoms, *second = oxide_per_metal[own["substance"]]
            metal = float(atoms) * formula_weight(str(element)) / formula_weight(str(first))
            if second:
                metal = 0.75 * metal + 0.25 * float(second[2]) * formula_weight(str(second[1])) / formula_weight(
                    str(second[0])
                )
            content, rule = 1 / metal, f"oxide over metal, {first}" + (f" with {second[0]}" if second else "")
        rows.append(
            {
                "substance": own["substance"],
                "good": own["good"],
                "content": round(content, 9),
                "source": "iupac.weights",
                "year": "2021",
                "reliability": "A",
                "note": "; ".join(filter(None, (rule, own["note"]))),
            }
        )
    return _frame(rows, "substances")


def formula_weight(formula: str) -> float:
    """Molar mass of a formula with brackets, g/mol.

    >>> round(formula_weight("Co(OH)2"), 3)
    92.947
    """
    return sum(_weights(sectors.in_force())[element] * count for element, count in _atoms(formula).items())


def _count(formula: str, element: str) -> float:
    return float(_atoms(formula)[element])


def _atoms(formula: str) -> dict[str, int]:
    stack: list[dict[str, int]] = [defaultdict(int)]
    for opening, closing, element, count in re.findall(r"(\()|(\))|([A-Z][a-z]?)|(\d+)", formula):
        if opening:
            stack.append(defaultdict(int))
        elif closing or element:
            last = {element: 1} if element else dict(stack.pop())
            for name, number in last.items():
                stack[-1][name] += number
        else:  # a count multiplies what was just closed or named: one of it stands there already
            for name, number in last.items():
                stack[-1][name] += number * (int(count) - 1)
    return dict(stack[0])


@cache
def _weights(_: tuple[Path, ...]) -> dict[str, float]:
    return {row["element"]: float(row["weight"]) for row in _plan_rows("atomic_weights")}


def _territories(countries: pl.DataFrame) -> pl.DataFrame:
    plan = _plan("territories", key="code")
    names = dict(countries.select("code", "name").iter_rows())
    rows = []
    for code in sorted(set(countries["territory"])):
        own = plan.get(code, plan["*"])
        rows.append(
            {
                "code": code,
                "name": own["name"] or names.get(code, code),
                "duty_base": own["duty_base"],
                "kept_share": float(own["kept_share"]),
                "budget": own["budget"] or code,
                **_provenance(own),
            }
        )
    return _frame(rows, "territories")


# --- routes: freight, duties, export taxes, premiums ----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Geography:
    """Distances in km, continents, landlocked legs, agreements: what freight and preferences are reckoned from."""

    sea_km: Mapping[Pair, float]
    air_km: Mapping[Pair, float]
    neighbours: frozenset[Pair]
    continent: Mapping[str, str]
    least_developed: frozenset[str]
    agreements: frozenset[Pair]
    regions: Mapping[str, tuple[str, ...]]  # remainder -> countries of its region

    @classmethod
    def read(cls, raw: Path, countries: pl.DataFrame) -> _Geography:
        folder = raw / "raw" if (raw / "raw").is_dir() else raw
        sea = {}
        for row in _rows(folder / "cerdi_seadistance" / "CERDI-seadistance.csv"):
            if row["seadistance"]:
                sea[row["iso1"], row["iso2"]] = float(row["seadistance"])
        air, touching = {}, set()
        for row in _rows(folder / "cepii_geodist" / "dist_cepii_subset.csv"):
            air[row["iso_o"], row["iso_d"]] = float(row["dist"])
            if row["contig"] == "1":
                touching.add((row["iso_o"], row["iso_d"]))
        continent, poorest = {}, set()
        for row in _rows(folder / "countries" / "country-codes.csv"):
            continent[row["ISO3166-1-Alpha-3"]] = row["Continent"]
            if row["Least Developed Countries (LDC)"] == "x":
                poorest.add(row["ISO3166-1-Alpha-3"])
        free = set()  # the pairs of RCEP are not in the file: its cuts are still phased and count as none
        for row in _rows(folder / "wto_rta" / "derived_rta_dyads_in_force_2026-02.csv"):
            pair = (row["iso3_a"], row["iso3_b"])
            if row["strongest_type"] in {"FTA", "CU"} and int(row["first_entry_into_force"]) <= BASE_YEAR:
                free |= {pair, pair[::-1]}
        regions: dict[str, tuple[str, ...]] = {}
        for remainder, region in countries.filter(pl.col("remainder")).select("code", "region").iter_rows():
            inside = countries.filter(~pl.col("remainder") & (pl.col("region") == region))["code"].to_list()
            regions[remainder] = tuple(inside) or tuple(countries.filter(~pl.col("remainder"))["code"])
        return cls(sea, air, frozenset(touching), continent, frozenset(poorest), frozenset(free), regions)

    def kilometres(self, table: Mapping[Pair, float], a: str, b: str) -> float | None:
        """Distance of a pair; of a remainder, the mean over the countries of its region."""
        found = [
            table[PROXY.get(x, x), PROXY.get(y, y)]
            for x in self.regions.get(a, (a,))
            for y in self.regions.get(b, (b,))
            if (PROXY.get(x, x), PROXY.get(y, y)) in table
        ]
        return sum(found) / len(found) if found else None


def gross_freight(mode: str, exporter: str, importer: str, geography: _Geography) -> tuple[float, str]:
    """Freight of a gross tonne between two countries, USD, and how it goes: the cheaper of sea and land.

    sea  = handling + rate_mode km_sea + rate_leg km to port, of the exporter and of the importer, + border waits
    land = handling + rate_land 1.3 km_air       between neighbours, inside Europe, or short hauls of a landlocked country
    """
    rate = {name: float(row["value"]) for name, row in _plan("freight", key="parameter").items()}
    legs = _plan("land_legs", key="country")
    offers = []
    at_sea = geography.kilometres(geography.sea_km, *(legs.get(c, {}).get("sea_as") or c for c in (exporter, importer)))
    if at_sea is not None:
        ashore = sum(
            float(legs[c]["port_km"]) * rate[legs[c]["by"]] + float(legs[c]["border"]) * rate["border"]
            for c in (exporter, importer)
            if c in legs
        )
        offers.append((rate[f"handling_{mode}"] + rate[f"sea_{mode}"] * at_sea + ashore, "sea"))
    in_air = geography.kilometres(geography.air_km, exporter, importer)
    if in_air is not None:
        here, there = geography.continent.get(exporter), geography.continent.get(importer)
        near = (
            (exporter, importer) in geography.neighbours
            or (here == there == "EU" and in_air < 3500)
            or (here == there and in_air < 3000 and (exporter in legs or importer in legs))
        )
        if near or at_sea is None:
            offers.append((rate["land_handling"] + rate["land"] * rate["detour"] * in_air, "land"))
    if not offers:
        raise WorldError((_problem("no-distance", f"no distance from {exporter} to {importer}", "routes"),))
    return min(offers)


def _routes(tables: Mapping[str, pl.DataFrame], geography: _Geography) -> pl.DataFrame:
    goods = _plan("goods", key="id")
    territory = dict(tables["countries"].select("code", "territory").iter_rows())
    premiums = {(row["good"], row["exporter"]): row for row in _plan_rows("premiums")}
    taxes = {(row["good"], row["exporter"]): row for row in _plan_rows("export_taxes")}
    carried: dict[tuple[str, str, str], tuple[float, str]] = {}
    rows = []
    for row in tables["routes"].iter_rows(named=True):
        good, exporter, importer = row["good"], row["exporter"], row["importer"]
        if exporter == importer:
            rows.append(
                row | dict.fromkeys(_ROUTE_TERMS, 0.0) | {"note": _joined(row["note"], "at home: no freight, no duty")}
            )
            continue
        mode, content = goods[good]["freight_mode"], float(goods[good]["content"])
        if (mode, exporter, importer) not in carried:
            carried[mode, exporter, importer] = gross_freight(mode, exporter, importer, geography)
        freight, way = carried[mode, exporter, importer]
        duty = _duty(good, exporter, importer, territory, geography)
        tax, premium = taxes.get((good, exporter)), premiums.get((good, exporter))
        row |= {
            "freight_usd_t": round(freight / content, 2),
            "tariff": duty.rate,
            "specific_usd_t": duty.specific_usd_t,
            "export_tax": float(tax["rate"]) if tax else 0.0,
            "export_tax_usd_t": float(tax["specific_usd_t"]) if tax else 0.0,
            "premium_usd_t": float(premium["premium_usd_t"]) if premium else 0.0,
            "source": _union(
                row["source"], "cerdi.seadistance" if way == "sea" else "cepii.geodist", duty.source,
                tax["source"] if tax else "", premium["source"] if premium else "",
            ),
            "note": _joined(
                row["note"], f"freight by {way}, D", f"duty {duty.reliability}: {duty.rule}",
                f"export tax {tax['reliability']}" if tax and float(tax["rate"]) else "",
                f"premium {premium['reliability']}" if premium else "",
            ),
        }  # fmt: skip
        rows.append(row)
    return _frame(rows, "routes")


_ROUTE_TERMS = ("freight_usd_t", "tariff", "specific_usd_t", "export_tax", "export_tax_usd_t", "premium_usd_t")


@dataclass(frozen=True, slots=True)
class _Duty:
    rate: float
    specific_usd_t: float
    source: str
    reliability: str
    rule: str


def _duty(good: str, exporter: str, importer: str, territory: Mapping[str, str], geography: _Geography) -> _Duty:
    """The duty of 2024 on a good from one country into another: union, agreement, preference, schedule, estimate.

    What one country alone pays (`duty_extra`) comes on top of the schedule, and on top of nil under an agreement too.
    """
    home, abroad = territory[importer], territory[exporter]
    if home == abroad:
        return _Duty(0.0, 0.0, "", "A", "one customs territory")
    extra = _extra(sectors.in_force()).get((home, exporter, good))
    sides = set(product((exporter, abroad), (importer, home)))
    if (exporter, importer) in geography.agreements or sides & _free_trade(sectors.in_force()):
        free = _Duty(0.0, 0.0, "wto.rta+fta.coverage", "C", "nil by a free-trade agreement in force")
        return _with_extra(free, extra) if extra else free
    if exporter in geography.least_developed and home in LDC_PREFERENCE:
        return _Duty(0.0, 0.0, "friendshore.duties", "D", "nil for least developed countries, unverified")
    schedule = _schedule(sectors.in_force())
    own = schedule.get((home, good)) or schedule.get((home, "*"))
    if own is None:
        middle = median(float(schedule[known, good]["rate"]) for known in KNOWN_SCHEDULES)
        return _Duty(round(middle, 6), 0.0, "friendshore.duties", "D", "not known, median of five known schedules")
    general = _Duty(float(own["rate"]), float(own["specific_usd_t"]), own["source"], own["reliability"], "MFN")
    return _with_extra(general, extra) if extra else general


def _with_extra(duty: _Duty, extra: Row) -> _Duty:
    return _Duty(
        round(duty.rate + float(extra["rate"]), 6),
        duty.specific_usd_t + float(extra["specific_usd_t"]),
        _union(duty.source, extra["source"]),
        max(duty.reliability, extra["reliability"]),
        f"{duty.rule} and {extra['title']}",
    )


@cache
def _free_trade(_: tuple[Path, ...]) -> frozenset[Pair]:
    """Pairs of countries or territories that an agreement makes free and the register of agreements does not show so."""
    free = set()
    for row in _plan_rows("free_trade"):
        if int(row["since"][:4]) <= BASE_YEAR:
            free |= set(product(row["one"].split("+"), row["other"].split("+")))
    return frozenset(free | {pair[::-1] for pair in free})


@cache
def _extra(_: tuple[Path, ...]) -> dict[tuple[str, str, str], Row]:
    """What one country alone pays or is spared on top of the schedule, by importer, exporter and good."""
    return {(row["importer"], row["exporter"], row["good"]): row for row in _plan_rows("duty_extra")}


@cache
def _schedule(_: tuple[Path, ...]) -> dict[Pair, Row]:
    return {(row["importer"], row["good"]): row for row in _plan_rows("tariffs")}


# --- prices and licences --------------------------------------------------------------------------------------------


def _prices(tables: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """Base price at the gate of every producing (good, country), one basis per chain.

    A quotation fob is the gate price everywhere. A quotation at the buyer's port is netted back: a country's gate price
    is the quotation less the mean freight, premium and export tax of its own sales, so that they arrive at it on
    average. China's gate price is the inside price wherever the plan has one that differs. A country that the plan gives a
    price of its own (`parameters_prices.csv`: ore that may not leave, a better grade) has that one.
    """
    plan = _plan("goods", key="id")
    stated = {(row["good"], row["country"]): row for row in _plan_rows("prices")}
    sold: dict[Pair, list[float]] = defaultdict(lambda: [0.0, 0.0, 0.0])
    for row in tables["routes"].iter_rows(named=True):
        total = sold[row["good"], row["exporter"]]
        total[0] += row["flow_t"]
        total[1] += row["flow_t"] * (row["freight_usd_t"] + row["premium_usd_t"] + row["export_tax_usd_t"])
        total[2] += row["flow_t"] * row["export_tax"]
    country = _home(tables["activities"])
    makers = {
        (row["good"], country[row["activity"]])
        for row in tables["recipes"].iter_rows(named=True)
        if row["role"] == "output"
    }
    rows = []
    for good, origin in sorted(makers | set(sold)):
        own = plan[good]
        outside, inside = float(own["price_outside_usd_t"]), float(own["price_inside_usd_t"])
        tonnes, costs, taxed = sold[good, origin]
        reliability, rule, source, year = (
            own["reliability"],
            f"quotation {own['price_basis']}",
            own["source"],
            own["year"],
        )
        if (good, origin) in stated:
            alone = stated[good, origin]
            price, reliability, rule = float(alone["price_usd_t"]), alone["reliability"], alone["note"]
            source, year = alone["source"], alone["year"]
        elif origin == "CHN" and inside != outside:
            price, reliability, rule = inside, own["reliability_inside"], f"price inside China; {own['note']}"
        elif own["price_basis"] == "cif" and tonnes > 0:
            price = (outside - costs / tonnes) / (1 + taxed / tonnes)
            reliability = max(reliability, "C")
            rule = "quotation at the buyer's port less the mean freight, premium and export tax of its own sales"
        else:
            price = outside
        rows.append(
            {
                "good": good,
                "country": origin,
                "price_usd_t": round(price, 2),
                "source": source,
                "year": year,
                "reliability": reliability,
                "note": rule if (good, origin) in makers else f"{rule}; sells from stock or in transit",
            }
        )
    return _frame(rows, "prices")


def _licences(tables: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """Base licences, one per destination group: tonnes the base flows of the group, rent what lifts the inside price to
    the outside one at the point where that is quoted. Licences name their destination, so tonnes that one group may no
    longer take do not pass to another.

    rent = outside - inside (1 + x) - xs - mean freight where outside is quoted at the buyer's port.
    """
    plan = _plan("goods", key="id")
    everyone = sorted(tables["countries"]["code"])
    rows = []
    for own in _plan_rows("licences"):
        if own["good"] not in set(tables["goods"]["id"]):
            continue
        group = tables["routes"].filter(
            (pl.col("good") == own["good"])
            & (pl.col("exporter") == own["exporter"])
            & (pl.col("importer") != own["exporter"])
        )
        tonnes = math.fsum(group["flow_t"])
        if tonnes <= 0:
            continue
        mean = {
            term: math.fsum(a * b for a, b in group.select("flow_t", term).iter_rows()) / tonnes
            for term in ("freight_usd_t", "export_tax", "export_tax_usd_t", "premium_usd_t")
        }
        price = plan[own["good"]]
        rent = float(price["price_outside_usd_t"]) - float(price["price_inside_usd_t"]) * (1 + mean["export_tax"])
        rent -= mean["export_tax_usd_t"] + mean["premium_usd_t"]
        if price["price_basis"] == "cif":
            rent -= mean["freight_usd_t"]
        if rent <= 0:
            message = f"{own['id']}: the price outside is below the inside one delivered, rent {rent:.0f} USD/t"
            raise WorldError((_problem("negative-rent", message, "licences"),))
        outside = [c for c in everyone if c != own["exporter"]]
        for name, members in _destinations(tables, outside).items():
            share = math.fsum(group.filter(pl.col("importer").is_in(members))["flow_t"])
            if share > 0:
                rows.append(
                    {
                        "id": f"{own['id']}.{name}",
                        "good": own["good"],
                        "exporter": own["exporter"],
                        "importers": "+".join(members),
                        "quota_t": share,
                        "rent_usd_t": round(rent, 2),
                        "owner": own["owner"],
                        **_provenance(own),
                    }
                )
    return _frame(rows, "licences")


LICENSED_APART = (
    "USA",
    "EUN",
    "JPN",
    "KOR",
)  # destinations that licences and bans have singled out; the rest is one group


def _destinations(tables: Mapping[str, pl.DataFrame], outside: list[str]) -> dict[str, list[str]]:
    """Destination groups of a licence: each of the great importing territories, and all others together."""
    territory = dict(zip(tables["countries"]["code"], tables["countries"]["territory"], strict=True))
    groups: dict[str, list[str]] = {}
    for code in outside:
        home = territory[code]
        groups.setdefault(home if home in LICENSED_APART else "others", []).append(code)
    return groups


# --- activities: margins, costs, elasticities, capacities -----------------------------------------------------------


def _activities(tables: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """Margins, and supply elasticities and capacities that go with them.

    gross = outputs at the gate - inputs at the buyer's index + credit;  net = gross - conversion cost of the plan
    margin = max(net, 10 % of revenue): where it is clipped the fixed cost is what is left over, below zero at times
    where a published cost exceeds the price the cost stays and a named base support makes up the margin
    eps = eps_price margin / revenue, so that a price moves supply as the literature has it
    """
    goods = _plan("goods", key="id")
    stage = dict(tables["goods"].select("id", "stage").iter_rows())
    gross = _gross(tables)
    rows = []
    for row in tables["activities"].iter_rows(named=True):
        own = gross[row["id"]]
        if own.main_output is None:  # a host that makes nothing modelled: its level is given
            rows.append(row | {"margin_usd_t": 0.0, "clipped": False} | dict.fromkeys(_NOUGHT, 0.0))
            continue
        rule = _cost_rule(own, row["process"], row["country"])
        credit = float(rule["credit_usd_t"])
        surplus = own.revenue - own.inputs + credit
        floor = MARGIN_FLOOR * own.revenue
        cost, support, holder, clipped = surplus - float(rule["value"]) * own.revenue, 0.0, None, False
        if rule["rule"] != "share":
            cost = float(rule["value"])
        if surplus - cost < floor:
            if rule["rule"] == "published":
                support, holder = math.ceil(floor - (surplus - cost)), rule["holder"]
            else:
                cost, clipped = surplus - floor, True
        cost = math.floor(cost * 100) / 100
        like = rule["eps_like"] or own.main_output
        capacity, capacity_rule = _capacity(row, own, stage[own.main_output])
        row |= {
            "fixed_cost_usd_t": cost,
            "base_support_usd_t": support,
            "support_holder": holder,
            "credit_usd_t": credit,
            "margin_usd_t": own.revenue - own.inputs - cost + support + credit,
            "clipped": clipped,
            "capacity_t": capacity,
        }
        one, long = _SCRAP if like == "scrap" else (float(goods[like]["eps_1"]), float(goods[like]["eps_long"]))
        scale = row["margin_usd_t"] / own.revenue
        row |= {"eps_1": one * scale, "eps_5": math.sqrt(one * long) * scale, "eps_15": long * scale}
        row["source"] = _union(row["source"], rule["source"])
        row["note"] = _joined(
            row["note"], f"cost {rule['reliability']}: {_cost_note(rule, row, clipped)}", capacity_rule
        )
        rows.append(row)
    return _frame(rows, "activities")


_NOUGHT = ("fixed_cost_usd_t", "base_support_usd_t", "credit_usd_t", "eps_1", "eps_5", "eps_15")
_SCRAP = (0.2, 0.75)  # supply of scrap answers as that of copper ore: judgement


def _cost_note(rule: Row, row: Mapping[str, object], clipped: bool) -> str:
    if clipped:
        hint = f"conversion cost {rule['value']}" if rule["rule"] == "cost" else f"margin share {rule['value']}"
        return f"margin clipped to 10 % of revenue, {hint} would leave less; fixed cost is the residual" + (
            ", below zero: something earned is not modelled" if float(str(row["fixed_cost_usd_t"])) < 0 else ""
        )
    if row["base_support_usd_t"]:
        return f"published cost above the price, base support by {row['support_holder']}; {rule['note']}"
    return rule["note"]


def _cost_rule(gross: _Gross, process: str, country: str) -> Row:
    for rule in _plan_rows("costs"):
        if (
            rule["good"] in ("*", gross.main_output)
            and rule["input"] in ("*", gross.main_input or "-")
            and fnmatch(process, rule["process"])
            and rule["country"] in ("*", country)
        ):
            return rule
    raise WorldError((_problem("no-cost", f"no cost rule for {process}@{country}", "activities"),))


def _capacity(row: Mapping[str, object], gross: _Gross, stage: str) -> tuple[float | None, str]:
    """Capacity in tonnes of the activity's level: what the build brings, what is published, or level times a factor."""
    level = float(str(row["level_t"]))
    if row["capacity_t"] is not None or row["kind"] == "fixed":
        return (None if row["capacity_t"] is None else float(str(row["capacity_t"]))), ""
    for own in _plan_rows("capacity"):
        if (
            own["good"] == gross.main_output
            and own["country"] == row["country"]
            and fnmatch(str(row["process"]), own.get("process") or "*")
        ):
            published = float(own["capacity_t"]) / gross.coefficient
            if published >= level:
                return round(published, 3), f"capacity {own['reliability']}: {own['source']} {own['year']}"
        if own["good"] == "*" and own["stage"] == stage:
            return round(float(own["factor"]) * level, 3), f"capacity {own['reliability']}: level x {own['factor']}"
    raise WorldError((_problem("no-capacity", f"no capacity rule for stage {stage!r}", "activities"),))


# --- measures and sources -------------------------------------------------------------------------------------------


def _measures(tables: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """The dated status quo, one row per measure and good, country sets spelled out, tonnes worked out from base flows."""
    everyone = sorted(tables["countries"]["code"])
    flows: dict[tuple[str, str, str], float] = defaultdict(float)
    for good, exporter, importer, flow in tables["routes"].select("good", "exporter", "importer", "flow_t").iter_rows():
        flows[good, exporter, importer] += flow
    goods = list(tables["goods"]["id"])
    rows = []
    for own in _plan_rows("measures"):
        named = goods if own["good"] == "*" else [g for g in own["good"].split("+") if g in goods]
        for good in named:
            exporters, importers = _expand(own["exporters"], everyone), _expand(own["importers"], everyone)
            tonnes, kind, note = _number(own["tonnes"]), own["kind"], own["note"]
            if own["ratio"]:
                base = math.fsum(flows[good, e, i] for e in exporters for i in importers if e != i)
                if base > 0:
                    tonnes = float(own["ratio"]) * base
                else:  # a quota of nothing would be a ban that no one decreed
                    kind, note = "listed", _joined(note, "listed only: no flow in the base to scale")
            if not exporters or not importers:
                kind, note = "listed", _joined(note, "listed only: the country is inside a remainder")
            rows.append(
                {
                    "id": own["id"] if len(named) == 1 else f"{own['id']}.{good}",
                    "title": own["title"],
                    "kind": kind,
                    "good": good,
                    "exporters": "+".join(exporters),
                    "importers": "+".join(importers),
                    "rate": _number(own["rate"]),
                    "specific_usd_t": _number(own["specific_usd_t"]),
                    "tonnes": tonnes,
                    "owner": own["owner"],
                    "starts": own["starts"],
                    "ends": own["ends"] or None,
                    **_provenance(own | {"note": note}),
                }
            )
    return _frame(rows, "measures")


def _expand(token: str, everyone: list[str]) -> list[str]:
    """'*-CHN' is every country of the world but China; otherwise codes joined by '+', those that the world has."""
    if token.startswith("*"):
        left_out = set(token.split("-")[1:])
        return [code for code in everyone if code not in left_out]
    return [code for code in token.split("+") if code in set(everyone)]


def _sources(tables: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """The sources that the build brings and those used here, each once; the build's wording stands where both have one."""
    known = tables["sources"].to_dicts() if "sources" in tables else []
    ids = {row["id"] for row in known}
    return _frame([*known, *(dict(row) for row in _plan_rows("sources") if row["id"] not in ids)], "sources")


# --- reading and joining --------------------------------------------------------------------------------------------


def _rows(path: Path) -> list[Row]:
    with path.open(encoding="utf-8-sig", newline="") as lines:
        return list(csv.DictReader(lines))


def _plan_rows(name: str) -> tuple[Row, ...]:
    return sectors.rows(f"parameters_{name}")


def _plan(name: str, *, key: str) -> dict[str, Row]:
    return sectors.keyed(f"parameters_{name}", key)


def _columns(frame: pl.DataFrame, table: str) -> pl.DataFrame:
    """All columns of the table in their order, null where the build left them out."""
    if table not in COLUMNS:
        return frame
    return frame.select(
        (pl.col(name) if name in frame.columns else pl.lit(None)).cast(kind).alias(name)
        for name, kind in COLUMNS[table].items()
    )


def _frame(rows: Iterable[Mapping[str, object]], table: str) -> pl.DataFrame:
    return pl.DataFrame([{name: row.get(name) for name in COLUMNS[table]} for row in rows], schema=COLUMNS[table])


def _keyed(frame: pl.DataFrame, value: str) -> dict[Pair, float]:
    return {(good, country): number for good, country, number in frame.select("good", "country", value).iter_rows()}


def _home(activities: pl.DataFrame) -> dict[str, str]:
    return dict(activities.select("id", "country").iter_rows())


def _provenance(own: Mapping[str, str]) -> dict[str, str]:
    return {name: own[name] for name in ("source", "year", "reliability", "note")}


def _signed(row: dict[str, object], own: Row, what: str) -> dict[str, object]:
    """Provenance of a row that two plans wrote: both sources, the weaker grade, both notes."""
    return row | {
        "source": _union(row["source"], own["source"]),
        "reliability": max(str(row["reliability"] or "A"), own["reliability"]),
        "note": _joined(row["note"], f"{what} {own['reliability']} ({own['year']}): {own['note']}"),
    }


def _union(*ids: object) -> str:
    return "+".join(dict.fromkeys(part for text in ids if text for part in str(text).split("+")))


def _joined(*notes: object) -> str:
    return "; ".join(str(note) for note in notes if note)


def _number(text: str) -> float | None:
    return float(text) if text else None


def _problem(code: str, message: str, path: str) -> Problem:
    return Problem(code=code, message=message, place=None, path=path)


def _refuse_missing(path: str, names: Iterable[str], what: str) -> None:
    problems = tuple(_problem("incomplete", f"{name}: {what}", path) for name in names)
    if problems:
        raise WorldError(problems)
