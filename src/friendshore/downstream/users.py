"""Which industry's users gain or pay: final users' gain by good, shared out by what the good is used for.

The shares are of use in the European Union and are applied everywhere; whatever no publisher parts stands in a row of its own,
and of every good it is said how much of its use that is.
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from friendshore.downstream.tables import end_uses

UNKNOWN = "use not published"
SCHEMA = {"industry": pl.String, "area": pl.String, "parties": pl.Float64, "outside": pl.Float64}


def users_by_industry(gains: Mapping[str, tuple[float, float]]) -> pl.DataFrame:
    """Final users' gain by industry and area, USD a year; the rows add to the whole.

    Parameters
    ----------
    gains : good -> what final users in the parties, and outside, gain of it
    """
    table = end_uses()
    sums: dict[tuple[str, str], list[float]] = {}
    for good in sorted(gains):
        inside, outside = gains[good]
        shares = {
            (industry, area): share
            for industry, area, share in table.filter(pl.col("good") == good)
            .select("industry", "area", "share")
            .iter_rows()
        }
        left = 1.0 - sum(shares.values())
        for key, share in {**shares, (UNKNOWN, UNKNOWN): left}.items():
            row = sums.setdefault(key, [0.0, 0.0])
            row[0] += share * inside
            row[1] += share * outside
    rows = [(*key, *held) for key, held in sorted(sums.items(), key=lambda item: (item[0][0] == UNKNOWN, item[0]))]
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


KNOWN = {
    "good": pl.String, "published": pl.Float64, "known": pl.String, "source": pl.String, "parties": pl.Float64,
    "outside": pl.Float64, "parties_not_known": pl.Float64, "outside_not_known": pl.Float64,
}  # fmt: skip
WHOLE = 0.9995  # a published share from here on is all of the use, rounding apart


def uses_known(gains: Mapping[str, tuple[float, float]]) -> pl.DataFrame:
    """How far the use of every good is published, and how much of its users' gain nobody can be named for.

    Parameters
    ----------
    gains : good -> what final users in the parties, and outside, gain of it

    Returns
    -------
    good, published (share of its use), known (`all`, `part` or `not known`), source, parties, outside, parties_not_known,
    outside_not_known      USD a year; the last two add, over goods, to the row `use not published` of `users_by_industry`
    """
    table = end_uses()
    rows = []
    for good in sorted(gains):
        own = table.filter(pl.col("good") == good)
        published = float(own["share"].sum())
        known = "all" if published >= WHOLE else "part" if own.height else "not known"
        inside, outside = gains[good]
        left = 1.0 - published
        who = ", ".join(sorted(own["source"].unique().to_list()))
        rows.append((good, published, known, who, inside, outside, left * inside, left * outside))
    return pl.DataFrame(rows, schema=KNOWN, orient="row")
