"""What do the publishers' files say, row by row, with nothing dropped silently?

Each reader returns a `Reading`: the rows it understood, in our codes and units, and every row it refused with line, column,
value and reason; rows read + rows refused = rows in the file, and the same holds for value. What is published as an
aggregate, withheld or not available is refused with that word, so it never turns into zero. Choosing between sources,
contents and shares is `world.build`'s.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from friendshore.errors import InputRefused, Place, Problem

# Names that the publishers use and ISO does not. Codes are ISO 3166 alpha-3; the five remainders begin with X.
COUNTRY_NAMES = {
    "Burma": "MMR", "Myanmar": "MMR", "Korea, North": "PRK", "Korea, South": "KOR", "Korea, Republic of": "KOR",
    "Congo (Kinshasa)": "COD", "Congo, D.R.": "COD", "Democratic Republic of Congo": "COD", "Congo": "COG",
    "Congo, Democratic Republic": "COD", "Congo (Brazzaville)": "COG", "Congo, Republic of": "COG",
    "Turkey": "TUR", "Türkiye": "TUR", "Russia": "RUS", "Laos": "LAO", "Vietnam": "VNM", "Viet Nam": "VNM", "Iran": "IRN",
    "Bolivia": "BOL", "Tanzania": "TZA", "United States": "USA", "United Kingdom": "GBR", "Taiwan": "TWN", "Czechia": "CZE",
    "Cape Verde": "CPV", "Hong Kong": "HKG", "North Macedonia": "MKD", "Macedonia": "MKD", "Syria": "SYR", "Moldova": "MDA",
    "Venezuela": "VEN", "Kosovo": "XEU", "Côte d’Ivoire": "CIV", "Ivory Coast": "CIV", "Swaziland": "SWZ", "Brunei": "BRN",
    "Bosnia and Herzegovina": "BIH", "Cote d'Ivoire": "CIV",
    "Trinidad and Tobago": "TTO", "Brunei Darussalam": "BRN", "Brasilia": "BRA", "Turkyie": "TUR",  # misprints of the source
    "New Caledonia": "NCL", "South Korea": "KOR", "North Korea": "PRK",
}  # fmt: skip
# Comtrade and BACI codes that are not a country: a place, or a bucket that belongs to a region.
TRADE_CODES = {
    "S19": "TWN", "E19": "XEU", "F19": "XAF", "A79": "XAM", "A59": "XAM", "O19": "XOC", "ZAR": "COD", "ROM": "ROU",
    "YUG": "SRB", "SCG": "SRB",
}  # fmt: skip
NOT_SPECIFIED = {"_X", "X1", "X2", "XX", "ZA1", "REST"}
WORLD_CODES = {"W00", "WLD", "0", "WORLD"}
AGGREGATE_CODES = {"EUR", "EU2", "R4", "R4 ", "R20"}
REGION_REMAINDER = {"2": "XAF", "19": "XAM", "142": "XAS", "150": "XEU", "9": "XOC"}
KILOGRAM, QUANTITY_IN_KG = 1e-3, "8"


@dataclass(frozen=True)
class Refusal:
    """A row that was not used: where it stands, what came and why not."""

    file: str
    line: int
    column: str
    value: str
    reason: str
    amount: float = 0.0


@dataclass(frozen=True)
class Reading:
    """Rows understood and rows refused; `amount` is the file's own measure (USD for trade, tonnes for output)."""

    table: pl.DataFrame
    refused: tuple[Refusal, ...]
    rows: int
    amount: float

    def adds_up(self) -> bool:
        """Rows read + refused = rows in the file, in amount too (to 1e-9 of the total)."""
        kept = float(self.table["amount"].sum()) if self.table.height else 0.0
        gone = sum(r.amount for r in self.refused)
        return self.table.height + len(self.refused) == self.rows and abs(kept + gone - self.amount) <= 1e-9 * max(
            1.0, abs(self.amount)
        )


class Skip(Exception):
    """Raised by a row's parser to refuse it; carries column, value and reason."""

    def __init__(self, column: str, value: str, reason: str, amount: float = 0.0) -> None:
        super().__init__(reason)
        self.column, self.value, self.reason, self.amount = column, value, reason, amount


