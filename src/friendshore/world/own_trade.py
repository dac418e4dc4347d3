"""What do a user's files say of each good's trade, in contained tonnes between places of the world?

The rules that make tonnes of a good out of trade in a code are the plan's (`plan/*/trade.csv`) or, where it has none, the
content of a gross tonne. Reading files is `world.imports`', balancing `world.own_balance`'s.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from friendshore.errors import InputRefused, Problem
from friendshore.world import flows, output, own_figures, sectors
from friendshore.world.imports import places
from friendshore.world.imports.rows import Import
from friendshore.world.output import Figure
from friendshore.world.sectors import Row
from friendshore.world.tables import COLUMNS, World

Pair = tuple[str, str]

WHOLE_NOMENCLATURE = 4000  # products: a file with as many holds every code, and one that it lacks was not traded
PART = 0.2  # of the trade that the world has: a file of everybody's trade with less is an extract
OFF = 100.0  # times: a mean value of a tonne further from the good's price is one of another unit


@dataclass
class Declared:
    """A good's trade as the files have it, on the world's places, and which pairs they speak of."""

    routes: dict[Pair, Figure] = field(default_factory=dict)
    covers: list[Callable[[str, str], bool]] = field(default_factory=list)
    codes: set[str] = field(default_factory=set)
    source: set[str] = field(default_factory=set)
    by_hand: dict[Pair, Figure] = field(default_factory=dict)
    silent: dict[str, tuple[float, float]] = field(default_factory=dict)
    reported_usd: float = 0.0
    used_usd: float = 0.0
    spread_usd: float = 0.0

    def speaks_of(self, exporter: str, importer: str) -> bool:
        return any(covers(exporter, importer) for covers in self.covers)

    def over(self, before: Declared) -> Declared:
        """An earlier file's trade with this one's in the cells that it speaks of."""
        stand = {pair: figure for pair, figure in before.routes.items() if not self.speaks_of(*pair)}
        return Declared(
            stand | self.routes, before.covers + self.covers, before.codes | self.codes, before.source | self.source,
            self.by_hand, before.silent | self.silent, before.reported_usd + self.reported_usd, before.used_usd + self.used_usd, before.spread_usd + self.spread_usd,
        )  # fmt: skip


def wanted(world: World) -> Callable[[str], bool]:
    """Whether some rule makes tonnes of a good out of a product code."""
    codes = {code for lines in rules(world).values() for row in lines for code in row["codes"].split(flows.ADDED)}
    codes |= {code for cell in world.goods["hs6"].drop_nulls() for code in cell.split(flows.ADDED) if code}
    found: dict[str, bool] = {}

    def asked(product: str) -> bool:
        if product not in found:
            found[product] = any(product.startswith(code) for code in codes)
        return found[product]

    return asked


def rules(world: World) -> dict[str, list[Row]]:
    """How trade in codes becomes tonnes of each good: the plan's lines, or the content of a gross tonne.

    A good whose code is another's as well has no rule unless the plan splits the code.
    """
    out: dict[str, list[Row]] = defaultdict(list)
    goods = set(world.goods["id"])
    for row in sectors.rows("trade"):
        if row["codes"] and row["good"] in goods:
            out[row["good"]].append(row)
    content = {row["id"]: row for row in sectors.rows("parameters_goods")}
    holders: dict[str, set[str]] = defaultdict(set)
    for good, cell in world.goods.select("id", "hs6").iter_rows():
        for code in (cell or "").split(flows.ADDED):
            holders[code].add(good)
    for lines in out.values():
        for row in lines:
            for code in row["codes"].split(flows.ADDED):
                holders[code].add(row["good"])
    for good, cell in world.goods.select("id", "hs6").iter_rows():
        codes = [code for code in (cell or "").split(flows.ADDED) if code]
        if good in out or not codes or any(_shared(code, good, holders) for code in codes) or good not in content:
            continue
        share = content[good]["content"]
        out[good].append(
            dict.fromkeys(("low_usd_t", "high_usd_t", "total_t", "without", "dross_usd_t"), "")
            | {"good": good, "method": "matrix", "codes": flows.ADDED.join(codes), "exporters": "*", "by": "weight", "factor": share}
            | {"source": "", "year": "", "reliability": "B", "note": f"Gross weight at {float(share):.3g} of content"}
        )  # fmt: skip
    return dict(out)


def _shared(code: str, good: str, holders: Mapping[str, set[str]]) -> bool:
    return any(
        others - {good}
        for other, others in holders.items()
        if other and (other.startswith(code) or code.startswith(other))
    )


def places_of(world: World) -> dict[str, str]:
    """Every code of the list of countries -> the place of the world that it belongs to."""
    own, listed = set(world.countries["code"]), places.listed()
    return {code: code if code in own else listed.remainder[code] for code in listed.remainder}


def declare(
    world: World, imports: Sequence[Import], place: Mapping[str, str]
) -> tuple[dict[str, Declared], dict[str, str]]:
    """Trade of every good that some file covers, and the goods that are covered in part only.

    Files come in the order given; the cells of a later one take the place of an earlier one's.
    """
    declared: dict[str, Declared] = {}
    kept: dict[str, str] = {}
    problems: list[Problem] = []
    for one in imports:
        present = set(one.table["hs6"].unique())
        whole = one.products >= WHOLE_NOMENCLATURE
        for good, lines in rules(world).items():
            lacking = [] if whole else _lacking(lines, present)
            codes = {code for row in lines for code in row["codes"].split(flows.ADDED)}
            if len(lacking) == len(codes):
                continue
            if lacking:
                kept[good] = f"{one.file} lacks {', '.join(lacking)}; it has {', '.join(sorted(codes - set(lacking)))}"
                continue
            problems += _off_by_units(world, good, one, lines)
            told = _told(world, good, one, lines, place)
            if part := _partial(world, good, one, told):
                kept[good] = part
            else:
                declared[good] = told.over(declared[good]) if good in declared else told
    if problems:
        raise InputRefused(problems)
    return declared, {good: why for good, why in kept.items() if good not in declared}


def _partial(world: World, good: str, one: Import, alone: Declared) -> str:
    """Why a file that should hold everybody's trade does not; nothing where it does, or where it has reporters."""
    if "side" in one.table.columns:
        return ""
    told = sum(figure.tonnes for figure in alone.routes.values())
    held = sum(tonnes for pair, tonnes in trade_of(world, good).items() if alone.speaks_of(*pair))
    if told >= PART * held:
        return ""
    return f"{one.file} has {told:.4g} t of it, where the world trades {held:.4g} t: a part of the trade, not all of it"


