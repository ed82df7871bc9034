"""Statistics of protected areas: against naive counts, at edges, across scenes, without data."""

import time
import tracemalloc
from pathlib import Path

import geopandas
import numpy as np
import pandas as pd
import pytest
import shapely
from attributed import BOG, FOREST
from odc.geo.geobox import GeoBox
from outputs_page import documented_columns

from wildlens.area_statistics import coverage
from wildlens.area_statistics.layers import scene_layers
from wildlens.area_statistics.rings import areas_km2, build_rings
from wildlens.area_statistics.scan import scan
from wildlens.area_statistics.step import build_statistics
from wildlens.areas.polygons import rasterize_areas
from wildlens.errors import WildLensError
from wildlens.files.raster import writing_geotiff
from wildlens.settings import Areas, Tiles

SIDE = 160
FINE = 12  # naive counts: points along each side of a pixel
CORNER = (480_000, 7_500_000)


def grid_at(column=0, row=0, side=SIDE, crs="EPSG:32634") -> GeoBox:
    """A grid of 10 m whose corner is some pixels from CORNER."""
    left, top = CORNER[0] + 10 * column, CORNER[1] - 10 * row
    return GeoBox.from_bbox(
        (left, top - 10 * side, left + 10 * side, top), crs=crs, resolution=10, tight=True
    )


class World:
    """Scenes with score, one method and land cover, and sites given in pixels of the first."""

    def __init__(self, folder: Path, seed=0):
        self.folder, self.rng = folder, np.random.default_rng(seed)
        self.grids, self.values, self.classes = {}, {}, {}
        self.maps, self.landcovers, self.scenes, self.sites = [], [], [], []

    def add_scene(self, name="lake", grid=None, missing=0.0, landcover=True) -> None:
        grid = grid_at() if grid is None else grid
        rows, columns = np.indices(grid.shape)
        score = (np.sin(rows / 17) * np.cos(columns / 23) + 1) / 2
        hidden = self.rng.random(grid.shape) < missing
        layers = {"score": score, "gan": self.rng.gamma(2, 0.01, grid.shape)}
        self.grids[name] = grid
        for method, values in layers.items():
            values = np.where(hidden, np.nan, values).astype(np.float32)
            self.values[name, method] = values
            tags = {"wildlens_scene": name, "wildlens_method": method}
            path = self.folder / f"maps/{name}/{method}.tif"
            self.maps.append(write(path, grid, values, "float32", np.nan, tags))
        if landcover:
            self.classes[name] = self.rng.choice([0, BOG, FOREST], grid.shape).astype(np.uint8)
            path = self.folder / f"landcover/{name}.tif"
            self.landcovers.append(write(path, grid, self.classes[name], "uint8", 0, {}))

    def add_site(self, shape, name="Site", category="Ia", crs="EPSG:32634", **more) -> None:
        """A site in pixels from CORNER, x to the right and y down."""
        ground = shapely.transform(shape, lambda xy: [*CORNER] + xy * [10, -10])
        series = geopandas.GeoSeries([ground], crs="EPSG:32634").to_crs(crs)
        row = {"WDPAID": len(self.sites) + 1, "NAME": name, "IUCN_CAT": category}
        row |= {"STATUS": "Designated", "DESIG_ENG": "Reserve", **more}
        self.sites.append(row | {"geometry": series.iloc[0]})

    def run(self, crs="EPSG:32634", ring_m=0, **changed) -> pd.DataFrame:
        areas = self.folder / "wdpa.gpkg"
        areas.unlink(missing_ok=True)
        geopandas.GeoDataFrame(self.sites, crs=crs).to_file(areas)
        arguments = {
            "areas": areas, "scenes": self.scenes, "maps": self.maps,
            "landcovers": self.landcovers, "thresholds": None, "settings": Areas(ring_m=ring_m),
            "output": self.folder / "area_statistics.csv", "tiles": Tiles(),
            "classes": self.folder / "area_classes.csv", "geopackage": self.folder / "areas.gpkg",
        }  # fmt: skip
        build_statistics(**(arguments | changed))
        return pd.read_csv(arguments["output"], dtype={"site_id": str})

    @property
    def by_class(self) -> pd.DataFrame:
        return pd.read_csv(self.folder / "area_classes.csv", dtype={"site_id": str})

    @property
    def features(self) -> geopandas.GeoDataFrame:
        return geopandas.read_file(self.folder / "areas.gpkg")

    def weights(self, scene: str, shape) -> np.ndarray:
        """Covered share of each pixel of a scene, by counting points: shape in degrees."""
        grid = self.grids[scene]
        fine = grid.zoom_to(shape=tuple(FINE * side for side in grid.shape))
        mask = rasterize_areas(geopandas.GeoDataFrame(geometry=[shape], crs=4326), fine)
        height, width = grid.shape
        return mask.reshape(height, FINE, width, FINE).mean(axis=(1, 3))


