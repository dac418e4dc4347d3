"""One definition, two readers: what the border charges on the market's flows is what the market's accounts book."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path

import cleared_world
import polars as pl
import pytest

from friendshore import customs
from friendshore.agreement import schedule
from friendshore.agreement.document import Agreement, presets
from friendshore.border.line import Assessed, Entry, assess_line
from friendshore.border.scaled import NANO
from friendshore.border.tariff import Measure, gather
from friendshore.border.terms import Law
from friendshore.faces import Tariff
from friendshore.outcome import Outcome
from friendshore.run import clear, measures
from friendshore.world.tables import World

D = Decimal
Key = tuple[str, str]  # good, customs territory


@dataclass
class Charged:
    """What the border charged by good and territory, what of it is rounding, and the gap that sellers keep."""

    levy: defaultdict[Key, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    duty: defaultdict[Key, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    kept: defaultdict[Key, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    slack: defaultdict[Key, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    lines: list[Assessed] = field(default_factory=list)


def exact(number: float) -> Decimal:
    return D(repr(float(number)))


def in_force_before(world: World, day: date) -> dict[tuple[str, str, str], tuple[float, float, float]]:
    """Ad valorem rate, USD per tonne and freight of every route without the agreement."""
    columns = world.routes.select("good", "exporter", "importer", "tariff", "specific_usd_t", "freight_usd_t")
    found = {(good, i, j): (rate or 0.0, usd or 0.0, way or 0.0) for good, i, j, rate, usd, way in columns.iter_rows()}
    for wedge in (each for each in measures(world, None, day)[0] if isinstance(each, Tariff)):
        for i in wedge.lane.exporters:
            for j in wedge.lane.importers - {i}:
                if (held := found.get((wedge.lane.good, i, j))) is not None:
                    rate, usd, way = held
                    more = (wedge.rate, wedge.specific_usd_t)
                    found[wedge.lane.good, i, j] = (rate + more[0], usd + more[1], way) if wedge.adds else (*more, way)
    return found


def reached(law: Law, day: date) -> set[Key]:
    """The goods and territories that a duty or a price gap of the agreement reaches."""
    duties = {(duty.good, law.territory(j)) for duty in law.duties(day) for j in duty.importers}
    return duties | {(gap.lane.good, law.territory(j)) for gap in law.floors(day) for j in gap.lane.importers}


def charge(world: World, law: Law, outcome: Outcome, day: date, keys: set[Key], within: dict[float, float]) -> Charged:
    """Every flow as a consignment, charged line by line as the border charges entries.

    Each flow has a tariff line of its own, which carries the duty in force before the agreement. Goods of a party come
    with proof. `within` : tonnes of a quota -> part of the flows under it that its licences cover; those enter first.
    """
    before = in_force_before(world, day)
    parties = law.parties(day)
    everyone = frozenset(world.countries["code"])
    codes: dict[str, tuple[str, ...]] = {}
    lines: list[Measure] = []
    entries: list[Entry] = []
    crossing = outcome.flows.filter((pl.col("exporter") != pl.col("importer")) & (pl.col("t") > 1e-6))
    for good, i, j, t, cif in crossing.select("good", "exporter", "importer", "t", "cif_usd_t").iter_rows():
        where = law.territory(j)
        if (good, where) not in keys or law.territory(i) == where:
            continue
        hs = f"{len(codes):06d}00"
        codes[hs[:6]] = (good,)
        rate, usd, way = before[good, i, j]
        text = f"{exact(rate) * 100:f}%" + (f" + {exact(usd):f} USD/t" if usd else "")
        lines.append(Measure(where, hs, "mfn", "before", frozenset(), text, "", None, None, ""))
        rules = [each for each in law.duties(day) if each.good == good and i in each.exporters and j in each.importers]
        tonnes = next((each.quota_t for each in rules if each.quota_t is not None), D(0))
        inside = within.get(float(tonnes), 1.0)
        for part, order in ((inside, 0), (1.0 - inside, 1)):
            if part * t > 1e-6:
                entries.append(
                    Entry(
                        line_id=f"{order}{hs}", day=day, importer=j, origin=i, hs=hs, net_g=max(1, round(part * t * 1e6)),
                        price_c=max(1, round(part * t * cif * 100)), freight_c=round(part * t * way * 100), insurance_c=0,
                        delivery="CIF", good=good, assay_n=NANO, assay_of=good, proof="agreement" if i in parties else "none",
                    )
                )  # fmt: skip
    own = replace(
        law, iso=everyone, countries=everyone, remainders=frozenset(), codes=codes, tariff=gather(lines),
        gross=frozenset(),
    )  # fmt: skip
    return _charged(entries, own)


def _charged(entries: Iterable[Entry], law: Law) -> Charged:
    found, filled = Charged(), defaultdict[str, int](int)
    for entry in sorted(entries, key=lambda each: each.line_id):
        first = assess_line(entry, law)
        name = first.terms.quota_name
        line = assess_line(entry, law, quota_before_g=filled[name]) if name else first
        assert line.amounts is not None, (entry, line.refusal, line.about)
        if name:
            filled[name] += line.amounts["contained_g"]
        key = (entry.good, law.territory(entry.importer))
        duties = line.amounts["total_c"] - line.amounts["levy_c"]
        found.levy[key] += D(line.amounts["levy_c"]) / 100
        found.duty[key] += D(duties) / 100
        if (least := line.terms.least) is not None:
            base = line.amounts["cif_c"] + (0 if line.terms.on_cif else duties)
            gap = max(D(0), D(line.amounts["contained_g"]) * least / 10**8 - D(base) / 100)
            found.kept[key] += gap
            assert ("W5" in line.warnings) == (gap > 0)
        # half a gram at what a tonne is charged, and half a cent on price, freight, each duty and the levy
        per_t = D(line.terms.reference or line.terms.least or 0) / 100 + D("1e5")
        found.slack[key] += D("0.5e-6") * per_t + D("0.03")
        found.lines.append(line)
    return found


def booked(world: World, law: Law, outcome: Outcome, base: Outcome | None) -> dict[tuple[str, str, str], Decimal]:
    """(item, good, territory) -> USD in the accounts, as levels; what is charged inside a territory is no border's."""
    found: defaultdict[tuple[str, str, str], Decimal] = defaultdict(Decimal)
    for country, item, good, usd in outcome.by_good.iter_rows():
        found[item, good, law.territory(country)] += exact(usd)
    columns = ("good", "exporter", "importer", "t", "duty_usd_t")
    if base is not None:
        for good, i, j, t, usd in base.flows.select(columns).iter_rows():
            found["duty", good, law.territory(j)] += exact(t) * exact(usd) if i != j else 0
    for good, i, j, t, usd in outcome.flows.select(columns).iter_rows():
        if i != j and law.territory(i) == law.territory(j):
            found["duty", good, law.territory(j)] -= exact(t) * exact(usd)
    return found