def _off_by_units(world: World, good: str, one: Import, lines: Sequence[Row]) -> list[Problem]:
    """A file whose weights stand in another unit: its mean value of a tonne is far from what the good costs."""
    price = dict(world.goods.select("id", "price_outside_usd_t").iter_rows())[good]
    weighed = one.table.filter(pl.col("tonnes").is_not_null())
    for row in lines:
        if row["by"] != "weight" or row["method"] == "star":
            continue
        rows = weighed.filter(pl.col("hs6").is_in(row["codes"].split(flows.ADDED)))
        tonnes, usd = float(rows["tonnes"].sum()), float(rows["amount"].sum())
        expected = price * float(row["factor"])
        if not tonnes or not usd or 1.0 / OFF <= usd / tonnes / expected <= OFF:
            continue
        small = usd / tonnes < expected
        unit = "kilograms where tonnes belong" if small else "tonnes where kilograms belong"
        message = f"{row['codes']} at {usd / tonnes:,.3g} USD/t, where a tonne of {good} as traded is worth some {expected:,.3g}"
        hint = f"its weights look like {unit}: {'divide' if small else 'multiply'} that column by 1000"
        return [Problem("wrong-unit", message, None, one.file, hint)]
    return []


def _lacking(lines: Iterable[Row], present: set[str]) -> list[str]:
    """Codes of the rules that the file does not hold; a heading is held where it stands itself or all its codes do."""
    codes = dict.fromkeys(code for row in lines for code in row["codes"].split(flows.ADDED))
    return [c for c in codes if c not in present and not any(below <= present for below in _subheadings(c))]


