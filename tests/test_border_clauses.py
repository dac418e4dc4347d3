"""Terms of a clause at the border: contents that it sets itself, decisions that suspend it, quotas of each territory."""

from __future__ import annotations

import csv
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import border_cases
import pytest

from friendshore import customs
from friendshore.agreement.document import Agreement, read
from friendshore.border import quota_use, state
from friendshore.border.line import Entry, assess_line
from friendshore.border.terms import Law
from friendshore.errors import InputRefused
from friendshore.faces import Content, Duty
from friendshore.marked import noted
from friendshore.world.tables import World

D = Decimal

FLOOR = """
title: A floor
in_force: 2027-01-01
parties: [USA, JPN]
sources: {study: A study of contents}
floors:
  - id: floor.apt
    good: tungsten.apt
    reference_price: 400 USD per mtu of wo3
    levy_on: cif
    article: Art. 6
    source: [study]
    default_content:
      - {hs: "2841.80", form: apt, content: 0.88, of: wo3, article: "Annex B, line 1", source: [study]}
      - {hs: "2841.80.00.10", form: apt, content: 0.9, of: wo3, article: "Annex B, line 2"}
safeguards:
  - id: relief
    when: price_rise of tungsten.apt in parties > 0.5
    then: suspend floor.apt
    for: 6m
    enters_into_force: 2028-01-01
    source: [study]
"""


@pytest.fixture(scope="module")
def world() -> World:
    return World.load()


def deal(world: World, text: str = FLOOR) -> Agreement:
    return read(noted(text.encode(), name="deal.yaml"), world)


def apt(**more: object) -> Entry:
    held = {
        "line_id": "1", "day": date(2030, 3, 1), "importer": "JPN", "origin": "CHN", "hs": "284180000",
        "net_g": 10_000_000, "price_c": 20_000_000, "delivery": "CIF", "good": "tungsten.apt", "proof": "none",
    }  # fmt: skip
    return Entry(**(held | more))  # type: ignore[arg-type]


# -- contents that the clause sets -----------------------------------------------------------------------------------


def test_without_an_assay_the_clauses_own_content_counts(world: World) -> None:
    law = customs.law(world, deal(world))
    found = assess_line(apt(), law)
    assert found.amounts is not None
    contained = (D("0.88") * D("0.792970924")).quantize(D("1e-9")) * 10
    assert D(found.amounts["contained_g"]) / 10**6 == contained.quantize(D("0.000001"))
    assert "W10" in found.warnings
    said = next(step.data for step in found.steps if step.layer == "contained mass")
    assert "no assay" in said
    assert "Annex B, line 1" in said


def test_an_assay_goes_before_the_clauses_content(world: World) -> None:
    law = customs.law(world, deal(world))
    found = assess_line(apt(assay_n=500_000_000, assay_of="wo3"), law)
    assert found.amounts is not None
    assert found.amounts["contained_g"] == 3_964_855  # 5 t of wo3 x 0.792970924
    assert "W10" not in found.warnings
    assert assess_line(apt(assay_of="wo3"), law).refusal == "N05"  # an assay is named and not given


def test_the_longest_line_counts(world: World) -> None:
    law = customs.law(world, deal(world))
    found = assess_line(apt(importer="USA", hs="2841800010", freight_c=0, insurance_c=0), law)
    assert "Annex B, line 2" in next(step.data for step in found.steps if step.layer == "contained mass")


def test_a_line_that_the_clause_does_not_name_stays_without_a_total(world: World) -> None:
    text = FLOOR.replace('"2841.80"', '"2841.80.00.90"').replace('"2841.80.00.10"', '"2841.80.00.91"')
    found = assess_line(apt(), customs.law(world, deal(world, text)))
    assert (found.refusal, found.amounts) == ("N05", None)
    assert found.levy_range_c is not None


