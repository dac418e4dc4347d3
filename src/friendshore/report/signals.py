"""Signals as a page: what was asked, what scored and how each score adds up; every page says that a signal is a question.

Rendered from what `border.signals` measured. Measuring is left there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from friendshore.border.signals.parts import QUESTION, UNIT, parts, setting
from friendshore.report.typography import counted, figure, grid, paragraph

if TYPE_CHECKING:
    import polars as pl

    from friendshore.border.signals.lines import Found
    from friendshore.border.signals.trade import Trade

TOP = 10  # lines and lanes that a page shows; --out writes all of them
THIN = "\u202f"

# What was observed and what it is held against, as a reader says it.
WORDS = {
    "S01": ("declared {} USD/t", "published {} USD/t"),
    "S02": ("declared {} USD/t", "published {} USD/t"),
    "S03": ("{} t in the months seen", "capacity of these months {} t"),
    "S04": ("importer reports {} t", "exporter reports {} t"),
    "S05": ("{} t in three months", "at most {} t in earlier three months"),
    "S06": ("gained {} t", "lost by other origins {} t"),
    "S07": ("declared {} USD/t", "covered input alone {} USD/t"),
    "S08": ("{} t in three months", "at most {} t in earlier three months, the covered input falling"),
    "S09": ("content {}", "known to {}"),
    "S10": ("moisture {}", "known up to {}"),
    "S11": ("{} USD/t as shipped", "a covered good under the code is asked about up to {} USD/t"),
    "S12": ("related parties at {} USD/t", "published {} USD/t"),
    "S13": ("dispatched by a country that was not on this route", "the six months before"),
    "S14": ("declared {} USD/t", "usual on this lane {} USD/t"),
}  # fmt: skip


def entries(found: Found, prices: str, trade: Trade | None = None) -> str:
    """The page on a file of entries, and on the trade that its lanes were held against where there was any."""
    rows = [
        ["read", f"{found.lines:,}"],
        ["set aside (assess says why)", f"{found.set_aside:,}"],
        ["asked about", f"{found.sound:,}"],
        [f"at {setting('threshold'):g} points or more", f"{found.listed:,}"],
    ]
    shown = [paragraph(QUESTION), grid(["lines", ""], rows)]
    if trade is not None:
        rows = [["rows read", f"{trade.rows:,}"], ["refused", f"{trade.refused.height:,}"]]
        shown.append(grid(["trade that lanes are held against", ""], rows))
        shown += [_refused(trade.refused)] if trade.refused.height else []
    shown += [_questions(found.asked, found.raised, found.sound, "lines"), _subjects(_lines(found.signals), "LINES")]
    return "\n\n".join([*shown, _closing(prices)]) + "\n"


def lanes(trade: Trade, pointed: pl.DataFrame, prices: str) -> str:
    """The page on a table of monthly trade."""
    asked, raised, scores = _counts(pointed)
    rows = [
        ["rows read", f"{trade.rows:,}"],
        ["refused", f"{trade.refused.height:,}"],
        ["totals for the world, left aside", f"{trade.totals:,}"],
        ["other or unnamed products, left aside", f"{trade.other:,}"],
        ["rows of many months, spread evenly", f"{trade.spread:,}"],
        ["lanes and months asked about", f"{scores.height:,}"],
        [f"at {setting('threshold'):g} points or more", f"{_listed(scores):,}"],
    ]
    parts_ = [paragraph(QUESTION), grid(["trade", ""], rows)]
    if trade.refused.height:
        parts_.append(_refused(trade.refused))
    parts_ += [_questions(asked, raised, scores.height, "lanes and months"), _subjects(_best(pointed, scores), "LANES")]
    return "\n\n".join([*parts_, _closing(prices)]) + "\n"


def beside(signals: Iterable[Mapping[str, Any]]) -> str:
    """Signals of one line, to stand below its explanation; empty where there are none."""
    held = list(signals)
    if not held:
        return ""
    score = _points(sum(each["points"] for each in held))
    head = f"SIGNALS: {score} points; lines are listed from {setting('threshold'):g}. {QUESTION}"
    return "\n".join([paragraph(head), *(_signal(each) for each in held)])


def document(found: Found, prices: str, trade: Trade | None = None) -> dict[str, Any]:
    """The page on entries for a machine."""
    return {
        "note": QUESTION,
        "prices": prices,
        "threshold": setting("threshold"),
        "lines": {"read": found.lines, "set_aside": found.set_aside, "asked": found.sound, "listed": found.listed},
        "trade": {"read": trade.rows, "refused": list(trade.refused.iter_rows(named=True))} if trade else None,
        "questions": _asked_document(found.asked, found.raised),
        "signals": signals_document(found.signals.iter_rows(named=True)),
    }


def lanes_document(trade: Trade, pointed: pl.DataFrame, prices: str) -> dict[str, Any]:
    """The page on trade for a machine."""
    asked, raised, scores = _counts(pointed)
    scoring = pointed.join(scores, on=["good", "exporter", "importer", "month"]).filter(
        pointed["points"].fill_null(0) > 0
    )
    return {
        "note": QUESTION,
        "prices": prices,
        "threshold": setting("threshold"),
        "rows": {
            "read": trade.rows, "refused": trade.refused.height, "totals": trade.totals, "other": trade.other,
            "spread": trade.spread,
        },
        "lanes": {"asked": scores.height, "listed": _listed(scores)},
        "refused": list(trade.refused.iter_rows(named=True)),
        "questions": _asked_document(asked, raised),
        "signals": signals_document(scoring.iter_rows(named=True)),
    }  # fmt: skip


def signals_document(signals: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Signals with what each asks; points as points, measures as numbers."""
    held = parts()
    return [
        {
            **{name: value for name, value in each.items() if name not in ("points", "measure", "score")},
            "score": each["score"] / 100 if each.get("score") is not None else None,
            "measure": each["measure"] / UNIT,
            "points": each["points"] / 100,
            "weight": held[each["code"]].weight,
            "question": held[each["code"]].question,
        }
        for each in signals
    ]


