import logging
import os
from pathlib import Path

import geopandas
import numpy as np
import pytest
import shapely
from odc.geo.geobox import GeoBox
from pyproj import Transformer
from rasterio.transform import from_origin

from wildlens.areas import rasterize_areas, read_areas
from wildlens.errors import WildLensError

CATEGORIES, STATUSES = ("Ia", "II"), ("Designated", "Inscribed")
SQUARE = shapely.box(0, 0, 1, 1)
BOW_TIE = shapely.Polygon([(0, 0), (2, 2), (2, 0), (0, 2)])

# id, category, status, designation, kind of site, geometry; only the first three count
SITES = (
    (1, "Ia", "Designated", "Nature Reserve", "PA", shapely.box(10, 60, 10.1, 60.1)),
    (2, "II", "Inscribed", "World Heritage Site", "PA", shapely.box(10.2, 60, 10.3, 60.1)),
    (3, "Ia", "Designated", "", "PA", shapely.transform(BOW_TIE, lambda c: c / 10 + (11, 60))),
    (4, "IV", "Designated", "Nature Reserve", "PA", shapely.box(10.4, 60, 10.5, 60.1)),
    (5, "Ia", "Proposed", "Nature Reserve", "PA", shapely.box(10.4, 60, 10.5, 60.1)),
    (6, "Ia", "Designated", "UNESCO-MAB Biosphere Reserve", "PA", shapely.box(9, 60, 10, 61)),
    (7, "Ia", "Designated", "Community forest", "OECM", shapely.box(9, 60, 10, 61)),
    (8, "Not Reported", "Designated", "Nature Reserve", "PA", shapely.box(9, 60, 10, 61)),
)
SPELLINGS = {
    "wdpa": ("WDPAID", "IUCN_CAT", "STATUS", "DESIG_ENG", "PA_DEF"),
    "wdpca": ("SITE_ID", "IUCN_CAT", "STATUS", "DESIG_ENG", "SITE_TYPE"),
    "api": ("wdpa_id", "iucn_cat", "status", "type", "is_marine"),
}


def sites(spelling: str) -> geopandas.GeoDataFrame:
    names = SPELLINGS[spelling]
    columns = dict(zip(names, zip(*[s[:5] for s in SITES], strict=True), strict=True))
    table = geopandas.GeoDataFrame(columns, geometry=[s[5] for s in SITES], crs="EPSG:4326")
    if spelling == "wdpa":
        table["PA_DEF"] = table["PA_DEF"].map({"PA": "1", "OECM": "0"})
        table["WDPAID"] = table["WDPAID"].astype(float)  # as the database stores it
    if spelling == "api":  # which has no OECM sites
        table = table[table["wdpa_id"] != 7]
    return table


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("suffix", ["shp", "gpkg", "geojson"])
def test_only_polygons_that_count_are_read_from_any_spelling(tmp_path, spelling, suffix):
    path = tmp_path / f"areas.{suffix}"
    sites(spelling).to_file(path)

    areas = read_areas(path, CATEGORIES, STATUSES)

    assert list(areas.columns) == ["site_id", "category", "geometry"]
    assert areas["site_id"].tolist() == ["1", "2", "3"]
    assert areas["category"].tolist() == ["Ia", "II", "Ia"]
    assert areas.crs == "EPSG:4326"
    assert areas.geometry.is_valid.all()
    assert shapely.area(areas.geometry.array).tolist() == pytest.approx([0.01, 0.01, 0.02])


def test_other_crs_and_bounds(tmp_path):
    path = tmp_path / "areas.gpkg"
    sites("wdpa").to_crs("EPSG:3035").to_file(path)
    everything = read_areas(path, CATEGORIES, STATUSES)
    assert everything.total_bounds == pytest.approx([10, 60, 11.2, 60.2], abs=1e-6)
    west = read_areas(path, CATEGORIES, STATUSES, (10.0, 60.0, 10.15, 60.05))
    assert west["site_id"].tolist() == ["1"]
    with pytest.raises(WildLensError, match="no site near the scenes"):
        read_areas(path, CATEGORIES, STATUSES, (30, 10, 31, 11))


