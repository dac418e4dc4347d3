"""What does an agreement do, in the six questions that a minister asks? Sentences and small tables, in one language.

What is proposed, what it does to us, who pays, what an answer from outside would do, what it breaks, what we do not know.
Everything is made from the numbers of a study; how it is set on paper is left to `pdf` and `memo`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from friendshore.errors import InputRefused
from friendshore.headline import CODE, MAKERS, RENTS, TREASURY
from friendshore.instruments.names import ALIASES, unions
from friendshore.instruments.plant import NewPlants
from friendshore.mean_price import price_paid
from friendshore.report.words import NONE
from friendshore.world.imports.places import country_hint

if TYPE_CHECKING:
    from friendshore.agreement.document import Agreement
    from friendshore.law.screen.judge import Screening
    from friendshore.outcome import Outcome
    from friendshore.report.words import Words
    from friendshore.study import Study
    from friendshore.world.tables import World

STILL_USD = 500.0  # an account that moves by less is still
SERVED_T = 1e-6  # less is none
MOVED = 5e-4  # a relative change of price below it is none
NAMED = 3  # goods, gainers and losers that a sentence names
ROWS = 6  # rows of a small table
ARTICLES = 6  # obligations that are named
GRADES = ("breach likely", "needs justification", "exposed to challenge", "no conflict found", "not examined")


@dataclass(frozen=True)
class Table:
    """A small table; the columns in `text` hold words and stand left, the others figures and stand right."""

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""
    text: tuple[int, ...] = (0,)


@dataclass(frozen=True)
class Part:
    """A question and its answer."""

    key: str
    question: str
    sentences: tuple[str, ...]
    tables: tuple[Table, ...] = ()
    listed: bool = False  # whether the sentences stand one below another


@dataclass(frozen=True)
class Brief:
    """The six answers, under a title, a finding and the facts of the run."""

    title: str
    finding: str
    facts: str
    parts: tuple[Part, ...]
    footer: str

    def texts(self) -> Iterable[str]:
        """Every text of it."""
        yield from (self.title, self.finding, self.facts, self.footer)
        for part in self.parts:
            yield part.question
            yield from part.sentences
            for table in part.tables:
                yield from (*table.headings, *(cell for row in table.rows for cell in row), table.note)


@dataclass(frozen=True)
class View:
    """Whose eyes a report is written for: a country, a customs union, or the parties together (no code)."""

    code: str
    accounts: frozenset[str]
    buyers: frozenset[str]
    union: str = ""
    union_accounts: frozenset[str] = frozenset()
    kept_share: float | None = None

    @classmethod
    def of(cls, code: str | None, study: Study, world: World) -> View:
        """The view of a country or customs union of the world; of the parties where none is named.

        Raises
        ------
        InputRefused   a code that the world does not have
        """
        home = dict(world.countries.select("code", "territory").iter_rows())
        unions = {territory for country, territory in home.items() if country != territory}
        code = checked_view(code, world)
        if code is None:
            held = {home.get(c, c) for c in study.parties} | set(study.parties)
            return cls("", frozenset(held), frozenset(study.parties))
        if code in unions:
            members = frozenset(c for c, territory in home.items() if territory == code)
            return cls(code, members | {code}, members)
        territory = home.get(code, code)
        if territory == code:
            return cls(code, frozenset({code}), frozenset({code}))
        kept = dict(world.territories.select("code", "kept_share").iter_rows()).get(territory)
        inside = frozenset(c for c, held in home.items() if held == territory) | {territory}
        return cls(code, frozenset({code}), frozenset({code}), territory, inside, kept)


def checked_view(code: str | None, world: World) -> str | None:
    """The code of a country or customs union of the world, as it is spelt there; None stays.

    Raises
    ------
    InputRefused   a code that the world does not have
    """
    if code is None:
        return None
    names = dict(world.territories.select("code", "name").iter_rows())
    names |= dict(world.countries.select("code", "name").iter_rows())
    code = ALIASES.get(code, code)
    if code in names:
        return code
    hint = country_hint(code, names)
    hint = f"{hint}\nCountries go by their three-letter ISO code; list them with: friendshore world countries".strip()
    raise InputRefused.because("unknown-country", f"the world has no country {code!r}", path="--view", hint=hint)


def brief(
    study: Study,
    words: Words,
    view: View,
    *,
    world: World,
    deal: Agreement,
    screening: Screening | None = None,
    digests: Mapping[str, str] | None = None,
) -> Brief:
    """The six answers.

    Parameters
    ----------
    study : the runs and their tables
    words : the language
    view : whose eyes it is written for
    screening : findings of the legal screen; where there are none, the answer says that nothing was examined
    digests : what names the agreement, the world and the result
    """
    return Brief(
        title=words.say("brief.title", title=study.title),
        finding=_finding(study, words, view),
        facts=_facts(study, words, view),
        parts=(
            _proposed(study, words, world, deal),
            _ours(study, words, view, world),
            _who_pays(study, words),
            _answers(study, words, view),
            _breaks(words, screening),
            _unknown(study, words, deal),
        ),
        footer=_footer(study, words, digests or {}),
    )


# -- the finding ----------------------------------------------------------------------------------------------------------


def _finding(study: Study, words: Words, view: View) -> str:
    plain = reaction(study, "none")
    totals = by_country(study)
    said = []
    if plain:
        parties, outsiders, world = (float(plain[key]) for key in ("parties_usd", "outsiders_usd", "world_usd"))
        said.append(words.say("finding.sides", parties=parties, outsiders=outsiders, world=world, day=study.as_of))
    if (ends := range_of(study, "side", "parties")) is not None:
        said.append(words.say("finding.range", n=study.readings, low=ends[0], high=ends[1]))
    if view.code:
        said.append(words.say("finding.view", place=view.code, usd=_sum(totals, view.accounts)))
        said += _view_range(study, words, view)
    levied = float(study.levies["levy_usd"].sum())
    bind = sorted({row["good"] for row in study.floors.iter_rows(named=True) if row["binds"]})
    goods = sorted(set(study.floors["good"]))
    if goods and bind:
        named = [words.good(g) for g in bind]
        if len(goods) == 1:
            said.append(words.say("finding.sole_levy", usd=levied, goods=named))
        else:
            said.append(words.say("finding.levy", n=len(bind), all=len(goods), usd=levied, goods=named))
    elif goods:
        said.append(words.say("finding.no_levy" if all(study.floors["holds"]) else "finding.waiting"))
    return _joined(words, said)


def _view_range(study: Study, words: Words, view: View) -> list[str]:
    """Between what and what the view's balance lies."""
    whole = len(view.accounts) > 1
    ends = range_of(study, "union" if whole else "holder", view.code)
    return [] if ends is None else [words.say("finding.view_range", low=ends[0], high=ends[1])]


