"""Where does a number come from? Its equation, the parts that make it up, the clause and the sources behind each.

A price on a route is taken apart into what it is the sum of; what a country or a group gains, into the lines of its account, and
a line into the routes or the levels behind it; a share of supply into its origins, a product's cost into its minerals. Parts add
to the number exactly, and a part that is read from the world names its row's source.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import polars as pl

from friendshore.agreement import schedule
from friendshore.agreement.objective import MEASURES
from friendshore.downstream.products import KG, contents
from friendshore.downstream.tables import shipped_bills
from friendshore.downstream.tables import sources as bill_sources
from friendshore.errors import InputRefused, did_you_mean
from friendshore.faces import (
    Ban,
    Contract,
    Corridor,
    ExportTax,
    Offtake,
    Plant,
    PriceGap,
    Quota,
    Reserve,
    Subsidy,
    Tariff,
    TariffQuota,
)
from friendshore.headline import (
    CODE,
    MAKERS,
    RENTS,
    TREASURY,
    Places,
    bound,
    difference,
    group_of,
    inside_prices,
    places,
    position,
    supply,
)
from friendshore.mean_price import bought, price_paid, unit_value
from friendshore.run import DEFAULT, Assumptions, clear_network, compile_world, guard, measures
from friendshore.security.risk import supply_risk
from friendshore.world.imports.places import country_hint

if TYPE_CHECKING:
    from datetime import date

    from friendshore.agreement.document import Agreement
    from friendshore.faces import Wedge
    from friendshore.outcome import Outcome
    from friendshore.world.tables import World

ROUTE = ("delivered", "levy")
SUPPLY = ("import_reliance", "largest_supplier", "concentration", "imports", "output", "price_inside", "unit_value")
ASKED = (*ROUTE, "flow", "account", "product", "supply_risk", *SUPPLY)
WHAT = {  # how each kind of number is written
    **{name: f"{name}.ndpr.oxide.CHN.DEU" for name in (*ROUTE, "flow")},
    "account": "account.JPN.levy.ndpr.oxide",
    "product": "product.fighter aircraft.USA",
    "supply_risk": "supply_risk.ndpr.oxide",
    **{name: f"{name}.ndpr.oxide" for name in SUPPLY},
}
CAUSES: dict[str, tuple[type, ...]] = {  # the wedges that pay into an account line; all of a good's where it has none
    "levy": (PriceGap,),
    "undertaking_rent": (PriceGap,),
    "duty": (Tariff, TariffQuota),
    "trq_rent": (TariffQuota,),
    "export_tax": (ExportTax,),
    "quota_rent": (Quota, Ban, ExportTax),
    "contract": (Contract,),
    "subsidy": (Subsidy,),
    "investment": (Plant,),
    "public_investment": (Plant,),
    "offtake": (Offtake,),
    "reserve": (Reserve,),
    "corridor_rent": (Corridor,),
}
PAGE = "working with agreements, side by side"  # of the docs, for what the mathematics page does not have
PAID_FOR = ("contract", "subsidy", "base_support", "public_investment")  # to makers, by whomever
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
    "investment": "annuity of the building cost x tonnes of capacity built",
    "public_investment": "annuity of the building cost x tonnes of capacity built, paid by treasuries",
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
    """A number taken apart: parts that add to it, in its unit. `section` is that of the mathematics page,
    or names another page.

    clauses   id, article, title, sources with their addresses, of every clause behind a part
    sources   id, publisher, title, year, url, of everything a part was read from
    """

    number: str
    value: float
    unit: str
    equation: str
    section: str
    parts: tuple[Part, ...]
    notes: tuple[str, ...] = ()
    clauses: tuple[dict[str, Any], ...] = ()
    sources: tuple[dict[str, Any], ...] = ()

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
            "clauses": list(self.clauses),
            "sources": list(self.sources),
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
    number : `delivered.GOOD.EXPORTER.IMPORTER` or `levy.…`, USD per tonne, `flow.…`, tonnes; `gain.CODE`, `group.NAME` or a
        measure such as gain_of_parties, USD a year against the status quo, `account.CODE.ITEM.GOOD`, one line of them;
        under the agreement `import_reliance.GOOD` and the other measures of supply, `price_inside.GOOD` by buyer,
        `unit_value.GOOD` by source, `supply_risk.GOOD` of the European Union, `product.NAME.PLACE`, USD a unit
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
    at = places(world, bound(deal, world, as_of))
    case = _Case(world, held, as_of, before, after, at, tuple(shocks))
    return case.sourced(_trace(case, number))


def _trace(case: _Case, number: str) -> Trace:
    head, _, rest = number.partition(".")
    if head in ROUTE:
        return _route(case, number, rest)
    if head == "flow":
        return _flow(case, number, rest)
    if head == "account":
        return _line(case, number, rest)
    if head == "product":
        return _product(case, number, rest)
    if head == "supply_risk":
        return _risk(case, number, rest)
    if head in SUPPLY:
        return _supply(case, number, head, rest)
    values = difference(position(case.before, case.at), position(case.after, case.at))
    if number not in values:
        known = [*values, *(f"{name}." for name in ASKED)]
        hint = (
            _whose(head, rest, values)
            or did_you_mean(number, known)
            or f"a measure ({', '.join(n for n in values if n in MEASURES)}), gain.CODE, {', '.join(WHAT.values())}"
        )
        raise _unknown(f"the outcome has no number called {number!r}", hint)
    return _account(case, number, values[number])


def _whose(head: str, rest: str, values: Iterable[str]) -> str:
    """Whose gain was meant: `did you mean 'gain.GBR'?` for gain.UK; nothing where it is no gain of a country."""
    if head != "gain":
        return ""
    codes = [name.removeprefix("gain.") for name in values if name.startswith("gain.")]
    return country_hint(rest, codes).replace("mean '", "mean 'gain.") if rest else "write whose: gain.ITA, gain.EUN"


def _unknown(message: str, hint: str = "") -> InputRefused:
    return InputRefused.because("unknown-number", message, path="NUMBER", hint=hint)


@dataclass(frozen=True)
class _Case:
    """An agreement cleared beside its status quo."""

    world: World
    deal: Agreement
    as_of: date
    before: Outcome
    after: Outcome
    at: Places
    shocks: tuple[Wedge, ...]

    @cached_property
    def wedges(self) -> tuple[Wedge, ...]:
        return schedule.wedges(self.deal, self.world, self.as_of)

    def causes(self, item: str, good: str) -> str:
        """The clauses that pay into an account line, or act on a good or on what it is made from."""
        kinds = CAUSES.get(item)
        if kinds is not None:
            on = [w for w in self.wedges if isinstance(w, kinds) and good in _goods(w, self.world)]
        else:
            chain = self.made_from(good)
            on = [w for w in self.wedges if chain & _goods(w, self.world)]
        return ", ".join(dict.fromkeys(wedge.clause for wedge in on))

    def made_from(self, good: str) -> frozenset[str]:
        """A good and everything that goes into it, at whatever remove."""
        found, ahead = {good}, [good]
        while ahead:
            new = self._inputs.get(ahead.pop(), frozenset()) - found
            found |= new
            ahead += sorted(new)
        return frozenset(found)

    @cached_property
    def _inputs(self) -> dict[str, frozenset[str]]:
        """Good -> the goods that some activity makes it from."""
        rows = self.world.recipes.select("activity", "good", "role")
        made, used = (rows.filter(pl.col("role") == role).drop("role") for role in ("output", "input"))
        pairs = made.join(used, on="activity", suffix="_input").select("good", "good_input").unique()
        found: dict[str, set[str]] = {}
        for good, other in pairs.iter_rows():
            found.setdefault(good, set()).add(other)
        return {good: frozenset(held) for good, held in found.items()}

    def origin(self, item: str, country: str, good: str) -> str:
        """Who says what an account line's tonnes were in the base year."""
        if item == "users":
            rows = self.world.final_use.filter((pl.col("good") == good) & (pl.col("country") == country))
        elif item in MAKERS or item in PAID_FOR:
            made = self.world.recipes.filter((pl.col("good") == good) & (pl.col("role") == "output"))["activity"]
            makes = self.world.activities.filter(pl.col("id").is_in(made.to_list()))
            own = makes.filter(pl.col("country") == country)
            rows = (own if own.height else makes).sort("level_t", descending=True)
        else:
            side = "exporter" if item in ("export_tax", "quota_rent", "undertaking_rent") else "importer"
            rows = self.world.routes.filter((pl.col("good") == good) & (pl.col(side) == country))
            rows = rows.sort("flow_t", descending=True)
        return _said(rows)

    def sourced(self, found: Trace) -> Trace:
        """The trace with every clause and every source that its parts name, in full."""
        clauses = {clause.id: clause for clause in self.deal.clauses}
        named = [name for part in found.parts for name in part.clause.split(", ") if name in clauses]
        ids = [one for part in found.parts for one in re.split(r"[+;, ]+", part.source.partition(" (")[0]) if one]
        known = {row["id"]: row for row in self.world.sources.iter_rows(named=True)}
        known |= {row["id"]: row for row in bill_sources().iter_rows(named=True) if row["id"] not in known}
        told = []
        for name in dict.fromkeys(named):
            clause = clauses[name]
            quoted = [{"id": one, **self.deal.sources[one].model_dump(mode="json", exclude_defaults=True)}
                      for one in clause.source if one in self.deal.sources]  # fmt: skip
            told.append({"id": name, "article": clause.article, "title": clause.title, "illustrative": clause.illustrative,
                         "rule": " ".join(clause.rule.split()), "sources": quoted})  # fmt: skip
        return replace(
            found, clauses=tuple(told), sources=tuple(known[one] for one in dict.fromkeys(ids) if one in known)
        )


