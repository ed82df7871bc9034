"""The workflow around the package: what runs, what runs again, and what is refused.

The commands are stand-ins (pretend_wildlens.py); test_chain.py runs the real ones.
"""

import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
import yaml
from anthroprotect_folder import write_folder
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from pretend_wildlens import demo_files
from safetensors.numpy import save_file

import wildlens
from wildlens.anthroprotect.dataset import investigative_scenes
from wildlens.demo.step import all_paths
from wildlens.provenance import code_digest
from wildlens.registry import methods
from wildlens.settings import Classifier, Gan, validate

ROOT = Path(__file__).parents[1]
WORKFLOW = ROOT / "workflow"
DEFAULT = ROOT / "config.yaml"

pytestmark = pytest.mark.minutes


def snakemake(folder: Path, *arguments, **environment) -> subprocess.CompletedProcess:
    """Run the workflow in a folder, on the embedded default and what `arguments` lay over it."""
    python = next(path for path in (folder / "bin/python", Path(sys.executable)) if path.exists())
    command = [python, "-m", "snakemake", "-s", ROOT / "Snakefile", "--directory", folder]
    # --cores takes one value, so that targets may come first in `arguments`
    command += ["--configfile", DEFAULT, "--cores", "2", *arguments]
    return subprocess.run(
        list(map(str, command)), capture_output=True, text=True, env=os.environ | environment
    )


def planned(folder: Path, *arguments, **environment) -> dict[str, int]:
    """How many jobs of each rule a dry run would start."""
    run = snakemake(folder, "-n", *arguments, **environment)
    assert run.returncode == 0, run.stderr + run.stdout
    counts = dict(re.findall(r"^([a-z_]+) +(\d+)$", run.stderr + run.stdout, re.MULTILINE))
    counts.pop("total", None)
    return {rule: int(count) for rule, count in counts.items()}