def test_a_duty_of_the_schedule_is_not_charged_on_the_clauses_content() -> None:
    ore = Duty(
        clause="floor.ore", article="Art. 6", good="tungsten.concentrate", exporters=border_cases.OUTSIDE,
        importers=frozenset({"AAA"}), reference_usd_t=D(30_000), levy_on="cif",
        default_content=(Content(line="261100", share=D("0.5"), article="Annex B"),),
    )  # fmt: skip
    law = replace(border_cases.law(), duties=lambda day: (ore,))
    line = Entry(
        line_id="1", day=border_cases.SINCE, importer="AAA", origin="CCC", hs="26110060", net_g=10**6, price_c=10**6,
        freight_c=0, insurance_c=0, good="tungsten.concentrate", proof="none",
    )  # fmt: skip
    assert assess_line(line, law).refusal == "N05"  # 37.5 cents per kg on tungsten content
    free = replace(law, tariff=border_cases.gather((border_cases.measure("AAA", "26110060", "mfn", "Free"),)))
    assert assess_line(line, free).amounts is not None


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("form: apt, content: 0.88", "form: oxide, content: 0.88", "wrong-form"),
        ("content: 0.88", "content: 88", "out-of-range"),
        ("of: wo3, article: \"Annex B, line 1\"", "of: cobalt, article: \"Annex B, line 1\"", "wrong-basis"),
        ("article: \"Annex B, line 2\"", "note: none", "missing"),
        ("source: [study]}", "source: [studdy]}", "unknown-source"),
        ("\"2841.80\"", "\"2846.90\"", "wrong-line"),
        ("\"2841.80\"", "\"28.418\"", "bad-line"),
        ("\"2841.80.00.10\"", "\"284180\"", "duplicate-line"),
    ],
)  # fmt: skip
def test_a_content_that_is_none_is_refused_at_its_line(world: World, old: str, new: str, code: str) -> None:
    assert old in FLOOR
    with pytest.raises(InputRefused) as caught:
        deal(world, FLOOR.replace(old, new, 1))
    found = {each.code: each.place for each in caught.value.problems}
    assert set(found) == {code}
    assert all(place is not None and place.line > 10 for place in found.values())


def test_a_duty_fixed_at_adoption_takes_no_content(world: World) -> None:
    text = FLOOR.replace(
        "levy_on: cif", "levy_on: cif\n    form: fixed_duty\n    price_at_adoption: 300 USD per mtu of wo3"
    )
    with pytest.raises(InputRefused, match="default_content has no meaning"):
        deal(world, text)


# -- decisions of the day --------------------------------------------------------------------------------------------


def states(tmp_path: Path, *rows: str) -> Path:
    file = tmp_path / "states.csv"
    file.write_text("\n".join(("clause,state,from,until,decision", *rows)) + "\n", encoding="utf-8")
    return file


def levied(law: Law, day: date) -> tuple[int, str]:
    found = assess_line(apt(day=day, assay_n=880_000_000, assay_of="wo3"), law)
    assert found.amounts is not None
    return found.amounts["levy_c"], found.reasons[-1]


def test_a_safeguard_pauses_the_levy_while_it_is_acted_on_and_not_a_day_longer(world: World, tmp_path: Path) -> None:
    law = customs.law(world, deal(world), states=states(tmp_path, "relief,triggered,2030-01-31,,Decision 4/2030"))
    charged = levied(law, date(2030, 1, 30))
    assert charged[0] > 0
    assert charged[1] == "L1"
    assert levied(law, date(2030, 1, 31)) == levied(law, date(2030, 7, 30)) == (0, "L5")
    assert levied(law, date(2030, 7, 31)) == charged
    found = assess_line(apt(day=date(2030, 2, 1)), law)
    said = next(step for step in found.steps if step.layer == "levy")
    assert said.data == "floor.apt is suspended by relief from 2030-01-31 to 2030-07-30 (Decision 4/2030)"
    assert said.article == "Art. 6"


def test_a_suspended_safeguard_is_not_acted_on(world: World, tmp_path: Path) -> None:
    rows = ("relief,triggered,2030-01-01,,", "relief,suspended,2030-02-01,2030-02-28,Decision 5/2030")
    law = customs.law(world, deal(world), states=states(tmp_path, *rows))
    assert [levied(law, date(2030, month, 15))[1] for month in (1, 2, 3)] == ["L5", "L1", "L5"]


