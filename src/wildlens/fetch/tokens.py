"""Access tokens of catalogues, sent to their own hosts only."""

import json
import os
import threading
import time

from requests import PreparedRequest
from requests.auth import AuthBase

from wildlens.errors import WildLensError
from wildlens.fetch.address import is_of_host, shown
from wildlens.fetch.web import Web

MARGIN = 60.0  # seconds before its expiry at which a token is no longer used
LIFETIME = 300.0  # seconds, if the server states none
LONGEST = 10_000  # characters
VARIABLES = ("CDSE_USERNAME", "CDSE_PASSWORD")  # of the environment


class _Renewed(AuthBase):
    """A token that is requested when it is needed, and again when it has expired or was refused."""

    def __init__(self, web: Web, source: str, hosts: tuple[str, ...]):
        self.web, self.source, self.hosts = web, source, hosts
        self._token, self._end = None, 0.0
        self._lock = threading.Lock()

    def token(self) -> str:
        with self._lock:
            if self._token is None or time.monotonic() > self._end:
                self._token, lifetime = self.ask()
                self._end = time.monotonic() + max(0.0, lifetime - MARGIN)
            return self._token

    def is_for(self, address: str) -> bool:
        """Whether an address gets the token: one of its hosts, over https if the token came so."""
        safe = not self.source.startswith("https:") or address.startswith("https:")
        return safe and is_of_host(address, self.hosts)

    def renew(self) -> None:
        with self._lock:
            self._token = None

    def ask(self) -> tuple[str, float]:
        """A new token, and its lifetime in seconds."""
        raise NotImplementedError

    def answer(self, key: str, **request) -> tuple[str, dict]:
        """The token under `key` in the server's response, and the whole response."""
        body = self.web.ask(self.source, signed=False, limit=2**20, **request)
        try:
            answer = json.loads(body)
            token = answer[key]
        except (ValueError, KeyError, TypeError, RecursionError):
            token = None
        if not isinstance(token, str) or not 0 < len(token) < LONGEST or not token.isprintable():
            raise WildLensError(f"{shown(self.source)}: its response has no token ({key})")
        return token, answer


class SharedAccess(_Renewed):
    """A shared access signature (SAS) of Planetary Computer, appended to the address."""

    def ask(self) -> tuple[str, float]:
        return self.answer("token")[0].lstrip("?"), 2 * LIFETIME

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        if self.is_for(request.url) and "sig=" not in request.url:
            request.url += f"{'&' if '?' in request.url else '?'}{self.token()}"
        return request


class Bearer(_Renewed):
    """An access token of Copernicus Data Space, for a user name and password."""

    def ask(self) -> tuple[str, float]:
        name, password = (os.environ.get(variable) for variable in VARIABLES)
        if not name or not password:
            raise WildLensError(
                f"cdse: set {' and '.join(VARIABLES)} in the environment: Copernicus Data"
                " Space gives pixels to registered users only (never put them into a configuration)"
            )
        form = {
            "client_id": "cdse-public",
            "grant_type": "password",
            "username": name,
            "password": password,
        }
        token, answer = self.answer("access_token", method="POST", data=form)
        lifetime = answer.get("expires_in")
        return token, float(lifetime) if isinstance(lifetime, int | float) else LIFETIME

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        if self.is_for(request.url):
            request.headers["Authorization"] = f"Bearer {self.token()}"
        return request
