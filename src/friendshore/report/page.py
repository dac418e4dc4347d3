"""What does an agreement do, as a page that opens from a disk? One HTML file with text, figures, tables and all it needs inside.

The text is the brief's, the drawings are the figures'; here they become a page in which every number opens to its equation,
its clauses and its sources. The page fetches nothing: its own policy forbids it.
"""

from __future__ import annotations

import base64
import json
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from importlib.resources import files
from string import Template
from typing import TYPE_CHECKING, Any

import polars as pl

from friendshore.agreement import schedule
from friendshore.errors import InputRefused
from friendshore.headline import CODE
from friendshore.report.brief import Brief, Part, Table, View, brief
from friendshore.report.figures import Figure
from friendshore.report.figures import figures as draw_all
from friendshore.report.figures.figure import WIDTH
from friendshore.report.figures.subject import Subject
from friendshore.report.figures.world_map import drawn_shapes
from friendshore.report.words.notes import said
from friendshore.run import DEFAULT, Assumptions
from friendshore.world.digest import digest

if TYPE_CHECKING:
    from pathlib import Path

    from friendshore.agreement.document import Agreement, Source
    from friendshore.faces import Wedge
    from friendshore.report.words import Words
    from friendshore.study import Study
    from friendshore.world.tables import World

FILE = "report.html"
PLACES = {  # where each figure stands: behind the answer whose question it pictures
    "proposed": ("price_ladder", "levy_binds"),
    "ours": ("map_gains", "view_account", "map_dependence", "sankey", "product_cost"),
    "pays": ("who_pays", "protection"),
    "answers": ("reactions",),
    "unknown": ("stability", "tornado"),
}
BEHIND = {  # equations behind the sentences and small tables of an answer
    "proposed": ("levy", "delivered", "sourcing"),
    "ours": ("gain", "users", "producers", "delivered", "dependence"),
    "pays": ("gain", "users", "producers"),
    "answers": ("gain", "levy"),
    "unknown": ("sourcing", "gain"),
}
EQUATIONS = (
    "gain",
    "users",
    "producers",
    "levy",
    "delivered",
    "sourcing",
    "protection",
    "dependence",
    "product",
    "slope",
)
COUNTRIES = ("country", "exporter", "importer", "party", "origin", "supplier")
STILL = 500.0  # USD: a line of an account that moves by less is summed with the rest
Row = Mapping[str, Any]


def write_page(
    study: Study,
    folder: Path,
    words: Words,
    view: str | None = None,
    *,
    world: World,
    deal: Agreement,
    assume: Assumptions = DEFAULT,
    shocks: tuple[Wedge, ...] = (),
    figures: Sequence[Figure] | None = None,
    answers: Brief | None = None,
    command: str = "",
) -> Path:
    """Write the page into a folder that is there.

    Parameters
    ----------
    study : the runs and their tables
    folder : takes `report.html`
    words, view : the reader's language, and the country or customs union that the report speaks to
    world, deal, assume, shocks : what the study was run with
    figures : drawn already; drawn here if None
    answers : the brief's six answers; made here, without a legal screen, if None
    command : the command that makes this report again

    Raises
    ------
    OSError   the folder cannot be written to;  InputRefused   Plotly is not installed
    """
    subject = Subject(study, words, view, world, deal, assume, tuple(shocks))
    if figures is None:
        figures = draw_all(study, words, view, world=world, deal=deal, assume=assume, shocks=shocks)
    if answers is None:
        answers = brief(study, words, View.of(view, study, world), world=world, deal=deal)
    path = folder / FILE
    path.write_text(page(subject, figures, answers, command), encoding="utf-8")
    return path