def _goods(wedge: Wedge, world: World) -> frozenset[str]:
    """The goods that a wedge names."""
    if isinstance(wedge, Corridor):
        return frozenset(lane.good for lane in wedge.lanes)
    if isinstance(wedge, Plant):
        made = world.recipes.filter(pl.col("activity").is_in(sorted(wedge.activities)) & (pl.col("role") == "output"))
        return frozenset(made["good"])
    return frozenset({wedge.lane.good if hasattr(wedge, "lane") else wedge.good})


# -- a price on a route -------------------------------------------------------------------------------------------------


def _route(case: _Case, number: str, rest: str) -> Trace:
    world, after = case.world, case.after
    good, exporter, importer = _names(rest, number)
    flow = _row(case, rest, good, exporter, importer)
    parts = _landed(world, after, flow, good, exporter, importer)
    levy, notes = _levy(case.deal, world, flow, good, exporter, importer, case.as_of)
    if number.startswith("levy."):
        return Trace(number, flow["levy_usd_t"], "USD/t", "levy = phase x max(0, R - base)", "3", tuple(levy), notes)
    whole = Part("levy", "levy", flow["levy_usd_t"], clause=levy[0].clause if levy else "")
    equation = "d = p (1 + x) + xs + rho + f + e + kappa + duty + levy"
    return Trace(number, flow["delivered_usd_t"], "USD/t", equation, "3", (*parts, whole), notes)


