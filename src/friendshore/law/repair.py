"""What would take a finding away, and what does it cost in effect?

Each repair is a patch on the agreement's own file: it is read, cleared and screened like any draft, so that the frontier
between legal exposure and effect rests on the same market and the same rules. A repair that others have to grant (a waiver, a
raised binding) is written into the text as what it waits for, and stands aside from the frontier.
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
from friendshore.errors import FriendshoreError, InputRefused
from friendshore.faces import Wedge
from friendshore.law import amend
from friendshore.law.amend import Draft, Patches, PatchText, from_abroad
from friendshore.law.examine import Examined, examine
from friendshore.law.screen.judge import Screening
from friendshore.law.screen.law import Law, shipped
from friendshore.marked import read_marked
from friendshore.mean_price import bought
from friendshore.outcome import Outcome
from friendshore.run import DEFAULT, Assumptions, clear_network, compile_world, measures
from friendshore.world.tables import World

if TYPE_CHECKING:
    from friendshore.agreement.document import Agreement

WEIGHTS: dict[str, float] = {
    "breach likely": 3.0,
    "needs justification": 2.0,
    "exposed to challenge": 1.0,
}  # of a finding, by grade
SLIGHT_PCT = 0.02  # an effect on output smaller than this is none that a repair could keep a part of
BARE = "drop_measures"  # the draft without what raises a finding: from it the effect that a repair keeps is measured


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
    """One package of repairs, read, cleared and screened. `counts` are findings by grade, one for each territory bound;
    `granted` is what others would have to give."""

    id: str
    words: str
    patches: Patches
    granted: tuple[str, ...]
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
            "granted": list(self.granted),
            "findings": dict(self.counts),
            "exposure": self.exposure,
            "effect": None if self.effect is None else self.effect.document(),
            "kept_pct": self.kept_pct,
            "frontier": self.frontier,
            "patches": [_plain(patch) for patch in self.patches],
            "refused": self.refused,
        }


def _plain(value: Any) -> Any:
    """A patch as JSON values: days become text."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value.isoformat() if isinstance(value, date) else value


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
    held: Law | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> Frontier:
    """The frontier between legal exposure and effect of an agreement and its mechanical repairs.

    Parameters
    ----------
    source : the preset or file that `deal` was read from; patches are made on it
    party : repair only what binds this country or customs union
    held : the law in the place of what ships

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
        return examine(
            world, draft, as_of=day, party=party, assume=assume, shocks=shocks, before=quo, network=network, held=held
        )

    first = look(deal)
    goods = _goods(first.screening)
    draft = _draft(deal, first, world, held or shipped())
    stands = Package("as_drafted", "as drafted", lambda _: ())
    found = [_repaired(stands, (), first, goods, quo, first.parties)]
    for package, patches in proposed(draft):
        progress(package.words)
        try:
            seen = look(amended(source, patches, world, options=bool(deal.options)))
            found.append(_repaired(package, patches, seen, goods, quo, first.parties))
        except FriendshoreError as stuck:
            found.append(_refused(package, patches, str(stuck).splitlines()[0]))
    return Frontier(deal.title, day, party, goods, tuple(_marked(found)))


def repaired_text(
    world: World,
    source: str | Path,
    deal: Agreement,
    package: str,
    *,
    as_of: date | None = None,
    party: str | None = None,
    assume: Assumptions = DEFAULT,
    shocks: Iterable[Wedge] = (),
    held: Law | None = None,
) -> str:
    """One package of repairs as a scenario file; only the draft itself is cleared and screened.

    Raises
    ------
    InputRefused   a package that the findings do not ask for;  InputRefused, MarketError   as `examine`
    """
    seen = examine(world, deal, as_of=as_of, party=party, assume=assume, shocks=shocks, held=held)
    found = {each.id: patches for each, patches in proposed(_draft(deal, seen, world, held or shipped()))}
    if package not in found:
        asked = package in {each.id for each in PACKAGES}
        said = "the findings do not ask for it" if asked else "there is none of that name"
        hint = (
            "the packages here are " + ", ".join(found) if found else "nothing is raised, so there is nothing to repair"
        )
        raise InputRefused.because("unknown-package", f"no package {package!r}: {said}", path="--write", hint=hint)
    return scenario_text(source, found[package], options=bool(deal.options))


def _draft(deal: Agreement, seen: Examined, world: World, held: Law) -> Draft:
    return Draft(deal, seen, world, held.commitments, held.obligations)


def amended(source: str | Path, patches: Sequence[PatchText], world: World, *, options: bool = False) -> Agreement:
    """The agreement of a file with patches made on it, read as strictly as any other; `options`: it has alternatives.

    Raises
    ------
    InputRefused   a patch that cannot be made, or terms that do not hold together
    """
    path = document.find(source)
    text = scenario_text(source, patches, options=options)
    return document.read(document.unfolded(read_marked(text, name="repair"), path.parent), world)


def _left(*, options: bool) -> Patches:
    """What a repaired text leaves behind: examples, and alternatives, that stand on the clauses as they were."""
    return ({"set": "tests", "to": []}, *(({"set": "options", "to": {}},) if options else ()))


def scenario_text(source: str | Path, patches: Sequence[PatchText], *, options: bool = False) -> str:
    """A scenario file that makes the patches, for whoever wants to keep a repair; `options`: the text has alternatives."""
    path = document.find(source)
    named = str(source) if str(source) in document.presets() else path.name
    held = {"scenario": f"{path.stem}, repaired", "agreement": named, "patches": [*patches, *_left(options=options)]}
    return yaml.dump(held, Dumper=_Plain, sort_keys=False, allow_unicode=True, width=120)


class _Plain(yaml.SafeDumper):
    """Writes every value out: the reader refuses references."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


