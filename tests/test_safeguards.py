"""A safeguard is tested on the market as cleared, acts once, and says where it would go round in circles."""

from __future__ import annotations

from typing import Any

import pytest
from cleared_world import DAY, cleared, deal, index, output, quo, tonnes, world

from friendshore.agreement import safeguards, schedule
from friendshore.agreement.safeguards import measure
from friendshore.errors import InputRefused
from friendshore.instruments.safeguard import MEASURES, Safeguard, Trigger
from friendshore.run import Assumptions, clear
from friendshore.shares import shares
from friendshore.study import study

MARK = "illustrative: true, rule: invented"
FLOOR = (
    f"floors: [{{id: f, good: oxide, reference_price: 75000 USD per t of oxide, levy_on: landed_duty_paid, {MARK}}}]\n"
)
GUARD = f"safeguards: [{{id: g, when: %s, then: %s, for: 6m, {MARK}}}]\n"
RESERVE = (
    f"reserve: {{id: r, goods: oxide, holder: JPN, budget_usd: 1e7, target_days: 90, build_years: 3, held_days: 20, "
    f"release_days: 10, action: hold, {MARK}}}\n"
)


def said(outcome: Any) -> dict[str, Any]:
    (found,) = outcome.settings["safeguards"]
    return found


def rise(outcome: Any, good: str) -> float:
    """By hand: the parties' mean cost of a good, weighted by what arrived in the base year."""
    weights = {"oxide": {"USA": 10.0, "JPN": 98.0}, "magnet": {"USA": 140.0, "JPN": 210.0, "AUS": 20.0}}[good]
    mean = [sum(w * index(o, good, c) for c, w in weights.items()) for o in (quo(), outcome)]
    return mean[1] / mean[0] - 1


def test_a_trigger_that_is_not_met_leaves_the_agreement_in_force() -> None:
    plain, guarded = cleared(FLOOR), cleared(FLOOR + GUARD % ("price_rise of oxide > 0.9", "suspend floors"))
    assert guarded.flows["t"].to_list() == plain.flows["t"].to_list()
    found = said(guarded)
    assert (found["met"], found["finding"]) == (False, "Not met.")
    assert found["value"] == pytest.approx(rise(plain, "oxide"), rel=1e-12)


def test_an_action_that_takes_its_own_reason_away_is_a_cycle_and_not_followed() -> None:
    plain = cleared(FLOOR)
    limit = 0.5 * rise(plain, "oxide")
    outcome = cleared(FLOOR + GUARD % (f"price_rise of oxide > {limit}", "suspend f"))
    assert outcome.flows["t"].to_list() == pytest.approx(quo().flows["t"].to_list(), rel=1e-9), "cleared once more"
    found = said(outcome)
    assert (found["met"], found["met_after"], found["cycle"]) == (True, False, True)
    assert "a cycle that is not followed" in found["finding"]
    assert found["value_after"] == pytest.approx(0.0, abs=1e-9)


def test_an_action_that_does_not_remove_its_reason_holds() -> None:
    plain = cleared(FLOOR + RESERVE)
    limit = 0.1 * rise(plain, "oxide")
    outcome = cleared(FLOOR + RESERVE + GUARD % (f"price_rise of oxide > {limit}", "release r"))
    found = said(outcome)
    assert (found["met"], found["met_after"], found["cycle"]) == (True, True, False)
    assert found["finding"] == "Met; the action holds."
    sold = 98.0 * 10 / 365
    stock = outcome.accounts.filter(outcome.accounts["item"] == "reserve")["usd"].sum()
    assert stock == pytest.approx(sold * index(outcome, "oxide", "JPN"), rel=1e-9)
    assert rise(outcome, "oxide") < rise(plain, "oxide")


def test_a_reserve_that_is_released_does_not_buy() -> None:
    text = RESERVE.replace("action: hold", "action: build")
    building = cleared(FLOOR + text)
    outcome = cleared(FLOOR + text + GUARD % ("price_rise of oxide > 0.0001", "release r"))
    assert rise(outcome, "oxide") < rise(building, "oxide")
    assert outcome.accounts.filter(outcome.accounts["item"] == "reserve")["usd"].sum() > 0


def test_another_safeguard_met_only_after_the_action_is_reported_and_not_acted_on() -> None:
    tariff = f"tariffs: [{{id: t, goods: magnet, rate: 0.2, {MARK}}}]\n"
    both, alone = rise(cleared(FLOOR + tariff), "oxide"), rise(cleared(tariff), "oxide")
    assert alone < both
    pair = (
        f"safeguards: [{{id: a, when: price_rise of oxide > 0.001, then: suspend floors, for: 1y, {MARK}}},"
        f"{{id: b, when: price_rise of oxide < {0.5 * (alone + both)}, then: suspend t, for: 1y, {MARK}}}]\n"
    )
    outcome = cleared(FLOOR + tariff + pair)
    first, second = outcome.settings["safeguards"]
    assert (first["met"], second["met"]) == (True, False)
    assert second["met_after"] is True
    assert second["finding"] == "Met only because of another safeguard's action; it was not acted on."
    assert rise(outcome, "oxide") == pytest.approx(alone, rel=1e-9)


def test_a_safeguard_not_in_force_is_not_tested() -> None:
    late = GUARD.replace("for: 6m", "for: 6m, enters_into_force: 2031-01-01")
    outcome = cleared(FLOOR + late % ("price_rise of oxide > 0.001", "suspend floors"))
    assert "safeguards" not in outcome.settings


