import json
import logging
import warnings

import geopandas
import numpy as np
import pyogrio
import pytest
import rasterio
import shapely
import xarray
from rasterio.transform import from_origin
from tile_region import (
    BANDS,
    BOG,
    FIELD,
    FOREST,
    SIZE,
    Region,
    add_scene,
    naive_shares,
    one_scene,
    settings,
    write,
    write_areas,
)

from wildlens.errors import WildLensError
from wildlens.files.origin import read_origin
from wildlens.provenance import digest
from wildlens.settings import Tiles
from wildlens.tiles.labels import UNLABELLED, label_tiles
from wildlens.tiles.sources import open_sources
from wildlens.tiles.step import build_tiles
from wildlens.tiles.store import open_tiles


@pytest.fixture
def region(tmp_path) -> Region:
    return one_scene(tmp_path)


@pytest.fixture
def regions(region) -> Region:
    """The region, and a scene that overlaps it from the next zone."""
    add_scene(region, "east", np.random.default_rng(2), 32635, (290, 300))
    return region


def expected_status(shares, s: Tiles) -> str:
    protected, built, missing = shares
    if missing > s.max_missing:
        return "missing data"
    if protected >= s.protected_min_share:
        return "protected"
    if protected > s.unprotected_max_share:
        return "mixed" if built >= s.anthropogenic_min_share else "partly protected"
    if np.isnan(built):
        return "no land cover"
    return "anthropogenic" if built >= s.anthropogenic_min_share else "hardly anthropogenic"


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"protected_min_share": 0.6, "unprotected_max_share": 0.2, "max_missing": 0.0},
        {"anthropogenic_classes": [211, 312], "anthropogenic_min_share": 0.9, "max_missing": 1},
    ],
    ids=["defaults", "looser", "other classes"],
)
def test_shares_labels_and_reasons_of_every_tile(regions, changed):
    regions.build(**changed)
    table = geopandas.read_file(regions.footprints, layer="tiles")
    assert len(table) == 9 * 10 + 9 * 9  # all, those without a label too
    chosen = settings(**changed)
    seen = set()
    for tile in table.itertuples():
        scene, row, col = tile.name.split("_")
        shares = naive_shares(
            regions, scene, int(row[1:]) * SIZE, int(col[1:]) * SIZE, chosen.anthropogenic_classes
        )
        written = (tile.protected_share, tile.anthropogenic_share, tile.missing_share)
        assert written == pytest.approx(shares, nan_ok=True)
        words = zip(("protected", "anthropogenic", "missing"), written, strict=True)
        why = ", ".join(f"{word} {100 * n:.1f} %" for word, n in words if not np.isnan(n))
        assert tile.why == (f"{tile.reason}: {why}" if tile.reason else why)
        status = expected_status(shares, chosen)
        seen.add(status)
        if status in ("protected", "anthropogenic"):
            assert tile.label == status
            assert (tile.reason, tile.split == "dropped") in (
                ("", False),
                ("near stricter split", True),
            )
        else:
            assert (tile.label, tile.reason) == ("unlabelled", status)
            assert not isinstance(tile.split, str)
    assert len(seen) >= 5
    assert "no land cover" in seen


@pytest.mark.parametrize("change_case", [str.lower, str.upper])
def test_files_of_a_shapefile_are_listed_as_inputs(region, change_case):
    table = geopandas.read_file(region.areas)
    folder = region.folder / "shape"
    folder.mkdir()
    table.to_file(folder / "areas.shp")
    files = [file.rename(folder / change_case(file.name)) for file in folder.iterdir()]
    areas = folder / change_case("areas.shp")
    build_tiles(
        region.scenes, region.landcovers, (), areas, region.output, region.footprints, settings()
    )
    inputs = json.loads(open_tiles(region.output).attrs["wildlens_inputs"])
    assert {file.name for file in files} <= set(inputs)


