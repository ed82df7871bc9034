"""Finished or absent: a failure leaves what was there before, and nothing else."""

import os
import socket
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from wildlens.errors import WildLensError
from wildlens.files.atomic import atomic, remove, scratch, write_text


def entries(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def write(path: Path, text: str) -> None:
    """A file, or a folder with a file in it where the path has the suffix .zarr."""
    if path.suffix == ".zarr":
        path.mkdir()
        path = path / "zarr.json"
    path.write_text(text)


def content(path: Path) -> str:
    return (path / "zarr.json" if path.is_dir() else path).read_text()


def is_store(folder: Path) -> bool:
    return (folder / "zarr.json").is_file()


def writing(path: Path):
    """`atomic`, for a file or a folder; an earlier folder may be replaced."""
    return atomic(path, is_store if path.suffix == ".zarr" else None)


@pytest.fixture(params=["a.tif", "a.zarr"])
def target(request, tmp_path):
    return tmp_path / "made/by/us" / request.param


def test_result_appears_when_the_block_ends(target):
    with writing(target) as temporary:
        write(temporary, "new")
        assert not target.exists() and temporary.parent == target.parent
        assert temporary.suffix == target.suffix
    assert content(target) == "new" and entries(target.parent) == [target.name]


def test_a_result_replaces_the_old_one(target):
    for text in ("old", "new"):
        with writing(target) as temporary:
            write(temporary, text)
    assert content(target) == "new" and entries(target.parent) == [target.name]


@pytest.mark.parametrize(
    ("umask", "file", "folder"), [(0o022, 0o644, 0o755), (0o007, 0o660, 0o770)]
)
def test_a_result_follows_the_umask_whatever_its_writer_does(target, umask, file, folder):
    before = os.umask(umask)
    try:
        with writing(target) as temporary:
            write(temporary, "new")
            inner = temporary / "zarr.json" if temporary.is_dir() else temporary
            inner.chmod(0o600)  # as safetensors does
            if temporary.is_dir():
                temporary.chmod(0o2700)  # setgid: new files belong to the folder's group
    finally:
        os.umask(before)
    inner = target / "zarr.json" if target.is_dir() else target
    assert stat.S_IMODE(inner.stat().st_mode) == file
    if target.is_dir():
        assert stat.S_IMODE(target.stat().st_mode) == 0o2000 | folder
    assert entries(target.parent) == [target.name]


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt])
def test_a_failure_leaves_the_old_result_and_nothing_else(target, failure):
    with writing(target) as temporary:
        write(temporary, "old")
    with pytest.raises(failure), writing(target) as temporary:
        write(temporary, "half")
        raise failure
    assert content(target) == "old" and entries(target.parent) == [target.name]


def test_a_failure_without_an_old_result_leaves_nothing(target):
    with pytest.raises(ValueError, match="half"), writing(target) as temporary:
        write(temporary, "half")
        raise ValueError("half")
    assert entries(target.parent) == []


def test_text_is_written_as_utf_8(tmp_path):
    write_text(tmp_path / "a", "new ü")
    assert (tmp_path / "a").read_text(encoding="utf-8") == "new ü" and entries(tmp_path) == ["a"]


def test_block_without_output_is_an_error(target):
    with (
        pytest.raises(WildLensError, match=f"{target.name}: could not be written"),
        writing(target),
    ):
        pass


def test_impossible_folder_is_named(tmp_path):
    (tmp_path / "file").touch()
    path = tmp_path / "file/a.txt"
    with pytest.raises(WildLensError, match=r"file/a\.txt: could not be written") as error:
        write_text(path, "text")
    assert "\n" not in str(error.value)


def test_full_disk_keeps_the_old_result(tmp_path):
    # a limit on the size of files stands for the full disk: the write itself fails, half done
    path = tmp_path / "a.txt"
    path.write_text("old")
    code = (
        "import resource, signal, sys\n"
        "from pathlib import Path\n"
        "from wildlens.files.atomic import write_text\n"
        "from wildlens.errors import WildLensError\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "try:\n"
        "    write_text(Path(sys.argv[1]), 'x' * 100_000)\n"
        "except WildLensError as error:\n"
        "    print(error)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True
    )
    assert run.stdout == f"{path}: could not be written: File too large\n"
    assert path.read_text() == "old" and entries(tmp_path) == ["a.txt"]


def test_two_writers_do_not_share_a_temporary(tmp_path):
    path = tmp_path / "a.tif"
    with scratch(path) as temporary:
        assert str(os.getpid()) in temporary.name
        temporary.touch()
    assert entries(tmp_path) == []


def test_leftovers_of_killed_processes_do_no_harm(target):
    with scratch(target) as temporary:
        pass
    write(temporary, "left over")
    with writing(target) as again:
        assert again == temporary
        write(again, "new")
    assert content(target) == "new" and entries(target.parent) == [target.name]


def leftover(target: Path, host: str, process: int, kind: str = "part") -> Path:
    path = target.with_name(f".{target.stem}.{host}-{process}.{kind}{target.suffix}")
    write(path, "left over")
    return path


def test_temporaries_of_killed_writers_only_are_removed(target):
    target.parent.mkdir(parents=True)
    here = socket.gethostname()
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    abandoned = leftover(target, "elsewhere", 2)
    os.utime(abandoned, (0, time.time() - 25 * 3600))
    swept = [
        leftover(target, here, ended.pid),
        leftover(target, here, ended.pid, "old"),
        leftover(target, here, 10**30),
        abandoned,
    ]
    kept = [
        leftover(target, here, os.getppid()),
        leftover(target, "elsewhere", 1),
        leftover(target.with_stem("other"), here, ended.pid),
        leftover(target.with_stem("a.b"), here, ended.pid),
    ]
    with writing(target) as temporary:
        write(temporary, "new")
    assert not any(path.exists() for path in swept)
    assert all(content(path) == "left over" for path in kept)
    assert content(target) == "new"


def test_remove_deletes_links_but_not_their_targets(tmp_path):
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").touch()
    link = tmp_path / "link"
    link.symlink_to(kept)
    remove(link)
    remove(tmp_path / "nosuch")
    assert entries(tmp_path) == ["kept"] and entries(kept) == ["file"]
    remove(kept)
    assert entries(tmp_path) == []


def test_late_output_of_threads_is_removed(tmp_path):
    def late(folder):
        time.sleep(0.1)
        folder.mkdir(exist_ok=True)
        (folder / "late").write_text("x")

    with pytest.raises(WildLensError), atomic(tmp_path / "a.zarr") as folder:
        folder.mkdir()
        thread = threading.Thread(target=late, args=[folder])
        thread.start()
        raise OSError("no space")
    thread.join()
    assert not list(tmp_path.iterdir())