def test_any_clause_may_be_suspended_by_decision(world: World, tmp_path: Path) -> None:
    law = customs.law(world, deal(world), states=states(tmp_path, "floor.apt,suspended,2030-02-01,,"))
    assert [levied(law, date(year, 3, 1))[1] for year in (2029, 2030, 2035)] == ["L1", "L5", "L5"]


def test_a_minimum_import_price_is_paused_too(world: World, tmp_path: Path) -> None:
    text = FLOOR.replace("levy_on: cif", "levy_on: cif\n    form: minimum_import_price")
    law = customs.law(world, deal(world, text), states=states(tmp_path, "relief,triggered,2030-02-01,,"))
    before, during = (assess_line(apt(day=date(2030, month, 15)), law) for month in (1, 3))
    assert before.reasons[-1] == "L4"
    assert "W5" in before.warnings
    assert during.reasons[-1] == "L5"
    assert "W5" not in during.warnings


RELIEF = """
title: A safeguard duty
in_force: 2027-01-01
parties: [USA, JPN]
tariffs: [{id: relief.apt, article: Art. 9, goods: tungsten.apt, rate: 0.3, illustrative: true, rule: invented}]
safeguards: [{id: relief, when: import_rise of tungsten.apt in parties > 0.2, then: apply relief.apt, for: 1y, illustrative: true, rule: invented}]
"""


def test_a_clause_that_a_safeguard_applies_is_charged_only_while_it_is_acted_on(world: World, tmp_path: Path) -> None:
    rows = ("relief,triggered,2030-01-01,2030-03-31,Decision 6/2030",)
    law = customs.law(world, deal(world, RELIEF), states=states(tmp_path, *rows))
    owed = {}
    for day in (date(2029, 12, 31), date(2030, 3, 31), date(2030, 4, 1)):
        found = assess_line(apt(day=day, assay_n=880_000_000, assay_of="wo3"), law)
        assert found.amounts is not None
        owed[day] = (found.amounts["surcharge_c"], [s.article for s in found.steps if s.code == "A4"])
    assert list(owed.values()) == [
        (0, []),
        (6_000_000, ["Art. 9; applied by relief from 2030-01-01 to 2030-03-31 (Decision 6/2030)"]),
        (0, []),
    ]


@pytest.mark.parametrize(
    ("then", "code"),
    [("apply relief.abt", "unknown-clause"), ("apply relief", "unknown-clause"), ("{suspend: relief.apt, apply: relief.apt}", "action"), ("impose relief.apt", "action")],
)  # fmt: skip
def test_an_action_applies_a_clause_that_is_there(world: World, then: str, code: str) -> None:
    with pytest.raises(InputRefused) as caught:
        deal(world, RELIEF.replace("then: apply relief.apt", f"then: {then}"))
    assert code in {each.code for each in caught.value.problems}


def test_files_are_assessed_by_the_state_of_their_day(world: World, tmp_path: Path) -> None:
    from friendshore.border.assess import assess_file

    entries = tmp_path / "entries.csv"
    head = "line_id,date,importer,origin,hs,net_mass_kg,price,currency,delivery,good,assay,assay_of,proof"
    row = "{},2030-{}-15,JPN,CHN,284180000,10000,200000.00,USD,CIF,tungsten.apt,0.88,wo3,none"
    entries.write_text("\n".join([head, *(row.format(n, f"{n:02d}") for n in (1, 3))]) + "\n")
    law = customs.law(world, deal(world), states=states(tmp_path, "relief,triggered,2030-02-01,,"))
    totals = assess_file(entries, law, tmp_path / "out.csv", tmp_path / "refused.csv")
    assert (totals.assessed, totals.refused) == (2, 0)
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as text:
        reasons = {row["line_id"]: row["reasons"].split() for row in csv.DictReader(text)}
    assert (reasons["1"][-1], reasons["3"][-1]) == ("L1", "L5")
    assert totals.by_article[0][2] == 1  # one line pays


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ("relif,triggered,2030-01-01,,", "unknown-clause"),
        ("relief,trigered,2030-01-01,,", "unknown-value"),
        ("floor.apt,triggered,2030-01-01,,", "not-a-safeguard"),
        ("relief,triggered,2030-02-30,,", "bad-date"),
        ("relief,triggered,,,", "bad-date"),
        ("relief,triggered,2030-01-01,2029-12-31,", "dates-backwards"),
        ("relief,triggered,2030-01-01,2030-07-01,", "too-long"),
        ("relief,triggered,2027-12-31,,", "not-in-force"),
    ],
)
def test_a_decision_that_cannot_be_is_refused_at_its_line(world: World, tmp_path: Path, row: str, code: str) -> None:
    file = states(tmp_path, "floor.apt,suspended,2029-01-01,2029-02-01,", row)
    with pytest.raises(InputRefused) as caught:
        customs.law(world, deal(world), states=file)
    assert [(each.code, each.place.line if each.place else 0) for each in caught.value.problems] == [(code, 3)]


