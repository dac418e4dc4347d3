"""What does a WITS export of the World Bank say: who reported what trade with whom, in USD and tonnes?

The layouts are 'By-HS6Product' (Reporter, TradeFlow, ProductCode, ..., Partner, Trade Value 1000USD, Quantity) and the
advanced query's (ReporterISO3, PartnerISO3, TradeFlowName, TradeValue in 1000 USD). Rows of the world and of groups of
countries stand beside their members and are refused as such.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl

from friendshore.world.imports import places, rows, tables
from friendshore.world.imports.rows import Account, Import, Unreadable

LIKE = (
    "a WITS export by HS6 product: Reporter,TradeFlow,ProductCode,Product Description,Year,Partner,Trade Value 1000USD"
)
COLUMNS = {
    "reporter": ("Reporter", "ReporterISO3", "ReporterName"), "flow": ("TradeFlow", "TradeFlowName", "TradeFlowCode"),
    "product": ("ProductCode", "Product"), "year": ("Year",), "partner": ("Partner", "PartnerISO3", "PartnerName"),
    "value": ("Trade Value 1000USD", "TradeValue in 1000 USD", "Trade Value (US$ Thousand)"), "weight": ("Quantity",),
    "unit": ("Quantity Unit", "QtyUnit", "Qty Unit"), "edition": ("Nomenclature", "NomenCode"),
}  # fmt: skip
LAYOUTS = {"WITS By-HS6Product": (COLUMNS, ("reporter", "flow", "product", "year", "partner", "value"))}
NUMERIC = ("value", "weight")
SCHEMA = {
    "year": pl.String, "exporter": pl.String, "importer": pl.String, "hs6": pl.String, "tonnes": pl.Float64,
    "amount": pl.Float64, "side": pl.String,
}  # fmt: skip
FLOWS = {
    "import": "importer", "imports": "importer", "grossimp": "importer", "grossimport": "importer", "5": "importer",
    "export": "exporter", "exports": "exporter", "grossexp": "exporter", "grossexport": "exporter", "6": "exporter",
}  # fmt: skip
PARTS = ("reexport", "reexports", "reimport", "reimports")
TONNES = {
    "kg": 1e-3,
    "kilogram": 1e-3,
    "kilograms": 1e-3,
    "t": 1.0,
    "ton": 1.0,
    "tonnes": 1.0,
    "metrictons": 1.0,
    "mt": 1.0,
}


def read(path: Path, wanted: Callable[[str], bool], year: str | None = None) -> Import:
    """The rows of the wanted products: year, exporter, importer, hs6, tonnes (null where unknown), amount in USD, side.

    Raises
    ------
    InputRefused   no file, damaged, or not in the layout
    """
    _, table = tables.opened(path, LAYOUTS, NUMERIC, LIKE)
    book = Account(table.file, remarks=table.remarks)
    find = places.finder({})
    seen: dict[tuple[str, ...], tuple[int, float]] = {}
    years: set[str] = set()
    products: set[str] = set()
    for line, cells in table.records:
        book.rows += 1
        amount = 0.0
        try:
            amount = tables.stated_value(table, cells) * 1e3
            book.amount += amount
            product = rows.product_of(tables.cell(table, cells, "product"), table.name("product"))
            products.add(product)
            if not wanted(product):
                book.leave("another product", amount)
                continue
            when = rows.year_of(tables.cell(table, cells, "year"), table.name("year"))
            years.add(when)
            if year is not None and when != year:
                book.leave(f"another year than {year}", amount)
                continue
            flow = tables.cell(table, cells, "flow")
            if tables.normal(flow) in PARTS:
                raise Unreadable(table.name("flow"), flow, "part of the flow that stands beside it")
            side = FLOWS.get(tables.normal(flow))
            if side is None:
                raise Unreadable(table.name("flow"), flow, "not a flow: Import or Export")
            words = tables.cell(table, cells, "reporter"), tables.cell(table, cells, "partner")
            reporter, partner = find(words[0], table.name("reporter")), find(words[1], table.name("partner"))
            if reporter == partner and reporter not in places.SEVERAL:
                raise Unreadable(
                    table.name("partner"), words[1], "a country's trade with itself: re-imports, part of its imports"
                )
            key = (when, *words, side, product)
            if key in seen:
                first, before = seen[key]
                same = "the same row" if before == amount else "the same trade with another value"
                raise Unreadable("", " ".join(key), f"{same} stands on line {first}")
            weight = table.numbers.read(tables.cell(table, cells, "weight"), table.name("weight"))
            unit = TONNES.get(tables.normal(tables.cell(table, cells, "unit")))
            tonnes = weight * unit if weight and unit else None
            seen[key] = (line, amount)
            exporter, importer = (partner, reporter) if side == "importer" else (reporter, partner)
            book.nowhere(zip(words, (reporter, partner), strict=True), amount)
            book.keep((when, exporter, importer, product, tonnes, amount, side), line)
        except Unreadable as why:
            book.refuse(line, why.column, why.value, why.reason, amount)
    book.weigh(3, 4, 5)
    return book.closed("wits", table.digest, "USD", SCHEMA, years, len(products))
