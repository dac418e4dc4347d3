"""The command `signals`: what in entries or in trade figures asks for a second look."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer

from friendshore.cli.border import Charged, ExchangeRates, Layout, law_of
from friendshore.cli.groups import Command, app
from friendshore.cli.options import AsJson, parsed_day
from friendshore.cli.tell import Progress, emit, say
from friendshore.errors import InputRefused

Ladder = Annotated[
    Path | None,
    typer.Option(
        "--prices",
        metavar="FILE",
        help="Published prices: CSV with good, day, usd_t, source; the base year's if absent.",
    ),
]
TradeTable = Annotated[
    Path | None, typer.Option("--trade", metavar="FILE", help="Monthly trade to hold the lanes of entries against.")
]


@app.command(cls=Command, short_help="What in entries or trade figures asks for a second look.")
def signals(
    file: Annotated[Path, typer.Argument(metavar="ENTRIES|TRADE", help="Entries, or monthly trade: .csv or .parquet.")],
    agreement: Charged = None,
    as_of: Annotated[
        date | None,
        typer.Option("--as-of", metavar="DATE", parser=parsed_day, help="Clauses of this day; of each day if absent."),
    ] = None,
    prices: Ladder = None,
    trade: TradeTable = None,
    rates: ExchangeRates = None,
    layout: Layout = "",
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Every signal, a row each, .csv or .parquet.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """$ friendshore signals entries.csv --agreement plurilateral-2026

    Ask of every line, or of every lane of monthly trade: price against published prices, exports against smelting capacity, one
    country's report against the other's, surges through third countries, goods altered just past a clause, grades. Each answer is
    a part of a score that can be added up by hand. A signal is a question, not a finding, and nothing is denied because of it.

    Exit status 3 if rows were set aside.
    """
    if out is not None and out.suffix.lower() not in (".csv", ".parquet"):
        raise InputRefused.because("output-format", f"'{out}' should end in .csv or .parquet", path="--out")
    with Progress() as progress:
        progress("reading the world and the agreement")
        rules = law_of(agreement, as_of, None, rates)
        from friendshore.border.signals import known
        from friendshore.border.signals import trade as monthly
        from friendshore.world.tables import World

        held = known.known(World.load(), prices, rules.iso)
        progress(f"reading {file}")
        if monthly.is_trade(monthly.columns_of(file)):
            page, document, table, partial = _of_trade(file, rules, held)
        else:
            page, document, table, partial = _of_entries(file, rules, held, trade, layout, progress)
    if out is not None:
        from friendshore.report import signals as written

        written.write(table, out)
    emit(document) if as_json else say(page.rstrip("\n"))
    if partial:
        raise typer.Exit(3)


def _of_entries(
    file: Path, rules: Any, held: Any, trade: Path | None, layout: str, progress: Progress
) -> tuple[str, dict[str, Any], Any, bool]:
    from friendshore.border.signals import lines
    from friendshore.border.signals import trade as monthly
    from friendshore.report import signals as page

    read = monthly.read(trade, held, rules.iso) if trade is not None else None
    monthly_trade = read.monthly if read is not None else None
    found = lines.signalled(file, rules, held, layout=layout, trade=monthly_trade, said=progress)
    partial = found.set_aside > 0 or (read is not None and read.refused.height > 0)
    text, document = page.entries(found, held.prices_from, read), page.document(found, held.prices_from, read)
    return text, document, page.table(found.signals), partial


def _of_trade(file: Path, rules: Any, held: Any) -> tuple[str, dict[str, Any], Any, bool]:
    from friendshore.border.signals import lanes
    from friendshore.border.signals import trade as monthly
    from friendshore.report import signals as page

    read = monthly.read(file, held, rules.iso)
    pointed = lanes.pointed(lanes.measured(read.monthly, held, rules, values=True).found)
    prices = held.prices_from
    table = page.table(page.lane_signals(pointed))
    return page.lanes(read, pointed, prices), page.lanes_document(read, pointed, prices), table, read.refused.height > 0
