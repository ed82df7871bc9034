"""Tests of land cover by majority, against plain loops and exact areas."""

from collections import Counter

import geopandas
import numpy as np
import pytest
import shapely
from landcover_rasters import apply, at_centres, read, write, write_scene
from odc.geo.geobox import GeoBox
from pyproj import Transformer
from rasterio.transform import from_origin

from wildlens.landcover.majority import majority, points_along, refined
from wildlens.landcover.step import build_landcover
from wildlens.settings import Landcover

SCENE = GeoBox((90, 70), from_origin(640_003, 5_240_007, 10, 10), "EPSG:32632")
MAJORITY = Landcover(resampling="majority")


def naive(samples: np.ndarray, points: int) -> np.ndarray:
    """Naive reference: the class of most points; in a tie the centre's, else the lowest."""
    height, width = (side // points for side in samples.shape)
    result = np.zeros((height, width), np.uint8)
    for row in range(height):
        for column in range(width):
            square = samples[row * points :, column * points :][:points, :points]
            counts = Counter(square.ravel().tolist())
            first = [c for c in sorted(counts) if counts[c] == max(counts.values())]
            centre = int(square[points // 2, points // 2])
            result[row, column] = centre if centre in first else first[0]
    return result


@pytest.mark.parametrize("points", [3, 5, 7])
@pytest.mark.parametrize("classes", [2, 4, 45])
def test_majority_and_ties_match_a_plain_loop(points, classes):
    rng = np.random.default_rng(points * classes)
    samples = rng.integers(0, classes, (8 * points, 9 * points)).astype(np.uint8)
    samples[: 2 * points] = np.repeat(np.arange(9) % classes, points)
    np.testing.assert_array_equal(majority(samples, points), naive(samples, points))


def grid_of(crs: str, pixel: float, x=640_350.6, y=5_239_560.8, side=1_700.0) -> GeoBox:
    """A grid of this pixel around the middle of the scene."""
    x, y = Transformer.from_crs(SCENE.crs.to_wkt(), crs, always_xy=True).transform(x, y)
    metres = 111_000 if crs == "EPSG:4326" else 1
    half = side / 2 / metres
    n = int(2 * half / pixel)
    return GeoBox((n, n), from_origin(x - half, y + half, pixel, pixel), crs)


SOURCES = {
    "CORINE, 100 m": (grid_of("EPSG:3035", 100), 5),
    "CLC+ Backbone, 10 m": (grid_of("EPSG:3035", 10), 5),
    "WorldCover, 10 m in degrees": (grid_of("EPSG:4326", 1 / 12_000), 5),
    "10 m, off the grid": (grid_of("EPSG:32632", 10), 5),
    "2.5 m": (grid_of("EPSG:3035", 2.5), 9),
    "a part of the scene": (grid_of("EPSG:32632", 10, x=640_007.6, side=501), 5),
}


@pytest.mark.parametrize("name", SOURCES)
def test_majority_matches_a_plain_count(tmp_path, name):
    own, points = SOURCES[name]
    rng = np.random.default_rng(3)
    # patches of several pixels, so that majorities exist, with no data among the classes
    patches = rng.integers(0, 6, (own.shape[0] // 2 + 1, own.shape[1] // 2 + 1))
    indices = np.kron(patches, np.ones((2, 2), int))[: own.shape[0], : own.shape[1]]
    source = write(tmp_path / "clc.tif", own, indices.astype("uint8"))
    build_landcover(source, write_scene(tmp_path / "s.tif", SCENE), tmp_path / "lc.tif", MAJORITY)
    assert points_along(own, SCENE) == points
    samples, certain = at_centres(indices, own, refined(SCENE, points), tolerance=2e-3)
    expected = naive(samples, points)
    sure = certain.reshape(90, points, 70, points).all(axis=(1, 3))
    assert sure.mean() > 0.4  # many pixels have one of their 81 points near a border
    np.testing.assert_array_equal(read(tmp_path / "lc.tif")[sure], expected[sure])
    assert (read(tmp_path / "lc.tif") == expected).mean() > 0.99
    build_landcover(source, tmp_path / "s.tif", tmp_path / "nearest.tif", Landcover())
    assert (read(tmp_path / "nearest.tif") != expected).any()


@pytest.mark.parametrize("seed", range(3))
def test_majority_class_has_the_largest_exact_area(tmp_path, seed):
    rng = np.random.default_rng(seed)
    shift = rng.uniform(-5, 5, 2)
    left, top = SCENE.affine.c + shift[0] - 20, SCENE.affine.f + shift[1] + 20
    own = GeoBox((94, 74), from_origin(left, top, 10, 10), "EPSG:32632")
    indices = rng.integers(1, 4, own.shape)
    source = write(tmp_path / "clc.tif", own, indices.astype("uint8"))
    build_landcover(source, write_scene(tmp_path / "s.tif", SCENE), tmp_path / "lc.tif", MAJORITY)
    columns, rows = _overlaps(2 - shift[0] / 10, 70), _overlaps(2 + shift[1] / 10, 90)
    share = np.stack([rows @ (indices == c) @ columns.T for c in (1, 2, 3)])
    np.testing.assert_allclose(share.sum(axis=0), 1)
    taken = np.take_along_axis(share, read(tmp_path / "lc.tif")[None].astype(int) - 1, axis=0)[0]
    assert (share.max(axis=0) - taken).max() < 0.2
    assert (taken == share.max(axis=0)).mean() > 0.97


def _overlaps(start: float, count: int) -> np.ndarray:
    """(count, count + 4): share of each source pixel in each pixel along an axis."""
    own = np.arange(count + 4)
    low = start + np.arange(count)[:, None]
    return (np.minimum(low + 1, own + 1) - np.maximum(low, own)).clip(0)


def test_majority_of_polygons(tmp_path):
    # 60 % of the first column's pixels, 40 % of the second's
    x, y = apply(SCENE.affine, 0.4, 90)
    shapes = [shapely.box(x, y, *apply(SCENE.affine, 1.4, 0)), shapely.box(0, 0, 1, 1)]
    table = geopandas.GeoDataFrame({"CODE_18": ["412", "111"]}, geometry=shapes, crs=32632)
    table.to_file(tmp_path / "clc.gpkg")
    scene = write_scene(tmp_path / "s.tif", SCENE)
    build_landcover(tmp_path / "clc.gpkg", scene, tmp_path / "lc.tif", MAJORITY)
    assert (read(tmp_path / "lc.tif")[:, 0] == 36).all()
    assert not read(tmp_path / "lc.tif")[:, 1:].any()
