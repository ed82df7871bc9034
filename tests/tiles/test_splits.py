import geopandas
import numpy as np
import pandas
import pytest
import shapely

from wildlens.tiles.splits import assign_splits, block_names

STRICTNESS = {"train": 0, "val": 1, "test": 2}
ZONE_BORDER = 24.0  # degrees east, between UTM 34 and 35


def outlines(epsg: int, west: float, north: float, rows: int, cols: int, side=1280.0):
    """Footprints (EPSG:4326) of the tiles of a grid in a UTM zone."""
    row, col = np.indices((rows, cols)).reshape(2, -1)
    x, y = west + col * side, north - row * side
    return geopandas.GeoSeries(shapely.box(x, y - side, x + side, y), crs=epsg).to_crs(4326)


def joined(*series) -> geopandas.GeoSeries:
    return pandas.concat(series, ignore_index=True)


def split(footprints, **changed) -> pandas.DataFrame:
    settings = {
        "block_km": 5.12, "validation": 0.12, "test": 0.18, "distance_m": 0.0, "seed": 0,
    }  # fmt: skip
    return assign_splits(footprints, **(settings | changed))


def two_zones(rng, rows=16, cols=16):
    """Two overlapping scenes in two zones, at a random location near the border between them."""
    lat = rng.uniform(-60, 65)
    place = geopandas.GeoSeries.from_xy([ZONE_BORDER], [lat], crs=4326)
    scenes = []
    for epsg in (32634, 32635):
        x, y = place.to_crs(epsg)[0].coords[0]
        shift = rng.uniform(-6000, 6000, 2)
        scenes.append(outlines(epsg, x - 10_000 + shift[0], y + 10_000 + shift[1], rows, cols))
    return joined(*scenes), place


def measured(footprints, lon, lat) -> np.ndarray:
    """The same footprints in metres around a location, in a projection other than the code's."""
    local = f"+proj=laea +lon_0={lon} +lat_0={lat} +datum=WGS84"
    return footprints.to_crs(local).to_numpy()


def pairs_of_splits(result):
    """(stricter, laxer) pairs of positions of kept tiles in different splits."""
    rank = result["split"].map(STRICTNESS).to_numpy(dtype=float)  # NaN for dropped ones
    return np.argwhere(rank[:, None] > rank[None, :])


@pytest.mark.parametrize("seed", range(8))
def test_splits_do_not_overlap_across_utm_zones(seed):
    rng = np.random.default_rng(seed)
    footprints, place = two_zones(rng)
    result = split(footprints, seed=seed)
    shapes = measured(footprints, place.x[0], place.y[0])
    strict, lax = pairs_of_splits(result).T
    assert len(strict)
    # a side of 1280 m times the tolerance of 0.1 m: at most two pixels of 100 m2 per side
    assert shapely.area(shapely.intersection(shapes[strict], shapes[lax])).max() < 130
    assert (result["split"] == "dropped").any()


@pytest.mark.parametrize("distance", [0.0, 700.0, 3000.0])
@pytest.mark.parametrize("seed", range(3))
def test_only_tiles_near_stricter_split_are_dropped(seed, distance):
    rng = np.random.default_rng(seed)
    footprints, place = two_zones(rng, 12, 12)
    result = split(footprints, seed=seed, distance_m=distance)
    shapes = measured(footprints, place.x[0], place.y[0])
    by_block = result.groupby("block")["split"].agg(
        lambda s: next((v for v in s if v != "dropped"), "")
    )
    kept = result["split"] != "dropped"
    for tile in range(len(result)):
        mine = by_block[result["block"][tile]]
        if mine == "":  # all tiles of the block are dropped, so its split is unknown
            continue
        stricter = kept & (result["split"].map(STRICTNESS) > STRICTNESS[mine])
        others = shapes[stricter.to_numpy()]
        gap = shapely.distance(shapes[tile], others).min(initial=np.inf)
        depth = shapely.area(shapely.intersection(shapes[tile], others)).max(initial=0)
        if kept[tile]:
            assert gap >= distance * 0.999 - 0.2
            assert depth < 130
        else:
            assert gap <= distance * 1.001
            assert distance > 0 or depth > 0


