"""One line and a file of them: drawn declarations of many kinds, damaged ones among them, come out alike whoever asks.

The file goes through the reader and the columns, the line through the reader and exact decimals; schedules are those that ship.
"""

from __future__ import annotations

import csv
import io
import random
from datetime import date, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path

import pytest

pytest.importorskip("ibis", reason="the extra `border` is not installed")
pytest.importorskip("duckdb", reason="the extra `border` is not installed")

from friendshore import customs
from friendshore.agreement.document import read
from friendshore.border import entries
from friendshore.border.assess import WRITTEN, assess_file, entry_of, faults
from friendshore.border.engine import engine
from friendshore.border.found import find
from friendshore.border.line import Assessed, assess_line
from friendshore.border.reasons import REASONS
from friendshore.border.terms import Law
from friendshore.marked import noted
from friendshore.world.tables import World

ROUNDINGS = ("half_even", "half_up")
DEAL = """
title: Everything at once
in_force: 2027-01-01
parties: [USA, JPN, EU]
trade_area: {id: area, goods: [tungsten.apt, gallium.metal], preference: duty_free, article: Art. 3, illustrative: true, rule: invented}
floors:
  - {id: floor.antimony, good: antimony.metal, reference_price: 25000 USD per t of antimony, levy_on: cif, phase_in: 3y,
     article: Art. 6, illustrative: true, rule: invented,
     grade: {assay: 0.9965, of: antimony, usd_t_point: 60, article: Annex C}, related_parties: {within: 0.6, article: Art. 7}}
  - {id: floor.gallium, good: gallium.metal, reference_price: 500 USD per kg of gallium, levy_on: landed_duty_paid,
     article: Art. 8, illustrative: true, rule: invented}
  - {id: least.ndpr, good: ndpr.oxide, reference_price: 90 USD per kg of ndpr_oxide, levy_on: landed_duty_paid,
     form: minimum_import_price, article: Art. 9, illustrative: true, rule: invented,
     default_content: [{hs: "2846.90", form: oxide, content: 0.99, of: ndpr_oxide, article: Annex B}]}
tariff_quotas:
  - {id: quota.apt, good: tungsten.apt, exporters: non_parties, tonnes: 25, rate_in: 0.02, rate_out: 0.3, article: Art. 10,
     illustrative: true, rule: invented}
tariffs:
  - {id: duty.cobalt, goods: [cobalt.metal], exporters: non_parties, rate: 0.07, article: Art. 11, illustrative: true, rule: invented}
safeguards:
  - {id: relief, when: price_rise of gallium.metal in parties > 0.5, then: suspend floor.gallium, for: 6m,
     illustrative: true, rule: invented}
"""
RATES = "currency,day,usd,source\n" + "".join(
    f"{currency},{day},{usd},test\n"
    for day in ("2029-12-20", "2030-01-15", "2030-02-10")
    for currency, usd in (("EUR", "1.0837"), ("JPY", "0.006543"), ("GBP", "1.2701"))
)
STATES = "clause,state,from,until,decision\nrelief,triggered,2030-01-20,2030-01-31,Decision 1\n"
VALUES = (
    "good,origin,importer,from,to,method,usd_t,source\n"
    "antimony.metal,CHN,,2029-01-01,2031-12-31,identical,20000,test\n"
    "antimony.metal,,,2029-01-01,2031-12-31,computed,24000,test\n"
)
USED = "clause,territory,year,tonnes\nquota.apt,JPN,2030,15\n"
# importer, line, good, substance: lines of every schedule that ships, most with a good of the agreement.
LINES = (
    ("USA", "2841.80.00.10", "tungsten.apt", "wo3"), ("JPN", "284180000", "tungsten.apt", "wo3"),
    ("USA", "8112921000", "gallium.metal", "gallium"), ("JPN", "811292990", "gallium.metal", "gallium"),
    ("USA", "8110100000", "antimony.metal", "antimony"), ("DEU", "81101000", "antimony.metal", "antimony"),
    ("USA", "2846908090", "ndpr.oxide", "ndpr_oxide"), ("FRA", "28469090", "ndpr.oxide", "ndpr_oxide"),
    ("USA", "8105206000", "cobalt.metal", "cobalt"), ("JPN", "750210000", "other", ""), ("GBR", "28369100", "other", ""),
    ("USA", "2611006000", "other", "tungsten"), ("USA", "2613100000", "other", "molybdenum"), ("USA", "7610100010", "other", ""),
    ("USA", "8505110070", "ndfeb.magnet", ""), ("USA", "8105206000", "", ""), ("USA", "9999999999", "other", ""),
    ("BRA", "8110100000", "other", ""), ("USA", "2611006000", "other", "tin"), ("USA", "8112921000", "tungsten.apt", "wo3"),
)  # fmt: skip
DAMAGES = {
    "date": "14.03.2027",
    "net_mass_kg": "1.000,5",
    "price": "2e4",
    "currency": "usd",
    "hs": "2841",
    "assay": "88.5",
}


