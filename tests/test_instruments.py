"""Each clause says the same to the market, the customs officer, the lawyer and the auditor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from treaty_world import treaty_world

from friendshore.errors import InputRefused
from friendshore.faces import Ban, Contract, ExportTax, Lane, PriceGap, Quota, Subsidy, Tariff, TariffQuota
from friendshore.instruments import KINDS, Clause, ExportControl, ImportTariff, PriceFloor, ProductionSubsidy, TradeArea
from friendshore.instruments.clause import Party, Setting, in_force
from friendshore.instruments.dates import Dated, after, on, phase
from friendshore.instruments.export_control import without
from friendshore.instruments.names import country_code, good_id, iso_names, members, union_of, unions, vocabulary
from friendshore.instruments.price import CostPlusPrice, Mass, TimedPrice, WrittenPrice, price_usd_t, working
from friendshore.units import MASSES

WORDS = replace(vocabulary(treaty_world()), activities={"oxide.make@USA": "oxide.make"})
EU = frozenset({"DEU", "FRA"})
DAY = date(2030, 1, 1)


def setting(as_of: date = DAY, parties: tuple[Mapping[str, Any] | str, ...] = ("USA", "EU"), **figures: Any) -> Setting:
    bound = tuple(Party.model_validate({"code": party} if isinstance(party, str) else party) for party in parties)
    return Setting(as_of=as_of, in_force=date(2027, 1, 1), words=WORDS, parties=bound, **figures)


def floor(**terms: Any) -> PriceFloor:
    base = {"good": "ndpr.oxide", "reference_price": "110 USD per kg of ndpr_oxide", "levy_on": "landed_duty_paid"}
    return PriceFloor.model_validate({**base, **terms}, context={"vocabulary": WORDS})


def refused(model: type[Clause], /, **terms: Any) -> list[str]:
    with pytest.raises(ValidationError) as caught:
        model.model_validate(terms, context={"vocabulary": WORDS})
    return [error["type"] for error in caught.value.errors()]


# -- dates ----------------------------------------------------------------------------------------------------------


@given(st.dates(date(2000, 1, 1), date(2060, 1, 1)), st.integers(0, 240), st.integers(0, 9000))
def test_a_phase_grows_from_nought_to_one_and_never_falls(start: date, months: int, days: int) -> None:
    day = date.fromordinal(start.toordinal() + days)
    later = date.fromordinal(day.toordinal() + 1)
    assert 0 <= phase(day, start, months) <= phase(later, start, months) <= 1
    assert phase(after(start, months), start, months) == 1
    assert phase(date.fromordinal(start.toordinal() - 1), start, months) == 0


def test_half_of_a_phase_in_of_two_years_holds_after_one() -> None:
    assert phase(date(2028, 1, 1), date(2027, 1, 1), 24) == Decimal("0.499316")  # 365 of 731 days
    assert phase(date(2027, 1, 1), date(2027, 1, 1), 24) == 0
    assert phase(date(2027, 1, 1), date(2027, 1, 1), 0) == 1


def test_the_last_day_of_a_month_stands_in_for_a_missing_one() -> None:
    assert after(date(2027, 11, 30), 3) == date(2028, 2, 29)


def dated(*periods: tuple[str, str | None, int]) -> Any:
    rows = [
        {"from": first, "value": f"{value} USD per kg of ndpr_oxide"} | ({"until": last} if last else {})
        for first, last, value in periods
    ]
    return TypeAdapter(TimedPrice).validate_python(rows)


def test_a_dated_price_holds_from_its_first_to_its_last_day() -> None:
    price = dated(("2027-01-01", "2028-12-31", 90), ("2029-01-01", None, 110))
    found = {
        day: on(price, date.fromisoformat(day)) for day in ("2026-12-31", "2027-01-01", "2028-12-31", "2029-01-01")
    }
    assert [value and value.value for value in found.values()] == [None, 90, 90, 110]


@pytest.mark.parametrize(
    ("periods", "code", "names"),
    [
        ([("2027-01-01", "2027-12-31", 1), ("2029-01-01", None, 2)], "gap", ["2027-01-01", "2029-01-01", "2028-01-01"]),
        ([("2027-01-01", "2028-06-30", 1), ("2028-01-01", None, 2)], "overlap", ["2027-01-01", "2028-01-01"]),
        ([("2027-01-01", None, 1), ("2028-01-01", None, 2)], "overlap", ["2027-01-01", "2028-01-01"]),
        ([("2028-01-01", None, 1), ("2027-01-01", None, 2)], "overlap", ["2028-01-01", "2027-01-01"]),
        ([("2027-01-01", "2026-01-01", 1)], "dates-backwards", ["2026-01-01", "2027-01-01"]),
        ([], "empty", []),
    ],
)
def test_a_gap_or_an_overlap_between_dated_values_names_both(periods: Any, code: str, names: list[str]) -> None:
    with pytest.raises(ValidationError) as caught:
        dated(*periods)
    (error,) = caught.value.errors()
    assert error["type"] == code
    assert [name for name in names if name not in error["msg"]] == []


# -- names ----------------------------------------------------------------------------------------------------------


def test_a_stage_stands_for_the_one_form_at_it() -> None:
    goods = {"gallium.metal": "refined", "cobalt.metal": "refined", "cobalt.sulphate": "refined"}
    assert good_id("gallium.refined", goods) == "gallium.metal"
    assert good_id("cobalt.metal", goods) == "cobalt.metal"
    with pytest.raises(ValueError, match="2 goods"):
        good_id("cobalt.refined", goods)
    with pytest.raises(ValueError, match="no good is called"):
        good_id("gallium.oxide", goods)


def test_every_member_of_a_customs_union_is_a_country_and_in_one_only() -> None:
    everyone = [country for countries in unions().values() for country in countries]
    assert set(everyone) <= set(iso_names())
    assert len(everyone) == len(set(everyone))
    assert len(members("EUN")) == 27
    assert union_of("ZAF") == "SACU"
    assert union_of("USA") is None


@pytest.mark.parametrize(("word", "code"), [("EU", "EUN"), ("EUE", "EUN"), ("NOR", "NOR"), ("MERCOSUR", "MERCOSUR")])
def test_codes_and_their_aliases(word: str, code: str) -> None:
    assert country_code(word) == code


@pytest.mark.parametrize(
    ("word", "meant"), [("NO", "NOR"), ("CH", "CHE"), ("Germany", "DEU"), ("uk", "GBR"), ("usa", "USA"), ("DRC", "COD")]
)
def test_a_country_in_another_spelling_is_recognised_but_not_taken(word: str, meant: str) -> None:
    with pytest.raises(ValueError, match="no country") as caught:
        country_code(word)
    assert f"did you mean {meant!r}?" in caught.value.context["hint"]  # type: ignore[attr-defined]


# -- prices ---------------------------------------------------------------------------------------------------------


def price(value: Any) -> Any:
    return TypeAdapter(WrittenPrice).validate_python(value)


@pytest.mark.parametrize(
    ("written", "good", "usd_t"),
    [
        ("110 USD per kg of ndpr_oxide", "ndpr.oxide", "110000.00"),
        ("118 USD per kg of ndpr_metal", "ndpr.oxide", "100000.00"),
        ("300 USD per mtu of wo3", "tungsten.apt", "37831.02"),
        ("5 USD per g of ndpr.oxide", "ndpr.oxide", "5000000.00"),
        (
            {
                "value": 100,
                "currency": "EUR",
                "rate": {"usd": 1.08, "day": date(2026, 11, 3)},
                "per": "kg",
                "of": "gallium",
            },
            "gallium.metal",
            "108000.00",
        ),
    ],
)
def test_a_price_is_money_per_contained_tonne_of_the_good(written: Any, good: str, usd_t: str) -> None:
    assert price_usd_t(price(written), good, setting()) == Decimal(usd_t)


COST_PLUS = {
    "method": "cost_plus",
    "currency": "USD",
    "per": "kg",
    "of": "tungsten",
    "costs": [
        {"name": "ore", "value": 100, "per": "mtu", "of": "wo3", "quantity": 1.05},
        {"name": "conversion", "value": 3},
        {"name": "scrap sold", "value": 1, "credit": True},
    ],
    "capital": {"value": 10, "return_rate": 0.1, "years": 15},
    "margin": 0.2,
}


def test_a_cost_plus_price_is_the_sum_of_its_working() -> None:
    lines = {item.name: item.usd_t for item in working(price(COST_PLUS), "tungsten.apt", setting())}
    # By hand: 100 / 0.01 / 0.793 x 1.05 = 13,240.86; capital 10,000 x 0.131474 = 1,314.74; 20 % of 16,555.60.
    assert {name: round(usd_t, 2) for name, usd_t in lines.items()} == {
        "ore": Decimal("13240.86"),
        "conversion": 3000,
        "scrap sold": -1000,
        "capital charge": Decimal("1314.74"),
        "margin": Decimal("3311.12"),
    }
    assert price_usd_t(price(COST_PLUS), "tungsten.apt", setting()) == round(sum(lines.values()), 2)


def test_an_input_at_its_floor_passes_through_without_margin() -> None:
    built = price(
        {
            "method": "cost_plus",
            "currency": "USD",
            "per": "t",
            "of": "tungsten",
            "costs": [{"name": "APT", "floor": "apt", "quantity": 1.02}, {"name": "conversion", "value": 1000}],
            "margin": 0.1,
        }
    )
    here = setting(floors_usd_t={"apt": Decimal(30000)})
    assert price_usd_t(built, "tungsten.powder", here) == 30600 + 1100
    with pytest.raises(InputRefused, match="has no price"):
        price_usd_t(built, "tungsten.powder", setting())


def test_a_substance_of_another_good_is_refused() -> None:
    assert refused(PriceFloor, good="ndpr.oxide", reference_price="1 USD per kg of wo3", levy_on="cif") == [
        "wrong-basis"
    ]
    with pytest.raises(InputRefused, match="not a substance"):
        price_usd_t(price("1 USD per kg of wo3"), "ndpr.oxide", setting())


def test_every_unit_of_mass_may_be_written() -> None:
    assert get_args(Mass) == MASSES


def test_a_price_is_frozen_all_through() -> None:
    built = price(COST_PLUS)
    assert isinstance(built, CostPlusPrice)
    assert isinstance(built.costs, tuple)
    with pytest.raises(ValidationError):
        built.margin = Decimal(1)  # type: ignore[misc]


# -- whom and when a clause binds -----------------------------------------------------------------------------------


def test_a_union_is_bound_with_all_its_members_of_this_world() -> None:
    assert {party.code: party.members for party in setting().bound(floor())} == {"USA": {"USA"}, "EUN": EU}
    assert setting().insiders() == {"USA", *EU}


def test_a_party_is_phased_in_by_its_own_dates() -> None:
    here = setting(parties=("USA", {"code": "JPN", "enters_into_force": date(2029, 1, 1), "phase_in": "2y"}))
    clause = floor(phase_in="6y", parties=["USA", {"code": "JPN"}])
    phases = {party.code: party.phase for party in here.bound(clause)}
    assert phases == {"USA": phase(DAY, date(2027, 1, 1), 72), "JPN": phase(DAY, date(2029, 1, 1), 24)}
    own = floor(phase_in="6y", parties=[{"code": "JPN", "enters_into_force": date(2029, 7, 1), "phase_in": "1y"}])
    assert [(party.code, party.phase) for party in here.bound(own)] == [("JPN", phase(DAY, date(2029, 7, 1), 12))]


@pytest.mark.parametrize(
    ("terms", "day", "holds"),
    [
        ({}, date(2026, 12, 31), False),
        ({}, date(2027, 1, 1), True),
        ({"enters_into_force": date(2028, 1, 1)}, date(2027, 12, 31), False),
        ({"ends": date(2028, 1, 1)}, date(2028, 1, 1), True),
        ({"ends": date(2028, 1, 1)}, date(2028, 1, 2), False),
        ({"suspensions": [{"from": date(2028, 1, 1), "until": date(2028, 3, 1)}]}, date(2028, 3, 1), False),
        ({"suspensions": [{"from": date(2028, 1, 1), "until": date(2028, 3, 1)}]}, date(2028, 3, 2), True),
        ({"suspensions": [{"from": date(2028, 1, 1)}]}, date(2040, 1, 1), False),
        ({"enters_into_force": date(2025, 1, 1)}, date(2026, 1, 1), True),
    ],
)
def test_a_clause_holds_between_its_days_unless_suspended(terms: dict[str, Any], day: date, holds: bool) -> None:
    assert in_force(floor(**terms), setting(day)) == holds


def test_a_party_that_has_withdrawn_is_an_outsider_again() -> None:
    parties = ("USA", {"code": "JPN", "ends": date(2029, 12, 31)})
    (gap,) = floor().wedges(setting(parties=parties))
    assert isinstance(gap, PriceGap)
    assert (gap.lane.importers, "JPN" in gap.lane.exporters) == ({"USA"}, True)
    (both,) = floor().wedges(setting(date(2029, 12, 31), parties=parties))
    assert isinstance(both, PriceGap)
    assert (both.lane.importers, "JPN" in both.lane.exporters) == ({"USA", "JPN"}, False)


# -- price floor ----------------------------------------------------------------------------------------------------


def test_a_floor_for_non_parties_never_touches_a_party() -> None:
    (gap,) = floor().wedges(setting())
    assert isinstance(gap, PriceGap)
    assert gap.lane == Lane(
        good="ndpr.oxide", exporters=frozenset({"CHN", "JPN", "XAS"}), importers=frozenset({"USA", *EU})
    )
    assert (gap.reference_usd_t, gap.levy_on, gap.phase, gap.exporter_share) == (
        110_000.0,
        "landed_duty_paid",
        1.0,
        0.0,
    )


def test_a_floor_for_everyone_spares_only_trade_inside_a_territory() -> None:
    lanes = {
        frozenset(wedge.lane.importers): wedge.lane.exporters
        for wedge in floor(applies_to="everyone").wedges(setting())
    }  # type: ignore[union-attr]
    assert lanes == {
        frozenset({"USA"}): {"CHN", "JPN", "XAS", *EU},
        EU: {"CHN", "JPN", "XAS", "USA"},
    }


def test_an_exempt_country_does_not_pay() -> None:
    (gap,) = floor(exempt="JPN").wedges(setting())
    assert isinstance(gap, PriceGap)
    assert gap.lane.exporters == {"CHN", "XAS"}


def test_what_is_exempt_at_one_border_pays_at_the_others() -> None:
    gaps = floor(exempt="XAS", exempt_at={"USA": ["JPN"]}).wedges(setting())
    assert {gap.lane.importers: gap.lane.exporters for gap in gaps if isinstance(gap, PriceGap)} == {
        frozenset({"USA"}): {"CHN"},
        EU: {"CHN", "JPN"},
    }
    assert {
        duty.importers for duty in floor(exempt_at={"EUN": ["CHN"]}).duties(setting()) if "CHN" in duty.exporters
    } == {frozenset({"USA"})}


@given(
    form=st.sampled_from(["adjustable_levy", "minimum_import_price", "undertaking", "fixed_duty"]),
    reference=st.integers(1, 200),
    base=st.integers(1, 200_000),
    days=st.integers(0, 2000),
)
def test_market_and_border_charge_the_same(form: str, reference: int, base: int, days: int) -> None:
    terms: dict[str, Any] = {"form": form, "reference_price": f"{reference} USD per kg of ndpr_oxide", "phase_in": "3y"}
    terms |= {
        "undertaking": {"exporter_share": 0.25},
        "fixed_duty": {"price_at_adoption": "50 USD per kg of ndpr_oxide"},
    }.get(form, {})
    here = setting(date.fromordinal(date(2027, 1, 1).toordinal() + days))
    clause = floor(**terms)
    (wedge,) = clause.wedges(here)
    duties = clause.duties(here)
    if isinstance(wedge, PriceGap):
        gap = wedge.phase * max(0.0, wedge.reference_usd_t - base)
        revenue = gap * (1 - wedge.exporter_share)
    else:
        assert isinstance(wedge, Tariff)
        revenue = wedge.specific_usd_t
        assert wedge.adds
    owed = sum(
        (
            duty.phase * max(Decimal(0), duty.reference_usd_t - base)
            if duty.reference_usd_t is not None
            else duty.specific_usd_t or Decimal(0)
            for duty in duties
        ),
        Decimal(0),
    )
    assert float(owed) == pytest.approx(revenue, abs=1e-6)
    assert 0 <= owed <= max(0, max(reference * 1000 - base, reference * 1000 - 50_000))


def test_the_seller_keeps_the_gap_of_a_minimum_import_price() -> None:
    clause = floor(form="minimum_import_price")
    (gap,) = clause.wedges(setting())
    assert isinstance(gap, PriceGap)
    assert gap.exporter_share == 1.0
    assert clause.duties(setting()) == ()
    assert [promise.touches for promise in clause.promises(setting())] == ["price_requirement"]


def test_a_fixed_duty_does_not_follow_the_price() -> None:
    (tariff,) = floor(form="fixed_duty", price_at_adoption="60 USD per kg of ndpr_oxide").wedges(setting())
    assert isinstance(tariff, Tariff)
    assert (tariff.specific_usd_t, tariff.adds) == (50_000.0, True)


def test_a_floor_without_a_price_on_the_day_does_nothing() -> None:
    clause = floor(reference_price=[{"from": "2031-01-01", "value": "110 USD per kg of ndpr_oxide"}])
    assert clause.wedges(setting()) == ()
    assert clause.duties(setting()) == ()
    assert len(clause.wedges(setting(date(2031, 1, 1)))) == 1


def test_a_floor_names_what_it_is_compared_with() -> None:
    assert refused(PriceFloor, good="ndpr.oxide", reference_price="1 USD per kg of ndpr_oxide") == ["missing"]
    assert refused(PriceFloor, good="ndpr.oxide", levy_on="cif") == ["missing"]


# -- trade area -----------------------------------------------------------------------------------------------------

DUTY = {("ndpr.oxide", "USA", "JPN"): (0.04, 100.0), ("ndpr.oxide", "USA", "DEU"): (0.05, 0.0)}


def test_a_trade_area_frees_every_pair_of_parties_and_no_other() -> None:
    here = setting(parties=("USA", "EU", "JPN"), base_duty=DUTY)
    area = TradeArea.model_validate({"goods": "ndpr.oxide", "preference": "duty_free"})
    pairs = {
        (exporter, importer)
        for wedge in area.wedges(here)
        if isinstance(wedge, Tariff)
        for exporter in wedge.lane.exporters
        for importer in wedge.lane.importers
    }
    assert pairs == {
        (exporter, importer)
        for exporter in ("USA", "DEU", "FRA", "JPN")
        for importer in ("USA", "DEU", "FRA", "JPN")
        if exporter != importer and {exporter, importer} != EU
    }
    assert {(wedge.rate, wedge.specific_usd_t, wedge.adds) for wedge in area.wedges(here)} == {(0.0, 0.0, False)}  # type: ignore[union-attr]


def test_a_preference_is_phased_in_from_the_duty_before_by_the_later_party() -> None:
    parties = ("USA", {"code": "JPN", "enters_into_force": date(2029, 1, 1)}, "EU")
    here = setting(parties=parties, base_duty=DUTY)
    area = TradeArea.model_validate({"goods": "ndpr.refined", "preference": "duty_free", "phase_in": "4y"})
    rates = {
        (exporter, importer): (wedge.rate, wedge.specific_usd_t)
        for wedge in area.wedges(here)
        if isinstance(wedge, Tariff)
        for exporter in wedge.lane.exporters
        for importer in wedge.lane.importers
    }
    left = float(1 - phase(DAY, date(2029, 1, 1), 48))
    assert rates["USA", "JPN"] == pytest.approx((0.04 * left, 100 * left))
    assert rates["USA", "DEU"] == pytest.approx((0.05 * float(1 - phase(DAY, date(2027, 1, 1), 48)), 0))
    assert rates["USA", "FRA"] == (0, 0)
    assert len(rates) == 10


def test_the_preference_that_customs_grants_is_the_markets() -> None:
    here = setting(parties=("USA", "EU", "JPN"), base_duty=DUTY)
    area = TradeArea.model_validate({"preference": "duty_free", "phase_in": "10y"})
    assert [
        (wedge.lane.good, wedge.lane.exporters, wedge.lane.importers, wedge.rate, wedge.specific_usd_t)
        for wedge in area.wedges(here)
        if isinstance(wedge, Tariff)
    ] == [
        (duty.good, duty.exporters, duty.importers, float(duty.rate or 0), float(duty.specific_usd_t or 0))
        for duty in area.duties(here)
    ]
    (promise,) = area.promises(here)
    assert promise.affected == {"CHN", "XAS"}


# -- tariffs --------------------------------------------------------------------------------------------------------


def test_a_tariff_is_charged_at_the_parties_border_on_the_goods_named() -> None:
    duty = ImportTariff.model_validate(
        {"goods": ["ndpr.oxide", "tungsten.apt"], "exporters": "CHN", "rate": 0.25, "phase_in": "6y"}
    )
    wedges = duty.wedges(setting())
    share = float(phase(DAY, date(2027, 1, 1), 72))
    assert [(w.lane.good, w.lane.importers, w.rate, w.adds) for w in wedges if isinstance(w, Tariff)] == [
        ("ndpr.oxide", {"USA", *EU}, pytest.approx(0.25 * share), True),
        ("tungsten.apt", {"USA", *EU}, pytest.approx(0.25 * share), True),
    ]
    assert [float(d.rate or 0) for d in duty.duties(setting())] == [w.rate for w in wedges if isinstance(w, Tariff)]


def test_a_tariff_of_a_country_outside_can_be_written_down() -> None:
    duty = ImportTariff.model_validate({"goods": "all", "exporters": "parties", "importers": "CHN", "rate": 0.1})
    wedges = [wedge for wedge in duty.wedges(setting()) if isinstance(wedge, Tariff)]
    assert {wedge.lane.importers for wedge in wedges} == {frozenset({"CHN"})}
    assert {wedge.lane.exporters for wedge in wedges} == {frozenset({"USA", *EU})}
    assert {wedge.lane.good for wedge in wedges} == set(WORDS.goods)


def test_a_compound_duty_keeps_both_its_parts() -> None:
    duty = ImportTariff.model_validate(
        {"goods": "tungsten.apt", "exporters": "CHN", "rate": 0.1, "specific": "793 USD per t of wo3"}
    )
    (wedge,) = duty.wedges(setting())
    assert isinstance(wedge, Tariff)
    assert (wedge.rate, wedge.specific_usd_t) == (0.1, 1000.0)


# -- export controls ------------------------------------------------------------------------------------------------


def control(**terms: Any) -> ExportControl:
    return ExportControl.model_validate({"goods": "ndpr.oxide", **terms})


def test_each_mode_is_its_own_wedge() -> None:
    to_parties = {"exporters": "CHN", "importers": "parties"}
    route = Lane(good="ndpr.oxide", exporters=frozenset({"CHN"}), importers=frozenset({"USA", *EU}))
    assert control(mode="ban", **to_parties).wedges(setting()) == (Ban(clause="export_control.ndpr.oxide", lane=route),)
    for mode in ("quota", "licence"):
        assert control(id="q", mode=mode, tonnes=7, **to_parties).wedges(setting()) == (
            Quota(clause="q", lane=route, tonnes=7.0, owner="CHN"),
        )
    assert control(id="t", mode="export_tax", rate=0.1, specific="2 USD per kg of ndpr_oxide", **to_parties).wedges(
        setting()
    ) == (ExportTax(clause="t", lane=route, rate=0.1, specific_usd_t=2000.0, adds=True),)


def test_a_quota_may_limit_use_at_home_too() -> None:
    clause = control(id="q", mode="quota", tonnes=7, home_tonnes=40, exporters="CHN", importers="JPN")
    abroad, home = clause.wedges(setting())
    assert abroad == Quota(
        clause="q",
        lane=Lane(good="ndpr.oxide", exporters=frozenset({"CHN"}), importers=frozenset({"JPN"})),
        tonnes=7.0,
        owner="CHN",
    )
    inside = Lane(good="ndpr.oxide", exporters=frozenset({"CHN"}), importers=frozenset({"CHN"}))
    assert home == Quota(clause="q", lane=inside, tonnes=40.0, owner="CHN", at_home=True)
    facts = dict(clause.promises(setting())[0].facts)
    assert (facts["tonnes"], facts["home_tonnes"]) == ("7", "40")
    with pytest.raises(ValidationError, match="home_tonnes has no meaning under mode ban"):
        control(mode="ban", exporters="CHN", home_tonnes=4)


def test_a_clause_states_facts_by_name() -> None:
    assert floor(stated={"published": True}).stated == {"published": True}
    with pytest.raises(ValidationError, match="published"):
        floor(stated={"publishd": True})


def test_controls_to_everyone_stop_at_the_controllers_own_territory() -> None:
    (ban,) = control(mode="ban", exporters="EU").wedges(setting())
    assert isinstance(ban, Ban)
    assert (ban.lane.exporters, ban.lane.importers) == (EU, {"USA", "JPN", "CHN", "XAS"})


def test_parties_lift_controls_only_against_each_other() -> None:
    clause = control(mode="prohibited_between_parties")
    taxes = clause.wedges(setting(parties=("USA", "EU", "JPN")))
    assert {(tax.rate, tax.adds) for tax in taxes if isinstance(tax, ExportTax)} == {(0.0, False)}
    assert {tax.lane.importers: tax.lane.exporters for tax in taxes if isinstance(tax, ExportTax)} == {
        frozenset({"USA"}): {"JPN", *EU},
        EU: {"USA", "JPN"},
        frozenset({"JPN"}): {"USA", *EU},
    }
    assert control(between_parties="prohibited") == clause


def test_a_lifted_quota_loses_the_lifted_routes_and_the_tonnes_they_took() -> None:
    here = setting(
        parties=("CHN", "JPN"),
        base_flow_t={("ndpr.oxide", "CHN", "JPN"): 60.0, ("ndpr.oxide", "CHN", "DEU"): 30.0},
    )
    lanes = control(mode="prohibited_between_parties").lifts(here)
    route = Lane(good="ndpr.oxide", exporters=frozenset({"CHN"}), importers=frozenset({"JPN", "DEU", "FRA"}))
    other = replace(route, good="gallium.metal")
    quota = Quota(clause="base", lane=route, tonnes=90.0, owner="CHN")
    ban = Ban(clause="ban", lane=replace(route, importers=frozenset({"JPN"})))
    untouched = Quota(clause="other", lane=other, tonnes=5.0, owner="CHN")
    assert without([quota, ban, untouched], lanes, here) == (
        replace(quota, lane=replace(route, importers=frozenset(EU)), tonnes=30.0),
        untouched,
    )


def test_a_quota_over_several_exporters_says_who_has_the_rent() -> None:
    assert refused(ExportControl, goods="ndpr.oxide", mode="quota", exporters=["CHN", "USA"], tonnes=1) == ["missing"]
    assert control(mode="quota", exporters=["CHN", "USA"], tonnes=1, owner="CHN").wedges(setting())


# -- subsidies ------------------------------------------------------------------------------------------------------


def subsidy(**terms: Any) -> ProductionSubsidy:
    return ProductionSubsidy.model_validate({"good": "ndpr.oxide", "funding": "own", **terms})


def test_a_contract_carries_strike_claw_back_and_cap() -> None:
    clause = subsidy(id="c", kind="two_way", strike="110 USD per kg of ndpr_oxide", claw_back=0.3, cap_t=1000)
    assert clause.wedges(setting()) == (
        Contract(
            clause="c",
            good="ndpr.oxide",
            producers=frozenset({"USA", *EU}),
            strike_usd_t=110_000.0,
            two_way=True,
            claw_back=0.3,
            cap_t=1000.0,
        ),
    )
    (claim,) = clause.claims(setting())
    assert claim.terms == (("kind", "two_way"), ("usd_t", "110000.00"), ("claw_back", "0.3"), ("cap_t", "1000"))


def test_a_subsidy_per_tonne_is_phased_in() -> None:
    clause = subsidy(id="s", kind="per_tonne", amount="10 USD per kg of ndpr_oxide", phase_in="6y", producers="USA")
    share = float(phase(DAY, date(2027, 1, 1), 72))
    assert clause.wedges(setting()) == (
        Subsidy(clause="s", good="ndpr.oxide", producers=frozenset({"USA"}), usd_t=pytest.approx(10_000 * share)),
    )


def test_a_union_pays_one_equal_share_between_its_members() -> None:
    gdp = {"USA": 300.0, "DEU": 60.0, "FRA": 40.0, "JPN": 100.0}
    assert payers("equal", gdp_usd=gdp) == {"USA": Decimal("0.5"), "DEU": Decimal("0.3"), "FRA": Decimal("0.2")}


def payers(funding: Any, **figures: Any) -> dict[str, Decimal]:
    clause = subsidy(kind="per_tonne", amount="1 USD per kg of ndpr_oxide", funding=funding)
    (claim,) = clause.claims(setting(**figures))
    return dict(claim.payers)


def test_who_pays_is_stated_and_adds_to_one() -> None:
    gdp = {"USA": 300.0, "DEU": 60.0, "FRA": 40.0, "CHN": 200.0}
    assert payers("own") == {}
    assert payers("by_gdp", gdp_usd=gdp) == {"USA": Decimal("0.75"), "DEU": Decimal("0.15"), "FRA": Decimal("0.10")}
    use = {("ndpr.oxide", "DEU"): 35.0, ("ndpr.oxide", "FRA"): 5.0, ("gallium.metal", "USA"): 9.0}
    assert payers("by_use", use_t=use) == {"DEU": Decimal("0.875"), "FRA": Decimal("0.125")}
    assert payers({"USA": 0.5, "EU": 0.5}, gdp_usd=gdp) == {
        "USA": Decimal("0.5"),
        "DEU": Decimal("0.3"),
        "FRA": Decimal("0.2"),
    }


@given(st.lists(st.floats(0, 1e13), min_size=3, max_size=3))
def test_shares_add_to_one_exactly(gdp: list[float]) -> None:
    shares = payers("by_gdp", gdp_usd=dict(zip(("USA", "DEU", "FRA"), gdp, strict=True)))
    assert sum(shares.values()) == 1


# -- all of them ----------------------------------------------------------------------------------------------------

EXAMPLES: dict[str, dict[str, Any]] = {
    "trade_area": {"preference": "duty_free"},
    "floors": {"good": "ndpr.oxide", "reference_price": "110 USD per kg of ndpr_oxide", "levy_on": "cif"},
    "tariffs": {"goods": "all", "rate": 0.1},
    "export_controls": {"mode": "ban", "exporters": "CHN"},
    "subsidies": {
        "good": "ndpr.oxide",
        "kind": "one_way",
        "strike": "110 USD per kg of ndpr_oxide",
        "funding": "by_gdp",
    },
    "tariff_quotas": {"good": "ndpr.oxide", "tonnes": 5, "rate_in": 0, "rate_out": 0.1},
    "standards": {
        "good": "ndpr.oxide",
        "standard": "a code",
        "certified": "USA",
        "buyers": "everyone",
        "premium": "1 USD per kg of ndpr_oxide",
    },
    "offtakes": {"good": "ndpr.oxide", "seller": "USA", "buyer": "JPN", "tonnes": 5, "price": {"formula": "market"}},
    "reserve": {"goods": "ndpr.oxide", "holder": "USA", "budget_usd": 1e6, "target_days": 60, "build_years": 2},
    "corridors": {
        "name": "Rail",
        "opens": "2027-01-01",
        "owner": "USA",
        "routes": [{"goods": "ndpr.oxide", "exporters": "CHN", "importers": "JPN", "content": 0.5, "saving_usd_t": 9}],
    },
    "plants": {"activities": "oxide.make@USA", "adds_t": 5, "opens": "2027-01-01"},
    "safeguards": {"when": "price_rise > 0.5", "then": "suspend floors", "for": "6m"},
}
FIGURES: dict[str, Any] = {
    "use_t": {("ndpr.oxide", "USA"): 73.0},
    "base_flow_t": {("ndpr.oxide", "USA", "JPN"): 10.0},
    "capacity_t": {("ndpr.oxide", "USA"): 100.0},
}


@pytest.mark.parametrize("kind", KINDS)
def test_no_clause_does_anything_before_it_is_in_force(kind: str) -> None:
    clause = KINDS[kind].model_validate(EXAMPLES[kind])
    early, now = setting(date(2026, 12, 31), **FIGURES), setting(**FIGURES)
    assert (clause.wedges(early), clause.duties(early), clause.promises(early), clause.claims(early)) == (
        (),
        (),
        (),
        (),
    )
    assert bool(clause.wedges(now)) == (kind != "safeguards"), "a safeguard acts on what is cleared"
    assert clause.promises(now)


@pytest.mark.parametrize("kind", KINDS)
def test_faces_name_their_clause_and_only_countries_of_the_world(kind: str) -> None:
    clause = KINDS[kind].model_validate({**EXAMPLES[kind], "id": "named"})
    here = setting(parties=("USA", "EU", "MERCOSUR"), **FIGURES)
    for wedge in clause.wedges(here):
        assert wedge.clause == "named"
        lane = getattr(wedge, "lane", None)
        if lane is not None:
            assert lane.exporters <= here.countries
            assert lane.importers <= here.countries
            assert lane.exporters
            assert lane.importers
            assert not any(members("EUN") >= {e, i} for e in lane.exporters for i in lane.importers)
            assert not lane.exporters & lane.importers


@pytest.mark.parametrize("kind", KINDS)
def test_every_term_is_described_and_every_clause_says_what_it_promises(kind: str) -> None:
    model = KINDS[kind]
    assert [name for name, info in model.model_fields.items() if not info.description] == []
    assert "Promises" in (model.__doc__ or "")


@pytest.mark.parametrize("kind", KINDS)
def test_an_unknown_term_is_refused(kind: str) -> None:
    assert refused(KINDS[kind], **EXAMPLES[kind], colour="red") == ["extra_forbidden"]


def test_dated_values_are_the_only_shape_of_a_list() -> None:
    assert on(Dated[int].model_validate({"from": "2027-01-01", "value": 3}).value, DAY) == 3


def test_a_unions_tariff_quota_is_one_and_its_rent_the_unions() -> None:
    clause = KINDS["tariff_quotas"].model_validate({"good": "ndpr.oxide", "tonnes": 5, "rate_in": 0, "rate_out": 0.1})
    found = {w.lane.importers: w.owner for w in clause.wedges(setting()) if isinstance(w, TariffQuota)}
    assert found == {frozenset({"USA"}): "USA", EU: "EUN"}
