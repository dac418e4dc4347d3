"""A user's own data as a page: the books of every file, what moved in the world, and what two worlds differ by."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from friendshore.report.typography import THIN, counted, figure, grid, millions, paragraph, percent, section

if TYPE_CHECKING:
    from friendshore.world.imports.rows import Import, Refused
    from friendshore.world.moved import Change, Moved
    from friendshore.world.own_data import Report

EXAMPLES = 3  # refused rows printed for each reason
ROWS = 15  # rows of a block
MATTERS = 0.01  # of a good's trade: a smaller reporter is not named
NAMES = {
    "cepii.baci": "CEPII BACI", "un.comtrade": "UN Comtrade", "wits": "WITS", "usgs.mcs": "USGS", "worldbank.pinksheet": "Pink Sheet",
}  # fmt: skip
TITLES = {
    "flows": "Flows, t", "levels": "Levels of activities, t", "use": "Final use, t", "stocks": "Stock changes, t",
    "prices": "Gate prices, USD/t",
}  # fmt: skip


def built(report: Report, target: str) -> str:
    """What a build from a user's files did, file by file and good by good."""
    parts = [_books(report.imports), _unknown(report.imports), *(_refusals(one) for one in report.imports)]
    if report.goods:
        parts.append(_goods(report))
    if report.kept:
        lines = [paragraph(f"{good}: {why}", indent=2, bullet="- ") for good, why in report.kept.items()]
        parts.append(section("Left as shipped, for want of codes or of trade", *lines))
    if report.levels:
        parts.append(f"Output: {counted(report.levels, 'level')} taken from the files.")
    if report.prices:
        rows = [
            [good, figure(was), figure(now), percent(now / was - 1.0, sign=True)] for good, was, now in report.prices
        ]
        parts.append(section("Prices, USD/t", grid(["good", "shipped", "file", "%"], rows)))
    parts.append("\n".join(paragraph(line) for line in _other_years(report)))
    parts.append(_ending(report, target))
    return "\n\n".join(part.rstrip("\n") for part in parts if part)


def _books(imports: Iterable[Import]) -> str:
    """Rows in, read, left aside and refused; the same in value."""
    rows = []
    for one in imports:
        amounts = (one.amount, one.read_amount, one.aside_amount, one.refused_amount)
        counts = (one.rows, one.table.height, one.aside_rows, len(one.refused))
        rows.append([one.file, NAMES[one.publisher], "rows", *(_whole(n) for n in counts)])
        if one.unit != "USD/t":
            unit = "m USD" if one.unit == "USD" else "kt"
            told = [millions(a) if one.unit == "USD" else figure(a / 1e3) for a in amounts]
            rows.append(["", "; ".join(one.remarks)[:40], unit, *told])
    head = ["file", "publisher", "in", "all", "read", "left aside", "refused"]
    return section("Files: all = read + left aside + refused", grid(head, rows, left=3))


def _whole(count: int) -> str:
    return f"{count:,}".replace(",", THIN)


def _unknown(imports: Iterable[Import]) -> str:
    """What is kept under no known country, and that nothing was lost to it."""
    lines = []
    for one in imports:
        if one.unit == "USD/t":
            continue
        lost = one.lost_to_unknown
        named = ", ".join(f"{code!r} {_amount(amount, one)}" for code, (_, amount) in list(one.unknown.items())[:8])
        share = one.unknown_amount / one.read_amount if one.read_amount else 0.0
        kept = (
            f"; kept under areas not specified {_amount(one.unknown_amount, one)}, {figure(100 * share, 3)} % of what was read: {named}"
            if one.unknown
            else ""
        )
        if one.unvalued and one.unit == "USD":
            kept += f"; {counted(one.unvalued, 'refused row')} without a value that can be read, in the number of rows alone"
        lines.append(
            paragraph(
                f"{one.file}: share of value lost to unknown codes {figure(100 * lost, 3)} %{kept}",
                indent=2,
                bullet="- ",
            )
        )
    return "\n".join(lines)


