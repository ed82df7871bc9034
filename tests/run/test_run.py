"""A folder of results, opened in Python."""

import subprocess
import sys

import geopandas
import numpy as np
import pytest
import rasterio
import yaml
from attributed import BOG, World, grid_at
from result_folder import Results, write_change, write_map, write_stack
from tile_region import add_scene, one_scene

import wildlens
from wildlens.errors import WildLensError
from wildlens.files.cog import writing_cog
from wildlens.run.configuration import dump_configuration
from wildlens.settings import Classifier, Tiles, validate

INPUTS = {
    "training": [{"name": "field", "product": "field.SAFE"}],
    "mapping": [{"name": "lake", "product": "lake.SAFE"}],
    "landcover": "clc.tif",
    "areas": "wdpa.gpkg",
}
FETCH = {"box": [21, 68, 22, 69], "dates": ["2023-07-01", "2023-08-31"]}
TABLES = {
    "evaluation/methods.csv": "method,iou\ngan,0.5\nrandom,\n",
    "evaluation/metrics.csv": "a\n1\n",
    "metrics/classifier/accuracy.csv": "split,accuracy\ntest,0.9\n",
    "area_statistics.csv": "site_id,zone\n7,inside\n",
}


def write_settings(folder, **sections) -> None:
    """The configuration beside the results, as the workflow writes it."""
    (folder / "settings").mkdir(exist_ok=True)
    text = dump_configuration(validate({"inputs": INPUTS} | sections))
    (folder / "settings/configuration.yaml").write_text(text, encoding="utf-8")


class Folder(Results):
    """The rasters of `Results`, with settings, tables, tiles and attributions."""

    def __init__(self, path):
        super().__init__(path)
        at = self.folder.joinpath
        settings = {"inputs": INPUTS, "gan": {"lambda_am": 0.4}, "demo": {"seed": 3}}
        write_settings(self.folder, **settings)
        for name, text in TABLES.items():
            at(name).parent.mkdir(parents=True, exist_ok=True)
            at(name).write_text(text)
        at("evaluation/warnings.txt").write_text("too few tiles\n")
        self.with_score()

    def with_score(self):
        values = np.ones((2, 96, 96), np.float32)
        values[1] = 0.25
        path = self.folder / "maps/lake/score.tif"
        with rasterio.open(self.folder / "maps/lake/gan.tif") as gan:
            tags = gan.tags() | {"wildlens_method": "score", "wildlens_form": "score",
                                 "wildlens_time": "2021-07-19T10:05:59.024000Z"}  # fmt: skip
        names = ("score", "disagreement")
        grid = grid_at(500_000, values[0])
        with writing_cog(path, grid, tags=tags, descriptions=names, unit="score") as dataset:
            dataset.write(values)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return Folder(tmp_path_factory.mktemp("run")).folder


@pytest.fixture(scope="module")
def run(folder):
    return wildlens.open_run(folder)


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory):
    """A run with tiles of two zones, attributions and examples, and nothing else."""
    path = tmp_path_factory.mktemp("evaluated")
    region = one_scene(path)
    add_scene(region, "east", np.random.default_rng(2), 32635, (290, 300))
    region.build()
    world = World(tmp_path_factory.mktemp("world"))
    world.write().run()
    results = path / "results"
    (results / "attributions").mkdir()
    world.path("gan.zarr").rename(results / "attributions/gan.zarr")
    world.path("out").rename(results / "evaluation")
    return wildlens.open_run(results)


def refusal(call, *arguments) -> str:
    with pytest.raises(WildLensError) as error:
        call(*arguments)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_import_and_function_load_no_library():
    code = "import sys, wildlens; wildlens.open_run; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"numpy", "xarray", "torch", "pydantic"} & set(done.stdout.split())


def test_opening_a_run_loads_no_torch(folder):
    code = "import sys, wildlens; wildlens.open_run(sys.argv[1]); print(*sys.modules)"
    command = [sys.executable, "-c", code, folder]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "torch" not in done.stdout.split()


def test_run_names_what_it_has(run):
    assert run.scenes == ["field", "lake"]
    assert run.maps == {"lake": ["gan", "occlusion", "score", "maximized"]}
    assert "2 scenes, maps of lake" in repr(run)
    assert run.tables == ["methods", "metrics", "area_statistics", "classifier/accuracy"]


