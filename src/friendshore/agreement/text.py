"""The file read aloud: an agreement as the prose of a treaty, in Markdown, every article with a link of its own.

The same file gives the same bytes. What a clause says beyond its sentence is listed below it in the words of its own
fields, so that nothing in the file is left out; what was invented for illustration is marked where it stands.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from friendshore.agreement.governance import MISSED, Decisions, Procedure
from friendshore.agreement.governance import words as rule_in_words
from friendshore.agreement.wording import (
    countries,
    country,
    day,
    field_in_words,
    in_words,
    listed,
    months,
    number,
)
from friendshore.instruments import KINDS
from friendshore.instruments.clause import Clause, Party
from friendshore.instruments.names import ALL, members
from friendshore.origin_rules.rule import shipped_rules

if TYPE_CHECKING:
    from pydantic import BaseModel

    from friendshore.agreement.document import Agreement

TITLES = {
    "trade_area": "Trade area",
    "tariffs": "Duty",
    "tariff_quotas": "Tariff-rate quota",
    "floors": "Price floor",
    "export_controls": "Exports",
    "subsidies": "Support for producers",
    "standards": "Standard",
    "offtakes": "Offtake",
    "reserve": "Reserve",
    "corridors": "Corridor",
    "plants": "New plants",
    "safeguards": "Safeguard",
}
BASES = {
    "landed_duty_paid": "its landed price, cost, insurance, freight and duty included,",
    "cif": "its landed price before duty (cost, insurance and freight)",
}
MARK = "\x00"  # around an id of a clause, until it is a link
SPOKEN = (  # said of every clause in the same way, after what is its own
    "id", "title", "article", "source", "illustrative", "rule", "note", "enters_into_force", "ends", "suspensions",
    "parties", "phase_in",
)  # fmt: skip


@dataclass
class _Said:
    """The sentences of a clause and the fields that they have told."""

    sentences: list[str] = field(default_factory=list)
    fields: set[str] = field(default_factory=set)

    def say(self, sentence: str, *fields: str) -> None:
        self.sentences.append(sentence)
        self.fields.update(fields)


@dataclass(frozen=True)
class _Context:
    """Names of goods, and the heading that each clause stands under."""

    goods: Mapping[str, str]
    headings: Mapping[str, str]

    def good(self, name: str) -> str:
        return f"{_lower(self.goods[name])} (`{name}`)" if name in self.goods else f"`{name}`"

    def all_of(self, names: Iterable[str]) -> str:
        held = list(names)
        return "all goods" if held == [ALL] else listed(self.good(name) for name in held)

    def link(self, text: str) -> str:
        """Words in which the ids of clauses are links to their articles.

        An id that may be a word of the language (`short`, `area`) is one only where it was marked as an id.
        """
        for name, heading in sorted(self.headings.items(), key=lambda item: -len(item[0])):
            text = text.replace(_marked(name), f"[{heading}](#{name})")
            if not name.isalpha():
                text = re.sub(rf"(?<![\w.#\[`]){re.escape(name)}(?![\w\]]|\.\w)", f"[{heading}](#{name})", text)
        return text.replace(MARK, "")


def text(deal: Agreement, *, goods: Mapping[str, str] | None = None) -> str:
    """An agreement as Markdown.

    Parameters
    ----------
    deal : the agreement
    goods : good id -> its name, as a world has it; ids alone without
    """
    context = _Context(goods or {}, _headings(deal))
    parts = [
        f"# {deal.title}",
        _title_page(deal),
        _contents(deal, context),
        _parties(deal),
        _entry(deal),
        *(_article(kind, clause, context) for kind in KINDS for clause in getattr(deal, kind)),
        _governance(deal, context),
        _examples(deal, context),
        _brackets(deal),
        _sources(deal),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


# -- the frame --------------------------------------------------------------------------------------------------------


def _headings(deal: Agreement) -> dict[str, str]:
    """Under which heading each clause stands: its own article, or a number where the text has none."""
    numbered = not any(clause.article for kind in KINDS for clause in getattr(deal, kind))
    found: dict[str, str] = {}
    every = [clause for kind in KINDS for clause in getattr(deal, kind)]
    for count, clause in enumerate(every, start=3):  # the parties and entry into force are the first two
        found[clause.id] = clause.article or (f"Article {count}" if numbered else f"Clause {count - 2}")
    return found


def _title_page(deal: Agreement) -> str:
    lines = [f"`{deal.id}`, version {deal.version}, text {deal.digest}."]
    if deal.illustrative:
        lines.append(
            f"Clauses: {len(deal.clauses)}, of which {len(deal.illustrative)} with a level or a schedule that was invented for "
            "illustration; each says so, with its rule."
        )
    return " ".join(lines) + (f"\n\n{_line(deal.note)}" if deal.note else "")


def _contents(deal: Agreement, context: _Context) -> str:
    rows = ["- [Article 1. Parties](#parties)", "- [Article 2. Entry into force](#entry-into-force)"]
    for kind in KINDS:
        for clause in getattr(deal, kind):
            rows.append(f"- [{context.headings[clause.id]}. {_heading(kind, clause)}](#{clause.id})")
    if _stated(deal.governance):
        rows.append("- [Governance](#governance)")
    return "\n".join(rows)


def _heading(kind: str, clause: Clause) -> str:
    return TITLES.get(kind, kind.replace("_", " ").capitalize()) + (f": {clause.title}" if clause.title else "")


def _parties(deal: Agreement) -> str:
    if not deal.parties:
        return f"{_anchor('parties')}\n## Article 1. Parties\n\nNobody is bound."
    rows = [f"{letter}. {_party(party)}" for letter, party in enumerate(deal.parties, start=1)]
    return f"{_anchor('parties')}\n## Article 1. Parties\n\nThe Parties to this Agreement are:\n\n" + "\n".join(rows)


def _party(party: Party) -> str:
    text = f"{country(party.code)} (`{party.code}`)"
    if len(inside := members(party.code)) > 1:
        text += f", one customs territory of {len(inside)} members"
    return text + _dates_of(party) + (f" — {_line(party.note)}" if party.note else "") + _cited(party.source)


def _dates_of(party: Party) -> str:
    text = f", from {day(party.enters_into_force)}" if party.enters_into_force else ""
    text += f", until {day(party.ends)}" if party.ends else ""
    return text + (f", phased in over {months(party.phase_in)}" if party.phase_in is not None else "")


def _entry(deal: Agreement) -> str:
    text = (
        f"This Agreement enters into force on {day(deal.in_force)}, for every Party that Article 1 gives no later day."
    )
    if deal.run_at:
        text += f" Where no day is asked for, its terms are read as of {day(deal.run_at)}."
    return f"{_anchor('entry-into-force')}\n## Article 2. Entry into force\n\n{text}"


def _article(kind: str, clause: Clause, context: _Context) -> str:
    said = _Said()
    SENTENCES.get(kind, _nothing)(clause, said, context)
    head = f"{_anchor(clause.id)}\n## {context.headings[clause.id]}. {_heading(kind, clause)}"
    paragraphs = [*said.sentences, *_duration(clause)]
    if clause.note:
        paragraphs.append(_line(clause.note))
    body = [f"{count}. {_line(context.link(sentence))}" for count, sentence in enumerate(paragraphs, start=1)]
    rest = list(_rest(clause, said.fields, context))
    if rest:
        body.append(f"{len(body) + 1}. For the purposes of this article:\n" + "\n".join(f"   - {row}" for row in rest))
    tail = f"`{clause.id}`" + _cited(clause.source)
    if clause.illustrative:
        tail += f" — *Illustrative: {_line(context.link(clause.rule))}.*"
    return "\n\n".join([head, "\n".join(body), tail])


def _duration(clause: Clause) -> Iterator[str]:
    if clause.parties is not None:
        bound = listed(f"{country(party.code)}{_dates_of(party)}" for party in clause.parties)
        yield f"This article binds {bound}."
    text = f"from {day(clause.enters_into_force)}" if clause.enters_into_force else ""
    text += f"{' ' if text else ''}until {day(clause.ends)}" if clause.ends else ""
    if text:
        yield f"It is in force {text}."
    if clause.months:
        yield f"It is phased in evenly over {months(clause.months)} from its first day."
    for pause in clause.suspensions:
        until = f"to {day(pause.until)}" if pause.until else "until further notice"
        yield f"It is suspended from {day(pause.starts)} {until}" + (f": {pause.reason}." if pause.reason else ".")


def _rest(clause: Clause, told: set[str], context: _Context) -> Iterator[str]:
    """What the sentences have not said, in the words of the fields."""
    for key, info in type(clause).model_fields.items():
        if key in told or key in SPOKEN or key not in clause.model_fields_set:
            continue
        value = getattr(clause, key)
        if value is None or value == () or value == {}:
            continue
        what = (info.alias or key).replace("_", " ")
        yield _line(
            f"*{what}*: {context.link(_rich(clause, key, context))} ({_lower(info.description or '').rstrip('.')})"
        )


def _rich(clause: Clause, key: str, context: _Context) -> str:
    value = getattr(clause, key)
    if key in ("goods", "good"):
        return context.all_of([value] if isinstance(value, str) else value)
    return field_in_words(clause, key)


def _governance(deal: Agreement, context: _Context) -> str:
    if not _stated(deal.governance):
        return ""
    rows = []
    for key in _stated(deal.governance):
        held = getattr(deal.governance, key)
        if isinstance(held, Decisions):
            said = " ".join([f"A decision is carried by {rule_in_words(held)}.", *_stated_words(held)])
        elif isinstance(held, Procedure):
            said = " ".join(_procedure(held))
        elif key == "union_votes":
            said = "a customs union has one vote" if held == "one" else "each member of a customs union votes"
        else:
            said = field_in_words(deal.governance, key)
        rows.append(f"- **{key.replace('_', ' ').capitalize()}**: {_line(context.link(said))}")
    return f"{_anchor('governance')}\n## Governance\n\n" + "\n".join(rows)


def _procedure(held: Procedure) -> list[str]:
    """A procedure as sentences: its own words, when it is opened, its rule, what is due when and what follows if it is not done."""
    said = list(_stated_words(held))
    if held.every is not None:
        first = f", first on {day(held.first)}" if held.first is not None else ""
        said.append(f"It is opened every {months(held.every)}{first}.")
    if held.notice is not None:
        said.append(f"Notice of {months(held.notice)} is given.")
    if held.decisions is not None:
        said.append(f"It is decided by {rule_in_words(held.decisions)}.")
        said += _stated_words(held.decisions)
    for step in held.steps:
        since = f"of {step.after}" if step.after else "of its opening"
        who = f", by {step.who}" if step.who else ""
        said.append(
            f"Within {number(step.days)} days {since}: {step.name}{who}; if that is missed, {MISSED[step.if_missed]}."
        )
    return said


def _stated_words(held: Decisions | Procedure) -> list[str]:
    text = _line(held.text).strip()
    return [text if text.endswith(".") else f"{text}."] if text else []


def _stated(model: BaseModel) -> list[str]:
    given = [key for key in type(model).model_fields if key in model.model_fields_set]
    return [key for key in given if getattr(model, key) not in (None, "", (), {})]


def _examples(deal: Agreement, context: _Context) -> str:
    if not deal.tests:
        return ""
    rows = [
        f"{count}. {_line(example.name)}: {number(example.mass_t)} t of {context.good(example.good)} from "
        f"{country(example.exporter)} into {country(example.importer)} on {day(example.day)} at "
        f"{in_words(example.price)} owe a levy of {number(example.levy_usd)} USD."
        for count, example in enumerate(deal.tests, start=1)
    ]
    return f"{_anchor('examples')}\n## Annex. Worked examples\n\n" + "\n".join(rows)


def _brackets(deal: Agreement) -> str:
    if not deal.options:
        return ""
    rows = [
        f"- `{option}`: [{', '.join(in_words(value) for value in values)}]" for option, values in deal.options.items()
    ]
    aim = f"\n\nRanked by {deal.objective.words}." if deal.objective is not None else ""
    return f"{_anchor('options')}\n## Annex. Terms still in brackets\n\n" + "\n".join(rows) + aim


def _sources(deal: Agreement) -> str:
    if not deal.sources:
        return ""
    rows = []
    for name, source in deal.sources.items():
        about = ", ".join(filter(None, [source.publisher, source.date]))
        title = f"[{source.title}]({source.url})" if source.url else source.title
        note = f" — {_line(source.note)}" if source.note else ""
        rows.append(f"- {_anchor(f'source-{name}')}`{name}`: {title}" + (f", {about}" if about else "") + note)
    return f"{_anchor('sources')}\n## Annex. Sources\n\n" + "\n".join(rows)


# -- what each kind of clause says --------------------------------------------------------------------------------------


def _nothing(_clause: Any, _said: _Said, _context: _Context) -> None:
    """A kind that has no sentence of its own: its fields speak."""


def _trade_area(clause: Any, said: _Said, context: _Context) -> None:
    said.say(
        f"Each Party shall admit {context.all_of(clause.goods)} from the other Parties free of duty.",
        "goods",
        "preference",
    )
    if clause.origin is not None:
        rule = shipped_rules()[clause.origin.rule]
        said.say(
            f"Goods originate in a Party where they meet the rule {rule.id} ({rule.law}), at the levels stated below."
        )


def _tariff(clause: Any, said: _Said, context: _Context) -> None:
    who = f"{countries(clause.importers)} shall" if clause.importers else "Each Party shall"
    parts = [f"{_percent(clause.rate)} of the customs value"] if clause.rate is not None else []
    parts += [in_words(clause.specific)] if clause.specific is not None else []
    how = "in addition to the duty in force" if clause.adds else "in place of the duty in force"
    said.say(
        f"{who} charge on imports of {context.all_of(clause.goods)} from {countries(clause.exporters)} a duty of "
        f"{' and '.join(parts)}, {how}.",
        "goods", "exporters", "importers", "rate", "specific", "adds",
    )  # fmt: skip


def _tariff_quota(clause: Any, said: _Said, context: _Context) -> None:
    where = countries(clause.importers) if clause.importers else "each Party"
    said.say(
        f"Of {context.good(clause.good)} from {countries(clause.exporters)}, {in_words(clause.tonnes)} tonnes a year may "
        f"enter {where} at a duty of {_percent(clause.rate_in)}; what exceeds them pays {_percent(clause.rate_out)}.",
        "good", "exporters", "importers", "tonnes", "rate_in", "rate_out",
    )  # fmt: skip
    if clause.owner:
        said.say(f"The rent of the licences belongs to {country(clause.owner)}.", "owner")


def _floor(clause: Any, said: _Said, context: _Context) -> None:
    said.say(
        f"The reference price of {context.good(clause.good)} is {in_words(clause.reference_price)}.", "reference_price"
    )
    whose = countries([clause.applies_to]) + (f", {countries(clause.exempt)} excepted," if clause.exempt else "")
    base = BASES[clause.levy_on]
    start = f"Where {context.good(clause.good)} from {whose} enters a Party and {base} is below the reference price, "
    kept = "" if clause.exporter_share is None else _percent(clause.exporter_share)
    how = {
        "adjustable_levy": "the Party shall charge the difference as a levy, which moves with the price.",
        "minimum_import_price": "it shall not enter: the seller raises the price to the reference and keeps the difference.",
        "undertaking": f"the importer shall pay the difference, of which the seller keeps {kept}.",
    }
    fixed = f"The Party shall charge a duty that was fixed at adoption ({clause.form.replace('_', ' ')}), and that does not follow the price."
    said.say(
        start + how.get(clause.form, _lower(fixed)), "good", "levy_on", "form", "applies_to", "exempt", "exporter_share"
    )
    for party, free in clause.exempt_at.items():
        said.say(f"At the border of {country(party)} goods from {countries(free)} do not pay it.", "exempt_at")


def _exports(clause: Any, said: _Said, context: _Context) -> None:
    goods = context.all_of(clause.goods)
    if clause.mode == "prohibited_between_parties":
        said.say(
            f"No Party shall tax, ration or forbid exports of {'any good' if goods == 'all goods' else goods} to another Party.",
            "mode",
            "goods",
        )
        return
    who, to = countries(clause.exporters), countries(clause.importers)
    if clause.mode == "ban":
        said.say(f"No {goods} may leave {who} for {to}.", "mode", "goods", "exporters", "importers")
    elif clause.mode == "export_tax":
        parts = [f"{_percent(clause.rate)} of the price at the border"] if clause.rate is not None else []
        parts += [in_words(clause.specific)] if clause.specific is not None else []
        said.say(
            f"{who} shall tax exports of {goods} to {to} at {' and '.join(parts)}.",
            "mode", "goods", "exporters", "importers", "rate", "specific",
        )  # fmt: skip
    else:
        rent = f" The licences' rent belongs to {country(clause.owner)}." if clause.owner else ""
        said.say(
            f"No more than {in_words(clause.tonnes)} tonnes a year of {goods} may leave {who} for {to}, under "
            f"{'licence' if clause.mode == 'licence' else 'quota'}.{rent}",
            "mode", "goods", "exporters", "importers", "tonnes", "owner",
        )  # fmt: skip
        if clause.home_tonnes is not None:
            said.say(
                f"{who} shall use no more than {in_words(clause.home_tonnes)} tonnes a year of their own.",
                "home_tonnes",
            )


def _subsidy(clause: Any, said: _Said, context: _Context) -> None:
    who, what = countries(clause.producers), context.good(clause.good)
    if clause.kind == "per_tonne":
        said.say(f"Producers of {what} in {who} are paid {in_words(clause.amount)}.", "amount")
    else:
        said.say(f"Producers of {what} in {who} are guaranteed a price of {in_words(clause.strike)}.", "strike")
        if clause.kind == "one_way":
            said.say("What the market pays above it is theirs.")
        else:
            back = "part" if clause.claw_back is None else _percent(clause.claw_back)
            said.say(f"Of what the market pays above it they return {back}.", "claw_back")
    funding = {
        "own": "by the treasury of the country where they produce",
        "by_gdp": "by the Parties in proportion to their gross domestic product",
        "by_use": "by the Parties in proportion to their use of the good",
        "equal": "by the Parties in equal parts",
    }.get(str(clause.funding)) or f"in the shares {field_in_words(clause, 'funding')}"
    said.say(f"It is paid {funding}.", "good", "producers", "kind", "funding")
    if clause.cap_t is not None:
        said.say(f"No more than {in_words(clause.cap_t)} tonnes a year are covered in any one country.", "cap_t")


def _standard(clause: Any, said: _Said, context: _Context) -> None:
    said.say(
        f"{context.good(clause.good).capitalize() if context.goods else context.good(clause.good)} from certified producers in "
        f"{countries(clause.certified)} meets the standard: {clause.standard}.",
        "good", "certified", "standard",
    )  # fmt: skip


def _offtake(clause: Any, said: _Said, context: _Context) -> None:
    project = f", from {clause.project}," if clause.project else ""
    said.say(
        f"{country(clause.buyer)} shall take {in_words(clause.tonnes)} tonnes a year of {context.good(clause.good)} made in "
        f"{country(clause.seller)}{project} and pay for {_percent(clause.take_or_pay)} of them whether it takes them or not.",
        "good", "seller", "buyer", "tonnes", "take_or_pay", "project",
    )  # fmt: skip
    if clause.years is not None:
        said.say(f"The contract runs for {months(12 * clause.years)}.", "years")


def _reserve(clause: Any, said: _Said, context: _Context) -> None:
    said.say(
        f"A reserve of {context.all_of(clause.goods)} is held for {country(clause.holder)}, to cover "
        f"{number(clause.target_days)} days of use, built over {months(12 * clause.build_years)} within a budget of "
        f"{number(clause.budget_usd)} USD.",
        "goods", "holder", "target_days", "build_years", "budget_usd",
    )  # fmt: skip


def _corridor(clause: Any, said: _Said, context: _Context) -> None:
    said.say(
        f"The {clause.name} corridor opens on {day(clause.opens)}; its slots are held by {country(clause.owner)}.",
        "name",
        "opens",
        "owner",
    )
    for route in clause.routes:
        carried = f"It carries {context.all_of(route.goods)} from {countries(route.exporters)} to {countries(route.importers)}"
        saved = f", at a saving of {number(route.saving_usd_t)} USD on each tonne carried, of which {_percent(route.content)} is contained mineral"
        room = f"; tonnes carried a year at most: {in_words(route.capacity_t)}" if route.capacity_t is not None else ""
        said.say(f"{carried}{saved}{room}.", "routes")


def _plants(clause: Any, said: _Said, _context: _Context) -> None:
    said.say(
        f"Plants are built that add {number(clause.adds_t)} tonnes a year to "
        f"{listed(f'`{name}`' for name in clause.activities)}, from {day(clause.opens)}.",
        "activities", "adds_t", "opens",
    )  # fmt: skip
    if clause.cost is not None:
        who = {
            "makers": "those who run them",
            "own": "the treasuries of the countries where they stand",
            "by_gdp": "the Parties in proportion to their gross domestic product",
            "equal": "the Parties in equal parts",
        }.get(str(clause.cost.funding)) or f"treasuries in the shares {field_in_words(clause.cost, 'funding')}"
        said.say(
            f"Capacity of a tonne a year costs {number(clause.cost.usd_t)} USD to build, which is paid off over "
            f"{number(clause.cost.life_years)} years at {_percent(clause.cost.discount_rate)} a year by {who}.",
            "cost",
        )


def _safeguard(clause: Any, said: _Said, _context: _Context) -> None:
    acts = (
        [f"{listed(map(_marked, clause.then.suspend))} {'is' if len(clause.then.suspend) == 1 else 'are'} suspended"]
        if clause.then.suspend
        else []
    )
    acts += (
        [f"{listed(map(_marked, clause.then.release))} {'is' if len(clause.then.release) == 1 else 'are'} released"]
        if clause.then.release
        else []
    )
    if clause.then.apply:
        acts.append(
            f"{listed(map(_marked, clause.then.apply))} {'applies' if len(clause.then.apply) == 1 else 'apply'}"
        )
    said.say(
        f"Where the condition {clause.when.words().replace('_', ' ')} is met, {listed(acts)} for {field_in_words(clause, 'lasts')}.",
        "when", "then", "lasts",
    )  # fmt: skip


SENTENCES: dict[str, Callable[[Any, _Said, _Context], None]] = {
    "trade_area": _trade_area,
    "tariffs": _tariff,
    "tariff_quotas": _tariff_quota,
    "floors": _floor,
    "export_controls": _exports,
    "subsidies": _subsidy,
    "standards": _standard,
    "offtakes": _offtake,
    "reserve": _reserve,
    "corridors": _corridor,
    "plants": _plants,
    "safeguards": _safeguard,
}


def _percent(share: Any) -> str:
    """A share, or shares by date, in per cent."""
    if isinstance(share, tuple):
        return listed(
            f"{_percent(period.value)} from {day(period.starts)}" + (f" to {day(period.until)}" if period.until else "")
            for period in share
        )
    return f"{number(share * 100)} per cent"


def _cited(source: Iterable[str]) -> str:
    held = [f"[{name}](#source-{name})" for name in source]
    return f" ({', '.join(held)})" if held else ""


def _marked(name: str) -> str:
    """The id of a clause, known as one until its link is made."""
    return f"{MARK}{name}{MARK}"


def _anchor(name: str) -> str:
    return f'<a id="{name}"></a>'


def _line(words: str) -> str:
    """Words on one line, so that a list stays a list."""
    return " ".join(words.split())


def _lower(words: str) -> str:
    """A phrase inside a sentence: its first letter small, unless the word is an abbreviation or a name in capitals."""
    return words if words[1:2].isupper() else words[:1].lower() + words[1:]