def workplace(folder: Path) -> Path:
    """A folder with an environment like this one, whose `wildlens` is the stand-in."""
    command = folder / "bin/wildlens"
    command.parent.mkdir(parents=True)
    pretend = Path(__file__).parent / "support/pretend_wildlens.py"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{pretend}" "$@"\n')
    command.chmod(0o755)
    (folder / "bin/python").symlink_to(sys.executable)
    (folder / "lib").symlink_to(Path(sys.prefix) / "lib")
    (folder / "pyvenv.cfg").write_text(f"home = {Path(sys.base_prefix) / 'bin'}\n")
    return folder


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A folder in which the whole workflow has run once; tests only plan further runs in it."""
    folder = workplace(tmp_path_factory.mktemp("finished"))
    run = snakemake(folder)
    assert run.returncode == 0, run.stderr
    return folder


def test_a_finished_workflow_rests(finished):
    run = snakemake(finished, "-n")
    assert "Nothing to be done" in run.stdout + run.stderr


def test_the_embedded_default_names_what_the_demo_writes():
    # the rule cannot ask the package, which would import all of it; the stand-in writes these files
    assert sorted(demo_files()) == sorted(map(str, all_paths("resources/demo")))


def test_every_declared_setting_lies_beside_the_results(finished):
    written = {path.stem for path in (finished / "results/settings").iterdir()}
    # nothing is fetched for the demo, and it has one date; no step reads `inputs` as a file
    unused = {"anthroprotect", "models", "inputs", "fetch", "compare"}
    sections = set(yaml.safe_load(DEFAULT.read_text())) - unused
    assert written == sections | {"configuration", "map", "attribute"}
    occlusion = yaml.safe_load((finished / "results/settings/map/occlusion.yaml").read_text())
    assert occlusion["occlusion_stride"] == 8 and "max_tiles" not in occlusion


@pytest.mark.parametrize("model", ["classifier", "generators"])
def test_trainings_keep_checkpoints_where_snakemake_deletes_nothing(finished, model):
    text = (finished / f"results/models/{model}.safetensors").read_text()
    assert yaml.safe_load(text)["checkpoints"] == "results/checkpoints"


AFTER_MODELS = {
    "map": 9,
    "attribute": 13,
    "evaluate": 1,
    "confidence": 1,
    "area_statistics": 1,
    "figures": 1,
    "qgis": 1,
    "catalogue": 1,
    "explore": 1,
    "summary": 1,
    "all": 1,
}


AFTER_EVALUATE = dict.fromkeys(
    ("evaluate", "area_statistics", "figures", "qgis", "explore", "summary", "all"), 1
)
AFTER_TILES = AFTER_EVALUATE | {"confidence": 1}  # of attributions of tiles
AFTER_MAPS_ALL = AFTER_EVALUATE | {"catalogue": 1}
AFTER_BOTH = AFTER_TILES | AFTER_MAPS_ALL


# two files of settings: the section's, and that of the whole configuration
@pytest.mark.parametrize(
    ("change", "rules"),
    [
        (
            "gan={lambda_am: 0.4}",
            {"settings": 2, "train_gan": 1, "map": 4, "attribute": 4} | AFTER_BOTH,
        ),
        (
            "classifier={epochs: 3}",
            {"settings": 2, "train_classifier": 1, "train_gan": 1} | AFTER_MODELS,
        ),
        (
            "attribution={occlusion_stride: 4}",
            {"settings": 2, "method_settings": 2, "map": 1, "attribute": 1} | AFTER_BOTH,
        ),
        (
            "attribution={overlap: 16}",
            {"settings": 2, "method_settings": 7, "map": 7} | AFTER_MAPS_ALL,
        ),
        (
            "attribution={max_tiles: 9}",
            {"settings": 2, "method_settings": 13, "attribute": 13} | AFTER_TILES,
        ),
        (
            "attribution={methods: [gan, minimizer, deeplift, occlusion, gradcam, saliency]}",
            {"settings": 2, "method_settings": 2, "map": 1, "attribute": 1} | AFTER_BOTH,
        ),
        (
            "evaluation={seed: 9}",
            {"settings": 2} | AFTER_TILES,
        ),
        (
            "confidence={bins: 5}",
            {"settings": 2, "confidence": 1, "figures": 1, "summary": 1, "all": 1},
        ),
        (
            "areas={ring_m: 500}",
            {
                "settings": 2,
                "area_statistics": 1,
                "figures": 1,
                "qgis": 1,
                "explore": 1,
                "summary": 1,
                "all": 1,
            },
        ),
        (
            "tiles={seed: 9}",
            {"settings": 2, "tiles": 1, "train_classifier": 1, "train_gan": 1} | AFTER_MODELS,
        ),
        (
            "scene={resampling: nearest}",
            {
                "settings": 2,
                "scene": 5,
                "landcover": 5,
                "tiles": 1,
                "train_classifier": 1,
                "train_gan": 1,
            }
            | AFTER_MODELS,
        ),
    ],
)
def test_a_changed_setting_reruns_what_reads_it_and_no_more(finished, change, rules):
    assert planned(finished, "--config", change) == rules


STATISTICS = {"area_statistics": 1, "qgis": 1, "explore": 1}
AFTER_MAPS = {"evaluate": 1, "catalogue": 1} | STATISTICS


@pytest.mark.parametrize(
    ("module", "rules"),
    [
        ("methods/occlusion.py", {"map": 1, "attribute": 1, "confidence": 1} | AFTER_MAPS),
        ("methods/gradcam.py", {"map": 1, "attribute": 2, "confidence": 1} | AFTER_MAPS),
        ("map/step.py", {"map": 9} | AFTER_MAPS),
        ("evaluate/step.py", {"evaluate": 1} | STATISTICS),
    ],
)
def test_edited_code_reruns_the_steps_that_reach_it(finished, tmp_path, module, rules):
    package = tmp_path / "wildlens"
    shutil.copytree(ROOT / "src/wildlens", package, ignore=shutil.ignore_patterns("__pycache__"))
    with (package / module).open("a") as file:
        file.write("\n# a remark\n")
    assert planned(finished, PYTHONPATH=str(tmp_path)) == {}
    with (package / module).open("a") as file:
        file.write("\nCHANGED = True\n")
    expected = rules | {"figures": 1, "summary": 1, "all": 1}
    assert planned(finished, PYTHONPATH=str(tmp_path)) == expected


def test_results_make_a_report_with_every_figure_and_table(finished):
    report = finished / "report.html"
    run = snakemake(finished, "--report", report)
    assert run.returncode == 0, run.stderr
    text = report.read_text(encoding="utf-8")
    figures = [path.name for path in (finished / "results/figures").glob("*.png")]
    assert len(figures) == 10
    for name in [
        "summary.html",
        *figures,
        "methods.csv",
        "classes.csv",
        "scenes.csv",
        "scores.csv",
        "accuracy.csv",
    ]:
        assert name in text


def test_planning_imports_neither_torch_nor_rasterio(finished, tmp_path):
    for name in ("torch", "rasterio"):
        (tmp_path / f"{name}.py").write_text(f"raise SystemExit('{name} was imported')\n")
    run = snakemake(finished, "-n", "--forceall", PYTHONPATH=str(tmp_path))
    assert run.returncode == 0, run.stderr


def own_land(folder: Path, **inputs) -> Path:
    """A configuration of somebody's own files, which are there, in a folder with a bad name."""
    data = folder / "my data; it's $HOME"
    for name in ("a.SAFE", "b.SAFE"):
        (data / name).mkdir(parents=True)
    for name in ("clc.tif", "own.tif", "wdpa.gpkg"):
        (data / name).touch()
    configuration = {
        "inputs": {
            "training": [{"name": "a", "product": str(data / "a.SAFE"), "offset": -1000}],
            "mapping": [
                {"name": "b", "product": str(data / "b.SAFE"), "landcover": str(data / "own.tif")}
            ],
            "landcover": str(data / "clc.tif"),
            "areas": str(data / "wdpa.gpkg"),
        }
        | inputs
    }
    path = folder / "mine.yaml"
    path.write_text(yaml.safe_dump(configuration))
    return path


def test_own_products_need_no_demo_and_keep_their_paths(tmp_path):
    folder = workplace(tmp_path)
    mine = own_land(folder)
    arguments = [DEFAULT, mine]
    assert "demo" not in planned(folder, "--configfile", *arguments)
    targets = ["results/landcover/b.tif", "results/tiles.zarr"]
    run = snakemake(folder, *targets, "--configfile", *arguments)
    assert run.returncode == 0, run.stderr
    inputs = yaml.safe_load(mine.read_text())["inputs"]

    def stub(path):
        return yaml.safe_load((folder / "results" / path).read_text())

    assert repr(inputs["training"][0]["product"]) in stub("scenes/a.tif")["products"]
    assert stub("scenes/a.tif")["offsets"] == "(-1000,)"
    assert stub("scenes/b.tif")["offsets"] == "()"
    assert stub("landcover/a.tif")["source"] == inputs["landcover"]
    assert stub("landcover/b.tif")["source"] == inputs["mapping"][0]["landcover"]
    assert inputs["areas"] in stub("tiles.zarr/stub")["areas"]
    assert stub("tiles.zarr/stub")["truths"] == "()"


