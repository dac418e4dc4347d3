"""A file of entries assessed: what is owed on every line that can be, what is missing on every line that cannot.

Lines in = lines assessed + lines refused, in number and in value; the sums are taken from the files as written. The rule is
`columns`, the reading `entries`, the law comes from above.
"""

from __future__ import annotations

import functools
import operator
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from friendshore.border import columns, entries
from friendshore.border.entries import FAULT, PART
from friendshore.border.line import Entry
from friendshore.border.reasons import REASONS
from friendshore.border.scaled import GRAMS_MAX, NANO, Rounding
from friendshore.border.terms import FORMULA, KEYS, Kind, Law, Terms, cleaned, terms_of
from friendshore.errors import InputRefused, did_you_mean

if TYPE_CHECKING:
    import pyarrow as pa
    from ibis.backends.duckdb import Backend
    from ibis.expr.types import Table

MEMORY = "3GB"
HASHES = 1_000_000  # how many are fetched at a time
KINDS_MAX = 2_000_000  # combinations of importer, origin, line, good and the like in one file
Said = Callable[[str], None]

# What is written for an assessed line, in order; amounts in USD with cents, masses in tonnes.
WRITTEN = (
    "line_id", "entry_day", "importer", "origin", "hs", "good", "customs_value_usd", "contained_t", "base_duty_usd",
    "section_301_usd", "section_232_usd", "section_122_usd", "duty_on_top_usd", "levy_usd", "total_usd", "reasons",
    "warnings", "clause", "article", "as_of", "price", "currency",
)  # fmt: skip
# What is kept of lines that are set aside: those with a fault, and those that lack a fact.
ASIDE = {
    "faulty": {"row": "BIGINT", "line_id": "VARCHAR", "price_c": "BIGINT", "currency": "VARCHAR", "faults": "VARCHAR"},
    "missing": {"row": "BIGINT", "line_id": "VARCHAR", "price_c": "BIGINT", "refusal": "BIGINT", "kind": "BIGINT"},
}
ASIDE_PART, ASIDE_LEAST = 200, 1_000  # one line in so many, and so many more, are few
REFUSED = ("row", "line_id", "code", "field", "value", "problem", "about", "fix", "who", "price", "currency")


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
    with engine() as con:
        said("reading the entries")
        lines = _typed(con, file, layout)
        said("finding what applies")
        came = _terms(con, lines, law)
        said("assessing")
        _result(con, came, rounding)
        _write_assessed(con, came, out)
        said("writing what was refused")
        told = _refused(con)
        _write(con, con.compile(told if refused.suffix.lower() == ".parquet" else _inert(told)), refused)
        said("adding up")
        return _totals(con, came, out, refused, began)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Came:
    """What a file brought.

    Parameters
    ----------
    lines : rows that could be taken apart
    cents : currency -> the sum of the prices that could be read, in hundredths
    names : the words that make a kind
    terms : of every kind of line, by its number
    long : whether any word is too long to be one
    moist : whether any line states its moisture
    dated : whether any proof has a day
    most_g : what the heaviest line weighs
    """

    lines: int
    cents: dict[str, int]
    names: tuple[str, ...]
    terms: list[Terms]
    long: bool
    moist: bool
    dated: bool
    most_g: int

    @property
    def heavy(self) -> bool:
        """Whether any line may contain a million tonnes."""
        most = max([NANO, *(each.content or 0 for each in self.terms)])
        return self.most_g * most >= 10**12 * NANO


def _result(con: Backend, came: _Came, rounding: Rounding) -> None:
    """The rule on sound lines as the view `result`, and the codes and words that its numbers stand for as tables."""
    _number(con, came, aside=False)
    needed = columns.shape(came.terms, moist=came.moist, lapsed=came.dated, most_g=came.most_g)
    lines = columns.joined(con.table("numbered"), con.table("terms"), needed)
    result = columns.rule(lines, rounding, needed, columns.native(con))
    con.raw_sql(f"CREATE OR REPLACE VIEW result AS {con.compile(result)}")
    for name, table in _spelling(came.terms).items():
        _listed(con, name, table)


def _spelling(terms: list[Terms]) -> dict[str, pa.Table]:
    """What the numbers in a result stand for, as `columns.spelled` takes it."""
    return {
        "reasons": columns.reasons_table(),
        "warnings": columns.warnings_table(terms),
        "texts": columns.texts_table(terms),
    }


