"""Tests of scenes of several or reprojected products, against naive references."""

import json
import logging
import os
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from odc.geo.geobox import GeoBox
from products import CRS, LEFT, TOP, grid, numbers, write_safe, write_tif
from pyproj import Transformer

from wildlens.errors import WildLensError
from wildlens.files import raster
from wildlens.scene.step import build_scene
from wildlens.settings import Scene

ONE = Scene(bands=["B02"], mask_classes=[])


def read(path) -> np.ndarray:
    with rasterio.open(path) as dataset:
        return dataset.read()


def product(folder, values, left=0, top=0, scl=None, crs=CRS, **profile):
    """A folder of B02, and SCL at 20 m, whose corner is shifted by `left` and `top` pixels."""

    def corner(size):
        return Affine(size, 0, LEFT + 10 * left, 0, -size, TOP - 10 * top)

    write_tif(folder / "B02.tif", values, transform=corner(10), crs=crs, **profile)
    if scl is not None:
        write_tif(folder / "SCL.tif", scl.astype("uint16"), transform=corner(20), crs=crs)
    return folder


def merged_naively(layers, shape):
    """Naive reference: for each pixel the first of (values, left, top) that is not 0."""
    result = np.zeros(shape, np.uint16)
    for values, left, top in reversed(layers):
        for (row, column), value in np.ndenumerate(values):
            if value:
                result[row + top, column + left] = value
    return result


