"""The commands of `formula`: published formulas on small files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from friendshore.cli.groups import Command, formula_app
from friendshore.cli.options import AsJson
from friendshore.cli.tell import emit, say


@formula_app.callback()
def formula_group() -> None:
    """$ friendshore formula gsim examples/formulas/gsim.yaml

    Published formulas on small files of figures. They solve no market.
    """


FormulaFile = Annotated[Path, typer.Argument(metavar="FILE", help="A file of the formula, YAML or JSON.")]


@formula_app.command("gsim", cls=Command, short_help="GSIM's linear form of a change of tariffs.")
def formula_gsim(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Tables by region, or a network file with base flows.")],
    experiment: Annotated[
        str | None, typer.Option("--experiment", metavar="NAME", help="One of the network file's experiments.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """$ friendshore formula gsim examples/formulas/gsim.yaml

    What a change of ad valorem tariffs does to prices, trade and welfare of one industry, by GSIM's linear form.
    """
    from friendshore.formula import gsim

    return _tell(gsim(file, experiment), as_json)


@formula_app.command("smart", cls=Command, short_help="SMART's trade creation and diversion.")
def formula_smart(file: FormulaFile, as_json: AsJson = False) -> None:
    """$ friendshore formula smart examples/formulas/smart.yaml

    Trade created and diverted where one supplier's tariff is cut, foreign prices standing still.
    """
    from friendshore.formula import smart

    return _tell(smart(file), as_json)


@formula_app.command("ras", cls=Command, short_help="A table fitted to its margins, cells bounded.")
def formula_ras(file: FormulaFile, as_json: AsJson = False) -> None:
    """$ friendshore formula ras examples/formulas/ras.yaml

    Fit a table to totals of rows and columns, nearest in shape, no cell above its bound.
    """
    from friendshore.formula import ras

    return _tell(ras(file), as_json)


@formula_app.command("balance", cls=Command, short_help="Figures fitted to identities, weighed by their errors.")
def formula_balance(file: FormulaFile, as_json: AsJson = False) -> None:
    """$ friendshore formula balance examples/formulas/balance.yaml

    The figures nearest to those reported that satisfy identities, each weighed by its standard error.
    """
    from friendshore.formula import balance

    return _tell(balance(file), as_json)


@formula_app.command("trace", cls=Command, short_help="Dispatch replaced by origin.")
def formula_trace(file: FormulaFile, as_json: AsJson = False) -> None:
    """$ friendshore formula trace examples/formulas/trace.yaml

    Who made what a country uses, when some of it came through third countries.
    """
    from friendshore.formula import trace

    return _tell(trace(file), as_json)


def _tell(document: Mapping[str, Any], as_json: bool) -> None:
    """A formula's document as text, or as it is."""
    from friendshore.report.formula import told

    return emit(document) if as_json else say(told(document).rstrip("\n"))
