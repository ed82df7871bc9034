"""A global raster in degrees under a scene across the antimeridian."""

from pathlib import Path

import crossing
import numpy as np
import pytest
from affine import Affine
from landcover_rasters import read, write, write_scene
from odc.geo.geobox import GeoBox
from pyproj import Transformer

from wildlens.landcover.step import build_landcover
from wildlens.settings import Landcover

STEP = 0.01  # degrees
WEST = {
    "-180..180": -180,
    "0..360": 0,
    "the eastern part": 179,
    "the western part": -180,
    "below -180": -300,
}


@pytest.mark.parametrize("extent", WEST)
@pytest.mark.parametrize("resampling", ["nearest", "majority"])
def test_global_raster_across_180_degrees(tmp_path: Path, extent, resampling):
    width = {"t": 100, "b": 18_000}.get(extent[0], 36_000)
    west = WEST[extent]
    own = GeoBox((20, width), Affine(STEP, 0, west, 0, -STEP, 69.0), "EPSG:4326")
    classes = np.random.default_rng(0).integers(1, 45, own.shape).astype("uint8")
    source = write(tmp_path / "clc.tif", own, classes, nodata=0)
    scene = write_scene(tmp_path / "scene.tif", crossing.GRID)
    output = tmp_path / "landcover.tif"
    build_landcover(source, scene, output, Landcover(resampling=resampling))
    found = read(output)

    columns, rows = np.meshgrid(np.arange(360) + 0.5, np.arange(360) + 0.5)
    to_degrees = Transformer.from_crs(32660, 4326, always_xy=True)
    longitude, latitude = to_degrees.transform(*crossing.GRID.pix2wld(columns, rows))
    column, row = (longitude - west) % 360 / STEP, (69.0 - latitude) / STEP
    inside = column < width
    expected = np.where(inside, classes[row.astype(int), column.astype(int).clip(max=width - 1)], 0)
    # away from borders of source pixels, where majority and nearest agree
    certain = np.minimum(np.abs(column - np.rint(column)), np.abs(row - np.rint(row))) > 0.05
    assert certain.mean() > 0.7
    np.testing.assert_array_equal(found[certain], expected[certain])
    assert (found > 0).mean() == pytest.approx(inside.mean(), abs=0.01)