def test_decisions_do_not_overlap_and_columns_are_known(world: World, tmp_path: Path) -> None:
    file = states(tmp_path, "floor.apt,suspended,2029-01-01,2029-03-01,", "floor.apt,suspended,2029-03-01,,")
    with pytest.raises(InputRefused, match="already from 2029-01-01 to 2029-03-01"):
        customs.law(world, deal(world), states=file)
    for head in ("clause,state\n", "clause,state,from,untill\n"):
        file.write_text(head)
        with pytest.raises(InputRefused, match="lacks from|did you mean 'until'"):
            customs.law(world, deal(world), states=file)


def test_an_action_ends_the_day_before_its_months_are_over() -> None:
    guard = state.Guard(pauses=frozenset({"x"}), months=6, first=date(2027, 1, 1))
    assert guard.ends(date(2030, 1, 1)) == date(2030, 6, 30)
    assert guard.ends(date(2030, 8, 31)) == date(2031, 2, 27)  # until the last day of a shorter month


# -- quotas ----------------------------------------------------------------------------------------------------------


def test_each_territory_and_each_part_fills_its_own_quota() -> None:
    def quota(importers: str, exporters: str, tonnes: int) -> Duty:
        return Duty(
            clause="quota", article="", good="tungsten.concentrate", exporters=frozenset(exporters.split()),
            importers=frozenset(importers.split()), rate=D(0), rate_beyond=D("0.2"), quota_t=D(tonnes), replaces=True,
        )  # fmt: skip

    held = (quota("AAA", "CCC", 10), quota("AAA", "DDD EEE", 20), quota("BBB", "CCC DDD EEE", 10))
    law = replace(border_cases.law(), duties=lambda day: held)
    names = {
        (importer, origin): assess_line(
            Entry(
                line_id="1", day=border_cases.SINCE, importer=importer, origin=origin, hs="26110060", net_g=10**6,
                price_c=10**6, freight_c=0, insurance_c=0, good="tungsten.concentrate", assay_n=10**9, assay_of="tungsten",
                proof="none",
            ),
            law,
        ).terms.quota_name
        for importer in ("AAA", "BBB")
        for origin in ("CCC", "DDD", "EEE")
    }  # fmt: skip
    assert names["AAA", "DDD"] == names["AAA", "EEE"] != names["AAA", "CCC"]
    assert len({names["BBB", origin] for origin in ("CCC", "DDD", "EEE")} | set(names.values())) == 3


# -- what came in under a quota before ---------------------------------------------------------------------------------


def test_what_customs_has_booked_of_a_quota_is_taken_off_before_the_first_line(tmp_path: Path) -> None:
    """Ten tonnes of fifty-five and a half are left: a line of twenty straddles, and nothing is said of an unknown use."""
    ore = Entry(
        line_id="1", day=border_cases.SINCE, importer="BBB", origin="CCC", hs="26110060", net_g=20_000_000, price_c=10_000_000,
        delivery="CIF", good="tungsten.concentrate", assay_n=10**9, assay_of="tungsten",
    )  # fmt: skip
    file = tmp_path / "used.csv"
    file.write_text("clause,territory,year,tonnes\nquota.ore,BBB,2030,45.5\n", encoding="utf-8")
    known = replace(border_cases.law(), quota_used=quota_use.read(file, ["quota.ore"]))
    before, after = assess_line(ore, border_cases.law()), assess_line(ore, known)
    assert before.amounts is not None
    assert after.amounts is not None
    beside = before.amounts["duty_c"] - 100_000  # 1 % of 100,000.00, and 8.80 yen a kilogram
    assert after.amounts["duty_c"] == 50_000 + 850_000 + beside  # half of it at 1 %, half at 17 %
    assert (before.reasons[0], after.reasons[0]) == ("D5", "D6")
    assert ("W8" in before.warnings, "W8" in after.warnings) == (True, False)
    assert "10 t left of 55.5 t" in next(step.data for step in after.steps if step.layer == "base duty")
    full = replace(known, quota_used={"quota.ore BBB 2030": 60_000_000})
    assert assess_line(ore, full).reasons[0] == "D7"


