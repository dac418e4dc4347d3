"""What the clauses of an agreement do, as facts about one territory at a time.

Takes the promises that instruments make (`faces.Promise`), the world, and two cleared markets (status quo and agreement on
the same day), and puts numbers to them: who is burdened and with what trade, how high the levy is against the bound rate.
It knows no instrument: the kinds of act are words.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, NamedTuple

from friendshore.faces import Ban, ExportTax, Promise, Quota
from friendshore.law.screen.commitments import EUROPEAN_UNION, Binding, Commitments
from friendshore.law.screen.facts import Fact, Hit, Value
from friendshore.outcome import Outcome
from friendshore.world import status_quo
from friendshore.world.tables import World

if TYPE_CHECKING:
    import polars as pl

IMPORTS = frozenset({
    "import_duty", "price_requirement", "price_undertaking", "tariff_quota", "import_restriction", "other_charge",
    "customs_value", "origin_rule", "technical_requirement", "standards_premium", "preference",
})  # fmt: skip
EXPORTS = frozenset({"export_restriction", "export_freedom", "export_price", "transit"})
BENEFITS = frozenset({"export_freedom", "purchase_commitment", "transit"})  # `affected` are those who gain
DUTIES = frozenset(
    {"import_duty", "tariff_quota"}
)  # what the treasury takes; under a minimum price the seller keeps the gap
SUPPORT = ("contract", "subsidy")
STATED = {  # what a page says of a fact that the text itself states
    ("published", "yes"): "the text has the method published, with notice and appeal",
    ("notified", "yes"): "the text makes it wait for notification and approval",
    ("investigation", "yes"): "the text rests it on an investigation",
    ("emergency", "yes"): "the text rests it on war or another emergency in international relations",
    ("military", "yes"): "the text rests it on supplies of armed forces",
    ("waiver", "yes"): "the text makes it wait for a waiver",
    ("renegotiated", "yes"): "the text makes it wait for a renegotiated binding",
    ("open_to_all", "yes"): "the text opens it to all on equal terms",
    ("by_statute", "yes"): "the text makes it wait for a statute or an exemption",
    ("permanent", "yes"): "no end is stated",
    ("permanent", "no"): "it ends on a stated day",
}
TINY = 1e-9
SHOWN = 4  # origins named in a fact, the largest first


class Row(NamedTuple):
    """One route in the world, the status quo and the agreement. Tonnes a year, USD per contained tonne."""

    good: str
    exporter: str
    importer: str
    base_t: float
    before_t: float
    after_t: float
    value_usd_t: float  # cif under the status quo
    customs_before_usd_t: float  # customs value under the status quo
    customs_usd_t: float  # customs value under the agreement
    duty_before_pct: float
    duty_after_pct: float
    levy_usd_t: float


@dataclass(frozen=True)
class Measure:
    """One kind of act of one clause at the border, or in the territory, of one party.

    `lanes` pairs each good with the countries that the promise names; `facts` are what is known about it.
    """

    clause: str
    article: str
    title: str
    touches: str
    territory: str
    members: frozenset[str]
    lanes: tuple[tuple[str, frozenset[str]], ...]
    facts: tuple[Fact, ...] = ()
    rows: tuple[Row, ...] = field(default=(), repr=False)
    favoured: frozenset[str] = frozenset()
    burdened: frozenset[str] = frozenset()
    illustrative: bool = False
    whole: bool = True  # its quantities are this territory's alone
    stated: bool = False  # by hand: those it burdens are taken to trade

    @property
    def goods(self) -> tuple[str, ...]:
        """The goods, in the order of the promise."""
        return tuple(dict.fromkeys(good for good, _ in self.lanes))

    @property
    def values(self) -> dict[str, Value]:
        """The facts by name."""
        return {fact.name: fact.value for fact in self.facts}


@dataclass(frozen=True, kw_only=True)
class Market:
    """The world and the two cleared markets that facts are taken from, indexed once."""

    world: World
    before: Outcome
    after: Outcome
    day: date
    commitments: Commitments
    parties: frozenset[str]
    course: Callable[[str, str], Sequence[tuple[date, float]]] = lambda clause, territory: ()
    titles: Mapping[str, tuple[str, str, bool]] = field(default_factory=dict)
    stated: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # clause -> what its text states, by fact

    def __post_init__(self) -> None:
        world = self.world
        object.__setattr__(self, "territory", dict(world.countries.select("code", "territory").iter_rows()))
        remainder = world.countries["remainder"].fill_null(value=False)
        object.__setattr__(self, "remainders", frozenset(world.countries.filter(remainder)["code"]))
        object.__setattr__(self, "names", _names(world))
        codes = {good: tuple((hs or "").split("+")) for good, hs in world.goods.select("id", "hs6").iter_rows()}
        object.__setattr__(self, "codes", codes)
        object.__setattr__(self, "minerals", dict(world.goods.select("id", "mineral").iter_rows()))
        object.__setattr__(self, "rows", _rows(self))
        object.__setattr__(self, "controls", _controls(world, self.day))
        object.__setattr__(self, "imports", {good: _imported(self, rows) for good, rows in self.rows.items()})

    territory: Mapping[str, str] = field(init=False)
    remainders: frozenset[str] = field(init=False)
    names: Mapping[str, str] = field(init=False)
    codes: Mapping[str, tuple[str, ...]] = field(init=False)
    minerals: Mapping[str, str] = field(init=False)
    rows: Mapping[str, tuple[Row, ...]] = field(init=False)
    controls: frozenset[tuple[str, str]] = field(init=False)
    imports: Mapping[str, tuple[float, float]] = field(init=False)

    def home(self, country: str) -> str:
        """The customs territory of a country."""
        return self.territory.get(country) or country

    def name(self, code: str) -> str:
        """What people call a country or territory."""
        return self.names.get(code, code)

    def is_member(self, country: str) -> bool:
        """Whether a country is a member of the WTO on the day; a remainder of a region counts as none."""
        return country not in self.remainders and self.commitments.is_member(country, self.day)


def _names(world: World) -> dict[str, str]:
    found = dict(world.territories.select("code", "name").iter_rows())
    return found | dict(world.countries.select("code", "name").iter_rows())


def _controls(world: World, day: date) -> frozenset[tuple[str, str]]:
    """Goods and countries whose exports are taxed, licensed, rationed or forbidden on the day."""
    import polars as pl

    taxed = world.routes.filter((pl.col("export_tax") > 0) | (pl.col("export_tax_usd_t") > 0))
    found = set(taxed.select("good", "exporter").unique().iter_rows())
    for wedge in (*status_quo.base_wedges(world), *status_quo.wedges(world, day)):
        if isinstance(wedge, Quota | Ban | ExportTax):
            found |= {(wedge.lane.good, exporter) for exporter in wedge.lane.exporters}
    return frozenset(found)


def _rows(market: Market) -> dict[str, tuple[Row, ...]]:
    """Every route of both outcomes, by good."""
    fob = set(market.world.territories.filter(market.world.territories["duty_base"] == "fob")["code"])
    freight = {
        (good, exporter, importer): usd_t or 0.0
        for good, exporter, importer, usd_t in market.world.routes.select(
            "good", "exporter", "importer", "freight_usd_t"
        ).iter_rows()
    }
    at_fob = {code for code in market.territory if market.home(code) in fob}
    found: dict[str, list[Row]] = defaultdict(list)
    for good, exporter, importer, base, t0, cif0, duty0, levy0, t1, cif1, duty1, levy1 in _joined(
        market.before, market.after
    ).iter_rows():
        carried = freight.get((good, exporter, importer), 0.0) if importer in at_fob else 0.0
        value0, value1 = cif0 - carried, cif1 - carried
        found[good].append(
            Row(
                good,
                exporter,
                importer,
                base,
                t0,
                t1,
                cif0,
                value0,
                value1,
                100.0 * (duty0 + levy0) / value0 if value0 > 0 else 0.0,
                100.0 * (duty1 + levy1) / value1 if value1 > 0 else 0.0,
                levy1,
            )
        )
    return {good: tuple(rows) for good, rows in found.items()}


def _imported(market: Market, rows: Iterable[Row]) -> tuple[float, float]:
    """Imports of a good from another territory under the status quo, USD a year: of the parties, and of the world."""
    home = {code: territory or code for code, territory in market.territory.items()}
    abroad = [row for row in rows if home.get(row.exporter) != home.get(row.importer)]
    inside = sum(row.before_t * row.value_usd_t for row in abroad if row.importer in market.parties)
    return inside, sum(row.before_t * row.value_usd_t for row in abroad)


def _joined(before: Outcome, after: Outcome) -> pl.DataFrame:
    keys = ["good", "exporter", "importer"]
    columns = ["t", "cif_usd_t", "duty_usd_t", "levy_usd_t"]
    return before.flows.select(*keys, "base_t", *columns).join(
        after.flows.select(*keys, *columns), on=keys, suffix="_after"
    )


def measures(promises: Iterable[Promise], market: Market) -> tuple[Measure, ...]:
    """What each clause does in each territory that it binds, with the facts that the market and the commitments hold."""
    lanes: dict[
        tuple[str, str, str, tuple[tuple[str, str], ...]], dict[str, tuple[frozenset[str], frozenset[str]]]
    ] = {}
    for promise in promises:
        by_home: dict[str, set[str]] = defaultdict(set)
        for country in sorted(promise.bound):
            by_home[market.home(country)].add(country)
        terms = tuple((key, value) for key, value in promise.facts if key not in ("reference_usd_t", "phase"))
        for home, members in by_home.items():
            held = lanes.setdefault((promise.clause, promise.touches, home, terms), {})
            for good in promise.goods:
                known = held.get(good, (frozenset(), frozenset()))
                held[good] = (known[0] | promise.affected, known[1] | frozenset(members))
    references = _references(promises)
    acting: dict[tuple[str, str], set[str]] = defaultdict(set)
    for clause, touches, home, _ in lanes:
        acting[clause, touches].add(home)
    found = []
    for (clause, touches, home, terms), goods in lanes.items():
        article, title, illustrative = market.titles.get(clause, ("", "", False))
        bare = Measure(
            clause=clause,
            article=article,
            title=title,
            touches=touches,
            territory=home,
            members=frozenset().union(*(members for _, members in goods.values())),
            lanes=tuple((good, affected) for good, (affected, _) in goods.items()),
            facts=tuple(_term(home, key, value) for key, value in terms),
            illustrative=illustrative,
            whole=len(acting[clause, touches]) == 1,
        )
        found.append(_with_facts(bare, market, references))
    return tuple(found)


def _term(home: str, key: str, value: str) -> Fact:
    return Fact(f"term.{key}", home, value, f"{key.replace('_', ' ')}: {value.replace('_', ' ')}", "the agreement")


def _references(promises: Iterable[Promise]) -> dict[tuple[str, str], tuple[float, str]]:
    """Clause and good -> reference price in USD per contained tonne and what it is compared with."""
    return {
        (promise.clause, promise.goods[0]): (float(terms["reference_usd_t"]), terms.get("levy_on", ""))
        for promise in promises
        if "reference_usd_t" in (terms := dict(promise.facts))
    }


def _with_facts(bare: Measure, market: Market, references: Mapping[tuple[str, str], tuple[float, str]]) -> Measure:
    """The measure with who is burdened, the trade, the levy against the binding, and the rest that is known."""
    others = frozenset(market.territory) - bare.members
    named = frozenset().union(*(affected for _, affected in bare.lanes))
    favoured = (named if bare.touches in BENEFITS else others - named) - bare.members
    burdened = (others - named if bare.touches in BENEFITS else named) - bare.members
    rows = tuple(_touched(bare, market))
    measure = replace(bare, favoured=favoured, burdened=burdened, rows=rows)
    said = [
        Fact(name, bare.territory, value, STATED.get((name, value), ""), "the agreement")
        for name, value in market.stated.get(bare.clause, {}).items()
    ]
    facts = [*bare.facts, *said, *_who(measure, market), *_trade(measure, market)]
    if bare.touches in DUTIES:
        facts += _levy(measure, market, references)
    facts += _other(measure, market)
    return replace(measure, facts=tuple(facts))


def _touched(measure: Measure, market: Market) -> Iterator[Row]:
    """The routes whose trade the measure burdens: imports from, or exports to, those it does not spare."""
    for good, affected in measure.lanes:
        burdened = frozenset(market.territory) - affected if measure.touches in BENEFITS else affected
        for row in market.rows.get(good, ()):
            inner, outer = (row.exporter, row.importer) if measure.touches in EXPORTS else (row.importer, row.exporter)
            if inner in measure.members and outer in burdened and market.home(outer) != measure.territory:
                yield row


def _who(measure: Measure, market: Market) -> list[Fact]:
    """Which members of the WTO are burdened, which are spared, and what binds the spared to the territory."""
    who = measure.territory
    spared = {market.home(country) for country in measure.favoured if market.is_member(country)}
    burdened = {country for country in measure.burdened if market.is_member(country)}
    without = sorted(
        home for home in spared if market.commitments.free_trade(who, home, market.day) is None and home != who
    )
    far = (row.importer if measure.touches in EXPORTS else row.exporter for row in measure.rows if row.base_t > TINY)
    sold = set(far) & burdened
    found = [
        Fact(
            "origins",
            who,
            "some" if spared and burdened else "all",
            f"goods of {len(spared)} WTO members or customs territories escape, goods of {len(burdened)} WTO members do not"
            if spared
            else f"goods of all {len(burdened)} other WTO members of the world's list are treated alike",
            "wto.members",
        ),
        Fact("burdened_members", who, float(len(burdened)), f"{len(burdened)} WTO members burdened", "wto.members"),
        Fact(
            "burdened_sellers", who, float(len(sold)), f"{len(sold)} of them traded the goods in the base year", "world"
        ),
        Fact(
            "spared_members", who, float(len(spared)), f"{len(spared)} WTO members or territories spared", "wto.members"
        ),
        Fact(
            "spared_without_agreement",
            who,
            float(len(without)),
            "no free trade agreement in force with "
            + (", ".join(market.name(code) for code in without[:8]) + (" and others" if len(without) > 8 else ""))
            if without
            else "every territory spared has a free trade agreement or customs union in force with it",
            "wto.rta",
        ),
    ]
    union = next(
        (
            one
            for one in market.commitments.unions
            if who in one.parties and who != EUROPEAN_UNION and measure.touches in IMPORTS
        ),
        None,
    )
    if union is not None:
        missing = [code for code in union.parties if code not in market.parties and code in market.territory]
        if missing:
            found.append(
                Fact("in_union_alone", who, "yes", f"{union.name}: {_list(market, missing)} not bound", union.source)
            )
    states = frozenset(code for code, home in market.territory.items() if home == who)
    if who == EUROPEAN_UNION and states - measure.members and measure.touches in IMPORTS | EXPORTS:
        text = f"{len(measure.members)} of {len(states)} member states of the customs union are bound"
        found.append(Fact("in_union_alone", who, "yes", text, "TFEU 28, 207"))
    return found


def _trade(measure: Measure, market: Market) -> list[Fact]:
    """Trade in dollars and tonnes that the measure burdens, with the countries that it hits most."""
    if not measure.rows:
        return []
    who = measure.territory
    out = measure.touches in EXPORTS
    usd: dict[str, float] = defaultdict(float)
    for row in measure.rows:
        usd[row.importer if out else row.exporter] += row.before_t * row.value_usd_t
    total = sum(usd.values())
    largest = sorted(usd, key=lambda code: (-usd[code], code))[:SHOWN]
    most = ", ".join(f"{market.name(code)} {_money(usd[code])}" for code in largest if usd[code] > 0)
    tonnes, after = sum(row.before_t for row in measure.rows), sum(row.after_t for row in measure.rows)
    base = sum(row.base_t for row in measure.rows)
    cleared = f"market cleared at {market.day.isoformat()}"
    return [
        Fact(
            "trade_usd",
            who,
            total,
            f"trade burdened {_money(total)} a year under the status quo" + (f": {most}" if most else ""),
            cleared,
        ),
        Fact(
            "trade_t", who, tonnes, f"{_tonnes(tonnes)} a year ({_tonnes(base)} in the base year)", cleared + "; world"
        ),
        Fact("trade_after_t", who, after, f"{_tonnes(after)} a year under the agreement", cleared),
    ]


def _levy(measure: Measure, market: Market, references: Mapping[tuple[str, str], tuple[float, str]]) -> list[Fact]:
    """Duty and levy by origin as an ad valorem equivalent, against the bound rate and the duty before."""
    who = measure.territory
    live = [row for row in measure.rows if row.base_t > TINY]
    levy = sum(row.levy_usd_t * row.after_t for row in live)
    cleared = f"market cleared at {market.day.isoformat()}"
    found = [
        Fact("levy_usd", who, levy, f"levy collected {_money(levy)} a year", cleared),
        Fact(
            "live_origins",
            who,
            float(len({row.exporter for row in live})),
            "" if live else "nobody burdened sells the goods there today",
            "world",
        ),
    ]
    if live:
        top = max(live, key=lambda row: (row.duty_after_pct - row.duty_before_pct, row.before_t))
        added = top.duty_after_pct - top.duty_before_pct
        text = (
            f"duty and levy up to {top.duty_after_pct:.1f} % of customs value ({top.good} from {market.name(top.exporter)}; "
            f"{top.duty_before_pct:.1f} % before); points added by origin: {_by_origin(live, market)}"
            if added > 1e-6
            else "the agreement adds nothing to the duty at the cleared prices"
        )
        found.append(Fact("ave_pct", who, top.duty_after_pct, text, cleared))
        found.append(Fact("added_pct", who, added, "", cleared))
    known, missing = _bindings(measure, market, live, references)
    state = "some" if known and missing else "yes" if known else "no"
    text = f"bound rate not known on {', '.join(missing[:SHOWN])}" if missing else ""
    found.append(Fact("binding_known", who, state, text, "rates"))
    if not known:
        return found
    trading = {row: binding for (_, row), binding in known.items() if row is not None}
    if trading:
        found += _against(measure, market, live, trading)
    else:
        good, binding = next((good, binding) for (good, _), binding in known.items())
        found += [
            Fact("binding", who, binding.basis, f"binding: {binding.text}", binding.source),
            Fact("binding_pct", who, binding.high_pct, f"bound rate {_span(binding)} on {good}", binding.source),
        ]
    return [*found, *_crossing(measure, market, known, references)]


def _bindings(
    measure: Measure,
    market: Market,
    live: list[Row],
    references: Mapping[tuple[str, str], tuple[float, str]],
) -> tuple[dict[tuple[str, Row | None], Binding], list[str]]:
    """The bound rate of every route that trades, at its customs value, and of goods that nobody sells there, at the
    reference price; and the goods on which none is known."""
    found: dict[tuple[str, Row | None], Binding] = {}
    missing: list[str] = []
    for good in measure.goods:
        rows: list[Row | None] = [row for row in live if row.good == good] or [None]
        for row in rows:
            reference = references.get((measure.clause, good))
            usd_t = row.customs_usd_t if row is not None else reference[0] if reference else None
            binding = market.commitments.binding(
                measure.territory, market.codes[good], None if usd_t is None else usd_t / 1000.0
            )
            if binding is not None:
                found[good, row] = binding
            elif good not in missing:
                missing.append(good)
    return found, missing


def _against(measure: Measure, market: Market, live: list[Row], known: Mapping[Row, Binding]) -> list[Fact]:
    """The highest duty and levy against the binding, and the share of shipments beyond it."""
    who = measure.territory
    over = {row: row.duty_after_pct - known[row].high_pct for row in known}
    added = [row for row in known if row.duty_after_pct > row.duty_before_pct + 1e-6]
    worst = max(added or list(known), key=lambda row: (over[row], row.before_t))
    binding = known[worst]
    shipped = sum(row.before_t for row in live)
    beyond = sum(row.before_t for row in added if over[row] > 1e-6)
    found = [
        Fact("binding", who, binding.basis, f"binding: {binding.text}", binding.source),
        Fact("binding_pct", who, binding.high_pct, f"bound rate {_span(binding)} on {worst.good}", binding.source),
        Fact(
            "over_points",
            who,
            over[worst] if added else 0.0,
            f"{over[worst]:.1f} points above the bound rate on {worst.good} from {market.name(worst.exporter)}"
            if added and over[worst] > 0
            else "within the bound rate on every origin that trades",
            f"market cleared at {market.day.isoformat()}; {binding.source}",
        ),
        Fact(
            "over_share_pct",
            who,
            100.0 * beyond / shipped if shipped else 0.0,
            f"exposure index: {100.0 * beyond / shipped if shipped else 0.0:.0f} % of the tonnes shipped",
            "market",
        ),
    ]
    if binding.applied_pct is not None:
        room = binding.high_pct - binding.applied_pct
        found.append(
            Fact("headroom_pct", who, room, f"headroom {room:.1f} points between applied and bound", binding.source)
        )
    return found


def _crossing(
    measure: Measure,
    market: Market,
    known: Mapping[tuple[str, Row | None], Binding],
    references: Mapping[tuple[str, str], tuple[float, str]],
) -> list[Fact]:
    """When the phased gap at the prices of the status quo passes the binding, the world held still; and above which price it fits."""
    first: tuple[date, Row] | None = None
    fits: dict[str, float] = {}
    for (good, row), binding in known.items():
        if (measure.clause, good) not in references:
            continue
        reference, on = references[measure.clause, good]
        fits[good] = reference / (1.0 + binding.high_pct / 100.0)
        gap_pct = 0.0 if row is None else _gap_pct(row, reference, on)
        if row is None or gap_pct <= (room := max(0.0, binding.high_pct - row.duty_before_pct)):
            continue
        crossed = _reached(market.course(measure.clause, measure.territory), room / gap_pct)
        if crossed is not None and (first is None or crossed < first[0]):
            first = (crossed, row)
    found = []
    if first is not None:
        day, row = first
        text = f"passes the binding on {day.isoformat()} ({row.good} from {market.name(row.exporter)}), the world held at its status quo"
        found.append(Fact("crosses_on", measure.territory, day.isoformat(), text, "the agreement; market"))
    for good, price in fits.items():
        text = f"{good}: a levy that follows the price stays inside the binding only above {price:,.0f} USD per contained tonne"
        found.append(Fact("fits_above_usd_t", measure.territory, price, text, "reference / (1 + bound rate)"))
    return found


def _gap_pct(row: Row, reference_usd_t: float, levy_on: str) -> float:
    """The whole gap at the prices of the status quo, as per cent of customs value."""
    value = row.customs_before_usd_t
    if value <= 0:
        return 0.0
    duty = row.duty_before_pct / 100.0 * value if levy_on == "landed_duty_paid" else 0.0
    return 100.0 * max(0.0, reference_usd_t - row.value_usd_t - duty) / value


def _reached(course: Sequence[tuple[date, float]], share: float) -> date | None:
    """The day on which a phase-in first passes a share; between two looks it grows in proportion."""
    last: tuple[date, float] | None = None
    for day, phase in course:
        if phase > share:
            if last is None or phase <= last[1]:
                return day
            part = (share - last[1]) / (phase - last[1])
            return last[0] + timedelta(days=int(part * (day - last[0]).days) + 1)
        last = (day, phase)
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Levied:
    """Duty and levy on one origin at one border, against the bound rate. Per cent of customs value, tonnes and USD a year.

    `over_points` is None where no bound rate is known. `path` is the ad valorem equivalent of duty and levy along the phase-in, the
    world held at the prices of the status quo: a day and a rate, the first of each year and the day of the screening.
    """

    clause: str
    territory: str
    good: str
    exporter: str
    base_t: float
    before_t: float
    after_t: float
    before_usd: float
    levy_usd: float
    duty_before_pct: float
    ave_pct: float
    bound_low_pct: float | None
    bound_high_pct: float | None
    binding: str
    headroom_points: float | None
    over_points: float | None
    path: tuple[tuple[date, float], ...]

    def document(self) -> dict[str, object]:
        """The row as plain JSON values."""
        held = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {**held, "path": [{"day": day.isoformat(), "ave_pct": rate} for day, rate in self.path]}


def levies(found: Iterable[Measure], promises: Iterable[Promise], market: Market) -> tuple[Levied, ...]:
    """Every origin that trades and comes under a duty or levy, territory by territory."""
    references = _references(promises)
    rows: list[Levied] = []
    for measure in found:
        if measure.touches not in DUTIES:
            continue
        by_origin: dict[tuple[str, str], list[Row]] = defaultdict(list)
        for row in measure.rows:
            if row.base_t > TINY:
                by_origin[row.good, row.exporter].append(row)
        rows += [_levied(measure, market, held, references) for held in by_origin.values()]
    return tuple(rows)


def hits(found: Iterable[Measure], market: Market) -> tuple[Hit, ...]:
    """The trade that each measure burdens, country by country, the largest first; those without trade are left out."""
    held: list[Hit] = []
    for measure in found:
        out = measure.touches in EXPORTS
        by_country: dict[str, list[Row]] = defaultdict(list)
        for row in measure.rows:
            by_country[row.importer if out else row.exporter].append(row)
        rows = [
            Hit(
                clause=measure.clause,
                act=measure.touches,
                territory=measure.territory,
                country=country,
                usd=sum(row.before_t * row.value_usd_t for row in theirs),
                before_t=sum(row.before_t for row in theirs),
                after_t=sum(row.after_t for row in theirs),
            )
            for country, theirs in by_country.items()
        ]
        held += sorted((row for row in rows if row.before_t > TINY), key=lambda row: (-row.usd, row.country))
    return tuple(held)


def _levied(
    measure: Measure, market: Market, rows: list[Row], references: Mapping[tuple[str, str], tuple[float, str]]
) -> Levied:
    first = rows[0]
    weight = [row.before_t or TINY for row in rows]

    def mean(values: Iterable[float]) -> float:
        return sum(value * share for value, share in zip(values, weight, strict=True)) / sum(weight)

    before, after = mean(row.duty_before_pct for row in rows), mean(row.duty_after_pct for row in rows)
    value = mean(row.customs_usd_t for row in rows)
    bound = market.commitments.binding(measure.territory, market.codes[first.good], value / 1000.0)
    path: tuple[tuple[date, float], ...] = ()
    if (measure.clause, first.good) in references:
        reference, on = references[measure.clause, first.good]
        gap = mean(_gap_pct(row, reference, on) for row in rows)
        path = tuple(
            (day, before + phase * gap) for day, phase in _yearly(market.course(measure.clause, measure.territory))
        )
    return Levied(
        clause=measure.clause,
        territory=measure.territory,
        good=first.good,
        exporter=first.exporter,
        base_t=sum(row.base_t for row in rows),
        before_t=sum(row.before_t for row in rows),
        after_t=sum(row.after_t for row in rows),
        before_usd=sum(row.before_t * row.value_usd_t for row in rows),
        levy_usd=sum(row.levy_usd_t * row.after_t for row in rows),
        duty_before_pct=before,
        ave_pct=after,
        bound_low_pct=None if bound is None else bound.low_pct,
        bound_high_pct=None if bound is None else bound.high_pct,
        binding="" if bound is None else bound.basis,
        headroom_points=None if bound is None or bound.applied_pct is None else bound.high_pct - bound.applied_pct,
        over_points=None if bound is None else after - bound.high_pct,
        path=path,
    )


def _yearly(course: Sequence[tuple[date, float]]) -> Iterator[tuple[date, float]]:
    """The first look of each year, and the last one."""
    seen: set[int] = set()
    for number, (day, phase) in enumerate(course):
        if day.year not in seen or number == len(course) - 1:
            seen.add(day.year)
            yield day, phase


def _other(measure: Measure, market: Market) -> list[Fact]:
    """What remains: form, support paid, prices outside, share of trade, controls that are there already."""
    who = measure.territory
    terms = {
        fact.name.removeprefix("term."): str(fact.value) for fact in measure.facts if fact.name.startswith("term.")
    }
    found = [Fact("agricultural", who, "no", "minerals, metals and magnets stand outside Annex 1", "Agriculture 2")]
    if terms.get("form") == "adjustable_levy":
        found.append(Fact("variable", who, "yes", "the duty follows the price", "the agreement"))
    elif measure.touches in DUTIES:
        found.append(Fact("variable", who, "no", "the duty does not follow the price", "the agreement"))
    if measure.touches in ("technical_requirement", "standards_premium"):
        mandatory = "yes" if terms.get("access") == "required" else "no"
        found.append(Fact("mandatory", who, mandatory, f"access {terms.get('access', '')}", "the agreement"))
    if measure.touches == "preference":
        found += [
            Fact(
                "minerals_only",
                who,
                "yes",
                "the preference covers minerals, not substantially all trade",
                "the agreement",
            ),
            _share(measure, market),
        ]
    if measure.touches in ("export_freedom", "export_restriction"):
        held = sorted(
            {good for good, country in market.controls if country in measure.members and good in measure.goods}
        )
        text = (
            "restricts or taxes exports today of " + ", ".join(held[:SHOWN])
            if held
            else "no export control of its own on these goods in the status quo"
        )
        found.append(Fact("controls_now", who, "yes" if held else "no", text, "world, status quo"))
    if measure.touches == "export_restriction":
        found += _cuts(measure, market, terms)
    if measure.touches == "producer_subsidy":
        found += _support(measure, market, terms)
    return found


def _cuts(measure: Measure, market: Market, terms: Mapping[str, str]) -> Iterator[Fact]:
    """By how much a quota or licence cuts exports and use at home, against the base year: what XX(g) compares.

    even-handed: 1 - home tonnes / home use >= 1 - tonnes / exports
    """
    if "tonnes" not in terms or not measure.whole:
        return
    who = measure.territory
    at_home = [
        row
        for good in measure.goods
        for row in market.rows.get(good, ())
        if row.exporter in measure.members and row.importer in measure.members
    ]
    sold, used = sum(row.base_t for row in measure.rows), sum(row.base_t for row in at_home)
    each = len(measure.goods)  # a clause allows its tonnes of each of its goods
    out = _cut_pct(each * float(terms["tonnes"]), sold)
    home = _cut_pct(each * float(terms["home_tonnes"]), used) if "home_tonnes" in terms else 0.0
    yield Fact("export_cut_pct", who, out, f"exports cut by {out:.0f} % against the base year", "the agreement; world")
    yield Fact("home_cut_pct", who, home, f"use at home cut by {home:.0f} %", "the agreement; world")
    alike = out > 0.0 and home >= out - 0.01
    yield Fact("even_handed", who, "yes" if alike else "no", "", "the agreement; world")


def _cut_pct(allowed_t: float, base_t: float) -> float:
    return 100.0 * max(0.0, 1.0 - allowed_t / base_t) if base_t > 0 else 0.0


def _share(measure: Measure, market: Market) -> Fact:
    taken = [market.imports[good] for good in measure.goods if good in market.imports]
    inside, world = sum(each[0] for each in taken), sum(each[1] for each in taken)
    share = 100.0 * inside / world if world else 0.0
    return Fact(
        "parties_trade_pct",
        measure.territory,
        share,
        f"the parties take {share:.0f} % of the world's imports of the goods",
        "market",
    )


def _support(measure: Measure, market: Market, terms: Mapping[str, str]) -> list[Fact]:
    import polars as pl

    who = measure.territory
    paid = sum(
        usd
        for country, item, good, usd in market.after.by_good.iter_rows()
        if item in SUPPORT and good in measure.goods
        for _ in [country]
    )
    paid = abs(paid)
    made = pl.col("good").is_in(list(measure.goods)) & pl.col("country").is_in(sorted(measure.members))
    old, new = (float(outcome.output.filter(made)["t"].sum()) for outcome in (market.before, market.after))
    grown = 100.0 * (new / old - 1.0) if old > 0 else 0.0
    fallen = _outside_price(measure, market)
    cleared = f"market cleared at {market.day.isoformat()}"
    return [
        Fact(
            "price_contingent",
            who,
            "yes" if terms.get("kind") in ("one_way", "two_way") else "no",
            f"support {terms.get('kind', '').replace('_', ' ')}",
            "the agreement",
        ),
        Fact(
            "support_usd",
            who,
            paid,
            f"difference and subsidy payments on the good {_money(paid)} a year over all who pay",
            cleared,
        ),
        Fact("output_pct", who, grown, f"output {grown:+.1f} % against the status quo", cleared),
        Fact(
            "world_price_pct",
            who,
            fallen,
            f"mean producer price outside the parties {fallen:+.1f} % under the whole agreement",
            cleared,
        ),
    ]


def _outside_price(measure: Measure, market: Market) -> float:
    def mean(outcome: Outcome) -> float:
        made = {(g, c): t for g, c, t in market.before.output.select("good", "country", "t").iter_rows()}
        total = weight = 0.0
        for good, country, usd_t in outcome.prices.select("good", "country", "usd_t").iter_rows():
            if good in measure.goods and country not in market.parties:
                tonnes = made.get((good, country), 0.0)
                total, weight = total + tonnes * usd_t, weight + tonnes
        return total / weight if weight else 0.0

    old, new = mean(market.before), mean(market.after)
    return 100.0 * (new / old - 1.0) if old else 0.0


# -- words ------------------------------------------------------------------------------------------------------------------


def _by_origin(rows: list[Row], market: Market) -> str:
    """Mean ad valorem equivalent by origin, weighted with the tonnes of the status quo."""
    tonnes: dict[tuple[str, str], float] = defaultdict(float)
    added: dict[tuple[str, str], float] = defaultdict(float)
    for row in rows:
        key = (row.good, row.exporter)
        tonnes[key] += row.before_t
        added[key] += row.before_t * (row.duty_after_pct - row.duty_before_pct)
    mean = {key: added[key] / tonnes[key] for key in tonnes if tonnes[key] > 0 and added[key] > TINY}
    largest = sorted(mean, key=lambda key: (-tonnes[key], key))[:SHOWN]
    return ", ".join(f"{market.name(origin)} +{mean[good, origin]:.0f}" for good, origin in largest) or "no origin pays"


def _list(market: Market, codes: Iterable[str]) -> str:
    return ", ".join(market.name(code) for code in sorted(codes))


def _span(binding: Binding) -> str:
    if binding.low_pct == binding.high_pct:
        return f"{binding.high_pct:g} %"
    return f"{binding.low_pct:g} to {binding.high_pct:g} %"


def _money(usd: float) -> str:
    for size, word in ((1e9, "bn"), (1e6, "m"), (1e3, "k")):
        if abs(usd) >= size:
            return f"{usd / size:.3g} {word} USD"
    return f"{usd:.0f} USD"


def _tonnes(tonnes: float) -> str:
    return f"{tonnes:,.0f} t" if tonnes >= 10 or tonnes == 0 else f"{tonnes:.2g} t"
