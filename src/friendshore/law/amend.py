"""What would a repair write into the text? Each one as patches on the agreement's own file, made from what was found.

A repair proposes nothing where the findings do not ask for it, or where a figure that it needs is not known. Reading,
clearing and screening what comes out is left to `repair`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

import polars as pl

from friendshore.agreement.schedule import levels
from friendshore.instruments.names import union_of
from friendshore.law.screen.commitments import Commitments
from friendshore.law.screen.judge import Finding
from friendshore.law.screen.obligations import Obligation, RepairName, meets
from friendshore.outcome import Outcome
from friendshore.world.tables import World

if TYPE_CHECKING:
    from friendshore.agreement.document import Agreement
    from friendshore.instruments.clause import Clause
    from friendshore.law.examine import Examined

PatchText = dict[str, Any]
Patches = tuple[PatchText, ...]

ALMOST_ALL = 0.99  # an undertaking leaves less than the whole gap to the seller in the terms; the rest is nominal
RULE = "set by a repair of the legal screen"
YEAR = timedelta(days=365)
RATE_DIGITS, TONNE_DIGITS = 6, 3
PLACES = ("parties", "non_parties", "everyone")
STATED: dict[RepairName, str] = {  # repairs that put a statement into the text, and change no market
    "waiver": "waiver",
    "renegotiate": "renegotiated",
    "publish_method": "published",
    "notify": "notified",
    "by_statute": "by_statute",
}


@dataclass(frozen=True)
class Draft:
    """An agreement as it stands, with what the screen found and what the market came to."""

    deal: Agreement
    seen: Examined
    world: World
    commitments: Commitments
    obligations: Mapping[str, Obligation]

    @property
    def found(self) -> tuple[Finding, ...]:
        """The findings."""
        return self.seen.screening.findings

    @property
    def day(self) -> date:
        """The day of the screening."""
        return self.seen.screening.day

    @cached_property
    def home(self) -> Mapping[str, str]:
        """Country -> its customs territory."""
        return {code: there or code for code, there in self.world.countries.select("code", "territory").iter_rows()}

    @cached_property
    def clauses(self) -> Mapping[str, Clause]:
        """The clauses by id."""
        return {clause.id: clause for clause in self.deal.clauses}

    def raised(self, kind: str, repair: RepairName | None = None) -> tuple[str, ...]:
        """Ids of the clauses of a kind on which something was raised that, where one is named, the repair would mend."""
        return tuple(clause.id for clause in getattr(self.deal, kind) if any(True for _ in self.on(clause.id, repair)))

    def on(self, clause: str, repair: RepairName | None = None) -> Iterator[Finding]:
        """What was raised on a clause."""
        for one in self.found:
            if one.clause == clause and one.raised and (repair is None or repair in one.repairs):
                yield one

    def territories(self, clause: str) -> set[str]:
        """The territories on which something was raised."""
        return {code for one in self.on(clause) for code in one.bound}

    def members(self, territory: str) -> set[str]:
        """The countries of a customs territory."""
        return {code for code, there in self.home.items() if there == territory}

    def border(self, clause: str, territory: str) -> str:
        """Whose border it is that a clause names: the territory's own, or that of the union whose code stands there."""
        named = (
            *(getattr(self.clauses[clause], "importers", None) or ()),
            *(party.code for party in self.deal.parties),
        )
        union = union_of(territory)
        return union if union is not None and union in named else territory

    def named(self, words: Iterable[str]) -> set[str]:
        """The countries that a selector stands for."""
        found: set[str] = set()
        for word in words:
            if word == "everyone":
                found |= set(self.home)
            elif word == "parties":
                found |= self.seen.parties
            elif word == "non_parties":
                found |= set(self.home) - self.seen.parties
            else:
                found |= self.members(word) or {word}
        return found

    def partners(self, clause: str) -> dict[str, frozenset[str]]:
        """Territory -> the free-trade partners whose goods a clause reaches, as its findings name them."""
        found: dict[str, frozenset[str]] = {}
        for one in self.on(clause, "exempt_partners"):
            for fact in one.facts:
                if fact.name == "partners_hit":
                    found[fact.who] = found.get(fact.who, frozenset()) | frozenset(fact.codes)
        return found

    def headroom(self, clause: str) -> dict[str, float]:
        """Territory -> points between applied and bound rate, where the test of the binding raised something."""
        room: dict[str, float] = {}
        for one in self.on(clause):
            if one.obligation == "gatt.2.bound":
                room |= dict.fromkeys(one.bound, 0.0)
                room |= {fact.who: float(fact.value) for fact in one.facts if fact.name == "headroom_pct"}
        return room


