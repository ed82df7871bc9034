"""Metadata are hostile: whatever they hold, a reader reads it or refuses it in one line."""

import json
import math
import re
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis
from hypothesis import strategies as st
from products import BAND_IDS, SHAPE, image_entry, metadata_xml, tile_xml

from wildlens.anthroprotect.dataset import read_table
from wildlens.errors import WildLensError
from wildlens.landcover.crosswalk import read_crosswalk
from wildlens.scene.products import open_product
from wildlens.scene.products.safe import read_metadata, read_tile_grid

fuzzed = hypothesis(
    max_examples=80, deadline=None, database=None, derandomize=True,
    suppress_health_check=list(HealthCheck),
)  # fmt: skip


@pytest.fixture(scope="module")
def folder():
    with tempfile.TemporaryDirectory() as path:
        yield Path(path)


def read_or_refuse(reader, path: Path, content: bytes):
    """What a reader makes of a file; None if it refuses it, properly."""
    path.write_bytes(content)
    try:
        return reader(path)
    except WildLensError as error:
        assert "\n" not in str(error) and str(path) in str(error)
        return None


HOSTILE = (
    "", "nan", "inf", "1e400", "-1", "0", "99999999999999999999", "0.5", "x" * 3000, "../../etc",
    "/etc/passwd", "EPSG:99999", "EPSG:4326", "\n", "<", "&a;", "\ufeff", "\x00", "1,2", '"',
)  # fmt: skip
VALUE = re.compile(r"(?<=[>,\n\"])[^<>,\n\"]+(?=[<,\n\"])")


@st.composite
def mutated(draw, text: str) -> bytes:
    """A sound file of which one value is replaced, or a few stretches are cut or doubled."""
    if draw(st.booleans()):
        found = draw(st.sampled_from(list(VALUE.finditer(text))))
        return (text[: found.start()] + draw(hostile) + text[found.end() :]).encode()
    content = text.encode()
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(content)))
        stop = min(len(content), start + draw(st.integers(0, 60)))
        middle = draw(st.binary(max_size=12) | st.just(content[start:stop] * 2))
        content = content[:start] + middle + content[stop:]
    return content


hostile = st.sampled_from(HOSTILE) | st.text(max_size=5)
SAFE_XML = metadata_xml(
    [image_entry(band, 10) for band in ("B02", "B03", "B04", "B08")],
    dict.fromkeys(BAND_IDS, -1000),
)


@fuzzed
@given(content=mutated(SAFE_XML))
def test_product_metadata(folder, content):
    metadata = read_or_refuse(read_metadata, folder / "MTD_MSIL2A.xml", content)
    if metadata is not None:
        assert metadata.quantification > 0 and math.isfinite(metadata.quantification)
        assert all(isinstance(value, int) for value in metadata.offset.values())
        assert not any(".." in image.parts or image.is_absolute() for image in metadata.images)


@fuzzed
@given(content=mutated(tile_xml(SHAPE)))
def test_tile_metadata(folder, content):
    grid = read_or_refuse(read_tile_grid, folder / "MTD_TL.xml", content)
    if grid is not None:
        assert min(grid.shape) > 0 and grid.affine.determinant != 0
        assert all(map(math.isfinite, grid.affine[:6])) and grid.crs is not None


leaves = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8),
    st.sampled_from([10, 0.0001, -0.1, "EPSG:32633", 32633, "05.09", "99.99", "B02.tif", "../x"]),
)  # fmt: skip
values = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=8,
)
KEYS = [
    "href", "gsd", "proj:transform", "proj:shape", "proj:code", "proj:epsg", "raster:bands",
    "bands", "raster:scale", "raster:offset", "scale", "offset", "s2:processing_baseline",
    "processing:version", "earthsearch:boa_offset_applied", "s2:product_type", "datetime",
]  # fmt: skip
objects = st.dictionaries(st.sampled_from(KEYS), values, max_size=6)
ASSETS = ["blue", "B02", "B8A", "red_20m", "scl"]
sound = {
    "href": "B02.tif", "proj:transform": [10, 0, 499980, 0, -10, 8900040], "proj:shape": [60, 72],
    "proj:code": "EPSG:32633",
}  # fmt: skip