def range_of(study: Study, of: str, who: str) -> tuple[float, float, str, str] | None:
    """The least and the most of an amount, and the readings that give them; None where that is not known."""
    rows = study.bands.filter((pl.col("of") == of) & (pl.col("who") == who) & pl.col("low").is_not_null())
    return rows.select("low", "high", "low_in", "high_in").row(0) if rows.height else None


def reading(words: Words, name: str) -> str:
    """What a reading supposes."""
    kind, _, rest = name.partition(".")
    if kind != "elasticities":
        return words.say(f"reading.{name}")
    sigma, eps = (float(scale) for scale in _scales(rest))
    return words.say("reading.elasticities", sigma=sigma, eps=eps)


def _scales(text: str) -> tuple[str, str]:
    """Two numbers with a point between them and perhaps within them, as `0.5.2`.

    >>> _scales("0.5.2"), _scales("1.0.5")
    (('0.5', '2'), ('1', '0.5'))
    """
    parts = text.split(".")
    first = 2 if parts[0] == "0" else 1
    return ".".join(parts[:first]), ".".join(parts[first:])


def _facts(study: Study, words: Words, view: View) -> str:
    seen = words.country(view.code) if view.code else words.say("facts.parties")
    if view.union:
        seen = words.say("facts.inside", country=words.country(view.code), union=words.country(view.union))
    return words.say("facts.line", view=seen, day=study.as_of, years=study.horizon, world=study.world_name)