def table(signals: pl.DataFrame) -> pl.DataFrame:
    """Signals as they are written to a file: points and measures as decimals, with the question of each."""
    import polars as pl

    held = parts()
    questions = {code: part.question for code, part in held.items()}
    return signals.with_columns(
        (pl.col("score") / 100).round(2), (pl.col("points") / 100).round(2), (pl.col("measure") / UNIT).round(4),
        pl.col("observed").round(6), pl.col("against").round(6),
        question=pl.col("code").replace_strict(questions, default="", return_dtype=pl.String),
    )  # fmt: skip


def write(signals: pl.DataFrame, file: Path) -> None:
    """Write signals as .csv or .parquet; texts are our own words and checked codes, so that no cell is a formula."""
    file.parent.mkdir(parents=True, exist_ok=True)
    signals.write_parquet(file) if file.suffix.lower() == ".parquet" else signals.write_csv(file)


def lane_signals(pointed: pl.DataFrame) -> pl.DataFrame:
    """What scored on lanes, with the score of the lane and month, the highest first."""
    import polars as pl

    keys = ["good", "exporter", "importer", "month"]
    scores = pointed.group_by(keys).agg(score=pl.col("points").sum())
    joined = pointed.filter(pl.col("points") > 0).join(scores, on=keys)
    return joined.sort(["score", *keys, "code"], descending=[True, *[False] * 5])


def _counts(pointed: pl.DataFrame) -> tuple[dict[str, int], dict[str, int], pl.DataFrame]:
    import polars as pl

    each = (
        pointed.group_by("code").agg(asked=pl.col("measure").count(), raised=(pl.col("points") > 0).sum()).sort("code")
    )
    scores = pointed.group_by("good", "exporter", "importer", "month").agg(score=pl.col("points").sum())
    asked = {code: n for code, n, _ in each.iter_rows()}
    return asked, {code: n for code, _, n in each.iter_rows()}, scores


def _listed(scores: pl.DataFrame) -> int:
    return int((scores["score"] >= setting("threshold") * 100).sum())


def _best(pointed: pl.DataFrame, scores: pl.DataFrame) -> list[tuple[str, int, list[dict[str, Any]]]]:
    """Each lane in its month of the highest score, the highest lanes first."""
    import polars as pl

    keys = ["good", "exporter", "importer"]
    order = ["score", "month"]
    best = scores.filter(pl.col("score") > 0).sort(*order, descending=[True, False]).group_by(keys, maintain_order=True)
    highest = best.agg(
        pl.col("month").first(), pl.col("score").first(), n=(pl.col("score") >= setting("threshold") * 100).sum()
    )
    found = []
    for row in highest.sort(["score", *keys], descending=[True, False, False, False]).head(TOP).iter_rows(named=True):
        here = pointed.filter(*(pl.col(name) == row[name] for name in [*keys, "month"]), pl.col("points") > 0).sort(
            "code"
        )
        months = counted(row["n"], "month")
        title = f"{row['good']} from {row['exporter']} into {row['importer']}, {row['month']:%Y-%m} ({months} listed)"
        found.append((title, row["score"], list(here.iter_rows(named=True))))
    return found


