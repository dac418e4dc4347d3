"""Prices of the status quo stand beside quotations, place by place, and what is far off is named."""

from __future__ import annotations

from dataclasses import dataclass, replace

import polars as pl
import pytest

from friendshore.report import observed as page
from friendshore.world.observed import Quotation, quotations
from friendshore.world.tables import World


@dataclass
class Cleared:
    """As much of an outcome as prices are read from: two makers, three buyers of one good."""

    flows: pl.DataFrame
    prices: pl.DataFrame
    output: pl.DataFrame
    use: pl.DataFrame
    indices: pl.DataFrame


OUTCOME = Cleared(
    flows=pl.DataFrame(
        {
            "good": ["a.metal"] * 3,
            "importer": ["DEU", "FRA", "JPN"],
            "t": [3.0, 1.0, 1.0],
            "delivered_usd_t": [1000.0, 2000.0, 4000.0],
        }
    ),
    prices=pl.DataFrame({"good": ["a.metal", "a.metal"], "country": ["CHN", "DEU"], "usd_t": [500.0, 900.0]}),
    output=pl.DataFrame({"good": ["a.metal", "a.metal"], "country": ["CHN", "DEU"], "base_t": [4.0, 1.0]}),
    use=pl.DataFrame({"good": ["a.metal"] * 2, "country": ["DEU", "JPN"], "t": [4.0, 1.0], "unserved_t": [0.0, 2.0]}),
    indices=pl.DataFrame(
        {"good": ["a.metal"] * 2, "country": ["DEU", "JPN"], "usd_t": [1250.0, 4000.0], "base_usd_t": [1000.0, 800.0]}
    ),
)
UNION = {"DEU": "EUN", "FRA": "EUN"}


@pytest.mark.parametrize(
    ("place", "usd_t"), [("JPN", 4000.0), ("EUN", 1250.0), ("world", 1800.0), ("CHN", 500.0), ("USA", None)]
)
def test_a_price_is_what_buyers_of_the_place_pay_on_average_or_its_makers_get(place, usd_t):
    assert page.price(OUTCOME, "a.metal", place, UNION) == usd_t


def quoted(place: str, usd_t: float) -> Quotation:
    return Quotation("a.metal", place, "2025-01-02", usd_t, "as printed", "https://example.org", "")


def test_what_is_far_from_its_quotation_is_named_and_a_shortage_is_marked():
    text = page.beside(OUTCOME, [quoted("EUN", 1300.0), quoted("JPN", 1000.0), quoted("USA", 1.0)], UNION)
    lines = {line.split()[1]: line for line in text.splitlines() if line.strip().startswith("a.metal")}
    assert set(lines) == {"EUN", "JPN"}
    assert "far off" not in lines["EUN"]
    assert "far off, users unserved" in lines["JPN"]
    assert "a.metal in JPN (4.00)" in " ".join(text.split())


def test_a_price_at_which_use_stops_is_named_with_its_multiple():
    assert page.choked(OUTCOME).startswith(
        "At the price where use stops, users go unserved of a.metal in one country (5.0)"
    )
    served = replace(OUTCOME, use=OUTCOME.use.with_columns(unserved_t=pl.lit(0.0)))
    assert page.choked(served) == "Nobody goes unserved in the status quo."


def test_without_quotations_there_is_no_section():
    assert page.beside(OUTCOME, [], UNION) == ""


def test_every_quotation_is_of_a_known_good_place_and_page():
    world = World.load()
    known = {*world.countries["code"], *world.territories["code"], "world"}
    found = quotations(world)
    assert len(found) > 5
    for each in found:
        assert each.place in known
        assert each.usd_t > 0
        assert each.url.startswith("http")
        assert each.quoted


def test_the_account_shows_them(capsys):
    from friendshore.cli import main

    with pytest.raises(SystemExit):
        main(["run", "no-agreement", "--no-stability"])
    assert "PRICES OF THE STATUS QUO BESIDE QUOTATIONS" in capsys.readouterr().out
