"""Reference prices: the ladder, the strict reading of observations, a publication that comes again byte for byte."""

from __future__ import annotations

import csv
import io
import json
import random
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from friendshore import customs
from friendshore.agreement.document import Agreement, read
from friendshore.border import observations, publication, rates, reference, reference_rule
from friendshore.border.line import Entry, assess_line
from friendshore.border.observations import FIELDS, Observation
from friendshore.border.reference import Inputs, Priced
from friendshore.border.reference_rule import Rule, Words
from friendshore.border.scaled import NANO
from friendshore.customs import published
from friendshore.errors import InputRefused
from friendshore.instruments.names import iso_names, vocabulary
from friendshore.marked import noted
from friendshore.world.tables import World

D = Decimal
DAY = date(2030, 1, 15)
EXAMPLES = Path(__file__).resolve().parent.parent / "examples" / "border"
WORDS = Words(
    goods=("tin.metal", "tungsten.apt"),
    contents={("tin", "tin.metal"): D(1), ("wo3", "tungsten.apt"): D("0.793")},
    countries=("AAA", "BBB", "NME"),
)
RULE = """
id: test
rungs:
  - {source: transaction, days: 30, observations: 3, reporters: 2, volume_t: 10, largest_share: 0.6, trim: 0.2,
     weigh: volume, unrelated: true, market_economies: true, least_t: 0.5}
  - {source: index, days: 20, observations: 2}
  - {source: cost_plus, days: 400}
  - {source: should_cost, days: 400}
goods: [{good: tungsten.apt, per: mtu, of: wo3}]
not_market_economies: {countries: [NME], source: a test}
carry_days: 60
notice_days: 10
holds_days: 40
"""


def rule(text: str = RULE) -> Rule:
    return reference_rule.read(text.encode(), WORDS, name="rule.yaml")


def inputs(text: str = RULE, **more: object) -> Inputs:
    held = Inputs(rule=rule(text), words=WORDS, rates={}, yearly_t={}, before={})
    return replace(held, **more)  # type: ignore[arg-type]


def seen(key: str, price: str, volume: str = "5", reporter: str = "A", **more: object) -> Observation:
    """A sale of tin in order, unless something else is said."""
    held = {
        "id": key, "day": DAY, "good": "tin.metal", "source": "transaction", "reporter": reporter, "price": D(price),
        "currency": "USD", "per": "t", "of": "tin", "delivery": "CIF", "volume": D(volume) if volume else None,
        "origin": "AAA", "text": {},
    }  # fmt: skip
    return Observation(**(held | more))  # type: ignore[arg-type]


def priced(held: list[Observation], given: Inputs | None = None, day: date = DAY) -> Priced:
    return reference.publish(held, day, given or inputs())[0]


def outcome(found: Priced) -> dict[str, str]:
    return {each.observation.id: each.reason for each in found.judged}


SALES = [seen("a", "100", "4", "A"), seen("b", "110", "5", "B"), seen("c", "120", "6", "C"), seen("d", "130", "4", "A")]


# -- the ladder ------------------------------------------------------------------------------------------------------


def test_the_price_is_the_median_weighed_by_volume() -> None:
    # by volume: 4 at 100, 5 at 110, 6 at 120, 4 at 130; half of 19 lies within the 6
    found = priced(SALES)
    assert (found.price, found.rung) == (D("120.00"), "transaction")
    assert found.tried[0].volume_t == 19


def test_between_two_prices_it_is_their_mean() -> None:
    found = priced(
        [
            seen("a", "100", "5", "A"),
            seen("b", "110", "5", "B"),
            seen("c", "120", "10", "C"),
            seen("d", "99", "4", "A", related=True),
        ]
    )
    assert found.price == D("115.00")  # 10 t at or below 110, 10 t above


def test_a_fifth_is_trimmed_at_each_end() -> None:
    more = [*SALES, seen("e", "500", "4", "B")]
    found = priced(more)
    assert outcome(found) == {"a": "X11", "b": "used", "c": "used", "d": "used", "e": "X12"}
    assert found.price == D("120.00")


@pytest.mark.parametrize(
    ("reason", "odd"),
    [
        ("X01", {"day": date(2030, 1, 16)}),
        ("X02", {"reported": date(2030, 1, 16)}),
        ("X03", {"day": date(2029, 12, 15)}),
        ("X04", {"related": True}),
        ("X05", {"origin": "NME"}),
        ("X07", {"currency": "EUR"}),
        ("X08", {"delivery": "FOB"}),
        ("X09", {"volume": None}),
        ("X10", {"volume": D("0.4")}),
    ],
)
def test_what_is_not_admissible_is_left_out_with_its_reason(reason: str, odd: dict[str, object]) -> None:
    found = priced([*SALES, seen("odd", "1", **odd)])
    assert outcome(found)["odd"] == reason
    assert found.price == D("120.00")


