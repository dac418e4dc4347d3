"""Which safeguards are acted on, and which clauses are suspended, on which days: decisions, dated, as a file of rows.

An agreement says what a safeguard would do; that it was triggered is a fact of the day, which only those who decided can
state. What the agreement's clauses are called is handed in; leaving out what is paused is left to the law of the day.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from friendshore.border.side_file import rows
from friendshore.errors import InputRefused, Place, Problem, did_you_mean

COLUMNS = ("clause", "state", "from", "until", "decision")
TRIGGERED, SUSPENDED = "triggered", "suspended"
ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """A safeguard as the border needs it: what it pauses and applies, and the last day of an action that begins on a day.

    `first`, `last` : the days on which it can be invoked; `last` none where it is open-ended
    """

    pauses: frozenset[str]
    applies: frozenset[str] = frozenset()
    months: int
    first: date
    last: date | None = None

    def ends(self, began: date) -> date:
        """The last day of an action that began on a day."""
        year, month = divmod(began.year * 12 + began.month - 1 + self.months, 12)
        same, first = began.day, date(year, month + 1, 1)
        following = (first + timedelta(days=31)).replace(day=1)
        return min(first + timedelta(days=same - 1), following - ONE_DAY) - ONE_DAY


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """One decision: a clause is suspended, or a safeguard acted on, from a day to a day, both included."""

    clause: str
    state: str
    starts: date
    until: date | None
    decision: str

    def holds(self, day: date) -> bool:
        """Whether it holds on a day."""
        return self.starts <= day and (self.until is None or day <= self.until)


def read(file: Path, guards: Mapping[str, Guard], clauses: Iterable[str]) -> tuple[State, ...]:
    """The decisions of a CSV file with `clause`, `state`, `from`, `until` and `decision`.

    Parameters
    ----------
    file : one row for each decision; `state` is `triggered` (of a safeguard) or `suspended` (of any clause)
    guards : the agreement's safeguards, by id
    clauses : ids of all its clauses

    Raises
    ------
    InputRefused   unknown clauses, states and days, an action longer than its safeguard allows or on a day on which it
        cannot be invoked, two decisions on one clause that overlap; all at once, each at its line
    """
    known, problems, found = frozenset(clauses), list[Problem](), list[tuple[State, Place]]()
    for cells, where in rows(file, COLUMNS, COLUMNS[:3], option="--state"):
        wrongs = _wrong(cells, guards, known)
        problems += [Problem(code, message, where, path, hint) for code, message, path, hint in wrongs]
        if not wrongs:
            found.append((_state(cells, guards), where))
    problems += _overlaps(found)
    if problems:
        raise InputRefused(problems)
    return tuple(sorted((state for state, _ in found), key=lambda each: (each.starts, each.clause, each.state)))


def paused(states: Iterable[State], guards: Mapping[str, Guard], day: date) -> dict[str, str]:
    """The clauses that do not apply on a day, and by whose decision.

    A safeguard that is itself suspended is not acted on.
    """
    held = [state for state in states if state.holds(day)]
    found = {each.clause: _words(each, "suspended") for each in held if each.state == SUSPENDED}
    for each in held:
        if each.state == TRIGGERED and each.clause not in found:
            for clause in sorted(guards[each.clause].pauses):
                found.setdefault(clause, _words(each, f"suspended by {each.clause}"))
    return found


def applied(states: Iterable[State], guards: Mapping[str, Guard], day: date) -> dict[str, str]:
    """The clauses that hold on a day because a safeguard is acted on, and by whose decision."""
    held = [state for state in states if state.holds(day)]
    off = {each.clause for each in held if each.state == SUSPENDED}
    found: dict[str, str] = {}
    for each in held:
        if each.state == TRIGGERED and each.clause not in off:
            for clause in sorted(guards[each.clause].applies - off):
                found.setdefault(clause, _words(each, f"applied by {each.clause}"))
    return found


def _words(state: State, what: str) -> str:
    until = f" to {state.until}" if state.until else ""
    return f"{what} from {state.starts}{until}" + (f" ({state.decision})" if state.decision else "")


def _wrong(
    cells: Mapping[str, str], guards: Mapping[str, Guard], clauses: frozenset[str]
) -> list[tuple[str, str, str, str]]:
    """What is wrong with one row: code, message, column, hint."""
    found: list[tuple[str, str, str, str]] = []
    clause, state = cells["clause"], cells["state"]
    if clause not in clauses:
        hint = did_you_mean(clause, clauses) or f"the clauses are {', '.join(sorted(clauses)) or 'none'}"
        found.append(("unknown-clause", f"no clause is called {clause!r}", "clause", hint))
    if state not in (TRIGGERED, SUSPENDED):
        found.append(
            ("unknown-value", f"{state!r} is no state", "state", did_you_mean(state, (TRIGGERED, SUSPENDED)) or f"{TRIGGERED} or {SUSPENDED}")
        )  # fmt: skip
    elif state == TRIGGERED and clause in clauses and clause not in guards:
        hint = f"the safeguards are {', '.join(sorted(guards)) or 'none'}; another clause is {SUSPENDED}"
        found.append(("not-a-safeguard", f"{clause} is no safeguard and has no trigger", "state", hint))
    days: dict[str, date] = {}
    for name in ("from", "until"):
        if not cells[name] and name == "until":
            continue
        try:
            days[name] = date.fromisoformat(cells[name]) if len(cells[name]) == 10 else date.fromisoformat("")
        except ValueError:
            found.append(("bad-date", f"{cells[name]!r} is not a day", name, "year-month-day, as in 2030-01-01"))
    if "from" in days and "until" in days and days["until"] < days["from"]:
        found.append(("dates-backwards", f"ends {days['until']}, before it begins {days['from']}", "until", ""))
    if not found and state == TRIGGERED:
        found += _beyond(guards[clause], clause, days)
    return found


def _beyond(guard: Guard, clause: str, days: Mapping[str, date]) -> list[tuple[str, str, str, str]]:
    """What the safeguard itself does not allow."""
    first = days["from"]
    if first < guard.first or (guard.last is not None and first > guard.last):
        until = f" to {guard.last}" if guard.last else " on"
        hint = f"{clause} is in force from {guard.first}{until}"
        return [("not-in-force", f"{clause} cannot be invoked on {first}", "from", hint)]
    if (longest := guard.ends(first)) < days.get("until", longest):
        hint = f"its action holds for {guard.months} months: until {longest} at most"
        return [("too-long", f"{clause} is acted on until {days['until']}", "until", hint)]
    return []


def _state(cells: Mapping[str, str], guards: Mapping[str, Guard]) -> State:
    starts = date.fromisoformat(cells["from"])
    until = date.fromisoformat(cells["until"]) if cells["until"] else None
    if until is None and cells["state"] == TRIGGERED:
        until = guards[cells["clause"]].ends(starts)
    return State(
        clause=cells["clause"], state=cells["state"], starts=starts, until=until, decision=cells["decision"]
    )  # fmt: skip


def _overlaps(found: Iterable[tuple[State, Place]]) -> list[Problem]:
    """Two decisions of one kind on one clause that hold on one day."""
    problems: list[Problem] = []
    last: dict[tuple[str, str], State] = {}
    for state, place in sorted(found, key=lambda each: (each[0].starts, each[1].line)):
        before = last.get((state.clause, state.state))
        if before is not None and (before.until is None or state.starts <= before.until):
            until = before.until or "further notice"
            message = f"{state.clause} is {state.state} already from {before.starts} to {until}"
            problems.append(Problem("overlap", message, place, "from", "end the one before the other begins"))
        last[state.clause, state.state] = state
    return problems
