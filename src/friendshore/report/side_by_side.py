"""Several agreements as tables of one scale, a column for each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from friendshore.report.sharing import HEADLINES
from friendshore.report.typography import WIDTH, grid, millions, paragraph, percent, section

if TYPE_CHECKING:
    from friendshore.report.account import Names
    from friendshore.side_by_side import Side, Sides

STILL = 500.0  # USD below which a row is left out
SHOWN = 12  # countries and goods that are named
LIMIT = 65.0  # per cent that no outsider should supply more of, as the EU's benchmark has it
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
            "By group", sides, _money(_same(_keys(sides, "groups")), sides, lambda side, key: side.groups.get(key, 0.0))
        ),
        _table("By good, the parties' accounts", sides, _goods(sides)),
        _table("By instrument, what the parties gain", sides, _instruments(sides)),
        _table("The European Union's benchmarks, goods that reach them", sides, _benchmarks(sides)),
        _table("Concentration of origins (Herfindahl-Hirschman), import reliance in %", sides, _concentration(sides)),
        _table(
            f"Largest outside supplier, % of what the parties take (over {LIMIT:g} marked !)", sides, _suppliers(sides)
        ),
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
    held = [side.shares.of("gain_of_parties") if side.shares else {} for side in sides]
    kinds = list(dict.fromkeys(kind for each in held for kind in each))
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
    """Goods whose concentration moves by a point in a hundred, with the reliance on imports beside it."""
    goods = sorted(
        {name.partition(".")[2] for side in sides for name in side.supply if name.startswith("concentration.")}
    )
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
        rows.append((good, cells))
    return rows


def _suppliers(sides: Sequence[Side]) -> list[Row]:
    goods = sorted(
        {name.partition(".")[2] for side in sides for name in side.supply if name.startswith("largest_supplier.")}
    )
    rows: list[Row] = []
    for good in goods:
        pairs = [side.supply.get(f"largest_supplier.{good}", (0.0, 0.0)) for side in sides]
        if all(abs(after - before) < 0.05 for before, after in pairs):
            continue
        cells = [
            f"{percent(before / 100)}→{percent(after / 100)}{'!' if after > LIMIT else ' '}" for before, after in pairs
        ]
        rows.append((good, cells))
    return rows
