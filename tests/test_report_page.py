"""The page opens from a disk with everything inside, can be read by everyone, and every number opens to what stands behind it.

What needs a browser is tried in one where Playwright finds Chromium; what needs axe, where its script is found.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from html import escape
from html.parser import HTMLParser
from pathlib import Path

import pytest
from report_cases import nothing, small, whole

from friendshore.errors import InputRefused
from friendshore.report import page as page_module
from friendshore.report.figures import figures, projection
from friendshore.report.page import BEHIND, EQUATIONS, write_page
from friendshore.report.words import Words

AXE = Path(os.environ.get("FRIENDSHORE_AXE") or Path(__file__).parents[1] / "node_modules" / "axe-core" / "axe.min.js")
VOID = {"meta", "img", "input", "br", "link"}


class Reader(HTMLParser):
    """Tags with their attributes, in order, and whether every element is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def of(self, tag: str) -> list[dict[str, str]]:
        return [attrs for name, attrs in self.tags if name == tag]


def written(folder: Path, case=whole, lang: str = "en", view: str | None = "ITA") -> Path:
    world, deal, found = case()
    return write_page(
        found, folder, Words.of(lang, world), view, world=world, deal=deal, command="friendshore report one-floor"
    )


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> Path:
    return written(tmp_path_factory.mktemp("page"))


@pytest.fixture(scope="module")
def text(path) -> str:
    return path.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def read(text) -> Reader:
    reader = Reader()
    reader.feed(text)
    return reader


def test_the_sources_of_a_clause_are_named_with_their_publisher_and_linked(text):
    _, deal, _ = whole()
    table = text.split('<section id="clauses"')[1].split("</section>")[0]
    for clause in deal.clauses:
        for source in (deal.sources[name] for name in clause.source if name in deal.sources):
            assert escape(source.title) in table
            assert not source.url or f'href="{escape(source.url)}"' in table


def test_every_answer_with_figures_opens_to_equations_clauses_and_sources(text):
    world, deal, _ = whole()
    words = Words.of("en", world)
    titles = [str(title) for title in world.sources["title"]]
    for key, equations in BEHIND.items():
        part = text.split(f'<section id="{key}"')[1].split("</section>")[0]
        opened = part.split('<details class="open-number">')[1].split("</details>")[0]
        for name in equations:
            assert escape(words.say(f"page.equation.{name}")) in opened
        assert all(f'href="#clause-{clause.id}"' in opened for clause in deal.clauses)
        assert any(escape(title) in opened for title in titles)


def test_everything_is_inside_and_nothing_may_be_fetched(read, text):
    assert not read.of("link")
    assert all(not attrs.get("src") for attrs in read.of("script"))
    assert all(attrs["src"].startswith("data:") for attrs in read.of("img"))
    policy = next(a["content"] for a in read.of("meta") if a.get("http-equiv") == "Content-Security-Policy")
    assert "default-src 'none'" in policy
    assert "http" not in policy
    assert not re.search(r"@import|url\(", text.split("<style>")[1].split("</style>")[0])


