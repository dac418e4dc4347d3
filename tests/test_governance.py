"""Who can block, how much a vote counts, what is due when: textbook assemblies, and the file's own words."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from fractions import Fraction
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from treaty_world import treaty_world
from typer.testing import CliRunner

from friendshore import cli
from friendshore.agreement.document import Agreement, read
from friendshore.agreement.governance import Decisions, Governance, calendar, count, power
from friendshore.errors import InputRefused
from friendshore.marked import noted

WORLD = treaty_world()
CODES = ["USA", "DEU", "FRA", "ITA", "NLD", "BEL", "LUX", "JPN", "CAN", "GBR", "AUS", "KOR", "MEX", "BRA", "IND"]


def rule(**terms: Any) -> Decisions:
    return Decisions.model_validate(terms)


def stated(votes: dict[str, float], **terms: Any) -> Any:
    return count("decisions", rule(rule="majority", votes=votes, **terms), tuple(votes), {})


def deal(governance: str, parties: str = "[USA, EU, JPN]") -> Agreement:
    text = f"title: A deal\nin_force: 2027-01-01\nparties: {parties}\ngovernance:\n{governance}"
    return read(noted(text.encode(), name="deal.yaml"), WORLD)


def test_a_small_share_may_count_as_much_as_a_large_one() -> None:
    found = stated({"USA": 50, "DEU": 49, "FRA": 1}, at_least=0.51)
    assert [voter.shapley for voter in found.voters] == [Fraction(2, 3), Fraction(1, 6), Fraction(1, 6)]
    assert [voter.banzhaf_share for voter in found.voters] == [Fraction(3, 5), Fraction(1, 5), Fraction(1, 5)]
    assert [voter.blocks for voter in found.voters] == [True, False, False]
    assert found.blocking == (("USA",), ("DEU", "FRA"))


def test_luxembourg_had_a_vote_and_no_power_in_the_council_of_1958() -> None:
    found = stated({"DEU": 4, "FRA": 4, "ITA": 4, "NLD": 2, "BEL": 2, "LUX": 1}, at_least=0.7)  # 12 of 17
    shapley = {voter.code: voter.shapley for voter in found.voters}
    assert shapley == {
        **dict.fromkeys(["DEU", "FRA", "ITA"], Fraction(14, 60)),
        **dict.fromkeys(["NLD", "BEL"], Fraction(9, 60)),
        "LUX": Fraction(0),
    }
    assert {voter.code: voter.banzhaf_share for voter in found.voters}["NLD"] == Fraction(6, 42)
    assert [voter.code for voter in found.voters if voter.idle] == ["LUX"]


def test_a_veto_is_worth_a_hundred_times_a_vote_in_the_security_council() -> None:
    terms = rule(rule="majority", at_least=0.6, vetoes=CODES[:5])  # nine of fifteen, the permanent five among them
    found = count("decisions", terms, tuple(CODES), {})
    assert [found.voters[0].shapley, found.voters[-1].shapley] == [Fraction(421, 2145), Fraction(4, 2145)]
    assert sum((voter.shapley for voter in found.voters), Fraction(0)) == 1
    assert [voter.code for voter in found.voters if voter.blocks] == CODES[:5]


@pytest.mark.parametrize("name", ["unanimity", "consensus"])
def test_where_all_must_agree_each_can_block_and_counts_the_same(name: str) -> None:
    found = count("decisions", rule(rule=name), ("USA", "EUN", "JPN"), {})
    assert [(voter.blocks, voter.shapley) for voter in found.voters] == [(True, Fraction(1, 3))] * 3
    assert (found.carried, found.coalitions) == (1, 8)


def test_half_of_the_votes_is_no_majority() -> None:
    assert count("decisions", rule(rule="majority"), ("USA", "JPN"), {}).carried == 1
    assert count("decisions", rule(rule="majority", at_least=0.5), ("USA", "JPN"), {}).carried == 3


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 9), min_size=2, max_size=5), st.sampled_from([0.4, 0.5, 0.6, 0.75]))
def test_shapley_shubik_is_the_count_of_orders_in_which_a_vote_tips(votes: list[int], share: float) -> None:
    voters = tuple(CODES[: len(votes)])
    found = count(
        "decisions", rule(rule="majority", votes=dict(zip(voters, votes, strict=True)), more_than=share), voters, {}
    )
    needed = Decimal(repr(share)) * sum(votes)
    tipped = dict.fromkeys(voters, 0)
    orders = list(permutations(range(len(votes))))
    for order in orders:
        total = 0
        for place in order:
            if total <= needed < total + votes[place]:
                tipped[voters[place]] += 1
            total += votes[place]
    assert {voter.code: voter.shapley for voter in found.voters} == {
        code: Fraction(number, len(orders)) for code, number in tipped.items()
    }


def test_a_double_majority_needs_both() -> None:
    text = "  decisions: {rule: double_majority, more_than: 0.5, second: {votes: gdp, at_least: 0.6}}\n"
    (found,) = power(deal(text), WORLD, date(2030, 1, 1))
    # gross domestic products 300, 100 and 100: without the United States 40 % of them, with it 80
    assert {voter.code: voter.blocks for voter in found.voters} == {"USA": True, "EUN": False, "JPN": False}
    assert found.rule == "more than 50 % of the parties and at least 60 % of their gross domestic product"


def test_a_union_votes_as_one_or_by_its_members() -> None:
    text = "  decisions: {rule: majority}\n  union_votes: %s\n"
    one, many = (power(deal(text % word), WORLD, date(2030, 1, 1))[0] for word in ("one", "members"))
    assert [voter.code for voter in one.voters] == ["USA", "EUN", "JPN"]
    assert [voter.code for voter in many.voters] == ["USA", "DEU", "FRA", "JPN"]


def test_only_those_bound_on_the_day_vote() -> None:
    agreement = deal("  decisions: {rule: majority}\n", "[USA, {code: JPN, enters_into_force: 2031-01-01}]")
    voters = [[v.code for v in power(agreement, WORLD, date(year, 1, 1))[0].voters] for year in (2030, 2031)]
    assert voters == [["USA"], ["USA", "JPN"]]


def test_more_than_twenty_voters_are_refused_not_guessed() -> None:
    with pytest.raises(InputRefused, match="21 voters"):
        count("decisions", rule(rule="majority"), tuple(f"X{number:02}" for number in range(21)), {})
    assert count("decisions", rule(rule="majority"), tuple(f"X{n:02}" for n in range(20)), {}).coalitions == 2**20


def test_a_gross_domestic_product_that_is_not_known_is_not_nought() -> None:
    with pytest.raises(InputRefused, match="JPN is not known"):
        count("decisions", rule(rule="majority", votes="gdp"), ("USA", "JPN"), {"USA": 3.0})


DISPUTES = """  disputes:
    steps:
      - {name: consultations, days: 30, who: both, if_missed: next_step}
      - {name: panel, days: 60, who: council, if_missed: approved}
      - {name: ruling, days: 180, after: panel, who: panel, if_missed: suspends}
  review: {every: 1y, first: 2028-07-01, steps: [{name: new prices, days: 60, if_missed: stands}]}
  withdrawal: {notice: 6m}
