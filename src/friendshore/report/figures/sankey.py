"""Whose ore is refined where, made into what, and used by whom? A mineral's tonnes from mine to product, before and after."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from friendshore.report.figures import screen
from friendshore.report.figures.figure import Figure
from friendshore.report.figures.palette import INK, SOFT, of_country

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

    from friendshore.outcome import Outcome
    from friendshore.report.figures.subject import Subject

NAMED = 6  # countries of a chain that stand alone; the rest is summed by side
LEAST = 0.001  # of a chain's tonnes: thinner flows are left out of the drawing
INSIDE, OUTSIDE = "*in", "*out"
GAP = 0.035  # between two places of a stage, of the height
Node = tuple[int, str]  # stage of the chain, place
Flows = dict[tuple[Node, Node, str], float]


@dataclass(frozen=True)
class Chain:
    """A mineral's goods along the chain, and the places that stand alone."""

    mineral: str
    good: str
    depth: dict[str, int]
    goes_to: dict[str, int]  # good -> stage of what is made of it
    alone: frozenset[str]

    @property
    def end(self) -> int:
        """The place of final use."""
        return max(self.depth.values()) + 1


def draw(subject: Subject) -> Figure | None:
    """The flows of every mineral with two stages or more; the one that the agreement moves most is shown first."""
    words = subject.words
    chains = _chains(subject)
    if not chains:
        return None
    chosen = subject.minerals[subject.chosen]
    chain = next((c for c in chains if c.mineral == chosen), chains[0])
    runs = {"before": subject.before, "after": subject.after}
    flows = {(c.mineral, name): _flows(subject, c, run) for c in chains for name, run in runs.items()}
    return Figure(
        name="sankey",
        title=_title(subject, chain),
        subtitle=words.say("figure.sankey.subtitle", mineral=_mineral(subject, chain.mineral)),
        caption=subject.caption(),
        table=_table(subject, chains),
        columns={
            "good": words.say("column.good"), "exporter": words.say("column.exporter"), "importer": words.say("column.importer"),
            "before_t": words.say("column.before_t"), "after_t": words.say("column.after_t"),
        },
        spec=_screen(subject, chains, flows, chain),
        paint=lambda canvas: _paper(canvas, subject, chain, flows),
        height=7.0,
        lang=words.lang,
        notes=(words.say("figure.sankey.note", least=words.percent(LEAST, places=1)),),
        mineral=chain.mineral,
        equations=("sourcing", "dependence"),
    )  # fmt: skip


def _mineral(subject: Subject, mineral: str) -> str:
    key = f"mineral.{mineral}"
    return subject.words.say(key) if subject.words.has(key) else mineral


# -- the chain ----------------------------------------------------------------------------------------------------------


def _chains(subject: Subject) -> list[Chain]:
    made: dict[str, set[str]] = defaultdict(set)  # good -> goods of its mineral that are made of it
    recipes = subject.world.recipes
    inputs = recipes.filter(pl.col("role") == "input").select("activity", source="good")
    outputs = recipes.filter(pl.col("role") == "output").select("activity", target="good")
    for source, target in inputs.join(outputs, on="activity").select("source", "target").unique().iter_rows():
        same = subject.minerals.get(source) == subject.minerals.get(target)
        if same and source != target and subject.at.stage.get(source) != "scrap":
            made[source].add(target)
    floored = list(subject.study.floors["good"])
    chains = []
    for mineral in sorted(set(subject.minerals.values())):
        goods = subject.mineral_goods(mineral)
        centre = next((good for good in (subject.chosen, *floored) if subject.minerals[good] == mineral), "")
        kept = {g for g in goods if not centre or g == centre or centre in _after(g, made) or g in _after(centre, made)}
        depth = _depths({g for g in kept if g in made or any(g in made[s] for s in kept & made.keys())}, made)
        if len(set(depth.values())) < 2:
            continue
        goes = {g: min(depth[t] for t in made[g] & depth.keys()) for g in depth if made.get(g, set()) & depth.keys()}
        last = centre or max(depth, key=lambda g: (depth[g], g))
        chains.append(Chain(mineral, last, depth, goes, _alone(subject, depth)))
    return chains


