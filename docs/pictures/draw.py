"""The pictures of the docs: what one price floor does, from none to beyond the level agreed on; three figures of a report.

    .venv/bin/python docs/pictures/draw.py

solves the packaged world some eighty times and writes `floor-ndpr.svg` and `report-*.png` beside this file. It needs the extra
`report`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import matplotlib as mpl
import polars as pl
from matplotlib import pyplot as plt

from friendshore import run
from friendshore.agreement import schedule
from friendshore.agreement.document import Agreement
from friendshore.faces import PriceGap, Wedge
from friendshore.mean_price import price_paid, price_received
from friendshore.outcome import Outcome
from friendshore.report.figures import figures
from friendshore.report.words import Words
from friendshore.study import study
from friendshore.world.tables import World

GOOD, PRESET, CLAUSE = "ndpr.oxide", "plurilateral-2026", "floor.ndpr"
FLOORS_USD_KG = (40, 50, 55, 60, 70, 80, 90, 100, 110, 120, 130)
AGREED_USD_KG = 110
SCALES = ((1.0, 1.0), (0.5, 0.5), (0.5, 2.0), (2.0, 0.5), (2.0, 2.0))  # of sigma and epsilon; the first is the line
SHOWN, DOTS = ("map_gains", "price_ladder", "who_pays"), 84
INSIDE, OUTSIDE, THIRD = "#0072B2", "#D55E00", "#009E73"  # Okabe and Ito: told apart by every eye


@dataclass(frozen=True)
class Point:
    """One floor solved: prices in USD/kg, shares of the parties' purchases in percent."""

    inside: float
    outside: float
    own: float
    shares: dict[str, float]


def point(outcome: Outcome, parties: frozenset[str]) -> Point:
    bought = outcome.flows.filter((pl.col("good") == GOOD) & pl.col("importer").is_in(parties))
    total = float(bought["t"].sum())
    by_origin = dict(bought.group_by("exporter").agg(100.0 * pl.col("t").sum() / total).iter_rows())
    return Point(
        inside=price_paid(outcome, parties)[GOOD] / 1000.0,
        outside=price_received(outcome, set(outcome.output["country"]) - parties)[GOOD] / 1000.0,
        own=sum(share for origin, share in by_origin.items() if origin in parties),
        shares=by_origin,
    )


def sweep(world: World, deal: Agreement) -> dict[tuple[float, float], list[Point]]:
    """Every floor under every pair of scales, the other clauses of the agreement left out."""
    own = [w for w in schedule.wedges(deal, world, deal.run_date) if isinstance(w, PriceGap) and w.clause == CLAUSE]
    parties = frozenset().union(*(w.lane.importers for w in own))
    found = {}
    for sigma, eps in SCALES:
        assume = replace(run.DEFAULT, sigma_scale=sigma, eps_scale=eps)
        network = run.compile_world(world, assume)
        status_quo, as_of = run.measures(world, None, deal.run_date, assume)
        points = []
        for usd_kg in FLOORS_USD_KG:
            floor: list[Wedge] = [replace(w, reference_usd_t=usd_kg * 1000.0) for w in own]
            outcome = run.clear_network(world, network, [*status_quo, *floor], assume=assume, as_of=as_of)
            points.append(point(outcome, parties))
        found[sigma, eps] = points
    return found