def test_settings_are_those_of_the_run_and_else_defaults(run):
    assert run.settings.gan.lambda_am == 0.4
    assert run.settings.inputs.mapping[0].name == "lake"
    assert run.settings.tiles == Tiles()


@pytest.mark.parametrize(
    "sections",
    [
        {},
        {"anthroprotect": "/data/ap", "tiles": {"size": 256}},
        {"classifier": {"members": 3}, "gan": {"members": 3}},
        {"models": {"classifier": "c"}, "inputs": {"mapping": [{"name": "a", "product": "a"}]},
         "attribution": {"methods": ["gradcam"], "extras": ["score"]}},
        {"compare": {"before": "lake", "after": "later", "unchanged": [["field", "lake"]]},
         "inputs": INPUTS | {"mapping": [{"name": n, "fetch": FETCH} for n in ("lake", "later")]}},
    ],
)  # fmt: skip
def test_settings_survive_a_round_trip(tmp_path, sections):
    write_settings(tmp_path, **sections)
    assert wildlens.open_run(tmp_path).settings == validate({"inputs": INPUTS} | sections)


def test_settings_ignore_files_of_sections_of_an_earlier_configuration(tmp_path):
    write_settings(tmp_path)
    left = {"compare": {"before": "old", "after": "new"}, "members": {"classifier": 3, "gan": 3},
            "models": {"classifier": "c"}, "classifier": {"target": "wetland"}}  # fmt: skip
    for name, section in left.items():
        (tmp_path / f"settings/{name}.yaml").write_text(yaml.safe_dump(section))
    settings = wildlens.open_run(tmp_path).settings
    assert settings.compare is None and settings.models is None
    assert settings.classifier == Classifier()


@pytest.mark.parametrize(
    ("text", "message"),
    [(None, "is missing: run snakemake, which writes it"),
     ("gan: {lambda_m: 1}\n", "unknown key 'gan.lambda_m' .did you mean 'lambda_am'"),
     ("!!python/object:os.system {}\n", "cannot be read as YAML")],
)  # fmt: skip
def test_settings_that_cannot_be_read_are_refused(tmp_path, text, message):
    (tmp_path / "settings").mkdir()
    if text is not None:
        (tmp_path / "settings/configuration.yaml").write_text(text)
    with pytest.raises(WildLensError, match=rf"configuration\.yaml: .*{message}"):
        _ = wildlens.open_run(tmp_path).settings


def test_scene_is_reflectance_with_names_crs_and_time(run, folder):
    scene = run.scene("lake")
    with rasterio.open(folder / "scenes/lake.tif") as dataset:
        stored = dataset.read()
        assert scene.rio.bounds() == dataset.bounds
    assert scene.dims == ("band", "y", "x") and scene.rio.crs.to_epsg() == 32634
    assert scene["band"].values.tolist() == ["B02", "B03", "B04", "B08"]
    assert scene.attrs["units"] == "reflectance" and scene.dtype == "float32"
    expected = np.where(stored == 0, np.nan, stored / 10_000)
    np.testing.assert_allclose(scene.values, expected, rtol=1e-6)
    assert scene["time"].values == np.datetime64("2021-07-19T10:05:59.024")


def test_scene_is_written_again_with_its_names(run, tmp_path):
    run.scene("lake").isel(x=slice(40, 60)).rio.to_raster(tmp_path / "a.tif")
    with rasterio.open(tmp_path / "a.tif") as dataset:
        assert dataset.descriptions == ("B02", "B03", "B04", "B08") and dataset.width == 20


def test_map_is_one_layer_with_title_unit_and_crs(run, folder):
    gan = run.map("lake", "gan")
    with rasterio.open(folder / "maps/lake/gan.tif") as dataset:
        np.testing.assert_array_equal(gan.values, dataset.read(1))
    assert gan.dims == ("y", "x") and gan.name == "gan" and gan.rio.crs.to_epsg() == 32634
    assert gan.attrs["long_name"] == "GAN |X+ − X−|"