def drawn(seed: int, number: int) -> list[dict[str, str]]:
    """So many lines as a declarant writes them."""
    dice, found = random.Random(seed), []
    for each in range(number):
        importer, hs, good, substance = dice.choice(LINES)
        assayed = bool(substance) and dice.random() < 0.8
        day = date(2030, 1, 1) + timedelta(days=dice.randrange(60))
        grams = dice.randrange(1, 20_000_000)
        row = {
            "line_id": f"L{each:04d}", "date": str(day), "importer": importer,
            "origin": dice.choice(("CHN", "CHN", "CHN", "VNM", "JPN", "AUS", "KOR", "RUS", "DEU", "USA")), "hs": hs,
            "net_mass_kg": f"{grams / 1000:.3f}", "price": f"{max(1, grams * dice.choice((1, 10, 18, 22, 70, 400)) // 10) / 100:.2f}",
            "currency": dice.choice(("USD", "USD", "USD", "USD", "EUR", "EUR", "JPY", "GBP", "CNY")),
            "delivery": dice.choice(("EXW", "FCA", "FOB", "CFR", "CIF", "CIF", "DAP", "DDP")),
            "freight": dice.choice(("", "0", "1250.5", "1250.50")), "insurance": dice.choice(("", "12", "99.99")), "good": good,
            "assay": dice.choice(("88.5%", "0.9965", f"{dice.random():.9f}")) if assayed else "",
            "assay_of": substance if assayed else "", "moisture": dice.choice(("", "", "1.5%", "0.123456789")),
            "related": dice.choice(("", "N", "Y", "E")), "proof": dice.choice(("", "none", "treaty", "agreement")),
            "proof_date": dice.choice(("", "2029-06-01", "2030-01-15", "2028-12-31")),
        }  # fmt: skip
        if dice.random() < 0.06:
            row |= dict([dice.choice(list(DAMAGES.items()))])
        found.append(row)
    return found


