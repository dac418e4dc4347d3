"""The facts that an obligation may ask about: their names, units and meaning, and one fact with its source.

Numbers come from the world, from the cleared market and from the commitments; a case states its own. What is not known is
absent, which is not the same as nought.
"""

from __future__ import annotations

from dataclasses import dataclass

Value = str | float

# name -> (unit, meaning)
FACTS: dict[str, tuple[str, str]] = {
    "origins": ("", "'some' where like goods of one WTO member escape what those of another pay, else 'all'"),
    "burdened_members": ("countries", "WTO members whose goods the measure burdens"),
    "burdened_sellers": ("countries", "those of them that sold the goods to the territory in the base year"),
    "spared_members": ("countries", "WTO members whose like goods escape"),
    "spared_without_agreement": (
        "countries",
        "those of them that have no free trade agreement or customs union with the territory",
    ),
    "trade_usd": ("USD a year", "trade that the measure burdens, under the status quo of the day"),
    "trade_t": ("t a year", "the same in tonnes"),
    "trade_after_t": ("t a year", "the same trade in the market cleared under the agreement"),
    "live_origins": ("countries", "burdened countries that sold the goods there in the base year"),
    "levy_usd": ("USD a year", "what the levy takes in the cleared market"),
    "ave_pct": ("% of customs value", "highest duty and levy together, ad valorem equivalent, by origin"),
    "added_pct": ("points", "the part of it that the agreement adds"),
    "binding": ("", "'schedule', 'conventional' or 'estimate': what the bound rate rests on; absent: not known"),
    "binding_known": ("", "'yes' where a bound rate is at hand for every good, 'some', 'no'"),
    "binding_pct": ("% of customs value", "the bound rate at the code that binds least"),
    "headroom_pct": ("points", "bound rate less the duty applied before"),
    "over_points": ("points", "highest duty and levy together, less the bound rate, where the agreement adds to it"),
    "over_share_pct": ("% of shipments", "exposure index: tonnes whose duty and levy exceed the binding"),
    "crosses_on": ("day", "when the phased levy passes the binding, the world held at the prices of the status quo"),
    "fits_above_usd_t": (
        "USD per contained tonne",
        "price above which a levy that follows it stays inside the binding",
    ),
    "variable": ("", "'yes' where the duty follows the price"),
    "agricultural": ("", "'yes' where the goods stand in Annex 1 of the Agreement on Agriculture"),
    "partners_hit": ("countries", "free-trade partners whose goods the measure reaches"),
    "partners_trading": ("countries", "those of them that sold or bought the goods in the base year"),
    "partners_levied": ("countries", "those of them that pay a levy in the cleared market"),
    "partners_usd": ("USD a year", "trade with them that the measure burdens"),
    "in_union_alone": ("", "'yes' where a member of a customs union would act without the others"),
    "controls_now": ("", "'yes' where the territory restricts or taxes exports of the goods today"),
    "world_price_pct": ("%", "change of the mean producer price outside the parties"),
    "output_pct": ("%", "change of the output of the countries that act"),
    "support_usd": ("USD a year", "what the treasuries pay under the clause's kind of support"),
    "price_contingent": ("", "'yes' where the payment grows as the price falls"),
    "parties_trade_pct": ("% of trade", "imports of the parties in the world's trade of the goods"),
    "minerals_only": ("", "'yes' where the preference covers a part of trade only"),
    "mandatory": ("", "'yes' where goods that do not comply are kept out"),
    "published": ("", "'yes' where the method of a reference price is published in the text"),
    "emergency": ("", "'yes' where the measure is taken in war or another emergency in international relations"),
    "military": ("", "'yes' where the goods are shown to supply armed forces"),
    "even_handed": ("", "'yes' where use at home is limited as exports are"),
    "export_cut_pct": ("%", "part of the base year's exports that a quota or licence keeps in"),
    "home_cut_pct": ("%", "part of the base year's use at home that the same clause takes away"),
    "permanent": ("", "'yes' where a restriction has no end"),
    "investigation": ("", "'yes' where dumping or subsidy and injury have been found by an investigation"),
    "waiver": ("", "'yes' where the measure waits for, or rests on, a waiver under Article IX:3"),
    "renegotiated": ("", "'yes' where the binding has been raised by talks under Article XXVIII"),
    "notified": ("", "'yes' where the measure is notified to whoever has to approve it"),
    "open_to_all": ("", "'yes' where the text opens purchases or a route to every origin on equal terms"),
    "by_statute": ("", "'yes' where a statute or an exemption orders what firms do"),
}


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact about one territory: a value, how a page words it, and where it comes from.

    `who` is the territory; `source` holds ids of sources, or says how the market's figure came about; `codes` names the
    countries that the fact counts, where a repair needs them.
    """

    name: str
    who: str
    value: Value
    text: str
    source: str = ""
    codes: tuple[str, ...] = ()

    @property
    def unit(self) -> str:
        """The unit that the fact's name stands for."""
        return FACTS[self.name][0] if self.name in FACTS else ""

    def document(self) -> dict[str, object]:
        """The fact as plain JSON values."""
        return {
            "name": self.name,
            "who": self.who,
            "value": self.value,
            "unit": self.unit,
            "text": self.text,
            "source": self.source,
            "codes": list(self.codes),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Partner:
    """A partner of a territory whose goods a measure reaches, and what it was promised.

    USD and tonnes a year under the status quo; `holds` says how far the promise goes, `confidence` how far its text was
    checked, `levied` whether the partner pays more in the cleared market.
    """

    territory: str
    code: str
    agreement: str
    name: str
    article: str
    since: str
    holds: str
    confidence: str
    note: str
    trades: bool
    levied: bool
    usd: float
    t: float

    def document(self) -> dict[str, object]:
        """The partner as plain JSON values."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """Trade of one country that a clause burdens at one border: USD and tonnes a year under the status quo, tonnes after."""

    clause: str
    act: str
    territory: str
    country: str
    usd: float
    before_t: float
    after_t: float

    def document(self) -> dict[str, object]:
        """The row as plain JSON values."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}