@dataclass(frozen=True)
class Countries:
    """ISO codes, names and regions of the world's countries, from one table of codes."""

    by_code: dict[str, str]
    by_alpha2: dict[str, str]
    by_name: dict[str, str]
    region: dict[str, str]

    def code(self, text: str, column: str, amount: float = 0.0) -> str:
        """The alpha-3 code of a code or name as some publisher writes it; refuses aggregates and unknown places."""
        text = text.strip()
        if text in self.by_code or text in REGION_REMAINDER.values():
            return text
        for known in (TRADE_CODES, COUNTRY_NAMES, self.by_name):
            if text in known:
                return known[text]
        if text in WORLD_CODES or text.lower().startswith("world"):
            raise Skip(column, text, "world total", amount)
        if text in AGGREGATE_CODES or text.lower() in ("rest of world", "other countries"):
            raise Skip(column, text, "aggregate of countries", amount)
        if text in NOT_SPECIFIED:
            raise Skip(column, text, "area not specified", amount)
        raise Skip(column, text, "unknown country", amount)

    def alpha2(self, text: str, column: str, amount: float = 0.0) -> str:
        """From an alpha-2 code; `NA` is Namibia, not a missing value."""
        if text in self.by_alpha2:
            return self.by_alpha2[text]
        return self.code(text, column, amount)


# Where the list's own short name is an abbreviation or could be mistaken.
PLAIN_NAMES = {"USA": "United States", "GBR": "United Kingdom", "COD": "DR Congo", "COG": "Republic of the Congo"}


def countries(raw: Path) -> Countries:
    """The list of countries. Source: ISO 3166 and UN M49 through raw/countries/country-codes.csv."""
    by_code, by_alpha2, by_name, region = {}, {}, {}, {}
    for row in _rows(raw / "raw/countries/country-codes.csv"):
        code = row["ISO3166-1-Alpha-3"]
        name = row["CLDR display name"] or row["UNTERM English Short"]
        if code:
            by_code[code] = PLAIN_NAMES.get(code, name)
            by_alpha2[row["ISO3166-1-Alpha-2"]], by_name[name] = code, code
            region[code] = REGION_REMAINDER.get(row["Region Code"].split(".")[0], "XAS" if code == "TWN" else "XOC")
    return Countries(by_code, by_alpha2, by_name, region)


def baci(path: Path, known: Countries, codes: Iterable[str] | None = None) -> Reading:
    """CEPII BACI: exporter, importer, hs6, tonnes (null where none), amount in USD FOB.

    Raises
    ------
    InputRefused   the file lacks a column of the layout

    Source: Gaulier and Zignago (2010), BACI. Traps: `S19` is Taiwan; quantity is missing in a twentieth of the rows.
    """
    wanted = set(codes) if codes is not None else None

    def parse(row: dict[str, str]) -> dict[str, object]:
        amount = _number(row["value_kusd"], "value_kusd") * 1e3
        if wanted is not None and row["hs6"] not in wanted:
            raise Skip("hs6", row["hs6"], "another product", amount)
        return {
            "exporter": known.code(row["exporter"], "exporter", amount),
            "importer": known.code(row["importer"], "importer", amount), "hs6": row["hs6"],
            "tonnes": _optional(row["qty_t"], "qty_t", amount), "amount": amount,
        }  # fmt: skip

    return _read(
        path, parse, lambda row: _loose(row["value_kusd"]) * 1e3, ("exporter", "importer", "hs6", "value_kusd", "qty_t")
    )


def comtrade_imports(path: Path, known: Countries, year: str, codes: Iterable[str]) -> Reading:
    """UN Comtrade imports by partner: exporter (partner), importer (reporter), hs6, tonnes, amount in USD CIF.

    Traps: EU and ASEAN totals stand beside their members and are refused as aggregates; weight is `qty` in kg where netWgt
    is empty; a reporter's trade with itself is re-import; zero weight means not reported, not nothing.
    """
    wanted = set(codes)

    def parse(row: dict[str, str]) -> dict[str, object]:
        amount = _number(row["primaryValue"], "primaryValue")
        if row["period"] != year:
            raise Skip("period", row["period"], "another year", amount)
        if row["cmdCode"] not in wanted:
            raise Skip("cmdCode", row["cmdCode"], "another product", amount)
        exporter, importer = (known.code(row[c], c, amount) for c in ("partnerISO", "reporterISO"))
        if exporter == importer:
            raise Skip("partnerISO", row["partnerISO"], "re-import", amount)
        return {
            "exporter": exporter, "importer": importer, "hs6": row["cmdCode"], "tonnes": _weight(row, amount), "amount": amount,
        }  # fmt: skip

    return _read(
        path, parse, lambda row: _loose(row["primaryValue"]), ("period", "reporterISO", "partnerISO", "cmdCode")
    )


