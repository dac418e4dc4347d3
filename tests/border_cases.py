"""A small border with everything on it, and lines drawn at random to cross it."""

from __future__ import annotations

import random
from dataclasses import asdict
from datetime import date, timedelta
from decimal import Decimal

from friendshore.border.declared_price import PriceTest, Value
from friendshore.border.line import Entry
from friendshore.border.rates import Rate
from friendshore.border.tariff import Measure, gather
from friendshore.border.terms import Law
from friendshore.faces import Content, Duty, Lane, PriceGap

D = Decimal
COUNTRIES = frozenset({"AAA", "BBB", "CCC", "DDD", "EEE"})
OUTSIDE = frozenset({"CCC", "DDD", "EEE"})
PARTIES = frozenset({"AAA", "BBB"})
SINCE = date(2030, 1, 1)


def measure(territory: str, line: str, kind: str, rate: str, origins: str = "", **more: object) -> Measure:
    terms = {"name": kind, "inherits": "", "starts": SINCE, "ends": None, "source": "test"} | more
    return Measure(territory, line, kind, origins=frozenset(filter(None, origins.split("+"))), rate=rate, **terms)  # type: ignore[arg-type]


MEASURES = (
    measure("AAA", "28418000", "mfn", "5.5%"),
    measure("AAA", "26110060", "mfn", "37.5¢/kg on tungsten content"),
    measure("AAA", "81101000", "mfn", "17.6¢/kg + 3.8%"),
    measure("AAA", "81121000", "mfn", "3% or 450 yen/kg whichever is higher"),
    measure("AAA", "81122000", "mfn", "3% or 450 yen/kg whichever is lower"),
    measure("AAA", "28419999", "mfn", "the rate of the article"),
    measure("AAA", "28418000", "section_301", "25%", "CCC"),
    measure("AAA", "81101000", "section_232", "12.345678%"),
    measure("AAA", "28418000", "preference", "1.25%", "DDD+BBB"),
    measure("AAA", "26110060", "suspension", "0.1%"),
    measure("AAA", "28418000", "column2", "45.5%", "EEE"),
    measure("BBB", "28418000", "mfn", "Free"),
    measure("BBB", "81101000", "mfn", "8.80 yen/kg"),
    measure("BBB", "26110060", "mfn", "2% + 8.80 yen/kg"),
)  # fmt: skip

DUTIES = (
    Duty(clause="floor.apt", article="Art. 6", good="tungsten.apt", exporters=OUTSIDE, importers=frozenset({"AAA"}),
         reference_usd_t=D("42875.37"), levy_on="landed_duty_paid", phase=D("0.499088"),
         default_content=(Content("284180", D("0.697814413"), "Annex B"),)),
    Duty(clause="floor.apt", article="Art. 6", good="tungsten.apt", exporters=OUTSIDE, importers=frozenset({"BBB"}),
         reference_usd_t=D("42875.37"), levy_on="cif", phase=D(1)),
    Duty(clause="area", article="Art. 3", good="antimony.metal", exporters=frozenset({"BBB"}),
         importers=frozenset({"AAA"}), rate=D("0.0123456"), replaces=True),
    Duty(clause="tariff.antimony", article="Art. 9", good="antimony.metal", exporters=frozenset({"CCC"}),
         importers=frozenset({"AAA"}), rate=D("0.07"), specific_usd_t=D("123.456789")),
    Duty(clause="quota.ore", article="Art. 8", good="tungsten.concentrate", exporters=OUTSIDE,
         importers=frozenset({"BBB"}), rate=D("0.01"), rate_beyond=D("0.17"), quota_t=D("55.5"), replaces=True),
)  # fmt: skip
FLOORS = (
    PriceGap(
        clause="least.antimony", lane=Lane(good="antimony.metal", exporters=OUTSIDE, importers=frozenset({"BBB"})),
        reference_usd_t=25000.0, levy_on="cif", exporter_share=1.0,
    ),
)  # fmt: skip