def _listed(con: Backend, name: str, table: pa.Table) -> None:
    """A table whose texts are kept as places in a list: joined to millions of lines they cost next to nothing."""
    con.create_table(f"{name}_listed", table, overwrite=True)
    if "kind" in table.column_names:
        con.raw_sql(f"CREATE TABLE {name}_plain AS {_NUMBERED.format(f'{name}_listed')}")
    else:
        con.raw_sql(f"CREATE VIEW {name}_plain AS FROM {name}_listed")
    chosen = []
    for column in table.column_names:
        if str(table.schema.field(column).type) != "string":
            chosen.append(column)
            continue
        con.raw_sql(f"CREATE TYPE {name}_{column} AS ENUM (SELECT DISTINCT {column} FROM {name}_plain ORDER BY 1)")  # noqa: S608
        chosen.append(f"{column}::{name}_{column} AS {column}")
    con.raw_sql(f"CREATE TABLE {name} AS SELECT {', '.join(chosen)} FROM {name}_plain")  # noqa: S608


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
    import pyarrow as pa

    given = {"line_id": "1"} | dict(fields)
    if missing := [name for name in entries.REQUIRED if name not in given]:
        raise InputRefused.because("missing-field", f"a line needs {', '.join(missing)}", path="--one")
    with engine() as con:
        row = {name: given.get(name) for name in entries.NAMES}
        schema = pa.schema([(name, pa.string()) for name in entries.NAMES])
        raw = con.create_table("one", pa.Table.from_pylist([row], schema=schema))
        held = entries.checked(raw.mutate(row=1)).to_pyarrow().to_pylist()[0]
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


def _typed(con: Backend, file: Path, layout: str) -> Table:
    """The checked lines as the view `lines`, with rows that no reader could take and ids that came twice among their faults."""
    import ibis

    checked = entries.checked(entries.open_file(con, file, layout))
    if file.suffix.lower() == ".parquet":
        con.create_view("typed", checked, overwrite=True)
    else:  # a text is read once, and kept in its order, so that a row is known by its number
        kept = _folder(con) / "typed.parquet"
        _write(con, con.compile(checked.drop("row")), kept)
        con.raw_sql(
            f"CREATE OR REPLACE VIEW typed AS SELECT file_row_number + 1 AS row, * EXCLUDE (file_row_number) "  # noqa: S608
            f"FROM read_parquet('{kept}', file_row_number = true)"
        )
    typed = _renumbered(con, con.table("typed"))
    if again := _twice(con):
        import pyarrow as pa

        twice = con.create_table("twice", pa.table({"again": again}), overwrite=True)
        both = typed.left_join(twice, typed.line_id == twice.again)
        came_twice = both.again.notnull()
        fault = ibis.literal(f"R03{PART}line_id{PART}") + both.line_id.left(entries.SHOWN) + FAULT
        both = both.mutate(
            odd=both.odd | came_twice, wrong=both.wrong | came_twice, faults=both.faults + came_twice.ifelse(fault, "")
        )
        typed = both.drop("again")
    con.create_view("lines", typed, overwrite=True)
    return con.table("lines")


def _twice(con: Backend) -> list[str]:
    """Ids that came more than once, found by sorting their hashes, half in each thread: 0.8 GB for a hundred million."""
    import numpy as np
    import pyarrow as pa

    (number,) = con.raw_sql("SELECT count(*) FROM typed").fetchone()
    halves, held = (
        [np.empty(number, np.uint64) for _ in range(2)],
        [0, 0],
    )  # even and odd; pages nobody writes to cost nothing
    for batch in con.raw_sql("SELECT hash(line_id) AS h FROM typed").to_arrow_reader(HASHES):
        hashes = batch.column(0).to_numpy()
        odd = (hashes & np.uint64(1)).astype(bool)
        for half, part in enumerate((hashes[~odd], hashes[odd])):
            halves[half][held[half] : held[half] + part.size] = part
            held[half] += part.size

    def again(half: int) -> Any:
        mine = halves[half][: held[half]]
        mine.sort()
        return np.unique(mine[1:][mine[1:] == mine[:-1]])

    with ThreadPoolExecutor(len(halves)) as pool:
        same = np.concatenate(list(pool.map(again, range(len(halves)))))
    if not same.size:
        return []
    con.create_table("same", pa.table({"h": same}), overwrite=True)
    query = """
        SELECT line_id FROM typed SEMI JOIN same ON hash(line_id) = h
        WHERE line_id <> '' GROUP BY line_id HAVING count(*) > 1 ORDER BY line_id
    """
    return [line_id for (line_id,) in con.raw_sql(query).fetchall()]


