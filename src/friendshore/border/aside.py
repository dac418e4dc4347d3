"""Lines that are set aside: those with a fault and those that lack a fact, kept while the others are written, then told.

A line gets a row for each thing that is wrong with it: code, field, value, what was expected, the fix and who can make it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from friendshore.border import columns, entries
from friendshore.border.brought import rejects
from friendshore.border.engine import hundredths, put
from friendshore.border.entries import FAULT, PART
from friendshore.border.reasons import LACKING, REASONS
from friendshore.border.terms import FORMULA, OTHER

if TYPE_CHECKING:
    from ibis.backends.duckdb import Backend
    from ibis.expr.types import Table

# What is kept of lines that are set aside: those with a fault, and those that lack a fact.
ASIDE = {
    "faulty": {"row": "BIGINT", "line_id": "VARCHAR", "price_c": "BIGINT", "currency": "VARCHAR", "faults": "VARCHAR"},
    "missing": {"row": "BIGINT", "line_id": "VARCHAR", "price_c": "BIGINT", "refusal": "BIGINT", "kind": "BIGINT"},
}
# Which field mends what the law could not find, where no field's own words are at fault.
FIELD = {
    "R19": "price", "N01": "importer", "N02": "hs", "N03": "hs", "N04": "good", "N05": "assay", "N06": "freight",
    "N07": "insurance", "N08": "currency", "N09": "assay_of", "N10": "delivery", "N11": "good", "N12": "price", "N13": "hs",
    "N14": "good", "N15": "origin", "N16": "proof", "N17": "related", "N18": "date",
}  # fmt: skip
FEW_PART, FEW_LEAST = 200, 1_000  # one line in so many, and so many more, are few
REFUSED = ("row", "line_id", "code", "field", "value", "problem", "about", "fix", "who", "price", "currency")


class Aside:
    """A function for the WHERE of a query: it keeps the few lines that it is called for, and is never true."""

    def __init__(self, con: Backend, name: str, lines: int) -> None:
        self.name, self.most = name, lines // FEW_PART + FEW_LEAST
        self.rows: list[tuple[Any, ...]] = []
        types = list(ASIDE[name].values())
        con.con.create_function(name, self._add, types, "BOOLEAN", null_handling="special", side_effects=True)

    @property
    def call(self) -> str:
        """The call that sets a line aside."""
        return f"{self.name}({', '.join(ASIDE[self.name])})"

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
        import polars as pl

        types = {"BIGINT": pl.Int64, "VARCHAR": pl.String}
        schema = {column: types[kind] for column, kind in ASIDE[self.name].items()}
        put(con, self.name, pl.DataFrame(self.rows, schema=schema, orient="row"))


def refused(con: Backend, *, safe: bool) -> str:
    """The query of a row for each problem: faults of reading, what the law could not find, rows that no reader could take.

    Parameters
    ----------
    con : with the tables `texts_plain`, and by the time of asking those of `ASIDE`
    safe : whether texts that a spreadsheet would run are to be made harmless
    """
    import ibis

    faulty, missing = (ibis.table(_types(held), name=name) for name, held in ASIDE.items())
    texts = con.table("texts_plain")
    found = _problem(_missing(missing, texts)).union(_problem(_faulty(faulty)), _unreadable(con))
    found = _worded(found, _reasons(con))
    told = found.order_by("row", "nth").drop("nth")
    return str(con.compile(_inert(told) if safe else told))


def _types(held: dict[str, str]) -> dict[str, str]:
    return {name: {"BIGINT": "int64", "VARCHAR": "string"}[kind] for name, kind in held.items()}


def _missing(missing: Table, texts: Table) -> Table:
    """What the law could not find, with the words of the kind of line."""
    import ibis

    code = ibis.cases(*((missing.refusal == number, code) for number, code in enumerate(columns.REFUSALS)), else_="")
    missing = missing.join(texts, missing.kind == texts.kind)
    told = {name: missing[name].cast("string") for name in ("field", "about", "good", "delivery")}
    field = ibis.cases(*((code == each, name) for each, name in FIELD.items()), else_="")
    lacks = ibis.cases(*((code == each, said) for each, said in LACKING.items()), else_="")
    of = told["good"].isin(["", OTHER]).ifelse("", ibis.literal(" of ") + told["good"])
    lacks += ibis.cases((code == "N05", of), (code.isin(["N06", "N07"]), told["delivery"]), else_="")
    return missing.mutate(
        code=code,
        field=(told["field"] == "").ifelse(field, told["field"]),
        about=(told["about"] == "").ifelse(lacks, told["about"]),
        value=ibis.literal(""),
        nth=ibis.literal(0, "int64"),
    )


def _faulty(faulty: Table) -> Table:
    """A row for each fault of each line that has any."""
    import ibis

    each = faulty.mutate(currency=faulty.currency.strip().left(entries.SHOWN), fault=faulty.faults.split(FAULT))
    each = each.unnest("fault", offset="nth")
    each = each.filter(each.fault != "")
    parts = each.fault.split(PART)
    return each.mutate(code=parts[0], field=parts[1], value=parts[2], about=ibis.literal(""))


def _problem(table: Table) -> Table:
    """What `_faulty`, `_missing` and `_unreadable` have in common."""
    return table.select(
        "line_id",
        "code",
        "field",
        "value",
        "about",
        "currency",
        "nth",
        row=table.row.cast("int64"),
        price_c=table.price_c,
    )


def _reasons(con: Backend) -> Table:
    """The words of every reason."""
    import polars as pl

    parts = {"code": list(REASONS)} | {
        name: [getattr(reason, part) for reason in REASONS.values()]
        for name, part in (("problem", "text"), ("fix", "fix"), ("who", "who"))
    }
    return put(con, "said", pl.DataFrame(parts))


def _worded(table: Table, reasons: Table) -> Table:
    """Problems with the words of their reasons, in the columns of `REFUSED`."""
    told = table.join(reasons, "code").mutate(price=hundredths(table.price_c))
    return told.select(*REFUSED, "nth")


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
    import polars as pl

    texts, whole = ("line_id", "code", "field", "value", "about", "currency"), ("nth", "row", "price_c")
    found = [
        ("", "R01", "", _shown(text), message.partition("\n")[0][:120], "", 0, row, None)
        for row, message, text in rejects(con)
    ]
    schema = dict.fromkeys(texts, pl.String) | dict.fromkeys(whole, pl.Int64)
    return put(con, "unreadable", pl.DataFrame(found, schema=schema, orient="row"))


def _shown(text: str) -> str:
    return "".join(sign if sign.isprintable() else "?" for sign in text)
