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
from friendshore.border.quota_use import name_of
from friendshore.border.rates import DOLLAR, Rate, Rates
from friendshore.border.scaled import NANO, fits
from friendshore.border.tariff import KINDS, Measure, Tariff
from friendshore.faces import Content, Duty, PriceGap

ONE, NOUGHT = Decimal(1), Decimal(0)
RATE_DAYS = 31  # an exchange rate holds until the next, a month at most
SCHEDULE_DAYS = timedelta(days=366)  # a schedule is a year's; used beyond, it says so
RATE_MAX = Decimal(9)  # 900 per cent; what is charged beyond is probably a slip
NO_MASS, NET_MASS, CONTAINED = 0, 1, 2
SUM, LOWER, HIGHER = 0, 1, 2
PROOFS = ("treaty", "agreement")  # that a preference in force takes; the agreement's own takes the latter alone
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

    @property
    def free(self) -> bool:
        """Whether it charges nothing."""
        return not self.rate and not self.num


@dataclass(frozen=True, slots=True)
class Unread:
    """Why a measure cannot be charged on a kind of line: the code of the refusal, and about what."""

    code: str
    about: str


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
    unpublished : whether the reference price should have been published and was not
    misplaced : whether a proof under the agreement came with an origin that is no party, and was not counted
    unproven : whether a clause would have spared the goods, had their origin in a party been proven
    quota, rate_beyond, quota_name : grams that are left of the year's at the agreement's rate, and the rate beyond
    quota_whole, quota_booked : grams of the whole year, and whether its earlier use is known
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
    quota_whole: int = 0
    quota_booked: bool = False
    unpublished: bool = False
    unproven: bool = False
    misplaced: bool = False
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
            ("W8", self.quota is not None and not self.quota_booked),
            ("W10", bool(self.default_text) and self.default_content is not None),
            ("W11", self.unproven),
            ("W12", DELIVERY.get(self.kind.delivery) == DELIVERY["DAP"]),
            ("W13", self.unpublished),
            ("W14", self.misplaced),
        )
        return tuple(code for code, flag in flags if flag)

    @property
    def sources(self) -> str:
        """Where each duty and the levy stand, after the codes that tell of them: "D1 general, us.hts2026; L1 L2 floor.f, Art. 6"."""
        agreed = "D5 D6 D7" if self.quota is not None else "D3"
        charges: tuple[tuple[str, Charge | None], ...] = (
            (self.mfn_code, self.mfn), ("D4", self.suspended), ("D2", self.treaty), (agreed, self.agreed),
            ("A1", self.section_301), ("A2", self.section_232), ("A3", self.section_122), ("A4", self.surcharge),
        )  # fmt: skip
        levy = "L1 L2" if self.reference is not None else self.levy_reason
        stands = [(code, each.name, each.source) for code, each in charges if each is not None]
        stands += [(levy, self.clause, self.article)]
        return "; ".join(f"{code} {', '.join(filter(None, where))}" for code, *where in stands if any(where))

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
    unpublished : day -> the clauses that take a published price, and for which there is none
    contents : clause of a minimum import price -> what it takes goods without an assay to hold
    articles : clause -> its article, for those that make no duty
    parties : day -> the countries bound by the agreement
    unions : country -> the customs union that it belongs to
    fob : territories that value at fob
    iso : the codes that an entry may name
    countries, remainders : codes of the world, and those that stand for the rest of a region
    codes : HS6 -> the goods that trade under it
    substances : (substance, good) -> tonnes of the good's unit per tonne of substance
    gross : goods measured as they are shipped, whose content is one
    rates : currency -> its rates in order of days
    price_tests : clause -> the grade its reference price is quoted for, and how it takes prices between related parties
    values : test values for such prices
    quota_used : quota by its name -> grams that came in before the entries
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
    unpublished: Callable[[date], frozenset[str]] = lambda day: frozenset()
    contents: Mapping[str, tuple[Content, ...]] = field(default_factory=dict)
    articles: Mapping[str, str] = field(default_factory=dict)
    parties: Callable[[date], frozenset[str]] = lambda day: frozenset()
    unions: Mapping[str, str] = field(default_factory=dict)
    fob: frozenset[str] = frozenset()
    codes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    goods: frozenset[str] = frozenset()
    substances: Mapping[tuple[str, str], Decimal] = field(default_factory=dict)
    gross: frozenset[str] = frozenset()
    rates: Rates = field(default_factory=dict)
    price_tests: Mapping[str, PriceTest] = field(default_factory=dict)
    values: tuple[Value, ...] = ()
    quota_used: Mapping[str, int] = field(default_factory=dict)
    as_of: date | None = None

    def day(self, entered: date) -> date:
        """The day whose law applies to a line entered on a day."""
        return self.as_of or entered

    def territory(self, country: str) -> str:
        """The customs territory that a country belongs to."""
        return self.unions.get(country, country)

    def rate(self, currency: str, day: date) -> Rate | None:
        """The last rate of a currency published on or before the day, a month old at most."""
        if currency == "USD":
            return DOLLAR
        held = [rate for rate in self.rates.get(currency, ()) if rate.day <= day]
        return held[-1] if held and day - held[-1].day <= timedelta(days=RATE_DAYS) else None

    def usd(self, currency: str, day: date) -> Decimal | None:
        """USD for one unit of a currency on a day."""
        rate = self.rate(currency, day)
        return rate.usd if rate else None