def test_a_list_of_products_is_one_scene(tmp_path):
    folder = workplace(tmp_path)
    paths = [str(folder / "my data; it's $HOME" / name) for name in ("a.SAFE", "b.SAFE")]
    mine = own_land(folder, training=[{"name": "a", "product": paths, "offset": [-1000, 0]}])
    run = snakemake(folder, "results/scenes/a.tif", "--configfile", DEFAULT, mine)
    assert run.returncode == 0, run.stderr
    stub = yaml.safe_load((folder / "results/scenes/a.tif").read_text())
    assert all(repr(path) in stub["products"] for path in paths)
    assert stub["offsets"] == "(-1000, 0)"


def test_products_are_fetched_where_they_are_not_at_hand(tmp_path):
    folder = workplace(tmp_path)
    (folder / "my land.gpkg").touch()

    def days() -> dict:
        return {"dates": ["2023-07-01", "2023-08-31"]}

    box = {"box": [21.05, -68.5, 21.12, 68.47], "max_cloud": 12.5, "tile": "34WEA"}
    item = "https://example.org/items/a?x=1&y=$HOME"
    training = [
        {"name": "north", "fetch": days() | box},
        {"name": "south", "fetch": days() | {"polygons": str(folder / "my land.gpkg")}},
        {"name": "one", "fetch": {"item": item}},
    ]
    mine = own_land(folder, training=training)
    # dates without quotes are days to YAML
    mine.write_text(mine.read_text().replace("'2023-07-01'", "2023-07-01"))
    arguments = [DEFAULT, mine, "--config", "fetch={catalogue: cdse}"]
    targets = [f"results/scenes/{entry['name']}.tif" for entry in training]
    run = snakemake(folder, *targets, "--configfile", *arguments)
    assert run.returncode == 0, run.stderr

    def stub(name):
        return yaml.safe_load((folder / f"resources/fetched/{name}/item.json").read_text())

    assert stub("north") == {
        "box": "(21.05, -68.5, 21.12, 68.47)", "dates": "('2023-07-01', '2023-08-31')",
        "item": "None", "tile": "34WEA", "max_cloud": "12.5", "polygons": "None",
        "bands": "('B02', 'B03', 'B04', 'B08')", "settings": "results/settings/fetch.yaml",
        "only_list": "False",
    }  # fmt: skip
    assert stub("south")["polygons"] == str(folder / "my land.gpkg")
    assert stub("one")["item"] == item
    scene = yaml.safe_load((folder / "results/scenes/north.tif").read_text())
    assert "'resources/fetched/north/item.json'" in scene["products"]
    # another day concerns its own product only
    mine.write_text(mine.read_text().replace("2023-07-01", "2023-07-02", 1))
    assert planned(folder, *targets, "--configfile", *arguments) == {"fetch": 1, "scene": 1}


def test_the_second_date_of_the_demo_is_compared(tmp_path):
    both = WORKFLOW / "configs/two-dates.yaml"
    names = [product["name"] for product in yaml.safe_load(both.read_text())["inputs"]["mapping"]]
    plan = planned(tmp_path, "--configfile", DEFAULT, both)
    assert plan["compare"] == 1 and plan["scene"] == 4 + len(names)
    changes = f"results/compare/{names[0]}_{names[1]}/score.tif"
    assert "compare" in planned(tmp_path, "results/explore.html", "--configfile", DEFAULT, both)
    assert planned(tmp_path, changes, "--configfile", DEFAULT, both)["demo"] == 1


def test_the_example_of_a_real_region_can_be_planned_without_the_world(tmp_path):
    lapland = WORKFLOW / "configs/lapland.yaml"
    inputs = yaml.safe_load(lapland.read_text())["inputs"]
    (tmp_path / "resources").mkdir()
    for key in ("landcover", "areas"):
        (tmp_path / inputs[key]).touch()
    plan = planned(tmp_path, "--configfile", DEFAULT, lapland, http_proxy="http://127.0.0.1:9")
    assert plan["fetch"] == plan["scene"] == len(inputs["training"]) + len(inputs["mapping"])


def test_a_scene_can_be_mapped_in_parts_that_are_joined(tmp_path):
    folder = workplace(tmp_path)
    methods = "attribution={parts: 3, methods: [gan, occlusion], extras: [minimized]}"
    plan = planned(folder, "--configfile", DEFAULT, own_land(folder), "--config", methods)
    assert plan["map_part"] == 9 and plan["join"] == 3 and "map" not in plan


TWO = ["classifier={members: 2}", "gan={members: 2}"]


