"""Progress of long steps: a bar in a terminal, log lines elsewhere."""

import logging
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from tqdm import tqdm

T = TypeVar("T")
log = logging.getLogger(__name__)

INTERVAL = 10.0  # seconds between two lines where there is no terminal


def track(
    items: Iterable[T],
    what: str,
    total: int | None = None,
    unit: str = "it",
    done: int = 0,
    detail: Callable[[], str] | None = None,
) -> Iterator[T]:
    """Iterate with progress, rate and remaining time.

    A bar in a terminal; elsewhere (a workflow's job, a cluster's log) a log line at most every ten
    seconds, so that log files stay readable.

    Args:
        done: number of items of `total` done before. detail: text about the last items.
    """
    if total is None and hasattr(items, "__len__"):
        total = len(items)
    if sys.stderr.isatty():
        # here, since in a notebook this module warns of what it needs and we do not
        from tqdm.contrib.logging import logging_redirect_tqdm

        with (
            logging_redirect_tqdm(),
            tqdm(items, what, total, unit=unit, leave=False, initial=done) as bar,
        ):
            for item in bar:
                yield item
                if detail is not None:
                    bar.set_postfix_str(detail(), refresh=False)
        return
    start = last = time.monotonic()
    for count, item in enumerate(items, start=1):
        yield item
        now = time.monotonic()
        if now - last >= INTERVAL:
            last = now
            line = _line(what, done, count, total, unit, now - start)
            log.info(line if detail is None else f"{line}; {detail()}")


class Transfer:
    """Progress of a transfer of unknown size: share, amount, rate, remaining time.

    Used as a context; shown as `track` shows it.
    """

    def __init__(self, what: str):
        self.what = what
        self._start = self._last = time.monotonic()
        self._bar = None

    def __enter__(self) -> "Transfer":
        if sys.stderr.isatty():
            self._bar = tqdm(desc=self.what, total=100, unit="%", leave=False)
        return self

    def __exit__(self, *problem) -> None:
        if self._bar is not None:
            self._bar.close()

    def update(self, share: float, amount: int) -> None:
        """Report the finished share (0..1) and the number of bytes transferred."""
        now = time.monotonic()
        seconds = max(now - self._start, 1e-6)
        rate = f"{amount / 1e6:.1f} MB, {amount / 1e6 / seconds:.2g} MB/s"
        if self._bar is not None:
            self._bar.set_postfix_str(rate, refresh=False)
            self._bar.update(round(100 * share) - self._bar.n)
        elif now - self._last >= INTERVAL:
            self._last = now
            left = duration(seconds * (1 - share) / share) if share else "unknown time"
            log.info("%s: %.0f %%, %s, %s left", self.what, 100 * share, rate, left)


def _line(what: str, before: int, count: int, total: int | None, unit: str, seconds: float) -> str:
    rate, done = count / seconds, before + count
    if total is None:
        return f"{what}: {done} {unit}, {rate:.3g} {unit}/s"
    left = (total - done) / rate
    return f"{what}: {done} of {total} {unit}, {rate:.3g} {unit}/s, {duration(left)} left"


def duration(seconds: float) -> str:
    """Duration as text: 42 s, 3 min 20 s, 2 h 5 min."""
    seconds = round(seconds)
    if seconds < 60:
        return f"{seconds} s"
    minutes, seconds = divmod(seconds, 60)
    if minutes < 60:
        return f"{minutes} min {seconds} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min"
