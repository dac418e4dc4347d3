"""The rule on columns: what millions of lines owe, in whole numbers, the same on every engine.

Lines come with the terms of their kind joined to them. Steps follow the declared order of layers: customs value, base duty
with its options, additional duties, levy on what stands above. Each amount is rounded to the cent once; contained mass to
the gram at each of its three steps. `line` is the same rule for one line in exact decimals.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from itertools import count
from typing import TYPE_CHECKING, Any

from friendshore.border.price_test import POINT, WITHIN
from friendshore.border.scaled import CENTS_MAX, NANO, Rounding, divided, one_more, products
from friendshore.border.terms import CONTAINED, DELIVERY, HIGHER, KEYS, LOWER, NET_MASS, SUM, Charge, Kind, Terms

if TYPE_CHECKING:
    import pyarrow as pa
    from ibis.expr.types import Table

MICRO = 10**6
OPTIONS = ("mfn", "treaty", "agreed", "suspended")
EXTRAS = ("section_301", "section_232", "section_122", "surcharge")
CHARGES = (*OPTIONS, *EXTRAS)

_PARTS = ("rate", "num", "den", "on", "mode", "there")
# What the rule reads of a line, and of the terms of its kind.
_OWN = (
    "row", "line_id", "entry_day", "net_g", "moisture_n", "assay_n", "price_c", "freight_c", "insurance_c", "proof_lapsed",
)  # fmt: skip
_READ = (
    "term_refusal", "at_fob", "fx_num", "fx_den", "content", "default_content", "gross", "needs_content", "mfn_code",
    "reference", "phase", "on_cif", "least", "levy_reason", "holds", "proven", "agreed_proven", "term_warnings",
)  # fmt: skip

_GRADED = ("grade", "grade_point")
_RELATED = ("within", "sale", "deductive", "computed", "next_value")

# What every assessed line has. Cents of USD and grams.
AMOUNTS = ("customs_c", "cif_c", "contained_g", "duty_c", *(f"{name}_c" for name in EXTRAS), "levy_c", "total_c")
CODES = ("duty_code", "reasons", "warnings")


@dataclass(frozen=True, slots=True)
class Shape:
    """Which parts of the rule any kind of line needs; the others are left out of the query.

    `by_value` and `by_mass` name the charges with a rate and with money per mass, `there` those that any kind has, `quotas` whether lines must be taken in
    order, `levies` whether a reference price or a minimum import price applies to any, `graded` and `related` whether any is
    quoted for a grade or tests the prices of related parties.
    """

    by_value: tuple[str, ...]
    by_mass: tuple[str, ...]
    there: tuple[str, ...]
    quotas: bool
    levies: bool
    graded: bool = False
    related: bool = False


def shape(terms: Iterable[Terms]) -> Shape:
    """The parts of the rule that `terms` need."""
    held = [(name, charge) for each in terms for name in CHARGES if (charge := getattr(each, name)) is not None]
    valued = {name for name, charge in held if charge.rate}
    weighed = {name for name, charge in held if charge.num}
    return Shape(
        by_value=tuple(name for name in CHARGES if name in valued),
        by_mass=tuple(name for name in CHARGES if name in weighed),
        there=tuple(name for name in CHARGES if name in {name for name, _ in held}),
        quotas=any(each.quota is not None for each in terms),
        levies=any(each.reference is not None or each.least is not None for each in terms),
        graded=any(each.tested.grade is not None for each in terms),
        related=any(each.tested.within is not None for each in terms),
    )


def joined(lines: Table, kinds: Table, needed: Shape, *, by_day: bool) -> Table:
    """Sound lines with what the rule reads of the terms of their kind; `day` is the day whose law applies.

    `by_day` is false where one day's law applies to all lines. Texts of the terms can be joined to the result by `kind`.
    """
    lines = lines.rename(entry_day="day")
    on = [lines[name] == kinds[f"key_{name}"] for name in KEYS if name != "day"]
    if by_day:
        on.append(lines.entry_day == kinds.key_day)
    read = ["kind", *_READ, *(f"{name}_{part}" for name in needed.there for part in _PARTS)]
    read += ["quota", "rate_beyond", "quota_name"] if needed.quotas else []
    read += [*_GRADED] if needed.graded else []
    read += [*_RELATED] if needed.related else []
    table = lines.join(kinds, on, how="inner")
    return table.select(*_OWN, *read, day=table.key_day)


@dataclass(frozen=True, slots=True)
class Hold:
    """How an engine keeps what has been computed: `stage` after each part of the rule, `piece` within a part.

    One query of all parts would repeat every amount wherever it is used.
    """

    stage: Callable[[Table], Table]
    piece: Callable[[Table], Table]


def views(con: Any) -> Hold:
    """A view for each stage: for engines that compute a column of an inner query once (DuckDB, Spark)."""
    return Hold(_kept(con, "create_view"), lambda table: table)


def tables(con: Any) -> Hold:
    """A temporary table for each piece: for engines that open inner queries and repeat them (PostgreSQL)."""
    keep = _kept(con, "create_table", temp=True)
    return Hold(keep, keep)


_NUMBERS = count(1)  # so that a rule that runs again does not take away the stages of another


def _kept(con: Any, how: str, **options: bool) -> Callable[[Table], Table]:
    def keep(table: Table) -> Table:
        name = f"stage_{next(_NUMBERS)}"
        getattr(con, how)(name, table, overwrite=True, **options)
        held: Table = con.table(name)
        return held

    return keep


def rule(table: Table, rounding: Rounding, needed: Shape, hold: Hold) -> Table:
    """Assess every line.

    Parameters
    ----------
    table : sound lines with their terms, as `joined` makes it
    rounding : halves up, or to the even neighbour
    needed : which parts of the rule any of the terms need
    hold : keeps a stage in the engine, `views` or `tables`

    Returns
    -------
    table : the lines with `AMOUNTS`, `CODES` and `refusal`, the latter empty where the line is assessed
    """
    table = weighed(table, rounding, needed, hold)
    table = _base_duty(table, rounding, needed, hold)
    if needed.quotas:
        table = hold.stage(_quota(hold.stage(table), rounding, hold))
    table = _landed(table if not needed.related else hold.stage(_compared(hold.stage(table), rounding, hold)))
    table = _levy(table, rounding, hold) if needed.levies else _no_levy(table)
    return hold.stage(_codes(hold.stage(table), needed))


def weighed(table: Table, rounding: Rounding, needed: Shape, hold: Hold) -> Table:
    """The rule as far as values, contained mass and what is missing: what a quota is filled by."""
    table = _values(hold.stage(table))
    if needed.graded:
        table = _off_grade(table, rounding, hold)
    return hold.stage(_refusals(_masses(table, rounding, hold)))


def _values(table: Table) -> Table:
    """Fob and cif in hundredths of the currency, from the price, its term of delivery, freight and insurance."""
    price, freight, insurance, term = table.price_c, table.freight_c, table.insurance_c, table.holds
    fob = (term == 0).ifelse(price, (term == 1).ifelse(price - freight, price - freight - insurance))
    cif = (term == 0).ifelse(price + freight + insurance, (term == 1).ifelse(price + insurance, price))
    needs_cif = ~table.at_fob | table.reference.notnull() | table.least.notnull()
    table = table.mutate(fob_cur=fob, cif_cur=cif, needs_cif=needs_cif)
    no_freight = table.freight_c.isnull() & ((table.at_fob & (term >= 1)) | (table.needs_cif & (term == 0)))
    no_insurance = table.insurance_c.isnull() & ((table.at_fob & (term >= 2)) | (table.needs_cif & (term <= 1)))
    return table.mutate(
        no_freight=no_freight, no_insurance=no_insurance, customs_cur=table.at_fob.ifelse(table.fob_cur, table.cif_cur)
    )


def _masses(table: Table, rounding: Rounding, hold: Hold) -> Table:
    """Cents of USD, and grams: dry, of the substance assayed, of the good's own unit."""
    positive: Any = (table.customs_cur > 0).ifelse(table.customs_cur, None)
    landed: Any = ((table.cif_cur > 0) & table.needs_cif).ifelse(table.cif_cur, None)
    by_clause = table.gross | (table.assay_n.isnull() & table.default_content.notnull())
    table = table.mutate(
        customs_cur=positive,
        cif_cur=landed,
        pure_n=by_clause.ifelse(table.default_content, table.assay_n),
        unit_n=by_clause.ifelse(NANO, table.content),
    )
    table = products(
        table,
        {
            "customs_c": (table.customs_cur, table.fx_num, table.fx_den),
            "cif_c": (table.cif_cur, table.fx_num, table.fx_den),
            "dry_g": (table.net_g, NANO - table.moisture_n, NANO),
        },
        rounding,
        hold.piece,
    )
    table = products(table, {"pure_g": (table.dry_g, table.pure_n, NANO)}, rounding, hold.piece)
    table = products(table, {"contained_g": (table.pure_g, table.unit_n, NANO)}, rounding, hold.piece)
    return hold.stage(
        table.drop(
            "dry_g", "pure_g", "moisture_n", "assay_n", "content", "default_content", "gross", "pure_n", "unit_n"
        )
    )


