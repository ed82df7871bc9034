"""Supported STAC catalogues: addresses, collections and tokens."""

from dataclasses import dataclass, replace

from wildlens.fetch.session import Tokens
from wildlens.fetch.tokens import Bearer, SharedAccess
from wildlens.fetch.web import Web
from wildlens.settings import Fetch


@dataclass(frozen=True)
class Catalogue:
    """A STAC API with Sentinel-2 Level-2A products, and the tokens of its files.

    Attributes:
        address: its landing page.
        collection: the collection to search.
        token: class of its tokens; None if its files are public.
        token_address: server of the tokens; `{collection}` is replaced.
        token_hosts: hosts, or domains, that tokens are sent to.
    """

    address: str
    collection: str
    token: type[SharedAccess] | type[Bearer] | None = None
    token_address: str = ""
    token_hosts: tuple[str, ...] = ()


_KNOWN = {
    # collection 1 has one processing baseline and one offset; in sentinel-2-l2a, the flags of some
    # items contradict the pixels
    "earth-search": Catalogue("https://earth-search.aws.element84.com/v1", "sentinel-2-c1-l2a"),
    "planetary-computer": Catalogue(
        "https://planetarycomputer.microsoft.com/api/stac/v1",
        "sentinel-2-l2a",
        SharedAccess,
        "https://planetarycomputer.microsoft.com/api/sas/v1/token/{collection}",
        ("blob.core.windows.net",),
    ),
    "cdse": Catalogue(
        "https://stac.dataspace.copernicus.eu/v1",
        "sentinel-2-l2a",
        Bearer,
        "https://identity.dataspace.copernicus.eu/auth/realms/CDSE/protocol/openid-connect/token",
        ("download.dataspace.copernicus.eu", "zipper.dataspace.copernicus.eu"),
    ),
}


def catalogue_of(settings: Fetch) -> Catalogue:
    """The catalogue of the section `fetch`, with the addresses that it overrides."""
    known = _KNOWN[settings.catalogue]
    return replace(
        known,
        address=settings.address or known.address,
        collection=settings.collection or known.collection,
        token_address=settings.token_address or known.token_address,
        token_hosts=tuple(settings.token_hosts or known.token_hosts),
    )


def tokens_of(catalogue: Catalogue, web: Web) -> Tokens | None:
    """The tokens of a catalogue's requests; None if it needs none."""
    if catalogue.token is None:
        return None
    source = catalogue.token_address.replace("{collection}", catalogue.collection)
    return catalogue.token(web, source, catalogue.token_hosts)
