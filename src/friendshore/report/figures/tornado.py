"""On which numbers does the parties' gain hang? Its slope by every term and assumption, from one adjoint solve of each side.

J = account of the parties under the agreement less that under the status quo; a term t that is larger by a tenth moves it by
0.1 t dJ/dt. Slopes are those at the solution: a bound that holds stays where it is, and nothing is calibrated anew.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from friendshore.errors import MarketError
from friendshore.faces import Quota
from friendshore.market.budget import settle
from friendshore.market.equilibrium import solve
from friendshore.market.sensitivity import Sensitivity, balance, sensitivities
from friendshore.report.figures import screen
from friendshore.report.figures.figure import Figure
from friendshore.report.figures.palette import INK, RULE, of_sign
from friendshore.report.figures.who_pays import numbered
from friendshore.run import compile_world, measures, widened

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

    from friendshore.faces import Wedge
    from friendshore.market.network import Network
    from friendshore.market.policy import Policy
    from friendshore.outcome import Outcome
    from friendshore.report.figures.subject import Subject

SHOWN = 14
STEP = 0.1  # of a term: by how much it is moved
Term = tuple[str, str]  # kind of term, good or clause
Moves = dict[Term, float]


def draw(subject: Subject) -> Figure | None:
    """The tornado; nothing where the market has no slopes, because its goods are homogeneous or a price is undetermined."""
    words = subject.words
    try:
        moves = _moves(subject)
    except MarketError:
        return None
    rows = sorted(
        ((kind, name, usd) for (kind, name), usd in moves.items() if abs(usd) >= 1.0),
        key=lambda row: (-abs(row[2]), row[:2]),
    )
    if not rows:
        return None
    shown = rows[:SHOWN]
    table = pl.DataFrame(
        [(_label(subject, kind, name), name if name in subject.minerals else "", usd) for kind, name, usd in rows],
        schema={"term": pl.String, "good": pl.String, "usd": pl.Float64}, orient="row",
    )  # fmt: skip
    kind, name, usd = shown[0]
    return Figure(
        name="tornado",
        title=words.say("figure.tornado.title", term=_label(subject, kind, name), usd=words.usd(usd, True)),
        subtitle=words.say("figure.tornado.subtitle"),
        caption=subject.caption([row[1] for row in shown]),
        table=table,
        columns={"term": words.say("column.term"), "good": words.say("column.good"), "usd": words.say("column.slope")},
        spec=_screen(subject, shown),
        paint=lambda canvas: _paper(canvas, subject, shown),
        height=0.8 + 0.27 * len(shown),
        lang=words.lang,
        notes=_notes(subject),
        equations=("slope", "gain"),
    )  # fmt: skip


def _notes(subject: Subject) -> tuple[str, ...]:
    words, left = subject.words, sorted(undetermined(subject.before) | undetermined(subject.after))
    held = (words.say("figure.tornado.left_out", goods=words.listed(map(words.good, left))),) if left else ()
    return (words.say("figure.tornado.note"), *held)


def _moves(subject: Subject) -> Moves:
    """What a tenth more of each term does to the parties' gain, USD a year."""
    study, network = subject.study, compile_world(subject.world, subject.assume)
    quo = [*measures(subject.world, None, study.as_of, subject.assume)[0], *subject.shocks]
    full = [*measures(subject.world, subject.deal, study.as_of, subject.assume)[0], *subject.shocks]
    built = widened(network, full, mass_unit_t=subject.world.mass_unit_t)
    with_it = _slopes(subject, built, full, subject.after.state)
    without = _slopes(subject, network, quo, subject.before.state)
    open_ = undetermined(subject.before) | undetermined(subject.after)
    hanging = {w.clause for w in full if isinstance(w, Quota) and w.lane.good in open_}
    kept = sorted(term for term in {*with_it, *without} if term[1] not in open_ | hanging)
    moves = {term: STEP * (with_it.get(term, 0.0) - without.get(term, 0.0)) for term in kept}
    # Six digits: terms that mean the same differ by the rounding of a linear solve, and must not change places with it.
    return {term: float(f"{usd:.6g}") for term, usd in moves.items() if np.isfinite(usd)}


def undetermined(outcome: Outcome) -> set[str]:
    """Goods that two markets or more go without: which of them gets the tonnes that there are is open."""
    short = outcome.use.filter(pl.col("unserved_t") > 0).group_by("good").len().filter(pl.col("len") > 1)
    return set(short["good"])


def _slopes(subject: Subject, network: Network, wedges: Iterable[Wedge], start: Any) -> Moves:
    """Every term times its slope, of one side, summed over all that bears one name."""
    settled = settle(network, wedges, lambda policy, near: solve(network, policy, start=near), start=start)
    read = balance(network, settled.policy, settled.solved, subject.at.inside)
    slope = sensitivities(network, settled.policy, settled.solved, read, hold_undetermined=True)
    return _summed(network, settled.policy, slope)


