"""The agreements and scenarios that ship: that they are sound, sourced, and do what their titles say."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from friendshore.agreement import schedule
from friendshore.agreement.document import Agreement, presets, scenarios, shipped
from friendshore.agreement.scenario import Scenario, shock_wedges
from friendshore.faces import Ban, Contract, Offtake, PriceGap, Quota, Reserve, Tariff
from friendshore.headline import bound, difference, places, position
from friendshore.market.network import Network
from friendshore.outcome import Outcome
from friendshore.run import clear, clear_network, compile_world, measures
from friendshore.world.tables import PACKAGED, World

pytestmark = pytest.mark.skipif(not (PACKAGED / "VERSION").exists(), reason="the built world is not here")

BOUND = Path(schedule.__file__).parents[1] / "law" / "data" / "rates.csv"  # bound rates, as the legal screen has them
FROM_THE_RECORD = (
    "plurilateral-2026", "plurilateral-2026-derivatives", "plurilateral-2026-minimum", "alliance-duties",
    "subsidies-only", "vault-and-offtakes", "first-four", "eu-compatible", "with-brazil", "african-refining",
    "eleven-accede", "members-restrict", "no-agreement",
)  # fmt: skip


@pytest.fixture(scope="module")
def world() -> World:
    return World.load()


@pytest.fixture(scope="module")
def network(world: World) -> Network:
    return compile_world(world)


@pytest.fixture(scope="module")
def quo(world: World, network: Network) -> Outcome:
    deal = Agreement.load("plurilateral-2026", world)
    return clear_network(world, network, measures(world, None, deal.run_date)[0], as_of=deal.run_date)


def test_the_variants_of_the_public_record_ship() -> None:
    assert set(FROM_THE_RECORD) <= presets().keys()
    assert len(scenarios()) >= 8
    assert not presets().keys() & scenarios().keys()


@pytest.mark.parametrize("name", shipped())
def test_what_ships_is_sound_sourced_and_marked(name: str, world: World) -> None:
    scenario = Scenario.load(name, world)
    deal = scenario.agreement
    for clause in deal.clauses:
        assert clause.source or clause.illustrative, clause.id
        assert clause.rule or not clause.illustrative, clause.id
    assert all(example.holds for example in schedule.examples(deal, world)) or name.startswith("plurilateral-2026-")
    assert "https://" in scenario_text(name) or deal.illustrative or name == "no-agreement"


def scenario_text(name: str) -> str:
    return shipped()[name].read_text(encoding="utf-8")


@pytest.mark.parametrize("name", [name for name in presets() if name != "no-agreement"])
def test_every_preset_does_something_and_clears(name: str, world: World, network: Network, quo: Outcome) -> None:
    deal = Agreement.load(name, world)
    day = deal.run_date
    wedges = measures(world, deal, day)[0]
    assert schedule.wedges(deal, world, day)
    before = clear_network(world, network, measures(world, None, day)[0], as_of=day, start=quo.state)
    after = clear_network(world, network, wedges, as_of=day, start=before.state)
    at = places(world, bound(deal, world, day))
    moved = difference(position(before, at), position(after, at))
    assert max(abs(usd) for name_, usd in moved.items() if name_.startswith("gain")) > 1e5
    assert after.world_total_usd == pytest.approx(after.resource_total_usd, rel=1e-6)


@pytest.mark.parametrize("name", scenarios())
def test_a_shock_of_the_record_hits_the_status_quo_too(name: str, world: World, network: Network, quo: Outcome) -> None:
    scenario = Scenario.load(name, world)
    shocks = shock_wedges(scenario, world)
    assert shocks
    assert all(isinstance(wedge, Ban | Quota) for wedge in shocks)
    if name == "shock-cobalt-quota-2026":
        return  # the quota of the record goes on: nothing new
    shocked = clear_network(
        world, network, [*measures(world, None, scenario.as_of)[0], *shocks], as_of=scenario.as_of, start=quo.state
    )
    goods = {wedge.lane.good for wedge in shocks}
    moved = [
        abs(after - before)
        for (good, _, before), after in zip(
            quo.indices.select("good", "country", "usd_t").iter_rows(), shocked.indices["usd_t"], strict=True
        )
        if good in goods
    ]
    assert max(moved) > 1.0


def wedges_of(name: str, world: World) -> tuple[object, ...]:
    deal = Agreement.load(name, world)
    return schedule.wedges(deal, world, deal.run_date)


def test_a_minimum_import_price_leaves_the_whole_gap_to_the_seller(world: World) -> None:
    gaps = [wedge for wedge in wedges_of("plurilateral-2026-minimum", world) if isinstance(wedge, PriceGap)]
    assert {wedge.exporter_share for wedge in gaps} == {1.0}
    assert {wedge.levy_on for wedge in gaps} == {"cif"}


def test_the_strikes_of_subsidies_only_are_the_reference_prices_to_the_dollar(world: World) -> None:
    reference = Agreement.load("plurilateral-2026", world)
    levels = {level.good: level.usd_t for level in schedule.levels(reference, world, reference.run_date)}
    contracts = [wedge for wedge in wedges_of("subsidies-only", world) if isinstance(wedge, Contract)]
    assert {wedge.good for wedge in contracts} == levels.keys()
    for wedge in contracts:
        assert abs(Decimal(wedge.strike_usd_t) - levels[wedge.good]) <= 1


def test_the_vault_has_its_twelve_billion(world: World) -> None:
    deal = Agreement.load("vault-and-offtakes", world)
    (vault,) = deal.reserve
    assert vault.budget_usd == Decimal(12_000_000_000)
    assert vault.loan_usd == Decimal(10_000_000_000)
    held = wedges_of("vault-and-offtakes", world)
    assert sum(isinstance(wedge, Reserve) for wedge in held) == 8
    assert any(isinstance(wedge, Offtake) and wedge.tonnes == 5000.0 for wedge in held)


def test_partners_of_existing_agreements_pay_no_levy_in_the_compatible_variant(world: World) -> None:
    gaps = [wedge for wedge in wedges_of("eu-compatible", world) if isinstance(wedge, PriceGap)]
    partners = {"USA": {"CAN", "CHL", "KOR", "ISR"}, "JPN": {"CHN", "GBR", "VNM"}, "MEX": {"CAN", "GBR", "VNM"}}
    assert gaps
    for importer, theirs in partners.items():
        assert not any(wedge.lane.exporters & theirs for wedge in gaps if importer in wedge.lane.importers)
        assert any(importer in wedge.lane.importers for wedge in gaps)
    assert not any("DEU" in wedge.lane.importers for wedge in gaps)


def test_matched_duties_fall_on_countries_of_concern_alone(world: World) -> None:
    duties = [w for w in wedges_of("alliance-duties", world) if isinstance(w, Tariff) and w.clause != "area"]
    assert {code for wedge in duties for code in wedge.lane.exporters} == {"CHN", "RUS", "PRK", "IRN"}
    assert {wedge.rate for wedge in duties} == {0.25}


def test_members_of_other_unions_accede_without_a_border_of_their_own(world: World) -> None:
    deal = Agreement.load("eleven-accede", world)
    day = deal.run_date
    gaps = [wedge for wedge in schedule.wedges(deal, world, day) if isinstance(wedge, PriceGap)]
    importers = {code for wedge in gaps for code in wedge.lane.importers}
    assert {"GBR", "MAR", "PER"} <= importers
    assert not {"ARG", "ARE", "BRA"} & importers
    assert {"ARG", "ARE", "GBR"} <= bound(deal, world, day)
    assert not any(wedge.lane.exporters & {"ARG", "ARE"} for wedge in gaps)  # their goods are those of parties


def test_the_union_charges_no_more_than_its_bound_rates_in_the_compatible_design(world: World) -> None:
    deal = Agreement.load("eu-compatible", world)
    after = clear(world, deal)
    members = set(world.countries.filter(pl.col("territory") == "EUN")["code"])
    codes = dict(world.goods.select("id", "hs6").iter_rows())
    rows = pl.read_csv(BOUND, infer_schema=False).filter(pl.col("territory") == "EUN")
    bound = {hs6: float(high) for hs6, high in rows.select("hs6", "bound_high_pct").iter_rows() if high}
    charged = after.flows.filter(
        pl.col("importer").is_in(members) & ~pl.col("exporter").is_in(members) & (pl.col("t") > 0)
    )
    seen = 0
    for good in ("gallium.metal", "germanium.metal", "antimony.metal", "tungsten.apt", "ndpr.oxide"):
        highest = max(bound[code] for code in codes[good].split("+") if code in bound)
        lanes = charged.filter(pl.col("good") == good)
        seen += lanes.height
        assert lanes["tariff"].max() <= highest / 100 + 1e-9, good
        assert lanes["levy_usd_t"].max() == 0.0
    assert seen > 20


@pytest.mark.parametrize("name", ["one-trade-area", "alliance-duties", "plurilateral-2026"])
def test_the_duty_of_the_united_states_on_aluminium_stays(world: World, name: str) -> None:
    deal = Agreement.load(name, world)
    quo, after = clear(world, as_of=deal.run_date), clear(world, deal)
    lanes = (pl.col("good") == "aluminium.metal") & (pl.col("importer") == "USA") & (pl.col("exporter") != "USA")
    before, then = (dict(each.flows.filter(lanes).select("exporter", "tariff").iter_rows()) for each in (quo, after))
    inside = bound(deal, world, deal.run_date) & before.keys()
    assert inside
    for code in inside:
        assert then[code] == before[code] > 0.4, "section 232: 50 per cent, which the preference leaves alone"
