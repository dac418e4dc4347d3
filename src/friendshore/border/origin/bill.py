"""A bill of materials: the product, what went into it, where each stage was done, by whom, with what proof.

Read strictly from YAML, JSON, CSV or a workbook, every problem at its line and column. What is not written is not known: a missing
origin or stage is never taken for a harmless one. Judging is left to `judge`.
"""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, ValidationInfo, model_validator

from friendshore.errors import InputRefused, Place, Problem, did_you_mean
from friendshore.marked import MAX_BYTES, KeyPath, Marked, in_file_order, noted, validate, wrong
from friendshore.origin_rules.rule import Country, Many, Number, Prefix, Share, Stage, Text
from friendshore.spans import Day
from friendshore.units import decimal

HS_LEAST = 6


def _full_code(code: str) -> str:
    if len(code) < HS_LEAST:
        hint = f"has it lost a leading nought? write '0{code}' in quotes" if len(code) == HS_LEAST - 1 else ""
        raise wrong("bad-hs", f"{code!r} has fewer than six digits", hint=hint)
    return code


def _known(code: str, info: ValidationInfo) -> str:
    countries = (info.context or {}).get("countries")
    if countries and code not in countries:
        raise wrong("unknown-country", f"no country has the code {code!r}", hint=did_you_mean(code, countries))
    return code


def _currency(code: str) -> str:
    if not re.fullmatch("[A-Z]{3}", code):
        raise wrong("no-currency", f"{code!r} is no currency", hint="three capital letters, such as USD")
    return code


Currency = Annotated[str, AfterValidator(_currency)]
Code = Annotated[Prefix, AfterValidator(_full_code)]
Place3 = Annotated[Country, AfterValidator(_known)]
Money = Annotated[Number, Field(ge=0, allow_inf_nan=False)]
Positive = Annotated[Number, Field(gt=0, allow_inf_nan=False)]


class Done(Text):
    """A stage that was carried out."""

    stage: Stage = Field(description="mined, separated, refined, melted, produced or recycled.")
    country: Place3
    by: str = Field("", description="Who did it.")


class Owner(Text):
    """Somebody who holds a part of a maker."""

    holder: str
    country: Place3 = Field(description="Whose government, or seated where.")
    share: Share


class Maker(Text):
    """A firm that made the product or a material."""

    name: str
    country: Place3 | None = Field(None, description="Where it is seated; not known if absent.")
    owners: Many[Owner] | None = Field(None, description="Who holds it; not known if absent, nobody if empty.")

    @model_validator(mode="after")
    def at_most_all_of_it(self) -> Self:
        if self.owners and sum(owner.share for owner in self.owners) > 1:
            raise wrong("too-much", "the owners hold more than all of it", at=("owners",))
        return self


class Evidence(Text):
    """A document that shows where a material comes from."""

    kind: str = Field(description="Such as supplier_declaration.")
    date: Day
    reference: str = ""


class Material(Text):
    """One line of the bill: what goes into one unit of the product."""

    id: str = Field(min_length=1)
    what: str = ""
    hs: Code
    minerals: Many[str] = ()
    origin: Place3 | None = Field(None, description="Where it originates; not known if absent.")
    value: Money = Field(description="What it costs for one unit of the product.")
    mass_kg: Money | None = None
    stages: Many[Done] | None = Field(None, description="What was done where; not known if absent.")
    without: Many[Stage] = Field((), description="Stages that it never went through.")
    maker: Maker | None = Field(None, description="Who made it; not known if absent.")
    proof: Evidence | None = None
    proof_cost: Money | None = Field(None, description="What it would cost to get the proof, for one unit.")
    made_of: Many[Material] | None = Field(None, description="Its own materials; not known if absent.")


class Offer(Text):
    """A material that could take a line's place, at its price."""

    replaces: str = Field(alias="for", description="The line's id.")
    with_: Material = Field(alias="with")
    cost: Money | None = Field(None, description="What the change costs besides the price, for one unit.")


class Move(Text):
    """A stage that could be done elsewhere, at its cost."""

    stage: Stage
    to: Place3
    of: str = Field("", description="The line's id; the product if absent.")
    cost: Number = Field(description="For one unit of the product; below nought where it saves.")


