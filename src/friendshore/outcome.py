"""What one solved scenario says, frozen: prices, flows, output, use, accounts, and how sure the solver is.

Tables are Polars frames in tonnes and USD, sorted. Accounts are changes against the base year (levels where the world has
no base: `absolute`). Two outcomes are set side by side by `run.compare`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class Outcome:
    """Everything about one scenario. Columns, all sorted by their keys:

    prices    good, country, usd_t, base_usd_t                      producer's price at the gate
    indices   good, country, usd_t, base_usd_t                      buyer's cost index
    flows     good, exporter, importer, t, base_t, cif_usd_t, tariff, duty_usd_t, levy_usd_t, delivered_usd_t, open
    output    good, country, t, base_t
    use       good, country, t, base_t, unserved_t, days_short      final demand served; recipe use is not in it
    activities activity, country, t, base_t, capacity_t, margin_usd_t, base_margin_usd_t, surplus_usd, capacity_rent_usd
    accounts  country, item, usd                                    change against the base (levels if absolute)
    by_good   country, item, good, usd                              the same, by good
    rents     clause, kind, rent, tonnes, limit_t, owner            quotas, corridors, tariff-rate quotas, recovery bounds
    gained    good, country, used_t, arrived_t, gained_t, share_of_use   used less arrived: CES sourcing alone, else no rows
    """

    name: str
    world: str
    status: str
    method: str
    steps: int
    residual_t: float
    seconds: float
    absolute: bool
    prices: pl.DataFrame
    indices: pl.DataFrame
    flows: pl.DataFrame
    output: pl.DataFrame
    use: pl.DataFrame
    activities: pl.DataFrame
    accounts: pl.DataFrame
    by_good: pl.DataFrame
    rents: pl.DataFrame
    gained: pl.DataFrame
    world_total_usd: float
    resource_total_usd: float
    resource_parts_usd: dict[str, float]
    undetermined: tuple[tuple[str, str, float, float], ...] = ()  # good, country, lowest, highest USD/t
    settings: dict[str, Any] = field(default_factory=dict)
    state: Any = field(default=None, repr=False)  # where a neighbouring run may start; no part of the result

    TABLES = ("prices", "indices", "flows", "output", "use", "activities", "accounts", "by_good", "rents", "gained")

    @property
    def digest(self) -> str:
        """Twelve hexadecimal digits that name every figure of the tables; how they were reached does not count."""
        held = hashlib.sha256()
        for name in self.TABLES:
            held.update(name.encode())
            held.update(getattr(self, name).write_csv().encode())
        return held.hexdigest()[:12]

    def document(self) -> dict[str, Any]:
        """The outcome as plain JSON values."""
        tables = {name: getattr(self, name).to_dicts() for name in self.TABLES}
        return {
            "name": self.name,
            "world": self.world,
            "status": self.status,
            "method": self.method,
            "steps": self.steps,
            "residual_t": self.residual_t,
            "seconds": self.seconds,
            "accounts_are": "levels" if self.absolute else "changes against the base",
            **tables,
            "world_total_usd": self.world_total_usd,
            "resource_total_usd": self.resource_total_usd,
            "resource_parts_usd": self.resource_parts_usd,
            "undetermined": [
                {"good": g, "country": c, "low_usd_t": low, "high_usd_t": high} for g, c, low, high in self.undetermined
            ],
            "settings": self.settings,
        }