def test_the_markup_is_whole_and_ids_are_there_once(read):
    assert not read.open
    ids = [attrs["id"] for _, attrs in read.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    for attrs in read.of("a"):
        if attrs.get("href", "").startswith("#"):
            assert attrs["href"][1:] in ids
    for _, attrs in read.tags:
        for name in ("aria-labelledby", "for"):
            assert all(one in ids for one in attrs.get(name, "").split())


def test_every_figure_stands_on_the_page_with_its_table_and_downloads(read, text):
    world, deal, found = whole()
    for figure in figures(found, Words.of("en", world), "ITA", world=world, deal=deal):
        assert f'id="figure-{figure.name}"' in text
        assert any(attrs.get("data-figure") == figure.name for attrs in read.of("div"))
        assert any(attrs.get("data-name") == figure.name for attrs in read.of("table"))
        for kind in ("svg", "png"):
            assert any(attrs.get("download") == f"{figure.name}.{kind}" for attrs in read.of("a"))


def test_every_table_row_has_a_button_that_opens_it(text):
    for body in re.findall(r'<table class="figures".*?</table>', text, flags=re.S):
        rows = body.split("<tbody>")[1].count("<tr")
        assert rows == body.count('class="why"') > 0
        equations = re.search(r'data-equations="([^"]*)"', body)
        assert equations is not None
        assert set(equations[1].split()) <= set(EQUATIONS)
        assert equations[1]


def test_the_lines_behind_a_country_are_those_of_its_account(text):
    _, _, found = whole()
    data = json.loads(text.split('id="data">')[1].split("</script>")[0])
    mine = {item for item, _, _ in data["lines"]["ITA"]}
    change = found.pays.filter(found.pays["country"] == "ITA")
    assert mine <= set(change["item"])
    shown = sum(usd for _, _, usd in data["lines"]["ITA"])
    assert shown == pytest.approx(
        change["usd"].sum(), abs=500.0 * len(found.outcomes["agreement"].by_good["good"].unique())
    )
    named = {source for sources in data["good_sources"].values() for source in sources}
    assert named & set(data["sources"])


def test_clauses_name_articles_sources_and_the_rule_of_an_invented_level(text):
    _, deal, _ = whole()
    for clause in deal.clauses:
        assert f'id="clause-{clause.id}"' in text


def test_the_result_goes_by_one_name_everywhere(text):
    _, _, found = whole()
    assert f"outcome {found.digest}." in text
    assert found.outcomes["agreement"].digest not in text


def test_figures_stand_right_and_words_left(text):
    (ours,) = re.findall(r'<section id="ours".*?<tbody>(.*?)</tbody>', text, re.DOTALL)
    for row in re.findall(r"<tr>(.*?)</tr>", ours):  # paid before, after, change, and whom supply hangs on
        assert re.findall(r"<td( class=n)?>", row) == [" class=n", " class=n", " class=n", ""]


def test_limits_stand_in_the_type_of_results(text):
    assert '<section id="unknown"' in text
    part = text.split('<section id="unknown"')[1].split("</section>")[0]
    style = text.split("<style>")[1].split("</style>")[0]
    assert "font-size" not in part.split("<figure")[0]
    assert not re.search(r"#unknown|section li\s*{[^}]*font-size", style)


@pytest.mark.parametrize("lang", ["it", "ja"])
def test_the_page_says_its_language(tmp_path, lang):
    held = written(tmp_path, small, lang, None).read_text(encoding="utf-8")
    assert f'<html lang="{lang}">' in held
    assert Words.of(lang).say("page.numbers") in held


def test_no_agreement_has_a_page_too(tmp_path):
    assert written(tmp_path, nothing, view=None).stat().st_size > 1e6


def test_the_same_study_writes_the_same_page(tmp_path):
    one, other = (tmp_path / name for name in ("one", "other"))
    pages = []
    for folder in (one, other):
        folder.mkdir()
        pages.append(written(folder, small, view=None).read_bytes())
    assert pages[0] == pages[1]


def test_without_plotly_it_is_refused_with_what_to_install(monkeypatch):
    def gone(name):
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(page_module, "files", gone)
    with pytest.raises(InputRefused, match="Plotly") as refused:
        page_module._plotly()
    assert "friendshore[report]" in str(refused.value)


# -- in a browser -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def browser():
    sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not here: pip install playwright")
    program = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_api.sync_playwright() as playwright:
        try:
            held = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        except sync_api.Error:
            pytest.skip("Chromium is not here: apt-get install chromium")
        yield held
        held.close()


@pytest.fixture
def opened(browser, path):
    """Open the page at a width; every request and every error of it is noted."""
    contexts = []

    def at(width: int = 1280, height: int = 900, **more):
        context = browser.new_context(viewport={"width": width, "height": height}, offline=True, **more)
        contexts.append(context)
        page = context.new_page()
        page.noted = []
        page.on("pageerror", lambda error: page.noted.append(str(error)))
        page.on("console", lambda said: page.noted.append(said.text) if said.type == "error" else None)
        page.on(
            "request",
            lambda asked: None if asked.url.startswith(("file:", "data:", "blob:")) else page.noted.append(asked.url),
        )
        page.goto(path.as_uri())
        page.wait_for_function("window.Plotly !== undefined")
        return page

    yield at
    for context in contexts:
        context.close()


def all_drawn(page) -> None:
    for plot in page.query_selector_all(".plot"):
        plot.scroll_into_view_if_needed()
        page.wait_for_function("plot => plot.querySelector('.main-svg') !== null", arg=plot)


def test_every_figure_is_drawn_and_nothing_is_asked_of_the_network(opened):
    page = opened()
    all_drawn(page)
    assert page.noted == []


def test_a_click_on_a_country_of_the_map_picks_it_and_a_second_lets_it_go(opened):
    page = opened()
    plot = page.query_selector("[data-figure=map_gains]")
    plot.scroll_into_view_if_needed()
    page.wait_for_function("plot => plot.querySelector('.main-svg') !== null", arg=plot)
    x, y = projection.places()["CHN"]
    at = """([plot, x, y]) => {
        const { xaxis, yaxis } = plot._fullLayout, box = plot.getBoundingClientRect();
        return [box.left + xaxis._offset + xaxis.l2p(x), box.top + yaxis._offset + yaxis.l2p(y)];
    }"""
    here = page.evaluate(at, [plot, x, y])
    page.mouse.move(here[0] - 2, here[1] - 2)
    page.mouse.move(*here)
    page.wait_for_selector("[data-figure=map_gains] .hoverlayer text")
    assert "China" in page.text_content("[data-figure=map_gains] .hoverlayer")
    page.mouse.click(*here)
    page.wait_for_function("document.querySelector('#country').value === 'CHN'")
    assert "China" in page.inner_text("#said")
    page.mouse.move(here[0] - 2, here[1] - 2)
    page.wait_for_selector("[data-figure=map_gains] .hoverlayer text")
    page.mouse.click(*here)
    page.wait_for_function("document.querySelector('#country').value === ''")
    assert page.noted == []


@pytest.mark.parametrize("lang", ["en", "it"])
def test_axe_finds_nothing(opened, tmp_path, lang):
    if not AXE.is_file():
        pytest.skip("axe-core is not here: npm install axe-core, or FRIENDSHORE_AXE=path/to/axe.min.js")
    page = opened()
    if lang != "en":
        page.goto(written(tmp_path, small, lang, None).as_uri())
        page.wait_for_function("window.Plotly !== undefined")
    all_drawn(page)
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
    page.add_script_tag(path=str(AXE))
    assert [(v["id"], v["nodes"][0]["html"][:200]) for v in page.evaluate("axe.run()")["violations"]] == []


def test_a_phone_and_400_per_cent_zoom_need_no_sideways_scrolling(opened):
    page = opened(320, 640)  # 1280 pixels at 400 %
    all_drawn(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 320


def test_a_row_opens_by_keyboard_to_its_equation_and_closes(opened):
    page = opened()
    page.click("#figure-view_account summary")
    page.focus("#figure-view_account button.why")
    page.keyboard.press("Enter")
    assert page.is_visible("#why")
    assert "section 11" in page.inner_text("#why-body")
    assert page.query_selector_all("#why-body a[href^='#clause-']")
    page.keyboard.press("Escape")
    assert not page.is_visible("#why")


def test_a_table_sorts_filters_and_is_saved(opened):
    page = opened()
    box = page.query_selector("#figure-map_gains details")
    box.query_selector("summary").click()
    column = "[...document.querySelectorAll('#figure-map_gains tbody tr')].filter(r => !r.hidden).map(r => r.cells[{k}].dataset.v)"
    heads = box.query_selector_all("th button")
    heads[4].click()
    falling = [float(v) for v in page.evaluate(column.format(k=4))]
    assert falling == sorted(falling, reverse=True)
    assert box.query_selector("th[aria-sort=descending]") is not None
    heads[4].click()
    assert [float(v) for v in page.evaluate(column.format(k=4))] == sorted(falling)
    box.query_selector("input").fill("Italy")
    assert len(page.evaluate(column.format(k=4))) == 1
    with page.expect_download() as saved:
        box.query_selector("button.csv").click()
    lines = Path(saved.value.path()).read_text(encoding="utf-8-sig").splitlines()
    assert len(lines) == 2
    assert "Italy" in lines[1]


def test_picking_a_country_and_a_mineral_narrows_tables_and_figures(opened):
    page = opened()
    page.select_option("#country", "JPN")
    page.select_option("#mineral", "lithium")
    assert "Japan" in page.inner_text("#said")
    shown = "[...document.querySelectorAll('#figure-sankey tbody tr')].filter(r => !r.hidden)"
    assert page.evaluate(f"{shown}.length") > 0
    assert page.evaluate(
        f"{shown}.every(r => r.dataset.mineral === 'lithium' && r.dataset.countries.split(' ').includes('JPN'))"
    )
    all_drawn(page)
    seen = page.evaluate("document.querySelector('[data-figure=sankey]').data.filter(t => t.visible).length")
    assert seen == 2
    assert page.noted == []


def test_paper_gets_the_drawings_for_paper(opened):
    page = opened()
    page.emulate_media(media="print")
    assert page.is_visible("#figure-who_pays .still")
    assert not page.is_visible("#figure-who_pays .plot")
    assert not page.is_visible(".controls")


def test_without_scripts_the_page_still_shows_its_figures(opened):
    context = opened().context.browser.new_context(java_script_enabled=False, offline=True)
    page = context.new_page()
    page.goto(opened().url)
    assert page.is_visible("#figure-who_pays .still img")
    context.close()
