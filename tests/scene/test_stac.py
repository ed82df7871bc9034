"""Tests of STAC items of several catalogues, including real ones."""

import json
import os
import time
from pathlib import Path

import numpy as np
import pytest
import rasterio
from products import SHAPE, grid, numbers, write_tif

from wildlens.errors import WildLensError
from wildlens.scene.products import open_product
from wildlens.scene.step import build_scene
from wildlens.settings import Scene

COMMON = {"blue": "B02", "green": "B03", "red": "B04", "nir": "B08", "swir16": "B11"}


@pytest.fixture
def data() -> Path:
    root = os.environ.get("WILDLENS_TEST_DATA")
    if not root:
        pytest.skip("WILDLENS_TEST_DATA is not set")
    return Path(root) / "s2-stac-items"


def write_item(folder: Path, assets: dict, low=1100, **properties) -> Path:
    """Write an item with its assets' files beside it; 20 m if the key ends in 16 or 20m."""
    rng = np.random.default_rng(0)
    for key, asset in assets.items():
        factor = 2 if key.endswith(("16", "20m")) or key.lower().startswith("scl") else 1
        shape = (SHAPE[0] // factor, SHAPE[1] // factor)
        values = numbers(rng, shape, low, 3000) if "scl" not in key.lower() else np.full(shape, 4)
        name = asset.setdefault("href", f"https://example.org/{key}.tif?sig=x").rpartition("/")[2]
        path = folder / name.partition("?")[0]
        write_tif(path, values.astype("uint16"), 10 * factor)
    item = {"type": "Feature", "id": "S2B_33XWJ", "properties": properties, "assets": assets}
    path = folder / "item.json"
    path.write_text(json.dumps(item))
    return path


def scaled(offset):
    return {"raster:bands": [{"nodata": 0, "scale": 0.0001, "offset": offset}]}


# name -> (assets, properties, the offset that is stated)
DIALECTS = {
    "earth search v0": (
        {key: {} for key in ("B02", "B8A", "SCL")},
        {"sentinel:boa_offset_applied": True, "sentinel:processing_baseline": "04.00"}, 0,
    ),
    "earth search v0, before the offset": ({"B02": {}, "B8A": {}}, {}, None),
    "earth search v1, applied": (
        {key: scaled(-0.1) for key in COMMON},
        {"earthsearch:boa_offset_applied": True, "s2:processing_baseline": "05.09"}, 0,
    ),
    "earth search v1, not applied": (
        {key: scaled(-0.1) for key in COMMON},
        {"earthsearch:boa_offset_applied": False, "s2:processing_baseline": "05.09"}, -1000,
    ),
    "collection 1": ({key: scaled(-0.1) for key in COMMON}, {}, -1000),
    "planetary computer": (
        {key: {} for key in ("B02", "B08", "B8A", "SCL")},
        {"s2:processing_baseline": "04.00"}, -1000,
    ),
    "planetary computer, early": ({"B02": {}}, {"s2:processing_baseline": "02.12"}, 0),
    "another's processor": ({"B02": {}}, {"s2:processing_baseline": "99.99"}, None),
    "copernicus data space": (
        {key: {"raster:scale": 0.0001, "raster:offset": -0.1}
         for key in ("B02_10m", "B02_20m", "B11_20m", "SCL_20m")},
        {"processing:version": "05.11"}, -1000,
    ),
    "stac 1.1": (
        {"blue": {"bands": [{"raster:scale": 0.0001, "raster:offset": -0.1}]}}, {}, -1000,
    ),
    "copernicus data space, by its version": (
        {"B02_10m": {}}, {"processing:version": "05.12"}, -1000,
    ),
}  # fmt: skip


@pytest.mark.parametrize("dialect", DIALECTS)
def test_offset_is_found_in_items_of_all_catalogues(tmp_path, dialect):
    assets, properties, offset = DIALECTS[dialect]
    product = open_product(write_item(tmp_path, json.loads(json.dumps(assets)), **properties))
    expected = {COMMON.get(key) or key.partition("_")[0] for key in assets} - {"SCL"}
    assert set(product.bands) == expected
    assert product.offset == (None if offset is None else dict.fromkeys(expected, offset))
    assert product.quantification == 10_000
    assert product.grid == grid()
    assert (product.scl is not None) == any("scl" in key.lower() for key in assets)
    for name, band in product.bands.items():
        assert band.path.parent == tmp_path, "the file beside the item goes before the server's"
        assert band.resolution == (20 if name in ("B11",) else 10)


def test_item_becomes_a_scene(tmp_path):
    item = write_item(tmp_path, {key: scaled(-0.1) for key in COMMON}, low=1, datetime="2023-06-28")
    build_scene(item, tmp_path / "scene.tif", Scene(bands=["B04", "B11"], resampling="nearest"))
    with rasterio.open(tmp_path / "scene.tif") as scene, rasterio.open(tmp_path / "red.tif") as red:
        stored, numbers = scene.read(), red.read(1).astype(int)
        assert scene.tags()["product_sensing_time"] == "2023-06-28"
        assert "item.json" in json.loads(scene.tags()["wildlens_inputs"])
    valid = stored[0] > 0
    assert np.array_equal(stored[0][valid], np.maximum(numbers - 1000, 1)[valid])


def test_jpeg_2000_is_used_without_geotiff(tmp_path):
    assets = {"red-jp2": {"href": "https://a/red.tif"}, "blue-jp2": {"href": "https://a/bj.tif"}}
    assets["blue"] = {"href": "https://a/b.tif"}
    product = open_product(write_item(tmp_path, assets))
    assert product.bands["B04"].path.name == "red.tif" and product.bands["B02"].path.name == "b.tif"


def test_missing_download_is_named(tmp_path):
    item = write_item(tmp_path, {"B02": {}, "B08": {}}, low=1)
    (tmp_path / "B08.tif").unlink()
    with pytest.raises(WildLensError, match=r"B08.tif: band B08 is missing: there is no such file"):
        build_scene(item, tmp_path / "scene.tif", Scene(bands=["B02", "B08"]), offset=0)


def test_relative_and_absolute_hrefs_are_followed(tmp_path):
    path = write_item(tmp_path / "files", {"B02": {}, "B08": {}})
    item = json.loads(path.read_text())
    item["assets"]["B02"]["href"] = "./files/B02.tif"
    item["assets"]["B08"]["href"] = (tmp_path / "files/B08.tif").as_uri()
    path = tmp_path / "item.json"
    path.write_text(json.dumps(item))
    files = {name: band.path for name, band in open_product(path).bands.items()}
    assert files == {name: tmp_path / f"files/{name}.tif" for name in ("B02", "B08")}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda item: item.update(type="FeatureCollection"), "is not a STAC item"),
        (lambda item: item.pop("assets"), "is not a STAC item"),
        (lambda item: item.update(properties=None), "its properties are NoneType"),
        (lambda item: item.update(assets=[]), "its assets are list"),
        (lambda item: item.update(assets={"visual": {}}), "none of its 1 assets is a Sentinel-2"),
        (lambda item: item.update(collection="sentinel-2-l1c"), "is a Level-1C product"),
        (lambda item: item["properties"].update({"s2:product_type": "S2MSI1C"}), "is a Level-1C"),
        (lambda item: item["assets"]["blue"].update(href=3), "an asset has no href, found '3'"),
        (lambda item: item["assets"]["blue"].update(href="../b.tif"), "leads out of the item's"),
        (lambda item: item["assets"]["blue"].update(scaled(0) | {"href": "s3://a/other.tif"}),
         "other.tif is not beside it, and it does not state the grid"),
        (lambda item: item["assets"]["green"].update({"raster:bands": [{"scale": 0.001}]}),
         "the scales of its bands are 0.0001, 0.001"),
    ],
)  # fmt: skip
def test_broken_items_are_refused_in_one_line(tmp_path, change, message):
    path = write_item(tmp_path, {"blue": {}, "green": {}})
    (tmp_path / "green.tif").unlink()
    item = json.loads(path.read_text())
    change(item)
    path.write_text(json.dumps(item))
    with pytest.raises(WildLensError) as error:
        open_product(path)
    assert message in str(error.value) and "\n" not in str(error.value)
    assert str(path) in str(error.value)


