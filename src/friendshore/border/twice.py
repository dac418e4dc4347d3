"""Ids of lines that came more than once, among a hundred million of them.

Their hashes are sorted, half in each thread; only where two are alike are the ids themselves looked at.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from duckdb import DuckDBPyConnection

FETCHED = 1_000_000  # hashes at a time
AHEAD = "16MB"  # of them that may wait while others are taken; with the engine's own megabyte it waits itself


def came_twice(con: DuckDBPyConnection) -> list[str]:
    """Ids on more than one line of the view `typed`, in their order; ids that are empty have a fault of their own.

    Holds eight bytes for each line. The connection is used by nobody else meanwhile.
    """
    import numpy as np
    import polars as pl

    hashes = _hashes(con)
    middle = hashes.size // 2
    hashes.partition(middle)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(np.ndarray.sort, (hashes[:middle], hashes[middle:])))
    alike = np.unique(hashes[1:][hashes[1:] == hashes[:-1]])
    if not alike.size:
        return []
    con.register("alike", pl.DataFrame({"h": alike}))
    query = """
        SELECT line_id FROM typed SEMI JOIN alike ON hash(line_id) = h
        WHERE line_id <> '' GROUP BY line_id HAVING count(*) > 1 ORDER BY line_id
    """
    return [line_id for (line_id,) in con.execute(query).fetchall()]


def _hashes(con: DuckDBPyConnection) -> np.ndarray:
    """The hash of every line's id, in no order."""
    import numpy as np

    (number,) = con.execute("SELECT count(*) FROM typed").fetchone() or (0,)
    hashes, held = np.empty(number, np.uint64), 0
    con.execute(f"SET streaming_buffer_size = '{AHEAD}'")
    for batch in con.execute("SELECT hash(line_id) FROM typed").to_arrow_reader(FETCHED):
        hashes[held : held + batch.num_rows] = np.from_dlpack(batch.column(0))  # as numpy, without pandas
        held += batch.num_rows
    assert held == number, f"{number} lines, {held} ids"
    return hashes
