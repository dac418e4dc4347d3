"""Exercises typed from docs/network-file.md alone, each with its answer worked out by hand in the docstring.

Curves are straight lines, or an importer has one origin only, so that its index is the delivered price: every figure is
the root of a linear or quadratic equation, and `near` asks for nine digits of it, which is what the solver's residual of
1e-10 of a market's size leaves (prices answer quantities with slopes of order one here).
"""

from __future__ import annotations

from math import log, sqrt
from typing import Any

import pytest

from friendshore import run
from friendshore.world import network

Lines = dict[tuple[str, str], float]


def solved(text: str) -> Any:
    """The cleared file; its world total is the resource total to 1e-9 of its largest line."""
    outcome = run.clear(network.read_text(text))
    size = outcome.accounts["usd"].abs().max() or 1.0
    assert outcome.world_total_usd == pytest.approx(outcome.resource_total_usd, abs=1e-9 * size)
    return outcome


def near(value: float) -> Any:
    return pytest.approx(value, rel=1e-9, abs=1e-9)


def price(outcome: Any, good: str, country: str) -> float:
    return {(row[0], row[1]): row[2] for row in outcome.prices.iter_rows()}[good, country]


def flow(outcome: Any, *lane: str) -> float:
    return {row[:3]: row[3] for row in outcome.flows.iter_rows()}[lane]


def lines(outcome: Any) -> Lines:
    """The accounts without what is nought but for rounding."""
    size = outcome.accounts["usd"].abs().max() or 1.0
    return {(row[0], row[1]): row[2] for row in outcome.accounts.iter_rows() if abs(row[2]) > 1e-9 * size}


# -- two countries, straight lines --------------------------------------------------------------------------------------


def rice(policies: str, duty_base: str = "cif") -> str:
    """HOME imports 120 - 15 P, FAR exports 15 p - 60, freight is 2: free trade at p = 5, P = 7, 15 units."""
    return f"""
units: {{mass: kt, price: USD per kg}}
countries: {{HOME: {{duty_base: {duty_base}}}, FAR: }}
goods: [rice]
supply: {{rice: {{HOME: q = 10 + 5 p, FAR: q = 30 + 10 p}}}}
demand: {{rice: {{HOME: q = 130 - 10 p, FAR: q = 90 - 5 p}}}}
freight: {{rice: {{HOME: {{FAR: 2}}, FAR: {{HOME: 2}}}}}}
policies: [{policies}]
"""


def rice_answer(home: float, far: float, money: Lines) -> tuple[float, float, float, Lines]:
    """Prices in USD/t, imports in t, accounts in USD: a kilotonne is 1e3 t, a USD/kg 1e3 USD/t, so a line is times 1e6.

    The triangle of a straight curve of slope b at quantity y is y^2 / 2b.
    """
    triangles = {
        ("HOME", "producers"): (10 + 5 * home) ** 2 / 10,
        ("FAR", "producers"): (30 + 10 * far) ** 2 / 20,
        ("HOME", "users"): (130 - 10 * home) ** 2 / 20,
        ("FAR", "users"): (90 - 5 * far) ** 2 / 10,
    }
    return 1e3 * home, 1e3 * far, 1e3 * (120 - 15 * home), {k: near(1e6 * v) for k, v in {**triangles, **money}.items()}


def rice_found(outcome: Any) -> tuple[float, float, float, Lines]:
    return (
        price(outcome, "rice", "HOME"),
        price(outcome, "rice", "FAR"),
        flow(outcome, "rice", "FAR", "HOME"),
        lines(outcome),
    )


def agree(outcome: Any, home: float, far: float, money: Lines) -> None:
    want = rice_answer(home, far, money)
    assert rice_found(outcome) == (near(want[0]), near(want[1]), near(want[2]), want[3])


