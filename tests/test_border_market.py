"""One definition, two readers: what the border charges on the market's flows is what the market's accounts book as levy."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import polars as pl
import pytest

from friendshore import customs
from friendshore.agreement import schedule
from friendshore.agreement.document import Agreement
from friendshore.border.line import Entry, assess_line
from friendshore.border.scaled import NANO
from friendshore.border.tariff import Measure, gather
from friendshore.run import clear
from friendshore.world.tables import World

DAY = date(2030, 1, 1)


@pytest.mark.parametrize("preset", ["plurilateral-2026", "one-floor"])
def test_the_levy_on_the_markets_flows_is_the_levy_in_its_accounts(preset: str) -> None:
    world = World.load()
    deal = Agreement.load(preset, world)
    after = clear(world, deal, as_of=DAY)
    levied = [duty for duty in schedule.duties(deal, world, DAY) if duty.reference_usd_t is not None]
    everyone = frozenset(world.countries["code"])
    border = customs.law(world, deal, as_of=DAY)
    entries, measures, codes = [], [], {}
    slack = Decimal(0)  # half a gram at the reference, and half a cent on price, duty and levy, for every flow
    for duty in levied:
        crossing = after.flows.filter(
            (pl.col("good") == duty.good)
            & pl.col("exporter").is_in(duty.exporters)
            & pl.col("importer").is_in(duty.importers)
            & (pl.col("exporter") != pl.col("importer"))
            & (pl.col("t") > 1e-6)
        )
        for exporter, importer, t, cif, owed in crossing.select(
            "exporter", "importer", "t", "cif_usd_t", "duty_usd_t"
        ).iter_rows():
            hs = f"{len(entries):06d}00"
            codes[hs[:6]] = (duty.good,)
            where = border.territory(importer)
            rate = f"{Decimal(repr(owed)):f} USD/t"
            measures.append(Measure(where, hs, "mfn", "of the flow", frozenset(), rate, "", None, None, ""))
            entries.append(
                Entry(
                    line_id=hs, day=DAY, importer=importer, origin=exporter, hs=hs, net_g=round(t * 1e6),
                    price_c=max(1, round(t * cif * 100)), delivery="CIF", good=duty.good, assay_n=NANO,
                    assay_of=duty.good, proof="none",
                )
            )  # fmt: skip
            slack += Decimal("0.5e-6") * duty.reference_usd_t + Decimal("0.015")
    law = replace(
        border,
        iso=everyone,
        countries=everyone,
        remainders=frozenset(),
        fob=frozenset(),
        codes=codes,
        tariff=gather(measures),
    )
    charged = Decimal(0)
    for entry in entries:
        found = assess_line(entry, law)
        assert found.amounts is not None, (found.refusal, found.about)
        charged += Decimal(found.amounts["levy_c"]) / 100
    booked = Decimal(repr(after.accounts.filter(pl.col("item") == "levy")["usd"].sum()))
    assert charged > 1_000
    assert slack < charged / 1_000
    assert abs(charged - booked) <= slack
