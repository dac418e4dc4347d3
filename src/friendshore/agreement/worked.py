"""A worked example: one consignment, charged in exact decimals by the duties that customs would charge it by.

Every line shows data, calculation and value, so that it can be checked by hand. Entries with documents, origin and
assays are the border's.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from friendshore.agreement.wording import number
from friendshore.faces import Duty
from friendshore.instruments.price import price_usd_t
from friendshore.units import to_cent

if TYPE_CHECKING:
    from friendshore.agreement.document import Example
    from friendshore.instruments.clause import Clause, Setting

NONE = Decimal(0)


@dataclass(frozen=True, slots=True)
class Charge:
    """What a consignment owes under one clause: the figures, what is done with them, and the amount to the cent."""

    clause: str
    article: str
    data: str
    calculation: str
    usd: Decimal


@dataclass(frozen=True, slots=True)
class Worked:
    """An example charged. `owed_usd` is rounded once, at the end; `holds` says whether it is what the text expects."""

    name: str
    charges: tuple[Charge, ...]
    owed_usd: Decimal
    expected_usd: Decimal

    @property
    def holds(self) -> bool:
        """Whether the example comes out as written."""
        return self.owed_usd == self.expected_usd


def work(example: Example, floors: Iterable[Clause], here: Setting) -> Worked:
    """Charge an example under the floors, on its own day.

    amount = mass * (phase * max(0, reference - price) + rate * price + specific)

    Parameters
    ----------
    example : the consignment; its price is on the basis that each floor's `levy_on` names
    floors : the clauses that may charge it
    here : the setting of the example's day
    """
    good = here.good(example.good)
    price = price_usd_t(example.price, good, here)
    exporters, importers = here.members(example.exporter), here.members(example.importer)
    charges: list[Charge] = []
    total = NONE
    for clause in floors:
        for duty in clause.duties(here):
            if duty.good == good and exporters <= duty.exporters and importers <= duty.importers:
                per_tonne = _per_tonne(duty, price)
                total += per_tonne * example.mass_t
                charges.append(_charge(duty, price, example.mass_t, per_tonne))
    return Worked(example.name, tuple(charges), to_cent(total), to_cent(example.levy_usd))


def _per_tonne(duty: Duty, price: Decimal) -> Decimal:
    gap = NONE if duty.reference_usd_t is None else max(NONE, duty.reference_usd_t - price)
    return duty.phase * gap + (duty.rate or NONE) * price + (duty.specific_usd_t or NONE)


def _charge(duty: Duty, price: Decimal, mass_t: Decimal, per_tonne: Decimal) -> Charge:
    data, terms = [f"price {number(price)} USD/t"], []
    if duty.reference_usd_t is not None:
        data += [f"reference {number(duty.reference_usd_t)} USD/t on {duty.levy_on}", f"phased in {number(duty.phase)}"]
        terms.append(f"{number(duty.phase)} x max(0, {number(duty.reference_usd_t)} - {number(price)})")
    if duty.rate:
        data.append(f"rate {number(duty.rate)}")
        terms.append(f"{number(duty.rate)} x {number(price)}")
    if duty.specific_usd_t:
        data.append(f"specific {number(duty.specific_usd_t)} USD/t")
        terms.append(number(duty.specific_usd_t))
    inner = " + ".join(terms) or "0"
    sum_ = f"({inner})" if len(terms) > 1 else inner
    return Charge(
        duty.clause, duty.article, ", ".join(data), f"{number(mass_t)} t x {sum_}", to_cent(per_tonne * mass_t)
    )
