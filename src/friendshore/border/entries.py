"""Customs entries as they come: CSV, Parquet or JSON lines, in a documented layout, each field checked, each fault named.

A line with a fault is set aside with code, field, value and fix; the others go on as whole numbers: hundredths of the
currency, grams, billionths. Nothing is guessed, trimmed or rounded on the way. What lines owe is left to the rule.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from friendshore.border import csv_lines, json_lines
from friendshore.border.engine import folder, put
from friendshore.border.scaled import CENTS_MAX, GRAMS_MAX, NANO
from friendshore.border.terms import DELIVERY, FORMULA
from friendshore.errors import InputRefused, did_you_mean

if TYPE_CHECKING:
    from ibis.backends.duckdb import Backend
    from ibis.expr.types import Table

PART, FAULT = "\x1f", "\x1e"  # unit and record separators, which no field may hold and be read
SHOWN = 60  # characters of a faulty value that are shown
LENGTH_MAX = 100  # characters of a text field
# Digits behind the point that each number may have: cents, grams, billionths.
PLACES = {"net_mass_kg": 3, "price": 2, "freight": 2, "insurance": 2, "assay": 9, "moisture": 9}
BLANKS = " \t\n\r\v\f"  # what is taken off around a text
HEADER_MAX = 100_000  # characters of a header that are read
LINE_MAX = 16_000_000  # bytes of a CSV line; a longer one is refused


@dataclass(frozen=True, slots=True)
class Field:
    """A column of the layout: what it is, whether each file has it, and the code of its refusal."""

    name: str
    text: str
    code: str
    required: bool = False


FIELDS = (
    Field("line_id", "the line's own id", "R02", required=True),
    Field("date", "day of entry, such as 2027-03-14", "R04", required=True),
    Field("importer", "country of import, ISO 3166 alpha-3", "R05", required=True),
    Field("origin", "declared country of origin, ISO 3166 alpha-3", "R05", required=True),
    Field("hs", "national tariff line, six to ten digits, dots allowed", "R06", required=True),
    Field("net_mass_kg", "net mass, kilograms to the gram", "R07", required=True),
    Field("price", "price of the line at its term of delivery", "R08", required=True),
    Field("currency", "currency of price, freight and insurance, ISO 4217", "R09", required=True),
    Field("delivery", "term of delivery, Incoterms 2020", "R10", required=True),
    Field("freight", "freight to the port of import; nothing where not known", "R11"),
    Field("insurance", "insurance of the same way; nothing where not known", "R12"),
    Field("good", "the good that it is, `mineral.form`, or `other`", "N11"),
    Field("assay", "part of the dry mass that is the substance assayed", "R13"),
    Field("assay_of", "the substance: `wo3`, `ndpr_oxide`, `antimony`", "N09"),
    Field("moisture", "part of the net mass that is water", "R14"),
    Field("related", "Y where buyer and seller are related; E where customs has found their price uninfluenced", "R15"),
    Field("proof", "`agreement`, `treaty`, or `none` where none will be presented", "R18"),
    Field("proof_date", "day of the proof", "R04"),
    Field("exporter", "country of dispatch, ISO 3166 alpha-3", "R05"),
    Field("lot", "id of the lot", "R16"),
)
NAMES = tuple(field.name for field in FIELDS)
# Words that many lines share: they are cleaned and known once for each kind of line, not on each line.
SHARED = ("importer", "origin", "hs", "good", "assay_of", "currency", "delivery", "related", "proof")
REQUIRED = tuple(field.name for field in FIELDS if field.required)

# The same fields under the names of an entry-summary line as US filers know it, and of the WCO data model.
LAYOUTS: dict[str, Mapping[str, str]] = {
    "national": {name: name for name in NAMES},
    "entry_summary": {
        "line_id": "Entry Line", "date": "Entry Date", "origin": "Country of Origin", "exporter": "Country of Export",
        "hs": "HTS Number", "net_mass_kg": "Net Weight KG", "price": "Entered Value", "freight": "Charges",
        "insurance": "Insurance", "good": "Good", "assay": "Assay", "assay_of": "Assay Of", "moisture": "Moisture",
        "related": "Related Party", "proof": "Proof", "proof_date": "Proof Date", "lot": "Lot",
    },
    "wco": {
        "line_id": "GovernmentAgencyGoodsItem.SequenceNumeric", "date": "Declaration.AcceptanceDateTime",
        "importer": "Declaration.DestinationCountryCode", "origin": "Origin.CountryCode",
        "exporter": "GoodsShipment.ExportCountryCode", "hs": "Classification.ID",
        "net_mass_kg": "GoodsMeasure.NetNetWeightMeasure", "price": "InvoiceLine.ItemChargeAmount",
        "currency": "InvoiceLine.ItemChargeAmount.CurrencyID", "delivery": "TradeTerms.ConditionCode",
        "freight": "CustomsValuation.FreightChargeAmount", "insurance": "CustomsValuation.InsuranceChargeAmount",
        "good": "AdditionalInformation.Good", "assay": "AdditionalInformation.Assay",
        "assay_of": "AdditionalInformation.AssayOf", "moisture": "AdditionalInformation.Moisture",
        "related": "CustomsValuation.RelatedPartyIndicator", "proof": "AdditionalDocument.TypeCode",
        "proof_date": "AdditionalDocument.IssueDateTime", "lot": "Commodity.LotID",
    },
}  # fmt: skip
KNOWN = frozenset(theirs for names in LAYOUTS.values() for theirs in names.values())
# What a layout leaves unsaid because it is the same for all of its lines.
CONSTANTS: dict[str, Mapping[str, str]] = {
    "national": {},
    "entry_summary": {"importer": "USA", "currency": "USD", "delivery": "FOB"},
    "wco": {},
}


def open_file(con: Backend, file: Path, layout: str = "", *, counted: bool = True) -> Table:
    """The rows of a file as texts under our names, with `row`, their number in the file.

    Parameters
    ----------
    con : DuckDB, which reads them
    file : .csv, .parquet, .jsonl or .ndjson
    layout : one of `LAYOUTS`; found by the columns' names if empty
    counted : whether the rows of a text are numbered as they are read, which takes one thread alone

    Raises
    ------
    InputRefused   no such file, another format, or columns that no layout has
    """
    import duckdb
    import ibis

    from friendshore.border.recognised import recognise  # which is told by the layouts above

    recognise(file, layout)
    try:
        table = READERS.get(file.suffix.lower(), _json)(con, file)
    except duckdb.Error as error:
        said = str(error).strip().splitlines()[0]
        raise InputRefused.because(
            "entries-unreadable", f"{file.name}: {said}", hint="the whole file was set aside"
        ) from None
    chosen = _layout(table.columns, layout, file.name)
    names, constants = LAYOUTS[chosen], CONSTANTS[chosen]
    columns: dict[str, Any] = {}
    if "file_row_number" in table.columns:
        columns["row"] = table.file_row_number + 1
    elif counted:
        columns["row"] = ibis.row_number() + 1
    for name in NAMES:
        if names.get(name) in table.columns:
            column = table[names[name]]
            columns[name] = _plain_day(column) if names[name].endswith("DateTime") else column
        elif name in constants:
            columns[name] = ibis.literal(constants[name])
    return table.select(**columns)


def _plain_day(column: Any) -> Any:
    """A `DateTime` of the WCO data model as a plain day: 20300105 (its format 102) or midnight; anything else as it came."""
    if not column.type().is_string():
        return column
    form = r"^\s*([0-9]{4})([0-9]{2})([0-9]{2})\s*$"
    day = column.re_replace(r"^(\s*[0-9]{4}-[0-9]{2}-[0-9]{2})T00:00:00(\s*)$", r"\1\2").re_replace(form, r"\1-\2-\3")
    return day.try_cast("date").isnull().ifelse(column, day)


def _parquet(con: Backend, file: Path) -> Table:
    """The rows of a Parquet file with their numbers, as a view that every connection sees."""
    place = str(file).replace("'", "''")
    con.raw_sql(f"CREATE OR REPLACE VIEW entries_file AS FROM read_parquet('{place}', file_row_number = true)")
    return con.table("entries_file")


def _csv(con: Backend, file: Path) -> Table:
    """The rows of a CSV file; torn lines are those of the table `torn`, and no others with them."""
    columns = _header(file)
    if not csv_lines.sound(file):
        words = frozenset(place for place, name in enumerate(columns) if name in KNOWN)
        copy = folder(con) / "entries.csv"
        _torn(con, csv_lines.mend(file, copy, words, len(columns)))
        file = copy
    return con.read_csv(
        file, auto_detect=False, columns=columns, header=True, delim=",", quote='"', escape='"',
        store_rejects=True, max_line_size=LINE_MAX, buffer_size=4 * LINE_MAX,
    )  # fmt: skip


def _json(con: Backend, file: Path) -> Table:
    """The lines of a JSON file; those that are no objects of single values are those of the table `torn`."""
    codes = {names["hs"] for names in LAYOUTS.values()}
    files, torn = json_lines.parts(file, folder(con), KNOWN, codes)
    if not files:
        raise InputRefused.because(
            "entries-unreadable", f"{file.name}: {torn[0][1]}", path="ENTRIES", hint="no line of it can be read"
        )
    _torn(con, torn)
    return con.read_parquet([str(each) for each in files], union_by_name=True)


def _torn(con: Backend, lines: list[tuple[int, str, str]]) -> None:
    """Lines that could not be taken apart: row, what was said, how they begin."""
    import polars as pl

    put(con, "torn", pl.DataFrame(lines, schema={"row": pl.Int64, "said": pl.String, "text": pl.String}, orient="row"))


READERS: dict[str, Callable[[Backend, Path], Table]] = {".csv": _csv, ".parquet": _parquet}


def _header(file: Path) -> dict[str, str]:
    """The columns of a CSV file, all of them texts."""
    with file.open(encoding="utf-8-sig", errors="replace", newline="") as text:
        names = next(csv.reader([text.readline(HEADER_MAX)]), [])
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InputRefused.because("entries-columns", f"{file.name} has two columns {twice!r}", path="ENTRIES")
    return dict.fromkeys(names, "VARCHAR")


def checked(table: Table) -> Table:
    """Amounts, masses and days as whole numbers; `wrong` whether anything is the matter with them, `faults` what.

    What many lines share (countries, code, good, currency, delivery, proof) stays as it came, and is read
    once for each kind of line, where its terms are found. Fields that a file does not have are not declared.
    `faults` is empty where nothing is wrong, and costs nothing there. `odd` is `wrong` for lines whose shared words are short.

    Columns: row where there is one, line_id, day, the fields of a kind, net_g, moisture_n, assay_n, price_c, freight_c, insurance_c,
    proof_lapsed, odd, wrong, faults.
    """
    import ibis

    held = set(table.columns)
    none: Any = ibis.literal(None, "int64")
    table = table.mutate(
        **{f"t_{name}": _text(table[name], blanks=name in SHARED) for name in NAMES if name in held},
        **{f"t_{name}": ibis.literal("") for name in NAMES if name not in held},
    )
    amounts: dict[str, Any] = {
        "net_g": _scaled(table, "net_mass_kg", 10),
        "price_c": _scaled(table, "price", 13),
        "freight_c": _scaled(table, "freight", 13) if "freight" in held else none,
        "insurance_c": _scaled(table, "insurance", 13) if "insurance" in held else none,
        "assay_n": _fraction(table, "assay") if "assay" in held else none,
        "moisture_n": _fraction(table, "moisture") if "moisture" in held else none,
    }
    dated = "proof_date" in held
    day = ibis.literal(None, "date")
    table = table.mutate(**amounts, day=_day(table, "date"), proof_day=_day(table, "proof_date") if dated else day)
    of_id, of_numbers = _id_faults(table), _number_faults(table, held)
    own = [*of_id, *of_numbers]
    odd_id = _suspect(table.t_line_id).ifelse(ibis.or_(*(fault for _, _, fault in of_id)), False)
    table = table.mutate(odd=odd_id | ibis.or_(*(fault for _, _, fault in of_numbers)))
    table = table.mutate(wrong=table.odd | ibis.or_(*(fault for _, _, fault in _long_words(table))))
    faults = table.wrong.ifelse(_written([*own, *_long_words(table), *_word_faults(table)], table), "")
    proof: Any = table.t_proof
    lapsed: Any = ibis.literal(False)
    if dated:
        late = (table.proof_day > table.day) | (table.proof_day + ibis.interval(days=365) < table.day)
        lapsed = (late & ~proof.isin(["", "none"])).fill_null(False)
        proof = lapsed.ifelse("none", proof)
    plain = ("day", "net_g", "price_c", "freight_c", "insurance_c", "assay_n", "odd", "wrong")
    row = ("row",) if "row" in held else ()
    words = ("line_id", "importer", "origin", "good", "assay_of", "currency", "delivery", "related")
    return table.select(
        *row,
        *plain,
        **{name: table[f"t_{name}"] for name in words},
        hs=_if_text(table.hs, table.t_hs),
        moisture_n=table.moisture_n.fill_null(0),
        proof=proof,
        proof_lapsed=lapsed,
        faults=faults,
    )


def _id_faults(table: Table) -> list[tuple[str, str, Any]]:
    """What may be wrong with a line's id. No condition is ever null."""
    return [
        ("R02", "line_id", table.t_line_id == ""),
        ("R16", "line_id", _formula(table.t_line_id)),
        ("R17", "line_id", table.t_line_id.length() > LENGTH_MAX),
    ]