@pytest.mark.parametrize(("duty_base", "far"), [("cif", 48 / 11), ("fob", 50 / 11)])
def test_an_ad_valorem_duty_is_charged_on_freight_only_where_customs_value_includes_it(duty_base, far):
    """cif: P = 1.2 (p + 2), so 120 - 15 P = 15 p - 60 gives p = 48/11.  fob: P = 1.2 p + 2 gives p = 50/11."""
    home = 1.2 * (far + 2) if duty_base == "cif" else 1.2 * far + 2
    duty = (home - far - 2) * (120 - 15 * home)
    outcome = solved(rice("{kind: tariff, good: rice, from: FAR, to: HOME, rate: 0.2}", duty_base))
    agree(outcome, home, far, {("HOME", "duty"): duty})


def test_the_optimal_export_tax_makes_marginal_revenue_the_cost():
    """FAR sees HOME pay 6 - X/15 at its gate and offers X at (X + 60)/15.  Marginal revenue 6 - 2X/15 = (X + 60)/15 at
    X = 10: p = 14/3, the tax 10/15, and any other tax leaves FAR worse off."""

    def taxed(usd_kg: float) -> Any:
        return solved(rice(f"{{kind: export_tax, good: rice, from: FAR, to: HOME, specific: {usd_kg!r}}}"))

    best = taxed(2 / 3)
    agree(best, 8 - 2 / 3, 14 / 3, {("FAR", "export_tax"): 10 * 2 / 3})

    def far(outcome: Any) -> float:
        return sum(usd for (country, _), usd in lines(outcome).items() if country == "FAR")

    assert far(best) > max(far(taxed(2 / 3 - 0.02)), far(taxed(2 / 3 + 0.02)))


@pytest.mark.parametrize("owner", ["exporter", "importer"])
def test_a_quota_is_its_tariff_but_for_who_takes_the_rent(owner):
    """At 6 kt P = 114/15 and p = 66/15, so the rent is P - p - 2 = 1.2; a duty of 1.2 does the same."""
    quota = solved(rice(f"{{kind: quota, good: rice, from: all, to: HOME, quantity: 6, owner: {owner}}}"))
    agree(quota, 7.6, 4.4, {("FAR" if owner == "exporter" else "HOME", "quota_rent"): 7.2})
    duty = solved(rice("{kind: tariff, good: rice, from: FAR, to: HOME, specific: 1.2}"))
    agree(duty, 7.6, 4.4, {("HOME", "duty"): 7.2})


@pytest.mark.parametrize("quantity", [13.5, 9.0, 3.0])
def test_a_tariff_rate_quota_charges_the_rate_that_its_quantity_leaves_room_for(quantity):
    """At 5 % p = 148.5/30.75 and 12.44 kt are imported; at 20 % p = 48/11 and 5.45 kt.  13.5 kt do not bind; 9 kt bind,
    and the rate between closes the gap, P = (120 - 9)/15 = (1 + t)(p + 2); at 3 kt the rest pays 20 %.  Licences earn
    t - 0.05 of the value of what comes in under them."""
    text = rice(
        f"{{kind: tariff_rate_quota, good: rice, from: FAR, to: HOME, quantity: {quantity}, rate_in: 0.05, "
        "rate_out: 0.2, owner: exporter}"
    )
    far = {13.5: 148.5 / 30.75, 9.0: 69 / 15, 3.0: 48 / 11}[quantity]
    rate = {13.5: 0.05, 9.0: (111 / 15) / (69 / 15 + 2) - 1, 3.0: 0.2}[quantity]
    home = (1 + rate) * (far + 2)
    imports = 120 - 15 * home
    inside = min(imports, quantity)
    money = {("HOME", "duty"): (far + 2) * (0.05 * inside + 0.2 * (imports - inside))}
    if quantity < 13:
        money["FAR", "trq_rent"] = (rate - 0.05) * (far + 2) * inside
    agree(solved(text), home, far, money)


