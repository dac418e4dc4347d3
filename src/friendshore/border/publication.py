"""A publication of reference prices as files: written once with all that it rests on, and made again from them, byte for byte.

A folder holds the inputs as they came, the working of every observation, the prices, and a document that names them all by
their hashes. Computing prices is left to `reference`.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from friendshore.border import observations, rates, reference, reference_rule
from friendshore.border.observations import FIELDS, Observation
from friendshore.border.reference import REASONS, Inputs, Priced, Worst, plain
from friendshore.border.reference_rule import Words
from friendshore.errors import InputRefused, Place, Problem

METHOD = 1  # of computing and writing: another number where the same inputs would give other bytes
DOCUMENT, PRICES, WORKING = "publication.json", "prices.csv", "working.csv"
RULE, RATES, GOODS, BEFORE = "inputs/rule.yaml", "inputs/rates.csv", "inputs/goods.csv", "inputs/previous.json"
OBSERVED = "inputs/observations"
RESULT = ("rate_usd", "usd_t", "volume_t", "result", "why", "about")
DIFFERENCES_MAX = 40  # that are told for one file


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """The reference price of a good as published: USD `price` per `per` of `of`, delivered `delivery`, from a day to a day."""

    good: str
    price: Decimal
    per: str
    of: str
    usd_t: Decimal
    delivery: str
    rung: str
    published: date
    starts: date
    until: date
    digest: str

    @property
    def words(self) -> str:
        """The price with its basis and where it was published."""
        price = f"{self.price:f} USD per {self.per} of {self.of}, {self.delivery}"
        return f"{price}, published {self.published}, in force since {self.starts} ({self.digest[:12]})"


@dataclass(frozen=True, slots=True)
class Ladder:
    """Every publication of a folder, in the order of coming into force."""

    publications: tuple[Mapping[str, Any], ...]

    def on(self, day: date) -> dict[str, Published]:
        """The price of every good on a day: by the last publication in force that speaks of it."""
        found: dict[str, Published | None] = {}
        for document in self.publications:
            starts, until = (date.fromisoformat(document[key]) for key in ("in_force_from", "in_force_until"))
            if not starts <= day <= until:
                continue
            for item in document["goods"]:
                found[item["good"]] = None if item["price"] is None else _published(document, item, starts, until)
        return {good: held for good, held in found.items() if held is not None}

    @property
    def turns(self) -> frozenset[date]:
        """The days on which a price may change: first days in force, and the days after last ones."""
        starts = {date.fromisoformat(document["in_force_from"]) for document in self.publications}
        ends = (date.fromisoformat(document["in_force_until"]) for document in self.publications)
        return frozenset(starts | {reference_rule.day_after(day, 1) for day in ends})

    @property
    def deliveries(self) -> frozenset[str]:
        """The terms of delivery that its prices are for."""
        return frozenset(document["rule"]["delivery"] for document in self.publications)


@dataclass(frozen=True, slots=True)
class Difference:
    """Where a publication is not what its inputs give: the file, the place in it, what stands there, what should."""

    file: str
    where: str
    was: str
    now: str


# -- making ----------------------------------------------------------------------------------------------------------


def made(inputs: Mapping[str, bytes], day: date) -> dict[str, bytes]:
    """Every file of a publication, from the bytes of its inputs.

    Parameters
    ----------
    inputs : name in the publication's folder -> bytes: rule, goods, observations; rates and previous where there are

    Raises
    ------
    InputRefused   an input that cannot be read, with every problem of it
    """
    observed = [name for name in inputs if name.startswith(OBSERVED)]
    words, yearly = _goods(inputs[GOODS])
    before = _document(inputs[BEFORE], BEFORE) if BEFORE in inputs else None
    held = Inputs(
        rule=reference_rule.read(inputs[RULE], words, name=RULE),
        words=words,
        rates=rates.read(inputs[RATES], name=RATES) if RATES in inputs else {},
        yearly_t=yearly,
        before=_last(before),
    )
    found = observations.read_all(((name, inputs[name]) for name in sorted(observed)), words)
    prices = reference.publish(found, day, held)
    files = {**inputs, PRICES: _prices(prices, held, day), WORKING: _working(prices, found)}
    files[DOCUMENT] = _written(_about(prices, held, day, files, before))
    return files


def goods_file(words: Words, yearly_t: Mapping[str, Decimal], goods: Iterable[str]) -> bytes:
    """What a publication takes from the world: for each good its substances' contents, and the tonnes of a year."""
    rows = []
    for good in sorted(set(goods) & set(words.goods)):
        yearly = plain(yearly_t[good]) if good in yearly_t else ""
        contents = sorted((substance, share) for (substance, of), share in words.contents.items() if of == good)
        rows += [[good, substance, plain(share), yearly] for substance, share in contents or [("", Decimal(1))]]
    return _csv(("good", "substance", "content", "yearly_t"), rows)


