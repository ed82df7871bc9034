import math

import numpy as np
import pytest
import rasterio
from affine import Affine
from naive_resampling import naive_bilinear, naive_nearest
from products import CRS, LEFT, SHAPE, TOP, grid, numbers, write_tif
from rasterio.windows import Window

from wildlens.errors import WildLensError
from wildlens.scene.open_on_grid import open_on_grid
from wildlens.scene.products import BandFile
from wildlens.scene.step import build_scene
from wildlens.settings import Scene


@pytest.mark.parametrize("factor", [1, 2, 3, 6])
@pytest.mark.parametrize("resampling", ["nearest", "bilinear"])
def test_resampled_window_equals_naive_reference(tmp_path, factor, resampling):
    rng = np.random.default_rng(factor)
    coarse = numbers(rng, (60 // factor, 72 // factor), high=65536, missing=0.2)
    coarse[rng.random(coarse.shape) < 0.1] = 65535
    path = write_tif(tmp_path / "B11.tif", coarse, 10.0 * factor)
    naive = (naive_bilinear if resampling == "bilinear" else naive_nearest)(coarse, factor)
    assert (naive == 0).any() and (naive == 65535).any() and (naive % 65535 > 0).any()
    with open_on_grid({"B11": BandFile(path, 1, 10.0 * factor)}, grid(), resampling) as bands:
        for _ in range(30):
            top, left = (int(rng.integers(0, side - 1)) for side in SHAPE)
            height, width = (
                int(rng.integers(1, side - start + 1))
                for side, start in zip(SHAPE, (top, left), strict=True)
            )
            read = bands["B11"].read(Window(left, top, width, height))
            assert read.dtype == np.uint16
            np.testing.assert_array_equal(read, naive[top : top + height, left : left + width])


@pytest.mark.parametrize("factor", [2, 6])
def test_bilinear_equals_gdal_without_missing_pixels(tmp_path, factor):
    coarse = numbers(np.random.default_rng(3), (60 // factor, 72 // factor), high=60_000)
    path = write_tif(tmp_path / "B11.tif", coarse, 10.0 * factor)
    with rasterio.open(path) as dataset:
        expected = dataset.read(1, out_shape=SHAPE, resampling=rasterio.enums.Resampling.bilinear)
    with open_on_grid({"B11": BandFile(path, 1, 10.0 * factor)}, grid(), "bilinear") as bands:
        read = bands["B11"].read(Window(0, 0, SHAPE[1], SHAPE[0]))
    # GDAL sums in single precision and may round a half the other way
    assert np.abs(read.astype(int) - expected).max() <= 1
    assert (read != expected).mean() < 0.01


@pytest.mark.parametrize("factor", [2, 6])
def test_bilinear_excludes_saturated_pixels(tmp_path, factor):
    coarse = np.full((60 // factor, 72 // factor), 3000, "uint16")
    coarse[3, 4] = 65535
    path = write_tif(tmp_path / "B11.tif", coarse, 10.0 * factor)
    with open_on_grid({"B11": BandFile(path, 1, 10.0 * factor)}, grid(), "bilinear") as bands:
        read = bands["B11"].read(Window(0, 0, SHAPE[1], SHAPE[0]))
    expected = np.full(SHAPE, 3000)
    expected[3 * factor : 4 * factor, 4 * factor : 5 * factor] = 65535
    np.testing.assert_array_equal(read, expected)


def test_bands_of_one_file_are_distinguished(tmp_path):
    values = numbers(np.random.default_rng(0), (3, *SHAPE))
    path = write_tif(tmp_path / "x.tif", values)
    files = {"B04": BandFile(path, 3, 10.0), "B02": BandFile(path, 1, 10.0)}
    with open_on_grid(files, grid(), "nearest") as bands:
        assert list(bands) == ["B04", "B02"]
        whole = Window(0, 0, SHAPE[1], SHAPE[0])
        np.testing.assert_array_equal(bands["B04"].read(whole), values[2])
        np.testing.assert_array_equal(bands["B02"].read(whole), values[0])


@pytest.mark.parametrize("crs", [None, CRS])
@pytest.mark.parametrize("resampling", ["nearest", "bilinear"])
@pytest.mark.parametrize("rounded", [math.floor, math.ceil])
@pytest.mark.parametrize("factor", [2, 3, 6])
@pytest.mark.parametrize("sides", [(60, 72), (61, 72), (60, 71), (59, 73), (62, 70)])
def test_bands_of_a_clip_of_any_side(tmp_path, caplog, sides, factor, rounded, resampling, crs):
    """The coarse band covers the last pixels of the fine one (ceil), or lacks them (floor)."""
    rng = np.random.default_rng(0)
    fine = numbers(rng, sides)
    coarse = numbers(rng, [rounded(n / factor) for n in sides])
    folder = tmp_path / "clip"
    write_tif(folder / "B02.tif", fine)
    write_tif(folder / "B11.tif", coarse, 10 * factor)
    settings = Scene(bands=["B02", "B11"], mask_classes=[], resampling=resampling, crs=crs)
    build_scene(folder, tmp_path / "scene.tif", settings, offset=0)
    with rasterio.open(tmp_path / "scene.tif") as dataset:
        found = dataset.read()
    naive = (naive_bilinear if resampling == "bilinear" else naive_nearest)(coarse, factor)
    expected = np.zeros(sides, int)
    both = tuple(slice(0, min(n, m)) for n, m in zip(sides, naive.shape, strict=True))
    expected[both] = naive[both]
    covers = rounded is math.ceil or not any(n % factor for n in sides)
    np.testing.assert_array_equal(found[0], np.where(expected, fine, 0))
    # of a band that is reprojected, a half may be rounded the other way
    np.testing.assert_allclose(found[1], expected, atol=0 if covers else 1)
    assert ("is not on the grid of" in caplog.text) != covers


def one_band(folder, values, resolution, **profile):
    """Band B11 on a scene on `grid()`, whose B02 has no missing pixel."""
    write_tif(folder / "clip/B02.tif", np.full(SHAPE, 500, "uint16"))
    write_tif(folder / "clip/B11.tif", values, resolution, **profile)
    settings = Scene(bands=["B02", "B11"], mask_classes=[], resampling="nearest")
    build_scene(folder / "clip", folder / "scene.tif", settings, offset=0)
    with rasterio.open(folder / "scene.tif") as dataset:
        return dataset.read(2)


@pytest.mark.parametrize(
    ("shift", "resolution"), [((10, 0), 20), ((-10, 20), 20), ((5, -15), 20), ((0, 0), 15)]
)
def test_band_off_the_grid_is_resampled_with_a_warning(tmp_path, caplog, shift, resolution):
    values = numbers(np.random.default_rng(0), (30, 36))
    (right, down), side = shift, resolution
    corner = Affine(side, 0, LEFT + right, 0, -side, TOP - down)
    found = one_band(tmp_path, values, side, transform=corner)
    row, column = (
        np.floor((np.arange(n) * 10 + 5 - offset) / side).astype(int)
        for n, offset in zip(SHAPE, (down, right), strict=True)
    )
    inside = np.outer((row >= 0) & (row < 30), (column >= 0) & (column < 36))
    taken = values[np.ix_(row.clip(0, 29), column.clip(0, 35))]
    np.testing.assert_array_equal(found, np.where(inside, taken, 0))
    assert "B11.tif: is not on the grid of" in caplog.text


@pytest.mark.parametrize(
    ("profile", "named"),
    [
        ({"crs": "EPSG:32634"}, "EPSG:32634"),
        ({"transform": Affine(20, 0, LEFT + 9000, 0, -20, TOP)}, "does not touch"),
        ({"dtype": "float32"}, "float32"),
        ({"transform": Affine(10, 0, LEFT + 10, 0, -10, TOP)}, r"its grid \(36 x 30 px of 10 m"),
        ({"transform": Affine(10, 0, LEFT, 0, -10, TOP)}, "is not that of the product"),
    ],
)
def test_band_of_another_product_is_refused(tmp_path, profile, named):
    values = np.ones((30, 36), profile.get("dtype", "uint16"))
    with pytest.raises(WildLensError, match=named) as error:
        one_band(tmp_path, values, 20, **profile)
    assert "B11.tif" in str(error.value)


def test_missing_file_is_named_with_its_band(tmp_path):
    path = tmp_path / "gone.jp2"
    with (
        pytest.raises(WildLensError, match="B11") as error,
        open_on_grid({"B11": BandFile(path, 1, 20)}, grid(), "nearest"),
    ):
        pass
    assert str(path) in str(error.value)


def test_truncated_file_is_named(tmp_path):
    values = numbers(np.random.default_rng(0), (1024, 1024))
    path = write_tif(tmp_path / "B02.tif", values)
    path.write_bytes(path.read_bytes()[:-1_000_000])
    with (
        open_on_grid({"B02": BandFile(path, 1, 10)}, grid((1024, 1024)), "nearest") as bands,
        pytest.raises(WildLensError) as error,
    ):
        bands["B02"].read(Window(0, 512, 1024, 512))
    assert str(path) in str(error.value)
