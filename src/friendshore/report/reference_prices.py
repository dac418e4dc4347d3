"""A publication of reference prices as a page: prices with their rung, what one observation could have done, what was left out.

Everything is rendered from the publication's own files. Computing them is left to `border.reference`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from friendshore.border.publication import DOCUMENT, Difference, Published
from friendshore.border.reference import REASONS
from friendshore.report.typography import counted, grid, paragraph

RUNGS = {"transaction": "sales", "index": "index", "cost_plus": "cost-plus", "should_cost": "should-cost"}


def document(files: Mapping[str, bytes]) -> dict[str, Any]:
    """The publication's own document."""
    found: dict[str, Any] = json.loads(files[DOCUMENT])
    return found


def page(files: Mapping[str, bytes], *, written: str = "", again: bool = False) -> str:
    """Prices, rungs, and what was left out, for a person."""
    held = document(files)
    rule = held["rule"]
    head = (
        f"REFERENCE PRICES OF {held['date']}, {rule['delivery']}; in force {held['in_force_from']} to "
        f"{held['in_force_until']}; disputes until {held['disputes_until']}"
    )
    prices = [
        [item["good"], _price(item), _rung(item), str(item["observations"].get("used", 0)), *_worst_cells(item)]
        for item in held["goods"]
    ]
    rungs = [
        [
            item["good"],
            RUNGS[tried["source"]],
            "gives the price" if tried["holds"] else tried["lacked"],
            str(tried["observations"]),
            str(tried["reporters"]),
            _tonnes(tried["volume_t"]),
        ]
        for item in held["goods"]
        for tried in item["rungs"]
    ]
    parts = [
        paragraph(head),
        grid(["good", "price", "from", "used", "without one, at most", "one false, at most"], prices, left=3),
        "RUNGS, in the order asked\n" + grid(["good", "rung", "found", "admissible", "reporters", "t"], rungs, left=3),
    ]
    if left_out := _left_out(held["goods"]):
        parts.append("LEFT OUT\n" + grid(["code", "why", "observations"], left_out, left=2))
    parts.append(f"Rule {rule['id']}: {rule['title'] or 'no title'}.\nDigest {held['digest']}.")
    if written:
        parts.append(f"{'Stands already' if again else 'Written'} in {written}.")
    return "\n\n".join(parts) + "\n"


def replayed(folder: str, digest: str, files: int, differences: Iterable[Difference]) -> str:
    """Whether a publication is what its inputs give, and where it is not."""
    held = list(differences)
    if not held:
        return f"{folder}: {counted(files, 'file')} reproduced byte for byte.\nDigest {digest}.\n"
    rows = [[each.file, each.where or "-", _cut(each.was), _cut(each.now)] for each in held]
    head = f"{folder} is not what its inputs give: {counted(len(held), 'difference')}."
    return (
        head
        + "\n\n"
        + grid(["file", "where", "published", "now"], rows, left=4)
        + f"\n\nDigest as published {digest}.\n"
    )


def shown(prices: Mapping[str, Published], day: date) -> str:
    """The prices in force on a day."""
    if not prices:
        return f"No reference price is in force on {day}.\n"
    rows = [
        [
            each.good,
            f"{_number(str(each.price))} USD/{each.per} {each.of}, {each.delivery}",
            f"{each.usd_t:,.2f}",
            RUNGS.get(each.rung, each.rung),
            str(each.published),
            f"{each.starts} to {each.until}",
        ]
        for _, each in sorted(prices.items())
    ]
    head = ["good", "price", "USD per contained t", "from", "published", "in force"]
    return f"REFERENCE PRICES IN FORCE ON {day}\n" + grid(head, rows, left=2) + "\n"


def _price(item: Mapping[str, Any]) -> str:
    if item["price"] is None:
        return "none"
    return f"{_number(item['price'])} USD/{item['per']} {item['of']}"


def _rung(item: Mapping[str, Any]) -> str:
    if item["rung"] is None:
        return "no rung holds"
    return f"{item['carried_from']}, carried" if item["rung"] == "carried" else RUNGS[item["rung"]]


def _worst_cells(item: Mapping[str, Any]) -> list[str]:
    return [_moved(item["worst_left_out"], item["rung"]), _moved(item["worst_falsified"], item["rung"])]


def _moved(worst: Mapping[str, Any] | None, rung: str) -> str:
    if worst is None:
        return "-"
    if worst["price"] is None:
        return f"{'no price' if worst['rung'] != rung else 'without bound'} ({worst['id']})"
    lower = f", {RUNGS.get(worst['rung'], worst['rung'])}" if worst["rung"] != rung else ""
    return f"{Decimal(worst['change']) * 100:+.1f} % ({worst['id']}{lower})"


def _left_out(goods: Iterable[Mapping[str, Any]]) -> list[list[str]]:
    found: dict[str, int] = {}
    for item in goods:
        for code, number in item["observations"].items():
            found[code] = found.get(code, 0) + number
    return [[code, why, str(found[code])] for code, why in REASONS.items() if code in found and code != "used"]


def _number(text: str) -> str:
    return f"{Decimal(text):,f}"


def _tonnes(text: str) -> str:
    return f"{Decimal(text):,.3f}".rstrip("0").rstrip(".")


def _cut(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:37]}..."