def _after(good: str, made: dict[str, set[str]]) -> set[str]:
    """Everything that is made of a good, at any remove."""
    found: set[str] = set()
    left = [good]
    while left:
        for one in made.get(left.pop(), ()):
            if one not in found:
                found.add(one)
                left.append(one)
    return found


def _depths(goods: set[str], made: dict[str, set[str]]) -> dict[str, int]:
    """Longest way from the mine, in recipes; a good that is made of itself over others keeps its first place."""
    depth = dict.fromkeys(sorted(goods), 0)
    for _ in range(len(depth)):
        for source in depth:
            for target in made.get(source, ()):
                if target in depth and target != source and source not in _after(target, made):
                    depth[target] = max(depth[target], depth[source] + 1)
    return depth


def _alone(subject: Subject, depth: dict[str, int]) -> frozenset[str]:
    flows = subject.before.flows.filter(pl.col("good").is_in(list(depth)) & (pl.col("t") > 0))
    whole = flows.group_by("good").agg(whole=pl.col("t").sum())
    shares = flows.join(whole, on="good").with_columns(share=pl.col("t") / pl.col("whole"))
    weight: dict[str, float] = defaultdict(float)
    for end in ("exporter", "importer"):
        for code, share in shares.group_by(end).agg(pl.col("share").sum()).iter_rows():
            weight[code] += share
    most = sorted(weight, key=lambda code: (-weight[code], code))[:NAMED]
    return frozenset(most) | ({subject.view} if subject.view in weight else frozenset())


def _flows(subject: Subject, chain: Chain, run: Outcome) -> Flows:
    """Tonnes between places of two stages; what arrives is split between processing and final use as the country splits it."""
    rows = run.flows.filter(pl.col("good").is_in(list(chain.depth)) & (pl.col("t") > 0))
    arrived = {(g, j): t for g, j, t in rows.group_by("good", "importer").agg(pl.col("t").sum()).iter_rows()}
    used = {(g, c): t for g, c, t in run.use.select("good", "country", "t").iter_rows()}
    flows: Flows = defaultdict(float)
    for good, exporter, importer, t in (
        rows.select("good", "exporter", "importer", "t").sort("good", "exporter", "importer").iter_rows()
    ):
        start, onward = (chain.depth[good], _place(subject, chain, exporter)), chain.goes_to.get(good)
        final = min(1.0, used.get((good, importer), 0.0) / arrived[good, importer]) if onward is not None else 1.0
        there = _place(subject, chain, importer)
        flows[start, (chain.end, there), good] += final * t
        if onward is not None and onward > chain.depth[good]:
            flows[start, (onward, there), good] += (1.0 - final) * t
    whole = max((sum(t for (a, _, _), t in flows.items() if a[0] == k) for k in range(chain.end)), default=0.0)
    return {key: t for key, t in flows.items() if t >= LEAST * whole}


def _place(subject: Subject, chain: Chain, code: str) -> str:
    return code if code in chain.alone else INSIDE if code in subject.at.parties else OUTSIDE


def _table(subject: Subject, chains: list[Chain]) -> pl.DataFrame:
    goods = [good for chain in chains for good in chain.depth]
    keys = ["good", "exporter", "importer"]
    before, after = (run.flows.select(*keys, "t") for run in (subject.before, subject.after))
    both = before.join(after, on=keys, how="full", coalesce=True, suffix="_after")
    both = both.select(*keys, before_t=pl.col("t").fill_null(0.0), after_t=pl.col("t_after").fill_null(0.0))
    large = pl.max_horizontal("before_t", "after_t")
    kept = both.filter(pl.col("good").is_in(goods)).with_columns(share=large / large.sum().over("good"))
    return kept.filter(pl.col("share") >= 0.01).drop("share").sort(keys)


