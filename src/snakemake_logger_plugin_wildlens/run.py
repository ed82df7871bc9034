"""A run as the console knows it: its jobs, those that are done, and the time that is left."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from snakemake_logger_plugin_wildlens.costs import cost
from wildlens.progress import duration

TARGETS = {"total", "all", "everything"}  # what Snakemake counts beside the jobs that do something
FIRST = 0.02  # share of a run after which the time left can be told


@dataclass
class Run:
    """Jobs of a run, each weighted by what its rule usually takes.

    Attributes:
        clock: seconds. counts: jobs by rule. total, done: number of jobs.
    """

    clock: Callable[[], float]
    counts: dict[str, int] = field(default_factory=dict)
    total: int = 0
    done: int = 0

    def __post_init__(self) -> None:
        self._begun = self.clock()
        self._rules: dict[int, str] = {}
        self._names: dict[int, str] = {}
        self._started: dict[int, float] = {}
        self._finished = 0.0  # cost

    def plan(self, counts: Mapping[str, int]) -> None:
        """Take the number of jobs by rule, as Snakemake counts them, with their `total`."""
        self.counts = {rule: count for rule, count in counts.items() if rule not in TARGETS}
        self.total = sum(self.counts.values())
        self._begun = self.clock()

    def start(self, job: int, rule: str, wildcards: Mapping[str, str]) -> None:
        """A job of this number has started (on a cluster: was handed in)."""
        self._rules[job] = rule
        self._names[job] = " ".join([title(rule), *map(str, wildcards.values())])
        self._started[job] = self.clock()

    def finish(self, job: int) -> float:
        """A job has ended; returns the seconds that it took, 0 for one that has not started."""
        if job not in self._started:
            return 0.0
        self.done += 1
        self._finished += cost(self._rules[job])
        return self.clock() - self._started.pop(job)

    def name(self, job: int) -> str:
        """Step and what it works on: `map score T35WNT`."""
        return self._names[job]

    def share(self) -> float:
        """Share of the run that is done (0 to 1), of jobs that run by the time they have run."""
        whole = sum(cost(rule) * count for rule, count in self.counts.items())
        now = self.clock()
        running = sum(
            min(now - start, cost(self._rules[job])) for job, start in self._started.items()
        )
        return min(1.0, (self._finished + running) / whole) if whole else 1.0

    def progress(self) -> str:
        """Jobs, share and time left, in columns: ` 7 of 41   38 %   5 min 10 s left`."""
        share, width = self.share(), len(str(self.total))
        left = ""
        if FIRST <= share < 1:
            left = f"{duration((self.clock() - self._begun) * (1 - share) / share)} left"
        return f"{self.done:>{width}} of {self.total} {share:4.0%}  {left:16}"


def title(rule: str) -> str:
    """A rule by its command's name."""
    return rule.replace("_", "-")
