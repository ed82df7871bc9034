"""Where a training runs: device, processes, checkpoints, prefetching threads."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import torch

from wildlens.files.conditions import MARK, conditions
from wildlens.networks.device import choose_device
from wildlens.settings import Section
from wildlens.training.checkpoint import SECONDS, Checkpoints, fingerprint
from wildlens.training.prefetch import WORKERS
from wildlens.training.processes import Processes

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Session:
    """Where a training runs; by default on the CPU in one process, without checkpoints."""

    device: torch.device = field(default_factory=partial(torch.device, "cpu"))
    processes: Processes = field(default_factory=Processes)
    checkpoints: Checkpoints = field(default_factory=Checkpoints.none)
    workers: int = 0

    @classmethod
    def open(
        cls,
        name: str,
        settings: Section,
        record: Mapping[str, str],
        module: str,
        *,
        device: str = "auto",
        checkpoints: Path | None = None,
        checkpoint_seconds: float = SECONDS,
        workers: int = WORKERS,
    ) -> "Session":
        """Choose the device and join the other processes of this training, if there are any.

        Args:
            name: section of the settings, and prefix of messages and checkpoint files.
            record: of `provenance.record`. module: name of the training's module.
            checkpoints: folder to resume from and to write a checkpoint to every
                `checkpoint_seconds`; None: no checkpoints.
            workers: threads that prefetch batches.
        """
        chosen = choose_device(device)
        processes = Processes.joined(chosen)
        log.info("%s: %s%s", name, MARK, conditions(*_computing(chosen)))
        mark = fingerprint(name, settings, record, module)
        keeper = Checkpoints(checkpoints, name, mark, checkpoint_seconds, processes)
        return cls(chosen, processes, keeper, workers)

    def of_start(self, start: int) -> "Session":
        """The same with checkpoints of its own, if it is not the first training (0)."""
        if start == 0:
            return self
        return replace(self, checkpoints=self.checkpoints.renamed(f"start-{start}"))


def _computing(device: torch.device) -> tuple[str, ...]:
    """GPU, threads and torch's version."""
    gpu = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    return gpu, f"{torch.get_num_threads()} threads", f"torch {torch.__version__}"
