"""HTTP client for untrusted servers: requests and urllib3, with limits and one-line errors.

Only http and https, few redirects, none from https to http; responses that are longer than
requested are an error, shorter ones are requested again; bodies of redirects and errors are not
read; credentials are sent to their own hosts only, and appear in no message.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import BinaryIO, TypeVar

import requests
from requests import exceptions
from urllib3 import Retry
from urllib3.exceptions import MaxRetryError

from wildlens.errors import WildLensError
from wildlens.fetch.address import check_address, shown
from wildlens.fetch.session import MAX_REDIRECTS, Session, Tokens
from wildlens.settings import Fetch

T = TypeVar("T")
log = logging.getLogger(__name__)

MAX_TEXT = 64 * 2**20  # bytes of a JSON response; a page of a hundred items has about 2 MB
CHUNK = 2**18  # bytes
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 60.0  # seconds between tries; doubles each time
TRANSIENT = {408, 425, 429, 500, 502, 503, 504}  # statuses for which a retry may succeed
REFUSED = {401, 403}
_AS_STORED = {"Accept-Encoding": "identity"}


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
        self, address: str, *, method: str = "GET", limit: int = MAX_TEXT, signed: bool = True,
        **request,
    ) -> bytes:  # fmt: skip
        """The complete body of a response; errors name the address and the problem.

        Args:
            limit: largest body, bytes.
            signed: whether tokens are added for their hosts.
            request: headers, parameters, JSON or form, as `requests` takes them.
        """

        def once() -> bytes:
            with self._open(method, address, signed, **request) as response:
                self._expect(response, signed, 200)
                return b"".join(self._body(response, address, limit))

        return self._persist(address, once)

    def part(self, address: str, start: int, stop: int) -> tuple[bytes, int, str]:
        """Bytes `start` to `stop` (or the end) of a file, its size, and its ETag.

        Raises:
            NoParts: the server does not support range requests.
        """
        headers = {"Range": f"bytes={start}-{stop - 1}", **_AS_STORED}

        def once() -> tuple[bytes, int, str]:
            with self._open("GET", address, headers=headers) as response:
                if response.status_code == 200:
                    raise NoParts
                self._expect(response, True, 206)
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
            headers = {"Range": f"bytes={start}-", "If-Range": etag} if start else {}
            with self._open("GET", address, headers=headers | _AS_STORED) as response:
                self._expect(response, True, 200, 206)
                if start and response.status_code == 206:
                    _size_of_whole(response.headers, start)
                else:  # from the beginning
                    start = file.seek(0)
                    file.truncate()
                etag = response.headers.get("ETag")
                for chunk in self._body(response, address, limit - start):
                    file.write(chunk)

        self._persist(address, once)

    def _open(self, method: str, address: str, signed: bool = True, **request) -> requests.Response:
        """A response whose body is still to be read."""
        check_address(address)
        timeout, tokens = self.settings.timeout_s, self.tokens if signed else None
        try:
            return self._session().follow(method, address, auth=tokens, timeout=timeout, **request)
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

    def _session(self) -> Session:
        """The session of this thread."""
        if not hasattr(self._own, "session"):
            self._own.session = Session()
        return self._own.session

    def _expect(self, response: requests.Response, signed: bool, *accepted: int) -> None:
        """Raise the error of a status that is not accepted: transient, or final."""
        status = response.status_code
        if status in accepted:
            return
        if status in TRANSIENT:
            asked = response.headers.get("Retry-After", "")
            seconds = float(asked) if asked.isdecimal() and len(asked) < 6 else 0.0
            raise _Transient(f"the server answers {status}", seconds)
        if status in REFUSED and signed and self.tokens:
            self.tokens.renew()
            raise _Transient(f"the server refuses the token ({status})")
        meaning = {401: ": it requires credentials", 403: ": it is not allowed", 404: ": not found"}
        raise WildLensError(
            f"{shown(response.url)}: the server answers {status}{meaning.get(status, '')}"
        )

    def _body(self, response: requests.Response, address: str, limit: int) -> Iterator[bytes]:
        """The body in chunks; if it is too long, an error; if too short, a transient one."""
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
        except exceptions.RequestException:  # also if it is shorter than its Content-Length
            raise _Transient(f"the transfer broke after {length:,} bytes") from None

    def _persist(self, address: str, once: Callable[[], T]) -> T:
        """The result of an attempt, repeated after transient failures."""
        tries = self.settings.tries
        retries = Retry(
            tries - 1,
            backoff_factor=FIRST_PAUSE,
            backoff_max=LONGEST_PAUSE,
            backoff_jitter=FIRST_PAUSE,  # in case many jobs were refused at once
        )
        while True:
            try:
                return once()
            except _Transient as problem:
                try:
                    retries = retries.increment(error=problem)
                except MaxRetryError:
                    raise WildLensError(
                        f"{shown(address)}: {problem}, tried {tries} times; finished bands are"
                        " kept: run it again"
                    ) from None
                pause = min(max(problem.wait, retries.get_backoff_time()), LONGEST_PAUSE)
                log.info("%s: %s; next try in %.1f s", shown(address), problem, pause)
                time.sleep(pause)


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
