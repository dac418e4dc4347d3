"""Signals on entries: each line against published prices, known contents, clauses, its lane's past and the lane's own signals.

The file is read as an assessment reads it; lines with a fault are counted and left to `assess`. What many lines share is looked
up once for each kind of line, the rest is column expressions on DuckDB. Which questions are put, and what they weigh, is `parts`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from friendshore.border import entries
from friendshore.border.brought import rejects
from friendshore.border.engine import engine
from friendshore.border.scaled import NANO
from friendshore.border.signals import lanes, parts
from friendshore.border.signals.clauses import LANE, covered_inputs, duties_on, reaching
from friendshore.border.signals.known import Known, priced
from friendshore.border.terms import OTHER, Law

if TYPE_CHECKING:
    from ibis.backends.duckdb import Backend
    from ibis.expr.types import Table

KEYS = ("importer", "origin", "hs", "good", "assay_of", "currency", "related", "day")
FREE, CARRIED = ("EXW", "FCA", "FAS", "FOB"), ("CFR", "CPT")
FROM_LANES = ("S03", "S04", "S05", "S06", "S08")
OF_LINES = tuple(code for code, part in parts.parts().items() if "line" in part.on)
ALL = tuple(sorted({*FROM_LANES, *OF_LINES}))
LINE = ("row", "line_id", "entry_day", "importer", "origin", "hs", "good", "price", "currency", "score")
SIGNAL = (*LINE, "code", "observed", "against", "measure", "strength", "points")
Said = Callable[[str], None]
NUMBER, WHOLE, TEXT = pl.Float64, pl.Int64, pl.String


@dataclass(frozen=True, kw_only=True)
class Found:
    """What was asked of a file.

    Parameters
    ----------
    lines, set_aside : rows read, and those that `assess` would refuse by their fields, which were not asked about
    asked, raised : question -> lines that it could be put to, and lines where it scored
    listed : lines at or above the threshold
    signals : `SIGNAL`, a row for each question that scored on a line, the highest lines first
    """

    lines: int
    set_aside: int
    asked: dict[str, int]
    raised: dict[str, int]
    listed: int
    signals: pl.DataFrame

    @property
    def sound(self) -> int:
        """Lines that were asked about."""
        return self.lines - self.set_aside


def signalled(
    file: Path,
    law: Law,
    known: Known,
    *,
    layout: str = "",
    trade: pl.DataFrame | None = None,
    line: str = "",
    said: Said = lambda text: None,
) -> Found:
    """Put every question to the lines of a file.

    Parameters
    ----------
    file : entries in one of `entries.LAYOUTS`
    law : rates of exchange and the agreement's duties
    known : prices, capacities, contents
    trade : monthly trade to hold lanes against (`lanes.MONTHLY`); the entries themselves if absent
    line : the id or number of a line; then signals of that line alone, from the lines of its good

    Raises
    ------
    InputRefused   a file that cannot be read as entries at all
    """
    with engine() as con:
        said("reading the entries")
        typed = _typed(con, file, layout, line)
        sound = typed.filter(typed.faults == "")
        said("looking up what is known")
        kinds, of_lanes = _numbered(_kinds(sound, known, law))
        con.create_table("kinds", kinds.to_arrow(), overwrite=True)
        con.create_table("held", _contained(sound, con.table("kinds"), on_cif=known.on_cif), overwrite=True)
        held = con.table("held")
        said("adding up lanes")
        con.create_table("lanes", _lanes(held, of_lanes, trade, known, law).to_arrow(), overwrite=True)
        con.create_table("routes", _routes(held, of_lanes).to_arrow(), overwrite=True)
        said("asking")
        asked = _scored(_asked(held, con.table("lanes"), con.table("routes")))
        return _told(con, typed, asked, line)


def _typed(con: Backend, file: Path, layout: str, line: str) -> Table:
    """Checked lines with the country of dispatch, kept where a text would be read again; for one line, those of its good."""
    raw = entries.open_file(con, file, layout)
    text = file.suffix.lower() != ".parquet"
    if text:
        con.raw_sql("SET preserve_insertion_order = true")
        con.create_table("raw", raw, overwrite=True)
        con.raw_sql("SET preserve_insertion_order = false")
        raw = con.table("raw")
    if line:
        wanted = raw.line_id == line
        if line.isdigit():
            wanted = wanted | (raw.row == int(line))
        own = raw.filter(wanted)
        raw = raw.semi_join(own.select("hs"), "hs")
    typed = entries.checked(raw)
    if "exporter" in raw.columns:
        dispatch = raw.select("row", exporter=raw.exporter.cast("string").fill_null("").strip())
        typed = typed.join(dispatch, "row")
    else:
        import ibis

        typed = typed.mutate(exporter=ibis.literal(""))
    con.create_table("typed", typed, overwrite=True)
    return con.table("typed")


# -- what lines of one kind share --------------------------------------------------------------------------------------


def _kinds(sound: Table, known: Known, law: Law) -> pl.DataFrame:
    """Good, exchange rate, content, price, range, input and covered price of each kind of line."""
    declared: Any = pl.from_arrow(sound.select(*KEYS).distinct().to_pyarrow())
    kinds = declared.sort(KEYS).with_row_index("kind")
    words = [pl.col(name).str.strip_chars().alias(f"c_{name}") for name in KEYS if name != "day"]
    kinds = kinds.with_columns(words).with_columns(
        pl.col("c_hs").str.replace_all(r"[. ]", ""), pl.col("c_assay_of").str.to_lowercase()
    )
    sound_words = pl.col("c_importer").is_in(sorted(law.iso)) & pl.col("c_origin").is_in(sorted(law.iso))
    kinds = kinds.filter(
        sound_words & pl.col("c_hs").str.contains(r"^[0-9]{6,10}$"), pl.col("c_currency").str.contains(r"^[A-Z]{3}$")
    )
    kinds = _looked_up(kinds, ["c_hs", "c_good"], "taken", TEXT, known.taken)
    kinds = _looked_up(
        kinds, ["c_currency", "day"], "fx", NUMBER, lambda code, day: _float(law.usd(code, law.day(day)))
    )
    kinds = _looked_up(kinds, ["c_assay_of", "taken"], "content", NUMBER, lambda of, good: _content(of, good, law))
    kinds = kinds.with_columns(
        good_taken=pl.when(pl.col("taken") != OTHER).then("taken").otherwise(pl.lit("")),
        gross=pl.col("taken").is_in(sorted(law.gross)),
        month=pl.col("day").dt.truncate("1mo"),
    )
    lane = {"good": "good_taken", "origin": "c_origin", "importer": "c_importer"}
    kinds = priced(kinds.rename({"good": "d_good", "origin": "d_origin", "importer": "d_importer"}).with_columns(
        **{name: pl.col(column) for name, column in lane.items()}), known.prices, day="day",
    ).join(known.grades, on="good", how="left")  # fmt: skip
    days = (
        kinds.select("good", exporter="origin", importer="importer", day="day")
        .unique()
        .sort("good", "exporter", "importer", "day")
    )
    inputs = (
        covered_inputs(days, known, law)
        .group_by("good", "exporter", "importer", "day")
        .agg(pl.col("input_usd_t").sum())
    )
    kinds = kinds.join(inputs, left_on=["good", "origin", "importer", "day"], right_on=["good", "exporter", "importer", "day"], how="left")  # fmt: skip
    return _others(kinds, known, law).sort("kind")


def _numbered(kinds: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Kinds with the number of their lane and month, and the lanes by their numbers."""
    by = ["good", "origin", "importer", "month"]
    numbers = kinds.select(by).unique().sort(by).with_row_index("lane").with_columns(pl.col("lane").cast(WHOLE))
    return kinds.join(numbers, on=by, how="left").sort("kind"), numbers.rename({"origin": "exporter"})


