"""Each instrument from its clause to the cleared market: what it moves, by hand, and what customs takes, to the cent."""

from __future__ import annotations

from decimal import Decimal

import polars as pl
import pytest
from cleared_world import (
    DAY,
    at_the_border,
    cleared,
    deal,
    in_the_accounts,
    index,
    line,
    output,
    price,
    quo,
    tonnes,
    world,
)

from friendshore.agreement import schedule
from friendshore.errors import InputRefused
from friendshore.faces import Corridor, Offtake, Reserve, Subsidy, Tariff

MARK = "illustrative: true, rule: invented"
FLOOR = f"floors: [{{id: f, good: oxide, reference_price: 75000 USD per t of oxide, %s, {MARK}}}]"
AREA = f"trade_area: {{preference: duty_free, %s{MARK}}}"
TRQ = f"tariff_quotas: [{{id: q, good: magnet, exporters: CHN, importers: USA, %s, {MARK}}}]"
CONTRACT = f"subsidies: [{{id: s, good: oxide, producers: [USA, AUS], kind: one_way, strike: 70000 USD per t of oxide, %s, {MARK}}}]"
CORRIDOR = (
    "corridors: [{id: c, name: Rail, opens: 2029-01-01, owner: AUS, "
    f"routes: [{{goods: oxide, exporters: AUS, importers: JPN, content: 0.5, %s}}], {MARK}}}]"
)

NOTHING = {  # settings under which an instrument leaves the market as it was
    "trade area that nobody claims": AREA % "utilisation: 0, ",
    "trade area that nothing qualifies for": AREA % "origin: {rule: tariff_shift, qualifying: 0}, ",
    "trade area that has just begun": AREA % "phase_in: 3y, enters_into_force: 2030-01-01, ",
    "floor below every price": f"floors: [{{id: f, good: oxide, reference_price: 5 USD per t of oxide, levy_on: cif, {MARK}}}]",
    "duty sized to no gap": FLOOR % "levy_on: cif, form: ad_valorem_duty, price_at_adoption: 80000 USD per t of oxide",
    "tariff of nought": f"tariffs: [{{goods: oxide, rate: 0, {MARK}}}]",
    "quota at the duty in force": TRQ % "tonnes: 1000, rate_in: 0.021, rate_out: 0.021",
    "contract below the price": f"subsidies: [{{id: s, good: oxide, kind: one_way, strike: 5 USD per t of oxide, funding: own, {MARK}}}]",
    "contract without a budget": CONTRACT % "funding: own, budget_usd: 0",
    "offtake at the market's price of nothing": f"offtakes: [{{id: o, good: oxide, seller: AUS, buyer: JPN, tonnes: 0, price: {{formula: market}}, {MARK}}}]",
    "reserve that holds": f"reserve: {{goods: oxide, holder: JPN, budget_usd: 1e6, target_days: 90, build_years: 3, action: hold, {MARK}}}",
    "corridor without a saving": CORRIDOR % "saving_usd_t: 0",
    "corridor that is not open": (CORRIDOR % "saving_usd_t: 50").replace("2029", "2031"),
    "premium of nought for a share of nought": f"standards: [{{good: oxide, standard: S, certified: AUS, premium: 900 USD per t of oxide, certified_share: 0, {MARK}}}]",
    "standard that all meet": f"standards: [{{good: oxide, standard: S, certified: everyone, access: required, {MARK}}}]",
    "safeguard that is not met": f"safeguards: [{{when: price_rise of oxide > 9, then: suspend floors, for: 6m, {MARK}}}]\n"
    f"floors: [{{id: f, good: oxide, reference_price: 5 USD per t of oxide, levy_on: cif, {MARK}}}]",
}


@pytest.mark.parametrize("name", NOTHING)
def test_a_setting_without_effect_changes_nothing(name: str) -> None:
    outcome = cleared(NOTHING[name])
    assert outcome.flows["t"].to_list() == pytest.approx(quo().flows["t"].to_list(), rel=1e-8)
    assert outcome.accounts["usd"].abs().max() < 1e-2


