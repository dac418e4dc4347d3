"""Rules of origin on bills of materials: hand-worked cases, what must always hold, refusals, and what the command prints."""

from __future__ import annotations

import csv
import json
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from treaty_world import treaty_world
from typer.testing import CliRunner

from friendshore import cli
from friendshore.agreement.document import Agreement, read
from friendshore.border.origin.bill import Bill, read_bill
from friendshore.border.origin.change import changes
from friendshore.border.origin.judge import Area, judge
from friendshore.customs.origin import area_of, countries, named_rules
from friendshore.errors import InputRefused
from friendshore.marked import read_marked, validate
from friendshore.origin_rules.rule import (
    Cumulation,
    Day,
    Many,
    Rule,
    Text,
    find_rule,
    months_after,
    read_rule,
    rule_names,
    shipped_conflicts,
    shipped_rules,
    sources,
    with_terms,
)
from friendshore.report.origin import document, page

HERE = Path(__file__).parent
CASES = sorted((HERE / "origin_cases").glob("*/*.yaml"))
EXAMPLES = HERE.parent / "examples" / "origin"
DAY = date(2026, 11, 22)


class Case(Text):
    """A hand-worked case: facts, the answer and why."""

    case: str
    reason: str
    rule: str
    parties: Many[str] = ()
    cumulation: Cumulation | None = None
    day: Day
    bill: Bill
    qualifies: bool | None
    asked: bool = True
    failing: Many[str] = ()
    missing: Many[Many[str]] = ()
    cheapest: Many[str] = ()


def bill_of(*lines: tuple[str, str, int | str], price: int = 100, made_in: str = "JPN", **more: object) -> Bill:
    materials = [
        {"id": name, "hs": hs, "origin": origin, "value": value}
        for k, (hs, origin, value) in enumerate(lines)
        for name in [f"m{k}"]
    ]
    text = {"product": "P", "hs": "850511", "made_in": made_in, "currency": "USD", "price": price, **more}
    return Bill.model_validate({**text, "materials": materials})


def rule_of(test: str, more: str = "") -> Rule:
    text = f"id: r\nname: R\nlaw: L\nsays: S\nconfidence: K\nsource: friendshore.pattern\ntest: {test}\n{more}"
    return validate(Rule, read_marked(text, name="r.yaml"))


# -- cases worked by hand -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_the_verdict_is_the_one_worked_by_hand(path):
    case = validate(Case, read_marked(path), context={"countries": countries()})
    area = area_of(case.parties)
    rule = with_terms(find_rule(case.rule), cumulation=case.cumulation)
    verdict = judge(case.bill, rule, area, case.day)
    assert (verdict.answer, verdict.asked) == (case.qualifies, case.asked)
    assert verdict.failing == case.failing
    assert tuple((fact.line, fact.what, fact.who) for fact in verdict.missing) == case.missing
    found = changes(verdict, area)
    if case.cheapest:
        assert (found[0].ways[0], found[0].cost) == (case.cheapest[0], Decimal(case.cheapest[1]))
    assert (path.parent.name == "good") == (verdict.answer is True)


def test_every_rule_has_a_case_that_passes_and_one_that_does_not():
    for folder in ("good", "bad"):
        held = {path.stem.split("-")[0] for path in CASES if path.parent.name == folder}
        assert held == set(rule_names())


# -- the rules as data ----------------------------------------------------------------------------------------------


def test_rules_and_conflicts_name_their_sources():
    for one in (*shipped_rules().values(), *shipped_conflicts().values()):
        assert set(one.source) <= set(sources())
    used = {name for one in (*shipped_rules().values(), *shipped_conflicts().values()) for name in one.source}
    used |= {name for rule in shipped_rules().values() for pause in rule.suspended for name in pause.source}
    assert used == set(sources())