def _off_grade(table: Table, rounding: Rounding, hold: Hold) -> Table:
    """What a contained tonne of the goods is worth less than one of the grade that the reference price is quoted for."""
    asked = table.grade.notnull() & ~table.gross & table.assay_n.notnull()
    table = hold.stage(table.mutate(own_n=asked.ifelse(table.assay_n, None), quoted_n=table.grade))
    table = hold.stage(products(table, {"held_n": (table.own_n, table.content, NANO)}, rounding, hold.piece))
    below = table.held_n < table.quoted_n
    table = hold.stage(table.mutate(below_n=below, apart_n=below.ifelse(table.quoted_n - table.held_n, table.held_n - table.quoted_n)))
    table = hold.stage(products(table, {"worth_t": (table.apart_n, table.grade_point, POINT)}, rounding, hold.piece))
    less: Any = table.below_n.ifelse(table.worth_t, -table.worth_t).fill_null(0)
    return table.mutate(less_t=less).drop("own_n", "quoted_n", "held_n", "below_n", "apart_n", "worth_t", *_GRADED)


def _compared(table: Table, rounding: Rounding, hold: Hold) -> Table:
    """The cif price that is compared with the reference: between related parties the declared one if it is close to a test value."""
    values = ("sale", "deductive", "computed", "next_value")
    table = products(table, {f"{name}_c": (table.contained_g, table[name], MICRO) for name in values}, rounding, hold.piece)
    table = hold.stage(table)
    taken: Any = table.within.isnull()
    for name in values[:3]:
        value: Any = (table[f"{name}_c"] <= CENTS_MAX).ifelse(table[f"{name}_c"], None)
        apart = (table.cif_c > value).ifelse(table.cif_c - value, value - table.cif_c)
        taken = taken | (apart * WITHIN <= value * table.within).fill_null(False)
    other = table.next_value_c.fill_null(0)
    code = table.within.isnull().ifelse("", taken.ifelse(" P1", " P2"))
    table = table.mutate(compared_c=taken.ifelse(table.cif_c, other), related_code=code)
    large = (table.refusal == "") & (table.compared_c > CENTS_MAX)
    table = table.mutate(refusal=large.ifelse("R19", table.refusal), compared_c=large.ifelse(0, table.compared_c))
    return table.drop(*(f"{name}_c" for name in values), *_RELATED)


