"""Content digests of input files, so that a workflow compares contents and not times.

Opening a file in a GIS may touch it, rewrite the header of a GeoPackage, or write statistics into a
sidecar. None of these changes what a step reads, and none of them changes the digest.
"""

import hashlib
import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from xml.etree.ElementTree import Element, canonicalize, tostring

from wildlens.errors import WildLensError
from wildlens.files import safe_xml
from wildlens.files.atomic import write_text
from wildlens.files.sidecars import sidecars

THREADS = 4
_IGNORED = (".qml", ".qmd", ".lock", "-shm", ".ovr")  # in folders: styles, locks, overviews
_SQLITE = b"SQLite format 3\0"
# bytes of SQLite's header that change when a file is opened: journal mode, change counters
_VOLATILE = (slice(18, 20), slice(24, 28), slice(92, 100))


def read_along(path: Path) -> list[Path]:
    """Sidecars of an input that contain more than statistics."""
    return [file for file in sidecars(path) if not _holds_only_statistics(file)]


class Contents:
    """Digests of files, remembered by size and modification time in a JSON file.

    Args:
        memory: the JSON file; one that cannot be read or written only costs time.
    """

    def __init__(self, memory: Path):
        self._memory = memory
        self._known: dict[str, list] = {}
        try:
            known = json.loads(memory.read_text(encoding="utf-8"))
            self._known = {name: entry for name, entry in known.items() if len(entry) == 3}
        except (OSError, ValueError, AttributeError, TypeError):
            pass

    def digest(self, paths: Iterable[Path | str]) -> str:
        """Digest of files and folders, in this order, by their names and contents.

        A missing one counts as missing. Hidden files in folders do not count.
        """
        total = hashlib.blake2b(digest_size=16)
        named = [(path, file) for path in map(Path, paths) for file in _files(path)]
        with ThreadPoolExecutor(THREADS) as pool:
            digests = list(pool.map(self._of_file, (file for _, file in named)))
        for (path, file), digest in zip(named, digests, strict=True):
            name = file.relative_to(path.parent).as_posix()
            total.update(f"{path}\0{name}\0{digest}\0".encode())
        self._save()
        return total.hexdigest()

    def _of_file(self, file: Path) -> str:
        try:
            status = file.stat()
            stamp = [status.st_size, status.st_mtime_ns]
            known = self._known.get(str(file))
            if known is None or known[:2] != stamp:
                self._known[str(file)] = known = [*stamp, _digest(file)]
                self._changed = True
        except FileNotFoundError:
            return "missing"
        except OSError as error:
            raise WildLensError(f"{file}: cannot be read: {error.strerror}") from None
        return known[2]

    _changed = False

    def _save(self) -> None:
        if not self._changed:
            return
        try:
            write_text(self._memory, json.dumps(self._known))
        except WildLensError:
            return
        self._changed = False


def _files(path: Path) -> list[Path]:
    """A file with an unmerged write-ahead log, or the files of a folder with its content."""
    if not path.is_dir():
        log = path.with_name(f"{path.name}-wal")
        return [path, log] if log.is_file() and log.stat().st_size else [path]
    found = sorted(file for file in path.rglob("[!.]*") if file.is_file())
    return [
        file
        for file in found
        if not file.name.lower().endswith(_IGNORED) and not _holds_only_statistics(file)
    ]


def _digest(file: Path) -> str:
    if _is_pam(file):
        return hashlib.sha256(_without_statistics(file).encode()).hexdigest()
    with file.open("rb") as stream:
        total = hashlib.sha256()
        head = bytearray(stream.read(100))
        if head.startswith(_SQLITE):
            for part in _VOLATILE:
                head[part] = bytes(part.stop - part.start)
        total.update(head)
        while block := stream.read(2**20):
            total.update(block)
    return total.hexdigest()


def _is_pam(file: Path) -> bool:
    return file.name.lower().endswith(".aux.xml")


def _holds_only_statistics(file: Path) -> bool:
    return _is_pam(file) and not _without_statistics(file)


def _without_statistics(file: Path) -> str:
    """GDAL's sidecar as canonical XML, without histograms and statistics; empty if that is all."""
    try:
        root = safe_xml.parse(file)
    except WildLensError:
        return file.read_bytes().hex()  # the reader of the file reports the problem
    _prune(root)
    return canonicalize(tostring(root, encoding="unicode"), strip_text=True) if len(root) else ""


def _prune(element: Element) -> None:
    for child in list(element):
        name, key = safe_xml.local_name(child), child.get("key", "")
        _prune(child)
        empty = name in ("Metadata", "PAMRasterBand") and not len(child)
        if empty or name == "Histograms" or (name == "MDI" and key.startswith("STATISTICS_")):
            element.remove(child)
