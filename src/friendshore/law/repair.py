"""What would take a finding away, and what does it cost in effect?

Each repair is a patch on the agreement's own file: it is read, cleared and screened like any draft, so that the frontier
between legal exposure and effect rests on the same market and the same rules. Acts outside the text (a waiver, a published
method) change no market; they are counted as if they had been obtained and say so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import yaml

from friendshore.agreement import document
from friendshore.errors import FriendshoreError
from friendshore.faces import Wedge
from friendshore.law.examine import Examined, examine
from friendshore.law.screen import commitments
from friendshore.law.screen.judge import Finding, Screening
from friendshore.marked import read_marked
from friendshore.outcome import Outcome
from friendshore.run import DEFAULT, Assumptions, clear_network, compile_world, measures
from friendshore.world.tables import World

if TYPE_CHECKING:
    from friendshore.agreement.document import Agreement

PatchText = dict[str, Any]
WEIGHTS: dict[str, float] = {
    "breach likely": 3.0,
    "needs justification": 2.0,
    "exposed to challenge": 1.0,
}  # of a finding, by grade
ALMOST_ALL = 0.99  # an undertaking leaves less than the whole gap to the seller in the terms; the rest is nominal
RULE = "set by a repair of the legal screen"
# Acts outside the text: which findings they would cover if obtained.
ACTS: dict[str, tuple[str, ...]] = {
    "waiver": ("gatt.1", "gatt.2.bound", "gatt.2.other", "gatt.11.imports", "gatt.13", "gatt.24"),
    "publish_method": ("gatt.10", "licensing"),
}


@dataclass(frozen=True)
class Effect:
    """What an agreement does to the goods of its border measures, against the status quo.

    price_pct      mean buyers' cost in the parties, %, weighted with base use
    output_pct     output of the parties at the prices of the status quo, %
    largest_pct    share of the largest outsider in what the parties take from abroad, %
    parties_usd    accounts of the parties, USD a year
    users_usd      accounts of users in the parties, USD a year
    treasury_usd   duties, levies and support of the parties' treasuries, USD a year
    """

    price_pct: float
    output_pct: float
    largest_pct: float
    parties_usd: float
    users_usd: float
    treasury_usd: float

    def document(self) -> dict[str, float]:
        """The figures by name."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


@dataclass(frozen=True, kw_only=True)
class Repaired:
    """One package of repairs, read, cleared and screened. `counts` are findings by grade, one for each territory bound."""

    id: str
    words: str
    patches: tuple[PatchText, ...]
    assumed: tuple[str, ...]
    screening: Screening | None
    counts: Mapping[str, int]
    exposure: float
    effect: Effect | None
    kept_pct: float | None = None
    frontier: bool = False
    refused: str = ""

    def document(self) -> dict[str, Any]:
        """The package as plain JSON values."""
        return {
            "id": self.id,
            "words": self.words,
            "assumed": list(self.assumed),
            "findings": dict(self.counts),
            "exposure": self.exposure,
            "effect": None if self.effect is None else self.effect.document(),
            "kept_pct": self.kept_pct,
            "frontier": self.frontier,
            "patches": list(self.patches),
            "refused": self.refused,
        }


@dataclass(frozen=True)
class Frontier:
    """The draft and its repairs, on one scale."""

    title: str
    day: date
    party: str | None
    goods: tuple[str, ...]
    packages: tuple[Repaired, ...]

    def document(self) -> dict[str, Any]:
        """The frontier as plain JSON values."""
        return {
            "title": self.title,
            "as_of": self.day.isoformat(),
            "party": self.party,
            "goods": list(self.goods),
            "packages": [package.document() for package in self.packages],
            "exposure_is": "3 for a breach likely, 2 for what needs justification, 1 for what is exposed to challenge",
        }


