"""The change between two dates: against naive numbers, its noise, and what is refused."""

import json
from pathlib import Path

import geopandas
import numpy as np
import pandas as pd
import pytest
import rasterio
import shapely
from odc.geo.geobox import GeoBox
from outputs_page import documented_columns
from rasterio.transform import Affine
from rio_cogeo import cog_validate

from wildlens.compare.step import compare_dates
from wildlens.errors import WildLensError
from wildlens.files.raster import writing_geotiff
from wildlens.settings import Areas, Compare, Tiles
from wildlens.summary.digest import as_text, read_summary
from wildlens.summary.step import write_page

SIDE = 416
CORNER = (480_000, 7_500_000)
METHODS = {"score": "score", "gan": "reflectance"}


def grid_at(column=0, row=0, side=SIDE, crs="EPSG:32634", pixel=10.0) -> GeoBox:
    """A grid whose corner is some pixels from CORNER."""
    left, top = CORNER[0] + pixel * column, CORNER[1] - pixel * row
    return GeoBox((side, side), Affine(pixel, 0, left, 0, -pixel, top), crs)


class Dates:
    """Maps of several dates, and protected areas given in pixels of the first grid."""

    def __init__(self, folder: Path, seed=0):
        self.folder, self.rng = folder, np.random.default_rng(seed)
        self.maps, self.values, self.sites = [], {}, []

    def add(self, name, grid=None, missing=0.0, change=(), tags=(), methods=METHODS) -> None:
        """Maps of smooth values and noise; `change` adds to parts of them."""
        grid = grid_at() if grid is None else grid
        hidden = self.rng.random(grid.shape) < missing
        for method in methods:
            values = 0.5 + 0.02 * self.rng.standard_normal(grid.shape)
            for part, amount in change:
                values[part] += amount
            values = np.where(hidden, np.nan, values).astype(np.float32)
            self.values[name, method] = values
            self.write(name, method, grid, values, dict(tags))

    def write(self, name, method, grid, values, tags) -> None:
        inputs = {f"{name}.tif": f"digest of {name}", "classifier.safetensors": "c1"}
        tags = {"wildlens_scene": name, "wildlens_method": method, "unit": METHODS[method],
                "wildlens_inputs": json.dumps(inputs), "wildlens_settings": "window: 512",
                "wildlens_trained_on": "simulated land", **tags}  # fmt: skip
        path = self.folder / f"maps/{name}/{method}.tif"
        path.parent.mkdir(parents=True, exist_ok=True)
        form = {"count": 1, "dtype": "float32", "nodata": np.nan, "tags": tags}
        with writing_geotiff(path, grid, **form) as dataset:
            dataset.write(values, 1)
        self.maps.append(path)

    def add_site(self, left, top, right, bottom, name="Site", category="Ia") -> None:
        ground = shapely.transform(
            shapely.box(left, top, right, bottom), lambda xy: [*CORNER] + xy * [10, -10]
        )
        self.sites.append({"WDPAID": len(self.sites) + 1, "NAME": name, "IUCN_CAT": category,
                           "STATUS": "Designated", "DESIG_ENG": "Reserve",
                           "geometry": ground})  # fmt: skip

    def run(
        self, unchanged=(), ring_m=0, before="old", after="new", areas=None
    ) -> pd.DataFrame | None:
        path = None
        if self.sites:
            path = self.folder / "wdpa.gpkg"
            geopandas.GeoDataFrame(self.sites, crs="EPSG:32634").to_file(path)
        settings = Compare(before=before, after=after, unchanged=list(unchanged))
        of_areas = areas or Areas(ring_m=ring_m)
        compare_dates(self.maps, path, self.output, settings, of_areas, Tiles())
        if path is not None:
            return pd.read_csv(self.output / "areas.csv", keep_default_na=False, na_values=[""])
        return None

    @property
    def output(self) -> Path:
        return self.folder / "compare/old_new"

    def change(self, method: str) -> tuple[np.ndarray, GeoBox, dict]:
        with rasterio.open(self.output / f"{method}.tif") as dataset:
            return dataset.read(1), dataset.transform, dataset.tags()


@pytest.fixture
def dates(tmp_path):
    return Dates(tmp_path)


def by_site(table: pd.DataFrame, method="score") -> pd.DataFrame:
    return table[table["method"] == method].set_index("name")