def page(subject: Subject, figures: Sequence[Figure], answers: Brief, command: str = "") -> str:
    """The page as text."""
    words = subject.words
    held = {figure.name: figure for figure in figures}
    placed = {name for names in PLACES.values() for name in names}
    last = [figure.name for figure in figures if figure.name not in placed]
    parts = [_part(subject, part, held, last if part.key == "ours" else []) for part in answers.parts]
    fields = {
        name: escape(words.say(f"page.{name}"))
        for name in (
            "skip",
            "choose",
            "pick_country",
            "all_countries",
            "pick_mineral",
            "all_minerals",
            "contents",
            "why",
            "close",
        )
    }
    return Template(_asset("page.html")).substitute(
        fields,
        lang=words.lang,
        title=escape(answers.title),
        finding=escape(answers.finding),
        facts=escape(answers.facts),
        css=_asset("page.css"),
        js=_asset("page.js"),
        plotly=_plotly(),
        countries=_options((code, words.country(code)) for code in subject.gains if len(code) <= CODE),
        minerals=_options((mineral, _mineral(words, mineral)) for mineral in set(subject.minerals.values())),
        toc=_contents(subject, answers, held, last),
        numbers=_numbers(subject),
        parts="\n".join(parts),
        clauses=_clauses(subject),
        repeat=_repeat(subject, command),
        footer=escape(answers.footer),
        data=_data(subject, figures),
    )


# -- the parts ----------------------------------------------------------------------------------------------------------


def _contents(subject: Subject, answers: Brief, held: Mapping[str, Figure], last: Sequence[str]) -> str:
    say = subject.words.say
    entries = [("numbers", say("page.numbers"))]
    for part in answers.parts:
        entries.append((part.key, part.question))
    entries += [("clauses", say("page.clauses")), ("repeat", say("page.repeat"))]
    return "\n".join(f'<li><a href="#{name}">{escape(text)}</a></li>' for name, text in entries)


def _part(subject: Subject, part: Part, held: Mapping[str, Figure], last: Sequence[str]) -> str:
    said = [f"<p>{escape(text)}</p>" for text in part.sentences]
    if part.listed:
        said = ["<ul>", *(f"<li>{escape(text)}</li>" for text in part.sentences), "</ul>"]
    if part.key == "unknown":
        said += _noted(subject)
    said += [_small(table) for table in part.tables]
    said += _behind(subject, part.key)
    said += [_figure(subject, held[name]) for name in (*PLACES.get(part.key, ()), *last) if name in held]
    return (
        f'<section id="{part.key}" aria-labelledby="{part.key}-head">\n<h2 id="{part.key}-head">{escape(part.question)}</h2>\n'
        + ("\n".join(said) + "\n</section>")
    )


def _behind(subject: Subject, key: str) -> list[str]:
    """What stands behind the sentences and tables of an answer: equations, clauses, and sources of the goods that move it."""
    if key not in BEHIND:
        return []
    words, deal, world = subject.words, subject.deal, subject.world
    equations = "".join(f"<li>{escape(words.say(f'page.equation.{name}'))}</li>" for name in BEHIND[key])
    clauses = ", ".join(f'<a href="#clause-{escape(c.id)}">{escape(c.id)}</a>' for c in deal.clauses)
    used, goods = _sources(world), _moved(subject)
    titles = {str(row["id"]): row for row in world.sources.iter_rows(named=True)}
    named = dict.fromkeys(source for good in goods for source in used.get(good, ()) if source in titles)
    sources = "".join(f"<li>{_cited(titles[name])}</li>" for name in named)
    heads = [escape(words.say(f"page.js.{name}")) for name in ("equation", "clauses", "sources")]
    return [
        f'<details class="open-number"><summary>{escape(words.say("page.why_these"))}</summary>'
        f"<p>{heads[0]}</p><ul>{equations}</ul>"
        + (f"<p>{heads[1]}: {clauses}</p>" if clauses else "")
        + f"<p>{heads[2]} ({escape(words.listed(map(words.good, goods)))})</p><ul>{sources}</ul></details>"
    ]