# -- duties at the border ---------------------------------------------------------------------------------------------------


def exempt_partners(draft: Draft) -> Patches:
    """Goods of a territory's free-trade partners are freed from its floors, duties and tariff quotas, partners from its
    export controls."""
    return (
        *_exempt_floors(draft),
        *_spared(draft, "tariffs", "exporters"),
        *_spared(draft, "tariff_quotas", "exporters"),
        *_spared_controls(draft),
    )


def _exempt_floors(draft: Draft) -> Iterator[PatchText]:
    """Partners of every territory that charges the floor are exempt from it; those of one alone at its border alone."""
    for name in draft.raised("floors", "exempt_partners"):
        clause: Any = draft.clauses[name]
        if not (partners := {code: held for code, held in draft.partners(name).items() if held}):
            continue
        charging = {code for one in draft.found if one.clause == name for code in one.bound}
        common = frozenset.intersection(*(partners.get(code, frozenset()) for code in charging))
        own = {code: sorted({*clause.exempt_at.get(code, ()), *(held - common)}) for code, held in partners.items()}
        if common:
            yield {"change": name, "term": "exempt", "to": sorted({*clause.exempt, *common})}
        if left := {code: held for code, held in sorted(own.items()) if held}:
            yield {"change": name, "term": "exempt_at", "to": {**_listed(clause.exempt_at), **left}}


def _listed(held: Mapping[str, Iterable[str]]) -> dict[str, list[str]]:
    return {code: sorted(countries) for code, countries in held.items()}


def _spared(draft: Draft, kind: str, term: str) -> Iterator[PatchText]:
    """The same for a duty: each territory charges it on the origins that are not its partners."""
    for name in draft.raised(kind, "exempt_partners"):
        partners, text = draft.partners(name), draft.deal.written(kind, name)
        if not partners or text is None:
            continue
        origins = draft.named(getattr(draft.clauses[name], term))
        borders: dict[str, frozenset[str]] = {}
        for territory in sorted({code for one in draft.found if one.clause == name for code in one.bound}):
            border = draft.border(name, territory)
            borders[border] = borders.get(border, frozenset()) | partners.get(territory, frozenset())
        yield {"drop": name}
        for border, spared in borders.items():
            left = sorted(code for code in origins if draft.home.get(code) not in spared)
            if left:
                own = {"id": f"{name}.{border}", "importers": border, term: left}
                yield {"add": kind, "value": {**text, **own}}


def _spared_controls(draft: Draft) -> Iterator[PatchText]:
    """Partners who were promised free exports stand outside an export control."""
    for name in draft.raised("export_controls", "exempt_partners"):
        partners = frozenset().union(*draft.partners(name).values())
        left = sorted(
            code for code in draft.named(_control(draft, name).importers) if draft.home.get(code) not in partners
        )
        if partners:
            yield {"change": name, "term": "importers", "to": left} if left else {"drop": name}


def cap_at_binding(draft: Draft) -> Patches:
    """Duties inside the bound rates: each floor or duty leaves the territories on which the binding raised it, where a
    duty that fills the headroom takes its place; a tariff quota's rates go no higher than the binding."""
    border = (*draft.raised("floors"), *draft.raised("tariffs"))
    narrowed = _narrowed(draft, {name: set(draft.headroom(name)) for name in border})
    return (*narrowed, *(capped_duties(draft, border) if narrowed else ()), *_capped_quotas(draft))


