"""Measures for a tariff database: every clause has its place, the days leave no gap, the expressions charge what `assess` charges."""

from __future__ import annotations

import csv
import itertools
import json
import random
import re
from dataclasses import replace
from datetime import date, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from typer.testing import CliRunner

from friendshore import customs
from friendshore.agreement.document import Agreement, presets, read
from friendshore.border import measures as layout
from friendshore.border import publication
from friendshore.border.line import Entry, assess_line
from friendshore.border.scaled import NANO
from friendshore.border.tariff import Measure, gather
from friendshore.cli import app
from friendshore.customs import measures, published
from friendshore.customs.measures import Exported
from friendshore.errors import InputRefused
from friendshore.marked import noted
from friendshore.world.tables import World

D = Decimal
EXAMPLES = Path(__file__).resolve().parent.parent / "examples" / "border"


@cache
def world() -> World:
    return World.load()


@cache
def preset(name: str) -> Agreement:
    return Agreement.load(name, world())


def deal(clauses: str, **more: str) -> Agreement:
    head = f"title: T\nin_force: {more.get('in_force', '2027-01-01')}\nparties: {more.get('parties', '[USA, JPN]')}\n"
    return read(noted((head + clauses).encode(), name="deal.yaml"), world())


INVENTED = "illustrative: true, rule: invented"


def export(agreement: Agreement, **more: Any) -> Exported:
    return measures.export(world(), agreement, **more)


# -- everything has its place ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", presets())
def test_every_clause_is_exported_or_listed_with_its_reason(name: str) -> None:
    agreement = preset(name)
    found = export(agreement).tables
    shown = {row["clause"] for row in found["measures"]}
    others = {row["clause"]: row["reason"] for row in found["not_border_measures"]}
    assert shown | set(others) == {clause.id for clause in agreement.clauses}
    assert not shown & set(others)
    assert all(others.values())
    assert not any(reason.startswith("reaches nobody") for reason in others.values())
    _whole(found)


def _whole(found: layout.Tables) -> None:
    """What the tables refer to is there, and each is named by its columns."""
    assert list(found) == list(layout.COLUMNS)
    assert all(list(row) == list(layout.COLUMNS[name]) for name, rows in found.items() for row in rows)
    sids = [row["measure_sid"] for row in found["measures"]]
    assert sids == list(range(1, len(sids) + 1))
    for name in ("measure_components", "measure_conditions", "footnote_association_measures"):
        assert {row["measure_sid"] for row in found[name]} <= set(sids)
    conditions = {row["measure_condition_sid"] for row in found["measure_conditions"]}
    assert {row["measure_condition_sid"] for row in found["measure_condition_components"]} <= conditions
    areas = {row["geographical_area_id"] for row in found["geographical_areas"]}
    assert areas == {row["geographical_area_id"] for row in found["geographical_area_members"]}
    assert {row["geographical_area_id"] for row in found["measures"]} <= areas
    orders = {row["ordernumber"] for row in found["quota_order_numbers"]}
    assert orders == {row["ordernumber"] for row in found["measures"]} - {""}
    assert orders == {row["ordernumber"] for row in found["quota_definitions"]}
    codes = {(row["table"], row["code"]) for row in found["codes"]}
    assert {("measure_types", row["measure_type_id"]) for row in found["measures"]} <= codes
    assert {("actions", row["action_code"]) for row in found["measure_conditions"]} <= codes
    assert all(re.fullmatch("[0-9]{10}", row["goods_nomenclature_item_id"]) for row in found["measures"])


@pytest.mark.parametrize(
    "name", ["plurilateral-2026", "with-brazil", "members-restrict", "african-refining", "minimum-import-price"]
)
def test_the_days_leave_no_gap_and_none_counts_twice(name: str) -> None:
    agreement = preset(name)
    found = export(agreement).tables
    key = (
        "territory",
        "trade_movement",
        "measure_type_id",
        "clause",
        "good",
        "goods_nomenclature_item_id",
        "geographical_area_id",
    )
    rows: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for row in found["measures"]:
        rows.setdefault(tuple(row[column] for column in key), []).append(row)
    for held in rows.values():
        held.sort(key=lambda row: row["validity_start_date"])
        for one, other in itertools.pairwise(held):
            assert one["validity_end_date"] is not None
            assert one["validity_end_date"] < other["validity_start_date"]
    for day in (date(2027, 6, 1), date(2029, 12, 31), date(2030, 1, 1), date(2040, 1, 1)):
        held_on = {_about(row, found) for row in found["measures"] if _holds(row, day) and not row["stage"]}
        asked = export(agreement, as_of=day).tables
        assert held_on == {_about(row, asked) for row in asked["measures"] if not row["stage"]}


