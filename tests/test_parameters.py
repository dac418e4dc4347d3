"""Prices, freight, duties, licences and margins on a world small enough to do by hand, and against the raw files."""

from __future__ import annotations

import csv
import math
import os
import re
from pathlib import Path

import polars as pl
import pytest

from friendshore import run
from friendshore.errors import WorldError
from friendshore.world import parameters, sectors
from friendshore.world.tables import COLUMNS, PACKAGED, World, table_names

PLAN = sectors.ROOT
RAW = Path(os.environ.get("FRIENDSHORE_DATA", Path(__file__).parents[2] / "shared" / "data"))
needs_raw = pytest.mark.skipif(not (RAW / "raw").is_dir(), reason="the raw data folder is not here")

COUNTRIES = {
    "CHN": ("CHN", "AS"), "USA": ("USA", "NA"), "JPN": ("JPN", "AS"), "FRA": ("EUN", "EU"), "DEU": ("EUN", "EU"),
    "COD": ("COD", "AF"), "ZMB": ("ZMB", "AF"), "CHL": ("CHL", "SA"), "MYS": ("MYS", "AS"), "AUS": ("AUS", "OC"),
}  # fmt: skip


def raw_folder(folder: Path) -> Path:
    """A raw data folder in the publishers' layouts with distances of 10,000 km by sea and 8,000 by air."""
    for name in ("cerdi_seadistance", "cepii_geodist", "countries", "wto_rta"):
        (folder / "raw" / name).mkdir(parents=True)
    pairs = [(a, b) for a in COUNTRIES for b in COUNTRIES if a != b]
    near = {frozenset({"FRA", "DEU"}), frozenset({"COD", "ZMB"})}
    _write(
        folder / "raw/cerdi_seadistance/CERDI-seadistance.csv",
        ["iso1", "iso2", "seadistance"],
        [[a, b, 10000] for a, b in pairs],
    )
    _write(
        folder / "raw/cepii_geodist/dist_cepii_subset.csv",
        ["iso_o", "iso_d", "contig", "dist"],
        [[a, b, int({a, b} in near), 1000 if {a, b} in near else 8000] for a, b in pairs],
    )
    _write(
        folder / "raw/countries/country-codes.csv",
        ["ISO3166-1-Alpha-3", "Continent", "Least Developed Countries (LDC)"],
        [[code, continent, "x" if code in {"COD", "ZMB"} else ""] for code, (_, continent) in COUNTRIES.items()],
    )
    _write(
        folder / "raw/wto_rta/derived_rta_dyads_in_force_2026-02.csv",
        ["iso3_a", "iso3_b", "strongest_type", "first_entry_into_force"],
        [["CHL", "CHN", "FTA", 2006], ["JPN", "DEU", "PSA", 2019], ["AUS", "FRA", "FTA", 2025]],
    )
    return folder


def _write(path: Path, header: list[str], rows: list[list[object]]) -> None:
    with path.open("w", newline="") as out:
        csv.writer(out).writerows([header, *rows])