def _refusals(table: Table) -> Table:
    """The first thing that is missing; amounts of such lines are not shown."""
    import ibis

    large = (table.customs_c > CENTS_MAX).fill_null(False) | (table.cif_c > CENTS_MAX).fill_null(False)
    refusal = ibis.cases(
        (table.term_refusal != "", table.term_refusal),
        (table.holds == 4, "N10"),
        (table.no_freight, "N06"),
        (table.no_insurance, "N07"),
        (table.customs_cur.isnull() | (table.needs_cif & table.cif_cur.isnull()), "N12"),
        (table.needs_content & table.contained_g.isnull(), "N05"),
        (large, "R19"),
        else_="",
    )
    table = table.mutate(refusal=refusal)
    fine = table.refusal == ""
    shown = {name: fine.ifelse(table[name].fill_null(0), 0) for name in ("customs_c", "cif_c", "contained_g")}
    used = (
        "term_refusal",
        "at_fob",
        "fx_num",
        "fx_den",
        "needs_content",
        "no_freight",
        "no_insurance",
        "customs_cur",
        "cif_cur",
    )
    return table.mutate(**shown).drop(*used, "fob_cur", "needs_cif", "freight_c", "insurance_c", "holds")


def _base_duty(table: Table, rounding: Rounding, needed: Shape, hold: Hold) -> Table:
    """Every option and every additional duty: a rate on the customs value, money per mass, both, the lower, the higher."""
    import ibis

    wanted: dict[str, tuple[Any, Any, Any]] = {}
    for name in needed.by_value:
        wanted[f"{name}_v"] = (table.customs_c, table[f"{name}_rate"], NANO)
    for name in needed.by_mass:
        on = table[f"{name}_on"]
        mass = (on == NET_MASS).ifelse(table.net_g, (on == CONTAINED).ifelse(table.contained_g, 0))
        wanted[f"{name}_m"] = (mass, table[f"{name}_num"], table[f"{name}_den"])
    table = products(table, wanted, rounding, hold.piece)
    columns: dict[str, Any] = {}
    nought: Any = ibis.literal(0, "int64")
    for name in CHARGES:
        by_value = table[f"{name}_v"] if name in needed.by_value else nought
        if name not in needed.by_mass:
            columns[f"{name}_c"] = by_value
            continue
        by_mass, mode = table[f"{name}_m"], table[f"{name}_mode"]
        lower = (by_value < by_mass).ifelse(by_value, by_mass)
        higher = (by_value < by_mass).ifelse(by_mass, by_value)
        columns[f"{name}_c"] = (mode == LOWER).ifelse(lower, (mode == HIGHER).ifelse(higher, by_value + by_mass))
    if needed.quotas and "mfn" in needed.by_mass:  # a quota's rates take the place of the rate alone
        columns["beside"] = (table.mfn_mode == SUM).ifelse(table.mfn_m, 0)
    used = [
        *wanted,
        *(f"{name}_{part}" for name in needed.there for part in _PARTS if part != "there" and name != "agreed"),
    ]
    table = table.mutate(**columns).drop(*used)
    chosen, code = table.mfn_c, table.mfn_code
    missed: Any = ibis.literal(False)
    ways = (("suspended", "D4", None), ("treaty", "D2", table.proven), ("agreed", "D3", table.agreed_proven))
    for name, reason, proven in (way for way in ways if way[0] in needed.there):
        better = table[f"{name}_there"] & (table[f"{name}_c"] < chosen)
        better = better if proven is None else better & proven
        table = table.mutate(duty_c=better.ifelse(table[f"{name}_c"], chosen), duty_code=better.ifelse(reason, code))
        chosen, code = table.duty_c, table.duty_code
    table = table.mutate(duty_c=chosen, duty_code=code)
    for name in ("treaty", "agreed"):
        if name in needed.there:
            missed = missed | (table[f"{name}_there"] & (table[f"{name}_c"] < table.duty_c))
    free = ~table.quota.notnull() if needed.quotas else ibis.literal(True)
    return table.mutate(missed=missed & free)