FLOORS = {
    "landed": ("price_floor, reference: 7.8, levy_on: landed_duty_paid", 7.8, 4.2, 1.0, 0.0),
    "undertaking": ("undertaking, reference: 7.8, levy_on: landed_duty_paid, exporter_share: 0.4", 7.8, 4.2, 0.6, 0.4),
    "minimum price": ("minimum_import_price, reference: 7.8, levy_on: landed_duty_paid", 7.8, 4.2, 0.0, 1.0),
    "half phased in": (
        "price_floor, reference: 7.8, levy_on: landed_duty_paid, phase: 0.5",
        0.55 * (105 / 23.25 + 2) + 3.9, 105 / 23.25, 1.0, 0.0,
    ),
    "cif": ("price_floor, reference: 7, levy_on: cif", 0.1 * (72 / 16.5 + 2) + 7, 72 / 16.5, 1.0, 0.0),
}  # fmt: skip


@pytest.mark.parametrize("kind", FLOORS)
def test_a_floor_fills_its_gap_on_the_base_that_it_names(kind):
    """Under a duty of 10 %.  Landed at 7.8: P = 7.8, p = (180 - 117)/15 = 4.2, and the gap is 7.8 - 1.1 * 6.2 = 0.98; an
    undertaking leaves 0.4 of it to FAR, a minimum price all.  Half phased in: P = (1.1 (p + 2) + 7.8)/2, so p = 105/23.25.
    On cif at 7 the duty comes on top, P = 7 + 0.1 (p + 2), so p = 72/16.5."""
    terms, home, far, treasury, seller = FLOORS[kind]
    name, _, rest = terms.partition(", ")
    text = rice(
        f"{{kind: {name}, good: rice, from: FAR, to: HOME, {rest}}}, "
        "{kind: tariff, good: rice, from: FAR, to: HOME, rate: 0.1}"
    )
    imports = 120 - 15 * home
    gap = home - 1.1 * (far + 2)
    money = {
        ("HOME", "duty"): 0.1 * (far + 2) * imports,
        ("HOME", "levy"): treasury * gap * imports,
        ("FAR", "undertaking_rent"): seller * gap * imports,
    }
    agree(solved(text), home, far, {line: value for line, value in money.items() if value})


# -- producers ----------------------------------------------------------------------------------------------------------


CONTRACTS = {
    "two-way": ("strike: 15, two_way: true, claw_back: 0.6", 84 / 3.6, 16 + 1.6 * 84 / 3.6, 0.6 * (84 / 3.6 - 15)),
    "two-way, cap within output": ("strike: 15, two_way: true, claw_back: 0.6, cap: 30", 20.0, 60.0, 0.6 * 5 * 30 / 60),
    "one-way": ("strike: 25", 10.0, 80.0, -15.0),
    "one-way, cap within output": ("strike: 25, cap: 40", 20.0, 60.0, -5 * 40 / 60),
    "one-way, cap beyond output": ("strike: 25, cap: 70", 15.0, 70.0, -10.0),
}


@pytest.mark.parametrize("kind", CONTRACTS)
def test_a_contract_moves_output_only_where_it_holds_at_the_last_tonne(kind):
    """Supply 4 r - 20, demand 100 - 2 p: 60 t at 20 without a contract.

    Two-way at 15, claw-back 0.6: r = 15 + 0.4 (p - 15), so 16 + 1.6 p = 100 - 2 p.  With a cap of 30 the last tonne earns
    20 and nothing moves but 0.6 * 5 on 30 t.  One-way at 25: 80 t, sold at 10; with a cap of 40 nothing moves but 5 on
    40 t; with a cap of 70, all of it covered (70 t cost 22.5 at the margin), 70 t are sold at 15."""
    terms, p, tonnes, per_tonne = CONTRACTS[kind]
    outcome = solved(f"""
countries: [SOLO]
goods: [tin]
supply: {{tin: {{SOLO: q = -20 + 4 p}}}}
demand: {{tin: {{SOLO: q = 100 - 2 p}}}}
policies: [{{kind: contract, good: tin, producers: SOLO, {terms}}}]
""")
    cost = 5 * tonnes + tonnes**2 / 8
    assert price(outcome, "tin", "SOLO") == near(p)
    assert lines(outcome) == {
        ("SOLO", "users"): near(tonnes**2 / 4),
        ("SOLO", "contract"): near(per_tonne * tonnes),
        ("SOLO", "producers"): near((p - per_tonne) * tonnes - cost),
    }


