"""The words of a network file: which keys there are, what each holds, what may be left out.

Only the shape of single terms is decided here; names of goods and countries, lanes and curves are resolved in
`world.network_blocks`, and whether the figures fit together in `world.network`. The schema for editors is made from these models.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, WithJsonSchema, model_validator

from friendshore.faces import LevyBase, Sourcing
from friendshore.marked import wrong

Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]


def _as_fraction(rate: float) -> float:
    if rate > 10.0:
        raise wrong(
            "out-of-range", f"a rate of {rate:g} is {rate * 100:g} %", hint=f"write {rate / 100:g} for {rate:g} %"
        )
    return rate


Rate = Annotated[float, Field(ge=0), AfterValidator(_as_fraction)]

# Values that are read by hand, for better messages than a union of types can give; the schema tells editors their shape.
Code = Annotated[object, WithJsonSchema({"type": "string"})]
Codes = Annotated[
    object,
    WithJsonSchema(
        {
            "description": "A country, a list of countries, 'all', or 'others' (all but those on the other side).",
            "oneOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}],
        }
    ),
]
Good = Annotated[object, WithJsonSchema({"type": "string", "description": "One of `goods`."})]
Goods = Annotated[
    object,
    WithJsonSchema(
        {
            "description": "A good, a list of goods, or 'all'.",
            "oneOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}],
        }
    ),
]
CurveText = Annotated[
    object,
    WithJsonSchema(
        {
            "type": "string",
            "description": "'q = 20 + 20 p', 'p = 42 - 2 q', 'q = 350', 'q = 100 (p / 20)^0.8'; or iso_elastic, linear, logistic, fixed.",
        }
    ),
]


class Term(BaseModel):
    """One mapping of the file: keys that are not listed are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, populate_by_name=False)


TermT = TypeVar("TermT", bound=Term)


class Units(Term):
    """What the figures of the file are measured in."""

    mass: Literal["t", "kt", "Mt", "kg", "lb", "unit"] = Field(
        "t", description="Quantities; `unit` for an abstract good."
    )
    price: str | None = Field(
        None, description="Such as `USD per t`, `USD per kg`, `kUSD per unit`; USD per t (per unit) if absent."
    )


class CountryTerms(Term):
    """One country."""

    name: str | None = None
    duty_base: Literal["cif", "fob"] = Field("cif", description="What its ad valorem duties are charged on.")


class GoodTerms(Term):
    """One good, with the elasticities that hold wherever a country does not state its own."""

    name: str | None = None
    mineral: str | None = None
    stage: str | None = None
    sigma: Positive | None = Field(
        None, description="Elasticity of substitution between origins (logit, ces; needs base flows)."
    )
    theta: Positive | None = Field(
        None, description="The same as a sharpness per price unit, where there is no base price."
    )
    supply_elasticity: NotNegative | None = Field(None, description="Of every supplier that states none of its own.")
    demand_elasticity: NotNegative | None = Field(None, description="Of final demand, as a positive number.")
    choke: Positive | None = Field(None, description="Price beyond which demand goes unserved.")
    choke_multiple: Annotated[float, Field(gt=1)] | None = Field(
        None, description="The same as a multiple of the base index."
    )

    @model_validator(mode="after")
    def one_measure_of_each(self) -> GoodTerms:
        if self.sigma is not None and self.theta is not None:
            raise wrong("both", "either sigma or theta, not both", at=("theta",))
        if self.choke is not None and self.choke_multiple is not None:
            raise wrong("both", "either choke or choke_multiple, not both", at=("choke_multiple",))
        return self


class SupplyTerms(Term):
    """Supply of one good in one country by a producer that buys none of the goods."""

    curve: CurveText = Field(None, description="A line of algebra, or the name of a curve whose terms follow.")
    quantity: NotNegative | None = Field(None, description="Of a fixed or iso-elastic curve where there is no base.")
    price: Positive | None = Field(None, description="At which an iso-elastic curve passes through `quantity`.")
    elasticity: NotNegative | None = None
    midpoint: float | None = Field(None, description="Logistic: price at which half the capacity runs.")
    spread: Positive | None = Field(None, description="Logistic: how far costs spread around the midpoint, a price.")
    capacity: NotNegative | None = None
    level: NotNegative | None = Field(None, description="Base output, where processes make the same good here.")
    fixed_cost: NotNegative = Field(0.0, description="Per unit made; taken off the price.")


