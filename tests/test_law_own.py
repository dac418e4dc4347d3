"""A new obligation, agreement, dispute, power or table is a file in a folder of one's own: no code, and bad ones are refused."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from cleared_world import DAY, deal, quo
from test_law_screen import FLOOR, world

from friendshore import cli
from friendshore.errors import InputRefused
from friendshore.law.examine import examine
from friendshore.law.screen import law
from friendshore.law.screen.commitments import TABLES, load

OBLIGATION = """id: pledge.2029
name: Joint pledge to charge nothing that moves with the price
article: Pledge of 2029, paragraph 3
says: No duty follows a reference price.
binds: [JPN]
trigger:
  - touches: import_duty
    when: {variable: "yes"}
test: Does the duty follow a price?
facts: [variable, trade_usd]
grades:
  - grade: breach likely
    because: The duty follows a reference price.
argument_for: The pledge names such duties.
argument_against: The pledge is political.
disputes: [pledge-case]
changes: [A fixed duty.]
repairs: [cap_at_binding]
confidence: L
source: a communique
"""
DISPUTE = """id: pledge-case
title: Pledge case
measure: A levy.
outcome: The pledge bound nobody.
year: 2029
status: settled
confidence: L
source: a communique
"""
AGREEMENT = """id: usa-china-2029
name: An agreement between the United States and China
kind: free_trade_area
parties: [USA, CHN]
since: 2029-01-01
promises:
  zero_duty: {holds: "yes", article: Art. 1, confidence: L}
confidence: L
source: a communique
"""
POWER = """id: japan-pledge
party: JPN
acts: [import_duty]
may: "yes"
by: a committee
statute: an act of 2029
lead_time: a week
confidence: L
source: a communique
"""
RATES = """territory,hs6,value_band,applied_low_pct,applied_high_pct,bound_low_pct,bound_high_pct,bound_specific,binding,year,source,reliability,note
AUS,284690,,5,5,10,10,,schedule,2026,own,B,
"""
SOURCES = "id,publisher,title,year,url,licence\nown,Us,Our own reading,2026,,facts\n"
MEMBERS = "code,name,since,until,source\nUZB,Uzbekistan,2026-03-01,,own\n"


def folder(tmp_path: Path, **files: str) -> Path:
    """A folder of one's own; `obligations__a` is the file obligations/a.yaml, `rates` the table rates.csv."""
    made = tmp_path / "own"
    made.mkdir(exist_ok=True)
    for name, text in files.items():
        kind, _, stem = name.partition("__")
        path = made / kind / f"{stem.replace('_', '-')}.yaml" if stem else made / f"{kind}.csv"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return made


@pytest.fixture
def own(tmp_path) -> Path:
    made = folder(
        tmp_path,
        disputes__pledge_case=DISPUTE,
        agreements__usa_china_2029=AGREEMENT,
        powers__japan_pledge=POWER,
        rates=RATES,
        sources=SOURCES,
        members=MEMBERS,
    )
    (made / "obligations").mkdir()
    (made / "obligations" / "pledge.2029.yaml").write_text(OBLIGATION, encoding="utf-8")
    return made


def screened(held: law.Law):
    return examine(world(), deal(FLOOR), as_of=DAY, before=quo(), held=held).screening


def test_a_file_of_each_kind_is_seen_by_the_screen(own):
    found = screened(law.with_own(own)).findings
    (pledge,) = (one for one in found if one.obligation == "pledge.2029")
    assert (pledge.bound, pledge.grade, pledge.confidence) == (("JPN",), "breach likely", "L")
    assert [each.outcome for each in pledge.disputes] == ["The pledge bound nobody."]
    assert [each.by for each in pledge.powers if each.id == "japan-pledge"] == ["a committee"]
    broken = {
        partner.code: partner
        for one in found
        if one.obligation == "fta.zero-duty"
        for partner in one.partners
        if partner.territory == "USA"
    }
    assert broken["CHN"].name == "An agreement between the United States and China"
    assert (broken["CHN"].since, broken["CHN"].confidence) == ("2029-01-01", "L")
    australia = next(one for one in found if one.obligation == "gatt.2.bound" and "AUS" in one.bound)
    assert australia.grade != "not examined", "the bound rate is ours"


def test_what_ships_stays_as_it_is(own):
    before = [one.document() for one in screened(law.shipped()).findings]
    law.with_own(own)
    assert [one.document() for one in screened(law.shipped()).findings] == before
    assert "pledge.2029" not in law.shipped().obligations


def test_a_file_under_an_id_that_ships_takes_its_place(tmp_path):
    text = (Path(law.__file__).parent.parent / "data" / "agreements" / "usmca.yaml").read_text(encoding="utf-8")
    held = law.with_own(folder(tmp_path, agreements__usmca=text.replace("name: USMCA", "name: USMCA, our reading")))
    named = [treaty.name for treaty in held.commitments.between("USA", "MEX", date(2026, 7, 1))]
    assert "USMCA, our reading" in named
    assert "USMCA" not in named
    assert len(held.commitments.treaties) == len(law.shipped().commitments.treaties)


def test_a_row_of_ones_own_takes_the_place_of_the_one_with_its_key(own):
    held = law.with_own(own).commitments
    assert held.is_member("UZB", date(2026, 6, 1))
    assert not law.shipped().commitments.is_member("UZB", date(2026, 6, 1))
    assert len(held.rates) == len(law.shipped().commitments.rates) + 1
    assert held.sources["own"] == "Us, Our own reading"


