import json
import logging
from pathlib import Path

import numpy as np
import pytest
import rasterio
from products import SHAPE, numbers, write_safe, write_tif

from wildlens.errors import WildLensError
from wildlens.scene.products import open_product
from wildlens.scene.scaling import decide_scaling
from wildlens.scene.step import build_scene
from wildlens.settings import Scene


def stack(tmp_path, low, high, name="B02") -> Path:
    write_tif(tmp_path / f"{name}.tif", numbers(np.random.default_rng(0), low=low, high=high))
    return tmp_path


def safe(tmp_path, low, high, offsets) -> Path:
    values = numbers(np.random.default_rng(0), low=low, high=high)
    return write_safe(tmp_path, {"B02": values, "B03": values}, shape=SHAPE, offsets=offsets)


def test_offset_is_taken_from_metadata(tmp_path):
    product = open_product(safe(tmp_path, 1100, 3000, {"B02": -1000, "B03": -900}))
    offset = decide_scaling(product, ["B03", "B02"], None)
    assert offset.offset == {"B03": -900, "B02": -1000}
    assert offset.origin == "metadata"


def test_metadata_without_offsets_give_offset_zero(tmp_path):
    product = open_product(safe(tmp_path, 100, 3000, None))
    assert decide_scaling(product, ["B02"], None).offset == {"B02": 0}
    assert decide_scaling(product, ["B02"], 0).origin == "metadata"


@pytest.mark.parametrize(("stated", "given"), [(-1000, 0), (None, -1000)])
def test_given_offset_contradicting_metadata_is_refused(tmp_path, stated, given):
    offsets = None if stated is None else {"B02": stated}
    product = open_product(safe(tmp_path, 1100, 3000, offsets))
    with pytest.raises(WildLensError, match=rf"offset {given} .* say {stated or 0}"):
        decide_scaling(product, ["B02"], given)


def test_metadata_lacking_offset_of_band_are_refused(tmp_path):
    product = open_product(safe(tmp_path, 1100, 3000, {"B02": -1000}))
    with pytest.raises(WildLensError, match="B03"):
        decide_scaling(product, ["B02", "B03"], None)


def test_without_metadata_given_offset_is_used(tmp_path, caplog):
    product = open_product(stack(tmp_path, 1100, 3000))
    assert decide_scaling(product, ["B02"], -1000).offset == {"B02": -1000}
    assert decide_scaling(product, ["B02"], 0).offset == {"B02": 0}
    assert not caplog.records


def test_unstated_offset_is_refused_for_bright_pixels_only(tmp_path):
    dark = open_product(stack(tmp_path / "dark", 100, 3000))
    assert decide_scaling(dark, ["B02"], None).offset == {"B02": 0}
    bright = open_product(stack(tmp_path / "bright", 1010, 3000))
    with pytest.raises(WildLensError, match="-1000"):
        decide_scaling(bright, ["B02"], None)


def test_missing_pixels_are_ignored_by_offset_check(tmp_path):
    values = numbers(np.random.default_rng(0), low=1010, missing=0.6)
    write_tif(tmp_path / "B02.tif", values)
    with pytest.raises(WildLensError, match="-1000"):
        decide_scaling(open_product(tmp_path), ["B02"], None)


def test_offset_of_infrared_bands_is_not_checked(tmp_path, caplog):
    product = open_product(stack(tmp_path, 2000, 4000, name="B08"))
    assert decide_scaling(product, ["B08"], None).offset == {"B08": 0}
    assert "offset 0 is assumed" in caplog.text


def test_pixels_contradicting_metadata_give_warning(tmp_path, caplog):
    product = open_product(safe(tmp_path / "a", 100, 3000, {"B02": -1000}))
    decide_scaling(product, ["B02"], None)
    assert "applied before" in caplog.text
    caplog.clear()
    product = open_product(safe(tmp_path / "b", 1100, 3000, None))
    decide_scaling(product, ["B02"], None)
    assert "still in the numbers" in caplog.text


