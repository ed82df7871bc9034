"""The task of `train-classifier`: one step, validation after each epoch, the best weights."""

import copy
import logging

import numpy as np
import torch
from torch import Tensor, nn

from wildlens.files.tables import from_columns, to_columns
from wildlens.networks.device import in_precision
from wildlens.settings import Classifier
from wildlens.train_classifier.accuracy import predict
from wildlens.train_classifier.batches import Plan
from wildlens.train_classifier.multiple_instance import multiple_instance_loss, number_of_terms
from wildlens.training.augmentation import epoch_batches
from wildlens.training.classes import Classes
from wildlens.training.data import TrainingSet
from wildlens.training.loop import Batch, Task
from wildlens.training.random_states import load_optimizer
from wildlens.training.session import Session

log = logging.getLogger(__name__)


class ClassifierTask(Task):
    """Training of a classifier.

    Attributes:
        maps_compete: whether the multiple-instance loss of the network's maps is part of the loss.
        history: one row per epoch. losses: of the steps of the current epoch.
        best: weights of the epoch with the lowest validation loss so far.
    """

    name = "classifier"
    loss_limit = 100.0  # far above the loss of guessing (0.7)
    remedy = "lower classifier.max_rate"

    def __init__(
        self,
        network: nn.Module,
        data: TrainingSet,
        settings: Classifier,
        session: Session,
        generator: np.random.Generator,
    ):
        self.network, self.settings, self.session = network, settings, session
        self.tiles, self.validation = data.splits["train"], data.splits["val"]
        self.classes = Classes(data.classes, settings.target)
        self.maps_compete = settings.multiple_instance > 0 and hasattr(network, "logits_of_maps")
        self.steps = settings.epochs * len(self.epoch(generator))
        self.losses: list[float] = []
        self.history: list[dict] = []
        self.best: dict[str, Tensor] = {}
        self.best_loss = float("inf")
        groups, rates = parameter_groups(network, settings)
        self.optimizer = torch.optim.AdamW(groups, weight_decay=settings.weight_decay)
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimizer, rates, total_steps=self.steps
        )

    def epoch(self, generator: np.random.Generator) -> list[np.ndarray]:
        return epoch_batches(len(self.tiles), self.settings.batch_size, generator)

    def draw(self, indices: np.ndarray, generator: np.random.Generator) -> Plan:
        labels = self.tiles.labels[torch.from_numpy(indices)]
        targets = self.classes.targets(labels)
        of_target = labels == self.classes.number if self.maps_compete else None
        return Plan.draw(indices, targets, of_target, self.tiles.size, self.settings, generator)

    def prepare(self, plan: Plan, rows: np.ndarray) -> Batch:
        return plan.prepare(self.tiles, rows)

    def step(self, number: int, batch: Batch) -> dict[str, float]:
        self.network.train()
        with in_precision(self.settings.precision, self.session.device):
            loss = self.loss(*batch)
        self.optimizer.zero_grad()
        loss.backward()
        self.session.processes.average_gradients([self.network])
        self.optimizer.step()
        self.schedule.step()
        self.losses += self.session.processes.mean([loss.item()])
        return {"loss": self.losses[-1]}

    def loss(self, images: Tensor, targets: Tensor, of_target: Tensor | None = None) -> Tensor:
        """Cross entropy of a batch (`Plan.prepare`); if maps compete, with their loss."""
        if of_target is None:
            return self.classes.loss(self.network.class_logits(images).float(), targets)
        maps = self.network.activations(images)
        loss = self.classes.loss(self.network.logits_of_maps(maps).float(), targets)
        count = self.session.processes.mean([number_of_terms(of_target)])[0]
        found = multiple_instance_loss(maps.float(), of_target, count)
        return loss + self.settings.multiple_instance * found

    def end_epoch(self) -> None:
        """Validate, and keep the weights if they are the best so far."""
        logits, labels = predict(self.network, self.validation, self.session.device)
        row = {
            "epoch": len(self.history) + 1,
            "rate": self.schedule.get_last_lr()[0],
            "train_loss": float(np.mean(self.losses)),
            "val_loss": self.classes.loss(logits, self.classes.targets(labels)).item(),
            "val_accuracy": self.classes.accuracy(logits, labels),
        }
        self.history.append(row)
        self.losses = []
        if row["val_loss"] <= self.best_loss:
            self.best, self.best_loss = copy.deepcopy(self.network.state_dict()), row["val_loss"]
        log.info(
            "classifier: epoch %d of %d: loss %.3f, validation loss %.3f, accuracy %.3f",
            row["epoch"], self.settings.epochs, row["train_loss"], row["val_loss"],
            row["val_accuracy"],
        )  # fmt: skip

    def finish(self) -> nn.Module:
        """The network with its best weights, in eval mode."""
        if self.best:
            self.network.load_state_dict(self.best)
        return self.network.eval()

    def describe(self) -> str:
        return f"epoch {len(self.history) + 1}, loss {np.mean(self.losses[-20:]):.3f}"

    def state(self) -> dict:
        return {
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "losses": self.losses,
            "history": to_columns(self.history),
            "best": self.best,
            "best_loss": self.best_loss,
        }

    def load_state(self, state: dict) -> None:
        self.network.load_state_dict(state["network"])
        load_optimizer(self.optimizer, state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self.losses, self.best_loss = state["losses"], state["best_loss"]
        self.history, self.best = from_columns(state["history"]), state["best"]


def parameter_groups(network: nn.Module, settings: Classifier) -> tuple[list[dict], list[float]]:
    """Groups for the optimizer, and the highest rate of each: the head may have its own."""
    if not hasattr(network, "head_parameters"):
        return [{"params": list(network.parameters())}], [settings.max_rate]
    head = {id(parameter) for parameter in network.head_parameters}
    body = [parameter for parameter in network.parameters() if id(parameter) not in head]
    groups = [{"params": body}, {"params": network.head_parameters}]
    return groups, [settings.max_rate, settings.max_rate * settings.head_rate]
