"""Times of things that take turns, and peak memory of fresh processes.

On a machine that others use, too, a time alone says little: what is compared runs in turns, and
what is reported is the median of the ratios of each turn, in processor time.
"""

import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

ROUGH = 2**10 if sys.platform == "darwin" else 1  # ru_maxrss is in bytes there, else in kB


@dataclass(frozen=True)
class Turns:
    """Processor seconds of each contestant in each turn."""

    seconds: Mapping[str, list[float]]

    def median(self, name: str) -> float:
        """Processor seconds."""
        return statistics.median(self.seconds[name])

    def ratio(self, name: str, reference: str) -> float:
        """Median over the turns of time / time of the reference."""
        pairs = zip(self.seconds[name], self.seconds[reference], strict=True)
        return statistics.median(a / b for a, b in pairs)


def take_turns(contestants: Mapping[str, Callable[[], object]], turns: int) -> Turns:
    """Call all contestants in turn, once to warm up and then `turns` times."""
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for turn in range(turns + 1):
        for name, call in contestants.items():
            start = time.process_time()
            call()
            spent = time.process_time() - start
            if turn:
                seconds[name].append(spent)
            print(f"turn {turn} of {turns}: {name}: {spent:.2f} s", file=sys.stderr, flush=True)
    return Turns(seconds)


def peak_memory() -> float:
    """Largest resident memory that this process had, MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 / ROUGH


def peak_of(*arguments: str) -> float:
    """Peak memory in MB of `python -m benchmarks ARGUMENTS`, which prints it last."""
    command = [sys.executable, "-m", "benchmarks", *arguments]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(run.stdout.split()[-1])
