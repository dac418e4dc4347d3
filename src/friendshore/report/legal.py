"""The legal screen, printed: what was found by obligation, the two arguments, the facts with their sources, what was not examined."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from friendshore.law.repair import Frontier, Repaired
from friendshore.law.screen.facts import Fact
from friendshore.law.screen.judge import Finding, Screening
from friendshore.law.screen.obligations import GRADES, Obligation
from friendshore.law.screen.text import CONFIDENCE
from friendshore.report.typography import counted, figure, grid, listed, millions, paragraph, percent, section

MARKS = {
    "breach likely": "##",
    "needs justification": "#?",
    "exposed to challenge": "?",
    "no conflict found": ".",
    "not examined": "-",
}
REPAIRS = {
    "exempt_partners": "exempt free-trade partners",
    "cap_at_binding": "cap the duty at the bound rate",
    "subsidy_instead": "pay producers the gap instead",
    "undertaking": "take it as an undertaking in an anti-dumping case",
    "extend_to_all": "treat all origins alike",
    "drop_clause": "leave the clause out",
    "attach_to_agreement": "attach it to an existing free trade agreement",
    "waiver": "seek a waiver",
    "renegotiate": "renegotiate the binding (GATT XXVIII)",
    "publish_method": "publish the method, with notice and appeal",
    "voluntary_standard": "keep the standard voluntary",
    "act_as_union": "let the whole customs union act",
    "notify": "notify it",
}


def screening(
    found: Screening,
    names: Callable[[str], str],
    obligations: Mapping[str, Obligation] | None = None,
    *,
    facts: bool = True,
) -> str:
    """The page of `friendshore screen`.

    Parameters
    ----------
    names : what people call a country or union
    obligations : for the names of those that no clause triggers
    facts : whether the facts of each finding are printed
    """
    who = f", what binds {names(found.party)}" if found.party else ""
    head = f"{found.title}: legal screen at {found.day.isoformat()}{who}"
    if not found.findings:
        return "\n\n".join([head, _nothing(found), *_closing(found, obligations)]) + "\n"
    counts = ", ".join(f"{found.count(grade)} {grade}" for grade in GRADES if found.count(grade))
    blocks = [
        head,
        paragraph(f"A screen and no legal advice. {counted(len(found.findings), 'finding').capitalize()}: {counts}."),
        _matrix(found),
    ]
    blocks += _levies(found, names)
    for name in dict.fromkeys(finding.obligation for finding in found.findings):
        blocks.append(_obligation([one for one in found.findings if one.obligation == name], names, facts=facts))
    return "\n\n".join([*blocks, *_powers(found, names), *_closing(found, obligations)]) + "\n"


def _nothing(found: Screening) -> str:
    return paragraph("No clause in force on the day meets an obligation of the screen: nothing is raised.")


def _matrix(found: Screening) -> str:
    """The worst grade of every clause under every obligation."""
    clauses = list(dict.fromkeys(one.clause for one in found.findings))
    rules = list(dict.fromkeys(one.obligation for one in found.findings))
    worst: dict[tuple[str, str], str] = {}
    for one in found.findings:  # the worst stand first
        worst.setdefault((one.obligation, one.clause), MARKS[one.grade])
    numbered = {clause: str(number) for number, clause in enumerate(clauses, start=1)}
    rows = [[rule, *(worst.get((rule, clause), "") for clause in clauses)] for rule in rules]
    legend = "; ".join(f"{number} {clause}" for clause, number in numbered.items())
    marks = "; ".join(f"{mark} {grade}" for grade, mark in MARKS.items())
    return section(
        "At a glance", grid(["", *numbered.values()], rows), paragraph(legend, indent=2), paragraph(marks, indent=2)
    )


def _levies(found: Screening, names: Callable[[str], str]) -> Iterable[str]:
    """What each origin pays at each border, and along the phase-in; the routes on which the agreement adds nothing are left out."""
    added = [row for row in found.levies if row.ave_pct > row.duty_before_pct + 1e-6]
    if not added:
        return
    years = {tuple(day.year for day, _ in row.path) for row in added if row.path}
    course = f"from {min(min(each) for each in years)},\nyearly %" if years else ""
    head = ["clause", "border", "origin", "t", "before\n%", "now\n%", "bound\n%", "over\npoints", "levy\nm USD", course]
    rows = [
        [
            row.clause,
            names(row.territory),
            names(row.exporter),
            figure(row.before_t, 3),
            f"{row.duty_before_pct:.1f}",
            f"{row.ave_pct:.1f}",
            "?" if row.bound_high_pct is None else f"{row.bound_high_pct:.1f}",
            "?" if row.over_points is None else f"{row.over_points:+.1f}",
            millions(row.levy_usd),
            " ".join(f"{rate:.0f}" for _, rate in row.path),
        ]
        for row in added
    ]
    said = "Per cent of customs value in the cleared market; along the phase-in the world is held at the prices of the status quo. ? is not known."
    yield section("Duty and levy against the bound rate", grid(head, rows, left=3), paragraph(said, indent=2))


def _obligation(found: Sequence[Finding], names: Callable[[str], str], *, facts: bool) -> str:
    """All findings under one obligation; what is the same for all of them is said once."""
    first = found[0]
    lines = [f"{first.article}, {first.name}".upper() + f"  [{first.obligation}]"]
    for one in found:
        bound = listed(names(code) for code in one.bound)
        article = f" ({one.clause_article})" if one.clause_article else ""
        lines.append(paragraph(f"{one.grade}: {one.clause}{article}, binds {bound}", indent=2))
        lines.append(paragraph(one.because, indent=4))
        if facts:
            lines += [_facts(names(code), [fact for fact in one.facts if fact.who == code]) for code in one.bound]
    lines.append(paragraph(f"Asks: {first.test}", indent=2))
    lines.append(paragraph(f"For: {first.argument_for}", indent=2))
    if first.argument_against:
        lines.append(paragraph(f"Against: {first.argument_against}", indent=2))
    seen = dict.fromkeys(
        (each.article, each.name, each.standing, each.because) for one in found for each in one.defences
    )
    lines += [
        paragraph(f"Plea: {article}, {name}: {standing}. {why}", indent=2) for article, name, standing, why in seen
    ]
    lines += [
        paragraph(f"Dispute: {each.title}, {each.year}, {each.status}. {each.outcome}", indent=2)
        for each in first.disputes
    ]
    if first.changes:
        lines.append(paragraph("Would change it: " + " ".join(first.changes), indent=2))
    if first.repairs:
        lines.append(paragraph("Repairs: " + "; ".join(REPAIRS[name] for name in first.repairs) + ".", indent=2))
    note = f" {first.note}" if first.note else ""
    lines.append(paragraph(f"Text: {CONFIDENCE[first.confidence]} ({listed(first.source)}).{note}", indent=2))
    return "\n".join(lines)


def _facts(who: str, facts: Sequence[Fact]) -> str:
    """What is known about one territory, with the sources once at the end."""
    if not facts:
        return paragraph(f"{who}.", indent=6)
    sources = dict.fromkeys(part for fact in facts for part in fact.source.split("; ") if part)
    said = "; ".join(fact.text for fact in facts)
    return paragraph(f"{who}: {said} [{'; '.join(sources)}]", indent=6)


def _powers(found: Screening, names: Callable[[str], str]) -> Iterable[str]:
    """Who may act for whom."""
    powers = dict.fromkeys(power for finding in found.findings for power in finding.powers)
    if not powers:
        return
    lines = []
    for power in powers:
        level = "a member state alone" if power.level == "member_state" else "the party"
        lead = f" Lead time: {power.lead_time}." if power.lead_time else ""
        note = f" {power.note}" if power.note else ""
        acts = listed(sorted({one.act.replace("_", " ") for one in found.findings if power in one.powers}))
        text = f"{names(power.party)}, {level}: {power.may} ({acts}). {power.by}; {power.statute}.{lead}{note} [{power.confidence}]"
        lines.append(paragraph(text, indent=2))
    yield section("Who may act", *lines)


def _closing(found: Screening, obligations: Mapping[str, Obligation] | None) -> Iterable[str]:
    if found.outside:
        yield section("Outside the WTO", *(paragraph(said, indent=2) for said in found.outside))
    if found.untouched:
        named = [obligations[key].name if obligations else key for key in found.untouched]
        yield section("Looked at, and met by no clause", paragraph("; ".join(dict.fromkeys(named)) + ".", indent=2))
    if found.sources:
        yield section("Sources", *(paragraph(f"{key}: {title}.", indent=2) for key, title in found.sources))
    yield section("Not examined", *(paragraph(said, indent=2, bullet="- ") for said in found.not_examined))


def frontier(found: Frontier, names: Callable[[str], str]) -> str:
    """The page of `friendshore repair`."""
    who = f", what binds {names(found.party)}" if found.party else ""
    head = f"{found.title}: legal exposure against effect at {found.day.isoformat()}{who}"
    if not found.goods:
        return "\n\n".join([head, paragraph("Nothing is raised, so there is nothing to repair.")]) + "\n"
    headings = [
        "", "package", "breach", "justify", "exposed", "exposure", "price\n%", "output\n%", "effect\nkept %",
        "largest\noutsider %", "parties\nm USD", "users\nm USD",
    ]  # fmt: skip
    rows = [_row(package) for package in found.packages if package.effect is not None]
    words = [paragraph(f"{package.id}: {package.words}.", indent=2) for package in found.packages]
    refused = [paragraph(f"{one.id} is refused: {one.refused}", indent=2) for one in found.packages if one.refused]
    said = (
        "Findings are counted once for each territory that they bind. Exposure counts 3 for a breach likely, 2 for what needs justification, 1 for what is exposed to challenge. Price is the "
        "buyers' cost in the parties and output theirs, at the prices of the status quo, both against it, over the goods of the "
        "measures that raise a finding. Effect kept is the draft's effect on output beyond that of the draft without its floors. "
        "A star marks what no other package beats in both exposure and output. Acts outside the text are counted as if they had "
        "been obtained and are not on the frontier."
    )
    return "\n\n".join([head, grid(headings, rows, left=2), "\n".join([*words, *refused]), paragraph(said)]) + "\n"


def _row(package: Repaired) -> list[str]:
    effect = package.effect
    assert effect is not None
    return [
        "*" if package.frontier else "",
        package.id,
        *(str(package.counts[grade]) for grade in GRADES[:3]),
        f"{package.exposure:g}",
        figure(effect.price_pct, 3, sign=True, places=1),
        figure(effect.output_pct, 3, sign=True, places=2),
        "-" if package.kept_pct is None else f"{round(package.kept_pct) + 0:d}",
        percent(effect.largest_pct / 100.0),
        millions(effect.parties_usd, sign=True),
        millions(effect.users_usd, sign=True),
    ]