def test_another_grade_is_left_out() -> None:
    graded = RULE.replace("per: mtu", "per: mtu").replace("goods: [", "goods: [{good: tin.metal, grades: ['99.9']}, ")
    sales = [replace(each, grade="99.9") for each in SALES]
    found = priced([*sales, seen("odd", "1", grade="99.0"), seen("none", "1")], inputs(graded))
    assert (outcome(found)["odd"], outcome(found)["none"], found.price) == ("X06", "X06", D("120.00"))


@pytest.mark.parametrize(
    ("held", "lacked"),
    [
        (SALES[:2], "2 of 3 observations; 9 t of 10 t"),
        ([replace(each, reporter="A") for each in SALES], "1 of 2 reporters; one has 100.0 % of it, 60 % at most"),
        ([replace(each, volume=D(1)) for each in SALES], "4 t of 10 t"),
        ([*SALES[:3], seen("d", "130", "40", "D")], "one has 72.7 % of it, 60 % at most"),
    ],
)
def test_a_rung_that_falls_short_gives_way_to_the_next(held: list[Observation], lacked: str) -> None:
    quoted = [seen("q", "90", "", source="index"), seen("r", "94", "", source="index")]
    found = priced([*held, *quoted])
    assert found.tried[0].lacked == lacked
    assert (found.rung, found.price) == ("index", D("92.00"))
    assert {outcome(found)[each.id] for each in held} == {"X13"}


def test_rungs_are_asked_in_the_order_of_the_rule() -> None:
    below = [seen("q", "90", "", source="index"), seen("r", "94", "", source="index"), seen("k", "80", "", source="cost_plus"), seen("s", "70", "", source="should_cost")]  # fmt: skip
    assert [priced([*SALES, *below]).rung, priced(below).rung, priced(below[2:]).rung, priced(below[3:]).rung] == [
        "transaction", "index", "cost_plus", "should_cost"]  # fmt: skip
    assert outcome(priced([*SALES, *below]))["q"] == "X14"
    assert outcome(priced(below))["k"] == "X14"


def test_a_volume_may_be_asked_as_a_share_of_the_year() -> None:
    text = RULE.replace("volume_t: 10,", "volume_share: 0.001,")
    assert priced(SALES, inputs(text, yearly_t={"tin.metal": D(19_000)})).rung == "transaction"
    assert priced(SALES, inputs(text, yearly_t={"tin.metal": D(19_001)})).tried[0].lacked == "19 t of 19.001 t"
    assert "not known" in priced(SALES, inputs(text)).tried[0].lacked


def test_the_last_price_is_carried_while_it_is_young() -> None:
    before = {"tin.metal": (date(2029, 11, 20), D("101.50"), D("101.50"))}
    found = priced([SALES[0]], inputs(before=before))
    assert (found.rung, found.price, found.carried_from) == ("carried", D("101.50"), date(2029, 11, 20))
    old = priced([SALES[0]], inputs(before={"tin.metal": (date(2029, 11, 15), D("101.50"), D("101.50"))}))
    assert (old.rung, old.price) == ("", None)


def test_money_mass_and_delivery_come_to_one_basis() -> None:
    given = inputs(rates={"EUR": (rates.Rate(date(2030, 1, 1), D("1.10")),)})
    one = seen("a", "300", "100", source="cost_plus", good="tungsten.apt", of="wo3", per="mtu", currency="EUR",
               delivery="FOB", freight=D(5), insurance=D(1), volume_unit="kg")  # fmt: skip
    found = reference.publish([one], DAY, given)[0]
    assert found.price == D("336.60")  # (300 + 5 + 1) x 1.10, per mtu of wo3
    assert found.judged[0].usd_t == (D("33660") / D("0.793")).quantize(D("0.000001"))
    assert found.judged[0].volume_t == D("0.0793")
    assert found.usd_t == (D("33660") / D("0.793")).quantize(D("0.01"))
    pounds = seen("b", "2", "", source="cost_plus", per="lb")
    assert priced([pounds]).price == D("4409.25")  # 2 / 0.00045359237


def test_an_old_exchange_rate_does_not_hold() -> None:
    given = inputs(rates={"EUR": (rates.Rate(date(2029, 12, 1), D("1.10")),)})
    assert outcome(priced([seen("a", "1", currency="EUR")], given)) == {"a": "X07"}


