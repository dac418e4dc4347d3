"""Reference prices: what the ladder makes of a day's observations, and how far one of them could have moved each price.

A pure function of observations, rule, exchange rates and contents, in exact decimals: the same inputs give the same price
for ever. Reading observations is left to `observations`, writing and repeating a publication to `publication`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext
from itertools import accumulate

from friendshore.border.observations import Observation
from friendshore.border.rates import Rates
from friendshore.border.reference_rule import Rule, Rung, Words
from friendshore.border.terms import DELIVERY
from friendshore.errors import InputRefused
from friendshore.units import TONNES_PER, to_cent, tonnes, usd_per_contained_tonne

EXACT = Context(prec=40, rounding=ROUND_HALF_EVEN)
MICRO = Decimal("0.000001")
NOUGHT, ONE, HALF = Decimal(0), Decimal(1), Decimal("0.5")

# Why an observation does not stand in the price, in the order in which it is asked.
REASONS = {
    "used": "counts",
    "X01": "dated after the date of publication",
    "X02": "reported after the date of publication",
    "X03": "older than the rung allows",
    "X04": "between related parties",
    "X05": "goods of an economy that is not taken for a market",
    "X06": "another grade than the good's price is for",
    "X07": "no exchange rate holds on its day",
    "X08": "its term of delivery cannot be brought to the rule's: freight or insurance is not stated",
    "X09": "no volume is stated, and the rung weighs by volume",
    "X10": "below the least volume of one observation",
    "X11": "trimmed: among the cheapest",
    "X12": "trimmed: among the dearest",
    "X13": "its rung fell short",
    "X14": "a higher rung gave the price",
    "X15": "the rule has no rung for it",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """All that a publication rests on besides the observations.

    Parameters
    ----------
    rates : currency -> USD for one unit by day, in order of days
    words : goods, contents and countries
    yearly_t : good -> contained tonnes that the world trades and uses in a year, for volumes that are stated as a share
    before : good -> (date, price, USD per contained tonne) of the publication before
    """

    rule: Rule
    words: Words
    rates: Rates
    yearly_t: Mapping[str, Decimal]
    before: Mapping[str, tuple[date, Decimal, Decimal]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """An observation with what became of it: its price on the rule's basis in USD per contained tonne, its volume, why."""

    observation: Observation
    reason: str
    usd_t: Decimal | None = None
    volume_t: Decimal | None = None
    rate: Decimal | None = None
    about: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """A rung and what it found: how many observations, reporters and tonnes, and what it lacked."""

    source: str
    observations: int
    reporters: int
    volume_t: Decimal
    needed_t: Decimal | None
    largest_share: Decimal | None
    lacked: str

    @property
    def holds(self) -> bool:
        """Whether it gave a price."""
        return not self.lacked


@dataclass(frozen=True, slots=True, kw_only=True)
class Worst:
    """The single observation that moves the price most: left out, or with a false price however far off."""

    id: str
    price: Decimal | None
    change: Decimal | None
    rung: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Priced:
    """The reference price of one good, with its working.

    `price` is in USD per `per` of `of`, on the rule's basis; none where no rung held and nothing could be carried.
    """

    good: str
    price: Decimal | None
    usd_t: Decimal | None
    per: str
    of: str
    rung: str
    carried_from: date | None = None
    tried: tuple[Tried, ...] = ()
    judged: tuple[Judged, ...] = ()
    left_out: Worst | None = None
    falsified: Worst | None = None


def publish(observations: Iterable[Observation], day: date, inputs: Inputs) -> tuple[Priced, ...]:
    """The reference price of every good that is observed or was published before, as of a day.

    price = median, weighed as the rung says, of what is left when a share at each end is set aside;
    the first rung that has enough observations, reporters and volume gives it

    Returns
    -------
    prices : by good, in alphabetical order

    Raises
    ------
    InputRefused   a price that the rule's step rounds to nought
    """
    by_good: dict[str, list[Observation]] = {good: [] for good in inputs.before}
    for each in observations:
        by_good.setdefault(each.good, []).append(each)
    with localcontext(EXACT):
        return tuple(_priced(good, by_good[good], day, inputs) for good in sorted(by_good))