def capped_duties(draft: Draft, border: Iterable[str]) -> Patches:
    """A duty that fills the headroom, on all origins but the territory's partners in free trade, who keep zero duty."""
    made: list[PatchText] = []
    for name in border:
        for territory, points in sorted(draft.headroom(name).items()):
            if points <= 0.0:
                continue
            goods = list(dict.fromkeys(good for one in draft.found if one.clause == name for good in one.goods))
            others = [
                code
                for code in sorted(draft.home)
                if (there := draft.home[code]) != territory
                and draft.commitments.free_trade(territory, there, draft.day) is None
            ]
            value = {
                "id": _unused(draft, f"cap.{name.split('.', 1)[-1]}.{territory}"),
                "title": "A duty inside the bound rate",
                "goods": goods if len(goods) > 1 else goods[0],
                "exporters": others,
                "importers": territory,
                "parties": [territory],
                "rate": round(points / 100.0, RATE_DIGITS),
                "illustrative": True,
                "rule": RULE,
            }
            made.append({"add": "tariffs", "value": value})
    return tuple(made)


def _capped_quotas(draft: Draft) -> Iterator[PatchText]:
    for name in draft.raised("tariff_quotas", "cap_at_binding"):
        bound = [
            float(fact.value) / 100.0
            for one in draft.on(name)
            if one.obligation == "gatt.2.bound"
            for fact in one.facts
            if fact.name == "binding_pct"
        ]
        text = draft.deal.written("tariff_quotas", name)
        if (
            bound
            and text is not None
            and all(isinstance(text.get(term), int | float) for term in ("rate_in", "rate_out"))
        ):
            for term in ("rate_in", "rate_out"):
                yield {"change": name, "term": term, "to": round(min(float(text[term]), *bound), RATE_DIGITS)}


def leaving(draft: Draft) -> Patches:
    """Each floor leaves every territory on which anything was raised; duties go."""
    floors = _narrowed(draft, {name: draft.territories(name) for name in draft.raised("floors")})
    return (*floors, *({"drop": name} for name in draft.raised("tariffs")))


def _narrowed(draft: Draft, leaves: Mapping[str, set[str]]) -> Patches:
    made: list[PatchText] = []
    for name, territories in leaves.items():
        if territories:
            clause = draft.clauses[name]
            importers = getattr(clause, "importers", None)
            if importers is not None and "parties" not in importers:
                left = sorted(set(importers) - territories)
                made.append({"change": name, "term": "importers", "to": left} if left else {"drop": name})
                continue
            left = sorted({party.code for party in clause.parties or draft.deal.parties} - territories)
            made.append({"change": name, "term": "parties", "to": left} if left else {"drop": name})
    return tuple(made)


def undertaking(draft: Draft) -> Patches:
    """The floor binds the largest outsider alone, which keeps the gap: what an anti-dumping case would give."""
    made: list[PatchText] = []
    everyone = set(draft.home)
    for name in draft.raised("floors"):
        goods = [good for one in draft.found if one.clause == name for good in one.goods]
        outsider = largest_outsider(draft.seen.before, goods, draft.seen.parties)
        if outsider is None:
            continue
        made += [
            {"change": name, "term": "form", "to": "undertaking"},
            {"change": name, "term": "exporter_share", "to": ALMOST_ALL},
            {"change": name, "term": "exempt", "to": sorted(everyone - draft.seen.parties - {outsider})},
        ]
    return tuple(made)


def extend_to_all(draft: Draft) -> Patches:
    """No origin and no destination escapes: partners and parties pay as others do."""
    made: list[PatchText] = []
    for name in draft.raised("floors"):
        made.append({"change": name, "term": "applies_to", "to": "everyone"})
        if getattr(draft.clauses[name], "exempt", ()):
            made.append({"change": name, "term": "exempt", "to": []})
    for kind in ("tariffs", "tariff_quotas"):
        made += [{"change": name, "term": "exporters", "to": "everyone"} for name in draft.raised(kind)]
    made += [
        {"change": name, "term": "importers", "to": "everyone"}
        for name in draft.raised("export_controls", "extend_to_all")
        if _control(draft, name).mode != "prohibited_between_parties"
    ]
    return tuple(made)