def test_a_further_member_trains_no_other_again(finished):
    for name in ("classifier", "gan"):
        assert "members" not in (finished / f"results/settings/{name}.yaml").read_text()
    counts = planned(finished, "--config", *TWO)
    assert counts["train_classifier_member"] == counts["train_gan_member"] == 1
    assert not counts.keys() & {"scene", "tiles", "train_classifier", "train_gan", "map"}
    # 8 methods and the score; the controls are those of one training
    assert counts["map_member"] == 2 * 9 and counts["combine_maps"] == 9
    assert counts["attribute_member"] == 2 * 8 and counts["combine_attributions"] == 8
    assert "attribute" not in counts


def test_members_of_generators_share_one_classifier(finished):
    counts = planned(finished, "--config", "gan={members: 3}")
    assert counts["train_gan_member"] == 2 and "train_classifier_member" not in counts
    # what uses no generators has one member, and nothing to do
    assert counts["map_member"] == counts["attribute_member"] == 3 * 4
    assert "map" not in counts and "attribute" not in counts


@pytest.fixture(scope="module")
def members(tmp_path_factory):
    """A folder in which a workflow with two members has run once, and its arguments."""
    folder = workplace(tmp_path_factory.mktemp("members"))
    chosen = "attribution={methods: [gan, occlusion], controls: [random, occlusion_randomised]}"
    arguments = ["--configfile", DEFAULT, own_land(folder), "--config", *TWO, chosen]
    run = snakemake(folder, *arguments)
    assert run.returncode == 0, run.stderr
    return folder, arguments


def test_members_are_trained_apart_and_combined(members):
    folder, arguments = members
    assert planned(folder, *arguments) == {}

    def stub(path):
        return yaml.safe_load((folder / "results" / path).read_text())

    second = stub("models/generators-2.safetensors")
    assert second["classifier"] == "results/models/classifier-2.safetensors"
    assert second["checkpoints"] == "results/checkpoints"
    assert stub("models/generators.safetensors")["classifier"].endswith("/classifier.safetensors")
    seeds = [stub(f"settings/{name}.yaml")["seed"] for name in ("gan", "gan-2", "classifier-2")]
    assert seeds[0] == 0 and seeds[1] == seeds[2] > 0
    assert stub("settings/members.yaml") == {"classifier": 2, "gan": 2}
    for name in ("gan", "occlusion"):
        made = stub(f"maps/b/{name}.tif")
        assert made["members"].count("results/maps/members/b/") == 2
        assert made["thresholds"] == f"results/metrics/members/{name}.csv"
        assert stub(f"attributions/{name}.zarr/stub")["members"].count(f"members/{name}-") == 2
    assert stub("maps/b/score.tif")["thresholds"] == "None"
    assert not list((folder / "results/maps").glob("members/*/*.*"))
    assert "generators" in stub("attributions/random.zarr/stub")  # made by `attribute`
    assert stub("stac/catalog.json")["models"].count("-2.safetensors") == 2
    assert stub("settings/combine.yaml").keys() == {"targets"}


def test_members_rest_when_copied_and_rerun_for_what_they_depend_on(members, tmp_path):
    folder, arguments = members
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy, symlinks=True, copy_function=shutil.copy)
    assert planned(copy, *arguments) == {}

    def after(change):
        return planned(folder, *arguments, change)

    assert "map_member" not in after("evaluation={seed: 9}")
    targets = after("evaluation={targets: [411]}")
    assert targets["combine_attributions"] == targets["combine_maps"] == 2
    assert targets["map_member"] == 4 and "attribute_member" not in targets
    weight = after("gan={members: 2, lambda_am: 0.4}")
    assert weight["train_gan"] == weight["train_gan_member"] == weight["combine_maps"] == 1
    assert weight["map_member"] == weight["attribute_member"] == 2


def test_maps_of_members_can_be_made_in_parts(tmp_path):
    folder = workplace(tmp_path)
    chosen = "attribution={parts: 3, methods: [gan, occlusion], extras: [minimized]}"
    plan = planned(folder, "--configfile", DEFAULT, own_land(folder), "--config", *TWO, chosen)
    assert plan["map_member_part"] == 3 * 2 * 3 and plan["join_member"] == 6
    assert plan["combine_maps"] == 3 and not plan.keys() & {"map", "join", "map_part"}


@pytest.mark.parametrize("members", [[], TWO])
@pytest.mark.parametrize("parts", [1, 3])
def test_strips_of_parts_and_members_are_beside_the_whole_map(tmp_path, members, parts):
    chosen = f"attribution={{parts: {parts}, methods: [gan], extras: []}}"
    arguments = ["-p", "--configfile", DEFAULT, own_land(tmp_path), "--config", *members, chosen]
    run = snakemake(tmp_path, "-n", *arguments)
    folders = re.findall(r"--strips (\S+)", run.stdout + run.stderr)
    assert len(set(folders)) == parts * (2 if members else 1)
    beside = Path("results/maps/b/.gan.strips")
    assert all(Path(folder).is_relative_to(beside) for folder in folders), folders


def two_dates(folder: Path, **values) -> list:
    """Arguments of a run that compares two dates; `values` are laid over the section."""
    products = {"old": "a", "new": "b", "same": "b"}
    data = folder / "my data; it's $HOME"
    mapping = [{"name": n, "product": str(data / f"{p}.SAFE")} for n, p in products.items()]
    mine = own_land(workplace(folder), mapping=mapping)
    section = {"compare": {"before": "old", "after": "new"} | values}
    section["attribution"] = {"methods": ["gan", "occlusion"]}
    mine.write_text(mine.read_text() + yaml.safe_dump(section))
    return ["--configfile", DEFAULT, mine]