def test_change_between_dates_is_one_layer(tmp_path):
    results = Results(tmp_path)
    values = np.random.default_rng(0).normal(size=(96, 96))
    write_change(results.folder, "gan", "field", "lake", values)
    (results.folder / "compare/field_lake/areas.csv").write_text("site_id\n7\n")
    run = wildlens.open_run(results.folder)
    assert run.changes == {"field_lake": ["gan"]}
    change = run.change("field_lake", "gan")
    np.testing.assert_array_equal(change.values, values.astype(np.float32))
    assert change.dims == ("y", "x") and change.rio.crs.to_epsg() == 32634
    assert change.attrs["long_name"] == "GAN |X+ − X−|, change"
    assert run.table("field_lake/areas")["site_id"].tolist() == [7]


def test_score_has_a_second_band(run):
    score, range_ = run.map("lake", "score"), run.map("lake", "score", "disagreement")
    assert (score.values == 1).all() and (range_.values == 0.25).all()
    assert score.attrs["units"] == "score" and score.attrs["long_name"] == "Score"
    assert score["time"].values == np.datetime64("2021-07-19T10:05:59.024")
    assert "'b'" in refusal(run.map, "lake", "score", "b")


def test_bands_of_members_have_their_own_units(tmp_path):
    results = Results(tmp_path)
    values = np.stack([np.full((96, 96), value, np.float32) for value in (1, 0.25, 0.5)])
    path = results.folder / "maps/lake/gan.tif"
    with rasterio.open(path) as dataset:
        tags = dataset.tags()
    names = ("gan", "member_sd", "member_agreement")
    units = ("reflectance", "reflectance", "share of members")
    with writing_cog(path, grid_at(500_000, values[0]), tags=tags, descriptions=names) as dataset:
        dataset.write(values)
        dataset.units = units
    run = wildlens.open_run(results.folder)
    for band, value, unit in zip((None, *names[1:]), (1, 0.25, 0.5), units, strict=True):
        layer = run.map("lake", "gan", band)
        assert (layer.values == value).all() and layer.attrs["units"] == unit


def test_generated_image_has_the_form_of_a_scene(run):
    image = run.map("lake", "maximized")
    assert image.dims == ("band", "y", "x") and np.nanmax(image.values) < 1


def test_land_cover_keeps_its_numbers_and_has_names(run, folder):
    cover = run.landcover("lake")
    with rasterio.open(folder / "landcover/lake.tif") as dataset:
        np.testing.assert_array_equal(cover.values, dataset.read(1))
    assert cover.dtype == "uint8" and cover.attrs["class_names"][BOG] == "412 Peat bogs"
    assert cover.attrs["flag_meanings"].split()[BOG] == "412_Peat_bogs"
    assert len(cover.attrs["flag_values"]) == len(cover.attrs["class_names"]) == 45


def test_areas_have_their_statistics(run):
    areas = run.areas()
    assert isinstance(areas, geopandas.GeoDataFrame) and areas.crs.to_epsg() == 4326
    assert areas["name"].tolist() == ["Lake", "Fell"] and areas["score_mean"][0] == 0.93


def test_tables_are_found_by_name(run):
    assert run.table("methods")["iou"].tolist()[0] == 0.5
    assert run.table("classifier/accuracy")["accuracy"].tolist() == [0.9]
    assert run.table("area_statistics")["zone"].tolist() == ["inside"]


def test_warnings_of_steps_and_maps(run):
    assert run.warnings == [
        "evaluate: too few tiles",
        "map: lake is unlike the tiles that the classifier was trained on",
    ]


def test_tiles_are_reflectance_and_one_has_its_place(evaluated):
    tiles = evaluated.tiles()
    assert tiles["reflectance"].dtype.kind == "f" and float(tiles["reflectance"].max()) <= 1
    assert tiles["landcover"].dtype == "uint8"
    for number in (0, -1):
        name = tiles["name"].values[number]
        tile = evaluated.tile(name)
        assert tile.rio.crs.to_string() == tiles["crs"].values[number]
        x = tiles["tile_x"].values[number]
        assert tile.rio.bounds()[0] == x[0] - 5 and tile.rio.bounds()[2] == x[-1] + 5
        np.testing.assert_array_equal(tile["landcover"], tiles["landcover"][number])


def test_attribution_of_tiles(evaluated):
    assert evaluated.attributions == ["gan"]
    store = evaluated.attribution("gan")
    assert store["attribution"].dims == ("tile", "y", "x")
    assert set(store["split"].values) == {"val", "test"}


