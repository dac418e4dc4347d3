"""Publishers' tariff files as measures in our schema: the US HTS export, its additional duties, Japan's schedule, a UK and EU list.

A child line without a rate takes its parent's, Free included. What the rates charge is left to `expression`, who takes a
measure to `tariff`. The shipped tables are what these readers make of the raw files.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path

from friendshore.border.expression import parse
from friendshore.border.tariff import Measure

# US preference programmes in force, by the symbol of the HTS's special column (general note 3(c)). Left out: A (GSP,
# lapsed on 31 December 2020), D (AGOA), E and R (Caribbean basin), B, C, K, L (by sector, not by origin).
PROGRAMMES = {
    "AU": "AUS", "BH": "BHR", "CL": "CHL", "CO": "COL", "IL": "ISR", "JO": "JOR", "JP": "JPN", "KR": "KOR", "MA": "MAR",
    "OM": "OMN", "P": "CRI+DOM+GTM+HND+NIC+SLV", "PA": "PAN", "PE": "PER", "S": "CAN+MEX", "SG": "SGP",
}  # fmt: skip
COLUMN_2 = frozenset({"BLR", "CUB", "PRK", "RUS"})  # general note 3(b); Belarus and Russia since 9 April 2022
US_FROM = date(2026, 2, 12)  # HTS 2026, revision 3
# First day and what replaced the list, by heading of chapter 99. Sections 9903.91 (four-year review) stand in place of 9903.88.
SECTION_301 = {
    "9903.88.01": ("list 1", date(2018, 7, 6), None),
    "9903.88.02": ("list 2", date(2018, 8, 23), None),
    "9903.88.03": ("list 3", date(2019, 5, 10), None),
    "9903.88.15": ("list 4A", date(2020, 2, 14), None),
    "9903.91.01": ("review, 25 % from 2024", date(2024, 9, 27), None),
    "9903.91.02": ("review, 50 % from 2024", date(2024, 9, 27), None),
    "9903.91.05": ("review, 50 % from 2025", date(2025, 1, 1), None),
    "9903.91.06": ("review, 25 % from 2026", date(2026, 1, 1), None),
    "9903.91.11": ("review, 25 % from 2025", date(2025, 1, 1), None),
}
# Duties known to have been in force that no list at hand carries by line; their days are marked rather than charged.
GAPS = (
    (
        "IEEPA duties",
        date(2025, 2, 4),
        date(2026, 2, 23),
        "by country and with exempt lines; ended by the Supreme Court",
    ),
    ("section 122 duty of 10 %", date(2026, 2, 24), date(2026, 7, 23), "with exempt lines and countries; 150 days"),
)
ANNEX_232 = {"1a": "50%", "1b": "25%"}
ANNEX_FROM = date(2026, 4, 6)

# Japan's EPA columns by partner.
JAPAN_EPA = {
    "epa_SGP": "SGP", "epa_MEX": "MEX", "epa_MYS": "MYS", "epa_CHL": "CHL", "epa_THA": "THA", "epa_IDN": "IDN",
    "epa_BRN": "BRN", "epa_PHL": "PHL", "epa_CHE": "CHE", "epa_VNM": "VNM", "epa_IND": "IND", "epa_PER": "PER",
    "epa_AUS": "AUS", "epa_MNG": "MNG", "epa_EU": "EUN", "epa_GBR": "GBR",
    "epa_RCEP_CHN": "CHN", "epa_RCEP_KOR": "KOR",
}  # fmt: skip
JAPAN_FROM = date(2026, 7, 9)
UK_EU_FROM = date(2021, 1, 1)


def united_states(file: Path) -> Iterator[Measure]:
    """The lines of an HTS export (CSV) with the general, special and column 2 rates, inherited by indentation."""
    rates = ("General Rate of Duty", "Special Rate of Duty", "Column 2 Rate of Duty")
    above: list[tuple[int, str, tuple[str, ...]]] = []  # indent, number, rates of the lines that hold this one
    with file.open(encoding="utf-8-sig", newline="") as text:
        rows = list(csv.DictReader(text))
    for place, row in enumerate(rows):
        indent, number = int(row["Indent"]), row["HTS Number"].replace(".", "")
        # the export leaves out rows without a number, so that a deeper indent alone does not make a child
        above = [held for held in above if held[0] < indent and number.startswith(held[1])]
        own = tuple(row[rate].strip() for rate in rates)
        stated = next((held for held in reversed(above) if held[2][0]), None)
        taken = own if own[0] or stated is None else stated[2]
        inherits = "" if own[0] or stated is None else stated[1]
        above.append((indent, number, own))
        after = rows[place + 1] if place + 1 < len(rows) else None
        leaf = (
            after is None
            or not after["HTS Number"].replace(".", "").startswith(number)
            or int(after["Indent"]) <= indent
        )
        if leaf and len(number) >= 8 and taken[0]:
            yield from _us_line(number, taken, inherits)


def _us_line(number: str, rates: tuple[str, ...], inherits: str) -> Iterator[Measure]:
    general, special, column_2 = rates
    common = {
        "territory": "USA",
        "line": number,
        "inherits": inherits,
        "starts": US_FROM,
        "ends": None,
        "source": "us.hts2026",
    }
    yield Measure(kind="mfn", name="general", origins=frozenset(), rate=_plain(general), **common)  # type: ignore[arg-type]
    for rate, symbols in re.findall(r"([^()]+?)\s*\(([^)]*)\)", special):
        held = [symbol for symbol in (each.strip().rstrip("*+") for each in symbols.split(",")) if symbol in PROGRAMMES]
        origins = frozenset(code for symbol in held for code in PROGRAMMES[symbol].split("+"))
        yield Measure(kind="preference", name="special column", origins=origins, rate=_plain(rate), **common)  # type: ignore[arg-type]
    if column_2:
        yield Measure(kind="column2", name="column 2", origins=COLUMN_2, rate=_plain(column_2), **common)  # type: ignore[arg-type]


def section_301(lists: Path, rates: Path) -> Iterator[Measure]:
    """The additional duties of section 301 on goods of China: where a line was reviewed, the review's rate from its day."""
    with rates.open(encoding="utf-8", newline="") as text:
        rate = {row["ch99_code"]: row["ad_valorem_rate"] for row in csv.DictReader(text)}
    by_line: dict[str, list[str]] = {}
    with lists.open(encoding="utf-8", newline="") as text:
        for row in csv.DictReader(text):
            if row["ch99_code"] in SECTION_301:  # 4B never took effect
                by_line.setdefault(row["hts8"], []).append(row["ch99_code"])
    for line in sorted(by_line):
        held = sorted(set(by_line[line]), key=lambda code: SECTION_301[code][1])
        for place, code in enumerate(held):
            name, starts, _ = SECTION_301[code]
            later = [SECTION_301[each][1] for each in held[place + 1 :]]
            ends = date.fromordinal(min(later).toordinal() - 1) if later else None
            if ends is not None and ends < starts:
                continue
            yield Measure(
                territory="USA", line=line, kind="section_301", name=f"{code}, {name}", origins=frozenset({"CHN"}),
                rate=_per_cent(rate[code]), inherits="", starts=starts, ends=ends, source="us.s301",
            )  # fmt: skip


