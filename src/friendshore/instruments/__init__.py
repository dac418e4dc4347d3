"""The measures an agreement may hold, one file each: terms, market wedge, promises, border duty, settlement.

A new instrument is a new file beside these and one line in `KINDS`.
"""

from __future__ import annotations

from friendshore.instruments.clause import Clause
from friendshore.instruments.export_control import ExportControl
from friendshore.instruments.price_floor import PriceFloor
from friendshore.instruments.production_subsidy import ProductionSubsidy
from friendshore.instruments.tariff import ImportTariff
from friendshore.instruments.trade_area import TradeArea

# The key under which an agreement lists clauses of a kind.
KINDS: dict[str, type[Clause]] = {
    "trade_area": TradeArea,
    "floors": PriceFloor,
    "tariffs": ImportTariff,
    "export_controls": ExportControl,
    "subsidies": ProductionSubsidy,
}

# Kinds of clause that people write and that are not read yet; an agreement that has one is refused, not cut short.
NOT_YET = (
    "corridors",
    "offtakes",
    "options",
    "reserve",
    "safeguards",
    "standards",
    "tariff_quotas",
)

__all__ = [
    "KINDS",
    "NOT_YET",
    "Clause",
    "ExportControl",
    "ImportTariff",
    "PriceFloor",
    "ProductionSubsidy",
    "TradeArea",
]
