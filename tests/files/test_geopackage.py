"""GeoPackages that are written."""

import time

import geopandas
import pytest
import shapely

from wildlens.files.geopackage import write_layer

TABLE = geopandas.GeoDataFrame(
    {"name": ["a", "b"]}, geometry=[shapely.box(0, 0, 1, 1), shapely.box(2, 0, 3, 1)],
    crs="EPSG:4326",
)  # fmt: skip


def test_equal_tables_give_equal_files_at_any_time(tmp_path):
    for name in ("a", "b"):
        write_layer(tmp_path / f"{name}.gpkg", TABLE, "tiles", layer_metadata={"note": "x"})
        time.sleep(0.01)
    assert (tmp_path / "a.gpkg").read_bytes() == (tmp_path / "b.gpkg").read_bytes()
    found = geopandas.read_file(tmp_path / "a.gpkg", layer="tiles")
    assert found["name"].tolist() == ["a", "b"] and found.crs == TABLE.crs


def test_a_folder_that_is_missing_is_an_error_of_the_operating_system(tmp_path):
    with pytest.raises(OSError, match="missing"):
        write_layer(tmp_path / "missing" / "a.gpkg", TABLE, "tiles")
