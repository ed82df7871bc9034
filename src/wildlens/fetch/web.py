"""HTTP client for untrusted servers: size limits, validation, retries, one-line errors.

Only http and https, few redirects, none from https to http; responses that are longer than
requested are an error, shorter ones are requested again; credentials are sent to their own hosts
only, and appear in no message.
"""

import logging
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO, TypeVar

import requests
from requests import exceptions

from wildlens.errors import WildLensError
from wildlens.fetch.address import check_address, shown
from wildlens.fetch.session import MAX_REDIRECTS, Session, Tokens
from wildlens.settings import Fetch

T = TypeVar("T")
log = logging.getLogger(__name__)

MAX_TEXT = 64 * 2**20  # bytes of a JSON response; a page of a hundred items has about 2 MB
CHUNK = 2**18  # bytes
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 60.0  # seconds between tries, twice as long each time
TRANSIENT = {408, 425, 429, 500, 502, 503, 504}  # statuses for which a retry may succeed
REFUSED = {401, 403}


@dataclass(frozen=True)
class Response:
    """A complete response: status, headers and body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class NoParts(Exception):
    """The server does not support range requests."""


class _Transient(Exception):
    """A failure for which a retry may succeed; `wait`: pause that the server asks for, seconds."""

    def __init__(self, reason: str, wait: float = 0.0):
        super().__init__(reason)
        self.wait = wait


class Web:
    """HTTP client with the limits of the section `fetch`.

    May be used by several threads; each has its own connections. `received` counts bytes.
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
    ) -> Response:
        """The complete response to a request; errors name the address and the problem.

        Args:
            limit: largest response, bytes.
            signed: whether tokens are added for their hosts.
            accepted: statuses that are no error.
        """

        def once() -> Response:
            with self._open(method, address, headers or {}, json, form, signed) as response:
                if response.status_code not in accepted:
                    self._refuse(response, signed)
                body = b"".join(self._body(response, address, limit))
                return Response(response.status_code, response.headers, body)

        return self._persist(address, once)

    def part(self, address: str, start: int, stop: int) -> tuple[bytes, int, str]:
        """Bytes `start` to `stop` (or the end) of a file, its size, and its ETag.

        Raises:
            NoParts: the server does not support range requests.
        """
        headers = {"Range": f"bytes={start}-{stop - 1}", "Accept-Encoding": "identity"}

        def once() -> tuple[bytes, int, str]:
            with self._open("GET", address, headers, None, None, True) as response:
                if response.status_code == 200:
                    raise NoParts
                if response.status_code != 206:
                    self._refuse(response, True)
                total = _size_of_whole(response.headers, start, stop)
                expected = min(stop, total) - start
                body = b"".join(self._body(response, address, expected))
                if len(body) != expected:
                    raise _Transient(
                        f"the transfer broke after {len(body):,} of {expected:,} bytes"
                    )
                return body, total, response.headers.get("ETag", "")

        return self._persist(address, once)

    def download(self, address: str, file: BinaryIO, limit: int) -> None:
        """Download an address to a file; an interrupted transfer resumes where it stopped."""
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
                elif start:  # from the beginning
                    file.seek(0)
                    file.truncate()
                    start = 0
                etag = response.headers.get("ETag")
                for chunk in self._body(response, address, limit - start):
                    file.write(chunk)

        self._persist(address, once)

    def _open(self, method, address, headers, json, form, signed) -> requests.Response:
        """A response whose body is still to be read."""
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
            raise _Transient(f"no answer within {timeout:g} s") from None
        except (exceptions.ConnectionError, exceptions.ChunkedEncodingError):
            raise _Transient("the server cannot be reached") from None
        except (exceptions.RequestException, ValueError, UnicodeError):
            # unknown scheme, unknown host name, or a redirect to an invalid address
            raise WildLensError(
                f"{shown(address)}: is not, or redirects to what is not, an http or https address"
            ) from None

    def _session(self, signed: bool) -> requests.Session:
        sessions = self._own.__dict__.setdefault("sessions", {})
        if signed not in sessions:
            sessions[signed] = Session(self.tokens if signed else None)
        return sessions[signed]

    def _refuse(self, response: requests.Response, signed: bool) -> None:
        """Raise the error of a status: transient, or final."""
        status = response.status_code
        if status in TRANSIENT:
            raise _Transient(f"the server answers {status}", _retry_after(response))
        if status in REFUSED and signed and self.tokens:
            self.tokens.renew()
            raise _Transient(f"the server refuses the token ({status})")
        meaning = {401: ": it requires credentials", 403: ": it is not allowed", 404: ": not found"}
        raise WildLensError(
            f"{shown(response.url)}: the server answers {status}{meaning.get(status, '')}"
        )

    def _body(self, response: requests.Response, address: str, limit: int) -> Iterator[bytes]:
        """The body in chunks; if it is too long, an error; if too short, a transient one."""
        stated = response.headers.get("Content-Length", "")
        encoded = response.headers.get("Content-Encoding", "identity") != "identity"
        length = 0
        try:
            for chunk in response.iter_content(CHUNK):
                length += len(chunk)
                if length > limit:
                    raise WildLensError(
                        f"{shown(address)}: sends more than the limit of {limit:,} bytes"
                    )
                with self._lock:
                    self.received += len(chunk)
                yield chunk
        except exceptions.RequestException:
            raise _Transient(f"the transfer broke after {length:,} bytes") from None
        if stated.isdigit() and not encoded and length != int(stated):
            raise _Transient(f"the transfer broke after {length:,} of {int(stated):,} bytes")

    def _persist(self, address: str, once: Callable[[], T]) -> T:
        """The result of an attempt, repeated after transient failures."""
        tries = self.settings.tries
        pause = FIRST_PAUSE
        for left in reversed(range(tries)):
            try:
                return once()
            except _Transient as problem:
                if not left:
                    raise WildLensError(
                        f"{shown(address)}: {problem}, tried {tries} times; finished bands"
                        " are kept: run it again"
                    ) from None
                # at random, in case many jobs were refused at once
                wait = max(problem.wait, pause * random.uniform(0.5, 1.5))  # noqa: S311
                wait = min(wait, LONGEST_PAUSE)
                log.info("%s: %s; next try in %.1f s", shown(address), problem, wait)
                time.sleep(wait)
                pause *= 2
        raise AssertionError("at least one try")


def _size_of_whole(headers: Mapping[str, str], start: int, stop: int | None = None) -> int:
    """The size of the whole file, if a response is its requested part (bytes start to stop)."""
    unit, _, rest = headers.get("Content-Range", "").partition(" ")
    span, _, total = rest.partition("/")
    first, _, last = span.partition("-")
    numbers = (first, last, total)
    if unit != "bytes" or not all(n.isdecimal() and len(n) < 16 for n in numbers):
        raise _Transient("the server sends a part without stating which")
    first, last, total = map(int, numbers)
    expected_last = total - 1 if stop is None else min(stop, total) - 1
    if first != start or last != expected_last:
        raise _Transient(f"asked for bytes from {start}, the server sends {first} to {last}")
    return total


def _retry_after(response: requests.Response) -> float:
    """Seconds that the server asks to wait; 0 if not stated as a number."""
    text = response.headers.get("Retry-After", "")
    return float(text) if text.isdecimal() and len(text) < 6 else 0.0
