"""`landcover`: from a land-cover product to a scene's grid."""

from typing import Literal

from pydantic import Field, model_validator

from wildlens.settings.section import Section


class Landcover(Section):
    """From a land-cover product to the grid of a scene."""

    product: Literal["corine", "clcplus", "worldcover", "igbp", "cgls", "globcover", "table"] = (
        Field("corine", description="What it is; classes of others become those of CORINE")
    )
    band: str | None = Field(
        None, description="Band by description; default the only one, or the product's"
    )
    table: str | None = Field(
        None, description="product: table: CSV with columns value and code (CORINE, 0 = no data)"
    )
    resampling: Literal["nearest", "majority"] = Field(
        "nearest",
        description="Class of a pixel: the one at its centre, or the one that covers most of it",
    )

    @model_validator(mode="after")
    def _table_goes_with_its_product(self):
        if (self.product == "table") != (self.table is not None):
            raise ValueError("product 'table' and the path `table` go together")
        return self
