"""Several processes that train one network together, each on a device and a share of the batch.

They take the steps of one process, up to rounding: all hold the same weights and draw the same
random numbers; each passes its share of a batch, and means over the whole batch (losses, gradients,
batch statistics) are exchanged. Whatever starts them says by the variables of `torchrun` which is
which; `launched` does.
"""

import atexit
import logging
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import numpy as np
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import Tensor, nn

from wildlens.errors import WildLensError

Rows = TypeVar("Rows", Tensor, np.ndarray)


class Lost(WildLensError):
    """Another process of the training ended; it says why."""


class Processes:
    """The processes of a training, of which this one has number `rank` of `count`.

    Where there is one only, nothing is exchanged, and every value stays as it is.
    """

    def __init__(self, rank: int = 0, count: int = 1, where: torch.device | str = "cpu"):
        self.rank, self.count, self.where = rank, count, where

    @classmethod
    def joined(cls, where: torch.device) -> "Processes":
        """Meet the others, if the environment tells of some; the others do the same."""
        if not is_one_of_several():
            return cls()
        if where.type == "cuda":
            torch.cuda.set_device(where)
        if not dist.is_initialized():
            dist.init_process_group("nccl" if where.type == "cuda" else "gloo")
            atexit.register(dist.destroy_process_group)
        return cls(dist.get_rank(), dist.get_world_size(), where)

    @property
    def first(self) -> bool:
        """Whether it is this one that writes files and says how far the training is."""
        return self.rank == 0

    def share(self, batch: Rows) -> Rows:
        """This process's rows of a batch (N, ...): N / `count` of them, in the batch's order."""
        if len(batch) % self.count:
            raise WildLensError(
                f"a batch of {len(batch)} tiles cannot be shared equally by {self.count} "
                "processes; change batch_size (of classifier and gan) or --processes (gpu)"
            )
        size = len(batch) // self.count
        return batch[self.rank * size : (self.rank + 1) * size]

    def mean(self, values: list[float]) -> list[float]:
        """Means over the processes."""
        if self.count == 1:
            return values
        return (self.sum(self._tensor(values)) / self.count).tolist()

    def highest(self, number: int) -> int:
        """The highest of the processes' numbers."""
        if self.count == 1:
            return number
        return int(max(self._gathered(self._tensor([number]))).item())

    def average_gradients(self, networks: Iterable[nn.Module]) -> None:
        """Replace the gradients of a share's mean loss by those of the whole batch's."""
        if self.count == 1:
            return
        gradients = [p.grad for n in networks for p in n.parameters() if p.grad is not None]
        means = self.sum(torch.cat([g.flatten() for g in gradients])) / self.count
        parts = means.split([g.numel() for g in gradients])
        for gradient, mean in zip(gradients, parts, strict=True):
            gradient.copy_(mean.view(gradient.shape))

    @contextmanager
    def first_before_others(self) -> Iterator[None]:
        """The first process runs the block before the others do."""
        if not self.first:
            self.wait()
        yield
        if self.first:
            self.wait()

    def wait(self) -> None:
        """Until all processes are here."""
        self.highest(0)

    def sum(self, tensor: Tensor) -> Tensor:
        """Sum over the processes, in place."""
        with _others():
            dist.all_reduce(tensor)
        return tensor

    def _tensor(self, values: list[float]) -> Tensor:
        return torch.tensor(values, dtype=torch.float64, device=self.where)

    def _gathered(self, tensor: Tensor) -> list[Tensor]:
        parts = [torch.empty_like(tensor) for _ in range(self.count)]
        with _others():
            dist.all_gather(parts, tensor)
        return parts


def is_one_of_several() -> bool:
    """Whether this process was started beside others, by `launched` or by torchrun."""
    return int(os.environ.get("WORLD_SIZE", 1)) > 1


@contextmanager
def _others() -> Iterator[None]:
    """What torch raises in an exchange means that another process has ended."""
    try:
        yield
    except RuntimeError as error:
        raise Lost(f"another process of this training ended: {str(error)[:80]}") from None


def launched(count: int, command: Callable[[], None]) -> bool:
    """Run `command` in `count` processes until all have ended; one that fails ends all.

    Args:
        command: a function of a module; reads the command line, which is that of this process.

    Returns:
        False, and nothing was done, if there is to be one process only, or this is one of them.
    """
    if count <= 1 or is_one_of_several():
        return False
    # it would tell which processes it ends because one has failed; that one's reason is what counts
    logging.getLogger("torch.multiprocessing.spawn").setLevel(logging.ERROR)
    store = dist.TCPStore("localhost", 0, is_master=True, wait_for_workers=False)
    said = mp.get_context("spawn").SimpleQueue()
    children = mp.start_processes(_run, (count, store.port, command, said), count, join=False)
    with _passed_on(children.pids()):
        try:
            while not children.join():
                pass
        except mp.ProcessExitedException as error:
            raise _first_failure(error, said) from None
    return True


def _run(rank: int, count: int, port: int, command: Callable[[], None], said) -> None:
    """One of the processes."""
    os.environ |= {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": str(count),
        "MASTER_ADDR": "localhost",
        "MASTER_PORT": str(port),
        "TORCHELASTIC_USE_AGENT_STORE": "True",  # at this port the launcher listens, as torchrun's
    }
    torch.set_num_threads(max(1, torch.get_num_threads() // count))
    try:
        command()
    except WildLensError as error:
        if not isinstance(error, Lost):
            said.put((str(error), error.exit_status))
        sys.exit(error.exit_status)
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)


@contextmanager
def _passed_on(children: list[int]) -> Iterator[None]:
    """While the block runs, signals that ask this process to end go to its children."""

    def pass_on(number: int, frame: object) -> None:
        for child in children:
            os.kill(child, number)

    numbers = [n for n in (signal.SIGTERM, signal.SIGINT) if signal.getsignal(n) != signal.SIG_IGN]
    before = {number: signal.signal(number, pass_on) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _first_failure(error: mp.ProcessExitedException, said) -> WildLensError:
    """What the first process to fail said; if it could not, how it ended."""
    if said.empty():
        failure = WildLensError(f"a training of several processes: {error.msg}")
        failure.exit_status = error.exit_code if error.exit_code > 0 else 128 - error.exit_code
        return failure
    message, status = said.get()
    failure = WildLensError(message)
    failure.exit_status = status
    return failure
