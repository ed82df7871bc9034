"""Tests that memory freed by one step is used by the next, without new pages of the system."""

import subprocess
import sys

import pytest

STEPS = """
import resource
import numpy as np
from wildlens.networks.allocator import keep_freed_memory

if {keep}:
    assert keep_freed_memory()
faults = []
for step in range(4):
    arrays = [np.ones(5_000_000, np.float32) for _ in range(4)]
    del arrays
    faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
print(faults[-1] - faults[0])
"""


def page_faults(keep: bool) -> int:
    """New pages from the second step on, 80 MB a step."""
    command = [sys.executable, "-c", STEPS.format(keep=keep)]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="mallopt is of the GNU C library")
def test_freed_memory_is_used_again():
    assert page_faults(keep=True) < 0.01 * page_faults(keep=False)
