"""What a published formula says of a file, as a person reads it: the document of `friendshore.formula` as tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from friendshore.report.typography import figure, grid, paragraph, section

Document = Mapping[str, Any]
LINES = ("producer_surplus", "consumer_surplus", "tariff_revenue", "net_welfare")


def told(document: Document) -> str:
    """The text of any formula's document."""
    tables: Mapping[str, Callable[[Document], list[str]]] = {
        "gsim": _gsim,
        "smart": _smart,
        "ras": _ras,
        "balance": _balance,
        "trace": _trace,
    }
    title = [paragraph(str(document["title"]))] if document["title"] else []
    return "\n\n".join([*title, *tables[document["formula"]](document)]) + "\n"


def _gsim(document: Document) -> list[str]:
    said = []
    for good in document["goods"]:
        name = f"{good['good']}: " if good["good"] else ""
        x, composite = good["world_price_change"], good["composite_price_change"]
        places = list(dict.fromkeys((*x, *composite)))
        rows = [
            [
                place,
                _percent(x.get(place)),
                _percent(composite.get(place)),
                *(figure(good[line].get(place), sign=True) for line in LINES),
            ]
            for place in places
        ]
        rows.append(["all", "-", "-", *(figure(sum(good[line].values()), sign=True) for line in LINES)])
        head = ["", "world price\n%", "composite\nprice %", *(line.replace("_", "\n") for line in LINES)]
        said.append(section(f"{name}prices and welfare, GSIM's linear form", grid(head, rows, left=1)))
        importers = list(composite)
        after = [[exporter, *(figure(row[v]) for v in importers)] for exporter, row in good["trade_after"].items()]
        said.append(
            section(f"{name}trade afterwards, at world prices", grid(["from \\ to", *importers], after, left=1))
        )
    said.append(
        paragraph(
            "A linear form: exact for small changes of tariffs alone. `sourcing: ces` in a network file is the exact model."
        )
    )
    return said


def _smart(document: Document) -> list[str]:
    names = [key for key in document if key not in ("formula", "title", "source")]
    rows = [[name.replace("_", " "), figure(document[name], 6)] for name in names]
    return [section("SMART: one importer, foreign prices stand still", grid(["", "value"], rows, left=1))]


def _ras(document: Document) -> list[str]:
    table, capped = document["table"], document["at_their_bound"]
    rows = [[str(i + 1), *(figure(v, 8) for v in row), figure(sum(row), 8)] for i, row in enumerate(table)]
    rows.append(
        ["all", *(figure(sum(column), 8) for column in zip(*table, strict=True)), figure(sum(map(sum, table)), 8)]
    )
    head = ["row \\ col", *(str(j + 1) for j in range(len(table[0]))), "all"]
    cells = ", ".join(f"({i}, {j})" for i, j in capped)
    said = f"At their bound: {cells}." if capped else "No cell is at a bound."
    return [section("Balanced table", grid(head, rows, left=1), paragraph(said, indent=2))]


def _balance(document: Document) -> list[str]:
    rows = [
        [
            name,
            figure(row["reported"], 8),
            figure(row["balanced"], 8),
            figure(row["moved_standard_errors"], 3, sign=True),
        ]
        for name, row in document["figures"].items()
    ]
    head = ["figure", "reported", "balanced", "moved by\nstandard errors"]
    return [section("Balanced figures", grid(head, rows, left=1))]


def _trace(document: Document) -> list[str]:
    through = [
        [name, figure(t, 8), figure(document["consumption"][name], 8)] for name, t in document["throughput"].items()
    ]
    rows = [[row["origin"], row["use"], figure(row["quantity"], 8)] for row in document["traced"]]
    return [
        section("Throughput and use", grid(["country", "made and bought", "used"], through, left=1)),
        section("By origin", grid(["made in", "used in", "quantity"], rows, left=2)),
    ]


def _percent(change: float | None) -> str:
    return "-" if change is None else figure(100.0 * change, sign=True)
