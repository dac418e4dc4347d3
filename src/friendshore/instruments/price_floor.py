"""Price floor: what a shipment from outside must at least cost, and what makes up the difference.

Terms, market wedge, border duty and promise come from the same numbers here. Which parties are bound on a day is read
from the setting; solving for prices is left to the market, origin to the border.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, ValidationInfo, WithJsonSchema, model_validator

from friendshore.faces import Content, Duty, PriceGap, Promise, Tariff, Wedge
from friendshore.instruments.clause import Bound, LevyOn, PhasedClause, Setting, Share, borders, lane
from friendshore.instruments.dates import Many, Term
from friendshore.instruments.names import Countries, CountryCode, GoodId, Substance, known
from friendshore.instruments.price import PublishedPrice, TimedPrice, check_basis, on_the_day
from friendshore.instruments.price_basis import Grade, RelatedParties
from friendshore.marked import KeyPath, wrong
from friendshore.units import to_cent, to_float

Form = Literal[
    "adjustable_levy", "minimum_import_price", "undertaking", "fixed_duty", "ad_valorem_duty", "compound_duty"
]
AT_ADOPTION = ("fixed_duty", "ad_valorem_duty", "compound_duty")  # duties sized to the gap on the day of adoption
NONE, WHOLE = Decimal(0), Decimal(1)
LINE = r"[0-9]{4}\.?[0-9]{2}(\.?[0-9]{2}){0,2}"  # digits of a tariff line, dots allowed
RATE_STEP = Decimal("0.000001")  # a rate is stated to six digits


def _tariff_line(text: str) -> str:
    if not re.fullmatch(LINE, text):
        hint = "six to ten digits as text, such as 2841.80"
        raise wrong("bad-line", f"{text!r} is no tariff line", hint=hint)
    return text


class DefaultContent(Term):
    """What goods of one tariff line and form are taken to hold where no assay is declared; never in place of an assay."""

    hs: Annotated[str, AfterValidator(_tariff_line), WithJsonSchema({"type": "string", "pattern": LINE})] = Field(
        description="Tariff line, six to ten digits as text, dots allowed; the lines below it are meant too."
    )
    form: str = Field(description="Form of the goods: that of the clause's good, `oxide` for ndpr.oxide.")
    content: Annotated[Share, Field(gt=0)] = Field(description="Part of the dry mass that is the substance.")
    of: Substance = Field(description="The substance, such as ndpr_oxide; a good's own id stands for its own unit.")
    article: str = Field(description="Where the text sets it, such as Annex B, line 3.", min_length=1)
    source: Many[str] = Field((), description="Ids of sources.")
    note: str = Field("", description="How it was found.")

    @property
    def line(self) -> str:
        """The line's digits."""
        return self.hs.replace(".", "")


