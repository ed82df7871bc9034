"""The STAC catalogue: valid, readable by pystac, independent of the location of its folder.

The schemas of STAC itself come with pystac. Those of the extensions lie on the network only, so
their fields are read with pystac's extension classes, which raise on what is missing.
"""

import hashlib
import json
import shutil
import subprocess
from pathlib import Path

import crossing
import geopandas
import numpy as np
import pystac
import pytest
import rasterio
import safetensors.torch
import shapely
from attributed import BOG
from jsonschema import Draft7Validator
from pystac.extensions.classification import ClassificationExtension
from pystac.extensions.mlm import AssetGeneralMLMExtension, MLMExtension
from pystac.extensions.projection import ProjectionExtension
from pystac.validation.local_validator import get_local_schema_cache
from referencing import Registry, Resource
from result_folder import (
    BANDS,
    SIDE,
    TRAINED_ON,
    UNLIKE,
    CrossingResults,
    Results,
    write_change,
    write_map,
    write_stack,
)

from wildlens import provenance
from wildlens.catalogue.step import build_catalogue
from wildlens.errors import WildLensError
from wildlens.files.origin import UNKNOWN, Origin
from wildlens.networks import weights
from wildlens.networks.classifier import LocalClassifier
from wildlens.networks.generator import Generator

ROOT = Path(__file__).parents[2]
SYSTEM_PYTHON = "/usr/bin/python3"  # Debian builds QGIS for this one
OPEN = ROOT / "tests/qgis/open_assets.py"


class Described(Results):
    """Results with models, and the catalogue of them."""

    def __init__(self, folder):
        super().__init__(folder)
        self.models = [
            write_model(self.folder, "classifier", LocalClassifier(4, width=4), "local"),
            write_model(self.folder, "generators", Generator(4, width=2, blocks=1), "generator"),
        ]
        self.output = self.folder / "stac"

    def build(self, **changed) -> pystac.Catalog:
        return build(self, **changed)


def write_model(folder, name, network, kind):
    path = folder / f"models/{name}.safetensors"
    arguments = {"bands": 4, "width": 4} if kind == "local" else {"bands": 4, "width": 2}
    provenance = {"wildlens_settings": "seed: 3\n", "wildlens_version": "0.1.0"}
    weights.save(
        path, {name: network}, kind=kind, arguments=arguments, bands=list(BANDS),
        tile_size=64, provenance=provenance,
    )  # fmt: skip
    return path


def build(results, **changed) -> pystac.Catalog:
    names = ("scenes", "landcovers", "maps", "models", "footprints", "output")
    arguments = {name: getattr(results, name) for name in names}
    build_catalogue(**(arguments | changed))
    return pystac.Catalog.from_file(str(arguments["output"] / "catalog.json"))


@pytest.fixture
def results(tmp_path):
    return Described(tmp_path)


def flaws(folder: Path) -> list[str]:
    """What the schemas of STAC 1.1 find wrong in the files below a folder."""
    schemas = get_local_schema_cache()
    registry = Registry().with_resources(
        (uri, Resource.from_contents(schema)) for uri, schema in schemas.items()
    )
    found = []
    for path in sorted(folder.rglob("*.json")):
        content = json.loads(path.read_text())
        kind = {"Feature": "item"}.get(content["type"], content["type"].lower())
        uri = f"https://schemas.stacspec.org/v1.1.0/{kind}-spec/json-schema/{kind}.json"
        validator = Draft7Validator(schemas[uri], registry=registry)
        found += [f"{path.name}: {error.message}" for error in validator.iter_errors(content)]
    return found


def test_every_file_is_valid_stac_and_flaws_are_found(results):
    results.build()
    assert len(list(results.output.rglob("*.json"))) == 1 + 5 + 8
    assert flaws(results.output) == []
    item = results.output / "scenes/lake/lake.json"
    item.write_text(item.read_text().replace('"bbox":', '"box":'))
    (flaw,) = flaws(results.output)
    assert flaw.startswith("lake.json: ")


def test_earlier_catalogue_is_replaced_and_another_one_is_not(results):
    results.build()
    results.build(models=[])
    assert not (results.output / "models").exists()
    path = results.output / "catalog.json"
    path.write_text(path.read_text().replace('"id": "wildlens"', '"id": "mine"'))
    with pytest.raises(WildLensError, match="is not an earlier result of this command"):
        results.build()
    assert (results.output / "scenes").exists()