@pytest.mark.parametrize(
    ("delivery", "fob", "cif"),
    [
        ("EXW", None, D(107)),
        ("FOB", D(100), D(107)),
        ("CFR", D(95), D(102)),
        ("CIP", D(93), D(100)),
        ("DAP", D(93), D(100)),
    ],
)
def test_terms_of_delivery(delivery: str, fob: Decimal | None, cif: Decimal) -> None:
    one = seen("a", "100", "", source="cost_plus", delivery=delivery, freight=D(5), insurance=D(2))
    assert priced([one]).price == cif
    assert priced([one], inputs(RULE + "delivery: fob\n")).price == fob


# -- how far one observation can move it -----------------------------------------------------------------------------


def by_hand(pairs: list[tuple[Decimal, Decimal]], trim: Decimal) -> Decimal:
    """The trimmed median, written down as it is defined; equal prices stay in their order."""
    ordered = sorted(pairs, key=lambda pair: pair[0])
    ends = int(trim * len(ordered))
    kept = ordered[ends : len(ordered) - ends]
    half, below = sum(weight for _, weight in kept) / 2, D(0)
    for place, (price, weight) in enumerate(kept):
        below += weight
        if below == half and place + 1 < len(kept):
            return (price + kept[place + 1][0]) / 2
        if below >= half:
            return price
    raise AssertionError


@pytest.mark.parametrize("seed", range(40))
def test_the_worst_observation_is_found_among_all(seed: int) -> None:
    dice = random.Random(seed)
    trim = dice.choice(["0", "0.1", "0.25", "0.4"])
    text = (
        RULE.replace("trim: 0.2", f"trim: {trim}")
        .replace("volume_t: 10, largest_share: 0.6,", "")
        .replace("reporters: 2,", "")
    )
    text = text.replace("observations: 3", "observations: 1") + "round_to: 0.000001\n"
    if seed % 2:
        text = text.replace("weigh: volume", "weigh: equal")
    number = dice.randrange(2, 14)
    prices = [D(dice.randrange(50, 150)) for _ in range(number)]
    weights = [D(dice.choice([1, 1, 2, 3, 7])) for _ in range(number)]
    held = [seen(f"{n:02d}", str(prices[n]), str(weights[n]), f"R{n}") for n in range(number)]
    counted = weights if not seed % 2 else [D(1)] * number
    pairs = list(zip(prices, counted, strict=True))
    found = priced(held, inputs(text))
    price = by_hand(pairs, D(trim))
    assert found.price == price
    left_out = max(abs(by_hand(pairs[:n] + pairs[n + 1 :], D(trim)) / price - 1) for n in range(number))
    assert found.left_out is not None
    assert abs(found.left_out.change or 0) == left_out.quantize(D("0.000001"))
    near = D("0.0000001")  # just short of another's price, or just beyond it: where heavy ones do most
    ends = [D("0.000001"), D(10) ** 9, *(each + by for each in prices for by in (-near, near))]
    far = []
    for n in range(number):
        for end in ends:
            moved = by_hand([*pairs[:n], (end, counted[n]), *pairs[n + 1 :]], D(trim))
            far.append(None if not 49 <= moved < 151 else abs(moved / price - 1).quantize(D("0.000001")))
    assert found.falsified is not None
    assert (found.falsified.change is None) == (None in far)
    if None not in far:
        assert abs(found.falsified.change or 0) == max(each for each in far if each is not None)


def test_a_heavy_observation_does_most_just_short_of_being_trimmed() -> None:
    # 2 t each at 100, 101, 102 and 110, and 8 t at 101.5; of five, one is trimmed at each end. Beyond the dearest, the 8 t
    # are trimmed and 102 is the dearer of two that are left; just below 110, 110 is trimmed and the 8 t are the middle.
    held = [seen(key, price, "2", key) for key, price in zip("abcd", ("100", "101", "102", "110"), strict=True)]
    found = priced([*held, seen("e", "101.5", "8", "e")], inputs(RULE.replace("largest_share: 0.6,", "")))
    assert found.price == D("101.50")
    assert found.falsified is not None
    assert (found.falsified.id, found.falsified.price) == ("e", D("110.00"))


