"""Textbook cases, each typed in as a network file, against the figures that their sources print.

The files are examples/networks/*.yaml and the figures validation_expected.json, with a tolerance for each case. Every run
is checked through Python and again through the command line.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from friendshore.world import network

HERE = Path(__file__).parent
EXAMPLES = HERE.parent / "examples" / "networks"
CASES: dict[str, dict[str, Any]] = json.loads((HERE / "validation_expected.json").read_text(encoding="utf-8"))["cases"]
RUNS = [(case, run) for case, terms in CASES.items() for run in terms["runs"]]
Fact = tuple[str, float, float]  # what, expected, found


def experiment(run: str) -> str | None:
    return None if run == "base" else run


def by_python(case: str, run: str) -> dict[str, Any]:
    from friendshore.run import clear

    return clear(network.read(EXAMPLES / f"{case}.yaml", experiment(run))).document()


@pytest.fixture(params=["python", "command line"])
def solve(request, monkeypatch, capsys):
    if request.param == "python":
        return by_python
    cli = pytest.importorskip("friendshore.cli")

    def by_command(case: str, run: str) -> dict[str, Any]:
        words = ["friendshore", "clear", str(EXAMPLES / f"{case}.yaml"), "--json"]
        monkeypatch.setattr(sys, "argv", words if run == "base" else [*words, "--experiment", run])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        assert not ended.value.code
        return json.loads(capsys.readouterr().out)

    return by_command


@pytest.mark.parametrize(("case", "run"), RUNS)
def test_the_printed_figures_are_met(case, run, solve):
    expected = CASES[case]["runs"][run]
    tolerance = {**CASES[case], **expected}
    found = solve(case, run)
    facts = list(facts_of(expected, found))
    assert facts, "a case without figures checks nothing"
    wrong = [
        f"{what}: expected {want!r}, found {came!r}"
        for what, want, came in facts
        if not abs(came - want) <= allowed(want, tolerance)
    ]
    assert not wrong, f"{found['status']}\n" + "\n".join(wrong)


@pytest.mark.parametrize(("case", "run"), RUNS)
def test_the_accounts_add_up_to_the_resources(case, run):
    found = by_python(case, run)
    size = sum(abs(line["usd"]) for line in found["accounts"])
    assert found["world_total_usd"] == pytest.approx(found["resource_total_usd"], rel=1e-9, abs=1e-9 * max(size, 1.0))
    assert sum(line["usd"] for line in found["accounts"]) == pytest.approx(
        found["world_total_usd"], abs=1e-9 * max(size, 1.0)
    )


TARIFFS = {
    run: x["change_from_base"] for run, x in CASES["two-country-tariff"]["runs"].items() if "change_from_base" in x
}


@pytest.mark.parametrize(("run", "change"), list(TARIFFS.items()), ids=list(TARIFFS))
def test_who_gains_from_a_measure_is_the_textbook_answer(run, change):
    before, after = by_python("two-country-tariff", "base"), by_python("two-country-tariff", run)
    for key, want in change.items():
        country, _, item = key.partition(" ")
        came = total(after, country, item) - total(before, country, item)
        assert came == pytest.approx(want, abs=1e-9), key


def test_an_optimal_tariff_is_one_over_the_elasticity_of_foreign_exports():
    price, imports = 1.0 + 1.0 / 3.0, 40.0 / 3.0
    slope = 40.0  # of foreign exports: supply 40 + 20 p less demand 80 - 20 p
    rate, specific = by_python("two-country-tariff", "ad valorem"), by_python("two-country-tariff", "tariff 1/3")
    assert pytest.approx(1.0 / (slope * price / imports)) == 0.25
    assert pick(rate, "indices", "wheat", "HOME") == pytest.approx(pick(specific, "indices", "wheat", "HOME"), abs=1e-9)


def test_a_transport_cost_is_paid_wherever_goods_move():
    """p_i + f_ij >= P_j everywhere, with equality where something flows."""
    found = by_python("three-countries", "base")
    for row in found["flows"]:
        gap = row["delivered_usd_t"] - pick(found, "indices", row["good"], row["importer"])
        assert gap >= -1e-6
        assert row["t"] < 1e-6 or gap < 1e-6


# -- figures of an outcome ----------------------------------------------------------------------------------------------


def allowed(want: float, tolerance: dict[str, Any]) -> float:
    """The relative tolerance; the absolute one for zeros, and for every figure where the case states no relative one."""
    if tolerance["relative"] == 0 or want == 0:
        return tolerance["absolute"]
    return tolerance["relative"] * abs(want)


def facts_of(expected: dict[str, Any], found: dict[str, Any]) -> Iterator[Fact]:
    for table in ("prices", "indices"):
        for good, country, want in pairs(expected.get(table, {})):
            yield f"{table} {good} {country}", want, pick(found, table, good, country)
    for table in ("output", "use"):
        for good, country, want in pairs(expected.get(table, {})):
            yield f"{table} {good} {country}", want, pick(found, table, good, country, "t", absent=0.0)
    for good, exporter, importer, want in triples(expected.get("flows", {})):
        yield f"flow {good} {exporter} {importer}", want, flow(found, good, exporter, importer, "t")
    for good, exporter, importer, want in triples(expected.get("levies", {})):
        yield f"levy {good} {exporter} {importer}", want, flow(found, good, exporter, importer, "levy_usd_t")
    for country, item, want in pairs(expected.get("accounts", {})):
        yield f"{item} of {country}", want, total(found, country, item)
    for country, want in expected.get("country_total_usd", {}).items():
        yield f"total of {country}", want, total(found, country)
    for key in ("world_total_usd", "resource_total_usd"):
        if key in expected:
            yield key, expected[key], found[key]
    if "rent" in expected:
        yield "rent", expected["rent"], next(row["rent"] for row in found["rents"] if row["kind"] == "quota")
    yield from resource_facts(expected.get("resource_parts_usd", {}), found["resource_parts_usd"])
    yield from transport_facts(expected, found)


def resource_facts(expected: dict[str, float], parts: dict[str, float]) -> Iterator[Fact]:
    names = {
        "final_utility": ("utility",),
        "production_cost": ("production_cost",),
        "freight": ("freight",),
        "sourcing_friction": ("switching", "origin_premium"),
    }
    for key, want in expected.items():
        yield key, want, sum(parts[name] for name in names[key])


def transport_facts(expected: dict[str, Any], found: dict[str, Any]) -> Iterator[Fact]:
    for good, country, want in pairs(expected.get("net_exports", {})):
        sold = sum(row["t"] for row in found["flows"] if row["good"] == good and row["exporter"] == country)
        bought = sum(row["t"] for row in found["flows"] if row["good"] == good and row["importer"] == country)
        yield f"net exports {country}", want, sold - bought
    for good, country, want in pairs(expected.get("index_above_cheapest_price", {})):
        cheapest = min(row["usd_t"] for row in found["prices"] if row["good"] == good)
        yield f"price {country}", want, pick(found, "indices", good, country) - cheapest
    if "freight_bill" in expected:
        yield "freight bill", expected["freight_bill"], found["resource_parts_usd"]["freight"]
    for good, exporter, importer, want in triples(expected.get("reduced_cost", {})):
        cost = flow(found, good, exporter, importer, "delivered_usd_t") - pick(found, "indices", good, importer)
        yield f"reduced cost {exporter} {importer}", want, cost


def pairs(block: dict[str, dict[str, float]]) -> Iterator[tuple[str, str, float]]:
    for first, inner in block.items():
        for second, want in inner.items():
            yield first, second, want


def triples(block: dict[str, dict[str, dict[str, float]]]) -> Iterator[tuple[str, str, str, float]]:
    for good, inner in block.items():
        for exporter, importer, want in pairs(inner):
            yield good, exporter, importer, want


def pick(
    found: dict[str, Any], table: str, good: str, country: str, column: str = "usd_t", absent: float | None = None
) -> float:
    for row in found[table]:
        if row["good"] == good and row["country"] == country:
            return row[column]
    assert absent is not None, f"{table} has no {good} of {country}"
    return absent


def flow(found: dict[str, Any], good: str, exporter: str, importer: str, column: str) -> float:
    lane = (good, exporter, importer)
    return next((r[column] for r in found["flows"] if (r["good"], r["exporter"], r["importer"]) == lane), 0.0)


def total(found: dict[str, Any], country: str, item: str = "") -> float:
    """Sum of the account lines of a country ('world': of all), of one item if it is named."""
    return sum(
        line["usd"]
        for line in found["accounts"]
        if country in (line["country"], "world") and item in (line["item"], "")
    )
