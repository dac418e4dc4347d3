"""The rule on columns: what millions of lines owe, in whole numbers, the same on every engine.

Lines come with the terms of their kind joined to them. Steps follow the declared order of layers: customs value, base duty
with its options, additional duties, levy on what stands above. Each amount is rounded to the cent once; contained mass to
the gram at each of its three steps. `line` is the same rule for one line in exact decimals.

What can be said of a kind of line is said once, in its terms; a line meets only products, sums and comparisons of whole
numbers. Reasons, warnings and refusals are numbers too, until `spelled` puts their codes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import count, product
from math import gcd
from typing import TYPE_CHECKING, Any

from friendshore.border.declared_price import POINT, WITHIN
from friendshore.border.engine import view
from friendshore.border.reasons import REASONS
from friendshore.border.scaled import (
    CENTS_MAX,
    GRAMS_MAX,
    INT64,
    NANO,
    Engine,
    Rounding,
    divided_whole,
    fits_at_once,
    guessed,
    one_more,
    products,
)
from friendshore.border.terms import CONTAINED, DELIVERY, HIGHER, KEYS, LOWER, NET_MASS, SUM, Charge, Kind, Terms

if TYPE_CHECKING:
    import polars as pl
    from ibis.expr.types import Table

MICRO = 10**6
OPTIONS = ("mfn", "treaty", "agreed", "suspended")
EXTRAS = {"section_301": "A1", "section_232": "A2", "section_122": "A3", "surcharge": "A4"}
CHARGES = (*OPTIONS, *EXTRAS)
# Options in the order in which they are tried, their reason, and whether they ask for proof.
WAYS = (("suspended", "D4", False), ("treaty", "D2", True), ("agreed", "D3", True))

# What every assessed line has. Cents of USD and grams.
AMOUNTS = ("customs_c", "cif_c", "contained_g", "duty_c", *(f"{name}_c" for name in EXTRAS), "levy_c", "total_c")

# What stands beside them, none where there is none: base duty as MFN, the lowest preference, grams contained.
BESIDE = ("mfn_c", "preferred_c", "stated_g")

# Codes by their numbers. A line's reasons are one duty, any additional duties, one levy, and what the price test did; its
# warnings those of its kind and any of its own.
DUTIES = tuple(code for code in REASONS if code.startswith("D"))
LEVIES = tuple(code for code in REASONS if code.startswith("L"))
GRADES = ("", "P3")
TESTS = ("", "P1", "P2")
OWN_WARNINGS = ("W3", "W4", "W5", "W9")
REFUSALS = ("", *(code for code, reason in REASONS.items() if reason.kind == "refusal"))

# What the rule reads of a line, and of the terms of its kind.
_OWN = (
    "row", "line_id", "entry_day", "net_g", "moisture_n", "assay_n", "price_c", "freight_c", "insurance_c", "proof_lapsed",
)  # fmt: skip
_READ = (
    "term_refusal", "fob_freight", "fob_insurance", "cif_price", "cif_freight", "cif_insurance", "freight_asked",
    "insurance_asked", "fx_num", "fx_den", "part_fixed", "part_default", "content", "needs_content", "duty_n", "price_t",
    "phase", "landed", "levied", "least", "levy_n", "warned",
)  # fmt: skip
_GRADED = ("grade", "grade_point")
_RELATED = ("within", "sale", "deductive", "computed", "next_value")
_WORDS = ("importer", "origin", "hs", "good", "currency", "delivery")
_TEXTS = (*_WORDS, "basis", "exchange", "sources", "field", "about", "clause", "article")


@dataclass(frozen=True, slots=True)
class Shape:
    """Which parts of the rule any kind of line needs; the others are left out of the query.

    Parameters
    ----------
    by_value, by_mass : charges with a rate, and with money per mass; `either` those that take the lower or the higher
    at_once : those by value whose products stay within 64 bits whatever the line
    there : charges that any kind has
    exchanged, converted : whether any price is in another currency, any content in another unit than the assay's
    moist, lapsed : whether any line states its moisture, whether any has a day of proof that may have passed
    light : whether no line is so heavy that its mass times billionths leaves 64 bits
    cheap : whether no line's contained mass times its reference price does, nor any grade changes that price
    quotas : whether lines must be taken in order
    levies : whether a reference price or a minimum import price applies to any
    phased : whether any levy is charged in part
    least : whether a minimum import price applies to any
    graded, related : whether any reference is quoted for a grade, any clause tests the prices of related parties
    """

    by_value: tuple[str, ...]
    by_mass: tuple[str, ...]
    either: tuple[str, ...]
    at_once: frozenset[str]
    there: tuple[str, ...]
    exchanged: bool
    converted: bool
    moist: bool
    lapsed: bool
    light: bool
    cheap: bool
    quotas: bool
    levies: bool
    phased: bool
    least: bool
    graded: bool
    related: bool


def shape(terms: Sequence[Terms], *, moist: bool = True, lapsed: bool = True, most_g: int = GRAMS_MAX) -> Shape:
    """The parts of the rule that `terms` need, for lines that weigh `most_g` at most.

    `moist` and `lapsed` are false where no line states its moisture, and none a day of proof that may have passed.
    """
    held = [(name, charge) for each in terms for name in CHARGES if (charge := getattr(each, name)) is not None]
    valued = {name for name, charge in held if charge.rate}
    weighed = {name for name, charge in held if charge.num}
    either = {name for name, charge in held if charge.mode != SUM}
    large = {name for name, charge in held if not fits_at_once(CENTS_MAX, *_reduced(charge.rate))}
    phases = {each.phase for each in terms if each.reference is not None}
    graded = any(each.tested.grade is not None for each in terms)
    contained_g = most_g * max([NANO, *(each.content or 0 for each in terms)]) // NANO + 1
    price_t = max((each.reference or each.least or 0 for each in terms), default=0)
    return Shape(
        by_value=tuple(name for name in CHARGES if name in valued),
        by_mass=tuple(name for name in CHARGES if name in weighed),
        either=tuple(name for name in CHARGES if name in either),
        at_once=frozenset(valued - large),
        there=tuple(name for name in CHARGES if name in {name for name, _ in held}),
        exchanged=any(each.fx_num != each.fx_den for each in terms),
        converted=any(each.content not in (None, NANO) for each in terms),
        moist=moist,
        lapsed=lapsed,
        light=fits_at_once(contained_g, NANO, NANO),
        cheap=not graded and contained_g * price_t <= INT64,
        quotas=any(each.quota is not None for each in terms),
        levies=any(each.reference is not None or each.least is not None for each in terms),
        phased=bool(phases - {NANO}),
        least=any(each.least is not None for each in terms),
        graded=graded,
        related=any(each.tested.within is not None for each in terms),
    )


def numbered(lines: Table, kinds: Table, *, by_day: bool) -> Table:
    """Lines with `kind`, the number of their kind, found by its words; `by_day` false where one day's law applies to all."""
    keys = kinds.select("kind", *(f"key_{name}" for name in KEYS))
    on = [lines[name] == keys[f"key_{name}"] for name in KEYS if name != "day"]
    if by_day:
        on.append(lines.day == keys.key_day)
    return lines.join(keys, on, how="inner").select(*(lines[name] for name in lines.columns), keys.kind)


