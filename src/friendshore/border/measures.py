"""Dated measures as a tariff database takes them: one row for a measure, its components and conditions in tables of their own.

The layout follows the measure tables of TARIC and of the United Kingdom's tariff: their names of columns, types, condition
and action codes, so that a national database loads them as it loads its own. What an agreement charges is handed in as
faces and dates; asking the agreement is left to `customs`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import polars as pl

EDITION = "HS 2022"
ERGA_OMNES = "1011"
PROOF = "X001"  # certificate: proof of origin under the agreement
LICENCE = "X002"  # certificate: export licence
MASS, MONEY = "TNE", "USD"

# Measure types in use: id -> description, series. All but the last are TARIC's own.
TYPES = {
    "103": ("Third country duty", "C"),
    "122": ("Non preferential tariff quota", "C"),
    "142": ("Tariff preference", "C"),
    "143": ("Preferential tariff quota", "C"),
    "278": ("Export prohibition", "A"),
    "475": ("Restriction on entry into free circulation", "B"),
    "476": ("Restriction on export", "B"),
    "652": ("Additional duty based on cif price", "S"),
    "695": ("Additional duties", "J"),
    "XED": ("Export duty (no type of TARIC)", "C"),
}
CONDITIONS = {
    "B": "Presentation of a certificate, licence or document",
    "G": "The cif price with the duty to be paid must be equal to or greater than the minimum price (see components)",
    "N": "The cif price before duty must be equal to or greater than the minimum price (see components)",
}
ACTIONS = {
    "04": "Entry into free circulation is not allowed",
    "05": "Export is not allowed",
    "07": "Measure not applicable",
    "12": "Apply the difference between the amount of the action (see components) and the cif price before duty",
    "13": "Apply the difference between the amount of the action and the cif price with the duty to be paid",
    "24": "Entry into free circulation allowed",
    "25": "Export allowed",
    "27": "Apply the mentioned duty",
}
CERTIFICATES = {PROOF: "Proof of origin under the agreement", LICENCE: "Export licence under the agreement"}
EXPRESSIONS = {"01": "% or amount", "04": "+ % or amount"}

_TEXT, _DAY, _COUNT, _AMOUNT = "text", "day", "count", "amount"
COLUMNS: dict[str, dict[str, str]] = {
    "measures": {
        "measure_sid": _COUNT, "territory": _TEXT, "trade_movement": _TEXT, "measure_type_id": _TEXT,
        "geographical_area_id": _TEXT, "goods_nomenclature_item_id": _TEXT, "hs_edition": _TEXT,
        "additional_code": _TEXT, "good": _TEXT, "ordernumber": _TEXT, "duty_expression": _TEXT, "factor": _AMOUNT,
        "validity_start_date": _DAY, "validity_end_date": _DAY, "stage": _TEXT, "regulation_id": _TEXT, "clause": _TEXT,
        "article": _TEXT,
    },
    "measure_components": {
        "measure_sid": _COUNT, "component_sequence_number": _COUNT, "duty_expression_id": _TEXT, "duty_amount": _AMOUNT,
        "monetary_unit_code": _TEXT, "measurement_unit_code": _TEXT, "measured": _TEXT,
    },
    "measure_conditions": {
        "measure_condition_sid": _COUNT, "measure_sid": _COUNT, "condition_code": _TEXT,
        "component_sequence_number": _COUNT, "condition_duty_amount": _AMOUNT, "condition_monetary_unit_code": _TEXT,
        "condition_measurement_unit_code": _TEXT, "measured": _TEXT, "certificate_code": _TEXT, "action_code": _TEXT,
    },
    "measure_condition_components": {
        "measure_condition_sid": _COUNT, "duty_expression_id": _TEXT, "duty_amount": _AMOUNT,
        "monetary_unit_code": _TEXT, "measurement_unit_code": _TEXT, "measured": _TEXT,
    },
    "geographical_areas": {"geographical_area_id": _TEXT, "geographical_code": _COUNT, "description": _TEXT},
    "geographical_area_members": {"geographical_area_id": _TEXT, "country": _TEXT, "alpha3": _TEXT, "name": _TEXT},
    "additional_codes": {"additional_code": _TEXT, "good": _TEXT, "description": _TEXT, "measured": _TEXT},
    "quota_order_numbers": {
        "ordernumber": _TEXT, "territory": _TEXT, "clause": _TEXT, "geographical_area_id": _TEXT, "good": _TEXT,
    },
    "quota_definitions": {
        "ordernumber": _TEXT, "validity_start_date": _DAY, "validity_end_date": _DAY, "initial_volume": _AMOUNT,
        "measurement_unit_code": _TEXT, "measured": _TEXT, "period": _TEXT,
    },
    "regulations": {
        "regulation_id": _TEXT, "title": _TEXT, "version": _TEXT, "text_digest": _TEXT, "validity_start_date": _DAY,
    },
    "footnotes": {"footnote_id": _TEXT, "clause": _TEXT, "description": _TEXT},
    "footnote_association_measures": {"measure_sid": _COUNT, "footnote_id": _TEXT},
    "codes": {"table": _TEXT, "code": _TEXT, "description": _TEXT},
    "not_border_measures": {"clause": _TEXT, "kind": _TEXT, "article": _TEXT, "reason": _TEXT},
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One condition of a measure, in the order asked: `amount` is a price per contained tonne, or none for "otherwise".

    `action_amount` is what the action applies the difference to.
    """

    code: str
    action: str
    amount: Decimal | None = None
    certificate: str = ""
    action_amount: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What one clause does at one territory's border to one good from some origins, without its dates.

    Parameters
    ----------
    origins : alpha-3 codes of the goods' origins; on exports, of their destinations
    expression : the duty in words that can be computed
    components : ad valorem rate in per cent, or USD per contained tonne: (amount, whether it is per tonne)
    factor : part of the expression that is charged: the phase-in, less what the seller keeps under an undertaking
    quota_t : tonnes a year that the measure holds for, none where it is no quota's
    """

    territory: str
    movement: str
    type: str
    good: str
    origins: frozenset[str]
    clause: str
    article: str
    expression: str = ""
    components: tuple[tuple[Decimal, bool], ...] = ()
    conditions: tuple[Condition, ...] = ()
    factor: Decimal = Decimal(1)
    quota_t: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Dated:
    """A rule with the days on which it holds, both included. `stage` says how the terms move within them, if they do."""

    rule: Rule
    starts: date
    ends: date | None
    stage: str = ""


@dataclass(frozen=True, kw_only=True)
class Words:
    """The names that the tables give.

    Parameters
    ----------
    codes : good -> its HS codes
    goods : good -> its name
    gross : goods measured as they are shipped
    alpha2, countries : alpha-3 -> alpha-2, name
    """

    codes: Mapping[str, tuple[str, ...]]
    goods: Mapping[str, str]
    gross: frozenset[str]
    alpha2: Mapping[str, str]
    countries: Mapping[str, str]

    def measured(self, good: str) -> str:
        """What a tonne of it is a tonne of."""
        return f"{good} as shipped" if good in self.gross else f"contained {good}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """The legal act: the agreement by its id, and what its clauses say beside their terms."""

    id: str
    title: str
    version: str
    digest: str
    in_force: date
    notes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    others: tuple[tuple[str, str, str, str], ...] = ()


Tables = dict[str, list[dict[str, Any]]]


def levy(reference: Decimal, on_cif: bool) -> tuple[str, tuple[Condition, ...]]:
    """The duty that makes up a price, as an expression and as conditions.

    >>> levy(Decimal("110000.00"), True)[0]
    'MAX(0, 110000.00 USD/t - CIF)'
    """
    code, action = ("N", "12") if on_cif else ("G", "13")
    base = "CIF" if on_cif else "(CIF + DUTIES)"
    conditions = (
        Condition(code=code, amount=reference, action="07"),
        Condition(code=code, action=action, action_amount=reference),
    )
    return f"MAX(0, {reference:f} USD/t - {base})", conditions


def least(reference: Decimal, on_cif: bool) -> tuple[Condition, ...]:
    """The conditions of a minimum import price: at it or above it goods enter, below they do not."""
    code = "N" if on_cif else "G"
    return (Condition(code=code, amount=reference, action="24"), Condition(code=code, action="04"))


def proven(*, action: str, otherwise: str) -> tuple[Condition, ...]:
    """The conditions of a proof of origin."""
    return (Condition(code="B", certificate=PROOF, action=action), Condition(code="B", action=otherwise))


def duty(rate: Decimal, usd_t: Decimal) -> tuple[str, tuple[tuple[Decimal, bool], ...]]:
    """A rate and a specific duty as an expression and as components.

    >>> duty(Decimal("0.025"), Decimal("5000"))[0]
    '2.5% + 5000 USD/t'
    """
    parts: list[tuple[Decimal, bool]] = []
    if rate or not usd_t:
        parts.append((rate * 100, False))
    if usd_t:
        parts.append((usd_t, True))
    return " + ".join(f"{plain(amount)} USD/t" if mass else f"{plain(amount)}%" for amount, mass in parts), tuple(parts)


def plain(value: Decimal) -> str:
    """A number without a trail of noughts and without an exponent."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def tables(rules: Iterable[Dated], words: Words, act: Act) -> Tables:
    """Every table, each row once, in one order: the same measures give the same numbers.

    Returns
    -------
    tables : name -> rows with the columns of `COLUMNS`
    """
    held = sorted(rules, key=_order)
    areas = _areas(held, words)
    orders = _orders(held, areas)
    extra = {good: f"X{number:03d}" for number, good in enumerate(sorted({each.rule.good for each in held}), start=1)}
    notes = _notes(held, act)
    found: Tables = {name: [] for name in COLUMNS}
    for each in held:
        for code in words.codes.get(each.rule.good, ()):
            _measure(found, each, code, words, act, areas, orders, extra, notes)
    _lookups(found, held, words, act, areas, orders, extra, notes)
    return found