@cache
def law(folder: Path) -> Law:
    world = World.load()
    files = {"rates": RATES, "states": STATES, "values": VALUES, "quota_used": USED}
    for name, text in files.items():
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    deal = read(noted(DEAL.encode(), name="deal.yaml"), world)
    return customs.law(world, deal, **{name: folder / f"{name}.csv" for name in files})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The drawn file."""
    folder = tmp_path_factory.mktemp("explained")
    rows = drawn(11, 600)
    with (folder / "entries.csv").open("w", encoding="utf-8", newline="") as text:
        out = csv.DictWriter(text, list(rows[0]))
        out.writeheader()
        out.writerows(rows)
    return folder


def table(file: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(file.read_text(encoding="utf-8"))))


def said(found: Assessed) -> dict[str, str]:
    """What the file of assessed lines says, of one line."""
    assert found.amounts is not None
    assert found.beside is not None
    entry, terms = found.entry, found.terms
    amounts = {
        name: "" if cents is None else f"{Decimal(cents) / 100:.2f}"
        for name, cents in (found.amounts | found.beside).items()
    }
    declared = {"price": entry.price_c, "freight": entry.freight_c, "insurance": entry.insurance_c}
    stated = found.beside["stated_g"]
    return {
        **{name: "" if cents is None else f"{Decimal(cents) / 100:.2f}" for name, cents in declared.items()},
        "currency": terms.kind.currency, "delivery": terms.kind.delivery, "basis": "fob" if terms.at_fob else "cif",
        "exchange": terms.fx_text, "customs_value_usd": amounts["customs_c"],
        "contained_t": "" if stated is None else f"{Decimal(stated) / 10**6:.6f}",
        "mfn_usd": amounts["mfn_c"], "preference_usd": amounts["preferred_c"], "base_duty_usd": amounts["duty_c"],
        "section_301_usd": amounts["section_301_c"], "section_232_usd": amounts["section_232_c"],
        "section_122_usd": amounts["section_122_c"], "duty_on_top_usd": amounts["surcharge_c"], "levy_usd": amounts["levy_c"],
        "total_usd": amounts["total_c"], "reasons": " ".join(found.reasons), "warnings": " ".join(found.warnings),
        "sources": terms.sources, "clause": terms.clause, "article": terms.article, "as_of": str(terms.kind.day),
    }  # fmt: skip


def test_the_page_names_every_column_of_an_assessed_line() -> None:
    page = (Path(__file__).parents[1] / "docs" / "border.md").read_text(encoding="utf-8")
    assert [name for name in WRITTEN if f"| `{name}` |" not in page] == []


@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_every_line_of_a_drawn_file_is_explained_as_it_was_assessed(rounding: str, folder: Path) -> None:
    done, left = folder / f"{rounding}.csv", folder / f"{rounding}_refused.csv"
    totals = assess_file(folder / "entries.csv", law(folder), done, left, rounding=rounding)  # type: ignore[arg-type]
    many = {row["line_id"]: row for row in table(done)}
    came = [row["line_id"] for row in table(folder / "entries.csv")]
    assert list(many) == [line for line in came if line in many]  # in the order of the file
    refused: dict[str, list[str]] = {}
    for row in table(left):
        refused.setdefault(row["line_id"], []).append(row["code"])
    assert totals.lines == 600 == len(many) + len(refused)
    with engine() as con:
        raw = entries.open_file(con, folder / "entries.csv")
        rows = sorted(
            entries.checked(raw).to_pyarrow().to_pylist(), key=lambda row: (row["day"] or date.max, row["row"])
        )
    taken: dict[str, int] = {}
    reached: dict[str, int] = {}
    for row in rows:
        name = row["line_id"]
        if row["faults"]:
            assert [fault.code for fault in faults(row["faults"])] == refused[name], row
            continue
        entry = entry_of(row)
        one = assess_line(entry, law(folder), rounding)  # type: ignore[arg-type]
        quota = one.terms.quota_name
        if quota:
            one = assess_line(entry, law(folder), rounding, quota_before_g=taken.get(quota, 0))  # type: ignore[arg-type]
        if one.amounts is None:
            assert refused[name] == [one.refusal], row
            reached[one.refusal] = reached.get(one.refusal, 0) + 1
            continue
        wanted = said(one)
        assert {column: many[name][column] for column in wanted} == wanted, row
        taken[quota] = taken.get(quota, 0) + one.amounts["contained_g"]
        for code in (*one.reasons, *one.warnings):
            reached[code] = reached.get(code, 0) + 1
        cheapest = min(option.total_c for option in one.options)
        assert one.options[0].total_c == cheapest
        assert [option.total_c for option in one.options if option.charged] == [one.amounts["total_c"]]
    wanted_codes = (
        "D1 D2 D3 D5 D6 D7 D9 A1 A2 A4 L0 L1 L2 L3 L4 L5 P1 P2 P3 W2 W3 W4 W5 W6 W8 W9 W10 W11 W12 W14 "
        "N01 N02 N04 N05 N06 N07 N08 N09 N10 N11 N15 N16"
    )
    missed = [code for code in wanted_codes.split() if code not in reached]
    assert not missed, f"no line came to {missed}: {reached}"
    assert set(reached) <= set(REASONS)


def test_a_line_asked_for_in_its_file_is_the_line_of_the_file(folder: Path) -> None:
    """By id, the quota filled by the lines before it, faults as they were refused."""
    done, left = folder / "one.csv", folder / "one_refused.csv"
    assess_file(folder / "entries.csv", law(folder), done, left)
    many = table(done)
    straddling = [row for row in many if row["reasons"].split()[0] in ("D5", "D6", "D7")][:6]
    for row in [*straddling, *many[::60]]:
        one = find(folder / "entries.csv", row["line_id"], law(folder))
        assert isinstance(one, Assessed)
        wanted = said(one)
        assert {column: row[column] for column in wanted} == wanted
    lacking = table(left)
    for name in sorted({row["line_id"] for row in lacking})[::30]:
        codes = [row["code"] for row in lacking if row["line_id"] == name]
        found = find(folder / "entries.csv", name, law(folder))
        assert ([found.refusal] if isinstance(found, Assessed) else [fault.code for fault in found]) == codes