def joined(lines: Table, kinds: Table, needed: Shape, same: Mapping[str, int | bool | None] | None = None) -> Table:
    """Sound lines, of numbered kinds, with what the rule reads of the terms of their kind.

    Parameters
    ----------
    lines, kinds : with `kind`, the number of their kind
    needed : which parts of the rule any of the terms need
    same : what is `shared` by all kinds, which need not be fetched for each line

    Returns
    -------
    table : `day` is the day whose law applies
    """
    import ibis

    same = same or {}
    lines = lines.rename(entry_day="day")
    parts = [f"{name}_{part}" for name in needed.by_value for part in ("rate", "base")]
    parts += [f"{name}_{part}" for name in needed.by_mass for part in ("net", "held", "num", "den")]
    parts += [f"{name}_mode" for name in needed.either]
    parts += [f"{name}_{part}" for name, _, _ in WAYS if name in needed.there for part in ("open", "missed")]
    if needed.quotas:
        parts += ["quota", "quota_n", "quota_rate", "quota_base", "beyond_rate", "beyond_base"]
    parts += [*_GRADED] if needed.graded else []
    parts += [*_RELATED] if needed.related else []
    table = lines.join(kinds, lines.kind == kinds.kind, how="inner")
    read = [*_READ, *parts]
    constant = {name: ibis.literal(same[name], kinds[name].type()) for name in read if name in same}
    fetched = [name for name in read if name not in same]
    return table.select(*_OWN, lines.kind, *fetched, **constant, day=kinds.key_day)


def shared(terms: pl.DataFrame) -> dict[str, int | bool | None]:
    """What the terms of all kinds have in common, of a table as `terms_table` makes it: column -> its one value."""
    if terms.is_empty():
        return {}
    read = [name for name in terms.columns if not name.startswith("key_")]
    return {name: terms.item(0, name) for name in read if terms[name].n_unique() == 1}


