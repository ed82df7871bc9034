"""The page of all settings, written from their models, so that it cannot fall behind them.

python -m wildlens.settings.reference > docs/settings.md
"""

import json
import sys
from collections.abc import Iterable
from typing import Any, get_args

from wildlens.settings import FetchRequest, Product, Section, Settings, TileClass

HEAD = """\
# Settings

All keys of the configuration, by section. In a project (`wildlens init`), a key that `config.yaml`
leaves out has the default below. A file given with `snakemake --configfile` is laid over the demo's
`config.yaml`, and a key that it leaves out keeps the demo's value. A key that does not exist is
refused, with the nearest that does. The values of the paper are in `workflow/configs/paper.yaml`.

*This page is written by `python -m wildlens.settings.reference` from the models in
`src/wildlens/settings/`; a test fails where it differs from them.*
"""


_NESTED = {
    "Product": "product",
    "TileClass": "class",
    "FetchRequest": "request",
    "Models": "section",
    "Compare": "section",
}


def reference() -> str:
    """The page as Markdown: a table for each section, in their order."""
    parts = [HEAD]
    fields = Settings.model_fields.items()
    sections = {n: s for n, f in fields if (s := _section_of(f.annotation)) is not None}
    alone = [n for n, f in fields if n not in sections or f.annotation is not sections[n]]
    parts.append(_table("Keys without a section", "", Settings.model_json_schema(), alone))
    for name, section in sections.items():
        parts.append(_section(f"`{name}`", section))
        if name == "inputs":
            parts.append(_section("A product of `inputs.training` and `inputs.mapping`", Product))
            parts.append(_section("`fetch` of a product", FetchRequest))
        if name == "tiles":
            parts.append(_section("A class of `tiles.other_classes`", TileClass))
    return "\n".join(parts)


def _section_of(annotation: Any) -> type[Section] | None:
    """The section that a key holds, also if it may be null; None for other keys."""
    kinds = [annotation, *get_args(annotation)]
    return next((k for k in kinds if isinstance(k, type) and issubclass(k, Section)), None)


def _section(title: str, model: type[Section]) -> str:
    schema = model.model_json_schema()
    about = " ".join((model.__doc__ or "").split())
    return _table(title, about, schema, schema["properties"])


def _table(title: str, about: str, schema: dict[str, Any], keys: Iterable[str]) -> str:
    """These keys of a model, as a chapter."""
    required = schema.get("required", [])
    lines = [
        *(f"## {title}", ""),
        *((about, "") if about else ()),
        "| key | default | allowed | what it is |",
        "| --- | --- | --- | --- |",
    ]
    for key in keys:
        value = schema["properties"][key]
        default = "*must be given*" if key in required else f"`{json.dumps(value['default'])}`"
        meaning = value.get("description", "")
        lines.append(f"| `{key}` | {default} | {_allowed(value)} | {meaning} |")
    return "\n".join([*lines, ""])


def _allowed(schema: dict[str, Any]) -> str:
    """Allowed values of a key, in words."""
    if "$ref" in schema:
        return f"a {_NESTED[schema['$ref'].rpartition('/')[2]]}, see below"
    if "anyOf" in schema:
        return " or ".join(_allowed(option) for option in schema["anyOf"])
    if "const" in schema or "enum" in schema:
        values = schema.get("enum", [schema.get("const")])
        return ", ".join(f"`{value}`" for value in values)
    if "prefixItems" in schema:
        return f"list of {len(schema['prefixItems'])}: {_allowed(schema['prefixItems'][0])}, ..."
    if schema["type"] == "array":
        return f"list: {_allowed(schema['items'])}"
    if schema["type"] == "object":
        return f"name: {_allowed(_of_any_name(schema))}"
    if schema.get("format") == "date":
        return "day"
    words = {
        "null": "`null`",
        "string": "text",
        "boolean": "true or false",
        "integer": "whole number",
        "number": "number",
    }
    return words[schema["type"]] + _range(schema)


def _of_any_name(schema: dict[str, Any]) -> dict[str, Any]:
    """Schema of the values of a mapping whose names the user chooses."""
    return schema.get("additionalProperties") or next(iter(schema["patternProperties"].values()))


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
