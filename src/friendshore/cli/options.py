"""The options that several commands share, and what each accepts."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer


def parsed_day(text: str) -> date:
    """A day, written year-month-day."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no day; write year-month-day, such as 2030-01-01") from None


def parsed_years(text: str) -> int:
    """A horizon that elasticities are given for."""
    if text not in ("1", "5", "15"):
        raise typer.BadParameter(f"{text!r} is no horizon; elasticities are given for 1, 5 and 15 years")
    return int(text)


def parsed_buyers(text: str) -> str:
    """How buyers choose between origins."""
    if text not in ("logit", "ces"):
        raise typer.BadParameter(f"{text!r} is no way of buying; write logit (tonnes add up) or ces (they do not)")
    return text


def parsed_rounding(text: str) -> str:
    """Where a half of a cent goes."""
    if text not in ("half_even", "half_up"):
        raise typer.BadParameter(f"{text!r} is no rounding; write half_even or half_up")
    return text


def parsed_parts(text: str) -> str:
    """What an outcome may be shared out among."""
    if text not in ("instrument", "clause"):
        raise typer.BadParameter(f"{text!r} is nothing to share out among; write instrument or clause")
    return text


AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]
OutFolder = Annotated[
    Path | None,
    typer.Option("--out", metavar="DIR", help="Folder for every table, as Parquet and CSV; replaced whole."),
]
WorldFolder = Annotated[
    Path | None,
    typer.Option("--world", metavar="DIR", help="A folder that `world build` wrote; the world that ships if absent."),
]
Years = Annotated[
    int | None,
    typer.Option(
        "--horizon", metavar="1|5|15", parser=parsed_years, help="Years to adjust; 5, or the scenario's, if absent."
    ),
]


def download(option: str, text: str) -> Any:
    """An option for a user's download; it may be given several times."""
    return typer.Option(option, metavar="FILE", help=text)


OwnFigures = Annotated[
    Path | None,
    typer.Option("--parameters", metavar="FILE", help="Your own elasticities and prices, YAML or CSV."),
]
AsOf = Annotated[
    date | None,
    typer.Option(
        "--as-of", metavar="DATE", parser=parsed_day, help="Day whose terms are run; the agreement's own if absent."
    ),
]
Terms = Annotated[
    str, typer.Argument(metavar="AGREEMENT|SCENARIO", help="A preset's name, an agreement file or a scenario file.")
]
OriginRules = Annotated[
    list[str] | None,
    typer.Option("--rule", metavar="RULE", help="A rule that ships, or a file of your own; several if repeated."),
]
OriginTerms = Annotated[
    str | None,
    typer.Option("--agreement", "-A", metavar="AGREEMENT", help="The rule that its trade area names; its parties."),
]
PartyCodes = Annotated[
    str, typer.Option("--parties", metavar="CODES", help="Whose materials count: USA,JPN,EU. Unions are allowed.")
]