# -- money in the place of the border ----------------------------------------------------------------------------------------


def subsidy_instead(draft: Draft) -> Patches:
    """The reference price becomes the strike of a contract that each treasury pays its own producers: one-way, as a floor
    is, so that where the market pays more the producer keeps it."""
    paid = gap_paid(draft, {"kind": "one_way"})
    return (*leaving(draft), *paid) if paid else ()


def contract_instead(draft: Draft) -> Patches:
    """The same as a two-way contract, in which what the market pays above the strike goes back; written where producers earn
    less than the strike today, for others would not sign."""
    paid = gap_paid(draft, {"kind": "two_way", "claw_back": 1}, below=True)
    return (*leaving(draft), *paid) if paid else ()


def gap_paid(draft: Draft, terms: Mapping[str, Any], *, below: bool = False) -> Patches:
    """A contract at the reference price of each floor, for the producers of the territories on which it was raised; under
    `below` of those alone whose mean price is below it in the status quo."""
    level = {each.clause: float(each.usd_t) for each in levels(draft.deal, draft.world, draft.day)}
    paid = {(clause.good, code) for clause in draft.deal.subsidies for code in clause.producers}
    made: list[PatchText] = []
    for name in draft.raised("floors"):
        text, good = draft.deal.written("floors", name), getattr(draft.clauses[name], "good", "")
        producers = sorted(
            code
            for code in draft.territories(name)
            if (good, code) not in paid and (not below or 0.0 < _earned(draft, good, code) < level[name])
        )
        if text is None or not producers:
            continue
        value = {
            "id": _unused(draft, f"gap.{name.split('.', 1)[-1]}"),
            "title": "Producers are paid the gap",
            "good": good,
            "producers": producers,
            **terms,
            "strike": _by_itself(text["reference_price"], good, level[name]),
            "funding": "own",
            "parties": producers,
            "illustrative": True,
            "rule": RULE,
        }
        made.append({"add": "subsidies", "value": value})
    return tuple(made)


def _unused(draft: Draft, name: str) -> str:
    """A name that no clause has yet."""
    number, tried = 2, name
    while tried in draft.clauses:
        tried, number = f"{name}.{number}", number + 1
    return tried


def _by_itself(price: Any, good: str, usd_t: float) -> Any:
    """A reference price as it stands; as a plain price where it is worked out from another floor, which may be gone."""
    costs = price.get("costs", ()) if isinstance(price, Mapping) else ()
    if any(isinstance(each, Mapping) and "floor" in each for each in costs):
        return f"{usd_t:.2f} USD per t of {good}"
    return price


def _earned(draft: Draft, good: str, territory: str) -> float:
    """Mean price of producers under the status quo, USD per contained tonne; 0 where none makes the good."""
    before = draft.seen.before
    assert before is not None
    return _mean(before.prices, before.output.select("good", "country", "t"), good, draft.members(territory))


# -- preferences ------------------------------------------------------------------------------------------------------------


def preference_for_all(draft: Draft) -> Patches:
    """Duty-free imports from all origins in the place of a preference: what a critical mass of the trade would agree on."""
    made: list[PatchText] = []
    for name in draft.raised("trade_area"):
        bound = draft.clauses[name].parties
        value = {
            "id": f"free.{name}", "title": "Duty-free for all origins", "goods": "all", "exporters": "everyone", "rate": 0,
            "adds": False, "illustrative": True, "rule": RULE,
            **({"parties": [party.code for party in bound]} if bound is not None else {}),
        }  # fmt: skip
        made += [{"drop": name}, {"add": "tariffs", "value": value}]
    return tuple(made)


def without_preference(draft: Draft) -> Patches:
    """No preference."""
    return tuple({"drop": name} for name in draft.raised("trade_area"))