@pytest.mark.parametrize("seed", range(60))
def test_leaving_out_any_observation_moves_no_price_further_than_is_said(seed: int) -> None:
    dice = random.Random(seed)
    sources, reporters = ("transaction", "index", "cost_plus"), "ABC"
    held = [
        seen(
            f"{n:02d}", str(dice.randrange(50, 150)), str(dice.choice([3, 5, 9])), dice.choice(reporters),
            source=sources[0] if dice.random() < 0.6 else dice.choice(sources[1:]),
        )
        for n in range(dice.randrange(3, 12))
    ]  # fmt: skip
    given = inputs(before={"tin.metal": (date(2029, 12, 15), D(100), D(100))} if seed % 3 else {})
    found = priced(held, given)
    if found.price is None:
        assert found.left_out is None
        return
    without = [priced(held[:n] + held[n + 1 :], given) for n in range(len(held))]
    changes = [None if each.price is None else abs(each.price / found.price - 1) for each in without]
    said = found.left_out
    if said is None:
        assert not any(changes)
        return
    assert (said.change is None) == (None in changes)
    if said.change is not None:
        assert abs(said.change) == max(each for each in changes if each is not None).quantize(D("0.000001"))
    there = next(n for n, each in enumerate(held) if each.id == said.id)
    assert said.price == without[there].price


def test_without_a_sale_of_the_largest_reporter_the_rung_above_may_hold() -> None:
    # A has 8 of 13 t, more than six tenths; without its sale of 1 t it has 7 of 12, and the sales give 100
    sales = [seen("a", "100", "7"), seen("b", "101", "1"), seen("c", "104", "3", "B"), seen("d", "105", "2", "C")]
    index = [seen(f"q{price}", price, "", source="index") for price in ("90", "92", "94")]
    found = priced([*sales, *index])
    assert (found.rung, found.price) == ("index", D("92.00"))
    assert found.left_out is not None
    assert (found.left_out.id, found.left_out.rung, found.left_out.price) == ("b", "transaction", D("100.00"))
    carried = priced(sales, inputs(before={"tin.metal": (date(2029, 12, 15), D(80), D(80))}))
    assert (carried.rung, carried.price) == ("carried", D(80))
    assert carried.left_out is not None
    assert (carried.left_out.id, carried.left_out.change) == ("b", D("0.25"))


def test_a_price_that_the_step_rounds_to_nought_is_refused() -> None:
    with pytest.raises(InputRefused, match="nought per t of tin.metal in steps of 1000 USD"):
        priced(SALES, inputs(RULE + "round_to: 1000\n"))


# -- reading ---------------------------------------------------------------------------------------------------------

GOOD = dict(zip(FIELDS, ("S-1", "2030-01-10", "tin.metal", "transaction", "A", "100.50", "USD", "t", "tin", "CIF"), strict=False)) | {
    "volume": "5", "volume_unit": "t", "origin": "AAA", "related": "N",
}  # fmt: skip


def as_csv(*rows: dict[str, str]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, FIELDS, restval="")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def refused(raw: bytes, name: str = "seen.csv") -> list[tuple[str, str, int]]:
    with pytest.raises(InputRefused) as caught:
        observations.read(raw, WORDS, name=name)
    return [(each.code, each.path, each.place.line if each.place else 0) for each in caught.value.problems]


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("id", "", "missing"),
        ("id", "=1+1", "formula"),
        ("day", "2030-02-30", "bad-date"),
        ("day", "10/01/2030", "bad-date"),
        ("good", "tin.metl", "unknown-good"),
        ("source", "rumour", "unknown-value"),
        ("price", "1,000.00", "no-number"),
        ("price", "1e5", "no-number"),
        ("price", "-4", "no-number"),
        ("price", "0", "nought"),
        ("price", "NaN", "no-number"),
        ("price", "9" * 40, "no-number"),
        ("volume", "0", "nought"),
        ("currency", "usd", "no-currency"),
        ("per", "ton", "unknown-unit"),
        ("volume_unit", "bags", "unknown-unit"),
        ("of", "wo3", "wrong-basis"),
        ("delivery", "DDP", "unknown-value"),
        ("origin", "ZZZ", "unknown-country"),
        ("origin", "", "missing"),
        ("related", "", "missing"),
        ("related", "maybe", "unknown-value"),
        ("reporter", "x" * 300, "too-long"),
        ("reported", "2030-01-09", "dates-backwards"),
        ("note", "a\x07bell", "formula"),
    ],
)
def test_a_faulty_field_is_refused_at_its_line(field: str, value: str, code: str) -> None:
    other = GOOD | {"id": "S-2"}
    assert (code, field, 3) in refused(as_csv(other, GOOD | {field: value}))


def test_a_faulty_cell_is_shown_at_its_column() -> None:
    raw = as_csv({**GOOD, "reporter": "A, Ltd", "price": "1e3"})
    with pytest.raises(InputRefused) as caught:
        observations.read(raw, WORDS, name="seen.csv")
    place = caught.value.problems[0].place
    assert place is not None
    assert place.text[place.column - 1 : place.column - 1 + place.width] == "1e3"