def write(path, grid, values, dtype, nodata, tags) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with writing_geotiff(path, grid, count=1, dtype=dtype, nodata=nodata, tags=tags) as dataset:
        dataset.write(values, 1)
    return path


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def blob(rng, x, y, radius) -> shapely.Polygon:
    """A random star-shaped polygon."""
    angles = np.sort(rng.uniform(0, 2 * np.pi, 25))
    radii = radius * rng.uniform(0.4, 1, 25)
    corners = np.stack([x + radii * np.cos(angles), y + radii * np.sin(angles)], axis=-1)
    return shapely.make_valid(shapely.Polygon(corners))


def random_sites(rng) -> list[shapely.Geometry]:
    whole = blob(rng, 75, 80, 70)
    return [
        whole,
        whole.difference(blob(rng, 75, 80, 25)),  # a hole
        shapely.union_all([blob(rng, 30, 30, 25), blob(rng, 120, 110, 35)]),
        blob(rng, SIDE - 5, 60, 60),  # beyond the edge
        shapely.box(-300, -300, 600, 600),  # holds the scene
    ]


@pytest.mark.parametrize("crs", ["EPSG:32634", "EPSG:4326", "EPSG:3035"])
def test_statistics_equal_naive_counts(world, monkeypatch, crs):
    monkeypatch.setattr(coverage, "ROWS", 64)
    monkeypatch.setattr(coverage, "COLUMNS", 96)
    world.add_scene(missing=0.3)
    for shape in random_sites(world.rng):
        world.add_site(shape, crs=crs)
    thresholds = world.folder / "methods.csv"
    thresholds.write_text("method,reference,threshold\ngan,corine,0.02\ngan,truth,9\n")
    table = world.run(crs, thresholds=thresholds)
    score, gan = (world.values["lake", method] for method in ("score", "gan"))
    classes, seen = world.classes["lake"], np.isfinite(score)
    assert len(table) == 5
    for number, row in table.iterrows():
        weights = np.where(seen, world.weights("lake", world.features.geometry[number]), 0)
        every = {
            "pixels": weights.sum(),
            "score_mean": np.average(score[seen], weights=weights[seen]),
            "score_share_below_half": weights[score < 0.5].sum() / weights.sum(),
            "gan_mean": np.average(gan[seen], weights=weights[seen]),
            "gan_share_high": weights[gan >= 0.02].sum() / weights.sum(),
            "landcover_known_share": weights[classes > 0].sum() / weights.sum(),
        }
        for name, value in every.items():
            assert row[name] == pytest.approx(value, rel=1e-3), (number, name)
        spread = np.average((score[seen] - every["score_mean"]) ** 2, weights=weights[seen])
        assert row["score_sd"] == pytest.approx(np.sqrt(spread), rel=1e-3)
        bogs = world.by_class[world.by_class["site_id"] == row["site_id"]]
        bogs = bogs[bogs["class_code"] == 412].iloc[0]
        in_bogs = np.where(classes == BOG, weights, 0)
        assert bogs["share"] == pytest.approx(in_bogs.sum() / weights[classes > 0].sum(), rel=1e-3)
        assert bogs["gan_mean"] == pytest.approx(
            np.average(gan[seen], weights=in_bogs[seen]), rel=1e-3
        )


def peak_of_scan(world, zones) -> int:
    """Peak memory of a scan of zones that cover a whole window of the scene, bytes."""
    polygons = [grid_at(side=400).geographic_extent.geom] * zones
    layers = scene_layers(world.maps, world.landcovers)
    tracemalloc.start()
    totals = scan(layers, polygons, {})
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(totals) == zones and all(total.pixels > 100_000 for total in totals)
    return peak


