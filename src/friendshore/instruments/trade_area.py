"""Trade area: goods that originate in one party enter another free of duty.

The preference replaces the duty that was there; during a phase-in it is lowered in proportion. Not all that a party sells
originates there, and not all that could claim does: stated shares say how much. Proof of origin is left to the border.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from friendshore.errors import did_you_mean
from friendshore.faces import Duty, Promise, Tariff, Wedge
from friendshore.instruments.clause import Bound, PhasedClause, Setting, Share, lane
from friendshore.instruments.dates import Many, Term
from friendshore.instruments.names import ALL, Countries, Goods
from friendshore.marked import wrong
from friendshore.origin_rules.rule import rule_names, shipped_rules
from friendshore.units import decimal, to_float

NONE, FULL = Decimal(0), Decimal(1)


class Part(Term):
    """A share of trade that holds for some goods or parties in place of the general one."""

    share: Share = Field(description="The share there, between 0 and 1.")
    goods: Goods = Field((ALL,), description="Of which goods: `all`, one good or a list.")
    exporters: Countries = Field(("everyone",), description="Sold by whom: codes.")
    importers: Countries = Field(("everyone",), description="Bought by whom: codes.")


class TradeShare(Term):
    """A share of the trade between parties, with exceptions; of two that meet, the later one holds. `0.9` is enough."""

    share: Share = Field(description="Between 0 and 1.")
    except_for: Many[Part] = Field((), description="Where the share is another.")

    def on(self, good: str, exporter: str, importer: str, setting: Setting) -> Decimal:
        """The share of one good between two countries."""
        found = self.share
        for part in self.except_for:
            if (
                good in setting.goods(part.goods)
                and exporter in setting.select(part.exporters)
                and importer in setting.select(part.importers)
            ):
                found = part.share
        return found

    @property
    def whole(self) -> bool:
        """Whether it is all of the trade."""
        return self.share == FULL and all(part.share == FULL for part in self.except_for)


def _share(value: Any) -> Any:
    return {"share": value} if isinstance(value, int | float | Decimal) and not isinstance(value, bool) else value


Shared = Annotated[TradeShare, BeforeValidator(_share, json_schema_input_type=TradeShare | float)]


def _rule(name: str) -> str:
    if name not in rule_names():
        hint = f"{did_you_mean(name, rule_names())}\nList the rules with: friendshore origin rules"
        raise wrong("unknown-rule", f"no rule of origin is called {name!r}", hint=hint.strip())
    return name


RuleName = Annotated[
    str, AfterValidator(_rule), WithJsonSchema({"type": "string", "enum": list(rule_names())})
]  # a rule that ships


class Origin(Term):
    """Which goods of a party count as originating there.

    The border judges a bill of materials by the rule named, with the levels stated here in place of the rule's own. The
    market sees what the rule lets through as a stated share.
    """

    rule: RuleName = Field(
        description="The rule, by its name: wholly_obtained, tariff_shift, substantial_transformation, value_content, "
        "or another that `friendshore origin rules` lists."
    )
    value_content: Share | None = Field(
        None, description="Least part of the value from the parties, where the rule tests value; value_content asks it."
    )
    method: Literal["build_down", "build_up", "net_cost"] | None = Field(
        None, description="How the value is reckoned, where the rule tests value: build_down, build_up or net_cost."
    )
    tolerance: Share | None = Field(
        None,
        description="Share of the price that materials without a change of code may have, where the rule tests it.",
    )
    cumulation: Literal["none", "bilateral", "diagonal", "full"] = Field(
        "none", description="Whose materials count as one's own: none, bilateral, diagonal or full."
    )
    text: str = Field("", description="The rule in words, such as by stage: mined, refined, separated, melted.")
    qualifying: Shared | None = Field(
        None, description="Part of the parties' exports to each other that meets the rule; all of it if absent."
    )

    @model_validator(mode="after")
    def a_value_rule_has_its_value(self) -> Self:
        tests = shipped_rules()[self.rule].words()
        if self.rule == "value_content" and self.value_content is None:
            raise wrong("missing", "the rule value_content needs its share, value_content: 0.4 for example")
        for key, test in (
            ("value_content", "value_content"),
            ("method", "value_content"),
            ("tolerance", "tariff_shift"),
        ):
            if getattr(self, key) is not None and test not in tests:
                raise wrong("no-such-test", f"the rule {self.rule} has no test that {key} could be of", at=(key,))
        return self


class TradeArea(PhasedClause):
    """Duty-free trade among the parties.

    Promises, once phased in: no customs duty on the goods named when they originate in a party and are imported into
    another. During the phase-in: duty = (1 - phase) * the duty in force before, the later of the two parties counting.
    Duties on goods from elsewhere, and duties inside a customs union, stay as they are. Where an origin condition or the
    use of the preference leaves out part of the trade, that part pays the duty in force before, so that on average
    duty = (1 - phase * qualifying share * utilisation) * the duty in force before.
    """

    word: ClassVar[str] = "trade_area"

    goods: Goods = Field((ALL,), description="`all`, or the goods that are freed.")
    except_goods: Goods = Field((), description="Goods left out, which pay what they paid before.")
    preference: Literal["duty_free"] = Field(description="What the parties grant each other.")
    origin: Origin | None = Field(None, description="Which goods qualify; all that a party sells if absent.")
    utilisation: Shared | None = Field(
        None, description="Part of the qualifying trade that claims the preference; all of it if absent."
    )

    def freed(self, setting: Setting) -> tuple[str, ...]:
        """The goods that get the preference."""
        left_out = frozenset(setting.goods(self.except_goods))
        return tuple(good for good in setting.goods(self.goods) if good not in left_out)

    def blends(self, setting: Setting) -> bool:
        """Whether part of the duty in force before is still paid on the day, so that it must be known."""
        bound = setting.bound(self)
        return bool(bound) and (not self._whole or any(party.phase < FULL for party in bound))

    @property
    def _whole(self) -> bool:
        """Whether all trade between parties gets the preference."""
        qualifying = self.origin.qualifying if self.origin is not None else None
        return all(share is None or share.whole for share in (qualifying, self.utilisation))

    def claiming(self, good: str, exporter: str, importer: str, setting: Setting) -> Decimal:
        """Part of the trade between two countries that qualifies and claims."""
        qualifying = self.origin.qualifying if self.origin is not None else None
        shares = [
            share.on(good, exporter, importer, setting) for share in (qualifying, self.utilisation) if share is not None
        ]
        return _product(shares)

    def assumptions(self) -> tuple[str, ...]:
        """The shares that the text does not state."""
        said = []
        if self.origin is None or self.origin.qualifying is None:
            what = "originates there" if self.origin is None else f"meets the origin rule ({self.origin.rule})"
            said.append(f"{self.id}: all that a party sells to another {what}.")
        if self.utilisation is None:
            said.append(f"{self.id}: all trade that may claim the preference does.")
        return tuple(said)

    def wedges(self, setting: Setting) -> tuple[Wedge, ...]:
        """A replacing tariff on every good between every two parties: the average of what claims and what does not."""
        return tuple(
            Tariff(
                clause=self.id,
                lane=lane(good, exporters, importers),
                rate=to_float(rate * (claims * left + FULL - claims)),
                specific_usd_t=to_float(specific * (claims * left + FULL - claims)),
            )
            for good, exporters, importers, rate, specific, left, claims in self._rates(setting)
        )

    def duties(self, setting: Setting) -> tuple[Duty, ...]:
        """The preferential rate that a consignment of a party's origin owes, and the part of trade that claims it."""
        return tuple(
            Duty(
                clause=self.id,
                article=self.article,
                good=good,
                exporters=exporters,
                importers=importers,
                rate=rate * left,
                specific_usd_t=specific * left,
                as_of=setting.as_of,
                replaces=True,
                share=claims,
                left=left,
                origin_rule=self.origin.rule if self.origin is not None else "",
            )
            for good, exporters, importers, rate, specific, left, claims in self._rates(setting)
        )

    def promises(self, setting: Setting) -> tuple[Promise, ...]:
        """A preference among the parties, which everybody else does not get."""
        bound = setting.bound(self)
        inside = frozenset().union(*(party.members for party in bound))
        if len(bound) < 2:
            return ()
        return (
            Promise(
                clause=self.id,
                touches="preference",
                goods=self.freed(setting),
                bound=inside,
                affected=setting.countries - inside,
                facts=(
                    ("preference", self.preference),
                    ("phase", str(min(party.phase for party in bound))),
                    *((("origin", self.origin.rule),) if self.origin is not None else ()),
                ),
            ),
        )

    def _rates(self, setting: Setting) -> list[_Rate]:
        """What every face is made from; lanes with the same duty are joined."""
        found: list[_Rate] = []
        bound = setting.bound(self)
        for importer in bound:
            others = [party for party in bound if party.code != importer.code and party.members]
            whole = frozenset().union(*(party.members for party in others if self._whole and _full(party, importer)))
            partial = [party for party in others if not (self._whole and _full(party, importer))]
            for good in self.freed(setting):
                if whole and importer.members:
                    found.append((good, whole, importer.members, NONE, NONE, NONE, FULL))
                duties: dict[_Terms, set[tuple[str, str]]] = {}
                for exporter in partial:
                    for pair, terms in self._remaining(setting, good, exporter, importer).items():
                        duties.setdefault(terms, set()).add(pair)
                for terms, pairs in duties.items():
                    for exporters, importers in _rectangles(pairs):
                        found.append((good, exporters, importers, *terms))
        return found

    def _remaining(
        self, setting: Setting, good: str, exporter: Bound, importer: Bound
    ) -> dict[tuple[str, str], _Terms]:
        """Duty before, what the preference leaves of it, and who claims, by pair of countries."""
        left = FULL - min(exporter.phase, importer.phase)
        found: dict[tuple[str, str], _Terms] = {}
        for origin in exporter.members:
            for target in importer.members:
                rate, specific = setting.base_duty.get((good, origin, target), (0.0, 0.0))
                claims = self.claiming(good, origin, target, setting)
                found[origin, target] = (decimal(rate), decimal(specific), left, claims)
        return found


# rate and specific duty in force before, the part of them that the preference leaves, the part of trade that claims it
_Terms = tuple[Decimal, Decimal, Decimal, Decimal]
_Rate = tuple[str, frozenset[str], frozenset[str], Decimal, Decimal, Decimal, Decimal]


def _full(exporter: Bound, importer: Bound) -> bool:
    return min(exporter.phase, importer.phase) == FULL


def _product(shares: list[Decimal]) -> Decimal:
    found = FULL
    for share in shares:
        found *= share
    return found


def _rectangles(pairs: set[tuple[str, str]]) -> list[tuple[frozenset[str], frozenset[str]]]:
    """A set of (exporter, importer) pairs as sets of exporters times sets of importers."""
    by_exporter: dict[str, set[str]] = {}
    for exporter, importer in pairs:
        by_exporter.setdefault(exporter, set()).add(importer)
    joined: dict[frozenset[str], set[str]] = {}
    for exporter, importers in by_exporter.items():
        joined.setdefault(frozenset(importers), set()).add(exporter)
    return [
        (frozenset(exporters), importers)
        for importers, exporters in sorted(joined.items(), key=lambda item: sorted(item[1]))
    ]
