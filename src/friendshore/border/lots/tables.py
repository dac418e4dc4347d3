"""Lots and conversions as tables: read, every malformed cell named with its line, indexed by whole numbers.

A lot either comes from the ground or from scrap (it has an origin) or out of a conversion. A conversion takes masses of
lots in and gives lots out. What is odd about sound tables (a lot used up twice, a yield from nowhere) is left to `checks`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from friendshore.border.torn_file import broken, not_utf8
from friendshore.errors import InputRefused, Place, Problem, did_you_mean

if TYPE_CHECKING:
    import polars as pl

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

RECIPES = Path(__file__).parents[1] / "data" / "lot_recipes.csv"
GRAMS = 1e6  # in a tonne
MASS_MAX_T = 4e9  # grams of it still are exact in 64 bits
SHOWN = 20  # problems of one kind; their number is told
HEADED = 2  # the first row of a CSV stands on its second line; rows of Parquet count from one

LOTS: Mapping[str, str] = {
    "lot": "text", "good": "text", "mass_t": "mass", "content": "part", "origin": "country", "stage": "root stage",
    "country": "country", "holder": "text", "hs": "hs", "value_usd": "amount", "maker": "text",
    "maker_country": "country", "held_from": "country", "held_share": "share", "certificate": "text",
    "shipped_t": "amount",
}  # fmt: skip
LOTS_NEEDED = ("lot", "good", "mass_t")
CONVERSIONS: Mapping[str, str] = {
    "conversion": "text", "process": "text", "country": "country", "side": "side", "lot": "text", "mass_t": "mass",
}  # fmt: skip
CONVERSIONS_NEEDED = tuple(CONVERSIONS)
RECIPE: Mapping[str, str] = {
    "process": "text", "stages": "stages", "yield_min": "share", "yield_max": "share", "source": "text",
}  # fmt: skip
RECIPE_NEEDED = ("process", "yield_min", "yield_max")
SIDES = ("in", "out")
ROOT_STAGES = ("mined", "recycled")
STAGES = ("mined", "separated", "refined", "melted", "produced", "recycled")

_EXPECTED = {
    "mass": "a number of tonnes above nought",
    "amount": "a number, nought or more",
    "share": "a share between 0 and 1",
    "part": "a share above 0, at most 1",
    "country": "a country's code of three capital letters",
    "side": "in or out",
    "root stage": "mined or recycled",
    "stages": "stages joined by +: " + ", ".join(STAGES),
    "hs": "a code of six to ten digits",
    "text": "text",
}
_HINT = {
    "mass": "a decimal point, no thousands separators, not nought",
    "share": "0.45, not 45 and not 45 %",
    "part": "0.45, not 45 and not 45 %",
    "country": "ISO 3166 alpha-3, such as AUS",
    "hs": "has it lost a leading nought?",
}


@dataclass(frozen=True)
class Book:
    """Lots and conversions by index. N lots, C conversions, I inputs, O outputs, P processes.

    Parameters
    ----------
    lots : the table as read, with its columns cast; row i is lot i
    lot : (N,) ids; conversion : (C,) ids
    mass_g : (N,) grams of goods; held_g : (N,) grams of what is traced in them; shipped_g : (N,) grams that left
    origin : (N,) index into `countries`, -1 where none is stated; recycled : (N,) whether the root is scrap
    made : (N,) whether a conversion gives it
    process : (C,) index into `recipes`, -1 where there is none; place : (C,) index into `countries`
    in_of, in_lot, in_g : (I,) conversion, lot (-1 unknown) and grams of goods taken in
    out_of, out_lot, out_g : (O,) the same for what comes out
    in_row, out_row : (I,), (O,) the row of the table, counted from one below the heading
    """

    lots: pl.DataFrame
    lot: pl.Series
    conversion: pl.Series
    countries: tuple[str, ...]
    processes: tuple[str, ...]
    recipes: Mapping[str, Recipe]
    mass_g: Ints
    content: Floats
    shipped_g: Ints
    origin: Ints
    recycled: NDArray[np.bool_]
    made: NDArray[np.bool_]
    process: Ints
    place: Ints
    in_of: Ints
    in_lot: Ints
    in_g: Ints
    in_id: pl.Series
    out_of: Ints
    out_lot: Ints
    out_g: Ints
    out_id: pl.Series

    @property
    def held_g(self) -> Floats:
        """(N,) grams of what is traced in each lot."""
        return self.mass_g * self.content

    def column(self, name: str) -> pl.Series | None:
        """A column of the lots, where the table has it."""
        return self.lots[name] if name in self.lots.columns else None


@dataclass(frozen=True)
class Recipe:
    """What a process may give: tonnes of the traced mineral out per tonne in, and the stages that it is."""

    process: str
    yield_min: float
    yield_max: float
    stages: tuple[str, ...] = ()
    source: str = ""


def read_book(
    lots: Path, conversions: Path, recipes: Path | None = None, *, countries: frozenset[str] = frozenset()
) -> Book:
    """Lots, conversions and recipes from CSV or Parquet.

    Raises
    ------
    InputRefused   columns that are missing or unknown, cells that cannot be read, lots or conversions written twice:
        every kind of problem, the first twenty rows of each
    """
    known = countries or frozenset()
    problems: list[Problem] = []
    held = _table(lots, LOTS, LOTS_NEEDED, known, problems)
    turned = _table(conversions, CONVERSIONS, CONVERSIONS_NEEDED, known, problems)
    bounds = _table(recipes or RECIPES, RECIPE, RECIPE_NEEDED, frozenset(), problems)
    if held is not None:
        problems += _twice(held, lots, "lot")
        if held.is_empty():
            problems.append(Problem("empty", f"{lots} has no row below its heading", Place(str(lots), 1, 1)))
    joined = _headed(turned) if turned is not None else None
    if turned is not None and joined is not None:
        problems += _of_two_minds(turned, *joined, conversions)
    if bounds is not None:
        problems += _twice(bounds, recipes or RECIPES, "process")
    if problems or held is None or turned is None or joined is None or bounds is None:
        raise InputRefused(problems)
    return _book(held, turned, *joined, _recipes(bounds))


def _recipes(table: pl.DataFrame) -> dict[str, Recipe]:
    rows = table.iter_rows(named=True)
    return {
        row["process"]: Recipe(
            row["process"],
            row["yield_min"],
            row["yield_max"],
            tuple(filter(None, (row.get("stages") or "").split("+"))),
            row.get("source") or "",
        )
        for row in rows
    }


def book_of(lots: pl.DataFrame, conversions: pl.DataFrame, recipes: Mapping[str, Recipe]) -> Book:
    """Tables that were read, by index.

    Parameters
    ----------
    lots : columns of `LOTS` (lot, good and mass_t at least)
    conversions : columns of `CONVERSIONS`, a row for each lot that goes in or comes out
    """
    return _book(lots, conversions, *_headed(conversions), recipes)


def _headed(conversions: pl.DataFrame) -> tuple[pl.DataFrame, pl.Series]:
    """The conversions, one row each, and for each row of the table which of them it belongs to."""
    import polars as pl

    heads = conversions.group_by("conversion", maintain_order=True).agg(
        pl.col("process").first(), pl.col("country").first()
    )
    return heads, _rows_of(conversions["conversion"], heads["conversion"])


def _rows_of(words: pl.Series, known: pl.Series) -> pl.Series:
    """Where each word stands among those known; null where it does not."""
    import polars as pl

    table = pl.DataFrame({"word": known}).with_row_index("at")
    return pl.DataFrame({"word": words}).join(table, on="word", how="left", maintain_order="left")["at"]


def _book(
    lots: pl.DataFrame, conversions: pl.DataFrame, heads: pl.DataFrame, of: pl.Series, recipes: Mapping[str, Recipe]
) -> Book:
    import polars as pl

    ids = lots["lot"]
    turned = conversions.select("side", "lot", "mass_t").with_columns(of=of, at=_rows_of(conversions["lot"], ids))
    codes = sorted(
        {
            *(code for code in heads["country"].unique() if code is not None),
            *(code for code in (lots["origin"].unique() if "origin" in lots.columns else ()) if code is not None),
        }
    )
    processes = tuple(sorted(heads["process"].unique()))
    into, out = turned.filter(pl.col("side") == "in"), turned.filter(pl.col("side") == "out")
    mass_g = _grams(lots["mass_t"])
    made = np.zeros(lots.height, dtype=bool)
    out_lot = _index(out["at"])
    made[out_lot[out_lot >= 0]] = True
    stage = lots["stage"].to_numpy() if "stage" in lots.columns else np.full(lots.height, None)
    return Book(
        lots=lots,
        lot=ids,
        conversion=heads["conversion"],
        countries=tuple(codes),
        processes=processes,
        recipes=recipes,
        mass_g=mass_g,
        content=lots["content"].fill_null(1.0).to_numpy().astype(float) if "content" in lots.columns else np.ones(lots.height),
        shipped_g=_grams(lots["shipped_t"].fill_null(0.0)) if "shipped_t" in lots.columns else np.zeros(lots.height, np.int64),
        origin=_coded(lots["origin"], codes) if "origin" in lots.columns else np.full(lots.height, -1),
        recycled=stage == "recycled",
        made=made,
        process=_coded(heads["process"], processes),
        place=_coded(heads["country"], codes),
        in_of=_index(into["of"]),
        in_lot=_index(into["at"]),
        in_g=_grams(into["mass_t"]),
        in_id=into["lot"],
        out_of=_index(out["of"]),
        out_lot=out_lot,
        out_g=_grams(out["mass_t"]),
        out_id=out["lot"],
    )  # fmt: skip


def _grams(tonnes: pl.Series) -> Ints:
    return np.rint(tonnes.to_numpy() * GRAMS).astype(np.int64)


def _index(series: pl.Series) -> Ints:
    import polars as pl

    return series.cast(pl.Int64).fill_null(-1).to_numpy()


def _coded(series: pl.Series, words: Iterable[str]) -> Ints:
    """Each text's place among the words, -1 where it has none."""
    import polars as pl

    held = list(words)
    if not held:
        return np.full(series.len(), -1)
    return series.replace_strict(held, range(len(held)), default=-1, return_dtype=pl.Int64).fill_null(-1).to_numpy()