def _holds(row: dict[str, Any], day: date) -> bool:
    ends = row["validity_end_date"]
    return row["validity_start_date"] <= day and (ends is None or day <= ends)


def _about(row: dict[str, Any], found: layout.Tables) -> tuple[Any, ...]:
    """A measure without the numbers that only its own export gives it."""
    area = row["geographical_area_id"]
    members = frozenset(m["alpha3"] for m in found["geographical_area_members"] if m["geographical_area_id"] == area)
    columns = (
        "territory",
        "measure_type_id",
        "goods_nomenclature_item_id",
        "good",
        "duty_expression",
        "factor",
        "clause",
    )
    return (members, *(row[column] for column in columns))


# -- the expressions charge what is assessed -------------------------------------------------------------------------

PART = re.compile(r"(?P<rate>[0-9.]+)%|(?P<usd>[0-9.]+) USD/t")
LEVY = re.compile(r"MAX\(0, (?P<usd>[0-9.]+) USD/t - (?P<base>CIF|\(CIF \+ DUTIES\))\)")


def cent(exact: Decimal) -> int:
    return int((exact * 100).quantize(D(1), ROUND_HALF_EVEN))


def owed(
    expression: str, factor: Decimal, *, value: Decimal, cif: Decimal, duties: Decimal, contained_t: Decimal
) -> int:
    """Cents owed under an expression of the table, read from its text alone; each part of a duty to the cent."""
    if match := LEVY.fullmatch(expression):
        base = cif if match["base"] == "CIF" else cif + duties
        return cent(factor * max(D(0), D(match["usd"]) * contained_t - base))
    if expression == "MFN":
        return cent(D("0.6") * factor * value)
    total = 0
    for part in expression.split(" + "):
        match = PART.fullmatch(part)
        assert match is not None, expression
        total += cent(D(match["rate"]) / 100 * value if match["rate"] else D(match["usd"]) * contained_t)
    return total


def exported(agreement: Agreement, day: date, tmp_path: Path) -> list[dict[str, str]]:
    """The rows as a database would load them: from the CSV file."""
    layout.write(export(agreement, as_of=day).tables, tmp_path)
    with (tmp_path / "measures.csv").open(encoding="utf-8", newline="") as text:
        return list(csv.DictReader(text))


def members_of(tmp_path: Path) -> dict[str, list[str]]:
    with (tmp_path / "geographical_area_members.csv").open(encoding="utf-8", newline="") as text:
        found: dict[str, list[str]] = {}
        for row in csv.DictReader(text):
            found.setdefault(row["geographical_area_id"], []).append(row["alpha3"])
    return found


