import json
import logging
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from naive_resampling import naive_bilinear, naive_nearest
from products import grid, image_entry, numbers, write_safe, write_tif

from wildlens.errors import WildLensError
from wildlens.files import raster
from wildlens.scene.layer import stored_values
from wildlens.scene.step import build_scene
from wildlens.settings import Scene

TALL = (1032, 24)  # three windows, the last of them not full
OFFSETS = {"B02": -1000, "B08": -900, "B09": -1000, "B11": -1100}


@pytest.fixture
def data() -> Path:
    root = os.environ.get("WILDLENS_TEST_DATA")
    if not root:
        pytest.skip("WILDLENS_TEST_DATA is not set")
    return Path(root)


@pytest.fixture(scope="module")
def images() -> dict[str, np.ndarray]:
    """DN with missing and saturated pixels, and some that the offset makes negative."""
    rng = np.random.default_rng(7)
    shapes = {"B02": TALL, "B08": TALL, "B11": (516, 12), "B09": (172, 4)}
    images = {band: numbers(rng, shape, 990, 9000, 0.03) for band, shape in shapes.items()}
    images["B02"][rng.random(TALL) < 0.02] = 65535
    images["SCL"] = rng.integers(0, 12, (516, 12)).astype("uint8")
    return images


@pytest.fixture(scope="module")
def safe(images, tmp_path_factory) -> Path:
    return write_safe(tmp_path_factory.mktemp("safe"), images, shape=TALL, offsets=OFFSETS)