def tonnes() -> dict[str, pl.DataFrame]:
    """The tables of tonnes as `world.build` hands them over: every good that the tests look at, a few countries."""
    flows = [
        ("gallium.metal", "CHN", "CHN", 700), ("gallium.metal", "CHN", "JPN", 40), ("gallium.metal", "CHN", "FRA", 20),
        ("gallium.metal", "JPN", "JPN", 3),
        ("antimony.metal", "CHN", "FRA", 3000), ("antimony.metal", "CHN", "USA", 1000), ("antimony.metal", "DEU", "FRA", 1000),
        ("antimony.oxide", "FRA", "DEU", 3800),
        ("tungsten.concentrate", "AUS", "USA", 100),
        ("rare_earths.concentrate", "AUS", "MYS", 29000), ("ndpr.oxide", "MYS", "JPN", 5000),
        ("rare_earths.other", "MYS", "JPN", 19000),
        ("copper.concentrate", "CHL", "CHN", 4e6), ("copper.blister", "CHN", "CHN", 3e6), ("copper.blister", "ZMB", "CHN", 4e5),
        ("copper.cathode", "COD", "CHN", 9e5), ("copper.cathode", "COD", "ZMB", 1e5), ("copper.cathode", "CHN", "CHN", 3e6),
        ("cobalt.hydroxide", "COD", "CHN", 175000), ("cobalt.metal", "CHN", "USA", 50000), ("cobalt.metal", "CHN", "CHN", 1e5),
        ("ndfeb.magnet", "CHN", "USA", 7000),
    ]  # fmt: skip
    works = [
        ("gallium.recover", "CHN", 760, {"gallium.metal": 1}, {}),
        ("gallium.recover", "JPN", 3, {"gallium.metal": 1}, {}),
        ("antimony.oxidise", "FRA", 3800, {"antimony.oxide": 1}, {"antimony.metal": 1.0101}),
        ("rare_earths.mine", "AUS", 29000, {"rare_earths.concentrate": 1}, {}),
        ("rare_earths.separate_light", "MYS", 29000, {"ndpr.oxide": 0.212, "rare_earths.other": 0.688}, {"rare_earths.concentrate": 1}),
        ("copper.smelt", "CHN", 3e6, {"copper.blister": 1}, {"copper.concentrate": 1.005}),
        ("copper.cobalt.leach", "COD", 1e6, {"copper.cathode": 1, "cobalt.hydroxide": 0.175}, {}),
        ("cobalt.refine", "CHN", 150000, {"cobalt.metal": 1}, {"cobalt.hydroxide": 1.0526}),
        ("alumina.bayer", "CHN", 8e7, {}, {}),
    ]  # fmt: skip
    goods = sorted({flow[0] for flow in flows})
    stages = {row["id"]: row["stage"] for row in _plan("goods")}
    return {
        "goods": pl.DataFrame({"id": goods, "stage": [stages[g] for g in goods]}),
        "countries": pl.DataFrame(
            {
                "code": list(COUNTRIES),
                "name": list(COUNTRIES),
                "territory": [territory for territory, _ in COUNTRIES.values()],
                "region": ["one"] * len(COUNTRIES),
                "remainder": [False] * len(COUNTRIES),
            }
        ),
        "activities": pl.DataFrame(
            [
                {"id": f"{p}@{c}", "process": p, "country": c, "level_t": float(level), "kind": "iso_elastic"}
                for p, c, level, _, _ in works
            ]
        ),
        "recipes": pl.DataFrame(
            [
                {"activity": f"{p}@{c}", "good": good, "role": role, "coefficient": float(coefficient)}
                for p, c, _, out, into in works
                for role, side in (("output", out), ("input", into))
                for good, coefficient in side.items()
            ]
        ),
        "routes": pl.DataFrame(
            [{"good": g, "exporter": e, "importer": i, "flow_t": float(t), "latent": False} for g, e, i, t in flows]
        ),
    }


def _plan(name: str) -> list[dict[str, str]]:
    return list(sectors.rows(name))


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return parameters.complete(tonnes(), raw_folder(tmp_path_factory.mktemp("data")))


def route(world, good, exporter, importer):
    rows = world["routes"].filter(good=good, exporter=exporter, importer=importer).to_dicts()
    assert len(rows) == 1
    return rows[0]


def activity(world, name):
    return world["activities"].row(by_predicate=pl.col("id") == name, named=True)


# --- the base of the calibration ------------------------------------------------------------------------------------


def test_margins_are_outputs_less_inputs_at_the_buyers_index(world):
    """Done by hand for one smelter: V0 is the concentrate from Chile, cif and free of duty."""
    smelter = activity(world, "copper.smelt@CHN")
    price = {(r["good"], r["country"]): r["price_usd_t"] for r in world["prices"].to_dicts()}
    chile = route(world, "copper.concentrate", "CHL", "CHN")
    assert chile["freight_usd_t"] == pytest.approx((20 + 0.002 * 10000) / 0.25)
    v0 = price["copper.concentrate", "CHL"] + chile["freight_usd_t"]
    assert v0 == pytest.approx(8332, abs=0.01), "the quotation is what arrives"
    by_hand = price["copper.blister", "CHN"] - 1.005 * v0 - smelter["fixed_cost_usd_t"] + smelter["credit_usd_t"]
    assert smelter["margin_usd_t"] == pytest.approx(by_hand, rel=1e-12)


