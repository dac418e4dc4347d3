"""What a publication of reference prices takes from the world and from an agreement: contents, yearly tonnes, cost-plus prices.

Making the publication of these is left to `border.publication`.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from friendshore.agreement import schedule
from friendshore.border import observations, publication, reference_rule
from friendshore.border import rates as exchange
from friendshore.border.observations import FIELDS
from friendshore.border.publication import BEFORE, GOODS, OBSERVED, RATES, RULE
from friendshore.border.reference import plain
from friendshore.border.reference_rule import Words
from friendshore.errors import InputRefused
from friendshore.instruments.names import iso_names, vocabulary
from friendshore.instruments.price import CostPlusPrice, stated, working
from friendshore.units import decimal, to_cent

if TYPE_CHECKING:
    from friendshore.agreement.document import Agreement
    from friendshore.world.tables import World

KILO = Decimal("0.001")  # yearly tonnes are kept to the kilogram


def publish(
    world: World,
    files: Iterable[Path],
    day: date,
    *,
    rule: Path | None = None,
    rates: Path | None = None,
    deal: Agreement | None = None,
    folder: Path | None = None,
) -> dict[str, bytes]:
    """Every file of the publication of a day, not yet written.

    Parameters
    ----------
    world : goods, contents, and the tonnes of a year
    files : observations
    day : date of publication: nothing later counts
    rule : how prices are made; the rule that ships if absent
    rates : exchange rates
    deal : an agreement whose cost-plus reference prices are observations of the rung `cost_plus`
    folder : of earlier publications, the last of which is carried on

    Raises
    ------
    InputRefused   every problem of every input; a later publication in the folder
    """
    words = vocabulary(world)
    known = Words(goods=words.goods, contents=words.substances, countries=iso_names())
    given = [(path, path.read_bytes() if path.is_file() else None) for path in files]
    named: list[tuple[str, Path | bytes]] = [(str(path), path if raw is None else raw) for path, raw in given]
    seen = {each.good for each in observations.read_all(named, known)}  # refused by the names of the files
    inputs = dict[str, bytes]()
    for number, (path, raw) in enumerate(given, start=1):
        suffix = path.suffix.lower()
        inputs[f"{OBSERVED}-{number:02d}{suffix}" if len(given) > 1 else f"{OBSERVED}{suffix}"] = raw or b""
    if deal is not None:
        inputs[f"{OBSERVED}-costs.csv"], goods = cost_plus(deal, world, day)
        seen |= goods
    inputs[RULE] = (rule or reference_rule.SHIPPED).read_bytes() if rule is None or rule.is_file() else b""
    ruled = reference_rule.read(rule or reference_rule.SHIPPED, known)
    if rates is not None:
        exchange.read(rates)  # refused by its own name
        inputs[RATES] = rates.read_bytes()
    if folder is not None and (before := publication.latest(folder, day)) is not None:
        inputs[BEFORE] = before
        seen |= publication.goods_of(before)
    inputs[GOODS] = publication.goods_file(known, _yearly(world), seen | {item.good for item in ruled.goods})
    return publication.made(inputs, day)


def cost_plus(deal: Agreement, world: World, day: date) -> tuple[bytes, set[str]]:
    """The agreement's cost-plus reference prices of a day as observations, each with its working; and their goods."""
    deal = deal.checked(world)
    here = schedule.setting(deal, world, day)
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, FIELDS, lineterminator="\n", restval="")
    writer.writeheader()
    goods: set[str] = set()
    for clause in deal.floors:
        price, good = stated(clause.reference_price, day), here.good(clause.good)
        if not isinstance(price, CostPlusPrice):
            continue
        items = working(price, good, here)
        usd_t = to_cent(sum((item.usd_t for item in items), Decimal(0)))
        said = "; ".join(f"{item.name} {plain(to_cent(item.usd_t))}" for item in items)
        writer.writerow({
            "id": clause.id, "day": day.isoformat(), "good": good, "source": "cost_plus", "reporter": deal.id,
            "price": plain(usd_t), "currency": "USD", "per": "t", "of": good, "delivery": "CIF", "place": deal.digest,
            "note": said[: observations.LENGTH_MAX],
        })  # fmt: skip
        goods.add(good)
    if not goods:
        message = f"{deal.id} has no floor with a cost-plus price on {day}"
        raise InputRefused.because("no-costs", message, path="--agreement")
    return text.getvalue().encode(), goods


def _yearly(world: World) -> dict[str, Decimal]:
    """Contained tonnes of each good that arrive anywhere in the base year, at home too."""
    found: dict[str, float] = {}
    for good, flow in world.routes.select("good", "flow_t").iter_rows():
        found[good] = found.get(good, 0.0) + (flow or 0.0)
    return {good: decimal(total).quantize(KILO) for good, total in found.items()}