def test_points_beside_polygons_and_several_layers(tmp_path):
    mixed = sites("wdpa")
    mixed.geometry = [mixed.geometry[0].centroid, *mixed.geometry[1:]]
    mixed.to_file(tmp_path / "mixed.geojson")
    assert read_areas(tmp_path / "mixed.geojson", CATEGORIES, STATUSES)["site_id"].tolist() == [
        "2",
        "3",
    ]
    path = tmp_path / "layers.gpkg"
    points = sites("wdpa")
    points.geometry = shapely.centroid(points.geometry.array)
    points.to_file(path, layer="WDPA_points")
    sites("wdpa")[:1].to_file(path, layer="WDPA_polygons_0")
    sites("wdpa")[1:].to_file(path, layer="WDPA_polygons_1")
    assert read_areas(path, CATEGORIES, STATUSES)["site_id"].tolist() == ["1", "2", "3"]


def test_repair_keeps_area_that_is_covered_twice_and_drops_what_has_none(tmp_path):
    overlapping = shapely.MultiPolygon([SQUARE, shapely.box(0.5, 0, 1.5, 1)])
    spike = shapely.Polygon([(0, 0), (1, 0), (2, 0), (1, 0), (1, 1), (0, 1)])
    flat = shapely.Polygon([(0, 0), (1, 1), (2, 2), (0, 0)])
    nested = shapely.MultiPolygon([shapely.box(0, 0, 2, 2), shapely.box(0.5, 0.5, 1, 1)])
    shapes = [overlapping, nested, spike, flat, None]
    table = geopandas.GeoDataFrame(
        {"IUCN_CAT": "Ia", "STATUS": "Designated"}, index=range(5), geometry=shapes, crs=4326
    )
    table.to_file(tmp_path / "areas.gpkg")
    areas = read_areas(tmp_path / "areas.gpkg", CATEGORIES, STATUSES)
    assert shapely.area(areas.geometry.array).tolist() == pytest.approx([1.5, 4.0, 1.0])


def _without(column):
    return lambda path: sites("wdpa").drop(columns=column).to_file(path)


def _points(path):
    table = sites("wdpa")
    table.geometry = shapely.centroid(table.geometry.array)
    table.to_file(path)


def _virtual(path):
    sites("wdpa").to_file(path.with_name("other.gpkg"))
    path.write_text(
        f"""<OGRVRTDataSource><OGRVRTLayer name="other">
        <SrcDataSource>{path.with_name("other.gpkg")}</SrcDataSource>
        </OGRVRTLayer></OGRVRTDataSource>"""
    )


def _without_crs(path):
    with pytest.warns(UserWarning, match="crs"):
        sites("wdpa").set_crs(None, allow_override=True).to_file(path)


@pytest.mark.parametrize(
    ("make", "categories", "message"),
    [
        (lambda path: path.write_text("no polygons"), CATEGORIES, "cannot be opened as polygons"),
        (_points, CATEGORIES, r"no polygon layer \(found areas: Point\)"),
        (_without("IUCN_CAT"), CATEGORIES, r"no column IUCN_CAT \(columns found: WDPAID, STATUS"),
        (_without("STATUS"), CATEGORIES, "no column STATUS"),
        (
            lambda path: sites("wdpa").to_file(path),
            ("Ib",),
            r"no polygon counts of 8 sites: categories found Ia 5, .*wanted Ib .*"
            r"statuses found Designated 6, .*wanted Designated, Inscribed",
        ),
        (_without_crs, CATEGORIES, "has no coordinate reference system"),
        (_virtual, CATEGORIES, "is OGR_VRT, expected one of ESRI Shapefile"),
    ],
    ids=["junk", "points", "category", "status", "none left", "crs", "virtual"],
)
def test_errors_are_one_line_and_name_the_file(tmp_path, make, categories, message):
    path = tmp_path / "areas.gpkg"
    make(path)
    with pytest.raises(WildLensError, match=message) as caught:
        read_areas(path, categories, STATUSES)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def grid_at(epsg: int, x: float, y: float, shape=(300, 400), pixel=100.0) -> GeoBox:
    return GeoBox(shape, from_origin(x, y, pixel, pixel), f"EPSG:{epsg}")


def table_of(polygons) -> geopandas.GeoDataFrame:
    return geopandas.GeoDataFrame(geometry=list(polygons), crs="EPSG:4326")


