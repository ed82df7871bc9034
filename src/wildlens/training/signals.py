"""Handlers of signals while a block runs."""

import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType

Handler = Callable[[int, FrameType | None], object]


@contextmanager
def handled(handlers: Mapping[int, Handler]) -> Iterator[None]:
    """While the block runs, signals have these handlers; afterwards those that they had.

    A signal that is ignored from the start, as by nohup, stays ignored.
    """
    wanted = {n: own for n, own in handlers.items() if signal.getsignal(n) != signal.SIG_IGN}
    before = {number: signal.signal(number, own) for number, own in wanted.items()}
    try:
        yield
    finally:
        for number, own in before.items():
            signal.signal(number, own)
