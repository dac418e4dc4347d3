"""What applies to one kind of line on one day: rates, layers, reference price and contents as whole numbers.

Lines that share importer, origin, line, good, assay's substance, currency, proof and day share their terms. They are found
here once for each kind, by code that reads like the rule; the multiplication, for millions of lines, is `columns`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import date, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from math import gcd

from friendshore.border.declared_price import UNTESTED, PriceTest, Tested, Value, tested
from friendshore.border.expression import Expression
from friendshore.border.scaled import NANO, fits
from friendshore.border.tariff import Measure, Tariff
from friendshore.faces import Content, Duty, PriceGap

ONE, NOUGHT = Decimal(1), Decimal(0)
RATE_DAYS = 31  # an exchange rate holds until the next, a month at most
SCHEDULE_DAYS = timedelta(days=366)  # a schedule is a year's; used beyond, it says so
RATE_MAX = Decimal(9)  # 900 per cent; what is charged beyond is probably a slip
NO_MASS, NET_MASS, CONTAINED = 0, 1, 2
SUM, LOWER, HIGHER = 0, 1, 2
EXTRAS = ("section_301", "section_232", "section_122", "surcharge")
OTHER = "other"  # a good that no clause reaches
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")  # how a cell begins that a spreadsheet would run
# What a price holds: 0 neither freight nor insurance, 1 freight, 2 both, 3 both and the way on, 4 the duties too.
DELIVERY = {
    "EXW": 0, "FCA": 0, "FAS": 0, "FOB": 0, "CFR": 1, "CPT": 1, "CIF": 2, "CIP": 2, "DAP": 3, "DPU": 3, "DDP": 4,
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What lines of one kind share, as declared."""

    importer: str
    origin: str
    hs: str
    good: str
    assay_of: str
    currency: str
    proof: str
    delivery: str
    related: str
    day: date


KEYS = tuple(each.name for each in fields(Kind))


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """A duty as whole numbers: `rate` billionths of the customs value, and num / den cents for each gram of `on`.

    `origin_rule` is the rule of origin that a proof must show to be met.
    """

    rate: int = 0
    num: int = 0
    den: int = 1
    on: int = NO_MASS
    mode: int = SUM
    name: str = ""
    text: str = ""
    source: str = ""
    origin_rule: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """The law of one kind of line on its day. Layers in their order: base duty, additional duties, levy.

    Parameters
    ----------
    kind : the words of the lines, cleaned; `declared` as they came
    refusal : code of what is missing, empty where the kind can be assessed; `about` says it for this kind, `field` where
    at_fob : whether the territory values at fob
    fx_num, fx_den : cents of USD for a hundredth of the currency
    content : billionths of the good's unit in a tonne of the substance assayed; none where there is no such measure
    default_content : content of the dry mass that the clause itself sets where no assay is declared, billionths; none
        where it sets none. `default_text` is the clause and article that set it
    gross : whether the good is measured as it is shipped, its content being one
    mfn : the duty without a preference; `mfn_code` its reason
    treaty, agreed, suspended : options, none where there is none; the first two need proof
    section_301, section_232, section_122, surcharge : additional duties
    reference : cents of USD per contained tonne; none where no levy applies. `phase` in billionths
    on_cif : whether the gap is measured from cif rather than from the landed price with duties
    least : the minimum import price, cents per contained tonne, none where there is none
    said : what the levy's working should tell besides: a decision that suspends it, where its reference was published
    tested : the grade and the test values that the declared price is compared by
    quota, rate_beyond, quota_name : grams a year at the agreement's rate, and the rate beyond
    """

    kind: Kind
    declared: Kind | None = None
    territory: str = ""
    refusal: str = ""
    field: str = ""
    about: str = ""
    at_fob: bool = False
    fx_num: int = 1
    fx_den: int = 1
    fx_text: str = ""
    good: str = ""
    content: int | None = None
    default_content: int | None = None
    default_text: str = ""
    gross: bool = False
    mfn: Charge = Charge()
    mfn_code: str = "D1"
    treaty: Charge | None = None
    agreed: Charge | None = None
    suspended: Charge | None = None
    section_301: Charge | None = None
    section_232: Charge | None = None
    section_122: Charge | None = None
    surcharge: Charge | None = None
    reference: int | None = None
    phase: int = 0
    on_cif: bool = False
    least: int | None = None
    levy_reason: str = "L0"
    clause: str = ""
    article: str = ""
    said: str = ""
    tested: Tested = UNTESTED
    quota: int | None = None
    rate_beyond: int = 0
    quota_name: str = ""
    schedule_of_another_day: bool = False
    gap: bool = False

    @property
    def warnings(self) -> tuple[str, ...]:
        """What all lines of the kind should be looked at for."""
        flags = (
            ("W1", self.schedule_of_another_day),
            ("W2", self.kind.related == "Y"),
            ("W6", self.kind.delivery == "EXW"),
            ("W7", self.gap),
            ("W8", self.quota is not None),
            ("W10", bool(self.default_text) and self.default_content is not None),
        )
        return tuple(code for code, flag in flags if flag)

    @property
    def needs_content(self) -> bool:
        """Whether an amount depends on the contained mass."""
        charges = (self.mfn, self.treaty, self.agreed, self.suspended, self.surcharge)
        measured = any(charge is not None and charge.on == CONTAINED for charge in charges)
        return measured or self.reference is not None or self.least is not None or self.quota is not None