def test_an_id_of_another_file_is_refused_by_the_names_of_both() -> None:
    files = [("one.csv", as_csv(GOOD)), ("two.csv", as_csv({**GOOD, "id": "S-2"}, GOOD))]
    with pytest.raises(InputRefused, match=r"S-1 is the id of line 2 of one\.csv already") as caught:
        observations.read_all(files, WORDS)
    place = caught.value.problems[0].place
    assert place is not None
    assert (place.file, place.line) == ("two.csv", 3)


def test_all_problems_are_told_at_once() -> None:
    rows = as_csv(GOOD | {"price": "x"}, GOOD | {"day": "y", "related": ""}, GOOD | {"id": "S-3", "good": "lead"})
    assert [code for code, _, _ in refused(rows)] == [
        "no-number",
        "missing",
        "bad-date",
        "duplicate-id",
        "unknown-good",
    ]


@pytest.mark.parametrize(
    ("raw", "name", "code"),
    [
        (b"", "seen.csv", "empty"),
        (b"id,day\n1,2030-01-01\n", "seen.csv", "missing-field"),
        (as_csv(GOOD).replace(b"note", b"nota"), "seen.csv", "unknown-field"),
        (as_csv(GOOD).replace(b"place", b"grade"), "seen.csv", "duplicate-field"),
        (as_csv(GOOD).replace(b"AAA", b"A\xff"), "seen.csv", "encoding"),
        (as_csv(GOOD) + b'"open,1\n', "seen.csv", "broken-row"),
        (as_csv(GOOD) + b"1,2\n", "seen.csv", "ragged"),
        (as_csv(), "seen.csv", "empty"),
        (b"PAR1 cut off", "seen.parquet", "unreadable"),
        (b"[1]\n", "seen.jsonl", "broken-row"),
        (b'{"id": "1", "id": "2"}\n', "seen.jsonl", "broken-row"),
        (b"", "seen.xlsx", "unknown-format"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused(raw: bytes, name: str, code: str) -> None:
    assert code in [each[0] for each in refused(raw, name)]


def test_three_formats_say_the_same(tmp_path: Path) -> None:
    rows = [GOOD, GOOD | {"id": "S-2", "price": "99.999", "volume": "0.1"}]
    lines = "\n".join(json.dumps({k: v for k, v in row.items() if v}) for row in rows).replace('"99.999"', "99.999")
    pl.DataFrame(rows).with_columns(pl.col("price").cast(pl.Decimal(18, 3))).write_parquet(tmp_path / "seen.parquet")
    first = observations.read(as_csv(*rows), WORDS, name="seen.csv")
    assert [each.price for each in first] == [D("100.50"), D("99.999")]
    for raw, name in ((lines.encode(), "seen.jsonl"), ((tmp_path / "seen.parquet").read_bytes(), "seen.parquet")):
        held = observations.read(raw, WORDS, name=name)
        assert [replace(each, text={}, line=0) for each in held] == [replace(each, text={}, line=0) for each in first]


def test_floats_in_parquet_are_refused(tmp_path: Path) -> None:
    pl.DataFrame([GOOD]).with_columns(pl.col("price").cast(pl.Float64)).write_parquet(tmp_path / "seen.parquet")
    assert refused((tmp_path / "seen.parquet").read_bytes(), "seen.parquet")[0][0] == "floats"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"trim: 0.2": "trim: 0.5"}, "out-of-range"),
        ({"source: index": "source: transaction"}, "two-rungs"),
        ({"volume_t: 10": "volume_t: 10, volume_share: 0.1"}, "two-volumes"),
        ({"not_market_economies: {countries: [NME], source: a test}": ""}, "missing"),
        ({"days: 20": "dais: 20"}, "unknown-key"),
        ({"good: tungsten.apt": "good: tungsten.atp"}, "unknown-good"),
        ({"of: wo3": "of: tin"}, "wrong-basis"),
        ({"countries: [NME]": "countries: [NMEE]"}, "unknown-country"),
        ({"id: test": "id: test\nround_to: 0"}, "out-of-range"),
    ],
)
def test_a_rule_is_read_strictly(change: dict[str, str], code: str) -> None:
    text = RULE
    for old, new in change.items():
        text = text.replace(old, new)
    with pytest.raises(InputRefused) as caught:
        rule(text)
    assert code in [each.code for each in caught.value.problems]
    assert all(each.place is not None for each in caught.value.problems)


def test_the_shipped_rule_is_sound_and_says_that_it_is_illustrative() -> None:
    words = vocabulary(World.load())
    known = Words(goods=words.goods, contents=words.substances, countries=iso_names())
    held = reference_rule.read(reference_rule.SHIPPED, known)
    assert "llustrative" in held.title
    assert [rung.source for rung in held.rungs] == list(reference_rule.SOURCES)