def test_the_command_line_takes_a_folder_and_a_case(own, tmp_path, capsys):
    case = tmp_path / "case.yaml"
    case.write_text(
        "case: A levy\nmeasures:\n  - {clause: levy, act: import_duty, by: JPN, goods: cobalt, facts: {variable: 'yes'}}\n"
        "expects:\n  - {obligation: pledge.2029, grade: breach likely}\n",
        encoding="utf-8",
    )
    for words, status in ((["--promises", str(own)], 0), ([], 3)):
        with pytest.raises(SystemExit) as ended:
            cli.main(["screen", "--case", str(case), "--json", *words])
        out, err = capsys.readouterr()
        assert (ended.value.code or 0) == status, err
        raised = {one["obligation"] for one in json.loads(out)["findings"]}
        assert ("pledge.2029" in raised) is bool(words)


def test_what_is_no_case_is_refused_under_the_option(tmp_path, capsys):
    path = tmp_path / "deal.yaml"
    path.write_text("title: x\nparties: []\n", encoding="utf-8")
    with pytest.raises(SystemExit) as ended:
        cli.main(["screen", "--case", str(path)])
    assert ended.value.code == 2
    assert "is no case file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("obligation/a.yaml", "id: a\n", "did you mean 'obligations'?"),
        ("obligations/a.yml", "id: a\n", "obligations/a.yml is no .yaml file"),
        ("rate.csv", "a\n", "did you mean 'rates.csv'?"),
        ("disputes/a.yaml", DISPUTE, "call the file pledge-case.yaml"),
        ("disputes/pledge-case.yaml", DISPUTE.replace("settled", "setled"), "pledge-case.yaml:6:9"),
        ("disputes/pledge-case.yaml", DISPUTE.replace("year: 2029", "year: then"), "pledge-case.yaml:5:7"),
        ("obligations/pledge.2029.yaml", OBLIGATION, "'pledge-case', which has no file"),
        ("agreements/usa-china-2029.yaml", AGREEMENT.replace("since: 2029-01-01\n", ""), "no parties or no first day"),
        ("agreements/usa-china-2029.yaml", AGREEMENT.replace("zero_duty", "zero_dutty"), "usa-china-2029.yaml:7:15"),
        ("powers/japan-pledge.yaml", POWER.replace('may: "yes"', "may: maybe"), "japan-pledge.yaml:4:6"),
        ("rates.csv", RATES.replace("284690", "2846"), "rates.csv:2:5"),
        ("rates.csv", RATES.replace(",schedule,", ",surely,"), "schedule, conventional, estimate or nothing"),
        ("rates.csv", RATES.replace(",10,10,", ",ten,10,"), "a number, per cent, not 'ten'"),
        ("members.csv", MEMBERS + MEMBERS.splitlines()[1] + "\n", "a code that stands once, not 'UZB'"),
        ("members.csv", MEMBERS.replace("2026-03-01", "soon"), "a day such as 1995-01-01, not 'soon'"),
        ("sources.csv", SOURCES + "own,Us,Again,2026,,facts\n", "an id that no other source has, not 'own'"),
        ("preferences.csv", "importer,hs6,free,in_part,source\nJPN,2846,KOR,,own\n", "preferences.csv:2:5"),
        ("preferences.csv", "importer,hs6,free,in_part,source\nJPN,284690,Korea,,own\n", "codes of countries"),
        ("provisions.csv", "row,promised,holds,article,confidence,source\nrta.0,zero_duty,yes,,H,own\n", "names 'rta.0'"),
        ("provisions.csv", "row,promised,holds,article,confidence,source\nrta.2,zero,yes,,H,own\n", "provisions.csv:2:7"),
        ("currencies.csv", "currency,usd,year,source,note\nEUR,much,2024,own,\n", "US dollars per unit, not 'much'"),
        ("agreements.csv", "id,name,kind,since,notified_under,parties,source\nx,X,pact,2029-01-01,,USA CHN,own\n", "agreements.csv:2:5"),
        ("members.csv", "code,name\nUZB,Uzbekistan\n", "the columns are code, name"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_with_its_place(tmp_path, name, text, said):
    path = tmp_path / "own" / name
    path.parent.mkdir(parents=True)
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputRefused) as refused:
        law.with_own(tmp_path / "own")
    assert said in str(refused.value)


def test_every_problem_of_a_folder_comes_at_once(tmp_path):
    made = folder(
        tmp_path,
        disputes__pledge_case=DISPUTE.replace("settled", "setled"),
        powers__japan_pledge=POWER.replace('may: "yes"', "may: maybe"),
        members=MEMBERS.replace("2026-03-01", "soon"),
    )
    with pytest.raises(InputRefused) as refused:
        law.with_own(made)
    message = str(refused.value)
    assert "pledge-case.yaml:6" in message
    assert "japan-pledge.yaml:4" in message
    assert "members.csv:2" in message


def test_a_folder_that_is_none_or_empty_is_refused(tmp_path):
    with pytest.raises(InputRefused, match="is no folder"):
        law.with_own(tmp_path / "nothing")
    (tmp_path / "own").mkdir()
    with pytest.raises(InputRefused, match="is empty"):
        law.with_own(tmp_path / "own")


@pytest.mark.parametrize("table", TABLES)
def test_a_table_that_is_not_there_is_named(tmp_path, table):
    with pytest.raises(InputRefused, match=f"has no {table}"):
        load(tmp_path)


def test_without_a_folder_the_law_is_the_one_that_ships():
    assert law.with_own() is law.shipped()
    held = replace(law.shipped(), disputes={})
    assert held.disputes == {}