def expected(images, bands, settings, offsets, quantification=10_000) -> np.ndarray:
    """Naive reference: the scene by its definition, on whole arrays."""
    upsample = naive_bilinear if settings.resampling == "bilinear" else naive_nearest
    whole = {b: upsample(images[b], TALL[0] // images[b].shape[0]) for b in bands}
    missing = np.isin(naive_nearest(images["SCL"], 2), settings.mask_classes)
    for values in whole.values():
        missing |= values == 0
    stored = []
    for band in bands:
        reflectance = (whole[band].astype(float) + offsets[band]) / quantification
        value = np.clip(np.round(reflectance * 10_000), 1, 65534)
        stored.append(np.where(whole[band] == 65535, 65535, value).astype("uint16"))
    return np.where(missing, 0, np.stack(stored))


def read(path: Path) -> np.ndarray:
    with rasterio.open(path) as dataset:
        return dataset.read()


@pytest.mark.parametrize("resampling", ["bilinear", "nearest"])
@pytest.mark.parametrize("mask_classes", [[], [0, 1, 3, 8, 9, 10]])
def test_scene_equals_naive_reference(tmp_path, safe, images, resampling, mask_classes):
    bands = ["B11", "B02", "B09", "B08"]
    settings = Scene(bands=bands, resampling=resampling, mask_classes=mask_classes)
    build_scene(safe, tmp_path / "scene.tif", settings)
    scene = read(tmp_path / "scene.tif")
    np.testing.assert_array_equal(scene, expected(images, bands, settings, OFFSETS))
    # the relevant cases occur
    assert (scene == 0).any() and (scene == 1).any() and (scene[1] == 65535).any()


def test_scene_has_profile_descriptions_and_tags(tmp_path, safe, caplog):
    output = tmp_path / "new" / "scene.tif"
    with caplog.at_level(logging.INFO, "wildlens"):
        build_scene(safe, output, Scene(bands=["B08", "B02"]))
    with rasterio.open(output) as dataset:
        assert raster.grid_of(dataset) == grid(TALL)
        assert dataset.descriptions == ("B08", "B02")
        assert dataset.dtypes == ("uint16", "uint16")
        assert dataset.nodata == 0
        assert dataset.block_shapes == [(512, 512)] * 2
        assert dataset.compression.value == "DEFLATE"
        assert [dataset.overviews(band) for band in dataset.indexes] == [[2, 4]] * 2
        assert "product_simulated" not in dataset.tags(), "a product of ESA's form"
        tags = dataset.tags()
        valid = np.mean(dataset.read(1) > 0)
    assert json.loads(tags["offset_applied"]) == {"B08": -900, "B02": -1000}
    assert tags["offset_origin"] == "metadata"
    assert tags["product_baseline"] == "04.00"
    assert tags["product_tile"] == "T33XWJ"
    assert tags["product_sensing_time"].startswith("2022-04-13T15:07:59")
    assert tags["wildlens_step"] == "scene"
    inputs = json.loads(tags["wildlens_inputs"])
    stems = {Path(name).stem.split("_")[-2] for name in inputs if name.endswith(".jp2")}
    assert stems == {"B02", "B08", "SCL"}
    assert {"MTD_MSIL2A.xml", "MTD_TL.xml"} < set(inputs)
    assert f"{100 * valid:.1f} % valid" in caplog.text
    assert [p.name for p in output.parent.iterdir()] == ["scene.tif"]


def test_saturated_pixels_of_coarse_bands_are_logged(tmp_path, caplog):
    images = {"B02": np.full((60, 72), 3000, "uint16"), "B11": np.full((30, 36), 3000, "uint16")}
    images["B11"][7, 9] = 65535
    root = write_safe(tmp_path, images, shape=(60, 72))
    with caplog.at_level(logging.INFO, "wildlens"):
        build_scene(root, tmp_path / "scene.tif", Scene(bands=["B02", "B11"]))
    expected = np.full((60, 72), 3000)
    expected[14:16, 18:20] = 65535
    np.testing.assert_array_equal(read(tmp_path / "scene.tif")[1], expected)
    assert "4 px saturated" in caplog.text


@pytest.mark.parametrize("quantification", [10_000, 1000, 12_345])
@pytest.mark.parametrize("offset", [0, -1000, 7])
def test_stored_values_equal_the_formula(offset, quantification):
    table = stored_values(offset, quantification)
    assert table.dtype == np.uint16
    assert table[0] == 0
    for number in (1, 999, 1000, 1001, 4321, 10_000, 65_535):
        reflectance = (number + offset) / quantification
        expected = min(max(round(reflectance * 10_000), 1), 65_534)
        assert table[number] == (65_535 if number == 65_535 else expected), "saturated stays so"


def test_other_quantification_is_applied(tmp_path, images):
    bands, settings = ["B02", "B08"], Scene(bands=["B02", "B08"])
    offsets = dict.fromkeys(bands, -1000)
    root = write_safe(tmp_path, images, shape=TALL, offsets=offsets, quantification=12_345)
    build_scene(root, tmp_path / "scene.tif", settings)
    np.testing.assert_array_equal(
        read(tmp_path / "scene.tif"), expected(images, bands, settings, offsets, 12_345)
    )


def test_missing_scene_classification_gives_warning(tmp_path, caplog):
    values = numbers(np.random.default_rng(0), TALL)
    write_tif(tmp_path / "p" / "B02.tif", values)
    build_scene(tmp_path / "p", tmp_path / "scene.tif", Scene(bands=["B02"]))
    np.testing.assert_array_equal(read(tmp_path / "scene.tif")[0], values)
    assert "clouds are not masked" in caplog.text
    caplog.clear()
    build_scene(tmp_path / "p", tmp_path / "scene.tif", Scene(bands=["B02"], mask_classes=[]))
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_scene_without_valid_pixel_is_reported(tmp_path, caplog):
    images = {"B02": np.ones((60, 72), "uint16"), "SCL": np.full((30, 36), 9, "uint8")}
    root = write_safe(tmp_path, images, shape=(60, 72))
    build_scene(root, tmp_path / "scene.tif", Scene(bands=["B02"]))
    assert not read(tmp_path / "scene.tif").any()
    assert "no valid pixel" in caplog.text


@pytest.mark.parametrize(
    ("bands", "listed", "named"),
    [
        (["B02", "B03"], (image_entry("B03", 10),), "T33XWJ_20220413T150759_B03_10m.jp2"),
        (["B02", "B04"], (), "has no B04"),
        (["B02"], (image_entry("SCL", 20),), "SCL"),
    ],
)
def test_missing_images_are_named_without_output(tmp_path, bands, listed, named):
    images = {"B02": numbers(np.random.default_rng(0))}
    root = write_safe(tmp_path, images, shape=(60, 72), listed=listed)
    with pytest.raises(WildLensError, match=named):
        build_scene(root, tmp_path / "out" / "scene.tif", Scene(bands=bands))
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())


def test_images_off_metadata_grid_are_refused(tmp_path):
    images = {"B02": numbers(np.random.default_rng(0))}
    root = write_safe(tmp_path, images, shape=(60, 72))
    xml = next(root.rglob("MTD_TL.xml"))
    xml.write_text(xml.read_text().replace("<ULX>499980<", "<ULX>499990<"))
    with pytest.raises(WildLensError, match=r"B02_10m\.jp2: its grid"):
        build_scene(root, tmp_path / "scene.tif", Scene(bands=["B02"]))


def test_failed_run_keeps_previous_scene(tmp_path):
    values = numbers(np.random.default_rng(0), (2048, 512))
    path = write_tif(tmp_path / "p" / "B02.tif", values)
    output = tmp_path / "out" / "scene.tif"
    build_scene(path.parent, output, Scene(bands=["B02"]))
    path.write_bytes(path.read_bytes()[:-500_000])
    with pytest.raises(WildLensError, match=r"B02\.tif"):
        build_scene(path.parent, output, Scene(bands=["B02"]), offset=0)
    np.testing.assert_array_equal(read(output)[0], values)
    assert [p.name for p in output.parent.iterdir()] == ["scene.tif"]


@pytest.mark.parametrize(
    ("profile", "named"),
    [
        ({"crs": "EPSG:4326", "transform": Affine(1e-4, 0, 10, 0, -1e-4, 60)}, "degrees"),
        ({"transform": Affine(20, 0, 0, 0, -20, 0)}, "20 x 20 m"),
        ({"transform": Affine(10, 0, 0, 0, -20, 0)}, "10 x 20 m"),
        ({"transform": Affine(10, 0, 0, 0, 10, 0)}, "north up"),
        ({"transform": Affine(10, 1, 0, 0, -10, 0)}, "north up"),
        ({"dtype": "float32"}, "float32"),
    ],
)
def test_products_off_a_10_m_utm_grid_are_refused(tmp_path, profile, named):
    values = np.ones((8, 8), profile.pop("dtype", "uint16"))
    path = write_tif(tmp_path / "x.tif", values, descriptions=["B02"], **profile)
    with pytest.raises(WildLensError, match=named) as error:
        build_scene(path, tmp_path / "scene.tif", Scene(bands=["B02"]))
    assert str(path) in str(error.value) and "\n" not in str(error.value)


# --- real files


def test_real_anthroprotect_tile(tmp_path, data):
    tiles = data / "anthroprotect-tile/anthroprotect/tiles"
    (source,) = (tiles / "s2").glob("*.tif")
    bands = ["B04", "B03", "B02", "B8A", "B12"]
    build_scene(source, tmp_path / "scene.tif", Scene(bands=bands))
    with rasterio.open(source) as dataset:
        indices = [dataset.descriptions.index(b) + 1 for b in ("B4", "B3", "B2", "B8A", "B12")]
        values = dataset.read(indices)
        assert raster.grid_of(dataset) == raster.read_grid(tmp_path / "scene.tif")
    masked = np.isin(read(tiles / "s2_scl" / source.name)[0], [0, 1, 3, 8, 9, 10])
    assert masked.sum() == 28
    np.testing.assert_array_equal(read(tmp_path / "scene.tif"), np.where(masked, 0, values))
    with rasterio.open(tmp_path / "scene.tif") as dataset:
        inputs = json.loads(dataset.tags()["wildlens_inputs"])
    assert set(inputs) == {f"s2/{source.name}", f"s2_scl/{source.name}"}


@pytest.mark.parametrize(("baseline", "offset"), [("N0400", -1000), ("N9999", 0)])
def test_real_clips_with_and_without_offset(tmp_path, data, caplog, baseline, offset):
    (source,) = (data / "s2-clips/majortom-l2a").glob(f"*_{baseline}_*")
    settings = Scene(bands=["B02", "B04", "B11"])
    output = tmp_path / "scene.tif"
    if offset:
        with pytest.raises(WildLensError, match=f"offset: {offset}"):
            build_scene(source, output, settings)
        assert not output.exists()
        build_scene(source, output, settings, offset=offset)
    else:
        build_scene(source, output, settings)
        assert "applied before" not in caplog.text
        build_scene(source, tmp_path / "wrong.tif", settings, offset=-1000)
        assert "applied before" in caplog.text
    blue, red, swir = read(output)
    for scene, band in ((blue, "B02"), (red, "B04")):
        numbers_of_band = read(source / f"{band}.tif")[0].astype(int)
        np.testing.assert_array_equal(scene, np.maximum(numbers_of_band + offset, 1))
    with rasterio.open(source / "B11.tif") as dataset:
        bilinear = rasterio.enums.Resampling.bilinear
        gdal = dataset.read(1, out_shape=swir.shape, resampling=bilinear).astype(int)
    assert np.abs(swir - np.maximum(gdal + offset, 1)).max() <= 1
    # dark vegetation in the red is 2 to 9 % bright once the offset is right
    assert 0.01 < np.percentile(red, 1) / 10_000 < 0.1


def test_every_real_patch_of_bigearthnet_band_by_band(tmp_path, data):
    patches = sorted({path.parent for path in data.glob("bigearthnet-v2/*/**/*_B02.tif")})
    assert len(patches) == 8
    factors = {"B02": 1, "B03": 1, "B04": 1, "B08": 1, "B05": 2, "B8A": 2, "B12": 2, "B01": 6}
    for patch in patches:
        output = tmp_path / f"{patch.name}.tif"
        build_scene(patch, output, Scene(bands=list(factors)), offset=0)
        for scene, (band, factor) in zip(read(output), factors.items(), strict=True):
            numbers = read(patch / f"{patch.name}_{band}.tif")[0]
            np.testing.assert_array_equal(scene, naive_bilinear(numbers, factor), str(patch))
        assert raster.read_grid(output) == raster.read_grid(patch / f"{patch.name}_B02.tif")


def test_real_stack_of_fractions_is_refused(tmp_path, data):
    source = data / "s2-clips/leipzig/leipzig_raster.tif"
    with pytest.raises(WildLensError, match="holds float32 numbers, expected the integers"):
        build_scene(source, tmp_path / "scene.tif", Scene(bands=["B06", "B02"]))


def test_real_clip_in_degrees_is_refused(tmp_path, data):
    source = next((data / "s2-clips/ssl4eo-s12-l2a").iterdir())
    with pytest.raises(WildLensError, match="degrees"):
        build_scene(source, tmp_path / "scene.tif", Scene(bands=["B02"]))


def test_real_metadata_without_images_name_missing_file(tmp_path, data):
    source = next((data / "s2-safe-metadata").glob("*_N0509_*"))
    with pytest.raises(WildLensError, match=r"R10m/T01WCP_20230625T234621_B08_10m.jp2: band B08"):
        build_scene(source, tmp_path / "scene.tif", Scene(bands=["B08"]))


# --- zip archives and clips


@pytest.mark.parametrize("inside", ["", "product.SAFE/"])
def test_zip_gives_same_scene_as_folder(tmp_path, safe, inside):
    archive = tmp_path / "S2B_MSIL2A_20220413.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as target:
        for path in safe.rglob("*"):
            if path.is_file():
                target.write(path, inside + path.relative_to(safe).as_posix())
    build_scene(archive, tmp_path / "zip.tif", Scene(bands=["B02", "B11"]))
    build_scene(safe, tmp_path / "folder.tif", Scene(bands=["B02", "B11"]))
    np.testing.assert_array_equal(read(tmp_path / "zip.tif"), read(tmp_path / "folder.tif"))
    with rasterio.open(tmp_path / "zip.tif") as dataset:
        assert list(json.loads(dataset.tags()["wildlens_inputs"])) == [archive.name]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["S2B_MSIL2A_20220413.zip", "folder.tif",
                                                           "zip.tif"]  # fmt: skip


@pytest.mark.parametrize("resampling", ["bilinear", "nearest"])
def test_clipped_scene_equals_part_of_whole_scene(tmp_path, safe, resampling):
    settings = Scene(bands=["B02", "B11", "B09"], resampling=resampling)
    build_scene(safe, tmp_path / "whole.tif", settings)
    whole = read(tmp_path / "whole.tif")
    own = grid(TALL)
    box = own[130:251, 7:11].extent.to_crs("EPSG:4326", 10).boundingbox
    build_scene(safe, tmp_path / "clip.tif", settings, clip=tuple(box))
    with rasterio.open(tmp_path / "clip.tif") as dataset:
        part = raster.grid_of(dataset)
    left, top = map(round, own.wld2pix(*part.pix2wld(0, 0)))
    rows, columns = part.shape
    assert left % 6 == top % 6 == 0 and part == own[top : top + rows, left : left + columns]
    assert top <= 130 and top + rows >= 251 and left <= 7 and left + columns >= 11
    assert rows <= 121 + 18 and columns <= 4 + 18, "not much more than the box"
    np.testing.assert_array_equal(
        read(tmp_path / "clip.tif"), whole[:, top : top + rows, left : left + columns]
    )


@pytest.mark.parametrize(
    ("clip", "message"),
    [((10, 60, 11, 61), "does not touch the box"), ((11, 60, 10, 61), "is not a box")],
)
def test_impossible_clip_is_refused(tmp_path, safe, clip, message):
    with pytest.raises(WildLensError, match=message):
        build_scene(safe, tmp_path / "scene.tif", Scene(bands=["B02"]), clip=clip)
    assert not (tmp_path / "scene.tif").exists()