@pytest.mark.parametrize(
    ("name", "day"),
    [
        ("plurilateral-2026", date(2030, 1, 1)),
        ("plurilateral-2026", date(2028, 6, 1)),
        ("plurilateral-2026-derivatives", date(2030, 1, 1)),
        ("with-brazil", date(2030, 1, 1)),
        ("alliance-duties", date(2030, 1, 1)),
        ("one-tariff", date(2027, 1, 1)),
        ("one-floor", date(2027, 1, 1)),
        ("eleven-accede", date(2030, 1, 1)),
    ],
)
def test_lines_charged_by_the_table_owe_what_assess_says(name: str, day: date, tmp_path: Path) -> None:
    agreement = preset(name)
    rows = exported(agreement, day, tmp_path)
    members = members_of(tmp_path)
    law = customs.law(world(), agreement, as_of=day)
    lines, seen, tried = [], set(), 0
    for row in rows:
        key = (row["clause"], row["measure_type_id"], row["territory"], row["good"])
        if key in seen or row["measure_type_id"] not in ("142", "652", "695", "103"):
            continue
        seen.add(key)
        lines.append(row)
    schedule = [
        Measure(row["territory"], row["goods_nomenclature_item_id"], "mfn", "m", frozenset(), "60%", "", None, None, "")
        for row in rows
    ]
    own = replace(law, tariff=gather({(m.territory, m.line): m for m in schedule}.values()), gross=frozenset())
    of_territory = {own.territory(code): code for code in sorted(own.countries)}
    for row in lines:
        area = members[row["geographical_area_id"]]
        origin = next(code for code in sorted(area, key=lambda each: (each not in own.countries, each)))
        kind = row["measure_type_id"]
        proof = "agreement" if kind == "142" else "none"
        entry = Entry(
            line_id="1", day=day, importer=of_territory[row["territory"]], origin=origin, hs=row["goods_nomenclature_item_id"],
            net_g=1_234_567, price_c=1_000_003, freight_c=12_345, insurance_c=678, delivery="FOB", good=row["good"],
            assay_n=NANO, assay_of=row["good"], proof=proof,
        )  # fmt: skip
        found = assess_line(entry, own)
        assert found.amounts is not None, (row, found.about)
        amount = found.amounts
        expected = owed(
            row["duty_expression"], D(row["factor"]), value=D(amount["customs_c"]) / 100, cif=D(amount["cif_c"]) / 100,
            duties=D(amount["total_c"] - amount["levy_c"]) / 100, contained_t=D(amount["contained_g"]) / 10**6,
        )  # fmt: skip
        charged = {"652": "levy_c", "695": "surcharge_c", "142": "duty_c", "103": "duty_c"}[kind]
        # several clauses on top of one another are one amount of the line
        several = (
            kind == "695"
            and len({r["clause"] for r in rows if r["good"] == row["good"] and r["measure_type_id"] == "695"}) > 1
        )
        assert amount[charged] == expected or several, (row, amount)
        tried += expected > 0 or kind == "142"
    assert tried > (0 if name == "one-floor" else 1)


class Database:
    """A tariff database: it has the tables' CSV files and nothing else, and charges by components and conditions."""

    def __init__(self, folder: Path) -> None:
        def rows(name: str) -> list[dict[str, str]]:
            with (folder / f"{name}.csv").open(encoding="utf-8", newline="") as text:
                return list(csv.DictReader(text))

        def by(name: str) -> dict[str, list[dict[str, str]]]:
            found: dict[str, list[dict[str, str]]] = {}
            for row in rows(name):
                found.setdefault(row["measure_sid"], []).append(row)
            return found

        self.measures = rows("measures")
        self.members = members_of(folder)
        self.components, self.conditions = by("measure_components"), by("measure_conditions")
        self.difference = {
            row["measure_condition_sid"]: D(row["duty_amount"]) for row in rows("measure_condition_components")
        }

    def held(self, territory: str, origin: str, hs: str, good: str, day: date) -> list[dict[str, str]]:
        return [
            row for row in self.measures
            if (row["territory"], row["goods_nomenclature_item_id"][:6], row["good"], row["trade_movement"])
            == (territory, hs, good, "import")
            and origin in self.members[row["geographical_area_id"]]
            and row["validity_start_date"] <= day.isoformat() <= (row["validity_end_date"] or "9999-12-31")
        ]  # fmt: skip

    def levy_c(self, row: dict[str, str], *, cif: Decimal, duties: Decimal, tonnes: Decimal, proof: bool) -> int:
        for asked in self.conditions[row["measure_sid"]]:
            if asked["condition_code"] == "B":
                if asked["action_code"] == "07" and proof:
                    return 0
                continue
            base = cif if asked["condition_code"] == "N" else cif + duties
            if asked["condition_duty_amount"]:
                if base >= D(asked["condition_duty_amount"]) * tonnes:
                    return 0
            else:
                lifted = self.difference[asked["measure_condition_sid"]] * tonnes
                return cent(D(row["factor"]) * (lifted - base))
        raise AssertionError(row)

    def preference_c(self, row: dict[str, str], *, value: Decimal, mfn: Decimal, tonnes: Decimal) -> int:
        if row["duty_expression"] == "MFN":
            return cent(D(row["factor"]) * mfn * value)
        parts = self.components[row["measure_sid"]]
        return cent(
            sum(
                (D(p["duty_amount"]) * (tonnes if p["monetary_unit_code"] else value / 100) for p in parts),
                D(0),
            )
        )


