"""Two formulas that trade analysts know, kept as they were published: GSIM's linear form and SMART.

Both answer by one product of matrices what a small change of tariffs does in one good, other things equal. They solve no
market: GSIM's answer drifts from the exact CES equilibrium (`ces`) as tariffs move by more than a little, SMART has one
importer and prices abroad that never move. For either there is a reader of files in `friendshore.formula`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from friendshore.errors import InputRefused
from friendshore.market.curves import Array, Shape
from friendshore.market.network import Network
from friendshore.market.policy import Policy, impose


@dataclass(frozen=True)
class Gsim:
    """What GSIM says, (I,) by exporter, (V,) by importer, (I, V) by both; changes are relative, money in the unit of trade."""

    world_price: Array  # (I,) x, of the price before tariffs
    internal_price: Array  # (I, V) of the price behind the tariff
    composite_price: Array  # (V,)
    quantity: Array  # (I, V)
    trade: Array  # (I, V) value at world prices afterwards, not a change
    producer_surplus: Array  # (I,)
    consumer_surplus: Array  # (V,)
    tariff_revenue: Array  # (V,) change


def gsim(
    trade: Array,
    power_before: Array,
    power_after: Array,
    *,
    import_demand: Array | float,
    export_supply: Array | float,
    substitution: Array | float,
) -> Gsim:
    """The linear model of one industry's trade between regions that buy from each other.

    Ex_i x_i = sum_v phi_iv [ (Em_v + Es_v) sum_s theta_sv (x_s + dT_sv) - Es_v (x_i + dT_iv) ],   dT = T1 / T0 - 1

    with theta_iv the share of i in what v spends at prices behind tariffs and phi_iv the share of v in what i sells. From x
    follow, in the published order, quantities (the square bracket before it is summed), prices behind tariffs
    (1 + x) T1 / T0 - 1, trade M (1 + dq)(1 + x), producers' surplus x R (1 + Ex x / 2) and consumers' surplus
    Em E dP^2 sign(dP) / 2 - E dP, where R and E are base sales and base spending.

    Parameters
    ----------
    trade : (I, V)          base value at world prices, own sales on the diagonal where they belong to the industry
    power_before : (I, V)   T0, one plus the tariff
    power_after : (I, V)    T1
    import_demand : (V,) or one number   Em, of the composite: below zero
    export_supply : (I,) or one number   Ex, above zero
    substitution : (V,) or one number    Es, between origins: above zero

    Raises
    ------
    InputRefused   shapes that do not fit, elasticities of the wrong sign, a region that sells or buys nothing

    Source: Francois and Hall (2003), Global Simulation Analysis of Industry-Level Trade Policy, version 3.0.

    >>> alone = gsim(np.array([[100.0]]), np.array([[1.1]]), np.array([[1.0]]),
    ...              import_demand=-1.0, export_supply=1.0, substitution=5.0)
    >>> alone.world_price.round(6), alone.internal_price.round(6)
    (array([0.045455]), array([[-0.049587]]))
    """
    M, T0, T1 = (np.asarray(given, dtype=float) for given in (trade, power_before, power_after))
    if M.ndim != 2 or M.shape != T0.shape or M.shape != T1.shape:
        raise _refused(
            "trade", f"trade is {M.shape}, the tariffs are {T0.shape} and {T1.shape}: three tables of one size"
        )
    exporters, importers = M.shape
    Em = _per(import_demand, importers, "import_demand", below=True)
    Ex, Es = _per(export_supply, exporters, "export_supply"), _per(substitution, importers, "substitution")
    if not (np.isfinite(M).all() and (M >= 0.0).all()):
        raise _refused("trade", "a value of trade is negative or no number")
    for name, power in (("power_before", T0), ("power_after", T1)):
        if not (np.isfinite(power).all() and (power > 0.0).all()):
            raise _refused(name, "a power of a tariff, 1 + the rate, is above zero")
    for what, sums in (("exporter", M.sum(axis=1)), ("importer", M.sum(axis=0))):
        if not sums.all():
            raise _refused(
                "trade", f"{what} {int(np.argmin(sums)) + 1} has no trade, so that nothing can be said of it"
            )

    theta = M * T0 / (M * T0).sum(axis=0)
    phi = M / M.sum(axis=1, keepdims=True)
    dT = T1 / T0 - 1.0
    # Ex x - phi [(Em + Es) theta' x - Es x] = phi [(Em + Es) theta' dT - Es dT], a row for each exporter.
    coupled = (phi * (Em + Es)) @ theta.T
    left = np.diag(Ex + phi @ Es) - coupled
    right = (phi * ((Em + Es) * (theta * dT).sum(axis=0) - Es * dT)).sum(axis=1)
    x = np.linalg.solve(left, right)

    felt = x[:, None] + dT
    quantity = (Em + Es) * (theta * felt).sum(axis=0) - Es * felt
    internal = (1.0 + x[:, None]) * T1 / T0 - 1.0
    after = M * (1.0 + quantity) * (1.0 + x[:, None])
    composite = (theta * internal).sum(axis=0)
    spent = (M * T0).sum(axis=0)
    return Gsim(
        world_price=x,
        internal_price=internal,
        composite_price=composite,
        quantity=quantity,
        trade=after,
        producer_surplus=x * M.sum(axis=1) * (1.0 + 0.5 * Ex * x),
        consumer_surplus=0.5 * Em * spent * composite**2 * np.sign(composite) - spent * composite,
        tariff_revenue=(after * (T1 - 1.0) - M * (T0 - 1.0)).sum(axis=0),
    )


def gsim_of(network: Network, policy: Policy, good: str) -> tuple[tuple[str, ...], tuple[str, ...], Gsim]:
    """GSIM of one good of a network with base flows, for a policy that changes ad valorem tariffs and nothing else.

    Base flows are valued at the seller's price; elasticities are those of the network's curves at their base.

    Returns
    -------
    exporters, importers, Gsim   in the order of the network's countries

    Raises
    ------
    InputRefused   what GSIM has no place for: freight, recipes, other duties, other measures, curves of other shapes
    """
    n, p = network, policy
    if n.absolute:
        raise _refused("flows", "GSIM starts from base flows, and this world has curves alone")
    _refuse_other_measures(n, p)
    g = n.goods.index(good)
    sources, markets = np.flatnonzero(n.source_good == g), np.flatnonzero(n.market_good == g)
    r = np.flatnonzero(n.route_good == g)
    row, column = np.searchsorted(sources, n.route_source[r]), np.searchsorted(markets, n.route_market[r])
    trade = np.zeros((sources.size, markets.size))
    before, after = np.ones_like(trade), np.ones_like(trade)
    trade[row, column] = n.flow0[r] * n.source_price[n.route_source[r]]
    before[row, column], after[row, column] = 1.0 + n.tariff0[r], 1.0 + p.tariff[r]
    supply = np.zeros(sources.size)
    for at, s in enumerate(sources):
        made = np.flatnonzero(n.out_source == s)
        k = n.out_activity[made]
        alone = made.size == 1 and n.supply.shape[k[0]] == Shape.ISO_ELASTIC and (n.out_activity == k[0]).sum() == 1
        if not alone or np.isin(k, n.in_activity).any():
            where = f"{good} in {n.countries[n.source_country[s]]}"
            raise _refused("supply", f"{where}: GSIM knows suppliers of one good with an elasticity, and no recipes")
        supply[at] = n.supply.eps[k[0]] * n.source_price[s] / n.supply.margin[k[0]]
    demand = n.demand
    if not (demand.shape[markets] == Shape.ISO_ELASTIC).all():
        raise _refused("demand", f"{good}: GSIM knows demand with an elasticity above zero, and no other curves")
    found = gsim(
        trade,
        before,
        after,
        import_demand=-demand.eta[markets],
        export_supply=supply,
        substitution=(n.theta * n.index0)[markets],
    )
    sellers, buyers = n.source_country[sources], n.market_country[markets]
    return tuple(n.countries[c] for c in sellers), tuple(n.countries[c] for c in buyers), found


@dataclass(frozen=True)
class Smart:
    """What SMART says of one importer's market, in the unit of its imports; arrays where lines came in arrays."""

    trade_creation: Array
    trade_diversion: Array
    beneficiary_import_change: Array
    others_import_change: Array
    tariff_revenue_before: Array
    tariff_revenue_after: Array

    @property
    def revenue_change(self) -> Array:
        """Tariff revenue after less before."""
        return self.tariff_revenue_after - self.tariff_revenue_before


