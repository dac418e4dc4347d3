"""The rule at the border: exact products, one line and many lines the same to the cent, on every engine that is here."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("ibis", reason="the extra `border` is not installed")
pytest.importorskip("duckdb", reason="the extra `border` is not installed")

import ibis
import polars as pl
import pyarrow as pa
from border_cases import draw, law, rows

from friendshore.border import columns
from friendshore.border.engine import engine as connected
from friendshore.border.line import assess_line, kind_of
from friendshore.border.scaled import INT64, NANO, product, products, rounded
from friendshore.border.terms import Law, Terms, terms_of

SCHEMA = {
    "row": pa.int64(), "line_id": pa.string(), "day": pa.date32(), "importer": pa.string(), "origin": pa.string(),
    "hs": pa.string(), "good": pa.string(), "assay_of": pa.string(), "currency": pa.string(), "proof": pa.string(),
    "net_g": pa.int64(), "moisture_n": pa.int64(), "assay_n": pa.int64(), "price_c": pa.int64(),
    "freight_c": pa.int64(), "insurance_c": pa.int64(), "delivery": pa.string(), "related": pa.string(),
    "proof_lapsed": pa.bool_(),
}  # fmt: skip
# pyspark 4.1 calls pandas 3 by names that pandas is about to drop
pytestmark = pytest.mark.filterwarnings(
    "ignore:The copy keyword is deprecated", "ignore:The 'future.infer_string' option", "ignore::ResourceWarning"
)
ENGINES = ("duckdb", "postgres", "spark")


@pytest.fixture(scope="module", params=ENGINES)
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, Any]]:
    """A connection and the way to keep a stage on it."""
    if request.param == "duckdb":
        with connected() as con:
            yield con, columns.native(con)
    elif request.param == "postgres":
        yield from _postgres(tmp_path_factory.mktemp("pg"))
    else:
        yield from _spark(tmp_path_factory.mktemp("spark"))


def _postgres(folder: Path) -> Iterator[tuple[Any, Any]]:
    """A server of our own in a folder, gone afterwards."""
    if shutil.which("initdb") is None and not list(Path("/usr/lib/postgresql").glob("*/bin/initdb")):
        pytest.skip("no PostgreSQL on this machine")
    if importlib.util.find_spec("psycopg") is None:
        pytest.skip("the extra `postgres` is not installed")
    found = shutil.which("initdb") or str(max(Path("/usr/lib/postgresql").glob("*/bin/initdb")))
    binaries = Path(found).parent
    data = folder / "data"
    user: dict[str, Any] = {}
    if os.geteuid() == 0:  # the server refuses to run as root
        if not _user("postgres"):
            pytest.skip("PostgreSQL does not run as root, and there is no user postgres")
        user = {"user": "postgres", "group": "postgres"}
        for place in (folder, *folder.parents[:3]):
            place.chmod(0o755)
        shutil.chown(folder, "postgres", "postgres")
    subprocess.run(
        [binaries / "initdb", "-D", data, "-U", "border", "-A", "trust", "-E", "UTF8"],
        check=True,
        capture_output=True,
        **user,
    )
    options = f"-k {folder} -c listen_addresses= -p 54321 -c fsync=off"
    start = [binaries / "pg_ctl", "-D", data, "-w", "-l", folder / "log", "-o", options, "start"]
    subprocess.run(start, check=True, capture_output=True, **user)
    con = None
    try:
        con = ibis.postgres.connect(host=str(folder), port=54321, user="border", database="postgres")
        yield con, columns.tables(con)
    finally:
        if con is not None:
            con.disconnect()
        subprocess.run(
            [binaries / "pg_ctl", "-D", data, "-m", "immediate", "stop"], check=False, capture_output=True, **user
        )


def _user(name: str) -> bool:
    import pwd

    return any(each.pw_name == name for each in pwd.getpwall())


def _spark(folder: Path) -> Iterator[tuple[Any, Any]]:
    """Spark in local mode."""
    if importlib.util.find_spec("pyspark") is None:
        pytest.skip("the extra `spark` is not installed")
    if shutil.which("java") is None:
        pytest.skip("Spark needs Java 17, which is not here")
    from pyspark.sql import SparkSession

    session = (
        SparkSession.builder.master("local[1]")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.shuffle.partitions", "1")
        .config("spark.sql.codegen.wholeStage", "false")  # lines are few here, and compiling them takes longer
        .config("spark.sql.warehouse.dir", str(folder))
        .getOrCreate()
    )
    session.sparkContext.setLogLevel("ERROR")
    try:
        con = ibis.pyspark.connect(session)
        yield con, columns.views(con)
    finally:
        session.stop()


def put(con: Any, name: str, table: pa.Table) -> Any:
    """A small table in an engine."""
    if con.name == "pyspark":
        con._session.createDataFrame(table).createOrReplaceTempView(name)
    else:
        con.create_table(name, table, overwrite=True)
    return con.table(name)


def assessed(
    con: Any, hold: Any, lines: list[Any], rounding: Any, border: Law, *, bounded: bool = False
) -> dict[str, dict[str, Any]]:
    """What the lines owe by the rule for any line, or by the one for lines within bounds that are known."""
    kinds = sorted({kind_of(each, border) for each in lines}, key=repr)
    terms = [terms_of(kind, border) for kind in kinds]
    table = put(con, "lines", pa.Table.from_pylist(rows(lines), schema=pa.schema(SCHEMA)))
    held = put(con, "terms", columns.terms_table(terms).to_arrow(compat_level=pl.CompatLevel.oldest()))
    needed, same = columns.shape(terms), None
    if bounded:
        needed = columns.shape(terms, most_g=max(each.net_g for each in lines))
        same = columns.shared(columns.terms_table(terms))
    lines_of_kinds = columns.numbered(table, held, by_day=True)
    result = columns.rule(columns.joined(lines_of_kinds, held, needed, same), rounding, needed, hold)
    wanted = (
        result.select("line_id", "refusal", *columns.AMOUNTS, *columns.BESIDE, "reasons", "warnings")
        .to_pyarrow()
        .to_pylist()
    )
    reasons, warnings = (table["codes"].to_list() for table in (columns.reasons_table(), columns.warnings_table(terms)))
    return {
        row["line_id"]: row
        | {
            "refusal": columns.REFUSALS[row["refusal"]],
            "reasons": reasons[row["reasons"]],
            "warnings": warnings[row["warnings"]],
        }
        for row in wanted
    }


# -- products -----------------------------------------------------------------------------------------------------------


def ties() -> list[tuple[int, int, int]]:
    """Two hundred products that end on exactly a half, small and large."""
    found = []
    for each in range(100):
        found.append((2 * each + 1, NANO // 2, NANO))
        found.append(((2 * each + 1) * 10**7 + 10**15 * each, 5, 10**8))
    return [(a, n, d) for a, n, d in found if (2 * a * n) % d == 0]


@pytest.mark.parametrize("rounding", ["half_even", "half_up"])
def test_ties_and_results_are_whole_numbers_on_every_engine(engine: tuple[Any, Any], rounding: Any) -> None:
    con, hold = engine
    cases = ties()
    assert len(cases) == 200
    assert sum(Fraction(a * n, d).denominator == 2 for a, n, d in cases) >= 190
    schema = pa.schema([("a", pa.int64()), ("n", pa.int64()), ("d", pa.int64())])
    table = put(
        con, "ties", pa.Table.from_pylist([dict(zip("and", case, strict=True)) for case in cases], schema=schema)
    )
    done = hold.stage(products(table, {"x": (table.a, table.n, table.d)}, rounding, hold))
    assert done.x.type().is_int64()
    got = done.select("a", "n", "d", "x").to_pyarrow()
    assert pa.types.is_int64(got.schema.field("x").type)
    assert {(row["a"], row["n"], row["d"], row["x"]) for row in got.to_pylist()} == {
        (a, n, d, product(a, n, d, rounding)) for a, n, d in cases
    }


def test_products_are_exact_where_floats_are_not(engine: tuple[Any, Any]) -> None:
    con, hold = engine
    cases = [(9 * 10**12 - k, 999_999_999 - k, NANO) for k in range(50)]
    cases += [(INT64 // 7 - k, 1, 10**k) for k in range(10)]
    cases += [(9_007_199_254_740_993 + k, 1, 1) for k in range(10)]  # beyond 2^53 neighbours share a float
    schema = pa.schema([("a", pa.int64()), ("n", pa.int64()), ("d", pa.int64())])
    table = put(
        con, "large", pa.Table.from_pylist([dict(zip("and", case, strict=True)) for case in cases], schema=schema)
    )
    got = hold.stage(products(table, {"x": (table.a, table.n, table.d)}, "half_even", hold)).to_pyarrow().to_pylist()
    assert [(row["a"], row["x"]) for row in sorted(got, key=lambda r: (r["d"], r["a"]))] == [
        (a, product(a, n, d, "half_even")) for a, n, d in sorted(cases, key=lambda c: (c[2], c[0]))
    ]


def test_rounding_is_what_its_name_says() -> None:
    halves = [Fraction(2 * k + 1, 2) for k in range(6)]
    assert [rounded(x, "half_up") for x in halves] == [1, 2, 3, 4, 5, 6]
    assert [rounded(x, "half_even") for x in halves] == [0, 2, 2, 4, 4, 6]


# -- one line and many --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rounding", ["half_even", "half_up"])
def test_columns_equal_the_single_line_to_the_cent(engine: tuple[Any, Any], rounding: Any) -> None:
    con, hold = engine
    border, lines = law(), draw(7, 1500)
    many = assessed(con, hold, lines, rounding, border)
    used: dict[str, int] = {}
    reached: dict[str, int] = {}
    for entry in sorted(lines, key=lambda each: (each.day, each.line_id)):
        terms = terms_of(kind_of(entry, border), border)
        before = used.get(terms.quota_name, 0)
        one = assess_line(entry, border, rounding, quota_before_g=before)
        row = many[entry.line_id]
        assert row["refusal"] == one.refusal, entry
        reached[one.refusal] = reached.get(one.refusal, 0) + 1
        if one.amounts is None:
            continue
        assert {name: row[name] for name in columns.AMOUNTS} == one.amounts, entry
        assert {name: row[name] for name in columns.BESIDE} == one.beside, entry
        assert row["reasons"].split() == list(one.reasons), entry
        assert row["warnings"].split() == list(one.warnings), entry
        for code in (*one.reasons, *one.warnings):
            reached[code] = reached.get(code, 0) + 1
        if terms.quota_name:
            used[terms.quota_name] = before + one.amounts["contained_g"]
    wanted = "D1 D2 D3 D4 D6 D7 D9 A1 A2 A4 L0 L1 L2 L3 L4 W2 W3 W4 W5 W6 W8 W9 N03 N04 N05 N06 N07 N08 N09 N10 N15 N16"
    missed = [code for code in wanted.split() if code not in reached]
    assert not missed, f"no line came to {missed}: {reached}"


def test_terms_do_not_depend_on_the_line() -> None:
    border = law()
    for entry in draw(3, 50):
        one = terms_of(kind_of(entry, border), border)
        assert isinstance(one, Terms)
        assert one == terms_of(kind_of(entry, border), border)


@pytest.mark.parametrize("rounding", ["half_even", "half_up"])
def test_what_the_bounds_of_a_file_spare_changes_no_cent(engine: tuple[Any, Any], rounding: Any) -> None:
    """Products at once and constants are for light lines without grades; the others are the test above."""
    con, hold = engine
    border, lines = law(), [each for each in draw(11, 2500) if each.net_g <= 10**7]
    graded = [terms_of(kind_of(each, border), border) for each in lines]
    border = replace(border, price_tests={})
    plain_terms = [terms_of(kind_of(each, border), border) for each in lines]
    assert [columns.shape(terms, most_g=10**7).cheap for terms in (graded, plain_terms)] == [False, True]
    assert columns.shape(graded, most_g=10**7).light
    plain, bounded = (assessed(con, hold, lines, rounding, border, bounded=held) for held in (False, True))
    assert plain == bounded
    assert sum("L1" in row["reasons"].split() for row in plain.values()) > 10
