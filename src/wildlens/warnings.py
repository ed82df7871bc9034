"""Doubts about a result: said aloud, and written beside it, so that the report shows them."""

import logging
from pathlib import Path

from wildlens.files.atomic import write_text

log = logging.getLogger(__name__)

NONE = "none"  # what the file says without doubts


def write_doubts(path: Path, step: str, doubts: list[str]) -> None:
    """Log doubts as warnings, and write them to a text file: a line each.

    Args:
        step: what the lines in the log begin with.
        doubts: what is doubtful, and what to change, in one line each.
    """
    for doubt in doubts:
        log.warning("%s: WARNING: %s", step, doubt)
    write_text(path, "".join(f"{doubt}\n" for doubt in doubts or [NONE]))