def _quota(table: Table, rounding: Rounding, hold: Hold) -> Table:
    """The agreement's quota, filled in the order of day and row: within, straddling, beyond."""
    import ibis

    held = table.quota.notnull() & (table.refusal == "")
    taken = held.ifelse(table.contained_g, 0)
    order = ibis.window(group_by=table.quota_name, order_by=[table.day, table.row], preceding=None, following=0)
    before = (taken.sum().over(order) - taken).cast("int64")
    table = hold.stage(table.mutate(quota_held=held, quota_before=before))
    left = (table.quota > table.quota_before).ifelse(table.quota - table.quota_before, 0)
    within = (table.contained_g < left).ifelse(table.contained_g, left)
    table = table.mutate(quota_within=within, quota_mass=(table.contained_g > 0).ifelse(table.contained_g, 1))
    table = hold.stage(
        products(table, {"share_m": (table.quota_within, MICRO, table.quota_mass)}, rounding, hold.piece)
    )
    table = hold.stage(products(table, {"value_in": (table.customs_c, table.share_m, MICRO)}, rounding, hold.piece))
    table = products(
        table,
        {
            "duty_in": (table.value_in, table.agreed_rate, NANO),
            "duty_out": (table.customs_c - table.value_in, table.rate_beyond, NANO),
        },
        rounding,
        hold.piece,
    )
    where = ibis.cases((table.share_m == MICRO, "D5"), (table.share_m == 0, "D7"), else_="D6")
    owed = table.duty_in + table.duty_out + (table.beside if "beside" in table.columns else 0)
    return table.mutate(
        duty_c=table.quota_held.ifelse(owed, table.duty_c),
        duty_code=table.quota_held.ifelse(where, table.duty_code),
    )