def section_232(annex: Path, chapters: frozenset[str]) -> Iterator[Measure]:
    """The duties of section 232 on aluminium, steel and copper since their recasting, for the chapters that we carry."""
    with annex.open(encoding="utf-8", newline="") as text:
        for row in csv.DictReader(text):
            if row["annex"] in ANNEX_232 and row["hts_prefix"][:2] in chapters:
                yield Measure(
                    territory="USA", line=row["hts_prefix"], kind="section_232",
                    name=f"annex {row['annex']}, {row['metal_type']}", origins=frozenset(),
                    rate=ANNEX_232[row["annex"]], inherits="", starts=ANNEX_FROM, ends=None, source="us.s232",
                    note="rates agreed with single countries are not in the list",
                )  # fmt: skip


def gaps() -> Iterator[Measure]:
    """The United States' duties that are known and not carried: they hold for every line and are told as a warning."""
    for name, starts, ends, note in GAPS:
        yield Measure("USA", "", "gap", name, frozenset(), "not carried", "", starts, ends, "us.s122", note)


def japan(file: Path) -> Iterator[Measure]:
    """The lines of Japan's schedule: the lower of general and WTO rate, and the agreements' rates.

    A WTO rate in brackets is not below the general one and is not applied. Lines within a code are indented by dashes.
    """
    above: list[tuple[int, str, dict[str, str]]] = []
    with file.open(encoding="utf-8-sig", newline="") as text:
        rows = list(csv.DictReader(text))
    depths = [len(re.match(r"[−\-\s]*", row["description_ja"])[0].replace(" ", "")) for row in rows]  # type: ignore[index]
    for place, row in enumerate(rows):
        code, depth = row["hs6"], depths[place]
        above = [held for held in above if held[1][:6] == code and held[0] < depth]
        keys = ("general", "wto", *JAPAN_EPA)
        own = {key: row[key].strip() for key in keys}
        number = code + row["stat_suffix"]
        taken = {key: own[key] or next((held[2][key] for held in reversed(above) if held[2][key]), "") for key in keys}
        inherits = "" if own["general"] or own["wto"] else next((held[1] for held in reversed(above)), "")
        above.append((depth, number, taken))
        if not row["stat_suffix"]:
            continue
        common = {
            "territory": "JPN",
            "line": number,
            "inherits": inherits,
            "starts": JAPAN_FROM,
            "ends": None,
            "source": "japan.tariff2026",
        }
        if not (applied := _japan_applied(taken["general"], taken["wto"])):
            continue
        yield Measure(kind="mfn", name="applied", origins=frozenset(), rate=applied, **common)  # type: ignore[arg-type]
        rates: dict[str, set[str]] = {}
        for key, partner in JAPAN_EPA.items():
            if taken[key] and applied != "Free":
                rates.setdefault(_japanese(taken[key]), set()).add(partner)
        for rate, partners in rates.items():
            origins = frozenset(partners)
            yield Measure(kind="preference", name="EPA", origins=origins, rate=rate, **common)  # type: ignore[arg-type]


