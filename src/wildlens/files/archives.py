"""Files on disk or inside a zip archive, read in place.

A member of an archive is a `zipfile.Path`, which behaves like a `Path`. Nothing is unpacked, so no
name in an archive can refer to a file outside it.
"""

import zipfile
from pathlib import Path

from wildlens.errors import WildLensError, one_line

MAX_TEXT = 64 * 2**20  # bytes of a metadata file; the largest real ones have about 1 MB


File = Path | zipfile.Path


def open_zip(path: Path) -> zipfile.Path:
    """The root of a zip archive."""
    try:
        return zipfile.Path(path)
    except (OSError, zipfile.BadZipFile) as error:
        reason = one_line(error)
        raise WildLensError(f"{path}: cannot be opened as a zip archive: {reason}") from None


def read_bytes(path: File) -> bytes:
    """The content of a small file on disk or in an archive (metadata)."""
    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_TEXT + 1)
    except (OSError, KeyError, zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
        # RuntimeError: encrypted; NotImplementedError: unknown compression
        reason = getattr(error, "strerror", None) or one_line(error)
        raise WildLensError(f"{path}: cannot be read: {reason}") from None
    if len(content) > MAX_TEXT:
        raise WildLensError(f"{path}: has more than {MAX_TEXT >> 20} MB, too much for metadata")
    return content


def gdal_name(path: File | str) -> str:
    """The name under which GDAL opens a file."""
    if isinstance(path, zipfile.Path):
        return f"/vsizip/{{{Path(path.root.filename).resolve()}}}/{path.at}"
    return str(path)


def on_disk(path: File) -> Path:
    """The file itself, or the archive that contains it."""
    return Path(path.root.filename) if isinstance(path, zipfile.Path) else path
