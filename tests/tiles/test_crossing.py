"""Tiles across the antimeridian."""

import crossing
import geopandas
import numpy as np
import pytest
import shapely
from pyproj import Transformer
from tile_region import (
    SIZE,
    Region,
    add_scene,
    naive_shares,
    settings,
)

from wildlens.areas.antimeridian import bounding_box, split, to_degrees
from wildlens.tiles.splits import block_names


def test_tiles_across_antimeridian_are_split_into_parts(tmp_path):
    region = Region(tmp_path)
    add_scene(region, "wrangel", np.random.default_rng(5), 32660, (crossing.SIDE, crossing.SIDE))
    region.build(block_km=0.7, protected_min_share=0.6)
    table = geopandas.read_file(region.footprints, layer="tiles")
    region.polygons = list(split(np.array(region.polygons)))  # for `naive_shares`
    to_lon = Transformer.from_crs(32660, 4326, always_xy=True)
    kinds = set()
    for tile in table.itertuples():
        row, col = (int(part[1:]) * SIZE for part in tile.name.split("_")[1:])
        shares = naive_shares(region, "wrangel", row, col, settings().anthropogenic_classes)
        written = (tile.protected_share, tile.anthropogenic_share, tile.missing_share)
        assert written == pytest.approx(shares, nan_ok=True)
        corners = crossing.GRID[row : row + SIZE, col : col + SIZE].extent.exterior.coords
        east = [to_lon.transform(x, y)[0] > 0 for x, y in corners]
        assert crossing.widest(tile.geometry) < 0.01
        assert (len(tile.geometry.geoms) == 2) == (any(east) and not all(east))
        west, _, end, _ = bounding_box([tile.geometry])
        assert (west > 179.9 or west < -179.9) and (end - west) % 360 < 0.01
        kinds.add(np.sign(west) == np.sign(end))
    assert kinds == {True, False}
    whole = geopandas.GeoSeries(table.geometry.to_crs(32660).union_all(), crs=32660)
    assert whole.area[0] == pytest.approx((crossing.SIDE // SIZE * SIZE * 10) ** 2, rel=1e-6)


def test_block_of_divided_tile_is_that_of_its_centre():
    corners = np.array([(620_487 + x, 7_646_000) for x in range(-300, 300, 40)])
    boxes = [shapely.box(x, y, x + 320, y + 320) for x, y in corners]
    outlines = to_degrees(geopandas.GeoSeries(boxes, crs=32660).segmentize(100))
    assert (outlines.geom_type == "MultiPolygon").sum() == 8
    middles = geopandas.GeoSeries(shapely.points(corners + 160), crs=32660).to_crs(4326)
    points = geopandas.GeoSeries(middles.buffer(1e-7), crs=4326)
    assert block_names(outlines, 0.2).tolist() == block_names(points, 0.2).tolist()
