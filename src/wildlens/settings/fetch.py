"""`fetch`: the catalogue that products are fetched from."""

from typing import Literal

from pydantic import Field

from wildlens.settings.section import Section
from wildlens.settings.types import Address, Share


class Fetch(Section):
    """Catalogue that products are fetched from (`fetch` of a product), and limits of requests."""

    catalogue: Literal["earth-search", "planetary-computer", "cdse"] = Field(
        "earth-search", description="STAC API with a known dialect and known tokens"
    )
    address: Address | None = Field(None, description="Address of the API, if not the default one")
    collection: str | None = Field(
        None,
        max_length=200,
        description="Collection of Level-2A items; default sentinel-2-c1-l2a at earth-search, "
        "sentinel-2-l2a elsewhere",
    )
    token_address: Address | None = Field(
        None, description="Address of its tokens, if not the default one"
    )
    token_hosts: list[str] | None = Field(
        None,
        description="Hosts (ends of their names) that its tokens are sent to, if not the default",
    )
    candidates: int = Field(
        3,
        ge=1,
        le=50,
        description="Number of products, the clearest by the catalogue, whose scene classification"
        " over the area is compared",
    )
    min_clear: Share = Field(
        0.5, description="Smallest share of the area without clouds and their shadows"
    )
    connections: int = Field(4, ge=1, le=16, description="Bands fetched in parallel")
    tries: int = Field(6, ge=1, le=20, description="Number of attempts of a request that fails")
    timeout_s: float = Field(60, gt=0, le=3600, description="Timeout of a response, s")
    max_gb: float = Field(10, gt=0, le=1000, description="Largest download of one product, GB")
