"""Networks, trainings and attribution methods on random tiles in memory, without GDAL.

Used by `benchmarks/gpu.py` and `tests/gpu`, which run on bare GPU machines with the packages of
`envs/gpu.txt` only.
"""

import copy
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
import xarray
import yaml
from torch import nn

from wildlens.attribution.inputs import Inputs
from wildlens.attribution.models import Models
from wildlens.attribution.randomisation import randomised
from wildlens.networks.device import on_device
from wildlens.networks.generator import Generator
from wildlens.settings import TWO_CLASSES, Classifier, Gan
from wildlens.train_classifier.network import build, network_arguments
from wildlens.train_classifier.task import ClassifierTask
from wildlens.train_gan.task import GanTask
from wildlens.train_gan.trainer import Trainer, generator_arguments
from wildlens.training.batch_layers import synchronise
from wildlens.training.classes import Classes
from wildlens.training.data import TileSet, TrainingSet
from wildlens.training.loop import Loop
from wildlens.training.session import Session
from wildlens.training.statistics import band_statistics

ROOT = Path(__file__).parents[1]
FILES = {"demo": ROOT / "config.yaml", "paper": ROOT / "workflow/configs/paper.yaml"}


@dataclass(frozen=True)
class Configuration:
    """The part of a configuration file that the networks and their trainings depend on."""

    bands: list[str]
    size: int
    classifier: Classifier
    gan: Gan

    @classmethod
    def read(cls, name: str) -> "Configuration":
        """That of a key of FILES."""
        values = yaml.safe_load(FILES[name].read_text(encoding="utf-8"))
        sections = Classifier(**values["classifier"]), Gan(**values["gan"])
        return cls(values["scene"]["bands"], values["tiles"]["size"], *sections)


def training_set(
    bands: list[str], size: int, count: int, stored: int = 48, seed: int = 0
) -> TrainingSet:
    """Random tiles of two textures: bright spots are protected land, dark spots anthropogenic.

    Args:
        count: tiles of the training split, which repeat `stored` different ones. The other splits
            have 16.
    """
    random = np.random.default_rng(seed)
    labels = np.arange(stored) % 2
    pixels = random.normal(2000, 100, (stored, len(bands), size, size))
    spots = random.random((stored, 1, size, size)) < 0.1
    pixels += np.where(spots, np.where(labels == 1, 900, -900)[:, None, None, None], 0)
    pixels = pixels.clip(1, 9999).astype(np.uint16)
    mean, sd = band_statistics(pixels)
    splits = {}
    for name, number in {"train": count, "val": 16, "test": 16}.items():
        rows = np.arange(number) % stored
        splits[name] = TileSet(pixels, torch.from_numpy(labels[rows]).float(), mean, rows)
    return TrainingSet(splits, mean, sd, bands, size)


def new_classifier(settings: Classifier, data: TrainingSet) -> nn.Module:
    """An untrained classifier on the CPU, with the attributes of one read from a file."""
    classes = Classes(data.classes, settings.target)
    torch.manual_seed(settings.seed)
    network = build(settings, network_arguments(settings, len(data.bands), data.tile_size, classes))
    if hasattr(network, "start_as_mean"):
        network.start_as_mean()
    network.standardise.set_statistics(data.mean, data.sd)
    network.kind, network.bands, network.tile_size = (
        settings.architecture, data.bands, data.tile_size
    )  # fmt: skip
    network.classes, network.target, network.target_label = TWO_CLASSES, TWO_CLASSES[1], 1
    return network


def frozen(network: nn.Module) -> nn.Module:
    """The network in eval mode, without gradients of its weights."""
    return network.eval().requires_grad_(False)


def new_generator(settings: Gan, data: TrainingSet, seed: int = 0) -> Generator:
    """A generator on the CPU with random weights in the last layer, too, which starts at zero."""
    torch.manual_seed(seed)
    generator = Generator(**generator_arguments(settings, len(data.bands)))
    nn.init.normal_(generator.layers[-1].weight, std=0.02)
    generator.standardise.set_statistics(data.mean, data.sd)
    return generator


def classifier_loop(settings: Classifier, data: TrainingSet, session: Session) -> Loop:
    """The training of a classifier, before its first step; `loop.task` is the task."""
    generator = np.random.default_rng(settings.seed)
    network = new_classifier(settings, data)
    network.to(session.device, memory_format=torch.channels_last)
    network = synchronise(network, session.processes)
    task = ClassifierTask(network, data, settings, session, generator)
    return Loop(task, session, generator)


def gan_loop(settings: Gan, data: TrainingSet, explained: Classifier, session: Session) -> Loop:
    """The training of the generators through an untrained classifier, before its first step."""
    classifier = frozen(new_classifier(explained, data)).to(session.device)
    arguments = generator_arguments(settings, len(data.bands))
    torch.manual_seed(settings.seed)
    trainer = Trainer.build(
        classifier, data, arguments, settings, session.device, session.processes
    )
    train = data.splits["train"]
    task = GanTask(trainer, train.only(classifier.target_label), settings, train)
    return Loop(task, session, np.random.default_rng(settings.seed))


@dataclass(frozen=True)
class ModelsInMemory(Models):
    """Networks and training tiles that are not read from files."""

    network: nn.Module | None = None
    pair: tuple[nn.Module, nn.Module] | None = None
    tiles: xarray.Dataset | None = None

    def __post_init__(self) -> None:
        """There are no files to check."""

    @classmethod
    def of(
        cls, explained: Classifier, gan: Gan, data: TrainingSet, device: torch.device
    ) -> "ModelsInMemory":
        """Untrained networks, and the stored tiles with random land cover."""
        pixels, labels = data.splits["train"].stored, np.arange(len(data.splits["train"].stored))
        random = np.random.default_rng(1)
        tiles = xarray.Dataset(
            {
                "reflectance": (("tile", "band", "y", "x"), pixels),
                "landcover": (
                    ("tile", "y", "x"),
                    random.integers(1, 45, (len(pixels), *pixels.shape[2:])).astype(np.uint8),
                ),
            },
            {"label": ("tile", labels % 2), "band": data.bands},
        )
        network = frozen(new_classifier(explained, data))
        pair = tuple(frozen(new_generator(gan, data, seed)) for seed in (1, 2))
        return cls(Path(), Path(), device, Path(), None, network, pair, tiles)

    @cached_property
    def classifier(self) -> nn.Module:
        network = copy.deepcopy(self.network)
        if self.weights_seed is not None:
            network = randomised(network, self.weights_seed)
        return network.to(self.device)

    @cached_property
    def generators(self) -> tuple[nn.Module, nn.Module]:
        return tuple(copy.deepcopy(network).to(self.device) for network in self.pair)

    @cached_property
    def training_tiles(self) -> xarray.Dataset:
        return self.tiles

    def inputs(self, count: int) -> Inputs:
        """The first tiles as a batch on the device, as attribution passes it to methods."""
        stored = self.tiles.isel(tile=slice(count))
        images = torch.from_numpy(stored["reflectance"].values.astype(np.float32) / 10_000)
        corners = torch.zeros(len(images), 2, dtype=torch.int64)
        landcover = torch.from_numpy(stored["landcover"].values)
        valid = torch.ones(len(images), *images.shape[2:], dtype=torch.bool)
        return Inputs(on_device(images, self.device), valid, corners, landcover)
