"""`areas`: statistics of each protected area in mapped scenes."""

from pydantic import Field

from wildlens.settings.section import Section


class Areas(Section):
    """Statistics of each protected area in mapped scenes."""

    ring_m: float = Field(
        1000,
        ge=0,
        le=50_000,
        description="Width of the ring outside a site's border that it is compared with, m; ground"
        " in other protected areas is left out of it; 0: no ring",
    )
