"""Pattern enhancement (paper, II.B): two generators learn to raise and to lower the score.

Generators and discriminators see only tiles of the target class: the protected ones. Training has
two phases: first without activation maximisation, until both generators reproduce their input;
then with the complete objective.
"""

import logging
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import nn

from wildlens import provenance
from wildlens.errors import WildLensError
from wildlens.files.tables import write_table
from wildlens.networks import weights
from wildlens.networks.generator import Generator
from wildlens.registry import classifiers
from wildlens.settings import Gan
from wildlens.train_gan.inference import (
    image_batches,
    recompute_statistics,
    scores_at_inference,
    warnings_about_inference,
)
from wildlens.train_gan.task import GanTask
from wildlens.train_gan.trainer import Trainer, generator_arguments
from wildlens.training.data import TrainingSet, load_training_set
from wildlens.training.loop import Loop
from wildlens.training.session import Session
from wildlens.warnings import write_warnings

log = logging.getLogger(__name__)

SCORED = 64  # training tiles that are scored at inference, at least
SEPARATED = 0.1  # difference of the scores of X+ and X- below which maps show noise


def train(
    tiles: Path, classifier: Path, output: Path, metrics: Path, settings: Gan, **session
) -> None:
    """Train both generators through the frozen classifier.

    Writes `output` (safetensors), `metrics/training.csv` (one row per step) and
    `metrics/warnings.txt`. Removes the checkpoints when all of these are written.

    Args:
        session: options of `Session.open`: device, checkpoints, workers.
    """
    data, frozen = load_training_set(tiles), weights.load_classifier(classifier)
    _check(classifier, frozen, tiles, data, settings)
    record = provenance.record("train-gan", settings, [tiles, classifier])
    session = Session.open("gan", settings, record, __name__, **session)
    frozen.to(session.device)
    torch.manual_seed(settings.seed)
    arguments = generator_arguments(settings, len(data.bands))
    trainer = Trainer.build(frozen, data, arguments, settings, session.device, session.processes)
    task = GanTask(
        trainer, data.splits["train"].only(frozen.target_label), settings, data.splits["train"]
    )
    Loop(task, session, np.random.default_rng(settings.seed)).run()
    if not session.processes.first:
        return
    generators = {
        name: _alone(mean.network, arguments, session.device) for name, mean in trainer.kept.items()
    }
    batches = partial(
        image_batches, task.tiles, max(settings.statistics_tiles, SCORED), settings.crop,
        session.device,
    )  # fmt: skip
    if settings.statistics_tiles:
        for network in generators.values():
            recompute_statistics(network, batches())
    inference = scores_at_inference(frozen, generators, batches())
    scores = [task.mean_of_last(key) for key in ("score", "score_max", "score_min")]
    log.info(
        "gan: %d steps; mean scores of the last batches: X %.3f, X+ %.3f, X- %.3f; at inference: "
        "X+ %.3f, X- %.3f",
        settings.steps, *scores, *inference.values(),
    )  # fmt: skip
    unit = {"loss_unit": settings.loss_unit}  # of the similarity and cycle losses
    write_table(metrics / "training.csv", [row | unit for row in task.history])
    training = dict(zip(("score_max", "score_min"), scores[1:], strict=True))
    warnings = warnings_about(*scores[1:]) + warnings_about_inference(training, inference)
    write_warnings(metrics / "warnings.txt", "gan", warnings)
    weights.save(
        output,
        generators,
        kind="generator",
        arguments=arguments,
        bands=data.bands,
        tile_size=data.tile_size,
        provenance=record | data.origin,
    )
    session.checkpoints.remove()


def _alone(network: nn.Module, arguments: dict, device: torch.device) -> Generator:
    """The generator without layers that wait for other processes, which have ended."""
    generator = Generator(**arguments)
    generator.load_state_dict(network.state_dict())
    generator.to(device, memory_format=torch.channels_last)
    return generator.eval().requires_grad_(False)


def _check(
    path: Path, classifier: nn.Module, tiles: Path, data: TrainingSet, settings: Gan
) -> None:
    """Refuse a classifier that does not fit the tiles or the settings."""
    if classifier.bands != data.bands:
        raise WildLensError(f"{path}: was trained on {classifier.bands}, {tiles} has {data.bands}")
    record = classifiers.find(classifier.kind)
    if settings.activation == "local" and not record.local_logits:
        raise WildLensError(
            f"{path}: gives one logit per image and no local logits, which gan.activation: local "
            "needs; set gan.activation: score"
        )
    side = min(settings.crop or data.tile_size, data.tile_size)
    if not record.any_size and side != classifier.tile_size:
        raise WildLensError(
            f"{path}: takes images of {classifier.tile_size} px only, not of {side} px; set "
            "gan.crop to null, and tiles.size to the value that the classifier was trained with"
        )


def warnings_about(score_max: float, score_min: float) -> list[str]:
    """Reasons why maps would be meaningless, from the mean scores of X+ and X- at the end."""
    if score_max - score_min >= SEPARATED:
        return []
    return [
        f"the scores of X+ ({score_max:.2f}) and X- ({score_min:.2f}) do not separate: maps will "
        "show noise; train longer (gan.steps) or with a larger gan.lambda_am, and check that the "
        "accuracy of the classifier is above chance"
    ]
