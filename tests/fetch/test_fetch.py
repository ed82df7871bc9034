"""Fetching: from a real STAC API and file server on loopback to what the scene step reads."""

import io
import json
import logging
import os
import threading
from pathlib import Path
from types import SimpleNamespace

import geopandas
import numpy as np
import pytest
import rasterio
import requests
import shapely
from affine import Affine
from click.testing import CliRunner
from odc.geo.geobox import GeoBox
from stac_server import Endless, FileServer, served, stac_api

from wildlens import progress
from wildlens.cli import cli
from wildlens.errors import WildLensError
from wildlens.fetch import web
from wildlens.fetch.area import area_of
from wildlens.fetch.catalogues import catalogue_of, tokens_of
from wildlens.fetch.choice import candidate_of, candidates, choose
from wildlens.fetch.remote import RemoteFile
from wildlens.fetch.search import search
from wildlens.fetch.session import Session
from wildlens.fetch.step import CHOSEN, fetch_product
from wildlens.fetch.tokens import Bearer, SharedAccess
from wildlens.scene.products import open_product
from wildlens.scene.step import build_scene
from wildlens.settings import Fetch, FetchRequest, Scene

CRS = "EPSG:32634"
SIDE = 900  # px at 10 m: 9 km
LEFT, TOP = 499980.0, 7600020.0
NEXT = LEFT + 8000  # of the neighbouring tile, which overlaps by 1 km
BANDS = ["B02", "B04", "B11"]
BOX = (21.05, 68.45, 21.12, 68.47)  # 2.9 x 2.2 km within the first tile
SUMMER = ("2023-07-01", "2023-08-31")
KEYS = {
    "earth-search": {"B02": "blue", "B04": "red", "B11": "swir16", "SCL": "scl"},
    "planetary-computer": {"B02": "B02", "B04": "B04", "B11": "B11", "SCL": "SCL"},
    "cdse": {"B02": "B02_10m", "B04": "B04_10m", "B11": "B11_20m", "SCL": "SCL_20m"},
}
RESOLUTION = {"B02": 10, "B04": 10, "B11": 20, "SCL": 20}


