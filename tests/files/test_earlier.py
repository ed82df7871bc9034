"""Which folders a new result may replace, and what happens to all others: nothing."""

import errno
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from wildlens.cli import cli
from wildlens.errors import WildLensError
from wildlens.files.atomic import atomic, write_text
from wildlens.files.earlier import check_replaceable, value_in
from wildlens.tiles.store import is_attributions, is_tileset


def is_store(folder: Path) -> bool:
    return (folder / "zarr.json").is_file()


def write_store(folder: Path, text: str) -> None:
    """Replace a folder by one with a single file."""
    with atomic(folder, is_store) as temporary:
        temporary.mkdir()
        (temporary / "zarr.json").write_text(text)


@pytest.fixture
def folder(tmp_path) -> Path:
    """A folder with files of a user."""
    path = tmp_path / "mine"
    path.mkdir()
    for name in ("a.txt", "b.txt", "c.txt", "d.txt"):
        (path / name).write_text("mine")
    return path


def content(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def refusal(call, *arguments) -> str:
    with pytest.raises(WildLensError) as error:
        call(*arguments)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_folder_with_other_files_is_refused_and_stays(folder):
    before = content(folder)
    said = refusal(check_replaceable, folder, is_store)
    assert said.startswith(f"{folder}: contains a.txt, b.txt, c.txt and 1 more, which is not an ")
    assert said.endswith("would be deleted: name a new or an empty folder")
    assert refusal(write_store, folder, "new") == said
    assert content(folder) == before and list(folder.parent.iterdir()) == [folder]


def test_new_empty_and_earlier_folders_are_accepted(tmp_path):
    empty, touched, earlier = tmp_path / "empty", tmp_path / "touched", tmp_path / "earlier"
    for path in (empty, touched, earlier):
        path.mkdir()
    (touched / ".snakemake_timestamp").touch()  # as `snakemake --touch` leaves it
    (earlier / "zarr.json").write_text("old")
    for path in (tmp_path / "new", empty, touched, earlier):
        check_replaceable(path, is_store)
        write_store(path, "new")
        assert content(path) == {"zarr.json": "new"}


def test_hidden_files_of_a_user_count(tmp_path):
    (tmp_path / ".git").mkdir()
    assert "contains .git" in refusal(check_replaceable, tmp_path, is_store)


def test_file_does_not_replace_a_folder(folder):
    before = content(folder)
    assert "contains a.txt, b.txt" in refusal(write_text, folder, "new")
    assert content(folder) == before
    (folder.parent / "empty").mkdir()
    said = refusal(write_text, folder.parent / "empty", "new")
    assert said.endswith("could not be written: Is a directory")


def test_folder_does_not_replace_a_file_or_a_broken_link(tmp_path):
    (tmp_path / "file").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "nosuch")
    for name in ("file", "link"):
        assert "is not a folder" in refusal(write_store, tmp_path / name, "new")
    assert (tmp_path / "file").read_text() == "mine" and (tmp_path / "link").is_symlink()


@pytest.mark.parametrize("path", [".", "..", "../earlier"])
def test_working_directory_is_refused_even_if_it_is_an_earlier_result(tmp_path, monkeypatch, path):
    (tmp_path / "earlier").mkdir()
    (tmp_path / "earlier/zarr.json").write_text("old")
    monkeypatch.chdir(tmp_path / "earlier")
    assert "is or contains the working directory" in refusal(write_store, Path(path), "new")
    assert Path("zarr.json").read_text() == "old"


def test_link_to_a_folder_stays_and_its_folder_is_replaced(folder, tmp_path):
    earlier, link, other = tmp_path / "disk/earlier", tmp_path / "link", tmp_path / "other"
    earlier.mkdir(parents=True)
    (earlier / "zarr.json").write_text("old")
    link.symlink_to(earlier)
    write_store(link, "new")
    assert link.is_symlink() and content(earlier) == {"zarr.json": "new"}
    assert list(earlier.parent.iterdir()) == [earlier]
    other.symlink_to(folder)
    assert "contains a.txt" in refusal(write_store, other, "new")
    assert other.is_symlink() and len(content(folder)) == 4


def test_unreadable_folder_is_one_line(folder, monkeypatch):
    def refuse(path):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refuse)
    said = refusal(check_replaceable, folder, is_store)
    assert said == f"{folder}: cannot be read: Permission denied"


def test_stores_are_recognised_by_the_step_that_wrote_them(tmp_path):
    for step, tiles, attributions in (
        ("tiles", True, False), ("attribute", False, True), ("combine", False, True),
        ("other", False, False),
    ):  # fmt: skip
        text = json.dumps({"node_type": "group", "attributes": {"wildlens_step": step}})
        (tmp_path / "zarr.json").write_text(text)
        assert (is_tileset(tmp_path), is_attributions(tmp_path)) == (tiles, attributions)


@pytest.mark.parametrize("text", ["", "{", "[1]", "5", '{"attributes": 5}', "\xff"])
def test_damaged_json_has_no_value(tmp_path, text):
    (tmp_path / "zarr.json").write_text(text, encoding="latin-1")
    assert value_in(tmp_path / "zarr.json", "attributes", "wildlens_step") is None
    assert not is_tileset(tmp_path) and value_in(tmp_path / "nosuch", "a") is None


# --- the commands -------------------------------------------------------------------------------

FILES = {"in", "a.yaml", "a.gpkg", "a.csv"}
FOLDERS = {
    "tiles": "--scene in --landcover in --areas in --footprints a.gpkg",
    "anthroprotect": "in --footprints a.gpkg",
    "attribute": "in --method gradcam --classifier in",
    "combine-attributions": "in in --tiles in --thresholds a.csv",
    "compare": "--map in --settings a.yaml",
    "catalogue": "--scene in",
}


@pytest.fixture
def invoke(tmp_path):
    """Run a command; the file `in` is invalid as any input: who reads it first says so."""
    (tmp_path / "in").write_text("invalid")
    (tmp_path / "a.yaml").write_text("before: a\nafter: b\n")

    def run(name: str, arguments: str, output: Path):
        words = [str(tmp_path / w) if w in FILES else w for w in arguments.split()]
        return CliRunner().invoke(cli, [name, *words, "--output", str(output)])

    return run


@pytest.mark.parametrize("name", FOLDERS)
def test_commands_refuse_a_folder_of_other_files_before_they_read(name, folder, invoke):
    before = content(folder)
    result = invoke(name, FOLDERS[name], folder)
    assert isinstance(result.exception, WildLensError)
    assert str(result.exception).startswith(f"{folder}: contains a.txt, b.txt, c.txt and 1 more")
    assert content(folder) == before


@pytest.mark.parametrize(
    ("name", "arguments"), [("landcover", "in --scene in"), ("qgis", "--scene in")]
)
def test_commands_that_write_files_refuse_a_folder(name, arguments, folder, invoke):
    before = content(folder)
    result = invoke(name, arguments, folder)
    assert result.exit_code == 2 and "is a directory" in result.output
    assert content(folder) == before
