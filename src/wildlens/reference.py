"""The page of all settings, written from their models, so that it cannot fall behind them.

python -m wildlens.reference > docs/settings.md
"""

import json
import sys
from typing import Any

from wildlens.settings import Product, Section, Settings

HEAD = """\
# Settings

All keys of the configuration, by section. `config.yaml` holds those that a newcomer may want to
change; your own file is laid over it (`snakemake --configfile mine.yaml`), and a key that it leaves
out keeps its value. A key that does not exist is refused, with the nearest that does. The values of
the paper are in `workflow/configs/paper.yaml`.

*This page is written by `python -m wildlens.reference` from the models in
`src/wildlens/settings.py`; a test fails where it differs from them.*
"""


def reference() -> str:
    """The page as Markdown: a table for each section, in their order."""
    parts = [HEAD]
    for name, field in Settings.model_fields.items():
        parts.append(_section(f"`{name}`", field.annotation))
        if name == "inputs":
            parts.append(_section("A product of `inputs.training` and `inputs.mapping`", Product))
    return "\n".join(parts)


def _section(title: str, model: type[Section]) -> str:
    schema = model.model_json_schema()
    required = schema.get("required", [])
    lines = [
        f"## {title}",
        "",
        " ".join((model.__doc__ or "").split()),
        "",
        "| key | default | allowed | what it is |",
        "| --- | --- | --- | --- |",
    ]
    for key, value in schema["properties"].items():
        default = "*must be given*" if key in required else f"`{json.dumps(value['default'])}`"
        meaning = value.get("description", "")
        lines.append(f"| `{key}` | {default} | {_allowed(value)} | {meaning} |")
    return "\n".join([*lines, ""])


def _allowed(schema: dict[str, Any]) -> str:
    """What a key may hold, in words."""
    if "$ref" in schema:
        return "a product, see below"
    if "anyOf" in schema:
        return " or ".join(_allowed(option) for option in schema["anyOf"])
    if "const" in schema or "enum" in schema:
        values = schema.get("enum", [schema.get("const")])
        return ", ".join(f"`{value}`" for value in values)
    if schema["type"] == "array":
        return f"list: {_allowed(schema['items'])}"
    words = {"null": "none", "string": "text", "integer": "whole number", "number": "number"}
    return words[schema["type"]] + _range(schema)


def _range(schema: dict[str, Any]) -> str:
    """Bounds and step of a number; empty where it has none."""
    bounds = [
        f"{sign} {schema[key]}"
        for key, sign in (
            ("minimum", "≥"),
            ("exclusiveMinimum", ">"),
            ("maximum", "≤"),
            ("exclusiveMaximum", "<"),
            ("multipleOf", "multiple of"),
        )
        if key in schema
    ]
    return f" ({', '.join(bounds)})" if bounds else ""


if __name__ == "__main__":
    sys.stdout.write(reference())