def test_rates_are_read_strictly() -> None:
    assert rates.read(b"currency,day,usd\nEUR,2030-01-02,1.1\nEUR,2030-01-01,1.2\n") == {
        "EUR": (rates.Rate(date(2030, 1, 1), D("1.2")), rates.Rate(date(2030, 1, 2), D("1.1")))
    }
    for bad in ("EUR,2030-01-02,0", "EUR,2030-01-02,1e3", "EUR,2030-13-02,1", "EUR,2030-01-02,1\nEUR,2030-01-02,2"):
        with pytest.raises(InputRefused):
            rates.read(f"currency,day,usd\n{bad}\n".encode())


# -- publishing and making again -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def world() -> World:
    return World.load()


@pytest.fixture
def folder(tmp_path: Path, world: World) -> Path:
    """The example, published."""
    out = tmp_path / "published"
    made = published.publish(world, [EXAMPLES / "observations.csv"], DAY, rates=EXAMPLES / "rates.csv", folder=out)
    assert publication.write(made, out / DAY.isoformat())
    return out / DAY.isoformat()


def test_a_publication_comes_again_byte_for_byte(folder: Path) -> None:
    _, files, differences = publication.replay(folder)
    assert (files, differences) == (7, ())
    inputs = {
        name: (folder / name).read_bytes()
        for name in ("inputs/goods.csv", "inputs/observations.csv", "inputs/rates.csv", "inputs/rule.yaml")
    }
    again = publication.made(inputs, DAY)
    assert all((folder / name).read_bytes() == raw for name, raw in again.items())


def test_the_same_day_is_published_once(folder: Path, world: World) -> None:
    out = folder.parent
    same = published.publish(world, [EXAMPLES / "observations.csv"], DAY, rates=EXAMPLES / "rates.csv", folder=out)
    assert publication.write(same, folder) is False
    other = published.publish(world, [EXAMPLES / "observations.csv"], DAY, folder=out)
    with pytest.raises(InputRefused, match="another publication"):
        publication.write(other, folder)
    with pytest.raises(InputRefused, match="published already"):
        published.publish(world, [EXAMPLES / "observations.csv"], date(2030, 1, 14), folder=out)


def test_an_altered_observation_is_shown_with_what_it_does(folder: Path) -> None:
    file = folder / "inputs" / "observations.csv"
    file.write_text(
        file.read_text().replace(
            "S-03,2029-12-20,ndpr.oxide,transaction,Seller B,95.10",
            "S-03,2029-12-20,ndpr.oxide,transaction,Seller B,85.10",
        )
    )
    _, _, differences = publication.replay(folder)
    found = {(each.file, each.where): (each.was, each.now) for each in differences}
    assert ("inputs/observations.csv", "sha256") in found
    assert found["working.csv", "S-03, price"] == ("95.10", "85.10")
    assert found["working.csv", "S-03, usd_t"] == ("95450", "85450")
    assert ("publication.json", "goods[ndpr.oxide].price") in found
    assert all("gallium" not in each.where for each in differences)


@pytest.mark.parametrize(
    ("name", "old", "new", "where"),
    [
        ("inputs/rule.yaml", "trim: 0.1", "trim: 0.2", "sha256"),
        ("inputs/rates.csv", "1.0900", "1.0800", "sha256"),
        ("inputs/goods.csv", "75033.728", "75033.729", "sha256"),
        ("prices.csv", "93.", "94.", "sha256"),
        ("working.csv", "Seller A", "Seller Z", "S-01, reporter"),
        ("publication.json", '"rung": "index"', '"rung": "transaction"', "digest"),
    ],
)
def test_whatever_is_altered_is_named(folder: Path, name: str, old: str, new: str, where: str) -> None:
    text = (folder / name).read_text()
    assert old in text
    (folder / name).write_text(text.replace(old, new))
    _, _, differences = publication.replay(folder)
    assert (name, where) in {(each.file, each.where) for each in differences}


def test_files_that_are_missing_added_or_unreadable_are_named(folder: Path) -> None:
    (folder / "inputs" / "observations.csv").write_text("id,day\n")
    (folder / "prices.csv").unlink()
    (folder / "more.txt").write_text("x")
    _, _, differences = publication.replay(folder)
    said = {(each.file.split(":")[0], each.now) for each in differences}
    assert {("prices.csv", "missing"), ("more.txt", "added")} <= said
    assert any(file == "inputs/observations.csv" and now.startswith("without ") for file, now in said)
    (folder / "publication.json").write_text("{}")
    with pytest.raises(InputRefused, match="no publication's document"):
        publication.replay(folder)