def test_two_dates_are_compared_and_shown(tmp_path):
    arguments = two_dates(tmp_path)
    run = snakemake(tmp_path, *arguments)
    assert run.returncode == 0, run.stderr
    folder = tmp_path / "results/compare/old_new"
    assert {path.stem for path in folder.iterdir()} == {"gan", "occlusion", "score", "areas"}

    def stub(path):
        return yaml.safe_load((tmp_path / "results" / path).read_text())

    assert stub("compare/old_new/gan.tif")["maps"].count("results/maps/") == 6
    for shown in ("wildlens.qgz", "stac/catalog.json"):
        assert stub(shown)["changes"].count("results/compare/old_new/") == 3
    assert not planned(tmp_path, *arguments)
    report = snakemake(tmp_path, *arguments, "--report", tmp_path / "report.html")
    assert report.returncode == 0, report.stderr
    assert "Change between two dates" in (tmp_path / "report.html").read_text(encoding="utf-8")
    shown = {"figures", "qgis", "catalogue", "explore", "summary", "all"}
    counts = planned(tmp_path, *arguments, "--config", "attribution={occlusion_stride: 4}")
    assert counts["map"] == 3 and counts["compare"] == 1 and shown <= counts.keys()
    other = planned(tmp_path, *arguments, "--config", "areas={ring_m: 500}")
    assert other["compare"] == 1 and "map" not in other and "evaluate" not in other


def test_configuration_of_a_run_is_that_of_its_last_run(tmp_path):
    def write(sections, *arguments) -> list:
        targets = [f"results/settings/{name}.yaml" for name in ("configuration", *sections)]
        arguments = [*arguments, "--", *targets]
        assert snakemake(tmp_path, *arguments).returncode == 0
        return arguments

    both = two_dates(tmp_path)
    arguments = write(["compare", "members"], *both, "--config", "gan={members: 3}")
    run = wildlens.open_run(tmp_path / "results")
    assert run.settings.compare.after == "new" and run.settings.gan.members == 3
    assert not planned(tmp_path, *arguments)
    (tmp_path / "one").mkdir()
    arguments = write([], "--configfile", DEFAULT, own_land(tmp_path / "one"))
    assert (tmp_path / "results/settings/compare.yaml").exists()
    assert run.settings.compare is None and run.settings.gan.members == 1
    assert [product.name for product in run.settings.inputs.mapping] == ["b"]
    assert not planned(tmp_path, *arguments)


def test_dates_without_change_are_mapped_for_the_noise(tmp_path):
    counts = planned(tmp_path, *two_dates(tmp_path, unchanged=[["a", "same"]]))
    assert counts["map"] == 3 * 4 and counts["compare"] == 1  # of the training scene, too


def test_misspelt_date_is_one_line_with_the_nearest_name(tmp_path):
    run = snakemake(tmp_path, "-n", *two_dates(tmp_path, after="nwe"))
    lines = [line for line in run.stderr.splitlines() if "rror" in line or "Traceback" in line]
    assert run.returncode == 1 and len(lines) == 1
    assert (
        "compare.after: no product of inputs.mapping is named 'nwe' (did you mean 'new'?)"
        in (lines[0])
    )


def test_nothing_to_map_is_no_error(tmp_path):
    mine = own_land(workplace(tmp_path), mapping=[])
    rules = planned(tmp_path, "--configfile", DEFAULT, mine)
    assert "map" not in rules and rules["attribute"] == 13


@pytest.mark.parametrize(
    ("change", "key", "neighbour"),
    [
        ("gan={lamda_am: 1}", "gan.lamda_am", "lambda_am"),
        ("clasifier={epochs: 1}", "clasifier", "classifier"),
        ("inputs={training: [{name: a, product: b, trth: c}]}", "inputs.training.0.trth", "truth"),
    ],
)
def test_a_typo_is_one_line_with_the_nearest_key(tmp_path, change, key, neighbour):
    run = snakemake(tmp_path, "-n", "--config", change)
    lines = [line for line in run.stderr.splitlines() if "rror" in line or "Traceback" in line]
    assert run.returncode == 1
    assert lines == [
        f"wildlens: error: configuration: unknown key '{key}' (did you mean '{neighbour}'?)"
    ]


@pytest.mark.parametrize(
    "path", sorted((WORKFLOW / "configs").glob("*.yaml")), ids=lambda p: p.stem
)
def test_configurations_are_valid_over_the_default(path):
    merged = yaml.safe_load(DEFAULT.read_text())
    for section, values in yaml.safe_load(path.read_text()).items():
        merged[section] = (merged[section] or {}) | values
    validate(merged)


def test_the_published_configuration_leaves_no_training_to_the_demo():
    paper = yaml.safe_load((WORKFLOW / "configs/paper.yaml").read_text())
    for section, model in (("classifier", Classifier), ("gan", Gan)):
        assert set(paper[section]) == set(model.model_fields) - {"seed", "options"}  # of others


