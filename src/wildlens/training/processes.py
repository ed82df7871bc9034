"""Several processes that train one network together, each on its own device and share of a batch.

They compute what one process computes, up to rounding: all have the same weights and draw the same
random numbers, each passes its share of a batch, and means over the whole batch (losses, gradients,
batch statistics) are exchanged. The environment variables of `torchrun` give each process its rank;
`launch` sets them, too.
"""

import atexit
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn

from wildlens.errors import WildLensError

Rows = TypeVar("Rows", Tensor, np.ndarray)


class Lost(WildLensError):
    """Another process of the training ended; that process reports why."""


class Processes:
    """The `count` processes of a training, seen from the one with number `rank`.

    With a single process nothing is exchanged, and values are not changed.
    """

    def __init__(self, rank: int = 0, count: int = 1, device: torch.device | str = "cpu"):
        self.rank, self.count, self.device = rank, count, device

    @classmethod
    def joined(cls, device: torch.device) -> "Processes":
        """Join the other processes if the environment names any; all of them must call this."""
        if not is_one_of_several():
            return cls()
        if device.type == "cuda":
            torch.cuda.set_device(device)
        if not dist.is_initialized():
            dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
            atexit.register(dist.destroy_process_group)
        return cls(dist.get_rank(), dist.get_world_size(), device)

    @property
    def first(self) -> bool:
        """Whether this process writes the files and reports the progress."""
        return self.rank == 0

    def share(self, batch: Rows) -> Rows:
        """This process's rows of a batch (N, ...): N / `count` consecutive ones."""
        if len(batch) % self.count:
            raise WildLensError(
                f"a batch of {len(batch)} tiles cannot be shared equally by {self.count} "
                "processes; change batch_size (of classifier and gan) or --processes (gpu)"
            )
        size = len(batch) // self.count
        return batch[self.rank * size : (self.rank + 1) * size]

    def mean(self, values: list[float]) -> list[float]:
        """Mean over the processes of each value."""
        if self.count == 1:
            return values
        return (self.sum(self._tensor(values)) / self.count).tolist()

    def maximum(self, number: int) -> int:
        """Largest of the processes' numbers."""
        if self.count == 1:
            return number
        return int(max(self._gathered(self._tensor([number]))).item())

    def average_gradients(self, networks: Iterable[nn.Module]) -> None:
        """Replace the gradients of each share's mean loss by those of the whole batch's."""
        if self.count == 1:
            return
        gradients = [p.grad for n in networks for p in n.parameters() if p.grad is not None]
        means = self.sum(torch.cat([g.flatten() for g in gradients])) / self.count
        parts = means.split([g.numel() for g in gradients])
        for gradient, mean in zip(gradients, parts, strict=True):
            gradient.copy_(mean.view(gradient.shape))

    @contextmanager
    def first_before_others(self) -> Iterator[None]:
        """Run the block in the first process, then in the others."""
        if not self.first:
            self.wait()
        yield
        if self.first:
            self.wait()

    def wait(self) -> None:
        """Wait until all processes have called this."""
        self.maximum(0)

    def sum(self, tensor: Tensor) -> Tensor:
        """Sum over the processes, in place."""
        with _exchange():
            dist.all_reduce(tensor)
        return tensor

    def _tensor(self, values: list[float]) -> Tensor:
        return torch.tensor(values, dtype=torch.float64, device=self.device)

    def _gathered(self, tensor: Tensor) -> list[Tensor]:
        parts = [torch.empty_like(tensor) for _ in range(self.count)]
        with _exchange():
            dist.all_gather(parts, tensor)
        return parts


def is_one_of_several() -> bool:
    """Whether this process is one of several, started by `launch` or by torchrun."""
    return int(os.environ.get("WORLD_SIZE", 1)) > 1


@contextmanager
def _exchange() -> Iterator[None]:
    """Turn errors of torch in an exchange into `Lost`: they mean that another process ended."""
    try:
        yield
    except RuntimeError as error:
        raise Lost(f"another process of this training ended: {str(error)[:80]}") from None
