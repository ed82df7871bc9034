"""Coordinates and protected areas on the map, across the antimeridian as well."""

import crossing
import geopandas
import numpy as np
import pytest
import shapely
from attributed import grid_at
from pyproj import Transformer

from wildlens.errors import WildLensError
from wildlens.explore.coordinates import NODES, degrees_at_nodes
from wildlens.explore.sites import read_sites, sites_on
from wildlens.files.geopackage import write_layer

GRID = grid_at(500_000, np.zeros((120, 150)))
COLUMNS = ["name"]


def between(values, u, v):
    """What the script does: interpolate at a share u across and v down."""
    table = np.reshape(values, (NODES, NODES))
    across, down = u * (NODES - 1), v * (NODES - 1)
    column, row = min(int(across), NODES - 2), min(int(down), NODES - 2)
    a, b = across - column, down - row
    top, bottom = (table[r, column] * (1 - a) + table[r, column + 1] * a for r in (row, row + 1))
    return top * (1 - b) + bottom * b


@pytest.mark.parametrize("grid", [GRID.zoom_out(1 / 90), crossing.GRID], ids=["110 km", "180"])
def test_interpolated_degrees_are_off_by_a_metre_at_most(grid):
    height, width = grid.shape
    found = degrees_at_nodes(grid, (height, width))
    to_degrees = Transformer.from_crs(grid.crs.to_wkt(), "EPSG:4326", always_xy=True)
    for u, v in np.random.default_rng(0).random((50, 2)):
        lon, lat = to_degrees.transform(*grid.pix2wld(u * width, v * height))
        assert abs(between(found["lat"], u, v) - lat) < 1e-5
        difference = (between(found["lon"], u, v) - lon + 180) % 360 - 180
        assert abs(difference) * np.cos(np.radians(lat)) < 1e-5


def area_of(found) -> float:
    """Area inside the rings by the even-odd rule, in the square of the CRS's unit."""
    rings = [shapely.Polygon(np.transpose(ring)) for ring in found["rings"]]
    shape = shapely.Polygon()
    for ring in rings:
        shape = shape.symmetric_difference(ring)
    return shape.area


def sites(*shapes, crs=4326):
    names = [f"site {i}" for i in range(len(shapes))]
    return geopandas.GeoDataFrame({"name": names, "geometry": list(shapes)}, crs=crs)


def test_a_site_with_a_hole_is_cut_at_the_scene_and_its_border_is_not_drawn_there():
    box = shapely.box(*GRID.boundingbox)
    west, south, *_ = box.bounds
    hole = shapely.box(west + 200, south + 200, west + 500, south + 400)
    shape = shapely.Polygon(shapely.box(west - 900, south - 900, west + 700, south + 600).exterior)
    found = sites_on(sites(shape - hole, crs=GRID.crs.to_wkt()).to_crs(4326), COLUMNS, GRID, 10)
    (site,) = found
    assert site["cells"] == ["site 0"]
    assert area_of(site) == pytest.approx(700 * 600 - 300 * 200, rel=0.02)
    for xs, ys in site["borders"]:
        length = shapely.LineString(np.transpose([xs, ys])).length
        assert length == pytest.approx(1300, abs=20) or length == pytest.approx(1000, abs=20)
    assert len(site["borders"]) == 2


def test_a_site_elsewhere_or_empty_is_left_out():
    far = shapely.box(-60, -40, -59, -39)
    assert sites_on(sites(far), COLUMNS, GRID, 10) == []


def test_a_site_on_both_sides_of_the_antimeridian_is_whole():
    both = [shapely.box(179.98, 68.88, 180, 68.9), shapely.box(-180, 68.88, -179.97, 68.9)]
    (site,) = sites_on(sites(shapely.union_all(both)), COLUMNS, crossing.GRID, 10)
    grid = crossing.GRID
    world = sites(*both).to_crs(grid.crs.to_wkt()).union_all()
    inside = world.intersection(shapely.box(*grid.boundingbox)).area
    assert inside > 0 and area_of(site) == pytest.approx(inside, rel=0.02)


def test_a_table_without_polygons_is_an_error(tmp_path):
    path = tmp_path / "a.gpkg"
    write_layer(path, sites(shapely.box(0, 0, 1, 1)).set_crs(None, allow_override=True), "areas")
    with pytest.raises(WildLensError, match="no georeferenced polygons"):
        read_sites(path)
