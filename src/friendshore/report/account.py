"""What a study says, as a person reads it: the finding first, then the figures behind it, then the limits.

Sentences and tables are made from the numbers of the study alone, in a fixed order. Nothing is computed here that the
tables do not hold, save sums and means of their rows.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from friendshore.headline import MAKERS, RENTS, TREASURY
from friendshore.mean_price import price_paid
from friendshore.report.cleared import tonnes_gained
from friendshore.report.observed import beside
from friendshore.report.sharing import sharing
from friendshore.report.tables import Written
from friendshore.report.typography import (
    THIN,
    counted,
    figure,
    grid,
    listed,
    millions,
    numeral,
    paragraph,
    percent,
    section,
)

if TYPE_CHECKING:
    import polars as pl

    from friendshore.outcome import Outcome
    from friendshore.shares import Shares
    from friendshore.study import Study
    from friendshore.world.observed import Quotation

ENDS = 6  # gainers and losers outside that are named before the rest is summed
ROUTES = 10  # levied routes that are named
LABEL = 36  # letters of the name of a holder that is no country
LICENCES = 6  # licences and quotas whose rent is named
ABREAST = 5  # parties beside one another in a table
COLUMNS = {"users": ("users",), "producers": MAKERS, "treasury": TREASURY, "rents": RENTS}
STILL = 5e-4  # a relative change of price below it is none


@dataclass(frozen=True)
class Names:
    """What the codes of a world stand for: names of countries, and the customs union that each belongs to."""

    country: Mapping[str, str] = field(default_factory=dict)
    union: Mapping[str, str] = field(default_factory=dict)

    def of(self, code: str) -> str:
        """A country with its code, or whoever else holds an account."""
        if code in self.country:
            return f"{self.country[code]} ({code})"
        code = code.replace(" (parent company)", ", parent firm")
        return code if len(code) <= LABEL else code[: LABEL - 1] + "…"

    def inside(self, parties: Iterable[str]) -> dict[str, list[str]]:
        """The accounts of every party, by country or customs union: members and, last, the common budget."""
        places: dict[str, list[str]] = defaultdict(list)
        for code in parties:
            places[self.union.get(code, code)].append(code)
        return {place: held if place in held else [*held, place] for place, held in places.items()}


NOT_YET = (
    "nothing on the day, though buyers inside pay less than its reference: its phase-in has not begun, who sells to them is "
    "exempt, or nothing comes from outside"
)


def account(
    study: Study,
    *,
    names: Names | None = None,
    written: Written | None = None,
    scenario: str = "",
    shares: Shares | None = None,
    quotations: Iterable[Quotation] = (),
    digests: Mapping[str, str] | None = None,
    legal: str = "",
) -> str:
    """The account of a study, a hundred columns wide.

    Parameters
    ----------
    study : the runs and their tables
    names : of countries and customs unions; codes alone without
    written : the folder that holds every table, if there is one
    scenario : what was changed before the runs, in a sentence; empty where nothing was
    shares : what each instrument does of it, where that was asked for
    digests : what names the agreement, the world and the result
    legal : what the legal screen found, in a sentence or two; empty where it was not run
    quotations : observed prices that those of the status quo are set beside
    """
    names = names or Names()
    parts = [
        _finding(study, names),
        section("Promises made already", paragraph(legal, indent=2)) if legal else "",
        section("Scenario", paragraph(scenario, indent=2)) if scenario else "",
        _heading(study),
        tonnes_gained(study.outcomes["agreement"], ROUTES),
        _floors(study, names),
        _levies(study, names),
        _pays(study, names),
        _groups(study),
        sharing(shares, names, study.parties) if shares is not None else "",
        _rents(study),
        _suppliers(study, names),
        _reactions(study, names),
        _protection(study),
        _licences(study),
        _shortages(study),
        _stability(study, names),
        beside(study.outcomes["before"], quotations, names.union),
        section("Limits", *(paragraph(note, indent=2, bullet="* ") for note in study.notes)),
        _named(digests) if digests else "",
        _tables(study, written),
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def _named(digests: Mapping[str, str]) -> str:
    """The digits that name what was run and what came out."""
    from importlib.metadata import version

    agreement, world, result = (digests[key] for key in ("agreement", "world", "result"))
    text = (
        f"Agreement {agreement}, world {world}, friendshore {version('friendshore')}: whoever runs the same on a machine of the "
        f"same kind gets the result {result}, to the last digit."
    )
    return section("The same numbers elsewhere", paragraph(text, indent=2))


# -- the finding ----------------------------------------------------------------------------------------------------------


def _finding(study: Study, names: Names) -> str:
    """Who gains and loses, what the floors do, how much of it rests on invented levels."""
    plain = _reaction(study, "none")
    said = [_sides(study, plain, names)] if plain else []
    said += _floor_sentences(study)
    if study.levels:
        share = f"{study.illustrative} of the {study.levels} price levels" if study.levels > 1 else "The price level"
        is_ = "is" if study.illustrative == 1 or study.levels == 1 else "are"
        if study.illustrative == study.levels > 1:
            share = "Both price levels" if study.levels == 2 else f"All {numeral(study.levels)} price levels"
        if study.illustrative:
            said.append(f"{share} {is_} illustrative: invented, by a rule stated in the agreement.")
        else:
            said.append(
                "None of the price levels is illustrative." if study.levels > 1 else f"{share} is not illustrative."
            )
    else:
        said.append("The agreement states no price level, so none is illustrative.")
    return paragraph(" ".join(said))


def _sides(study: Study, plain: Mapping[str, Any], names: Names) -> str:
    parties, outsiders, world = (float(plain[key]) for key in ("parties_usd", "outsiders_usd", "world_usd"))
    if max(abs(parties), abs(outsiders)) < 500.0:
        return f"Against the status quo of {study.as_of}, {study.deal_id} moves nobody's account by a thousand dollars."
    verb = "gain" if parties > 0 else "lose"
    text = f"Against the status quo of {study.as_of}, the parties to {study.deal_id} {verb} {_usd(abs(parties))} a year"
    text += f" and outsiders {'gain' if outsiders > 0 else 'lose'} {_usd(abs(outsiders))}"
    totals = _by_country(study.pays)
    held = {code for codes in names.inside(study.parties).values() for code in codes}
    outside = {c: v for c, v in totals.items() if c not in held and _is_country(c) and v * outsiders > 0}
    if outside:
        most = max(outside, key=lambda c: abs(outside[c]))
        text += f", above all {names.of(most)} with {_usd(outside[most], sign=True)}"
        grown = [row for row in _licence_rents(study) if row["owner"] == most and row["change"] * outside[most] > 0]
        if grown and abs(grown[0]["change"]) > abs(outside[most]) / 2.0:
            text += f" ({_usd(grown[0]['change'], sign=True)} in the rent of {grown[0]['clause']})"
    return f"{text}; the world as a whole {'gains' if world > 0 else 'loses'} {_usd(abs(world))}."


def _floor_sentences(study: Study) -> list[str]:
    if study.floors.height == 0:
        return ["It holds no price floor that is in force on the day."]
    bind: list[tuple[float, str]] = []
    idle: list[str] = []
    waiting: list[str] = []
    inside = _inside(study)
    for (clause, good), rows in _by_floor(study).items():
        if any(row["binds"] for row in rows):
            before, after = (inside[run].get(good) for run in ("before", "agreement"))
            lifted = after / before - 1.0 if before and after else 0.0
            lifts = f"lifts {good} inside by {percent(lifted)} %" if before else f"binds on {good}"
            held = sum(row["holds"] for row in rows)
            where = "every one" if held == len(rows) else numeral(held)
            many = counted(len(rows), "party country", "party countries")
            bind.append(
                (
                    lifted,
                    f"{clause} {lifts} and holds in {where} of the {many} that buy it",
                )
            )
        else:
            (idle if all(row["holds"] for row in rows) else waiting).append(clause)
    said = []
    if bind:
        bind.sort(key=lambda item: -item[0])
        said.append(f"{_levied(study)}: {'; '.join(text for _, text in bind)}.")
    if idle or waiting:
        floors = len(bind) + len(idle) + len(waiting)
        charging = (
            f"Only one floor of {numeral(floors)} charges"
            if len(bind) == 1
            else f"{numeral(len(bind)).capitalize()} floors of {numeral(floors)} charge"
        )
        why = [f"{listed(idle)} {'stands' if len(idle) == 1 else 'stand'} below the prices of the day"] if idle else []
        why += [f"{listed(waiting)} {'takes' if len(waiting) == 1 else 'take'} {NOT_YET}"] if waiting else []
        said.append(f"{charging if bind else 'No floor charges'} a levy: {'; '.join(why)}.")
    return said


def _levied(study: Study) -> str:
    """What importers pay to reach the references, and how much of it the sellers keep."""
    kept = sum(lines.get("undertaking_rent", 0.0) for lines in _lines(study.pays).values())
    total = sum(study.levies["levy_usd"].to_list())
    return f"The levy takes in {_usd(total)}" + (
        f", of which {_usd(kept)} stays with the sellers" if kept >= 500.0 else ""
    )


def _heading(study: Study) -> str:
    settings = study.outcomes["agreement"].settings
    scales = [
        f"{symbol} x {settings[key]:g}"
        for symbol, key in (("σ", "sigma_scale"), ("ε", "eps_scale"))
        if settings.get(key, 1.0) != 1.0
    ]
    facts = [
        f"terms of {study.as_of}",
        "tonnes and base prices of 2024",
        f"horizon {counted(study.horizon, 'year')}",
        *scales,
        *(["latent links on"] if settings.get("latent") else []),
        f"world {study.world_name}",
    ]
    return paragraph(
        f"{study.title}: {', '.join(facts)}. Tonnes of contained mineral a year; money in USD a year; changes are agreement less status quo."
    )


# -- floors and levies ------------------------------------------------------------------------------------------------------


def _floors(study: Study, names: Names) -> str:
    if study.floors.height == 0:
        return ""
    outside = {(clause, good): (before, after) for clause, good, before, after in study.outside.iter_rows()}
    rows, unheld = [], []
    inside = _inside(study)
    for (clause, good), parties in _by_floor(study).items():
        paid = {run: prices.get(good) for run, prices in inside.items()}
        before, after = outside.get((clause, good), (None, None))
        held = sum(row["holds"] for row in parties)
        rows.append(
            [
                good + (" *" if parties[0]["illustrative"] else ""),
                _per_kg(parties[0]["reference_usd_t"]),
                *(_per_kg(paid[key]) for key in ("base", "before", "agreement")),
                _change(paid["before"], paid["agreement"]),
                _per_kg(before),
                _per_kg(after),
                _change(before, after),
                f"{held} of {len(parties)}",
            ]
        )
        if held < len(parties):
            short = [row for row in parties if not row["holds"]]
            worst = min(short, key=lambda row: row["inside_ratio_after"])
            unheld.append(
                f"{good} stays below its reference in {listed(names.of(row['party']) for row in short[:4])}"
                + (f" and {len(short) - 4} more" if len(short) > 4 else "")
                + f", lowest at {percent(worst['inside_ratio_after'])} % of it in {names.of(worst['party'])}."
            )
    head = [
        "good",
        "reference\nUSD/kg",
        "inside,\n2024\nUSD/kg",
        "before\nUSD/kg",
        "after\nUSD/kg",
        "change\n%",
        "outside,\nbefore\nUSD/kg",
        "after\nUSD/kg",
        "change\n%",
        "holds\ninside",
    ]
    return section(
        "What the floors do to prices",
        paragraph(
            "Inside: what the parties' buyers pay on average, duty and levy included, each weighted by what it took in 2024. "
            "Outside: what producers elsewhere receive, by output of 2024. A floor holds where the inside price reaches "
            "99 % of the reference; members of a customs union count one by one. An asterisk marks an illustrative level.",
            indent=2,
        ),
        grid(head, rows),
        *(paragraph(text, indent=2) for text in unheld),
        _ratios(study, names),
    )


def _ratios(study: Study, names: Names) -> str:
    """Inside price over reference by good and party, before and after; members of a customs union as its lowest."""
    cells: dict[str, dict[str, list[tuple[float, float, bool]]]] = defaultdict(lambda: defaultdict(list))
    sigma: dict[str, list[set[str]]] = defaultdict(list)
    size: dict[str, set[str]] = defaultdict(set)
    for row in study.floors.iter_rows(named=True):
        place = names.union.get(row["party"], row["party"])
        size[place].add(row["party"])
        cells[row["good"]][place].append((row["inside_ratio_before"], row["inside_ratio_after"], row["holds"]))
        sigma[row["good"]].append(set(row["sigma_holds"].split()))
    places = sorted(size, key=lambda place: (len(size[place]) > 1, place))
    tables = []
    for start in range(0, len(places), ABREAST):
        some = places[start : start + ABREAST]
        rows = []
        for good, row in cells.items():
            at = [
                f"{min(c[0] for c in row[p]):.2f}→{min(c[1] for c in row[p]):.2f}{' ' if all(c[2] for c in row[p]) else '!'}"
                if row[p]
                else "-"
                for p in some
            ]
            everywhere = set.intersection(*sigma[good])
            rows.append([good, *at, " ".join(sorted(everywhere, key=lambda s: float(s[1:]))) or "none"])
        heads = [f"{place}{f' ({len(size[place])})' if len(size[place]) > 1 else ''}" for place in some]
        tables.append(grid(["good", *heads, "holds in all\nat σ"], rows))
    how = (
        "the σ scales tried at which the floor holds in every party"
        if study.draws > 1
        else "σ as assumed, other scales were not run"
    )
    return "\n".join(
        [
            "",
            paragraph(
                f"Inside price over reference, status quo → agreement, by party (! where it does not hold; of a customs union the lowest); last column: {how}.",
                indent=2,
            ),
            *tables,
        ]
    )


def _levies(study: Study, names: Names) -> str:
    if study.floors.height == 0:
        return ""
    if study.levies.height == 0:
        if all(study.floors["holds"]):
            return section("Where the levy binds", "  On no route: every landed price stands above its reference.")
        return section("Where the levy binds", paragraph(f"On no route. Some floor takes {NOT_YET}.", indent=2))
    rows = [
        [
            row["good"],
            names.of(row["exporter"]),
            names.of(row["importer"]),
            figure(row["t"], 3),
            _per_kg(row["levy_usd_t"]),
            millions(row["levy_usd"]),
        ]
        for row in study.levies.head(ROUTES).iter_rows(named=True)
    ]
    tonnes, money = (study.levies[name].to_list() for name in ("t", "levy_usd"))
    if len(tonnes) > ROUTES:
        left = f"{len(tonnes) - ROUTES} more routes"
        rows.append([left, "", "", figure(sum(tonnes[ROUTES:]), 3), "", millions(sum(money[ROUTES:]))])
    rows.append(["all", "", "", figure(sum(tonnes), 3), "", millions(sum(money))])
    return section(
        "Where the levy binds",
        grid(["good", "exporter", "importer", "mass\nt", "levy\nUSD/kg", "levy\nUSD million"], rows, left=3),
    )


# -- who pays ---------------------------------------------------------------------------------------------------------------


def _pays(study: Study, names: Names) -> str:
    lines = _lines(study.pays)
    since = _by_country(study.pays_2024)
    totals = {code: sum(items.values()) for code, items in lines.items()}
    order = sorted(totals, key=lambda code: (-totals[code], code))
    head = ["", *COLUMNS, "other", "all", "against\n2024"]

    def row(label: str, codes: Iterable[str]) -> list[str]:
        held = list(codes)
        cells = [sum(lines[c].get(item, 0.0) for c in held for item in items) for items in COLUMNS.values()]
        total = sum(totals[c] for c in held)
        return [
            label,
            *(
                millions(v, sign=True)
                for v in (*cells, total - sum(cells), total, sum(since.get(c, 0.0) for c in held))
            ),
        ]

    if all(abs(total) < 500.0 for total in totals.values()):
        return section("Who pays", "  Nobody: no account moves by as much as a thousand dollars.")
    places = {place: [code for code in codes if code in totals] for place, codes in names.inside(study.parties).items()}
    worth = {place: sum(totals[code] for code in codes) for place, codes in places.items()}
    inside = [code for codes in places.values() for code in codes]
    outside = [code for code in order if code not in set(inside) and _is_country(code)]
    firms = [code for code in order if not _is_country(code)]
    up = [c for c in outside if totals[c] >= 500.0][:ENDS]
    down = [c for c in outside if totals[c] <= -500.0][-ENDS:]
    rest = [c for c in outside if c not in {*up, *down}]
    body = [row(names.of(place), places[place]) for place in sorted(places, key=lambda p: (-worth[p], p))]
    if inside:
        body += [row("the parties", inside), [""] * len(head)]
    body += [row(names.of(code), [code]) for code in [*up, *down]]
    if rest:
        body.append(row(counted(len(rest), "other account"), rest))
    if inside:
        body += [row("outside", outside), [""] * len(head)]
    if any(abs(totals[code]) >= 500.0 for code in firms):
        body += [*(row(names.of(code), [code]) for code in firms), [""] * len(head)]
    body.append(row("all", order))
    members = []
    for place, codes in sorted(places.items()):
        if codes == [place]:
            continue
        countries = sorted((code for code in codes if code != place), key=names.of)
        members.append(
            grid(
                [f"{names.country.get(place, place)}, by country", *head[1:]],
                [
                    *(row(names.of(code), [code]) for code in countries),
                    *([row(f"the common budget ({place})", [place])] if place in codes else []),
                    row("all", codes),
                ],
            )
        )
    return section(
        "Who pays, by country",
        paragraph(
            f"USD million a year, gains +, losses -: every party, and outside the {ENDS} that gain and the {ENDS} that lose most. "
            "Treasury: duties, levies, export taxes less what is paid out. Rents: of licences and quotas, with their owners. Some "
            "plants' margins are made up by a parent firm, which stands on neither side.",
            indent=2,
        ),
        grid(head, body),
        *(f"\n{table}" for table in members),
    )


def _groups(study: Study) -> str:
    sums: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for group, usd in study.groups.iter_rows():
        name, _, where = group.partition(", ")
        sums[name][where or "neither"] += usd
    if all(abs(usd) < 500.0 for held in sums.values() for usd in held.values()):
        return ""
    order = sorted(sums, key=lambda name: -max(abs(v) for v in sums[name].values()))
    shown = [name for name in order if any(abs(v) >= 500.0 for v in sums[name].values())]
    firms = any(abs(held["neither"]) >= 500.0 for held in sums.values())
    wheres = ("parties", "outside", *(("neither",) if firms else ()))
    rows = [
        [name, *(millions(sums[name][w], sign=True) for w in wheres), millions(sum(sums[name].values()), sign=True)]
        for name in shown
    ]
    every = [sum(sums[name][w] for name in sums) for w in wheres]
    rows.append(["all", *(millions(v, sign=True) for v in every), millions(sum(every), sign=True)])
    return section("Who pays, by group", grid(["USD million a year", *wheres, "all"], rows))


def _rents(study: Study) -> str:
    """Whose export licences and quotas become worth more: the part of a gain that hangs on the state rationing on."""
    rows = [
        [
            row["clause"],
            row["owner"],
            figure(row["tonnes"], 3),
            *(_per_kg(row[key]) for key in ("before", "after")),
            *(millions(row[key]) for key in ("before_usd", "after_usd")),
            millions(row["change"], sign=True),
        ]
        for row in _licence_rents(study)[:LICENCES]
    ]
    if not rows:
        return ""
    head = [
        "licence or quota",
        "owner",
        "limit\nt",
        "rent before\nUSD/kg",
        "after\nUSD/kg",
        "before\nUSD m",
        "after\nUSD m",
        "change\nUSD m",
    ]
    return section(
        "Whose licences are worth more",
        grid(head, rows, left=2),
        paragraph(
            "Counted as if the tonnes stayed where the status quo has them. What makes a rationed good scarcer elsewhere raises "
            "its rent; with more licences issued, buyers would keep that money.",
            indent=2,
        ),
    )


def _licence_rents(study: Study) -> list[dict[str, Any]]:
    """Rent of every licence and quota before and after, those first whose rent moves most; half a million at least."""
    old, new = (
        {row["clause"]: row for row in study.outcomes[run].rents.iter_rows(named=True)}
        for run in ("before", "agreement")
    )
    rows = []
    for clause in sorted({*old, *new}):
        pair = [held.get(clause, {"rent": 0.0, "tonnes": 0.0}) for held in (old, new)]
        earned = [float(row["rent"] * row["tonnes"]) for row in pair]
        about = new.get(clause) or old[clause]
        if about["owner"] and abs(earned[1] - earned[0]) >= 5e5:
            rows.append(
                {
                    "clause": clause.removeprefix("status_quo."),
                    "owner": about["owner"],
                    "tonnes": about["limit_t"],
                    "before": pair[0]["rent"],
                    "after": pair[1]["rent"],
                    "before_usd": earned[0],
                    "after_usd": earned[1],
                    "change": earned[1] - earned[0],
                }
            )
    return sorted(rows, key=lambda row: (-abs(row["change"]), row["clause"]))


# -- supply -----------------------------------------------------------------------------------------------------------------


def _suppliers(study: Study, names: Names) -> str:
    if study.suppliers.height == 0:
        return ""
    made = [_sum(study.outcomes[key].output, "country", study.parties) for key in ("before", "agreement")]
    rows = []
    for good, first, share, second, later in study.suppliers.iter_rows():
        rows.append(
            [
                good,
                names.of(first),
                percent(share / 100),
                names.of(second) if second != first else "the same",
                percent(later / 100),
                *(figure(m.get(good, 0.0), 3) for m in made),
            ]
        )
    head = [
        "good",
        "largest outside\nsupplier before",
        "share\n%",
        "after",
        "share\n%",
        "own output\nbefore, t",
        "after\nt",
    ]
    return section("The largest supplier from outside, in what the parties use", _aligned(head, rows, text=(0, 1, 3)))


def _reactions(study: Study, names: Names) -> str:
    rows, said = [], []
    for row in study.reactions.iter_rows(named=True):
        money = [
            millions(row[key], sign=True)
            for key in ("parties_usd", "outsiders_usd", "world_usd", "levy_usd", "export_tax_usd")
        ]
        rows.append([row["reaction"], *money, figure(row["unserved_t"], 3)])
    plain, harvest, ban = (_reaction(study, name) for name in ("none", "harvest", "ban"))
    firms = {row["reaction"]: row["firms_usd"] for row in study.reactions.iter_rows(named=True)}
    if any(abs(usd) >= 500.0 for usd in firms.values()):
        held = ", ".join(f"{_usd(usd, sign=True)} under '{name}'" for name, usd in firms.items())
        said.append(f"Parent firms that make up a plant's margin stand on neither side: {held}.")
    if plain and harvest:
        moved = _largest_move(study.outcomes["agreement"], study.outcomes["harvest"])
        said.append(
            f"Harvest: exporters tax what the levy would take. No buyer's price moves by more than {max(moved, 0.001):.1g} %, and "
            f"{_usd(harvest['export_tax_usd'] - plain['export_tax_usd'])} goes to exporting states instead of the parties' treasuries."
            if moved < 0.1
            else f"Harvest: exporters tax what the levy would take; buyers' prices move by up to {moved:.2g} %."
        )
    if plain and ban:
        said.append(
            f"Ban: {listed(names.of(c) for c in _banned(study))}, the largest outside supplier of the floored goods and what is made "
            f"of them, sells none of the floored goods to the parties, which then stand at "
            f"{_usd(ban['parties_usd'], sign=True)} instead of {_usd(plain['parties_usd'], sign=True)}, with {figure(ban['unserved_t'], 3)} t unserved instead of {figure(plain['unserved_t'], 3)} t."
        )
    head = [
        "reaction\nof exporters",
        "parties\nUSD million",
        "outside\nUSD million",
        "world\nUSD million",
        "levy\nUSD million",
        "export tax\nUSD million",
        "unserved\nt",
    ]
    return section("If exporters react", grid(head, rows), *(paragraph(text, indent=2) for text in said))


def _protection(study: Study) -> str:
    if study.protection.height == 0:
        return ""
    brought = [_imports(study.outcomes[key], study.parties) for key in ("before", "agreement")]
    order = {"ore": 0, "intermediate": 1, "refined": 2, "product": 3}
    table = sorted(
        study.protection.iter_rows(named=True),
        key=lambda row: (row["good"].split(".")[0], order.get(row["stage"], 9), row["good"]),
    )
    rows, said = [], []
    for row in table:
        good = row["good"]
        before, after = (b.get(good, 0.0) for b in brought)
        rows.append(
            [
                good,
                row["stage"],
                *(
                    _hundredths(row[key])
                    for key in ("price_change_pct", "input_cost_change_pct", "effective_protection_pct")
                ),
                figure(before, 3),
                figure(after, 3),
                _change(before, after),
            ]
        )
        added, cost = row["effective_protection_pct"], row["input_cost_change_pct"]
        if added is not None and cost is not None and added < -0.5 and cost > 0.5:
            text = f"the parties' makers of {good} pay {percent(cost / 100)} % more for their inputs and lose {percent(-added / 100)} % of their value added"
            if before > 0 and after > before * (1 + STILL):
                text = f"Bypass: {text}; imports of {good} from outside rise by {percent(after / before - 1.0)} %."
            else:
                text = f"Squeezed: {text}."
            said.append(text)
    head = [
        "good",
        "stage",
        "price\n%",
        "inputs\n%",
        "effective\nprotection %",
        "imports before\nt",
        "after\nt",
        "change\n%",
    ]
    return section(
        "Protection by stage, and the way round it",
        paragraph(
            "Change of the parties' own producer prices, input costs and value added per tonne; imports are those from outside.",
            indent=2,
        ),
        grid(head, rows, left=2),
        *(
            paragraph(text, indent=2)
            for text in said or ["No stage of the parties loses value added to a floor on its inputs."]
        ),
    )


def _licences(study: Study) -> str:
    if study.licence_forms.height == 0:
        return ""
    rows = [
        [
            row["good"],
            *(
                millions(row[key], sign=True)
                for key in ("levy_usd_as_quota", "levy_usd_as_export_tax", "rent_usd_as_quota", "rent_usd_as_tax")
            ),
        ]
        for row in study.licence_forms.iter_rows(named=True)
    ]
    head = ["good", "levy, licence\nas quota", "as tax", "licence rent,\nas quota", "as tax"]
    return section(
        "Export licences read as quotas and as taxes",
        paragraph(
            "USD million a year, change against the status quo. A quota hands its rent over to a floor, an export tax does not.",
            indent=2,
        ),
        grid(head, rows),
    )


def _shortages(study: Study) -> str:
    names = [key for key in ("before", "agreement", "harvest", "ban") if key in study.outcomes]
    sums = {key: _sum_rows(study.outcomes[key].use, "unserved_t") for key in names}
    goods = sorted({good for held in sums.values() for good, t in held.items() if t > 0.0})
    if not goods:
        return section("Shortages", "  None: every user is served in every run.")
    last = study.outcomes[names[-1]] if "ban" in names else study.outcomes["agreement"]
    rows = []
    for good in goods:
        worst = max(last.use.filter(last.use["good"] == good).iter_rows(named=True), key=lambda row: row["unserved_t"])
        where = f"{worst['country']}, {worst['days_short']:.0f} days" if worst["unserved_t"] > 0 else "-"
        rows.append([good, *(figure(sums[key].get(good, 0.0), 3) for key in names), where])
    return section("Shortages", grid(["tonnes unserved", *names, f"most, under '{names[-1]}'"], rows))


def _stability(study: Study, names: Names) -> str:
    tau = study.kendall_tau_min
    if tau is None:
        return section("Rank stability", "  Not run: the order of countries rests on one pair of elasticities.")
    ends = [*study.stability.head(3).iter_rows(named=True), *study.stability.tail(3).iter_rows(named=True)]
    budgets = {place for place in names.inside(study.parties) if place not in study.parties}
    ranks = ", ".join(
        f"{row['country']}{' (its common budget)' if row['country'] in budgets else ''} {row['rank_min']}"
        + (f"-{row['rank_max']}" if row["rank_max"] != row["rank_min"] else "")
        for row in ends
    )
    return section(
        "Rank stability",
        paragraph(
            f"Over {study.draws} pairs of σ and ε (each x 0.5, 1, 2) the order of countries by gain keeps a Kendall tau of at least {tau:.2f} "
            f"with this one; ranks of the first and last three of {study.stability.height}: {ranks}.",
            indent=2,
        ),
    )


def _tables(study: Study, written: Written | None) -> str:
    runs = ", ".join(f"{name} {outcome.steps} steps" for name, outcome in study.outcomes.items())
    said = [
        paragraph(
            f"Solved in {study.seconds:.1f} s ({runs}); the two counts of every run's total agree to {_closing(study)} USD."
        )
    ]
    if written:
        files = counted(written.files, "file")
        said.append(
            f"Every table, as Parquet and as CSV ({written.tables} tables, {files} with the manifest): {written.folder}"
        )
    else:
        said.append("Name a folder with --out to have every table as Parquet and as CSV.")
    return "\n".join(said)


# -- sums of rows -----------------------------------------------------------------------------------------------------------


def _usd(usd: float, *, sign: bool = False) -> str:
    return f"USD{THIN}{millions(usd, sign=sign)}{THIN}million"


def _per_kg(usd_t: float | None) -> str:
    return figure(None if usd_t is None else usd_t / 1000.0)


def _change(before: float | None, after: float | None) -> str:
    return percent(after / before - 1.0, sign=True) if before and after is not None else "-"


def _hundredths(pct: float | None) -> str:
    return percent(None if pct is None else pct / 100.0, sign=True)


def _is_country(code: str) -> bool:
    """Whether an account is a country's: firms hold some under their names."""
    return len(code) == 3