def _order(each: Dated) -> tuple[str, str, str, date, str, tuple[str, ...]]:
    rule = each.rule
    return (rule.territory, rule.clause, rule.good, each.starts, rule.type, tuple(sorted(rule.origins)))


def _measure(
    found: Tables,
    each: Dated,
    code: str,
    words: Words,
    act: Act,
    areas: Mapping[frozenset[str], str],
    orders: Mapping[tuple[str, ...], str],
    extra: Mapping[str, str],
    notes: Mapping[str, tuple[str, ...]],
) -> None:
    rule, sid = each.rule, len(found["measures"]) + 1
    measured = words.measured(rule.good)
    found["measures"].append({
        "measure_sid": sid, "territory": rule.territory, "trade_movement": rule.movement, "measure_type_id": rule.type,
        "geographical_area_id": areas[rule.origins], "goods_nomenclature_item_id": code.ljust(10, "0"),
        "hs_edition": EDITION, "additional_code": extra[rule.good], "good": rule.good,
        "ordernumber": orders.get(_quota(rule), ""), "duty_expression": rule.expression, "factor": rule.factor,
        "validity_start_date": each.starts, "validity_end_date": each.ends, "stage": each.stage, "regulation_id": act.id,
        "clause": rule.clause, "article": rule.article,
    })  # fmt: skip
    for number, (amount, by_mass) in enumerate(rule.components, start=1):
        found["measure_components"].append({
            "measure_sid": sid, "component_sequence_number": number, "duty_expression_id": "01" if number == 1 else "04",
            "duty_amount": amount, "monetary_unit_code": MONEY if by_mass else "",
            "measurement_unit_code": MASS if by_mass else "", "measured": measured if by_mass else "",
        })  # fmt: skip
    for number, condition in enumerate(rule.conditions, start=1):
        key, priced = len(found["measure_conditions"]) + 1, condition.amount is not None
        found["measure_conditions"].append({
            "measure_condition_sid": key, "measure_sid": sid, "condition_code": condition.code,
            "component_sequence_number": number, "condition_duty_amount": condition.amount,
            "condition_monetary_unit_code": MONEY if priced else "", "condition_measurement_unit_code": MASS if priced else "",
            "measured": measured if priced else "", "certificate_code": condition.certificate,
            "action_code": condition.action,
        })  # fmt: skip
        if condition.action_amount is not None:
            found["measure_condition_components"].append({
                "measure_condition_sid": key, "duty_expression_id": "01", "duty_amount": condition.action_amount,
                "monetary_unit_code": MONEY, "measurement_unit_code": MASS, "measured": measured,
            })  # fmt: skip
    for note in notes.get(rule.clause, ()):
        found["footnote_association_measures"].append({"measure_sid": sid, "footnote_id": note})