def _row(case: _Case, rest: str, good: str, exporter: str, importer: str) -> dict[str, Any]:
    here = (pl.col("good") == good) & (pl.col("exporter") == exporter) & (pl.col("importer") == importer)
    rows = case.after.flows.filter(here)
    if rows.height == 0:
        there = [".".join(row) for row in case.after.flows.select("good", "exporter", "importer").iter_rows()]
        raise _unknown(f"{exporter} sells no {good} to {importer} in this outcome", did_you_mean(rest, there))
    return rows.row(0, named=True)


def _flow(case: _Case, number: str, rest: str) -> Trace:
    """Tonnes on a route: what take-or-pay ships, and the share of the rest."""
    good, exporter, importer = _names(rest, number)
    flow = _row(case, rest, good, exporter, importer)
    promised = sum(
        wedge.tonnes
        for wedge in (*case.wedges, *case.shocks)
        if isinstance(wedge, Offtake)
        and (wedge.good, wedge.exporter, wedge.importer) == (good, exporter, importer)
        and flow["open"]
    )
    market = case.after.flows.filter((pl.col("good") == good) & (pl.col("importer") == importer))
    here = (pl.col("good") == good) & (pl.col("exporter") == exporter) & (pl.col("importer") == importer)
    said = _said(case.world.routes.filter(here))
    parts = (
        Part("take-or-pay tonnes of offtakes", "O", promised, clause=case.causes("offtake", good)),
        Part("tonnes of the base year", "w0 S", float(flow["base_t"]), source=said),
        Part(
            "change: dearer or cheaper than its rivals, and what the market takes",
            "w S - w0 S",
            float(flow["t"]) - promised - float(flow["base_t"]),
            clause=case.causes("", good),
        ),
    )
    notes = (f"Of {float(market['t'].sum()):,.6g} t that arrive in {importer} from everywhere, home sales included.",)
    return Trace(number, float(flow["t"]), "t", "q = O + w S", "4", parts, notes)


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
    note = f": {row['note']}" if row.get("note") else ""
    return f"{row['source']} ({row['year']}, {row['reliability']}){note}"


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


