import logging
import os
import re
from pathlib import Path

import numpy as np
import pytest
import rasterio
import rasterio.shutil
from affine import Affine
from landcover_rasters import CODES, SCENE, apply, at_centres, read, write, write_scene
from odc.geo.geobox import GeoBox
from pyproj import Transformer

from wildlens.errors import WildLensError
from wildlens.files import raster
from wildlens.landcover.step import build_landcover, decode_corine
from wildlens.legend import CORINE
from wildlens.scene.step import build_scene
from wildlens.settings import Landcover, Scene

# a CORINE clip around SCENE
CLIP = GeoBox((160, 160), Affine(100, 0, 4_380_000, 0, -100, 2_692_000), "EPSG:3035")


@pytest.fixture
def data() -> Path:
    root = os.environ.get("WILDLENS_TEST_DATA")
    if not root:
        pytest.skip("WILDLENS_TEST_DATA is not set")
    return Path(root)


def assert_nearest(path: Path, indices: np.ndarray, own: GeoBox, grid: GeoBox) -> None:
    expected, certain = at_centres(indices, own, grid)
    assert certain.mean() > 0.9999
    np.testing.assert_array_equal(read(path)[certain], expected[certain])


# --- the numbers


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int16", "uint32", "float32"])
def test_grid_codes_equal_legend_indices(dtype):
    values = np.random.default_rng(0).integers(0, 45, (20, 30)).astype(dtype)
    decoded = decode_corine(values, None)
    assert decoded.dtype == np.uint8
    np.testing.assert_array_equal(decoded, values)


@pytest.mark.parametrize("dtype", ["uint16", "int16", "uint32", "float64"])
def test_codes_become_legend_indices(dtype):
    places = np.random.default_rng(0).integers(1, 45, (20, 30))
    decoded = decode_corine(CODES[places - 1].astype(dtype), None)
    np.testing.assert_array_equal(decoded, places)
    assert CORINE.of_index(int(decode_corine(np.array([412]), None)[0])).name == "Peat bogs"


@pytest.mark.parametrize(
    "missing", [0, 48, 49, 50, 128, 255, -128, 990, 995, 999, 32768, -32768, -5, np.nan]
)
@pytest.mark.parametrize("classes", [(1, 44), (111, 523)])
def test_missing_values_are_0(missing, classes):
    values = np.array([*classes, missing], float)
    tag = -5 if missing == -5 else None
    np.testing.assert_array_equal(decode_corine(values, tag), [1, 44, 0])


def test_nodata_value_takes_precedence_over_a_class():
    np.testing.assert_array_equal(decode_corine(np.array([1, 44, 2]), 44), [1, 0, 2])
    np.testing.assert_array_equal(decode_corine(np.array([111, 4294967295]), 4294967295), [1, 0])


def test_raster_without_classes_becomes_no_data():
    assert not decode_corine(np.array([[0, 255], [128, 999]]), None).any()


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ([1, 2, 111], "mixes .*111.*1, 2"),
        ([311, 312, 777], "777"),
        ([1, 2, 47], "47"),
        ([1.5, 2], "1.5"),
        ([1, np.inf], "inf"),
        ([1, -3], "-3"),
        (list(range(60, 80)), "60, .* and 12 more"),
    ],
)
def test_mixed_and_unknown_values_are_refused(values, named):
    with pytest.raises(WildLensError, match=named):
        decode_corine(np.array(values), None)


# --- onto the grid


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize(
    "own",
    [
        CLIP,
        # the same CRS off the grid; half of the scene; degrees
        GeoBox((160, 160), Affine(61, 0, 639_000.5, 0, -61, 5_240_500.5), "EPSG:32632"),
        GeoBox((40, 160), Affine(100, 0, 639_950, 0, -100, 5_238_000), "EPSG:32632"),
        GeoBox((150, 150), Affine(0.001, 0, 10.83, 0, -0.001, 47.33), "EPSG:4326"),
        # as web maps have it
        GeoBox((160, 160), Affine(100, 0, 1_205_000, 0, -100, 5_994_000), "EPSG:3857"),
    ],
)
def test_pixel_takes_the_class_at_its_centre(tmp_path, own, dtype):
    rng = np.random.default_rng(1)
    indices = rng.integers(0, 45, own.shape)
    values = np.concatenate([[0], CODES])[indices] if dtype == "uint16" else indices
    source = write(tmp_path / "clc.tif", own, values.astype(dtype))
    scene = write_scene(tmp_path / "scene.tif")
    build_landcover(source, scene, tmp_path / "lc.tif", Landcover())
    assert read(tmp_path / "lc.tif").any(axis=1).sum() > 300
    assert_nearest(tmp_path / "lc.tif", indices, own, SCENE)