def test_labels_by_land_cover_need_their_share_of_the_whole_tile(tmp_path):
    s = settings(
        anthropogenic_min_share=0.1, other_classes={"wet": {"codes": [412], "min_share": 0.2}}
    )
    pixels = SIZE**2
    cases = [
        (code, count, unknown)
        for code, count in ((FIELD, 1), (FIELD, 102), (FIELD, 103), (BOG, 204), (BOG, 205))
        for unknown in np.linspace(0, pixels - count, 7).astype(int)
    ]
    tiles = []
    for code, count, unknown in cases:
        flat = np.full(pixels, FOREST, np.uint8)
        flat[:count], flat[pixels - unknown :] = code, 0
        tiles.append(flat.reshape(SIZE, SIZE))
    region = Region(tmp_path)
    add_scene(region, "row", np.random.default_rng(0), shape=(SIZE, SIZE * len(tiles)))
    grid, *_ = region.pixels["row"]
    write(region.scenes[0], grid, np.ones((len(BANDS), *grid.shape), np.uint16), BANDS)
    write(region.landcovers[0], grid, np.concatenate(tiles, axis=1))
    (source,) = open_sources(region.scenes, region.landcovers, [], SIZE)
    nowhere = geopandas.GeoDataFrame({"site_id": []}, geometry=[], crs=4326)
    table = label_tiles(source, nowhere, s)
    enough = {(FIELD, 103): 0, (BOG, 205): 2}
    expected = [enough.get((code, count), UNLABELLED) for code, count, _ in cases]
    assert table["label"].tolist() == expected


@pytest.mark.parametrize("truth", [False, True])
def test_stored_tiles_are_the_pixels_of_the_scenes(regions, truth):
    tiles = regions.build(truth=truth)
    assert set(tiles.data_vars) == {"reflectance", "landcover"} | ({"truth"} if truth else set())
    assert tiles["reflectance"].dims == ("tile", "band", "y", "x")
    assert tiles["reflectance"].dtype == np.uint16
    assert tiles["landcover"].dtype == np.uint8
    assert tiles["band"].values.tolist() == list(BANDS)
    loaded = tiles.load()
    for tile in range(tiles.sizes["tile"]):
        one = loaded.isel(tile=tile)
        row, col = int(one["row"]), int(one["col"])
        assert str(one["name"].values) == f"{one.scene.values}_r{row // SIZE}_c{col // SIZE}"
        grid, reflectance, landcover, exact = regions.pixels[str(one["scene"].values)]
        part = np.s_[..., row : row + SIZE, col : col + SIZE]
        np.testing.assert_array_equal(one["reflectance"], reflectance[part])
        np.testing.assert_array_equal(one["landcover"], landcover[part])
        if truth:
            np.testing.assert_array_equal(one["truth"], exact[part])
        assert rasterio.crs.CRS.from_string(str(one["crs"].values)).to_epsg() == grid.crs.epsg


def test_coordinates_agree_with_the_footprints(regions):
    tiles = regions.build()
    table = geopandas.read_file(regions.footprints).set_index("name")
    assert table.crs == "EPSG:4326"
    used = table[table["split"].isin(["train", "val", "test"])]
    assert tiles["name"].values.tolist() == used.index.tolist()
    names = {1: "protected", 0: "anthropogenic"}
    assert [names[n] for n in tiles["label"].values] == used["label"].tolist()
    assert (tiles["label"].dtype, tiles["row"].dtype) == (np.int8, np.int32)
    for column in ("split", "scene", "block"):
        assert tiles[column].dtype.kind == "U"
        assert tiles[column].values.tolist() == used[column].tolist()
    for column in ("protected_share", "anthropogenic_share", "missing_share"):
        assert tiles[column].dtype == np.float32
        np.testing.assert_array_equal(tiles[column], used[column].to_numpy(np.float32))
    for name, outline in used.geometry.items():
        scene, row, col = name.split("_")
        grid = regions.pixels[scene][0]
        top, left = int(row[1:]) * SIZE, int(col[1:]) * SIZE
        own = geopandas.GeoSeries([outline], crs=4326).to_crs(grid.crs.to_wkt()).total_bounds
        box = grid[top : top + SIZE, left : left + SIZE].extent.boundingbox
        assert own == pytest.approx([box.left, box.bottom, box.right, box.top], abs=1e-3)


def test_balance_affects_training_only(regions):
    def counts(**changed):
        tiles = regions.build(**changed)
        labels, splits = tiles["label"].values, tiles["split"].values
        return {s: np.bincount(labels[splits == s], minlength=2) for s in ("train", "val", "test")}

    before, after = counts(), counts(balance=1)
    assert before["train"][0] != before["train"][1]
    assert after["train"].tolist() == [before["train"].min()] * 2
    for split in ("val", "test"):
        assert after[split].tolist() == before[split].tolist()
    table = geopandas.read_file(regions.footprints)
    many = table[table["reason"] == "too many of its class"]
    assert len(many) == np.ptp(before["train"]) and set(many["split"]) == {"dropped"}


