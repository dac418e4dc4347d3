"""What a single cleared network says: its prices, flows, output, use, rents and accounts.

For worlds small enough to be read whole. Long tables are cut, and say by how much.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from friendshore.report.tables import Written
from friendshore.report.typography import counted, figure, grid, paragraph, section

if TYPE_CHECKING:
    from friendshore.outcome import Outcome

ROWS = 40  # rows of a table that are printed


def cleared(outcome: Outcome, *, title: str = "", written: Written | None = None) -> str:
    """The text of an outcome; columns of the base year are left out where there is none."""
    parts = [
        _heading(outcome, title),
        _prices(outcome),
        _flows(outcome),
        _made_and_used(outcome),
        _rents(outcome),
        _accounts(outcome),
        tonnes_gained(outcome),
        _undetermined(outcome),
        f"Every table, as Parquet and as CSV: {written.folder}" if written else "",
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def _heading(outcome: Outcome, title: str) -> str:
    status = outcome.status[:1].upper() + outcome.status[1:]
    effort = f"Residual {outcome.residual_t:.1e} t, {figure(1000 * outcome.seconds, 2)} ms, method {outcome.method}."
    return "\n".join([*([paragraph(title)] if title else []), paragraph(f"{status}."), paragraph(effort)])


def _prices(outcome: Outcome) -> str:
    buyers = {
        (g, c): (v, b) for g, c, v, b in outcome.indices.select("good", "country", "usd_t", "base_usd_t").iter_rows()
    }
    makers = {
        (g, c): (v, b) for g, c, v, b in outcome.prices.select("good", "country", "usd_t", "base_usd_t").iter_rows()
    }
    rows = []
    for good, country in sorted({*buyers, *makers}):
        maker, buyer = makers.get((good, country), (None, None)), buyers.get((good, country), (None, None))
        cells = (maker[0], buyer[0]) if outcome.absolute else (*reversed(maker), *reversed(buyer))
        rows.append([good, country, *map(figure, cells)])
    base = ["producer\nUSD/t", "buyer\nUSD/t"]
    both = ["producer,\nbase USD/t", "now\nUSD/t", "buyer,\nbase USD/t", "now\nUSD/t"]
    return _table("Prices", ["good", "country", *(base if outcome.absolute else both)], rows, left=2)


def _flows(outcome: Outcome) -> str:
    table = outcome.flows.filter((outcome.flows["t"] > 0) | (outcome.flows["base_t"] > 0))
    rows = []
    for row in table.sort(["t", "good", "exporter", "importer"], descending=[True, False, False, False]).iter_rows(
        named=True
    ):
        tonnes = [row["t"]] if outcome.absolute else [row["base_t"], row["t"]]
        per_tonne = [row[key] for key in ("cif_usd_t", "duty_usd_t", "levy_usd_t", "delivered_usd_t")]
        rows.append([row["good"], row["exporter"], row["importer"], *map(figure, (*tonnes, *per_tonne))])
    tonnes_head = ["t"] if outcome.absolute else ["base\nt", "now\nt"]
    head = [
        "good",
        "exporter",
        "importer",
        *tonnes_head,
        "cif\nUSD/t",
        "duty\nUSD/t",
        "levy\nUSD/t",
        "delivered\nUSD/t",
    ]
    return _table("Flows", head, rows, left=3)


def _made_and_used(outcome: Outcome) -> str:
    made = {(g, c): (b, t) for g, c, t, b in outcome.output.select("good", "country", "t", "base_t").iter_rows()}
    used = {
        (g, c): (b, t, u)
        for g, c, t, b, u in outcome.use.select("good", "country", "t", "base_t", "unserved_t").iter_rows()
    }
    rows = []
    for key in sorted({*made, *used}):
        (made_base, made_t), (used_base, used_t, short) = made.get(key, (None, None)), used.get(key, (None, None, None))
        cells = (made_t, used_t, short) if outcome.absolute else (made_base, made_t, used_base, used_t, short)
        rows.append([*key, *map(figure, cells)])
    plain = ["output\nt", "final use\nt", "unserved\nt"]
    both = ["output,\nbase t", "now\nt", "final use,\nbase t", "now\nt", "unserved\nt"]
    return _table("Output and use", ["good", "country", *(plain if outcome.absolute else both)], rows, left=2)


def _rents(outcome: Outcome) -> str:
    if outcome.rents.height == 0:
        return ""
    rows = [
        [
            row["clause"],
            row["kind"].replace("_", " "),
            row["owner"],
            figure(row["rent"]),
            figure(row["tonnes"]),
            figure(row["limit_t"]),
        ]
        for row in outcome.rents.iter_rows(named=True)
    ]
    return _table(
        "What is rationed", ["measure", "kind", "owner", "rent USD/t\nor rate", "used\nt", "limit\nt"], rows, left=3
    )


def _accounts(outcome: Outcome) -> str:
    sums: dict[str, dict[str, float]] = defaultdict(dict)
    for country, item, usd in outcome.accounts.iter_rows():
        sums[country][item] = usd
    size = max((abs(v) for lines in sums.values() for v in lines.values()), default=0.0)
    items = [
        item
        for item in dict.fromkeys(outcome.accounts["item"])
        if any(abs(lines.get(item, 0.0)) > 1e-9 * size for lines in sums.values())
    ]
    sign = not outcome.absolute

    def cells(values: list[float]) -> list[str]:
        return [figure(v if abs(v) > 1e-9 * size else 0.0, sign=sign) for v in values]

    rows = [[c, *cells([*(lines.get(i, 0.0) for i in items), sum(lines.values())])] for c, lines in sums.items()]
    rows.append(
        ["all", *cells([*(sum(lines.get(i, 0.0) for lines in sums.values()) for i in items), outcome.world_total_usd])]
    )
    head = [f"{'levels' if outcome.absolute else 'changes'}, USD", *(item.replace("_", " ") for item in items), "all"]
    resources = paragraph(
        f"Counted again from resources alone the total is {figure(outcome.resource_total_usd, 10, sign=sign)} USD, here {figure(outcome.world_total_usd, 10, sign=sign)} USD.",
        indent=2,
    )
    return section("Accounts", grid(head, rows), resources)


def tonnes_gained(outcome: Outcome, most: int = ROWS) -> str:
    """What CES sourcing made of the tonnes of one outcome, largest first; nothing where it was not used."""
    if outcome.gained.height == 0:
        return ""
    largest = sorted(
        outcome.gained.iter_rows(named=True), key=lambda row: (-abs(row["gained_t"]), row["good"], row["country"])
    )
    moved = [row for row in largest if abs(row["gained_t"]) > 1e-9 * max(row["used_t"], row["arrived_t"])]
    total = sum(row["used_t"] for row in largest)
    sums = [sum(row["gained_t"] for row in moved if (row["gained_t"] > 0.0) is more) for more in (True, False)]
    warning = (
        "Buyers are CES (Armington): their quantities do not add up to tonnes, only their money does. "
        f"{figure(sums[0])} t are used that never arrived, {figure(-sums[1])} t arrived and are not used, of {figure(total)} t in all."
    )
    rows = [
        [row["good"], row["country"], *(figure(row[key]) for key in ("arrived_t", "used_t")),
         figure(row["gained_t"], sign=True), figure(100.0 * row["share_of_use"], 3, sign=True)]
        for row in moved[:most]
    ]  # fmt: skip
    cut = f"  ... and {counted(len(moved) - most, 'more row')}: --json and --out give all" if len(moved) > most else ""
    head = ["good", "importer", "arrived\nt", "used\nt", "gained (+)\nor lost, t", "% of use"]
    table = grid(head, rows, left=2) if rows else ""
    return section("Warning: tonnes that do not add up", paragraph(warning, indent=2), table, cut)


def _undetermined(outcome: Outcome) -> str:
    rows = [[good, country, figure(low), figure(high)] for good, country, low, high in outcome.undetermined]
    return _table("Indeterminate prices", ["good", "country", "from\nUSD/t", "to\nUSD/t"], rows, left=2) if rows else ""


def _table(title: str, head: list[str], rows: list[list[str]], *, left: int) -> str:
    rest = len(rows) - ROWS
    cut = f"  ... and {counted(rest, 'more row')}: --json and --out give all" if rest > 0 else ""
    return section(title, grid(head, rows[:ROWS], left=left), cut)
