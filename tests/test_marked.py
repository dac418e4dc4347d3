"""YAML and JSON are read strictly, and every value keeps its line and column."""

from __future__ import annotations

import json
import string
from datetime import date
from pathlib import Path
from typing import Annotated, Literal

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field

from friendshore.errors import InputRefused
from friendshore.marked import Asked, dotted, read_marked, validate, wrong


def refusal(source: str | bytes | Path, **options: int) -> str:
    with pytest.raises(InputRefused) as caught:
        read_marked(source, name="deal.yaml", **options)
    return str(caught.value)


def codes(source: str | bytes) -> list[str]:
    with pytest.raises(InputRefused) as caught:
        read_marked(source, name="deal.yaml")
    return [problem.code for problem in caught.value.problems]


def test_norway_survives() -> None:
    text = "[NO, no, yes, on, off, y, n, true, false, null, ~]"
    assert read_marked(text).value == ["NO", "no", "yes", "on", "off", "y", "n", True, False, None, None]


def test_numbers_are_decimal_and_codes_with_a_leading_nought_stay_text() -> None:
    text = "[1, -2, 1.5, .5, 1e3, 12e9, 0, 010121, 0x10, 1_000, 12:30:45, 0o7, '1']"
    assert read_marked(text).value == [1, -2, 1.5, 0.5, 1e3, 12e9, 0, "010121", "0x10", "1_000", "12:30:45", "0o7", "1"]


def test_dates_are_dates_and_quoted_ones_are_text() -> None:
    assert read_marked("[2027-01-01, '2027-01-01', 2027-1-1]").value == [date(2027, 1, 1), "2027-01-01", "2027-1-1"]


def test_every_value_and_key_has_its_place() -> None:
    marked = read_marked("a:\n  - {b: 1, cd: [x, yz]}\n", name="deal.yaml")
    place = marked.place(("a", 0, "cd", 1))
    assert (place.line, place.column, place.width, place.text) == (2, 20, 2, "  - {b: 1, cd: [x, yz]}")
    assert marked.key_place(("a", 0, "cd")).column == 12
    assert marked.place(("a", 0, "missing", "deeper")) == marked.place(("a", 0))
    assert str(marked.place(())) == "deal.yaml:1:1"


def test_columns_count_characters_not_bytes() -> None:
    marked = read_marked("a: {é: ü, b: x}")
    assert marked.place(("a", "b")).column == 14


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "empty"),
        ("# only a remark\n", "empty"),
        ("   \n\n", "empty"),
        ("a: 1\na: 2\n", "duplicate-key"),
        ("a:\n  - {b: 1, b: 1}\n", "duplicate-key"),
        ("a:\n\t- 1\n", "tab"),
        ("a: .inf\n", "non-finite"),
        ("a: -.INF\n", "non-finite"),
        ("a: .NaN\n", "non-finite"),
        ('{"a": NaN}', "non-finite"),
        ('{"a": -Infinity}', "non-finite"),
        ("a: 1e400\n", "non-finite"),
        ("a: 2027-02-30\n", "bad-date"),
        ("1: a\n", "key-not-text"),
        ("true: a\n", "key-not-text"),
        ("? [a, b]\n: c\n", "key-not-text"),
        ("a: &x 1\nb: *x\n", "reference"),
        ("a: {<<: *x}\n", "reference"),
        ("a: !!python/name:os.system x\n", "tag"),
        ("a: !!str 1\n", "tag"),
        ("a: 1\n---\nb: 2\n", "two-documents"),
        ("a: [1, 2\n", "truncated"),
        ("a: {b: 1, c:\n", "truncated"),
        ('a: "text\n', "truncated"),
        ('{"a": [1, 2', "truncated"),
        ("a: b: c\n", "syntax"),
        ("a: 1\n b: 2\n", "syntax"),
        ("a: [1}\n", "syntax"),
        ("a: \x07\n", "bad-character"),
        ('{"a": "\x00"}', "bad-character"),
        ("[" * 60 + "]" * 60, "too-deep"),
    ],
)
def test_what_yaml_would_bend_is_refused(text: str, code: str) -> None:
    found = codes(text)
    assert found, text
    assert set(found) == {code}


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        (
            "a:\n  - x: 1\n   y: 2\n",
            "indented by 3 blanks, which fits nothing above, inside what began on line 2",
            "line 2 by 4",
        ),
        ("a:\n  b: 1\n   c: 2\n", "indented by 3 blanks, which fits nothing above", "what stands on line 2 by 2"),
        ("a: 1\n b: 2\n", "indented by 1 blank, which fits nothing above", "what stands on line 1 by 0"),
        ("title: A floor: on NdPr\n", "a second colon in one value", "put the whole text in quotes"),
        ("a b\nc: d\n", "line 1 above has no colon", "write it as key: value"),
        ("- a\nb: 1\n", "a key among list items", ""),
        ("a: 1\n- b\n", "a list item among keys", ""),
        ("a: {x: 1 y: 2}\n", "a comma or a closing } is missing, inside what began on line 1", ""),
        ("a: @b\n", "a value cannot begin with @", "put the whole text in quotes"),
        ("a: 'x' y\n", "something is left over after the value", "put the whole text in quotes"),
        ("a: - b\n", "a list item needs a line of its own", "begin it below, indented"),
    ],
)
def test_what_yaml_cannot_read_is_said_in_words_of_the_file(text: str, message: str, hint: str) -> None:
    with pytest.raises(InputRefused) as refused:
        read_marked(text)
    (problem,) = refused.value.problems
    assert problem.message == message
    assert problem.hint.endswith(hint)
    assert bool(problem.hint) == bool(hint)