def test_memory_of_a_scan_does_not_grow_with_the_zones_of_a_window(world):
    world.add_scene(grid=grid_at(side=400))
    peak_of_scan(world, 1)  # what is imported on first use
    one_zone = 400 * 400 * 16  # bytes of positions and shares
    assert peak_of_scan(world, 40) < peak_of_scan(world, 2) + 2 * one_zone


def test_covered_share_is_that_of_the_whole_polygon(world):
    world.add_scene()
    world.add_site(shapely.box(20, 20, 60, 60), "within")
    world.add_site(shapely.box(SIDE - 40, 20, SIDE + 120, 60), "a quarter")
    world.add_site(shapely.box(-200, 0, -1, 100), "beside")
    table = world.run().set_index("name")
    assert table["covered_share"].to_dict() == pytest.approx(
        {"within": 1, "a quarter": 0.25}, abs=1e-4
    )
    assert table.loc["within", "covered_km2"] == pytest.approx(0.16, rel=1e-3)
    assert table.loc["a quarter", "area_km2"] == pytest.approx(0.64, rel=1e-3)
    assert sorted(world.features["name"]) == ["a quarter", "within"]


def test_geometry_is_whole_and_has_the_numbers(world):
    world.add_scene()
    world.add_site(shapely.box(SIDE - 40, 20, SIDE + 120, 60))
    table = world.run(ring_m=100)
    (feature,) = world.features.to_dict("records")
    assert areas_km2([feature["geometry"]])[0] == pytest.approx(0.64, rel=1e-3)
    inside, ring = table.to_dict("records")
    for name in ("covered_share", "score_mean", "score_sd", "gan_mean"):
        assert feature[name] == pytest.approx(inside[name], rel=1e-4)
        assert feature[f"ring_{name}"] == pytest.approx(ring[name], rel=1e-4)


def test_ring_has_its_width_and_leaves_other_sites_out(world):
    world.add_scene()
    world.add_site(shapely.box(50, 50, 90, 90), "left")
    world.add_site(shapely.box(95, 40, 120, 100), "right")
    table = world.run(ring_m=200).set_index(["name", "zone"])
    square = shapely.box(50, 50, 90, 90)
    expected = square.buffer(20, 16) - square - shapely.box(95, 40, 120, 100)
    assert table.loc[("left", "ring"), "area_km2"] == pytest.approx(expected.area / 1e4, rel=2e-3)
    assert table.loc[("left", "ring"), "pixels"] == pytest.approx(expected.area, rel=2e-3)
    assert table.loc[("left", "ring"), "covered_share"] == pytest.approx(1, abs=1e-4)


def test_surrounded_site_has_an_empty_ring(world):
    world.add_scene()
    world.add_site(shapely.box(50, 50, 60, 60), "inner")
    world.add_site(shapely.box(20, 20, 120, 120), "outer")
    row = world.run(ring_m=100).set_index(["name", "zone"]).loc[("inner", "ring")]
    assert row["area_km2"] == row["pixels"] == 0 and np.isnan(row["covered_share"])


def test_ring_across_the_antimeridian_is_narrow():
    parts = [shapely.box(179.99, 68, 180, 68.01), shapely.box(-180, 68, -179.99, 68.01)]
    sites = np.array([shapely.MultiPolygon(parts)], dtype=object)
    (ring,) = build_rings(sites, sites, 1000)
    square = np.sqrt(areas_km2(sites)[0])
    assert areas_km2([ring])[0] == pytest.approx(4 * square + np.pi, rel=0.1)
    assert (np.abs(shapely.get_coordinates(ring)[:, 0]) > 179.9).all()


@pytest.mark.parametrize("crs", ["EPSG:32634", "EPSG:32633"])
def test_site_across_two_scenes_counts_overlapping_ground_once(world, crs):
    world.add_scene("first")
    other = grid_at(SIDE - 40)
    if crs != "EPSG:32634":
        other = GeoBox.from_bbox(other.extent.to_crs(crs).boundingbox, crs=crs, resolution=10)
    world.add_scene("second", other)
    world.add_site(shapely.box(20, 20, 250, 130))
    (row,) = world.run().to_dict("records")
    assert row["scenes"] == "first second"
    assert row["covered_share"] == pytest.approx(1, abs=2e-3)


