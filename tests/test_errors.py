"""A refusal says where, what came, what was expected and the nearest valid word."""

from __future__ import annotations

import pytest

from friendshore.errors import (
    FriendshoreError,
    InputRefused,
    MarketError,
    Place,
    Problem,
    WorldError,
    did_you_mean,
    nearest,
)

LINE = "  - {good: ndpr.oxid, reference_price: {value: 110, per: kg}}"


def test_a_refusal_shows_the_line_with_carets_under_the_value_and_counts_its_problems() -> None:
    refused = InputRefused(
        [
            Problem(
                "unknown-good",
                "no good is called 'ndpr.oxid'",
                Place("deal.yaml", 14, 12, LINE, 9),
                "floors[0].good",
                "did you mean 'ndpr.oxide'?\nThe world has 48 goods; list them with: friendshore world goods",
            ),
            Problem("implausible", "12 is little", Place("deal.yaml", 19, 5), "reserve.budget_usd", severity="warning"),
        ]
    )
    assert str(refused) == "\n".join(
        [
            "deal.yaml:14:12  floors[0].good: no good is called 'ndpr.oxid'                 [unknown-good]",
            "    14 |   - {good: ndpr.oxid, reference_price: {value: 110, per: kg}}",
            "                    ^^^^^^^^^ did you mean 'ndpr.oxide'?",
            "    The world has 48 goods; list them with: friendshore world goods",
            "deal.yaml:19:5   reserve.budget_usd: 12 is little                              [implausible, warning]",
            "2 problems, nothing was run.",
        ]
    )


def test_carets_stand_under_the_value_of_a_long_line_too() -> None:
    text = "x" * 300 + "BAD" + "y" * 300
    lines = str(InputRefused([Problem("code", "message", Place("f", 1, 301, text, 3))])).splitlines()
    assert len(lines[1]) < 120
    start = lines[2].index("^")
    assert lines[1][start : start + 3] == "BAD"
    assert lines[2].count("^") == 3


def test_a_tab_in_the_source_line_does_not_move_the_carets() -> None:
    lines = str(InputRefused([Problem("code", "message", Place("f", 1, 3, "\t\tBAD", 3))])).splitlines()
    assert lines[1].index("BAD") == lines[2].index("^")


def test_the_tree_of_exceptions_gives_the_exit_status() -> None:
    assert issubclass(WorldError, InputRefused)
    assert {InputRefused.exit_status, WorldError.exit_status} == {2}
    assert MarketError.exit_status == 3
    assert issubclass(InputRefused, FriendshoreError)
    assert issubclass(MarketError, FriendshoreError)


def test_a_failed_market_names_the_worst_one_its_excess_steps_and_residual() -> None:
    error = MarketError(
        "no prices", market="gallium.metal in JPN", excess_t=-1.5, steps=40, residual_t=0.25, certificate=7
    )
    assert str(error) == "no prices (worst market gallium.metal in JPN, excess -1.5 t; 40 steps; residual 0.25 t)"
    assert error.certificate == 7


def test_a_refusal_without_a_problem_is_our_own_mistake() -> None:
    with pytest.raises(AssertionError):
        InputRefused([])


@pytest.mark.parametrize(
    ("word", "words", "meant"),
    [
        ("ndpr.oxid", ["ndpr.oxide", "ndfeb.magnet"], "ndpr.oxide"),
        ("Levy-On", ["levy_on", "form"], "levy_on"),
        ("zzz", ["levy_on", "form"], None),
        ("x", [], None),
    ],
)
def test_nearest_word_ignores_case_and_hyphens(word: str, words: list[str], meant: str | None) -> None:
    assert nearest(word, words) == meant
    assert did_you_mean(word, words) == (f"did you mean {meant!r}?" if meant else "")


def test_a_hint_is_broken_between_words_and_never_within_quotation_marks() -> None:
    command = "friendshore run '/a folder/of many words and/" + "long/" * 20 + "my draft.yaml'"
    said = str(
        InputRefused.because("some-code", "it is not so", hint=f"it's done by {command}, don't doubt " + "it " * 40)
    )
    assert command.split(" ", 2)[2] in said
    assert max(len(line) for line in said.splitlines() if "my draft" not in line) <= 120
