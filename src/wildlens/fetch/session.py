"""HTTP sessions with few redirects, which send credentials only to their own hosts."""

from collections.abc import Iterator
from typing import Protocol
from urllib.parse import urljoin, urlsplit

import requests
from requests import exceptions

from wildlens import __version__
from wildlens.errors import WildLensError
from wildlens.fetch.address import shown

MAX_REDIRECTS = 5


class Tokens(Protocol):
    """Credentials of requests to the hosts that demand them, in the form of `requests`' `auth`."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """The request, signed if it goes to one of those hosts."""

    def renew(self) -> None:
        """Discard the present token, since it was refused."""


class Session(requests.Session):
    """HTTP session that limits redirects; each is a request of its own, signed for its own host."""

    def __init__(self):
        super().__init__()
        self.headers["User-Agent"] = f"wildlens/{__version__}"

    def resolve_redirects(self, *args, **kwargs) -> Iterator[requests.Response]:
        """None: `requests` would read the bodies of redirects, however long they are."""
        return iter(())

    def follow(self, method: str, address: str, **request) -> requests.Response:
        """A response whose body is still to be read, after at most `MAX_REDIRECTS` redirects.

        Raises:
            RequestException, ValueError: as `requests` does, also for a redirect to something else
                than http or https, or from https to http.
            WildLensError: a form, which holds a password, is redirected.
        """
        target = address
        for _ in range(MAX_REDIRECTS + 1):
            response = self.request(method, target, stream=True, allow_redirects=False, **request)
            location = self.get_redirect_target(response)
            if location is None:
                return response
            response.close()
            if request.get("data"):
                raise WildLensError(
                    f"{shown(address)}: redirects to another address, which gets no password: set"
                    " fetch.token_address"
                )
            target = urljoin(response.url, location)
            schemes = {urlsplit(response.url).scheme, "https"}
            if urlsplit(target).scheme not in schemes:
                raise exceptions.InvalidSchema(urlsplit(target).scheme)
        raise exceptions.TooManyRedirects
