"""What is compared with a reference price: the same grade, a price between strangers; worked by hand, and alike on columns."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

pytest.importorskip("ibis", reason="the extra `border` is not installed")
pytest.importorskip("duckdb", reason="the extra `border` is not installed")

from friendshore import customs
from friendshore.agreement.document import Agreement
from friendshore.border import declared_price
from friendshore.border.assess import assess_file, read_one
from friendshore.border.line import Assessed, assess_line
from friendshore.border.terms import Law
from friendshore.errors import InputRefused
from friendshore.world.tables import World

AGREEMENT = """\
title: A floor on antimony metal of a stated grade
in_force: 2027-01-01
parties: [USA, JPN]
floors:
  - id: floor.antimony
    good: antimony.metal
    reference_price: 25000 USD per t of antimony
    levy_on: cif
    article: Art. 6
    illustrative: true
    rule: invented for these tests
    grade: {assay: 0.9965, of: antimony, usd_t_point: 60, article: Annex C}
    related_parties: {within: 0.05, article: Art. 7}
"""
VALUES = """\
good,origin,importer,from,to,method,usd_t,source
antimony.metal,CHN,,2027-01-01,2027-12-31,identical,20000,sales of May to strangers
antimony.metal,CHN,USA,2027-06-01,2027-12-31,identical,22000,sales of June to strangers
antimony.metal,CHN,,2027-01-01,2027-12-31,computed,18000,cost sheet of the plant
antimony.metal,VNM,,2027-01-01,2027-12-31,deductive,19000,resale less a tenth
"""
# 10 t, 98 % antimony, cif of 180,000 in all: 9.8 t contained, 18,367.35 USD for each
LINE = {
    "date": "2027-03-01", "importer": "USA", "origin": "CHN", "hs": "8110100000", "net_mass_kg": "10000",
    "price": "176000.00", "currency": "USD", "delivery": "FOB", "freight": "3600.00", "insurance": "400.00",
    "good": "antimony.metal", "assay": "0.98", "assay_of": "antimony",
}  # fmt: skip
# The reference of the line: 25,000 - 1.65 points x 60 = 24,901.00 USD a tonne

CASES: dict[str, tuple[dict[str, str], str, tuple[str, ...]]] = {
    # what is declared otherwise -> levy by hand, codes beside the duty's
    "strangers": ({}, "64029.80", ("L1", "P3")),  # 9.8 x 24,901 - 180,000
    "strangers of a higher grade": ({"assay": "1"}, "70210.00", ("L1", "P3")),  # 10 x (25,000 + 0.35 x 60) - 180,000
    "strangers of the grade": ({"assay": "0.9965"}, "69125.00", ("L1",)),  # 9.965 x 25,000 - 180,000
    "related, close to the computed value": ({"related": "Y"}, "64029.80", ("L1", "P3", "P1")),  # 180,000 within 5 % of 176,400
    "related, close to sales to strangers": ({"related": "Y", "price": "190000.00"}, "50029.80", ("L1", "P3", "P1")),  # 194,000 to 196,000
    "related and far above": ({"related": "Y", "price": "240000.00"}, "48029.80", ("L1", "P3", "P2")),  # compared at 9.8 x 20,000
    "related and far below": ({"related": "Y", "price": "100000.00"}, "48029.80", ("L1", "P3", "P2")),
    "related, the later value counts": (
        {"related": "Y", "price": "240000.00", "date": "2027-07-01"}, "28429.80", ("L1", "P3", "P2"),  # 9.8 x (24,901 - 22,000)
    ),
    "related, examined by customs": ({"related": "E", "price": "240000.00"}, "29.80", ("L1", "P3")),  # 244,029.80 - 244,000
    "related, next method deductive": ({"related": "Y", "origin": "VNM", "price": "240000.00"}, "57829.80", ("L1", "P3", "P2")),
}  # fmt: skip


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> Law:
    folder = tmp_path_factory.mktemp("graded")
    (folder / "graded.yaml").write_text(AGREEMENT, encoding="utf-8")
    (folder / "values.csv").write_text(VALUES, encoding="utf-8")
    world = World.load()
    return customs.law(world, Agreement.load(folder / "graded.yaml", world), values=folder / "values.csv")


def one(given: dict[str, str], rules: Law) -> Assessed:
    entry = read_one(LINE | given)
    assert not isinstance(entry, tuple), entry
    return assess_line(entry, rules)


@pytest.mark.parametrize("name", CASES)
def test_a_price_is_tested_as_worked_by_hand(name: str, rules: Law) -> None:
    given, levy, codes = CASES[name]
    found = one(given, rules)
    assert found.amounts is not None, (found.refusal, found.about)
    assert Decimal(found.amounts["levy_c"]) / 100 == Decimal(levy)
    assert found.reasons == ("D1", *codes)
    declared = Decimal(given.get("price", LINE["price"])) * 100
    assert found.amounts["customs_c"] == declared  # never lifted to a reference price or a test value


def test_columns_test_prices_alike(rules: Law, tmp_path: Path) -> None:
    rows = [LINE | given | {"line_id": name} for name, (given, _, _) in CASES.items()]
    rows += [LINE | {"line_id": "none", "related": "Y", "origin": "MMR"}]
    names = ["line_id", *LINE, "related"]
    with (tmp_path / "entries.csv").open("w", encoding="utf-8", newline="") as text:
        out = csv.DictWriter(text, names)
        out.writeheader()
        out.writerows(rows)
    assess_file(tmp_path / "entries.csv", rules, tmp_path / "out.csv", tmp_path / "refused.csv")
    many = {
        row["line_id"]: row for row in csv.DictReader(io.StringIO((tmp_path / "out.csv").read_text(encoding="utf-8")))
    }
    assert set(many) == set(CASES)
    for name, (given, levy, codes) in CASES.items():
        assert Decimal(many[name]["levy_usd"]) == Decimal(levy), name
        assert many[name]["reasons"].split() == ["D1", *codes], name
        assert Decimal(many[name]["customs_value_usd"]) == Decimal(given.get("price", LINE["price"])), name
    refused = list(csv.DictReader(io.StringIO((tmp_path / "refused.csv").read_text(encoding="utf-8"))))
    assert [(row["line_id"], row["code"]) for row in refused] == [("none", "N17")]


def test_columns_equal_the_line_at_the_edges_of_closeness(rules: Law, tmp_path: Path) -> None:
    """Prices a cent apart around each edge of each test value, with assays that do not come out even."""
    rows = []
    for assay in ("0.98", "0.9733337", "0.999999999", "0.5"):
        contained = Decimal(10) * Decimal(assay)
        for value in (20000, 18000):
            for edge in (Decimal("0.95"), Decimal("1.05")):
                at = (contained * value * edge).quantize(Decimal("0.01")) - 4000
                for cents in (-2, -1, 0, 1, 2):
                    rows.append(
                        LINE
                        | {
                            "line_id": f"{len(rows)}",
                            "related": "Y",
                            "assay": assay,
                            "price": f"{at + Decimal(cents) / 100:.2f}",
                        }
                    )
    with (tmp_path / "entries.csv").open("w", encoding="utf-8", newline="") as text:
        out = csv.DictWriter(text, ["line_id", *LINE, "related"])
        out.writeheader()
        out.writerows(rows)
    assess_file(tmp_path / "entries.csv", rules, tmp_path / "out.csv", tmp_path / "refused.csv")
    many = {
        row["line_id"]: row for row in csv.DictReader(io.StringIO((tmp_path / "out.csv").read_text(encoding="utf-8")))
    }
    seen = set()
    for row in rows:
        found = one({name: value for name, value in row.items() if name != "line_id"}, rules)
        assert found.amounts is not None
        assert Decimal(many[row["line_id"]]["levy_usd"]) * 100 == found.amounts["levy_c"], row
        assert tuple(many[row["line_id"]]["reasons"].split()) == found.reasons, row
        seen |= set(found.reasons)
    assert {"P1", "P2", "P3"} <= seen


def test_without_a_test_value_no_levy_is_told_and_what_is_missing_is_named(rules: Law) -> None:
    found = one({"related": "Y", "origin": "MMR"}, rules)
    assert (found.refusal, found.amounts) == ("N17", None)
    assert "floor.antimony" in found.about
    assert found.missing is not None
    assert "test value" in found.missing.fix


def test_the_working_names_grade_and_method(rules: Law) -> None:
    found = one({"related": "Y", "price": "240000.00"}, rules)
    steps = {step.layer: step for step in found.steps}
    assert "24,901.00 (25,000.00 - 99.00, 60.00 a point from 99.65%, Annex C)" in steps["levy"].data
    assert "Article 2, identical goods: 20000 USD/t, sales of May to strangers" in steps["related parties"].data
    assert steps["related parties"].article == "Art. 7"


def test_a_clause_that_asks_for_neither_takes_the_price_with_a_warning(rules: Law) -> None:
    plain = replace(rules, price_tests={})
    found = one({"related": "Y", "price": "240000.00"}, plain)
    assert found.reasons == ("D1", "L1")
    assert "W2" in found.warnings


def test_a_minimum_import_price_is_of_a_grade_too(rules: Law) -> None:
    duty = next(each for each in rules.duties(date(2027, 3, 1)) if each.good == "antimony.metal")
    from friendshore.faces import Lane, PriceGap

    lane = Lane(good=duty.good, exporters=duty.exporters, importers=duty.importers)
    gap = PriceGap(clause="floor.antimony", lane=lane, reference_usd_t=25000.0, levy_on="cif", exporter_share=1.0)
    least = replace(rules, duties=lambda day: (), floors=lambda day: (gap,))
    # 9.8 t x 24,901 = 244,029.80
    below, above = one({"price": "240029.79"}, least), one({"price": "240029.80"}, least)
    assert "W5" in below.warnings
    assert "W5" not in above.warnings


def test_files_of_values_are_refused_with_every_problem(tmp_path: Path) -> None:
    file = tmp_path / "values.csv"
    file.write_text(
        VALUES.replace("identical,20000", "guessed,20000").replace("2027-12-31,computed", "2027-02-30,computed"),
        encoding="utf-8",
    )
    with pytest.raises(InputRefused) as refused:
        declared_price.read(file)
    assert [problem.place.line for problem in refused.value.problems if problem.place] == [2, 4]
    file.write_text("good,usd_t\n", encoding="utf-8")
    with pytest.raises(InputRefused, match="lacks origin"):
        declared_price.read(file)


def test_a_grade_in_another_substance_is_refused_and_one_without_use_too(tmp_path: Path) -> None:
    world = World.load()
    for old, new, said in (
        ("of: antimony,", "of: wo3,", "antimony.metal is not measured by 'wo3'"),
        (
            "levy_on: cif",
            "levy_on: cif\n    form: fixed_duty\n    price_at_adoption: 20000 USD per t of antimony",
            "grade has no meaning",
        ),
    ):
        file = tmp_path / "deal.yaml"
        file.write_text(AGREEMENT.replace(old, new), encoding="utf-8")
        with pytest.raises(InputRefused, match=said):
            Agreement.load(file, world)