@dataclass(frozen=True)
class Law:
    """Everything that says what a line owes, from all sources, for the goods and countries of one world.

    Parameters
    ----------
    tariff : the schedules
    duties, floors : day -> the agreement's duties and its price gaps (of which a minimum import price makes no duty)
    paused : day -> duties that do not apply although their clause is in force, and by whose decision
    published : day -> clause -> where its reference price was published
    contents : clause of a minimum import price -> what it takes goods without an assay to hold
    parties : day -> the countries bound by the agreement
    unions : country -> the customs union that it belongs to
    fob : territories that value at fob
    iso : the codes that an entry may name
    countries, remainders : codes of the world, and those that stand for the rest of a region
    codes : HS6 -> the goods that trade under it
    substances : (substance, good) -> tonnes of the good's unit per tonne of substance
    gross : goods measured as they are shipped, whose content is one
    rates : currency -> (day, USD for one unit) in order of days
    price_tests : clause -> the grade its reference price is quoted for, and how it takes prices between related parties
    values : test values for such prices
    as_of : a day whose law is applied to all lines; none for each line's own
    """

    tariff: Tariff
    iso: frozenset[str]
    countries: frozenset[str]
    remainders: frozenset[str] = frozenset()
    duties: Callable[[date], tuple[Duty, ...]] = lambda day: ()
    floors: Callable[[date], tuple[PriceGap, ...]] = lambda day: ()
    paused: Callable[[date], tuple[tuple[Duty, str], ...]] = lambda day: ()
    published: Callable[[date], Mapping[str, str]] = lambda day: {}
    contents: Mapping[str, tuple[Content, ...]] = field(default_factory=dict)
    parties: Callable[[date], frozenset[str]] = lambda day: frozenset()
    unions: Mapping[str, str] = field(default_factory=dict)
    fob: frozenset[str] = frozenset()
    codes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    goods: frozenset[str] = frozenset()
    substances: Mapping[tuple[str, str], Decimal] = field(default_factory=dict)
    gross: frozenset[str] = frozenset()
    rates: Mapping[str, tuple[tuple[date, Decimal], ...]] = field(default_factory=dict)
    price_tests: Mapping[str, PriceTest] = field(default_factory=dict)
    values: tuple[Value, ...] = ()
    as_of: date | None = None

    def day(self, entered: date) -> date:
        """The day whose law applies to a line entered on a day."""
        return self.as_of or entered

    def territory(self, country: str) -> str:
        """The customs territory that a country belongs to."""
        return self.unions.get(country, country)

    def usd(self, currency: str, day: date) -> Decimal | None:
        """USD for one unit of a currency: the last rate published on or before the day, a month old at most."""
        if currency == "USD":
            return ONE
        held = [(since, usd) for since, usd in self.rates.get(currency, ()) if since <= day]
        if not held or day - held[-1][0] > timedelta(days=RATE_DAYS):
            return None
        return held[-1][1]


def terms_of(kind: Kind, law: Law) -> Terms:
    """The terms of a kind of line, or the first thing that is missing."""
    terms = Terms(kind=cleaned(kind), declared=kind)
    for step in (_words, _border, _currency, _schedule, _good, _agreement, _content, _price_test):
        terms = step(terms, law)
        if terms.refusal:
            return terms
    return terms


