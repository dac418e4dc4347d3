"""The policies of a network file as wedges, the same values that an agreement's clauses become.

Each item of `policies` has a `kind`; names are resolved, quantities and prices turned into tonnes and USD per tonne,
and policies that cannot hold together (an offtake that a quota forbids) are refused. What they do is `market`'s.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product

from friendshore import faces
from friendshore.errors import did_you_mean
from friendshore.faces import Lane, Wedge
from friendshore.marked import KeyPath, shown
from friendshore.world import network_file as words
from friendshore.world.network_blocks import Reader

Route = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Stated:
    """A wedge and the policy in the file that states it."""

    wedge: Wedge
    path: KeyPath


def read_policies(reader: Reader, path: KeyPath, duties: Mapping[Route, object]) -> list[Stated]:
    """The wedges of the list at `path`; problems are noted on the reader.

    `duties` are the routes that have a duty in the base: a `tariff_schedule` that does not list one takes it off.
    """
    items = reader.marked.get(path)
    if items is None:
        return []
    if not isinstance(items, list):
        reader.refuse("wrong-type", path, f"expected a list of policies, not {shown(items)}")
        return []
    stated: list[Stated] = []
    used: Counter[str] = Counter()
    for number, item in enumerate(items):
        here = (*path, number)
        policy = _policy(reader, item, here)
        if policy is not None:
            clause = _clause(policy, item, used)
            stated += [Stated(wedge, here) for wedge in _wedges(reader, policy, clause, here, duties)]
    return stated


def _policy(reader: Reader, item: object, path: KeyPath) -> words.Policy | None:
    if not isinstance(item, dict):
        reader.refuse(
            "wrong-type", path, f"expected a policy, not {shown(item)}", "such as {kind: tariff, good: ..., rate: 0.1}"
        )
        return None
    kind = item.get("kind")
    if kind is None:
        reader.refuse("missing", path, "'kind' is missing", f"one of {', '.join(words.KINDS)}")
        return None
    if not isinstance(kind, str) or kind not in words.KINDS:
        near = did_you_mean(kind, words.KINDS) if isinstance(kind, str) else ""
        reader.refuse(
            "unknown-policy",
            (*path, "kind"),
            f"no policy is called {shown(kind)}",
            near or f"one of {', '.join(words.KINDS)}",
        )
        return None
    return reader.terms(words.KINDS[kind], path)


def _clause(policy: words.Policy, item: Mapping[str, object], used: Counter[str]) -> str:
    """The policy's name, or its kind and good; a second one of the same name is numbered."""
    good = item.get("good")
    name = policy.name or str(item["kind"]) + (f".{good}" if isinstance(good, str) else "")
    used[name] += 1
    return name if used[name] == 1 else f"{name}#{used[name]}"


def _wedges(
    reader: Reader, policy: words.Policy, clause: str, path: KeyPath, duties: Mapping[Route, object]
) -> list[Wedge]:
    match policy:
        case words.Tariff() | words.Preference():
            specific, adds = (policy.specific, policy.adds) if isinstance(policy, words.Tariff) else (0.0, False)
            usd_t = specific * reader.usd_t
            return [
                faces.Tariff(clause=clause, lane=lane, rate=policy.rate, specific_usd_t=usd_t, adds=adds)
                for lane in _lanes(reader, policy, path)
            ]
        case words.TariffSchedule():
            return _schedule(reader, policy, clause, path, duties)
        case words.ExportTax():
            usd_t = policy.specific * reader.usd_t
            return [
                faces.ExportTax(clause=clause, lane=lane, rate=policy.rate, specific_usd_t=usd_t, adds=policy.adds)
                for lane in _lanes(reader, policy, path)
            ]
        case words.PriceFloor() | words.MinimumImportPrice() | words.Undertaking():
            share = 1.0 if isinstance(policy, words.MinimumImportPrice) else policy.exporter_share
            return [
                faces.PriceGap(
                    clause=clause,
                    lane=lane,
                    reference_usd_t=policy.reference * reader.usd_t,
                    levy_on=policy.levy_on,
                    phase=policy.phase,
                    exporter_share=share,
                    dispersion=policy.dispersion,
                )
                for lane in _lanes(reader, policy, path)
            ]
        case words.Ban():
            return [faces.Ban(clause=clause, lane=lane) for lane in _lanes(reader, policy, path)]
        case words.Quota():
            lanes = _lanes(reader, policy, path)
            owner = _owner(reader, policy.owner, lanes, path)
            tonnes = policy.quantity * reader.tonnes
            return [faces.Quota(clause=clause, lane=lane, tonnes=tonnes, owner=owner) for lane in lanes if owner]
        case words.TariffRateQuota():
            lanes = _lanes(reader, policy, path)
            owner = _owner(reader, policy.owner, lanes, path)
            return [
                faces.TariffQuota(
                    clause=clause,
                    lane=lane,
                    tonnes=policy.quantity * reader.tonnes,
                    rate_in=policy.rate_in,
                    rate_out=policy.rate_out,
                    owner=owner,
                )
                for lane in lanes
                if owner
            ]
        case _:
            return _of_producers_and_markets(reader, policy, clause, path)