def test_stored_margins_equal_recomputed_ones(world):
    for name, margin in parameters.base_margins(world).items():
        assert activity(world, name)["margin_usd_t"] == pytest.approx(margin, rel=1e-12, abs=1e-9)


def test_no_margin_is_below_a_tenth_of_revenue_and_each_clipped_one_is_marked(world):
    price = {(r["good"], r["country"]): r["price_usd_t"] for r in world["prices"].to_dicts()}
    for row in world["activities"].to_dicts():
        made = world["recipes"].filter(activity=row["id"], role="output").to_dicts()
        revenue = math.fsum(r["coefficient"] * price[r["good"], row["country"]] for r in made)
        assert row["margin_usd_t"] >= 0.1 * revenue * (1 - 1e-12)
        if row["clipped"]:
            assert row["margin_usd_t"] == pytest.approx(0.1 * revenue, abs=0.011)
            assert "clipped" in row["note"]
    assert activity(world, "copper.smelt@CHN")["clipped"]
    assert not activity(world, "cobalt.refine@CHN")["clipped"]


def test_supply_answers_a_price_as_the_literature_has_it(world):
    """d ln Y / d ln p = eps x revenue / margin, the elasticity of the plan."""
    refinery = activity(world, "cobalt.refine@CHN")
    price = world["prices"].row(
        by_predicate=(pl.col("good") == "cobalt.metal") & (pl.col("country") == "CHN"), named=True
    )
    leverage = price["price_usd_t"] / refinery["margin_usd_t"]
    assert refinery["eps_1"] * leverage == pytest.approx(0.5)
    assert refinery["eps_15"] * leverage == pytest.approx(2.5)
    assert refinery["eps_5"] == pytest.approx(math.sqrt(refinery["eps_1"] * refinery["eps_15"]))


def test_a_published_cost_above_the_price_is_met_by_a_named_support(world):
    plant = activity(world, "rare_earths.separate_light@MYS")
    assert plant["fixed_cost_usd_t"] == 8000
    assert plant["base_support_usd_t"] > 0
    assert "Lynas" in plant["support_holder"]
    assert not plant["clipped"]
    assert all(row["support_holder"] is None for row in world["activities"].to_dicts() if not row["base_support_usd_t"])


def test_a_host_without_modelled_goods_has_no_margin(world):
    host = activity(world, "alumina.bayer@CHN")
    assert (host["margin_usd_t"], host["eps_5"], host["capacity_t"]) == (0.0, 0.0, None)


def test_an_input_that_no_route_supplies_is_refused_by_name(tmp_path):
    tables = tonnes()
    tables["routes"] = tables["routes"].filter(pl.col("good") != "cobalt.hydroxide")
    with pytest.raises(WorldError, match=r"cobalt\.refine@CHN: cobalt\.hydroxide has no supplier"):
        parameters.complete(tables, raw_folder(tmp_path))


def test_capacity_never_falls_below_the_base_run(world):
    for row in world["activities"].to_dicts():
        assert row["capacity_t"] is None or row["capacity_t"] >= row["level_t"]
    assert activity(world, "gallium.recover@CHN")["capacity_t"] == 1600
    malaysia = activity(world, "rare_earths.separate_light@MYS")
    assert malaysia["capacity_t"] == pytest.approx(10500 / 0.212, abs=0.001), "published in oxide, stored in feed"


# --- routes ---------------------------------------------------------------------------------------------------------


def test_duties_follow_union_agreement_preference_schedule_and_estimate_in_that_order(world):
    assert route(world, "antimony.metal", "DEU", "FRA")["tariff"] == 0
    assert route(world, "antimony.metal", "CHN", "FRA")["tariff"] == 0.07
    assert route(world, "copper.concentrate", "CHL", "CHN")["note"].count("free-trade agreement")
    assert "least developed" in route(world, "cobalt.hydroxide", "COD", "CHN")["note"]
    assert route(world, "tungsten.concentrate", "AUS", "USA")["specific_usd_t"] == 375
    assert route(world, "cobalt.metal", "CHN", "USA")["tariff"] == pytest.approx(0.005 + 0.25)
    unknown = route(world, "rare_earths.concentrate", "AUS", "MYS")
    assert unknown["tariff"] == 0
    assert "duty D: not known" in unknown["note"]