def smart(
    imports_beneficiary: Array | float,
    imports_others: Array | float,
    tariff_initial: Array | float,
    tariff_final: Array | float,
    *,
    import_demand: Array | float,
    substitution: Array | float,
) -> Smart:
    """Trade creation and diversion where one supplier's tariff is cut and foreign prices stand still.

    TC = M_b |Em| (t0 - t1) / (1 + t0),   TD = M_b M_o k / (M_b + M_o + M_b k),   k = Es (1 - (1 + t1) / (1 + t0))

    Parameters
    ----------
    imports_beneficiary, imports_others : (L,) or numbers   M_b, M_o, values before the tariff, by tariff line
    tariff_initial : rate on everybody, t0
    tariff_final : rate on the beneficiary, t1, not above t0; the others still pay t0
    import_demand : Em, not above zero
    substitution : Es, between the beneficiary and the others, not below zero

    Raises
    ------
    InputRefused   a value of the wrong sign, a tariff that rises

    Source: Laird and Yeats (1986), The UNCTAD Trade Policy Simulation Model, for infinitely elastic export supply.

    >>> cut = smart(100.0, 300.0, 0.1, 0.0, import_demand=-1.5, substitution=1.5)
    >>> round(float(cut.trade_creation), 4), round(float(cut.trade_diversion), 4), round(float(cut.revenue_change), 4)
    (13.6364, 9.8901, -10.989)
    """
    b, o, t0, t1 = (
        np.asarray(v, dtype=float) for v in (imports_beneficiary, imports_others, tariff_initial, tariff_final)
    )
    Em, Es = np.asarray(import_demand, dtype=float), np.asarray(substitution, dtype=float)
    for name, value in (
        ("imports_beneficiary", b),
        ("imports_others", o),
        ("tariff_initial", t0),
        ("tariff_final", t1),
        ("substitution", Es),
        ("import_demand", -Em),
    ):
        if not (np.isfinite(value).all() and (value >= 0.0).all()):
            above = "above" if name == "import_demand" else "below"
            raise _refused(name, f"{name} is {above} zero or no number")
    if (t1 > t0).any():
        raise _refused("tariff_final", "SMART is for a tariff that falls, and this one rises")
    created = b * -Em * (t0 - t1) / (1.0 + t0)
    k = Es * (1.0 - (1.0 + t1) / (1.0 + t0))
    total = b + o + b * k
    diverted = np.where(total > 0.0, b * o * k / np.where(total > 0.0, total, 1.0), 0.0)
    return Smart(
        trade_creation=created,
        trade_diversion=diverted,
        beneficiary_import_change=created + diverted,
        others_import_change=-diverted,
        tariff_revenue_before=t0 * (b + o),
        tariff_revenue_after=t1 * (b + created + diverted) + t0 * (o - diverted),
    )


