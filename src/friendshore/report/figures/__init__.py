"""The figures of a report: what an agreement does, as drawings that state a finding each. One file for each figure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from friendshore.report.figures.figure import Figure
from friendshore.run import DEFAULT, Assumptions

if TYPE_CHECKING:
    from friendshore.agreement.document import Agreement
    from friendshore.faces import Wedge
    from friendshore.report.words import Words
    from friendshore.study import Study
    from friendshore.world.tables import World

__all__ = ["Figure", "figures"]


def figures(
    study: Study,
    words: Words,
    view: str | None,
    *,
    world: World,
    deal: Agreement,
    assume: Assumptions = DEFAULT,
    shocks: tuple[Wedge, ...] = (),
) -> list[Figure]:
    """Every figure that a study has something to show in, in the order of the page.

    Parameters
    ----------
    study : the runs and their tables
    words : the reader's language
    view : code of a country or customs union that the report speaks to; None for all parties
    world, deal, assume, shocks : what the study was run with

    Raises
    ------
    InputRefused   a study of another world
    """
    from friendshore.report.figures import (
        levy_binds,
        map_dependence,
        map_gains,
        price_ladder,
        product_cost,
        protection,
        reactions,
        sankey,
        stability,
        tornado,
        view_account,
        who_pays,
    )
    from friendshore.report.figures.subject import Subject

    subject = Subject(study, words, view, world, deal, assume, tuple(shocks))
    order = (
        price_ladder,
        levy_binds,
        map_gains,
        view_account,
        map_dependence,
        sankey,
        product_cost,
        who_pays,
        protection,
        reactions,
        stability,
        tornado,
    )
    drawn = (module.draw(subject) for module in order)
    return [
        replace(figure, title=_begun(figure.title), notes=tuple(map(_begun, figure.notes)))
        for figure in drawn if figure is not None
    ]  # fmt: skip


def _begun(sentence: str) -> str:
    """A sentence with its first letter as sentences begin."""
    return sentence[:1].upper() + sentence[1:]
