"""What holds on a day: the dated measures that ship with the plan, on the small world of the parameters' tests."""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl
import pytest
from test_parameters import raw_folder, tonnes

from friendshore.errors import WorldError
from friendshore.faces import Ban, ExportTax, Quota, Tariff
from friendshore.world import parameters, status_quo
from friendshore.world.tables import World, empty, table_names


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    tables = parameters.complete(tonnes(), raw_folder(tmp_path_factory.mktemp("data")))
    return World(name="small", version="0", **{n: tables.get(n, empty(n)) for n in table_names()})


def clauses(world, day):
    return {wedge.clause.removeprefix("status_quo."): wedge for wedge in status_quo.wedges(world, day)}


def test_the_base_year_stands_alone_without_a_date(world):
    assert status_quo.wedges(world, None) == ()


@pytest.mark.parametrize(
    ("measure", "first", "last"),
    [
        ("cn.2024-46.antimony.metal", date(2024, 12, 3), date(2025, 11, 8)),
        ("cd.cobalt.ban.cobalt.hydroxide", date(2025, 2, 22), date(2025, 10, 15)),
        ("cd.cobalt.quota.2025", date(2025, 10, 16), date(2025, 12, 31)),
        ("cd.cobalt.quota.2026", date(2026, 1, 1), None),
        ("cn.2025-18.magnets", date(2025, 4, 4), None),
        ("us.s301.magnets", date(2026, 1, 1), None),
        ("us.ieepa.fentanyl.3.cobalt.metal", date(2025, 11, 10), date(2026, 2, 23)),
    ],
)
def test_a_measure_holds_from_its_first_day_to_its_last(world, measure, first, last):
    day = timedelta(days=1)
    assert measure not in clauses(world, first - day)
    assert measure in clauses(world, first)
    if last is None:
        assert measure in clauses(world, date(2099, 1, 1))
    else:
        assert measure in clauses(world, last)
        assert measure not in clauses(world, last + day)


def test_after_the_list_was_closed_its_last_state_is_carried_on(world):
    def banned(day):
        return {w.lane.good for w in status_quo.wedges(world, day) if isinstance(w, Ban) and "USA" in w.lane.importers}

    ban = {"gallium.metal", "antimony.metal", "antimony.oxide"}
    assert ban <= banned(date(2025, 6, 1))
    assert not ban & banned(status_quo.KNOWN_TO)
    assert not ban & banned(date(2026, 11, 28)), "the suspension ends on paper; whether it was renewed is not known"
    assert isinstance(clauses(world, date(2030, 1, 1))["cd.cobalt.quota.2026"], Quota)
    assert status_quo.wedges(world, date(2030, 1, 1)) == status_quo.wedges(world, status_quo.KNOWN_TO)


def test_a_licence_without_published_tonnage_takes_the_observed_share_of_the_base(world):
    quota = clauses(world, date(2026, 11, 22))["cn.2025-18.magnets"]
    assert quota.tonnes == pytest.approx(0.988 * 7000)
    assert (quota.owner, quota.lane.exporters) == ("CHN", frozenset({"CHN"}))
    assert "CHN" not in quota.lane.importers
    assert len(quota.lane.importers) == world.countries.height - 1


def test_a_share_of_no_trade_is_listed_rather_than_a_ban_no_one_decreed(world):
    rows = {row["id"]: row for row in world.measures.to_dicts()}
    assert rows["cn.2024-33.antimony.oxide"]["kind"] == "listed"
    assert "no flow in the base" in rows["cn.2024-33.antimony.oxide"]["note"]
    assert rows["cn.2024-33.antimony.metal"]["tonnes"] == pytest.approx(0.26 * 4000)


def test_what_is_only_listed_says_why_and_changes_nothing(world):
    listed = world.measures.filter(kind="listed")
    assert listed.height > 0
    for row in listed.to_dicts():
        assert any(reason in row["note"] for reason in ("listed only", "carried by the base licence")), row["id"]
        assert row["tonnes"] is None
    every_day = {
        w.clause for d in range(0, 1200, 30) for w in status_quo.wedges(world, date(2024, 1, 1) + timedelta(d))
    }
    assert not every_day & {f"status_quo.{name}" for name in listed["id"]}


def test_duties_come_on_top_of_the_base(world):
    tariff = clauses(world, date(2026, 11, 22))["us.s301.magnets"]
    assert isinstance(tariff, Tariff)
    assert (tariff.rate, tariff.adds) == (0.25, True)
    assert tariff.lane.importers == frozenset({"USA"})


def test_identifiers_are_one_per_row(world):
    assert world.measures["id"].is_unique().all()


def test_base_licences_are_base_tonnes_or_the_tax_that_yields_their_rent(world):
    quotas, taxes = (status_quo.base_wedges(world, as_=form) for form in ("quota", "export_tax"))
    assert len(quotas) == len(taxes) == world.licences.height > 0
    for quota, tax, row in zip(quotas, taxes, world.licences.to_dicts(), strict=True):
        assert isinstance(quota, Quota)
        assert isinstance(tax, ExportTax)
        assert quota.lane == tax.lane
        assert (quota.tonnes, quota.owner) == (row["quota_t"], "CHN")
        assert (tax.specific_usd_t, tax.adds) == (row["rent_usd_t"], True)


def test_a_quota_without_tonnes_and_an_unknown_kind_are_refused_together(world):
    def spoilt(**changes):
        row = world.measures.filter(id="cd.cobalt.quota.2026")
        return row.with_columns(**{k: pl.lit(v, dtype=row.schema[k]) for k, v in changes.items()})

    measures = pl.concat([spoilt(id="a", tonnes=None), spoilt(id="b", kind="tax")])
    broken = World(**{**world.__dict__, "measures": measures})
    with pytest.raises(WorldError) as refusal:
        status_quo.wedges(broken, date(2026, 6, 1))
    assert [problem.message for problem in refusal.value.problems] == ["a: no tonnes", "b: unknown kind 'tax'"]
