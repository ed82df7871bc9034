"""Tests of files whose data type or no-data convention is not that of Sentinel-2."""

import os
import subprocess
import sys

import numpy as np
import pytest
import rasterio
from products import CRS, LEFT, TOP, grid, write_tif
from rasterio.enums import ColorInterp

from wildlens.errors import WildLensError
from wildlens.scene.open_band import open_bands
from wildlens.scene.products import BandFile, open_product
from wildlens.scene.step import build_scene
from wildlens.settings import Scene

FOUR = Scene(bands=["B02", "B03", "B04", "B08"], mask_classes=[])
NAMES = ["B2", "B3", "B4", "B8"]


def stored(path, tmp_path, settings=FOUR, **options) -> np.ndarray:
    build_scene(path, tmp_path / "scene.tif", settings, **options)
    with rasterio.open(tmp_path / "scene.tif") as dataset:
        return dataset.read()


def numbers_of(path, name="B02") -> tuple[np.ndarray, int]:
    with open_bands({name: BandFile(path, 1, 10.0)}) as bands:
        return bands[name].read(), bands[name].shift


@pytest.mark.parametrize("dtype", ["int16", "int32"])
@pytest.mark.parametrize("nodata", [-32768, -9999])
def test_negative_reflectance_with_declared_nodata_is_valid(tmp_path, dtype, nodata):
    values = np.full((4, 60, 72), 500, dtype)
    values[0, 5, 6], values[1, 7, 8], values[2, 9, 9], values[3, 1, 1] = -1, 0, nodata, -999
    path = write_tif(tmp_path / "s.tif", values, descriptions=NAMES, nodata=nodata)
    scene = stored(path, tmp_path, offset=0)
    expected = np.where(values <= 0, 1, values)
    expected[:, 9, 9] = 0
    np.testing.assert_array_equal(scene, expected)


def test_signed_numbers_give_equal_scene(tmp_path):
    rng = np.random.default_rng(0)
    added = rng.integers(1, 9000, (30, 36)).astype("uint16")  # a late baseline
    subtracted = added.astype("int16") - 1000
    fine = np.full((60, 72), 2000, "uint16")
    for name, values, options in (("a", added, {}), ("b", subtracted, {"nodata": -32768})):
        write_tif(tmp_path / name / "B02.tif", fine)
        write_tif(tmp_path / name / "B11.tif", values, 20, **options)
    settings = Scene(bands=["B11"], mask_classes=[])
    one = stored(tmp_path / "a", tmp_path, settings, offset=-1000)
    other = stored(tmp_path / "b", tmp_path, settings, offset=0)
    np.testing.assert_array_equal(other, one)
    assert (one == 1).any()


def test_fill_values_of_signed_file_without_nodata_are_missing(tmp_path):
    values = np.array([[-9999, -32768, 0, -1001], [-1000, -1, 1, 32767]], "int16")
    numbers, shift = numbers_of(write_tif(tmp_path / "B02.tif", values))
    np.testing.assert_array_equal(numbers == 0, [[True] * 4, [False] * 4])
    assert shift == 1000 and numbers[1, 1:].tolist() == [999, 1001, 33767]


@pytest.mark.parametrize("nodata", [None, 0, 7, 65535])
def test_unsigned_zero_is_missing_besides_the_declared_nodata(tmp_path, nodata):
    values = np.array([[0, 1, 7, 65535, 400]], "uint16")
    numbers, _ = numbers_of(write_tif(tmp_path / "B02.tif", values, nodata=nodata))
    np.testing.assert_array_equal(numbers, np.where(values == (nodata or 0), 0, values))


def test_wide_numbers_beyond_16_bits_are_saturated(tmp_path):
    values = np.array([[0, 1, 65534, 65535, 70_000, 9]], "uint32")
    numbers, _ = numbers_of(write_tif(tmp_path / "B02.tif", values))
    assert numbers.tolist() == [[0, 1, 65534, 65535, 65535, 9]]


def test_scene_classes_are_not_shifted(tmp_path):
    values = np.array([[0, 4, 11, -1]], "int16")
    with open_bands({"SCL": BandFile(write_tif(tmp_path / "s.tif", values), 1, 10.0)}) as bands:
        assert bands["SCL"].read().tolist() == [[0, 4, 11, 0]]


def masked(path, values, valid, kind, nodata=None):
    """A GeoTIFF of bands whose missing pixels, filled with any number, are in a mask."""
    count = len(values) + (kind == "alpha")
    options = dict(driver="GTiff", width=72, height=60, count=count, dtype=values.dtype, crs=CRS,
                   transform=grid().affine, nodata=nodata)  # fmt: skip
    with (
        rasterio.Env(GDAL_TIFF_INTERNAL_MASK=kind == "internal"),
        rasterio.open(path, "w", **options) as dataset,
    ):
        dataset.write(values, list(range(1, len(values) + 1)))
        for index, text in enumerate(NAMES[: len(values)], start=1):
            dataset.set_band_description(index, text)
        if kind == "alpha":
            rest = [ColorInterp.gray] + [ColorInterp.undefined] * (count - 2)
            dataset.colorinterp = [*rest, ColorInterp.alpha]
            dataset.write(np.where(valid, 255, 0).astype(values.dtype), count)
        else:
            dataset.write_mask(valid)
    assert path.with_name(f"{path.name}.msk").exists() == (kind == "msk")
    return path


