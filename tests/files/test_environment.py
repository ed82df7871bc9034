"""GDAL's and PROJ's data of another program in the environment."""

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import rasterio
from landcover_rasters import write
from odc.geo.geobox import GeoBox
from rasterio.transform import from_origin

from wildlens.files import environment

SCENE = GeoBox((60, 80), from_origin(640_000, 5_240_000, 10, 10), "EPSG:32632")


@pytest.fixture(params=["empty", "old", "absent"])
def foreign(request, tmp_path) -> Path:
    """Data of another program: none, those of an old PROJ, or no such folder."""
    folder = tmp_path / "share/proj"
    if request.param != "absent":
        folder.mkdir(parents=True)
    if request.param == "old":
        with sqlite3.connect(folder / "proj.db") as database:
            database.execute("create table metadata (key text, value text)")
            for name, value in (("MAJOR", "1"), ("MINOR", "0")):
                key = f"DATABASE.LAYOUT.VERSION.{name}"
                database.execute("insert into metadata values (?, ?)", (key, value))
    return folder


def run(folder: Path, *arguments, **variables) -> subprocess.CompletedProcess:
    code = "from wildlens.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        env=os.environ | variables, cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("names", [["PROJ_DATA"], ["PROJ_LIB"], list(environment.VARIABLES)])
def test_land_cover_does_not_depend_on_data_of_another_program(tmp_path, foreign, names):
    scene = write(tmp_path / "scene.tif", SCENE, np.ones(SCENE.shape, "uint8"))
    left, _, _, top = SCENE.footprint("EPSG:3035").boundingbox
    own = GeoBox((30, 30), from_origin(left - 500, top + 500, 100, 100), "EPSG:3035")
    classes = np.random.default_rng(0).integers(1, 45, own.shape).astype("uint8")
    source = write(tmp_path / "clc.tif", own, classes)
    results = []
    for number, variables in enumerate(({}, dict.fromkeys(names, str(foreign)))):
        output = tmp_path / f"{number}.tif"
        done = run(tmp_path, "landcover", source, "--scene", scene, "--output", output, **variables)
        assert done.returncode == 0, done.stderr
        assert "ERROR" not in done.stderr and "unexpected" not in done.stderr
        with rasterio.open(output) as dataset:
            results.append(dataset.read(1))
            assert dataset.crs.to_epsg() == 32632
    np.testing.assert_array_equal(*results)
    assert len(np.unique(results[0])) > 5


def test_variables_stay_where_a_library_has_no_data_of_its_own(monkeypatch):
    monkeypatch.setenv("PROJ_DATA", "/opt/conda/share/proj")
    monkeypatch.setattr(environment, "_DATA", {"rasterio": "absent"})
    environment.use_own_data()
    assert os.environ["PROJ_DATA"] == "/opt/conda/share/proj"
    monkeypatch.undo()
    monkeypatch.setenv("PROJ_DATA", "/opt/conda/share/proj")
    environment.use_own_data()
    assert "PROJ_DATA" not in os.environ