def _footer(study: Study, words: Words, digests: Mapping[str, str]) -> str:
    named = words.say("footer.digests", **digests) if digests else ""
    return _joined(words, [words.say("footer.units", world=study.world_name), named])


# -- what is proposed -----------------------------------------------------------------------------------------------------


def _proposed(study: Study, words: Words, world: World, deal: Agreement) -> Part:
    said = [words.say("proposed.parties", title=study.title, parties=[words.place(c) for c in sides(study, world)])]
    floors = floors_of(study)
    if floors:
        said.append(words.say("proposed.floors", n=len(floors)))
    others = [c.title or c.id for c in deal.clauses if c.id not in {clause for clause, _ in floors}]
    if others:
        said.append(words.say("proposed.others", n=len(others), clauses="; ".join(others)))
    said.append(illustrative(study, words))
    return Part("proposed", words.say("proposed.question"), tuple(said), _floor_table(study, words, floors))


def illustrative(study: Study, words: Words) -> str:
    """How many of the price levels are invented."""
    if not study.levels:
        return words.say("levels.none")
    if not study.illustrative:
        return words.say("levels.all_public", n=study.levels)
    if study.illustrative == study.levels:
        return words.say("levels.all", n=study.levels)
    return words.say("levels.some", n=study.illustrative, all=study.levels)


def _floor_table(
    study: Study, words: Words, floors: Mapping[tuple[str, str], list[dict[str, Any]]]
) -> tuple[Table, ...]:
    if not floors:
        return ()
    rows = []
    paid = [price_paid(study.outcomes[run], study.parties) for run in ("before", "agreement")]
    for (_, good), parties in floors.items():
        before, after = (prices.get(good) for prices in paid)
        mark = " *" if parties[0]["illustrative"] else ""
        rows.append(
            (
                words.good(good) + mark,
                per_kg(words, parties[0]["reference_usd_t"]),
                per_kg(words, before),
                per_kg(words, after),
                change(words, before, after),
                words.say("floors.of", held=sum(row["holds"] for row in parties), all=len(parties)),
            )
        )
    head = ("floors.good", "floors.reference", "floors.before", "floors.after", "floors.change", "floors.holds")
    return (Table(tuple(words.say(key) for key in head), tuple(rows), words.say("floors.note")),)


# -- what it does to us ---------------------------------------------------------------------------------------------------


def _ours(study: Study, words: Words, view: View, world: World) -> Part:
    totals = by_item(study, view.accounts)
    parts = {
        "users": totals.get("users", 0.0),
        "producers": sum(totals.get(item, 0.0) for item in MAKERS),
        "treasury": sum(totals.get(item, 0.0) for item in TREASURY),
        "rents": sum(totals.get(item, 0.0) for item in RENTS),
    }
    whole = sum(totals.values())
    who = words.place(view.code) if view.code else words.say("ours.parties")
    if max(abs(v) for v in (whole, *parties_of(parts))) < STILL_USD:
        said = [words.say("ours.still", who=who)]
    else:
        said = [words.say("ours.account", who=who, all=whole, **parts)]
    ends = (
        range_of(study, "union" if len(view.accounts) > 1 else "holder", view.code)
        if view.code
        else range_of(study, "side", "parties")
    )
    if ends is not None:
        low, high, low_in, high_in = ends
        where = {"low_in": reading(words, low_in), "high_in": reading(words, high_in)}
        said.append(words.say("ours.range", low=low, high=high, n=study.readings, **where))
    if view.union:
        union = by_country(study)
        said.append(
            words.say(
                "ours.union",
                union=view.union,
                all=_sum(union, view.union_accounts),
                budget=union.get(view.union, 0.0),
            )
        )
        if view.kept_share is not None:
            said.append(words.say("ours.kept", country=view.code, union=view.union, share=view.kept_share))
    goods = by_good(study, view.accounts)
    largest = [g for g in sorted(goods, key=lambda g: (-abs(goods[g]), g)) if abs(goods[g]) >= STILL_USD][:NAMED]
    if largest:
        named = [words.say("named.usd", name=words.good(g), usd=goods[g]) for g in largest]
        said.append(words.say("ours.goods", goods=named))
    said += _rank(study, words, view)
    return Part(
        "ours", words.say("ours.question" if view.code else "ours.question_parties", who=who), tuple(said),
        _our_tables(study, words, view, largest),
    )  # fmt: skip