def _landed(table: Table) -> Table:
    """What the gap is measured from: cif, or the landed price with every duty above the levy."""
    duties = table.duty_c
    for name in EXTRAS:
        duties = duties + table[f"{name}_c"]
    table = table.mutate(duties_c=duties)
    cif = table.compared_c if "compared_c" in table.columns else table.cif_c
    return table.mutate(base_c=table.on_cif.ifelse(cif, cif + table.duties_c))


def _levy(table: Table, rounding: Rounding, hold: Hold) -> Table:
    """Levy = phase * max(0, contained mass * reference - base), exact to the last fraction and rounded once.

    The value at the reference is kept as whole cents and millionths; the phase, in billionths, multiplies both.
    """
    price: Any = table.reference.coalesce(table.least).fill_null(0)
    if "less_t" in table.columns:
        price = (price > table.less_t).ifelse(price - table.less_t, 0)
    table = hold.stage(table.mutate(price_t=price))
    table = hold.piece(divided(table, {"t__": (table.contained_g, MICRO)}))
    table = hold.piece(divided(table, {"c__": (table.t___r * table.price_t, MICRO)}))
    table = hold.stage(
        table.mutate(at_reference_c=table.t___q * table.price_t + table.c___q).drop("t___q", "t___r", "c___q")
    )
    short = (table.at_reference_c >= table.base_c) & (table.price_t > 0)
    gap = short.ifelse(table.at_reference_c - table.base_c, 0)
    table = table.mutate(gap__=gap, micro__=short.ifelse(table.c___r, 0))
    table = hold.piece(divided(table, {"g__": (table.gap__, NANO)}))
    table = hold.stage(hold.piece(divided(table, {"p__": (table.g___r * table.phase, NANO)})))
    table = hold.piece(divided(table, {"l__": (table.p___r * MICRO + table.micro__ * table.phase, NANO * MICRO)}))
    table = hold.stage(table.mutate(whole__=table.g___q * table.phase + table.p___q + table.l___q))
    owed: Any = table.whole__ + one_more(table.whole__, table.l___r, NANO * MICRO, rounding)
    levied = table.reference.notnull()
    large = (table.refusal == "") & (table.at_reference_c > CENTS_MAX)
    table = table.mutate(
        levy_c=levied.ifelse(owed, 0),
        below=(table.gap__ > 0) | (table.micro__ > 0),
        refusal=large.ifelse("R19", table.refusal),
    )
    table = table.drop(*(column for column in table.columns if "__" in column))
    return table.mutate(total_c=table.duties_c + table.levy_c)


def _no_levy(table: Table) -> Table:
    import ibis

    nought: Any = ibis.literal(0, "int64")
    no: Any = ibis.literal(False)
    return table.mutate(levy_c=nought, at_reference_c=nought, below=no, total_c=table.duties_c)