BORDER = {  # instruments that charge at the border
    "area": AREA % "",
    "area phased in": AREA % "phase_in: 6y, ",
    "area claimed in part": AREA % "phase_in: 6y, origin: {rule: tariff_shift, qualifying: 0.9}, utilisation: 0.8, ",
    "levy on the landed price": FLOOR % "levy_on: landed_duty_paid",
    "levy on cif, phased in": FLOOR % "levy_on: cif, phase_in: 6y",
    "undertaking": FLOOR % "levy_on: cif, form: undertaking, exporter_share: 0.3",
    "minimum import price": FLOOR % "levy_on: cif, form: minimum_import_price",
    "fixed duty": FLOOR % "levy_on: cif, form: fixed_duty, price_at_adoption: 60300 USD per t of oxide",
    "ad valorem duty": FLOOR % "levy_on: cif, form: ad_valorem_duty, price_at_adoption: 60300 USD per t of oxide",
    "compound duty": FLOOR
    % "levy_on: cif, form: compound_duty, specific_part: 0.4, price_at_adoption: 60300 USD per t of oxide",
    "tariff on top": f"tariffs: [{{goods: magnet, exporters: CHN, importers: USA, rate: 0.1, specific: 500 USD per t of magnet, {MARK}}}]",
    "tariff in its place": f"tariffs: [{{goods: magnet, exporters: CHN, importers: USA, rate: 0.1, adds: false, {MARK}}}]",
    "quota not full": TRQ % "tonnes: 100, rate_in: 0.01, rate_out: 0.3",
    "quota full": TRQ % "tonnes: 70, rate_in: 0.01, rate_out: 0.3",
    "quota overrun": TRQ % "tonnes: 20, rate_in: 0.01, rate_out: 0.3",
    "quota by origin": f"tariff_quotas: [{{good: oxide, exporters: everyone, importers: JPN, tonnes: 60, rate_in: 0, rate_out: 0.2, allocation: [{{exporters: AUS, tonnes: 30}}, {{exporters: USA, tonnes: 5}}], {MARK}}}]",
}


@pytest.mark.parametrize("name", BORDER)
def test_the_border_charges_what_the_treasuries_take_to_the_cent(name: str) -> None:
    agreement, outcome = deal(BORDER[name]), cleared(BORDER[name])
    border, booked = at_the_border(agreement, outcome), in_the_accounts(outcome)
    moved = (outcome.flows["t"] - outcome.flows["base_t"]).abs().max()
    assert isinstance(moved, float)
    assert moved > 0.05, "the case is about something"
    for code in ("USA", "JPN", "AUS", "CHN"):
        assert abs(float(border.get(code, Decimal(0))) - booked[code]) < 0.01, code


# -- trade area -----------------------------------------------------------------------------------------------------


def rates(clauses: str) -> dict[tuple[str, str], tuple[float, float]]:
    return {
        (exporter, importer): (wedge.rate, wedge.specific_usd_t)
        for wedge in schedule.wedges(deal(clauses), world(), DAY)
        if isinstance(wedge, Tariff) and wedge.lane.good == "oxide"
        for exporter in wedge.lane.exporters
        for importer in wedge.lane.importers
    }


def test_what_does_not_qualify_or_claim_pays_the_duty_in_force_before() -> None:
    found = rates(AREA % "origin: {rule: tariff_shift, qualifying: 0.9}, utilisation: 0.8, ")
    assert found["AUS", "JPN"] == pytest.approx((0.04 * (1 - 0.72), 0.0))
    assert found["USA", "JPN"] == pytest.approx((0.03 * (1 - 0.72), 50 * (1 - 0.72)))