def test_a_joint_product_is_made_up_to_where_both_prices_together_pay():
    """One t of copper comes with half a t of cobalt, Y = -20 + 2 (c + k/2); c = 100 - Y, k = 30 - Y/4: 3.25 Y = 210."""
    outcome = solved("""
countries: [A]
goods: [copper, cobalt]
processes: {mine: {outputs: {copper: 1, cobalt: 0.5}, curve: q = -20 + 2 m, in: [A]}}
demand: {copper: {A: q = 100 - p}, cobalt: {A: q = 60 - 2 p}}
""")
    level = 210 / 3.25
    assert price(outcome, "copper", "A") == near(100 - level)
    assert price(outcome, "cobalt", "A") == near(30 - level / 4)
    assert lines(outcome) == {
        ("A", "producers"): near(level**2 / 4),
        ("A", "users"): near(level**2 / 2 + level**2 / 16),
    }


def test_a_recovery_at_its_bound_pays_the_host_what_one_more_unit_of_stream_is_worth():
    """Host Y = 10 (a + mu/50) meets 1200 - 2 a; the recovery, 0.4 (g - mu), is held at Y/50; g = 10 (60 - Y/50).
    From the second, mu = g - Y/20 = 600 - Y/4; with a = 600 - Y/2 the first is 6.05 Y = 6120."""
    outcome = solved("""
countries: [A]
goods: [aluminium, gallium]
processes:
  refine: {outputs: {aluminium: 1}, curve: q = 10 m, in: [A]}
  recover: {outputs: {gallium: 1}, curve: q = 0.4 m, recovered_from: {host: refine, yields: 0.02}, in: [A]}
demand: {aluminium: {A: q = 1200 - 2 p}, gallium: {A: q = 60 - 0.1 p}}
""")
    host = 6120 / 6.05
    mu = 600 - host / 4
    assert outcome.rents["rent"].to_list() == [near(mu)]
    assert price(outcome, "aluminium", "A") == near(600 - host / 2)
    assert price(outcome, "gallium", "A") == near(600 - host / 5)
    recovered = host / 50
    assert lines(outcome) == {
        ("A", "producers"): near(host**2 / 20 + recovered**2 / 0.8),
        ("A", "users"): near(host**2 / 4 + recovered**2 / 0.2),
    }


@pytest.mark.parametrize("tax", [0, 5])
def test_two_inputs_are_bought_in_the_proportion_of_the_recipe(tax):
    """Coke 5 c = Y/2, iron 4 i = 3Y/2, the mill Y = 10 + 2 (s - c/2 - 1.5 (i + 2 + tax) - 3), sold at s + 1 = 50 - Y/4:
    Y = 10 + 2 (49 - Y/4 - Y/20 - 1.5 * 3Y/8 - 3 - 1.5 tax - 3) = 96 - 3 tax - 1.725 Y."""
    outcome = solved(f"""
units: {{mass: t, price: kUSD per t}}
countries: [A, B]
goods: [coke, iron, steel]
supply: {{coke: {{A: q = 5 p}}, iron: {{B: q = 4 p}}}}
processes:
  mill: {{inputs: {{coke: 0.5, iron: 1.5}}, outputs: {{steel: 1}}, curve: q = 10 + 2 m, fixed_cost: 3, in: [A]}}
demand: {{steel: {{B: q = 200 - 4 p}}}}
freight: {{iron: 2, steel: 1}}
policies: [{{kind: export_tax, good: iron, from: B, to: A, specific: {tax}}}]
""")
    level = (96 - 3 * tax) / 2.725
    assert price(outcome, "coke", "A") == near(1e3 * level / 10)
    assert price(outcome, "iron", "B") == near(1e3 * level * 3 / 8)
    assert price(outcome, "steel", "A") == near(1e3 * (49 - level / 4))
    assert flow(outcome, "iron", "B", "A") == near(1.5 * level)
    assert lines(outcome).get(("B", "export_tax"), 0.0) == near(1e3 * tax * 1.5 * level)