def _of_producers_and_markets(reader: Reader, policy: words.Policy, clause: str, path: KeyPath) -> list[Wedge]:
    match policy:
        case words.Subsidy() | words.Contract():
            good = reader.good(policy.good, (*path, "good"))
            producers = frozenset(reader.some_countries(policy.producers, (*path, "producers")))
            payers = _payers(reader, policy.payers, (*path, "payers"))
            if good is None or not producers:
                return []
            if isinstance(policy, words.Subsidy):
                usd_t = policy.amount * reader.usd_t
                return [faces.Subsidy(clause=clause, good=good, producers=producers, usd_t=usd_t, payers=payers)]
            return [
                faces.Contract(
                    clause=clause,
                    good=good,
                    producers=producers,
                    strike_usd_t=policy.strike * reader.usd_t,
                    two_way=policy.two_way,
                    claw_back=policy.claw_back,
                    cap_t=None if policy.cap is None else policy.cap * reader.tonnes,
                    payers=payers,
                    dispersion=policy.dispersion,
                )
            ]
        case words.Offtake():
            good = reader.good(policy.good, (*path, "good"))
            exporter = reader.country(policy.exporter, (*path, "from"))
            importer = reader.country(policy.importer, (*path, "to"))
            if good is None or exporter is None or importer is None:
                return []
            tonnes = policy.quantity * reader.tonnes
            return [faces.Offtake(clause=clause, good=good, exporter=exporter, importer=importer, tonnes=tonnes)]
        case words.Corridor():
            lanes = [
                lane
                for number, terms in enumerate(policy.routes)
                for lane in _lanes(reader, terms, (*path, "routes", number))
            ]
            owner = reader.country(policy.owner, (*path, "owner"))
            if owner is None or not lanes:
                return []
            capacity = None if policy.capacity is None else policy.capacity * reader.tonnes
            saving = policy.saving * reader.usd_t
            return [
                faces.Corridor(
                    clause=clause, lanes=tuple(lanes), freight_saving_usd_t=saving, capacity_t=capacity, owner=owner
                )
            ]
        case words.Reserve():
            good = reader.good(policy.good, (*path, "good"))
            country = reader.country(policy.country, (*path, "country"))
            owner = country if policy.owner is None else reader.country(policy.owner, (*path, "owner"))
            if good is None or country is None or owner is None:
                return []
            tonnes = ((policy.buys or 0.0) - (policy.sells or 0.0)) * reader.tonnes
            return [faces.Reserve(clause=clause, good=good, country=country, tonnes=tonnes, owner=owner)]
        case _:
            raise AssertionError(f"a policy without a wedge: {type(policy).__name__}")


def _lanes(reader: Reader, terms: words.Term, path: KeyPath) -> list[Lane]:
    exporters, importers = reader.sides(terms, path)
    named = getattr(terms, "good")  # noqa: B009  every term with two sides names its goods
    goods = reader.some_goods(named, (*path, "good")) if _may_name_many(terms) else _one(reader, named, path)
    if not exporters or not importers:
        return []
    return [Lane(good=good, exporters=frozenset(exporters), importers=frozenset(importers)) for good in goods]


def _may_name_many(terms: words.Term) -> bool:
    return not isinstance(
        terms, words.Quota | words.TariffRateQuota | words.PriceFloor | words.MinimumImportPrice | words.Undertaking
    )


def _one(reader: Reader, named: object, path: KeyPath) -> tuple[str, ...]:
    good = reader.good(named, (*path, "good"))
    return () if good is None else (good,)


def _owner(reader: Reader, owner: object, lanes: list[Lane], path: KeyPath) -> str | None:
    """Who takes the rent: a country, or the one country on that side of the lanes."""
    if owner not in ("exporter", "importer"):
        return reader.country(owner, (*path, "owner"))
    lanes_across = [
        (exporter, importer)
        for lane in lanes
        for exporter, importer in product(lane.exporters, lane.importers)
        if exporter != importer
    ]
    sides = {lane[0] if owner == "exporter" else lane[1] for lane in lanes_across}
    if len(sides) > 1:
        reader.refuse(
            "no-owner", (*path, "owner"), f"there are {len(sides)} {owner}s", "name the country that takes the rent"
        )
    return next(iter(sides)) if len(sides) == 1 else None


