import numpy as np
import pytest
import rasterio
from affine import Affine
from naive_resampling import naive_bilinear, naive_nearest
from products import LEFT, SHAPE, TOP, grid, numbers, write_tif
from rasterio.windows import Window

from wildlens.errors import WildLensError
from wildlens.scene.products import BandFile
from wildlens.scene.resampling import open_aligned


@pytest.mark.parametrize("factor", [1, 2, 3, 6])
@pytest.mark.parametrize("resampling", ["nearest", "bilinear"])
def test_resampled_window_equals_naive_reference(tmp_path, factor, resampling):
    rng = np.random.default_rng(factor)
    coarse = numbers(rng, (60 // factor, 72 // factor), high=65536, missing=0.2)
    coarse[rng.random(coarse.shape) < 0.1] = 65535
    path = write_tif(tmp_path / "B11.tif", coarse, 10.0 * factor)
    naive = (naive_bilinear if resampling == "bilinear" else naive_nearest)(coarse, factor)
    assert (naive == 0).any() and (naive == 65535).any() and (naive % 65535 > 0).any()
    with open_aligned({"B11": BandFile(path, 1, 10.0 * factor)}, grid(), resampling) as bands:
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
    with open_aligned({"B11": BandFile(path, 1, 10.0 * factor)}, grid(), "bilinear") as bands:
        read = bands["B11"].read(Window(0, 0, SHAPE[1], SHAPE[0]))
    # GDAL sums in single precision and may round a half the other way
    assert np.abs(read.astype(int) - expected).max() <= 1
    assert (read != expected).mean() < 0.01


@pytest.mark.parametrize("factor", [2, 6])
def test_bilinear_excludes_saturated_pixels(tmp_path, factor):
    coarse = np.full((60 // factor, 72 // factor), 3000, "uint16")
    coarse[3, 4] = 65535
    path = write_tif(tmp_path / "B11.tif", coarse, 10.0 * factor)
    with open_aligned({"B11": BandFile(path, 1, 10.0 * factor)}, grid(), "bilinear") as bands:
        read = bands["B11"].read(Window(0, 0, SHAPE[1], SHAPE[0]))
    expected = np.full(SHAPE, 3000)
    expected[3 * factor : 4 * factor, 4 * factor : 5 * factor] = 65535
    np.testing.assert_array_equal(read, expected)


def test_bands_of_one_file_are_distinguished(tmp_path):
    values = numbers(np.random.default_rng(0), (3, *SHAPE))
    path = write_tif(tmp_path / "x.tif", values)
    files = {"B04": BandFile(path, 3, 10.0), "B02": BandFile(path, 1, 10.0)}
    with open_aligned(files, grid(), "nearest") as bands:
        assert list(bands) == ["B04", "B02"]
        whole = Window(0, 0, SHAPE[1], SHAPE[0])
        np.testing.assert_array_equal(bands["B04"].read(whole), values[2])
        np.testing.assert_array_equal(bands["B02"].read(whole), values[0])


@pytest.mark.parametrize(
    ("profile", "named"),
    [
        ({"crs": "EPSG:32634"}, "EPSG:32634"),
        ({"transform": Affine(20, 0, LEFT + 10, 0, -20, TOP)}, "corner"),
        ({"transform": Affine(20, 0, LEFT, 0, 20, TOP)}, "corner"),
        ({"transform": Affine(15, 0, LEFT, 0, -15, TOP)}, "corner"),
        ({"height": 29}, "corner"),
        ({"dtype": "float32"}, "float32"),
    ],
)
def test_bands_off_the_grid_are_refused(tmp_path, profile, named):
    values = np.ones((1, 29 if "height" in profile else 30, 36), profile.get("dtype", "uint16"))
    path = write_tif(tmp_path / "B11.tif", values, 20, **profile)
    with (
        pytest.raises(WildLensError, match=named) as error,
        open_aligned({"B11": BandFile(path, 1, 20)}, grid(), "nearest"),
    ):
        pass
    assert str(path) in str(error.value)


def test_missing_file_is_named_with_its_band(tmp_path):
    path = tmp_path / "gone.jp2"
    with (
        pytest.raises(WildLensError, match="B11") as error,
        open_aligned({"B11": BandFile(path, 1, 20)}, grid(), "nearest"),
    ):
        pass
    assert str(path) in str(error.value)


def test_truncated_file_is_named(tmp_path):
    values = numbers(np.random.default_rng(0), (1024, 1024))
    path = write_tif(tmp_path / "B02.tif", values)
    path.write_bytes(path.read_bytes()[:-1_000_000])
    with (
        open_aligned({"B02": BandFile(path, 1, 10)}, grid((1024, 1024)), "nearest") as bands,
        pytest.raises(WildLensError) as error,
    ):
        bands["B02"].read(Window(0, 512, 1024, 512))
    assert str(path) in str(error.value)