@pytest.mark.parametrize(
    "text", ["", "{", "[" * 100_000, "\ud800".encode("utf-8", "surrogatepass")]
)
def test_invalid_json_is_refused(tmp_path, text):
    path = tmp_path / "item.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(WildLensError, match="is not valid JSON"):
        open_product(path)


# --- addresses, zones and times


@pytest.mark.parametrize(
    ("name", "href"),
    [
        ("my scene.tif", "my%20scene.tif"),
        ("my scene.tif", "./my scene.tif"),
        ("my%20scene.tif", "my%20scene.tif"),  # a literal %
        ("my scene.tif", "https://example.org/a%20b/my%20scene.tif?sig=x%20y"),
        ("my scene.tif", "FOLDER/my%20scene.tif"),
        ("ö.tif", "%C3%B6.tif"),
        ("deep folder/B02.tif", "deep%20folder/B02.tif?x=1"),
        ("my scene.tif", "file:FOLDER/my%20scene.tif"),
        ("my scene.tif", "file://localhostFOLDER/my%20scene.tif"),
        ("my scene.tif", "file://FOLDER/my%20scene.tif"),
    ],
)
def test_percent_encoded_hrefs_are_decoded(tmp_path, name, href):
    write_tif(tmp_path / name, np.ones(SHAPE, "uint16"))
    item = {"type": "Feature", "properties": {},
            "assets": {"B02": {"href": href.replace("FOLDER", str(tmp_path))}}}  # fmt: skip
    (tmp_path / "item.json").write_text(json.dumps(item))
    assert open_product(tmp_path / "item.json").bands["B02"].path == tmp_path / name