def test_window_without_classes_keeps_the_encoding(tmp_path):
    # rows 512.. of the scene hold 999 alone, the rest holds codes; and 255 is missing in both
    values = np.full(SCENE.shape, 412, "uint16")
    values[:100], values[512:] = 255, 999
    source = write(tmp_path / "clc.tif", SCENE, values)
    scene = write_scene(tmp_path / "scene.tif")
    build_landcover(source, scene, tmp_path / "lc.tif", Landcover())
    expected = np.where(values == 412, 36, 0)
    np.testing.assert_array_equal(read(tmp_path / "lc.tif"), expected)


def test_mixed_encodings_across_windows_are_refused(tmp_path):
    values = np.full(SCENE.shape, 412, "uint16")
    values[512:] = 36
    source = write(tmp_path / "clc.tif", SCENE, values)
    with pytest.raises(WildLensError, match="mixes") as error:
        build_landcover(
            source, write_scene(tmp_path / "s.tif"), tmp_path / "lc.tif", Landcover()
        )  # fmt: skip
    assert str(source) in str(error.value) and "\n" not in str(error.value)
    assert not (tmp_path / "lc.tif").exists()


def test_unknown_values_outside_the_scene_are_ignored(tmp_path):
    wide = SCENE.pad(200)
    values = np.full(wide.shape, 7000, "uint16")
    values[150:-150, 150:-150] = 311
    source = write(tmp_path / "clc.tif", wide, values)
    build_landcover(source, write_scene(tmp_path / "s.tif"), tmp_path / "lc.tif", Landcover())
    assert (read(tmp_path / "lc.tif") == 23).all()


@pytest.mark.parametrize(
    ("own", "value", "named"),
    [
        (GeoBox((9, 9), Affine(100, 0, 300_000, 0, -100, 5_000_000), "EPSG:32632"), 1, "touch"),
        (GeoBox((9, 9), Affine(100, 0, 300_000, 0, -100, 5_000_000), "EPSG:32760"), 1, "touch"),
        (CLIP, 0, "no land cover"),
    ],
)
def test_land_cover_without_overlap_is_refused(tmp_path, own, value, named):
    source = write(tmp_path / "clc.tif", own, np.full(own.shape, value, "uint8"))
    scene = write_scene(tmp_path / "scene.tif")
    with pytest.raises(WildLensError, match=named) as error:
        build_landcover(source, scene, tmp_path / "lc.tif", Landcover())
    assert str(source) in str(error.value)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["clc.tif", "scene.tif"]


def test_band_is_chosen_by_its_description(tmp_path):
    values = np.stack([np.full(SCENE.shape, code, "uint16") for code in (10, 412, 311)])
    names = ["MODIS_1", "corine", "CLC1990"]
    source = write(tmp_path / "lcs.tif", SCENE, values, names)
    scene, output = write_scene(tmp_path / "scene.tif"), tmp_path / "lc.tif"
    build_landcover(source, scene, output, Landcover())
    assert (read(output) == 36).all()
    build_landcover(source, scene, output, Landcover(band="CLC1990"))
    assert (read(output) == 23).all()
    with pytest.raises(WildLensError, match="MODIS_1, corine, CLC1990"):
        build_landcover(source, scene, output, Landcover(band="CLC2018"))
    assert (read(output) == 23).all()


def test_several_bands_without_description_are_refused(tmp_path):
    source = write(tmp_path / "lcs.tif", SCENE, np.ones((2, *SCENE.shape), "uint8"))
    with pytest.raises(WildLensError, match="none is described"):
        build_landcover(
            source, write_scene(tmp_path / "s.tif"), tmp_path / "lc.tif", Landcover()
        )  # fmt: skip


