"""Requests to servers that nobody here vouches for: bounded, checked, tried again, shown on a line.

Only http and https, few redirects, never from https to http; no answer longer than was asked for,
no shorter one taken for whole; credentials go to their own hosts only and stand in no message.
"""

import logging
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO, Protocol, TypeVar
from urllib.parse import urlsplit

import requests
from requests import exceptions

from wildlens import __version__
from wildlens.errors import WildLensError
from wildlens.settings import Fetch

T = TypeVar("T")
log = logging.getLogger(__name__)

MAX_REDIRECTS = 5
MAX_TEXT = 64 * 2**20  # bytes of an answer in JSON; a page of a hundred items has about 2 MB
CHUNK = 2**18  # bytes
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 60.0  # seconds between tries, twice as long each time
PASSING = {408, 425, 429, 500, 502, 503, 504}  # statuses that another try may mend
REFUSED = {401, 403}


class Tokens(Protocol):
    """What is added to requests to the hosts that want it."""

    def address(self, address: str) -> str:
        """The address, signed."""

    def header(self, address: str) -> str | None:
        """The value of `Authorization`; None if this host gets none."""

    def renew(self) -> None:
        """Forget the present token, since it was refused."""


@dataclass(frozen=True)
class Answer:
    """A whole answer: its status, headers and body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class NoParts(Exception):
    """The server sends files as a whole only."""


class _Passing(Exception):
    """What another try may mend; `wait` is what the server asks for, in seconds."""

    def __init__(self, reason: str, wait: float = 0.0):
        super().__init__(reason)
        self.wait = wait


class Web:
    """Answers from servers, with the manners of the section `fetch`.

    May be used by several threads; each keeps its own connections. `received` counts bytes.
    """

    def __init__(self, settings: Fetch):
        self.settings = settings
        self.tokens: Tokens | None = None
        self.received = 0
        self._own = threading.local()
        self._lock = threading.Lock()

    def ask(
        self,
        address: str,
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        json: object = None,
        form: Mapping[str, str] | None = None,
        limit: int = MAX_TEXT,
        signed: bool = True,
        accepted: tuple[int, ...] = (200,),
    ) -> Answer:
        """The whole answer to a request; an error names the address and what was wrong.

        Args:
            limit: bytes that an answer may have.
            signed: whether tokens are added, where its host is one of theirs.
            accepted: statuses that count as an answer.
        """

        def once() -> Answer:
            with self._open(method, address, headers or {}, json, form, signed) as response:
                if response.status_code not in accepted:
                    self._refuse(response, signed)
                body = b"".join(self._body(response, address, limit))
                return Answer(response.status_code, response.headers, body)

        return self._persist(address, once)

    def part(self, address: str, start: int, stop: int) -> tuple[bytes, int, str]:
        """Bytes `start` to `stop` (or the end) of a file, its size, and its ETag.

        Raises:
            NoParts: the server does not give parts.
        """
        headers = {"Range": f"bytes={start}-{stop - 1}", "Accept-Encoding": "identity"}

        def once() -> tuple[bytes, int, str]:
            with self._open("GET", address, headers, None, None, True) as response:
                if response.status_code == 200:
                    raise NoParts
                if response.status_code != 206:
                    self._refuse(response, True)
                total = _size_of_whole(response.headers, start, stop)
                wanted = min(stop, total) - start
                body = b"".join(self._body(response, address, wanted))
                if len(body) != wanted:
                    raise _Passing(f"the transfer broke after {len(body):,} of {wanted:,} bytes")
                return body, total, response.headers.get("ETag", "")

        return self._persist(address, once)

    def download(self, address: str, file: BinaryIO, limit: int) -> None:
        """Write what lies at an address to a file; a broken transfer goes on where it stopped."""
        etag = None

        def once() -> None:
            nonlocal etag
            start = file.tell()
            headers = {"Accept-Encoding": "identity"}
            if start:
                headers["Range"] = f"bytes={start}-"
                if etag:
                    headers["If-Range"] = etag
            with self._open("GET", address, headers, None, None, True) as response:
                if response.status_code not in (200, 206):
                    self._refuse(response, True)
                if response.status_code == 206 and start:
                    _size_of_whole(response.headers, start)
                elif start:  # all of it again
                    file.seek(0)
                    file.truncate()
                    start = 0
                etag = response.headers.get("ETag")
                for chunk in self._body(response, address, limit - start):
                    file.write(chunk)

        self._persist(address, once)

    def _open(self, method, address, headers, json, form, signed) -> requests.Response:
        """An answer whose body is still to be read."""
        check_address(address)
        target = self.tokens.address(address) if signed and self.tokens else address
        timeout = self.settings.timeout_s
        try:
            return self._session(signed).request(
                method, target, headers=dict(headers), json=json, data=form, stream=True,
                timeout=timeout,
            )  # fmt: skip
        except exceptions.TooManyRedirects:
            raise WildLensError(f"{shown(address)}: more than {MAX_REDIRECTS} redirects") from None
        except exceptions.SSLError:
            raise WildLensError(f"{shown(address)}: its certificate is not trusted") from None
        except exceptions.Timeout:
            raise _Passing(f"no answer within {timeout:g} s") from None
        except (exceptions.ConnectionError, exceptions.ChunkedEncodingError):
            raise _Passing("the server cannot be reached") from None
        except (exceptions.RequestException, ValueError, UnicodeError):
            # no such scheme, no such host name, a redirect to what is no address
            raise WildLensError(
                f"{shown(address)}: is, or leads to, what is no http or https address"
            ) from None

    def _session(self, signed: bool) -> requests.Session:
        sessions = self._own.__dict__.setdefault("sessions", {})
        if signed not in sessions:
            sessions[signed] = _Session(self.tokens if signed else None)
        return sessions[signed]

    def _refuse(self, response: requests.Response, signed: bool) -> None:
        """Say what a status means: to be tried again, or in vain."""
        status = response.status_code
        if status in PASSING:
            raise _Passing(f"the server answers {status}", _retry_after(response))
        if status in REFUSED and signed and self.tokens:
            self.tokens.renew()
            raise _Passing(f"the server refuses the token ({status})")
        meaning = {401: ": it wants credentials", 403: ": it is not allowed", 404: ": not there"}
        raise WildLensError(
            f"{shown(response.url)}: the server answers {status}{meaning.get(status, '')}"
        )

    def _body(self, response: requests.Response, address: str, limit: int) -> Iterator[bytes]:
        """The body in chunks; too long is an error, too short another try."""
        stated = response.headers.get("Content-Length", "")
        encoded = response.headers.get("Content-Encoding", "identity") != "identity"
        length = 0
        try:
            for chunk in response.iter_content(CHUNK):
                length += len(chunk)
                if length > limit:
                    raise WildLensError(
                        f"{shown(address)}: sends more than {limit:,} bytes, which was the limit"
                    )
                with self._lock:
                    self.received += len(chunk)
                yield chunk
        except exceptions.RequestException:
            raise _Passing(f"the transfer broke after {length:,} bytes") from None
        if stated.isdigit() and not encoded and length != int(stated):
            raise _Passing(f"the transfer broke after {length:,} of {int(stated):,} bytes")

    def _persist(self, address: str, once: Callable[[], T]) -> T:
        """The result of an attempt, of several if it fails for what may pass."""
        tries = self.settings.tries
        pause = FIRST_PAUSE
        for left in reversed(range(tries)):
            try:
                return once()
            except _Passing as problem:
                if not left:
                    raise WildLensError(
                        f"{shown(address)}: {problem}, tried {tries} times; what was fetched is"
                        " kept: run it again"
                    ) from None
                # at different moments, where many jobs were turned away at once
                wait = max(problem.wait, pause * random.uniform(0.5, 1.5))  # noqa: S311
                wait = min(wait, LONGEST_PAUSE)
                log.info("%s: %s; next try in %.1f s", shown(address), problem, wait)
                time.sleep(wait)
                pause *= 2
        raise AssertionError("at least one try")


class _Session(requests.Session):
    """Goes where it is led only as far as it is safe; takes credentials only where they belong."""

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
        """Called for each redirect; by itself requests goes by the host that it comes from."""
        before, after = urlsplit(response.url).scheme, urlsplit(prepared.url).scheme
        if after not in ("http", "https") or (before, after) == ("https", "http"):
            raise exceptions.InvalidSchema(after)
        prepared.headers.pop("Authorization", None)
        self._authorize(prepared)

    def _authorize(self, prepared: requests.PreparedRequest) -> None:
        header = self.tokens.header(prepared.url) if self.tokens else None
        if header:
            prepared.headers["Authorization"] = header


def check_address(address: str) -> None:
    """An error unless it is an http or https address without credentials in it."""
    try:
        parts = urlsplit(address)
        sound = parts.scheme in ("http", "https") and parts.hostname and "@" not in parts.netloc
    except ValueError:
        sound = False
    if not sound:
        raise WildLensError(f"{shown(address)}: is no http or https address")


def shown(address: str) -> str:
    """An address as messages and results show it: without its query, which may hold a token."""
    return "".join(c for c in address.partition("?")[0][:300] if c.isprintable())


def is_of_host(address: str, hosts: tuple[str, ...]) -> bool:
    """Whether an address lies on one of these hosts, or under one of these domains."""
    name = (urlsplit(address).hostname or "").lower()
    return any(name == host.lstrip(".") or name.endswith("." + host.lstrip(".")) for host in hosts)


def _size_of_whole(headers: Mapping[str, str], start: int, stop: int | None = None) -> int:
    """The size of the whole file, if an answer is the wanted part (bytes start to stop) of it."""
    unit, _, rest = headers.get("Content-Range", "").partition(" ")
    span, _, total = rest.partition("/")
    first, _, last = span.partition("-")
    numbers = (first, last, total)
    if unit != "bytes" or not all(n.isdecimal() and len(n) < 16 for n in numbers):
        raise _Passing("the server sends a part without saying which")
    first, last, total = map(int, numbers)
    wanted_last = total - 1 if stop is None else min(stop, total) - 1
    if first != start or last != wanted_last:
        raise _Passing(f"asked for bytes from {start}, the server sends {first} to {last}")
    return total


def _retry_after(response: requests.Response) -> float:
    """Seconds that the server wants to be left alone; 0 if it does not say them as a number."""
    text = response.headers.get("Retry-After", "")
    return float(text) if text.isdecimal() and len(text) < 6 else 0.0