def test_change_is_after_minus_before_where_both_have_values(dates):
    dates.add("old", missing=0.2)
    dates.add("new", missing=0.3)
    dates.run()
    for method in METHODS:
        found, transform, _ = dates.change(method)
        expected = dates.values["new", method] - dates.values["old", method]
        assert found.dtype == np.float32 and transform == grid_at().affine
        assert np.isnan(found).mean() == pytest.approx(0.44, abs=0.01)
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("shift", [(100, 30), (-90, 12), (0, -200)])
def test_aligned_grids_are_cut_to_their_overlap(dates, shift):
    column, row = shift
    dates.add("old")
    dates.add("new", grid=grid_at(column, row))
    dates.run()
    found, transform, _ = dates.change("gan")
    top, left, shape = max(0, row), max(0, column), (SIDE - abs(row), SIDE - abs(column))
    old = dates.values["old", "gan"][top : top + shape[0], left : left + shape[1]]
    new = dates.values["new", "gan"]
    new = new[top - row : top - row + shape[0], left - column : left - column + shape[1]]
    np.testing.assert_array_equal(found, new - old)
    assert transform == grid_at(left, top).affine


def test_map_is_a_cog_that_states_dates_unit_and_origin(dates):
    for name, year in (("old", 2018), ("new", 2023)):
        tags = {"wildlens_time": f"{year}-07-12T10:20:21Z"}
        dates.add(name, grid=grid_at(side=700), tags=tags)
    dates.run()
    path = dates.output / "gan.tif"
    assert cog_validate(path)[0]
    with rasterio.open(path) as dataset:
        tags, of_band = dataset.tags(), dataset.tags(1)
        assert dataset.overviews(1) == [2] and np.isnan(dataset.nodata)
        assert dataset.descriptions == ("change",) and dataset.units == ("reflectance",)
        assert float(of_band["STATISTICS_MEAN"]) == pytest.approx(dataset.read(1).mean(), abs=1e-6)
    assert (tags["wildlens_before"], tags["wildlens_after"]) == ("old", "new")
    assert tags["wildlens_change_of"] == "gan" and "wildlens_method" not in tags
    assert tags["wildlens_before_time"] == "2018-07-12T10:20:21Z"
    assert tags["wildlens_trained_on"] == "simulated land"
    assert list(json.loads(tags["wildlens_inputs"])) == ["old/gan.tif", "new/gan.tif"]


def test_images_are_left_out_and_areas_are_optional(dates):
    dates.add("old")
    dates.add("new")
    image = dates.folder / "maps/old/maximized.tif"
    form = {"count": 1, "dtype": "uint16", "nodata": 0}
    tags = {"wildlens_scene": "old", "wildlens_method": "maximized"}
    with writing_geotiff(image, grid_at(), tags=tags, **form) as dataset:
        dataset.write(np.ones(grid_at().shape, np.uint16), 1)
    dates.maps.append(image)
    assert dates.run() is None
    assert sorted(path.name for path in dates.output.glob("[!.]*")) == ["gan.tif", "score.tif"]


def test_areas_have_the_mean_change_of_their_valid_pixels(dates):
    dates.add("old", missing=0.2)
    dates.add("new", missing=0.1, change=[(np.s_[100:200, 50:150], -0.3)])
    dates.add_site(50, 100, 150, 200, "cleared")
    dates.add_site(300, 300, 500, 340, "at the edge")
    table = dates.run(ring_m=100)
    assert list(table.columns) == documented_columns()["compare/{before}_{after}/areas.csv"]
    change, _, _ = dates.change("score")
    for name, part in (("cleared", np.s_[100:200, 50:150]), ("at the edge", np.s_[300:340, 300:])):
        row = by_site(table).loc[name]
        assert row["change_mean"] == pytest.approx(np.nanmean(change[part]), abs=2e-4)
        valid = np.isfinite(change[part]).sum()
        assert row["covered_km2"] == pytest.approx(valid * 1e-4, rel=3e-3)
    assert row["covered_share"] == pytest.approx(valid / (200 * 40), rel=3e-3)
    ring = np.nanmean(
        np.concatenate([change[90:100, 50:150].ravel(), change[200:210, 50:150].ravel()])
    )
    assert by_site(table).loc["cleared", "ring_change_mean"] == pytest.approx(ring, abs=3e-3)


