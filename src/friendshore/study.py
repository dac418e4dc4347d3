"""What a draft agreement does, as a set of runs and the tables that answer the questions put to it.

Solves the base year, the status quo at a date, the agreement, two reactions to it (an export tax that harvests the levy, a
ban), the agreement with licences read as taxes, and a grid of elasticities. Prints nothing: `report` does.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from friendshore.agreement import schedule
from friendshore.agreement.document import digest
from friendshore.errors import MarketError
from friendshore.faces import Ban, ExportTax, Lane, PriceGap, Quota, Wedge
from friendshore.headline import CODE, Places, group_of, places
from friendshore.instruments.clause import in_force
from friendshore.market.network import Network
from friendshore.mean_price import price_paid, price_received
from friendshore.outcome import Outcome
from friendshore.protection import effective_protection
from friendshore.run import DEFAULT, Assumptions, clear_network, compare, compile_world, guard, measures
from friendshore.world.dependence import compared
from friendshore.world.tables import World

if TYPE_CHECKING:
    from friendshore.agreement.document import Agreement

SCALES = (0.5, 1.0, 2.0)
CUTS = {"volume": "covered tonnes", "strike": "strike", "rate": "rate", "purchases": "purchases"}
HOLDS = 0.99  # of the reference: an inside price this near is held
TOLD_USD = 1.0  # a line that moves by less in every reading is not told
LICENCE_FORMS = {
    "clause": pl.String, "good": pl.String, "levy_usd_as_quota": pl.Float64, "levy_usd_as_export_tax": pl.Float64,
    "rent_usd_as_quota": pl.Float64, "rent_usd_as_tax": pl.Float64,
}  # fmt: skip


@dataclass(frozen=True)
class Study:
    """The runs and the tables made from them; money in USD a year, masses in tonnes a year.

    floors      clause, good, article, illustrative, reference_usd_t, party, before_usd_t, after_usd_t, inside_ratio_before,
                inside_ratio_after, binds, holds, levied_t, levy_usd, sigma_holds
    outside     clause, good, before_usd_t, after_usd_t           mean producer price outside the parties
    levies      clause, good, exporter, importer, t, levy_usd_t, levy_usd
    pays        country, item, usd                                agreement less status quo
    pays_2024   country, item, usd                                agreement less the base year
    groups      group, usd
    suppliers   good, largest_before, share_before_pct, largest_after, share_after_pct
    reactions   reaction, world_usd, parties_usd, outsiders_usd, firms_usd, levy_usd, export_tax_usd, unserved_t, status;
                firms are parents that hold a base support and stand on neither side
    protection  good, stage, price_change_pct, input_cost_change_pct, effective_protection_pct
    licence_forms  clause, good, levy_usd_as_quota, levy_usd_as_export_tax, rent_usd_as_quota, rent_usd_as_tax
    dependence  good, country, stage, origin, kind, via, before, after    shares of what a party uses, at the ends of the chains
    stability   country, usd, rank, rank_min, rank_max
    bands       of, who, usd, low, high, low_in, high_in    the least and the most of an amount over the readings that were solved, and
                in which; null where the grid was not. `of` is side (parties, outside, firms, world, levy), union (with its budget),
                holder (of an account), group, or a line of the accounts, `who` then its holder
    lines       country, item, good, usd, low, high         the same for every line of every account, good by good
    price_ranges  good, side, usd_t, low, high              the same for prices under the agreement: what buyers in the parties pay
                (inside, weighted by what they took in the base year), what makers elsewhere receive (outside, by base output)
    """

    world_name: str
    deal_id: str
    title: str
    as_of: date
    horizon: int
    parties: tuple[str, ...]
    outcomes: dict[str, Outcome]
    floors: pl.DataFrame
    outside: pl.DataFrame
    levies: pl.DataFrame
    pays: pl.DataFrame
    pays_2024: pl.DataFrame
    groups: pl.DataFrame
    suppliers: pl.DataFrame
    reactions: pl.DataFrame
    protection: pl.DataFrame
    licence_forms: pl.DataFrame
    dependence: pl.DataFrame
    stability: pl.DataFrame
    bands: pl.DataFrame
    lines: pl.DataFrame
    price_ranges: pl.DataFrame
    kendall_tau_min: float | None
    draws: int
    readings: int
    levels: int
    illustrative: int
    seconds: float
    notes: tuple[str, ...]

    TABLES = (
        "floors", "outside", "levies", "pays", "pays_2024", "groups", "suppliers", "reactions", "protection",
        "licence_forms", "dependence", "stability", "bands", "lines", "price_ranges",
    )  # fmt: skip

    @cached_property
    def digest(self) -> str:
        """Twelve digits for every figure of the status quo and of the run under the agreement."""
        return digest([self.outcomes[name].digest for name in ("before", "agreement")])

    def document(self) -> dict[str, Any]:
        """The study as plain JSON values, without the outcomes."""
        plain = (
            "world_name",
            "deal_id",
            "title",
            "horizon",
            "parties",
            "kendall_tau_min",
            "draws",
            "readings",
            "levels",
            "illustrative",
            "seconds",
            "notes",
        )
        return {
            "as_of": self.as_of.isoformat(),
            **{name: getattr(self, name) for name in plain},
            **{name: getattr(self, name).to_dicts() for name in self.TABLES},
        }


def study(
    world: World,
    deal: Agreement,
    *,
    as_of: date | None = None,
    assume: Assumptions = DEFAULT,
    shocks: Iterable[Wedge] = (),
    progress: Callable[[str], None] = lambda _: None,
    stability: bool = True,
) -> Study:
    """Run an agreement against the status quo, its reactions and its assumptions.

    Parameters
    ----------
    world, deal : the base year and the draft
    as_of : date that picks the terms; the agreement's run date if None
    shocks : wedges of what others do meanwhile, in the status quo and the agreement alike
    progress : called with a sentence before each longer part
    stability : whether to solve the grid of 3 sigma and 3 epsilon scales too

    Raises
    ------
    InputRefused, MarketError   as `run.clear`
    """
    began = time.perf_counter()
    shocks = tuple(shocks)
    as_of = as_of or deal.run_date
    network = compile_world(world, assume)
    quo = [*measures(world, None, as_of, assume)[0], *shocks]
    full = [*measures(world, deal, as_of, assume)[0], *shocks]
    own = list(schedule.wedges(deal, world, as_of))
    levels = schedule.levels(deal, world, as_of)

    progress("clearing the base year, the status quo and the agreement")
    base = clear_network(world, network, measures(world, None, None, assume)[0], assume=assume, name="base year")
    before = clear_network(world, network, quo, assume=assume, as_of=as_of, name=f"status quo at {as_of}")
    after = clear_network(world, network, full, assume=assume, as_of=as_of, name=deal.id, start=before.state)
    after, held, sold = guard(world, network, deal, before, after, as_of=as_of, assume=assume, extra=shocks)
    if held is not deal:  # a safeguard has acted: all that follows is about the agreement as it then stands
        full = [*measures(world, held, as_of, assume)[0], *sold, *shocks]
        own = list(schedule.wedges(held, world, as_of))
    known = set(world.countries["code"])
    parties = schedule.setting(deal, world, as_of).insiders() & known or _parties(own)

    progress("the reactions: harvest, ban")
    outcomes = {"base": base, "before": before, "agreement": after}
    notes: list[str] = []
    harvest = harvest_taxes(after)
    target = _largest_outsider(before, own, parties)
    extra = {"harvest": harvest, "ban": export_ban(own, target, parties) if target else []}
    for name, wedges in extra.items():
        if not wedges:
            notes.append(
                f"The reaction '{name}' does not apply: no levy is charged."
                if name == "harvest"
                else f"The reaction '{name}' does not apply."
            )
            continue
        try:
            outcomes[name] = clear_network(
                world, network, [*full, *wedges], assume=assume, as_of=as_of, name=name, start=after.state
            )
        except MarketError as stuck:
            notes.append(f"The reaction '{name}' has no answer: {stuck}.")

    progress("with latent links, licences as taxes")
    readings: dict[str, tuple[Outcome, Outcome]] = {}
    said, linked = _latent(world, assume, as_of, quo, full, parties, before, after)
    notes += said
    if linked:
        readings["latent.off" if assume.latent else "latent.on"] = linked
    try:
        forms, *taxed = _licence_forms(world, network, assume, as_of, quo, full, own, before, after)
        notes += _taxes_sentence(world, parties, *taxed)
        if taxed[0] is not None and taxed[1] is not None:
            readings["licences.taxes"] = (taxed[0], taxed[1])
    except MarketError as stuck:
        notes.append(f"With licences read as taxes there is no answer: {stuck}.")
        forms = pl.DataFrame(schema=LICENCE_FORMS)
    grid: dict[tuple[float, float], tuple[Outcome, Outcome]] = {(1.0, 1.0): (before, after)}
    if stability:
        progress("stability over nine pairs of elasticities")
        grid |= _grid(world, assume, quo, full, as_of, before, after, notes)
    ranks, tau = _ranks(grid, known)
    readings |= {f"elasticities.{sigma:g}.{eps:g}": pair for (sigma, eps), pair in grid.items()}
    return Study(
        world_name=before.world,
        deal_id=deal.id,
        title=deal.title,
        as_of=as_of,
        horizon=assume.horizon,
        parties=tuple(sorted(parties)),
        outcomes=outcomes,
        floors=_floors(deal, own, before, after, grid),
        outside=_outside(own, parties, before, after),
        levies=_levies(own, after),
        pays=compare(before, after).by_country(),
        pays_2024=compare(base, after).by_country(),
        groups=_groups(places(world, parties), before, after),
        suppliers=_suppliers(own, parties, before, after),
        reactions=_reactions(parties, _budgets(world, parties), outcomes),
        protection=effective_protection(world, parties, before, after),
        licence_forms=forms,
        dependence=compared(world, before, after, parties),
        stability=ranks,
        bands=_bands(world, parties, readings, known=len(grid) > 1),
        lines=_lines(readings, known=len(grid) > 1),
        price_ranges=_price_ranges(parties, before, readings, known=len(grid) > 1),
        kendall_tau_min=tau,
        draws=len(grid),
        readings=len(readings) if len(grid) > 1 else 1,
        levels=len(levels),
        illustrative=sum(level.illustrative for level in levels),
        seconds=time.perf_counter() - began,
        notes=(*_said_by(after), *notes, *_limits(outcomes, target), *_assumed(deal, world, as_of)),
    )


# -- reactions ------------------------------------------------------------------------------------------------------------


def harvest_taxes(after: Outcome) -> list[Wedge]:
    """The exporters' answer that costs them nothing: on each levied route an export tax equal to the gap.

    tax = levy / (1 + tariff), so that duty paid reaches the reference. Under a fully phased floor on the landed price every
    price and tonne stays, and the money moves from the importers' treasuries to the exporters'.
    """
    rows = after.flows.filter((pl.col("levy_usd_t") > 0) & (pl.col("t") > 0))
    made: list[Wedge] = []
    for good, exporter, importer, levy, slope in rows.select(
        "good", "exporter", "importer", "levy_usd_t", "tariff"
    ).iter_rows():
        lane = Lane(good=good, exporters=frozenset({exporter}), importers=frozenset({importer}))
        made.append(ExportTax(clause=f"harvest.{good}", lane=lane, specific_usd_t=levy / (1.0 + slope), adds=True))
    return made


def export_ban(own: Iterable[Wedge], exporter: str, parties: frozenset[str]) -> list[Wedge]:
    """The hardest answer: one exporter sells none of the floored goods to the parties."""
    goods = sorted({w.lane.good for w in own if isinstance(w, PriceGap)})
    return [
        Ban(clause=f"ban.{good}", lane=Lane(good=good, exporters=frozenset({exporter}), importers=parties - {exporter}))
        for good in goods
    ]


def _parties(own: Iterable[Wedge]) -> frozenset[str]:
    """Countries that hold a floor; where there is none, those that any measure of the agreement names as importer or payer."""
    floors = [w.lane.importers for w in own if isinstance(w, PriceGap)]
    lanes = [w.lane.importers for w in own if hasattr(w, "lane")]
    producers = [w.producers for w in own if hasattr(w, "producers")]
    return frozenset().union(*(floors or lanes or producers))


def _largest_outsider(before: Outcome, own: Iterable[Wedge], parties: frozenset[str]) -> str | None:
    """The outsider that sells the parties most of the floored goods and what is made of them, by value in the base year."""
    floored = {w.lane.good for w in own if isinstance(w, PriceGap)}
    goods = floored | _downstream(before, floored) if floored else set()
    price = before.prices.select("good", pl.col("country").alias("exporter"), "base_usd_t")
    sold = (
        before.flows.filter(
            pl.col("good").is_in(goods) & pl.col("importer").is_in(parties) & ~pl.col("exporter").is_in(parties)
        )
        .join(price, on=["good", "exporter"])
        .group_by("exporter")
        .agg(usd=(pl.col("base_t") * pl.col("base_usd_t")).sum())
        .sort(["usd", "exporter"], descending=[True, False])
    )
    return None if sold.height == 0 or sold["usd"][0] <= 0 else str(sold["exporter"][0])


# -- tables ---------------------------------------------------------------------------------------------------------------


def _floors(
    deal: Agreement,
    own: list[Wedge],
    before: Outcome,
    after: Outcome,
    grid: dict[tuple[float, float], tuple[Outcome, Outcome]],
) -> pl.DataFrame:
    clauses = {clause.id: clause for clause in deal.clauses}
    old, new = _index(before), _index(after)
    by_sigma = {sigma: _index(pair[1]) for (sigma, eps), pair in sorted(grid.items()) if eps == 1.0}
    levied = {
        (g, j): (t, usd)
        for g, j, t, usd in after.flows.filter(pl.col("levy_usd_t") > 0)
        .group_by("good", "importer")
        .agg(pl.col("t").sum(), usd=(pl.col("t") * pl.col("levy_usd_t")).sum())
        .iter_rows()
    }
    rows = []
    for wedge in own:
        if not isinstance(wedge, PriceGap):
            continue
        clause = clauses.get(wedge.clause)
        for party in sorted(wedge.lane.importers):
            key = (wedge.lane.good, party)
            if key not in new:
                continue
            t, usd = levied.get(key, (0.0, 0.0))
            reference = wedge.reference_usd_t
            held = [f"x{s:g}" for s, index in by_sigma.items() if index.get(key, 0.0) >= HOLDS * reference]
            rows.append(
                {
                    "clause": wedge.clause,
                    "good": wedge.lane.good,
                    "article": getattr(clause, "article", "") or "",
                    "illustrative": bool(getattr(clause, "illustrative", False)),
                    "reference_usd_t": reference,
                    "party": party,
                    "before_usd_t": old.get(key, float("nan")),
                    "after_usd_t": new[key],
                    "inside_ratio_before": old.get(key, float("nan")) / reference,
                    "inside_ratio_after": new[key] / reference,
                    "binds": t > 0,
                    "holds": new[key] >= HOLDS * reference,
                    "levied_t": t,
                    "levy_usd": usd,
                    "sigma_holds": " ".join(held),
                }
            )
    schema = {
        "clause": pl.String, "good": pl.String, "article": pl.String, "illustrative": pl.Boolean, "reference_usd_t": pl.Float64,
        "party": pl.String, "before_usd_t": pl.Float64, "after_usd_t": pl.Float64, "inside_ratio_before": pl.Float64,
        "inside_ratio_after": pl.Float64, "binds": pl.Boolean, "holds": pl.Boolean, "levied_t": pl.Float64,
        "levy_usd": pl.Float64, "sigma_holds": pl.String,
    }  # fmt: skip
    return pl.DataFrame(rows, schema=schema).sort("clause", "party")


def _index(outcome: Outcome) -> dict[tuple[str, str], float]:
    return {(g, c): v for g, c, v in outcome.indices.select("good", "country", "usd_t").iter_rows()}


def _floored(own: Iterable[Wedge]) -> list[tuple[str, str]]:
    return sorted({(w.clause, w.lane.good) for w in own if isinstance(w, PriceGap)})


def _outside(own: list[Wedge], parties: frozenset[str], before: Outcome, after: Outcome) -> pl.DataFrame:
    outside = set(before.output["country"]) - parties
    received = [price_received(outcome, outside) for outcome in (before, after)]
    rows = [(clause, good, *(prices.get(good) for prices in received)) for clause, good in _floored(own)]
    schema = {"clause": pl.String, "good": pl.String, "before_usd_t": pl.Float64, "after_usd_t": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _levies(own: list[Wedge], after: Outcome) -> pl.DataFrame:
    clause = {
        (w.lane.good, i, j): w.clause
        for w in own
        if isinstance(w, PriceGap)
        for i in w.lane.exporters
        for j in w.lane.importers
    }
    rows = after.flows.filter((pl.col("levy_usd_t") > 0) & (pl.col("t") > 0)).select(
        "good", "exporter", "importer", "t", "levy_usd_t"
    )
    named = [clause.get((g, i, j), "") for g, i, j in rows.select("good", "exporter", "importer").iter_rows()]
    return (
        rows.with_columns(pl.Series("clause", named, dtype=pl.String), levy_usd=pl.col("t") * pl.col("levy_usd_t"))
        .select("clause", "good", "exporter", "importer", "t", "levy_usd_t", "levy_usd")
        .sort(["levy_usd", "good", "exporter", "importer"], descending=[True, False, False, False])
    )


def _groups(at: Places, before: Outcome, after: Outcome) -> pl.DataFrame:
    sums: dict[str, float] = {}
    old = {(c, i, g): v for c, i, g, v in before.by_good.iter_rows()}
    new = {(c, i, g): v for c, i, g, v in after.by_good.iter_rows()}
    for country, item, good in sorted({*old, *new}):
        usd = new.get((country, item, good), 0.0) - old.get((country, item, good), 0.0)
        key = group_of(country, item, good, at)
        sums[key] = sums.get(key, 0.0) + usd
    return pl.DataFrame(list(sums.items()), schema={"group": pl.String, "usd": pl.Float64}, orient="row").sort("group")


def _suppliers(own: list[Wedge], parties: frozenset[str], before: Outcome, after: Outcome) -> pl.DataFrame:
    def shares(outcome: Outcome, good: str) -> dict[str, float]:
        rows = outcome.flows.filter((pl.col("good") == good) & pl.col("importer").is_in(parties))
        total = float(rows["t"].sum())
        sold = (
            rows.filter(~pl.col("exporter").is_in(parties)).group_by("exporter").agg(pl.col("t").sum()).sort("exporter")
        )
        return {c: 100.0 * t / total for c, t in sold.iter_rows()} if total > 0 else {}

    rows: list[tuple[str, str, float, str, float]] = []
    goods = {g for _, g in _floored(own)} or set(before.flows["good"])
    for good in sorted(goods | _downstream(before, goods)):
        first, second = shares(before, good), shares(after, good)
        if first and second:
            top, end = max(first, key=lambda c: first[c]), max(second, key=lambda c: second[c])
            rows.append((good, top, first[top], end, second[end]))
    schema = {
        "good": pl.String,
        "largest_before": pl.String,
        "share_before_pct": pl.Float64,
        "largest_after": pl.String,
        "share_after_pct": pl.Float64,
    }
    return pl.DataFrame(rows, schema=schema, orient="row")


def _downstream(outcome: Outcome, goods: set[str]) -> set[str]:
    """Goods of the same minerals that carry no floor: where a floor could be passed by."""
    minerals = {g.split(".")[0] for g in goods}
    chain = {"ndpr": "ndfeb", "dysprosium": "ndfeb", "terbium": "ndfeb"}
    minerals |= {chain[m] for m in minerals if m in chain}
    return {g for g in outcome.flows["good"].unique() if g.split(".")[0] in minerals}


def _reactions(parties: frozenset[str], budgets: set[str], outcomes: dict[str, Outcome]) -> pl.DataFrame:
    before = outcomes["before"]
    names = {"none": "agreement", "harvest": "harvest", "ban": "ban"}
    rows = []
    for reaction, key in names.items():
        if key not in outcomes:
            continue
        outcome = outcomes[key]
        change = compare(before, outcome).by_country()
        inside = float(change.filter(pl.col("country").is_in([*parties, *budgets]))["usd"].sum())
        firms = float(change.filter(pl.col("country").str.len_chars() > CODE)["usd"].sum())
        total = float(change["usd"].sum())
        item = {i: float(v) for i, v in change.group_by("item").agg(pl.col("usd").sum()).iter_rows()}
        short = float(outcome.use["unserved_t"].sum())
        rows.append(
            (
                reaction,
                total,
                inside,
                total - inside - firms,
                firms,
                item.get("levy", 0.0),
                item.get("export_tax", 0.0),
                short,
                outcome.status,
            )
        )
    schema = {
        "reaction": pl.String, "world_usd": pl.Float64, "parties_usd": pl.Float64, "outsiders_usd": pl.Float64, "firms_usd": pl.Float64,
        "levy_usd": pl.Float64, "export_tax_usd": pl.Float64, "unserved_t": pl.Float64, "status": pl.String,
    }  # fmt: skip
    return pl.DataFrame(rows, schema=schema, orient="row")


def _latent(
    world: World,
    assume: Assumptions,
    as_of: date,
    quo: list[Wedge],
    full: list[Wedge],
    parties: frozenset[str],
    before: Outcome,
    after: Outcome,
) -> tuple[list[str], tuple[Outcome, Outcome] | None]:
    """One sentence on what changes when pairs that do not trade today may (or may not, where the run has them on); the two runs."""
    if not world.routes["latent"].any():
        return [], None
    other = replace(assume, latent=not assume.latent)
    network = compile_world(world, other)
    try:
        base = clear_network(world, network, measures(world, None, None, other)[0], assume=other)
        first = clear_network(world, network, quo, assume=other, as_of=as_of)
        second = clear_network(world, network, full, assume=other, as_of=as_of, start=first.state)
    except MarketError as stuck:
        return [f"With latent links {'on' if other.latent else 'off'} there is no answer: {stuck}."], None
    shift = float((base.output["t"] - base.output["base_t"]).abs().sum()) / float(base.output["base_t"].sum())

    def inside(one: Outcome, other: Outcome) -> float:
        change = compare(one, other).by_country()
        return float(change.filter(pl.col("country").is_in([*parties, *_budgets(world, parties)]))["usd"].sum()) / 1e6

    state = "on (pairs that do not trade today may)" if other.latent else "off"
    moved = f", which moves the base by {100 * shift:.2g} % of output" if other.latent else ""
    change = f"the parties change by USD {inside(first, second):+,.0f} million, here by {inside(before, after):+,.0f} million"
    return [f"With latent links {state}{moved}, {change}."], (first, second)


def _budgets(world: World, parties: frozenset[str]) -> set[str]:
    """Budgets of customs unions whose members are parties."""
    home = {t for c, t in world.countries.select("code", "territory").iter_rows() if c in parties}
    return {b for t, b in world.territories.select("code", "budget").iter_rows() if t in home and b}


def _licence_forms(
    world: World,
    network: Network,
    assume: Assumptions,
    as_of: date,
    quo: list[Wedge],
    full: list[Wedge],
    own: list[Wedge],
    before: Outcome,
    after: Outcome,
) -> tuple[pl.DataFrame, Outcome | None, Outcome | None]:
    """Levy and licence rent on goods whose exports are licensed, with the licence as a quota and as a tax.

    Read as a tax, a licence charges what it earns in the status quo and lets any tonnage pass: prices and flows of the
    status quo are the same, those of the agreement are not. Returns the table and the two outcomes under taxes.
    """
    schema = LICENCE_FORMS
    ids = {f"status_quo.{m}" for m in world.measures.filter(pl.col("kind") == "licence")["id"]} | set(
        world.licences["id"]
    )
    earned = {c: float(r) for c, k, r in before.rents.select("clause", "kind", "rent").iter_rows() if k == "quota"}

    def taxed(wedges: list[Wedge]) -> list[Wedge]:
        return [
            ExportTax(clause=w.clause, lane=w.lane, specific_usd_t=earned.get(w.clause, 0.0), adds=True)
            if isinstance(w, Quota) and w.clause in ids
            else w
            for w in wedges
        ]

    licensed = {w.lane.good for w in quo if isinstance(w, Quota) and w.clause in ids}
    if not licensed:
        return pl.DataFrame(schema=schema), None, None
    first = clear_network(world, network, taxed(quo), assume=assume, as_of=as_of)
    second = clear_network(world, network, taxed(full), assume=assume, as_of=as_of)

    def change(pair: tuple[Outcome, Outcome], items: tuple[str, ...], good: str) -> float:
        sums = [
            float(o.by_good.filter((pl.col("good") == good) & pl.col("item").is_in(items))["usd"].sum()) for o in pair
        ]
        return sums[1] - sums[0]

    clause = {good: name for name, good in _floored(own)}
    rents, quota, tax = ("quota_rent", "export_tax"), (before, after), (first, second)
    rows = [
        (
            clause.get(good, ""), good,
            change(quota, ("levy",), good), change(tax, ("levy",), good), change(quota, rents, good), change(tax, rents, good),
        )
        for good in sorted(licensed)
    ]  # fmt: skip
    shown = [row for row in rows if row[0] or max(abs(value) for value in row[2:]) > 1e3]
    return pl.DataFrame(shown, schema=schema, orient="row"), first, second


def _taxes_sentence(world: World, parties: frozenset[str], first: Outcome | None, second: Outcome | None) -> list[str]:
    """What the headline becomes when licences are taxes."""
    if first is None or second is None:
        return []
    change = compare(first, second).by_country()
    inside = float(change.filter(pl.col("country").is_in([*parties, *_budgets(world, parties)]))["usd"].sum()) / 1e6
    abroad = float(change.filter(pl.col("country").str.len_chars() <= CODE)["usd"].sum()) / 1e6 - inside
    said = f"the parties change by USD {inside:+,.0f} million, outsiders by {abroad:+,.0f} million"
    return [f"Export licences stand here as quotas. Read as taxes of the same height, {said}."]


def _grid(
    world: World,
    assume: Assumptions,
    quo: list[Wedge],
    full: list[Wedge],
    as_of: date,
    before: Outcome,
    after: Outcome,
    notes: list[str],
) -> dict[tuple[float, float], tuple[Outcome, Outcome]]:
    made = {}
    for sigma in SCALES:
        for eps in SCALES:
            if sigma == eps == 1.0:
                continue
            scaled = replace(assume, sigma_scale=assume.sigma_scale * sigma, eps_scale=assume.eps_scale * eps)
            network = compile_world(world, scaled)
            try:
                first = clear_network(world, network, quo, assume=scaled, as_of=as_of, start=before.state)
                made[sigma, eps] = (
                    first,
                    clear_network(world, network, full, assume=scaled, as_of=as_of, start=first.state),
                )
            except MarketError as stuck:
                notes.append(f"With sigma x{sigma:g} and epsilon x{eps:g} there is no answer: {stuck}.")
    return made


def _ranks(
    grid: dict[tuple[float, float], tuple[Outcome, Outcome]], countries: set[str]
) -> tuple[pl.DataFrame, float | None]:
    """Rank of every country by gain in each draw, and the smallest Kendall tau of a draw's order with the central one."""
    gains = {}
    for key, (before, after) in sorted(grid.items()):
        change = compare(before, after).by_country().group_by("country").agg(pl.col("usd").sum())
        gains[key] = {c: float(v) for c, v in change.iter_rows()}
    centre = gains[1.0, 1.0]
    order = sorted(countries & set(centre), key=lambda c: (-centre[c], c))  # budgets and firms are no countries
    values = np.array([[draw.get(c, 0.0) for c in order] for draw in gains.values()])
    ranks = np.argsort(np.argsort(-values, axis=1, kind="stable"), axis=1) + 1
    table = pl.DataFrame(
        {
            "country": order,
            "usd": [centre[c] for c in order],
            "rank": list(range(1, len(order) + 1)),
            "rank_min": ranks.min(axis=0),
            "rank_max": ranks.max(axis=0),
        },
        schema={"country": pl.String, "usd": pl.Float64, "rank": pl.Int64, "rank_min": pl.Int64, "rank_max": pl.Int64},
    )
    if len(gains) == 1:
        return table, None
    mine = np.array([centre[c] for c in order])
    # Countries that neither gain nor lose a tenth of a per cent of the largest change are left out of the order.
    large = np.abs(mine) > 1e-3 * np.abs(mine).max(initial=0.0)
    signs = np.sign(mine[large][:, None] - mine[large][None, :])
    pairs = np.abs(signs).sum()
    taus = [
        float((np.sign(row[large][:, None] - row[large][None, :]) * signs).sum() / pairs) if pairs else 1.0
        for row in values
    ]
    return table, min(taus)