def _areas(held: Iterable[Dated], words: Words) -> dict[frozenset[str], str]:
    """Sets of origins -> area: a country by its two letters, everyone but the territory itself, or a group of our own."""
    found: dict[frozenset[str], str] = {}
    groups = 0
    for origins in sorted({each.rule.origins for each in held}, key=lambda codes: (len(codes), sorted(codes))):
        if len(origins) == 1:
            (code,) = origins
            found[origins] = words.alpha2.get(code, code)
        elif origins == frozenset(words.countries):
            found[origins] = ERGA_OMNES
        else:
            groups += 1
            found[origins] = f"X{groups:03d}"
    return found


def _quota(rule: Rule) -> tuple[str, ...]:
    """What a quota is counted for, whatever its terms at the time; on exports, over all territories and destinations."""
    if rule.quota_t is None:
        return ()
    if rule.movement == "export":
        return (rule.movement, rule.clause, rule.good)
    return (rule.territory, rule.movement, rule.clause, rule.good, "+".join(sorted(rule.origins)))


def _orders(held: Iterable[Dated], areas: Mapping[frozenset[str], str]) -> dict[tuple[str, ...], str]:
    keys = sorted({_quota(each.rule) for each in held if each.rule.quota_t is not None})
    return {key: f"09X{number:03d}" for number, key in enumerate(keys, start=1)}


