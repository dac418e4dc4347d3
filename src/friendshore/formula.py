"""The published formulas as small files: what does GSIM, SMART, a balancing or a tracing say of the figures I typed?

Each function reads one YAML or JSON file strictly and answers with a document of plain values. The mathematics stand in
`market.formulas`, `world.trace` and `world.reconcile`; the words are `report.formula`'s.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from friendshore.errors import InputRefused, Problem, did_you_mean
from friendshore.marked import KeyPath, Marked, dotted, in_file_order, read_marked, shown, validate, wrong

Array = NDArray[np.float64]
Document = dict[str, Any]

NotNegative = Annotated[float, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]
Negative = Annotated[float, Field(lt=0)]
Row = Annotated[list[NotNegative], Field(min_length=1)]
Table = Annotated[list[Row], Field(min_length=1)]
ValueT = TypeVar("ValueT")
OneOrEach = Annotated[list[ValueT], BeforeValidator(lambda given: [given] if isinstance(given, int | float) else given)]


class FormulaFile(BaseModel):
    """What every file of a formula may say; keys that are not listed are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    title: str | None = None
    note: str | None = None
    source: str | None = None


# -- GSIM -------------------------------------------------------------------------------------------------------------------


class GsimFile(FormulaFile):
    """One industry's trade between regions, its tariffs before and after. Tables have a row for each exporter."""

    regions: Annotated[list[str], Field(min_length=1)] = Field(description="In the order of rows and columns.")
    trade: Table = Field(description="Base value at world prices.")
    tariff_power_initial: Annotated[list[Annotated[list[Positive], Field(min_length=1)]], Field(min_length=1)]
    tariff_power_final: Annotated[list[Annotated[list[Positive], Field(min_length=1)]], Field(min_length=1)]
    import_demand_elasticity: OneOrEach[Negative] = Field(description="Of the composite, below zero.")
    export_supply_elasticity: OneOrEach[Positive]
    substitution_elasticity: OneOrEach[Positive]

    @model_validator(mode="after")
    def fits(self) -> GsimFile:
        size = len(self.regions)
        for name in ("trade", "tariff_power_initial", "tariff_power_final"):
            _square(getattr(self, name), size, name)
        for name in ("tariff_power_initial", "tariff_power_final"):
            for i, row in enumerate(getattr(self, name)):
                for j, power in enumerate(row):
                    if power < 1.0:
                        hint = f"one plus the rate: {1.0 + power:g} for {100.0 * power:g} %"
                        raise wrong("out-of-range", f"a power of {power:g} is below 1", hint=hint, at=(name, i, j))
        for name in ("import_demand_elasticity", "export_supply_elasticity", "substitution_elasticity"):
            given = getattr(self, name)
            if len(given) not in (1, size):
                raise wrong("size", f"{len(given)} elasticities for {size} regions", at=(name,))
        if len(set(self.regions)) != size:
            raise wrong("twice", "a region stands here twice", at=("regions",))
        for i, region in enumerate(self.regions):
            for what, total in (("sells", sum(self.trade[i])), ("buys", sum(row[i] for row in self.trade))):
                if total == 0.0:
                    raise wrong(
                        "no-trade", f"{region} {what} nothing, so that nothing can be said of it", at=("trade", i)
                    )
        return self


def gsim(path: Path | str, experiment: str | None = None) -> Document:
    """GSIM of a file of tables, or of a network file with base flows and one of its experiments.

    Raises
    ------
    InputRefused   every problem of the file at its place; in a network file also whatever is no ad valorem tariff
    """
    from friendshore.market import formulas

    path = Path(path)
    marked = read_marked(path)
    if isinstance(marked.value, dict) and "countries" in marked.value:
        return _gsim_of_network(path, experiment, marked)
    if experiment is not None:
        raise InputRefused.because("unknown-experiment", "a file of tables has no experiments", path="--experiment")
    terms = validate(GsimFile, marked)
    found = formulas.gsim(
        np.array(terms.trade),
        np.array(terms.tariff_power_initial),
        np.array(terms.tariff_power_final),
        import_demand=_array(terms.import_demand_elasticity),
        export_supply=_array(terms.export_supply_elasticity),
        substitution=_array(terms.substitution_elasticity),
    )
    regions = tuple(terms.regions)
    return {**_head("gsim", marked), "goods": [_gsim_document("", regions, regions, found)]}