def _looked_up(kinds: pl.DataFrame, keys: list[str], name: str, kind: Any, find: Callable[..., Any]) -> pl.DataFrame:
    """Add what is found for each combination of some columns."""
    each = kinds.select(keys).unique().sort(keys)
    found = pl.Series(name, [find(*row) for row in each.iter_rows()], dtype=kind)
    return kinds.join(each.with_columns(found), on=keys, how="left", nulls_equal=True)


def _float(value: Any) -> float | None:
    return None if value is None else float(value)


def _content(of: str, good: str, law: Law) -> float | None:
    if of and of == good:
        return 1.0
    return _float(law.substances.get((of, good)))


def _others(kinds: pl.DataFrame, known: Known, law: Law) -> pl.DataFrame:
    """For goods declared as other: what a tonne of the dearest covered good under the code costs, at the least and the most."""
    band = parts.setting("other_band")
    keys = kinds.filter(pl.col("taken") == OTHER).select("c_hs", "origin", "importer", "day").unique()
    rows = []
    duties = duties_on(keys["day"].unique().to_list(), law)
    for hs, origin, importer, day in keys.sort("c_hs", "origin", "importer", "day").iter_rows():
        for good in known.codes.get(hs[:6], ()):
            if reaching(duties[day], good, origin, importer, law) is not None:
                rows.append((hs, origin, importer, day, good))
    schema = {"c_hs": TEXT, "origin": TEXT, "importer": TEXT, "day": pl.Date, "good": TEXT}
    covered = priced(pl.DataFrame(rows, schema=schema, orient="row"), known.prices, day="day").join(known.grades, on="good", how="left")  # fmt: skip
    usd = pl.col("usd_t")
    dearest = (
        covered.sort("usd_t", nulls_last=False)
        .group_by("c_hs", "origin", "importer", "day")
        .agg(
            other_least=(usd * pl.col("low").fill_null(1.0) * (1 - band)).last(),
            other_most=(usd * pl.col("high").fill_null(1.0) * (1 + band)).last(),
        )
    )
    return kinds.join(dearest, on=["c_hs", "origin", "importer", "day"], how="left")


