"""A file of entries assessed: what is owed on every line that can be, what is missing on every line that cannot.

Lines in = lines assessed + lines refused, in number and in value; the sums are taken from the files as written. The rule is
`columns`, the reading `entries`, the law comes from above.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from friendshore.border import aside, brought, columns, entries
from friendshore.border.aside import ASIDE, Aside
from friendshore.border.brought import Brought
from friendshore.border.engine import back, engine, hundredths, named, put, rows, shifted, view, write
from friendshore.border.entries import FAULT, PART
from friendshore.border.line import Entry
from friendshore.border.scaled import Rounding
from friendshore.border.terms import KEYS, Kind, Law, cleaned
from friendshore.border.twice import came_twice
from friendshore.errors import InputRefused, did_you_mean

if TYPE_CHECKING:
    import polars as pl
    from ibis.backends.duckdb import Backend
    from ibis.expr.types import Table

Said = Callable[[str], None]

# What is written for an assessed line, in order: what it is, how its value was built in the currency declared, what it owes
# in USD with cents (masses in tonnes), why, and where that stands.
WRITTEN = (
    "row", "line_id", "entry_day", "importer", "origin", "hs", "good", "price", "currency", "delivery", "freight",
    "insurance", "basis", "exchange", "customs_value_usd", "contained_t", "mfn_usd", "preference_usd", "base_duty_usd", "section_301_usd",
    "section_232_usd", "section_122_usd", "duty_on_top_usd", "levy_usd", "total_usd", "reasons", "warnings", "sources",
    "clause", "article", "as_of",
)  # fmt: skip
# Of these, what is added up: the mfn duty and the preference are what might have been owed.
SUMMED = tuple(name for name in WRITTEN if name.endswith("_usd") and name not in ("mfn_usd", "preference_usd"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """What a file came to. Values are the declared prices, by currency; `unread` counts lines without a readable price."""

    lines: int
    assessed: int
    refused: int
    value_in: dict[str, Decimal]
    value_assessed: dict[str, Decimal]
    value_refused: dict[str, Decimal]
    unread: int
    owed_usd: dict[str, Decimal]
    by_article: tuple[tuple[str, str, int, Decimal], ...]
    codes: tuple[tuple[str, int], ...]
    seconds: float

    @property
    def whole(self) -> bool:
        """Whether every line was assessed."""
        return self.refused == 0


def assess_file(
    file: Path,
    law: Law,
    out: Path,
    refused: Path,
    *,
    rounding: Rounding = "half_even",
    layout: str = "",
    said: Said = lambda text: None,
) -> Totals:
    """Assess a file of entries and write what is owed and what was refused.

    Parameters
    ----------
    file : CSV, Parquet or JSON lines in one of `entries.LAYOUTS`
    law : schedules, agreement, names and rates
    out, refused : where to write, .parquet or .csv by their names
    rounding : halves to the even neighbour, or up
    layout : the layout's name; found by the columns if empty
    said : told what is being done

    Raises
    ------
    InputRefused   a file that cannot be read as entries at all
    """
    for path in (out, refused):
        if path.suffix.lower() not in (".csv", ".parquet"):
            raise InputRefused.because("output-format", f"'{path}' should end in .csv or .parquet")
    began = time.perf_counter()
    with engine() as con, ThreadPoolExecutor(1) as beside:
        said("reading the entries")
        lines = brought.checked_lines(con, file, layout)
        said("finding what applies")
        came = brought.bring(con, lines, law)
        again = beside.submit(came_twice, con.con.cursor())  # while the queries are built
        if came.quotas:  # these are filled as soon as the rule is built, and by sound lines alone
            brought.mark_twice(con, lines, again.result())
        assessed = _assessed(con, came, rounding)
        told = aside.refused(con, safe=refused.suffix.lower() != ".parquet")
        if not came.quotas:
            brought.mark_twice(con, lines, again.result())
        said("assessing")
        _write_assessed(con, came, assessed, out)
        said("writing what was refused")
        write(con, told, refused)
        said("adding up")
        return _totals(con, came, out, refused, began)


def _result(con: Backend, came: Brought, rounding: Rounding) -> Table:
    """The rule on sound lines as the view `result`, with the codes and words that its numbers stand for."""
    brought.number(con, came)
    needed = columns.shape(came.terms, moist=came.moist, lapsed=came.dated, most_g=came.most_g)
    lines = columns.joined(con.table("numbered"), con.table("terms"), needed, came.same)
    result = view(con, "result", columns.rule(lines, rounding, needed, columns.native(con)))
    reasons = _listed(con, "reasons", columns.reasons_table())
    warnings = _listed(con, "warnings", columns.warnings_table(came.terms))
    return columns.spelled(result, reasons, warnings, _listed(con, "texts", columns.texts_table(came.terms)))


def _listed(con: Backend, name: str, table: pl.DataFrame) -> Table:
    """A table whose texts are kept as places in a list: joined to millions of lines they cost next to nothing."""
    held = put(con, f"{name}_listed", table)
    if "kind" in table.columns:
        con.raw_sql(f"CREATE TABLE {name}_plain AS {brought.by_number(f'{name}_listed')}")
    else:
        con.raw_sql(f"CREATE VIEW {name}_plain AS FROM {name}_listed")
    chosen = []
    for column in table.columns:
        if column in ("number", "kind"):
            chosen.append(column)
            continue
        con.raw_sql(f"CREATE TYPE {name}_{column} AS ENUM (SELECT DISTINCT {column} FROM {name}_plain ORDER BY 1)")  # noqa: S608
        chosen.append(f"{column}::{name}_{column} AS {column}")
    con.raw_sql(f"CREATE TABLE {name} AS SELECT {', '.join(chosen)} FROM {name}_plain")  # noqa: S608
    return named(con, name, held.schema())


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a field of a line: code, field and the value that came."""

    code: str
    field: str
    value: str