@pytest.mark.parametrize("name", ["plurilateral-2026", "with-brazil", "plurilateral-2026-derivatives"])
def test_a_database_that_loads_the_tables_charges_what_assess_does(name: str, tmp_path: Path) -> None:
    agreement, dice, mfn = preset(name), random.Random(7), D("0.06")
    first, last = date(2028, 2, 27), date(2028, 3, 2)  # amid phase-ins
    layout.write(export(agreement, first=first, last=last, stages="day").tables, tmp_path)
    held = Database(tmp_path)
    lines = {(row["territory"], row["goods_nomenclature_item_id"]) for row in held.measures}
    schedule = [Measure(*line, "mfn", "m", frozenset(), "6%", "", None, None, "") for line in sorted(lines)]
    goods = sorted({(row["good"], row["goods_nomenclature_item_id"]) for row in held.measures})
    floors = sorted(
        {(row["good"], row["goods_nomenclature_item_id"]) for row in held.measures if row["measure_type_id"] == "652"}
    )
    charged = spared = preferred = 0
    for day in (first, last):
        law = customs.law(world(), agreement, as_of=day)
        law = replace(law, tariff=gather({(m.territory, m.line): m for m in schedule}.values()))
        territories = {territory for territory, _ in lines}
        importers = {law.territory(code): code for code in sorted(law.countries) if law.territory(code) in territories}
        for _ in range(150):
            (good, hs), territory = dice.choice(dice.choice([goods, floors])), dice.choice(sorted(importers))
            origin, proof = dice.choice(sorted(law.countries)), dice.random() < 0.5
            if law.territory(origin) == territory or (territory, hs) not in lines:
                continue
            entry = Entry(
                line_id="1", day=day, importer=importers[territory], origin=origin, hs=hs, net_g=dice.randrange(10**4, 10**7),
                price_c=dice.randrange(10**5, 10**9), freight_c=dice.randrange(10**5), insurance_c=dice.randrange(10**4),
                delivery="FOB", good=good, assay_n=NANO, assay_of=good, proof="agreement" if proof else "none",
            )  # fmt: skip
            amounts = assess_line(entry, law).amounts
            assert amounts is not None
            cif, tonnes = D(amounts["cif_c"]) / 100, D(amounts["contained_g"]) / 10**6
            duties, value = D(amounts["total_c"] - amounts["levy_c"]) / 100, D(amounts["customs_c"]) / 100
            rows = held.held(territory, origin, hs[:6], good, day)
            levies = [row for row in rows if row["measure_type_id"] == "652"]
            owed_c = sum(held.levy_c(row, cif=cif, duties=duties, tonnes=tonnes, proof=proof) for row in levies)
            assert owed_c == amounts["levy_c"], (entry, levies)
            charged, spared = charged + (owed_c > 0), spared + bool(levies and not owed_c)
            best = [
                held.preference_c(row, value=value, mfn=mfn, tonnes=tonnes)
                for row in rows
                if row["measure_type_id"] == "142"
            ]
            if proof and best:
                assert amounts["duty_c"] == min(cent(mfn * value), *best), (entry, rows)
                preferred += 1
    assert charged > 3
    assert spared > 3
    assert preferred > 3


