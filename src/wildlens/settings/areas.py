"""`areas`: statistics of each protected area in mapped scenes."""

from pydantic import Field, model_validator

from wildlens.settings.section import Section


class Areas(Section):
    """Statistics of each protected area in mapped scenes."""

    polygons: str | None = Field(
        None,
        description="Path of polygons of your own that the statistics are of, instead of"
        " inputs.areas: all of them count",
    )
    name_column: str | None = Field(
        None, min_length=1, max_length=200, description="Column with the names of these polygons"
    )
    ring_m: float = Field(
        1000,
        ge=0,
        le=50_000,
        description="Width of the ring outside a site's border that it is compared with, m; ground"
        " in other protected areas is left out of it; 0: no ring",
    )

    @model_validator(mode="after")
    def _names_are_of_own_polygons(self):
        if self.name_column is not None and self.polygons is None:
            raise ValueError("name_column: is that of `polygons`, which are not given")
        return self
