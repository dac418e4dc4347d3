"""A file of entries assessed: what is owed on every line that can be, what is missing on every line that cannot.

Lines in = lines assessed + lines refused, in number and in value; the sums are taken from the files as written. The rule is
`columns`, the reading `entries`, the law comes from above.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from friendshore.border import columns, entries
from friendshore.border.entries import FAULT, PART
from friendshore.border.line import Entry
from friendshore.border.reasons import REASONS
from friendshore.border.scaled import Rounding
from friendshore.border.terms import FORMULA, KEYS, Kind, Law, Terms, cleaned, terms_of
from friendshore.errors import InputRefused, did_you_mean

if TYPE_CHECKING:
    from ibis.backends.duckdb import Backend
    from ibis.expr.types import Table

MEMORY = "3GB"
KINDS_MAX = 2_000_000  # combinations of importer, origin, line, good and the like in one file
Said = Callable[[str], None]

# What is written for an assessed line, in order; amounts in USD with cents, masses in tonnes.
WRITTEN = (
    "line_id", "entry_day", "importer", "origin", "hs", "good", "customs_value_usd", "contained_t", "base_duty_usd",
    "section_301_usd", "section_232_usd", "section_122_usd", "duty_on_top_usd", "levy_usd", "total_usd", "reasons",
    "warnings", "clause", "article", "as_of", "price", "currency",
)  # fmt: skip
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
        kinds, found = _terms(con, lines, law)
        said("assessing")
        sound = lines.filter(lines.faults == "")
        result = _result(con, sound, kinds, found, law, rounding)
        _write(con, _assessed(result.filter(result.refusal == "")), out)
        said("writing what was refused")
        con.create_table("left_over", sound.anti_join(_back(con, out), "line_id"), overwrite=True)
        rest = _result(con, con.table("left_over"), kinds, found, law, rounding)  # few lines, so the rule runs again
        told = _refused(con, lines, rest)
        _write(con, told if refused.suffix.lower() == ".parquet" else _inert(told), refused)
        said("adding up")
        return _totals(con, lines, out, refused, began)


def _result(con: Backend, sound: Table, kinds: Table, found: list[Terms], law: Law, rounding: Rounding) -> Table:
    """The rule on sound lines, with the texts of their terms."""
    needed = columns.shape(found)
    joined = columns.joined(sound, kinds, needed, by_day=law.as_of is None)
    result = columns.rule(joined, rounding, needed, columns.views(con))
    words = ("importer", "origin", "hs", "good", "currency", "field", "about")
    texts = kinds.select("kind", "clause", "article", **{name: kinds[f"term_{name}"] for name in words})
    return result.join(texts, "kind")


@contextmanager
def engine() -> Iterator[Backend]:
    """DuckDB on a file of its own that is gone afterwards, so that what does not fit in memory goes to the disk.

    Each stage is short, and fusing its selections would cost more than it saves.
    """
    import ibis

    fused = ibis.options.sql.fuse_selects
    with tempfile.TemporaryDirectory(prefix="friendshore-border-") as folder:
        con = ibis.duckdb.connect(Path(folder) / "border.duckdb", memory_limit=MEMORY, temp_directory=folder)
        con.raw_sql("SET preserve_insertion_order = false")
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
    """The checked lines as a table, with rows that no reader could take and ids that came twice among their faults."""
    import ibis

    checked = entries.checked(entries.open_file(con, file, layout))
    if file.suffix.lower() == ".parquet":
        con.create_view("typed", checked, overwrite=True)
    else:  # a text is read once, and in its order, so that a row is known by its number
        con.raw_sql("SET preserve_insertion_order = true")
        con.create_table("typed", checked, overwrite=True)
        con.raw_sql("SET preserve_insertion_order = false")
    typed = _renumbered(con, con.table("typed"))
    counted = typed.group_by("line_id").agg(n=typed.count())
    con.create_table("twice", counted.filter(counted.n > 1).select("line_id"), overwrite=True)
    again = con.table("twice")
    if again.count().to_pyarrow().as_py() == 0:
        return typed
    marked = typed.left_join(again.mutate(twice=ibis.literal(True)), "line_id")
    both = marked.twice.fill_null(False) & (marked.line_id != "")
    fault = ibis.literal(f"R03{PART}line_id{PART}") + marked.line_id.left(entries.SHOWN) + FAULT
    return marked.mutate(faults=marked.faults + both.ifelse(fault, "")).drop("line_id_right", "twice")


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


def _terms(con: Backend, lines: Table, law: Law) -> tuple[Table, list[Terms]]:
    """The terms of every kind of line in the file."""
    import ibis

    short = [lines[name].length() <= entries.LENGTH_MAX for name in entries.SHARED]
    sound = lines.filter(*short) if law.as_of else lines.filter(lines.day.notnull(), *short)
    day: Any = sound.day if law.as_of is None else ibis.literal(law.as_of)
    keys = sound.mutate(day=day).select(*KEYS).distinct().limit(KINDS_MAX + 1).to_pyarrow().to_pylist()
    if len(keys) > KINDS_MAX:
        message = f"more than {KINDS_MAX:,} kinds of line"
        raise InputRefused.because("too-many-kinds", message, hint="assess the file in parts")
    keys.sort(key=lambda key: tuple(key.values()))
    found = [terms_of(Kind(**key), law) for key in keys]
    con.create_table("terms", columns.terms_table(found), overwrite=True)
    return con.table("terms"), found


def _assessed(result: Table) -> Table:
    """Amounts as decimals with cents, contained mass in tonnes, in the order of `WRITTEN`."""
    amount = {name: _hundredths(result[name]) for name in columns.AMOUNTS if name != "contained_g"}
    columns_: dict[str, Any] = {
        "line_id": result.line_id,
        "entry_day": result.entry_day,
        "importer": result.importer,
        "origin": result.origin,
        "hs": result.hs,
        "good": result.good,
        "customs_value_usd": amount["customs_c"],
        "contained_t": _shifted(result.contained_g, 6),
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
    return result.select(**columns_)


def _refused(con: Backend, lines: Table, result: Table) -> Table:
    """A row for each problem: faults of reading, what the law could not find, rows that no reader could take."""
    import ibis

    none = ibis.literal("")
    faulty = lines.filter(lines.faults != "")
    each = faulty.select("row", "line_id", "price_c", "currency", fault=faulty.faults.rstrip().split(FAULT).unnest())
    each = each.filter(each.fault != "")
    parts = each.fault.split(PART)
    each = each.mutate(code=parts[0], field=parts[1], value=parts[2])
    read = _worded(each.mutate(about=none))
    missing = result.filter(result.refusal != "")
    missing = missing.mutate(code=missing.refusal, value=none)
    return read.union(_worded(missing)).union(_unreadable(con))


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
    )


def _unreadable(con: Backend) -> Table:
    """The rows of a CSV file that could not be taken apart, by their line in the file."""
    import pyarrow as pa

    reason = REASONS["R01"]
    rows = [
        {
            "row": row, "line_id": "", "code": "R01", "field": "", "value": _shown(text), "problem": reason.text,
            "about": message.partition("\n")[0][:120], "fix": reason.fix, "who": reason.who, "price": None, "currency": "",
        }
        for row, message, text in rejects(con)
    ]  # fmt: skip
    types = {"row": pa.int64(), "price": pa.decimal128(18, 2)}
    schema = pa.schema([(name, types.get(name, pa.string())) for name in REFUSED])
    con.create_table("unreadable", pa.Table.from_pylist(rows, schema=schema), overwrite=True)
    return con.table("unreadable")


def _inert(table: Table) -> Table:
    """Texts that came from outside, with an apostrophe before those that a spreadsheet would run; plain numbers stay."""
    import ibis

    columns_: dict[str, Any] = {}
    for name in ("line_id", "value", "about", "currency"):
        text = table[name].fill_null("")
        runs = text.left(1).isin([*FORMULA, "'"]) & ~text.re_search(r"^[+-][0-9][0-9.,]*$")
        columns_[name] = runs.ifelse(ibis.literal("'") + text, text)
    return table.mutate(**columns_)


def _shown(text: str) -> str:
    return "".join(sign if sign.isprintable() else "?" for sign in text)


def _write(con: Backend, table: Table, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    if file.suffix.lower() == ".parquet":
        con.to_parquet(table, file)
    else:
        con.to_csv(table, file)


def _totals(con: Backend, lines: Table, out: Path, refused: Path, began: float) -> Totals:
    """Sums of what went in, from the lines read, and of what came out, from the files written."""
    done, left = _back(con, out), _back(con, refused)
    problems = left.group_by("code").agg(n=left.row.nunique()).order_by("code").to_pyarrow().to_pylist()
    once = left.group_by("row").agg(price=left.price.max(), currency=left.currency.max())
    unreadable = sum(each["n"] for each in problems if each["code"] == "R01")
    owed_columns = [name for name in WRITTEN if name.endswith("_usd")]
    owed = done.agg(n=done.count(), **{name: done[name].sum() for name in owed_columns}).to_pyarrow().to_pylist()[0]
    levied = done.filter(done.levy_usd > 0)
    sums = levied.group_by(["clause", "article"]).agg(n=levied.count(), usd=levied.levy_usd.sum())
    articles = sums.order_by("clause", "article").to_pyarrow().to_pylist()
    read = lines.group_by("currency").agg(n=lines.count(), cents=lines.price_c.sum()).order_by("currency")
    came = read.to_pyarrow().to_pylist()
    number = sum(row["n"] for row in came) + unreadable
    assessed, set_aside = int(owed["n"]), int(left.row.nunique().to_pyarrow().as_py())
    assert number == assessed + set_aside, f"{number} lines in, {assessed} assessed, {set_aside} refused"
    return Totals(
        lines=number,
        assessed=assessed,
        refused=set_aside,
        value_in={row["currency"]: Decimal(int(row["cents"])) / 100 for row in came if row["cents"] is not None},
        value_assessed=_by_currency(done.select("price", "currency")),
        value_refused=_by_currency(once.select("price", "currency")),
        unread=int(once.filter(once.price.isnull()).count().to_pyarrow().as_py()),
        owed_usd={name: Decimal(str(owed[name] or 0)) for name in owed_columns},
        by_article=tuple((row["clause"], row["article"] or "", row["n"], Decimal(str(row["usd"]))) for row in articles),
        codes=tuple((row["code"], row["n"]) for row in problems),
        seconds=time.perf_counter() - began,
    )


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


def _by_currency(table: Table) -> dict[str, Decimal]:
    held = table.filter(table.price.notnull())
    sums = held.group_by("currency").agg(total=held.price.sum()).order_by("currency").to_pyarrow().to_pylist()
    return {row["currency"] or "": Decimal(str(row["total"])) for row in sums}


def _hundredths(column: Any) -> Any:
    """Cents as an amount of two decimals, exactly."""
    return _shifted(column, 2)


def _engines_own(whole: Any, step: Any) -> Any:
    """DuckDB's product of decimals, which stays within 64 bits at the widths that it is given."""


def _shifted(column: Any, places: int) -> Any:
    """A whole number moved behind the point: by a decimal factor, so that no float comes near it."""
    import ibis

    widths = (f"decimal({18 - places - 1},0)", f"decimal({places + 1},{places})")
    multiply = ibis.udf.scalar.builtin(_engines_own, name="multiply", signature=(widths, f"decimal(18,{places})"))
    step = ibis.literal(Decimal(1).scaleb(-places), f"decimal({places + 1},{places})")
    return multiply(column.cast(f"decimal({18 - places - 1},0)"), step)