def _moved(subject: Subject) -> list[str]:
    """The goods with a floor, and the four others that move the view's account most."""
    floored = sorted(set(subject.study.floors["good"]))
    own = subject.changes.filter(pl.col("country").is_in(sorted(subject.viewed)) & (pl.col("good") != ""))
    most = own.group_by("good").agg(usd=pl.col("usd").sum().abs()).sort(["usd", "good"], descending=[True, False])
    return [*floored, *(good for good in most["good"].to_list() if good not in floored)][: len(floored) + 4]


def _cited(source: Row) -> str:
    """A source of the world, linked where it can be read."""
    told = escape(", ".join(str(source[name]) for name in ("publisher", "title", "year") if source[name]))
    url = str(source["url"] or "")
    return f'<a href="{escape(url)}" rel="noreferrer">{told}</a>' if url.startswith(("https:", "http:")) else told


def _noted(subject: Subject) -> list[str]:
    """The notes of the run; those that the reader's language has no words for, in the words in which they were noted."""
    words = subject.words
    items = [
        f"<li>{escape(note.text)}</li>" if note.translated else f'<li lang="en">{escape(note.text)}</li>'
        for note in said(words, subject.study.notes)
    ]
    return [f"<p>{escape(words.say('page.notes'))}</p>", f"<ul>{''.join(items)}</ul>"] if items else []


def _small(table: Table) -> str:
    head = "".join(f'<th scope="col"{_side(table, k)}>{escape(text)}</th>' for k, text in enumerate(table.headings))
    rows = "".join(
        f'<tr><th scope="row">{escape(row[0])}</th>'
        + "".join(f"<td{_side(table, k)}>{escape(cell)}</td>" for k, cell in enumerate(row[1:], start=1))
        + "</tr>"
        for row in table.rows
    )
    note = f'<p class="caption">{escape(table.note)}</p>' if table.note else ""
    return f'<div class="scroll" tabindex="0" role="group" aria-label="{escape(table.headings[0])}"><table class="brief"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>{note}'


def _side(table: Table, column: int) -> str:
    """The class of a column's cells: figures stand right, words left."""
    return "" if column in table.text else " class=n"


def _figure(subject: Subject, figure: Figure) -> str:
    say = subject.words.say
    svg = base64.b64encode(figure.svg()).decode()
    png = base64.b64encode(figure.png()).decode()
    title, shift = (
        escape(figure.title),
        100.0 * figure.around[3] / WIDTH,
    )  # the page has its own heading: the picture's is cut
    notes = "".join(f'<p class="notes">{escape(note)}</p>' for note in figure.notes)
    return f"""<figure id="figure-{figure.name}" aria-labelledby="title-{figure.name}">
<figcaption><h3 id="title-{figure.name}">{title}</h3>
<p class="subtitle">{escape(figure.subtitle)}</p></figcaption>
<div class="plot" data-figure="{figure.name}" style="min-height:{figure.spec["layout"]["height"]}px" role="group" aria-label="{title}"></div>
<div class="still" style="aspect-ratio:{WIDTH:g}/{figure.height:g}"><img style="margin-top:-{shift:.3f}%" alt="{title} {escape(say("page.table_below"))}" src="data:image/svg+xml;base64,{svg}"></div>
{notes}
<p class="caption">{escape(figure.caption)}</p>
<p class="tools"><a class="svg" download="{figure.name}.svg" href="#figure-{figure.name}">SVG</a>
<a download="{figure.name}.png" href="data:image/png;base64,{png}">PNG</a></p>
{_table(subject, figure)}
</figure>"""


def _table(subject: Subject, figure: Figure) -> str:
    say = subject.words.say
    table, label = figure.table, escape(say("page.table"))
    numeric = {name: table.schema[name].is_numeric() for name in table.columns}
    head = "".join(
        f'<th scope="col" aria-sort="none"{" class=n" if numeric[name] else ""}><button type="button">{escape(figure.columns.get(name, name))}</button></th>'
        for name in table.columns
    )
    rows = "".join(_row(subject, row, numeric) for row in table.iter_rows(named=True))
    return f"""<details><summary>{label} ({escape(say("page.rows", n=subject.words.number(table.height, 9)))})</summary>
<p class="tools"><label>{escape(say("page.filter"))} <input type="search"></label>
<button type="button" class="csv">CSV</button> <span class="count" role="status"></span></p>
<div class="scroll" tabindex="0" role="group" aria-label="{escape(figure.title)}"><table class="figures" data-name="{figure.name}" data-equations="{" ".join(figure.equations)}">
<thead><tr>{head}<th class="open" scope="col">{escape(say("page.opens"))}</th></tr></thead>
<tbody>{rows}</tbody></table></div></details>"""