def _suspect(text: Any) -> Any:
    """Whether an id can have a fault at all: by its first sign and its bytes, which are known without reading it."""
    import ibis

    byte_length = ibis.udf.scalar.builtin(_engines_length, name="strlen", signature=(("string",), "int64"))
    first = text.ascii_str()
    return ibis.or_(
        first < ord("0"), *(first == ord(sign) for sign in FORMULA if sign > "0"), byte_length(text) > LENGTH_MAX
    )


def _number_faults(table: Table, held: set[str]) -> list[tuple[str, str, Any]]:
    """What else each line has of its own and may be wrong: amounts, masses, days. No condition is ever null."""
    checks: list[tuple[str, str, Any]] = [
        ("R04", "date", table.day.isnull()),
        ("R07", "net_mass_kg", table.net_mass_kg.isnull() | _beyond(table, "net_mass_kg", "net_g", 1, GRAMS_MAX)),
        ("R08", "price", table.price.isnull() | _beyond(table, "price", "price_c", 1, CENTS_MAX)),
    ]
    for name, code, column, least, most in (
        ("freight", "R11", "freight_c", 0, CENTS_MAX),
        ("insurance", "R12", "insurance_c", 0, CENTS_MAX),
        ("assay", "R13", "assay_n", 1, NANO),
        ("moisture", "R14", "moisture_n", 0, NANO - 1),
    ):
        if name in held:
            checks.append((code, name, _stated(table, name) & _beyond(table, name, column, least, most)))
    if not table.hs.type().is_string():
        checks.append(("R06", "hs", table.hs.notnull()))  # a leading nought may be lost
    if "assay" in held:
        checks.append(("R13", "assay_of", _stated(table, "assay") & (table.t_assay_of == "")))
    if "proof_date" in held:
        checks.append(("R04", "proof_date", _stated(table, "proof_date") & table.proof_day.isnull()))
    if "exporter" in held:
        checks.append(("R05", "exporter", _stated(table, "exporter") & ~table.t_exporter.re_search(r"^[A-Z]{3}$")))
    if "lot" in held:
        checks.append(("R17", "lot", table.t_lot.length() > LENGTH_MAX))
        checks.append(("R16", "lot", _formula(table.t_lot)))
    return checks


