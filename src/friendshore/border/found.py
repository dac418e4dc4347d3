"""One line of a file, with what the file's other lines have to do with it: whether its id came twice, how full its quota is.

The file is searched, not assessed: only lines that draw on the same quota are reckoned, as columns, and of those their contained
mass alone. What the line owes is left to `line`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from friendshore.border import columns, entries
from friendshore.border.assess import Fault, entry_of, faults
from friendshore.border.brought import rejects
from friendshore.border.engine import engine
from friendshore.border.entries import SHOWN
from friendshore.border.line import Assessed, Entry, assess_line, kind_of
from friendshore.border.scaled import Rounding
from friendshore.border.terms import KEYS, Kind, Law, terms_of
from friendshore.errors import InputRefused

if TYPE_CHECKING:
    from ibis.backends.duckdb import Backend
    from ibis.expr.types import Table


def find(
    file: Path,
    line: str,
    law: Law,
    *,
    rounding: Rounding = "half_even",
    layout: str = "",
) -> Assessed | tuple[Fault, ...]:
    """One line of a file, by its id or its number, with its working; or what is wrong with its fields.

    The quota that a line falls under is taken as filled by the lines of the file before it.

    Raises
    ------
    InputRefused   no such line
    """
    with engine() as con:
        con.raw_sql("SET preserve_insertion_order = true")  # a row is known by its number
        raw = entries.open_file(con, file, layout)
        held, twice, shift = _sought(con, raw, line)
        if held is None:
            raise InputRefused.because(
                "no-line", f"{file.name} has no line {line!r}", path="--line", hint="its id, or its number"
            )
        wrong = faults(held["faults"])
        if twice and held["line_id"]:
            wrong += (Fault("R03", "line_id", held["line_id"][:SHOWN]),)
        if wrong:
            return wrong
        entry = entry_of(held)
        name = terms_of(kind_of(entry, law), law).quota_name
        before = _taken(con, raw, entry, held["row"] - shift, name, law, rounding) if name else 0
    return assess_line(entry, law, rounding, quota_before_g=before)


def _sought(con: Backend, raw: Table, line: str) -> tuple[dict[str, Any] | None, bool, int]:
    """The line by its id, else by its number; whether its id came twice; how many rows before it no reader could take."""
    text = raw.line_id.cast("string").fill_null("").strip()
    wanted = text == line
    if line.isdigit():
        wanted = wanted | (raw.row == int(line))
    rows = _checked(con, raw.filter(wanted))
    named = [row for row in rows if row["line_id"] == line]
    if named:
        before = _before(con, named[0]["row"])
        return named[0] | {"row": named[0]["row"] + before}, len(named) > 1, before
    if not line.isdigit():
        return None, False, 0
    number = int(line)
    numbers = [number for number, _, _ in rejects(con)]
    before = sum(1 for each in numbers if each <= number)
    if number in numbers:
        return None, False, 0
    if before:
        rows = _checked(con, raw.filter(raw.row == number - before))
    if not rows:
        return None, False, 0
    again = raw.filter(text == rows[0]["line_id"]).count().to_pyarrow().as_py()
    return rows[0] | {"row": number}, again > 1, before


def _before(con: Backend, place: int) -> int:
    """How many rows that no reader could take stand before the row that was read as number `place`."""
    before = 0
    for number, _, _ in rejects(con):
        if number > place + before:
            break
        before += 1
    return before


def _checked(con: Backend, some: Table) -> list[dict[str, Any]]:
    """A few rows, checked, in their order; they are taken out first, so that no other row is checked."""
    con.create_table("sought", some, overwrite=True)
    rows: list[dict[str, Any]] = entries.checked(con.table("sought")).order_by("row").to_pyarrow().to_pylist()
    return rows


def _taken(con: Backend, raw: Table, entry: Entry, row: int, name: str, law: Law, rounding: Rounding) -> int:
    """Grams of the line's quota that the file's earlier lines have taken: a sum over the lines of its good."""
    good = raw.good.cast("string").fill_null("").strip() == entry.good
    con.create_table("rivals", raw.filter(good), overwrite=True)
    typed = entries.checked(con.table("rivals"))
    ids = raw.select(line_id=raw.line_id.cast("string").fill_null("").strip())
    ids = ids.semi_join(typed.select("line_id"), "line_id")
    counted = ids.group_by("line_id").agg(n=ids.count())
    con.create_table("again", counted.filter(counted.n > 1).select("line_id"), overwrite=True)
    con.create_table("sound", typed.filter(typed.faults == "").anti_join(con.table("again"), "line_id"), overwrite=True)
    sound = con.table("sound")
    day: Any = sound.day if law.as_of is None else law.as_of
    keys = sound.mutate(day=day).select(*KEYS).distinct().to_pyarrow().to_pylist()
    found = [terms for key in keys if (terms := terms_of(Kind(**key), law)).quota_name == name]
    con.create_table("terms", columns.terms_table(found), overwrite=True)
    needed = columns.shape(found)
    kinds = con.table("terms")
    joined = columns.joined(columns.numbered(sound, kinds, by_day=law.as_of is None), kinds, needed)
    weighed = columns.weighed(joined, rounding, needed, columns.native(con))
    today = law.day(entry.day)
    earlier = (weighed.day < today) | ((weighed.day == today) & (weighed.row < row))
    taken = weighed.filter((weighed.refusal == 0) & earlier).contained_g.sum().to_pyarrow().as_py()
    return int(taken or 0)
