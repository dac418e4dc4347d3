"""Signals on lanes: what came from one country to another, month by month, against its past, its smelters and the other report.

A lane is a good, an exporter and an importer. Tonnes are contained tonnes of the good's unit. A month in which a country
reported and a lane does not stand is nought; a month in which it did not report is not known, and nothing is asked of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from friendshore.border.signals import parts
from friendshore.border.signals.clauses import LANE, PLUS, covered_inputs
from friendshore.border.signals.known import Known, priced
from friendshore.border.terms import Law

MONTHLY = {
    "good": pl.String, "exporter": pl.String, "importer": pl.String, "month": pl.Date, "side": pl.String,
    "t": pl.Float64, "gross_t": pl.Float64, "usd": pl.Float64,
}  # fmt: skip
FOUND = [*LANE, "month", "code", "observed", "against", "measure"]
SEPARATE = 1e-9  # tonnes below which a lane carried nothing


@dataclass(frozen=True)
class Measured:
    """What was measured on every lane and month; `measure` in ten-thousandths, null where a question cannot be put.

    `usual` is the price of each lane before the month, which its entries are held against.
    """

    found: pl.DataFrame
    usual: pl.DataFrame


def measured(monthly: pl.DataFrame, known: Known, law: Law | None, *, values: bool) -> Measured:
    """Put every question about lanes to monthly trade.

    Parameters
    ----------
    monthly : the columns of `MONTHLY`; side is import or export, as the importer or the exporter reported
    known : capacities, prices, contents
    law : the agreement's duties, for trade that leaves a clause
    values : whether unit values are held against published prices too
    """
    summed = monthly.group_by(*LANE, "month", "side").agg(
        pl.col("t").sum(), pl.col("gross_t").sum(), usd=pl.when(pl.col("usd").is_null().any()).then(None).otherwise(pl.col("usd").sum())
    )  # fmt: skip
    imports, exports = _dense(summed, "import", "importer"), _dense(summed, "export", "exporter")
    past = _past(imports)
    found = [_capacity(imports, exports, known), _mirror(imports, exports), *_surges(past, known, law)]
    if values:
        found += _values(summed, known)
    everything = pl.concat([each.select(FOUND) for each in found]).sort(*LANE, "month", "code")
    return Measured(everything, _usual(imports))


def pointed(found: pl.DataFrame) -> pl.DataFrame:
    """Add `strength` in whole per cents and `points` in hundredths."""
    held = parts.parts()
    table = pl.DataFrame(
        [(code, part.weight, part.start, part.full) for code, part in held.items()],
        schema={"code": pl.String, "weight": pl.Int64, "start": pl.Int64, "full": pl.Int64},
        orient="row",
    )
    rise = (pl.col("measure") - pl.col("start")) * 100
    strength = (rise // (pl.col("full") - pl.col("start"))).clip(0, 100)
    return (
        found.join(table, on="code")
        .with_columns(strength=strength)
        .with_columns(points=pl.col("strength") * pl.col("weight"))
        .drop("weight", "start", "full")
        .sort(*LANE, "month", "code")
    )


def _dense(summed: pl.DataFrame, side: str, reporter: str) -> pl.DataFrame:
    """Every lane in every month of the calendar: nought where its reporter reported, null where it did not."""
    lanes = summed.select(LANE).unique()
    held = summed.filter(pl.col("side") == side)
    reported = held.select(reporter, "month").unique().with_columns(reported=True)
    ends = summed.select(first=pl.col("month").min(), last=pl.col("month").max())
    if not summed.height or not held.height:
        return pl.DataFrame(schema={**dict.fromkeys(LANE, pl.String), "month": pl.Date, "t": pl.Float64, "gross_t": pl.Float64, "usd": pl.Float64})  # fmt: skip
    calendar = pl.select(month=pl.date_range(ends["first"][0], ends["last"][0], "1mo"))
    grid = lanes.join(reported.select(reporter).unique(), on=reporter, how="semi").join(calendar, how="cross")
    nought = pl.col("reported").fill_null(False) & pl.col("t").is_null()
    return (
        grid.join(held.drop("side"), on=[*LANE, "month"], how="left")
        .join(reported, on=[reporter, "month"], how="left")
        .with_columns(
            t=pl.when(nought).then(0.0).otherwise("t"),
            gross_t=pl.when(nought).then(0.0).otherwise("gross_t"),
            usd=pl.when(nought).then(0.0).otherwise("usd"),
        )
        .drop("reported")
        .sort(*LANE, "month")
    )


def _past(imports: pl.DataFrame) -> pl.DataFrame:
    """Three months' tonnes, the largest and the mean of three months that ended half a year before, the importer's whole trade."""
    window = parts.months("window_months")
    windows = parts.months("history_months") - window + 1
    least = parts.months("history_least") - window + 1
    fresh = parts.months("fresh_months")
    table = imports.with_columns(recent=pl.col("t").rolling_sum(window).over(LANE)).with_columns(
        earlier=pl.col("recent").shift(fresh).over(LANE)
    )
    table = table.with_columns(
        largest=pl.col("earlier").rolling_max(windows, min_samples=least).over(LANE),
        mean=pl.col("earlier").rolling_mean(windows, min_samples=least).over(LANE),
    )
    market = ["importer", "good", "month"]
    return table.with_columns(
        whole=pl.col("recent").sum().over(market),
        whole_mean=pl.col("mean").sum().over(market),
        lost=(pl.col("mean") - pl.col("recent")).clip(lower_bound=0).sum().over(market),
    )


def _surges(past: pl.DataFrame, known: Known, law: Law | None) -> list[pl.DataFrame]:
    """S05 a surge, S06 one that replaces what others lost, S08 one that replaces a covered input."""
    sized = pl.col("recent") >= parts.setting("size_share") * pl.col("whole")
    grown = pl.col("recent") / pl.col("largest") - 1
    begun = pl.when(pl.col("recent") > SEPARATE).then(parts.setting("measure_most")).otherwise(-1.0)
    ratio = pl.when(pl.col("largest") > SEPARATE).then(grown).otherwise(begun)
    known_past = pl.col("largest").is_not_null() & pl.col("recent").is_not_null()
    table = past.with_columns(rise=pl.when(known_past & sized).then(ratio).when(known_past).then(-1.0))
    surge = _found(table, "S05", "recent", "largest", pl.col("rise"))
    gained = pl.min_horizontal(pl.col("recent") - pl.col("mean"), "lost")
    start = parts.parts()["S05"].start / parts.UNIT
    others = (pl.col("lost") >= parts.setting("lost_share") * pl.col("whole_mean")) & (pl.col("lost") > SEPARATE)
    surging = pl.col("rise") > start
    share = pl.when(pl.col("rise").is_not_null()).then(
        pl.when(surging & others).then(gained / pl.col("lost")).otherwise(0.0)
    )
    diverted = _found(table.with_columns(gained=gained), "S06", "gained", "lost", share)
    return [surge, diverted, _next_stage(table, known, law)]


def _next_stage(past: pl.DataFrame, known: Known, law: Law | None) -> pl.DataFrame:
    """S08: a good surges while its covered input has fallen on the same lane."""
    start = parts.parts()["S08"].start / parts.UNIT
    surging = past.filter(pl.col("rise") > start).with_columns(day="month")
    inputs = covered_inputs(surging.select(*LANE, "day").unique().sort(*LANE, "day"), known, law)
    fallen = past.filter(pl.col("recent") <= (1 - parts.setting("fall")) * pl.col("mean"), pl.col("mean") > SEPARATE)
    fallen = fallen.select(input="good", exporter="exporter", importer="importer", day="month")
    moved = inputs.join(fallen, on=["input", "exporter", "importer", "day"]).select(*LANE, "day").unique()
    return _found(surging.join(moved, on=[*LANE, "day"]), "S08", "recent", "largest", pl.col("rise"))


def _capacity(imports: pl.DataFrame, exports: pl.DataFrame, known: Known) -> pl.DataFrame:
    """S03: what left a country in a year against what it can make; of two reports the larger counts."""
    by = ["good", "exporter", "month"]
    came = imports.group_by(by).agg(came=pl.col("t").sum(), n=pl.col("t").count())
    left = exports.group_by(by).agg(left=pl.col("t").sum(), m=pl.col("t").count())
    both = came.join(left, on=by, how="full", coalesce=True).with_columns(
        t=pl.max_horizontal("came", "left"), known=pl.max_horizontal("n", "m") > 0
    )
    year, least = parts.months("year_months"), parts.months("capacity_least")
    lane = ["good", "exporter"]
    table = both.sort(*by).with_columns(t=pl.when("known").then("t"))
    table = table.with_columns(
        year_t=pl.col("t").rolling_sum(year, min_samples=least).over(lane),
        n=pl.col("t").is_not_null().cast(pl.Float64).rolling_sum(year, min_samples=1).over(lane),
    ).join(_capacities(both.select(lane).unique(), known), on=lane, how="left")
    able = pl.col("capacity_t") * pl.col("n") / year
    excess = (pl.col("year_t") - able) * year / pl.col("n")
    share = pl.col("year_t") / able - 1 - pl.col("margin")
    ratio = pl.when(able > SEPARATE).then(share).otherwise(parts.setting("measure_most"))
    small = excess < parts.setting("capacity_share") * pl.col("world_t")
    measure = (
        pl.when(pl.col("year_t").is_null() | pl.col("capacity_t").is_null())
        .then(None)
        .when(small)
        .then(-1.0)
        .otherwise(ratio)
    )
    table = table.with_columns(able=able, over=measure)
    lanes = imports.filter(pl.col("t") > SEPARATE).select(*LANE, "month")
    return _found(lanes.join(table, on=by), "S03", "year_t", "able", pl.col("over"))


def _capacities(exporters: pl.DataFrame, known: Known) -> pl.DataFrame:
    """The capacity of each exporter, of several together where a lane names several; nought where a country is known to make none."""
    each = exporters.with_columns(country=pl.col("exporter").str.split(PLUS)).explode("country")
    each = each.filter(pl.col("good").is_in(known.world_capacity["good"].to_list()))
    there = pl.col("country").is_in(sorted(known.countries))
    table = each.join(known.capacity, on=["good", "country"], how="left").with_columns(
        capacity_t=pl.when(there).then(pl.col("capacity_t").fill_null(0.0)),
        margin=pl.col("margin").fill_null(parts.setting("margin_D")),
    )
    whole = pl.when(pl.col("capacity_t").is_null().any()).then(None).otherwise(pl.col("capacity_t").sum())
    return (
        table.group_by("good", "exporter")
        .agg(capacity_t=whole, margin=pl.col("margin").max())
        .join(known.world_capacity, on="good")
    )


def _mirror(imports: pl.DataFrame, exports: pl.DataFrame) -> pl.DataFrame:
    """S04: what one country says it received against what the other says it sent, in the same or the month before."""
    window = parts.months("window_months")
    came = imports.select(*LANE, "month", came=pl.col("t").rolling_sum(window).over(LANE))
    left = exports.select(*LANE, "month", left=pl.col("t").rolling_sum(window).over(LANE)).with_columns(
        before=pl.col("left").shift(1).over(LANE)
    )
    both = came.join(left, on=[*LANE, "month"], how="left").with_columns(
        whole=pl.col("came").sum().over("importer", "good", "month")
    )

    def gap(other: pl.Expr) -> pl.Expr:
        larger = pl.max_horizontal("came", other)
        return pl.when(larger > SEPARATE).then((pl.col("came") - other).abs() / larger).otherwise(0.0)

    sized = pl.max_horizontal("came", "left") >= parts.setting("size_share") * pl.col("whole")
    nearer = pl.min_horizontal(gap(pl.col("left")), gap(pl.col("before").fill_null(pl.col("left"))))
    asked = pl.col("came").is_not_null() & pl.col("left").is_not_null()
    both = both.with_columns(gap=pl.when(asked & sized).then(nearer).when(asked).then(0.0))
    return _found(both, "S04", "came", "left", pl.col("gap"))


def _values(summed: pl.DataFrame, known: Known) -> list[pl.DataFrame]:
    """S01 and S02 on unit values: the least and the most that the known contents make of the published price."""
    table = summed.filter(pl.col("side") == "import").with_columns(origin="exporter", day="month")
    table = priced(table, known.prices, day="day").join(known.grades, on="good", how="left")
    table = table.with_columns(
        value=pl.col("usd") / pl.col("gross_t"), least=pl.col("usd_t") * pl.col("low"), most=pl.col("usd_t") * pl.col("high")
    )  # fmt: skip
    under = _found(table, "S01", "value", "least", 1 - pl.col("value") / pl.col("least"))
    return [under, _found(table, "S02", "value", "most", pl.col("value") / pl.col("most") - 1)]


def _usual(imports: pl.DataFrame) -> pl.DataFrame:
    """What a contained tonne cost on a lane in the year before a month, where three months of it had trade."""
    year, least = parts.months("year_months"), parts.months("capacity_least")

    def before(name: str) -> pl.Expr:
        return pl.col(name).shift(1).rolling_sum(year, min_samples=1).over(LANE)

    traded = (pl.col("t") > SEPARATE) & pl.col("usd").is_not_null()
    table = imports.with_columns(
        t=pl.when(traded).then("t").otherwise(0.0),
        usd=pl.when(traded).then("usd").otherwise(0.0),
        n=traded.cast(pl.Int64),
    )
    table = table.with_columns(t_before=before("t"), usd_before=before("usd"), n_before=before("n"))
    held = table.filter(pl.col("n_before") >= least)
    return held.select(*LANE, "month", usual_usd_t=pl.col("usd_before") / pl.col("t_before"))


def _found(table: pl.DataFrame, code: str, observed: str, against: str, measure: pl.Expr) -> pl.DataFrame:
    most = parts.setting("measure_most")
    whole = (measure.clip(-most, most) * parts.UNIT).round(0).cast(pl.Int64)
    return table.select(
        *LANE, "month", code=pl.lit(code), observed=pl.col(observed).cast(pl.Float64), against=pl.col(against).cast(pl.Float64),
        measure=whole,
    )  # fmt: skip