# -- base flows, one origin ---------------------------------------------------------------------------------------------


def tin(policies: str, more: str = "", terms: str = "") -> str:
    """AA sells 60 t at home at 100 and 40 t to BB at 110; every elasticity is one, so AA offers p t."""
    return f"""
countries: [AA, BB]
goods: {{tin: {{sigma: 5, supply_elasticity: 1, demand_elasticity: 1{terms}}}}}
flows: {{tin: {{AA: {{AA: 60, BB: 40}}}}}}
prices: {{tin: {{AA: 100}}}}
freight: 10
{more}
policies: [{policies}]
"""


FLOOR = "{kind: price_floor, good: tin, from: AA, to: BB, reference: 150, levy_on: landed_duty_paid}"
BAN = "{kind: ban, good: tin, from: AA, to: BB}"


def test_a_floor_on_a_single_origin_is_a_price_and_a_quadratic():
    """BB pays 150 and buys b = 4400/150; AA clears p = 6000/p + b.  Areas under 1/V are logarithms."""
    outcome = solved(tin(FLOOR))
    b = 4400 / 150
    p = b / 2 + sqrt(b * b / 4 + 6000)
    assert price(outcome, "tin", "AA") == near(p)
    assert lines(outcome) == {
        ("AA", "producers"): near(p * p / 2 - 5000),
        ("AA", "users"): near(-6000 * log(p / 100)),
        ("BB", "users"): near(-4400 * log(150 / 110)),
        ("BB", "levy"): near(b * (140 - p)),
    }


@pytest.mark.parametrize("also", ["", ", {kind: offtake, good: tin, from: AA, to: BB, quantity: 30}"])
def test_a_ban_leaves_unserved_what_is_wanted_at_the_choke_price(also):
    """AA keeps its tin, p = 6000/p.  BB wants 4400/300 at its choke price of 300, gets none, and loses the area up to
    there.  An offtake on the way ends with the trade: a ban is never refused."""
    outcome = solved(tin(BAN + also, terms=", choke: 300"))
    p = sqrt(6000)
    assert price(outcome, "tin", "AA") == near(p)
    assert outcome.use["unserved_t"].to_list() == [0.0, near(4400 / 300)]
    assert lines(outcome) == {
        ("AA", "producers"): near(p * p / 2 - 5000),
        ("AA", "users"): near(-6000 * log(p / 100)),
        ("BB", "users"): near(-4400 * log(300 / 110)),
    }


def test_an_offtake_above_demand_becomes_stock_that_the_buyer_pays_for():
    """60 t go to BB whatever they cost: p = 6000/p + 60.  BB uses 4400/(p + 10) of them."""
    outcome = solved(tin("{kind: offtake, good: tin, from: AA, to: BB, quantity: 60}"))
    p = 30 + sqrt(6900)
    assert price(outcome, "tin", "AA") == near(p)
    assert lines(outcome)["BB", "stock"] == near(-(p + 10) * (60 - 4400 / (p + 10)))


def test_what_comes_out_of_stock_is_sold_beside_what_is_made():
    """8 of the 100 t come from stock, so AA makes 0.92 p: 0.92 p + 8 = 6000/p + b under the floor.  The stock earns p."""
    outcome = solved(tin(FLOOR, "stocks: [{good: tin, country: AA, change: -8}]"))
    b = 4400 / 150
    p = (b - 8 + sqrt((b - 8) ** 2 + 4 * 0.92 * 6000)) / 1.84
    assert price(outcome, "tin", "AA") == near(p)
    assert outcome.output["t"].to_list() == [near(0.92 * p)]
    assert lines(outcome)["AA", "stock"] == near(8 * (p - 100))


