"""Processor times of programs that run alternately, and peak memory of fresh processes.

On a shared machine a single time is unreliable. Therefore the compared programs run alternately,
and the median of the ratios of their processor times is reported.
"""

import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

ROUGH = 2**10 if sys.platform == "darwin" else 1  # ru_maxrss is in bytes there, else in kB


@dataclass(frozen=True)
class Turns:
    """Processor seconds of each compared program in each turn."""

    seconds: Mapping[str, list[float]]

    def median(self, name: str) -> float:
        """Median over the turns, processor seconds."""
        return statistics.median(self.seconds[name])

    def ratio(self, name: str, reference: str) -> float:
        """Median over the turns of time / time of the reference."""
        pairs = zip(self.seconds[name], self.seconds[reference], strict=True)
        return statistics.median(a / b for a, b in pairs)


def take_turns(contestants: Mapping[str, Callable[[], object]], turns: int) -> Turns:
    """Call all functions alternately, `turns` times."""
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for turn in range(1, turns + 1):
        for name, call in contestants.items():
            start = time.process_time()
            call()
            seconds[name].append(time.process_time() - start)
            _report(turn, turns, name, seconds[name][-1])
    return Turns(seconds)


def fresh_turns(
    commands: Mapping[str, list[str]], turns: int, at_once: bool
) -> tuple[Turns, dict[str, float]]:
    """Like `take_turns`, with each call in its own process, which prints its seconds and its peak.

    Args:
        commands: arguments of `python -m benchmarks` for each program.
        at_once: start all programs of a turn together, so that they have the same conditions.

    Returns:
        The turns, and the median peak memory of each program in MB.
    """
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    peaks: dict[str, list[float]] = {name: [] for name in commands}
    for turn in range(1, turns + 1):
        waiting: dict[str, subprocess.Popen] = {}
        for name, arguments in commands.items():
            command = [sys.executable, "-m", "benchmarks", *arguments]
            waiting[name] = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
            if not at_once:
                waiting[name].wait()
        for name, process in waiting.items():
            printed, _ = process.communicate()
            if process.returncode:
                raise SystemExit(f"benchmarks: {name} failed")
            spent, peak = map(float, printed.split()[-2:])
            seconds[name].append(spent)
            peaks[name].append(peak)
            _report(turn, turns, name, spent)
    return Turns(seconds), {name: statistics.median(found) for name, found in peaks.items()}


def peak_memory() -> float:
    """Largest resident memory that this process had, MB."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 / ROUGH
    # on Linux, ru_maxrss includes the memory of the process that started this one
    (line,) = [n for n in status.read_text().splitlines() if n.startswith("VmHWM")]
    return int(line.split()[1]) / 1024


def _report(turn: int, turns: int, name: str, seconds: float) -> None:
    line = f"turn {turn} of {turns}: {name}: {seconds:.2f} s"
    print(line, file=sys.stderr, flush=True)
