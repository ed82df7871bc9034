"""Tests of attribute tables beside CORINE rasters, which translate their values to codes."""

import logging
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from landcover_rasters import (
    CODES,
    SCENE,
    TABLE_WRITERS,
    read,
    write,
    write_aux,
    write_dbf,
    write_scene,
)

from wildlens.errors import WildLensError
from wildlens.landcover.step import build_landcover
from wildlens.settings import Landcover


@pytest.mark.parametrize("suffix", TABLE_WRITERS)
@pytest.mark.parametrize("name", ["clc.tif", "CLC.TIF"])
def test_values_are_decoded_by_the_attribute_table(tmp_path, suffix, name, caplog):
    rng = np.random.default_rng(len(suffix))
    beside = tmp_path / (name + (suffix.upper() if name.isupper() else suffix))
    numbers = rng.permutation(np.arange(60, 110))[: len(CODES) + 1]
    codes = [*map(str, CODES), "999"]
    places = rng.integers(0, len(numbers), SCENE.shape)
    source = write(tmp_path / name, SCENE, numbers[places].astype("uint8"))
    TABLE_WRITERS[suffix](beside, numbers, codes)
    caplog.set_level(logging.INFO, "wildlens")
    scene = write_scene(tmp_path / "scene.tif")
    build_landcover(source, scene, tmp_path / "lc.tif", Landcover())
    np.testing.assert_array_equal(read(tmp_path / "lc.tif"), (places + 1) % 45)
    assert f"attribute table {beside.name}" in caplog.text
    beside.unlink()
    with pytest.raises(WildLensError, match="no CORINE classes"):
        build_landcover(source, scene, tmp_path / "lc.tif", Landcover())


def test_missing_values_need_no_row_in_the_table(tmp_path):
    values = np.full(SCENE.shape, 7, "int16")
    values[0], values[1] = -128, 9
    source = write(tmp_path / "clc.tif", SCENE, values, nodata=9)
    write_dbf(tmp_path / "clc.tif.vat.dbf", [7, 9], ["412", "111"])
    build_landcover(source, write_scene(tmp_path / "s.tif"), tmp_path / "lc.tif", Landcover())
    found = read(tmp_path / "lc.tif")
    assert not found[:2].any() and (found[2:] == 36).all()


@pytest.mark.parametrize(
    ("values", "codes", "message"),
    [
        ([1, 7], ["111", "41"], r"clc.tif.vat.dbf: value 7 has the code '41'"),
        ([7, 7], ["111", "412"], "value 7 occurs twice"),
        ([1, 2], ["111", "412"], "no clc.tif.vat.dbf classes: 7"),
    ],
)
def test_invalid_attribute_table_is_refused(tmp_path, values, codes, message):
    source = write(tmp_path / "clc.tif", SCENE, np.full(SCENE.shape, 7, "uint8"))
    write_dbf(tmp_path / "clc.tif.vat.dbf", values, codes)
    scene = write_scene(tmp_path / "s.tif")
    with pytest.raises(WildLensError, match=message) as error:
        build_landcover(source, scene, tmp_path / "lc.tif", Landcover())
    assert "\n" not in str(error.value)
    assert not (tmp_path / "lc.tif").exists()


@pytest.mark.parametrize("name", ["without codes", "without a table"])
def test_other_files_beside_the_raster_are_ignored(tmp_path, name):
    source = write(tmp_path / "clc.tif", SCENE, np.full(SCENE.shape, 36, "uint8"))
    write_dbf(tmp_path / "clc.tif.vat.dbf", [36], ["111"], code="Colour")
    write_aux(tmp_path / "clc.tif.aux.xml", [36], [5], names=("VALUE", "COUNT"))
    if name == "without a table":
        (tmp_path / "clc.tif.vat.dbf").unlink()
        (tmp_path / "clc.tif.aux.xml").write_text("<PAMDataset/>")
    build_landcover(source, write_scene(tmp_path / "s.tif"), tmp_path / "lc.tif", Landcover())
    assert (read(tmp_path / "lc.tif") == 36).all()


def test_real_attribute_table_of_a_release(tmp_path):
    root = os.environ.get("WILDLENS_TEST_DATA")
    if not root:
        pytest.skip("WILDLENS_TEST_DATA is not set")
    places = np.random.default_rng(0).integers(0, 45, SCENE.shape)
    source = write(tmp_path / "clc.tif", SCENE, np.array([999, *CODES])[places].astype("int16"))
    for suffix in (".vat.dbf", ".aux.xml"):
        real = Path(root, "corine/legend", f"CLC2018_CLC2012_V2018_20.tif{suffix}")
        shutil.copy(real, tmp_path / f"clc.tif{suffix}")
    build_landcover(source, write_scene(tmp_path / "s.tif"), tmp_path / "lc.tif", Landcover())
    np.testing.assert_array_equal(read(tmp_path / "lc.tif"), places)
