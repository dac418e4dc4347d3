"""What does a BACI file of CEPII say: who sold what to whom, in USD and tonnes?

The publisher's layout is t, i, j, k, v, q with numeric codes, v in thousand USD fob and q in tonnes ('NA' where unknown); a
layout with named columns and ISO codes is read too. The code files of the release are used where they lie beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain, islice
from pathlib import Path

import polars as pl

from friendshore.world.imports import places, rows, tables
from friendshore.world.imports.rows import Account, Import, Unreadable
from friendshore.world.imports.tables import Table

LIKE = "a year of BACI as CEPII publishes it: t,i,j,k,v,q"
COLUMNS = {
    "year": ("t", "year"), "exporter": ("i", "exporter", "exporter_iso3"), "importer": ("j", "importer", "importer_iso3"),
    "product": ("k", "hs6", "product", "hs_code"), "value": ("v", "value_kusd"), "weight": ("q", "qty_t", "quantity"),
}  # fmt: skip
LAYOUTS = {"CEPII BACI": (COLUMNS, ("year", "exporter", "importer", "product", "value", "weight"))}
COUNTRY_CODES = {
    "CEPII country codes": (
        {"code": ("country_code",), "name": ("country_name", "country_name_full", "country_name_abbreviation"), "alpha2": ("country_iso2", "iso_2digit_alpha"), "alpha3": ("country_iso3", "iso_3digit_alpha")},
        ("code", "alpha3"),
    )
}  # fmt: skip
PRODUCT_CODES = {"CEPII product codes": ({"code": ("code",), "name": ("description",)}, ("code", "name"))}
NUMERIC = ("value", "weight")
SHOWN = 200  # rows that tell how countries are written
SCHEMA = {
    "year": pl.String,
    "exporter": pl.String,
    "importer": pl.String,
    "hs6": pl.String,
    "tonnes": pl.Float64,
    "amount": pl.Float64,
}


def read(path: Path, wanted: Callable[[str], bool], year: str | None = None) -> Import:
    """The rows of the wanted products: year, exporter, importer, hs6, tonnes (null where unknown), amount in USD fob.

    Raises
    ------
    InputRefused   no file, damaged, or not in the layout

    Source: Gaulier and Zignago (2010), BACI.
    """
    _, table = tables.opened(path, LAYOUTS, NUMERIC, LIKE)
    codes, known = beside(path)
    book = Account(table.file, remarks=table.remarks)
    numbers, place = table.numbers, table.place
    value_at, product_at, year_at, width = place["value"], place["product"], place["year"], len(table.heading)
    seen: dict[tuple[str, str, str, str], tuple[int, float]] = {}
    twins: dict[tuple[str, str, str, str, float], int] = {}
    years: set[str] = set()
    products: set[str] = set()
    records = iter(table.records)
    head = list(islice(records, SHOWN))
    sides = (place["exporter"], place["importer"])
    shown = (cells[side] for _, cells in head for side in sides if len(cells) > side)
    find = places.finder(codes, alpha2=places.two_letters(shown))
    product_of = _products(table, known)
    for line, cells in chain(head, records):
        book.rows += 1
        amount = 0.0
        try:
            if len(cells) != width:
                tables.whole(table, cells)
            amount = _value(table, cells, value_at) * 1e3
            book.amount += amount
            when = rows.year_of(cells[year_at].strip(), table.heading[year_at])
            product = product_of(cells[product_at])
            products.add(product)
            if not wanted(product):
                book.leave("another product", amount)
                continue
            years.add(when)
            if year is not None and when != year:
                book.leave(f"another year than {year}", amount)
                continue
            exporter = find(cells[place["exporter"]], table.name("exporter"))
            importer = find(cells[place["importer"]], table.name("importer"))
            if exporter == importer and exporter not in places.SEVERAL:
                raise Unreadable(table.name("importer"), cells[place["importer"]], "trade of a country with itself")
            key = (when, cells[place["exporter"]].strip(), cells[place["importer"]].strip(), product)
            if key in seen:
                first, before = seen[key]
                same = "the same row" if before == amount else "the same trade with another value"
                raise Unreadable("", " ".join(key), f"{same} stands on line {first}")
            twin = (when, exporter, importer, product, amount)
            if not {exporter, importer} & places.SEVERAL and twins.setdefault(twin, line) != line:
                words = " > ".join(key[1:3])
                raise Unreadable("", words, f"one country under two codes: the same trade stands on line {twins[twin]}")
            weight = numbers.read(cells[place["weight"]], table.name("weight"))
            seen[key] = (line, amount)
            book.nowhere(((cells[place["exporter"]], exporter), (cells[place["importer"]], importer)), amount)
            book.keep((when, exporter, importer, product, weight or None, amount), line)
        except Unreadable as why:
            book.refuse(line, why.column, why.value, why.reason, amount)
    book.weigh(3, 4, 5)
    return book.closed("cepii.baci", table.digest, "USD", SCHEMA, years, len(products))


def _value(table: Table, cells: Sequence[str], index: int) -> float:
    """The value in the file's unit. Most rows say it plainly, and a year of BACI has eleven million."""
    text = cells[index]
    if table.plain:
        try:
            value = float(text)
            if 0.0 <= value < float("inf") and "_" not in text:
                return value
        except ValueError:
            pass
    if tables.is_heading(table, cells, NUMERIC):
        raise Unreadable(table.heading[0], cells[0], "a second heading")
    told = table.numbers.read(text, table.heading[index])
    if told is None:
        raise Unreadable(table.heading[index], text, "no value")
    return told


def _products(table: Table, known: frozenset[str] | None) -> Callable[[str], str]:
    """A reader of product codes: six digits, and one of the release's where its list is known."""
    column, read_before = table.name("product"), dict[str, str]()

    def product_of(text: str) -> str:
        if text not in read_before:
            product = rows.product_of(text, column)
            if len(product) != 6:
                raise Unreadable(column, text, "not an HS code of six digits")
            if known is not None and product not in known:
                raise Unreadable(column, product, "no such product in the release's code file: another HS edition")
            read_before[text] = product
        return read_before[text]

    return product_of


def beside(path: Path) -> tuple[dict[str, str], frozenset[str] | None]:
    """The release's code files where they lie beside the table: numeric code -> ISO alpha-3 or name, and its products."""
    codes: dict[str, str] = {}
    for file in sorted(path.parent.glob("country_codes*.csv")):
        codes |= country_codes(file)
    found = sorted(path.parent.glob("product_codes*.csv"))
    return codes, (frozenset().union(*(product_codes(file) for file in found)) if found else None)


def country_codes(path: Path) -> dict[str, str]:
    """CEPII's country codes: number -> ISO alpha-3, or the name where no code is given. `NA` is Namibia's alpha-2."""
    _, table = tables.opened(
        path, COUNTRY_CODES, (), "BACI's country codes: country_code,country_name,country_iso2,country_iso3"
    )
    out = {}
    for _, cells in table.records:
        alpha3, name = tables.cell(table, cells, "alpha3"), tables.cell(table, cells, "name")
        if code := tables.cell(table, cells, "code"):
            out[code.lstrip("0") or "0"] = alpha3 if alpha3 not in rows.MISSING else name
    return out


def product_codes(path: Path) -> frozenset[str]:
    """CEPII's product codes of one HS edition, six digits each."""
    _, table = tables.opened(path, PRODUCT_CODES, (), "BACI's product codes: code,description")
    codes = (tables.cell(table, cells, "code") for _, cells in table.records)
    return frozenset(code.zfill(6) for code in codes if code.isdigit())