class DemandTerms(Term):
    """Final demand for one good in one country."""

    curve: CurveText = Field(None, description="A line of algebra, or the name of a curve whose terms follow.")
    quantity: NotNegative | None = Field(None, description="Of a fixed or iso-elastic curve where there is no base.")
    price: Positive | None = Field(None, description="At which an iso-elastic curve passes through `quantity`.")
    elasticity: NotNegative | None = None
    choke: Positive | None = Field(None, description="Price beyond which demand goes unserved.")


class SupplyRow(SupplyTerms):
    """The same as one row of a list."""

    good: Good
    country: Code


class DemandRow(DemandTerms):
    """The same as one row of a list."""

    good: Good
    country: Code


class PriceRow(Term):
    """A base price as one row of a list."""

    good: Good
    country: Code
    price: Positive


class Recovery(Term):
    """A by-product taken from the stream of a host process in the same country."""

    host: str = Field(description="Another process of the file.")
    yields: Positive = Field(description="Level of this process, at most, per unit of the host's level.")


class RunTerms(Term):
    """A process as one country runs it; what is left out is taken from the process."""

    inputs: dict[str, Positive] | None = Field(None, description="Quantity of each good used per unit of level.")
    outputs: dict[str, Positive] | None = Field(None, description="Quantity of each good made per unit of level.")
    level: NotNegative | None = Field(None, description="Base level; derived from base flows if absent.")
    capacity: NotNegative | None = Field(None, description="Highest level.")
    curve: CurveText = Field(None, description="In the margin m: `q = 10 + 0.5 m`; iso_elastic if absent.")
    quantity: NotNegative | None = Field(None, description="Of a fixed or iso-elastic curve where there is no base.")
    margin: Positive | None = Field(None, description="At which an iso-elastic curve passes through `quantity`.")
    elasticity: NotNegative | None = Field(None, description="Of the level in the margin.")
    midpoint: float | None = Field(None, description="Logistic: margin at which half the capacity runs.")
    spread: Positive | None = Field(None, description="Logistic: how far costs spread around the midpoint.")
    fixed_cost: NotNegative | None = Field(None, description="Per unit of level.")
    credit: NotNegative | None = Field(
        None, description="Income from by-products that the file does not model, per unit."
    )
    base_support: NotNegative | None = Field(None, description="Public or group support in the base year, per unit.")
    support_holder: Code = Field(None, description="Country that pays the support; its own if absent.")
    recovered_from: Recovery | None = None


class ProcessTerms(RunTerms):
    """A recipe and the countries that run it."""

    name: str | None = None
    run_in: object = Field(
        alias="in",
        description="Countries that run it: a list, or a mapping to the terms that differ there.",
        json_schema_extra={"oneOf": [{"type": "array", "items": {"type": "string"}}, {"type": "object"}]},
    )


class LaneTerms(Term):
    """Goods on their way from some countries to others."""

    good: Goods = Field(description="A good, a list of goods, or all.")
    exporters: Codes = Field(alias="from")
    importers: Codes = Field(alias="to")


class OneGoodLane(Term):
    """One good on its way from some countries to others."""

    good: Good = Field(description="One good.")
    exporters: Codes = Field(alias="from")
    importers: Codes = Field(alias="to")


class DutyTerms(LaneTerms):
    """A duty or export tax in force in the base year."""

    rate: Rate = Field(0.0, description="Ad valorem: 0.05 for 5 %.")
    specific: NotNegative = Field(0.0, description="Per unit of mass, in the price unit.")

    @model_validator(mode="after")
    def says_how_much(self) -> DutyTerms:
        if not self.model_fields_set & {"rate", "specific"}:
            raise wrong("no-amount", "a duty states a rate, a specific duty, or both", hint="rate: 0.05 for 5 %")
        return self


class LatentTerms(OneGoodLane):
    """A link that does not trade in the base but could."""

    share: Annotated[float, Field(gt=0, lt=1)] = Field(description="Prior share of the importer's purchases.")