def _notes(held: Iterable[Dated], act: Act) -> dict[str, tuple[str, ...]]:
    """Clause -> its footnotes' ids."""
    clauses = sorted({each.rule.clause for each in held})
    found: dict[str, tuple[str, ...]] = {}
    number = 0
    for clause in clauses:
        ids = []
        for _ in act.notes.get(clause, ()):
            number += 1
            ids.append(f"FS{number:03d}")
        found[clause] = tuple(ids)
    return found


def _lookups(
    found: Tables,
    held: list[Dated],
    words: Words,
    act: Act,
    areas: Mapping[frozenset[str], str],
    orders: Mapping[tuple[str, ...], str],
    extra: Mapping[str, str],
    notes: Mapping[str, tuple[str, ...]],
) -> None:
    """The tables that the measures refer to."""
    for origins, area in sorted(areas.items(), key=lambda item: item[1]):
        one = len(origins) == 1
        text = words.countries.get(next(iter(origins)), area) if one else f"{len(origins)} countries"
        text = "Erga omnes" if area == ERGA_OMNES else text
        found["geographical_areas"].append(
            {"geographical_area_id": area, "geographical_code": 0 if one else 1, "description": text}
        )
        found["geographical_area_members"] += [
            {"geographical_area_id": area, "country": words.alpha2.get(code, ""), "alpha3": code, "name": words.countries.get(code, "")}
            for code in sorted(origins)
        ]  # fmt: skip
    found["additional_codes"] += [
        {"additional_code": code, "good": good, "description": words.goods.get(good, ""), "measured": words.measured(good)}
        for good, code in extra.items()
    ]  # fmt: skip
    by_order: dict[str, list[Dated]] = {}
    for each in held:
        if each.rule.quota_t is not None:
            by_order.setdefault(orders[_quota(each.rule)], []).append(each)
    for order, dated in sorted(by_order.items()):
        rule = dated[0].rule
        found["quota_order_numbers"].append({
            "ordernumber": order, "territory": rule.territory, "clause": rule.clause,
            "geographical_area_id": areas[rule.origins], "good": rule.good,
        })  # fmt: skip
        found["quota_definitions"] += [
            {
                "ordernumber": order, "validity_start_date": each.starts, "validity_end_date": each.ends,
                "initial_volume": each.rule.quota_t, "measurement_unit_code": MASS,
                "measured": words.measured(rule.good), "period": "calendar year",
            }
            for each in dated
        ]  # fmt: skip
    found["regulations"].append({
        "regulation_id": act.id, "title": act.title, "version": act.version, "text_digest": act.digest,
        "validity_start_date": act.in_force,
    })  # fmt: skip
    for clause, ids in sorted(notes.items()):
        texts = zip(ids, act.notes.get(clause, ()), strict=True)
        found["footnotes"] += [{"footnote_id": key, "clause": clause, "description": text} for key, text in texts]
    used = {"measure_types": {each.rule.type for each in held}}
    used["conditions"] = {condition.code for each in held for condition in each.rule.conditions}
    used["actions"] = {condition.action for each in held for condition in each.rule.conditions}
    used["certificates"] = {c.certificate for each in held for c in each.rule.conditions if c.certificate}
    used["duty_expressions"] = {row["duty_expression_id"] for row in found["measure_components"]}
    told: dict[str, Mapping[str, str]] = {
        "measure_types": {key: text for key, (text, _) in TYPES.items()}, "conditions": CONDITIONS, "actions": ACTIONS,
        "certificates": CERTIFICATES, "duty_expressions": EXPRESSIONS,
    }  # fmt: skip
    found["codes"] += [
        {"table": table, "code": code, "description": told[table][code]}
        for table in told
        for code in sorted(used[table])
    ]
    found["not_border_measures"] += [
        {"clause": clause, "kind": kind, "article": article, "reason": reason}
        for clause, kind, article, reason in act.others
    ]


def frames(found: Tables) -> dict[str, pl.DataFrame]:
    """The tables as frames: days as days, amounts as decimals."""
    import polars as pl

    types: dict[str, Any] = {_TEXT: pl.String, _DAY: pl.Date, _COUNT: pl.Int64, _AMOUNT: pl.Decimal(38, 12)}
    return {
        name: pl.DataFrame(rows, schema={column: types[kind] for column, kind in COLUMNS[name].items()}, orient="row")
        for name, rows in found.items()
    }


def write(found: Tables, folder: Path) -> None:
    """Every table as CSV and Parquet; in CSV a number has no trail of noughts."""
    import csv

    for name, frame in frames(found).items():
        frame.write_parquet(folder / f"{name}.parquet")
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as text:
            writer = csv.writer(text, lineterminator="\n")
            writer.writerow(COLUMNS[name])
            for row in found[name]:
                writer.writerow([_cell(row[column]) for column in COLUMNS[name]])


def _cell(value: Any) -> str:
    if isinstance(value, Decimal):
        return plain(value)
    return "" if value is None else value.isoformat() if isinstance(value, date) else str(value)
