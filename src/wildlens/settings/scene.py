"""`scene`: from a product to reflectance at 10 m."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from wildlens.settings.section import Section
from wildlens.settings.types import Band


class Scene(Section):
    """From a product to a scene: reflectance x 10000 at 10 m."""

    bands: list[Band] = Field(
        ["B02", "B03", "B04", "B08"], min_length=1, description="Bands, in this order"
    )
    resampling: Literal["nearest", "bilinear"] = Field(
        "bilinear",
        description="Resampling of 20 m and 60 m bands to 10 m, and of reprojected products",
    )
    mask_classes: list[Annotated[int, Field(ge=0, le=11)]] = Field(
        [0, 1, 3, 8, 9, 10], description="Scene-classification (SCL) classes that become no data"
    )
    offset_conflict: Literal["warn", "refuse"] = Field(
        "warn",
        description="Action if pixels or file tags contradict the scale and offset in the metadata",
    )
    crs: Annotated[str, Field(pattern=r"^EPSG:\d{4,5}$")] | None = Field(
        None,
        description="EPSG code that products are reprojected to, at 10 m; null: the products' own",
    )

    @model_validator(mode="after")
    def _bands_are_different(self):
        twice = sorted({band for band in self.bands if self.bands.count(band) > 1})
        if twice:
            raise ValueError(f"bands: {', '.join(twice)} is given twice")
        return self
