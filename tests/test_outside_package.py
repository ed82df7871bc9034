"""A classifier and a method of another installed package, through the whole chain."""

import csv
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import rasterio
from safetensors import safe_open

ROOT = Path(__file__).parents[1]
SETTINGS = """
classifier: {architecture: two_layers, options: {channels: 4}}
gan: {activation: score, activation_margin: null, lambda_inactive: 0, crop: null}
attribution: {methods: [minimizer, band_gradient], controls: [band_gradient_randomised, random]}
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> dict[str, str]:
    """Environment in which the other package is installed beside this one."""
    folder = tmp_path_factory.mktemp("outside")
    source = shutil.copytree(ROOT / "tests/support/outside_package", folder / "source")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps"]
    command += ["--no-build-isolation", "--target", folder / "installed", source]
    subprocess.run(command, check=True, capture_output=True, text=True)
    paths = [str(folder / "installed"), os.environ.get("PYTHONPATH", "")]
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return os.environ | {"PYTHONPATH": ":".join(filter(None, paths)), "PATH": path}


@pytest.mark.chain
def test_outside_package_is_trained_mapped_evaluated_drawn_and_styled(installed, tmp_path):
    mine = tmp_path / "mine.yaml"
    mine.write_text(SETTINGS)
    configuration = [ROOT / "config.yaml", ROOT / "workflow/configs/tiny.yaml", mine]
    command = [sys.executable, "-m", "snakemake", "-s", ROOT / "Snakefile", "--cores", "2"]
    command += ["--directory", tmp_path, "--resources", "gpu=1", "--configfile", *configuration]
    run = subprocess.run(command, capture_output=True, text=True, env=installed)
    assert run.returncode == 0, run.stdout + run.stderr
    results = tmp_path / "results"
    with safe_open(results / "models/classifier.safetensors", "pt") as file:
        assert file.metadata()["kind"] == "two_layers"
    with rasterio.open(results / "maps/T35WNT/band_gradient.tif") as dataset:
        values, tags = dataset.read(1), dataset.tags()
    assert np.nanmin(values) < 0 < np.nanmax(values)
    assert tags["unit"] == "logit per unit of reflectance"
    assert "Band gradient" in (results / "maps/T35WNT/band_gradient.qml").read_text()
    with (results / "evaluation/methods.csv").open(newline="", encoding="utf-8") as file:
        found = {row["method"] for row in csv.DictReader(file)}
    assert {"band_gradient", "band_gradient_randomised"} <= found
    assert (results / "figures/methods.png").stat().st_size > 0
    item = (results / "stac/attributions/T35WNT/T35WNT.json").read_text()
    assert "Band gradient" in item


def test_record_that_cannot_be_loaded_is_one_line(tmp_path):
    info = tmp_path / "broken-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[wildlens.methods]\nmine = nosuch_module:RECORD\n")
    code = "from wildlens.registry.methods import records; records()"
    env = os.environ | {"PYTHONPATH": f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}"}
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env)
    assert "entry point 'mine' of broken (wildlens.methods): nosuch_module:RECORD cannot be" in (
        run.stderr
    )


def test_planning_with_an_outside_package_imports_no_torch(installed):
    code = (
        "import sys; from wildlens.registry import classifiers, methods;"
        "methods.records(), classifiers.records(); print('torch' in sys.modules)"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=installed, check=True
    )
    assert run.stdout.strip() == "False"
