"""The doctor: what is fine, what is only slow, and what must be fixed before a run."""

import json
import re
from collections import namedtuple
from pathlib import Path

import geopandas
import numpy as np
import pytest
import rasterio
import shapely
import torch
import yaml
from affine import Affine
from anthroprotect_folder import write_folder
from attributed import grid_at
from click.testing import CliRunner
from odc.geo.geobox import GeoBox
from rasterio.transform import from_origin
from safetensors.numpy import save_file

from wildlens.anthroprotect.dataset import investigative_scenes
from wildlens.attribution.create import create
from wildlens.attribution.models import Models
from wildlens.cli import cli
from wildlens.doctor import step as doctor
from wildlens.doctor.inputs import check_inputs
from wildlens.doctor.step import examine, read_configuration
from wildlens.errors import WildLensError
from wildlens.files.raster import writing_geotiff
from wildlens.map.streaming import Source, Tiles, Windows
from wildlens.networks import weights
from wildlens.networks.architectures import build_network
from wildlens.settings import Attribution, Gan, validate

DEFAULT = Path(__file__).parents[2] / "config.yaml"


def states(findings) -> dict[str, str]:
    """What was looked at -> its state."""
    return {finding.text.partition(":")[0]: finding.state for finding in findings}


def said(findings, state="fix") -> str:
    return "\n".join(finding.text for finding in findings if finding.state == state)


def write_product(path: Path, bands=("B02", "B03", "B04", "B08"), rows=64) -> Path:
    stored = np.full((len(bands), rows, 64), 900, np.uint16)
    options = {"count": len(bands), "dtype": "uint16", "nodata": 0, "tags": {}}
    with writing_geotiff(path, grid_at(500_000, stored[0]), descriptions=bands, **options) as out:
        out.write(stored)
    return path


def write_odd(path: Path, crs="EPSG:32634", size=10, dtype="uint16", value=900) -> Path:
    """A product in degrees, of floating-point numbers, or with an unclear offset."""
    transform = from_origin(
        20.0 if size < 1 else 500_000, 68.0 if size < 1 else 7_500_000, size, size
    )
    values = np.full((4, 64, 64), value, dtype)
    with rasterio.open(
        path, "w", driver="GTiff", count=4, height=64, width=64, dtype=dtype, nodata=0, crs=crs,
        transform=transform,
    ) as target:  # fmt: skip
        target.write(values)
        target.descriptions = ("B02", "B03", "B04", "B08")
    return path


def write_landcover(path: Path, left=500_000, value=24) -> Path:
    indices = np.full((64, 64), value, np.uint8)
    options = {"count": 1, "dtype": "uint8", "nodata": 0, "tags": {}}
    with writing_geotiff(path, grid_at(left, indices), descriptions=["CORINE"], **options) as out:
        out.write(indices[None])
    return path


@pytest.fixture
def mine(tmp_path):
    """A configuration of own files, of which the land cover is a raster and the areas are none."""
    write_product(tmp_path / "a.tif")
    write_landcover(tmp_path / "clc.tif")
    (tmp_path / "wdpa.gpkg").write_text("no GeoPackage")
    inputs = {"training": [{"name": "a", "product": "a.tif"}], "landcover": "clc.tif",
              "areas": "wdpa.gpkg", "mapping": []}  # fmt: skip
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump({"inputs": inputs}))
    return path


def test_with_anthroprotect_its_folder_is_looked_at_and_nothing_is_simulated(tmp_path):
    own = tmp_path / "own.yaml"
    own.write_text("anthroprotect: data\ntiles: {size: 256}\n")
    assert "AnthroProtect: " in said(examine([DEFAULT, own], tmp_path))
    (tmp_path / "data/tiles/s2").mkdir(parents=True)
    (tmp_path / "data/infos.csv").write_text("file,label\n")
    findings = list(examine([DEFAULT, own], tmp_path))
    assert states(findings)["AnthroProtect"] == "ok" and not said(findings)
    assert "simulated" not in "".join(finding.text for finding in findings)


def test_own_product_named_like_a_scene_of_anthroprotect_is_named(tmp_path):
    dataset = write_folder(tmp_path / "data", np.random.default_rng(0), side=4)
    (scene,) = investigative_scenes(dataset)
    own = tmp_path / "own.yaml"
    own.write_text(
        f"anthroprotect: {dataset}\ntiles: {{size: 256}}\n"
        f"inputs: {{mapping: [{{name: {scene.name}, product: a.tif}}]}}"
    )
    assert f"AnthroProtect: inputs.mapping: {scene.name} is" in said(
        examine([DEFAULT, own], tmp_path)
    )