def test_an_agreement_after_the_base_year_or_a_partial_one_gives_no_preference(world, tmp_path):
    geography = parameters._Geography.read(raw_folder(tmp_path), world["countries"])
    assert ("CHN", "CHL") in geography.agreements
    assert not {("JPN", "DEU"), ("AUS", "FRA")} & geography.agreements


def duty(good: str, exporter: str, importer: str, geography: parameters._Geography) -> parameters._Duty:
    return parameters._duty(good, exporter, importer, {exporter: exporter, importer: importer}, geography)


def test_an_agreement_that_the_register_has_under_another_name_makes_trade_free(world, tmp_path):
    """Bolivia's oxide is free in MERCOSUR both ways, though the register knows only the association above it."""
    geography = parameters._Geography.read(raw_folder(tmp_path), world["countries"])
    for exporter, importer in (("BOL", "BRA"), ("BRA", "BOL"), ("BOL", "ARG"), ("BOL", "MEX"), ("CHL", "DEU")):
        sides = {exporter: exporter, importer: importer} | {"DEU": "EUN"}
        found = parameters._duty("antimony.oxide", exporter, importer, sides, geography)
        assert (found.rate, found.rule) == (0.0, "nil by a free-trade agreement in force"), (exporter, importer)
    stranger = duty("antimony.oxide", "THA", "BRA", geography)
    assert (stranger.rate, stranger.rule) == (0.048, "not known, median of five known schedules")
    assert duty("antimony.oxide", "BRA", "MEX", geography).rate == stranger.rate, "a list of preferences is no area"


def test_a_free_trade_area_after_the_base_year_gives_no_preference(monkeypatch):
    row = {"one": "AAA+BBB", "other": "CCC", "since": "2024-12-01"}
    monkeypatch.setattr(parameters, "_plan_rows", lambda name: (row, row | {"one": "DDD", "since": "2025-01-01"}))
    free = parameters._free_trade.__wrapped__(())
    assert free == {("AAA", "CCC"), ("BBB", "CCC"), ("CCC", "AAA"), ("CCC", "BBB")}


def test_freight_takes_the_cheaper_way_and_the_copperbelt_pays_for_its_road(world):
    assert "freight by land" in route(world, "antimony.oxide", "FRA", "DEU")["note"]
    congo = route(world, "copper.cathode", "COD", "CHN")["freight_usd_t"]
    assert congo == pytest.approx(60 + 0.0035 * 10000 + 2100 * 0.077 + 32, abs=0.01)
    assert route(world, "copper.cathode", "COD", "ZMB")["freight_usd_t"] == pytest.approx(15 + 0.05 * 1.3 * 1000)


def test_freight_is_per_tonne_of_content(world):
    """Crude hydroxide holds 0.30 of cobalt, so a contained tonne travels with 3.33 gross ones."""
    hydroxide = route(world, "cobalt.hydroxide", "COD", "CHN")["freight_usd_t"]
    assert hydroxide == pytest.approx(route(world, "copper.cathode", "COD", "CHN")["freight_usd_t"] / 0.30, abs=0.02)


def test_home_routes_carry_nothing(world):
    home = world["routes"].filter(pl.col("exporter") == pl.col("importer"))
    assert home.height > 0
    assert home.select(pl.col(parameters._ROUTE_TERMS).abs().sum()).row(0) == (0.0,) * 6


def test_duty_is_on_fob_in_the_united_states_and_on_cif_in_europe(world):
    d = {(r["good"], r["exporter"], r["importer"]): r for r in parameters.delivered(world).to_dicts()}
    for key, h in ((("cobalt.metal", "CHN", "USA"), 1), (("antimony.metal", "CHN", "FRA"), 0)):
        terms = route(world, *key)
        due = terms["tariff"] * (d[key]["cif_usd_t"] - h * terms["freight_usd_t"])
        assert d[key]["delivered_usd_t"] - d[key]["cif_usd_t"] == pytest.approx(due, rel=1e-9)


