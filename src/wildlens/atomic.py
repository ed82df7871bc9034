"""Finished or absent: results appear under their final name only when they are complete."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from wildlens.errors import WildLensError


@contextmanager
def scratch(path: Path) -> Iterator[Path]:
    """A temporary sibling of `path` (file or folder) to write to; removed at the end.

    Its folder is made; its suffix is that of `path`, since drivers look at it.
    """
    path = Path(path)
    # the process id keeps two writers apart
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
    path.parent.mkdir(parents=True, exist_ok=True)
    remove(temporary)
    try:
        yield temporary
    finally:
        remove(temporary)


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """A temporary sibling of `path` to write to, renamed to `path` when the block ends well.

    If the block fails, what was under `path` before stays. A failed write (full disk, no
    permission) becomes one line that names the path; failed *reads* inside the block must be
    reported by who reads (see `raster.read`), or they would be blamed on `path`.
    """
    path = Path(path)
    try:
        with scratch(path) as temporary:
            yield temporary
            _replace(temporary, path)
    except OSError as error:
        reason = error.strerror or " ".join(str(error).split())
        raise WildLensError(f"{path}: could not be written: {reason}") from error


def write_text(path: Path, text: str) -> None:
    """Write a text file (UTF-8) atomically."""
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def remove(path: Path) -> None:
    """Remove a file or a folder with all that is in it, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _replace(source: Path, target: Path) -> None:
    if not target.is_dir():
        source.replace(target)
        return
    # a folder cannot be replaced in one step: move the old one aside, and back if that fails
    aside = target.with_name(f".{target.name}.{os.getpid()}.old")
    remove(aside)
    target.rename(aside)
    try:
        source.rename(target)
    except OSError:
        aside.rename(target)
        raise
    remove(aside)