def comtrade_exports(
    path: Path, known: Countries, year: str, codes: Iterable[str], reporters: dict[str, str]
) -> Reading:
    """UN Comtrade exports by partner in numeric codes: exporter, importer, hs6, tonnes, amount in USD FOB."""
    wanted = set(codes)

    def parse(row: dict[str, str]) -> dict[str, object]:
        amount = _number(row["primaryValue"], "primaryValue")
        if row["period"] != year:
            raise Skip("period", row["period"], "another year", amount)
        if row["cmdCode"] not in wanted:
            raise Skip("cmdCode", row["cmdCode"], "another product", amount)
        exporter, importer = (
            known.code(reporters.get(row[c], row[c]), c, amount) for c in ("reporterCode", "partnerCode")
        )
        if exporter == importer:
            raise Skip("partnerCode", row["partnerCode"], "trade with itself", amount)
        return {
            "exporter": exporter, "importer": importer, "hs6": row["cmdCode"], "tonnes": _weight(row, amount), "amount": amount,
        }  # fmt: skip

    return _read(
        path, parse, lambda row: _loose(row["primaryValue"]), ("period", "reporterCode", "partnerCode", "cmdCode")
    )


def comtrade_codes(path: Path) -> dict[str, str]:
    """UN Comtrade's own numeric codes (842 USA, 251 France, 579 Norway, 699 India, 757 Switzerland, 490 Taiwan)."""
    table = {row["code"]: row["iso3"] for row in _rows(path)}
    return table | {"490": "S19", "842": "USA", "251": "FRA", "579": "NOR", "699": "IND", "757": "CHE", "0": "W00"}


def partner_star(path: Path, known: Countries, flow: str) -> Reading:
    """One reporter's trade by partner (heading, year in the file): partner, tonnes, amount in USD."""

    def parse(row: dict[str, str]) -> dict[str, object]:
        amount = _number(row["value_usd"], "value_usd")
        if row["flowCode"] != flow:
            raise Skip("flowCode", row["flowCode"], "the other direction", amount)
        partner = known.code(row["partnerISO"], "partnerISO", amount)
        if partner == row["reporterISO"]:
            raise Skip("partnerISO", partner, "re-import", amount)
        kg = _optional(row["netWgt_kg"], "netWgt_kg", amount)
        return {"partner": partner, "tonnes": None if kg is None else kg * KILOGRAM, "amount": amount}

    return _read(
        path, parse, lambda row: _loose(row["value_usd"]), ("flowCode", "partnerISO", "netWgt_kg", "value_usd")
    )


def margins(path: Path, known: Countries, year: str) -> Reading:
    """Totals of the largest exporters and importers: hs6, role (exporter, importer, world), country, amount in USD."""

    def parse(row: dict[str, str]) -> dict[str, object]:
        amount = _number(row["value_usd"], "value_usd")
        if row["year"] != year:
            raise Skip("year", row["year"], "another year", amount)
        country = "WLD" if row["role"] == "world" else known.alpha2(row["iso2"], "iso2", amount)
        return {"hs6": row["hs6"], "role": row["role"], "country": country, "amount": amount}

    return _read(path, parse, lambda row: _loose(row["value_usd"]), ("year", "hs6", "role", "iso2", "value_usd"))