def test_the_later_exception_holds() -> None:
    parts = "{share: 0.5, except_for: [{goods: oxide, share: 0.2}, {goods: oxide, exporters: AUS, share: 1}]}"
    found = rates(AREA % f"utilisation: {parts}, ")
    assert found["AUS", "JPN"] == (0.0, 0.0)
    assert found["USA", "JPN"] == pytest.approx((0.03 * 0.8, 50 * 0.8))


def test_a_phase_in_and_a_share_lower_the_duty_together() -> None:
    found = rates(AREA % "phase_in: 6y, utilisation: 0.5, ")
    done = 1096 / 2192  # days from 2027-01-01 of the six years to 2033-01-01
    assert found["AUS", "JPN"][0] == pytest.approx(0.04 * (1 - 0.5 * done), abs=1e-8)


def test_shares_that_the_text_leaves_open_are_said_to_be_assumed() -> None:
    assert len(schedule.assumptions(deal(AREA % ""))) == 2
    assert schedule.assumptions(deal(AREA % "origin: {rule: tariff_shift, qualifying: 1}, utilisation: 1, ")) == ()


def test_the_duty_in_force_before_counts_the_measures_since_the_base_year() -> None:
    """A preference that is not used leaves in place what has come on top since, not the base year's rate alone."""
    from friendshore.agreement.schedule import setting

    more = world().measures.clear()
    row = dict.fromkeys(more.columns) | {
        "id": "more", "kind": "tariff", "good": "oxide", "exporters": "AUS", "importers": "JPN", "starts": "2025-01-01", "rate": 0.1,
    }  # fmt: skip
    from dataclasses import replace

    since = replace(world(), measures=pl.DataFrame([row], schema=more.schema))
    here = setting(deal(AREA % "utilisation: 0.5, "), since, DAY)
    assert here.base_duty["oxide", "AUS", "JPN"][0] == pytest.approx(0.14)


# -- floors ---------------------------------------------------------------------------------------------------------


def test_a_rate_sized_to_the_gap_fills_it_at_the_price_of_adoption_and_no_other() -> None:
    text = FLOOR % "levy_on: cif, form: ad_valorem_duty, price_at_adoption: 60000 USD per t of oxide"
    (duty,) = {wedge.rate for wedge in schedule.wedges(deal(text), world(), DAY) if isinstance(wedge, Tariff)}
    assert duty == pytest.approx(0.25)
    assert 60_000 * (1 + duty) == pytest.approx(75_000)


def test_a_compound_duty_fills_the_gap_with_both_its_parts() -> None:
    text = FLOOR % "levy_on: cif, form: compound_duty, specific_part: 0.4, price_at_adoption: 60000 USD per t of oxide"
    found = {(w.rate, w.specific_usd_t) for w in schedule.wedges(deal(text), world(), DAY) if isinstance(w, Tariff)}
    assert found == {(0.15, 6000.0)}
    assert 60_000 * 1.15 + 6000 == 75_000


def test_the_seller_has_the_rent_of_a_minimum_import_price_and_his_share_of_an_undertaking() -> None:
    levy = cleared(FLOOR % "levy_on: cif")
    whole = cleared(FLOOR % "levy_on: cif, form: minimum_import_price")
    part = cleared(FLOOR % "levy_on: cif, form: undertaking, exporter_share: 0.3")
    taken = sum(line(levy, code, "levy") for code in ("USA", "JPN", "AUS"))
    assert taken > 1e5
    assert line(whole, "CHN", "undertaking_rent") == pytest.approx(taken, rel=1e-9)
    assert line(part, "CHN", "undertaking_rent") == pytest.approx(0.3 * taken, rel=1e-9)
    assert whole.flows["t"].to_list() == pytest.approx(levy.flows["t"].to_list(), rel=1e-9)


# -- tariff quota ---------------------------------------------------------------------------------------------------


