"""Time of each step of a finished demo, compared with its pure input, output or arithmetic.

The time of a step is read from Snakemake's benchmark files. Its minimum (`floor`) is measured:
reading and writing the same pixels; training steps on one constant batch; passes over the same
number of tiles, estimated from one batch. It excludes the start of a job (interpreter, imports).
"""

import csv
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import xarray

from benchmarks import preprocessing
from wildlens import settings
from wildlens.attribution.create import create
from wildlens.attribution.inputs import Inputs
from wildlens.attribution.models import Models
from wildlens.networks import weights
from wildlens.networks.device import on_device
from wildlens.tiles.store import open_tiles
from wildlens.train_classifier.network import build, network_arguments
from wildlens.train_classifier.task import ClassifierTask
from wildlens.train_gan.trainer import Trainer, generator_arguments
from wildlens.training.classes import Classes
from wildlens.training.data import load_training_set
from wildlens.training.processes import Processes
from wildlens.training.session import Session

METHODS = ("gan", "minimizer", "deeplift", "occlusion", "gradcam")
CPU = torch.device("cpu")


@dataclass(frozen=True)
class Step:
    """Processor seconds of a step: those of its jobs, and the minimum of all of them together."""

    name: str
    jobs: int
    took: float
    floor: float


def measure(run: Path, repeats: int) -> list[Step]:
    """All steps that have a minimum; `run` is the folder in which the demo was run."""
    results = run / "results"
    floors = {
        "scene": ("scene/*", _scene),
        "landcover": ("landcover/*", _landcover),
        "tiles": ("tiles", _tiles),
        "train-classifier": ("classifier", _classifier),
        "train-gan": ("gan", _gan),
    }
    floors |= {f"attribute {method}": (f"attribute/{method}", _attribution) for method in METHODS}
    steps = []
    for name, (pattern, floor) in floors.items():
        took = [_took(path) for path in sorted((results / "benchmarks").glob(f"{pattern}.tsv"))]
        if not took:
            raise SystemExit(f"{results}: has no benchmark of {name}: run `make demo`")
        method = name.removeprefix("attribute ")
        steps.append(Step(name, len(took), sum(took), floor(run, method, repeats)))
    return steps


def _took(path: Path) -> float:
    with path.open() as file:
        (row,) = csv.DictReader(file, delimiter="\t")
    return float(row["cpu_time"])


def _seconds(call: Callable[[], object], repeats: int = 1) -> float:
    """Mean processor seconds of a call."""
    start = time.process_time()
    for _ in range(repeats):
        call()
    return (time.process_time() - start) / repeats


def _scene(run: Path, _: str, repeats: int) -> float:
    products = (run / "resources" / "demo").glob("*.SAFE")
    found = [image for product in products for image in preprocessing.images(product)]
    return _seconds(lambda: preprocessing.decode(found))


def _landcover(run: Path, _: str, repeats: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy.tif"
        return sum(
            _seconds(lambda path=path: preprocessing.rewrite(path, copy))
            for path in (run / "results" / "landcover").glob("*.tif")
        )


def _tiles(run: Path, _: str, repeats: int) -> float:
    with open_tiles(run / "results" / "tiles.zarr") as dataset:
        scenes = sorted(set(dataset["scene"].values.astype(str)))
    folders = (run / "results" / "scenes", run / "results" / "landcover")
    found = [folder / f"{scene}.tif" for folder in folders for scene in scenes]
    return _seconds(lambda: preprocessing.decode(found))


def _classifier(run: Path, _: str, repeats: int) -> float:
    s = settings.load_section(settings.Classifier, run / "results/settings/classifier.yaml")
    data = load_training_set(run / "results" / "tiles.zarr")
    classes = Classes(data.classes, s.target)
    arguments = network_arguments(s, len(data.bands), data.tile_size, classes)
    network = build(s, arguments).to(memory_format=torch.channels_last)
    generator = np.random.default_rng(s.seed)
    task = ClassifierTask(network, data, s, Session(), generator)
    indices = task.epoch(generator)[0]
    images, *labels = task.prepare(task.draw(indices, generator), np.arange(len(indices)))
    batch = on_device(images, CPU), *labels
    return _seconds(lambda: task.step(0, batch), repeats) * task.steps


def _gan(run: Path, _: str, repeats: int) -> float:
    s = settings.load_section(settings.Gan, run / "results/settings/gan.yaml")
    data = load_training_set(run / "results" / "tiles.zarr")
    frozen = weights.load_classifier(run / "results/models/classifier.safetensors")
    arguments = generator_arguments(s, len(data.bands))
    trainer = Trainer.build(frozen, data, arguments, s, CPU, Processes())
    images = data.splits["train"].images(torch.arange(s.batch_size).numpy())
    images = images[..., : s.crop, : s.crop].contiguous(memory_format=torch.channels_last)
    return _seconds(lambda: trainer.step(images, s.lambda_am), repeats) * s.steps


def _attribution(run: Path, method: str, repeats: int) -> float:
    results = run / "results"
    s = settings.load_section(settings.Attribution, results / "settings/attribution.yaml")
    models = results / "models"
    names = (models / "classifier.safetensors", models / "generators.safetensors")
    attribute = create(method, Models(*names, CPU), s)
    data = load_training_set(results / "tiles.zarr")
    images = data.splits["test"].images(torch.arange(s.batch_size).numpy())
    images = images.contiguous(memory_format=torch.channels_last)
    with xarray.open_zarr(results / "attributions" / f"{method}.zarr") as dataset:
        batches = dataset.sizes["tile"] / s.batch_size
    valid = torch.ones(len(images), *images.shape[2:], dtype=torch.bool)
    inputs = Inputs(images, valid, torch.zeros(len(images), 2, dtype=torch.int64))
    return _seconds(lambda: inputs.attribute(attribute), max(1, repeats // 5)) * batches