def _title(subject: Subject, chain: Chain) -> str:
    words = subject.words
    share, maker = [], []
    for run in (subject.before, subject.after):
        taken = run.flows.filter((pl.col("good") == chain.good) & pl.col("importer").is_in(subject.at.parties))
        total, outside = (
            float(taken["t"].sum()),
            float(taken.filter(~pl.col("exporter").is_in(subject.at.parties))["t"].sum()),
        )
        share.append(outside / total if total else 0.0)
        made = run.output.filter((pl.col("good") == chain.good) & pl.col("country").is_in(subject.at.parties))
        maker.append(float(made["t"].sum()))
    return words.say(
        "figure.sankey.title", good=words.good(chain.good), before=words.percent(share[0], places=0), after=words.percent(share[1], places=0),
        made_before=words.mass(maker[0]), made_after=words.mass(maker[1]),
    )  # fmt: skip


# -- drawings -----------------------------------------------------------------------------------------------------------


def _name(subject: Subject, place: str) -> str:
    if place in (INSIDE, OUTSIDE):
        return subject.words.say("figure.sankey.inside" if place == INSIDE else "figure.sankey.outside")
    return subject.name(place)


def _colour(place: str) -> str:
    return {INSIDE: "#5a7f9c", OUTSIDE: "#9a8f86"}.get(place) or of_country(place)


def _nodes(flows: Flows) -> dict[Node, float]:
    """Place -> the larger of what comes in and what goes out."""
    inward: dict[Node, float] = defaultdict(float)
    outward: dict[Node, float] = defaultdict(float)
    for (a, b, _), t in flows.items():
        outward[a] += t
        inward[b] += t
    size = {node: max(inward[node], outward[node]) for node in {*inward, *outward}}
    last = {INSIDE: 1, OUTSIDE: 2}
    return dict(sorted(size.items(), key=lambda pair: (pair[0][0], last.get(pair[0][1], 0), -pair[1], pair[0][1])))


def _screen(subject: Subject, chains: list[Chain], flows: dict[tuple[str, str], Flows], first: Chain) -> dict[str, Any]:
    words = subject.words
    traces = []
    for chain in chains:
        for run, domain in (("before", [0.54, 0.97]), ("after", [0.0, 0.43])):
            held = flows[chain.mineral, run]
            nodes = _nodes(held)
            at = {node: k for k, node in enumerate(nodes)}
            links = sorted(held)
            stage = {k: _stage(subject, chain, k) for k in range(chain.end + 1)}
            traces.append({
                "type": "sankey", "domain": {"y": domain, "x": [0, 1]}, "arrangement": "snap", "valueformat": ",.0f", "valuesuffix": " t",
                "visible": chain is first, "meta": {"by": "mineral", "mineral": chain.mineral},
                "node": {
                    "label": [_name(subject, place) for _, place in nodes], "color": [_colour(place) for _, place in nodes],
                    "customdata": [f"{_name(subject, place)}, {stage[k]}: {words.mass(t)}" for (k, place), t in nodes.items()],
                    "hovertemplate": "%{customdata}<extra></extra>", "pad": 10, "thickness": 16, "line": {"width": 0},
                    "x": [round(0.001 + 0.998 * k / chain.end, 4) for k, _ in nodes], "y": _heights(nodes),
                },
                "link": {
                    "source": [at[a] for a, _, _ in links], "target": [at[b] for _, b, _ in links],
                    "value": [round(held[link], 2) for link in links],
                    "color": [_pale(_colour(a[1])) for a, _, _ in links],
                    "customdata": [
                        f"{words.good(good)}: {_name(subject, a[1])} → {_name(subject, b[1])}, {words.mass(held[a, b, good])}"
                        for a, b, good in links
                    ],
                    "hovertemplate": "%{customdata}<extra></extra>",
                },
            })  # fmt: skip
    notes = [
        {"text": f"<b>{words.say(f'figure.sankey.{run}')}</b>", "xref": "paper", "yref": "paper", "x": 0, "y": y, "xanchor": "left",
         "yanchor": "bottom", "showarrow": False}
        for run, y in (("before", 0.985), ("after", 0.445))
    ]  # fmt: skip
    bare = {"visible": False}
    return {"data": traces, "layout": screen.layout(words.lang, 900, annotations=notes, xaxis=bare, yaxis=bare)}