def _row(subject: Subject, row: Row, numeric: Mapping[str, bool]) -> str:
    codes = [str(row[name]) for name in COUNTRIES if row.get(name)]
    goods = [str(row["good"])] if row.get("good") else []
    mineral = row.get("mineral") or (subject.minerals.get(goods[0], "") if goods else "")
    cells = []
    for k, (name, value) in enumerate(row.items()):
        tag, scope = ("th", ' scope="row"') if k == 0 else ("td", "")
        if numeric[name]:
            finite = value is not None and math.isfinite(value)
            at = f' data-v="{value!r}"' if finite else ' data-v="NaN"'
            cells.append(f'<{tag} class="n"{at}{scope}>{escape(subject.words.number(value, 4))}</{tag}>')
        else:
            cells.append(f"<{tag}{scope}>{escape(_shown(subject, name, value))}</{tag}>")
    label = escape(subject.words.say("page.why"))
    cells.append(f'<td class="open"><button type="button" class="why" aria-label="{label}">?</button></td>')
    about = f' data-countries="{escape(" ".join(codes))}"' if codes else ""
    about += f' data-goods="{escape(" ".join(goods))}"' if goods else ""
    about += f' data-mineral="{escape(str(mineral))}"' if mineral else ""
    return f"<tr{about}>{''.join(cells)}</tr>"


def _shown(subject: Subject, name: str, value: Any) -> str:
    words = subject.words
    if value is None or value == "":
        return ""
    if isinstance(value, bool):
        return words.say("page.yes" if value else "page.no")
    if name in COUNTRIES or name == "union":
        return subject.name(str(value))
    if name == "good":
        return subject.good(str(value))
    if name == "stage":
        return words.stage(str(value))
    if name == "mineral":
        return _mineral(words, str(value))
    if name == "reaction":
        return words.say(f"figure.reaction.{value}")
    if name == "item":
        return words.item(str(value))
    return str(value)


def _mineral(words: Words, mineral: str) -> str:
    key = f"mineral.{mineral}"
    return words.say(key) if words.has(key) else mineral


# -- numbers that open ------------------------------------------------------------------------------------------------


def _numbers(subject: Subject) -> str:
    """The headline numbers, each with its equation, the lines that add to it, and the clauses behind it."""
    say, changes = subject.words.say, subject.changes
    inside = pl.col("country").is_in(sorted(subject.at.inside))
    firm = pl.col("country").str.len_chars() > CODE
    tiles = [
        ("parties", inside, ("side", "parties")),
        ("outside", ~inside & ~firm, ("side", "outside")),
        ("world", pl.lit(True), ("side", "world")),
        ("levy", pl.col("item") == "levy", ("side", "levy")),
    ]
    if subject.view:
        of = "holder" if len(subject.viewed) == 1 else "union"
        tiles.insert(0, ("view", pl.col("country").is_in(sorted(subject.viewed)), (of, subject.view)))
    made = [_tile(subject, name, changes.filter(which), band) for name, which, band in tiles]
    known = subject.study.readings > 1
    meant = f"<p>{escape(say('unknown.range', n=subject.study.readings) if known else say('unknown.no_range'))}</p>"
    return (
        f'<section id="numbers" aria-labelledby="numbers-head"><h2 id="numbers-head">{escape(say("page.numbers"))}</h2>'
        f'<p>{escape(say("page.numbers_open"))}</p><ul class="tiles">{"".join(made)}</ul>{meant}</section>'
    )