def test_publications_are_chained_and_prices_carried(folder: Path, world: World) -> None:
    out = folder.parent
    later = EXAMPLES / "observations.csv"
    made = published.publish(world, [later], date(2030, 4, 1), rates=EXAMPLES / "rates.csv", folder=out)
    publication.write(made, out / "2030-04-01")
    document = json.loads(made["publication.json"])
    assert document["previous"]["digest"] == json.loads((folder / "publication.json").read_text())["digest"]
    ndpr = next(item for item in document["goods"] if item["good"] == "ndpr.oxide")
    assert (ndpr["rung"], ndpr["carried_from"]) == ("carried", "2030-01-15")
    assert publication.replay(out / "2030-04-01")[2] == ()


def test_a_past_publication_that_was_made_anew_is_named_by_the_next(folder: Path, world: World) -> None:
    out, seen = folder.parent, EXAMPLES / "observations.csv"
    files = published.publish(world, [seen], date(2030, 4, 1), rates=EXAMPLES / "rates.csv", folder=out)
    publication.write(files, out / "2030-04-01")
    shutil.rmtree(folder)
    other = published.publish(world, [seen], DAY)  # whole in itself, but without the exchange rates
    publication.write(other, folder)
    assert publication.replay(folder)[2] == ()
    told = publication.replay(out / "2030-04-01")[2]
    assert [(each.file, each.where) for each in told] == [("../2030-01-15/publication.json", "sha256")]
    with pytest.raises(InputRefused, match="that 2030-04-01 was made from"):
        publication.load(out)


def test_a_publication_by_an_earlier_method_is_still_read(
    folder: Path, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publication, "METHOD", publication.METHOD + 1)
    assert publication.load(folder.parent).on(date(2030, 1, 29))["ndpr.oxide"].price == D("93.90")
    made = published.publish(world, [EXAMPLES / "observations.csv"], date(2030, 4, 1), folder=folder.parent)
    assert json.loads(made["publication.json"])["previous"]["date"] == "2030-01-15"
    with pytest.raises(InputRefused, match="use the version that published it"):
        publication.replay(folder)


def test_the_ladder_has_the_price_of_the_day(folder: Path) -> None:
    ladder = publication.load(folder.parent)
    assert ladder.on(date(2030, 1, 28)) == {}
    held = ladder.on(date(2030, 1, 29))["ndpr.oxide"]
    assert held.usd_t == held.price * 1000
    assert ladder.on(date(2030, 5, 9))["ndpr.oxide"] == held
    assert ladder.on(date(2030, 5, 10)) == {}
    (folder / "publication.json").write_text((folder / "publication.json").read_text().replace("93.", "94."))
    with pytest.raises(InputRefused, match="not what its digest says"):
        publication.load(folder.parent)


def test_the_agreements_cost_plus_prices_are_a_rung(world: World, tmp_path: Path) -> None:
    deal = Agreement.load("plurilateral-2026", world)
    file = tmp_path / "one.csv"
    file.write_bytes((EXAMPLES / "observations.csv").read_bytes())
    made = published.publish(world, [file], DAY, deal=deal)
    goods = {item["good"]: item for item in json.loads(made["publication.json"])["goods"]}
    assert goods["antimony.metal"]["rung"] == "cost_plus"
    assert goods["tungsten.apt"]["rung"] == "cost_plus"
    here = next(duty for duty in customs.law(world, deal).duties(DAY) if duty.clause == "floor.antimony")
    assert here.reference_usd_t is not None
    assert abs(D(goods["antimony.metal"]["usd_t"]) - here.reference_usd_t) <= D("0.5")
    with pytest.raises(InputRefused, match="no floor with a cost-plus price"):
        published.publish(world, [file], DAY, deal=Agreement.load("one-floor", world))


# -- at the border ---------------------------------------------------------------------------------------------------

FLOOR = """
title: A published floor
in_force: 2027-01-01
parties: [USA, JPN]
floors:
  - {id: floor, good: ndpr.oxide, levy_on: cif, article: Art. 6, illustrative: true, rule: invented,
     reference_price: {method: published, value: 90, currency: USD, per: kg, of: ndpr_oxide}}
"""


def entry(day: date) -> Entry:
    return Entry(
        line_id="1", day=day, importer="USA", origin="CHN", hs="2846908090", net_g=1_000_000, price_c=6_000_000,
        freight_c=0, insurance_c=0, delivery="CIF", good="ndpr.oxide", assay_n=NANO, assay_of="ndpr_oxide", proof="none",
    )  # fmt: skip