def _japan_applied(general: str, wto: str) -> str:
    general, bound = _japanese(general), wto.strip()
    bracketed = bound.startswith(("(", "（"))
    if not bound or bracketed or (general and parse(general) is None):
        return general  # a duty that follows the value is the lower one for some values only: it stays unread
    return _japanese(bound)


def kingdom_and_union(file: Path) -> Iterator[Measure]:
    """The UK and EU rates of eight-digit lines on 1 January 2021; ten-digit rows are splits and are left out."""
    with file.open(encoding="utf-8-sig", newline="") as text:
        for row in csv.DictReader(text):
            line = row["commodity"].zfill(8) if len(row["commodity"]) < 8 else row["commodity"]
            if len(line) != 8:
                continue
            for territory, column in (("GBR", "ukgt_duty_rate"), ("EUN", "cet_duty_rate")):
                yield Measure(
                    territory=territory, line=line, kind="mfn", name="third countries", origins=frozenset(),
                    rate=_plain(row[column]), inherits="", starts=UK_EU_FROM, ends=None, source="uk.ukgt2021",
                )  # fmt: skip


def _plain(rate: str) -> str:
    rate = re.sub(r"\s+", " ", rate.strip())
    return "Free" if rate in ("0.0%", "0.00%", "0%") else rate


def _japanese(rate: str) -> str:
    """A Japanese rate in our words: yen per kg, the lower or the higher of two; others stay as they are, to be refused."""
    plain = rate.strip().lstrip("◎").replace("円/kg", " yen/kg").strip()
    if match := re.fullmatch(r"(.+?)又は(.+?)のうちいずれか(低い|高い)税率", plain):
        which = "lower" if match[3] == "低い" else "higher"
        plain = f"{match[1].strip()} or {match[2].strip()} whichever is {which}"
    if re.search(r"[^\x00-\x7f]", plain):
        return "not a rate that can be charged by itself"
    return plain


def _per_cent(fraction: str) -> str:
    from decimal import Decimal

    return f"{(Decimal(fraction) * 100).normalize():f}%"


def rebuild(raw: Path) -> dict[str, list[Measure]]:
    """The shipped tables from a folder of raw downloads: name of the table -> its measures."""
    lists = raw / "us_tariff_authorities"
    states = list(united_states(raw / "us_hts" / "hts_2026_rev3_minerals.csv"))
    chapters = frozenset(measure.line[:2] for measure in states)
    states += section_301(lists / "s301_product_lists.csv", lists / "s301_rates_by_ch99.csv")
    states += section_232(lists / "s232_annex_products.csv", chapters)
    states += gaps()
    both = raw / "uk_global_tariff_2021" / "ukgt_and_eu_cet_2021-01_minerals.csv"
    return {
        "tariff_us": states,
        "tariff_japan": list(japan(raw / "japan_tariff" / "japan_tariff_2026-07-09_minerals.csv")),
        "tariff_uk_eu": list(kingdom_and_union(both)),
    }