def terms_of(kind: Kind, law: Law) -> Terms:
    """The terms of a kind of line, or the first thing that is missing."""
    terms = Terms(kind=cleaned(kind), declared=kind)
    for step in (_words, _border, _proof, _currency, _schedule, _good, _agreement, _content, _price_test):
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


def _proof(terms: Terms, law: Law) -> Terms:
    """A proof under the agreement says nothing of goods whose declared origin is no party to it."""
    kind = terms.kind
    parties = law.parties(kind.day)
    if kind.proof != "agreement" or not parties or kind.origin in parties:
        return terms
    return replace(terms, kind=replace(kind, proof="none"), misplaced=True)


def _currency(terms: Terms, law: Law) -> Terms:
    kind = terms.kind
    if (rate := law.rate(kind.currency, kind.day)) is None:
        return _refuse(terms, "N08", f"no rate of {kind.currency} on {kind.day} or in the month before")
    num, den = ratio(rate.usd)
    return replace(terms, fx_num=num, fx_den=den, fx_text=rate.words(kind.currency))


def _schedule(terms: Terms, law: Law) -> Terms:
    """The base duty, the options to it, and the additional duties of the territory."""
    kind, codes = terms.kind, {terms.kind.origin, law.territory(terms.kind.origin)}
    measures = law.tariff.on(terms.territory, kind.hs)
    if not any(each.kind == "mfn" for each in measures):
        below = law.tariff.below(terms.territory, kind.hs)
        if not below:
            return _refuse(terms, "N02", _no_line(terms, law))
        under = [law.tariff.on(terms.territory, line) for line in below]
        if len({_what_applies(each, codes) for each in under}) > 1:
            return _refuse(terms, "N13", f"{kind.hs} holds lines of different rates: {', '.join(below[:4])}")
        measures = under[0]
    mfn = _of_the_day([each for each in measures if each.kind == "mfn"], kind.day)
    if mfn is None:
        ended = next(each for each in measures if each.kind == "mfn")
        return _refuse(terms, "N18", f"line {ended.line}: {ended.rate} ended on {ended.ends}")
    # a schedule is one publication: where it is used for an earlier day, all of it is read as on its first
    day = kind.day if mfn.starts is None else max(kind.day, mfn.starts)
    read = [each for each in measures if each.in_force(day) and (not each.origins or codes & each.origins)]
    column_2 = next((each for each in read if each.kind == "column2"), None)
    base = column_2 or mfn
    charge = _charge(base, terms, law)
    if isinstance(charge, Unread):
        return _refuse(terms, charge.code, charge.about)
    found = replace(
        terms,
        mfn=charge,
        mfn_code="D9" if column_2 else "D1",
        schedule_of_another_day=_of_another_day(mfn, kind.day),
        gap=any(each.kind == "gap" and each.holds(kind.day, kind.origin) for each in measures),
    )
    treaty = _least((each for each in read if each.kind == "preference" and column_2 is None), terms, law)
    suspended = _least((each for each in read if each.kind == "suspension"), terms, law)
    extras = [each for each in measures if each.in_force(kind.day) and (not each.origins or codes & each.origins)]
    on_top = {layer: _only(_closest(extras, layer), terms, law) for layer in EXTRAS if layer in KINDS}
    # what cannot be read is refused wherever it could count; a preference that nobody claims does not
    asked = [*on_top.values(), *([] if charge.free else [suspended, treaty if kind.proof in PROOFS else None])]
    if unread := next((each for each in asked if isinstance(each, Unread)), None):
        return _refuse(terms, unread.code, unread.about)
    options = {"treaty": treaty, "suspended": suspended} | on_top
    for name, option in options.items():
        if isinstance(option, Charge):
            found = replace(found, **{name: option})  # type: ignore[arg-type]
    return found


