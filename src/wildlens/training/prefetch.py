"""Background prefetching of batches."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

P, T = TypeVar("P"), TypeVar("T")

WORKERS = 2


def prefetch(plans: Iterable[P], prepare: Callable[[P], T], workers: int) -> Iterator[T]:
    """Yield `prepare(plan)` of each plan, in their order for any number of workers.

    Args:
        plans: must make all random choices. They are taken one after the other, at most twice
            `workers` in advance.
        prepare: called in threads, for several plans at a time; must not change shared state.
        workers: number of threads; 0: none, each plan is prepared when it is needed.
    """
    if workers == 0:
        yield from map(prepare, plans)
        return
    plans = iter(plans)
    pool = ThreadPoolExecutor(workers, thread_name_prefix="prefetch")
    try:
        pending = deque(pool.submit(prepare, plan) for plan in islice(plans, 2 * workers))
        while pending:
            batch = pending.popleft().result()
            pending.extend(pool.submit(prepare, plan) for plan in islice(plans, 1))
            yield batch
    finally:
        pool.shutdown(cancel_futures=True)
