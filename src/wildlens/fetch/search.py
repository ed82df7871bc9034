"""Search of a STAC API for an area and time, by pystac-client over the bounded client of `web`."""

import itertools
import json
import warnings

from pystac.link import Link
from pystac_client import Client
from pystac_client.exceptions import APIError
from pystac_client.stac_api_io import StacApiIO

from wildlens.errors import WildLensError, one_line
from wildlens.fetch.address import shown
from wildlens.fetch.area import Area
from wildlens.fetch.catalogues import Catalogue
from wildlens.fetch.web import Web
from wildlens.settings import FetchRequest

PAGE = 100  # items per page
MAX_ITEMS = 2000  # a tile is seen about 150 times a year
MAX_PAGES = 200  # also if pages are empty
_JSON = {"Accept": "application/geo+json, application/json"}


def search(web: Web, catalogue: Catalogue, request: FetchRequest, area: Area) -> list[dict]:
    """STAC items, as the server sends them, that touch a box in a period; at most 2,000.

    The server filters by cloud cover if it can; the items are filtered later in any case.

    Raises:
        WildLensError: the server cannot be reached, or does not answer as a STAC API.
    """
    first, last = request.dates
    parameters = {
        "collections": [catalogue.collection],
        "bbox": list(area.box),
        "datetime": f"{first}T00:00:00Z/{last}T23:59:59Z",
        "limit": PAGE,
    }
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about its guesses; problems are errors here
            client = Client.open(catalogue.address, stac_io=_BoundedIO(web))
            parameters |= _cloud_filter(client, request.max_cloud)
            pages = client.search(**parameters).pages_as_dicts()
            found = (
                item for page in itertools.islice(pages, MAX_PAGES) for item in page["features"]
            )
            return [item for item in itertools.islice(found, MAX_ITEMS) if _is_item(item)]
    except (APIError, LookupError, TypeError, ValueError, AttributeError, NotImplementedError,
            RecursionError) as error:  # fmt: skip
        reason = one_line(error, 200) or type(error).__name__
        raise WildLensError(
            f"{shown(catalogue.address)}: does not answer as a STAC API: {reason}"
        ) from None


def read_item(web: Web, address: str) -> dict:
    """One STAC item by its address."""
    try:
        item = json.loads(web.ask(address, headers=_JSON))
    except (ValueError, RecursionError):
        item = None
    if not _is_item(item):
        raise WildLensError(f"{shown(address)}: is not a STAC item (type Feature, with assets)")
    return item


def _is_item(item) -> bool:
    """Whether it has the form of a STAC item; its content is checked where it is used."""
    return (
        isinstance(item, dict)
        and item.get("type") == "Feature"
        and isinstance(item.get("properties"), dict)
        and isinstance(item.get("assets"), dict)
    )


def _cloud_filter(client: Client, most: float) -> dict:
    if client.conforms_to("QUERY"):
        return {"query": {"eo:cloud_cover": {"lte": most}}}
    if client.conforms_to("FILTER"):
        condition = {"op": "<=", "args": [{"property": "eo:cloud_cover"}, most]}
        return {"filter": condition, "filter_lang": "cql2-json"}
    return {}


class _BoundedIO(StacApiIO):
    """Requests of pystac-client, made by `Web`; no file of this machine is read."""

    def __init__(self, web: Web):
        super().__init__(max_retries=None)
        self._web = web

    def read_text(self, source, *args, **kwargs) -> str:
        if isinstance(source, Link):
            return super().read_text(source, *args, **kwargs)
        return self.request(str(source), *args, **kwargs)  # never a file

    def request(self, href, method=None, headers=None, parameters=None) -> str:
        # headers are not passed on: they come from `next` links, thus from the server
        if (method or "GET").upper() == "POST":
            answer = self._web.ask(href, method="POST", headers=_JSON, json=parameters)
        else:
            answer = self._web.ask(href, headers=_JSON, params=parameters)
        return answer.decode("utf-8")