def test_a_new_rule_is_a_file(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text(
        "id: mine\nname: Mine\nlaw: none\nsays: No cobalt from COD\nconfidence: K\nsource: me\nkind: restriction\n"
        "test: {content: {countries: [COD], below: 0.01, by: mass}}\n",
        encoding="utf-8",
    )
    bill = read_bill(
        "{product: C, hs: '810520', made_in: FIN, currency: EUR, price: 9, mass_kg: 1, materials: "
        "[{id: a, hs: '282200', origin: COD, value: 2, mass_kg: 0.4}]}"
    )
    assert judge(bill, read_rule(file), Area(), DAY).answer is False


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("test: {tariff_shift: {level: heading}, content: {countries: [CHN], below: 0.1}}", "exactly one key, not 2"),
        ("test: {tariff_shift: {level: hading}}", "expected chapter, heading or subheading"),
        ("test: {value_content: {method: build_down, at_least: 40}}", "at most 1"),
        ("test: {stages: {names: mined, where: {in: [JPN], not_in: [CHN]}}}", "either in or not_in"),
        ("test: {content: {below: 0.1}}", "either countries or outside"),
        ("test: {entities: {concern: [China], share: 0.25}}", "no country code"),
        ("terms: [{until: 2027-01-01, test: {wholly_obtained: {}}}, {from: 2027-01-01, test: {wholly_obtained: {}}}]", "without sharing a day"),
        ("note: nothing is tested", "either test or terms"),
        ("test: {wholly_obtained: {}}\nproof: {kinds: [x], valid: 12}", "not a length of time"),
        ("test: {wholly_obtaned: {}}", "there is no key 'wholly_obtaned'"),
    ],
)  # fmt: skip
def test_a_bad_rule_is_refused_at_its_line(tmp_path, text, message):
    file = tmp_path / "bad.yaml"
    file.write_text(f"id: bad\nname: B\nlaw: L\nsays: S\nconfidence: K\nsource: me\n{text}\n", encoding="utf-8")
    with pytest.raises(InputRefused, match="bad.yaml:") as caught:
        read_rule(file)
    assert message in str(caught.value).replace('"', "'")


def test_a_proof_counts_to_the_day_before_its_anniversary():
    assert months_after(date(2026, 3, 1), 12) == date(2027, 2, 28)
    assert months_after(date(2026, 1, 31), 1) == date(2026, 2, 28)
    assert months_after(date(2024, 2, 29), 48) == date(2028, 2, 28)


def test_a_level_for_a_test_that_the_rule_lacks_is_refused():
    with pytest.raises(InputRefused, match="no test called value_content"):
        with_terms(find_rule("tariff_shift"), value_content=Decimal("0.5"))


# -- what must always hold ------------------------------------------------------------------------------------------

amounts = st.integers(0, 30)
lines = st.lists(
    st.tuples(st.sampled_from(["284690", "850519", "740811", "720299"]), st.sampled_from(["JPN", "USA", "CHN", "MMR", None]), amounts),
    min_size=1, max_size=5,
)  # fmt: skip
RANK = {False: 0, None: 1, True: 2}


@settings(max_examples=200, deadline=None)
@given(lines, st.integers(0, 4), st.sampled_from(["build_down", "build_up", "net_cost"]), st.integers(0, 100))
def test_more_content_of_the_area_never_unqualifies(held, which, method, percent):
    """A foreign or unknown material that becomes the area's own never makes the verdict worse."""
    rule = rule_of(f"{{value_content: {{method: {method}, at_least: {percent / 100}}}}}", "cumulation: diagonal")
    area = Area(frozenset({"JPN", "USA"}))
    which %= len(held)
    better = [(hs, "USA" if k == which else origin, value) for k, (hs, origin, value) in enumerate(held)]
    before = judge(bill_of(*held, price=200, net_cost=180), rule, area, DAY).answer
    after = judge(bill_of(*better, price=200, net_cost=180), rule, area, DAY).answer
    assert RANK[after] >= RANK[before]


@settings(max_examples=150, deadline=None)
@given(lines, st.sampled_from(sorted(rule_names())), st.permutations(range(5)))
def test_neither_the_order_nor_the_names_of_lines_matter(held, name, order):
    area = Area(frozenset({"JPN", "USA"}))
    bill = bill_of(*held, price=200)
    moved = [bill.materials[k] for k in order if k < len(held)]
    renamed = bill.model_copy(
        update={"materials": tuple(line.model_copy(update={"id": f"x-{line.id}"}) for line in moved)}
    )
    before, after = judge(bill, find_rule(name), area, DAY), judge(renamed, find_rule(name), area, DAY)
    assert before.answer == after.answer
    assert {f"x-{line}" for line in before.failing if line != "product"} == set(after.failing) - {"product"}