def parties_of(parts: Mapping[str, float]) -> list[float]:
    """The amounts of an account's parts."""
    return list(parts.values())


def _rank(study: Study, words: Words, view: View) -> list[str]:
    if study.kendall_tau_min is None or len(view.accounts) != 1:
        return []
    rows = [row for row in study.stability.iter_rows(named=True) if row["country"] == view.code]
    said = []
    for row in rows:
        key = "ours.rank" if row["rank_min"] != row["rank_max"] else "ours.rank_kept"
        ranks = {"low": row["rank_min"], "high": row["rank_max"], "all": study.stability.height}
        said.append(words.say(key, draws=study.draws, **ranks))
    return said


def _our_tables(study: Study, words: Words, view: View, largest: Iterable[str]) -> tuple[Table, ...]:
    """What the view pays for the goods that move it, and on whom its supply of them hangs."""
    floored = [good for _, good in floors_of(study)]
    paid = [price_paid(study.outcomes[run], view.buyers) for run in ("before", "agreement")]
    rows = []
    for good in dict.fromkeys([*largest, *floored]):
        before, after = (prices.get(good) for prices in paid)
        if before is None or after is None:
            continue
        first, second = (largest_outside(study, run, good, view.buyers) for run in ("before", "agreement"))
        hangs = "–"
        if first and second:
            same = words.say("dependence.same", country=first[0], before=first[1], after=second[1])
            moved = words.say("dependence.moved", country=first[0], before=first[1], other=second[0], after=second[1])
            hangs = same if first[0] == second[0] else moved
        rows.append(
            (words.good(good), per_kg(words, before), per_kg(words, after), change(words, before, after), hangs)
        )
    if not rows:
        return ()
    head = ("prices.good", "prices.before", "prices.after", "prices.change", "prices.hangs")
    return (Table(tuple(words.say(key) for key in head), tuple(rows[:ROWS]), words.say("prices.note"), (0, 4)),)


# -- who pays -------------------------------------------------------------------------------------------------------------


def _who_pays(study: Study, words: Words) -> Part:
    totals = {code: usd for code, usd in by_country(study).items() if len(code) == CODE}
    up = [c for c in sorted(totals, key=lambda c: (-totals[c], c)) if totals[c] >= STILL_USD][:NAMED]
    down = [c for c in sorted(totals, key=lambda c: (totals[c], c)) if totals[c] <= -STILL_USD][:NAMED]
    said = []
    if not up and not down:
        said.append(words.say("pays.nobody"))
    for key, codes in (("pays.up", up), ("pays.down", down)):
        if codes:
            named = [words.say("named.usd", name=_holder(words, c), usd=totals[c]) for c in codes]
            said.append(words.say(key, n=len(codes), who=named))
    rents = [(c, usd) for c, usd in rents_by_owner(study).items() if abs(usd) >= STILL_USD]
    if rents:
        owner, usd = max(rents, key=lambda pair: (abs(pair[1]), pair[0]))
        said.append(words.say("pays.rents", owner=owner, usd=usd))
    return Part("pays", words.say("pays.question"), tuple(said), _group_table(study, words))


def _holder(words: Words, code: str) -> str:
    """A country; the budget of a customs union, which holds that account, its members having theirs."""
    return words.say("pays.budget", union=code) if code in unions() else words.country(code)