def write_bands(folder: Path, seed: int, cloudy: float, driver="COG", left=LEFT) -> None:
    """Bands with the +1000 of late baselines in them; `cloudy` of each SCL's rows are cloud."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    for band, resolution in RESOLUTION.items():
        shape = (SIDE * 10 // resolution,) * 2
        values = rng.integers(1100, 4000, shape).astype("uint16")
        if band == "SCL":
            values = np.full(shape, 4, "uint8")
            values[: round(cloudy * shape[0])] = 9
        options = {"driver": driver, "BLOCKSIZE": 128, "COMPRESS": "DEFLATE"}
        if driver == "JP2OpenJPEG":
            options = {"driver": driver, "QUALITY": "100", "REVERSIBLE": "YES", "YCBCR420": "NO"}
        suffix = "jp2" if driver == "JP2OpenJPEG" else "tif"
        transform = Affine(resolution, 0, left, 0, -resolution, TOP)
        with rasterio.open(
            folder / f"{band}.{suffix}", "w", width=shape[1], height=shape[0], count=1,
            dtype=values.dtype, crs=CRS, transform=transform, **options,
        ) as dataset:  # fmt: skip
            dataset.write(values, 1)


def footprint(left=LEFT) -> dict:
    grid = GeoBox((SIDE, SIDE), Affine(10, 0, left, 0, -10, TOP), CRS)
    return grid.extent.to_crs("EPSG:4326").json


def item(dialect: str, name: str, files: str, *, day, cloud, tile="34WEA", left=LEFT,
         baseline="05.09", **more) -> dict:  # fmt: skip
    assets = {key: {"href": f"{files}/{band}.tif", "type": "image/tiff; application=geotiff"}
              for band, key in KEYS[dialect].items()}  # fmt: skip
    properties = {
        "datetime": f"{day}T10:10:10Z", "eo:cloud_cover": cloud, "grid:code": f"MGRS-{tile}",
    }  # fmt: skip
    if dialect == "cdse":
        for asset in assets.values():
            here = asset["href"].replace(".tif", ".jp2")
            asset |= {
                "href": "s3://eodata/x.jp2", "type": "image/jp2", "raster:offset": -0.1,
                "raster:scale": 0.0001, "alternate": {"https": {"href": here}},
                "file:checksum": "d50110ff",
            }  # fmt: skip
        properties["processing:version"] = baseline
    else:
        properties["s2:processing_baseline"] = baseline
    if dialect == "earth-search":
        for band, key in KEYS[dialect].items():
            raster = {"nodata": 0, "data_type": "uint16", "spatial_resolution": RESOLUTION[band]}
            if band != "SCL":
                raster |= {"scale": 0.0001, "offset": -0.1}
            assets[key]["raster:bands"] = [raster]
        properties["earthsearch:boa_offset_applied"] = False
    geometry = footprint(left)
    return {
        "type": "Feature", "stac_version": "1.0.0", "id": name, "collection": dialect,
        "geometry": geometry, "bbox": list(shapely.from_geojson(json.dumps(geometry)).bounds),
        "properties": properties, "assets": assets, "links": [],
    } | more  # fmt: skip


class World:
    """The servers, and what lies on them."""

    def __init__(self, api: str, files: FileServer, address: str):
        self.api, self.files, self.address = api, files, address

    def settings(self, dialect="earth-search", **values) -> Fetch:
        own = {
            "planetary-computer": {"token_address": f"{self.address}/token/{{collection}}"},
            "cdse": {"token_address": f"{self.address}/openid"},
        }.get(dialect, {})
        hosts = {"token_hosts": ["127.0.0.1"]} if own else {}
        return Fetch(**({"catalogue": dialect, "address": self.api, "collection": dialect,
                         "tries": 3, "timeout_s": 20} | own | hosts | values))  # fmt: skip


@pytest.fixture(scope="module")
def servers(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    files = FileServer(folder / "files")
    write_bands(files.folder / "clear", 1, 0.0)
    write_bands(files.folder / "cloudy", 2, 0.9)
    write_bands(files.folder / "next", 3, 0.0, left=NEXT)
    (files.folder / "signed").symlink_to("clear")
    write_bands(files.folder / "secret", 4, 0.0, "JP2OpenJPEG")
    with served(files.app) as address:
        es = "earth-search"
        items = {
            es: [
                item(es, "clouds-here", f"{address}/cloudy", day="2023-07-10", cloud=5),
                item(es, "old", f"{address}/gone", day="2023-07-20", cloud=1, baseline="05.00"),
                item(es, "best", f"{address}/clear", day="2023-07-20", cloud=12),
                item(es, "later", f"{address}/clear", day="2023-08-20", cloud=60),
                item(es, "next", f"{address}/next", day="2023-07-12", cloud=0, tile="34WFA",
                     left=NEXT),
                *(item(es, f"spring-{k}", f"{address}/gone", day="2023-05-01", cloud=90)
                  for k in range(250)),
            ],
            "planetary-computer": [
                item("planetary-computer", "pc", f"{address}/signed", day="2023-07-20", cloud=3)
            ],
            "cdse": [item("cdse", "cdse", f"{address}/secret", day="2023-07-20", cloud=3)],
        }  # fmt: skip
        with served(stac_api(folder, items)) as api:
            yield World(api, files, address)


@pytest.fixture
def world(servers, monkeypatch):
    monkeypatch.setattr(web, "FIRST_PAUSE", 0.001)
    monkeypatch.setenv("CDSE_USERNAME", "ann")
    monkeypatch.setenv("CDSE_PASSWORD", "secret")
    servers.files.requests.clear()
    servers.files.faults.clear()
    servers.files.token, servers.files.retry_after, servers.files.sent = "good", "0", 0
    return servers


def fetch_request(**values) -> FetchRequest:
    return FetchRequest(**({"box": BOX, "dates": SUMMER} | values))


def fetched(world, folder, dialect="earth-search", bands=BANDS, **values) -> Path:
    output = folder / "north/item.json"
    fetch_product(output, fetch_request(**values), bands, world.settings(dialect))
    return output


def scene_of(product: Path, folder: Path) -> tuple[np.ndarray, dict]:
    build_scene(product, folder / "scene.tif", Scene(bands=BANDS, resampling="nearest"))
    with rasterio.open(folder / "scene.tif") as dataset:
        return dataset.read(), {"transform": dataset.transform, "tags": dataset.tags()}


def expected_scene(source: Path, transform: Affine, shape) -> np.ndarray:
    """The same land from the files on the server, read by itself: reflectance x 10000."""
    column, row = (round(v) for v in ~Affine(10, 0, LEFT, 0, -10, TOP) * (transform.c, transform.f))
    bands = []
    for band in BANDS:
        (path,) = source.glob(f"{band}.*")
        with rasterio.open(path) as dataset:
            values = dataset.read(1)
        values = values.repeat(SIDE // values.shape[0], 0).repeat(SIDE // values.shape[1], 1)
        bands.append(values[row : row + shape[0], column : column + shape[1]].astype(int) - 1000)
    return np.stack(bands)


@pytest.mark.parametrize(
    ("dialect", "name", "files"),
    [("earth-search", "best", "clear"), ("planetary-computer", "pc", "clear"),
     ("cdse", "cdse", "secret")],
)  # fmt: skip
def test_fetched_product_covers_the_requested_area(world, tmp_path, dialect, name, files):
    product = fetched(world, tmp_path, dialect)
    assert json.loads(product.read_text())["id"] == name
    values, found = scene_of(product, tmp_path)
    expected = expected_scene(world.files.folder / files, found["transform"], values.shape[1:])
    assert (values == expected).all()
    assert found["tags"]["offset_origin"] == "metadata"
    # no more than the box, in steps of 60 m
    height, width = values.shape[1:]
    assert 2200 <= 10 * height <= 2200 + 300 and 2850 <= 10 * width <= 2850 + 300
    assert (found["transform"].c - LEFT) % 60 == 0 and (TOP - found["transform"].f) % 60 == 0


def test_only_blocks_of_the_area_are_requested(world, tmp_path):
    fetched(world, tmp_path, bands=["B02"])
    whole = (world.files.folder / "clear/B02.tif").stat().st_size
    spans = [s.removeprefix("bytes=").split("-") for s in world.files.ranges("clear/B02.tif")]
    assert spans and sum(int(b) - int(a) + 1 for a, b in spans) < 0.5 * whole
    assert {path for path, *_ in world.files.requests} == {
        "clear/B02.tif", "clear/SCL.tif", "cloudy/SCL.tif"
    }  # fmt: skip


def test_gdals_own_threads_never_ask_for_bytes(world, tmp_path, monkeypatch):
    """They would wait for Python's lock, and a raster that is closed with that lock for them."""
    callers, content = [], RemoteFile.content

    def noted(self, start, stop):
        callers.append(threading.current_thread())
        return content(self, start, stop)

    monkeypatch.setattr(RemoteFile, "content", noted)
    monkeypatch.setenv("GDAL_NUM_THREADS", "4")
    # one connection, which cannot wait for another
    fetch_product(tmp_path / "item.json", fetch_request(), BANDS, world.settings(connections=1))
    # Python has no record of a thread that GDAL started
    assert callers and not any(isinstance(one, threading._DummyThread) for one in callers)