def test_the_demo_needs_nothing_mended_here(tmp_path):
    findings = list(examine([DEFAULT], tmp_path))
    assert not said(findings)
    found = states(findings)
    assert found["product T34WDA"] == found["disk"] == found["libraries"] == "ok"
    assert found["GPU"] in ("ok", "note")


def test_own_inputs_are_opened(mine):
    findings = list(examine([DEFAULT, mine], mine.parent))
    assert states(findings)["product a"] == states(findings)["land cover"] == "ok"
    assert "wdpa.gpkg: cannot be opened as polygons" in said(findings)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: (f / "a.tif").unlink(), "a.tif does not exist: fix `inputs`"),
        (lambda f: write_product(f / "a.tif", ["B02", "B03"]), "has no B04, B08; it has B02, B03"),
        (lambda f: (f / "clc.tif").write_text("x"), "clc.tif: cannot be opened as a raster"),
        (lambda f: write_odd(f / "a.tif", crs="EPSG:4326", size=1e-4), "a.tif"),
        (lambda f: write_odd(f / "a.tif", dtype="float32"), "a.tif"),
        (lambda f: write_odd(f / "a.tif", value=1100), "give `offset: -1000`, or `offset: 0`"),
        (
            lambda f: write_landcover(f / "clc.tif", left=800_000),
            "clc.tif: does not touch the scene",
        ),
        (lambda f: write_landcover(f / "clc.tif", value=0), "clc.tif: has no land cover in"),
        (lambda f: write_landcover(f / "clc.tif", value=99), "clc.tif"),
    ],
)
def test_inputs_that_would_stop_a_run_are_named(mine, change, message):
    change(mine.parent)
    assert message in said(examine([DEFAULT, mine], mine.parent))


# a scene of 100 rows has two windows of 64 px above each other, and one tile of 128
@pytest.mark.parametrize(
    "methods, parts, strips",
    [(["gan"], 2, 0), (["gan"], 3, 2), (["gradcam"], 1, 0), (["gan", "gradcam"], 2, 1)],
)
def test_more_parts_than_strips_are_named_before_anything_is_trained(mine, methods, parts, strips):
    content = yaml.safe_load(mine.read_text())
    content["inputs"]["mapping"] = [{"name": "m", "product": "m.tif"}]
    chosen = {"window": 64, "parts": parts, "methods": methods, "overlap": 200, "extras": []}
    content["attribution"] = chosen
    mine.write_text(yaml.safe_dump(content))
    write_product(mine.parent / "m.tif", rows=100)
    found = said(examine([DEFAULT, mine], mine.parent))
    message = f"product m: cannot be mapped in {parts} parts, it has {strips} strips"
    assert (message in found) == bool(strips) and found.count("cannot be mapped") == bool(strips)


BANDS = ["B02", "B03", "B04", "B08"]
SIZES, HALVINGS = (48, 64, 96), (1, 2, 3)


@pytest.fixture(scope="module")
def sized(tmp_path_factory):
    """A folder of small models: classifiers by side of their tiles, generators by halvings."""
    folder = tmp_path_factory.mktemp("sized")
    form = {"bands": BANDS, "provenance": {}}
    for size in SIZES:
        arguments = {"bands": 4, "width": 2}
        networks = {"classifier": build_network("local", arguments)}
        options = {"kind": "local", "arguments": arguments, "tile_size": size}
        weights.save(folder / f"c{size}.safetensors", networks, **options, **form)
    for halvings in HALVINGS:
        arguments = {"bands": 4, "width": 2, "downsamplings": halvings, "blocks": 1}
        pair = {name: build_network("generator", arguments) for name in ("maximizer", "minimizer")}
        options = {"kind": "generator", "arguments": arguments, "tile_size": 64}
        weights.save(folder / f"g{halvings}.safetensors", pair, **options, **form)
    return folder


def fewest_strips(path: Path, models: Models, attribution: Attribution) -> int:
    """Strips of the map with the fewest, as the step `map` plans them."""
    with rasterio.open(path) as dataset:
        source, counts = Source(dataset, models), []
        for name in [*attribution.methods, *attribution.extras]:
            method = create(name, models, attribution)
            plan = (
                Tiles(source, method, source.tile_size, attribution)
                if method.halo is None
                else Windows(source, method, attribution)
            )
            counts.append(len(plan.strips))
    return min(counts)


