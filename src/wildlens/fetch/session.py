"""HTTP sessions with few redirects, which send credentials only to their own hosts."""

from typing import Protocol
from urllib.parse import urlsplit

import requests
from requests import exceptions

from wildlens import __version__

MAX_REDIRECTS = 5


class Tokens(Protocol):
    """Credentials of requests to the hosts that demand them."""

    def address(self, address: str) -> str:
        """The address, signed."""

    def header(self, address: str) -> str | None:
        """The value of `Authorization`; None for other hosts."""

    def renew(self) -> None:
        """Discard the present token, since it was refused."""


class Session(requests.Session):
    """HTTP session that limits redirects and sends credentials only to their own hosts."""

    def __init__(self, tokens: Tokens | None):
        super().__init__()
        self.tokens = tokens
        self.max_redirects = MAX_REDIRECTS
        self.headers["User-Agent"] = f"wildlens/{__version__}"

    def prepare_request(self, request: requests.Request) -> requests.PreparedRequest:
        prepared = super().prepare_request(request)
        self._authorize(prepared)
        return prepared

    def rebuild_auth(self, prepared: requests.PreparedRequest, response: requests.Response) -> None:
        """Credentials of a redirect: by its own host, not by the one that it comes from."""
        before, after = urlsplit(response.url).scheme, urlsplit(prepared.url).scheme
        if after not in ("http", "https") or (before, after) == ("https", "http"):
            raise exceptions.InvalidSchema(after)
        prepared.headers.pop("Authorization", None)
        self._authorize(prepared)

    def _authorize(self, prepared: requests.PreparedRequest) -> None:
        header = self.tokens.header(prepared.url) if self.tokens else None
        if header:
            prepared.headers["Authorization"] = header