def repair(
    world: World,
    source: str | Path,
    deal: Agreement,
    *,
    as_of: date | None = None,
    party: str | None = None,
    assume: Assumptions = DEFAULT,
    shocks: Iterable[Wedge] = (),
    progress: Callable[[str], None] = lambda _: None,
) -> Frontier:
    """The frontier between legal exposure and effect of an agreement and its mechanical repairs.

    Parameters
    ----------
    source : the preset or file that `deal` was read from; patches are made on it
    party : repair only what binds this country or customs union

    Raises
    ------
    InputRefused, MarketError   as `examine`, for the draft itself; a repair that is refused is listed with the reason
    """
    day = as_of or deal.run_date
    shocks = tuple(shocks)
    network = compile_world(world, assume)
    quo = clear_network(world, network, [*measures(world, None, day, assume)[0], *shocks], assume=assume, as_of=day)
    progress("the draft as it stands")

    def look(draft: Agreement) -> Examined:
        return examine(world, draft, as_of=day, party=party, assume=assume, shocks=shocks, before=quo, network=network)

    first = look(deal)
    goods = _goods(first.screening)
    base = _repaired("as_drafted", "as drafted", (), (), first, goods, quo, first.parties)
    found = [base]
    for name, words, patches, assumed in packages(deal, first, world):
        progress(words)
        try:
            draft = amended(source, patches, world) if patches else deal
            package = _repaired(
                name, words, patches, assumed, look(draft) if patches else first, goods, quo, first.parties
            )
        except FriendshoreError as stuck:
            package = Repaired(
                id=name, words=words, patches=patches, assumed=assumed, screening=None,
                counts={}, exposure=float("inf"),
                effect=None, refused=str(stuck).splitlines()[0],
            )  # fmt: skip
        found.append(package)
    return Frontier(deal.title, day, party, goods, tuple(_marked(found)))


def amended(source: str | Path, patches: Sequence[PatchText], world: World) -> Agreement:
    """The agreement of a file with patches made on it, read as strictly as any other.

    Raises
    ------
    InputRefused   a patch that cannot be made, or terms that do not hold together
    """
    path = document.find(source)
    text = scenario_text(source, patches)
    return document.read(document.unfolded(read_marked(text, name="repair"), path.parent), world)


def scenario_text(source: str | Path, patches: Sequence[PatchText]) -> str:
    """A scenario file that makes the patches, for whoever wants to keep a repair."""
    path = document.find(source)
    named = str(source) if str(source) in document.presets() else path.name
    held = {"scenario": f"{path.stem}, repaired", "agreement": named, "patches": [*patches, {"set": "tests", "to": []}]}
    return yaml.dump(held, Dumper=_Plain, sort_keys=False, allow_unicode=True, width=120)


