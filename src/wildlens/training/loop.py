"""The training loop: batches prefetched in the background, steps, checkpoints, progress."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from wildlens.errors import WildLensError
from wildlens.networks.device import on_device
from wildlens.progress import track
from wildlens.training.prefetch import prefetch
from wildlens.training.random_states import random_states, set_random_states
from wildlens.training.session import Session

Batch = tuple[Tensor, ...]  # images (N, C, H, W) first


class Task(ABC):
    """A training, as the loop sees it.

    Attributes:
        name: prefix of messages. steps: number of steps in all.
        loss_limit: training has diverged when a value of `step` is not below it.
        remedy: advice if it has diverged.
    """

    name: str
    steps: int
    loss_limit: float
    remedy: str

    @abstractmethod
    def epoch(self, generator: np.random.Generator) -> list[np.ndarray]:
        """Indices of the tiles of each batch of a new epoch, in the order of use."""

    @abstractmethod
    def draw(self, indices: np.ndarray, generator: np.random.Generator) -> Any:
        """Make all random choices of a batch; the result goes to `prepare`."""

    @abstractmethod
    def prepare(self, plan: Any, rows: np.ndarray) -> Batch:
        """Tensors of these rows of the batch. Runs in threads: must not change the task."""

    @abstractmethod
    def step(self, number: int, batch: Batch) -> Mapping[str, float]:
        """Take step `number` (from 0); returns its losses by name."""

    def end_epoch(self) -> None:  # noqa: B027 (optional)
        """Runs after the last step of each epoch, and after the last step of all."""

    @abstractmethod
    def describe(self) -> str:
        """Losses of the last steps, for the progress line."""

    @abstractmethod
    def state(self) -> dict:
        """All that the remaining steps depend on, as nested dicts and lists of tensors and JSON."""

    @abstractmethod
    def load_state(self, state: dict) -> None:
        """Restore what `state` returned."""


@dataclass(frozen=True)
class Drawn:
    """A batch whose random choices are made, and the state of the loop after making them.

    Attributes:
        size: tiles in the batch. opens_epoch: whether it is the first batch of its epoch.
        queue: indices of the epoch's batches after it.
        random: state of the numpy generator.
    """

    plan: Any
    size: int
    opens_epoch: bool
    queue: list[np.ndarray]
    random: dict


class Loop:
    """Takes the steps of a task; a run that was interrupted resumes from its last checkpoint."""

    def __init__(self, task: Task, session: Session, generator: np.random.Generator):
        self.task, self.session, self.generator = task, session, generator
        self.done = 0  # steps
        self.last: Drawn | None = None  # the batch of the last step; later ones are prefetched
        self.queue: list[np.ndarray] = []  # batches of the epoch that are not drawn yet

    def run(self) -> None:
        """Take all remaining steps."""
        task, checkpoints = self.task, self.session.checkpoints
        checkpoints.resume(self.load_state)
        with checkpoints.watching():
            batches = prefetch(self._draw(), self._prepare, self.session.workers)
            for drawn, batch in self._tracked(batches):
                if drawn.opens_epoch and self.done:
                    task.end_epoch()
                self._check(task.step(self.done, self._on_device(batch)))
                self.done, self.last = self.done + 1, drawn
                checkpoints.reached(self.done, self.state)
            task.end_epoch()

    def state(self) -> dict:
        """Content of a checkpoint after the last step."""
        return {
            "done": self.done,
            "queue": [indices.tolist() for indices in self.last.queue],
            "random": random_states(self.last.random, self.session.device),
            "task": self.task.state(),
        }

    def load_state(self, state: dict) -> None:
        """Restore what `state` returned."""
        self.task.load_state(state["task"])
        set_random_states(state["random"], self.generator, self.session.device)
        self.queue = [np.array(indices) for indices in state["queue"]]
        self.done = state["done"]

    def _draw(self) -> Iterator[Drawn]:
        """All remaining batches; random choices are made in the order of the steps."""
        for _ in range(self.task.steps - self.done):
            opens_epoch = not self.queue
            if opens_epoch:
                self.queue = self.task.epoch(self.generator)
            indices, *self.queue = self.queue
            plan = self.task.draw(indices, self.generator)
            random = self.generator.bit_generator.state
            yield Drawn(plan, len(indices), opens_epoch, self.queue, random)

    def _prepare(self, drawn: Drawn) -> tuple[Drawn, Batch]:
        """This process's share of a batch, in pinned memory if a GPU reads it from there."""
        batch = self.task.prepare(drawn.plan, self.session.processes.share(np.arange(drawn.size)))
        if self.session.device.type == "cuda":
            batch = tuple(tensor.pin_memory() for tensor in batch)
        return drawn, batch

    def _on_device(self, batch: Batch) -> Batch:
        images, *others = batch
        device = self.session.device
        return (on_device(images, device), *(tensor.to(device) for tensor in others))

    def _tracked(self, batches: Iterator) -> Iterator:
        """Show progress, rate and remaining time; of several processes only the first does."""
        if not self.session.processes.first:
            return batches
        task = self.task
        return track(batches, task.name, task.steps, "steps", self.done, task.describe)

    def _check(self, losses: Mapping[str, float]) -> None:
        for name, value in losses.items():
            if not value < self.task.loss_limit:  # also NaN
                raise WildLensError(
                    f"{self.task.name}: {name} is {value:.3g} at step {self.done + 1}; "
                    f"{self.task.remedy}"
                )