def _priced(good: str, observations: list[Observation], day: date, inputs: Inputs) -> Priced:
    rule, own = inputs.rule, inputs.rule.of(good)
    judged = [_judge(each, day, inputs) for each in observations]
    tried: list[Tried] = []
    chosen: Rung | None = None
    held: list[Judged] = []
    for name in (rung.source for rung in rule.rungs):
        rung = rule.rung(name, good)
        assert rung is not None
        mine = _sorted(each for each in judged if each.observation.source == name and each.reason == "used")
        if chosen is None:
            tried.append(_Sums.of(mine).tried(rung, inputs.yearly_t.get(good)))
            if tried[-1].holds:
                chosen, held = rung, mine
    outcome = {each.observation.id: each for each in _set_aside(judged, chosen, held, rule)}
    basis = Priced(
        good=good, price=None, usd_t=None, per=own.per, of=own.of or good, rung="", tried=tuple(tried),
        judged=tuple(outcome[each.id] for each in observations),
    )  # fmt: skip
    if chosen is None:
        carried = _carried(basis, day, inputs)
        lifted = _lifted(carried, inputs) if carried.price is not None else []
        return replace(carried, left_out=max(lifted, key=_size, default=None))
    series = _Series(held, chosen)
    price = _price(series.median(), basis, inputs)
    if not price:
        step = plain(rule.step(good))
        message = f"{good}: {plain(series.median())} USD/t is nought per {own.per} of {basis.of} in steps of {step} USD"
        raise InputRefused.because("step-too-wide", message, path="round_to", hint="a smaller step, or a larger mass")
    found = replace(basis, price=price, usd_t=_usd_t(price, basis, inputs), rung=chosen.source)
    return _with_worst(found, series, held, chosen, day, inputs)


# -- one observation -------------------------------------------------------------------------------------------------


def _judge(each: Observation, day: date, inputs: Inputs) -> Judged:
    """Whether an observation may count, and what it comes to on the rule's basis."""
    rule, rung = inputs.rule, inputs.rule.rung(each.source, each.good)
    if rung is None:
        return Judged(observation=each, reason="X15")
    content = inputs.words.content(each.of, each.good)
    assert content is not None  # the reader refuses a substance that the good is not priced by
    volume = None if each.volume is None else _micro(tonnes(each.volume, each.volume_unit) * content)
    rate = _rate(each, inputs)
    landed = _delivered(each, rule.delivery)
    usd_t = None
    if rate is not None and landed is not None:
        usd_t = _micro(usd_per_contained_tonne(landed, per=each.per, content=content, usd_per_currency=rate))
    no_market = rule.not_market_economies
    checks = (
        ("X01", each.day > day, f"{each.day}"),
        ("X02", each.reported is not None and each.reported > day, f"{each.reported}"),
        ("X03", each.day < day - timedelta(days=rung.days), f"{(day - each.day).days} days, {rung.days} allowed"),
        ("X04", rung.unrelated and each.related, ""),
        (
            "X05",
            rung.market_economies and no_market is not None and each.origin in no_market.countries,
            each.origin,
        ),
        ("X06", bool(rule.of(each.good).grades) and each.grade not in rule.of(each.good).grades, each.grade or "none"),
        ("X07", rate is None, f"{each.currency} on {each.day}"),
        ("X08", landed is None, f"{each.delivery} to {rule.delivery}"),
        ("X09", rung.weigh == "volume" and volume is None, ""),
        ("X10", volume is not None and volume < rung.least_t, f"{volume} t, {rung.least_t} t asked"),
    )
    reason, about = next(((code, about) for code, met, about in checks if met), ("used", ""))
    return Judged(observation=each, reason=reason, usd_t=usd_t, volume_t=volume, rate=rate, about=about)


def _rate(each: Observation, inputs: Inputs) -> Decimal | None:
    """USD for one unit of its currency: the last rate on or before its day, not older than the rule allows."""
    if each.currency == "USD":
        return ONE
    held = [rate for rate in inputs.rates.get(each.currency, ()) if rate.day <= each.day]
    if not held or (each.day - held[-1].day).days > inputs.rule.rate_days:
        return None
    return held[-1].usd