def naive_noise(change, side, left_out) -> tuple[float, float, int]:
    """Quantiles of the means of all whole blocks that do not touch a box."""
    left, top, right, bottom = left_out
    means = []
    for row in range(0, change.shape[0] - side + 1, side):
        for column in range(0, change.shape[1] - side + 1, side):
            apart = column + side <= left or column >= right
            if apart or row + side <= top or row >= bottom:
                block = change[row : row + side, column : column + side]
                if np.isfinite(block).mean() >= 0.5:
                    means.append(np.nanmean(block.astype(np.float64)))
    return *np.quantile(means, [0.025, 0.975]), len(means)


def test_noise_is_that_of_other_blocks_of_the_same_size(dates):
    box = (64, 128, 112, 176)  # the site is 47 x 47 px, of which 72 % are valid
    part = np.s_[128:176, 64:112]
    dates.add("old", missing=0.2)
    dates.add("new", missing=0.1, change=[(part, -0.3), (np.s_[:, 200:], 0.01)])
    dates.add_site(64.5, 128.5, 111.5, 175.5, "cleared")
    row = by_site(dates.run()).loc["cleared"]
    low, high, blocks = naive_noise(dates.change("score")[0], 32, box)
    assert (row["noise_low"], row["noise_high"]) == pytest.approx((low, high), rel=1e-5)
    assert row["noise_blocks"] == blocks and row["beyond_noise"] == "yes"
    assert row["noise_source"] == "other ground of the same scenes"
    assert row["noise_block_km2"] == pytest.approx(32 * 32 * 1e-4, rel=3e-3)


def test_changed_area_is_beyond_its_noise_and_others_are_not(dates):
    dates.add("old")
    # the whole scene is higher at the second date, by season: not a change of an area
    dates.add("new", change=[(np.s_[:], 0.1), (np.s_[96:144, 96:144], -0.2)])
    dates.add_site(96, 96, 144, 144, "changed")
    dates.add_site(240, 240, 288, 288, "unchanged")
    table = by_site(dates.run())
    assert table["beyond_noise"].to_dict() == {"changed": "yes", "unchanged": "no"}
    assert table.loc["unchanged", "noise_low"] > 0


def test_changed_area_is_left_out_of_the_noise_of_others(dates):
    dates.add("old")
    dates.add("new", change=[(np.s_[96:192, 96:192], -0.2), (np.s_[288:336, 96:144], -0.05)])
    dates.add_site(96.5, 96.5, 191.5, 191.5, "much")
    dates.add_site(96.5, 288.5, 143.5, 335.5, "little")
    table = by_site(dates.run())
    assert table["beyond_noise"].to_dict() == {"much": "yes", "little": "yes"}
    assert -0.01 < table.loc["little", "noise_low"] < 0


def test_noise_is_that_of_pairs_without_change_where_they_are_named(dates):
    dates.add("old")
    dates.add("new", change=[(np.s_[:], 0.1)])
    for name, grid in (("a", grid_at(9000, 0)), ("b", grid_at(9000, 0))):
        dates.add(name, grid=grid)
    dates.add_site(100, 100, 148, 148)
    row = by_site(dates.run(unchanged=[("a", "b")])).loc["Site"]
    change = dates.values["b", "score"] - dates.values["a", "score"]
    low, high, blocks = naive_noise(change, 48, (0, 0, 0, 0))
    assert (row["noise_low"], row["noise_high"]) == pytest.approx((low, high), rel=1e-4)
    assert row["noise_blocks"] == blocks and row["beyond_noise"] == "yes"
    assert row["noise_source"] == "unchanged pair a and b"


def test_large_area_takes_smaller_blocks_and_a_tiny_one_none(dates):
    dates.add("old")
    dates.add("new")
    dates.add_site(10, 10, 250, 250, "large")
    dates.add_site(300, 300, 312, 312, "tiny")
    table = by_site(dates.run())
    assert 0.04 < table.loc["large", "noise_block_km2"] < 0.5
    assert table.loc["large", "noise_blocks"] >= 40
    tiny = table.loc["tiny"]
    assert np.isnan(tiny["noise_low"]) and np.isnan(tiny["beyond_noise"])
    assert tiny["noise_source"] == "none: the area is smaller than 16 x 16 pixels"


