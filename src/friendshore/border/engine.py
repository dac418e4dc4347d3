"""DuckDB as the border uses it: a file of its own, what is written and how it is read back.

Amounts leave as decimals with cents; nothing here knows what they are for.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import polars as pl
    from ibis import Schema
    from ibis.backends.duckdb import Backend
    from ibis.expr.types import Table

MEMORY = "3GB"


@contextmanager
def engine() -> Iterator[Backend]:
    """DuckDB on a file of its own that is gone afterwards, so that what does not fit in memory goes to the disk.

    Each stage is short, and fusing its selections would cost more than it saves. Filters stay where they stand: pushed
    down through the rule they would compute it twice.
    """
    import ibis

    fused = ibis.options.sql.fuse_selects
    with tempfile.TemporaryDirectory(prefix="friendshore-border-") as folder:
        con = ibis.duckdb.connect(Path(folder) / "border.duckdb", memory_limit=MEMORY, temp_directory=folder)
        con.raw_sql("SET disabled_optimizers = 'filter_pushdown'")
        try:
            ibis.options.sql.fuse_selects = False
            yield con
        finally:
            ibis.options.sql.fuse_selects = fused
            con.disconnect()


def named(con: Backend, name: str, schema: Schema) -> Table:
    """A table or view of the engine by its name; its columns are known, so that the engine is not asked for them."""
    from ibis.expr import operations

    held: Table = operations.DatabaseTable(
        name=name, schema=schema, source=con, namespace=operations.Namespace()
    ).to_expr()
    return held


def view(con: Backend, name: str, table: Table, *, own: bool = False) -> Table:
    """A query under a name, run whenever it is asked for; seen by this connection alone if it is its `own`."""
    con.raw_sql(f"CREATE OR REPLACE {'TEMP ' if own else ''}VIEW {name} AS {con.compile(table)}")
    return named(con, name, table.schema())


def put(con: Backend, name: str, frame: pl.DataFrame) -> Table:
    """Rows from memory as a table of the engine, by way of a file: to hand them over, the engine would load pandas."""
    import ibis

    file = folder(con) / f"{name}.parquet"
    frame.write_parquet(file)
    con.raw_sql(f"CREATE OR REPLACE TABLE {name} AS FROM read_parquet('{file}')")
    file.unlink()
    return named(con, name, ibis.Schema.from_polars(frame.schema))


def rows(con: Backend, table: Table) -> list[dict[str, Any]]:
    """What a query gives; Ibis, too, would load pandas for it."""
    found: list[dict[str, Any]] = con.raw_sql(con.compile(table)).to_arrow_table().to_pylist()
    return found


def folder(con: Backend) -> Path:
    """Where the engine keeps what does not fit in memory."""
    (folder,) = con.raw_sql("SELECT current_setting('temp_directory')").fetchone()
    return Path(folder)


def write(con: Backend, query: str, file: Path) -> None:
    """Write what a query gives, in its order."""
    file.parent.mkdir(parents=True, exist_ok=True)
    # few values of an amount come twice: looking for more of them than this takes a quarter of the time
    form = (
        "PARQUET, PARQUET_VERSION V2, DICTIONARY_SIZE_LIMIT 1000"
        if file.suffix.lower() == ".parquet"
        else "CSV, HEADER"
    )
    place = str(file).replace("'", "''")
    con.raw_sql(f"COPY ({query}) TO '{place}' (FORMAT {form})")


def back(con: Backend, file: Path) -> Table:
    """A file as it was written, amounts as decimals again."""
    if file.suffix.lower() == ".parquet":
        return con.read_parquet(file)
    table = con.read_csv(file, all_varchar=True, header=True)
    amounts = [name for name in table.columns if name.endswith("_usd") or name == "price"]
    typed = {name: table[name].cast("decimal(18,2)") for name in amounts}
    if "row" in table.columns:  # lines that were refused: their currencies as they came, see `aside`
        came = (table.currency.left(1) == "'").ifelse(table.currency.substr(1), table.currency)
        typed |= {"row": table.row.cast("int64"), "currency": came}
    return table.mutate(**typed)


def hundredths(column: Any) -> Any:
    """Cents as an amount of two decimals, exactly."""
    return shifted(column, 16, 2)


def shifted(column: Any, digits: int, places: int) -> Any:
    """A whole number of so many digits moved behind the point: by a decimal factor, so that no float comes near it."""
    import ibis

    whole, step, moved = f"decimal({digits},0)", f"decimal({places},{places})", f"decimal({digits + places},{places})"
    multiply = ibis.udf.scalar.builtin(_product, name="multiply", signature=((whole, step), moved))
    return multiply(column.cast(whole), ibis.literal(Decimal(1).scaleb(-places), step))


def _product(whole: Any, step: Any) -> Any:
    """DuckDB's product of decimals, which stays within 64 bits up to 18 digits."""
