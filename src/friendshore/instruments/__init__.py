"""The measures an agreement may hold, one file each: terms, market wedge, promises, border duty, settlement.

A new instrument is a new file beside these and one line in `KINDS`.
"""

from __future__ import annotations

from friendshore.instruments.clause import Clause
from friendshore.instruments.corridor import FreightCorridor
from friendshore.instruments.export_control import ExportControl
from friendshore.instruments.offtake import OfftakeAgreement
from friendshore.instruments.plant import NewPlants
from friendshore.instruments.price_floor import PriceFloor
from friendshore.instruments.production_subsidy import ProductionSubsidy
from friendshore.instruments.reserve import PublicReserve
from friendshore.instruments.safeguard import Safeguard
from friendshore.instruments.standard import StandardsMarket
from friendshore.instruments.tariff import ImportTariff
from friendshore.instruments.tariff_quota import ImportQuota
from friendshore.instruments.trade_area import TradeArea

# The key under which an agreement lists clauses of a kind, in the order in which they take effect on the market:
# preferences, duties, quotas, floors, controls, support, purchases, freight, capacity; safeguards last, on what is cleared.
KINDS: dict[str, type[Clause]] = {
    "trade_area": TradeArea,
    "tariffs": ImportTariff,
    "tariff_quotas": ImportQuota,
    "floors": PriceFloor,
    "export_controls": ExportControl,
    "subsidies": ProductionSubsidy,
    "standards": StandardsMarket,
    "offtakes": OfftakeAgreement,
    "reserve": PublicReserve,
    "corridors": FreightCorridor,
    "plants": NewPlants,
    "safeguards": Safeguard,
}

__all__ = [
    "KINDS",
    "Clause",
    "ExportControl",
    "FreightCorridor",
    "ImportQuota",
    "ImportTariff",
    "NewPlants",
    "OfftakeAgreement",
    "PriceFloor",
    "ProductionSubsidy",
    "PublicReserve",
    "Safeguard",
    "StandardsMarket",
    "TradeArea",
]
