import geopandas
import numpy as np
import pytest
import shapely
from odc.geo.geobox import GeoBox
from rasterio.transform import from_origin

from wildlens.areas.antimeridian import (
    bounding_box,
    box_polygon,
    boxes_of,
    grid_outline,
    split,
    to_degrees,
)

EAST, WEST = shapely.box(179.5, 8, 180, 9), shapely.box(-180, 8, -179.6, 9)
BOTH = shapely.MultiPolygon([EAST, WEST])


def grid_of(epsg: int, x: float, y: float, shape=(360, 360), pixel=10.0) -> GeoBox:
    return GeoBox(shape, from_origin(x, y, pixel, pixel), f"EPSG:{epsg}")


@pytest.mark.parametrize(
    "written",
    [BOTH, shapely.box(179.5, 8, 180.4, 9), shapely.box(-180.5, 8, -179.6, 9),
     shapely.box(-179.6, 8, 179.5, 9)],
    ids=["split", "beyond 180", "beyond -180", "short way"],
)  # fmt: skip
def test_split_gives_the_same_parts_however_written(written):
    (result,) = split(np.array([written]))
    assert result.equals(BOTH) and len(result.geoms) == 2


@pytest.mark.parametrize("touching", [EAST, WEST, shapely.box(179.5, 8, 180, 9).reverse()])
def test_split_leaves_a_polygon_that_only_touches(touching):
    (result,) = split(np.array([touching]))
    assert result.geom_type == "Polygon" and result.equals(touching)


def test_split_of_a_side_beyond_180_leaves_no_line():
    (result,) = split(np.array([shapely.box(180, 8, 181, 9)]))
    assert result.equals(shapely.box(-180, 8, -179, 9)) and result.geom_type == "Polygon"


@pytest.mark.parametrize(
    ("geometries", "expected"),
    [
        ([shapely.box(10, 1, 11, 2), shapely.box(20, 3, 21, 4)], (10, 1, 21, 4)),
        ([EAST], (179.5, 8, 180, 9)),
        ([WEST], (-180, 8, -179.6, 9)),
        ([BOTH], (179.5, 8, -179.6, 9)),
        ([EAST, WEST], (179.5, 8, -179.6, 9)),
        ([shapely.box(160, 1, 161, 2), shapely.box(-150, 3, -149, 4)], (160, 1, -149, 4)),
        ([shapely.box(10, 1, 20, 2), BOTH], (10, 1, -179.6, 9)),
        ([shapely.box(-20, 1, -10, 2), BOTH], (179.5, 1, -10, 9)),
        ([shapely.box(-180, -80, 180, -70)], (-180, -80, 180, -70)),
        ([shapely.box(-100, 1, -90, 2), shapely.box(70, 1, 80, 2)], (-100, 1, 80, 2)),
        ([shapely.box(0, 0, 50, 1), shapely.box(10, 0, 20, 1), shapely.Polygon()], (0, 0, 50, 1)),
    ],
)
def test_bounding_box_is_the_smallest(geometries, expected):
    assert bounding_box(geometries) == expected


def test_bounding_box_of_nothing_is_refused():
    with pytest.raises(ValueError, match="no geometry"):
        bounding_box([shapely.Polygon()])


def test_box_across_180_degrees_is_two():
    crossing = (179.5, 8.0, -179.6, 9.0)
    assert boxes_of(crossing) == [(179.5, 8.0, 180.0, 9.0), (-180.0, 8.0, -179.6, 9.0)]
    assert box_polygon(crossing).equals(BOTH)
    assert boxes_of((1, 2, 3, 4)) == [(1, 2, 3, 4)]
    assert box_polygon((1, 2, 3, 4)).equals(shapely.box(1, 2, 3, 4))


# a scene of 360 x 360 px at 68.9 N, with 180 degrees at a third of its width, and others
CROSSING = {
    "zone 60": grid_of(32660, 619_700, 7_647_600),
    "zone 1": grid_of(32601, 377_800, 7_647_600),
    "south": grid_of(32701, 178_000, 8_000_000, (500, 900)),
    "polar": grid_of(3413, -2_500_000 / 2**0.5, 2_500_000 / 2**0.5, (400, 400), 100.0),
    "degrees": grid_of(4326, 179.9, -16, (100, 300), 0.001),
}


@pytest.mark.parametrize("name", CROSSING)
def test_outline_across_180_degrees_is_split(name):
    grid = CROSSING[name]
    outline = grid_outline(grid)
    assert outline.geom_type == "MultiPolygon" and outline.is_valid and len(outline.geoms) == 2
    west, _, east, _ = outline.bounds
    assert (west, east) == (-180, 180)
    assert all(part.bounds[2] - part.bounds[0] < 3 for part in outline.geoms)
    # the same area, in a projection around its middle, as the grid's own
    box = bounding_box([outline])
    assert box[0] > 175 and box[2] < -175
    local = f"+proj=laea +lat_0={(box[1] + box[3]) / 2} +lon_0=180"
    area = geopandas.GeoSeries([outline], crs=4326).to_crs(local).area[0]
    own = geopandas.GeoSeries([grid.extent.geom], crs=grid.crs.to_wkt())
    expected = own.segmentize(own.length[0] / 400).to_crs(local).area[0]
    assert area == pytest.approx(expected, rel=2e-3)


def test_outline_elsewhere_is_one_polygon():
    outline = grid_outline(grid_of(32634, 500_000, 7_300_000))
    assert outline.geom_type == "Polygon" and len(outline.exterior.coords) == 4 * 64 + 1


@pytest.mark.parametrize(("epsg", "pole"), [(3413, 90), (3031, -90)])
def test_outline_around_a_pole_contains_it(epsg, pole):
    outline = grid_outline(grid_of(epsg, -500_000, 400_000, (800, 900), 1000.0))
    assert outline.is_valid and outline.bounds[::2] == (-180, 180)
    assert pole in outline.bounds
    for longitude in range(-175, 180, 10):
        assert outline.covers(shapely.Point(longitude, 0.97 * pole))
        assert not outline.covers(shapely.Point(longitude, 0.9 * pole))


def test_projected_outlines_keep_their_index_and_order():
    boxes = [shapely.box(x, 7_640_000, x + 2560, 7_642_560) for x in (500_000, 619_700, 620_000)]
    series = geopandas.GeoSeries(boxes, index=[5, 3, 9], crs=32660)
    result = to_degrees(series.segmentize(2000))
    assert result.index.tolist() == [5, 3, 9] and result.crs == 4326
    assert result.geom_type.tolist() == ["Polygon", "MultiPolygon", "MultiPolygon"]


def test_many_tiles_keep_their_area_when_split():
    rng = np.random.default_rng(0)
    corners = zip(rng.uniform(620_170, 620_480, 300), rng.uniform(7.64e6, 7.65e6, 300), strict=True)
    boxes = [shapely.box(x, y, x + 320, y + 320) for x, y in corners]
    result = to_degrees(geopandas.GeoSeries(boxes, crs=32660).segmentize(200))
    assert result.is_valid.all() and (result.geom_type == "MultiPolygon").sum() > 150
    areas = result.to_crs(32660).area
    assert areas.to_numpy() == pytest.approx(np.full(300, 320.0**2), rel=1e-5)