@pytest.mark.parametrize("kind", ["internal", "msk", "alpha"])
@pytest.mark.parametrize("nodata", [None, 9])
@pytest.mark.parametrize("fill", [1234, 65535])
def test_masked_pixels_are_missing(tmp_path, kind, nodata, fill):
    rng = np.random.default_rng(1)
    values = rng.integers(100, 3000, (4, 60, 72)).astype("uint16")
    valid = rng.random((60, 72)) > 0.3
    values[:, ~valid] = fill
    path = masked(tmp_path / "s.tif", values, valid, kind, nodata)
    np.testing.assert_array_equal(stored(path, tmp_path), np.where(valid, values, 0))


@pytest.mark.parametrize("kind", ["internal", "msk", "alpha"])
def test_masked_coarse_pixels_are_excluded_from_means(tmp_path, kind):
    valid = np.ones((60, 72), bool)
    valid[10:20, 30:40] = False
    values = np.where(valid, 3000, 20_000).astype("uint16")[None]
    path = masked(tmp_path / "B11.tif", values, valid, kind)
    with rasterio.open(path, "r+") as dataset:
        dataset.transform = rasterio.Affine(20, 0, LEFT, 0, -20, TOP)
    write_tif(tmp_path / "B02.tif", np.full((120, 144), 500, "uint16"))
    scene = stored(tmp_path, tmp_path / "out", Scene(bands=["B11"], mask_classes=[]))[0]
    np.testing.assert_array_equal(scene, np.where(np.kron(valid, np.ones((2, 2))), 3000, 0))


def test_masked_pixels_are_missing_after_reprojection(tmp_path):
    valid = np.ones((60, 72), bool)
    valid[20:30, 30:40] = False
    values = np.full((4, 60, 72), 3000, "uint16")
    path = masked(tmp_path / "s.tif", values, valid, "internal")
    whole = masked(tmp_path / "w.tif", values, np.ones((60, 72), bool), "internal")
    settings = FOUR.model_copy(update={"crs": "EPSG:32632"})
    counts = [np.count_nonzero(stored(p, tmp_path, settings, offset=0)[0]) for p in (path, whole)]
    assert 85 <= counts[1] - counts[0] <= 115


def test_named_band_tagged_alpha_is_not_a_mask(tmp_path):
    values = np.stack([np.full((60, 72), n, "uint16") for n in (100, 200, 300, 400)])
    values[3, :30] = 0  # no data in B08
    path = write_tif(tmp_path / "s.tif", values, descriptions=NAMES, photometric="RGB", alpha="YES")
    with rasterio.open(path) as dataset:
        assert dataset.colorinterp[3] == ColorInterp.alpha
    assert list(open_product(path).bands) == ["B02", "B03", "B04", "B08"]
    scene = stored(path, tmp_path)
    assert not scene[:, :30].any() and (scene[3, 30:] == 400).all()


@pytest.mark.parametrize("change_case", [str.lower, str.upper])
def test_sidecar_mask_is_read_and_listed_as_input(tmp_path, change_case):
    values, valid = np.full((4, 60, 72), 500, "uint16"), np.ones((60, 72), bool)
    valid[:20] = False
    path = masked(tmp_path / "s.tif", values, valid, "msk")
    mask = path.with_name("s.tif.msk").rename(tmp_path / change_case("s.tif.msk"))
    path = path.rename(tmp_path / change_case("s.tif"))
    np.testing.assert_array_equal(stored(path, tmp_path)[0] > 0, valid)
    with rasterio.open(tmp_path / "scene.tif") as dataset:
        assert mask.name in dataset.tags()["wildlens_inputs"]


@pytest.mark.parametrize(
    "variable", ["GDAL_DISABLE_READDIR_ON_OPEN=EMPTY_DIR", "GDAL_PAM_ENABLED=NO", "NONE=1"]
)
def test_sidecar_is_read_despite_environment_of_other_programs(tmp_path, variable):
    values, valid = np.full((4, 60, 72), 1000, "uint16"), np.ones((60, 72), bool)
    valid[:20] = False
    path = masked(tmp_path / "s.tif", values, valid, "msk")
    bands = "".join(
        f'<PAMRasterBand band="{i}"><Scale>5e-05</Scale></PAMRasterBand>' for i in (1, 2, 3, 4)
    )
    path.with_name("s.tif.aux.xml").write_text(f"<PAMDataset>{bands}</PAMDataset>")
    code = "from wildlens.cli import main; main()"
    command = [sys.executable, "-c", code, "scene", path, "-o", tmp_path / "scene.tif"]
    name, _, value = variable.partition("=")
    subprocess.run(list(map(str, command)), check=True, env=os.environ | {name: value})
    with rasterio.open(tmp_path / "scene.tif") as dataset:
        np.testing.assert_array_equal(dataset.read(), np.where(valid, 500, 0)[None].repeat(4, 0))


def test_floating_point_bands_are_refused(tmp_path):
    path = write_tif(tmp_path / "B02.tif", np.ones((4, 4), "float32"))
    with pytest.raises(WildLensError, match="holds float32 numbers"):
        numbers_of(path)