def _banned(study: Study) -> list[str]:
    """The exporters whose routes the ban closes."""
    shut = [
        {
            (g, i, j)
            for g, i, j, open_ in o.flows.select("good", "exporter", "importer", "open").iter_rows()
            if not open_
        }
        for o in (study.outcomes["ban"], study.outcomes["agreement"])
    ]
    return sorted({exporter for _, exporter, _ in shut[0] - shut[1]})


def _by_country(pays: pl.DataFrame) -> dict[str, float]:
    return {code: sum(items.values()) for code, items in _lines(pays).items()}


def _lines(pays: pl.DataFrame) -> dict[str, dict[str, float]]:
    lines: dict[str, dict[str, float]] = defaultdict(dict)
    for country, item, usd in pays.select("country", "item", "usd").iter_rows():
        lines[country][item] = lines[country].get(item, 0.0) + usd
    return lines


def _by_floor(study: Study) -> dict[tuple[str, str], list[dict[str, Any]]]:
    floors: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for row in study.floors.iter_rows(named=True):
        floors[row["clause"], row["good"]].append(row)
    return floors


def _inside(study: Study) -> dict[str, dict[str, float]]:
    """What the parties' buyers pay on average in each run, by good."""
    return {run: price_paid(study.outcomes[run], study.parties) for run in ("base", "before", "agreement")}