def test_the_rent_of_a_full_quota_goes_to_its_owner() -> None:
    outcome = cleared(TRQ % "tonnes: 70, rate_in: 0.01, rate_out: 0.3, owner: CHN")
    (applied,) = outcome.rents.filter(pl.col("kind") == "tariff_quota_rate")["rent"]
    row = outcome.flows.filter(
        (pl.col("good") == "magnet") & (pl.col("exporter") == "CHN") & (pl.col("importer") == "USA")
    )
    assert float(row["t"][0]) == pytest.approx(70.0, rel=1e-9)
    value = float(row["cif_usd_t"][0]) - 600.0  # the United States value at fob
    assert line(outcome, "CHN", "trq_rent") == pytest.approx((applied - 0.01) * value * 70.0, rel=1e-9)


def test_origins_with_tonnes_of_their_own_do_not_take_those_of_others() -> None:
    outcome = cleared(BORDER["quota by origin"])
    used = outcome.rents.filter(pl.col("kind") == "tariff_quota_rate").sort("limit_t")
    assert used["limit_t"].to_list() == [5.0, 25.0, 30.0]
    assert tonnes(outcome, "oxide", "CHN", "JPN") == pytest.approx(float(used.row(1, named=True)["tonnes"]), rel=1e-9)


# -- support --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cuts", ["volume", "strike"])
def test_a_budget_that_binds_is_spent_to_the_last_cent(cuts: str) -> None:
    free = cleared(CONTRACT % "funding: equal")
    spends = -sum(line(free, code, "contract") for code in ("USA", "JPN", "AUS"))
    budget = round(0.6 * spends)
    outcome = cleared(CONTRACT % f"funding: equal, budget_usd: {budget}, budget_cuts: {cuts}")
    paid = [-line(outcome, code, "contract") for code in ("USA", "JPN", "AUS")]
    assert sum(paid) == pytest.approx(budget, abs=0.005)
    assert paid == pytest.approx([budget / 3] * 3, abs=1e-6 * budget), "equal shares, to six digits"
    (said,) = outcome.settings["budgets"]
    assert (said["clause"], said["cuts"], said["binds"]) == ("s", cuts, True)
    assert 0 < said["factor"] < 1
    made = [output(run, "oxide", "USA") + output(run, "oxide", "AUS") for run in (quo(), outcome, free)]
    assert made[0] - 1e-6 <= made[1] <= made[2], "less money moves no more metal than all of it"


def test_a_volume_cut_pays_the_gap_on_the_covered_tonnes() -> None:
    outcome = cleared(CONTRACT % "funding: own, budget_usd: 200000")
    (said,) = outcome.settings["budgets"]
    free = cleared(CONTRACT % "funding: own")
    by_hand = sum(
        said["factor"] * output(free, "oxide", code) * (70_000 - price(outcome, "oxide", code))
        for code in ("USA", "AUS")
    )
    assert by_hand == pytest.approx(200_000, rel=1e-8)


def test_a_strike_cut_pays_every_tonne_the_smaller_gap() -> None:
    outcome = cleared(CONTRACT % "funding: own, budget_usd: 200000, budget_cuts: strike")
    (said,) = outcome.settings["budgets"]
    by_hand = sum(
        output(outcome, "oxide", code) * max(0.0, said["factor"] * 70_000 - price(outcome, "oxide", code))
        for code in ("USA", "AUS")
    )
    assert by_hand == pytest.approx(200_000, rel=1e-8)


def test_a_budget_that_suffices_changes_nothing_and_says_so() -> None:
    free, ample = cleared(CONTRACT % "funding: own"), cleared(CONTRACT % "funding: own, budget_usd: 1e9")
    assert ample.flows["t"].to_list() == free.flows["t"].to_list()
    (said,) = ample.settings["budgets"]
    assert (said["binds"], said["factor"]) == (False, 1.0)
    assert said["spent_usd"] == pytest.approx(-line(free, "USA", "contract") - line(free, "AUS", "contract"))


