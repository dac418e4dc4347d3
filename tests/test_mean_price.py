"""A mean price moves with prices alone, and every page that prints its change prints the same."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from pathlib import Path

import polars as pl
import pytest
from report_cases import small, whole

from friendshore.agreement.document import Agreement
from friendshore.downstream.products import contents, product_costs
from friendshore.downstream.tables import shipped_bills
from friendshore.headline import inside_prices, places
from friendshore.law import repair
from friendshore.mean_price import price_paid, price_received, unit_value
from friendshore.outcome import Outcome
from friendshore.report.account import account
from friendshore.report.brief import View, brief
from friendshore.report.figures import price_ladder, product_cost
from friendshore.report.figures.subject import Subject
from friendshore.report.words import Words
from friendshore.study import Study, study
from friendshore.world.tables import World

README = Path(__file__).parents[1] / "README.md"


@cache
def reference() -> tuple[World, Agreement, Study]:
    """The agreement that the README prints."""
    world = World.load()
    deal = Agreement.load("plurilateral-2026", world)
    return world, deal, study(world, deal, stability=False)


def changes(found: Study) -> dict[str, tuple[float, float]]:
    """Good under a floor -> its mean price inside, before and after."""
    before, after = (price_paid(found.outcomes[run], found.parties) for run in ("before", "agreement"))
    return {good: (before[good], after[good]) for good in found.floors["good"].unique(maintain_order=True)}


def floor_rows(page: str) -> dict[str, list[str]]:
    """The account's table of floors: good -> its cells, the asterisk left out."""
    body = re.split(r"\n *-[- ]+\n", page[page.index("WHAT THE FLOORS DO TO PRICES") :])[1]
    rows = [re.split(r"\s{2,}", line.strip()) for line in body.split("\n\n")[0].splitlines()]
    return {row[0].removesuffix(" *"): row[1:] for row in rows if len(row) > 1}


def number(cell: str) -> float:
    """A figure as a page prints it."""
    return float(re.sub(r"[\s\u2009\u202f%]", "", cell).replace("\u2212", "-"))


def shown(cell: str, real: float) -> bool:
    """Whether a cell prints a relative change, in per cent to a tenth."""
    return number(cell) == pytest.approx(100.0 * real, abs=0.0501)


@pytest.mark.parametrize("case", [small, whole, reference])
def test_every_page_prints_the_same_change_of_the_price_inside(case) -> None:
    world, deal, found = case()
    words = Words.of("en", world)
    floors = floor_rows(account(found))
    proposed = brief(found, words, View.of(None, found, world), world=world, deal=deal).parts
    briefed = {row[0].removesuffix(" *"): row for row in proposed[0].tables[0].rows}
    ours = {row[0]: row for row in proposed[1].tables[0].rows}
    ladder = {row["good"]: row for row in price_ladder._rows(Subject(found, words, None, world, deal))}
    ranked = [
        inside_prices(found.outcomes[run], places(world, frozenset(found.parties))) for run in ("before", "agreement")
    ]
    wanted = changes(found)
    assert set(floors) == set(wanted)
    assert {words.good(good) for good in wanted} & set(ours)
    for good, (before, after) in wanted.items():
        lifted = after / before - 1.0
        lifted = 0.0 if abs(lifted) < 5e-4 else lifted
        assert shown(floors[good][4], lifted), floors[good]
        name = words.good(good)
        assert shown(briefed[name][4], lifted), briefed[name]
        if name in ours:  # the first rows alone are printed
            assert shown(ours[name][3], lifted), ours[name]
        assert 1000 * ladder[good]["inside_before"] == before
        assert 1000 * ladder[good]["inside_after"] == after
        assert [each[f"price_inside.{good}"] for each in ranked] == [before, after]
        runs = (found.outcomes["before"], found.outcomes["agreement"])
        repaired = repair._price(*runs, [good], frozenset(found.parties))
        assert repaired == pytest.approx(100.0 * (after / before - 1.0), abs=1e-9)


def test_the_readme_prints_the_change_that_the_figures_draw() -> None:
    text = README.read_text(encoding="utf-8")
    _, _, found = reference()
    before, after = changes(found)["ndpr.oxide"]
    lifted = after / before - 1.0
    assert shown(re.search(r"lifts ndpr\.oxide inside by ([\d.]+) %", text.replace("\n", " "))[1], lifted)
    assert shown(floor_rows(text)["ndpr.oxide"][4], lifted)


def test_the_range_of_a_price_holds_the_price() -> None:
    _, _, found = small()
    inside = price_paid(found.outcomes["agreement"], found.parties)
    rows = found.price_ranges.filter((pl.col("side") == "inside") & pl.col("low").is_not_null())
    assert rows.height
    for good, usd_t, low, high in rows.select("good", "usd_t", "low", "high").iter_rows():
        assert usd_t == inside[good]
        assert low <= usd_t <= high


def test_a_figure_and_a_comparison_cost_a_product_alike() -> None:
    world, deal, found = reference()
    drawn: dict[str, list[float]] = {}
    for row in product_cost._rows(Subject(found, Words.of("en", world), None, world, deal)):
        sums = drawn.setdefault(row["product"], [0.0, 0.0])
        sums[0] += row["before_usd"]
        sums[1] += row["after_usd"]
    bills = shipped_bills()
    before, after = found.outcomes["before"], found.outcomes["agreement"]
    table = product_costs(before, after, {"the parties": found.parties}, bills)
    for product, name in product_cost.DRAWN.items():
        row = table.row(by_predicate=pl.col("product") == product, named=True)
        assert not row["missing"], contents(product, bills)
        assert drawn[name] == pytest.approx([row["before_usd"], row["after_usd"]], rel=1e-12)


def test_in_the_base_year_it_is_what_was_spent_over_what_was_taken() -> None:
    _, _, found = reference()
    base, buyers = found.outcomes["base"], found.parties
    paid, value = price_paid(base, buyers), unit_value(base, buyers)
    assert len(paid) > 50
    assert set(paid) == set(value)
    for good, usd_t in paid.items():
        assert usd_t == pytest.approx(value[good], rel=1e-7), good


def outcome(tonnes: tuple[float, float], prices: tuple[float, float]) -> Outcome:
    """Two parties, A and B, that took a tonne and three of a good in the base year, each at its price."""
    _, _, found = small()
    both = {"good": ["g", "g"], "country": ["A", "B"]}
    flows = {
        "good": ["g", "g"],
        "exporter": ["A", "A"],
        "importer": ["A", "B"],
        "t": list(tonnes),
        "base_t": [1.0, 3.0],
    }
    return replace(
        found.outcomes["base"],
        indices=pl.DataFrame({**both, "usd_t": list(prices)}),
        prices=pl.DataFrame({**both, "usd_t": list(prices)}),
        output=pl.DataFrame({**both, "t": list(tonnes), "base_t": [1.0, 3.0]}),
        flows=pl.DataFrame({**flows, "delivered_usd_t": list(prices)}),
    )


def test_who_buys_moves_the_unit_value_and_not_the_price() -> None:
    first, second = outcome((1.0, 3.0), (10.0, 20.0)), outcome((3.0, 1.0), (10.0, 20.0))
    for mean in (price_paid, price_received):
        assert mean(first, "AB") == mean(second, "AB") == {"g": 17.5}
    assert unit_value(first, "AB") == {"g": 17.5}
    assert unit_value(second, "AB") == {"g": 12.5}


def test_a_good_that_nobody_took_has_no_price() -> None:
    found = outcome((1.0, 3.0), (10.0, 20.0))
    assert price_paid(found, "C") == price_received(found, "C") == unit_value(found, "C") == {}