@settings(max_examples=150, deadline=None)
@given(lines, st.sampled_from(sorted(rule_names())), st.integers(0, 4), st.sampled_from(["JPN", "CHN"]))
def test_what_can_be_said_stays_said_when_more_is_told(held, name, which, origin):
    """An answer does not hang on a fact that was open: telling an origin never turns yes into no or no into yes."""
    area = Area(frozenset({"JPN", "USA"}))
    which %= len(held)
    told = [(hs, origin if k == which else was, value) for k, (hs, was, value) in enumerate(held)]
    if held[which][1] is not None:
        return
    before = judge(bill_of(*held, price=200), find_rule(name), area, DAY).answer
    after = judge(bill_of(*told, price=200), find_rule(name), area, DAY).answer
    assert before is None or after == before


@settings(max_examples=100, deadline=None)
@given(lines, st.sampled_from(["value_content", "tariff_shift", "shift_or_value", "china_2025_61"]), st.integers(0, 50))
def test_every_change_that_is_offered_qualifies_and_the_first_is_the_cheapest(held, name, premium):
    area = Area(frozenset({"JPN", "USA"}))
    bill = bill_of(*held, price=200, premium=premium / 100)
    verdict = judge(bill, find_rule(name), area, DAY)
    found = changes(verdict, area)
    assert all(each.verdict.answer is True for each in found)
    costs = [each.cost for each in found if each.cost is not None]
    assert costs == sorted(costs)
    if verdict.answer is True:
        assert found == ()


@given(lines, st.integers(1, 1000))
def test_a_verdict_does_not_hang_on_the_unit_of_money(held, factor):
    area = Area(frozenset({"JPN", "USA"}))
    scaled = [(hs, origin, value * factor) for hs, origin, value in held]
    for name in ("value_content", "tariff_shift", "china_2025_61"):
        one = judge(bill_of(*held, price=200), find_rule(name), area, DAY).answer
        assert one == judge(bill_of(*scaled, price=200 * factor), find_rule(name), area, DAY).answer


# -- changes --------------------------------------------------------------------------------------------------------


def test_two_changes_together_where_no_single_one_does():
    bill = read_bill(
        "{product: P, hs: '850511', made_in: JPN, currency: USD, price: 100, materials: ["
        "{id: a, hs: '850511', origin: CHN, value: 20}, {id: b, hs: '850519', origin: CHN, value: 20}], offers: ["
        "{for: a, with: {id: a2, hs: '850511', origin: JPN, value: 25, proof: {kind: supplier_declaration, date: 2026-10-01}}},"
        "{for: b, with: {id: b2, hs: '850519', origin: JPN, value: 22, proof: {kind: supplier_declaration, date: 2026-10-01}}}]}"
    )
    rule = rule_of("{tariff_shift: {level: heading}}", "cumulation: diagonal")
    verdict = judge(bill, rule, Area(frozenset({"JPN"})), DAY)
    found = changes(verdict, Area(frozenset({"JPN"})))
    assert (found[0].ways, found[0].cost) == (("substitute", "substitute"), Decimal(7))


COUNTRIES = st.sampled_from(["JPN", "USA", "CHN", "AUS"])
STEPS = ("mined", "separated", "refined")