def test_whoever_has_anthroprotect_types_one_path(tmp_path):
    folder = workplace(tmp_path)
    dataset = write_folder(tmp_path / "data/anthroprotect", np.random.default_rng(0), side=4)
    configuration = ("--configfile", DEFAULT, WORKFLOW / "configs/paper.yaml")
    configuration += ("--config", f"anthroprotect={dataset.parent}")  # as the zip unpacks
    run = snakemake(folder, *configuration)
    assert run.returncode == 0, run.stderr
    scene = "inv_hydroelectric-letsi_2019-07-01-2019-08-30"
    assert sorted(p.name for p in (folder / "results/maps").iterdir()) == [scene]
    assert yaml.safe_load((folder / f"results/scenes/{scene}.tif").read_text())["offsets"] == "(0,)"
    assert not (folder / "resources").exists(), "nothing is simulated"
    assert not (folder / "results/landcover").exists(), "the scene has none"
    assert not planned(folder, *configuration)
    own = "inputs={mapping: [{name: mine, product: a.SAFE, landcover: b.tif}]}"
    (folder / "a.SAFE").write_text("")
    (folder / "b.tif").write_text("")
    counts = planned(folder, *configuration, own)
    assert counts["scene"] == counts["landcover"] == 1 and counts["map"] == 5
    assert "anthroprotect" not in counts


def test_a_folder_that_is_no_anthroprotect_is_one_line(tmp_path):
    run = snakemake(tmp_path, "-n", "--config", f"anthroprotect={tmp_path}", "tiles={size: 256}")
    lines = [line for line in (run.stdout + run.stderr).splitlines() if "error" in line]
    assert run.returncode == 1 and len(lines) == 1
    assert "is no AnthroProtect: expected infos.csv and tiles/s2 in it" in lines[0]
    assert "Traceback" not in run.stderr


def test_own_product_named_like_a_scene_of_anthroprotect_is_one_line(tmp_path):
    dataset = write_folder(tmp_path / "data", np.random.default_rng(0), side=4)
    (scene,) = investigative_scenes(dataset)
    own = f"inputs={{mapping: [{{name: {scene.name}, product: a.SAFE}}]}}"
    paper = ("--configfile", DEFAULT, WORKFLOW / "configs/paper.yaml")
    run = snakemake(tmp_path, "-n", *paper, "--config", f"anthroprotect={dataset}", own)
    assert run.returncode == 1 and "Traceback" not in run.stderr
    assert f"inputs.mapping: {scene.name} is the name of a scene in" in run.stdout + run.stderr


def test_methods_of_the_workflow_have_a_module_each():
    for record in methods.records().values():
        assert code_digest(record.module)


def test_profiles_use_options_that_snakemake_knows():
    usage = subprocess.run(
        [sys.executable, "-m", "snakemake", "--help"], capture_output=True, text=True, check=True
    ).stdout
    for path in ROOT.glob("profiles/*/config.yaml"):
        options = yaml.safe_load(path.read_text())
        plugin = {key for key in options if key.startswith("slurm-")}  # its plugin's own
        unknown = [key for key in options.keys() - plugin if f"--{key}" not in usage]
        assert not unknown, path
    slurm = yaml.safe_load((ROOT / "profiles/slurm/config.yaml").read_text())
    assert "resources" not in slurm, "a global gpu limit would hold jobs back from Slurm's queue"
    assert yaml.safe_load((ROOT / "profiles/default/config.yaml").read_text())["resources"] == {
        "gpu": 1
    }


def requirements(lines) -> dict[str, str]:
    """Requirement lines as name -> bounds."""
    return dict(re.match(r"([A-Za-z0-9_-]+)(.*)", line).groups() for line in lines)


@pytest.mark.parametrize(
    ("name", "torch"), [("wildlens", "pytorch"), ("wildlens-cuda", "pytorch-gpu")]
)
def test_the_conda_environments_have_the_bounds_of_the_package(name, torch):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    conda_names = {"torch": torch, "snakemake": "snakemake-minimal"}
    expected = {
        conda_names.get(name, name): bounds
        for name, bounds in requirements(project["dependencies"]).items()
    } | {"python": project["requires-python"], "pip": ""}
    environment = yaml.safe_load((ROOT / f"envs/{name}.yaml").read_text())
    assert environment["name"] == name
    assert requirements(environment["dependencies"]) == expected


def test_the_container_recipe_installs_this_package_with_its_pins():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    recipe = (ROOT / "envs/Dockerfile").read_text()
    (python,) = re.findall(r"^FROM python:([0-9.]+)-slim$", recipe, re.MULTILINE)
    assert python in SpecifierSet(project["requires-python"])
    ((folder, extra),) = re.findall(r"-e '(/[a-z/]+)\[([a-z]+)\]'$", recipe, re.MULTILINE)
    assert extra in project["optional-dependencies"]
    assert f"COPY . {folder}\n" in recipe and f"-c {folder}/constraints.txt" in recipe


def test_constraints_are_plain_pins_of_every_dependency():
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][A-Za-z0-9.]*", line) for line in lines)
    assert lines == sorted(lines, key=str.lower)
    pinned = {line.partition("==")[0].lower().replace("_", "-") for line in lines}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    optional = project["optional-dependencies"].values()
    wanted = [*project["dependencies"], *itertools.chain(*optional)]
    assert requirements(wanted).keys() <= pinned
    pins = dict(line.split("==") for line in lines)
    pins = {name.lower().replace("_", "-"): version for name, version in pins.items()}
    outside = {
        name: bounds
        for name, bounds in requirements(wanted).items()
        if pins[name] not in SpecifierSet(bounds)
    }
    assert not outside, "pinned outside the bounds of pyproject.toml"