def _long_words(table: Table) -> list[tuple[str, str, Any]]:
    """Words too long to be anything, which are not even looked up."""
    return [("R17", name, table[f"t_{name}"].length() > LENGTH_MAX) for name in SHARED]


def _beyond(table: Table, name: str, column: str, least: int, most: int) -> Any:
    """Whether what a field states is not a plain number between two bounds, both in the smallest unit.

    A decimal is compared as it stands: of such a column an engine often knows the least and the greatest from the file
    itself, and need not look at the lines.
    """
    import ibis

    kind, places = table[name].type(), PLACES[name]
    if not _exact(kind, places):
        return ~table[column].between(least, most).fill_null(False)
    bound = kind if kind.scale == places else f"decimal(18,{places})"
    low, high = (Decimal(end).scaleb(-places) for end in (least, most))
    beyond = table[name] < ibis.literal(low, bound)
    held = Decimal(10) ** (kind.precision - kind.scale)
    return beyond | (table[name] > ibis.literal(high, bound)) if high < held else beyond


def _exact(kind: Any, places: int) -> bool:
    """Whether a column holds decimals of so many places at most, which need not be read as text."""
    return bool(kind.is_decimal() and kind.scale is not None and kind.scale <= places and (kind.precision or 38) <= 18)


def _stated(table: Table, name: str) -> Any:
    """Whether a line has a value for a field."""
    column = table[name]
    return table[f"t_{name}"] != "" if column.type().is_string() else column.notnull()


