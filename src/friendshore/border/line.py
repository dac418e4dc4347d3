"""One line, in exact decimals, every amount with its data, its calculation and its reason.

The same terms and the same order as `columns`, written so that it can be read beside the law and checked by hand. A missing
fact stops it: what is missing is named with who can supply it, and no total is given.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Context, Decimal

from friendshore.border.declared_price import POINT, close
from friendshore.border.reasons import REASONS, Reason
from friendshore.border.scaled import CENTS_MAX, NANO, Rounding
from friendshore.border.terms import CONTAINED, HIGHER, LOWER, NET_MASS, SUM, Charge, Kind, Law, Terms, terms_of

EXACT = Context(prec=80)
HUNDRED, ONE, NOUGHT = Decimal(100), Decimal(1), Decimal(0)
MODES = {"half_up": ROUND_HALF_UP, "half_even": ROUND_HALF_EVEN}
LAYERS = (
    ("section_301", "A1", "section 301"),
    ("section_232", "A2", "section 232"),
    ("section_122", "A3", "section 122"),
    ("surcharge", "A4", "duty on top"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A line as whole numbers: hundredths of the currency, grams, billionths; None where a fact was not declared."""

    line_id: str
    day: date
    importer: str
    origin: str
    hs: str
    net_g: int
    price_c: int
    currency: str = "USD"
    delivery: str = "FOB"
    freight_c: int | None = None
    insurance_c: int | None = None
    good: str = ""
    assay_n: int | None = None
    assay_of: str = ""
    moisture_n: int = 0
    related: bool = False
    proof: str = ""
    proof_lapsed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One line of the working: what it is about, the data, the calculation, the value, the reason and the article."""

    layer: str
    data: str
    calculation: str
    value: str
    code: str = ""
    article: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """A lawful way to enter the line: its base duty, what it asks for, whether it is open to this line."""

    name: str
    duty_c: int
    total_c: int
    condition: str
    open: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessed:
    """What one line owes, or what is missing. Amounts are cents of USD; with a `refusal` there are none.

    `levy_range_c` is what the known contents imply where the contained mass is missing.
    """

    entry: Entry
    terms: Terms
    refusal: str = ""
    about: str = ""
    steps: tuple[Step, ...] = ()
    options: tuple[Option, ...] = ()
    amounts: dict[str, int] | None = None
    reasons: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    levy_range_c: tuple[int, int] | None = None

    @property
    def missing(self) -> Reason | None:
        """The refusal in words."""
        return REASONS[self.refusal] if self.refusal else None


def kind_of(entry: Entry, law: Law) -> Kind:
    """What the line shares with others of its kind."""
    return Kind(
        importer=entry.importer, origin=entry.origin, hs=entry.hs, good=entry.good, assay_of=entry.assay_of,
        currency=entry.currency, proof=entry.proof, delivery=entry.delivery, related="Y" if entry.related else "", day=law.day(entry.day),
    )  # fmt: skip


def assess_line(entry: Entry, law: Law, rounding: Rounding = "half_even", *, quota_before_g: int = 0) -> Assessed:
    """What one line owes, with its working.

    Parameters
    ----------
    entry : the line
    law : schedules, agreement, names and rates
    rounding : halves to the even neighbour, or up
    quota_before_g : grams that entered the line's quota in its year before it
    """
    terms = terms_of(kind_of(entry, law), law)
    return _Line(entry, terms, law, rounding, quota_before_g).assess()


class _Line:
    """The working of one line as it is written down, step by step."""

    def __init__(self, entry: Entry, terms: Terms, law: Law, rounding: Rounding, quota_before_g: int) -> None:
        self.entry, self.terms, self.law, self.rounding = entry, terms, law, rounding
        self.quota_before_g = quota_before_g
        self.steps: list[Step] = []

    def assess(self) -> Assessed:
        entry, terms = self.entry, self.terms
        if terms.refusal:
            return self._refused(terms.refusal, terms.about)
        if entry.delivery == "DDP":
            return self._refused("N10", "delivered duty paid")
        needs_cif = not terms.at_fob or terms.reference is not None or terms.least is not None
        if missing := self._missing_charges(needs_cif):
            return self._refused(missing, f"the price is {entry.delivery}")
        fob, cif = self._values()
        customs = fob if terms.at_fob else cif
        if customs is None or customs <= 0 or (needs_cif and (cif is None or cif <= 0)):
            return self._refused("N12", "the value that is left is not above nought")
        customs_c = self._usd(customs, "customs value", "fob" if terms.at_fob else "cif")
        cif_c = self._usd(cif, "landed value", "cif") if needs_cif and cif is not None and terms.at_fob else customs_c
        if not needs_cif:
            cif_c = 0
        contained_g = self._contained()
        if terms.needs_content and contained_g is None:
            found = self._refused("N05", f"no assay of {terms.good or 'the content'}")
            return self._with_range(found, customs_c, cif_c)
        if customs_c > CENTS_MAX or cif_c > CENTS_MAX:
            return self._refused("R19", "above 90 thousand million USD")
        return self._charged(customs_c, cif_c, contained_g or 0)

    def _charged(self, customs_c: int, cif_c: int, contained_g: int) -> Assessed:
        duty_c, code, ways = self._duty(customs_c, contained_g)
        extras: dict[str, int] = {}
        codes = [code]
        for name, reason, words in LAYERS:
            charge = getattr(self.terms, name)
            extras[name] = self._amount(charge, customs_c, contained_g) if charge else 0
            if charge:
                self._step(words, charge, customs_c, contained_g, extras[name], reason)
            if extras[name]:
                codes.append(reason)
        duties = duty_c + sum(extras.values())
        compared_c, tests = self._compared(cif_c, contained_g)
        levy_c, levy_code, at_reference, base_c = self._levy(compared_c, duties, contained_g)
        if at_reference > CENTS_MAX or compared_c > CENTS_MAX:
            return self._refused("R19", "above 90 thousand million USD at the reference price")
        codes += [levy_code, *tests]
        total = duties + levy_c
        self.steps.append(
            Step(layer="total", data="", calculation="base duty + additional duties + levy", value=money(total))
        )
        amounts = {
            "customs_c": customs_c, "cif_c": cif_c, "contained_g": contained_g, "duty_c": duty_c,
            **{f"{name}_c": amount for name, amount in extras.items()}, "levy_c": levy_c, "total_c": total,
        }  # fmt: skip
        options = self._options(ways, customs_c, compared_c, contained_g, sum(extras.values()))
        return Assessed(
            entry=self.entry, terms=self.terms, steps=tuple(self.steps), options=options, amounts=amounts,
            reasons=tuple(codes), warnings=self._warnings(ways, duty_c, at_reference, base_c),
        )  # fmt: skip

    # -- value and mass --------------------------------------------------------------------------------------------

    def _missing_charges(self, needs_cif: bool) -> str:
        term, at_fob = self.entry.delivery, self.terms.at_fob
        free, carried = term in ("EXW", "FCA", "FAS", "FOB"), term in ("CFR", "CPT")
        freight = (at_fob and not free) or (needs_cif and free)
        insurance = (at_fob and not free and not carried) or (needs_cif and (free or carried))
        if freight and self.entry.freight_c is None:
            return "N06"
        return "N07" if insurance and self.entry.insurance_c is None else ""

    def _values(self) -> tuple[int | None, int | None]:
        """Fob and cif in hundredths of the currency."""
        price, freight, insurance = self.entry.price_c, self.entry.freight_c, self.entry.insurance_c
        if self.entry.delivery in ("EXW", "FCA", "FAS", "FOB"):
            return price, None if freight is None or insurance is None else price + freight + insurance
        if self.entry.delivery in ("CFR", "CPT"):
            return None if freight is None else price - freight, None if insurance is None else price + insurance
        return None if freight is None or insurance is None else price - freight - insurance, price

    def _usd(self, amount: int, layer: str, basis: str) -> int:
        entry, terms = self.entry, self.terms
        usd_c = self._round(EXACT.divide(Decimal(amount) * terms.fx_num, Decimal(terms.fx_den)))
        said = [f"price {money(entry.price_c, entry.currency)} {entry.delivery}"]
        said += [f"freight {money(entry.freight_c, entry.currency)}"] if entry.freight_c is not None else []
        said += [f"insurance {money(entry.insurance_c, entry.currency)}"] if entry.insurance_c is not None else []
        calculation = f"{self._built(basis)} = {plain(amount)} {entry.currency}"
        if terms.fx_text:
            calculation += f"; x {terms.fx_text}"
        self.steps.append(
            Step(layer=f"{layer} ({basis})", data=", ".join(said), calculation=calculation, value=money(usd_c))
        )
        return usd_c

    def _built(self, basis: str) -> str:
        free, carried = self.entry.delivery in ("EXW", "FCA", "FAS", "FOB"), self.entry.delivery in ("CFR", "CPT")
        if basis == "fob":
            return "price" if free else "price - freight" if carried else "price - freight - insurance"
        return "price + freight + insurance" if free else "price + insurance" if carried else "price"

    def _contained(self, assay_n: int | None = None) -> int | None:
        """Grams of the good's own unit: dry mass, substance, content, each to the gram."""
        entry, terms = self.entry, self.terms
        assay = entry.assay_n if assay_n is None else assay_n
        dry = self._round(Decimal(entry.net_g) * (NANO - entry.moisture_n) / NANO)
        if terms.gross or (assay is None and terms.default_content is not None):
            part, unit = terms.default_content, NANO
        else:
            part, unit = assay, terms.content if terms.content is not None else -1
        if part is None or unit < 0:
            return None
        pure = self._round(Decimal(dry) * part / NANO)
        held = self._round(Decimal(pure) * unit / NANO)
        if terms.needs_content and assay_n is None:
            data = [f"net {mass(entry.net_g)}", f"moisture {share(entry.moisture_n)}" if entry.moisture_n else ""]
            if terms.gross:
                data.append("measured as shipped")
            elif assay is None:
                data.append(f"no assay; {share(part)} by {terms.default_text}")
            else:
                data.append(f"assay {share(part)} {entry.assay_of}")
            calculation = f"{mass(dry)} dry" + (f" x {share(part)} = {mass(pure)}" if part != NANO else "")
            calculation += f"; x {share(unit)}" if unit != NANO else ""
            self.steps.append(
                Step(
                    layer="contained mass",
                    data=", ".join(filter(None, data)),
                    calculation=calculation,
                    value=mass(held),
                )
            )
        return held

    # -- duties ----------------------------------------------------------------------------------------------------

    def _amount(self, charge: Charge, customs_c: int, contained_g: int) -> int:
        """Each part of a duty to the cent; their sum, or the lower or higher of them."""
        by_value = self._round(Decimal(customs_c) * charge.rate / NANO)
        grams = self.entry.net_g if charge.on == NET_MASS else contained_g if charge.on == CONTAINED else 0
        by_mass = self._round(Decimal(grams) * charge.num / charge.den)
        return {LOWER: min, HIGHER: max}.get(charge.mode, lambda *parts: sum(parts))(by_value, by_mass)

    def _duty(self, customs_c: int, contained_g: int) -> tuple[int, str, list[tuple[str, str, int, str, bool]]]:
        terms, proof = self.terms, self.entry.proof
        rule = terms.agreed.origin_rule if terms.agreed is not None else ""
        by = f", rule {rule}" if rule else ""
        mfn = self._amount(terms.mfn, customs_c, contained_g)
        ways: list[tuple[str, str, int, str, bool]] = [(terms.mfn.name or "MFN", terms.mfn_code, mfn, "none", True)]
        if terms.quota is not None:
            return self._quota(customs_c, contained_g, ways)
        for name, code, words, condition, is_open in (
            ("suspended", "D4", "suspension", "none", True),
            ("treaty", "D2", "preference in force", "proof of origin", proof in ("treaty", "agreement")),
            (
                "agreed",
                "D3",
                "the agreement's preference",
                f"proof of origin under the agreement{by}",
                proof == "agreement",
            ),
        ):
            charge: Charge | None = getattr(terms, name)
            if charge is not None:
                ways.append((words, code, self._amount(charge, customs_c, contained_g), condition, is_open))
        duty, code, charge = mfn, terms.mfn_code, terms.mfn
        for way, held in zip(ways[1:], [c for c in (terms.suspended, terms.treaty, terms.agreed) if c], strict=True):
            if way[4] and way[2] < duty:
                duty, code, charge = way[2], way[1], held
        self._step("base duty", charge, customs_c, contained_g, duty, code)
        return duty, code, ways

    def _quota(
        self, customs_c: int, contained_g: int, ways: list[tuple[str, str, int, str, bool]]
    ) -> tuple[int, str, list[tuple[str, str, int, str, bool]]]:
        """The agreement's quota: the part of the line within it by mass, to six digits, at one rate, the rest at the other."""
        terms = self.terms
        assert terms.quota is not None
        assert terms.agreed is not None
        left = max(0, terms.quota - self.quota_before_g)
        within = min(contained_g, left)
        share_m = self._round(EXACT.divide(Decimal(within * 10**6), Decimal(max(contained_g, 1))))
        value_in = self._round(Decimal(customs_c) * share_m / 10**6)
        duty = self._round(Decimal(value_in) * terms.agreed.rate / NANO)
        duty += self._round(Decimal(customs_c - value_in) * terms.rate_beyond / NANO)
        code = "D5" if share_m == 10**6 else "D7" if share_m == 0 else "D6"
        calculation = f"{share(share_m * 1000)} of the value at {share(terms.agreed.rate)}, the rest at {share(terms.rate_beyond)}"
        if terms.mfn.num and terms.mfn.mode == SUM:  # the quota's rates take the place of the rate alone
            beside = self._amount(replace(terms.mfn, rate=0), customs_c, contained_g)
            duty, calculation = duty + beside, f"{calculation}; and {money(beside)} by mass, of {terms.mfn.text}"
        self.steps.append(
            Step(
                layer="base duty",
                data=f"quota {terms.quota_name}: {mass(left)} left of {mass(terms.quota)}",
                calculation=calculation,
                value=money(duty),
                code=code,
                article=terms.agreed.source,
            )
        )
        ways[0] = (f"quota {terms.quota_name}", code, duty, "none", True)
        return duty, code, ways

    def _step(self, layer: str, charge: Charge, customs_c: int, contained_g: int, amount: int, code: str) -> None:
        parts = []
        if charge.rate or not charge.num:
            parts.append(f"{share(charge.rate)} x {plain(customs_c)}")
        if charge.num:
            grams = self.entry.net_g if charge.on == NET_MASS else contained_g
            per_t = EXACT.divide(Decimal(charge.num) * 10_000, Decimal(charge.den))
            parts.append(f"{mass(grams)} x {per_t.normalize():f} USD/t")
        joined = {LOWER: "the lower of ", HIGHER: "the higher of "}.get(charge.mode, "")
        calculation = joined + (" and " if joined else " + ").join(parts)
        data = f"{charge.name}: {charge.text}" if charge.name else charge.text
        self.steps.append(
            Step(layer=layer, data=data, calculation=calculation, value=money(amount), code=code, article=charge.source)
        )

    # -- levy ------------------------------------------------------------------------------------------------------

    def _compared(self, cif_c: int, contained_g: int) -> tuple[int, list[str]]:
        """The price that is compared with the reference: the declared one, or that of the next method; with the reasons."""
        test = self.terms.tested
        codes = ["P3"] if self._off_grade() else []
        if test.within is None:
            return cif_c, codes
        values = [self._worth(contained_g, value) for value in test.values]
        taken = any(close(cif_c, value, test.within) for value in values)
        assert test.next_value is not None
        compared = cif_c if taken else self._worth(contained_g, test.next_value)
        code = "P1" if taken else "P2"
        self.steps.append(
            Step(
                layer="related parties",
                data=f"price {plain(cif_c)} cif; test values {', '.join(map(plain, values))}; {test.next_text}",
                calculation=f"within {Decimal(test.within) / 100:f}% of a test value"
                if taken
                else "within none: the next method",
                value=money(compared),
                code=code,
                article=test.related_article,
            )
        )
        return compared, [*codes, code]

    def _worth(self, contained_g: int, value: int) -> int:
        return self._round(Decimal(contained_g) * value / 10**6)

    def _off_grade(self) -> int:
        """Cents that a contained tonne of the goods is worth less than one of the grade quoted for; more where negative."""
        terms, entry = self.terms, self.entry
        test = terms.tested
        if test.grade is None or terms.gross or entry.assay_n is None or terms.content is None:
            return 0
        held = self._round(Decimal(entry.assay_n) * terms.content / NANO)
        less = self._round(Decimal(abs(test.grade - held)) * test.grade_point / POINT)
        return less if held < test.grade else -less

    def _levy(self, cif_c: int, duties_c: int, contained_g: int, *, silent: bool = False) -> tuple[int, str, int, int]:
        """Phase * max(0, contained mass * reference - base), rounded once; with the value at the reference and the base."""
        terms = self.terms
        base_c = cif_c if terms.on_cif else cif_c + duties_c
        quoted = terms.reference if terms.reference is not None else terms.least
        price = max(0, quoted - self._off_grade()) if quoted is not None else None
        if price is None:
            if not silent:
                self.steps.append(
                    Step(
                        layer="levy",
                        data=terms.said or REASONS[terms.levy_reason].text,
                        calculation="",
                        value=money(0),
                        code=terms.levy_reason,
                        article=terms.article,
                    )
                )
            return 0, terms.levy_reason, 0, base_c
        at_reference = Decimal(contained_g) * price / 10**6
        gap = max(NOUGHT, at_reference - base_c)
        if terms.reference is None:
            code, levy = terms.levy_reason, 0
        else:
            code, levy = ("L1" if gap > 0 else "L2"), self._round(EXACT.multiply(gap, Decimal(terms.phase)) / NANO)
        if not silent:
            basis = "cif" if terms.on_cif else "landed, duties paid"
            phase = f"{share(terms.phase)} x " if terms.phase != NANO else ""
            self.steps.append(
                Step(
                    layer="levy",
                    data=f"reference {self._reference(price)} USD/t, base {plain(base_c)} ({basis}), {terms.clause}"
                    + (f"; {terms.said}" if terms.said else ""),
                    calculation=f"{phase}max(0, {mass(contained_g)} x {plain(price)} - {plain(base_c)})",
                    value=money(levy),
                    code=code,
                    article=terms.article,
                )
            )
        return levy, code, int(at_reference), base_c

    def _reference(self, price: int) -> str:
        """The reference price of the line, with what it was quoted at where the goods are of another grade."""
        off, test = self._off_grade(), self.terms.tested
        if not off:
            return plain(price)
        sign = "-" if off > 0 else "+"
        per = f"{plain(test.grade_point)} a point from {share(test.grade or 0)}"
        article = f", {test.grade_article}" if test.grade_article else ""
        return f"{plain(price)} ({plain(price + off)} {sign} {plain(abs(off))}, {per}{article})"

    def _with_range(self, found: Assessed, customs_c: int, cif_c: int) -> Assessed:
        """The levy that the least and the greatest known content of the good imply."""
        terms = self.terms
        known = [content for (_, good), content in self.law.substances.items() if good == terms.good and content <= 1]
        if terms.reference is None or not known:
            return found
        ends = []
        for content in (min(known), max(known)):
            held = self._round(Decimal(self.entry.net_g) * (NANO - self.entry.moisture_n) / NANO * content)
            duties = self._amount(terms.mfn, customs_c, held)
            duties += sum(
                self._amount(charge, customs_c, held) for name, _, _ in LAYERS if (charge := getattr(terms, name))
            )
            ends.append(self._levy(cif_c, duties, held, silent=True)[0])
        return replace(found, levy_range_c=(min(ends), max(ends)))

    # -- what stands beside the amounts ----------------------------------------------------------------------------

    def _options(
        self, ways: list[tuple[str, str, int, str, bool]], customs_c: int, cif_c: int, contained_g: int, extras_c: int
    ) -> tuple[Option, ...]:
        found = []
        for name, _, duty, condition, is_open in ways:
            levy = self._levy(cif_c, duty + extras_c, contained_g, silent=True)[0]
            found.append(
                Option(name=name, duty_c=duty, total_c=duty + extras_c + levy, condition=condition, open=is_open)
            )
        return tuple(sorted(found, key=lambda option: (option.total_c, not option.open, option.name)))

    def _warnings(
        self, ways: list[tuple[str, str, int, str, bool]], duty_c: int, at_reference: int, base_c: int
    ) -> tuple[str, ...]:
        entry, terms = self.entry, self.terms
        flags = (
            ("W3", entry.proof_lapsed),
            ("W4", terms.reference is not None and base_c * 2 < at_reference),
            ("W5", terms.least is not None and self._below(at_reference, base_c)),
            ("W9", terms.quota is None and any(way[2] < duty_c for way in ways if not way[4])),
        )
        return (*terms.warnings, *(code for code, flag in flags if flag))

    def _below(self, at_reference: int, base_c: int) -> bool:
        return at_reference >= base_c and self.terms.least is not None and at_reference > 0 and self._gap_left(base_c)

    def _gap_left(self, base_c: int) -> bool:
        contained = self._contained(self.entry.assay_n) or 0
        return Decimal(contained) * max(0, (self.terms.least or 0) - self._off_grade()) / 10**6 > base_c

    def _refused(self, code: str, about: str) -> Assessed:
        return Assessed(entry=self.entry, terms=self.terms, refusal=code, about=about, steps=tuple(self.steps))

    def _round(self, exact: Decimal) -> int:
        return int(exact.quantize(ONE, MODES[self.rounding], context=EXACT))


def money(cents: int, currency: str = "USD") -> str:
    """An amount as a page shows it.

    >>> money(6_800_000)
    'USD 68,000.00'
    """
    return f"{currency} {plain(cents)}"


def plain(cents: int) -> str:
    """Hundredths as an amount.

    >>> plain(123456), plain(5)
    ('1,234.56', '0.05')
    """
    return f"{Decimal(cents) / HUNDRED:,.2f}"


def mass(grams: int) -> str:
    """Grams as tonnes.

    >>> mass(2_000_000), mass(1_500)
    ('2 t', '0.0015 t')
    """
    return f"{(Decimal(grams) / 10**6).normalize():,f} t"


def share(billionths: int) -> str:
    """Billionths as per cent.

    >>> share(37_000_000), share(1_000_000_000)
    ('3.7%', '100%')
    """
    return f"{(Decimal(billionths) / 10**7).normalize():f}%"
