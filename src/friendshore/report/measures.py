"""An export of measures as a page: what was written for each clause, and what is no measure of a tariff database."""

from __future__ import annotations

from typing import Any

from friendshore.border.measures import TYPES
from friendshore.customs.measures import Exported
from friendshore.report.typography import counted, grid


def page(found: Exported, folder: str) -> str:
    """Measures by clause and type, tables, clauses that are none."""
    rows = [
        [row["clause"], f"{row['type']} {TYPES[row['type']][0]}", row["territories"], row["goods"], row["measures"]]
        for row in summary(found)
    ]
    parts = []
    if rows:
        cells = [[clause, kind, *(f"{number:,}" for number in numbers)] for clause, kind, *numbers in rows]
        parts.append("MEASURES\n" + grid(["clause", "type", "territories", "goods", "measures"], cells, left=2))
    if found.staged:
        text = (
            "has terms that move by the day and is" if found.staged == 1 else "have terms that move by the day and are"
        )
        parts.append(f"{counted(found.staged, 'rule')} {text} written in stages, each with the terms of its first day.")
    if others := found.tables["not_border_measures"]:
        cells = [[row["clause"], row["kind"], row["reason"]] for row in others]
        parts.append("NOT A BORDER MEASURE\n" + grid(["clause", "kind", "reason"], cells, left=3))
    held = [[name, f"{len(table):,}"] for name, table in found.tables.items()]
    parts.append("TABLES\n" + grid(["table", "rows"], held))
    parts.append(f"Each as CSV and Parquet in {folder}.")
    return "\n\n".join(parts) + "\n"


def summary(found: Exported) -> list[dict[str, Any]]:
    """Measures by clause and type: territories, goods, rows."""
    held: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in found.tables["measures"]:
        held.setdefault((row["clause"], row["measure_type_id"]), []).append(row)
    return [
        {
            "clause": clause,
            "type": kind,
            "territories": len({row["territory"] for row in rows}),
            "goods": len({row["good"] for row in rows}),
            "measures": len(rows),
        }
        for (clause, kind), rows in sorted(held.items())
    ]