def test_pixels_agreeing_with_metadata_give_no_warning(tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        product = open_product(safe(tmp_path / "a", 1050, 3000, {"B02": -1000}))
        decide_scaling(product, ["B02"], None)
        product = open_product(safe(tmp_path / "b", 50, 3000, None))
        decide_scaling(product, ["B02"], None)
    assert not caplog.records


@pytest.mark.parametrize(("low", "offsets"), [(1100, None), (100, {"B02": -1000, "B03": -1000})])
def test_contradiction_is_refused_on_request(tmp_path, low, offsets):
    product = open_product(safe(tmp_path, low, 3000, offsets))
    decide_scaling(product, ["B02"], None)
    with pytest.raises(WildLensError, match=r"scene.offset_conflict is 'refuse'"):
        decide_scaling(product, ["B02"], None, conflict="refuse")


# --- scale and offset in the tags of files


def tagged(path: Path, values, scale, offset, **options) -> Path:
    write_tif(path, values, **options)
    with rasterio.open(path, "r+") as dataset:
        dataset.scales = [scale] * dataset.count
        dataset.offsets = [offset] * dataset.count
    return path


def stored(path: Path, tmp_path: Path, **options) -> np.ndarray:
    settings = Scene(bands=options.pop("bands", ["B02"]), mask_classes=[])
    build_scene(path, tmp_path / "scene.tif", settings, **options)
    with rasterio.open(tmp_path / "scene.tif") as dataset:
        return dataset.read()


@pytest.mark.parametrize(
    ("scale", "offset"),
    [(5e-5, 0), (1e-4, -0.1), (1e-4, 0), (2e-5, -0.02), (1e-3, 0.05), (1, -1000), (1, -500)],
)
@pytest.mark.parametrize("kind", ["one file", "folder"])
def test_digital_numbers_are_scaled_by_file_tags(tmp_path, kind, scale, offset):
    values = numbers(np.random.default_rng(0), low=1, high=900 if scale >= 1e-4 else 6000)
    values = (values + (1000 if offset in (-0.1, -1000, -500) else 0)).astype("uint16")
    values[0, 0], values[0, 1] = 0, 65535
    path = tmp_path / "B02.tif"
    tagged(path, values, scale, offset, descriptions=["B02"])
    scene = stored(path if kind == "one file" else tmp_path, tmp_path / "out")[0]
    exact = 10_000 * (values * scale + offset) if scale != 1 else values.astype(float) + offset
    error = np.abs(scene - np.clip(exact, 1, 65534))
    assert scene[0, :2].tolist() == [0, 65535]
    assert error[1:].max() <= 0.5 + 1e-6, "rounded to the nearest"


def test_each_band_is_scaled_by_its_own_tags(tmp_path):
    values = np.full(SHAPE, 800, "uint16")
    tagged(tmp_path / "B02.tif", values, 1e-4, 0)
    tagged(tmp_path / "B04.tif", values, 5e-5, 0)
    scene = stored(tmp_path, tmp_path / "out", bands=["B02", "B04"])
    assert (scene[0] == 800).all() and (scene[1] == 400).all()


def test_signed_numbers_are_scaled_by_tags(tmp_path):
    values = np.full(SHAPE, 800, "int16")
    values[0, :3] = -300, -2100, -32768
    path = tagged(tmp_path / "B02.tif", values, 5e-5, 0.02, nodata=-32768, descriptions=["B02"])
    scene = stored(path, tmp_path / "out")[0]
    assert scene[0, :4].tolist() == [50, 1, 0, 600]


@pytest.mark.parametrize(
    ("scale", "offset", "named"),
    [(1, -0.1, "scale 1 and offset -0.1"), (1e-4, -1000, "offset -1000"), (-1e-4, 0, "-0.0001"),
     (0.5, 0, "scale 0.5"), (float("nan"), 0, "scale nan"), (1e-4, float("inf"), "offset inf")],
)  # fmt: skip
def test_implausible_tags_are_refused(tmp_path, scale, offset, named):
    path = tagged(tmp_path / "B02.tif", np.full(SHAPE, 800, "uint16"), scale, offset)
    with pytest.raises(WildLensError, match=named) as error:
        stored(tmp_path, tmp_path / "out")
    assert str(path) in str(error.value) and "\n" not in str(error.value)


def test_tags_in_only_some_bands_are_refused(tmp_path):
    values = np.full(SHAPE, 800, "uint16")
    tagged(tmp_path / "B02.tif", values, 5e-5, 0)
    write_tif(tmp_path / "B03.tif", values)
    with pytest.raises(WildLensError, match="tags of B02 state scale and offset, those of B03 do"):
        stored(tmp_path, tmp_path / "out", bands=["B02", "B03"])


def test_given_offset_contradicting_tags_is_refused(tmp_path):
    tagged(tmp_path / "B02.tif", np.full(SHAPE, 1800, "uint16"), 1e-4, -0.1)
    with pytest.raises(WildLensError, match="offset 0 is given, but the product's file tags say"):
        stored(tmp_path, tmp_path / "out", offset=0)


def test_scale_without_offset_requires_given_offset(tmp_path):
    tagged(tmp_path / "B02.tif", np.full(SHAPE, 3000, "uint16"), 5e-5, 0)
    with pytest.raises(WildLensError, match="give `offset: -2000`, or `offset: 0`"):
        stored(tmp_path, tmp_path / "out")
    assert (stored(tmp_path, tmp_path / "out", offset=-2000) == 500).all()
    assert (stored(tmp_path, tmp_path / "out", offset=0) == 1500).all()


def test_tags_contradicting_metadata_give_warning_or_error(tmp_path, caplog):
    path = tagged(tmp_path / "B02.tif", np.full(SHAPE, 1800, "uint16"), 5e-5, 0)
    item = {"type": "Feature", "properties": {"s2:processing_baseline": "05.09"},
            "assets": {"B02": {"href": path.name}}}  # fmt: skip
    (tmp_path / "item.json").write_text(json.dumps(item))
    assert (stored(tmp_path / "item.json", tmp_path / "out") == 800).all()
    assert "metadata state offset -1000 and quantification 10000 for B02, the tags" in caplog.text
    with pytest.raises(WildLensError, match="the tags of the file 0 and 20000"):
        decide_scaling(open_product(tmp_path / "item.json"), ["B02"], None, conflict="refuse")


def test_tags_agreeing_with_metadata_give_no_warning(tmp_path, caplog):
    path = tagged(tmp_path / "B02.tif", np.full(SHAPE, 1800, "uint16"), 1e-4, -0.1)
    item = {"type": "Feature", "properties": {"s2:processing_baseline": "05.09"},
            "assets": {"B02": {"href": path.name}}}  # fmt: skip
    (tmp_path / "item.json").write_text(json.dumps(item))
    decide_scaling(open_product(tmp_path / "item.json"), ["B02"], None)
    assert not caplog.records
