"""What alternatives are ranked by: a measure to make small or large, and limits that others must keep.

The measures that may be named stand here, each with its unit and in words. What each is worth in an outcome is counted
where outcomes are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, model_validator

from friendshore.errors import did_you_mean
from friendshore.instruments.dates import Term
from friendshore.instruments.names import country_code, good_id, known
from friendshore.marked import wrong

Of = Literal["", "country", "good"]


@dataclass(frozen=True, slots=True)
class Measure:
    """A figure that alternatives can be ranked by.

    Parameters
    ----------
    words : what it is
    unit : in what it is counted
    of : what it is asked of: nothing further, a country or a customs union, or a good
    additive : whether it is a change against the status quo (else a state under the agreement)
    """

    words: str
    unit: str
    of: Of = ""
    additive: bool = True


MEASURES: dict[str, Measure] = {
    "cost_to_parties": Measure("what the parties lose together", "USD"),
    "gain_of_parties": Measure("what the parties gain together, their common budgets included", "USD"),
    "gain_of_outsiders": Measure("what everybody else gains", "USD"),
    "gain_of_firms": Measure("what parent firms gain that make up a plant's margin; they stand on neither side", "USD"),
    "gain_of_world": Measure("what the world gains", "USD"),
    "gain_of_users": Measure("what final users in the parties gain", "USD"),
    "gain_of_producers": Measure("what producers in the parties gain", "USD"),
    "gain_of_treasuries": Measure("what the parties' treasuries gain", "USD"),
    "levy_revenue": Measure("what the levies take in", "USD"),
    "rents_of_parties": Measure("rents of licences, quotas and corridors whose owner is a party", "USD"),
    "rents_outside": Measure("rents of licences, quotas and undertakings whose owner is outside", "USD"),
    "unserved": Measure("final demand that goes unserved", "t"),
    "gain": Measure("what one country or customs union gains", "USD", "country"),
    "largest_supplier": Measure("the largest outsider's share of what the parties take of a good", "%", "good", False),
    "import_reliance": Measure("the share of all outsiders in what the parties take of a good", "%", "good", False),
    "concentration": Measure("the Herfindahl-Hirschman index of the origins of a good", "points", "good", False),
    "imports": Measure("tonnes of a good that the parties buy from outside", "t", "good", False),
    "output": Measure("tonnes of a good that the parties make", "t", "good", False),
    "price_inside": Measure(
        "what the parties' buyers pay for a good on average, by what they took in the base year", "USD/t", "good", False
    ),
}


def measure_of(name: str) -> tuple[Measure, str]:
    """A measure by its written name, and what it is asked of.

    >>> measure_of("gain.ITA")[1], measure_of("output.ndpr.oxide")[0].unit
    ('ITA', 't')
    """
    head, _, rest = name.partition(".")
    return MEASURES[head], rest


def _measure(name: str, info: ValidationInfo) -> str:
    head, dot, rest = name.partition(".")
    if head not in MEASURES:
        hint = did_you_mean(head, MEASURES) or f"one of {', '.join(MEASURES)}"
        raise wrong("unknown-measure", f"no measure is called {head!r}", hint=hint)
    of = MEASURES[head].of
    if bool(of) != bool(dot):
        example = {"country": f"{head}.ITA", "good": f"{head}.ndpr.oxide", "": head}[of]
        raise wrong(
            "unknown-measure", f"{head} is asked of {'a ' + of if of else 'nothing further'}", hint=f"write {example}"
        )
    words = known(info)
    if of == "country":
        return f"{head}.{country_code(rest, words.countries if words else {})}"
    return f"{head}.{good_id(rest, words.goods)}" if of == "good" and words else name


MeasureName = Annotated[str, AfterValidator(_measure)]


class Limit(Term):
    """A limit on a measure."""

    at_least: Annotated[float, Field()] | None = Field(None, description="No less than this, in the measure's unit.")
    at_most: Annotated[float, Field()] | None = Field(None, description="No more than this.")

    @model_validator(mode="after")
    def it_limits_something(self) -> Self:
        if self.at_least is None and self.at_most is None:
            raise wrong("missing", "a limit says at_least, at_most or both")
        if self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            raise wrong("limit", f"at_least {self.at_least:g} is above at_most {self.at_most:g}")
        return self

    def keeps(self, value: float) -> bool:
        """Whether a value is within the limit."""
        return not (
            (self.at_least is not None and value < self.at_least) or (self.at_most is not None and value > self.at_most)
        )


def _numbers(value: Any) -> Any:
    """Whole numbers are numbers too."""
    if not isinstance(value, dict):
        return value
    return {k: float(v) if isinstance(v, int) and not isinstance(v, bool) else v for k, v in value.items()}


class Objective(Term):
    """What alternatives are ranked by: first those that keep every limit, best first; then the rest, best first."""

    minimise: MeasureName | None = Field(None, description="The measure to make small, such as cost_to_parties.")
    maximise: MeasureName | None = Field(None, description="The measure to make large, such as gain.ITA.")
    subject_to: dict[MeasureName, Annotated[Limit, BeforeValidator(_numbers)]] = Field(
        default_factory=dict, description="Limits by measure, such as {largest_supplier.ndpr.oxide: {at_most: 65}}."
    )

    @model_validator(mode="after")
    def one_aim(self) -> Self:
        if (self.minimise is None) == (self.maximise is None):
            raise wrong("objective", "an objective either minimises or maximises one measure")
        return self

    @property
    def aim(self) -> str:
        """The measure to rank by."""
        return self.minimise or self.maximise or ""

    @property
    def words(self) -> str:
        """The objective in a sentence."""
        measure, of = measure_of(self.aim)
        text = f"{'least' if self.minimise else 'most'} {self.aim} ({measure.words}{', ' + of if of else ''}; {measure.unit})"
        limits = []
        for name, limit in self.subject_to.items():
            unit = measure_of(name)[0].unit
            bounds = [
                f"{word} {value:g} {unit}"
                for word, value in (("at least", limit.at_least), ("at most", limit.at_most))
                if value is not None
            ]
            limits.append(f"{name} {' and '.join(bounds)}")
        return text + (f", with {', '.join(limits)}" if limits else "")


DEFAULT = Objective(minimise="cost_to_parties")  # what alternatives are ranked by where the text states nothing