def reporter_totals(path: Path, known: Countries, codes: Iterable[str]) -> Reading:
    """UN Comtrade trade of every reporter with the world: hs6, flow (M, X), country, amount in USD (imports CIF, exports FOB)."""
    wanted = set(codes)

    def parse(row: dict[str, str]) -> dict[str, object]:
        amount = _number(row["primaryValue"], "primaryValue")
        if row["cmdCode"] not in wanted:
            raise Skip("cmdCode", row["cmdCode"], "another product", amount)
        country = known.code(row["reporterISO"], "reporterISO", amount)
        return {"hs6": row["cmdCode"], "flow": row["flowCode"], "country": country, "amount": amount}

    return _read(
        path, parse, lambda row: _loose(row["primaryValue"]), ("reporterISO", "flowCode", "cmdCode", "primaryValue")
    )


def usgs(path: Path, known: Countries, year: str = "2024") -> Reading:
    """USGS Mineral Commodity Summaries: world tables of one year: commodity, detail, country, amount in the row's unit.

    Traps: `W` is withheld and `NA` not available, neither is zero, while an em dash is zero; numbers carry thousands commas;
    'Other countries' and 'World total' are refused as aggregates here and read by `usgs_other`. Encoding is cp1252.
    """

    def parse(row: dict[str, str]) -> dict[str, object]:
        amount = _usgs_amount(row["Value"])
        if row["Year"] != year or not row["Section"].startswith("World"):
            raise Skip("Section", row["Section"], "not a world table of the year", amount)
        if row["Value"].strip() in ("W", "NA", "", "Large"):
            raise Skip("Value", row["Value"], "withheld" if row["Value"].strip() == "W" else "not available")
        if _usgs_number(row["Value"]) is None:
            raise Skip("Value", row["Value"], "not a number")
        return {
            "commodity": row["Commodity"], "detail": row["Statistics_detail"], "unit": row["Unit"],
            "country": known.code(row["Country"], "Country", amount), "amount": amount,
        }  # fmt: skip

    return _read(
        path,
        parse,
        lambda row: _usgs_amount(row["Value"]),
        ("Commodity", "Country", "Section", "Year", "Value"),
        encoding="cp1252",
    )


def usgs_other(reading: Reading, path: Path, commodity: str, detail: str, year: str = "2024") -> float:
    """What the same table puts under 'Other countries', in the row's unit; 0 where there is no such row."""
    lines = {r.line for r in reading.refused if r.value == "Other countries"}
    total = 0.0
    for line, row in enumerate(_rows(path, "cp1252"), start=2):
        if line in lines and (row["Commodity"], row["Statistics_detail"], row["Year"]) == (commodity, detail, year):
            total += _usgs_amount(row["Value"])
    return total


def bgs(path: Path, known: Countries, year: str = "2023") -> Reading:
    """BGS World Mineral Statistics: commodity, sub, country, amount in the row's unit.

    Traps: two Congos share one code in the file, so countries are read by name; a blank with 'not available' is not zero.
    """

    def parse(row: dict[str, str]) -> dict[str, object]:
        amount = _loose(row["quantity"])
        if row["year"] != year:
            raise Skip("year", row["year"], "another year", amount)
        if row["precision_flag"].startswith("Figures not available") or row["quantity"] == "":
            raise Skip("quantity", row["quantity"], "not available", amount)
        name = row["country"]
        code = COUNTRY_NAMES.get(name) or known.by_name.get(name) or known.code(row["iso3"], "iso3", amount)
        return {"commodity": row["commodity"], "sub": row["sub_commodity"], "country": code, "amount": amount}

    return _read(path, parse, lambda row: _loose(row["quantity"]), ("commodity", "country", "iso3", "year", "quantity"))


def iea(path: Path, known: Countries, year: str = "2024") -> Reading:
    """IEA Critical Minerals Dataset, supply by country: mineral, stage, country, amount in kt.

    'Rest of world' and 'World total' are kept under the codes ROW and WLD: shares need the total.
    """
    special = {"Rest of world": "ROW", "World total": "WLD"}

    def parse(row: dict[str, str]) -> dict[str, object]:
        amount = _number(row["kt"], "kt")
        if row["year"] != year:
            raise Skip("year", row["year"], "another year", amount)
        country = special.get(row["country"]) or known.code(row["country"], "country", amount)
        return {"mineral": row["mineral"], "stage": row["stage"], "country": country, "amount": amount}

    return _read(path, parse, lambda row: _loose(row["kt"]), ("mineral", "stage", "country", "year", "kt"))


