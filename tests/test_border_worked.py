"""Entries worked by hand, to the cent: US lines of 2026 with sections 301 and 232, Japanese, EU and UK lines, levies."""

from __future__ import annotations

import csv
import io
from decimal import Decimal
from functools import cache
from pathlib import Path

import pytest

pytest.importorskip("ibis", reason="the extra `border` is not installed")
pytest.importorskip("duckdb", reason="the extra `border` is not installed")

from friendshore import customs
from friendshore.agreement.document import Agreement
from friendshore.border.assess import assess_file, read_one
from friendshore.border.entries import NAMES
from friendshore.border.line import assess_line
from friendshore.border.terms import Law
from friendshore.world.tables import World

HERE = Path(__file__).parent / "border"
AMOUNTS = ("base_duty", "section_301", "section_232", "levy", "total")


def worked() -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO((HERE / "worked.csv").read_text(encoding="utf-8"))))


@cache
def law(agreement: str) -> Law:
    world = World.load()
    deal = Agreement.load(agreement) if agreement else None
    return customs.law(world, deal, rates=HERE / "rates.csv")


@pytest.fixture(scope="module")
def charged(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    """What the column rule charges on the same lines, as files."""
    found: dict[str, dict[str, str]] = {}
    for agreement in sorted({row["agreement"] for row in worked()}):
        folder = tmp_path_factory.mktemp("worked")
        lines = [row for row in worked() if row["agreement"] == agreement]
        text = io.StringIO()
        names = [name for name in NAMES if name == "line_id" or name in lines[0]]
        out = csv.DictWriter(text, names, extrasaction="ignore")
        out.writeheader()
        out.writerows(row | {"line_id": row["id"]} for row in lines)
        (folder / "entries.csv").write_text(text.getvalue(), encoding="utf-8")
        totals = assess_file(folder / "entries.csv", law(agreement), folder / "out.csv", folder / "refused.csv")
        assert totals.refused == 0, (folder / "refused.csv").read_text(encoding="utf-8")
        rows = csv.DictReader(io.StringIO((folder / "out.csv").read_text(encoding="utf-8")))
        found |= {row["line_id"]: row for row in rows}
    return found


def test_there_are_at_least_thirty() -> None:
    assert len(worked()) >= 30
    assert {row["importer"] for row in worked()} >= {"USA", "JPN"}


@pytest.mark.parametrize("row", worked(), ids=lambda row: row["id"])
def test_an_entry_comes_out_as_worked_by_hand(row: dict[str, str], charged: dict[str, dict[str, str]]) -> None:
    given = {name: row[name] for name in NAMES if row.get(name)}
    entry = read_one(given)
    assert not isinstance(entry, tuple)
    found = assess_line(entry, law(row["agreement"]))
    assert found.amounts is not None, (found.refusal, found.about)
    names = dict(zip(AMOUNTS, ("duty_c", "section_301_c", "section_232_c", "levy_c", "total_c"), strict=True))
    by_hand = {name: Decimal(row[name]) for name in AMOUNTS}
    assert {name: Decimal(found.amounts[key]) / 100 for name, key in names.items()} == by_hand
    many = charged[row["id"]]
    assert {name: Decimal(many[f"{name}_usd"]) for name in AMOUNTS} == by_hand


def test_the_document_tells_every_entry_with_its_amounts() -> None:
    """docs/border.md is what a customs officer follows by hand; it says what is tested here."""
    page = (Path(__file__).parent.parent / "docs" / "border.md").read_text(encoding="utf-8")
    for row in worked():
        line = next((each for each in page.splitlines() if each.startswith(f"| {row['id']} |")), "")
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        assert cells[-5:] == [row[name] for name in AMOUNTS], row["id"]
        assert row["date"] in cells
        assert row["hs"] in cells


def test_only_goods_counted_in_tonnes_of_themselves_are_measured_as_shipped() -> None:
    """Antimony oxide and ferro-vanadium are counted in tonnes of the element: their net mass alone says nothing of it."""
    assert law("").gross == {"ndfeb.magnet", "graphite.anode"}