def test_a_file_of_quota_use_is_read_strictly(tmp_path: Path) -> None:
    file = tmp_path / "used.csv"
    rows = ("quota.or,BBB,2030,1", "quota.ore,bbb,2030,1", "quota.ore,BBB,30,1", "quota.ore,BBB,2030,\"1,5\"",
            "quota.ore,BBB,2030,1", "quota.ore,BBB,2030,2")  # fmt: skip
    file.write_text("\n".join(["clause,territory,year,tonnes", *rows, ""]), encoding="utf-8")
    with pytest.raises(InputRefused) as told:
        quota_use.read(file, ["quota.ore"])
    text = str(told.value)
    assert "5 problems" in text
    for said in (
        "did you mean 'quota.ore'?",
        "'bbb' is no territory",
        "'30' is no year",
        "'1,5' is no mass",
        "stands above already",
    ):
        assert said in text


# -- what an amount rests on --------------------------------------------------------------------------------------------


PUBLISHED = FLOOR.replace("400 USD per mtu of wo3", "{method: published, value: 400, currency: USD, per: mtu, of: wo3}")


def test_a_reference_price_that_was_not_published_is_marked(world: World) -> None:
    """The clause's own price holds where nothing is published: said in the working and by a code, so that a file tells it too."""
    stated, missing = (assess_line(apt(), customs.law(world, deal(world, text))) for text in (FLOOR, PUBLISHED))
    assert stated.amounts == missing.amounts
    assert ("W13" in stated.warnings, "W13" in missing.warnings) == (False, True)
    assert customs.UNPUBLISHED in next(step.data for step in missing.steps if step.layer == "levy")


def test_a_minimum_import_price_names_its_article_and_charges_nothing(world: World) -> None:
    text = FLOOR.replace("levy_on: cif", "levy_on: cif\n    form: minimum_import_price")
    text = text[: text.index("safeguards:")]
    found = assess_line(apt(), customs.law(world, deal(world, text)))
    assert found.amounts is not None
    assert (found.amounts["levy_c"], found.terms.clause, found.terms.article) == (0, "floor.apt", "Art. 6")
    step = next(step for step in found.steps if step.layer == "levy")
    assert (step.code, step.article) == ("L4", "Art. 6")
    assert "below, and nothing is charged" in step.calculation
    assert "W5" in found.warnings


def test_a_price_in_another_currency_and_a_duty_in_one_show_day_and_source_of_the_rate(
    tmp_path: Path, world: World
) -> None:
    file = tmp_path / "rates.csv"
    file.write_text("currency,day,usd,source\nJPY,2030-02-20,0.0065,bank\n", encoding="utf-8")
    nickel = apt(hs="750210000", good="other", currency="JPY", price_c=2_400_000_000)
    found = assess_line(nickel, customs.law(world, rates=file))
    assert found.amounts is not None
    assert found.amounts["duty_c"] == 286_000  # 10 t at 44 yen a kilogram
    said = "0.0065 USD per JPY of 2030-02-20 (bank)"
    assert said in found.steps[0].calculation
    assert said in next(step.data for step in found.steps if step.layer == "base duty")
    later = assess_line(replace(nickel, day=date(2030, 4, 1)), customs.law(world, rates=file))
    assert later.refusal == "N08"
    dollars = assess_line(replace(nickel, currency="USD"), customs.law(world))
    assert (dollars.refusal, "JPY" in dollars.about) == ("N08", True)  # the duty is in yen, and no rate is at hand
