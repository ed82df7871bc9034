"""Content digests of inputs: what changes them, and what a look with a GIS leaves as it was."""

import os
import sqlite3

import pytest

from wildlens.files.contents import Contents, read_along

STATISTICS = """<PAMDataset><PAMRasterBand band="1"><Histograms><HistItem/></Histograms><Metadata>
<MDI key="STATISTICS_MEAN">3</MDI></Metadata></PAMRasterBand></PAMDataset>"""
TABLE = (
    '<PAMDataset><PAMRasterBand band="1"><GDALRasterAttributeTable/></PAMRasterBand></PAMDataset>'
)


@pytest.fixture
def digest(tmp_path):
    """Digest of a path as a new process takes it, with what earlier ones remembered."""
    return lambda path: Contents(tmp_path / "memory/contents.json").digest([path])


def test_touched_file_keeps_its_digest_and_edited_one_does_not(tmp_path, digest):
    path = tmp_path / "clc.tif"
    path.write_bytes(b"one")
    before = digest(path)
    os.utime(path, (1, 1))
    assert digest(path) == before
    path.write_bytes(b"two")
    assert digest(path) != before


def test_geopackage_opened_in_another_journal_mode_keeps_its_digest(tmp_path, digest):
    path = tmp_path / "wdpa.gpkg"
    with sqlite3.connect(path) as database:
        database.execute("create table sites (name)")
    before, content = digest(path), path.read_bytes()
    for mode in ("wal", "delete"):  # as QGIS does when it opens and closes a file
        database.execute(f"pragma journal_mode={mode}")
    assert path.read_bytes() != content and digest(path) == before
    with database:
        database.execute("insert into sites values ('a')")
    assert digest(path) != before


def test_unmerged_log_of_a_geopackage_counts(tmp_path, digest):
    path = tmp_path / "wdpa.gpkg"
    path.write_bytes(b"sites")
    before = digest(path)
    (tmp_path / "wdpa.gpkg-wal").write_bytes(b"")
    assert digest(path) == before
    (tmp_path / "wdpa.gpkg-wal").write_bytes(b"an edit")
    assert digest(path) != before


def test_statistics_in_a_folder_do_not_count_and_other_files_do(tmp_path, digest):
    product = tmp_path / "a.SAFE"
    product.mkdir()
    (product / "B02.jp2").write_bytes(b"pixels")
    before = digest(product)
    (product / "B02.jp2.aux.xml").write_text(STATISTICS)
    (product / ".directory").write_text("x")
    assert digest(product) == before
    (product / "B03.jp2").write_bytes(b"pixels")
    assert digest(product) != before


def test_sidecars_are_those_that_hold_more_than_statistics(tmp_path):
    raster = tmp_path / "clc.tif"
    (tmp_path / "clc.tif.aux.xml").write_text(STATISTICS)
    (tmp_path / "clc.tif.vat.dbf").touch()
    assert read_along(raster) == [tmp_path / "clc.tif.vat.dbf"]
    (tmp_path / "clc.tif.aux.xml").write_text(TABLE)
    assert tmp_path / "clc.tif.aux.xml" in read_along(raster)
    (tmp_path / "wdpa.dbf").touch()
    assert read_along(tmp_path / "wdpa.shp") == [tmp_path / "wdpa.dbf"]


@pytest.mark.parametrize("change_case", [str.lower, str.upper])
@pytest.mark.parametrize(
    ("name", "beside"),
    [
        ("sites.shp", ["sites.dbf", "sites.shx", "sites.prj", "sites.cpg"]),
        ("clc.tif", ["clc.tif.vat.dbf", "clc.tif.aux.xml", "clc.tif.msk"]),
    ],
)
def test_edit_of_each_sidecar_is_noticed_in_any_case(tmp_path, digest, name, beside, change_case):
    path, *files = (tmp_path / change_case(file) for file in (name, *beside))
    for file in (path, *files):
        file.write_text("one")
    assert read_along(path) == files
    digests = {digest(file) for file in files}
    for file in files:
        file.write_text("another")
    assert digests.isdisjoint(digest(file) for file in files)
    for file in files:
        file.unlink()
    (tmp_path / change_case("other.dbf")).touch()
    assert read_along(path) == [] == read_along(tmp_path / "no such folder" / name)


def test_missing_file_and_broken_memory_are_no_errors(tmp_path, digest):
    missing = digest(tmp_path / "a.tif")
    (tmp_path / "memory").mkdir(exist_ok=True)
    (tmp_path / "memory/contents.json").write_text("[1, 2")
    (tmp_path / "a.tif").touch()
    assert digest(tmp_path / "a.tif") != missing