CENTRE = "elasticities.1.1"


def _bands(
    world: World, parties: frozenset[str], readings: dict[str, tuple[Outcome, Outcome]], *, known: bool
) -> pl.DataFrame:
    """The least and the most of every amount over the readings, among them the central one; nulls where that is not known."""
    at = places(world, parties)
    names = sorted(readings)
    amounts = {name: _amounts(at, *readings[name]) for name in names}
    rows = []
    for key in sorted({key for held in amounts.values() for key in held}):
        each = [(amounts[name].get(key, 0.0), name) for name in names]
        (low, low_in), (high, high_in) = min(each), max(each)
        ends = (low, high, low_in, high_in) if known else (None, None, None, None)
        rows.append((*key, amounts[CENTRE].get(key, 0.0), *ends))
    schema = {
        "of": pl.String, "who": pl.String, "usd": pl.Float64, "low": pl.Float64, "high": pl.Float64, "low_in": pl.String,
        "high_in": pl.String,
    }  # fmt: skip
    return pl.DataFrame(rows, schema=schema, orient="row")


def _amounts(at: Places, before: Outcome, after: Outcome) -> dict[tuple[str, str], float]:
    """Every amount that a range is told of: of sides, unions, holders of accounts, groups, and lines of the accounts."""
    made: dict[tuple[str, str], float] = defaultdict(float)
    for country, item, usd in compare(before, after).by_country().iter_rows():
        side = "firms" if len(country) > CODE else "parties" if country in at.inside else "outside"
        union = at.union.get(country, country)
        for key in (("side", side), ("side", "world"), ("holder", country), ("union", union), (item, country)):
            made[key] += usd
        if item == "levy":
            made["side", "levy"] += usd
    for group, usd in _groups(at, before, after).iter_rows():
        made["group", group] = usd
    return dict(made)