def test_what_nobody_makes_any_more_can_be_sold_from_stock():
    """All 100 t come from stock: 100 = 6000/p + b under the floor."""
    outcome = solved(tin(FLOOR, "stocks: [{good: tin, country: AA, change: -100}]"))
    assert price(outcome, "tin", "AA") == near(6000 / (100 - 4400 / 150))
    assert ("AA", "producers") not in lines(outcome)


# -- markets that stand still -------------------------------------------------------------------------------------------


def use(outcome: Any, good: str, country: str) -> tuple[float, float]:
    row = outcome.use.filter((outcome.use["good"] == good) & (outcome.use["country"] == country)).row(0, named=True)
    return row["t"], row["unserved_t"]


def test_a_country_cut_off_goes_without_what_it_wants_at_its_choke_price():
    """Alone, A clears 10 + 5 p = 100 - 5 p at 9. B, banned, wants 20 (60/10)^-2 = 5/9 at its choke price of 60, and gets none."""
    outcome = solved("""
countries: [A, B]
goods: [x]
supply: {x: {A: q = 10 + 5 p}}
demand: {x: {A: q = 100 - 5 p, B: {curve: q = 20 (p / 10)^-2, choke: 60}}}
freight: 1
policies: [{kind: ban, good: x, from: A, to: B}]
""")
    assert price(outcome, "x", "A") == near(9.0)
    served, unserved = use(outcome, "x", "B")
    assert served == near(0.0)
    assert unserved == near(5.0 / 9.0)


def test_a_straight_line_cut_off_wants_nothing_where_it_meets_the_axis():
    """A's supply is p and its demand 6000 / p through (100, 60): p = sqrt(6000). B's line meets zero at twice its base price."""
    outcome = solved("""
countries: [AA, BB]
goods: {x: {sigma: 5, supply_elasticity: 1, demand_elasticity: 1}}
demand: {x: {BB: {curve: linear, elasticity: 1}}}
flows: {x: {AA: {AA: 60, BB: 40}}}
prices: {x: {AA: 100}}
freight: {x: 10}
policies: [{kind: ban, good: x, from: AA, to: BB}]
""")
    assert price(outcome, "x", "AA") == near(sqrt(6000.0))
    assert use(outcome, "x", "BB") == (near(0.0), near(0.0))


def test_what_nobody_takes_at_no_price_stays_with_its_maker():
    """Fifty tonnes come whatever the price, forty are wanted for nothing: ten are left."""
    outcome = solved("""
countries: [SOLO]
goods: [tin]
supply: {tin: {SOLO: q = 50}}
demand: {tin: {SOLO: q = 40 - p}}
""")
    assert price(outcome, "tin", "SOLO") == near(0.0)
    assert flow(outcome, "tin", "SOLO", "SOLO") == near(40.0)
    assert "10 t unsold" in outcome.status


def test_offtake_beyond_need_fills_a_stock_at_the_cheapest_offer():
    """5 p = 100 - 5 p + 20 gives 12 in A, 14 delivered in B, which uses 40 - 2 x 14 = 12 of its 20 and stocks 8."""
    outcome = solved("""
countries: [A, B]
goods: [x]
supply: {x: {A: q = 5 p}}
demand: {x: {A: q = 100 - 5 p, B: q = 40 - 2 p}}
freight: 2
policies: [{kind: offtake, good: x, from: A, to: B, quantity: 20}]
""")
    assert price(outcome, "x", "A") == near(12.0)
    assert use(outcome, "x", "B")[0] == near(12.0)
    assert flow(outcome, "x", "A", "B") == near(20.0)
    assert lines(outcome)["B", "stock"] == near(-8.0 * 14.0)


def test_a_contract_capped_at_nothing_covers_nothing():
    """20 + 2 p = 100 - 2 p at 20, whatever a strike promises on no tonnes."""
    outcome = solved("""
countries: [SOLO]
goods: [tin]
supply: {tin: {SOLO: q = 20 + 2 p}}
demand: {tin: {SOLO: q = 100 - 2 p}}
policies: [{kind: contract, good: tin, producers: SOLO, strike: 40, cap: 0}]
""")
    assert price(outcome, "tin", "SOLO") == near(20.0)