def native(con: Any) -> Engine:
    """DuckDB: a column of an inner query is computed once, and whole numbers are divided as such."""
    keep = _kept(con, "create_table", temp=True)
    return Engine(
        lambda table: view(con, f"stage_{next(_NUMBERS)}", table, own=True),
        lambda table: table,
        lambda table, flag: keep(table.filter(flag)),
        divided_whole,
    )


def views(con: Any) -> Engine:
    """A view for each stage, computed when it is made (Spark).

    Spark would write an amount out again wherever it is used, in all stages at once, until its memory is full.
    """

    def keep(table: Table) -> Table:
        name = f"stage_{next(_NUMBERS)}"
        con._session.sql(con.compile(table)).localCheckpoint().createOrReplaceTempView(name)
        held: Table = con.table(name)
        return held

    return Engine(keep, lambda table: table, lambda table, flag: keep(table.filter(flag)), guessed)


def tables(con: Any) -> Engine:
    """A temporary table for each piece: for engines that open inner queries and repeat them (PostgreSQL)."""
    keep = _kept(con, "create_table", temp=True)
    return Engine(keep, keep, lambda table, flag: keep(table.filter(flag)), guessed)


_NUMBERS = count(1)  # so that a rule that runs again does not take away the stages of another


def _kept(con: Any, how: str, **options: bool) -> Callable[[Table], Table]:
    def keep(table: Table) -> Table:
        name = f"stage_{next(_NUMBERS)}"
        getattr(con, how)(name, table, overwrite=True, **options)
        held: Table = con.table(name)
        return held

    return keep


def rule(table: Table, rounding: Rounding, needed: Shape, engine: Engine) -> Table:
    """Assess every line.

    Parameters
    ----------
    table : sound lines with their terms, as `joined` makes it
    rounding : halves up, or to the even neighbour
    needed : which parts of the rule any of the terms need
    engine : where it runs: `native`, `views` or `tables`

    Returns
    -------
    table : the lines with `AMOUNTS` and the numbers `reasons`, `warnings` and `refusal`, the last 0 where the line is assessed
    """
    table = weighed(table, rounding, needed, engine)
    table = _base_duty(table, rounding, needed, engine)
    if needed.quotas:
        table = engine.stage(_quota(engine.stage(table), rounding, needed, engine))
    if needed.related:
        table = engine.stage(_compared(engine.stage(table), rounding, engine))
    table = _landed(table)
    table = _levy(table, rounding, needed, engine) if needed.levies else _no_levy(table)
    return engine.stage(_codes(engine.stage(table), needed))


def weighed(table: Table, rounding: Rounding, needed: Shape, engine: Engine) -> Table:
    """The rule as far as values, contained mass and what is missing: what a quota is filled by."""
    table = _values(engine.stage(table))
    if needed.graded:
        table = _off_grade(table, rounding, engine)
    return engine.stage(_refusals(_masses(table, rounding, needed, engine)))


def _values(table: Table) -> Table:
    """Customs value and cif in hundredths of the currency, from price, freight and insurance as the term of delivery asks."""
    table = table.mutate(
        no_freight=table.freight_asked & table.freight_c.isnull(),
        no_insurance=table.insurance_asked & table.insurance_c.isnull(),
        freight_n=table.freight_c.fill_null(0),
        insurance_n=table.insurance_c.fill_null(0),
    )
    price, freight, insurance = table.price_c, table.freight_n, table.insurance_n
    table = table.mutate(
        customs_cur=price + freight * table.fob_freight + insurance * table.fob_insurance,
        cif_cur=price * table.cif_price + freight * table.cif_freight + insurance * table.cif_insurance,
    )
    used = ("fob_freight", "fob_insurance", "cif_freight", "cif_insurance", "freight_asked", "insurance_asked")
    return table.drop(*used, "freight_n", "insurance_n")


