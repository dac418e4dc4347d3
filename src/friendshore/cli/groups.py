"""The groups of commands, and help that opens with an example."""

from __future__ import annotations

from inspect import cleandoc
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup


class _Exemplified:
    """Help that opens with the example, which is the first paragraph of the docstring."""

    help: str | None

    def format_usage(self, ctx: Any, formatter: Any) -> None:
        for line in self._split()[0].splitlines():
            formatter.write(f"{line}\n")
        formatter.write_paragraph()
        super().format_usage(ctx, formatter)  # type: ignore[misc]

    def format_help_text(self, ctx: Any, formatter: Any) -> None:
        held, self.help = self.help, self._split()[1]
        try:
            super().format_help_text(ctx, formatter)  # type: ignore[misc]
        finally:
            self.help = held

    def _split(self) -> tuple[str, str]:
        example, _, text = cleandoc(self.help or "").partition("\n\n")
        return example, text


class Command(_Exemplified, TyperCommand):
    """A command whose help opens with an example."""


class Group(_Exemplified, TyperGroup):
    """The same for a group of commands."""


app = typer.Typer(
    cls=Group,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
world_app = typer.Typer(cls=Group, rich_markup_mode=None, no_args_is_help=True)
agreement_app = typer.Typer(cls=Group, rich_markup_mode=None, no_args_is_help=True)
formula_app = typer.Typer(cls=Group, rich_markup_mode=None, no_args_is_help=True)
reference_app = typer.Typer(cls=Group, rich_markup_mode=None, no_args_is_help=True)
measures_app = typer.Typer(cls=Group, rich_markup_mode=None, no_args_is_help=True)

app.add_typer(world_app, name="world", short_help="The base year: build, check, show, list.")
app.add_typer(reference_app, name="reference", short_help="Reference prices: publish, make again, show.")
app.add_typer(measures_app, name="measures", short_help="An agreement's measures, for a tariff database.")
app.add_typer(formula_app, name="formula", short_help="Published formulas: GSIM, SMART, balancing, tracing.")
app.add_typer(
    agreement_app, name="agreement", short_help="Agreement files: check, text, test, diff, options, shares, list."
)