def attach_to_agreement(draft: Draft) -> Patches:
    """The preference holds only among parties who have a free trade agreement with each other, as a part of it: one area for
    each largest group of parties in which every pair has one."""
    made: list[PatchText] = []
    for name in draft.raised("trade_area", "attach_to_agreement"):
        text = draft.deal.written("trade_area", name)
        if text is None:
            continue
        codes = sorted({party.code for party in draft.clauses[name].parties or draft.deal.parties})
        allied = {
            (one, other)
            for one in codes
            for other in codes
            if one != other and draft.commitments.free_trade(one, other, draft.day) is not None
        }
        made.append({"drop": name})
        for group in cliques(codes, allied):
            value = {**text, "id": f"{name}.{'.'.join(group)}", "parties": list(group)}
            made.append({"add": "trade_area", "value": value})
    return tuple(made)


def cliques(codes: Sequence[str], pairs: set[tuple[str, str]]) -> list[tuple[str, ...]]:
    """The largest groups of two and more in which every pair stands in `pairs`, in alphabetical order.

    >>> cliques("abc", {("a", "b"), ("b", "a"), ("b", "c"), ("c", "b")})
    [('a', 'b'), ('b', 'c')]
    """
    found: list[tuple[str, ...]] = []

    def grow(group: tuple[str, ...], open_: list[str], shut: list[str]) -> None:
        if not open_ and not shut and len(group) > 1:
            found.append(tuple(sorted(group)))
        for number, code in enumerate(open_):
            with_it = [each for each in open_[number + 1 :] if (code, each) in pairs]
            grow((*group, code), with_it, [each for each in (*shut, *open_[:number]) if (code, each) in pairs])

    grow((), list(codes), [])
    return sorted(found)


def act_as_union(draft: Draft) -> Patches:
    """Where a member of a customs union would act alone, the whole union acts in its place."""
    parties = [party.code for party in draft.deal.parties]
    made: list[PatchText] = []
    joined: dict[str, str] = {}
    for name, clause in draft.clauses.items():
        if not any(True for _ in draft.on(name, "act_as_union")):
            continue
        for term in ("importers", "exporters"):
            named = getattr(clause, term, None) if _acts_by(term, clause) else None
            if named is not None and _in_a_union(named):
                made.append({"change": name, "term": term, "to": _as_unions(named)})
        own = [party.code for party in clause.parties or ()]
        if _in_a_union(own):
            made.append({"change": name, "term": "parties", "to": _as_unions(own)})
        joined |= _in_a_union(own or parties)
    bound = {code: union for code, union in joined.items() if code in parties}
    for code in sorted(bound):
        made.append({"drop": code})
    for union in sorted(set(bound.values()) - set(parties)):
        made.append({"add": "parties", "value": union})
    return tuple(made)


def _in_a_union(codes: Iterable[str]) -> dict[str, str]:
    """Those of some countries that belong to a customs union, with their union."""
    return {code: union for code in codes if (union := union_of(code)) is not None}


def _as_unions(codes: Iterable[str]) -> list[str]:
    return sorted({union_of(code) or code for code in codes})


def _acts_by(term: str, clause: Clause) -> bool:
    """Whether it is the countries of a term that act: exporters under an export control, importers elsewhere."""
    return (term == "exporters") == (type(clause).word == "export_control")


# -- controls on exports -----------------------------------------------------------------------------------------------------


def _control(draft: Draft, name: str) -> Any:
    return draft.clauses[name]


def temporary(draft: Draft) -> Patches:
    """A limit on exports ends after a year, as one against a critical shortage has to (XI:2(a))."""
    return tuple(
        {"change": name, "term": "ends", "to": draft.day + YEAR}
        for name in draft.raised("export_controls", "temporary")
        if _control(draft, name).ends is None
    )