def _delivered(each: Observation, basis: str) -> Decimal | None:
    """Its price on the rule's basis: freight and insurance added or taken off; none where they are needed and not stated.

    A price ex works is brought to cif by freight from the works; to fob it cannot be brought.
    """
    holds = DELIVERY[each.delivery]
    if basis == "cif":
        more = (each.freight, each.insurance) if holds == 0 else (each.insurance,) if holds == 1 else ()
        return None if None in more else each.price + sum((part for part in more if part is not None), NOUGHT)
    if each.delivery == "EXW":
        return None
    less = () if holds == 0 else (each.freight,) if holds == 1 else (each.freight, each.insurance)
    left = None if None in less else each.price - sum((part for part in less if part is not None), NOUGHT)
    return left if left is not None and left > 0 else None


# -- one rung --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Sums:
    """What a rung's conditions are tested on: how many observations, and by reporter how many and how much."""

    by_reporter: Mapping[str, tuple[int, Decimal]]
    count: int
    volume: Decimal
    largest: tuple[tuple[Decimal, str], ...]  # the two largest volumes, with whose they are

    @classmethod
    def of(cls, held: Iterable[Judged]) -> _Sums:
        found: dict[str, tuple[int, Decimal]] = {}
        for each in held:
            count, volume = found.get(each.observation.reporter, (0, NOUGHT))
            found[each.observation.reporter] = (count + 1, volume + (each.volume_t or NOUGHT))
        ordered = sorted(((volume, name) for name, (_, volume) in found.items()), reverse=True)
        count, volume = sum(number for number, _ in found.values()), sum((held for held, _ in ordered), NOUGHT)
        return cls(found, count, volume, tuple(ordered[:2]))

    def tried(self, rung: Rung, yearly: Decimal | None, without: Judged | None = None) -> Tried:
        """Whether a rung has what it needs; `without` one of the observations where one is named."""
        count, volume = self.count, self.volume
        reporters, most = len(self.by_reporter), self.largest[0][0] if self.largest else NOUGHT
        if without is not None:
            name, less = without.observation.reporter, without.volume_t or NOUGHT
            own = self.by_reporter[name]
            count, volume, reporters = count - 1, volume - less, reporters - (own[0] == 1)
            most = max([own[1] - less, *(held for held, whose in self.largest if whose != name)])
        needed = rung.volume_t
        if rung.volume_share is not None and yearly is not None:
            needed = _micro(rung.volume_share * yearly)
        share = _micro(most / volume) if volume else None
        lacks = (
            (count < rung.observations, f"{count} of {rung.observations} observations"),
            (reporters < rung.reporters, f"{reporters} of {rung.reporters} reporters"),
            (needed is not None and volume < needed, f"{plain(volume)} t of {plain(needed or NOUGHT)} t"),
            (rung.volume_share is not None and yearly is None, "how much is traded in a year is not known"),
            (
                share is not None and share > rung.largest_share,
                f"one has {(share or NOUGHT) * 100:.1f} % of it, {rung.largest_share * 100:.0f} % at most",
            ),
        )
        return Tried(
            source=rung.source, observations=count, reporters=reporters, volume_t=volume, needed_t=needed,
            largest_share=share, lacked="; ".join(words for met, words in lacks if met),
        )  # fmt: skip


def plain(value: Decimal) -> str:
    """A number without a trail of noughts and without an exponent.

    >>> plain(Decimal("1200.500000")), plain(Decimal("1E+3"))
    ('1200.5', '1000')
    """
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _sorted(held: Iterable[Judged]) -> list[Judged]:
    """By price; of equal prices by id, so that the order is one."""
    return sorted(held, key=lambda each: (each.usd_t, each.observation.id))


def _set_aside(judged: Iterable[Judged], chosen: Rung | None, held: Sequence[Judged], rule: Rule) -> list[Judged]:
    """What became of each: trimmed, of a rung that fell short, or of one that was not asked."""
    ends = int(chosen.trim * len(held)) if chosen is not None else 0
    low = {each.observation.id for each in held[:ends]}
    high = {each.observation.id for each in held[len(held) - ends :]}
    order: dict[str, int] = {rung.source: number for number, rung in enumerate(rule.rungs)}
    found = []
    for each in judged:
        key, source = each.observation.id, each.observation.source
        reason = each.reason
        if reason == "used" and (chosen is None or source != chosen.source):
            reason = "X13" if chosen is None or order[source] < order[chosen.source] else "X14"
        elif reason == "used":
            reason = "X11" if key in low else "X12" if key in high else "used"
        found.append(replace(each, reason=reason))
    return found