def _heights(nodes: dict[Node, float]) -> list[float]:
    """Where each place stands in its column: from the top, as Plotly counts."""
    high = _tallest(nodes)
    at: dict[int, float] = defaultdict(float)
    found = []
    for (k, _), t in nodes.items():
        found.append(round(min(0.999, max(0.001, at[k] + t / high / 2)), 4))
        at[k] += t / high + GAP
    return found


def _tallest(nodes: dict[Node, float]) -> float:
    """Tonnes that the height of the drawing stands for, gaps left free."""
    columns: dict[int, list[float]] = defaultdict(list)
    for (k, _), t in nodes.items():
        columns[k].append(t)
    return max(sum(held) / (1.0 - GAP * (len(held) - 1)) for held in columns.values())


def _pale(colour: str) -> str:
    r, g, b = (int(colour[k : k + 2], 16) for k in (1, 3, 5))
    return f"rgba({r},{g},{b},0.38)"


def _stage(subject: Subject, chain: Chain, k: int) -> str:
    if k == chain.end:
        return subject.words.say("figure.sankey.use")
    stages = {subject.at.stage[good] for good, depth in chain.depth.items() if depth == k}
    return subject.words.listed(subject.words.stage(s) for s in sorted(stages, key=lambda s: subject.order.get(s, 9)))


def _paper(canvas: Canvas, subject: Subject, chain: Chain, flows: dict[tuple[str, str], Flows]) -> None:
    pair = [flows[chain.mineral, run] for run in ("before", "after")]
    scale = max((_tallest(_nodes(held)) for held in pair if held), default=1.0)
    for axes, held, run in zip(canvas.subplots(2, 1), pair, ("before", "after"), strict=True):
        _ribbons(axes, subject, chain, held, scale)
        axes.set_title(subject.words.say(f"figure.sankey.{run}"))


def _ribbons(axes: Axes, subject: Subject, chain: Chain, flows: Flows, scale: float) -> None:
    words, nodes = subject.words, _nodes(flows)
    top: dict[Node, float] = {}
    low: dict[int, float] = defaultdict(lambda: 1.0)
    thick = 0.022 * chain.end
    for node, t in nodes.items():
        k, place = node
        top[node] = low[k]
        low[k] -= t / scale + GAP
        axes.fill_between([k, k + thick], top[node] - t / scale, top[node], color=_colour(place), linewidth=0, zorder=3)
        label = f"{_name(subject, place)} {words.mass(t)}"
        last = k == chain.end
        axes.text(
            k + (-0.02 * chain.end if last else thick + 0.012 * chain.end), top[node] - t / scale / 2, label, size=6.8, va="center",
            ha="right" if last else "left", color=INK, zorder=4,
            bbox={"facecolor": "white", "alpha": 0.55, "pad": 0.6, "linewidth": 0},
        )  # fmt: skip
    out, into = dict(top), dict(top)
    for a, b, good in sorted(
        flows, key=lambda link: (link[0][0], list(nodes).index(link[0]), list(nodes).index(link[1]), link[2])
    ):
        high = flows[a, b, good] / scale
        _ribbon(axes, a[0] + thick, out[a], b[0], into[b], high, _colour(a[1]))
        out[a] -= high
        into[b] -= high
    for k in range(chain.end + 1):
        axes.text(
            k if k < chain.end else k + thick,
            1.045,
            _stage(subject, chain, k),
            size=7.5,
            color=SOFT,
            ha="left" if k < chain.end else "right",
        )
    axes.set(xlim=(-0.005, chain.end + thick + 0.005), ylim=(-0.02, 1.1), xticks=[], yticks=[])
    for side in axes.spines.values():
        side.set_visible(False)


def _ribbon(axes: Axes, x0: float, y0: float, x1: float, y1: float, high: float, colour: str) -> None:
    s = np.linspace(0.0, 1.0, 40)
    bend = s * s * (3.0 - 2.0 * s)
    upper = y0 + (y1 - y0) * bend
    axes.fill_between(x0 + (x1 - x0) * s, upper - high, upper, color=colour, alpha=0.36, linewidth=0, zorder=1)