def _codes(table: Table, needed: Shape) -> Table:
    """Why each amount is what it is, and what to look at, as codes."""
    levied, least = table.reference.notnull(), table.least.notnull()
    levy_code = levied.ifelse(table.below.ifelse(" L1", " L2"), table.levy_reason)
    reasons = table.duty_code
    for name, code in zip(EXTRAS, ("A1", "A2", "A3", "A4"), strict=True):
        if name not in needed.there:
            continue
        reasons = reasons + (table[f"{name}_c"] > 0).ifelse(f" {code}", "")
    reasons = reasons + levy_code
    if needed.graded:
        reasons = reasons + (table.less_t != 0).ifelse(" P3", "")
    if needed.related:
        reasons = reasons + table.related_code
    flags = (
        ("W3", table.proof_lapsed),
        ("W4", levied & (table.base_c * 2 < table.at_reference_c)),
        ("W5", least & table.below),
        ("W9", table.missed),
    )
    warnings: Any = table.term_warnings
    for code, flag in flags:
        warnings = warnings + flag.ifelse(f"{code} ", "")
    return table.select(
        "row",
        "line_id",
        "entry_day",
        "day",
        "kind",
        "price_c",
        "refusal",
        *AMOUNTS,
        "duty_code",
        reasons=reasons,
        warnings=warnings,
    )


def terms_table(terms: Iterable[Terms]) -> pa.Table:
    """The terms of every kind as columns: `kind` and the key's parts, then what `rule` reads."""
    import pyarrow as pa

    rows = [_row(number, each) for number, each in enumerate(terms)]
    return pa.Table.from_pylist(rows, schema=_schema())


def _row(number: int, terms: Terms) -> dict[str, object]:
    row: dict[str, object] = {"kind": number}
    kind, declared = terms.kind, terms.declared or terms.kind
    row |= {f"key_{name}": getattr(declared, name) for name in KEYS}
    row |= {f"term_{name}": getattr(kind, name) for name in ("importer", "origin", "hs", "good", "currency")}
    row |= {
        "term_refusal": terms.refusal,
        "term_field": terms.field,
        "term_about": terms.about,
        "at_fob": terms.at_fob,
        "fx_num": terms.fx_num,
        "fx_den": terms.fx_den,
        "content": terms.content,
        "default_content": terms.default_content,
        "gross": terms.gross,
        "needs_content": terms.needs_content,
        "mfn_code": terms.mfn_code,
        "reference": terms.reference,
        "phase": terms.phase,
        "on_cif": terms.on_cif,
        "least": terms.least,
        "levy_reason": f" {terms.levy_reason}",
        "clause": terms.clause,
        "article": terms.article,
        "grade": terms.tested.grade,
        "grade_point": terms.tested.grade_point,
        **{name: getattr(terms.tested, name) for name in _RELATED},
        "quota": terms.quota,
        "rate_beyond": terms.rate_beyond,
        "quota_name": terms.quota_name,
        "holds": DELIVERY.get(kind.delivery, 0),
        "proven": kind.proof in ("treaty", "agreement"),
        "agreed_proven": kind.proof == "agreement",
        "term_warnings": "".join(f"{code} " for code in terms.warnings),
    }
    for name in CHARGES:
        held: Charge | None = getattr(terms, name)
        charge = held or Charge()
        row |= {f"{name}_{part}": getattr(charge, part) for part in ("rate", "num", "den", "on", "mode")}
        row[f"{name}_there"] = held is not None
    return row


def _schema() -> pa.Schema:
    import pyarrow as pa

    columns: list[tuple[str, pa.DataType]] = [("kind", pa.int64())]
    columns += [(f"key_{name}", pa.date32() if name == "day" else pa.string()) for name in KEYS]
    texts = ("mfn_code", "levy_reason", "clause", "article", "quota_name")
    flags = ("at_fob", "gross", "needs_content", "on_cif", "proven", "agreed_proven")
    blank = dict.fromkeys((name for name in KEYS if name != "day"), "")
    empty = Terms(kind=Kind(day=date(1970, 1, 1), **blank))
    for name in _row(0, empty):
        if name == "kind" or name.startswith("key_"):
            continue
        if name in texts or name.startswith("term_"):
            columns.append((name, pa.string()))
        elif name in flags or name.endswith("_there"):
            columns.append((name, pa.bool_()))
        else:
            columns.append((name, pa.int64()))
    return pa.schema(columns)
