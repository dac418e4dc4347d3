"""Lines a second at the border: a file of entries read, checked, assessed and written, beside DuckDB merely copying it.

    python benchmarks/bench_border.py [LINES] [--csv]

The peer reads the same file and writes the columns that went in; the ratio is of one run. Lines are drawn from the kinds
of the example file, with prices, masses and days of their own.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

import duckdb

from friendshore import customs
from friendshore.agreement.document import Agreement
from friendshore.border.assess import assess_file
from friendshore.world.tables import World

KINDS = (
    ("USA", "CHN", "8112921000", "gallium.metal", "gallium", 280_000),
    ("USA", "JPN", "8112921000", "gallium.metal", "gallium", 430_000),
    ("USA", "CHN", "2841800010", "tungsten.apt", "wo3", 26_000),
    ("USA", "VNM", "8110100000", "antimony.metal", "antimony", 21_000),
    ("JPN", "CHN", "811010000", "antimony.metal", "antimony", 19_000),
    ("DEU", "CHN", "28469090", "ndpr.oxide", "ndpr_oxide", 61_000),
    ("FRA", "MYS", "28469090", "ndpr.oxide", "ndpr_oxide", 64_000),
    ("USA", "CHN", "8505110070", "ndfeb.magnet", "", 60_000),
    ("USA", "CHL", "2836910010", "other", "", 11_000),
    ("USA", "CHN", "8105206000", "cobalt.metal", "cobalt", 24_000),
)


def entries(lines: int, file: Path) -> None:
    """A file of entries; one in a thousand lacks its freight."""
    con = duckdb.connect()
    con.execute("CREATE TABLE kinds (k INT, importer TEXT, origin TEXT, hs TEXT, good TEXT, assay_of TEXT, usd_t INT)")
    con.executemany("INSERT INTO kinds VALUES (?, ?, ?, ?, ?, ?, ?)", [(k, *kind) for k, kind in enumerate(KINDS)])
    con.execute("SELECT setseed(0.5)")
    query = """
        COPY (
            SELECT 'L' || lpad(i::TEXT, 9, '0') AS line_id, DATE '2030-01-01' + (i * 7919 % 180)::INT AS date,
                importer, origin, hs,
                ((1000 + i * 104729 % 24000000) / 1000.0)::DECIMAL(18,3) AS net_mass_kg,
                ((1000 + i * 104729 % 24000000) / 1000000.0 * usd_t * (0.8 + (i * 31 % 400) / 1000.0))::DECIMAL(18,2) + 1 AS price,
                'USD' AS currency, 'FOB' AS delivery,
                CASE WHEN i % 1000 = 0 THEN NULL ELSE (100 + i % 5000)::DECIMAL(18,2) END AS freight,
                (10 + i % 500)::DECIMAL(18,2) AS insurance, good,
                CASE WHEN assay_of = '' THEN NULL ELSE (0.90 + (i % 9 + 1) / 100.0)::DECIMAL(9,6) END AS assay, assay_of,
                CASE WHEN origin = 'JPN' THEN 'agreement' ELSE '' END AS proof
            FROM range($lines) AS r(i) JOIN kinds ON k = i % 10 ORDER BY i
        ) TO '{file}' ({form})
    """
    form = "FORMAT parquet" if file.suffix == ".parquet" else "FORMAT csv, HEADER"
    con.execute(query.replace("{file}", str(file)).replace("{form}", form).replace("$lines", str(lines)))
    con.close()


def copied(file: Path, out: Path) -> float:
    """Seconds in which DuckDB reads the same columns and writes them."""
    con = duckdb.connect()
    con.execute("SET preserve_insertion_order = false")
    began = time.perf_counter()
    con.sql(f"FROM '{file}'").write_parquet(str(out)) if out.suffix == ".parquet" else con.sql(
        f"FROM '{file}'"
    ).write_csv(str(out))
    return time.perf_counter() - began


def main() -> None:
    """Print one row: lines, seconds, lines a second, the peer's seconds, the ratio, the most memory."""
    words = [word for word in sys.argv[1:] if not word.startswith("--")]
    lines = int(words[0]) if words else 200_000
    suffix = ".csv" if "--csv" in sys.argv else ".parquet"
    rules = customs.law(World.load(), Agreement.load("plurilateral-2026"), as_of=date(2030, 1, 1))
    with tempfile.TemporaryDirectory() as folder:
        file, out = Path(folder) / f"entries{suffix}", Path(folder) / f"assessed{suffix}"
        entries(lines, file)
        plain = copied(file, Path(folder) / f"copied{suffix}")
        began = time.perf_counter()

        def said(text: str) -> None:
            if "--steps" in sys.argv:
                print(f"  {time.perf_counter() - began:6.2f} s  {text}", file=sys.stderr)

        found = assess_file(file, rules, out, Path(folder) / f"refused{suffix}", said=said)
    assert found.lines == lines == found.assessed + found.refused
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{lines:,} lines, {suffix[1:]}: {found.seconds:.2f} s, {lines / found.seconds:,.0f} lines/s")
    print(f"DuckDB copying the file: {plain:.2f} s; ratio {found.seconds / plain:.1f}; peak memory {peak:.2f} GB")
    print(f"assessed {found.assessed:,}, refused {found.refused:,}, owed USD {found.owed_usd['total_usd']:,}")


if __name__ == "__main__":
    main()