def limit_at_home(draft: Draft) -> Patches:
    """Use at home is limited as exports are, which XX(g) asks for.

    A quota cuts use at home in the proportion in which it cuts exports. In the place of a ban come licences for what is made
    under the ban, shared between abroad and home as in the base year.
    """
    made: list[PatchText] = []
    for name in draft.raised("export_controls", "limit_at_home"):
        clause, text = _control(draft, name), draft.deal.written("export_controls", name)
        goods = list(dict.fromkeys(good for one in draft.found if one.clause == name for good in one.goods))
        sellers = draft.named(clause.exporters or ())
        if text is None or draft.seen.after is None:
            continue
        if clause.mode in ("quota", "licence"):
            sold, used = _sold(draft, goods, sellers, draft.named(clause.importers))
            allowed = text.get("tonnes")
            if sold > 0 and used > 0 and isinstance(allowed, int | float) and allowed * len(goods) < sold:
                kept = used * allowed / sold  # of each good: the clause allows `allowed` of each
                made.append({"change": name, "term": "home_tonnes", "to": round(kept, TONNE_DIGITS)})
            continue
        licences = [
            patch
            for good in goods
            for seller in sorted(sellers)
            for patch in _licences(draft, name, good, seller, text)
        ]
        made += [{"drop": name}, *licences] if licences else []
    return tuple(made)


def _licences(draft: Draft, name: str, good: str, seller: str, text: Mapping[str, Any]) -> Iterator[PatchText]:
    assert draft.seen.after is not None
    sold, used = _sold(draft, [good], {seller}, draft.named(_control(draft, name).importers))
    rows = draft.seen.after.output.filter((pl.col("good") == good) & (pl.col("country") == seller))
    base = float(rows["base_t"].sum())
    if sold <= 0 or used <= 0 or base <= 0:
        return
    part = min(1.0, float(rows["t"].sum()) / base)
    own = {
        "id": f"{name}.{good}.{seller}", "mode": "licence", "goods": good, "exporters": seller,
        "tonnes": round(part * sold, TONNE_DIGITS), "home_tonnes": round(part * used, TONNE_DIGITS), "owner": seller,
    }  # fmt: skip
    yield {"add": "export_controls", "value": {**text, **own, **_invented(text)}}


def _sold(draft: Draft, goods: Iterable[str], sellers: set[str], buyers: set[str]) -> tuple[float, float]:
    """Tonnes of the base year that sellers sent to buyers abroad, and used of their own."""
    assert draft.seen.after is not None
    rows = draft.seen.after.flows.filter(pl.col("good").is_in(list(goods)) & pl.col("exporter").is_in(sorted(sellers)))
    abroad = rows.filter(pl.col("importer").is_in(sorted(buyers - sellers)))
    at_home = rows.filter(pl.col("importer").is_in(sorted(sellers)))
    return float(abroad["base_t"].sum()), float(at_home["base_t"].sum())


def tax_instead(draft: Draft) -> Patches:
    """A tax on exports, which XI leaves free, in the place of a limit on their quantity.

    rate = rent of the licences / price at home; in the place of a ban, price abroad / price at home - 1. Destinations to whom
    no export duties were promised stand outside it; none where an accession protocol bars export taxes, nor where the limit
    does not bind.
    """
    made: list[PatchText] = []
    for name in draft.raised("export_controls", "tax_instead"):
        clause, text = _control(draft, name), draft.deal.written("export_controls", name)
        if text is None or draft.seen.after is None:
            continue
        sellers = draft.named(clause.exporters or ())
        if any(_tax_barred(draft, draft.home[code]) for code in sellers if code in draft.home):
            continue
        goods = list(dict.fromkeys(good for one in draft.found if one.clause == name for good in one.goods))
        buyers = draft.named(clause.importers) - sellers
        taxes = []
        for good in goods:
            rate = _tax_rate(draft, clause, good, sellers, buyers, alone=len(goods) == 1)
            for territory in sorted({draft.home[code] for code in sellers if code in draft.home}):
                taxed = sorted(code for code in buyers if not _promised_free(draft, territory, draft.home[code], good))
                if rate > 0 and taxed:
                    own = {"id": f"{name}.tax.{good}.{territory}", "mode": "export_tax", "goods": good}
                    rest = {key: item for key, item in text.items() if key not in ("tonnes", "home_tonnes", "owner")}
                    who = {"exporters": territory, "importers": taxed, "rate": rate}
                    taxes.append({"add": "export_controls", "value": {**rest, **own, **who, **_invented(text)}})
        if taxes:
            made += [{"drop": name}, *taxes]
    return tuple(made)


