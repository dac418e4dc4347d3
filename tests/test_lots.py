"""Lots: mass balance and tracing against a plain traversal, verdicts against bills of materials, checks, refusals, command."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import bench_lots
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from friendshore import cli
from friendshore.border.lots.checks import CHECKS, balance, findings
from friendshore.border.lots.graph import UNKNOWN, Graph, graph_of, origins, ranges
from friendshore.border.lots.tables import CONVERSIONS, LOTS, Book, Recipe, book_of, read_book
from friendshore.border.lots.verdicts import NO, NOT_ASKED, OPEN, WORDS, YES, conflicts, verdicts
from friendshore.border.origin.bill import Bill
from friendshore.border.origin.judge import Area, judge
from friendshore.customs.lots import examine, tables
from friendshore.customs.origin import chosen_rule
from friendshore.errors import InputRefused
from friendshore.marked import read_marked, validate
from friendshore.origin_rules.rule import Rule, find_rule, shipped_conflicts

HERE = Path(__file__).parent
EXAMPLE = HERE.parent / "examples" / "origin"
DAY = date(2027, 6, 1)
PARTIES = frozenset({"AUS", "JPN", "MYS", "USA"})
RECIPES = {
    "blend": Recipe("blend", 0.0, 1.0),
    "separate": Recipe("separate", 0.0, 1.0, ("separated",)),
    "refine": Recipe("refine", 0.0, 1.0, ("refined",)),
    "melt": Recipe("melt", 0.0, 1.0, ("melted",)),
    "sinter": Recipe("sinter", 0.0, 1.0, ("produced",)),
}
WORDS_OF = {True: YES, False: NO, None: OPEN}


@dataclass
class Draft:
    """A small book, written a lot and a conversion at a time."""

    lots: list[dict[str, object]] = field(default_factory=list)
    turns: list[dict[str, object]] = field(default_factory=list)

    def root(self, lot: str, origin: str | None, mass: float = 10.0, **more: object) -> Draft:
        self.lots.append({"lot": lot, "good": "g", "mass_t": mass, "origin": origin, **more})
        return self

    def made(self, lot: str, mass: float, **more: object) -> Draft:
        self.lots.append({"lot": lot, "good": "g", "mass_t": mass, "origin": None, **more})
        return self

    def turn(self, name: str, process: str, country: str, into: dict[str, float], out: dict[str, float]) -> Draft:
        for side, parts in (("in", into), ("out", out)):
            self.turns += [
                {"conversion": name, "process": process, "country": country, "side": side, "lot": lot, "mass_t": mass}
                for lot, mass in parts.items()
            ]
        return self

    def book(self, recipes: dict[str, Recipe] | None = None) -> Book:
        kinds = {"mass": pl.Float64, "amount": pl.Float64, "share": pl.Float64, "part": pl.Float64}
        used = {name for row in self.lots for name in row}
        schema = {name: kinds.get(kind, pl.String) for name, kind in LOTS.items() if name in used}
        rows = [{name: row.get(name) for name in schema} for row in self.lots]
        turned = pl.DataFrame(
            self.turns, schema={name: kinds.get(kind, pl.String) for name, kind in CONVERSIONS.items()}
        )
        return book_of(pl.DataFrame(rows, schema=schema), turned, recipes or RECIPES)


def shares_of(book: Book, graph: Graph) -> dict[str, dict[str, float]]:
    found = origins(book, graph)
    coo = found.shares.tocoo()
    held: dict[str, dict[str, float]] = {lot: {} for lot in book.lot}
    for lot, origin, share in zip(*coo.coords, coo.data, strict=True):
        held[book.lot[int(lot)]][found.countries[origin]] = share
    return held


COUNTRIES = ("AUS", "CHN", "JPN", "MYS", "USA")


@st.composite
def drafts(draw: st.DrawFn, *, lossless: bool = False) -> Draft:
    """Books without circles, in whole grams: each conversion takes parts of lots that there are and gives one or two."""
    draft, left = Draft(), {}
    for k in range(draw(st.integers(1, 4))):
        mass = float(draw(st.integers(1, 50)))
        origin = draw(st.sampled_from([*COUNTRIES, None]))
        stage = draw(st.sampled_from(["mined", "recycled"]))
        draft.root(f"r{k}", origin, mass, stage=stage, hs="253090", value_usd=mass * draw(st.integers(1, 9)))
        left[f"r{k}"] = mass
    for k in range(draw(st.integers(0, 6))):
        some = draw(st.lists(st.sampled_from(sorted(left)), min_size=1, max_size=3, unique=True))
        into = {lot: round(left[lot] * draw(st.sampled_from([0.25, 0.5, 1.0])), 6) for lot in some if left[lot] > 0.01}
        if not into:
            continue
        for lot, mass in into.items():
            left[lot] -= mass
        process = draw(st.sampled_from(sorted(RECIPES)))
        whole = sum(into.values()) * (1.0 if lossless else draw(st.sampled_from([0.5, 0.75, 1.0])))
        parts = draw(st.sampled_from([(1.0,), (0.25, 0.75)]))
        hs = draw(st.sampled_from(["253090", "284690", "280530", "720299", "850511"]))
        out = {f"l{k}{part}": round(whole * share, 6) for part, share in zip("ab", parts, strict=False)}
        draft.turn(f"c{k}", process, draw(st.sampled_from(COUNTRIES)), into, out)
        for lot, mass in out.items():
            draft.made(lot, mass, hs=hs, value_usd=mass * draw(st.integers(1, 60)))
            left[lot] = mass
    return draft


# -- tracing --------------------------------------------------------------------------------------------------------


def traversed(draft: Draft) -> dict[str, dict[str, float]]:
    """The same by a plain recursion over dicts."""
    into, out = defaultdict(list), defaultdict(list)
    for row in draft.turns:
        (into if row["side"] == "in" else out)[row["conversion"]].append((row["lot"], row["mass_t"]))
    origin = {row["lot"]: row["origin"] for row in draft.lots}
    makers = defaultdict(list)
    for name, parts in out.items():
        for lot, mass in parts:
            makers[lot].append((name, mass))

    def held(lot: str) -> dict[str, float]:
        if lot not in makers:
            return {origin[lot] or UNKNOWN: 1.0}
        found: dict[str, float] = defaultdict(float)
        given = sum(mass for _, mass in makers[lot])
        for name, mass in makers[lot]:
            whole = sum(taken for _, taken in into[name])
            for part, taken in into[name]:
                for country, share in held(part).items():
                    found[country] += share * taken / whole * mass / given
        return found

    return {row["lot"]: held(row["lot"]) for row in draft.lots}


@settings(max_examples=150, deadline=None)
@given(drafts())
def test_shares_are_those_of_a_plain_traversal_and_add_to_one(draft):
    book = draft.book()
    found, expected = shares_of(book, graph_of(book)), traversed(draft)
    for lot, shares in expected.items():
        assert found[lot] == pytest.approx(shares, abs=1e-9)
        assert sum(found[lot].values()) == pytest.approx(1, abs=1e-12)


@settings(max_examples=150, deadline=None)
@given(drafts(lossless=True))
def test_tonnes_of_every_origin_are_conserved(draft):
    """Without losses, what came out of the ground of a country is what lots hold of it."""
    book = draft.book()
    found = origins(book, graph_of(book))
    used = np.bincount(book.in_lot, weights=book.in_g, minlength=len(book.lot)) if len(book.in_lot) else 0
    left = (book.mass_g - used) * book.content
    came = np.where(book.made, 0, book.mass_g * book.content)
    roots = found.shares.T @ came
    assert found.shares.T @ left == pytest.approx(roots, abs=len(book.in_g) + len(book.out_g))  # a gram for each row


@settings(max_examples=100, deadline=None)
@given(drafts())
def test_the_balance_closes(draft):
    found = balance(draft.book())
    out = found.in_lots_g + found.shipped_g + found.lost_g - found.overdrawn_g
    assert found.came_in_g == pytest.approx(out, abs=1e-3)
    assert found.lost_g >= -len(draft.turns)


@settings(max_examples=100, deadline=None)
@given(drafts(), st.randoms())
def test_neither_names_nor_the_order_of_rows_matter(draft, random):
    names = {row["lot"]: f"{random.random():.9f}-{row['lot']}" for row in draft.lots}
    other = Draft(
        [row | {"lot": names[row["lot"]]} for row in draft.lots],
        [row | {"lot": names[row["lot"]], "conversion": f"{row['conversion']}!"} for row in draft.turns],
    )
    random.shuffle(other.lots)
    random.shuffle(other.turns)
    book, moved = draft.book(), other.book()
    before, after = shares_of(book, graph_of(book)), shares_of(moved, graph_of(moved))
    for lot, shares in before.items():
        assert after[names[lot]] == pytest.approx(shares, abs=1e-12)
    for name in ("dfars_225_7018", "value_content", "feoc"):
        one = dict(zip(book.lot, verdicts(book, graph_of(book), find_rule(name), PARTIES, DAY), strict=True))
        two = dict(zip(moved.lot, verdicts(moved, graph_of(moved), find_rule(name), PARTIES, DAY), strict=True))
        assert {names[lot]: answer for lot, answer in one.items()} == two


def test_a_chain_of_five_thousand_conversions_is_traced():
    draft = Draft().root("0", "AUS", 1.0)
    for k in range(5000):
        draft.turn(f"c{k}", "blend", "JPN", {str(k): 1.0}, {str(k + 1): 1.0}).made(str(k + 1), 1.0)
    book = draft.book()
    graph = graph_of(book)
    assert graph.depth == 10_001
    assert shares_of(book, graph)["5000"] == {"AUS": 1.0}


def test_the_book_of_the_benchmark_is_sound_and_its_peers_agree(tmp_path):
    bench_lots.book(3000, tmp_path)
    mine, plain, joins = (tell(tmp_path) for tell in bench_lots.KINDS.values())
    assert mine["findings"] == 0
    assert plain["shipped from CHN, %"] == pytest.approx(mine["shipped from CHN, %"], abs=1e-9)
    assert joins["shipped from CHN, %"] == pytest.approx(mine["shipped from CHN, %"], abs=1e-9)


def test_ranges_of_nothing_are_nothing():
    assert ranges(np.zeros(0, np.int64), np.zeros(0, np.int64)).tolist() == []


# -- verdicts -------------------------------------------------------------------------------------------------------


def rule_of(test: str) -> Rule:
    text = f"id: r\nname: R\nlaw: L\nsays: S\nconfidence: K\nsource: me\ncumulation: diagonal\ntest: {test}\n"
    return validate(Rule, read_marked(text, name="r.yaml"))


RULES = {
    "stages": "{stages: {names: [mined, separated, melted], where: {not_in: [CHN]}}}",
    "stages with the last": "{stages: {names: [mined, produced], where: {in: [AUS, JPN, USA]}, spares_recycled_in: [USA]}}",
    "shift": "{tariff_shift: {level: heading}}",
    "shift, tolerated": "{tariff_shift: {level: heading, tolerance: 0.3}}",
    "value": "{value_content: {method: build_down, at_least: 0.4}}",
    "build-up": "{value_content: {method: build_up, at_least: 0.4}}",
    "either": "{any: [{tariff_shift: {level: chapter}}, {value_content: {method: build_down, at_least: 0.6}}]}",
}


def bill_of(lot: str, draft: Draft, answers: dict[str, int] | None) -> Bill | None:
    """The bill of a lot out of one conversion that is a stage; with `answers`, its inputs by what was said of them."""
    row = {each["lot"]: each for each in draft.lots}
    makers = {each["lot"]: each["conversion"] for each in draft.turns if each["side"] == "out"}
    head = {each["conversion"]: each for each in draft.turns}
    into = defaultdict(list)
    given: dict[str, float] = defaultdict(float)
    for each in draft.turns:
        if each["side"] == "in":
            into[each["conversion"]].append(each)
        else:
            given[each["conversion"]] += each["mass_t"]
    counter = iter(range(10_000))

    def stages(conversion: str) -> list[dict[str, object]]:
        return [
            {"stage": s, "country": head[conversion]["country"]} for s in RECIPES[head[conversion]["process"]].stages
        ]

    def inputs(conversion: str, share: float) -> list[dict[str, object]]:
        return [material(each["lot"], share * each["mass_t"] / row[each["lot"]]["mass_t"]) for each in into[conversion]]

    def material(name: str, share: float) -> dict[str, object]:
        made = makers.get(name)
        one = {"id": f"{name}.{next(counter)}", "hs": row[name]["hs"], "value": row[name]["value_usd"] * share}
        if answers is not None:
            told = answers[name]
            return one | {"origin": "JPN" if told == YES else "CHN" if told == NO else None}
        if made is None:
            origin, stage = row[name]["origin"], row[name]["stage"]
            return one | {"origin": origin, "stages": [{"stage": stage, "country": origin}] if origin else None}
        return one | {"origin": "JPN", "stages": stages(made), "made_of": inputs(made, share)}

    made = makers.get(lot)
    if made is None or not RECIPES[head[made]["process"]].stages:
        return None
    share = row[lot]["mass_t"] / given[made]
    materials = inputs(made, share)
    price = row[lot]["value_usd"]
    if sum(each["value"] for each in materials) > price:
        return None
    return Bill.model_validate(
        {"product": lot, "hs": row[lot]["hs"], "made_in": head[made]["country"], "currency": "USD", "price": price,
         "stages": stages(made), "materials": materials}
    )  # fmt: skip


@pytest.mark.parametrize("name", [name for name in RULES if not name.startswith("stages")])
@settings(max_examples=60, deadline=None)
@given(draft=drafts())
def test_lots_are_judged_on_codes_and_value_as_their_bills_are(draft, name):
    book, rule = draft.book(), rule_of(RULES[name])
    found = dict(zip(book.lot, verdicts(book, graph_of(book), rule, PARTIES, DAY).tolist(), strict=True))
    for lot, answer in found.items():
        bill = bill_of(lot, draft, found)
        if bill is not None:
            assert answer == WORDS_OF[judge(bill, rule, Area(PARTIES), DAY).answer], lot


@pytest.mark.parametrize("name", [name for name in RULES if name.startswith("stages")])
@settings(max_examples=60, deadline=None)
@given(draft=drafts())
def test_lots_are_judged_on_stages_as_their_bills_are(draft, name):
    """A bill that goes down to the ground; where something is told nowhere, lots and bills agree that it is open."""
    book = draft.book()
    rule = rule_of(RULES[name]).model_copy(update={"kind": "restriction"})
    found = dict(zip(book.lot, verdicts(book, graph_of(book), rule, PARTIES, DAY).tolist(), strict=True))
    for lot, answer in found.items():
        bill = bill_of(lot, draft, None)
        if bill is not None:
            assert answer == WORDS_OF[judge(bill, rule, Area(PARTIES), DAY).answer], lot


def chain(country: str = "JPN", origin: str | None = "AUS", **more: object) -> Book:
    """Ore, separated in a country, melted and sintered in Japan."""
    draft = Draft().root("ore", origin, 10.0, stage="mined", hs="253090", value_usd=10.0, **more)
    draft.turn("s", "separate", country, {"ore": 10}, {"oxide": 9}).made("oxide", 9, hs="284690", value_usd=90.0)
    draft.turn("m", "melt", "JPN", {"oxide": 9}, {"alloy": 9}).made("alloy", 9, hs="720299", value_usd=120.0)
    draft.turn("p", "sinter", "JPN", {"alloy": 9}, {"magnet": 8}).made("magnet", 8, hs="850511", value_usd=300.0)
    return draft.book()


def said(book: Book, rule: str | Rule, lot: str, day: date = DAY) -> int:
    held = find_rule(rule) if isinstance(rule, str) else rule
    return int(verdicts(book, graph_of(book), held, PARTIES, day)[book.lot.to_list().index(lot)])


@pytest.mark.parametrize(
    ("country", "origin", "day", "answer"),
    [
        ("CHN", "AUS", date(2026, 12, 31), YES),
        ("CHN", "AUS", date(2027, 1, 1), NO),
        ("MYS", "CHN", date(2027, 1, 1), NO),
        ("MYS", "AUS", date(2027, 1, 1), OPEN),  # refined was told nowhere
        ("MYS", None, date(2026, 12, 31), YES),
    ],
)
def test_the_defence_rule_looks_through_to_the_ground_from_2027(country, origin, day, answer):
    assert said(chain(country, origin), "dfars_225_7018", "magnet", day) == answer


def test_lots_of_other_goods_and_days_without_a_rule_are_not_asked():
    assert said(chain("CHN"), "dfars_225_7018", "oxide") == NOT_ASKED
    assert said(chain("CHN"), "china_2025_61", "magnet", date(2026, 10, 1)) == NOT_ASKED


@pytest.mark.parametrize(
    ("country", "origin", "answer"), [("CHN", "AUS", NO), ("MYS", "AUS", YES), ("MYS", "CHN", YES), ("MYS", None, YES)]
)
def test_chinese_oxide_brings_its_value_and_chinese_ore_is_not_listed(country, origin, answer):
    assert said(chain(country, origin), "china_2025_61", "magnet") == answer


def test_a_trace_below_a_thousandth_needs_no_licence():
    draft = (
        Draft().root("cn", "CHN", 1.0, hs="284690", value_usd=1.0).root("au", "AUS", 1.0, hs="284690", value_usd=50.0)
    )
    draft.turn("p", "sinter", "JPN", {"cn": 0.5, "au": 0.5}, {"m": 1}).made("m", 1, hs="850511", value_usd=600.0)
    assert said(draft.book(), "china_2025_61", "m") == YES  # half a dollar of six hundred
    draft.turns[0]["mass_t"] = 0.9
    assert said(draft.book(), "china_2025_61", "m") == NO


def test_content_without_a_value_cannot_be_said():
    draft = Draft().root("cn", "CHN", 1.0, hs="284690").root("au", "AUS", 1.0, hs="284690", value_usd=50.0)
    draft.turn("p", "sinter", "JPN", {"cn": 0.5, "au": 0.5}, {"m": 1}).made("m", 1, hs="850511", value_usd=600.0)
    assert said(draft.book(), "china_2025_61", "m") == OPEN


def test_content_by_mass_is_the_traced_share():
    rule = rule_of("{content: {countries: [CHN], below: 0.25, by: mass}}").model_copy(update={"kind": "restriction"})
    draft = Draft().root("a", "CHN", 1.0).root("b", "AUS", 3.0)
    draft.turn("x", "blend", "JPN", {"a": 1, "b": 3}, {"m": 4}).made("m", 4)
    assert said(draft.book(), rule, "m") == NO  # a quarter is not below a quarter
    draft.turns[1]["mass_t"] = 3.1
    assert said(draft.book(), rule, "m") == YES


def test_a_barred_maker_sticks_and_an_untold_one_leaves_it_open():
    seats = {"maker_country": "JPN", "held_share": 0.0}
    draft = Draft().root("a", "CHN", 1.0, maker_country="MYS", held_from="CHN", held_share=0.25)
    draft.root("b", "AUS", 1.0, maker_country="AUS", held_from="USA", held_share=0.8).root("c", "AUS", 1.0)
    draft.root("d", "AUS", 1.0, maker_country="AUS")
    for lot in "abcd":
        draft.turn(f"t{lot}", "melt", "JPN", {lot: 1}, {f"m{lot}": 1}).made(f"m{lot}", 1, **seats)
    book = draft.book()
    assert [said(book, "feoc", lot) for lot in ("ma", "mb", "mc", "md")] == [NO, YES, OPEN, OPEN]
    draft.lots[0]["held_share"] = 0.24
    assert said(draft.book(), "feoc", "ma") == OPEN  # the other 76 per cent are not told


@pytest.mark.parametrize("seat", [None, "JPN", "CHN"])
@pytest.mark.parametrize("owner", [None, "USA", "CHN"])
@pytest.mark.parametrize("share", [None, 0.0, 0.1, 0.25, 0.75, 0.8, 1.0])
def test_the_maker_of_a_lot_is_judged_as_on_a_bill(seat, owner, share):
    if (owner is None) != (share is None or share == 0.0):
        return
    draft = Draft().root("a", "AUS", 1.0, hs="284690", maker_country=seat, held_from=owner, held_share=share)
    holders = None if share is None else [] if share == 0.0 else [{"holder": "H", "country": owner, "share": share}]
    maker = {"name": "M", "country": seat, "owners": holders}
    bill = Bill.model_validate(
        {"product": "a", "hs": "284690", "made_in": "AUS", "currency": "USD", "price": 1, "maker": maker}
    )
    assert said(draft.book(), "feoc", "a") == WORDS_OF[judge(bill, find_rule("feoc"), Area(PARTIES), DAY).answer]


def test_wholly_obtained_is_lost_where_a_step_leaves_the_area():
    assert said(chain("MYS", "AUS"), "wholly_obtained", "magnet") == YES
    assert said(chain("CHN", "AUS"), "wholly_obtained", "magnet") == NO
    assert said(chain("MYS", "CHN"), "wholly_obtained", "magnet") == NO
    assert said(chain("MYS", None), "wholly_obtained", "magnet") == OPEN


def test_the_last_stage_makes_the_origin_and_a_blend_does_not():
    assert said(chain("CHN", "CHN"), "substantial_transformation", "magnet") == YES
    assert said(chain("CHN", "CHN"), "substantial_transformation", "oxide") == NO
    draft = Draft().root("a", "CHN", 1.0, stage="mined").root("b", "AUS", 1.0, stage="mined")
    draft.turn("x", "blend", "JPN", {"a": 1, "b": 1}, {"m": 2}).made("m", 2)
    assert said(draft.book(), "substantial_transformation", "m") == NO


def test_a_conflict_is_met_where_both_laws_say_what_it_asks():
    book = chain("CHN", "AUS")
    day = date(2026, 11, 22)
    found = {
        name: verdicts(book, graph_of(book), find_rule(name), PARTIES, day)
        for name in ("dfars_225_7018", "china_2025_61")
    }
    met = conflicts(found, shipped_conflicts().values())
    assert book.lot.filter(met["us_yes_china_no"]).to_list() == ["magnet"]
    assert set(met) == {"us_yes_china_no"}


# -- checks ---------------------------------------------------------------------------------------------------------


def found_in(draft: Draft, recipes: dict[str, Recipe] | None = None) -> set[tuple[str, str]]:
    book = draft.book(recipes)
    return {(row["check"], row["id"]) for row in findings(book, graph_of(book)).to_dicts()}


def sound() -> Draft:
    return Draft().root("a", "AUS", 10.0).turn("c", "blend", "JPN", {"a": 10}, {"b": 10}).made("b", 10)


def test_a_sound_book_has_no_findings_to_the_last_gram():
    assert found_in(sound()) == set()


def test_a_lot_cannot_export_more_than_came_in():
    draft = sound()
    draft.lots[1]["shipped_t"] = 10.000001
    assert found_in(draft) == {("overdrawn", "b")}


def test_a_lot_used_twice_over_is_overdrawn():
    draft = sound().turn("d", "blend", "JPN", {"a": 0.000001}, {"e": 0.000001}).made("e", 0.000001)
    assert found_in(draft) == {("overdrawn", "a")}


def test_a_lot_heavier_than_what_made_it_comes_from_nowhere():
    draft = sound()
    draft.lots[1]["mass_t"] = 10.5
    assert found_in(draft) == {("from_nowhere", "b")}


@pytest.mark.parametrize(("out", "check"), [(9.6, "yield_high"), (4.9, "yield_low"), (9.5, None), (5.0, None)])
def test_yields_stay_within_the_recipe(out, check):
    draft = Draft().root("a", "AUS", 10.0).turn("c", "smelt", "JPN", {"a": 10}, {"b": out}).made("b", out)
    found = found_in(draft, {"smelt": Recipe("smelt", 0.5, 0.95)})
    assert found == ({(check, "c")} if check else set())


def test_a_yield_is_reckoned_on_what_lots_hold():
    draft = Draft().root("a", "AUS", 10.0, content=0.1).turn("c", "smelt", "JPN", {"a": 10}, {"b": 1})
    assert found_in(draft.made("b", 1.0, content=0.9), {"smelt": Recipe("smelt", 0.5, 0.95)}) == set()


def test_a_process_that_no_recipe_knows_may_still_not_make_metal():
    draft = Draft().root("a", "AUS", 10.0).turn("c", "magic", "JPN", {"a": 10}, {"b": 11}).made("b", 11)
    assert found_in(draft) == {("no_recipe", "c"), ("yield_high", "c")}


def test_a_certificate_covers_one_lot():
    draft = sound()
    draft.lots[0]["certificate"] = draft.lots[1]["certificate"] = "C-1"
    assert found_in(draft) == {("certificate_twice", "a"), ("certificate_twice", "b")}


def test_a_circle_is_named_and_only_what_stands_behind_it_is_not_traced():
    draft = sound().made("x", 1).made("y", 1).made("z", 1)
    draft.turn("p", "blend", "JPN", {"x": 1}, {"y": 1}).turn("q", "blend", "JPN", {"y": 0.5}, {"x": 1})
    draft.turn("r", "blend", "JPN", {"y": 0.5}, {"z": 1})
    found = found_in(draft, {"blend": Recipe("blend", 0, 2)})
    assert found == {("circle", "x"), ("circle", "y"), ("not_traced", "z")}
    book = draft.book()
    shares = shares_of(book, graph_of(book))
    assert (shares["b"], shares["z"]) == ({"AUS": 1.0}, {})
    assert said(book, "wholly_obtained", "z") == OPEN


def test_a_lot_that_is_in_no_table_leaves_its_part_unknown():
    draft = Draft().root("a", "AUS", 10.0).turn("c", "blend", "JPN", {"a": 5, "ghost": 5}, {"b": 10, "lost": 0.1})
    draft.made("b", 10)
    assert {check for check, _ in found_in(draft, {"blend": Recipe("blend", 0, 2)})} == {"unknown_lot"}
    book = draft.book()
    assert shares_of(book, graph_of(book))["b"] == pytest.approx({"AUS": 0.5, UNKNOWN: 0.5})


def test_beginnings_are_one():
    draft = sound().root("n", None, 1.0)
    draft.lots[1]["origin"] = "JPN"
    draft.turn("e", "blend", "JPN", {}, {"o": 1}).made("o", 1)
    assert found_in(draft) == {("two_beginnings", "b"), ("no_origin", "n"), ("no_input", "e")}


def test_every_check_is_explained():
    assert all(says and who for says, who in CHECKS.values())


# -- reading --------------------------------------------------------------------------------------------------------

GOOD = ("lot,good,mass_t,origin\na,g,1,AUS\nb,g,1,\n", "conversion,process,country,side,lot,mass_t\nc,blend,JPN,in,a,1\nc,blend,JPN,out,b,1\n")  # fmt: skip


def written(folder: Path, lots: str, turns: str) -> tuple[Path, Path]:
    (folder / "lots.csv").write_text(lots, encoding="utf-8")
    (folder / "conversions.csv").write_text(turns, encoding="utf-8")
    return folder / "lots.csv", folder / "conversions.csv"


@pytest.mark.parametrize(
    ("which", "before", "after", "message"),
    [
        (0, "mass_t", "mass", "there is no column 'mass'"),
        (0, "a,g,1,AUS", "a,g,-1,AUS", "lots.csv:2:1   mass_t: expected a number of tonnes above nought, not '-1'"),
        (0, "a,g,1,AUS", 'a,g,"1,000",AUS', "not '1,000'"),
        (0, "a,g,1,AUS", "a,g,1e400,AUS", "not '1e400'"),
        (0, "a,g,1,AUS", "a,g,,AUS", "mass_t: is empty"),
        (0, "a,g,1,AUS", "a,g,1,Australia", "origin: expected a country's code"),
        (0, "a,g,1,AUS", "a,g,1,AUX", "origin: expected a country's code"),
        (0, "a,g,1,AUS", "=cmd(),g,1,AUS", "lot: expected text, not '=cmd()'"),
        (0, "b,g,1,", "a,g,1,", "'a' stands here twice"),
        (1, "c,blend,JPN,out", "c,blend,JPN,give", "side: expected in or out, not 'give'"),
        (
            1,
            "c,blend,JPN,out",
            "c,melt,JPN,out",
            "conversions.csv:3:1   conversion: 'c' is another process or country above",
        ),
        (1, "c,blend,JPN,out", "c,blend,KOR,out", "'c' is another process or country above"),
        (1, "conversion,", "convertion,", "did you mean 'conversion'"),
    ],
)
def test_a_bad_table_is_refused_at_its_row(tmp_path, which, before, after, message):
    texts = list(GOOD)
    read_book(*written(tmp_path, *texts))
    texts[which] = texts[which].replace(before, after, 1)
    from friendshore.customs.origin import countries

    with pytest.raises(InputRefused) as caught:
        read_book(*written(tmp_path, *texts), countries=countries())
    assert " ".join(message.split()) in " ".join(str(caught.value).split())


@pytest.mark.parametrize(
    ("raw", "line", "message"),
    [
        (GOOD[0].encode("utf-16"), 1, "not UTF-8"),
        (GOOD[0].replace("b,g", "b,\xe9").encode("latin-1"), 3, "not UTF-8"),
        (GOOD[0].replace("b,g,1,", "b,g,1,,5").encode(), 3, "5 cells under 4 columns"),
        (GOOD[0].replace("a,g", 'a,"g"h').encode(), 2, "expected after"),
        (b"lot,good,mass_t\n", 1, "no row below its heading"),
    ],
)
def test_a_table_that_is_no_table_is_refused_at_its_line(tmp_path, raw, line, message):
    lots, turns = written(tmp_path, *GOOD)
    lots.write_bytes(raw)
    with pytest.raises(InputRefused, match=message) as caught:
        read_book(lots, turns)
    assert [each.place.line for each in caught.value.problems] == [line]


def test_all_problems_of_both_tables_come_at_once_and_many_of_a_kind_are_counted(tmp_path):
    lots = "lot,good,mass_t,origin\n" + "".join(f"l{k},g,x,AUS\n" for k in range(30))
    with pytest.raises(InputRefused) as caught:
        read_book(*written(tmp_path, lots, GOOD[1].replace("out", "give")))
    said = str(caught.value)
    assert "and 10 more rows like these" in said
    assert "expected in or out" in said


def test_a_truncated_parquet_and_a_missing_file_are_refused(tmp_path):
    lots, turns = written(tmp_path, *GOOD)
    whole = tmp_path / "lots.parquet"
    pl.read_csv(lots).write_parquet(whole)
    book = read_book(whole, turns)
    assert book.lot.to_list() == ["a", "b"]
    whole.write_bytes(whole.read_bytes()[:-20])
    with pytest.raises(InputRefused, match="cannot be read"):
        read_book(whole, turns)
    with pytest.raises(InputRefused, match="cannot be read"):
        read_book(tmp_path / "none.csv", turns)


def test_recipes_of_ones_own_take_the_place_of_those_that_ship(tmp_path):
    lots, turns = written(tmp_path, *GOOD)
    recipes = tmp_path / "recipes.csv"
    recipes.write_text("process,stages,yield_min,yield_max\nblend,refined+melted,0.2,0.5\n", encoding="utf-8")
    book = read_book(lots, turns, recipes)
    assert book.recipes["blend"].stages == ("refined", "melted")
    assert [row["check"] for row in findings(book, graph_of(book)).to_dicts()] == ["yield_high"]
    recipes.write_text("process,stages,yield_min,yield_max\nblend,boiled,0.2,0.5\n", encoding="utf-8")
    with pytest.raises(InputRefused, match="expected stages joined by"):
        read_book(lots, turns, recipes)


# -- the command ----------------------------------------------------------------------------------------------------

ASKED = ["--rule", "dfars_225_7018", "--rule", "substantial_transformation", "--parties", "JPN,USA,AUS,MYS"]


def told(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(cli.app, ["lots", *words])
    if isinstance(result.exception, InputRefused):
        return result.exception.exit_status, str(result.exception)
    return result.exit_code, result.stdout


def test_the_command_tells_balance_origins_findings_verdicts_and_conflicts(tmp_path):
    files = [str(EXAMPLE / "lots.csv"), str(EXAMPLE / "conversions.csv"), "--as-of", "2026-11-22"]
    status, text = told(*files, *ASKED, "--out", str(tmp_path / "out"))
    assert status == 3  # something is wrong with the example's lots
    for part in ("MASS BALANCE", "ORIGIN OF WHAT WAS SHIPPED", "overdrawn", "certificate_twice", "us_yes_china_no"):
        assert part in text
    written_tables = {path.stem for path in (tmp_path / "out").glob("*.parquet")}
    assert written_tables == {"lots", "origins", "findings", "conflicts"}
    as_json = json.loads(told(*files, *ASKED, "--json")[1])
    b = as_json["balance_t"]
    assert b["came_in"] + b["overdrawn"] == pytest.approx(b["in_lots"] + b["shipped"] + b["lost"])
    assert set(as_json["conflicts"]["us_yes_china_no"]) == {"magnet-A", "magnet-B"}
    assert sum(as_json["shipped_by_origin_t"].values()) == pytest.approx(b["shipped"])


def test_an_agreement_brings_its_rule_and_its_parties(tmp_path):
    deal = tmp_path / "deal.yaml"
    deal.write_text(
        "title: T\nin_force: 2027-01-01\nparties: [USA, JPN]\n"
        "trade_area: {preference: duty_free, origin: {rule: tariff_shift}, illustrative: true, rule: invented}\n",
        encoding="utf-8",
    )
    files = [str(EXAMPLE / "lots.csv"), str(EXAMPLE / "conversions.csv")]
    found = json.loads(told(*files, "-A", str(deal), "--as-of", "2027-02-01", "--json")[1])["verdicts"]
    by_hand = told(*files, "--rule", "tariff_shift", "--parties", "USA,JPN", "--as-of", "2027-02-01", "--json")[1]
    assert found == json.loads(by_hand)["verdicts"]


def test_sound_lots_leave_with_status_nought(tmp_path):
    status, text = told(*map(str, written(tmp_path, *GOOD)))
    assert (status, "Nothing is wrong" in text) == (0, True)


def test_a_preference_without_parties_is_refused_before_anything_is_read():
    status, text = told("none.csv", "none.csv", "--rule", "tariff_shift")
    assert status == 2
    assert "asks whose materials count" in text


def test_the_tables_hold_every_lot_with_its_verdicts():
    named = [chosen_rule("dfars_225_7018", [])]
    found = examine(EXAMPLE / "lots.csv", EXAMPLE / "conversions.csv", day=date(2026, 11, 22), rules=named)
    made = tables(found)
    assert made["lots"].height == 14
    assert set(made["lots"]["dfars_225_7018"]) <= set(WORDS.values())
    assert made["origins"].group_by("lot").agg(pl.col("share").sum())["share"].to_list() == pytest.approx([1.0] * 14)