# The floor on APT is quoted for 88.5 % trioxide; the least price of antimony for 99.65 %. Related parties are held to test values,
# of which there are some for CCC and DDD and none for EEE.
TESTS = {
    "floor.apt": PriceTest(grade=D("0.885") * D("0.792970924"), usd_t_point=D("157.35"), within=D("0.05")),
    "least.antimony": PriceTest(grade=D("0.9965"), usd_t_point=D(60), within=D("0.25")),
}
UNTIL = date(2030, 12, 31)
VALUES = tuple(
    Value(
        good=good,
        origin=origin,
        importer="",
        starts=SINCE + timedelta(days=days),
        ends=UNTIL,
        method=method,
        usd_t=usd,
        source="test",
    )
    for good, origin, days, method, usd in (
        ("tungsten.apt", "CCC", 0, "identical", D("38000.01")),
        ("tungsten.apt", "CCC", 12, "identical", D("41000")),
        ("tungsten.apt", "DDD", 0, "deductive", D("36500.5")),
        ("tungsten.apt", "DDD", 0, "computed", D("30000")),
        ("antimony.metal", "", 5, "similar", D("24000")),
    )
)


def law(as_of: date | None = None) -> Law:
    """Schedules of two territories, one of which values at fob, and an agreement with every kind of duty."""
    return Law(
        tariff=gather(MEASURES),
        iso=COUNTRIES,
        countries=COUNTRIES,
        duties=lambda day: DUTIES,
        floors=lambda day: FLOORS,
        parties=lambda day: PARTIES,
        fob=frozenset({"AAA"}),
        codes={
            "284180": ("tungsten.apt",),
            "261100": ("tungsten.concentrate",),
            "811010": ("antimony.metal",),
            "811210": ("magnet",),
        },
        substances={
            ("wo3", "tungsten.apt"): D("0.792970924"),
            ("tungsten", "tungsten.apt"): D(1),
            ("apt", "tungsten.apt"): D("0.704254488"),
            ("tungsten", "tungsten.concentrate"): D(1),
            ("wo3", "tungsten.concentrate"): D("0.792970924"),
            ("antimony", "antimony.metal"): D(1),
        },
        gross=frozenset({"magnet"}),
        price_tests=TESTS,
        values=VALUES,
        rates={"JPY": (Rate(SINCE, D("0.006543"), "test"),), "EUR": (Rate(SINCE, D("1.0837"), "test"),)},
        as_of=as_of,
    )


LINES = (
    ("28418000", "tungsten.apt", ("wo3", "apt", "tungsten", "")),
    ("26110060", "tungsten.concentrate", ("wo3", "tungsten", "tin")),
    ("81101000", "antimony.metal", ("antimony", "")),
    ("81121000", "magnet", ("",)),
    ("81122000", "other", ("", "x")),
    ("28419999", "", ("",)),
    ("28418000", "", ("",)),
)  # fmt: skip


def draw(seed: int, number: int) -> list[Entry]:
    """So many lines: most can be assessed, some lack a fact."""
    dice = random.Random(seed)
    found = []
    for each in range(number):
        hs, good, substances = dice.choice(LINES)
        assay_of = dice.choice(substances)
        found.append(
            Entry(
                line_id=f"L{each:06d}",
                day=SINCE + timedelta(days=dice.randrange(25)),
                importer=dice.choice("AB") * 3,
                origin=dice.choice("ABCDE") * 3,
                hs=hs,
                good=good,
                net_g=dice.choice((1, 999, 10**6, dice.randrange(1, 10**9), dice.randrange(1, 9 * 10**12))),
                price_c=dice.choice((1, 50, dice.randrange(1, 10**8), dice.randrange(1, 9 * 10**12))),
                currency=dice.choice(("USD", "USD", "EUR", "JPY", "ZZZ")),
                delivery=dice.choice(("EXW", "FOB", "CFR", "CIF", "DAP", "DDP")),
                freight_c=dice.choice((None, 0, dice.randrange(10**6))),
                insurance_c=dice.choice((None, 0, dice.randrange(10**5))),
                assay_n=dice.randrange(1, 10**9 + 1) if assay_of and dice.random() < 0.9 else None,
                assay_of=assay_of,
                moisture_n=dice.choice((0, dice.randrange(10**9))),
                related=dice.random() < 0.2,
                proof=dice.choice(("", "none", "treaty", "agreement")),
                proof_lapsed=dice.random() < 0.1,
            )
        )
    return found


def rows(entries: list[Entry]) -> list[dict[str, object]]:
    """The lines as `entries.checked` leaves them."""
    return [
        asdict(entry) | {"row": number, "related": "Y" if entry.related else ""}
        for number, entry in enumerate(entries, start=1)
    ]