def test_the_premium_of_magnets_is_grade_and_makes_up_the_export_value(world):
    terms = route(world, "ndfeb.magnet", "CHN", "USA")
    assert 35000 + terms["premium_usd_t"] == 53500
    assert world["licences"].filter(good="ndfeb.magnet").height == 0


# --- licences, substances, territories ------------------------------------------------------------------------------


def test_licences_hold_the_base_tonnes_exactly_and_lift_inside_to_outside(world):
    assert set(world["licences"]["good"]) == {"gallium.metal", "antimony.metal"}
    d = parameters.delivered(world)
    for row in world["licences"].to_dicts():
        group = d.filter(
            (pl.col("good") == row["good"])
            & (pl.col("exporter") == "CHN")
            & pl.col("importer").is_in(row["importers"].split("+"))
        )
        assert row["quota_t"] == math.fsum(group["flow_t"])
        assert "CHN" not in row["importers"].split("+")
        assert row["rent_usd_t"] > 0
    gallium = d.filter(good="gallium.metal", exporter="CHN", importer="JPN").row(0, named=True)
    freight = route(world, "gallium.metal", "CHN", "JPN")["freight_usd_t"]
    assert gallium["cif_usd_t"] - freight == pytest.approx(439000, abs=0.01), "fob value of actual imports"
    antimony = d.filter(good="antimony.metal", exporter="CHN").filter(pl.col("importer") != "CHN")
    mean = (antimony["cif_usd_t"] * antimony["flow_t"]).sum() / antimony["flow_t"].sum()
    assert mean == pytest.approx(22575, abs=0.01), "quoted at the buyer's port"


def test_substances_count_the_metal_in_a_formula():
    content = {(s, g): c for s, g, c in parameters.substances().select("substance", "good", "content").iter_rows()}
    assert content["sb2o3", "antimony.oxide"] == pytest.approx(0.8354, abs=1e-4)
    assert content["wo3", "tungsten.concentrate"] == pytest.approx(0.7930, abs=1e-4)
    assert content["apt", "tungsten.apt"] == pytest.approx(12 * 183.84 / 3132.5, abs=2e-4)
    assert content["cobalt_sulphate", "cobalt.metal"] == pytest.approx(0.2097, abs=1e-4)
    assert content["ndpr_oxide", "ndpr.oxide"] == 1.0
    assert content["ndpr_metal", "ndpr.oxide"] == pytest.approx(1.1766, abs=2e-4)


def test_the_union_keeps_a_quarter_with_the_member_and_pays_the_rest_to_its_budget(world):
    union = world["territories"].row(by_predicate=pl.col("code") == "EUN", named=True)
    assert (union["duty_base"], union["kept_share"], union["budget"]) == ("cif", 0.25, "EUN")
    assert set(world["territories"]["code"]) == {t for t, _ in COUNTRIES.values()}


def test_every_row_has_known_sources_a_grade_and_the_columns_of_its_table(world):
    known = set(world["sources"]["id"]) | {row["id"] for row in _plan("sources")}
    for name in ("goods", "substances", "territories", "prices", "licences", "measures"):
        frame = world[name]
        assert frame.columns == list(COLUMNS[name])
        for row in frame.to_dicts():
            assert row["reliability"] in {"A", "B", "C", "D"}, (name, row)
            assert set(row["source"].split("+")) <= known, (name, row)
            assert row["reliability"] < "D" or row["note"], (name, "an estimate without a rule", row)


def test_every_plan_row_names_a_known_source_and_estimates_say_how():
    known = {row["id"] for row in _plan("parameters_sources")} | {row["id"] for row in _plan("sources")}
    for name in sorted({path.stem for path in PLAN.glob("*/*.csv")}):
        for row in _plan(name):
            if "source" in row:
                assert row["source"], (name, row)
                assert set(row["source"].split("+")) <= known, (name, row)


# --- the world that ships ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def packaged():
    if not (PACKAGED / "VERSION").exists():
        pytest.skip("no world is built into the package")
    world = World.load()
    return {name: getattr(world, name) for name in table_names()}


