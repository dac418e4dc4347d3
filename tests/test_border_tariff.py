"""Schedules: rates read as they are written or refused, children that take their parents' rates, lists by their days."""

from __future__ import annotations

import os
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from friendshore.border import published, tariff
from friendshore.border.expression import Specific, parse
from friendshore.border.reasons import REASONS
from friendshore.errors import InputRefused

ROOT = Path(__file__).resolve().parent.parent
RAW = Path(os.environ.get("FRIENDSHORE_DATA", ROOT.parent / "shared" / "data")) / "raw"

HTS = """\
HTS Number,Indent,Description,Unit of Quantity,General Rate of Duty,Special Rate of Duty,Column 2 Rate of Duty
8101,0,Tungsten,,,,
8101.10.00.00,1,Powders,,7%,Free (AU),58%
8101.94.00.00,2,Unwrought,,6.6%,"Free (A+,AU, KR)",60%
8101.99,2,Other:,,,,
8101.99.10.00,3,Bars,,,,
2846,0,Rare earths,,,,
2846.90.20,1,Mixtures,,Free,,25%
2846.90.20.05,2,Of oxides,,,,
2846.90.20.15,2,Other,,,,
"""


def test_what_cannot_be_read_is_refused_and_never_nothing() -> None:
    for text in ("", "See note", "(500 yen - value)/kg", "5% + 3%", "12 per cent", "7/kg", "3.7% of something", "1.5¢"):
        assert parse(text) is None, text


@pytest.mark.parametrize(
    ("text", "rate", "specific"),
    [
        ("3.7%", "0.037", ()),
        ("37.5¢/kg on tungsten content", "0", (Specific(Decimal(375), "USD", "tungsten"),)),
        ("$1.10/kg on molybdenum content + 15%", "0.15", (Specific(Decimal(1100), "USD", "molybdenum"),)),
        ("$1.97/t", "0", (Specific(Decimal("1.97"), "USD"),)),
        ("8.80 yen/kg", "0", (Specific(Decimal(8800), "JPY"),)),
        ("6.00% + 13.00 GBP/100kg", "0.06", (Specific(Decimal(130), "GBP"),)),
        ("1.70 EUR / tonne", "0", (Specific(Decimal("1.7"), "EUR"),)),
        ("2 USD/mtu", "0", (Specific(Decimal(200), "USD"),)),
    ],
)
def test_rates_are_read_with_their_units(text: str, rate: str, specific: tuple[Specific, ...]) -> None:
    read = parse(text)
    assert read is not None
    assert read.ad_valorem == Decimal(rate)
    assert read.specific == specific


def test_a_rate_per_pound_is_charged_per_tonne_exactly() -> None:
    read = parse("1 USD/lb")
    assert read is not None
    assert abs(read.specific[0].amount_t * Decimal("0.00045359237") - 1) < Decimal("1e-20")


def test_a_child_takes_its_parents_rate_free_included_and_no_strangers(tmp_path: Path) -> None:
    file = tmp_path / "hts.csv"
    file.write_text(HTS, encoding="utf-8")
    found = {(each.line, each.kind): each for each in published.united_states(file)}
    assert found["2846902005", "mfn"].rate == "Free"
    assert found["2846902005", "mfn"].inherits == "28469020"
    assert found["2846902005", "column2"].rate == "25%"
    assert found["8101100000", "mfn"].rate == "7%"  # a leaf, though the next row stands deeper
    assert found["8101940000", "preference"].origins == {"AUS", "KOR"}  # the lapsed programme is left out
    assert ("8101991000", "mfn") not in found  # no rate above it either: not 7 %, which is a stranger's


def test_section_301_holds_by_its_days_and_its_review_takes_its_place() -> None:
    us = tariff.load()

    def rate(line: str, day: date, origin: str = "CHN") -> list[str]:
        return [each.rate for each in us.on("USA", line) if each.kind == "section_301" and each.holds(day, origin)]

    assert rate("8505110070", date(2025, 12, 31)) == []
    assert rate("8505110070", date(2026, 1, 1)) == ["25%"]
    assert rate("8505110070", date(2026, 1, 1), "JPN") == []
    assert rate("2841800010", date(2024, 9, 26)) == []
    assert rate("2841800010", date(2024, 9, 27)) == ["25%"]
    assert rate("8112926000", date(2026, 6, 1)) == []  # germanium is on no list, gallium is
    assert rate("8112921000", date(2026, 6, 1)) == ["25%"]


def test_no_line_has_two_rates_of_one_list_on_a_day() -> None:
    us = tariff.load()
    for (_, line), measures in us.measures.items():
        for day in (date(2024, 10, 1), date(2025, 6, 1), date(2026, 8, 1)):
            held = [each for each in measures if each.kind == "section_301" and each.holds(day, "CHN")]
            assert len(held) <= 1, (line, day)


def test_every_shipped_rate_is_read_or_marked_as_none() -> None:
    unread = {each.rate for each in tariff._shipped() if each.expression is None}
    assert unread == {"not a rate that can be charged by itself", "not carried"}


def test_known_rates_of_the_schedules() -> None:
    held = tariff.load()

    def mfn(territory: str, line: str) -> str:
        return next(each.rate for each in held.on(territory, line) if each.kind == "mfn")

    assert [mfn("USA", line) for line in ("8505110070", "2805300010", "2836910010", "2611006000")] == [
        "2.1%", "5%", "3.7%", "37.5¢/kg on tungsten content",
    ]  # fmt: skip
    assert mfn("JPN", "811292990") == "Free"  # its own column says 3 % bound; the Free stands on the line above
    assert mfn("JPN", "810411030") == "Free"
    assert mfn("JPN", "740311020").startswith("not a rate")  # the duty follows the value
    assert mfn("EUN", "81101000") == "7.0%"


def test_a_users_file_stands_in_place_of_the_shipped_territory(tmp_path: Path) -> None:
    file = tmp_path / "own.csv"
    file.write_text("territory,line,kind,name,origins,rate\nJPN,811010000,mfn,own,,1%\n", encoding="utf-8")
    held = tariff.load([file])
    assert [each.rate for each in held.on("JPN", "811010000")] == ["1%"]
    assert not held.on("JPN", "811292990")
    assert held.on("USA", "8505110070")
    file.write_text(
        "territory,line,kind,name,origins,rate\nJPN,81.10,mfm,own,,1%\nJPN,8110,duty,,,1%\n", encoding="utf-8"
    )
    with pytest.raises(InputRefused, match="2 problems"):
        tariff.load([file])


def test_every_code_says_what_to_do_and_who_can() -> None:
    for reason in REASONS.values():
        assert (reason.kind == "reason") == (not reason.fix), reason
        assert bool(reason.fix) == bool(reason.who), reason


@pytest.mark.skipif(not RAW.is_dir(), reason="the publishers' files are not here")
def test_the_shipped_tables_are_what_the_readers_make_of_the_raw_files(tmp_path: Path) -> None:
    for name, measures in published.rebuild(RAW).items():
        tariff.write(measures, tmp_path / f"{name}.csv")
        assert (tmp_path / f"{name}.csv").read_bytes() == (tariff.SHIPPED / f"{name}.csv").read_bytes()
