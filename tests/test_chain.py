"""The whole chain, for real, on a tiny simulated region: from products to maps, tables, report."""

import csv
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import geopandas
import numpy as np
import pytest
import rasterio
import rio_cogeo
import xarray
import yaml
from documented_code import run_examples, run_notebook
from outputs_page import documented_columns
from outside import install_outside_package
from safetensors import safe_open
from shapely import box

import wildlens
from wildlens.settings import Attribution

ROOT = Path(__file__).parents[1]
CONFIGURATION = [ROOT / "config.yaml", ROOT / "workflow/configs/tiny.yaml"]
SCENE = "T35WNT"
MAPPED = Attribution().methods
METHODS = [*MAPPED, *Attribution().controls]
OUTSIDE = {
    "classifier": {"architecture": "two_layers", "options": {"channels": 4}},
    "gan": {"activation": "score", "activation_margin": None, "lambda_inactive": 0, "crop": None},
    "attribution": {
        "methods": ["minimizer", "band_gradient"],
        "controls": ["band_gradient_randomised", "random"],
    },
}

pytestmark = pytest.mark.minutes


def snakemake(folder: Path, *arguments, **environment) -> subprocess.CompletedProcess:
    """Run the workflow in a folder, on the tiny region and what `arguments` change."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return subprocess.run(
        [
            *(sys.executable, "-m", "snakemake", "-s", ROOT / "Snakefile"),
            *("--directory", folder, "--cores", "2", "--resources", "gpu=1"),
            *("--configfile", *CONFIGURATION, *arguments),
        ],
        capture_output=True,
        text=True,
        env=os.environ | environment | {"PATH": path},
    )


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """The results folder of one run of the chain: `.ci/run` has made one, and gives its folder."""
    if made := os.environ.get("WILDLENS_TEST_CHAIN"):
        return Path(made) / "results"
    folder = tmp_path_factory.mktemp("chain")
    run = snakemake(folder)
    assert run.returncode == 0, run.stdout + run.stderr
    return folder / "results"


def copy_of(results: Path, folder: Path) -> Path:
    """A copy of the run in a new folder, to go on with other settings."""
    return shutil.copytree(results.parent, folder, symlinks=True)


def rows(path: Path) -> list[dict]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("method", MAPPED)
def test_a_map_lies_on_its_scene_pixel_by_pixel(results, method):
    path = results / f"maps/{SCENE}/{method}.tif"
    with (
        rasterio.open(path) as attribution,
        rasterio.open(results / f"scenes/{SCENE}.tif") as scene,
    ):
        assert attribution.crs == scene.crs and attribution.transform == scene.transform
        assert attribution.shape == scene.shape == (640, 640)
        whole_tile = method not in ("gan", "minimizer")
        layers = (method, "disagreement") if whole_tile else (method,)
        assert attribution.descriptions == layers and np.isnan(attribution.nodata)
        assert set(attribution.dtypes) == {"float32"}
        values, valid = attribution.read(1), (scene.read() > 0).all(axis=0)
        assert attribution.overviews(1)
        tags = attribution.tags()
        statistics = attribution.tags(1)
    assert 0 < valid.mean() < 1, "the mapped scene should have pixels without data"
    assert np.array_equal(np.isfinite(values), valid)
    assert tags["wildlens_scene"] == SCENE and tags["wildlens_method"] == method
    assert tags["wildlens_version"] and tags["wildlens_inputs"] and tags["wildlens_settings"]
    assert float(statistics["STATISTICS_MAXIMUM"]) == pytest.approx(values[valid].max(), rel=1e-6)
    is_valid, errors, _ = rio_cogeo.cog_validate(path)
    assert is_valid, errors
    assert path.with_suffix(".qml").read_text().startswith(("<!DOCTYPE qgis", "<qgis", "<?xml"))


def test_a_map_of_scores_comes_along(results):
    with rasterio.open(results / f"maps/{SCENE}/score.tif") as dataset:
        values = dataset.read(1)
        assert dataset.descriptions == ("score", "disagreement")
        assert dataset.units == ("score", "score")
    assert np.isfinite(values).any() and 0 <= np.nanmin(values) <= np.nanmax(values) <= 1
    assert (results / f"maps/{SCENE}/score.qml").is_file()


def test_scenes_open_in_true_colour(results):
    text = (results / f"scenes/{SCENE}.qml").read_text()
    with rasterio.open(results / f"scenes/{SCENE}.tif") as scene:
        position = {name: str(index) for index, name in enumerate(scene.descriptions, start=1)}
    for colour, band in (("red", "B04"), ("green", "B03"), ("blue", "B02")):
        assert f'{colour}Band="{position[band]}"' in text


def test_one_project_opens_all_of_it(results):
    with zipfile.ZipFile(results / "wildlens.qgz") as archive:
        text = archive.read("wildlens.qgs").decode()
    sources = re.findall("<datasource>(.*?)(?:[|].*)?</datasource>", text)
    assert len(sources) == 2 + 5 * 2 + len(MAPPED) + len(Attribution().extras)
    assert all((results / source).is_file() for source in sources)
    assert (results / "tiles.qml").is_file() and (results / "areas.qml").is_file()


def test_land_cover_lies_on_its_scene_with_names(results):
    with (
        rasterio.open(results / f"landcover/{SCENE}.tif") as landcover,
        rasterio.open(results / f"scenes/{SCENE}.tif") as scene,
    ):
        assert landcover.transform == scene.transform and landcover.shape == scene.shape
        assert landcover.colormap(1)[36] == (77, 77, 255, 255)  # 412, peat bogs
        assert set(np.unique(landcover.read(1))) <= set(range(45))
    assert "Peat bogs" in (results / f"landcover/{SCENE}.tif.aux.xml").read_text()


def test_the_training_set_holds_both_classes_in_every_split(results):
    with xarray.open_zarr(results / "tiles.zarr") as tiles:
        seen = set(zip(tiles.split.values.tolist(), tiles.label.values.tolist(), strict=True))
        assert seen == {(split, label) for split in ("train", "val", "test") for label in (0, 1)}
        assert tiles.reflectance.shape[1:] == (4, 64, 64)
    assert (results / "tiles.gpkg").stat().st_size > 0


@pytest.mark.parametrize("name", ["classifier", "generators"])
def test_models_say_where_they_come_from(results, name):
    with safe_open(results / f"models/{name}.safetensors", "numpy") as file:
        metadata = file.metadata()
    assert metadata["wildlens_version"] and "tiles.zarr" in metadata["wildlens_inputs"]


@pytest.mark.parametrize(
    ("table", "columns", "methods"),
    [
        ("metrics/classifier/training.csv", {"epoch", "train_loss", "val_loss"}, None),
        ("metrics/classifier/accuracy.csv", {"split", "tiles", "accuracy", "auroc"}, None),
        ("metrics/gan/training.csv", {"step"}, None),
        ("evaluation/methods.csv", {"method", "reference", "iou", "iou_low", "iou_high"}, METHODS),
        ("evaluation/classes.csv", {"method", "scene", "class_code", "share_high"}, METHODS),
        ("evaluation/scores.csv", {"image", "mean_score", "change_kept_rounded"}, None),
        ("evaluation/rules.csv", {"method", "rule", "iou", "iou_tiles", "share_inside"}, METHODS),
        ("evaluation/groups.csv", {"method", "group", "codes", "iou_ceiling"}, METHODS),
        ("evaluation/differences.csv", {"metric", "method", "other", "difference"}, METHODS[:-1]),
        ("evaluation/faithfulness.csv", {"deletion_auc", "randomisation_correlation"}, METHODS),
        ("evaluation/completeness.csv", {"baseline", "relative_gap"}, None),
        ("confidence/filtered.csv", {"measure", "share", "iou_minus_all_low"}, METHODS),
        ("confidence/filtered_classes.csv", {"class_code", "mean_attribution", "rank"}, METHODS),
        ("confidence/calibration.csv", {"ece", "temperature", "nll_high"}, None),
        ("confidence/classes.csv", {"coefficient", "index_entropy", "gan_mean"}, None),
    ],
)
def test_tables_have_their_columns_and_methods(results, table, columns, methods):
    content = rows(results / table)
    assert content and columns <= set(content[0])
    if methods:
        assert {row["method"] for row in content} == set(methods)


def test_every_table_has_the_documented_columns(results):
    for name, documented in documented_columns().items():
        # the demo has one date and one member; tests/compare and tests/combine have these tables
        if name.startswith(("compare/", "metrics/members/", "confidence/disagreement")):
            continue
        with (results / name).open(newline="", encoding="utf-8") as file:
            written = next(csv.reader(file))
        if name.endswith("confusion.csv"):  # one column per class
            written = [re.sub("^predicted .*", "predicted {class}", column) for column in written]
            written = list(dict.fromkeys(written))
        if name.startswith("area_") or name == "confidence/classes.csv":  # of each method
            of_method = rf"^({'|'.join(METHODS)})_(mean|share_high|rank)$"
            written = [re.sub(of_method, r"{method}_\2", column) for column in written]
            written = list(dict.fromkeys(written))
        assert written == documented, name


def test_figures_are_pictures(results):
    figures = {path.stem: path for path in (results / "figures").glob("*.png")}
    assert set(figures) == {
        "tiles",
        "training",
        "examples",
        "overlays",
        "map",
        "methods",
        "classes",
        "reliability",
        "filtered",
        "areas",
    }
    for path in figures.values():
        assert path.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
        assert path.with_suffix(".pdf").read_bytes()[:5] == b"%PDF-"


def test_every_step_logs_what_it_made(results):
    logs = list((results / "logs").rglob("*.log"))
    silent = [p for p in logs if "settings" not in p.parts and not p.read_text().strip()]
    assert logs and not silent


def test_run_opens_with_its_configuration(results):
    run = wildlens.open_run(results)
    assert run.settings.tiles.size == 64 and run.settings.inputs.mapping[0].name == SCENE
    assert run.maps == {SCENE: [*MAPPED, *Attribution().extras]}
    assert sorted(run.attributions) == sorted(METHODS) and set(run.tables) > {"methods", "sites"}
    for name in run.tables:
        assert len(run.table(name).columns)


def test_examples_of_the_python_page_run(results, tmp_path, monkeypatch):
    (tmp_path / "results").symlink_to(results)
    monkeypatch.chdir(tmp_path)
    names = run_examples(ROOT / "docs/python.md")
    assert {"run", "score", "tile", "areas", "methods"} <= set(names)
    with rasterio.open("score-laea.tif") as dataset:
        assert dataset.crs.to_epsg() == 3035


def test_notebook_answers_its_questions(results):
    printed = "".join(run_notebook(ROOT / "docs/notebooks/tour.ipynb", results.parent))
    assert "bogs get" in printed and "times the attribution of its ring" in printed
    inside, table = re.search(r"mean inside: (\S+); in the table: (\S+)", printed).groups()
    assert float(inside) == pytest.approx(float(table), rel=0.05)


def test_a_second_run_has_nothing_to_do(results):
    run = snakemake(results.parent)
    assert run.returncode == 0 and "Nothing to be done" in run.stdout + run.stderr


def test_another_weight_reruns_only_what_the_generators_reach(results):
    run = snakemake(results.parent, "-n", "--config", "gan={lambda_am: 0.4}")
    counts = dict(re.findall(r"^([a-z_]+) +(\d+)$", run.stdout + run.stderr, re.MULTILINE))
    expected = {"settings": 2, "train_gan": 1, "map": 4, "attribute": 4}
    after = (
        "evaluate",
        "confidence",
        "area_statistics",
        "figures",
        "qgis",
        "catalogue",
        "explore",
        "summary",
        "all",
    )
    expected |= dict.fromkeys(after, 1) | {"total": 20}
    assert {rule: int(count) for rule, count in counts.items()} == expected


def test_results_make_a_report(results):
    report = results.parent / "report.html"
    run = snakemake(results.parent, "--report", report)
    assert run.returncode == 0, run.stderr
    assert report.stat().st_size > 100_000


@pytest.fixture(scope="module")
def members(results, tmp_path_factory):
    """A copy of the run that went on with a second member, and kept the maps of both."""
    folder = copy_of(results, tmp_path_factory.mktemp("members") / "run")
    made = (
        "evaluation/methods.csv",
        "confidence/tiles.csv",
        "wildlens.qgz",
        "explore.html",
        "settings/configuration.yaml",
        "settings/members.yaml",
    )
    two = ("classifier={members: 2}", "gan={members: 2}")
    methods = "attribution={methods: [gan], controls: [random]}"
    run = snakemake(
        folder, "--notemp", "--config", *two, methods, "--", *(f"results/{name}" for name in made)
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return folder / "results"


def read_bands(path: Path) -> dict[str, np.ndarray]:
    with rasterio.open(path) as dataset:
        return dict(zip(dataset.descriptions, dataset.read(), strict=True))


def test_first_of_two_members_is_the_single_training(results, members):
    for name in ("classifier", "generators"):
        path = f"models/{name}.safetensors"
        assert (members / path).read_bytes() == (results / path).read_bytes()
        assert (members / f"models/{name}-2.safetensors").is_file()
    for method in ("gan", "score"):
        single = read_bands(results / f"maps/{SCENE}/{method}.tif")
        first, second = (
            read_bands(members / f"maps/members/{SCENE}/{method}-{k}.tif") for k in (1, 2)
        )
        assert single.keys() == first.keys() == second.keys()
        for name in single:
            assert np.array_equal(first[name], single[name], equal_nan=True)
        assert not np.array_equal(second[method], first[method], equal_nan=True)


def test_map_of_two_members_is_their_mean_with_spread_and_agreement(members):
    of_score = ["entropy", "mutual_information", "disagreement"]
    for method, further in (("gan", ["member_agreement"]), ("score", of_score)):
        path = members / f"maps/{SCENE}/{method}.tif"
        one, two = (
            read_bands(members / f"maps/members/{SCENE}/{method}-{k}.tif")[method] for k in (1, 2)
        )
        found = read_bands(path)
        assert list(found) == [method, "member_sd", *further]
        assert np.allclose(found[method], (one + two) / 2, atol=1e-6, equal_nan=True)
        spread = np.abs(one - two) / np.sqrt(2)
        assert np.allclose(found["member_sd"], spread, atol=1e-5, equal_nan=True)
        assert rio_cogeo.cog_validate(path)[0]
    valid = np.isfinite(found["score"])
    share = read_bands(members / f"maps/{SCENE}/gan.tif")["member_agreement"]
    assert set(np.unique(share[valid]).tolist()) <= {0, 0.5, 1} and np.isnan(share[~valid]).all()


def test_everything_after_members_reads_their_mean(members):
    assert {row["method"] for row in rows(members / "evaluation/methods.csv")} == {"gan", "random"}
    run = wildlens.open_run(members)
    assert (run.settings.classifier.members, run.settings.gan.members) == (2, 2)
    assert run.maps[SCENE].count("gan") == 1 and "members/gan" in run.tables
    assert run.map(SCENE, "gan", "member_sd").attrs["units"] == "reflectance"
    with zipfile.ZipFile(members / "wildlens.qgz") as archive:
        assert "gan_agreement.vrt" in archive.read("wildlens.qgs").decode()
    text = (members / "explore.html").read_text(encoding="utf-8")
    scene = json.loads(re.search(r'id="scene-0">(.*?)</script>', text)[1])
    told = {layer["id"]: len(layer.get("more", [])) for layer in scene["layers"]}
    assert told["gan"] == 2 and told["score"] == 1


def test_page_to_explore_has_every_map_and_the_areas(results):
    text = (results / "explore.html").read_text(encoding="utf-8")
    scene = json.loads(re.search(r'id="scene-0">(.*?)</script>', text)[1])
    layers = {layer["id"] for layer in scene["layers"]}
    assert scene["name"] == SCENE and scene["shape"] == [640, 640]
    assert layers >= {"reflectance", "landcover", *MAPPED} and scene["areas"]
    assert "trained on simulated land" in text


def test_the_benchmark_of_validation_tiles_judges_the_runs_own_generators(results):
    run = subprocess.run(
        [sys.executable, ROOT / "benchmarks/validation.py", results], capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    found = dict(re.findall(r"^(.+): AUROC (\S+), AP", run.stdout, re.MULTILINE))
    assert list(found) == [
        "classifier, its activation map",
        "generators, X+ - X-",
        "generators, X - X-",
        "generators, activation X - X-",
    ]
    assert all(0 <= float(value) <= 1 for value in found.values())


def test_outside_package_is_trained_mapped_evaluated_drawn_and_styled(results, tmp_path):
    """On the scenes and tiles of the run."""
    installed = install_outside_package(tmp_path / "outside")
    folder = copy_of(results, tmp_path / "run")
    mine = tmp_path / "mine.yaml"
    mine.write_text(yaml.safe_dump(OUTSIDE))
    run = snakemake(folder, mine, **installed)
    assert run.returncode == 0, run.stdout + run.stderr
    results = folder / "results"
    with safe_open(results / "models/classifier.safetensors", "pt") as file:
        assert file.metadata()["kind"] == "two_layers"
    with rasterio.open(results / f"maps/{SCENE}/band_gradient.tif") as dataset:
        values, tags = dataset.read(1), dataset.tags()
    assert np.nanmin(values) < 0 < np.nanmax(values)
    assert tags["unit"] == "logit per unit of reflectance"
    assert "Band gradient" in (results / f"maps/{SCENE}/band_gradient.qml").read_text()
    found = {row["method"] for row in rows(results / "evaluation/methods.csv")}
    assert found == {"minimizer", "band_gradient", "band_gradient_randomised", "random"}
    assert (results / "figures/methods.png").stat().st_size > 0
    item = (results / f"stac/attributions/{SCENE}/{SCENE}.json").read_text()
    assert "Band gradient" in item


def without_this_package() -> dict[str, str]:
    """Environment variables, less the path that may lead to the repository's source."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """A new environment with the package from its wheel; dependencies are those of this one."""
    folder = tmp_path_factory.mktemp("installed")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    source = shutil.copytree(
        ROOT, folder / "source", ignore=shutil.ignore_patterns(".*", "results", "resources", "site")
    )
    build = ["wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, source]
    subprocess.run([*pip, *build], check=True, capture_output=True, text=True)
    venv.create(folder / "venv", symlinks=True)
    python = folder / "venv/bin/python"
    wheel = next(folder.glob("*.whl"))
    install = [*pip, "--python", python, "install", "--no-deps", wheel]
    subprocess.run(install, check=True, env=without_this_package())
    site = next((folder / "venv/lib").glob("python*/site-packages"))
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder / "venv/bin"


@pytest.fixture
def command(installed, tmp_path):
    """Run the installed command, and return what it prints."""
    environment = without_this_package() | {"PATH": f"{installed}:/usr/bin:/bin"}

    def run(*words, folder: Path = tmp_path) -> str:
        done = subprocess.run(
            [installed / "wildlens", *words], capture_output=True, text=True, env=environment,
            cwd=folder, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    return run


def test_a_wheel_maps_a_scene_in_a_project_of_its_own(results, command, tmp_path):
    """Without land cover, areas and training; its maps are those of the run that trained."""
    product = results.parent / "resources/demo"
    product = next(product.glob("*_2023*_T35WNT_*.SAFE"))
    command("init", "mine", "--models", results, "--product", product)
    project = tmp_path / "mine"
    text = (project / "config.yaml").read_text()
    assert "gan, minimizer" in text
    (project / "config.yaml").write_text(re.sub(r"methods: .*", "methods: [gan, gradcam]", text))
    command("run", "--cores", "2", folder=project)
    name = re.search(r"name: (\S+)", text)[1]
    made = project / "results"
    for method in ("gan", "score"):  # the other has another overlap
        with (
            rasterio.open(made / f"maps/{name}/{method}.tif") as mine,
            rasterio.open(results / f"maps/{SCENE}/{method}.tif") as theirs,
        ):
            expected = theirs.read(1)
            # other windows: the same but for rounding
            tolerance = 1e-5 * np.nanmax(np.abs(expected))
            assert np.allclose(mine.read(1), expected, 0, tolerance, equal_nan=True)
            assert "simulated" in mine.tags()["wildlens_trained_on"]
    for file in ("explore.html", "summary.html", "wildlens.qgz", "figures/map.png"):
        assert (made / file).stat().st_size > 0
    assert not (made / "tiles.zarr").exists() and not (made / "landcover").exists()
    assert "Nothing to be done" in command("run", "--cores", "1", folder=project)


def test_a_real_clip_with_its_land_cover_has_statistics_of_a_site(results, command, tmp_path):
    """A real image with CORINE of the same ground; the site is drawn here, over its west."""
    if not (data := os.environ.get("WILDLENS_TEST_DATA")):
        pytest.skip("WILDLENS_TEST_DATA is not set")
    tiles = Path(data) / "anthroprotect-tile/anthroprotect/tiles"
    clip, cover = (next((tiles / folder).glob("*.tif")) for folder in ("s2", "lcs"))
    with rasterio.open(cover) as dataset:
        codes, grid = dataset.read(1), dataset.profile | {"count": 1}
        left, bottom, right, top = dataset.bounds
    corine, areas = tmp_path / "corine.tif", tmp_path / "site.gpkg"
    with rasterio.open(corine, "w", **grid) as dataset:
        dataset.write(codes, 1)
    west = box(left, bottom, (left + right) / 2, top)
    site = {"WDPAID": [1], "NAME": ["West"], "IUCN_CAT": ["II"], "STATUS": ["Designated"],
            "DESIG_ENG": ["National Park"], "geometry": [west]}  # fmt: skip
    geopandas.GeoDataFrame(site, crs=grid["crs"]).to_file(areas)
    given = ("--models", results, "--product", clip, "--landcover", corine, "--areas", areas)
    command("init", "real", *given)
    command("run", "--cores", "2", folder=tmp_path / "real")
    made = tmp_path / "real/results"
    inside, ring = rows(made / "area_statistics.csv")
    assert inside["name"] == "West" and inside["category"] == "II" and ring["zone"] == "ring"
    assert float(inside["covered_share"]) == pytest.approx(1, abs=1e-3)
    half = np.s_[:, : codes.shape[1] // 2]
    with rasterio.open(next(made.glob("maps/*/score.tif"))) as dataset:
        score = dataset.read(1)[half]
        assert "simulated" in dataset.tags()["wildlens_trained_on"]
    assert float(inside["score_mean"]) == pytest.approx(np.nanmean(score), rel=1e-3)
    values, counts = np.unique(codes[half], return_counts=True)
    expected = dict(zip(map(str, values), counts / codes[half].size, strict=True))
    shares = {
        row["class_code"]: float(row["share"])
        for row in rows(made / "area_classes.csv")
        if row["zone"] == "inside"
    }
    assert shares == pytest.approx(expected, abs=1e-3)
