"""Lines a second of signals: a file of entries asked every question, beside DuckDB merely reading it and copying its columns.

    python benchmarks/bench_signals.py [LINES] [--csv]

Lines are those of `bench_border`. Its lanes are a thousand times what such countries trade, so that S03 is raised on most of them:
the share of lines with a signal is printed, for writing them out is part of the time.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

import duckdb
from bench_border import draw, processor

from friendshore import customs
from friendshore.agreement.document import Agreement
from friendshore.border.signals import known, lines
from friendshore.world.tables import World


def _copied(file: Path, out: Path) -> float:
    """Seconds in which DuckDB reads the same file and writes its columns."""
    con = duckdb.connect()
    began = time.perf_counter()
    con.execute(
        f"COPY (FROM '{file}') TO '{out}' ({'FORMAT parquet' if out.suffix == '.parquet' else 'FORMAT csv, HEADER'})"
    )
    return time.perf_counter() - began


def main() -> None:
    """Print one row: lines, seconds, lines a second, the copy's seconds, the ratio, processor seconds, lines with a signal, the most memory."""
    words = [word for word in sys.argv[1:] if not word.startswith("--")]
    number = int(words[0]) if words else 1_000_000
    suffix = ".csv" if "--csv" in sys.argv else ".parquet"
    world = World.load()
    rules = customs.law(world, Agreement.load("plurilateral-2026"), as_of=date(2030, 1, 1))
    held = known.known(world)
    with tempfile.TemporaryDirectory(prefix="friendshore-bench-") as folder:
        file = Path(folder) / f"entries{suffix}"
        draw(number, file)
        peer = _copied(file, Path(folder) / f"copy{suffix}")
        began, spent = time.perf_counter(), processor()
        found = lines.signalled(file, rules, held)
        seconds = time.perf_counter() - began
    spent = processor() - spent
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    asking = found.signals["row"].n_unique()
    print(
        f"{number:>11,} lines  {seconds:7.2f} s  {number / seconds:>11,.0f} lines/s  copy {peer:6.2f} s  "
        f"ratio {seconds / peer:6.1f}  processor {spent:5.1f} s  {asking:,} with a signal  {memory:4.1f} GB"
    )


if __name__ == "__main__":
    main()
