"""Batches that are made by threads while the steps before them run."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

P, T = TypeVar("P"), TypeVar("T")

WORKERS = 2


def made_ahead(plans: Iterable[P], make: Callable[[P], T], workers: int) -> Iterator[T]:
    """`make(plan)` of each plan, in their order, whatever the number of workers.

    Args:
        plans: all that is random must be drawn in them: they are taken one after the other, up to
            twice the workers ahead of what is asked for.
        make: called in threads, of several plans at a time; must change nothing.
        workers: number of threads; 0: none, and nothing is made before it is asked for.
    """
    if workers == 0:
        yield from map(make, plans)
        return
    plans = iter(plans)
    pool = ThreadPoolExecutor(workers, thread_name_prefix="batches")
    try:
        made = deque(pool.submit(make, plan) for plan in islice(plans, 2 * workers))
        while made:
            batch = made.popleft().result()
            made.extend(pool.submit(make, plan) for plan in islice(plans, 1))
            yield batch
    finally:
        pool.shutdown(cancel_futures=True)