def faults(text: str) -> tuple[Fault, ...]:
    """The faults of a line, apart."""
    return tuple(Fault(*each.split(PART)) for each in text.split(FAULT) if each)


def read_one(fields: Mapping[str, str]) -> Entry | tuple[Fault, ...]:
    """A line from its fields as text, read exactly as a file's line is.

    Raises
    ------
    InputRefused   a field that no line has, or one that is missing
    """
    if unknown := [name for name in fields if name not in entries.NAMES]:
        hint = did_you_mean(unknown[0], entries.NAMES) or f"one of {', '.join(entries.NAMES)}"
        raise InputRefused.because("unknown-field", f"a line has no field {unknown[0]!r}", path="--one", hint=hint)
    import polars as pl

    given = {"line_id": "1"} | dict(fields)
    if missing := [name for name in entries.REQUIRED if name not in given]:
        raise InputRefused.because("missing-field", f"a line needs {', '.join(missing)}", path="--one")
    with engine() as con:
        row = {name: given.get(name) for name in entries.NAMES}
        raw = put(con, "one", pl.DataFrame([row], schema=dict.fromkeys(entries.NAMES, pl.String)))
        (held,) = rows(con, entries.checked(raw.mutate(row=1)))
    return faults(held["faults"]) if held["faults"] else entry_of(held)


def entry_of(row: Mapping[str, Any]) -> Entry:
    """A checked row as an entry."""
    same = ("line_id", "day", "net_g", "price_c", "freight_c", "insurance_c", "assay_n", "moisture_n", "proof_lapsed")
    words = cleaned(Kind(**{name: row[name] for name in KEYS}))
    more = ("importer", "origin", "hs", "currency", "delivery", "good", "assay_of", "proof")
    return Entry(
        related=words.related == "Y",
        **{name: row[name] for name in same},
        **{name: getattr(words, name) for name in more},
    )


def _write_assessed(con: Backend, came: Brought, assessed: str, out: Path) -> None:
    """Write the lines that can be assessed; the others are left as the tables `faulty` and `missing`.

    As long as they are few they are kept while the file is read; if they turn out to be many it is read again for them.
    """
    import duckdb

    order = " ORDER BY row" if came.few else ""
    few = {name: Aside(con, name, came.lines) for name in ASIDE}
    try:
        brought.number(con, came, few["faulty"].call)
        chosen = f"CASE WHEN refusal = 0 THEN true ELSE {few['missing'].call} END"
        write(con, f"{assessed} WHERE {chosen}{order}", out)
        for each in few.values():
            each.keep(con)
    except duckdb.Error:
        if not any(each.full for each in few.values()):
            raise
        brought.number(con, came)
        write(con, f"{assessed} WHERE refusal = 0{order}", out)
        for name, wanted in (("faulty", "lines WHERE wrong"), ("missing", "result WHERE refusal <> 0")):
            con.raw_sql(f"CREATE TABLE {name} AS SELECT {', '.join(ASIDE[name])} FROM {wanted}")  # noqa: S608