@pytest.mark.parametrize("seed", range(4))
def test_splits_share_no_pixel(regions, seed):
    regions.build(seed=seed, protected_min_share=0.5, unprotected_max_share=0.4)
    table = geopandas.read_file(regions.footprints).to_crs(3035)
    parts = [table[table["split"] == split] for split in ("train", "val", "test")]
    assert all(len(part) for part in parts)
    assert (table["split"] == "dropped").any()
    for one in range(3):
        for other in range(one):
            overlaps = parts[one].geometry.union_all() & parts[other].geometry.union_all()
            assert overlaps.area < 100  # of no pixel


def test_training_set_is_compact_documented_and_reproducible(regions):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", category=PendingDeprecationWarning)  # of affine
        tiles = regions.build(truth=True)
    assert sum(path.is_file() for path in regions.output.rglob("*")) < 50
    assert tiles.attrs["wildlens_step"] == "tiles"
    assert tiles.attrs["tile_size"] == SIZE
    assert "block_km: 0.4" in tiles.attrs["wildlens_settings"]
    digests = json.loads(tiles.attrs["wildlens_inputs"])
    assert digest(regions.areas) in digests.values()
    assert digest(regions.scenes[1]) in digests.values()
    origin = read_origin(tiles.attrs)
    train = tiles["split"].values == "train"
    assert (origin.tiles, origin.scenes) == (train.sum(), len(set(tiles["scene"].values[train])))
    assert origin.simulated and origin.first is None, "true land cover is known of simulations only"
    outlines = geopandas.read_file(regions.footprints)
    box = outlines[outlines["split"] == "train"].total_bounds
    assert origin.bounds == pytest.approx(box, abs=1e-4)
    layer = pyogrio.read_info(regions.footprints, layer="tiles")
    assert layer["layer_metadata"]["wildlens_step"] == "tiles"
    first = digest(regions.output)
    regions.build(truth=True)
    assert digest(regions.output) == first
    assert sorted(path.name for path in regions.output.parent.iterdir()) == [
        "tiles.gpkg",
        "tiles.zarr",
    ]


def test_log_counts_tiles_by_status(region, caplog):
    caplog.set_level(logging.INFO, "wildlens")
    tiles = region.build()
    counts = next(m for m in caplog.messages if m.startswith("north: all 90, missing data"))
    assert f"protected {int((tiles['label'] == 1).sum())}, " in counts
    table = {m.split()[0]: m.split()[1:] for m in caplog.messages if m and len(m.split()) == 5}
    for name, label in (("protected", 1), ("anthropogenic", 0)):
        of_label = tiles["split"].values[tiles["label"].values == label]
        expected = [str((of_label == split).sum()) for split in ("train", "val", "test")]
        assert table[name][:3] == expected


def test_scene_with_custom_crs_is_tiled(region):
    odd = "+proj=tmerc +lon_0=24 +x_0=0 +y_0=-5500000 +datum=WGS84"
    for path in [*region.scenes, *region.landcovers]:
        with rasterio.open(path, "r+") as dataset:
            dataset.crs = odd
            dataset.transform = from_origin(0, 50_000, 10, 10)
    area = geopandas.GeoSeries([shapely.box(1, 48_000, 1600, 49_999)], crs=odd)
    region.polygons = list(area.to_crs(4326))
    write_areas(region)
    tiles = region.build()
    stored = rasterio.crs.CRS.from_wkt(str(tiles["crs"].values[0]))
    assert stored == rasterio.crs.CRS.from_string(odd)


# --- errors of users -----------------------------------------------------------------------------


def _reshaped(path, **changed):
    """Rewrite a raster with another grid, band names or type."""
    with rasterio.open(path) as dataset:
        profile, pixels, names = dataset.profile, dataset.read(), dataset.descriptions
    names = changed.pop("names", names)
    with rasterio.open(path, "w", **(profile | changed)) as dataset:
        dataset.write(pixels.astype(changed.get("dtype", pixels.dtype)))
        dataset.descriptions = names


def _other_bands(region):
    _reshaped(region.scenes[1], names=("B03", "B02", "B08"))


def _nameless_bands(region):
    _reshaped(region.scenes[0], names=(None, None, None))


def _shifted(paths):
    def change(region):
        path = getattr(region, paths)[1]
        _reshaped(path, transform=from_origin(285_010.0, 5_549_000.0, 10, 10))

    return change


def _codes(region):
    _reshaped(region.landcovers[0], dtype="uint16", nodata=0)