def _group_table(study: Study, words: Words) -> tuple[Table, ...]:
    sums: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for group, usd in study.groups.iter_rows():
        name, _, where = group.partition(", ")
        sums[name][where] += usd
    shown = [g for g in sums if any(abs(v) >= STILL_USD for v in sums[g].values())]
    shown.sort(key=lambda g: (-max(abs(v) for v in sums[g].values()), g))
    if not shown:
        return ()
    sides = ("parties", "outside")
    rows = [
        (
            words.group(g),
            *(_ranged(study, words, sums[g][w], "group", f"{g}, {w}") if w in sums[g] else NONE for w in sides),
            words.millions(sum(sums[g].values()), sign=True),
        )
        for g in shown
    ]
    every = [_ranged(study, words, sum(held[w] for held in sums.values()), "side", w) for w in sides]
    whole = sum(v for held in sums.values() for v in held.values())
    rows.append((words.say("groups.all"), *every, _ranged(study, words, whole, "side", "world")))
    head = ("groups.head", "groups.parties", "groups.outside", "groups.world")
    return (Table(tuple(words.say(key) for key in head), tuple(rows), words.say("groups.note")),)


def _ranged(study: Study, words: Words, usd: float, of: str, who: str) -> str:
    """An amount in millions, with its range where that is known."""
    ends = range_of(study, of, who)
    shown = words.millions(usd, sign=True)
    if ends is None:
        return shown
    low, high = (words.millions(end, sign=True) for end in ends[:2])
    return words.say("groups.ranged", usd=shown, low=low, high=high)


# -- answers from outside -------------------------------------------------------------------------------------------------


def _answers(study: Study, words: Words, view: View) -> Part:
    plain, harvest, ban = (reaction(study, name) for name in ("none", "harvest", "ban"))
    target = banned(study)
    said = []
    if plain and harvest:
        moved = harvest["export_tax_usd"] - plain["export_tax_usd"]
        still = _largest_move(study.outcomes["agreement"], study.outcomes["harvest"]) < MOVED
        key = "answers.harvest" if still else "answers.harvest_moves"
        said.append(words.say(key, usd=moved, parties=harvest["parties_usd"]))
    elif plain:
        said.append(words.say("answers.no_harvest"))
    if plain and ban and target:
        money = {"before": plain["parties_usd"], "after": ban["parties_usd"]}
        said.append(words.say("answers.ban", place=target[0], **money))
        short = ban["unserved_t"] - plain["unserved_t"]
        if short > SERVED_T:
            said.append(words.say("answers.short", short=short))
    elif plain:
        said.append(words.say("answers.no_ban"))
    question = words.say("answers.question", place=target[0]) if target else words.say("answers.question_nobody")
    return Part("answers", question, tuple(said), _answer_table(study, words, view))


def _answer_table(study: Study, words: Words, view: View) -> tuple[Table, ...]:
    rows = []
    for row in study.reactions.iter_rows(named=True):
        run = study.outcomes["agreement" if row["reaction"] == "none" else row["reaction"]]
        own = (words.millions(gain(study, run, view.accounts), sign=True),) if view.code else ()
        money = (row["parties_usd"], row["outsiders_usd"], row["world_usd"], row["levy_usd"], row["export_tax_usd"])
        rows.append(
            (
                words.say(f"reaction.{row['reaction']}"),
                *own,
                *(words.millions(usd, sign=True) for usd in money),
                words.number(row["unserved_t"]),
            )
        )
    own_head = (words.country(view.code),) if view.code else ()
    head = ("answers.parties", "answers.outside", "answers.world", "answers.levy", "answers.tax", "answers.unserved")
    headings = (words.say("answers.head"), *own_head, *(words.say(key) for key in head))
    return (Table(headings, tuple(rows), words.say("answers.note")),) if rows else ()


# -- what it breaks, what we do not know ----------------------------------------------------------------------------------


