"""Train the generators again, with a larger weight of activation maximisation, while they are idle.

The loss acts on the score, whose gradient fades where the classifier is sure: on land of one cover
the identity can then be the cheapest solution, and the maps of such generators show noise. The
weight that prevents it depends on the land and the classifier. The paper reports one training.
"""

import logging
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from wildlens.settings import Gan
from wildlens.train_gan.task import GanTask
from wildlens.train_gan.trainer import Trainer, generator_arguments
from wildlens.training.data import TrainingSet
from wildlens.training.loop import Loop
from wildlens.training.session import Session

log = logging.getLogger(__name__)

FACTOR = 3.0  # of the weight, from one training to the next
SEPARATED = 0.1  # difference of the scores of X+ and X- below which maps show noise


@dataclass(frozen=True)
class Trained:
    """Trained generators, with the task that holds them.

    Attributes:
        start: number of the training, 0 for the first. lambda_am: its weight.
    """

    task: GanTask
    start: int
    lambda_am: float

    @property
    def separated(self) -> bool:
        """Whether X+ and X- of the last batches have different scores."""
        return self.task.mean_of_last("score_max") - self.task.mean_of_last("score_min") >= (
            SEPARATED
        )


def train_until_separated(
    data: TrainingSet, classifier: nn.Module, settings: Gan, session: Session
) -> Trained:
    """The first of up to 1 + `restarts` trainings that separates the scores of X+ and X-.

    All start from the same weights; each has `FACTOR` times the weight of activation maximisation
    of the one before. If none separates them, the last. Removes no checkpoints.

    Args:
        classifier: frozen, on the session's device.
    """
    last = settings.restarts if settings.lambda_am else 0  # without it every training is the same
    for start in range(last + 1):
        own = session.of_start(start)
        trained = _train(start, data, classifier, settings, own)
        if trained.separated or start == last:
            return trained
        log.info(
            "gan: training %d of at most %d is not used: the scores of X+ and X- do not separate "
            "with lambda_am %.3g; training again with %.3g",
            start + 1, last + 1, trained.lambda_am, trained.lambda_am * FACTOR,
        )  # fmt: skip
        own.checkpoints.stop_before_another()
        del trained  # its networks leave the device before the next ones are built


def _train(
    start: int, data: TrainingSet, classifier: nn.Module, settings: Gan, session: Session
) -> Trained:
    own = settings.model_copy(update={"lambda_am": settings.lambda_am * FACTOR**start})
    torch.manual_seed(own.seed)
    arguments = generator_arguments(own, len(data.bands))
    trainer = Trainer.build(classifier, data, arguments, own, session.device, session.processes)
    natural = data.splits["train"].only(classifier.target_label)
    task = GanTask(trainer, natural, own, data.splits["train"])
    if start:
        task.remedy = (
            f"lower gan.restarts: lambda_am is {own.lambda_am:.3g} in training {start + 1}"
        )
    Loop(task, session, np.random.default_rng(own.seed)).run()
    return Trained(task, start, own.lambda_am)