class Bill(Text):
    """A bill of materials for one unit of a product, with what could be changed and what that would cost."""

    product: str
    hs: Code
    made_in: Place3 = Field(description="Country of last production.")
    importer: Place3 | None = Field(None, description="Where it is to be imported; bilateral cumulation asks for it.")
    currency: Currency
    price: Positive = Field(description="Ex-works or fob price of one unit, as the rule reads it.")
    net_cost: Positive | None = Field(None, description="Net cost of one unit; not known if absent.")
    own_costs: Money | None = Field(None, description="Labour, overheads and profit in the area, for one unit.")
    mass_kg: Positive | None = None
    minerals: Many[str] = ()
    stages: Many[Done] | None = Field(None, description="What was done to the product itself; not known if absent.")
    without: Many[Stage] = ()
    maker: Maker | None = None
    materials: Many[Material] = ()
    offers: Many[Offer] = ()
    moves: Many[Move] = ()
    premium: Money | None = Field(
        None, description="How much dearer materials of the area are than those they replace, as a share."
    )
    source: Many[str] = Field((), description="Where the figures come from.")
    illustrative: bool = False
    note: str = ""

    @model_validator(mode="after")
    def ids_are_lines(self) -> Self:
        ids = [line.id for line in every_line(self.materials)]
        for k, line in enumerate(self.materials):
            if ids.count(line.id) > 1:
                raise wrong("twice", f"two lines are called {line.id!r}", at=("materials", k, "id"))
        outer = [line.id for line in self.materials]
        for name, named in (("offers", [o.replaces for o in self.offers]), ("moves", [m.of for m in self.moves])):
            for k, word in enumerate(named):
                if word and word not in outer:
                    at = (name, k, "for" if name == "offers" else "of")
                    raise wrong("unknown-line", f"no line is called {word!r}", hint=did_you_mean(word, outer), at=at)
        spent = sum((line.value for line in self.materials), Decimal(0))
        if spent > self.price:
            hint = "values are for one unit of the product, in one currency"
            raise wrong("dearer", f"the materials cost {spent}, the product {self.price}", hint=hint, at=("price",))
        return self


def every_line(materials: Iterable[Material]) -> Iterator[Material]:
    """The lines and what they are made of."""
    for line in materials:
        yield line
        yield from every_line(line.made_of or ())


def read_bill(source: Path | str, *, name: str | None = None, countries: frozenset[str] = frozenset()) -> Bill:
    """A bill of materials from YAML, JSON, CSV or the first sheet of an .xlsx workbook.

    Parameters
    ----------
    source : a `Path` is a file, its ending says how to read it; `str` is YAML itself
    countries : codes that there are; any three letters where none are given

    Raises
    ------
    InputRefused   every problem at its line and column
    """
    if isinstance(source, Path) and source.suffix.lower() in (".csv", ".xlsx"):
        text = _sheet if source.suffix.lower() == ".xlsx" else _text
        marked = _from_table(text(source, name or str(source)), name or str(source))
    else:
        marked = noted(source, name=name)
    problems = list(marked.problems)
    try:
        bill = validate(Bill, marked, context={"countries": countries})
    except InputRefused as refused:
        raise InputRefused(in_file_order([*problems, *refused.problems])) from None
    if problems:
        raise InputRefused(problems)
    return bill


# -- a bill as a table ----------------------------------------------------------------------------------------------

COLUMNS = (
    "row", "id", "of", "what", "hs", "minerals", "origin", "value", "mass_kg", "stages", "without", "maker",
    "maker_country", "owners", "proof", "proof_date", "proof_reference", "cost", "currency", "net_cost", "own_costs",
    "importer", "premium", "note",
)  # fmt: skip
ROWS = ("product", "material", "inside", "offer", "move")
NUMBERS = ("value", "mass_kg", "cost", "net_cost", "own_costs", "premium")
_PLAIN = re.compile(r"[-+]?[0-9]+(\.[0-9]+)?")