@fuzzed
@given(
    assets=st.dictionaries(
        st.sampled_from(["blue", "B02", "B8A", "red_20m", "scl"]), objects | values
    ),
    properties=objects | values,
    whole=st.booleans(),
)
def test_items(folder, assets, properties, whole):
    if whole:
        assets = {k: sound | (v if isinstance(v, dict) else {}) for k, v in assets.items()}
    item = {"type": "Feature", "properties": properties, "assets": assets}
    product = read_or_refuse(open_product, folder / "item.json", json.dumps(item).encode())
    if product is not None:
        assert product.bands and 0 < product.quantification < math.inf
        assert product.offset is None or all(isinstance(v, int) for v in product.offset.values())
        assert min(product.grid.shape) > 0


TABLE = "file,lon,lat,category,label,dataset\n" + "".join(
    f"wdpa-Ib_{n}_0.tif,8.{n},60,wdpa-Ib,1,train\n" for n in range(6)
)


@fuzzed
@given(content=mutated(TABLE))
def test_tables_of_anthroprotect(folder, content):
    table = read_or_refuse(read_table, folder / "infos.csv", content)
    if table is not None:
        assert table["file"].is_unique and set(table["split"]) <= {"train", "val", "test"}
        assert not table["file"].str.contains("/", regex=False).any()


@fuzzed
@given(content=mutated("value,code,name\n1,412,bog\n2,211,field\n255,0,none\n"))
def test_tables_of_users(folder, content):
    read_or_refuse(read_crosswalk, folder / "table.csv", content)


@fuzzed
@given(
    content=st.binary(max_size=200) | st.binary(max_size=99).map(b"PK\x03\x04".__add__),
    name=st.sampled_from(["a.zip", "a.json", "a.tif", "a.jp2"]),
)
def test_files_of_any_kind(folder, content, name):
    read_or_refuse(open_product, folder / name, content)


# --- every value of a sound file in turn


def test_every_value_of_tile_metadata(folder):
    text = tile_xml(SHAPE)
    for value in VALUE.finditer(text):
        for replacement in HOSTILE:
            content = (text[: value.start()] + replacement + text[value.end() :]).encode()
            grid = read_or_refuse(read_tile_grid, folder / "MTD_TL.xml", content)
            assert grid is None or (min(grid.shape) > 0 and grid.affine.determinant != 0)


def places(value, path=()):
    """Paths of all values in nested lists and dictionaries."""
    if not isinstance(value, dict | list):
        return
    for key, below in value.items() if isinstance(value, dict) else enumerate(value):
        yield (*path, key)
        yield from places(below, (*path, key))


def test_every_value_of_an_item(folder):
    asset = sound | {"raster:bands": [{"scale": 0.0001, "offset": -0.1}]}
    properties = {"s2:processing_baseline": "04.00", "earthsearch:boa_offset_applied": False}
    item = {"type": "Feature", "id": "a", "properties": properties, "assets": {"blue": asset}}
    hostile = [
        None,
        True,
        [],
        {},
        -1,
        0,
        99999,
        1e308,
        math.nan,
        10**400,
        [1],
        [1e308] * 6,
        [0] * 6,
    ]
    for *parents, last in places(item):
        for replacement in (*hostile, *HOSTILE):
            changed = holder = json.loads(json.dumps(item))
            for key in parents:
                holder = holder[key]
            holder[last] = replacement
            content = json.dumps(changed).encode()
            product = read_or_refuse(open_product, folder / "item.json", content)
            if product is not None:
                assert min(product.grid.shape) > 0 and product.grid.affine.determinant != 0
                assert 0 < product.quantification < math.inf