def _gsim_of_network(path: Path, experiment: str | None, marked: Marked) -> Document:
    from friendshore.market.formulas import gsim_of
    from friendshore.market.policy import impose
    from friendshore.run import compile_world
    from friendshore.world import network as files

    world = files.read(path, experiment)
    network = compile_world(world)
    policy = impose(network, world.wedges)
    goods = [_gsim_document(good, *gsim_of(network, policy, good)) for good in network.goods]
    return {**_head("gsim", marked), "experiment": experiment, "goods": goods}


def _gsim_document(good: str, exporters: tuple[str, ...], importers: tuple[str, ...], found: Any) -> Document:
    def by(names: tuple[str, ...], values: Array) -> dict[str, float]:
        return dict(zip(names, values.tolist(), strict=True))

    def by_both(values: Array) -> dict[str, dict[str, float]]:
        return {name: by(importers, row) for name, row in zip(exporters, values, strict=True)}

    lines = {
        "producer_surplus": by(exporters, found.producer_surplus),
        "consumer_surplus": by(importers, found.consumer_surplus),
        "tariff_revenue": by(importers, found.tariff_revenue),
    }
    places = dict.fromkeys((*exporters, *importers))
    return {
        "good": good,
        "world_price_change": by(exporters, found.world_price),
        "internal_price_change": by_both(found.internal_price),
        "quantity_change": by_both(found.quantity),
        "trade_after": by_both(found.trade),
        "composite_price_change": by(importers, found.composite_price),
        **lines,
        "net_welfare": {place: sum(line.get(place, 0.0) for line in lines.values()) for place in places},
    }


# -- SMART ------------------------------------------------------------------------------------------------------------------


class SmartFile(FormulaFile):
    """One importer's tariff line, and the supplier whose tariff is cut."""

    imports_beneficiary: NotNegative = Field(description="Value bought from the beneficiary, before the tariff.")
    imports_others: NotNegative = Field(description="Value bought from everybody else.")
    tariff_initial: NotNegative = Field(description="Rate on everybody: 0.1 for 10 %.")
    tariff_final_beneficiary: NotNegative = Field(description="Rate on the beneficiary afterwards.")
    import_demand_elasticity: Annotated[float, Field(le=0)]
    substitution_elasticity: NotNegative

    @model_validator(mode="after")
    def rates_are_rates_and_fall(self) -> SmartFile:
        for name in ("tariff_initial", "tariff_final_beneficiary"):
            rate = getattr(self, name)
            if rate > 10.0:
                hint = f"write {rate / 100:g} for {rate:g} %"
                raise wrong("out-of-range", f"a rate of {rate:g} is {rate * 100:g} %", hint=hint, at=(name,))
        if self.tariff_final_beneficiary > self.tariff_initial:
            message = "SMART is for a tariff that falls, and this one rises"
            raise wrong("out-of-range", message, at=("tariff_final_beneficiary",))
        return self


def smart(path: Path | str) -> Document:
    """SMART's trade creation and diversion of one tariff line.

    Raises
    ------
    InputRefused   every problem of the file at its place
    """
    from dataclasses import fields

    from friendshore.market import formulas

    marked = read_marked(Path(path))
    terms = validate(SmartFile, marked)
    found = formulas.smart(
        terms.imports_beneficiary,
        terms.imports_others,
        terms.tariff_initial,
        terms.tariff_final_beneficiary,
        import_demand=terms.import_demand_elasticity,
        substitution=terms.substitution_elasticity,
    )
    values = {each.name: float(getattr(found, each.name)) for each in fields(found)}
    return {**_head("smart", marked), **values, "revenue_change": float(found.revenue_change)}


# -- bounded RAS ------------------------------------------------------------------------------------------------------------


