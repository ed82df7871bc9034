"""Trainings from other weights until a classifier is sound."""

import pytest
import torch
from trainable import write_tiles

from wildlens.settings import Classifier
from wildlens.train_classifier import starts
from wildlens.train_classifier.presence import Evidence
from wildlens.train_classifier.starts import train_until_sound
from wildlens.train_classifier.step import train
from wildlens.training.classes import Classes
from wildlens.training.data import load_training_set
from wildlens.training.session import Session

SETTINGS = {
    "architecture": "unet", "width": 2, "depth": 1, "strides": [2, 2, 2], "epochs": 1,
    "batch_size": 16, "seed": 3,
}  # fmt: skip


@pytest.fixture
def judged(monkeypatch):
    """Trainings at no chance with this evidence for the target, one after the other."""

    def pretend(*targets: float) -> None:
        left = list(targets)
        monkeypatch.setattr(starts, "CHANCE", 0.0)
        monkeypatch.setattr(starts, "evidence", lambda *_: Evidence(left.pop(0), -1.0))

    return pretend


@pytest.fixture
def trained(tmp_path):
    data = load_training_set(write_tiles(tmp_path / "tiles.zarr"))

    def run(restarts: int):
        settings = Classifier(**SETTINGS, restarts=restarts)
        return train_until_sound(data, Classes(data.classes, settings.target), settings, Session())

    return run


@pytest.mark.parametrize(
    ("restarts", "targets", "start", "sound"),
    [
        (2, [1.0], 0, True),
        (2, [-1.0, 1.0], 1, True),
        (2, [-1.0, -0.2, -0.5], 1, False),  # none is sound: the one with most evidence
        (0, [-1.0], 0, False),
    ],
)
def test_the_first_sound_training_is_used(restarts, targets, start, sound, judged, trained):
    judged(*targets)
    found = trained(restarts)
    assert (found.start, found.sound) == (start, sound)
    assert found.evidence.target == targets[start]


def test_every_start_has_weights_of_its_own_and_the_first_those_of_the_seed(judged, trained):
    judged(-1.0, 1.0)
    second = trained(1).network.state_dict()
    judged(1.0)
    first = trained(1).network.state_dict()
    judged(-1.0)
    alone = trained(0).network.state_dict()
    assert all(torch.equal(first[name], alone[name]) for name in first)
    assert not torch.equal(first["unet.out.0.weight"], second["unet.out.0.weight"])


def test_a_classifier_at_chance_is_not_sound_whatever_its_evidence(judged, trained, monkeypatch):
    judged(1.0, 1.0)
    monkeypatch.setattr(starts, "CHANCE", 1.1)
    assert not trained(1).sound


def test_an_interrupted_restart_resumes_and_gives_the_same_classifier(tmp_path, judged):
    tiles, settings = write_tiles(tmp_path / "tiles.zarr"), Classifier(**SETTINGS, restarts=1)
    networks = []
    for kind in ("whole", "interrupted"):
        folder, output = tmp_path / f"{kind}-checkpoints", tmp_path / f"{kind}.safetensors"
        options = {"checkpoints": folder, "checkpoint_seconds": 0.0, "device": "cpu"}
        if kind == "interrupted":
            judged(-1.0)  # and then an error, after the second training
            with pytest.raises(IndexError):
                train(tiles, output, tmp_path / kind, settings, **options)
            assert list(folder.glob("classifier-start-1-*.safetensors"))
        judged(-1.0, 1.0)
        train(tiles, output, tmp_path / kind, settings, **options)
        assert not list(folder.glob("*.safetensors"))
        networks.append(output.read_bytes())
    assert networks[0] == networks[1]