@pytest.mark.parametrize("seed", range(3))
def test_mosaic_takes_first_valid_pixel_of_clearest_product(tmp_path, seed, caplog):
    rng = np.random.default_rng(seed)
    places, clear = [(0, 0), (40, 10), (6, 30)], (0.5, 0.9, 0.7)
    paths, layers, sizes = [], [], [(60, 72), (64, 60), (550, 40)]
    for n, ((left, top), share, size) in enumerate(zip(places, clear, sizes, strict=True)):
        values = numbers(rng, size, missing=0.2)
        scl = np.where(rng.random((size[0] // 2, size[1] // 2)) < share, 4, 9)
        masked = np.kron(scl == 9, np.ones((2, 2), bool))
        paths.append(product(tmp_path / f"p{n}", values, left, top, scl))
        layers.append((np.where(masked, 0, values), left, top))
    caplog.set_level(logging.INFO, "wildlens")
    build_scene(paths, tmp_path / "scene.tif", Scene(bands=["B02"]), offset=0)
    scene = read(tmp_path / "scene.tif")[0]
    expected = merged_naively([layers[1], layers[2], layers[0]], (580, 100))
    np.testing.assert_array_equal(scene, expected)
    assert raster.read_grid(tmp_path / "scene.tif") == grid((580, 100))
    assert "of 3 products" in caplog.text and "p1: 9" in caplog.text


def test_each_product_uses_its_own_offset(tmp_path):
    rng = np.random.default_rng(0)
    added, plain = (
        {"B02": numbers(rng, (60, 72), low, 4000), "SCL": np.full((30, 36), 4, "uint16")}
        for low in (1100, 1)
    )
    added["B02"][:30] = 0
    paths = [
        write_safe(tmp_path / "a", added, shape=(60, 72), offsets={"B02": -1000}),
        write_safe(tmp_path / "b", plain, shape=(60, 72), folder="older.SAFE"),
    ]
    build_scene(paths, tmp_path / "scene.tif", Scene(bands=["B02"]))
    scene = read(tmp_path / "scene.tif")[0]
    np.testing.assert_array_equal(scene[:30], plain["B02"][:30])
    np.testing.assert_array_equal(scene[30:], added["B02"][30:] - 1000)
    with rasterio.open(tmp_path / "scene.tif") as dataset:
        tags = dataset.tags()
    assert json.loads(tags["offset_applied"]) == [{"B02": -1000}, {"B02": 0}]
    assert tags["product_name"].endswith(" + older")
    assert len(json.loads(tags["wildlens_inputs"])) == 8  # two metadata, B02 and SCL of each


def test_each_product_uses_its_given_offset(tmp_path):
    values = np.full((60, 72), 3000, "uint16")
    paths = [product(tmp_path / "a", values), product(tmp_path / "b", values, left=72)]
    build_scene(paths, tmp_path / "scene.tif", ONE, offset=[-1000, 0])
    scene = read(tmp_path / "scene.tif")[0]
    assert (scene[:, :72] == 2000).all() and (scene[:, 72:] == 3000).all()
    with pytest.raises(WildLensError, match="3 offsets for 2 products"):
        build_scene(paths, tmp_path / "scene.tif", ONE, offset=[0, 0, 0])


def test_clipped_mosaic_equals_part_of_whole_mosaic(tmp_path, caplog):
    rng = np.random.default_rng(0)
    names = [("a", 0), ("b", 72), ("c", 300)]
    paths = [product(tmp_path / n, numbers(rng, (60, 72)), left) for n, left in names]
    build_scene(paths, tmp_path / "whole.tif", ONE, offset=0)
    own = grid((60, 372))
    box = own[10:50, 60:80].extent.to_crs("EPSG:4326", 10).boundingbox
    build_scene(paths, tmp_path / "clip.tif", ONE, offset=0, clip=tuple(box))
    part = raster.read_grid(tmp_path / "clip.tif")
    left, top = map(round, own.wld2pix(*part.pix2wld(0, 0)))
    rows, columns = part.shape
    whole = read(tmp_path / "whole.tif")[:, top : top + rows, left : left + columns]
    np.testing.assert_array_equal(read(tmp_path / "clip.tif"), whole)
    assert columns < 60 and "c: does not touch the clip" in caplog.text
    gap = own[10:50, 200:220].extent.to_crs("EPSG:4326", 10).boundingbox
    with pytest.raises(WildLensError, match="does not touch the box"):
        build_scene(paths, tmp_path / "gap.tif", ONE, offset=0, clip=tuple(gap))


def test_products_of_several_dates_give_warning(tmp_path, caplog):
    images = {"B02": np.ones((60, 72), "uint16")}
    paths = [write_safe(tmp_path / n, images, shape=(60, 72)) for n in "ab"]
    metadata = paths[1] / "MTD_MSIL2A.xml"
    metadata.write_text(metadata.read_text().replace("2022-04-13T", "2022-04-20T"))
    build_scene(paths, tmp_path / "scene.tif", ONE)
    assert "2 dates (2022-04-13, 2022-04-20)" in caplog.text


def test_duplicate_product_is_refused(tmp_path):
    path = product(tmp_path / "a", np.ones((60, 72), "uint16"))
    (tmp_path / "link").symlink_to(path)
    for other in (path, tmp_path / "b/../a", tmp_path / "link"):
        (tmp_path / "b").mkdir(exist_ok=True)
        with pytest.raises(WildLensError, match="is listed twice"):
            build_scene([path, other], tmp_path / "scene.tif", ONE, offset=0)


def test_two_processings_of_one_overpass_give_warning(tmp_path, caplog):
    images = {"B02": np.ones((60, 72), "uint16")}
    paths = [write_safe(tmp_path / n, images, shape=(60, 72)) for n in "ab"]
    metadata = paths[1] / "MTD_MSIL2A.xml"
    metadata.write_text(metadata.read_text().replace("04.00", "05.10"))
    build_scene(paths, tmp_path / "scene.tif", ONE)
    assert "are of the same overpass and tile" in caplog.text


def test_products_of_same_area_give_warning(tmp_path, caplog):
    paths = [product(tmp_path / n, np.ones((60, 72), "uint16")) for n in "ab"]
    build_scene(paths, tmp_path / "scene.tif", ONE, offset=0)
    assert "cover the same ground" in caplog.text
    caplog.clear()
    paths[1] = product(tmp_path / "c", np.ones((60, 72), "uint16"), left=60)
    build_scene(paths, tmp_path / "scene.tif", ONE, offset=0)
    assert "same ground" not in caplog.text


# --- reprojection


def naive_warp(values, own: GeoBox, target: GeoBox, resampling: str):
    """Naive reference by pyproj: float64, NaN = missing; and bool, where rounding decides."""
    rows, columns = target.shape
    column, row = np.meshgrid(np.arange(columns) + 0.5, np.arange(rows) + 0.5)
    x, y = target.pix2wld(column, row)
    transformer = Transformer.from_crs(target.crs.to_wkt(), own.crs.to_wkt(), always_xy=True)
    column, row = own.wld2pix(*transformer.transform(x, y))
    near = [np.abs(axis - np.round(axis)) < 2e-3 for axis in (column, row)]
    height, width = values.shape
    inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)

    def at(i, j):
        found = values[np.clip(i, 0, height - 1), np.clip(j, 0, width - 1)].astype(float)
        found[(i < 0) | (i >= height) | (j < 0) | (j >= width)] = 0
        return found

    nearest = at(np.floor(row).astype(int), np.floor(column).astype(int))
    result = nearest
    if resampling == "bilinear":
        i, j = np.floor(row - 0.5).astype(int), np.floor(column - 0.5).astype(int)
        down, right = row - 0.5 - i, column - 0.5 - j
        total = weights = 0.0
        for a, v in ((0, 1 - down), (1, down)):
            for b, h in ((0, 1 - right), (1, right)):
                value = at(i + a, j + b)
                total, weights = total + v * h * value, weights + v * h * (value > 0)
        result = total / np.where(weights > 0, weights, 1)
    missing = ~inside | (nearest == 0)
    return np.where(missing, np.nan, result), np.logical_or(*near)


TARGETS = {"the next zone": "EPSG:32632", "Europe": "EPSG:3035"}


@pytest.mark.parametrize("resampling", ["nearest", "bilinear"])
@pytest.mark.parametrize("target", TARGETS)
def test_reprojected_pixels_equal_naive_reference(tmp_path, target, resampling, caplog):
    rng = np.random.default_rng(1)
    fine = numbers(rng, (240, 144), 1000, 1200, missing=0.02)
    coarse = numbers(rng, (120, 72), 1000, 1200)
    scl = np.where(rng.random((120, 72)) < 0.1, 9, 4).astype("uint16")
    images = {"B02": fine, "B11": coarse, "SCL": scl}
    path = write_safe(tmp_path, images, shape=(240, 144), offsets={"B02": -500, "B11": -500})
    settings = Scene(bands=["B02", "B11"], resampling=resampling, crs=TARGETS[target])
    caplog.set_level(logging.INFO, "wildlens")
    build_scene(path, tmp_path / "scene.tif", settings)
    own = grid((240, 144))
    scene, on = read(tmp_path / "scene.tif"), raster.read_grid(tmp_path / "scene.tif")
    assert on.crs == TARGETS[target] and on.affine.a == 10 and on.affine.c % 60 == 0
    half = grid((120, 72), 20.0)
    blue, uncertain = naive_warp(fine, own, on, resampling)
    swir, more = naive_warp(coarse, half, on, resampling)
    classes, third = naive_warp(scl, half, on, "nearest")
    sure = ~(uncertain | more | third)
    missing = np.isnan(blue) | np.isnan(swir) | (classes == 9)
    assert sure.mean() > 0.97 and 0.2 < missing.mean() < 0.9
    for values, expected in zip(scene, (blue, swir), strict=True):
        np.testing.assert_array_equal((values == 0)[sure], missing[sure])
        kept = sure & ~missing
        difference = np.abs(values[kept] - (expected[kept] - 500))
        assert difference.max() <= (1 if resampling == "bilinear" else 0)
    assert "1 of them reprojected" in caplog.text


def test_saturated_pixels_are_not_mixed_when_reprojected(tmp_path):
    values = np.full((60, 72), 3000, "uint16")
    values[20:24, 30:34] = 65535
    path = product(tmp_path / "a", values)
    build_scene(path, tmp_path / "s.tif", Scene(bands=["B02"], crs="EPSG:32632"), offset=0)
    scene = read(tmp_path / "s.tif")
    assert 12 <= (scene == 65535).sum() <= 20
    assert set(np.unique(scene)) == {0, 3000, 65535}, (
        "neighbours are means of what is not saturated"
    )


def test_product_on_target_grid_is_not_resampled(tmp_path):
    rng = np.random.default_rng(2)
    here, there = numbers(rng, (60, 72)), np.full((90, 90), 5000, "uint16")
    x, y = Transformer.from_crs(CRS, "EPSG:32632", always_xy=True).transform(LEFT + 400, TOP - 300)
    other = write_tif(
        tmp_path / "b" / "B02.tif", there, crs="EPSG:32632", transform=Affine(10, 0, x, 0, -10, y)
    ).parent
    settings = Scene(bands=["B02"], mask_classes=[], crs=CRS)
    build_scene([product(tmp_path / "a", here), other], tmp_path / "scene.tif", settings, offset=0)
    on = raster.read_grid(tmp_path / "scene.tif")
    left, top = map(round, on.wld2pix(LEFT, TOP))
    scene = read(tmp_path / "scene.tif")[0]
    np.testing.assert_array_equal(scene[top : top + 60, left : left + 72], here)
    rest = scene.copy()
    rest[top : top + 60, left : left + 72] = 0
    assert set(np.unique(rest)) == {0, 5000} and (rest == 5000).sum() > 3000


def test_product_in_degrees_is_reprojected(tmp_path):
    values = np.full((100, 100), 3000, "uint16")
    transform = Affine(1e-4, 0, 8, 0, -1e-4, 60)
    path = write_tif(tmp_path / "x.tif", values, descriptions=["B02"], crs="EPSG:4326",
                     transform=transform)  # fmt: skip
    build_scene(path, tmp_path / "s.tif", Scene(bands=["B02"], crs="EPSG:32632"), offset=0)
    scene = read(tmp_path / "s.tif")
    # 0.01 x 0.01 degrees at 60 degrees north: 557 m x 1114 m
    assert (scene == 3000).sum() == pytest.approx(55.8 * 111.4, rel=0.01)
    assert set(np.unique(scene)) == {0, 3000}


@pytest.mark.parametrize(
    ("crs", "message"),
    [
        ("EPSG:4326", "not a projected system in metres"),
        ("EPSG:2263", "not a projected system in metres"),
        ("EPSG:99999", "EPSG:99999 is not known"),
        ("EPSG:32733", "scene.crs"),
    ],
)
def test_unsuitable_crs_is_refused(tmp_path, crs, message):
    path = product(tmp_path / "a", np.ones((60, 72), "uint16"))
    if crs == "EPSG:32733":  # 80 degrees north in a southern zone is fine; 20 m only is not
        path = write_tif(tmp_path / "c.tif", np.ones((60, 72), "uint16"), resolution=20.0,
                         descriptions=["B02"])  # fmt: skip
    with pytest.raises(WildLensError, match=message) as error:
        build_scene(path, tmp_path / "s.tif", Scene(bands=["B02"], crs=crs), offset=0)
    assert "\n" not in str(error.value)


def test_real_clip_in_degrees_is_reprojected(tmp_path):
    root = os.environ.get("WILDLENS_TEST_DATA")
    if not root:
        pytest.skip("WILDLENS_TEST_DATA is not set")
    source = next(Path(root, "s2-clips/ssl4eo-s12-l2a").iterdir())  # in zone 43
    settings = Scene(bands=["B02"], crs="EPSG:32643", resampling="nearest")
    build_scene(source, tmp_path / "scene.tif", settings, offset=0)
    values, own = read(source / "B2.tif")[0], raster.read_grid(source / "B2.tif")
    on = raster.read_grid(tmp_path / "scene.tif")
    expected, uncertain = naive_warp(values, own, on, "nearest")
    sure = ~uncertain & ~np.isnan(expected)
    assert sure.sum() > 0.8 * values.size
    np.testing.assert_array_equal(read(tmp_path / "scene.tif")[0][sure], expected[sure])