class Cap(BaseModel):
    """The most that one cell may hold; rows and columns are counted from 1."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    row: Annotated[int, Field(ge=1)]
    col: Annotated[int, Field(ge=1)]
    value: NotNegative


class RasFile(FormulaFile):
    """A table and the margins that it should have."""

    seed: Table = Field(description="The table as reported; a zero stays zero.")
    row_totals: Row
    col_totals: Row
    upper_bound: list[Cap] = Field(default=[], description="Cells that are bounded from above.")

    @model_validator(mode="after")
    def fits(self) -> RasFile:
        rows, columns = len(self.row_totals), len(self.col_totals)
        if len(self.seed) != rows:
            raise wrong("size", f"{len(self.seed)} rows, but {rows} totals of rows", at=("seed",))
        for i, row in enumerate(self.seed):
            if len(row) != columns:
                raise wrong("size", f"{len(row)} columns, but {columns} totals of columns", at=("seed", i))
        for e, cap in enumerate(self.upper_bound):
            if cap.row > rows or cap.col > columns:
                message = f"there is no cell ({cap.row}, {cap.col}) in a table of {rows} x {columns}"
                raise wrong("size", message, at=("upper_bound", e))
        down, across = sum(self.row_totals), sum(self.col_totals)
        if abs(down - across) > 1e-9 * max(down, across):
            message = f"the totals of columns add to {across:.9g}, those of rows to {down:.9g}"
            raise wrong("no-balance", message, at=("col_totals",))
        return self


MET = 1e-9  # of the grand total: how closely margins must be met


def ras(path: Path | str) -> Document:
    """The table with the given margins nearest in shape to the seed, no cell above its bound.

    Raises
    ------
    InputRefused   every problem of the file at its place; margins that zeros and bounds do not admit
    """
    from friendshore.world.trace import balance

    marked = read_marked(Path(path))
    terms = validate(RasFile, marked)
    upper = np.full((len(terms.row_totals), len(terms.col_totals)), np.inf)
    for cap in terms.upper_bound:
        upper[cap.row - 1, cap.col - 1] = min(cap.value, upper[cap.row - 1, cap.col - 1])
    rows, columns = np.array(terms.row_totals), np.array(terms.col_totals)
    table = balance(np.array(terms.seed, dtype=float), rows, columns, upper)
    for name, miss in (("row_totals", table.sum(axis=1) - rows), ("col_totals", table.sum(axis=0) - columns)):
        k = int(np.argmax(np.abs(miss)))
        if abs(miss[k]) > MET * max(float(rows.sum()), 1e-300):
            message = f"zeros and bounds of the table do not admit it: {abs(miss[k]):.6g} are left over"
            raise InputRefused([Problem("no-table", message, marked.place((name, k)), dotted((name, k)))])
    capped = [[int(i) + 1, int(j) + 1] for i, j in zip(*np.nonzero(table >= upper * (1.0 - MET)), strict=True)]
    return {**_head("ras", marked), "table": table.tolist(), "at_their_bound": capped}


# -- weighted least squares -------------------------------------------------------------------------------------------------


class Figure(BaseModel):
    """A reported figure and how far it can be trusted."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    value: float
    standard_error: Positive


class BalanceFile(FormulaFile):
    """Reported figures, and the identities that they should satisfy."""

    figures: Annotated[dict[str, Figure], Field(min_length=1)]
    identities: Annotated[list[str], Field(min_length=1)] = Field(
        description="Such as 'production + imports = exports + use', with numbers as factors: '2 ore = metal'."
    )


def balance(path: Path | str) -> Document:
    """The figures nearest to those reported, each weighed by its standard error, that satisfy every identity.

    Raises
    ------
    InputRefused   every problem of the file at its place;  WorldError   identities that no figures satisfy
    """
    from scipy.sparse import csr_matrix

    from friendshore.world.reconcile import least_squares

    marked = read_marked(Path(path))
    terms = validate(BalanceFile, marked)
    names = list(terms.figures)
    rows, problems = [], []
    for number, text in enumerate(terms.identities):
        here: KeyPath = ("identities", number)
        try:
            rows.append(_identity(text, names))
        except ValueError as said:
            problems.append(Problem("identity", str(said), marked.place(here), dotted(here)))
    if problems:
        raise InputRefused(in_file_order(problems))
    before = np.array([figure.value for figure in terms.figures.values()])
    error = np.array([figure.standard_error for figure in terms.figures.values()])
    fit = least_squares(before, error, csr_matrix(np.array(rows)), np.zeros(len(rows)))
    moved = (fit.values - before) / error
    return {
        **_head("balance", marked),
        "figures": {
            name: {"reported": float(was), "balanced": float(now), "moved_standard_errors": float(by)}
            for name, was, now, by in zip(names, before, fit.values, moved, strict=True)
        },
    }


_TERM = re.compile(r"\s*([+-]?)\s*(?:(\d+(?:\.\d+)?)\s*\*?\s*)?([^\W\d]\w*)\s*")