def test_a_rate_per_tonne_is_cut_to_its_budget() -> None:
    text = f"subsidies: [{{id: s, good: oxide, producers: USA, kind: per_tonne, amount: 9000 USD per t of oxide, funding: own, budget_usd: 100000, {MARK}}}]"
    outcome = cleared(text)
    (said,) = outcome.settings["budgets"]
    assert said["cuts"] == "rate"
    assert said["factor"] * 9000 * output(outcome, "oxide", "USA") == pytest.approx(100_000, rel=1e-9)
    assert line(outcome, "USA", "subsidy") == pytest.approx(-100_000, abs=0.005)


def test_two_budgets_on_one_chain_are_both_met() -> None:
    text = (
        f"subsidies: [{{id: s, good: oxide, producers: [USA, AUS], kind: one_way, strike: 70000 USD per t of oxide, funding: own, budget_usd: 150000, {MARK}}},"
        f"{{id: m, good: magnet, producers: [USA, JPN], kind: one_way, strike: 66000 USD per t of magnet, funding: own, budget_usd: 400000, {MARK}}}]"
    )
    said = {each["clause"]: each for each in cleared(text).settings["budgets"]}
    assert said["s"]["spent_usd"] == pytest.approx(150_000, abs=0.005)
    assert said["m"]["spent_usd"] == pytest.approx(400_000, abs=0.005)


def test_only_eligible_activities_are_supported() -> None:
    ids = world().activities["id"].to_list()
    (mine,) = [name for name in ids if name.endswith("@AUS") and "oxide" in name]
    text = CONTRACT % f"funding: own, activities: {mine}"
    outcome = cleared(text)
    assert line(outcome, "AUS", "contract") < 0
    assert line(outcome, "USA", "contract") == 0
    with pytest.raises(InputRefused, match="unknown-activity"):
        deal(CONTRACT % "funding: own, activities: smelt")


# -- purchases ------------------------------------------------------------------------------------------------------

OFFTAKE = f"offtakes: [{{id: o, good: oxide, seller: AUS, buyer: JPN, tonnes: %s, price: {{formula: %s}}%s, {MARK}}}]"


def test_a_floor_in_an_offtake_is_money_to_the_seller_and_moves_no_metal() -> None:
    at_market = cleared(OFFTAKE % (20, "market", ""))
    floored = cleared(OFFTAKE % (20, "floor, floor: 80000 USD per t of oxide", ""))
    gap = (80_000 - price(floored, "oxide", "AUS")) * 20
    assert floored.flows["t"].to_list() == at_market.flows["t"].to_list()
    assert line(floored, "AUS", "offtake") - line(at_market, "AUS", "offtake") == pytest.approx(gap, rel=1e-9)
    assert line(floored, "JPN", "offtake") - line(at_market, "JPN", "offtake") == pytest.approx(-gap, rel=1e-9)


@pytest.mark.parametrize(
    ("formula", "paid"),
    [
        ("fixed, price: 50000 USD per t of oxide", lambda p: 50_000.0),
        ("cap, cap: 50000 USD per t of oxide", lambda p: 50_000.0),
        ("cap, cap: 50000 USD per t of oxide, upside: 0.7", lambda p: 50_000 + 0.7 * (p - 50_000)),
        ("collar, floor: 10 USD per t of oxide, cap: 99000 USD per t of oxide", lambda p: p),
    ],
)
def test_an_offtake_pays_what_its_formula_says(formula, paid) -> None:
    at_market, outcome = cleared(OFFTAKE % (20, "market", "")), cleared(OFFTAKE % (20, formula, ""))
    p = price(outcome, "oxide", "AUS")
    more = line(outcome, "AUS", "offtake") - line(at_market, "AUS", "offtake")
    assert more == pytest.approx((paid(p) - p) * 20, rel=1e-9, abs=1e-6)