"""


def test_deadlines_fall_on_their_days_with_what_follows_if_they_are_missed() -> None:
    found = calendar(deal(DISPUTES), date(2028, 1, 1), reviews=2)
    assert [(each.due.isoformat(), each.step, each.if_missed) for each in found] == [
        ("2028-01-31", "consultations", "the next step may be asked for"),
        ("2028-03-01", "panel", "it counts as approved"),
        ("2028-07-01", "opens", ""),
        ("2028-07-01", "notice ends", "it takes effect"),
        ("2028-08-28", "ruling", "the party that asked may suspend what it granted"),
        ("2028-08-30", "new prices", "the measure stands as it is"),
        ("2029-07-01", "opens", ""),
        ("2029-08-30", "new prices", "the measure stands as it is"),
    ]


def test_a_review_that_has_passed_is_not_due_again() -> None:
    found = calendar(deal(DISPUTES), date(2029, 8, 1), reviews=1)
    assert [each.due.year for each in found if each.procedure == "review" and each.step == "opens"] == [2030]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("  decisions: {rule: majority, votes: {USA: 1, EU: 1, CHN: 1}}\n", "not-a-party"),
        ("  decisions: {rule: majority, vetoes: [CHN]}\n", "not-a-party"),
        ("  decisions: {rule: unanimity, at_least: 0.5}\n", "unused-term"),
        ("  decisions: {rule: double_majority}\n", "missing"),
        ("  decisions: {rule: plurality}\n", "unknown-value"),
        ("  disputes: {steps: [{name: panel, days: 0, if_missed: approved}]}\n", "out-of-range"),
        ("  disputes: {steps: [{name: panel, days: 9, if_missed: perhaps}]}\n", "unknown-value"),
        (
            "  disputes: {steps: [{name: a, days: 9, if_missed: stands}, {name: a, days: 9, if_missed: stands}]}\n",
            "duplicate-id",
        ),
        ("  review: {first: 2028-01-01}\n", "unused-term"),
    ],
)
def test_governance_that_cannot_be_evaluated_is_refused_at_its_line(text: str, code: str) -> None:
    with pytest.raises(InputRefused) as refused:
        deal(text)
    (problem,) = refused.value.problems[-1:]
    assert code in {each.code for each in refused.value.problems if each.severity == "error"}
    assert problem.place is not None


def test_votes_for_some_parties_only_are_refused() -> None:
    with pytest.raises(InputRefused, match="how many votes have JPN"):
        power(deal("  decisions: {rule: majority, votes: {USA: 1, EU: 1}}\n"), WORLD, date(2030, 1, 1))


def test_words_are_kept_and_nothing_is_computed_from_them() -> None:
    agreement = deal("  decisions: by consensus, as ever\n  review: yearly\n")
    assert (agreement.governance.decisions, agreement.governance.review) == ("by consensus, as ever", "yearly")
    assert power(agreement, WORLD, date(2030, 1, 1)) == ()
    assert calendar(agreement, date(2030, 1, 1)) == ()
    assert Governance().rules() == {}


def test_the_command_prints_the_same_as_a_page_and_as_a_document(tmp_path: Path) -> None:
    path = tmp_path / "deal.yaml"
    rules = "  decisions: {rule: majority, votes: {USA: 50, JPN: 49, AUS: 1}, at_least: 0.51}\n"
    path.write_text(f"title: A deal\nin_force: 2027-01-01\nparties: [USA, JPN, AUS]\ngovernance:\n{rules}{DISPUTES}")
    run = CliRunner()
    page = run.invoke(cli.app, ["agreement", "votes", str(path)])
    assert page.exit_code == 0, page.output
    assert "Blocked by any of: USA and JPN with AUS." in page.stdout
    document = json.loads(run.invoke(cli.app, ["agreement", "votes", str(path), "--json"]).stdout)
    (found,) = document["rules"]
    assert [voter["shapley_shubik_exact"] for voter in found["voters"]] == ["2/3", "1/6", "1/6"]
    assert document["deadlines"][0]["due"] == "2027-01-31"


def test_votes_by_gross_domestic_product_carry_their_unit(tmp_path: Path) -> None:
    path = tmp_path / "deal.yaml"
    rules = "  decisions: {rule: double_majority, more_than: 0.5, second: {votes: gdp, at_least: 0.65}}\n"
    path.write_text(f"title: A deal\nin_force: 2027-01-01\nparties: [USA, JPN, AUS]\ngovernance:\n{rules}")
    run = CliRunner()
    page = run.invoke(cli.app, ["agreement", "votes", str(path)])
    assert page.exit_code == 0, page.output
    heads = [line.split() for line in page.stdout.splitlines() if "votes" in line]
    assert ["party", "alone", "votes", "USD", "billion", "%", "%"] in heads
    (usa,) = (line.split() for line in page.stdout.splitlines() if line.strip().startswith("USA "))
    (found,) = json.loads(run.invoke(cli.app, ["agreement", "votes", str(path), "--json"]).stdout)["rules"]
    assert found["counts"] == ["votes", "gdp"]
    (votes,) = (voter["votes"] for voter in found["voters"] if voter["code"] == "USA")
    assert float("".join(usa[-4:-2])) == pytest.approx(votes[1] / 1e9, rel=1e-3)
