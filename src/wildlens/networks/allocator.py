"""Keep freed memory for the next step, instead of giving it back to the system.

Each step of a training allocates and frees the same large arrays. The GNU C library (malloc(3),
mallopt(3)) maps each from the system and unmaps it when it is freed, so that every step writes to
pages that the system has to clear first. Results do not change.
"""

import ctypes
import sys

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4  # <malloc.h>
STEP = 64 * 2**20  # bytes by which the heap grows


def keep_freed_memory() -> bool:
    """Let this process keep the memory that it frees; False if the C library has no `mallopt`.

    The peak of the process grows by what is fragmented, and all of it stays until the process
    ends, so this is for processes that do one thing.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except AttributeError:  # another C library than GNU's, such as musl
        return False
    options = {M_MMAP_MAX: 0, M_TRIM_THRESHOLD: -1, M_TOP_PAD: STEP}
    return all([mallopt(name, value) for name, value in options.items()])
