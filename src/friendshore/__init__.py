"""Friendshore: what a critical-minerals trade agreement does, to whom, and whether it may.

The names below are the public face. Each is loaded from its own module when it is first used, so that
`import friendshore` costs nothing; inside the package, modules are imported by their own names and never through here.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from friendshore.agreement.document import Agreement
    from friendshore.errors import FriendshoreError, InputRefused, MarketError, Problem, WorldError
    from friendshore.law.examine import screen
    from friendshore.outcome import Outcome
    from friendshore.run import Assumptions, Comparison, clear, compare
    from friendshore.world.own_figures import with_parameters
    from friendshore.world.tables import World

__all__ = [
    "Agreement",
    "Assumptions",
    "Comparison",
    "FriendshoreError",
    "InputRefused",
    "MarketError",
    "Outcome",
    "Problem",
    "World",
    "WorldError",
    "clear",
    "compare",
    "screen",
    "with_parameters",
]

_HOME = {
    "World": "friendshore.world.tables",
    "Agreement": "friendshore.agreement.document",
    "Outcome": "friendshore.outcome",
    "Assumptions": "friendshore.run",
    "Comparison": "friendshore.run",
    "clear": "friendshore.run",
    "compare": "friendshore.run",
    "screen": "friendshore.law.examine",
    "with_parameters": "friendshore.world.own_figures",
    "FriendshoreError": "friendshore.errors",
    "InputRefused": "friendshore.errors",
    "MarketError": "friendshore.errors",
    "Problem": "friendshore.errors",
    "WorldError": "friendshore.errors",
}


def __getattr__(name: str) -> object:
    """A public name at its first use (PEP 562)."""
    if name == "__version__":
        from importlib.metadata import version

        value: object = version("friendshore")
    elif name in _HOME:
        value = getattr(import_module(_HOME[name]), name)
    else:
        raise AttributeError(f"module 'friendshore' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
