"""Kill both trainings at random moments, resume them, and compare with uninterrupted ones.

    python benchmarks/kill_and_resume.py results/tiles.zarr --kills 30

Every training is a process that runs the command of `wildlens` (forked, so that torch is loaded
once). It is ended by SIGKILL, SIGTERM or SIGINT at a random moment of its duration, including its
start and its last writes, and started again until it finishes. Then weights, metadata and curves
must equal those of an uninterrupted run, to the last bit. Prints one line per kill; exits with 1 if
any run ended otherwise.
"""

import os
import shutil
import signal
import sys
import tempfile
import time
import traceback
from pathlib import Path

import click
import numpy as np
import safetensors.torch
import torch

from wildlens.cli import cli
from wildlens.errors import WildLensError
from wildlens.settings import Classifier, Gan, dump_section
from wildlens.train_classifier import step as train_classifier  # noqa: F401 (loaded once, before the forks)
from wildlens.train_gan import step as train_gan  # noqa: F401

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
SETTINGS = {
    "classifier": Classifier(architecture="unet", width=4, epochs=2, batch_size=16),
    "gan": Gan(
        blocks=2,
        width=4,
        discriminator_width=4,
        steps=25,
        pretraining_steps=10,
        batch_size=4,
        crop=None,  # a U-Net takes whole tiles only, and has no local logits
        activation="score",
    ),
}


@click.command()
@click.argument("tiles", type=click.Path(exists=True, path_type=Path))
@click.option("--training", "trainings", type=click.Choice(SETTINGS), multiple=True)
@click.option("--kills", default=30, show_default=True, help="Of each training.")
@click.option("--seconds", default=0.2, show_default=True, help="Between two checkpoints.")
@click.option("--seed", default=0, show_default=True)
def main(tiles: Path, trainings: tuple[str, ...], kills: int, seconds: float, seed: int) -> None:
    torch.set_num_threads(1)  # threads do not survive a fork
    random = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        assert run("classifier", [tiles], folder, 300, None, 0) == 0
        inputs = {
            "classifier": [tiles],
            "gan": [tiles, "--classifier", folder / "model.safetensors"],
        }
        equal = [
            disturb(training, inputs[training], folder / training, kills, seconds, random)
            for training in trainings or SETTINGS
        ]
    sys.exit(not all(equal))


def disturb(training, inputs, folder: Path, kills: int, seconds: float, random) -> bool:
    """Kill a training `kills` times, over as many runs as needed; True if all results are equal."""
    start = time.monotonic()
    assert run(training, inputs, folder / "whole", seconds, None, 0) == 0
    length = time.monotonic() - start
    expected = results(folder / "whole")
    print(f"{training}: {length:.1f} s uninterrupted, a checkpoint every {seconds:g} s", flush=True)
    killed, finished, equal = 0, 0, True
    while killed < kills or (folder / "run").exists():
        moment = random.uniform(0, length) if killed < kills else None
        how = SIGNALS[random.integers(len(SIGNALS))]
        status = run(training, inputs, folder / "run", seconds, moment, how)
        if status == 0:
            same = results(folder / "run") == expected
            finished, equal = finished + 1, equal and same
            print(f"  run {finished} finished: {'equal' if same else 'NOT EQUAL'}", flush=True)
            shutil.rmtree(folder / "run")
        else:
            killed += 1
            saved = sorted((folder / "run/checkpoints").glob("[!.]*.safetensors"))
            said = f"step {int(saved[-1].stem[-8:])}" if saved else "the beginning"
            print(f"  {killed}: {how.name} after {moment:.2f} s, resumes from {said}", flush=True)
    print(f"{training}: {killed} kills, {finished} runs, all equal: {equal}", flush=True)
    return equal


def run(training, inputs, folder: Path, seconds: float, moment: float | None, how: int) -> int:
    """Run a training in a process; returns its exit status, 0 if it finished before the signal."""
    folder.mkdir(parents=True, exist_ok=True)
    settings = folder / "settings.yaml"
    settings.write_text(dump_section(SETTINGS[training]))
    arguments = [
        *(f"train-{training}", *inputs, "--output", folder / "model.safetensors"),
        *("--metrics", folder / "metrics", "--settings", settings, "--device", "cpu"),
        *("--checkpoints", folder / "checkpoints", "--checkpoint-seconds", seconds),
    ]
    process = os.fork()
    if process == 0:
        signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in the background
        os.dup2(os.open(folder / "log.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND), 2)
        try:
            cli(list(map(str, arguments)), standalone_mode=False)
        except WildLensError as error:
            os._exit(error.exit_status)
        except BaseException:  # including Ctrl-C before the first step
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    end = None if moment is None else time.monotonic() + moment
    while True:
        ended, status = os.waitpid(process, os.WNOHANG)
        if ended:
            return status
        if end is not None and time.monotonic() >= end:
            os.kill(process, how)
            return os.waitpid(process, 0)[1]
        time.sleep(0.002)


def results(folder: Path) -> dict[str, object]:
    """All files that a training writes, as bytes."""
    with safetensors.safe_open(folder / "model.safetensors", "pt") as file:
        written = dict(file.metadata())
    for key, tensor in safetensors.torch.load_file(folder / "model.safetensors").items():
        written[key] = (str(tensor.dtype), tuple(tensor.shape), tensor.numpy().tobytes())
    return written | {path.name: path.read_bytes() for path in (folder / "metrics").iterdir()}


if __name__ == "__main__":
    main()