@st.composite
def choices(draw):
    """A magnet of up to three materials with full histories, offers and moves at whole prices, as plain values."""
    materials, offers, moves = [], [], []
    for k in range(draw(st.integers(1, 3))):
        where = [draw(COUNTRIES) for _ in STEPS]
        line = {
            "id": f"m{k}", "hs": draw(st.sampled_from(["284690", "850511", "720293"])), "value": draw(st.integers(1, 30)),
            "origin": where[-1], "stages": [{"stage": s, "country": c} for s, c in zip(STEPS, where, strict=True)],
            "proof": {"kind": "supplier_declaration", "date": date(2026, 10, 1)},
        }  # fmt: skip
        materials.append(line)
        if draw(st.booleans()):
            where = [draw(COUNTRIES) for _ in STEPS]
            stages = [{"stage": s, "country": c} for s, c in zip(STEPS, where, strict=True)]
            other = {**line, "origin": where[-1], "stages": stages, "value": draw(st.integers(1, 40))}
            offers.append({"for": f"m{k}", "with": other, "cost": draw(st.integers(0, 3))})
        if draw(st.booleans()):
            move = {
                "stage": draw(st.sampled_from(STEPS)),
                "to": draw(COUNTRIES),
                "of": f"m{k}",
                "cost": draw(st.integers(-2, 9)),
            }
            moves.append(move)
    return {
        "product": "P", "hs": "850511", "made_in": "JPN", "currency": "USD", "price": 100, "materials": materials,
        "stages": [{"stage": "melted", "country": "JPN"}], "offers": offers, "moves": moves, "without": [],
    }  # fmt: skip


def tried(text: dict[str, object], rule: Rule, area: Area) -> bool:
    bill = Bill.model_validate(text)
    return judge(bill, rule, area, date(2027, 6, 1)).answer is True


@settings(max_examples=150, deadline=None)
@given(
    choices(), st.sampled_from(["value_content", "tariff_shift", "shift_or_value", "dfars_225_7018", "china_2025_61"])
)
def test_the_cheapest_change_is_the_cheapest_of_all_that_were_made_by_hand(text, name):
    rule, area = find_rule(name), Area(frozenset({"JPN", "USA"}))
    verdict = judge(Bill.model_validate(text), rule, area, date(2027, 6, 1))
    if verdict.answer is True:
        return
    lines = {line["id"]: line for line in text["materials"]}
    costs = []
    for offer in text["offers"]:
        new = {**lines, offer["for"]: offer["with"]}
        if sum(line["value"] for line in new.values()) <= 100 and tried(
            {**text, "materials": [*new.values()]}, rule, area
        ):
            costs.append(offer["with"]["value"] - lines[offer["for"]]["value"] + offer["cost"])
    for move in text["moves"]:
        old = lines[move["of"]]
        stages = [{**each, "country": move["to"]} if each["stage"] == move["stage"] else each for each in old["stages"]]
        new = {**lines, move["of"]: {**old, "stages": stages, "origin": stages[-1]["country"]}}
        if tried({**text, "materials": [*new.values()]}, rule, area):
            costs.append(move["cost"])
    found = [each for each in changes(verdict, area) if len(each.ways) == 1 and each.cost is not None]
    assert sorted(int(each.cost) for each in found) == sorted(costs)


@pytest.mark.parametrize(
    ("test", "cents"),
    [
        ("{value_content: {method: build_down, at_least: 0.40}}", 201),  # 62.005 foreign; 60 may be
        ("{value_content: {method: build_up, at_least: 0.35}}", 2895),  # 6.05 own; 35 must be
        ("{tariff_shift: {level: chapter, tolerance: 0.10}}", 3201),  # 42.005 in chapter 28; 10 may be
        ("{content: {countries: [CHN], below: 0.10}}", 3201),  # 42.005 from China; less than 10 may be
        ("{content: {countries: [CHN], below: 0.10, by: mass}}", 3034),  # 0.36 kg of 1 kg; 0.260001 x 42.005 / 0.36
    ],
)
def test_no_less_bought_in_the_area_would_do(test, cents):
    text = (
        "{product: P, hs: '280530', made_in: JPN, currency: USD, price: 100, mass_kg: 1, premium: 1, materials: ["
        "{id: a, hs: '284690', origin: CHN, value: 42.005, mass_kg: 0.36, stages: []},"
        "{id: b, hs: '720293', origin: MYS, value: 20, mass_kg: 0.02, stages: [{stage: mined, country: MYS}]},"
        "{id: c, hs: '720293', origin: JPN, value: 6.05, mass_kg: 0.6, stages: [{stage: mined, country: JPN}]}]}"
    )
    rule, area = rule_of(test, "cumulation: diagonal"), Area(frozenset({"JPN"}))
    (found,) = changes(judge(read_bill(text), rule, area, DAY), area)
    assert (found.ways, found.cost) == (("replace_value",), Decimal(cents) / 100)
    price, share = (Decimal(cents - 1) / 100, Decimal("0.36") / Decimal("42.005"))
    left = Decimal("42.005") - price
    less = text.replace("value: 42.005, mass_kg: 0.36", f"value: {left}, mass_kg: {left * share}").replace(
        "]}]}",
        f"]}}, {{id: d, hs: '284690', origin: JPN, value: {price}, mass_kg: {price * share}, stages: [{{stage: mined, country: JPN}}]}}]}}",
    )
    assert judge(read_bill(less), rule, area, DAY).answer is False


