"""Atomic writes: results appear under their final name only when they are complete."""

import os
import re
import shutil
import socket
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from wildlens.errors import WildLensError, one_line
from wildlens.files.earlier import IsEarlier, check_replaceable

ABANDONED = 24 * 3600.0  # seconds after which another machine's untouched file is abandoned
RECHECK, TRIES = 0.2, 20  # seconds in which a removed folder must not reappear; attempts


@contextmanager
def scratch(path: Path) -> Iterator[Path]:
    """A temporary sibling of `path` (file or folder) to write to; removed at the end.

    Its folder is created; its suffix is that of `path`, since drivers depend on it. Temporaries of
    killed writers of `path` are removed.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    _sweep(path)
    temporary = path.with_name(f".{path.stem}.{_writer()}.part{path.suffix}")
    remove(temporary)
    try:
        yield temporary
    except BaseException:
        _discard(temporary)
        raise
    remove(temporary)


@contextmanager
def atomic(path: Path, is_earlier: IsEarlier | None = None) -> Iterator[Path]:
    """A temporary sibling of `path` to write to, renamed to `path` if the block succeeds.

    Its permissions are those of a new file in its folder (umask, default ACL), regardless of its
    writer. If the block fails, a former result under `path` is kept. A failed write (full disk, no
    permission) becomes a one-line error that names the path; failed *reads* inside the block must
    be reported by the reader (see `raster.read`), or they would be attributed to `path`.

    Args:
        is_earlier: of a result that is a folder: recognises an earlier result, which may be
            replaced. Other folders that are not empty are refused, and a file never replaces a
            folder. If `path` is a link to a folder, the link stays and its folder is replaced.
    """
    path = Path(path)
    check_replaceable(path, is_earlier)
    try:
        target = path.resolve() if path.is_symlink() and path.is_dir() else path
        with scratch(target) as temporary:
            yield temporary
            _follow_umask(temporary)
            _replace(temporary, target)
    except OSError as error:
        reason = error.strerror or one_line(error.__cause__ or error)
        raise WildLensError(f"{path}: could not be written: {reason}") from error


def write_text(path: Path, text: str) -> None:
    """Write a text file (UTF-8) atomically."""
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def remove(path: Path) -> None:
    """Remove a file, or a folder with its content, if it exists."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _follow_umask(path: Path) -> None:
    """Give a finished file, or all in a folder, the permissions that a new file would have.

    Some writers restrict their files to the owner (safetensors: 0600), so that colleagues on a
    cluster could not read a result. The mode of new files is probed in the file system, since
    reading the umask means changing it, for all threads.
    """
    probe = path.with_name(f"{path.name}.mode")
    probe.unlink(missing_ok=True)
    probe.touch()
    mode = stat.S_IMODE(probe.stat().st_mode)
    probe.unlink()
    listable = mode | (mode & 0o444) >> 2
    for entry in [path, *(path.rglob("*") if path.is_dir() else ())]:
        if entry.is_symlink():
            continue
        old = stat.S_IMODE(entry.stat().st_mode)
        # a shared folder's own bits (setgid) stay
        new = (old & 0o7000) | (listable if entry.is_dir() else mode)
        if old != new:
            entry.chmod(new)


def _discard(path: Path) -> None:
    """Remove the output of a failed block, including files that are written later.

    Zarr writes in threads: when one fails, others still finish, and create the folder again.
    """
    is_folder = path.is_dir()
    for _ in range(TRIES):
        with suppress(OSError):  # a file may appear while its folder is removed
            remove(path)
        if not is_folder:
            return
        time.sleep(RECHECK)
        if not path.exists():
            return


def _replace(source: Path, target: Path) -> None:
    if not (source.is_dir() and target.is_dir()):
        source.replace(target)  # an error if one of them is a folder and the other a file
        return
    # a folder cannot be replaced in one step: rename the old one, and restore it after a failure
    aside = target.with_name(f".{target.stem}.{_writer()}.old{target.suffix}")
    remove(aside)
    target.rename(aside)
    try:
        source.rename(target)
    except OSError:
        aside.rename(target)
        raise
    remove(aside)


def _writer() -> str:
    """A name that distinguishes two writers of one result, on one machine or on several."""
    return f"{socket.gethostname()}-{os.getpid()}"


def _sweep(path: Path) -> None:
    """Remove temporaries of killed writers of `path`: of this machine, of others after a day."""
    left = re.compile(rf"\.{re.escape(path.stem)}\.(.+)-(\d+)\.(part|old){re.escape(path.suffix)}")
    for entry in list(path.parent.iterdir()):
        if not (match := left.fullmatch(entry.name)):
            continue
        with suppress(FileNotFoundError):  # another writer removes it at the same time
            if match[1] == socket.gethostname():
                gone = not _runs(int(match[2]))
            else:
                gone = time.time() - entry.lstat().st_mtime > ABANDONED
            if gone:
                remove(entry)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True  # of another user
    return True
