"""Agreements that cannot be meant: each is refused from the command line before anything is run, with both places named."""

from __future__ import annotations

from pathlib import Path

import pytest

from friendshore import cli
from friendshore.world.tables import PACKAGED

pytestmark = pytest.mark.skipif(not (PACKAGED / "VERSION").exists(), reason="the built world is not here")

HEAD = "id: x\ntitle: X\nin_force: 2027-01-01\nparties: [USA, EUN, JPN]\n"
MADE_UP = "illustrative: true, rule: made up"
FLOOR = "  - {{id: {id}, good: ndpr.oxide, reference_price: {price} USD per kg of ndpr_oxide, levy_on: cif, {more}{made_up}}}\n"
OFFTAKE = (
    "  - {{id: {id}, seller: AUS, buyer: {buyer}, good: rare_earths.concentrate, tonnes: {t}, years: 10, "
    "price: {{formula: market}}, {made_up}}}\n"
)
CAPPED = (
    "  - {{id: {id}, good: gallium.metal, producers: [JPN], kind: two_way, claw_back: 1, strike: 900 USD per kg of gallium, "
    "cap_t: {t}, funding: own, {made_up}}}\n"
)
RATES = "{{from: 2027-01-01, until: {until}, value: 0.1}}, {{from: 2028-01-01, value: 0.2}}"


def floor(name: str, price: int = 110, more: str = "") -> str:
    return FLOOR.format(id=name, price=price, more=more, made_up=MADE_UP)


def rates(until: str) -> str:
    dated = RATES.format(until=until)
    return HEAD + f"tariffs:\n  - {{id: t, goods: gallium.metal, exporters: CHN, rate: [{dated}], {MADE_UP}}}\n"


CASES = {
    "two floors on one good with no order": (
        HEAD + "floors:\n" + floor("a") + floor("b", 100),
        ":7:5  floors[1]: a second floor on ndpr.oxide for all parties at the same time as a (floors[0])",
        "two-floors",
    ),
    "a party in two customs unions": (
        HEAD.replace("EUN, JPN", "EUN, ITA"),
        ":4:21  parties[2]: ITA is bound as a member of EUN, parties[1]",
        "duplicate-party",
    ),
    "Italy sets a floor without the Union": (
        HEAD.replace("EUN, JPN", "ITA, JPN") + "floors:\n" + floor("a"),
        ":4:16  parties[1]: ITA cannot be bound to 'a' (floors[0]) alone",
        "customs-union",
    ),
    "Italy alone under a floor of the Union": (
        HEAD + "floors:\n" + floor("a", more="parties: [ITA], "),
        "floors[0].parties[0]: ITA is not a party to the agreement",
        "not-a-party",
    ),
    "a safeguard on an unknown outcome": (
        HEAD + "floors:\n" + floor("a") + "safeguards:\n"
        "  - {id: g, when: 'prise_rise of ndpr.oxide > 0.5', then: suspend floors, for: 6m}\n",
        ":8:19  safeguards[0].when: no outcome is called 'prise_rise'",
        "unknown-outcome",
    ),
    "a safeguard that suspends an unknown clause": (
        HEAD + "floors:\n" + floor("a") + "safeguards:\n"
        "  - {id: g, when: 'price_rise of ndpr.oxide > 0.5', then: suspend aa, for: 6m}\n",
        "safeguards[0].then: no clause and no kind of clause is called 'aa'",
        "unknown-clause",
    ),
    "options that multiply beyond the limit": (
        HEAD + "floors:\n" + floor("a") + f"options:\n  a.price: {list(range(50, 90))}\n  USA: [with, without]\n"
        "  JPN: [with, without]\n  a.phase_in: [1y, 2y, 3y, 4y, 5y, 6y, 7y]\n",
        ":11:15  options.a.phase_in: 40 (a.price) x 2 (USA) x 2 (JPN) x 7 (a.phase_in) are 1,120 combinations",
        "too-many",
    ),
    "dates that overlap": (
        rates("2028-06-30"),
        "tariffs[0].rate[1]: the value from 2027-01-01 until 2028-06-30, at [0], overlaps the one from 2028-01-01",
        "overlap",
    ),
    "dates with a gap": (
        rates("2027-06-30"),
        "tariffs[0].rate[1]: nothing holds from 2027-07-01 to 2027-12-31, between the value from 2027-01-01, at [0], and",
        "gap",
    ),
    "a funding key that does not add to one": (
        HEAD + "subsidies:\n  - {id: s, good: gallium.metal, kind: per_tonne, amount: 10 USD per kg of gallium, "
        f"funding: {{USA: 0.5, EUN: 0.4}}, {MADE_UP}}}\n",
        ":6:94  subsidies[0].funding.shares: the shares add to 0.9, not to 1",
        "shares",
    ),
    "an offtake above capacity": (
        HEAD + "offtakes:\n" + "".join(
            OFFTAKE.format(id=name, buyer=buyer, t=90000, made_up=MADE_UP) for name, buyer in (("o1", "USA"), ("o2", "JPN"))
        ),
        ":7:78  offtakes[1].tonnes: 180,000 t of rare_earths.concentrate from AUS a year, with o1 (offtakes[0]), which can make",
        "above-capacity",
    ),
    "two capped contracts on one plant": (
        HEAD + "subsidies:\n" + "".join(CAPPED.format(id=name, t=t, made_up=MADE_UP) for name, t in (("s1", 2), ("s2", 3))),
        "subsidies[1].cap_t: gallium.recover@JPN stands under a capped contract already, s1 (subsidies[0])",
        "two-caps",
    ),
    "plants that nobody runs": (
        HEAD + "plants:\n  - {id: p, activities: copper.smelt@CHE, adds_t: 5, opens: 2026-01-01}\n",
        ":6:25  plants[0].activities: no activity and no process is called 'copper.smelt@CHE'",
        "unknown-activity",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_what_cannot_be_meant_is_refused_with_both_places(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text, said, code = CASES[name]
    file = tmp_path / "deal.yaml"
    file.write_text(text, encoding="utf-8")
    for command in (["agreement", "check", str(file)], ["run", str(file), "--json"]):
        with pytest.raises(SystemExit) as ended:
            cli.main(command)
        out, err = capsys.readouterr()
        assert ended.value.code == 2
        assert out == "", "a refused agreement yields no number"
        assert said in err
        assert f"[{code}]" in err
        assert "nothing was run" in err


def test_two_capped_contracts_at_different_times_or_plants_are_sound(tmp_path: Path) -> None:
    first = CAPPED.format(id="s1", t=2, made_up=MADE_UP + ", ends: 2028-12-31")
    second = CAPPED.format(id="s2", t=3, made_up=MADE_UP + ", enters_into_force: 2029-01-01")
    file = tmp_path / "deal.yaml"
    file.write_text(HEAD + "subsidies:\n" + first + second, encoding="utf-8")
    with pytest.raises(SystemExit) as ended:
        cli.main(["agreement", "check", str(file)])
    assert not ended.value.code
