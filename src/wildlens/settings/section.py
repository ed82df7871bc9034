"""The base of all sections of the configuration."""

from types import NoneType
from typing import Any, get_args

from pydantic import BaseModel, ConfigDict, model_validator


class Section(BaseModel):
    """A strict, frozen part of the configuration."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _says_what_it_means(cls, data: Any) -> Any:
        """Refuse `none`, which is a text in YAML, and yes or no instead of a number."""
        if not isinstance(data, dict):
            return data
        for name, field in cls.model_fields.items():
            value, kinds = data.get(name), (field.annotation, *get_args(field.annotation))
            if isinstance(value, str) and value.lower() == "none" and NoneType in kinds:
                raise ValueError(f"{name}: '{value}' is a text in YAML: write null")
            if isinstance(value, bool) and bool not in kinds and str not in kinds:
                raise ValueError(f"{name}: expected no true or false (YAML: yes, no, on, off)")
        return data
