"""Tests of benchmarks/method/members.py: means over runs of other seeds, by the same rule."""

import sys

import numpy as np
import pandas as pd
import pytest
from attributed import BOG, ROCK, World
from benchmarks.method import members

from wildlens.evaluate.thresholds import best_threshold, iou

pytestmark = pytest.mark.filterwarnings("ignore::zarr.errors.UnstableSpecificationWarning")
RUNS = 3


@pytest.fixture
def folder(tmp_path):
    """Three runs on one land, whose maps differ by their noise."""
    for seed in range(RUNS):
        run = tmp_path / f"runs/unet/seed-{seed}-threads-1"
        world = World(run / "results")
        world.landcover = world.truth  # thresholds of single members are by CORINE
        rng = np.random.default_rng(seed)
        target = np.isin(world.truth, [BOG, ROCK])
        world.attributions = {
            method: (scale * target + rng.normal(0, 1, target.shape)).astype(np.float32)
            for method, scale in (("gan", 1.0), ("gradcam", 0.5))
        }
        (run / "results/attributions").mkdir(parents=True)
        world.write()
        for method in world.attributions:
            world.path(f"{method}.zarr").rename(world.path(f"attributions/{method}.zarr"))
        (run / "results/models").mkdir()
        model = "classifier.safetensors"
        world.path(model).rename(world.path(f"models/{model}"))
        (run / "results/evaluation").mkdir()
        (run / "results/evaluation/methods.csv").touch()
    return tmp_path


def run(folder, monkeypatch):
    output = folder / "out"
    arguments = ["members", str(folder), "--experiment", "unet", "--output", str(output)]
    monkeypatch.setattr(sys, "argv", arguments)
    members.main()
    return pd.read_csv(output / "members.csv").set_index(["members", "method"])


def test_every_set_of_runs_is_averaged_and_ranked(folder, monkeypatch):
    table = run(folder, monkeypatch)
    assert table["sets"].to_dict() == {
        (size, method): sets
        for size, sets in ((1, 3), (2, 3), (3, 1))
        for method in ("gan", "gradcam")
    }
    auroc = table["auroc_mean"]
    assert auroc[1, "gan"] < auroc[2, "gan"] < auroc[3, "gan"], "noise is averaged out"
    assert (table.loc[(slice(None), "gan"), "first_iou"] == 1).all()
    assert (table.loc[(slice(None), "gradcam"), "first_iou"] == 0).all()
    assert (table.loc[(slice(None), "gan"), "above_iou"] == 1).all()
    assert run(folder, monkeypatch).equals(table), "rows of a repeated run replace the old ones"


def test_threshold_of_the_mean_is_that_of_validation_tiles(folder, monkeypatch):
    found = run(folder, monkeypatch).loc[(3, "gan"), "iou_mean"]
    world = World(folder)
    target = np.isin(world.truth, [BOG, ROCK])
    noise = [np.random.default_rng(seed).normal(0, 1, target.shape) for seed in range(RUNS)]
    mean = (target + np.mean(noise, axis=0)).astype(np.float32)
    validation, test = world.split == "val", world.split == "test"
    chosen = best_threshold(mean[validation].ravel(), target[validation].ravel())
    assert found == pytest.approx(iou(mean[test] >= chosen, target[test]), abs=2e-3)


def test_errors_by_disagreement_are_of_all_runs(folder, monkeypatch):
    run(folder, monkeypatch)
    table = pd.read_csv(folder / "out/disagreement.csv")
    assert (table["members"] == RUNS).all() and set(table["method"]) == {"gan", "gradcam"}
    of_gan = table[(table["method"] == "gan") & (table["reference"] == "truth")]
    outvoted = of_gan[of_gan["measure"] == "minority"]
    assert outvoted["from"].tolist() == pytest.approx([0, 1 / RUNS], abs=1e-3)
    assert outvoted["error_rate"].is_monotonic_increasing


def test_one_run_is_refused(tmp_path, monkeypatch):
    with pytest.raises(SystemExit, match="fewer than two finished runs"):
        run(tmp_path, monkeypatch)