def test_area_without_a_common_pixel_has_no_change(dates):
    dates.add("old")
    dates.add("new")
    dates.values["new", "score"][:] = np.nan
    for method in METHODS:
        values = np.full(grid_at().shape, np.nan, np.float32)
        dates.maps.remove(dates.folder / f"maps/new/{method}.tif")
        dates.write("new", method, grid_at(), values, {})
    dates.add_site(100, 100, 150, 150)
    row = by_site(dates.run()).loc["Site"]
    assert row["covered_km2"] == 0 and np.isnan(row["change_mean"])
    assert np.isnan(row["beyond_noise"])


@pytest.mark.parametrize(
    ("box", "category", "said"),
    [
        ((9000, 0, 9050, 50), "Ia", ["wdpa.gpkg: has no site near the scenes", "has no rows"]),
        ((0, 0, 50, 50), "V", ["no polygon counts of 1 sites near the scenes", "has no rows"]),
        ((-12, 0, -2, 50), "Ia", []),  # beside the scenes: its ring may reach them
    ],
    ids=["far away", "does not count", "beside"],
)
def test_maps_of_change_without_a_protected_area_near_have_an_empty_table(
    dates, caplog, box, category, said
):
    dates.add("old")
    dates.add("new")
    dates.add_site(*box, category=category)
    table = dates.run(ring_m=100)
    assert {path.name for path in dates.output.glob("*.tif")} == {"gan.tif", "score.tif"}
    assert table.empty
    assert list(table.columns) == documented_columns()["compare/{before}_{after}/areas.csv"]
    warnings = [r.getMessage() for r in caplog.records if r.levelname == "WARNING"]
    assert len(warnings) == bool(said)
    for part in said:
        assert part in warnings[0] and "\n" not in warnings[0]


def test_own_polygons_elsewhere_give_an_empty_table(dates, caplog):
    dates.add("old")
    dates.add("new")
    dates.add_site(9000, 0, 9050, 50)
    settings = Areas(polygons=str(dates.folder / "wdpa.gpkg"))
    assert dates.run(areas=settings).empty
    assert "wdpa.gpkg: has no polygon near the scenes" in caplog.text


def test_file_of_areas_that_cannot_be_read_stops_the_comparison(dates):
    dates.add("old")
    dates.add("new")
    dates.add_site(0, 0, 50, 50)
    with pytest.raises(WildLensError, match=r"has no column 'unit'"):
        dates.run(areas=Areas(polygons="wdpa.gpkg", name_column="unit"))


def test_summary_takes_an_empty_table_of_changes(dates):
    dates.add("old")
    dates.add("new")
    dates.add_site(9000, 0, 9050, 50)
    dates.run()
    (dates.folder / "settings").mkdir()
    (dates.folder / "settings/compare.yaml").write_text("before: old\nafter: new\n")
    summary = read_summary(dates.folder)
    assert summary.comparison == "compare/old_new" and summary.changes == []
    assert "beyond the noise" not in "".join(as_text(summary).partition("Main numbers")[1:])
    write_page(dates.folder, None, dates.folder / "summary.html")
    assert "Change between" not in (dates.folder / "summary.html").read_text(encoding="utf-8")


def other_zone(dates):
    dates.add("new", grid=grid_at(crs="EPSG:32635"))


def fraction(dates):
    dates.add("new", grid=grid_at(column=0.5))


def coarser(dates):
    dates.add("new", grid=grid_at(pixel=20.0))


def apart(dates):
    dates.add("new", grid=grid_at(column=SIDE))


def one_method(dates):
    dates.add("new", methods=["score"])


def other_models(dates):
    inputs = {"new.tif": "x", "classifier.safetensors": "c2"}
    dates.add("new", tags={"wildlens_inputs": json.dumps(inputs)})


def other_settings(dates):
    dates.add("new", tags={"wildlens_settings": "window: 256"})


def broken_tag(dates):
    dates.add("new", tags={"wildlens_inputs": "[1]"})


def no_maps(dates):
    pass