class _Plain(yaml.SafeDumper):
    """Writes every value out: the reader refuses references."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


# -- packages ---------------------------------------------------------------------------------------------------------------


Listed = tuple[str, str, tuple[PatchText, ...], tuple[str, ...]]


def packages(deal: Agreement, first: Examined, world: World) -> list[Listed]:
    """Id, words, patches and assumed acts of every package that the findings ask for."""
    found = first.screening.findings
    floors = tuple(floor.id for floor in deal.floors if _asked(found, floor.id))
    tariffs = tuple(tariff.id for tariff in deal.tariffs if _asked(found, tariff.id))
    areas = tuple(area.id for area in deal.trade_area if _asked(found, area.id))
    border = (*floors, *tariffs)
    exempt = (*exempt_partners(deal, found, floors), *spared_partners(deal, found, tariffs, first, world))
    caps = capped_duties(deal, found, border, world, first)
    narrowed = without_known(deal, found, border)
    dropped: tuple[PatchText, ...] = tuple({"drop": name} for name in border)
    paid = subsidies(deal, found, floors)
    leaving = (*without_bound(deal, found, floors), *({"drop": name} for name in tariffs))
    gone: tuple[PatchText, ...] = tuple({"drop": name} for name in areas)
    alike = (
        *extend_to_all(deal, floors),
        *({"change": name, "term": "exporters", "to": "everyone"} for name in tariffs),
    )
    listed: list[Listed] = [
        ("exempt_partners", "exempt free-trade partners", exempt, ()),
        (
            "cap_at_binding",
            "a duty inside the bound rate in place of the floor, where the binding is known",
            (*narrowed, *caps) if narrowed else (),
            (),
        ),
        ("undertaking", "floors as undertakings of the largest outsider", undertakings(first, floors, world), ()),
        ("extend_to_all", "all origins alike", alike, ()),
        ("area_for_all", "the preference for all members of the WTO", preference_for_all(areas), ()),
        ("subsidy_instead", "pay producers the gap in place of the floors", (*leaving, *paid) if paid else (), ()),
        (
            "cap_and_subsidy",
            "a duty inside the bound rate, and the gap paid",
            (*leaving, *caps, *paid) if paid and caps else (),
            (),
        ),
        (
            "subsidy_no_area",
            "pay producers the gap, no preference",
            (*leaving, *paid, *gone) if paid and gone else (),
            (),
        ),
        ("drop_floors", "leave floors and duties out", dropped, ()),
        ("published", "the draft, its method published with notice and appeal", (), ("publish_method",)),
        ("waiver", "the draft, if a waiver were given and the method published", (), ("waiver", "publish_method")),
    ]
    return [each for each in listed if each[2] or (each[3] and found)]


def _asked(found: Iterable[Finding], clause: str) -> bool:
    return any(one.clause == clause and one.raised for one in found)


def _partners(found: Iterable[Finding], clause: str) -> dict[str, frozenset[str]]:
    """Territory -> the free-trade partners whose goods a clause reaches, as its findings name them."""
    partners: dict[str, frozenset[str]] = {}
    for one in found:
        if one.clause == clause and one.raised and "exempt_partners" in one.repairs:
            for fact in one.facts:
                if fact.name == "partners_hit":
                    partners[fact.who] = partners.get(fact.who, frozenset()) | frozenset(fact.codes)
    return partners


def spared_partners(
    deal: Agreement, found: Iterable[Finding], tariffs: Iterable[str], first: Examined, world: World
) -> tuple[PatchText, ...]:
    """The same for a tariff: each territory charges it on the origins that are not its partners."""
    clauses = {tariff.id: tariff for tariff in deal.tariffs}
    home = {code: there or code for code, there in world.countries.select("code", "territory").iter_rows()}
    made: list[PatchText] = []
    for name in tariffs:
        partners, text = _partners(found, name), deal.written("tariffs", name)
        if not partners or text is None:
            continue
        named = clauses[name].exporters
        origins = {
            code
            for code, there in home.items()
            if "everyone" in named
            or code in named
            or there in named
            or ("non_parties" in named and code not in first.parties)
        }
        made.append({"drop": name})
        for territory in _bound_to(found, name):
            exporters = sorted(code for code in origins if home[code] not in partners.get(territory, ()))
            own = {"id": f"{name}.{territory}", "importers": territory, "exporters": exporters}
            if exporters:
                made.append({"add": "tariffs", "value": {**text, **own}})
    return tuple(made)


def _bound_to(found: Iterable[Finding], name: str) -> list[str]:
    """The territories in which a clause is in force, as its findings name them."""
    return sorted({code for one in found if one.clause == name for code in one.bound})


def preference_for_all(areas: Iterable[str]) -> tuple[PatchText, ...]:
    """Duty-free imports from all origins in the place of a preference: what a critical mass of the trade would agree on."""
    made: list[PatchText] = []
    for name in areas:
        value = {
            "id": f"free.{name}", "title": "Duty-free for all origins", "goods": "all", "exporters": "everyone", "rate": 0,
            "adds": False, "illustrative": True, "rule": RULE,
        }  # fmt: skip
        made += [{"drop": name}, {"add": "tariffs", "value": value}]
    return tuple(made)


def exempt_partners(deal: Agreement, found: Iterable[Finding], floors: Iterable[str]) -> tuple[PatchText, ...]:
    """Goods of the free-trade partners of a territory are freed from its floor.

    Territories with the same partners keep one clause; where they differ, the floor is parted, each with its own list.
    """
    clauses = {floor.id: floor for floor in deal.floors}
    made: list[PatchText] = []
    for name in floors:
        partners = _partners(found, name)
        text = deal.written("floors", name)
        if not partners or text is None:
            continue
        groups: dict[frozenset[str], list[str]] = {}
        for code in sorted({party.code for party in clauses[name].parties or deal.parties}):
            groups.setdefault(partners.get(code, frozenset()), []).append(code)
        if len(groups) == 1:
            exempt = sorted({*clauses[name].exempt, *next(iter(groups))})
            made.append({"change": name, "term": "exempt", "to": exempt})
            continue
        made.append({"drop": name})
        for codes, territories in groups.items():
            exempt = sorted({*clauses[name].exempt, *codes})
            own = {"id": f"{name}.{'.'.join(territories)}", "parties": territories}
            made.append({"add": "floors", "value": {**text, **own, **({"exempt": exempt} if exempt else {})}})
    return tuple(made)


def without_known(deal: Agreement, found: Iterable[Finding], border: Iterable[str]) -> tuple[PatchText, ...]:
    """Each floor or duty leaves the territories on which the test of the binding raised it."""
    return _narrowed(deal, {name: set(_headroom(found, name)) for name in border})


def without_bound(deal: Agreement, found: Iterable[Finding], floors: Iterable[str]) -> tuple[PatchText, ...]:
    """Each floor leaves every territory on which anything was raised."""
    return _narrowed(deal, {name: _raised_on(found, name) for name in floors})


def _narrowed(deal: Agreement, leaves: Mapping[str, set[str]]) -> tuple[PatchText, ...]:
    clauses = {clause.id: clause for clause in deal.clauses}
    made: list[PatchText] = []
    for name, territories in leaves.items():
        if territories:
            importers = getattr(clauses[name], "importers", None)
            if importers is not None and "parties" not in importers:
                left = sorted(set(importers) - territories)
                made.append({"change": name, "term": "importers", "to": left} if left else {"drop": name})
                continue
            left = sorted({party.code for party in clauses[name].parties or deal.parties} - territories)
            made.append({"change": name, "term": "parties", "to": left} if left else {"drop": name})
    return tuple(made)


def capped_duties(
    deal: Agreement, found: Sequence[Finding], border: Iterable[str], world: World, first: Examined
) -> tuple[PatchText, ...]:
    """A duty that fills the headroom, on all origins but the territory's partners in free trade, who keep zero duty."""
    home = dict(world.countries.select("code", "territory").iter_rows())
    held, day = commitments.shipped(), first.screening.day
    made: list[PatchText] = []
    for name in border:
        for territory, points in sorted(_headroom(found, name).items()):
            if points <= 0.0:
                continue
            goods = list(dict.fromkeys(good for one in found if one.clause == name for good in one.goods))
            others = [
                code
                for code in sorted(home)
                if (there := home[code] or code) != territory and held.free_trade(territory, there, day) is None
            ]
            value = {
                "id": f"cap.{name.split('.', 1)[-1]}.{territory}",
                "title": "A duty inside the bound rate",
                "goods": goods if len(goods) > 1 else goods[0],
                "exporters": others,
                "importers": territory,
                "parties": [territory],
                "rate": round(points / 100.0, 6),
                "illustrative": True,
                "rule": RULE,
            }
            made.append({"add": "tariffs", "value": value})
    return tuple(made)


