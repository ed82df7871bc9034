"""Read and write sections; each bad key is named in one line, with its nearest known neighbour."""

from collections.abc import Collection
from datetime import date
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from wildlens.errors import WildLensError, did_you_mean
from wildlens.settings.configuration import Settings
from wildlens.settings.section import Section
from wildlens.settings.strict_yaml import read_yaml


def validate(data: Any, model: type[Section] = Settings, source: str = "configuration") -> Section:
    """Check `data` against a section's model; `WildLensError` names each bad key in one line."""
    if data is None:
        data = {}
    if not isinstance(data, dict):
        raise WildLensError(f"{source}: expected keys and values, found {type(data).__name__}")
    try:
        return model.model_validate(data)
    except ValidationError as error:
        problems = "; ".join(_explain(e, model) for e in error.errors())
        raise WildLensError(f"{source}: {problems}") from None


def load_section(model: type[Section], path: Path | None) -> Section:
    """A section from its YAML file; without a file, its defaults."""
    if path is None:
        return validate({}, model, f"settings of {model.__name__.lower()}")
    return validate(read_yaml(path), model, str(path))


def dump_section(section: Section, fields: Collection[str] | None = None) -> str:
    """YAML text of a section or some of its fields, defaults included, as `load_section` reads it.

    Args:
        fields: names of the fields; default: all.
    """
    included = None if fields is None else set(fields)
    data = section.model_dump(mode="json", include=included)
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True)


def _explain(error: dict, model: type[BaseModel]) -> str:
    location = [str(part) for part in error["loc"]]
    key = ".".join(location) or "configuration"
    if error["type"] == "extra_forbidden":
        known = _keys_at(model, location[:-1])
        return f"unknown key '{key}'{did_you_mean(location[-1], known)}"
    if error["type"] == "missing":
        return f"missing key '{key}'"
    if error["type"] == "string_type" and not isinstance(error["input"], dict | list):
        return f"{key}: expected a text, but YAML reads {_as_read(error['input'])}: use quotes"
    message = error["msg"].removeprefix("Value error, ")
    value = "" if isinstance(error["input"], dict | list) else f", found {error['input']!r}"
    return f"{key}: {message}{value}"


def _as_read(value: Any) -> str:
    """A scalar that YAML took for something else than a text."""
    if isinstance(value, bool):
        return f"it as {str(value).lower()}"
    if isinstance(value, date):
        return f"it as the date {value}"
    return "it as nothing" if value is None else f"it as the number {value}"


def _keys_at(model: type[BaseModel], location: list[str]) -> list[str]:
    """Field names of the model nested at `location`.

    Positions in lists and names that the user chooses are skipped.
    """
    for part in location:
        if part not in model.model_fields:
            continue
        annotation = model.model_fields[part].annotation
        inner = [annotation, *getattr(annotation, "__args__", ())]
        models = [t for t in inner if isinstance(t, type) and issubclass(t, BaseModel)]
        if not models:
            return []
        model = models[0]
    return list(model.model_fields)