def _tile(subject: Subject, name: str, lines: pl.DataFrame, band: tuple[str, str]) -> str:
    words = subject.words
    label = words.say(f"page.tile.{name}", who=words.country(subject.view) if subject.view else "")
    total = float(lines["usd"].sum())
    rows = sorted(lines.iter_rows(), key=lambda row: (-abs(row[3]), row[:3]))
    shown = [row for row in rows[:10] if abs(row[3]) >= STILL]
    rest = total - sum(row[3] for row in shown)
    parts = [
        f"<li>{escape(_line(subject, country, item, good))}: {escape(words.usd(usd, True))}"
        f"{escape(_line_range(subject, country, item, good))}</li>"
        for country, item, good, usd in shown
    ]
    parts.append(
        f"<li>{escape(words.say('page.rest', n=len(rows) - len(shown)))}: {escape(words.usd(rest, True))}</li>"
    )
    equation = words.say(f"page.equation.{'levy' if name == 'levy' else 'gain'}")
    return (
        f'<li><span class="kind">{escape(label)}</span><span class="value">{escape(words.usd(total, True))}</span>'
        f'<span class="range">{escape(subject.range_text(*band))}</span>'
        f'<details class="open-number"><summary>{escape(words.say("page.why"))}</summary><p>{escape(equation)}</p>'
        f'<ul>{"".join(parts)}</ul><p><a href="#clauses">{escape(words.say("page.clauses"))}</a></p></details></li>'
    )


def _line(subject: Subject, country: str, item: str, good: str) -> str:
    words = subject.words
    return ", ".join(filter(None, (subject.name(country), words.item(item), words.good(good) if good else "")))


def _line_range(subject: Subject, country: str, item: str, good: str) -> str:
    """The range of a line, in brackets; nothing where it is not known."""
    low, high = subject.line_ranges.get((country, item, good), (None, None))
    return "" if low is None else f" ({subject.words.say('range.known', low=low, high=high)})"


def _clauses(subject: Subject) -> str:
    """Every clause with its article, its sources and the rule of a level that was invented."""
    say, deal = subject.words.say, subject.deal
    rows = []
    for clause in deal.clauses:
        sources = "; ".join(_source(deal.sources[name]) for name in clause.source if name in deal.sources)
        rule = f"{say('page.illustrative')} {' '.join(clause.rule.split())}" if clause.illustrative else ""
        cells = (escape(clause.title or clause.word), escape(str(clause.article)), sources, escape(rule))
        shown = "".join(f"<td>{cell}</td>" for cell in cells)
        rows.append(
            f'<tr id="clause-{escape(clause.id)}"><th scope="row"><code>{escape(clause.id)}</code></th>{shown}</tr>'
        )
    heads = "".join(
        f'<th scope="col">{escape(say(f"column.{name}"))}</th>'
        for name in ("clause", "what", "article", "sources", "level")
    )
    title = escape(say("page.clauses"))
    return (
        f'<section id="clauses" aria-labelledby="clauses-head"><h2 id="clauses-head">{title}</h2>'
        f'<div class="scroll" tabindex="0" role="group" aria-label="{title}"><table><thead><tr>{heads}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div></section>"
    )


def _source(source: Source) -> str:
    """A source with whoever published it and when, linked where it can be read."""
    told = escape(", ".join(filter(None, (source.title, source.publisher, str(source.date)))))
    linked = source.url.startswith(("https:", "http:"))
    return f'<a href="{escape(source.url)}" rel="noreferrer">{told}</a>' if linked else told


def _repeat(subject: Subject, command: str) -> str:
    say = subject.words.say
    said = [
        say(
            "page.repeat_world",
            world=subject.study.world_name,
            digest=digest(subject.world),
            outcome=subject.study.digest,
        )
    ]
    body = "".join(f"<p>{escape(text)}</p>" for text in said)
    if command:
        body += f"<p>{escape(say('page.repeat_command'))} <code>{escape(command)}</code></p>"
    equations = "".join(f"<li>{escape(say(f'page.equation.{key}'))}</li>" for key in EQUATIONS)
    return (
        f'<section id="repeat" aria-labelledby="repeat-head"><h2 id="repeat-head">{escape(say("page.repeat"))}</h2>{body}'
        f"<h3>{escape(say('page.equations'))}</h3><ul>{equations}</ul></section>"
    )