def _subheadings(code: str) -> list[set[str]]:
    """The six-digit codes of a heading, by edition of the HS; none for a code that has six digits."""
    return [set(row["codes"].split(flows.ADDED)) for row in sectors.rows("headings") if row["heading"] == code]


def _told(world: World, good: str, one: Import, lines: Sequence[Row], place: Mapping[str, str]) -> Declared:
    """A good's trade as one file has it, in contained tonnes between places of the world."""
    entry, source, when = Declared(), source_id(one), "+".join(taken(one))
    relabels = [row for row in sectors.rows("relabel") if row["good"] == good]
    stated = [row for row in sectors.rows("routes") if row["good"] == good]
    by_hand = {(row["exporter"], row["importer"]): output.figure(row, float(row["flow_t"])) for row in stated}
    entry.by_hand = flows.merged(by_hand, place)
    entry.source.add(source)
    for side, table in _sides(one.table):
        who = table["importer" if side == "importer" else "exporter"]
        reporters = None if side == "both" else {place.get(code, code) for code in who.unique()}
        every = {code for row in lines for code in row["codes"].split(flows.ADDED)}
        of_codes = table.filter(pl.any_horizontal(pl.col("hs6").str.starts_with(code) for code in sorted(every)))
        entry.reported_usd += float(of_codes["amount"].sum())
        covers: list[Callable[[str, str], bool]] = []
        fresh: dict[Pair, Figure] = {}
        for row in lines:
            codes = row["codes"].split(flows.ADDED)
            rows = table.filter(pl.any_horizontal(pl.col("hs6").str.starts_with(code) for code in codes))
            cells = flows.convert(rows, row)
            entry.used_usd += sum(usd for _, _, _, usd in cells)
            entry.codes |= set(rows["hs6"].unique())
            spread, usd = specified(cells)
            entry.spread_usd += usd
            covers.append(_covers(row, side, reporters, by_hand))
            for (exporter, importer), tonnes in sorted(spread.items()):
                exporter, importer, why = flows.relabel(good, (exporter, importer), relabels)
                pair = place[exporter], place[importer]
                if pair[0] != pair[1] and tonnes > 0.0 and pair not in by_hand:
                    held = fresh.get(pair)
                    note = "; ".join(filter(None, (row["note"], why)))
                    grade = max(held.reliability if held else "A", min(row["reliability"], "B"))
                    fresh[pair] = Figure(tonnes + (held.tonnes if held else 0.0), source, when, grade, note)
        if reporters is not None:
            silent = _silent(world, good, side, reporters, fresh)
            reporters -= set(silent)
            fresh = {pair: f for pair, f in fresh.items() if pair[1 if side == "importer" else 0] not in silent}
            entry.silent |= silent
        entry.routes = {pair: f for pair, f in entry.routes.items() if not any(told(*pair) for told in covers)} | fresh
        entry.covers += covers
    return entry


def _sides(table: pl.DataFrame) -> list[tuple[str, pl.DataFrame]]:
    """Reports of both sides reconciled, or those of importers and of exporters apart, importers last so that they hold."""
    if "side" not in table.columns:
        return [("both", table)]
    parts = [(side, table.filter(pl.col("side") == side)) for side in ("exporter", "importer")]
    return [(side, part) for side, part in parts if part.height]


def _silent(
    world: World, good: str, side: str, reporters: set[str], fresh: Mapping[Pair, Figure]
) -> dict[str, tuple[float, float]]:
    """Reporters whose rows are a small part of the trade that the world has for them: told and held, t.

    A reporter may be in the file with one code of a good and be silent on another; silence is no trade of nothing.
    """
    at = 1 if side == "importer" else 0
    told, held = dict.fromkeys(reporters, 0.0), dict.fromkeys(reporters, 0.0)
    for pair, figure in fresh.items():
        if pair[at] in told:
            told[pair[at]] += figure.tonnes
    for pair, tonnes in trade_of(world, good).items():
        if pair[at] in held:
            held[pair[at]] += tonnes
    return {code: (told[code], held[code]) for code in sorted(reporters) if told[code] < PART * held[code]}


