"""`fetch`: the catalogue that products are fetched from."""

from typing import Literal

from pydantic import Field

from wildlens.settings.section import Section
from wildlens.settings.types import Address, Share


class Fetch(Section):
    """From which catalogue products are fetched (`fetch` of a product), and how."""

    catalogue: Literal["earth-search", "planetary-computer", "cdse"] = Field(
        "earth-search", description="A STAC API whose dialect and tokens are known"
    )
    address: Address | None = Field(None, description="Another address of it, or of its like")
    collection: str | None = Field(
        None,
        max_length=200,
        description="Collection of Level-2A items; default sentinel-2-c1-l2a at earth-search, "
        "sentinel-2-l2a elsewhere",
    )
    token_address: Address | None = Field(None, description="Another address of its tokens")
    token_hosts: list[str] | None = Field(
        None, description="Other hosts (ends of their names) that its tokens are sent to"
    )
    looked_at: int = Field(
        3,
        ge=1,
        le=50,
        description="Clearest products, by their catalogue, whose scene classification over the "
        "area decides among them",
    )
    min_clear: Share = Field(
        0.5, description="Share of the area that must be seen without clouds and their shadows"
    )
    connections: int = Field(4, ge=1, le=16, description="Bands fetched at once")
    tries: int = Field(6, ge=1, le=20, description="How often a request is made that fails")
    timeout_s: float = Field(60, gt=0, le=3600, description="Wait for an answer, s")
    max_gb: float = Field(10, gt=0, le=1000, description="Most that is taken for one product, GB")
