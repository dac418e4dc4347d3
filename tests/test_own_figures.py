"""A user's own elasticities and prices: read strictly, put in, and the base is reproduced as before."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from friendshore import run
from friendshore.errors import InputRefused
from friendshore.world import check, own_figures, parameters
from friendshore.world.tables import World, table_names


@pytest.fixture(scope="module")
def world() -> World:
    return World.load()


@pytest.fixture(scope="module")
def priced(world) -> tuple[str, str]:
    """A good that several countries make and nobody licenses, and its largest maker."""
    licensed = set(world.licences["good"])
    made = world.prices.filter(~pl.col("good").is_in(licensed)).group_by("good").len().filter(pl.col("len") > 2)
    good = sorted(made["good"])[0]
    return good, str(world.prices.filter(pl.col("good") == good)["country"][0])


@pytest.fixture(scope="module")
def licence(world) -> dict:
    """The base licence with the smallest rent."""
    return world.licences.sort("rent_usd_t", "id").row(0, named=True)


def file(folder: Path, *figures: str, name: str = "own.yaml", head: str = "source: Survey\nyear: 2025\n") -> Path:
    path = folder / name
    path.write_text(head + "figures:\n" + "".join(f"  - {{{figure}}}\n" for figure in figures), encoding="utf-8")
    return path


def refused(path: Path, world: World) -> list:
    with pytest.raises(InputRefused) as caught:
        own_figures.read(path, world)
    return list(caught.value.problems)


def tables(world: World) -> dict[str, pl.DataFrame]:
    return {name: getattr(world, name) for name in table_names()}


def of(world: World, table: str, column: str, **keys: str):
    rows = getattr(world, table).filter(pl.all_horizontal([pl.col(key) == value for key, value in keys.items()]))
    return rows[column].to_list()


# -- what is put in ----------------------------------------------------------------------------------------------------


def test_a_horizon_picks_its_own_sigma_and_leaves_the_others(world, priced, tmp_path):
    good, _ = priced
    changed = own_figures.with_parameters(
        world, file(tmp_path, f"figure: sigma, good: {good}, horizon: 5, value: 2.75")
    )
    assert of(changed, "goods", "sigma_5", id=good) == [2.75]
    for column in ("sigma_1", "sigma_15"):
        assert of(changed, "goods", column, id=good) == of(world, "goods", column, id=good)
    compiled = {h: run.compile_world(changed, run.Assumptions(horizon=h)).theta for h in (1, 5, 15)}
    plain = {h: run.compile_world(world, run.Assumptions(horizon=h)).theta for h in (1, 5, 15)}
    assert [bool((compiled[h] == plain[h]).all()) for h in (1, 5, 15)] == [True, False, True]


def test_a_sigma_without_horizon_holds_at_all_three(world, priced, tmp_path):
    good, _ = priced
    changed = own_figures.with_parameters(world, file(tmp_path, f"figure: sigma, good: {good}, value: 3"))
    assert [of(changed, "goods", f"sigma_{h}", id=good)[0] for h in (1, 5, 15)] == [3.0, 3.0, 3.0]


def test_the_narrower_elasticity_of_supply_holds(world, tmp_path):
    process = (
        world.activities.filter(pl.col("kind") != "fixed")
        .group_by("process")
        .len()
        .sort("len", "process")["process"][-1]
    )
    one = str(world.activities.filter(pl.col("process") == process)["id"][0])
    path = file(tmp_path, f"figure: eps, activity: {one}, value: 0.9", f"figure: eps, process: {process}, value: 0.1")
    changed = own_figures.with_parameters(world, path)
    rows = changed.activities.filter(pl.col("process") == process)
    assert dict(rows.select("id", "eps_5").iter_rows()) == {i: 0.9 if i == one else 0.1 for i in rows["id"]}


def test_an_elasticity_in_price_becomes_one_in_the_margin(world, tmp_path):
    row = world.activities.filter(pl.col("eps_5") > 0).row(0, named=True)
    changed = own_figures.with_parameters(
        world, file(tmp_path, f"figure: eps_price, activity: {row['id']}, value: 0.5")
    )
    share = parameters.margin_shares(tables(world))[row["id"]]
    assert of(changed, "activities", "eps_15", id=row["id"])[0] == pytest.approx(0.5 * share)


def test_a_price_of_a_good_moves_all_its_gate_prices_in_proportion(world, priced, tmp_path):
    good, _ = priced
    outside = of(world, "goods", "price_outside_usd_t", id=good)[0]
    path = file(tmp_path, f"figure: price, good: {good}, value: {2 * outside / 1000!r} USD per kg of {good}")
    changed = own_figures.with_parameters(world, path)
    assert of(changed, "goods", "price_outside_usd_t", id=good)[0] == pytest.approx(2 * outside)
    before, after = (of(w, "prices", "price_usd_t", good=good) for w in (world, changed))
    assert after == pytest.approx([2 * p for p in before])


def test_a_price_in_a_country_that_licenses_leaves_the_price_outside(world, licence, tmp_path):
    good, exporter = licence["good"], licence["exporter"]
    (before,) = of(world, "prices", "price_usd_t", good=good, country=exporter)
    path = file(
        tmp_path, f"figure: price, good: {good}, country: {exporter}, value: {0.9 * before!r} USD per t of {good}"
    )
    changed = own_figures.with_parameters(world, path)
    routes = [parameters.delivered(tables(w)) for w in (world, changed)]
    abroad = [
        r.filter((pl.col("good") == good) & (pl.col("exporter") == exporter) & (pl.col("importer") != exporter))
        for r in routes
    ]
    assert abroad[1]["cif_usd_t"].to_list() == pytest.approx(abroad[0]["cif_usd_t"].to_list())
    rents = [of(w, "licences", "rent_usd_t", id=licence["id"])[0] for w in (world, changed)]
    assert rents[1] > rents[0] > 0


def test_a_price_above_the_one_outside_leaves_no_rent_and_is_refused(world, licence, tmp_path):
    dear = 10 * of(world, "goods", "price_outside_usd_t", id=licence["good"])[0]
    figure = f"figure: price, good: {licence['good']}, country: {licence['exporter']}, value: {dear!r} USD per t of {licence['good']}"
    with pytest.raises(InputRefused, match="dearer than the price outside"):
        own_figures.with_parameters(world, file(tmp_path, figure))


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_the_changed_world_keeps_every_promise_and_reproduces_its_base(world, priced, tmp_path, factor):
    good, _ = priced
    outside = of(world, "goods", "price_outside_usd_t", id=good)[0]
    changed = own_figures.with_parameters(
        world, file(tmp_path, f"figure: price, good: {good}, value: {factor * outside!r} USD per t of {good}")
    )
    held = {item.name: item.ok for item in check.check(world)}
    assert [item.name for item in check.check(changed) if not item.ok and held.get(item.name, True)] == []
    margins = parameters.base_margins(tables(changed))
    stated = dict(changed.activities.select("id", "margin_usd_t").iter_rows())
    assert max(abs(margins[i] - stated[i]) / max(stated[i], 1.0) for i in stated) < 1e-9
    outcome = run.clear(changed)
    gap = (outcome.flows["t"] - outcome.flows["base_t"]).abs() / outcome.flows["base_t"].max()
    assert float(gap.max()) < 1e-9


def test_a_price_below_its_cost_clips_the_margin_and_names_the_activity(world, priced, tmp_path):
    good, _ = priced
    outside = of(world, "goods", "price_outside_usd_t", id=good)[0]
    makers = set(world.recipes.filter((pl.col("good") == good) & (pl.col("role") == "output"))["activity"])
    changed = own_figures.with_parameters(
        world, file(tmp_path, f"figure: price, good: {good}, value: {0.4 * outside!r} USD per t of {good}")
    )
    low = own_figures.clipped(changed)
    assert set(low) & makers
    floor = parameters.margin_shares(tables(changed))
    assert min(floor.values()) >= parameters.MARGIN_FLOOR - 1e-9
    assert all(of(changed, "activities", "clipped", id=name) == [True] for name in low)
    assert low[0] in own_figures.sentence(changed)


def test_a_replaced_figure_carries_the_source_and_the_old_value(world, priced, tmp_path):
    good, country = priced
    path = file(
        tmp_path, f"figure: price, good: {good}, country: {country}, value: 7 USD per kg of {good}, reliability: B"
    )
    changed = own_figures.with_parameters(world, path)
    row = changed.prices.filter((pl.col("good") == good) & (pl.col("country") == country)).row(0, named=True)
    before = of(world, "prices", "price_usd_t", good=good, country=country)[0]
    assert (row["source"], row["year"], row["reliability"]) == ("own.survey", "2025", "B")
    assert f"(was {before:g})" in row["note"]
    assert of(changed, "sources", "title", id="own.survey") == ["Survey"]
    assert ("prices", f"{good} {country}", "price_usd_t", before, 7000.0) in [
        row[:5] for row in own_figures.replaced(changed).iter_rows()
    ]
    assert changed.version.startswith(f"{world.version}+own.")


def test_the_version_names_the_figures(world, priced, tmp_path):
    versions = {
        own_figures.with_parameters(world, file(tmp_path, f"figure: eta, good: {priced[0]}, value: {v}")).version
        for v in (0.2, 0.2, 0.3)
    }
    assert len(versions) == 2


def test_a_row_of_a_table_says_what_the_same_row_of_a_list_says(world, priced, tmp_path):
    good, country = priced
    table = tmp_path / "own.csv"
    table.write_text(
        "figure,good,country,horizon,value,source,year\n"
        f"sigma,{good},,5,2.5,Survey,2025\n"
        f'price,{good},{country},,"7 USD per kg of {good}",Survey,2025\n',
        encoding="utf-8-sig",
    )
    listed = file(
        tmp_path,
        f"figure: sigma, good: {good}, horizon: 5, value: 2.5",
        f"figure: price, good: {good}, country: {country}, value: 7 USD per kg of {good}",
    )
    first, second = (own_figures.with_parameters(world, path) for path in (table, listed))
    for name in ("goods", "prices", "activities"):
        assert getattr(first, name).equals(getattr(second, name))


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_a_table_may_be_marked_off_by_commas_semicolons_or_tabs(world, priced, tmp_path, mark):
    path = tmp_path / "own.csv"
    rows = ["figure good horizon value source", f"sigma {priced[0]} 5 2.5 me"]
    path.write_text("\r\n".join(row.replace(" ", mark) for row in rows), encoding="utf-8")
    (own,) = own_figures.read(path, world)
    assert (own.figure, own.value, own.horizons, own.where) == ("sigma", 2.5, (5,), f"{path}:2")


# -- what is refused ---------------------------------------------------------------------------------------------------


def test_every_problem_of_a_table_comes_at_its_cell(world, tmp_path):
    good = str(world.goods["id"][0])
    path = tmp_path / "own.csv"
    path.write_text(
        "figure,good,horizon,value,source,colour\n"
        f"sigma,{good[:-1]},5,3,me,\n"
        f"price,{good},5,200 USD per kg,me,\n"
        f"foo,{good},,1,me,\n"
        f"eta,{good},,-1,,\n",
        encoding="utf-8",
    )
    found = [(p.place.line, p.place.text[p.place.column - 1 :][: p.place.width], p.code) for p in refused(path, world)]
    assert found == [
        (1, "colour", "unknown-column"),
        (2, good[:-1], "unknown-good"),
        (3, "5", "no-use"),
        (3, "200 USD per kg", "no-basis"),
        (4, "foo", "unknown-value"),
        (5, f"eta,{good},,-1,,", "no-source"),
        (5, "-1", "out-of-range"),
    ]


@pytest.mark.parametrize(
    ("figure", "code"),
    [
        ("figure: sigma, good: nosuch.good, value: 3", "unknown-good"),
        ("figure: price, good: GOOD, country: China, value: 1 USD per kg of GOOD", "unknown-country"),
        ("figure: price, good: GOOD, value: 61", "no-unit"),
        ("figure: price, good: GOOD, value: 61 EUR per kg of GOOD", "no-rate"),
        ("figure: price, good: GOOD, value: 61 USD per stone of GOOD", "no-unit"),
        ("figure: price, good: GOOD, value: 61 USD per kg", "no-basis"),
        ("figure: price, good: GOOD, value: 61 USD per kg of cheese", "unknown-substance"),
        ("figure: price, good: GOOD, value: 0 USD per kg of GOOD", "out-of-range"),
        ("figure: sigma, good: GOOD, value: three", "no-number"),
        ("figure: sigma, good: GOOD, value: 0", "out-of-range"),
        ("figure: choke, good: GOOD, value: 1", "out-of-range"),
        ("figure: choke, good: GOOD, country: CHN, value: 4", "no-use"),
        ("figure: eta, good: GOOD, horizon: 5, value: 1", "no-use"),
        ("figure: eps, value: 1", "missing"),
        ("figure: eps, activity: GOOD, value: 1", "unknown-activity"),
        ("figure: sigma, good: GOOD, value: 3, horizon: 7", "unknown-value"),
        ("figure: sigma, good: GOOD, value: 3, colour: red", "unknown-key"),
    ],
)
def test_a_figure_that_cannot_stand_is_refused_by_name(world, priced, tmp_path, figure, code):
    problems = refused(file(tmp_path, figure.replace("GOOD", priced[0])), world)
    assert [problem.code for problem in problems] == [code]
    assert problems[0].place.line == 4


def test_a_figure_without_a_source_or_twice_is_refused(world, priced, tmp_path):
    line = f"figure: sigma, good: {priced[0]}, value: 3"
    assert [p.code for p in refused(file(tmp_path, line, head=""), world)] == ["no-source"]
    twice = refused(file(tmp_path, line, line), world)
    assert [(p.code, p.hint) for p in twice] == [("duplicate-figure", "first on line 4")]


def test_a_decimal_comma_and_an_open_quotation_are_seen(world, priced, tmp_path):
    path = tmp_path / "own.csv"
    good = priced[0]
    path.write_text(
        f'figure;good;value;source\nsigma;{good};2,5;me\nsigma;{good};3;"me\neta;{good};0.1;me;;\n', encoding="utf-8"
    )
    assert [(p.place.line, p.code) for p in refused(path, world)] == [(2, "no-number"), (3, "open-quote")]
    path.write_text("", encoding="utf-8")
    assert [p.code for p in refused(path, world)] == ["empty"]
    path.write_bytes(b"figure,good\nsigma,caf\xe9\n")
    assert [p.code for p in refused(path, world)] == ["encoding"]
    path.write_text("figure,good,value,source\n", encoding="utf-8")
    assert [p.code for p in refused(path, world)] != []


def test_a_network_file_has_no_base_to_calibrate_on(tmp_path, world, priced):
    from friendshore.world import network

    curves = network.read(Path(__file__).parent.parent / "examples" / "networks" / "two-country-tariff.yaml", None)
    with pytest.raises(InputRefused, match="no base year"):
        own_figures.with_parameters(curves, file(tmp_path, f"figure: sigma, good: {priced[0]}, value: 3"))


# -- in the command line and in a scenario -----------------------------------------------------------------------------


def command(*words: str, capsys) -> tuple[int, str, str]:
    from friendshore.cli import main

    with pytest.raises(SystemExit) as left:
        main(words)
    out, err = capsys.readouterr()
    return int(left.value.code or 0), out, err


def test_run_takes_own_figures_and_says_so(priced, tmp_path, capsys):
    path = file(tmp_path, f"figure: sigma, good: {priced[0]}, horizon: 15, value: 3")
    words = ("run", "no-agreement", "--parameters", str(path), "--horizon", "15", "--no-stability")
    status, out, _ = command(*words, "--json", capsys=capsys)
    document = json.loads(out)
    assert status == 0
    assert [row["column"] for row in document["own_figures"]] == ["sigma_15"]
    assert document["study"]["horizon"] == 15
    assert {o["settings"]["horizon"] for o in document["outcomes"].values()} == {15}
    assert "+own." in document["study"]["world_name"]
    page = " ".join(command(*words, capsys=capsys)[1].split())
    assert "Figures of the user's own stand in one place" in page
    assert "horizon 15 years" in page


def test_a_scenario_names_a_file_of_figures_beside_it(world, priced, tmp_path):
    from friendshore.agreement.scenario import Scenario

    file(tmp_path, f"figure: sigma, good: {priced[0]}, value: 3")
    text = "scenario: S\nagreement: no-agreement\nparameters: own.yaml\n"
    path = tmp_path / "s.yaml"
    path.write_text(text, encoding="utf-8")
    first = Scenario.load(path, world)
    assert first.parameters == tmp_path / "own.yaml"
    file(tmp_path, f"figure: sigma, good: {priced[0]}, value: 4")
    assert Scenario.load(path, world).digest != first.digest
    file(tmp_path, "figure: sigma, good: nosuch.good, value: 3")
    path.write_text(text + "assumptions: {horizon: 1, horizon: 5}\nas_of: 2030-13-01\n", encoding="utf-8")
    with pytest.raises(InputRefused) as caught:
        Scenario.load(path, world)
    assert {p.code for p in caught.value.problems} == {"unknown-good", "duplicate-key", "bad-date"}


def test_a_patched_level_stands_on_the_patch_alone(tmp_path):
    from friendshore.agreement.scenario import Scenario

    base = tmp_path / "base.yaml"
    base.write_text(
        "id: base\ntitle: T\nversion: 1\nin_force: 2028-01-01\nparties: [USA, JPN]\n"
        "sources: {somewhere: {title: A, url: https://a.org}, elsewhere: {title: B, url: https://b.org}}\nfloors:\n"
        "  - {id: f, good: ndpr.oxide, reference_price: 110 USD per kg of ndpr_oxide, levy_on: cif, source: [somewhere]}\n",
        encoding="utf-8",
    )
    path = tmp_path / "s.yaml"

    def clause(*patches: str):
        lines = "".join(f"  - {{{patch}}}\n" for patch in patches)
        path.write_text(f"scenario: S\nagreement: base.yaml\npatches:\n{lines}", encoding="utf-8")
        return Scenario.load(path).agreement.clauses[0]

    lower = "change: f, term: reference_price, to: 95 USD per kg of ndpr_oxide"
    moved = clause(f"{lower}, why: half way")
    assert (moved.illustrative, moved.rule, moved.source) == (True, "half way", ())
    grounded = clause(lower, "change: f, term: source, to: [elsewhere]")
    assert (grounded.illustrative, grounded.source) == (False, ("elsewhere",))
    other = clause("change: f, term: title, to: Another")
    assert (other.illustrative, other.source) == (False, ("somewhere",))


def test_a_figure_that_is_no_number_is_complained_of_once(tmp_path, world):
    path = file(tmp_path, "figure: eps, value: .nan", "figure: eta, value: 1e400")
    assert [(p.code, p.path) for p in refused(path, world)] == [
        ("non-finite", "figures[0].value"),
        ("non-finite", "figures[1].value"),
    ]


@pytest.mark.parametrize("written", ["30,000", "30 000", "30\u00a0000"])
def test_a_price_with_its_thousands_set_apart_is_said_to_be_that(tmp_path, world, written):
    given = f'figure: price, good: cobalt.metal, value: "{written} USD per t of cobalt"'
    (problem,) = refused(file(tmp_path, given), world)
    assert (problem.code, problem.hint) == ("wrong-type", "write 30000")