def test_take_or_pay_tonnes_are_shipped_whatever_the_market_says() -> None:
    outcome = cleared(OFFTAKE % (55, "market", ", take_or_pay: 0.9"))
    assert tonnes(outcome, "oxide", "AUS", "JPN") >= 0.9 * 55
    assert tonnes(outcome, "oxide", "AUS", "JPN") > tonnes(quo(), "oxide", "AUS", "JPN")


def test_an_offtake_ends_with_its_years() -> None:
    agreement = deal(OFFTAKE % (20, "market", ", years: 4"))
    ships = [bool(schedule.wedges(agreement, world(), DAY.replace(year=year))) for year in (2026, 2027, 2030, 2031)]
    assert ships == [False, True, True, False]


def test_offtakes_above_capacity_are_refused_with_both_places() -> None:
    two = (
        f"offtakes:\n  - {{id: o, good: oxide, seller: AUS, buyer: JPN, tonnes: 40, price: {{formula: market}}, {MARK}}}\n"
        f"  - {{id: p, good: oxide, seller: AUS, buyer: USA, tonnes: 30, price: {{formula: market}}, {MARK}}}\n"
    )
    with pytest.raises(InputRefused) as refused:
        deal(two)
    assert "70 t of oxide from AUS a year, with o (offtakes[0]), which can make 60 t" in str(refused.value)
    assert "offtakes[1].tonnes" in str(refused.value)
    assert "above-capacity" in str(refused.value)


def test_an_offtake_on_a_route_that_is_not_there_is_warned_of() -> None:
    agreement = deal(OFFTAKE.replace("seller: AUS, buyer: JPN", "seller: USA, buyer: AUS") % (1, "market", ""))
    assert [problem.code for problem in agreement.warnings] == ["no-route"]


def test_a_union_takes_its_offtake_where_it_buys_already() -> None:
    from test_instruments import setting

    from friendshore.instruments import OfftakeAgreement

    clause = OfftakeAgreement.model_validate(
        {"good": "ndpr.oxide", "seller": "CHN", "buyer": "EUN", "tonnes": 10, "price": {"formula": "market"}}
    )
    here = setting(base_flow_t={("ndpr.oxide", "CHN", "DEU"): 30.0, ("ndpr.oxide", "CHN", "FRA"): 10.0})
    found = {w.importer: w.tonnes for w in clause.wedges(here) if isinstance(w, Offtake)}
    assert found == {"DEU": 7.5, "FRA": 2.5}


RESERVE = f"reserve: {{id: r, goods: oxide, holder: JPN, budget_usd: %s, target_days: 146, build_years: 2%s, {MARK}}}"


def test_a_reserve_buys_its_days_of_cover_over_its_years() -> None:
    used = 98.0  # tonnes that arrive in Japan in the base year
    (wedge,) = schedule.wedges(deal(RESERVE % ("1e9", "")), world(), DAY)
    assert isinstance(wedge, Reserve)
    assert wedge.tonnes == pytest.approx(used * 146 / 365 / 2)
    outcome = cleared(RESERVE % ("1e9", ""))
    assert line(outcome, "JPN", "reserve") == pytest.approx(-wedge.tonnes * index(outcome, "oxide", "JPN"), rel=1e-9)
    assert index(outcome, "oxide", "JPN") > index(quo(), "oxide", "JPN")


def test_a_reserve_never_spends_more_than_the_years_part_of_its_budget() -> None:
    outcome = cleared(RESERVE % ("1e6", ", loan_usd: 8e5, equity_usd: 2e5, loan_rate: 0.05"))
    assert line(outcome, "JPN", "reserve") == pytest.approx(-500_000, abs=0.005)
    (said,) = outcome.settings["budgets"]
    assert (said["cuts"], said["binds"]) == ("purchases", True)
    (claim,) = schedule.claims(
        deal(RESERVE % ("1e6", ", loan_usd: 8e5, equity_usd: 2e5, loan_rate: 0.05")), world(), DAY
    )
    assert dict(claim.terms)["interest_usd"] == "40000.000"


