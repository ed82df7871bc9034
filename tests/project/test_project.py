"""Projects: what `wildlens init` writes, what the workflow does with it, and what is refused."""

import json
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
import yaml
from click.testing import CliRunner
from hypothesis import given
from hypothesis import settings as hypothesis
from hypothesis import strategies as st
from safetensors.numpy import save_file

from wildlens import provenance
from wildlens.cli import cli
from wildlens.errors import WildLensError
from wildlens.project.command import command, run_workflow
from wildlens.project.init import init, quoted
from wildlens.project.models import check_models
from wildlens.registry import classifiers
from wildlens.registry.record import ClassifierRecord
from wildlens.settings import Settings, read_yaml, validate

BANDS = ["B02", "B03", "B04", "B08"]


def write_model(path: Path, kind: str, bands=BANDS, through=()) -> Path:
    """A model file with a header and no network; `through`: the classifier of generators."""
    path.parent.mkdir(parents=True, exist_ok=True)
    metadata = provenance.record("train", None, through)
    save_file({"a": np.zeros(1)}, path, metadata | {"kind": kind, "bands": json.dumps(bands)})
    return path


@pytest.fixture
def trained(tmp_path) -> Path:
    """Results of a run with a local classifier and its generators."""
    results = tmp_path / "other run/results"
    write_model(results / "models/classifier.safetensors", "local")
    write_model(results / "models/generators.safetensors", "generator")
    (results / "evaluation").mkdir()
    (results / "evaluation/methods.csv").write_text("method,reference,threshold\n")
    return results


def settings_of(folder: Path) -> Settings:
    return validate(read_yaml(folder / "config.yaml"))


def snakemake(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(command(folder, arguments), capture_output=True, text=True)


def planned(folder: Path) -> dict[str, int]:
    """How many jobs of each rule a dry run would start."""
    run = snakemake(folder, "-n")
    assert run.returncode == 0, run.stderr + run.stdout
    counts = dict(re.findall(r"^([a-z_]+) +(\d+)$", run.stderr + run.stdout, re.MULTILINE))
    return {rule: int(count) for rule, count in counts.items() if rule != "total"}


def error_of(folder: Path) -> str:
    """The one line that a refused run says."""
    run = snakemake(folder, "-n")
    lines = [line for line in (run.stdout + run.stderr).splitlines() if "error" in line]
    assert run.returncode == 1 and "Traceback" not in run.stderr and len(lines) == 1, run.stderr
    return lines[0]


def test_a_project_that_trains_has_its_paths_to_fill_in(tmp_path):
    assert init(tmp_path / "mine") == 5
    found = settings_of(tmp_path / "mine")
    paths = [
        *(p.product for p in found.inputs.training),
        *(p.product for p in found.inputs.mapping),
    ]
    assert all("FILL_IN" in path for path in [*paths, found.inputs.landcover, found.inputs.areas])
    assert found == validate({"inputs": found.inputs.model_dump()}), "all else by default"
    run = snakemake(tmp_path / "mine", "-n")
    assert run.returncode != 0 and "FILL_IN" in run.stdout + run.stderr


def test_given_paths_and_models_are_filled_in(tmp_path, trained):
    product = tmp_path / "S2B_MSIL2A_20200223T032739_N9999_R018_T48QUE_20230924T183543.SAFE"
    files = {name: tmp_path / f"{name} of: mine # 1.tif" for name in ("landcover", "areas")}
    for path in (product, *files.values()):
        path.touch()
    assert init(tmp_path / "mine", trained, [product], **files) == 0
    found = settings_of(tmp_path / "mine")
    assert found.inputs.training == []
    assert [(p.name, p.product) for p in found.inputs.mapping] == [
        ("T48QUE_20200223", str(product))
    ]
    assert found.inputs.landcover == str(files["landcover"])
    assert found.inputs.areas == str(files["areas"])
    assert found.models.thresholds == str(trained / "evaluation/methods.csv")
    assert check_models(found) == "local"


def names_of(folder: Path, products, results=None) -> list[str]:
    """Names of the products in a new project, whose paths must be those that were given."""
    folder = folder / "mine"
    shutil.rmtree(folder, ignore_errors=True)
    init(folder, results, products)
    found = settings_of(folder).inputs.mapping
    assert [product.product for product in found] == [str(path.resolve()) for path in products]
    return [product.name for product in found]


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["Überlingen am See.tif"], ["Uberlingen_am_See"]),
        (["_clip-1.tif", "2023-07 lake.v2.tif"], ["clip-1", "2023-07_lake"]),
        (["湖.tif", ".hidden"], ["scene", "scene-2"]),
        (["S2_my_area_x_2020_größe.tif"], ["S2_my_area_x_2020_groe"]),
        (["Members.tif", "parts.tif", "North.tif"], ["Members-2", "parts-2", "North-2"]),
        (["a/clip.tif", "b/Clip.tif", "c/clip-2.tif"], ["clip", "Clip-2", "clip-2-2"]),
        (["lake/item.json", "hill/item.json"], ["lake", "hill"]),
        (
            [
                "S2A_MSIL2A_20230723T101601_N0509_R065_T35WNT_20230723T150312.SAFE",
                "S2A_MSIL2A_20230723T101601_N0510_R065_T35WNT_20240101T150312.SAFE.zip",
            ],
            ["T35WNT_20230723", "T35WNT_20230723-2"],
        ),
    ],
)
def test_names_of_products_come_from_their_files(tmp_path, paths, names):
    assert names_of(tmp_path, [tmp_path / path for path in paths]) == names


