"""Reference text that is made from the code, so that it cannot differ from it.

    ```{terms} friendshore.instruments.price_floor.PriceFloor
    :beyond: friendshore.instruments.clause.Clause
    ```
    ```{command} world check
    ```
    ```{figures} shares
    :columns: good, country, published_pct, ours_pct
    :where: status = conflict
    ```

`terms` prints a model's docstring and its keys with what each holds; `beyond` leaves out the keys of another model.
`command` prints what `--help` prints. `figures` prints a table of the packaged world, or some of its columns and rows.
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
        return self.parse_text_to_nodes(f"**{cls.__name__}.** {doc}\n\n{table}\n")


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
    option_spec: ClassVar = {"columns": directives.unchanged_required, "where": directives.unchanged}

    def run(self) -> list[nodes.Node]:
        from friendshore.world.tables import World

        frame = getattr(World.load(), self.arguments[0])
        if "where" in self.options:
            column, _, value = (word.strip() for word in self.options["where"].partition("="))
            frame = frame.filter(frame[column] == value)
        names = [word.strip() for word in self.options.get("columns", ", ".join(frame.columns)).split(",")]
        rows = ["| " + " | ".join(name.replace("_", " ") for name in names) + " |", "|" + "---|" * len(names)]
        for row in frame.select(names).iter_rows():
            rows.append("| " + " | ".join(cell(value) for value in row) + " |")
        return self.parse_text_to_nodes("\n".join(rows) + "\n") if len(rows) > 2 else [nodes.paragraph("", "None.")]


def cell(value: object) -> str:
    """A figure to five digits, with thin separators; a text as it stands, an address as a link."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{float(f'{value:.5g}'):,.10g}".replace(",", "\u202f")
    text = str(value).replace("|", "\\|")
    return f"<{text}>" if text.startswith("https://") and " " not in text else text.replace("<", "&lt;")


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("terms", Terms)
    app.add_directive("command", Command)
    app.add_directive("figures", Figures)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