# -- reading --------------------------------------------------------------------------------------------------------


def _table(
    path: Path, columns: Mapping[str, str], needed: tuple[str, ...], known: frozenset[str], problems: list[Problem]
) -> pl.DataFrame | None:
    """A table as text, checked and cast; None where it cannot be used, the problems being noted."""
    raw = _raw(path, problems)
    if raw is None:
        return None
    name, found = str(path), len(problems)
    for column in raw.columns:
        if column not in columns:
            hint = did_you_mean(column, columns) or f"the columns are {', '.join(columns)}"
            problems.append(Problem("unknown-key", f"there is no column {column!r}", Place(name, 1, 1), column, hint))
    for column in needed:
        if column not in raw.columns:
            problems.append(Problem("missing", f"the column {column!r} is missing", Place(name, 1, 1), column))
    if len(problems) > found:
        return None
    cast = {column: _cast(raw[column], columns[column], known) for column in raw.columns}
    for column, (values, bad) in cast.items():
        problems += _cells(name, raw[column], bad, columns[column])
        if column in needed:
            problems += _cells(name, raw[column], values.is_null() & ~bad, "text", empty=True)
    return raw.with_columns(values.alias(column) for column, (values, _) in cast.items())


def _raw(path: Path, problems: list[Problem]) -> pl.DataFrame | None:
    """The table with every cell as text, blanks around it taken away, empty ones null."""
    import polars as pl

    try:
        if path.suffix.lower() == ".parquet":
            table = pl.read_parquet(path)
        elif wrong := not_utf8(path, whole=False):
            problems.append(wrong)
            return None
        else:
            table = pl.read_csv(path, infer_schema=False)
    except (OSError, pl.exceptions.PolarsError) as error:
        reason = str(error).splitlines()[0][:200]
        found = None if isinstance(error, OSError) or path.suffix.lower() == ".parquet" else broken(path)
        problems.append(found or Problem("unreadable", f"{path} cannot be read: {reason}"))
        return None
    text = [
        pl.col(name).str.strip_chars().replace("", None) if kind == pl.String else pl.col(name)
        for name, kind in table.schema.items()
    ]
    return table.with_columns(text)