def _account(case: _Case, number: str, value: float) -> Trace:
    """The account lines that a gain is the sum of, largest first, each with the clauses that act on its good."""
    before, after, at = case.before, case.after, case.at
    if number == "unserved":
        rows = _unserved(before, after)
        return Trace(number, value, "t", "U = 0 where V < V_max", "7", _largest(rows))
    sign = -1.0 if number == "cost_to_parties" else 1.0
    old = {(c, i, g): v for c, i, g, v in before.by_good.iter_rows()}
    new = {(c, i, g): v for c, i, g, v in after.by_good.iter_rows()}
    lines = []
    for country, item, good in sorted({*old, *new}):
        usd = sign * (new.get((country, item, good), 0.0) - old.get((country, item, good), 0.0))
        if usd and _counts(number, country, item, good, at):
            lines.append(((country, item, good), usd))
    lines.sort(key=lambda line: (-abs(line[1]), line[0]))
    rows = [
        Part(
            f"{country}, {item.replace('_', ' ')}{', ' + good if good else ''}",
            EQUATIONS.get(item, ""),
            usd,
            source=case.origin(item, country, good) if n < SHOWN else "",
            clause=case.causes(item, good) if n < SHOWN else "",
        )
        for n, ((country, item, good), usd) in enumerate(lines)
    ]
    note = "A line is taken apart by its own name: account.JPN.levy.ndpr.oxide is that of Japan's levies on the oxide."
    equation = "change of account = agreement - status quo, line by line"
    return Trace(number, value, "USD", equation, "11", _largest(rows), (note,))


def _line(case: _Case, number: str, rest: str) -> Trace:
    """One line of an account: the routes behind a duty or a levy, else its level under the agreement and in the status quo."""
    lines = [{(c, i, g): v for c, i, g, v in outcome.by_good.iter_rows()} for outcome in (case.before, case.after)]
    there = {".".join(filter(None, key)): key for key in sorted({*lines[0], *lines[1]})}
    if rest not in there:
        raise _unknown(f"no account has a line called {rest!r}", did_you_mean(rest, list(there)) or WHAT["account"])
    country, item, good = there[rest]
    old, new = (held.get((country, item, good), 0.0) for held in lines)
    clause, source = case.causes(item, good), case.origin(item, country, good)
    equation = EQUATIONS.get(item, "")
    if item in ("duty", "levy"):
        parts = _collected(case, country, item, good, new - old, clause)
        return Trace(number, new - old, "USD", equation, "11", _largest(parts))
    parts = [
        Part("under the agreement, against the base year", equation, new, source=source, clause=clause),
        Part("less in the status quo of the day", equation, -old),
    ]
    return Trace(number, new - old, "USD", equation, "11", tuple(parts), tuple(_inputs(case, country, item, good)))


def _collected(case: _Case, country: str, item: str, good: str, usd: float, clause: str) -> list[Part]:
    """What a treasury takes on every route, its kept share or what the members of its union pass on."""
    home = dict(case.world.countries.select("code", "territory").iter_rows())
    kept = dict(case.world.territories.select("code", "kept_share").iter_rows())

    def share(importer: str) -> float:
        own = kept.get(home.get(importer, importer))
        own = 1.0 if own is None else float(own)
        if importer == country:
            return own
        return 1.0 - own if home.get(importer) == country and importer != country else 0.0

    sums: dict[tuple[str, str], float] = {}
    for outcome, sign in ((case.after, 1.0), (case.before, -1.0)):
        rows = outcome.flows.filter((pl.col("good") == good) & (pl.col("t") > 0))
        for exporter, importer, t, each in rows.select("exporter", "importer", "t", f"{item}_usd_t").iter_rows():
            if exporter != importer and (held := share(importer)):
                sums[exporter, importer] = sums.get((exporter, importer), 0.0) + sign * held * t * each
    parts = []
    for (exporter, importer), value in sums.items():
        if not value:
            continue
        here = (pl.col("good") == good) & (pl.col("exporter") == exporter) & (pl.col("importer") == importer)
        said = _said(case.world.routes.filter(here))
        symbol = f"{share(importer):.3g} x {item} a tonne x t"
        parts.append(Part(f"{exporter} to {importer}", symbol, value, source=said, clause=clause))
    rest = usd - sum(part.value for part in parts)
    if abs(rest) > 1e-6 * max(1.0, abs(usd)):
        parts.append(Part("less what licence owners or sellers keep of it", "", rest))
    return parts