def test_a_reserve_sells_no_more_than_it_holds() -> None:
    selling = RESERVE % ("1e9", ", action: release, release_days: 50, held_days: 36.5")
    (wedge,) = schedule.wedges(deal(selling), world(), DAY)
    assert isinstance(wedge, Reserve)
    assert wedge.tonnes == pytest.approx(-98.0 * 36.5 / 365)
    assert index(cleared(selling), "oxide", "JPN") < index(quo(), "oxide", "JPN")


# -- freight --------------------------------------------------------------------------------------------------------


def test_a_corridor_takes_its_saving_off_the_freight() -> None:
    outcome = cleared(CORRIDOR % "saving_usd_t: 100")
    (wedge,) = schedule.wedges(deal(CORRIDOR % "saving_usd_t: 100"), world(), DAY)
    assert isinstance(wedge, Corridor)
    assert wedge.freight_saving_usd_t == 200.0  # half of what is carried is oxide
    row = outcome.flows.filter(
        (pl.col("good") == "oxide") & (pl.col("exporter") == "AUS") & (pl.col("importer") == "JPN")
    )
    assert float(row["cif_usd_t"][0]) == pytest.approx(price(outcome, "oxide", "AUS") + 300 - 200, rel=1e-12)
    assert tonnes(outcome, "oxide", "AUS", "JPN") > 42.0


def test_what_a_full_corridor_cannot_carry_goes_the_old_way() -> None:
    """The last tonne pays the old freight, so nothing moves, and the saving is the rent of the slots."""
    outcome = cleared(CORRIDOR % "saving_usd_t: 100, capacity_t: 40")
    assert outcome.flows["t"].to_list() == pytest.approx(quo().flows["t"].to_list(), rel=1e-9)
    assert line(outcome, "AUS", "corridor_rent") == pytest.approx(200.0 * 20.0, rel=1e-12)
    assert outcome.world_total_usd == pytest.approx(200.0 * 20.0, rel=1e-6)
    (row,) = outcome.rents.filter(pl.col("kind") == "corridor").iter_rows(named=True)
    assert (row["rent"], row["tonnes"], row["limit_t"]) == (200.0, 20.0, 20.0)


def test_a_corridor_that_is_just_full_shares_its_saving_between_slots_and_shippers() -> None:
    open_ = tonnes(cleared(CORRIDOR % "saving_usd_t: 100"), "oxide", "AUS", "JPN")
    room = 0.5 * (open_ + 42.0)
    outcome = cleared(CORRIDOR % f"saving_usd_t: 100, capacity_t: {2 * room}")
    (row,) = outcome.rents.filter(pl.col("kind") == "corridor").iter_rows(named=True)
    assert 0 < row["rent"] < 200
    assert tonnes(outcome, "oxide", "AUS", "JPN") == pytest.approx(room, rel=1e-9)


def test_a_saving_above_the_freight_is_warned_of() -> None:
    assert [problem.code for problem in deal(CORRIDOR % "saving_usd_t: 200").warnings] == ["implausible"]


# -- standards ------------------------------------------------------------------------------------------------------

STANDARD = f"standards: [{{id: n, good: oxide, standard: S, certified: AUS, buyers: [JPN], %s, {MARK}}}]"