def inside(polygons, grid: GeoBox) -> np.ndarray:
    """The definition, pixel by pixel, in degrees."""
    col, row = np.meshgrid(np.arange(grid.shape[1]) + 0.5, np.arange(grid.shape[0]) + 0.5)
    a, _, x0, _, e, y0 = grid.affine[:6]
    x, y = x0 + a * col, y0 + e * row
    lon, lat = Transformer.from_crs(grid.crs.to_wkt(), 4326, always_xy=True).transform(x, y)
    return shapely.contains_xy(shapely.union_all(list(polygons)), lon, lat)


def random_polygons(rng, west, south, east, north, count=12):
    for _ in range(count):
        corners = rng.uniform((west, south), (east, north), (rng.integers(3, 8), 2))
        yield shapely.convex_hull(shapely.MultiPoint(corners))


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(
    ("epsg", "x", "y", "box"),
    [
        (32634, 500_030.0, 7_300_010.0, (20.5, 65.0, 22.5, 66.5)),
        (32635, 300_000.0, 5_000_000.0, (24.0, 44.5, 25.5, 45.5)),
        (32740, 320_000.0, 7_680_000.0, (55.0, -21.5, 56.0, -20.5)),
    ],
)
def test_rasterized_pixels_are_those_whose_centre_lies_inside(seed, epsg, x, y, box):
    grid = grid_at(epsg, x, y)
    polygons = list(random_polygons(np.random.default_rng(seed), *box))
    expected = inside(polygons, grid)
    assert expected.any()
    np.testing.assert_array_equal(rasterize_areas(table_of(polygons), grid), expected)


def test_edges_are_straight_in_degrees():
    # along this parallel, a line from corner to corner on the grid would be 600 m off
    grid = grid_at(32634, 300_000.0, 7_300_000.0, shape=(200, 2000))
    polygons = [shapely.box(10, 65.7, 30, 66.5)]
    np.testing.assert_array_equal(rasterize_areas(table_of(polygons), grid), inside(polygons, grid))


def test_polygons_of_all_the_earth_do_not_reach_a_scene_in_norway():
    grid = grid_at(32633, 400_000.0, 7_500_000.0)
    step = 20
    cells = [
        shapely.box(lon, lat, lon + step, lat + step)
        for lon in range(-180, 180, step)
        for lat in range(-80, 80, step)
        if not (0 <= lon <= 20 and lat == 60)
    ]
    table = table_of([*cells, shapely.box(-180, -90, 180, 60)])
    assert not rasterize_areas(table, grid).any()


@pytest.mark.parametrize("epsg", [32660, 32601])
def test_grid_across_the_antimeridian(epsg):
    x = 820_000.0 if epsg == 32660 else 150_000.0
    grid = grid_at(epsg, x, 1_000_000.0, shape=(200, 500))
    polygons = [shapely.box(179.9, 8.5, 180, 8.95), shapely.box(-180, 8.7, -179.9, 9.5)]
    expected = inside(polygons, grid)
    lower, upper = inside(polygons[:1], grid), inside(polygons[1:], grid)
    assert lower.any() and upper.any() and not expected.all()
    np.testing.assert_array_equal(rasterize_areas(table_of(polygons), grid), expected)


@pytest.mark.parametrize("seed", range(4))
def test_windows_of_rows_give_the_whole(seed):
    grid = grid_at(32634, 500_030.0, 7_300_010.0)
    table = table_of(random_polygons(np.random.default_rng(seed), 20.5, 65.0, 22.5, 66.5))
    rows = [rasterize_areas(table, grid[top : top + 60, :]) for top in range(0, 300, 60)]
    np.testing.assert_array_equal(np.concatenate(rows), rasterize_areas(table, grid))


def test_reunion_as_the_api_gives_it(caplog, recwarn):
    root = os.environ.get("WILDLENS_TEST_DATA")
    if root is None:
        pytest.skip("WILDLENS_TEST_DATA is not set")
    path = Path(root) / "protected-areas" / "wdpa-reunion" / "pa_REU.shp"
    caplog.set_level(logging.INFO, "wildlens")

    strict = read_areas(path, CATEGORIES, STATUSES)
    assert strict["category"].value_counts().to_dict() == {"Ia": 5, "II": 1}
    assert "388669" in set(strict["site_id"])  # the core of the national park

    every = read_areas(path, ("Ia", "II", "IV", "V", "Not Applicable"), STATUSES)
    assert "18 geometries repaired, 1 without area" in caplog.messages[-1]
    assert every.geometry.is_valid.all()
    assert len(every) == 32  # one of 33 is a ring without area
    assert not [w for w in recwarn if "winding" in str(w.message)]