def test_a_plain_install_brings_what_the_report_imports():
    # what tests need brings Pygments, too: without this, only users would miss it
    installed, waiting = set(), ["wildlens"]
    while waiting:
        name = canonicalize_name(waiting.pop())
        if name not in installed:
            installed.add(name)
            needed = map(Requirement, metadata.requires(name) or [])
            waiting += [r.name for r in needed if not r.marker or r.marker.evaluate({"extra": ""})]
    assert installed >= {"pygments", "docutils", "jinja2"}


def reruns(folder: Path, *arguments) -> bool:
    """Whether a dry run would start any job."""
    run = snakemake(folder, "-n", *arguments)
    assert run.returncode == 0, run.stderr
    return "Nothing to be done" not in run.stdout + run.stderr


def test_copied_or_touched_run_has_nothing_to_do(finished, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(finished, copy, symlinks=True, copy_function=shutil.copy)
    statistics = '<PAMDataset><Metadata><MDI key="STATISTICS_MEAN">3</MDI></Metadata></PAMDataset>'
    areas, landcover = copy / "resources/demo", copy / "results/landcover"
    for path in (*areas.glob("*.gpkg"), *landcover.glob("*.tif"), copy / "results/tiles.gpkg"):
        path.touch()
        path.with_name(f"{path.name}.aux.xml").write_text(statistics)
    assert not reruns(copy)
    for path in areas.glob("*.gpkg"):
        path.write_text("another site")
    assert reruns(copy)


def among_results(folder: Path, names: str) -> Path:
    """A workplace with files of its own below `results`, which no rule makes."""
    mine = workplace(folder) / "results/mine"
    mine.mkdir(parents=True)
    for name in names.split():
        (mine / name).write_text(name)
    return mine


@pytest.fixture(scope="module")
def mapped_among_results(tmp_path_factory):
    """Maps with models of another run, of which all files are among the results."""
    folder = tmp_path_factory.mktemp("mapped")
    mine = among_results(
        folder, "lake.tif scl.tif hill.tif clc.tif own.tif table.csv parks.gpkg methods.csv"
    )
    for name, kind in {"classifier": "local", "generators": "generator"}.items():
        write_model(mine / f"{name}.safetensors", kind, 0)
    at = "results/mine"
    hill = {"name": "hill", "product": f"{at}/hill.tif", "landcover": f"{at}/own.tif"}
    configuration = {
        "inputs": {
            "mapping": [
                {"name": "lake", "product": [f"{at}/lake.tif"], "scl": f"{at}/scl.tif"},
                hill,
            ],
            "landcover": f"{at}/clc.tif",
        },
        "landcover": {"product": "table", "table": f"{at}/table.csv"},
        "areas": {"polygons": f"{at}/parks.gpkg"},
        "models": {
            "classifier": f"{at}/classifier.safetensors",
            "generators": f"{at}/generators.safetensors",
            "thresholds": f"{at}/methods.csv",
        },
        "attribution": {"methods": ["gan"], "extras": []},
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(configuration))
    return finish(folder, "results/area_statistics.csv")


@pytest.fixture(scope="module")
def tiled_among_results(tmp_path_factory):
    """Tiles of two products, of which one is fetched, with all files among the results."""
    folder = tmp_path_factory.mktemp("tiled")
    among_results(folder, "a.tif clc.tif truth.tif wdpa.gpkg part.gpkg")
    at = "results/mine"
    part = {"polygons": f"{at}/part.gpkg", "dates": ["2023-07-01", "2023-08-31"]}
    training = [
        {"name": "a", "product": f"{at}/a.tif", "truth": f"{at}/truth.tif"},
        {"name": "b", "fetch": part, "truth": f"{at}/truth.tif"},
    ]
    inputs = {"training": training, "landcover": f"{at}/clc.tif", "areas": f"{at}/wdpa.gpkg"}
    (folder / "config.yaml").write_text(yaml.safe_dump({"inputs": inputs}))
    return finish(folder, "results/tiles.zarr")


@pytest.fixture(scope="module")
def anthroprotect_among_results(tmp_path_factory):
    folder = workplace(tmp_path_factory.mktemp("anthroprotect"))
    write_folder(folder / "results/mine", np.random.default_rng(0), side=4)
    paper = yaml.safe_load((WORKFLOW / "configs/paper.yaml").read_text())
    text = yaml.safe_dump(paper | {"anthroprotect": "results/mine", "inputs": {}})
    (folder / "config.yaml").write_text(text)
    return finish(folder, "results/tiles.zarr")


def finish(folder: Path, target: str) -> tuple[Path, list]:
    arguments = [target, "--configfile", folder / "config.yaml"]
    run = snakemake(folder, *arguments)
    assert run.returncode == 0, run.stderr
    assert not planned(folder, *arguments)
    return folder, arguments


def write_model(path: Path, kind: str, value: int) -> None:
    save_file(
        {"a": np.full(1, value)}, path, {"kind": kind, "bands": '["B02", "B03", "B04", "B08"]'}
    )


@pytest.mark.parametrize(
    ("finished_run", "name", "rule"),
    [
        ("mapped", "lake.tif", "scene"),
        ("mapped", "scl.tif", "scene"),
        ("mapped", "clc.tif", "landcover"),
        ("mapped", "own.tif", "landcover"),
        ("mapped", "table.csv", "landcover"),
        ("mapped", "parks.gpkg", "area_statistics"),
        ("mapped", "classifier.safetensors", "map"),
        ("mapped", "generators.safetensors", "map"),
        ("mapped", "methods.csv", "area_statistics"),
        ("tiled", "a.tif", "scene"),
        ("tiled", "clc.tif", "landcover"),
        ("tiled", "truth.tif", "tiles"),
        ("tiled", "wdpa.gpkg", "tiles"),
        ("tiled", "part.gpkg", "fetch"),
        ("anthroprotect", "infos.csv", "anthroprotect"),
    ],
)
def test_inputs_among_the_results_rerun_what_reads_them(request, finished_run, name, rule):
    folder, arguments = request.getfixturevalue(f"{finished_run}_among_results")
    path = folder / "results/mine" / name
    before = path.read_bytes()
    if path.suffix == ".safetensors":
        write_model(path, "local" if name.startswith("classifier") else "generator", 1)
    else:
        path.write_bytes(before + b" ")
    try:
        assert rule in planned(folder, *arguments)
    finally:
        path.write_bytes(before)


def declared_files(folder: Path, *arguments) -> set[str]:
    """Results that the workflow tells the summary to show."""
    run = snakemake(folder, "results/summary.html", "-n", "-p", *arguments)
    return set(json.loads(re.search(r"--run '(.*)' --output", run.stdout + run.stderr)[1])["files"])


def test_summary_shows_the_results_of_this_run_only(
    mapped_among_results, anthroprotect_among_results, tmp_path
):
    training = {f"evaluation/{name}.csv" for name in ("methods", "scores", "classes")}
    training |= {"metrics/classifier/accuracy.csv", "metrics/gan/warnings.txt"}
    training |= {"figures/training.png", "models/classifier.safetensors"}
    always = {"figures/map.png", "wildlens.qgz", "explore.html", "stac", "maps", "summary.html"}
    areas = {"area_statistics.csv", "figures/areas.png"}
    assert training | always | areas <= declared_files(tmp_path)
    folder, (_, *arguments) = mapped_among_results
    mapped = declared_files(folder, *arguments)
    assert always | areas <= mapped and not mapped & training
    folder, (_, *arguments) = anthroprotect_among_results  # has no protected areas
    trained = declared_files(folder, *arguments)
    assert training | always <= trained and not trained & areas


def test_failed_step_keeps_its_old_result_and_runs_again(finished, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(finished, copy, symlinks=True)
    command, model = copy / "bin/wildlens", copy / "results/models/generators.safetensors"
    before, works = model.read_bytes(), command.read_text()
    command.write_text(works.replace("exec", 'case "$*" in *train-gan*) exit 1;; esac\nexec', 1))
    change = ("--config", "gan={lambda_am: 0.4}")
    run = snakemake(copy, "--until", "train_gan", *change)
    assert run.returncode == 1 and "Error in rule train_gan" in run.stderr
    assert model.read_bytes() == before
    assert planned(copy, *change)["train_gan"] == 1


@pytest.mark.parametrize("snakefile", ["Snakefile", "workflow/Snakefile"])
def test_workflow_runs_from_another_folder(tmp_path, snakefile):
    command = [sys.executable, "-m", "snakemake", "-n", "-s", str(ROOT / snakefile)]
    run = subprocess.run(
        [*command, "--directory", str(tmp_path)], capture_output=True, text=True, cwd=tmp_path
    )
    assert run.returncode == 0 and "train_gan" in run.stdout + run.stderr, run.stderr


def test_workflow_is_a_module_of_another_one(tmp_path):
    (tmp_path / "Snakefile").write_text(
        f"configfile: '{DEFAULT}'\n"
        f"module wildlens:\n    snakefile: '{ROOT / 'Snakefile'}'\n    config: config\n"
        "use rule * from wildlens\n"
    )
    command = [sys.executable, "-m", "snakemake", "-n", "--cores", "1"]
    run = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert run.returncode == 0 and "train_gan" in run.stdout + run.stderr, run.stderr


def test_key_given_twice_is_one_line(tmp_path):
    mine = tmp_path / "mine.yaml"
    mine.write_text("gan: {steps: 500}\ntiles: {seed: 1}\ngan: {seed: 2}\n")
    run = snakemake(tmp_path, "-n", "--configfile", DEFAULT, mine)
    lines = [line for line in run.stderr.splitlines() if "rror" in line or "Traceback" in line]
    assert run.returncode == 1 and len(lines) == 1
    assert "mine.yaml" in lines[0] and "line 3: the key 'gan' is given twice" in lines[0]


def test_jobs_call_the_command_of_this_environment(tmp_path):
    other = tmp_path / "other/wildlens"
    other.parent.mkdir()
    other.write_text("#!/bin/sh\nexit 9\n")
    other.chmod(0o755)
    folder = workplace(tmp_path / "own")
    path = os.pathsep.join([str(other.parent), os.environ["PATH"]])
    run = snakemake(folder, "results/checksums/demo.txt", "--configfile", DEFAULT, PATH=path)
    assert run.returncode == 0, run.stderr
