"""Tariff downloads in their publishers' layouts: every row is used, passed over for a reason or refused at its line."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from cleared_world import DAY, deal, quo
from test_law_screen import FLOOR, world

from friendshore.errors import InputRefused
from friendshore.law.examine import examine
from friendshore.law.screen import commitments, law
from friendshore.law.screen.tariffs import TariffFile, read_tariffs, with_rates

DATA = Path(os.environ.get("FRIENDSHORE_DATA", Path(__file__).resolve().parent.parent.parent / "shared" / "data"))
SCHEDULE = DATA / "raw" / "us_hts" / "hts_2026_rev3_minerals.csv"

HTS = """HTS Number,Indent,Description,Unit of Quantity,General Rate of Duty,Special Rate of Duty,Column 2 Rate of Duty
2846,0,Rare-earth compounds:,,,,
2846.90.20,2,Mixtures,,Free,,25%
2846.90.80,2,Other,,3.7%,"Free (AU, CL)",25%
2611.00.30.00,2,Tungsten concentrates,,37.5¢/kg on tungsten content,,50¢/kg
2805.30.00.10,2,Metals,,five,,31.3%
9903.88.01,0,Section 301,,The duty provided + 25%,,
"""
WITS = """Selected Nomen,Native Nomen,Reporter,Reporter Name,Product,Product Name,Partner,Partner Name,Tariff Year,Trade Year,Trade Source,DutyType,Simple Average,Weighted Average,Minimum Rate,Maximum Rate
H6,H6,036,Australia,284690,Other,000,World,2022,2022,CMT,MFN,5,5,0,5
H6,H6,036,Australia,284690,Other,000,World,2024,2024,CMT,MFN,2.5,2.5,0,5
H6,H6,036,Australia,284690,Other,000,World,2024,2024,CMT,BND,10,,10,10
H6,H6,036,Australia,284690,Other,156,China,2024,2024,CMT,AHS,0,0,0,0
H6,H6,918,European Union,284690,Other,000,World,2024,2024,CMT,BND,3.2,,3.2,3.2
H6,H6,XYZ,Atlantis,284690,Other,000,World,2024,2024,CMT,BND,3.2,,3.2,3.2
H6,H6,036,Australia,284690,Other,000,World,2024,2024,CMT,BND,ten,,10,10
H6,H6,036,Australia,Total,All,000,World,2024,2024,CMT,MFN,5,5,0,5
"""
WTO = """Indicator Category,Indicator Code,Indicator,Reporting Economy Code,Reporting Economy ISO3A Code,Reporting Economy,Product/Sector Code,Product/Sector,Year,Value
Tariffs,HS_A_0010,Applied,C484,MEX,Mexico,284690,Other,2023,5.0
Tariffs,HS_B_0010,Bound,C484,MEX,Mexico,284690,Other,2023,30.0
Tariffs,HS_B_0020,Bound maximum,C484,MEX,Mexico,284690,Other,2023,35.0
Tariffs,HS_B_0010,Bound,U918,,European Union,284690,Other,2023,3.2
Tariffs,HS_A_0040,Lines,C484,MEX,Mexico,284690,Other,2023,4
"""


def read(tmp_path: Path, text: str) -> TariffFile:
    path = tmp_path / "rates.csv"
    path.write_text(text, encoding="utf-8")
    return read_tariffs(path)


def told(file: TariffFile) -> tuple[int, int, int, int]:
    return file.rows, file.used, sum(file.passed.values()), len(file.refused)


@pytest.mark.parametrize(("text", "counts"), [(HTS, (6, 3, 2, 1)), (WITS, (8, 3, 3, 2)), (WTO, (5, 4, 1, 0))])
def test_every_row_is_accounted_for(tmp_path, text, counts):
    file = read(tmp_path, text)
    rows, used, passed, refused = told(file)
    assert rows == used + passed + refused
    assert told(file) == counts


def test_the_us_schedule_by_code(tmp_path):
    rates = {rate.hs6: rate for rate in read(tmp_path, HTS).rates}
    assert (rates["284690"].applied_low_pct, rates["284690"].bound_high_pct) == (0.0, 3.7)
    assert rates["284690"].binding == "estimate"
    assert rates["261100"].bound_specific == "37.5 US cents/kg on tungsten content"
    assert rates["261100"].bound_high_pct is None


def test_wits_takes_the_latest_year_and_tells_duty_types_apart(tmp_path):
    file = read(tmp_path, WITS)
    rates = {rate.territory: rate for rate in file.rates}
    assert (rates["AUS"].applied_high_pct, rates["AUS"].bound_high_pct, rates["AUS"].year) == (5.0, 10.0, "2024")
    assert rates["EUN"].bound_high_pct == 3.2
    assert rates["EUN"].applied_high_pct is None
    assert [(problem.place.line, problem.path) for problem in file.refused] == [(7, "Reporter"), (8, "Simple Average")]


def test_the_wto_tells_averages_from_maxima(tmp_path):
    (union, mexico) = sorted(read(tmp_path, WTO).rates, key=lambda rate: rate.territory)
    assert (mexico.bound_low_pct, mexico.bound_high_pct, mexico.applied_high_pct) == (30.0, 35.0, 5.0)
    assert union.territory == "EUN"


@pytest.mark.parametrize(
    ("text", "old", "new", "said"),
    [
        (WTO, "C484,MEX,Mexico,284690,Other,2023,5.0", "C000,ATL,Atlantis,284690,Other,2023,5.0", "no country is called 'ATL'"),
        (WTO, "2023,5.0", "2023,n/a", "expected a rate in per cent, not 'n/a'"),
        (WTO, "2023,30.0", "2023,5000", "5000 per cent is no rate of duty"),
        (WTO, "2023,35.0", "2023,-1", "-1 per cent is no rate of duty"),
        (WTO, "2023,5.0", "2023,", "no rate"),
        (WITS, "036,Australia,284690,Other,000,World,2022,2022,CMT,MFN,5,5,0,5", "036,Australia,284690,Other,000,World,2022,2022,CMT,MFN,,,,", "no rate"),
        (HTS, "2846.90.80", "2846.9O.80", "expected eight or ten digits, not '2846.9O.80'"),
        (HTS, "3.7%", "3.7", ""),
        (HTS, "3.7%", "see note 2", "no rate is written 'see note 2'"),
    ],
    ids=["economy", "words", "too high", "below nothing", "empty", "WITS empty", "letter O", "no per cent sign", "a note"],
)  # fmt: skip
def test_a_row_that_cannot_be_read_is_refused_at_its_line_and_the_rest_is_used(tmp_path, text, old, new, said):
    assert old in text
    whole, torn = read(tmp_path, text), read(tmp_path, text.replace(old, new, 1))
    assert torn.rows == torn.used + sum(torn.passed.values()) + len(torn.refused)
    if not said:  # a bare number is a rate per mass or a slip: kept as words, so that no bound rate is made of it
        assert next(rate for rate in torn.rates if rate.hs6 == "284690").bound_specific == "3.7"
        return
    line = 1 + next(n for n, row in enumerate(text.splitlines()) if old in row)
    assert len(torn.refused) == len(whole.refused) + 1
    assert any(said in problem.message and problem.place.line == line for problem in torn.refused)


def test_a_rate_that_is_no_plain_percentage_is_never_read_as_a_bound_rate(tmp_path):
    held = with_rates(commitments.shipped(), [read(tmp_path, HTS.replace("3.7%", "1.4¢/kg + 2%"))])
    assert held.binding("USA", ["284690"], 50.0) is None


@pytest.mark.parametrize("encoding", ["utf-8-sig", "cp1252"])
def test_downloads_come_in_the_encodings_of_their_publishers(tmp_path, encoding):
    path = tmp_path / "rates.csv"
    path.write_text(WTO.replace("Mexico", "México"), encoding=encoding)
    assert told(read_tariffs(path)) == told(read(tmp_path, WTO))


def test_a_row_that_stands_twice_changes_nothing(tmp_path):
    twice = WTO + WTO.splitlines()[2] + "\n"
    once, again = read(tmp_path, WTO), read(tmp_path, twice)
    assert [(rate.hs6, rate.bound_low_pct, rate.bound_high_pct) for rate in once.rates] == [
        (rate.hs6, rate.bound_low_pct, rate.bound_high_pct) for rate in again.rates
    ]


def test_a_binding_for_mexico_and_australia_fills_the_gap_that_the_screen_names(tmp_path):
    own = with_rates(commitments.shipped(), [read(tmp_path, WTO), replace(read(tmp_path, WITS))])
    assert commitments.shipped().binding("MEX", ["284690"]) is None
    assert own.binding("MEX", ["284690"]).high_pct == 35.0
    assert own.binding("AUS", ["284690"]).basis == "schedule"


def test_a_file_of_another_kind_is_refused(tmp_path):
    with pytest.raises(InputRefused, match="no tariff download has these columns"):
        read(tmp_path, "a,b\n1,2\n")
    with pytest.raises(InputRefused, match="cannot be read"):
        read_tariffs(tmp_path / "nothing.csv")


def test_a_bound_rate_of_ones_own_decides_what_was_not_examined(tmp_path):
    def grade(held: commitments.Commitments) -> str:
        own = replace(law.shipped(), commitments=held)
        seen = examine(world(), deal(FLOOR), as_of=DAY, before=quo(), held=own).screening.findings
        return next(one.grade for one in seen if one.obligation == "gatt.2.bound" and "AUS" in one.bound)

    shipped = commitments.shipped()
    assert grade(shipped) == "not examined"
    file = read(tmp_path, WITS)
    assert grade(with_rates(shipped, [file])) == "exposed to challenge"
    assert shipped.binding("AUS", ["284690"]) is None, "what ships stays as it is"
    assert with_rates(shipped, [replace(file, rates=())]).rates == shipped.rates


@pytest.mark.skipif(not SCHEDULE.is_file(), reason="the published US schedule is not at hand")
def test_the_published_schedule_gives_the_rates_that_ship():
    file, shipped = read_tariffs(SCHEDULE), commitments.shipped()
    assert file.rows == file.used + sum(file.passed.values()) + len(file.refused)
    assert len(file.rates) > 300
    differ = [
        rate.hs6
        for rate in file.rates
        if (rate.applied_low_pct, rate.applied_high_pct)
        != (shipped.rates["USA", rate.hs6][0].applied_low_pct, shipped.rates["USA", rate.hs6][0].applied_high_pct)
    ]
    assert differ == []