def test_choice_is_by_clear_share_of_the_area(world, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    product = fetched(world, tmp_path)  # "clouds-here" has less cloud by its catalogue
    assert json.loads(product.read_text())["id"] == "best"
    assert (
        "clouds-here: 2023-07-10, cloud cover of its tile 5.0 %; 0.0 % of the area" in caplog.text
    )
    assert "old" not in caplog.text  # the same day, processed anew


def test_many_pages_are_read_and_clouds_asked_for(world):
    settings = world.settings()
    year = fetch_request(dates=("2023-01-01", "2023-12-31"), max_cloud=100)
    area = area_of(BOX, None)
    found = search(web.Web(settings), catalogue_of(settings), year, area)
    assert len({one["id"] for one in found}) == len(found) == 254  # all but "next"
    found = search(web.Web(settings), catalogue_of(settings), fetch_request(max_cloud=20), area)
    assert sorted(one["id"] for one in found) == ["best", "clouds-here", "old"]


def test_second_call_resumes_the_first(world, tmp_path):
    world.files.faults["clear/B11.tif"] = [404]
    with pytest.raises(WildLensError, match=r"B11\.tif: the server answers 404"):
        fetched(world, tmp_path)
    folder = tmp_path / "north"
    there = {p.name: p.stat().st_mtime_ns for p in folder.glob("*.tif")}
    assert "item.json" not in there and "B11.tif" not in there and CHOSEN in names(folder)
    world.files.requests.clear()
    product = fetched(world, tmp_path)
    asked = {path for path, *_ in world.files.requests}
    assert "clear/B11.tif" in asked
    assert not asked & {f"clear/{name}" for name in there}  # nor is the search made again
    assert "cloudy/SCL.tif" not in asked
    values, found = scene_of(product, tmp_path)
    assert (values == expected_scene(
        world.files.folder / "clear", found["transform"], values.shape[1:])).all()  # fmt: skip
    # a third has nothing to do, and changes nothing
    before = product.read_bytes()
    world.files.requests.clear()
    fetched(world, tmp_path)
    assert not world.files.requests and product.read_bytes() == before
    # another area is another product
    fetched(world, tmp_path, box=(21.05, 68.45, 21.10, 68.46))
    assert world.files.ranges("clear/B02.tif")


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.mark.parametrize("fault", [503, 429, 500, "cut"])
def test_transient_failures_are_retried(world, tmp_path, fault):
    world.files.faults["clear/B02.tif"] = [fault, fault, None, fault, fault]
    product = fetched(world, tmp_path)
    values, found = scene_of(product, tmp_path)
    expected = expected_scene(world.files.folder / "clear", found["transform"], values.shape[1:])
    assert (values == expected).all()


def test_interrupted_download_resumes(world, tmp_path):
    world.files.faults["secret/B02.jp2"] = ["cut", "cut"]
    fetched(world, tmp_path, "cdse")
    size = (world.files.folder / "secret/B02.jp2").stat().st_size
    spans = world.files.ranges("secret/B02.jp2")
    starts = [int(span[6:-1] or 0) for span in spans]
    assert starts == sorted(starts) and 0 < starts[1] <= size // 2 < starts[2] < size
    with rasterio.open(tmp_path / "north/B02.tif") as dataset:
        assert dataset.read(1).min() >= 1100


def test_servers_without_range_requests_are_read_whole(world, tmp_path):
    world.files.faults["clear/B04.tif"] = ["whole"] * 9
    values, found = scene_of(fetched(world, tmp_path), tmp_path)
    expected = expected_scene(world.files.folder / "clear", found["transform"], values.shape[1:])
    assert (values == expected).all()


def test_tokens_are_renewed_and_never_written(world, tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    fetched(world, tmp_path, "planetary-computer")
    world.files.token = "better"
    settings = world.settings("planetary-computer")
    connection = web.Web(settings)
    connection.tokens = tokens_of(catalogue_of(settings), connection)
    assert connection.part(f"{world.address}/signed/B02.tif", 0, 4)[0][:2] == b"II"
    world.files.token = "best"
    assert connection.part(f"{world.address}/signed/B02.tif", 0, 4)[0][:2] == b"II"
    written = "".join(p.read_text() for p in (tmp_path / "north").glob("*.json"))
    with rasterio.open(tmp_path / "north/B02.tif") as dataset:
        written += str(dataset.tags())
    ours = "".join(r.getMessage() for r in caplog.records if r.name.startswith("wildlens"))
    assert "sig=" not in written + ours


def test_tokens_are_sent_to_their_own_hosts_only(world, tmp_path):
    files, settings = FileServer(world.files.folder), world.settings("cdse")
    with served(files.app) as other:
        elsewhere = other.replace("127.0.0.1", "localhost") + "/secret/B02.jp2"
        world.files.faults["secret/B02.jp2"] = [elsewhere] * 9
        with pytest.raises(WildLensError, match=r"answers 401|refuses the token"):
            fetch_product(tmp_path / "y/item.json", fetch_request(), ["B02"], settings)
        assert files.requests and {authorization for _, _, authorization, _ in files.requests} == {
            ""
        }


@pytest.mark.parametrize(
    ("address", "gets"),
    [
        ("https://files.example.org/x", True),
        ("https://example.org/x", True),
        ("http://files.example.org/x", False),  # readable on the way
        ("https://example.org.evil.net/x", False),
        ("https://evilexample.org/x", False),
        ("https://evil.net/?example.org", False),
    ],
)
def test_tokens_match_their_domain_only(address, gets):
    for token in (Bearer, SharedAccess):
        one = token(web.Web(Fetch()), "https://id.example.org/token", ("example.org",))
        assert one.is_for(address) == gets


def test_an_item_by_its_address(world, tmp_path):
    address = f"{world.api}/collections/earth-search/items/later"
    output = tmp_path / "one/item.json"
    fetch_product(output, FetchRequest(item=address, box=BOX), BANDS, world.settings())
    assert json.loads(output.read_text())["id"] == "later"
    output = tmp_path / "whole/item.json"
    fetch_product(output, FetchRequest(item=address), ["B11"], world.settings())
    with rasterio.open(tmp_path / "whole/B11.tif") as dataset:
        assert dataset.shape == (SIDE // 2, SIDE // 2)


@pytest.mark.parametrize("provider", ["earth-search-v1", "planetary-computer"])
def test_real_items_keep_what_they_say_of_the_offset(world, tmp_path, provider):
    root = os.environ.get("WILDLENS_TEST_DATA")
    if not root:
        pytest.skip("WILDLENS_TEST_DATA is not set")
    for path in sorted((Path(root) / "s2-stac-items" / provider).glob("*.json")):
        real = json.loads(path.read_text())
        for key, found in real["assets"].items():
            band = next((b for b in RESOLUTION if key in (b, KEYS["earth-search"][b])), None)
            if band:
                found["href"] = f"{world.address}/clear/{band}.tif"
        (world.files.folder / "real.json").write_text(json.dumps(real))
        output = tmp_path / path.stem / "item.json"
        request = FetchRequest(item=f"{world.address}/real.json")
        fetch_product(output, request, BANDS, world.settings())
        before, after = open_product(path), open_product(output)
        assert after.offset == {band: before.offset[band] for band in BANDS}
        assert after.quantification == before.quantification
        assert after.description == before.description
        assert after.scl is not None and after.grid.shape == (SIDE, SIDE)


def test_clear_share_is_that_of_the_polygons(world, tmp_path):
    # its box is half cloudy in "clouds-here", its land is not: the last tenth of the tile
    south = TOP - 10 * SIDE
    strips = shapely.box(LEFT + 500, south + 100, LEFT + 900, south + 800)
    path = tmp_path / "land.gpkg"
    geopandas.GeoSeries([strips], crs=CRS).to_frame("geometry").to_file(path)
    output = tmp_path / "north/item.json"
    request = FetchRequest(polygons=str(path), dates=SUMMER)
    fetch_product(output, request, ["B02"], world.settings(candidates=1))
    assert json.loads(output.read_text())["id"] == "clouds-here"


def test_the_list_names_the_clearest_of_each_tile(world):
    runner = CliRunner()
    settings = Path("fetch.yaml")
    with runner.isolated_filesystem():
        settings.write_text(json.dumps(world.settings().model_dump()))
        result = runner.invoke(cli, [
            "fetch", "--list", "--box", "21.05", "68.45", "21.4", "68.47", "--dates", *SUMMER,
            "--band", "B02", "--settings", str(settings),
        ])  # fmt: skip
    assert result.exit_code == 0, result.output
    lines = [line.split() for line in result.output.splitlines()]
    assert [line[0] for line in lines] == ["tile", "34WFA", "34WEA"]
    assert lines[1][-1] == "next" and lines[2][-1] == "clouds-here"


def test_one_broken_candidate_does_not_stop_the_others(world, tmp_path, caplog):
    world.files.faults["cloudy/SCL.tif"] = [404]
    product = fetched(world, tmp_path, bands=["B02"])
    assert json.loads(product.read_text())["id"] == "best"
    assert "clouds-here: is skipped" in caplog.text


def test_cloudy_items_are_dropped_without_server_filter():
    cloudy = [item("earth-search", f"{cloud}", "x", day="2023-07-20", cloud=cloud)
              for cloud in (70, 40)]  # fmt: skip
    area = area_of(BOX, None)
    with pytest.raises(
        WildLensError, match=r"the clearest has 40 % cloud cover: raise `max_cloud`"
    ):
        candidates(cloudy, fetch_request(max_cloud=30), BANDS, area, "x")
    ranked = candidates(cloudy, fetch_request(max_cloud=50), BANDS, area, "x")
    assert [one.name for one in ranked] == ["40"]


def test_candidates_are_ranked_as_documented():
    def one(name, **values):
        return item("earth-search", name, "x", **({"day": "2023-07-20", "cloud": 10} | values))

    items = [
        one("half", left=LEFT + 3900, cloud=0, tile="34WFA"),  # holds half of the area
        one("old", baseline="05.00", cloud=1),
        one("new"),
        one("earlier", day="2023-07-10"),
        one("cloudier", day="2023-07-11", cloud=11),
    ]
    box = GeoBox((100, 200), Affine(10, 0, LEFT + 2900, 0, -10, TOP - 3000), CRS).extent
    area = area_of(tuple(box.to_crs("EPSG:4326").boundingbox), None)
    ranked = candidates(items, fetch_request(max_cloud=100), BANDS, area, "x")
    assert [c.name for c in ranked] == ["new", "earlier", "cloudier", "half"]
    assert [round(c.covers, 1) for c in ranked] == [1, 1, 1, 0.5]


def newest_of(*items) -> list[str]:
    ranked = candidates(items, fetch_request(max_cloud=100), BANDS, area_of(BOX, None), "x")
    return [c.name for c in ranked]


def processed(name, baseline, made=None, cloud=10):
    more = {} if made is None else {"s2:generation_time": made}
    one = item("earth-search", name, "x", day="2023-07-20", cloud=cloud, baseline=baseline)
    one["properties"] |= more
    return one


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        (("99.99", None), ("05.10", None)),
        (("99.99", "2024-01-01T00:00:00Z"), ("02.14", "2020-01-01T00:00:00Z")),
        (("05.09", None), ("05.10", None)),
        (("9.9", None), ("10.0", None)),
        (("05.10", "2023-09-01T00:00:00Z"), ("05.10", "2023-10-01T00:00:00Z")),
        (("05.10", "2023-09-01T23:00:00-02:00"), ("05.10", "2023-09-02T01:30:00Z")),
        (("99.33", "2023-01-01T00:00:00Z"), ("99.33", "2023-01-02T00:00:00Z")),
        (("nonsense", None), ("02.12", None)),
    ],
)
def test_newest_processing_is_by_number_and_esas_before_others(older, newer):
    one, two = processed("older", *older), processed("newer", *newer)
    assert newest_of(one, two) == newest_of(two, one) == ["newer"]


@pytest.mark.parametrize("cloud", [None, "3", -1, 101, float("nan"), True])
def test_item_without_cloud_cover_is_ranked_last(cloud):
    def one(name, cover, day):
        return item("earth-search", name, "x", day=day, cloud=cover)

    items = [one("unknown", cloud, "2023-07-22"), one("cloudy", 90, "2023-07-20"),
             one("clear", 5, "2023-07-21")]  # fmt: skip
    assert newest_of(*items) == ["clear", "cloudy", "unknown"]


def test_item_without_cloud_cover_needs_scene_classification(caplog):
    clear, unknown = (
        candidate_of(item("earth-search", name, "x", day="2023-07-20", cloud=cloud), None)
        for name, cloud in (("clear", 40), ("unknown", None))
    )
    shares = {"clear": 0.6, "unknown": 0.9}
    assert choose([clear, unknown], lambda c: shares[c.name], 0.5) is unknown
    assert choose([unknown, clear], lambda c: None, 0.5) is clear
    assert "unknown: states no cloud cover and has no scene classification" in caplog.text
    with pytest.raises(WildLensError, match="states no cloud cover"):
        choose([unknown], lambda c: None, 0.0)


def asset(found: dict, key: str, **values) -> dict:
    found["assets"][key] |= values
    return found


def lone_item(world, tmp_path, change) -> FetchRequest:
    """An item that a hostile or careless server gives, by its address."""
    found = item("earth-search", "lone", f"{world.address}/clear", day="2023-07-20", cloud=0)
    change(found)
    (world.files.folder / "lone.json").write_text(json.dumps(found))
    return FetchRequest(item=f"{world.address}/lone.json", box=BOX)


SEARCHES = {
    "nobody is there": (
        {}, {"address": "http://127.0.0.1:9"}, "127.0.0.1:9: the server cannot be reached",
    ),
    "no STAC API": ({}, {"address": "FILES/clear/B02.tif"}, "does not answer as a STAC API"),
    "no such page": ({}, {"address": "FILES/nothing"}, "the server answers 404"),
    "no item": ({"dates": ("2001-01-01", "2001-02-01")}, {}, "0 products from 2001-01-01 to"),
    "no item here": ({"box": (10.0, 50.0, 10.1, 50.1)}, {}, "0 products from 2023-07-01"),
    "no such collection": ({}, {"collection": "sentinel-9"}, "sentinel-9"),
    "no such tile": ({"tile": "33VXF"}, {}, "none is of tile 33VXF, they are of 34WEA"),
    "cloudy by the catalogue": ({"max_cloud": 0.5}, {}, "raise `max_cloud`"),
    "cloudy by the pixels": (
        {"dates": ("2023-07-10", "2023-07-10")}, {},
        "clouds-here: is the clearest of 1 products, and shows 0 % of the area",
    ),
    "too much": ({}, {"max_gb": 1e-5}, "max_gb"),
}  # fmt: skip


@pytest.mark.parametrize("case", SEARCHES)
def test_failed_searches_are_one_line(world, tmp_path, case):
    request, settings, said = SEARCHES[case]
    values = {k: v.replace("FILES", world.address) if isinstance(v, str) else v
              for k, v in settings.items()}  # fmt: skip
    with pytest.raises(WildLensError) as caught:
        fetch_product(
            tmp_path / "x/item.json", fetch_request(**request), BANDS, world.settings(**values)
        )
    assert said in str(caught.value) and "\n" not in str(caught.value)
    assert not (tmp_path / "x/item.json").exists()


def href(value):
    return lambda found: asset(found, "blue", href=value)


ITEMS = {
    "a file of this machine": (href("file:///etc/passwd"), "no http or https address"),
    "a relative path": (href("../../../etc/passwd"), "no http or https address"),
    "another scheme": (href("ftp://127.0.0.1/x.tif"), "no http or https address"),
    "a bucket": (href("s3://bucket/B02.tif"), "its href is 's3://bucket/B02.tif'"),
    "credentials in it": (href("http://a:b@127.0.0.1/x.tif"), "not an http or https address"),
    "no address at all": (href(None), "no http or https address"),
    "not there": (href("FILES/clear/B99.tif"), "B99.tif: the server answers 404"),
    "no raster": (href("FILES/lone.json"), "lone.json: cannot be opened as GTiff"),
    "not the band": (lambda found: found["assets"].pop("red"), "has no B04"),
    "level 1C": (
        lambda found: found["properties"].update({"s2:product_type": "S2MSI1C"}), "Level-1C",
    ),
    "no properties": (lambda found: found.update(properties=[]), "is not a STAC item"),
    "no assets": (lambda found: found.update(assets=[1]), "is not a STAC item"),
}  # fmt: skip


@pytest.mark.parametrize("case", ITEMS)
def test_hostile_items_are_refused_in_one_line(world, tmp_path, case):
    change, said = ITEMS[case]
    request = lone_item(world, tmp_path, change)
    text = (world.files.folder / "lone.json").read_text().replace("FILES", world.address)
    (world.files.folder / "lone.json").write_text(text)
    output = tmp_path / "x/item.json"
    with pytest.raises(WildLensError) as caught:
        fetch_product(output, request, BANDS, world.settings())
    assert said in str(caught.value) and "\n" not in str(caught.value)
    assert not output.exists()


def test_names_of_items_do_not_become_paths(world, tmp_path):
    def evil(found):
        found.update(id="../../../evil\n\x1b[31m", collection="/etc")
        found["assets"]["../../evil"] = found["assets"].pop("blue")
        found["assets"]["blue"] = found["assets"].pop("../../evil")

    output = tmp_path / "deep/x/item.json"
    fetch_product(output, lone_item(world, tmp_path, evil), BANDS, world.settings())
    assert names(tmp_path / "deep") == {"x"} and names(tmp_path) == {"deep"}
    assert names(output.parent) == {"item.json", CHOSEN, *(f"{b}.tif" for b in [*BANDS, "SCL"])}


FAULTS = {
    "a circle": (lambda world: [f"{world.address}/clear/B02.tif"] * 99, "more than 5 redirects"),
    "to another scheme": (lambda world: ["ftp://127.0.0.1/x"] * 9, "an http or https address"),
    "to a file": (lambda world: ["file:///etc/passwd"] * 9, "an http or https address"),
    "never well": (lambda world: [503] * 99, "the server answers 503, tried 3 times"),
    "always cut": (lambda world: ["cut"] * 99, "the transfer broke"),
    "replaced meanwhile": (lambda world: [None, *["other"] * 99], "was replaced while it was read"),
    "forbidden": (lambda world: [403] * 9, "the server answers 403: it is not allowed"),
    "a page for people": (lambda world: ["<html>"] * 99, "B02.tif: cannot be opened as GTiff"),
}


@pytest.mark.parametrize("case", FAULTS)
def test_server_failures_are_one_line(world, tmp_path, case):
    make, said = FAULTS[case]
    world.files.faults["clear/B02.tif"] = make(world)
    with pytest.raises(WildLensError) as caught:
        fetched(world, tmp_path)
    assert said in str(caught.value) and "\n" not in str(caught.value)
    assert not (tmp_path / "north/item.json").exists()
    assert not (tmp_path / "north/B02.tif").exists()


ENDLESS = {
    "a part": (206, {"Content-Range": "bytes 0-65535/9999999"}, "limit of 65,536 bytes"),
    "a file": (200, {}, "limit of 4,000,000 bytes"),
    "a file that is not there": (404, {}, "the server answers 404: not found"),
    "a refusal": (403, {}, "the server answers 403: it is not allowed"),
    "a failure": (503, {}, "the server answers 503, tried 3 times"),
    "a redirect": (302, {"Location": "/clear/B02.tif"}, "more than 5 redirects"),
}  # fmt: skip


@pytest.mark.parametrize("case", ENDLESS)
def test_endless_answers_are_not_read(world, tmp_path, case):
    status, headers, said = ENDLESS[case]
    world.files.faults["clear/B02.tif"] = [Endless(status, headers)] * 99
    request = lone_item(world, tmp_path, lambda found: found["assets"].pop("scl"))
    with pytest.raises(WildLensError) as caught:
        fetch_product(tmp_path / "x/item.json", request, ["B02"], world.settings(max_gb=0.004))
    assert said in str(caught.value) and "\n" not in str(caught.value)
    # a few buffers of a connection each
    assert world.files.sent < 4e6 + 6 * 16e6


def test_endless_items_are_not_read(world, tmp_path):
    world.files.faults["lone.json"] = [Endless(200, {})]
    request = lone_item(world, tmp_path, lambda found: None)
    with pytest.raises(WildLensError, match=r"lone\.json: sends more than the limit of"):
        fetch_product(tmp_path / "x/item.json", request, ["B02"], world.settings())
    assert world.files.sent < web.MAX_TEXT + 16e6


@pytest.mark.parametrize(
    ("asked", "longest", "pause"),
    [("2", 0.3, "0.3"), ("0", 60, "0.0"), ("soon", 60, "0.0"), ("9" * 5000, 60, "0.0")],
)
def test_pause_is_what_the_server_asks_for_up_to_a_limit(
    world, tmp_path, monkeypatch, caplog, asked, longest, pause
):
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(web, "LONGEST_PAUSE", longest)
    world.files.faults["clear/B02.tif"] = [429]
    world.files.retry_after = asked
    fetched(world, tmp_path, bands=["B02"])
    assert f"B02.tif: the server answers 429; next try in {pause} s" in caplog.text


@pytest.mark.parametrize(
    ("address", "target", "followed"),
    [
        ("https://a.example/x", "https://b.example/y", True),
        ("http://a.example/x", "https://a.example/x", True),
        ("https://a.example/x", "/y", True),
        ("https://a.example/x", "//b.example/y", True),
        ("https://a.example/x", "http://a.example/x", False),  # readable on the way
        ("http://a.example/x", "file:///etc/passwd", False),
        ("https://a.example/x", "ftp://a.example/x", False),
    ],
)
def test_redirects_lead_to_addresses_as_safe(monkeypatch, address, target, followed):
    def answer(self, method, target_of, **more):
        response = requests.Response()
        response.url, response.raw = target_of, io.BytesIO()
        response.status_code = 302 if target_of == address else 200
        response.headers["Location"] = target
        return response

    monkeypatch.setattr(requests.Session, "request", answer)
    if followed:
        assert Session().follow("GET", address).status_code == 200
    else:
        with pytest.raises(requests.exceptions.InvalidSchema):
            Session().follow("GET", address)


def test_transfer_logs_progress_and_remaining_time(monkeypatch, caplog):
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(progress, "INTERVAL", 0.0)
    clock = iter([0.0, 10.0, 40.0])
    # a module of its own: the servers of other tests read the real clock
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    with progress.Transfer("fetch north") as transfer:
        transfer.update(0.25, 30_000_000)
        transfer.update(1.0, 120_000_000)
    assert caplog.messages == [
        "fetch north: 25 %, 30.0 MB, 3 MB/s, 30 s left",
        "fetch north: 100 %, 120.0 MB, 3 MB/s, 0 s left",
    ]


def test_cdse_needs_valid_credentials(world, tmp_path, monkeypatch):
    monkeypatch.setenv("CDSE_PASSWORD", "wrong")
    with pytest.raises(WildLensError, match="openid: the server answers 401"):
        fetched(world, tmp_path, "cdse")
    monkeypatch.delenv("CDSE_PASSWORD")
    with pytest.raises(
        WildLensError, match="set CDSE_USERNAME and CDSE_PASSWORD in the environment"
    ):
        fetched(world, tmp_path, "cdse")


def test_password_is_sent_to_no_other_address(world, tmp_path):
    other = FileServer(world.files.folder)
    with served(other.app) as elsewhere:
        world.files.faults["openid"] = [f"{elsewhere}/openid"]
        with pytest.raises(WildLensError, match=r"openid: redirects .* set fetch\.token_address"):
            fetched(world, tmp_path, "cdse")
    assert not other.asked


def test_fetch_and_scene_commands_give_a_scene(world, tmp_path):
    settings = tmp_path / "fetch.yaml"
    settings.write_text(json.dumps(world.settings().model_dump()))
    box = [str(side) for side in BOX]
    runner = CliRunner()
    result = runner.invoke(cli, ["fetch", "-o", str(tmp_path / "n/item.json"), "--box", *box,
                                 "--dates", *SUMMER, "--settings", str(settings),
                                 "--band", "B02", "--band", "B04"])  # fmt: skip
    assert result.exit_code == 0, result.output
    scene = tmp_path / "scene.yaml"
    scene.write_text("bands: [B04, B02]")
    result = runner.invoke(cli, ["scene", str(tmp_path / "n/item.json"), "-o",
                                 str(tmp_path / "s.tif"), "--settings", str(scene)])  # fmt: skip
    assert result.exit_code == 0, result.output
    with rasterio.open(tmp_path / "s.tif") as dataset:
        assert dataset.descriptions == ("B04", "B02") and dataset.read().any()