def test_pixels_missing_in_one_scene_come_from_the_next(world, caplog):
    world.add_scene("cloudy", missing=0.5)
    world.add_scene("clear")
    world.add_scene("again")
    world.add_site(shapely.box(20, 20, 130, 130))
    with caplog.at_level("INFO", "wildlens"):
        (row,) = world.run().to_dict("records")
    assert row["scenes"] == "cloudy clear" and row["covered_share"] == pytest.approx(1, abs=1e-4)
    assert "scene again adds no ground" in caplog.text


def test_without_land_cover_its_columns_are_left_out_and_said(world, caplog):
    world.add_scene(landcover=False)
    world.add_site(shapely.box(20, 20, 60, 60))
    with caplog.at_level("INFO", "wildlens"):
        table = world.run()
    assert not [name for name in table if name.startswith("landcover")]
    assert world.by_class.empty and "without land cover, left out of it: lake" in caplog.text


def test_scenes_without_maps_give_features_without_numbers(world):
    world.add_scene()
    world.add_site(shapely.box(20, 20, 60, 60))
    table = world.run(maps=[], landcovers=[], scenes=[world.maps[0]], ring_m=100)
    assert table.empty and "score_mean" in table
    assert world.features["score_mean"].isna().all() and len(world.features) == 1


def test_columns_are_the_documented_ones(world):
    world.add_scene()
    world.add_site(shapely.box(20, 20, 60, 60))
    written = {"area_statistics.csv": world.run(ring_m=100), "area_classes.csv": world.by_class}
    for name, table in written.items():
        expected = [c.replace("{method}", "gan") for c in documented_columns()[name]]
        assert table.columns.tolist() == expected, name


def test_same_inputs_give_the_same_files(world):
    world.add_scene()
    world.add_site(shapely.box(20, 20, 60, 60))
    files = [world.folder / name for name in ("area_statistics.csv", "areas.gpkg")]
    world.run(ring_m=100)
    first = [path.read_bytes() for path in files]
    time.sleep(0.01)  # GeoPackages state their time in milliseconds
    world.run(ring_m=100)
    assert [path.read_bytes() for path in files] == first


def test_names_fit_on_one_line(world):
    world.add_scene()
    world.add_site(shapely.box(20, 20, 60, 60), 'A "reserve",\r\n\tof Å\x1b[31m\u2028bogs')
    world.add_site(shapely.box(70, 70, 90, 90), "long " * 2000)
    assert world.run(ring_m=100)["name"].tolist()[0] == 'A "reserve", of Å [31m bogs'
    lines = (world.folder / "area_statistics.csv").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 5
    assert len(world.features["name"][1]) == len("long " * 2000) - 1


def test_parcels_of_a_site_are_one_row_and_other_categories_are_left_out(world):
    world.add_scene()
    for left in (20, 50):
        world.add_site(shapely.box(left, 20, left + 20, 60), WDPAID=7)
    world.add_site(shapely.box(90, 20, 110, 60), category="V")
    (row,) = world.run().to_dict("records")
    assert row["site_id"] == "7" and row["pixels"] == pytest.approx(1600, rel=1e-4)


def own_polygons(folder: Path, **columns) -> Path:
    """Two polygons without any column of the WDPA: one in the scene of `World`, one far away."""
    near, far = shapely.box(20, 20, 60, 50), shapely.box(9000, 0, 9050, 40)
    ground = [shapely.transform(s, lambda xy: [*CORNER] + xy * [10, -10]) for s in (near, far)]
    frame = geopandas.GeoDataFrame(columns, geometry=ground, crs="EPSG:32634")
    path = folder / "units.gpkg"
    frame.to_file(path)
    return path