def _word_faults(table: Table) -> list[tuple[str, str, Any]]:
    """The words of a line by their shape, told beside its other faults; whether they are known is the kind's to say."""
    import ibis

    numbered = not table.hs.type().is_string()  # refused as a number already
    return [
        ("R05", "importer", ~table.t_importer.re_search(r"^[A-Z]{3}$")),
        ("R05", "origin", ~table.t_origin.re_search(r"^[A-Z]{3}$")),
        ("R06", "hs", ibis.literal(False) if numbered else ~table.t_hs.re_search(r"^[0-9. ]{6,14}$")),
        ("R09", "currency", ~table.t_currency.re_search(r"^[A-Z]{3}$")),
        ("R10", "delivery", ~ibis.or_(*(table.t_delivery.upper() == term for term in DELIVERY))),
    ]


def _written(checks: list[tuple[str, str, Any]], table: Table) -> Any:
    """Code, field and value of everything wrong with a line, each ended by `FAULT`, their parts apart by `PART`."""
    import ibis

    found: Any = None
    for code, name, wrong in checks:
        text = table[f"t_{name}"] if name not in table.columns or table[name].type().is_string() else _text(table[name])
        said = wrong.ifelse(ibis.literal(f"{code}{PART}{name}{PART}") + text.left(SHOWN) + FAULT, "")
        found = said if found is None else found + said
    return found


