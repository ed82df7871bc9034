"""Start several processes of one training on this machine."""

import logging
import os
import signal
import sys
from collections.abc import Callable

import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from wildlens.errors import WildLensError
from wildlens.training.processes import Lost, is_one_of_several
from wildlens.training.signals import handled


def launch(count: int, command: Callable[[], None]) -> bool:
    """Run `command` in `count` processes until all have ended; if one fails, end the others.

    Args:
        command: function of a module; reads the command line, which is that of this process.

    Returns:
        False, without running anything, if `count` is at most 1 or if this process is itself one
        of several.
    """
    if count <= 1 or is_one_of_several():
        return False
    # torch would log which processes it ends after a failure; the reason of that failure matters
    logging.getLogger("torch.multiprocessing.spawn").setLevel(logging.ERROR)
    store = dist.TCPStore("localhost", 0, is_master=True, wait_for_workers=False)
    failures = mp.get_context("spawn").SimpleQueue()
    children = mp.start_processes(_run, (count, store.port, command, failures), count, join=False)

    def forward(number: int, frame: object) -> None:
        for child in children.pids():
            os.kill(child, number)

    with handled(dict.fromkeys((signal.SIGTERM, signal.SIGINT), forward)):
        try:
            while not children.join():
                pass
        except mp.ProcessExitedException as error:
            raise _first_failure(error, failures) from None
    return True


def _run(rank: int, count: int, port: int, command: Callable[[], None], failures) -> None:
    """Run the command as one of the processes."""
    os.environ |= {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": str(count),
        "MASTER_ADDR": "localhost",
        "MASTER_PORT": str(port),
        "TORCHELASTIC_USE_AGENT_STORE": "True",  # the launcher keeps the store, as torchrun does
    }
    torch.set_num_threads(max(1, torch.get_num_threads() // count))
    try:
        command()
    except WildLensError as error:
        if not isinstance(error, Lost):
            failures.put((str(error), error.exit_status))
        sys.exit(error.exit_status)
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)


def _first_failure(error: mp.ProcessExitedException, failures) -> WildLensError:
    """The message of the first process that failed; without one, how a process ended."""
    if failures.empty():
        failure = WildLensError(f"a training of several processes: {error.msg}")
        failure.exit_status = error.exit_code if error.exit_code > 0 else 128 - error.exit_code
        return failure
    message, status = failures.get()
    failure = WildLensError(message)
    failure.exit_status = status
    return failure