def test_catalogue_has_collections_items_and_assets(results):
    scores = write_map(results.folder / "maps/lake/score.tif", "score", np.ones((SIDE, SIDE)))
    catalogue = results.build(maps=[*results.maps, scores])
    found = {
        child.id: {item.id: sorted(item.assets) for item in child.get_items()}
        for child in catalogue.get_children()
    }
    assert found == {
        "scenes": {"field": ["reflectance"], "lake": ["reflectance"]},
        "landcover": {"field": ["landcover"], "lake": ["landcover"]},
        "attributions": {"lake": ["gan", "occlusion"]},
        "generated": {"lake": ["maximized"]},
        "scores": {"lake": ["score"]},
        "models": {"classifier": ["model"], "generators": ["model"]},
    }
    assert {item.get_collection().id for item in catalogue.get_items(recursive=True)} == set(found)


def test_change_between_dates_is_an_item_from_the_first_to_the_second(results):
    later = results.folder / "scenes/later.tif"
    shutil.copy(results.scenes[1], later)
    with rasterio.open(later, "r+") as dataset:
        dataset.update_tags(product_sensing_time="2023-07-19T10:05:59Z")
    change = np.zeros((SIDE, SIDE))
    changes = [write_change(results.folder, m, "lake", "later", change) for m in ("score", "gan")]
    catalogue = results.build(scenes=[*results.scenes, later], changes=changes)
    (item,) = catalogue.get_child("changes").get_items()
    assert item.id == "lake_later" and sorted(item.assets) == ["gan", "score"]
    assert [str(time.date()) for time in (
        item.common_metadata.start_datetime, item.common_metadata.end_datetime
    )] == ["2021-07-19", "2023-07-19"]  # fmt: skip
    assert item.assets["score"].extra_fields["bands"][0]["name"] == "change"
    assert flaws(results.output) == []
    with pytest.raises(WildLensError, match="belongs to later, which is not among the scenes"):
        results.build(changes=changes)


def test_catalogue_is_valid_after_the_folder_was_moved(results, tmp_path):
    results.build()
    for path in results.output.rglob("*.json"):
        assert str(tmp_path) not in path.read_text(), "an address that is not relative"
    elsewhere = tmp_path / "ÅNGSTRÖM's folder"
    shutil.move(results.folder, elsewhere)
    catalogue = pystac.Catalog.from_file(str(elsewhere / "stac/catalog.json"))
    items = list(catalogue.get_items(recursive=True))
    assert len(items) == 8
    for item in items:
        for asset in item.assets.values():
            path = Path(asset.get_absolute_href())
            content = path.read_bytes()
            assert asset.extra_fields["file:size"] == len(content)
            total = hashlib.sha256(content).hexdigest()
            assert asset.extra_fields["file:checksum"] == f"1220{total}"


def test_raster_fields_equal_the_file(results):
    item = results.build().get_child("scenes").get_item("lake")
    projection = ProjectionExtension.ext(item)
    with rasterio.open(results.scenes[1]) as scene:
        assert projection.code == "EPSG:32634" == str(scene.crs)
        assert projection.shape == [SIDE, SIDE]
        assert projection.transform == list(scene.transform)[:6]
        assert projection.bbox == list(scene.bounds)
    assert item.datetime.isoformat() == "2021-07-19T10:05:59.024000+00:00"
    longitudes = [x for x, _ in item.geometry["coordinates"][0]]
    assert item.bbox[0] == min(longitudes) and item.bbox[2] == max(longitudes)
    asset = item.assets["reflectance"]
    assert asset.media_type == "image/tiff; application=geotiff"
    assert asset.extra_fields["raster:spatial_resolution"] == 10
    assert [band["name"] for band in asset.extra_fields["bands"]] == list(BANDS)
    assert asset.extra_fields["bands"][2] == {
        "name": "B04", "data_type": "uint16", "nodata": 0, "raster:scale": 0.0001,
        "raster:offset": 0, "eo:common_name": "red",
    }  # fmt: skip


def test_boxes_and_outlines_across_the_antimeridian_are_split(tmp_path):
    results = CrossingResults(tmp_path)
    results.models = [
        write_model(results.folder, "classifier", LocalClassifier(4, width=4), "local")
    ]
    results.output = results.folder / "stac"
    catalogue = build(results)
    scenes, models = catalogue.get_child("scenes"), catalogue.get_child("models")
    item, model = scenes.get_item("wrangel"), models.get_item("classifier")
    expected = crossing.box_of(crossing.GRID)
    assert expected[0] > 179.9 and expected[2] < -179.9
    for box in (item.bbox, model.bbox, *(c.extent.spatial.bboxes[0] for c in (scenes, models))):
        assert box == pytest.approx(expected, abs=1e-4)
    for outline in (item.geometry, model.geometry):
        assert outline["type"] == "MultiPolygon" and len(outline["coordinates"]) == 2
        shape = shapely.geometry.shape(outline)
        assert crossing.widest(shape) < 0.07 and shape.is_valid
        assert all(part.exterior.is_ccw for part in shape.geoms)
    own = geopandas.GeoSeries([shapely.geometry.shape(item.geometry)], crs=4326).to_crs(32660)
    assert own.area[0] == pytest.approx(3600**2, rel=1e-6)
    assert flaws(results.output) == []


