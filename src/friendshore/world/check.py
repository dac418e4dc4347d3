"""Does the packaged world keep its own promises, without the raw data?

`check` goes through every invariant of the tables and returns one line each: name, whether it holds, our figure, the published
or required one, and the source. Shares are recomputed from the tables; publishers' figures stand in `shares`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from friendshore.world import doubts, shares
from friendshore.world.tables import COLUMNS, PROVENANCE, World, table_names

BALANCE = 1e-12  # of a good's world output
PLACES_MAX = 120
EU_MEMBERS = 27
SHARES_BIND = 60  # comparisons with published shares that a world of this many goods must stand
WHOLE_WORLD = 45  # goods


@dataclass(frozen=True)
class Check:
    """One invariant. `ours` and `published` are what was found and what it was held against."""

    name: str
    ok: bool
    ours: float | str
    published: float | str
    source: str


def check(world: World) -> list[Check]:
    """Every invariant of a built world, in the order of the tables."""
    found: list[Check] = []
    for part in (
        _balances,
        _signs,
        _links,
        _use,
        _provenance,
        _territories,
        _activities,
        _recoveries,
        _shares,
        _conflicts,
        _width,
        _preferred,
    ):
        found.extend(part(world))
    return found


def balances(world: World) -> pl.DataFrame:
    """What is left open in every balance, relative to the good's world output.

    production + imports - exports - recipe use - final use - stock change, for each good and country.

    Returns
    -------
    columns good, country, open_t, relative
    """
    left: dict[tuple[str, str], float] = defaultdict(float)
    output: dict[str, float] = defaultdict(float)
    level = dict(world.activities.select("id", "level_t").iter_rows())
    where = dict(world.activities.select("id", "country").iter_rows())
    for activity, good, role, coefficient in world.recipes.select(
        "activity", "good", "role", "coefficient"
    ).iter_rows():
        tonnes = level[activity] * coefficient
        left[good, where[activity]] += tonnes if role == "output" else -tonnes
        output[good] += tonnes if role == "output" else 0.0
    for good, exporter, importer, flow in world.routes.select("good", "exporter", "importer", "flow_t").iter_rows():
        if exporter != importer:
            left[good, exporter] -= flow
            left[good, importer] += flow
    for good, country, use in world.final_use.select("good", "country", "use_t").iter_rows():
        left[good, country] -= use
    for good, country, change in world.stocks.select("good", "country", "change_t").iter_rows():
        left[good, country] -= change
    rows = [{"good": g, "country": c, "open_t": v, "relative": abs(v) / output[g]} for (g, c), v in left.items()]
    return pl.DataFrame(
        rows, schema={"good": pl.String, "country": pl.String, "open_t": pl.Float64, "relative": pl.Float64}
    )


def routes_close(world: World) -> dict[str, float]:
    """Worst gap, relative to world output, between what a seller makes (and draws from stock) and what its routes carry, by good."""
    made: dict[tuple[str, str], float] = defaultdict(float)
    level = dict(world.activities.select("id", "level_t").iter_rows())
    where = dict(world.activities.select("id", "country").iter_rows())
    for activity, good, role, coefficient in world.recipes.select(
        "activity", "good", "role", "coefficient"
    ).iter_rows():
        if role == "output":
            made[good, where[activity]] += level[activity] * coefficient
    for good, country, change in world.stocks.select("good", "country", "change_t").iter_rows():
        made[good, country] += max(-change, 0.0)
    sent: dict[tuple[str, str], float] = defaultdict(float)
    for good, exporter, flow in world.routes.select("good", "exporter", "flow_t").iter_rows():
        sent[good, exporter] += flow
    total: dict[str, float] = defaultdict(float)
    for (good, _), tonnes in made.items():
        total[good] += tonnes
    worst: dict[str, float] = dict.fromkeys(total, 0.0)
    for key in set(made) | set(sent):
        worst[key[0]] = max(worst[key[0]], abs(made.get(key, 0.0) - sent.get(key, 0.0)) / total[key[0]])
    return worst


def _balances(world: World) -> Iterator[Check]:
    table = balances(world)
    sent = routes_close(world)
    for good in world.goods["id"]:
        worst = float(table.filter(pl.col("good") == good)["relative"].max() or 0.0)  # type: ignore[arg-type]
        yield Check(f"balance {good}", worst <= BALANCE, worst, BALANCE, "adjustments")
        yield Check(
            f"routes carry output {good}", sent.get(good, 0.0) <= BALANCE, sent.get(good, 0.0), BALANCE, "adjustments"
        )


def _signs(world: World) -> Iterator[Check]:
    for name, column, strict in (
        ("routes", "flow_t", False), ("activities", "level_t", True), ("recipes", "coefficient", True),
        ("final_use", "use_t", True), ("recoveries", "content_recovery", True), ("prices", "price_usd_t", True),
        ("goods", "price_outside_usd_t", True), ("goods", "price_inside_usd_t", True), ("routes", "freight_usd_t", False),
        ("routes", "tariff", False),
    ):  # fmt: skip
        column_of = getattr(world, name)[column]
        low = float(column_of.min() if column_of.len() else 0.0)
        ok = (low > 0.0 or not column_of.len()) if strict else low >= 0.0
        yield Check(
            f"{name}.{column} {'> 0' if strict else '>= 0'}", bool(ok) and column_of.null_count() == 0, low, 0.0, name
        )
    live = world.routes.filter(~pl.col("latent"))
    least = float(live["flow_t"].min() or 0.0)  # type: ignore[arg-type]
    yield Check("every route that trades carries something", least > 0.0, least, 0.0, "routes")


def _links(world: World) -> Iterator[Check]:
    goods, places, ids = set(world.goods["id"]), set(world.countries["code"]), set(world.activities["id"])
    hosts = set(world.recoveries["host"])
    unknown: set[str] = set()
    for name, columns, against in (
        ("recipes", ("good",), goods), ("routes", ("good",), goods), ("final_use", ("good",), goods), ("stocks", ("good",), goods),
        ("prices", ("good",), goods), ("routes", ("exporter", "importer"), places), ("final_use", ("country",), places),
        ("stocks", ("country",), places), ("prices", ("country",), places), ("activities", ("country",), places),
        ("recipes", ("activity",), ids), ("recoveries", ("activity", "host"), ids),
    ):  # fmt: skip
        for column in columns:
            unknown |= {f"{name}.{column} {v}" for v in set(getattr(world, name)[column]) - against}
    yield Check(
        "every name is known", not unknown, ", ".join(sorted(unknown)[:5]) or "none unknown", "none unknown", "tables"
    )
    without = sorted(ids - set(world.recipes["activity"]) - hosts)
    yield Check("every activity has a recipe or is a host", not without, len(without), 0, "recipes")
    for name, key in (
        ("activities", ["id"]),
        ("goods", ["id"]),
        ("countries", ["code"]),
        ("routes", ["good", "exporter", "importer"]),
        ("final_use", ["good", "country"]),
        ("stocks", ["good", "country"]),
        ("recipes", ["activity", "good", "role"]),
    ):
        table = getattr(world, name)
        twice = table.height - table.unique(key).height
        yield Check(f"{name} has no row twice", twice == 0, twice, 0, name)


def _use(world: World) -> Iterator[Check]:
    buyers = {(g, i) for g, i, f in world.routes.select("good", "importer", "flow_t").iter_rows() if f > 0.0}
    sellers = {(g, e) for g, e, f in world.routes.select("good", "exporter", "flow_t").iter_rows() if f > 0.0}
    where = dict(world.activities.select("id", "country").iter_rows())
    needs = {(g, where[a]) for a, g, r in world.recipes.select("activity", "good", "role").iter_rows() if r == "input"}
    makes = {(g, where[a]) for a, g, r in world.recipes.select("activity", "good", "role").iter_rows() if r == "output"}
    wants = needs | set(world.final_use.select("good", "country").iter_rows())
    hungry, idle = sorted(wants - buyers), sorted(makes - sellers)
    yield Check("every base use has a supplier", not hungry, str(hungry[:3]) if hungry else 0, 0, "routes")
    yield Check("every output has a buyer", not idle, str(idle[:3]) if idle else 0, 0, "routes")
    strangers = sorted(sellers - makes)
    yield Check(
        "no route from a country that makes nothing", not strangers, str(strangers[:3]) if strangers else 0, 0, "routes"
    )
    lost = sorted(
        buyers
        - wants
        - {(g, c) for g, c, t in world.stocks.select("good", "country", "change_t").iter_rows() if t > 0.0}
    )
    yield Check("every route ends in a use or a stock", not lost, str(lost[:3]) if lost else 0, 0, "routes")


def _provenance(world: World) -> Iterator[Check]:
    known = set(world.sources["id"])
    for name in table_names():
        table: pl.DataFrame = getattr(world, name)
        if "source" in COLUMNS[name]:
            cited = {part for cell in table["source"].drop_nulls() for part in cell.split("+")}
            missing = sorted(cited - known)
            empty = table["source"].null_count() + int((table["source"] == "").sum())
            yield Check(
                f"{name}: every source resolves",
                not missing and not empty,
                ", ".join(missing[:4]) or f"{empty} empty",
                "0 empty",
                name,
            )
        if set(PROVENANCE) <= set(COLUMNS[name]):
            graded = table.filter(pl.col("reliability").is_in(["A", "B", "C", "D"])).height
            yield Check(f"{name}: every row has its reliability", graded == table.height, graded, table.height, name)
            guesses = table.filter((pl.col("reliability") == "D") | (pl.col("source") == "estimate"))
            ruled = guesses.filter(pl.col("note").fill_null("").str.strip_chars() != "").height
            yield Check(f"{name}: every estimate has its rule", ruled == guesses.height, ruled, guesses.height, name)
            dated = table.filter(pl.col("year").fill_null("") != "").height
            yield Check(f"{name}: every row has its year", dated == table.height, dated, table.height, name)


def _territories(world: World) -> Iterator[Check]:
    members = world.countries.filter(pl.col("territory") == "EUN").height
    yield Check("EUN has its members", members == EU_MEMBERS, members, EU_MEMBERS, "countries")
    yield Check(
        "no more places than allowed",
        world.countries.height <= PLACES_MAX,
        world.countries.height,
        PLACES_MAX,
        "countries",
    )
    unknown = set(world.countries["territory"]) - set(world.territories["code"])
    yield Check("every country lies in a known territory", not unknown, len(unknown), 0, "territories")
    kept = world.territories["kept_share"]
    inside = kept.null_count() == 0 and bool(((kept >= 0.0) & (kept <= 1.0)).all())
    yield Check("kept_share in [0, 1]", inside, f"{kept.min()!r}..{kept.max()!r}", "0..1", "territories")


def _activities(world: World) -> Iterator[Check]:
    live = world.activities.filter(pl.col("id").is_in(world.recipes["activity"].to_list()))  # a bare host earns nothing
    bad = live.filter(~(pl.col("margin_usd_t").fill_null(0.0) > 0.0))
    yield Check("every margin is positive", bad.height == 0, bad.height, 0, "activities")
    clipped = live.filter(pl.col("clipped").fill_null(False)).height
    yield Check(
        "clipped margins are listed",
        live["clipped"].null_count() == 0,
        clipped,
        "listed in activities.clipped",
        "activities",
    )
    held = live.filter(pl.col("base_support_usd_t").fill_null(0.0) > 0.0)
    named = held.filter(pl.col("support_holder").fill_null("") != "").height
    yield Check("every base support has its holder", named == held.height, named, held.height, "activities")
    above = live.filter(
        pl.col("capacity_t").is_not_null() & (pl.col("capacity_t") < pl.col("level_t") * (1.0 - 1e-12))
    ).height
    yield Check("no level above its capacity", above == 0, above, 0, "activities")


def _recoveries(world: World) -> Iterator[Check]:
    level = dict(world.activities.select("id", "level_t").iter_rows())
    for activity, host, content in world.recoveries.select("activity", "host", "content_recovery").iter_rows():
        bound = content * level.get(host, 0.0)
        yield Check(
            f"recovery {activity} within its host",
            level.get(activity, 0.0) <= bound,
            level.get(activity, 0.0),
            bound,
            "recoveries",
        )


def _shares(world: World) -> Iterator[Check]:
    for row in world.shares.iter_rows(named=True):
        made = shares.ours(row["good"], world.activities, world.recipes)
        ours = 100.0 * made.get(row["country"], 0.0) / sum(made.values())
        fresh = {**row, "ours_pct": ours}
        same = abs(ours - row["ours_pct"]) <= 1e-6
        label = f"share {row['stage']} {row['country']} ({row['status']})"
        yield Check(label, same and shares.agrees(fresh), round(ours, 2), round(row["published_pct"], 2), row["source"])


def _conflicts(world: World) -> Iterator[Check]:
    binding = world.shares.filter(pl.col("status").is_in(["binds", "conflict"]))
    clash = binding.filter(pl.col("status") == "conflict")
    yield Check(
        "conflicts are at most a tenth of the binding shares",
        clash.height <= shares.CONFLICTS_MAX * binding.height,
        clash.height,
        int(shares.CONFLICTS_MAX * binding.height),
        "shares",
    )
    told = clash.filter(pl.col("explanation").fill_null("").str.contains(r"\d")).height
    yield Check("every conflict is explained in tonnes", told == clash.height, told, clash.height, "shares")
    named = world.stocks.filter(pl.col("note").fill_null("") != "").height
    yield Check("every stock change is named", named == world.stocks.height, named, world.stocks.height, "stocks")


def _width(world: World) -> Iterator[Check]:
    """A world of every mineral is held against enough published shares; a smaller one against what it has."""
    bound = world.shares.filter(pl.col("status") == "binds").height
    least = SHARES_BIND if world.goods.height >= WHOLE_WORLD else 0
    yield Check(
        f"at least {SHARES_BIND} shares bind from {WHOLE_WORLD} goods on", bound >= least, bound, least, "shares"
    )


def _preferred(world: World) -> Iterator[Check]:
    """No share binds on a source of unclear licence where USGS or IEA give the same within three points."""
    free = {name for name, licence in world.sources.select("id", "licence").iter_rows() if doubts.clear(licence)}
    preferred = {
        (row["stage"], row["country"], row["source"]): row["published_pct"]
        for row in world.shares.iter_rows(named=True)
        if row["source"] in (shares.SOURCES["usgs"], shares.SOURCES["iea"])
    }
    passed_by = [
        f"{row['stage']} {row['country']}"
        for row in world.shares.filter(pl.col("status") == "binds").iter_rows(named=True)
        if row["source"] not in free
        and any(
            (stage, country) == (row["stage"], row["country"])
            and abs(pct - row["published_pct"]) <= shares.TOLERANCE_POINTS
            for (stage, country, _), pct in preferred.items()
        )
    ]
    yield Check(
        "USGS or IEA bind before a source of unclear licence",
        not passed_by,
        ", ".join(passed_by[:4]) or "none passed by",
        "none passed by",
        "shares",
    )