def ratio(exact: Decimal) -> tuple[int, int]:
    """A factor as two whole numbers that `products` can use within 64 bits, to twelve decimals at most.

    >>> ratio(Decimal("0.0375")), ratio(Decimal(81200))
    ((3, 80), (81200, 1))
    """
    for places in range(12, -1, -1):
        num = int((exact * 10**places).quantize(ONE, ROUND_HALF_EVEN))
        den: int = 10**places
        common = gcd(num, den) or 1
        if fits(num // common, den // common):
            return num // common, den // common
    raise OverflowError(f"{exact} is too large a factor")


def nano(exact: Decimal) -> int:
    """A fraction in billionths."""
    return int((exact * NANO).quantize(ONE, ROUND_HALF_EVEN))


def _refuse(terms: Terms, code: str, about: str) -> Terms:
    return replace(terms, refusal=code, about=about)


def cleaned(kind: Kind) -> Kind:
    """The words of a kind as the law knows them: no blanks around them, digits without dots, codes in their case."""
    kind = replace(kind, **{name: getattr(kind, name).strip() for name in KEYS if name != "day"})
    return replace(
        kind, hs=kind.hs.replace(".", "").replace(" ", ""), assay_of=kind.assay_of.lower(), proof=kind.proof.lower(),
        delivery=kind.delivery.upper(), related=kind.related.upper(),
    )  # fmt: skip


def _words(terms: Terms, law: Law) -> Terms:
    """Words that are none: the first of them refuses the kind."""
    kind, declared = terms.kind, terms.declared or terms.kind
    checks = (
        ("R05", "importer", kind.importer in law.iso),
        ("R05", "origin", kind.origin in law.iso),
        ("R06", "hs", kind.hs.isascii() and kind.hs.isdigit() and 6 <= len(kind.hs) <= 10),
        ("R09", "currency", len(kind.currency) == 3 and kind.currency.isalpha() and kind.currency.isupper()),
        ("R10", "delivery", kind.delivery in DELIVERY),
        ("R15", "related", kind.related in ("", "Y", "N", "E")),
        ("R18", "proof", kind.proof in ("", "agreement", "treaty", "none")),
        ("R16", "good", kind.good[:1] not in FORMULA),
        ("R16", "assay_of", kind.assay_of[:1] not in FORMULA),
    )
    for code, name, fine in checks:
        if not fine:
            return replace(terms, refusal=code, field=name, about=f"{name} {getattr(declared, name)!r}")
    return terms


def _border(terms: Terms, law: Law) -> Terms:
    kind = terms.kind
    territory = law.territory(kind.importer)
    terms = replace(terms, territory=territory, at_fob=territory in law.fob or kind.importer in law.fob)
    if law.territory(kind.origin) == terms.territory:
        return _refuse(terms, "N15", f"{kind.origin} and {kind.importer} are one customs territory")
    if terms.territory not in law.tariff.territories:
        held = ", ".join(sorted(law.tariff.territories))
        return _refuse(terms, "N01", f"no schedule of {terms.territory}; at hand are {held}")
    return terms


def _currency(terms: Terms, law: Law) -> Terms:
    kind = terms.kind
    if (usd := law.usd(kind.currency, kind.day)) is None:
        return _refuse(terms, "N08", f"no rate of {kind.currency} on {kind.day} or in the month before")
    num, den = ratio(usd)
    return replace(
        terms, fx_num=num, fx_den=den, fx_text="" if usd == 1 else f"{usd.normalize():f} USD per {kind.currency}"
    )


def _schedule(terms: Terms, law: Law) -> Terms:
    """The base duty, the options to it, and the additional duties of the territory."""
    kind = terms.kind
    measures = law.tariff.on(terms.territory, kind.hs)
    codes = {kind.origin, law.territory(kind.origin)}
    mfn = next((each for each in measures if each.kind == "mfn"), None)
    if mfn is None:
        below = law.tariff.below(terms.territory, kind.hs)
        rates = {each.rate for each in below}
        if not below:
            return _refuse(terms, "N02", f"{terms.territory} has no line {kind.hs}")
        if len(rates) > 1:
            some = ", ".join(sorted(each.line for each in below)[:4])
            return _refuse(terms, "N13", f"{kind.hs} holds lines of different rates: {some}")
        mfn = below[0]
        measures = (*measures, *law.tariff.on(terms.territory, mfn.line))
    # 9903.91 and the like are dated; a schedule is one publication, used for other days with a warning
    column_2 = next((each for each in measures if each.kind == "column2" and kind.origin in each.origins), None)
    base = column_2 or mfn
    if (charge := _charge(base, terms, law)) is None:
        return _refuse(terms, "N03", f"line {base.line}: {base.rate}")
    if isinstance(charge, str):
        return _refuse(terms, "N09", f"line {base.line}: {base.rate} {charge}")
    found = replace(
        terms,
        mfn=charge,
        mfn_code="D9" if column_2 else "D1",
        schedule_of_another_day=base.starts is not None and not base.starts <= kind.day <= base.starts + SCHEDULE_DAYS,
        gap=any(each.kind == "gap" and each.holds(kind.day, kind.origin) for each in measures),
    )
    treaties = [each for each in measures if each.kind == "preference" and codes & each.origins and column_2 is None]
    found = replace(
        found,
        treaty=_best(treaties, terms, law),
        suspended=_best(
            [each for each in measures if each.kind == "suspension" and each.holds(kind.day, kind.origin)], terms, law
        ),
    )
    for layer in ("section_301", "section_232", "section_122"):
        held = [each for each in measures if each.kind == layer and each.holds(kind.day, kind.origin)]
        if held and (extra := _charge(held[0], terms, law)) is not None and not isinstance(extra, str):
            found = replace(found, **{layer: extra})  # type: ignore[arg-type]
    return found


def _best(measures: Iterable[Measure], terms: Terms, law: Law) -> Charge | None:
    charges = [_charge(each, terms, law) for each in measures]
    readable = [each for each in charges if isinstance(each, Charge)]
    return min(readable, key=lambda each: (each.rate, each.num / each.den), default=None)


def _charge(measure: Measure, terms: Terms, law: Law) -> Charge | str | None:
    """A measure as whole numbers; None where it cannot be charged, words where its content is not the assay's."""
    read = measure.expression
    if read is None or read.on_value_of or read.ad_valorem > RATE_MAX or len(read.specific) > 1:
        return None
    text = f"{measure.rate}, line {measure.line}" + (f", of line {measure.inherits}" if measure.inherits else "")
    charge = Charge(rate=nano(read.ad_valorem), mode=_mode(read), name=measure.name, text=text, source=measure.source)
    if not read.specific:
        return charge
    specific = read.specific[0]
    usd = law.usd(specific.currency, terms.kind.day)
    if usd is None:
        return f"needs a rate of {specific.currency} on {terms.kind.day}"
    num, den = ratio(specific.amount_t * usd / 10_000)  # USD per tonne to cents per gram
    if not specific.of:
        return replace(charge, num=num, den=den, on=NET_MASS)
    if not _is_measured_by(specific.of, terms.kind, law):
        return f"is charged on the {specific.of} content"
    return replace(charge, num=num, den=den, on=CONTAINED)


def _is_measured_by(element: str, kind: Kind, law: Law) -> bool:
    """Whether the contained mass of the line is the mass of an element."""
    if kind.good in ("", OTHER):
        return kind.assay_of in ("", element)
    return law.substances.get((element, kind.good)) == ONE


def _mode(read: Expression) -> int:
    return {"sum": SUM, "lower": LOWER, "higher": HIGHER}[read.choice]


def _good(terms: Terms, law: Law) -> Terms:
    """Which good of the agreement the line holds: declared, never guessed from a code that holds others too."""
    kind, under = terms.kind, law.codes.get(terms.kind.hs[:6], ())
    if kind.good == OTHER:
        return terms
    if kind.good:
        if kind.good not in under:
            said = f"{kind.hs[:6]} holds {', '.join(under)}" if under else f"no good trades under {kind.hs[:6]}"
            return _refuse(terms, "N11", f"{kind.good}: {said}")
        return replace(terms, good=kind.good)
    reached = sorted({duty.good for duty in law.duties(kind.day) if duty.good in under and _reaches(duty, kind, law)})
    if reached:
        return _refuse(terms, "N04", f"{kind.hs[:6]} may hold {', '.join(reached)}")
    return terms


def _agreement(terms: Terms, law: Law) -> Terms:
    """The agreement's preference, quota, duties on top, levy and minimum import price."""
    kind = terms.kind
    if not terms.good:
        return terms
    duties = [duty for duty in law.duties(kind.day) if duty.good == terms.good and kind.importer in duty.importers]
    held = [duty for duty in duties if _among(kind.origin, duty.exporters, law)]
    inside = kind.origin in law.parties(kind.day)
    spared = [duty for duty in duties if duty not in held and duty.reference_usd_t is not None] if inside else []
    if spared and kind.proof == "":
        return _refuse(
            terms, "N16", f"{kind.origin} is a party; {spared[0].clause} spares goods whose origin is proven"
        )
    if spared and kind.proof != "agreement":
        held += spared  # no proof will be presented: charged as goods from outside
    for duty in held:
        if duty.reference_usd_t is not None:
            if terms.reference is not None:
                return _refuse(terms, "N14", f"{terms.clause} and {duty.clause}")
            terms = replace(
                terms, reference=_cents(duty.reference_usd_t), phase=nano(duty.phase), on_cif=duty.levy_on == "cif",
                levy_reason="L1", clause=duty.clause, article=duty.article,
                said=law.published(kind.day).get(duty.clause, ""),
            )  # fmt: skip
        charge = _agreed(duty)
        if duty.quota_t is not None:
            terms = replace(
                terms, quota=int((duty.quota_t * 10**6).to_integral_value(ROUND_HALF_EVEN)), agreed=charge,
                rate_beyond=nano(duty.rate_beyond or NOUGHT), quota_name=_quota_name(duty, terms, law),
            )  # fmt: skip
        elif duty.replaces and duty.left is not None:
            terms = replace(terms, agreed=_part(terms.mfn, duty.left, duty))
        elif duty.replaces:
            terms = _replaced(terms, charge)
        elif charge.rate or charge.num:
            terms = replace(terms, surcharge=_together(terms.surcharge, charge))
        if duty.default_content:
            terms = _default(terms, duty.clause, duty.default_content)
    terms = _minimum(terms, law)
    if terms.levy_reason == "L0" and spared:
        terms = replace(terms, levy_reason="L3")
    return _paused(terms, law)


def _default(terms: Terms, clause: str, contents: Iterable[Content]) -> Terms:
    """The content that the clause itself sets for the line, where no assay is declared; the longest line counts."""
    kind = terms.kind
    held = [content for content in contents if kind.hs.startswith(content.line)]
    if kind.assay_of or not held:
        return terms
    best = max(held, key=lambda content: len(content.line))
    said = ", ".join(filter(None, (clause, best.article)))
    return replace(terms, default_content=nano(best.share), default_text=said)


def _paused(terms: Terms, law: Law) -> Terms:
    """Where a levy would have been charged but for a safeguard or a suspension, that is the reason why there is none."""
    kind = terms.kind
    if terms.levy_reason != "L0":
        return terms
    for duty, decision in law.paused(kind.day):
        if duty.good == terms.good and duty.reference_usd_t is not None and _reaches(duty, kind, law):
            return replace(
                terms, levy_reason="L5", clause=duty.clause, article=duty.article, said=f"{duty.clause} is {decision}"
            )
    return terms


def _quota_name(duty: Duty, terms: Terms, law: Law) -> str:
    """What lines that fill the same tonnes share: clause, territory, the part kept for their origins, year."""
    kind = terms.kind
    parts = [
        each
        for each in law.duties(kind.day)
        if (each.clause, each.good) == (duty.clause, duty.good)
        and each.quota_t is not None
        and kind.importer in each.importers
    ]
    part = f" part {parts.index(duty) + 1}" if len(parts) > 1 else ""
    return f"{duty.clause} {terms.territory}{part} {kind.day.year}"


def _replaced(terms: Terms, charge: Charge) -> Terms:
    """A replacing duty: below the MFN rate it is a preference, to be proven; above, it is charged in its place."""
    if charge.rate <= terms.mfn.rate and not charge.num:
        return replace(terms, agreed=charge)
    return replace(terms, mfn=charge, mfn_code="D8")


def _minimum(terms: Terms, law: Law) -> Terms:
    kind = terms.kind
    for floor in law.floors(kind.day):
        lane = floor.lane
        reached = (
            lane.good == terms.good and kind.importer in lane.importers and _among(kind.origin, lane.exporters, law)
        )
        if reached and floor.exporter_share == 1.0:
            least = round(floor.reference_usd_t * 100)
            terms = replace(
                terms, least=least, on_cif=floor.levy_on == "cif", levy_reason="L4", clause=floor.clause,
                said=law.published(kind.day).get(floor.clause, ""),
            )  # fmt: skip
            terms = _default(terms, floor.clause, law.contents.get(floor.clause, ()))
    return terms


def _content(terms: Terms, law: Law) -> Terms:
    """How much of the good's unit a tonne of the substance assayed holds."""
    kind = terms.kind
    if terms.good in law.gross:
        return replace(terms, content=NANO, default_content=NANO, default_text="", gross=True)
    if not kind.assay_of:
        return _of_the_levy_alone(terms)
    if not terms.good:
        return replace(terms, content=NANO)
    held = law.substances.get((kind.assay_of, terms.good), ONE if kind.assay_of == terms.good else None)
    if held is None:
        if not terms.needs_content:
            return terms
        known = ", ".join(sorted(substance for substance, good in law.substances if good == terms.good))
        return _refuse(terms, "N09", f"{kind.assay_of!r} for {terms.good}; one of {known}")
    return replace(terms, content=nano(held))


def _price_test(terms: Terms, law: Law) -> Terms:
    """The grade of the reference price, and the test values of related parties where the clause asks for them."""
    kind = terms.kind
    if terms.reference is None and terms.least is None:
        return terms
    test = law.price_tests.get(terms.clause)
    found = tested(test, law.values, terms.good, kind.origin, kind.importer, kind.day, related=kind.related == "Y")
    terms = replace(terms, tested=found)
    if found.within is not None and not found.values:
        return _refuse(terms, "N17", f"{terms.clause}; no value of {terms.good} of {kind.origin} on {kind.day}")
    return terms


def _of_the_levy_alone(terms: Terms) -> Terms:
    """A clause's default content serves its own levy: a duty of the schedule or of another clause asks for the assay."""
    charges = (terms.mfn, terms.treaty, terms.agreed, terms.suspended, *(getattr(terms, name) for name in EXTRAS))
    measured = any(charge is not None and charge.on == CONTAINED for charge in charges)
    if measured or terms.quota is not None:
        return replace(terms, default_content=None, default_text="")
    return terms


def _agreed(duty: Duty) -> Charge:
    num, den = ratio((duty.specific_usd_t or NOUGHT) / 10_000)
    text = f"{(duty.rate or NOUGHT) * 100:f}"
    text = (text.rstrip("0").rstrip(".") if "." in text else text) + "%"
    if duty.specific_usd_t:
        text += f" + {duty.specific_usd_t:f} USD per contained tonne"
    return Charge(
        rate=nano(duty.rate or NOUGHT), num=num, den=den, on=CONTAINED if num else NO_MASS, name=duty.clause, text=text,
        source=duty.article, origin_rule=duty.origin_rule,
    )  # fmt: skip


def _part(charge: Charge, left: Decimal, duty: Duty) -> Charge:
    """What a preference leaves of the line's own duty; free where it leaves nothing."""
    if not left:
        return Charge(name=duty.clause, text="0%", source=duty.article, origin_rule=duty.origin_rule)
    num, den = ratio(Decimal(charge.num) / charge.den * left)
    text = f"{(left * 100).normalize():f}% of {charge.text}"
    return replace(
        charge, rate=nano(Decimal(charge.rate) / NANO * left), num=num, den=den, name=duty.clause, text=text,
        source=duty.article, origin_rule=duty.origin_rule,
    )  # fmt: skip


def _together(one: Charge | None, other: Charge) -> Charge:
    """Two duties on top as one: their rates add up, and so do their parts per gram."""
    if one is None:
        return other
    num, den = ratio(Decimal(one.num) / one.den + Decimal(other.num) / other.den)
    return Charge(
        rate=one.rate + other.rate, num=num, den=den, on=max(one.on, other.on), name=f"{one.name}, {other.name}",
        text=f"{one.text} + {other.text}", source=", ".join(filter(None, (one.source, other.source))),
    )  # fmt: skip


def _reaches(duty: Duty, kind: Kind, law: Law) -> bool:
    return kind.importer in duty.importers and _among(kind.origin, duty.exporters, law)


def _among(origin: str, countries: frozenset[str], law: Law) -> bool:
    """Whether a country is meant: by its own code, or, where the world has none for it, as part of the rest."""
    if origin in law.countries:
        return origin in countries
    return bool(law.remainders) and law.remainders <= countries


def _cents(usd: Decimal) -> int:
    return int((usd * 100).quantize(ONE, ROUND_HALF_EVEN))
