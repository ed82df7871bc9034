"""Tests that tests/gpu and the GPU benchmark run on the CPU, with the packages of envs/gpu.txt."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest

from wildlens.registry import methods

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.minutes


def run(arguments: list[str], device: str | None = None) -> subprocess.CompletedProcess:
    """Run Python in the repository; a package that envs/gpu.txt does not list is an error."""
    paths = map(str, (ROOT / "src", ROOT, ROOT / "tests/support"))
    variables = os.environ | {"PYTHONPATH": os.pathsep.join(paths), "CUDA_VISIBLE_DEVICES": ""}
    variables.pop("WILDLENS_GPU_TEST_DEVICE", None)
    if device:
        variables["WILDLENS_GPU_TEST_DEVICE"] = device
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True)


def pytest_gpu(*arguments: str, device: str | None = None) -> str:
    start = ["-m", "pytest", "-p", "without_gdal", "-p", "no:cacheprovider", "tests/gpu", "-q"]
    return run([*start, *arguments], device).stdout


def test_gpu_tests_skipped_by_name_without_gpu():
    said = pytest_gpu("-vv")
    lines = [line for line in said.splitlines() if line.startswith("tests/gpu/")]
    assert len(lines) > 90 and all("SKIPPED" in line for line in lines), said
    assert "no GPU on this machine" in said and " passed" not in said


def test_missing_gpu_is_an_error_if_named():
    said = pytest_gpu("-k", "tf32_is_off", device="cuda")
    assert "1 failed" in said and "device 'cuda' is not available here" in said


def test_gpu_tests_pass_on_cpu():
    # the generators of paper.yaml alone take as long as all others there
    said = pytest_gpu("-x", "-k", "not paper-generator", device="cpu")
    assert " passed" in said and "failed" not in said and "skipped" not in said, said[-3000:]


def test_gpu_benchmark_measures_trainings_and_methods(tmp_path):
    output = tmp_path / "gpu.csv"
    program = "import sys, without_gdal; from benchmarks.gpu import main; main(sys.argv[1:])"
    ran = run(["-c", program, "--device", "cpu", "--quick", "--output", str(output)])
    assert ran.returncode == 0, ran.stderr[-3000:]
    with output.open(newline="") as file:
        rows = list(csv.DictReader(file))
    trainings = [row for row in rows if row["training"]]
    assert len(trainings) == 8
    for row in trainings:
        assert float(row["steps per s"]) > 0 and 0 < float(row["share of peak"]) < 1
        assert float(row["waiting for the loader, ms"]) >= 0 and "torch 2" in row["conditions"]
    measured = {row["method"] for row in rows if row["method"]}
    expected = {name for name in methods.records() if not name.endswith("_randomised")}
    assert measured == expected
    assert all(float(row["tiles per s"]) > 0 for row in rows if row["method"])


@pytest.mark.parametrize("name", ["rasterio", "geopandas", "snakemake", "click"])
def test_packages_that_are_not_listed_cannot_be_imported(name):
    ran = run(["-c", f"import without_gdal; import {name}"])
    assert "is not among the packages of envs/gpu.txt" in ran.stderr