# -- what the page's script reads --------------------------------------------------------------------------------------


def _data(subject: Subject, figures: Iterable[Figure]) -> str:
    words, world = subject.words, subject.world
    lines: dict[str, list[list[Any]]] = defaultdict(list)
    for country, item, good, usd in subject.changes.iter_rows():
        if abs(usd) >= STILL:
            ends = subject.line_ranges.get((country, item, good), ())
            lines[country].append([item, good, round(usd), *(round(end) for end in ends)])
    used = _sources(world)
    held = {
        "lang": words.lang,
        "specs": {figure.name: {**figure.spec, "mineral": figure.mineral} for figure in figures},
        "shapes": drawn_shapes(),
        "lines": lines,
        "say": {
            name: words.say(f"page.js.{name}")
            for name in (
                "rows",
                "chosen",
                "equation",
                "lines",
                "rest",
                "sum",
                "range",
                "clauses",
                "sources",
                "illustrative",
            )
        },
        "equations": {key: words.say(f"page.equation.{key}") for key in EQUATIONS},
        "countries": {code: subject.name(code) for code in lines},
        "items": {item: words.item(item) for item in sorted(set(subject.changes["item"]))},
        "goods": {good: subject.good(good) for good in subject.minerals},
        "clauses": [
            {"id": c.id, "article": c.article, "illustrative": c.illustrative, "goods": _goods_of(subject, c)}
            for c in subject.deal.clauses
        ],
        "good_sources": used,
        "country_sources": {c: str(s).split("+") for c, s in world.countries.select("code", "source").iter_rows() if s},
        "sources": {
            str(row["id"]): {key: row[key] for key in ("publisher", "title", "year", "url")}
            for row in world.sources.iter_rows(named=True)
        },
    }
    text = json.dumps(held, ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=str)
    return text.replace("</", "<\\/")


def _goods_of(subject: Subject, clause: Any) -> list[str]:
    """The goods that a clause names in force; none where it names none, so that it stands behind every number."""
    at = subject.study.as_of
    wedges = schedule.wedges(subject.deal, subject.world, at, only=[clause.id])
    return sorted({wedge.lane.good for wedge in wedges if hasattr(wedge, "lane")})


def _sources(world: World) -> dict[str, list[str]]:
    """Good -> ids of the sources of its prices, flows and outputs, the most used first."""
    outputs = world.recipes.filter(pl.col("role") == "output").select("good", "activity")
    made = outputs.join(world.activities.select(activity="id", source="source"), on="activity").select("good", "source")
    tables = [world.prices.select("good", "source"), world.routes.select("good", "source"), made]
    counted: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for good, source, times in pl.concat(tables).group_by("good", "source").len().iter_rows():
        for one in str(source or "").split("+"):
            counted[good][one] += int(times)
    return {good: sorted(held, key=lambda s: (-held[s], s)) for good, held in sorted(counted.items())}


def _options(pairs: Iterable[tuple[str, str]]) -> str:
    held = sorted(pairs, key=lambda pair: pair[1])
    return "".join(f'<option value="{escape(code)}">{escape(name)}</option>' for code, name in held)


def _asset(name: str) -> str:
    return (files("friendshore.report") / "assets" / name).read_text(encoding="utf-8")


def _plotly() -> str:
    """Plotly's own script, out of its package."""
    try:
        text = (files("plotly") / "package_data" / "plotly.min.js").read_text(encoding="utf-8")
    except ModuleNotFoundError:
        hint = "pip install 'friendshore[report]'"
        raise InputRefused.because(
            "no-plotly", "the page needs Plotly, which is not installed", path="report", hint=hint
        ) from None
    return text.replace("</script", "<\\/script")
