"""Reference text that is made from the code, so that it cannot differ from it.

    ```{terms} friendshore.instruments.price_floor.PriceFloor
    :beyond: friendshore.instruments.clause.Clause
    ```
    ```{command} world check
    ```
    ```{figures} shares
    :columns: good, country, published_pct, ours_pct
    :where: status = conflict
    :largest: 10 published_t
    ```
    ```{grades}
    ```

`terms` prints a model's docstring and its keys with what each holds; `beyond` leaves out the keys of another model.
`command` prints what `--help` prints. `figures` prints a table of the packaged world, or some of its columns and rows:
those `where` a column = a text or > a number, the `largest` by size of a column. `grades` counts its rows by reliability.
"""

from __future__ import annotations

import inspect
import json
import os
from importlib import import_module
from itertools import pairwise
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from pydantic import BaseModel
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

LONG = 80  # characters: beyond it a cell is text, not a figure or a name


def model(path: str) -> type[BaseModel]:
    module, _, name = path.rpartition(".")
    found = getattr(import_module(module), name)
    assert issubclass(found, BaseModel), f"{path} is no model"
    return found


def holds(schema: dict[str, Any], defs: dict[str, Any]) -> str:
    """What a key may hold, in words, from its JSON Schema."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        there = defs.get(name, {})
        return holds(there, defs) if "properties" not in there else f"`{name.partition('_')[0]}`"
    for several in ("anyOf", "oneOf", "allOf"):
        if several in schema:
            words = [holds(each, defs) for each in schema[several] if each.get("type") != "null"]
            return " or ".join(dict.fromkeys(words))
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return " or ".join(f"`{each}`" for each in schema["enum"])
    match schema.get("type"):
        case "array":
            return f"list of {holds(schema.get('items', {}), defs)}"
        case "object":
            return "mapping"
        case "boolean":
            return "`true` or `false`"
        case "string":
            return {"date": "date", "date-time": "time"}.get(schema.get("format", ""), "text")
        case "number" | "integer" as kind:
            bounds = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
            limits = [f"{sign} {schema[key]:g}" for key, sign in bounds.items() if key in schema]
            return " ".join(["whole number" if kind == "integer" else "number", ", ".join(limits)]).strip()
        case _:
            return "value"


class Terms(SphinxDirective):
    required_arguments = 1
    option_spec: ClassVar = {"beyond": directives.unchanged}

    def run(self) -> list[nodes.Node]:
        cls = model(self.arguments[0])
        beyond = model(self.options["beyond"]).model_fields if "beyond" in self.options else {}
        schema = cls.model_json_schema(by_alias=True)
        if "$ref" in schema:  # a model that holds itself
            schema |= schema["$defs"][schema["$ref"].rpartition("/")[2]]
        required = set(schema.get("required", ()))
        rows = ["| key | holds | if absent | |", "|---|---|---|---|"]
        for name, field in cls.model_fields.items():
            if name in beyond:
                continue
            key = field.validation_alias if isinstance(field.validation_alias, str) else field.alias or name
            about = schema["properties"].get(key, {})
            default = about.get("default")
            absent = (
                "required" if key in required else "none" if default in (None, [], "") else f"`{json.dumps(default)}`"
            )
            cells = (f"`{key}`", holds(about, schema.get("$defs", {})), absent, field.description or "")
            rows.append("| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |")
        lines = inspect.cleandoc(cls.__doc__ or "").splitlines()
        doc = "\n".join(
            line + "\\" if " = " in line and " = " in after else line for line, after in pairwise([*lines, ""])
        )
        table = "\n".join(rows) if len(rows) > 2 else ""
        return widened(self.parse_text_to_nodes(f"**{cls.__name__}.** {doc}\n\n{table}\n"))


class Command(SphinxDirective):
    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        from typer.testing import CliRunner

        from friendshore import cli

        os.environ.update(COLUMNS="100", TERM="dumb", NO_COLOR="1")
        done = CliRunner().invoke(cli.app, [*self.arguments[0].split(), "--help"], prog_name="friendshore")
        if done.exit_code != 0:
            raise self.error(f"friendshore {self.arguments[0]} --help ended with {done.exit_code}")
        return [nodes.literal_block(done.output, done.output.rstrip(), language="text")]


class Figures(SphinxDirective):
    required_arguments = 1
    option_spec: ClassVar = {
        "columns": directives.unchanged_required,
        "where": directives.unchanged_required,
        "largest": directives.unchanged_required,
    }

    def run(self) -> list[nodes.Node]:
        from friendshore.world.tables import World

        world = World.load()
        everyone = frozenset(world.countries["code"])
        frame = getattr(world, self.arguments[0])
        if "where" in self.options:
            column, sign, value = self.options["where"].split(maxsplit=2)
            frame = frame.filter(frame[column] > float(value) if sign == ">" else frame[column] == value)
        if "largest" in self.options:
            rows_max, column = self.options["largest"].split()
            frame = frame[frame[column].abs().arg_sort(descending=True).head(int(rows_max))]
        names = [word.strip() for word in self.options.get("columns", ", ".join(frame.columns)).split(",")]
        rules = ["---:|" if frame[name].dtype.is_numeric() else "---|" for name in names]
        rows = ["| " + " | ".join(name.replace("_", " ") for name in names) + " |", "|" + "".join(rules)]
        for row in frame.select(names).iter_rows():
            rows.append("| " + " | ".join(cell(value, everyone) for value in row) + " |")
        return (
            widened(self.parse_text_to_nodes("\n".join(rows) + "\n"))
            if len(rows) > 2
            else [nodes.paragraph("", "None.")]
        )


class Grades(SphinxDirective):
    def run(self) -> list[nodes.Node]:
        from friendshore.world.tables import World, table_names

        world = World.load()
        rows = ["| table | A | B | C | D |", "|---|---:|---:|---:|---:|"]
        for name in table_names():
            frame = getattr(world, name)
            if "reliability" in frame.columns:
                counts = [int((frame["reliability"] == grade).sum()) for grade in "ABCD"]
                rows.append(
                    f"| `{name}` | " + " | ".join(f"{count:,}".replace(",", "\u202f") for count in counts) + " |"
                )
        return self.parse_text_to_nodes("\n".join(rows) + "\n")


def widened(made: list[nodes.Node]) -> list[nodes.Node]:
    """The same nodes, with every long cell marked, so that the style can give it room."""
    for each in made:
        for entry in each.findall(nodes.entry):
            if len(entry.astext()) > LONG:
                entry["classes"].append("long")
    return made


def cell(value: object, everyone: frozenset[str] = frozenset()) -> str:
    """A figure to five digits, with thin separators; an address as a link; most of the world as whom it leaves out."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{float(f'{value:.5g}'):,.10g}".replace(",", "\u202f")
    text = str(value).replace("|", "\\|")
    parts = text.split("+")
    if len(parts) > 1 and " " not in text:
        left_out = everyone - set(parts)
        return (
            f"all but {', '.join(sorted(left_out))}"
            if len(left_out) < len(parts) <= len(everyone)
            else ", ".join(parts)
        )
    return f"<{text}>" if text.startswith("https://") and " " not in text else text.replace("<", "&lt;")


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("terms", Terms)
    app.add_directive("command", Command)
    app.add_directive("figures", Figures)
    app.add_directive("grades", Grades)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
