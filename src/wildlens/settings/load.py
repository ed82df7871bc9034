"""Read and write sections; each bad key is named in one line, with its nearest known neighbour."""

import difflib
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from wildlens.errors import WildLensError, one_line
from wildlens.settings.configuration import Settings
from wildlens.settings.section import Section


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
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = one_line(error)
        raise WildLensError(f"{path}: cannot be read as YAML: {reason}") from None
    return validate(data, model, str(path))


def dump_section(section: Section) -> str:
    """YAML text of a section, defaults included, such that `load_section` gives it back."""
    return yaml.safe_dump(section.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def _explain(error: dict, model: type[BaseModel]) -> str:
    location = [str(part) for part in error["loc"]]
    key = ".".join(location) or "configuration"
    if error["type"] == "extra_forbidden":
        known = _keys_at(model, location[:-1])
        near = difflib.get_close_matches(location[-1], known, n=1, cutoff=0.0)
        return (
            f"unknown key '{key}' (did you mean '{near[0]}'?)" if near else f"unknown key '{key}'"
        )
    if error["type"] == "missing":
        return f"missing key '{key}'"
    message = error["msg"].removeprefix("Value error, ")
    value = "" if isinstance(error["input"], dict | list) else f", found {error['input']!r}"
    return f"{key}: {message}{value}"


def _keys_at(model: type[BaseModel], location: list[str]) -> list[str]:
    """Field names of the model nested at `location`.

    Places in lists and names that the user gives are passed over.
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