# -- lanes -------------------------------------------------------------------------------------------------------------


def _contained(sound: Table, kinds: Table, *, on_cif: bool) -> Table:
    """Lines with what the questions read of their kind: contained tonnes, and their value in USD where the prices hold.

    Where freight or insurance is not known the price as declared serves: the bands of the questions are wider than freight.
    """
    on = {name: f"d_{name}" if name in ("good", "origin", "importer") else name for name in KEYS}
    read = (
        "kind",
        "lane",
        "fx",
        "content",
        "gross",
        "usd_t",
        "low",
        "high",
        "moisture_most",
        "input_usd_t",
        "other_least",
        "other_most",
    )
    joined = sound.join(kinds, [sound[name] == kinds[column] for name, column in on.items()])
    table = joined.select(
        *(sound[name] for name in ("row", "line_id", "net_g", "moisture_n", "assay_n", "price_c", "freight_c", "insurance_c", "delivery")),
        *(kinds[name] for name in read), related=kinds.c_related == "Y", named=kinds.good != "",
        third=(sound.exporter != "") & (sound.exporter != kinds.origin), exporter=sound.exporter,
    )  # fmt: skip
    usd = _at_port(table, on_cif=on_cif).coalesce(table.price_c).cast("float64") * table.fx / 100
    dry = table.net_g.cast("float64") * (1 - table.moisture_n.cast("float64") / NANO) / 1e6
    share = table.gross.ifelse(1.0, table.assay_n.cast("float64") / NANO * table.content)
    table = table.mutate(usd=usd, dry_t=dry, share=share).drop("delivery", "freight_c", "insurance_c", "fx", "content")
    table = table.mutate(contained_t=table.dry_t * table.share)
    return table.mutate(
        lane_t=(table.contained_t > 0).ifelse(table.contained_t, table.dry_t * table.low.fill_null(1.0)),
        value_t=(table.contained_t > 0).ifelse(table.usd / table.contained_t, None),
    ).drop("dry_t", "contained_t")


def _at_port(table: Table, *, on_cif: bool) -> Any:
    """The price at the port of export, or of import, in hundredths of the currency; null where a charge is not known."""
    term = table.delivery.strip().upper()
    price, freight, insurance = table.price_c, table.freight_c, table.insurance_c
    if on_cif:
        return term.isin(FREE).ifelse(price + freight + insurance, term.isin(CARRIED).ifelse(price + insurance, price))
    return term.isin(FREE).ifelse(price, term.isin(CARRIED).ifelse(price - freight, price - freight - insurance))


