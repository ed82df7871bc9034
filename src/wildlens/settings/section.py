"""What every section of the configuration is."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """What every section is: strict and frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True)
