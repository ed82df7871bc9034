"""What a new folder may replace: an empty folder, or an earlier result of the same kind.

Results in folders are replaced as a whole. Without this check, `--output .` would delete everything
else in the folder.
"""

import json
from collections.abc import Callable
from pathlib import Path

from wildlens.errors import WildLensError

IsEarlier = Callable[[Path], bool]  # whether a folder is an earlier result of the same kind
EMPTY = {".snakemake_timestamp"}  # Snakemake puts it into folders that are otherwise empty
SHOWN = 3  # names in the message


def check_replaceable(path: Path, is_earlier: IsEarlier | None = None) -> None:
    """Refuse the path of a new folder if something else would be lost.

    A step calls it before it starts to work; `atomic` calls it again before it writes.

    Args:
        is_earlier: recognises an earlier result by its content; None: only an empty folder may be
            replaced. A link to a folder is treated as that folder.

    Raises:
        WildLensError: the path is a file, a folder with other content, or a folder that contains
            the working directory.
    """
    try:
        if not path.is_dir():
            if is_earlier and (path.is_symlink() or path.exists()):
                raise WildLensError(f"{path}: is not a folder: name a new or an empty folder")
            return
        if Path.cwd().is_relative_to(path.resolve()):
            raise WildLensError(
                f"{path}: is or contains the working directory, and the result replaces the whole"
                " folder: name a new or an empty folder"
            )
        names = sorted(entry.name for entry in path.iterdir() if entry.name not in EMPTY)
        if names and not (is_earlier and is_earlier(path)):
            raise WildLensError(
                f"{path}: contains {_few(names)}, which is not an earlier result of this command"
                " and would be deleted: name a new or an empty folder"
            )
    except OSError as error:
        raise WildLensError(f"{path}: cannot be read: {error.strerror}") from None


def value_in(path: Path, *keys: str) -> object:
    """The value under these keys of a JSON file, one key per level; None if there is none."""
    try:
        found = json.loads(path.read_bytes())
        for key in keys:
            found = found[key]
    except (OSError, ValueError, LookupError, TypeError):
        return None
    return found


def _few(names: list[str]) -> str:
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more} more" if more > 0 else "")
