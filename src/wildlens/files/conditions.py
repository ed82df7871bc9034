"""The conditions of a run: date, machine, threads, version and commit, as one line of text."""

import os
import platform
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, distribution
from json import loads
from pathlib import Path

from wildlens import __version__

MARK = "conditions: "  # of the line in the log of a training, which the summary collects
_PACKAGE = Path(__file__).parents[1]
_HASH = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")


def conditions(*more: str) -> str:
    """Such as '2026-07-01 12:00 UTC, Linux x86_64, Intel Xeon, 2 cores, ..., WildLens 0.1.0 (...)'.

    The name of the machine is left out: results are sent to others.

    Args:
        more: what only the caller knows, such as the number of threads.
    """
    found = commit()
    version = f"WildLens {__version__}" + (f" (commit {found[:10]})" if found else "")
    now = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    system = f"{platform.system()} {platform.machine()}"
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    python = f"Python {platform.python_version()}"
    parts = (now, system, _processor(), f"{cores} cores", *more, python, version)
    return ", ".join(filter(None, parts))


def commit() -> str:
    """Commit that this package was checked out at, or installed from; empty if unknown.

    Read from Git's files, since Git itself may be missing. Later edits are not noticed.
    """
    git = _PACKAGE.parents[1] / ".git"
    try:
        head = (git / "HEAD").read_text(encoding="utf-8").strip()
        name = head.removeprefix("ref: ")
        found = head if name == head else _of_branch(git, name)
    except OSError:
        found = _installed_from()
    return found if _HASH.fullmatch(found) else ""


def _of_branch(git: Path, name: str) -> str:
    path = git / name
    if path.is_file():
        return path.read_text(encoding="utf-8").strip()
    lines = (git / "packed-refs").read_text(encoding="utf-8").splitlines()
    return next((line.split()[0] for line in lines if line.endswith(f" {name}")), "")


def _installed_from() -> str:
    """The commit in pip's record of an installation from a repository."""
    try:
        text = distribution("wildlens").read_text("direct_url.json")
        return str(loads(text or "{}").get("vcs_info", {}).get("commit_id", ""))
    except (PackageNotFoundError, OSError, ValueError, AttributeError):
        return ""


def _processor() -> str:
    """Name of the processor; Python knows it on some systems only."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor()
    return _value(lines, "model name") or platform.processor()


def _value(lines: Iterable[str], name: str) -> str:
    pairs = (line.partition(":") for line in lines)
    return next((value.strip() for key, _, value in pairs if key.strip() == name), "")