def test_of_many_changes_the_cheapest_are_tried_two_by_two_and_that_is_said():
    line = "{{id: m{0}, hs: '284690', origin: CHN, value: 1, stages: [{{stage: mined, country: CHN}}]}}"
    move = "{{stage: mined, of: m{0}, to: AUS, cost: {1}}}"
    rule, area = rule_of("{stages: {names: mined, where: {not_in: [CHN]}}}", "kind: restriction"), Area()

    def magnet(lines: int) -> Bill:
        materials, moves = (
            ", ".join(each)
            for each in ([line.format(k) for k in range(lines)], [move.format(k, 100 - k) for k in range(lines)])
        )
        return read_bill(
            f"{{product: P, hs: '850511', made_in: JPN, currency: USD, price: 100, materials: [{materials}], moves: [{moves}]}}"
        )

    verdict = judge(magnet(2), rule, area, DAY)
    assert [each.cost for each in changes(verdict, area)] == [Decimal(199)]
    verdict = judge(magnet(61), rule, area, DAY)
    assert "of 61 the 60 cheapest were tried two by two" in " ".join(page(verdict, changes(verdict, area)).split())


def test_a_stage_that_nobody_told_is_put_where_it_belongs():
    bill = read_bill(
        "{product: P, hs: '850511', made_in: JPN, currency: USD, price: 100, materials: [{id: a, hs: '284690', origin: MYS,"
        " value: 70, stages: [{stage: separated, country: MYS}]}], moves: [{stage: mined, of: a, to: USA, cost: 1}]}"
    )
    area = Area(frozenset({"JPN", "USA"}))
    found = changes(judge(bill, find_rule("value_content"), area, DAY), area)
    assert [each.ways for each in found] == [("replace_value",)]  # mined in a party, it still is Malaysian oxide


def test_what_was_given_for_nothing_must_change_heading_too():
    bill = bill_of(("850511", "CHN", 0))
    rule, area = rule_of("{tariff_shift: {level: heading}}", "cumulation: diagonal"), Area(frozenset({"JPN"}))
    assert judge(bill, rule, area, DAY).answer is False
    assert judge(bill_of(("850511", "JPN", 0)), rule, area, DAY).answer is True


def test_a_change_that_costs_more_than_the_price_is_not_offered():
    bill = read_bill(
        "{product: P, hs: '850511', made_in: JPN, currency: USD, price: 50, materials: [{id: a, hs: '850511', origin: CHN, value: 40}],"
        "offers: [{for: a, with: {id: b, hs: '850511', origin: JPN, value: 60, proof: {kind: supplier_declaration, date: 2026-10-01}}}]}"
    )
    area = Area(frozenset({"JPN"}))
    verdict = judge(bill, find_rule("value_content"), area, DAY)
    assert [each.ways for each in changes(verdict, area)] == [("replace_value",)]


def test_a_change_whose_cost_nobody_stated_comes_last():
    verdict = judge(bill_of(("284690", "CHN", 61)), find_rule("value_content"), Area(frozenset({"JPN"})), DAY)
    found = changes(verdict, Area(frozenset({"JPN"})))
    assert (found[0].cost, found[0].ways) == (None, ("replace_value",))
    assert "nobody stated it" in page(verdict, found)


# -- reading --------------------------------------------------------------------------------------------------------

