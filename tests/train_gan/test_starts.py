"""Trainings with larger weights of activation maximisation until the generators are not idle."""

import csv
import gc
import os
import signal
import weakref

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from trainable import write_tiles

from wildlens.settings import Classifier, Gan
from wildlens.train_classifier.step import train as train_classifier
from wildlens.train_gan import starts
from wildlens.train_gan.starts import FACTOR, Trained
from wildlens.train_gan.step import train, warnings_about
from wildlens.train_gan.task import GanTask
from wildlens.train_gan.trainer import Trainer
from wildlens.training.checkpoint import Stopped

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


def test_the_model_says_which_weight_it_was_trained_with(trained, tmp_path, monkeypatch):
    monkeypatch.setattr(starts, "SEPARATED", NEVER)
    trained("run", changes={"restarts": 1, "lambda_am": 0.2})
    with safe_open(tmp_path / "run/g.safetensors", "pt") as file:
        assert float(file.metadata()["wildlens_lambda_am"]) == pytest.approx(0.2 * FACTOR)


def test_without_activation_maximisation_there_is_one_training(trained, monkeypatch):
    monkeypatch.setattr(starts, "SEPARATED", NEVER)
    steps = []
    step = GanTask.step
    monkeypatch.setattr(GanTask, "step", lambda *given: steps.append(given[1]) or step(*given))
    trained("run", changes={"restarts": 2, "lambda_am": 0.0})
    assert steps == list(range(SETTINGS["steps"]))


def test_networks_of_an_earlier_training_are_gone_before_the_next(trained, monkeypatch):
    """Two sets of networks would take twice the memory of a GPU."""
    monkeypatch.setattr(starts, "SEPARATED", NEVER)
    built, alive, build = [], [], Trainer.build.__func__

    def counted(cls, *given):
        gc.collect()
        alive.append(sum(each() is not None for each in built))
        made = build(cls, *given)
        built.append(weakref.ref(made.maximizer))
        return made

    monkeypatch.setattr(Trainer, "build", classmethod(counted))
    trained("run", changes={"restarts": 2})
    assert alive == [0, 0, 0]


def test_a_signal_after_the_last_step_begins_no_other_training(trained, tmp_path, monkeypatch):
    monkeypatch.setattr(starts, "SEPARATED", NEVER)
    options = {"checkpoints": tmp_path / "checkpoints", "checkpoint_seconds": 0.0}

    def told(task):
        if len(task.history) == SETTINGS["steps"]:
            os.kill(os.getpid(), signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr(GanTask, "end_epoch", told)
        with pytest.raises(Stopped, match="after the last step") as stopped:
            trained("run", changes={"restarts": 1}, **options)
    assert stopped.value.exit_status == 128 + signal.SIGTERM
    assert not list(options["checkpoints"].glob("gan-start-1-*"))
    again, *_ = trained("run", changes={"restarts": 1}, **options)
    whole, *_ = trained("whole", changes={"restarts": 1})
    assert all(torch.equal(whole[name], again[name]) for name in whole)


def test_checkpoints_of_all_trainings_are_removed(trained, tmp_path, monkeypatch):
    """Those of a further training, too, if it is no longer asked for."""
    monkeypatch.setattr(starts, "SEPARATED", NEVER)
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    left = folder / "gan-start-2-00000007.safetensors"
    other = folder / "gan-2-00000007.safetensors"  # of a member
    for path in (left, other):
        path.touch()
    trained("run", changes={"restarts": 0}, checkpoints=folder)
    assert [path.name for path in folder.iterdir()] == [other.name]


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