def test_the_shipped_margins_are_those_of_the_identity(packaged):
    stored = dict(packaged["activities"].select("id", "margin_usd_t").iter_rows())
    for name, margin in parameters.base_margins(packaged).items():
        assert stored[name] == pytest.approx(margin, rel=1e-9, abs=1e-6), name


def test_the_market_is_calibrated_on_the_same_margins(packaged):
    """`run` works them out again from its own arrays; neither may know better than the other."""
    network = run.compile_world(World.load())
    margins = parameters.base_margins(packaged)
    for name, margin in zip(network.activities, network.supply.margin, strict=True):
        if margins[name] > 0:
            assert margin == pytest.approx(margins[name], rel=1e-9), name


def test_the_shipped_margins_are_positive_where_supply_answers_them(packaged):
    answering = packaged["activities"].filter((pl.col("kind") == "iso_elastic") & (pl.col("level_t") > 0))
    assert answering.height > 200
    assert (answering["margin_usd_t"] > 0).all()
    assert (answering["eps_1"] > 0).all()
    assert (answering["eps_1"] <= answering["eps_5"]).all()
    assert (answering["eps_5"] <= answering["eps_15"]).all()


def test_every_shipped_route_has_its_terms_and_a_delivered_price(packaged):
    assert packaged["routes"].select(pl.col(parameters._ROUTE_TERMS).null_count()).row(0) == (0,) * 6
    assert packaged["routes"]["freight_usd_t"].min() >= 0
    assert parameters.delivered(packaged)["delivered_usd_t"].null_count() == 0


def test_the_shipped_licences_hold_their_base_flows_to_the_last_bit(packaged):
    routes = packaged["routes"]
    assert packaged["licences"].height == 20, "four goods, five destination groups"
    for row in packaged["licences"].to_dicts():
        group = routes.filter(pl.col("importer").is_in(row["importers"].split("+")))
        group = group.filter(good=row["good"], exporter=row["exporter"])
        assert row["quota_t"] == math.fsum(group["flow_t"])


def test_shipped_sources_are_all_listed(packaged):
    known = set(packaged["sources"]["id"])
    for name in ("goods", "substances", "territories", "activities", "prices", "routes", "licences", "measures"):
        used = {part for text in packaged[name]["source"].unique() if text for part in text.split("+")}
        assert used <= known, (name, used - known)


# --- against the publishers' own files ------------------------------------------------------------------------------


@needs_raw
def test_tariff_rates_match_the_schedules():
    """Each rate of the plan is the mean of the lines it names, read from the schedule itself."""
    schedules = {
        "USA": _us_schedule(), "JPN": _japanese_schedule(), "CHN": _chinese_schedule(),
        "EUN": _british_file("cet_duty_rate"), "GBR": _british_file("ukgt_duty_rate"),
    }  # fmt: skip
    checked = 0
    for row in _plan("parameters_tariffs"):
        if not row["lines"]:
            continue
        rates = [schedules[row["importer"]][line] for line in row["lines"].split("+")]
        ad_valorem = [rate for rate in rates if rate is not None]
        expected = sum(ad_valorem) / len(ad_valorem) if ad_valorem else 0.0
        assert float(row["rate"]) * 100 == pytest.approx(expected, abs=1e-4), row
        checked += 1
    assert checked >= 90


def _percent(text: str) -> float | None:
    text = text.strip().strip("()")
    if text.lower() == "free":
        return 0.0
    found = re.fullmatch(r"([\d.]+)%", text)
    return float(found[1]) if found else None


def _us_schedule(column: str = "General Rate of Duty") -> dict[str, float | None]:
    rates: dict[str, float | None] = {}
    for row in _raw("us_hts/hts_2026_rev3_minerals.csv"):
        code = row["HTS Number"]
        if row[column]:
            rates[code] = _percent(row[column])
            if len(code) == 13:
                rates[code[:10]] = rates[code]
    return rates


