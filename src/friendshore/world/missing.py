"""Which figures in use come from a rule or an assumption, and not from a source for that very item?

`missing` groups them by what they are and by their rule, counts them and says how each can be replaced. It reads what the
tables say of themselves: reliability D and `estimate`, and in a note the class of each part (`cost D: …`, `duty D: …`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from friendshore.world.own_figures import replaced
from friendshore.world.tables import World

BY_FILE = "run --parameters FILE"
BY_PLAN = "a row of the plan, then world build"
# Parts of a row that a note grades apart from its tonnes, as `world.parameters` writes them.
PART = re.compile(
    r"(?:^|; )(price|cost|capacity|duty|export tax|premium) ([A-D])(?: \([^)]*\))?(?:: |(?=;|$))|(?:^|; )(freight) by (\w+), ([A-D])"
)
# table, key columns, what its figure is, how it can be replaced
WHOLE = (
    ("activities", ("id",), "output of an activity", BY_PLAN),
    ("routes", ("good", "exporter", "importer"), "tonnes of a route", BY_PLAN),
    ("final_use", ("good", "country"), "final use", BY_PLAN),
    ("stocks", ("good", "country"), "change of stocks", BY_PLAN),
    ("prices", ("good", "country"), "price at the gate", BY_FILE),
    ("recipes", ("activity", "good"), "content or yield of a recipe", BY_PLAN),
    ("recoveries", ("activity", "host"), "content and recovery of a host", BY_PLAN),
    ("licences", ("id",), "rent of a base licence", BY_PLAN),
    ("measures", ("id",), "tonnes or rate of a measure", BY_PLAN),
    ("territories", ("code",), "duty base and kept share of a territory", BY_PLAN),
)  # fmt: skip
PLAN_TABLE = {
    "cost": "parameters_costs", "capacity": "parameters_capacity", "duty": "parameters_tariffs",
    "export tax": "parameters_export_taxes", "premium": "parameters_premiums", "freight": "parameters_freight",
    "output of an activity": "levels or production", "tonnes of a route": "routes or trade", "final use": "final_use",
    "change of stocks": "stocks", "content or yield of a recipe": "recipes", "content and recovery of a host": "recoveries",
    "rent of a base licence": "parameters_licences", "tonnes or rate of a measure": "parameters_measures",
    "duty base and kept share of a territory": "parameters_territories",
}  # fmt: skip
ELASTICITIES = (
    ("sigma", ("sigma_1", "sigma_5", "sigma_15"), "substitution between origins, sigma"),
    ("eta", ("eta",), "answer of demand, eta"),
    ("choke", ("choke_multiple",), "multiple of the price at which use stops"),
)
NETBACK = ("quotation", "price inside")


@dataclass(frozen=True)
class Default:
    """A rule that stands in for figures: of what, which rule, for which items, and what would replace it."""

    what: str
    rule: str
    count: int
    items: tuple[str, ...]
    replace_by: str


def missing(world: World) -> list[Default]:
    """Every default in use, grouped by what it is and by its rule, the largest groups of each kind first.

    Figures that the user put in (`world.own_figures`) are no defaults. A figure counts where its row is an estimate or of
    reliability D, or where the note grades that part of the row D; a price also where a quotation for the good stands for
    a country's, and an elasticity always: the plan takes all of them by judgement or by analogy.
    """
    groups: dict[tuple[str, str, str], list[str]] = {}
    for what, rule, item, by in (*_elasticities(world), *_whole(world), *_parts(world)):
        groups.setdefault((what, rule, by), []).append(item)
    order: dict[str, int] = {}
    for what, _, _ in groups:
        order.setdefault(what, len(order))
    made = [Default(what, rule, len(items), tuple(items), by) for (what, rule, by), items in groups.items()]
    return sorted(made, key=lambda group: (order[group.what], -group.count, group.rule))


Found = Iterator[tuple[str, str, str, str]]  # what, rule, item, replaced by


def _elasticities(world: World) -> Found:
    own = _own(world)
    for row in world.goods.iter_rows(named=True):
        for figure, columns, what in ELASTICITIES:
            for column in columns:
                if row[column] is None or ("goods", row["id"], column) in own:
                    continue
                rule = (
                    f"{row[column]:g}"
                    if figure != "sigma"
                    else f"{row[column]:g} at {column.removeprefix('sigma_')} year{'' if column == 'sigma_1' else 's'}"
                )
                yield what, rule, row["id"], f"{BY_FILE}: figure {figure}"
    bare = ~pl.col("kind").is_in(["fixed"])
    for row in world.activities.filter(bare).iter_rows(named=True):
        if ("activities", row["id"], "eps_5") not in own:
            rule = "elasticity in price of the main output (or of scrap) times margin over revenue"
            yield "answer of supply, eps", rule, row["id"], f"{BY_FILE}: figure eps or eps_price"


def _whole(world: World) -> Found:
    own = {(table, key) for table, key, _ in _own(world)}
    for table, keys, what, by in WHOLE:
        frame: pl.DataFrame = getattr(world, table)
        for row in frame.iter_rows(named=True):
            guess = row["reliability"] == "D" or row["source"] == "estimate"
            rule = _first(row["note"], table)
            if table == "prices":
                guess = guess or (rule.startswith(NETBACK) and row["reliability"] != "A")
            what_of = "prior share of a latent link" if table == "routes" and row["latent"] else what
            item = " ".join(str(row[key]) for key in keys)
            if guess and (table, item) not in own:
                yield what_of, rule, item, by if by == BY_FILE else _replaced_by(what)


def _parts(world: World) -> Found:
    """Parts that a note grades apart: the cost and capacity of an activity, freight and duty of a route."""
    for table, keys in (("activities", ("id",)), ("routes", ("good", "exporter", "importer"))):
        frame: pl.DataFrame = getattr(world, table)
        for row in frame.iter_rows(named=True):
            item = " ".join(str(row[key]) for key in keys)
            for part, grade, rule in graded(row["note"] or ""):
                if grade == "D":
                    yield _NAMES.get(part, part), rule or "by rule", item, _replaced_by(part)
    for row in world.activities.filter(pl.col("base_support_usd_t") > 0.0).iter_rows(named=True):
        yield (
            "base support",
            f"makes up a margin of a tenth, paid by {row['support_holder']}",
            row["id"],
            _replaced_by("cost"),
        )


_NAMES = {"cost": "conversion cost or margin", "freight": "freight", "duty": "import duty"}


def graded(note: str) -> list[tuple[str, str, str]]:
    """The parts of a note that carry a class of their own: part, class, rule.

    >>> graded("traced to origin; freight by sea, D; duty D: not known, median of five known schedules")
    [('freight', 'D', 'by sea'), ('duty', 'D', 'not known, median of five known schedules')]
    """
    found = list(PART.finditer(note))
    ends = [match.start() for match in found[1:]] + [len(note)]
    return [
        (match[3], match[5], f"by {match[4]}")
        if match[3]
        else (match[1], match[2], note[match.end() : end].strip(" ;"))
        for match, end in zip(found, ends)
    ]


def _first(note: str | None, table: str) -> str:
    """The rule of the row itself: what stands before the parts that are graded apart."""
    text = note or ""
    match = PART.search(text) if table in ("activities", "routes") else None
    text = text[: match.start()] if match else text
    text = re.sub(r"\d[\d .,]*\d|\d", "#", text) if table in ("activities", "stocks", "prices") else text
    return text.strip(" ;") or "no rule is written"


def _replaced_by(what: str) -> str:
    return f"{BY_PLAN} ({PLAN_TABLE.get(what, what)})"


def _own(world: World) -> set[tuple[str, str, str]]:
    return set(replaced(world).select("table", "key", "column").iter_rows())