def _lanes(held: Table, of_lanes: pl.DataFrame, trade: pl.DataFrame | None, known: Known, law: Law) -> pl.DataFrame:
    """What was measured on each lane and month of the file, a column for each question, and its usual price."""
    summed = held.filter(held.named).group_by("lane")
    own: Any = pl.from_arrow(
        summed.agg(
            t=held.lane_t.sum(), gross_t=held.net_g.sum().cast("float64") / 1e6, usd=held.usd.sum(),
            blind=held.usd.isnull().sum(),
        ).to_pyarrow()
    )  # fmt: skip
    monthly = own.join(of_lanes, on="lane").with_columns(
        side=pl.lit("import"), usd=pl.when(pl.col("blind") == 0).then("usd")
    ).select(*lanes.MONTHLY)  # fmt: skip
    from_entries = lanes.measured(monthly, known, law, values=False)
    found = lanes.measured(trade, known, law, values=False).found if trade is not None else from_entries.found
    keys = [*LANE, "month"]
    wide = of_lanes.join(from_entries.usual, on=keys, how="left")
    for code in FROM_LANES:
        one = found.filter(pl.col("code") == code)
        columns = {
            f"{letter}_{code}": name for letter, name in zip("oam", ("observed", "against", "measure"), strict=True)
        }
        wide = wide.join(one.select(*keys, **{to: pl.col(name) for to, name in columns.items()}), on=keys, how="left")
    return wide.sort("lane")


def _routes(held: Table, of_lanes: pl.DataFrame) -> pl.DataFrame:
    """Lanes and months in which goods come by a country of dispatch that is new, six months of the file lying before it."""
    third = held.filter(held.third)
    came: Any = pl.from_arrow(third.select("lane", "exporter").distinct().to_pyarrow())
    came = came.rename({"exporter": "by"}).join(of_lanes, on="lane")
    first = came.group_by(*LANE, "by").agg(first=pl.col("month").min())
    begins = of_lanes["month"].min()
    new = pl.col("first") >= pl.lit(begins, dtype=pl.Date).dt.offset_by(f"{parts.months('history_least')}mo")
    fresh = pl.col("month") < pl.col("first").dt.offset_by(f"{parts.months('window_months')}mo")
    found: pl.DataFrame = came.join(first, on=[*LANE, "by"]).filter(new & fresh)
    return found.select("lane", "by").sort("lane", "by")


# -- questions ---------------------------------------------------------------------------------------------------------


def _asked(held: Table, of_lanes: Table, routes: Table) -> Table:
    """Observed, against and measure of every question, on every line."""
    import ibis

    measured = [name for name in of_lanes.columns if name[1:2] == "_" or name == "usual_usd_t"]
    table = held.left_join(of_lanes, "lane").select(
        *(held[name] for name in held.columns), *(of_lanes[name] for name in measured)
    )
    marked = routes.mutate(new=ibis.literal(1.0))
    table = table.left_join(marked, [table.lane == marked.lane, table.exporter == marked.by]).select(
        *(table[name] for name in table.columns), new=marked.new.fill_null(0.0)
    )
    measures = _measures(table)
    columns: dict[str, Any] = {}
    most = parts.setting("measure_most")
    for code, (observed, against, measure) in measures.items():
        bounded = (measure > most).ifelse(most, (measure < -most).ifelse(-most, measure))
        columns |= {
            f"o_{code}": observed,
            f"a_{code}": against,
            f"m_{code}": (bounded * parts.UNIT).round().cast("int64"),
        }
    table = table.mutate(**columns)
    held_parts = parts.parts()
    beside = ((table.m_S01 > held_parts["S01"].start) | (table.m_S02 > held_parts["S02"].start)).ifelse(parts.UNIT, 0)
    related = table.m_S01.isnull().ifelse(None, table.related.ifelse(beside, 0))
    return table.mutate(o_S12=table.value_t, a_S12=table.usd_t, m_S12=related.cast("int64"))