def _cast(raw: pl.Series, kind: str, known: frozenset[str]) -> tuple[pl.Series, pl.Series]:
    """The values, null where there is none, and which cells are wrong."""
    import polars as pl

    if kind in ("mass", "amount", "share", "part"):
        values = raw.cast(pl.Float64, strict=False)
        low = values <= 0 if kind in ("mass", "part") else values < 0
        high = values > (1.0 if kind in ("share", "part") else MASS_MAX_T if kind == "mass" else 1e18)
        wrong = (values.is_null() & raw.is_not_null()) | (low | high | ~values.is_finite()).fill_null(value=False)
        return values, wrong
    text = raw.cast(pl.String, strict=False)
    if kind == "country":
        wrong = ~text.str.contains(r"^[A-Z]{3}$")
        if known:
            wrong = wrong | ~text.is_in(list(known))
    elif kind in ("side", "root stage"):
        wrong = ~text.is_in(list({"side": SIDES, "root stage": ROOT_STAGES}[kind]))
    elif kind == "stages":
        word = "(" + "|".join(STAGES) + ")"
        wrong = ~text.str.contains(rf"^{word}(\+{word})*$")
    elif kind == "hs":
        text = text.str.replace_all(r"[. ]", "")
        wrong = ~text.str.contains(r"^[0-9]{6,10}$")
    else:
        wrong = text.str.contains(r"^[=+@]")
    return text, wrong.fill_null(value=False)