def _breaks(words: Words, screening: Screening | None) -> Part:
    question = words.say("breaks.question")
    if screening is None:
        return Part("breaks", question, (words.say("breaks.not_examined"),))
    found = screening.findings
    if not found:
        return Part("breaks", question, (words.say("breaks.nothing_promised"),))
    counts = [(grade, sum(one.grade == grade for one in found)) for grade in GRADES]
    named = [words.say("breaks.count", grade=words.say(f"grade.{grade}"), count=n) for grade, n in counts if n]
    said = [words.say("breaks.screen", n=len(found), counts=named)]
    clauses: dict[tuple[str, str], list[str]] = {}
    for one in sorted(found, key=lambda one: (GRADES.index(one.grade), one.obligation, one.clause)):
        if one.raised:
            held = clauses.setdefault((one.article, one.grade), [])
            held += [one.clause_title or one.clause] if (one.clause_title or one.clause) not in held else []
    said.append(words.say("breaks.no_vow"))
    if not clauses:
        return Part("breaks", question, tuple(said))
    rows = [
        (article, titles[0] if len(titles) == 1 else words.say("breaks.clauses", count=len(titles)), words.say(f"grade.{grade}"))
        for (article, grade), titles in clauses.items()
    ]  # fmt: skip
    left = len(rows) - ARTICLES
    if left > 0:
        said.append(words.say("breaks.more", n=left))
    head = tuple(words.say(key) for key in ("breaks.article", "breaks.clause", "breaks.grade"))
    return Part("breaks", question, tuple(said), (Table(head, tuple(rows[:ARTICLES]), text=(0, 1, 2)),))


def _unknown(study: Study, words: Words, deal: Agreement) -> Part:
    settings = study.outcomes["agreement"].settings
    builds = any(isinstance(clause, NewPlants) for clause in deal.clauses)
    said = [
        words.say("unknown.dates_plants" if builds else "unknown.dates", day=study.as_of),
        words.say("unknown.horizon", years=study.horizon),
        _invented(study, words),
        words.say("unknown.measures"),
        words.say("unknown.owners"),
        words.say("unknown.answers"),
        words.say("unknown.latent_on" if settings.get("latent") else "unknown.latent_off"),
    ]
    if study.licence_forms.height:
        sums = {key: float(study.licence_forms[key].sum()) for key in ("rent_usd_as_quota", "rent_usd_as_tax")}
        said.append(words.say("unknown.licences", quota=sums["rent_usd_as_quota"], tax=sums["rent_usd_as_tax"]))
    said.append(words.say("unknown.range", n=study.readings) if study.readings > 1 else words.say("unknown.no_range"))
    if study.kendall_tau_min is None:
        said.append(words.say("unknown.stability_not_run"))
    else:
        said.append(words.say("unknown.stability", draws=study.draws, tau=words.fixed(study.kendall_tau_min, 2)))
    before, after = (float(study.outcomes[run].use["unserved_t"].sum()) for run in ("before", "agreement"))
    if max(before, after) > 0:
        said.append(words.say("unknown.unserved", before=before, after=after))
    loose = sum(len(study.outcomes[run].undetermined) for run in ("before", "agreement"))
    if loose:
        said.append(words.say("unknown.undetermined", n=loose))
    said.append(words.say("unknown.notes"))
    return Part("unknown", words.say("unknown.question"), tuple(filter(None, said)), listed=True)


def _invented(study: Study, words: Words) -> str:
    if not study.illustrative:
        return ""
    if study.illustrative == study.levels:
        return words.say("unknown.levels_all")
    return words.say("unknown.levels", n=study.illustrative, all=study.levels)


# -- numbers of a study ---------------------------------------------------------------------------------------------------


def by_country(study: Study) -> dict[str, float]:
    """What every account changes by, agreement less status quo, USD a year."""
    sums: dict[str, float] = defaultdict(float)
    for country, _, usd in study.pays.select("country", "item", "usd").iter_rows():
        sums[country] += usd
    return dict(sums)


def by_item(study: Study, accounts: frozenset[str]) -> dict[str, float]:
    """The lines of some accounts together."""
    sums: dict[str, float] = defaultdict(float)
    for country, item, usd in study.pays.select("country", "item", "usd").iter_rows():
        if country in accounts:
            sums[item] += usd
    return dict(sums)


