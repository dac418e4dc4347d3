"""What names a world by its content: twelve digits that change with any figure of it and with nothing else."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from friendshore.world.tables import table_names

if TYPE_CHECKING:
    from friendshore.world.tables import World


def digest(world: World) -> str:
    """Twelve hexadecimal digits that name the tables and policies of a world, in whatever order their rows stand.

    Every figure counts, its source and reliability included; the world's name and version do not.
    """
    held = hashlib.sha256()
    for name in table_names():
        table = getattr(world, name)
        held.update(name.encode())
        held.update(table.sort(table.columns, nulls_last=True).write_csv().encode())
    settings = (world.sourcing, world.absolute, world.mass_unit_t, world.money_unit_usd)
    held.update(repr((settings, [_plain(wedge) for wedge in world.wedges])).encode())
    return held.hexdigest()[:12]


def _plain(value: object) -> object:
    """A policy as plain values in a fixed order: sets are sorted."""
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if hasattr(value, "__slots__"):
        return (type(value).__name__, [(key, _plain(getattr(value, key))) for key in value.__slots__])
    return value
