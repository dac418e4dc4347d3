"""Monthly trade as it comes: who reports what from or to whom, in tonnes and dollars; each field checked, each fault named.

A row spans a month, or the months `from` to `to`, over which it is spread evenly. Rows for the world or for a whole region
are totals and no lanes: they are counted and left aside. What the figures ask is left to `lanes`.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from friendshore.border.signals.clauses import PLUS
from friendshore.border.signals.known import Known
from friendshore.border.signals.lanes import MONTHLY
from friendshore.border.torn_file import broken, not_utf8
from friendshore.errors import InputRefused, Place

NEEDED = ("reporter", "flow", "partner", "net_mass_kg")
OPTIONAL = ("month", "from", "to", "hs", "good", "value_usd", "source")
COLUMNS = {
    "month": "the month, such as 2025-01; or `from` and `to`, first and last month of a longer row",
    "reporter": "the country that reports, ISO 3166 alpha-3; several that are only known together as MEX+THA",
    "flow": "import or export, as the reporter sees it",
    "partner": "the other country, written alike",
    "hs": "six digits of the Harmonized System, as text; or `good`",
    "good": "the good, `mineral.form`, where the code holds several",
    "net_mass_kg": "net mass as shipped, kilograms",
    "value_usd": "value in USD; nothing where not known",
}
TOTALS = ("W00", "WLD", "WORLD", "_X", "X", "0")  # how publishers write the world and areas that they do not name
SHOWN = 60


@dataclass(frozen=True)
class Trade:
    """What was read. `refused` has row, code, field and value; `totals` counts rows for the world, `spread` rows of many
    months, `other` rows of products that no good trades under or that more than one does."""

    monthly: pl.DataFrame
    refused: pl.DataFrame
    rows: int
    totals: int
    spread: int
    other: int


def is_trade(columns: Collection[str]) -> bool:
    """Whether a file's columns are those of a trade table."""
    return set(NEEDED) <= set(columns)


def columns_of(file: Path) -> list[str]:
    """The columns of a file, none where it is no table that is read here.

    Raises
    ------
    InputRefused   a CSV file that is empty, or whose first line is not UTF-8
    """
    if file.suffix.lower() == ".csv" and file.is_file():
        if not file.stat().st_size:
            raise InputRefused.because("empty", "the file is empty", place=Place(str(file), 1, 1))
        if wrong := not_utf8(file, whole=False):
            raise InputRefused([wrong])
    try:
        if file.suffix.lower() == ".parquet":
            return list(pl.read_parquet_schema(file))
        if file.suffix.lower() == ".csv":
            return [name.strip() for name in pl.read_csv(file, n_rows=0, infer_schema=False).columns]
    except (pl.exceptions.PolarsError, OSError):
        pass
    return []


def read(file: Path, known: Known, iso: Collection[str]) -> Trade:
    """Read a trade table.

    Parameters
    ----------
    file : .csv or .parquet with the columns of `COLUMNS`
    known : for the goods under a code and their contents
    iso : the countries' codes

    Raises
    ------
    InputRefused   a file that is none, or without its columns
    """
    table = _texts(file)
    if missing := [name for name in NEEDED if name not in table.columns]:
        hint = f"a trade table has {', '.join(COLUMNS)}"
        raise InputRefused.because("trade-columns", f"{file.name} lacks {', '.join(missing)}", path="TRADE", hint=hint)
    if not ({"month", "from"} & set(table.columns)) or not ({"hs", "good"} & set(table.columns)):
        hint = "month, or from and to; hs, or good"
        raise InputRefused.because("trade-columns", f"{file.name} lacks a month or a product", path="TRADE", hint=hint)
    table = _typed(table)
    table = table.with_columns(fault=_first_fault(table, sorted(iso)))
    total = pl.col("partner").is_in(TOTALS) | pl.col("reporter").is_in(TOTALS)
    whole = table.filter(total)
    good = pl.col("fault") == ""
    sound, bad = table.filter(~total, good), table.filter(~total, ~good)
    named = _named(sound, known)
    lost = sound.height - named.height
    named, twice = _once(named)
    refused = pl.concat([_told(bad), twice]).sort("row", "code")
    months = (
        (pl.col("last").dt.year() - pl.col("first").dt.year()) * 12
        + pl.col("last").dt.month()
        - pl.col("first").dt.month()
        + 1
    )
    named = named.with_columns(months=months.cast(pl.Int64))
    return Trade(
        monthly=_monthly(named), refused=refused, rows=table.height, totals=whole.height,
        spread=named.filter(pl.col("months") > 1).height, other=lost,
    )  # fmt: skip


def _texts(file: Path) -> pl.DataFrame:
    """Every cell as text, under our names where they are ours, with the row's number."""
    if not file.is_file():
        raise InputRefused.because("no-file", f"'{file}' is no file", path="TRADE")
    try:
        if file.suffix.lower() == ".parquet":
            table = pl.read_parquet(file)
        elif file.suffix.lower() == ".csv":
            table = pl.read_csv(file, infer_schema=False, encoding="utf8", truncate_ragged_lines=False)
        else:
            hint = "trade tables come as .csv or .parquet"
            raise InputRefused.because("trade-format", f"{file.name} is of no format that is read here", hint=hint)
    except (pl.exceptions.PolarsError, OSError) as error:
        if file.suffix.lower() == ".csv" and (wrong := broken(file)) is not None:
            raise InputRefused([wrong]) from None
        message = f"{file.name} cannot be read: {str(error).splitlines()[0][:120]}"
        raise InputRefused.because("trade-unreadable", message, path="TRADE") from None
    table = table.rename({name: name.strip() for name in table.columns}, strict=False)
    held = [name for name in (*NEEDED, *OPTIONAL) if name in table.columns]
    numbers = [name for name in ("hs",) if name in held and table.schema[name].is_numeric()]
    lost = [pl.lit("").alias(name) for name in numbers]  # a code that came as a number may have lost a nought
    return (
        table.select(pl.col(held).cast(pl.String).fill_null("").str.strip_chars())
        .with_columns(*lost)
        .with_row_index("row", offset=1)
    )


