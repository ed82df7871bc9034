"""Vector files of users, read with pyogrio: nothing is written to them or beside them.

SQLite keeps edits that are not yet merged into a GeoPackage in FILE-wal (or, to undo them, in
FILE-journal). SQLite itself would merge them while reading, or overlook them in a folder that it
cannot write to. So such a file is refused, and all others are opened through GDAL's own file
system, which has no write access and creates no FILE-shm.
"""

import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import pyogrio

from wildlens.errors import WildLensError, one_line
from wildlens.files.archives import File

# GDAL decides by content: a virtual file named like a GeoPackage could refer to any other file
DRIVERS = ("ESRI Shapefile", "GPKG", "GeoJSON", "OpenFileGDB", "FlatGeobuf")

_SQLITE = b"SQLite format 3\0"
# suffixes of files with edits, and how these begin; a journal of zeros is one that is done with
_PENDING = {"-wal": b"", "-journal": b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7"}
_IGNORED = (
    ".*rings with invalid winding order",  # GDAL corrects them
    ".*Retrying with IMMUTABLE=YES open option",  # a GeoPackage in WAL mode, as intended
)


def gdal_source(path: Path) -> str:
    """Name under which GDAL opens a file or folder without changing it or its folder.

    Raises:
        WildLensError: a SQLite file with edits that are not merged into it.
    """
    if not _is_sqlite(path):
        return str(path)
    real = path.resolve()  # SQLite's own files are beside the target of a link
    refuse_unmerged(real)
    return f"/vsisubfile/0_-1,{real}"


def refuse_unmerged(path: File) -> None:
    """Refuse a SQLite file, on disk or in an archive, whose last edits are in a file beside it."""
    for suffix, start in _PENDING.items():
        beside = path.parent / f"{path.name}{suffix}"
        content = _start(beside, max(1, len(start)))
        if content and content.startswith(start):
            raise WildLensError(
                f"{path}: its last edits are not in it but in {beside.name}: close the program that"
                " edits it (QGIS, say), or open and close it there once, then run this again"
            )


def list_layers(path: Path, source: str) -> list[tuple[str, str | None]]:
    """Names of the layers of `source` and kinds of their geometry, None for tables."""
    layers = read(pyogrio.list_layers, path, source, failure="cannot be opened as polygons")
    return [(str(name), kind) for name, kind in layers]


def read(function: Callable, path: Path, source: str, failure: str = "cannot be read", **options):
    """Call one of pyogrio's readers on `source`; errors name `path`, as the user gave it.

    Text that is not in the encoding that a shapefile claims is read as Latin-1, which fits all.
    """
    with warnings.catch_warnings():
        for message in _IGNORED:
            warnings.filterwarnings("ignore", message=message)
        try:
            return function(source, **options)
        except UnicodeDecodeError:
            return function(source, **options | {"encoding": "ISO-8859-1"})
        except RuntimeError as error:  # all of pyogrio's errors
            raise WildLensError(f"{path}: {failure}: {one_line(error)}") from None


def remove_pending(path: Path) -> None:
    """Remove SQLite's files beside a result that is about to be replaced.

    Edits of the old file would otherwise be merged into the new one.
    """
    for suffix in (*_PENDING, "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def _is_sqlite(path: File) -> bool:
    return _start(path, len(_SQLITE)) == _SQLITE


def _start(path: File, length: int) -> bytes:
    """The first bytes of a file; none if there is no such file."""
    if not path.is_file():
        return b""
    try:
        with path.open("rb") as stream:
            return stream.read(length)
    except (OSError, zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
        # RuntimeError: encrypted; NotImplementedError: an unusual compression
        raise WildLensError(f"{path}: cannot be read: {one_line(error)}") from None