def _japanese_schedule() -> dict[str, float | None]:
    """Applied rate of a line: the lower of the general rate and the binding, either inherited from the line above."""
    rates: dict[str, float | None] = {}
    parent: dict[str, dict[str, str]] = {}
    for row in _raw("japan_tariff/japan_tariff_2026-07-09_minerals.csv"):
        heading = parent.setdefault(row["hs6"], {"general": "", "wto": ""})
        for column in ("general", "wto"):
            if not row["stat_suffix"] and row[column]:
                heading[column] = row[column]
        found = [_percent(row[c] or heading[c]) for c in ("general", "wto")]
        numbers = [rate for rate in found if rate is not None]
        rates[f"{row['hs6']}-{row['stat_suffix']}"] = min(numbers) if numbers else None
    return rates


def _chinese_schedule() -> dict[str, float | None]:
    rows = csv.DictReader((RAW / "facts/china_mfn_derived.csv").read_text(encoding="utf-8").splitlines())
    return {row["hs6"]: float(row["china_mfn_pct"]) if row["china_mfn_pct"] else None for row in rows}


def _british_file(column: str) -> dict[str, float | None]:
    rows = _raw("uk_global_tariff_2021/ukgt_and_eu_cet_2021-01_minerals.csv")
    return {row["commodity"]: _percent(row[column]) for row in rows}


def _raw(path: str) -> list[dict[str, str]]:
    with (RAW / "raw" / path).open(encoding="utf-8-sig", newline="") as lines:
        return list(csv.DictReader(lines))


@needs_raw
def test_prices_match_the_geological_survey():
    """The quotations that are facts, converted to USD per contained tonne; estimates are not compared with anything."""
    lb, mtu = 2204.62262, 7.930
    quoted = {
        "gallium.metal": ("Gallium", "unit value of imports", 1000), "germanium.metal": ("Germanium", "Germanium metal", 1000),
        "antimony.metal": ("Antimony", "metal, average", lb), "tungsten.concentrate": ("Tungsten", "concentrate", 1000 / mtu),
        "ndpr.oxide": ("Rare Earths", "NdPr", 1000), "dysprosium.oxide": ("Dysprosium", "Dysprosium oxide", 1000),
        "terbium.oxide": ("Terbium", "Terbium oxide", 1000), "cobalt.metal": ("Cobalt", "LME", lb),
        "copper.cathode": ("Copper", "London Metal Exchange", lb / 100),
    }  # fmt: skip
    rows = [r for r in _raw("usgs_mcs2026/derived_prices_2021_2025_long.csv") if r["Year"] == "2024"]
    for plan in _plan("parameters_goods"):
        if plan["id"] in quoted:
            commodity, words, factor = quoted[plan["id"]]
            value = [r["Value"] for r in rows if r["Commodity"] == commodity and words in r["Statistics_detail"]]
            assert len(value) == 1, (plan["id"], value)
            expected = float(value[0].replace(",", "")) * factor
            assert float(plan["price_outside_usd_t"]) == pytest.approx(expected, rel=1e-3)


@needs_raw
def test_the_s301_list_carries_the_lines_that_the_base_and_the_measures_charge():
    listed = {row["hts8"]: row["list"] for row in _raw("us_tariff_authorities/s301_product_lists.csv")}
    for row in _plan("parameters_duty_extra"):
        for line in row["lines"].split("+") if row["title"] == "section 301 list 3" else ():
            assert listed[line.replace(".", "")[:8]] == "3", row
    assert {listed[line] for line in ("26110060", "28418000", "81011000", "28499030")} == {"biden_25"}
    assert listed["85051100"] == "biden_jan26"
    assert not {"81101000", "28258000", "28469080", "28053000"} & set(listed)


@needs_raw
def test_column_2_is_what_russia_pays():
    rates = _us_schedule("Column 2 Rate of Duty")
    general = {row["good"]: float(row["rate"]) for row in _plan("parameters_tariffs") if row["importer"] == "USA"}
    for row in _plan("parameters_duty_extra"):
        if row["title"] == "column 2":
            found = [rate for line in row["lines"].split("+") if (rate := rates[line]) is not None]
            expected = sum(found) / len(found) if found else 100 * general[row["good"]]
            assert 100 * (general[row["good"]] + float(row["rate"])) == pytest.approx(expected, abs=1e-3), row
            assert found or float(row["specific_usd_t"]) > 0