def rejects(con: Backend) -> list[tuple[int, str, str]]:
    """Rows of a CSV file that could not be taken apart: number, what was said, how they begin."""
    if not con.raw_sql("SELECT 1 FROM duckdb_tables() WHERE table_name = 'reject_errors'").fetchall():
        return []
    query = "SELECT line, any_value(error_message), any_value(csv_line[:60]) FROM reject_errors GROUP BY line"
    return sorted((int(line) - 1, said or "", text or "") for line, said, text in con.raw_sql(query).fetchall())


def _renumbered(con: Backend, typed: Table) -> Table:
    """Rows by their number in the file, those that were set aside before counted too."""
    import pyarrow as pa

    if not (unread := rejects(con)):
        return typed
    steps = [{"since": number - place, "more": place + 1} for place, (number, _, _) in enumerate(unread)]
    latest = {step["since"]: step["more"] for step in steps}
    table = pa.table({"since": list(latest), "more": list(latest.values())})
    con.create_table("shifts", table, overwrite=True)
    shifts = con.table("shifts")
    moved = typed.asof_join(shifts, on=typed.row >= shifts.since)
    return moved.mutate(row=moved.row + moved.more.fill_null(0)).drop("since", "more")


def _terms(con: Backend, lines: Table, law: Law) -> _Came:
    """What came, the terms of every kind of line as the table `terms`, and the view `numbered` of sound lines with `kind`."""
    by_day = law.as_of is None
    names = KEYS if by_day else tuple(name for name in KEYS if name != "day")
    short = [lines[name].length() <= entries.LENGTH_MAX for name in entries.SHARED]
    held = _summed(lines.filter(*short), list(names)).limit(KINDS_MAX + 1).to_pyarrow()
    if held.num_rows > KINDS_MAX:
        message = f"more than {KINDS_MAX:,} kinds of line"
        raise InputRefused.because("too-many-kinds", message, hint="assess the file in parts")
    rows = held.sort_by([(name, "ascending") for name in names]).to_pylist()
    (number,) = con.raw_sql("SELECT count(*) FROM typed").fetchone()
    sums = list(rows)
    long = number > sum(row["n"] for row in rows)
    if long:
        beyond = lines.filter(~functools.reduce(operator.and_, short))
        sums += (
            _summed(beyond.mutate(currency=beyond.currency.left(entries.SHOWN)), ["currency"]).to_pyarrow().to_pylist()
        )
    cents: dict[str, int] = {}
    for row in sums:
        if row["cents"] is not None:
            currency = row["currency"].strip()
            cents[currency] = cents.get(currency, 0) + int(row["cents"])
    kinds = [
        Kind(**{name: row[name] for name in names} | ({} if by_day else {"day": law.as_of}))
        for row in rows
        if row.get("day", law.as_of) is not None
    ]
    found = [terms_of(kind, law) for kind in kinds]
    con.create_table("terms_listed", columns.terms_table(found), overwrite=True)
    _keyed(con, names)
    return _Came(
        names=names,
        lines=number,
        cents=cents,
        terms=found,
        long=long,
        moist=any(row["moisture"] for row in sums),
        dated=any(row["lapsed"] for row in sums),
        most_g=min(max((row["mass"] or 0 for row in sums), default=0), GRAMS_MAX),
    )


def _summed(lines: Table, names: list[str]) -> Table:
    """Lines, the sum of their prices, their greatest mass and moisture, by some of their words."""
    return lines.group_by(names).agg(
        n=lines.count(), cents=lines.price_c.sum(), mass=lines.net_g.max(), moisture=lines.moisture_n.max(),
        lapsed=lines.proof_lapsed.any(),
    )  # fmt: skip


