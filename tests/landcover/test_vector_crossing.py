"""Tests of CORINE-coded polygons across the antimeridian, and of those that cover the Earth."""

import crossing
import geopandas
import numpy as np
import pytest
import rasterio
import shapely
from landcover_rasters import write_scene
from pyproj import Transformer

from wildlens.landcover.step import build_landcover
from wildlens.legend import CORINE
from wildlens.settings import Landcover

LOW, MIDDLE, HIGH = 68.88, 68.898, 68.95
WRITTEN = {
    "split": shapely.MultiPolygon(
        [shapely.box(179.97, LOW, 180, MIDDLE), shapely.box(-180, LOW, -179.96, MIDDLE)]
    ),
    "beyond 180": shapely.box(179.97, LOW, 180.04, MIDDLE),
    "short way": shapely.box(-179.96, LOW, 179.97, MIDDLE),
}


@pytest.mark.parametrize("written", WRITTEN)
@pytest.mark.parametrize("suffix", ["gpkg", "geojson"])
def test_polygons_across_180_degrees_match_pixel_centres(tmp_path, written, suffix):
    polygons = {
        523: shapely.box(-180, -80, 180, 68.89),  # seas around the Earth
        211: shapely.box(0, 68, 20, 70),
        412: WRITTEN[written],
        332: shapely.box(-179.99, MIDDLE, -179.97, HIGH),
    }
    source = tmp_path / f"clc.{suffix}"
    geopandas.GeoDataFrame(
        {"CODE_18": [str(code) for code in polygons]}, geometry=list(polygons.values()), crs=4326
    ).to_file(source)
    scene = write_scene(tmp_path / "scene.tif", crossing.GRID)
    output = tmp_path / "landcover.tif"
    build_landcover(source, scene, output, Landcover())
    with rasterio.open(output) as dataset:
        found = dataset.read(1)

    columns, rows = np.meshgrid(np.arange(360) + 0.5, np.arange(360) + 0.5)
    to_degrees = Transformer.from_crs(32660, 4326, always_xy=True)
    longitude, latitude = to_degrees.transform(*crossing.GRID.pix2wld(columns, rows))
    expected = np.zeros((360, 360), np.uint8)
    polygons[412] = WRITTEN["split"]
    for code, shape in polygons.items():
        expected[shapely.contains_xy(shape, longitude, latitude)] = CORINE.index_of(code)
    assert set(np.unique(expected)) == {0, *CORINE.indices_of([523, 412, 332])}
    np.testing.assert_array_equal(found, expected)
