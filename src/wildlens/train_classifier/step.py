"""Pattern learning (paper, II.A): a classifier tells protected from anthropogenic tiles.

Beyond the paper, tiles may have further classes; one class is the target that is explained.
"""

from pathlib import Path

import numpy as np
import torch

from wildlens import provenance
from wildlens.files.tables import write_table
from wildlens.networks import weights
from wildlens.settings import Classifier
from wildlens.train_classifier.accuracy import measure, warnings_about
from wildlens.train_classifier.network import build, network_arguments
from wildlens.train_classifier.task import ClassifierTask
from wildlens.training.batch_layers import synchronise
from wildlens.training.classes import Classes
from wildlens.training.data import load_training_set
from wildlens.training.loop import Loop
from wildlens.training.session import Session
from wildlens.warnings import write_warnings


def train(tiles: Path, output: Path, metrics: Path, settings: Classifier, **session) -> None:
    """Train a classifier and write it, its training curve and its accuracy.

    Keeps the weights of the epoch with the lowest validation loss. Writes `output` (safetensors),
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
    torch.manual_seed(settings.seed)
    arguments = network_arguments(settings, len(data.bands), data.tile_size, classes)
    network = build(settings, arguments)
    network.standardise.set_statistics(data.mean, data.sd)
    network.to(session.device, memory_format=torch.channels_last)

    generator = np.random.default_rng(settings.seed)
    network = synchronise(network, session.processes)
    task = ClassifierTask(network, data, settings, session, generator)
    Loop(task, session, generator).run()
    network = task.finish()
    if not session.processes.first:
        return
    accuracy, confusion = [], []
    for name, tile_set in data.splits.items():
        row, table = measure(network, tile_set, classes, session.device)
        accuracy.append({"split": name, **row})
        confusion += [{"split": name, **row} for row in table]
    write_table(metrics / "training.csv", task.history)
    write_table(metrics / "accuracy.csv", accuracy)
    write_table(metrics / "confusion.csv", confusion)
    warnings = warnings_about(accuracy, settings.architecture)
    write_warnings(metrics / "warnings.txt", "classifier", warnings)
    weights.save(
        output,
        {"classifier": network},
        kind=settings.architecture,
        arguments=arguments,
        bands=data.bands,
        tile_size=data.tile_size,
        provenance=record,
        classes=classes.names,
        target=classes.target,
    )
    session.checkpoints.remove()
