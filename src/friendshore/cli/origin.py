"""The command `origin`: whether a product qualifies, by a rule or by an agreement; and which rules there are."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from friendshore.cli.case import scenario_of, world_of
from friendshore.cli.groups import Command, app
from friendshore.cli.options import AsJson, OriginRules, OriginTerms, PartyCodes, parsed_day
from friendshore.cli.tell import Progress, emit, say
from friendshore.errors import InputRefused, Problem

if TYPE_CHECKING:
    from friendshore.border.origin.bill import Bill

RULES = "rules"  # the word that lists them


@app.command(cls=Command, short_help="Whether a product originates: verdict, failing line, cheapest change.")
def origin(
    bills: Annotated[
        list[Path],
        typer.Argument(metavar="BOM|rules", help="Bills of materials (.yaml, .json, .csv, .xlsx), or the word rules."),
    ],
    rule: OriginRules = None,
    agreement: OriginTerms = None,
    parties: PartyCodes = "",
    as_of: Annotated[
        date | None,
        typer.Option(
            "--as-of", metavar="DATE", parser=parsed_day, help="Day of the law and of the proofs; today if absent."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """$ friendshore origin examples/origin/magnet.yaml --rule value_content --parties JPN,EU,USA --as-of 2026-11-22

    Say whether the product of a bill of materials qualifies under a rule of origin: which test holds or fails and on what
    figures, the lines in the way, the facts that are missing with who can supply them, and the cheapest change that would
    qualify it. `friendshore origin rules` lists the rules that ship, with their sources.

    Exit status 3 where a verdict cannot be said.
    """
    from friendshore.origin_rules.rule import find_rule, shipped_conflicts, shipped_rules
    from friendshore.report import origin as report

    if [str(bill) for bill in bills] == [RULES] and not bills[0].exists():
        chosen = [find_rule(name) for name in rule] if rule else list(shipped_rules().values())
        emit(report.rules_document(chosen)) if as_json else say(report.rules_page(chosen).rstrip("\n"))
        return
    if not rule and agreement is None:
        raise typer.BadParameter("name a rule, or an agreement whose trade area names one", param_hint="--rule")
    from friendshore.border.origin.change import changes
    from friendshore.border.origin.judge import caught, judge
    from friendshore.customs.origin import chosen_rule, named_rules

    with Progress() as progress:
        progress("reading the bill and the rules")
        held = _read(bills)
        codes = [code for code in parties.replace(" ", "").split(",") if code]
        deal = world = None
        day = as_of or datetime.now(tz=UTC).date()
        if agreement is not None:
            world = world_of(agreement)
            deal = scenario_of(agreement, world).agreement
            day = as_of or deal.run_date
        if rule:
            named = tuple(chosen_rule(name, codes, world, deal, day) for name in rule)
        else:
            assert world is not None
            assert deal is not None
            named = named_rules(world, deal, day)
        progress("judging")
        judged = [(bill, [(judge(bill, one.rule, one.area, day), one) for one in named]) for bill in held]
        pages = [
            (verdict, changes(verdict, one.area), one.clause, one.article)
            for _, found in judged
            for verdict, one in found
        ]
        known = shipped_conflicts().values()
        met = [(bill.product, caught([verdict for verdict, _ in found], known)) for bill, found in judged]
    if as_json:
        clashes = [{"product": product, "conflict": one.id} for product, several in met for one in several]
        emit({"verdicts": [report.document(*each) for each in pages], "conflicts": clashes})
    else:
        parts = [*(report.page(*each) for each in pages), *(report.conflicts_page(*each) for each in met)]
        say("\n".join(filter(None, parts)).rstrip("\n"))
    if any(verdict.answer is None for verdict, *_ in pages):
        raise typer.Exit(3)


def _read(files: Sequence[Path]) -> list[Bill]:
    """Every bill, or a refusal with what is wrong in any of them."""
    from friendshore.border.origin.bill import read_bill
    from friendshore.customs.origin import countries

    bills: list[Bill] = []
    problems: list[Problem] = []
    for file in files:
        try:
            bills.append(read_bill(file, countries=countries()))
        except InputRefused as refused:
            problems += refused.problems
    if problems:
        raise InputRefused(problems)
    return bills