def test_examples_have_named_images(evaluated):
    examples = evaluated.examples()
    assert examples["image"].dims == ("tile", "kind", "band", "y", "x")
    assert examples["kind"].values.tolist() == ["X", "X+", "X-"]
    change = abs(examples["image"].sel(kind="X+") - examples["image"].sel(kind="X-")).mean()
    assert change > 0


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (lambda r: r.scene("lak"), ["did you mean 'lake'?", "field, lake", "wildlens scene"]),
        (lambda r: r.scene("../scenes/lake"), ["no scene '../scenes/lake'"]),
        (lambda r: r.map("lake", "ocl\nusion"), ["'ocl usion' (did you mean 'occlusion'?)"]),
        (lambda r: r.map("field", "gan"), ["no map of scene 'field'", "wildlens map"]),
        (lambda r: r.map("lake", "deeplift"), ["no map by method", "wildlens map"]),
        (lambda r: r.change("a_b", "gan"), ["no change between dates 'a_b'", "wildlens compare"]),
        (lambda r: r.landcover("sea"), ["no land cover of scene 'sea'", "wildlens landcover"]),
        (lambda r: r.table("method"), ["did you mean 'methods'?", "classifier/accuracy"]),
        (lambda r: r.table(7), ["no table '7'"]),
        (lambda r: r.attribution("gan"), ["no attribution by method 'gan', nor any other",
                                          "wildlens attribute"]),
        (lambda r: r.tiles(), ["tiles.zarr: is missing", "wildlens tiles"]),
        (lambda r: r.tile("a"), ["tiles.zarr: is missing"]),
        (lambda r: r.examples(), ["examples.npz", "wildlens evaluate"]),
    ],
)  # fmt: skip
def test_missing_result_is_one_line_with_what_makes_it(run, call, expected):
    message = refusal(call, run)
    for part in expected:
        assert part in message


def test_unknown_tile_is_refused(evaluated):
    assert "no tile 'a b'" in refusal(evaluated.tile, "a\nb")


def test_run_without_land_cover_and_areas(tmp_path):
    values = np.random.default_rng(0).random((96, 96))
    stored = np.full((2, 96, 96), 500, np.uint16)
    write_stack(tmp_path / "results/scenes/lake.tif", stored, ("B02", "B03"), "uint16")
    write_map(tmp_path / "results/maps/lake/gan.tif", "gan", values)
    run = wildlens.open_run(str(tmp_path / "results"))
    assert run.scenes == ["lake"] and run.map("lake", "gan").shape == (96, 96)
    assert "time" not in run.scene("lake").coords
    assert run.attributions == [] and run.tables == []
    assert "wildlens landcover" in refusal(run.landcover, "lake")
    assert "area-statistics" in refusal(run.areas)


def test_folder_without_results_is_refused(tmp_path):
    assert "run snakemake" in refusal(wildlens.open_run, tmp_path / "nowhere")
    assert "run snakemake" in refusal(wildlens.open_run, tmp_path)
    (tmp_path / "results/maps").mkdir(parents=True)
    assert f"open '{tmp_path / 'results'}'" in refusal(wildlens.open_run, tmp_path)


def test_damaged_files_are_refused_in_one_line(tmp_path):
    folder = Folder(tmp_path).folder
    # a VRT could read any file under the name of an image
    (folder / "scenes/lake.tif").write_text("<VRTDataset rasterXSize='1' rasterYSize='1'/>")
    (folder / "maps/lake/gan.tif").write_bytes(b"II*\0")
    (folder / "areas.gpkg").write_text("none")
    (folder / "evaluation/methods.csv").write_bytes(b"\xff\xfe\x00")
    (folder / "attributions/gan.zarr").mkdir(parents=True)
    (folder / "tiles.zarr").mkdir()
    run = wildlens.open_run(folder)
    assert "scenes/lake.tif: cannot be opened" in refusal(run.scene, "lake")
    assert "maps/lake/gan.tif" in refusal(run.map, "lake", "gan")
    assert "areas.gpkg" in refusal(run.areas)
    assert "methods.csv: cannot be read" in refusal(run.table, "methods")
    assert "gan.zarr: cannot be opened" in refusal(run.attribution, "gan")
    assert "tiles.zarr" in refusal(run.tiles)