@cache
def shipped() -> World:
    return World.load()


@cache
def base_year() -> Outcome:
    return clear(shipped())


def states_of(outcome: Outcome, day: date, folder: Path) -> Path | None:
    """The safeguards that the run acted on, as the decisions that the border reads."""
    met = [each["clause"] for each in outcome.settings.get("safeguards", ()) if each["met"]]
    if not met:
        return None
    file = folder / "states.csv"
    file.write_text("clause,state,from\n" + "".join(f"{clause},triggered,{day}\n" for clause in met))
    return file


@pytest.mark.parametrize("preset", presets())
def test_the_border_charges_the_markets_flows_what_its_accounts_book(preset: str, tmp_path: Path) -> None:
    world = shipped()
    deal = Agreement.load(preset, world)
    day = deal.run_date
    after = clear(world, deal, as_of=day)
    law = customs.law(world, deal, as_of=day, states=states_of(after, day, tmp_path))
    keys = reached(law, day)
    found = charge(world, law, after, day, keys, {})
    accounts = booked(world, law, after, base_year())
    levied = {(good, where) for item, good, where in accounts if item == "levy" and accounts[item, good, where]}
    assert levied <= keys, "a levy in the accounts that no duty of the agreement charges"
    for key in keys:
        assert abs(found.levy[key] - accounts.get(("levy", *key), 0)) <= found.slack[key], ("levy", key)
        assert abs(found.duty[key] - accounts.get(("duty", *key), 0)) <= found.slack[key], ("duty", key)
    for good in {good for good, _ in keys}:  # the rent is the sellers': by good, not by importer
        kept = sum((usd for (held, _), usd in found.kept.items() if held == good), D(0))
        rent = sum(
            (usd for (item, held, _), usd in accounts.items() if item == "undertaking_rent" and held == good), D(0)
        )
        assert abs(kept - rent) <= sum((usd for (held, _), usd in found.slack.items() if held == good), D(0))
    whole, slack = sum((*found.levy.values(), *found.duty.values(), *found.kept.values())), sum(found.slack.values())
    assert slack <= whole / 100_000, "the allowance for rounding is no tolerance"


def test_presets_cover_levies_duties_on_top_minimum_prices_and_safeguards(tmp_path: Path) -> None:
    seen: defaultdict[str, set[str]] = defaultdict(set)
    for name in ("plurilateral-2026", "one-tariff", "minimum-import-price", "one-trade-area"):
        deal = Agreement.load(name, shipped())
        law = customs.law(shipped(), deal, as_of=deal.run_date)
        seen["levy"] |= {name for each in law.duties(deal.run_date) if each.reference_usd_t is not None}
        seen["on top"] |= {name for each in law.duties(deal.run_date) if each.rate and not each.replaces}
        seen["in place"] |= {name for each in law.duties(deal.run_date) if each.replaces}
        seen["least"] |= {name for each in law.floors(deal.run_date) if each.exporter_share == 1.0}
    assert all(seen[kind] for kind in ("levy", "on top", "in place", "least"))
    guarded = Agreement.load("plurilateral-2026-safeguards", shipped())
    after = clear(shipped(), guarded, as_of=guarded.run_date)
    assert states_of(after, guarded.run_date, tmp_path) is not None


