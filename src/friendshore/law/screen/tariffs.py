"""What does a tariff download say: applied and bound rates by territory and six-digit code?

Three layouts in their publishers' own columns: the US Harmonized Tariff Schedule (USITC), the World Bank's WITS tariff results
(duty types MFN and BND), the WTO's statistics (indicators HS_A_0010, HS_A_0020, HS_B_0010, HS_B_0020). Every row is used,
passed over for a stated reason, or refused at its line; nothing is dropped silently.
"""

from __future__ import annotations

import csv
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from friendshore.errors import InputRefused, Place, Problem
from friendshore.law.screen.commitments import Commitments, Rate
from friendshore.world.imports import places

HTS = ("HTS Number", "Indent", "Description", "General Rate of Duty")
WITS = ("Reporter", "Product", "Tariff Year", "DutyType", "Simple Average")
WTO = ("Indicator Code", "Reporting Economy ISO3A Code", "Product/Sector Code", "Year", "Value")
PER_CENT = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*%")
PER_MASS = re.compile(r"¢|\$|cents?/kg")
INDICATORS = {
    "HS_A_0010": ("applied", "mean"),
    "HS_A_0020": ("applied", "highest"),
    "HS_B_0010": ("bound", "mean"),
    "HS_B_0020": ("bound", "highest"),
}
UNIONS = {"EU": "EUN", "EEC": "EUN", "918": "EUN", "EUN": "EUN", "European Union": "EUN", "U918": "EUN", "EU27": "EUN"}


@dataclass
class _Found:
    """Rates of one territory and code, while they are read."""

    applied: list[float] = field(default_factory=list)
    bound: list[float] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class TariffFile:
    """What was read: rates, and an account of every row."""

    name: str
    layout: str
    rates: tuple[Rate, ...]
    rows: int
    used: int
    passed: Mapping[str, int]
    refused: tuple[Problem, ...]

    def words(self) -> str:
        """The account in one sentence."""
        over = "; ".join(f"{count} {why}" for why, count in sorted(self.passed.items()))
        said = (
            f"{self.name} ({self.layout}): {self.rows} rows, {self.used} used, {sum(self.passed.values())} passed over"
        )
        return said + (f" ({over})" if over else "") + f", {len(self.refused)} refused, {len(self.rates)} rates"