BAD = """product: Magnet
hs: "50511"
made_in: Japan
currency: usd
price: -3
materials:
  - {id: a, hs: "284690", origin: CHX, value: 1e400, stages: [{stage: molten, country: CHN}]}
  - {id: a, hs: 284690, value: 2, proof: {kind: x, date: 2026-02-30}}
offers:
  - {for: b, with: {id: c, hs: "284690", value: 1}}
moves:
  - {stage: melted, to: USA}
colour: red
"""


def test_a_bad_bill_is_refused_with_everything_that_is_wrong():
    with pytest.raises(InputRefused) as caught:
        read_bill(BAD, name="bill.yaml", countries=countries())
    said = {(problem.place.line, problem.path) for problem in caught.value.problems}
    assert said == {
        (2, "hs"), (3, "made_in"), (4, "currency"), (5, "price"), (7, "materials[0].origin"), (7, "materials[0].value"),
        (7, "materials[0].stages[0].stage"), (8, "materials[1].hs"), (8, "materials[1].proof.date"),
        (12, "moves[0]"), (13, "colour"),
    }  # fmt: skip
    assert "lost a leading nought" in str(caught.value)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (("id: b", "id: a"), "two lines are called 'a'"),
        (("for: b", "for: bb"), "no line is called 'bb'"),
        (("price: 100", "price: 10"), "the materials cost 30, the product 10"),
        (("share: 0.5", "share: 0.6"), "the owners hold more than all of it"),
    ],
)
def test_a_bill_that_contradicts_itself_is_refused(edit, message):
    text = (
        "{product: P, hs: '850511', made_in: JPN, currency: USD, price: 100, materials: [{id: a, hs: '284690', value: 10}, "
        "{id: b, hs: '284690', value: 20, maker: {name: M, owners: [{holder: X, country: CHN, share: 0.5}, "
        "{holder: Y, country: USA, share: 0.5}]}}], offers: [{for: b, with: {id: c, hs: '284690', value: 1}}]}"
    )
    read_bill(text)
    with pytest.raises(InputRefused, match=message):
        read_bill(text.replace(*edit, 1))


def test_a_table_says_what_yaml_says():
    assert read_bill(EXAMPLES / "magnet.csv").model_dump(exclude={"illustrative", "note"}) == read_bill(
        EXAMPLES / "magnet.yaml"
    ).model_dump(exclude={"illustrative", "note"})


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("row,id,hs\nproduct,,850511\n", 1, "the column 'value' is missing"),
        ("row,id,hs,value,colour\nproduct,,850511,1,red\n", 1, "there is no column 'colour'"),
        ("row,id,hs,value\nproduct,,850511,1,2\n", 2, "5 cells where there are 4 columns"),
        ("row,id,hs,value\nthing,,850511,1\n", 2, "expected product, material"),
        ("row,id,hs,value\nmaterial,a,284690,1\n", 1, "no row is the product"),
        ("row,id,of,hs,value\nproduct,,,850511,9\noffer,x,b,284690,1\n", 3, "no line above is called 'b'"),
        ("row,id,hs,value,origin,currency,what\nproduct,,850511,\"1,000\",JPN,USD,M\n", 2, "expected a number"),
    ],
)  # fmt: skip
def test_a_bad_table_is_refused_at_its_line(tmp_path, text, line, message):
    file = tmp_path / "bill.csv"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(InputRefused) as caught:
        read_bill(file)
    assert any(problem.place.line == line and message in problem.message for problem in caught.value.problems)


CUTS = st.tuples(
    st.floats(0, 1),
    st.integers(0, 4),
    st.sampled_from(["", "0", "-", ",", ":", "+", "\n", " ", "é", '"', "1e9", "CHN", "none", "{", "]"]),
)


@pytest.mark.parametrize("name", ["magnet.yaml", "magnet.csv"])
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.lists(CUTS, min_size=1, max_size=3))
def test_a_mangled_bill_is_read_or_refused_and_never_a_fault_of_ours(tmp_path, name, cuts):
    text = (EXAMPLES / name).read_text(encoding="utf-8")
    for where, length, put in cuts:
        at = int(where * len(text))
        text = text[:at] + put + text[at + length :]
    file = tmp_path / name
    file.write_text(text, encoding="utf-8")
    try:
        bill = read_bill(file, countries=countries())
    except InputRefused as refused:
        assert refused.problems
        return
    area = area_of(["JPN", "EU", "USA"])
    for rule in shipped_rules().values():
        verdict = judge(bill, rule, area, DAY)
        assert page(verdict, changes(verdict, area))


