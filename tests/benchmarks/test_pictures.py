"""Pictures of what the generators of runs change."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from attributed import World
from benchmarks.method import pictures
from PIL import Image

pytestmark = pytest.mark.filterwarnings("ignore::zarr.errors.UnstableSpecificationWarning")


@pytest.fixture
def run(tmp_path) -> Path:
    """The folder of a run."""
    world = World(tmp_path / "world").write()
    results = tmp_path / "run/results"
    (results / "models").mkdir(parents=True)
    shutil.copy(world.path("generators.safetensors"), results / "models")
    shutil.copytree(world.path("tiles.zarr"), results / "tiles.zarr")
    return tmp_path / "run"


def test_tiles_are_protected_ones_of_the_split_and_always_the_same(run):
    images, truth, bands = pictures.choose(run / "results", "test", 4)
    again, *_ = pictures.choose(run / "results", "test", 4)
    assert len(images) == len(truth) == 4 and images.shape[1] == len(bands)
    assert np.array_equal(images, again)


def test_a_run_beside_itself_has_the_same_pictures_twice(run, tmp_path, monkeypatch):
    output = tmp_path / "pictures.png"
    arguments = ["pictures", str(output), str(run), str(run), "--titles", "a", "a", "--tiles", "2"]
    monkeypatch.setattr("sys.argv", arguments)
    pictures.main()
    sheet = np.asarray(Image.open(output).convert("RGB")).astype(int)
    step = round(2 * (pictures.SIDE + pictures.GAP) * 150)
    left = round((pictures.MARGIN + 2 * (pictures.SIDE + pictures.GAP)) * 150)
    rows = slice(round(pictures.HEAD * 150) + 8, -30)
    first, second = (sheet[rows, x : x + step - 20] for x in (left + 8, left + step + 8))
    assert np.abs(first - second).mean() < 2 and first.std() > 10