@pytest.mark.parametrize(
    ("add", "said"),
    [
        (other_zone, "old is in EPSG:32634, new in EPSG:32635: set scene.crs to EPSG:32634"),
        (fraction, "new are offset by a fraction of a pixel from those of old: set scene.crs"),
        (coarser, "pixels of old are 10 x 10, those of new 20 x 20: make both scenes again"),
        (apart, "old and new have no ground in common: name two dates of the same ground"),
        (one_method, "scene 'new' has no map by 'gan', which 'old' has: make it with wildlens map"),
        (other_models, "was made with other models or settings than"),
        (other_settings, "was made with other models or settings than"),
        (broken_tag, "its tag wildlens_inputs is no JSON object: map it again"),
        (no_maps, "no map of scene 'new' is given; maps are of: old"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_maps_that_cannot_be_compared_are_refused_in_one_line(dates, add, said):
    dates.add("old")
    add(dates)
    with pytest.raises(WildLensError) as error:
        dates.run()
    assert said in str(error.value) and "\n" not in str(error.value)
    assert not dates.output.exists()


def test_dates_in_the_wrong_order_are_warned_about(dates, caplog):
    for name, year in (("old", 2023), ("new", 2018)):
        dates.add(name, tags={"wildlens_time": f"{year}-07-12T10:20:21Z"})
    dates.run()
    assert "new (2018-07-12T10:20:21Z) is earlier than old" in caplog.text


def test_same_maps_give_the_same_files(dates):
    dates.add("old")
    dates.add("new")
    dates.add_site(100, 100, 150, 150)
    dates.run()
    first = {path.name: path.read_bytes() for path in dates.output.iterdir()}
    (dates.output / "left.tif").touch()  # of an earlier configuration
    dates.run()
    assert {path.name: path.read_bytes() for path in dates.output.iterdir()} == first


def test_unchanged_pair_without_a_method_is_refused_in_one_line(dates):
    for name in ("old", "new"):
        dates.add(name)
    for name in ("a", "b"):
        dates.add(name, methods=["score"])
    dates.add_site(100, 100, 150, 150)
    with pytest.raises(WildLensError) as error:
        dates.run(unchanged=[("a", "b")])
    said = "scenes 'a' and 'b' have no map by 'gan', which 'old' has: make them with wildlens map"
    assert str(error.value) == f"compare: {said}"
    assert not dates.output.exists()


# --- the folder that is replaced ----------------------------------------------------------------


@pytest.fixture
def compared(dates):
    """Two dates and the maps of their change, with what a GIS and `remember` save beside them."""
    dates.add("old")
    dates.add("new")
    dates.run()
    beside = ("score.qml", "score.tif.aux.xml", ".score.tif.digest")
    for name in (*beside, ".score.tif.digest.12", ".gan.host-12.part.qml"):
        (dates.output / name).write_text("beside")
    return dates


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_maps_of_an_earlier_comparison_are_replaced(compared):
    compared.run()
    assert names_in(compared.output) == ["gan.tif", "score.tif"]
    compared.add_site(100, 100, 150, 150)
    for _ in range(2):
        compared.run()
        assert names_in(compared.output) == ["areas.csv", "gan.tif", "score.tif"]


def test_sidecars_that_remain_of_a_comparison_are_replaced(compared):
    for name in ("score.qml", "score.tif", "gan.tif"):  # as `snakemake --delete-all-output` does
        (compared.output / name).unlink()
    compared.run()
    assert names_in(compared.output) == ["gan.tif", "score.tif"]


def other_table(folder):
    (folder / "areas.csv").write_text("id,name\n")


def other_map(folder):
    path = folder / "scene.tif"
    form = {"count": 1, "dtype": "float32", "nodata": np.nan, "tags": {"wildlens_scene": "old"}}
    with writing_geotiff(path, grid_at(), **form) as dataset:
        dataset.write(np.ones(grid_at().shape, np.float32), 1)


def other_style(folder):
    (folder / "mine.qml").write_text("style")


def other_folder(folder):
    (folder / "mine").mkdir()


@pytest.mark.parametrize("add", [other_table, other_map, other_style, other_folder])
def test_folder_with_other_files_is_refused_and_stays(compared, add):
    add(compared.output)
    before = names_in(compared.output)
    with pytest.raises(WildLensError, match="is not an earlier result of this command") as error:
        compared.run()
    assert "\n" not in str(error.value) and names_in(compared.output) == before