def test_staged_by_day_the_table_follows_a_phase_in(tmp_path: Path) -> None:
    agreement = deal(
        f"floors: [{{id: f, good: gallium.metal, levy_on: cif, phase_in: 1y, {INVENTED}, reference_price: 500 USD per kg of gallium}}]"
    )
    found = export(agreement, first=date(2027, 3, 1), last=date(2027, 3, 10), stages="day").tables
    law = customs.law(world(), agreement)
    for number in range(10):
        day = date(2027, 3, 1) + timedelta(days=number)
        (row,) = [
            row
            for row in found["measures"]
            if _holds(row, day) and row["territory"] == "JPN" and row["geographical_area_id"] != "US"
        ]
        (duty,) = {each.phase for each in law.duties(day)}
        assert row["factor"] == duty
        assert row["stage"] == ""
    staged = export(agreement, stages="quarter").tables["measures"]
    starts = sorted({row["validity_start_date"] for row in staged})
    assert starts == [date(2027, 1, 1), date(2027, 4, 1), date(2027, 7, 1), date(2027, 10, 1), date(2028, 1, 1)]
    assert staged[-1]["validity_end_date"] is None
    assert next(row["factor"] for row in staged if row["validity_start_date"] == date(2028, 1, 1)) == 1


# -- how each kind is written ----------------------------------------------------------------------------------------


def rows_of(found: Exported, table: str, sid: int) -> list[dict[str, Any]]:
    return [row for row in found.tables[table] if row["measure_sid"] == sid]


def test_a_levy_is_a_difference_to_the_price_before_or_with_duty() -> None:
    for levy_on, code, action in (("cif", "N", "12"), ("landed_duty_paid", "G", "13")):
        agreement = deal(
            f"floors: [{{id: f, article: Art. 6, good: gallium.metal, levy_on: {levy_on}, {INVENTED}, reference_price: 500 USD per kg of gallium}}]",
            parties="[USA, JPN]",
        )
        found = export(agreement)
        outside = next(
            row for row in found.tables["measures"] if row["territory"] == "JPN" and row["geographical_area_id"] != "US"
        )
        conditions = rows_of(found, "measure_conditions", outside["measure_sid"])
        assert [(row["condition_code"], row["condition_duty_amount"], row["action_code"]) for row in conditions] == [
            (code, D(500_000), "07"), (code, None, action),
        ]  # fmt: skip
        (component,) = [
            row for row in found.tables["measure_condition_components"]
            if row["measure_condition_sid"] == conditions[1]["measure_condition_sid"]
        ]  # fmt: skip
        assert (component["duty_amount"], component["measured"]) == (D(500_000), "contained gallium.metal")
        assert (outside["article"], outside["validity_start_date"], outside["validity_end_date"]) == (
            "Art. 6",
            date(2027, 1, 1),
            None,
        )
        spared = next(
            row for row in found.tables["measures"] if row["territory"] == "JPN" and row["geographical_area_id"] == "US"
        )
        first = rows_of(found, "measure_conditions", spared["measure_sid"])[:2]
        assert [(row["certificate_code"], row["action_code"]) for row in first] == [("X001", "07"), ("", "27")]


def test_origins_are_countries_as_a_declaration_names_them() -> None:
    agreement = deal(
        f"floors: [{{id: f, good: gallium.metal, levy_on: cif, {INVENTED}, reference_price: 500 USD per kg of gallium}}]",
        parties="[USA, EUN]",
    )
    found = export(agreement)
    area = next(
        row["geographical_area_id"]
        for row in found.tables["measures"]
        if row["territory"] == "EUN" and row["geographical_area_id"] != "US"
    )
    inside = {
        row["alpha3"]: row["country"]
        for row in found.tables["geographical_area_members"]
        if row["geographical_area_id"] == area
    }
    assert inside["CHN"] == "CN"
    assert "FJI" in inside  # no country of the world's own, but part of the rest
    assert not {"USA", "DEU", "FRA"} & set(inside)
    assert {row["goods_nomenclature_item_id"] for row in found.tables["measures"]} == {"8112920000"}


def test_a_minimum_import_price_is_a_condition_of_entry() -> None:
    found = export(preset("minimum-import-price"))
    (kind,) = {row["measure_type_id"] for row in found.tables["measures"]}
    assert kind == "475"
    assert {row["duty_expression"] for row in found.tables["measures"]} == {""}
    conditions = rows_of(found, "measure_conditions", 1)
    assert [row["action_code"] for row in conditions] == ["24", "04"]
    assert conditions[0]["condition_duty_amount"] == D(110_000)