def read_tariffs(path: Path) -> TariffFile:
    """The rates of a download.

    Raises
    ------
    InputRefused   no file, or none of the three layouts; a single row that cannot be read is refused in the account
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        text = path.read_text(encoding="cp1252")
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise InputRefused.because("unreadable", f"{path} cannot be read: {reason}", path="--rates") from None
    lines = csv.DictReader(text.splitlines())
    header = tuple(lines.fieldnames or ())
    for layout, columns, reader in (("US HTS", HTS, _hts), ("WITS", WITS, _wits), ("WTO statistics", WTO, _wto)):
        if set(columns) <= set(header):
            return reader(path.name, layout, _numbered(lines))
    known = "; ".join(", ".join(columns) for columns in (HTS, WITS, WTO))
    place = Place(path.name, 1, 1, ",".join(header)[:200])
    raise InputRefused.because(
        "no-layout", "no tariff download has these columns", place=place, hint=f"expected {known}"
    )


def with_rates(held: Commitments, files: Iterable[TariffFile]) -> Commitments:
    """The commitments with the rates of files in the place of those that ship, code by code."""
    rates = dict(held.rates)
    sources = dict(held.sources)
    for file in files:
        for rate in file.rates:
            rates[rate.territory, rate.hs6] = (rate,)
        sources[_source(file.name)] = f"your file {file.name} ({file.layout})"
    return replace(held, rates=rates, sources=sources)


def _source(name: str) -> str:
    return f"file:{name}"


def _numbered(lines: csv.DictReader[str]) -> Iterator[tuple[int, dict[str, str]]]:
    for row in lines:
        yield lines.line_num, {key: (cell or "").strip() for key, cell in row.items() if isinstance(key, str)}


def _hts(name: str, layout: str, rows: Iterator[tuple[int, dict[str, str]]]) -> TariffFile:
    """General rates. The bound rate is an estimate: the general rate stands for it."""
    found: dict[tuple[str, str], _Found] = defaultdict(_Found)
    book = _Book(name, layout)
    for line, row in rows:
        book.rows += 1
        digits, rate = row["HTS Number"].replace(".", ""), row["General Rate of Duty"]
        if not rate:
            book.pass_over("without a rate of their own")
        elif digits[:2] in ("98", "99"):
            book.pass_over("in chapters 98 and 99, which change other lines")
        elif len(digits) < 8 or not digits.isdigit():
            book.refuse(line, row, "HTS Number", f"expected eight or ten digits, not {row['HTS Number']!r}")
        else:
            one = found["USA", digits[:6]]
            if rate == "Free":
                one.applied.append(0.0)
            elif (match := PER_CENT.fullmatch(rate)) is not None:
                one.applied.append(float(match[1]))
            elif PER_MASS.search(rate) or rate[0].isdigit():
                one.texts.append(rate.replace("¢", " US cents"))
            else:
                book.refuse(line, row, "General Rate of Duty", f"no rate is written {rate!r}")
                continue
            book.used += 1
    for one in found.values():
        one.bound = list(one.applied)
    return book.closed(found, lambda key: "current", "estimate")


def _wits(name: str, layout: str, rows: Iterator[tuple[int, dict[str, str]]]) -> TariffFile:
    """The latest year of each duty type; preferential and effectively applied rates are passed over."""
    latest: dict[tuple[str, str, str], tuple[str, list[float]]] = {}
    book = _Book(name, layout)
    for line, row in rows:
        book.rows += 1
        side = {"MFN": "applied", "BND": "bound"}.get(row["DutyType"].upper())
        code = row["Product"].zfill(6)
        if side is None:
            book.pass_over("of other duty types")
            continue
        if not (code.isdigit() and len(code) == 6):
            book.pass_over("of groups of products")
            continue
        territory = _territory(row["Reporter"]) or _territory(row.get("Reporter Name", ""))
        if territory is None:
            book.refuse(line, row, "Reporter", f"no country is called {row['Reporter']!r}")
            continue
        values = book.numbers(line, row, ("Simple Average", "Minimum Rate", "Maximum Rate"))
        if values:
            book.take(latest, (territory, code, side), row["Tariff Year"], values)
    return book.closed(*_sides(latest), "schedule")


def _wto(name: str, layout: str, rows: Iterator[tuple[int, dict[str, str]]]) -> TariffFile:
    """Averages and maxima of applied and bound duties; other indicators are passed over."""
    latest: dict[tuple[str, str, str], tuple[str, list[float]]] = {}
    book = _Book(name, layout)
    for line, row in rows:
        book.rows += 1
        side = INDICATORS.get(row["Indicator Code"])
        code = row["Product/Sector Code"].removeprefix("HS").strip()
        if side is None:
            book.pass_over("of other indicators")
            continue
        if not (code.isdigit() and len(code) == 6):
            book.pass_over("of groups of products")
            continue
        word = row["Reporting Economy ISO3A Code"] or row.get("Reporting Economy", "")
        territory = _territory(word) or _territory(row.get("Reporting Economy", ""))
        if territory is None:
            book.refuse(line, row, "Reporting Economy ISO3A Code", f"no country is called {word!r}")
            continue
        values = book.numbers(line, row, ("Value",))
        if values:
            book.take(latest, (territory, code, side[0]), row["Year"], values)
    return book.closed(*_sides(latest), "schedule")


def _territory(word: str) -> str | None:
    word = word.strip()
    if word in UNIONS:
        return UNIONS[word]
    found = places.listed().find(word) if word else None
    return found if found not in (None, places.TOTAL, places.GROUP, places.NOWHERE) else None


def _sides(
    latest: Mapping[tuple[str, str, str], tuple[str, list[float]]],
) -> tuple[dict[tuple[str, str], _Found], Callable[[tuple[str, str]], str]]:
    """Rates by territory and code, and the year of each."""
    found: dict[tuple[str, str], _Found] = defaultdict(_Found)
    years: dict[tuple[str, str], str] = {}
    for (territory, code, side), (year, values) in latest.items():
        one = found[territory, code]
        (one.applied if side == "applied" else one.bound).extend(values)
        years[territory, code] = max(year, years.get((territory, code), ""))
    return found, lambda key: years[key]


@dataclass
class _Book:
    """The account of the rows of one file."""

    name: str
    layout: str
    rows: int = 0
    used: int = 0
    passed: Counter[str] = field(default_factory=Counter)
    refused: list[Problem] = field(default_factory=list)

    def pass_over(self, why: str) -> None:
        self.passed[why] += 1

    def refuse(self, line: int, row: Mapping[str, str], column: str, message: str) -> None:
        place = Place(self.name, line, 1, ",".join(row.values())[:200])
        self.refused.append(Problem("bad-row", message, place, column))

    def numbers(self, line: int, row: Mapping[str, str], columns: Iterable[str]) -> list[float]:
        """The rates of a row; none where a cell cannot be read, and the row is refused."""
        values: list[float] = []
        for column in columns:
            cell = row.get(column, "")
            if not cell:
                continue
            try:
                values.append(float(cell))
            except ValueError:
                self.refuse(line, row, column, f"expected a rate in per cent, not {cell!r}")
                return []
            if not 0.0 <= values[-1] <= 3000.0:
                self.refuse(line, row, column, f"{cell} per cent is no rate of duty")
                return []
        if not values:
            self.refuse(line, row, next(iter(columns)), "no rate")
        return values

    def take(
        self,
        latest: dict[tuple[str, str, str], tuple[str, list[float]]],
        key: tuple[str, str, str],
        year: str,
        values: list[float],
    ) -> None:
        """Keep the rates of the latest year."""
        self.used += 1
        held = latest.get(key)
        if held is None or year > held[0]:
            latest[key] = (year, list(values))
        elif year == held[0]:
            held[1].extend(values)
        else:
            self.used -= 1
            self.pass_over("of earlier years")
            return
        if held is not None and year > held[0]:
            self.used -= 1
            self.pass_over("of earlier years")

    def closed(
        self, found: Mapping[tuple[str, str], _Found], year: Callable[[tuple[str, str]], str], binding: str = "estimate"
    ) -> TariffFile:
        rates = []
        for key in sorted(found):
            one = found[key]
            known = bool(one.bound or one.texts)
            rates.append(
                Rate(
                    territory=key[0],
                    hs6=key[1],
                    band="",
                    applied_low_pct=min(one.applied, default=None),
                    applied_high_pct=max(one.applied, default=None),
                    bound_low_pct=min(one.bound, default=None),
                    bound_high_pct=max(one.bound, default=None),
                    bound_specific=" | ".join(dict.fromkeys(one.texts)),
                    binding=binding if known else "",
                    year=year(key),
                    source=_source(self.name),
                    reliability="D" if binding == "estimate" else "B",
                    note="",
                )
            )
        return TariffFile(
            self.name, self.layout, tuple(rates), self.rows, self.used, dict(self.passed), tuple(self.refused)
        )