def _masses(table: Table, rounding: Rounding, needed: Shape, engine: Engine) -> Table:
    """Cents of USD, and grams: dry, of the substance assayed, of the good's own unit."""
    substance = table.part_fixed.isnull() & table.assay_n.notnull()
    table = table.mutate(
        no_value=(table.customs_cur <= 0) | ((table.cif_price > 0) & (table.cif_cur <= 0)),
        part_n=table.part_fixed.coalesce(table.assay_n, table.part_default),
        unit_n=substance.ifelse(table.content, NANO),
    )
    wanted: dict[str, tuple[Any, Any, Any]] = {}
    if needed.exchanged:  # what is not above nought is refused, and multiplied as nought
        value, landed = (_above(table[name]) for name in ("customs_cur", "cif_cur"))
        wanted |= {"customs_c": (value, table.fx_num, table.fx_den), "cif_c": (landed, table.fx_num, table.fx_den)}
    else:
        table = table.mutate(customs_c=table.customs_cur, cif_c=table.cif_cur)
    if needed.moist:
        wanted["dry_g"] = (table.net_g, NANO - table.moisture_n, NANO)
    else:
        table = table.mutate(dry_g=table.net_g)
    at_once = ("dry_g", "pure_g", "contained_g") if needed.light else ()
    table = products(table, wanted, rounding, engine, at_once)
    table = products(table, {"pure_g": (table.dry_g, table.part_n, NANO)}, rounding, engine, at_once)
    if needed.converted:
        table = products(table, {"contained_g": (table.pure_g, table.unit_n, NANO)}, rounding, engine, at_once)
    else:
        table = table.mutate(contained_g=table.unit_n.notnull().ifelse(table.pure_g, None))
    used = ("dry_g", "pure_g", "moisture_n", "assay_n", "content", "part_fixed", "part_default", "part_n", "unit_n")
    return engine.stage(table.drop(*used, "customs_cur", "cif_cur", "cif_price", "fx_num", "fx_den"))


def _off_grade(table: Table, rounding: Rounding, engine: Engine) -> Table:
    """What a contained tonne of the goods is worth less than one of the grade that the reference price is quoted for."""
    asked = table.grade.notnull() & table.part_fixed.isnull() & table.assay_n.notnull()
    table = engine.stage(table.mutate(own_n=asked.ifelse(table.assay_n, None), quoted_n=table.grade))
    table = engine.stage(products(table, {"held_n": (table.own_n, table.content, NANO)}, rounding, engine))
    below = table.held_n < table.quoted_n
    apart = below.ifelse(table.quoted_n - table.held_n, table.held_n - table.quoted_n)
    table = engine.stage(table.mutate(below_n=below, apart_n=apart))
    table = engine.stage(products(table, {"worth_t": (table.apart_n, table.grade_point, POINT)}, rounding, engine))
    less: Any = table.below_n.ifelse(table.worth_t, -table.worth_t).fill_null(0)
    return table.mutate(less_t=less).drop("own_n", "quoted_n", "held_n", "below_n", "apart_n", "worth_t", *_GRADED)


def _compared(table: Table, rounding: Rounding, engine: Engine) -> Table:
    """The cif price that is compared with the reference: between related parties the declared one if it is close to a test value."""
    values = ("sale", "deductive", "computed", "next_value")
    table = products(table, {f"{name}_c": (table.contained_g, table[name], MICRO) for name in values}, rounding, engine)
    table = engine.stage(table)
    taken: Any = table.within.isnull()
    for name in values[:3]:
        value: Any = (table[f"{name}_c"] <= CENTS_MAX).ifelse(table[f"{name}_c"], None)
        apart = (table.cif_c > value).ifelse(table.cif_c - value, value - table.cif_c)
        taken = taken | (apart * WITHIN <= value * table.within).fill_null(False)
    other = table.next_value_c.fill_null(0)
    tests = table.within.isnull().ifelse(TESTS.index(""), taken.ifelse(TESTS.index("P1"), TESTS.index("P2")))
    table = table.mutate(compared_c=taken.ifelse(table.cif_c, other), test_n=tests.cast("int64"))
    large = (table.refusal == 0) & (table.compared_c > CENTS_MAX)
    table = table.mutate(
        refusal=large.ifelse(REFUSALS.index("R19"), table.refusal), compared_c=large.ifelse(0, table.compared_c)
    )
    return table.drop(*(f"{name}_c" for name in values), *_RELATED)


def _above(column: Any) -> Any:
    return (column > 0).ifelse(column, 0)


def _refusals(table: Table) -> Table:
    """The first thing that is missing; amounts of such lines are not shown."""
    import ibis

    refusal = ibis.cases(
        (table.term_refusal > 0, table.term_refusal),
        (table.no_freight, REFUSALS.index("N06")),
        (table.no_insurance, REFUSALS.index("N07")),
        (table.no_value, REFUSALS.index("N12")),
        (table.needs_content & table.contained_g.isnull(), REFUSALS.index("N05")),
        ((table.customs_c > CENTS_MAX) | (table.cif_c > CENTS_MAX), REFUSALS.index("R19")),
        else_=0,
    )
    table = table.mutate(refusal=refusal.cast("int64"))
    fine = table.refusal == 0
    shown = {name: fine.ifelse(table[name], 0) for name in ("customs_c", "cif_c")}
    shown |= {"contained_g": fine.ifelse(table.contained_g, 0).fill_null(0), "stated_g": table.contained_g}
    return table.mutate(**shown).drop("term_refusal", "needs_content", "no_freight", "no_insurance", "no_value")