def test_a_premium_reaches_producers_on_what_the_buyers_take_and_users_pay_it() -> None:
    text = STANDARD % "premium: 920 USD per t of oxide, certified_share: 0.5"
    (wedge,) = schedule.wedges(deal(text), world(), DAY)
    assert isinstance(wedge, Subsidy)
    assert wedge.usd_t == pytest.approx(920 * 0.5 * 42 / 46)
    assert wedge.payers == (("JPN", 1.0),)
    outcome = cleared(text)
    same = cleared(
        f"subsidies: [{{good: oxide, producers: AUS, kind: per_tonne, amount: {wedge.usd_t} USD per t of oxide, funding: {{JPN: 1}}, {MARK}}}]"
    )
    paid = wedge.usd_t * output(outcome, "oxide", "AUS")
    assert outcome.flows["t"].to_list() == pytest.approx(same.flows["t"].to_list(), rel=1e-8)
    assert line(outcome, "JPN", "users") == pytest.approx(line(same, "JPN", "users") - paid, rel=1e-8)
    assert line(outcome, "JPN", "subsidy") == 0.0


def test_compliance_is_a_cost_that_nobody_gets() -> None:
    outcome = cleared(STANDARD % "premium: 460 USD per t of oxide, compliance_cost: 420 USD per t of oxide")
    # 460 on 42 of 46 tonnes is 420 on each of them: producers are where they were, buyers pay for the paper.
    assert output(outcome, "oxide", "AUS") == pytest.approx(46.0, rel=1e-9)
    assert line(outcome, "AUS", "producers") == pytest.approx(0.0, abs=1e-3)
    assert outcome.world_total_usd == pytest.approx(-420.0 * 46.0, rel=1e-6)


def test_a_required_standard_shuts_out_what_is_not_certified() -> None:
    outcome = cleared(STANDARD % "access: required" + "\n", parties="[JPN]")
    assert tonnes(outcome, "oxide", "CHN", "JPN") == 0.0
    assert tonnes(outcome, "oxide", "USA", "JPN") == 0.0
    assert tonnes(outcome, "oxide", "AUS", "JPN") > 42.0


def test_a_budget_on_a_capped_contract_cuts_what_the_cap_covers() -> None:
    capped = cleared(CONTRACT % "funding: own, cap_t: 8")
    spends = -line(capped, "USA", "contract") - line(capped, "AUS", "contract")
    outcome = cleared(CONTRACT % f"funding: own, cap_t: 8, budget_usd: {spends / 4}")
    (said,) = outcome.settings["budgets"]
    # The covered tonnes are not the last ones, so prices stay and a quarter of the money covers a quarter of them.
    assert said["factor"] == pytest.approx(0.25, rel=1e-6)
    assert outcome.flows["t"].to_list() == pytest.approx(quo().flows["t"].to_list(), rel=1e-8)


def test_a_two_way_contract_is_counted_net_of_what_flows_back() -> None:
    text = (CONTRACT % "funding: own, budget_usd: 1").replace("kind: one_way", "kind: two_way, claw_back: 1")
    outcome = cleared(text.replace("70000", "50000"))
    (said,) = outcome.settings["budgets"]
    assert said["spent_usd"] < 0, "producers pay"
    assert said["binds"] is False


def test_a_limit_at_home_binds_beside_the_quota_on_exports() -> None:
    """The accounts close, both limits hold, and what the exporter makes is no more than the two together."""
    terms = "mode: quota, goods: oxide, exporters: CHN, tonnes: 30, owner: CHN"
    abroad = cleared(f"export_controls: [{{id: q, {terms}, {MARK}}}]")
    both = cleared(f"export_controls: [{{id: q, {terms}, home_tonnes: 400, {MARK}}}]")
    out = [sum(tonnes(each, "oxide", "CHN", to) for to in ("USA", "JPN")) for each in (abroad, both)]
    assert out == pytest.approx([30.0, 30.0], rel=1e-9)
    assert tonnes(abroad, "oxide", "CHN", "CHN") > 500.0, "what may not leave is sold at home"
    assert tonnes(both, "oxide", "CHN", "CHN") == pytest.approx(400.0, rel=1e-9)
    assert output(both, "oxide", "CHN") == pytest.approx(430.0, rel=1e-9)
    assert price(both, "oxide", "CHN") < price(abroad, "oxide", "CHN") < index(both, "oxide", "CHN")