def test_a_clause_takes_the_published_price_of_the_day(folder: Path, world: World) -> None:
    deal = read(noted(FLOOR.encode(), name="deal.yaml"), world)
    law = customs.law(world, deal, reference=folder.parent)
    price = publication.load(folder).on(date(2030, 2, 1))["ndpr.oxide"].price
    inside, outside = assess_line(entry(date(2030, 2, 1)), law), assess_line(entry(date(2030, 6, 1)), law)
    assert inside.amounts is not None
    assert outside.amounts is not None
    assert inside.amounts["levy_c"] == int((price * 1000 - 60_000) * 100)
    assert outside.amounts["levy_c"] == 3_000_000
    said = next(step.data for step in inside.steps if step.layer == "levy")
    assert "published 2030-01-15" in said
    assert "no price published for the day is at hand" in next(
        step.data for step in outside.steps if step.layer == "levy"
    )
    assert assess_line(entry(date(2030, 2, 1)), customs.law(world, deal)).amounts == outside.amounts


def test_a_price_on_another_basis_is_refused(world: World, tmp_path: Path) -> None:
    own = tmp_path / "rule.yaml"
    own.write_text(reference_rule.SHIPPED.read_text().replace("delivery: cif", "delivery: fob"))
    made = published.publish(world, [EXAMPLES / "observations.csv"], DAY, rule=own)
    publication.write(made, tmp_path / "fob" / "2030-01-15")
    deal = read(noted(FLOOR.encode(), name="deal.yaml"), world)
    with pytest.raises(InputRefused, match="prices fob"):
        customs.law(world, deal, reference=tmp_path / "fob")
    with pytest.raises(InputRefused, match="holds no publication"):
        customs.law(world, deal, reference=tmp_path / "none")


# -- the command line ------------------------------------------------------------------------------------------------


def run(*words: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "friendshore.cli", *words],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    return done.returncode, done.stdout, done.stderr


def test_the_commands_publish_show_and_replay(tmp_path: Path) -> None:
    out = tmp_path / "published"
    words = [
        "reference",
        "publish",
        "--date",
        "2030-01-15",
        str(EXAMPLES / "observations.csv"),
        "--out",
        str(out),
        "--json",
    ]
    status, said, _ = run(*words, "--rates", str(EXAMPLES / "rates.csv"))
    document = json.loads(said)
    assert (status, document["written_to"]) == (0, str(out / "2030-01-15"))
    assert {item["good"]: item["rung"] for item in document["goods"]} == {
        "gallium.metal": "index", "ndpr.oxide": "transaction", "tungsten.apt": "should_cost",
    }  # fmt: skip
    status, said, _ = run("reference", "replay", str(out / "2030-01-15"), "--json")
    assert (status, json.loads(said)["same"]) == (0, True)
    status, said, _ = run("reference", "show", str(out), "--on", "2030-02-04", "--json")
    assert (status, len(json.loads(said)["goods"])) == (0, 3)
    assert run("reference", "show", str(out), "--on", "2029-02-04")[0] == 3
    (out / "2030-01-15" / "inputs" / "rates.csv").write_text("currency,day,usd\nEUR,2030-01-01,2\n")
    assert run("reference", "replay", str(out / "2030-01-15"))[0] == 3
    status, _, refused = run(*words)
    assert (status, "holds another publication" in refused) == (2, True)


def test_a_good_without_a_price_ends_with_status_three(tmp_path: Path) -> None:
    file = tmp_path / "seen.csv"
    file.write_bytes(as_csv(GOOD))
    assert (
        run("reference", "publish", "--date", "2030-01-15", str(file))[0] == 2
    )  # tin.metal is priced by tin; AAA is no country
    file.write_bytes(as_csv(GOOD | {"origin": "PER"}))
    status, said, _ = run("reference", "publish", "--date", "2030-01-15", str(file))
    assert (status, "no rung holds" in said) == (3, True)


@pytest.mark.parametrize("option", ["--rates", "--rule", "--agreement"])
def test_a_file_that_is_not_there_is_refused(option: str, tmp_path: Path) -> None:
    words = [
        "reference",
        "publish",
        "--date",
        "2030-01-15",
        str(EXAMPLES / "observations.csv"),
        option,
        str(tmp_path / "none.yaml"),
    ]
    status, _, refused = run(*words)
    assert (status, "cannot be read" in refused) == (2, True)


@pytest.mark.parametrize("option", ["--reference", "--state"])
def test_what_only_clauses_can_read_needs_an_agreement(option: str, tmp_path: Path) -> None:
    status, _, refused = run("assess", "--one", "importer=USA", option, str(tmp_path))
    assert (status, "name it with --agreement" in refused) == (2, True)
