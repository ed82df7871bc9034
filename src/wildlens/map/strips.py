"""Finished strips of a map, kept on disk so that an interrupted map can resume.

They are in a hidden folder beside the map, those of its parts and of its members in folders within
it. Whatever completes the map removes all of it, so that strips of parts or members that no longer
exist do not stay. A folder of other inputs, settings or code is not used.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from wildlens.files.atomic import atomic, remove, write_text

log = logging.getLogger(__name__)

IDENTITY = "identity.txt"


@dataclass(frozen=True)
class Strips:
    """Strips of one map, by number."""

    folder: Path

    def save(self, number: int, values: np.ndarray) -> None:
        """Keep a strip, (B, rows, width)."""
        with atomic(self._path(number)) as temporary, temporary.open("wb") as file:
            np.save(file, values, allow_pickle=False)

    def load(self, number: int) -> np.ndarray:
        """A kept strip."""
        return np.load(self._path(number), allow_pickle=False)

    def count(self, numbers: range) -> int:
        """Number of consecutive strips that exist, from the first."""
        missing = (done for done, n in enumerate(numbers) if not self._path(n).is_file())
        return next(missing, len(numbers))

    def _path(self, number: int) -> Path:
        return self.folder / f"{number:06d}.npy"


def folder_of(output: Path) -> Path:
    """The folder of all strips of a map."""
    return output.with_name(f".{output.stem}.strips")


@contextmanager
def keeping(folder: Path, identity: str) -> Iterator[Strips]:
    """The strips in a folder; removed when the block ends well.

    Args:
        identity: all that the strips depend on; strips of another identity are removed.
    """
    kept = folder / IDENTITY
    if not kept.is_file() or kept.read_text(encoding="utf-8") != identity:
        remove(folder)
        write_text(kept, identity)
    yield Strips(folder)
    remove(folder)
