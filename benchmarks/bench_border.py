"""Lines a second at the border: a file of entries read, checked, assessed and written, beside DuckDB merely copying it.

    python benchmarks/bench_border.py [LINES] [--csv] [--steps] [--keep FILE]

Two peers: DuckDB reads the same file and writes the columns that went in; it reads the assessed file and writes the columns that
came out. Each runs by itself in a process of its own, so that the most memory is the assessment's. Lines are drawn from the kinds
of the example file, with prices, masses and days of their own; `--keep` keeps them, and takes them where they are there already.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

import duckdb

PIECE = 5_000_000  # lines drawn at a time
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


def draw(lines: int, file: Path) -> None:
    """A file of entries, drawn in pieces; one in a thousand lacks its freight."""
    con = duckdb.connect()
    con.execute("CREATE TABLE kinds (k INT, importer TEXT, origin TEXT, hs TEXT, good TEXT, assay_of TEXT, usd_t INT)")
    con.executemany("INSERT INTO kinds VALUES (?, ?, ?, ?, ?, ?, ?)", [(k, *kind) for k, kind in enumerate(KINDS)])
    query = """
        SELECT 'L' || lpad(i::TEXT, 9, '0') AS line_id, DATE '2030-01-01' + (i * 7919 % 180)::INT AS date,
            importer, origin, hs,
            ((1000 + i * 104729 % 24000000) / 1000.0)::DECIMAL(18,3) AS net_mass_kg,
            ((1000 + i * 104729 % 24000000) / 1000000.0 * usd_t * (0.8 + (i * 31 % 400) / 1000.0))::DECIMAL(18,2) + 1 AS price,
            'USD' AS currency, 'FOB' AS delivery,
            CASE WHEN i % 1000 = 0 THEN NULL ELSE (100 + i % 5000)::DECIMAL(18,2) END AS freight,
            (10 + i % 500)::DECIMAL(18,2) AS insurance, good,
            CASE WHEN assay_of = '' THEN NULL ELSE (0.90 + (i % 9 + 1) / 100.0)::DECIMAL(9,6) END AS assay, assay_of,
            CASE WHEN origin = 'JPN' THEN 'agreement' ELSE '' END AS proof
        FROM range($first, $last) AS r(i) JOIN kinds ON k = i % 10
    """
    form = "FORMAT parquet" if file.suffix == ".parquet" else "FORMAT csv, HEADER"
    with tempfile.TemporaryDirectory(dir=file.parent) as folder:
        for first in range(0, lines, PIECE):
            last = min(first + PIECE, lines)
            piece = query.replace("$first", str(first)).replace("$last", str(last))
            con.execute(f"COPY ({piece}) TO '{folder}/{first:010d}.parquet' (FORMAT parquet)")
        con.execute(f"COPY (FROM '{folder}/*.parquet') TO '{file}' ({form})")


def copied(file: Path, out: Path) -> None:
    """DuckDB reads a file and writes its columns; its seconds, wall and processor, are printed."""
    con = duckdb.connect()
    began, spent = time.perf_counter(), processor()
    con.execute(
        f"COPY (FROM '{file}') TO '{out}' ({'FORMAT parquet' if out.suffix == '.parquet' else 'FORMAT csv, HEADER'})"
    )
    print(time.perf_counter() - began, processor() - spent)


def assessed(file: Path, out: Path) -> None:
    """The file is assessed; lines, seconds of wall and processor, the most memory and the sums are printed."""
    from friendshore import customs
    from friendshore.agreement.document import Agreement
    from friendshore.border.assess import assess_file
    from friendshore.world.tables import World

    rules = customs.law(World.load(), Agreement.load("plurilateral-2026"), as_of=date(2030, 1, 1))
    spent, began = processor(), time.perf_counter()

    def said(text: str) -> None:
        if "--steps" in sys.argv:
            print(
                f"  {time.perf_counter() - began:7.2f} s, processor {processor() - spent:7.2f} s  {text}",
                file=sys.stderr,
            )

    found = assess_file(file, rules, out, out.with_name(f"refused{out.suffix}"), said=said)
    assert found.lines == found.assessed + found.refused
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        found.seconds,
        processor() - spent,
        peak,
        found.lines,
        found.assessed,
        found.refused,
        found.owed_usd["total_usd"],
    )


def processor() -> float:
    """Seconds of processor that this process has taken, of all its threads."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def apart(what: str, *words: object) -> list[str]:
    """One of the above in a process of its own, and the words that it printed."""
    more = [word for word in sys.argv[1:] if word == "--steps"]
    asked = [sys.executable, __file__, f"--{what}", *map(str, words), *more]
    return subprocess.run(asked, check=True, stdout=subprocess.PIPE, text=True).stdout.split()


def measured(lines: int, suffix: str, keep: Path | None) -> None:
    """Print what a file of so many lines took, and its peers in the same run."""
    with tempfile.TemporaryDirectory() as folder:
        file, out = keep or Path(folder) / f"entries{suffix}", Path(folder) / f"assessed{suffix}"
        if not file.exists():
            apart("draw", lines, file)
        copy = Path(folder) / f"copied{suffix}"
        plain, plain_processor = map(float, apart("copied", file, copy))
        seconds, spent, peak, came, done, refused, owed = apart("assessed", file, out)
        after, after_processor = map(float, apart("copied", out, copy))
    assert int(came) == lines, f"{file} holds {came} lines"
    wall, work = float(seconds), float(spent)
    print(
        f"{lines:,} lines, {suffix[1:]}: {wall:.2f} s ({work:.2f} s of processor), {lines / wall:,.0f} lines/s, most memory {float(peak):.2f} GB"
    )
    for name, its_wall, its_work in (
        ("the entries", plain, plain_processor),
        ("the assessed lines", after, after_processor),
    ):
        print(
            f"  DuckDB copying {name}: {its_wall:.2f} s ({its_work:.2f}); ratio {wall / its_wall:.2f} ({work / its_work:.2f} of processor)"
        )
    print(f"  assessed {int(done):,}, refused {int(refused):,}, owed USD {float(owed):,.2f}")


def main() -> None:
    """Measure, or do one part of it where the first word says so."""
    words = [word for word in sys.argv[1:] if not word.startswith("--")]
    part = sys.argv[1] if len(sys.argv) > 1 else ""
    if part == "--draw":
        return draw(int(words[0]), Path(words[1]))
    if part in ("--copied", "--assessed"):
        return {"--copied": copied, "--assessed": assessed}[part](Path(words[0]), Path(words[1]))
    keep = Path(sys.argv[sys.argv.index("--keep") + 1]) if "--keep" in sys.argv else None
    numbers = [word for word in words if word.replace("_", "").isdigit()]
    suffix = ".csv" if "--csv" in sys.argv else ".parquet"
    return measured(int(numbers[0]) if numbers else 1_000_000, suffix, keep)


if __name__ == "__main__":
    main()