def _identity(text: str, names: list[str]) -> Array:
    """The coefficients of `a + 2 b = c` over names, everything on the left.

    >>> _identity("a + 2 b = c", ["a", "b", "c"])
    array([ 1.,  2., -1.])
    """
    sides = text.split("=")
    if len(sides) != 2:
        raise ValueError(f"{text!r} is no identity: write one '=' between two sums")
    row = np.zeros(len(names))
    for side, sign in zip(sides, (1.0, -1.0), strict=True):
        at = 0
        if side.strip() == "0":
            continue
        while at < len(side) or at == 0:
            found = _TERM.match(side, at)
            if found is None or (at > 0 and not found[1]):
                raise ValueError(f"{text!r} is no identity: {side[at:].strip()!r} is no sum of figures")
            if found[3] not in names:
                raise ValueError(
                    f"no figure is called {found[3]!r}: {did_you_mean(found[3], names) or ', '.join(names)}"
                )
            row[names.index(found[3])] += sign * (-1.0 if found[1] == "-" else 1.0) * float(found[2] or 1.0)
            at = found.end()
    return row


# -- tracing to origin ------------------------------------------------------------------------------------------------------


class TraceFile(FormulaFile):
    """What every country makes, and what was dispatched from where to where."""

    production: Annotated[dict[str, NotNegative], Field(min_length=1)]
    flows: list[object] = Field(description="Rows of three: from, to, quantity.")


def trace(path: Path | str) -> Document:
    """Dispatch replaced by origin, exports and use being the same mixture of own output and imports.

    Raises
    ------
    InputRefused   every problem of the file at its place; exports above what a country makes and buys
    """
    from friendshore.world.trace import to_origin, unmade

    marked = read_marked(Path(path))
    terms = validate(TraceFile, marked)
    names = list(terms.production)
    flows, problems = np.zeros((len(names), len(names))), []
    for number, row in enumerate(terms.flows):
        said = _flow_problem(row, names)
        if said:
            here: KeyPath = ("flows", number)
            problems.append(Problem("flow", said, marked.place(here), dotted(here)))
        elif isinstance(row, list):
            flows[names.index(row[0]), names.index(row[1])] += float(row[2])
    made = np.array([terms.production[name] for name in names], dtype=float)
    over = flows.sum(axis=1) - made - flows.sum(axis=0)
    for k in np.flatnonzero(over > 1e-9 * np.maximum(made + flows.sum(axis=0), 1.0)) if not problems else ():
        message = f"{names[k]} sends on {over[k]:.6g} more than it makes and buys"
        problems.append(Problem("exports", message, marked.place(("production", names[k])), f"production.{names[k]}"))
    for k in np.flatnonzero(unmade(made, flows)) if not problems else ():
        message = f"{names[k]} sends on what nobody made: no maker's goods reach it"
        problems.append(Problem("unmade", message, marked.place(("production", names[k])), f"production.{names[k]}"))
    if problems:
        raise InputRefused(in_file_order(problems))
    found = to_origin(made, flows)
    traced = [
        {"origin": names[q], "use": names[i], "quantity": float(found.flows[q, i])}
        for q, i in zip(*np.nonzero(found.flows > 1e-12 * max(float(made.sum()), 1e-300)), strict=True)
    ]
    return {
        **_head("trace", marked),
        "throughput": dict(zip(names, found.throughput.tolist(), strict=True)),
        "consumption": dict(zip(names, found.use.tolist(), strict=True)),
        "traced": traced,
    }


def _flow_problem(row: object, names: list[str]) -> str:
    if not isinstance(row, list) or len(row) != 3:
        return f"expected from, to and quantity, such as [A, B, 60], not {shown(row)}"
    for name in row[:2]:
        if name not in names:
            near = did_you_mean(name, names) if isinstance(name, str) else ""
            return f"{shown(name)} has no production here (0 will do)" + (f"; {near}" if near else "")
    if row[0] == row[1]:
        return f"{row[0]} to itself is no trade"
    if isinstance(row[2], bool) or not isinstance(row[2], int | float) or row[2] < 0:
        return f"expected a quantity of zero or more, not {shown(row[2])}"
    return ""


# -- what all of them say ---------------------------------------------------------------------------------------------------

FORMULAS: Mapping[str, Callable[..., Document]] = {
    "gsim": gsim,
    "smart": smart,
    "ras": ras,
    "balance": balance,
    "trace": trace,
}


def _head(formula: str, marked: Marked) -> Document:
    return {"formula": formula, "title": marked.get(("title",)), "source": marked.get(("source",))}


def _array(given: list[float]) -> Array | float:
    """A value for each region, or the one that holds for all."""
    return np.array(given, dtype=float) if len(given) > 1 else given[0]


def _square(table: list[list[float]], size: int, name: str) -> None:
    if len(table) != size:
        raise wrong("size", f"{len(table)} rows for {size} regions", at=(name,))
    for i, row in enumerate(table):
        if len(row) != size:
            raise wrong("size", f"{len(row)} columns for {size} regions", at=(name, i))
