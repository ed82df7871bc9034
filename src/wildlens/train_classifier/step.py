"""Pattern learning (paper, II.A): a classifier of protected and anthropogenic tiles.

Beyond the paper, tiles may have further classes; one class is the target that is explained.
"""

import logging
from pathlib import Path

import numpy as np
import torch
from torch import nn

from wildlens import provenance
from wildlens.files.tables import write_table
from wildlens.networks import weights
from wildlens.networks.baselines import (
    distances_from_neutral,
    most_neutral,
    warnings_about_baselines,
)
from wildlens.settings import Classifier
from wildlens.train_classifier.accuracy import measure, warnings_about
from wildlens.train_classifier.presence import warnings_about_evidence
from wildlens.train_classifier.starts import train_until_sound
from wildlens.training.classes import Classes
from wildlens.training.data import TileSet, load_training_set
from wildlens.training.session import Session
from wildlens.warnings import write_warnings

log = logging.getLogger(__name__)

MOST_TILES = 64  # validation tiles on which baselines are judged


def train(tiles: Path, output: Path, metrics: Path, settings: Classifier, **session) -> None:
    """Train a classifier and write it, its training curve and its accuracy.

    Keeps the weights of the epoch with the lowest validation loss, of the first sound training
    (`starts`). Writes `output` (safetensors),
    `metrics/training.csv` (one row per epoch), `metrics/accuracy.csv` (one row per split),
    `metrics/confusion.csv` (one row per split and class, one column per predicted class) and
    `metrics/warnings.txt`. Removes the checkpoints when all of these are written.

    Args:
        session: options of `Session.open`: device, checkpoints, workers.
    """
    record = provenance.record("train-classifier", settings, [tiles])
    session = Session.open("classifier", settings, record, __name__, **session)
    data = load_training_set(tiles)
    classes = Classes(data.classes, settings.target)
    trained = train_until_sound(data, classes, settings, session)
    network, found = trained.network, trained.evidence
    if not session.processes.first:
        return
    accuracy, confusion = [], []
    for name, tile_set in data.splits.items():
        row, table = measure(network, tile_set, classes, session.device)
        accuracy.append({"split": name, **row})
        confusion += [{"split": name, **row} for row in table]
    write_table(metrics / "training.csv", trained.history)
    write_table(metrics / "accuracy.csv", accuracy)
    write_table(metrics / "confusion.csv", confusion)
    distances = baseline_distances(network, data.splits["val"], classes, session.device)
    write_table(
        metrics / "evidence.csv",
        [
            {
                "target": found.target,
                "others": found.others,
                "presence": found.presence,
                "start": trained.start,
            }
        ],
    )
    write_table(
        metrics / "baselines.csv",
        [{"baseline": name, "distance_from_neutral": d} for name, d in distances.items()],
    )
    warnings = warnings_about(accuracy, settings.architecture) + warnings_about_baselines(distances)
    warnings += warnings_about_evidence(found, settings)
    write_warnings(metrics / "warnings.txt", "classifier", warnings)
    weights.save(
        output,
        {"classifier": network},
        kind=settings.architecture,
        arguments=trained.arguments,
        bands=data.bands,
        tile_size=data.tile_size,
        provenance=record | data.origin,
        classes=classes.names,
        target=classes.target,
        neutral_baseline=most_neutral(distances),
    )
    session.checkpoints.remove()


def baseline_distances(
    network: nn.Module, tiles: TileSet, classes: Classes, device: torch.device
) -> dict[str, float]:
    """Distance of each baseline from neutral, over validation tiles of the target class."""
    target = tiles.only(classes.number)
    images = target.images(np.arange(min(len(target), MOST_TILES))).to(device)
    return distances_from_neutral(network.eval(), images)
