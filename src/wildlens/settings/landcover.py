"""`landcover`: resampling of a land-cover product to a scene's grid."""

from typing import Literal

from pydantic import Field, model_validator

from wildlens.settings.section import Section


class Landcover(Section):
    """Resampling of a land-cover product to the grid of a scene."""

    product: Literal["corine", "clcplus", "worldcover", "igbp", "cgls", "globcover", "table"] = (
        Field("corine", description="The product; classes of others are translated to CORINE")
    )
    band: str | None = Field(
        None, description="Description of the band; default: the only band, or that of the product"
    )
    table: str | None = Field(
        None, description="product: table: CSV with columns value and code (CORINE, 0 = no data)"
    )
    resampling: Literal["nearest", "majority"] = Field(
        "nearest",
        description="Class of a pixel: at its centre, or covering most of it",
    )

    @model_validator(mode="after")
    def _table_goes_with_its_product(self):
        if (self.product == "table") != (self.table is not None):
            raise ValueError("product 'table' and the path `table` go together")
        return self