def _amount(amount: float, one: Import) -> str:
    return f"{millions(amount)} m USD" if one.unit == "USD" else f"{figure(amount)} t"


def _refusals(one: Import) -> str:
    """Refused rows by reason, with examples, and what was left aside."""
    by: dict[str, list[Refused]] = defaultdict(list)
    for row in one.refused:
        by[row.reason.split(" stands on line ")[0].split(": shifted")[0]].append(row)
    lines = []
    for reason, rows in sorted(by.items(), key=lambda item: (-len(item[1]), item[0])):
        worth = f", {_amount(sum(row.amount for row in rows), one)}" if one.unit != "USD/t" else ""
        lines.append(paragraph(f"{counted(len(rows), 'row')}{worth}: {reason}", indent=2, bullet="- "))
        for row in rows[:EXAMPLES]:
            where = f"line {row.line}" + (f", {row.column}" if row.column else "")
            lines.append(f"      {where}: {row.value}".rstrip(": ")[:96])
        if len(rows) > EXAMPLES:
            lines.append(f"      ... and {_whole(len(rows) - EXAMPLES)} more: --json gives all")
    for row in one.doubted[:EXAMPLES]:
        lines.append(
            paragraph(f"line {row.line}, {row.value}, read by value alone; {row.reason}", indent=2, bullet="- ")
        )
    if len(one.doubted) > EXAMPLES:
        lines.append(f"      ... and {_whole(len(one.doubted) - EXAMPLES)} more weights left out: --json gives all")
    aside = [f"{_whole(count)} of {reason}" for reason, (count, _) in one.aside.items()]
    if aside:
        lines.append(paragraph(f"left aside: {', '.join(aside)}", indent=2, bullet="- "))
    return section(f"{one.file}: rows not used", *lines) if lines else ""


def _goods(report: Report) -> str:
    rows = [
        [
            one.good, one.codes, millions(one.reported_usd), percent(one.used_usd / one.reported_usd if one.reported_usd else None),
            figure(one.reported_t), figure(one.before_t), figure(one.after_t), figure(one.moved_t),
            percent(one.moved_t / one.before_t if one.before_t else None),
        ]
        for one in sorted(report.goods, key=lambda one: one.good)
    ]  # fmt: skip
    head = [
        "good",
        "codes",
        "reported\nm USD",
        "made\ninto t, %",
        "reported\nt",
        "traded t\nas shipped",
        "now",
        "moved\nt",
        "%",
    ]
    note = (
        "Traded tonnes are by origin, what passes through third countries traced back; moved is what changed hands between "
        "routes, half of all that they gained and lost."
    )
    return section(
        "Goods whose trade the files replace", grid(head, rows, left=2), paragraph(note, indent=2), *_silent(report)
    )


def _silent(report: Report) -> list[str]:
    """Reporters that a file holds in part, where they matter: they keep their shipped trade."""
    lines = []
    for one in report.goods:
        large = {code: told for code, told in one.silent.items() if told[1] >= MATTERS * one.before_t}
        if large:
            named = ", ".join(f"{code} {figure(told)} t of {figure(held)}" for code, (told, held) in large.items())
            lines.append(
                paragraph(
                    f"{one.good}: left as shipped, the file having a small part of their trade: {named}",
                    indent=2,
                    bullet="- ",
                )
            )
    return lines


def _other_years(report: Report) -> list[str]:
    """Files of another year than the world's: their figures stand in it as they are."""
    out = []
    for one in report.imports:
        years = sorted(set(one.table["year"])) if one.table.height else []
        if years and not report.name.endswith(years[-1]):
            what = {"USD": "trade", "t": "output", "USD/t": "prices"}[one.unit]
            out.append(f"{one.file}: {what} of {years[-1]} in the world {report.name}, as it is.")
    return out