def test_map_has_unit_statistics_and_provenance(results):
    item = results.build().get_child("attributions").get_item("lake")
    asset = item.assets["gan"]
    assert asset.title == "GAN |X+ − X−|"
    assert asset.media_type == "image/tiff; application=geotiff; profile=cloud-optimized", (
        "QGIS adds no others from its browser"
    )
    (band,) = asset.extra_fields["bands"]
    assert (band["nodata"], band["unit"], band["data_type"]) == ("nan", "reflectance", "float32")
    with rasterio.open(results.maps[1]) as dataset:
        values = dataset.read(1)
    assert band["statistics"]["maximum"] == np.nanmax(values)
    assert band["statistics"]["mean"] == pytest.approx(np.nanmean(values, dtype=float))
    assert asset.extra_fields["wildlens:inputs"] == {"lake.tif": "3e8b"}
    assert asset.extra_fields["wildlens:version"] == "0.1.0"
    assert asset.extra_fields["wildlens:trained_on"] == TRAINED_ON
    assert asset.extra_fields["wildlens:warning"] == UNLIKE


def test_land_cover_lists_its_classes_with_colours_and_counts(results):
    item = results.build().get_child("landcover").get_item("field")
    classes = ClassificationExtension.ext(item.assets["landcover"]).classes
    assert [c.to_dict()["title"] for c in classes] == [
        "No data", "312 Coniferous forest", "412 Peat bogs",
    ]  # fmt: skip
    assert (classes[2].value, classes[2].name, classes[2].color_hint) == (BOG, "clc-412", "4D4DFF")
    with rasterio.open(results.landcovers[0]) as dataset:
        assert classes[2].to_dict()["count"] == np.count_nonzero(dataset.read(1) == BOG)


def test_models_have_input_output_and_parameters(results):
    models = results.build().get_child("models")
    item = models.get_item("classifier")
    model = MLMExtension.ext(item)
    assert (model.mlm_name, model.framework) == ("wildlens classifier", "PyTorch")
    assert model.total_parameters == sum(
        value.numel() for value in LocalClassifier(4, width=4).state_dict().values()
    )
    assert model.input[0].input.shape == [-1, 4, 64, 64] and model.input[0].bands == list(BANDS)
    assert [c.name for c in model.output[0].classes] == ["anthropogenic", "natural"]
    assert model.hyperparameters.to_dict() == {"bands": 4, "width": 4, "seed": 3}
    assert AssetGeneralMLMExtension.ext(item.assets["model"]).artifact_type == "safetensors"
    assert item.common_metadata.start_datetime == item.common_metadata.end_datetime
    outputs = MLMExtension.ext(models.get_item("generators")).output
    assert [output.name for output in outputs] == ["maximizer", "minimizer"]


def test_model_of_another_region_has_the_area_and_time_that_it_states(results):
    item = results.build().get_child("models").get_item("classifier")
    assert item.assets["model"].extra_fields["wildlens:trained_on"] == UNKNOWN
    origin = Origin(
        tiles=9, scenes=2, first="2018-07-12", last="2019-07-19", bounds=(10, 50, 11, 51)
    )
    path = results.folder / "models/classifier.safetensors"
    with safetensors.safe_open(path, "pt") as file:
        metadata = file.metadata()
    tensors = safetensors.torch.load_file(path)
    weights.write_tensors(path, tensors, metadata | origin.attributes())
    item = results.build().get_child("models").get_item("classifier")
    assert item.bbox == [10, 50, 11, 51]
    times = item.common_metadata
    assert times.start_datetime.isoformat() == "2018-07-12T00:00:00+00:00"
    assert times.end_datetime.isoformat() == "2019-07-19T23:59:59+00:00"
    assert item.assets["model"].extra_fields["wildlens:trained_on"] == origin.in_words()


