"""Which clause of the agreement reaches a good on a lane on a day, and at what reference price; and which input's does.

Signals ask it to see who would gain by leaving a clause. What a clause charges is left to `terms`.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from decimal import Decimal

import polars as pl

from friendshore.border.signals.known import Known
from friendshore.border.terms import Law
from friendshore.faces import Duty

PLUS = "+"  # joins the countries of a lane that is only known together, such as MEX+THA
LANE = ["good", "exporter", "importer"]


def reaching(duties: Iterable[Duty], good: str, exporter: str, importer: str, law: Law) -> Decimal | None:
    """The reference price of the duty on a lane, nought where its duty has none, None where there is no duty."""
    for duty in duties:
        if duty.good != good or importer not in duty.importers:
            continue
        if all(_among(each, duty.exporters, law) for each in exporter.split(PLUS)):
            if duty.reference_usd_t is not None:
                return duty.reference_usd_t
            if (duty.rate and not duty.replaces) or duty.specific_usd_t:
                return Decimal(0)
    return None


def covered_inputs(lanes: pl.DataFrame, known: Known, law: Law | None) -> pl.DataFrame:
    """The inputs of each lane's good that a clause reaches while none reaches the good.

    Parameters
    ----------
    lanes : good, exporter, importer and `day`

    Returns
    -------
    good, exporter, importer, day, input, input_usd_t : what the input in a tonne of the good costs at its reference price
    """
    made: dict[str, list[tuple[str, float]]] = {}
    for good, name, coefficient in known.inputs.iter_rows():
        made.setdefault(good, []).append((name, coefficient))
    keys = [*LANE, "version"]
    schema = {**dict.fromkeys(LANE, pl.String), "version": pl.Int64, "input": pl.String, "input_usd_t": pl.Float64}
    lanes = lanes.select(*LANE, "day").unique()
    days, versions = _versions(lanes["day"].unique().to_list(), law)
    lanes = lanes.join(days, on="day")
    rows: list[tuple[str, str, str, int, str, float]] = []
    charged = [{duty.good for duty in duties} for duties in versions]
    some = lanes.filter(pl.col("good").is_in(sorted(made))).select(keys).unique().sort(keys)
    for good, exporter, importer, version in some.iter_rows():
        inputs = [(name, coefficient) for name, coefficient in made[good] if name in charged[version]]
        if not inputs or law is None or reaching(versions[version], good, exporter, importer, law) is not None:
            continue
        for name, coefficient in inputs:
            if (reference := reaching(versions[version], name, exporter, importer, law)) is not None:
                rows.append((good, exporter, importer, version, name, float(reference) * coefficient))
    found = pl.DataFrame(rows, schema=schema, orient="row")
    return lanes.join(found, on=keys).select(*LANE, "day", "input", "input_usd_t").sort(*LANE, "day", "input")


def duties_on(days: Iterable[date], law: Law | None) -> dict[date, tuple[Duty, ...]]:
    """The duties of the law that applies on each day."""
    return {day: law.duties(law.day(day)) if law is not None else () for day in days}


def _versions(days: Iterable[date], law: Law | None) -> tuple[pl.DataFrame, list[tuple[Duty, ...]]]:
    """Which days have the same duties: day and number of the version, and the duties of each version."""
    numbers: dict[tuple[Duty, ...], int] = {}
    rows = [(day, numbers.setdefault(duties, len(numbers))) for day, duties in sorted(duties_on(days, law).items())]
    return pl.DataFrame(rows, schema={"day": pl.Date, "version": pl.Int64}, orient="row"), list(numbers)


def _among(country: str, countries: frozenset[str], law: Law) -> bool:
    """Whether a country is meant, by its code or as part of the rest of its region."""
    if country in law.countries:
        return country in countries
    return bool(law.remainders) and law.remainders <= countries