def test_quotas_have_an_order_number_and_a_rate_beyond() -> None:
    agreement = deal(
        "tariff_quotas:\n"
        f"  - {{id: q, good: ndpr.oxide, exporters: non_parties, tonnes: 500, rate_in: 0.01, rate_out: 0.3, {INVENTED}, "
        "allocation: [{exporters: [CHN], tonnes: 200}, {exporters: [MYS], tonnes: 200}], ends: 2030-12-31}"
    )
    found = export(agreement).tables
    japan = [
        row
        for row in found["measures"]
        if row["territory"] == "JPN" and row["goods_nomenclature_item_id"] == "2846900000"
    ]
    quotas = {row["ordernumber"]: row for row in japan if row["measure_type_id"] == "122"}
    volumes = {row["ordernumber"]: row["initial_volume"] for row in found["quota_definitions"]}
    assert sorted(volumes[order] for order in quotas) == [100, 200, 200]
    assert {row["duty_expression"] for row in quotas.values()} == {"1%"}
    (beyond,) = [row for row in japan if row["measure_type_id"] == "103"]
    assert (beyond["duty_expression"], beyond["ordernumber"]) == ("30%", "")
    assert {row["validity_end_date"] for row in japan} == {date(2030, 12, 31)}
    assert len(volumes) == 6  # three parts in each of two territories
    _whole(found)


def test_export_controls_are_measures_on_exports() -> None:
    agreement = deal(
        "export_controls:\n"
        f"  - {{id: ban, mode: ban, goods: rare_earths.concentrate, exporters: [MYS], {INVENTED}}}\n"
        f"  - {{id: quota, mode: quota, goods: cobalt.hydroxide, exporters: [COD, ZMB], owner: COD, tonnes: 100, {INVENTED}}}\n"
        f"  - {{id: tax, mode: export_tax, goods: nickel.laterite, exporters: [IDN], rate: 0.1, {INVENTED}}}\n"
    )
    found = export(agreement).tables
    told = {
        row["clause"]: (row["trade_movement"], row["measure_type_id"], row["duty_expression"])
        for row in found["measures"]
    }
    assert told == {"ban": ("export", "278", ""), "quota": ("export", "476", ""), "tax": ("export", "XED", "10%")}
    assert {row["territory"] for row in found["measures"] if row["clause"] == "quota"} == {"COD", "ZMB"}
    assert len(found["quota_order_numbers"]) == 1  # counted over both together
    _whole(found)


def test_a_suspension_ends_a_measure_and_begins_it_again() -> None:
    agreement = deal(
        f"tariffs: [{{id: t, goods: antimony.metal, rate: 0.2, {INVENTED}, suspensions: [{{from: 2028-02-01, until: 2028-02-29}}]}}]"
    )
    found = export(agreement).tables["measures"]
    days = {(row["validity_start_date"], row["validity_end_date"]) for row in found if row["territory"] == "JPN"}
    assert days == {(date(2027, 1, 1), date(2028, 1, 31)), (date(2028, 3, 1), None)}
    assert export(agreement, as_of=date(2028, 2, 15)).tables["measures"] == []
    (held,) = {
        (row["validity_start_date"], row["validity_end_date"])
        for row in export(agreement, as_of=date(2028, 3, 15)).tables["measures"]
    }
    assert held == (date(2028, 3, 1), None)
    (other,) = export(agreement, as_of=date(2028, 2, 15)).tables["not_border_measures"]
    assert other["reason"] == "reaches nobody on 2028-02-15"