@pytest.mark.parametrize(
    "href", ["%2e%2e/B02.tif", "a/%2E%2E/%2e./B02.tif", "file:///a/%2e%2e/b.tif"]
)
def test_encoded_hrefs_outside_folder_are_refused(tmp_path, href):
    write_tif(tmp_path / "B02.tif", np.ones(SHAPE, "uint16"))
    item = {"type": "Feature", "properties": {}, "assets": {"B02": {"href": href}}}
    (tmp_path / "item").mkdir()
    (tmp_path / "item/item.json").write_text(json.dumps(item))
    with pytest.raises(WildLensError, match="leads out of the item's folder"):
        open_product(tmp_path / "item/item.json")


@pytest.mark.parametrize(
    ("stated", "said"),
    [
        ({"proj:code": "EPSG:32634"}, "states EPSG:32634, but its files are in EPSG:32633"),
        ({"proj:epsg": 32632}, "states EPSG:32632, but its files are in EPSG:32633"),
        ({"grid:code": "MGRS-34XWJ"}, "is of tile MGRS-34XWJ, but its files are in EPSG:32633"),
        ({"s2:mgrs_tile": "32XWJ"}, "is of tile 32XWJ, but its files are in EPSG:32633"),
        ({"proj:code": "EPSG:32633", "grid:code": "MGRS-33XWJ"}, None),
        ({}, None),
    ],
)
def test_zone_contradicting_files_gives_warning(tmp_path, stated, said, caplog):
    product = open_product(write_item(tmp_path, {"B02": {}}, **stated))
    assert product.grid == grid()
    assert (said in caplog.text) if said else not caplog.records


@pytest.mark.parametrize("zone", ["UTC", "America/Los_Angeles", "Asia/Tokyo"])
def test_time_without_zone_is_utc(tmp_path, zone, monkeypatch, caplog):
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    product = open_product(write_item(tmp_path, {"B02": {}}, datetime="2023-06-28T10:20:30"))
    assert product.description["sensing_time"] == "2023-06-28T10:20:30Z"
    assert "has no zone and is taken as UTC" in caplog.text
    monkeypatch.undo()
    time.tzset()


def test_time_with_zone_is_unchanged(tmp_path, caplog):
    product = open_product(write_item(tmp_path, {"B02": {}}, datetime="2023-06-28T10:20:30+02:00"))
    assert product.description["sensing_time"] == "2023-06-28T10:20:30+02:00"
    assert not caplog.records


# --- real items


@pytest.mark.parametrize(
    ("name", "offset", "code", "shape", "corner"),
    [
        ("earth-search-v1/S2A_39QTA_20230628_0_L2A", 0, 32639, 10980, (199980, 2100000)),
        ("planetary-computer/sentinel-2-item", -1000, 32624, 10980, (499980, 9100020)),
        ("planetary-computer/S2A_MSIL2A_20200731T080611_R078_T35MNM_20200818T062751", 0, 32735,
         10980, (499980, 9200020)),
    ],
)  # fmt: skip
def test_real_items_are_read(data, name, offset, code, shape, corner):
    product = open_product(data / f"{name}.json")
    assert set(product.offset.values()) == {offset}
    assert product.grid.crs.epsg == code and product.grid.shape == (shape, shape)
    assert (product.grid.affine.c, product.grid.affine.f) == corner
    assert {"B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B11", "B12"} <= set(
        product.bands
    )
    assert product.bands["B11"].resolution == 20 and product.scl.resolution == 20


def test_real_item_without_assets_is_refused(data):
    (path,) = (data / "cdse").iterdir()
    with pytest.raises(WildLensError, match="is not a STAC item"):
        open_product(path)


def test_real_stac_item_agrees_with_safe(data):
    for folder in (data.parent / "s2-safe-metadata").iterdir():
        path = folder / "expected_output.json"
        if not path.is_file():
            continue
        item, product = open_product(path), open_product(folder)
        assert item.offset == {b: product.offset.get(b) for b in item.bands}
        assert item.grid == product.grid and set(item.bands) == set(product.bands)
        for name, band in item.bands.items():
            assert band.resolution == product.bands[name].resolution
            assert band.path.stem == product.bands[name].path.stem