def test_a_workbook_says_what_the_table_says(tmp_path):
    workbook = pytest.importorskip("openpyxl").Workbook()
    sheet = workbook.active
    for k, row in enumerate(csv.reader((EXAMPLES / "magnet.csv").read_text(encoding="utf-8").splitlines())):
        typed = [float(cell) if k and cell.replace(".", "").isdigit() and "." in cell else cell or None for cell in row]
        sheet.append(
            [date.fromisoformat(cell) if isinstance(cell, str) and cell[:4] == "2026" else cell for cell in typed]
        )
    file = tmp_path / "magnet.xlsx"
    workbook.save(file)
    assert read_bill(file) == read_bill(EXAMPLES / "magnet.csv")
    sheet["H3"] = "forty"
    workbook.save(file)
    with pytest.raises(InputRefused, match=r"magnet.xlsx:3:.*expected a number"):
        read_bill(file)
    file.write_bytes(b"PK no workbook")
    with pytest.raises(InputRefused, match="cannot be read"):
        read_bill(file)


def test_a_file_that_is_not_utf8_is_refused(tmp_path):
    file = tmp_path / "bill.csv"
    file.write_bytes("row,id,hs,value\nproduct,,850511,Caf\xe9\n".encode("latin-1"))
    with pytest.raises(InputRefused, match="not UTF-8"):
        read_bill(file)


# -- the agreement's own rule ---------------------------------------------------------------------------------------

DEAL = """title: T
in_force: 2027-01-01
parties: [USA, JPN]
trade_area: {id: area, article: Art. 4, preference: duty_free, origin: %s, illustrative: true, rule: invented}
"""


def deal(term: str) -> Agreement:
    return read(read_marked(DEAL % term, name="deal.yaml"), treaty_world())


def test_the_trade_area_names_the_rule_by_which_the_border_judges():
    bound = deal("{rule: shift_or_value, value_content: 0.55, cumulation: none, tolerance: 0}")
    (one,) = named_rules(treaty_world(), bound, date(2027, 6, 1))
    assert (one.clause, one.article) == ("area", "Art. 4")
    assert one.area.parties == {"USA", "JPN"}
    assert one.rule.cumulation == "none"
    shift, value = (leaf for leaf in one.rule.test.leaves())
    assert (shift.tariff_shift.tolerance, value.value_content.at_least) == (0, Decimal("0.55"))


def test_before_it_is_in_force_the_agreement_names_no_rule():
    with pytest.raises(InputRefused, match="names a rule of origin"):
        named_rules(treaty_world(), deal("{rule: tariff_shift}"), date(2026, 1, 1))


@pytest.mark.parametrize(
    ("term", "message"),
    [
        ("{rule: tarif_shift}", "did you mean 'tariff_shift'"),
        ("{rule: value_content}", "needs its share"),
        ("{rule: tariff_shift, value_content: 0.4}", "no test that value_content could be of"),
        ("{rule: value_content, value_content: 0.4, tolerance: 0.1}", "no test that tolerance could be of"),
    ],
)
def test_an_origin_term_that_no_rule_fits_is_refused(term, message):
    with pytest.raises(InputRefused, match=message):
        deal(term)


def test_the_duty_of_a_preference_carries_its_rule():
    from friendshore.agreement import schedule

    duties = schedule.duties(deal("{rule: tariff_shift}"), treaty_world(), date(2027, 6, 1))
    assert {duty.origin_rule for duty in duties if duty.replaces} == {"tariff_shift"}


