"""Tests that both trainings run on a GPU as on the CPU, resume there, and run on two GPUs."""

import json
import os
import signal
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from benchmarks.in_memory import classifier_loop, gan_loop, training_set
from gpu_device import NAME, device, needs_gpu, processes_available

from wildlens.networks.device import choose_device
from wildlens.settings import Classifier, Gan
from wildlens.training.checkpoint import Checkpoints, Stopped
from wildlens.training.launch import launch
from wildlens.training.loop import Loop
from wildlens.training.processes import Processes
from wildlens.training.session import Session

pytestmark = needs_gpu

BANDS, SIDE, STEPS, BATCH = ["B04", "B08"], 32, 8, 8
LOCAL = Classifier(architecture="local", width=8, epochs=2, batch_size=BATCH, cutmix=0.5)
# without masks: their random numbers differ between devices
UNET = Classifier(
    architecture="unet", width=4, depth=2, maps=2, strides=[2, 1, 1], epochs=2, batch_size=BATCH,
    cutmix=0.5, dropout=0.0, pixel_occlusion=0.0,
)  # fmt: skip
SETTINGS = {
    "local": LOCAL,
    "unet": UNET,
    "unet-masks": UNET.model_copy(update={"dropout": 0.3, "pixel_occlusion": 0.5}),
    "gan": Gan(
        steps=STEPS, pretraining_steps=2, ramp_steps=2, blocks=2, width=4, discriminator_width=4,
        batch_size=BATCH, crop=None,
    ),
}  # fmt: skip
# largest difference of any loss or score of STEPS steps from float32 on the CPU
CURVES = {"float32": 2e-3, "bfloat16": 3e-2}
# of a resumed training on a GPU from an uninterrupted one, and of two processes from one: sums run
# in another order there each time (reflection padding has no deterministic gradient in CUDA)
REPEATED = 2e-3


class Killed(BaseException):
    """Raised where a process would be killed without notice."""


def training(kind: str, session: Session, precision: str = "float32") -> Loop:
    settings = SETTINGS[kind].model_copy(update={"precision": precision})
    data = training_set(BANDS, SIDE, STEPS * BATCH // 2)
    if kind == "gan":
        return gan_loop(settings, data, LOCAL, session)
    return classifier_loop(settings, data, session)


def curve_of(loop: Loop) -> np.ndarray:
    """Losses and scores of a finished training; rows are steps or epochs."""
    names = [name for name in loop.task.history[0] if name not in ("step", "epoch", "val_accuracy")]
    return np.array([[row[name] for name in names] for row in loop.task.history])


def run(kind: str, session: Session, precision: str = "float32") -> np.ndarray:
    loop = training(kind, session, precision)
    loop.run()
    return curve_of(loop)


def session_in(folder: Path, where: torch.device, kind: str, workers: int = 2) -> Session:
    """With a checkpoint after every step."""
    return Session(where, Processes(), Checkpoints(folder, kind, {"code": "1"}, 0), workers)


@pytest.mark.parametrize("precision", CURVES)
@pytest.mark.parametrize("kind", ["local", "unet", "gan"])
def test_curve_near_cpu(kind, precision):
    found = run(kind, Session(device(), workers=2), precision)
    exact = run(kind, Session())
    distance = np.abs(found - exact).max()
    print(f"{kind} {precision}: {distance:.1e}")
    assert distance <= CURVES[precision]


@pytest.mark.parametrize("how", ["killed", "SIGTERM"])
@pytest.mark.parametrize("kind", SETTINGS)
def test_interrupted_training_resumes(tmp_path, kind, how):
    where, stop = device(), 5  # in the second epoch of the classifiers
    whole = run(kind, Session(where))
    loop = training(kind, session_in(tmp_path, where, kind))
    step = loop.task.step

    def stepping(number, batch):
        if number == stop and how == "killed":
            raise Killed
        if number == stop - 1 and how == "SIGTERM":
            os.kill(os.getpid(), signal.SIGTERM)
        return step(number, batch)

    loop.task.step = stepping
    with pytest.raises(Killed if how == "killed" else Stopped):
        loop.run()
    saved = loop.state() if how == "SIGTERM" else None  # of a killed step, half is done

    resumed = training(kind, session_in(tmp_path, where, kind))
    first, step = [], resumed.task.step

    def noting(number, batch):
        if not first:
            first.append(number)
            if saved is not None:
                assert same(saved["task"], resumed.task.state()), "state has the same bits"
        return step(number, batch)

    resumed.task.step = noting
    resumed.run()
    assert first == [stop]
    found = curve_of(resumed)
    print(f"{kind} {how}: {np.abs(found - whole).max():.1e}")
    if where.type == "cpu":
        assert np.array_equal(found, whole)
    assert np.abs(found - whole).max() <= REPEATED


def same(one, other) -> bool:
    """Whether two nested states have the same bits; a tuple and a list are alike."""
    if isinstance(one, torch.Tensor):
        return torch.equal(one.cpu(), other.cpu())
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


def test_masks_continue_after_resuming(tmp_path):
    """The random numbers of the device itself are part of the checkpoint."""
    where = device()
    loop = training("unet-masks", session_in(tmp_path, where, "masks"))
    loop.run()
    drawn = torch.rand(5, device=where)
    torch.rand(99, device=where)
    again = training("unet-masks", session_in(tmp_path, where, "masks"))
    again.session.checkpoints.resume(again.load_state)
    assert torch.equal(torch.rand(5, device=where), drawn)


def train_all(folder: str) -> None:
    """Run all trainings as one of several processes; the first writes the curves."""
    where = choose_device(NAME or "cuda")
    session = Session(where, Processes.joined(where))
    assert session.processes.count == 2
    for kind in SETTINGS:
        curve = run(kind, session)
        if session.processes.first:
            Path(folder, f"{kind}.json").write_text(json.dumps(curve.tolist()))


@pytest.mark.skipif(processes_available() < 2, reason="fewer than two GPUs on this machine")
def test_two_processes_train_as_one(tmp_path):
    """By NCCL and SyncBatchNorm on two GPUs; by gloo on the CPU."""
    assert launch(2, partial(train_all, str(tmp_path)))
    for kind in SETTINGS:
        one = run(kind, Session(device()))
        two = np.array(json.loads((tmp_path / f"{kind}.json").read_text()))
        distance = np.abs(two - one).max()
        print(f"{kind}, two processes: {distance:.1e}")
        assert distance <= REPEATED