@pytest.mark.parametrize(
    ("column", "name"), [("unit", "north 1"), ("number", "12"), ("height", "3.5"), (None, "")]
)
def test_polygons_of_ones_own_all_count(world, tmp_path, column, name):
    world.add_scene()
    world.add_site(shapely.box(20, 20, 60, 50))
    columns = {"unit": ["north\n1", "south 2"], "number": [12, None], "height": [3.5, 4.0]}
    areas = own_polygons(tmp_path, **columns)
    settings = Areas(ring_m=0, polygons=str(areas), name_column=column)
    own = world.run(areas=areas, settings=settings)
    assert own["name"].fillna("").map(str).tolist() == [name] and own["category"].isna().all()
    protected = world.run()
    numbers = ["area_km2", "covered_share", "score_mean"]
    assert np.allclose(own[numbers], protected[numbers], rtol=1e-6)


def test_polygons_without_the_named_column_are_refused(world, tmp_path):
    world.add_scene()
    world.add_site(shapely.box(20, 20, 60, 50))
    areas = own_polygons(tmp_path, unit=["a", "b"])
    settings = Areas(polygons=str(areas), name_column="nmae")
    with pytest.raises(
        WildLensError, match=r"areas\.name_column: .* no column 'nmae'; it has unit"
    ):
        world.run(areas=areas, settings=settings)


def test_own_polygons_are_of_a_known_format(world, tmp_path):
    world.add_scene()
    world.add_site(shapely.box(20, 20, 60, 50))
    path = tmp_path / "units.gml"
    geopandas.read_file(own_polygons(tmp_path, unit=["a", "b"])).to_file(path, driver="GML")
    with pytest.raises(WildLensError, match=r"units\.gml: is GML, expected one of"):
        world.run(areas=path, settings=Areas(polygons=str(path)))


def test_polygons_of_another_region_are_refused(world, tmp_path):
    world.add_scene(grid=grid_at(3000, 3000))
    world.add_site(shapely.box(20, 20, 60, 50))
    areas = own_polygons(tmp_path, unit=["a", "b"])
    with pytest.raises(WildLensError, match=r"units\.gpkg: has no polygon near the scenes"):
        world.run(areas=areas, settings=Areas(ring_m=0, polygons=str(areas)))


def test_polygons_far_away_are_ignored(world):
    world.add_scene()
    world.add_site(shapely.box(20, 20, 60, 60))
    world.add_site(shapely.box(50_000, 20, 50_060, 60))
    assert world.run()["site_id"].tolist() == ["1"]


@pytest.mark.parametrize(
    ("break_it", "said"),
    [
        ("no tag", "has no tag 'wildlens_scene'; give a map of"),
        ("grid", "gan.tif: has another grid than .*score.tif; make it again with wildlens map"),
        ("landcover", "has another grid than .*; make it again with wildlens landcover"),
        ("twice", "a second map of scene 'lake' by 'gan'"),
        ("class", "lake.tif: holds class 99, but the legend"),
        ("thresholds", "has no thresholds: .*; give methods.csv of wildlens evaluate"),
        ("nothing", "needs a scene or a map"),
    ],
)
def test_wrong_inputs_are_one_line(world, break_it, said):
    world.add_scene()
    world.add_site(shapely.box(20, 20, 60, 60))
    changed = {}
    gan, tags = world.maps[1], {"wildlens_scene": "lake", "wildlens_method": "gan"}
    values = world.values["lake", "gan"]
    if break_it == "no tag":
        write(gan, grid_at(), values, "float32", np.nan, {})
    elif break_it == "grid":
        write(gan, grid_at(1), values, "float32", np.nan, tags)
    elif break_it == "landcover":
        write(world.landcovers[0], grid_at(1), world.classes["lake"], "uint8", 0, {})
    elif break_it == "twice":
        other = write(world.folder / "gan.tif", grid_at(), values, "float32", np.nan, tags)
        world.maps.append(other)
    elif break_it == "class":
        write(world.landcovers[0], grid_at(), np.full((SIDE, SIDE), 99, np.uint8), "uint8", 0, {})
    elif break_it == "thresholds":
        changed["thresholds"] = world.folder / "methods.csv"
        changed["thresholds"].write_text("method,iou\ngan,1\n")
    else:
        changed["maps"] = []
    with pytest.raises(WildLensError, match=said) as caught:
        world.run(**changed)
    assert "\n" not in str(caught.value)
    assert not (world.folder / "area_statistics.csv").exists()