def _ending(report: Report, target: str) -> str:
    anew = ", ".join(report.balanced_goods)
    lines = []
    if report.spread_usd:
        lines.append(
            f"{millions(report.spread_usd)} m USD under areas not specified spread over the other partners of the same traders."
        )
    if anew:
        lines.append(f"Balanced anew: {anew} ({report.steps} steps, residual {report.residual_t:.1e} of a market).")
    if report.failed:
        fails = (
            f"{counted(len(report.failed), 'invariant')} of world check fail{'s' if len(report.failed) == 1 else ''}"
        )
        lines.append(f"{fails}: {', '.join(report.failed[:8])}.")
    else:
        lines.append("Every invariant of world check holds.")
    lines.append(f"{report.name} {report.version} written to {target}")
    return "\n".join(paragraph(line) for line in lines)


def built_document(report: Report) -> dict[str, Any]:
    """The same as plain values, every refused row included."""
    return {
        "world": f"{report.name} {report.version}", "failed": list(report.failed), "kept": report.kept,
        "balanced": list(report.balanced_goods), "levels": report.levels, "spread_usd": report.spread_usd,
        "goods": [vars(one) for one in report.goods],
        "prices": [{"good": good, "before_usd_t": was, "after_usd_t": now} for good, was, now in report.prices],
        "files": [_file(one) for one in report.imports],
    }  # fmt: skip


def _file(one: Import) -> dict[str, Any]:
    return {
        "file": one.file, "publisher": NAMES[one.publisher], "sha256": one.digest, "unit": one.unit, "years": list(one.years),
        "rows": one.rows, "read": one.table.height, "left_aside": one.aside_rows, "refused": len(one.refused),
        "amount": one.amount, "amount_read": one.read_amount, "amount_left_aside": one.aside_amount, "amount_refused": one.refused_amount,
        "lost_to_unknown": one.lost_to_unknown, "adds_up": one.adds_up(), "remarks": list(one.remarks),
        "aside": [{"reason": reason, "rows": n, "amount": v} for reason, (n, v) in one.aside.items()],
        "areas_not_specified": [{"code": code, "rows": n, "amount": v} for code, (n, v) in one.unknown.items()],
        "weights_left_out": [{"line": r.line, "weight": r.value, "reason": r.reason, "amount": r.amount} for r in one.doubted],
        "refusals": [
            {"line": r.line, "column": r.column, "value": r.value, "reason": r.reason, "amount": r.amount} for r in one.refused
        ],
    }  # fmt: skip


def moved(found: Moved) -> str:
    """What two worlds differ by: names, sums by part and good, and the largest changes of each part."""
    parts = [f"{found.before} -> {found.after}"]
    if found.same:
        return f"{parts[0]}\n\nNothing moved."
    for name in found.gone:
        for what, words in (("only in the first", found.gone[name]), ("only in the second", found.new[name])):
            if words:
                parts.append(paragraph(f"{name} {what}: {', '.join(words)}"))
    if found.sums:
        rows = [
            [one.part, one.good, figure(one.before), figure(one.after), figure(one.after - one.before, sign=True), figure(one.moved), _whole(one.rows)]
            for one in found.sums
        ]  # fmt: skip
        head = ["what", "good", "before, t", "after, t", "change", "moved", "rows"]
        parts.append(section("Sums", grid(head, rows, left=2)))
    for part, title in TITLES.items():
        held = [change for change in found.changes if change.part == part]
        if held:
            more = f"  ... and {_whole(len(held) - ROWS)} more: --json gives all" if len(held) > ROWS else ""
            head = ["where", "before", "after", "change", "%"]
            parts.append(
                section(title, grid(head, [_line(change) for change in held[:ROWS]]), *([more] if more else []))
            )
    return "\n\n".join(part.rstrip("\n") for part in parts)


def _line(change: Change) -> list[str]:
    where = f"{change.key[0]} {' > '.join(change.key[1:])}"
    by = percent(None if change.percent is None else change.percent / 100.0, sign=True)
    return [where, figure(change.before), figure(change.after), figure(change.by, sign=True), by]