def by_good(study: Study, accounts: frozenset[str]) -> dict[str, float]:
    """What some accounts change by, good by good."""
    sums: dict[str, float] = defaultdict(float)
    for run, sign in (("before", -1.0), ("agreement", 1.0)):
        for country, _, good, usd in study.outcomes[run].by_good.iter_rows():
            if country in accounts:
                sums[good] += sign * usd
    return dict(sums)


def gain(study: Study, run: Outcome, accounts: frozenset[str]) -> float:
    """What some accounts change by between the status quo and a run."""
    sums = [0.0, 0.0]
    for k, outcome in enumerate((study.outcomes["before"], run)):
        for country, _, usd in outcome.accounts.iter_rows():
            if country in accounts:
                sums[k] += usd
    return sums[1] - sums[0]


def rents_by_owner(study: Study) -> dict[str, float]:
    """What licences, quotas and other rents earn their owners more, USD a year."""
    sums: dict[str, float] = defaultdict(float)
    for country, item, usd in study.pays.select("country", "item", "usd").iter_rows():
        if item in RENTS:
            sums[country] += usd
    return dict(sorted(sums.items()))


def sides(study: Study, world: World) -> list[str]:
    """The parties, members of a customs union as one."""
    home = dict(world.countries.select("code", "territory").iter_rows())
    return sorted({home.get(code, code) for code in study.parties})


def floors_of(study: Study) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """The rows of every floor, by clause and good."""
    floors: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for row in study.floors.iter_rows(named=True):
        floors[row["clause"], row["good"]].append(row)
    return dict(floors)


def largest_outside(study: Study, run: str, good: str, buyers: frozenset[str]) -> tuple[str, float] | None:
    """The outsider with the largest share of what some buyers take of a good, and that share."""
    flows = study.outcomes[run].flows
    rows = flows.filter((flows["good"] == good) & flows["importer"].is_in(buyers))
    total = float(rows["t"].sum())
    sold: dict[str, float] = defaultdict(float)
    for exporter, tonnes in rows.select("exporter", "t").iter_rows():
        if exporter not in study.parties and exporter not in buyers:
            sold[exporter] += tonnes
    if total <= 0 or not sold:
        return None
    most = max(sorted(sold), key=lambda c: sold[c])
    return most, sold[most] / total


def reaction(study: Study, name: str) -> dict[str, Any] | None:
    """The row of a reaction."""
    return next((row for row in study.reactions.iter_rows(named=True) if row["reaction"] == name), None)


def _largest_move(first: Outcome, second: Outcome) -> float:
    """Largest relative change of a buyer's cost index between two runs."""
    before = {(g, c): v for g, c, v in first.indices.select("good", "country", "usd_t").iter_rows()}
    after = second.indices.select("good", "country", "usd_t").iter_rows()
    return max((abs(v / before[g, c] - 1.0) for g, c, v in after if before.get((g, c))), default=0.0)


def banned(study: Study) -> list[str]:
    """The exporters whose routes the ban closes."""
    if "ban" not in study.outcomes:
        return []
    shut = [
        {row[:3] for row in o.flows.select("good", "exporter", "importer", "open").iter_rows() if not row[3]}
        for o in (study.outcomes["ban"], study.outcomes["agreement"])
    ]
    return sorted({exporter for _, exporter, _ in shut[0] - shut[1]})


def per_kg(words: Words, usd_t: float | None) -> str:
    """A price in a column whose heading says USD per kg."""
    return words.number(None if usd_t is None else usd_t / 1000.0, 4)


def change(words: Words, before: float | None, after: float | None) -> str:
    """A relative change in per cent."""
    if before is None or after is None or not before:
        return "–"
    return words.percent(0.0 if abs(after / before - 1.0) < MOVED else after / before - 1.0, sign=True)


def _sum(totals: Mapping[str, float], accounts: Iterable[str]) -> float:
    return sum(totals.get(code, 0.0) for code in accounts)


def _joined(words: Words, said: Iterable[str]) -> str:
    return words.say("form.sentences").join(filter(None, said))