def _summed(network: Network, policy: Policy, slope: Sensitivity) -> Moves:
    goods, found = network.goods, defaultdict[Term, float](float)
    by_route = [goods[g] for g in network.route_good]
    by_market = [goods[g] for g in network.market_good]
    made: dict[int, str] = {}
    for k, s in zip(network.out_activity, network.out_source):
        made.setdefault(int(k), goods[network.source_good[s]])
    by_activity = [made.get(k, "") for k in range(len(network.activities))]

    def add(kind: str, names: Iterable[str], value: Any, slopes: Any) -> None:
        finite = np.where(np.isfinite(value), value, 0.0)
        for name, usd in zip(names, finite * slopes, strict=True):
            if usd != 0.0 and name:
                found[kind, name] += float(usd)

    floor = [policy.floor_clause[k] if k >= 0 else "" for k in policy.floor_index]
    add("reference", floor, policy.reference, slope.policy["reference"])
    add("freight", by_route, policy.freight, slope.policy["freight"])
    add("sigma", by_market, network.theta, slope.network["theta"])
    add("demand", by_market, network.demand.level, slope.network["demand.level"])
    add("eps", by_activity, network.supply.eps, slope.network["supply.eps"])
    add("capacity", by_activity, network.capacity, slope.network["capacity"])
    add("cost", by_activity, network.fixed_cost, slope.network["fixed_cost"])
    quotas = [group.clause for group in policy.quotas]
    add("quota", quotas, np.array([group.tonnes for group in policy.quotas]), slope.policy["quota_tonnes"])
    return found


def _label(subject: Subject, kind: str, name: str) -> str:
    words = subject.words
    who = subject.good(name) if name in subject.minerals else name
    if kind == "reference":
        clause = next((c for c in subject.deal.clauses if c.id == name), None)
        good = getattr(clause, "good", "")
        who = subject.good(good) if good in subject.minerals else name
    if kind == "quota" and (lane := subject.limited.get(name)) is not None:
        who = f"{subject.good(lane.good)}, {words.listed(subject.name(code) for code in sorted(lane.exporters))}"
        if len(lane.importers) == 1:
            who += f" → {subject.name(next(iter(lane.importers)))}"
    return words.say(f"figure.tornado.{kind}", who=who)


def _screen(subject: Subject, rows: list[tuple[str, str, float]]) -> dict[str, Any]:
    words = subject.words
    names = [_label(subject, kind, name) for kind, name, _ in rows]
    traces = []
    for sign, key in ((1.0, "more"), (-1.0, "less")):
        values = [sign * usd for *_, usd in rows]
        traces.append(
            screen.bars(
                names, [value / 1e6 for value in values], colours=[of_sign(value) for value in values],
                labels=[words.millions(value, True) if sign > 0 else "" for value in values],
                hover=[f"<b>{name}</b><br>{words.say(f'figure.tornado.{key}')}: {words.usd(value, True)}" for name, value in zip(names, values)],
                opacity=1.0 if sign > 0 else 0.45,
            )
        )  # fmt: skip
    held = screen.layout(
        words.lang, 120 + 32 * len(rows), barmode="overlay", yaxis={"autorange": "reversed"},
        xaxis={"title": {"text": words.say("axis.usd_million"), "standoff": 8}},
    )  # fmt: skip
    return {"data": traces, "layout": held}


def _paper(canvas: Canvas, subject: Subject, rows: list[tuple[str, str, float]]) -> None:
    words, axes = subject.words, canvas.subplots()
    values = [usd / 1e6 for *_, usd in rows]
    axes.barh(range(len(rows)), values, color=[of_sign(v) for v in values], height=0.66)
    axes.barh(range(len(rows)), [-v for v in values], color=[of_sign(-v) for v in values], height=0.66, alpha=0.45)
    for k, value in enumerate(values):
        axes.annotate(
            words.millions(1e6 * value, True), (value, k), xytext=(4 if value >= 0 else -4, 0), textcoords="offset points",
            va="center", ha="left" if value >= 0 else "right", size=7.5,
        )  # fmt: skip
    axes.set_yticks(range(len(rows)), [_label(subject, kind, name) for kind, name, _ in rows])
    axes.invert_yaxis()
    axes.margins(x=0.12)
    axes.axvline(0.0, color=INK, linewidth=0.8)
    axes.set_xlabel(words.say("axis.usd_million"))
    axes.grid(axis="x", color=RULE, linewidth=0.4)
    axes.set_axisbelow(True)
    axes.tick_params(length=0)
    numbered(axes, subject)