def draw(found: dict[tuple[float, float], list[Point]], world: World, deal: Agreement, path: Path) -> None:
    middle = found[SCALES[0]]
    agreed, before = middle[FLOORS_USD_KG.index(AGREED_USD_KG)], middle[0]
    outsiders = 100.0 - before.own, 100.0 - agreed.own
    largest = sorted((c for c in before.shares if c in ("CHN", "MYS")), key=lambda c: -before.shares[c])
    names = dict(world.countries.select("code", "name").iter_rows())
    rise = 100.0 * (agreed.inside / before.inside - 1.0)

    mpl.rcParams.update(
        {
            "font.family": "DejaVu Sans",
            "font.size": 9.5,
            "svg.hashsalt": "friendshore",
            "axes.spines.top": False,
            "axes.spines.right": False,
        }
    )
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.6, 4.9))
    x = list(FLOORS_USD_KG)

    def line(axes: plt.Axes, colour: str, label: str, value: object, at: tuple[float, float]) -> None:
        curves = [[value(p) for p in points] for points in found.values()]  # type: ignore[operator]
        axes.fill_between(
            x,
            [min(v) for v in zip(*curves, strict=True)],
            [max(v) for v in zip(*curves, strict=True)],
            color=colour,
            alpha=0.18,
            lw=0,
        )
        axes.plot(x, curves[0], color=colour, lw=2.2)
        axes.text(*at, label, color=colour, fontweight="bold")

    left.plot(x, x, color="0.6", lw=1, ls=(0, (4, 3)))
    left.text(46, 29, "the floor itself", color="0.4", rotation=0)
    left.annotate("", xy=(43, 42), xytext=(49, 33), arrowprops={"arrowstyle": "-", "color": "0.6", "lw": 0.8})
    line(left, INSIDE, "paid by the parties' users", lambda p: p.inside, (54, 97))
    line(left, OUTSIDE, "earned by producers outside", lambda p: p.outside, (78, 44))
    left.set_ylim(0, 140)
    left.set_ylabel("price of Nd-Pr oxide, USD/kg")
    line(right, INSIDE, "the parties themselves", lambda p: p.own, (42, before.own - 5))
    for colour, code in zip((THIRD, OUTSIDE), largest, strict=True):
        start = before.shares[code]
        line(right, colour, names[code], lambda p, code=code: p.shares.get(code, 0.0), (42, start + 2))
    right.set_ylim(0, 60)
    right.set_ylabel("share of the parties' purchases, %")
    for axes in (left, right):
        axes.axvline(AGREED_USD_KG, color="0.75", lw=0.8, zorder=0)
        axes.set_xlim(min(x), max(x) + 5)
        axes.set_xlabel("floor at the parties' border, USD/kg")
        axes.grid(axis="y", color="0.92")
        axes.set_axisbelow(True)
    figure.suptitle(
        f"A floor of {AGREED_USD_KG} USD/kg makes Nd-Pr oxide {rise:.0f} % dearer for the parties,\n"
        f"and outsiders still supply {outsiders[1]:.0f} % of it, down from {outsiders[0]:.0f} %",
        x=0.07, ha="left", fontsize=12, fontweight="bold",
    )  # fmt: skip
    source = (
        f"Friendshore world {world.name} {world.version}, status quo at {deal.run_date:%d.%m.%Y}; {CLAUSE} of {deal.id} alone, fully phased in; tonnes and base "
        "prices of 2024, five-year elasticities.\nBands: elasticities of substitution and supply halved and doubled. "
        "Base figures: USGS, IEA, BGS, European Commission, CEPII BACI and others, named row by row in docs/figures.md."
    )
    figure.text(0.07, 0.015, source, fontsize=7, color="0.35")
    figure.subplots_adjust(left=0.07, right=0.985, top=0.84, bottom=0.19, wspace=0.2)
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def report(world: World, deal: Agreement, folder: Path) -> None:
    """Figures of the report of the agreement, as docs/report-figures.md shows them."""
    found = study(world, deal)
    for figure in figures(found, Words.of("en", world), None, world=world, deal=deal):
        if figure.name in SHOWN:
            (folder / f"report-{figure.name}.png").write_bytes(figure.png(DOTS))


def main() -> None:
    world, deal = World.load(), Agreement.load(PRESET)
    report(world, deal, Path(__file__).parent)
    draw(sweep(world, deal), world, deal, Path(__file__).parent / "floor-ndpr.svg")


if __name__ == "__main__":
    main()