def _goods(raw: bytes) -> tuple[Words, dict[str, Decimal]]:
    contents: dict[tuple[str, str], Decimal] = {}
    yearly: dict[str, Decimal] = {}
    goods: list[str] = []
    rows = csv.DictReader(io.StringIO(raw.decode("utf-8", "replace"), newline=""))
    try:
        for row in rows:
            goods.append(row["good"])
            if row["substance"]:
                contents[row["substance"], row["good"]] = Decimal(row["content"])
            if row["yearly_t"]:
                yearly[row["good"]] = Decimal(row["yearly_t"])
    except (KeyError, ArithmeticError, TypeError):
        raise InputRefused.because(
            "broken-row", "no good with its content", place=Place(GOODS, rows.line_num, 1)
        ) from None
    return Words(goods=dict.fromkeys(goods), contents=contents, countries=_Any()), yearly


class _Any(frozenset[str]):
    """Countries are looked up when a publication is made, not when it is made again."""

    def __contains__(self, _: object) -> bool:
        return True


def _last(before: Mapping[str, Any] | None) -> dict[str, tuple[date, Decimal, Decimal]]:
    """What each good's price was last worth, and since when it is carried."""
    if before is None:
        return {}
    return {
        item["good"]: (
            date.fromisoformat(item["carried_from"] or before["date"]),
            Decimal(item["price"]),
            Decimal(item["usd_t"]),
        )
        for item in before["goods"]
        if item["price"] is not None
    }


def _prices(prices: Iterable[Priced], held: Inputs, day: date) -> bytes:
    head = (
        "good", "date", "price", "currency", "per", "of", "delivery", "usd_t", "rung", "observations", "volume_t",
        "worst_left_out", "change_left_out", "worst_falsified", "change_falsified",
    )  # fmt: skip
    rows = []
    for each in prices:
        used = [judged for judged in each.judged if judged.reason == "used"]
        volume = sum((judged.volume_t or Decimal(0) for judged in used), Decimal(0))
        rows.append([
            each.good, day.isoformat(), _exact(each.price), "USD", each.per, each.of, held.rule.delivery, _exact(each.usd_t),
            each.rung, str(len(used)), plain(volume), *_worst_cells(each.left_out), *_worst_cells(each.falsified),
        ])  # fmt: skip
    return _csv(head, rows)


def _worst_cells(worst: Worst | None) -> tuple[str, str]:
    return ("", "") if worst is None else (worst.id, "unbounded" if worst.change is None else plain(worst.change))


def _working(prices: Iterable[Priced], found: Iterable[Observation]) -> bytes:
    """Every observation in the order in which it came: its fields as they came, and what became of it."""
    judged = {each.observation.id: each for priced in prices for each in priced.judged}
    rows = []
    for observation in found:
        each = judged[observation.id]
        result = "used" if each.reason == "used" else "left out"
        worth = (_text(each.rate), _text(each.usd_t), _text(each.volume_t))
        why = "" if each.reason == "used" else each.reason
        rows.append([*(observation.text[field] for field in FIELDS), *worth, result, why, each.about])
    return _csv((*FIELDS, *RESULT), rows)