def _base_duty(table: Table, rounding: Rounding, needed: Shape, engine: Engine) -> Table:
    """Every option and every additional duty: a rate on the customs value, money per mass, both, the lower, the higher."""
    import ibis

    wanted: dict[str, tuple[Any, Any, Any]] = {}
    for name in needed.by_value:
        wanted[f"{name}_v"] = (table.customs_c, table[f"{name}_rate"], table[f"{name}_base"])
    for name in needed.by_mass:
        mass = table.net_g * table[f"{name}_net"] + table.contained_g * table[f"{name}_held"]
        wanted[f"{name}_m"] = (mass, table[f"{name}_num"], table[f"{name}_den"])
    table = products(table, wanted, rounding, engine, {f"{name}_v" for name in needed.at_once})
    nought: Any = ibis.literal(0, "int64")
    columns: dict[str, Any] = {}
    for name in CHARGES:
        by_value = table[f"{name}_v"] if name in needed.by_value else nought
        by_mass = table[f"{name}_m"] if name in needed.by_mass else nought
        owed = by_value + by_mass if name in needed.by_value and name in needed.by_mass else by_value
        owed = by_mass if name in needed.by_mass and name not in needed.by_value else owed
        if name in needed.either:
            mode = table[f"{name}_mode"]
            lower = (by_value < by_mass).ifelse(by_value, by_mass)
            higher = (by_value < by_mass).ifelse(by_mass, by_value)
            owed = (mode == LOWER).ifelse(lower, (mode == HIGHER).ifelse(higher, owed))
        columns[f"{name}_c"] = owed
    if needed.quotas and "mfn" in needed.by_mass:  # a quota's rates take the place of the rate alone
        alone = (table.mfn_mode == SUM) if "mfn" in needed.either else ibis.literal(True)
        columns["beside"] = alone.ifelse(table.mfn_m, 0)
    table = engine.stage(table.mutate(**columns).drop(*wanted))
    chosen, code = table.mfn_c, table.duty_n
    ways = [way for way in WAYS if way[0] in needed.there]
    for name, reason, _ in ways:
        better = table[f"{name}_open"] & (table[f"{name}_c"] < chosen)
        number = ibis.literal(DUTIES.index(reason), "int64")
        table = table.mutate(duty_c=better.ifelse(table[f"{name}_c"], chosen), duty_n=better.ifelse(number, code))
        chosen, code = table.duty_c, table.duty_n
    missed: Any = ibis.literal(False)
    preferred: list[Any] = []
    for name, _, asks_proof in ways:
        if asks_proof:
            missed = missed | (table[f"{name}_missed"] & (table[f"{name}_c"] < chosen))
            offered = table[f"{name}_open"] | table[f"{name}_missed"]
            offered = offered & table.quota.isnull() if needed.quotas else offered
            preferred.append(offered.ifelse(table[f"{name}_c"], None))
    least = ibis.least(*preferred) if len(preferred) > 1 else (preferred or [ibis.literal(None, "int64")])[0]
    return table.mutate(duty_c=chosen, missed=missed, preferred_c=least)