def ec_shares(path: Path, known: Countries) -> Reading:
    """European Commission, shares of world supply 2016-2020: material, stage (E, P), country, amount in percent.

    '<0.1%' is a positive figure below the printed precision and is refused as such, not read as zero.
    """

    def parse(row: dict[str, str]) -> dict[str, object]:
        if row["Share"].startswith("<"):
            raise Skip("Share", row["Share"], "below precision")
        amount = _number(row["Share"].rstrip("%"), "Share")
        return {
            "material": row["Material"], "stage": row["Stage"],
            "country": known.code(row["Country"], "Country", amount), "amount": amount,
        }  # fmt: skip

    return _read(path, parse, lambda row: _loose(row["Share"].rstrip("%")), ("Material", "Stage", "Country", "Share"))


def distances(path: Path) -> dict[tuple[str, str], float]:
    """Great-circle distance between countries, km. Source: CEPII GeoDist (`dist`), old codes brought to ISO."""
    rename = {"ROM": "ROU", "ZAR": "COD", "YUG": "SRB"}
    return {
        (rename.get(row["iso_o"], row["iso_o"]), rename.get(row["iso_d"], row["iso_d"])): float(row["dist"])
        for row in _rows(path)
    }


def gdp(path: Path) -> dict[str, float]:
    """Newest GDP of each economy in current USD. Source: World Bank; regional aggregates stay under their own codes."""
    newest: dict[str, tuple[str, float]] = {}
    for row in _rows(path):
        code, year = row["Country Code"], row["Year"]
        if row["Value"] and year >= newest.get(code, ("", 0.0))[0]:
            newest[code] = (year, float(row["Value"]))
    return {code: value for code, (_, value) in newest.items()}


def _rows(path: Path, encoding: str = "utf-8-sig") -> Iterator[dict[str, str]]:
    with path.open(encoding=encoding, newline="") as handle:
        yield from csv.DictReader(handle)


def _read(
    path: Path,
    parse: Callable[[dict[str, str]], dict[str, object]],
    amount_of: Callable[[dict[str, str]], float],
    needs: tuple[str, ...],
    encoding: str = "utf-8-sig",
) -> Reading:
    kept: list[dict[str, object]] = []
    refused: list[Refusal] = []
    rows, total = 0, 0.0
    with path.open(encoding=encoding, newline="") as handle:
        reader = csv.DictReader(handle)
        missing = [name for name in needs if name not in (reader.fieldnames or ())]
        if missing:
            raise InputRefused(
                [
                    Problem(
                        "missing-column",
                        f"no column '{name}'",
                        Place(path.name, 1, 1, ",".join(reader.fieldnames or ())),
                        name,
                    )
                    for name in missing
                ]
            )
        for row in reader:
            rows += 1
            try:
                amount = amount_of(row)
                total += amount
                kept.append(parse(row))
            except Skip as skip:
                refused.append(
                    Refusal(path.name, reader.line_num, skip.column, skip.value, skip.reason, amount_of(row))
                )
    return Reading(pl.DataFrame(kept, infer_schema_length=None), tuple(refused), rows, total)


def _number(text: str, column: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise Skip(column, text, "not a number") from None
    if not value >= 0.0 or value == float("inf"):
        raise Skip(column, text, "negative or not finite")
    return value


def _optional(text: str, column: str, amount: float) -> float | None:
    return None if text in ("", "NA") else _number(text, column)


def _loose(text: str) -> float:
    """A number for the sum of the file; text that is no number, or no finite positive one, counts as nothing."""
    try:
        value = float(text)
    except ValueError:
        return 0.0
    return value if 0.0 <= value < float("inf") else 0.0


def _weight(row: dict[str, str], amount: float) -> float | None:
    net = _optional(row["netWgt"], "netWgt", amount) or 0.0
    if net == 0.0 and row["qtyUnitCode"] == QUANTITY_IN_KG:
        net = _optional(row["qty"], "qty", amount) or 0.0
    return net * KILOGRAM if net > 0.0 else None


def _usgs_number(text: str) -> float | None:
    text = text.strip().replace(",", "")
    if text in ("—", "–", "-"):
        return 0.0
    try:
        return float(text)
    except ValueError:
        return None


def _usgs_amount(text: str) -> float:
    return _usgs_number(text) or 0.0