def _invented(text: Mapping[str, Any]) -> dict[str, Any]:
    """A level that a repair sets stands on the repair: the source of the old one does not hold for it."""
    return (
        {"illustrative": True, "rule": RULE, "source": []} if "source" in text else {"illustrative": True, "rule": RULE}
    )


def _tax_rate(draft: Draft, clause: Any, good: str, sellers: set[str], buyers: set[str], *, alone: bool) -> float:
    after = draft.seen.after
    assert after is not None
    price = _mean(after.prices, after.output.select("good", "country", "t"), good, sellers)
    if clause.mode == "ban":
        taken = after.flows.group_by("good", pl.col("importer").alias("country")).agg(pl.col("t").sum())
        abroad = _mean(after.indices, taken, good, buyers)
        gap = abroad / price - 1.0 if price > 0 and abroad > 0 else 0.0
        return round(max(0.0, gap), RATE_DIGITS)
    rows = after.rents.filter((pl.col("clause") == clause.id) & (pl.col("kind") == "quota")).sort("limit_t")
    rents = [(float(rent), float(tonnes)) for rent, tonnes in rows.select("rent", "tonnes").iter_rows()]
    if clause.home_tonnes is not None or not rents or (not alone and len(rents) > 1):
        return 0.0  # which rent is which good's is not said
    return round(max(0.0, rents[0][0]) / price, RATE_DIGITS) if price > 0 else 0.0


def _mean(price: pl.DataFrame, weight: pl.DataFrame, good: str, countries: set[str]) -> float:
    """Mean price of a good over countries, weighted with tonnes; 0 where there are none."""
    here = (pl.col("good") == good) & pl.col("country").is_in(sorted(countries))
    rows = price.filter(here).join(weight, on=["good", "country"]).sort("country")
    tonnes = float(rows["t"].sum())
    return float((rows["usd_t"] * rows["t"]).sum()) / tonnes if tonnes > 0 else 0.0


def _tax_barred(draft: Draft, territory: str) -> bool:
    """Whether an obligation of this territory alone bars export taxes."""
    tax = {"term.mode": "export_tax"}
    return any(
        territory in one.binds
        and one.agreement is None
        and any("export_restriction" in each.touches and meets(each.when, tax) for each in one.trigger)
        for one in draft.obligations.values()
    )


def _promised_free(draft: Draft, seller: str, buyer: str, good: str) -> bool:
    mineral = dict(draft.world.goods.select("id", "mineral").iter_rows()).get(good, good)
    treaties = draft.commitments.between(seller, buyer, draft.day)
    pledges = (treaty.pledge("no_export_duties") for treaty in treaties if treaty.covers(mineral))
    return any(pledge is not None and pledge.holds in ("yes", "in part") for pledge in pledges)


# -- standards, routes, statements ---------------------------------------------------------------------------------------------


def open_standard(draft: Draft) -> Patches:
    """Goods of every origin that meet the standard, or an equivalent one, are certified."""
    return tuple(
        {"change": name, "term": "certified", "to": "everyone"} for name in draft.raised("standards", "open_standard")
    )


def voluntary_standard(draft: Draft) -> Patches:
    """A good without certificate is let in and earns no premium."""
    made: list[PatchText] = []
    for name in draft.raised("standards", "voluntary_standard"):
        clause: Any = draft.clauses[name]
        if clause.access == "required":
            made.append({"change": name, "term": "access", "to": "premium"} if clause.premium else {"drop": name})
    return tuple(made)