def _quota(table: Table, rounding: Rounding, needed: Shape, engine: Engine) -> Table:
    """The agreement's quota, filled in the order of day and row: within, straddling, beyond."""
    import ibis

    table = engine.stage(table.mutate(quota_held=table.quota.notnull() & (table.refusal == 0)))
    taken = table.select("row", "day", "quota_n", "quota_held", taken=table.quota_held.ifelse(table.contained_g, 0))
    taken = engine.some(taken, taken.quota_held)
    order = ibis.window(group_by=taken.quota_n, order_by=[taken.day, taken.row], preceding=None, following=0)
    before = (taken.taken.sum().over(order) - taken.taken).cast("int64")
    filled = engine.stage(taken.select(filled_row=taken.row, quota_before=before))
    table = engine.stage(table.left_join(filled, table.row == filled.filled_row).drop("filled_row"))
    left = _above(table.quota - table.quota_before)
    within = (table.contained_g < left).ifelse(table.contained_g, left)
    table = table.mutate(quota_within=within, quota_mass=(table.contained_g > 0).ifelse(table.contained_g, 1))
    table = engine.stage(products(table, {"share_m": (table.quota_within, MICRO, table.quota_mass)}, rounding, engine))
    table = engine.stage(products(table, {"value_in": (table.customs_c, table.share_m, MICRO)}, rounding, engine))
    table = products(
        table,
        {
            "duty_in": (table.value_in, table.quota_rate, table.quota_base),
            "duty_out": (table.customs_c - table.value_in, table.beyond_rate, table.beyond_base),
        },
        rounding,
        engine,
    )
    inside, straddling, beyond = (DUTIES.index(code) for code in ("D5", "D6", "D7"))
    where = ibis.cases((table.share_m == MICRO, inside), (table.share_m == 0, beyond), else_=straddling)
    owed = table.duty_in + table.duty_out + (table.beside if "beside" in table.columns else 0)
    return table.mutate(
        duty_c=table.quota_held.ifelse(owed, table.duty_c),
        duty_n=table.quota_held.ifelse(where.cast("int64"), table.duty_n),
    )


def _landed(table: Table) -> Table:
    """What the gap is measured from: cif, or the landed price with every duty above the levy."""
    duties = table.duty_c
    for name in EXTRAS:
        duties = duties + table[f"{name}_c"]
    table = table.mutate(duties_c=duties)
    cif = table.compared_c if "compared_c" in table.columns else table.cif_c
    return table.mutate(base_c=cif + table.duties_c * table.landed)


def _levy(table: Table, rounding: Rounding, needed: Shape, engine: Engine) -> Table:
    """Levy = phase * max(0, contained mass * reference - base), exact to the last fraction and rounded once.

    The value at the reference is kept as whole cents and millionths; the phase, in billionths, multiplies both.
    """
    whole = engine.quotient
    table = _at_reference(table, needed, engine)
    large = (table.refusal == 0) & (table.at_reference_c > CENTS_MAX)
    table = table.mutate(
        refusal=large.ifelse(REFUSALS.index("R19"), table.refusal),
        at_reference_c=(table.at_reference_c > CENTS_MAX).ifelse(0, table.at_reference_c),
    )
    table = table.mutate(
        gap__=_above(table.at_reference_c - table.base_c),
        micro__=(table.at_reference_c >= table.base_c).ifelse(table.micro__, 0),
    )
    table = table.mutate(below=(table.gap__ > 0) | (table.micro__ > 0))
    if needed.phased:
        table = engine.piece(table.mutate(high__=whole(table.gap__, NANO)))
        table = table.mutate(low__=(table.gap__ - table.high__ * NANO) * table.phase)
        table = engine.stage(table.mutate(part__=whole(table.low__, NANO)))
        table = table.mutate(rest__=(table.low__ - table.part__ * NANO) * MICRO + table.micro__ * table.phase)
        table = engine.piece(table.mutate(last__=whole(table.rest__, NANO * MICRO)))
        table = engine.stage(table.mutate(gap__=table.high__ * table.phase + table.part__ + table.last__))
        rest, den = table.rest__ - table.last__ * (NANO * MICRO), NANO * MICRO
    else:
        rest, den = table.micro__, MICRO
    owed = table.gap__ + one_more(table.gap__, rest, den, rounding)
    table = table.mutate(levy_c=owed * table.levied)
    table = engine.stage(table.drop(*(column for column in table.columns if "__" in column)))
    return table.mutate(total_c=table.duties_c + table.levy_c)


def _at_reference(table: Table, needed: Shape, engine: Engine) -> Table:
    """Contained mass times the reference price: whole cents and, beside them, millionths."""
    whole = engine.quotient
    if needed.cheap:
        table = engine.stage(table.mutate(worth__=table.contained_g * table.price_t))
        table = engine.stage(table.mutate(at_reference_c=whole(table.worth__, MICRO)))
        return table.mutate(micro__=table.worth__ - table.at_reference_c * MICRO).drop("worth__")
    if needed.graded:
        table = table.mutate(price_t=_above(table.price_t - table.less_t))
    table = engine.stage(table.mutate(tonnes__=whole(table.contained_g, MICRO)))
    table = table.mutate(rest__=(table.contained_g - table.tonnes__ * MICRO) * table.price_t)
    table = engine.piece(table.mutate(cents__=whole(table.rest__, MICRO)))
    table = table.mutate(
        at_reference_c=table.tonnes__ * table.price_t + table.cents__, micro__=table.rest__ - table.cents__ * MICRO
    )
    return engine.stage(table.drop("tonnes__", "rest__", "cents__"))