def _typed(table: pl.DataFrame) -> pl.DataFrame:
    """Months as days, mass and value as numbers; null where they are none."""

    def text(name: str) -> pl.Expr:
        return pl.col(name) if name in table.columns else pl.lit("")

    def month(*names: str) -> pl.Expr:
        found = pl.coalesce(*(pl.when(text(name) != "").then(text(name)) for name in names), pl.lit(""))
        plain = pl.when(found.str.contains(r"^[0-9]{4}-[0-9]{2}$")).then(found + "-01")
        return plain.str.to_date("%Y-%m-%d", strict=False)

    def amount(name: str) -> pl.Expr:
        plain = pl.when(text(name).str.contains(r"^[0-9]{1,15}([.][0-9]{1,6})?$")).then(text(name))
        return plain.cast(pl.Float64, strict=False)

    return table.with_columns(
        first=month("from", "month"), last=month("to", "from", "month"), said_month=pl.concat_str([text(name) for name in ("month", "from", "to")], separator=" ").str.strip_chars(),
        mass_kg=amount("net_mass_kg"), usd=amount("value_usd"), said_usd=text("value_usd"), said_hs=text("hs").str.replace_all(r"[. ]", ""),
        said_good=text("good"),
    )  # fmt: skip


def _first_fault(table: pl.DataFrame, iso: list[str]) -> pl.Expr:
    """The first thing wrong with a row: its code, field and value, apart by a unit separator; empty where nothing is."""

    def country(name: str) -> pl.Expr:
        return pl.col(name).str.split(PLUS).list.eval(pl.element().is_in(iso)).list.all()

    checks = (
        ("T01", "month", pl.col("first").is_null() | pl.col("last").is_null() | (pl.col("last") < pl.col("first")), pl.col("said_month")),
        ("R05", "reporter", ~country("reporter"), pl.col("reporter")),
        ("R05", "partner", ~country("partner"), pl.col("partner")),
        ("T02", "flow", ~pl.col("flow").is_in(["import", "export"]), pl.col("flow")),
        ("R06", "hs", (pl.col("said_good") == "") & ~pl.col("said_hs").str.contains(r"^[0-9]{6,10}$"), pl.col("said_hs")),
        ("R07", "net_mass_kg", pl.col("mass_kg").is_null() | (pl.col("mass_kg") < 0), pl.col("net_mass_kg")),
        ("R08", "value_usd", (pl.col("said_usd") != "") & pl.col("usd").is_null(), pl.col("said_usd")),
        ("T04", "partner", pl.col("partner") == pl.col("reporter"), pl.col("partner")),
    )  # fmt: skip
    found: Any = pl.when(pl.lit(False)).then(pl.lit(""))
    for code, name, wrong, value in checks:
        said = pl.concat_str([pl.lit(code), pl.lit(name), value.str.slice(0, SHOWN)], separator="\x1f")
        found = found.when(wrong.fill_null(True)).then(said)
    first: pl.Expr = found.otherwise(pl.lit(""))
    return first


def _told(bad: pl.DataFrame) -> pl.DataFrame:
    fields = pl.col("fault").str.split_exact("\x1f", 2).struct.rename_fields(["code", "field", "value"])
    return bad.select(pl.col("row").cast(pl.Int64), fields.alias("said")).unnest("said")


def _named(sound: pl.DataFrame, known: Known) -> pl.DataFrame:
    """Rows of the goods that are known, with contained tonnes at the least known content, so that no capacity is overstated."""
    keys = sound.select("said_hs", "said_good").unique().sort("said_hs", "said_good")
    taken = [known.taken(hs, good) for hs, good in keys.iter_rows()]
    keys = keys.with_columns(taken=pl.Series(taken, dtype=pl.String))
    table = sound.join(keys, on=["said_hs", "said_good"]).filter(pl.col("taken") != "")
    table = table.join(known.grades.select("good", "low"), left_on="taken", right_on="good", how="left")
    importing = pl.col("flow") == "import"
    return table.with_columns(
        importer=pl.when(importing).then("reporter").otherwise("partner"),
        exporter=pl.when(importing).then("partner").otherwise("reporter"),
        gross_t=pl.col("mass_kg") / 1000,
        t=pl.col("mass_kg") / 1000 * pl.col("low").fill_null(1.0),
    )


def _once(named: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Rows whose lane and months came once; the others are refused, for one of them may be a part of the other."""
    keys = ["exporter", "importer", "taken", "said_hs", "flow", "first", "last"]
    again = named.select(pl.struct(keys).is_duplicated()).to_series()
    twice = named.filter(again).select(
        pl.col("row").cast(pl.Int64), code=pl.lit("T03"), field=pl.lit("month"), value=pl.col("said_month")
    )
    return named.filter(~again), twice


def _monthly(named: pl.DataFrame) -> pl.DataFrame:
    spread = named.with_columns(month=pl.date_ranges("first", "last", "1mo")).explode("month")
    return spread.select(
        good="taken", exporter="exporter", importer="importer", month="month", side="flow",
        t=pl.col("t") / pl.col("months"), gross_t=pl.col("gross_t") / pl.col("months"), usd=pl.col("usd") / pl.col("months"),
    ).select(*MONTHLY).sort("good", "exporter", "importer", "month", "side")  # fmt: skip
