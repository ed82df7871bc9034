"""Run the workflow in a project: Snakemake, with the project's configuration."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from wildlens.errors import WildLensError
from wildlens.project.init import CONFIGURATION
from wildlens.project.workflow import snakefile
from wildlens.training.signals import handled

# signals that end a run -> what its processes get: SIGHUP would end Snakemake without unlocking the
# folder, and trainings without a checkpoint
ENDS = {
    signal.SIGTERM: signal.SIGTERM,
    signal.SIGINT: signal.SIGINT,
    signal.SIGHUP: signal.SIGTERM,
}


def command(folder: Path, arguments: Sequence[str]) -> list[str]:
    """The command line of snakemake; the workflow's own profile says how many cores it takes.

    Raises:
        WildLensError: the folder has no configuration.
    """
    if not (folder / CONFIGURATION).is_file():
        raise WildLensError(
            f"no {CONFIGURATION} in {folder.resolve()}: make a project with `wildlens init FOLDER`"
        )
    words = [sys.executable, "-m", "snakemake", "--snakefile", str(snakefile())]
    return [*words, "--directory", str(folder), *arguments]


def run_workflow(words: Sequence[str]) -> int:
    """Run it; returns its exit status, or 128 + n if signal n has ended it and all its jobs.

    Snakemake and its jobs are a process group, to which signals are forwarded: alone, Snakemake
    would wait for its jobs after SIGTERM, and leave them running after SIGHUP.
    """
    received: list[int] = []

    def forward(number: int, frame: object) -> None:
        received.append(number)
        if process is not None:
            _send(process.pid, ENDS[number])

    def pause(number: int, frame: object) -> None:
        if process is not None:
            _pause(process.pid)

    process = None
    with handled(dict.fromkeys(ENDS, forward) | {signal.SIGTSTP: pause}):
        process = subprocess.Popen(words, process_group=0)  # noqa: S603  (a list, no shell)
        for number in received[:]:  # before it had started
            _send(process.pid, ENDS[number])
        status = process.wait()
    if not received:
        return status
    _send(process.pid, signal.SIGKILL)  # what has ignored the signal
    return 128 + received[0]


def _send(group: int, number: int) -> None:
    with suppress(ProcessLookupError):  # all have ended
        os.killpg(group, number)


def _pause(group: int) -> None:
    """Stop with all jobs (Ctrl-Z), and continue with them."""
    _send(group, signal.SIGSTOP)
    os.kill(os.getpid(), signal.SIGSTOP)
    _send(group, signal.SIGCONT)
