"""The legal screen, printed: what was found by obligation, the two arguments, the facts with their sources, what was not examined."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from friendshore.law.repair import Frontier, Repaired
from friendshore.law.screen.facts import Fact, Partner
from friendshore.law.screen.judge import Finding, Screening
from friendshore.law.screen.measures import BENEFITS
from friendshore.law.screen.obligations import GRADES, Obligation
from friendshore.law.screen.text import CONFIDENCE
from friendshore.report.typography import counted, figure, grid, listed, millions, paragraph, percent, section

SEVERAL = 3  # articles that a line names
SHOWN = 15  # rows of a long table on the page; the JSON has all of them
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
    "contract_instead": "settle the gap by a two-way contract instead",
    "voluntary_standard": "keep the standard voluntary",
    "open_standard": "open the standard to every origin that meets it",
    "open_to_all": "open it to all on equal terms",
    "act_as_union": "let the whole customs union act",
    "notify": "notify it",
    "by_statute": "have a statute or an exemption order it",
    "temporary": "let it end",
    "limit_at_home": "limit use at home alike",
    "tax_instead": "tax exports instead",
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
    blocks += _hits(found, names)
    blocks += _agreements(found, names)
    for name in dict.fromkeys(finding.obligation for finding in found.findings):
        blocks.append(_obligation([one for one in found.findings if one.obligation == name], names, facts=facts))
    return "\n\n".join([*blocks, *_powers(found, names), *_may_do(found, names), *_closing(found, obligations)]) + "\n"


def in_short(found: Screening, names: Callable[[str], str], command: str) -> str:
    """What was found in two sentences, for an account whose subject is another: how many, the worst, and where to read on."""
    if not found.findings:
        return f"No clause in force on the day meets an obligation of the legal screen. Not examined: see `{command}`."
    counts = ", ".join(f"{found.count(grade)} {grade}" for grade in GRADES if found.count(grade))
    worst = found.findings[0]
    bound = listed(names(code) for code in worst.bound)
    same = sum(one.grade == worst.grade for one in found.findings) - 1
    more = f" and {same} more like it" if same else ""
    return (
        f"{counted(len(found.findings), 'finding').capitalize()} of the legal screen: {counts}. First in rank: {worst.clause} under "
        f"{worst.article}, {worst.grade}, binds {bound}{more}. A screen and no legal advice; all of it: {command}"
    )


def abreast(found: Sequence[tuple[str, Screening]]) -> str:
    """Findings by grade of several agreements, and the clauses of the worst grade."""
    rows = []
    for name, each in found:
        worst = each.findings[0].grade if each.findings else ""
        rules = dict.fromkeys(one.article for one in each.findings if one.grade == worst)
        named = listed(list(rules)[:SEVERAL]) + (f" and {len(rules) - SEVERAL} more" if len(rules) > SEVERAL else "")
        rows.append(
            [name, *(str(each.count(grade)) for grade in GRADES), f"{worst}: {named}" if worst else "nothing raised"]
        )
    heads = ["", *(grade.replace(" ", "\n", 1) for grade in GRADES), "worst"]
    said = "A screen and no legal advice; all of it: friendshore screen AGREEMENT; what would mend it: friendshore repair AGREEMENT"
    lines = [
        paragraph(f"{row[0]}: {row[-1]}.", indent=2)  # the articles are too long for a column
        for row in rows
    ]
    table = grid(heads[:-1], [row[:-1] for row in rows])
    return section("Findings of the legal screen", table, *lines, paragraph(said, indent=2))


def in_figures(found: Screening) -> dict[str, object]:
    """The same for a machine: findings by grade, and those of the worst grade."""
    worst = found.findings[0].grade if found.findings else None
    first = [one for one in found.findings if one.grade == worst]
    return {
        "grades": {grade: found.count(grade) for grade in GRADES},
        "worst": [
            {"clause": one.clause, "obligation": one.obligation, "article": one.article, "bound": list(one.bound)}
            for one in first
        ],
        "not_legal_advice": True,
    }


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


def _hits(found: Screening, names: Callable[[str], str]) -> Iterable[str]:
    """Trade of each affected country by clause, over the borders at which it is burdened; preferences burden everybody else
    and are left out."""
    raised = {
        (one.clause, one.act) for one in found.findings if one.raised and one.act not in ("preference", *BENEFITS)
    }
    rows = [row for row in found.hits if (row.clause, row.act) in raised]
    if not rows:
        return
    clauses = list(dict.fromkeys(row.clause for row in rows))
    usd: dict[tuple[str, str], float] = {}
    for row in rows:
        usd[row.country, row.clause] = usd.get((row.country, row.clause), 0.0) + row.usd
    total = {code: sum(usd.get((code, clause), 0.0) for clause in clauses) for code in {row.country for row in rows}}
    order = sorted(total, key=lambda code: (-total[code], code))
    numbered = {clause: str(number) for number, clause in enumerate(clauses, start=1)}
    body = [
        [
            names(code),
            *(millions(usd[code, each]) if (code, each) in usd else "" for each in clauses),
            millions(total[code]),
        ]
        for code in order[:SHOWN]
    ]
    legend = "; ".join(f"{number} {clause}" for clause, number in numbered.items())
    more = f" {len(order) - SHOWN} more stand in the JSON." if len(order) > SHOWN else ""
    said = f"USD million a year under the status quo, at the borders of those bound.{more} {legend}."
    yield section("Trade hit by country", grid(["", *numbered.values(), "all"], body), paragraph(said, indent=2))


def _agreements(found: Screening, names: Callable[[str], str]) -> Iterable[str]:
    """Each trade agreement with a partner outside against each clause: the trade that was promised otherwise."""
    cells: dict[tuple[str, str, str], list[Partner]] = {}
    clauses: dict[str, None] = {}
    for one in found.findings:
        for partner in one.partners:
            clauses.setdefault(one.clause)
            cells.setdefault((partner.name, one.obligation, one.clause), []).append(partner)
    if not cells:
        return
    rows = list(dict.fromkeys((name, rule) for name, rule, _ in cells))
    trade = {row: sum(p.usd for key, held in cells.items() if key[:2] == row for p in held) for row in rows}
    live = sorted((row for row in rows if trade[row] > 0), key=lambda row: (-trade[row], row))
    numbered = {clause: str(number) for number, clause in enumerate(clauses, start=1)}
    body = []
    for name, rule in live[:SHOWN]:
        held = [p for key, each in cells.items() if key[:2] == (name, rule) for p in each]
        mark = max((p.confidence for p in held), key="HMLK".index, default="")
        body.append([name, rule, mark, *(_cell(cells.get((name, rule, clause), ())) for clause in clauses)])
    legend = "; ".join(f"{number} {clause}" for clause, number in numbered.items())
    rest = len(rows) - len(body)
    more = (
        f" {rest} more pairs of agreement and promise are reached without such trade; the JSON has all." if rest else ""
    )
    said = (
        f"USD million a year of trade with partners outside that the clause burdens; * some of them pay more in the cleared "
        f"market; a dot: reached, no trade. Text: H, M, L or K, as below.{more} {legend}."
    )
    if body:
        head = ["agreement", "promise", "text", *numbered.values()]
        yield section("Trade agreements with partners outside", grid(head, body, left=3), paragraph(said, indent=2))


def _cell(partners: Sequence[Partner]) -> str:
    if not partners:
        return ""
    usd = sum(one.usd for one in partners)
    return (millions(usd) if usd > 0 else ".") + ("*" if any(one.levied for one in partners) else "")


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
        paragraph(f"Dispute: {each.title}, {each.year}, {each.status}. {each.outcome} [{each.confidence}]", indent=2)
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
        text = f"{names(power.party)}, {level}: {power.may} ({acts}). {_upper(power.by)}; {power.statute}.{lead}{note} [{power.confidence}]"
        lines.append(paragraph(text, indent=2))
    yield section("Who may act", *lines)


def _may_do(found: Screening, names: Callable[[str], str]) -> Iterable[str]:
    """For the view of one party: what it may do alone, what it needs others for, what is not its own, in this agreement or not."""
    if not found.powers or found.party is None:
        return
    used = {one.act for one in found.findings}
    lines = []
    for power in found.powers:
        who = names(found.party) if power.level == "member_state" else names(power.party)
        how = {"yes": "may, on its own", "with consent": "may, with the consent of others", "no": "may not"}[power.may]
        inside = [act.replace("_", " ") for act in power.acts if act in used]
        beside = [act.replace("_", " ") for act in power.acts if act not in used]
        parts = [listed(inside)] if inside else []
        parts += [f"besides what the agreement does, {listed(beside)}"] if beside else []
        acts = "; ".join(parts)
        lead = f" Lead time: {power.lead_time}." if power.lead_time else ""
        text = f"{who} {how}: {acts}. {_upper(power.by)}; {power.statute}.{lead} [{power.confidence}]"
        lines.append(paragraph(text, indent=2))
    yield section(f"What {names(found.party)} may do", *lines)


def _upper(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]


def _closing(found: Screening, obligations: Mapping[str, Obligation] | None) -> Iterable[str]:
    if found.outside:
        yield section("Outside the WTO", *(paragraph(said, indent=2) for said in found.outside))
    if found.unions:
        yield section("Kept from it by a customs union", *(paragraph(f"{said}.", indent=2) for said in found.unions))
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
        "", "package", "breach", "justify", "exposed", "not\nknown", "exposure", "price\n%", "output\n%", "effect\nkept %",
        "largest\noutsider %", "parties\nm USD", "users\nm USD",
    ]  # fmt: skip
    rows = [_row(package) for package in found.packages if package.effect is not None]
    words = [paragraph(f"{package.id}: {package.words}.", indent=2) for package in found.packages]
    refused = [paragraph(f"{one.id} is refused: {one.refused}", indent=2) for one in found.packages if one.refused]
    said = (
        "Findings are counted once for each territory that they bind. Exposure counts 3 for a breach likely, 2 for what needs justification, 1 for what is exposed to challenge, and nothing for what hangs on a figure or text that is not known. Price is the "
        "buyers' cost in the parties and output theirs, at the prices of the status quo, both against it, over the goods of the "
        "measures that raise a finding. Effect kept is the draft's effect on output beyond that of the draft without those "
        "measures. A star marks what no other package beats in both exposure and output. What others would have to give (a "
        "waiver, a raised binding) is written into the text as what it waits for, and is not on the frontier."
    )
    return "\n\n".join([head, grid(headings, rows, left=2), "\n".join([*words, *refused]), paragraph(said)]) + "\n"


def _row(package: Repaired) -> list[str]:
    effect = package.effect
    assert effect is not None
    return [
        "*" if package.frontier else "",
        package.id,
        *(str(package.counts[grade]) for grade in (*GRADES[:3], GRADES[4])),
        f"{package.exposure:g}",
        figure(effect.price_pct, 3, sign=True, places=1),
        figure(effect.output_pct, 3, sign=True, places=2),
        "-" if package.kept_pct is None else f"{round(package.kept_pct) + 0:d}",
        percent(effect.largest_pct / 100.0),
        millions(effect.parties_usd, sign=True),
        millions(effect.users_usd, sign=True),
    ]