def test_a_key_that_stands_there_already_is_not_suggested() -> None:
    class Text(BaseModel):
        model_config = ConfigDict(extra="forbid")
        parties: list[str]
        tariffs: list[str] = []

    with pytest.raises(InputRefused) as refused:
        validate(Text, read_marked("parties: [A]\nduties: [B]\n"))
    (problem,) = refused.value.problems
    assert "parties'" not in problem.hint
    assert "tariffs" in problem.hint


def test_yes_and_no_are_told_how_truth_is_written() -> None:
    class Text(BaseModel):
        illustrative: Annotated[bool, Field(strict=True)]

    for word, hint in (("yes", "write true"), ("off", "write false"), ("'true'", "write true, without quotes")):
        with pytest.raises(InputRefused) as refused:
            validate(Text, read_marked(f"illustrative: {word}\n"))
        assert [problem.hint for problem in refused.value.problems] == [hint]


def test_a_billion_laughs_are_refused_at_the_first() -> None:
    text = "a: &a [x, x]\n" + "".join(f"{b}: &{b} [*{a}, *{a}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True))
    assert set(codes(text)) == {"reference"}


def test_problems_come_all_at_once_in_the_order_of_the_file() -> None:
    assert codes("a: .nan\nb: 1\nb: 2\nc: 2027-13-01\n3: x\n") == [
        "non-finite",
        "duplicate-key",
        "bad-date",
        "key-not-text",
    ]


def test_wrong_encoding_names_the_byte_and_the_line() -> None:
    shown = refusal("a: 1\nb: Übersee\n".encode("latin-1"))
    assert "deal.yaml:2:4  byte 9 (0xdc) is not UTF-8" in shown
    assert "UTF-16" in refusal("a: 1\n".encode("utf-16"))


def test_a_byte_order_mark_is_no_character() -> None:
    assert read_marked("a: 1".encode("utf-8-sig")).value == {"a": 1}


def test_a_large_file_is_refused_before_it_is_parsed(tmp_path: Path) -> None:
    path = tmp_path / "large.yaml"
    path.write_bytes(b"a: [" + b"{" * 5_000_000)  # would be a syntax error
    with pytest.raises(InputRefused, match="larger than 5 MB; it was not parsed"):
        read_marked(path)
    assert "larger than" in refusal("a: 12345", max_bytes=5)


def test_an_endless_device_is_read_no_further_than_the_limit() -> None:
    zero = Path("/dev/zero")
    if not zero.exists():
        pytest.skip("no endless device here")
    with pytest.raises(InputRefused, match="larger than"):
        read_marked(zero)


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputRefused, match="no such file"):
        read_marked(tmp_path / "nowhere.yaml")
    with pytest.raises(InputRefused, match="cannot be read"):
        read_marked(tmp_path)


def test_json_with_tabs_and_escapes_reads_as_json_does() -> None:
    text = '{\n\t"a":\t[1,\t2.5e3, true, null],\n\t"b\\u00e9": "\\ud83d\\ude00 \\/ \\t x",\n\t"d": ""\n}'
    assert read_marked(text).value == json.loads(text)


LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**15), 10**15),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(),
)
KEYS = st.text(min_size=1, max_size=8)
DOCUMENTS = st.dictionaries(
    KEYS,
    st.recursive(
        LEAVES, lambda parts: st.lists(parts, max_size=4) | st.dictionaries(KEYS, parts, max_size=4), max_leaves=12
    ),
    min_size=1,
)


@given(DOCUMENTS, st.sampled_from([None, 1, "\t"]))
def test_any_json_reads_as_json_does(value: dict[str, object], indent: int | str | None) -> None:
    assert read_marked(json.dumps(value, indent=indent)).value == value


PLAIN = st.text(string.ascii_letters + "é ü", min_size=1, max_size=6).map(lambda text: "k" + text.strip())


@given(st.dictionaries(PLAIN, st.lists(st.integers(0, 99), min_size=1, max_size=3), min_size=1, max_size=4))
def test_the_place_of_a_value_is_where_it_is_written(value: dict[str, list[int]]) -> None:
    marked = read_marked(yaml.safe_dump(value, allow_unicode=True, default_flow_style=None))
    for key, items in value.items():
        for number, item in enumerate(items):
            place = marked.place((key, number))
            assert place.text[place.column - 1 : place.column - 1 + place.width] == str(item)


@given(st.text(max_size=80))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        read_marked(text, name="any")
    except InputRefused as refused:
        assert str(refused).endswith("nothing was run.")


@given(st.binary(max_size=80))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    try:
        read_marked(raw, name="any")
    except InputRefused as refused:
        assert refused.problems


class Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class Item(Strict):
    good: str
    mode: Literal["cif", "fob"] = Field(description="What the price includes.")
    size: float = Field(1.0, gt=0)
    of: Annotated[str, Asked("no-basis", "{size} of what?")] = Field("x", description="The substance.")


class Basis(Strict):
    size: float
    of: Annotated[str, Asked("no-basis", "{size} {per} of what?")] = Field(description="The substance.")


class Document(Strict):
    title: str
    items: list[Item] = []
    basis: Basis | None = None


def problems(text: str) -> list[tuple[str, str, int, int, str]]:
    marked = read_marked(text, name="deal.yaml")
    with pytest.raises(InputRefused) as caught:
        validate(Document, marked)
    return [
        (p.code, p.path, p.place.line, p.place.column, p.hint) for p in caught.value.problems if p.place is not None
    ]


def test_a_valid_document_becomes_the_model() -> None:
    document = validate(Document, read_marked("title: x\nitems: [{good: a, mode: cif}]"))
    assert document == Document(title="x", items=[Item(good="a", mode="cif")])


def test_every_complaint_stands_at_its_line() -> None:
    assert problems("title: 5\nitems:\n  - {good: a, mode: ciff, size: -1}\n  - {mode: cif, god: b}\n") == [
        ("wrong-type", "title", 1, 8, 'put it in quotes: "5"'),
        ("unknown-value", "items[0].mode", 3, 21, "did you mean 'cif'?"),
        ("negative", "items[0].size", 3, 33, ""),
        ("unknown-key", "items[1].god", 4, 17, "did you mean 'good'?"),
    ]


def test_a_missing_key_stands_at_what_lacks_it_and_says_what_it_is() -> None:
    assert problems("title: x\nitems:\n  - good: a\n") == [("missing", "items[0]", 3, 5, "What the price includes.")]


def test_a_missing_key_may_ask_its_own_question() -> None:
    marked = read_marked("title: x\nbasis: {size: 2}")
    with pytest.raises(InputRefused, match=r"basis: 2 of what\? +\[no-basis\]"):
        validate(Document, marked)


def test_a_number_in_quotes_is_told_apart_from_a_number() -> None:
    assert problems("title: x\nitems: [{good: a, mode: cif, size: '1,000'}]") == [
        ("wrong-type", "items[0].size", 2, 36, "write 1000, without quotes or separators")
    ]


def test_a_part_of_a_document_is_validated_where_it_stands() -> None:
    marked = read_marked("inner:\n  title: [x]\n", name="deal.yaml")
    with pytest.raises(InputRefused, match=r"deal.yaml:2:10  inner.title: expected text, not a list"):
        validate(Document, marked, path=("inner",))


def test_own_complaints_carry_code_and_hint() -> None:
    error = wrong("odd", "braces {stay} as they are", hint="so", at=("a",))
    assert (error.type, error.message()) == ("odd", "braces {stay} as they are")


def test_paths_are_written_as_people_write_them() -> None:
    assert dotted(("floors", 0, "reference_price", "costs", 2)) == "floors[0].reference_price.costs[2]"
