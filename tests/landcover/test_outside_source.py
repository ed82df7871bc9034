"""Pixels without a source pixel: no data in every encoding, even where 0 is a class."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
from landcover_rasters import TABLE_WRITERS, read, write, write_scene
from odc.geo.geobox import GeoBox
from rasterio.enums import ColorInterp
from rasterio.transform import from_origin

from wildlens.landcover.crosswalk import CROSSWALKS
from wildlens.landcover.step import build_landcover
from wildlens.settings import Landcover

SCENE = GeoBox((40, 60), from_origin(640_000, 5_240_000, 10, 10), "EPSG:32632")
SIDE = 30  # columns of the scene that the source covers
TABLES = {"0 is a class": "value,code\n0,512\n1,311\n", "0 is unknown": "value,code\n1,311\n"}


def source_of(folder: Path, encoding: str) -> tuple[np.ndarray, dict]:
    """Values that are all classes, and the settings to read them; writes tables for `clc.tif`."""
    if encoding in CROSSWALKS:
        classes = [v for v, (code, _) in CROSSWALKS[encoding].classes.items() if code]
        return np.array(classes, np.uint8), {"product": encoding}
    if encoding in TABLES:
        path = folder / "table.csv"
        path.write_text(TABLES[encoding])
        values = [0, 1] if encoding == "0 is a class" else [1]
        return np.array(values, np.uint8), {"product": "table", "table": str(path)}
    if encoding in TABLE_WRITERS:
        TABLE_WRITERS[encoding](folder / f"clc.tif{encoding}", [0, 1], ["512", "311"])
        return np.array([0, 1], np.uint8), {}
    return {"grid codes": np.arange(1, 45, dtype=np.uint8), "codes": np.array([111, 523, 312])}[
        encoding
    ].astype(np.int16), {}


@pytest.mark.parametrize("resampling", ["nearest", "majority"])
@pytest.mark.parametrize("nodata", [None, 77])
@pytest.mark.parametrize("encoding", [*CROSSWALKS, *TABLES, *TABLE_WRITERS, "grid codes", "codes"])
def test_half_of_a_scene_outside_the_source_is_no_data(tmp_path, encoding, nodata, resampling):
    values, settings = source_of(tmp_path, encoding)
    rows, _ = SCENE.shape
    drawn = np.random.default_rng(0).choice(values, (rows, SIDE))
    source = write(tmp_path / "clc.tif", SCENE[:, :SIDE], drawn, nodata=nodata)
    scene, output = write_scene(tmp_path / "scene.tif", SCENE), tmp_path / "lc.tif"
    build_landcover(source, scene, output, Landcover(resampling=resampling, **settings))
    found = read(output)
    assert (found[:, :SIDE] > 0).all()
    assert not found[:, SIDE:].any()


@pytest.mark.parametrize("resampling", ["nearest", "majority"])
@pytest.mark.parametrize("missing", ["nodata", "mask", "alpha", "nan"])
def test_missing_pixels_of_a_source_whose_0_is_a_class(tmp_path, missing, resampling):
    _, settings = source_of(tmp_path, "0 is a class")
    values = np.zeros((2 if missing == "alpha" else 1, *SCENE.shape), "float32")
    values[:, :, SIDE:] = {"nodata": 77, "nan": np.nan}.get(missing, 0)
    if missing == "alpha":
        values[1, :, :SIDE] = 255
    names = ["class", "alpha"][: len(values)]
    nodata = 77 if missing == "nodata" else None
    source = write(tmp_path / "clc.tif", SCENE, values, names, nodata)
    with rasterio.open(source, "r+") as dataset:
        if missing == "alpha":
            dataset.colorinterp = [ColorInterp.gray, ColorInterp.alpha]
        if missing == "mask":
            dataset.write_mask(np.broadcast_to(np.arange(60) < SIDE, SCENE.shape))
    scene, output = write_scene(tmp_path / "scene.tif", SCENE), tmp_path / "lc.tif"
    settings |= {"band": "class", "resampling": resampling}
    build_landcover(source, scene, output, Landcover(**settings))
    found = read(output)
    assert (found[:, :SIDE] > 0).all()
    assert not found[:, SIDE:].any()