# -- packages ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Package:
    """Repairs that are made together. `granted` names what others would have to give."""

    id: str
    words: str
    make: Callable[[Draft], Patches]
    granted: tuple[str, ...] = ()


PACKAGES = (
    Package("exempt_partners", "exempt free-trade partners", amend.exempt_partners),
    Package(
        "cap_at_binding",
        "a duty inside the bound rate in place of the floor, where the binding is known",
        amend.cap_at_binding,
    ),
    Package("undertaking", "floors as undertakings of the largest outsider", amend.undertaking),
    Package("extend_to_all", "all origins and destinations alike", amend.extend_to_all),
    Package("subsidy_instead", "pay producers the gap in place of the floors", amend.subsidy_instead),
    Package("contract_instead", "settle the gap by two-way contracts in place of the floors", amend.contract_instead),
    Package(
        "cap_and_subsidy",
        "a duty inside the bound rate, and the gap paid",
        lambda draft: _both(
            amend.leaving(draft),
            amend.capped_duties(draft, (*draft.raised("floors"), *draft.raised("tariffs"))),
            amend.gap_paid(draft, {"kind": "one_way"}),
        ),
    ),
    Package(
        "subsidy_no_area",
        "pay producers the gap, no preference",
        lambda draft: _both(amend.subsidy_instead(draft), amend.without_preference(draft)),
    ),
    Package(
        "attach_to_agreement", "the preference inside existing free trade agreements only", amend.attach_to_agreement
    ),
    Package("area_for_all", "the preference for all members of the WTO", amend.preference_for_all),
    Package("act_as_union", "the whole customs union in the place of its member", amend.act_as_union),
    Package("tax_instead", "export taxes in place of limits on quantity", amend.tax_instead),
    Package("limit_at_home", "use at home limited as exports are", amend.limit_at_home),
    Package("temporary", "limits on exports for a year", amend.temporary),
    Package("open_standard", "the standard open to every origin that meets it", amend.open_standard),
    Package("voluntary_standard", "the standard voluntary", amend.voluntary_standard),
    Package("open_to_all", "routes and purchases open to all on equal terms", amend.open_to_all),
    Package("published", "the method published, with notice and appeal", amend.REPAIRS["publish_method"]),
    Package("notified", "aid notified, and paid once it is approved", amend.REPAIRS["notify"]),
    Package("by_statute", "joint conduct of firms ordered by a statute", amend.REPAIRS["by_statute"]),
    Package(
        "together",
        "contracts for floors, the preference inside existing agreements, and every repair that leaves the rest as it is",
        lambda draft: composed(
            amend.contract_instead(draft) or amend.cap_at_binding(draft),
            amend.attach_to_agreement(draft),
            amend.act_as_union(draft),
            amend.tax_instead(draft),
            amend.limit_at_home(draft),
            amend.voluntary_standard(draft),
            amend.open_standard(draft),
            amend.open_to_all(draft),
            amend.stated(draft, "publish_method", "notify", "by_statute"),
        ),
    ),
    Package(BARE, "leave floors, duties, quotas, controls and standards out", amend.leave_out),
    Package(
        "renegotiate", "the draft, once the bindings have been raised", amend.REPAIRS["renegotiate"], ("renegotiate",)
    ),
    Package(
        "waiver",
        "the draft, once a waiver is given, its method published",
        lambda draft: amend.stated(draft, "waiver", "publish_method"),
        ("waiver",),
    ),
)


