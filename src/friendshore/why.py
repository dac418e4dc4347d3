"""Where does a number come from? Its equation, the parts that make it up, the clause and the sources behind each.

A price on a route is taken apart into what it is the sum of; what a country or a group gains, into the lines of its account.
Parts add to the number exactly, and a part that is read from the world names its row's source.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from friendshore.agreement import schedule
from friendshore.agreement.objective import MEASURES
from friendshore.errors import InputRefused, did_you_mean
from friendshore.faces import PriceGap
from friendshore.headline import CODE, RENTS, TREASURY, Places, bound, difference, group_of, places, position
from friendshore.run import DEFAULT, Assumptions, clear_network, compile_world, guard, measures

if TYPE_CHECKING:
    from datetime import date

    from friendshore.agreement.document import Agreement
    from friendshore.faces import Wedge
    from friendshore.outcome import Outcome
    from friendshore.world.tables import World

ROUTE = ("delivered", "levy")
SHOWN = 12  # account lines that are named before the rest is summed
EQUATIONS = {  # what an account line is, and where the mathematics has it
    "users": "integral of demand over the buyer's cost index",
    "producers": "integral of supply over the margin",
    "duty": "rate x customs value x tonnes, what the treasury keeps or is passed on",
    "levy": "phase x max(0, reference - base) x tonnes, less the seller's part",
    "export_tax": "(rate x fob price + specific) x tonnes",
    "quota_rent": "rent of a tonne x tonnes, to the owner of the licences",
    "contract": "(strike - price) x covered tonnes, paid by those who fund it",
    "subsidy": "amount x tonnes, paid by those who fund it",
}


@dataclass(frozen=True)
class Part:
    """One part of a number: its symbol in the mathematics, its value, and who says so."""

    name: str
    symbol: str
    value: float
    source: str = ""
    clause: str = ""


@dataclass(frozen=True)
class Trace:
    """A number taken apart: parts that add to it, in its unit. `section` is that of the mathematics page."""

    number: str
    value: float
    unit: str
    equation: str
    section: str
    parts: tuple[Part, ...]
    notes: tuple[str, ...] = ()

    def document(self) -> dict[str, Any]:
        """The trace as plain JSON values."""
        return {
            "number": self.number,
            "value": self.value,
            "unit": self.unit,
            "equation": self.equation,
            "section": self.section,
            "parts": [
                {"name": p.name, "symbol": p.symbol, "value": p.value, "source": p.source, "clause": p.clause}
                for p in self.parts
            ],
            "notes": list(self.notes),
        }


def why(
    world: World,
    deal: Agreement,
    number: str,
    *,
    as_of: date | None = None,
    assume: Assumptions = DEFAULT,
    shocks: Iterable[Wedge] = (),
) -> Trace:
    """Take a number of an agreement's outcome apart.

    Parameters
    ----------
    world, deal : the base year and the agreement
    number : `delivered.GOOD.EXPORTER.IMPORTER` or `levy.…`, USD per tonne; `gain.CODE`, `group.NAME` or a measure such as
        gain_of_parties, USD a year against the status quo
    as_of, assume, shocks : as `study`

    Raises
    ------
    InputRefused   a number that the outcome does not have, with the nearest that it has
    """
    deal = deal.checked(world)
    as_of = as_of or deal.run_date
    shocks = tuple(shocks)
    network = compile_world(world, assume)
    quo = [*measures(world, None, as_of, assume)[0], *shocks]
    full = [*measures(world, deal, as_of, assume)[0], *shocks]
    before = clear_network(world, network, quo, assume=assume, as_of=as_of)
    after = clear_network(world, network, full, assume=assume, as_of=as_of, start=before.state)
    after, held, _ = guard(world, network, deal, before, after, as_of=as_of, assume=assume, extra=shocks)
    head, _, rest = number.partition(".")
    if head in ROUTE:
        return _route(world, held, number, rest, after, as_of)
    at = places(world, bound(deal, world, as_of))
    values = difference(position(before, at), position(after, at))
    if number not in values:
        known = [*values, *(f"{name}.GOOD.EXPORTER.IMPORTER" for name in ROUTE)]
        hint = (
            did_you_mean(number, known)
            or f"a measure ({', '.join(n for n in values if n in MEASURES)}), gain.CODE or delivered.GOOD.EXPORTER.IMPORTER"
        )
        raise InputRefused.because(
            "unknown-number", f"the outcome has no number called {number!r}", path="NUMBER", hint=hint
        )
    return _account(number, values[number], before, after, at)


# -- a price on a route -------------------------------------------------------------------------------------------------


def _route(world: World, deal: Agreement, number: str, rest: str, after: Outcome, as_of: date) -> Trace:
    good, exporter, importer = _names(rest, number)
    rows = after.flows.filter(
        (pl.col("good") == good) & (pl.col("exporter") == exporter) & (pl.col("importer") == importer)
    )
    if rows.height == 0:
        there = [".".join(row) for row in after.flows.select("good", "exporter", "importer").iter_rows()]
        message = f"{exporter} sells no {good} to {importer} in this outcome"
        raise InputRefused.because("unknown-number", message, path="NUMBER", hint=did_you_mean(rest, there))
    flow = rows.row(0, named=True)
    parts = _landed(world, after, flow, good, exporter, importer)
    levy, notes = _levy(deal, world, flow, good, exporter, importer, as_of)
    if number.startswith("levy."):
        return Trace(number, flow["levy_usd_t"], "USD/t", "levy = phase x max(0, R - base)", "3", tuple(levy), notes)
    whole = Part("levy", "levy", flow["levy_usd_t"], clause=levy[0].clause if levy else "")
    equation = "d = p (1 + x) + xs + rho + f + e + kappa + duty + levy"
    return Trace(number, flow["delivered_usd_t"], "USD/t", equation, "3", (*parts, whole), notes)


def _names(rest: str, number: str) -> tuple[str, str, str]:
    steps = rest.split(".")
    if len(steps) != 4:
        hint = "write delivered.ndpr.oxide.CHN.DEU"
        raise InputRefused.because(
            "unknown-number", f"{number!r} names no good, exporter and importer", path="NUMBER", hint=hint
        )
    return f"{steps[0]}.{steps[1]}", steps[2], steps[3]


def _landed(world: World, after: Outcome, flow: dict[str, Any], good: str, exporter: str, importer: str) -> list[Part]:
    """What the price before the levy is the sum of; what is taxed and rationed on the way is what is left."""
    price = after.prices.filter((pl.col("good") == good) & (pl.col("country") == exporter)).row(0, named=True)
    base = world.prices.filter((pl.col("good") == good) & (pl.col("country") == exporter))
    route = world.routes.filter(
        (pl.col("good") == good) & (pl.col("exporter") == exporter) & (pl.col("importer") == importer)
    )
    freight, premium = (
        float(route[name][0] or 0.0) if route.height else 0.0 for name in ("freight_usd_t", "premium_usd_t")
    )
    said = _said(route)
    fob = float(price["usd_t"])
    rest = float(flow["cif_usd_t"]) - fob - freight - premium
    return [
        Part(
            "price at the producer's gate, cleared", "p", fob, source=f"base {price['base_usd_t']:,.6g}: {_said(base)}"
        ),
        Part("freight of the base year", "f", freight, source=said),
        Part("link premium, calibrated", "e", premium, source=said),
        Part("export taxes, licence and corridor rents", "x, rho, kappa", rest),
        Part("duty", "tau (cif - h f) + s", float(flow["duty_usd_t"]), source=said),
    ]


def _said(rows: pl.DataFrame) -> str:
    if rows.height == 0:
        return ""
    row = rows.row(0, named=True)
    return f"{row['source']} ({row['year']}, {row['reliability']})"


def _levy(
    deal: Agreement, world: World, flow: dict[str, Any], good: str, exporter: str, importer: str, as_of: date
) -> tuple[list[Part], tuple[str, ...]]:
    """The levy's own parts, and the clause behind it with its article and sources."""
    clauses = {clause.id: clause for clause in deal.clauses}
    for wedge in schedule.wedges(deal, world, as_of):
        if not isinstance(wedge, PriceGap) or wedge.lane.good != good:
            continue
        if exporter in wedge.lane.exporters and importer in wedge.lane.importers:
            clause = clauses[wedge.clause]
            base = float(flow["delivered_usd_t"]) - float(flow["levy_usd_t"])
            if wedge.levy_on == "cif":
                base = float(flow["cif_usd_t"])
            gap = max(0.0, wedge.reference_usd_t - base)
            parts = [
                Part(
                    f"{wedge.phase:g} x max(0, {wedge.reference_usd_t:,.2f} - {base:,.2f})",
                    "levy",
                    wedge.phase * gap,
                    clause=clause.id,
                )
            ]
            titles = [f"{name}: {deal.sources[name].title}" for name in clause.source if name in deal.sources]
            where = f"{clause.id}{', ' + clause.article if clause.article else ''}"
            notes = [f"Clause {where}; {'; '.join(titles) or 'no source'}."]
            if clause.illustrative:
                notes.append(f"Its level is illustrative: {' '.join(clause.rule.split())}.")
            return parts, tuple(notes)
    return [], ("No floor of the agreement reaches this route.",)