def open_to_all(draft: Draft) -> Patches:
    """A route serves every destination on the same terms; a reserve buys by tender from every origin."""
    made: list[PatchText] = []
    for name in draft.raised("corridors", "open_to_all"):
        routes: Any = getattr(draft.clauses[name], "routes", ())
        made += [{"change": name, "term": f"routes[{n}].importers", "to": ["everyone"]} for n in range(len(routes))]
    return (*made, *state(draft, "open_to_all", "open_to_all", kinds=("reserve",)))


def stated(draft: Draft, *repairs: RepairName) -> Patches:
    """The statements of repairs that put a sentence into the text, on every clause whose findings ask for one."""
    asked: dict[str, dict[str, bool]] = {}
    for repair in repairs:
        for patch in state(draft, repair, STATED[repair]):
            asked.setdefault(patch["change"], {}).update(patch["to"])
    return tuple({"change": name, "term": "stated", "to": said} for name, said in asked.items())


def state(draft: Draft, repair: RepairName, fact: str, kinds: Iterable[str] = ()) -> Patches:
    """One statement, on every clause (of some kinds) whose findings ask for it."""
    names = [name for kind in kinds for name in draft.raised(kind, repair)] or (
        [] if kinds else [name for name in draft.clauses if any(True for _ in draft.on(name, repair))]
    )
    return tuple(
        {"change": name, "term": "stated", "to": {**draft.clauses[name].stated, fact: True}}
        for name in dict.fromkeys(names)
        if not draft.clauses[name].stated.get(fact)  # type: ignore[call-overload]
    )


def leave_out(draft: Draft) -> Patches:
    """The agreement without the measures that raise something: floors, duties, quotas, controls and standards; its
    preference and its money stay."""
    names = [name for kind in ("floors", "tariffs", "tariff_quotas", "standards") for name in draft.raised(kind)]
    names += [
        name for name in draft.raised("export_controls") if _control(draft, name).mode != "prohibited_between_parties"
    ]
    return tuple({"drop": name} for name in names)


def drop_clause(draft: Draft) -> Patches:
    """Every clause whose finding could be met by leaving it out goes."""
    return tuple({"drop": name} for name in draft.clauses if any(True for _ in draft.on(name, "drop_clause")))


def _says(repair: RepairName) -> Callable[[Draft], Patches]:
    return lambda draft: stated(draft, repair)


# What every repair that an obligation may name does to the text.
REPAIRS: dict[RepairName, Callable[[Draft], Patches]] = {
    "exempt_partners": exempt_partners,
    "cap_at_binding": cap_at_binding,
    "subsidy_instead": subsidy_instead,
    "contract_instead": contract_instead,
    "undertaking": undertaking,
    "extend_to_all": extend_to_all,
    "attach_to_agreement": attach_to_agreement,
    "act_as_union": act_as_union,
    "tax_instead": tax_instead,
    "limit_at_home": limit_at_home,
    "temporary": temporary,
    "open_standard": open_standard,
    "voluntary_standard": voluntary_standard,
    "open_to_all": open_to_all,
    "publish_method": _says("publish_method"),
    "notify": _says("notify"),
    "by_statute": _says("by_statute"),
    "renegotiate": _says("renegotiate"),
    "waiver": _says("waiver"),
    "drop_clause": drop_clause,
}


def largest_outsider(outcome: Outcome | None, goods: Sequence[str], parties: frozenset[str]) -> str | None:
    """Who outside sells most of the goods to the parties, by value."""
    if outcome is None:
        return None
    rows = from_abroad(outcome, goods, parties).filter(~pl.col("exporter").is_in(sorted(parties)))
    return str(rows["exporter"][0]) if rows.height and rows["usd"][0] > 0 else None


def from_abroad(outcome: Outcome, goods: Sequence[str], parties: frozenset[str]) -> pl.DataFrame:
    """Value of what the parties take of the goods, by origin, the largest first."""
    return (
        outcome.flows.filter(pl.col("good").is_in(list(goods)) & pl.col("importer").is_in(sorted(parties)))
        .with_columns(usd=pl.col("t") * pl.col("cif_usd_t"))
        .group_by("exporter")
        .agg(pl.col("usd").sum())
        .sort(["usd", "exporter"], descending=[True, False])
    )