def _per(given: Array | float, size: int, name: str, *, below: bool = False) -> Array:
    """An elasticity for each region, of the right sign."""
    value = np.asarray(given, dtype=float)
    if value.ndim == 0:
        value = np.full(size, value)
    if value.shape != (size,):
        raise _refused(name, f"{name} has {value.size} values for {size} regions")
    wrong = value >= 0.0 if below else value <= 0.0
    if wrong.any() or not np.isfinite(value).all():
        raise _refused(name, f"{name} must be {'below' if below else 'above'} zero, not {value[np.argmax(wrong)]:g}")
    return value


def _refuse_other_measures(n: Network, p: Policy) -> None:
    plain = impose(n, [])
    same = ("specific", "export_tax", "export_specific", "reference", "offtake", "purchases", "subsidy", "strike")
    left = [name for name in same if not np.array_equal(getattr(p, name), getattr(plain, name))]
    left += [name for name in ("quotas", "rate_quotas", "corridors") if getattr(p, name)]
    if left or not p.open.all() or not np.array_equal(p.freight, n.freight):
        raise _refused("policies", "GSIM knows ad valorem tariffs alone: leave out every other measure")
    price, tonnes = float(n.source_price.max(initial=0.0)), float(n.flow0.max(initial=0.0))
    for what, values, size in (
        ("freight", n.freight, price),
        ("specific duties", n.specific0, price),
        ("export taxes", n.export_tax0 * price + n.export_specific0, price),
        ("link premiums", n.premium, price),
        ("changes of stocks", np.concatenate([n.stock_build, n.stock_release]), tonnes),
    ):
        if np.abs(values).max(initial=0.0) > 1e-6 * size:
            raise _refused("base", f"GSIM knows ad valorem tariffs alone, and this world has {what}")


def _refused(name: str, message: str) -> InputRefused:
    return InputRefused.because("formula", message, path=name)