@pytest.mark.parametrize("side", [320.0, 1280.0, 10_240.0])
def test_adjacent_tiles_are_not_dropped(side):
    footprints = outlines(32634, 600_000, 7_300_000, 12, 12, side)
    assert set(split(footprints, block_km=side / 250)["split"]) == {"train", "val", "test"}


def test_splits_work_on_several_continents_and_across_antimeridian():
    norway = outlines(32633, 500_000, 7_300_000, 12, 12)
    reunion = outlines(32740, 320_000, 7_680_000, 12, 12)
    edge = geopandas.GeoSeries.from_xy([180.0], [-17.0], crs=4326)
    fiji = [
        outlines(epsg, x - 8_123, y + 7_777, 12, 12)
        for epsg in (32760, 32701)
        for x, y in [edge.to_crs(epsg)[0].coords[0]]
    ]
    footprints = joined(norway, reunion, *fiji)
    result = split(footprints, distance_m=200.0)
    shapes = measured(footprints[288:], 180, -17)
    strict, lax = pairs_of_splits(result[288:]).T
    assert shapely.distance(shapes[strict], shapes[lax]).min() > 199.5
    # distant scenes only move the limits of the splits: grids lose tiles at edges of blocks only
    for scene in (slice(0, 144), slice(144, 288)):
        assert (result["split"][scene] == "dropped").mean() < 0.5


@pytest.mark.parametrize("seed", range(10))
def test_split_shares_are_met_within_half_a_block(seed):
    footprints = outlines(32634, 500_000, 7_300_000, 30, 30)
    result = split(footprints, seed=seed, test=0.2, validation=0.15)
    half = result["block"].value_counts().max() / len(result) / 2
    shares = result["split"].value_counts(normalize=True)
    assert abs(shares["test"] - 0.2) <= half
    assert abs(shares["test"] + shares["val"] - 0.35) <= half
    assert (result.groupby("block")["split"].nunique() == 1).all()


@pytest.mark.parametrize("seed", range(5))
def test_added_tiles_keep_the_order_of_blocks(seed):
    first = outlines(32634, 500_000, 7_300_000, 16, 16)
    more = joined(first, outlines(32635, 400_000, 7_100_000, 16, 16))
    before, after = (
        split(f, seed=seed).query("split != 'dropped'").groupby("block")["split"].first()
        for f in (first, more)
    )
    order = {"test": 0, "val": 1, "train": 2}
    common = before.index
    old, new = before.map(order).to_numpy(), after[common].map(order).to_numpy()
    # with the same order, limits of splits move, but two blocks are never exchanged
    assert not ((old[:, None] < old) & (new[:, None] > new)).any()
    assert (old == new).mean() > 0.5


def test_order_of_blocks_depends_on_the_seed_only():
    footprints = outlines(32634, 500_000, 7_300_000, 20, 20)
    one, same, other = split(footprints), split(footprints), split(footprints, seed=1)
    pandas.testing.assert_frame_equal(one, same)
    assert (one["split"] != other["split"]).any()
    shuffled = footprints.sample(frac=1, random_state=0)
    pandas.testing.assert_frame_equal(split(shuffled).sort_index(), one)


@pytest.mark.parametrize("lat", [-70, -21, 0, 45, 68])
def test_block_size_is_equal_at_all_latitudes(lat):
    rng = np.random.default_rng(0)
    side = 10.0
    lon = 20 + rng.uniform(0, 100 / 111.2 / np.cos(np.radians(lat)), 20_000)
    points = shapely.buffer(shapely.points(lon, lat + rng.uniform(0, 100 / 111.2, 20_000)), 1e-6)
    names = block_names(geopandas.GeoSeries(points, crs=4326), side)
    # 100 km x 100 km in blocks of 10 km x 10 km: 100 complete ones, and parts along the edges
    counts = pandas.Series(names).value_counts()
    assert 90 <= len(counts) <= 130
    assert counts.head(60).median() == pytest.approx(200, rel=0.1)
    few = geopandas.GeoSeries(points[:50], crs=4326)
    assert (block_names(few, side) == names[:50]).all()


def test_location_has_the_same_block_in_both_zones():
    here = outlines(32634, 730_000, 5_000_000, 10, 10)
    there = here.to_crs(32635).to_crs(4326)
    assert (block_names(here, 5.12) == block_names(there, 5.12)).all()
