"""Schedules: rates read as they are written or refused, children that take their parents' rates, lists by their days."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import border_cases
import pytest

from friendshore.border import published, tariff
from friendshore.border.expression import Specific, parse
from friendshore.border.reasons import REASONS
from friendshore.border.tariff import Measure
from friendshore.border.terms import Kind, Terms, terms_of
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
    with pytest.raises(InputRefused, match="3 problems"):
        tariff.load([file])


# -- which measures stand for a line on a day ---------------------------------------------------------------------------


def charged(measures: list[Measure], **more: object) -> Terms:
    """The terms of ore of CCC into AAA under some measures."""
    held = {
        "importer": "AAA", "origin": "CCC", "hs": "26110060", "good": "other", "assay_of": "", "currency": "USD", "proof": "",
        "delivery": "FOB", "related": "", "day": date(2031, 6, 1),
    }  # fmt: skip
    law = replace(border_cases.law(), tariff=tariff.gather(measures))
    return terms_of(Kind(**(held | more)), law)  # type: ignore[arg-type]


def dated(rate: str, kind: str = "mfn", origins: str = "", line: str = "26110060", **days: date | None) -> Measure:
    return border_cases.measure("AAA", line, kind, rate, origins, **({"starts": None} | days))


def test_each_day_has_the_rate_that_is_in_force_on_it() -> None:
    held = [
        dated("5%", starts=date(2030, 1, 1), ends=date(2030, 12, 31)),
        dated("4%", starts=date(2031, 1, 1), ends=date(2031, 12, 31)),
        dated("9%", starts=None, line="261100"),
    ]
    for order in (held, held[::-1]):
        assert [charged(order, day=date(2030, 12, 31)).mfn.rate, charged(order).mfn.rate] == [50_000_000, 40_000_000]
        assert not charged(order).schedule_of_another_day  # the schedule says that it holds
        assert charged(order, day=date(2032, 1, 1)).mfn.rate == 90_000_000  # both have ended: the heading's
    assert charged([dated("5%", starts=date(2025, 1, 1)), dated("4%", starts=date(2031, 1, 1))]).mfn.rate == 40_000_000


def test_a_rate_that_has_ended_is_not_charged_and_a_later_schedule_says_so() -> None:
    ended = charged([dated("5%", ends=date(2030, 12, 31))])
    assert (ended.refusal, "ended on 2030-12-31" in ended.about) == ("N18", True)
    later = charged([dated("5%", starts=date(2032, 1, 1)), dated("1%", "preference", "CCC", starts=date(2032, 1, 1))])
    assert (later.mfn.rate, later.schedule_of_another_day) == (50_000_000, True)
    assert later.treaty is not None  # read as on the schedule's first day, whole


def test_preferences_and_column_2_hold_on_their_days_alone() -> None:
    held = [
        dated("5%"),
        dated("Free", "preference", "CCC", ends=date(2030, 12, 31)),
        dated("45%", "column2", "EEE", starts=date(2031, 1, 1)),
        dated("1%", "suspension", starts=date(2032, 1, 1)),
    ]
    assert charged(held, day=date(2030, 6, 1)).treaty is not None
    assert charged(held).treaty is None
    assert charged(held).suspended is None
    codes = [charged(held, origin="EEE", day=day).mfn_code for day in (date(2030, 12, 31), date(2031, 1, 1))]
    assert codes == ["D1", "D9"]


@pytest.mark.parametrize("kind", ["section_301", "section_232", "section_122", "suspension"])
@pytest.mark.parametrize("rate", ["see note 31", "", "7% on the value of the tungsten content", "950%"])
def test_a_measure_that_cannot_be_read_is_refused_and_never_nothing(kind: str, rate: str) -> None:
    found = charged([dated("5%"), dated(rate, kind)])
    assert found.refusal == "N03"
    assert (rate or "no rate") in found.about
    assert charged([dated("5%"), dated(rate, kind, ends=date(2030, 1, 1))]).refusal == ""  # it is not in force


def test_a_preference_that_cannot_be_read_is_refused_where_it_is_claimed() -> None:
    held = [dated("5%"), dated("see note", "preference", "CCC")]
    assert [charged(held, proof=proof).refusal for proof in ("", "none", "treaty")] == ["", "", "N03"]
    assert charged([dated("Free"), dated("see note", "preference", "CCC")], proof="treaty").refusal == ""


def test_two_rates_of_one_kind_on_one_line_are_for_a_person() -> None:
    both = [dated("5%"), dated("25%", "section_232", name="steel"), dated("50%", "section_232", name="aluminium")]
    assert charged(both).refusal == "N03"
    same = [
        dated("5%"),
        dated("25%", "section_232"),
        dated("25%", "section_232"),
        dated("9%", "section_232", line="2611"),
    ]
    found = charged(same).section_232
    assert found is not None
    assert found.rate == 250_000_000  # the closest line's, once


def test_what_is_missing_for_a_specific_duty_is_named_for_what_it_is() -> None:
    assert charged([dated("5 GBP/kg")]).refusal == "N08"  # the rate of exchange, not the assay
    assert charged([dated("5%"), dated("5 GBP/kg", "section_301")]).refusal == "N08"
    tin = charged([dated("37.5¢/kg on tungsten content")], assay_of="tin")
    assert (tin.refusal, "assay is of tin" in tin.about) == ("N09", True)


def test_a_short_code_is_charged_only_where_all_lines_below_owe_the_same() -> None:
    held = [dated("5%", line="2611006010"), dated("5%", line="2611006090")]
    assert charged(held, hs="261100").mfn.rate == 50_000_000
    listed = [*held, dated("25%", "section_301", "CCC", line="2611006090")]
    found = charged(listed, hs="261100")
    assert (found.refusal, "2611006010, 2611006090" in found.about) == ("N13", True)
    assert charged(listed, hs="261100", origin="DDD").refusal == ""  # the list is not for its goods


def test_a_line_that_is_none_is_told_with_those_that_are_near() -> None:
    held = [dated("5%", line=line) for line in ("2611003000", "2611006000", "26119000", "28418000")]
    found = charged(held, hs="2611006100")
    assert found.refusal == "N02"
    assert "near it are 2611003000, 2611006000" in found.about
    assert "heading 9999" in charged(held, hs="9999006100").about
    us = tariff.load()
    assert us.near("USA", "2841900000")[0].startswith("28419")


def test_every_code_says_what_to_do_and_who_can() -> None:
    for reason in REASONS.values():
        assert (reason.kind == "reason") == (not reason.fix), reason
        assert bool(reason.fix) == bool(reason.who), reason


def test_the_page_tells_every_code_in_its_own_words() -> None:
    page = (ROOT / "docs" / "border.md").read_text(encoding="utf-8").splitlines()
    for reason in REASONS.values():
        assert f"| {reason.code} | {reason.text} | {reason.fix} | {reason.who} |" in page


@pytest.mark.skipif(not RAW.is_dir(), reason="the publishers' files are not here")
def test_the_shipped_tables_are_what_the_readers_make_of_the_raw_files(tmp_path: Path) -> None:
    for name, measures in published.rebuild(RAW).items():
        tariff.write(measures, tmp_path / f"{name}.csv")
        assert (tmp_path / f"{name}.csv").read_bytes() == (tariff.SHIPPED / f"{name}.csv").read_bytes()