def _no_line(terms: Terms, law: Law) -> str:
    """That a schedule has no such line, with the lines of it that are written most like it."""
    near = law.tariff.near(terms.territory, terms.kind.hs)
    said = f"{terms.territory} has no line {terms.kind.hs}"
    if not near:
        return f"{said}, nor any of heading {terms.kind.hs[:4]}: what ships are mineral headings"
    return f"{said}; near it are {', '.join(near)}"


def _what_applies(measures: Iterable[Measure], codes: set[str]) -> frozenset[tuple[object, ...]]:
    """What a line owes, for goods of an origin: two lines of which this is the same are charged alike."""
    return frozenset(
        (each.kind, each.rate, each.starts, each.ends) for each in measures if not each.origins or codes & each.origins
    )


def _of_the_day(measures: Iterable[Measure], day: date) -> Measure | None:
    """The rate in force, of the longest line and the latest; of a schedule that begins later, its first; none where all ended."""
    held = [each for each in measures if each.ends is None or day <= each.ends]
    begun = [each for each in held if each.in_force(day)]
    if begun:
        return max(begun, key=lambda each: (len(each.line), each.starts or date.min))
    return min(held, key=lambda each: (-len(each.line), each.starts or date.min), default=None)


def _of_another_day(measure: Measure, day: date) -> bool:
    """Whether a schedule is used for a day before it, or, where it does not say how long it holds, after its year."""
    if measure.starts is None:
        return False
    return day < measure.starts or (measure.ends is None and day > measure.starts + SCHEDULE_DAYS)


def _closest(measures: Iterable[Measure], layer: str) -> list[Measure]:
    """The measures of a layer that stand at the longest line."""
    held = [each for each in measures if each.kind == layer]
    longest = max((len(each.line) for each in held), default=0)
    return [each for each in held if len(each.line) == longest]


def _only(measures: list[Measure], terms: Terms, law: Law) -> Charge | Unread | None:
    """The one duty that measures of one layer come to; unread where they differ."""
    if len(rates := {each.rate for each in measures}) > 1:
        said = ", ".join(sorted(f"{each.name} {each.rate}" for each in measures))
        return Unread("N03", f"line {measures[0].line} has {len(rates)} rates of one kind: {said}")
    return _charge(measures[0], terms, law) if measures else None