def _row(name: str, row: int) -> Place:
    """The place of a row that counts from nought."""
    return Place(name, row + (1 if name.lower().endswith(".parquet") else HEADED), 1)


def _cells(name: str, raw: pl.Series, bad: pl.Series, kind: str, *, empty: bool = False) -> Iterator[Problem]:
    rows = bad.arg_true()
    for row in rows.head(SHOWN):
        message = "is empty" if empty else f"expected {_EXPECTED[kind]}, not {str(raw[row])[:40]!r}"
        code = "missing" if empty else "wrong-type"
        yield Problem(code, message, _row(name, row), raw.name, "" if empty else _HINT.get(kind, ""))
    if rows.len() > SHOWN:
        yield Problem("more", f"and {rows.len() - SHOWN} more rows like these", Place(name, 1, 1), raw.name)


def _twice(table: pl.DataFrame, path: Path, column: str) -> Iterator[Problem]:
    again = ~table[column].is_first_distinct() & table[column].is_not_null()
    rows = again.arg_true()
    for row in rows.head(SHOWN):
        yield Problem("twice", f"{table[column][row]!r} stands here twice", _row(str(path), row), column)
    if rows.len() > SHOWN:
        yield Problem("more", f"and {rows.len() - SHOWN} more", Place(str(path), 1, 1), column)


def _of_two_minds(turned: pl.DataFrame, heads: pl.DataFrame, of: pl.Series, path: Path) -> Iterator[Problem]:
    """A conversion is one process in one country."""
    process, country = (turned[column] != heads[column].gather(of) for column in ("process", "country"))
    odd = (process | country).fill_null(value=False)
    for row in odd.arg_true().head(SHOWN):
        name = turned["conversion"][row]
        message = f"{name!r} is another process or country above"
        yield Problem("two-minds", message, _row(str(path), row), "conversion")