def _both(*parts: Patches) -> Patches:
    """All parts one after the other; nothing where one of them has nothing to propose."""
    return tuple(patch for part in parts for patch in part) if all(parts) else ()


def composed(*parts: Patches) -> Patches:
    """Repairs one after the other; what would change, or take the place of, a clause that an earlier one took away falls out."""
    gone: set[str] = set()
    made: list[PatchText] = []
    for part in parts:
        before = frozenset(gone)
        for patch in part:
            target = patch.get("change", patch.get("drop"))
            instead = str(patch["value"]["id"]) if isinstance(patch.get("value"), Mapping) else ""
            if target in before or any(instead.startswith(f"{name}.") for name in before):
                continue
            if "drop" in patch:
                gone.add(str(target))
            made.append(patch)
    return tuple(made)


def proposed(draft: Draft) -> tuple[tuple[Package, Patches], ...]:
    """The packages that the findings of a draft ask for, with what each writes; two that write the same are one, and one that
    only leaves the measures out goes by that name."""
    found: list[tuple[Package, Patches]] = []
    bare = amend.leave_out(draft)
    for package in PACKAGES:
        patches = package.make(draft)
        if patches == bare and package.id != BARE:
            continue
        if patches and not any(patches == held for _, held in found):
            found.append((package, patches))
    return tuple(found)


# -- effect -----------------------------------------------------------------------------------------------------------------


def _repaired(
    package: Package, patches: Patches, seen: Examined, goods: tuple[str, ...], quo: Outcome, parties: frozenset[str]
) -> Repaired:
    counts = dict.fromkeys((*WEIGHTS, "not examined"), 0)
    for one in seen.screening.findings:
        if one.grade in counts:
            counts[one.grade] += len(one.bound)
    return Repaired(
        id=package.id,
        words=package.words,
        patches=patches,
        granted=package.granted,
        screening=seen.screening,
        counts=counts,
        exposure=sum(weight * counts[grade] for grade, weight in WEIGHTS.items()),
        effect=_effect(quo, seen.after or quo, goods, parties),  # nothing left of the text leaves the status quo
    )


def _refused(package: Package, patches: Patches, why: str) -> Repaired:
    return Repaired(
        id=package.id,
        words=package.words,
        patches=patches,
        granted=package.granted,
        screening=None,
        counts={},
        exposure=float("inf"),
        effect=None,
        refused=why,
    )


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
    """Change of what the parties' buyers pay for the goods together, per cent, by what each took in the base year."""
    taken = pl.col("good").is_in(list(goods)) & pl.col("country").is_in(sorted(parties))
    paid = [bought(outcome).filter(taken).select(pl.col("usd_t").dot("weight_t")).item() for outcome in (before, after)]
    return 100.0 * (paid[1] / paid[0] - 1.0) if paid[0] else 0.0


def _largest_share(outcome: Outcome, goods: Sequence[str], parties: frozenset[str]) -> float:
    rows = from_abroad(outcome, goods, parties)
    total = float(rows["usd"].sum())
    outside = rows.filter(~pl.col("exporter").is_in(sorted(parties)))
    return 100.0 * float(outside["usd"][0]) / total if total > 0 and outside.height else 0.0


def _marked(found: list[Repaired]) -> Iterable[Repaired]:
    """How much of the draft's effect on output each keeps, and which no other beats in both exposure and output.

    kept = (output under the package - output without the measures) / (output under the draft - output without the measures)

    What others would have to give stands aside.
    """
    effects = {each.id: each.effect for each in found}
    drafted, bare = effects["as_drafted"], effects.get(BARE)
    able = [each for each in found if each.effect is not None and not each.granted]
    for each in found:
        kept = None
        if each.effect is not None and drafted is not None and bare is not None:
            whole = drafted.output_pct - bare.output_pct
            kept = 100.0 * (each.effect.output_pct - bare.output_pct) / whole if abs(whole) > SLIGHT_PCT else None
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