def test_a_published_price_is_a_measure_of_its_days(tmp_path: Path) -> None:
    made = published.publish(world(), [EXAMPLES / "observations.csv"], date(2030, 1, 15), rates=EXAMPLES / "rates.csv")
    publication.write(made, tmp_path / "2030-01-15")
    agreement = Agreement.load(EXAMPLES / "published-floor.yaml", world())
    rows = export(agreement, reference=tmp_path).tables["measures"]
    spans = {
        (row["validity_start_date"], row["validity_end_date"], row["duty_expression"])
        for row in rows
        if row["territory"] == "JPN"
        and row["goods_nomenclature_item_id"] == "2846900000"
        and row["geographical_area_id"] != "US"
    }
    price = publication.load(tmp_path).on(date(2030, 2, 1))["ndpr.oxide"].usd_t
    assert spans == {
        (date(2027, 1, 1), date(2030, 1, 28), "MAX(0, 90000.00 USD/t - (CIF + DUTIES))"),
        (date(2030, 1, 29), date(2030, 5, 9), f"MAX(0, {price} USD/t - (CIF + DUTIES))"),
        (date(2030, 5, 10), None, "MAX(0, 90000.00 USD/t - (CIF + DUTIES))"),
    }


def test_footnotes_say_what_is_illustrative_who_may_suspend_and_what_holds_without_an_assay() -> None:
    found = export(preset("plurilateral-2026-safeguards")).tables
    said = [row["description"] for row in found["footnotes"] if row["clause"] == "floor.ndpr"]
    assert any("none has been proposed for this oxide" in text for text in said)
    other = [row["description"] for row in found["footnotes"] if row["clause"] == "floor.gallium"]
    assert any(text.startswith("Illustrative level") for text in other)
    assert any("May be suspended for 6 months by safeguard.ndpr" in text for text in said)


def test_a_clause_that_only_a_safeguard_applies_is_listed() -> None:
    agreement = deal(
        f"tariffs: [{{id: t, goods: antimony.metal, rate: 0.2, {INVENTED}}}]\n"
        f"safeguards: [{{id: g, when: import_rise of antimony.metal in parties > 0.2, then: apply t, for: 1y, {INVENTED}}}]"
    )
    found = export(agreement).tables
    assert found["measures"] == []
    reasons = {row["clause"]: row["reason"] for row in found["not_border_measures"]}
    assert reasons["t"] == "holds only while g is acted on, by a decision of the day"


def test_days_that_run_backwards_are_refused() -> None:
    with pytest.raises(InputRefused, match="before it begins"):
        export(preset("one-floor"), first=date(2030, 1, 2), last=date(2030, 1, 1))
    with pytest.raises(InputRefused, match="ends 2020-01-01, before it begins 2027-01-01"):
        export(preset("plurilateral-2026"), last=date(2020, 1, 1))


def test_without_days_it_begins_when_the_agreement_does() -> None:
    found = export(preset("plurilateral-2026"))  # some of its clauses rest on figures of 2023
    assert found.first == preset("plurilateral-2026").in_force
    assert min(row["validity_start_date"] for row in found.tables["measures"]) == found.first


# -- files -----------------------------------------------------------------------------------------------------------


def test_csv_and_parquet_say_the_same(tmp_path: Path) -> None:
    found = export(preset("one-tariff")).tables
    layout.write(found, tmp_path)
    for name, columns in layout.COLUMNS.items():
        table = pl.read_parquet(tmp_path / f"{name}.parquet")
        with (tmp_path / f"{name}.csv").open(encoding="utf-8", newline="") as text:
            rows = list(csv.reader(text))
        assert rows[0] == table.columns == list(columns)
        assert len(rows) - 1 == table.height == len(found[name])
    held = pl.read_parquet(tmp_path / "measures.parquet")
    assert held.schema["validity_start_date"] == pl.Date
    assert held["factor"].to_list() == [D(1)] * held.height


def test_the_command_writes_lists_and_counts(tmp_path: Path) -> None:
    out = tmp_path / "measures"
    words = ["measures", "export", "plurilateral-2026", "--as-of", "2030-01-01", "--out", str(out), "--json"]
    for _ in range(2):  # a folder of ours is replaced
        done = CliRunner().invoke(app, words)
        assert done.exit_code == 0, done.output
    document = json.loads(done.stdout)
    assert [row["clause"] for row in document["not_border_measures"]] == ["controls", "support.mp"]
    assert document["tables"]["measures"] == sum(row["measures"] for row in document["measures"])
    assert document["staged"] == 0
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["files"]["measures.csv"]["rows"] == document["tables"]["measures"]
    assert CliRunner().invoke(app, [*words, "--from", "2030-01-01"]).exit_code == 2