def test_result_has_colours_names_and_provenance(tmp_path, caplog):
    values = np.full(SCENE.shape, 412, "uint16")
    values[:, :60] = 335
    source = write(tmp_path / "clc.tif", SCENE, values)
    output = tmp_path / "out" / "lc.tif"
    with caplog.at_level(logging.INFO, "wildlens"):
        build_landcover(source, write_scene(tmp_path / "s.tif"), output, Landcover())
    with rasterio.open(output) as dataset:
        assert raster.grid_of(dataset) == SCENE
        assert dataset.dtypes == ("uint8",)
        assert dataset.nodata == 0
        assert dataset.colorinterp == (rasterio.enums.ColorInterp.palette,)
        colours = dataset.colormap(1)
        assert all(colours[c.index] == (*c.rgb, 255) for c in CORINE.classes)
        assert dataset.tags()["wildlens_step"] == "landcover"
        assert "clc.tif" in dataset.tags()["wildlens_inputs"]
    assert sorted(p.name for p in output.parent.iterdir()) == ["lc.tif", "lc.tif.aux.xml"]
    assert "Peat bogs 90.0 %, Glaciers and perpetual snow 10.0 %" in caplog.text


def test_gdal_reads_the_class_names(tmp_path):
    source = write(tmp_path / "clc.tif", SCENE, np.full(SCENE.shape, 412, "uint16"))
    output = tmp_path / "lc.tif"
    build_landcover(source, write_scene(tmp_path / "s.tif"), output, Landcover())
    # rasterio does not show category names, but a VRT copy takes them along
    rasterio.shutil.copy(output, tmp_path / "lc.vrt", driver="VRT")
    names = re.findall("<Category>(.*?)</Category>", (tmp_path / "lc.vrt").read_text())
    assert len(names) == 45
    assert names[0] == "No data"
    assert names[36] == "412 Peat bogs"
    assert names[44] == "523 Sea and ocean"


# --- real files


@pytest.mark.parametrize(
    ("name", "crs", "offset"),
    [
        ("clc_aachen_3035_values1-44_nodata0.tif", "EPSG:32632", (300, 300)),
        ("clc_luxembourg_eifel_3035_offgrid_nodata0.tif", "EPSG:32631", (1500, 900)),
        ("U2018_CLC2018_V2020_20u1_FR_GLP.tif", "EPSG:32620", (300, 330)),
        ("vector/clc2018_lanjaron_codes111-523_25830_25m.tif", "EPSG:32630", (300, 100)),
    ],
)
def test_real_corine_rasters_in_all_encodings(tmp_path, data, name, crs, offset):
    source = data / "corine" / name
    own = raster.read_grid(source)
    left, top = Transformer.from_crs(own.crs.to_wkt(), crs, always_xy=True).transform(
        *apply(own.affine, *offset)
    )
    scene = GeoBox((700, 600), Affine(10, 0, round(left) + 1, 0, -10, round(top) + 1), crs)
    write_scene(tmp_path / "scene.tif", scene)
    build_landcover(source, tmp_path / "scene.tif", tmp_path / "lc.tif", Landcover())
    values = read(source).astype(np.int64)
    if name.startswith("vector"):
        indices = np.searchsorted(CODES, values) + 1
        assert (CODES[indices - 1] == values).all()
    else:
        indices = values
    assert len(np.unique(read(tmp_path / "lc.tif"))) >= 5
    assert_nearest(tmp_path / "lc.tif", indices, own, scene)


def test_real_reference_map_of_bigearthnet(tmp_path, data):
    (source,) = data.glob("bigearthnet-v2/Reference_Maps/*/*/*_reference_map.tif")
    write_scene(tmp_path / "scene.tif", raster.read_grid(source))
    build_landcover(source, tmp_path / "scene.tif", tmp_path / "lc.tif", Landcover())
    codes = CODES[read(tmp_path / "lc.tif").astype(int) - 1]
    np.testing.assert_array_equal(codes, read(source))


def test_real_anthroprotect_tile(tmp_path, data):
    tiles = data / "anthroprotect-tile/anthroprotect/tiles"
    (source,) = (tiles / "lcs").glob("*.tif")
    build_scene(tiles / "s2" / source.name, tmp_path / "scene.tif", Scene(bands=["B04"]))
    build_landcover(source, tmp_path / "scene.tif", tmp_path / "lc.tif", Landcover())
    codes = CODES[read(tmp_path / "lc.tif").astype(int) - 1]
    np.testing.assert_array_equal(codes, read(source))
    assert set(np.unique(codes)) == {322, 333, 412}
    with pytest.raises(WildLensError, match=r"band 3: .*80"):
        build_landcover(
            source, tmp_path / "scene.tif", tmp_path / "lc.tif", Landcover(band="CGLS")
        )  # fmt: skip
