"""Tests of land cover from other products, a user's own table, and polygons."""

import os
from pathlib import Path

import geopandas
import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine
from anthroprotect_folder import write_folder
from products import write_tif

from wildlens.anthroprotect.dataset import open_folder, read_tile
from wildlens.errors import WildLensError
from wildlens.files import raster
from wildlens.landcover.crosswalk import CROSSWALKS, read_crosswalk
from wildlens.landcover.step import build_landcover
from wildlens.legend import CORINE
from wildlens.settings import Evaluation, Landcover, Tiles

CODE_OF = np.array([0, *(c.code for c in CORINE.classes)])


def scene(folder: Path, shape=(60, 72), crs="EPSG:32633", corner=(499980, 8900040)) -> Path:
    place = {"crs": crs, "transform": Affine(10, 0, corner[0], 0, -10, corner[1])}
    return write_tif(folder / "scene.tif", np.ones(shape, "uint8"), **place)


def codes(source: Path, folder: Path, grid: Path | None = None, **settings) -> np.ndarray:
    """CORINE codes of a source on the grid of a scene."""
    build_landcover(source, grid or scene(folder), folder / "lc.tif", Landcover(**settings))
    with rasterio.open(folder / "lc.tif") as dataset:
        return CODE_OF[dataset.read(1)]


def refusal(call, *arguments, **options) -> str:
    with pytest.raises(WildLensError) as error:
        call(*arguments, **options)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("product", CROSSWALKS)
def test_every_class_of_a_product_is_translated(tmp_path, product):
    classes = CROSSWALKS[product].classes
    values = np.random.default_rng(0).choice(list(classes), (60, 72)).astype("uint8")
    expected = np.vectorize(lambda v: classes[v][0])(values)
    assert set(np.unique(expected)) <= set(CODE_OF)
    source = write_tif(tmp_path / "source.tif", values, nodata=255)
    assert np.array_equal(codes(source, tmp_path, product=product), expected * (values != 255))


@pytest.mark.parametrize(
    ("product", "value", "code"),
    [
        *[("clcplus", 1, 112), ("clcplus", 9, 332), ("clcplus", 253, 523), ("clcplus", 254, 0)],
        *[("worldcover", 90, 411), ("worldcover", 60, 332), ("worldcover", 40, 211)],
        *[("igbp", 11, 411), ("igbp", 16, 332), ("igbp", 13, 112), ("cgls", 90, 411)],
        *[("cgls", 126, 313), ("globcover", 180, 411), ("globcover", 200, 332)],
    ],
)
def test_target_and_urban_classes_of_each_product(product, value, code):
    assert CROSSWALKS[product].classes[value][0] == code


def test_values_of_another_product_are_refused_by_name(tmp_path):
    values = np.random.default_rng(0).choice([211, 311, 90], (60, 72)).astype("uint16")
    source = write_tif(tmp_path / "source.tif", values)
    message = refusal(codes, source, tmp_path, product="worldcover")
    assert "source.tif, band 1: no ESA WorldCover classes: 211, 311" in message
    assert not (tmp_path / "lc.tif").exists()


def test_anthroprotect_layers_are_chosen_by_name(tmp_path):
    folder = open_folder(
        write_folder(tmp_path, np.random.default_rng(0), areas={"wdpa-Ib_1": "val"})
    )
    file = "wdpa-Ib_1_0.tif"
    with rasterio.open(folder.files["lcs"][file]) as dataset:
        layers = dict(zip(dataset.descriptions, dataset.read(), strict=True))
    for product, layer in (("igbp", "MODIS_1"), ("cgls", "CGLS"), ("globcover", "GlobCover")):
        tile = read_tile(folder, file, ["B02"], [], Landcover(product=product))
        classes = CROSSWALKS[product].classes
        expected = np.vectorize(lambda v, classes=classes: classes[v][0])(layers[layer])
        assert np.array_equal(CODE_OF[tile.landcover], expected)
    with pytest.raises(WildLensError, match=r"no ESA WorldCover classes"):
        read_tile(folder, file, ["B02"], [], Landcover(product="worldcover", band="CORINE"))


def table(folder: Path, text: str) -> Path:
    path = folder / "table.csv"
    path.write_text(text)
    return path


def test_user_crosswalk_is_applied(tmp_path):
    path = table(tmp_path, "\ufeffName, Value ,CODE\nbog,7,412\nfield,-3,211\nhole,1000,0\n")
    values = np.random.default_rng(0).choice([7, -3, 1000, 9], (60, 72)).astype("int16")
    source = write_tif(tmp_path / "source.tif", values, nodata=9)
    found = codes(source, tmp_path, product="table", table=str(path))
    assert np.array_equal(found, np.select([values == 7, values == -3], [412, 211], 0))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected the columns value and code, found nothing"),
        ("value,class\n1,2\n", "expected the columns value and code, found value, class"),
        ("value,code\n", "expected the columns value and code"),
        ("value,code\n1,412\n1,411\n", "line 3: the value 1 occurs twice"),
        ("value,code\n1,413\n", "line 2: 413 is no CORINE code"),
        ("value,code\nbog,412\n", "line 2: value is no whole number: 'bog'"),
        ("value,code\n1\n", "line 2: code is no whole number: ''"),
        ("value,code\n1e3,412\n", "line 2: value is no whole number"),
        ("value,code\n99999999999,412\n", "out of range"),
    ],
)
def test_invalid_user_crosswalk_is_refused(tmp_path, text, message):
    path = table(tmp_path, text)
    found = refusal(read_crosswalk, path)
    assert message in found and str(path) in found