@pytest.mark.parametrize("trains", [True, False])
@pytest.mark.parametrize("case", range(20))
def test_verdict_on_parts_is_that_of_the_plan(sized, tmp_path, trains, case):
    rng = np.random.default_rng(case)
    size, halvings = int(rng.choice(SIZES)), int(rng.choice(HALVINGS))
    grid = GeoBox(
        (int(rng.integers(1, 400)), 40),
        Affine(10, 0, 500_000, 0, -10, 7_000_000 - 10 * int(rng.integers(0, 999))),
        "EPSG:32634",
    )
    path, stored = tmp_path / "m.tif", np.full((4, *grid.shape), 900, np.uint16)
    options = {"count": 4, "dtype": "uint16", "nodata": 0, "tags": {}}
    with writing_geotiff(path, grid, descriptions=BANDS, **options) as out:
        out.write(stored)
    used = [sized / f"c{size}.safetensors", sized / f"g{halvings}.safetensors"]
    attribution = {
        "methods": rng.choice(["gan", "gradcam", "minimizer", "deeplift"], 1).tolist(),
        "extras": [["score"], ["maximized"], [], ["score", "minimized"]][case % 4],
        "window": int(rng.integers(64, 200)),
        "overlap": int(rng.integers(0, 100)),
    }
    strips = fewest_strips(path, Models(*used, torch.device("cpu")), Attribution(**attribution))
    product = [{"name": "m", "product": str(path)}]
    other = {"tiles": {"size": 128}, "gan": {"downsamplings": 1}}  # of no trained model
    if trains:
        data = {"inputs": {"training": [{"name": "t", "product": "t"}], "mapping": product}}
        data["inputs"] |= {"areas": "a.gpkg", "landcover": "l.tif"}
        data |= {"tiles": {"size": size}, "gan": {"downsamplings": halvings}}
        data |= {"classifier": {"architecture": "local"}}
    else:
        names = dict(zip(("classifier", "generators"), map(str, used), strict=True))
        data = {"inputs": {"mapping": product}, "models": names} | other
    for parts in (strips, strips + 1):
        settings = validate(data | {"attribution": attribution | {"parts": parts}})
        found = said(check_inputs(settings, tmp_path))
        assert ("cannot be mapped" in found) == (parts > strips), (strips, found)
        assert f"it has {strips} strips" in found or parts == strips


def write_polygons(path: Path, lon=21.05, columns=None) -> None:
    """A site in the scene of `write_product`, unless another longitude is given."""
    table = {"IUCN_CAT": ["Ia"], "STATUS": ["Designated"], "WDPAID": [1]} | (columns or {})
    kept = {name: value for name, value in table.items() if value is not None}
    site = shapely.box(lon - 0.05, 63.0, lon + 0.05, 63.2)
    path.unlink(missing_ok=True)
    geopandas.GeoDataFrame(kept, geometry=[site], crs=4326).to_file(path, driver="GPKG")


AREAS_THAT_STOP = [
    ({"columns": {"IUCN_CAT": None}}, "has no column IUCN_CAT"),
    ({"columns": {"STATUS": None}}, "has no column STATUS"),
    ({"columns": {"STATUS": ["Proposed"]}}, "no polygon counts of 1 sites near the scenes"),
    ({"lon": 120}, "has no site near the scenes"),
]


@pytest.mark.parametrize("trains", [True, False])
@pytest.mark.parametrize(("change", "message"), AREAS_THAT_STOP)
def test_protected_areas_that_would_stop_a_run_are_named(mine, trains, change, message):
    if not trains:
        map_only(mine)
    areas = mine.parent / "wdpa.gpkg"
    write_polygons(areas)
    findings = list(examine([mine], mine.parent))
    assert states(findings)["protected areas"] == "ok", said(findings)
    write_polygons(areas, **change)
    assert message in said(examine([mine], mine.parent))


@pytest.mark.parametrize(
    ("change", "areas", "message"),
    [
        ({"columns": {"IUCN_CAT": None}}, {}, None),
        ({}, {"name_column": "WDPAID"}, None),
        ({}, {"name_column": "Naam"}, "areas.name_column: "),
        ({"lon": 120}, {}, "has no polygon near the scenes"),
    ],
)
def test_own_polygons_that_would_stop_a_run_are_named(mine, change, areas, message):
    map_only(mine, areas={"polygons": "own.gpkg"} | areas)
    write_polygons(mine.parent / "own.gpkg", **change)
    findings = list(examine([mine], mine.parent))
    assert states(findings)["polygons"] == ("fix" if message else "ok")
    assert message is None or message in said(findings)


