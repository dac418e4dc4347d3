"""Several agreements as tables of one scale, a column for each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import polars as pl

from friendshore.report.sharing import HEADLINES
from friendshore.report.typography import WIDTH, figure, grid, millions, paragraph, percent, section
from friendshore.side_by_side import OUTSIDER_PCT, PARTIES

if TYPE_CHECKING:
    from friendshore.report.account import Names
    from friendshore.side_by_side import Side, Sides

STILL = 500.0  # USD below which a row is left out
SHOWN = 12  # countries and goods that are named
STIRS = 5e-3  # a part by which something moves before it is named
RESIDUAL = "residual of the path"
Row = tuple[str, list[str]]


def side_by_side(found: Sides, names: Names) -> str:
    """Headline figures, countries, groups, goods, instruments and dependence, a column for each agreement."""
    sides = found.sides
    facts = [
        f"{side.name} ({side.digest}): terms of {side.as_of}, {len(side.parties)} party countries, "
        f"{side.illustrative} of {side.clauses} clauses illustrative."
        for side in sides
    ]
    head = "USD million a year against the status quo of each agreement's own day, gains +. The parties are each agreement's own."
    parts = [
        "\n".join(facts),
        paragraph(head),
        _table(
            "Headline figures", sides, _money(HEADLINES.items(), sides, lambda side, key: side.headline.get(key, 0.0))
        ),
        _table("By country", sides, _countries(sides, names)),
        _table(
            "By group",
            sides,
            [
                *_money(_same(_keys(sides, "groups")), sides, lambda side, key: side.groups.get(key, 0.0)),
                (
                    "foreign sellers (makers, licences, offtakes outside)",
                    [millions(sum(side.sellers.values()), sign=True) for side in sides],
                ),
            ],
        ),
        _table("Final users in the parties, by industry", sides, _users(sides)),
        _table("By good, the parties' accounts", sides, _goods(sides)),
        _table("By instrument, what the parties gain", sides, _instruments(sides)),
        _table("The European Union's benchmarks, goods that reach them", sides, _benchmarks(sides)),
        _table("Concentration of origins (Herfindahl-Hirschman), import reliance in %", sides, _concentration(sides)),
        _table(
            f"Largest outside supplier, % of what the parties take (over {OUTSIDER_PCT:g} marked !)",
            sides,
            _suppliers(sides),
        ),
    ]
    parts[-1:-1] = [_table("The European Union's supply risk, as the Commission counts it", sides, _risk(sides))]
    parts += [
        _table("Effective protection of the parties' processors, %", sides, _protection(sides)),
        _table("Bypass: bought outside by itself and inside other goods, t", sides, _bypass(sides)),
        _table("Days of cover in public reserves", sides, _cover(sides)),
        _table("Minerals in a product, USD for a unit, the parties", sides, _products(sides)),
        _table("The same by country, where it moves most", sides, _by_place(sides, names)),
        paragraph(_caveats(sides)),
    ]
    parts += [paragraph(f"{side.name} is not shared out: {side.unshared}.") for side in sides if side.unshared]
    return "\n\n".join(filter(None, parts)) + "\n"


def _table(title: str, sides: Sequence[Side], rows: Sequence[Row]) -> str:
    if not rows:
        return ""
    label = max(len(words) for words, _ in rows)
    runs: list[list[int]] = [[]]
    left = WIDTH - label
    for number, side in enumerate(sides):
        wide = max(len(side.name), *(len(cells[number]) for _, cells in rows)) + 2
        if runs[-1] and wide > left:
            runs.append([])
            left = WIDTH - label
        runs[-1].append(number)
        left -= wide
    tables = [
        grid(
            ["", *(sides[k].name for k in run)], [[words, *(cells[k] for k in run)] for words, cells in rows], indent=0
        )
        for run in runs
    ]
    return section(title, "\n\n".join(tables))


def _money(rows: Iterable[tuple[str, str]], sides: Sequence[Side], value: Callable[[Side, str], float]) -> list[Row]:
    made = []
    for key, words in rows:
        held = [value(side, key) for side in sides]
        if any(abs(usd) >= STILL for usd in held):
            made.append((words, [millions(usd, sign=True) for usd in held]))
    return made


def _keys(sides: Sequence[Side], field: str) -> list[str]:
    return sorted({key for side in sides for key in getattr(side, field)})


def _same(keys: Iterable[str]) -> list[tuple[str, str]]:
    return [(key, key) for key in keys]


def _countries(sides: Sequence[Side], names: Names) -> list[Row]:
    """Parties of any, then the outsiders that move most; members and the common budget stand below their union."""
    usd = [dict(side.countries.select("country", "usd").iter_rows()) for side in sides]
    union = {c: u for side in sides for c, u in side.countries.select("country", "union").iter_rows() if u}
    party = {c for side in sides for c, is_ in side.countries.select("country", "party").iter_rows() if is_}
    most = {code: max(abs(each.get(code, 0.0)) for each in usd) for each_ in usd for code in each_}
    inside = sorted({union.get(code, code) for code in party}, key=lambda code: (-most.get(code, 0.0), code))
    outside = sorted(set(most) - party - set(inside) - set(union), key=lambda code: (-most[code], code))[:SHOWN]
    rows: list[Row] = []
    for code in [*inside, *outside]:
        if most.get(code, 0.0) < STILL:
            continue
        rows.append((names.of(code), [millions(each.get(code, 0.0), sign=True) for each in usd]))
        members = sorted((c for c, u in union.items() if u == code and most[c] >= STILL), key=lambda c: (-most[c], c))
        if code in inside:
            rows += [(f"  {names.of(c)}", [millions(each.get(c, 0.0), sign=True) for each in usd]) for c in members]
            if members:
                rows += _kept(code, sides)
    return rows


def _kept(code: str, sides: Sequence[Side]) -> list[Row]:
    rows: list[Row] = []
    for column, words in (("kept", "  duty and levy that members keep"), ("passed_on", "  and pass on to the budget")):
        held = [dict(side.countries.select("country", column).iter_rows()).get(code, 0.0) for side in sides]
        rows.append((words, [millions(usd, sign=True) for usd in held]))
    return rows


def _goods(sides: Sequence[Side]) -> list[Row]:
    usd = [dict(side.goods.select("good", "parties").iter_rows()) for side in sides]
    most = {good: max(abs(each.get(good, 0.0)) for each in usd) for each_ in usd for good in each_}
    order = [good for good in sorted(most, key=lambda good: (-most[good], good)) if most[good] >= STILL][:SHOWN]
    return [(good or "not of one good", [millions(each.get(good, 0.0), sign=True) for each in usd]) for good in order]


def _instruments(sides: Sequence[Side]) -> list[Row]:
    """What each kind adds, then what a path leaves unshared, so that the column adds to what the parties gain."""
    held = [side.shares.of("gain_of_parties") if side.shares else {} for side in sides]
    for each, side in zip(held, sides, strict=True):
        if side.shares is not None and side.shares.method == "path":
            each[RESIDUAL] = side.shares.residuals["gain_of_parties"]
    kinds = sorted(dict.fromkeys(kind for each in held for kind in each), key=lambda kind: kind == RESIDUAL)
    return [(kind, [millions(each[kind], sign=True) if kind in each else "" for each in held]) for kind in kinds]


def _benchmarks(sides: Sequence[Side]) -> list[Row]:
    return [
        (
            f"{each.wanted} (of {each.goods})",
            [f"{side.benchmarks[k].before}→{side.benchmarks[k].after}" for side in sides],
        )
        for k, each in enumerate(sides[0].benchmarks)
    ]


def _concentration(sides: Sequence[Side]) -> list[Row]:
    """Goods by stage whose concentration moves by a point in a hundred, with the reliance on imports beside it."""
    stages = {good: stage for side in sides for stage, good in side.dependence.select("stage", "good").iter_rows()}
    goods = list(stages)
    rows: list[Row] = []
    for good in goods:
        pairs = [side.supply.get(f"concentration.{good}", (0.0, 0.0)) for side in sides]
        if all(abs(after - before) < 100.0 for before, after in pairs):
            continue
        reliance = [side.supply.get(f"import_reliance.{good}", (0.0, 0.0))[1] for side in sides]
        cells = [
            f"{before:,.0f}→{after:,.0f}, {percent(held / 100)}"
            for (before, after), held in zip(pairs, reliance, strict=True)
        ]
        rows.append((f"{stages[good]}: {good}", cells))
    return rows


def _suppliers(sides: Sequence[Side]) -> list[Row]:
    """Goods whose largest outside supplier moves or stands above the limit, with who it is under the agreement."""
    held = [{row["good"]: row for row in side.dependence.iter_rows(named=True)} for side in sides]
    rows: list[Row] = []
    for good in sorted({good for each in held for good in each}):
        each = [one.get(good) for one in held]
        if any(row and (_moves(row) or row["over_limit_after"]) for row in each):
            rows.append((good, [_supplier(row) if row else "" for row in each]))
    return rows


def _moves(row: dict[str, Any]) -> bool:
    return abs(float(row["largest_share_pct_after"]) - float(row["largest_share_pct_before"])) >= 0.05


def _supplier(row: dict[str, Any]) -> str:
    first, second = (percent(row[f"largest_share_pct_{when}"] / 100) for when in ("before", "after"))
    return f"{first}→{second}{'!' if row['over_limit_after'] else ' '} {row['largest_outsider_after']}"


def _users(sides: Sequence[Side]) -> list[Row]:
    """Industries' gain, each with what it works for; then the same by area."""
    usd = [{(i, a): v for i, a, v in side.users.select("industry", "area", "parties").iter_rows()} for side in sides]
    keys = list(dict.fromkeys(key for each in usd for key in each))
    rows = _money(
        [(str(n), f"{i}, for {a}" if a not in (i, "other industry") else i) for n, (i, a) in enumerate(keys)],
        sides,
        lambda side, n: usd[sides.index(side)].get(keys[int(n)], 0.0),
    )
    areas = sorted({area for _, area in keys})
    sums = [{area: sum(v for (_, a), v in each.items() if a == area) for area in areas} for each in usd]
    return rows + [(f"all: {area}", [millions(each[area], sign=True) for each in sums]) for area in areas]