def _unknown_class(region):
    with rasterio.open(region.landcovers[0], "r+") as dataset:
        dataset.write(np.full((1, 4, 4), 48, np.uint8), window=((0, 4), (0, 4)))


def _same_name(region):
    region.scenes[1] = region.scenes[1].rename(region.folder / "north.tif")


def _proposed(region):
    write_areas(region, status="Proposed")


def _broken(region):
    region.scenes[0].write_bytes(region.scenes[0].read_bytes()[:3000])


def _one_less(paths):
    return lambda region: getattr(region, paths).pop()


def _nothing(region):
    pass


@pytest.mark.parametrize(
    ("change", "changed", "message"),
    [
        (_one_less("landcovers"), {}, "2 scenes, but 1 land cover rasters"),
        (_one_less("truths"), {}, "2 scenes, but 1 truth rasters"),
        (_other_bands, {}, r"east.tif: has bands B03, B02, B08, but .*north.tif has B02, B03, B08"),
        (_nameless_bands, {}, r"north.tif: is no scene"),
        (_shifted("landcovers"), {}, r"landcover/east.tif: is not on the grid of .*scenes/east"),
        (_shifted("truths"), {}, r"truth/east.tif: is not on the grid of .*scenes/east"),
        (_codes, {}, r"landcover/north.tif: is no land cover"),
        (_unknown_class, {}, r"landcover/north.tif: holds class 48, but the legend"),
        (_same_name, {}, "another scene is called 'north'"),
        (_broken, {}, r"north.tif: cannot be"),
        (_nothing, {"size": 512}, r"north.tif: is smaller than a tile; lower tiles.size \(512\)"),
        (_proposed, {}, r"areas.gpkg: no polygon counts of 12 sites.*Proposed 12.*tiles.statuses"),
        (_nothing, {"protected_min_share": 1.0, "size": 256}, "none of 2 tiles is protected.*ask"),
        (_nothing, {"anthropogenic_classes": [523]}, r"is anthropogenic: \d+ are un.* 0 of one"),
        (_nothing, {"block_km": 500}, r"in the split '\w+' \(protected: train \d+, .*block_km"),
    ],
)  # fmt: skip
def test_invalid_input_is_refused_in_one_line_without_output(regions, change, changed, message):
    change(regions)
    with pytest.raises(WildLensError, match=message) as caught:
        regions.build(truth=True, **changed)
    assert "\n" not in str(caught.value)
    assert not regions.output.exists()
    assert not regions.footprints.exists()


def test_failed_run_keeps_the_previous_result(regions):
    regions.build()
    before = digest(regions.output), digest(regions.footprints)
    with rasterio.open(regions.truths[1], "r+") as dataset:  # found in the second pass only
        dataset.write(np.full((1, *dataset.shape), 99, np.uint8))
    with pytest.raises(WildLensError, match="holds class 99"):
        regions.build(truth=True)
    assert (digest(regions.output), digest(regions.footprints)) == before


def _no_group(path):
    path.mkdir()


def _file(path):
    path.write_text("tiles")


def _junk(path):
    path.mkdir()
    (path / "zarr.json").write_text('{"zarr_format": 3, "node_type": "group", "attributes": 5}')


def _foreign(path):
    xarray.Dataset({"reflectance": ("tile", np.zeros(3))}).to_zarr(path, zarr_format=3)


def _format_2(path):
    xarray.Dataset({"a": ("x", [1])}, attrs={"wildlens_step": "tiles"}).to_zarr(path, zarr_format=2)


def _incomplete(path):
    data = xarray.Dataset(
        {"reflectance": (("tile", "band", "y", "x"), np.zeros((1, 1, 2, 2), np.uint16))},
        attrs={"wildlens_step": "tiles"},
    )
    data.to_zarr(path, zarr_format=3)


@pytest.mark.filterwarnings("ignore:Consolidated metadata")
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "cannot be opened as a training set"),
        (_no_group, "cannot be opened as a training set"),
        (_file, "cannot be opened as a training set"),
        (_junk, "cannot be opened as a training set"),
        (_format_2, "cannot be opened as a training set"),
        (_foreign, "is not a training set of WildLens"),
        (_incomplete, "has no variable 'landcover'"),
    ],
)
def test_invalid_training_set_is_refused(tmp_path, make, message):
    path = tmp_path / "tiles.zarr"
    make(path)
    with pytest.raises(WildLensError, match=message) as caught:
        open_tiles(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
