"""Tests that two processes of a training equal one within rounding, and stop together."""

import csv
import logging
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from trainable import write_tiles

from wildlens.errors import WildLensError
from wildlens.networks.classifier import PixelOcclusion
from wildlens.networks.device import choose_device
from wildlens.settings import Classifier, Gan, dump_section
from wildlens.train_classifier import step as train_classifier
from wildlens.train_gan import step as train_gan
from wildlens.training.batch_layers import synchronise
from wildlens.training.launch import launch
from wildlens.training.processes import Processes

# mixed batches, dropout, pixel occlusion, batch statistics: all that sees more than one image
pytestmark = pytest.mark.minutes

SETTINGS = {
    "local": Classifier(
        architecture="local", width=4, epochs=1, batch_size=8, cutmix=0.5, restarts=0
    ),
    "unet": Classifier(
        architecture="unet", width=2, depth=2, maps=2, strides=[2, 1, 1], epochs=1, batch_size=8,
        cutmix=0.5, dropout=0.3, pixel_occlusion=0.5, restarts=0,
    ),
    "gan": Gan(
        steps=6, pretraining_steps=2, ramp_steps=2, blocks=1, width=4, discriminator_width=4,
        batch_size=4, crop=32, restarts=1,
    ),
}  # fmt: skip


LONG = SETTINGS["gan"].model_copy(update={"steps": 40})  # to be ended on the way


def train(folder: Path, kind: str, run: str, settings=None, **options) -> None:
    out = folder / run / kind
    inputs, step = [folder / "tiles.zarr"], train_classifier.train
    if kind == "gan":
        inputs, step = [*inputs, folder / "one/local/model.safetensors"], train_gan.train
    settings = settings or SETTINGS[kind]
    step(*inputs, out / "model.safetensors", out, settings, device="cpu", **options)


def train_all_together() -> None:
    """Run all trainings in each of two processes."""
    for kind in SETTINGS:
        train(Path(os.environ["WILDLENS_TEST_FOLDER"]), kind, "two")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """All trainings, by one process and by two."""
    made = tmp_path_factory.mktemp("together")
    write_tiles(made / "tiles.zarr")
    for kind in SETTINGS:
        train(made, kind, "one")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WILDLENS_TEST_FOLDER", str(made))
        assert launch(2, train_all_together)
    return made


def rows(folder: Path, run: str, kind: str) -> list[list[float]]:
    with (folder / run / kind / "training.csv").open(newline="") as file:
        table = [{k: v for k, v in row.items() if k != "loss_unit"} for row in csv.DictReader(file)]
        return [list(map(float, row.values())) for row in table]


@pytest.mark.parametrize("kind", SETTINGS)
def test_two_processes_train_as_one_within_rounding(folder, kind):
    # rounding decides whether a local logit at the margin is clamped
    near = {"rtol": 1e-3 if kind == "gan" else 1e-5, "atol": 1e-6}
    assert np.allclose(rows(folder, "two", kind), rows(folder, "one", kind), **near)
    one, two = (load_file(folder / run / kind / "model.safetensors") for run in ("one", "two"))
    assert one.keys() == two.keys()
    # batch normalisation cancels a bias before it: Adam amplifies the rounding of its gradient
    for key in one:
        cancelled = kind == "gan" and key.split(".", 1)[1] in (
            "layers.2.body.4.bias", "layers.4.1.running_mean"
        )  # fmt: skip
        atol = 1e-3 if cancelled else 1e-4 if kind == "gan" else 1e-5
        assert torch.allclose(one[key], two[key], rtol=1e-4, atol=atol), key


def command(folder: Path, run: str) -> list[str]:
    """The command line of a GAN by two processes, with a checkpoint after each step."""
    out = folder / run / "gan"
    out.mkdir(parents=True, exist_ok=True)
    (out / "settings.yaml").write_text(dump_section(LONG))
    return [
        *(sys.executable, "-c", "from wildlens.cli import main; main()"),
        *("--log", str(out / "log.txt"), "train-gan", str(folder / "tiles.zarr")),
        *("--classifier", str(folder / "one/local/model.safetensors")),
        *("--output", str(out / "model.safetensors"), "--metrics", str(out)),
        *("--settings", str(out / "settings.yaml"), "--device", "cpu"),
        *("--checkpoints", str(out / "checkpoints"), "--checkpoint-seconds", "0"),
        *("--processes", "2"),
    ]