def test_classifier_of_several_classes_has_explained_class_and_rest(results):
    path = results.folder / "models/classifier.safetensors"
    weights.save(
        path, {"classifier": LocalClassifier(4, width=4)}, kind="local", arguments={"bands": 4},
        bands=list(BANDS), tile_size=64, provenance={}, classes=("fields", "old forest", "town"),
        target="old forest",
    )  # fmt: skip
    item = results.build(models=[path]).get_child("models").get_item("classifier")
    (output,) = MLMExtension.ext(item).output
    assert [(c.value, c.name) for c in output.classes] == [(0, "rest"), (1, "old-forest")]
    assert output.classes[0].to_dict()["title"] == "fields, town"


def test_scene_of_unknown_time_spans_launch_to_file(results):
    scene = write_stack(
        results.folder / "scenes/old.tif", np.ones((4, SIDE, SIDE), np.uint16), BANDS, "uint16"
    )
    changed = {"scenes": [scene], "landcovers": [], "maps": [], "footprints": None}
    item = results.build(**changed).get_child("scenes").get_item("old")
    assert item.datetime is None and flaws(results.output) == []
    assert item.properties["start_datetime"] == "2015-06-23T00:00:00Z"
    assert item.properties["end_datetime"] > "2026"


def test_scene_of_several_products_spans_their_times(results):
    times = "2021-07-19T10:05:59.024Z + 2020-07-01T10:05:59Z"
    scene = write_stack(
        results.folder / "scenes/two.tif", np.ones((4, SIDE, SIDE), np.uint16), BANDS, "uint16",
        {"product_sensing_time": times},
    )  # fmt: skip
    changed = {"scenes": [scene], "landcovers": [], "maps": [], "footprints": None}
    item = results.build(**changed).get_child("scenes").get_item("two")
    assert item.datetime is None
    assert item.properties["start_datetime"].startswith("2020-07-01T10:05:59")
    assert item.properties["end_datetime"].startswith("2021-07-19T10:05:59")


def test_same_results_give_the_same_catalogue(results):
    def contents():
        return {str(p): p.read_text() for p in results.output.rglob("*.json")}

    results.build()
    first = contents()
    results.build()
    assert contents() == first
    results.build(maps=[])
    assert not (results.output / "attributions").exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"scenes": []}, "at least one scene"),
        ({"maps": ["areas"]}, "cannot be opened as a raster"),
        ({"models": ["areas"]}, "is no model file"),
        ({"scenes": ["scenes", 0]}, "belongs to lake, which is not among the scenes"),
    ],
)
def test_invalid_inputs_are_refused_and_the_catalogue_stays(results, change, said):
    results.build()
    before = (results.output / "catalog.json").read_bytes()
    ((key, value),) = change.items()
    if value == ["areas"]:
        change = {key: [results.areas]}
    elif value:
        change = {key: results.scenes[:1]}
    with pytest.raises(WildLensError, match=said):
        results.build(**change)
    assert (results.output / "catalog.json").read_bytes() == before


def test_rasters_that_were_hashed_when_written_are_not_hashed_again(results, monkeypatch):
    results.build()
    first = (results.output / "attributions/lake/lake.json").read_text()
    for path in results.maps:
        provenance.remember(path)
    hashed = []
    monkeypatch.setattr(
        provenance, "_sha256", lambda path: hashed.append(path.name) or hashlib.sha256().digest()
    )
    results.build()
    assert (results.output / "attributions/lake/lake.json").read_text() == first
    assert "field.tif" in hashed and not {"gan.tif", "occlusion.tif"} & set(hashed)


def test_a_map_on_another_grid_is_refused(results):
    small = write_map(results.folder / "maps/lake/gradcam.tif", "gradcam", np.ones((40, 40)))
    with pytest.raises(WildLensError, match="has another grid than scene lake"):
        results.build(maps=[small])


def test_qgis_opens_every_raster_through_the_catalogue(results, tmp_path):
    """By the addresses in the files; with QGIS 3.44 or newer by its own reader of STAC, too."""
    results.build()
    elsewhere = tmp_path / "sent"
    shutil.move(results.folder, elsewhere)
    try:
        subprocess.run([SYSTEM_PYTHON, "-c", "import qgis.core"], capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("QGIS (python3-qgis) is not installed")
    tmp_path.chmod(0o700)
    environment = {"HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)}
    done = subprocess.run(
        [SYSTEM_PYTHON, OPEN, elsewhere / "stac/catalog.json"],
        capture_output=True, text=True, env=environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert len(seen) == 7 and all(layer["valid"] for layer in seen)
    assert all(layer["crs"] == "EPSG:32634" for layer in seen)
    styled = {layer["title"]: layer["renderer"] for layer in seen}
    assert styled["CORINE land cover"] == "paletted"