def _headroom(found: Iterable[Finding], clause: str) -> dict[str, float]:
    """Territory -> points between applied and bound rate, for the territories on which the binding test raised a floor."""
    room: dict[str, float] = {}
    for one in found:
        if one.clause == clause and one.raised and one.obligation == "gatt.2.bound":
            room |= dict.fromkeys(one.bound, 0.0)
            room |= {fact.who: float(fact.value) for fact in one.facts if fact.name == "headroom_pct"}
    return room


def _raised_on(found: Iterable[Finding], clause: str) -> set[str]:
    return {code for one in found if one.clause == clause and one.raised for code in one.bound}


def subsidies(deal: Agreement, found: Iterable[Finding], floors: Iterable[str]) -> tuple[PatchText, ...]:
    """The reference price becomes the strike of a contract that each treasury pays its own producers.

    One-way, as a floor is: where the market pays more, the producer keeps it.
    """
    clauses = {floor.id: floor for floor in deal.floors}
    paid = {(clause.good, code) for clause in deal.subsidies for code in _codes(clause.producers)}
    made: list[PatchText] = []
    for name in floors:
        text, good = deal.written("floors", name), clauses[name].good
        producers = sorted(code for code in _raised_on(found, name) if (good, code) not in paid)
        if text is None or not producers:
            continue
        value = {
            "id": f"gap.{name.split('.', 1)[-1]}",
            "title": "Producers are paid the gap",
            "good": good,
            "producers": producers,
            "kind": "one_way",
            "strike": text["reference_price"],
            "funding": "own",
            "illustrative": True,
            "rule": RULE,
        }
        made.append({"add": "subsidies", "value": value})
    return tuple(made)


