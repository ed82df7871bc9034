import logging
import os
import zipfile
from pathlib import Path

import geopandas
import numpy as np
import pandas
import pyogrio
import pytest
import shapely
from odc.geo.geobox import GeoBox
from protected_areas import read_areas
from pyproj import Transformer
from rasterio.transform import from_origin

from wildlens.areas.polygons import rasterize_areas
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
def test_sites_that_count_in_every_spelling(tmp_path, spelling, suffix):
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


def test_repair_keeps_overlaps_and_drops_empty_geometries(tmp_path):
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


# --- archives, as Protected Planet gives them


def zipped(path: Path, files, compression=zipfile.ZIP_DEFLATED, folder="") -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for file in files:
            archive.write(file, folder + file.name)
        archive.writestr(folder + "readme.txt", "what it is")
    return path


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("spelling", ["wdpa", "wdpca"])
def test_shapefiles_in_zips_in_a_zip_are_read_in_place(tmp_path, compression, spelling):
    table, stem = sites(spelling), "WDPA_WDOECM_Jan2026_Public_NOR_shp"
    parts = []
    for n, rows in enumerate((table[:1], table[1:2], table[2:])):
        part = tmp_path / f"part{n}"
        part.mkdir()
        rows.to_file(part / f"{stem}-polygons.shp")
        points = rows.set_geometry(shapely.centroid(rows.geometry.array), crs=4326)
        points.to_file(part / f"{stem}-points.shp")
        parts.append(zipped(tmp_path / f"{stem}_{n}.zip", sorted(part.iterdir())))
    whole = zipped(tmp_path / f"{stem}.zip", parts, compression)
    before = set(tmp_path.rglob("*"))
    assert read_areas(whole, CATEGORIES, STATUSES)["site_id"].tolist() == ["1", "2", "3"]
    assert read_areas(parts[1], CATEGORIES, STATUSES)["site_id"].tolist() == ["2"]
    west = read_areas(whole, CATEGORIES, STATUSES, (10.0, 60.0, 10.15, 60.05))
    assert west["site_id"].tolist() == ["1"]
    assert set(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("suffix", ["gpkg", "geojson", "gdb"])
def test_other_files_in_a_zip_are_read_in_place(tmp_path, suffix):
    inner = tmp_path / f"WDPA_WDOECM_Jan2026_Public_NOR.{suffix}"
    sites("wdpca").to_file(inner, driver={"gdb": "OpenFileGDB"}.get(suffix))
    files, folder = ([inner], "data/")
    if inner.is_dir():
        files, folder = sorted(inner.iterdir()), f"data/{inner.name}/"
    path = zipped(tmp_path / "areas.zip", files, folder=folder)
    assert read_areas(path, CATEGORIES, STATUSES)["site_id"].tolist() == ["1", "2", "3"]


# --- CDDA


def cdda(**columns) -> geopandas.GeoDataFrame:
    shapes = [shapely.box(10 + n / 10, 60, 10.05 + n / 10, 60.1) for n in range(4)]
    columns = {"cddaId": [7, 8, 9, 10], "cddaCountryCode": "FI"} | columns
    return geopandas.GeoDataFrame(columns, geometry=shapes, crs=4326).to_crs(3035)


CDDA_CATEGORIES = ["Ia", "II", "notApplicable", "IV"]


@pytest.mark.parametrize("suffix", ["gpkg", "shp"])
@pytest.mark.parametrize("column", ["iucnCategory", "IUCNCAT", "IUCN_CAT"])
def test_cdda_has_categories_and_no_status(tmp_path, suffix, column):
    path = tmp_path / f"CDDA_2023.{suffix}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("warnings.warn", lambda *a, **k: None)  # names are cut to 10 characters
        cdda(**{column: CDDA_CATEGORIES}).to_file(path)
    areas = read_areas(path, CATEGORIES, STATUSES)
    assert areas["site_id"].tolist() == ["7", "8"]
    assert areas["category"].tolist() == ["Ia", "II"]
    with pytest.raises(WildLensError, match="statuses found Designated 4, wanted Inscribed"):
        read_areas(path, CATEGORIES, ("Inscribed",))


def test_cdda_categories_from_a_separate_table(tmp_path):
    path = tmp_path / "CDDA_2021_v01_public.gpkg"
    cdda().to_file(path, layer="ProtectedSite")
    ecosystem = ["terrestrial", "marine", "terrestrial", "marineAndTerrestrial"]
    table = {"cddaId": [9, 7, 10, 8], "iucnCategory": ["V", "Ia", "IV", "II"]}
    pyogrio.write_dataframe(
        pandas.DataFrame(table | {"majorEcosystemType": ecosystem}), path, layer="DesignatedArea",
        append=True,
    )  # fmt: skip
    areas = read_areas(path, CATEGORIES, STATUSES)
    assert dict(zip(areas["site_id"], areas["category"], strict=True)) == {"7": "Ia", "8": "II"}
    coastal = read_areas(path, CATEGORIES, STATUSES, realms=["Coastal"])
    assert coastal["site_id"].tolist() == ["8"]


# --- filters


REALM_OF = {"wdpa": ("MARINE", "012"), "wdpca": ("REALM", ("Terrestrial", "Coastal", "Marine")),
            "api": ("is_marine", (False, False, True))}  # fmt: skip


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_sites_count_by_realm_in_any_spelling(tmp_path, spelling):
    column, values = REALM_OF[spelling]
    table = sites(spelling)[:3].assign(**{column: list(values)})
    table.to_file(tmp_path / "areas.gpkg")

    def found(*realms):
        areas = read_areas(tmp_path / "areas.gpkg", CATEGORIES, STATUSES, realms=realms)
        return areas["site_id"].tolist()

    assert found("Marine") == ["3"]
    assert found("Terrestrial", "Marine", "Coastal") == ["1", "2", "3"]
    assert found("Terrestrial", "Coastal") == ["1", "2"]
    with pytest.raises(WildLensError, match=r"realms found .*, wanted Coastal \(tiles.realms\)"):
        read_areas(tmp_path / "areas.gpkg", ("Ib",), STATUSES, realms=["Coastal"])


def test_site_of_unknown_realm_needs_all_realms(tmp_path):
    sites("wdpca").to_file(tmp_path / "areas.gpkg")
    assert len(read_areas(tmp_path / "areas.gpkg", CATEGORIES, STATUSES)) == 3
    with pytest.raises(WildLensError, match="realms found none 8"):
        read_areas(tmp_path / "areas.gpkg", CATEGORIES, STATUSES, realms=["Terrestrial"])


@pytest.mark.parametrize("spelling", ["wdpa", "wdpca"])
def test_oecm_sites_count_on_request_whatever_their_category(tmp_path, spelling):
    table = sites(spelling)
    table.loc[6, "IUCN_CAT"] = "Not Applicable"
    table.to_file(tmp_path / "areas.gpkg")
    areas = read_areas(tmp_path / "areas.gpkg", CATEGORIES, STATUSES, oecm=True)
    assert areas["site_id"].tolist() == ["1", "2", "3", "7"]
    assert len(read_areas(tmp_path / "areas.gpkg", CATEGORIES, STATUSES)) == 3


def test_categories_and_statuses_ignore_case(tmp_path):
    table = sites("wdpa")
    table["IUCN_CAT"] = table["IUCN_CAT"].str.upper()
    table["STATUS"] = table["STATUS"].str.lower()
    table.to_file(tmp_path / "areas.gpkg")
    assert len(read_areas(tmp_path / "areas.gpkg", CATEGORIES, STATUSES)) == 3


@pytest.mark.parametrize("claimed", ["UTF-8", "ISO-8859-1", None])
@pytest.mark.parametrize("written", ["UTF-8", "ISO-8859-1"])
def test_shapefile_of_any_encoding_is_read(tmp_path, claimed, written):
    table = sites("wdpa").assign(DESIG_ENG="Réserve naturelle")
    pyogrio.write_dataframe(table, tmp_path / "areas.shp", encoding=written)
    (tmp_path / "areas.cpg").unlink()
    if claimed:
        (tmp_path / "areas.cpg").write_text(claimed)
    assert len(read_areas(tmp_path / "areas.shp", CATEGORIES, STATUSES)) == 4  # and the reserve


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
def test_rasterised_pixels_have_their_centre_inside(seed, epsg, x, y, box):
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


def test_distant_polygons_do_not_reach_the_scene():
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


SQUARE_AT_180 = [shapely.box(179.5, 8.5, 180, 9.0), shapely.box(-180, 8.5, -179.6, 9.0)]
ACROSS = {
    "split": shapely.MultiPolygon(SQUARE_AT_180),
    "beyond 180": shapely.box(179.5, 8.5, 180.4, 9.0),
    "beyond -180": shapely.box(-180.5, 8.5, -179.6, 9.0),
    "leaping": shapely.box(-179.6, 8.5, 179.5, 9.0),
    "leaping, with another": shapely.MultiPolygon(
        [shapely.box(-179.6, 8.5, 179.5, 9.0), shapely.box(10, 8.5, 11, 9)]
    ),
}


@pytest.mark.parametrize("spelling", ACROSS)
@pytest.mark.parametrize("epsg", [32660, 32601])
@pytest.mark.parametrize("bounds", [None, (-180.0, 8.0, 180.0, 10.0)])
def test_polygons_across_the_antimeridian_however_written(tmp_path, spelling, epsg, bounds):
    table = geopandas.GeoDataFrame(
        {"IUCN_CAT": ["Ia"], "STATUS": "Designated"}, geometry=[ACROSS[spelling]], crs=4326
    )
    table.to_file(tmp_path / "areas.gpkg")
    areas = read_areas(tmp_path / "areas.gpkg", CATEGORIES, STATUSES, bounds)
    west, _, east, _ = areas.total_bounds
    assert west >= -180 and east <= 180 and areas.geometry.is_valid.all()
    more = 0.5 if "another" in spelling else 0.0
    assert shapely.area(areas.geometry.array).sum() == pytest.approx(0.45 + more)
    grid = grid_at(epsg, 800_000.0 if epsg == 32660 else 130_000.0, 1_000_000.0, (200, 700))
    expected = inside(SQUARE_AT_180, grid)
    assert 0.1 < expected.mean() < 0.9
    np.testing.assert_array_equal(rasterize_areas(areas, grid), expected)


def test_polygon_beyond_180_is_found_from_the_west(tmp_path):
    table = geopandas.GeoDataFrame(
        {"IUCN_CAT": ["Ia"], "STATUS": "Designated"},
        geometry=[shapely.box(181, 8, 182, 9)],
        crs=4326,
    )
    table.to_file(tmp_path / "areas.gpkg")
    areas = read_areas(tmp_path / "areas.gpkg", CATEGORIES, STATUSES, (-179.5, 8, -178, 9))
    assert areas.total_bounds == pytest.approx([-179, 8, -178, 9])


def test_polygon_around_the_earth_is_kept(tmp_path):
    band = shapely.box(-180, -80, 180, -70)
    table = geopandas.GeoDataFrame(
        {"IUCN_CAT": ["Ia"], "STATUS": "Designated"}, geometry=[band], crs=4326
    )
    table.to_file(tmp_path / "areas.gpkg")
    assert read_areas(tmp_path / "areas.gpkg", CATEGORIES, STATUSES).geometry[0].area == 3600


@pytest.mark.parametrize("seed", range(4))
def test_windows_of_rows_equal_the_whole(seed):
    grid = grid_at(32634, 500_030.0, 7_300_010.0)
    table = table_of(random_polygons(np.random.default_rng(seed), 20.5, 65.0, 22.5, 66.5))
    rows = [rasterize_areas(table, grid[top : top + 60, :]) for top in range(0, 300, 60)]
    np.testing.assert_array_equal(np.concatenate(rows), rasterize_areas(table, grid))


def test_real_sites_of_reunion(caplog, recwarn):
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