def _lines(signals: pl.DataFrame) -> list[tuple[str, int, list[dict[str, Any]]]]:
    found: dict[int, tuple[str, int, list[dict[str, Any]]]] = {}
    for each in signals.iter_rows(named=True):
        if each["row"] not in found:
            if len(found) == TOP:
                break
            what = f"{each['hs']} {each['good']}".strip()
            title = f"Line {each['line_id']}: {what} from {each['origin']} into {each['importer']}, {each['entry_day']}"
            found[each["row"]] = (title, each["score"], [])
        found[each["row"]][2].append(each)
    return list(found.values())


def _questions(asked: Mapping[str, int], raised: Mapping[str, int], whole: int, of: str) -> str:
    held = parts()
    rows, silent = [], []
    for code in sorted(held):
        if code not in asked:
            continue
        part, n = held[code], asked[code]
        if n:
            rate = f"{100 * raised[code] / n:.2f}"
            rows.append([code, part.name.replace("_", " "), str(part.weight), f"{n:,}", f"{raised[code]:,}", rate])
        if n < whole:
            silent.append(paragraph(f"{whole - n:,} of {whole:,} {of}: {part.needs}", indent=2, bullet=f"{code}  "))
    shown = (
        "QUESTIONS\n" + grid(["code", "question", "weight", "asked", "scored", "%"], rows, left=2)
        if rows
        else "QUESTIONS: none could be put"
    )
    return shown + ("\n\nNOT ASKED, FOR WANT OF\n" + "\n".join(silent) if silent else "")


def _subjects(subjects: list[tuple[str, int, list[dict[str, Any]]]], name: str) -> str:
    if not subjects:
        return f"{name}: nothing scored"
    shown = [f"{name}, the highest scores first (at most {TOP})"]
    for title, score, signals in subjects:
        shown.append(f"\n  {title}: {_points(score)} points")
        shown += [_signal(each) for each in signals]
    return "\n".join(shown)


def _signal(each: Mapping[str, Any]) -> str:
    """One part of a score: what was observed, against what, and the sum that gives its points."""
    part = parts()[each["code"]]
    observed, against = (
        words.format(_number(each[key])) for words, key in zip(WORDS[part.code], ("observed", "against"), strict=True)
    )
    sum_ = (
        f"measure {each['measure'] / UNIT:.4f}, from {part.start / UNIT:g} to {part.full / UNIT:g}: {each['strength']} % "
        f"of {part.weight} = {_points(each['points'])}"
    )
    return paragraph(f"{observed}; {against}; {sum_}. {part.question}", indent=4, bullet=f"{part.code}  ")


def _refused(refused: pl.DataFrame) -> str:
    from friendshore.border.reasons import REASONS

    lines = []
    for row, code, field, value in refused.head(TOP).iter_rows():
        reason = REASONS[code]
        lines.append(
            paragraph(
                f"row {row}, {field}: {value!r}: {reason.text}; expected: {reason.fix}", indent=2, bullet=f"{code}  "
            )
        )
    return f"REFUSED (at most {TOP} shown)\n" + "\n".join(lines)


def _asked_document(asked: Mapping[str, int], raised: Mapping[str, int]) -> list[dict[str, Any]]:
    held = parts()
    return [
        {
            "code": code, "name": held[code].name, "asked": asked[code], "scored": raised[code],
            "weight": held[code].weight, "start": held[code].start / UNIT, "full": held[code].full / UNIT,
            "measure": held[code].measure, "question": held[code].question, "needs": held[code].needs,
            "reason": held[code].reason, "source": held[code].source,
        }
        for code in sorted(held) if code in asked
    ]  # fmt: skip


def _closing(prices: str) -> str:
    return paragraph(
        f"Prices: {prices}. Capacities and known contents: the world's tables, with the margins of their reliability. "
        "Weights, ends and their reasons: border/signals/parts.csv. " + QUESTION
    )


def _points(hundredths: int) -> str:
    return f"{hundredths / 100:.2f}"


def _number(value: float | None) -> str:
    return figure(value, 4).replace(THIN, " ") if value is not None else "-"