@pytest.mark.parametrize("name", MEASURES)
def test_every_measure_is_read_from_the_outcomes_as_by_hand(name: str) -> None:
    here = schedule.setting(deal(FLOOR), world(), DAY)
    after = clear(world(), deal(FLOOR), as_of=DAY)
    goods = {} if name == "downstream_price_rise" else {"goods": ["oxide"]}
    trigger = Trigger.model_validate({"measure": name, **goods, "above": 0})
    outside = sum(tonnes(after, "oxide", "CHN", code) for code in ("USA", "JPN"))
    before = sum(tonnes(quo(), "oxide", "CHN", code) for code in ("USA", "JPN"))
    made = [sum(output(o, "oxide", code) for code in ("USA", "AUS")) for o in (quo(), after)]
    used = sum(tonnes(after, "oxide", i, j) for i in ("USA", "AUS", "CHN") for j in ("USA", "JPN") if (i, j) in ROUTES)
    by_hand = {
        "price_rise": rise(after, "oxide"),
        "downstream_price_rise": rise(after, "magnet"),
        "price_usd_t": (10 * index(after, "oxide", "USA") + 98 * index(after, "oxide", "JPN")) / 108,
        "import_rise": outside / before - 1,
        "output_fall": 1 - made[1] / made[0],
        "days_short": None,
        "supplier_share": outside / used,
    }[name]
    if name == "days_short":
        assert measure(trigger, here, quo(), after) in (None, 0.0)
        return
    assert measure(trigger, here, quo(), after) == pytest.approx(by_hand, rel=1e-9)


ROUTES = {("USA", "USA"), ("USA", "JPN"), ("AUS", "JPN"), ("AUS", "USA"), ("CHN", "JPN"), ("CHN", "USA")}


def test_suspending_a_floor_leaves_its_price_for_those_computed_from_it() -> None:
    more = (
        FLOOR.rstrip("]\n")
        + f", {{id: h, good: magnet, levy_on: cif, reference_price: {{method: cost_plus, currency: USD, per: t, of: magnet, costs: [{{name: in, floor: f, quantity: 0.3}}, {{name: work, value: 30000}}]}}, {MARK}}}]\n"
    )
    agreement = deal(more)
    here = schedule.wedges(safeguards.suspended(agreement, ["f"], DAY), world(), DAY)
    assert [(wedge.clause, wedge.reference_usd_t) for wedge in here] == [("h", 52_500.0)]  # type: ignore[union-attr]


def test_a_condition_reads_as_it_is_written() -> None:
    guard = Safeguard.model_validate(
        {
            "when": "import_rise of ndpr.oxide, gallium.metal in USA, JPN > 1.5",
            "then": "suspend floors",
            "for": "6m",
            "id": "g",
        }
    )
    assert guard.when.goods == ("ndpr.oxide", "gallium.metal")
    assert guard.when.countries == ("USA", "JPN")
    assert (guard.when.met(1.6), guard.when.met(1.5)) == (True, False)
    assert guard.when.words() == "import_rise of ndpr.oxide, gallium.metal in USA, JPN > 1.5"


def test_an_unknown_outcome_is_refused_with_the_nearest_that_is() -> None:
    with pytest.raises(InputRefused, match="unknown-outcome") as refused:
        deal(FLOOR + GUARD % ("price_rises of oxide > 1", "suspend floors"))
    assert "did you mean 'price_rise'?" in str(refused.value)


def test_the_study_is_about_the_agreement_as_it_stands_once_a_safeguard_has_acted() -> None:
    text = FLOOR + GUARD % ("price_rise of oxide > 0.001", "suspend floors")
    found = study(world(), deal(text), as_of=DAY, assume=Assumptions(), stability=False)
    assert found.floors.height == 0
    assert found.notes[0].startswith("Safeguard g (price_rise of oxide in parties > 0.001): Met")


def test_a_budget_that_binds_is_said_in_the_study() -> None:
    text = f"subsidies: [{{id: s, good: oxide, producers: [USA, AUS], kind: one_way, strike: 70000 USD per t of oxide, funding: own, budget_usd: 200000, {MARK}}}]\n"
    found = study(world(), deal(text), as_of=DAY, assume=Assumptions(), stability=False)
    assert found.notes[0].startswith("The budget of s, USD 200,000 a year, binds: ")
    assert found.notes[0].endswith("% of the covered tonnes is left.")


RELIEF = f"tariffs: [{{id: t, goods: magnet, rate: 0.15, {MARK}}}, {{id: u, goods: oxide, rate: 0.1, {MARK}}}]\n"


def test_a_clause_that_a_safeguard_applies_holds_only_when_the_trigger_is_met() -> None:
    met = cleared(RELIEF + GUARD % ("import_rise of magnet in parties > -0.5", "apply t"))
    alone, both = cleared(RELIEF.replace("{id: t, goods: magnet, rate: 0.15, " + MARK + "}, ", "")), cleared(RELIEF)
    unmet = cleared(RELIEF + GUARD % ("import_rise of magnet in parties > 0.5", "apply t"))
    assert said(met)["applies"] == ["t"]
    assert tonnes(met, "magnet", "CHN", "USA") == pytest.approx(tonnes(both, "magnet", "CHN", "USA"), rel=1e-9)
    assert tonnes(unmet, "magnet", "CHN", "USA") == tonnes(alone, "magnet", "CHN", "USA")
    assert tonnes(met, "magnet", "CHN", "USA") < tonnes(unmet, "magnet", "CHN", "USA")


@pytest.mark.parametrize("exact", [5, 0])
def test_what_a_safeguard_applies_is_shared_out_with_it(exact: int) -> None:
    text = RELIEF + GUARD % ("import_rise of magnet in parties > -0.5", "apply t")
    found = shares(world(), deal(text), as_of=DAY, by="clause", exact=exact)
    assert list(found.parts) == ["u", "g"]
    assert found.of("gain_of_parties")["g"] < -10_000
    assert found.residual <= 1e-3