class LicenceTerms(OneGoodLane):
    """A base licence that holds the price inside and outside apart."""

    rent: Positive = Field(description="Price outside less price inside.")
    owner: Code = Field(description="Country that takes the rent, or `exporter`.")


class StockTerms(Term):
    """A stock change in the base year."""

    good: Good
    country: Code
    change: float = Field(description="Into stock (+) or out of it (-) in the base, the same in every experiment.")


class Policy(Term):
    """A measure in force in the run; `kind` says which."""

    name: str | None = Field(None, description="What the reports call it.")


class Tariff(Policy):
    """An import duty that replaces what is there, or `adds` to it."""

    kind: Literal["tariff"]
    good: Goods
    exporters: Codes = Field(alias="from")
    importers: Codes = Field(alias="to")
    rate: Rate = Field(0.0, description="Ad valorem: 0.05 for 5 %.")
    specific: NotNegative = Field(0.0, description="Per unit of mass, in the price unit.")
    adds: bool = False

    @model_validator(mode="after")
    def says_how_much(self) -> Tariff:
        if not self.model_fields_set & {"rate", "specific"}:
            raise wrong("no-amount", "a tariff states a rate, a specific duty, or both", hint="rate: 0.05 for 5 %")
        return self


class TariffSchedule(Policy):
    """Every import duty of the run: what is not listed is zero, also where the base has a duty."""

    kind: Literal["tariff_schedule"]
    duties: list[DutyTerms]


class Preference(Policy):
    """A lower duty in place of the base duty; free of duty if no rate is given."""

    kind: Literal["preference"]
    good: Goods
    exporters: Codes = Field(alias="from")
    importers: Codes = Field(alias="to")
    rate: Rate = 0.0


class ExportTax(Policy):
    """A tax taken by the exporter's state on the price at its border."""

    kind: Literal["export_tax"]
    good: Goods
    exporters: Codes = Field(alias="from")
    importers: Codes = Field(alias="to")
    rate: Rate = Field(0.0, description="Ad valorem: 0.05 for 5 %.")
    specific: NotNegative = Field(0.0, description="Per unit of mass, in the price unit.")
    adds: bool = False

    @model_validator(mode="after")
    def says_how_much(self) -> ExportTax:
        if not self.model_fields_set & {"rate", "specific"}:
            raise wrong("no-amount", "an export tax states a rate, a specific tax, or both", hint="rate: 0.05 for 5 %")
        return self


class _PriceAtTheBorder(Policy):
    """A price that imports must not undercut."""

    good: Good
    exporters: Codes = Field(alias="from")
    importers: Codes = Field(alias="to")
    reference: Positive = Field(description="The price that imports must not undercut, in the price unit of the file.")
    levy_on: LevyBase = Field(description="What the reference is compared with: landed_duty_paid or cif.")
    phase: Share = Field(1.0, description="Part of the gap that is charged.")
    dispersion: NotNegative = Field(0.0, description="Relative standard deviation of prices within the year.")


class PriceFloor(_PriceAtTheBorder):
    """A levy of the gap between the reference and the price at the border."""

    kind: Literal["price_floor"]
    exporter_share: Share = Field(0.0, description="Part of the gap that the seller keeps.")


class MinimumImportPrice(_PriceAtTheBorder):
    """The same gap, kept by the seller."""

    kind: Literal["minimum_import_price"]


class Undertaking(_PriceAtTheBorder):
    """The same gap, divided between seller and treasury."""

    kind: Literal["undertaking"]
    exporter_share: Share = Field(description="Part of the gap that the seller keeps.")


class Quota(Policy):
    """At most so much a year over all the lanes together."""

    kind: Literal["quota"]
    good: Good
    exporters: Codes = Field(alias="from")
    importers: Codes = Field(alias="to")
    quantity: NotNegative
    owner: Code = Field(description="Who takes the rent: a country, `exporter` or `importer`.")


class Ban(Policy):
    """No trade."""

    kind: Literal["ban"]
    good: Goods
    exporters: Codes = Field(alias="from")
    importers: Codes = Field(alias="to")


