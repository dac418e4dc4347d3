"""Whose ore is in whose magnet, as a person reads it: one country in full, or every country by its largest origins."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from friendshore.report.typography import counted, figure, grid, paragraph, section

if TYPE_CHECKING:
    import polars as pl

ROWS = 40  # countries that are printed
ORIGINS = 12  # origins of a stage that are printed
KINDS = {
    "made": "",
    "within": "inside the process",
    "enters": "the chain begins",
    "secondary": "from scrap",
    "stock": "from stock",
}
READING = (
    "Shares are of the tonnes that arrive, followed back through routes and recipes; sellers and recipes mix what they take in. "
    "'inside the process' and 'the chain begins': nothing of that stage was traded on the way."
)


def of_country(table: pl.DataFrame, country: str) -> str:
    """Every stage of what one country uses of a good, largest origins first."""
    rows = table.filter(table["country"] == country).to_dicts()
    stages: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        stages[row["stage"]].append(row)
    blocks = [f"{rows[0]['good']} in {country}: {figure(rows[0]['used_t'])} t arrive"]
    for stage, held in stages.items():
        lines = [[r["origin"], r["via"], KINDS[r["kind"]], _percent(r["share"])] for r in held[:ORIGINS]]
        rest = held[ORIGINS:]
        more = (
            f"  ... and {counted(len(rest), 'more row')}, {_percent(sum(r['share'] for r in rest))} %: --json gives all"
            if rest
            else ""
        )
        blocks.append(section(stage, grid(["where", "as", "", "%"], lines, left=3), more))
    return "\n\n".join([*blocks, paragraph(READING)]) + "\n"


def of_all(table: pl.DataFrame) -> str:
    """Every country that buys the good, largest first, with its largest origin at every stage."""
    used: dict[str, float] = {}
    sums: dict[tuple[str, str], dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for row in table.iter_rows(named=True):
        used[row["country"]] = row["used_t"]
        sums[row["country"], row["stage"]][row["origin"]] += row["share"]
    stages = list(dict.fromkeys(table["stage"]))
    order = sorted(used, key=lambda c: (-used[c], c))
    lines = []
    for country in order[:ROWS]:
        cells = []
        for stage in stages:
            largest = min(sums[country, stage].items(), key=lambda item: (-item[1], item[0]))
            cells.append(f"{largest[0]} {_percent(largest[1])} %")
        lines.append([country, figure(used[country]), *cells])
    rest = order[ROWS:]
    more = f"  ... and {counted(len(rest), 'more country', 'more countries')}: --json gives all" if rest else ""
    head = ["used in", "t", *(f"{stage},\nlargest origin" for stage in stages)]
    title = section(f"{table['good'][0]}: where each stage was done", grid(head, lines, left=1), more)
    return f"{title}\n\n{paragraph(READING)}\n"


def _percent(share: float) -> str:
    return figure(100.0 * share, 3, places=2)