def test_product_may_be_the_working_directory_or_be_named_like_one_to_learn_from(
    tmp_path, trained, monkeypatch
):
    (tmp_path / "Lake 1").mkdir()
    monkeypatch.chdir(tmp_path / "Lake 1")
    assert names_of(tmp_path, [Path(), Path("north")], trained) == ["Lake_1", "north"]


FILE_NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/\0"), min_size=1)


@given(
    st.lists(st.lists(FILE_NAMES, min_size=1, max_size=2).map("/".join), min_size=1, unique=True)
)
@hypothesis(max_examples=60, deadline=None, database=None, derandomize=True)
def test_any_paths_of_products_make_a_valid_project(paths):
    with tempfile.TemporaryDirectory() as folder:
        names = names_of(Path(folder), [Path(folder, path) for path in paths])
    assert len(names) == len(paths)


@pytest.mark.parametrize(
    ("kind", "generators", "without"),
    [
        ("local", True, set()),
        ("unet", True, set()),
        ("local", False, {"gan", "minimizer", "minimizer_contributions", "minimizer_activation"}),
    ],
)
def test_methods_are_those_that_the_models_can_do(tmp_path, kind, generators, without):
    write_model(tmp_path / "run/models/classifier.safetensors", kind)
    if generators:
        write_model(tmp_path / "run/models/generators.safetensors", "generator")
    init(tmp_path / "mine", tmp_path / "run")
    found = settings_of(tmp_path / "mine")
    assert check_models(found) == kind
    assert set(Settings.model_fields["attribution"].default.methods) == {
        *found.attribution.methods, *without, "occlusion"
    }  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        "/a b/c.tif",
        "- x",
        "a: b # c",
        "'\"",
        "{a}",
        "!tag",
        "&x",
        "*x",
        "null",
        "1",
        "é\\n",
        "%YAML",
    ],
)
def test_any_path_survives_the_configuration(text):
    assert yaml.safe_load(f"key: {quoted(text)} # comment")["key"] == text


def test_the_command_says_how_many_paths_are_missing(tmp_path, trained):
    said = CliRunner().invoke(cli, ["init", str(tmp_path / "a")]).output
    assert "config.yaml: fill in 5 paths, then `wildlens run` in" in said
    words = ["init", str(tmp_path / "b"), "--models", str(trained)]
    assert "fill in 1 path, then" in CliRunner().invoke(cli, words).output
    (tmp_path / "s.tif").touch()
    words = ["init", str(tmp_path / "c"), *words[2:], "--product", str(tmp_path / "s.tif")]
    assert "config.yaml: ready: `wildlens run` in" in CliRunner().invoke(cli, words).output


def test_an_existing_project_is_left_alone(tmp_path):
    init(tmp_path)
    before = (tmp_path / "config.yaml").read_text()
    with pytest.raises(WildLensError, match=r"config\.yaml: exists; choose another folder"):
        init(tmp_path)
    assert (tmp_path / "config.yaml").read_text() == before


def test_a_folder_without_a_classifier_makes_no_project(tmp_path):
    (tmp_path / "run").mkdir()
    with pytest.raises(WildLensError, match=r"classifier\.safetensors: is no model file"):
        init(tmp_path / "mine", tmp_path / "run")
    assert not (tmp_path / "mine").exists()


def test_maps_with_given_models_need_neither_training_nor_land_cover_nor_areas(tmp_path, trained):
    product = tmp_path / "scene.tif"
    product.touch()
    init(tmp_path / "mine", trained, [product])
    jobs = planned(tmp_path / "mine")
    assert jobs["scene"] == 1 and jobs["map"] == 8
    absent = {"demo", "tiles", "train_classifier", "train_gan", "attribute", "evaluate"}
    absent |= {"landcover", "area_statistics"}
    assert not absent & set(jobs)
    assert {"figures", "qgis", "catalogue", "summary"} <= set(jobs)


def test_land_cover_and_areas_add_what_needs_them(tmp_path, trained):
    paths = [tmp_path / name for name in ("scene.tif", "clc.tif", "wdpa.gpkg")]
    for path in paths:
        path.touch()
    init(tmp_path / "mine", trained, paths[:1], *paths[1:])
    jobs = planned(tmp_path / "mine")
    assert jobs["landcover"] == jobs["area_statistics"] == 1


def test_two_dates_are_compared_with_given_models_and_without_areas(tmp_path, trained):
    paths = [tmp_path / name for name in ("old.tif", "new.tif")]
    for path in paths:
        path.touch()
    init(tmp_path / "mine", trained, paths)
    with (tmp_path / "mine/config.yaml").open("a") as file:
        file.write("compare: {before: old, after: new}\n")
    jobs = planned(tmp_path / "mine")
    assert jobs["map"] == 16 and jobs["compare"] == 1 and "area_statistics" not in jobs


