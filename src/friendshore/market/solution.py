"""What a cleared market looks like as arrays, before it becomes tables."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from friendshore.market.curves import Array
from friendshore.market.network import Network

# Which fields of a solution run over which rows.
BY_ROWS: dict[str, tuple[str, ...]] = {
    "sources": ("price", "discarded"),
    "markets": ("index", "wanted", "reserve_bought", "stock_build", "unserved", "spot", "bought_stock"),
    "routes": ("share", "flow", "cif", "before_levy", "levy", "delivered", "tariff"),
    "tranches": ("margin", "level"),
    "quotas": ("quota_rent",),
    "corridors": ("corridor_rent",),
    "recoveries": ("recovery_charge",),
    "rates": ("rate",),
}


@dataclass(frozen=True)
class Solution:
    """A cleared market. (I,) sources, (M,) markets, (R,) routes, (T,) supply tranches; USD/t and tonnes."""

    price: Array
    index: Array
    share: Array
    flow: Array
    cif: Array
    before_levy: Array
    levy: Array
    delivered: Array
    wanted: Array  # final demand at min(V, choke)
    reserve_bought: Array  # net purchases of reserves that took place
    stock_build: Array
    unserved: Array
    spot: Array
    bought_stock: Array  # offtake beyond what the market can use
    margin: Array
    level: Array  # by tranche
    discarded: Array  # by source
    quota_rent: Array
    corridor_rent: Array
    rate: Array  # applied rate of each tariff-rate quota
    recovery_charge: Array
    tariff: Array  # (R,) rate in force, tariff-rate quotas included
    residual_t: float
    steps: int
    seconds: float
    status: str
    method: str
    undetermined: tuple[tuple[int, float, float], ...] = ()  # source, lowest and highest price that changes nothing
    state: Array = field(default_factory=lambda: np.zeros(0))


def market_name(network: Network, source: int) -> str:
    """A source as a message names it: `gallium.metal in CHN`."""
    return f"{network.goods[network.source_good[source]]} in {network.countries[network.source_country[source]]}"