def _no_levy(table: Table) -> Table:
    import ibis

    nought: Any = ibis.literal(0, "int64")
    no: Any = ibis.literal(False)
    return table.mutate(levy_c=nought, at_reference_c=nought, below=no, total_c=table.duties_c)


def _codes(table: Table, needed: Shape) -> Table:
    """Why each amount is what it is, and what to look at, as numbers."""
    reasons = table.duty_n * 2 ** len(EXTRAS)
    for bit, name in enumerate(EXTRAS):
        if name in needed.there:
            reasons = reasons + _worth(table[f"{name}_c"] > 0, 2**bit)
    levied = table.levied > 0
    not_below = _worth(levied & ~table.below, LEVIES.index("L2") - LEVIES.index("L1"))
    flags = {"W9": table.missed}
    if needed.lapsed:
        flags["W3"] = table.proof_lapsed
    if needed.levies:
        flags["W4"] = levied & (table.base_c * 2 < table.at_reference_c)
    if needed.least:
        flags["W5"] = table.least & table.below
    warnings = table.warned * 2 ** len(OWN_WARNINGS)
    for code, flag in flags.items():
        warnings = warnings + _worth(flag, 2 ** OWN_WARNINGS.index(code))
    graded = _worth(table.less_t != 0, 1) if needed.graded else 0
    tested = table.test_n if needed.related else 0
    return table.select(
        "row",
        "line_id",
        "entry_day",
        "day",
        "kind",
        "price_c",
        "freight_c",
        "insurance_c",
        "refusal",
        *AMOUNTS,
        *BESIDE,
        reasons=((reasons * len(LEVIES) + table.levy_n + not_below) * len(GRADES) + graded) * len(TESTS) + tested,
        warnings=warnings,
    )


def _worth(flag: Any, number: int) -> Any:
    import ibis

    return flag.ifelse(ibis.literal(number, "int64"), ibis.literal(0, "int64"))


def spelled(result: Table, reasons: Table, warnings: Table, texts: Table) -> Table:
    """The result of the rule with the codes of its reasons and warnings, and the words and the clause of its kind."""
    table = result.join(reasons, result.reasons == reasons.number)
    table = table.join(warnings, result.warnings == warnings.number)
    table = table.join(texts, result.kind == texts.kind)
    kept = [result[name] for name in result.columns if name not in ("reasons", "warnings")]
    codes = {"reasons": reasons.codes, "warnings": warnings.codes}
    return table.select(*kept, *(texts[name] for name in _TEXTS), **codes)


def reasons_table() -> pl.DataFrame:
    """The codes of every combination of reasons, by its number."""
    every = product(DUTIES, range(2 ** len(EXTRAS)), LEVIES, GRADES, TESTS)
    codes = []
    for duty, extras, levy, grade, test in every:
        added = [code for bit, code in enumerate(EXTRAS.values()) if extras >> bit & 1]
        codes.append(" ".join(filter(None, (duty, *added, levy, grade, test))))
    return _by_place("number", {"codes": codes})


def warnings_table(terms: Iterable[Terms]) -> pl.DataFrame:
    """The codes of every combination of warnings that `terms` allow, by its number."""
    codes = []
    for of_kind, own in product(_warned(terms), range(2 ** len(OWN_WARNINGS))):
        codes.append(" ".join((*of_kind, *(code for bit, code in enumerate(OWN_WARNINGS) if own >> bit & 1))))
    return _by_place("number", {"codes": codes})


def texts_table(terms: Iterable[Terms]) -> pl.DataFrame:
    """What there is to say of every kind, by its number: its words, cleaned, how it is valued, where its duties stand."""
    held = list(terms)
    said = {
        name: [getattr(each.kind if name in _WORDS else each, name) for each in held]
        for name in _TEXTS
        if name not in ("basis", "exchange")
    }
    said["basis"] = ["fob" if each.at_fob else "cif" for each in held]
    said["exchange"] = [each.fx_text for each in held]
    return _by_place("kind", {name: said[name] for name in _TEXTS})


def _by_place(number: str, texts: dict[str, list[str]]) -> pl.DataFrame:
    """Texts with their place as a first column."""
    import polars as pl

    frame = pl.DataFrame(texts, schema=dict.fromkeys(texts, pl.String))
    return frame.with_row_index(number).cast({number: pl.Int64})


