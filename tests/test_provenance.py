"""Where results come from: digests of code, of files and of folders, and the record of a step."""

import hashlib
import importlib.util
import json
import os
import sys
from pathlib import Path

import pytest
import yaml

from wildlens import __version__, provenance
from wildlens.errors import WildLensError
from wildlens.settings import Gan, validate

PACKAGE = {
    "__init__.py": "",
    "provenance.py": Path(provenance.__file__).read_text(encoding="utf-8"),
    "errors.py": "class WildLensError(Exception): ...",
    "settings.py": "",
    "step.py": "import numpy\nfrom toy.parts import first\nfrom toy.parts.second import two\n",
    "parts/__init__.py": "",
    "parts/first.py": "def one():\n    from toy import deep\n    return deep.ONE\n",
    "parts/second.py": "import toy.ring\n\ntwo = 2\n",
    "ring.py": "import toy.parts.second\n",
    "deep.py": "ONE = 1\n",
    "unrelated.py": "THREE = 3\n",
}


class Toy:
    """A small package on disk, with provenance.py as its own module, to be edited."""

    def __init__(self, folder: Path):
        self.folder = folder
        for name, text in PACKAGE.items():
            self.write(name, text.replace("wildlens", "toy"))

    def write(self, name: str, text: str) -> None:
        path = self.folder / "toy" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def digest(self, module: str = "toy.step") -> str:
        """As a new process sees it: nothing remembered."""
        path = self.folder / "toy/provenance.py"
        spec = importlib.util.spec_from_file_location("toy.provenance", path)
        fresh = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(fresh)
        return fresh.code_digest(module)