def test_polygons_far_away_are_fine_while_a_product_is_still_to_be_fetched(mine):
    data = yaml.safe_load(mine.read_text())
    data["inputs"]["training"].append({"name": "b", "fetch": {"item": "https://example.org/b"}})
    mine.write_text(yaml.safe_dump(data))
    write_polygons(mine.parent / "wdpa.gpkg", lon=120)
    findings = list(examine([mine], mine.parent))
    assert "wdpa.gpkg, 0 near the scenes that can be opened (1 of 2)" in said(findings, "ok")
    write_polygons(mine.parent / "wdpa.gpkg", lon=120, columns={"STATUS": None})
    assert "has no column STATUS" in said(examine([mine], mine.parent))


def map_only(path: Path, **sections) -> None:
    """Make a configuration map its product with models that are there."""
    data = yaml.safe_load(path.read_text())
    data["inputs"] |= {"mapping": data["inputs"]["training"], "training": []}
    data |= {"models": {"classifier": str(path.parent / "c.safetensors")}}
    data |= {"attribution": {"methods": ["gradcam"], "extras": []}} | sections
    path.write_text(yaml.safe_dump(data))
    metadata = {"kind": "unet", "bands": json.dumps(BANDS), "tile_size": "64"}
    save_file({"a": np.zeros(1)}, data["models"]["classifier"], metadata)


def test_table_without_thresholds_is_named(mine):
    table = mine.parent / "methods.csv"
    classifier = {"classifier": str(mine.parent / "c.safetensors"), "thresholds": str(table)}
    map_only(mine, models=classifier)
    table.write_text("method,reference,threshold\ngan,corine,0.1\n")
    assert states(examine([mine], mine.parent))["models"] == "ok"
    table.write_text("method,iou\ngan,0.1\n")
    assert "methods.csv: has no thresholds" in said(examine([mine], mine.parent))


def test_what_is_fetched_needs_its_credentials(mine, monkeypatch):
    data = yaml.safe_load(mine.read_text()) | {"fetch": {"catalogue": "cdse"}}
    data["inputs"]["training"] = [{"name": "a", "fetch": {"item": "https://example.org/a"}}]
    mine.write_text(yaml.safe_dump(data))
    monkeypatch.delenv("CDSE_USERNAME", raising=False)
    monkeypatch.setenv("CDSE_PASSWORD", "x")
    fix = said(examine([DEFAULT, mine], mine.parent))
    assert "product a: cdse requires CDSE_USERNAME in the environment" in fix
    monkeypatch.setenv("CDSE_USERNAME", "x")
    assert states(examine([DEFAULT, mine], mine.parent))["product a"] == "ok"


def test_a_typo_ends_with_the_nearest_key(mine):
    mine.write_text(mine.read_text() + "gan: {lamda_am: 1}\n")
    findings = list(examine([DEFAULT, mine], mine.parent))
    assert "did you mean 'lambda_am'" in said(findings)
    assert "product a" not in states(findings)


def test_configurations_are_laid_over_each_other_key_by_key(tmp_path):
    above = tmp_path / "above.yaml"
    above.write_text("gan: {steps: 99}\n")
    settings = read_configuration([DEFAULT, above])
    assert settings.gan.steps == 99 and settings.gan.lambda_am == Gan().lambda_am
    above.write_text("[1, 2]")
    with pytest.raises(WildLensError, match="expected keys and values"):
        read_configuration([DEFAULT, above])


def test_little_disk_is_said_before_it_is_full(mine, monkeypatch):
    usage = namedtuple("usage", "free")(2.5e9)
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda folder: usage)
    assert "disk: 2.5 GB free, about 3 GB" in said(examine([DEFAULT, mine], mine.parent))


@pytest.mark.parametrize(
    ("requirement", "message"),
    [("numpy<1", "numpy .* is not <1"), ("no-such-thing>=1", "no-such-thing is missing")],
)
def test_wrong_libraries_are_named(monkeypatch, tmp_path, requirement, message):
    monkeypatch.setattr(doctor.importlib.metadata, "requires", lambda name: [requirement])
    fix = said(examine([DEFAULT], tmp_path))
    assert re.search(message, fix) and "constraints.txt" in fix


def test_the_command_fails_where_there_is_something_to_mend(mine, monkeypatch):
    monkeypatch.chdir(mine.parent)
    done = CliRunner().invoke(cli, ["doctor", "--config", str(mine)])
    assert "fix   protected areas" in done.output
    assert isinstance(done.exception, WildLensError) and "1 to fix" in str(done.exception)
