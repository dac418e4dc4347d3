"""The packaged world, cleared: the base year comes back, the agreement's clauses cost what the border charges."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import polars as pl
import pytest

from friendshore.agreement import schedule
from friendshore.agreement.document import Agreement
from friendshore.run import Assumptions, clear, clear_network, compare, compile_world, measures
from friendshore.study import harvest_taxes, study
from friendshore.units import decimal, to_cent
from friendshore.world import parameters
from friendshore.world.tables import World, table_names

DAY = date(2030, 1, 1)


@pytest.fixture(scope="module")
def world():
    return World.load()


@pytest.fixture(scope="module")
def deal(world):
    return Agreement.load("plurilateral-2026", world)


@pytest.fixture(scope="module")
def runs(world, deal):
    before = clear(world, as_of=DAY)
    return before, clear(world, deal, as_of=DAY, start=before.state)


@pytest.mark.parametrize("horizon", [1, 5, 15])
@pytest.mark.parametrize("form", ["quota", "export_tax"])
def test_the_base_year_is_reproduced(world, horizon, form):
    base = clear(world, assume=Assumptions(horizon=horizon, licences_as=form))
    flows = base.flows
    assert ((flows["t"] - flows["base_t"]).abs() / flows["base_t"]).max() < 1e-10
    assert abs(base.world_total_usd) < 1.0, "no change, no gain"


def test_latent_links_shift_the_base_by_a_stated_amount(world):
    network = compile_world(world, Assumptions(latent=True))
    base = clear(world, assume=Assumptions(latent=True))
    shift = (base.output["t"] - base.output["base_t"]).abs().sum() / base.output["base_t"].sum()
    assert network.route_source.size > compile_world(world).route_source.size
    assert 0 < shift < 0.05


def test_accounts_close_on_the_packaged_world(runs):
    for run in runs:
        gross = run.accounts["usd"].abs().sum()
        assert abs(run.world_total_usd - run.resource_total_usd) <= 1e-9 * gross
        assert run.accounts["usd"].sum() == pytest.approx(run.world_total_usd, rel=1e-9, abs=1e-3)


def test_the_border_charges_what_the_market_collects_to_the_cent(world, deal, runs):
    """Each floor's Duty, charged on every flow of the solved market, against the levy revenue in the accounts."""
    after = runs[1]
    revenue = Decimal(0)
    for duty in schedule.duties(deal, world, DAY):
        if duty.reference_usd_t is None:
            continue
        rows = after.flows.filter(
            (pl.col("good") == duty.good)
            & pl.col("exporter").is_in(duty.exporters)
            & pl.col("importer").is_in(duty.importers)
            & (pl.col("exporter") != pl.col("importer"))
        )
        for t, cif, owed in rows.select("t", "cif_usd_t", "duty_usd_t").iter_rows():
            base = decimal(cif) + (decimal(owed) if duty.levy_on == "landed_duty_paid" else 0)
            revenue += duty.phase * max(Decimal(0), duty.reference_usd_t - base) * decimal(t)
    booked = after.accounts.filter(pl.col("item") == "levy")["usd"].sum()
    assert revenue > 1_000_000
    assert to_cent(revenue) == to_cent(decimal(booked))


def test_a_harvest_moves_the_money_and_nothing_else(world, deal, runs):
    after = runs[1]
    network = compile_world(world)
    wedges, _ = measures(world, deal, DAY)
    taken = clear_network(world, network, [*wedges, *harvest_taxes(after)], as_of=DAY, start=after.state)
    keys = ["good", "exporter", "importer"]
    pair = after.flows.join(taken.flows, on=keys, suffix="_taken").filter(pl.col("t") > 1e-3)
    # Users who stand at their choke price share a shortage only to within its width.
    calm = pair.filter(pl.col("good") != "germanium.metal")
    assert ((calm["delivered_usd_t"] - calm["delivered_usd_t_taken"]) / calm["delivered_usd_t"]).abs().max() < 1e-8
    assert ((calm["t"] - calm["t_taken"]) / calm["t"]).abs().max() < 1e-6
    levy = compare(after, taken).by_country().filter(pl.col("item") == "levy")["usd"].sum()
    tax = compare(after, taken).by_country().filter(pl.col("item").is_in(["export_tax", "duty"]))["usd"].sum()
    assert levy < -1_000_000
    assert tax == pytest.approx(-levy, rel=1e-6)


def test_a_floor_below_every_price_changes_nothing(world, deal, runs):
    before, _ = runs
    network = compile_world(world)
    wedges, _ = measures(world, None, DAY)
    quo = clear_network(world, network, wedges, as_of=DAY, start=before.state)
    floors = [
        replace(w, reference_usd_t=1.0) for w in schedule.wedges(deal, world, DAY) if hasattr(w, "reference_usd_t")
    ]
    low = clear_network(world, network, [*wedges, *floors], as_of=DAY, start=before.state)
    assert (low.flows["t"] - quo.flows["t"]).abs().max() <= 1e-6 * quo.flows["t"].max()
    assert low.flows["levy_usd_t"].max() == 0.0


def test_margins_are_those_of_the_tables(world):
    network = compile_world(world)
    stored = dict(zip(world.activities["id"], world.activities["margin_usd_t"], strict=True))
    for k, name in enumerate(network.activities):
        if stored[name] and stored[name] > 0:
            assert network.supply.margin[k] == pytest.approx(stored[name], rel=1e-7), name
    kept = parameters.base_margins({t: getattr(world, t) for t in table_names()})
    assert kept is not None


def test_a_study_says_what_it_ran(world, deal):
    made = study(world, deal, stability=False)
    assert set(made.outcomes) == {"base", "before", "agreement", "harvest", "ban"}
    assert made.levels >= made.illustrative > 0
    gained = made.pays["usd"].sum()
    assert gained == pytest.approx(made.groups["usd"].sum(), rel=1e-9)
    assert gained == pytest.approx(
        made.outcomes["agreement"].world_total_usd - made.outcomes["before"].world_total_usd, rel=1e-6
    )
    assert made.reactions["reaction"].to_list() == ["none", "harvest", "ban"]
    bound = made.floors.filter(pl.col("binds"))
    assert bound.height > 0
    assert (bound["levy_usd"] > 0).all()