def _codes(selector: object) -> tuple[str, ...]:
    return tuple(selector) if isinstance(selector, tuple | list | frozenset) else (str(selector),)


def undertakings(first: Examined, floors: Iterable[str], world: World) -> tuple[PatchText, ...]:
    """The floor binds the largest outsider alone, which keeps the gap: what an anti-dumping case would give."""
    made: list[PatchText] = []
    everyone = set(world.countries["code"])
    for name in floors:
        goods = [good for one in first.screening.findings if one.clause == name for good in one.goods]
        outsider = _largest(first.before, goods, first.parties)
        if outsider is None:
            continue
        made += [
            {"change": name, "term": "form", "to": "undertaking"},
            {"change": name, "term": "exporter_share", "to": ALMOST_ALL},
            {"change": name, "term": "exempt", "to": sorted(everyone - first.parties - {outsider})},
        ]
    return tuple(made)


def extend_to_all(deal: Agreement, floors: Iterable[str]) -> tuple[PatchText, ...]:
    """No origin escapes: partners and parties pay as others do."""
    clauses = {floor.id: floor for floor in deal.floors}
    made: list[PatchText] = []
    for name in floors:
        made.append({"change": name, "term": "applies_to", "to": "everyone"})
        if clauses[name].exempt:
            made.append({"change": name, "term": "exempt", "to": []})
    return tuple(made)


# -- effect -----------------------------------------------------------------------------------------------------------------


def _repaired(
    name: str,
    words: str,
    patches: tuple[PatchText, ...],
    assumed: tuple[str, ...],
    seen: Examined,
    goods: tuple[str, ...],
    quo: Outcome,
    parties: frozenset[str],
) -> Repaired:
    covered = {rule for act in assumed for rule in ACTS[act]}
    counts = dict.fromkeys(WEIGHTS, 0)
    for one in seen.screening.findings:
        if one.raised and one.obligation not in covered:
            counts[one.grade] += len(one.bound)
    exposure = sum(WEIGHTS[grade] * number for grade, number in counts.items())
    effect = _effect(quo, seen.after or quo, goods, parties)  # nothing left of the text leaves the status quo
    return Repaired(
        id=name, words=words, patches=patches, assumed=assumed, screening=seen.screening,
        counts=counts, exposure=exposure,
        effect=effect,
    )  # fmt: skip


def _goods(found: Screening) -> tuple[str, ...]:
    """The goods of the border measures and support that raise a finding; those of a preference where there are no others."""
    narrow = tuple(
        dict.fromkeys(
            good
            for one in found.findings
            if one.raised and one.act not in ("preference", "export_freedom")
            for good in one.goods
        )
    )
    return narrow or tuple(dict.fromkeys(good for one in found.findings if one.raised for good in one.goods))


def _effect(before: Outcome, after: Outcome, goods: Sequence[str], parties: frozenset[str]) -> Effect:
    """What `after` does to the goods against `before`."""
    mine = pl.col("good").is_in(list(goods)) & pl.col("country").is_in(sorted(parties))
    price = before.prices.select("good", "country", price="usd_t")
    made = [_value(each.output.filter(mine), price) for each in (before, after)]
    accounts = after.accounts.join(before.accounts, on=["country", "item"], how="full", coalesce=True, suffix="_before")
    inside = accounts.filter(pl.col("country").is_in(sorted(parties))).with_columns(
        change=pl.col("usd").fill_null(0.0) - pl.col("usd_before").fill_null(0.0)
    )
    treasury = ["contract", "duty", "export_tax", "levy", "quota_rent", "subsidy"]
    return Effect(
        price_pct=_price(before, after, goods, parties),
        output_pct=100.0 * (made[1] / made[0] - 1.0) if made[0] > 0 else 0.0,
        largest_pct=_largest_share(after, goods, parties),
        parties_usd=float(inside["change"].sum()),
        users_usd=float(inside.filter(pl.col("item") == "users")["change"].sum()),
        treasury_usd=float(inside.filter(pl.col("item").is_in(treasury))["change"].sum()),
    )