def _inputs(case: _Case, country: str, item: str, good: str) -> list[str]:
    """The figures that a surplus follows from, before and after."""
    here = (pl.col("good") == good) & (pl.col("country") == country)
    if item == "users":
        table, word, names = "indices", "cost index", ("usd_t", "t")
    elif item in MAKERS:
        table, word, names = "prices", "price", ("usd_t", "t")
    else:
        return []
    said = []
    for when, outcome in (("In the status quo", case.before), ("Under the agreement", case.after)):
        price = getattr(outcome, table).filter(here)
        amount = (outcome.use if item == "users" else outcome.output).filter(here)
        if price.height and amount.height:
            said.append(f"{when}: {word} {price[names[0]][0]:,.6g} USD/t, {amount[names[1]][0]:,.6g} t.")
    return said


# -- on whom supply hangs, and what a product costs -------------------------------------------------------------------


def _supply(case: _Case, number: str, measure: str, good: str) -> Trace:
    """A measure of the parties' supply under the agreement, by origin."""
    spent = {f"unit_value.{name}": usd_t for name, usd_t in unit_value(case.after, case.at.parties).items()}
    figures = supply(case.after, case.at) | inside_prices(case.after, case.at) | spent
    if number not in figures:
        there = [name for name in figures if name.startswith(f"{measure}.")]
        raise _unknown(f"the parties take no good called {good!r}", did_you_mean(number, there) or WHAT[measure])
    value = figures[number]
    if measure == "output":
        rows = case.after.output.filter((pl.col("good") == good) & pl.col("country").is_in(case.at.parties))
        made = [(c, float(t)) for c, t in rows.select("country", "t").iter_rows() if t]
        parts = [Part(c, "sum of output x level", t, case.origin("producers", c, good)) for c, t in made]
        return Trace(number, value, "t", "output = sum over activities of coefficient x level", "6", _largest(parts))
    if measure == "price_inside":
        return _price_inside(case, number, value, good)
    taken = case.after.flows.filter(
        (pl.col("good") == good) & pl.col("importer").is_in(case.at.parties) & (pl.col("t") > 0)
    )
    total = float(taken["t"].sum())
    largest = max(((t, code) for code, t in _by_origin(taken) if code not in case.at.parties), default=(0.0, ""))[1]
    unit, equation, symbol = {
        "import_reliance": ("%", "outsiders' tonnes / all tonnes that the parties take", "100 t / T"),
        "largest_supplier": ("%", "tonnes of the largest outsider / all tonnes that the parties take", "100 t / T"),
        "concentration": ("", "HHI = sum over origins of (100 t / T)^2", "(100 t / T)^2"),
        "imports": ("t", "tonnes that outsiders sell to the parties", "t"),
        "unit_value": ("USD/t", "sum over origins of t / T x delivered price", "t / T x d"),
    }[measure]
    parts = []
    for code, t in _by_origin(taken):
        share = 100.0 * t / total
        outside = code not in case.at.parties
        if measure == "unit_value":
            rows = taken.filter(pl.col("exporter") == code)
            held = float((rows["t"] * rows["delivered_usd_t"]).sum()) / total
        elif measure == "concentration":
            held = share**2
        elif not outside or (measure == "largest_supplier" and code != largest):
            continue
        else:
            held = t if measure == "imports" else share
        routes = case.world.routes.filter(
            (pl.col("good") == good) & (pl.col("exporter") == code) & pl.col("importer").is_in(case.at.parties)
        ).sort("flow_t", descending=True)
        parts.append(Part(code, symbol, held, _said(routes), case.causes("", good)))
    return Trace(number, value, unit, equation, PAGE, _largest(parts), (f"The parties take {total:,.6g} t.",))