def test_plain_snakemake_runs_a_project_too(tmp_path, trained):
    product = tmp_path / "scene.tif"
    product.touch()
    init(tmp_path / "mine", trained, [product])
    words = [sys.executable, "-m", "snakemake", "-n", "--cores", "1", "--directory", "mine"]
    words += ["--snakefile", "mine/Snakefile"]
    run = subprocess.run(words, capture_output=True, text=True, cwd=tmp_path)
    assert run.returncode == 0, run.stdout + run.stderr
    assert re.search(r"^map +8$", run.stdout + run.stderr, re.MULTILINE)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"scene": {"bands": ["B04", "B03", "B02", "B08"]}}, "scene.bands: .* was trained on B02"),
        ({"attribution": {"methods": ["expected_gradients"]}}, "needs training tiles"),
        ({"models": {"classifier": "no.safetensors"}}, "no.safetensors: is no model file"),
        ({"inputs": {"training": [{"name": "b", "product": "b"}]}}, "nothing is trained with them"),
        ({"inputs": {"mapping": []}}, "inputs.mapping: needs a product"),
    ],
)
def test_what_the_models_cannot_do_is_one_line(tmp_path, trained, change, said):
    init(tmp_path / "mine", trained)
    path = tmp_path / "mine/config.yaml"
    data = yaml.safe_load(path.read_text())
    for section, values in change.items():
        data[section] |= values
    if "models" in change:
        data["models"].pop("generators")
        data["attribution"]["methods"] = ["gradcam"]
    path.write_text(yaml.safe_dump(data))
    assert re.search(said, error_of(tmp_path / "mine"))


def test_generators_of_another_classifier_are_refused(tmp_path, trained):
    models = trained / "models"
    classifier = models / "classifier.safetensors"
    write_model(models / "generators.safetensors", "generator", through=[classifier])
    init(tmp_path / "mine", trained)
    found = settings_of(tmp_path / "mine")
    assert check_models(found) == "local"
    write_model(classifier, "unet")  # trained again, without the generators
    refusal = "generators.safetensors: was trained through another classifier"
    with pytest.raises(WildLensError, match=refusal):
        check_models(found)
    with pytest.raises(WildLensError, match=refusal):
        init(tmp_path / "other", trained)


def test_a_method_that_the_classifier_cannot_do_is_named(tmp_path, monkeypatch):
    other = ClassifierRecord(name="other", title="of another package", factory="other:network")
    known = {**classifiers.records(), "other": other}
    monkeypatch.setattr(classifiers, "records", lambda: known)
    write_model(tmp_path / "run/models/classifier.safetensors", "other")
    init(tmp_path / "mine", tmp_path / "run")
    data = yaml.safe_load((tmp_path / "mine/config.yaml").read_text())
    assert "activation" not in data["attribution"]["methods"]
    data["attribution"]["methods"] += ["activation"]
    with pytest.raises(WildLensError, match=r"activation needs a classifier that .* \(other\) is"):
        check_models(validate(data))


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        ("training", "inputs.training: needs at least one product"),
        ("areas", "inputs.areas: training tiles are labelled by protected areas"),
        ("landcover", "inputs.landcover: training tiles are labelled by land cover"),
    ],
)
def test_training_needs_its_inputs(tmp_path, missing, said):
    init(tmp_path / "mine")
    data = yaml.safe_load((tmp_path / "mine/config.yaml").read_text())
    del data["inputs"][missing]
    with pytest.raises(WildLensError, match=said):
        validate(data)


def test_no_configuration_is_one_line(tmp_path):
    with pytest.raises(WildLensError, match=r"no config\.yaml in .*: make a project with"):
        command(tmp_path, [])


RULE = """
rule sleep:
    output: "done"
    shell: "sleep 60 & touch started; wait; touch {output}"
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signal_to_a_run_ends_snakemake_and_its_jobs(tmp_path, number):
    (tmp_path / "Snakefile").write_text(RULE)
    # a background job of a shell, as a runner of tests may be, ignores interrupts
    program = f"import signal, sys; signal.signal({number:d}, signal.SIG_DFL);"
    program += " from wildlens.project.command import run_workflow as run;"
    words = [sys.executable, "-c", f"{program} sys.exit(run(sys.argv[1:]))"]
    words += [sys.executable, "-m", "snakemake", "--cores", "1", "--directory", str(tmp_path)]
    run = subprocess.Popen(words, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    while not (tmp_path / "started").exists():
        assert run.poll() is None
        time.sleep(0.05)
    run.send_signal(number)
    # the pipe closes when the last of all processes has ended
    run.communicate(timeout=30)
    assert run.returncode == 128 + number
    assert not list((tmp_path / ".snakemake/locks").glob("*")), "the next run can start"


def test_run_that_no_signal_ends_has_the_status_of_snakemake():
    assert [run_workflow([sys.executable, "-c", f"exit({n})"]) for n in (0, 1, 3)] == [0, 1, 3]