SMALL = {
    "preference": "trade_area: {goods: all, preference: duty_free}",
    "preference by and by": "trade_area: {goods: all, preference: duty_free, phase_in: 5y}",
    "levy": "floors: [{good: oxide, reference_price: 90 USD per kg of oxide, levy_on: cif}]",
    "levy by and by": "floors: [{good: oxide, reference_price: 90 USD per kg of oxide, levy_on: landed_duty_paid, phase_in: 5y}]",
    "undertaking": "floors: [{good: oxide, reference_price: 90 USD per kg of oxide, levy_on: cif, form: undertaking, exporter_share: 0.4}]",
    "minimum import price": "floors: [{good: oxide, reference_price: 90 USD per kg of oxide, levy_on: landed_duty_paid, form: minimum_import_price}]",
    "fixed duty": "floors: [{good: magnet, reference_price: 60 USD per kg of magnet, levy_on: cif, form: fixed_duty, price_at_adoption: 45 USD per kg of magnet}]",
    "compound duty": "floors: [{good: magnet, reference_price: 60 USD per kg of magnet, levy_on: cif, form: compound_duty, specific_part: 0.5, price_at_adoption: 45 USD per kg of magnet}]",
    "tariff": "tariffs: [{goods: oxide, rate: 0.25, specific: 5 USD per kg of oxide}]",
    "tariff in place": "tariffs: [{goods: magnet, rate: 0.1, adds: false}]",
    "quota open": "tariff_quotas: [{good: magnet, exporters: [CHN], importers: [USA], tonnes: 500, rate_in: 0.01, rate_out: 0.3}]",
    "quota full": "tariff_quotas: [{good: magnet, exporters: [CHN], importers: [USA], tonnes: 60, rate_in: 0.01, rate_out: 0.3}]",
    "quota beyond": "tariff_quotas: [{good: magnet, exporters: [CHN], importers: [USA], tonnes: 20, rate_in: 0.01, rate_out: 0.3}]",
    "quota with parts": (
        "tariff_quotas: [{good: oxide, importers: [JPN], exporters: everyone, tonnes: 50, rate_in: 0, rate_out: 0.4, "
        "allocation: [{exporters: [CHN], tonnes: 20}]}]"
    ),
    "safeguard that applies a duty": (
        "tariffs: [{goods: magnet, rate: 0.15, id: relief.magnet}]\n"
        "safeguards: [{id: relief, when: import_rise of magnet in parties > -0.5, then: apply relief.magnet, for: 12m}]"
    ),
    "safeguard": (
        "floors: [{good: oxide, reference_price: 90 USD per kg of oxide, levy_on: cif}]\n"
        "safeguards: [{id: relief, when: price_rise of oxide in parties > 0.01, then: suspend floors, for: 12m}]"
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", SMALL)
def test_every_kind_of_duty_is_charged_as_it_is_booked(kind: str, tmp_path: Path) -> None:
    world, day = cleared_world.world(), cleared_world.DAY
    clauses = SMALL[kind].replace("{good", "{article: Art. 1, illustrative: true, rule: invented, good")
    clauses = clauses.replace("{goods", "{illustrative: true, rule: invented, goods").replace(
        "{id: relief", "{illustrative: true, rule: invented, id: relief"
    )
    deal = cleared_world.deal(clauses)
    after = clear(world, deal, as_of=day)
    file = states_of(after, day, tmp_path)
    assert (file is not None) == kind.startswith("safeguard")
    law = customs.law(world, deal, as_of=day, states=file)
    filled = after.rents.filter(pl.col("kind") == "tariff_quota_rate").select("limit_t", "tonnes").iter_rows()
    within = {limit: min(1.0, limit / tonnes) for limit, tonnes in filled}
    keys = reached(customs.law(world, deal, as_of=day), day) | reached(law, day)
    found = charge(world, law, after, day, keys, within)
    accounts = booked(world, law, after, None if after.absolute else clear(world))
    for key in keys:
        assert abs(found.levy[key] - accounts.get(("levy", *key), 0)) <= found.slack[key], key
        assert abs(found.duty[key] - accounts.get(("duty", *key), 0)) <= found.slack[key], key
    kept = sum(found.kept.values(), D(0))
    codes = {code for line in found.lines for code in line.reasons}
    match kind:
        case "safeguard":
            assert "L5" in codes
            assert not sum(found.levy.values())
        case "safeguard that applies a duty":
            assert "A4" in codes
            assert reached(customs.law(world, deal, as_of=day), day) == set()  # it holds at no other time
            assert schedule.wedges(deal, world, day) == ()
        case "minimum import price":
            assert kept > 1_000
            assert abs(kept - sum(usd for (item, *_), usd in accounts.items() if item == "undertaking_rent")) < 1
        case "quota open":
            assert "D5" in codes - {"D7"}
        case "quota beyond":
            assert {"D5", "D7"} <= codes
        case "levy" | "levy by and by" | "undertaking":
            assert sum(found.levy.values()) > 1_000
