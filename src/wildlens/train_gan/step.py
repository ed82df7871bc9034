"""Pattern enhancement (paper, II.B): two generators learn to raise and to lower the score.

Generators and discriminators see only tiles of the target class: the protected ones. Training has
two phases: first without activation maximisation, until both generators reproduce their input;
then with the complete objective.
"""

import logging
from functools import partial
from pathlib import Path

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
from wildlens.train_gan.starts import Trained, train_until_separated
from wildlens.train_gan.trainer import generator_arguments
from wildlens.training.data import TrainingSet, load_training_set
from wildlens.training.session import Session
from wildlens.warnings import write_warnings

log = logging.getLogger(__name__)

SCORED = 64  # training tiles that are scored at inference, at least


def train(
    tiles: Path, classifier: Path, output: Path, metrics: Path, settings: Gan, **session
) -> None:
    """Train both generators through the frozen classifier.

    Keeps the first training that is not idle (`starts`). Writes `output` (safetensors),
    `metrics/training.csv` (one row per step) and `metrics/warnings.txt`. Removes the checkpoints
    when all of these are written.

    Args:
        session: options of `Session.open`: device, checkpoints, workers.
    """
    data, frozen = load_training_set(tiles), weights.load_classifier(classifier)
    _check(classifier, frozen, tiles, data, settings)
    record = provenance.record("train-gan", settings, [tiles, classifier])
    session = Session.open("gan", settings, record, __name__, **session)
    frozen.to(session.device)
    trained = train_until_separated(data, frozen, settings, session)
    if not session.processes.first:
        return
    task, arguments = trained.task, generator_arguments(settings, len(data.bands))
    generators = {
        name: _alone(mean.network, arguments, session.device)
        for name, mean in task.trainer.kept.items()
    }
    batches = partial(
        image_batches, task.tiles, task.all_tiles, max(settings.statistics_tiles, SCORED), settings,
        session.device,
    )  # fmt: skip
    if settings.statistics_tiles:
        for network in generators.values():
            recompute_statistics(network, batches())
    inference = scores_at_inference(frozen, generators, batches())
    scores = [task.mean_of_last(key) for key in ("score", "score_max", "score_min")]
    log.info(
        "gan: %d steps with lambda_am %.3g; mean scores of the last batches: X %.3f, X+ %.3f, "
        "X- %.3f; at inference: X+ %.3f, X- %.3f",
        settings.steps, trained.lambda_am, *scores, *inference.values(),
    )  # fmt: skip
    unit = {"loss_unit": settings.loss_unit}  # of the similarity and cycle losses
    write_table(metrics / "training.csv", [row | unit for row in task.history])
    training = dict(zip(("score_max", "score_min"), scores[1:], strict=True))
    warnings = warnings_about(trained) + warnings_about_inference(training, inference)
    write_warnings(metrics / "warnings.txt", "gan", warnings)
    weights.save(
        output,
        generators,
        kind="generator",
        arguments=arguments,
        bands=data.bands,
        tile_size=data.tile_size,
        provenance=record | data.origin | {"wildlens_lambda_am": f"{trained.lambda_am:.6g}"},
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


def warnings_about(trained: Trained) -> list[str]:
    """Reasons why maps would be meaningless, from the scores at the end of the training."""
    if trained.separated:
        return []
    high, low = (trained.task.mean_of_last(key) for key in ("score_max", "score_min"))
    return [
        f"the scores of X+ ({high:.2f}) and X- ({low:.2f}) do not separate with gan.lambda_am "
        f"{trained.lambda_am:.3g}: maps will show noise; train longer (gan.steps) or with a larger "
        "gan.lambda_am, and check that the accuracy of the classifier is above chance"
    ]
