"""`models`: trained models of another run, that scenes are mapped with."""

from pydantic import Field

from wildlens.settings.section import Section


class Models(Section):
    """Trained models of another run. With them nothing is trained, and no tile is cut."""

    classifier: str = Field(description="Path of a classifier (safetensors)")
    generators: str | None = Field(
        None, description="Path of its generators (safetensors), for the methods that use them"
    )
    thresholds: str | None = Field(
        None,
        description="Path of evaluation/methods.csv of the run that trained them: the thresholds of"
        " high attribution in the statistics of protected areas; null: without that share",
    )