def _measures(table: Table) -> dict[str, tuple[Any, Any, Any]]:
    value, price, share = table.value_t, table.usd_t, table.share
    own = ~table.gross & table.assay_n.notnull() & table.low.notnull()
    outside = (share < table.low).ifelse(
        (table.low - share) / table.low, (share > table.high).ifelse((share - table.high) / table.high, 0.0)
    )
    moisture = table.moisture_n.cast("float64") / NANO
    gross = table.usd / (table.net_g.cast("float64") / 1e6)
    within = gross.between(table.other_least, table.other_most).ifelse(1.0, 0.0)
    times = (value > table.usual_usd_t).ifelse(value / table.usual_usd_t, table.usual_usd_t / value)
    new = table.third.ifelse(table.new, 0.0)
    return {
        "S01": (value, price, 1 - value / price),
        "S02": (value, price, value / price - 1),
        "S07": (value, table.input_usd_t, 1 - value / table.input_usd_t),
        "S09": (share, (share < table.low).ifelse(table.low, table.high), own.ifelse(outside, None)),
        "S10": (moisture, table.moisture_most, moisture - table.moisture_most),
        "S11": (
            gross,
            table.other_most,
            table.other_least.isnull().ifelse(None, within),
        ),
        "S13": (new, new * 0, (table.exporter == "").ifelse(None, new)),
        "S14": (value, table.usual_usd_t, times - 1),
    }


def _scored(asked: Table) -> Table:
    """Strength of every question and the score of every line, in hundredths of points."""
    held = parts.parts()
    columns: dict[str, Any] = {}
    for code in ALL:
        part, measure = held[code], asked[f"m_{code}"]
        rise = (measure - part.start) * 100 // (part.full - part.start)
        bounded = (measure <= part.start).ifelse(0, (measure >= part.full).ifelse(100, rise))
        columns[f"s_{code}"] = bounded.cast("int64")
    table = asked.mutate(**columns)
    score: Any = None
    for code in ALL:
        points = table[f"s_{code}"].fill_null(0) * held[code].weight
        score = points if score is None else score + points
    kept = [f"{letter}_{code}" for code in ALL for letter in "oams"]
    return table.select(
        "row", "line_id", "kind", *kept, price=table.price_c.cast("float64") / 100, score=score,
    )  # fmt: skip


def _told(con: Backend, typed: Table, asked: Table, line: str) -> Found:
    """Counts over all lines, and the questions that scored, apart."""
    import ibis

    if line:
        wanted = asked.line_id == line
        asked = asked.filter(wanted | (asked.row == int(line)) if line.isdigit() else wanted)
    counts = {f"n_{code}": asked[f"s_{code}"].notnull().sum() for code in ALL}
    counts |= {f"r_{code}": (asked[f"s_{code}"] > 0).sum() for code in ALL}
    sums = asked.agg(listed=(asked.score >= parts.threshold()).sum(), **counts).to_pyarrow().to_pylist()[0]
    words = con.table("kinds").select(
        "kind", "importer", "origin", "good", entry_day="day", hs="c_hs", currency="c_currency"
    )
    con.create_table("scoring", asked.filter(asked.score > 0).join(words, "kind"), overwrite=True)
    scoring = con.table("scoring")
    held = parts.parts()
    each = [
        scoring.filter(scoring[f"s_{code}"] > 0).select(
            *LINE, code=ibis.literal(code), observed=scoring[f"o_{code}"].cast("float64"), against=scoring[f"a_{code}"].cast("float64"),
            measure=scoring[f"m_{code}"], strength=scoring[f"s_{code}"], points=scoring[f"s_{code}"] * held[code].weight,
        )
        for code in ALL
    ]  # fmt: skip
    signals: Any = pl.from_arrow(ibis.union(*each).to_pyarrow())
    lines = int(typed.count().to_pyarrow().as_py()) + len(rejects(con))
    held_lines = int(con.table("held").count().to_pyarrow().as_py())
    return Found(
        lines=lines,
        set_aside=lines - held_lines,
        asked={code: int(sums[f"n_{code}"] or 0) for code in ALL},
        raised={code: int(sums[f"r_{code}"] or 0) for code in ALL},
        listed=int(sums["listed"] or 0),
        signals=signals.sort(["score", "row", "code"], descending=[True, False, False]).select(SIGNAL),
    )