class _Series:
    """The observations of a rung in order of price, the median of them, and where it goes without one or with one false."""

    def __init__(self, held: Sequence[Judged], rung: Rung) -> None:
        self.rung = rung
        self.price = [each.usd_t or NOUGHT for each in held]
        weighed = rung.weigh == "volume"
        self.weight = [(each.volume_t or NOUGHT) if weighed else ONE for each in held]
        self.sums = [NOUGHT, *accumulate(self.weight)]

    def median(self, without: int | None = None) -> Decimal:
        """The price at which half of the weight lies below, and half above; between two, their mean."""
        number = len(self.price) - (without is not None)
        ends = self._ends(number)
        return self._middle(ends, number - ends, without)

    def reach(self, place: int) -> tuple[Decimal, Decimal] | None:
        """The lowest and the highest median that the observation at a place can make by its own price, none where unbounded.

        As its price rises it is trimmed among the cheapest, then kept, then trimmed among the dearest. While it is kept the
        median rises with it; so each way the furthest is either at the edge of what is kept or beyond it, and often it is
        at the edge: an observation of much weight does most just short of being trimmed.
        """
        others, own = len(self.price) - 1, self.weight[place]
        ends = self._ends(others + 1)
        first, last = ends, others - ends  # of the others, what is kept beside it
        rest = self._sum(last, place) - self._sum(first, place)
        if own < rest:
            lowest = self._middle(first, last, place, below=own)
            highest = self._middle(first, last, place, above=own)
        elif not ends:
            return None
        else:  # the median is its own price, or the mean of that with the next
            low, high = self._at(first - 1, place), self._at(last, place)
            lowest = (low + self._at(first, place)) * HALF if own == rest else low
            highest = (high + self._at(last - 1, place)) * HALF if own == rest else high
        if ends:  # trimmed itself, one fewer of the others is
            lowest = min(lowest, self._middle(first - 1, last, place))
            highest = max(highest, self._middle(first, last + 1, place))
        return lowest, highest

    def _ends(self, number: int) -> int:
        """How many of a number are trimmed at each end."""
        return int(self.rung.trim * number)

    def _middle(
        self, first: int, last: int, without: int | None, *, below: Decimal = NOUGHT, above: Decimal = NOUGHT
    ) -> Decimal:
        """The weighed median of a stretch of the order without one, with so much weight more at its cheap or dear end."""
        start = self._sum(first, without)
        half = (self._sum(last, without) - start + below + above) * HALF
        keys = _Cumulated(self, without, below - start)
        place = bisect_left(keys, half, first, last)
        if keys[place] == half and place + 1 < last:
            return (self._at(place, without) + self._at(place + 1, without)) * HALF
        return self._at(place, without)

    def _sum(self, count: int, without: int | None) -> Decimal:
        """Weight of the first `count` of the order without one."""
        if without is None or count <= without:
            return self.sums[count]
        return self.sums[count + 1] - self.weight[without]

    def _at(self, place: int, without: int | None) -> Decimal:
        return self.price[place if without is None or place < without else place + 1]


class _Cumulated(Sequence[Decimal]):
    """Weight up to and with each place of an order without one, for a search by halves."""

    def __init__(self, series: _Series, without: int | None, more: Decimal) -> None:
        self.series, self.without, self.more = series, without, more

    def __len__(self) -> int:
        return len(self.series.price) - (self.without is not None)

    def __getitem__(self, place: int) -> Decimal:  # type: ignore[override]
        return self.series._sum(place + 1, self.without) + self.more


# -- one good --------------------------------------------------------------------------------------------------------