def _about(
    prices: Iterable[Priced],
    held: Inputs,
    day: date,
    files: Mapping[str, bytes],
    before: Mapping[str, Any] | None,
) -> dict[str, Any]:
    rule = held.rule
    starts = reference_rule.day_after(day, rule.notice_days)
    document: dict[str, Any] = {
        "publication": "reference prices",
        "method": METHOD,
        "date": day.isoformat(),
        "in_force_from": starts.isoformat(),
        "in_force_until": reference_rule.day_after(starts, rule.holds_days).isoformat(),
        "disputes_until": reference_rule.day_after(day, rule.dispute_days).isoformat(),
        "rule": {"id": rule.id, "title": rule.title, "note": rule.note, "delivery": rule.delivery},
        "previous": None if before is None else {"date": before["date"], "digest": before["digest"]},
        "files": [
            {"name": name, "bytes": len(raw), "sha256": hashlib.sha256(raw).hexdigest()}
            for name, raw in sorted(files.items())
        ],
        "goods": [_good(each, rule.delivery) for each in prices],
    }
    document["digest"] = digest(document)
    return document


def _good(each: Priced, delivery: str) -> dict[str, Any]:
    counted: dict[str, int] = {}
    for judged in each.judged:
        counted[judged.reason] = counted.get(judged.reason, 0) + 1
    return {
        "good": each.good,
        "price": _exact(each.price) or None,
        "currency": "USD",
        "per": each.per,
        "of": each.of,
        "delivery": delivery,
        "usd_t": _exact(each.usd_t) or None,
        "rung": each.rung or None,
        "carried_from": each.carried_from.isoformat() if each.carried_from else None,
        "rungs": [
            {
                "source": tried.source,
                "observations": tried.observations,
                "reporters": tried.reporters,
                "volume_t": plain(tried.volume_t),
                "needed_t": _text(tried.needed_t) or None,
                "largest_share": _text(tried.largest_share) or None,
                "holds": tried.holds,
                "lacked": tried.lacked or None,
            }
            for tried in each.tried
        ],
        "observations": {code: counted[code] for code in REASONS if code in counted},
        "worst_left_out": _worst(each.left_out),
        "worst_falsified": _worst(each.falsified),
    }


def _worst(worst: Worst | None) -> dict[str, Any] | None:
    if worst is None:
        return None
    change = None if worst.change is None else plain(worst.change)
    return {"id": worst.id, "price": _exact(worst.price) or None, "change": change, "rung": worst.rung}


def digest(document: Mapping[str, Any]) -> str:
    """The hash that names a publication: of all that its document says but the hash itself."""
    bare = {key: value for key, value in document.items() if key != "digest"}
    return hashlib.sha256(_written(bare)).hexdigest()


def _written(document: Mapping[str, Any]) -> bytes:
    return (json.dumps(document, ensure_ascii=False, indent=1) + "\n").encode()