def _keyed(con: Backend, names: tuple[str, ...]) -> None:
    """The table `keys`: the place of every kind among its terms, and the hash of its words, which is its number from here on.

    A line's kind is then found without being looked up word by word.
    """
    con.raw_sql(
        f"CREATE TABLE keys AS SELECT kind AS place, {_hash(f'key_{name}' for name in names)} AS kind FROM terms_listed"  # noqa: S608
    )
    kinds, numbers = con.raw_sql("SELECT count(*), count(DISTINCT kind) FROM keys").fetchone()
    if numbers < kinds:  # once in a million files of two million kinds
        raise InputRefused.because(
            "too-many-kinds", "two kinds of line share a number", hint="assess the file in parts"
        )
    con.raw_sql(f"CREATE TABLE terms AS {_NUMBERED.format('terms_listed')}")


_NUMBERED = "SELECT keys.kind, listed.* EXCLUDE (kind) FROM {} AS listed JOIN keys ON listed.kind = place"


def _hash(words: Iterable[str]) -> str:
    return f"(hash({', '.join(words)}) >> 1)::BIGINT"


def _number(con: Backend, came: _Came, *, aside: bool) -> None:
    """The view `numbered`: sound lines with the number of their kind; those with a fault are set aside on the way."""
    wrong = "wrong" if came.long else "odd"  # where no word is too long, no line need be asked again
    fine = f"CASE WHEN {wrong} THEN {_called('faulty')} ELSE true END" if aside else f"NOT {wrong}"
    con.raw_sql(
        f"CREATE OR REPLACE VIEW numbered AS "  # noqa: S608
        f"SELECT * EXCLUDE (faults, odd, wrong), {_hash(came.names)} AS kind FROM lines WHERE {fine}"
    )