def _payers(reader: Reader, payers: Mapping[str, float] | None, path: KeyPath) -> tuple[tuple[str, float], ...]:
    if payers is None:
        return ()
    known = [(code, share) for code, share in payers.items() if reader.country_key(code, (*path, code)) is not None]
    total = sum(payers.values())
    if abs(total - 1.0) > 1e-9:
        reader.refuse("shares", path, f"the payers' shares add to {total:g}, not to 1")
    return tuple(known)


def _schedule(
    reader: Reader, policy: words.TariffSchedule, clause: str, path: KeyPath, duties: Mapping[Route, object]
) -> list[Wedge]:
    wedges: list[Wedge] = []
    listed: set[Route] = set()
    for number, terms in enumerate(policy.duties):
        for lane in _lanes(reader, terms, (*path, "duties", number)):
            usd_t = terms.specific * reader.usd_t
            wedges.append(faces.Tariff(clause=clause, lane=lane, rate=terms.rate, specific_usd_t=usd_t))
            listed |= set(product((lane.good,), lane.exporters, lane.importers))
    for good, exporter, importer in duties:
        if (good, exporter, importer) not in listed:
            lane = Lane(good=good, exporters=frozenset((exporter,)), importers=frozenset((importer,)))
            wedges.append(faces.Tariff(clause=clause, lane=lane))
    return wedges


# -- policies that cannot hold together ---------------------------------------------------------------------------------


def check_offtakes(reader: Reader, stated: list[Stated]) -> None:
    """Offtakes against the quotas on their lanes. A ban is never refused: it ends the shipments of an offtake too."""
    offtakes = [item.wedge for item in stated if isinstance(item.wedge, faces.Offtake)]
    for item in stated:
        if isinstance(item.wedge, faces.Quota):
            _against_offtakes(reader, item.wedge, item.path, offtakes)


def check_producers(
    reader: Reader, stated: list[Stated], capacity_t: Mapping[tuple[str, str], float], routes: set[Route]
) -> None:
    """Offtakes against routes and capacities; support for producers who make nothing.

    Parameters
    ----------
    capacity_t : (good, country) -> tonnes a year that its producers can make at most, inf where nothing limits them
    routes : (good, exporter, importer) that trade or could
    """
    taken: dict[tuple[str, str], float] = {}
    capped: set[tuple[str, str]] = set()
    for item in stated:
        wedge, path = item.wedge, item.path
        if isinstance(wedge, faces.Contract) and wedge.cap_t is not None:
            covered = {(wedge.good, country) for country in wedge.producers}
            for good, country in sorted(covered & capped):
                message = f"{good} of {country} stands under two contracts with a cap: which tonnes come first is open"
                reader.refuse("two-caps", (*path, "cap"), message, "one contract for each producer")
            capped |= covered
        if isinstance(wedge, faces.Subsidy | faces.Contract):
            makers = [country for country in wedge.producers if (wedge.good, country) in capacity_t]
            who = " or ".join(sorted(wedge.producers))
            if not makers:
                reader.refuse("no-producer", (*path, "producers"), f"nobody makes {wedge.good} in {who}")
        if not isinstance(wedge, faces.Offtake):
            continue
        seller = (wedge.good, wedge.exporter)
        if seller not in capacity_t:
            reader.refuse("no-producer", (*path, "from"), f"{wedge.exporter} makes no {wedge.good}")
            continue
        if (*seller, wedge.importer) not in routes:
            message = f"no route brings {wedge.good} from {wedge.exporter} to {wedge.importer}"
            reader.refuse(
                "no-route", (*path, "to"), message, "a link that does not trade in the base is stated under `latent`"
            )
        taken[seller] = taken.get(seller, 0.0) + wedge.tonnes
        if taken[seller] > capacity_t[seller] * (1.0 + 1e-9):
            asked, able = taken[seller] / reader.tonnes, capacity_t[seller] / reader.tonnes
            message = f"offtakes of {asked:g} exceed the capacity of {able:g} for {wedge.good} in {wedge.exporter}"
            reader.refuse("above-capacity", (*path, "quantity"), message)


def _against_offtakes(reader: Reader, wedge: faces.Quota, path: KeyPath, offtakes: list[faces.Offtake]) -> None:
    lane = wedge.lane
    bound = sum(
        offtake.tonnes
        for offtake in offtakes
        if offtake.good == lane.good
        and offtake.exporter in lane.exporters
        and offtake.importer in lane.importers
        and offtake.exporter != offtake.importer
    )
    if wedge.tonnes < bound * (1.0 - 1e-9):
        allowed, owed = wedge.tonnes / reader.tonnes, bound / reader.tonnes
        message = f"a quota of {allowed:g} is below the offtakes of {owed:g} on the same lane"
        reader.refuse("below-offtake", (*path, "quantity"), message)