@dataclass
class _Table:
    """A table turned into the tree that YAML would give, each value with its cell."""

    name: str
    lines: tuple[str, ...]
    values: dict[KeyPath, tuple[int, int, int]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def place(self, cell: tuple[int, int, int]) -> Place:
        return Place(self.name, cell[0] + 1, cell[1] + 1, self.lines[cell[0]], cell[2])

    def complain(self, code: str, message: str, cell: tuple[int, int, int], path: str, hint: str = "") -> None:
        self.problems.append(Problem(code, message, self.place(cell), path, hint))


Row = Mapping[str, tuple[str, tuple[int, int, int]]]  # column -> text and cell


def _from_table(raw: str, name: str) -> Marked:
    """A bill as a table: a row for the product, one for each material, offer and move."""
    lines = tuple(raw.splitlines()) or ("",)
    table = _Table(name, lines)
    rows = list(_rows(raw, table))
    if table.problems:
        raise InputRefused(table.problems)
    tree: dict[str, Any] = {"materials": [], "offers": [], "moves": []}
    materials: dict[str, tuple[dict[str, Any], KeyPath]] = {}
    for row in rows:
        kind, cell = row["row"]
        if kind == "product":
            if "product" in tree:
                table.complain("twice", "a second product", cell, "row", "a bill has one product")
            _fill(table, tree, (), _product(row))
        elif kind == "move":
            tree["moves"].append({})
            _fill(table, tree["moves"][-1], ("moves", len(tree["moves"]) - 1), _move(row))
        else:
            _add_material(table, tree, materials, row)
    if "product" not in tree:
        problem = Problem("missing", "no row is the product", Place(name, 1, 1, lines[0]), "row", "write product")
        table.problems.append(problem)
    if table.problems:
        raise InputRefused(in_file_order(table.problems))
    return Marked(name, tree, lines, table.values, {})


def _text(path: Path, name: str) -> str:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise InputRefused.because(
                "too-large", f"{name} is larger than {MAX_BYTES / 1e6:g} MB", hint="one bill a file"
            )
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        message = f"byte {error.start + 1} is not UTF-8"
        raise InputRefused.because("encoding", message, place=Place(name, 1, 1), hint="save as UTF-8") from None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise InputRefused.because("unreadable", f"{name} cannot be read: {reason}") from None


def _sheet(path: Path, name: str) -> str:
    """The first sheet of a workbook as CSV, a line for each row."""
    from zipfile import BadZipFile

    try:
        from openpyxl import load_workbook
        from openpyxl.utils.exceptions import InvalidFileException
    except ImportError:
        hint = "pip install 'friendshore[xlsx]', or save it as CSV"
        raise InputRefused.because(
            "no-reader", f"{name} is a workbook, and no reader is installed", hint=hint
        ) from None
    try:
        book = load_workbook(path, read_only=True, data_only=True)
    except (OSError, BadZipFile, InvalidFileException, KeyError, ValueError) as error:
        raise InputRefused.because("unreadable", f"{name} cannot be read: {error}") from None
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    for row in book.worksheets[0].iter_rows(values_only=True):
        writer.writerow([_written(cell) for cell in row])
    book.close()
    return out.getvalue()


def _written(cell: object) -> str:
    """A cell as text: a number without exponent, a day without its hour, breaks as blanks."""
    if isinstance(cell, datetime):
        return cell.date().isoformat()
    if isinstance(cell, float):
        text = f"{decimal(cell):f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    return "" if cell is None else " ".join(str(cell).split())


def _rows(raw: str, table: _Table) -> Iterator[Row]:
    reader = csv.reader(io.StringIO(raw))
    header: list[str] | None = None
    for cells in reader:
        number = min(reader.line_num, len(table.lines)) - 1
        if header is None:
            header = [cell.strip().lower() for cell in cells]
            for k, column in enumerate(header):
                if column not in COLUMNS:
                    hint = did_you_mean(column, COLUMNS) or f"the columns are {', '.join(COLUMNS)}"
                    table.complain("unknown-key", f"there is no column {column!r}", _cell(cells, k, 0), column, hint)
            for column in ("row", "id", "hs", "value"):
                if column not in header:
                    table.complain("missing", f"the column {column!r} is missing", (0, 0, 1), column)
            if len(set(header)) < len(header):
                table.complain("duplicate-key", "a column stands here twice", (0, 0, 1), "")
            continue
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(header):
            message = f"{len(cells)} cells where there are {len(header)} columns"
            table.complain("columns", message, (number, 0, 1), "", "is a comma inside a cell not quoted?")
            continue
        row = {column: (cells[k].strip(), _cell(cells, k, number)) for k, column in enumerate(header)}
        if row.get("row", ("", (0, 0, 1)))[0] not in ROWS:
            word, cell = row.get("row", ("", (number, 0, 1)))
            table.complain("unknown-value", f"expected {', '.join(ROWS)}, not {word!r}", cell, "row")
            continue
        yield row


def _cell(cells: list[str], k: int, number: int) -> tuple[int, int, int]:
    before = sum(len(cell) + 1 + (2 if "," in cell else 0) for cell in cells[:k])
    return number, before, max(1, len(cells[k]))


def _fill(table: _Table, tree: dict[str, Any], path: KeyPath, entries: Iterator[tuple[KeyPath, Any, Any]]) -> None:
    """Put values at paths below `tree`, noting their cells."""
    for below, value, cell in entries:
        held: Any = tree
        for step, after in itertools.pairwise(below):
            if isinstance(step, int):
                while len(held) <= step:
                    held.append({})
                held = held[step]
            else:
                held = held.setdefault(step, [] if isinstance(after, int) else {})
        if isinstance(below[-1], int):
            held.append(value)
        else:
            held[below[-1]] = value
        table.values[(*path, *below)] = cell


def _plain(row: Row, names: Mapping[str, str]) -> Iterator[tuple[KeyPath, Any, Any]]:
    for column, key in names.items():
        text, cell = row.get(column, ("", (0, 0, 1)))
        if text:
            number = column in NUMBERS and _PLAIN.fullmatch(text)
            yield (key,), (Decimal(text) if number else text), cell


def _listed(row: Row, column: str) -> Iterator[tuple[KeyPath, Any, Any]]:
    text, cell = row.get(column, ("", (0, 0, 1)))
    for k, word in enumerate(filter(None, (part.strip() for part in text.split("+")))):
        yield (column, k), word, cell


def _stages(row: Row) -> Iterator[tuple[KeyPath, Any, Any]]:
    """`mined:AUS + separated:MYS`; `none` where there were none."""
    text, cell = row.get("stages", ("", (0, 0, 1)))
    if text == "none":
        yield ("stages",), [], cell
        return
    for k, word in enumerate(filter(None, (part.strip() for part in text.split("+")))):
        stage, _, country = word.partition(":")
        yield ("stages", k, "stage"), stage.strip(), cell
        yield ("stages", k, "country"), country.strip(), cell


def _maker(row: Row) -> Iterator[tuple[KeyPath, Any, Any]]:
    """`owners` as `State fund:CHN:0.3 + ...`; `none` where nobody but private persons holds it."""
    name, cell = row.get("maker", ("", (0, 0, 1)))
    if not name:
        return
    yield ("maker", "name"), name, cell
    country, at = row.get("maker_country", ("", cell))
    if country:
        yield ("maker", "country"), country, at
    owners, at = row.get("owners", ("", cell))
    if owners == "none":
        yield ("maker", "owners"), [], at
        return
    for k, word in enumerate(filter(None, (part.strip() for part in owners.split("+")))):
        parts = [part.strip() for part in word.split(":")]
        for key, value in zip(("holder", "country", "share"), parts, strict=False):
            number = key == "share" and _PLAIN.fullmatch(value)
            yield ("maker", "owners", k, key), (Decimal(value) if number else value), at


def _proof(row: Row) -> Iterator[tuple[KeyPath, Any, Any]]:
    for column, key in (("proof", "kind"), ("proof_date", "date"), ("proof_reference", "reference")):
        text, cell = row.get(column, ("", (0, 0, 1)))
        if text:
            yield ("proof", key), text, cell


def _product(row: Row) -> Iterator[tuple[KeyPath, Any, Any]]:
    names = {
        "what": "product", "hs": "hs", "origin": "made_in", "value": "price", "mass_kg": "mass_kg",
        "currency": "currency", "net_cost": "net_cost", "own_costs": "own_costs", "importer": "importer",
        "premium": "premium", "note": "note",
    }  # fmt: skip
    yield from _plain(row, names)
    for part in (_listed(row, "minerals"), _listed(row, "without"), _stages(row), _maker(row)):
        yield from part


def _material(row: Row) -> Iterator[tuple[KeyPath, Any, Any]]:
    names = {"id": "id", "what": "what", "hs": "hs", "origin": "origin", "value": "value", "mass_kg": "mass_kg"}
    yield from _plain(row, names)
    for part in (_listed(row, "minerals"), _listed(row, "without"), _stages(row), _maker(row), _proof(row)):
        yield from part


def _move(row: Row) -> Iterator[tuple[KeyPath, Any, Any]]:
    """A move writes one stage and where to: `separated:EST`."""
    yield from _plain(row, {"of": "of", "cost": "cost"})
    text, cell = row.get("stages", ("", (0, 0, 1)))
    stage, _, country = text.partition(":")
    yield ("stage",), stage.strip(), cell
    yield ("to",), country.strip(), cell


def _add_material(
    table: _Table, tree: dict[str, Any], materials: dict[str, tuple[dict[str, Any], KeyPath]], row: Row
) -> None:
    kind, cell = row["row"]
    of, at = row.get("of", ("", cell))
    one: dict[str, Any] = {}
    if kind == "material":
        path: KeyPath = ("materials", len(tree["materials"]))
        tree["materials"].append(one)
    elif of not in materials:
        table.complain("unknown-line", f"no line above is called {of!r}", at, "of", did_you_mean(of, materials))
        return
    elif kind == "inside":
        parent, where = materials[of]
        inner = parent.setdefault("made_of", [])
        path = (*where, "made_of", len(inner))
        inner.append(one)
    else:
        path = ("offers", len(tree["offers"]), "with")
        tree["offers"].append({"for": of, "with": one})
        _fill(table, tree["offers"][-1], path[:-1], iter([(("for",), of, at), *_plain(row, {"cost": "cost"})]))
    table.values[path] = cell
    _fill(table, one, path, _material(row))
    if kind != "offer":
        materials[row["id"][0]] = (one, path)
        _fill(table, one, path, _plain(row, {"cost": "proof_cost"}))
