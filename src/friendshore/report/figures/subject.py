"""What is a figure about? A study with the world and the agreement behind it, the reader's language and the country viewed from.

Every figure reads this and nothing else. What several figures ask for stands here once: names, sides, prices, chains.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import polars as pl

from friendshore.faces import Lane, Quota
from friendshore.headline import CODE, Places, places
from friendshore.run import DEFAULT, Assumptions, compare, measures
from friendshore.world.show import STAGES

if TYPE_CHECKING:
    from friendshore.agreement.document import Agreement
    from friendshore.faces import Wedge
    from friendshore.outcome import Outcome
    from friendshore.report.words import Words
    from friendshore.study import Study
    from friendshore.world.tables import World

MARK = "\u2020"  # beside what rests on an illustrative level


@dataclass(frozen=True)
class Subject:
    """A study as figures need it.

    Parameters
    ----------
    view : code of the country or customs union that the report speaks to; None for all parties
    assume, shocks : those that the study was run with
    """

    study: Study
    words: Words
    view: str | None
    world: World
    deal: Agreement
    assume: Assumptions = DEFAULT
    shocks: tuple[Wedge, ...] = ()

    @property
    def before(self) -> Outcome:
        return self.study.outcomes["before"]

    @property
    def after(self) -> Outcome:
        return self.study.outcomes["agreement"]

    @cached_property
    def at(self) -> Places:
        return places(self.world, frozenset(self.study.parties))

    @cached_property
    def minerals(self) -> dict[str, str]:
        """Good -> mineral."""
        return dict(self.world.goods.select("id", "mineral").iter_rows())

    @cached_property
    def order(self) -> dict[str, int]:
        """Stage -> its place along the chain."""
        return {stage: k for k, stage in enumerate(STAGES)}

    @cached_property
    def chosen(self) -> str:
        """The good that the agreement levies most, or else floors first, or else moves most: figures open on its mineral."""
        levied = self.study.levies.group_by("good").agg(pl.col("levy_usd").sum()).sort(["levy_usd", "good"])
        if levied.height:
            return str(levied["good"][-1])
        if self.study.floors.height:
            return str(self.study.floors["good"][0])
        moved = self.changes.group_by("good").agg(usd=pl.col("usd").abs().sum()).sort(["usd", "good"])
        return str(moved.filter(pl.col("good") != "")["good"][-1])

    @cached_property
    def limited(self) -> dict[str, Lane]:
        """Clause -> the flow that a licence or quota of one exporter limits."""
        wedges = measures(self.world, self.deal, self.study.as_of, self.assume)[0]
        return {w.clause: w.lane for w in wedges if isinstance(w, Quota) and len(w.lane.exporters) == 1}

    @cached_property
    def illustrative(self) -> frozenset[str]:
        """Goods whose floor stands on an illustrative level."""
        return frozenset(self.study.floors.filter(pl.col("illustrative"))["good"])

    @cached_property
    def viewed(self) -> frozenset[str]:
        """Accounts of the view: the country, or the members of the union and its budget; all parties' without a view."""
        if self.view is None:
            return self.at.inside
        return frozenset({self.view, *(code for code, union in self.at.union.items() if union == self.view)})

    @cached_property
    def changes(self) -> pl.DataFrame:
        """country, item, good, usd: agreement less status quo, every line of every account."""
        keys = ["country", "item", "good"]
        both = self.before.by_good.join(self.after.by_good, on=keys, how="full", suffix="_after", coalesce=True)
        usd = pl.col("usd_after").fill_null(0.0) - pl.col("usd").fill_null(0.0)
        return both.select(*keys, usd=usd).sort(keys)

    @cached_property
    def gains(self) -> dict[str, float]:
        """Holder of an account -> change of it, USD a year."""
        table = compare(self.before, self.after).by_country().group_by("country").agg(pl.col("usd").sum())
        return {code: float(usd) for code, usd in table.sort("country").iter_rows()}

    def mineral_goods(self, mineral: str) -> list[str]:
        """Goods of a mineral, along its chain."""
        stage = self.at.stage
        held = [good for good, one in self.minerals.items() if one == mineral]
        return sorted(held, key=lambda good: (self.order.get(stage.get(good, ""), 9), good))

    def name(self, code: str) -> str:
        """A holder's name in the reader's language."""
        return self.words.country(code) if len(code) <= CODE else code.replace(" (parent company)", "")

    def good(self, good: str) -> str:
        """A good's name, marked where its floor is illustrative."""
        return self.words.good(good) + (f" {MARK}" if good in self.illustrative else "")

    @cached_property
    def ranges(self) -> dict[tuple[str, str], tuple[float, float]]:
        """What is measured and of whom -> the least and the most of it over the readings that were solved."""
        known = self.study.bands.filter(pl.col("low").is_not_null())
        return {(of, who): (low, high) for of, who, low, high in known.select("of", "who", "low", "high").iter_rows()}

    @cached_property
    def line_ranges(self) -> dict[tuple[str, str, str], tuple[float, float]]:
        """Holder, item and good of a line of an account -> the least and the most of it, where that is known."""
        known = self.study.lines.filter(pl.col("low").is_not_null())
        keys = ("country", "item", "good")
        return {(c, i, g): (low, high) for c, i, g, low, high in known.select(*keys, "low", "high").iter_rows()}

    @cached_property
    def price_ranges(self) -> dict[tuple[str, str], tuple[float, float]]:
        """Good and side (inside, outside) -> the least and the most of its price under the agreement, USD/t, where known."""
        known = self.study.price_ranges.filter(pl.col("low").is_not_null())
        return {
            (good, side): (low, high)
            for good, side, low, high in known.select("good", "side", "low", "high").iter_rows()
        }

    def range_of(self, of: str, who: str) -> tuple[float | None, float | None]:
        """The least and the most of an amount; none where it is not known."""
        return self.ranges.get((of, who), (None, None))

    def range_text(self, of: str, who: str) -> str:
        """The same in words."""
        low, high = self.range_of(of, who)
        if low is None or high is None:
            return self.words.say("range.unknown")
        return self.words.say("range.known", low=low, high=high)

    def range_note(self) -> tuple[str, ...]:
        """What a range means, or that there is none."""
        return (self.words.say("range.note", n=self.study.readings) if self.ranges else self.words.say("range.none"),)

    def caption(self, goods: Iterable[str] = ()) -> str:
        """World, outcome and, where one of the goods drawn carries the mark, what the mark says."""
        said = [
            self.words.say(
                "figure.caption",
                world=self.study.world_name,
                deal=self.study.deal_id,
                day=self.words.day(self.study.as_of),
                outcome=self.study.digest,
            )
        ]
        if self.illustrative.intersection(goods):
            said.append(self.words.say("figure.illustrative", mark=MARK))
        return " ".join(said)