class PriceFloor(PhasedClause):
    """A price that goods from outside must not undercut; the levy lifts them to it.

    Promises, once phased in: levy = max(0, reference price - base), never more, the base being the one the clause
    names; delivered price >= reference price; under "non_parties", goods that originate in a party never pay it.

    Forms: an `adjustable_levy` takes the gap at the border, for the treasury. Under a `minimum_import_price` the seller
    raises his price to the floor and keeps the gap; under an `undertaking` he keeps `exporter_share` of it. The gap at
    adoption as a duty that no longer follows the price promises no floor: a `fixed_duty` takes it per tonne, an
    `ad_valorem_duty` as a rate, gap / price at adoption, a `compound_duty` takes `specific_part` of it per tonne and the
    rest as a rate.
    """

    word: ClassVar[str] = "floor"

    good: GoodId = Field(description="One mineral at one stage, as `friendshore world goods` lists them.")
    reference_price: TimedPrice = Field(description="With currency, unit and the substance it is quoted for.")
    levy_on: LevyOn = Field(
        description="What the reference price is compared with: landed_duty_paid (cif and duty) or cif."
    )
    form: Form = Field("adjustable_levy", description="How the gap is made up, and who gets it.")
    applies_to: Literal["non_parties", "everyone"] = Field(
        "non_parties", description="Whose goods: those from outside, or from every other country."
    )
    exempt: Countries = Field(
        (), description="Countries outside whose goods do not pay, such as trade-agreement partners."
    )
    exempt_at: Mapping[CountryCode, Countries] = Field(
        default_factory=dict,
        description="Party -> countries whose goods do not pay at its border alone, such as its own trade-agreement partners.",
    )
    exporter_share: Annotated[Share, Field(gt=0, lt=1)] | None = Field(
        None, description="Part of the gap that the seller keeps; for an undertaking only."
    )
    price_at_adoption: TimedPrice | None = Field(
        None, description="The price, on the `levy_on` basis, from which a duty fixed at adoption measures its gap."
    )
    specific_part: Annotated[Share, Field(gt=0, lt=1)] | None = Field(
        None, description="Part of the gap at adoption that a compound duty takes per tonne; the rest is its rate."
    )
    default_content: Many[DefaultContent] = Field(
        (), description="What goods without an assay are taken to hold, by tariff line and form, with its article."
    )
    grade: Grade | None = Field(
        None, description="The grade that the reference price is quoted for, and what a point of assay is worth."
    )
    related_parties: RelatedParties | None = Field(
        None, description="How prices between related buyer and seller are tested before they are compared."
    )
    dispersion: Annotated[float, Field(ge=0, le=2)] = Field(
        0.0, description="Relative standard deviation of consignment prices around their yearly mean."
    )

    @model_validator(mode="after")
    def the_form_has_its_terms(self) -> Self:
        for forms, key in (
            (("undertaking",), "exporter_share"),
            (AT_ADOPTION, "price_at_adoption"),
            (("compound_duty",), "specific_part"),
        ):
            given = getattr(self, key) is not None
            if self.form in forms and not given:
                hint = str(type(self).model_fields[key].description)
                raise wrong("missing", f"form {self.form} needs {key}", hint=hint)
            if self.form not in forms and given:
                raise wrong("unused-term", f"{key} has no meaning under form {self.form}", at=(key,))
        if self.form in ("ad_valorem_duty", "compound_duty") and self.levy_on != "cif":
            hint = "a rate is charged on the customs value: state price_at_adoption as cif, with levy_on: cif"
            raise wrong("wrong-basis", f"form {self.form} compares with {self.levy_on}", hint=hint, at=("levy_on",))
        if self.form in AT_ADOPTION and self.dispersion:
            message = f"dispersion has no meaning under form {self.form}"
            raise wrong("unused-term", message, hint="the duty does not follow the price", at=("dispersion",))
        return self

    @model_validator(mode="after")
    def prices_are_for_the_good(self, info: ValidationInfo) -> Self:
        check_basis(self.reference_price, (self.good,), info, ("reference_price",))
        check_basis(self.price_at_adoption, (self.good,), info, ("price_at_adoption",))
        return self

    @model_validator(mode="after")
    def a_default_content_is_for_the_good(self, info: ValidationInfo) -> Self:
        if self.default_content and self.form in AT_ADOPTION:
            hint = "only a levy that follows the price asks for the content"
            raise wrong(
                "unused-term",
                f"default_content has no meaning under form {self.form}",
                hint=hint,
                at=("default_content",),
            )
        words, form, seen = known(info), self.good.partition(".")[2], set[str]()
        for number, item in enumerate(self.default_content):
            at: KeyPath = ("default_content", number)
            if words is not None and form not in ("", item.form):
                message = f"{item.form!r} is not the form of {self.good}"
                raise wrong("wrong-form", message, hint=f"the form is {form}", at=(*at, "form"))
            if item.line in seen:
                raise wrong("duplicate-line", f"line {item.hs} has a content already", at=(*at, "hs"))
            seen.add(item.line)
            if words is not None and item.of != self.good and (item.of, self.good) not in words.substances:
                valid = sorted({substance for substance, good in words.substances if good == self.good} | {self.good})
                message = f"{self.good} is not measured by {item.of!r}"
                raise wrong("wrong-basis", message, hint=f"one of {', '.join(valid)}", at=(*at, "of"))
        return self

    @model_validator(mode="after")
    def the_price_test_has_a_use(self, info: ValidationInfo) -> Self:
        for key in ("grade", "related_parties"):
            if self.form in AT_ADOPTION and getattr(self, key) is not None:
                hint = "only a price that is compared at the border is tested"
                raise wrong("unused-term", f"{key} has no meaning under form {self.form}", hint=hint, at=(key,))
        if self.grade is not None:
            _measures(self.grade.of, self.good, info, ("grade", "of"))
        return self

    def contents(self, setting: Setting) -> tuple[Content, ...]:
        """What goods without an assay are taken to hold of the good's unit, by tariff line."""
        good = setting.good(self.good)
        return tuple(
            Content(line=item.line, share=item.content * setting.content(item.of, good), article=item.article)
            for item in self.default_content
        )

    @property
    def share(self) -> Decimal:
        """phi, the part of the gap that the seller keeps."""
        if self.form == "minimum_import_price":
            return WHOLE
        return self.exporter_share or NONE

    def reference_usd_t(self, setting: Setting) -> Decimal | None:
        """The reference price on the day, USD per contained tonne to the cent; None where none holds."""
        return on_the_day(self.reference_price, setting.good(self.good), setting)

    def assumptions(self) -> tuple[str, ...]:
        """What is taken where the price is one to be published."""
        term = self.reference_price
        prices = [period.value for period in term] if isinstance(term, tuple) else [term]
        said = [price for price in prices if isinstance(price, PublishedPrice)]
        return tuple(
            f"{self.id}: {price.value} {price.currency} per {price.per} of {price.of} stands for the published price."
            for price in said
        )

    def wedges(self, setting: Setting) -> tuple[Wedge, ...]:
        """A price gap at each party's outer border; a duty on top where the gap was fixed at adoption."""
        found: list[Wedge] = []
        for good, exporters, party, reference in self._terms(setting):
            where = lane(good, exporters, party.members)
            if self.form in AT_ADOPTION:
                rate, specific = (to_float(part * party.phase) for part in self._adopted(setting, reference))
                found.append(Tariff(clause=self.id, lane=where, rate=rate, specific_usd_t=specific, adds=True))
                continue
            found.append(
                PriceGap(
                    clause=self.id,
                    lane=where,
                    reference_usd_t=to_float(reference),
                    levy_on=self.levy_on,
                    phase=to_float(party.phase),
                    exporter_share=to_float(self.share),
                    dispersion=self.dispersion,
                )
            )
        return tuple(found)

    def duties(self, setting: Setting) -> tuple[Duty, ...]:
        """The levy that a consignment owes the treasury; none under a minimum import price, whose gap the seller keeps.

        phase is the clause's times (1 - exporter share), so that amount = phase * max(0, reference - base) holds for
        an undertaking too.
        """
        found: list[Duty] = []
        for good, exporters, party, reference in self._terms(setting):
            fixed = self.form in AT_ADOPTION
            if self.share == WHOLE:
                continue
            rate, specific = (part * party.phase for part in self._adopted(setting, reference))
            found.append(
                Duty(
                    clause=self.id,
                    article=self.article,
                    good=good,
                    exporters=exporters,
                    importers=party.members,
                    reference_usd_t=None if fixed else reference,
                    levy_on=None if fixed else self.levy_on,
                    phase=WHOLE if fixed else party.phase * (WHOLE - self.share),
                    rate=rate if fixed and rate else None,
                    specific_usd_t=specific if fixed and (specific or not rate) else None,
                    as_of=setting.as_of,
                    default_content=() if fixed else self.contents(setting),
                )
            )
        return tuple(found)

    def promises(self, setting: Setting) -> tuple[Promise, ...]:
        """A charge on imports, or a price that imports must keep."""
        touches = {
            "adjustable_levy": "import_duty",
            "fixed_duty": "import_duty",
            "ad_valorem_duty": "import_duty",
            "compound_duty": "import_duty",
            "minimum_import_price": "price_requirement",
            "undertaking": "price_undertaking",
        }[self.form]
        facts = (("form", self.form), ("levy_on", self.levy_on), ("applies_to", self.applies_to))
        return tuple(
            Promise(
                clause=self.id,
                touches=touches,
                goods=(good,),
                bound=party.members,
                affected=exporters,
                facts=(*facts, ("reference_usd_t", str(reference)), ("phase", str(party.phase))),
            )
            for good, exporters, party, reference in self._terms(setting)
        )

    def _terms(self, setting: Setting) -> list[tuple[str, frozenset[str], Bound, Decimal]]:
        """The good, who pays, at whose border, and the reference price: what every face is made from."""
        bound = setting.bound(self)
        if not bound or (reference := self.reference_usd_t(setting)) is None:
            return []
        outside = setting.select((self.applies_to,)) - setting.select(self.exempt)
        good = setting.good(self.good)
        spared: dict[frozenset[str], list[Bound]] = {}
        for party in bound:
            spared.setdefault(setting.select(self.exempt_at.get(party.code, ())), []).append(party)
        return [
            (good, exporters, party, reference)
            for free, alike in spared.items()
            for exporters, party in borders(outside - free, alike)
        ]

    def _adopted(self, setting: Setting, reference: Decimal) -> tuple[Decimal, Decimal]:
        """The rate and the USD per tonne of a duty sized to the gap at adoption; noughts under other forms."""
        if self.price_at_adoption is None:
            return NONE, NONE
        adopted = on_the_day(self.price_at_adoption, setting.good(self.good), setting)
        if adopted is None or adopted >= reference:
            return NONE, NONE
        gap = reference - adopted
        per_tonne = {"fixed_duty": WHOLE, "ad_valorem_duty": NONE}.get(self.form, self.specific_part or NONE)
        rate = (gap * (WHOLE - per_tonne) / adopted).quantize(RATE_STEP)
        return rate, to_cent(gap * per_tonne)


def _measures(substance: str, good: str, info: ValidationInfo, at: KeyPath) -> None:
    """Refuse a substance that a good is not measured by, where the world is known."""
    words = known(info)
    if words is None or substance == good or (substance, good) in words.substances:
        return
    valid = sorted({each for each, its in words.substances if its == good} | {good})
    raise wrong("wrong-basis", f"{good} is not measured by {substance!r}", hint=f"one of {', '.join(valid)}", at=at)
