"""What the data files of the screen have in common: strict models, tuples from lists, one folder of small files.

A file is read by `marked`, so that a complaint names its line and column; what the words mean is left to the models.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict

from friendshore.errors import InputRefused, Place, Problem
from friendshore.marked import read_marked, validate

DATA = Path(__file__).parent.parent / "data"

Confidence = Literal["H", "M", "L", "K"]
CONFIDENCE = {
    "H": "read in the text or in an official record",
    "M": "read in one good secondary source",
    "L": "read in a weak source",
    "K": "general knowledge, to be checked against the text before use",
}

ModelT = TypeVar("ModelT", bound="Text")
T = TypeVar("T")


class Text(BaseModel):
    """A frozen record that refuses unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


def _many(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(value)
    return value if isinstance(value, tuple) else (value,)


Many = Annotated[tuple[T, ...], BeforeValidator(_many)]


def read_folder(folder: Path, model: type[ModelT], *, key: Callable[[ModelT], str]) -> dict[str, ModelT]:
    """Every YAML file of a folder as a `model`, by its id, in the order of the file names.

    Raises
    ------
    InputRefused   every problem of every file at its line, an id that two files share, an id that its file is not named for
    """
    found: dict[str, ModelT] = {}
    problems: list[Problem] = []
    for path in sorted(folder.glob("*.yaml")):
        try:
            marked = read_marked(path, name=path.name)
            one = validate(model, marked)
        except InputRefused as refused:
            problems += refused.problems
            continue
        name = key(one)
        if name != path.stem:
            message = f"{name!r} stands in {path.name}"
            problems.append(Problem("wrong-name", message, marked.place(("id",)), "id", f"call the file {name}.yaml"))
        found[name] = one
    if problems:
        raise InputRefused(problems)
    return found


def read_rows(path: Path, columns: tuple[str, ...]) -> Iterator[tuple[int, dict[str, str]]]:
    """The rows of a table with their line numbers.

    Raises
    ------
    InputRefused   a header that is not `columns`, or a row of another length
    """
    with path.open(encoding="utf-8", newline="") as file:
        lines = csv.reader(file)
        header = tuple(next(lines, ()))
        if header != columns:
            message = f"the columns are {', '.join(header) or 'none'}"
            hint = f"expected {', '.join(columns)}"
            raise InputRefused.because("columns", message, place=Place(path.name, 1, 1, ",".join(header)), hint=hint)
        for row in lines:
            if len(row) != len(columns):
                message = f"{len(row)} cells where there are {len(columns)} columns"
                place = Place(path.name, lines.line_num, 1, ",".join(row))
                raise InputRefused.because("columns", message, place=place)
            yield lines.line_num, dict(zip(columns, row, strict=True))


def cell_problem(path: Path, line: int, row: Mapping[str, str], column: str, expected: str) -> Problem:
    """A cell that cannot be read, at the column of the file where it begins."""
    before = 0
    for name, cell in row.items():
        if name == column:
            break
        before += len(cell) + 1 + (2 if "," in cell or '"' in cell else 0)
    text = ",".join(f'"{cell}"' if "," in cell else cell for cell in row.values())
    place = Place(path.name, line, before + 1, text, max(1, len(row[column])))
    return Problem("wrong-type", f"expected {expected}, not {row[column]!r}", place, column)


def as_day(text: str) -> date | None:
    """A day as a table writes it; None for an empty cell.

    Raises
    ------
    ValueError   anything else
    """
    return date.fromisoformat(text) if text else None


def as_number(text: str) -> float | None:
    """A number as a table writes it; None for an empty cell.

    Raises
    ------
    ValueError   anything else
    """
    return float(text) if text else None
