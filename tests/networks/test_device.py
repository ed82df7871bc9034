"""Tests that torch's flags of TF32 are off wherever networks run, so that float32 is exact."""

import pytest
import torch
from trainable import write_tiles

from wildlens.networks.device import choose_device, in_precision
from wildlens.settings import Classifier
from wildlens.train_classifier.step import train
from wildlens.train_classifier.task import ClassifierTask


def precisions() -> set[str]:
    cuda, cudnn = torch.backends.cuda, torch.backends.cudnn
    return {o.fp32_precision for o in (cuda.matmul, cudnn.conv, cudnn.rnn)}


@pytest.fixture(autouse=True)
def tf32():
    """TF32 turned on, as torch or another library in the process may do."""
    torch.backends.fp32_precision = "tf32"
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    assert precisions() == {"tf32"}
    yield
    torch.backends.fp32_precision = "none"
    choose_device("cpu")


@pytest.mark.parametrize("name", ["auto", "cpu"])
def test_choosing_device_turns_tf32_off(name):
    choose_device(name)
    assert precisions() == {"ieee"}
    assert not torch.backends.cuda.matmul.allow_tf32 and not torch.backends.cudnn.allow_tf32


def test_float32_precision_turns_tf32_off():
    with in_precision("float32", torch.device("cpu")):
        assert precisions() == {"ieee"}


def test_training_and_validation_run_without_tf32(tmp_path, monkeypatch):
    seen = []
    for name in ("loss", "end_epoch"):
        method = getattr(ClassifierTask, name)

        def watched(task, *arguments, method=method):
            seen.append(precisions())
            return method(task, *arguments)

        monkeypatch.setattr(ClassifierTask, name, watched)
    settings = Classifier(architecture="local", width=2, epochs=1, batch_size=24, restarts=0)
    tiles = write_tiles(tmp_path / "tiles.zarr")
    train(tiles, tmp_path / "c", tmp_path / "m", settings, device="cpu")
    assert seen == [{"ieee"}] * 3