def _write_assessed(con: Backend, came: _Came, out: Path) -> None:
    """Write the lines that can be assessed; the others are left as the tables `faulty` and `missing`.

    As long as they are few they are kept while the file is read; if they turn out to be many it is read again for them.
    """
    import duckdb

    assessed = _assessed(con, came)
    aside = {name: _Aside(con, name, came.lines // ASIDE_PART + ASIDE_LEAST) for name in ASIDE}
    try:
        _number(con, came, aside=True)
        _write(con, f"{assessed} WHERE CASE WHEN refusal = 0 THEN true ELSE {_called('missing')} END", out)
        for each in aside.values():
            each.keep(con)
    except duckdb.Error:
        if not any(each.full for each in aside.values()):
            raise
        _number(con, came, aside=False)
        _write(con, f"{assessed} WHERE refusal = 0", out)
        for name, wanted in (("faulty", "lines WHERE wrong"), ("missing", "result WHERE refusal <> 0")):
            con.raw_sql(f"CREATE TABLE {name} AS SELECT {', '.join(ASIDE[name])} FROM {wanted}")  # noqa: S608


def _called(name: str) -> str:
    """The call that sets a line aside."""
    return f"{name}({', '.join(ASIDE[name])})"


class _Aside:
    """A function for the WHERE of a query: it keeps the few lines that it is called for, and is never true."""

    def __init__(self, con: Backend, name: str, most: int) -> None:
        self.name, self.most = name, most
        self.rows: list[tuple[Any, ...]] = []
        types = list(ASIDE[name].values())
        con.con.create_function(name, self._add, types, "BOOLEAN", null_handling="special", side_effects=True)

    @property
    def full(self) -> bool:
        """Whether lines came that were not kept."""
        return len(self.rows) > self.most

    def _add(self, row: int, line_id: str, price_c: int | None, one: Any, other: Any) -> bool:
        self.rows.append((row, line_id, price_c, one, other))
        if self.full:
            raise OverflowError(f"more than {self.most} lines are {self.name}")
        return False

    def keep(self, con: Backend) -> None:
        """What was set aside as a table."""
        import pyarrow as pa

        types = {"BIGINT": pa.int64(), "VARCHAR": pa.string()}
        schema = pa.schema([(column, types[kind]) for column, kind in ASIDE[self.name].items()])
        rows = [dict(zip(schema.names, row, strict=True)) for row in self.rows]
        con.create_table(self.name, pa.Table.from_pylist(rows, schema=schema), overwrite=True)


def _assessed(con: Backend, came: _Came) -> str:
    """The query of what is written, but for its WHERE: amounts as decimals with cents, contained mass in tonnes, in the order of `WRITTEN`."""
    import ibis

    tables = {
        name: ibis.table(
            {column.name: "string" if column.name not in ("number", "kind") else "int64" for column in table.schema},
            name=name,
        )
        for name, table in _spelling(came.terms).items()
    }
    result = columns.spelled(con.table("result"), tables["reasons"], tables["warnings"], tables["texts"])
    amount = {name: _hundredths(result[name]) for name in columns.AMOUNTS if name != "contained_g"}
    columns_: dict[str, Any] = {
        "line_id": result.line_id,
        "entry_day": result.entry_day,
        "importer": result.importer,
        "origin": result.origin,
        "hs": result.hs,
        "good": result.good,
        "customs_value_usd": amount["customs_c"],
        "contained_t": _shifted(result.contained_g, 13 if came.heavy else 12, 6),
        "base_duty_usd": amount["duty_c"],
        "section_301_usd": amount["section_301_c"],
        "section_232_usd": amount["section_232_c"],
        "section_122_usd": amount["section_122_c"],
        "duty_on_top_usd": amount["surcharge_c"],
        "levy_usd": amount["levy_c"],
        "total_usd": amount["total_c"],
        "reasons": result.reasons,
        "warnings": result.warnings,
        "clause": result.clause,
        "article": result.article,
        "as_of": result.day,
        "price": _hundredths(result.price_c),
        "currency": result.currency,
    }
    more = {name: result[name] for name in ("row", "refusal", "kind", "price_c")}
    every = con.compile(result.select(**columns_, **more))
    return f"SELECT * EXCLUDE ({', '.join(more)}) FROM ({every})"  # noqa: S608


def _refused(con: Backend) -> Table:
    """A row for each problem: faults of reading, what the law could not find, rows that no reader could take."""
    missing = _missing(con.table("missing"), con.table("texts_plain"))
    found = _unreadable(con).union(_worded(missing)).union(_worded(_faulty(con.table("faulty"))))
    return found.order_by("row", "nth").drop("nth")


def _missing(missing: Table, texts: Table) -> Table:
    """What the law could not find, with the words of the kind of line."""
    import ibis

    code = ibis.cases(*((missing.refusal == number, code) for number, code in enumerate(columns.REFUSALS)), else_="")
    missing = missing.join(texts, missing.kind == texts.kind)
    return missing.mutate(code=code, value=ibis.literal(""), nth=ibis.literal(0, "int64"))


def _faulty(faulty: Table) -> Table:
    """A row for each fault of each line that has any."""
    import ibis

    each = faulty.mutate(currency=faulty.currency.strip().left(entries.SHOWN), fault=faulty.faults.split(FAULT))
    each = each.unnest("fault", offset="nth")
    each = each.filter(each.fault != "")
    parts = each.fault.split(PART)
    return each.mutate(code=parts[0], field=parts[1], value=parts[2], about=ibis.literal(""))


def _worded(table: Table) -> Table:
    import ibis

    def words(part: str) -> Any:
        return ibis.cases(*((table.code == code, getattr(reason, part)) for code, reason in REASONS.items()), else_="")

    return table.select(
        row=table.row.cast("int64"),
        line_id=table.line_id,
        code=table.code,
        field=table.field,
        value=table.value,
        problem=words("text"),
        about=table.about,
        fix=words("fix"),
        who=words("who"),
        price=_hundredths(table.price_c),
        currency=table.currency,
        nth=table.nth,
    )


def _inert(table: Table) -> Table:
    """Texts that came from outside, with an apostrophe before those that a spreadsheet would run; plain numbers stay."""
    import ibis

    columns_: dict[str, Any] = {}
    for name in ("line_id", "value", "about", "currency"):
        text = table[name].fill_null("")
        runs = text.left(1).isin([*FORMULA, "'"]) & ~text.re_search(r"^[+-][0-9][0-9.,]*$")
        columns_[name] = runs.ifelse(ibis.literal("'") + text, text)
    return table.mutate(**columns_)


def _unreadable(con: Backend) -> Table:
    """The rows of a CSV file that could not be taken apart, by their line in the file."""
    import pyarrow as pa

    reason = REASONS["R01"]
    rows = [
        {
            "row": row, "line_id": "", "code": "R01", "field": "", "value": _shown(text), "problem": reason.text,
            "about": message.partition("\n")[0][:120], "fix": reason.fix, "who": reason.who, "price": None, "currency": "",
            "nth": 0,
        }
        for row, message, text in rejects(con)
    ]  # fmt: skip
    types = {"row": pa.int64(), "price": pa.decimal128(18, 2), "nth": pa.int64()}
    schema = pa.schema([(name, types.get(name, pa.string())) for name in (*REFUSED, "nth")])
    con.create_table("unreadable", pa.Table.from_pylist(rows, schema=schema), overwrite=True)
    return con.table("unreadable")


def _shown(text: str) -> str:
    return "".join(sign if sign.isprintable() else "?" for sign in text)


def _write(con: Backend, query: str, file: Path) -> None:
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


def _folder(con: Backend) -> Path:
    """Where the engine keeps what does not fit in memory."""
    (folder,) = con.raw_sql("SELECT current_setting('temp_directory')").fetchone()
    return Path(folder)


def _totals(con: Backend, came: _Came, out: Path, refused: Path, began: float) -> Totals:
    """Sums of what went in, from the lines read, and of what came out, from the files written."""
    done, left = _back(con, out), _back(con, refused)
    problems = left.group_by("code").agg(n=left.row.nunique()).order_by("code").to_pyarrow().to_pylist()
    once = left.group_by("row").agg(price=left.price.max(), currency=left.currency.max())
    aside = once.group_by("currency").agg(n=once.count(), price=once.price.sum(), unread=once.price.isnull().sum())
    set_aside = aside.to_pyarrow().to_pylist()
    owed_columns = [name for name in WRITTEN if name.endswith("_usd")]
    sums = {name: done[name].sum() for name in (*owed_columns, "price")}
    groups = done.group_by(["clause", "article", "currency", (done.levy_usd > 0).name("levied")])
    rows = (
        groups.agg(n=done.count(), **sums).order_by("clause", "article", "currency", "levied").to_pyarrow().to_pylist()
    )
    unreadable = sum(each["n"] for each in problems if each["code"] == "R01")
    number, assessed, left_out = (
        came.lines + unreadable,
        sum(row["n"] for row in rows),
        sum(row["n"] for row in set_aside),
    )
    assert number == assessed + left_out, f"{number} lines in, {assessed} assessed, {left_out} refused"
    articles: dict[tuple[str, str], tuple[int, Decimal]] = {}
    for row in rows:
        if row["levied"]:
            key = (row["clause"] or "", row["article"] or "")
            n, usd = articles.get(key, (0, Decimal(0)))
            articles[key] = (n + row["n"], usd + row["levy_usd"])
    return Totals(
        lines=number,
        assessed=assessed,
        refused=left_out,
        value_in={currency: Decimal(cents) / 100 for currency, cents in sorted(came.cents.items())},
        value_assessed=_by_currency(rows),
        value_refused=_by_currency(set_aside),
        unread=sum(row["unread"] for row in set_aside),
        owed_usd={name: sum((row[name] for row in rows), Decimal(0)) for name in owed_columns},
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


def _back(con: Backend, file: Path) -> Table:
    """A file as it was written, amounts as decimals again."""
    if file.suffix.lower() == ".parquet":
        return con.read_parquet(file)
    table = con.read_csv(file, all_varchar=True, header=True)
    amounts = [name for name in table.columns if name.endswith("_usd") or name == "price"]
    typed = {name: table[name].cast("decimal(18,2)") for name in amounts}
    if "row" in table.columns:  # lines that were refused: their currencies as they came, see `_inert`
        came = (table.currency.left(1) == "'").ifelse(table.currency.substr(1), table.currency)
        typed |= {"row": table.row.cast("int64"), "currency": came}
    return table.mutate(**typed)


def _hundredths(column: Any) -> Any:
    """Cents as an amount of two decimals, exactly."""
    return _shifted(column, 16, 2)


def _shifted(column: Any, digits: int, places: int) -> Any:
    """A whole number of so many digits moved behind the point: by a decimal factor, so that no float comes near it."""
    import ibis

    whole, step, moved = f"decimal({digits},0)", f"decimal({places},{places})", f"decimal({digits + places},{places})"
    multiply = ibis.udf.scalar.builtin(_product, name="multiply", signature=((whole, step), moved))
    return multiply(column.cast(whole), ibis.literal(Decimal(1).scaleb(-places), step))


def _product(whole: Any, step: Any) -> Any:
    """DuckDB's product of decimals, which stays within 64 bits up to 18 digits."""