def _covers(
    row: Row, side: str, reporters: Container[str] | None, by_hand: Container[Pair]
) -> Callable[[str, str], bool]:
    """Which pairs of places a rule speaks of: all, or those of the reporters that the file holds.

    A single route that the plan sets by hand, because trade in the code misleads there, stands.
    """

    def covers(exporter: str, importer: str) -> bool:
        if not flows.named(row["exporters"], exporter) or (exporter, importer) in by_hand:
            return False
        return reporters is None or (importer if side == "importer" else exporter) in reporters

    return covers


def specified(cells: Iterable[tuple[str, str, float, float]]) -> tuple[dict[Pair, float], float]:
    """Tonnes by pair, those of areas not specified spread over the other partners of the same trader, and their USD.

    Where a trader has no other partner, over the partners of all traders.
    """
    known: dict[Pair, float] = defaultdict(float)
    open_cells: dict[Pair, float] = defaultdict(float)
    usd_open = 0.0
    for exporter, importer, tonnes, usd in cells:
        if places.NOWHERE in (exporter, importer):
            open_cells[exporter, importer] += tonnes
            usd_open += usd
        else:
            known[exporter, importer] += tonnes
    base = dict(known)
    for (exporter, importer), tonnes in open_cells.items():
        same = {
            pair: t for pair, t in base.items()
            if (exporter in (places.NOWHERE, pair[0])) and (importer in (places.NOWHERE, pair[1]))
        }  # fmt: skip
        if not same:  # no other partner: by what all traders buy or sell
            for pair, t in base.items():
                new = (
                    exporter if exporter != places.NOWHERE else pair[0],
                    importer if importer != places.NOWHERE else pair[1],
                )
                if new[0] != new[1]:
                    same[new] = same.get(new, 0.0) + t
        total = sum(same.values())
        for pair, t in same.items():
            known[pair] += tonnes * t / total
    return dict(known), usd_open


def taken(one: Import) -> list[str]:
    """The years whose figures were taken from a file that may hold more."""
    return sorted(one.table["year"].unique())


def source_id(one: Import) -> str:
    """The id of a user's file in the sources table.

    The year's file of CEPII BACI becomes `own.baci-hs17-y2024-v202601`.
    """
    return own_figures.source_id(Path(one.file.split("/")[0]).name.split(".")[0])


def sources(world: World, imports: Sequence[Import]) -> pl.DataFrame:
    """The world's sources and the user's files, each with its digest and the licence of its publisher."""
    known = set(world.sources["id"])
    rows = [
        {
            "id": source_id(one), "publisher": f"{PUBLISHERS[one.publisher][0]}, the user's download",
            "title": f"{one.file}, sha256 {one.digest}", "year": "+".join(taken(one)), "url": "", "licence": PUBLISHERS[one.publisher][1],
        }
        for one in {source_id(one): one for one in imports}.values() if source_id(one) not in known
    ]  # fmt: skip
    return pl.concat([world.sources, pl.DataFrame(rows, schema=COLUMNS["sources"])])


PUBLISHERS = {
    "cepii.baci": ("CEPII", "Etalab Open Licence 2.0"), "un.comtrade": ("United Nations", "Derived figures only"),
    "wits": ("World Bank, WITS", "Derived figures only"), "usgs.mcs": ("U.S. Geological Survey", "Public domain"),
    "worldbank.pinksheet": ("World Bank", "CC BY 4.0"),
}  # fmt: skip


def trade_of(world: World, good: str) -> dict[Pair, float]:
    """A good's routes between countries that carry something, t by origin."""
    rows = world.routes.filter((pl.col("good") == good) & (pl.col("exporter") != pl.col("importer")))
    return {(e, i): t for e, i, t in rows.select("exporter", "importer", "flow_t").iter_rows() if t > 0.0}