def test_the_option_of_an_entry_names_the_rule_that_the_proof_stands_for(tmp_path):
    pytest.importorskip("ibis")
    file = tmp_path / "deal.yaml"
    file.write_text(DEAL % "{rule: tariff_shift}", encoding="utf-8")
    fields = "importer=USA origin=JPN hs=8505110070 good=ndfeb.magnet date=2027-02-01 net_mass_kg=1000 price=100000"
    more = "currency=USD delivery=FOB freight=0 insurance=0 proof=agreement proof_date=2027-01-10"
    result = CliRunner().invoke(cli.app, ["assess", "--one", f"{fields} {more}", "-A", str(file)])
    assert "proof of origin under the agreement, rule tariff_shift" in result.output


# -- the command ----------------------------------------------------------------------------------------------------


def told(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(cli.app, ["origin", *words])
    if isinstance(result.exception, InputRefused):
        return result.exception.exit_status, str(result.exception)
    return result.exit_code, result.stdout


def test_the_command_says_what_the_library_says():
    words = [
        str(EXAMPLES / "magnet.yaml"),
        "--rule",
        "value_content",
        "--parties",
        "JPN,EU,USA",
        "--as-of",
        "2026-11-22",
    ]
    status, text = told(*words)
    area = area_of(["JPN", "EU", "USA"])
    verdict = judge(read_bill(EXAMPLES / "magnet.yaml"), find_rule("value_content"), area, DAY)
    assert (status, text) == (0, page(verdict, changes(verdict, area)))
    _, as_json = told(*words, "--json")
    expected = json.loads(json.dumps(document(verdict, changes(verdict, area)), default=str))
    assert json.loads(as_json) == {"verdicts": [expected], "conflicts": []}


def test_several_bills_are_judged_and_everything_wrong_in_any_is_told(tmp_path):
    files = [str(EXAMPLES / "magnet.yaml"), str(EXAMPLES / "magnet.csv")]
    _, text = told(*files, "--rule", "feoc", "--as-of", "2026-11-22", "--json")
    assert [one["failing"] for one in json.loads(text)["verdicts"]] == [["ndpr"], ["ndpr"]]
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_text("product: P\n", encoding="utf-8")
    status, text = told(str(tmp_path / "a.yaml"), str(tmp_path / "b.yaml"), "--rule", "feoc")
    assert status == 2
    assert "a.yaml:1" in text
    assert "b.yaml:1" in text


def test_a_product_between_two_laws_is_told_so():
    words = [str(EXAMPLES / "magnet.yaml"), "--rule", "dfars_225_7018", "--rule", "china_2025_61"]
    assert "us_yes_china_no" in told(*words, "--as-of", "2026-11-22")[1].partition("TWO LAWS")[2]
    assert "TWO LAWS" not in told(*words, "--as-of", "2026-11-10")[1]  # the control was suspended
    assert "TWO LAWS" not in told(*words, "--as-of", "2027-01-01")[1]  # and from then on it fails both


def test_what_cannot_be_said_is_a_status_of_its_own(tmp_path):
    words = ["--rule", "feoc", "--as-of", "2026-11-22"]
    assert told(str(EXAMPLES / "magnet.yaml"), *words)[0] == 0
    text = "{product: P, hs: '850511', made_in: JPN, currency: USD, price: 9}"
    bill = tmp_path / "bill.yaml"
    bill.write_text(text, encoding="utf-8")
    status, said = told(str(bill), *words)
    assert status == 3
    assert "who made it" in said


def test_the_rules_are_listed_with_their_sources():
    status, text = told("rules")
    assert status == 0
    assert all(name in text for name in rule_names())
    listed = json.loads(told("rules", "--json")[1])
    assert [rule["id"] for rule in listed["rules"]] == list(rule_names())
    assert all(source["url"] or source["id"] == "friendshore.pattern" for source in listed["sources"])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--rule", "value_contnet"], "did you mean 'value_content'"),
        (["--rule", "value_content"], "asks whose materials count"),
        (["--rule", "value_content", "--parties", "JPN,EUX"], "no country has the code 'EUX'"),
        (["--rule", "nothing.yaml"], "cannot be read"),
    ],
)
def test_a_rule_or_a_party_that_there_is_not_is_refused(words, message):
    status, text = told(str(EXAMPLES / "magnet.yaml"), *words)
    assert status == 2
    assert message in text
