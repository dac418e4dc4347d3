"""The commands of `world`: the base year built, checked, listed and compared."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from friendshore.cli.case import with_own
from friendshore.cli.groups import Command, world_app
from friendshore.cli.options import AsJson, OwnFigures, WorldFolder, download
from friendshore.cli.tell import Progress, emit, say
from friendshore.errors import InputRefused

if TYPE_CHECKING:
    import polars as pl

    from friendshore.world.own_files import Files


RAW_DATA = "FRIENDSHORE_DATA"


@world_app.callback()
def world_group() -> None:
    """$ friendshore world show cobalt

    The base year: every figure with its source.
    """


@world_app.command("goods", cls=Command, short_help="The goods, by mineral and stage.")
def world_goods(folder: WorldFolder = None, as_json: AsJson = False) -> None:
    """$ friendshore world goods

    List the goods: an id for each mineral in one form, the stage it stands at, and what its tonnes are tonnes of.
    """
    with Progress() as progress:
        progress("reading the world")
        from friendshore.world.tables import World

        goods = World.load(folder).goods
    if as_json:
        return emit(goods.select("id", "mineral", "stage", "unit", "name", "hs6").to_dicts())
    return say(_listed(goods, "id", "mineral", "stage", "unit", "name"))


def _listed(table: pl.DataFrame, *columns: str) -> str:
    """Columns of a table of names, as they stand."""
    from friendshore.report.typography import grid

    return grid(list(columns), table.select(columns).iter_rows(), left=len(columns), indent=0)


@world_app.command("countries", cls=Command, short_help="The countries and remainders, with their codes.")
def world_countries(folder: WorldFolder = None, as_json: AsJson = False) -> None:
    """$ friendshore world countries

    List the countries, and the regional remainders that hold everybody else.
    """
    with Progress() as progress:
        progress("reading the world")
        from friendshore.world.tables import World

        countries = World.load(folder).countries
    if as_json:
        return emit(countries.select("code", "name", "territory", "region").to_dicts())
    return say(_listed(countries, "code", "name", "territory", "region"))


@world_app.command("show", cls=Command, short_help="A mineral's chain, with sources.")
def world_show(
    mineral: Annotated[
        str, typer.Argument(metavar="MINERAL", help="A mineral, such as cobalt, or the id of one good.")
    ],
    folder: WorldFolder = None,
    as_json: AsJson = False,
) -> None:
    """$ friendshore world show cobalt

    Print a mineral's chain stage by stage: output, routes, use and stocks, each figure with its source and reliability.
    """
    with Progress() as progress:
        progress("reading the world")
        from friendshore.report.listing import chain
        from friendshore.world.show import show
        from friendshore.world.tables import World

        rows = show(World.load(folder), mineral)
    return emit(rows) if as_json else say(chain(rows).rstrip("\n"))


@world_app.command("dependence", cls=Command, short_help="Where each stage of what a country uses was done.")
def world_dependence(
    good: Annotated[str, typer.Argument(metavar="GOOD", help="The id of a good, such as ndfeb.magnet.")],
    country: Annotated[
        str | None,
        typer.Option(
            "--country", metavar="CODE", help="One country or customs union in full; all countries if absent."
        ),
    ] = None,
    folder: WorldFolder = None,
    as_json: AsJson = False,
) -> None:
    """$ friendshore world dependence ndfeb.magnet --country ITA

    Whose ore is in whose magnet: what countries use of a good, followed back through routes and recipes to where it was
    mined, refined and made.
    """
    with Progress() as progress:
        progress("reading the world")
        from friendshore.report.dependence import of_all, of_country
        from friendshore.world.dependence import among, dependence
        from friendshore.world.tables import World

        world = World.load(folder)
        found = dependence(world, good)
        if country is not None:
            from friendshore.instruments.names import ALIASES

            country = ALIASES.get(country, country)
            unions = {
                territory: group["code"].to_list()
                for (territory,), group in world.countries.group_by("territory")
                if territory not in set(world.countries["code"])
            }
            found = among(found, country, unions)
    if as_json:
        return emit(found.to_dicts())
    return say((of_all(found) if country is None else of_country(found, country)).rstrip("\n"))


@world_app.command("check", cls=Command, short_help="Every invariant of the world, with both numbers.")
def world_check(
    folder: WorldFolder = None,
    everything: Annotated[bool, typer.Option("--all", help="Name every estimate, not only their number.")] = False,
    as_json: AsJson = False,
) -> None:
    """$ friendshore world check

    Check every invariant of the world's tables: balances, signs, names, provenance, and our shares beside the published.
    Then list what is to be doubted though nothing fails: clipped margins, estimates, figures of unclear licence.

    Exit status 3 if one of them fails.
    """
    from dataclasses import asdict

    with Progress() as progress:
        progress("checking")
        from friendshore.report import listing
        from friendshore.world.check import check
        from friendshore.world.doubts import doubts
        from friendshore.world.tables import World

        world = World.load(folder)
        found, doubted = check(world), doubts(world)
    if as_json:
        emit({"checks": [asdict(item) for item in found], "doubts": [asdict(item) for item in doubted]})
    else:
        say(listing.checks(found, listing.doubts(doubted, everything=everything)).rstrip("\n"))
    if not all(item.ok for item in found):
        raise typer.Exit(3)


@world_app.command("missing", cls=Command, short_help="Every default in use, by its rule.")
def world_missing(
    folder: WorldFolder = None,
    parameters: OwnFigures = None,
    everything: Annotated[bool, typer.Option("--all", help="Print every rule of every kind.")] = False,
    as_json: AsJson = False,
) -> None:
    """$ friendshore world missing

    List every figure that a rule or an assumption stands in for: elasticities, margins and costs, capacities, freight,
    duties, contents, choke multiples, tonnes; by kind and rule, counted, with what would replace it.

    With --parameters it lists what is left to default once your own figures are in.
    """
    from dataclasses import asdict

    with Progress() as progress:
        progress("looking for defaults")
        from friendshore.report.listing import RULES, defaults
        from friendshore.world.missing import missing
        from friendshore.world.tables import World

        found = missing(with_own(World.load(folder), parameters))
    if as_json:
        return emit([asdict(group) for group in found])
    return say(defaults(found, rules=None if everything else RULES).rstrip("\n"))


@world_app.command("build", cls=Command, short_help="Rebuild the world from raw data.")
def world_build(
    raw: Annotated[
        Path | None,
        typer.Argument(
            metavar="RAW",
            envvar=RAW_DATA,
            show_envvar=True,
            help="The folder of raw data, with the publishers' files.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Folder for the tables; if absent those that ship are replaced."),
    ] = None,
    sector: Annotated[
        list[Path] | None,
        typer.Option("--sector", metavar="DIR", help="A sector of your own, beside those that ship; may be repeated."),
    ] = None,
    baci: Annotated[list[Path] | None, download("--baci", "A year of CEPII BACI: t,i,j,k,v,q.")] = None,
    comtrade: Annotated[list[Path] | None, download("--comtrade", "A UN Comtrade download, CSV or JSON.")] = None,
    wits: Annotated[list[Path] | None, download("--wits", "A WITS export by HS6 product.")] = None,
    usgs: Annotated[list[Path] | None, download("--usgs", "World data of the USGS commodity summaries.")] = None,
    pink_sheet: Annotated[list[Path] | None, download("--pink-sheet", "The World Bank's Pink Sheet, xlsx.")] = None,
    year: Annotated[
        str | None, typer.Option("--year", metavar="YEAR", help="Year to take from files that hold several.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """$ friendshore world build --baci BACI_HS17_Y2024_V202601.csv --out world

    Make a world of your own: take the world that ships, put what your downloads cover in the place of its figures, and
    balance it anew. No other data are needed. With RAW instead, rebuild every table from a folder of publishers' files.

    Exit status 3 if the tables are written but miss an invariant.
    """
    from dataclasses import asdict

    from friendshore.world.own_files import Files

    held = {"baci": baci, "comtrade": comtrade, "wits": wits, "usgs": usgs, "pink_sheet": pink_sheet}
    files = Files(year=year, **{name: tuple(paths or ()) for name, paths in held.items()})
    if files and sector:
        hint = "build it from RAW, with the publishers' files, or leave the downloads out"
        raise InputRefused.because("two-ways", "a sector is not built from downloads", path="--sector", hint=hint)
    if files:
        _build_own(files, out, as_json)
        return
    if raw is None:
        hint = f"name a download (--baci FILE ...), or the folder: friendshore world build RAW, or set {RAW_DATA}"
        raise InputRefused.because("no-raw-data", "no folder of raw data was named", path="RAW", hint=hint)
    with Progress() as progress:
        progress(f"building the world from {raw}")
        from friendshore.world.build import build
        from friendshore.world.tables import PACKAGED

        if sector and out is None:
            hint = "name another folder with --out: what ships holds the shipped sectors alone"
            raise InputRefused.because(
                "no-folder", "a sector of your own needs a folder of its own", path="--out", hint=hint
            )
        target = out or PACKAGED
        report = build(raw, target, _plan(sector))
    if as_json:
        emit(asdict(report))
    else:
        say(
            f"{report.countries} countries, {report.activities} activities, {report.routes} routes in {report.seconds:.1f} s "
            f"({report.steps} steps, residual {report.residual:.2g} t)\n"
            f"{report.shares_bound} shares bind, {report.conflicts} of them conflicts; {len(report.shares_missed)} missed; "
            f"{len(report.failed)} invariants fail\n"
            f"written to {target}"
        )
        for line in (*report.shares_missed, *report.failed):
            say(f"  {line}")
    if report.failed or report.shares_missed:
        raise typer.Exit(3)


def _plan(sector: list[Path] | None) -> tuple[Path, ...] | None:
    if not sector:
        return None
    from friendshore.world.plan_tables import beside_those_that_ship

    return beside_those_that_ship(sector)


def _build_own(files: Files, out: Path | None, as_json: bool) -> None:
    """A world of the user's own, from downloads."""
    from friendshore.report.own_data import built, built_document
    from friendshore.world import own_files
    from friendshore.world.tables import World

    if out is None:
        hint = "name a folder: --out DIR; the world that ships stays as it is"
        raise InputRefused.because("no-folder", "where should the world be written?", path="--out", hint=hint)
    with Progress() as progress:
        progress("reading the files")
        report = own_files.build(files, out, World.load())
    emit(built_document(report)) if as_json else say(built(report, str(out)))
    if report.failed:
        raise typer.Exit(3)


@world_app.command("diff", cls=Command, short_help="What moved between two worlds.")
def world_diff(
    before: Annotated[Path, typer.Argument(metavar="A", help="A world's folder; '-' is the world that ships.")],
    after: Annotated[Path, typer.Argument(metavar="B", help="The other world's folder, or '-'.")],
    as_json: AsJson = False,
) -> None:
    """$ friendshore world diff - world

    List what moved between two worlds: goods, countries, flows, levels, use, stocks and prices, with tonnes and per cent,
    the largest first, and sums by good.
    """
    from friendshore.report.own_data import moved as page
    from friendshore.world.moved import moved
    from friendshore.world.tables import World

    with Progress() as progress:
        progress("comparing")
        found = moved(*(World.load(None if str(folder) == "-" else folder) for folder in (before, after)))
    return emit(found.document()) if as_json else say(page(found))