def _lines(readings: dict[str, tuple[Outcome, Outcome]], *, known: bool) -> pl.DataFrame:
    """Every line of every account with the least and the most of it; a line that a reading lacks is nothing there."""
    keys = ["country", "item", "good"]

    def change(before: Outcome, after: Outcome) -> pl.DataFrame:
        signed = [side.by_good.select(*keys, usd=sign * pl.col("usd")) for side, sign in ((before, -1.0), (after, 1.0))]
        return pl.concat(signed).group_by(keys).agg(pl.col("usd").sum())

    each = {name: change(*readings[name]) for name in sorted(readings)}
    ends = pl.concat(each.values()).group_by(keys).agg(low=pl.col("usd").min(), high=pl.col("usd").max(), n=pl.len())
    absent = pl.col("n") < len(each)
    ends = ends.with_columns(
        low=pl.when(absent).then(pl.min_horizontal("low", 0.0)).otherwise("low"),
        high=pl.when(absent).then(pl.max_horizontal("high", 0.0)).otherwise("high"),
    )
    if not known:
        ends = ends.with_columns(low=pl.lit(None, pl.Float64), high=pl.lit(None, pl.Float64))
    told = ends.join(each[CENTRE], on=keys, how="left").with_columns(pl.col("usd").fill_null(0.0))
    moved = pl.max_horizontal(*(pl.col(name).abs() for name in ("usd", "low", "high"))) >= TOLD_USD
    return told.filter(moved).select(*keys, "usd", "low", "high").sort(keys)


