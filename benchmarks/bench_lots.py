"""How long are two million lots traced, checked and judged, and in how much memory? Beside plain Python and Polars joins.

    python benchmarks/bench_lots.py [--lots 2000000] [--peer 200000]

A book is drawn from a seed: mines of twelve countries and scrap, separation, blends of up to six lots, reduction, melting,
sintering that gives back swarf, swarf that is recycled into later oxide. Ours reads the Parquet files and writes nothing. The
peers trace the origins of the same book (no checks, no rules): plain Python with a dict for each lot, in topological
order as a programme without arrays does it, on a smaller book; Polars level by level with joins on the book itself. All
in one run, one after another, each in a process of its own for its memory.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from datetime import date
from importlib import import_module
from pathlib import Path

import numpy as np

COUNTRIES = ("AUS", "BRA", "CAN", "CHN", "IND", "KAZ", "MMR", "MYS", "USA", "VNM", "ZAF", "JPN")
PARTIES = frozenset({"AUS", "CAN", "JPN", "USA", "MYS", "IND"})
GOODS = ("concentrate", "oxide", "blend", "metal", "alloy", "magnet", "swarf")
HS = ("253090", "284690", "284690", "280530", "720299", "850511", "720449")
SEED = 20261122


def book(lots: int, folder: Path) -> None:
    """Draw a book of about so many lots and write its two tables as Parquet."""
    import polars as pl

    rng = np.random.default_rng(SEED)
    waves = 6  # swarf of one wave is oxide in the next
    each = max(1, lots // (waves * 6))
    rows: dict[str, list[np.ndarray]] = defaultdict(list)
    turns: dict[str, list[np.ndarray]] = defaultdict(list)
    count = [0, 0]

    def new(kind: int, mass: np.ndarray, origin: np.ndarray | None = None) -> np.ndarray:
        n = len(mass)
        ids = np.arange(count[0], count[0] + n)
        count[0] += n
        rows["lot"].append(ids)
        rows["kind"].append(np.full(n, kind))
        rows["mass"].append(mass)
        rows["origin"].append(np.full(n, -1) if origin is None else origin)
        return ids

    def turn(
        process: int,
        place: np.ndarray,
        into: list[tuple[np.ndarray, np.ndarray]],
        out: list[tuple[np.ndarray, np.ndarray]],
    ) -> None:
        n = len(place)
        ids = np.arange(count[1], count[1] + n)
        count[1] += n
        for side, parts in ((0, into), (1, out)):
            for lot, mass in parts:
                turns["conversion"].append(ids)
                turns["process"].append(np.full(n, process))
                turns["place"].append(place)
                turns["side"].append(np.full(n, side))
                turns["lot"].append(lot)
                turns["mass"].append(mass)

    swarf = None
    for _ in range(waves):
        mass = np.round(rng.uniform(50, 500, each), 6)
        mine = rng.integers(0, len(COUNTRIES), each)
        ore = new(0, mass, mine)
        place = np.where(rng.random(each) < 0.5, mine, rng.integers(0, len(COUNTRIES), each))
        oxide_mass = np.round(mass * 0.093, 6)
        oxide = new(1, oxide_mass)
        turn(0, place, [(ore, mass)], [(oxide, oxide_mass)])
        if swarf is not None:
            back = np.round(swarf[1] * 0.9, 6)
            more = new(1, back)
            turn(6, rng.integers(0, len(COUNTRIES), len(back)), [swarf], [(more, back)])
            oxide, oxide_mass = np.concatenate([oxide, more]), np.concatenate([oxide_mass, back])
        drawn = rng.permutation(len(oxide))
        groups = np.sort(rng.integers(0, max(1, len(oxide) // 2), len(oxide)))
        _, group = np.unique(groups, return_inverse=True)
        blended = np.floor(np.bincount(group, weights=oxide_mass[drawn]) * 999_000) / 1_000_000  # a thousandth is dust
        blend = new(2, blended)
        place = rng.integers(0, len(COUNTRIES), len(blended))
        ids = np.arange(count[1], count[1] + len(blended))
        count[1] += len(blended)
        for name, values in (
            ("conversion", ids[group]),
            ("process", np.full(len(group), 1)),
            ("place", place[group]),
            ("side", np.zeros(len(group), int)),
            ("lot", oxide[drawn]),
            ("mass", oxide_mass[drawn]),
        ):
            turns[name].append(values)
        for name, values in (
            ("conversion", ids),
            ("process", np.full(len(ids), 1)),
            ("place", place),
            ("side", np.ones(len(ids), int)),
            ("lot", blend),
            ("mass", blended),
        ):
            turns[name].append(values)
        held, mass = blend, blended
        for process, kind, keep in ((2, 3, 0.92), (3, 4, 0.97)):
            after = np.round(mass * keep, 6)
            lot = new(kind, after)
            turn(process, rng.integers(0, len(COUNTRIES), len(mass)), [(held, mass)], [(lot, after)])
            held, mass = lot, after
        good, lost = np.round(mass * 0.8, 6), np.round(mass * 0.12, 6)
        magnet, fallen = new(5, good), new(6, lost)
        turn(4, place, [(held, mass)], [(magnet, good), (fallen, lost)])
        swarf = (fallen, lost)
    kind, origin = np.concatenate(rows["kind"]), np.concatenate(rows["origin"])
    mass = np.concatenate(rows["mass"])
    content = np.array([0.1, 1, 1, 1, 1, 1, 1])[kind]
    shipped = np.where(kind == 5, mass, 0.0)
    names = pl.Series(COUNTRIES)
    pl.DataFrame(
        {
            "lot": pl.Series(np.concatenate(rows["lot"])).cast(pl.String),
            "good": pl.Series(GOODS).gather(kind),
            "mass_t": mass,
            "content": content,
            "origin": pl.select(pl.when(pl.Series(origin) >= 0).then(names.gather(np.maximum(origin, 0)))).to_series(),
            "hs": pl.Series(HS).gather(kind),
            "value_usd": np.round(mass * np.array([3e3, 6e4, 6.2e4, 9e4, 9.5e4, 1.4e5, 2e4])[kind], 2),
            "shipped_t": shipped,
        }
    ).write_parquet(folder / "lots.parquet")
    process = pl.Series(["separate", "blend", "reduce", "melt", "sinter", "sinter", "recycle"])
    pl.DataFrame(
        {
            "conversion": pl.Series(np.concatenate(turns["conversion"])).cast(pl.String),
            "process": process.gather(np.concatenate(turns["process"])),
            "country": names.gather(np.concatenate(turns["place"])),
            "side": pl.Series(["in", "out"]).gather(np.concatenate(turns["side"])),
            "lot": pl.Series(np.concatenate(turns["lot"])).cast(pl.String),
            "mass_t": np.concatenate(turns["mass"]),
        }
    ).write_parquet(folder / "conversions.parquet")


def ours(folder: Path) -> dict[str, float]:
    """Everything: read, order, check, trace, judge by four rules, seek conflicts."""
    from friendshore.border.lots import checks, graph, tables, verdicts
    from friendshore.origin_rules.rule import shipped_conflicts, shipped_rules

    for library in ("polars", "scipy.sparse.csgraph"):
        import_module(library)  # loaded before the clock starts, here and for the peers
    shipped_rules()
    clock: dict[str, float] = {}
    began, busy = time.perf_counter(), time.process_time()
    held = tables.read_book(folder / "lots.parquet", folder / "conversions.parquet")
    clock["read"] = time.perf_counter() - began
    order = graph.graph_of(held)
    clock["order"] = time.perf_counter() - began - sum(clock.values())
    found = checks.findings(held, order)
    clock["check"] = time.perf_counter() - began - sum(clock.values())
    traced = graph.origins(held, order)
    clock["trace"] = time.perf_counter() - began - sum(clock.values())
    rules = ("dfars_225_7018", "substantial_transformation", "eu_japan_magnets", "china_2025_61")
    answers = {}
    for name in rules:
        answers[name] = verdicts.verdicts(held, order, shipped_rules()[name], PARTIES, date(2026, 11, 22))
    met = verdicts.conflicts(answers, shipped_conflicts().values())
    clock["judge by four rules"] = time.perf_counter() - began - sum(clock.values())
    shipped = traced.shares.T @ (held.shipped_g * held.content)
    return {
        **{f"{name}, s": seconds for name, seconds in clock.items()},
        "total, s": time.perf_counter() - began,
        "total, s of processor": time.process_time() - busy,
        "trace alone, s": clock["order"] + clock["trace"],
        "lots": len(held.lot),
        "conversions": len(held.conversion),
        "levels": order.depth,
        "shares": traced.shares.nnz,
        "findings": found.height,
        "conflicts": sum(int(hit.sum()) for hit in met.values()),
        "shipped from CHN, %": 100 * shipped[traced.countries.index("CHN")] / shipped.sum(),
    }


def plain_python(folder: Path) -> dict[str, float]:
    """A dict of shares for each lot, in topological order."""
    import polars as pl

    lots = pl.read_parquet(folder / "lots.parquet")
    turns = pl.read_parquet(folder / "conversions.parquet")
    began = time.perf_counter()
    content = dict(zip(lots["lot"], lots["content"], strict=True))
    shares = {lot: {origin: 1.0} for lot, origin in zip(lots["lot"], lots["origin"], strict=True) if origin is not None}
    into, out, of = defaultdict(list), defaultdict(list), defaultdict(list)
    for name, side, lot, mass in turns.select("conversion", "side", "lot", "mass_t").iter_rows():
        if side == "in":
            into[name].append((lot, mass * content[lot]))
            of[lot].append(name)
        else:
            out[name].append((lot, mass))
    waiting = {name: len(parts) for name, parts in into.items()}
    owed, mixed = defaultdict(float), {}
    for parts in out.values():
        for lot, mass in parts:
            owed[lot] += mass
    left = {lot: sum(1 for _ in ()) for lot in owed}
    for parts in out.values():
        for lot, _ in parts:
            left[lot] += 1
    ready = list(shares)
    while ready:
        lot = ready.pop()
        for name in of[lot]:
            waiting[name] -= 1
            if waiting[name]:
                continue
            mixture: dict[str, float] = defaultdict(float)
            whole = sum(mass for _, mass in into[name])
            for part, mass in into[name]:
                for origin, share in shares[part].items():
                    mixture[origin] += share * mass / whole
            for made, mass in out[name]:
                held = mixed.setdefault(made, defaultdict(float))
                for origin, share in mixture.items():
                    held[origin] += share * mass / owed[made]
                left[made] -= 1
                if not left[made]:
                    shares[made] = held
                    ready.append(made)
    seconds = time.perf_counter() - began
    shipped: dict[str, float] = defaultdict(float)
    for lot, mass in zip(lots["lot"], lots["shipped_t"], strict=True):
        for origin, share in shares[lot].items() if mass else ():
            shipped[origin] += share * mass
    return {
        "trace, s": seconds,
        "lots": lots.height,
        "shipped from CHN, %": 100 * shipped["CHN"] / sum(shipped.values()),
    }


def polars_joins(folder: Path) -> dict[str, float]:
    """A table of (lot, origin, share), joined to the conversions whose inputs are all known, level after level."""
    import polars as pl

    lots = pl.read_parquet(folder / "lots.parquet")
    turns = pl.read_parquet(folder / "conversions.parquet")
    began = time.perf_counter()
    into = turns.filter(pl.col("side") == "in").join(lots.select("lot", "content"), on="lot")
    into = into.with_columns(held=pl.col("mass_t") * pl.col("content"))
    into = into.select("conversion", "lot", weight=pl.col("held") / pl.col("held").sum().over("conversion"))
    out = turns.filter(pl.col("side") == "out")
    out = out.select("conversion", "lot", weight=pl.col("mass_t") / pl.col("mass_t").sum().over("lot"))
    known = lots.filter(pl.col("origin").is_not_null()).select("lot", "origin", share=pl.lit(1.0))
    done = [known]
    names = known.select("lot")
    while into.height:
        open_ = into.join(names, on="lot", how="anti").select("conversion").unique()
        now = into.join(open_, on="conversion", how="anti")
        if not now.height:
            break
        into = into.join(open_, on="conversion", how="semi")
        every = pl.concat(done)
        mixture = (
            now.join(every, on="lot")
            .group_by("conversion", "origin")
            .agg(share=(pl.col("share") * pl.col("weight")).sum())
        )
        fresh = (
            out.join(mixture, on="conversion")
            .group_by("lot", "origin")
            .agg(share=(pl.col("share") * pl.col("weight")).sum())
        )
        done.append(fresh)
        names = pl.concat([names, fresh.select("lot").unique()])
    seconds = time.perf_counter() - began
    every = pl.concat(done).join(lots.filter(pl.col("shipped_t") > 0).select("lot", "shipped_t"), on="lot")
    by = every.group_by("origin").agg(t=(pl.col("share") * pl.col("shipped_t")).sum())
    from_china = by.filter(pl.col("origin") == "CHN")["t"].sum() / by["t"].sum()
    return {"trace, s": seconds, "lots": lots.height, "shipped from CHN, %": 100 * from_china}


KINDS = {"ours": ours, "plain Python": plain_python, "Polars joins": polars_joins}


def apart(kind: str, folder: Path) -> dict[str, float]:
    """One kind in a process of its own, with the most memory that it held."""
    done = subprocess.run(
        [sys.executable, __file__, "--kind", kind, "--folder", str(folder)], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--lots", type=int, default=2_000_000)
    parser.add_argument("--peer", type=int, default=200_000)
    parser.add_argument("--kind")
    parser.add_argument("--folder", type=Path)
    asked = parser.parse_args()
    if asked.kind == "draw":
        return book(asked.lots, asked.folder)
    if asked.kind:
        figures = KINDS[asked.kind](asked.folder)
        figures["memory, GB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        print(json.dumps(figures))
        return None
    with tempfile.TemporaryDirectory() as name:
        large, small = Path(name) / "large", Path(name) / "small"
        for folder, lots in ((large, asked.lots), (small, asked.peer)):
            folder.mkdir()
            subprocess.run(
                [sys.executable, __file__, "--kind", "draw", "--folder", str(folder), "--lots", str(lots)], check=True
            )  # apart too: a child begins with the memory of its parent
        whole, part = apart("ours", large), apart("ours", small)
        plain, joins = apart("plain Python", small), apart("Polars joins", large)
    print("ours, whole book")
    for key, value in whole.items():
        print(f"  {key:24} {value:14,.2f}" if value != int(value) else f"  {key:24} {int(value):14,}")
    print(f"  million lots a second    {whole['lots'] / whole['total, s'] / 1e6:14.2f}")
    for title, peer, mine in (("plain Python", plain, part), ("Polars joins", joins, whole)):
        agree = abs(peer["shipped from CHN, %"] - mine["shipped from CHN, %"])
        ratio = peer["trace, s"] / mine["trace alone, s"]
        print(
            f"{title}: {int(peer['lots']):,} lots traced in {peer['trace, s']:.2f} s, ours {mine['trace alone, s']:.2f} s: "
            f"{ratio:.1f} x; {peer['memory, GB']:.2f} GB, ours {mine['memory, GB']:.2f} GB; results differ by {agree:.1e} points"
        )

    return None


if __name__ == "__main__":
    main()
