"""How long do a hundred alternatives take on the whole world, a comparison, and a change shared out?

    python benchmarks/bench_agreements.py

Wall time and the processor's, for on a machine that others use the two differ. The alternatives are the reference design with
terms in brackets, no two of them alike; a comparison is of two agreements, its solving and what follows it apart.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from friendshore.agreement.document import Agreement
from friendshore.agreement.scenario import Scenario
from friendshore.matrix import matrix
from friendshore.shares import shares
from friendshore.side_by_side import Case, side_by_side
from friendshore.world.tables import World

MATRIX_S, COMPARE_S = 120.0, 1.0
BRACKETS = """
scenario: A hundred alternatives
agreement: plurilateral-2026
options:
  floor.ndpr.price: [80, 90, 100, 110, 120]
  support.mp.price: [90, 100, 110, 120, 130]
  area: [with, without]
  AUS: [with, without]
"""
Result = TypeVar("Result")


def timed(work: Callable[[], Result]) -> tuple[Result, float, float]:
    """What `work` gives, with the seconds of the clock and of the processor that it took."""
    wall, cpu = time.perf_counter(), time.process_time()
    found = work()
    return found, time.perf_counter() - wall, time.process_time() - cpu


def row(words: str, wall: float, cpu: float, more: str = "") -> None:
    """One row of the table."""
    print(f"{words:>56} {wall:8.1f} {cpu:8.1f}  {more}")


def main() -> None:
    world = World.load()
    design, other = (Agreement.load(name, world) for name in ("plurilateral-2026", "subsidies-only"))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "hundred.yaml"
        file.write_text(BRACKETS, encoding="utf-8")
        open_ = Scenario.load(file, world).agreement
    print(f"{'':>56} {'wall, s':>8} {'cpu, s':>8}")
    found, wall, cpu = timed(lambda: matrix(world, open_))
    asked = f"asked {MATRIX_S:.0f} s; {len(found.unanswered)} without an answer"
    row(f"{len(found.tried)} alternatives, {len(world.goods)} goods, {len(world.countries)} places", wall, cpu, asked)
    cases = [Case(deal.id, deal, deal.run_date) for deal in (design, other)]
    sides, wall, cpu = timed(lambda: side_by_side(world, cases))
    row("two agreements compared, shared out among instruments", wall, cpu)
    row(
        "of which after the solves",
        sides.seconds_after_solving,
        sides.seconds_after_solving,
        f"asked {COMPARE_S:.0f} s",
    )
    for by, exact in (("instrument", 5), ("clause", 8), ("clause", 0)):
        parts, wall, cpu = timed(lambda by=by, exact=exact: shares(world, design, by=by, exact=exact))  # type: ignore[misc]
        what = f"{len(parts.parts)} parts shared out, {parts.method}, {parts.clears} markets"
        row(what, wall, cpu, f"residual {parts.residual:.0e}")


if __name__ == "__main__":
    main()