def _sum(table: pl.DataFrame, column: str, members: Iterable[str]) -> dict[str, float]:
    inside = set(members)
    sums: dict[str, float] = defaultdict(float)
    for good, where, t in table.select("good", column, "t").iter_rows():
        if where in inside:
            sums[good] += t
    return sums


def _sum_rows(table: pl.DataFrame, value: str) -> dict[str, float]:
    sums: dict[str, float] = defaultdict(float)
    for good, t in table.select("good", value).iter_rows():
        sums[good] += t
    return sums


def _imports(outcome: Outcome, parties: Iterable[str]) -> dict[str, float]:
    """Tonnes of each good that the parties buy from outside."""
    inside = set(parties)
    sums: dict[str, float] = defaultdict(float)
    for good, exporter, importer, t in outcome.flows.select("good", "exporter", "importer", "t").iter_rows():
        if importer in inside and exporter not in inside:
            sums[good] += t
    return sums


def _reaction(study: Study, name: str) -> dict[str, Any] | None:
    return next((row for row in study.reactions.iter_rows(named=True) if row["reaction"] == name), None)


def _largest_move(first: Outcome, second: Outcome) -> float:
    """Largest change of a buyer's cost index between two runs, per cent."""
    before = {(g, c): v for g, c, v in first.indices.select("good", "country", "usd_t").iter_rows()}
    moved = (
        abs(v / before[g, c] - 1.0)
        for g, c, v in second.indices.select("good", "country", "usd_t").iter_rows()
        if before.get((g, c))
    )
    return 100.0 * max(moved, default=0.0)


def _closing(study: Study) -> str:
    """Largest gap between the two counts of a run's total."""
    return figure(max(abs(o.world_total_usd - o.resource_total_usd) for o in study.outcomes.values()), 2)


def _aligned(head: list[str], rows: list[list[str]], *, text: tuple[int, ...]) -> str:
    """A grid whose text columns are not only the first ones."""
    for k in text:
        width = max(len(row[k]) for row in rows)
        for row in rows:
            row[k] = row[k].ljust(width)
    return grid(head, rows)