def test_short_code_stands_for_its_group():
    assert Evaluation(targets=[41, 332, 33]).targets == [411, 412, 332, 331, 333, 334, 335]
    assert Tiles(anthropogenic_classes=[1, 2]) == Tiles()
    for wrong in ([6], [10], [410], ["1"]):
        with pytest.raises(ValueError, match="targets"):
            Evaluation(targets=wrong)


# --- polygons


def polygons(folder: Path, rng, crs="EPSG:3035", name="clc.gpkg", field="Code_18", kind=str):
    """Random polygons around the scene, some of them overlapping."""
    x, y = 500_300, 8_899_700
    centres = rng.uniform(-500, 500, (30, 2)) + np.array([x, y])
    shapes = [
        shapely.Point(c).buffer(r, 3)
        for c, r in zip(centres, rng.uniform(50, 200, 30), strict=True)
    ]
    chosen = [kind(c) for c in rng.choice(CODE_OF[1:], 30)]
    frame = geopandas.GeoDataFrame({field: chosen}, geometry=shapes, crs="EPSG:32633").to_crs(crs)
    frame.to_file(folder / name)
    return frame


@pytest.mark.parametrize(
    ("crs", "name", "field", "kind"),
    [
        ("EPSG:3035", "clc.gpkg", "Code_18", str),
        ("EPSG:32633", "clc.shp", "CODE_12", str),
        ("EPSG:4326", "clc.geojson", "code_18", int),
    ],
)
def test_pixel_takes_the_polygon_at_its_centre(tmp_path, crs, name, field, kind):
    frame = polygons(tmp_path, np.random.default_rng(1), crs, name, field, kind)
    found = codes(tmp_path / name, tmp_path)
    own = raster.read_grid(tmp_path / "scene.tif")
    x, y = own.pix2wld(*np.meshgrid(np.arange(72) + 0.5, np.arange(60) + 0.5))
    expected, uncertain = np.zeros(found.shape, int), np.zeros(found.shape, bool)
    for code, shape in zip(frame[field], frame.to_crs("EPSG:32633").geometry, strict=True):
        expected[shapely.contains_xy(shape, x, y)] = int(code)
        uncertain |= shapely.distance(shape.exterior, shapely.points(x, y)) < 0.05
    assert uncertain.mean() < 0.01 and len(np.unique(expected)) > 5
    assert np.array_equal(found[~uncertain], expected[~uncertain])


def test_invalid_corine_polygons_are_refused(tmp_path):
    rng = np.random.default_rng(0)
    polygons(tmp_path, rng, field="landuse", name="a.gpkg")
    assert "0 fields of CORINE codes (CODE_18)" in refusal(codes, tmp_path / "a.gpkg", tmp_path)
    frame = polygons(tmp_path, rng, name="b.gpkg")
    frame.assign(Code_12="111").to_file(tmp_path / "b.gpkg")
    assert "2 fields of CORINE codes" in refusal(codes, tmp_path / "b.gpkg", tmp_path)
    polygons(tmp_path, rng, name="c.gpkg", kind=lambda c: f"{c}0")
    assert "Code_18: no CORINE codes: 1" in refusal(codes, tmp_path / "c.gpkg", tmp_path)
    polygons(tmp_path, rng, name="d.gpkg")
    message = refusal(codes, tmp_path / "d.gpkg", tmp_path, product="clcplus")
    assert "polygons, which are supported for CORINE only" in message
    elsewhere = scene(tmp_path, corner=(700_000, 5_000_000))
    assert "no land cover anywhere" in refusal(codes, tmp_path / "d.gpkg", tmp_path, elsewhere)
    (tmp_path / "e.gpkg").write_bytes(b"SQLite format 3\0")
    assert "e.gpkg: cannot be opened" in refusal(codes, tmp_path / "e.gpkg", tmp_path)


def test_real_polygons_agree_with_their_raster(tmp_path):
    root = os.environ.get("WILDLENS_TEST_DATA")
    if not root:
        pytest.skip("WILDLENS_TEST_DATA is not set")
    folder = Path(root) / "corine/vector"
    rasterised = folder / "clc2018_lanjaron_codes111-523_25830_25m.tif"
    box = raster.read_grid(rasterised).extent.to_crs("EPSG:25830").boundingbox
    grid = scene(
        tmp_path, (900, 700), "EPSG:25830", (round(box.left, -1) + 2000, round(box.top, -1))
    )
    by_raster = codes(rasterised, tmp_path, grid)
    by_polygon = codes(folder / "clc2018_lanjaron_CODE_18.gpkg", tmp_path, grid)
    both = (by_raster > 0) & (by_polygon > 0)
    assert both.mean() > 0.2
    assert (by_raster == by_polygon)[both].mean() > 0.97, "edges differ by half a 25 m pixel"
    assert set(by_polygon[both]) == set(by_raster[both])


def test_single_band_is_read_regardless_of_description(tmp_path):
    values = np.full((60, 72), 10, "uint8")
    source = write_tif(tmp_path / "a.tif", values, descriptions=["Map"])
    assert (codes(source, tmp_path, product="worldcover") == 313).all()