def _formula(text: Any) -> Any:
    """Whether a spreadsheet would take a text for a formula."""
    import ibis

    first = text.ascii_str()  # compared one by one: a list would be looked up in a table
    return ibis.or_(*(first == ord(sign) for sign in FORMULA))


def _text(column: Any, *, blanks: bool = False) -> Any:
    """A cell as text, nothing where it is empty; without the blanks around it unless the kind's reader takes them off."""
    if not column.type().is_string():
        return column.cast("string").fill_null("")
    text = column.fill_null("")
    if blanks:
        return text
    around = text.ascii_str() <= ord(" ")  # taking blanks off takes as long as all other checks: seldom needed
    for blank in BLANKS:
        around = around | text.endswith(blank)
    return around.ifelse(text.strip(), text)


def _if_text(column: Any, text: Any) -> Any:
    """A code that came as a number may have lost a leading nought: it is refused, not padded."""
    import ibis

    return text if column.type().is_string() else ibis.literal("")


def _day(table: Table, name: str) -> Any:
    column = table[name]
    kind = column.type()
    if kind.is_date():
        return column
    if kind.is_timestamp() and kind.timezone is None:  # a day with a time of its own is no day, one at midnight is
        return (column == column.cast("date").cast("timestamp")).ifelse(column.cast("date"), None)
    text = table[f"t_{name}"]
    return text.re_search(r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$").ifelse(text, None).try_cast("date")


def _scaled(table: Table, name: str, digits: int) -> Any:
    """An amount of at most so many digits before the point in its smallest unit, none where it is not a plain number."""
    kind, places = table[name].type(), PLACES[name]
    if kind.is_integer():
        whole = table[name].try_cast("int64")
        return whole.between(-(10**digits), 10**digits).ifelse(whole, None) * 10**places
    if _exact(kind, places):
        return _whole(table[name].try_cast(f"decimal(18,{places})"), digits, places)
    text = table[f"t_{name}"]
    noughts = "0*" if kind.is_decimal() else ""  # a column's own places; in a text 20.000 may be twenty thousand
    plain = text.re_search(rf"^-?[0-9]{{1,{digits}}}([.][0-9]{{1,{places}}}{noughts})?$")
    return _whole(plain.ifelse(text, None).try_cast(f"decimal(18,{places})"), digits, places)


def _engines_length(text: Any) -> Any:
    """The bytes of a text as the engine holds them."""


def _engines_own(amount: Any, step: Any) -> Any:
    """A function of the engine; its name and types are given where it is used."""


def _whole(column: Any, digits: int, places: int) -> Any:
    """A decimal of so many digits before and behind the point as a whole number of its last place.

    In two steps where the product would have more than 18 digits: with those DuckDB divides fifty times more slowly.
    """
    if digits + 2 * places >= 18:
        half = places // 2
        moved = _times_ten(column, digits, places, half).cast(f"decimal({digits + places},{places - half})")
        return _times_ten(moved, digits + half, places - half, places - half).cast("int64")
    return _times_ten(column, digits, places, places).cast("int64")


def _times_ten(column: Any, digits: int, places: int, tens: int) -> Any:
    """A decimal of so many digits before and behind the point, times so many tens."""
    import ibis

    widths = (f"decimal({digits + places},{places})", f"decimal({tens + 1},0)")
    product = f"decimal({digits + places + tens + 1},{places})"
    multiply = ibis.udf.scalar.builtin(_engines_own, name="multiply", signature=(widths, product))
    return multiply(column.try_cast(widths[0]), ibis.literal(Decimal(10**tens), widths[1]))


def _fraction(table: Table, name: str) -> Any:
    """A share in billionths, from a fraction or from per cent with its sign."""
    kind, places = table[name].type(), PLACES[name]
    if _exact(kind, places):
        return _whole(table[name], 1, kind.scale) * 10 ** (places - kind.scale)
    text = table[f"t_{name}"]
    noughts = "0*" if kind.is_decimal() else ""
    fraction = text.re_search(rf"^[0-9]([.][0-9]{{1,9}}{noughts})?$").ifelse(text, None).try_cast("decimal(18,9)")
    per_cent = (
        text.re_search(r"^[0-9]{1,3}([.][0-9]{1,7})?%$").ifelse(text.replace("%", ""), None).try_cast("decimal(18,7)")
    )
    return _whole(fraction, 1, 9).coalesce(_whole(per_cent, 3, 7))


def _layout(columns: Iterable[str], layout: str, file: str) -> str:
    held = set(columns)
    if layout and layout not in LAYOUTS:
        hint = did_you_mean(layout, LAYOUTS) or f"one of {', '.join(LAYOUTS)}"
        raise InputRefused.because("unknown-layout", f"no layout is called {layout!r}", path="--layout", hint=hint)
    missing: dict[str, list[str]] = {}
    for name in [layout] if layout else list(LAYOUTS):
        names, constants = LAYOUTS[name], CONSTANTS[name]
        missing[name] = [
            names.get(field, field) for field in REQUIRED if field not in constants and names.get(field) not in held
        ]
        if not missing[name]:
            return name
    nearest = max(missing, key=lambda name: len(held & set(LAYOUTS[name].values())))
    hint = f"the layout {nearest} needs: {', '.join(missing[nearest])}"
    raise InputRefused.because("entries-columns", f"{file} has the columns of no layout", path="ENTRIES", hint=hint)