def test_signal_stops_two_processes_and_one_resumes(folder, caplog):
    caplog.set_level(logging.INFO)
    process = subprocess.Popen(command(folder, "ended"), stderr=subprocess.PIPE, text=True)
    end = time.monotonic() + 300
    while not list((folder / "ended/gan").glob("checkpoints/gan-*")):
        assert process.poll() is None and time.monotonic() < end
        time.sleep(0.01)
    process.terminate()
    said = process.communicate(timeout=120)[1].splitlines()
    assert process.returncode == 128 + signal.SIGTERM
    assert sum("stopped by SIGTERM after step" in line for line in said) == 1
    assert "wildlens: error: gan: stopped by SIGTERM" in said[-1]
    assert not any("Traceback" in line for line in said)
    saved = max((folder / "ended/gan").glob("checkpoints/gan-*"))
    assert str(saved) in said[-1]

    assert said[-1] in (folder / "ended/gan/log.txt").read_text()
    train(folder, "gan", "ended", LONG, checkpoints=saved.parent)
    step = int(saved.stem.rpartition("-")[2])
    assert f"gan: resuming from step {step}: {saved}" in caplog.text
    train(folder, "gan", "uninterrupted", LONG)
    ended, uninterrupted = (rows(folder, run, "gan") for run in ("ended", "uninterrupted"))
    until = step + 3  # a GAN's rounding grows from step to step
    assert len(ended) == len(uninterrupted) == 40
    assert np.allclose(ended[:until], uninterrupted[:until], rtol=1e-3, atol=1e-5)


def fail_beside_another(how: str) -> None:
    """End process 1 of two while process 0 waits for it."""
    processes = Processes.joined(torch.device("cpu"))
    processes.wait()
    if not processes.first:
        if how == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        raise WildLensError("tiles.zarr: cannot be read")
    processes.wait()


@pytest.mark.parametrize(
    ("how", "status", "message"),
    [("raised", 1, "^tiles.zarr: cannot be read$"), ("killed", 137, "process 1 .* SIGKILL$")],
)
def test_failing_process_ends_both_with_its_message(how, status, message):
    with pytest.raises(WildLensError, match=message) as error:
        launch(2, partial(fail_beside_another, how))
    assert error.value.exit_status == status


def test_batch_that_cannot_be_shared_refused():
    batch = torch.arange(6).reshape(6, 1)
    parts = [Processes(rank, 3).share(batch) for rank in range(3)]
    assert torch.equal(torch.cat(parts), batch)
    with pytest.raises(WildLensError, match="batch of 6 tiles cannot be shared equally by 4"):
        Processes(0, 4).share(batch)


def test_single_process_leaves_network_unchanged():
    network = nn.Sequential(nn.BatchNorm2d(2), nn.Dropout(), PixelOcclusion(0.2))
    layers = list(network)
    assert list(synchronise(network, Processes())) == layers
    assert launch(1, pytest.fail) is False and launch(0, pytest.fail) is False
    assert [type(layer) for layer in layers] == [nn.BatchNorm2d, nn.Dropout, PixelOcclusion]


def test_each_process_takes_gpu_of_its_number(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)  # as CUDA_VISIBLE_DEVICES leaves
    assert choose_device("auto") == choose_device("cuda") == torch.device("cuda")
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert choose_device("auto") == torch.device("cuda", 1)
    assert choose_device("cpu") == torch.device("cpu")
    monkeypatch.setenv("LOCAL_RANK", "2")
    with pytest.raises(WildLensError, match="process 2 of this training finds no GPU: 2 are given"):
        choose_device("auto")
