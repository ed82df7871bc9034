"""Warnings about a result: logged, and saved to `warnings.txt` or in the tags of a map."""

import logging
from pathlib import Path

from wildlens.files.atomic import write_text

log = logging.getLogger(__name__)

NONE = "none"  # content of the file when there is no warning


def log_warnings(step: str, warnings: list[str]) -> None:
    """Log warnings in the form that the summary of a run collects."""
    for warning in warnings:
        log.warning("%s: WARNING: %s", step, warning)


def write_warnings(path: Path, step: str, warnings: list[str]) -> None:
    """Log warnings and write them to a text file, one per line.

    Args:
        step: prefix of the log lines.
        warnings: what is wrong and what to change, in one line each.
    """
    log_warnings(step, warnings)
    write_text(path, "".join(f"{warning}\n" for warning in warnings or [NONE]))