def terms_table(terms: Sequence[Terms]) -> pl.DataFrame:
    """The terms of every kind as columns: `kind`, its number, the key's parts, then what `rule` reads."""
    import polars as pl

    warned = {codes: number for number, codes in enumerate(_warned(terms))}
    quotas = {name: number for number, name in enumerate(sorted({each.quota_name for each in terms}))}
    rows = [_row(number, each, warned[each.warnings], quotas[each.quota_name]) for number, each in enumerate(terms)]
    return pl.DataFrame(rows, schema=_schema(), orient="row")


def _warned(terms: Iterable[Terms]) -> list[tuple[str, ...]]:
    """Every combination of warnings that a kind has, in order."""
    return sorted({each.warnings for each in terms})


def _row(number: int, terms: Terms, warned: int, quota_n: int) -> dict[str, object]:
    """The terms of one kind as whole numbers and flags."""
    kind, declared = terms.kind, terms.declared or terms.kind
    holds = DELIVERY.get(kind.delivery, 0)
    priced = terms.reference is not None or terms.least is not None
    needs_cif = not terms.at_fob or priced
    to_fob = (-min(1, holds), -(holds > 1))  # what leads from the price to fob, and to cif
    to_cif = (int(holds < 1), int(holds < 2))
    to_customs = to_fob if terms.at_fob else to_cif
    price = terms.reference if terms.reference is not None else terms.least
    levy = terms.levy_reason if terms.reference is None else "L1"
    row: dict[str, object] = {"kind": number}
    row |= {f"key_{name}": getattr(declared, name) for name in KEYS}
    row |= {
        "term_refusal": REFUSALS.index(terms.refusal or ("N10" if holds == DELIVERY["DDP"] else "")),
        "fob_freight": to_customs[0],
        "fob_insurance": to_customs[1],
        "cif_price": int(needs_cif),
        "cif_freight": to_cif[0] * needs_cif,
        "cif_insurance": to_cif[1] * needs_cif,
        "freight_asked": (terms.at_fob and holds >= 1) or (needs_cif and holds == 0),
        "insurance_asked": (terms.at_fob and holds >= 2) or (needs_cif and holds <= 1),
        "fx_num": terms.fx_num,
        "fx_den": terms.fx_den,
        "part_fixed": terms.default_content if terms.gross else None,
        "part_default": terms.default_content,
        "content": terms.content,
        "needs_content": terms.needs_content,
        "duty_n": DUTIES.index(terms.mfn_code),
        "price_t": price or 0,
        "phase": terms.phase,
        "landed": int(not terms.on_cif),
        "levied": int(terms.reference is not None),
        "least": terms.least is not None,
        "levy_n": LEVIES.index(levy),
        "warned": warned,
        "grade": terms.tested.grade,
        "grade_point": terms.tested.grade_point,
        **{name: getattr(terms.tested, name) for name in _RELATED},
        "quota": terms.quota,
        "quota_n": quota_n,
    }
    agreed = terms.agreed or Charge()
    row["quota_rate"], row["quota_base"] = _reduced(agreed.rate)
    row["beyond_rate"], row["beyond_base"] = _reduced(terms.rate_beyond)
    proven = {"treaty": kind.proof in ("treaty", "agreement"), "agreed": kind.proof == "agreement"}
    for name in CHARGES:
        held: Charge | None = getattr(terms, name)
        charge = held or Charge()
        row[f"{name}_rate"], row[f"{name}_base"] = _reduced(charge.rate)
        row |= {f"{name}_net": int(charge.on == NET_MASS), f"{name}_held": int(charge.on == CONTAINED)}
        row |= {f"{name}_num": charge.num, f"{name}_den": charge.den, f"{name}_mode": charge.mode}
        row[f"{name}_open"] = held is not None and proven.get(name, True)
        row[f"{name}_missed"] = held is not None and not proven.get(name, True) and terms.quota is None
    return row


def _reduced(rate: int) -> tuple[int, int]:
    """A rate in billionths as the smallest numbers that say it.

    >>> _reduced(37_000_000)
    (37, 1000)
    """
    common = gcd(rate, NANO)
    return rate // common, NANO // common


def _schema() -> dict[str, Any]:
    """A text or a day for each part of the key, a flag where a flag stands, a whole number everywhere else."""
    import polars as pl

    blank = dict.fromkeys((name for name in KEYS if name != "day"), "")
    empty = Terms(kind=Kind(day=date(1970, 1, 1), **blank))
    types = {str: pl.String, date: pl.Date, bool: pl.Boolean}
    return {name: types.get(type(value), pl.Int64) for name, value in _row(0, empty, 0, 0).items()}