@pytest.fixture
def toy(tmp_path, monkeypatch):
    toy = Toy(tmp_path)
    toy.write("__init__.py", "__version__ = '1'\n")
    toy.write("settings.py", "class Section: ...\n\n\ndef dump_section(section): ...\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield toy
    for name in [name for name in sys.modules if name.split(".")[0] == "toy"]:
        del sys.modules[name]


def test_comments_and_layout_do_not_change_the_digest(toy):
    before = toy.digest()
    toy.write("deep.py", "# a remark\n\n\nONE   = 1  # and another\n")
    assert toy.digest() == before


@pytest.mark.parametrize(
    "module", ["step.py", "parts/first.py", "parts/second.py", "deep.py", "ring.py"]
)
def test_an_edit_of_what_is_reached_changes_the_digest(toy, module):
    before = toy.digest()
    text = (toy.folder / "toy" / module).read_text()
    toy.write(module, text + "\nMORE = 4\n")
    assert toy.digest() != before


@pytest.mark.parametrize("module", ["unrelated.py", "__init__.py", "errors.py"])
def test_an_edit_of_what_is_not_reached_does_not(toy, module):
    before = toy.digest()
    text = (toy.folder / "toy" / module).read_text()
    toy.write(module, text + "\nMORE = 4\n")
    assert toy.digest() == before


def test_the_name_of_a_module_counts(toy):
    toy.write("again.py", PACKAGE["step.py"].replace("wildlens", "toy"))
    assert toy.digest("toy.again") != toy.digest("toy.step")


def test_digesting_code_runs_none_of_it(toy):
    toy.write("parts/__init__.py", "raise RuntimeError('was run')\n")
    toy.write("deep.py", "raise RuntimeError('was run')\n")
    assert toy.digest()


def test_an_unknown_module_is_an_error():
    with pytest.raises(ModuleNotFoundError, match="nosuch"):
        provenance.code_digest("wildlens.nosuch")


def test_digest_of_a_file_is_that_of_its_content(tmp_path):
    first, second = tmp_path / "a", tmp_path / "b"
    first.write_bytes(b"same")
    second.write_bytes(b"same")
    assert provenance.digest(first) == provenance.digest(second)
    second.write_bytes(b"sane")
    assert provenance.digest(first) != provenance.digest(second)


def test_digest_of_a_folder_changes_with_content_and_with_names(tmp_path):
    folder = tmp_path / "a.zarr"
    (folder / "c").mkdir(parents=True)
    (folder / "c/0").write_bytes(b"x")
    (folder / "c/1").write_bytes(b"y")
    digests = [provenance.digest(folder)]
    (folder / "c/1").write_bytes(b"z")
    digests.append(provenance.digest(folder))
    (folder / "c/1").rename(folder / "c/2")
    digests.append(provenance.digest(folder))
    (folder / "c/2").rename(folder / "2")
    digests.append(provenance.digest(folder))
    assert len(set(digests)) == 4
    assert provenance.digest(folder.rename(tmp_path / "b.zarr")) == digests[-1]


def test_what_a_workflow_manager_leaves_in_a_folder_does_not_count(tmp_path):
    (tmp_path / "0").write_bytes(b"x")
    before = provenance.digest(tmp_path)
    (tmp_path / ".snakemake_timestamp").touch()
    assert provenance.digest(tmp_path) == before


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(WildLensError, match="nosuch: cannot be read"):
        provenance.digest(tmp_path / "nosuch")


def test_a_record_gives_settings_and_inputs_back(tmp_path):
    path = tmp_path / "tiles.zarr"
    path.write_bytes(b"tiles")
    settings = Gan(steps=77)
    record = provenance.record("gan", settings, [path])
    assert record["wildlens_step"] == "gan" and record["wildlens_version"] == __version__
    assert validate(yaml.safe_load(record["wildlens_settings"]), Gan) == settings
    assert json.loads(record["wildlens_inputs"]) == {"tiles.zarr": provenance.digest(path)}
    assert all(isinstance(value, str) for value in record.values())


def test_a_record_of_a_step_without_settings(tmp_path):
    assert provenance.record("figures", None, [])["wildlens_settings"] == ""


def test_a_remembered_digest_is_that_of_the_content_and_is_read_once(tmp_path, monkeypatch):
    path = tmp_path / "map.tif"
    path.write_bytes(b"map")
    digest, total = provenance.digest(path), hashlib.sha256(b"map").hexdigest()
    provenance.remember(path)
    assert sorted(p.name for p in tmp_path.iterdir()) == [".map.tif.digest", "map.tif"]

    def fail(*_):
        raise AssertionError("the file was hashed again")

    monkeypatch.setattr(provenance, "_sha256", fail)
    assert provenance.digest(path) == digest and provenance.sha256(path) == total


def test_a_remembered_digest_of_a_folder_counts_its_files(tmp_path, monkeypatch):
    folder = tmp_path / "tiles.zarr"
    (folder / "c").mkdir(parents=True)
    (folder / "c/0").write_bytes(b"x")
    digest = provenance.digest(folder)
    provenance.remember(folder)
    with monkeypatch.context() as patch:
        patch.setattr(provenance, "_digest", lambda path: "hashed again")
        assert provenance.digest(folder) == digest
        (folder / "c/1").write_bytes(b"y")
        assert provenance.digest(folder) == "hashed again"


@pytest.mark.parametrize("change", ["content", "touch", "copy", "sidecar", "foreign"])
def test_a_remembered_digest_of_another_file_is_not_taken(tmp_path, change):
    path = tmp_path / "map.tif"
    path.write_bytes(b"one")
    provenance.remember(path)
    state, sidecar = path.stat(), tmp_path / ".map.tif.digest"
    if change == "content":  # as long, and written a moment later
        path.write_bytes(b"two")
        os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns + 1))
    elif change == "touch":
        os.utime(path, ns=(0, 0))
    elif change == "copy":  # without its time
        (tmp_path / "new").write_bytes(b"six")
        (tmp_path / "new").replace(path)
        os.utime(path, ns=(0, 5))
    elif change == "sidecar":
        sidecar.write_text("[]")
    else:
        sidecar.write_text(json.dumps({"signature": provenance._signature(path), "digest": 3}))
    plain = tmp_path / "plain"
    plain.write_bytes(path.read_bytes())
    assert provenance.digest(path) == provenance.digest(plain)
    assert provenance.sha256(path) == provenance.sha256(plain)


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path):
    path = tmp_path / "map.tif"
    path.write_bytes(b"map")
    (tmp_path / ".map.tif.digest").mkdir()  # what is in the way cannot be replaced
    provenance.remember(path)
    assert provenance.digest(path)


def test_edit_of_another_packages_module_changes_its_digest(toy, tmp_path, monkeypatch):
    package = tmp_path / "outside"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('was run')\n")
    (package / "method.py").write_text("from outside import helper\nfrom toy import deep\n")
    (package / "helper.py").write_text("VALUE = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    before = toy.digest("outside.method")
    assert before == toy.digest("outside.method")
    (package / "helper.py").write_text("VALUE = 2\n")
    changed = toy.digest("outside.method")
    toy.write("deep.py", "ONE = 2\n")
    assert len({before, changed, toy.digest("outside.method")}) == 3