class TariffRateQuota(Policy):
    """One rate up to the quantity, another beyond it."""

    kind: Literal["tariff_rate_quota"]
    good: Good
    exporters: Codes = Field(alias="from")
    importers: Codes = Field(alias="to")
    quantity: NotNegative
    rate_in: Rate
    rate_out: Rate
    owner: Code = Field(description="Who takes the rent of in-quota licences: a country, `exporter` or `importer`.")

    @model_validator(mode="after")
    def dearer_outside(self) -> TariffRateQuota:
        if self.rate_out < self.rate_in:
            raise wrong("out-of-range", f"rate_out {self.rate_out} is below rate_in {self.rate_in}", at=("rate_out",))
        return self


class Subsidy(Policy):
    """So much for every unit made."""

    kind: Literal["subsidy"]
    good: Good
    producers: Codes
    amount: NotNegative = Field(description="Per unit of mass, in the price unit.")
    payers: dict[str, NotNegative] | None = Field(
        None, description="Country: share; each producer's own treasury if absent."
    )


class Contract(Policy):
    """A contract for difference."""

    kind: Literal["contract"]
    good: Good
    producers: Codes
    strike: Positive
    two_way: bool = False
    claw_back: Share = Field(1.0, description="Two-way: part of the price above the strike that is paid back.")
    cap: NotNegative | None = Field(None, description="Covered quantity in each producing country.")
    payers: dict[str, NotNegative] | None = Field(
        None, description="Country: share; each producer's own treasury if absent."
    )
    dispersion: NotNegative = 0.0


class Offtake(Policy):
    """Take-or-pay purchases at the delivered price of the route."""

    kind: Literal["offtake"]
    good: Good
    exporter: Code = Field(alias="from")
    importer: Code = Field(alias="to")
    quantity: Positive


class Corridor(Policy):
    """A cheaper way for the listed routes, with a capacity over all of them."""

    kind: Literal["corridor"]
    routes: list[LaneTerms] = Field(json_schema_extra={"minItems": 1})
    saving: NotNegative = Field(description="Freight saved per unit of mass.")
    capacity: NotNegative | None = None
    owner: Code = Field(description="Country that takes the congestion rent.")

    @model_validator(mode="after")
    def has_routes(self) -> Corridor:
        if not self.routes:
            raise wrong("empty-list", "a corridor without a route", hint="a list of {good, from, to}", at=("routes",))
        return self


class Reserve(Policy):
    """Purchases or sales of a public reserve in one market."""

    kind: Literal["reserve"]
    good: Good
    country: Code
    buys: Positive | None = None
    sells: Positive | None = None
    owner: Code = Field(None, description="Country whose reserve it is; the market's own if absent.")

    @model_validator(mode="after")
    def buys_or_sells(self) -> Reserve:
        if (self.buys is None) == (self.sells is None):
            raise wrong("no-amount" if self.buys is None else "both", "a reserve either buys or sells a quantity")
        return self


PolicyTerms = Annotated[
    Tariff
    | TariffSchedule
    | Preference
    | ExportTax
    | PriceFloor
    | MinimumImportPrice
    | Undertaking
    | Quota
    | Ban
    | TariffRateQuota
    | Subsidy
    | Contract
    | Offtake
    | Corridor
    | Reserve,
    Field(discriminator="kind"),
]


KINDS: dict[str, type[Policy]] = {
    "tariff": Tariff,
    "tariff_schedule": TariffSchedule,
    "preference": Preference,
    "export_tax": ExportTax,
    "price_floor": PriceFloor,
    "minimum_import_price": MinimumImportPrice,
    "undertaking": Undertaking,
    "quota": Quota,
    "ban": Ban,
    "tariff_rate_quota": TariffRateQuota,
    "subsidy": Subsidy,
    "contract": Contract,
    "offtake": Offtake,
    "corridor": Corridor,
    "reserve": Reserve,
}


class Experiment(Term):
    """A named variant of the file: what it states replaces what the file states, country by country."""

    title: str | None = None
    sourcing: Sourcing | None = None
    supply: object = None
    demand: object = None
    freight: object = None
    policies: object = Field(None, description="In place of the file's policies; those stay if this is absent.")


