"""A world small enough to do by hand in which agreements are cleared: three parties, an outsider, an oxide and its magnet."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from decimal import Decimal
from functools import cache

from friendshore.agreement import schedule
from friendshore.agreement.document import Agreement, read
from friendshore.marked import noted
from friendshore.outcome import Outcome
from friendshore.run import clear
from friendshore.units import decimal
from friendshore.world import network
from friendshore.world.tables import World

DAY = date(2030, 1, 1)
WORLD = """
title: Three parties and an outsider
countries: {USA: {duty_base: fob}, JPN: {}, AUS: {}, CHN: {}}
goods:
  oxide: {sigma: 5, supply_elasticity: 0.8, demand_elasticity: 0.4, stage: refined, mineral: ndpr}
  magnet: {sigma: 4, supply_elasticity: 1.0, demand_elasticity: 0.5, stage: product, mineral: ndfeb}
supply:
  oxide: {USA: {capacity: 25, elasticity: 0.8}, AUS: {capacity: 60, elasticity: 0.8}}
processes:
  sinter:
    inputs: {oxide: 0.3}
    outputs: {magnet: 1}
    fixed_cost: 10000
    in: {USA: {capacity: 40}, JPN: {capacity: 300}, CHN: {capacity: 3000}}
flows:
  oxide:
    USA: {USA: 4, JPN: 16}
    AUS: {JPN: 42, USA: 4}
    CHN: {CHN: 500, JPN: 40, USA: 2}
  magnet:
    USA: {USA: 20}
    JPN: {JPN: 150, USA: 40}
    CHN: {CHN: 1200, JPN: 60, USA: 80, AUS: 20}
prices:
  oxide: {USA: 64000, AUS: 63000, CHN: 60000}
  magnet: {USA: 62000, JPN: 58000, CHN: 45000}
freight: {oxide: 300, magnet: 600}
duties:
  - {good: magnet, from: CHN, to: USA, rate: 0.021}
  - {good: oxide, from: AUS, to: JPN, rate: 0.04}
  - {good: oxide, from: USA, to: JPN, rate: 0.03, specific: 50}
"""


@cache
def world() -> World:
    return network.read_text(WORLD, name="three.yaml")


def deal(clauses: str, parties: str = "[USA, JPN, AUS]") -> Agreement:
    """An agreement of some clauses, in force since 2027."""
    text = f"title: A deal\nin_force: 2027-01-01\nrun_at: 2030-01-01\nparties: {parties}\n{clauses}"
    return read(noted(text.encode(), name="deal.yaml"), world())


def cleared(clauses: str, parties: str = "[USA, JPN, AUS]") -> Outcome:
    outcome = clear(world(), deal(clauses, parties), as_of=DAY)
    closes(outcome)
    return outcome


@cache
def quo() -> Outcome:
    return clear(world(), as_of=DAY)


def closes(outcome: Outcome) -> None:
    """The accounts of a run add to what its tonnes are worth, to 1e-9 of what is bought: they are differences of levels."""
    gross = float((outcome.flows["t"] * outcome.flows["delivered_usd_t"]).sum())
    assert abs(outcome.world_total_usd - outcome.resource_total_usd) <= 1e-9 * gross


def line(outcome: Outcome, country: str, item: str) -> float:
    """An account line, USD a year against the base year."""
    rows = outcome.accounts.filter((outcome.accounts["country"] == country) & (outcome.accounts["item"] == item))
    return float(rows["usd"].sum())


def tonnes(outcome: Outcome, good: str, exporter: str, importer: str) -> float:
    flows = outcome.flows
    mine = (flows["good"] == good) & (flows["exporter"] == exporter) & (flows["importer"] == importer)
    return float(flows.filter(mine)["t"].sum())


def price(outcome: Outcome, good: str, country: str) -> float:
    rows = outcome.prices.filter((outcome.prices["good"] == good) & (outcome.prices["country"] == country))
    return float(rows["usd_t"][0])


def index(outcome: Outcome, good: str, country: str) -> float:
    rows = outcome.indices.filter((outcome.indices["good"] == good) & (outcome.indices["country"] == country))
    return float(rows["usd_t"][0])


def output(outcome: Outcome, good: str, country: str) -> float:
    rows = outcome.output.filter((outcome.output["good"] == good) & (outcome.output["country"] == country))
    return float(rows["t"][0])


def at_the_border(agreement: Agreement | None, outcome: Outcome, column: str = "t") -> dict[str, Decimal]:
    """What customs takes by importer, each consignment charged by the duties in force, USD in exact decimals.

    value = cif, less freight where the territory values at fob; a duty that replaces takes the place of the ad valorem and
    specific duty in force, for its share of the trade; a tariff quota is shared out over what comes in under it.
    """
    held = schedule.duties(agreement, world(), DAY) if agreement is not None else ()
    at_fob = {"USA"}
    terms = {
        (g, i, j): (decimal(f or 0.0), decimal(t or 0.0), decimal(s or 0.0))
        for g, i, j, f, t, s in world()
        .routes.select("good", "exporter", "importer", "freight_usd_t", "tariff", "specific_usd_t")
        .iter_rows()
    }
    rows = [
        (g, i, j, decimal(t), decimal(cif))
        for g, i, j, t, cif in outcome.flows.select("good", "exporter", "importer", column, "cif_usd_t").iter_rows()
        if i != j
    ]
    taken: dict[str, Decimal] = defaultdict(Decimal)
    for good, exporter, importer, t, cif in rows:
        freight, rate, specific = terms[good, exporter, importer]
        value = cif - freight if importer in at_fob else cif
        on_it = [d for d in held if d.good == good and exporter in d.exporters and importer in d.importers]
        owed = rate * value + specific
        for duty in (d for d in on_it if d.replaces):
            new = (duty.rate or Decimal(0)) * value
            if duty.quota_t is not None and duty.rate_beyond is not None:
                under = sum(
                    (
                        each[3]
                        for each in rows
                        if each[0] == good and each[1] in duty.exporters and each[2] in duty.importers
                    ),
                    Decimal(0),
                )
                inside = min(Decimal(1), duty.quota_t / under)
                new = value * (duty.rate * inside + duty.rate_beyond * (1 - inside)) + specific  # type: ignore[operator]
            else:
                new += duty.specific_usd_t or Decimal(0)
            owed = duty.share * new + (1 - duty.share) * owed
        for duty in (d for d in on_it if not d.replaces):
            if duty.reference_usd_t is not None:
                base = cif + owed if duty.levy_on == "landed_duty_paid" else cif
                owed += duty.phase * max(Decimal(0), duty.reference_usd_t - base)
            else:
                owed += (duty.rate or Decimal(0)) * value + (duty.specific_usd_t or Decimal(0))
        taken[importer] += owed * t
    return taken


def in_the_accounts(outcome: Outcome) -> dict[str, float]:
    """Duty and levy of every treasury, in levels: the change against the base year and what the base year took."""
    before = at_the_border(None, quo(), "base_t")
    return {
        code: line(outcome, code, "duty") + line(outcome, code, "levy") + float(before.get(code, Decimal(0)))
        for code in ("USA", "JPN", "AUS", "CHN")
    }
