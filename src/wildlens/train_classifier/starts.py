"""Train from other initial weights until a classifier uses the target's patterns.

Some trainings stay at chance, or end in a classifier that goes by what is absent (`presence`).
Nothing can be explained through either, and both are found without land cover. The paper reports
one training.
"""

import logging
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from wildlens.settings import Classifier
from wildlens.train_classifier.accuracy import CHANCE
from wildlens.train_classifier.network import build, network_arguments
from wildlens.train_classifier.presence import Evidence, evidence, lacks_evidence
from wildlens.train_classifier.task import ClassifierTask
from wildlens.training.batch_layers import synchronise
from wildlens.training.classes import Classes
from wildlens.training.data import TrainingSet
from wildlens.training.loop import Loop
from wildlens.training.session import Session

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Trained:
    """A trained classifier, in eval mode.

    Attributes:
        arguments: of the network's constructor. history: one row per epoch.
        start: number of the training that it is from, 0 for the first.
        sound: whether it is above chance and uses the target's patterns.
    """

    network: nn.Module
    arguments: dict
    history: list[dict]
    evidence: Evidence
    start: int
    sound: bool


def train_until_sound(
    data: TrainingSet, classes: Classes, settings: Classifier, session: Session
) -> Trained:
    """The first sound classifier of up to 1 + `restarts` trainings.

    If none is sound: the one with the highest presence among those above chance, if there are any.
    Removes no checkpoints: a run that was interrupted repeats at most the end of each training.
    """
    found: list[Trained] = []
    for start in range(1 + settings.restarts):
        own = session.of_start(start)
        found.append(_train(start, data, classes, settings, own))
        if found[-1].sound:
            return found[-1]
        if start < settings.restarts:
            own.checkpoints.stop_before_another()
    return max(found, key=lambda one: (not _at_chance(one.history), one.evidence.presence))


def _train(
    start: int, data: TrainingSet, classes: Classes, settings: Classifier, session: Session
) -> Trained:
    seed = settings.seed if start == 0 else np.random.SeedSequence([settings.seed, start])
    generator = np.random.default_rng(seed)
    torch.manual_seed(seed if start == 0 else int(seed.generate_state(1)[0]))
    arguments = network_arguments(settings, len(data.bands), data.tile_size, classes)
    network = build(settings, arguments)
    if settings.head_start == "mean" and hasattr(network, "start_as_mean"):
        network.start_as_mean(classes.number if classes.outputs > 1 else 0)
    network.standardise.set_statistics(data.mean, data.sd)
    network.to(session.device, memory_format=torch.channels_last)
    network = synchronise(network, session.processes)
    task = ClassifierTask(network, data, settings, session, generator)
    Loop(task, session, generator).run()
    return _judge(start, task, arguments, classes)


def _judge(start: int, task: ClassifierTask, arguments: dict, classes: Classes) -> Trained:
    """Whether a training is sound; all processes of a training agree."""
    network, session = task.finish(), task.session
    found = evidence(network, task.validation, classes.number, session.device)
    log.info(
        "classifier: pieces in blank ground change the logit by %+.2f (target) and %+.2f (others), "
        "presence %.2f", found.target, found.others, found.presence,
    )  # fmt: skip
    reasons = []
    if _at_chance(task.history):
        reasons.append("it is at chance")
    if lacks_evidence(found, task.settings):
        reasons.append("it uses absent patterns")
    unsound = session.processes.maximum(len(reasons))
    if unsound and start < task.settings.restarts:
        log.info(
            "classifier: training %d of at most %d is not used: %s; starting from other weights",
            start + 1, 1 + task.settings.restarts, " and ".join(reasons),
        )  # fmt: skip
    return Trained(network, arguments, task.history, found, start, not unsound)


def _at_chance(history: list[dict]) -> bool:
    """Whether the accuracy of the epoch with the lowest validation loss is near chance."""
    kept = min(history, key=lambda row: row["val_loss"])
    return kept["val_accuracy"] < CHANCE