def _assessed(con: Backend, came: Brought, rounding: Rounding) -> str:
    """The rule on sound lines, as the query of what is written, but for its WHERE: amounts as decimals with cents, contained mass in tonnes, in the order of `WRITTEN`."""
    result = _result(con, came, rounding)
    texts_ = (
        "row",
        "line_id",
        "entry_day",
        "importer",
        "origin",
        "hs",
        "good",
        "currency",
        "delivery",
        "basis",
        "exchange",
    )
    told = ("reasons", "warnings", "sources", "clause", "article")
    cents = {
        "price": "price_c", "freight": "freight_c", "insurance": "insurance_c", "customs_value_usd": "customs_c",
        "mfn_usd": "mfn_c", "preference_usd": "preferred_c", "base_duty_usd": "duty_c", "section_301_usd": "section_301_c",
        "section_232_usd": "section_232_c", "section_122_usd": "section_122_c", "duty_on_top_usd": "surcharge_c",
        "levy_usd": "levy_c", "total_usd": "total_c",
    }  # fmt: skip
    found = {name: result[name] for name in (*texts_, *told)}
    found |= {name: hundredths(result[column]) for name, column in cents.items()}
    found |= {"as_of": result.day, "contained_t": shifted(result.stated_g, 13 if came.heavy else 12, 6)}
    columns_ = {name: found[name] for name in WRITTEN}
    more = {name: result[name] for name in ("refusal", "kind", "price_c")}
    every = con.compile(result.select(**columns_, **more))
    return f"SELECT * EXCLUDE ({', '.join(more)}) FROM ({every})"  # noqa: S608


def _totals(con: Backend, came: Brought, out: Path, refused: Path, began: float) -> Totals:
    """Sums of what went in, from the lines read, and of what came out, from the files written."""
    done, left = back(con, out), back(con, refused)
    problems = rows(con, left.group_by("code").agg(n=left.row.nunique()).order_by("code"))
    once = left.group_by("row").agg(price=left.price.max(), currency=left.currency.max())
    set_aside = rows(
        con,
        once.group_by("currency").agg(n=once.count(), price=once.price.sum(), unread=once.price.isnull().sum()),
    )
    sums = {name: done[name].sum() for name in (*SUMMED, "price")}
    by = ("clause", "article", "currency", "levied")
    groups = done.group_by([*by[:-1], (done.levy_usd > 0).name(by[-1])])
    written = rows(con, groups.agg(n=done.count(), **sums).order_by(*by))
    number = came.lines + sum(each["n"] for each in problems if each["code"] == "R01")
    assessed, left_out = (sum(row["n"] for row in each) for each in (written, set_aside))
    assert number == assessed + left_out, f"{number} lines in, {assessed} assessed, {left_out} refused"
    articles: dict[tuple[str, str], tuple[int, Decimal]] = {}
    for row in written:
        if row["levied"]:
            key = (row["clause"] or "", row["article"] or "")
            n, usd = articles.get(key, (0, Decimal(0)))
            articles[key] = (n + row["n"], usd + row["levy_usd"])
    return Totals(
        lines=number,
        assessed=assessed,
        refused=left_out,
        value_in={currency: Decimal(cents) / 100 for currency, cents in sorted(came.cents.items())},
        value_assessed=_by_currency(written),
        value_refused=_by_currency(set_aside),
        unread=sum(int(row["unread"]) for row in set_aside),
        owed_usd={name: sum((row[name] for row in written), Decimal(0)) for name in SUMMED},
        by_article=tuple((*key, n, usd) for key, (n, usd) in sorted(articles.items())),
        codes=tuple((row["code"], row["n"]) for row in problems),
        seconds=time.perf_counter() - began,
    )


def _by_currency(rows: list[dict[str, Any]]) -> dict[str, Decimal]:
    """The sum of the prices that can be read, by currency."""
    found: dict[str, Decimal] = {}
    for row in rows:
        if row["price"] is not None:
            currency = row["currency"] or ""
            found[currency] = found.get(currency, Decimal(0)) + row["price"]
    return dict(sorted(found.items()))