def _least(measures: Iterable[Measure], terms: Terms, law: Law) -> Charge | Unread | None:
    """The lowest of the rates that can be charged; where none of them can, why."""
    charges = [_charge(each, terms, law) for each in measures]
    readable = [each for each in charges if isinstance(each, Charge)]
    lowest = min(readable, key=lambda each: (each.rate, each.num / each.den), default=None)
    return lowest or next((each for each in charges if isinstance(each, Unread)), None)


def _charge(measure: Measure, terms: Terms, law: Law) -> Charge | Unread:
    """A measure as whole numbers, or why it cannot be charged."""
    read = measure.expression
    where = f"{measure.name}, line {measure.line}: {measure.rate or 'no rate'}"
    if read is None or read.on_value_of or read.ad_valorem > RATE_MAX or len(read.specific) > 1:
        return Unread("N03", where)
    text = f"{measure.rate}, line {measure.line}" + (f", of line {measure.inherits}" if measure.inherits else "")
    charge = Charge(rate=nano(read.ad_valorem), mode=_mode(read), name=measure.name, text=text, source=measure.source)
    if not read.specific:
        return charge
    specific = read.specific[0]
    rate = law.rate(specific.currency, terms.kind.day)
    if rate is None:
        return Unread("N08", f"{where}; no rate of {specific.currency} on {terms.kind.day} or in the month before")
    num, den = ratio(specific.amount_t * rate.usd / 10_000)  # USD per tonne to cents per gram
    charge = replace(charge, num=num, den=den, text="; ".join(filter(None, (text, rate.words(specific.currency)))))
    if not specific.of:
        return replace(charge, on=NET_MASS)
    if not _is_measured_by(specific.of, terms.kind, law):
        return Unread("N09", f"{where}; the assay is of {terms.kind.assay_of or terms.kind.good}, not of {specific.of}")
    return replace(charge, on=CONTAINED)


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
        terms = replace(terms, unproven=True)
    for duty in held:
        if duty.reference_usd_t is not None:
            if terms.reference is not None:
                return _refuse(terms, "N14", f"{terms.clause} and {duty.clause}")
            terms = replace(
                terms, reference=_cents(duty.reference_usd_t), phase=nano(duty.phase), on_cif=duty.levy_on == "cif",
                levy_reason="L1", clause=duty.clause, article=duty.article,
                said=law.published(kind.day).get(duty.clause, ""), unpublished=duty.clause in law.unpublished(kind.day),
            )  # fmt: skip
        charge = _agreed(duty)
        if duty.quota_t is not None:
            terms = _quota(terms, duty, charge, law)
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
        terms = replace(terms, levy_reason="L3", clause=spared[0].clause, article=spared[0].article)
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


def _quota(terms: Terms, duty: Duty, charge: Charge, law: Law) -> Terms:
    """The agreement's quota, less what customs has booked of it."""
    assert duty.quota_t is not None
    whole = int((duty.quota_t * 10**6).to_integral_value(ROUND_HALF_EVEN))
    name = _quota_name(duty, terms, law)
    used = law.quota_used.get(name)
    return replace(
        terms, quota=max(0, whole - (used or 0)), quota_whole=whole, quota_booked=used is not None, quota_name=name,
        agreed=charge, rate_beyond=nano(duty.rate_beyond or NOUGHT),
    )  # fmt: skip


def _quota_name(duty: Duty, terms: Terms, law: Law) -> str:
    """What lines that fill the same tonnes share; a quota whose parts are kept for origins has one for each."""
    kind = terms.kind
    parts = [
        each
        for each in law.duties(kind.day)
        if (each.clause, each.good) == (duty.clause, duty.good)
        and each.quota_t is not None
        and kind.importer in each.importers
    ]
    return name_of(duty.clause, terms.territory, parts.index(duty) + 1 if len(parts) > 1 else "", kind.day.year)


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
                article=law.articles.get(floor.clause, ""),
                said=law.published(kind.day).get(floor.clause, ""), unpublished=floor.clause in law.unpublished(kind.day),
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