def _price_ranges(
    parties: frozenset[str], before: Outcome, readings: dict[str, tuple[Outcome, Outcome]], *, known: bool
) -> pl.DataFrame:
    """The least and the most of every good's mean price under the agreement, inside and outside, over the readings."""
    outside = set(before.output["country"]) - parties

    def means(outcome: Outcome) -> dict[tuple[str, str], float]:
        sides = {"inside": price_paid(outcome, parties), "outside": price_received(outcome, outside)}
        return {(good, side): usd_t for side, prices in sides.items() for good, usd_t in prices.items()}

    each = {name: means(after) for name, (_, after) in readings.items()}
    rows = []
    for (good, side), usd_t in sorted(each[CENTRE].items()):
        held = [prices[good, side] for prices in each.values()]
        rows.append((good, side, usd_t, *((min(held), max(held)) if known else (None, None))))
    schema = {"good": pl.String, "side": pl.String, **dict.fromkeys(("usd_t", "low", "high"), pl.Float64)}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _assumed(deal: Agreement, world: World, as_of: date) -> list[str]:
    """What the clauses in force are taken to say where their text says nothing."""
    here = schedule.setting(deal.checked(world), world, as_of)
    return [f"Assumed: {said}" for clause in deal.clauses if in_force(clause, here) for said in clause.assumptions()]