# -- a line of somebody's account -------------------------------------------------------------------------------------


def _account(number: str, value: float, before: Outcome, after: Outcome, at: Places) -> Trace:
    """The account lines that a gain is the sum of, largest first."""
    if number == "unserved":
        rows = _unserved(before, after)
        return Trace(number, value, "t", "U = 0 where V < V_max", "7", _largest(rows))
    sign = -1.0 if number == "cost_to_parties" else 1.0
    old = {(c, i, g): v for c, i, g, v in before.by_good.iter_rows()}
    new = {(c, i, g): v for c, i, g, v in after.by_good.iter_rows()}
    rows = []
    for country, item, good in sorted({*old, *new}):
        usd = sign * (new.get((country, item, good), 0.0) - old.get((country, item, good), 0.0))
        if usd and _counts(number, country, item, good, at):
            name = f"{country}, {item.replace('_', ' ')}{', ' + good if good else ''}"
            rows.append(Part(name, EQUATIONS.get(item, ""), usd))
    return Trace(number, value, "USD", "change of account = agreement - status quo, line by line", "11", _largest(rows))


def _counts(number: str, country: str, item: str, good: str, at: Places) -> bool:
    """Whether an account line is part of a number; the same rule as `headline.position`."""
    head, _, rest = number.partition(".")
    inside = country in at.inside
    if head == "gain":
        return country == rest or at.union.get(country) == rest
    if head == "group":
        return group_of(country, item, good, at) == rest
    return {
        "cost_to_parties": inside,
        "gain_of_parties": inside,
        "gain_of_outsiders": not inside and len(country) <= CODE,
        "gain_of_firms": not inside and len(country) > CODE,
        "gain_of_world": True,
        "gain_of_users": inside and item == "users",
        "gain_of_producers": inside and item == "producers",
        "gain_of_treasuries": inside and item in TREASURY,
        "levy_revenue": item == "levy",
        "rents_of_parties": inside and item in RENTS,
        "rents_outside": not inside and item in RENTS,
    }[number]


def _unserved(before: Outcome, after: Outcome) -> list[Part]:
    keys = ["good", "country"]
    old, new = ({(g, c): t for g, c, t in o.use.select(*keys, "unserved_t").iter_rows()} for o in (before, after))
    moved = {key: new.get(key, 0.0) - old.get(key, 0.0) for key in sorted({*old, *new})}
    return [Part(f"{good}, {country}", "U", t) for (good, country), t in moved.items() if t]


def _largest(rows: Sequence[Part]) -> tuple[Part, ...]:
    order = sorted(rows, key=lambda part: (-abs(part.value), part.name))
    rest = order[SHOWN:]
    more = [Part(f"{len(rest)} smaller lines", "", sum(part.value for part in rest))] if rest else []
    return (*order[:SHOWN], *more)
