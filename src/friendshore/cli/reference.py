"""The commands of `reference`: publish reference prices, make a publication again, show what is in force."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from friendshore.cli.border import ExchangeRates
from friendshore.cli.case import scenario_of, world_of
from friendshore.cli.groups import Command, reference_app
from friendshore.cli.options import AsJson, parsed_day
from friendshore.cli.tell import Progress, emit, say


@reference_app.callback()
def reference_group() -> None:
    """$ friendshore reference publish --date 2030-01-15 examples/border/observations.csv --out published

    Reference prices: made by a rule from sales, quotations and costs, published with their working, made again byte for
    byte.
    """


@reference_app.command("publish", cls=Command, short_help="Make the reference prices of a day, with their working.")
def reference_publish(
    files: Annotated[
        list[Path], typer.Argument(metavar="OBSERVATIONS...", help="Observations: .csv, .parquet or .jsonl.")
    ],
    day: Annotated[
        date,
        typer.Option("--date", metavar="DATE", parser=parsed_day, help="Date of publication; nothing later counts."),
    ],
    rule: Annotated[
        Path | None, typer.Option("--rule", metavar="FILE", help="How prices are made; the rule that ships if absent.")
    ] = None,
    rates: ExchangeRates = None,
    agreement: Annotated[
        str | None,
        typer.Option(
            "--agreement", "-A", metavar="AGREEMENT", help="Its cost-plus prices are observations of that rung."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Folder of publications; a new one is put beside the earlier ones."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """$ friendshore reference publish --date 2030-01-15 examples/border/observations.csv --out published

    Make each good's reference price from the first rung that has enough: admissible sales, index, cost-plus, should-cost.
    Every observation that is left out has its reason; the single observation that could move a price most is named. With
    --out, the inputs, the working and a digest are kept in DIR/DATE, and the last price before is carried where no rung
    holds.

    Exit status 3 if a good has no price.
    """
    from friendshore.border import publication
    from friendshore.customs import published
    from friendshore.report import reference_prices as pages
    from friendshore.world.tables import World

    with Progress() as progress:
        progress("reading observations")
        world = world_of(agreement) if agreement else World.load()
        deal = scenario_of(agreement, world).agreement if agreement else None
        made = published.publish(world, files, day, rule=rule, rates=rates, deal=deal, folder=out)
        place = out / day.isoformat() if out is not None else None
        fresh = publication.write(made, place) if place is not None else True
    document = pages.document(made)
    if as_json:
        emit({**document, "written_to": None if place is None else str(place)})
    else:
        say(pages.page(made, written=str(place or ""), again=not fresh).rstrip("\n"))
    if any(item["price"] is None for item in document["goods"]):
        raise typer.Exit(3)


@reference_app.command("replay", cls=Command, short_help="Make a past publication again and compare every byte.")
def reference_replay(
    folder: Annotated[Path, typer.Argument(metavar="PUBLICATION", help="The folder of one day.")],
    as_json: AsJson = False,
) -> None:
    """$ friendshore reference replay published/2030-01-15

    Make a publication again from the inputs in its folder. What differs is shown: which file, which row and column, what
    was published, what the inputs give now.

    Exit status 3 if anything differs.
    """
    from friendshore.border import publication
    from friendshore.report import reference_prices as pages

    digest, files, differences = publication.replay(folder)
    if as_json:
        rows = [{"file": each.file, "where": each.where, "was": each.was, "now": each.now} for each in differences]
        emit({"publication": str(folder), "digest": digest, "files": files, "same": not rows, "differences": rows})
    else:
        say(pages.replayed(str(folder), digest, files, differences).rstrip("\n"))
    if differences:
        raise typer.Exit(3)


@reference_app.command("show", cls=Command, short_help="The reference prices in force on a day.")
def reference_show(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder of publications, or one of them.")],
    day: Annotated[
        date | None,
        typer.Option(
            "--on", metavar="DATE", parser=parsed_day, help="The day; the last publication's first if absent."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """$ friendshore reference show published --on 2030-02-04

    The reference price of every good in force on a day: that of the last publication, on its basis, and per contained
    tonne, as the border takes it.

    Exit status 3 if none is in force.
    """
    from friendshore.border import publication
    from friendshore.report import reference_prices as pages

    ladder = publication.load(folder)
    when = day or date.fromisoformat(ladder.publications[-1]["in_force_from"])
    prices = ladder.on(when)
    if as_json:
        emit({
            "on": when,
            "goods": [
                {
                    "good": each.good, "price": str(each.price), "currency": "USD", "per": each.per, "of": each.of,
                    "delivery": each.delivery, "usd_t": str(each.usd_t), "rung": each.rung, "published": each.published,
                    "in_force_from": each.starts, "in_force_until": each.until, "digest": each.digest,
                }
                for _, each in sorted(prices.items())
            ],
        })  # fmt: skip
    else:
        say(pages.shown(prices, when).rstrip("\n"))
    if not prices:
        raise typer.Exit(3)


@reference_app.command("rule", cls=Command, short_help="The rule that ships, to begin one's own from.")
def reference_rule() -> None:
    """$ friendshore reference rule > rule.yaml

    Print the rule by which reference prices are made where none is given.
    """
    from friendshore.border.reference_rule import SHIPPED

    say(SHIPPED.read_text(encoding="utf-8").rstrip("\n"))
