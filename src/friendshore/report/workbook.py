"""The tables of a study as a workbook in which every total, share and ratio is a live formula over the figures beside it.

The figures stand as the study has them; the formulas carry the value that they had when written, so that a reader who does
not recalculate sees the same. The same study gives the same bytes.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from friendshore.headline import CODE, MAKERS, RENTS, TREASURY
from friendshore.report.brief import reading
from friendshore.report.words.notes import said

if TYPE_CHECKING:
    import polars as pl

    from friendshore.report.brief import Brief, View
    from friendshore.report.words import Words
    from friendshore.study import Study

FORMS = {
    "text": "@", "count": "#,##0", "t": "#,##0.0##", "usd": "#,##0", "usd_t": "#,##0.00", "ratio": "0.000",
    "percent": "0.0%", "factor": "0.00",
}  # fmt: skip
TOP = 3  # the row of headings, counted from nought
HOLDS = 0.99  # of the reference: an inside price this near is held
WIDE = 60  # letters of the widest column
NARROW = {"usd": 17, "usd_t": 15, "t": 14}  # letters that figures need; others eleven
ASIDE, BROAD = 28, 110  # letters of the two columns of the first sheet
LINE = 15.5  # points of a line


@dataclass(frozen=True)
class Column:
    """A column of a sheet: figures, or a formula for each row beside the value it has.

    `formula` makes the formula of a row, given as a workbook counts rows; `total` is the formula below the column: SUM, or a
    ratio that it makes of the row of totals.
    """

    heading: str
    values: Sequence[Any]
    form: str = "text"
    formula: Callable[[int], str] | None = None
    total: bool = False
    ratio: Callable[[int], str] | None = None
    ratio_value: float | None = None


@dataclass(frozen=True)
class Sheet:
    """A sheet: what it answers, its units, its columns."""

    name: str
    title: str
    note: str
    columns: tuple[Column, ...]


def write_workbook(
    study: Study,
    words: Words,
    view: View,
    brief: Brief,
    findings: pl.DataFrame | None = None,
    figures: Mapping[str, tuple[str, pl.DataFrame]] | None = None,
) -> bytes:
    """The workbook.

    Parameters
    ----------
    study : the runs and their tables
    view : whose accounts have a sheet of their own
    brief : its answers open the workbook
    findings : rows of the legal screen, where it was run
    figures : title and table of every figure, by its name
    """
    import xlsxwriter

    held = io.BytesIO()
    book = xlsxwriter.Workbook(held, {"in_memory": True, "nan_inf_to_errors": False})
    book.set_properties(
        {
            "title": brief.title,
            "author": "Friendshore",
            "created": datetime(study.as_of.year, study.as_of.month, study.as_of.day),  # noqa: DTZ001 - a day, no moment
        }
    )
    book.set_size(2400, 1400)
    styles = _styles(book)
    _opening(book, styles, words, brief)
    sheets = [
        _countries(study, words),
        *([_view_goods(study, words, view)] if view.code else []),
        _groups(study, words),
        _floors(study, words),
        _levies(study, words),
        _reactions(study, words),
        _suppliers(study, words),
        _plain(words, "protection", study.protection, {"good": "good", "stage": "stage"}),
        _licences(study, words),
        _plain(words, "stability", study.stability, {"country": "country"}),
        _ranges(study, words),
        _data(study, words),
    ]
    if findings is not None:
        sheets.insert(1, _plain(words, "findings", findings, {}))
    for sheet in sheets:
        _put(book, styles, words, sheet)
    for name, (title, table) in (figures or {}).items():
        _put(book, styles, words, _plain(words, f"fig. {name}"[:31], table, {}, title))
    _put(book, styles, words, _notes(study, words))
    book.close()
    return held.getvalue()


# -- sheets ---------------------------------------------------------------------------------------------------------------

KINDS: dict[str, tuple[str, ...]] = {
    "users": ("users",),
    "producers": MAKERS,
    "treasury": TREASURY,
    "rents": RENTS,
}


def _countries(study: Study, words: Words) -> Sheet:
    """Who pays, by country: each cell sums the lines of the data sheet, each total the cells."""
    lines: dict[str, dict[str, float]] = {}
    for country, item, usd in study.pays.select("country", "item", "usd").iter_rows():
        held = lines.setdefault(country, {})
        held[item] = held.get(item, 0.0) + usd
    total = {c: sum(items.values()) for c, items in lines.items()}
    order = sorted(total, key=lambda c: (-total[c], c))
    data = f"'{words.say('sheet.data')}'"
    inside = set(study.parties)
    unions = {c for c in order if c not in inside and len(c) == CODE and _is_budget(study, c)}

    def summed(items: tuple[str, ...]) -> Callable[[int], str]:
        def formula(row: int) -> str:
            each = [f'SUMIFS({data}!$C:$C,{data}!$A:$A,$A{row},{data}!$B:$B,"{item}")' for item in items]
            return "=" + "+".join(each)

        return formula

    columns = [
        Column(words.say("book.code"), order),
        Column(words.say("book.country"), [words.country(c) for c in order]),
        Column(
            words.say("book.side"),
            [words.say(f"side.{'parties' if c in inside | unions else 'outside' if len(c) == CODE else 'firms'}") for c in order],
        ),
    ]  # fmt: skip
    every = [item for items in KINDS.values() for item in items]
    for name, items in KINDS.items():
        values = [sum(lines[c].get(item, 0.0) for item in items) for c in order]
        columns.append(Column(words.say(f"book.{name}"), values, "usd", summed(items), total=True))
    other = [sum(v for item, v in lines[c].items() if item not in every) for c in order]
    columns.append(
        Column(
            words.say("book.other"),
            other,
            "usd",
            lambda row: f"=SUMIFS({data}!$C:$C,{data}!$A:$A,$A{row})-SUM(D{row}:G{row})",
            total=True,
        )
    )
    columns.append(
        Column(words.say("book.all"), [total[c] for c in order], "usd", lambda row: f"=SUM(D{row}:H{row})", total=True)
    )
    ends = len(order)
    gains = sum(v for v in total.values() if v > 0)
    losses = -sum(v for v in total.values() if v < 0)
    whole = f"$I${TOP + 2}:$I${TOP + 1 + ends}"
    columns.append(
        Column(
            words.say("book.share"),
            [total[c] / gains if total[c] > 0 and gains else total[c] / losses if losses else 0.0 for c in order],
            "percent",
            lambda row: (
                f'=IF(I{row}>0,I{row}/SUMIFS({whole},{whole},">0"),IF(I{row}<0,-I{row}/SUMIFS({whole},{whole},"<0"),0))'
            ),
        )
    )
    return Sheet("countries", words.say("sheet.countries.title"), words.say("sheet.money"), tuple(columns))


def _is_budget(study: Study, code: str) -> bool:
    """Whether an account is the common budget of a customs union: it has one, and no country of the ranks is called so."""
    return code not in set(study.stability["country"])


def _view_goods(study: Study, words: Words, view: View) -> Sheet:
    """The accounts of the view by good and line."""
    sums: dict[tuple[str, str], float] = {}
    for run, sign in (("before", -1.0), ("agreement", 1.0)):
        for country, item, good, usd in study.outcomes[run].by_good.iter_rows():
            if country in view.accounts:
                sums[good, item] = sums.get((good, item), 0.0) + sign * usd
    keys = sorted(sums, key=lambda k: (-abs(sums[k]), k))
    keys = [k for k in keys if abs(sums[k]) >= 0.5]
    ends = len(keys) + TOP + 1
    values = [sums[k] for k in keys]
    whole = sum(abs(v) for v in values)
    columns = (
        Column(words.say("book.good"), [words.good(g) for g, _ in keys]),
        Column(words.say("book.item"), [words.item(i) for _, i in keys]),
        Column(words.say("book.usd"), values, "usd", total=True),
        Column(
            words.say("book.share_moved"),
            [abs(v) / whole if whole else 0.0 for v in values],
            "percent",
            lambda row: f"=ABS(C{row})/SUMPRODUCT(ABS(C${TOP + 2}:C${ends}))",
        ),
    )
    title = words.say("sheet.view.title", country=words.country(view.code))
    return Sheet("view", title, words.say("sheet.money"), columns)


def _groups(study: Study, words: Words) -> Sheet:
    sums: dict[str, dict[str, float]] = {}
    for group, usd in study.groups.iter_rows():
        name, _, where = group.partition(", ")
        sums.setdefault(name, {})[where or "firms"] = usd
    names = sorted(sums)
    sides = ("parties", "outside", "firms")
    columns = [Column(words.say("book.group"), [words.group(n) for n in names])]
    columns += [Column(words.say(f"side.{s}"), [sums[n].get(s, 0.0) for n in names], "usd", total=True) for s in sides]
    columns.append(
        Column(
            words.say("book.all"),
            [sum(sums[n].values()) for n in names],
            "usd",
            lambda row: f"=SUM(B{row}:D{row})",
            total=True,
        )
    )
    return Sheet("groups", words.say("sheet.groups.title"), words.say("sheet.money"), tuple(columns))


def _floors(study: Study, words: Words) -> Sheet:
    rows = study.floors
    reference, before, after = (rows[c].to_list() for c in ("reference_usd_t", "before_usd_t", "after_usd_t"))
    columns = (
        Column(words.say("book.clause"), rows["clause"].to_list()),
        Column(words.say("book.good"), [words.good(g) for g in rows["good"]]),
        Column(words.say("book.party"), [words.country(c) for c in rows["party"]]),
        Column(words.say("book.illustrative"), [words.say("yes") if v else words.say("no") for v in rows["illustrative"]]),
        Column(words.say("book.reference"), reference, "usd_t"),
        Column(words.say("book.inside_before"), before, "usd_t"),
        Column(words.say("book.inside_after"), after, "usd_t"),
        Column(words.say("book.ratio_before"), [_ratio(a, r) for a, r in zip(before, reference)], "ratio", lambda row: f"=F{row}/E{row}"),
        Column(words.say("book.ratio_after"), [_ratio(a, r) for a, r in zip(after, reference)], "ratio", lambda row: f"=G{row}/E{row}"),
        Column(
            words.say("book.holds"),
            [int(a >= HOLDS * r) for a, r in zip(after, reference)],
            "count",
            lambda row: f"=IF(I{row}>={HOLDS},1,0)",
            total=True,
        ),
        Column(words.say("book.levied_t"), rows["levied_t"].to_list(), "t", total=True),
        Column(words.say("book.levy_usd"), rows["levy_usd"].to_list(), "usd", total=True),
    )  # fmt: skip
    return Sheet("floors", words.say("sheet.floors.title"), words.say("sheet.prices"), columns)


def _levies(study: Study, words: Words) -> Sheet:
    rows = study.levies
    tonnes, rate, money = (rows[c].to_list() for c in ("t", "levy_usd_t", "levy_usd"))
    ends = rows.height + TOP + 1
    whole = sum(money)
    columns = (
        Column(words.say("book.clause"), rows["clause"].to_list()),
        Column(words.say("book.good"), [words.good(g) for g in rows["good"]]),
        Column(words.say("book.exporter"), [words.country(c) for c in rows["exporter"]]),
        Column(words.say("book.importer"), [words.country(c) for c in rows["importer"]]),
        Column(words.say("book.t"), tonnes, "t", total=True),
        Column(
            words.say("book.levy_usd_t"),
            rate,
            "usd_t",
            ratio=lambda row: f"=IF(E{row}=0,0,G{row}/E{row})",
            ratio_value=whole / sum(tonnes) if sum(tonnes) else 0.0,
        ),
        Column(words.say("book.levy_usd"), money, "usd", lambda row: f"=E{row}*F{row}", total=True),
        Column(
            words.say("book.share"),
            [v / whole if whole else 0.0 for v in money],
            "percent",
            lambda row: f"=G{row}/SUM(G${TOP + 2}:G${ends})",
            total=True,
        ),
    )
    return Sheet("levies", words.say("sheet.levies.title"), words.say("sheet.money"), columns)


def _reactions(study: Study, words: Words) -> Sheet:
    rows = study.reactions
    names = ("parties_usd", "outsiders_usd", "firms_usd")
    columns = [Column(words.say("book.reaction"), [words.say(f"reaction.{r}") for r in rows["reaction"]])]
    columns += [
        Column(words.say(f"side.{side}"), rows[name].to_list(), "usd")
        for side, name in zip(("parties", "outside", "firms"), names)
    ]
    columns += [
        Column(words.say("book.world"), rows["world_usd"].to_list(), "usd", lambda row: f"=SUM(B{row}:D{row})"),
        Column(words.say("book.levy_usd"), rows["levy_usd"].to_list(), "usd"),
        Column(words.say("book.export_tax"), rows["export_tax_usd"].to_list(), "usd"),
        Column(words.say("book.unserved_t"), rows["unserved_t"].to_list(), "t"),
    ]
    return Sheet("reactions", words.say("sheet.reactions.title"), words.say("sheet.money"), tuple(columns))


def _suppliers(study: Study, words: Words) -> Sheet:
    rows = study.suppliers
    before, after = (
        [v / 100.0 for v in rows[f"share_{when}_pct"].to_list()] if rows.height else [] for when in ("before", "after")
    )
    columns = (
        Column(words.say("book.good"), [words.good(g) for g in rows["good"]] if rows.height else []),
        Column(words.say("book.largest_before"), [words.country(c) for c in rows["largest_before"]] if rows.height else []),
        Column(words.say("book.share_before"), before, "percent"),
        Column(words.say("book.largest_after"), [words.country(c) for c in rows["largest_after"]] if rows.height else []),
        Column(words.say("book.share_after"), after, "percent"),
        Column(words.say("book.points"), [b - a for a, b in zip(before, after)], "percent", lambda row: f"=E{row}-C{row}"),
    )  # fmt: skip
    return Sheet("suppliers", words.say("sheet.suppliers.title"), words.say("sheet.shares"), columns)


def _licences(study: Study, words: Words) -> Sheet:
    rows = study.licence_forms
    money = ("levy_usd_as_quota", "levy_usd_as_export_tax", "rent_usd_as_quota", "rent_usd_as_tax")
    columns = [Column(words.say("book.good"), [words.good(g) for g in rows["good"]])]
    columns += [Column(words.say(f"book.{name}"), rows[name].to_list(), "usd", total=True) for name in money]
    return Sheet("licences", words.say("sheet.licences.title"), words.say("sheet.money"), tuple(columns))


def _data(study: Study, words: Words) -> Sheet:
    rows = study.pays.sort("country", "item")
    columns = (
        Column(words.say("book.code"), rows["country"].to_list()),
        Column(words.say("book.line"), rows["item"].to_list()),
        Column(words.say("book.usd"), rows["usd"].to_list(), "usd"),
        Column(words.say("book.item"), [words.item(i) for i in rows["item"]]),
    )
    return Sheet("data", words.say("sheet.data.title"), words.say("sheet.money"), columns)


SPANNED = (
    "side",
    "union",
    "group",
    "holder",
)  # whose ranges have a sheet; those of lines stand in a table of their own


def _ranges(study: Study, words: Words) -> Sheet:
    """The least and the most of every amount over the readings, and which of them give it; the width is a formula."""
    rows = [
        row for of in SPANNED for row in study.bands.iter_rows(named=True) if row["of"] == of and row["low"] is not None
    ]
    wide = [row["high"] - row["low"] for row in rows]
    columns = (
        Column(words.say("book.of"), [words.say(f"band.{row['of']}") for row in rows]),
        Column(words.say("book.who"), [_spanned(words, row["of"], row["who"]) for row in rows]),
        Column(words.say("book.usd"), [row["usd"] for row in rows], "usd"),
        Column(words.say("book.low"), [row["low"] for row in rows], "usd"),
        Column(words.say("book.high"), [row["high"] for row in rows], "usd"),
        Column(words.say("book.width"), wide, "usd", lambda row: f"=E{row}-D{row}"),
        Column(words.say("book.low_in"), [reading(words, row["low_in"]) for row in rows]),
        Column(words.say("book.high_in"), [reading(words, row["high_in"]) for row in rows]),
    )
    note = words.say("unknown.range", n=study.readings) if rows else words.say("unknown.no_range")
    return Sheet("ranges", words.say("sheet.ranges.title"), note, columns)


def _spanned(words: Words, of: str, who: str) -> str:
    if of == "side":
        return words.say(f"band.side.{who}")
    if of == "group":
        group, _, side = who.partition(", ")
        return words.group(group) + (f", {words.say(f'band.side.{side}')}" if side else "")
    return words.country(who)


def _plain(words: Words, name: str, table: pl.DataFrame, named: Mapping[str, str], title: str = "") -> Sheet:
    """A table as it is; codes in the columns of `named` are said in words."""
    say: dict[str, Callable[[str], str]] = {"good": words.good, "country": words.country, "stage": words.stage}
    columns = []
    for column in table.columns:
        values = table[column].to_list()
        if column in named:
            values = [say[named[column]](v) for v in values]
        form = _form_of(column, values)
        heading = words.say(f"book.{column}") if words.has(f"book.{column}") else column.replace("_", " ")
        columns.append(Column(heading, values, form))
    note = words.say(f"sheet.{name}.note") if words.has(f"sheet.{name}.note") else ""
    return Sheet(name, title or words.say(f"sheet.{name}.title"), note, tuple(columns))


def _form_of(column: str, values: Sequence[Any]) -> str:
    if not any(isinstance(v, int | float) and not isinstance(v, bool) for v in values):
        return "text"
    if column.endswith("_usd_t") or column == "usd_t":
        return "usd_t"
    if column == "usd" or column.endswith("_usd"):
        return "usd"
    return "count" if all(isinstance(v, int) or v is None for v in values) else "ratio"


def _notes(study: Study, words: Words) -> Sheet:
    notes = list(study.notes)
    for name in ("before", "agreement"):
        for good, country, low, high in study.outcomes[name].undetermined:
            run = study.outcomes[name].name
            notes.append(f"{run}: the price of {good} in {country} lies anywhere from {low:,.0f} to {high:,.0f} USD/t.")
    return Sheet(
        "notes",
        words.say("sheet.notes.title"),
        words.say("sheet.notes.note"),
        (Column(words.say("book.note"), [note.text.replace("\u202f", " ") for note in said(words, notes)]),),
    )


# -- on paper -------------------------------------------------------------------------------------------------------------


def _styles(book: Any) -> dict[str, Any]:
    made = {name: book.add_format({"num_format": form}) for name, form in FORMS.items()}
    made |= {
        f"{name}.total": book.add_format({"num_format": form, "bold": True, "top": 1}) for name, form in FORMS.items()
    }
    made["title"] = book.add_format({"bold": True, "font_size": 14, "font_color": "#0B4F6C"})
    made["note"] = book.add_format({"font_color": "#555555"})
    made["head"] = book.add_format(
        {"bold": True, "text_wrap": True, "valign": "top", "bottom": 2, "bottom_color": "#0B4F6C"}
    )
    made["head.right"] = book.add_format(
        {"bold": True, "text_wrap": True, "valign": "top", "align": "right", "bottom": 2, "bottom_color": "#0B4F6C"}
    )
    made["wrap"] = book.add_format({"text_wrap": True, "valign": "top"})
    made["strong"] = book.add_format({"text_wrap": True, "valign": "top", "bold": True})
    return made


def _opening(book: Any, styles: dict[str, Any], words: Words, brief: Brief) -> None:
    """The first sheet: the six answers, as the brief has them."""
    page = book.add_worksheet(words.say("sheet.brief"))
    page.set_column(0, 0, ASIDE)
    page.set_column(1, 1, BROAD)
    page.hide_gridlines(2)
    page.write_string(0, 0, brief.title, styles["title"])
    page.write_string(1, 0, brief.facts, styles["note"])
    row = 3
    page.set_row(row, _height(brief.finding))
    page.write_string(row, 1, brief.finding, styles["strong"])
    for part in brief.parts:
        row += 1
        for k, sentence in enumerate(part.sentences):
            heading = part.question if k == 0 else ""
            page.set_row(row + k, max(_height(sentence), _height(heading, ASIDE)))
            page.write_string(row + k, 0, heading, styles["strong"])
            page.write_string(row + k, 1, sentence, styles["wrap"])
        row += len(part.sentences)
    page.write_string(row + 1, 0, brief.footer, styles["note"])
    _paper(page)


def _put(book: Any, styles: dict[str, Any], words: Words, sheet: Sheet) -> None:
    name = words.say(f"sheet.{sheet.name}") if words.has(f"sheet.{sheet.name}") else sheet.name
    page = book.add_worksheet(name)
    page.write_string(0, 0, sheet.title, styles["title"])
    page.write_string(1, 0, sheet.note, styles["note"])
    height = len(sheet.columns[0].values)
    page.set_row(TOP, 3 * LINE)
    last = TOP + height  # the last row of figures, counted from nought
    for k, column in enumerate(sheet.columns):
        page.write_string(TOP, k, column.heading, styles["head" if column.form == "text" else "head.right"])
        for r, value in enumerate(column.values, TOP + 1):
            if column.formula is not None:
                page.write_formula(r, k, column.formula(r + 1), styles[column.form], _finite(value))
            else:
                _cell(page, r, k, value, styles[column.form])
        page.set_column(k, k, _width(column))
    totals = [k for k, column in enumerate(sheet.columns) if column.total]
    if totals and height:
        page.write_string(last + 1, 0, words.say("book.all"), styles["text.total"])
        for k, column in enumerate(sheet.columns):
            if column.total:
                letter = _letter(k)
                formula = f"=SUM({letter}{TOP + 2}:{letter}{last + 1})"
                held = [v for v in column.values if isinstance(v, int | float) and math.isfinite(v)]
                page.write_formula(last + 1, k, formula, styles[f"{column.form}.total"], sum(held))
            elif column.ratio is not None:
                value = column.ratio_value
                page.write_formula(last + 1, k, column.ratio(last + 2), styles[f"{column.form}.total"], value)
            elif k:
                page.write_blank(last + 1, k, None, styles["text.total"])
    page.freeze_panes(TOP + 1, 1)
    if height:
        page.autofilter(TOP, 0, last, len(sheet.columns) - 1)
    page.repeat_rows(TOP)
    _paper(page)


def _paper(page: Any) -> None:
    page.set_landscape()
    page.set_paper(9)
    page.fit_to_pages(1, 0)


def _cell(page: Any, row: int, column: int, value: Any, style: Any) -> None:
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        page.write_blank(row, column, None, style)
    elif isinstance(value, bool) or not isinstance(value, int | float):
        page.write_string(row, column, str(value), style)
    else:
        page.write_number(row, column, value, style)


def _finite(value: Any) -> Any:
    return value if isinstance(value, int | float) and math.isfinite(value) else 0


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else float("nan")


def _letter(column: int) -> str:
    assert column < 26, "a sheet with more columns than letters"
    return chr(ord("A") + column)


def _height(text: str, width: int = BROAD) -> float:
    """Points that a wrapped text needs; a workbook does not find out for itself before it is edited."""
    letters = sum(2 if ord(letter) > 0x2E80 else 1 for letter in text)
    return LINE * max(1, -(-letters * 11 // (width * 10)))


def _width(column: Column) -> float:
    widest = max((len(str(v)) for v in column.values if isinstance(v, str)), default=0)
    return min(WIDE, max(NARROW.get(column.form, 11), widest + 2, max(map(len, column.heading.split()), default=0) + 2))