def _with_worst(
    found: Priced, series: _Series, held: Sequence[Judged], rung: Rung, day: date, inputs: Inputs
) -> Priced:
    """How far one observation moves the price: left out (the ladder falls back if it must), or with a false price.

    Where nothing bounds what a false price does, the change is not stated.
    """
    assert found.price is not None
    sums, yearly = _Sums.of(held), inputs.yearly_t.get(found.good)
    lower: Priced | None = None
    left_out = _lifted(found, inputs)
    falsified: list[Worst] = []
    for place, each in enumerate(held):
        key = each.observation.id
        if sums.tried(rung, yearly, without=each).holds:
            left_out.append(_worst(key, _price(series.median(place), found, inputs), found, rung.source))
        else:
            lower = lower or _fall_back(found, rung, day, inputs)
            left_out.append(_worst(key, lower.price, found, lower.rung or "none"))
        for median in series.reach(place) or (None,):
            price = None if median is None else _price(median, found, inputs)
            falsified.append(_worst(key, price, found, rung.source))
    return replace(found, left_out=max(left_out, key=_size), falsified=max(falsified, key=_size))


def _lifted(found: Priced, inputs: Inputs) -> list[Worst]:
    """What the rungs that fell short would give without one of theirs: a reporter with too much may then have little enough."""
    lifted: list[Worst] = []
    yearly = inputs.yearly_t.get(found.good)
    for name in (tried.source for tried in found.tried if not tried.holds):
        rung = inputs.rule.rung(name, found.good)
        assert rung is not None
        mine = _sorted(each for each in found.judged if each.observation.source == name and each.reason == "X13")
        sums, series = _Sums.of(mine), _Series(mine, rung)
        for place, each in enumerate(mine):
            if sums.tried(rung, yearly, without=each).holds:
                price = _price(series.median(place), found, inputs)
                lifted.append(_worst(each.observation.id, price, found, rung.source))
    return lifted


def _worst(key: str, price: Decimal | None, found: Priced, rung: str) -> Worst:
    assert found.price is not None
    return Worst(id=key, price=price, change=None if price is None else _change(price, found.price), rung=rung)


def _fall_back(found: Priced, rung: Rung, day: date, inputs: Inputs) -> Priced:
    """What the rungs below would have given."""
    below = False
    bare = replace(found, price=None, usd_t=None, rung="", tried=(), left_out=None, falsified=None)
    for name in (each.source for each in inputs.rule.rungs):
        if not below:
            below = name == rung.source
            continue
        lower = inputs.rule.rung(name, found.good)
        assert lower is not None
        mine = _sorted(each for each in found.judged if each.observation.source == name and each.reason == "X14")
        if _Sums.of(mine).tried(lower, inputs.yearly_t.get(found.good)).holds:
            return replace(bare, price=_price(_Series(mine, lower).median(), bare, inputs), rung=name)
    return _carried(bare, day, inputs)


def _carried(found: Priced, day: date, inputs: Inputs) -> Priced:
    """The price that was published before, if it is not too old to stand."""
    if (last := inputs.before.get(found.good)) is None or (day - last[0]).days > inputs.rule.carry_days:
        return found
    return replace(found, price=last[1], usd_t=last[2], rung="carried", carried_from=last[0])


def _size(worst: Worst) -> tuple[bool, Decimal, str]:
    """The larger change first; one without bound before all."""
    return (worst.change is None, abs(worst.change or NOUGHT), worst.id)


def _price(usd_t: Decimal, basis: Priced, inputs: Inputs) -> Decimal:
    """USD per contained tonne as a price in the good's unit, to its step, halves to the even one."""
    content = inputs.words.content(basis.of, basis.good)
    assert content is not None
    step = inputs.rule.step(basis.good)
    exact = usd_t * TONNES_PER[basis.per] * content
    return (exact / step).quantize(ONE, ROUND_HALF_EVEN) * step


def _usd_t(price: Decimal, basis: Priced, inputs: Inputs) -> Decimal:
    """The published price in USD per contained tonne, to the cent: what the border compares with."""
    content = inputs.words.content(basis.of, basis.good)
    assert content is not None
    return to_cent(usd_per_contained_tonne(price, per=basis.per, content=content))


def _change(price: Decimal, before: Decimal) -> Decimal:
    return (price / before - 1).quantize(MICRO, ROUND_HALF_EVEN)


def _micro(value: Decimal) -> Decimal:
    return value.quantize(MICRO, ROUND_HALF_EVEN)