def _csv(head: Iterable[str], rows: Iterable[Iterable[str]]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(rows)
    return text.getvalue().encode()


def _text(value: Decimal | None) -> str:
    return "" if value is None else plain(value)


def _exact(value: Decimal | None) -> str:
    """A price with the digits of its step."""
    return "" if value is None else f"{value:f}"


# -- keeping ---------------------------------------------------------------------------------------------------------


def write(files: Mapping[str, bytes], folder: Path) -> bool:
    """Put a publication into a folder of its own; False where the very same stands there already.

    Raises
    ------
    InputRefused   a publication of the day with other bytes: what is published stays; a folder that cannot be written
    """
    if folder.exists():
        if dict(_files(folder)) == dict(files):
            return False
        hint = "a correction is a publication of a later day"
        raise InputRefused.because("published", f"{folder} holds another publication", path="--out", hint=hint)
    parts = folder.with_name(f".{folder.name}.partial")
    try:
        _remove(parts)
        for name, raw in files.items():
            (parts / name).parent.mkdir(parents=True, exist_ok=True)
            (parts / name).write_bytes(raw)
        parts.rename(folder)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        message = f"{folder} cannot be written: {reason}"
        raise InputRefused.because("not-writable", message, path="--out") from None
    return True


def load(folder: Path) -> Ladder:
    """The publications of a folder, or the one that it is.

    Raises
    ------
    InputRefused   none there, one whose document is not what its digest says, or one that is not what the next was made from
    """
    places = [folder / DOCUMENT] if (folder / DOCUMENT).exists() else sorted(folder.glob(f"[0-9]*/{DOCUMENT}"))
    if not places:
        hint = "friendshore reference publish --date DAY OBSERVATIONS --out DIR writes one"
        raise InputRefused.because("no-publication", f"{folder} holds no publication", path="--reference", hint=hint)
    documents = [_document(place.read_bytes(), str(place)) for place in places]
    digests = {each["date"]: (each["digest"], str(place)) for each, place in zip(documents, places, strict=True)}
    problems = [
        Problem("altered", f"{held[1]} is {held[0][:12]}, not the {said['digest'][:12]} that {each['date']} was made from",
                hint="put the publication back that was published")
        for each in documents
        if (said := each["previous"]) is not None
        and (held := digests.get(said["date"], (said["digest"], "")))[0] != said["digest"]
    ]  # fmt: skip
    if problems:
        raise InputRefused(problems)
    return Ladder(tuple(sorted(documents, key=lambda each: (each["in_force_from"], each["date"]))))


def latest(folder: Path, day: date) -> bytes | None:
    """The document of the last publication before a day; none where there is none.

    Raises
    ------
    InputRefused   a later one exists: publications follow one another; or the last is not what its digest says
    """
    places = sorted(folder.glob(f"[0-9]*/{DOCUMENT}"))
    later = [place for place in places if place.parent.name > day.isoformat()]
    if later:
        message = f"{later[-1].parent.name} is published already, and rests on what was before it"
        raise InputRefused.because("out-of-order", message, path="--date", hint="publish in the order of days")
    earlier = [place for place in places if place.parent.name < day.isoformat()]
    if not earlier:
        return None
    raw = earlier[-1].read_bytes()
    _document(raw, str(earlier[-1]))
    return raw


def goods_of(raw: bytes) -> set[str]:
    """The goods that a publication's document speaks of."""
    return {item["good"] for item in _document(raw, DOCUMENT)["goods"]}


def _document(raw: bytes, name: str) -> Mapping[str, Any]:
    try:
        document = json.loads(raw.decode("utf-8"))
        held = document["digest"]
        whole = held == digest(document) and document["publication"] == "reference prices"
    except (ValueError, KeyError, TypeError):
        raise InputRefused.because("no-publication", f"{name} is no publication's document") from None
    if not whole:
        hint = "friendshore reference replay shows what differs"
        raise InputRefused.because("altered", f"{name} is not what its digest says", hint=hint)
    if document["method"] > METHOD:
        message = f"{name} was made by method {document['method']}; this version knows methods up to {METHOD}"
        raise InputRefused.because("other-method", message, hint="use the version that published it, or a later one")
    found: Mapping[str, Any] = document
    return found


def _published(document: Mapping[str, Any], item: Mapping[str, Any], starts: date, until: date) -> Published:
    return Published(
        good=item["good"], price=Decimal(item["price"]), per=item["per"], of=item["of"], usd_t=Decimal(item["usd_t"]),
        delivery=item["delivery"], rung=item["rung"], published=date.fromisoformat(document["date"]), starts=starts,
        until=until, digest=document["digest"],
    )  # fmt: skip


def _files(folder: Path) -> Iterator[tuple[str, bytes]]:
    for place in sorted(folder.rglob("*")):
        if place.is_file():
            yield place.relative_to(folder).as_posix(), place.read_bytes()


def _remove(folder: Path) -> None:
    if folder.exists():
        for place in sorted(folder.rglob("*"), reverse=True):
            place.rmdir() if place.is_dir() else place.unlink()
        folder.rmdir()


# -- repeating -------------------------------------------------------------------------------------------------------


def replay(folder: Path) -> tuple[str, int, tuple[Difference, ...]]:
    """Make a publication again from its inputs and compare every byte.

    Returns
    -------
    digest : of the publication as it stands
    files : how many were compared
    differences : every one, in the order of files; none where it is reproduced

    Raises
    ------
    InputRefused   no publication, one by another method
    """
    if not (folder / DOCUMENT).exists():
        raise InputRefused.because("no-publication", f"{folder} holds no {DOCUMENT}", hint="the folder of one day")
    there = dict(_files(folder))
    try:
        document = json.loads(there[DOCUMENT])
        day, listed = date.fromisoformat(document["date"]), {each["name"]: each for each in document["files"]}
        method, said = document["method"], str(document["digest"])
    except (ValueError, KeyError, TypeError):
        raise InputRefused.because("no-publication", f"{folder / DOCUMENT} is no publication's document") from None
    if method != METHOD:
        message = f"{folder} was made by method {method}; this version has method {METHOD}"
        raise InputRefused.because("other-method", message, hint="use the version that published it")
    found = [*_against_the_list(there, listed)]
    if (actual := digest(document)) != said:
        found.append(Difference(DOCUMENT, "digest", said, actual))
    inputs = {name: raw for name, raw in there.items() if name.startswith("inputs/")}
    found += _against_the_one_before(folder, inputs.get(BEFORE), document["previous"])
    try:
        again = made(inputs, day)
    except InputRefused as refused:
        found += [Difference(str(each.place or ""), each.path, "read", each.message) for each in refused.problems]
        return said, len(there), tuple(found)
    except KeyError as missing:
        found.append(Difference(str(missing.args[0]), "", "an input", "missing"))
        return said, len(there), tuple(found)
    for name in (WORKING, PRICES, DOCUMENT):
        if (held := there.get(name)) is not None and held != again[name]:
            found += _apart(name, held, again[name])
    return said, len(there), tuple(found)


def _against_the_list(there: Mapping[str, bytes], listed: Mapping[str, Any]) -> Iterator[Difference]:
    """Files that are missing, added, or not those that were published."""
    for name in sorted({*there, *listed} - {DOCUMENT}):
        if name not in there:
            yield Difference(name, "", "published", "missing")
        elif name not in listed:
            yield Difference(name, "", "not published", "added")
        elif (now := hashlib.sha256(there[name]).hexdigest()) != (was := str(listed[name]["sha256"])):
            yield Difference(name, "sha256", was[:12], now[:12])


def _against_the_one_before(
    folder: Path, kept: bytes | None, previous: Mapping[str, Any] | None
) -> Iterator[Difference]:
    """Whether the publication before still is what this one was made from, where it stands beside it."""
    if kept is None or previous is None:
        return
    place = folder.resolve().parent / str(previous["date"]) / DOCUMENT
    if place.exists() and (raw := place.read_bytes()) != kept:
        was, now = (hashlib.sha256(each).hexdigest()[:12] for each in (kept, raw))
        yield Difference(f"../{previous['date']}/{DOCUMENT}", "sha256", was, now)


def _apart(name: str, was: bytes, now: bytes) -> list[Difference]:
    """Where two versions of a file differ: by row and column, or by the path of the value."""
    try:
        pairs = _rows_apart(was, now) if name.endswith(".csv") else _values_apart(json.loads(was), json.loads(now))
        found = [Difference(name, where, old, new) for where, old, new in pairs]
    except ValueError:
        found = []
    if not found:
        found = [Difference(name, "bytes", str(len(was)), str(len(now)))]
    return found[:DIFFERENCES_MAX]


def _rows_apart(was: bytes, now: bytes) -> Iterator[tuple[str, str, str]]:
    old, new = (list(csv.DictReader(io.StringIO(raw.decode("utf-8", "replace"), newline=""))) for raw in (was, now))
    if not old or not new:
        return
    key = next(iter(old[0]))
    before, after = ({row[key]: row for row in rows} for rows in (old, new))
    for name in [*before, *(name for name in after if name not in before)]:
        if name not in after:
            yield name, "there", "not there"
        elif name not in before:
            yield name, "not there", "there"
        else:
            for column in before[name]:
                one, other = before[name][column], after[name].get(column, "")
                if one != other:
                    yield f"{name}, {column}", one or "nothing", other or "nothing"


def _values_apart(was: Any, now: Any, path: str = "") -> Iterator[tuple[str, str, str]]:
    if isinstance(was, dict) and isinstance(now, dict):
        for key in dict.fromkeys([*was, *now]):
            yield from _values_apart(was.get(key), now.get(key), f"{path}.{key}" if path else key)
    elif isinstance(was, list) and isinstance(now, list):
        for number in range(max(len(was), len(now))):
            one, other = (held[number] if number < len(held) else None for held in (was, now))
            named = one if isinstance(one, dict) else other
            name = named.get("good") or named.get("name") or named.get("source") if isinstance(named, dict) else None
            yield from _values_apart(one, other, f"{path}[{name or number}]")
    elif was != now:
        yield path, json.dumps(was), json.dumps(now)
