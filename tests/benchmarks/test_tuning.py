"""Tuning of all methods: chosen on validation tiles only, applied to test tiles."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from attributed import World
from benchmarks.method import tables, tuning
from sklearn.metrics import average_precision_score, roc_auc_score

from wildlens.registry import methods
from wildlens.settings import Attribution, Evaluation

pytestmark = pytest.mark.filterwarnings("ignore::zarr.errors.UnstableSpecificationWarning")
SETTINGS = Attribution(methods=["gradcam", "activation"], max_tiles=20)
TARGETS = Evaluation().targets


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return World(tmp_path_factory.mktemp("world")).write()


@pytest.fixture
def run(world, tmp_path):
    """The folder of a run."""
    models = tmp_path / "run/results/models"
    models.mkdir(parents=True)
    for name in ("classifier", "generators"):
        shutil.copy(world.path(f"{name}.safetensors"), models)
    shutil.copytree(world.path("tiles.zarr"), tmp_path / "run/results/tiles.zarr")
    return tmp_path / "run"


@pytest.mark.parametrize("method", tuning.GRIDS)
def test_points_of_a_grid_are_settings_that_the_method_reads(method):
    points = tuning.GRIDS[method]
    assert 2 <= len(points) <= 6
    assert len({json.dumps(point, sort_keys=True) for point in points}) == len(points)
    for point in points:
        Attribution.model_validate(point)
        assert set(point) - {"symmetries"} <= set(methods.find(method).settings)


def test_rivals_have_grids_of_one_size():
    assert {len(tuning.GRIDS[name]) for name in ("deeplift", "occlusion", "gradcam")} == {6}


def test_validation_tiles_choose_and_test_tiles_do_not(world, run, monkeypatch):
    """One point is perfect on validation tiles, the other on test tiles."""
    monkeypatch.setitem(tuning.GRIDS, "gradcam", tuning.grid(gradcam_block=(0, 1)))
    original, seen = tuning.Trials._attribute, []

    def pretend(self, split, point):
        values, sample = original(self, split, point)
        perfect = (split == "val") == (point == {"gradcam_block": 1})
        _, target = self.group.masks(sample)
        noise = np.random.default_rng(len(seen)).random(values.shape).astype(np.float32)
        seen.append((split, dict(point)))
        return (target + noise if perfect else noise), sample

    monkeypatch.setattr(tuning.Trials, "_attribute", pretend)
    settings = SETTINGS.model_copy(update={"methods": ["gradcam"]})
    (row,) = tuning.tune(run, settings, TARGETS).to_dict("records")
    assert json.loads(row["settings"]) == {"gradcam_block": 1}
    assert row["validation_iou_tuned"] == 1 and row["auroc_tuned"] < 0.6
    assert [point for split, point in seen if split == "test"] == [{}, {"gradcam_block": 1}]


def test_a_run_is_tuned(world, run):
    found = tuning.tune(run, SETTINGS, TARGETS).set_index("method")
    assert list(found.index) == ["gradcam", "activation"]
    assert (found["validation_iou_tuned"] >= found["validation_iou"]).all()
    trials = tuning.Trials(run / "results", "gradcam", SETTINGS, TARGETS, run)
    values, sample = trials._attribute("test", {})
    known, target = trials.group.masks(sample)
    row = found.loc["gradcam"]
    assert len(values) == 12
    assert row["auroc"] == pytest.approx(roc_auc_score(target[known], values[known]))
    expected = average_precision_score(target[known], values[known])
    assert row["average_precision"] == pytest.approx(expected)


def test_table_of_tuned_methods_gives_the_gain_and_the_commonest_choice(tmp_path):
    for seed, (iou, block) in enumerate([(0.62, 1), (0.66, 1), (0.61, 0)]):
        path = tmp_path / f"default/seed-{seed}-threads-1.csv"
        path.parent.mkdir(exist_ok=True)
        row = {"method": "gradcam", "settings": json.dumps({"gradcam_block": block}), "points": 6}
        row |= {"auroc": 0.8, "auroc_tuned": 0.9, "average_precision": 0.7}
        row |= {"average_precision_tuned": 0.8, "iou": 0.6, "iou_tuned": iou}
        pd.DataFrame([row]).to_csv(path, index=False)
    (row,) = tables.tuned_tables(tmp_path)["tuned"].to_dict("records")
    assert (row["chosen"], row["agreeing"], row["runs"]) == ("gradcam_block 1", 2, 3)
    assert row["iou_tuned_mean"] == pytest.approx(0.63) and row["auroc_mean"] == pytest.approx(0.8)
    assert row["gain_mean"] == pytest.approx(0.03)
    assert row["gain_low"] < 0 < row["gain_high"]
    assert tables.tuned_tables(tmp_path / "none") == {}
