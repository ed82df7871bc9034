"""Vector files with edits that SQLite keeps beside them: refused, and nothing is changed."""

import shutil
import sqlite3
import zipfile
from pathlib import Path

import geopandas
import pyogrio
import pytest
import shapely
from protected_areas import read_areas
from sqlite_edits import contents, leave_edit, merge

from wildlens.errors import WildLensError
from wildlens.fetch.area import area_of
from wildlens.files.raster import open_raster
from wildlens.files.vector import gdal_source, read, remove_pending

EDIT = "update areas set IUCN_CAT = 'V'"


@pytest.fixture
def path(tmp_path) -> Path:
    path = tmp_path / "of user" / "areas, new.gpkg"
    path.parent.mkdir()
    geopandas.GeoDataFrame(
        {"IUCN_CAT": ["Ia"], "STATUS": "Designated"}, geometry=[shapely.box(1, 1, 2, 2)], crs=4326
    ).to_file(path, layer="areas")
    return path


def categories(path: Path) -> list[str]:
    table = read(pyogrio.read_dataframe, path, gdal_source(path), layer="areas")
    return table["IUCN_CAT"].tolist()


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_unmerged_edit_is_refused_and_nothing_changes(path, mode):
    leave_edit(path, EDIT, mode)
    suffix = {"wal": "-wal", "delete": "-journal"}[mode]
    before = contents(path.parent)
    assert path.name + suffix in before
    for use in (
        categories,
        lambda p: read_areas(p, ["Ia"], ["Designated"]),
        lambda p: area_of(None, p),
        lambda p: open_raster(p).__enter__(),
    ):
        with pytest.raises(WildLensError, match=rf"areas, new.gpkg{suffix}: close the") as caught:
            use(path)
        assert "\n" not in str(caught.value) and str(path) in str(caught.value)
    assert contents(path.parent) == before


def test_merged_edit_counts_and_nothing_changes(path):
    leave_edit(path, EDIT)
    merge(path)
    assert path.read_bytes()[18:20] == b"\2\2"  # WAL mode
    before = contents(path.parent)
    assert set(before) == {"", path.name}
    assert categories(path) == ["V"]
    with pytest.raises(WildLensError, match="categories found V 1, wanted Ia"):
        read_areas(path, ["Ia"], ["Designated"])
    assert area_of(None, path).box == (1, 1, 2, 2)
    assert contents(path.parent) == before


def test_merged_edit_counts_in_a_folder_without_write_access(path):
    leave_edit(path, EDIT)
    merge(path)
    path.chmod(0o444)
    path.parent.chmod(0o555)
    try:
        assert categories(path) == ["V"]
    finally:
        path.parent.chmod(0o755)


@pytest.mark.parametrize("suffix", ["-wal", "-shm", "-journal"])
def test_empty_files_of_sqlite_stay(path, suffix):
    leave_edit(path, EDIT)
    merge(path)
    path.with_name(path.name + suffix).touch()
    before = contents(path.parent)
    assert categories(path) == ["V"]
    assert contents(path.parent) == before


def test_finished_journal_does_not_matter(path):
    path.with_name(path.name + "-journal").write_bytes(bytes(512))  # journal_mode=persist
    before = contents(path.parent)
    assert categories(path) == ["Ia"]
    assert contents(path.parent) == before


def test_edit_beside_the_target_of_a_link_is_refused(path, tmp_path):
    link = tmp_path / "link.gpkg"
    link.symlink_to(path)
    assert categories(link) == ["Ia"]
    leave_edit(path, EDIT)
    with pytest.raises(WildLensError, match="-wal"):
        categories(link)


@pytest.mark.parametrize("nested", [False, True])
def test_unmerged_edit_in_a_zip_is_refused(path, tmp_path, nested):
    leave_edit(path, EDIT)
    archive = tmp_path / "areas.zip"
    with zipfile.ZipFile(archive, "w") as target:
        for file in path.parent.iterdir():
            target.write(file, file.name)
    if nested:
        inner = archive.rename(tmp_path / "inner.zip")
        with zipfile.ZipFile(archive, "w") as target:
            target.write(inner, inner.name)
    with pytest.raises(WildLensError, match=r"areas, new\.gpkg-wal: close"):
        read_areas(archive, ["Ia"], ["Designated"])


def test_other_files_are_opened_by_their_own_name(tmp_path):
    for name in ("a.geojson", "a.shp"):
        geopandas.GeoDataFrame(geometry=[shapely.box(1, 1, 2, 2)], crs=4326).to_file(
            tmp_path / name
        )
        assert gdal_source(tmp_path / name) == str(tmp_path / name)
    assert gdal_source(tmp_path) == str(tmp_path)


def test_old_edits_are_not_merged_into_a_new_file(path, tmp_path):
    fresh = tmp_path / "fresh.gpkg"
    shutil.copy(path, fresh)
    leave_edit(path, EDIT)
    remove_pending(path)
    fresh.replace(path)
    with sqlite3.connect(path) as database:
        assert database.execute("select IUCN_CAT from areas").fetchall() == [("Ia",)]