class NetworkFile(Term):
    """A small self-contained world: countries, goods, base flows or curves, freight, policies."""

    title: str | None = None
    note: str | None = None
    source: str | None = None
    units: object = None
    sourcing: Sourcing | None = Field(
        None, description="logit with base flows, homogeneous with curves alone, if absent; ces is Armington's."
    )
    countries: object = Field(description="A list of codes, or a mapping from code to terms.")
    goods: object = Field(description="A list of goods, or a mapping from good to terms.")
    supply: object = None
    demand: object = None
    processes: object = None
    flows: object = Field(None, description="Base flows; without them the world consists of curves.")
    prices: object = Field(None, description="Base price at the producer's gate.")
    freight: object = None
    duties: object = None
    export_taxes: object = None
    latent: object = None
    licences: object = None
    stocks: object = None
    policies: object = None
    experiments: object = None


def _of(value: dict[str, Any]) -> dict[str, Any]:
    """{good: {country: value}} or rows; the schema of a block by good and country."""
    return {
        "oneOf": [
            {
                "type": "object",
                "additionalProperties": {
                    "oneOf": [{"type": "object", "additionalProperties": value}, {"type": "array"}]
                },
            },
            {"type": "array", "items": {"type": "object", "required": ["good", "country"]}},
        ]
    }


def schema() -> dict[str, Any]:
    """JSON Schema of a network file, for editors. `network.schema.json` beside this module is this, written out."""
    models: list[type[BaseModel]] = [
        Units, CountryTerms, GoodTerms, SupplyTerms, DemandTerms, ProcessTerms, RunTerms, DutyTerms, LatentTerms,
        LicenceTerms, StockTerms,
    ]  # fmt: skip
    defs: dict[str, Any] = {}

    def define(adapter: TypeAdapter[Any], name: str) -> dict[str, str]:
        made = adapter.json_schema(ref_template="#/$defs/{model}")
        defs.update(made.pop("$defs", {}))
        defs[name] = made
        return {"$ref": f"#/$defs/{name}"}

    ref = {model.__name__: define(TypeAdapter(model), model.__name__) for model in models}
    policies = {"type": "array", "items": define(TypeAdapter(PolicyTerms), "Policy")}
    number, rows = (
        {"type": "number"},
        {"type": "array", "items": {"type": "object", "required": ["good", "from", "to"]}},
    )
    lanes = {"oneOf": [{"type": "object"}, rows]}
    supply = _of({"oneOf": [{"type": "string"}, ref["SupplyTerms"]]})
    demand = _of({"oneOf": [{"type": "string"}, ref["DemandTerms"]]})
    freight = {"oneOf": [number, *lanes["oneOf"]]}
    experiment = Experiment.model_json_schema()
    experiment["properties"] |= {"supply": supply, "demand": demand, "freight": freight, "policies": policies}
    defs["Experiment"] = experiment
    top = NetworkFile.model_json_schema()

    def named(key: str, terms: dict[str, Any]) -> None:
        names = {"type": "array", "items": {"type": "string"}, "minItems": 1, "uniqueItems": True}
        top["properties"][key] |= {
            "oneOf": [names, {"type": "object", "additionalProperties": terms, "minProperties": 1}]
        }

    named("countries", {"oneOf": [{"type": "null"}, ref["CountryTerms"]]})
    named("goods", {"oneOf": [{"type": "null"}, ref["GoodTerms"]]})
    top["properties"] |= {
        "units": ref["Units"],
        "supply": supply,
        "demand": demand,
        "processes": {"type": "object", "additionalProperties": ref["ProcessTerms"]},
        "flows": lanes,
        "prices": _of(number),
        "freight": freight,
        "duties": {"type": "array", "items": ref["DutyTerms"]},
        "export_taxes": {"type": "array", "items": ref["DutyTerms"]},
        "latent": {"type": "array", "items": ref["LatentTerms"]},
        "licences": {"type": "array", "items": ref["LicenceTerms"]},
        "stocks": {"type": "array", "items": ref["StockTerms"]},
        "policies": policies,
        "experiments": {
            "type": "object",
            "additionalProperties": {"oneOf": [policies, {"$ref": "#/$defs/Experiment"}]},
        },
    }
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **top, "$defs": dict(sorted(defs.items()))}