def _price_inside(case: _Case, number: str, value: float, good: str) -> Trace:
    """What the parties' buyers pay on average, buyer by buyer."""
    buyers = pl.col("country").is_in(case.at.parties) & (pl.col("weight_t") > 0)
    rows = bought(case.after).filter((pl.col("good") == good) & buyers)
    total = float(rows["weight_t"].sum())
    parts = []
    for code, usd_t, t in rows.select("country", "usd_t", "weight_t").iter_rows():
        routes = case.world.routes.filter((pl.col("good") == good) & (pl.col("importer") == code))
        source = _said(routes.sort("flow_t", descending=True))
        name = f"{code}, {t:,.4g} t of the base year at {usd_t:,.6g} USD/t"
        parts.append(Part(name, "b / B x V", t / total * usd_t, source, case.causes("", good)))
    said = (
        f"They took {total:,.6g} t in the base year, by which each counts in every run: only prices move it.",
        f"What they spend over what they take, source by source: unit_value.{good}.",
    )
    equation = "sum over buyers of b / B x cost index"
    return Trace(number, value, "USD/t", equation, "decisions, a price inside", _largest(parts), said)


def _by_origin(taken: pl.DataFrame) -> list[tuple[str, float]]:
    sums = taken.group_by("exporter").agg(pl.col("t").sum()).sort("exporter")
    return [(code, float(t)) for code, t in sums.iter_rows()]


def _risk(case: _Case, number: str, good: str) -> Trace:
    """Supply risk of the European Union as its two terms."""
    members = frozenset(case.world.countries.filter(pl.col("territory") == "EUN")["code"])
    table = supply_risk(case.world, case.after, members)
    rows = table.filter(pl.col("good") == good)
    if rows.height == 0:
        raise _unknown(f"no supply risk is counted of {good!r}", did_you_mean(good, table["good"].to_list()))
    row = rows.row(0, named=True)
    left = 1.0 - row["recycled"]
    half = row["import_reliance"] / 2.0
    parts = (
        Part("where the world makes it", "HHI_GS IR / 2 (1 - EOL)", row["world_hhi"] * half * left),
        Part("where the Union takes it", "HHI_EU (1 - IR / 2) (1 - EOL)", row["sourcing_hhi"] * (1.0 - half) * left),
    )
    said = (
        f"HHI_GS {row['world_hhi']:.4g}, HHI_EU {row['sourcing_hhi']:.4g}, IR {row['import_reliance']:.4g}, EOL "
        f"{row['recycled']:.4g}, SI 1; {100 * row['unrated']:.3g} % of the world's output has no governance indicator."
    )
    named = (
        "Governance: World Bank 2022, 0 best, 10 worst; terms of trade and formula: European Commission (2017, 2023)."
    )
    equation = "SR = (HHI_GS IR / 2 + HHI_EU (1 - IR / 2)) (1 - EOL) SI"
    return Trace(number, row["risk"], "", equation, PAGE, parts, (said, named))


def _product(case: _Case, number: str, rest: str) -> Trace:
    """The cost of the minerals in a product under the agreement, mineral by mineral."""
    name, _, place = rest.rpartition(".")
    bills = shipped_bills()
    if name not in bills["product"]:
        products = bills["product"].unique(maintain_order=True).to_list()
        raise _unknown(f"no product is called {name!r}", did_you_mean(name, products) or WHAT["product"])
    union = case.world.countries.filter(pl.col("territory") == place)["code"].to_list()
    inside = case.at.parties if place == "parties" else frozenset(union or [place])
    prices = price_paid(case.after, inside)
    held = contents(name, bills)
    missing = [one.good for one in held if one.good not in prices]
    if missing:
        raise _unknown(
            f"{place} took no {', '.join(missing)} in the base year, so that {name} has no cost there",
            "parties, EUN, a code",
        )
    parts = [
        Part(
            f"{one.good}, {one.kg:,.4g} kg x {prices[one.good]:,.6g} USD/t",
            "kg / 1000 x price",
            one.kg / KG * prices[one.good],
            f"{'+'.join(one.sources)} ({one.year}, {one.reliability}){': ' + one.note if one.note else ''}",
            case.causes("", one.good),
        )
        for one in held
    ]
    unit = bills.filter(pl.col("product") == name)["unit"][0]
    value = sum(part.value for part in parts)
    equation = "cost = sum over parts of kg / 1000 x price"
    return Trace(number, value, f"USD/{unit}", equation, PAGE, tuple(parts))


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
        "gain_of_producers": inside and item in MAKERS,
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
