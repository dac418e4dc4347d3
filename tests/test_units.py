"""Prices become USD per contained tonne exactly."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from friendshore.units import (
    MASSES,
    PriceWords,
    annuity,
    decimal,
    price_words,
    to_cent,
    to_float,
    tonnes,
    usd_per_contained_tonne,
)


@pytest.mark.parametrize(
    ("mass", "per_tonne"),
    [("t", "1"), ("kg", "1000"), ("g", "1000000"), ("mtu", "100"), ("dmtu", "100")],
)
def test_a_tonne_holds_so_many_units(mass: str, per_tonne: str) -> None:
    assert tonnes(Decimal(per_tonne), mass) == 1


def test_pound_short_ton_unit_and_troy_ounce_are_exact() -> None:
    assert tonnes(Decimal(1), "lb") == Decimal("0.00045359237")
    assert tonnes(Decimal(1), "stu") == tonnes(Decimal(20), "lb")  # one per cent of 2,000 lb
    assert tonnes(Decimal(175), "oz_t") == tonnes(Decimal(12), "lb")  # 175 troy ounces are 12 pounds


def test_published_prices_come_out_as_published() -> None:
    # Cobalt at 11.84 USD per lb is 26,103 USD per t; tungsten concentrate at 252 USD per mtu of WO3, 31,778 per t of W.
    assert usd_per_contained_tonne(Decimal("11.84"), per="lb").quantize(Decimal(1)) == 26103
    assert usd_per_contained_tonne(Decimal(252), per="mtu", content=Decimal("0.793")).quantize(Decimal(1)) == 31778


def test_another_currency_is_converted_at_its_rate() -> None:
    assert usd_per_contained_tonne(Decimal(100), per="t", usd_per_currency=Decimal("1.25")) == 125


@given(st.decimals("0.01", "1e6", places=4), st.sampled_from(MASSES), st.decimals("0.01", "1", places=3))
def test_a_price_for_a_poorer_substance_is_dearer_in_proportion(value: Decimal, per: str, content: Decimal) -> None:
    pure = usd_per_contained_tonne(value, per=per)
    assert abs(usd_per_contained_tonne(value, per=per, content=content) * content / pure - 1) < Decimal("1e-20")


@given(st.floats(-1e12, 1e12, allow_nan=False))
def test_a_written_number_survives_the_way_to_decimal_and_back(number: float) -> None:
    assert to_float(decimal(number)) == number


def test_cents_are_rounded_half_to_even() -> None:
    assert [to_cent(Decimal(text)) for text in ("0.005", "0.015", "0.0251")] == [
        Decimal("0.00"),
        Decimal("0.02"),
        Decimal("0.03"),
    ]


@given(st.decimals("0.001", "0.5", places=3), st.integers(1, 60))
def test_an_annuity_pays_the_capital_back_with_interest(rate: Decimal, years: int) -> None:
    owed = Decimal(1)
    for _ in range(years):
        owed = owed * (1 + rate) - annuity(rate, years)
    assert abs(owed) < Decimal("1e-12")


def test_an_annuity_without_interest_spreads_the_capital() -> None:
    assert annuity(Decimal(0), 4) == Decimal("0.25")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("110 USD per kg of ndpr_oxide", (Decimal(110), "USD", "kg", "ndpr_oxide")),
        ("110 usd/kg of ndpr_oxide", (Decimal(110), "USD", "kg", "ndpr_oxide")),
        ("95.5 USD per mtu", (Decimal("95.5"), "USD", "mtu", None)),
        ("-5 EUR", (Decimal(-5), "EUR", None, None)),
        ("110", (Decimal(110), None, None, None)),
        ("1e3 USD per t of gallium.metal", (Decimal(1000), "USD", "t", "gallium.metal")),
    ],
)
def test_a_written_price_is_taken_apart(text: str, words: tuple[Decimal, str | None, str | None, str | None]) -> None:
    assert price_words(text) == PriceWords(*words)


@pytest.mark.parametrize("text", ["", "a lot", "USD 110", "1.2.3 USD", "110 dollars per kg", "110 USD per kg of"])
def test_what_is_no_price_is_none(text: str) -> None:
    assert price_words(text) is None