def _unpublished(sides: Sequence[Side]) -> list[str]:
    """The goods whose use is published in part, or not at all."""
    held = {row["good"]: row for side in sides for row in side.uses.iter_rows(named=True)}
    part = [f"{good} ({percent(row['published'])} %)" for good, row in sorted(held.items()) if row["known"] == "part"]
    none = [good for good, row in sorted(held.items()) if row["known"] == "not known"]
    said = [f"Their use is published in part of {', '.join(part)}."] if part else []
    return said + ([f"It is not known of {', '.join(none)}."] if none else [])


def _risk(sides: Sequence[Side]) -> list[Row]:
    held = [{g: (a, b) for g, a, b in side.risk.select("good", "before", "after").iter_rows()} for side in sides]
    rows: list[Row] = []
    for good in sorted({good for each in held for good in each}):
        pairs = [each.get(good, (None, None)) for each in held]
        if any(a is not None and b is not None and abs(b - a) >= 0.01 for a, b in pairs):
            rows.append((good, [f"{_two(a)}→{_two(b)}" for a, b in pairs]))
    return rows


def _two(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _protection(sides: Sequence[Side]) -> list[Row]:
    held = [dict(side.protection.select("good", "effective_protection_pct").iter_rows()) for side in sides]
    stage = {g: s for side in sides for g, s in side.protection.select("good", "stage").iter_rows()}
    goods = [g for g in stage if any(abs(each.get(g) or 0.0) >= 0.05 for each in held)]
    order = {name: n for n, name in enumerate(("ore", "intermediate", "refined", "product", "scrap"))}
    goods.sort(key=lambda good: (order.get(stage[good], len(order)), good))
    return [(f"{stage[g]}: {g}", [percent((each.get(g) or 0.0) / 100, sign=True) for each in held]) for g in goods]


def _bypass(sides: Sequence[Side]) -> list[Row]:
    """Goods under a levy or duty whose imports fall most, by part; below each, what comes in inside other goods."""
    held = [{row["good"]: row for row in side.bypass.iter_rows(named=True)} for side in sides]
    most = {good: max(_moved(each.get(good)) for each in held) for each_ in held for good in each_}
    rows: list[Row] = []
    for good in sorted((good for good in most if most[good] > STIRS), key=lambda good: (-most[good], good))[:SHOWN]:
        for key, words in (("direct", good), ("inside", "  inside other goods")):
            cells = [
                f"{figure(row[f'{key}_before_t'])}→{figure(row[f'{key}_after_t'])}" if row else ""
                for row in (each.get(good) for each in held)
            ]
            rows.append((words, cells))
    return rows


def _moved(row: dict[str, float] | None) -> float:
    """By which part what comes in of a good from outside, by itself or inside others, changes."""
    if row is None:
        return 0.0
    pairs = [(row[f"{key}_before_t"], row[f"{key}_after_t"]) for key in ("direct", "inside")]
    return max(abs(after - before) / before if before > 0.0 else 0.0 for before, after in pairs)


def _cover(sides: Sequence[Side]) -> list[Row]:
    held = [{(r["good"], r["holder"]): r for r in side.cover.iter_rows(named=True)} for side in sides]
    keys = sorted({key for each in held for key in each})
    return [
        (
            f"{good}, {holder}",
            [
                f"{row['days_a_year']:+.0f} a year, {row['held_days']:.0f} of {row['target_days']:.0f}" if row else ""
                for row in (each.get((good, holder)) for each in held)
            ],
        )
        for good, holder in keys
    ]


def _products(sides: Sequence[Side]) -> list[Row]:
    """Products by area, with the cost before and the change; those that nowhere move are left out."""
    rows: list[Row] = []
    area = ""
    tables = [_costs(side, PARTIES) for side in sides]
    kinds = dict.fromkeys(
        (a, p, u) for side in sides for p, u, a in side.products.select("product", "unit", "area").iter_rows()
    )
    for where, product, unit in sorted(kinds, key=lambda kind: kind[0]):
        pairs = [each.get(product) for each in tables]
        if not any(_dearer(pair) for pair in pairs):
            continue
        if where != area:
            rows.append((where, ["" for _ in sides]))
            area = where
        rows.append((f"  {product}, {unit}", [_change(pair) for pair in pairs]))
    return rows


def _by_place(sides: Sequence[Side], names: Names) -> list[Row]:
    """The product of each area that moves most among those priced, in every union and every other party."""
    rows: list[Row] = []
    best: dict[str, tuple[float, str]] = {}
    for side in sides:
        for row in side.products.filter((pl.col("place") == PARTIES) & (pl.col("before_usd") > 0)).iter_rows(
            named=True
        ):
            moved = abs(row["after_usd"] / row["before_usd"] - 1.0)
            if moved >= STIRS and moved > best.get(row["area"], (0.0, ""))[0]:
                best[row["area"]] = (moved, row["product"])
    for _, product in best.values():
        tables = [
            {
                p: (a, b)
                for p, a, b in side.products.filter(pl.col("product") == product)
                .select("place", "before_usd", "after_usd")
                .iter_rows()
            }
            for side in sides
        ]
        union = {c for side in sides for c, u in side.countries.select("country", "union").iter_rows() if u}
        where = sorted({place for each in tables for place in each} - {PARTIES} - union)
        rows.append((product, ["" for _ in sides]))
        rows += [(f"  {names.of(place)}", [_change(each.get(place)) for each in tables]) for place in where]
    return rows


def _costs(side: Side, place: str) -> dict[str, tuple[float | None, float | None]]:
    held = side.products.filter(pl.col("place") == place)
    return {p: (a, b) for p, a, b in held.select("product", "before_usd", "after_usd").iter_rows()}


def _dearer(pair: tuple[float | None, float | None] | None) -> bool:
    if pair is None or pair[0] is None or pair[1] is None:
        return False
    return abs(pair[1] / pair[0] - 1.0) >= STIRS if pair[0] > 0 else False


def _change(pair: tuple[float | None, float | None] | None) -> str:
    if pair is None or pair[0] is None or pair[1] is None:
        return "-"
    return f"{figure(pair[0])}, {percent(pair[1] / pair[0] - 1.0, sign=True)} %"


def _caveats(sides: Sequence[Side]) -> str:
    said = [
        "Uses by industry are those of the European Union, applied everywhere.",
        *_unpublished(sides),
        "A product's cost is that of its minerals alone, at what buyers pay on average; - where they took none of one in the base year.",
        "Supply risk takes substitution as nought, so it is an upper bound.",
    ]
    unrated = sorted(
        {
            good
            for side in sides
            for good, part in side.risk.select("good", "unrated").iter_rows()
            if (part or 0.0) > 0.005
        }
    )
    if unrated:
        said.append(
            f"Part of the world's output has no governance indicator, and counts as the mean of the rest: {', '.join(unrated)}."
        )
    return " ".join(said)