def _value(output: pl.DataFrame, price: pl.DataFrame) -> float:
    """Tonnes at the prices of the status quo, USD."""
    joined = output.join(price, on=["good", "country"]).sort("good", "country")
    return float((joined["t"] * joined["price"]).sum())


def _price(before: Outcome, after: Outcome, goods: Sequence[str], parties: frozenset[str]) -> float:
    """Mean change of the buyers' cost over the goods, each weighted with the value that the parties take."""
    keys = ["good", "country"]
    taken = (
        before.flows.filter(pl.col("good").is_in(list(goods)) & pl.col("importer").is_in(sorted(parties)))
        .group_by("good", pl.col("importer").alias("country"))
        .agg(t=pl.col("t").sum())
    )
    joined = (
        before.indices.select(*keys, old="usd_t")
        .join(after.indices.select(*keys, new="usd_t"), on=keys)
        .join(taken, on=keys)
        .filter(pl.col("t") > 0)
        .sort(keys)
    )
    old, new = (float((joined[name] * joined["t"]).sum()) for name in ("old", "new"))
    return 100.0 * (new / old - 1.0) if old > 0 else 0.0


def _from_abroad(outcome: Outcome, goods: Sequence[str], parties: frozenset[str]) -> pl.DataFrame:
    return (
        outcome.flows.filter(pl.col("good").is_in(list(goods)) & pl.col("importer").is_in(sorted(parties)))
        .with_columns(usd=pl.col("t") * pl.col("cif_usd_t"))
        .group_by("exporter")
        .agg(pl.col("usd").sum())
        .sort(["usd", "exporter"], descending=[True, False])
    )


def _largest(outcome: Outcome | None, goods: Sequence[str], parties: frozenset[str]) -> str | None:
    if outcome is None:
        return None
    rows = _from_abroad(outcome, goods, parties).filter(~pl.col("exporter").is_in(sorted(parties)))
    return str(rows["exporter"][0]) if rows.height and rows["usd"][0] > 0 else None


def _largest_share(outcome: Outcome, goods: Sequence[str], parties: frozenset[str]) -> float:
    rows = _from_abroad(outcome, goods, parties)
    total = float(rows["usd"].sum())
    outside = rows.filter(~pl.col("exporter").is_in(sorted(parties)))
    return 100.0 * float(outside["usd"][0]) / total if total > 0 and outside.height else 0.0


def _marked(found: list[Repaired]) -> Iterable[Repaired]:
    """How much of the draft's effect on output each keeps, and which no other beats in both exposure and output.

    kept = (output under the package - output without the floors) / (output under the draft - output without the floors)

    Acts that are merely assumed stand aside.
    """
    effects = {each.id: each.effect for each in found}
    drafted, bare = effects["as_drafted"], effects.get("drop_floors")
    able = [each for each in found if each.effect is not None and not each.assumed]
    for each in found:
        kept = None
        if each.effect is not None and drafted is not None and bare is not None:
            whole = drafted.output_pct - bare.output_pct
            kept = 100.0 * (each.effect.output_pct - bare.output_pct) / whole if abs(whole) > 1e-9 else None
        beaten = each not in able or any(_beats(other, each) for other in able)
        yield replace(each, kept_pct=kept, frontier=not beaten)


def _beats(one: Repaired, other: Repaired) -> bool:
    """At least as good in both, and better in one."""
    assert one.effect is not None
    assert other.effect is not None
    less, more = other.exposure - one.exposure, one.effect.output_pct - other.effect.output_pct
    return less >= 0 and more >= -1e-9 and (less > 0 or more > 1e-9)


def proposals(found: Frontier) -> Mapping[str, Repaired]:
    """The packages by id."""
    return {package.id: package for package in found.packages}
