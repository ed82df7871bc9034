"""Run the workflow in a project: Snakemake, with the project's configuration."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from wildlens.errors import WildLensError
from wildlens.project.init import CONFIGURATION
from wildlens.project.workflow import snakefile


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
    """Run it; returns its exit status. An interrupt reaches Snakemake, which ends its jobs."""
    process = subprocess.Popen(words)  # noqa: S603  (a list, no shell)
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:  # the terminal interrupted both
            continue
