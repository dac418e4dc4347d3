"""One line, in exact decimals, every amount with its data, its calculation and its reason.

The same terms and the same order as `columns`, written so that it can be read beside the law and checked by hand. A missing
fact stops it: what is missing is named with who can supply it, and no total is given.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Context, Decimal

from friendshore.border.declared_price import POINT, close
from friendshore.border.reasons import LACKING, REASONS, Reason
from friendshore.border.scaled import CENTS_MAX, NANO, Rounding
from friendshore.border.terms import (
    CONTAINED,
    HIGHER,
    LOWER,
    NET_MASS,
    PROOFS,
    SUM,
    Charge,
    Kind,
    Law,
    Terms,
    terms_of,
)

EXACT = Context(prec=80)
HUNDRED, ONE, NOUGHT = Decimal(100), Decimal(1), Decimal(0)
MODES = {"half_up": ROUND_HALF_UP, "half_even": ROUND_HALF_EVEN}
LAYERS = (
    ("section_301", "A1", "section 301"),
    ("section_232", "A2", "section 232"),
    ("section_122", "A3", "section 122"),
    ("surcharge", "A4", "duty on top"),
)


AGREED = "proof of origin under the agreement"


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
    """A lawful way to enter the line: what it comes to, what it asks for, whether it is open to this line, and its working.

    `charged` is the one that was taken; `steps` begin at the base duty, what stands above being the same for all.
    """

    name: str
    duty_c: int
    total_c: int
    condition: str
    open: bool
    charged: bool
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Way:
    """A base duty that the line may have: its reason, what it asks for, whether it is open, and its step of the working."""

    name: str
    code: str
    amount_c: int
    condition: str
    open: bool
    step: Step


@dataclass(frozen=True, slots=True, kw_only=True)
class _Owed:
    """What one way comes to, with its working; `below` whether the price is below the reference, and that for which cents."""

    way: _Way
    extras: dict[str, int]
    levy_c: int
    levy_code: str
    at_reference_c: int
    base_c: int
    below: bool
    steps: tuple[Step, ...]

    @property
    def total_c(self) -> int:
        """Duties and levy."""
        return self.way.amount_c + sum(self.extras.values()) + self.levy_c


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessed:
    """What one line owes, or what is missing. Amounts are cents of USD; with a `refusal` there are none.

    `levy_range_c` is what the known contents imply where the contained mass is missing. `beside` is what stands beside the
    amounts: the base duty as MFN, the lowest preference, grams contained, each none where there is none.
    """

    entry: Entry
    terms: Terms
    refusal: str = ""
    about: str = ""
    steps: tuple[Step, ...] = ()
    options: tuple[Option, ...] = ()
    amounts: dict[str, int] | None = None
    beside: dict[str, int | None] | None = None
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
    return _Line(entry, law, rounding, quota_before_g).assess()


class _Line:
    """The working of one line as it is written down, step by step."""

    def __init__(self, entry: Entry, law: Law, rounding: Rounding, quota_before_g: int, *, others: bool = True) -> None:
        """`others` : whether the ways that are not open to the line are worked out as well."""
        self.entry, self.terms, self.law, self.rounding = entry, terms_of(kind_of(entry, law), law), law, rounding
        self.quota_before_g, self.others = quota_before_g, others
        self.steps: list[Step] = []

    def assess(self) -> Assessed:
        entry, terms = self.entry, self.terms
        if terms.refusal:
            return self._refused(terms.refusal, terms.about)
        if entry.delivery == "DDP":
            return self._refused("N10", LACKING["N10"])
        needs_cif = not terms.at_fob or terms.reference is not None or terms.least is not None
        if missing := self._missing_charges(needs_cif):
            return self._refused(missing, LACKING[missing] + entry.delivery)
        fob, cif = self._values()
        customs = fob if terms.at_fob else cif
        if customs is None or customs <= 0 or (needs_cif and (cif is None or cif <= 0)):
            return self._refused("N12", LACKING["N12"])
        customs_c = self._usd(customs, "customs value", "fob" if terms.at_fob else "cif")
        cif_c = self._usd(cif, "landed value", "cif") if needs_cif and cif is not None and terms.at_fob else customs_c
        if not needs_cif:
            cif_c = 0
        contained_g = self._contained()
        if terms.needs_content and contained_g is None:
            return self._with_range(self._refused("N05", self._no_assay()), customs_c, cif_c)
        if customs_c > CENTS_MAX or cif_c > CENTS_MAX:
            return self._refused("R19", LACKING["R19"])
        return self._charged(customs_c, cif_c, contained_g)

    def _charged(self, customs_c: int, cif_c: int, stated_g: int | None) -> Assessed:
        contained_g = stated_g or 0
        ways = self._ways(customs_c, contained_g)
        compared_c, tests, between = self._compared(cif_c, contained_g)
        each = [self._owed(way, customs_c, compared_c, contained_g, between) for way in ways if way.open]
        owed = next(one for one in each if one.way is _taken(ways))
        if owed.at_reference_c > CENTS_MAX or compared_c > CENTS_MAX:
            return self._refused("R19", f"{LACKING['R19']} at the reference price")
        codes = [owed.way.code, *(code for name, code, _ in LAYERS if owed.extras[name]), owed.levy_code, *tests]
        amounts = {
            "customs_c": customs_c, "cif_c": cif_c, "contained_g": contained_g, "duty_c": owed.way.amount_c,
            **{f"{name}_c": amount for name, amount in owed.extras.items()}, "levy_c": owed.levy_c, "total_c": owed.total_c,
        }  # fmt: skip
        preferred = [way.amount_c for way in ways if way.code in ("D2", "D3")]
        beside = {
            "mfn_c": self._amount(self.terms.mfn, customs_c, contained_g),
            "preferred_c": min(preferred, default=None),
            "stated_g": stated_g,
        }
        return Assessed(
            entry=self.entry, terms=self.terms, steps=(*self.steps, *owed.steps), options=self._options(each, owed, ways),
            amounts=amounts, beside=beside, reasons=tuple(codes), warnings=self._warnings(ways, owed),
        )  # fmt: skip

    def _owed(self, way: _Way, customs_c: int, compared_c: int, contained_g: int, between: tuple[Step, ...]) -> _Owed:
        """What one way comes to: its base duty, the additional duties, the levy on what stands above."""
        steps, extras = [way.step], {}
        for name, code, words in LAYERS:
            charge: Charge | None = getattr(self.terms, name)
            extras[name] = self._amount(charge, customs_c, contained_g) if charge else 0
            if charge:
                steps.append(self._step(words, charge, customs_c, contained_g, extras[name], code))
        levy_c, code, at_reference_c, base_c, below, step = self._levy(
            compared_c, way.amount_c + sum(extras.values()), contained_g
        )
        total = way.amount_c + sum(extras.values()) + levy_c
        last = Step(layer="total", data="", calculation="base duty + additional duties + levy", value=money(total))
        return _Owed(
            way=way, extras=extras, levy_c=levy_c, levy_code=code, at_reference_c=at_reference_c, base_c=base_c, below=below,
            steps=(*steps, *between, step, last),
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
            if unit != NANO:
                calculation += f" {entry.assay_of}; x {share(unit)}, the {self._unit() or 'content'} in it"
            self.steps.append(
                Step(
                    layer="contained mass",
                    data=", ".join(filter(None, data)),
                    calculation=calculation,
                    value=mass(held),
                )
            )
        return held

    def _unit(self) -> str:
        """The substance by which the good is counted."""
        names = (name for (name, good), held in self.law.substances.items() if good == self.terms.good and held == 1)
        return next(names, "")

    def _no_assay(self) -> str:
        """Of what an assay is missing, and which substances may be declared; or which duty asks for it."""
        terms = self.terms
        if terms.good:
            known = sorted(name for name, good in self.law.substances if good == terms.good)
            return f"{LACKING['N05']} of {terms.good}" + (f", by its content of {' or '.join(known)}" if known else "")
        measured = (terms.mfn, terms.treaty, terms.suspended)
        charge = next((each for each in measured if each is not None and each.on == CONTAINED), terms.mfn)
        return f"{LACKING['N05']}; the duty is {charge.text}"

    # -- duties ----------------------------------------------------------------------------------------------------

    def _amount(self, charge: Charge, customs_c: int, contained_g: int) -> int:
        """Each part of a duty to the cent; their sum, or the lower or higher of them."""
        by_value = self._round(Decimal(customs_c) * charge.rate / NANO)
        grams = self.entry.net_g if charge.on == NET_MASS else contained_g if charge.on == CONTAINED else 0
        by_mass = self._round(Decimal(grams) * charge.num / charge.den)
        return {LOWER: min, HIGHER: max}.get(charge.mode, lambda *parts: sum(parts))(by_value, by_mass)

    def _ways(self, customs_c: int, contained_g: int) -> list[_Way]:
        """The base duty without a preference, then every option to it, in the order in which they are tried."""
        terms, proof = self.terms, self.terms.kind.proof
        if terms.quota is not None:
            return [self._quota(customs_c, contained_g)]
        rule = terms.agreed.origin_rule if terms.agreed is not None else ""
        by = f", rule {rule}" if rule else ""
        found = []
        for charge, name, code, condition, is_open in (
            (terms.mfn, terms.mfn.name or "MFN", terms.mfn_code, "none", True),
            (terms.suspended, "suspension", "D4", "none", True),
            (terms.treaty, "preference in force", "D2", "proof of origin", proof in PROOFS),
            (terms.agreed, "the agreement's preference", "D3", f"{AGREED}{by}", proof == "agreement"),
        ):
            if charge is not None:
                amount = self._amount(charge, customs_c, contained_g)
                step = self._step("base duty", charge, customs_c, contained_g, amount, code)
                found.append(_Way(name=name, code=code, amount_c=amount, condition=condition, open=is_open, step=step))
        return found

    def _quota(self, customs_c: int, contained_g: int) -> _Way:
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
        step = Step(
            layer="base duty",
            data=f"quota {terms.quota_name}: {mass(left)} left of {mass(terms.quota_whole)}",
            calculation=calculation,
            value=money(duty),
            code=code,
            article=terms.agreed.source,
        )
        name = f"quota {terms.quota_name}"
        return _Way(name=name, code=code, amount_c=duty, condition="none", open=True, step=step)

    def _step(self, layer: str, charge: Charge, customs_c: int, contained_g: int, amount: int, code: str) -> Step:
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
        return Step(
            layer=layer, data=data, calculation=calculation, value=money(amount), code=code, article=charge.source
        )

    # -- levy ------------------------------------------------------------------------------------------------------

    def _compared(self, cif_c: int, contained_g: int) -> tuple[int, list[str], tuple[Step, ...]]:
        """The price that is compared with the reference: the declared one, or that of the next method; reasons and working."""
        test = self.terms.tested
        codes = ["P3"] if self._off_grade() else []
        if test.within is None:
            return cif_c, codes, ()
        values = [self._worth(contained_g, value) for value in test.values]
        taken = any(close(cif_c, value, test.within) for value in values)
        assert test.next_value is not None
        compared = cif_c if taken else self._worth(contained_g, test.next_value)
        code = "P1" if taken else "P2"
        within = f"within {Decimal(test.within) / 100:f}% of a test value"
        step = Step(
            layer="related parties",
            data=f"price {plain(cif_c)} cif; test values {', '.join(map(plain, values))}; {test.next_text}",
            calculation=within if taken else f"not {within}: the next method",
            value=money(compared),
            code=code,
            article=test.related_article,
        )
        return compared, [*codes, code], (step,)

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

    def _levy(self, cif_c: int, duties_c: int, contained_g: int) -> tuple[int, str, int, int, bool, Step]:
        """Phase * max(0, contained mass * reference - base), rounded once; its reason, the value at the reference, the base,
        whether the price is below, and the working."""
        terms = self.terms
        base_c = cif_c if terms.on_cif else cif_c + duties_c
        quoted = terms.reference if terms.reference is not None else terms.least
        if quoted is None:
            said = terms.said or REASONS[terms.levy_reason].text + (f" ({terms.clause})" if terms.clause else "")
            step = Step(
                layer="levy", data=said, calculation="", value=money(0), code=terms.levy_reason, article=terms.article
            )
            return 0, terms.levy_reason, 0, base_c, False, step
        price = max(0, quoted - self._off_grade())
        at_reference = Decimal(contained_g) * price / 10**6
        gap = max(NOUGHT, at_reference - base_c)
        product = f"{mass(contained_g)} x {plain(price)}"
        if terms.reference is None:
            code, levy = terms.levy_reason, 0
            apart = f"the base is {plain(self._round(gap))} below" if gap else "the base is not below"
            calculation = f"{product} = {plain(self._round(at_reference))}; {apart}, and nothing is charged"
        else:
            code, levy = ("L1" if gap > 0 else "L2"), self._round(EXACT.multiply(gap, Decimal(terms.phase)) / NANO)
            phase = f"{share(terms.phase)} x " if terms.phase != NANO else ""
            calculation = f"{phase}max(0, {product} - {plain(base_c)})"
        basis = "cif" if terms.on_cif else "landed, duties paid"
        per = f"USD/t {self._unit()}".rstrip()
        step = Step(
            layer="levy",
            data=f"reference {self._reference(price)} {per}, base {plain(base_c)} ({basis}), {terms.clause}"
            + (f"; {terms.said}" if terms.said else ""),
            calculation=calculation,
            value=money(levy),
            code=code,
            article=terms.article,
        )
        return levy, code, int(at_reference), base_c, gap > 0, step

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
            compared_c, _, between = self._compared(cif_c, held)
            way = _taken(self._ways(customs_c, held))
            ends.append(self._owed(way, customs_c, compared_c, held, between).levy_c)
        return replace(found, levy_range_c=(min(ends), max(ends)))

    # -- what stands beside the amounts ----------------------------------------------------------------------------

    def _options(self, each: list[_Owed], taken: _Owed, ways: list[_Way]) -> tuple[Option, ...]:
        """Every lawful way, the cheapest first. One that asks for a proof is worked out as if it had been presented."""
        found = [
            Option(
                name=owed.way.name, duty_c=owed.way.amount_c, total_c=owed.total_c, condition=owed.way.condition, open=True,
                charged=owed is taken, steps=owed.steps,
            )
            for owed in each
        ]  # fmt: skip
        if self.others:
            asked = {way.name: "treaty" if way.code == "D2" else "agreement" for way in ways if not way.open}
            for proof in dict.fromkeys(asked.values()):
                options = self._proven(proof)
                found += [option for option in options if asked.get(option.name) == proof]
            if self.terms.unproven and "agreement" not in asked.values():
                cheapest = self._proven("agreement")[:1]
                found += [replace(option, name="origin in a party, proven", condition=AGREED) for option in cheapest]
        return tuple(
            sorted(found, key=lambda option: (option.total_c, not option.open, not option.charged, option.name))
        )

    def _proven(self, proof: str) -> list[Option]:
        """The ways that would be open with a proof that was not presented."""
        entry = replace(self.entry, proof=proof, proof_lapsed=False)
        found = _Line(entry, self.law, self.rounding, self.quota_before_g, others=False).assess()
        return [replace(option, open=False, charged=False) for option in found.options]

    def _warnings(self, ways: list[_Way], owed: _Owed) -> tuple[str, ...]:
        entry, terms = self.entry, self.terms
        flags = (
            ("W3", entry.proof_lapsed),
            ("W4", terms.reference is not None and owed.base_c * 2 < owed.at_reference_c),
            ("W5", terms.least is not None and owed.below),
            ("W9", any(way.amount_c < owed.way.amount_c for way in ways if not way.open)),
        )
        return (*terms.warnings, *(code for code, flag in flags if flag))

    def _refused(self, code: str, about: str) -> Assessed:
        return Assessed(entry=self.entry, terms=self.terms, refusal=code, about=about, steps=tuple(self.steps))

    def _round(self, exact: Decimal) -> int:
        return int(exact.quantize(ONE, MODES[self.rounding], context=EXACT))


def _taken(ways: list[_Way]) -> _Way:
    """The way that is charged: of those that are open the lowest, of equal ones the first."""
    return min((way for way in ways if way.open), key=lambda way: way.amount_c)


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
