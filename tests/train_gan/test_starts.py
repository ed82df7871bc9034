"""Trainings with larger weights of activation maximisation until the generators are not idle."""

import csv

import pytest
import torch
from safetensors.torch import load_file
from trainable import write_tiles

from wildlens.settings import Classifier, Gan
from wildlens.train_classifier.step import train as train_classifier
from wildlens.train_gan import starts
from wildlens.train_gan.starts import FACTOR, Trained
from wildlens.train_gan.step import train, warnings_about
from wildlens.train_gan.task import GanTask

SETTINGS = {
    "steps": 9, "pretraining_steps": 4, "ramp_steps": 0, "blocks": 1, "width": 4,
    "discriminator_width": 4, "batch_size": 8,
}  # fmt: skip
ALWAYS, NEVER = -1.0, 2.0  # differences of scores that count as separated


@pytest.fixture(scope="module")
def classifier(tmp_path_factory):
    """A training set and a classifier of it."""
    folder = tmp_path_factory.mktemp("classifier")
    tiles, path = write_tiles(folder / "tiles.zarr"), folder / "c.safetensors"
    settings = Classifier(architecture="local", width=4, epochs=4, batch_size=8, max_rate=0.02)
    train_classifier(tiles, path, folder, settings, device="cpu")
    return tiles, path


@pytest.fixture
def trained(classifier, tmp_path):
    """Train in a folder of this name; returns the networks, the curve and the warnings."""

    def run(name: str, *, changes: dict | None = None, **options):
        out = tmp_path / name
        settings = Gan(**SETTINGS | (changes or {}))
        train(*classifier, out / "g.safetensors", out, settings, device="cpu", **options)
        with (out / "training.csv").open(newline="") as file:
            curve = list(csv.DictReader(file))
        return load_file(out / "g.safetensors"), curve, (out / "warnings.txt").read_text()

    return run


@pytest.mark.parametrize(
    ("enough", "restarts", "start"), [(ALWAYS, 2, 0), (NEVER, 0, 0), (NEVER, 2, 2)]
)
def test_the_first_training_that_separates_is_kept(enough, restarts, start, trained, monkeypatch):
    monkeypatch.setattr(starts, "SEPARATED", enough)
    _, curve, warnings = trained("run", changes={"restarts": restarts, "lambda_am": 0.2})
    weights = [float(row["lambda_am"]) for row in curve]
    assert weights == pytest.approx([0] * 4 + [0.2 * FACTOR**start] * 5)
    assert ("do not separate" in warnings) == (enough == NEVER)


def test_trainings_differ_by_the_weight_alone(trained, monkeypatch):
    monkeypatch.setattr(starts, "SEPARATED", NEVER)
    again, curve, _ = trained("again", changes={"restarts": 1, "lambda_am": 0.2})
    alone, expected, _ = trained("alone", changes={"restarts": 0, "lambda_am": 0.2 * FACTOR})
    assert curve == expected
    assert all(torch.equal(again[name], alone[name]) for name in alone)


def test_idle_generators_are_trained_until_they_are_not(trained, monkeypatch):
    """A weight that is far too small leaves both at the identity; the next one does not."""
    monkeypatch.setattr(starts, "FACTOR", 1e5)
    changes = {"lambda_am": 1e-4, "steps": 24, "lambda_tv": 0.0}
    _, idle, warned = trained("idle", changes=changes | {"restarts": 0})
    _, curve, warnings = trained("again", changes=changes | {"restarts": 1})
    apart = [float(rows[-1]["score_max"]) - float(rows[-1]["score_min"]) for rows in (idle, curve)]
    assert apart[0] < 0.1 <= apart[1]
    assert "do not separate" in warned and "do not separate" not in warnings


def test_an_interrupted_restart_resumes_and_gives_the_same_generators(
    trained, tmp_path, monkeypatch
):
    monkeypatch.setattr(starts, "SEPARATED", NEVER)
    whole, *_ = trained("whole", changes={"restarts": 1})
    folder = tmp_path / "checkpoints"
    options = {"checkpoints": folder, "checkpoint_seconds": 0.0}
    step = GanTask.step

    def killed(task, number, batch):
        if task.settings.lambda_am > 0.3 and number == 6:
            raise KeyboardInterrupt
        return step(task, number, batch)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(GanTask, "step", killed)
        trained("interrupted", changes={"restarts": 1}, **options)
    assert list(folder.glob("gan-start-1-*.safetensors"))
    resumed, curve, _ = trained("interrupted", changes={"restarts": 1}, **options)
    assert len(curve) == 9 and not list(folder.glob("*.safetensors"))
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


@pytest.mark.parametrize(("high", "low", "said"), [(0.9, 0.2, 0), (0.5, 0.45, 1), (0.2, 0.9, 1)])
def test_scores_that_do_not_separate_give_a_warning_with_the_weight(high, low, said):
    early = {"score_max": 0.5, "score_min": 0.5}
    task = GanTask(None, [], Gan())
    task.history = [early] * 30 + [{"score_max": high, "score_min": low}] * 20
    warnings = warnings_about(Trained(task, 1, 0.9))
    assert len(warnings) == said and all("gan.lambda_am 0.9:" in text for text in warnings)
