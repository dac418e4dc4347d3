"""What a file of entries brought: its lines, checked; ids that came twice; every kind of line, with what applies to it.

A kind is all that lines share. Its terms are found once, its number is the hash of its words, and from there on a line is
its number and what it has of its own.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from friendshore.border import columns, entries
from friendshore.border.engine import folder, named, put, rows, view, write
from friendshore.border.entries import FAULT, PART
from friendshore.border.scaled import GRAMS_MAX, NANO
from friendshore.border.terms import KEYS, Kind, Law, Terms, terms_of
from friendshore.errors import InputRefused

if TYPE_CHECKING:
    from ibis.backends.duckdb import Backend
    from ibis.expr.types import Table

SORTED_MOST = 200_000  # lines that are put in their order
KINDS_MAX = 2_000_000  # combinations of importer, origin, line, good and the like in one file


@dataclass(frozen=True, slots=True, kw_only=True)
class Brought:
    """What a file brought.

    Parameters
    ----------
    lines : rows that could be taken apart
    cents : currency -> the sum of the prices that could be read, in hundredths
    names : the words that make a kind
    terms : of every kind of line, by its number
    same : what all of them share
    long : whether any word is too long to be one
    moist : whether any line states its moisture
    dated : whether any proof has a day
    most_g : what the heaviest line weighs
    """

    lines: int
    cents: dict[str, int]
    names: tuple[str, ...]
    terms: list[Terms]
    same: dict[str, int | bool | None]
    long: bool
    moist: bool
    dated: bool
    most_g: int

    @property
    def quotas(self) -> bool:
        """Whether any line draws on a quota."""
        return any(each.quota is not None for each in self.terms)

    @property
    def few(self) -> bool:
        """Whether lines are few enough to be put in their order; a join gives them back in blocks as these are done."""
        return self.lines <= SORTED_MOST

    @property
    def heavy(self) -> bool:
        """Whether any line may contain a million tonnes."""
        most = max([NANO, *(each.content or 0 for each in self.terms)])
        return self.most_g * most >= 10**12 * NANO


def checked_lines(con: Backend, file: Path, layout: str) -> Table:
    """The lines of a file, checked, each with its row in the file.

    Leaves the views `typed`, as they were read, and `lines`, in which `mark_twice` marks those whose id came twice.
    """
    import ibis

    checked = entries.checked(entries.open_file(con, file, layout, counted=False))
    if file.suffix.lower() == ".parquet":
        typed = view(con, "typed", checked)
    else:  # a text is read once, and kept in its order, so that a row is known by its number
        kept = folder(con) / "typed.parquet"
        write(con, con.compile(checked), kept)
        con.raw_sql(
            f"CREATE OR REPLACE VIEW typed AS SELECT * EXCLUDE (file_row_number), file_row_number + 1 AS row "  # noqa: S608
            f"FROM read_parquet('{kept}', file_row_number = true)"
        )
        typed = named(con, "typed", ibis.schema({"row": "int64"} | dict(checked.schema().items())))
    checked = view(con, "placed", _renumbered(con, typed))
    view(con, "lines", checked)
    return checked


def mark_twice(con: Backend, checked: Table, again: list[str]) -> None:
    """A fault on every one of the `lines` whose id came `again`."""
    import ibis
    import polars as pl

    if not again:
        return
    twice = put(con, "twice", pl.DataFrame({"again": again}))
    both = checked.left_join(twice, checked.line_id == twice.again)
    came_twice = both.again.notnull()
    fault = ibis.literal(f"R03{PART}line_id{PART}") + both.line_id.left(entries.SHOWN) + FAULT
    marked = both.mutate(
        odd=both.odd | came_twice, wrong=both.wrong | came_twice, faults=both.faults + came_twice.ifelse(fault, "")
    )
    view(con, "lines", marked.drop("again"))


def rejects(con: Backend) -> list[tuple[int, str, str]]:
    """Rows of a text file that could not be taken apart: number, what was said, how they begin."""
    found: dict[int, tuple[str, str]] = {}
    for name, query in (
        (
            "reject_errors",
            "SELECT line - 1, any_value(error_message), any_value(csv_line[:60]) FROM reject_errors GROUP BY line",
        ),
        ("torn", "FROM torn"),  # these the engine was given to set aside, and cannot say why
    ):
        if con.raw_sql(f"SELECT 1 FROM duckdb_tables() WHERE table_name = '{name}'").fetchall():  # noqa: S608
            found |= {int(row): (said or "", text or "") for row, said, text in con.raw_sql(query).fetchall()}
    return [(row, *told) for row, told in sorted(found.items())]


def _renumbered(con: Backend, typed: Table) -> Table:
    """Rows by their number in the file, those that were set aside before counted too."""
    import polars as pl

    if not (unread := rejects(con)):
        return typed
    steps = [{"since": number - place, "more": place + 1} for place, (number, _, _) in enumerate(unread)]
    latest = {step["since"]: step["more"] for step in steps}
    table = pl.DataFrame({"since": list(latest), "more": list(latest.values())})
    shifts = put(con, "shifts", table)
    moved = typed.asof_join(shifts, on=typed.row >= shifts.since)
    return moved.mutate(row=moved.row + moved.more.fill_null(0)).drop("since", "more")


def bring(con: Backend, lines: Table, law: Law) -> Brought:
    """What came, the terms of every kind of line as the table `terms`, and the view `numbered` of sound lines with `kind`."""
    by_day = law.as_of is None
    names = KEYS if by_day else tuple(name for name in KEYS if name != "day")
    short = [lines[name].length() <= entries.LENGTH_MAX for name in entries.SHARED]
    query = con.compile(_summed(lines.filter(*short), list(names)).limit(KINDS_MAX + 1))
    held = con.raw_sql(query).to_arrow_table()
    if held.num_rows > KINDS_MAX:
        message = f"more than {KINDS_MAX:,} kinds of line"
        raise InputRefused.because("too-many-kinds", message, hint="assess the file in parts")
    found = held.sort_by([(name, "ascending") for name in names]).to_pylist()
    (number,) = con.raw_sql("SELECT count(*) FROM typed").fetchone()
    sums = list(found)
    long = number > sum(row["n"] for row in found)
    if long:
        beyond = lines.filter(~functools.reduce(operator.and_, short))
        sums += rows(con, _summed(beyond.mutate(currency=beyond.currency.left(entries.SHOWN)), ["currency"]))
    cents: dict[str, int] = {}
    for row in sums:
        if row["cents"] is not None:
            currency = row["currency"].strip()
            cents[currency] = cents.get(currency, 0) + int(row["cents"])
    kinds = [
        Kind(**{name: row[name] for name in names} | ({} if by_day else {"day": law.as_of}))
        for row in found
        if row.get("day", law.as_of) is not None
    ]
    terms = [terms_of(kind, law) for kind in kinds]
    listed = columns.terms_table(terms)
    put(con, "terms_listed", listed)
    _keyed(con, names)
    return Brought(
        same=columns.shared(listed),
        names=names,
        lines=number,
        cents=cents,
        terms=terms,
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
    con.raw_sql(f"CREATE TABLE terms AS {by_number('terms_listed')}")


def by_number(listed: str) -> str:
    """The query of a table whose `kind` is a place among the terms, with the number of the kind instead."""
    return f"SELECT keys.kind, listed.* EXCLUDE (kind) FROM {listed} AS listed JOIN keys ON listed.kind = place"  # noqa: S608


def _hash(words: Iterable[str]) -> str:
    return f"(hash({', '.join(words)}) >> 1)::BIGINT"


def number(con: Backend, came: Brought, otherwise: str = "false") -> None:
    """The view `numbered`: sound lines with the number of their kind; `otherwise` is asked of those with a fault."""
    wrong = "wrong" if came.long else "odd"  # where no word is too long, no line need be asked again
    con.raw_sql(
        f"CREATE OR REPLACE VIEW numbered AS "  # noqa: S608
        f"SELECT * EXCLUDE (faults, odd, wrong), {_hash(came.names)} AS kind FROM lines "
        f"WHERE CASE WHEN {wrong} THEN {otherwise} ELSE true END"
    )