def _said_by(after: Outcome) -> list[str]:
    """A sentence for every safeguard that was tested and every budget that binds."""
    said = [
        f"Safeguard {each['clause']} ({each['when']}): {each['finding']}"
        for each in after.settings.get("safeguards", ())
    ]
    for each in after.settings.get("budgets", ()):
        if each["binds"]:
            left = f"{100 * each['factor']:.3g} % of the {CUTS[each['cuts']]}"
            said.append(f"The budget of {each['clause']}, USD {each['budget_usd']:,.0f} a year, binds: {left} is left.")
    return said


def _limits(outcomes: dict[str, Outcome], target: str | None) -> tuple[str, ...]:
    """What must stand beside the results."""
    said = [
        "The date picks terms only: tonnes, base prices and capacities are those of 2024.",
        "Measures of others are carried on as they stood on 22 November 2026.",
        "Profits are counted where the plant stands, not where its owner lives.",
    ]
    if target and "ban" in outcomes:
        said.append(f"In the reaction 'ban' {target} sells none of the floored goods to the parties.")
    for name, outcome in outcomes.items():
        if name == "base":
            continue
        for good, country, low, high in outcome.undetermined[:3]:
            said.append(
                f"{outcome.name}: the price of {good} in {country} is indeterminate between {low:,.0f} and {high:,.0f} USD/t."
            )
    return tuple(said)
